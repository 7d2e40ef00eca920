"""The README's pictures of the study pages: `python tutorials/images/make_study.py [NAME …]` writes NAME.png beside this file.

Needs the extra `browser` and an installed Chromium.
"""

import shutil
import sys
import tempfile
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

from scratchae.cli import main

IMAGES = Path(__file__).parent


def look(page: Page) -> None:
    """Change nothing."""


def edit(page: Page) -> None:
    """Write another weight into the second operand."""
    picture = page.locator("#operands .tensor:nth-of-type(2) .map")
    box = picture.bounding_box()
    picture.click(position={"x": box["width"] * 0.75, "y": box["height"] * 0.15})
    page.fill(".editor input", "0.6")


def predict(page: Page) -> None:
    """Forget the bias in a number that is asked for."""
    page.click("#ask")
    page.fill("#question input", "0.15*0.05 + 0.2*0.1 - 0.1*0.9")
    page.keyboard.press("Enter")


def draw(page: Page) -> None:
    """Draw a 3, and train 40 updates."""
    page.click("#own")
    box = page.locator("#paper").bounding_box()
    pen = [(50, 60), (100, 30), (140, 60), (100, 100), (140, 140), (100, 170), (50, 150)]  # fmt: skip
    page.mouse.move(box["x"] + pen[0][0], box["y"] + pen[0][1])
    page.mouse.down()
    for x, y in pen:
        page.mouse.move(box["x"] + x, box["y"] + y, steps=4)
    page.mouse.up()
    for _ in range(40):
        page.click("#take")


# name: preset, the array that is being made, colours, height, what is done before the picture is taken
PICTURES = {
    "study-conv": ("conv", "a₁", "light", 1160, look),
    "study-edit": ("tiny", "a₁", "light", 1040, edit),
    "study-predict": ("tiny", "a₁", "light", 860, predict),
    "study-draw": ("deep", "y₆", "light", 860, draw),
}


def make(folder: Path, names: list[str]) -> None:
    """Write the pages into a folder, and a picture of a step of each to IMAGES."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome")
        )
        for name in names:
            preset, symbol, colours, height, act = PICTURES[name]
            path = folder / f"{preset}.html"
            main(["study", preset, "--html", str(path)])
            page = browser.new_page(
                viewport={"width": 1280, "height": height}, color_scheme=colours
            )
            page.goto(path.as_uri())
            page.wait_for_selector("#laboratory[data-state=open]")
            page.evaluate(
                "symbol => show(trace.steps.findIndex((step) => tensors[step.result].symbol === symbol))",
                symbol,
            )
            act(page)
            page.mouse.move(2, 2)
            page.evaluate("scrollTo(0, 0)")
            page.wait_for_timeout(500)  # until the map has scrolled to the step
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder), sys.argv[1:] or list(PICTURES))
