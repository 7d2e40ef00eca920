"""The README's pictures of what a model is for: `python tutorials/images/make_uses.py` writes uses-*.png beside this file.

It runs the commands of the README's section, one after the other in an empty folder, on scikit-learn's digits as image files
and its table of breast tumours, and takes the pictures that the commands have drawn. Needs the extra `test`.
"""

import contextlib
import csv
import os
import shlex
import sys
import tempfile
from pathlib import Path

import numpy as np
from PIL import Image
from sklearn.datasets import load_breast_cancer, load_digits

from scratchae.cli import main

IMAGES = Path(__file__).resolve().parent
SECTION = "## Your own data, and what a model is for"
WIDTH, COLOURS = 640, 256
PICTURES = {
    "uses-images": "runs/photos/reconstruct/reconstruct.png",
    "uses-table": "runs/rows/embed/embed.png",
    "uses-unusual": "runs/usual/score/score.png",
    "uses-compress": "runs/digits/compress/compress.png",
    "uses-search": "searches/table-rows/trials.png",
}


def commands():
    """The arguments of the commands in the README's section, in order."""
    readme = (IMAGES.parents[1] / "README.md").read_text(encoding="utf-8")
    section = readme.partition(f"{SECTION}\n")[2].partition("\n## ")[0]
    lines = [line.strip() for line in section.splitlines() if line.startswith("    ")]
    return [shlex.split(line.partition("bin/scratchae ")[2]) for line in lines]


def write_photos(folder):
    """1,797 digits of 8×8 as PNG files, in a subfolder for each class."""
    digits = load_digits()
    for i, (image, label) in enumerate(zip(digits.images, digits.target, strict=True)):
        path = folder / str(label) / f"{i:04}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(np.rint(image / 16 * 255).astype(np.uint8)).save(path)


def write_tables(folder):
    """rows.csv: all 569 tumours, 30 measurements each; usual.csv: 257 benign ones; new.csv: the other 312 of both kinds."""
    tumours = load_breast_cancer()
    names = [name.replace(" ", "_") for name in tumours.feature_names] + ["kind"]
    kinds = tumours.target_names[tumours.target]
    benign = np.flatnonzero(kinds == "benign")[100:]
    usual = np.isin(np.arange(len(kinds)), benign)
    tables = {"rows": np.ones_like(usual), "usual": usual, "new": ~usual}
    for name, chosen in tables.items():
        with open(folder / f"{name}.csv", "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(names)
            for row, kind in zip(tumours.data[chosen], kinds[chosen], strict=True):
                writer.writerow([*row.tolist(), kind])


def make(folder):
    """Run the commands in a folder, and write small copies of their pictures to IMAGES."""
    write_photos(folder / "photos")
    write_tables(folder)
    with contextlib.chdir(folder):
        for arguments in commands():
            print("$ scratchae", *arguments, flush=True)
            if main(arguments):
                sys.exit(f"failed: {' '.join(arguments)}")
    for name, place in PICTURES.items():
        picture = Image.open(folder / place).convert("RGB")
        picture.thumbnail((WIDTH, WIDTH), Image.Resampling.LANCZOS)
        target = IMAGES / f"{name}.png"
        picture.quantize(COLOURS).save(target, optimize=True)
        print(f"{target}: {os.path.getsize(target) / 1000:.0f} kB")


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        make(Path(folder))
