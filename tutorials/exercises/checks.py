"""What `scratchae check` asks of each exercise: a function of the learner's module, by the name of the file.

Each returns what it found right, a line each, or raises `AnswerError`. Gradients are compared with central
differences, values with the library's, which the tests of the library prove in turn.
"""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.layers.patches import im2col
from scratchae.tutorial.answers import AnswerError, equal, gradients


def normal(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).standard_normal(shape)


def unit(*shape: int, seed: int = 0) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape)


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


def several(what: str, found: object, count: int) -> tuple:
    """A tuple of so many things, as a function should return it."""
    if not isinstance(found, tuple) or len(found) != count:
        kind = f"{len(found)} things" if isinstance(found, tuple) else type(found).__name__
        raise AnswerError(f"{what} should return {count} things, and returns {kind}")
    return found


def neuron(module: ModuleType) -> list[str]:
    facts = []
    for seed in range(3):
        x, w, (b, t) = normal(3, seed=seed), normal(3, seed=seed + 9), unit(2, seed=seed)
        L, dw, db, dx = several(
            "neuron(x, w, b, t)", module.neuron(x.copy(), w.copy(), b, t), 4
        )
        y = sigmoid(w @ x + b)
        da = 2 * (y - t) * y * (1 - y)
        without = 2 * (y - t)
        forgot = "the 2 of the square is missing"
        facts = [
            equal("L", L, (y - t) ** 2),
            equal(
                "dw",
                dw,
                da * x,
                {
                    forgot: da * x / 2,
                    "σ is not differentiated": without * x,
                    "it is dx": da * w,
                },
            ),
            equal(
                "db",
                db,
                da,
                {forgot: da / 2, "σ is not differentiated: y (1 - y) is missing": without},
            ),
            equal(
                "dx",
                dx,
                da * w,
                {
                    forgot: da * w / 2,
                    "σ is not differentiated": without * w,
                    "it is dw": da * x,
                },
            ),
        ]
    return facts


def parameters(module: ModuleType) -> list[str]:
    facts = []
    for sizes in ([3, 2], [784, 32, 784], [784, 128, 64, 32, 64, 128, 784]):
        pairs = list(zip(sizes, sizes[1:], strict=False))
        weights, biases = sum(n * m for n, m in pairs), sum(sizes[1:])
        mistakes = {
            "the biases are missing": weights,
            "the input layer has no bias": weights + sum(sizes),
            "the weights are missing": biases,
        }
        facts.append(
            equal(
                f"parameters({sizes})",
                module.parameters(list(sizes)),
                weights + biases,
                mistakes,
            )
        )
    return facts


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


def activation(name: str, function) -> object:
    def check(module: ModuleType) -> list[str]:
        layer, x = getattr(module, name), normal(5, 4)
        return [
            equal("forward", layer().forward(x.copy()), function(x)),
            gradients(layer(), x),
        ]

    return check


