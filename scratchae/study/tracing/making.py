"""Making the steps of a trace: a formula and its operands become a tensor, with the source and the figures beside it."""

from __future__ import annotations

import inspect
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from ... import optimizers
from ...errors import FormulaError
from ...layers import Layer
from ...models import Model
from ...optimizers import Optimizer
from ..formula import Formula, Node, Symbol
from ..formula.arithmetic import constant
from .recording import host
from .sources import methods, source
from .steps import Operand, Source, Statistics, Step, Tensor
from .symbols import Symbols, said

AGREEMENT = 1e-9  # of formula and code, relative to the tensor's largest number


@dataclass(frozen=True)
class Place:
    """Where in the trace a tensor comes to stand; the words are explained at `Tensor` and `Step`."""

    key: str
    symbol: Symbol
    role: str
    layer: str = ""
    note: str = ""
    kept: int = 0


class Maker:
    """Keeps the steps made so far, the tensors that have a name, and the phase. ran: the methods that ran; lines: the lines, as (file, number)."""

    def __init__(self, x: np.ndarray, ran: Iterable[tuple[int, str]], lines: set[tuple[str, int]]):
        self.steps: list[Step] = []
        self.symbols = Symbols()
        self.keys: set[str] = set()
        self.ahead: dict[str, Tensor] = {}
        self.phase = "forward"
        self.ran, self.lines = ran, lines
        self.x = self.tensor("x", self.symbols.new("x"), x, "input")
        self.names: dict[str, Tensor] = {"x": self.x}

    def tensor(self, key: str, symbol: Symbol, array: np.ndarray, role: str) -> Tensor:
        """A tensor, under a key that is its own."""
        while key in self.keys:
            key += "'"
        self.keys.add(key)
        return Tensor(key, symbol, array, role)

    def foreseen(self, place: Place, value: np.ndarray) -> Tensor:
        """A tensor that a formula speaks of before its own formula comes; `emit` then takes it."""
        self.ahead[place.key] = self.tensor(place.key, place.symbol, value, place.role)
        return self.ahead[place.key]

    def emit(
        self,
        place: Place,
        tree: Node,
        local: Mapping[str, Tensor],
        thing: Any,
        value: np.ndarray | None = None,
        extra: Mapping[str, Any] | None = None,
    ) -> Tensor:
        """A step: its tensor is the value that the code computed, or what the formula gives.

        local: the tensors that the formula may speak of; thing: what computes; extra: numbers of the formula that it has not.
        """
        names, options, operands = {}, {}, []
        scope = local or self.names  # a model's own formulas know all that was computed, a layer's the layer's
        for name in tree.names():
            option = None if name in scope else self.option(name, thing, scope, value, extra or {})
            if hasattr(option, "shape") and option.shape:  # a fixed array that the layer holds
                fixed = self.tensor(f"{place.layer}.{name}", Symbol(name), host(option), "state")
            else:
                fixed = None
            if fixed or name in scope:
                operands.append(Operand(name, fixed or scope[name]))
                names[name] = operands[-1].tensor.array
            else:
                options[name] = names[name] = option
        symbols = {operand.name: operand.tensor.symbol for operand in operands}
        for name, option in options.items():
            symbols[name] = said(thing, name) or (constant(option) if isinstance(option, float | int) else name)
        formula = Formula(tree, names, symbols, place.symbol, None if value is None else value.shape)
        if value is None:
            value = formula.value()
        elif formula.computable:
            largest = max((float(np.abs(operand.tensor.array).max(initial=0)) for operand in operands), default=0.0)
            where = f"{place.layer} {thing!r}" if place.layer else repr(thing)
            self.agree(where, place.key, formula.value(), value, largest)
        made = self.ahead.pop(place.key, None)
        if made is None:
            made = self.tensor(place.key, place.symbol, np.array(value, np.float64), place.role)
        self.steps.append(
            Step(
                number=len(self.steps) + 1,
                phase=self.phase,
                layer=place.layer,
                kind=kind(thing),
                result=made,
                formula=formula,
                operands=tuple(operands),
                options=options,
                statistics=Statistics.of(made.array),
                flops=formula.flops,
                bytes_kept=place.kept,
                check=None,
                source=self.source(thing, place),
                note=place.note,
            )
        )
        return made

    def option(
        self, name: str, thing: Any, scope: Mapping[str, Tensor], value: np.ndarray | None, extra: Mapping
    ) -> Any:
        """A plain number that a formula speaks of: a setting of the layer or model, the number of examples, a size."""
        if name in extra:
            return extra[name]
        tensor, _, what = name.rpartition("_")
        if what in ("size", "shape") and (tensor == "y" or tensor in scope):
            shape = scope[tensor].shape if tensor in scope else value.shape
            return shape[1:3] if what == "size" else shape
        if name == "N":
            batch = [self.x] if isinstance(thing, Model) else scope.values()  # what a loss is called with comes first
            return len(next(iter(batch)).array)
        if name == "tiny":
            return float(np.finfo(np.float64).tiny)
        found = getattr(thing, name, None)
        if found is None:
            raise FormulaError(f"a formula of {thing!r} speaks of {name!r}, of which nothing is known here")
        is_array = hasattr(found, "dtype") and not isinstance(found, np.generic)
        return host(found) if is_array else found  # an array may have been computed on a GPU

    def source(self, thing: Any, place: Place) -> Source | None:
        """The lines of code that computed a tensor."""
        name, gradient = place.key.rpartition(".")[2].rstrip("'"), place.role == "gradient"
        if isinstance(thing, Layer):
            last = type(thing).backward if gradient else type(thing).forward
            return source(methods(thing, self.ran), name, last, self.lines)
        if isinstance(thing, Model):
            return source(methods(thing, self.ran), name, ran=self.lines)
        if isinstance(thing, Optimizer):
            if name in ("norm", "g"):
                return source([optimizers.clip_norm], name, optimizers.clip_norm, self.lines)
            update = getattr(optimizers, thing.kernel, type(thing).formula)  # Adam's is a function, a kernel on a GPU
            return source([inspect.unwrap(update)], name if name in thing.state_names else "θ", ran=self.lines)
        function = getattr(thing, "function", thing)  # of somebody's own, made a loss or a penalty
        function = function if inspect.isfunction(function) else type(function).__call__
        return source([function], "value" if place.role == "loss" else name, function, self.lines)

    def agree(self, where: str, name: str, by_formula: np.ndarray, by_code: np.ndarray, largest: float = 1.0) -> None:
        """Raise FormulaError if the two differ. largest: number of an operand: where all cancels, as in Σ dy before a
        BatchNorm, only rounding is left, which is of its order.
        """
        scale = max(float(np.abs(by_code).max(initial=0)), 1e-4 * largest) or 1.0
        if by_formula.shape != by_code.shape:
            raise FormulaError(
                f"{where}: the formula of {name} gives shape {by_formula.shape}, the code {by_code.shape}"
            )
        error = float(np.abs(by_formula - by_code).max(initial=0)) / scale
        if not error <= AGREEMENT and np.isfinite(by_code).all():
            raise FormulaError(
                f"{where}: the formula of {name} does not give what the code computes: off by {error:.1e}"
            )


def kind(thing: Any) -> str:
    """What computes, for the reader: a layer as it is built; of a model the name."""
    return type(thing).__name__ if isinstance(thing, Model) else getattr(thing, "__name__", None) or repr(thing)
