"""A person's engine of automatic differentiation: a class whose objects hold a number or array, are calculated with, and differentiate.

Backwards: node.backward() fills the grad of every leaf. Forwards, as dual numbers do: each object holds its value and its derivative.
"""

from __future__ import annotations

import inspect
import operator
import re
import sys
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from .objects.copies import repeatable
from .text.calls import defines, method_of, parameters_of, required
from .text.names import BACKWARD, plain

VALUES = ("data", "value", "val", "v", "array", "x", "real", "primal", "re", "a", "item", "values", "output", "numpy")
SLOPES = ("grad", "gradient", "g", "adjoint", "derivative", "deriv", "d", "dot", "dual", "tangent", "der", "eps", "grads", "bar", "b", "prime", "grad_value", "dx", "inf")  # fmt: skip
BACKWARDS = (*BACKWARD, "backwards", "differentiate", "compute_gradients")
CALCULATES = ("__add__", "__mul__", "__sub__", "__matmul__")
Arrays = Sequence[np.ndarray]


def is_engine(cls: type) -> bool:
    """Whether its objects are calculated with and differentiate: backward() needs nothing, or they are made of two numbers."""
    if not any(defines(cls, name) for name in CALCULATES):
        return False
    name = method_of(cls, BACKWARDS)
    if name is not None:
        above = required(getattr(cls, name))[1:]
        return (not above or (len(above) == 1 and is_seed(above[0]))) and 1 <= len(required(cls)) <= 2
    return is_dual(cls) or outside(cls) is not None


def is_seed(parameter: inspect.Parameter) -> bool:
    name = plain(parameter.name)
    return "grad" in name or name in ("g", "dy", "dout", "seed", "upstream", "adjoint", "bar")


def outside(cls: type) -> Callable | None:
    """A function backward(node) of the class's file."""
    file = vars(sys.modules[cls.__module__]) if cls.__module__ in sys.modules else {}
    found = (file.get(name) for name in BACKWARDS)
    return next((one for one in found if inspect.isfunction(one) and len(required(one)) == 1), None)


def is_dual(cls: type) -> bool:
    """Whether it is made of a value and its derivative, and has no backward."""
    names = [plain(p.name) for p in parameters_of(cls)]
    return method_of(cls, BACKWARD) is None and len(names) == 2 and names[0] in VALUES and names[1] in SLOPES


def held(node: Any, names: Sequence[str]) -> Any:
    """What a node holds under one of these names, as an array; None if it holds nothing."""
    for name in names:
        for own in (name, f"_{name}"):
            found = getattr(node, own, None)
            found = found() if inspect.ismethod(found) and not required(found) else found
            if isinstance(found, int | float | np.number | np.ndarray | list):
                return np.asarray(found, float)
            if found is not None and type(found) is type(node):  # the gradient is a node itself
                return held(found, names=VALUES)
    return None


@dataclass
class Engine:
    """values(expression, arrays) and slopes(expression, arrays, directions). backwards: else the derivatives go with the values."""

    cls: type
    backwards: str | Callable | None

    @classmethod
    def of(cls, theirs: type) -> Engine:
        return cls(theirs, None if is_dual(theirs) else method_of(theirs, BACKWARDS) or outside(theirs))

    @property
    def scalar(self) -> bool:
        """Whether its gradient begins as a Python number, as one of arrays does not."""
        leaf = self.leaf(0.5)
        begins = next((getattr(leaf, name) for name in SLOPES if hasattr(leaf, name)), None)
        return self.backwards is not None and isinstance(begins, int | float)

    def leaf(self, value: Any, slope: Any = 0.0) -> Any:
        value = float(value) if np.ndim(value) == 0 else np.array(value)
        if self.backwards is None:
            return self.cls(value, float(slope) if np.ndim(slope) == 0 else slope)
        flags = {p.name: True for p in parameters_of(self.cls) if plain(p.name) in ("requiresgrad", "requiresgradient", "trainable")}  # fmt: skip
        return self.cls(value, **flags)

    def value(self, expression: Callable, arrays: Arrays) -> np.ndarray:
        """The value of an expression; None if what comes out is no node."""
        with repeatable():
            return held(expression(*map(self.leaf, arrays)), VALUES)

    def slopes(self, expression: Callable, arrays: Arrays, directions: Arrays) -> list[float]:
        """The derivative of the sum of all numbers of an expression in the direction of each leaf, as the engine has it."""
        with repeatable():
            return self.derivatives(expression, arrays, directions)

    def derivatives(self, expression: Callable, arrays: Arrays, directions: Arrays) -> list[float]:
        if self.backwards is None:
            found = []
            for i in range(len(arrays)):
                leaves = [
                    self.leaf(a, d if i == j else 0.0 * d)
                    for j, (a, d) in enumerate(zip(arrays, directions, strict=True))
                ]
                found.append(float(np.sum(held(expression(*leaves), SLOPES))))
            return found
        leaves = [self.leaf(array) for array in arrays]
        out = expression(*leaves)
        if callable(self.backwards):
            self.backwards(out)
        else:
            backward = getattr(out, self.backwards)
            backward(*self.seed(backward, out))
        found = []
        for leaf, direction in zip(leaves, directions, strict=True):
            gradient = held(leaf, SLOPES)
            gradient = np.zeros(np.shape(direction)) if gradient is None else gradient
            if gradient.shape != np.shape(direction):
                raise MisshapenError(f"the gradient has shape {gradient.shape}, and its node {np.shape(direction)}")
            found.append(float(np.sum(gradient * direction)))
        return found

    def seed(self, backward: Callable, out: Any) -> list[Any]:
        """The upstream, of ones, where a node of several numbers wants it to be handed over."""
        wanted = [p for p in parameters_of(backward) if is_seed(p)]
        if not wanted or (self.scalar and wanted[0].default is not inspect.Parameter.empty):
            return []
        ones = np.ones_like(held(out, VALUES))
        return [float(ones) if self.scalar else ones]


