"""Gradient checking: is what `backward` returns the derivative of what `forward` computes?

For a layer the scalar is L = Σ r · f(x) with r drawn at random (with r = 1, softmax and normalisation would
pass whatever they return), so dy = r. Every element of x and of every parameter is moved a little to both
sides, in float64, and the change of L is compared with the gradient.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Collection, Iterable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from ..backend import Array, array_module, to_numpy
from ..errors import ArrayTypeError, OptionError, ShapeError
from ..layers import Layer
from ..layers.layer import possible_parameters, require_named
from ..losses import Loss
from ..models import DBN, RBM, Model
from ..penalties import Penalty
from .diagnosis import diagnose, require_shapes
from .diagnosis.adapted import Adapted
from .diagnosis.experiment import FunctionExperiment, LayerExperiment, ModelExperiment
from .diagnosis.finding import Finding

STEP = 1e-5  # how far each element is moved: a central difference errs by about step² and by rounding / step
TOLERANCE = 1e-7  # largest relative error of a right gradient
EPS = float(np.finfo(np.float64).eps)


@dataclass(frozen=True)
class TensorCheck:
    """One tensor's gradient against finite differences.

    `error` is the largest deviation over the elements, divided by the largest gradient of the tensor (or by the least
    that a difference quotient can tell to the tolerance, if that is more); it is NaN if a gradient or a difference is.
    `numeric` is NaN where an element was not moved; `checked` counts those that were. At a kink the function has a corner
    (ReLU at 0), and the slopes to the left and to the right differ: such elements are not compared. `kinks` counts them.
    """

    name: str
    analytic: np.ndarray
    numeric: np.ndarray
    error: float
    checked: int
    kinks: int
    passed: bool

    @property
    def sampled(self) -> bool:
        """Whether only some of the elements were moved."""
        return self.checked < self.numeric.size

    @property
    def comparable(self) -> bool:
        """Whether anything was compared: not if all elements that were moved lie at a kink."""
        return not 0 < self.kinks == self.checked

    @property
    def says(self) -> str:
        """The error and the kinks, in a few words."""
        if bad := int((~np.isfinite(self.analytic)).sum()):
            return f"NaN or infinite in {bad} of {self.analytic.size} elements"
        if not self.comparable:
            return f"not comparable: {'all ' if self.kinks > 1 else ''}{self.kinks} at a kink"
        kinks = f", {self.kinks} at a kink" if self.kinks else ""
        return f"{self.error:.1e}{kinks}"


def largest_error(checks: Iterable[TensorCheck]) -> float:
    """The largest relative error of what was compared; NaN if one is NaN or if nothing was."""
    errors = [check.error for check in checks if check.comparable]
    return float(np.max(errors)) if errors else float("nan")


def not_compared(checks: Collection[TensorCheck]) -> str:
    """How many gradients could not be compared, as the end of a sentence; nothing if all could."""
    count = sum(not check.comparable for check in checks)
    return (
        f"; {count} could not be compared: all {'its' if count == 1 else 'their'} elements lie at a kink"
        if count
        else ""
    )


@dataclass(frozen=True)
class GradientReport:
    """The checks of all tensors, and what is wrong where something is; `str(report)` is a table with the diagnosis."""

    subject: str
    checks: tuple[TensorCheck, ...]
    findings: tuple[Finding, ...] = ()

    @property
    def passed(self) -> bool:
        """Whether every tensor's error is within the tolerance, and nothing else was found that is wrong."""
        return all(check.passed for check in self.checks) and not any(found.fault for found in self.findings)

    @property
    def worst(self) -> float:
        """The largest relative error of all tensors; NaN if one is NaN or if nothing could be compared."""
        return largest_error(self.checks)

    def __str__(self) -> str:
        verdict = "passed" if self.passed else "FAILED"
        lines = [f"{self.subject}: {verdict}, largest relative error {self.worst:.1e}{not_compared(self.checks)}"]
        if not any(check.comparable for check in self.checks):
            lines = [f"{self.subject}: not comparable, all elements lie at a kink"]
        for check in self.checks:
            wrong = "" if check.passed else "   <- wrong"
            lines.append(f"  ∂L/∂{check.name:<14} {check.analytic.shape!s:<16} {check.says}{wrong}")
        return "\n".join(lines + [str(found) for found in self.findings])


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
    target]) -> (value, dx)`; or `gaussian_kl`, with x as mu and target as log_var. x: a small input (every
    element costs two evaluations); `seed` draws r and, with `noise=True`, the noise of noisy layers, the same
    at each evaluation. Any object with `forward(x)` and `backward(dy)` is taken for a layer.

    Where something is wrong, `findings` says what (`diagnose.py`). Raises ShapeError if a gradient has not the shape of
    what it belongs to, ArrayTypeError if a method returns no array.
    """
    if target is not None and (isinstance(subject, Layer | Model) or hasattr(subject, "backward")):
        raise OptionError(
            f"check_gradients({type(subject).__name__}, x, target): target=… is for a loss; a layer is checked with an upstream that "
            "is drawn, a model with its own loss: check_gradients(subject, x)"
        )
    if isinstance(subject, DBN):  # which is trained layer by layer, or as this
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
    return replace(report, findings=diagnose(experiment, wrong))


def random_streams(x: Array, seed: int | None) -> Callable[[], Any]:
    """A function that gives the same fresh generator each time; or None each time, for inference."""
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

    def change(plus: Array, minus: Array) -> Array:
        return ((plus - minus) * r).sum()  # differences first, then the sum: little is lost by cancellation

    rounding = EPS * float(abs(y * r).sum())
    return compare(
        repr(layer),
        tensors,
        gradients,
        lambda: layer.forward(x.copy(), rng()).copy(),
        change,
        rounding,
        tolerance,
        chain=len([*layer.leaves()]) > 1,
    )


def check_model(model: Model, x: Array, rng: Callable[[], Any], tolerance: float) -> GradientReport:
    model = copy.deepcopy(model).to(dtype=np.float64)
    model.begins = False  # what a backward leaves out, or adds up, is to be found here
    model.training_step(x.copy(), rng())
    model.take_gradient()
    tensors, gradients = {}, {}
    for name, layer, attribute in model.named_parameters():
        tensors[name] = getattr(layer, attribute)
        gradients[name] = getattr(layer, "d" + attribute).copy()

    def loss() -> Array:
        return model.objective(x.copy(), rng())["loss"]

    rounding = EPS * abs(float(loss()))
    return compare(type(model).__name__, tensors, gradients, loss, subtract, rounding, tolerance, chain=True)


def check_boltzmann(model: RBM, x: Array, tolerance: float, seed: int) -> GradientReport:
    """What an RBM's step leaves in `gradient`: no gradient of an objective, but that of mean F(x) - mean F(v), v held fixed."""
    model = copy.deepcopy(model).to(dtype=np.float64)
    energy = model.energy
    model.training_step(x.copy(), array_module(x).random.default_rng(seed))
    model.take_gradient()
    v, n = energy.v.copy(), len(x)  # the data, and the model's reply to them

    def difference() -> Array:
        F = energy.forward(v)
        return F[:n].mean() - F[n:].mean()

    tensors = {name: getattr(energy, attribute) for name, _, attribute in model.named_parameters()}
    gradients = {name: getattr(energy, "d" + attribute).copy() for name, _, attribute in model.named_parameters()}
    rounding = EPS * float(abs(energy.forward(v)).max())
    title = (
        f"{model!r} (contrastive divergence, which is no gradient of any objective: compared is the difference of the mean free "
        "energies of the data and of the model's reply, with the reply held fixed)"
    )
    return compare(title, tensors, gradients, difference, subtract, rounding, tolerance)


def check_function(function: Callable, x: Array, target: Array | None, tolerance: float) -> GradientReport:
    """A loss or penalty: each gradient that it returns belongs to the argument at the same place."""
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
    rounding = EPS * abs(float(value))
    return compare(
        name,
        tensors,
        gradients,
        lambda: function(*(array.copy() for array in arguments))[0],
        subtract,
        rounding,
        tolerance,
    )


def subtract(plus: Array, minus: Array) -> Array:
    return plus - minus


def compare(
    subject: str,
    tensors: dict[str, Array],
    gradients: dict[str, Array],
    evaluate: Callable[[], Array],
    change: Callable[[Array, Array], Array],
    rounding: float,
    tolerance: float,
    elements: Callable[[np.ndarray], Iterable[list[tuple[int, ...]]]] | None = None,
    chain: bool = False,
) -> GradientReport:
    """Move each element of each tensor, in place, and compare the change of the scalar, which is known to `rounding`,
    with the gradient.

    elements(gradient): the indices of the elements to move, where it should not be all, in groups: a further one is moved while
    most of those before lie at a kink. What is not moved is NaN in `numeric`.
    chain: whether the scalar comes through many layers, so that moving a number may bring several units to their corners at once.
    """
    checks = []
    for name, tensor in tensors.items():
        analytic = to_numpy(gradients[name])
        if analytic.shape != tensor.shape:
            shapes = f"the gradient of {name} has shape {analytic.shape}, {name} itself {tensor.shape}"
            raise ShapeError(f"{subject}: {shapes}: they must be equal")
        centre = evaluate()

        def slopes(index: tuple[int, ...], step: float, tensor=tensor, centre=centre) -> tuple[float, float]:
            """The slope of the scalar to the left and to the right."""
            value = float(tensor[index])
            tensor[index] = value - step
            left = float(change(centre, evaluate())) / step
            tensor[index] = value + step
            right = float(change(evaluate(), centre)) / step
            tensor[index] = value
            return left, right

        numeric = np.full(analytic.shape, np.nan)
        moved, kinks = np.zeros(analytic.shape, bool), np.zeros(analytic.shape, bool)
        for group in [[*np.ndindex(*analytic.shape)]] if elements is None else elements(analytic):
            for index in group:
                moved[index] = True
                numeric[index] = sum(slopes(index, STEP)) / 2  # the central difference
            largest = np.abs(numeric).max(initial=0, where=moved)
            scale = max(np.abs(analytic).max(initial=0), largest, np.finfo(float).tiny)
            # a difference quotient cannot tell less than the latter
            slack = max(tolerance * scale, 4 * rounding / STEP)
            for index in map(tuple, np.argwhere(moved & (np.abs(analytic - numeric) > slack))):
                # closer, in case of a corner or a sharp bend within the first step
                left, right = slopes(index, STEP / 10)
                closer = (left + right) / 2
                if abs(closer - numeric[index]) > slack:
                    numeric[index] = closer
                # at a corner there is no derivative, and any slope between left and right will do; elsewhere they hardly differ
                wrong = abs(analytic[index] - numeric[index]) > slack
                kinks[index] = wrong and min(left, right) - slack <= analytic[index] <= max(left, right) + slack
                if wrong and chain and not kinks[index]:
                    # where corners of several units meet, the gradient may lie beside both slopes; what tells a corner from a
                    # bend is that the slopes keep their distance as the step shrinks
                    nearer = slopes(index, STEP / 100)
                    apart = abs(nearer[1] - nearer[0])
                    kinks[index] = apart > max(abs(right - left) / 2, slack, 800 * rounding / STEP)
            if 2 * kinks.sum() <= moved.sum():
                break
        with np.errstate(invalid="ignore"):  # of NaN and infinity, no error can be told: it is NaN, and does not pass
            error = float(np.max(np.abs(analytic - numeric), where=~kinks & moved, initial=0) / (slack / tolerance))
        passed = error <= tolerance
        checks.append(TensorCheck(name, analytic, numeric, error, int(moved.sum()), int(kinks.sum()), passed))
    return GradientReport(subject, tuple(checks))
