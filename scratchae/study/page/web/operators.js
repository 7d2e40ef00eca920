"use strict";
// The operators of formulas on whole arrays, as scratchae/study/formula/values.py has them for NumPy. A value is a number, null,
// a list (a shape or a kernel) or an array {shape, data} in C order. No array is ever changed.

const arrayOf = (shape, data = new Float64Array(product(shape))) => ({ shape, data });
const isArray = (value) => value?.data !== undefined;

// The value of a formula: a number, a name, of which names(name) gives the value, or [operator, argument, …, {options}?].
function evaluate(tree, names) {
  if (typeof tree === "number") return tree;
  if (typeof tree === "string") return names(tree);
  const [op, ...rest] = tree,
    last = rest.at(-1),
    options = last && typeof last === "object" && !Array.isArray(last) ? rest.pop() : {};
  if (op === "matmul") {
    const turned = rest.map((arg) => Array.isArray(arg) && arg[0] === "T"); // Aᵀ B is computed from A
    return matmul(...rest.map((arg, i) => evaluate(turned[i] ? arg[1] : arg, names)), ...turned);
  }
  const args = rest.map((arg) => evaluate(arg, names));
  if (FUNCTIONS[op]) return elementwise(op, args);
  if (!OPERATORS[op]) throw new Error(`the operator ${op} is not known`);
  return OPERATORS[op](...args, options);
}

// Places. line(to, from, count, step) is called for each stretch of the last axis: `to` counts in C order through a shape, `from`
// through an array whose neighbours along each axis are `steps` apart.
function lines(shape, steps, offset, line) {
  const last = shape.length - 1,
    count = last < 0 ? 1 : shape[last],
    step = last < 0 ? 0 : steps[last];
  let to = 0;
  const walk = (axis, from) => {
    if (axis >= last) {
      line(to, from, count, step);
      to += count;
    } else for (let i = 0; i < shape[axis]; i++) walk(axis + 1, from + i * steps[axis]);
  };
  if (product(shape)) walk(0, offset);
}

// What stands at these places.
function taken(data, shape, steps, offset = 0) {
  const out = new Float64Array(product(shape));
  lines(shape, steps, offset, (to, from, count, step) => {
    for (let i = 0; i < count; i++) out[to + i] = data[from + i * step];
  });
  return arrayOf(shape, out);
}

// Numbers put, or added, at these places of `out`.
function put(out, data, shape, steps, offset, add) {
  lines(shape, steps, offset, (to, from, count, step) => {
    if (add) for (let i = 0; i < count; i++) out[from + i * step] += data[to + i];
    else for (let i = 0; i < count; i++) out[from + i * step] = data[to + i];
  });
}

// An array as large as a shape, as NumPy broadcasts it.
function broadcast({ shape, data }, to) {
  if (shape.length === to.length && shape.every((size, axis) => size === to[axis])) return { shape, data };
  const own = strides(shape),
    lead = to.length - shape.length;
  if (shape.some((size, axis) => size !== 1 && size !== to[lead + axis])) throw new Error(`${shape} is not as ${to}`);
  return taken(
    data,
    to,
    to.map((_, axis) => (axis < lead || shape[axis - lead] === 1 ? 0 : own[axis - lead])),
  );
}

// Elementwise

// The most frequent ones; p and q are 1, or 0 for a number that stays.
const LOOPS = {
  add: (out, a, p, b, q) => {
    for (let i = 0; i < out.length; i++) out[i] = a[p * i] + b[q * i];
  },
  sub: (out, a, p, b, q) => {
    for (let i = 0; i < out.length; i++) out[i] = a[p * i] - b[q * i];
  },
  mul: (out, a, p, b, q) => {
    for (let i = 0; i < out.length; i++) out[i] = a[p * i] * b[q * i];
  },
  div: (out, a, p, b, q) => {
    for (let i = 0; i < out.length; i++) out[i] = a[p * i] / b[q * i];
  },
  maximum: (out, a, p, b, q) => {
    for (let i = 0; i < out.length; i++) {
      const [x, y] = [a[p * i], b[q * i]];
      out[i] = x > y || Number.isNaN(x) ? x : y;
    }
  },
  pow: (out, a, p, b, q) => {
    if (!q && b[0] === 2) for (let i = 0; i < out.length; i++) out[i] = a[p * i] * a[p * i];
    else for (let i = 0; i < out.length; i++) out[i] = a[p * i] ** b[q * i];
  },
};

