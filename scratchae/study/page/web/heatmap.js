"use strict";
// A heat map of an array: blue below zero, orange above, the stronger the larger; hover, touch or arrow keys read it.

const TEXT_FROM = 34; // cells this wide hold their number
const MARGIN = 3; // pixels around the picture, for lines around its cells
const LOUPE = 13; // pixels of a cell in the loupe, and cells narrower are seen by it

const isGradient = ({ symbol }) => symbol.startsWith("∂");
const gradients = () => Object.values(tensors).filter(isGradient);

// The largest number of an array's scale: its own or, where the reader wants one scale for all gradients, theirs.
const topOf = (tensor) =>
  byId("one-scale").checked && isGradient(tensor)
    ? Math.max(...gradients().map(({ largest }) => largest))
    : tensor.largest;

class HeatMap {
  // pick(flat) is called for the cell that the pointer or the keyboard is at; what it returns is said.
  // height: room for it; top: the largest number of its scale. It is drawn by `fit`.
  // change(flat) is called for one that is clicked.
  constructor(tensor, { label, pick = () => {}, change, height, top }) {
    Object.assign(this, { tensor, pick, change, height, top });
    this.layouts = layouts(tensor);
    this.layout = this.layouts[0];
    this.marked = new Set();
    this.at = 0;
    this.element = make("div.map", {
      tabindex: "0",
      role: "application",
      "aria-roledescription": "heat map",
      "aria-label": label,
    });
    this.below = make("canvas", { "aria-hidden": "true" });
    this.above = make("canvas.above", { "aria-hidden": "true" });
    this.element.append(this.below, this.above);
    const events = {
      pointermove: (event) => this.point(event),
      pointerdown: (event) => this.point(event),
      pointerleave: ({ pointerType }) => {
        if (pointerType === "touch" && this.cell.w < LOUPE) return; // what a tap shows of small numbers, stays
        hideTip();
        if (this.pin !== undefined) this.pick(this.pin); // a pinned number comes back
      },
      click: ({ pointerType }) => this.press(pointerType !== "touch"),
      focus: () => this.element.matches(":focus-visible") && this.go(this.at),
      blur: () => (hideTip(), this.overlay()),
      keydown: (event) => this.key(event),
    };
    for (const [name, answer] of Object.entries(events)) this.element.addEventListener(name, answer);
  }

  // Draw it as wide as fits.
  fit(width) {
    this.room = width;
    this.use(this.layout);
  }

  use(layout) {
    this.layout = layout;
    this.width(this.room);
    this.draw();
  }

  // Measures it for some room, and returns how wide it is.
  width(room) {
    const { layout } = this;
    const { across, count, w, h } = layout,
      down = Math.ceil(count / across);
    const wide = across * w,
      high = down * h;
    this.gap = count < 2 ? 0 : wide < 150 ? 4 : wide < 320 ? 2 : 1; // between tiles, in pixels
    const fit = Math.min((room - (across - 1) * this.gap) / wide, (this.height - (down - 1) * this.gap) / high);
    const one = fit < 1 ? fit : Math.min(Math.floor(fit), this.tensor.size <= 64 ? 62 : 26);
    this.cell = { w: one, h: one }; // the size of a number's cell, in pixels
    if (one >= TEXT_FROM) this.cell.h = 34;
    else if (count === 1 && high <= 16) this.cell.h = Math.max(one, Math.min(16, one * 4)); // a few lines, long and thin
    this.tile = { w: w * this.cell.w + this.gap, h: h * this.cell.h + this.gap };
    this.wide = across * this.tile.w - this.gap;
    this.high = down * this.tile.h - this.gap;
    return this.wide;
  }

  // The place of a number of the array: its tile and its cell in that, each as [column, row].
  spot(flat) {
    const { shape, steps, tiles, y, x, across } = this.layout,
      at = steps.map((step) => [Math.floor(flat / step), (flat %= step)][0]),
      tile = tiles.reduce((tile, axis) => tile * shape[axis] + at[axis], 0);
    return [tile % across, Math.floor(tile / across), at[x], at[y]];
  }

  // Its left upper corner in pixels.
  corner(flat) {
    const [column, row, x, y] = this.spot(flat);
    return [column * this.tile.w + x * this.cell.w, row * this.tile.h + y * this.cell.h];
  }

  // Where in the array a tile begins.
  base(tile) {
    const { shape, steps, tiles } = this.layout;
    let flat = 0;
    for (const axis of [...tiles].reverse()) {
      flat += (tile % shape[axis]) * steps[axis];
      tile = Math.floor(tile / shape[axis]);
    }
    return flat;
  }

