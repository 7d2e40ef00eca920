"""The checks of the exercises of chapter 06."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal

from .tools import normal, several, unchanged


def pca(module: ModuleType) -> list[str]:
    x = normal(20, 5) @ normal(5, 5, seed=1) + 3
    found = several("pca(x, k)", module.pca(x.copy(), 2), 4)
    centre = x.mean(axis=0)
    _, S, Vt = np.linalg.svd(x - centre, full_matrices=False)
    facts = [equal("mean", found[0], centre)]
    if np.shape(found[1]) == (2, 5):  # an axis may point either way
        signs = np.sign((np.asarray(found[1]) * Vt[:2]).sum(axis=1))[:, None]
    else:
        signs = np.ones((2, 1))
    mistakes = {
        "these are columns of Vᵀ: the axes are its rows": signs * Vt.T[:2],
        "they belong to x with its mean": signs * np.linalg.svd(x)[2][:2],
    }
    axes = signs * Vt[:2]
    code = (x - centre) @ axes.T
    facts.append(equal("axes", found[1], axes, mistakes))
    facts.append(equal("code", found[2], code, {"the mean is not taken off": x @ axes.T}))
    facts.append(
        equal(
            "reconstruction",
            found[3],
            code @ axes + centre,
            {"the mean is not added": code @ axes},
        )
    )
    error = ((x - found[3]) ** 2).sum()
    return [
        *facts,
        f"squared error {error:.6g}, the sum of the other squared singular values {(S[2:] ** 2).sum():.6g}",
    ]


def escape(module: ModuleType) -> list[str]:
    facts, variances = [], np.array([4.0, 2.0, 1.0, 0.5, 0.2])
    basis, _ = np.linalg.qr(normal(5, 5))
    spread, _ = np.linalg.qr(normal(40, 5, seed=1) - normal(40, 5, seed=1).mean(axis=0))
    X = spread * np.sqrt(40 * variances) @ basis.T  # its covariance has these eigenvalues
    turn = normal(3, 3, seed=2)
    for name, kept in (
        ("zero weights", []),
        ("v₁, v₂ kept", [0, 1]),
        ("v₂, v₄ kept", [1, 3]),
    ):
        V = basis[:, [*kept, *kept[:1]]] if kept else np.zeros((5, 0))
        W1 = (
            np.hstack([V, np.zeros((5, 3 - V.shape[1]))]) @ turn
        )  # u moves it, where something is kept
        rows = np.vstack([basis[:, kept].T, np.zeros((3 - len(kept), 5))])
        W2 = np.linalg.solve(turn, rows)

        def loss(W1, W2):
            return ((X @ W1 @ W2 - X) ** 2).sum() / 40

        epsilon, rest = 0.01, loss(W1, W2)
        given = [X.copy(), W1.copy(), W2.copy()]
        found = several("escape(X, W1, W2, epsilon)", module.escape(*given, epsilon), 4)
        unchanged("escape", given, (X, W1, W2))
        u, v, new1, new2 = (np.asarray(array, float) for array in found)
        for what, vector, size in (("u", u, 3), ("v", v, 5)):
            equal(f"the shape of {what}", vector.shape, (size,))
            equal(f"the length of {what}", np.linalg.norm(vector), 1.0)
        if np.abs(u @ W2).max() > 1e-8:
            raise AnswerError(
                f"{name}: uᵀ W₂ is not 0, so the decoder uses u already: take the column of U with the smallest singular value"
            )
        strongest = min(set(range(5)) - set(kept))
        if np.abs(W2 @ v).max() > 1e-8:
            raise AnswerError(
                f"{name}: W₂ v is not 0, so v is kept already: look among the eigenvectors that are left out"
            )
        if abs(abs(v @ basis[:, strongest]) - 1) > 1e-6:
            raise AnswerError(
                f"{name}: v is left out, but its variance {v @ (X.T @ X / 40) @ v:.3g} is not the largest, {variances[strongest]:g}"
            )
        one, two = epsilon * np.outer(v, u), epsilon**2 * np.outer(u, v)
        equal(
            f"{name}: the new W₁",
            new1,
            W1 + one,
            {
                "it stands still: with W₁ alone unmoved, W₁ W₂ gets no v vᵀ": W1,
                "the sign is flipped: the loss would rise": W1 - one,
                "it moves by ε², and W₂ should do that": W1 + epsilon * one,
            },
        )
        equal(
            f"{name}: the new W₂",
            new2,
            W2 + two,
            {
                "it stands still: as uᵀ W₂ = 0, the change of W₁ alone does nothing": W2,
                "the sign is flipped: the loss would rise": W2 - two,
                "it moves by ε: then W₁ u vᵀ costs more than v vᵀ gains": W2
                + two / epsilon,
            },
        )
        change, promised = loss(new1, new2) - rest, -2 * epsilon**3 * variances[strongest]
        if not 0.8 < change / promised < 1.1:
            raise AnswerError(
                f"{name}: the loss changes by {change:.2e}, and should by about {promised:.2e}"
            )
        facts.append(f"{name}: the loss changes by {change:.3e}; -2 ε³ λ is {promised:.3e}")
    return facts


CHECKS = {
    "06_pca": pca,
    "06_escape": escape,
}
