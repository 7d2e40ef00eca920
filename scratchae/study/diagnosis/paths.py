"""Rules about paths: contributions that overwrite each other, other tensors' gradients, terms left out, an update that came too early."""

from __future__ import annotations

import numpy as np

from ..styles.layers.adapted import Adapted
from .case import TOLERANCE, Case, alike, attempt
from .experiment import STEP, FunctionExperiment, LayerExperiment, ModelExperiment
from .finding import Finding


def forward_stops(case: Case) -> Finding | None:
    """forward fills only some rows of y, such as the first: the others do not depend on x, and backward thinks that they do."""
    experiment = case.experiment
    if (
        type(experiment) is not LayerExperiment
        or not case.per_example
        or len(case.r) < 2
        or len(case.r) != len(case.tensor)
    ):
        return None
    rows = tuple(range(1, case.N.ndim))
    still = ~np.any(case.N, axis=rows)
    if not still.any() or still.all() or case.wrong[~still].any():
        return None
    other = experiment.value(experiment.fresh(), {"x": experiment.inputs["x"] * 1.1 + 0.1})
    if not np.array_equal(other[still], case.y[still]):
        return None
    which = ", ".join(map(str, np.flatnonzero(still)[:6]))
    return case.found("forward_stops", f"in the rows {which}, y stays the same when x changes", which=which)


def updated_first(case: Case) -> Finding | None:
    """backward changes the parameters, and computes dx with the new ones."""
    experiment = case.experiment
    subject = experiment.subject
    if not isinstance(subject, Adapted) or not subject.updates or case.name != "x":
        return None
    changed = experiment.fresh()
    experiment.run(subject=changed)
    left, right = experiment.slopes("x", case.places, subject=changed)
    if alike(case.at(case.A), (left + right) / 2):
        return case.found("updated_first", "it equals the gradient for the parameters as backward leaves them")
    return None


def copied(case: Case) -> Finding | None:
    """The gradient is that of another parameter."""
    experiment = case.experiment
    if case.per_example or isinstance(experiment, FunctionExperiment):
        return None
    for other in experiment.names():
        if (
            other != case.name
            and experiment.tensor(experiment.subject, experiment.inputs, other).shape == case.A.shape
        ):
            left, right = experiment.slopes(other)
            if alike(case.A, (left + right) / 2):
                return case.found("copied", f"it equals ∂L/∂{other}, element by element", other=other)
    return None


def contributions(case: Case) -> Finding | None:
    """Where an element moves several y, only one of their gradients arrives."""
    experiment = case.experiment
    if isinstance(experiment, FunctionExperiment | ModelExperiment):
        return None
    wrong = list(map(tuple, np.argwhere(case.wrong & case.smooth).tolist()))[:24]
    subject, inputs = experiment.fresh(), {name: array.copy() for name, array in experiment.inputs.items()}
    tensor = experiment.tensor(subject, inputs, case.name)
    scale = float(np.abs(case.N).max())
    for index in wrong:
        start = float(tensor[index])
        tensor[index] = start + STEP
        above = experiment.value(subject, inputs)
        tensor[index] = start - STEP
        parts = case.r * (above - experiment.value(subject, inputs)) / (2 * STEP)
        tensor[index] = start
        parts = parts[np.abs(parts) > 1e-7 * scale]
        if len(parts) < 2 or not np.any(np.abs(parts - case.A[index]) <= TOLERANCE * scale):
            return None
    return case.found("contributions", "it equals the gradient that comes from one y alone") if wrong else None


def without_x(case: Case) -> Finding | None:
    """x is in the gradient of a parameter that is only added, such as a bias."""
    experiment = case.experiment
    if case.per_example or type(experiment) is not LayerExperiment:
        return None
    other = {"x": np.random.default_rng(3).standard_normal(experiment.inputs["x"].shape)}
    same = attempt(lambda: alike(case.numeric(other, case.r), case.at(case.N)))
    if same and attempt(lambda: not alike(experiment.run(other, case.r)[1][case.name], case.A)):
        return case.found("without_x", "with another x the right gradient stays the same, and this one does not")
    return None


def extra_term(case: Case) -> Finding | None:
    """The gradient is off by the same numbers in every example, or by a multiple of its tensor, such as that of a penalty."""
    A, N = case.A, case.N
    if not case.smooth.all() or A.size < 3:
        return None
    D = A - N
    if (
        case.per_example
        and len(D) > 1
        and np.abs(D - D[:1]).max() <= TOLERANCE * np.abs(A).max()
        and np.ptp(case.tensor, axis=0).min() > 0
    ):
        numbers = ", ".join(f"{value:.4g}" for value in np.ravel(D[0])[:4])
        return case.found(
            "extra_term",
            f"the difference is {numbers} in every example",
            which="the same numbers in every example",
            term="linear in it",
        )
    T = case.tensor
    basis = np.stack([N.ravel(), T.ravel()], axis=1)
    if np.linalg.matrix_rank(basis) < 2:
        return None
    (c, k), *_ = np.linalg.lstsq(basis, A.ravel(), rcond=None)
    if abs(k) > 1e-6 and abs(c) > 1e-6 and alike(A, c * N + k * T):
        if abs(c - 1) < 1e-5:
            return case.found(
                "extra_term",
                f"the difference is {k:.6g} {case.name}",
                which=f"{k:.6g} times {case.name} itself",
                term=f"of {case.name}², such as a penalty or a weight decay",
            )
        return case.found(
            "two_factors", f"it is {c:.6g} times what it should be, and {k:.6g} {case.name}", c=f"{c:.6g}"
        )
    return None


