"use strict";
// One number of a result: the numbers that it was computed from, and the arithmetic with these numbers in it.
// A recipe is what scratchae/study/formula/cells.py makes of a formula; it is described there.

const TERMS = 8; // so many terms of a sum are written out
// All values of the variables that a sum runs over.
function* ranges(over, variables) {
  if (over.length === 0) return yield variables;
  const [[name, size], ...rest] = over;
  for (let i = 0; i < size; i++) yield* ranges(rest, { ...variables, [name]: i });
}

// What a recipe comes to

// A plain number with a name, as it is now.
const optionNow = ([, name, value]) => run?.plain(name, value, trace.steps[current]?.phase) ?? value;

class Reading {
  // tensors: what the names of a recipe mean. `cells` collects which numbers were read, by name; `missing` counts those
  // that this page does not hold.
  constructor(tensors) {
    this.tensors = tensors;
    this.cells = new Map();
    this.missing = 0;
    this.outside = false; // whether something reached beyond the edge of an image
  }

  cell(name, index) {
    const tensor = this.tensors[name],
      flat = tensor?.flat(index);
    if (flat === undefined) return (this.missing++, undefined);
    if (!this.cells.has(name)) this.cells.set(name, new Set());
    this.cells.get(name).add(flat);
    return tensor.values[flat];
  }

  // The number; undefined if one that it needs is not on this page; null for what counts as absent from a sum.
  value(recipe, variables) {
    const [op, first, second, third] = recipe;
    if (op === "num") return first;
    if (op === "option") return optionNow(recipe);
    if (op === "cell")
      return this.cell(
        first,
        second.map((index) => place(index, variables)),
      );
    if (op === "if") {
      if (first.every((condition) => holds(condition, variables))) return this.value(second, variables);
      this.outside = true;
      return third === "-inf" ? -Infinity : null;
    }
    if (op === "sum" || op === "mean" || op === "max") return this.reduce(op, first, second, variables);
    if (op === "first_max") {
      const all = this.all([first], second, variables);
      return all.includes(undefined) ? undefined : truth(all.indexOf(Math.max(...all)) === place(third, variables));
    }
    if (op === "largest") {
      const all = this.all(first, second, variables).sort((a, b) => b - a);
      return truth(this.value(third, variables) >= all[recipe[4] - 1]);
    }
    const args = recipe.slice(1).map((arg) => this.value(arg, variables));
    if (args.includes(null)) {
      // outside of the image there is 0
      if (op === "mul") return null;
      if (op === "add") return args.find((arg) => arg !== null) ?? null;
      args.forEach((arg, i) => (args[i] = arg ?? 0));
    }
    return args.includes(undefined) ? undefined : FUNCTIONS[op].of(...args);
  }

  // What a recipe comes to while variables run.
  all(over, body, variables) {
    return [...ranges(over, variables)].map((here) => this.value(body, here));
  }

  reduce(op, over, body, variables) {
    const all = this.all(over, body, variables),
      known = op === "mean" ? all : all.filter((value) => value !== null);
    if (known.includes(undefined)) return undefined;
    if (op === "max") return known.reduce((top, value) => Math.max(top, value), -Infinity);
    return known.reduce((sum, value) => sum + (value ?? 0), 0) / (op === "mean" ? known.length : 1);
  }
}

// The arithmetic, written out

// What is added to something: " + 0.3", and " − 0.3" rather than " + (−0.3)".
const added = ({ nodes, rank, negative }) =>
  negative ? [" − ", nodes[0].slice(1), ...nodes.slice(1)] : [" + ", ...brackets({ nodes, rank }, 1)];
const piece = (rank, ...nodes) => ({ nodes, rank });
const brackets = (part, least) => (part.rank < least ? ["(", ...part.nodes, ")"] : part.nodes);

class Writing {
  // tensors: what the names of a recipe mean; options: the letters of its plain numbers, such as η for lr.
  constructor(tensors, options) {
    this.tensors = tensors;
    this.options = options;
    this.reading = new Reading(tensors);
    this.letters = letterer();
  }

  number(value) {
    return { nodes: [written(value)], rank: value < 0 ? 0.5 : 9, negative: value < 0 };
  }

  // With numbers: {nodes, rank}, nodes being texts and elements.
  digits(recipe, variables) {
    const [op] = recipe;
    const value = this.reading.value(recipe, variables);
    if (op === "num" || op === "option" || op === "cell") return this.number(value);
    if (value === null) return this.number(0);
    if (op === "if") return this.digits(recipe[2], variables);
    if (op === "sum" || op === "mean") return this.terms(op, recipe, variables);
    if (op === "max") return this.listed("max", recipe, variables);
    if (op === "first_max" || op === "largest") return this.number(value);
    const parts = recipe.slice(1).map((arg) => this.digits(arg, variables)),
      { sign, rank, name } = FUNCTIONS[op];
    if (op === "where") return parts[this.reading.value(recipe[1], variables) ? 1 : 2];
    return this.joined(op, parts, sign, rank, name, recipe, variables);
  }

