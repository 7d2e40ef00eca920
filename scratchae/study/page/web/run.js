"use strict";
// The numbers of a training step: the leaves, as the library had them or as the reader changed them, and all that follows from
// them, computed by the formulas when it is first asked for.

class Run {
  // trace: {tensors, steps, laboratory}; given(id) decodes a leaf.
  constructor(trace, given) {
    this.trace = trace;
    this.given = given;
    this.own = new Map(); // what is not the library's any more, by id
    this.made = new Map(); // what was computed, by id
    this.knobs = {}; // plain numbers that the reader sets, such as lr
    this.taken = 0; // updates
    this.losses = []; // the loss after so many of them
    this.random = seeded(1);
    this.maker = new Map(trace.steps.map((step, number) => [step.result, number]));
    this.loops = loopsOf(trace);
  }

  leaf(id) {
    return !this.trace.steps[this.maker.get(id)]?.tree;
  }

  // Whether it can be changed: what is given, and what the forward pass makes, which is then held, whatever comes before it.
  free(id) {
    const step = this.trace.steps[this.maker.get(id)];
    return this.leaf(id) || (step.phase === "forward" && !this.loops.some(({ steps }) => steps.includes(step)));
  }

  get held() {
    return [...this.own.keys()].some((id) => !this.leaf(id));
  }

  // The numbers of an array.
  get(id) {
    if (this.own.has(id)) return this.own.get(id);
    if (this.leaf(id)) return this.given(id);
    if (!this.made.has(id)) {
      const step = this.trace.steps[this.maker.get(id)],
        loop = this.loops.find(({ steps }) => steps.includes(step));
      this.round(loop ?? { steps: [step] });
    }
    return this.made.get(id);
  }

  // What a step's formula gives, of values(id).
  compute({ tree, names, numbers, result, phase }, values) {
    const { shape } = this.trace.tensors[result];
    const found = evaluate(tree, (name) =>
      name in names
        ? arrayOf(this.trace.tensors[names[name]].shape, values(names[name]))
        : this.plain(name, unpacked(numbers[name]), phase),
    );
    return broadcast(isArray(found) ? found : arrayOf([], Float64Array.of(found)), shape).data;
  }

  // A plain number of a step: as the reader has set it, and the count of updates as it has come to be.
  plain(name, value, phase) {
    if (name in this.knobs) return this.knobs[name];
    return name === "t" && phase === "update" ? value + this.taken : value;
  }

  // A step; or steps that speak of what they make, at an earlier or a later place of a sequence: once for each of its places.
  round({ steps, times }) {
    const values = new Map();
    if (times)
      for (const { result } of steps) values.set(result, new Float64Array(product(this.trace.tensors[result].shape)));
    const known = (id) => values.get(id) ?? this.get(id);
    for (let i = 0; i < (times ?? 1); i++) for (const step of steps) values.set(step.result, this.compute(step, known));
    for (const [id, data] of values) this.made.set(id, data);
  }

  forget(ids) {
    for (const id of following(ids, this.trace.steps)) this.made.delete(id);
  }

  // Put some numbers of an array, from a place on.
  set(id, values, from = 0) {
    if (!this.own.has(id)) this.own.set(id, Float64Array.from(this.get(id)));
    this.own.get(id).set(values, from);
    this.forget([id]);
  }

  // Set a plain number, such as lr.
  turn(name, value) {
    this.knobs[name] = value;
    this.forget(this.trace.steps.filter(({ numbers }) => numbers && name in numbers).map(({ result }) => result));
  }

  // Take the step: its results become the leaves of the next one.
  advance() {
    const next = Object.entries(this.trace.laboratory.carried).map(([id, made]) => [id, this.get(made)]);
    for (const [id, data] of next) this.own.set(id, data);
    this.taken++;
    this.made.clear();
  }

  // New noise, of normal() and of uniform() by the formulas' names for them.
  draw() {
    for (const { draws, result } of this.trace.steps) {
      if (draws) this.own.set(result, Float64Array.from(this.given(result), this.random[draws]));
    }
    this.made.clear();
  }

  reset() {
    this.own.clear();
    this.made.clear();
    this.knobs = {};
    this.taken = 0;
    this.losses = [];
    this.random = seeded(1);
  }

  // A value, if some numbers of an array were others: what lies between is computed anew, and kept by nobody. layer: the only one
  // that sees the change.
  without(value, id, data, layer) {
    const changed = new Map([[id, data]]);
    for (const step of this.trace.steps) {
      const sees = (name) => changed.has(name) && !(name === id && layer && step.layer !== layer);
      if (!step.tree || step.tree[0] === "sg" || step.derivative || !step.operands.some(sees)) continue;
      const values = (name) => (sees(name) ? changed.get(name) : this.get(name));
      changed.set(step.result, this.compute(step, values));
      if (step.result === value) break;
    }
    return changed.get(value)?.[0];
  }
}

// Plain numbers as JSON has them: "Infinity" for what it cannot hold.
const unpacked = (value) => (typeof value === "string" ? Number(value) : value);

// What comes back to itself within a stretch of steps of one layer and phase, at an earlier or a later place of a sequence.
function loopsOf({ steps, tensors }) {
  const found = [];
  for (let from = 0, to; from < steps.length; from = to) {
    const { layer, phase } = steps[from];
    for (to = from + 1; steps[to]?.layer === layer && steps[to].phase === phase;) to++;
    const stretch = layer ? steps.slice(from, to) : [],
      inside = stretch.filter((step) => following([step.result], stretch).again);
    if (inside.length)
      found.push({ steps: inside, times: Math.max(...inside.map(({ result }) => tensors[result].shape[1] ?? 1)) });
  }
  return found;
}

// The ids of all that follows from some arrays by some steps; `again` says whether one of these is made by what follows from them.
function following(ids, steps) {
  const found = new Set(ids);
  let again = false;
  for (let before = -1; before < found.size;) {
    before = found.size; // another round, for what is spoken of before it is made
    for (const { result, operands, tree } of steps) {
      if (!tree || !operands.some((id) => found.has(id))) continue;
      again ||= ids.includes(result);
      found.add(result);
    }
  }
  return Object.assign(found, { again });
}

// Does a run have what the library computed? The largest difference allowed is that of rounding: beside the largest number, or
// where all cancels, beside those it was made of.
function differs(run, step) {
  if (!step.print) return false; // nothing but rounding
  const data = run.get(step.result),
    [norm, ...some] = step.print.map(Number),
    largest = (numbers) => numbers.reduce((top, x) => (Math.abs(x) > top ? Math.abs(x) : top), 0),
    scale = Math.max(largest(data), 1e-4 * Math.max(0, ...step.operands.map((id) => largest(run.get(id))))) || 1,
    at = (i) => (data.length <= some.length ? i : Math.floor((i * (data.length - 1)) / (some.length - 1))),
    far = (a, b, scale) => !(Object.is(a, b) || a === b || Math.abs(a - b) <= 1e-9 * scale);
  const own = Math.sqrt(data.reduce((sum, x) => sum + x * x, 0));
  return far(own, norm, Math.max(norm, scale)) || some.some((number, i) => far(data[at(i)], number, scale));
}

// Random numbers of our own, the same at each visit: they are not those of NumPy. (mulberry32; Box and Muller 1958)
function seeded(seed) {
  const uniform = () => {
    seed = (seed + 0x6d2b79f5) | 0;
    let t = Math.imul(seed ^ (seed >>> 15), 1 | seed);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 4294967296;
  };
  return { uniform, normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()) };
}
