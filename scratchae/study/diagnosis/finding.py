"""What can be wrong with a backward pass, in the words that a learner is told."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

# kind: what is wrong, and what to look at
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
        "a minus sign: differentiate the line of `forward` again, for a minus that was lost or is one too many",
    ),
    "factor": (
        "it is off by a constant factor of {factor}",
        "a constant in the derivative: the 2 of d(x²)/dx = 2x, a rate, a scale, a weight that stands in `forward` only",
    ),
    "averaged_twice": (
        "it is averaged over the batch once too often",
        "a division by len(x), .mean(), or 1/N. The loss has divided by N already, so dy carries it: a layer sums",
    ),
    "not_averaged": (
        "it is summed over the batch where the value is averaged",
        "the 1/N of the mean over the batch: it belongs into the gradient too",
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
        "which axes does the parameter not have? Those are the ones to sum over, and only those: axis=0 for the batch",
    ),
    "shape": (
        "its shape is {found}, and should be {wanted}",
        "a gradient has a number for each number that it belongs to: write the shape behind every line of `backward`",
    ),
    "transposed": (
        "it is transposed",
        "the order of the product and the place of the transpose: y = x W gives ∂L/∂W = xᵀ dy and ∂L/∂x = dy Wᵀ. With equal sizes the shapes agree by accident",
    ),
    "reordered": (
        "the numbers are right, but stand in the wrong places: {which}",
        "reshape, transpose, slices and indices: `backward` has to undo the reordering of `forward`",
    ),
    "parameter_turned": (
        "{parameter} is used the wrong way round: with {parameter} {turn}, it would be right",
        "the transpose in ∂L/∂x = dy Wᵀ; in a convolution, which way the kernel is turned",
    ),
    "mask_inverted": (
        "the mask is inverted: the gradient flows just where it should not",
        "a comparison turned round (x < 0 for x > 0), or mask for 1 - mask",
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
        "`forward` has to keep x, y or the mask anew at every call: is it kept only the first time?",
    ),
    "upstream_ignored": (
        "dy is left out: doubling dy changes nothing",
        "the chain rule: the layer's own derivative times dy",
    ),
    "not_linear": (
        "it is not proportional to dy",
        "dy enters ∂L/∂x = dy · ∂y/∂x as a plain factor, to the first power",
    ),
    "cross_terms": (
        "a path is missing: each x also moves {which}, and that is left out",
        "every place where x stands in `forward`, inside of sums, means, maxima and norms too: each gives a term, and the terms add up",
    ),
    "input_modified": (
        "{method} changes {array}, which belongs to the caller",
        "operations in place (+=, *=, out=, x[…] = …) on an array that was handed in: work on a new one, such as y = x * mask",
    ),
    "accumulated": (
        "it is added to instead of set: the second backward gives the sum of both",
        "+= where = belongs: `backward` sets self.dW, so that nothing needs to be zeroed between steps",
    ),
    "random": (
        "forward is not repeatable: the same x gives another y",
        "random numbers of its own (np.random…): draw them from the rng that `forward(x, rng)` is given. Or a counter, or a parameter that `forward` changes",
    ),
    "dtype": (
        "float32 goes in and {which}",
        "np.zeros, np.ones and np.random make float64 unless told a dtype; NumPy's own numbers, such as np.sqrt(2), widen too, Python's do not",
    ),
    "kinks": (
        "it is right except at corners",
        "the point where a case begins (x == 0 in ReLU): any slope between the left and the right one will do there, and no other",
    ),
    "unknown": (
        "it is wrong in no way that has a name here",
        "the evidence above; then the smallest case: one example of one or two features, by hand",
    ),
}

NOTES = frozenset({"dtype"})  # worth a word, but the numbers are right


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
        """Whether something is wrong; otherwise it is a remark."""
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
    """A finding of a kind in its words."""
    what, look = KINDS[kind]
    return Finding(kind, tensors, what.format(**words), evidence, look)
