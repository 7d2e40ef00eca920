"""`scratchae check` on code whose author has not seen its rules: right files in many styles, and the same with one slip each.

    python benchmarks/independent.py [--set first|second|third|fourth|fifth|sixth|seventh|eighth|ninth|tenth|eleventh] [--folder FOLDER] [--only TEXT] [--limit SECONDS] [--jobs N] [--json FILE]

`independent/SET/*.txt` hold right files after `#### name`, each with its slips: `%%% slip word | what is wrong`, then what stands in the right
file, `===>`, and what stands in the wrong one (`&&&` between two places). Their authors compared every right file with PyTorch or
with central differences, and ran every wrong one beside its right one, in at least one ordinary use of which a number differs. They
are for judging: a set after which rules of the diagnosis were made cannot judge them again. So far these are all eleven.
"""

from __future__ import annotations

import argparse
import collections
import os
import re
import sys
import tempfile
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from commandline import exit_code

from scratchae.bench import machine
from scratchae.bench.harness import save
from scratchae.tutorial.homework import first_fault, graded

SLOW = 5  # seconds that a check of small layers may take
SOURCES = Path(__file__).parent / "independent"
SETS = ("first", "second", "third", "fourth", "fifth", "sixth", "seventh", "eighth", "ninth", "tenth", "eleventh")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="independent.py", description=__doc__.partition("\n")[0])
    command.add_argument("--set", choices=SETS, help="files of this set only (default: of all)")
    command.add_argument("--folder", type=Path, help="where the files are put (default: a temporary one)")
    command.add_argument("--only", default="", metavar="TEXT", help="files whose names hold this")
    command.add_argument("--limit", type=float, default=60, metavar="SECONDS", help="time for a file (default: 60)")
    command.add_argument("--jobs", type=int, default=os.cpu_count(), metavar="N", help="files at a time")
    command.add_argument("--json", type=Path, metavar="FILE", help="write what is said of each file")
    options = command.parse_args(arguments)
    return exit_code("independent", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Check all files, print the counts of each set, and write what is said of each file if a file is named for it."""
    said: dict[str, dict[str, list[dict]]] = {}
    with tempfile.TemporaryDirectory() as scratch:
        for of in [options.set] if options.set else SETS:
            folder = (options.folder or Path(scratch)) / of
            folder.mkdir(parents=True, exist_ok=True)
            said[of] = {}
            for kind, files in (("right", dict(right(of))), ("wrong", dict(wrong(of)))):
                paths = []
                for name, code in files.items():
                    if options.only in name:
                        paths.append(folder / f"{name}.py")
                        paths[-1].write_text(code, encoding="utf-8")
                said[of][kind] = checked(paths, options) if paths else []
                counts = collections.Counter(row["verdict"] for row in said[of][kind])
                words = ", ".join(f"{n} {word}" for word, n in counts.most_common())
                slow = sum(row["seconds"] > SLOW for row in said[of][kind])
                print(f"{of}: {len(paths)} {kind} files: {words}; {slow} took more than {SLOW} s")
    if options.json:
        save(machine.record("independent", only=options.only, limit=options.limit) | {"sets": said}, options.json)


def checked(paths: list[Path], options: argparse.Namespace) -> list[dict]:
    """The verdict on files, the first fault that is told and the time, several at a time: each is in a process of its own."""
    with ThreadPoolExecutor(options.jobs) as pool:
        found = pool.map(lambda path: graded(path, options.limit), paths)
        rows = ((one.file.stem, one.verdict, first_fault(one), round(one.seconds, 2)) for one in found)
        return [dict(zip(("file", "verdict", "fault", "seconds"), row, strict=True)) for row in rows]


def blocks(of: str) -> Iterator[tuple[str, str, list[str]]]:
    """Name, code and slips of each file of a set."""
    for file in sorted((SOURCES / of).glob("*.txt")):
        for block in re.split(r"(?m)^#### ", file.read_text(encoding="utf-8"))[1:]:
            name, _, rest = block.partition("\n")
            code, *slips = re.split(r"(?m)^%%% slip ", rest)
            yield name, code, slips


def right(of: str) -> Iterator[tuple[str, str]]:
    """Name and code of the right files of a set."""
    for name, code, _ in blocks(of):
        yield name, code


def wrong(of: str) -> Iterator[tuple[str, str]]:
    """Name and code of each right file with each of its slips."""
    for name, code, slips in blocks(of):
        for slip in slips:
            head, _, places = slip.partition("\n")
            spoiled = code
            for place in re.split(r"(?m)^&&&\n", places):
                before, after = (text.rstrip("\n") for text in re.split(r"(?m)^===>\n?", place))
                if not after:  # the whole lines go
                    before = re.search(rf"(?m)^.*{re.escape(before)}.*\n", spoiled)[0]
                spoiled = spoiled.replace(before, after)
            yield f"{name}__{head.partition('|')[0].strip()}", spoiled


if __name__ == "__main__":
    sys.exit(main())
