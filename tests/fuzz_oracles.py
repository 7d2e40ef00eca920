"""How a call ends, and whether its result is right."""

from __future__ import annotations

import contextlib
import copy
import inspect
import io
import signal
import sys
import traceback
import warnings

import numpy as np
from fuzz_values import split_kinds

from scratchae import BCE
from scratchae.backend import kernels
from scratchae.description import Described
from scratchae.errors import ScratchaeError
from scratchae.layers.patches import Columns

LONG = 0.3  # seconds
MODERATE = 8.0  # the largest number for which results have to be finite and the same in both precisions
# these make float64, or the model's dtype, of other numbers
CONVERT = {
    "fit": "f",
    "evaluate": "f",
    "pretrain": "f",
    "trace": "f",
    "check_gradients": "fiub",
    "array_module": "fiubcOUVS",
}
# these change what they are given, which is what they are for
CHANGING = {"update", "fit", "pretrain", "watch", "evaluate", "trace", "check_gradients", "to"}


class TookLongError(BaseException):
    """Raised by the alarm."""


armed = False  # Python may come to hear the alarm only when the call has ended


def ring(*_):
    if armed:
        raise TookLongError


@contextlib.contextmanager
def unheard_alarms():
    """An alarm that rings inside a finalizer or a weak reference's callback is lost there: no fault, and it rings again."""
    before = sys.unraisablehook
    sys.unraisablehook = lambda lost: None if lost.exc_type is TookLongError else before(lost)
    try:
        yield
    finally:
        sys.unraisablehook = before


def attempt(function, given, named):
    """How a call ends: its kind, a word on it, and the result."""
    global armed
    with unheard_alarms():
        try:
            armed = True
            return outcome(function, given, named)
        except TookLongError:
            return "long", "", None
        finally:
            armed = False


def outcome(function, given, named):
    with warnings.catch_warnings(record=True) as seen, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        signal.setitimer(signal.ITIMER_REAL, LONG, 1.0)
        try:
            result = function(*given, **named)
            if isinstance(result, contextlib.AbstractContextManager) and not isinstance(result, np.ndarray):
                with result:
                    pass
            elif inspect.isgenerator(result):
                result = list(result)
        except (ScratchaeError, FileNotFoundError) as error:  # a folder that is not there has Python's own words
            return "refused", str(error), None
        except NotImplementedError:
            return "abstract", "", None
        except MemoryError:
            return "memory", "", None
        except Exception as error:
            return "raw", f"{type(error).__name__}: {error} [{place(error)}]", None
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
    odd = [
        str(w.message) for w in seen if issubclass(w.category, RuntimeWarning) and "scratchae" not in str(w.message)
    ]
    return ("odd", odd[0], result) if odd else ("right", "", result)


def place(error):
    """The line of scratchae in which an exception was raised."""
    frames = [f for f in traceback.extract_tb(error.__traceback__) if "/scratchae/" in f.filename]
    return f"{frames[-1].filename.rpartition('/scratchae/')[2]}:{frames[-1].lineno}" if frames else "outside"


def disagreement(label, signature, bound, owner, result, warned):
    """What is wrong with a result by itself, or None."""
    for name, parameter in signature.parameters.items() if result is not None else ():
        is_array = "Array" in split_kinds(parameter.annotation) and name not in ("labels", "codes")
        if is_array and no_floats(bound.get(name), CONVERT.get(label, "")):
            return f"took {told(bound[name])} as {name}"
    found = leaves(result)
    if any(x.dtype.kind == "c" for x in found):
        return "gave complex numbers"
    if moderate(bound.values(), owner) and not all(np.isfinite(x).all() for x in found if x.dtype.kind == "f"):
        return "not finite"
    if warned and moderate(bound.values(), owner):
        return f"warned of moderate numbers: {warned}"
    return None


