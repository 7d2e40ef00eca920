"""How a person's forward and backward want to be called, told from the names of their arguments, and what they give back."""

from __future__ import annotations

import functools
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ....errors import ArrayTypeError, OptionError
from .names import BACKWARD, OF_METHODS, RATES, plain

RNG = {"rng", "generator", "randomstate", "gen", "random", "prng", "rs"}
TRAINING = {
    "train", "training", "istrain", "istraining", "trainflg", "trainflag", "trainmode", "intraining", "trainphase",
}  # fmt: skip
INFERENCE = {
    "test", "testing", "istest", "istesting", "inference", "eval", "evaluate", "deterministic", "evalmode", "isinference", "predict",
}  # fmt: skip
MODES = {"train": "test", "training": "inference", "fit": "predict"}  # of an argument `mode`
MODE_WORDS = {*MODES, *MODES.values()}
INPUTS = {"x", "inputs", "input", "inp", "z", "a", "xin", "prev", "aprev", "inputdata", "data"}
# self.y is rather one whose `return` is missing
OUTPUTS = (
    "output", "outputs", "out", "activation", "activations", "a", "activated",
)  # fmt: skip
CACHED = {"y", "yhat", "z", "h", "result", "value"} | set(OUTPUTS)
INPUT_GRADIENTS = (
    "dinputs", "dinput", "dx", "dX", "dinp", "grad_input", "input_grad", "gradient_input", "input_gradient", "grad_inputs",
    "grad_x", "x_grad", "dinputs_", "din", "dA_prev", "delta", "gradient", "grad", "d_input", "d_inputs", "d_x",
)  # fmt: skip


def method_of(thing: Any, names: tuple[str, ...]) -> str | None:
    """The first of these methods that its class, or the object itself, has."""
    if inspect.isclass(thing):  # a class itself can be called, whatever its objects can
        return next((name for name in names if defines(thing, name)), None)
    return next((name for name in names if callable(getattr(thing, name, None))), None)


def backward_of(thing: Any) -> str:
    """The method of a layer that is handed ∂L/∂y, under this or another name, such as gradient(self, upstream)."""
    return method_of(thing, BACKWARD) or method_of(thing, OF_METHODS[1]) or "backward"


def defines(cls: type, name: str) -> bool:
    """Whether a class has a method of this name, besides those that every class has."""
    found = next((vars(base)[name] for base in cls.__mro__ if base is not object and name in vars(base)), None)
    return callable(found) or isinstance(found, staticmethod | classmethod)


EVERYTHING = inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD


def parameters_of(function: Callable) -> list[inspect.Parameter]:
    return list((of_known if inspect.isfunction(function) or inspect.isclass(function) else of_any)(function))


def of_any(function: Callable) -> tuple[inspect.Parameter, ...]:
    try:
        found = tuple(inspect.signature(function).parameters.values())
    except (TypeError, ValueError):  # some functions of C tell nothing
        return ()
    if inspect.isclass(function) and [p.kind for p in found] == [*EVERYTHING] and function.__base__ is not object:
        return of_any(function.__base__)  # def __init__(self, *args, **kwargs): super().__init__(*args, **kwargs)
    return found


of_known = functools.lru_cache(1000)(of_any)  # functions and classes, which are asked for thousands of times


def required(function: Any) -> list[inspect.Parameter]:
    """The parameters without a default, besides *args and **kwargs."""
    return [p for p in parameters_of(function) if p.kind not in EVERYTHING and p.default is p.empty]


def without_default(function: Any) -> list[inspect.Parameter]:
    """The parameters without a default, *args and **kwargs among them."""
    return [p for p in parameters_of(function) if p.default is p.empty]


def is_flag(parameter: inspect.Parameter) -> bool:
    return plain(parameter.name) in TRAINING | INFERENCE | {"mode"}


