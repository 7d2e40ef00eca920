"""Gradient checking: is what `backward` returns the derivative of what `forward` computes?

For a layer the scalar is L = Σ r · f(x) with r drawn at random (with r = 1, softmax and normalisation would
pass whatever they return), so dy = r. Every element of x and of every parameter is moved a little to both
sides, in float64, and the change of L is compared with the gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..errors import ArrayTypeError, OptionError
from ..layers import Layer
from ..layers.layer import possible_parameters, require_named
from ..losses import Loss
from ..models import DBN, RBM, Model
from ..penalties import Penalty
from .diagnosis import diagnose, require_shapes
from .diagnosis.adapted import Adapted
from .diagnosis.experiment import FunctionExperiment, LayerExperiment, ModelExperiment
from .diagnosis.finding import finding
from .differences import EPS, TOLERANCE, GradientReport, compare


def check_gradients(
    subject: Layer | Model | Loss | Penalty | Callable,
    x: Array,
    target: Array | None = None,
    *,
    seed: int = 0,
    noise: bool = True,
    tolerance: float = TOLERANCE,
) -> GradientReport:
    """Compare every gradient of a layer, model, loss or penalty with central differences, in float64.

    subject: a layer or a model, of which a copy is checked; a loss, with `target`, or any function `f(x[,
    target]) -> (value, dx)`; or `gaussian_kl`, with x as mu and target as log_var. x: a small input, since every
    element needs two evaluations. `seed` draws r and, with `noise=True`, the noise of noisy layers, the same
    at each evaluation. Any object with `forward(x)` and `backward(dy)` counts as a layer.

    If something is wrong, `findings` says what (`diagnosis/`). Raises ShapeError if a gradient does not have the shape of its
    tensor, and ArrayTypeError if a method does not return an array.
    """
    if target is not None and (isinstance(subject, Layer | Model) or hasattr(subject, "backward")):
        raise OptionError(
            f"check_gradients({type(subject).__name__}, x, target): target=… is for a loss. A layer is checked with a random upstream, "
            "a model with its own loss: use check_gradients(subject, x)"
        )
    if isinstance(subject, DBN):  # a DBN has no backward: it is trained layer by layer, or unrolled
        report = check_gradients(subject.unroll(), x, seed=seed, noise=noise, tolerance=tolerance)
        return replace(report, subject="DBN, unrolled to an Autoencoder")
    x = array_module(x).array(x, dtype=np.float64)
    rng = random_streams(x, seed if noise else None)
    if not isinstance(subject, Layer | Model) and hasattr(subject, "forward") and hasattr(subject, "backward"):
        subject = Adapted(subject, to_numpy(x))
    if isinstance(subject, RBM):
        return check_boltzmann(subject, x, tolerance, seed)
    if isinstance(subject, Model):
        experiment = ModelExperiment(subject, x, seed, noise)
        report = check_model(subject, x, rng, tolerance)
    elif isinstance(subject, Layer):
        experiment = LayerExperiment(subject, x, seed, noise)
        require_shapes(experiment)
        report = check_layer(subject, x, rng, seed, tolerance)
    elif callable(subject):
        report = check_function(subject, x, target, tolerance)
        names = (check.name for check in report.checks)
        arguments = (to_numpy(array) for array in (x, target) if array is not None)
        names = [*names, *(["target"] if target is not None and len(report.checks) == 1 else [])]
        experiment = FunctionExperiment(subject, dict(zip(names, arguments, strict=True)))
    else:
        raise OptionError(
            f"check_gradients: expected a layer, model, loss, penalty or function, got {type(subject).__name__}"
        )
    wrong = tuple(check.name for check in report.checks if not check.passed)
    return replace(report, findings=(*diagnose(experiment, wrong), *report.findings))


def random_streams(x: Array, seed: int | None) -> Callable[[], Any]:
    """A function that gives an equal new generator each time, or None each time, for inference."""
    return lambda: None if seed is None else array_module(x).random.default_rng(seed)


def check_layer(layer: Layer, x: Array, rng: Callable[[], Any], seed: int, tolerance: float) -> GradientReport:
    layer = copy.deepcopy(layer).to(dtype=np.float64)
    possible = [(leaf, possible_parameters(leaf)) for _, leaf in layer.leaves()]
    y = layer.forward(x.copy(), rng())  # copies, in case they are changed
    r = array_module(x).asarray(np.random.default_rng([seed, 1]).standard_normal(y.shape))
    gradients = {"x": layer.backward(r.copy())}
    for leaf, names in possible:
        require_named(leaf, names)
    tensors = {"x": x}
    for name, leaf in layer.leaves():
        for attribute in leaf.parameter_names:
            label = f"{name}.{attribute}".lstrip(".")
            tensors[label] = getattr(leaf, attribute)
            gradients[label] = getattr(leaf, "d" + attribute).copy()

    def forward() -> Array:
        return layer.forward(x.copy(), rng()).copy()

    def change(plus: Array, minus: Array) -> Array:
        return ((plus - minus) * r).sum()  # subtract first and then sum, so that little is lost by cancellation

    rounding = EPS * float(abs(y * r).sum())
    chain = len([*layer.leaves()]) > 1
    return compare(repr(layer), tensors, gradients, forward, rounding, tolerance, change=change, chain=chain)


def check_model(model: Model, x: Array, rng: Callable[[], Any], tolerance: float) -> GradientReport:
    model = copy.deepcopy(model).to(dtype=np.float64)
    model.hold()
    model.training_step(x.copy(), rng())
    model.take_gradient()
    tensors, gradients = {}, {}
    for name, layer, attribute in model.named_parameters():
        tensors[name] = getattr(layer, attribute)
        gradients[name] = getattr(layer, "d" + attribute).copy()

    def against(evaluate: Callable[[], Array]) -> GradientReport:
        rounding = EPS * abs(float(evaluate()))
        return compare(type(model).__name__, tensors, gradients, evaluate, rounding, tolerance, chain=True)

    report = against(lambda: model.descended(x.copy(), rng())["loss"])
    if type(model).descended is Model.descended:
        return report
    right = {check.name for check in report.checks if check.passed}
    of_the_loss = against(lambda: model.objective(x.copy(), rng())["loss"])
    others = {check.name: check.error for check in of_the_loss.checks if check.name in right and not check.passed}
    if not others:
        return report
    evidence = f"differences of the loss itself deviate by up to {max(others.values()):.0%} of the largest number"
    return replace(report, findings=(finding("straight_through", tuple(others), evidence),))


def check_boltzmann(model: RBM, x: Array, tolerance: float, seed: int) -> GradientReport:
    """The `gradient` of an RBM's step: not the gradient of an objective, but that of mean F(x) - mean F(v) with v held fixed."""
    model = copy.deepcopy(model).to(dtype=np.float64)
    energy = model.energy
    model.training_step(x.copy(), array_module(x).random.default_rng(seed))
    model.take_gradient()
    v, n = energy.v.copy(), len(x)  # the data, and the model's reply

    def difference() -> Array:
        F = energy.forward(v)
        return F[:n].mean() - F[n:].mean()

    tensors = {name: getattr(energy, attribute) for name, _, attribute in model.named_parameters()}
    gradients = {name: getattr(energy, "d" + attribute).copy() for name, _, attribute in model.named_parameters()}
    rounding = EPS * float(abs(energy.forward(v)).max())
    title = (
        f"{model!r} (contrastive divergence, not the gradient of any objective: this check compares the difference of the mean "
        "free energies of the data and of the model's reply, with the reply held fixed)"
    )
    return compare(title, tensors, gradients, difference, rounding, tolerance)


def check_function(function: Callable, x: Array, target: Array | None, tolerance: float) -> GradientReport:
    """A loss or penalty: each gradient that it returns belongs to the argument in the same position."""
    arguments = [x] if target is None else [x, target.astype(np.float64)]
    returned = function(*(array.copy() for array in arguments))
    name = getattr(function, "__name__", repr(function))
    if not isinstance(returned, tuple) or len(returned) < 2:
        hint = ": does it end with `return`?" if returned is None else ""
        raise ArrayTypeError(f"{name} returned {type(returned).__name__}, expected (value, gradient){hint}")
    value, *found = returned
    names = ("x",) if target is None else ("prediction",) if len(found) == 1 else ("mu", "log_var")
    tensors = dict(zip(names, arguments, strict=False))
    gradients = dict(zip(names, found, strict=True))

    def evaluate() -> Array:
        return function(*(array.copy() for array in arguments))[0]

    return compare(name, tensors, gradients, evaluate, EPS * abs(float(value)), tolerance)
