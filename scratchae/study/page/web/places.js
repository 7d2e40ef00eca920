"use strict";
// The places of numbers in arrays, in recipes: as numbers, and as they are written while the variables of a sum run.

function place(index, variables) {
  if (typeof index === "number") return index;
  if (typeof index === "string") return variables[index];
  const [operator, left, right] = index,
    a = place(left, variables),
    b = place(right, variables);
  if (operator === "+") return a + b;
  if (operator === "-") return a - b;
  if (operator === "*") return a * b;
  const down = Math.floor(a / b);
  return operator === "//" ? down : a - down * b;
}

const holds = ([kind, index, number], variables) => {
  const at = place(index, variables);
  return kind === "in" ? at >= 0 && at < number : place(["%", at, number], {}) === 0;
};

// An index as it is written while some of its variables run: with i0 = 3, ["+", ["*", "i0", 2], "k0"] is 6+i. It is kept as
// number + Σ worth · letter, where a letter is at most `most`. So ⌊(9i + 3j + 2) / 9⌋ is i, if j is at most 2; and a variable
// that counts through several axes at once has a letter for each of them, for ⌊k / 9⌋, ⌊k / 3⌋ mod 3 and k mod 3.
function form(index, variables, letters) {
  if (typeof index === "number") return { number: index, parts: [] };
  if (typeof index === "string") {
    if (index in variables) return { number: variables[index], parts: [] };
    const part = { worth: 1, name: index, by: 1, most: letters.sizes[index] - 1 };
    Object.defineProperty(part, "text", { get: () => letters(index, 1), enumerable: true }); // a letter is given when it is written
    return { number: 0, parts: [part] };
  }
  const [operator, left, right] = index,
    a = form(left, variables, letters);
  const b = form(right, variables, letters);
  if (operator === "+") return { number: a.number + b.number, parts: [...a.parts, ...b.parts] };
  if (operator === "*")
    return { number: a.number * b.number, parts: a.parts.map((part) => ({ ...part, worth: part.worth * b.number })) };
  return divided(operator, a, b.number, letters);
}

// ⌊form / by⌋ or form mod by.
function divided(operator, { number, parts }, by, letters) {
  const quotient = operator === "//",
    rest = parts.filter((part) => part.worth % by),
    left = place(["%", number, by], {});
  const whole = parts.filter((part) => part.worth % by === 0).map((part) => ({ ...part, worth: part.worth / by }));
  if (rest.every((part) => part.worth > 0) && rest.reduce((sum, { worth, most }) => sum + worth * most, left) < by) {
    return quotient ? { number: Math.floor(number / by), parts: whole } : { number: left, parts: rest };
  }
  const [part] = parts,
    alone = parts.length === 1 && number === 0 && part.worth === 1 && part.name,
    one = (text, most, more) => ({ number: 0, parts: [{ worth: 1, text, most, ...more }] });
  if (alone) {
    const further = { name: part.name, by: part.by * by };
    if (!quotient) return one(letters(part.name, part.by), by - 1);
    return one(letters(further.name, further.by), Math.floor(part.most / by), further);
  }
  const text = formText({ number, parts });
  return quotient ? one(`⌊(${text})/${by}⌋`, Infinity) : one(`((${text}) mod ${by})`, by - 1);
}

function formText({ number, parts }) {
  const known = parts
    .map(({ worth, text }) => `${worth < 0 ? "−" : "+"}${Math.abs(worth) === 1 ? "" : Math.abs(worth)}${text}`)
    .join("");
  if (!known) return signed(String(number));
  if (number > 0) return `${number}${known}`;
  return known.replace(/^\+/, "") + (number < 0 ? `−${-number}` : "");
}

const placeText = (index, variables, letters) => formText(form(index, variables, letters));

// Letters for the variables of sums, i, j, k …, in the order that they are met; one for each axis that a variable counts
// through, by how much the variable grows from one place on that axis to the next.
function letterer() {
  const known = new Map();
  const letter = (name, by) => {
    const key = `${name} ${by}`;
    if (!known.has(key)) known.set(key, { name, by, letter: "ijklmpqrst"[known.size] ?? name });
    return known.get(key).letter;
  };
  letter.sizes = {}; // of the variables
  letter.of = (name) =>
    [...known.values()]
      .filter((one) => one.name === name)
      .sort((a, b) => b.by - a.by)
      .map(({ letter }) => letter);
  return letter;
}
