"use strict";
// The page: shows one step of the trace at a time, and walks through them.

let trace, tensors; // unpacked at the end of this file
const PHASES = {
  forward: "Forward",
  loss: "Loss",
  backward: "Backward",
  update: "Update",
  positive: "Positive phase",
  negative: "Negative phase",
  direction: "Direction", // of a Boltzmann machine
};
let current = -1; // the step that is shown, from 0
let maps = new Map(); // the heat maps that are shown, by the id of their array
let diagram;

// Making elements. Text goes in as text, never as markup: only formulas and code, which Python wrote, are markup.

// tag: with its classes, "p.note"; then its attributes, if there are any, and what is in it.
function make(tag, ...parts) {
  const [name, ...classes] = tag.split("."),
    made = filled(document.createElement(name), parts);
  made.classList.add(...classes);
  return made;
}

const draw = (tag, ...parts) => filled(document.createElementNS("http://www.w3.org/2000/svg", tag), parts);

function filled(element, parts) {
  const attributes = parts[0]?.constructor === Object ? parts.shift() : {};
  for (const [name, value] of Object.entries(attributes)) if (value !== undefined) element.setAttribute(name, value);
  element.append(...parts);
  return element;
}

function button(text, press, attributes = {}) {
  const made = make("button", { type: "button", ...attributes }, text);
  made.addEventListener("click", press);
  return made;
}

const markup = (tag, html) => Object.assign(make(tag), { innerHTML: html });
const byId = (id) => document.getElementById(id);

// The line beside the pointer, and the voice of a screen reader

function showTip(text, x, y, picture = "") {
  const tip = byId("tip");
  tip.replaceChildren(text, picture);
  tip.hidden = false;
  const { width, height } = tip.getBoundingClientRect();
  tip.style.left = `${Math.max(4, Math.min(x + 14, document.documentElement.clientWidth - width - 6))}px`;
  tip.style.top = `${scrollY + (y + 18 + height > innerHeight ? y - height - 10 : y + 16)}px`; // it scrolls with the page
}

function hideTip() {
  byId("tip").hidden = true;
}

let saying;
function say(text) {
  clearTimeout(saying);
  saying = setTimeout(() => (byId("live").textContent = text), 250);
}

// A sentence with [words](page.md#place) in it: links where the book is around, in which the study pages have a folder of their own.
function linked(text) {
  const inBook = location.pathname.includes("/_static/study/");
  return text.split(/\[([^\]]+)\]\(([^)]+)\)/).map((part, i, all) => {
    if (i % 3 === 2) return "";
    const href = `../../${all[i + 1]?.replace(/\.(md|py)/, ".html")}`;
    return i % 3 && inBook ? make("a", { href, target: "_top" }, part) : part;
  });
}

// One step

// jump: whether the browser's way back leads to where one was.
function show(number, { announce = true, jump = false } = {}) {
  number = Math.max(0, Math.min(trace.steps.length - 1, number));
  if (number === current) return;
  current = number;
  const step = trace.steps[number];
  hideTip();
  byId("step").dataset.phase = step.phase;
  byId("where").replaceChildren(make("b", PHASES[step.phase]), ` · ${step.where}`);
  byId("about").replaceChildren(step.about, " ", ...linked(step.because));
  const text = step.spoken.slice(0, -step.where.length - 2);
  Object.assign(byId("formula"), {
    ariaLabel: text,
    ...(window.MathMLElement ? { innerHTML: step.formula } : { textContent: text }),
  });
  document.title = `${number + 1} · ${text.split(/ [=←~] /)[0]} · ${document.querySelector("h1").textContent}`;
  showTensors(step);
  showCheck(step);
  showSource(step);
  showFacts(step);
  showPlace(number, step);
  diagram.show(number);
  const spoken = `Step ${number + 1} of ${trace.steps.length}, ${PHASES[step.phase].toLowerCase()}: ${step.spoken}`;
  if (announce) say(spoken);
  if (!run || ready()) remember(jump);
}

// What is shown, in the address, so that it can be shared.
function remember(jump) {
  if (location.protocol === "about:") return; // within a notebook a page has no address of its own
  const done = log.length ? `&do=${encodeURIComponent(log.map(inAddress).join(";"))}` : "",
    pinned = maps.get(trace.steps[current].result).pin,
    at = pinned === undefined ? "" : `&at=${tensors[trace.steps[current].result].index(pinned).join(",")}`;
  history[jump ? "pushState" : "replaceState"](null, "", `#step=${current + 1}${at}${done}`);
}

function showPlace(number, step) {
  const { length } = trace.steps,
    ariaValueText = `Step ${number + 1} of ${length}, ${step.phase}: ${step.spoken}`;
  Object.assign(byId("slider"), { max: length, value: number + 1, ariaValueText });
  byId("count").textContent = `${number + 1} / ${length}`;
  byId("previous").ariaDisabled = number === 0; // a button that is disabled would lose the focus
  byId("next").ariaDisabled = number === length - 1;
  const spans = [...byId("phases").children],
    tight = (span) => span.scrollWidth > span.clientWidth;
  for (const span of spans) {
    span.className = span.dataset.phase === step.phase ? "current" : "";
    span.textContent = PHASES[span.dataset.phase];
  }
  const narrow = tight(spans.find(({ className }) => className)); // then its word alone, beyond its bar
  for (const span of spans) if (!span.className && (narrow || tight(span))) span.textContent = "";
}

