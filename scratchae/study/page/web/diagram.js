"use strict";
// The network as a map of the computation: a column for each thing that the forward pass makes; in it, from above, the
// parameters, the values, ∂L/∂value, ∂L/∂parameter and the update. Every box is an array; a click goes to its step.

const BOX = { width: 74, height: 24, column: 84, row: 28, left: 92, top: 32 };
const DECADES = 6; // powers of ten that a bar is long

class Diagram {
  // boxes: {id, symbol, spoken, lane, column, step}; `step` is the one that makes it, or first reads it. go(box) jumps.
  constructor(host, trace, go) {
    Object.assign(this, { host, trace });
    const inLane = (lane) => trace.boxes.filter((box) => box.lane === lane);
    let height = BOX.top;
    const lanes = {},
      names = draw("g", { "aria-hidden": "true" }); // they stay at the left
    for (const [lane, title] of trace.lanes) {
      const rows = Math.max(0, ...countBy(inLane(lane), ({ column }) => column).values());
      lanes[lane] = height;
      if (rows) names.append(draw("text", { class: "lane", x: 0, y: height + BOX.height / 2 + 4 }, title));
      height += rows * BOX.row + (rows ? 6 : 0);
    }
    names.prepend(draw("rect", { class: "behind", x: -20, width: BOX.left + 16, height }));
    const width = BOX.left + trace.columns.length * BOX.column;
    this.titles = trace.columns.map(({ title, detail }, i) => {
      const x = BOX.left + i * BOX.column + BOX.width / 2;
      return draw("g", { "aria-hidden": "true" }, label(title, 13, { x, y: 12 }), draw("text", { x, y: 24 }, detail));
    });
    const filled = new Map();
    this.boxes = new Map(
      trace.boxes.map((box) => {
        const place = `${box.lane} ${box.column}`,
          row = filled.get(place) ?? 0,
          [x, y] = [BOX.left + box.column * BOX.column, lanes[box.lane] + row * BOX.row],
          title = draw("title", {}, box.spoken),
          [norm, zeros] = ["norm", "zeros"].map((name) => draw("path", { class: `bar ${name}` }));
        filled.set(place, row + 1);
        const group = draw(
          "g",
          { role: "button", tabindex: "-1", transform: `translate(${x} ${y})`, "aria-label": box.spoken },
          draw("rect", { width: BOX.width, height: BOX.height, rx: 6 }),
          label(box.symbol, 10, { x: BOX.width / 2, y: BOX.height / 2 + 3.5 }),
          ...[norm, zeros, title],
        );
        group.addEventListener("click", () => go(box));
        group.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") (event.preventDefault(), go(box));
        });
        return [box.id, { ...box, x, y, group, norm, zeros, title }];
      }),
    );
    this.edges = draw("g", { "aria-hidden": "true" });
    this.svg = draw(
      "svg",
      {
        style: `min-width: ${Math.round(0.82 * width)}px; width: min(100%, ${width}px)`,
        viewBox: `0 0 ${width} ${height}`,
        role: "group",
        "aria-label": "Map of the computation",
      },
      draw(
        "marker",
        {
          id: "arrow",
          viewBox: "0 0 8 8",
          refX: 7,
          refY: 4,
          markerWidth: 9,
          markerHeight: 9,
          markerUnits: "userSpaceOnUse",
          orient: "auto",
        },
        draw("path", { class: "arrow", d: "M0 0L8 4L0 8z" }),
      ),
      this.edges,
      ...this.titles,
      ...[...this.boxes.values()].map(({ group }) => group),
      names,
    );
    host.addEventListener("scroll", () =>
      names.setAttribute("transform", `translate(${(host.scrollLeft * width) / this.svg.clientWidth} 0)`),
    );
    host.append(this.svg);
  }

  show(number) {
    const step = this.trace.steps[number],
      result = this.trace.standing[step.result] ?? step.result, // the box that stands for it
      here = this.boxes.get(result);
    this.svg.dataset.phase = step.phase;
    for (const [id, { group, made, step: own }] of this.boxes) {
      const current = id === result,
        classes = { leaf: !made, current, operand: step.operands.includes(id), "to-come": made && own > number };
      group.classList.add("box");
      for (const [name, on] of Object.entries(classes)) group.classList.toggle(name, on);
      group.setAttribute("tabindex", current ? "0" : "-1");
      if (current) group.setAttribute("aria-current", "step");
      else group.removeAttribute("aria-current");
    }
    if (here && this.svg.contains(document.activeElement)) here.group.focus({ preventScroll: true });
    this.titles.forEach((title, i) => title.setAttribute("class", i === here?.column ? "column current" : "column"));
    const near = ([from, to]) => Math.abs(this.boxes.get(from).column - this.boxes.get(to).column) <= 6; // others would cover the way
    this.edges.replaceChildren(
      ...this.trace.edges.filter(near).map(([from, to]) => this.edge(from, to, { class: "edge" })),
      ...step.operands.map((id) => this.edge(id, result, { class: "edge current", "marker-end": "url(#arrow)" })),
    );
    if (!here) return;
    const middle = ((here.x + BOX.width / 2) * this.svg.clientWidth) / this.svg.viewBox.baseVal.width,
      still = matchMedia("(prefers-reduced-motion: reduce)").matches;
    this.host.scrollTo({ left: middle - this.host.clientWidth / 2, behavior: still ? "auto" : "smooth" });
  }

  // Mark what is not the library's.
  change(ids) {
    for (const [id, { group, spoken }] of this.boxes) {
      group.classList.toggle("changed", ids.has(id));
      group.setAttribute("aria-label", ids.has(id) ? `${spoken}, changed` : spoken);
    }
  }

  // In each box, before long, a bar as long as log‖·‖, beside the longest of its lane, and above it one for the share of zeros.
  weigh() {
    this.weighing ??= setTimeout(() => {
      this.weighing = undefined;
      if (!this.svg.clientWidth) return; // it is folded
      const tops = {},
        figures = new Map();
      for (const [id, { lane }] of this.boxes) {
        const { values, shape, size } = tensors[id],
          { norm, zeros } = figuresOf(values),
          whole = norm * Math.sqrt(product(shape) / size || 1); // of a sample
        figures.set(id, [whole, parseFloat(zeros) / 100]);
        tops[lane] = Math.max(tops[lane] ?? 0, whole || 0);
      }
      for (const [id, { lane, norm, zeros, title, spoken }] of this.boxes) {
        const [size, share] = figures.get(id),
          long = Math.max(0, 1 + Math.log10(size / tops[lane]) / DECADES) || 0;
        norm.setAttribute("d", `M5 ${BOX.height - 3}h${(BOX.width - 10) * long}`);
        zeros.setAttribute("d", `M5 3h${(BOX.width - 10) * share}`);
        title.textContent = `${spoken}; norm ${written(size, 3)}, ${(100 * share).toFixed(0)}% zeros`;
      }
    }, 100);
  }

  // A line from one box to another.
  edge(from, to, attributes) {
    const [a, b] = [this.boxes.get(from), this.boxes.get(to)];
    if (!a || !b || a === b) return "";
    const { width, height, column, row } = BOX,
      [dx, dy] = [b.x - a.x, b.y - a.y],
      [side, down] = [dx > 0 ? 1 : -1, dy > 0 ? 1 : -1],
      [x1, x2] = dx > 0 ? [a.x + width, b.x] : [a.x, b.x + (dx && width)],
      [y1, y2] = [a.y, b.y].map((y) => y + height / 2),
      bend = side * Math.min(Math.abs(x2 - x1) / 2 + 4, 40);
    let d = `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
    if (!dx && Math.abs(dy) <= row + 8)
      d = `M${a.x + width / 2} ${y1 + (down * height) / 2}V${y2 - (down * height) / 2}`; // to the next one
    else if (!dx)
      d = `M${x1} ${y1}C${x1 - 12} ${y1} ${x2 - 12} ${y2} ${x2} ${y2}`; // around what lies between
    else if (!dy && Math.abs(dx) > column)
      d = `M${a.x + width / 2} ${a.y + height}c0 11 ${dx} 11 ${dx} 0`; // below it
    else if (Math.abs(x2 - x1) > column) {
      const along = y1 + down * (height / 2 + 5); // beside the column, along the lane, and beside the other column
      d = `M${x1} ${y1}h${5 * side}V${along}H${x2 - 5 * side}V${y2}H${x2}`;
    }
    return draw("path", { ...attributes, d });
  }
}

// A text no wider than its column.
function label(text, letters, attributes) {
  const fitted = { textLength: 10 + 5.4 * letters, lengthAdjust: "spacingAndGlyphs" };
  return draw("text", { ...attributes, ...(text.length > letters && fitted) }, text);
}

function countBy(things, key) {
  const counts = new Map();
  for (const thing of things) counts.set(key(thing), (counts.get(key(thing)) ?? 0) + 1);
  return counts;
}
