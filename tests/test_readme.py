"""What the README says is so: its example prints what stands below it, its links lead somewhere, its presets exist."""

import contextlib
import io
import json
import re
import runpy
from pathlib import Path

import numpy as np
import pytest
import quality

import scratchae as sae
from scratchae.cli import main, parser
from scratchae.presets import PRESETS

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
TINY = re.search(r"```text\n(.*?)```", (ROOT / "tutorials" / "study_tiny.md").read_text(encoding="utf-8"), re.DOTALL)[
    1
]


def fenced(language, place=0):
    """A block of a language, the first one unless told."""
    return re.findall(rf"```{language}\n(.*?)```", README, re.DOTALL)[place]


NUMBER = re.compile(r"(?<![\w.])\d+(?:\.\d+)?(?:e[-+]\d+)?")


def numbers(text):
    return [float(number) for number in NUMBER.findall(text)]


def assert_printed(shown, found):
    """Line by line the same words, and the same numbers but for the last of six digits: processors round differently, and
    an error of 8e-11 on one is 2e-10 on another.
    """
    for expected, line in zip(shown.strip().splitlines(), found.strip().splitlines(), strict=True):
        assert NUMBER.split(line) == NUMBER.split(expected)
        assert numbers(line) == pytest.approx(numbers(expected), rel=2e-6, abs=2e-6), line


@pytest.mark.slow
def test_the_example_prints_what_stands_below_it():
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed):
        exec(compile(fenced("python"), "README.md", "exec"), {})
    shown, found = fenced("text").splitlines(), printed.getvalue().splitlines()
    assert len(shown) == len(found)
    for expected, line in zip(shown, found, strict=True):
        # other processors round otherwise: a few percent in an error, anything in the error of an error
        if "relative error" in expected or "∂" in expected:
            assert expected.split()[:2] == line.split()[:2]
        else:
            assert numbers(line) == pytest.approx(numbers(expected), rel=0.05)


def test_the_trace_is_what_the_command_prints(capsys):
    assert main(["study", "classic"]) == 0
    assert_printed(TINY, capsys.readouterr().out)


@pytest.mark.parametrize(
    ("before", "after"),
    [("8e-11", "8e-05"), ("0.596884", "0.596894"), ("1.105906", "1.1059"), ("16", "17"), ("a₂", "a₃")],
)
def test_another_trace_would_be_noticed(before, after):
    assert_printed(TINY, TINY.replace("8e-11", "2e-10", 1))
    with pytest.raises(AssertionError):
        assert_printed(TINY, TINY.replace(before, after, 1))


def test_the_diagnosis_is_what_the_command_prints(capfd, monkeypatch):
    monkeypatch.chdir(ROOT)
    command, _, shown = fenced("console").partition("\n")
    main(command.removeprefix("$ scratchae ").split())
    assert_printed(shown, capfd.readouterr().out)


def test_a_layer_of_ones_own_trains():
    names = {"np": np, "sae": sae}
    exec(compile(fenced("python", 1), "README.md", "exec"), names)
    scale = names["Scale"](4)
    model = sae.Autoencoder(sae.Sequential(scale, sae.Dense(4, 2, rng=0)), sae.Dense(2, 4, rng=1), loss=sae.MSE())
    x = np.random.default_rng(0).random((20, 4), dtype=np.float32)
    history = sae.fit(model, x, epochs=5, batch_size=5, optimizer=sae.Adam(0.01), progress=False)
    assert history["loss"][-1] < history["loss"][0] and (scale.w != 1).all()


def test_figures_are_those_that_the_command_keeps():
    """What the presets reach, here and in benchmarks/README.md, line by line as `quality.py --table` prints it."""
    kept = json.loads((ROOT / "benchmarks" / "results" / "quality.json").read_text(encoding="utf-8"))
    made = quality.table(kept["runs"], list(quality.TASKS)).splitlines()
    for page in (README, (ROOT / "benchmarks" / "README.md").read_text(encoding="utf-8")):
        rows = [line for line in page.splitlines() if re.match(r"\| `[^`]+`, (fashion-)?mnist \|", line)]
        assert rows and [row for row in rows if row not in made] == []


def test_figures_of_a_gpu_are_those_of_the_record():
    kept = json.loads((ROOT / "benchmarks" / "results" / "on_gpu-2026-11-27-peers.json").read_text(encoding="utf-8"))
    for name, result in kept["presets"].items():
        peers = [result["peers"][peer]["ratio"] for peer in ("torch", "torch-fused", "torch-compile-graphs", "jax")]
        ours = f"{result['peers']['scratchae']['median_ms']:.3f} ms"
        assert f"| `{name}` | {ours} | {' | '.join(f'{ratio:.2f} ×' for ratio in peers)} |" in README


def test_it_fits_a_first_page():
    assert len(README.splitlines()) <= 280


def test_the_commands_on_own_data_are_those_that_draw_the_pictures():
    """`make_uses.py` runs what the section says. Here: there are such commands, and each picture is one that they draw."""
    pytest.importorskip("PIL"), pytest.importorskip("sklearn")
    make_uses = runpy.run_path(str(ROOT / "tutorials" / "images" / "make_uses.py"))
    asked = [(arguments[0], parser().parse_args(arguments)) for arguments in make_uses["commands"]()]
    assert [name for name, _ in asked] == ["train", "use"] * 4 + ["search"]
    trained = [options.out for name, options in asked if name == "train"]
    used = [(options.run_folder, options.job) for name, options in asked if name == "use"]
    assert [run for run, _ in used] == trained
    pictures = make_uses["PICTURES"]
    assert {str(Path(place).parent) for place in pictures.values()} == {
        *(str(Path(*each)) for each in used),
        "searches/table-rows",
    }
    section = README.partition(make_uses["SECTION"])[2].partition("\n## ")[0]
    assert re.findall(r"tutorials/images/([\w-]+)\.png", section) == list(pictures)
    assert all((ROOT / "tutorials" / "images" / f"{name}.png").stat().st_size < 60_000 for name in pictures)


def test_the_example_is_short():
    assert len([line for line in fenced("python").splitlines() if line.strip()]) <= 15


def test_every_preset_stands_in_the_readme():
    assert all(f"`{name}`" in README for name in PRESETS)


def test_relative_links_and_pictures_exist():
    targets = [target for target in re.findall(r"\]\(([^)#]+)\)", README) if "://" not in target]
    assert targets
    assert [target for target in targets if not (ROOT / target).exists()] == []


def test_the_two_commands_are_one_line_each():
    commands = [line.strip() for line in README.splitlines() if line.strip().startswith("python3 -m venv")]
    assert [command.rpartition("&& ")[2] for command in commands] == [
        ".venv/bin/scratchae train deep",
        ".venv/bin/python -m pytest",
    ]
