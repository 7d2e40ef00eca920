"""The mistakes in a backward pass, in the words that a learner reads."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

# each kind of mistake: what is wrong, and what to look at
KINDS = {
    "zero": (
        "it is zero everywhere",
        "is it computed at all, and stored under the right name? `backward` sets self.dW for a parameter W, and returns dx",
    ),
    "not_finite": (
        "it holds NaN or infinity",
        "a division by zero, the logarithm of zero, or the exponential of a large number",
    ),
    "sign": (
        "the sign is flipped",
        "a minus sign: differentiate the line of `forward` again, and look for a minus that is missing or one too many",
    ),
    "factor": (
        "it is off by a constant factor of {factor}",
        "a constant in the derivative: the 2 of d(x²)/dx = 2x, a rate, a scale, or a weight that appears only in `forward`",
    ),
    "averaged_twice": (
        "it is averaged over the batch once too often",
        "a division by len(x), .mean(), or 1/N. The loss has already divided by N, so dy contains the 1/N: a layer only sums",
    ),
    "not_averaged": (
        "it is summed over the batch where the value is averaged",
        "the 1/N of the mean over the batch: it belongs in the gradient too",
    ),
    "batch_missing": (
        "the sum over the batch is missing: only {which} is in it",
        "a parameter acts on every example, so its gradient is a sum over all of them: xᵀ dy, or .sum(axis=0), or += in a loop",
    ),
    "not_summed": (
        "it is not summed over the batch: its shape is {found}, and should be {wanted}",
        "a parameter that is added to every row gets a gradient from every row: dy.sum(axis=0)",
    ),
    "wrong_sum": (
        "it is summed over the wrong axes: {which}",
        "which axes does the parameter not have? Sum over exactly those: axis=0 for the batch",
    ),
    "shape": (
        "its shape is {found}, and should be {wanted}",
        "a gradient has the shape of its tensor: write the shape after every line of `backward`",
    ),
    "transposed": (
        "it is transposed",
        "the order of the product and the place of the transpose: y = x W gives ∂L/∂W = xᵀ dy and ∂L/∂x = dy Wᵀ. With equal sizes the shapes agree by accident",
    ),
    "reordered": (
        "the numbers are right, but in the wrong places: {which}",
        "reshape, transpose, slices and indices: `backward` has to undo the reordering of `forward`",
    ),
    "parameter_turned": (
        "{parameter} is used the wrong way round: with {parameter} {turn}, the gradient would be right",
        "the transpose in ∂L/∂x = dy Wᵀ; in a convolution, the turn of the kernel",
    ),
    "mask_inverted": (
        "the mask is inverted: the gradient flows exactly where it should not",
        "a comparison that is turned round (x < 0 instead of x > 0), or mask instead of 1 - mask",
    ),
    "not_differentiated": (
        "the forward's function is not differentiated: {which}",
        "the chain rule: ∂L/∂x = dy · f′(x), element by element; a mask counts as f′",
    ),
    "wrong_point": (
        "the derivative is evaluated at the wrong point: {which}",
        "what `forward` keeps, and what the formula is written in: y (1 - y) of a sigmoid wants the output y, σ′(x) the input x",
    ),
    "stale": (
        "it belongs to an earlier forward",
        "`forward` has to keep x, y or the mask at every call: does it keep it only the first time?",
    ),
    "upstream_ignored": (
        "dy is left out: doubling dy changes nothing",
        "the chain rule: the layer's own derivative times dy",
    ),
    "not_linear": (
        "it is not proportional to dy",
        "dy is a plain factor in ∂L/∂x = dy · ∂y/∂x, to the first power",
    ),
    "cross_terms": (
        "a path is missing: each x also moves {which}, and the gradient leaves that out",
        "every place where `forward` uses x, inside sums, means, maxima and norms too: each gives a term, and the terms add up",
    ),
    "input_modified": (
        "{method} changes {array}, which belongs to the caller",
        "operations in place (+=, *=, out=, x[…] = …) on an array of the caller: work on a new array, such as y = x * mask",
    ),
    "accumulated": (
        "it is added to instead of set: the second backward gives the sum of both",
        "+= instead of =: `backward` sets self.dW, so that nothing needs to be zeroed between steps",
    ),
    "random": (
        "forward is not repeatable: the same x gives another y",
        "random numbers from np.random…: draw them from the rng of `forward(x, rng)` instead. Or a counter, or a parameter that `forward` changes",
    ),
    "dtype": (
        "float32 goes in and {which}",
        "np.zeros, np.ones and np.random make float64 unless you give a dtype; NumPy scalars, such as np.sqrt(2), widen too, but Python numbers do not",
    ),
    "kinks": (
        "it is right except at corners",
        "the point where a case begins (x == 0 in ReLU): there, any slope between the left and the right slope is right, and no other",
    ),
    "straight_through": (
        "it is no slope of the loss, on purpose",
        "the model's `descended`: with what sg(…) holds held still, its gradient is right. The loss itself has no slope there that "
        "could train the layers before a codebook, since the nearest vector does not move with x",
    ),
    "unknown": (
        "it is wrong, but no known mistake explains it",
        "the evidence above; then the smallest case: one example of one or two features, by hand",
    ),
}

NOTES = frozenset({"dtype", "straight_through"})  # remarks: the numbers are right


@dataclass(frozen=True)
class Finding:
    """One thing that is wrong: its kind, the tensors whose gradients show it, the evidence, and what to look at."""

    kind: str
    tensors: tuple[str, ...]
    what: str
    evidence: str
    look: str

    @property
    def fault(self) -> bool:
        """Whether it is a mistake; otherwise it is a remark."""
        return self.kind not in NOTES

    def __str__(self) -> str:
        subject = " and ".join(
            filter(
                None,
                (
                    ", ".join(f"∂L/∂{name}" for name in self.tensors[:-1]),
                    *(f"∂L/∂{name}" for name in self.tensors[-1:]),
                ),
            )
        )
        head = f"{subject}: {self.what}" if subject else self.what
        lines = [head]
        for label, text in filter(lambda line: line[1], (("evidence", self.evidence), ("look at", self.look))):
            lines.append(
                textwrap.fill(text, 112, initial_indent=f"    {label + ':':<10}", subsequent_indent=" " * 14)
            )
        return "\n".join(lines)


def finding(kind: str, tensors: tuple[str, ...], evidence: str, **words: object) -> Finding:
    """A finding of this kind, in its words."""
    what, look = KINDS[kind]
    return Finding(kind, tensors, what.format(**words), evidence, look)
