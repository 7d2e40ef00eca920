"""Figures with a spread: what is finished is kept, what is there is not trained again."""

import json
import subprocess
from pathlib import Path

import pytest
import quality


def result(error, epochs=10):
    return {"epochs": epochs, "figures": {"deep": {"squared_error": error}, "PCA-32": {"squared_error": 13.19}}}


def test_the_table_has_mean_and_standard_deviation():
    runs = {f"deep/mnist/{seed}": result(error) for seed, error in enumerate((8.56, 8.25, 9.13))}
    line = quality.table(runs, ["deep/mnist", "vae/mnist"]).splitlines()[-1]
    assert line == "| `deep`, mnist | 10 | squared error | 8.647 ± 0.446 | 3 | PCA-32 13.19 |"


def test_a_small_spread_shows_a_digit():
    assert quality.spread("negative_elbo", [105.06, 104.98]) == "105.02 ± 0.06"
    assert quality.spread("units_in_use", [20, 20]) == "20.00 ± 0.00"


def test_one_run_has_no_spread():
    line = quality.table({"deep/mnist/0": result(8.56)}, ["deep/mnist"]).splitlines()[-1]
    assert "| 8.560 | 1 |" in line and "±" not in line


def test_cross_entropy_is_told_per_pixel_beside_its_floor():
    own = {"cross_entropy": 78.4, "cross_entropy_floor": 45.5}
    line = quality.table({"conv-pool/mnist/0": {"epochs": 15, "figures": {"conv-pool": own}}}, ["conv-pool/mnist"])
    assert line.endswith("| cross-entropy per pixel, nats | 0.1000 | 1 | the pixels' entropy 0.05804 |")


def test_what_is_finished_is_kept_and_not_trained_again(monkeypatch, tmp_path, capsys):
    asked = []

    def trained(task, seed, runs):
        asked.append((task, seed))
        return f"{task}/{seed}", "out of memory" if seed == 1 and len(asked) < 4 else result(8.0 + seed)

    monkeypatch.setattr(quality, "trained", trained)
    command = ["deep/mnist", "--seeds", "3", "--jobs", "1", "--json", str(tmp_path / "quality.json")]
    assert quality.main(command) == 1
    assert "deep/mnist/1: out of memory" in capsys.readouterr().err
    assert list(json.loads((tmp_path / "quality.json").read_text())["runs"]) == ["deep/mnist/0", "deep/mnist/2"]
    assert quality.main(command) == 0
    assert asked == [("deep/mnist", seed) for seed in (0, 1, 2, 1)]
    assert "9.000 ± 1.000 | 3" in capsys.readouterr().out
    assert quality.main([*command, "--table"]) == 0
    assert len(asked) == 4


def test_a_run_is_the_command_that_a_person_types(tmp_path, monkeypatch):
    commands = []

    def run(command, **options):
        if "train" in command:
            commands.append(command)
            folder = Path(command[command.index("--out") + 1])
            folder.mkdir()
            record = result(8.5) | {"training_seconds": 2.0, "versions": {}, "finished": "", "status": "done"}
            (folder / "run.json").write_text(json.dumps(record))
        return subprocess.CompletedProcess(command, 0, "", "")

    monkeypatch.setattr(subprocess, "run", run)
    name, kept = quality.trained("deep/mnist", 2, tmp_path)
    assert name == "deep/mnist/2" and kept["figures"] == result(8.5)["figures"]
    assert commands[0][1:] == [
        *("-m", "scratchae", "train", "deep", "--data", "mnist", "--seed", "2"),
        *("--out", str(tmp_path / "deep-mnist-2"), "--resume"),
    ]
    quality.trained("vae --beta 1:5000/mnist", 0, tmp_path)
    assert commands[1][4:7] == ["vae", "--beta", "1:5000"]
    assert commands[1][-2] == str(tmp_path / "vae-beta-1-5000-mnist-0")


def test_a_run_that_fails_leaves_its_last_words(tmp_path):
    name, kept = quality.trained("overcomplete/strokes", 0, tmp_path)
    assert name == "overcomplete/strokes/0"
    assert "--data" in kept and "makes its own data" in kept  # the command's own words, as nothing was trained


@pytest.mark.parametrize("task", ["deep", "no-such/mnist"])
def test_an_unknown_task_is_named(task, capsys):
    assert quality.main([task]) == 1
    assert f"{task}: expected PRESET/DATA, such as deep/mnist" in capsys.readouterr().err
