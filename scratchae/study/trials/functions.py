"""The trials of a loss or penalty: batch sizes, numbers of features, kinds of targets, numbers inside and outside (0, 1)."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from ...errors import ShapeError
from ..diagnosis.finding import finding
from ..differences import TOLERANCE, GradientReport
from ..gradcheck import check_gradients
from ..styles.losses import Loss
from ..styles.text.names import BACKWARD
from ..styles.text.written import notes_of, text_of
from . import divergences, jumps
from .blamed import frames_of
from .result import RIGHT, UNUSABLE, WRONG, Result, Tried

Inputs = tuple[np.ndarray, ...]


@dataclass(frozen=True)
class Draw:
    """Inputs for a loss: aspect is what is varied, says how."""

    aspect: str
    says: str
    kind: str
    inputs: Inputs


def uniform(seed: int, *shape: int) -> np.ndarray:
    return np.random.default_rng(seed).uniform(0.05, 0.95, shape)


def normal(seed: int, *shape: int) -> np.ndarray:
    return 1.5 * np.random.default_rng(seed).standard_normal(shape)


def one_hot(seed: int, n: int, d: int) -> np.ndarray:
    return np.eye(d)[np.random.default_rng(seed).integers(0, d, n)]


def shares(seed: int, n: int, d: int) -> np.ndarray:
    found = uniform(seed, n, d)
    return found / found.sum(axis=1, keepdims=True)


def labels(seed: int, n: int, d: int) -> np.ndarray:
    return np.random.default_rng(seed).integers(0, d, n)


def signs(seed: int, *shape: int) -> np.ndarray:
    return np.sign(np.random.default_rng(seed).standard_normal(shape))


LABELS = "labels -1 and 1"
SIGNED = re.compile(r"[-−]\s?1(?:\.0?)?\s*(?:,|/|or|and)\s*\+?1\b|\+?\b1\s*(?:,|/|or|and)\s*[-−]\s?1\b|±\s?1")
# kinds of (prediction, target): the first that a loss takes is the first trial
KINDS: tuple[tuple[str, Callable[[int, int, int], Inputs]], ...] = (
    ("numbers", lambda k, n, d: (uniform(k, n, d), uniform(k + 50, n, d))),
    ("class numbers", lambda k, n, d: (normal(k, n, d), labels(k, n, d))),
    ("class numbers, probabilities", lambda k, n, d: (shares(k, n, d), labels(k, n, d))),
    ("single numbers", lambda k, n, d: (uniform(k, n), uniform(k + 50, n))),
    ("columns", lambda k, n, d: (uniform(k, n, 1), uniform(k + 50, n, 1))),
    ("one-hot rows", lambda k, n, d: (uniform(k, n, d), one_hot(k, n, d))),
    ("rows that sum to 1", lambda k, n, d: (uniform(k, n, d), shares(k, n, d))),
    (LABELS, lambda k, n, d: (normal(k, n), signs(k, n))),
)
ALONE: tuple[tuple[str, Callable[[int, int, int], Inputs]], ...] = (
    ("numbers", lambda k, n, d: (uniform(k, n, d),)),
    ("single numbers", lambda k, n, d: (uniform(k, n),)),
)


SUMMING_TO_ONE = {"one-hot rows", "rows that sum to 1"}
CLASSES = {"class numbers", "class numbers, probabilities"}
OUTSIDE = {"class numbers", LABELS}  # kinds with predictions outside of (0, 1)


def bounded(source: str) -> bool:
    """Whether a loss is meant for numbers in (0, 1): it clips them, or takes their logarithm."""
    return "clip" in source or (bool(re.search(r"\blog\b|log2|log1p", source)) and "exp" not in source)


def draws(
    arguments: int,
    given: Inputs | None,
    source: str,
    alike: bool = False,
    signed: bool = False,
    held: Sequence[tuple[int, ...]] = (),
) -> Iterator[Draw]:
    """Inputs for a function of one or two arguments. Those given come first. alike: both arguments have the same shape. signed: the
    author says that targets are -1 and 1. held: the shapes of arrays with which a function was made, which those of examples may be."""
    if given is not None:
        yield Draw("first", "the arrays of the file", "given", given)
    kinds = KINDS if arguments == 2 else ALONE if arguments == 1 else ()
    kinds = [kind for kind in kinds if not (bounded(source) and kind[0] in OUTSIDE)]
    if alike:
        kinds = [kind for kind in kinds if kind[0] in ("numbers", "single numbers")]
    if signed and any(kind[0] == LABELS for kind in kinds):
        kinds = [kind for kind in kinds if kind[0] == LABELS]
    kinds = [*kinds, *((f"examples of shape {shape}", of_shape(arguments, shape)) for shape in held)]
    for name, make in kinds:
        yield Draw("first", name, name, make(1, 5, 3))
    for n in (2, 7, 1):
        for name, make in kinds:
            yield Draw("batch", f"for a batch of {n}", name, make(n, n, 3))
    for name, make in kinds:
        yield Draw("sizes", "for 4 features", name, make(3, 5, 4))
    if not bounded(source) and not signed:
        yield Draw(
            "given",
            "for numbers outside of (0, 1)",
            "numbers",
            tuple(normal(k, 6, 3) for k in range(4, 4 + arguments)),
        )


def of_shape(count: int, shape: tuple[int, ...]) -> Callable[[int, int, int], Inputs]:
    return lambda k, n, d: tuple(uniform(k + 50 * i, n, *shape) for i in range(count))


def shapes_held(function: Any) -> list[tuple[int, ...]]:
    """The shapes of the arrays with which a function was made that is written in another."""
    cells = getattr(getattr(function, "source", None) or function, "__closure__", None) or ()
    arrays = (one.cell_contents for one in cells if isinstance(one.cell_contents, np.ndarray))
    return list(dict.fromkeys(one.shape for one in arrays if one.dtype.kind == "f" and one.ndim))


def taken(function: Callable, inputs: Inputs) -> Exception | None:
    """The error of a function at these inputs; None if it takes them and its value is finite."""
    try:
        with np.errstate(all="ignore"):
            found = function(*(array.copy() for array in inputs))
    except NotImplementedError:
        raise
    except Exception as error:
        return error
    if (
        isinstance(found, tuple)
        and np.ndim(found[0]) == 0
        and not isinstance(found[0], dict | str)
        and not np.isfinite(found[0])
    ):
        return ValueError("its value is not finite")
    return None


def examine(
    function: Callable, arguments: int, given: Inputs | None = None, alone: bool = False, alike: bool = False
) -> Result:
    """Check a function (prediction, target) -> (value, gradient), or (z, …) -> (value, gradient, …)."""
    tried, first, refused, misshapen = Tried(), None, None, None
    source = source_of(function)
    tolerance = tolerance_of(source)
    right: dict[str, None] = {}  # the kinds of inputs for which it is right, in order
    summing: Result | None = None  # of numbers, while other targets may still be right
    for draw in draws(arguments, given, source, alike, bool(SIGNED.search(said_of(function))), shapes_held(function)):
        if (alone and draw.kind != "given") or (draw.aspect != "first" and draw.kind not in list(right)[:2]):
            continue
        if summing is not None and draw.kind not in SUMMING_TO_ONE | CLASSES:
            continue
        error = taken(function, draw.inputs)
        if error is None:
            try:
                with np.errstate(all="ignore"):
                    report = check_gradients(function, *draw.inputs, tolerance=tolerance)
            except NotImplementedError:
                raise
            except ShapeError as found:  # of a gradient
                misshapen = misshapen or found
                continue
            except Exception as found:
                error = found
        if error is not None:
            refused = refused or error
            continue
        if not all(np.isfinite(check.numeric).all() for check in report.checks):
            continue
        note(draw, tried)
        if report.passed:
            first = first or (draw, report)
            right[draw.kind] = None
            continue
        if first is not None and draw.aspect == "first" and by_fewer_axes(function, draw, first[0], tolerance):
            tried.left_out.append(f"{draw.says}, which are taken for one example, and not for one number of each")
            continue
        result = wrong(function, draw, report, first, tried)
        if draw.says == "numbers" and arguments == 2:
            summing = result
        elif not (summing and draw.says == "rows that sum to 1" and right.keys() & CLASSES):
            return result if draw.kind in CLASSES else summing or result
    softmax = "exp" in source or "softmax" in source.lower()
    of_classes = "one-hot rows" in right and right.keys() & CLASSES
    if summing is not None and not (of_classes or (softmax and "rows that sum to 1" in right)):
        return summing
    if first is None and misshapen is not None:
        return Result(WRONG, "", error=misshapen, tried=tried)
    if first is None:
        return Result(UNUSABLE, "", error=refused, shape=None if given is None else given[0].shape, tried=tried)
    if summing is not None:
        other = "rows do not sum to 1" if right.keys() >= SUMMING_TO_ONE else "rows are not one-hot"
        tried.left_out.append(f"targets whose {other}, for which the gradient is not that of the value")
    if isinstance(function, Loss) and function.reduced is np.sum and function.of_each(*first[0].inputs):
        tried.only.append("for the sum of the values of the examples, and not for their mean")
    remarks = (
        *divergences.below_zero(function, arguments),
        *divergences.from_normal(function, arguments),
        *(divergences.of_shares(function) if arguments == 1 else ()),
    )
    if remarks and (arguments == 1 or remarks[0].kind == "other_value" or divergences.is_promised(function)):
        return Result(WRONG, "", findings=remarks, tried=tried)
    if faults := tuple(jumps.of_function(function, first[0].inputs)):
        return Result(WRONG, "", findings=faults, tried=tried)
    report = replace(first[1], findings=(*first[1].findings, *remarks))
    return Result(RIGHT, "", report=report, tried=tried, layer=function)


def by_fewer_axes(function: Callable, draw: Draw, first: Draw, tolerance: float) -> bool:
    """Whether inputs with fewer axes than those that were right are taken without being meant: the code does not ask how many there are, and
    with as many axes the same kind of numbers is right."""
    if draw.inputs[0].ndim >= first.inputs[0].ndim or re.search(r"\bndim\b|shape\)", source_of(function)):
        return False
    wider = tuple(np.stack([np.roll(array, k) for k in range(3)], axis=1) for array in draw.inputs)
    with np.errstate(all="ignore"):
        return taken(function, wider) is None and check_gradients(function, *wider, tolerance=tolerance).passed


def note(draw: Draw, tried: Tried) -> None:
    tried.trials += 1
    tried.batches.add(len(draw.inputs[0]))
    shape = " and ".join(str(array.shape) for array in draw.inputs)
    if shape not in tried.shapes:
        tried.shapes.append(shape)


def wrong(
    function: Callable, draw: Draw, report: GradientReport, first: tuple[Draw, GradientReport] | None, tried: Tried
) -> Result:
    """What is said of a wrong gradient; if an earlier trial was right, also where it shows."""
    if first is None:
        return Result(WRONG, "", report=report, tried=tried, layer=function)
    aspect = "targets" if draw.aspect == "first" else draw.aspect
    words = {
        "where": f"for {draw.says}" if draw.aspect == "first" else draw.says,
        "other": f"for {len(first[0].inputs[0])}" if aspect == "batch" else f"for {first[0].says}",
    }
    context = finding(f"hidden_by_{aspect}", (), report.findings[0].evidence if report.findings else "", **words)
    known = [found for found in report.findings if found.kind != "unknown"]
    return Result(
        WRONG,
        "",
        where=words["where"],
        report=replace(report, findings=(context, *known)),
        tried=tried,
        layer=function,
    )


def tolerance_of(source: str) -> float:
    """A small number in the code, such as the ε of log(p + ε), may be left out of a derivative."""
    small = [float(text) for text in re.findall(r"\d+\.?\d*e-\d+", source)]
    return max([TOLERANCE, *(100 * number for number in small if number <= 1e-5)])


def said_of(function: Any) -> str:
    """What the author says of a function, or of a method and its class."""
    source = getattr(function, "source", None) or function
    return " ".join(map(notes_of, (source, type(getattr(source, "__self__", None)))))


def source_of(function: Any) -> str:
    """The code of a function, or of the object or functions that a loss was made of."""
    return next(filter(None, map(text_of, (getattr(function, "source", None), function, type(function)))), "")


def readings(losses: Sequence[Loss]) -> Iterator[Loss]:
    """The ways to read a loss: its value for each example is averaged or summed."""
    for loss in losses:
        yield loss
        yield replace(loss, reduced=np.sum)


def best(results: Iterator[Result]) -> Result:
    """Right if one reading is; otherwise what is said of the first that could be checked, or else of the first that ran to a backward."""
    found = []
    for result in results:
        if result.code == RIGHT:
            return result
        found.append(result)
    found.sort(key=lambda result: (result.code != WRONG, not raised_in_backward(result.error)))
    return found[0]


def raised_in_backward(error: BaseException | None) -> bool:
    """Whether a backward of a file raised an error, and not one of the library, which calls it."""
    codes = [one.tb_frame.f_code for one in frames_of(error.__traceback__)] if error is not None else []
    ours = str(Path(__file__).parents[2])
    return any(code.co_name in BACKWARD and not code.co_filename.startswith(ours) for code in codes)
