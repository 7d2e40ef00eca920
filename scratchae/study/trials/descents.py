"""A loop of gradient descent as a function, descend(w, grad_fn, steps, lr): each step is a rate times the gradient where it stands."""

from __future__ import annotations

import inspect
import itertools
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from ..diagnosis.finding import finding
from ..styles.optimizers.ways import GRADIENT_FUNCTION
from ..styles.text.calls import parameters_of, required
from ..styles.text.names import RATES, plain
from ..styles.text.written import notes_of, text_of
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

COUNT = re.compile(
    r"n?_?(?:steps?|iters?|iterations?|epochs?|times)|num_\w+|max_iters?|max_steps?|n_\w+|n|t_?max|T", re.I
)
VALUE = re.compile(r"f|func?|function|cost|loss|objective|fn")
OTHER = re.compile(
    r"momentum|nesterov|adam|sqrt|veloc|backtrack|armijo|line.?search|newton|random|batch|noise|proj|clip|hess|conj|ascent|maximi"
)
VARIES = re.compile(r"decay|drop|schedul|anneal|warm|factor|gamma|/ ?\(1|\*\*", re.I)
STEPS = 6
A = np.array([[1.3, 0.4], [0.4, 0.7]])


def slope(w: Any) -> Any:
    return A @ w - np.array([0.5, -0.3])


def value(w: Any) -> float:
    return float(0.5 * w @ A @ w - w @ np.array([0.5, -0.3]))


def roles(function: Callable) -> dict[str, str]:
    """The arguments for the gradient, the start and the number of steps, by name; empty if it is no such loop."""
    found: dict[str, str] = {}
    for p in parameters_of(function):
        name = plain(p.name)
        if p.default is p.empty and GRADIENT_FUNCTION.match(name):
            found["slope"] = p.name
        elif COUNT.fullmatch(p.name):
            found.setdefault("count", p.name)
        elif VALUE.fullmatch(name):
            found["value"] = p.name
        elif p.default is p.empty and name not in RATES:
            found.setdefault("start", p.name)
    text = text_of(function)
    loop = (
        {"slope", "start", "count"} <= found.keys()
        and "for " in text
        and f"{found['slope']}(" in text
        and not OTHER.search(text.lower())
    )
    return found if loop and {p.name for p in required(function)} <= {*found.values(), *rates(function)} else {}


def rates(function: Callable) -> list[str]:
    return [p.name for p in parameters_of(function) if plain(p.name).rstrip("0") in RATES]


def path_of(function: Callable, told: dict[str, str], options: dict[str, Any]) -> list[np.ndarray]:
    """Where it stands after each step: all that it yields or returns, or where it ends after one step, two, and so on."""
    start = np.array([0.8, -1.1])

    def run(count: int) -> Any:
        given = {"slope": slope, "start": start.copy(), "count": count, "value": value}
        found = function(**{told[role]: given[role] for role in told} | options)
        found = [np.array(w) for w in found] if inspect.isgenerator(found) else found
        return found[0] if isinstance(found, tuple) else found

    whole = run(STEPS)
    if isinstance(whole, list) or np.ndim(whole) == 2:
        path = [np.array(w, float) for w in whole]
        return path if np.array_equal(path[0], start) else [start, *path]
    return [start, *(np.array(run(count), float) for count in range(1, STEPS + 1))]


def examine(name: str, function: Callable) -> Result:
    told, tried = roles(function), Tried()
    named = {p.name: p.default for p in parameters_of(function) if p.default is not p.empty}
    for options in ({}, dict.fromkeys(rates(function), 0.07)):
        options |= {p.name: 0.1 for p in required(function) if p.name in rates(function) and p.name not in options}
        try:
            path = path_of(function, told, options)
        except NotImplementedError:
            raise
        except Exception as error:
            return Result(UNUSABLE, "", error=error)
        if said := fault(path, named | options, f"{text_of(function)} {notes_of(function)}", rates(function)):
            fault_found = finding("optimizer", (), "", which=said)
            return Result(WRONG, "", findings=(fault_found,), tried=tried)
        tried.trials += 1
    return Result(RIGHT, "each step is a rate times the gradient where it stands", tried=tried)


def fault(path: list[np.ndarray], settings: dict[str, Any], text: str, names: list[str]) -> str:
    """What is wrong with a path; empty if nothing is."""
    found = []
    for k, (before, after) in enumerate(itertools.pairwise(path)):
        g, step = slope(before), before - after
        rate = float(step @ g / (g @ g))
        if not np.allclose(step, rate * g, rtol=1e-6, atol=1e-10):
            return f"step {k + 1} is no multiple of the gradient where it stands: is the gradient asked for at the point that moves?"
        if rate <= 0:
            return (
                f"step {k + 1} goes up the gradient: w = w - lr * gradient" if rate else f"step {k + 1} moves nothing"
            )
        found.append(rate)
    given = float(settings[names[0]]) if names and isinstance(settings.get(names[0]), int | float) else found[0]
    wanted = [given * factor for factor in factors(settings, len(found))]
    if not VARIES.search(text):
        wanted = [given] * len(found)
    elif not wanted:
        return ""
    wrong = next(
        (k for k, (a, b) in enumerate(zip(found, wanted, strict=True)) if not np.isclose(a, b, rtol=1e-6)), None
    )
    return (
        ""
        if wrong is None
        else f"the rate of step {wrong + 1} is {found[wrong]:.6g}, and should be {wanted[wrong]:.6g}"
    )


def factors(settings: dict[str, Any], count: int) -> list[float]:
    """The rates of a step decay, drop ** (k // every), where the settings are those of one; else nothing."""
    by_name = {plain(name): value for name, value in settings.items()}
    drop = next(
        (by_name[one] for one in ("drop", "droprate", "decay", "gamma", "factor", "decayrate") if one in by_name),
        None,
    )
    every = next(
        (
            v
            for n, v in by_name.items()
            if re.search("every|stepsize|dropevery|period|epochsdrop", n) and isinstance(v, int)
        ),
        None,
    )
    return [drop ** (k // every) for k in range(count)] if isinstance(drop, float) and every else []
