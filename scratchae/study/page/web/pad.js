"use strict";
// A pad for a digit of one's own: it takes the place of the first example, and is rebuilt while it is drawn.

const LEVELS = 15; // shades, so that a drawing can stand in the address

// The picture that an example is: height and width; undefined if it is none in shades of grey.
function pictureSize() {
  const { shape, image, pixels } = tensors.x;
  if (!pixels) return undefined;
  if (image) return [Math.floor(image[2] / image[1]), image[1]]; // without a label
  return shape.length === 4 && shape[3] === 1 ? shape.slice(1, 3) : undefined;
}

function openPad() {
  const size = pictureSize();
  byId("own").hidden = !size;
  if (!size) return openPlane();
  const pad = byId("pad"),
    canvas = byId("paper");
  let last; // where the pen was, in pixels of the picture
  let cursor = [size[0] >> 1, size[1] >> 1];
  const toggle = () => {
    pad.hidden = !pad.hidden;
    byId("own").setAttribute("aria-expanded", !pad.hidden);
    showPad();
  };
  byId("own").addEventListener("click", () => (toggle(), pad.hidden || canvas.focus()));
  openCode();
  if (document.documentElement.dataset.view) toggle();
  byId("clear").addEventListener("click", () => stroke([]));
  const place = (event) => {
    const box = canvas.getBoundingClientRect();
    return [((event.clientY - box.top) / box.height) * size[0], ((event.clientX - box.left) / box.width) * size[1]];
  };
  const pen = (event) => {
    if (event.type === "pointerdown") (canvas.setPointerCapture(event.pointerId), (last = undefined));
    if (!canvas.hasPointerCapture(event.pointerId)) return; // it is not down
    const to = place(event),
      from = last ?? to,
      steps = Math.ceil(Math.hypot(to[0] - from[0], to[1] - from[1]) * 2) || 1,
      along = (_, i) => to.map((end, axis) => from[axis] + ((end - from[axis]) * (i + 1)) / steps);
    stroke(Array.from({ length: steps }, along), drawing());
    last = to;
  };
  canvas.addEventListener("pointerdown", pen);
  canvas.addEventListener("pointermove", pen);
  canvas.addEventListener("keydown", (event) => {
    const move = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] }[event.key];
    if (!move && event.key !== " ") return;
    event.preventDefault();
    event.stopPropagation();
    if (move) cursor = cursor.map((at, axis) => Math.max(0, Math.min(size[axis] - 1, at + move[axis])));
    else stroke([cursor.map((at) => at + 0.5)], drawing());
    showPad(cursor);
    say(`row ${cursor[0] + 1}, column ${cursor[1] + 1}`);
  });
}

// What is on the sheet; the first stroke finds it empty.
const sheetNow = () => Array.from(run.get("x").slice(0, product(pictureSize())));
const drawing = () => (log.some(({ paint }) => paint) ? sheetNow() : undefined);

let codeMap; // the heat map of the first example's code

// The code of the first example, if the network has one: a picture of its own, beside the sheet.
function openCode() {
  const step = trace.steps.find(({ about }) => about === "The code.");
  byId("inner").parentElement.hidden = !step;
  if (!step) return;
  const { record } = tensors[step.result],
    code = new Tensor("code", { ...record, shape: [1, ...record.shape.slice(1)], symbol: "z" });
  Object.defineProperty(code, "values", { get: () => run.get(step.result).subarray(0, code.size) });
  codeMap = new HeatMap(code, { label: `Code of the drawing, ${code.size} numbers`, height: 196 });
  codeMap.room = Math.min(196, 0.42 * innerWidth);
  codeMap.use({ ...codeMap.layout, across: Math.ceil(Math.sqrt(2 * codeMap.layout.count)) });
  byId("inner").prepend(codeMap.element);
  byId("inner").nextElementSibling.textContent = `Its code: ${code.size} numbers`;
}

