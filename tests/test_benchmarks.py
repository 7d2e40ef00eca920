"""The benchmarks measure what they say: equal work, compared, counted; the figures themselves are not tested."""

import dataclasses
import importlib.util
import json
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

sys.path.insert(0, str(Path(__file__).parents[1] / "benchmarks"))

import agreement
import anomaly
import harness
import peers
import report
import scaling
import training_step

from scratchae import (
    BCE,
    L1,
    MSE,
    VAE,
    Autoencoder,
    AvgPool2d,
    BCEWithLogits,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    Identity,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from scratchae.backend import recycle_memory
from scratchae.data import strokes
from scratchae.models import parallel
from scratchae.presets import find_preset

BENCHMARKS = Path(harness.__file__).parent


def run_command(*arguments, **options):
    command = [sys.executable, BENCHMARKS / "training_step.py", "--rounds", "1", "--steps", "3", *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, **options)


def hide_torch(folder):
    """For processes with the folder in PYTHONPATH: a module of that name stands before it and says that it is not there."""
    (folder / "torch.py").write_text('raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n')


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


def test_parameters_after_steps_have_a_tolerance_of_their_own():
    ours = {"loss": np.array(3.0), "gradient of encoder.0.W": np.ones(3), "encoder.0.W after 5 steps": np.ones(3)}

    def check(name, factor):
        return training_step.require_equal_steps("JAX", ours, ours | {name: factor * ours[name]})

    assert check("encoder.0.W after 5 steps", 1.0005)["tensor"] == "encoder.0.W after 5 steps"
    for name, factor in (("encoder.0.W after 5 steps", 1.002), ("gradient of encoder.0.W", 1.0005), ("loss", 1.0005)):
        with pytest.raises(agreement.DisagreementError, match=f"in {name}:"):
            check(name, factor)


@pytest.mark.parametrize("name", ["torch", "torch-channels-last", "jax"])
def test_peers_compute_what_scratchae_computes(name, tmp_path):
    """Every layer, loss and model that has a translation."""
    library = name.partition("-")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
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
    for case, model in models().items():
        shape = (8, 6, 2) if case == "images" else (5,)
        x = np.random.default_rng(1).random((7, *shape), dtype=np.float32)
        worker = training_step.StepWorker(name)
        worker.peer = peers.PEERS[name][1](model, x)
        worker.compute(f"{folder}/{name}-{case}.npz")


def models():
    """Two with every layer that has a translation, and for every other loss and model a small one."""
    rng = np.random.default_rng(0)
    activations = [Sigmoid(), ReLU(), LeakyReLU(0.1), Softplus(), Tanh(), Identity()]
    hidden = [layer for activation in activations for layer in (Dense(5, 5, rng=rng), activation)]
    smaller = [  # (8, 6, 2), (4, 5, 3), (2, 3, 3), 18
        *(
            Conv2d(2, 3, (3, 2), stride=(2, 1), padding=(1, 0), rng=rng),
            Tanh(),
            MaxPool2d(2, ceil_mode=True),
            Flatten(),
        ),
        Dense(18, 12, rng=rng),
    ]
    larger = [  # (2, 3, 2), (4, 5, 3), (8, 15, 3), (8, 6, 3), (8, 6, 2)
        *(Reshape((2, 3, 2)), ConvTranspose2d(2, 3, 3, stride=2, padding=1, output_padding=(1, 0), rng=rng)),
        *(UpSample2d((2, 3)), AvgPool2d((1, 5), (1, 2)), Conv2d(3, 2, 1, rng=rng)),
    ]
    return {
        "images": Autoencoder(Sequential(*smaller), Sequential(*larger), loss=MSE()),
        "layers": Autoencoder(Sequential(*hidden), Sequential(Dense(5, 5, rng=rng)), loss=BCEWithLogits()),
        "BCE": Autoencoder(Sequential(Dense(5, 5, rng=rng)), Sequential(Sigmoid()), loss=BCE()),
        "MSE": Autoencoder(Sequential(Dense(5, 5, rng=rng)), Sequential(Sigmoid()), loss=MSE()),
        "VAE": small_vae(rng, beta=2),
    }


def small_vae(rng, **options):
    heads = (Dense(4, 3, rng=rng) for _ in range(2))
    decoder = Sequential(Dense(3, 4, rng=rng), Tanh(), Dense(4, 5, rng=rng))
    return VAE(Sequential(Dense(5, 4, rng=rng), Tanh()), *heads, decoder, loss=BCEWithLogits(), **options)


def test_every_translation_is_in_the_test_above():
    tested = {type(layer) for model in models().values() for _, layer in model.leaves()}
    assert tested == peers.TORCH_LAYERS.keys() == peers.JAX_LAYERS.keys()
    assert {type(model.loss) for model in models().values()} == peers.TORCH_LOSSES.keys() == peers.JAX_LOSSES.keys()
    tested = {type(model) for model in models().values()}
    assert tested == peers.MODELS.keys() == peers.TORCH_OBJECTIVES.keys() == peers.JAX_OBJECTIVES.keys()


@pytest.mark.parametrize(("parts", "least"), [(1, 2**20), (2, 100), (4, 40)])
def test_the_noise_handed_to_peers_is_what_scratchae_draws(parts, least, monkeypatch):
    """Of a batch for which the layers put out 7 · 27 numbers, whole and in parts."""
    monkeypatch.setattr(parallel, "LEAST", least)
    model, x = small_vae(np.random.default_rng(0)), np.random.default_rng(1).random((7, 5), dtype=np.float32)
    draw = peers.noise(model, x, 3)
    rng = np.random.default_rng(3)
    assert parallel.count_parts(model, x, rng) == parts
    for _ in range(2):
        (epsilon,) = draw()
        loss = model.training_step(x, rng)["loss"]
        assert loss == pytest.approx(float(model.objective(x, Given(epsilon))["loss"]), rel=1e-6)


class Given:
    """A generator whose draw is known."""

    def __init__(self, epsilon):
        self.epsilon = epsilon

    def standard_normal(self, shape, dtype):
        assert (shape, dtype) == (self.epsilon.shape, self.epsilon.dtype)
        return self.epsilon


def test_only_compared_steps_are_given_their_noise():
    assert peers.noise(models()["VAE"], np.zeros((7, 5), np.float32), None)() == ()
    assert peers.noise(models()["MSE"], np.zeros((7, 5), np.float32), 0)() == ()


def test_the_layout_of_images_is_a_peer_only_where_there_are_images():
    assert peers.peers_of(models()["images"]) == list(peers.PEERS)
    assert peers.peers_of(models()["layers"]) == ["scratchae", "torch", "torch-fused", "torch-compile", "jax"]


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


@pytest.mark.parametrize("name", ["cvae", "vae-binary", "vae-2d"])
def test_variational_models_of_another_kind_are_refused(name):
    with pytest.raises(harness.BenchmarkError, match=r"a VAE without binarise|encoder\.2, Dropout"):
        peers.require_translatable(training_step.model_of(find_preset(name)))


# Work


def test_the_matrix_products_of_convolutions_are_counted():
    model, examples = training_step.model_of(find_preset("conv")), np.zeros((10, 28, 28, 1), np.float32)
    products = [  # pixels that the kernel is laid on, its numbers, and how many of forward, dW and dx there are
        *((14 * 14, 3 * 3 * 1 * 16, 2), (7 * 7, 3 * 3 * 16 * 32, 3), (1, 7 * 7 * 32 * 64, 3)),
        *((1, 7 * 7 * 64 * 32, 3), (7 * 7, 3 * 3 * 32 * 16, 3), (14 * 14, 3 * 3 * 16 * 1, 3)),
    ]
    assert training_step.gemm_flops(model, examples) == sum(2 * 10 * a * b * c for a, b, c in products)
    sizes = training_step.sizes(model, examples)
    assert report.net(sizes) == "28×28×1-14×14×16-7×7×32-1×1×64-7×7×32-14×14×16-28×28×1"


def test_both_heads_of_a_vae_are_counted_and_its_code_is_named_once():
    model, examples = training_step.model_of(find_preset("vae-400")), np.zeros((10, 784), np.float32)
    products = 2 * 784 * 400 + 2 * 3 * 400 * 20 + 3 * 20 * 400 + 3 * 400 * 784
    assert training_step.gemm_flops(model, examples) == 2 * 10 * products
    assert report.net(training_step.sizes(model, examples)) == "784-400-20-400-784"


def test_a_dense_net_is_named_by_its_widths():
    model = models()["images"]
    assert training_step.sizes(model, np.zeros((1, 8, 6, 2), np.float32))[2] == 12
    assert report.net([784, 256, 784]) == "784-256-784"


# Scaling


def test_scaling_writes_tables_a_record_and_a_picture(tmp_path, monkeypatch, capsys):
    """The first two sizes of each curve, without PyTorch."""
    hide_torch(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(harness, "PAUSE", 0)
    short = {name: dataclasses.replace(curve, points=curve.points[:2]) for name, curve in scaling.CURVES.items()}
    monkeypatch.setattr(scaling, "CURVES", short)
    file = tmp_path / "measured.json"
    assert scaling.main(["--rounds", "1", "--steps", "2", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "images a batch: 28×28×1-14×14×16-7×7×32-1×1×64-7×7×32-14×14×16-28×28×1, 28×28 images, float32" in printed
    assert "pixels an image: 28×28×1-14×14×16-7×7×32-7×7×64-7×7×32-14×14×16-28×28×1, batch 32, float32" in printed
    assert "skipped torch-channels-last: torch is not installed" in printed
    assert "time grows as images a batch to the power" in printed
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

    curves = json.loads(file.read_text())["curves"]
    assert [(p["batch_size"], p["side"]) for p in curves["batch"]["points"]] == [(32, 28), (64, 28)]
    assert [(p["batch_size"], p["side"]) for p in curves["pixels"]["points"]] == [(32, 28), (32, 40)]
    assert [p["size"] for p in curves["pixels"]["points"]] == [28 * 28, 40 * 40]
    for curve in curves.values():
        for point in curve["points"]:
            ours = point["peers"]["scratchae"]
            assert ours["us_per_example"] == pytest.approx(1e3 * ours["median_ms"] / point["batch_size"])
            assert ours["ns_per_pixel"] == pytest.approx(1e3 * ours["us_per_example"] / point["side"] ** 2)
            assert ours["peak_mib"] is None or ours["peak_mib"] > 0
        first, second = (point["peers"]["scratchae"]["median_ms"] for point in curve["points"])
        growth = curve["points"][1]["size"] / curve["points"][0]["size"]
        assert growth ** curve["exponents"]["scratchae"] == pytest.approx(second / first)


def test_the_exponent_is_that_of_a_power_law():
    sizes = np.array([32, 64, 512])
    assert scaling.exponent(sizes, 3 * sizes**0.7) == pytest.approx(0.7)


def test_images_of_every_size_come_back_in_their_size():
    model = scaling.CURVES["pixels"].build()
    for point in scaling.CURVES["pixels"].points:
        x = scaling.images(1, point.side)
        assert x.shape == model.reconstruct(x).shape == (1, point.side, point.side, 1)


def test_peak_memory_is_what_the_work_needs_at_most_and_not_what_came_before():
    def fill(mib):
        np.ones(mib * 2**17).sum()

    recycle_memory()  # so that the allocator keeps the 20 MiB, which the work would then use again
    fill(100)
    fill(20)
    peak = harness.peak_memory(lambda: fill(20))
    if peak is None:
        pytest.skip("no /proc/self/clear_refs to write to")
    assert 19 < peak < 40


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


# Anomalies


@given(
    values=st.lists(st.tuples(st.integers(0, 5), st.booleans()), min_size=2, max_size=20).filter(
        lambda values: len({abnormal for _, abnormal in values}) == 2
    )
)
def test_auc_counts_the_pairs(values):
    """Few different scores, so that many are equal: half a pair each."""
    scores, abnormal = np.array([s for s, _ in values], np.float32), np.array([a for _, a in values])
    pairs = [(a > n) + (a == n) / 2 for a in scores[abnormal] for n in scores[~abnormal]]
    assert anomaly.auc(scores, abnormal) == pytest.approx(sum(pairs) / len(pairs), abs=1e-12)


def test_auc_by_hand():
    abnormal = np.array([False, False, True, True])
    assert anomaly.auc(np.array([1.0, 2.0, 3.0, 4.0]), abnormal) == 1
    assert anomaly.auc(np.array([4.0, 3.0, 2.0, 1.0]), abnormal) == 0
    assert anomaly.auc(np.array([1.0, 3.0, 2.0, 4.0]), abnormal) == 0.75
    assert anomaly.auc(np.zeros(4), abnormal) == 0.5
    with pytest.raises(harness.BenchmarkError, match="AUC needs examples of both kinds, got 0 abnormal and 4 normal"):
        anomaly.auc(np.zeros(4), abnormal & False)


def test_a_model_learns_one_digit_and_is_judged_by_all(monkeypatch, capsys, tmp_path):
    data = strokes(600, 60)  # more of each digit than PCA has directions
    monkeypatch.setattr(anomaly, "load_data", lambda name, directory: data)
    trained = []
    fit = anomaly.fit
    monkeypatch.setattr(anomaly, "fit", lambda model, x, **o: trained.append((x, o["seed"])) or fit(model, x, **o))
    options = ["--presets", "deep", "no-such", "overcomplete", "--epochs", "1", "--seeds", "2"]
    assert anomaly.main([*options, "--json", str(tmp_path / "a.json")]) == 0
    assert [seed for _, seed in trained] == [0, 1] * 10
    for digit in range(10):
        x = trained[2 * digit][0]
        assert np.array_equal(np.rint(x * 255), data.train_images[data.train_labels == digit].reshape(-1, 784))
    output = capsys.readouterr().out
    assert "skipped no-such: there is no such preset" in output
    assert "skipped overcomplete: it is no model of images alone" in output
    assert "DCAE" in output and "0.897" in output and "Deep SVDD" in output and "0.948" in output
    record = json.loads((tmp_path / "a.json").read_text())
    assert [[len(seeds) for seeds in values] for values in record["auc"].values()] == [[2] * 10, [1] * 10]
    assert list(record["auc"]) == ["deep", "PCA-32"]
    x, others = (data.test_images / np.float32(255)).reshape(60, 784), data.test_labels != 3
    rows = (data.train_images[data.train_labels == 3] / np.float32(255)).reshape(-1, 784).astype(np.float64)
    _, _, directions = np.linalg.svd(rows - rows.mean(axis=0), full_matrices=False)
    rest = x - rows.mean(axis=0)
    error = ((rest - rest @ directions[:32].T @ directions[:32]) ** 2).sum(axis=1)
    won = np.mean([a > n for a in error[others] for n in error[~others]])
    assert record["auc"]["PCA-32"][3] == pytest.approx([won], abs=1e-3)
    for name, values in record["auc"].items():
        assert record["mean_auc"][name] == pytest.approx(np.mean([np.mean(seeds) for seeds in values]))
        assert f"{record['mean_auc'][name]:.3f}" in output


@pytest.mark.parametrize("part", ["train", "test"])
def test_a_digit_without_images_is_told_before_anything_is_trained(monkeypatch, capsys, part):
    whole = strokes(300, 60)
    kept = getattr(whole, f"{part}_labels") != 7
    fewer = {f"{part}_{what}": getattr(whole, f"{part}_{what}")[kept] for what in ("images", "labels")}
    monkeypatch.setattr(anomaly, "load_data", lambda name, directory: dataclasses.replace(whole, **fewer))
    monkeypatch.setattr(anomaly, "fit", None)
    assert anomaly.main(["--presets", "deep"]) == 1
    what = "training" if part == "train" else "test"
    assert f"7 as the normal class: the data have no {what} images of 7" in capsys.readouterr().err


def test_without_any_preset_there_is_nothing_to_do(capsys):
    assert anomaly.main(["--presets", "no-such"]) == 1
    assert "--presets no-such: no-such: there is no such preset" in capsys.readouterr().err