def branch(case: Case) -> Finding | None:
    """The gradient is right in one case of forward, such as x < 0, and wrong in the other."""
    tensor, smooth = case.tensor, case.smooth
    if not case.per_example or tensor.shape != case.A.shape:
        return None
    wrong, right = tensor[case.wrong & smooth], tensor[~case.wrong & smooth]
    if min(len(wrong), len(right)) < 2:
        return None
    for low, high, which in ((wrong, right, "below"), (right, wrong, "above")):
        if low.max() < high.min():
            border = 0.0 if low.max() <= 0 <= high.min() else (low.max() + high.min()) / 2
            return case.found(
                "branch",
                f"all {len(wrong)} wrong elements lie {which} {border:.4g}, the {len(right)} right ones on the other side",
                which=f"{which} {border:.4g}",
                name=case.name,
            )
    return None


def elementwise(case: Case) -> Finding | None:
    """Every dx depends on its own x only: the derivative itself is wrong."""
    x = case.tensor
    if (
        type(case.experiment) is not LayerExperiment
        or not case.per_example
        or not x.shape == case.r.shape == case.A.shape
    ):
        return None
    half = np.random.default_rng(1).random(case.r.shape) < 0.5
    if not attempt(lambda: alike(case.experiment.run(r=case.r * half)[1]["x"], case.A * half)):
        return None
    if not attempt(lambda: alike(case.numeric(r=case.r * half), case.at(case.N * half))):
        return None
    wrong = np.argwhere(case.wrong & case.smooth)
    at = [
        tuple(place)
        for place in wrong[np.argsort([x[tuple(place)] for place in wrong])][:: max(1, len(wrong) // 3)][:3]
    ]
    points = "; ".join(
        f"f′({x[i]:.4g}) is {case.N[i] / case.r[i]:.4g}, backward has {case.A[i] / case.r[i]:.4g}" for i in at
    )
    return case.found("elementwise", points)


def couplings(case: Case) -> Finding | None:
    """What moves other elements has another factor than what moves its own: an average over the wrong number of elements."""
    experiment = case.experiment
    if type(experiment) is not LayerExperiment or not case.per_example:
        return None
    if case.r.shape != case.A.shape or case.A.size > 400:
        return None
    counts = []
    for index in map(tuple, np.argwhere(case.wrong & case.smooth)[:3].tolist()):
        J, B = jacobians(experiment, index, case.r)
        moved = np.abs(J) > 1e-6 * np.abs(J).max()
        moved[index] = False
        absent = moved & (np.abs(B) <= 1e-9 * np.abs(J).max())
        if not moved.any():
            return None
        if absent.any():
            where = whereabouts(absent, index)
            evidence = f"{int(absent.sum())} of the {int(moved.sum())} other y that x{list(index)} moves are left out"
            return case.found("cross_terms", evidence, which=f"the y of {where}")
        quotient = B[moved] / J[moved]
        counts.append(float(np.median(quotient)))
        if np.abs(quotient - counts[0]).max() > 1e-4 * abs(counts[0]):
            return None
    if not counts or abs(counts[0] - 1) < 1e-4:
        return None
    evidence = f"what comes through the other y is {counts[0]:.6g} times what it should be"
    return case.found("wrong_count", evidence, c=f"{counts[0]:.6g}")


def jacobians(experiment: LayerExperiment, index: tuple[int, ...], r: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """How each y moves with one x, and what backward says of it."""
    inputs = {"x": experiment.inputs["x"].copy()}
    subject, values = experiment.fresh(), []
    for step in (STEP, -2 * STEP):
        inputs["x"][index] += step
        values.append(experiment.value(subject, inputs))
    J, B = (values[0] - values[1]) / (2 * STEP), np.zeros_like(r)
    for place in np.ndindex(*r.shape):
        alone = np.zeros_like(r)
        alone[place] = 1
        B[place] = experiment.run(r=alone)[1]["x"][index]
    return J, B


def whereabouts(absent: np.ndarray, index: tuple[int, ...]) -> str:
    """In which axes the y that are left out differ from x."""
    axes = {axis for place in np.argwhere(absent) for axis in range(absent.ndim) if place[axis] != index[axis]}
    if axes == {0}:
        return "other examples"
    if axes == {absent.ndim - 1}:
        return "other features"
    return "other positions" if axes <= set(range(1, absent.ndim - 1)) else "other elements"
