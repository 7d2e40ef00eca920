"""One training step with every quantity in it: what it is called, how it comes about, its numbers, and whether its
gradient is right.

A trace is made from the library's own code, running in float64 on a copy of the model, and from the formulas that stand
beside that code. The two are compared wherever both say something; what differs is an error and never shown.
"""

from __future__ import annotations

import copy
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from ...arguments import file_path, flag, whole
from ...backend import Array, array_module, generator
from ...errors import OptionError
from ...models import DBN, Model
from ...optimizers import SGD, Optimizer
from ...training import prepared
from ..page import write_page
from .numerical import checked
from .program import Phases, Program
from .recording import record
from .steps import Step, TraceData
from .text import written
from .updating import update_steps


class Trace(TraceData):
    """A trace, which can be read: as text for a terminal, as a page for a browser."""

    def text(self, *, digits: int = 6) -> str:
        """The whole trace for a terminal. Small tensors come with their numbers, tiny ones with their arithmetic."""
        return written(self, whole("text", "digits", digits, least=0, most=17))

    def html(self, path: str | Path) -> Path:
        """Write the trace as one page to step through, which needs no network; the path."""
        return write_page(self, file_path("html", "path", path))

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
    if isinstance(model, type) or not isinstance(model, Model):
        raise OptionError(
            f"trace(model={model!r}): expected a model, such as Autoencoder(encoder, decoder, loss=MSE()); "
            "a layer alone can be checked with check_gradients(layer, x)"
        )
    if optimizer is not None and not isinstance(optimizer, Optimizer):
        raise OptionError(f"trace(optimizer={optimizer!r}): expected an optimizer, such as SGD(0.1)")
    flag("trace", "numerical", numerical), whole("trace", "seed", seed, least=0)
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
    rng = None if rng is None else generator(rng)
    model.hold()
    before = copy.deepcopy(model)
    recording = record(model, x, rng, itemsize)
    program = (Phases if hasattr(model, "formula_phases") else Program)(model, x, recording)
    program.run()
    steps: list[Step] = program.steps
    if numerical:
        steps = checked(program, before, x, seed, training=rng is not None)
    steps = [*program.differentiated(steps), *update_steps(program, optimizer)]
    parameters = tuple(tensor for tensor in program.names.values() if tensor.role == "parameter")
    carried, untold = left_behind(model, steps)
    return Trace(title, repr(model), program.x, parameters, tuple(steps), seed, carried, untold)


def left_behind(model: Model, steps: Sequence[Step]) -> tuple[dict[str, str], tuple[str, ...]]:
    """What the next step finds changed by these: as {key: key of what it became}, and what no formula tells of."""
    made = [step.result.key for step in steps]
    carried = {name: result for name, result in model.carried.items() if result in made}
    for step in steps:
        if step.phase == "update" and (before := step.result.key.rstrip("'")) not in made:
            carried[before] = step.result.key
    used = {operand.tensor.key for step in steps for operand in step.operands}
    return carried, tuple(name for name, _, _ in model.named_buffers() if name in used and name not in carried)
