"""How matrices are handed to cuBLAS, by a library in NumPy that reads the same arguments and the same memory."""

import ctypes
import gc
import itertools
import threading
import types

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from scratchae.backend.cuda.blas import Blas, layout
from scratchae.errors import DeviceError

TYPES = {"cublasSgemm_v2": ctypes.c_float, "cublasDgemm_v2": ctypes.c_double}


class Function:
    """A function of a library: it has argtypes, notes its calls, and may fail."""

    def __init__(self, compute):
        self.compute, self.calls, self.status = compute, [], 0

    def __call__(self, *arguments):
        assert len(arguments) == len(self.argtypes)
        self.calls.append(arguments)
        self.compute(*arguments)
        return self.status


def gemm(number):
    """C = α op(A) op(B) + β C of matrices whose columns are runs in memory, as in the documentation of cuBLAS."""

    def matrix(address, rows, columns, step):
        assert step >= max(rows, 1)
        size = step * (columns - 1) + rows
        run = np.ctypeslib.as_array(ctypes.cast(address, ctypes.POINTER(number)), (size,))
        return np.lib.stride_tricks.as_strided(run, (rows, columns), (run.itemsize, step * run.itemsize))

    def compute(handle, turn_a, turn_b, m, n, k, alpha, a, step_a, b, step_b, beta, c, step_c):
        A = matrix(a, *((k, m) if turn_a else (m, k)), step_a)
        B = matrix(b, *((n, k) if turn_b else (k, n)), step_b)
        C = matrix(c, m, n, step_c)
        alpha, beta = (ctypes.cast(x, ctypes.POINTER(number))[0] for x in (alpha, beta))
        old = beta * C if beta else 0
        C[...] = alpha * (A.T if turn_a else A) @ (B.T if turn_b else B) + old

    return compute


class DeviceArray(np.ndarray):
    """A NumPy array that tells its address where CuPy's tells it."""

    @property
    def data(self):
        return types.SimpleNamespace(ptr=self.ctypes.data)


def on_device(x):
    return x.view(DeviceArray)


@pytest.fixture
def blas():
    stream = types.SimpleNamespace(ptr=1)
    fake = types.SimpleNamespace(
        empty=lambda *a, **k: on_device(np.empty(*a, **k)),
        ascontiguousarray=lambda x: on_device(np.ascontiguousarray(x)),
        matmul=np.matmul,
        cuda=types.SimpleNamespace(get_current_stream=lambda: stream),
    )
    names = ("cublasDestroy_v2", "cublasSetStream_v2", "cublasSetWorkspace_v2")
    library = types.SimpleNamespace(
        **{name: Function(lambda *_: None) for name in names},
        **{name: Function(gemm(number)) for name, number in TYPES.items()},
    )
    numbers = itertools.count(1)
    library.cublasCreate_v2 = Function(lambda place: setattr(place._obj, "value", next(numbers)))
    made = Blas(fake, library)
    made.current = stream
    return made


def matrices(draw, rows, columns, dtype):
    """A matrix, lying in memory in one of many ways."""
    whole = (
        np.random.default_rng(draw(st.integers(0, 99))).standard_normal((2 * rows + 1, 2 * columns + 1)).astype(dtype)
    )
    ways = {
        "rows": lambda: whole[:rows, :columns].copy(),
        "columns": lambda: whole[:rows, :columns].T.copy().T,
        "part of rows": lambda: whole[:rows, 1 : columns + 1],
        "part of columns": lambda: whole.T.copy().T[1 : rows + 1, :columns],
        "every second": lambda: whole[: 2 * rows : 2, : 2 * columns : 2],
        "backwards": lambda: whole[:rows, :columns][::-1],
        "one row again": lambda: np.broadcast_to(whole[:1, :columns], (rows, columns)),
    }
    return on_device(ways[draw(st.sampled_from(sorted(ways)))]())