function elementwise(op, args) {
  const { of } = FUNCTIONS[op],
    arrays = args.filter(isArray);
  if (!arrays.length) return of(...args);
  const rank = Math.max(...arrays.map(({ shape }) => shape.length)),
    shape = Array.from({ length: rank }, (_, axis) =>
      arrays.reduce(
        (size, { shape }) =>
          (shape[axis - rank + shape.length] ?? 1) === 1 ? size : shape[axis - rank + shape.length],
        1,
      ),
    );
  const out = new Float64Array(product(shape)),
    data = args.map((arg) => (!isArray(arg) ? [arg] : arg.data.length === 1 ? arg.data : broadcast(arg, shape).data)),
    [p, q, r] = data.map((numbers) => (numbers.length === 1 ? 0 : 1)),
    [a, b, c] = data;
  if (LOOPS[op]) LOOPS[op](out, a, p, b, q);
  else if (!b) for (let i = 0; i < out.length; i++) out[i] = of(a[p * i]);
  else if (!c) for (let i = 0; i < out.length; i++) out[i] = of(a[p * i], b[q * i]);
  else for (let i = 0; i < out.length; i++) out[i] = of(a[p * i], b[q * i], c[r * i]);
  return arrayOf(shape, out);
}

// Sums

function reduced(x, { axis, keepdims }, start, join, end = (total) => total) {
  const all = axis === undefined || axis === null,
    at = all ? 0 : (axis + x.shape.length) % x.shape.length,
    before = all ? 1 : product(x.shape.slice(0, at)),
    size = all ? x.data.length : x.shape[at],
    after = all ? 1 : product(x.shape.slice(at + 1)),
    out = new Float64Array(before * after).fill(start);
  for (let i = 0; i < before; i++)
    for (let k = 0; k < size; k++)
      for (let j = 0, from = (i * size + k) * after, to = i * after; j < after; j++, from++, to++)
        out[to] = join(out[to], x.data[from]);
  for (let i = 0; i < out.length; i++) out[i] = end(out[i], size);
  const one = keepdims ? [1] : [];
  return arrayOf(all ? x.shape.flatMap(() => one) : [...x.shape.slice(0, at), ...one, ...x.shape.slice(at + 1)], out);
}

const plus = (a, b) => a + b;

// Matrix products

// A B, Aᵀ B or A Bᵀ of whatever NumPy takes: rows, columns, and a matrix for each example.
function matmul(a, b, turnedA = false, turnedB = false) {
  if (turnedA && turnedB) return matmul(a, OPERATORS.T(b), true);
  if (a.shape.length === 1) return squeezed(matmul(arrayOf([1, ...a.shape], a.data), b, false, turnedB), -2);
  if (b.shape.length === 1) return squeezed(matmul(a, arrayOf([...b.shape, 1], b.data), turnedA), -1);
  const size = ({ shape }, turned) => (turned ? swapped(shape) : shape).slice(-2),
    [n, inner] = size(a, turnedA),
    [rows, m] = size(b, turnedB),
    lead = (a.shape.length >= b.shape.length ? a : b).shape.slice(0, -2),
    [p, q] = [a, b].map(({ data }, i) => (data.length === inner * [n, m][i] ? 0 : inner * [n, m][i])), // from one to the next
    out = new Float64Array(product(lead) * n * m);
  if (inner !== rows) throw new Error(`${a.shape} and ${b.shape} make no product`);
  for (let i = 0; i < product(lead); i++)
    product2(out, i * n * m, a.data, i * p, b.data, i * q, n, inner, m, turnedA, turnedB);
  return arrayOf([...lead, n, m], out);
}

function squeezed({ shape, data }, axis) {
  return arrayOf(shape.toSpliced(axis, 1), data);
}

// A row of b that is multiplied by 0 is left out where all of b is finite, as it is with digits and with ReLU mostly.
function product2(out, o, a, p, b, q, n, inner, m, turnedA, turnedB) {
  let zero = 0;
  for (let i = q; i < q + inner * m; i++) zero += 0 * b[i];
  for (let i = 0; i < n; i++) {
    for (let k = 0; k < (turnedB ? m : inner); k++) {
      if (turnedB) {
        let total = 0;
        for (let j = 0, s = p + i * inner, t = q + k * inner; j < inner; j++) total += a[s + j] * b[t + j];
        out[o + i * m + k] = total;
      } else {
        const weight = a[turnedA ? p + k * n + i : p + i * inner + k];
        if (weight === zero) continue; // never, if that is NaN
        for (let j = 0, s = o + i * m, t = q + k * m; j < m; j++) out[s + j] += weight * b[t + j];
      }
    }
  }
}
