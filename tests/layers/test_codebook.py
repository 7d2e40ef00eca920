"""The codebook: the nearest vector, moving averages, and codes that nothing chooses."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import Codebook, array_module
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, OptionError, ShapeError
from scratchae.layers.codebook import perplexity


def vectors(n=40, d=3, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d)).astype(np.float32)


def book(*arguments, **options):
    return Codebook(*arguments, rng=0, **options)


@pytest.mark.parametrize("shape", [(7, 3), (2, 5, 3), (2, 4, 3, 3)])
def test_each_vector_becomes_the_nearest(device, to_device, shape):
    layer = book(6, 3).to(device)
    x, E = vectors(np.prod(shape) // 3).reshape(shape), to_numpy(layer.E)
    y = to_numpy(layer.forward(to_device(x)))
    nearest = ((x[..., None, :] - E) ** 2).sum(axis=-1).argmin(axis=-1)
    assert_array_equal(y, E[nearest])
    assert_array_equal(to_numpy(layer.k), nearest.ravel())
    assert y.dtype == np.float32


def test_of_equal_distances_the_first():
    layer = book(3, 2)
    layer.E[...] = [[1, 0], [-1, 0], [1, 0]]
    layer.forward(np.array([[0.0, 0.0], [2.0, 0.0]], np.float32))
    assert layer.k.tolist() == [0, 0]


def test_vectors_far_from_0_are_told_apart():
    """By x · e alone, in float32, their squares would drown the differences."""
    layer, x = book(50, 16), vectors(400, 16) + 1000
    layer.E += 1000
    y = layer.forward(x).astype(np.float64)
    distances = ((x[:, None].astype(np.float64) - layer.E) ** 2).sum(axis=-1)
    assert_allclose(((x - y) ** 2).sum(axis=1), distances.min(axis=1), rtol=1e-3)


def test_far_away_vectors_do_not_overflow():
    layer = book(3, 2)
    assert np.isfinite(layer.forward(np.full((1, 2), 1e4, np.float32))).all()


def follow(layer, x, rng):
    layer.forward(x)
    return int(layer.follow(rng))


def test_the_moving_average_comes_to_the_means_of_what_chose_each(device, to_device):
    """As k-means does, if the data stay the same."""
    layer, x = book(4, 3, decay=0.9, dead=0.0).to(device), vectors(200)
    rng = array_module(layer.E).random.default_rng(0)
    for _ in range(300):
        follow(layer, to_device(x), rng)
    layer.forward(to_device(x))
    k, E = to_numpy(layer.k), to_numpy(layer.E)
    for code in range(4):
        assert_allclose(E[code], x[k == code].mean(axis=0), atol=1e-3)
    assert_allclose(to_numpy(layer.share), np.bincount(k, minlength=4) / 200, atol=1e-3)


def test_one_step_of_the_moving_average_by_hand():
    layer = Codebook(2, 1, decay=0.5, dead=0.0, rng=0)
    layer.E[...], layer.share[...] = [[0], [10]], [0.5, 0.5]
    follow(layer, np.array([[1.0], [2.0], [3.0], [8.0]], np.float32), np.random.default_rng(0))
    assert_allclose(layer.share, [0.25 + 0.375, 0.25 + 0.125])
    assert_allclose(layer.E, [[0.5 * 6 / 4 / 0.625], [(0.5 * 0.5 * 10 + 0.5 * 8 / 4) / 0.375]])


@pytest.mark.parametrize("decay", [None, 0.9])
def test_a_code_that_nothing_chooses_is_moved_to_the_data(device, to_device, decay):
    layer = book(4, 3, decay=decay).to(device)
    far = to_numpy(layer.E)
    far[2:] += 1000
    layer.E[...] = to_device(far)
    x, rng = vectors(), array_module(layer.E).random.default_rng(0)
    revived = [follow(layer, to_device(x), rng) for _ in range(100)]
    assert sum(revived) >= 2
    assert np.abs(to_numpy(layer.E)).max() < 10
    layer.forward(to_device(x))
    assert len(np.unique(to_numpy(layer.k))) == 4


def test_with_dead_0_none_is_moved():
    layer = book(4, 3, dead=0.0)
    layer.E[2:] += 1000
    rng, before = np.random.default_rng(0), layer.E.copy()
    assert not any(follow(layer, vectors(), rng) for _ in range(2000))
    assert_array_equal(layer.E, before)


def test_a_code_without_use_for_long_stays_where_it_is():
    """Its share falls to 0, and 0 / 0 is not computed."""
    layer = book(3, 3, decay=0.5, dead=0.0)
    layer.E[2] = 1000
    with np.errstate(all="raise", under="ignore"):
        for _ in range(300):
            follow(layer, vectors(), np.random.default_rng(0))
    assert_array_equal(layer.E[2], np.full(3, 1000, np.float32))


def test_perplexity_is_the_number_of_codes_in_use():
    assert float(perplexity(np.eye(4))) == pytest.approx(4)
    assert float(perplexity(np.eye(4)[[0, 0, 0]])) == pytest.approx(1)
    assert float(perplexity(np.eye(4)[[0, 1, 0, 1]])) == pytest.approx(2)


def test_which_of_them_is_a_parameter():
    assert (book(3, 2).parameter_names, book(3, 2).buffer_names) == (("E",), ("share",))
    moving = book(3, 2, decay=0.99)
    assert (moving.parameter_names, moving.buffer_names) == ((), ("E", "share"))
    assert moving.to(dtype="float64").E.dtype == np.float64


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ({"codes": 0}, "codes=0"),
        ({"features": 2.5}, "features=2.5"),
        ({"decay": 1.0}, "0 <= decay < 1"),
        ({"dead": -1}, "0 <= dead < 1"),
    ],
)
def test_arguments_are_checked(arguments, words):
    with pytest.raises(OptionError, match=words):
        Codebook(**{"codes": 4, "features": 2} | arguments)


def test_other_vectors_are_refused():
    with pytest.raises(ShapeError, match=r"Codebook\(4, 3\) expects x of shape \(N, …, 3\), got \(5, 2\)"):
        book(4, 3).forward(vectors(5, 2))
    with pytest.raises(ShapeError, match=r"got \(3,\)"):
        book(4, 3).forward(vectors(1, 3)[0])
    with pytest.raises(ArrayTypeError, match="expected floats"):
        book(4, 3).forward(np.zeros((2, 3), int))
