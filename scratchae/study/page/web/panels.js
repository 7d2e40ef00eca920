"use strict";
// The panels of a step: its arrays, one number of the result, the check of a gradient, the code and the figures.

// Its arrays

function showTensors(step) {
  editor?.remove();
  asked = undefined;
  maps = new Map();
  const result = tensors[step.result];
  byId("operands").replaceChildren(...inRow(step));
  byId("result").replaceChildren(figureOf(result, "result", step));
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
  const seen = new Set();
  let sign = "";
  const pieces = step.row.flatMap((part, i) => {
    const tensor = i % 2 ? tensors[step.names[part]] : undefined;
    if (!tensor || seen.has(tensor)) return ((sign += tensor?.symbol ?? part), []);
    seen.add(tensor);
    return [[sign, (sign = "")][0], figureOf(tensor, "operand", step)];
  });
  return [...pieces, sign].flatMap((piece) => {
    if (piece instanceof Node) return piece;
    return piece.trim() ? make("span.sign", piece.trim()) : [];
  });
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

function figureOf(tensor, role, step) {
  tensor.renew();
  const free = run?.free(tensor.id),
    label = `${tensor.symbol}, ${role}, ${shapeText(tensor.shape)}. Arrow keys move from number to number${free ? "; Enter changes one" : ""}.`,
    map = new HeatMap(tensor, {
      label,
      pick: role === "result" && step.recipe ? (flat) => pickCell(step, flat) : undefined,
      change: free ? (flat, focus) => edit(tensor, flat, map.element, focus) : undefined,
      height: HEIGHT,
    }),
    name = window.MathMLElement ? markup("span.name", tensor.mathml) : make("span.name", tensor.symbol),
    caption = make("figcaption", name, make("span.shape", shapeText(tensor.shape)));
  maps.set(tensor.id, map);
  map.note = make("p.note");
  return make(`figure.tensor.${role}`, caption, map.element, underneath(map, numbersOf(tensor)), map.note);
}

// Below a heat map: its scale, and the other ways to lay it out.
function underneath(map, more = "") {
  if (map.tensor.size === 1) return "";
  const bar = make("i"),
    scale = make("span.scale"),
    name = () => `Show as ${otherLayout(map).name}`,
    turn = button(name(), () => (map.use(otherLayout(map)), (turn.textContent = name())));
  map.recolour = () => {
    const [low, high] = map.ends;
    bar.style.background = `linear-gradient(to right, ${map.stops.join(", ")})`;
    scale.replaceChildren(...(map.tensor.largest ? [written(low, 3), bar, written(high, 3)] : ["all 0"]));
  };
  return make("div.under", scale, map.layouts.length > 1 ? turn : "", more);
}

const otherLayout = (map) => map.layouts[(map.layouts.indexOf(map.layout) + 1) % map.layouts.length];

// What of an array is not to be seen here.
function notes({ tensor, cell }) {
  const { grid, shape, whole, type, unit } = tensor;
  return [
    whole ? "" : `A sample: ${shapeText(grid)} of ${shapeText(shape)} are on this page, evenly spaced.`,
    cell.w < 0.99 ? `A dot averages ${(1 / cell.w ** 2).toFixed(1)} numbers.` : "",
    type === "i2" ? `Rounded to steps of ${written(unit, 2)}.` : "",
  ].join(" ");
}

let numbersOpen = false; // whether the tables of numbers are unfolded

// The numbers of an array as a table, the first of them if there are many; made when it is opened.
function numbersOf(tensor) {
  const details = make("details", make("summary", "Numbers")),
    matrix = tensor.grid.length > 1,
    columns = matrix ? tensor.grid.at(-1) : Math.min(tensor.size, 8),
    rows = Math.ceil(tensor.size / columns),
    [down, across] = [Math.min(rows, 40), Math.min(columns, 12)].map((count) => [...Array(count).keys()]);
  details.open = numbersOpen;
  details.addEventListener("toggle", () => {
    numbersOpen = details.open;
    if (!details.open || details.children.length > 1) return;
    const numbers = down.map((r) => {
        const index = tensor.index(r * columns),
          name = matrix ? `[${index.slice(0, -1).join(", ")},` : `[${index.join("")}]`,
          here = across.map((c) => r * columns + c).filter((flat) => flat < tensor.size);
        return [name, ...here.map((flat) => written(tensor.values[flat]))];
      }),
      table = rowsOf(["", ...across.map((c) => (matrix ? `… ${c}]` : `+${c}`))], numbers),
      cut = `The first ${down.length} × ${across.length} of ${rows} × ${columns}.`,
      copy = button("Copy as np.array", async () => {
        const text = `np.array([${[...tensor.values].join(", ")}]).reshape(${tensor.grid.join(", ")})`,
          copied = navigator.clipboard?.writeText(text) ?? Promise.reject();
        copy.textContent = await copied.then(
          ...["Copied", "This browser does not allow it here"].map((said) => () => said),
        );
      });
    Object.assign(table, { tabIndex: 0, role: "group", ariaLabel: `Numbers of ${tensor.symbol}` });
    if (down.length < rows || across.length < columns) table.append(make("p.note", cut));
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
  const marked = new Map([...maps.keys()].map((id) => [id, new Set()]));
  for (const [name, cells] of reading.cells) for (const cell of cells) marked.get(step.names[name]).add(cell);
  for (const [id, map] of maps) if (id !== step.result) map.mark(marked.get(id));
  maps.get(step.result).mark([], flat);
  const name = result.named(index),
    head = make("p.symbols", `${name} = `, ...symbols.nodes);
  if (asked !== undefined) {
    if (!byId("question")) byId("sum").replaceChildren(head, question(step, flat));
    return `${name} is hidden`;
  }
  const simple = digits.nodes.join("") === written(value ?? traced);
  byId("sum").replaceChildren(
    head,
    make("p.digits", "=\u00a0", ...digits.nodes, ...(simple ? [] : [" = ", make("b", written(value ?? traced))])),
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
  const edge = outside ? " What lies outside of the image counts for nothing." : "",
    say = (...nodes) => make("p.verdict", ...nodes, edge),
    of = (number, digits = 7) => written(number, digits);
  if (value === undefined)
    return say(
      `${of(traced)} by the library. ${grouped(missing)} of the numbers are not on this page, which holds a sample of large arrays.`,
    );
  if (log.length) {
    const before = library.get(step.result)[flat],
      same = of(before) === of(traced),
      text = same ? "the same as with the library's numbers" : `with your numbers; ${of(before)} with the library's`;
    return say(make("span.yours", of(value)), ` ${text}.`);
  }
  const most = step.tolerance * Math.max(1e-30, Math.abs(traced), tensors[step.result].largest),
    close = Object.is(value, traced) || Math.abs(value - traced) <= most;
  let digits = 7; // no more of them than are the same
  while (close && digits > 1 && of(value, digits) !== of(traced, digits)) digits--;
  return say(
    close ? make("span.good", "✓ agrees") : make("span.bad", "✗ differs"),
    `: ${of(value, digits)} computed here from the marked numbers, ${of(traced, digits)} by the library.`,
  );
}

// The gradient against finite differences

function showCheck(step) {
  const { check } = step;
  byId("check").hidden = !check;
  if (!check) return;
  if (log.length) return showMeasured(step);
  const result = tensors[step.result],
    numeric = tensors[check.numeric],
    [look, answer] = { yes: ["span.good", "✓ Yes."], no: ["span.bad", "✗ No."], open: ["span", "Not comparable."] }[
      check.verdict
    ],
    top = numeric && Math.max(result.largest, numeric.largest),
    pictured = (tensor, how) => {
      const label = `${tensor.symbol} ${how}, ${shapeText(tensor.shape)}`,
        map = new HeatMap(tensor, { label, height: HEIGHT, top });
      map.narrow = Math.min(room(), 300);
      map.fit(map.narrow);
      maps.set(`${tensor.id} ${how}`, map);
      return make("figure.tensor", make("figcaption", make("span.shape", how)), map.element, underneath(map));
    };
  byId("comparison").replaceChildren(
    make("p.verdict", make(look, answer), ` ${check.text}`),
    numeric ? make("div.pair", pictured(result, "by backward"), pictured(numeric, "by central differences")) : "",
    check.rows.length ? checkTable(step, check.rows) : "",
  );
}

// A gradient's numbers beside differences; rows: [index, by backward, by differences, how far apart, null at a kink].
function checkTable(step, rows) {
  const texts = rows.map(([index, analytic, numeric, apart]) => [
    chooser(step, index),
    written(analytic, 6),
    written(numeric, 6),
    apart === null ? "at a kink" : written(apart, 2),
  ]);
  return rowsOf(["", "by backward", "by differences", "difference"], texts);
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
  const figures = step.sources.map(([id, used]) => {
    const { name, file, first, lines } = trace.sources[id],
      label = `${name}, ${file}${used.length ? `; this step: line ${used.join(", ")}` : ""}`,
      numbered = lines.map((html, i) => {
        const mine = used.includes(first + i),
          number = `<span class="number">${mine ? "▸ " : ""}${first + i}</span>`;
        return markup(mine ? "span.line.used" : "span.line", `${number}${html}\n`);
      });
    return make(
      "figure",
      make("figcaption", make("b", name), ` · ${file}`),
      make("pre", { tabindex: "0", role: "region", "aria-label": label }, make("code", ...numbered)),
    );
  });
  byId("source").replaceChildren(...figures);
}

function showFacts(step) {
  const text = (value) => (typeof value === "number" ? written(value) : value),
    own = log.length ? figuresOf(tensors[step.result].values) : {};
  byId("facts").replaceChildren(
    ...step.facts.flatMap(([name, value]) => [make("dt", name), make("dd", text(own[name] ?? value))]),
  );
}
