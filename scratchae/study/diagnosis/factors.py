"""The rule for a gradient that is a multiple of the right one: because of the batch size, a sign or a constant."""

from __future__ import annotations

from fractions import Fraction

import numpy as np

from .case import Case, ratio
from .experiment import REFUSALS, FunctionExperiment
from .finding import Finding


def factor(case: Case) -> Finding | None:
    """A = c N. A batch twice as large shows whether c comes from the batch size."""
    A, N = case.A[case.smooth], case.N[case.smooth]
    c = ratio(A, N)
    if c is None:
        return None
    n = len(next(iter(case.experiment.inputs.values())))
    k = batch_growth(case)
    quotient = f"it is {c:.6g} times what it should be, everywhere"
    if k == -1:  # c halves in a batch of 2 n
        text = f"{quotient}: 1/{1 / c:.6g} for {n} examples, and half of that for {2 * n}"
        return case.found("averaged_twice", text + averaged_over(case, c * n))
    if k == 1:
        return case.found("not_averaged", f"{quotient}, for {n} examples, and twice that for {2 * n}")
    if abs(c + 1) < 1e-4:
        return case.found("sign", "every element is the negative of what it should be")
    sign = ", and the sign is flipped" if c < 0 else ""
    return case.found("factor", quotient, factor=f"{plain(c)}{sign}{meaning(case, c)}")


def batch_growth(case: Case) -> int | None:
    """How c changes in a batch twice as large: 1 if it doubles, -1 if it halves, 0 if it stays."""
    doubled = {name: np.concatenate([x, x[::-1]]) for name, x in case.experiment.inputs.items()}
    try:
        _, gradients = case.experiment.run(doubled)
        c = ratio(np.array([gradients[case.name][index] for index in case.places]), case.numeric(doubled))
        before = ratio(case.at(case.A), case.at(case.N))
    except REFUSALS:  # this subject does not accept other batches
        return None
    if c is None or before is None:
        return None
    return next((k for k, growth in ((1, 2), (-1, 0.5), (0, 1)) if abs(c / before - growth) < 1e-3), None)


def averaged_over(case: Case, left: float) -> str:
    """Say what it was divided by besides the batch size."""
    y = case.y
    positions = y.size / len(y) / y.shape[-1] if y.ndim > 2 else 1
    features = case.tensor[0].size if case.per_example else 0
    if abs(left - 1) < 1e-4:
        return ""
    if abs(left + 1) < 1e-4:
        return "; and the sign is flipped"
    if abs(left * positions - 1) < 1e-4:
        return f"; and it is also averaged over the {positions:g} positions of an image"
    if features and abs(left * features - 1) < 1e-4:
        return f"; and it is also averaged over the {features} features"
    return f"; and it is also off by a factor of {plain(left)}"


def meaning(case: Case, c: float) -> str:
    """What a factor may mean: for a loss, whether it is the number of features."""
    inputs = case.experiment.inputs
    if not isinstance(case.experiment, FunctionExperiment) or case.tensor.ndim != 2 or case.tensor.shape[1] < 2:
        return ""
    features = case.tensor.shape[1]
    fewer = FunctionExperiment(case.experiment.subject, {name: x[:, 1:] for name, x in inputs.items()})
    try:
        smaller = Case(fewer, case.name)
        other = ratio(smaller.A, smaller.N)
    except REFUSALS:  # this subject does not accept fewer features
        return ""
    if other is None:
        return ""
    if abs(c * features - other * (features - 1)) < 1e-4 * abs(c * features):
        return f": it is averaged over the {features} features, but the value is summed"
    if abs(c / features - other / (features - 1)) < 1e-4 * abs(c / features):
        return f": it is summed over the {features} features, but the value is averaged"
    return ""


def plain(c: float) -> str:
    """A number, also as a fraction if that is simple."""
    near = Fraction(c).limit_denominator(20)
    return f"{c:.6g}" if abs(c - near) > 1e-6 or near.denominator == 1 else f"{near} = {c:.6g}"
