"""The trials of a model in one class: arguments for a method that gives its gradients or makes a step, and what comes of it."""

from __future__ import annotations

import ast
import contextlib
import inspect
import itertools
import re
import time
import traceback
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ..styles.classes.models import is_value
from ..styles.losses import TARGETS
from ..styles.objects.fresh import Objects
from ..styles.readings.several import Arrays, Several
from ..styles.text.calls import required
from ..styles.text.names import IS_COST, plain
from ..styles.text.written import indices_in, returns, text_of
from .alike import Equal, axes
from .directed import in_order
from .divergences import MEANS, SPREADS
from .fits import Fits
from .fitting import Fitting, constants
from .result import RIGHT, WRONG, Result
from .several import KINDS, moves_as_much, promising, trials
from .terms import evaluated, tensors_of

SECONDS = 4.0  # after which nothing further is tried
MOST = 90  # arguments of a reading
DATA = {
    "rows": "fND fDK fNTD fNK fD iN iT fN fNCHW fNDHW",
    "columns": "fDN fD1 fKN fD fND",
}
LABELS = {
    "rows": "iN fNA fND oNA fN fN1 iN1 bN fNTD fNK fA iT jN fNTA",
    "columns": "fA1 fAN fK1 fKN fDN fD1 iN f1N oAN n fA",
}
NOISE = "fND fNA fNK bND fN fDN"
LABEL = re.compile(r"y|ys|y_\w+|labels?|t|one_?hot", re.I)
IS_STATE = re.compile(r"[hc]\d?$|[hc]_?prev|prev|state|h_?0|c_?0|memory", re.I)
IS_NOISE = re.compile(r"eps\w*|noise|u|xi|z", re.I)
IS_MASK = re.compile(r"m|mask\w*|observed|known|rated|w", re.I)
OTHER_TERMS = re.compile(
    r"spars|\brho\b|kl_|_kl\b|penal|regulari[sz]|lambda_|lambd\b|lmbd|\blam\b|\breg\b|decay|contractive|smooth|\.sign\(",
    re.I,
)
IS_SETTING = re.compile(
    r"lam\w*|lmbd\w*|reg\w*|beta|gamma|mu|momentum|l1|l2|alpha|\w*decay|weight_cost|temp\w*|p|rho", re.I
)


def kinds_of(name: str, layout: str, noise: bool, in_time: bool, index: bool) -> list[str]:
    """What an argument may be, the likeliest first. in_time: beside the state of a step before. index: it chooses rows."""
    if in_time:
        return ["fK1", "fNK", "fK"] if IS_STATE.match(name) else ["iN", *DATA["columns"].split()]
    if IS_SETTING.fullmatch(name):
        return ["p"]
    if re.fullmatch(r"k|n|n_?steps|t|m", name) and not LABEL.fullmatch(name):
        return ["n", "fND"]
    if noise and IS_MASK.fullmatch(name):
        return ["bDK", *(f"b{kind[1:]}" for kind in NOISE.split()), "fND"]
    if noise and IS_NOISE.fullmatch(name):
        return NOISE.split()
    if LABEL.fullmatch(name) or plain(name) in TARGETS:
        return [*LABELS[layout].split(), *(["n"] if index else [])]
    return [*(["n", "iN"] if index else []), *DATA[layout].split()]


def found_for(thing: Several) -> Iterator[Fitting]:
    """Arguments that it takes, whose gradients have the shapes of its parameters; of a class that is handed no sizes, of those it holds."""
    yield from of_usual_sizes(thing)
    if thing.cls is not None and not required(thing.cls):
        yield from beside_script(thing)


def of_usual_sizes(thing: Several) -> Iterator[Fitting]:
    takes = Fits(thing, True, False)
    for chosen in choices(thing):
        fitting = Fitting(chosen, {}, False)
        takes.unlike = 0
        fits = takes(fitting(0, 0))
        if fits is None:  # such as a logarithm of numbers below 0
            fitting.positive = True
            fits = takes(fitting(0, 0))
        if fits and (second := next((sizes for sizes in (1, 2) if takes(fitting(sizes, 1))), 0)):
            fitting.second = second
            yield fitting


