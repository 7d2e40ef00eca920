"""The checks of the exercises of chapter 02."""

from __future__ import annotations

from types import ModuleType

import numpy as np

from scratchae.tutorial.answers import AnswerError, equal, gradients

from .tools import activation, normal, several, sigmoid, unit


def dense(module: ModuleType) -> list[str]:
    layer, x = module.Dense(4, 3), normal(5, 4)
    layer.W, layer.b = normal(4, 3, seed=2), normal(3, seed=1)
    square = module.Dense(3, 3)
    square.W = normal(3, 3, seed=3)
    return [
        equal("forward", layer.forward(x.copy()), x @ layer.W + layer.b),
        gradients(layer, x),
        gradients(square, normal(3, 3)),
    ]


def masked_dense(module: ModuleType) -> list[str]:
    layer, x, dy = module.MaskedDense(4, 3), normal(5, 4), normal(5, 3, seed=3)
    layer.W, layer.b = normal(4, 3, seed=2), normal(3, seed=1)
    layer.M = np.array([[1, 0, 1], [0, 1, 1], [1, 1, 0], [0, 0, 1]], bool)
    V = layer.W * layer.M
    facts = [equal("forward", layer.forward(x.copy()), x @ V + layer.b)]
    dx = layer.backward(dy.copy())
    uncut = x.T @ dy
    facts += [
        equal(
            "dW",
            layer.dW,
            uncut * layer.M,
            {
                "a cut connection has a gradient here: it has no path to the loss, so its gradient is 0": uncut,
                "it is divided by N: the loss has done that already": uncut * layer.M / 5,
            },
        ),
        equal("dx", dx, dy @ V.T, {"the mask is missing": dy @ layer.W.T}),
    ]
    square = module.MaskedDense(3, 3)
    square.W, square.M = normal(3, 3, seed=3), layer.M[1:]
    return [*facts, gradients(layer, x), gradients(square, normal(3, 3))]


def gate(module: ModuleType) -> list[str]:
    layer, a, dy = module.Gate(), 2 * normal(5, 4), normal(5, 4, seed=1)
    s = sigmoid(a)
    facts = [equal("forward", layer.forward(a.copy()), a * s)]
    mistakes = {
        "the path through σ is missing": dy * s,
        "the path of a itself is missing": dy * a * s * (1 - s),
        "σ is not differentiated: its slope is s (1 - s)": dy * (s + a * s),
        "dy is left out": s + a * s * (1 - s),
    }
    found = layer.backward(dy.copy())
    facts.append(equal("da", found, dy * (s + a * s * (1 - s)), mistakes))
    return [*facts, gradients(module.Gate(), a)]


def mse(module: ModuleType) -> list[str]:
    p, t = unit(5, 3), unit(5, 3, seed=1)
    value, _ = several("mse(prediction, target)", module.mse(p.copy(), t.copy()), 2)
    square = ((p - t) ** 2).sum()
    mistakes = {
        "it is averaged over the features too: only the batch is averaged": square / p.size,
        "the mean over the batch is missing": square,
        "there is a ½ in it that the question has not": square / 10,
    }
    return [equal("the value", value, square / 5, mistakes), gradients(module.mse, p, t)]


def weighted_mse(module: ModuleType) -> list[str]:
    p, t, w = unit(5, 3), unit(5, 3, seed=1), np.array([0.5, 2.0, 3.0])
    value, _, dw = several(
        "weighted_mse(prediction, target, w)",
        module.weighted_mse(p.copy(), t.copy(), w.copy()),
        3,
    )
    each = (p - t) ** 2
    square = (w * each).sum()
    mistakes = {
        "it is averaged over the features too: only the batch is averaged": square / p.size,
        "the mean over the batch is missing": square,
        "there is a ½ in it that the question has not": square / 10,
        "the weights are squared too": (w**2 * each).sum() / 5,
    }
    facts = [equal("the value", value, square / 5, mistakes)]
    mistakes = {
        "it is summed over the batch where the value is averaged": each.sum(axis=0),
        "w itself is in it: L is linear in w, so its slope has no w": w
        * each.sum(axis=0)
        / 5,
    }
    facts.append(equal("dw", dw, each.sum(axis=0) / 5, mistakes))
    of_prediction = lambda p, t: module.weighted_mse(p, t, w.copy())[:2]  # noqa: E731
    of_prediction.__name__ = "weighted_mse"
    return [*facts, gradients(of_prediction, p, t)]


