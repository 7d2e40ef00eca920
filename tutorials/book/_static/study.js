"use strict";
// Study pages within the book have its colours: they are told which, at first and whenever these change.

const dark = matchMedia("(prefers-color-scheme: dark)");

function hand(frame) {
  const { theme } = document.body.dataset,
    now = theme === "light" || theme === "dark" ? theme : dark.matches ? "dark" : "light";
  frame.contentWindow?.postMessage({ theme: now }, "*");
}

addEventListener("DOMContentLoaded", () => {
  const frames = document.querySelectorAll(".study-page iframe"),
    all = () => frames.forEach(hand);
  for (const frame of frames) frame.addEventListener("load", () => hand(frame));
  new MutationObserver(all).observe(document.body, { attributeFilter: ["data-theme"] });
  dark.addEventListener("change", all);
  all(); // what was loaded before
});