def softmax(module: ModuleType) -> list[str]:
    x = normal(5, 4)
    e = np.exp(x)
    return [
        equal(
            "forward", module.Softmax().forward(x.copy()), e / e.sum(axis=1, keepdims=True)
        ),
        gradients(module.Softmax(), x),
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


def directional(module: ModuleType) -> list[str]:
    theta, h, facts, seen = normal(7), 1e-4, [], []
    factor = np.arange(1.0, 8.0)
    for seed in range(2):
        places = []

        def loss(place, places=places):
            places.append(np.array(place, float))
            return float((factor * np.sin(place)).sum() + place[0] * place[1])

        gradient = factor * np.cos(theta)
        gradient[:2] += theta[1::-1]
        before = theta.copy()
        derived, measured = several(
            "directional(loss, theta, gradient, rng, h)",
            module.directional(loss, theta, gradient, np.random.default_rng(seed), h),
            2,
        )
        if (theta != before).any():
            theta[...] = before
            raise AnswerError("theta is changed: work on copies, θ + h v and θ - h v")
        if len(places) != 2:
            raise AnswerError(f"loss was called {len(places)} times: two are enough")
        first, second = places
        if (first == before).all() or (second == before).all():
            raise AnswerError(
                "one of the two losses was taken at θ itself: that difference is one-sided, and its error falls "
                "with h only, not with h²"
            )
        if not np.allclose(first + second, 2 * before, rtol=0, atol=1e-9):
            raise AnswerError(
                "the two places are not θ + h v and θ - h v with the same v: draw v once"
            )
        v = (first - second) / (2 * h)
        length = float(np.linalg.norm(v))
        if abs(length - 1) > 1e-6:
            raise AnswerError(f"v has the length {length:.4g}: divide it by its length")
        v = v if derived * (gradient @ v) >= 0 else -v
        if np.isclose(abs(v @ gradient), np.linalg.norm(gradient)):
            raise AnswerError(
                "v points along the gradient: a wrong part at right angles to it would not be seen; draw v at random"
            )
        if (v > 0).all() or (v < 0).all():
            raise AnswerError(
                "all numbers of v have the same sign: draw them from rng.standard_normal"
            )
        seen.append(v)
        slope = (loss(before + h * v) - loss(before - h * v)) / (2 * h)
        facts += [
            equal("derived, g · v", derived, gradient @ v),
            equal(
                "measured",
                measured,
                slope,
                {
                    "it is divided by h: the two places are 2h apart": 2 * slope,
                    "it is not divided by 2h": 2 * h * slope,
                    "the signs of the two losses are exchanged": -slope,
                },
            ),
        ]
    if np.allclose(seen[0], seen[1]):
        raise AnswerError("two seeds gave the same direction: draw v with rng")
    return [*facts[:2], "θ is left as it was, with two losses"]


def dropout(module: ModuleType) -> list[str]:
    rate, x, dy = 0.25, normal(50, 40) + 3, normal(50, 40, seed=1)
    layer = module.DropoutWithMoments(rate)
    y = layer.forward(x.copy(), np.random.default_rng(0))
    dx = layer.backward(dy.copy())
    m = np.asarray(y, float) / x
    dropped = float((m == 0).mean())
    if abs(dropped - (1 - rate)) < 0.05:
        raise AnswerError(
            f"{dropped:.0%} are dropped: `rate` = {rate} is the share to drop"
        )
    if abs(dropped - rate) > 0.05:
        raise AnswerError(
            f"{dropped:.0%} of the numbers are dropped, and should be {rate:.0%}"
        )
    if (m == m[0]).all() or (m == m[:, :1]).all():
        raise AnswerError("one mask serves several numbers: draw one for each number of x")
    kept = m[m != 0]
    scales = {
        "what is kept is not divided by 1 - p, so E[y] = (1 - p) x": np.ones_like(kept),
        "what is kept is multiplied by 1 - p: divide": np.full_like(kept, 1 - rate),
        "what is kept is divided by p, the share that is dropped": np.full_like(
            kept, 1 / rate
        ),
    }
    facts = [equal("what is kept", kept, np.full_like(kept, 1 / (1 - rate)), scales)]
    mistakes = {
        "the mask is missing: a dropped number has no path to the loss": dy,
        "dy is dropped, but not divided by 1 - p": dy * (m != 0),
    }
    other = (np.asarray(dx) == 0) != (m == 0) if np.shape(dx) == m.shape else np.zeros(1)
    if other.any() and not np.allclose(dx, dy):
        raise AnswerError("dx: another mask was drawn: backward needs the one of forward")
    facts.append(equal("dx", dx, dy * m, mistakes))
    facts.append(equal("y without an rng", layer.forward(x.copy()), x))
    facts.append(
        equal(
            "dx after a forward without an rng",
            layer.backward(dy.copy()),
            dy,
            {"the mask of the forward before is still there": dy * m},
        )
    )
    mean, variance = several("moments(x)", layer.moments(x.copy()), 2)
    facts.append(
        equal("E[y]", mean, x, {"the division by 1 - p is left out": (1 - rate) * x})
    )
    mistakes = {
        "this is E[y²]: E[y]² is to be taken away": x**2 / (1 - rate),
        "this is the variance of a mask of 0 and 1, which is not divided by 1 - p": x**2
        * rate
        * (1 - rate),
        "it is the standard deviation": np.abs(x) * np.sqrt(rate / (1 - rate)),
        "the variance of m is to be multiplied by x²": np.full_like(x, rate / (1 - rate)),
    }
    facts.append(equal("Var[y]", variance, x**2 * rate / (1 - rate), mistakes))
    return [*facts, gradients(module.DropoutWithMoments(0.5), normal(6, 5))]


def optimizer(make, twin, mistakes=lambda g, lr: {}):
    """Five steps on three numbers, beside the library's optimizer."""

    def check(module: ModuleType) -> list[str]:
        mine, right, facts = make(module), twin(), []
        found, expected = normal(3), normal(3)
        for t in range(5):
            g = normal(3, seed=t + 1)
            before, given = expected.copy(), g.copy()
            right.update(expected, g)
            if mine.update(found, g) is not None:
                raise AnswerError(
                    "update returned something: it changes `parameters` in place, and returns nothing"
                )
            if not np.array_equal(g, given):
                raise AnswerError("update changed `gradient`, which belongs to the caller")
            if np.array_equal(found, before):
                raise AnswerError(
                    f"step {t + 1} changed nothing: write `parameters -= …`, which works in place"
                )
            known = {text: before - step for text, step in mistakes(g, t + 1).items()}
            facts.append(
                equal(f"the parameters after step {t + 1}", found, expected, known)
            )
        return facts

    return check


def mean_momentum(module: ModuleType) -> list[str]:
    compare = optimizer(
        lambda module: module.MeanMomentum(0.1, 0.9),
        lambda: s.SGD(0.1, 0.9),
        lambda g, t: {
            "v is the mean now, 1 - μ times the sum: the steps are too short": 0.1
            * 0.1
            * g,
            "v does not last: the gradient alone is used": 0.1 * g if t > 1 else np.nan * g,
        },
    )
    facts = compare(module)
    mine, g = module.MeanMomentum(0.1, 0.75), normal(3)
    mine.update(normal(3, seed=1), g.copy())
    forms = {"this v is the sum: the question asks for the mean": g}
    return [*facts, equal("v after one step", mine.v, 0.25 * g, forms)]


def he(module: ModuleType) -> list[str]:
    facts = []
    for inputs in (50, 200, 784):
        s_right = np.sqrt(2 / inputs)
        mistakes = {
            "this is the variance: its square root is asked for": 2 / inputs,
            "ReLU halves the mean square: that is left out": np.sqrt(1 / inputs),
            "it does not depend on the inputs, though the sum does": 1.0,
        }
        facts.append(
            equal(
                f"s for {inputs} inputs",
                module.standard_deviation(inputs),
                s_right,
                mistakes,
            )
        )
    x = normal(400, 300)
    for k in range(20):
        x = np.maximum(
            x @ (normal(300, 300, seed=k + 1) * module.standard_deviation(300)), 0
        )
    return [
        *facts,
        f"after 20 layers of 300 the mean square of a signal is {np.mean(x * x):.2f}, from 1",
    ]


def batchnorm(module: ModuleType) -> list[str]:
    x, dy, n = 2 * normal(6, 3) + 1, normal(6, 3, seed=1), 6
    gamma, beta = normal(3, seed=2), normal(3, seed=3)
    layer = module.BatchNormByHand(3)
    layer.gamma, layer.beta = gamma.copy(), beta.copy()
    m, v, eps = x.mean(axis=0), x.var(axis=0), 1e-5
    r = 1 / np.sqrt(v + eps)
    x_hat = (x - m) * r
    mistakes = {
        "the variance is divided by N, not by N - 1": (x - m)
        / np.sqrt(v * n / (n - 1) + eps),
        "the root is missing: it is divided by the variance": (x - m) / (v + eps),
        "the mean is not taken off": x * r,
        "ε stands inside the root": (x - m) / (np.sqrt(v) + eps),
    }
    y = layer.forward(x.copy())
    known = {text: gamma * wrong + beta for text, wrong in mistakes.items()}
    known["γ is missing"], known["β is missing"] = x_hat + beta, gamma * x_hat
    facts = [equal("y", y, gamma * x_hat + beta, known, 1e-9)]
    dx, through_m = layer.backward(dy.copy()), dy.mean(axis=0)
    dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
    through_v = x_hat * dgamma / n
    mistakes = {
        "m and v are taken for constants: each x moves both of them": gamma * r * dy,
        "the way through v is missing: each x moves the variance too": gamma
        * r
        * (dy - through_m),
        "the way through m is missing: each x moves the mean too": gamma
        * r
        * (dy - through_v),
        "γ is missing: dx̂ = γ dy": r * (dy - through_m - through_v),
        "the sums over the batch are not divided by N": gamma
        * r
        * (dy - dbeta - x_hat * dgamma),
        "1 / √(v + ε) is missing": gamma * (dy - through_m - through_v),
    }
    facts += [
        equal(
            "dγ",
            layer.dgamma,
            dgamma,
            {
                "x̂ is missing": dbeta,
                "it is x̂ that is summed up, not x": (dy * x).sum(axis=0),
            },
        ),
        equal("dβ", layer.dbeta, dbeta),
        equal("dx", dx, gamma * r * (dy - through_m - through_v), mistakes),
    ]
    return [*facts, gradients(layer, x)]


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


def log_sum_exp(module: ModuleType) -> list[str]:
    x = normal(5, 4)
    facts = [
        equal(
            "log Σ exp of small numbers",
            module.log_sum_exp(x.copy()),
            np.log(np.exp(x).sum(axis=1)),
        )
    ]
    apart = np.array([[0.0, 0.0, -800.0, 5.0], [2000.0, 1999.0, 0.0, 1.0]])
    shift = apart.max(axis=1)
    right = shift + np.log(np.exp(apart - shift[:, None]).sum(axis=1))
    for text, far in (("1000 added", 1000.0), ("1000 taken off", -1000.0)):
        with np.errstate(all="ignore"):
            facts.append(
                equal(
                    f"with {text}",
                    module.log_sum_exp(x + far),
                    np.log(np.exp(x).sum(axis=1)) + far,
                )
            )
    with np.errstate(all="ignore"):
        found = module.log_sum_exp(apart.copy())
    facts.append(equal("rows far apart (each row needs an m of its own)", found, right))
    return facts


def bce_with_logits(module: ModuleType) -> list[str]:
    a, t = 2 * normal(5, 4), unit(5, 4)
    value, _ = several(
        "bce_with_logits(prediction, target)", module.bce_with_logits(a.copy(), t.copy()), 2
    )
    right, _ = s.BCEWithLogits()(a, t)
    mistakes = {
        "it is averaged over the pixels too": right / 4,
        "the mean over the batch is missing": right * 5,
    }
    facts = [
        equal("the value", value, right, mistakes),
        gradients(module.bce_with_logits, a, t),
    ]
    far, on = (
        np.array([[1e4, -1e4, 800.0], [-800.0, 40.0, 0.0]]),
        np.array([[1.0, 0.0, 0.0], [1.0, 1.0, 0.5]]),
    )
    with np.errstate(all="ignore"):
        value, gradient = module.bce_with_logits(far.copy(), on.copy())
    expected = s.BCEWithLogits()(far, on)
    facts.append(equal("the value for logits up to ±10,000", value, expected[0]))
    facts.append(equal("the gradient for logits up to ±10,000", gradient, expected[1]))
    return facts


def softmax_ce(module: ModuleType) -> list[str]:
    a, dp = 2 * normal(5, 3), normal(5, 3, seed=1)
    e = np.exp(a)
    p, t = e / e.sum(axis=1, keepdims=True), unit(5, 3, seed=2)
    t /= t.sum(axis=1, keepdims=True)
    mean = (dp * p).sum(axis=1, keepdims=True)
    mistakes = {
        "a logit also moves the other probabilities of its row, through the sum": p * dp,
        "this is the slope of a sigmoid: the others of the row move too": dp * p * (1 - p),
        "the sum runs over the examples: it should run over the classes": p
        * (dp - (dp * p).sum(axis=0)),
        "the sum has no p in it: it is the mean of dp with the weights p": p
        * (dp - dp.sum(axis=1, keepdims=True)),
        "the p before the bracket is missing": dp - mean,
    }
    found = module.softmax_backward(p.copy(), dp.copy())
    facts = [equal("softmax_backward", found, p * (dp - mean), mistakes)]
    value, gradient = several("softmax_ce(a, t)", module.softmax_ce(a.copy(), t.copy()), 2)
    each = -(t * np.log(p)).sum(axis=1)
    across = e / e.sum(axis=0)
    mistakes = {
        "the sign is flipped": -each.mean(),
        "the mean over the batch is missing": each.sum(),
        "it is averaged over the classes too: sum over them": each.mean() / 3,
        "the sum of p runs over the examples: it should run over the classes": -(
            t * np.log(across)
        ).sum()
        / 5,
        "these are sigmoids: the probabilities of a row should add up to 1": -(
            t * np.log(sigmoid(a))
        ).sum()
        / 5,
    }
    facts.append(equal("L", value, each.mean(), mistakes))
    mistakes = {
        "the mean over the batch is missing, which L has": p - t,
        "the sign is flipped: it is prediction minus target": (t - p) / 5,
        "the slope of the softmax is in it twice: p - t is the whole gradient by the logits": (
            p - t
        )
        * p
        * (1 - p)
        / 5,
        "this is ∂L/∂p: it has to go back through the softmax": -t / p / 5,
    }
    facts.append(equal("da", gradient, (p - t) / 5, mistakes))
    through = module.softmax_backward(p.copy(), -t / p / 5)
    facts.append(equal("da by way of softmax_backward", through, (p - t) / 5))
    far = np.array([[1e4, -1e4, 0.0], [-2000.0, -2001.0, -2003.0], [0.0, 700.0, 710.0]])
    on = np.array([[0.9, 0.0, 0.1], [0.5, 0.5, 0.0], [0.0, 0.0, 1.0]])
    expected = s.SoftmaxCrossEntropy()(far, on)
    with np.errstate(all="ignore"):
        value, gradient = module.softmax_ce(far.copy(), on.copy())
    facts.append(
        equal(
            "L for logits up to ±10,000 (each row needs an m of its own)",
            value,
            expected[0],
        )
    )
    return [*facts, equal("da for them", gradient, expected[1])]


def columns(module: ModuleType) -> list[str]:
    facts = []
    for shape, K in (((1, 3, 3, 1), 2), ((2, 5, 4, 3), 3)):
        x = np.arange(np.prod(shape), dtype=float).reshape(shape)
        right = im2col(x, (K, K))
        channels_first = (
            right.reshape(len(right), K * K, -1).transpose(0, 2, 1).reshape(right.shape)
        )
        swapped = (
            right.reshape(len(right), K, K, -1).transpose(0, 2, 1, 3).reshape(right.shape)
        )
        mistakes = {}
        if shape[3] > 1:
            mistakes[
                "the channels vary slowest within a patch, and should vary fastest"
            ] = channels_first
        mistakes["i and j have changed places: i goes down, j across"] = swapped
        facts.append(
            equal(
                f"the patches of {shape}, K = {K}",
                module.im2col(x.copy(), K),
                right,
                mistakes,
            )
        )
    return facts


def conv(module: ModuleType) -> list[str]:
    layer, x = module.Conv2d(2, 4), normal(2, 5, 4, 2)
    layer.W = normal(9 * 2, 4, seed=2)
    return [gradients(layer, x)]


def conv_transpose(module: ModuleType) -> list[str]:
    layer, x = module.ConvTranspose2d(2, 3), normal(2, 3, 4, 2)
    layer.W, layer.b = normal(9 * 3, 2, seed=2), normal(3, seed=1)
    twin = s.ConvTranspose2d(2, 3, 3, rng=0).to(dtype=np.float64)
    twin.W[...], twin.b[...] = layer.W.reshape(3, 3, 3, 2), layer.b
    right = twin.forward(x)
    y = layer.forward(x.copy())
    facts = [
        equal("forward", y, right, {"the bias is missing": right - layer.b}),
        gradients(layer, x),
    ]
    layer.b[...] = 0
    there = normal(*right.shape, seed=2)
    convolved = (im2col(there, (3, 3)) @ layer.W).reshape(x.shape)
    left, across = (layer.forward(x.copy()) * there).sum(), (x * convolved).sum()
    return [*facts, equal("⟨ConvTranspose x, y⟩ = ⟨x, Conv y⟩", left, across)]


def maxpool(module: ModuleType) -> list[str]:
    layer, x, dy = module.MaxPoolByHand(), normal(2, 6, 4, 3), normal(2, 3, 2, 3, seed=1)
    right, mean = s.MaxPool2d(2), s.AvgPool2d(2)
    y = right.forward(x)
    known = {
        "this is the mean of each window: the largest number is asked for": mean.forward(x),
        "this is the least number of each window": -s.MaxPool2d(2).forward(-x),
    }
    facts = [equal("y", layer.forward(x.copy()), y, known)]
    spread = s.UpSample2d(2).forward(dy)
    known = {
        "all four numbers of a window get dy: only the largest one moves y": spread,
        "each number gets a quarter of dy: that is average pooling": spread / 4,
        "the largest number gets the gradient of another window": right.backward(
            dy[:, ::-1]
        ),
    }
    facts.append(equal("dx", layer.backward(dy.copy()), right.backward(dy), known))
    equals = np.maximum(np.round(x), 0)  # as after a ReLU, and on a coarse grid
    y = right.forward(equals)
    equal("y, where several are equal", layer.forward(equals.copy()), y)
    largest = equals == s.UpSample2d(2).forward(y)
    count = 4 * mean.forward(largest.astype(float))
    turned = s.MaxPool2d(2)
    turned.forward(equals[:, ::-1, ::-1].copy())
    known = {
        "each of several equal numbers gets all of dy: give it to the first, or their sum is too large": spread
        * largest,
        "equal numbers share dy: give it to the first": spread
        * largest
        / s.UpSample2d(2).forward(count),
        "the last of several equal numbers gets dy: give it to the first in reading order": turned.backward(
            dy[:, ::-1, ::-1].copy()
        )[:, ::-1, ::-1],
        "a window of zeros gets no gradient: its first number is a maximum too": right.backward(
            dy
        )
        * (equals > 0),
    }
    found = layer.backward(dy.copy())
    facts.append(equal("dx, where several are equal", found, right.backward(dy), known))
    return [*facts, gradients(layer, x)]


def masking_noise(module: ModuleType) -> list[str]:
    facts = [gradients(module.MaskingNoise(0.4), normal(6, 5))]
    layer, x, dy = module.MaskingNoise(0.4), normal(6, 5), normal(6, 5, seed=1)
    layer.forward(x, np.random.default_rng(0))
    layer.forward(x)
    return [*facts, equal("dx in inference", layer.backward(dy.copy()), dy)]


def l1(module: ModuleType) -> list[str]:
    z = normal(5, 4)
    value, _ = several("l1(z)", module.l1(z.copy()), 2)
    right = 0.3 * np.abs(z).sum() / 5
    mistakes = {
        "the weight is missing": right / 0.3,
        "the mean over the batch is missing": right * 5,
    }
    mistakes["it is averaged over the features too"] = right / 4
    facts = [equal("the value", value, right, mistakes), gradients(module.l1, z)]
    at_zero = module.l1(np.zeros((2, 2)))[1]
    return [*facts, equal("the gradient at 0", at_zero, np.zeros((2, 2)))]


def sparse_kl(module: ModuleType) -> list[str]:
    z = unit(5, 3)
    value, _ = several("sparse_kl(z)", module.sparse_kl(z.copy()), 2)
    right = s.SparseKL(0.1, 1.0)(z)[0]
    each = (0.1 * np.log(0.1 / z) + 0.9 * np.log(0.9 / (1 - z))).sum() / 5
    mean = z.mean(axis=0)
    turned = (mean * np.log(mean / 0.1) + (1 - mean) * np.log((1 - mean) / 0.9)).sum()
    mistakes = {
        "ρ̂ is taken of every example, and the penalties are averaged: average the activities first": each,
        "ρ̂ is taken of every example: average the activities over the batch first": each
        * 5,
        "it is summed over the examples: ρ̂ has the batch in it already": right * 5,
        "ρ and ρ̂ have changed places": turned,
    }
    return [equal("the value", value, right, mistakes), gradients(module.sparse_kl, z)]


def tied(module: ModuleType) -> list[str]:
    x, W, b, c = normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2), normal(4, seed=3)
    given = [array.copy() for array in (x, W, b, c)]
    L, dW, db, dc = several("tied(x, W, b, c)", module.tied(*given), 4)
    z = sigmoid(x @ W + b)
    r = z @ W.T + c - x

    def step(n=5, slope=True, encoder=1, decoder=1):
        dprediction = 2 * r / n
        da = dprediction @ W * (z * (1 - z) if slope else 1)
        dW = encoder * x.T @ da + decoder * dprediction.T @ z
        return dW, da.sum(axis=0), dprediction.sum(axis=0)

    right = step()
    mistakes = {
        "the mean over the batch is missing": step(n=1),
        "the 2 of the square is missing": step(n=10),
        "σ is not differentiated": step(slope=False),
    }
    of_uses = {
        "this is the encoder's use alone: x̂ = z Wᵀ + c uses W too": step(decoder=0),
        "this is the decoder's use alone: a = x W + b uses W too": step(encoder=0),
        "half of it: the 2 of the square is missing, or the two uses are averaged, and they add up": step(
            n=10
        ),
        "the decoder's use is subtracted": step(decoder=-1),
    }
    values = {
        "the mean over the batch is missing": (r**2).sum(),
        "it is averaged over the features too": (r**2).mean(),
    }
    facts = [equal("L", L, (r**2).sum() / 5, values)]
    for k, (name, mine) in enumerate(zip(("dW", "db", "dc"), (dW, db, dc), strict=True)):
        known = of_uses | mistakes if k == 0 else mistakes
        facts.append(
            equal(name, mine, right[k], {text: wrong[k] for text, wrong in known.items()})
        )
    unchanged("tied", given, (x, W, b, c))
    return facts


def contractive(module: ModuleType) -> list[str]:
    x, W, b = normal(5, 4), normal(4, 3, seed=1), normal(3, seed=2)
    value, _, _ = several(
        "contractive(x, W, b)", module.contractive(x.copy(), W.copy(), b.copy()), 3
    )
    z = sigmoid(x @ W + b)
    jacobian = (z * (1 - z))[:, None, :] * W[None]  # ∂zₙⱼ/∂xₙᵢ, (N, I, H)
    right = (jacobian**2).sum() / 5
    mistakes = {
        "the mean over the batch is missing": right * 5,
        "the slope is not squared": (jacobian * W).sum() / 5,
    }
    of_weights = lambda W: module.contractive(x.copy(), W, b.copy())[:2]  # noqa: E731
    of_bias = lambda b: module.contractive(x.copy(), W.copy(), b)[::2]  # noqa: E731
    of_weights.__name__, of_bias.__name__ = "contractive, x its W", "contractive, x its b"
    return [
        equal("the value", value, right, mistakes),
        gradients(of_weights, W),
        gradients(of_bias, b),
    ]


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


def heads(module: ModuleType) -> list[str]:
    a, eps, dz = normal(5, 6), normal(5, 3, seed=1), normal(5, 3, seed=2)
    mu, log_var = a[:, :3], a[:, 3:]
    drawn = lambda mu, log_var: mu + np.exp(log_var / 2) * eps  # noqa: E731
    mistakes = {
        "one mean and one spread are stretched over all numbers of the code": drawn(
            a[:, :1], a[:, 1:2]
        ),
        "one mean is stretched over all numbers of the code": drawn(a[:, :1], log_var),
        "one spread is stretched over all numbers of the code": drawn(mu, a[:, 3:4]),
        "μ and log σ² have changed places": drawn(log_var, mu),
        "μ is the first K columns, log σ² the last K: they do not alternate": drawn(
            a[:, ::2], a[:, 1::2]
        ),
        "e^(log σ²) is the variance σ²: σ is its root": mu + np.exp(log_var) * eps,
    }
    facts = [equal("z", module.forward(a.copy(), eps.copy()), drawn(mu, log_var), mistakes)]
    dlog_var = dz * eps * np.exp(log_var / 2) / 2
    beside = lambda dmu, dlog_var: np.concatenate([dmu, dlog_var], axis=1)  # noqa: E731
    only_first = np.zeros((5, 6))
    only_first[:, 0] = dz.sum(axis=1)
    only_first[:, 1] = (dz * eps * np.exp(a[:, 1:2] / 2)).sum(axis=1) / 2
    mistakes = {
        "it is that of one mean and one spread: all other columns get nothing": only_first,
        "the ½ of ∂σ/∂log σ² = σ / 2 is missing": beside(dz, 2 * dlog_var),
        "dμ and dlog σ² have changed places": beside(dlog_var, dz),
        "ε is missing": beside(dz, dz * np.exp(log_var / 2) / 2),
    }
    found = module.backward(dz.copy(), a.copy(), eps.copy())
    return [*facts, equal("da", found, beside(dz, dlog_var), mistakes)]


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


def gan_step(module: ModuleType) -> list[str]:
    x, z = normal(6, 4), normal(6, 3, seed=1)
    V, w, b = normal(3, 4, seed=2), normal(4, 1, seed=3), normal(1, seed=4)
    copies = (array.copy() for array in (x, z, V, w, b))
    found = several("gan_step(x, z, V, w, b)", module.gan_step(*copies), 3)

    def step(saturating=False, through=w, made=True, n=6, sign=1):
        fake = z @ V
        real_logits, made_logits = x @ w + b, fake @ w + b
        da = -sigmoid(made_logits) if saturating else sigmoid(made_logits) - 1
        real, false = sigmoid(real_logits) - 1, made * sigmoid(made_logits)
        return (
            sign * z.T @ (da @ through.T) / n,
            sign * (x.T @ real + fake.T @ false) / n,
            sign * (real + false).sum(axis=0) / n,
        )

    right = step()
    mistakes = {
        "the sign is flipped": step(sign=-1),
        "the mean over the examples is missing": step(n=1),
        "it descends -L_D: the generator's own loss is -log σ(a), with (σ(a) - 1) / N": step(
            saturating=True
        ),
        "the way through the discriminator is missing: ∂L/∂x̃ is ∂L/∂a wᵀ": step(
            through=np.ones_like(w)
        ),
        "the made examples are missing in L_D": step(made=False),
    }
    return [
        equal(name, mine, expected, {text: wrong[k] for text, wrong in mistakes.items()})
        for k, (name, mine, expected) in enumerate(
            zip(("dV", "dw", "db"), found, right, strict=True)
        )
    ]


def auc(module: ModuleType) -> list[str]:
    facts = []
    for name, decimals in (("scores", 6), ("scores with equal ones among them", 0)):
        unusual = np.arange(40) % 3 == 0
        scores = np.round(normal(40) + unusual, decimals)
        p, q = scores[unusual][:, None], scores[~unusual]
        right = ((p > q) + 0.5 * (p == q)).mean()
        mistakes = {
            "the order is turned round: unusual scores should be the larger ones": 1
            - right,
            "equal scores count 0 here, and ½ is right": (p > q).mean(),
            "equal scores count 1 here, and ½ is right": (p >= q).mean(),
            "the pairs are counted: divide by how many there are": right * p.size * q.size,
            "this divides by all pairs of examples: only those of an unusual and a usual one count": right
            * p.size
            * q.size
            / 40**2,
        }
        found = module.auc(scores.copy(), unusual.copy())
        facts.append(equal(f"the area for {name}", found, right, mistakes))
    return facts


def bits(module: ModuleType) -> list[str]:
    mu, sigma = normal(3, seed=1), unit(3, seed=2) + 0.5
    z = mu + sigma * normal(6, 3)
    facts = []
    for step in (0.5, 0.05):
        k = np.rint(z / step)
        ends = [(((k + side) * step - mu) / sigma) for side in (-0.5, 0.5)]
        below, above = (module.normal(end) for end in ends)
        each = -np.log2(above - below)
        middle = ((k * step - mu) / sigma) ** 2 / 2
        density = np.exp(-middle) / (sigma * np.sqrt(2 * np.pi))
        mistakes = {
            "the unit is the nat: bits have the logarithm to base 2": each.sum(axis=1)
            * np.log(2),
            "the sign is flipped": -each.sum(axis=1),
            "it is averaged over the numbers of an example: they add up": each.mean(axis=1),
            "the probability is that of an interval, and this is the density, without its width": -np.log2(
                density
            ).sum(axis=1),
            "this is the density times the step, which is near it: take the difference of `normal` at the two ends": -np.log2(
                density * step
            ).sum(axis=1),
            "the mean is left out": -np.log2(
                module.normal((k + 0.5) * step / sigma)
                - module.normal((k - 0.5) * step / sigma)
            ).sum(axis=1),
        }
        found = module.bits(z.copy(), mu.copy(), sigma.copy(), step)
        facts.append(equal(f"bits for a step of {step}", found, each.sum(axis=1), mistakes))
    halves = [np.mean(module.bits(z, mu, sigma, step)) for step in (0.02, 0.01)]
    return [
        *facts,
        f"half the step costs {halves[1] - halves[0]:.2f} bits more for an example of 3 numbers",
    ]


def straight_through(module: ModuleType) -> list[str]:
    x, W, V = normal(6, 4), normal(4, 3, seed=1), normal(3, 4, seed=2)
    E, beta = 2 * normal(5, 3, seed=3), 0.25
    found = several(
        "straight_through(x, W, E, V, beta)",
        module.straight_through(x.copy(), W.copy(), E.copy(), V.copy(), beta),
        3,
    )

    def step(through=1, commitment=1, own=1, undetached=0, of_z=False, n=6):
        z = x @ W
        k = ((z[:, None] - E) ** 2).sum(axis=2).argmin(axis=1)
        e, chosen = E[k], np.eye(5)[k]
        q = z if of_z else e
        dprediction = 2 / n * (q @ V - x)
        dq = dprediction @ V.T
        dz = through * dq + commitment * 2 * beta / n * (z - e)
        de = own * 2 / n * (e - z) + undetached * dq
        return x.T @ dz, chosen.T @ de, q.T @ dprediction

    right = step()
    mistakes = {
        "the encoder gets nothing of the first term: q = z + sg(e - z) has the slope 1 in z": step(
            through=0
        ),
        "the commitment β |z - sg(e)|² is missing": step(commitment=0),
        "the commitment's sign is flipped": step(commitment=-1),
        "the commitment is taken without β": step(commitment=1 / beta),
        "the first term trains the codebook too: e stands in sg(e - z), and is held still": step(
            undetached=1
        ),
        "the codebook gets the first term's gradient alone: q does not move with e": step(
            own=0, undetached=1
        ),
        "the codebook's sign is flipped": step(own=-1),
        "the second term is weighted by β: that is the third": step(own=beta),
        "the decoder was given z: it gets the nearest vectors e": step(of_z=True),
        "the mean over the examples is missing": step(n=1),
    }
    return [
        equal(name, mine, expected, {text: wrong[k] for text, wrong in mistakes.items()})
        for k, (name, mine, expected) in enumerate(
            zip(("dW", "dE", "dV"), found, right, strict=True)
        )
    ]


def masked_loss(module: ModuleType) -> list[str]:
    p, x = normal(3, 4, 4, 2), normal(3, 4, 4, 2, seed=1)
    hidden = (unit(3, 4, 4, 1, seed=2) < 0.4).astype(float)
    value, gradient = several(
        "masked_loss(prediction, x, hidden)",
        module.masked_loss(p.copy(), x.copy(), hidden.copy()),
        2,
    )
    d, count = p - x, hidden.sum() * 2
    right = (d**2 * hidden).sum() / 3
    mistakes = {
        "all numbers count: only the hidden ones should": (d**2).sum() / 3,
        "the seen numbers count, and not the hidden ones": (d**2 * (1 - hidden)).sum() / 3,
        "it is the mean over the hidden numbers: sum over them, and divide by N": (
            d**2 * hidden
        ).sum()
        / count,
        "the mean over the images is missing": right * 3,
    }
    slope = 2 / 3 * d * hidden
    facts = [
        equal("L", value, right, mistakes),
        equal(
            "dprediction",
            gradient,
            slope,
            {
                "what is seen has a gradient too: it should be 0": 2 / 3 * d,
                "the 2 of the square is missing": slope / 2,
                "the mean over the images is missing": slope * 3,
                "the sign is flipped": -slope,
            },
        ),
    ]
    gap = np.where(hidden == 1, x, np.nan)
    value, gradient = module.masked_loss(p.copy(), gap, hidden.copy())
    return [
        *facts,
        equal("L, where what is seen is NaN", value, right),
        equal("dprediction, where what is seen is NaN", gradient, slope),
    ]


