"""Every kernel against its plain twin. The source is the same for every device: here it runs on the CPU, and NVRTC compiles it
for GPUs.
"""

import re
import shutil

import numpy as np
import pytest
import strict
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import losses, optimizers
from scratchae.backend.kernels import SOURCE, TYPES, Kernels, host
from scratchae.backend.kernels.generator import Generator
from scratchae.layers import activations, patches, sparsity
from scratchae.training import steps

pytestmark = pytest.mark.skipif(shutil.which("g++") is None, reason="needs the C++ compiler g++")
RTOL = {"float32": 2e-6, "float64": 1e-14}
on_device = strict.asarray


def launch(name, dtype, n, *arguments):
    """host.launch, also of the stand-in's arrays."""
    held = [getattr(a, "_array", a) for a in arguments]
    assert all(a.flags.c_contiguous for a in held if isinstance(a, np.ndarray))
    host.launch(name, dtype, n, *held)


@pytest.fixture(params=TYPES)
def dtype(request):
    return request.param


@pytest.fixture
def kernels():
    return Kernels(strict, launch)


def numbers(*shape, seed=0, dtype="float32", scale=3.0):
    return (scale * np.random.default_rng(seed).standard_normal(shape)).astype(dtype)


TWINS = {
    "sigmoid": activations.sigmoid,
    "softplus": activations.softplus,
    "sigmoid_backward": activations.sigmoid_backward,
    "relu": activations.relu,
    "relu_backward": activations.relu_backward,
    "pixel_costs": losses.pixel_costs,
    "im2col": patches.im2col,
    "col2im": patches.col2im,
    "matmul_col2im": patches.matmul_col2im,
    "among_largest": sparsity.among_largest,
    "take_batch": steps.take_batch,
    "adam": optimizers.adam,
}


def test_every_kernel_has_a_twin_and_every_twin_a_kernel():
    functions = {name for name, value in vars(Kernels).items() if callable(value) and name[0] != "_"}
    assert functions - {"get", "elementwise"} == TWINS.keys()
    for name, twin in TWINS.items():
        assert twin.__name__ == name and hasattr(twin, "__wrapped__"), f"{name} is not decorated with one_kernel"
    in_the_source = set(re.findall(r"^KERNEL (\w+)", SOURCE, re.MULTILINE))
    assert in_the_source == TWINS.keys() - {"matmul_col2im"} | {"uniform", "normal", "advance"}


def agree(kernels, name, *arrays, **settings):
    dtype = str(arrays[0].dtype)
    got = getattr(kernels, name)(*map(on_device, arrays), **settings).get()
    expected = TWINS[name](*arrays, **settings)
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert_allclose(got, expected, rtol=RTOL[dtype], atol=RTOL[dtype])


EXTREME = np.array([-1e4, -100, -87.5, -1, -0.0, 0, 1e-3, 1, 87.5, 100, 1e4])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "relu"])
def test_activations(kernels, name, dtype):
    agree(kernels, name, numbers(7, 5, dtype=dtype))
    agree(kernels, name, EXTREME.astype(dtype))


@pytest.mark.parametrize("name", ["sigmoid_backward", "relu_backward"])
def test_derivatives(kernels, name, dtype):
    y = np.maximum(numbers(7, 5, dtype=dtype), 0) / 8
    agree(kernels, name, y, numbers(7, 5, seed=1, dtype=dtype))
    agree(kernels, name, y.T, numbers(5, 7, seed=1, dtype=dtype))  # not in the order of memory


def test_the_cost_of_a_pixel(kernels, dtype):
    a = np.concatenate([numbers(40, dtype=dtype), EXTREME.astype(dtype)])
    for target in (np.zeros_like(a), np.ones_like(a), (np.arange(len(a)) / len(a)).astype(dtype)):
        agree(kernels, "pixel_costs", a, activations.sigmoid(a), target)


