"use strict";
// The panels of a step: its arrays, one number of the result, the check of a gradient, the code and the figures.

// Its arrays

function showTensors(step) {
  editor?.remove();
  asked = undefined;
  maps = new Map();
  const result = tensors[step.result];
  byId("operands").replaceChildren(...inRow(step));
  byId("result").replaceChildren(figureOf(result, true, step));
  fitRow();
  byId("free").hidden = !step.operands.some((id) => run?.free(id));
  byId("one-scale").parentElement.hidden = ![step.result, ...step.operands].some((id) => isGradient(tensors[id]));
  byId("cell").hidden = !step.recipe || compared;
  if (step.recipe) pickCell(step, result.flat(step.first) ?? 0);
}

const room = () => byId("from").clientWidth;
const HEIGHT = 180; // of a picture in the row
const LEAST = 64; // its width, with what stands around it

// The right side of a formula, with a picture for each operand where it first stands.
function inRow(step) {
  const seen = new Set(),
    pieces = [""];
  step.row.forEach((part, i) => {
    const tensor = i % 2 ? tensors[step.names[part]] : undefined;
    if (!tensor || seen.has(tensor)) return void (pieces[pieces.length - 1] += tensor?.symbol ?? part);
    seen.add(tensor);
    pieces.push(figureOf(tensor, false, step), "");
  });
  return pieces
    .filter((piece) => piece.trim?.() !== "")
    .map((piece) => (piece.trim ? make("span", { class: "sign" }, piece.trim()) : piece));
}

// The pictures as wide as they need to be for their height, the widest ones less, so that all stand in one row; on a narrow
// screen two in a row.
function fitRow() {
  const gap = 12,
    signs = [...byId("row").querySelectorAll(".sign")].reduce((sum, sign) => sum + sign.offsetWidth + gap, 0),
    shown = [...maps.values()].filter(({ narrow }) => !narrow),
    wanted = shown.map((map) => Math.max(LEAST, map.width(Infinity))).sort((a, b) => a - b);
  let left = room() - signs - gap * wanted.length,
    cap = room();
  wanted.forEach((width, i) => {
    if (width * (wanted.length - i) > left) cap = Math.min(cap, left / (wanted.length - i));
    left -= Math.min(width, cap);
  });
  for (const map of shown) {
    map.fit(cap < LEAST ? room() / 2 - 30 : cap);
    map.note.textContent = notes(map);
    map.element.parentElement.style.width = `${Math.max(LEAST, map.wide)}px`;
  }
}

function figureOf(tensor, isResult, step) {
  const role = isResult ? "result" : "operand";
  tensor.renew();
  const free = run?.free(tensor.id),
    label = `${tensor.symbol}, ${role}, ${shapeText(tensor.shape)}. Arrow keys move from number to number${free ? "; Enter changes one" : ""}.`;
  const map = new HeatMap(tensor, {
    label,
    pick: isResult && step.recipe ? (flat) => pickCell(step, flat) : undefined,
    change: free ? (flat, focus) => edit(tensor, flat, map.element, focus) : undefined,
    height: HEIGHT,
  });
  maps.set(tensor.id, map);
  const caption = make(
    "figcaption",
    {},
    window.MathMLElement
      ? markup("span", { class: "name" }, tensor.mathml)
      : make("span", { class: "name" }, tensor.symbol),
    make("span", { class: "shape" }, shapeText(tensor.shape)),
  );
  return make(
    "figure",
    { class: `tensor ${role}` },
    caption,
    map.element,
    underneath(map, tensor.size > 1 ? numbersOf(tensor) : ""),
    (map.note = make("p", { class: "note" })),
  );
}

// Below a heat map: its scale, and the other ways to lay it out.
function underneath(map, more = "") {
  if (map.tensor.size === 1) return "";
  const bar = make("i", {}),
    scale = make("span", { class: "scale" });
  map.recolour = () => {
    const [low, high] = map.ends;
    bar.style.background = `linear-gradient(to right, ${map.stops.join(", ")})`;
    scale.replaceChildren(...(map.tensor.largest ? [written(low, 3), bar, written(high, 3)] : ["all 0"]));
  };
  map.recolour();
  const under = make("div", { class: "under" }, scale);
  if (map.layouts.length > 1)
    under.append(
      button(`Show as ${otherLayout(map).name}`, ({ target }) => {
        map.use(otherLayout(map));
        target.textContent = `Show as ${otherLayout(map).name}`;
      }),
    );
  under.append(more);
  return under;
}

const otherLayout = (map) => map.layouts[(map.layouts.indexOf(map.layout) + 1) % map.layouts.length];

