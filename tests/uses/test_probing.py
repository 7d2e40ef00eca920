"""What a code is worth: probes by hand and against scikit-learn, groups, neighbours."""

import numpy as np
import pytest

from scratchae import MSE, Autoencoder, Dense, ReLU, Sequential
from scratchae.errors import DataError
from scratchae.uses.probing import few, fine_tuned, k_means, linear_probe, nearest, neighbour_probe, purity

rng = np.random.default_rng(0)
MIDDLES = 4 * rng.normal(size=(3, 5))
LABELS = np.arange(300) % 3
Z = (MIDDLES[LABELS] + rng.normal(size=(300, 5))).astype(np.float32)


def test_few_labels_are_spread_over_the_classes():
    labels = np.repeat([0, 1, 2], [50, 5, 2])
    chosen = few(labels, 9, np.random.default_rng(0))
    assert len(set(chosen)) == 9
    assert np.bincount(labels[chosen]).tolist() in ([4, 3, 2], [3, 4, 2])
    with pytest.raises(DataError, match="there are 57 labelled examples"):
        few(labels, 58, np.random.default_rng(0))


def test_a_linear_probe_is_ridge_regression_with_lambda_by_leaving_one_out():
    linear = pytest.importorskip("sklearn.linear_model")
    noisy = Z + 3 * rng.normal(size=Z.shape).astype(np.float32)
    train, test = slice(0, 200), slice(200, 300)
    z = (noisy - noisy[train].mean(axis=0)) / (noisy[train].std(axis=0) + 1e-6)
    theirs = linear.RidgeClassifierCV(10.0 ** np.arange(-4, 5) * 2).fit(z[train], LABELS[train])
    found = linear_probe(noisy[train], LABELS[train], noisy[test], LABELS[test])
    assert found == pytest.approx(theirs.score(z[test], LABELS[test]), abs=0.03)
    assert linear_probe(Z[train], LABELS[train], Z[test], LABELS[test]) > 0.97
    chance = linear_probe(Z[train], rng.permutation(LABELS[train]), Z[test], LABELS[test])
    assert chance < 0.6


def test_more_numbers_than_labels_will_do():
    wide = np.concatenate([Z, rng.normal(size=(300, 60)).astype(np.float32)], axis=1)
    assert linear_probe(wide[:30], LABELS[:30], wide[200:], LABELS[200:]) > 0.6


def test_neighbours():
    close = nearest(Z, Z[:20], 4)
    plain = np.argsort(((Z[:20, None] - Z[None]) ** 2).sum(axis=2), axis=1)[:, :4]
    np.testing.assert_array_equal(close, plain)
    assert neighbour_probe(Z[:200], LABELS[:200], Z[200:], LABELS[200:]) > 0.95


def test_groups():
    groups = k_means(Z, 3)
    assert purity(groups, LABELS) > 0.95
    assert purity(np.zeros(300, int), LABELS) == pytest.approx(1 / 3)
    assert len(np.unique(k_means(np.zeros((5, 2)), 3))) <= 3  # nothing to tell apart


@pytest.mark.parametrize("shape", [(12,), (3, 2, 2)])
def test_a_classifier_from_the_encoder(shape):
    rng = np.random.default_rng(0)
    from scratchae import Flatten, Reshape

    model = Autoencoder(
        Sequential(Flatten(), Dense(12, 8, init="he", rng=rng), ReLU()),
        Sequential(Dense(8, 12, rng=rng), Reshape(shape)),
        loss=MSE(),
    )
    x = np.concatenate([Z, Z, Z[:, :2]], axis=1).reshape(300, *shape)
    before = model.parameters.copy()
    labels = np.array(["a", "b", "c"])[LABELS]
    assert fine_tuned(model, x[:60], labels[:60], x[60:], labels[60:], steps=150) > 0.9
    np.testing.assert_array_equal(model.parameters, before)  # a copy learns
