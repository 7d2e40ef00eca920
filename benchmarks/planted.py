"""Bugs to be planted in right layers, losses and penalties: each is the mistake of one line that a learner makes.

A bug is planted from outside: `Planted` runs the right layer and spoils what it gives. A bug that changes nothing in a layer,
such as a stale cache in one that keeps nothing, is no bug there.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np

import scratchae as s
from scratchae.study.specimens import distinct, images, normal, pictures, prediction_and_target, unit


class Planted(s.Layer):
    """A right layer with a bug: `bug(layer)` gives a pair, forward(x, rng) and backward(dy), either None where it is right."""

    def __init__(self, inner: s.Layer, bug: Callable):
        self.inner, self.bug, self.memory = inner, bug, {}
        self.parameter_names = inner.parameter_names

    def __getattr__(self, name):
        if name in ("inner", "bug"):
            raise AttributeError(name)
        return getattr(self.inner, name)

    def __setattr__(self, name, value):
        owner = self if name in ("inner", "bug", "memory", "parameter_names", "name", "forward") else self.inner
        object.__setattr__(owner, name, value)

    def to(self, device=None, dtype=None):
        self.inner.to(device, dtype)
        return self

    def forward(self, x, rng=None):
        return self.bug.forward(self, x, rng)

    def backward(self, dy):
        return self.bug.backward(self, dy)

    def held_layers(self):
        return ()  # it stands for the inner layer, and has its parameters

    def __repr__(self):
        return repr(self.inner)


class Bug:
    """Nothing wrong yet: subclasses spoil forward or backward."""

    kind = ""

    def __init__(self, tensor: str = "x"):
        self.tensor = tensor

    def forward(self, layer, x, rng):
        return layer.inner.forward(x, rng)

    def backward(self, layer, dy):
        dx = layer.inner.backward(dy)
        if self.tensor == "x":
            return self.spoil(layer, dy, dx)
        gradient = getattr(layer.inner, "d" + self.tensor)
        setattr(layer.inner, "d" + self.tensor, self.spoil(layer, dy, np.array(gradient)))
        return dx

    def spoil(self, layer, dy, g):
        return g


def spoils(kind: str, function: Callable) -> type[Bug]:
    """A bug that is a function (layer, dy, gradient) -> gradient."""
    return type(kind, (Bug,), {"kind": kind, "spoil": lambda self, layer, dy, g: function(layer, dy, g)})


Sign = spoils("sign", lambda layer, dy, g: -g)
Double = spoils("factor", lambda layer, dy, g: 2 * g)
Half = spoils("factor", lambda layer, dy, g: 0.5 * g)
Triple = spoils("factor", lambda layer, dy, g: -3 * g)
Averaged = spoils("averaged_twice", lambda layer, dy, g: g / len(dy))
AllAveraged = spoils("averaged_twice", lambda layer, dy, g: g / (dy.size // dy.shape[-1]))
Zero = spoils("zero", lambda layer, dy, g: 0 * g)
Widened = spoils("dtype", lambda layer, dy, g: g.astype(np.float64))
SummedAway = spoils("wrong_sum", lambda layer, dy, g: np.full_like(g, g.sum()))
Transposed = spoils("transposed", lambda layer, dy, g: np.ascontiguousarray(g.T))
KernelTransposed = spoils("transposed", lambda layer, dy, g: np.ascontiguousarray(g.swapaxes(0, 1)))
Reversed = spoils("reordered", lambda layer, dy, g: np.ascontiguousarray(g[:, ::-1]))
Shifted = spoils("reordered", lambda layer, dy, g: np.roll(g, 1, axis=1))
KernelReversed = spoils("reordered", lambda layer, dy, g: np.ascontiguousarray(g[::-1, ::-1]))


class NotFinite(Bug):
    kind = "not_finite"

    def spoil(self, layer, dy, g):
        g = g.copy()
        g.flat[-1] = np.nan
        return g


class WithOtherUpstream(Bug):
    """The gradient that the layer gives for a dy that has been spoilt."""

    def other(self, dy):
        raise NotImplementedError

    def backward(self, layer, dy):
        wrong = layer.inner.backward(self.other(dy))
        if self.tensor == "x":
            layer.inner.backward(dy)
            return wrong
        wrong = np.array(getattr(layer.inner, "d" + self.tensor))
        dx = layer.inner.backward(dy)
        setattr(layer.inner, "d" + self.tensor, wrong)
        return dx


class UpstreamIgnored(WithOtherUpstream):
    kind = "upstream_ignored"

    def other(self, dy):
        return np.ones_like(dy)


class UpstreamSquared(WithOtherUpstream):
    kind = "not_linear"

    def other(self, dy):
        return dy * dy


class FirstOnly(WithOtherUpstream):
    kind = "batch_missing"

    def other(self, dy):
        alone = np.zeros_like(dy)
        alone[0] = dy[0]
        return alone


class LastOnly(WithOtherUpstream):
    kind = "batch_missing"

    def other(self, dy):
        alone = np.zeros_like(dy)
        alone[-1] = dy[-1]
        return alone


class Accumulated(Bug):
    kind = "accumulated"

    def spoil(self, layer, dy, g):
        layer.memory["sum"] = layer.memory.get("sum", 0) + g
        return layer.memory["sum"].copy()


class InputChanged(Bug):
    kind = "input_modified"

    def forward(self, layer, x, rng):
        y = np.array(layer.inner.forward(x, rng))
        x[...] = y if y.shape == x.shape and not np.array_equal(x, y) else x * 0.5
        return y


class UpstreamChanged(Bug):
    kind = "input_modified"

    def backward(self, layer, dy):
        dx = np.array(layer.inner.backward(dy))
        dy[...] = dx if dx.shape == dy.shape and not np.array_equal(dx, dy) else dy * 0.5
        return dx


class ParameterChanged(Bug):
    """An update in the wrong place."""

    kind = "input_modified"

    def backward(self, layer, dy):
        dx = layer.inner.backward(dy)
        parameter = getattr(layer.inner, self.tensor)
        parameter -= 0.1 * getattr(layer.inner, "d" + self.tensor)
        return dx


class WidenedForward(Bug):
    kind = "dtype"

    def forward(self, layer, x, rng):
        return layer.inner.forward(x, rng).astype(np.float64)


class Random(Bug):
    kind = "random"

    def forward(self, layer, x, rng):
        layer.memory["calls"] = layer.memory.get("calls", 0) + 1
        return layer.inner.forward(x, rng) * (1 + 0.01 * layer.memory["calls"])


class Stale(Bug):
    kind = "stale"

    def forward(self, layer, x, rng):
        y = layer.inner.forward(x, rng)
        layer.memory.setdefault("first", copy.deepcopy(layer.inner))
        return y

    def backward(self, layer, dy):
        first = layer.memory["first"]
        dx = first.backward(dy)
        for name in layer.inner.parameter_names:
            setattr(layer.inner, "d" + name, np.array(getattr(first, "d" + name)))
        return dx


class ParameterTurned(Bug):
    kind = "parameter_turned"

    def backward(self, layer, dy):
        layer.inner.backward(dy)
        gradients = {name: np.array(getattr(layer.inner, "d" + name)) for name in layer.inner.parameter_names}
        W = layer.inner.W.copy()
        layer.inner.W[...] = W.T if W.ndim == 2 else W[::-1, ::-1]
        dx = layer.inner.backward(dy)
        layer.inner.W[...] = W
        for name, gradient in gradients.items():
            setattr(layer.inner, "d" + name, gradient)
        return dx


def replaces(kind: str, function: Callable, tensor: str = "x") -> Bug:
    """A bug that gives `function(layer, x, dy)` for a gradient."""

    class Replaced(Bug):
        def forward(self, layer, x, rng):
            layer.memory["x"] = x
            return layer.inner.forward(x, rng)

        def spoil(self, layer, dy, g):
            return np.array(function(layer.inner, layer.memory["x"], dy))

    Replaced.kind = kind
    return Replaced(tensor)


def inverted(layer, x, dy):
    """dy times a mask that is 1 where it is 0; of a leaky one, the two slopes changed places."""
    mask = layer.backward(np.ones_like(dy))
    return dy * (mask.max() + mask.min() - mask)


def spread(layer, x, dy):
    """dy to all pixels of its window."""
    wide = s.AvgPool2d(layer.kernel_size)
    wide.forward(x)
    return wide.backward(dy) * 4


def not_the_largest(layer, x, dy):
    return spread(layer, x, dy) * (layer.backward(np.ones_like(dy)) == 0)


def at_corners(layer, x, dy):
    return layer.backward(dy) + 3 * dy * (x == 0)


# What each bug is planted in


@dataclass(frozen=True)
class Plot:
    """A subject that bugs are planted in, and inputs for it."""

    name: str
    make: Callable[[], object]
    inputs: Callable[[np.random.Generator], tuple[np.ndarray, ...]]


def rows(n: int, d: int) -> Callable:
    return lambda rng: (normal(rng, n, d),)


def with_zeros(n: int, d: int) -> Callable:
    def draw(rng):
        x = normal(rng, n, d)
        x[0, 0] = x[n - 1, 1] = 0
        return (x,)

    return draw


def trained(layer: s.Layer) -> s.Layer:
    """Parameters as after some training: no zeros, no ones."""
    for i, name in enumerate(layer.parameter_names):
        parameter = getattr(layer, name)
        if parameter.ndim == 1:
            parameter += np.random.default_rng(i).uniform(0.2, 0.8, parameter.shape).astype(parameter.dtype)
    return layer


LAYERS = [
    Plot("Dense", lambda: trained(s.Dense(4, 4, rng=0)), rows(5, 4)),
    Plot("Conv2d", lambda: trained(s.Conv2d(2, 3, 3, padding=1)), lambda rng: pictures(5, 4)(rng, 4, 2)),
    Plot(
        "ConvTranspose2d",
        lambda: trained(s.ConvTranspose2d(2, 3, 3, stride=2)),
        lambda rng: pictures(3, 2)(rng, 4, 2),
    ),
    Plot("MaxPool2d", lambda: s.MaxPool2d(2), lambda rng: (distinct(rng, 3, 4, 6, 2),)),
    Plot("AvgPool2d", lambda: s.AvgPool2d(2), lambda rng: pictures(4, 6)(rng, 3, 2)),
    Plot("UpSample2d", lambda: s.UpSample2d(2), lambda rng: pictures(3, 2)(rng, 3, 2)),
    Plot("BatchNorm", lambda: trained(s.BatchNorm(4)), rows(6, 4)),
    Plot("BatchNorm, images", lambda: trained(s.BatchNorm(2)), lambda rng: pictures(3, 2)(rng, 4, 2)),
    Plot("Sigmoid", s.Sigmoid, rows(5, 4)),
    Plot("ReLU", s.ReLU, rows(5, 4)),
    Plot("LeakyReLU", lambda: s.LeakyReLU(0.1), rows(5, 4)),
    Plot("Tanh", s.Tanh, rows(5, 4)),
    Plot("Softplus", s.Softplus, rows(5, 4)),
    Plot("Identity", s.Identity, rows(5, 4)),
    Plot("Dropout", lambda: s.Dropout(0.4), rows(6, 5)),
    Plot("MaskingNoise", lambda: s.MaskingNoise(0.4), rows(6, 5)),
    Plot("SaltAndPepper", lambda: s.SaltAndPepper(0.4), rows(6, 5)),
    Plot("GaussianNoise", lambda: s.GaussianNoise(0.5), rows(5, 4)),
    Plot("GaussianNoise, clipped", lambda: s.GaussianNoise(0.5, clip=(0, 1)), lambda rng: images(rng, 6, 5)),
    Plot("Flatten", s.Flatten, lambda rng: (normal(rng, 4, 3, 2, 2),)),
    Plot("Reshape", lambda: s.Reshape((3, 2)), rows(4, 6)),
    Plot("KSparse", lambda: s.KSparse(3), lambda rng: (distinct(rng, 5, 6),)),
]
FUNCTIONS = [
    Plot("MSE", s.MSE, lambda rng: prediction_and_target(rng, 5, 4)),
    Plot("BCE", s.BCE, lambda rng: prediction_and_target(rng, 5, 4)),
    Plot("BCEWithLogits", s.BCEWithLogits, lambda rng: (normal(rng, 5, 4), unit(rng, 5, 4))),
    Plot(
        "SoftmaxCrossEntropy",
        s.SoftmaxCrossEntropy,
        lambda rng: (normal(rng, 5, 4), np.eye(4)[rng.integers(0, 4, 5)]),
    ),
    Plot("gaussian_kl", lambda: s.gaussian_kl, lambda rng: (normal(rng, 5, 4), normal(rng, 5, 4))),
    Plot("L1", lambda: s.L1(0.3), rows(5, 4)),
    Plot("SparseKL", lambda: s.SparseKL(0.1, 2.0), lambda rng: images(rng, 5, 4)),
]
PLOTS = {plot.name: plot for plot in LAYERS + FUNCTIONS}

EVERY_TENSOR = (
    Sign,
    Double,
    Half,
    Triple,
    Averaged,
    Zero,
    Widened,
    NotFinite,
    UpstreamIgnored,
    UpstreamSquared,
    Accumulated,
)
EVERY_PARAMETER = (FirstOnly, LastOnly, ParameterChanged)
EVERY_LAYER = (InputChanged, UpstreamChanged, WidenedForward, Random, Stale)


def sums_nothing(layer, x, dy):
    """A row of db for every example."""
    return dy.reshape(-1, dy.shape[-1])


PARTICULAR = {
    "Dense": [
        Transposed("W"), ParameterTurned(), SummedAway("b"), replaces("not_summed", sums_nothing, "b"),
        replaces("not_summed", lambda layer, x, dy: x[:, :, None] * dy[:, None, :], "W"),
        replaces("wrong_point", lambda layer, x, dy: (x @ layer.W + layer.b).T @ dy, "W"),
        replaces("wrong_sum", lambda layer, x, dy: dy.sum(axis=1), "b"),
    ],
    "Conv2d": [KernelTransposed("W"), KernelReversed("W"), ParameterTurned(), SummedAway("b"), AllAveraged("b"), AllAveraged("W"),
               replaces("not_summed", sums_nothing, "b"), Shifted()],
    "ConvTranspose2d": [KernelTransposed("W"), KernelReversed("W"), ParameterTurned(), SummedAway("b"), AllAveraged("b"), AllAveraged("W"),
                        replaces("not_summed", sums_nothing, "b"), Shifted()],
    "MaxPool2d": [replaces("mask_inverted", not_the_largest), replaces("not_differentiated", spread), Shifted(), Reversed()],
    "AvgPool2d": [Shifted(), Reversed()],
    "UpSample2d": [Shifted(), Reversed()],
    "BatchNorm": [
        replaces("cross_terms", lambda layer, x, dy: dy * layer.gamma * layer.scale),
        replaces("wrong_point", lambda layer, x, dy: (dy * (layer.x_hat * layer.gamma + layer.beta)).sum(axis=0), "gamma"),
        replaces("not_summed", lambda layer, x, dy: dy * layer.x_hat, "gamma"), replaces("not_summed", sums_nothing, "beta"),
        replaces("not_differentiated", lambda layer, x, dy: dy), SummedAway("beta"), SummedAway("gamma"),
        replaces("not_differentiated", lambda layer, x, dy: dy.sum(axis=0), "gamma"),
    ],
    "BatchNorm, images": [replaces("cross_terms", lambda layer, x, dy: dy * layer.gamma * layer.scale), AllAveraged("beta"), AllAveraged("gamma"),
                          replaces("not_summed", sums_nothing, "beta"), replaces("not_differentiated", lambda layer, x, dy: dy)],
    "Sigmoid": [
        replaces("not_differentiated", lambda layer, x, dy: dy), replaces("not_differentiated", lambda layer, x, dy: dy * layer.y),
        replaces("wrong_point", lambda layer, x, dy: dy * x * (1 - x)),
        replaces("wrong_point", lambda layer, x, dy: dy / (2 + np.exp(layer.y) + np.exp(-layer.y))),
    ],
    "ReLU": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy), replaces("not_differentiated", lambda layer, x, dy: dy * layer.y)],
    "LeakyReLU": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy)],
    "Tanh": [
        replaces("not_differentiated", lambda layer, x, dy: dy), replaces("not_differentiated", lambda layer, x, dy: dy * layer.y),
        replaces("wrong_point", lambda layer, x, dy: dy * (1 - x * x)),
        replaces("wrong_point", lambda layer, x, dy: dy * (1 - np.tanh(layer.y) ** 2)),
    ],
    "Softplus": [replaces("not_differentiated", lambda layer, x, dy: dy), replaces("wrong_point", lambda layer, x, dy: dy / (1 + np.exp(-np.logaddexp(0, x)))),
                 replaces("not_differentiated", lambda layer, x, dy: dy * np.logaddexp(0, x))],
    "Dropout": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy),
                replaces("factor", lambda layer, x, dy: dy * (layer.mask > 0))],
    "MaskingNoise": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy)],
    "SaltAndPepper": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy)],
    "GaussianNoise, clipped": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy)],
    "Flatten": [replaces("reordered", lambda layer, x, dy: dy.reshape(len(x), *x.shape[:0:-1]).transpose(0, 3, 2, 1)), Reversed()],
    "Reshape": [replaces("reordered", lambda layer, x, dy: dy.transpose(0, 2, 1).reshape(x.shape)), Reversed()],
    "KSparse": [replaces("mask_inverted", inverted), replaces("not_differentiated", lambda layer, x, dy: dy)],
}  # fmt: skip
AT_CORNERS = {"ReLU": s.ReLU, "LeakyReLU": lambda: s.LeakyReLU(0.1)}


def grad(change: Callable, k: int = 0) -> Callable:
    """A loss of which one gradient is spoilt: change(gradient, inputs)."""

    def planted(function):
        def wrong(*inputs):
            value, *gradients = function(*inputs)
            gradients[k] = change(gradients[k], *inputs)
            return value, *gradients

        return wrong

    return planted


def changes_input(function):
    def wrong(*inputs):
        found = function(*inputs)
        inputs[0][...] *= 0.5
        return found

    return wrong


def sigmoid(a):
    return 1 / (1 + np.exp(-a))


OF_FUNCTIONS = [
    ("sign", lambda g, *inputs: -g), ("factor", lambda g, *inputs: 2 * g), ("factor", lambda g, *inputs: g / 2),
    ("factor", lambda g, *inputs: g / inputs[0].shape[1]),
    ("averaged_twice", lambda g, *inputs: g / len(g)), ("not_averaged", lambda g, *inputs: g * len(g)),
    ("zero", lambda g, *inputs: 0 * g), ("dtype", lambda g, *inputs: g.astype(np.float64)),
    ("not_finite", lambda g, *inputs: np.where(np.arange(g.size).reshape(g.shape) == 3, np.nan, g)),
]  # fmt: skip
PARTICULAR_FUNCTIONS = {
    "BCE": [("wrong_point", 0, lambda g, p, t: (1 - p) / (1 - t) / len(p) - p / t / len(p))],
    "BCEWithLogits": [("not_differentiated", 0, lambda g, a, t: (a - t) / len(a)), ("wrong_point", 0, lambda g, a, t: (sigmoid(sigmoid(a)) - t) / len(a))],
    "SoftmaxCrossEntropy": [("not_differentiated", 0, lambda g, a, t: (a - t) / len(a))],
    "gaussian_kl": [("wrong_point", 1, lambda g, mu, log_var: (log_var - 1) / (2 * len(mu))), ("wrong_point", 1, lambda g, mu, log_var: (np.exp(2 * log_var) - 1) / (2 * len(mu)))],
    "L1": [("kinks", 0, lambda g, z: g + (z == 0))],
}  # fmt: skip


def is_none(bug: Bug, name: str) -> bool:
    """Whether this is no bug there, or another one."""
    keeps_nothing = ("AvgPool2d", "UpSample2d", "Identity", "GaussianNoise", "Flatten", "Reshape")
    if isinstance(bug, Stale):
        return name in keeps_nothing
    # normalised numbers add up to zero: a dy of ones gives a gradient of zero
    return isinstance(bug, UpstreamIgnored) and name.startswith("BatchNorm") and bug.tensor != "beta"


def bugs() -> Iterator[tuple[str, str, Callable[[], object], Callable]]:
    """Every bug in every layer and loss that it makes sense in: kind, where, how to make the subject, how to draw inputs."""
    for plot in LAYERS:
        names = plot.make().parameter_names
        chosen = [bug(tensor) for bug in EVERY_TENSOR for tensor in ("x", *names)]
        chosen += [bug(name) for bug in EVERY_PARAMETER for name in names] + [bug() for bug in EVERY_LAYER]
        chosen = [bug for bug in chosen if not is_none(bug, plot.name)]
        for bug in chosen + PARTICULAR.get(plot.name, []):
            yield bug.kind, plot.name, lambda plot=plot, bug=bug: Planted(plot.make(), bug), plot.inputs
    for name, make in AT_CORNERS.items():
        yield "kinks", name, lambda make=make: Planted(make(), replaces("kinks", at_corners)), with_zeros(5, 4)
    for plot in FUNCTIONS:
        count = 2 if plot.name == "gaussian_kl" else 1
        chosen = [(kind, k, change) for kind, change in OF_FUNCTIONS for k in range(count)]
        for kind, k, change in chosen + PARTICULAR_FUNCTIONS.get(plot.name, []):
            inputs = with_zeros(5, 4) if kind == "kinks" else plot.inputs
            yield kind, plot.name, lambda plot=plot, k=k, change=change: grad(change, k)(plot.make()), inputs
        yield "input_modified", plot.name, lambda plot=plot: changes_input(plot.make()), plot.inputs
