"""The readings of a class in one pass of its training: methods that a person calls in turn, whose arguments are told by their names.

out = net.forward(x)              or net.feedforward(), of a net that was handed its data
loss = net.loss(out, y)           or a usual loss of out and y
grads = net.backward(x, y, out)   returned, kept, or taken off at once
net.update(grads, lr)             what is taken off, divided by the rate
"""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import numpy as np

from ..losses import PREDICTIONS, is_target
from ..objects.constructed import is_size
from ..objects.copies import repeatable
from ..objects.fresh import Objects
from ..objects.held import Held, copies, held_by, left_by
from ..objects.paths import get, put
from ..readings.returned import is_number, labelled, names_in
from ..readings.several import Arrays, Several, UnlikeError
from ..text.calls import INPUTS, OUTPUTS, outcome, required
from ..text.names import COSTS, FORWARD, GRADIENTS, IS_COST, IS_SLOPE, RATES, STEP, plain
from ..text.written import returns, text_of
from .descending import LOSSES, usual_loss
from .steps import NOT_PLAIN, RATE, rates_of, set_rate, taken_off

KEPT = re.compile(r"caches?|memory|memo|state|intermediates?|activations?|hidden|h\d?|a\d?|zs?|z\d?")
# settings that do nothing where they are 0
NOTHING = re.compile(r"lam|lmbda|lambd|lambda|reg|l2|mu|momentum|\w*decay")
NO_SLOPE = re.compile(r"check|zero|clip|numeric|plot|reset|update|prime|deriv|_d$")


def of_passes(title: str, objects: Objects, part: str) -> Iterator[Several]:
    """The passes in which a method gives the gradients or makes the step."""
    methods = {key: one for key, one in inspect.getmembers(objects.cls, inspect.isfunction) if key[:2] != "__"}
    forward = next((name for name in (*FORWARD, "predict") if name in methods), None)
    if forward is None or len(required(methods[forward])) > 2 or NOT_PLAIN.search(text_of(methods[part])):
        return
    costs = [name for name in methods if name in COSTS or (IS_COST.search(name) and not IS_SLOPE.search(name))]
    slopes = [name for name in methods if IS_SLOPE.search(name) and not NO_SLOPE.search(name) and name not in costs]
    ways = [(part, None)] if part in slopes else [(slope, part) for slope in slopes if is_step(part)]
    given = Given(objects) if not objects.fixed and holds_data(objects.cls) else None
    for slope, step in ways:
        for loss in costs or LOSSES:
            parts = [methods[name] for name in (forward, loss, slope, step) if name in methods]
            parameters = named_alike(methods[forward], parts[1:])
            multiple = not costs or not (has_rate(parts[-1]) or (step is None and returns(parts[-1])))
            names = [p.name for p in parameters]
            one = Pass(given or objects, forward, loss, slope, step, bool(step or (costs and multiple)), names)
            one.zeros = [p.name for p in required(parts[-1]) if NOTHING.fullmatch(plain(p.name))]
            yield objects.reading(
                title, one, parameters, parts, held=one.held, updates=multiple, descends=multiple or step is not None
            )


def named_alike(forward: Callable, others: list[Callable]) -> list[inspect.Parameter]:
    """The input and the target of a net, called as its author calls them."""
    x = next((p.name for p in required(forward)[1:]), "x")
    asked = [p.name for one in others for p in required(one)[1:]]
    y = next((name for name in asked if is_target(name) and name != x), "y" if x != "y" else "t")
    return [inspect.Parameter(name, inspect.Parameter.POSITIONAL_OR_KEYWORD) for name in (x, y)]


def is_step(name: str) -> bool:
    return bool(STEP.fullmatch(name.strip("_")) or re.match(r"update|apply|step", name))


def has_rate(method: Callable) -> bool:
    """Whether a method speaks of a learning rate, so that what it takes off can be divided by it."""
    return any(plain(word) in RATES for word in re.findall(r"\w+", text_of(method)))


def holds_data(cls: type) -> bool:
    """Whether a net is handed its data when it is made, Net(x, y)."""
    names = [p.name for p in required(cls)]
    return len(names) == 2 and is_target(names[1]) and not is_size(names[0])


class Given:
    """Nets that are made with their data: a new one for each call, with the same parameters."""

    def __init__(self, objects: Objects):
        self.cls = objects.cls

    def begun(self, arguments: Arrays) -> Any:
        with repeatable():
            return self.cls(arguments["x"].copy(), arguments["y"].copy())

    def held(self, arguments: Arrays, data: list[str]) -> Arrays:
        if not {"x", "y"} <= arguments.keys():
            return {}
        data = [one.tobytes() for one in (arguments["x"], arguments["y"])]
        return {
            name: array for name, (_, array) in held_by(self.begun(arguments)).items() if array.tobytes() not in data
        }

    def __call__(self, arguments: Arrays, data: list[str]) -> Any:
        thing = self.begun(arguments)
        for name, (path, _) in held_by(thing).items():
            if name in arguments:
                put(thing, path, np.array(arguments[name]))
        return thing


