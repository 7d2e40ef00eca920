"""Rules that compare the analytic gradient with the numerical one: zero, corners, factors, order, sums, masks."""

from __future__ import annotations

import itertools

import numpy as np

from .case import TOLERANCE, Case, alike
from .experiment import FunctionExperiment, LayerExperiment, ModelExperiment
from .finding import Finding, finding


def not_finite(case: Case) -> Finding | None:
    if np.isfinite(case.A).all():
        return None
    broken = np.argwhere(~np.isfinite(case.A))
    index = tuple(map(int, broken[0]))
    where = f"{len(broken)} of {case.A.size} elements, the first at {list(index)}"
    if case.A.shape == case.tensor.shape:
        values = {float(case.tensor[tuple(place)]) for place in broken}
        if len(values) == 1 and (len(broken) > 1 or values == {0.0}):
            where += f", and always where {case.name} is {values.pop():g}"
    return finding("not_finite", (case.name,), where)


def zero(case: Case) -> Finding | None:
    return case.found("zero") if np.abs(case.A).max(initial=0) <= 1e-12 * np.abs(case.N).max(initial=0) else None


def kinks(case: Case) -> Finding | None:
    """The gradient is wrong only at corners."""
    if case.smooth.all() or (case.wrong & case.smooth).any() or not case.smooth.any():
        return None
    index = tuple(map(int, np.argwhere(case.wrong & ~case.smooth)[0]))
    left, right = (float(slopes[index]) for slopes in case.slopes)
    count = int((case.wrong & ~case.smooth).sum())
    at = f"{count} elements, such as {list(index)}, where {case.name} is {case.tensor[index]:g}"
    text = f"{at}: the slope is {left:.6g} to the left and {right:.6g} to the right, but backward gives {case.A[index]:.6g}"
    return finding("kinks", (case.name,), text)


def upstream(case: Case) -> Finding | None:
    """A layer's backward is linear in dy: A(2 r) = 2 A(r)."""
    if isinstance(case.experiment, FunctionExperiment | ModelExperiment):
        return None
    doubled = case.experiment.run(r=2 * case.r)[1][case.name]
    negative = case.experiment.run(r=-case.r)[1][case.name]
    if alike(doubled, case.A):
        return case.found("upstream_ignored", "with 2 dy instead of dy it is the same")
    if not alike(doubled, 2 * case.A) or not alike(negative, -case.A):
        ratio = float(np.abs(doubled).sum() / np.abs(case.A).sum())
        return case.found(
            "not_linear", f"with 2 dy instead of dy it grows by a factor of {ratio:.4g}, but should double"
        )
    return None


def reordered(case: Case) -> Finding | None:
    """A has the numbers of N in another order."""
    A, N = case.A, case.N
    axes = range(N.ndim)
    for order in itertools.permutations(axes):
        if order != tuple(axes) and alike(A, N.transpose(order)):
            swap = "" if N.ndim == 2 else f" with axes in the order {order}"
            return case.found("transposed", f"it equals the transpose of what it should be{swap}")
    for k in range(1, N.ndim + 1):
        for flipped in itertools.combinations(axes, k):
            if alike(A, np.flip(N, flipped)):
                return case.found("reordered", which=f"in reverse along axis {', '.join(map(str, flipped))}")
    for axis in axes:
        for shift in range(1, N.shape[axis]):
            if alike(A, np.roll(N, shift, axis)):
                return case.found("reordered", which=f"shifted by {shift} along axis {axis}")
    if len(np.unique(np.round(N / np.abs(N).max(), 9))) > 2 and alike(np.sort(A, axis=None), np.sort(N, axis=None)):
        return case.found("reordered", which="in another order")
    return None


def one_example(case: Case) -> Finding | None:
    """A parameter's gradient, given dy at one example only, is that example's share of the sum."""
    experiment = case.experiment
    if case.per_example or type(experiment) is not LayerExperiment or len(case.r) < 2:
        return None
    n = len(case.r)
    for i in dict.fromkeys((0, n - 1, *range(n))):
        alone = np.zeros_like(case.r)
        alone[i] = case.r[i]
        if alike(case.at(case.A), case.numeric(r=alone)):
            which = "the first example" if i == 0 else "the last example" if i == n - 1 else f"example {i}"
            return case.found("batch_missing", f"it equals the gradient of {which} of {n} alone", which=which)
    if case.r.ndim > 2:
        for which, index in (("the first position", 0), ("the last position", -1)):
            alone = np.zeros_like(case.r)
            alone[:, index, index] = case.r[:, index, index]
            if alike(case.at(case.A), case.numeric(r=alone)):
                return case.found("wrong_sum", which=f"it contains only {which} of each image")
    return None


def sums(case: Case) -> Finding | None:
    """A parameter's gradient is a sum of dy, or of the right numbers, over too many axes or over wrong axes."""
    if case.per_example or case.A.ndim == 0:
        return None
    A, N, r = case.A, case.N, case.r
    if A.size > 1 and np.ptp(A) <= TOLERANCE * np.abs(A).max() and alike(A, np.full_like(N, N.sum())):
        return case.found("wrong_sum", which="over all axes, so that every element is the same")
    for k in range(1, r.ndim):
        for axes in itertools.combinations(range(r.ndim), k):
            total = r.sum(axis=axes)
            if alike(A, total) and not alike(N, total):
                right = tuple(range(r.ndim - 1))
                if axes == right:
                    return case.found(
                        "not_differentiated",
                        f"it equals the sum of dy over axis {right[0]}",
                        which="dy is summed unchanged",
                    )
                return case.found("wrong_sum", which=f"over axis {', '.join(map(str, axes))}")
    return None


def mask(case: Case) -> Finding | None:
    """The gradient is 0 exactly where it should not be, or nowhere although it should be."""
    A, N = case.A[case.smooth], case.N[case.smooth]
    if A.size < 2:
        return None
    on, wanted = (np.abs(g) > 1e-7 * max(np.abs(A).max(), np.abs(N).max()) for g in (A, N))
    counts = f"{int((on & ~wanted).sum())} elements get a gradient and should not, {int((wanted & ~on).sum())} should and do not"
    if on.any() and wanted.any() and not (on & wanted).any() and case.per_example:
        return case.found("mask_inverted", counts)
    if not case.per_example or case.r.shape != case.A.shape:
        return None
    r = case.r[case.smooth]
    a, n = A / r, N / r
    levels = np.unique(np.round(n, 6))
    if len(levels) == 2 and np.all(np.abs(a + n - levels.sum()) < 1e-5):
        return case.found(
            "mask_inverted", f"dy is multiplied by {levels[1]:g} instead of {levels[0]:g}, and the other way round"
        )
    return None
