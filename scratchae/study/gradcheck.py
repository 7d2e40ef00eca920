"""Gradient checking: is what `backward` returns the derivative of what `forward` computes?

For a layer the scalar is L = Σ r · f(x) with r drawn at random (with r = 1, softmax and normalisation would
pass whatever they return), so dy = r. Every element of x and of every parameter is moved a little to both
sides, in float64, and the change of L is compared with the gradient.
"""

from __future__ import annotations

import copy
import inspect
import operator
from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np

from ..arguments import flag, number, whole
from ..backend import Array, array_module, require_array, to_numpy, way_to_floats, what_it_holds
from ..description import brief
from ..errors import ArrayTypeError, DataError, OptionError, ShapeError
from ..layers import Layer
from ..layers.layer import possible_parameters, require_named
from ..losses import Loss
from ..models import DBN, RBM, Model
from ..penalties import Penalty
from .diagnosis import diagnose, require_shapes
from .diagnosis.experiment import FunctionExperiment, LayerExperiment, ModelExperiment
from .diagnosis.finding import finding
from .differences import EPS, STEP, TOLERANCE, GradientReport, compare, resolution
from .styles.layers.adapted import Adapted
from .styles.losses import Loss as AnyLoss
from .styles.objects.copies import duplicate, repeatable
from .styles.text.calls import method_of
from .styles.text.names import BACKWARD, FORWARD


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
    whole("check_gradients", "seed", seed, 0), flag("check_gradients", "noise", noise)
    number("check_gradients", "0 < tolerance", tolerance)
    for array, name in ((x, "x"), (target, "target")):
        if array is not None or name == "x":
            require_numbers(array, name)
    if not isinstance(subject, Layer | Model) and method_of(subject, FORWARD) and method_of(subject, BACKWARD):
        x = accepted(subject, np.array(to_numpy(x)))
        subject = Adapted(subject, x)
    x = array_module(x).array(x, dtype=None if isinstance(subject, Adapted) and subject.index else np.float64)
    rng = random_streams(x, seed if noise else None)
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


def require_numbers(x: Array, name: str) -> None:
    """Raise ArrayTypeError unless x is an array of numbers, DataError unless they are finite."""
    xp = require_array(x, name)
    if what_it_holds(x) != str(x.dtype) or x.dtype.kind not in "fiub":
        raise ArrayTypeError(f"{name} holds {what_it_holds(x)}: expected numbers; {way_to_floats(x, name)}")
    if not x.size or not bool(xp.isfinite(x).all()):
        raise DataError(f"check_gradients: {name} of shape {tuple(x.shape)} holds nothing, or NaN or infinity")


def accepted(subject: Any, x: np.ndarray) -> np.ndarray:
    """x in float64; integers stay what they are for a subject that takes nothing else, such as an embedding."""
    if x.dtype.kind not in "iub":
        return x.astype(np.float64)
    try:
        with repeatable():
            Adapted(subject, x.astype(np.float64))
    except (IndexError, TypeError):
        return x
    except Exception:
        pass
    return x.astype(np.float64)


def random_streams(x: Array, seed: int | None) -> Callable[[], Any]:
    """A function that gives an equal new generator each time, or None each time, for inference."""
    return lambda: None if seed is None else array_module(x).random.default_rng(seed)


