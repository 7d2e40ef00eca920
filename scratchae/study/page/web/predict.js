"use strict";
// Predict, then reveal: a number is hidden, and asked for; a wrong answer is told by the mistake that leads to it.

let asked; // the place, in the result, of the number that is hidden

// Below the sum: the button that hides the number, or the question.
function question(step, flat) {
  if (asked === undefined) {
    const button = make("button", { type: "button", id: "ask" }, "Hide it, and predict");
    button.addEventListener("click", () => ask(step, flat));
    return button;
  }
  const field = make("input", {
      type: "text",
      size: 22,
      "aria-label": "Your number, or the arithmetic that gives it",
    }),
    answer = make("p", { class: "verdict", role: "status" }),
    show = make("button", { type: "button" }, "Show it"),
    form = make("form", { id: "question" }, field, make("button", { type: "submit" }, "Check"), show, answer);
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { value, error } = arithmetic(field.value);
    if (error) return answer.replaceChildren(error);
    const { variables, named } = placeOf(step, flat),
      right = tensors[step.result].values[flat];
    if (near(value, right)) return reveal(step, `✓ ${written(value)} is right.`);
    const found = mistakesFor(value, step, variables, named),
      why = found.length ? `It is what comes out if ${found.join("; or if ")}.` : "No typical mistake gives it.";
    answer.replaceChildren(make("span", { class: "bad" }, `${written(value)} is not it.`), ` ${why}`);
  });
  show.addEventListener("click", () => reveal(step));
  return form;
}

function ask(step, flat) {
  asked = flat;
  showAsked(step, flat);
  byId("sum").querySelector("input").focus();
}

function reveal(step, praise) {
  const flat = asked;
  asked = undefined;
  showAsked(step, flat);
  if (praise) byId("sum").append(make("p", { class: "verdict good", role: "status" }, praise));
  byId("ask").focus();
}

function showAsked(step, flat) {
  const map = maps.get(step.result);
  map.secret = asked;
  map.draw();
  pickCell(step, flat);
}