def two_layers(module: ModuleType) -> list[str]:
    facts = []
    for N, D, H, M in ((5, 4, 3, 2), (4, 3, 3, 3)):  # the square one: transposes fit
        x, t = normal(N, D), normal(N, M, seed=1)
        W1, b1 = normal(D, H, seed=2), normal(H, seed=3)
        W2, b2 = normal(H, M, seed=4), normal(M, seed=5)
        given = [x, t, W1, b1, W2, b2]
        found = several(
            "two_layers(x, t, W1, b1, W2, b2)",
            module.two_layers(*(array.copy() for array in given)),
            6,
        )
        a = x @ W1 + b1
        z = np.tanh(a)
        p = z @ W2 + b2
        square = ((p - t) ** 2).sum()
        facts = [
            equal(
                "L",
                found[0],
                square / N,
                {
                    "it is averaged over the outputs too": square / N / M,
                    "the mean over the batch is missing": square,
                },
            )
        ]

        def gradients_of(dp, W2T=W2.T, slope=1 - z**2, W1T=W1.T, x=x, z=z):
            da = (dp @ W2T) * slope
            return x.T @ da, da.sum(axis=0), z.T @ dp, dp.sum(axis=0), da @ W1T

        dp = 2 * (p - t) / N
        others = {
            "the 1/N of the loss is missing": gradients_of(2 * (p - t)),
            "there is a sigmoid's slope at the output, and there is no sigmoid": gradients_of(
                dp * p * (1 - p)
            ),
            "tanh is not differentiated": gradients_of(dp, slope=1.0),
            "the slope of tanh is 1 - z², with its output z, not with a": gradients_of(
                dp, slope=1 - a**2
            ),
            "the slope of σ stands here, z (1 - z); the one of tanh is 1 - z²": gradients_of(
                dp, slope=z * (1 - z)
            ),
        }
        if H == M:
            others["dz is da of the next layer times W2 transposed"] = gradients_of(
                dp, W2T=W2
            )
            others["dx is da times W1 transposed"] = gradients_of(dp, W1T=W1)
        names = ("dW1", "db1", "dW2", "db2", "dx")
        right = gradients_of(dp)
        for i in (2, 3, 0, 1, 4):  # from the loss back, so that the first mistake is named
            mistakes = {text: wrong[i] for text, wrong in others.items()}
            if names[i].startswith("db"):
                mistakes["the sum over the batch is missing: this is its mean"] = (
                    right[i] / N
                )
            facts.append(equal(names[i], found[i + 1], right[i], mistakes))
    return facts


def all_layers(x, t, Ws, bs, fs, mistake=""):
    """The answer to 02_L_layers, or what one mistake makes of it."""
    ys, slopes = [x], []
    for W, b, f in zip(Ws, bs, fs, strict=True):
        y, slope = f(ys[-1] @ W + b)
        ys.append(y)
        slopes.append(slope)
    n, last = len(x), len(Ws) - 1
    dy, dWs, dbs = 2 * (ys[-1] - t) / (1 if mistake == "N" else n), [], []
    for k in range(last, -1, -1):
        da = dy * slopes[min(k + (mistake == "next slope"), last)]
        if mistake == "no slopes" or (mistake == "no last slope" and k == last):
            da = dy
        dWs.insert(0, ys[k + (mistake == "own y")].T @ da)
        dbs.insert(0, da.sum(axis=0))
        dy = da @ (Ws[k] if mistake == "W" else Ws[k].T)
    return ((ys[-1] - t) ** 2).sum() / n, dWs, dbs


