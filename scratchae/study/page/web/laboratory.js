"use strict";
// The laboratory: the page computes the step by itself, says at first whether it comes to what the library has computed, and
// then lets the reader change numbers. What was done stands in a log, by which it can be shared and taken back.

let run; // the numbers that are shown; undefined where there is no laboratory
let library; // those of the library, which nobody changes
let log = []; // {set: id, flat, value}, {turn: name, value}, {go: times, fresh}, {draw: true} or {paint: pixels}, in order
let yours; // run B, which the reader changes
let pinned; // run A, if there is one: it takes the same steps, and nothing else is changed in it
let compared = false; // whether B − A is shown
const SLICE = 8; // milliseconds of work before the browser may draw
const LOSS = "loss";

function openLaboratory() {
  byId("laboratory").hidden = false;
  const { shut } = trace.laboratory;
  if (shut) return void ((byId("agreement").textContent = shut), diagram.weigh());
  [run, library] = [newRun(), newRun()];
  yours = run;
  setTimeout(compare, 0, 0);
}

const newRun = () => new Run(trace, (id) => tensors[id].given);

// Compute the steps from one on, and compare each with the library's.
function compare(number) {
  const until = performance.now() + SLICE,
    { steps } = trace;
  for (; number < steps.length && performance.now() < until; number++) {
    const step = steps[number],
      where = `step ${number + 1}, ${tensors[step.result].symbol}`;
    try {
      if (step.tree && differs(library, step)) throw new Error("it comes to other numbers than the library");
    } catch ({ message }) {
      return closeLaboratory(`At ${where}: ${message}.`);
    }
  }
  if (number < steps.length) {
    byId("agreement").textContent = `Computing the step again: ${number} of ${steps.length} …`;
    return setTimeout(compare, 0, number);
  }
  byId("laboratory").dataset.state = "open";
  byId("controls").hidden = false;
  run.made = new Map(library.made); // arrays are never changed
  openControls();
  diagram.weigh();
  recall(new URLSearchParams(location.hash.slice(1)).get("do") ?? "");
}

// Say loudly that the page is not to be trusted.
function closeLaboratory(why) {
  byId("laboratory").dataset.state = "shut";
  byId("agreement").replaceChildren(
    make("strong.bad", "✗ Do not trust this page."),
    ` ${why} It was changed, cut, or made by another version: write it again, scratchae study … --html FILE. Nothing can be changed here.`,
  );
}

const ready = () => byId("laboratory").dataset.state === "open";

// What the reader does: a line in the log; one like the last takes its place.
function act(entry) {
  const last = log.at(-1);
  if (run !== yours || compared) see("B");
  apply(entry);
  if (pinned && entry.go) apply(entry, pinned);
  if (last && entry.go && last.go && last.fresh === entry.fresh) last.go += entry.go;
  else if (last && alike(last, entry)) log[log.length - 1] = entry;
  else log.push(entry);
  refresh();
}

const alike = (a, b) =>
  (a.set && a.set === b.set && a.flat === b.flat) || (a.turn && a.turn === b.turn) || (a.paint && b.paint);

function apply({ set, flat, turn, value, go, fresh, draw, paint }, of = run) {
  if (set) of.set(set, [value], flat);
  if (turn) of.turn(turn, value);
  if (draw) of.draw();
  if (paint) of.set("x", paint);
  for (let i = 0; i < go; i++) {
    of.advance();
    if (fresh) of.draw();
    of.losses[of.taken] = lossNow(of);
  }
}

// Keep the run as it is, as A, to compare with what is changed from now on.
function pin() {
  pinned = newRun();
  pinned.losses[0] = lossNow(pinned);
  for (const entry of log) apply(entry, pinned);
  pinned.losses = [...yours.losses];
  refresh();
}

// Show run A, run B, or their difference.
function see(view) {
  run = view === "A" ? pinned : yours;
  compared = view === "B − A";
  byId("view").value = view;
  for (const tensor of Object.values(tensors)) tensor.forget();
  refresh();
}

const lossNow = (of = run) => (tensors[LOSS] ? of.get(LOSS)[0] : NaN);

// Begin anew with the library's numbers, and do what a log says.
function again(entries) {
  [run, pinned, compared, log] = [yours, undefined, false, []];
  run.reset();
  for (const tensor of Object.values(tensors)) tensor.forget();
  run.losses[0] = lossNow();
  for (const entry of entries) (apply(entry), log.push(entry));
  refresh();
}

// Show what has changed.
function refresh() {
  run.losses[run.taken] = lossNow();
  if (!document.documentElement.dataset.view) refreshStep(trace.steps[current]); // else there is only the pad
  tell();
  showControls();
  showPad();
  remember();
}

function refreshStep(step) {
  if (byId("one-scale").checked) for (const tensor of gradients()) tensor.renew();
  for (const map of maps.values()) (map.tensor.renew(), map.draw());
  byId("cell").hidden = !step.recipe || compared;
  if (step.recipe) pickCell(step, maps.get(step.result).pin ?? moved(step.result, maps.get(step.result).chosen));
  showCheck(step);
  showFacts(step);
  diagram.change(run.taken ? new Set() : changed()); // after an update it would be all
  diagram.weigh();
}