def of_equal_sizes(thing: Several) -> Iterator[Fitting]:
    """Arguments of equal sizes, of a class that is handed sizes, whose gradients do not run for any sizes for which its value does."""
    refused = (chosen for chosen in choices(thing) if refuses(thing, Fitting(chosen, {}, False)))
    for chosen in itertools.islice(refused, 12) if thing.cls is not None and required(thing.cls) else ():
        fitting = Equal({name: axes(kind) for name, kind in chosen.items()}, {}, False)
        if Fits(thing, True, False)(fitting(0, 0)):
            yield fitting


def refuses(thing: Several, fitting: Fitting) -> bool:
    """Whether the lines that give the gradients raise an error about shapes, after the value was had."""
    try:
        evaluated(thing, thing.complete(fitting(0, 0), 0))
    except ValueError as error:
        ran = [frame.f_code for frame, _ in traceback.walk_tb(error.__traceback__)]
        return len(thing.parts) > 1 and getattr(thing.source, "__code__", None) in ran
    except Exception:
        pass
    return False


def choices(thing: Several) -> Iterator[dict[str, str]]:
    """A kind for each argument, the likeliest first."""
    names = [p.name for p in thing.parameters]
    methods = [method for _, method in inspect.getmembers(thing.cls, inspect.isfunction)]
    held, indices = thing.held({"sizes": 0}).values(), indices_in([*thing.parts, *methods], names)
    columns = any(array.ndim == 2 and array.shape[1] == 1 < len(array) for array in held)
    for layout in ("columns", "rows") if columns else ("rows", "columns"):
        in_time = any(map(IS_STATE.match, names))
        options = [kinds_of(name, layout, i > 0, in_time, name in indices) for i, name in enumerate(names)]
        if any(plain(name) in SPREADS for name in names):  # beside which mu is a mean, and no momentum
            options = [
                DATA[layout].split() if plain(name) in MEANS else one
                for name, one in zip(names, options, strict=True)
            ]
        for places in itertools.islice(in_order([len(one) for one in options]), MOST):
            yield {name: one[i] for name, one, i in zip(names, options, places, strict=True)}


def beside_script(thing: Several) -> Iterator[Fitting]:
    """Arguments that fit the arrays of a script: of their sizes, N examples or steps, and numbers of classes or rows."""
    names, takes = [p.name for p in thing.parameters], Fits(thing, True, False)
    held = thing.held({}) or (Objects(thing.cls).held({}) if thing.cls is not None else {})
    sizes = sorted({n for array in held.values() for n in array.shape if n > 1})
    pool = {chr(ord("a") + i): size for i, size in enumerate(sizes[:5])}
    options = [of_script(name, list(pool)) for name in names]
    for places in itertools.islice(in_order([len(one) for one in options]), 4 * MOST):
        chosen = {name: one[i] for name, one, i in zip(names, options, places, strict=True)}
        fitting, takes.unlike = Fitting(chosen, {}, False, 2, pool), 0
        if takes(fitting(0, 0)) and takes(fitting(2, 1)):
            yield fitting


def of_script(name: str, letters: list[str]) -> list[str]:
    rows, columns = [f"fN{a}" for a in letters], [f"f{a}N" for a in letters]
    single, alone = [f"f{a}1" for a in letters], [f"f{a}" for a in letters]
    if IS_SETTING.fullmatch(name):
        return ["p"]
    if IS_STATE.match(name):
        return single + rows + alone
    if (
        LABEL.fullmatch(name)
        or plain(name) in TARGETS
        or re.match("inputs|tok|idx|ind|seq|ids|words|chars", name, re.I)
    ):
        return ["iN", *rows, "fN1", *columns, *single, *(f"oN{a}" for a in letters), "fN", *alone]
    return [*rows, *columns, *single, "iN", *alone]