// The whole page

function setTheme(theme) {
  document.documentElement.dataset.theme = theme;
  const button = byId("theme");
  button.textContent = theme === "dark" ? "Light" : "Dark";
  button.setAttribute("aria-label", `Switch to ${theme === "dark" ? "light" : "dark"} colours`);
  redraw();
}

const redraw = () => maps.forEach((map) => map.draw());

function fromAddress() {
  const found = /step=(\d+)/.exec(location.hash || document.documentElement.dataset.anchor);
  return found ? Number(found[1]) - 1 : undefined;
}

// To the step of a box in the map, and of what is given to the picture of it.
function jumpTo({ step, id, made }) {
  show(step, { jump: true });
  if (!made) maps.get(id)?.element.focus();
}

// The number that the address names is chosen.
function pickAddressed() {
  const { result, recipe } = trace.steps[current],
    at = new URLSearchParams(location.hash.slice(1)).get("at"),
    flat = at ? tensors[result].flat(at.split(",").map(Number)) : undefined;
  if (!recipe || !(flat >= 0 && flat < tensors[result].size)) return;
  maps.get(result).pin = flat;
  pickCell(trace.steps[current], flat);
}

function start() {
  const dark = matchMedia("(prefers-color-scheme: dark)");
  setTheme(dark.matches ? "dark" : "light");
  dark.addEventListener("change", () => setTheme(dark.matches ? "dark" : "light"));
  byId("theme").addEventListener("click", () => setTheme(darkNow() ? "light" : "dark"));
  const asked = new URLSearchParams(location.search),
    embedded = parent !== window || asked.has("embed"); // within a chapter: the step alone, in its colours
  document.querySelector(".top").classList.toggle("unseen", embedded); // its heading can be heard
  if (asked.has("draw")) {
    document.documentElement.dataset.view = "draw"; // the pad alone
    byId("laboratory").role = "main";
  }
  let before; // the theme before it is printed
  addEventListener("beforeprint", () => ((before = document.documentElement.dataset.theme), setTheme("light")));
  addEventListener("afterprint", () => setTheme(before));
  addEventListener("message", ({ data }) => ["light", "dark"].includes(data?.theme) && setTheme(data.theme));
  for (const part of document.querySelectorAll("nav, main, .transport")) part.hidden = false;
  diagram = new Diagram(byId("diagram"), trace, jumpTo);
  byId("fold").open = !embedded && innerHeight >= 1000 && innerWidth >= 600; // on a small screen the step itself comes first
  byId("fold").addEventListener("toggle", () => {
    if (current >= 0) diagram.show(current);
    if (!run || ready()) diagram.weigh();
  });
  for (const [phase, count] of countBy(trace.steps, (step) => step.phase))
    byId("phases").append(make("span", { "data-phase": phase, style: `flex: ${count} 1 0` }));
  byId("previous").addEventListener("click", () => show(current - 1));
  byId("one-scale").addEventListener("change", redraw);
  byId("next").addEventListener("click", () => show(current + 1));
  byId("slider").addEventListener("input", (event) => show(Number(event.target.value) - 1));
  addEventListener("hashchange", () => {
    show(fromAddress() ?? current);
    pickAddressed();
    if (ready()) recall(new URLSearchParams(location.hash.slice(1)).get("do") ?? "");
  });
  addEventListener("keydown", walk);
  let width = innerWidth;
  addEventListener("resize", () => {
    if (innerWidth === width) return; // a phone's address bar comes and goes
    width = innerWidth;
    fitRow();
  });
  openLaboratory();
  show(fromAddress() ?? 0, { announce: false });
  pickAddressed();
  byId("waiting").remove();
}

function walk(event) {
  if (event.altKey || event.ctrlKey || event.metaKey || event.target.closest?.("input[type=text]")) return;
  const always = { PageDown: current + 1, PageUp: current - 1, ".": current + 1, ",": current - 1 },
    arrows = { ArrowRight: current + 1, ArrowLeft: current - 1, Home: 0, End: trace.steps.length - 1 },
    elsewhere = event.target.closest?.("input, .map, pre, .numbers, summary"); // where arrows have a meaning of their own
  const to = always[event.key] ?? (elsewhere ? undefined : arrows[event.key]);
  if (to === undefined) return;
  event.preventDefault();
  show(to);
}

// The data of the page: JSON, compressed by gzip, which also tells whether it is whole.
async function unpackedText(text) {
  const bytes = Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0)),
    stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"));
  return JSON.parse(await new Response(stream).text());
}

async function begin() {
  try {
    if (!window.DecompressionStream) throw new Error("this browser is too old to unpack them");
    trace = await unpackedText(byId("trace").textContent);
    tensors = Object.fromEntries(Object.entries(trace.tensors).map(([id, record]) => [id, new Tensor(id, record)]));
    start();
  } catch (error) {
    for (const part of document.querySelectorAll("nav, main, .transport, #laboratory")) part.hidden = true;
    const text = `The numbers of this page cannot be read (${error.message}). Write it again, scratchae study … --html FILE, or take another browser.`;
    byId("waiting")?.replaceChildren(make("span.bad", text));
  }
  document.documentElement.dataset.ready = "";
}

begin();
