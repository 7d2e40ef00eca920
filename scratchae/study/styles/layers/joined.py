"""Two functions or methods that belong together, a value and its derivative, as one object with forward and backward."""

from __future__ import annotations

import copy
import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Any

import numpy as np

from ....errors import ShapeError
from ..objects.copies import repeatable
from ..text.calls import INPUTS, TRAINING, parameters_of, without_default, word_of_mode, words_compared
from ..text.names import RATES, UPSTREAM, is_upstream, plain, stems_of_gradient
from ..text.written import notes_of, returned_names, rows_of, text_of

# what a dict of options may hold
OPTIONS = {"stride": 1, "pad": 1, "pool_height": 2, "pool_width": 2, "pool_size": 2, "size": 2, "window": 2, "f": 2, "mode": "train", "p": 0.5, "seed": 1, "eps": 1e-5, "momentum": 0.9}  # fmt: skip
OUTPUTS = {"y", "a", "out", "output", "activation", "s", "p"}
BEFORE = {"z", "net", "preactivation", "preact", "pre", "logit", "logits"}


class Joined:
    """forward(x) is `value(x, …)`, backward(dy) its derivative times dy. The other arrays among the arguments are its parameters.

    elementwise: the derivative is a function f′ of x (or, with of_output, of y), and ∂L/∂x = dy f′.
    """

    def __init__(
        self,
        value: Callable,
        derivative: Callable,
        arguments: Mapping[str, Any],
        elementwise: bool,
        of_output: bool = False,
    ):
        self._value, self._derivative, self._elementwise, self._of_output = value, derivative, elementwise, of_output
        self._names = list(arguments)
        self._averaged = False
        vars(self).update(arguments)

    def forward(self, x):
        states = [name for name in self._names if kind_of(plain(name)) == "h" and np.ndim(getattr(self, name))]
        if any(len(getattr(self, name)) != len(x) for name in states):
            raise ShapeError(f"{self}: {', '.join(states)} holds a row for each example, and x has {len(x)}")
        self._x, self._cache = x, None
        y = self._value(x, *(getattr(self, name) for name in self._names))
        if isinstance(y, tuple):
            y, self._cache = y[0], y[1] if len(y) == 2 else y[1:]
        if len(x) == 1 < len(y):
            raise ShapeError(f"{self}: another argument has {len(y)} rows, and stretches an x of one")
        self._y = y
        return y

    def backward(self, dy):
        if self._elementwise:
            given = [self._y if self._of_output else self._x][: len(without_default(self._derivative))]
            return dy * self._derivative(*given)  # what is handed nothing has kept x
        found = self._derivative(*self.words(dy))
        if not isinstance(found, tuple | list):
            return found
        names = returned_names(self._derivative, len(found))
        arrays = ["x", *(name for name in self._names if hasattr(getattr(self, name), "dtype"))]
        called = {name: {plain(name)} for name in arrays}
        called["x"].add(plain(parameters_of(self._value)[0].name))
        wanted = [next((a for a in arrays if called[a] & stems_of_gradient(name)), None) for name in names]
        if None in wanted or len(set(wanted)) < len(wanted):
            wanted = arrays[: len(found)]
        times = dict.fromkeys(arrays[1:], self._x.shape[1]) if self._averaged else {}
        return {f"d{name}": times.get(name, 1) * value for name, value in zip(wanted, found, strict=False)}

    def averaged(self) -> Joined:
        """The same, of which the gradients of the parameters are averaged over the columns of x, and that of x is not."""
        twin = copy.copy(self)
        twin._averaged = True
        return twin

    def words_for(self, name: str) -> list[str]:
        """The other words that a word among the arguments may be."""
        file = getattr(self._value, "__globals__", {})
        words = words_in(name, file) if name in self._names else []
        return [word for word in words if word != getattr(self, name)]

    def words(self, dy: np.ndarray) -> Iterator[Any]:
        """The arguments of the derivative, in order."""
        first = parameters_of(self._value)[0].name
        asked = without_default(self._derivative)
        known = {first, *self._names}
        unnamed = len(asked) > 1 and not any(is_upstream(p.name) or p.name in known for p in asked)
        for i, parameter in enumerate(asked):
            name = plain(parameter.name)
            if i == 0 and (name in UPSTREAM or name.startswith("d") or (unnamed and self._cache is not None)):
                yield dy
            elif parameter.name in self._names:
                yield getattr(self, parameter.name)
            elif name == plain(first):
                yield self._x
            elif name in UPSTREAM or (name.startswith("d") and i < 2):
                yield dy
            elif self._cache is not None:
                yield self._cache
            elif name in OUTPUTS or self._of_output:
                yield self._y
            else:
                yield self._x

    def __repr__(self) -> str:
        return f"{self._value.__name__} and {self._derivative.__name__}"


def joined(value: Callable, derivative: Callable, x: np.ndarray, given: Mapping[str, Any]) -> Iterator[Joined]:
    """The ways to read two functions as one layer at x: what fits comes."""
    asked = len(without_default(derivative))
    alone = asked == 1 or (asked == 0 and inspect.ismethod(derivative))
    theirs = parameters_of(value)
    others = [p for p in theirs[1:] if p.default is p.empty]
    several = theirs and theirs[0].name in rows_of(
        (value, derivative), {theirs[0].name}
    )  # what is taken apart, W, b = theta, is no x
    for arguments in choices(others, x, given) if not several else ():
        with repeatable(), np.errstate(all="ignore"):
            try:
                y = value(x.copy(), *arguments.values())
            except NotImplementedError:
                raise
            except Exception:
                continue
        kept = isinstance(y, tuple)
        y = y[0] if kept else y
        if np.ndim(y) == 0 or is_stretched(x, y, arguments.values()):
            continue
        if asked == 1 and remembers(value, derivative):
            yield Joined(value, derivative, arguments, elementwise=False)
        may_be = not of_the_input(derivative) if asked == 1 else not kept and unknown(derivative, value, arguments)
        for of_output in (False, True) if may_be else (False,):
            yield Joined(value, derivative, arguments, alone, of_output)


