"""Which functions of a file belong together, where more than their names tell it."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from typing import Any

import numpy as np

from ..study.styles.functions.factories import in_factories
from ..study.styles.functions.scripts import with_globals
from ..study.styles.functions.tables import by_key
from ..study.styles.functions.three import in_three
from ..study.styles.functions.two import in_one_or_two
from ..study.styles.objects.constructed import constructed
from ..study.styles.readings.several import Several
from ..study.styles.text.calls import method_of, parameters_of, required
from ..study.styles.text.names import BACKWARD, FORWARD, UPDATE, is_upstream, partner
from ..study.styles.text.written import is_empty
from ..study.trials import readings
from ..study.trials.result import RIGHT, WRONG, Result
from .fallback import best_of, or_of_functions
from .readers import check_two, returned


def together(functions: Mapping[str, Callable], subjects: Sequence[Any]) -> dict[str, list[Several]]:
    """The readings of functions besides those that are checked already, by name. subjects: what is checked."""
    found: dict[str, list[Several]] = {}
    named, checked = {one.name for one in subjects}, [one.value for one in subjects]
    names, threes = {function: name for name, function in functions.items()}, [*in_three(functions)]
    values = {part for one in threes for part in one.parts[:2]}
    twos = {name: functions[other] for name in functions if (other := partner(name, functions))}
    values |= {functions[name] for name in twos}
    backwards = {slope for slope in twos.values() if any(is_upstream(p.name) for p in required(slope))}
    for reading in itertools.chain(threes, in_one_or_two(functions), in_factories(functions)):
        slope = names.get(reading.source, "")
        if (
            reading.source in values
            or reading.name in named
            or (len(reading.parts) > 1 and reading.source in checked)
        ):
            continue  # what a value returns besides is a cache, and no gradient
        if slope == reading.name and reading.source in backwards:
            continue  # which is handed ∂L/∂y, and no value
        if slope == reading.name or not of_another(reading.name, slope, functions):
            found.setdefault(reading.name, []).append(with_globals(reading))
    return found


def unless_of_another(
    pairs: list[Several], functions: Mapping[str, Callable], file: Mapping[str, Any]
) -> Result | None:
    """What the readings of a function come to; where they are wrong, without what gives gradients that are right for another value, whose
    it is."""
    result = best_of(pairs, file)
    others = [
        one
        for one in in_one_or_two(functions)
        if one.source is pairs[-1].source and one.parts not in [pair.parts for pair in pairs]
    ]
    if result is None or result.code != WRONG or not others:
        return result
    right = readings.best(map(with_globals, others), file)
    if right is None or right.code != RIGHT:
        return result
    rest = [one for one in pairs if one.source is not pairs[-1].source]
    return unless_of_another(rest, functions, file) if rest else None


def of_another(name: str, slope: str, functions: Mapping[str, Callable]) -> bool:
    """Whether a derivative takes what another value takes, such as policy_backward what log_likelihood takes, or belongs to a net in
    three functions."""
    if any(one.source is functions[slope] for one in in_three(functions)):
        return True
    asked = [[p.name for p in required(functions[one])] for one in (name, slope)]
    others = [other for one, other in functions.items() if one not in (name, slope)]
    return asked[0] != asked[1] and len(asked[1]) > 2 and asked[1] in [[p.name for p in required(f)] for f in others]


def takes_all(value: Callable, slope: Callable) -> bool:
    """Whether a derivative takes all that its value takes, four arguments or more, so that it is handed no ∂L/∂y."""
    asked = [[p.name for p in required(one)] for one in (value, slope)]
    return asked[0] == asked[1] and len(asked[0]) > 3


def of_pair(
    name: str, slope: str, functions: Mapping[str, Callable], file: Mapping[str, Any]
) -> Iterator[tuple[str, Callable[[], Result]]]:
    """The checks of a value and its derivative, by their titles: one for each key of a table in which they look up what they are."""
    both = functions[name], functions[slope]
    keyed = [(f"{name}({key!r})", *pair) for key, *pair in by_key(*both, file)]
    yield from ((title, partial(check_two, title, *pair, file)) for title, *pair in keyed)
    if not keyed:
        yield name, partial(or_of_functions, name, functions, check_two, name, *both, file)


def any_number(cls: type) -> bool:
    """Whether its forward takes any number of arrays, forward(*xs), which the check of a class of several arguments hands over."""
    name = method_of(cls, (*FORWARD, "loss"))
    asked = parameters_of(getattr(cls, name))[1:] if name else []
    return bool(asked) and asked[0].kind is inspect.Parameter.VAR_POSITIONAL


def written_out(classes: Iterable[type]) -> list[type]:
    """The classes without those that others of them are made of, and stand for."""
    classes = list(dict.fromkeys(classes))
    return [c for c in classes if not any(stands_for(other, c) for other in classes if other is not c)]


def stands_for(other: type, cls: type) -> bool:
    """Whether what a class does is seen in one made of it: that one has its forward or its backward."""
    methods = {name: vars(cls)[name] for name in (*FORWARD, *BACKWARD, *UPDATE) if name in vars(cls)}
    own = [name for name, method in methods.items() if not is_empty(method)]
    return issubclass(other, cls) and (not own or any(name not in vars(other) for name in own))


def is_helper(cls: type) -> bool:
    """Whether what an object gives when it is called is an array alone: an activation that others use, without a derivative."""
    try:
        thing = constructed(cls).value
        found = [returned(thing, count, {}) for count in (1, 2) if len(required(thing)) == count]
    except Exception:
        return False
    return bool(found) and isinstance(found[0], np.ndarray) and found[0].ndim > 0


def others_like(slope: str, functions: Mapping[str, Callable]) -> list[str]:
    """Other writings of a derivative, for the same arguments: batchnorm_backward_alt beside batchnorm_backward."""
    asked = [p.name for p in required(functions[slope])]
    return [
        name
        for name, function in functions.items()
        if re.fullmatch(
            rf"{slope}_?(?:alt\w*|fast\w*|simple|simplified|naive|slow|vec\w*|v?2|loops?|im2col|efficient)", name
        )
        and [p.name for p in required(function)] == asked
    ]