  // The number at a place; -1 if there is none.
  flatAt(column, row, inX, inY) {
    const { steps, y, x, h, w, count, across, numbers } = this.layout,
      tile = row * across + column;
    if (Math.min(column, row, inX, inY) < 0 || column >= across || inX >= w || inY >= h || tile >= count) return -1;
    if (inY * w + inX >= numbers) return -1;
    const flat = this.base(tile) + inY * steps[y] + inX * steps[x];
    return flat < this.tensor.size ? flat : -1;
  }

  get pixels() {
    return this.tensor.pixels && !this.tensor.signed;
  }

  // What the colours stand for: the ends of the scale, and the colours between. What is nowhere negative has half a scale.
  get ends() {
    const top = this.top ?? topOf(this.tensor);
    return this.pixels ? [0, Math.max(top, 1)] : [this.tensor.signed ? -top : 0, top];
  }

  get stops() {
    const palette = PALETTES[darkNow() ? "dark" : "light"];
    return this.pixels ? palette.pixels : this.tensor.signed ? palette.signed : palette.signed.slice(2);
  }

  draw() {
    const ratio = window.devicePixelRatio || 1,
      { w, h, across, count, steps, numbers } = this.layout,
      [down, right] = [steps[this.layout.y], steps[this.layout.x]];
    for (const canvas of [this.below, this.above]) {
      const [width, height] = [this.wide, this.high].map((size) => size + (canvas === this.above ? 2 * MARGIN : 0));
      Object.assign(canvas, { width: Math.ceil(width * ratio), height: Math.ceil(height * ratio) });
      Object.assign(canvas.style, { width: `${width}px`, height: `${height}px` });
    }
    const table = tableOf(this.stops),
      [low, high] = this.ends,
      { values } = this.tensor,
      ink = this.below.getContext("2d");
    ink.scale(ratio, ratio);
    ink.imageSmoothingEnabled = this.cell.w < 1;
    ink.imageSmoothingQuality = "high";
    const plane = make("canvas", { width: w, height: h }),
      pen = plane.getContext("2d", { willReadFrequently: true }),
      picture = pen.createImageData(w, h),
      dots = new Uint32Array(picture.data.buffer);
    for (let tile = 0; tile < count; tile++) {
      const [column, row, base] = [tile % across, Math.floor(tile / across), this.base(tile)];
      for (let y = 0, dot = 0; y < h; y++) {
        for (let x = 0; x < w; x++, dot++) {
          const flat = base + y * down + x * right,
            value = dot < numbers ? values[flat] : undefined; // as beyond the end
          if (Number.isFinite(value) && flat !== this.secret) dots[dot] = table[shade(value, low, high)];
          else dots[dot] = value === undefined ? 0 : 0xff808080;
        }
      }
      pen.putImageData(picture, 0, 0);
      const [left, top] = [column * this.tile.w, row * this.tile.h];
      ink.drawImage(plane, left, top, w * this.cell.w, h * this.cell.h);
      ink.strokeStyle = "#888"; // around a label
      if (numbers < w * h) ink.strokeRect(left, top + (h - 1) * this.cell.h, (numbers % w) * this.cell.w, this.cell.h);
    }
    if (this.cell.w >= TEXT_FROM) this.write(ink, ramp(this.stops));
    this.overlay();
    this.recolour?.();
  }

  colour(value, colours) {
    return Number.isFinite(value) ? colours[shade(value, ...this.ends)] : [128, 128, 128];
  }

  // The numbers themselves, where a cell has room for them, in black or white, whichever is plainer.
  write(ink, colours) {
    const family = getComputedStyle(document.documentElement).getPropertyValue("--plain"),
      { w, h } = this.cell;
    ink.textAlign = "center";
    ink.textBaseline = "middle";
    this.tensor.values.forEach((value, flat) => {
      const [x, y] = this.corner(flat),
        text = flat === this.secret ? "?" : written(value, w > 54 ? 4 : 3);
      ink.font = `${text.length > 7 ? 10.5 : 12.5}px ${family}`;
      ink.fillStyle = luminance(this.colour(value, colours)) > 0.179 ? "#000" : "#fff";
      ink.fillText(text, x + w / 2, y + h / 2, w - 4);
    });
  }

