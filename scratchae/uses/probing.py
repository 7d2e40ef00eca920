"""What a code is worth: how well classes can be read from it, with few labels or many, and what lies near what in it."""

from __future__ import annotations

import copy
from collections.abc import Callable

import numpy as np

from ..arguments import whole
from ..errors import DataError, OptionError
from ..layers import Dense, Flatten, Layer, Reshape, Sequential
from ..models import DBN, RBM, VAE, Autoencoder, Classifier, Model, with_labels
from ..optimizers import Adam
from ..training import fit

NEIGHBOURS = 5
LAMBDAS = 10.0 ** np.arange(-4, 5)


def few(labels: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """The places of so many examples, as many of each class as can be. Raises DataError for more than there are."""
    if whole("few", "count", count) > len(labels):
        raise DataError(f"few(count={count}): there are {len(labels)} labelled examples")
    turns = [rng.permutation(np.flatnonzero(labels == one)) for one in rng.permutation(np.unique(labels))]
    longest = max(map(len, turns))
    return np.array([group[i] for i in range(longest) for group in turns if i < len(group)][:count])


def linear_probe(z: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """The share of test examples whose class a linear function of the code z (N, D) tells rightly.

    W minimises Σₙ |zₙ W - yₙ|² + λ |W|² with y one-hot and z standardised; of several λ the one with the least error when each
    example is left out in turn, which has a closed form: the residual divided by 1 - Hₙₙ, H = Z (ZᵀZ + λ)⁻¹ Zᵀ.
    """
    mean, deviation = z.mean(axis=0), z.std(axis=0) + 1e-6
    z, test = ((each - mean).astype(np.float64) / deviation for each in (z, test))
    classes, numbers = np.unique(labels, return_inverse=True)
    y = np.eye(len(classes))[numbers]
    share = y.mean(axis=0)
    values, V = np.linalg.eigh(z.T @ z)
    zV, target = z @ V, V.T @ (z.T @ (y - share))
    best, W = np.inf, np.zeros_like(target)
    for λ in LAMBDAS * len(z) / 100:
        inverse = 1 / (np.maximum(values, 0) + λ)
        fitted = zV @ (inverse[:, None] * target)
        leverage = np.minimum((zV**2) @ inverse + 1 / len(z), 1 - 1e-9)
        error = (((y - share - fitted) / (1 - leverage)[:, None]) ** 2).mean()
        if error < best:
            best, W = error, V @ (inverse[:, None] * target)
    return float((classes[(test @ W + share).argmax(axis=1)] == test_labels).mean())


def nearest(z: np.ndarray, test: np.ndarray, count: int) -> np.ndarray:
    """The places of the `count` nearest of z (N, D) to each of test (M, D), the nearest first: (M, count)."""
    z = np.ascontiguousarray(z, np.float32)
    squares = (z * z).sum(axis=1)
    found = []
    for start in range(0, len(test), 500):
        block = test[start : start + 500].astype(np.float32)
        distances = squares - 2 * (block @ z.T)
        close = np.argpartition(distances, min(count, len(z) - 1), axis=1)[:, :count]
        order = np.argsort(np.take_along_axis(distances, close, axis=1), axis=1, kind="stable")
        found.append(np.take_along_axis(close, order, axis=1))
    return np.concatenate(found)


def neighbour_probe(z: np.ndarray, labels: np.ndarray, test: np.ndarray, test_labels: np.ndarray) -> float:
    """The share of test examples that have the class of the nearest labelled one; of most of the five nearest from 1,000 labels on."""
    close = labels[nearest(z, test, NEIGHBOURS if len(z) >= 1000 else 1)]  # (M, k)
    classes = np.unique(labels)
    votes = (close[:, :, None] == classes).sum(axis=1) - 1e-3 * (
        close[:, :1] != classes
    )  # equal votes: the nearest decides
    return float((classes[votes.argmax(axis=1)] == test_labels).mean())


PROBES: dict[str, Callable[..., float]] = {"linear": linear_probe, "neighbours": neighbour_probe}


def upward(model: Model) -> Layer:
    """A copy of the layers that compute the code. Raises OptionError for a model whose code no layers compute."""
    if isinstance(model, VAE):
        return Sequential(copy.deepcopy(model.encoder), copy.deepcopy(model.mu))
    if isinstance(model, Autoencoder):
        return copy.deepcopy(model.encoder)
    if isinstance(model, RBM | DBN):
        network = model if isinstance(model, DBN) else DBN((model.visible, model.hidden), top=model.hidden_units)
        if network is not model:
            network.rbms = [model]
        return Sequential(*network.upward())
    raise OptionError(f"{type(model).__name__} has no encoder of layers to begin a classifier with")


def fine_tuned(
    model: Model,
    x: np.ndarray,
    labels: np.ndarray,
    test: np.ndarray,
    test_labels: np.ndarray,
    *,
    steps: int = 600,
    lr: float = 1e-3,
    seed: int = 0,
) -> float:
    """The share of test examples that a classifier tells rightly which begins with the model's encoder and learns from x and labels.

    All of its layers learn. For the same network from random weights hand in a new model.
    """
    classes, numbers = np.unique(labels, return_inverse=True)
    code = int(np.prod(model.encode(x[:1]).shape[1:]))
    head = Dense(code, len(classes), rng=np.random.default_rng([seed, 7]))
    front = (Reshape(x.shape[1:]),) if x.ndim > 2 else ()
    classifier = Classifier(Sequential(*front, upward(model), Flatten(), head), len(classes))
    rows = with_labels(x.reshape(len(x), -1), numbers, len(classes), every_class=False)
    batch = min(len(rows), 50)
    epochs = max(steps * batch // len(rows), 1)
    fit(classifier, rows, epochs=epochs, batch_size=batch, optimizer=Adam(lr), seed=seed, progress=False)
    found = [
        classifier.net.forward(test[i : i + 500].reshape(len(test[i : i + 500]), -1)).argmax(axis=1)
        for i in range(0, len(test), 500)
    ]
    return float((classes[np.concatenate(found)] == test_labels).mean())


# Without labels


def k_means(z: np.ndarray, k: int, rng: int | np.random.Generator = 0, restarts: int = 5) -> np.ndarray:
    """k groups of z (N, D), each around its own mean: the group of each, (N,), of the restart with the least squared distance.

    It begins with examples far from each other (Arthur and Vassilvitskii 2007). Lloyd's steps follow until nothing changes.
    """
    rng, z = np.random.default_rng(rng), np.ascontiguousarray(z, np.float32)
    squares = (z * z).sum(axis=1)
    best, groups = np.inf, np.zeros(len(z), int)
    for _ in range(whole("k_means", "restarts", restarts)):
        middles = z[rng.integers(len(z), size=1)]
        far = distances(z, squares, middles)[:, 0].astype(np.float64)
        while len(middles) < whole("k_means", "k", k):
            newest = z[[rng.choice(len(z), p=far / far.sum() if far.sum() > 0 else None)]]
            middles, far = np.concatenate([middles, newest]), np.minimum(far, distances(z, squares, newest)[:, 0])
        which = np.full(len(z), -1)
        for _ in range(100):
            d = distances(z, squares, middles)
            now = d.argmin(axis=1)
            if (now == which).all():
                break
            which = now
            members = (which[:, None] == np.arange(k)).astype(np.float32)  # (N, k)
            counts = members.sum(axis=0)[:, None]
            middles = np.where(counts > 0, (members.T @ z) / np.maximum(counts, 1), middles)
        cost = float(d.min(axis=1).sum())
        if cost < best:
            best, groups = cost, which
    return groups


def distances(z: np.ndarray, squares: np.ndarray, middles: np.ndarray) -> np.ndarray:
    """Squared distances (N, k) of z, whose rows have these squared lengths, from the middles."""
    return np.maximum(squares[:, None] - z @ (2 * middles.T) + (middles * middles).sum(axis=1), 0)


def purity(groups: np.ndarray, labels: np.ndarray) -> float:
    """The share of examples that have the most frequent class of their group."""
    counted = [np.unique(labels[groups == one], return_counts=True)[1].max() for one in np.unique(groups)]
    return float(sum(counted) / len(labels))
