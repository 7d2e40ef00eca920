"use strict";
// An array of the trace: its numbers, and how they are written.

class Tensor {
  // record: {symbol, mathml, shape, kept, type, unit, data, image}. `kept` names, axis by axis, which rows of a large
  // array are on this page (null: all); `data` is base64 of little-endian numbers, either exact ("f4", "f8") or
  // whole multiples of `unit` ("i2"); nothing where all are 0 ("zeros").
  constructor(id, record) {
    Object.assign(this, record, { id, record });
    this.grid = this.shape.map((size, axis) => this.kept?.[axis]?.length ?? size);
    this.size = product(this.grid);
    this.steps = strides(this.grid);
    this.place = this.shape.map(
      (_, axis) => this.kept?.[axis] && new Map(this.kept[axis].map((from, to) => [from, to])),
    );
  }

  get whole() {
    return this.size === product(this.shape);
  }

  // The numbers: in a laboratory those of the run that is shown; NaN where it fails, which the laboratory says by itself.
  get values() {
    if (!run || this.id.startsWith("numeric ")) return this.given;
    try {
      const numbers = run.get(this.id);
      return compared ? numbers.map((number, i) => number - pinned.get(this.id)[i]) : numbers;
    } catch {
      return new Float64Array(this.size).fill(NaN);
    }
  }

  // The library's, decoded when they are first asked for.
  get given() {
    return (this.decoded ??= this.decode());
  }

  decode() {
    if (this.type === "zeros") return new Float64Array(this.size);
    const bytes = Uint8Array.from(atob(this.data), (letter) => letter.charCodeAt(0)).buffer,
      numbers = new { f8: Float64Array, f4: Float32Array, i2: Int16Array }[this.type](bytes);
    if (numbers.length !== this.size) throw new Error(`${this.symbol} has ${numbers.length} numbers, not ${this.size}`);
    return this.type === "i2" ? Float64Array.from(numbers, (n) => n * this.unit) : numbers;
  }

  // What the scale of its picture depends on: while numbers change it only grows, so that colours do not jump.
  renew() {
    const before = this.top ?? 0;
    this.top = undefined;
    this.top = Math.max(before, this.largest);
    this.signed ||= this.values.some((value) => value < 0);
  }

  forget() {
    this.top = undefined;
    this.signed = this.record.signed;
  }

  get largest() {
    return (this.top ??= this.values.reduce(
      (top, value) => (Number.isFinite(value) ? Math.max(top, Math.abs(value)) : top),
      0,
    ));
  }

  // The number at an index of the whole array; undefined where this page does not hold it.
  at(index) {
    const flat = this.flat(index);
    return flat === undefined ? undefined : this.values[flat];
  }

  // Where an index of the whole array lies in `values`.
  flat(index) {
    let flat = 0;
    for (let axis = 0; axis < this.grid.length; axis++) {
      const place = this.place[axis] ? this.place[axis].get(index[axis]) : index[axis];
      if (place === undefined) return undefined;
      flat += place * this.steps[axis];
    }
    return flat;
  }

  // The index, in the whole array, of a place in `values`.
  index(flat) {
    return this.steps.map((step, axis) => {
      const place = Math.floor(flat / step) % this.grid[axis];
      return this.kept?.[axis] ? this.kept[axis][place] : place;
    });
  }

  named(index) {
    return index.length ? `${this.symbol}[${index.join(", ")}]` : this.symbol;
  }
}

const product = (numbers) => numbers.reduce((all, n) => all * n, 1);

// How far apart neighbours along each axis are, in C order.
const strides = (shape) => shape.map((_, axis) => product(shape.slice(axis + 1)));

const shapeText = (shape) => (shape.length === 0 ? "one number" : shape.join(" × "));

// A number as people read it: five digits, no trailing zeros, a real minus sign.
function written(value, digits = 5) {
  if (value === undefined) return "?";
  if (Number.isNaN(value)) return "not a number";
  if (!Number.isFinite(value)) return value > 0 ? "∞" : "−∞";
  if (value === 0) return "0";
  const size = Math.abs(value);
  if (size >= 1e-4 && size < 1e7)
    return signed(String(Number(value.toPrecision(Math.max(digits, Number.isInteger(value) ? 7 : 0)))));
  const [mantissa, exponent] = value.toExponential(Math.min(digits, 4) - 1).split("e");
  return signed(`${Number(mantissa)}·10${superscript(Number(exponent))}`);
}

const signed = (text) => text.replace("-", "−");
const superscript = (n) => String(n).replace(/./g, (c) => "⁰¹²³⁴⁵⁶⁷⁸⁹"[c] ?? "⁻");
const grouped = (n) => String(n).replace(/\B(?=(\d{3})+$)/g, ",");
