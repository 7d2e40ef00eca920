"""The command that compares libraries, without PyTorch and with mistakes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


def run_command(*arguments, **options):
    command = [sys.executable, BENCHMARKS / "training_step.py", "--rounds", "1", "--steps", "3", *arguments]
    return subprocess.run(command, capture_output=True, text=True, **options)


def hide_torch(folder):
    """For processes with the folder in PYTHONPATH: a module of that name stands before it and says that it is not there."""
    (folder / "torch.py").write_text('raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n')


@pytest.mark.slow
def test_the_command_writes_tables_and_everything_else_as_json(tmp_path):
    hide_torch(tmp_path)
    file = tmp_path / "out" / "measured.json"
    done = run_command(
        "simple",
        "--batch-size",
        "20",
        "--peer",
        "torch",
        "--json",
        file,
        env=os.environ | {"PYTHONPATH": str(tmp_path)},
    )
    assert done.returncode == 0, done.stderr
    assert "simple: 784-256-784, batch 20, float32" in done.stdout
    assert "skipped torch: torch is not installed: in a checkout, pip install '.[peers]'" in done.stdout

    record = json.loads(file.read_text())
    assert record["settings"]["steps"] == 3 and record["settings"]["rounds"] == 1
    assert {"processor", "cores_used", "python", "environment"} <= record["machine"].keys()
    assert "OPENBLAS_CORETYPE" in record["machine"]["environment"]
    assert {"scratchae", "numpy", "blas"} <= record["versions_and_threads"].keys()
    result = record["presets"]["simple"]
    assert result["skipped"].keys() == {"torch"} and result["peers"].keys() == {"scratchae"}
    ours = result["peers"]["scratchae"]
    assert 0 < ours["quartiles_ms"][0] <= ours["median_ms"] <= ours["quartiles_ms"][1]
    assert ours["ratio"] == 1 and len(ours["round_medians_ms"]) == 1
    assert result["gemm_gflops"] == pytest.approx(2 * 20 * 784 * 256 * 5 / 1e9)
    assert result["gemm_floor_ms"] == pytest.approx(
        1e3 * result["gemm_gflops"] / result["roofs"]["gflops_per_second"]
    )
    assert result["times_the_floor"] == pytest.approx(ours["median_ms"] / result["gemm_floor_ms"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample"], "unknown preset 'sample'"),
        (["rbm"], "got RBM"),
    ],
)
def test_mistakes_are_refused_in_a_line(arguments, message):
    done = run_command(*arguments)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr
