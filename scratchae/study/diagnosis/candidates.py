"""What may belong in place of a value, beside it as a factor, or beside it as a term."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from types import CodeType, FrameType
from typing import Any

import numpy as np

from .hooks import Place

ROOT = re.compile(r"\w+")
OF_NUMPY = re.compile(r"(?:np|numpy)\.(?!random)\w+\(")

# what takes the place of a value v
ALONE = {
    "1": np.ones_like,
    "1 / {v}": lambda v: 1 / v,
    "({v} + {v}.T) / 2": lambda v: (v + v.T) / 2,
    "{v} ** 2": lambda v: v**2,
    "np.sqrt({v})": np.sqrt,
    "1 - {v}": lambda v: 1 - v,
    "1 - {v} ** 2": lambda v: 1 - v**2,
    "{v} * (1 - {v})": lambda v: v * (1 - v),
    "abs({v})": np.abs,
    "np.sign({v})": np.sign,
    "np.exp({v})": np.exp,
    "{v}.sum(axis=-1, keepdims=True)": lambda v: v.sum(axis=-1, keepdims=True),
    "{v}.mean(axis=-1, keepdims=True)": lambda v: v.mean(axis=-1, keepdims=True),
    "np.minimum({v}, 0)": lambda v: np.minimum(v, 0),
    "np.maximum({v}, 0)": lambda v: np.maximum(v, 0),
    "{v}.sum(axis=0)": lambda v: v.sum(axis=0, keepdims=True),
}
# the factors of an expression that may be missing, made of a value u: first the value itself
FACTORS = {"* {u}": lambda u: u}
# those that may be too many, of a value that stands there
DIVISORS = {
    "/ {u}": lambda u: 1 / u,
    "/ ({u} * (1 - {u})) * (1 - {u} ** 2)": lambda u: (1 + u) / u,
    "/ (1 - {u} ** 2) * {u} * (1 - {u})": lambda u: u / (1 + u),
}
DERIVATIVES = {
    "* (1 - {u})": lambda u: 1 - u,
    "* {u} * (1 - {u})": lambda u: u * (1 - u),
    "* (1 - {u} ** 2)": lambda u: 1 - u**2,
    "* ({u} > 0)": lambda u: u > 0,
    "/ {u}": lambda u: 1 / u,
    "* np.exp({u})": np.exp,
    "/ np.exp({u})": lambda u: np.exp(-u),
    "* np.sign({u})": np.sign,
}
TERMS = {"{u}": lambda u: u, "np.sign({u})": np.sign, "{u} ** 2": lambda u: u**2}


# the terms that may be missing, made of two values
PRODUCTS = {
    "{u}.T @ {w}": lambda u, w: u.T @ w,
    "{u} @ {w}.T": lambda u, w: u @ w.T,
    "{u} @ {w}": lambda u, w: u @ w,
    "{u} * {w}": lambda u, w: u * w,
}


# how those with a transpose look
FORM = {"{u}.T @ {w}": r"\.T @ ", "{u} @ {w}.T": r"(?<!\.T) @ [^@+*]+\.T", "{u} * {w}": r" \* "}


def products(
    shapes: dict[str, tuple[int, ...]], wanted: tuple[int, ...], text: str = ""
) -> Iterator[tuple[str, str, str]]:
    """The products of two of these values that have a shape, of the forms that are in a text if some are."""
    names = [name for name, shape in shapes.items() if len(shape) == 2 and not (text and name.endswith(".T"))]
    forms = {one: PRODUCTS[one] for one, form in FORM.items() if re.search(form, text)} or PRODUCTS
    for form, function in forms.items() if len(wanted) == 2 else ():
        for u, w in itertools.product(names, names):
            with contextlib.suppress(ValueError):
                if form == "{u} * {w}" and not (u < w and shapes[u] == shapes[w]):
                    continue
                if function(np.empty(shapes[u]), np.empty(shapes[w])).shape == wanted:
                    yield form, u, w


def turned(ndim: int) -> Iterator[tuple[str, Callable]]:
    """The transposes and the mirror images of an array."""
    if ndim == 2:
        yield "{v}.T", np.transpose
    for axes in itertools.islice(itertools.permutations(range(ndim)), 1, 24) if 2 < ndim < 5 else ():
        yield f"{{v}}.transpose{axes}", lambda v, axes=axes: v.transpose(axes)
    if ndim == 4:
        for turn, axes in (((1, 0, 2, 3), (0, 1)), ((0, 1, 3, 2), (2, 3))):
            form = f"np.flip({{v}}.transpose{turn}, {axes})"
            yield form, lambda v, turn=turn, axes=axes: np.flip(v.transpose(turn), axes)
    several = [(i,) for i in range(ndim)] + [(i, j) for i in range(ndim) for j in range(i + 1, ndim)]
    for axes in several:
        yield f"np.flip({{v}}, {axes[0] if len(axes) == 1 else axes})", lambda v, axes=axes: np.flip(v, axes)


def spread(shape: tuple[int, ...], wanted: tuple[int, ...]) -> Iterator[tuple[str, Callable]]:
    """The ways in which an array of this shape goes with another one."""
    with contextlib.suppress(ValueError):
        if np.broadcast_shapes(shape, wanted) in (wanted, shape):
            yield "", lambda one: one
    if len(shape) == 1 and len(wanted) == 2 and shape[0] == wanted[0]:
        yield "[:, None]", lambda one: one[:, None]


def spreads(shape: tuple[int, ...], wanted: tuple[int, ...]) -> bool:
    """Whether an array of this shape may stand in the place of one of the other shape, or a longer one that goes with the same."""
    try:
        return len(shape) in (0, len(wanted)) and np.broadcast_shapes(shape, wanted) == wanted
    except ValueError:
        return False


def may_replace(shape: tuple[int, ...], other: tuple[int, ...], texts: list[str]) -> bool:
    """Whether an array of the other shape may stand in the place of one, of which the texts are those there and around it: where it is
    summed, only their numbers of axes are to be alike."""
    text = re.escape(texts[0])
    summed = re.compile(rf"{text}\.(?:sum|mean)\(|np\.(?:sum|mean)\({text}\b")
    return spreads(shape, other) or (len(other) == len(shape) and any(map(summed.match, texts[1:])))


def is_numeric(value: Any) -> bool:
    return (isinstance(value, int | float | np.floating) and not isinstance(value, bool)) or (
        isinstance(value, np.ndarray) and value.dtype.kind == "f"
    )


def arrays_at(place: Place, texts: Iterable[str], frame: FrameType) -> Iterator[tuple[str, CodeType, np.ndarray]]:
    """What would be written, as code, and the arrays that it gives, where a hook is: names there, and entries with the same index."""
    known = dict(frame.f_locals)
    known |= {f"self.{name}": one for name, one in getattr(known.get("self"), "__dict__", {}).items()}
    several = [
        name for name, one in known.items() if place.index and isinstance(one, list | tuple | dict | np.ndarray)
    ]
    roots = known.keys() | {node.id for node in ast.walk(place.function) if isinstance(node, ast.Name)}
    for text in sorted({*texts, *roots, *(f"{name}{place.index}" for name in several)}):
        if ROOT.match(text)[0] in roots:
            with contextlib.suppress(Exception):
                code = compile(text, "", "eval")
                one = eval(code, frame.f_globals, frame.f_locals)
                if isinstance(one, np.ndarray) and one.dtype.kind in "fbiu" and one.ndim:
                    yield text, code, one


def applied(places: Sequence[Place], k: int) -> set[str]:
    """What other functions make of the value of this name with NumPy: np.roll(self.x, 1) for self.x."""
    text = places[k].text
    name = re.compile(rf"(?<![\w.]){re.escape(text.removeprefix('self.'))}\b(?!\s*=)")
    others = (one.text for one in places if one.function is not places[k].function and OF_NUMPY.match(one.text))
    return {name.sub(text, one) for one in others if name.search(one)} if places[k].leaf else set()


def as_factor(places: Sequence[Place], k: int, kind: str) -> dict[str, str]:
    """What does not belong there, where it is a part of a factor: 1 - s of g * (1 - s), which is 1 without s."""
    outer, around = (places[i] if i is not None else None for i in ([None, None, *places[k].within][:-3:-1]))
    one = outer is not None and re.fullmatch(rf"1(?:\.0)? [-+] {re.escape(places[k].text)}", outer.text)
    factor = one and around is not None and re.search(rf"[*/] {re.escape(outer.operand)}", around.text)
    return {"part": f"`{outer.operand}`"} if factor and kind == "line_extra" else {}


def simply(text: str) -> str:
    """(1 - a) * a of (1 - a) * (1 - (1 - a))."""
    return re.sub(r"\(1 - \(1(?:\.0)? - ([\w.\[\]]+)\)\)", r"\1", text)


def on_value(function: Callable) -> Callable[[Any, FrameType], Any]:
    return lambda value, frame: function(value)


def reader(code: Any, change: Callable = lambda one: one) -> Callable[[Any, FrameType], Any]:
    """What gives the value of a name where a hook is."""
    return lambda value, frame: change(eval(code, frame.f_globals, frame.f_locals))