def check_layer(
    layer: Layer,
    x: Array,
    rng: Callable[[], Any],
    seed: int,
    tolerance: float = TOLERANCE,
    elements: Callable | None = None,
) -> GradientReport:
    layer = duplicate(layer).to(dtype=np.float64)
    y = layer.forward(x.copy(), rng())  # copies, in case they are changed
    r = array_module(x).asarray(np.random.default_rng([seed, 1]).standard_normal(y.shape))
    tensors = parameters(layer)
    changed = duplicate(layer)  # backward may change it, and the differences are those of the layer before
    possible = [(leaf, possible_parameters(leaf)) for _, leaf in changed.leaves()]
    if changed.forward(x.copy(), rng()).shape != y.shape:
        raise ShapeError(f"{layer!r}: a second forward on the same x gives a y of another shape")
    gradients = {"x": changed.backward(r.copy())}
    for (_, leaf), (_, names) in zip(
        changed.leaves(), possible, strict=True
    ):  # only now are there gradients to tell by
        require_named(leaf, names)
    for name, leaf in changed.leaves():
        for attribute in leaf.parameter_names:
            gradients[f"{name}.{attribute}".lstrip(".")] = getattr(leaf, "d" + attribute).copy()
    if x.dtype.kind == "f":
        tensors = {"x": x} | tensors

    def forward() -> Array:
        return layer.forward(x.copy(), rng()).copy()

    def change(plus: Array, minus: Array) -> Array:
        return ((plus - minus) * r).sum()  # subtract first and then sum, so that little is lost by cancellation

    size = min(1.0, float(abs(x).max())) if x.size else 1.0  # a y of exactly 0 has come from numbers of that size
    rounding, step = EPS * max(float(abs(y * r).sum()), 1e-2 * size * float(abs(r).sum())), STEP
    if tensors:
        rounding, step = resolution(forward, next(iter(tensors.values())), change, rounding)
    chain = len([*layer.leaves()]) > 1
    tolerance = max(tolerance, 10 * step**2 if step > STEP else 0)
    return compare(
        repr(layer), tensors, gradients, forward, rounding, tolerance, change=change, chain=chain, step=step, elements=elements,
    )  # fmt: skip


def parameters(layer: Layer) -> dict[str, Array]:
    """The parameters of a layer and of those in it, by name."""
    return {
        f"{name}.{attribute}".lstrip("."): getattr(leaf, attribute)
        for name, leaf in layer.leaves()
        for attribute in leaf.parameter_names
    }


def check_model(model: Model, x: Array, rng: Callable[[], Any], tolerance: float) -> GradientReport:
    model = copy.deepcopy(model).to(dtype=np.float64)
    model.hold()
    model.training_step(x.copy(), rng())
    model.take_gradient()
    tensors: dict[str, dict[str, Array]] = {}  # by the metric that they descend
    gradients = {}
    for name, layer, attribute in model.named_parameters():
        tensors.setdefault(model.metric_of(name), {})[name] = getattr(layer, attribute)
        gradients[name] = getattr(layer, "d" + attribute).copy()

    def against(metrics: Callable[..., dict[str, Array]]) -> GradientReport:
        reports = []
        for metric, those in tensors.items():

            def evaluate(metric: str = metric) -> Array:
                return metrics(x.copy(), rng())[metric]

            rounding = EPS * abs(float(evaluate()))
            reports.append(compare(type(model).__name__, those, gradients, evaluate, rounding, tolerance, chain=True))
        return replace(reports[0], checks=tuple(check for report in reports for check in report.checks))

    report = against(model.descended)
    if type(model).descended is Model.descended:
        return report
    right = {check.name for check in report.checks if check.passed}
    of_the_loss = against(model.objective)
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
    if target is not None and not isinstance(
        function, AnyLoss
    ):  # a loss made of a person's own may take class numbers
        target = target.astype(np.float64)
    arguments = [x] if target is None else [x, target]
    try:
        inspect.signature(function).bind(*arguments)
    except TypeError as error:
        raise OptionError(
            f"check_gradients({brief(function)}, …): it was given {' and '.join(('x', 'target')[: len(arguments)])} ({error}): give a "
            "loss its target, check_gradients(loss, x, target), and a penalty none"
        ) from None
    returned = function(*(array.copy() for array in arguments))
    name = getattr(function, "__name__", repr(function))
    if not isinstance(returned, tuple) or len(returned) < 2:
        hint = ": does it end with `return`?" if returned is None else ""
        raise ArrayTypeError(f"{name} returned {type(returned).__name__}, expected (value, gradient){hint}")
    value, *found = returned
    names = ("x",) if target is None else ("prediction",) if len(found) == 1 else ("mu", "log_var")
    tensors = dict(zip(names, arguments, strict=False))
    gradients = {
        name: np.asarray(g) if isinstance(g, int | float) else g for name, g in zip(names, found, strict=True)
    }

    def evaluate() -> Array:
        return array_module(x).asarray(function(*(array.copy() for array in arguments))[0])

    size = max(
        abs(float(value)), min(1.0, float(abs(x).max()))
    )  # a value of exactly 0 has come from numbers of that size
    rounding, step = resolution(evaluate, x, operator.sub, EPS * size)
    tolerance = max(tolerance, 10 * step**2 if step > STEP else 0)
    return compare(name, tensors, gradients, evaluate, rounding, tolerance, step=step)
