"""The benchmarks measure what they say: equal work, compared, counted; the figures themselves are not tested."""

import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import agreement
import harness
import peers
import training_step

from scratchae import (
    BCE,
    L1,
    MSE,
    Autoencoder,
    BCEWithLogits,
    Dense,
    Dropout,
    Identity,
    LeakyReLU,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
)

BENCHMARKS = Path(harness.__file__).parent


def run_command(*arguments, **options):
    command = [sys.executable, BENCHMARKS / "training_step.py", "--rounds", "1", "--steps", "3", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def test_the_command_writes_tables_and_everything_else_as_json(tmp_path):
    """Without PyTorch: a module of that name stands before it and says that it is not there."""
    (tmp_path / "torch.py").write_text('raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n')
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
    assert "skipped torch: torch is not installed: pip install 'scratchae[peers]'" in done.stdout

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
        1e3 * result["gemm_gflops"] / result["sgemm"]["gflops_per_second"]
    )
    assert result["times_the_floor"] == pytest.approx(ours["median_ms"] / result["gemm_floor_ms"])


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["sample"], "unknown preset 'sample'"),
        (["overcomplete", "--batch-size", "1000000"], "training examples"),
    ],
)
def test_mistakes_are_refused_in_a_line(arguments, message):
    done = run_command(*arguments)
    assert done.returncode == 1 and message in done.stderr and "Traceback" not in done.stderr


# Equal results


def tensors():
    rng = np.random.default_rng(0)
    return {"loss": np.array(3.0), "gradient of encoder.0.W": rng.standard_normal((4, 3)), "encoder.0.b": np.zeros(3)}


def test_equal_tensors_agree():
    found = agreement.require_agreement("PyTorch", tensors(), tensors(), 1e-4)
    assert found["largest_relative_difference"] == 0


def perturb(name, change):
    theirs = tensors()
    theirs[name] = change(theirs[name])
    return theirs


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gradient of encoder.0.W", lambda g: g * 1.001),
        ("gradient of encoder.0.W", lambda g: -g),
        ("gradient of encoder.0.W", lambda g: g.T),
        ("gradient of encoder.0.W", lambda g: g * np.nan),
        ("loss", lambda loss: loss / 784),
        ("encoder.0.b", lambda b: b + 1e-9),
    ],
)
def test_a_wrong_peer_is_named_with_its_tensor(name, change):
    with pytest.raises(agreement.DisagreementError, match=f"PyTorch disagrees with scratchae in {name}:"):
        agreement.require_agreement("PyTorch", tensors(), perturb(name, change), 1e-4)


def test_a_missing_tensor_is_a_disagreement():
    theirs = tensors()
    del theirs["loss"]
    with pytest.raises(agreement.DisagreementError, match="in loss"):
        agreement.require_agreement("JAX", tensors(), theirs, 1e-4)


@pytest.mark.parametrize("name", ["torch", "jax"])
def test_peers_compute_what_scratchae_computes(name, tmp_path):
    """Every layer and every loss that has a translation."""
    if importlib.util.find_spec(name) is None:
        pytest.skip(f"{name} is not installed")
    compute("scratchae", tmp_path)
    # the library stays out of this process, where its warnings about threads and forks would meet the other tests
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import test_benchmarks; test_benchmarks.compute(*sys.argv[2:])"
    )
    subprocess.run([sys.executable, "-c", code, Path(__file__).parent, name, tmp_path], check=True, timeout=120)
    for case in models():
        with np.load(tmp_path / f"scratchae-{case}.npz") as ours, np.load(tmp_path / f"{name}-{case}.npz") as theirs:
            agreement.require_agreement(name, dict(ours), dict(theirs), training_step.TOLERANCE)


def compute(name, folder):
    """Write what must agree, for each model, to files."""
    x = np.random.default_rng(1).random((7, 5), dtype=np.float32)
    for case, model in models().items():
        worker = training_step.StepWorker(name)
        worker.peer = peers.PEERS[name][1](model, x)
        worker.compute(f"{folder}/{name}-{case}.npz")