def any_layers(module: ModuleType) -> list[str]:
    names = {
        "N": "the 1/N of the loss is missing",
        "no slopes": "no activation is differentiated: da = dy ⊙ f′(a)",
        "no last slope": "the last activation is not differentiated: da = dy ⊙ f′(a) there too",
        "next slope": "da of a layer is multiplied by the slope of the layer after it",
        "own y": "dW has the layer's own output in it: what went into W is the output before, y_{l-1}",
        "W": "dy of the layer before is da times W transposed",
    }

    def tanh(a):
        return np.tanh(a), 1 - np.tanh(a) ** 2

    def logistic(a):
        return sigmoid(a), sigmoid(a) * (1 - sigmoid(a))

    def relu(a):
        return np.maximum(a, 0), (a > 0) * 1.0

    facts = []
    cases = (
        ([3, 3, 3, 3], [tanh, logistic, tanh]),  # square, so that any product fits
        ([5, 4, 3, 2, 6], [relu, tanh, logistic, logistic]),
        ([4, 3], [tanh]),
    )
    for sizes, fs in cases:
        pairs = list(zip(sizes, sizes[1:], strict=False))
        Ws = [normal(*pair, seed=i) for i, pair in enumerate(pairs)]
        bs = [normal(m, seed=9 + i) for i, (_, m) in enumerate(pairs)]
        x, t = normal(6, sizes[0], seed=20), normal(6, sizes[-1], seed=21)
        given = ([W.copy() for W in Ws], [b.copy() for b in bs])
        found = several(
            "any_layers(x, t, Ws, bs, fs)", module.any_layers(x.copy(), t, *given, fs), 3
        )
        found = found[0], list(found[1]), list(found[2])
        right = all_layers(x, t, Ws, bs, fs)
        what = f"sizes {sizes}"
        facts.append(equal(f"{what}: L", found[0], right[0]))
        others = [
            (text, all_layers(x, t, Ws, bs, fs, mistake))
            for mistake, text in names.items()
            if min(sizes) == max(sizes) or mistake not in ("next slope", "own y", "W")
        ]
        turned = "the list is in the order of the loop backward, the last layer first"
        dWs, dbs = right[1:]
        for wrong in ((dWs[::-1], dbs[::-1]), (dWs[::-1], dbs), (dWs, dbs[::-1])):
            others.append((turned, (None, *wrong)))
        for text, wrong in others:
            as_wrong, as_right = (
                all(
                    np.shape(a) == b.shape and np.allclose(a, b)
                    for a, b in zip(found[1] + found[2], case[1] + case[2], strict=False)
                )
                for case in (wrong, right)
            )
            if as_wrong and not as_right:
                raise AnswerError(f"{what}: {text}")
        for which, letter in ((1, "dW"), (2, "db")):
            if len(found[which]) != len(fs):
                raise AnswerError(
                    f"{what}: there should be {len(fs)} {letter}, and there are {len(found[which])}"
                )
        for k in reversed(range(len(fs))):  # as the gradient flows
            for which, letter in ((2, "db"), (1, "dW")):
                label = f"{what}: {letter} of layer {k + 1}"
                facts.append(equal(label, found[which][k], right[which][k]))
    return [
        f"{sum(len(fs) for _, fs in cases)} layers in {len(cases)} networks: dW and db right"
    ]


def fork(module: ModuleType) -> list[str]:
    x, W, b = normal(5, 4), normal(4, 4, seed=1), normal(4, seed=2)
    A, C = normal(4, 3, seed=3), normal(4, 2, seed=4)
    du, dv = normal(5, 3, seed=5), normal(5, 2, seed=6)
    given = (x, W, b, A, C, du, dv)
    found = several(
        "fork(x, W, b, A, C, du, dv)", module.fork(*(array.copy() for array in given)), 5
    )
    h = np.tanh(x @ W + b)

    def back(dy, slope=1 - h**2):
        da = dy * slope
        return dy + da @ W.T, x.T @ da, da.sum(axis=0)

    both = du @ A.T + dv @ C.T
    right = back(both)
    others = {
        "y goes into two heads, and only the gradient of u has come back": back(du @ A.T),
        "y goes into two heads, and only the gradient of v has come back": back(dv @ C.T),
        "the gradients of the two heads are averaged: they add up": back(both / 2),
        "tanh is not differentiated": back(both, 1.0),
        "its slope is 1 - h², not 1 - y²": back(both, 1 - (x + h) ** 2),
    }
    layer = right[0] - both
    facts = [
        equal(
            "dA", found[3], (x + h).T @ du, {"u = y A: y stands before A, not h": h.T @ du}
        ),
        equal(
            "dC", found[4], (x + h).T @ dv, {"v = y C: y stands before C, not h": h.T @ dv}
        ),
    ]
    for i, name in ((2, "db"), (1, "dW")):
        facts.append(
            equal(
                name, found[i], right[i], {text: wrong[i] for text, wrong in others.items()}
            )
        )
    mistakes = {
        "the path past the layer is missing: x is used in y = x + h too": layer,
        "only the path past the layer is there: x went into the layer too": both,
    }
    mistakes |= {text: wrong[0] for text, wrong in others.items()}
    return [*facts, equal("dx", found[0], right[0], mistakes)]


CHECKS = {
    "02_dense": dense,
    "02_sigmoid": activation("Sigmoid", sigmoid),
    "02_mse": mse,
    "02_gate": gate,
    "02_weighted_mse": weighted_mse,
    "02_masked": masked_dense,
    "02_two_layers": two_layers,
    "02_L_layers": any_layers,
    "02_fork": fork,
}
