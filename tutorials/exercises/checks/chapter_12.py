"""The checks of the exercises of chapter 12."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal

from .tools import normal, several, sigmoid, unit


def free_energy(module: ModuleType) -> list[str]:
    W, a, b = normal(4, 3), normal(4, seed=1), normal(3, seed=2)
    v = (unit(6, 4) < 0.5).astype(float)
    states = np.array(list(np.ndindex(2, 2, 2)), float)  # all 2³ hidden vectors
    minus_energy = (v @ a)[:, None] + states @ b + v @ W @ states.T
    right = -np.log(np.exp(minus_energy).sum(axis=1))
    mistakes = {
        "the sign is flipped": -right,
        "a (visible) is missing": right + v @ a,
        "b (hidden) is missing": -v @ a - np.logaddexp(0, v @ W).sum(axis=1),
    }
    facts = [
        equal(
            "F(v), against the sum over all h",
            module.free_energy(v.copy(), W, a, b),
            right,
            mistakes,
        )
    ]
    with np.errstate(all="ignore"):
        found = module.free_energy(v.copy(), 1000 * W, a, b)
    large = -v @ a - np.logaddexp(0, v @ (1000 * W) + b).sum(axis=1)
    return [*facts, equal("F(v) with weights in the thousands", found, large)]


def cd1(module: ModuleType) -> list[str]:
    W, a, b = normal(4, 3), normal(4, seed=1), normal(3, seed=2)
    v0, u = (unit(6, 4) < 0.5).astype(float), unit(6, 3, seed=4)
    found = several(
        "cd1(v0, W, a, b, u)",
        module.cd1(v0.copy(), W.copy(), a.copy(), b.copy(), u.copy()),
        3,
    )

    def step(hidden, last, sign=-1, n=6):
        p0 = sigmoid(v0 @ W + b)
        v1 = sigmoid(hidden(p0) @ W.T + a)
        p1 = last(v1, p0)
        return (
            sign * (v0.T @ p0 - v1.T @ p1) / n,
            sign * (v0 - v1).sum(axis=0) / n,
            sign * (p0 - p1).sum(axis=0) / n,
        )

    drawn, again = lambda p: (u < p).astype(float), lambda v, p: sigmoid(v @ W + b)
    right = step(drawn, again)
    mistakes = {
        "the sign is flipped: this climbs": step(drawn, again, sign=1),
        "h₀ is not drawn: the probabilities p₀ drive the reconstruction": step(
            lambda p: p, again
        ),
        "p₁ comes from v₀: it belongs to the reconstruction v₁": step(
            drawn, lambda v, p: p
        ),
        "the mean over the batch is missing": step(drawn, again, n=1),
        "the draw is turned round: h₀ is 1 where u < p₀": step(
            lambda p: (u > p).astype(float), again
        ),
    }
    return [
        equal(name, mine, expected, {text: wrong[k] for text, wrong in mistakes.items()})
        for k, (name, mine, expected) in enumerate(
            zip(("dW", "da", "db"), found, right, strict=True)
        )
    ]


def bound(module: ModuleType) -> list[str]:
    W, a, b = normal(4, 3), normal(4, seed=1), normal(3, seed=2)
    v, states = bits_of(4)[3:11], bits_of(3)
    log_prior = np.log(np.random.default_rng(5).dirichlet(np.ones(8)))

    def found(log_prior):
        arguments = (v, W, a, b, states, log_prior)
        return module.bound(*(array.copy() for array in arguments))

    def log_bits(logits, bits, normalised=1):
        return logits @ bits.T - normalised * np.log1p(np.exp(logits)).sum(
            axis=1, keepdims=True
        )

    log_q, log_v = log_bits(v @ W + b, states), log_bits(states @ W.T + a, v).T
    q = np.exp(log_q)
    mistakes = {
        "the entropy H(Q) is missing": q * (log_prior + log_v),
        "the entropy has the wrong sign: H(Q) = -Σ Q log Q": q
        * (log_prior + log_v + log_q),
        "log P(h) is missing": q * (log_v - log_q),
        "log P(v|h) is missing": q * (log_prior - log_q),
        "the mean over h has equal weights: it is one over Q(h|v)": (
            log_prior + log_v - log_q
        )
        / 8,
        "log P(v|h) lacks its log(1 + eᶜ): a bit that is 0 has a probability too": q
        * (log_prior + log_bits(states @ W.T + a, v, 0).T - log_q),
        "a is missing in P(v|h)": q * (log_prior + log_bits(states @ W.T, v).T - log_q),
    }
    mistakes = {text: terms.sum(axis=1) for text, terms in mistakes.items()}
    exact = np.log(np.exp(log_prior + log_v).sum(axis=1))
    mistakes["this is log P(v) itself; the bound lies below it"] = exact
    right = (q * (log_prior + log_v - log_q)).sum(axis=1)
    facts = [equal("bound", found(log_prior), right, mistakes)]
    own = states @ b + np.log1p(np.exp(states @ W.T + a)).sum(axis=1)  # P(h) of the RBM
    own -= np.log(np.exp(own).sum())
    log_p = np.log(np.exp(own + log_v).sum(axis=1))
    equal("the bound with the RBM's own P(h), which is log P(v)", found(own), log_p)
    return [*facts, "with the RBM's own P(h) it is log P(v): the bound is tight"]


def enumerate_(module: ModuleType) -> list[str]:
    W, a, b, states = normal(4, 3), normal(4, seed=1), normal(3, seed=2), bits_of(4)
    x = states[[12, 12, 3, 9, 14]]
    given = (x, states, W, a, b)
    found = several(
        "exact(x, states, W, a, b)",
        module.exact(*(array.copy() for array in given)),
        4,
    )
    F = lambda v: -v @ a - np.logaddexp(0, v @ W + b).sum(axis=1)  # noqa: E731
    P = np.exp(-F(states))
    log_Z = np.log(P.sum())
    P /= P.sum()

    def gradient(model, data=1 / 5, unit=lambda c: sigmoid(c)):
        v = np.concatenate([x, states])
        weights = np.concatenate([np.full(5, data), -model])
        p = unit(v @ W + b)
        return -v.T @ (weights[:, None] * p), -weights @ v, -weights @ p

    mistakes = {
        "the sign is flipped: this climbs": [-part for part in gradient(P)],
        "the second average is missing: ∂ log Z/∂θ": gradient(0 * P),
        "the second average has equal weights: each state counts as P(v)": gradient(
            np.full(16, 1 / 16)
        ),
        "the second average is not divided by Z": gradient(P * np.exp(log_Z)),
        "the two averages are added: the second is subtracted": gradient(-P),
        "the mean over the data is missing": gradient(P, data=1),
        "the second average is over the data again": gradient(0 * P, data=0),
        "∂ log(1 + eᶜ)/∂c is the sigmoid of c": gradient(P, unit=lambda c: c),
    }
    losses = {
        "log Z is missing": F(x).mean(),
        "this is log P: L is its negative": -F(x).mean() - log_Z,
        "it is summed over the data: take the mean": F(x).sum() + 5 * log_Z,
        "Z stands where log Z should": F(x).mean() + np.exp(log_Z),
    }
    facts = [equal("L", found[0], F(x).mean() + log_Z, losses)]
    for k, name in enumerate(("dW", "da", "db")):
        wrong = {text: parts[k] for text, parts in mistakes.items()}
        facts.append(equal(name, found[k + 1], gradient(P)[k], wrong))
    return facts


def gibbs(module: ModuleType) -> list[str]:
    W, a, b = normal(4, 3), normal(4, seed=1), normal(3, seed=2)
    visible, hidden = bits_of(4), bits_of(3)
    v, u, w = visible[[0, 3, 5, 9, 12, 14]], unit(6, 3, seed=4), unit(6, 4, seed=5)

    def stepped(h, last=lambda p: (w < p).astype(float)):
        return last(sigmoid(h @ W.T + a))

    p = sigmoid(v @ W + b)
    h = (u < p).astype(float)
    mistakes = {
        "v' is not drawn: these are its probabilities": stepped(h, lambda p: p),
        "h is not drawn: its probabilities drive v'": stepped(p),
        "the draws are turned round: a unit is 1 where u < p": stepped(
            (u > p).astype(float), lambda p: (w > p).astype(float)
        ),
    }
    given = [array.copy() for array in (v, W, a, b, u, w)]
    facts = [equal("v'", module.step(*given), stepped(h), mistakes)]

    def of_bits(p, bits):  # (A, n) and (B, n): (A, B)
        return np.where(bits == 1, p[:, None], 1 - p[:, None]).prod(axis=2)

    up, down = sigmoid(visible @ W + b), sigmoid(hidden @ W.T + a)
    right = of_bits(up, hidden) @ of_bits(down, visible)
    mistakes = {
        "it is transposed: the rows are where a chain comes from": right.T,
        "h is replaced by its mean: the sum is over all h": of_bits(
            sigmoid(up @ W.T + a), visible
        ),
        "P(h | v) is missing: every h counts alike": np.ones((16, 8))
        @ of_bits(down, visible),
        "a bit of 0 has the probability 1 - p": np.exp(np.log(up) @ hidden.T)
        @ np.exp(np.log(down) @ visible.T),
    }
    given = [array.copy() for array in (W, a, b, visible, hidden)]
    T = module.transition(*given)
    facts.append(equal("T", T, right, mistakes))
    rng, chains = np.random.default_rng(0), np.repeat(visible[:1], 20_000, axis=0)
    for _ in range(3):
        chains = module.step(
            chains, W, a, b, rng.random((20_000, 3)), rng.random((20_000, 4))
        )
    seen = (chains[:, None] == visible).all(axis=2).mean(axis=0)
    gap = np.abs(seen - np.linalg.matrix_power(T, 3)[0]).max()
    if gap > 0.02:
        raise AnswerError(
            f"20,000 chains after 3 steps are {gap:.3f} away from T³: does `step` change its v?"
        )
    return [*facts, f"20,000 chains after 3 steps: at most {gap:.4f} away from T³"]


def bits_of(n: int) -> np.ndarray:
    """Every vector of n zeros and ones, (2ⁿ, n)."""
    return (np.arange(2**n)[:, None] >> np.arange(n) & 1).astype(float)


CHECKS = {
    "12_free_energy": free_energy,
    "12_cd1": cd1,
    "12_enumerate": enumerate_,
    "12_gibbs": gibbs,
    "12_bound": bound,
}
