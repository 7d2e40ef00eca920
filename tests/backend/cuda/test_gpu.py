"""What only a real GPU can show: the kernels as it compiles them, cuBLAS, recording, memory. Skipped where there is none.

The rest of the suite runs on a GPU too, wherever a test asks for `device`.
"""

import contextlib
import copy
import gc
import threading
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose
from real_gpu import gpu_problem
from test_kernels import NETS, TWINS
from test_steps import MODELS, epochs, prepared

import scratchae as s
from scratchae.backend import cuda, device_module, move, to_numpy
from scratchae.backend.cuda.graph import Recorded, memory

pytestmark = [pytest.mark.gpu, pytest.mark.skipif(gpu_problem() is not None, reason=f"no GPU: {gpu_problem()}")]
RTOL = {"float32": 1e-4, "float64": 1e-10}


@pytest.fixture
def xp():
    return device_module("gpu")


def numbers(*shape, dtype="float32"):
    return np.random.default_rng(0).standard_normal(shape).astype(dtype)


def calls(dtype):
    """For every kernel, arguments."""
    x, y, W = numbers(5, 6, 7, 3, dtype=dtype), numbers(5, 3, 4, 8, dtype=dtype), numbers(3, 3, 3, 8, dtype=dtype)
    geometry = {"kernel": (3, 3), "stride": (2, 2), "padding": (1, 1)}
    columns = np.ascontiguousarray(TWINS["im2col"](x, **geometry))
    logits = 3 * numbers(40, 50, dtype=dtype)
    p, target = TWINS["sigmoid"](logits), abs(np.sin(logits))
    return {
        "sigmoid": (logits,),
        "softplus": (logits,),
        "sigmoid_backward": (p, logits),
        "relu": (logits,),
        "relu_backward": (np.maximum(logits, 0), logits),
        "pixel_costs": (logits, p, target),
        "im2col": (x, *geometry.values()),
        "col2im": (columns, (6, 7), *geometry.values()),
        "matmul_col2im": (y, W, (6, 7), (2, 2), (1, 1)),
        "among_largest": (logits, 7),
        "take_batch": (x, np.arange(5)[::-1].copy(), np.array(1, np.uint32), 2, 2),
    }


@pytest.mark.parametrize("dtype", RTOL)
def test_kernels(xp, dtype):
    for name, arguments in calls(dtype).items():
        on_device = [move(a, "gpu") if isinstance(a, np.ndarray) else a for a in arguments]
        got = getattr(xp.kernels, name)(*on_device)
        assert_allclose(got.get(), TWINS[name](*arguments), rtol=RTOL[dtype], atol=RTOL[dtype], err_msg=name)


@pytest.mark.parametrize("dtype", RTOL)
def test_products(xp, dtype):
    a, b = numbers(33, 65, dtype=dtype), numbers(65, 17, dtype=dtype)
    on_a, on_b = move(a, "gpu"), move(b, "gpu")
    for got, expected in (
        (xp.matmul(on_a, on_b), a @ b),
        (xp.matmul(on_a.T, on_a), a.T @ a),
        (xp.matmul(on_b.T, on_a.T), b.T @ a.T),
        (xp.matmul(on_a[:, 5:20], on_b[5:20]), a[:, 5:20] @ b[5:20]),
        (xp.matmul(on_a[0], on_b), a[0] @ b),
        (xp.vdot(on_a, on_a), np.vdot(a, a)),
    ):
        assert_allclose(got.get(), expected, rtol=RTOL[dtype], atol=100 * RTOL[dtype])


@pytest.mark.parametrize("dtype", RTOL)
@pytest.mark.parametrize("net", NETS)
def test_training_is_that_of_the_cpu(net, dtype):
    x, found = np.random.default_rng(0).random((50, 16)).astype(dtype), {}
    for device in ("cpu", "gpu"):
        model = NETS[net]().to(dtype=dtype)
        s.fit(model, x, epochs=4, batch_size=8, optimizer=s.SGD(0.01), device=device, progress=False)
        found[device] = model.to("cpu").parameters
    assert_allclose(found["gpu"], found["cpu"], rtol=RTOL[dtype], atol=RTOL[dtype])


@pytest.mark.parametrize("name", MODELS)
def test_every_model_records_and_replays_what_eager_steps_do(name):
    x = np.random.default_rng(0).random((10, 6)).astype(np.float32)
    if name in ("cvae", "classifier", "adversarial"):
        x[:, 4:] = np.eye(2)[np.arange(10) % 2]
    found = []
    first = MODELS[name]()
    for options in ({}, {"recorded": lambda step: step}):
        model = copy.deepcopy(first)
        steps = prepared("gpu", model, x.astype(model.parameters.dtype), **options)
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            found.append((epochs(steps, 6), to_numpy(steps.model.parameters).tobytes()))
        if not options:
            assert all(isinstance(run, Recorded) and run.graph is not None for run in steps.run.values())
    assert found[0] == found[1]


