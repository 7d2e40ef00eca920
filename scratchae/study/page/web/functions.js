"use strict";
// Elementwise functions, one table for single numbers and for whole arrays: what they compute, how they are written, how tightly
// they bind.

const sigmoid = (x) => 1 / (1 + Math.exp(-x));
const truth = (yes) => (yes ? 1 : 0);

const FUNCTIONS = {
  add: { of: (a, b) => a + b, sign: " + ", rank: 1 },
  sub: { of: (a, b) => a - b, sign: " − ", rank: 1 },
  mul: { of: (a, b) => a * b, sign: " · ", rank: 2 },
  div: { of: (a, b) => a / b, sign: " / ", rank: 2 },
  lt: { of: (a, b) => truth(a < b), sign: " < ", rank: 0 },
  le: { of: (a, b) => truth(a <= b), sign: " ≤ ", rank: 0 },
  gt: { of: (a, b) => truth(a > b), sign: " > ", rank: 0 },
  ge: { of: (a, b) => truth(a >= b), sign: " ≥ ", rank: 0 },
  pow: { of: (a, b) => a ** b },
  neg: { of: (a) => -a },
  exp: { of: Math.exp, name: "exp" },
  log: { of: Math.log, name: "log" },
  sqrt: { of: Math.sqrt, name: "√" },
  abs: { of: Math.abs, name: "abs" },
  sign: { of: Math.sign, name: "sign" },
  tanh: { of: Math.tanh, name: "tanh" },
  sigmoid: { of: sigmoid, name: "σ" },
  softplus: { of: (x) => Math.max(x, 0) + Math.log1p(Math.exp(-Math.abs(x))), name: "softplus" },
  maximum: { of: Math.max, name: "max" },
  minimum: { of: Math.min, name: "min" },
  clip: { of: (x, low, high) => Math.min(Math.max(x, low), high), name: "clip" },
  where: { of: (yes, a, b) => (yes ? a : b) },
};