@given(data=st.data(), dtype=st.sampled_from(["float32", "float64"]))
def test_products(blas, data, dtype):
    m, k, n = (data.draw(st.integers(1, 5)) for _ in range(3))
    a, b = matrices(data.draw, m, k, dtype), matrices(data.draw, k, n, dtype)
    copies = a.copy(), b.copy()
    rtol = 1e-5 if dtype == "float32" else 1e-13
    y = blas.matmul(a, b)
    assert y.dtype == dtype and y.shape == (m, n)
    assert_allclose(y, np.matmul(*copies), rtol=rtol, atol=rtol)
    out = matrices(data.draw, m, n, dtype)
    if out.flags.writeable:
        assert blas.matmul(a, b, out) is out
        assert_allclose(out, np.matmul(*copies), rtol=rtol, atol=rtol)
    assert_allclose(a, copies[0], rtol=0)
    for x, y in ((a[0], b), (a, b[:, 0])):
        assert_allclose(blas.matmul(x, y), np.matmul(x, y), rtol=rtol, atol=rtol)
        out = on_device(np.empty(np.matmul(x, y).shape, dtype))
        assert blas.matmul(x, y, out) is out
        assert_allclose(out, np.matmul(x, y), rtol=rtol, atol=rtol)


@given(data=st.data())
def test_layout_is_what_lies_there(data):
    x = matrices(data.draw, data.draw(st.integers(1, 4)), data.draw(st.integers(1, 4)), "float64")
    found = layout(x)
    if found is None:
        assert not (x.flags.c_contiguous or x.flags.f_contiguous)
        return
    turned, step = found
    apart = (8, 8 * step) if turned else (8 * step, 8)
    again = np.lib.stride_tricks.as_strided(x, x.shape, apart)
    assert (again == x).all() and step >= (x.shape[0] if turned else x.shape[1])


def test_cupy_does_what_cublas_cannot(blas):
    whole = on_device(np.arange(6).reshape(2, 3))
    assert (blas.matmul(whole, whole.T) == np.matmul(whole, whole.T)).all()
    empty = on_device(np.empty((2, 0)))
    assert (blas.matmul(empty, empty.T) == 0).all()
    assert not blas.library.cublasDgemm_v2.calls


def test_sizes_must_agree(blas):
    with pytest.raises(ValueError, match=r"a is \(2, 3\), b is \(2, 3\)"):
        blas.matmul(on_device(np.ones((2, 3))), on_device(np.ones((2, 3))))


def test_the_workspace_is_set_after_the_stream_and_again_for_another(blas):
    a = on_device(np.ones((2, 2)))
    for _ in range(2):
        blas.matmul(a, a)
    assert len(blas.library.cublasSetStream_v2.calls) == len(blas.library.cublasSetWorkspace_v2.calls) == 1
    blas.current.ptr = 2
    blas.matmul(a, a)
    assert blas.library.cublasSetStream_v2.calls[-1][1] == 2
    assert blas.library.cublasSetWorkspace_v2.calls[-1][2] == blas.this_thread.workspace.nbytes
    assert len(blas.library.cublasSetWorkspace_v2.calls) == 2


def test_each_thread_has_a_handle_of_its_own_which_goes_with_it(blas):
    a = on_device(np.ones((2, 2)))
    blas.matmul(a, a)
    thread = threading.Thread(target=lambda: blas.matmul(a, a))
    thread.start()
    thread.join()
    here, there = (call[0].value for call in blas.library.cublasDgemm_v2.calls)
    assert here != there
    gc.collect()
    assert [call[0].value for call in blas.library.cublasDestroy_v2.calls] == [there]


def test_a_failure_of_cublas_is_an_error(blas):
    blas.library.cublasDgemm_v2.status = 13
    with pytest.raises(DeviceError, match="cuBLAS failed with status 13"):
        blas.matmul(on_device(np.ones((2, 2))), on_device(np.ones((2, 2))))