class Pass:
    """What one pass gives: the value, and the gradients that come back or what is taken off; moved: only the latter."""

    def __init__(
        self,
        objects: Objects | Given,
        forward: str,
        loss: str,
        slope: str,
        step: str | None,
        moved: bool,
        names: list[str],
    ):
        self.objects, self.forward, self.loss, self.slope, self.step = objects, forward, loss, slope, step
        self.moved, self.names = moved, names
        self.moving: dict[str, bool] = {}

    def held(self, arguments: Arrays) -> Arrays:
        """The arrays of an object that its forward leaves as they are."""
        found = self.objects.held(self.called(arguments), ["x", "y"])
        arguments = self.called(arguments)
        if not {"x", "y"} <= arguments.keys():
            return found
        thing = self.objects(arguments, ["x", "y"])
        begun = held_by(thing)
        with contextlib.suppress(Exception), repeatable(0, thing):
            self.outputs(thing, arguments["x"])
        left = {name for name, change in taken_off(thing, alike(thing, begun)) if not np.any(change)}
        return {
            name: array
            for name, array in found.items()
            if name in left and (np.any(array) or self.moves(name, array, arguments))
        }

    def moves(self, name: str, array: np.ndarray, arguments: Arrays) -> bool:
        """Whether what begins with zeros is a bias, and no velocity, as the value is another with it."""
        if name not in self.moving:
            values = []
            for other in (array, array + 0.3):
                thing = self.objects(arguments | {name: other}, ["x", "y"])
                with contextlib.suppress(Exception), repeatable(0, thing):
                    known = {"x": arguments["x"], "y": arguments["y"], **self.outputs(thing, arguments["x"])}
                    values.append(self.value(thing, known))
            if len(values) < 2:  # arguments that do not fit
                return True
            self.moving[name] = values[0] != values[1]
        return self.moving[name]

    def called(self, arguments: Arrays) -> Arrays:
        """The arguments, with x and y for what an author calls otherwise."""
        return arguments | {
            key: arguments[name] for key, name in zip("xy", self.names, strict=True) if name in arguments
        }

    def __call__(self, arguments: Arrays, upstream: Callable) -> tuple[list, list]:
        arguments = self.called(arguments)
        thing = self.objects(arguments, ["x", "y"])
        x, y = arguments["x"], arguments["y"]
        set_rate(thing, {}, RATE)
        with repeatable(0, thing):
            before, begun = copies(thing), held_by(thing)
            known = {"x": x, "y": y, **self.outputs(thing, x)}
            value = self.value(thing, known)
            method = getattr(thing, self.slope)
            known["grads"] = found = method(**handed(method, known))
            if self.step:
                step = getattr(thing, self.step)
                step(**handed(step, known | named(found, method)))
        held = self.held(arguments)
        taken = [one for one in taken_off(thing, alike(thing, begun)) if one[0] in held and np.any(one[1])]
        if taken:
            return [value], taken
        if self.moved:
            raise UnlikeError
        returned = list(labelled(found, names_in(method))) if isinstance(found, tuple | list | dict) else []
        return [value], [*returned, *left_by(thing, before)]

    def outputs(self, thing: Any, x: np.ndarray) -> dict[str, Any]:
        """What a forward gives, and what it gives besides; or what it keeps as its output."""
        method, before = getattr(thing, self.forward), dict(vars(thing))
        found = method(x) if required(method) else method()
        out, *kept = found if isinstance(found, tuple) and found else (found,)
        out = outcome(thing, out, (*OUTPUTS, *PREDICTIONS), before)
        if not isinstance(out, np.ndarray) or out.dtype.kind != "f":
            raise UnlikeError
        return {"out": out, "kept": kept, "names": [plain(p.name) for p in required(method)]}

    def value(self, thing: Any, known: Mapping[str, Any]) -> Any:
        if self.loss in LOSSES:
            found = usual_loss(self.loss, known["out"], np.asarray(known["y"]))
            if found is None:
                raise UnlikeError
            return found
        method = getattr(thing, self.loss)
        found = method(**handed(method, known))
        if not is_number(found):
            raise UnlikeError
        return found


def handed(method: Callable, known: Mapping[str, Any]) -> dict[str, Any]:
    """What a method is handed of what is known, by the names of its arguments."""
    kept, found = list(known["kept"]), rates_of(method)
    for p in required(method):
        name = plain(p.name)
        if p.name in found:
            continue
        if p.name in known and p.name not in ("out", "kept", "names"):
            found[p.name] = known[p.name]
        elif name in known["names"] or name in ("x", "xs", "input", "inputs", "data"):
            found[p.name] = known["x"]
        elif "grads" in known and (name in GRADIENTS or name.startswith("grad")):
            found[p.name] = known["grads"]
        elif is_target(p.name):
            found[p.name] = known["y"]
        elif KEPT.fullmatch(p.name) and kept:
            found[p.name] = kept.pop(0)
        elif name in PREDICTIONS or name.startswith(("y", "out", "pred")):
            found[p.name] = known["out"]
        elif name in INPUTS:
            found[p.name] = known["x"]
        elif NOTHING.fullmatch(name):
            found[p.name] = 0.0
        elif name in ("n", "m", "total", "size"):
            found[p.name] = 1
        else:
            raise UnlikeError
    return found


def named(found: Any, method: Callable) -> dict[str, Any]:
    """What comes back, by the names in the `return`."""
    return dict(zip(names_in(method), found, strict=False)) if isinstance(found, tuple) else {}


def alike(thing: Any, held: Held) -> Held:
    """What a thing holds still, in the same shape."""
    found = {}
    for name, (path, array) in held.items():
        try:
            if np.shape(get(thing, path)) == array.shape:
                found[name] = path, array
        except (AttributeError, LookupError, TypeError):  # it is there no longer
            continue
    return found
