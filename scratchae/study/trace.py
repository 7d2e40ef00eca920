"""One training step with every quantity in it: what it is called, how it comes about, its numbers, and whether its
gradient is right.

A trace is made from the library's own code, running in float64 on a copy of the model, and from the formulas that stand
beside that code. The two are compared wherever both say something; what differs is an error and never shown.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from ..backend import Array, array_module
from ..errors import OptionError
from ..models import DBN, Model
from ..optimizers import SGD, Optimizer
from ..training import prepared

if TYPE_CHECKING:
    from .tracing.steps import Step, Tensor


@dataclass(frozen=True, repr=False)
class Trace:
    """The steps of one forward and backward pass, a loss and an update, in the order they are computed.

    x: the examples, in float64. title: what was traced; model: its repr. seed: of the elements that were compared with
    central differences, where that was not all.
    """

    title: str
    model: str
    x: Tensor
    parameters: tuple[Tensor, ...]
    steps: tuple[Step, ...]
    seed: int

    def __repr__(self) -> str:
        return f"Trace({self.title!r}, {len(self)} steps)"

    def __iter__(self) -> Iterator[Step]:
        return iter(self.steps)

    def __len__(self) -> int:
        return len(self.steps)

    def __getitem__(self, symbol: str) -> Step:
        """The step that makes a tensor, by its symbol, such as "z₁" or "∂L/∂W₂", or by its key; the first if there are several."""
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

    def text(self, *, digits: int = 6) -> str:
        """The whole trace for a terminal. Small tensors come with their numbers, tiny ones with their arithmetic."""
        from .tracing.text import written

        return written(self, digits)

    def html(self, path: str | Path) -> Path:
        """Write the trace as one page to step through, which needs no network; the path."""
        from .page import write_page

        return write_page(self, path)

    def __str__(self) -> str:
        return self.text()


def trace(
    model: Model,
    x: Array,
    *,
    rng: int | np.random.Generator | None = None,
    optimizer: Optimizer | None = None,
    numerical: bool = True,
    seed: int = 0,
) -> Trace:
    """Every quantity of one training step of a model on x (N, …).

    rng: a generator or a seed for noise, dropout and sampling; None runs without any, as in inference. An RBM needs one.
    optimizer: whose update ends the step; by default SGD(0.1). numerical: whether gradients are compared with central
    differences; in a large model at some elements of each tensor, drawn by `seed`, which `Step.check.sampled` tells. The
    noise is the same for all of them.

    Nothing that is given is changed: it works on a copy, in float64, on the model's device. x should be few examples. A
    DBN, which is not trained as a whole, is traced as the autoencoder that it unrolls to.

    Raises OptionError, DataError, ShapeError or ArrayTypeError for what cannot be traced, FormulaError where a formula does
    not say what the code does.
    """
    # only here, as importing the library is to be quick
    from .tracing.numerical import checked
    from .tracing.program import Program
    from .tracing.recording import record
    from .tracing.updating import update_steps

    if isinstance(model, type) or not isinstance(model, Model):
        raise OptionError(
            f"trace(model={model!r}): expected a model, such as Autoencoder(encoder, decoder, loss=MSE()); "
            "a layer alone can be checked with check_gradients(layer, x)"
        )
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise OptionError(f"trace(optimizer={optimizer!r}): expected an optimizer, such as SGD(0.1)")
    title = type(model).__name__
    if isinstance(model, DBN):
        model, title = model.unroll(), "DBN, unrolled to an Autoencoder"
    xp, itemsize = array_module(model.parameters), model.parameters.dtype.itemsize
    device = "cpu" if xp is np else "gpu"
    model = copy.deepcopy(model).to("cpu", np.float64)
    optimizer = SGD(0.1) if optimizer is None else copy.deepcopy(optimizer)
    x = prepared(x, "x", model)
    model.check_data(x)
    model.to(device)
    x = xp.asarray(x)
    if isinstance(rng, int | np.integer):
        rng = np.random.default_rng(rng)
    before = copy.deepcopy(model)
    recording = record(model, x, rng, itemsize)
    program = Program(model, x, recording, rng is not None)
    program.run()
    steps: list[Step] = program.steps
    if numerical:
        steps = checked(program, before, x, seed)
    steps = [*steps, *update_steps(program, optimizer)]
    parameters = tuple(tensor for tensor in program.names.values() if tensor.role == "parameter")
    return Trace(title, repr(model), program.x, parameters, tuple(steps), seed)
