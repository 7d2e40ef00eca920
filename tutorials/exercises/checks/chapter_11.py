"""The checks of the exercises of chapter 11."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.tutorial.answers import AnswerError, equal, gradients

from .tools import normal, several, sigmoid, unchanged, unit


def kl(module: ModuleType) -> list[str]:
    mu, log_var = normal(5, 3), normal(5, 3, seed=1)
    value, _, _ = several("kl(mu, log_var)", module.kl(mu.copy(), log_var.copy()), 3)
    right = s.gaussian_kl(mu, log_var)[0]
    as_sigma = (0.5 * (mu**2 + np.exp(2 * log_var)) - log_var - 0.5).sum() / 5
    mistakes = {
        "this takes the variable for log σ: e^log_var is σ² already, and -log σ² comes with the ½": as_sigma,
        "it is averaged over the code numbers too: sum over them": right / 3,
        "the mean over the batch is missing": right * 5,
        "the ½ is missing": right * 2,
        "the sign is flipped": -right,
    }
    facts = [equal("the value", value, right, mistakes)]
    nothing = module.kl(np.zeros((2, 3)), np.zeros((2, 3)))
    for name, found in zip(("the value", "dmu", "dlog_var"), nothing, strict=True):
        facts.append(equal(f"{name} at μ = 0, σ = 1", found, np.zeros(np.shape(found))))
    return [*facts, gradients(module.kl, mu, log_var)]


def reparameterise(module: ModuleType) -> list[str]:
    mu, log_var, eps, dz = (normal(5, 3, seed=k) for k in range(4))
    z = module.forward(mu.copy(), log_var.copy(), eps.copy())
    sigma = np.exp(log_var / 2)
    mistakes = {
        "e^log_var is the variance σ²: σ is its root, e^(log_var / 2)": mu
        + np.exp(log_var) * eps,
        "the mean is missing": sigma * eps,
        "log_var itself is taken for σ": mu + log_var * eps,
    }
    facts = [equal("z", z, mu + sigma * eps, mistakes)]
    found = several(
        "backward(dz, mu, log_var, eps)",
        module.backward(dz.copy(), mu.copy(), log_var.copy(), eps.copy()),
        2,
    )
    mistakes = {
        "the ½ of ∂σ/∂log_var = σ / 2 is missing": dz * eps * sigma,
        "ε is missing": dz * sigma / 2,
        "it is written for σ = e^log_var": dz * eps * np.exp(log_var),
    }
    facts.append(equal("dmu", found[0], dz))
    facts.append(equal("dlog_var", found[1], dz * eps * sigma / 2, mistakes))
    rng = np.random.default_rng(0)
    draws = module.forward(
        np.zeros(100_000), np.full(100_000, -1.2), rng.standard_normal(100_000)
    )
    return [
        *facts,
        f"100,000 draws with log_var = -1.2 spread by {np.std(draws):.3f}; σ is {np.exp(-0.6):.3f}",
    ]


def vae_step(module: ModuleType) -> list[str]:
    N, D, H, K = 5, 4, 3, 2
    x, epsilon = unit(N, D), normal(N, K, seed=1)
    shapes = {"W1": (D, H), "b1": (H,), "Wm": (H, K), "bm": (K,)}
    shapes |= {"Wv": (H, K), "bv": (K,), "W2": (K, D), "b2": (D,)}
    theta = {
        name: normal(*shape, seed=7 + i) for i, (name, shape) in enumerate(shapes.items())
    }
    given = {name: array.copy() for name, array in theta.items()}
    L, gradients = several(
        "vae_step(x, epsilon, theta)", module.vae_step(x.copy(), epsilon.copy(), given), 2
    )
    h = np.tanh(x @ theta["W1"] + theta["b1"])
    mu, log_var = h @ theta["Wm"] + theta["bm"], h @ theta["Wv"] + theta["bv"]
    sigma = np.exp(log_var / 2)
    z = mu + sigma * epsilon
    a = z @ theta["W2"] + theta["b2"]
    of_pixels = (np.logaddexp(0, a) - x * a).sum()
    of_code = 0.5 * (mu**2 + sigma**2 - log_var - 1).sum()

    def back(n=N, half=0.5, noise=epsilon, tanh=True, heads=(1, 1), kl=(1, 1), through=1):
        """The gradients, with what a mistake leaves out."""
        da = (sigmoid(a) - x) / n
        dz = through * da @ theta["W2"].T
        dmu = dz + kl[0] * mu / n
        dlog_var = dz * noise * sigma * half + kl[1] * (sigma**2 - 1) / (2 * n)
        dh = heads[0] * dmu @ theta["Wm"].T + heads[1] * dlog_var @ theta["Wv"].T
        dhidden = dh * (1 - h**2 if tanh else 1)
        made = {"W2": (z, da), "Wv": (h, dlog_var), "Wm": (h, dmu), "W1": (x, dhidden)}
        found = {name: left.T @ right for name, (left, right) in made.items()}
        return found | {
            f"b{name[1]}": right.sum(axis=0) for name, (_, right) in made.items()
        }

    mistakes = {
        "the mean over the batch is missing": back(n=1),
        "the KL's part of dμ is missing: L depends on μ through z and through the KL": back(
            kl=(0, 1)
        ),
        "the KL's part of dℓ is missing: L depends on ℓ through z and through the KL": back(
            kl=(1, 0)
        ),
        "the KL's parts of dμ and dℓ are missing": back(kl=(0, 0)),
        "the part that comes through z is missing": back(through=0),
        "the ½ of ∂σ/∂ℓ = σ / 2 is missing": back(half=1),
        "the ε of ∂z/∂ℓ = ε σ / 2 is missing": back(noise=1),
        "h goes into both heads: what comes back from ℓ is missing": back(heads=(1, 0)),
        "h goes into both heads: what comes back from μ is missing": back(heads=(0, 1)),
        "tanh is not differentiated": back(tanh=False),
    }
    values = {
        "the KL is missing": of_pixels / N,
        "the cross-entropy is missing": of_code / N,
        "the ½ of the KL is missing": (of_pixels + 2 * of_code) / N,
        "the mean over the batch is missing": of_pixels + of_code,
        "the cross-entropy is averaged over the pixels: sum over them": (
            of_pixels / D + of_code
        )
        / N,
    }
    facts = [equal("L", L, (of_pixels + of_code) / N, values)]
    if not isinstance(gradients, dict) or set(gradients) != set(theta):
        raise AnswerError(
            f"the gradients should be a dictionary with the names {', '.join(theta)}"
        )
    right = back()
    for name in ("W2", "b2", "Wv", "bv", "Wm", "bm", "W1", "b1"):
        known = {text: wrong[name] for text, wrong in mistakes.items()}
        facts.append(equal(f"∂L/∂{name}", gradients[name], right[name], known))
    unchanged("vae_step", given.values(), theta.values())
    return facts


def kl_by_hand(module: ModuleType) -> list[str]:
    facts = []
    epsilon = normal(100_000)
    for mu, var, m, v in (
        (0.7, 0.3, 0.0, 1.0),
        (0.5, 2.0, -1.0, 0.5),
        (0.5, 2.0, 0.5, 2.0),
    ):
        what, square = f"KL(N({mu:g}, {var:g}) ‖ N({m:g}, {v:g}))", (mu - m) ** 2
        right = 0.5 * ((var + square) / v - np.log(var / v) - 1)
        mistakes = {
            "the two distributions have changed places": 0.5
            * ((v + square) / var - np.log(v / var) - 1),
            "the ½ is missing": 2 * right,
            "the sign is flipped": -right,
            "the -1 is missing: E (z - μ)² / 2σ² is ½": right + 0.5,
            "the logarithm's sign is flipped": right + np.log(var / v),
            "the logarithms of the densities' constants are missing: log q has -½ log σ²": right
            + 0.5 * np.log(var / v),
            "σ² and v are variances, and this squares them": 0.5
            * ((var**2 + square) / v**2 - np.log(var**2 / v**2) - 1),
            "the variance σ² of the draws is missing: E_q (z - m)² is σ² + (μ - m)²": right
            - 0.5 * var / v,
        }
        facts.append(equal(what, module.kl(mu, var, m, v), right, mistakes))
        z = mu + np.sqrt(var) * epsilon
        ratio = 0.5 * (np.log(v / var) + (z - m) ** 2 / v - (z - mu) ** 2 / var)
        mean, error = several(
            "estimate(mu, var, m, v, epsilon)",
            module.estimate(mu, var, m, v, epsilon.copy()),
            2,
        )
        wide = mu + var * epsilon  # as if var were σ
        mistakes = {
            "the sign is flipped": -ratio.mean(),
            "σ is the root of the variance: z = μ + √σ² ε": (
                0.5 * (np.log(v / var) + (wide - m) ** 2 / v - (wide - mu) ** 2 / var)
            ).mean(),
            "the logarithms of the densities' constants are missing": ratio.mean()
            - 0.5 * np.log(v / var),
        }
        equal(f"the estimate of {what}", mean, ratio.mean(), mistakes)
        if (mu, var) != (m, v):
            wrong = {
                "this is the spread of one draw: the mean of n has 1/√n of it": ratio.std()
            }
            wrong["the root of n is missing"] = ratio.std() / len(ratio)
            equal(
                "the standard error", error, ratio.std() / np.sqrt(len(ratio)), wrong, 1e-4
            )
        facts.append(
            f"by 100,000 draws {float(mean):.4f} ± {float(error):.4f}, as the formula says"
        )
    return facts


def iwae_weights(module: ModuleType) -> list[str]:
    N, k, K = 4, 3, 2
    mu, log_var = normal(N, K), normal(N, K, seed=1)
    epsilon, slope = normal(N, k, K, seed=2), normal(N, k, K, seed=3)
    sigma = np.exp(log_var / 2)[:, None]
    z = mu[:, None] + sigma * epsilon
    ratio = 0.5 * (epsilon**2 + log_var[:, None] - z**2).sum(axis=2)
    facts = []
    for what, log_p in (
        ("", normal(N, k, seed=4)),
        (" where log p is near -2000", normal(N, k, seed=4) - 2000),
    ):
        given = [array.copy() for array in (mu, log_var, epsilon, log_p, slope)]
        with np.errstate(all="ignore"):
            found = several(
                "iwae(mu, log_var, epsilon, log_p, slope)", module.iwae(*given), 4
            )
        unchanged("iwae", given, (mu, log_var, epsilon, log_p, slope))

        def bound(log_w):
            top = log_w.max(axis=1, keepdims=True)
            w = np.exp(log_w - top)
            each = np.log(w.mean(axis=1)) + top[:, 0]
            return -each, w / w.sum(axis=1, keepdims=True)

        each, share = bound(log_p + ratio)

        def back(share=share, prior=1, half=0.5, last=0.5, n=N, sign=1):
            dz = -sign * share[:, :, None] * (slope - prior * z) / n
            dlog_var = half * (dz * epsilon * sigma).sum(axis=1) - sign * last / n
            return dz.sum(axis=1), dlog_var

        others = {
            "the weight is p(x|z) alone: p(z) / q(z|x) is missing": bound(log_p),
            "log q lacks its -½ log σ², so log w lacks +½ log σ²": bound(
                log_p + ratio - 0.5 * log_var[:, None].sum(axis=2)
            ),
            "the sign of log p(z) - log q(z|x) is flipped": bound(log_p - ratio),
        }
        values = {text: wrong.mean() for text, (wrong, _) in others.items()}
        values |= {
            "the sign is flipped": -each.mean(),
            "the weights are added, and their mean is asked for": each.mean() - np.log(k),
            "this is the mean of the logarithms, the ELBO; the bound is the logarithm of the mean": -(
                log_p + ratio
            ).mean(),
            "the mean over the images is missing": each.sum(),
        }
        shares = {text: wrong for text, (_, wrong) in others.items()}
        shares[
            "the shares of one image's draws add up to 1, and not those of one column"
        ] = bound((log_p + ratio).T)[1].T
        equal_shares = np.full((N, k), 1 / k)
        steps = {
            "the sign is flipped: L is minus the bound": back(sign=-1),
            "the mean over the images is missing": back(n=1),
            "log p(z) is missing in dz: its slope is -z": back(prior=0),
            "the draws are averaged: each pulls by its share": back(share=equal_shares),
            "the ½ of ∂σ/∂log_var = σ / 2 is missing": back(half=1),
            "log w has +½ log σ² in it, and its slope ½ is missing": back(last=0),
            "log w has +½ log σ² once for an image: its shares add up to 1, and not to k": back(
                last=0.5 * k
            ),
        }
        facts.append(equal(f"L{what}", found[0], each.mean(), values))
        facts.append(equal(f"the shares{what}", found[1], share, shares))
        for i, (name, right) in enumerate(zip(("dmu", "dlog_var"), back(), strict=True)):
            known = {text: wrong[i] for text, wrong in steps.items()}
            facts.append(equal(f"{name}{what}", found[2 + i], right, known))
    return facts


def linear_vae(module: ModuleType) -> list[str]:
    facts = []
    x = normal(40, 6) * np.array([3, 2, 1.5, 1, 0.7, 0.4]) @ normal(6, 6, seed=1) / 2 + 1
    for K, s2, beta in ((2, 0.5, 1.0), (6, 0.5, 4.0)):
        name = f"linear_vae(x, {K}, {s2}, {beta:g})"
        W, variances, kl = several(name, module.linear_vae(x.copy(), K, s2, beta), 3)

        def solved(c=s2 * beta, centre=True, divisor=40, K=K):
            rows = x - x.mean(axis=0) * centre
            values, vectors = np.linalg.eigh(rows.T @ rows / divisor)
            return (
                np.maximum(values[::-1][:K], c),
                values[::-1][:K],
                vectors[:, ::-1][:, :K].T,
                c,
            )

        m, values, V, c = solved()
        others = {
            "the covariance is that of x - x̄: the mean was not taken away": solved(
                centre=False
            ),
            "the covariance is divided by N, not by N - 1": solved(divisor=39),
        }
        if beta != 1:
            others["β is missing: c = β s²"] = solved(c=s2)
        gram = lambda m, V, c: V.T * (m - c) @ V  # noqa: E731
        unclipped = {
            "a number with λ < c is not used: its KL is 0": 0.5 * np.log(values / c)
        }
        W = np.asarray(W, np.float64)
        equal("the shape of W", W.shape, V.shape)
        facts = [
            equal(
                "WᵀW",
                W.T @ W,
                gram(m, V, c),
                {text: gram(m, V, c) for text, (m, _, V, c) in others.items()}
                | {"rows have the squared length λ - c, not λ": gram(m, V, 0 * c)},
            ),
            equal(
                "the squared lengths of W's rows",
                (W**2).sum(axis=1),
                m - c,
                {"the largest eigenvalue comes first": (m - c)[::-1]},
            ),
            equal(
                "σ²",
                variances,
                c / m,
                {
                    "these are σ": np.sqrt(c / m),
                    "a number with λ < c has σ² = 1": c / values,
                },
            ),
            equal(
                "KL",
                kl,
                0.5 * np.log(m / c),
                {"the ½ is missing": np.log(m / c)} | unclipped,
            ),
        ]
    return facts


CHECKS = {
    "11_kl": kl,
    "11_reparameterise": reparameterise,
    "11_linear_vae": linear_vae,
    "11_vae_step": vae_step,
    "11_kl_by_hand": kl_by_hand,
    "11_iwae_weights": iwae_weights,
}
