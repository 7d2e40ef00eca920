"""How large the study pages are, and how long they take to answer, in a headless Chromium.

    python benchmarks/laboratory.py [--rounds N] [--json FILE] [PRESET …]

A page is asked to change a number of the first parameter, to show each of its steps, and, where its examples are pictures, to take
a stroke of the pen. Milliseconds of the page's scripts, until they have drawn: medians over the rounds, of the steps also the slowest.

Needs the extra `browser` and an installed Chromium, on the PATH or in $CHROMIUM.
"""

from __future__ import annotations

import argparse
import contextlib
import io
import os
import shutil
import statistics
import sys
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from commandline import exit_code, positive

from scratchae.bench import machine
from scratchae.bench.harness import note, save
from scratchae.cli import main as scratchae

PRESETS = ("tiny", "conv-pool", "deep", "conv")
TIMED = """async (rounds) => {
    const time = async (action) => {
        const found = [];
        for (let round = 0; round < rounds; round++) {
            await new Promise(requestAnimationFrame); // what was drawn before is on the screen
            const before = performance.now();
            action(round);
            found.push(performance.now() - before);
        }
        return found;
    };
    const times = { steps: [] };
    for (const number of trace.steps.keys())
        times.steps.push(await time(() => ((current = -1), show(number, { announce: false }))));
    show(0);
    const weight = trace.steps[0].operands.find((id) => id !== "x");
    times.edit = await time((round) => act({ set: weight, flat: 0, value: 0.01 * round }));
    again([]);
    if (!pictureSize()) return times;
    byId("own").click();
    times.stroke = await time((round) => stroke([[3 + round, 10]], drawing()));
    return times;
}"""


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    return exit_code("laboratory", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(prog="laboratory.py", description="Measure the study pages in Chromium.")
    command.add_argument(
        "presets", nargs="*", default=PRESETS, metavar="PRESET", help=f"(default: {' '.join(PRESETS)})"
    )
    command.add_argument("--rounds", type=positive, default=15, metavar="N", help="(default: 15)")
    command.add_argument("--json", type=Path, metavar="FILE", help="where to write everything")
    return command


def run(options: argparse.Namespace) -> None:
    """Measure, print a table, write everything to a file."""
    from playwright.sync_api import sync_playwright

    pages = {}
    with tempfile.TemporaryDirectory() as folder, sync_playwright() as playwright:
        found = os.environ.get("CHROMIUM") or shutil.which("chromium") or shutil.which("google-chrome")
        browser = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        for preset in options.presets:
            note(f"measuring {preset}")
            pages[preset] = measured(browser, preset, Path(folder, f"{preset}.html"), options.rounds)
        version = browser.version
        browser.close()
    record = machine.record("laboratory", rounds=options.rounds, chromium=version) | {"pages": pages}
    where = f"{record['date']}, {record['machine']['processor']}, Chromium {version}, medians of {options.rounds}"
    print(f"{where}\n\n{table(record)}\n\nwritten to {save(record, options.json)}")


def measured(browser: Any, preset: str, path: Path, rounds: int) -> dict[str, Any]:
    """The page of a preset: its size, and medians of its times."""
    with contextlib.redirect_stdout(io.StringIO()):
        scratchae(["study", preset, "--html", str(path)])
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.goto(path.as_uri())
    page.wait_for_selector("#laboratory[data-state=open]")
    times = page.evaluate(TIMED, rounds)
    page.close()
    steps = [statistics.median(each) for each in times.pop("steps")]
    return {
        "megabytes": path.stat().st_size / 1e6,
        "step_ms": statistics.median(steps),
        "slowest_step_ms": max(steps),
        **{f"{name}_ms": statistics.median(each) for name, each in times.items()},
    }


def table(record: dict[str, Any]) -> str:
    """A line for each page."""
    lines = [f"{'':<12}{'MB':>7}{'edit':>9}{'step':>9}{'slowest':>9}{'stroke':>9}   medians, ms"]
    for preset, page in record["pages"].items():
        stroke = f"{page['stroke_ms']:9.1f}" if "stroke_ms" in page else f"{'':9}"
        lines.append(
            f"{preset:<12}{page['megabytes']:7.2f}{page['edit_ms']:9.1f}{page['step_ms']:9.1f}{page['slowest_step_ms']:9.1f}{stroke}"
        )
    return "\n".join(lines)


if __name__ == "__main__":
    sys.exit(main())
