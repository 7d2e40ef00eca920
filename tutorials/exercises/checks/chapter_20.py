"""The checks of the exercises of chapter 20."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal

from .tools import normal, several, unchanged, unit


def early_stopping(module: ModuleType) -> list[str]:
    losses, patiences = (
        (9.0, 7.0, 8.0, 6.0, 6.0, 6.5, 6.2, 5.0, 7.0, 6.0, 7.0),
        (1, 2, 3, 4),
    )

    def ends(wait=0, equal=False, before=False):
        """The epoch that stops with each patience, and the best until then, with what a mistake changes."""
        found = []
        for patience in patiences:
            best, since, kept = np.inf, 0, 0
            for epoch, loss in enumerate(losses, 1):
                if loss < best or (equal and loss == best):
                    best, since, kept = loss, 0, epoch
                else:
                    best, since = (loss if before else best), since + 1
                if since >= patience + wait:
                    break
            found.append((epoch, kept))
        return np.array(found).T

    stops, kept = [], []
    for patience in patiences:
        early, parameters, stop = module.EarlyStopping(patience), np.zeros(3), False
        for loss in losses:
            parameters += 1
            stop = early.see(loss, parameters)
            if not isinstance(stop, bool | np.bool_):
                raise AnswerError(
                    f"see(…) should return True or False, and returned {stop!r}"
                )
            if stop:
                break
        stops.append(parameters[0])
        early.put_back(parameters)
        kept.append(parameters[0])
    right, best = ends()
    mistakes = {
        "the last of `patience` epochs in a row that were no better stops, and this stops one later": ends(
            wait=1
        ),
        "an equal loss counts as better: only a smaller one should": ends(equal=True),
        "it compares with the epoch before: compare with the best so far": ends(
            before=True
        ),
    }
    facts = [
        equal(
            "the epochs that stop, for patience 1 to 4",
            stops,
            right,
            {text: epochs for text, (epochs, _) in mistakes.items()},
        ),
        equal(
            "the epochs that put_back goes back to",
            kept,
            best,
            {
                "they are the last ones: training changes the vector in place, so keep a copy in the best epoch; and write "
                "into the vector, parameters[...] = …": right
            },
        ),
    ]
    return facts


def weight_decay(module: ModuleType) -> list[str]:
    theta, g, m, v = normal(5), normal(5, seed=1), normal(5, seed=2) / 9, unit(5, seed=3)
    g[0] = m[0] = v[0] = 0  # a parameter without any gradient
    lr, decay, t = 0.01, 0.3, 4

    def step(of, inside=0.0, before=0.0, after=0.0):
        shrunk = (1 - before) * of
        gradient = g + inside * of
        m1, v1 = 0.9 * m + 0.1 * gradient, 0.999 * v + 0.001 * gradient**2
        change = lr * m1 / (1 - 0.9**t) / (np.sqrt(v1 / (1 - 0.999**t)) + 1e-8)
        return (1 - after) * (shrunk - change), m1, v1

    wrong = {
        "the penalty is missing": step(theta),
        "the penalty is in Adam's gradient: shrink θ, and give Adam g alone": step(
            theta, inside=decay
        ),
        "λ is not multiplied by the learning rate": step(theta, before=decay),
        "θ is shrunk after Adam's step: shrink it first": step(theta, after=lr * decay),
        "it is decoupled: the penalty's gradient λ θ belongs to the gradient that Adam sees": step(
            theta, before=lr * decay
        ),
        "the gradient of λ θ² / 2 is λ θ, without a 2": step(theta, inside=2 * decay),
        "the penalty's gradient is λ θ, and the learning rate comes later": step(
            theta, inside=lr * decay
        ),
        "the sign of the penalty's gradient is flipped": step(theta, inside=-decay),
    }
    facts = []
    for name, right in (
        ("l2", step(theta, inside=decay)),
        ("adamw", step(theta, before=lr * decay)),
    ):
        given = [array.copy() for array in (theta, g, m, v)]
        found = several(f"{name}(…)", getattr(module, name)(*given, t, lr, decay), 3)
        unchanged(name, given, (theta, g, m, v))
        for i, part in enumerate(("theta", "m", "v")):
            mistakes = {
                text: all_[i]
                for text, all_ in wrong.items()
                if not np.allclose(all_[i], right[i])
            }
            facts.append(equal(f"{part} of {name}", found[i], right[i], mistakes))
    return facts


def folds(module: ModuleType) -> list[str]:
    facts = []
    for n, k in ((12, 3), (11, 4), (7, 7)):
        x, order = normal(n, 2, seed=n), np.random.default_rng(n).permutation(n)
        fit, errors = (
            lambda x: x.mean(axis=0),
            lambda mean, x: ((x - mean) ** 2).sum(axis=1),
        )
        cut = np.array_split(order, k)
        rests = [np.setdiff1d(order, held) for held in cut]
        each = [
            errors(fit(x[rest]), x[held]) for held, rest in zip(cut, rests, strict=True)
        ]
        size = n // k
        short = [order[i * size : (i + 1) * size] for i in range(k)]
        plain = np.array_split(np.arange(n), k)
        mistakes = {
            "the model was fitted to all examples, those of the fold too: that is the training error": errors(
                fit(x), x
            ).mean(),
            "the model was fitted to the fold: fit it to the others, and measure on the fold": np.concatenate(
                [
                    errors(fit(x[held]), x[rest])
                    for held, rest in zip(cut, rests, strict=True)
                ]
            ).mean(),
            "the error was measured on what the model was fitted to": np.concatenate(
                [errors(fit(x[rest]), x[rest]) for rest in rests]
            ).mean(),
            "it is the mean of the folds' means: folds are not all of one size, and each example should count the same": np.mean(
                [found.mean() for found in each]
            ),
            "it is the sum of the errors: take the mean": np.concatenate(each).sum(),
            "only one fold was measured: each is held out once": each[0].mean(),
            "the examples that are left over when N is divided by k were never measured": np.concatenate(
                [errors(fit(x[np.setdiff1d(order, held)]), x[held]) for held in short]
            ).mean(),
            "the folds are cut from 0 … N-1: cut them from `order`, since data are often sorted": np.concatenate(
                [errors(fit(x[np.setdiff1d(order, held)]), x[held]) for held in plain]
            ).mean(),
        }
        right = np.concatenate(each).mean()
        found = module.cross_validation(x.copy(), order.copy(), k, fit, errors)
        facts.append(
            equal(
                f"{n} examples, {k} folds",
                found,
                right,
                {
                    text: value
                    for text, value in mistakes.items()
                    if not np.isclose(value, right)
                },
            )
        )
    return facts


CHECKS = {
    "20_early_stopping": early_stopping,
    "20_weight_decay": weight_decay,
    "20_folds": folds,
}