def other_ways(twin, method, signature, given, named, result):
    """What is wrong with a result, compared with that of a copy, for plain copies of the arguments, and in float64, by NumPy
    alone; or None.
    """
    bound = signature.bind(*given, **named)
    rng = bound.arguments.get("rng")
    draws_anew = rng is None and "int" in split_kinds(getattr(signature.parameters.get("rng"), "annotation", ""))
    if method in ("to", "check_data") or draws_anew:
        return None
    dtypes = [None]
    # other precision draws other numbers
    exact = (
        type(twin) is not BCE and type(getattr(twin, "loss", None)) is not BCE
    )  # which cuts at the smallest number of a dtype
    if rng is None and exact and hasattr(twin, "to") and moderate(bound.arguments.values(), twin):
        dtypes.append(np.float64)
    before, kernels.compiled = kernels.compiled, None
    try:
        for dtype in dtypes:
            again = copied(twin)
            if again is FAILED:
                return None
            again = again if dtype is None else again.to(dtype=dtype)
            arguments = [plain(v, dtype) for v in given], {k: plain(v, dtype) for k, v in named.items()}
            kind, text, other = attempt(getattr(again, method), *arguments)
            how = "a copy" if dtype is None else "a copy in float64"
            if kind not in ("right", "odd", "long"):
                return f"{how} ends otherwise: {kind} {text}"
            if kind != "long" and not close(leaves(result), leaves(other), 1e-4 if dtype is None else 2e-3):
                return f"{how} gives other numbers"
    finally:
        kernels.compiled = before
    return None


def close(some, others, tolerance):
    """Whether arrays are the same, up to a share of the largest number."""
    if [a.shape for a in some] != [b.shape for b in others]:
        return False
    for a, b in zip(some, others, strict=True):
        if a.dtype.kind not in "fiub":
            continue
        a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
        if not (np.isfinite(a) == np.isfinite(b)).all():
            return False
        a, b = a[np.isfinite(a)], b[np.isfinite(b)]
        if (abs(a - b) > tolerance * (1 + abs(b).max(initial=0))).any():
            return False
    return True


def leaves(result):
    """The arrays and numbers in a result."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, tuple | list):
        return [leaf for item in result for leaf in leaves(item)]
    if isinstance(result, np.ndarray | np.generic | float) and np.asarray(result).dtype.kind != "O":
        return [np.asarray(result)]
    return []


def no_floats(value, kinds=""):
    """Whether this is not what an array of floats is."""
    if isinstance(value, np.ma.MaskedArray | np.matrix):
        return "U" not in kinds
    if getattr(value, "dtype", np.dtype(object)).kind in kinds:
        return False
    return value is not None and (getattr(value, "dtype", np.dtype(object)) not in (np.float32, np.float64))


def moderate(values, owner=None):
    """Whether all numbers that go in are finite, of moderate size, and not all tiny."""
    for value in [*values, *held(owner)]:
        if isinstance(value, float | np.floating) and not abs(value) <= MODERATE:
            return False
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
            size = abs(np.asarray(value, np.float64)).max()
            if not size <= MODERATE or 0 < size < 1e-3:
                return False
    return True


def held(thing):
    """What an object keeps, and what the objects keep that it keeps."""
    for value in vars(thing).values() if isinstance(thing, Described | Columns) else ():
        yield value
        for inner in value if isinstance(value, tuple | list) else (value,):
            yield from held(inner)


FAILED = object()


def copied(value):
    """A deep copy; of arrays none, as whoever changes one is found out. What cannot be copied stands for itself."""
    try:
        return value if isinstance(value, np.ndarray) else copy.deepcopy(value)
    except Exception:
        return FAILED if isinstance(value, Described) else value


def plain(value, dtype=None):
    """A copy of an array as NumPy makes it by itself."""
    if not isinstance(value, np.ndarray):
        return copied(value)
    kind = dtype if dtype is not None and value.dtype.kind in "fiub" else value.dtype
    return np.array(value, kind, order="C")


def fingerprints(bound):
    """The bytes of all arrays that go in."""
    return {name: x.tobytes() for name, x in bound.items() if isinstance(x, np.ndarray) and x.dtype.kind != "O"}


def told(value):
    """A value as text for people."""
    if isinstance(value, np.ndarray):
        return f"<{type(value).__name__} {value.dtype} {value.shape}>"
    text = repr(value)
    return text if len(text) < 100 else f"{text[:97]}…"