def remembers(value: Callable, derivative: Callable) -> bool:
    """Whether two functions share variables of the function around them, and the second may be handed dy, as a backward."""
    shared, others = (getattr(one, "__closure__", None) or () for one in (value, derivative))
    return any(one is other for one in shared for other in others) and is_upstream(
        without_default(derivative)[0].name
    )


def unknown(derivative: Callable, value: Callable, arguments: Mapping[str, Any]) -> bool:
    """Whether a derivative is handed, besides dy, what is neither an argument of the function nor has the name of an x: it may be y."""
    known = (
        {plain(name) for name in (parameters_of(value)[0].name, *arguments)} | OUTPUTS | BEFORE | INPUTS | {*UPSTREAM}
    )
    handed = [plain(p.name) for p in without_default(derivative)[1:]]
    return any(name not in known and not name.startswith("d") for name in handed)


def of_the_input(derivative: Callable) -> bool:
    """Whether the derivative is handed what the function is, and not its output: z is what comes before an activation."""
    (argument,) = [plain(p.name) for p in without_default(derivative)]
    source = getattr(derivative, "source", derivative)
    return argument in BEFORE and not re.search("output|already|activation|activated|result", notes_of(source), re.I)


def is_stretched(x: np.ndarray, y: Any, arguments: Iterable[Any]) -> bool:
    """Whether an argument in a shape of our choice has stretched x, which its author hardly meant."""
    try:
        shape = np.broadcast_shapes(x.shape, *map(np.shape, arguments))
    except ValueError:
        return False
    return np.shape(y) == shape != x.shape


def choices(parameters: list[inspect.Parameter], x: np.ndarray, given: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    """Arguments for a function of x besides x: weights, biases, and dicts of options, in shapes that may fit."""
    options = [argument_choices(p, x, given) for p in parameters]
    for chosen in itertools.islice(itertools.product(*options), 400):
        yield {
            p.name: value.copy() if hasattr(value, "copy") else value
            for p, value in zip(parameters, chosen, strict=True)
        }


def kind_of(name: str) -> str:
    """Whether an argument is rather a bias (b), a state with a row for each example (h) or a weight (w)."""
    if name[:1] in ("b", "g") or "bias" in name:
        return "b"
    return "h" if name.startswith(("h", "prevh", "prevc", "cprev", "cell")) or name in ("c", "c0") else "w"


def words_in(name: str, file: Mapping[str, Any]) -> list[str]:
    """The words with which the functions of a file compare an argument, such as activation == "relu"; and that of the other mode, where
    there is a single one."""
    texts = (text_of(f) for f in file.values() if inspect.isfunction(f))
    found = words_compared(name, "\n".join(text for text in texts if name in text))
    others = [word_of_mode(found[0], other) for other in (True, False)] if len(found) == 1 else []
    return list(dict.fromkeys([*found, *others]))


def holds_mode(name: str, file: Mapping[str, Any]) -> bool:
    """Whether the functions of a file read a mode from an argument, as from state["mode"]."""
    return any(
        re.search(rf"\b{name}(?:\[|\.get\()['\"]mode['\"]", text_of(f))
        for f in file.values()
        if inspect.isfunction(f)
    )


def argument_choices(parameter: inspect.Parameter, x: np.ndarray, given: Mapping[str, Any]) -> list[Any]:
    """What may be handed over for an argument: what the file has under its name, what its name tells, or arrays."""
    name = plain(parameter.name)
    if isinstance(given.get(parameter.name), np.ndarray | float | int | dict):
        return [given[parameter.name]]
    if "param" in name or name in ("config", "options", "hparams") or holds_mode(parameter.name, given):
        return [dict(OPTIONS)]
    if name in TRAINING:
        return [True]
    if parameter.name == "G" or name in ("groups", "numgroups", "ngroups", "heads", "numheads", "nheads"):
        return (
            [2] if x.shape[-1] % 2 == x.shape[min(1, x.ndim - 1)] % 2 == 0 else []
        )  # it divides the channels, wherever they are
    if words := words_in(parameter.name, given):
        return words
    if name == "mode":
        return ["train"]
    if name in RATES or name in ("slope", "rate", "p", "eps", "negativeslope", "lam"):
        return [0.4]
    sizes = ("pad", "padding", "size", "k", "kernelsize", "poolsize", "axis")
    if ("stride" in name or name in sizes) and parameter.name != "K":  # which is rather a kernel
        return [2, 1]
    rng, D, N = np.random.default_rng(len(name)), x.shape[-1], int(np.prod(x.shape[1:]))
    C = x.shape[1] if x.ndim > 1 else 1
    shapes = {
        "w": [(N, 4), (D, 4), (4, len(x)), (4, D), (2, C, 3, 3), (3, 3, D, 2), (3, D, 2), (D, D), (D,)],
        "b": [(4,), (1, 4), (2,), (D,), (1, D), (C,), (4, 1), (1, 1, 1, 2), ()],
        "h": [(len(x), 4)],
    }
    kind = kind_of(name)
    if name in ("wh", "whh", "u"):
        shapes["w"] = [(4, 4)]
    if name in ("gamma", "beta", "scale", "shift", "gain"):
        kind, shapes["b"] = "b", [(D,), (1, D), (C,), (1, C, 1, 1), (len(x), 1)]
    return [0.5 * rng.standard_normal(shape) for shape in dict.fromkeys(shapes[kind])]