  joined(op, parts, sign, rank, name, recipe, variables) {
    const [a, b] = parts;
    if (op === "neg") return piece(0.5, "−", ...brackets(a, 2));
    if (op === "pow") {
      const exponent = recipe[2][0] === "option" ? optionNow(recipe[2]) : recipe[2][1],
        raised = Number.isInteger(exponent) ? [superscript(exponent)] : ["^", ...brackets(b, 9)];
      return piece(8, ...brackets(a, 9), ...raised);
    }
    if (sign && rank === 0) return piece(9, "[", ...a.nodes, sign, ...b.nodes, "]");
    if (sign) {
      if (op === "add") return piece(rank, ...brackets(a, 0.5), ...added(b));
      const right = brackets(b, op === "sub" || op === "div" ? rank + 0.6 : rank);
      if (rank === 2 && a.negative) return { ...piece(0.5, ...a.nodes, sign, ...right), negative: true }; // −0.5 · x
      return piece(rank, ...brackets(a, op === "sub" ? 0.5 : rank), sign, ...right);
    }
    return piece(9, name, "(", ...parts.flatMap(({ nodes }, i) => (i ? [", ", ...nodes] : nodes)), ")");
  }

  // The terms of a sum, and of the sums within it; the largest of them, if there are many, and what the others add up to.
  terms(op, recipe, variables) {
    const all = [...this.leaves(recipe, variables, op)],
      known = all.filter(({ value }) => value !== undefined),
      absent = all.length - known.length;
    const largest = () => [...known].sort((a, b) => Math.abs(b.value) - Math.abs(a.value)).slice(0, TERMS);
    const shown = new Set(all.length <= TERMS + 1 ? known : largest()),
      others = known.filter((term) => !shown.has(term));
    const nodes = [];
    for (const { body, here } of shown.size === known.length ? known : known.filter((term) => shown.has(term))) {
      const part = this.digits(body, here);
      nodes.push(nodes.length ? " " : "", make("span.term", ...(nodes.length ? added(part) : brackets(part, 0.5))));
    }
    if (others.length)
      nodes.push(make("span.rest", ` + ${grouped(others.length)} smaller terms, together `), written(sumOf(others)));
    if (absent) nodes.push(make("span.rest", ` + ${grouped(absent)} terms that are not on this page`));
    if (!all.length) nodes.push("0");
    return op === "mean" ? piece(2, "(", ...nodes, `) / ${all.length}`) : piece(1, ...nodes);
  }

  *leaves(recipe, variables, op) {
    const [, over, body] = recipe;
    for (const here of ranges(over, variables)) {
      const inner = body[0] === "if" && body[1].every((condition) => holds(condition, here)) ? body[2] : body;
      if (op === "sum" && inner[0] === "sum") yield* this.leaves(inner, here, op);
      else {
        const value = this.reading.value(inner, here);
        if (value !== null) yield { value, body: inner, here };
        else if (op === "mean") yield { value: 0, body: ["num", 0], here };
      }
    }
  }

  listed(name, [, over, body], variables) {
    const all = this.reading.all(over, body, variables).filter((value) => value !== null && value !== -Infinity),
      shown = all.slice(0, TERMS + 1).map((value) => written(value)),
      more = all.length > TERMS + 1 ? `, … ${all.length - TERMS - 1} more` : "";
    return piece(9, `${name}(${shown.join(", ")}${more})`);
  }

  // With letters: the same, but cells by their names and sums by Σ.
  symbols(recipe, variables) {
    const [op] = recipe;
    if (op === "num") return this.number(recipe[1]);
    if (op === "option") return piece(9, this.options[recipe[1]] ?? written(optionNow(recipe)));
    if (op === "cell") {
      const [, name, index] = recipe,
        symbol = this.tensors[name]?.symbol ?? name;
      const rank = symbol.includes("/") ? 8.5 : 9; // (∂L/∂b)²
      const places = index.map((i) => placeText(i, variables, this.letters)).join(", ");
      return piece(rank, index.length ? `${symbol}[${places}]` : symbol);
    }
    if (op === "if") return this.symbols(recipe[2], variables);
    if (op === "sum" || op === "mean" || op === "max") {
      const [over, body] = op === "sum" ? joint(recipe) : recipe.slice(1);
      Object.assign(this.letters.sizes, Object.fromEntries(over));
      const inner = this.symbols(body, variables);
      if (op === "sum" && over.every(([, size]) => size === 1)) return inner;
      const letters = over.flatMap(([name]) => this.letters.of(name)).join(",");
      const word = { sum: "Σ", mean: "mean", max: "max" }[op];
      return piece(1.5, word, make("sub", letters), " ", ...brackets(inner, 2));
    }
    if (op === "first_max") return piece(9, "[it is the first of the largest]");
    if (op === "largest") return piece(9, `[it is among the ${recipe[4]} largest]`);
    const parts = recipe.slice(1).map((arg) => this.symbols(arg, variables)),
      { sign, rank, name } = FUNCTIONS[op];
    if (op === "where")
      return piece(0, ...brackets(parts[1], 1), " if ", ...parts[0].nodes, ", else ", ...brackets(parts[2], 1));
    return this.joined(op, parts, sign, rank, name, recipe, variables);
  }
}

// A sum of sums as one: what it runs over, and its terms.
function joint([, over, body]) {
  const inner = body[0] === "if" ? body[2] : body;
  if (inner[0] !== "sum") return [over, body];
  const [further, terms] = joint(inner);
  return [[...over, ...further], terms];
}

const sumOf = (terms) => terms.reduce((sum, { value }) => sum + value, 0);
