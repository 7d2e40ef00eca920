"use strict";
// Predict, then reveal: a number is hidden, and asked for; a wrong answer is told by the mistake that leads to it.

let asked; // the place, in the result, of the number that is hidden

// Below the sum: the button that hides the number, or the question.
function question(step, flat) {
  if (asked === undefined) return button("Hide it, and predict", () => ask(step, flat), { id: "ask" });
  const field = make("input", {
      type: "text",
      size: 22,
      "aria-label": "Your number, or the arithmetic that gives it",
    }),
    answer = make("p.verdict", { role: "status" }),
    check = make("button", { type: "submit" }, "Check"),
    form = make(
      "form",
      { id: "question" },
      field,
      check,
      button("Show it", () => reveal(step)),
      answer,
    );
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const { value, error } = arithmetic(field.value);
    if (error) return answer.replaceChildren(error);
    const { variables, named } = placeOf(step, flat),
      right = tensors[step.result].values[flat];
    if (near(value, right)) return reveal(step, `✓ ${written(value)} is right.`);
    const found = mistakesFor(value, step, variables, named),
      why = found.length ? `It is what comes out if ${found.join("; or if ")}.` : "No typical mistake gives it.";
    answer.replaceChildren(make("span.bad", `${written(value)} is not it.`), ` ${why}`);
  });
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
  if (praise) byId("sum").append(make("p.verdict.good", { role: "status" }, praise));
  byId("ask").focus();
}

function showAsked(step, flat) {
  const map = maps.get(step.result);
  map.secret = asked;
  map.draw();
  pickCell(step, flat);
}
