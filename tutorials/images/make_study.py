"""The README's pictures of the study pages: `python tutorials/images/make_study.py` writes study-*.png beside this file.

Needs the extra `browser` and an installed Chromium.
"""

import shutil
import tempfile
from pathlib import Path

from playwright.sync_api import sync_playwright

from scratchae.cli import main

IMAGES = Path(__file__).parent
# name: preset, the array that is being made, colours
PICTURES = {
    "study-tiny": ("classic", "∂L/∂W₄", "light"),
    "study-conv": ("conv", "z₁", "light"),
    "study-vae": ("vae", "z", "dark"),
}


def make(folder):
    """Write the pages into a folder, and a picture of a step of each to IMAGES."""
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=shutil.which("chromium") or shutil.which("google-chrome")
        )
        for name, (preset, symbol, colours) in PICTURES.items():
            path = folder / f"{preset}.html"
            main(["study", preset, "--html", str(path)])
            page = browser.new_page(
                viewport={"width": 1280, "height": 1160}, color_scheme=colours
            )
            page.goto(path.as_uri())
            page.evaluate(
                "symbol => show(trace.steps.findIndex((step) => tensors[step.result].symbol === symbol))",
                symbol,
            )
            page.wait_for_timeout(500)  # until the map has scrolled to the step
            page.screenshot(path=IMAGES / f"{name}.png")
        browser.close()


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