// The number to look at: the one that was chosen, or if it stays as it was, the one that has moved most.
function moved(id, chosen) {
  const [here, there] = [run.get(id), library.get(id)];
  let best = chosen;
  if (here[chosen] === there[chosen])
    here.forEach((x, i) => Math.abs(x - there[i]) > Math.abs(here[best] - there[best]) && (best = i));
  return best;
}

// The ids of what is not the library's, and of what follows from that.
function changed() {
  const steps = trace.steps.filter(({ numbers }) => numbers && Object.keys(run.knobs).some((name) => name in numbers));
  return following([...run.own.keys(), ...steps.map(({ result }) => result)], trace.steps);
}

// Whose numbers these are.
function tell() {
  const { steps } = trace,
    left = steps.filter(({ tree, print }) => tree && !print).length,
    rest = left ? `; ${left} were not compared, being 0 but for rounding, or made of that` : "";
  byId("agreement").replaceChildren(
    log.length ? make("strong.yours", "Your numbers") : make("span.good", "✓"),
    log.length
      ? `: ${log.slice(-4).map(spoken).join(", ")}. `
      : ` All ${steps.length - left} steps, computed again here, agree with the library${rest}.`,
  );
  const loss = lossNow(),
    unfit = Number.isNaN(loss) ? tensors[LOSS] : !Number.isFinite(loss);
  byId("trouble").textContent = unfit ? trouble(loss) : "";
  if (unfit) pause();
}

// Where it is that the numbers leave what can be computed with.
function trouble(loss) {
  const bad = (id) => run.get(id).filter((x) => !Number.isFinite(x)).length,
    number = trace.steps.findIndex(({ tree, result }) => tree && bad(result)),
    { result } = trace.steps[number] ?? { result: LOSS };
  return `L is ${written(loss)}: ${bad(result)} of the ${run.get(result).length} numbers of ${tensors[result].symbol}, step ${number + 1}, are the first that are not finite. “Undo” takes your last change back.`;
}

// In words, and in the address

const named = (id, flat) => tensors[id].named(tensors[id].index(flat));

function spoken({ set, flat, turn, value, go, fresh, draw, paint }) {
  if (set) return `${named(set, flat)} = ${written(value)} (${written(library.get(set)[flat])} by the library)`;
  if (turn) return `${letterOf(turn)} = ${written(value)}`;
  if (draw) return "other noise";
  if (paint) return "a drawing";
  return `${go} update${go > 1 ? "s" : ""}${fresh ? " with new noise" : ""}`;
}

const letterOf = (name) => trace.steps.find(({ options }) => name in options)?.options[name] ?? name;

function inAddress({ set, flat, turn, value, go, fresh, paint }) {
  if (set) return `${set}[${tensors[set].index(flat).join(",")}]:${value}`;
  if (turn) return `${turn}=${value}`;
  if (paint) return `!${asHex(paint)}`;
  return go ? `${fresh ? "~" : ""}+${go}` : "~";
}

// Do what an address asks for; what it cannot mean is said.
function recall(text) {
  if (text === log.map(inAddress).join(";"))
    return void (log.length || ((run.losses[0] = lossNow()), tell(), showControls()));
  const entries = [],
    refused = [];
  for (const part of text.split(";").filter(Boolean)) {
    const entry = asEntry(part);
    if (entry) entries.push(entry);
    else refused.push(part);
  }
  again(entries);
  if (refused.length)
    byId("trouble").textContent =
      `The address asks for ${refused.join(", ")}, which this page does not have; that was left out.`;
}

function asEntry(part) {
  const [, id, index, number] = /^(.+)\[([\d,]*)\]:(.+)$/.exec(part) ?? [],
    [, name, setting] = /^(\w+)=(.+)$/.exec(part) ?? [],
    [, fresh, times] = /^(~?)[+ ](\d{1,4})$/.exec(part) ?? [];
  if (part === "~" && trace.steps.some(({ draws }) => draws)) return { draw: true };
  if (/^![0-9a-f]+$/.test(part) && part.length - 1 === product(pictureSize() ?? []))
    return { paint: fromHex(part.slice(1)) };
  if (times > 0) return { go: Number(times), fresh: Boolean(fresh) };
  if (name && knobs().includes(name) && "value" in parsed(setting)) return { turn: name, ...parsed(setting) };
  const place = index === "" ? [] : index?.split(",").map(Number),
    fits = place && tensors[id]?.shape.length === place.length && place.every((i, axis) => i < tensors[id].shape[axis]);
  if (!fits || !run.free(id) || !("value" in parsed(number))) return null;
  return { set: id, flat: tensors[id].flat(place), ...parsed(number) };
}

// What somebody wrote in a field: {value}, or {error}, a sentence.
function parsed(text) {
  const plain = text.trim().replace("−", "-");
  if (/^[-+]?(\d+\.?\d*|\.\d+)(e[-+]?\d+)?$/i.test(plain)) {
    const value = Number(plain);
    return Number.isFinite(value) ? { value } : { error: `${plain} is too large a number.` };
  }
  if (!plain) return { error: "Write a number, such as 0.5." };
  if (/^[-+]?\d*,\d+$/.test(plain))
    return { error: `“${plain}” is no number here: write ${plain.replace(",", ".")}, with a point.` };
  return { error: `“${plain}” is no number: write one, such as 0.5 or -2e-3.` };
}
