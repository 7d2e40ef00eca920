"use strict";
// The network as a map of the computation: a column for each thing that the forward pass makes; in it, from above, the
// parameters, the values, ∂L/∂value, ∂L/∂parameter and the update. Every box is an array; a click goes to its step.

const BOX = { width: 74, height: 20, column: 84, row: 24, left: 92, top: 32 };

class Diagram {
  // boxes: {id, symbol, spoken, lane, column, step}; `step` is the one that makes it, or first reads it. go(box) jumps.
  constructor(host, trace, go) {
    this.trace = trace;
    const lanes = trace.lanes.map(([lane, title]) => {
      const height = Math.max(
        0,
        ...countBy(
          trace.boxes.filter((box) => box.lane === lane),
          (box) => box.column,
        ).values(),
      );
      return { lane, title, height };
    });
    let y = BOX.top;
    for (const lane of lanes) {
      lane.y = y;
      y += lane.height * BOX.row + (lane.height ? 6 : 0);
    }
    const columns = trace.columns.length,
      width = BOX.left + columns * BOX.column,
      height = y;
    this.svg = draw("svg", {
      style: `min-width: ${Math.round(0.82 * width)}px; width: min(100%, ${width}px)`,
      viewBox: `0 0 ${width} ${height}`,
      role: "group",
      "aria-label": "Map of the computation",
    });
    this.edges = draw("g", { "aria-hidden": "true" });
    this.svg.append(this.edges);
    const names = draw("g", { "aria-hidden": "true" }); // they stay at the left
    for (const { height, y, title } of lanes)
      if (height) names.append(draw("text", { class: "lane", x: 0, y: y + BOX.height / 2 + 4 }, title));
    host.addEventListener("scroll", () =>
      names.setAttribute("transform", `translate(${(host.scrollLeft * width) / this.svg.clientWidth} 0)`),
    );
    this.titles = trace.columns.map((column, i) => {
      const x = BOX.left + i * BOX.column + BOX.width / 2;
      const title = draw("g", { "aria-hidden": "true" }),
        name = draw("text", { x, y: 12 }, column.title);
      if (column.title.length > 13) fitted(name, BOX.column - 4);
      title.append(name, draw("text", { x, y: 24 }, column.detail));
      this.svg.append(title);
      return title;
    });
    const filled = new Map();
    this.boxes = new Map(
      trace.boxes.map((box) => {
        const key = `${box.lane} ${box.column}`,
          row = filled.get(key) ?? 0,
          lane = lanes.find(({ lane }) => lane === box.lane);
        filled.set(key, row + 1);
        const x = BOX.left + box.column * BOX.column,
          y = lane.y + row * BOX.row;
        const group = draw("g", {
          class: "box",
          role: "button",
          tabindex: "-1",
          transform: `translate(${x} ${y})`,
          "aria-label": box.spoken,
        });
        const text = draw("text", { x: BOX.width / 2, y: BOX.height / 2 + 4.5 }, box.symbol);
        if (box.symbol.length > 10) fitted(text, BOX.width - 6);
        group.append(
          draw("rect", { width: BOX.width, height: BOX.height, rx: 6 }),
          text,
          draw("title", {}, box.spoken),
        );
        group.addEventListener("click", () => go(box));
        group.addEventListener("keydown", (event) => {
          if (event.key === "Enter" || event.key === " ") (event.preventDefault(), go(box));
        });
        this.svg.append(group);
        return [box.id, { ...box, x, y, group }];
      }),
    );
    this.svg.append(names);
    host.append(this.svg);
    this.host = host;
  }

  show(number) {
    const step = this.trace.steps[number],
      operands = new Set(step.operands);
    const result = this.trace.standing[step.result] ?? step.result; // the box that stands for it
    this.svg.dataset.phase = step.phase;
    for (const [id, box] of this.boxes) {
      const current = id === result;
      box.group.setAttribute(
        "class",
        [
          "box",
          box.made ? "" : "leaf",
          current ? "current" : "",
          operands.has(id) ? "operand" : "",
          box.made && box.step > number ? "to-come" : "",
          box.group.classList.contains("changed") ? "changed" : "",
        ].join(" "),
      );
      box.group.setAttribute("tabindex", current ? "0" : "-1");
      if (current) box.group.setAttribute("aria-current", "step");
      else box.group.removeAttribute("aria-current");
    }
    const here = this.boxes.get(result);
    if (here && this.svg.contains(document.activeElement)) here.group.focus({ preventScroll: true });
    this.titles.forEach((title, i) => title.setAttribute("class", i === here?.column ? "column current" : "column"));
    this.edges.replaceChildren(
      ...this.trace.edges
        .filter(([from, to]) => this.near(from, to))
        .map(([from, to]) => this.edge(from, to, "edge")),
    );
    for (const operand of operands)
      this.edges.append(this.edge(operand, result, "edge current"), this.arrow(operand, result));
    if (here)
      scrollSideways(this.host, ((here.x + BOX.width / 2) * this.svg.clientWidth) / this.svg.viewBox.baseVal.width);
  }

