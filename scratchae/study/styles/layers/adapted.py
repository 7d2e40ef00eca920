"""Makes a `Layer` of a person's object that has a forward and a backward, under these or other names, but is not a `Layer`."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from ....layers import Layer
from ..objects import modes
from ..objects.copies import duplicate, repeatable
from ..objects.paths import (
    Path,
    cased,
    get,
    in_its_case,
    is_array,
    is_number,
    is_trained,
    keys_of_gradient,
    keys_of_parameter,
    put,
    short,
    walk,
    written,
)
from ..text.calls import (
    INPUT_GRADIENTS,
    OUTPUTS,
    Call,
    attributes,
    backward_of,
    backward_words,
    method_of,
    outcome,
    require_array,
)
from ..text.names import FORWARD, OF_METHODS, RATES, ZEROING, plain, stem, stems_of_gradient
from ..text.written import returned_names, written_rate
from . import only, penalties

STATE = re.compile("running|moving|mean|var|cache")  # what backward changes, and is no parameter


class Adapted(Layer):
    """`theirs` as a layer.

    Its parameters are the arrays that it holds before or after its first forward, in attributes, lists, dicts or objects inside,
    for which backward leaves or returns a gradient: dW, grad_W, grads["W"], dweights. If backward itself changes them, as
    W -= lr dW, the gradient is what it takes off, divided by the rate. `unmatched` are the arrays that move y, but have no gradient.
    """

    stands_in = True
    averaged = False  # whether the gradients of the parameters are averaged over the columns of x, the examples

    def __init__(self, theirs: Any, x: np.ndarray):
        self.prepare(theirs, x)
        self.find(x)

    def prepare(self, theirs: Any, x: np.ndarray) -> None:
        """What forward needs."""
        self.theirs = duplicate(theirs)
        self.training: bool | None = None
        self.zeroes = True  # whether gradients are set to 0 before each backward, where there is a method for it
        self.seed = 0  # of what forward draws itself
        self.draws: dict[tuple[bool | None, bool], bool] = {}  # whether it does, in each mode, as far as is known
        forward = method_of(theirs, FORWARD) or method_of(theirs, OF_METHODS[0])
        self.methods = forward or "forward", backward_of(theirs)
        self.call = Call(getattr(self.theirs, self.methods[0]))
        self.index = x.dtype.kind in "iub"  # x chooses rows: it has no gradient
        self.places: dict[str, Path] = {}
        self.gradients: dict[str, Path | None] = {}
        self.returned: dict[str, np.ndarray] = {}
        self.rate, self.updates = 0.5, False  # not 1, so that a rate that is left out shows
        self.words: dict[str, Any] = {}  # what else backward is handed, by name
        self.last: dict[str, Any] = {}
        self.unmatched: dict[str, Path] = {}
        self.trained: dict[str, np.ndarray] = {}  # the penalised parameters, before the last backward
        self.penalties: dict[str, tuple[float, float]] = {}  # of c W + d sign(W), which backward adds to ∂L/∂W

    def find(self, x: np.ndarray) -> None:
        """Which parameters it has, and where their gradients lie."""
        before, trial = dict(walk(self.theirs)), duplicate(self)
        y = trial.forward(x.copy())
        require_array(trial, "forward", "y", y)
        built = duplicate(trial.theirs)
        after_forward = {path: np.array(value) for path, value in walk(trial.theirs)}
        dx = trial.backward(np.random.default_rng(0).standard_normal(np.shape(y)))
        if not self.index:
            require_array(trial, "backward", "∂L/∂x", dx)
        late = self.made_by_forward(built, x)
        kept = {
            path
            for path, value in after_forward.items()
            if np.array_equal(value, before.get(path, ()), equal_nan=True)
        }
        candidates = {
            path: value for path, value in before.items() if is_number(value) and path in kept
        }  # forward sets the others
        after = {path: value for path, value in walk(trial.theirs) if is_number(value)}
        if any(key not in before for key in late):
            candidates |= {path: value for path, value in walk(built) if path in late}
        found = self.matched(candidates, after, trial.returned, after_forward)
        if self.updates:  # what is left of an earlier backward is replaced too, and y has no part in it
            found = {name: pair for name, pair in found.items() if pair[0] in late or self.moves(pair[0], x)}
            self.updates = bool(found)
        found = found or only.parameter(self, candidates, after, x)
        if late & {path for path, _ in found.values()}:
            self.theirs = built
        for name, (path, gradient) in found.items():
            self.places[name], self.gradients[name] = path, gradient
        for path in self.places.values():
            put(self.theirs, path, np.array(get(self.theirs, path), np.float64))
        explicit = getattr(self.theirs, "parameter_names", None)
        self.parameter_names = tuple(self.places if explicit is None else explicit)
        for name in self.parameter_names:
            if name not in self.places:
                self.places[name], self.gradients[name] = (("attribute", name),), (("attribute", "d" + name),)
                put(self.theirs, self.places[name], np.array(get(self.theirs, self.places[name]), np.float64))
        self.unmatched = self.without_gradient(candidates, x) if explicit is None else {}
        if penalties.strengths(self.theirs):
            self.penalties = penalties.found_in(self, x)

    def made_by_forward(self, built: Any, x: np.ndarray) -> set[Path]:
        """What the first forward makes and the next one, on another x, does not change: parameters that are made late.

        An array that was there before, and is now held in a second place too, is not made."""
        later = duplicate(self)
        later.theirs = duplicate(built)
        later.forward(np.roll(x, 1, axis=0) if self.index else 0.9 * np.roll(x, 1, axis=0))
        there, now = {path for path, _ in walk(self.theirs)}, dict(walk(later.theirs))
        old = {id(value) for path, value in walk(built) if path in there}
        new = {path: value for path, value in walk(built) if path not in there and id(value) not in old}
        kept = {path: value for path, value in new.items() if path in now and is_number(value)}
        return {path for path, value in kept.items() if np.array_equal(value, now[path])}

    def matched(
        self,
        candidates: Mapping[Path, Any],
        after: Mapping[Path, Any],
        returned: Mapping[str, Any],
        before: Mapping[Path, Any],
    ) -> dict[str, tuple[Path, Path | None]]:
        """Each parameter's place and that of its gradient; None for one that backward returns, or takes off the parameter."""
        found: dict[str, tuple[Path, Path | None]] = {}
        named = {path: keys_of_gradient(path) for path in after}
        gradients = {path for path in named if named[path]}
        for path in candidates:
            keys = keys_of_parameter(path)
            hits = [g for g in gradients if g != path and named[g] & keys]
            hits.sort(key=lambda g, path=path: (len(g), not in_its_case(g, path), not written(g).startswith("d")))
            others = [keys_of_parameter(other) for other in candidates if other != path]
            own = path in gradients and path in before  # a gradient's own place is no parameter
            if hits and not (own and any(named[path] & other for other in others)):
                found[short(path)] = path, hits[0]
            elif any(keys_of_parameter((("attribute", name),)) & keys for name in returned):
                found[short(path)] = path, None
        taken = {gradient for _, gradient in found.values()}
        found = {name: pair for name, pair in found.items() if pair[0] not in taken}
        if not found and not returned:
            kept = [p for p in candidates if is_array(candidates[p]) and p in after and p in before and not STATE.search(plain(p[-1][1]))]  # fmt: skip
            changed = [p for p in kept if not np.array_equal(after[p], before[p], equal_nan=True)]
            twins = {
                p: [g for g in changed if g[-1] == p[-1] and after[g].shape == after[p].shape]
                for p in kept
                if p not in changed
            }
            found = {short(p): (p, hits[0]) for p, hits in twins.items() if len(hits) == 1}
            if found and len(found) == len(changed):  # a dict with the same keys
                return found
            found = {short(p): (p, None) for p in changed}
            self.updates = bool(found)
        return found

    def without_gradient(self, candidates: Mapping[Path, Any], x: np.ndarray) -> dict[str, Path]:
        """The arrays that change y when they are moved, but for which no gradient was found, and where they lie."""
        known = set(self.places.values())
        arrays = [p for p, value in candidates.items() if is_array(value) and value.dtype.kind == "f"]
        return {short(path): path for path in arrays if path not in known and self.moves(path, x)}

    def moves(self, path: Path, x: np.ndarray) -> bool:
        """Whether y changes when the array at a path does."""
        try:
            twin = duplicate(self)
            y = np.array(twin.forward(x.copy()))
            moved = duplicate(self)
            put(moved.theirs, path, get(moved.theirs, path) * 1.1 + 0.1)
            return not np.array_equal(y, moved.forward(x.copy()), equal_nan=True)
        except Exception:
            return False

    @property
    def untrained(self) -> tuple[str, ...]:
        """The names among `unmatched` that are those of parameters."""
        return tuple(name for name, path in self.unmatched.items() if is_trained(path))

    def __deepcopy__(self, memo: dict[int, Any]) -> Adapted:
        twin = object.__new__(type(self))
        for name, value in vars(self).items():
            vars(twin)[name] = duplicate(value) if name in ("theirs", "returned") else value
        twin.last = {}
        return twin

    def __getattr__(self, name: str) -> Any:
        if name in ("theirs", "places", "gradients"):  # while the object is being copied
            raise AttributeError(name)
        if name in self.places:
            return get(self.theirs, self.places[name])
        if name.startswith("d") and name[1:] in self.gradients:
            return self.gradient(name[1:])
        return getattr(self.theirs, name)

    def __setattr__(self, name: str, value: Any) -> None:
        if name in vars(self).get("places", {}):
            put(self.theirs, self.places[name], value)
        else:
            object.__setattr__(self, name, value)

    def gradient(self, name: str) -> Any:
        """∂L/∂ parameter, as the last backward left it, without that of a penalty. Raises AttributeError if it left none."""
        found = penalties.without(self.left(name), self.trained.get(name), self.penalties.get(name))
        return found * self.last["x"].shape[1] if self.averaged else found

    def left(self, name: str) -> Any:
        path = self.gradients[name]
        if path is None:
            place = self.places[name]
            keys = [k for k in self.returned if keys_of_parameter((("attribute", k),)) & keys_of_parameter(place)]
            if not keys:
                raise AttributeError(f"d{name}")
            return self.returned[min(keys, key=lambda k: not in_its_case((("attribute", k),), place))]
        try:
            value = get(self.theirs, path)
        except (KeyError, IndexError):
            raise AttributeError(f"d{name}") from None
        return np.asarray(value) if isinstance(value, int | float) else value

    @property
    def has_modes(self) -> bool:
        """Whether it can be told to be in training or in inference."""
        return self.call.has_modes or modes.has_modes(self.theirs)

    def forward(self, x, rng=None):
        if self.training is not None:
            modes.put_in(self.theirs, self.training)
        before, forward = attributes(self.theirs), getattr(self.theirs, self.methods[0])
        if self.draws.get((self.training, rng is None), True):
            with repeatable(self.seed, self.theirs) as drawing:
                found = self.call(forward, x, rng, self.training)
            self.draws[self.training, rng is None] = drawing.used
        else:
            found = self.call(forward, x, rng, self.training)
        self.last = {"x": x}
        if isinstance(found, tuple) and len(found) == 2 and hasattr(found[0], "dtype"):
            found, self.last["cache"] = found
        y = outcome(self.theirs, found, OUTPUTS, before)
        self.last["y"] = y
        return y

    def backward(self, dy):
        for method in self.zeroing() if self.zeroes else ():
            method()
        method = getattr(self.theirs, self.methods[1])
        words = dict(backward_words(method, self.last, self.rate)) | self.words
        kept = {name: np.array(get(self.theirs, path)) for name, path in self.places.items()} if self.updates else {}
        self.trained = {name: np.array(get(self.theirs, self.places[name])) for name in self.penalties}
        before = attributes(self.theirs)
        found = method(dy, **words)
        dx, self.returned = self.taken_apart(method, found)
        for name, value in kept.items():
            self.returned[name] = (value - get(self.theirs, self.places[name])) / self.learning_rate(words)
        if dx is None and self.returned.get("x") is not None:
            dx = self.returned.pop("x")
        dx = outcome(self.theirs, dx, INPUT_GRADIENTS, before)
        if isinstance(dx, int | float) and not hasattr(dx, "dtype"):
            dx = np.asarray(float(dx))  # a number is a gradient of the wrong shape
        return np.zeros(self.last["x"].shape) if dx is None and self.index else dx

    def zeroing(self) -> list[Callable]:
        """The methods that set gradients to 0, of the object and of those that hold its parameters."""
        holders = (self.theirs, *(get(self.theirs, path[:-1]) for path in self.places.values()))
        methods = [getattr(holder, name, None) for holder in holders for name in ZEROING]
        return [method for method in methods if callable(method)]

    def learning_rate(self, words: Mapping[str, Any]) -> float:
        """What the gradient was multiplied by before backward took it off."""
        if any(plain(name) in RATES for name in words):
            return self.rate
        sure, kept = RATES - {"step", "alpha", "rate"}, attributes(self.theirs)
        rates = [value for name, value in kept.items() if plain(name) in sure and isinstance(value, float)]
        return rates[0] if rates else written_rate(self.theirs, self.methods[1])

    def taken_apart(self, method: Any, found: Any) -> tuple[Any, dict[str, Any]]:
        """∂L/∂x and the gradients of the parameters that backward returned with it."""
        if isinstance(found, dict):
            named = found
        elif isinstance(found, tuple | list) and any(hasattr(value, "dtype") for value in found):
            names = returned_names(method, len(found))
            flat = []
            for name, value in zip(names, found, strict=True):
                flat += list(value.items()) if isinstance(value, dict) else [(name, value)]
            named = dict(flat)
        else:
            return found, {}
        x = self.last["x"]
        by_key, by_case = {}, {}
        for name, value in named.items():
            for key in stems_of_gradient(name) | ({stem(name)} if isinstance(found, dict) else set()):
                by_key[key] = by_case[cased(str(name), key)] = value
            by_key.setdefault(str(name), value)
        by_key |= by_case if len({*map(plain, named)}) < len(named) else {}  # dA beside da
        inputs = ("x", "input", "inputs", "inp", "in", "aprev", "xin", "z")
        dx = next((by_key[name] for name in inputs if name in by_key), None)
        if dx is None and not isinstance(found, dict):
            dx = next((value for value in named.values() if np.shape(value) == x.shape), None)
        return dx, {
            name: np.asarray(value) for name, value in by_key.items() if hasattr(value, "dtype") and value is not dx
        }

    def to(self, device: str | None = None, dtype: object = None) -> Adapted:
        for path, value in list(walk(self.theirs)):
            if dtype is not None and is_array(value) and value.dtype.kind == "f" and value.dtype != dtype:
                put(self.theirs, path, value.astype(dtype))
        return self

    def __repr__(self) -> str:
        plain_repr = type(self.theirs).__repr__ is object.__repr__
        return f"{type(self.theirs).__name__}()" if plain_repr else repr(self.theirs)
