"""An object that keeps its mode, training or inference, in an attribute, or is told by train() and eval()."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from typing import Any

from ..text.calls import INFERENCE, MODE_WORDS, TRAINING, required, word_of_mode
from ..text.names import plain
from ..text.written import tree_of


def flags(thing: Any) -> Iterator[tuple[str, Any]]:
    """The attributes that hold its mode: self.training = True, self.mode = "train"."""
    of_classes = {name: value for cls in type(thing).__mro__[-2::-1] for name, value in vars(cls).items()}
    for name, value in (of_classes | getattr(thing, "__dict__", {})).items():
        if (isinstance(value, bool) and plain(name) in TRAINING | INFERENCE) or (
            plain(name) == "mode" and isinstance(value, str) and value in MODE_WORDS
        ):
            yield name, value


def has_modes(thing: Any) -> bool:
    """Whether an object can be told to be in training or in inference: by such an attribute, or by methods that do nothing but set some."""
    methods = [getattr(type(thing), name, None) for name in ("train", "eval")]
    return any(True for _ in flags(thing)) or all(callable(method) and only_sets(method) for method in methods)


def only_sets(method: Any) -> bool:
    """Whether all that a method does is to set attributes, such as self.learning = True, and to give back the object."""
    lines = [line for function in tree_of(method).body for line in getattr(function, "body", [ast.Pass()])]
    return bool(lines) and all(
        isinstance(line, ast.Assign) or isinstance(getattr(line, "value", None), ast.Constant | ast.Name)
        for line in lines
    )


def put_in(thing: Any, training: bool) -> None:
    method = getattr(thing, "train" if training else "eval", None)
    if callable(method) and not required(method):
        method()
    for name, value in flags(thing):
        word = word_of_mode(value, training) if isinstance(value, str) else training == (plain(name) in TRAINING)
        setattr(thing, name, word)