def tweedie(module: ModuleType) -> list[str]:
    X, y, s = normal(7, 2), normal(5, 2, seed=1), 0.6
    mean, score = several("tweedie(y, X, s)", module.tweedie(y.copy(), X.copy(), s), 2)

    def best(s, power=2, half=2, even=False):
        far = ((y[:, None] - X) ** 2).sum(axis=2) / (half * s**power)
        w = np.exp(far.min(axis=1, keepdims=True) - far)
        w = np.ones_like(w) if even else w
        return w @ X / w.sum(axis=1, keepdims=True)

    right = best(s)
    facts = [
        equal(
            "E[x | y]",
            mean,
            right,
            {
                "the 2 of 2 s² is missing": best(s, half=1),
                "s is not squared": best(s, power=1),
                "it is the mean of all points: each has a weight": best(s, even=True),
            },
        ),
        equal(
            "the score",
            score,
            (right - y) / s**2,
            {
                "the sign is flipped: it points from y to the mean": (y - right) / s**2,
                "s is not squared": (right - y) / s,
                "it is not divided by s²": right - y,
            },
        ),
    ]

    def log_density(y):
        return np.log(np.exp(-((y[:, None] - X) ** 2).sum(axis=2) / (2 * s**2)).sum(axis=1))

    h = 1e-5
    slope = [(log_density(y + h * a) - log_density(y - h * a)) / (2 * h) for a in np.eye(2)]
    facts.append(
        equal("the score, against differences of log p", score, np.stack(slope, axis=1))
    )
    with np.errstate(all="ignore"):
        mean, score = module.tweedie(y + 3, X.copy(), 0.02)
    nearest = X[((y[:, None] + 3 - X) ** 2).sum(axis=2).argmin(axis=1)]
    facts.append(
        equal("E[x | y] far from the points, at s = 0.02: the nearest", mean, nearest)
    )
    return facts


def diffusion_step(module: ModuleType) -> list[str]:
    facts = []
    for sigma, tau in ((2.0, 1.0), (1.0, 0.9), (10.0, 0.05)):
        found = several("step(sigma, tau)", module.step(sigma, tau), 4)
        b = tau**2 / sigma**2
        c, weight = tau * np.sqrt(1 - b), (1 / tau**2 - 1 / sigma**2) / 2
        wrong = (
            {
                "a and b have changed places": b,
                "the squares are missing: τ²/σ²": 1 - tau / sigma,
            },
            {
                "a and b have changed places": 1 - b,
                "the squares are missing: τ²/σ²": tau / sigma,
            },
            {
                "this is the noise that leads from τ up to σ": np.sqrt(sigma**2 - tau**2),
                "it is all noise of the size τ: a part of it comes from x̃": tau,
                "this is the variance c²": c**2,
            },
            {
                "the ½ is missing": 2 * weight,
                "the means are a (x - x̂) apart: a is missing": weight / (1 - b) ** 2,
                "the distance a |x - x̂| of the means is not squared": weight / (1 - b),
                "the KL divergence is divided by the variance 2 c²": (1 - b) ** 2,
            },
        )
        right = (1 - b, b, c, weight)
        for name, mine, expected, mistakes in zip(
            ("a", "b", "c", "weight"), found, right, wrong, strict=True
        ):
            equal(f"{name} from {sigma:g} to {tau:g}", mine, expected, mistakes)
        left = np.sqrt((b * sigma) ** 2 + c**2)
        facts.append(f"from {sigma:g} to {tau:g}: the noise is √(b² σ² + c²) = {left:.6g}")
    return facts


def roofline(module: ModuleType) -> list[str]:
    facts = []
    for N, inputs, outputs, P, B in (
        (128, 784, 128, 150e9, 20e9),
        (4, 784, 128, 150e9, 20e9),
    ):
        found = several(
            "roofline(N, I, O, P, B)", module.roofline(N, inputs, outputs, P, B), 3
        )
        operations, traffic = (
            2 * N * inputs * outputs,
            4 * (N * inputs + inputs * outputs + N * outputs),
        )
        halves = {"a multiplication and an addition are two operations": operations / 2}
        read = {
            "4 bytes a number": traffic / 4,
            "y is written too": traffic - 4 * N * outputs,
        }
        slowest = max(operations / P, traffic / B)
        added = {
            "the two overlap: the slower one counts, not the sum": operations / P
            + traffic / B
        }
        equal("operations", found[0], operations, halves)
        equal("bytes", found[1], traffic, read)
        equal(
            "seconds",
            found[2],
            slowest,
            added | {"the slower one counts": min(operations / P, traffic / B)},
        )
        bound = "arithmetic" if operations / P > traffic / B else "memory"
        facts.append(
            f"{N} x {inputs} x {outputs}: {operations / traffic:.1f} operations a byte, bound by {bound}"
        )
    return facts


def bptt(module: ModuleType) -> list[str]:
    N, T, D, H = 3, 4, 2, 3
    x, h0, dy = normal(N, T, D), normal(N, H, seed=1), normal(N, T, H, seed=2)
    W, U, b = normal(D, H, seed=3), normal(H, H, seed=4) / 2, normal(H, seed=5)

    def through(back: bool = True, slope: bool = True, before: int = 0) -> list[np.ndarray]:
        """The gradients, with what a mistake leaves out."""
        h = [h0]
        for t in range(T):
            h.append(np.tanh(x[:, t] @ W + h[t] @ U + b))
        later, das = np.zeros((N, H)), []
        for t in reversed(range(T)):
            da = (dy[:, t] + back * later) * (1 - h[t + 1] ** 2 if slope else 1)
            das.insert(0, da)
            later = da @ U.T
        dx = np.stack([da @ W.T for da in das], axis=1)
        dU = sum(h[t + before].T @ da for t, da in enumerate(das))
        dW = sum(x[:, t].T @ da for t, da in enumerate(das))
        return [dx, later, dW, dU, sum(da.sum(axis=0) for da in das)]

    given = [array.copy() for array in (x, h0, W, U, b, dy)]
    found = several("bptt(x, h0, W, U, b, dy)", module.bptt(*given), 5)
    alone, linear = through(back=False), through(slope=False)
    mistakes = [
        {
            "what comes back from the next step is missing: h_t also goes into step t + 1": one,
            "tanh is not differentiated": other,
        }
        for one, other in zip(alone, linear, strict=True)
    ]
    mistakes[3]["it belongs to the state before the step, h_{t-1}, and this is h_t"] = (
        through(before=1)[3]
    )
    names = ("dx", "dh0", "dW", "dU", "db")
    facts = [
        equal(name, value, right, said)
        for name, value, right, said in zip(names, found, through(), mistakes, strict=True)
    ]
    unchanged("bptt", given, (x, h0, W, U, b, dy))
    return facts