// A round pen at some places of a sheet.
function stroke(places, sheet = new Array(product(pictureSize())).fill(0)) {
  const [h, w] = pictureSize();
  for (const [y, x] of places)
    for (let i = Math.max(0, Math.floor(y - 2)); i < Math.min(h, y + 2); i++)
      for (let j = Math.max(0, Math.floor(x - 2)); j < Math.min(w, x + 2); j++) {
        const ink = Math.max(0, Math.min(1, 1.7 - Math.hypot(i + 0.5 - y, j + 0.5 - x)));
        sheet[i * w + j] = Math.max(sheet[i * w + j], Math.round(ink * LEVELS) / LEVELS);
      }
  act({ paint: sheet });
}

// The sheet, and what the network makes of it: the last array of the forward pass that is as large as the pictures.
function showPad(cursor) {
  showPlane();
  if (byId("pad").hidden) return;
  const { steps } = trace,
    size = pictureSize(),
    end = steps.findLast(
      ({ phase, tree, result }) =>
        tree && phase === "forward" && tensors[result].size === tensors.x.shape[0] * product(size),
    ),
    logits = steps.some(({ phase, where }) => phase === "loss" && where.includes("Logits"));
  paper(byId("paper"), sheetNow(), size, cursor);
  if (codeMap) (codeMap.tensor.renew(), codeMap.draw());
  byId("rebuilt").parentElement.hidden = !end;
  if (!end) return;
  const known = tensors.x.shape[0];
  byId("knows").textContent =
    `What the network makes of it${run.taken ? `, which learns ${known} example${known > 1 ? "s" : ""} by heart` : ""}`;
  const made = run.get(end.result).slice(0, product(size));
  paper(byId("rebuilt"), logits ? made.map(FUNCTIONS.sigmoid.of) : made, size);
}

function paper(canvas, values, [h, w], cursor) {
  [canvas.width, canvas.height] = [w, h];
  const colours = tableOf(PALETTES[darkNow() ? "dark" : "light"].pixels),
    pen = canvas.getContext("2d"),
    picture = pen.createImageData(w, h);
  new Uint32Array(picture.data.buffer).set(values.map((value) => colours[shade(value, 0, 1)]));
  if (cursor) picture.data.set([10, 88, 194, 255], 4 * (cursor[0] * w + cursor[1]));
  pen.putImageData(picture, 0, 0);
}

// Examples of two numbers are points of a plane; undefined where they are none, or nothing is made of them.
const rebuiltPoints = () =>
  String(tensors.x.shape.slice(1)) === "2" ? trace.steps.find(({ about }) => about === "The prediction.") : undefined;

// A click puts the first point there, as its two numbers can be changed in the picture of x.
function openPlane() {
  const plane = byId("plane");
  byId("points").hidden = !rebuiltPoints();
  showPlane();
  plane.addEventListener("click", (event) => {
    const { left, top, width } = plane.getBoundingClientRect(),
      place = [event.clientX - left - width / 2, top + width / 2 - event.clientY];
    place.forEach((at, flat) => act({ set: "x", flat, value: Number(((2 * at * reach()) / width).toFixed(2)) }));
  });
}

const reach = () => 1.2 * Math.max(...[...library.get("x"), ...library.get(rebuiltPoints().result)].map(Math.abs)) || 1;

// Each point, and a line to the one that the network makes of it.
function showPlane() {
  const step = rebuiltPoints();
  if (!step) return;
  const [x, y] = [run.get("x"), run.get(step.result)].map((numbers) =>
    numbers.map((number) => (100 * number) / reach()),
  );
  byId("plane").replaceChildren(
    ...Array.from({ length: x.length / 2 }, (_, i) => {
      const [from, to] = [x, y].map((numbers) => [numbers[2 * i], -numbers[2 * i + 1]]),
        [[x1, y1], [x2, y2]] = [from, to];
      return draw(
        "g",
        i ? {} : { class: "first" },
        draw("line", { x1, y1, x2, y2 }),
        draw("circle", { cx: x1, cy: y1, r: 4 }),
      );
    }),
  );
}

const asHex = (sheet) => sheet.map((ink) => Math.round(ink * LEVELS).toString(16)).join("");
const fromHex = (text) => Array.from(text, (letter) => parseInt(letter, 16) / LEVELS);