def test_two_runs_are_equal():
    runs = []
    for _ in range(2):
        steps = prepared(
            "gpu", NETS["convolutions"]().to(dtype=np.float32), np.random.default_rng(0).random((50, 16)).astype("f")
        )
        runs.append((epochs(steps, 5), to_numpy(steps.model.parameters).tobytes()))
    assert runs[0] == runs[1]


def test_threads_that_train_at_once_do_what_one_alone_does():
    x, found = np.random.default_rng(0).random((5000, 16)).astype("f"), []

    def train():
        model = NETS["dense"]().to(dtype=np.float32)
        s.fit(model, x, epochs=4, batch_size=50, optimizer=s.Adam(), device="gpu", progress=False)
        found.append(to_numpy(model.parameters).tobytes())

    train()
    threads = [threading.Thread(target=train) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(found) == 4 and len({*found}) == 1


def test_a_changed_number_is_seen():
    """One that a recording holds: after it was changed, training goes on with the new one."""
    found = []
    for options in ({}, {"recorded": lambda step: step}):
        model = s.VAE(
            *(s.Dense(*sizes, rng=i) for i, sizes in enumerate([(6, 4), (4, 2), (4, 2), (2, 6)])), loss=s.MSE()
        )
        steps = prepared("gpu", model, numbers(10, 6), **options)
        rows = epochs(steps, 4)
        model.beta = 3.0
        found.append((rows, epochs(steps, 4, first=4), to_numpy(model.parameters).tobytes()))
    assert found[0] == found[1]


def test_noise_is_drawn_anew_on_each_replay(xp):
    rng, drawn = xp.random.default_rng(0), xp.zeros((4, 5), dtype=np.float32)

    def step():
        drawn[...] = rng.standard_normal((4, 5), dtype=np.float32)
        rng.advance()

    recorded, seen = Recorded(xp.cupy, step), set()
    for _ in range(10):
        recorded()
        seen.add(drawn.get().tobytes())
    assert recorded.graph is not None and len(seen) == 10


def taken(xp):
    """The bytes that this process has taken for arrays: the device's own figure counts other processes too."""
    return xp.cupy.get_default_memory_pool().total_bytes(), memory(xp.cupy).pool.total_bytes()


def test_memory_does_not_grow_over_a_thousand_replays(xp):
    steps = prepared(
        "gpu", NETS["convolutions"]().to(dtype=np.float32), np.random.default_rng(0).random((40, 16)).astype("f")
    )
    epochs(steps, 5)
    used = taken(xp)
    for epoch in range(100):  # of ten steps
        epochs(steps, 1, first=epoch)
    cuda.synchronize()
    assert taken(xp) == used


def test_memory_does_not_grow_from_one_training_to_the_next(xp):
    x, used = np.random.default_rng(0).random((5000, 16)).astype("f"), []
    for _ in range(8):
        s.fit(NETS["convolutions"](), x, epochs=2, batch_size=1000, optimizer=s.Adam(), device="gpu", progress=False)
        gc.collect()  # steps and their recordings refer to each other
        cuda.synchronize()
        used.append(taken(xp))
    assert used[-1] == used[3]


def test_a_layer_that_counts_is_not_recorded_and_trains_as_on_the_cpu():
    class Counting(s.Layer):
        def __init__(self):
            self.steps = 0

        def forward(self, x, rng=None):
            self.steps += 1
            return x * (1 + 1 / self.steps)

        def backward(self, dy):
            return dy * (1 + 1 / self.steps)

    x, found = np.random.default_rng(0).random((40, 6)).astype("f"), []
    for device in ("cpu", "gpu"):
        model = s.Autoencoder(s.Sequential(Counting(), s.Dense(6, 3, rng=0)), s.Dense(3, 6, rng=1), loss=s.MSE())
        with (
            pytest.warns(RuntimeWarning, match="steps, which a replay")
            if device == "gpu"
            else contextlib.nullcontext()
        ):
            s.fit(model, x, epochs=3, batch_size=8, optimizer=s.SGD(0.1), device=device, progress=False)
        found.append(to_numpy(model.parameters))
    assert_allclose(found[1], found[0], rtol=1e-4)


def test_a_step_that_reads_cannot_be_recorded_and_says_so():
    class Reads(s.Autoencoder):
        def training_step(self, x, rng=None):
            metrics = super().training_step(x, rng)
            float(metrics["loss"])
            return metrics

    x = np.random.default_rng(0).random((40, 6)).astype("f")
    model = Reads(s.Dense(6, 3), s.Dense(3, 6), loss=s.MSE())
    with pytest.warns(RuntimeWarning, match="cannot be recorded as a CUDA graph"):
        history = s.fit(model, x, epochs=3, batch_size=8, optimizer=s.Adam(), device="gpu", progress=False)
    assert history["loss"][-1] < history["loss"][0]
