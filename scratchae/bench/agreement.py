"""Correct first, then fast: whether a peer computes what scratchae computes."""

from __future__ import annotations

from typing import Any

import numpy as np

from .harness import BenchmarkError

Tensors = dict[str, np.ndarray]


class DisagreementError(BenchmarkError):
    """A peer computes something else than scratchae, so its time says nothing."""


def require_agreement(title: str, ours: Tensors, theirs: Tensors, tolerance: float) -> dict[str, Any]:
    """The largest difference and the tensor it is in. Raises DisagreementError if it is above the tolerance."""
    difference, tensor = largest_difference(ours, theirs)
    if not difference <= tolerance:
        raise DisagreementError(
            f"{title} disagrees with scratchae in {tensor}: relative difference {difference:.1e}, "
            f"expected at most {tolerance:.0e}. Its time would say nothing"
        )
    return {"largest_relative_difference": difference, "tensor": tensor}


def largest_difference(ours: Tensors, theirs: Tensors) -> tuple[float, str]:
    """The largest of the tensors' relative differences, and the tensor it is in; infinite if one is missing."""
    if missing := sorted(ours.keys() ^ theirs.keys()):
        return np.inf, missing[0]
    return max((relative_difference(ours[name], theirs[name]), name) for name in ours)


def relative_difference(ours: np.ndarray, theirs: np.ndarray) -> float:
    """‖theirs - ours‖ / ‖ours‖; infinite if the shapes differ or a number is not finite."""
    if ours.shape != theirs.shape or not (np.isfinite(ours).all() and np.isfinite(theirs).all()):
        return np.inf
    ours, theirs = np.asarray(ours, np.float64), np.asarray(theirs, np.float64)
    difference, scale = np.linalg.norm(theirs - ours), np.linalg.norm(ours)
    if scale == 0:
        return 0.0 if difference == 0 else np.inf
    return float(difference / scale)
