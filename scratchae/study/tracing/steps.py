"""What a trace is made of: steps, each with the tensor that it makes and everything there is to say of it."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from ...errors import OptionError
from ..differences import TensorCheck
from ..formula import Cell, Formula, Symbol

# functions in formulas that textbooks do not have
WORDS = {
    "im2col": "im2col(x) lays out, as a row for each place of the kernel, the patch of x that lies under it: a convolution "
    "is then one matrix product",
    "sg": "sg(x), stop-gradient, is x, and is held still when x moves: no gradient goes through it",
    "col2im": "col2im is the adjoint of im2col: it adds each number of a row back onto the place that the number was taken from",
}


@dataclass(frozen=True)
class Tensor:
    """A tensor of the trace.

    key: its own among all tensors of the trace. role: "input", "parameter", "activation", "draw" (a random number),
    "loss", "gradient", "direction" (an RBM's, which is no gradient), "state" (an optimizer's) or "updated".
    """

    key: str
    symbol: Symbol
    array: np.ndarray  # float64, on the host
    role: str

    @property
    def shape(self) -> tuple[int, ...]:
        """Its shape; () of a number."""
        return self.array.shape


@dataclass(frozen=True)
class Operand:
    """A tensor that a formula speaks of, under the name that it has there."""

    name: str
    tensor: Tensor


@dataclass(frozen=True)
class Statistics:
    """A few numbers that tell of many: norm is Euclidean, zeros a share of all."""

    min: float
    max: float
    mean: float
    norm: float
    zeros: float

    @classmethod
    def of(cls, x: np.ndarray) -> Statistics:
        """Those of an array."""
        if x.size == 0:
            return cls(math.nan, math.nan, math.nan, 0.0, 0.0)
        return cls(*map(float, (x.min(), x.max(), x.mean(), np.sqrt((x * x).sum()), (x == 0).mean())))


@dataclass(frozen=True)
class Source:
    """The lines of the method that computed a step, and which of them did."""

    path: str  # within the package, such as "scratchae/layers/dense.py"
    name: str  # "Dense.backward"
    first: int  # the number of the first line
    lines: tuple[str, ...]
    highlighted: tuple[int, ...]  # numbers of lines, counted as `first` is


@dataclass(frozen=True, repr=False)
class Step:
    """One tensor being made.

    phase: "forward", "loss", "backward" or "update"; of an RBM "positive", "negative", "loss", "direction" or "update".
    layer: its name, such as "encoder.0", or "" for what the model, the loss or the optimizer does itself; kind: what that is.
    bytes_kept: what the layer keeps for its backward, in the model's own dtype (and not held by an earlier layer already).
    check: of gradients, unless switched off. derivative: of a gradient the key of what it is of, the only layer through which it
    counts ("": all), and the key of the value.
    """

    number: int
    phase: str
    layer: str
    kind: str
    result: Tensor
    formula: Formula
    operands: tuple[Operand, ...]
    options: dict[str, object]  # the plain numbers in the formula: N, lr, a kernel's size …
    statistics: Statistics
    flops: int
    bytes_kept: int
    check: TensorCheck | None
    source: Source | None
    note: str = ""
    derivative: tuple[str, str, str] | None = None

    def __repr__(self) -> str:
        return f"Step({self.number}, {self.phase!r}, {self.text!r})"

    @property
    def text(self) -> str:
        """The formula in Unicode."""
        return self.formula.text

    @property
    def mathml(self) -> str:
        """The formula in MathML, <math>…</math>."""
        return self.formula.mathml

    @property
    def words(self) -> dict[str, str]:
        """What the functions in the formula mean that textbooks do not have."""
        return {word: meaning for word, meaning in WORDS.items() if f"{word}(" in self.text}

    def cell(self, index: tuple[int, ...] = (), *, digits: int = 6, terms: int = 8) -> Cell | None:
        """How one number of the result was computed, with the numbers in it; None for what was drawn at random."""
        return self.formula.cell(index, digits=digits, terms=terms)


@dataclass(frozen=True, repr=False)
class TraceData:
    """What a trace holds: the steps of one forward and backward pass, a loss and an update, in the order they are computed.

    x: the examples, in float64. title: what was traced; model: its repr. seed: of the elements that were compared with
    central differences, where that was not all. carried: what the next step begins with, {key: key of what this one made of it};
    untold: what this one changes besides, by no formula. remark: what a page says of it besides.
    """

    title: str
    model: str
    x: Tensor
    parameters: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    seed: int
    carried: dict[str, str]
    untold: tuple[str, ...]
    remark: str = ""

    def __repr__(self) -> str:
        return f"{type(self).__name__}({self.title!r}, {len(self)} steps)"

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, symbol: str) -> Step:
        """The step that makes a tensor, by its symbol, such as "a₁" or "∂L/∂W₂", or by its key; the first if there are several."""
        for step in self.steps:
            if symbol in (step.result.symbol.text, step.result.key):
                return step
        raise OptionError(
            f"the trace has no {symbol!r}: it has {', '.join(s.result.symbol.text for s in self.steps)}"
        )

    @property
    def tensors(self) -> dict[str, Tensor]:
        """Every tensor by its key: the data, the parameters and whatever a step makes or a formula speaks of."""
        found = [self.x, *self.parameters]
        for step in self.steps:
            found += [*(operand.tensor for operand in step.operands), step.result]
        return {tensor.key: tensor for tensor in found}

    @property
    def sampled(self) -> bool:
        """Whether some gradient was checked at some of its elements only."""
        return any(step.check is not None and step.check.sampled for step in self.steps)

    @property
    def passed(self) -> bool:
        """Whether every gradient that was checked is right."""
        return all(step.check.passed for step in self.steps if step.check is not None)