class Call:
    """A forward: `call(x, rng, training)`. Its other arguments are told by their names; an rng is never handed to a flag."""

    def __init__(self, function: Callable):
        self.others = [p for p in parameters_of(function)[1:] if p.kind not in EVERYTHING]
        self.has_flag = any(map(is_flag, self.others))
        self.words: dict[str, Any] = {}  # what else it is handed, by name
        named = [p for p in self.others if plain(p.name) in RNG]
        unknown = [p for p in self.others if p.default is p.empty and not is_flag(p) and p not in named]
        by_place = not named and len(unknown) == 1 and unknown[0].kind is not unknown[0].KEYWORD_ONLY
        by_place = by_place and not re.search("prev|state|hidden|memory|^[hcs]$|^[hcs]0$", unknown[0].name)
        # forward(x, anything) wants the rng
        self.rng = named[0].name if named else unknown[0].name if by_place else None

    @property
    def has_modes(self) -> bool:
        return self.has_flag or self.rng is not None

    def __call__(self, function: Callable, x: Any, rng: Any, training: bool | None) -> Any:
        rngs = {self.rng: rng if training is not False else None} if self.rng is not None else {}
        words = self.words | rngs
        for parameter in self.others:
            if is_flag(parameter) and (training is not None or parameter.default is parameter.empty):
                words[parameter.name] = flag(parameter, training is not False)
        return function(x, **words)


def flag(parameter: inspect.Parameter, training: bool) -> Any:
    """The value of a flag in this mode."""
    if plain(parameter.name) in INFERENCE:
        return not training
    if plain(parameter.name) in TRAINING and not isinstance(parameter.default, str):
        return training
    return word_of_mode(parameter.default if isinstance(parameter.default, str) else "train", training)


def word_of_mode(given: str, training: bool) -> str:
    """The word for a mode, of the pair of words from which `given` comes: train and test, training and inference."""
    train = next((name for name, test in MODES.items() if given in (name, test)), given)
    return train if training else MODES.get(train, given)


def words_compared(name: str, text: str) -> list[str]:
    """The words with which a text compares what has this name: mode == "train", mode != "eval", mode in ("train", "fit")."""
    found = re.findall(rf"\b{name}\s*(?:[!=]=|(?:not\s+)?in\b)\s*([(\[{{][^()\[\]{{}}]*|['\"]\w+['\"])", text)
    return list(dict.fromkeys(word for one in found for word in re.findall(r"['\"](\w+)['\"]", one)))


def attributes(thing: Any) -> dict[str, Any]:
    return dict(getattr(thing, "__dict__", {}))


def outcome(thing: Any, found: Any, names: tuple[str, ...], before: dict[str, Any]) -> Any:
    """What a method returned, or, if it returned nothing, the attribute of one of these names that it set: an array, rather than a number."""
    if found is not None:
        return found
    fresh = {name: value for name, value in vars(thing).items() if before.get(name) is not value}
    set_now = [
        (kind, fresh[one])
        for kind in (np.ndarray, float)
        for name in names
        for one in fresh
        if plain(one) == plain(name)
    ]
    return next((np.asarray(value) for kind, value in set_now if isinstance(value, kind)), None)


def backward_words(function: Callable, known: dict[str, Any], rate: float) -> Iterator[tuple[str, Any]]:
    """The arguments of a backward besides dy: a learning rate, the x, the y or the cache of its forward."""
    _, *others = parameters_of(function) or [None]
    for parameter in others:
        name = plain(parameter.name)
        if parameter.kind in EVERYTHING:
            continue
        if name in RATES and (parameter.default is parameter.empty or isinstance(parameter.default, float)):
            yield parameter.name, rate
        elif name in known:
            yield parameter.name, known[name]
        elif name in INPUTS and parameter.default is parameter.empty:
            yield parameter.name, known["x"]
        elif name in CACHED and parameter.default is parameter.empty:
            yield parameter.name, known["y"]
        elif name == "cache" or (parameter.default is parameter.empty and known.get("cache") is not None):
            yield parameter.name, known.get("cache")
        elif parameter.default is parameter.empty:
            raise OptionError(
                f"{function.__qualname__} wants an argument {parameter.name!r} besides dy, and the check cannot tell what it is: write "
                "backward(self, dy) and keep what it needs in forward, such as self.x = x"
            )


def require_array(subject: object, method: str, what: str, value: Any) -> None:
    """Raise ArrayTypeError unless a method returned an array."""
    if not (hasattr(value, "shape") and hasattr(value, "dtype")):
        hint = f": does it end with `return`? {method} has to return {what}" if value is None else f", not {what}"
        raise ArrayTypeError(
            f"{subject!r}: {method} returned {'None' if value is None else f'a {type(value).__name__}'}{hint}"
        )
