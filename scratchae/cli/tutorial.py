"""`scratchae tutorial`."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "tutorial",
        help="list the chapters, run one, or build a book of them",
        description="List the chapters, or run one: its text and numbers are printed, its pictures are saved under out/.",
    )
    parser.add_argument("number", nargs="?", type=int, metavar="N", help="the chapter to run")
    parser.add_argument(
        "--data",
        choices=("strokes", "mnist"),
        help="the data that the chapter learns from (default: strokes, drawn by code)",
    )
    parser.add_argument(
        "--book", metavar="DIR", help="build the HTML book into this folder (with N: a draft of that chapter)"
    )
    parser.add_argument("--notebooks", metavar="DIR", help="write all chapters as Jupyter notebooks to this folder")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    from ..tutorial import chapters
    from ..tutorial.showing import DATA

    if options.book is not None or options.notebooks is not None:
        from ..tutorial import book

        book.require_packages()
    if options.book is not None:
        first = book.build(Path(options.book), None if options.number is None else [options.number])
        print(first)
        return 0, {"book": first}
    if options.notebooks is not None:
        written = chapters.write_notebooks(Path(options.notebooks))
        print("\n".join(map(str, written)))
        return 0, {"notebooks": written}
    if options.number is not None:
        environment = {} if options.data is None else {DATA: options.data}
        code = chapters.run(chapters.find(options.number), environment)
        return code, {"chapter": options.number, "exit_code": code}
    there = chapters.chapters()
    for chapter in there:
        print(f"{chapter.number:>3}  {chapter.title}\n     {chapter.question}\n     {chapter.time}\n")
    print("run one:         scratchae tutorial 0\nbuild the book:  scratchae tutorial --book book")
    return 0, [vars(chapter) for chapter in there]
