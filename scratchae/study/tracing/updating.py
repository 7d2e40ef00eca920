"""The steps of an optimizer's update, parameter by parameter."""

from __future__ import annotations

import numpy as np

from ...backend import to_numpy
from ...models.parameters import room
from ...optimizers import Optimizer
from ..formula import Symbol, parse
from .making import Place
from .program import Program
from .recording import host
from .sources import noting_lines
from .steps import Step, Tensor


def update_steps(program: Program, optimizer: Optimizer) -> list[Step]:
    """What the optimizer makes of every parameter, by its formulas; the parameters themselves are those that it leaves."""
    model = program.model
    optimizer.to("cpu" if isinstance(model.parameters, np.ndarray) else "gpu", np.float64)
    state = {name: host(vector) for name, vector in optimizer.state().items()}
    if any(vector.shape != model.parameters.shape for vector in state.values()):
        state = {}
    numbers = {"lr": optimizer.learning_rate(), "t": optimizer.t + 1 if state or not optimizer.state_names else 1}
    program.phase = "update"
    made = len(program.steps)
    clipped = {} if optimizer.clip_norm is None else {"norm": norm(program, optimizer)}
    with noting_lines() as lines:
        optimizer.update(model.parameters, model.gradient)
    program.lines |= lines
    start = 0
    for name, layer, attribute in model.named_parameters():
        owner = name.rpartition(".")[0]
        old, gradient = program.names[name], program.gradient_of(owner, attribute)
        local = {"theta": old, "g": gradient, **clipped}
        for own in optimizer.state_names:
            vector = state.get(own)
            before = (
                np.zeros(old.shape) if vector is None else vector[start : start + old.array.size].reshape(old.shape)
            )
            symbol = Symbol(own, old.symbol.letter + old.symbol.index)
            local[own] = program.tensor(f"{name}.{own}", symbol, before, "state")
        start += room(old.array)
        for own, text in optimizer.formulas.items():
            if own == "theta":
                place, value = Place(name, old.symbol, "updated", owner), host(getattr(layer, attribute))
            else:  # on the way: what is remembered, the gradient cut short, the parameter decayed
                symbol = local[own].symbol if own in local else Symbol(old.symbol.letter + "′", old.symbol.index)
                place, value = Place(f"{name}.{own}", symbol, "state", owner), None
            local[own] = program.emit(place, parse(text), local, optimizer, value, numbers)
    return program.steps[made:]


def norm(program: Program, optimizer: Optimizer) -> Tensor:
    """The step that makes the norm of the whole gradient, √(Σ g₁² + Σ g₂² + …)."""
    gradients = [
        program.gradient_of(name.rpartition(".")[0], attribute)
        for name, _, attribute in program.model.named_parameters()
    ]
    square = " + ".join(f"sum('{gradient.key}' ** 2)" for gradient in gradients)
    value = np.array(np.linalg.norm(to_numpy(program.model.gradient)))
    known = {gradient.key: gradient for gradient in gradients}
    place = Place("norm", Symbol(optimizer.symbols["norm"]), "state")
    return program.emit(
        place,
        parse(f"sqrt({square})  # It is the length of the whole gradient, over all parameters at once."),
        known,
        optimizer,
        value,
    )