def models():
    """One with every layer that has a translation, and for every other loss a small one."""
    rng = np.random.default_rng(0)
    activations = [Sigmoid(), ReLU(), LeakyReLU(0.1), Softplus(), Tanh(), Identity()]
    hidden = [layer for activation in activations for layer in (Dense(5, 5, rng=rng), activation)]
    return {
        "layers": Autoencoder(Sequential(*hidden), Sequential(Dense(5, 5, rng=rng)), loss=BCEWithLogits()),
        "BCE": Autoencoder(Sequential(Dense(5, 5, rng=rng)), Sequential(Sigmoid()), loss=BCE()),
        "MSE": Autoencoder(Sequential(Dense(5, 5, rng=rng)), Sequential(Sigmoid()), loss=MSE()),
    }


def test_every_translation_is_in_the_test_above():
    assert (
        {type(layer) for _, layer in models()["layers"].leaves()}
        == peers.TORCH_LAYERS.keys()
        == peers.JAX_LAYERS.keys()
    )
    assert {type(model.loss) for model in models().values()} == peers.TORCH_LOSSES.keys() == peers.JAX_LOSSES.keys()


@pytest.mark.parametrize(
    ("encoder", "penalty", "message"),
    [
        (Sequential(Dense(4, 2), Dropout(0.5)), None, r"encoder.1, Dropout\(0.5\)"),
        (Sequential(Dense(4, 2)), L1(0.1), "without penalty"),
    ],
)
def test_what_has_no_translation_is_refused(encoder, penalty, message):
    model = Autoencoder(encoder, Sequential(Dense(2, 4)), loss=MSE(), penalty=penalty)
    with pytest.raises(harness.BenchmarkError, match=message):
        peers.require_translatable(model)


# Time


def test_ratios_are_taken_round_by_round():
    times = {"scratchae": [[1, 1, 9], [2, 2, 2], [4, 4, 4]], "torch": [[2, 2, 2], [4, 4, 4], [12, 12, 12]]}
    figures = harness.statistics(times, "scratchae")
    assert figures["scratchae"]["ratio"] == 1
    assert figures["torch"]["round_medians_ms"] == [2, 4, 12]
    assert figures["torch"]["ratio"] == 2 and figures["torch"]["ratio_quartiles"] == [2, 2.5]
    assert figures["torch"]["median_ms"] == 4


def test_each_worker_has_one_block_a_round_and_each_comes_first_in_turn(monkeypatch):
    order = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def ask(self, action, warm_up, steps):
            order.append(self.name)
            return [1.0] * steps

    monkeypatch.setattr(harness, "PAUSE", 0)
    times = harness.time_rounds({name: Recorder(name) for name in "abc"}, rounds=3, steps=2)
    assert "".join(order) == "abcbcacab"
    assert times["a"] == [[1.0, 1.0]] * 3


def test_a_worker_that_fails_or_dies_says_why():
    code = (
        "import sys; sys.path.insert(0, sys.argv[1]); import harness, os\n"
        "def fail(): raise ValueError('backend raised:\\nno compiler')\n"
        "def die(): print('out of luck', file=sys.stderr, flush=True); os._exit(3)\n"
        "harness.serve({'print': lambda: print('noise'), 'fail': fail, 'die': die})\n"
    )
    with harness.Worker("peer", [sys.executable, "-c", code, str(BENCHMARKS)]) as worker:
        assert worker.ask("print") is None
        with pytest.raises(harness.WorkerError, match=r"^peer: ValueError: no compiler$"):
            worker.ask("fail")
        with pytest.raises(harness.WorkerError, match="ended with exit code 3: out of luck"):
            worker.ask("die")


def test_a_measurement_is_not_overwritten(tmp_path, monkeypatch):
    monkeypatch.setattr(harness, "__file__", str(tmp_path / "harness.py"))
    record = {"benchmark": "step", "date": "2026-01-02T03:04:05+00:00"}
    written = [harness.save(record, None).name for _ in range(3)]
    assert written == ["step-2026-01-02.json", "step-2026-01-02-2.json", "step-2026-01-02-3.json"]
