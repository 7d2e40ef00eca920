"""How unusual an example is, by how badly the model explains it."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from ..arguments import choice, number
from ..backend import array_module, to_numpy
from ..errors import DataError, OptionError
from ..likelihoods import LOG_2PI, LearnedGaussian
from ..losses import BCE, BCEWithLogits
from ..models import CVAE, RBM, VAE, Model
from .codes import in_batches, on_device, rebuild

KINDS = ("error", "elbo", "free energy")


@dataclass(frozen=True)
class Scores:
    """values (N,): the larger, the more unusual. parts (N, …): what each number of the example adds, if it can be told apart.
    kind: "error", "elbo" or "free energy".
    """

    values: np.ndarray
    parts: np.ndarray | None
    kind: str


def best_kind(model: Model) -> str:
    """The score that a model is good for: an RBM's free energy; for all others the reconstruction error, which beside the ELBO has
    the advantage that it can be told apart by columns.
    """
    return "free energy" if isinstance(model, RBM) else "error"


def score(model: Model, x: np.ndarray, kind: str | None = None, samples: int = 10, rng: int = 0) -> Scores:
    """How unusual each example of x is, (N,).

    kind: "error", the squared error of the reconstruction, summed over the features; "elbo", minus the evidence lower bound of a
    VAE, averaged over `samples` draws of the code, in nats; "free energy" of an RBM. Raises OptionError for a kind that the model
    does not have, and DataError for no examples.
    """
    kind = best_kind(model) if kind is None else choice("score", "kind", kind, KINDS)
    if not len(x):
        raise DataError("score: x holds no examples: expected at least one row")
    if kind == "free energy":
        if not isinstance(model, RBM):
            raise OptionError(
                f"score(kind='free energy'): only an RBM has one, and this is a {type(model).__name__}: use 'error'"
            )
        return Scores(in_batches(lambda batch: model.free_energy(on_device(model, batch)), x), None, kind)
    if kind == "elbo":
        if not isinstance(model, VAE):
            raise OptionError(
                f"score(kind='elbo'): only variational autoencoders have it, and this is a {type(model).__name__}: use 'error'"
            )
        return Scores(negative_elbo(model, x, samples, rng), None, kind)
    parts = error_parts(model, x)
    return Scores(parts.reshape(len(x), -1).sum(axis=1, dtype=np.float64), parts, kind)


def error_parts(model: Model, x: np.ndarray) -> np.ndarray:
    """The squared error of each number of each example, (N, …)."""
    target = x[:, : -model.labels] if isinstance(model, CVAE) else x
    return (rebuild(model, x) - target) ** 2


def negative_elbo(model: VAE, x: np.ndarray, samples: int, rng: int) -> np.ndarray:
    """-ELBO of each example, in nats: its reconstruction's cost, averaged over draws of the code, plus its KL term.

    Every example is judged by the same draws, so that its score does not depend on the others.
    """
    dtype = model.parameters.dtype
    draws = on_device(model, np.random.default_rng(rng).standard_normal((samples, model.code_size), dtype=dtype))

    def of_batch(batch: np.ndarray) -> np.ndarray:
        batch = on_device(model, batch)
        mean, log_var = model.infer(batch)
        sigma = array_module(log_var).exp(log_var / 2)
        kl = to_numpy(mean**2 + sigma**2 - log_var - 1).sum(axis=1) / 2
        target = model.target(batch)
        cost = np.zeros(len(batch))
        for epsilon in draws:
            prediction = model.decoder.forward(model.decoder_input(mean + sigma * epsilon, batch))
            cost += per_example(model, prediction, target) / samples
        return cost + kl

    return in_batches(of_batch, x)


def per_example(model: VAE, prediction: np.ndarray, target: np.ndarray) -> np.ndarray:
    """The loss of each example, (N,): the loss of a batch of one, or at once for the losses that are known."""
    if isinstance(model.loss, LearnedGaussian):
        error, deviation = to_numpy(model.loss.mean(prediction) - target), to_numpy(model.loss.deviation(prediction))
        cost = (error / deviation) ** 2 / 2 + np.log(deviation) + LOG_2PI / 2
        return cost.reshape(len(cost), -1).sum(axis=1)
    if isinstance(model.loss, BCE):
        logits = isinstance(model.loss, BCEWithLogits)
        p, t = to_numpy(prediction).astype(np.float64), to_numpy(target)
        if not logits:
            p = np.log(np.maximum(p, 1e-30)) - np.log(np.maximum(1 - p, 1e-30))
        return (np.logaddexp(0, p) - t * p).reshape(len(t), -1).sum(axis=1)
    rows = zip(np.split(prediction, len(prediction)), np.split(target, len(target)), strict=True)
    return np.array([float(model.loss(one, t)[0]) for one, t in rows])


def threshold(scores: np.ndarray, quantile: float = 0.99) -> float:
    """The score below which so many of the examples lie that are thought to be usual: those of the validation."""
    return float(np.quantile(scores, number("threshold", "0 < quantile < 1", quantile)))


def roc(scores: np.ndarray, unusual: np.ndarray) -> dict[str, np.ndarray | float]:
    """How well scores tell the unusual examples from the others, at every threshold: "false" and "true" positives as shares,
    "precision" at each, "auc" (area under the first two) and "average_precision". unusual (N,): bool.

    Raises DataError unless both kinds are there.
    """
    unusual = np.asarray(unusual, bool)
    if unusual.all() or not unusual.any():
        raise DataError(f"roc: {unusual.sum()} of {len(unusual)} examples are unusual: expected some of both kinds")
    order = np.argsort(-scores, kind="stable")
    found, ordered = np.cumsum(unusual[order]), scores[order]
    last = np.append(ordered[1:] != ordered[:-1], True)  # equal scores lie on one side of any threshold
    found, counted = found[last], (np.arange(len(scores)) + 1)[last]
    recall, false = found / unusual.sum(), (counted - found) / (~unusual).sum()
    precision = found / counted
    false, recall_from_0 = np.append(0, false), np.append(0, recall)
    return {
        "false": false,
        "true": recall_from_0,
        "recall": recall,
        "precision": precision,
        "auc": float(np.trapezoid(recall_from_0, false)),
        "average_precision": float((np.diff(recall_from_0) * precision).sum()),
    }
