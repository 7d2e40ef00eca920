"""The command that compares the sequence presets with PyTorch: the two compute the same, and mistakes are refused."""

import importlib.util
import json
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "sequence_step.py"


def run_command(*arguments):
    command = [sys.executable, SCRIPT, "--rounds", "1", "--steps", "2", *arguments]
    return subprocess.run(command, capture_output=True, text=True)


@pytest.fixture
def module(monkeypatch):
    monkeypatch.syspath_prepend(SCRIPT.parent)
    spec = importlib.util.spec_from_file_location("sequence_step", SCRIPT)
    found = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(found)
    return found


@pytest.mark.parametrize("preset", ["sequence", "sequence-gru"])
def test_both_compute_the_same(torch, module, preset):
    ours, theirs = (peer(preset, 5).gradients() for peer in (module.Ours, module.Torch))
    np.testing.assert_allclose([theirs[0], *theirs[1]], [ours[0], *ours[1]], rtol=1e-4)
    module.require_agreement({"scratchae": ours, "torch": theirs})
    with pytest.raises(module.BenchmarkError, match="torch computes something else"):
        module.require_agreement({"scratchae": ours, "torch": (theirs[0] * 1.01, theirs[1])})


@pytest.mark.slow
def test_the_command_writes_tables_and_everything_else_as_json(tmp_path):
    done = run_command("sequence", "--batch-size", "5", "--json", tmp_path / "measured.json")
    assert done.returncode == 0, done.stderr
    assert "sequence: 28 × 28, hidden 128, batch 5, float32, CPU" in done.stdout
    record = json.loads((tmp_path / "measured.json").read_text())
    assert record["presets"]["sequence"]["peers"]["scratchae"]["median_ms"] > 0


def test_another_preset_is_refused():
    done = run_command("deep")
    assert done.returncode == 1
    assert "preset 'deep': expected one of sequence, sequence-gru" in done.stderr and "Traceback" not in done.stderr
