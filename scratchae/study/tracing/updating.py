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
from .steps import Step


def update_steps(program: Program, optimizer: Optimizer) -> list[Step]:
    """What the optimizer makes of every parameter, by its formulas; the parameters themselves are those that it leaves."""
    model = program.model
    optimizer.to("cpu" if isinstance(model.parameters, np.ndarray) else "gpu", np.float64)
    state = {name: host(vector) for name, vector in optimizer.state().items()}
    if any(vector.shape != model.parameters.shape for vector in state.values()):
        state = {}
    numbers = {"lr": optimizer.learning_rate(), "t": optimizer.t + 1 if state or not optimizer.state_names else 1}
    numbers["norm"] = float(np.linalg.norm(to_numpy(model.gradient)))
    optimizer.update(model.parameters, model.gradient)
    program.phase = "update"
    made = len(program.steps)
    start = 0
    for name, layer, attribute in model.named_parameters():
        owner = name.rpartition(".")[0]
        old, gradient = program.names[name], program.gradient_of(owner, attribute)
        local = {"theta": old, "g": gradient}
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
