"use strict";
// What is measured anew where the reader has changed numbers: differences of L, and the figures of an array.

const MOVED = 1e-5; // how far a number is moved to both sides

// The gradient beside differences of the value that it is of, at the numbers that stand in the table.
function showMeasured(step) {
  const [of, layer, value] = step.derivative ?? [],
    gradient = run.get(step.result),
    largest = Math.max(...gradient.map(Math.abs)),
    say = (...nodes) => byId("comparison").replaceChildren(make("p.verdict", ...nodes));
  if (!of || run.loops.length)
    return say("Where a formula comes back to itself, differences are measured by the library only.");
  if (run.held) return say("Nothing is measured while a number on the way is held: it would not move.");
  const corner = 1e-4 * largest, // slopes to both sides that are further apart are those of a corner
    rows = step.check.rows.map(([index]) => {
      const flat = tensors[step.result].flat(index),
        far = slopes(value, of, flat, layer, MOVED),
        apart = Math.abs(far[0] - far[1]) > corner, // a corner may lie within this step
        [left, right] = apart ? slopes(value, of, flat, layer, MOVED / 100) : far,
        numeric = (left + right) / 2;
      return [
        index,
        gradient[flat],
        numeric,
        Math.abs(left - right) > corner ? null : Math.abs(gradient[flat] - numeric),
      ];
    }),
    offs = rows.map((row) => row[3]).filter((off) => off !== null),
    off = Math.max(0, ...offs) / (largest || 1),
    kinks = rows.length - offs.length,
    close = off < 1e-5;
  if (!Number.isFinite(off)) return say("With these numbers there is nothing to compare: some are not finite.");
  if (!offs.length) return say("Not comparable: all of them are at a kink, such as that of ReLU at 0.");
  say(
    close ? make("span.good", "✓ Yes.") : make("span.bad", "✗ Not here."),
    ` Measured with your numbers, [L(θ + h) − L(θ − h)] / 2h, at ${rows.length} of them: largest difference ${written(off, 2)} of the largest.`,
    kinks ? ` ${kinks} at a kink, where there is no derivative, left out.` : "",
  );
  byId("comparison").append(checkTable(step, rows));
}

// The slopes of a value to the left and to the right of a number.
function slopes(value, of, flat, layer, step) {
  const h = step * Math.max(1, Math.abs(run.get(of)[flat]));
  return [-h, h].map((by) => {
    const data = Float64Array.from(run.get(of));
    data[flat] += by;
    return (run.without(value, of, data, layer) - run.get(value)[0]) / by;
  });
}

// A table; the first of each row is its name.
function rowsOf(head, rows) {
  const cells = ([name, ...rest]) => [make("th", { scope: "row" }, name), ...rest.map((cell) => make("td", cell))],
    body = make("tbody", ...rows.map((row) => make("tr", ...cells(row)))),
    headings = head.map((cell, i) => (i ? make("th", { scope: "col" }, cell) : make("td", cell)));
  return make("div.numbers", make("table", make("thead", make("tr", ...headings)), body));
}

// The figures of an array, by their names in the list.
function figuresOf(values) {
  let [smallest, largest, sum, squares, zeros] = [Infinity, -Infinity, 0, 0, 0];
  for (const x of values) {
    [smallest, largest] = [Math.min(smallest, x), Math.max(largest, x)];
    sum += x;
    squares += x * x;
    if (x === 0) zeros++;
  }
  const share = `${((100 * zeros) / values.length).toFixed(1)}%`;
  return { smallest, largest, mean: sum / values.length, norm: Math.sqrt(squares), zeros: share };
}
