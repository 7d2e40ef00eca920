"""Operations and bytes of each layer, against counts by hand."""

import numpy as np
import pytest

import scratchae as s
from scratchae import layers
from scratchae.bench.flops import flops, gemm_flops, traffic, update_work
from scratchae.layers import Layer, Sequential
from scratchae.study import CATALOGUE


def test_every_layer_says_its_operations():
    made = [entry.make(4) for entry in CATALOGUE.values()]
    kinds = {type(layer) for layer in made if isinstance(layer, Layer) and layer.flops is not None}
    public = {kind for name in layers.__all__ if issubclass(kind := getattr(layers, name), Layer)}
    assert kinds == public - {Layer, Sequential}


def test_dense():
    layer, N = s.Dense(5, 3), 7
    assert flops(layer, (N, 5), (N, 3)) == (2 * N * 5 * 3 + N * 3, 4 * N * 5 * 3 + N * 3)
    assert flops(layer, (N, 5), (N, 3), first=True) == (2 * N * 5 * 3 + N * 3, 2 * N * 5 * 3 + N * 3)
    assert gemm_flops(layer, (N, 5), (N, 3)) == (2 * N * 5 * 3, 4 * N * 5 * 3)
    assert gemm_flops(layer, (N, 5), (N, 3), first=True) == (2 * N * 5 * 3, 2 * N * 5 * 3)


def test_the_products_are_those_that_numpy_is_asked_for(monkeypatch):
    """A Dense and a convolution, with every matrix product counted as it is made."""
    asked = []
    matmul = np.matmul

    def counted(a, b, **options):
        asked.append(2 * a.size * (b.shape[-1] if b.ndim > 1 else 1))
        return matmul(a, b, **options)

    monkeypatch.setattr(np, "matmul", counted)
    for layer, shape in ((s.Dense(5, 3), (7, 5)), (s.Conv2d(4, 3, 2, stride=2), (2, 6, 6, 4))):
        asked.clear()
        y = layer.forward(np.ones(shape, np.float32))
        assert sum(asked) == gemm_flops(layer, shape, y.shape)[0]
        asked.clear()
        layer.backward_parameters(np.ones_like(y))
        assert max(asked) == gemm_flops(layer, shape, y.shape, first=True)[1]  # beside it, the sums for db


def test_a_convolution_and_its_adjoint_have_equal_work():
    narrow, wide = (2, 5, 5, 3), (2, 11, 11, 4)
    down, up = s.Conv2d(4, 3, 3, stride=2), s.ConvTranspose2d(3, 4, 3, stride=2)
    assert down.forward(np.zeros(wide, np.float32)).shape == narrow
    assert up.forward(np.zeros(narrow, np.float32)).shape == wide
    assert gemm_flops(down, wide, narrow) == gemm_flops(up, narrow, wide)
    assert gemm_flops(down, wide, narrow)[0] == 2 * (2 * 5 * 5) * (3 * 3 * 4) * 3


@pytest.mark.parametrize(
    ("layer", "x", "y", "expected"),
    [
        (s.ReLU(), (4, 6), (4, 6), (24, 48)),
        (s.Sigmoid(), (4, 6), (4, 6), (96, 72)),
        (s.Flatten(), (4, 2, 3, 1), (4, 6), (0, 0)),
        (s.MaxPool2d(2), (1, 4, 4, 1), (1, 2, 2, 1), (16, 48)),
        (s.AvgPool2d(2), (1, 4, 4, 1), (1, 2, 2, 1), (16, 20)),
        (s.UpSample2d(2), (1, 2, 2, 1), (1, 4, 4, 1), (0, 16)),
        (s.GaussianNoise(0.1), (4, 6), (4, 6), (48, 0)),
        (s.GaussianNoise(0.1, (0, 1)), (4, 6), (4, 6), (96, 96)),
        (s.BatchNorm(6), (4, 6), (4, 6), (168, 168)),
    ],
)
def test_by_hand(layer, x, y, expected):
    assert flops(layer, x, y) == expected
    assert gemm_flops(layer, x, y) == (0, 0)


def test_a_subclass_counts_as_its_parent_and_a_stranger_not_at_all():
    class Mine(s.ReLU):
        pass

    class Stranger(Layer):
        pass

    assert flops(Mine(), (2, 3), (2, 3)) == flops(s.ReLU(), (2, 3), (2, 3))
    assert flops(Stranger(), (2, 3), (2, 3)) is None


def test_each_array_is_moved_once():
    layer, N = s.Dense(5, 3), 7
    x, y, parameters = N * 5, N * 3, 5 * 3 + 3
    assert traffic(layer, (N, 5), (N, 3)) == (4 * (x + parameters + y), 4 * (y + x + 2 * parameters + x))
    assert traffic(layer, (N, 5), (N, 3), 8, first=True) == (8 * (x + parameters + y), 8 * (y + x + 2 * parameters))


@pytest.mark.parametrize(
    ("optimizer", "operations", "numbers"),
    [
        (s.SGD(0.1), 2, 3),
        (s.SGD(0.1, momentum=0.9), 4, 5),
        (s.Adam(), 12, 7),
        (s.Adam(weight_decay=0.1), 13, 7),
    ],
)
def test_an_update_is_counted_for_each_parameter(optimizer, operations, numbers):
    assert update_work(optimizer, 10) == (10 * operations, 10 * numbers * 4)


def test_an_optimizer_that_says_nothing_is_not_counted():
    class Mine(s.SGD):
        work = None

    assert update_work(Mine(0.1), 10) is None
