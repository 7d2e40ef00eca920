"""The mistakes in a backward pass, in the words that a learner reads."""

from __future__ import annotations

import textwrap
from dataclasses import dataclass

from .lines import LINES

# each kind of mistake: what is wrong, and what to look at
KINDS = LINES | {
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
    "added_up": (
        "each backward adds to the gradients that are there: right, if they are set to 0 before each step",
        "+= in `backward`: no method of this class sets the gradients to 0, so that the loop around it has to",
    ),
    "added_in_part": (
        "it is set, where other gradients of the same object are added up",
        "= in place of +=: where the gradients are set to 0 before each step, all are added to, or else none",
    ),
    "not_zeroed": (
        "the steps are right, and zero_grad does not set the gradients to zero",
        "g = 0 gives a new meaning to the name g, and leaves the array: g[...] = 0 changes the array, p.grad = None what the parameter holds",
    ),
    "zeroed_too_seldom": (
        "its steps are made with the gradients of all rounds before, added up",
        "where the gradients are set to 0: before each backward, in the same loop",
    ),
    "random": (
        "forward is not repeatable: the same x gives another y",
        "random numbers from np.random…: draw them from the rng of `forward(x, rng)` instead. Or a counter, or a parameter that `forward` changes",
    ),
    "draws": (
        "forward draws random numbers of its own, so that a step cannot be repeated",
        "np.random…: draw from the rng of `forward(x, rng)` instead. The check began it anew from the same seed before each call",
    ),
    "dtype": (
        "float32 goes in and {which}",
        "np.zeros, np.ones and np.random make float64 unless you give a dtype; NumPy scalars, such as np.sqrt(2), widen too, but Python numbers do not",
    ),
    "kinks": (
        "it is right except at corners",
        "the point where a case begins (x == 0 in ReLU): there, any slope between the left and the right slope is right, and no other",
    ),
    "forward_stops": (
        "forward leaves out a part of x: y[{which}] does not depend on x, though backward says that it does",
        "a `return` inside of the loop over the examples, or an index that stays the same: every row of y has to be computed",
    ),
    "updated_first": (
        "it is computed with the parameters after their update",
        "the order in `backward`: first ∂L/∂x, with the parameters that `forward` used, and then the update",
    ),
    "copied": (
        "it is the gradient of another parameter, {other}",
        "a line that was copied: each parameter's gradient has its own factor",
    ),
    "contributions": (
        "only one of several contributions is in it: they overwrite each other, or the others are left out",
        "x goes into several y (windows that overlap, copies, indices that repeat): their gradients are added up, += in place of =, np.add.at for indices, a sum over copies",
    ),
    "without_x": (
        "x is in it, and does not belong there",
        "a parameter that is only added, such as a bias, has the gradient dy.sum(axis=0): neither x nor ∂L/∂W is in it",
    ),
    "extra_term": (
        "it is off by {which}: the derivative of a term {term} is missing, or one too many",
        "the terms of the value: each gives a term of the gradient",
    ),
    "two_factors": (
        "two terms of the value have different factors in it: one is {c} times what it should be",
        "the terms of the value, such as an error and a penalty: is each averaged over the batch in the gradient as in the value?",
    ),
    "wrong_count": (
        "it is averaged over the wrong axes, or the wrong number of elements: what comes through the averages counts {c} times",
        "the mean and the variance: `backward` has to sum over the same axes as `forward`, and to divide by as many elements",
    ),
    "operation_not_differentiated": (
        "{name} is not differentiated: {place} is passed over as if its derivative were 1",
        "the chain rule at this line: multiply by the derivative of {name} there",
    ),
    "operation_missing": (
        "a path is missing: what comes through {place} is left out",
        "this line of `forward`: x goes through it too, and gives one more term, which is added",
    ),
    "branch": (
        "it is right in one case of the function and wrong in the other, where {name} is {which}",
        "the line of `backward` for that case, np.where, a mask or an if: what is the derivative there?",
    ),
    "elementwise": (
        "the derivative f′ is wrong: each x moves its own y only, but by another factor than dy is multiplied by",
        "f′(x) at the points above: write the derivative down from the definition, and put one of these x into both",
    ),
    "units": (
        "each unit has a wrong factor of its own: what comes through {place} counts {factors} times",
        "what each unit is multiplied by: a sum of squares is not the square of a sum, and each unit has its own row or column of W",
    ),
    "other_formula": (
        "dy is multiplied by {found}, where {right} is right",
        "the derivative, from the definition: write it down in x, then in y, and compare with the line of `backward`",
    ),
    "operation_sign": (
        "a part has the wrong sign: what comes through {place}",
        "the sign of the term that belongs to this line of `forward`",
    ),
    "operation_factor": (
        "a part has the wrong factor: what comes through {place} counts {c} times",
        "the derivative of this line of `forward`: a constant, a count or an average in it",
    ),
    "hidden_by_moved": (
        "it is right only while {names} has the value with which it begins",
        "what `forward` does with {names}: `backward` has to use its present value in the same place",
    ),
    "hidden_by_batch": (
        "it is right {other} examples, and wrong {where}",
        "a number of examples that is written in, kept from another call, or taken from the wrong axis: use len(dy) of this call, and sum over axis 0",
    ),
    "hidden_by_axes": (
        "it is wrong {where}, and right {other}",
        "dy.size // len(dy), shape[1] and axis=1 mean other things when there are more axes: name the axes of `forward`, such as axis=-1 and shape[-1]",
    ),
    "hidden_by_sizes": (
        "it is wrong {where}, and right {other}",
        "a size that is written in, or that was equal to another one by accident: take it from the shape of x",
    ),
    "hidden_by_size_of_layer": (
        "it is wrong {where}: the sizes of the object that was tried first hide it",
        "square weights and axes of length 1 hide transposes and axes that are swapped: go through `backward` with two different sizes",
    ),
    "hidden_by_option": (
        "it does not follow the options: wrong {where}, right {other}",
        "what `forward` does with this option: `backward` has to do the same with it, such as the same stride, slope or padding",
    ),
    "hidden_by_mode": (
        "it is wrong {where}, and right {other}",
        "what `forward` does in this mode, and what it keeps: there a mask is not applied, and averages over the batch are constants. `forward` has to keep the mode too",
    ),
    "running_average": (
        "the gradients are right, and the values are not: {which}",
        "the lines that keep the running averages, old = (1 - α) old + α new with a small α, and those of inference, which use nothing else",
    ),
    "idle_penalty": (
        "the penalty of strength {name} has no part in the gradients",
        "`backward`: for ½ λ ‖W‖² it adds λ W to ∂L/∂W",
    ),
    "mask_scale": (
        "the gradients are right, and the values are not: in training the mean of y is another than in inference",
        "what the kept units are multiplied by: one over the share that is kept, which is 1 - rate; or the same share in inference",
    ),
    "mask_share": (
        "the gradients are right, and {name} is not the share that is {what}",
        "the line that draws the mask: which share it keeps, the one that is given, or 1 minus that",
    ),
    "optimizer": (
        "the update is wrong: {which}",
        "the lines of update, one after the other, beside the definition; by hand for one number, over two steps",
    ),
    "operation_alone": (
        "{which}: the derivative of this operation is not that of its value",
        "the lines of its backward: the gradient of each operand is that of the result times the derivative, and is added (+=) to what is there",
    ),
    "operation_together": (
        "{which}: each operation is right alone, and together they are not",
        "+= in place of =, since a node that is used twice gets the sum of two gradients; and the order: a node's own backward runs once, after those of all nodes that use it",
    ),
    "hidden_by_targets": (
        "it is wrong {where}, and right {other}",
        "the kind of target that `forward` and `backward` are meant for: numbers, one-hot rows or class numbers",
    ),
    "clipping": (
        "it does not clip {which}",
        "the norm is a root, of the squares of all numbers of all arrays; only beyond the limit something changes; and `g *= s` changes the array of the caller, while `g = g * s` makes another",
    ),
    "unusual_step": (
        "{which}",
        "whether it is meant so: settings from elsewhere mean something else here",
    ),
    "not_a_divergence": (
        "the gradient fits the value, but the value is no KL divergence from N(0, 1): that is 0 for a mean of 0 and σ = 1, and nowhere smaller",
        "the formula of the value: KL = ½ Σ (μ² + σ² - 1 - log σ²), and log σ² = 2 log σ",
    ),
    "other_value": (
        "the gradient fits the value, but the value is no {what}",
        "the formula of the value: {formula}",
    ),
    "unstable": (
        "the gradient fits the value, but the value is NaN {where}",
        "exp of a large number: subtract the largest number of each row first, x - x.max(axis=-1, keepdims=True)",
    ),
    "hidden_by_far": (
        "it is wrong {where}, and right {other}",
        "the pieces of the function: each, such as that from 3 on, has its own derivative",
    ),
    "hidden_by_given": (
        "it is wrong {where}",
        "the numbers of x in the file are special, such as zeros or equal rows, and hide it",
    ),
    "straight_through": (
        "it is no slope of the loss, on purpose",
        "the model's `descended`: with what sg(…) holds held still, its gradient is right. The loss itself has no slope there that could train the layers before a codebook, since the nearest vector does not move with x",
    ),
    "unknown": (
        "it is wrong, but no known mistake explains it",
        "the evidence above; then the smallest case: one example of one or two features, by hand",
    ),
}

NOTES = frozenset(
    {"added_up", "dtype", "draws", "not_a_divergence", "straight_through", "unstable", "unusual_step"}
)  # remarks: the numbers are right


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
        names = [f"∂L/∂{name}" for name in self.tensors]
        subject = " and ".join(filter(None, (", ".join(names[:-1]), *names[-1:])))
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
    return Finding(kind, tensors, what.format(**words), evidence, look.format(**words))
