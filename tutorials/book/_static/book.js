// What theme and extensions leave out for those who use a keyboard or hear the page.

addEventListener("DOMContentLoaded", () => {
  for (const caption of document.querySelectorAll(".caption[role=heading]")) caption.ariaLevel = 2;
  // the fold over code is named by the words that it shows
  for (const summary of document.querySelectorAll("summary[aria-label]")) summary.removeAttribute("aria-label");
});

// Whatever scrolls can be reached, and moved, with the keyboard.
const SCROLLS = "pre, .katex-display, .table-wrapper, .chapter-figure > div";
const reach = () => {
  for (const box of document.querySelectorAll(SCROLLS)) {
    if (box.scrollWidth > box.clientWidth) box.tabIndex = 0;
    else box.removeAttribute("tabindex");
  }
};
addEventListener("load", reach);
addEventListener("resize", reach);
