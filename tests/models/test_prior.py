"""The prior over codes: probabilities that add up to 1, counted from data, and draws that follow them."""

import itertools

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import CodePrior
from scratchae.errors import DataError, OptionError, ShapeError


def codes(n=500, shape=(2, 2), K=3, seed=0):
    """A code is mostly that to the left, and mostly one more than that above."""
    rng = np.random.default_rng(seed)
    k = rng.integers(0, K, (n, *shape))
    for place in np.ndindex(*shape):
        for axis in range(len(shape)):
            if place[axis]:
                before = tuple(p - (a == axis) for a, p in enumerate(place))
                k[:, *place] = np.where(rng.random(n) < 0.4, (k[:, *before] + axis) % K, k[:, *place])
    return k


def everything(shape, K):
    return np.array([*itertools.product(range(K), repeat=int(np.prod(shape)))]).reshape(-1, *shape)


@pytest.mark.parametrize("shape", [(1,), (3,), (2, 2)])
def test_probabilities_add_up_to_1(shape):
    prior = CodePrior(3).fit(codes(50, shape))
    assert (2 ** -prior.bits(everything(shape, 3))).sum() == pytest.approx(1)


def test_two_places_are_counted_as_they_are():
    """With one neighbour nothing is assumed: P(k | a) is P(k) P(a | k) / P(a)."""
    k = codes(20_000, (2,))
    prior = CodePrior(3, smoothing=1e-6).fit(k)
    for one, two in np.ndindex(3, 3):
        share = np.mean((k == [one, two]).all(axis=1))
        assert 2 ** -prior.bits(np.array([[one, two]])) == pytest.approx(share, rel=1e-3)


@pytest.mark.parametrize("shape", [(4,), (2, 3)])
def test_draws_follow_the_probabilities(shape):
    prior = CodePrior(2).fit(codes(200, shape, K=2))
    drawn, every = prior.sample(20_000, 0), everything(shape, 2)
    found = [(drawn == one).reshape(len(drawn), -1).all(axis=1).mean() for one in every]
    assert_allclose(found, 2 ** -prior.bits(every), atol=0.015)
    assert_array_equal(prior.sample(7, 3), prior.sample(7, 3))


def test_neighbours_save_bits():
    train, test = codes(5000, (4, 4)), codes(500, (4, 4), seed=1)
    bits = CodePrior(3).fit(train).bits(test).mean()
    alone = CodePrior(3).fit(train.reshape(-1, 1)).bits(test.reshape(-1, 1)).mean() * 16
    assert bits < alone < 16 * np.log2(3) + 0.1


def test_what_was_never_seen_is_improbable_but_possible():
    prior = CodePrior(4).fit(np.zeros((100, 2), int))
    assert prior.bits(np.array([[0, 0]])) < 0.5 < prior.bits(np.array([[3, 2]])) < 100


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (np.zeros((3, 2)), "float64 of shape"),
        (np.full((3, 2), 4), r"whole numbers from 0 to 3, got int64 of shape \(3, 2\) from 4 to 4"),
        (np.zeros((0, 2), int), r"\(0, 2\)"),
        (np.zeros(3, int), r"\(3,\)"),
    ],
)
def test_other_codes_are_refused(wrong, words):
    with pytest.raises(DataError, match=words):
        CodePrior(4).fit(wrong)


def test_other_shapes_and_arguments_are_refused():
    with pytest.raises(ShapeError, match=r"codes of shape \(2, 2\), got \(3, 2\)"):
        CodePrior(3).fit(codes()).bits(codes(5, (3, 2)))
    with pytest.raises(OptionError, match="0 < smoothing"):
        CodePrior(3, smoothing=0)


def test_more_samples_than_fit_into_memory_are_refused():
    with pytest.raises(OptionError, match="choose smaller sizes"):
        CodePrior(4).fit(np.zeros((3, 2, 2), int)).sample(2**62)
