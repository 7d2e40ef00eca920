"""An optimizer against its definition, over several steps, with its settings varied."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.objects.constructed import constructed
from ..styles.optimizers.handed import FORMS, Arrays
from ..styles.optimizers.holding import Holding
from ..styles.optimizers.updating import Functional, Updating
from ..styles.optimizers.ways import ways
from ..styles.optimizers.within import Within, updates
from ..styles.text.calls import parameters_of
from ..styles.text.names import plain
from ..styles.text.written import notes_of, text_of
from .definitions import FAMILIES, NAMES
from .inputs import variants
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried
from .settings import FLAGS, SETTINGS, family, filled, is_told, setting
from .steps import Choice, Problem, defined, equal, named, path_of, problem, rights

SMALL = 1e-5  # gradients for which an ε of 1e-8 counts if it stands inside a root
INSIDE = (
    "ε stands inside of the root, √(v̂ + ε); the paper (Kingma & Ba 2015) and the libraries add it to the root, √v̂ + ε. "
    "For gradients as small as √ε, the steps are much smaller here. If it is meant so, a comment says it"
)
SHARED = "parameters of one shape share what is kept from step to step: each needs a state of its own (v, m, t)"


class UnknownError(Exception):
    """No definition is known for an optimizer."""


class UnchangedError(UnknownError):
    """An optimizer runs, and changes nothing."""


def running(
    make: Callable[[], Updating], seed: int, size: float = 1.0, alike: bool = False
) -> tuple[Problem, list[Arrays], Updating]:
    theirs = make()
    given = problem(seed, theirs, size, alike)
    with np.errstate(all="ignore"):
        return given, path_of(lambda p, g, t: theirs.update(p, g, t), given), theirs


def usable(make: Callable[[], Updating], alike: bool = False) -> bool:
    """Whether an optimizer runs in this way, and moves its parameters. alike: on parameters of one shape."""
    for seed in (0, 1, 2):
        try:
            given, path, _ = running(make, seed, alike=alike)
        except NotImplementedError:
            raise
        except Exception:
            return False
        p = given.start
        if len(path[0]) != len(p) or any(a.shape != b.shape for a, b in zip(p, path[0], strict=True)):
            return False
        if all(np.array_equal(a, b) for a, b in zip(p, path[-1], strict=True)):
            return False
    return True


def examine(name: str, value: Any, cls: Any) -> Result:
    """Check an optimizer against its definition. value: an object or function; cls: its class, or a function that makes such, for others."""
    tried, makes, found = Tried(), [(lambda: value, {}, "")], []
    for options in [{}, *variants_of(cls or value)] if cls is not None or inspect.isfunction(value) else ():
        unknown = [key for key, option in options.items() if isinstance(option, bool) and not is_setting(key)]
        if unknown:  # it makes another optimizer of it
            tried.left_out.append(", ".join(unknown))
            continue
        said = ", ".join(f"{k}={v!r}" for k, v in options.items())
        made = (lambda: value) if cls is None else (lambda options=options: constructed(cls, **options).value)
        makes.append((made, options, said))
    if value is None:
        makes = makes[1:]
    built = list(ways(makes[0][0], cls, {}))
    way = next((i for i, one in enumerate(built) if usable(one)), None)
    if way is None:
        of_one_shape = next((one for one in built if usable(one, alike=True)), None)
        result = compared(name, of_one_shape, "", {}, tried, alike=True) if of_one_shape is not None else None
        if result is not None and result.code == WRONG:
            return result
        error = first_error(name, built)
        return Result(WRONG if isinstance(error, UnchangedError) else UNUSABLE, "", error=error)
    built_first = built[way]
    for make, options, said in makes:
        built = list(ways(make, cls, options))
        if way >= len(built) or not usable(built[way]):
            continue
        result = compared(name, built[way], said, options, tried)
        if result is None:
            continue
        if result.code != RIGHT:
            return result
        found += [one for one in result.findings if one not in found]
    alike = compared(name, built_first, "", {}, tried, alike=True)
    if alike is not None and alike.code == WRONG:
        fault = finding("optimizer", (), alike.findings[0].evidence, which=SHARED)
        return replace(alike, findings=(fault,), where="for parameters of one shape", tried=tried)
    if (fault := keeps_gradients(built_first)) is not None:
        return Result(WRONG, "", findings=(fault,), tried=tried)
    tried.left_out.append("gradients of other sizes than about 1")
    return Result(RIGHT, "", tried=tried, findings=tuple(found))


def keeps_gradients(make: Callable[[], Updating]) -> Finding | None:
    """A finding if the optimizer has a zero_grad, and it leaves gradients as they are."""
    theirs = running(make, 0)[2]
    try:
        if not isinstance(theirs, Holding) or theirs.zeroes():
            return None
    except Exception:  # it wants other objects
        return None
    return finding("not_zeroed", (), "after zero_grad a gradient of ones is still there")


def compared(
    name: str, make: Callable[[], Updating], said: str, options: Mapping[str, Any], tried: Tried, alike: bool = False
) -> Result | None:
    """Its steps with some options beside those of the definition, from several starts. None if it does not run."""
    remarks: list = []
    result = None
    for seed in (0, 1, 2):
        try:
            given, path, theirs = running(make, seed, alike=alike)
        except NotImplementedError:
            raise
        except Exception:
            continue
        found, source, told = theirs.settings(), text_of(theirs.source), theirs.called(name)
        which = family(told, found)
        unknown = UnknownError(
            f"{name} is none of {', '.join(FAMILIES)}, so that there is no definition to compare it with. If it is one of "
            "them under another name, its class or function has to say so: class MyAdam"
        )
        if which is None:
            return Result(UNUSABLE, "", error=unknown)
        if which not in ("momentum", "sgd", "rmsprop") and any(
            plain(key) == "momentum" and option for key, option in options.items()
        ):
            tried.left_out.append(
                f"momentum in {NAMES[which].partition(',')[0]}"
            )  # of which there is no definition here
            return None
        choices = list(filled(which, found, source))
        right = list(rights(which, told, choices[0], found, source))
        tried.trials += 1
        if said and said not in tried.options:
            tried.options.append(said)
        tried.shapes += [str(a.shape) for a in given.start if str(a.shape) not in tried.shapes]
        agrees = next(
            ((h, one) for h in choices for one in right if equal(path, defined(which, h, "", one, given))), None
        )
        if agrees is None and not is_told(told):
            return Result(UNUSABLE, "", error=unknown)
        if agrees is None:
            fault = named(which, right, choices[0], given, path)
            return Result(WRONG, "", where=f"with {said}" if said else "", findings=(fault,), tried=tried)
        if seed == 0:
            for text, meant in remarks_of(which, agrees[1], make, choices, right):
                if not re.search(meant, notes_of(theirs.source), re.I):
                    return Result(WRONG, "", findings=(finding("optimizer", (), "", which=text),), tried=tried)
                remarks.append(finding("unusual_step", (), "", which=text))
        result = Result(RIGHT, "", findings=tuple(remarks))
    return result


def remarks_of(
    which: str, choice: Choice, make: Callable[[], Updating], choices: list[dict], right: list[Choice]
) -> Iterator[tuple[str, str]]:
    """What is not as in the libraries, and how the author says that it is meant."""
    if choice.remark:
        yield choice.remark, "paper|loshchilov|without|schedul|independent|fully"
    if which != "adam":
        return
    given, path, _ = running(make, 0, SMALL)
    like = [one for one in right if (one.decay, one.rate) == (choice.decay, choice.rate)]
    agree = [one.form["form"] for one in like if any(equal(path, defined(which, h, "", one, given)) for h in choices)]
    if "inside" in agree and "plain" not in agree:
        yield INSIDE, "inside|root|hat|under"


def of_layer(name: str, layer: Any) -> Result | None:
    """Check the update of a layer that updates itself; None if it has none that is known."""
    method = updates(layer)
    if method is None:
        return None
    try:
        running(lambda: Within(layer, method), 0)
    except ValueError as error:  # it mixes up parameters: each comes with its gradient in its shape
        return Result(WRONG, "", error=error)
    except Exception:  # it wants more
        pass
    if not usable(lambda: Within(layer, method)):
        return None
    result = compared(f"{name}.{method}", lambda: Within(layer, method), "", {}, Tried())
    return result if result is not None and result.code != UNUSABLE else None


def is_setting(name: str) -> bool:
    return any(plain(name) in names for names in SETTINGS.values())


def variants_of(cls: Any) -> Iterator[dict[str, Any]]:
    """Other settings, the learning rate and the decay too."""
    # a setting of which a class that takes over the constructor of another does not speak is the other's
    own = getattr(vars(cls).get("__init__"), "__code__", None)
    spoken = text_of(cls) if isinstance(cls, type) and (own is None or own.co_argcount == 1) else None
    parameters = [p for p in parameters_of(cls) if p.default is not p.empty and (spoken is None or p.name in spoken)]
    for words in variants(cls):
        if spoken is None or all(name in spoken for name in words):
            yield words
    for parameter in parameters:
        name, default = plain(parameter.name), parameter.default
        if isinstance(default, float) and name in SETTINGS["lr"]:
            yield {parameter.name: 0.05}
        if default == 0 and not isinstance(default, bool) and name in SETTINGS["mu"] + SETTINGS["wd"]:
            yield {parameter.name: 0.3}
    flags = {
        p.name: True for p in parameters if p.default is False and any(plain(p.name) in SETTINGS[f] for f in FLAGS)
    }
    settings = {
        p.name: 0.3
        for p in parameters
        if type(p.default) in (int, float) and plain(p.name) in SETTINGS["momentum"] + SETTINGS["wd"]
    }
    for flag in flags:
        if settings:
            yield {flag: True} | settings


def first_error(name: str, built: list[Callable[[], Updating]]) -> Exception:
    """Why none of the ways to run an optimizer is usable: it changes nothing in all that run, or the error of the first."""
    errors = []
    for make in built:
        try:
            given, path, theirs = running(make, 0)
        except NotImplementedError:
            raise
        except Exception as error:
            errors.append(error)
            continue
        same = len(path[-1]) == len(given.start) and all(map(np.array_equal, given.start, path[-1]))
        if same and theirs.silent:
            return UnchangedError(
                "after six steps the parameters are what they were: the update has to work in place, `p -= lr * gradient`, or to "
                "return the new parameters. `p = p - lr * gradient` only gives a new array the name p"
            )
        found, returned = theirs.settings(), type(theirs) in (Updating, Functional) and theirs.form in FORMS[:3]
        if same and returned and is_told(name) and family(name, found) and setting(found, "lr"):
            return UnchangedError(
                "after six steps the parameters are what they were: what the update returns are those that it was handed"
            )
    return (
        errors[0]
        if errors
        else UnknownError("update(parameters, gradient) changes nothing, and returns nothing of their shapes")
    )