class MisshapenError(Exception):
    """A gradient comes out in another shape than that of its node."""


@dataclass
class Operation:
    """How it is written, how many nodes it takes, what does it, where that stands; and what its value should be, if that is known."""

    text: str
    count: int
    run: Callable
    source: Callable | None = None
    wanted: Callable | None = None

    @property
    def line(self) -> str:
        code = getattr(self.source, "__code__", None)
        return f", of line {code.co_firstlineno}" if code is not None else ""


SIGNS = {"+": "add", "*": "mul", "-": "sub", "/": "truediv", "@": "matmul", "**": "pow"}
# nodes that come out of these are not meant to be differentiated
HELD_STILL = re.compile(
    r"detach|clone|copy|stop|no_?grad|like|const|item|numpy|arg|sign|round|floor|requires|zero|ones|rand|reset|draw|build|topo|backw"
)
FUNCTIONS = re.compile(
    r"exp|log|sin|cos|tan|tanh|sinh|cosh|sqrt|abs|log1p|square"
)  # whose values NumPy has under the same names


def operations(cls: type, functions: Mapping[str, Callable]) -> Iterator[Operation]:
    """What a node can be calculated with: signs, methods, and the functions of the file that may take one node or two."""
    for sign, name in SIGNS.items():
        if not defines(cls, f"__{name}__"):
            continue
        own, texts = getattr(cls, f"__{name}__"), [f"a {sign} b"]
        if sign != "@":
            texts += [f"a {sign} 3", f"2 {sign} a"]
        for text in [*texts, *(["a ** 2", "a ** -1"] if sign == "**" else [])]:
            both = " b" in text
            run = eval(f"lambda {'a, b' if both else 'a'}: {text}")
            source = own if text[0] == "a" else getattr(cls, f"__r{name}__", own)
            yield Operation(text, 1 + both, run, source, run)
    if defines(cls, "__neg__"):
        yield Operation("-a", 1, operator.neg, cls.__neg__, operator.neg)
    yield from by_methods(cls)
    for name, function in functions.items():
        if len(required(function)) in (1, 2) and not HELD_STILL.search(name):
            count = len(required(function))
            yield Operation(f"{name}({', '.join('ab'[:count])})", count, function, function, wanted(name))


def wanted(name: str) -> Callable | None:
    """NumPy's function of this name, of one array."""
    return getattr(np, name) if FUNCTIONS.fullmatch(name) else None


def by_methods(cls: type) -> Iterator[Operation]:
    """Its methods of no or one other argument, and its properties, by how they are called."""
    for name in dir(cls):
        method = inspect.getattr_static(cls, name)
        if name[0] == "_" or HELD_STILL.search(name):
            continue
        if isinstance(method, property):
            yield Operation(f"a.{name}", 1, operator.attrgetter(name), method.fget)
        if not inspect.isfunction(method):
            continue
        others, options = required(method)[1:], {plain(p.name): p.name for p in parameters_of(method)[1:]}
        if len(others) == 1:
            yield Operation(f"a.{name}(b)", 2, lambda a, b, n=name: getattr(a, n)(b), method)
            if "shape" in name:
                yield Operation(f"a.{name}((3, 2))", 1, operator.methodcaller(name, (3, 2)), method)
        elif not others:
            if "shape" in name:
                yield Operation(f"a.{name}(3, 2)", 1, operator.methodcaller(name, 3, 2), method)
            yield Operation(f"a.{name}()", 1, operator.methodcaller(name), method, wanted(name))
            for axis in (0, 1) if "axis" in options else ():
                for keep in ({}, {options["keepdims"]: True}) if "keepdims" in options else ({},):
                    words = {options["axis"]: axis} | keep
                    said = ", ".join(f"{key}={value}" for key, value in words.items())
                    yield Operation(f"a.{name}({said})", 1, operator.methodcaller(name, **words), method)