// What of an array is not to be seen here.
function notes(map) {
  const { tensor } = map,
    said = [];
  if (!tensor.whole)
    said.push(`A sample: ${shapeText(tensor.grid)} of ${shapeText(tensor.shape)} are on this page, evenly spaced.`);
  if (map.cell.w < 0.99) said.push(`A dot averages ${(1 / map.cell.w ** 2).toFixed(1)} numbers.`);
  if (tensor.type === "i2") said.push(`Rounded to steps of ${written(tensor.unit, 2)}.`);
  return said.join(" ");
}

let numbersOpen = false; // whether the tables of numbers are unfolded

// The numbers of an array as a table, the first of them if there are many; made when it is opened.
function numbersOf(tensor) {
  const details = make("details", {}, make("summary", {}, "Numbers"));
  details.open = numbersOpen;
  details.addEventListener("toggle", () => {
    numbersOpen = details.open;
    if (!details.open || details.children.length > 1) return;
    const matrix = tensor.grid.length > 1,
      columns = matrix ? tensor.grid.at(-1) : Math.min(tensor.size, 8),
      rows = Math.ceil(tensor.size / columns),
      [down, across] = [Math.min(rows, 40), Math.min(columns, 12)].map((count) => [...Array(count).keys()]),
      table = rowsOf(
        ["", ...across.map((c) => (matrix ? `… ${c}]` : `+${c}`))],
        down.map((r) => {
          const index = tensor.index(r * columns),
            name = matrix ? `[${index.slice(0, -1).join(", ")},` : `[${index.join("")}]`,
            here = (c) => tensor.values[r * columns + c];
          return [name, ...across.map((c) => (r * columns + c < tensor.size ? written(here(c)) : ""))];
        }),
      ),
      cut = down.length < rows || across.length < columns;
    Object.assign(table, { tabIndex: 0, role: "group", ariaLabel: `Numbers of ${tensor.symbol}` });
    if (cut)
      table.append(
        make("p", { class: "note" }, `The first ${down.length} × ${across.length} of ${rows} × ${columns}.`),
      );
    const copy = button("Copy as np.array", async () => {
      const text = `np.array([${[...tensor.values].join(", ")}]).reshape(${tensor.grid.join(", ")})`,
        done = await navigator.clipboard?.writeText(text).then(
          () => "Copied",
          () => undefined,
        );
      copy.textContent = done ?? "This browser does not allow it here";
    });
    details.append(table, copy);
  });
  return details;
}

// One number of the result: marks what it was computed from, writes the sum, and returns it as a text

function pickCell(step, flat) {
  flat = asked ?? flat; // what is hidden stays chosen
  const result = tensors[step.result],
    { index, variables, named } = placeOf(step, flat),
    writing = new Writing(named, step.options),
    symbols = writing.symbols(step.recipe, variables),
    digits = writing.digits(step.recipe, variables),
    reading = new Reading(named),
    value = reading.value(step.recipe, variables) ?? undefined,
    traced = result.values[flat];
  const marked = new Map();
  for (const [name, cells] of reading.cells) {
    const id = step.names[name];
    marked.set(id, new Set([...(marked.get(id) ?? []), ...cells]));
  }
  for (const [id, map] of maps) if (id !== step.result) map.mark(marked.get(id) ?? [], undefined);
  maps.get(step.result).mark([], flat);
  const name = result.named(index),
    head = make("p", { class: "symbols" }, `${name} = `, ...symbols.nodes);
  if (asked !== undefined) {
    if (!byId("question")) byId("sum").replaceChildren(head, question(step, flat));
    return `${name} is hidden`;
  }
  const simple = digits.nodes.join("") === written(value ?? traced);
  byId("sum").replaceChildren(
    head,
    make(
      "p",
      { class: "digits" },
      "=\u00a0",
      ...digits.nodes,
      ...(simple ? [] : [" = ", make("b", {}, written(value ?? traced))]),
    ),
    verdict(value, traced, reading, step, flat),
    simple || value === undefined ? "" : question(step, flat),
  );
  Object.assign(byId("sum").dataset, { index: index.join(","), value: String(value ?? ""), traced: String(traced) });
  return `${name} ${byId("sum").querySelector(".digits").textContent}`;
}

// A place of the result: its index, the variables of its recipe, and what the names in that mean.
function placeOf(step, flat) {
  const index = tensors[step.result].index(flat);
  return {
    index,
    variables: Object.fromEntries(index.map((i, axis) => [`i${axis}`, i])),
    named: Object.fromEntries(Object.entries(step.names).map(([name, id]) => [name, tensors[id]])),
  };
}

