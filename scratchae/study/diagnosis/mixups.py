"""Rules that find where the numbers would be right: f instead of f′, x instead of y, W instead of Wᵀ, a term left out."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator

import numpy as np

from .case import Case, alike, attempt, ratio
from .experiment import FunctionExperiment, LayerExperiment, ModelExperiment, offering
from .finding import Finding


def not_differentiated(case: Case) -> Finding | None:
    """dy is passed on as if f were the identity, or f is used instead of f′, or a mask is left out."""
    A, N, r, y = case.A, case.N, case.r, case.y
    if isinstance(case.experiment, FunctionExperiment):
        inputs = list(case.experiment.inputs.values())
        if len(inputs) == 2 and case.name == next(iter(case.experiment.inputs)):
            c = ratio(A, inputs[0] - inputs[1])
            if c is not None:
                return case.found(
                    "not_differentiated",
                    which="the gradient is a multiple of prediction - target, as if the loss were a plain square",
                )
        return None
    if A.shape == r.shape and alike(A, r):
        return case.found("not_differentiated", "it equals dy", which="dy is passed on unchanged")
    if A.shape == r.shape == y.shape and alike(A, r * y):
        return case.found(
            "not_differentiated",
            "it equals dy · y",
            which="dy is multiplied by the function's value y, not by its derivative",
        )
    for which, candidate in linear_parts(case):
        if alike(A, candidate):
            return case.found(
                "not_differentiated",
                f"it equals {which}",
                which=f"{which} is right only for a layer that ends with the product x W",
            )
    smooth = case.smooth
    A, N = A[smooth], N[smooth]
    zero = np.abs(N) <= 1e-7 * np.abs(N).max(initial=0)
    if case.per_example and zero.any() and not zero.all() and alike(A[~zero], N[~zero]) and np.all(A[zero]):
        where = f"{int(zero.sum())} of {N.size} elements get a gradient although moving them changes nothing; all others are right"
        return case.found("not_differentiated", where, which="backward lets through what forward does not")
    return None


def linear_parts(case: Case) -> Iterator[tuple[str, np.ndarray]]:
    """The gradients that a product x W would have."""
    experiment = case.experiment
    if not isinstance(experiment, LayerExperiment) or case.r.ndim != 2:
        return
    x, r = experiment.inputs.get("x"), case.r
    if x is None or x.ndim != 2 or len(x) != len(r):
        return
    if case.name != "x":
        yield "xᵀ dy", x.T @ r
        return
    for name in experiment.names()[1:]:
        W = experiment.tensor(experiment.subject, experiment.inputs, name)
        if W.shape == (x.shape[1], r.shape[1]):
            yield f"dy {name}ᵀ", r @ W.T


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))


# functions whose result is easily confused with their argument
MIXED_UP = {
    "exp({})": np.exp,
    "σ({})": sigmoid,
    "tanh({})": np.tanh,
    "log({})": np.log,
    "√{}": np.sqrt,
    "exp({}/2)": lambda x: np.exp(x / 2),
    "exp(2 {})": lambda x: np.exp(2 * x),
    "{}²": np.square,
    "2 {}": lambda x: 2 * x,
    "{} / 2": lambda x: x / 2,
}


def wrong_point(case: Case) -> Finding | None:
    """If A at y is N at x, backward uses x instead of y. If A at x is N at y, it uses y instead of x. Other mix-ups are alike."""
    experiment = case.experiment
    inputs = experiment.inputs
    at_places = case.at(case.N)
    if isinstance(experiment, ModelExperiment):
        return None
    if isinstance(experiment, FunctionExperiment) and len(inputs) == 2:
        first, second = inputs
        swapped = {first: inputs[second], second: inputs[first]}
        if attempt(lambda: alike(case.at(case.A), case.numeric(swapped))):
            return case.found("wrong_point", which=f"{first} and {second} have changed places")
    if isinstance(experiment, LayerExperiment) and experiment.noise:
        clean = experiment.beside(inputs["x"], experiment.seed, noise=False)
        left, right = clean.slopes(case.name, case.places, r=case.r)
        if alike(case.at(case.A), (left + right) / 2):
            return case.found(
                "wrong_point",
                "the numbers are right for the input without noise",
                which="at the clean input, where forward has added noise",
            )
    for name, x in inputs.items():
        here = [("the output y", lambda _: case.y)] if case.y.shape == x.shape else []
        here += [(text.format(name), function) for text, function in MIXED_UP.items()]
        for text, function in here:
            moved = inputs | {name: np.array(function(x))}
            if not np.isfinite(moved[name]).all():
                continue
            if attempt(lambda moved=moved: alike(case.at(experiment.run(moved, case.r)[1][case.name]), at_places)):
                return case.found(
                    "wrong_point",
                    f"at {text} in place of {name}, backward's formula gives the right numbers",
                    which=f"the formula wants {text}, and gets {name}",
                )
            if attempt(lambda moved=moved: case.is_numeric(moved, case.r)):
                return case.found(
                    "wrong_point",
                    f"the numbers are right for an input of {text}",
                    which=f"at {text} in place of {name}",
                )
    return None


# derivatives, and what is easily written in their place, in x and y
FORMULAS = {
    "1 - y²": lambda x, y: 1 - y * y, "1 - y": lambda x, y: 1 - y, "y (1 - y)": lambda x, y: y * (1 - y), "y²": lambda x, y: y * y,
    "1 + y²": lambda x, y: 1 + y * y, "1 + y": lambda x, y: 1 + y, "1 - x²": lambda x, y: 1 - x * x, "x (1 - x)": lambda x, y: x * (1 - x),
    "y": lambda x, y: y, "x": lambda x, y: x, "2 x": lambda x, y: 2 * x, "x²": lambda x, y: x * x, "2 y": lambda x, y: 2 * y,
    "1 / x": lambda x, y: 1 / x, "1 / y": lambda x, y: 1 / y, "1 / (2 y)": lambda x, y: 0.5 / y, "exp(x)": lambda x, y: np.exp(x),
    "σ(x)": lambda x, y: sigmoid(x), "1 - σ(x)": lambda x, y: 1 - sigmoid(x), "σ(x) (1 - σ(x))": lambda x, y: sigmoid(x) * (1 - sigmoid(x)),
    "1 - tanh²(x)": lambda x, y: 1 - np.tanh(x) ** 2, "1 / (1 + x²)": lambda x, y: 1 / (1 + x * x), "cos x": lambda x, y: np.cos(x),
    "sin x": lambda x, y: np.sin(x), "-sin x": lambda x, y: -np.sin(x), "3 x²": lambda x, y: 3 * x * x, "x³": lambda x, y: x**3,
    "1 - exp(-y)": lambda x, y: 1 - np.exp(-y), "exp(-x)": lambda x, y: np.exp(-x), "-1 / x²": lambda x, y: -1 / x**2, "1 / x²": lambda x, y: 1 / x**2,
    "-y²": lambda x, y: -y * y, "σ(x) + y (1 - σ(x))": lambda x, y: sigmoid(x) + y * (1 - sigmoid(x)), "1": lambda x, y: 1 + 0 * x,
    "y - y²/2": lambda x, y: y - y * y / 2, "1 - 2 y": lambda x, y: 1 - 2 * y, "y (1 + y)": lambda x, y: y * (1 + y), "1 / (1 + |x|)²": lambda x, y: 1 / (1 + np.abs(x)) ** 2,
}  # fmt: skip


def other_formula(case: Case) -> Finding | None:
    """The layer works element by element, and both its derivative and what backward has for it are known formulas."""
    x = case.experiment.inputs.get("x")
    if type(case.experiment) is not LayerExperiment or x is None or not x.shape == case.y.shape == case.A.shape:
        return None
    candidates = [(name, case.r * function(x, case.y)) for name, function in FORMULAS.items()]
    found = next((name for name, g in candidates if alike(case.A, g)), None)
    right = next((name for name, g in candidates if alike(case.N, g)), None)
    return case.found("other_formula", found=found, right=right) if found and right else None


def parameter_turned(case: Case) -> Finding | None:
    """The gradient would be right with a parameter transposed, or with its kernel turned round."""
    experiment = case.experiment
    if type(experiment) is not LayerExperiment:
        return None
    for name in experiment.names()[1:]:
        shape = experiment.tensor(experiment.subject, experiment.inputs, name).shape
        for turn, turned in turns(shape):
            subject = experiment.fresh()
            # forward with the parameter unchanged, backward with it turned
            experiment.value(subject, experiment.inputs)
            W = experiment.tensor(subject, experiment.inputs, name)
            W[...] = turned(W).copy()
            with offering():
                dx = np.array(subject.backward(case.r.copy()))
            gradients = {"x": dx} | experiment.parameter_gradients(subject)
            if alike(case.at(gradients[case.name]), case.at(case.N)):
                return case.found("parameter_turned", parameter=name, turn=turn)
    return None


def turns(shape: tuple[int, ...]) -> Iterator[tuple[str, Callable[[np.ndarray], np.ndarray]]]:
    """The ways to turn an array of this shape that keep its shape."""
    if len(shape) < 2:
        return
    for order in itertools.permutations(range(len(shape))):
        if order != tuple(range(len(shape))) and tuple(shape[i] for i in order) == shape:
            yield "transposed", lambda W, order=order: W.transpose(order)
    for k in (1, 2):
        for axes in itertools.combinations(range(min(len(shape), 2)), k):
            yield "reversed along " + " and ".join(f"axis {i}" for i in axes), lambda W, axes=axes: np.flip(W, axes)


def cross_terms(case: Case) -> Finding | None:
    """Backward treats every element by itself, but forward does not."""
    experiment = case.experiment
    if not case.per_example or isinstance(experiment, FunctionExperiment) or case.r.shape != case.A.shape:
        return None
    half = np.random.default_rng(1).random(case.r.shape) < 0.5
    _, gradients = experiment.run(r=case.r * half)
    if not alike(gradients["x"], case.A * half) or alike(case.numeric(r=case.r * half), case.at(case.N * half)):
        return None
    apart = case.r.copy()
    apart[1:] = 0  # with dy at the first example only, do the other examples get a gradient?
    others = (
        len(case.r) > 1
        and np.abs(case.numeric(r=apart))[[index[0] > 0 for index in case.places]].max(initial=0) > 1e-8
    )
    which = "the y of the other examples" if others else "the other y of its example"
    return case.found(
        "cross_terms", "backward computes each dx from one dy only, but moving one x moves several y", which=which
    )