def attention(module: ModuleType) -> list[str]:
    q, k, v, dy = (
        normal(2, 4),
        normal(5, 4, seed=1),
        normal(5, 3, seed=2),
        normal(2, 3, seed=3),
    )
    e = np.exp(q @ k.T / 2)
    p = e / e.sum(axis=1, keepdims=True)
    dp = dy @ v.T
    right = p * (dp - (dp * p).sum(axis=1, keepdims=True)) / 2
    wrong = {
        "the √w is missing": 2 * right,
        "a score also moves the other weights, through their sum": p * dp / 2,
        "the softmax is taken for a sigmoid": dp * p * (1 - p) / 2,
        "softmax is not differentiated": dp / 2,
    }
    found = several(
        "attention_backward(q, k, v, dy)",
        module.attention_backward(q.copy(), k.copy(), v.copy(), dy.copy()),
        3,
    )
    return [
        equal("dv", found[2], p.T @ dy),
        equal("dq", found[0], right @ k, {text: da @ k for text, da in wrong.items()}),
        equal("dk", found[1], right.T @ q, {text: da.T @ q for text, da in wrong.items()}),
    ]


def clip(module: ModuleType) -> list[str]:
    arrays = [normal(2, 3), normal(4, seed=1)]
    norm = float(np.sqrt(sum((array**2).sum() for array in arrays)))
    facts = []
    for what, limit in (
        ("a norm above the limit", norm / 4),
        ("a norm below it", 2 * norm),
    ):
        given = [array.copy() for array in arrays]
        found = several("clip(gradients, limit)", tuple(module.clip(given, limit)), 2)
        factor = min(1, limit / norm)
        for i, (value, array) in enumerate(zip(found, arrays, strict=True)):
            own = limit / np.linalg.norm(array)
            mistakes = {
                "each array is clipped by its own norm": min(1, own) * array,
                "a norm below the limit is to stay": limit / norm * array,
                "its numbers are clipped, which turns the gradient": np.clip(
                    array, -limit, limit
                ),
                "the square root of the norm is missing": min(1, limit / norm**2) * array,
            }
            facts.append(equal(f"{what}, gradient {i}", value, factor * array, mistakes))
        unchanged("clip", given, arrays)
    if not all(np.isfinite(array).all() for array in module.clip([np.zeros(3)], 1.0)):
        raise AnswerError(
            "gradients of 0 become NaN: their norm is 0, and nothing is to be clipped"
        )
    return facts


def unchanged(what: str, given: object, before: object) -> None:
    """Raise AnswerError if a function has changed the arrays that it was given."""
    if any((now != then).any() for now, then in zip(given, before, strict=True)):
        raise AnswerError(f"{what} changes the arrays that it is given: work on copies")


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
    "00_neuron": neuron,
    "01_parameters": parameters,
    "02_dense": dense,
    "02_sigmoid": activation("Sigmoid", sigmoid),
    "02_mse": mse,
    "02_gate": gate,
    "02_weighted_mse": weighted_mse,
    "02_masked": masked_dense,
    "02_two_layers": two_layers,
    "02_L_layers": any_layers,
    "02_fork": fork,
    "03_bug_dense": dense,
    "03_bug_tanh": activation("Tanh", np.tanh),
    "03_bug_softmax": softmax,
    "03_directional": directional,
    "03_dropout": dropout,
    "04_momentum": optimizer(
        lambda module: module.Momentum(0.1, 0.9),
        lambda: s.SGD(0.1, 0.9),
        lambda g, t: {"v does not last: the gradient alone is used": 0.1 * g},
    ),
    "04_adam": optimizer(lambda module: module.Adam(lr=0.1), lambda: s.Adam(0.1)),
    "04_mean_momentum": mean_momentum,
    "05_relu": activation("ReLU", lambda x: np.maximum(x, 0)),
    "05_he": he,
    "05_batchnorm": batchnorm,
    "06_pca": pca,
    "06_escape": escape,
    "07_log_sum_exp": log_sum_exp,
    "07_bce_with_logits": bce_with_logits,
    "07_softmax_ce": softmax_ce,
    "08_im2col": columns,
    "08_conv": conv,
    "08_conv_transpose": conv_transpose,
    "08_maxpool": maxpool,
    "09_masking_noise": masking_noise,
    "10_l1": l1,
    "10_sparse_kl": sparse_kl,
    "10_tied": tied,
    "10_contractive": contractive,
    "11_kl": kl,
    "11_reparameterise": reparameterise,
    "11_linear_vae": linear_vae,
    "11_vae_step": vae_step,
    "11_kl_by_hand": kl_by_hand,
    "11_iwae_weights": iwae_weights,
    "12_free_energy": free_energy,
    "12_cd1": cd1,
    "12_enumerate": enumerate_,
    "12_gibbs": gibbs,
    "12_bound": bound,
    "13_roofline": roofline,
    "14_kl_mistake": kl,
    "14_sigma_mistake": reparameterise,
    "14_heads_mistake": heads,
    "14_sparsity_mistake": sparse_kl,
    "15_gan_step": gan_step,
    "16_bptt": bptt,
    "16_attention": attention,
    "16_clip": clip,
    "17_auc": auc,
    "17_bits": bits,
    "18_straight_through": straight_through,
    "18_masked_loss": masked_loss,
    "19_tweedie": tweedie,
    "19_schedule": diffusion_step,
    "20_early_stopping": early_stopping,
    "20_weight_decay": weight_decay,
    "20_folds": folds,
}
