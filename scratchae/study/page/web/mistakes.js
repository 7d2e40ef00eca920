"use strict";
// What a number comes to if a typical mistake is made: its recipe (see recipe.js) with one thing changed.

// Each changed recipe, as {recipe, kind, …words}: the kinds are those of `scratchae check`. text(recipe) writes a piece of it.
function* mutants(recipe, text) {
  const [op, ...args] = recipe;
  if (op === "mul")
    for (const [left, stays] of [args, [...args].reverse()]) yield { recipe: stays, ...leftOut(left, text) };
  if (op === "div")
    yield { recipe: args[0], ...(args[1][1] === "N" ? { kind: "not_averaged" } : leftOut(args[1], text)) };
  if (op === "add")
    for (const [left, stays] of [args, [...args].reverse()])
      yield { recipe: stays, kind: "operation_missing", place: text(left) };
  if (op === "sub") {
    yield { recipe: ["sub", args[1], args[0]], kind: "sign" };
    yield { recipe: args[0], kind: "operation_missing", place: text(args[1]) };
  }
  if (op === "neg") yield { recipe: args[0], kind: "sign" };
  if (op === "pow") yield { recipe: args[0], kind: "left_out", name: "the power" };
  if (op === "sum") yield { recipe: ["mean", ...args], kind: "mean", wrong: "mean", right: "sum" };
  if (op === "mean") yield { recipe: ["sum", ...args], kind: "mean", wrong: "sum", right: "mean" };
  if (op === "sum" && args[0].length === 1 && args[0][0][1] > 1)
    yield { recipe: ["sum", [[args[0][0][0], 1]], args[1]], kind: "first_term" };
  if (FUNCTIONS[op]?.name && args.length === 1) yield { recipe: args[0], kind: "left_out", name: FUNCTIONS[op].name };
  if (op === "cell" && args[1].length === 2)
    yield { recipe: ["cell", args[0], [...args[1]].reverse()], kind: "parameter_turned", parameter: args[0] };
  const below = FUNCTIONS[op] ? recipe.keys() : ["sum", "mean", "max", "if"].includes(op) ? [2] : [];
  for (const i of below) {
    if (i === 0) continue;
    for (const found of mutants(recipe[i], text)) yield { ...found, recipe: recipe.with(i, found.recipe) };
  }
}

// What it means that a factor is missing.
function leftOut(factor, text) {
  if (factor[0] === "num") return { kind: "factor", factor: written(factor[1]) };
  if (factor[0] === "cell" && factor[1] === "dy") return { kind: "upstream_ignored" };
  return { kind: "operation_missing", place: text(factor) };
}

// The mistakes that lead to an answer, in words; each once.
function mistakesFor(answer, step, variables, named) {
  const reading = () => new Reading(named),
    writing = new Writing(named, step.options),
    text = (recipe) => make("p", ...writing.symbols(recipe, variables).nodes).textContent,
    right = reading().value(step.recipe, variables),
    examples = tensors.x.shape[0];
  const all = [
    { recipe: ["neg", step.recipe], kind: "sign" },
    { recipe: ["div", step.recipe, ["num", examples]], kind: "averaged_twice" },
    ...mutants(step.recipe, text),
  ];
  const found = new Set();
  for (const { recipe, ...mistake } of all) {
    const tensor = named[mistake.parameter];
    if (tensor && tensor.shape[0] !== tensor.shape[1]) continue;
    const value = reading().value(recipe, variables);
    if (near(answer, value) && !near(right, value)) found.add(inWords(mistake, tensor, step));
  }
  return [...found];
}

const near = (a, b) => Math.abs(a - b) <= 0.005 * Math.abs(b) + 1e-12;

function inWords({ kind, ...words }, tensor, { derivative }) {
  if (kind === "first_term" && derivative?.[0] in trace.laboratory.carried) kind = "batch_missing"; // of a parameter
  const form = trace.mistakes[kind],
    filled = { ...words, parameter: tensor?.symbol, which: "the first example" };
  return form.replace(/\{(\w+)\}/g, (_, name) => filled[name]);
}

const INFIX = {
  "+": { op: "add", rank: 1 },
  "-": { op: "sub", rank: 1 },
  "*": { op: "mul", rank: 2 },
  "/": { op: "div", rank: 2 },
  "^": { op: "pow", rank: 3 },
};

// Arithmetic as people write it, "0.15*0.05 + 0.2*0.1 + 0.35": {value}, or {error}, a sentence.
function arithmetic(text) {
  const plain = text
      .replace(/[−–]/g, "-")
      .replace(/[·×]/g, "*")
      .replace(/\*\*/g, "^")
      .replace(/(\d),(\d)/g, "$1;$2"),
    tokens = plain.match(/\d+\.?\d*(e[-+]?\d+)?|\.\d+(e[-+]?\d+)?|[a-zσ√]+|\S/gi) ?? [];
  let at = 0;
  // what binds at least so tightly
  const value = (rank) => {
    let left = operand();
    for (let sign; (sign = INFIX[tokens[at]]) && sign.rank >= rank;) {
      at++;
      left = FUNCTIONS[sign.op].of(left, value(sign.op === "pow" ? sign.rank : sign.rank + 1));
    }
    return left;
  };
  const operand = () => {
    const token = tokens[at++] ?? "";
    if (token === "-" || token === "+") return (token === "-" ? -1 : 1) * value(3);
    if (/^[\d.]/.test(token) && Number.isFinite(Number(token))) return Number(token);
    const [, { of }] = Object.entries(FUNCTIONS).find(([op, { name }]) => op === token || name === token) ?? [0, {}];
    if ((of && tokens[at++] === "(") || token === "(") {
      const inside = value(1);
      if (tokens[at++] === ")") return of ? of(inside) : inside;
    }
    throw new Error(token);
  };
  try {
    const found = value(1);
    if (at < tokens.length) throw new Error(tokens[at]);
    return Number.isFinite(found) ? { value: found } : { error: "That comes to no finite number." };
  } catch (error) {
    const where = error.message ? `at “${error.message}”` : "at its end";
    return { error: `This is no arithmetic, ${where}: write such as 0.15*0.05 + 0.2*0.1, with points.` };
  }
}