// Does what this page computes agree with what the library computed?
function verdict(value, traced, { missing, outside }, step, flat) {
  const edge = outside ? " What lies outside of the image counts for nothing." : "";
  if (value === undefined) {
    return make(
      "p",
      { class: "verdict" },
      `${written(traced, 7)} by the library. ${grouped(missing)} of the numbers are not on this page, which holds a sample of large arrays.`,
    );
  }
  if (log.length) {
    const before = library.get(step.result)[flat],
      same = Object.is(before, traced) || written(before, 7) === written(traced, 7);
    const text = same
      ? "the same as with the library's numbers"
      : `with your numbers; ${written(before, 7)} with the library's`;
    return make("p", { class: "verdict" }, make("span", { class: "yours" }, written(value, 7)), ` ${text}.${edge}`);
  }
  const close =
    Object.is(value, traced) ||
    Math.abs(value - traced) <= step.tolerance * Math.max(1e-30, Math.abs(traced), tensors[step.result].largest);
  const word = make("span", { class: close ? "good" : "bad" }, close ? "✓ agrees" : "✗ differs");
  let digits = 7; // no more of them than are the same
  while (close && digits > 1 && written(value, digits) !== written(traced, digits)) digits--;
  return make(
    "p",
    { class: "verdict" },
    word,
    `: ${written(value, digits)} computed here from the marked numbers, ${written(traced, digits)} by the library.${edge}`,
  );
}

// The gradient against finite differences

function showCheck(step) {
  const check = step.check,
    section = byId("check");
  section.hidden = !check;
  if (!check) return;
  if (log.length) return showMeasured(step);
  const [look, answer] = { yes: ["good", "✓ Yes."], no: ["bad", "✗ No."], open: ["", "Not comparable."] }[
    check.verdict
  ];
  const word = make("span", { class: look }, answer);
  const nodes = [make("p", { class: "verdict" }, word, ` ${check.text}`)];
  if (check.numeric) {
    const top = Math.max(tensors[step.result].largest, tensors[check.numeric].largest);
    const pair = [
      [tensors[step.result], "by backward"],
      [tensors[check.numeric], "by central differences"],
    ].map(([tensor, how]) => {
      const map = new HeatMap(tensor, {
        label: `${tensor.symbol} ${how}, ${shapeText(tensor.shape)}`,
        height: HEIGHT,
        top,
      });
      map.narrow = Math.min(room(), 300);
      map.fit(map.narrow);
      maps.set(`${tensor.id} ${how}`, map);
      return make(
        "figure",
        { class: "tensor" },
        make("figcaption", {}, make("span", { class: "shape" }, how)),
        map.element,
        underneath(map),
      );
    });
    nodes.push(make("div", { class: "pair" }, ...pair));
  }
  const rows = check.rows.map(([index, analytic, numeric, difference]) => [
    chooser(step, index),
    written(analytic, 6),
    written(numeric, 6),
    difference === null ? "at a kink" : written(difference, 2),
  ]);
  if (rows.length) nodes.push(rowsOf(["", "by backward", "by differences", "difference"], rows));
  byId("comparison").replaceChildren(...nodes);
}

// The name of a number of the result, which shows that number.
function chooser(step, index) {
  const tensor = tensors[step.result],
    flat = tensor.flat(index);
  if (flat === undefined) return tensor.named(index);
  return button(tensor.named(index), () => maps.get(tensor.id).choose(flat), { class: "link" });
}

// The code and the figures

function showSource(step) {
  byId("code").hidden = step.sources.length === 0;
  byId("source").replaceChildren(
    ...step.sources.map(([id, used]) => {
      const source = trace.sources[id];
      const lines = source.lines.map((html, i) => {
        const number = source.first + i,
          mine = used.includes(number);
        return markup(
          "span",
          { class: mine ? "line used" : "line" },
          `<span class="number">${mine ? "▸ " : ""}${number}</span>${html}\n`,
        );
      });
      const label = `${source.name}, ${source.file}${used.length ? `; this step: line ${used.join(", ")}` : ""}`;
      return make(
        "figure",
        {},
        make("figcaption", {}, make("b", {}, source.name), ` · ${source.file}`),
        make("pre", { tabindex: "0", role: "region", "aria-label": label }, make("code", {}, ...lines)),
      );
    }),
  );
}

function showFacts(step) {
  const text = (value) => (typeof value === "number" ? written(value) : value),
    own = log.length ? figuresOf(tensors[step.result].values) : {};
  byId("facts").replaceChildren(
    ...step.facts.flatMap(([name, value]) => [make("dt", {}, name), make("dd", {}, text(own[name] ?? value))]),
  );
}