@given(st.data())
def test_images_and_patches(data):
    kernels = Kernels(strict, launch)
    whole = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    N, C = whole(1, 3), whole(1, 5)
    kernel, stride, padding = ((whole(1, 4), whole(1, 4)), (whole(1, 3), whole(1, 3)), (whole(0, 2), whole(0, 2)))
    size = tuple(whole(max(1, k - 2 * p), 8) for k, p in zip(kernel, padding, strict=True))
    x = numbers(N, *size, C, seed=whole(0, 9), dtype="float64")
    agree(kernels, "im2col", x, kernel=kernel, stride=stride, padding=padding)
    columns = numbers(*patches.im2col(x, kernel, stride, padding).shape, dtype="float64")
    agree(kernels, "col2im", columns, size=size, kernel=kernel, stride=stride, padding=padding)
    OH, OW = (patches.count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
    y, W = numbers(N, OH, OW, 4, dtype="float64"), numbers(*kernel, C, 4, dtype="float64")
    got = kernels.matmul_col2im(on_device(y), on_device(W), size, stride, padding).get()
    assert_allclose(got, patches.matmul_col2im(y, W, size, stride, padding), rtol=1e-12, atol=1e-12)


@pytest.mark.parametrize("k", [1, 3, 6])
def test_the_largest_of_a_row(kernels, k, dtype):
    rows = numbers(20, 6, dtype=dtype)
    rows[:5] = np.round(rows[:5])  # with ties
    rows[0] = 0
    assert_array_equal(kernels.among_largest(on_device(rows), k).get(), TWINS["among_largest"](rows, k))


def test_a_batch(kernels, dtype):
    x, order = numbers(10, 3, 2, dtype=dtype), np.random.default_rng(1).permutation(10)
    for position, rows in ((0, 4), (1, 4), (2, 2)):
        where = np.array(position, np.uint32)
        got = kernels.take_batch(on_device(x), on_device(order), on_device(where), 4, rows).get()
        assert_array_equal(got, x[order[position * 4 :][:rows]])
        assert_array_equal(got, steps.take_batch(x, order, where, 4, rows))


def test_adam(kernels, dtype):
    optimizer = s.Adam(0.1, weight_decay=0.5)
    host = [numbers(50, seed=i, dtype=dtype) for i in range(4)]
    host[3] = abs(host[3])
    device = [on_device(v) for v in host]
    for t in range(3):
        coefficients = np.array(optimizer.coefficients(t), dtype)
        kernels.adam(*device, on_device(coefficients), 0.9, 0.999, True)
        optimizers.adam(*host, optimizer.coefficients(t), 0.9, 0.999, True)
    for got, expected in zip(device, host, strict=True):
        assert_allclose(got.get(), expected, rtol=20 * RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("betas", [(0, 0.999), (0.9, 0)])
def test_adam_without_memory(betas):
    """A 0 that is written as a whole number is passed as a floating-point one all the same."""
    one, other = ([abs(numbers(50, seed=i)) for i in range(4)] for _ in range(2))
    coefficients = s.Adam(0.1, *betas).coefficients(3)
    Kernels(np, host.launch).adam(*one, np.array(coefficients, "f"), *betas)
    optimizers.adam(*other, coefficients, *betas)
    for got, expected in zip(one, other, strict=True):
        assert_allclose(got, expected, rtol=1e-4, atol=1e-6)


def test_the_source_is_plain_ascii():
    """CuPy writes it to a file in the encoding of the system, which may know no other characters."""
    assert SOURCE.isascii()


# Random numbers


def generator(seed=0):
    return Generator(strict, launch, seed)


def philox(counter, key):
    """Philox4x32-10 in Python's numbers."""
    low, (c0, c1, c2, c3), (k0, k1) = 2**32 - 1, counter, key
    for _ in range(10):
        a, b = 0xD2511F53 * c0, 0xCD9E8D57 * c2
        c0, c1, c2, c3 = (b >> 32) ^ c1 ^ k0, b & low, (a >> 32) ^ c3 ^ k1, a & low
        k0, k1 = (k0 + 0x9E3779B9) & low, (k1 + 0xBB67AE85) & low
    return c0, c1, c2, c3


ONES = 0xFFFFFFFF


@pytest.mark.parametrize(
    ("counter", "key", "words"),
    [
        ((0,) * 4, (0,) * 2, (0x6627E8D5, 0xE169C58D, 0xBC57AC4C, 0x9B00DBD8)),
        ((ONES,) * 4, (ONES,) * 2, (0x408F276D, 0x41C83B0E, 0xA20BC7C6, 0x6D5451FD)),
        (
            (0x243F6A88, 0x85A308D3, 0x13198A2E, 0x03707344),
            (0xA4093822, 0x299F31D0),
            (0xD16CFE09, 0x94FDCCEB, 0x5001E420, 0x24126EA1),
        ),
    ],
)
def test_philox_has_its_authors_answers(counter, key, words):
    """kat_vectors of the Random123 library."""
    assert philox(counter, key) == words


@given(st.lists(st.integers(0, ONES), min_size=4, max_size=4))
def test_the_kernel_is_philox(words):
    rng = generator()
    rng.state[...] = on_device(np.array(words[:3], np.uint32))
    rng.draws = words[3]
    drawn = (rng.random(3, np.float64).get() * 2**53).astype(int)
    for place, number in enumerate(drawn):
        high, low, *_ = philox((place, 0, words[3], words[2]), words[:2])
        assert number == (high << 32 | low) >> 11


@pytest.mark.parametrize("name", ["random", "standard_normal"])
def test_random_numbers(name, dtype):
    rng = generator(3)
    x = getattr(rng, name)((400, 500), dtype=dtype).get()
    assert x.dtype == dtype and x.shape == (400, 500) and np.isfinite(x).all()
    mean, variance, fourth = (0.5, 1 / 12, 1 / 80) if name == "random" else (0, 1, 3)
    centred = x.astype(float) - mean
    spread = 5 / np.sqrt(x.size)
    assert abs(centred.mean()) < spread and abs((centred**2).mean() / variance - 1) < 2 * spread
    assert abs((centred**4).mean() / fourth - 1) < 5 * spread
    for a, b in ((x[:, 1:], x[:, :-1]), (x[1:], x[:-1])):  # neighbours are strangers
        assert abs(np.corrcoef(a.ravel(), b.ravel())[0, 1]) < spread
    if name == "random":
        assert x.min() >= 0 and x.max() < 1


def test_draws_steps_and_seeds_differ_and_repeat():
    rng, drawn = generator(1), []
    for _ in range(3):
        drawn += [rng.standard_normal(8).get().tobytes(), rng.standard_normal(8).get().tobytes()]
        rng.advance()
    assert int(rng.position) == 3
    assert len(set(drawn)) == 6
    state = rng.state
    rng.reseed(1)
    assert rng.state is state and int(rng.position) == 0
    assert rng.standard_normal(8).get().tobytes() == drawn[0]
    assert generator(2).standard_normal(8).get().tobytes() != drawn[0]
    assert generator(np.random.SeedSequence(1)).standard_normal(8).get().tobytes() == drawn[0]


# Whole models on these kernels, as a GPU would run them


@pytest.fixture
def as_on_a_gpu(stand_in, monkeypatch, kernels):
    """The stand-in, with our kernels and random numbers."""
    monkeypatch.setattr(stand_in, "kernels", kernels, raising=False)
    monkeypatch.setattr(
        stand_in.random, "default_rng", lambda seed=None: seed if isinstance(seed, Generator) else generator(seed)
    )
    return stand_in


NETS = {
    "dense": lambda: s.Autoencoder(
        s.Sequential(s.Dense(16, 8, rng=1), s.ReLU(), s.KSparse(3)),
        s.Sequential(s.Dense(8, 16, rng=2), s.Sigmoid()),
        loss=s.MSE(),
    ),
    "convolutions": lambda: s.Autoencoder(
        s.Sequential(s.Reshape((4, 4, 1)), s.Conv2d(1, 3, 3, stride=2, padding=1, rng=1), s.ReLU()),
        s.Sequential(s.ConvTranspose2d(3, 1, 3, stride=2, padding=1, output_padding=1, rng=2), s.Flatten()),
        loss=s.BCEWithLogits(),
    ),
}


@pytest.mark.parametrize("net", NETS)
@pytest.mark.parametrize(
    "optimizer", [lambda: s.Adam(s.Cosine(0.01, 60), weight_decay=0.01, clip_norm=1.0), lambda: s.SGD(0.1, 0.9)]
)
def test_training_is_that_of_the_cpu(as_on_a_gpu, net, optimizer):
    x = np.random.default_rng(0).random((50, 16))
    parameters = {}
    for device in ("cpu", "gpu"):
        model = NETS[net]().to(dtype=np.float64)
        s.fit(model, x, epochs=4, batch_size=8, optimizer=optimizer(), device=device, progress=False)
        parameters[device] = model.to("cpu").parameters
    assert_allclose(parameters["gpu"], parameters["cpu"], rtol=1e-9, atol=1e-11)


def test_noise_of_a_recorded_step(as_on_a_gpu):
    """It is drawn anew in every step, and again the same in a second run."""
    layer, seen = s.GaussianNoise(0.3), []

    class Watching(s.Autoencoder):
        def training_step(self, x, rng=None):
            metrics = super().training_step(x, rng)
            seen.append(layer.noise._array.tobytes())
            return metrics

    for _ in range(2):
        model = Watching(s.Sequential(layer, s.Dense(4, 2)), s.Dense(2, 4), loss=s.MSE())
        s.fit(
            model, np.ones((32, 4), "f"), epochs=3, batch_size=8, optimizer=s.SGD(0.01), device="gpu", progress=False
        )
    assert len(set(seen[:12])) == 12 and seen[:12] == seen[12:]


# NVRTC


@pytest.mark.parametrize("architecture", ["sm_75", "sm_80", "sm_90"])
def test_every_source_compiles_for_gpus(architecture, dtype):
    nvrtc = pytest.importorskip("cupy_backends.cuda.libs.nvrtc", reason="needs CuPy, with NVRTC")
    program = nvrtc.createProgram(SOURCE, "kernels.cu", (), ())
    try:
        nvrtc.compileProgram(program, (f"-arch={architecture}", "--std=c++17", f"-DREAL={TYPES[dtype]}"))
    except Exception as error:
        if "NotFound" in type(error).__name__:
            pytest.skip(f"NVRTC is not installed: pip install nvidia-cuda-nvrtc ({error})")
        pytest.fail(nvrtc.getProgramLog(program))