  // Mark what is not the library's.
  change(ids) {
    const key = [...ids].join();
    if (key === this.marked) return;
    this.marked = key;
    for (const [id, { group, spoken }] of this.boxes) {
      group.classList.toggle("changed", ids.has(id));
      group.setAttribute("aria-label", ids.has(id) ? `${spoken}, changed` : spoken);
    }
  }

  // Whether a line between two boxes helps to see the way, rather than covering it.
  near(from, to) {
    return Math.abs(this.boxes.get(from).column - this.boxes.get(to).column) <= 6;
  }

  // Where a line leaves one box and enters another.
  ends(from, to) {
    const [a, b] = [this.boxes.get(from), this.boxes.get(to)];
    if (!a || !b || a === b) return null;
    const middle = BOX.height / 2;
    if (a.column === b.column) {
      const down = b.y > a.y;
      if (Math.abs(b.y - a.y) > BOX.row + 8) return [a.x, a.y + middle, b.x, b.y + middle, -1, 0]; // around what lies between
      return [
        a.x + BOX.width / 2,
        a.y + (down ? BOX.height : 0),
        b.x + BOX.width / 2,
        b.y + (down ? 0 : BOX.height),
        0,
        down ? 1 : -1,
      ];
    }
    const right = b.x > a.x;
    if (a.y === b.y && Math.abs(b.column - a.column) > 1) {
      return [a.x + BOX.width / 2, a.y + BOX.height, b.x + BOX.width / 2, b.y + BOX.height, 0, 0]; // below what lies between
    }
    return [
      a.x + (right ? BOX.width : 0),
      a.y + middle,
      b.x + (right ? 0 : BOX.width),
      b.y + middle,
      right ? 1 : -1,
      0,
    ];
  }

  edge(from, to, kind) {
    const ends = this.ends(from, to);
    if (!ends) return draw("g", {});
    const [x1, y1, x2, y2, dx, dy] = ends,
      around = x1 === x2 && dx !== 0;
    const bend = around ? 12 : dx ? Math.min(Math.abs(x2 - x1) / 2 + 4, 40) : Math.min(Math.abs(y2 - y1) / 2, 14);
    if (!dx && !dy)
      return draw("path", { class: kind, d: `M${x1} ${y1}C${x1} ${y1 + 11} ${x2} ${y2 + 11} ${x2} ${y2}` });
    const back = around ? -1 : 1; // it comes in from the side that it left from
    if (dx && !around && Math.abs(x2 - x1) > BOX.column) return draw("path", { class: kind, d: detour(ends) });
    return draw("path", {
      class: kind,
      d: `M${x1} ${y1}C${x1 + dx * bend} ${y1 + dy * bend} ${x2 - back * dx * bend} ${y2 - dy * bend} ${x2} ${y2}`,
    });
  }

  arrow(from, to) {
    const ends = this.ends(from, to);
    if (!ends) return draw("g", {});
    const [x1, , x, y, side, up] = ends,
      dx = x === x1 ? -side : side,
      dy = dx || up ? up : -1;
    return draw("path", {
      class: "arrow",
      d: `M${x} ${y}l${-7 * dx - 4 * dy} ${-7 * dy - 4 * dx}l${8 * dy} ${8 * dx}z`,
    });
  }
}

// A line to a far box in another lane: beside the column, along the lane, and beside the other column, so that it crosses no box.
function detour([x1, y1, x2, y2, dx]) {
  const down = y2 > y1 ? 1 : -1,
    near = x1 + 5 * dx,
    far = x2 - 5 * dx,
    along = y1 + down * (BOX.height / 2 + 5);
  return `M${x1} ${y1}Q${near} ${y1} ${near} ${y1 + 4 * down}V${along - 4 * down}Q${near} ${along} ${near + 4 * dx} ${along}H${far - 4 * dx}Q${far} ${along} ${far} ${along + 4 * down}V${y2 - 4 * down}Q${far} ${y2} ${x2} ${y2}`;
}

function fitted(text, width) {
  text.setAttribute("textLength", width);
  text.setAttribute("lengthAdjust", "spacingAndGlyphs");
}

function countBy(things, key) {
  const counts = new Map();
  for (const thing of things) counts.set(key(thing), (counts.get(key(thing)) ?? 0) + 1);
  return counts;
}

// Bring a place of a wide element into view, without moving the page.
function scrollSideways(host, x) {
  const still = matchMedia("(prefers-reduced-motion: reduce)").matches;
  host.scrollTo({ left: x - host.clientWidth / 2, behavior: still ? "auto" : "smooth" });
}
