"""Objects of a learner's class, made in every way in which its constructor may want its arguments."""

from __future__ import annotations

import ast
import contextlib
import itertools
import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from ..study.styles.functions.loops import code_of, data_of, ran
from ..study.styles.layers.joined import choices
from ..study.styles.objects.constructed import constructed
from ..study.styles.objects.copies import duplicate
from ..study.styles.objects.stacks import runs, stacked
from ..study.styles.text.calls import required
from ..study.trials import layers, plan
from ..study.trials.inputs import candidates, variants
from ..study.trials.result import RIGHT, UNUSABLE, WRONG, Result
from ..study.trials.varied import brief

SEARCHED = 10.0  # seconds after which no further weights are tried


class NotCheckableError(Exception):
    """The file has nothing to check, or a class that cannot be instantiated; the message says what to write."""


def instance(cls: type, value: Any) -> Any:
    """The object to check: that of the file, or a new one."""
    return construct(cls) if value is None else value


def construct(cls: type) -> Any:
    """An instance of a class, with the sizes 3, 4, … as arguments of the constructor, or with layers of its file if it is made of layers."""
    if (net := stacked(cls)) is not None and runs(net):
        return net
    try:
        return constructed(cls).value
    except NotImplementedError:
        raise
    except Exception as error:
        if not required(cls):
            raise
        if (made := made_in_main(cls)) is not None:
            return made
        call = f"{cls.__name__}({', '.join(p.name for p in required(cls))})"
        raise NotCheckableError(
            f"{call} with sizes such as 3 and 4 raised {type(error).__name__}: {error}. Make an instance for the check to use: in the file "
            f"`layer = {cls.__name__}(…)` and an input `x = …` for it, or in Python check({cls.__name__}(…), x)"
        ) from error


def made_in_main(cls: type) -> Any:
    """The first object of a class that its file makes where it is run as a program, before any loop; None if it makes none."""
    file = vars(sys.modules.get(cls.__module__, object))
    with contextlib.suppress(Exception):
        for node in ast.parse(Path(file["__file__"]).read_bytes()).body:
            body = node.body if isinstance(node, ast.If) and "__main__" in ast.unparse(node.test) else []
            for place, line in enumerate(
                itertools.takewhile(lambda one: not isinstance(one, ast.For | ast.While), body)
            ):
                if re.search(rf"\b{cls.__name__}\(", ast.unparse(line)):
                    names = ran(code_of(body[: place + 1], file), file, duplicate(data_of(file)))
                    return next((one for one in names.values() if type(one) is cls), None)
    return None


def of_tuples(name: str, cls: type, file: Mapping[str, Any]) -> Iterator[Result]:
    """A class whose constructor takes a pair or four numbers, such as a padding of each side."""
    if len(required(cls)) == 1 and re.search("pad|crop|size|stride|kernel|factor|shape|scale", required(cls)[0].name):
        for argument in ((1, 2), (1, 2, 0, 3), ((1, 2), (0, 3))):
            try:
                result = layers.examine(name, cls(argument), given=array_of(file, "x"))
            except Exception:  # it wants another
                continue
            if result.code != UNUSABLE:
                yield result


def of_arrays(name: str, cls: type, file: Mapping[str, Any]) -> Iterator[Result]:
    """A class whose constructor takes its weights: made with arrays of the shapes that fit the first input for which some do. Where none
    do, what its backward raised for the first of which it runs forward."""
    given, start, first = array_of(file, "x"), time.process_time(), None
    for x in [given] if given is not None else candidates():
        count = 0
        for arguments in choices(required(cls), x, file):
            if time.process_time() - start > SEARCHED:
                break
            if any(isinstance(a, np.ndarray | np.floating) and a.size == 1 for a in arguments.values()):
                continue  # a weight of one number hides transposes and sums
            try:
                thing = cls(**arguments)
            except Exception:
                continue
            if plan.takes(thing, x) is not None:
                continue
            first = first or (arguments, x)
            if plan.fits(thing, x):
                count += 1

                def check(arguments: dict = arguments, x: np.ndarray = x, **options: Any) -> Result:
                    return layers.examine(name, cls(**arguments, **options), given=x)

                yield varied(check(), cls, check)
        if count:
            return
    if first is not None:
        result = layers.examine(name, cls(**first[0]), given=first[1], alone=True)
        yield from [replace(result, code=UNUSABLE)] if result.error is not None else []


def array_of(file: Mapping[str, Any], name: str) -> np.ndarray | None:
    """The array, or the list of numbers, that the file has under this name."""
    given = file.get(name)
    if isinstance(given, list):
        with contextlib.suppress(ValueError):
            given = np.array(given)
    if isinstance(given, np.ndarray) and given.dtype.kind in "fiub" and given.size and given.ndim:
        return given.astype(np.float64) if given.dtype.kind == "f" else given
    return None


def varied(result: Result, signature: Any, check: Callable[..., Result]) -> Result:
    """A right result, checked again with each option other than the default; the first that is wrong is said."""
    if result.code != RIGHT or signature is None:
        return result
    for options in variants(signature, guards=False):
        said = ", ".join(f"{key}={brief(option)}" for key, option in options.items())
        try:
            other = check(**options)
        except Exception:  # it does not take this option
            continue
        if other.code == WRONG:
            return replace(other, where=other.where or f"with {said}")
        if other.code == RIGHT:
            result.tried.options.append(said)
    return result
