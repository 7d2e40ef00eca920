"""Which module an array belongs to, moving between devices, and the work in blocks."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest
import strict
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_array_equal

from scratchae import backend
from scratchae.backend import BLOCK, SHARED_BLOCK, array_module, cpu, device_module, in_blocks, move, to_numpy
from scratchae.errors import ArrayTypeError, DeviceError

# The module of an array


def test_array_module_of_numpy():
    for x in (np.zeros(3), np.float32(1), np.zeros(3).view(np.memmap), np.zeros((2, 2)).sum()):
        assert array_module(x) is np


def test_array_module_of_a_device_array(device, xp):
    assert array_module(xp.zeros(3)) is xp
    assert array_module(xp.zeros(3).sum()) is xp
    assert device_module(device) is xp


@pytest.mark.parametrize("x", [[1.0, 2.0], 3.0, None, "x"])
def test_array_module_refuses_what_is_no_array(x):
    with pytest.raises(ArrayTypeError, match=rf"got {type(x).__name__}.*numpy.asarray"):
        array_module(x)


def test_array_module_of_a_cupy_array_is_the_gpu_module(stand_in):
    """The GPU module may replace some of CuPy's names, so a CuPy array must not lead to plain CuPy."""
    fake = type("ndarray", (), {"__module__": "cupy"})()
    assert array_module(fake) is stand_in


# Devices


def test_unknown_device():
    with pytest.raises(DeviceError, match=r"device='tpu': expected 'cpu' or 'gpu'"):
        device_module("tpu")


