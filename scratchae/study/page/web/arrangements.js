"use strict";
// Operators that sum, or that put numbers in another place. Each takes its arguments, and at last an object of its options.

// A list with its last two turned round.
const swapped = (list) => [...list.slice(0, -2), list.at(-1), list.at(-2)];

// Images with `before` and `after` rows and columns of a value around them.
function padded({ shape: [n, h, w, c], data }, before, after, value = 0) {
  const shape = [n, h + before[0] + after[0], w + before[1] + after[1], c],
    steps = strides(shape),
    out = arrayOf(shape);
  if (value) out.data.fill(value);
  put(out.data, data, [n, h, w, c], steps, before[0] * steps[1] + before[1] * steps[2]);
  return out;
}

// The windows of images of a shape, as places: [n, rows, columns, KH, KW, C], and how far neighbours are apart.
function windowed([n, , , c], steps, [rows, columns], [kh, kw], [sh, sw]) {
  return [
    [n, rows, columns, kh, kw, c],
    [steps[0], sh * steps[1], sw * steps[2], steps[1], steps[2], steps[3]],
  ];
}

// The adjoint of windows: numbers [n, rows, columns, KH, KW, C] added up in images of a size, which a padding surrounds.
function overlapped(data, [n, rows, columns, c], [h, w], kernel, stride, [ph, pw]) {
  const shape = [
      n,
      ...[h + 2 * ph, w + 2 * pw].map((size, i) => Math.max(size, ([rows, columns][i] - 1) * stride[i] + kernel[i])),
      c,
    ],
    steps = strides(shape),
    out = new Float64Array(product(shape));
  put(out, data, ...windowed(shape, steps, [rows, columns], kernel, stride), 0, true);
  return taken(out, [n, h, w, c], steps, ph * steps[1] + pw * steps[2]);
}

const reshaped = ({ data }, shape) => {
  const known = -product(shape);
  return arrayOf(
    shape.map((size) => (size < 0 ? data.length / known : size)),
    data,
  );
};

// Several arrays, one behind the other along an axis.
function behind(arrays, at) {
  const axis = (at + arrays[0].shape.length) % arrays[0].shape.length,
    shape = arrays[0].shape.map((size, i) => (i === axis ? arrays.reduce((all, x) => all + x.shape[axis], 0) : size)),
    steps = strides(shape),
    out = arrayOf(shape);
  let from = 0;
  for (const { shape, data } of arrays) {
    put(out.data, data, shape, steps, from * steps[axis]);
    from += shape[axis];
  }
  return out;
}

// Sequences [N, T, D], moved by so many steps.
function displaced({ shape: [n, t, d], data }, by) {
  const out = arrayOf([n, t, d]);
  for (let i = 0; i < n * t; i++)
    if ((i % t) + by >= 0 && (i % t) + by < t) out.data.set(data.subarray((i + by) * d, (i + by + 1) * d), i * d);
  return out;
}

