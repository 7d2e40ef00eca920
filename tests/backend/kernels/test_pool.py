"""One pool of threads for the compiled kernels and for OpenBLAS: the same numbers, whoever asks, how many there are, and whatever becomes
of the process.
"""

import ctypes
import os
import subprocess
import sys
import threading

import numpy as np
import pytest

import scratchae as sae
from scratchae.backend import kernels
from scratchae.backend.cpu import blas_threads, threads
from scratchae.backend.kernels import host
from scratchae.layers import activations

pytestmark = pytest.mark.skipif(
    host.shutil.which("g++") is None or host.blas_function("openblas_set_threads_callback_function") is None,
    reason="needs g++, and an OpenBLAS that can be given threads",
)
rng = np.random.default_rng(0)
A, B = rng.standard_normal((2, 300, 300)).astype(np.float32)
X = rng.standard_normal(100_003).astype(np.float32)  # no multiple of a vector's length


def callback():
    """The threads that OpenBLAS has been given; None for its own. Skips where the library hides that."""
    dynlib = next(lib.dynlib for lib in blas_threads().lib_controllers if "numpy" in lib.filepath)
    try:
        return ctypes.c_void_p.in_dll(dynlib, "openblas_threads_callback_").value
    except ValueError:
        pytest.skip("this OpenBLAS does not show its threads")


def numbers():
    """What the kernels that are shared make of the same arrays."""
    θ = X.copy()
    optimizer = sae.Adam(0.01)
    for _ in range(3):
        optimizer.update(θ, X)
    p = activations.sigmoid(X)
    return [p, activations.softplus(X), *sae.BCEWithLogits()(X[None], p[None]), θ]


def in_process(script, **environment):
    """What a script prints in a process of its own, after `compile_kernels`."""
    head = "import numpy as np, os, sys, threading, time, scratchae as sae\nfrom scratchae.layers.activations import sigmoid\n"
    head += "a, b = np.random.default_rng(0).random((2, 400, 400), dtype='f')\nx = a.ravel()\nwith sae.threads(1): right = a @ b\n"
    head += "sae.compile_kernels()\nwith sae.threads(1): fine = sigmoid(x)\n"
    done = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", head + script],
        env=os.environ | {"OPENBLAS_NUM_THREADS": "2"} | environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", None)
    with sae.compile_kernels():
        yield


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_the_numbers_of_kernels_are_the_same_on_any_number_of_threads(compiled, n):
    with threads(1):
        expected = numbers()
    with threads(n):
        for got, right in zip(numbers(), expected, strict=True):
            np.testing.assert_array_equal(got, right)


@pytest.mark.parametrize("n", [1, 2, 3, 5])
def test_a_product_is_what_openblas_makes_of_it_on_as_many_threads_of_its_own(monkeypatch, n):
    monkeypatch.setattr(kernels, "compiled", None)
    with threads(n):
        own = A @ B
        with sae.compile_kernels():
            np.testing.assert_array_equal(A @ B, own)
        np.testing.assert_array_equal(A @ B, own)


def test_the_way_back_is_one(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", None)
    before = callback()
    with sae.compile_kernels():
        shared = callback()
        assert shared is not None and kernels.compiled.shares
        with sae.compile_kernels():
            assert callback() == shared
        assert callback() == shared
    assert callback() == before and kernels.compiled is None


def test_without_a_way_to_give_openblas_threads_each_keeps_its_own(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", None)
    before = callback()
    with sae.compile_kernels():
        expected = numbers()
    monkeypatch.setattr(host, "blas_function", lambda name: None)
    with sae.compile_kernels():
        assert callback() == before and not kernels.compiled.shares
        for got, right in zip(numbers(), expected, strict=True):
            np.testing.assert_array_equal(got, right)


def test_several_threads_multiply_at_the_same_time(compiled):
    """OpenBLAS's jobs wait for each other, so that of two products that meet the second must wait."""
    with threads(2):
        right, fine = A @ B, activations.sigmoid(X)
    wrong = []

    def work():
        for _ in range(20):
            if not (right == A @ B).all() or not (activations.sigmoid(X) == fine).all():
                wrong.append(threading.get_ident())

    with threads(2):
        users = [threading.Thread(target=work, daemon=True) for _ in range(4)]
        for user in users:
            user.start()
        for user in users:
            user.join(timeout=60)
    assert not wrong and not any(user.is_alive() for user in users)


@pytest.mark.parametrize("n", ["1", "2", "7"])
def test_any_number_of_threads_from_the_start(n):
    out = in_process("print(np.allclose(a @ b, right), (sigmoid(x) == fine).all())", OPENBLAS_NUM_THREADS=n)
    assert out == "True True\n"


FORKS = """
{before}
for _ in range(10):
    child = os.fork()
    if not child:
        os._exit(not (np.allclose(a @ b, right) and (sigmoid(x) == fine).all()))
    assert os.waitpid(child, 0)[1] == 0
    assert (sigmoid(x) == fine).all()
print("done")
"""


@pytest.mark.skipif(not hasattr(os, "fork"), reason="this system does not fork")
@pytest.mark.parametrize("before", ["", "a @ b, sigmoid(x)"])
def test_a_forked_child_has_threads_of_its_own(before):
    assert in_process(FORKS.format(before=before)) == "done\n"


def test_processes_that_are_spawned_train(compiled, tmp_path):
    """Such as those of `search`: each has kernels and a pool of its own."""
    script = tmp_path / "spawned.py"
    script.write_text(
        "import multiprocessing, numpy as np, scratchae as sae\n"
        "def work(seed):\n"
        "    sae.compile_kernels()\n"
        "    net = sae.Autoencoder(sae.Dense(300, 200, rng=seed), sae.Sequential(sae.Dense(200, 300, rng=seed), sae.Sigmoid()), loss=sae.MSE())\n"
        "    x = np.random.default_rng(0).random((256, 300), dtype='f')\n"
        "    return sae.fit(net, x, epochs=2, batch_size=128, optimizer=sae.Adam(), progress=False)['loss'][-1]\n"
        "if __name__ == '__main__':\n"
        "    with multiprocessing.get_context('spawn').Pool(2) as pool:\n"
        "        losses = pool.map(work, [1, 1, 2])\n"
        "    print(losses[0] == losses[1] != losses[2])\n"
    )
    done = subprocess.run([sys.executable, str(script)], capture_output=True, text=True, timeout=120, check=False)
    assert done.stdout == "True\n", done.stderr