def best(things: Iterable[Several]) -> Result | None:
    """Right if one reading is; else the first that is wrong beyond doubt; None if no value was found."""
    worst, end = None, time.process_time() + SECONDS
    things = list(things)
    with np.errstate(all="ignore"):
        for thing in things:
            try:
                for fitting in itertools.islice(beside_script(thing) if thing.cls is None else found_for(thing), 3):
                    if worst is not None and any("1" in kind for kind in fitting.chosen.values()):
                        continue  # of one example, which hides what is wrong
                    result = trials(thing, fitting, False)
                    if result.code != RIGHT and result.report is not None:
                        result = of_other_numbers(thing, fitting, result) or result
                    if (
                        result.code == WRONG
                        and thing.updates
                        and is_penalised(thing.complete(fitting(0, 0), 0), result)
                    ):
                        result.tried.only.append("with a penalty that is in its gradients, and in no value")
                        result = replace(result, code=RIGHT)
                    if result.code == RIGHT:
                        zeros = getattr(thing.run, "zeros", ())
                        result.tried.only.extend([f"where {' and '.join(zeros)} are 0"] if zeros else [])
                        return result
                    doubtful = thing.updates and has_other_terms(thing.cls, *thing.parts)
                    if result.report is not None and not doubtful and is_believed(thing, result, things):
                        worst = result.rather_than(worst)
                    if time.process_time() > end:
                        return worst
            except NotImplementedError:
                raise
            except Exception:  # an object cannot be made, or its form is another
                continue
            if time.process_time() > end:
                break
        return worst or next(filter(None, (where_all_are_equal(one, things) for one in things)), None)


def where_all_are_equal(thing: Several, things: Sequence[Several]) -> Result | None:
    """What is wrong for equal sizes, where for others it does not run."""
    with contextlib.suppress(Exception):
        for fitting in itertools.islice(of_equal_sizes(thing), 2):
            result = trials(thing, fitting, False)
            if result.code == WRONG and result.report is not None and is_believed(thing, result, things):
                return replace(result, where="where all sizes are equal, and for others it does not run")
    return None


def has_other_terms(*parts: Any) -> bool:
    """Whether a text speaks of more than a loss, of which the gradients may be beside those of a usual one."""
    return any(OTHER_TERMS.search(text_of(one)) for one in parts if one is not None)


def is_penalised(arguments: Arrays, result: Result) -> bool:
    """Whether each gradient is that of the value, with c W of a penalty ½ c W²."""
    arrays = tensors_of(arguments)
    for check in result.report.checks:
        rest, w = check.analytic - check.numeric, arrays[check.name]
        if rest.shape != w.shape:  # of another trial
            return False
        c = (
            (rest * w).sum() / max((w * w).sum(), 1e-300) if w.size > 1 else 0.0
        )  # one number is a multiple of another
        if not (c > -1e-6 and np.allclose(rest, c * w, rtol=0, atol=1e-5 * max(np.abs(check.numeric).max(), 1e-8))):
            return False
    return True


def of_other_numbers(thing: Several, fitting: Fitting, worst: Result) -> Result | None:
    """What is right for numbers that are meant, such as one-hot rows or a mask of 0 and 1."""
    for other in constants(fitting, {check.name for check in worst.report.checks}):
        if promising(thing, other):
            result = trials(thing, other, False)
            if result.code == RIGHT and moves_as_much(result, worst):
                changed = next(name for name, kind in other.chosen.items() if kind != fitting.chosen[name])
                result.tried.only.append(f"for {KINDS[other.chosen[changed][0]].format(changed)}")
                return result
    return None


def is_believed(thing: Several, result: Result, things: Sequence[Several]) -> bool:
    """Whether what is wrong is wrong: its value comes from the same method, or from the only one that may give it; else some gradients
    are right."""
    if any(check.passed and np.any(check.analytic) for check in result.report.checks):
        return True
    if len(thing.parts) > 1 and not any(is_value(one.__name__) for one in thing.parts[:-1]):
        return False  # the name of its value tells nothing
    if thing.descends:  # what a step returns may be another measure than what it descends
        return any(IS_COST.search(ast.unparse(node)) for node in returns(thing.source))
    return len({other.parts[:-1] for other in things if len(other.parts) > 1}) <= 1 or len(thing.parts) == 1
