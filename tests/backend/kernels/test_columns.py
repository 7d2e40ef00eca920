"""The products of a convolution by compiled kernels, against those by NumPy."""

import ctypes
import shutil
import threading

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import blas_threads, kernels
from scratchae.backend.kernels import convolution, host
from scratchae.errors import ShapeError
from scratchae.layers import patches

pytestmark = pytest.mark.skipif(
    shutil.which("g++") is None or host.blas_function("cblas_sgemm") is None, reason="needs g++ and an OpenBLAS"
)
rng = np.random.default_rng(0)


@pytest.fixture(autouse=True)
def compiled(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", kernels.compiled)  # and back, after the test
    s.compile_kernels()


def numbers(*shape, dtype="float64"):
    return rng.standard_normal(shape).astype(dtype)


def by_numpy(function):
    """What it gives without kernels."""
    used, kernels.compiled = kernels.compiled, None
    try:
        return function()
    finally:
        kernels.compiled = used


def close(got, expected, dtype="float64"):
    assert got.dtype == expected.dtype and got.shape == expected.shape
    assert_allclose(got, expected, rtol=0, atol={"float32": 1e-4, "float64": 1e-11}[dtype])


@given(st.data())
def test_products_of_any_geometry(data):
    whole = lambda low, high: data.draw(st.integers(low, high))  # noqa: E731
    N, C, D, dtype = whole(1, 3), whole(1, 5), whole(1, 4), data.draw(st.sampled_from(["float32", "float64"]))
    kernel, stride, padding = ((whole(1, 4), whole(1, 4)), (whole(1, 3), whole(1, 3)), (whole(0, 3), whole(0, 3)))
    size = tuple(whole(max(1, k - 2 * p), 16) for k, p in zip(kernel, padding, strict=True))
    OH, OW = (patches.count(*axis) for axis in zip(size, kernel, stride, padding, strict=True))
    x, y, W = (numbers(*shape, dtype=dtype) for shape in ((N, *size, C), (N, OH, OW, D), (*kernel, C, D)))
    rows, dW = (y.reshape(-1, D), W.reshape(-1, D)), np.full((2, W.size // D, D), np.nan, dtype)
    b, c = numbers(D, dtype=dtype), data.draw(st.sampled_from([None, numbers(C, dtype=dtype)]))

    def products(out):
        columns = patches.Columns(x, kernel, stride, padding)
        return columns.products(rows[1], b, rows[0], out), patches.matmul_col2im(y, W, size, stride, padding, c)

    for got, expected in zip(products(dW[0]), by_numpy(lambda: products(dW[1])), strict=True):
        close(got, expected, dtype)
    close(*dW, dtype)


@pytest.mark.parametrize("geometry", [(3, 1, 1), (3, 2, 1), (1, 1, 0), (12, 1, 0), (4, 4, 2)])
@pytest.mark.parametrize("kind", [s.Conv2d, s.ConvTranspose2d])
def test_layers(monkeypatch, kind, geometry):
    """In one block of patches or in many, and whatever lies side by side in memory."""
    K, S, P = geometry
    layer = kind(3, 5, K, stride=S, padding=P, rng=0).to(dtype="float64")
    x = numbers(5, 12, 12, 3)
    dy = numbers(*by_numpy(lambda: layer.forward(x)).shape)

    def step(x, dy):
        return layer.forward(x), layer.backward(dy), layer.dW.copy(), layer.db.copy()

    expected = by_numpy(lambda: step(x, dy))
    for rows in (convolution.LEAST, 1):
        monkeypatch.setattr(convolution, "LEAST", rows)
        monkeypatch.setattr(convolution, "COLUMNS", rows)
        for turn in (np.asarray, np.asfortranarray):
            for got, right in zip(step(turn(x), turn(dy)), expected, strict=True):
                close(got, right)


@pytest.mark.parametrize(("kernel", "padding"), [(3, 1), (1, 4), (5, 2)])
def test_cores_share_the_patches(kernel, padding):
    """Where patches are added up, each adds to other rows, also where some patches lie in the padding alone."""
    geometry = (kernel, kernel), (2, 1), (padding, padding)
    x, W = numbers(4, 50, 40, 3), numbers(kernel, kernel, 3, 4)
    y = numbers(4, *(patches.count(*axis) for axis in zip((50, 40), *geometry, strict=True)), 4)

    def products():
        columns = patches.Columns(x, *geometry)
        return columns.products(W.reshape(-1, 4)), patches.matmul_col2im(y, W, (50, 40), *geometry[1:])

    with blas_threads().limit(limits=3):
        shared = products()
    for got, expected in zip(shared, by_numpy(products), strict=True):
        close(got, expected)


def test_patches_in_the_padding_stay_in_their_rows(monkeypatch):
    """Nothing is written beyond the room for the patches."""
    kept, room = [], convolution.room

    def guarded(*geometry):
        images, n, columns = room(*geometry)
        kept.append(np.full(columns.size + 64, 7.0))
        return images, n, kept[-1][: columns.size].reshape(columns.shape)

    monkeypatch.setattr(convolution, "room", guarded)
    columns = patches.Columns(numbers(1, 3, 3, 2), (1, 2), (1, 1), (0, 5))
    assert columns.products(numbers(4, 3)).shape == (3 * 12, 3)
    assert len(kept) == 1 and (kept[0][-64:] == 7).all()


def test_gradients_are_right():
    net = s.Sequential(s.Conv2d(2, 3, 3, stride=2, padding=1, rng=0), s.ReLU(), s.ConvTranspose2d(3, 2, 2, rng=1))
    assert s.check_gradients(net, rng.random((2, 6, 5, 2))).passed


def test_they_are_used(monkeypatch):
    used = set()
    monkeypatch.setattr(kernels.compiled, "launch", lambda name, *given: (used.add(name), host.launch(name, *given)))
    layer = s.Conv2d(1, 2, 3, rng=0)
    layer.backward(layer.forward(np.ones((1, 5, 5, 1), np.float32)))
    assert used == convolution.CONVOLUTION


def test_threads_at_the_same_time():
    layers = [s.Conv2d(4, 8, 3, padding=1, rng=i) for i in range(4)]
    x = numbers(8, 20, 20, 4, dtype="float32")
    alone, together = [layer.forward(x) for layer in layers], [None] * 4

    def run(i):
        for _ in range(5):
            together[i] = layers[i].forward(x)

    threads = [threading.Thread(target=run, args=(i,)) for i in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    for got, expected in zip(together, alone, strict=True):
        assert_allclose(got, expected, atol=1e-5)


def test_weights_of_another_shape_are_not_read():
    """There would be other numbers beside them in memory."""
    layer, x = s.Conv2d(2, 3, 3, rng=0), np.ones((1, 5, 5, 2), np.float32)
    layer.W = layer.W[:2]
    with pytest.raises(ShapeError, match=r"W has the shape \(12, 3\): expected \(18, 3\)"):
        layer.forward(x)
    with pytest.raises(ShapeError, match=r"y has the shape \(9, 4\): expected \(9, 3\)"):
        patches.matmul_col2im(np.ones((1, 3, 3, 4)), np.ones((3, 3, 2, 3)), (5, 5))


def test_without_an_openblas_numpy_convolves(monkeypatch):
    monkeypatch.setattr(host, "blas_function", lambda name: None)
    s.compile_kernels()
    assert kernels.compiled.only == host.FASTER
    assert patches.Columns(np.ones((1, 3, 3, 1)), (2, 2), (1, 1), (0, 0)).whole is not None


def test_an_openblas_with_sizes_of_32_bits():
    sizes, number = [ctypes.c_int] * 3, ctypes.c_double
    matrix = [ctypes.POINTER(number), ctypes.c_int]

    def gemm(order, At, Bt, m, n, k, alpha, A, lda, B, ldb, beta, C, ldc):
        A, B, C = (np.ctypeslib.as_array(p, shape) for p, shape in ((A, (m, k)), (B, (k, n)), (C, (m, n))))
        assert (order, At, Bt, alpha, lda, ldb, beta, ldc) == (101, 111, 111, 1, k, n, 0, n)
        C[...] = A @ B

    function = ctypes.CFUNCTYPE(None, *sizes, *sizes, number, *matrix, *matrix, number, *matrix)(gemm)
    x, W = numbers(1, 4, 4, 2), numbers(8, 3)
    columns = patches.Columns(x, (2, 2), (1, 1), (0, 0))
    expected = columns.products(W)
    host.library("float64").use_gemm(function, False)
    close(columns.products(W), expected)


def test_no_images():
    columns = patches.Columns(np.ones((0, 4, 4, 2)), (2, 2), (1, 1), (0, 0))
    dW = np.ones((8, 3))
    assert columns.products(np.ones((8, 3)), dy=np.ones((0, 3)), dW=dW).shape == (0, 3)
    assert_array_equal(dW, 0)