const OPERATORS = {
  sum: (x, options) => reduced(x, options, 0, plus),
  mean: (x, options) => reduced(x, options, 0, plus, (total, count) => total / count),
  max: (x, options) => reduced(x, options, -Infinity, Math.max),
  T: ({ shape, data }) => taken(data, swapped(shape), swapped(strides(shape))),
  tuple: (...numbers) => numbers.slice(0, -1),
  none: () => null,
  sg: (x) => x,
  area: (size) => product(size),
  rows: (x) => reshaped(x, [-1, x.shape.at(-1)]),
  flat: (x) => reshaped(x, [x.shape[0], -1]),
  reshape: (x, shape) => reshaped(x, [shape].flat()),
  per_row: (weights, x) =>
    reshaped(
      weights,
      x.shape.map((size, axis) => (axis ? 1 : size)),
    ),
  expand: (x, axis) => {
    const at = axis < 0 ? axis + x.shape.length + 1 : axis;
    return arrayOf([...x.shape.slice(0, at), 1, ...x.shape.slice(at)], x.data);
  },
  slice: ({ shape, data }, ...bounds) => {
    const steps = strides(shape),
      at = (place, size, otherwise) => {
        const bound = place < bounds.length - 1 ? bounds[place] : null; // the last of them are the options
        return bound === null ? otherwise : Math.max(0, Math.min(size, bound < 0 ? bound + size : bound));
      };
    const from = shape.map((size, axis) => at(2 * axis, size, 0)),
      sizes = shape.map((size, axis) => Math.max(0, at(2 * axis + 1, size, size) - from[axis]));
    return taken(
      data,
      sizes,
      steps,
      from.reduce((sum, first, axis) => sum + first * steps[axis], 0),
    );
  },
  joined: (...arrays) => behind(arrays.slice(0, -1), -1),
  stacked: (...arrays) => behind(arrays.slice(0, -1), 0),
  repeat: ({ shape: [n, ...rest], data }, k) =>
    reshaped(taken(data, [n, k, product(rest)], [product(rest), 0, 1]), [n * k, ...rest]),
  // of sequences
  earlier: (x) => displaced(x, -1),
  later: (x, { every }) => {
    const out = displaced(x, 1),
      [n, t, d] = x.shape;
    if (every) for (let i = 0; i < n * t; i++) if ((i % t) % every === every - 1) out.data.fill(0, i * d, (i + 1) * d);
    return out;
  },
  at_last: ({ shape: [n, d], data }, steps) => {
    const out = arrayOf([n, steps, d]);
    put(out.data, data, [n, d], [steps * d, 1], (steps - 1) * d);
    return out;
  },
  each_step: ({ shape: [n, d], data }, [, steps]) => taken(data, [n, steps, d], [d, 0, 1]),
  // of images
  im2col: (x, kernel, stride, padding) => {
    const around = padded(x, padding, padding),
      counts = [0, 1].map((i) => Math.floor((around.shape[i + 1] - kernel[i]) / stride[i]) + 1);
    const found = taken(around.data, ...windowed(around.shape, strides(around.shape), counts, kernel, stride));
    return reshaped(found, [...found.shape.slice(0, 3), -1]);
  },
  col2im: ({ shape: [n, rows, columns, k], data }, size, kernel, stride, padding) =>
    overlapped(data, [n, rows, columns, k / product(kernel)], size, kernel, stride, padding),
  windows: (x, kernel, stride, counts) => {
    const beyond = [0, 1].map((i) => Math.max((counts[i] - 1) * stride[i] + kernel[i] - x.shape[i + 1], 0)),
      around = padded(x, [0, 0], beyond, -Infinity),
      found = taken(around.data, ...windowed(around.shape, strides(around.shape), counts, kernel, stride));
    return reshaped(found, [...found.shape.slice(0, 3), product(kernel), x.shape[3]]);
  },
  from_windows: ({ shape: [n, rows, columns, , c], data }, size, kernel, stride) =>
    overlapped(data, [n, rows, columns, c], size, kernel, stride, [0, 0]),
  spread: ({ shape: [n, h, w, c], data }, kernel) =>
    taken(data, [n, h, w, product(kernel), c], [h * w * c, w * c, c, 0, 1]),
  upsample: ({ shape: [n, h, w, c], data }, [sh, sw]) =>
    reshaped(taken(data, [n, h, sh, w, sw, c], [h * w * c, w * c, 0, c, 0, 1]), [n, h * sh, w * sw, c]),
  first_max: ({ shape, data }, { axis = 3 }) => {
    const out = arrayOf(shape),
      at = (axis + shape.length) % shape.length,
      after = product(shape.slice(at + 1));
    for (let line = 0; line < data.length / shape[at]; line++) {
      const from = Math.floor(line / after) * shape[at] * after + (line % after);
      let best = from;
      for (let k = 1; k < shape[at]; k++) if (data[from + k * after] > data[best]) best = from + k * after;
      out.data[best] = 1;
    }
    return out;
  },
  largest: ({ shape, data }, k) => {
    const size = product(shape.slice(1)),
      out = arrayOf(shape);
    for (let from = 0; from < data.length; from += size) {
      const least = data.slice(from, from + size).sort()[size - k];
      for (let i = from; i < from + size; i++) out.data[i] = data[i] >= least ? 1 : 0;
    }
    return out;
  },
};
