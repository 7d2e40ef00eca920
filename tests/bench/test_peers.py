"""Every peer does the same work as scratchae, whatever the model."""

import importlib.util
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae import (
    BCE,
    L1,
    MSE,
    VAE,
    Adam,
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
from scratchae.backend import to_numpy
from scratchae.bench import agreement, comparison, harness, peers
from scratchae.bench.peers import in_jax, in_torch, noise, ours, translations
from scratchae.bench.peers.ours import Scratchae, our_step
from scratchae.models import parallel
from scratchae.presets import find_preset


@pytest.mark.slow
@pytest.mark.parametrize("name", ["torch", "torch-channels-last", "jax"])
def test_peers_compute_what_scratchae_computes(name, tmp_path):
    """Every layer, loss and model that has a translation."""
    library = name.partition("-")[0]
    if importlib.util.find_spec(library) is None:
        pytest.skip(f"{library} is not installed")
    compute("scratchae", tmp_path)
    # the library stays out of this process, where its warnings about threads and forks would meet the other tests
    code = "import sys; sys.path.insert(0, sys.argv[1]); import test_peers; test_peers.compute(*sys.argv[2:])"
    subprocess.run([sys.executable, "-c", code, Path(__file__).parent, name, tmp_path], check=True)
    for case in models():
        with np.load(tmp_path / f"scratchae-{case}.npz") as ours, np.load(tmp_path / f"{name}-{case}.npz") as theirs:
            agreement.require_agreement(name, dict(ours), dict(theirs), comparison.TOLERANCE)


def compute(name, folder):
    """Write what must agree, for each model, to files."""
    for case, model in models().items():
        shape = (8, 6, 2) if case == "images" else (5,)
        x = np.random.default_rng(1).random((7, *shape), dtype=np.float32)
        worker = comparison.StepWorker(name)
        worker.peer = peers.PEERS[name].build(model, x, "cpu")
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
    assert tested == translations.TRANSLATIONS.keys()
    assert {type(model.loss) for model in models().values()} == translations.LOSSES.keys()
    tested = {type(model) for model in models().values()}
    assert tested == noise.MODELS.keys() == in_torch.TORCH_OBJECTIVES.keys() == in_jax.JAX_OBJECTIVES.keys()


@pytest.mark.parametrize(("parts", "least"), [(1, 2**20), (2, 100), (4, 40)])
def test_the_noise_handed_to_peers_is_what_scratchae_draws(parts, least, monkeypatch):
    """Of a batch for which the layers put out 7 · 27 numbers, whole and in parts."""
    monkeypatch.setattr(parallel, "LEAST", least)
    model, x = small_vae(np.random.default_rng(0)), np.random.default_rng(1).random((7, 5), dtype=np.float32)
    draw = noise.noise(model, x, 3)
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
    assert noise.noise(models()["VAE"], np.zeros((7, 5), np.float32), None)() == ()
    assert noise.noise(models()["MSE"], np.zeros((7, 5), np.float32), 0)() == ()


def test_peers_are_those_that_differ_for_the_model_and_the_device():
    """The layout of images makes no difference without images, nor recording a step on a CPU, nor compiling kernels for one on a GPU."""
    plain = ["scratchae", "torch", "torch-fused", "torch-compile", "jax"]
    on_cpu = [plain[0], "scratchae-compiled", *plain[1:]]
    assert peers.peers_of(models()["layers"]) == on_cpu
    on_gpu = [*plain, "scratchae-eager", "torch-compile-graphs"]
    assert sorted(peers.peers_of(models()["layers"], "gpu")) == sorted(on_gpu)
    images = ["torch-channels-last", "torch-compile-channels-last"]
    assert sorted(peers.peers_of(models()["images"])) == sorted([*on_cpu, *images])
    assert peers.peers_of(models()["images"], "gpu") == [name for name in peers.PEERS if name != "scratchae-compiled"]


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
        peers.require_translatable(comparison.model_of(find_preset(name)))


# scratchae's own step, on every device


def dense(rng):
    return Autoencoder(Sequential(Dense(5, 4, rng=rng), Tanh()), Sequential(Dense(4, 5, rng=rng)), loss=MSE())


@pytest.mark.parametrize("build", [dense, small_vae])
def test_every_device_computes_what_the_cpu_does(device, build):
    """Loss, gradients, and parameters after steps, whatever is drawn; and again after a reset."""
    x = np.random.default_rng(1).random((7, 5), dtype=np.float32)
    found = []
    for where in ("cpu", device):
        peer = Scratchae(build(np.random.default_rng(0)), x, where)
        peer.reset(3)
        loss, gradients = peer.gradients()
        for _ in range(2):
            peer.reset(3)
            for _ in range(5):
                peer.step()
            found.append({"loss": np.array(loss), **gradients, **peer.parameters()})
    for other in found[1:]:
        agreement.require_agreement(device, found[0], other, 1e-6)


def test_a_step_on_a_gpu_goes_on_through_epochs_of_the_same_batch(stand_in, monkeypatch):
    monkeypatch.setattr(ours, "ROWS", 0)  # the shortest epochs
    x = np.random.default_rng(1).random((7, 5), dtype=np.float32)
    model, twin = (dense(np.random.default_rng(0)) for _ in range(2))
    optimizer, other = Adam(), Adam()
    step = our_step(model.to("gpu"), optimizer, stand_in.asarray(x), "gpu")
    host = our_step(twin, other, x, "cpu")
    for _ in range(2 * ours.LEAST_STEPS + 1):
        step()
        host()
    assert step.epoch == 3 and optimizer.t == other.t and step.problem is None
    assert np.allclose(to_numpy(model.parameters), twin.parameters, rtol=1e-5, atol=1e-7)
