"""A formula with the numbers that it speaks of."""

from __future__ import annotations

import functools
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from .arithmetic import Arithmetic, number
from .cells import lower, resolve
from .markup import MathmlWriter
from .rendering import Writer
from .symbol import Symbol
from .tree import Node
from .values import DRAWS, STILL, Evaluation


@dataclass(frozen=True)
class Cell:
    """One number of a result: its value, the arithmetic, and the numbers of the operands that it was computed from."""

    index: tuple[int, ...]
    value: float
    arithmetic: str  # without the result: "0.15·0.05 + 0.20·0.10 + 0.35"
    operands: tuple[tuple[str, tuple[int, ...]], ...]  # (name, index), each once
    digits: int = 6

    @property
    def text(self) -> str:
        """The arithmetic and what it gives."""
        result = number(self.value, self.digits)
        return result if self.arithmetic == result else f"{self.arithmetic} = {result}"


class Formula:
    """An expression, with the values of its names (arrays, and plain numbers such as a rate), and how the names are written.

    result: the symbol of what it computes; shape: its shape, to which the expression's own value broadcasts. `drawn` says that it
    is random, `computable` that the value follows from the formula: neither that nor opaque;
    `still` that it stays when what it is made of moves: drawn, or sg(…).
    """

    def __init__(
        self,
        tree: Node,
        names: Mapping[str, Any],
        symbols: Mapping[str, Symbol | str],
        result: Symbol,
        shape: tuple[int, ...] | None = None,
    ):
        self.tree, self.names, self.symbols, self.result = tree, names, symbols, result
        self.drawn, self.still = tree.op in DRAWS, tree.op in STILL
        self.computable = not self.drawn and tree.op != "opaque"
        self.evaluation = Evaluation(tree, names) if self.computable else None
        own = np.shape(self.evaluation.value) if self.computable else ()
        self.shape = own if shape is None else shape

    @property
    def flops(self) -> int:
        """Additions, multiplications, exponentials and the like that it takes."""
        return self.evaluation.flops if self.computable else 0

    def value(self) -> np.ndarray:
        """The result, by NumPy, of what is computable."""
        return np.broadcast_to(np.asarray(self.evaluation.value, np.float64), self.shape)

    def single(self, node: Node) -> bool:
        """Whether a node is one number."""
        return self.computable and self.evaluation.shapes[node] == ()

    def right(self, writer: type[Writer]) -> str:
        return writer(lambda name: self.symbols.get(name, name), self.single).write(self.tree)

    def sign(self) -> str:
        """= or, of what is drawn, ~; ← where something is replaced."""
        if self.drawn:
            return "~"
        recurs = any(node.op in ("earlier", "later") for node in self.tree.walk())  # of itself, at another step
        return "←" if not recurs and self.result in (self.symbols.get(name) for name in self.tree.names()) else "="

    @property
    def text(self) -> str:
        """In Unicode: a₁ = x W₁ + b₁."""
        return f"{self.result.text} {self.sign()} {self.right(Writer)}"

    @property
    def mathml(self) -> str:
        """In MathML, whole: <math>…</math>."""
        sign = self.sign().replace("~", "∼")  # this one has space around it
        inner = f"{self.result.mathml}<mo>{sign}</mo>{self.right(MathmlWriter)}"
        return f"<math display='block'><mrow>{inner}</mrow></math>"

    @functools.cached_property
    def recipe(self) -> list | None:
        """How each number is computed, for whoever does it elsewhere: see cells.py. None of what is drawn, or not known."""
        return lower(self.tree, self.evaluation, self.shape) if self.computable else None

    def cell(self, index: tuple[int, ...] = (), *, digits: int = 6, terms: int = 8) -> Cell | None:
        """One number of the result; in its arithmetic numbers have so many decimals, and longer sums are shortened."""
        if not self.computable:
            return None
        variables = {f"i{axis}": i for axis, i in enumerate(index)}
        arithmetic = Arithmetic(resolve(self.recipe, variables), self.names, digits, terms)
        return Cell(tuple(index), float(arithmetic.value), arithmetic.text, tuple(arithmetic.cells), digits)
