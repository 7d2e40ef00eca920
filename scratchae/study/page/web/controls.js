"use strict";
// What the reader changes numbers with: a field and a slider for one number, fields for rates, and the buttons that train.

let editor; // the element in which a number is changed
let playing; // the timer, while it trains
let lastSaid = 0; // when L was last spoken

// One number

// A field for a number; what is none is refused in a sentence.
function numberField(attributes, error, put) {
  const field = make("input", { type: "text", inputmode: "decimal", ...attributes });
  field.addEventListener("input", () => {
    const found = parsed(field.value);
    error.textContent = found.error ?? "";
    field.setAttribute("aria-invalid", "error" in found);
    if ("value" in found) put(found.value);
  });
  return field;
}

// A leaf's number at a place, to be typed or dragged. from: the element to go back to; focus: whether to go to the field.
function edit(tensor, flat, from, focus) {
  editor?.remove();
  if (!ready()) return;
  const name = named(tensor.id, flat),
    value = tensor.values[flat],
    before = library.get(tensor.id)[flat],
    reach = Math.max(1, 2 * Math.abs(value)),
    [low, high] = tensor.pixels ? [0, 1] : [value - reach, value + reach],
    error = make("span.bad", { role: "alert" }),
    put = (number) => act({ set: tensor.id, flat, value: number }),
    field = numberField({ value, size: 9 }, error, (number) => (put(number), (slider.value = number))),
    slider = make("input", { type: "range", min: low, max: high, step: "any", value, "aria-label": `Drag ${name}` }),
    move = (number) => (put(number), (error.textContent = ""), (field.value = Number(number.toPrecision(6))));
  slider.addEventListener("input", () => move(Number(slider.value)));
  const back = button(`${written(before)} again`, () => (move(before), (field.value = slider.value = before)));
  editor = make("div.editor", make("label", `${name} = `, field), slider, back, error);
  editor.addEventListener("keydown", (event) => {
    if (event.key === "Escape") (editor.remove(), from.focus());
  });
  byId("free").before(editor);
  if (focus) (field.focus(), field.select());
}

// Rates

// The plain numbers that can be set, by name.
const knobs = () =>
  ["lr", "beta"].filter((name) => trace.steps.some(({ numbers }) => typeof numbers?.[name] === "number"));
const setting = (name) =>
  run.knobs[name] ?? trace.steps.find(({ numbers }) => numbers && name in numbers).numbers[name];

function knob(name) {
  const put = (value) => act({ turn: name, value }),
    field = numberField({ size: 6, id: `knob-${name}`, value: setting(name) }, byId("trouble"), put);
  return make("label", `${{ lr: "rate", beta: "weight" }[name]} ${letterOf(name)} `, field);
}

// The buttons

function openControls() {
  const drawn = trace.steps.some(({ draws }) => draws);
  byId("knobs").replaceChildren(...knobs().map(knob));
  byId("draw").hidden = byId("fresh").parentElement.hidden = !drawn;
  byId("fresh").checked = trace.steps.some(({ phase }) => phase === "negative"); // chains are drawn on
  byId("draw").addEventListener("click", () => act({ draw: true }));
  openPad();
  byId("pin").addEventListener("click", pin);
  byId("view").addEventListener("change", (event) => see(event.target.value));
  byId("undo").addEventListener("click", () => (pause(), again(log.slice(0, -1))));
  byId("reset").addEventListener("click", () => (pause(), again([])));
  byId("take").addEventListener("click", () => (pause(), train()));
  byId("play").addEventListener("click", () => (playing ? pause() : play()));
  if (innerHeight < 500) byId("step").scrollIntoView(); // on a low screen the step itself comes first
  const { untold, carried } = trace.laboratory;
  if (untold.length || !Object.keys(carried).length) {
    byId("take").disabled = byId("play").disabled = true;
    const what = untold.map((id) => tensors[id].symbol).join(", ");
    byId("no-training").textContent = untold.length
      ? `A step also changes ${what}, by no formula, so that this page cannot train the network.`
      : "No update is on this page, so that it cannot train the network.";
  }
}

const train = () => act({ go: 1, fresh: byId("fresh").checked });

// One update after the other, as fast as they are computed and seen; slower where motion is unwanted.
function play() {
  const wait = matchMedia("(prefers-reduced-motion: reduce)").matches ? 1000 : 60;
  const next = () => {
    playing = setTimeout(next, wait);
    train();
  };
  next();
  showControls();
}

function pause() {
  clearTimeout(playing);
  playing = undefined;
  showControls();
}

function showControls() {
  byId("play").textContent = playing ? "Pause" : "Play";
  byId("view").parentElement.hidden = !pinned;
  byId("undo").disabled = byId("reset").disabled = !log.length;
  for (const name of knobs()) {
    const field = byId(`knob-${name}`);
    if (field && field !== document.activeElement) field.value = setting(name);
  }
  const loss = lossNow(),
    before = lossNow(library),
    updates = `${run.taken} update${run.taken === 1 ? "" : "s"}`;
  byId("loss").textContent =
    `L = ${written(loss, 7)}${run.taken ? ` after ${updates}` : ""}${log.length ? `; ${written(before, 7)} by the library` : ""}${pinned ? `; A ${written(lossNow(pinned), 7)}` : ""}`;
  byId("curve").replaceChildren(...curve());
  if (playing && performance.now() - lastSaid > 2000) {
    lastSaid = performance.now();
    say(`${updates}, L = ${written(loss, 3)}`);
  }
}

// L after each update, of both runs, on a scale of powers of ten where it is nowhere below zero.
function curve() {
  const runs = pinned ? [yours, pinned] : [yours],
    known = runs.map(({ losses }) => losses.map((y, x) => [x, y]).filter(([, y]) => Number.isFinite(y))),
    logarithmic = known.flat().every(([, y]) => y > 0),
    height = (y) => (logarithmic ? Math.log(y) : y),
    all = known.flat().map(([, y]) => height(y)),
    [low, high] = [Math.min(...all), Math.max(...all)];
  byId("curve").toggleAttribute("hidden", known[0].length < 2);
  const at = ([x, y]) => {
    const [across, up] = [x / (yours.losses.length - 1 || 1), (height(y) - low) / (high - low || 1)];
    return `${(2 + 116 * across).toFixed(1)},${(32 - 30 * up).toFixed(1)}`;
  };
  return known.map((points, i) => draw("polyline", { class: "BA"[i], points: points.map(at).join(" ") }));
}
