"use strict";
// How an array is drawn: its colours, and the ways to lay it out on a plane.

const PALETTES = {
  light: { signed: ["#08457e", "#6fa6d2", "#f4f1ea", "#eda067", "#9c3600"], pixels: ["#fdfcf8", "#1c2026"] },
  dark: { signed: ["#9ad0ff", "#2f6da3", "#23272d", "#9a5425", "#ffb980"], pixels: ["#0b0c0e", "#f3f0e8"] },
};

const darkNow = () => document.documentElement.dataset.theme === "dark";

const channels = (hex) => [1, 3, 5].map((i) => parseInt(hex.slice(i, i + 2), 16));

// A table of 256 colours through the stops, from -1 to 1 or from 0 to 1.
function ramp(stops) {
  const points = stops.map(channels);
  return Array.from({ length: 256 }, (_, i) => {
    const t = (i / 255) * (points.length - 1),
      at = Math.min(Math.floor(t), points.length - 2);
    return points[at].map((from, c) => Math.round(from + (points[at + 1][c] - from) * (t - at)));
  });
}

// The same as the numbers that a picture is made of: bytes in little-endian order.
const tableOf = (stops) => Uint32Array.from(ramp(stops), ([r, g, b]) => (255 << 24) | (b << 16) | (g << 8) | r);

// The ways to lay an array out on a plane. Each sees it with a shape of its own, whose axes `y` and `x` run down and across
// within a tile, and whose axes `tiles` run through the tiles, `across` of them side by side; a tile may end after so many numbers.
function layouts(tensor) {
  const grid = tensor.grid,
    found = [],
    [high, wide, numbers] = (!tensor.kept && tensor.image) || [];
  const add = (name, shape, tiles, y, x, across, numbers = Infinity, steps = strides(shape)) => {
    const count = product(tiles.map((axis) => shape[axis])),
      [h, w] = [shape[y], shape[x]];
    found.push({ name, shape, steps, tiles, y, x, h, w, count, numbers, across: across ?? acrossFor(count, h, w) });
  };
  if (grid.length === 0) add("matrix", [1, 1], [], 0, 1);
  if (grid.length === 1) {
    const n = grid[0];
    if (high) add("images", [high, wide], [], 0, 1, undefined, numbers);
    if (n <= 128) add("matrix", [1, n], [], 0, 1);
    else add("matrix", [Math.ceil(n / 64), 64], [], 0, 1); // line by line, like text
  }
  if (grid.length === 2) {
    const [rows, columns] = grid;
    if (columns === numbers) add("images", [rows, high, wide], [0], 1, 2, undefined, numbers, [columns, wide, 1]);
    else if (rows === numbers) add("images", [high, wide, columns], [2], 0, 1, undefined, numbers);
    const bands = rows > 2.5 * columns && rows > 48 ? Math.ceil(Math.sqrt(rows / (1.5 * columns))) : 1;
    add("matrix", [bands, Math.ceil(rows / bands), columns], [0], 1, 2, bands); // a tall one in columns, like a newspaper
  }
  if (grid.length === 4 && tensor.kernel) {
    add("images", grid, [2, 3], 0, 1, grid[2] > 1 && grid[3] > 1 ? grid[3] : undefined); // a tile for each pair of channels
  } else if (grid.length === 4 && grid[1] * grid[2] === 1) {
    add("matrix", [grid[0], grid[3]], [], 0, 1);
  } else if (grid.length === 4) {
    add("images", grid, [0, 3], 1, 2, grid[0] > 1 && grid[3] > 1 ? grid[3] : undefined); // a line of channels for each example
  } else if (grid.length === 3 || grid.length > 4) {
    add("images", [product(grid.slice(0, -2)), ...grid.slice(-2)], [0], 1, 2);
  }
  return found;
}

// How many tiles stand side by side: a few in one row, many in rows that are full and fill a space wider than high.
function acrossFor(count, h, w) {
  if (count <= 8) return count;
  const ideal = Math.sqrt((count * h * 1.8) / w);
  const choices = Array.from({ length: count }, (_, i) => i + 1);
  const cost = (across) =>
    Math.abs(Math.log(across / ideal)) + 1.5 * ((Math.ceil(count / across) * across) / count - 1);
  return choices.reduce((best, across) => (cost(across) < cost(best) ? across : best));
}
