"""`scratchae data`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

from .types import size


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "data",
        help="download or verify MNIST and Fashion-MNIST, or see how your own data are understood",
        description="Download the original files of a dataset, verify files that you have, or show what a file or a folder of your own "
        "holds, how it will be scaled and split, and some of its examples in a picture.",
    )
    parser.add_argument("action", choices=("download", "verify", "show"))
    parser.add_argument(
        "name", metavar="NAME|FILE|FOLDER", help="mnist or fashion-mnist; to show, also strokes or your own"
    )
    parser.add_argument(
        "--data-dir",
        metavar="DIR",
        help="folder of the MNIST files (default: $SCRATCHAE_DATA, or the user's cache folder)",
    )
    parser.add_argument(
        "--label", metavar="COLUMN", help="show: the column of a table that holds the class of each row"
    )
    parser.add_argument(
        "--missing", choices=("mean",), help="show: let missing cells of a table be the mean of their column"
    )
    parser.add_argument("--size", type=size, metavar="N|HxW", help="show: fit images to this height and width")
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="show: seed of the split (default: 0)")
    parser.add_argument(
        "--out", metavar="FILE", help="show: the picture (default: NAME.png in the current folder, a new name)"
    )
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    return show(options) if options.action == "show" else originals(options)


def originals(options: argparse.Namespace) -> tuple[int, Any]:
    """Download or verify the files of MNIST or Fashion-MNIST."""
    from ..arguments import choice
    from ..data import mnist

    choice(f"data {options.action}", "name", options.name, tuple(mnist.FILES))
    folder = mnist.given_folder(options.name, options.data_dir) or mnist.cache_folder(options.name)
    if options.action == "download":
        if folder.name != options.name:
            folder /= options.name  # the files of both datasets have the same names
        mnist.download(options.name, folder)
    found = {}
    for file in mnist.FILES[options.name]:
        path = mnist.checked(options.name, folder / file)
        found[path] = path.stat().st_size
        print(f"{path}  {found[path]:,} bytes, SHA-256 as published")
    return 0, {"bytes": found}


def show(options: argparse.Namespace) -> tuple[int, Any]:
    """Say what the data are, and draw some of them."""
    from ..arguments import whole
    from ..data import NAMES, load_examples, named_examples
    from ..runs.pictures import sheet

    whole("data show", "seed", options.seed, least=0)
    if options.name in NAMES:
        examples = named_examples(options.name, options.data_dir)
        counts = [
            f"{len(x):,} {part}" for part, x in (("training", examples.train), ("validation", examples.validation))
        ]
        print(
            f"{options.name}: {', '.join(counts)} and {len(examples.test):,} test images of 28×28, grey; {examples.scaling.said}."
        )
    else:
        reading = {"label": options.label, "missing": options.missing, "size": options.size, "seed": options.seed}
        examples = load_examples(options.name, **reading)
        print("\n".join(examples.told))
        if examples.columns:
            print(columns_of(examples))
    path = Path(options.out) if options.out else unused(Path(Path(options.name).resolve().stem + ".png"))
    sheet(examples, path)
    print(path)
    counts = {part: len(getattr(examples, part)) for part in ("train", "validation", "test")}
    return 0, {"picture": path, "examples": counts, "shape": examples.shape, **examples.kept}


def columns_of(examples) -> str:
    """A line for each column of a table, with its mean and deviation among the training examples."""
    width = max(map(len, examples.columns))
    scaling = examples.scaling
    lines = [
        f"  {name:<{width}}  mean {mean:>12.6g}  deviation {deviation:>12.6g}"
        for name, mean, deviation in zip(
            examples.columns, scaling.offset.tolist(), scaling.divisor.tolist(), strict=True
        )
    ]
    more = len(lines) - 40
    return "\n".join(lines[:40] + ([f"  … and {more} more"] if more > 0 else []))


def unused(path: Path) -> Path:
    """The path, or the first of NAME-2, NAME-3, … that is not there yet."""
    found, number = path, 1
    while found.exists():
        number += 1
        found = path.with_stem(f"{path.stem}-{number}")
    return found
