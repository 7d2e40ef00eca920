"use strict";
// The laboratory: the page computes the step by itself, and says at first whether it comes to what the library has computed.

let run; // the numbers that are shown; undefined where there is no laboratory
const SLICE = 8; // milliseconds of work before the browser may draw

function openLaboratory() {
  byId("laboratory").hidden = false;
  const { shut } = trace.laboratory;
  if (shut) return void (byId("agreement").textContent = shut);
  run = new Run(trace, (id) => tensors[id].given);
  setTimeout(compare, 0, 0);
}

// Compute the steps from one on, and compare each with the library's.
function compare(number) {
  const until = performance.now() + SLICE,
    { steps } = trace;
  for (; number < steps.length && performance.now() < until; number++) {
    const step = steps[number],
      where = `step ${number + 1}, ${tensors[step.result].symbol}`;
    try {
      if (step.tree && differs(run, step)) return closeLaboratory(`At ${where}, it comes to other numbers than the library.`);
    } catch (error) {
      if (error instanceof UnknownOperator)
        return closeLaboratory(`The formula of ${where} has the operator ${error.message}, which this page does not know.`);
      return closeLaboratory(`At ${where}, it cannot go on: ${error.message}.`);
    }
  }
  const left = steps.filter(({ tree, print }) => tree && !print).length,
    rest = left ? `; ${left} were not compared, being 0 but for rounding, or made of that` : "";
  byId("agreement").replaceChildren(
    ...(number < steps.length
      ? [`Computing the step again: ${number} of ${steps.length} …`]
      : [make("span", { class: "good" }, "✓"), ` All ${steps.length - left} steps, computed again here, agree with the library${rest}.`]),
  );
  if (number < steps.length) setTimeout(compare, 0, number);
  else byId("laboratory").dataset.state = "open";
}

// Say loudly that the page is not to be trusted.
function closeLaboratory(why) {
  byId("laboratory").dataset.state = "shut";
  byId("agreement").replaceChildren(
    make("strong", { class: "bad" }, "✗ Do not trust this page."),
    ` ${why} It was changed, cut, or made by another version: write it again, scratchae study … --html FILE. Nothing can be changed here.`,
  );
}
