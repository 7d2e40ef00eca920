"""The map of a trace: where each array is in the diagram of the computation.

Everything that the forward pass makes has a column. Below it, in lanes, are the arrays that belong to it.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from ..tracing.steps import Step, Tensor, TraceData

LANES = {
    "parameter": "parameters",
    "value": "forward →",
    "gradient": "← backward",
    "slope": "∂L/∂ parameters",
    "update": "update",
}
BOLTZMANN_LANES = LANES | {"value": "two phases", "slope": "direction"}
GRADIENTS = ("gradient", "direction")
# over the columns of a model's own quantities, by the names that formulas have for them, without the digits behind
HEADINGS = {
    **{
        "log_var": "log of spread²",
        "sigma": "spread",
        "z": "code",
        "decoder_input": "decoder's input",
        "target": "picture",
    },
    **{
        "h_": "hidden",
        "drawn_": "hidden, drawn",
        "logits": "logits",
        "p_": "visible",
        "v_": "visible",
        "fantasy_": "visible, drawn",
    },
    **{
        "noisy": "noisy data",
        "scaled": "scaled",
        "features": "noise level",
        "given": "scaled, level",
        "x'": "black, white",
    },
    **{
        "both": "real and made",
        "real_logits": "of real ones",
        "made_logits": "of made ones",
        "q": "code",
        "loss": "loss",
    },
    **{"slope": "slopes", "penalty": "penalty", "adversarial": "loss", "discriminator_loss": "loss"},
}


def lane(tensor: Tensor, phase: str, parameters: set[str]) -> str:
    """Parameters, values, gradients of values, gradients of parameters ("slope"), or the update."""
    if phase == "update":
        return "update"
    if tensor.role in GRADIENTS:
        return "slope" if undifferentiated(tensor.key) in parameters else "gradient"
    return "parameter" if tensor.role in ("parameter", "state") else "value"


def undifferentiated(key: str) -> str:
    """The key of W from that of dW: encoder.0.W from encoder.0.dW."""
    owner, dot, name = key.rpartition(".")
    return f"{owner}{dot}{name.rstrip(chr(39)).removeprefix('d')}"


def network(trace: TraceData) -> dict[str, Any]:
    """Lanes, columns, boxes and edges of the diagram, as JSON values.

    A box is {"id": the array's key, "symbol", "spoken", "lane", "column", "step", "made"}; `step`, from 0, is the step
    that makes the array or, if no step does, the first that reads it. An edge is a pair of keys. `standing`: the box that
    represents an array without a box, such as Adam's m and v.
    """
    parameters = {tensor.key for tensor in trace.parameters}
    columns: list[dict[str, str]] = [{"title": "data", "detail": shape(trace.x)}]
    column = {trace.x.key: 0}  # of a tensor, by its key
    by_symbol = {symbol(trace.x): 0}
    boxes: dict[str, dict[str, Any]] = {}
    edges = []
    before = None
    waiting: list[str] = []  # what an optimizer remembers about the parameter that comes next
    standing: dict[str, str] = {}

    def place(tensor: Tensor, number: int, made: bool, where: str, at: int) -> None:
        column[tensor.key] = at
        spoken = f"{tensor.symbol.text}, {tensor.role}, {size(tensor, where)}"
        boxes[tensor.key] = {
            **{"id": tensor.key, "symbol": tensor.symbol.text, "spoken": spoken},
            **{"lane": where, "column": at, "step": number, "made": made},
        }

    def size(tensor: Tensor, where: str) -> str:
        # only values and their gradients have an axis of examples
        one = where in ("value", "gradient") and tensor.shape[:1] == trace.x.shape[:1]
        return (shape(tensor) if one else " × ".join(map(str, tensor.shape))) or "one number"

    for number, step in enumerate(trace.steps):
        result, where = step.result, lane(step.result, step.phase, parameters)
        if where == "value":
            heading = (step.layer, step.kind)
            columns.append({"title": title(step, again=heading == before), "detail": shape(result)})
            before, at = heading, len(columns) - 1
            by_symbol.setdefault(symbol(result), at)
        else:
            operands = [column[operand.tensor.key] for operand in step.operands if operand.tensor.key in column]
            known = column.get(undifferentiated(result.key), by_symbol.get(symbol(result)))
            at = known if known is not None else max(operands, default=0)
        for operand in step.operands:
            tensor = operand.tensor
            if tensor.key not in boxes and step.phase != "update":
                data = tensor.role == "input"
                place(tensor, number, False, "value" if data else "parameter", 0 if data else at)
        if where == "update" and result.role == "state":
            waiting.append(result.key)
            continue
        standing |= dict.fromkeys(waiting, result.key)
        waiting = []
        place(result, number, True, where, at)
        edges += [
            [operand.tensor.key, result.key]
            for operand in step.operands
            if where in ("value", "gradient") and boxes.get(operand.tensor.key, {}).get("lane") == where
        ]
    directed = any(step.phase == "direction" for step in trace.steps)
    lanes = list((BOLTZMANN_LANES if directed else LANES).items())
    return {"lanes": lanes, "columns": columns, "boxes": list(boxes.values()), "edges": edges, "standing": standing}


def symbol(tensor: Tensor) -> tuple[str, str]:
    """Letter and index, which a tensor shares with its gradient."""
    return tensor.symbol.letter, tensor.symbol.index


def title(step: Step, *, again: bool) -> str:
    """What computes, without its arguments; of a model's own quantities and of noise, which stand in a row, what they are."""
    own = HEADINGS.get(re.sub(r"\d+$", "", step.result.key), "") if step.kind.isalnum() else ""
    if step.formula.drawn and (again or not step.layer):
        return "noise"
    return own or ("" if again else step.kind.partition("(")[0])


def shape(tensor: Tensor) -> str:
    """The shape of a single example: 28 × 28 × 1."""
    return " × ".join(map(str, tensor.shape[1:]))
