"""How well is a wrong gradient diagnosed? Bugs planted in every layer and loss, and right ones that must not be accused.

    python benchmarks/diagnosis.py [--seeds N] [--right N] [--strangers N] [--folder FOLDER]

Planted are the bugs of `planted.py`, which spoil the library's layers, losses and penalties from outside, and those of
`planted_lines.py`, which change one line of a textbook layer (`textbook.py`). A bug counts as named if the first finding of
`check_gradients` has its name. Right are all entries of the catalogue of gradient checks and the textbook layers, on
random shapes and numbers: each finding there is a false accusation. Beside them stand whole files, checked as `scratchae check FILE`
does: those of `strangers/`, right code in many styles, and the same with one slip that a machine makes at random in it
(`strangers/judging.py` says, by running both, whether a slip changes a number). Writes a table and a JSON file.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
import planted
import planted_lines
import strangers
from strangers import judging

import scratchae
from scratchae import (
    BatchNorm,
    Dense,
    Dropout,
    GaussianNoise,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    check_gradients,
)  # fmt: skip
from scratchae.bench import machine
from scratchae.files import written_whole
from scratchae.study import CATALOGUE
from scratchae.study.diagnosis import GradientShapeError
from scratchae.study.diagnosis.finding import KINDS
from scratchae.tutorial import grade

RESULTS = Path(__file__).parent / "results"


def first_finding(make: Callable[[], object], inputs: Callable, seed: int) -> str:
    """The name that the diagnosis gives to what is wrong, "" if it finds nothing."""
    try:
        found = check_gradients(make(), *inputs(np.random.default_rng(seed)), seed=seed).findings
    except GradientShapeError as error:
        found = (error.finding,)
    return found[0].kind if found else ""


def planted_bugs(seeds: int) -> Iterator[tuple[str, str, str]]:
    """Of every bug: what it is, where, and what it is called."""
    for seed in range(seeds):
        for kind, where, make, inputs in planted.bugs():
            yield kind, where, first_finding(make, inputs, seed)
        for kind, where, _, make, inputs in planted_lines.changed_lines():
            yield kind, f"{where} (textbook)", first_finding(make, inputs, seed)


def right_cases(count: int) -> Iterator[tuple[str, tuple[str, ...]]]:
    """Of so many right layers, losses and models: which, and what they are accused of."""
    textbook = {f"{name} (textbook)": (make, inputs) for name, make, inputs in planted_lines.right()}
    names = [*CATALOGUE, *textbook, "random chain"]
    for case in range(count):
        name, rng = names[case % len(names)], np.random.default_rng(case)
        if name in CATALOGUE:
            report = CATALOGUE[name].check(int(rng.integers(1, 6)), int(rng.integers(2, 7)), case)
        elif name == "random chain":
            report = check_gradients(random_chain(rng), rng.standard_normal((int(rng.integers(2, 6)), 4)), seed=case)
        else:
            make, inputs = textbook[name]
            report = check_gradients(make(), *inputs(rng), seed=case)
        wrong = tuple(f"gradient of {check.name}" for check in report.checks if not check.passed)
        # of a gradient that is no slope of the loss on purpose, it is said; that is no accusation
        yield name, tuple(found.kind for found in report.findings if found.kind != "straight_through") + wrong


def random_chain(rng: np.random.Generator) -> Sequential:
    """Two to six layers in any order."""
    layers, width = [], 4
    for _ in range(int(rng.integers(2, 7))):
        outputs = int(rng.integers(2, 6))
        kinds = (
            Sigmoid,
            Tanh,
            ReLU,
            Softplus,
            lambda: LeakyReLU(0.2),
            lambda: Dropout(0.3),
            lambda: GaussianNoise(0.2),
        )
        choice = int(rng.integers(0, 2 * len(kinds)))
        if choice < len(kinds):
            layers.append(kinds[choice]())
        elif choice < len(kinds) + 2:
            layers.append(BatchNorm(width))
        else:
            layers.append(Dense(width, outputs, rng=rng))
            width = outputs
    return Sequential(*layers)


def of_strangers(count: int) -> dict[str, Counter]:
    """What `scratchae check` says of so many right files, and of so many with one slip."""
    found = {"right": Counter(), "slips": Counter()}
    with tempfile.TemporaryDirectory() as folder:
        for case, (name, code) in enumerate(strangers.right(count)):
            verdict, _ = graded(Path(folder) / f"right_{case}.py", code)
            found["right"][verdict] += 1
            if verdict != "right":
                print(f"right, and called {verdict}: {name}", flush=True)
        for case, (name, before, after, what) in enumerate(strangers.slips(count)):
            differs = judging.differs(name, before, after)
            if not differs:
                found["slips"]["changes nothing" if differs is False else "raises an error"] += 1
                continue
            verdict, named = graded(Path(folder) / f"slip_{case}.py", after)
            found["slips"][verdict] += 1
            found["slips"]["named"] += named
            if verdict != "wrong":
                print(f"a slip, and called {verdict}: {name}: {what}", flush=True)
    return found


def graded(path: Path, code: str) -> tuple[str, bool]:
    """The verdict on a file, and whether what is wrong has a name."""
    path.write_text(code, encoding="utf-8")
    try:
        exit_code, text = grade.grade(path)
    except Exception:  # nothing to check in it
        exit_code, text = grade.UNUSABLE, ""
    verdict = {grade.RIGHT: "right", grade.WRONG: "wrong", grade.UNUSABLE: "not checked"}[exit_code]
    return verdict, verdict == "wrong" and KINDS["unknown"][0] not in text


def sentence(found: dict[str, Counter]) -> str:
    """The results on whole files, in words."""
    right, slips = found["right"], found["slips"]
    planted_count = slips["wrong"] + slips["right"] + slips["not checked"]
    share = 100 * slips["wrong"] / max(1, planted_count)
    return (
        f"{right.total()} right files in many styles (`strangers/`): {right['wrong']} accused, {right['not checked']} not checked. "
        f"{planted_count} files with one slip that a machine made at random and that changes a number: {slips['wrong']} called wrong, "
        f"{share:.1f} %, {slips['named']} of them with a name; {slips['right']} called right, {slips['not checked']} not checked. "
        f"({slips['changes nothing']} slips changed nothing, {slips['raises an error']} only raised an error.)"
    )


def table(bugs: list[tuple[str, str, str]], right: list[tuple[str, tuple[str, ...]]]) -> str:
    """The results, in Markdown."""
    rows: dict[str, list[tuple[str, str]]] = defaultdict(list)
    for kind, where, called in bugs:
        rows[kind].append((where, called))
    lines = [
        "| bug | said of it | planted in | bugs | named rightly | else |",
        "| --- | --- | ---: | ---: | ---: | --- |",
    ]
    for kind in KINDS:
        if cases := rows.get(kind):
            named = sum(called == kind for _, called in cases)
            missed = sorted({f"{where}: {called or 'nothing found'}" for where, called in cases if called != kind})
            places = len({where for where, _ in cases})
            what = KINDS[kind][0].format_map(defaultdict(lambda: "…"))
            lines.append(f"| `{kind}` | {what} | {places} | {len(cases)} | {named} | {'; '.join(missed)} |")
    named = sum(called == kind for kind, _, called in bugs)
    accused = [name for name, found in right if found]
    lines += [
        "",
        f"{named} of {len(bugs)} planted bugs named rightly, {100 * named / len(bugs):.1f} %, of {len(rows)} kinds, "
        f"in {len({where for _, where, _ in bugs})} layers, losses and penalties.",
        f"{len(right)} right cases of {len({name for name, _ in right})} layers, losses and models: {len(accused)} accused"
        f"{': ' + ', '.join(sorted(set(accused))) if accused else ''}.",
    ]
    return "\n".join(lines)


def main(arguments: list[str] | None = None) -> int:
    command = argparse.ArgumentParser(
        prog="diagnosis.py", description="Plant bugs in layers, and see what they are called."
    )
    command.add_argument(
        "--seeds", type=int, default=3, metavar="N", help="draws of inputs for each bug (default: 3)"
    )
    command.add_argument("--right", type=int, default=5000, metavar="N", help="right cases (default: 5000)")
    command.add_argument(
        "--strangers", type=int, default=400, metavar="N", help="right files, and files with a slip (default: 400)"
    )
    command.add_argument("--folder", type=Path, default=RESULTS, help="where the results are written")
    options = command.parse_args(arguments)
    bugs, right = list(planted_bugs(options.seeds)), list(right_cases(options.right))
    whole = of_strangers(options.strangers)
    now = datetime.now(UTC)
    text = f"{table(bugs, right)}\n\n{sentence(whole)}"
    head = f"`python benchmarks/diagnosis.py --seeds {options.seeds} --right {options.right} --strangers {options.strangers}`, {now:%Y-%m-%d}, scratchae {scratchae.__version__}, NumPy {np.__version__}"
    record = {
        "benchmark": "diagnosis",
        "date": now.isoformat(timespec="seconds"),
        "machine": machine.facts(),
        "settings": {"seeds": options.seeds, "right": options.right},
        "planted": len(bugs),
        "named": sum(called == kind for kind, _, called in bugs),
        "kinds": len({kind for kind, _, _ in bugs}),
        "right": len(right),
        "accused": sum(bool(found) for _, found in right),
        "strangers": {name: dict(counts) for name, counts in whole.items()},
        "missed": [{"bug": kind, "in": where, "called": called} for kind, where, called in bugs if called != kind],
    }
    file = options.folder / f"diagnosis-{now:%Y-%m-%d}"
    page = f"# What the diagnosis makes of planted bugs\n\n{head}\n\n{text}\n"
    for ending, content in ((".json", json.dumps(record, indent=2, ensure_ascii=False) + "\n"), (".md", page)):
        with written_whole(file.with_suffix(ending)) as temporary:
            temporary.write_text(content, encoding="utf-8")
    print(f"{text}\n\nwritten to {file}.md and .json")
    accused = record["accused"] + whole["right"]["wrong"]
    return 0 if accused == 0 and record["named"] >= 0.95 * record["planted"] else 1


if __name__ == "__main__":
    sys.exit(main())