  // A line around the marked cells, and one around the chosen.
  overlay() {
    const pen = this.above.getContext("2d"),
      ratio = window.devicePixelRatio || 1,
      { w, h } = this.cell,
      dark = darkNow();
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, this.wide + 2 * MARGIN, this.high + 2 * MARGIN);
    pen.translate(MARGIN, MARGIN);
    if (this.marked.size < this.tensor.size) this.surround(pen, dark ? "#fff" : "#000");
    const here = document.activeElement === this.element ? this.at : this.chosen;
    if (here === undefined) return;
    const [x, y] = this.corner(here),
      [bw, bh] = [Math.max(w, 5), Math.max(h, 5)];
    for (const [width, white] of [
      [4, !dark],
      [2, dark],
    ]) {
      [pen.lineWidth, pen.strokeStyle] = [width, white ? "#fff" : "#000"];
      pen.strokeRect(x + (w - bw) / 2, y + (h - bh) / 2, bw, bh);
    }
  }

  // A line around the marked cells: they are painted, larger, and taken away again.
  surround(pen, colour) {
    const { w, h } = this.cell,
      line = Math.max(1.5, Math.min(2.5, w / 6)),
      corners = [...this.marked].map((flat) => this.corner(flat));
    pen.fillStyle = colour;
    for (const [x, y] of corners) pen.fillRect(x - line, y - line, w + 2 * line, h + 2 * line);
    for (const [x, y] of corners) pen.clearRect(x, y, w, h);
  }

  mark(flats, chosen) {
    this.marked = new Set(flats);
    this.chosen = chosen;
    this.overlay();
  }

  // Reading it

  point(event) {
    const { left, top, width } = this.below.getBoundingClientRect(),
      [x, y] = [event.clientX - left, event.clientY - top].map((at) => (at * this.wide) / width),
      { tile, cell } = this,
      places = [x / tile.w, y / tile.h, (x % tile.w) / cell.w, (y % tile.h) / cell.h],
      flat = this.flatAt(...places.map(Math.floor));
    if (flat < 0) return hideTip();
    if (flat !== this.at || event.type === "pointerdown") this.pick(flat);
    this.at = flat;
    showTip(this.says(flat), event.clientX, event.clientY, this.loupe(flat));
  }

  // Around a number 9 × 9 of its neighbours, where they are too small to be told apart.
  loupe(flat) {
    if (this.cell.w >= LOUPE) return "";
    const [column, row, x, y] = this.spot(flat),
      canvas = make("canvas", { width: 9 * LOUPE, height: 9 * LOUPE }),
      pen = canvas.getContext("2d"),
      colours = ramp(this.stops);
    for (let i = 0; i < 81; i++) {
      const near = this.flatAt(column, row, x + (i % 9) - 4, y + Math.floor(i / 9) - 4);
      if (near < 0) continue;
      const box = [(i % 9) * LOUPE, Math.floor(i / 9) * LOUPE, LOUPE, LOUPE],
        colour = this.colour(near === this.secret ? NaN : this.tensor.values[near], colours);
      pen.fillStyle = `rgb(${colour})`;
      pen.fillRect(...box);
      pen.strokeStyle = luminance(colour) > 0.179 ? "#000" : "#fff";
      if (near === flat || this.marked.has(near)) pen.strokeRect(box[0] + 1, box[1] + 1, LOUPE - 2, LOUPE - 2);
    }
    return canvas;
  }

  says(flat) {
    const value = flat === this.secret ? "?" : written(this.tensor.values[flat]);
    return `${this.tensor.named(this.tensor.index(flat))} = ${value}`;
  }

  go(flat) {
    this.at = flat;
    say(this.pick(flat) ?? this.says(flat));
    this.overlay();
    const box = this.below.getBoundingClientRect(),
      [x, y] = this.corner(flat);
    showTip(this.says(flat), box.left + x + this.cell.w, box.top + y + this.cell.h, this.loupe(flat));
  }

  // A click or Enter: the number stays chosen, or can be changed; a finger has the loupe open, which would go with the focus.
  press(focus = true) {
    this.pin = this.at;
    remember();
    this.change?.(this.at, focus);
  }

  // As if a number had been found and clicked.
  choose(flat) {
    this.pin = flat;
    this.element.focus();
    this.go(flat);
    remember(true);
  }

  key(event) {
    if (event.key === "Escape") return void (hideTip(), (this.pin = undefined), byId("step").focus());
    if (event.key === "Enter") return void (event.preventDefault(), this.press());
    const move = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] }[event.key],
      end = { Home: 0, End: this.tensor.size - 1 }[event.key];
    if (!(move || end !== undefined) || event.altKey || event.metaKey) return;
    event.preventDefault();
    event.stopPropagation(); // these keys walk through the numbers, not through the steps
    if (!move) return this.go(end);
    const { w, h } = this.layout,
      far = event.ctrlKey ? 10 : 1;
    let [column, row, x, y] = this.spot(this.at);
    [x, y] = [x + far * move[0], y + far * move[1]];
    if (x < 0 || x >= w) [column, x] = [column + move[0], x < 0 ? w - 1 : 0]; // into the next tile
    if (y < 0 || y >= h) [row, y] = [row + move[1], y < 0 ? h - 1 : 0];
    const flat = this.flatAt(column, row, x, y);
    if (flat >= 0) this.go(flat);
  }
}

// Which of 256 colours a value has on a scale.
const shade = (value, low, high) => Math.max(0, Math.min(255, Math.round(((value - low) / (high - low || 1)) * 255)));

function luminance(colour) {
  const [r, g, b] = colour.map((c) => ((c /= 255), c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
}