def test_cupy_is_not_imported_on_the_cpu():
    code = (
        "import sys, numpy as np, scratchae as s\n"
        "m = s.Autoencoder(s.Dense(4, 2), s.Dense(2, 4), loss=s.MSE())\n"
        "s.fit(m, np.ones((8, 4), 'f'), epochs=1, batch_size=4, optimizer=s.Adam(), progress=False)\n"
        "assert 'cupy' not in sys.modules and 'matplotlib' not in sys.modules\n"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_move_there_and_back(device, xp):
    x = np.random.default_rng(0).standard_normal((3, 4))
    there = move(x, device)
    assert array_module(there) is xp
    assert_array_equal(to_numpy(move(there, "cpu")), x)
    assert type(move(there, "cpu")) is np.ndarray
    narrow = move(x, device, np.float32)
    assert narrow.dtype == np.float32
    assert_array_equal(to_numpy(narrow), x.astype(np.float32))


def test_move_without_a_reason_gives_the_same_array(device, xp):
    x = xp.zeros((2, 3))
    assert move(x) is x
    assert move(x, device) is x
    assert move(x, device, np.float64) is x


def test_move_between_devices_copies(stand_in):
    x = np.zeros(3)
    there = move(x, "gpu")
    x += 1
    assert_array_equal(to_numpy(there), 0)


def test_to_numpy_of_numpy_and_of_scalars():
    x = np.zeros(3)
    assert to_numpy(x) is x
    assert to_numpy(np.float32(2)).shape == ()


# Memory


def test_recycle_memory_can_be_called_anywhere(monkeypatch):
    backend.recycle_memory()
    backend.recycle_memory()

    def no_library(_):
        raise OSError("no such library")

    monkeypatch.setattr(cpu.ctypes, "CDLL", no_library)
    backend.recycle_memory.__wrapped__()
    monkeypatch.setattr(cpu.ctypes, "CDLL", lambda _: object())  # a C library without mallopt
    backend.recycle_memory.__wrapped__()


# Work in blocks


def formula(a, b, c):
    """Changes a and b with elementwise arithmetic that rounds, so that a wrong split shows in the bits."""
    a *= 0.9
    a += b / 3
    np.sqrt(np.abs(a), out=b)
    b += c


def vectors(n):
    rng = np.random.default_rng(n)
    return [rng.standard_normal(n, dtype=np.float32) for _ in range(3)]


THREADED = 4 * SHARED_BLOCK  # from this length on
EDGES = sorted(
    {n + k for n in (0, BLOCK, 2 * BLOCK, SHARED_BLOCK, THREADED) for k in (-1, 0, 1) if n + k >= 0}
    | {1, 2, 17, THREADED + BLOCK + 5}
)


@pytest.mark.parametrize("helpers", [0, 1, 2])
@pytest.mark.parametrize("n", EDGES)
def test_in_blocks_gives_the_bits_of_one_call(monkeypatch, n, helpers):
    with ThreadPoolExecutor(max(helpers, 1)) as pool:
        monkeypatch.setattr(cpu, "cores", lambda: helpers + 1)
        monkeypatch.setattr(cpu, "workers", lambda: pool)
        whole, parts = vectors(n), vectors(n)
        formula(*whole)
        in_blocks(formula, *parts)
    for expected, got in zip(whole, parts, strict=True):
        assert_array_equal(got, expected)


@given(n=st.integers(1, 3 * BLOCK))
def test_in_blocks_covers_every_element_once(n):
    count = np.zeros(n, np.int8)

    def once(part):
        part += 1

    in_blocks(once, count)
    assert (count == 1).all()


@pytest.mark.parametrize("helpers", [0, 1, 2, 6])
def test_in_blocks_covers_every_element_once_with_threads(monkeypatch, helpers):
    lengths = []

    def once(part):
        lengths.append(len(part))
        part += 1

    with ThreadPoolExecutor(max(helpers, 1)) as pool:
        monkeypatch.setattr(cpu, "cores", lambda: helpers + 1)
        monkeypatch.setattr(cpu, "workers", lambda: pool)
        count = np.zeros(THREADED + 12345, np.int8)
        in_blocks(once, count)
    assert (count == 1).all()
    assert max(lengths) <= SHARED_BLOCK


def test_in_blocks_works_on_blocks_that_stay_in_the_cache():
    lengths = []
    in_blocks(lambda part: lengths.append(len(part)), np.zeros(2 * BLOCK + 3))
    assert lengths == [BLOCK, BLOCK, 3]


def test_in_blocks_is_one_call_on_a_gpu():
    lengths = []
    in_blocks(lambda part: lengths.append(len(part)), strict.zeros(2 * BLOCK + 3))
    assert lengths == [2 * BLOCK + 3]


@pytest.mark.parametrize("n", [10, THREADED])
def test_an_error_in_a_block_reaches_the_caller(monkeypatch, n):
    def fails_on_the_last(part):
        if part[-1]:
            raise ZeroDivisionError("in a block")

    marked = np.zeros(n)
    marked[-1] = 1
    with ThreadPoolExecutor(1) as pool:
        monkeypatch.setattr(cpu, "cores", lambda: 2)
        monkeypatch.setattr(cpu, "workers", lambda: pool)
        with pytest.raises(ZeroDivisionError, match="in a block"):
            in_blocks(fails_on_the_last, marked)


@pytest.mark.skipif(not hasattr(__import__("os"), "fork"), reason="needs fork")
def test_threads_after_a_fork():
    """A forked child has the pool but not its threads, and would wait for them for ever."""
    code = f"""
import os, warnings, numpy as np
from scratchae.backend import cpu
warnings.simplefilter("ignore")  # Python 3.12 warns of a fork beside threads; that is the point here
cpu.cores = lambda: 2
def once(part):
    part += 1
x = np.zeros({THREADED}, np.int8)
cpu.in_blocks(once, x)
child = os.fork()
if child == 0:
    cpu.in_blocks(once, x)
    os._exit(0 if (x == 2).all() else 1)
assert os.waitpid(child, 0)[1] == 0 and (x == 1).all()
"""
    subprocess.run([sys.executable, "-c", code], check=True, timeout=600)


def test_cores_and_workers():
    assert backend.cores() >= 1
    assert backend.workers() is backend.workers()
    assert backend.workers().submit(lambda: 5).result() == 5
