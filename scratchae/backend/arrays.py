"""The arrays decide where the work is done: NumPy on the CPU, CuPy on the GPU, the same code on both.

`array_module(x)` gives the module that x belongs to. Nothing else in the library asks which device it runs on.
"""

from __future__ import annotations

import functools
import numbers
import random
from collections.abc import Callable, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from ..arguments import is_number
from ..errors import ArrayTypeError, DataError, DeviceError, OptionError, ShapeError
from . import kernels
from .types import Array


def array_module(x: Array) -> ModuleType:
    """The array module that x belongs to: NumPy for a NumPy array, CuPy's for a GPU array."""
    if isinstance(x, np.ndarray | np.generic):
        return np
    if type(x).__module__.partition(".")[0] == "cupy":
        return device_module("gpu")
    if hasattr(x, "__array_namespace__"):
        return x.__array_namespace__()
    raise ArrayTypeError(f"expected an array, got {type(x).__name__}: wrap it in numpy.asarray(...)")


def require_floats(x: Array, *parameters: Array, name: str = "x") -> ModuleType:
    """The array module of x, if it holds float32 or float64, on the device of the parameters that it is to meet.

    Raises ArrayTypeError; and ShapeError for a single number, where there are no parameters whose shape it has to fit anyway.
    """
    if (
        type(x) is np.ndarray and (x.dtype is FLOAT32 or x.dtype is FLOAT64) and x.ndim
    ):  # soon done, as it nearly always is
        for parameter in parameters:
            if type(parameter) is not np.ndarray:
                break
        else:
            return np
    xp = require_array(x, name)
    if x.dtype not in FLOATS or (type(x) is not np.ndarray and what_it_holds(x) != str(x.dtype)):
        raise ArrayTypeError(f"{name} holds {what_it_holds(x)}: expected floats; {way_to_floats(x, name)}")
    if not x.ndim and not parameters:  # which have a shape to fit
        raise ShapeError(f"{name} is a single number: expected an array of examples, (N, …)")
    for parameter in parameters:
        if array_module(parameter) is not xp:
            here, there = ("CPU", "GPU") if xp is np else ("GPU", "CPU")
            raise ArrayTypeError(
                f"{name} lies on the {here} and the model's parameters on the {there}: move the model, model.to(device), or the "
                f"data, scratchae.array_module(model.parameters).asarray({name}) to the GPU and {name}.get() back from it"
            )
    return xp


FLOAT32, FLOAT64 = np.dtype(np.float32), np.dtype(np.float64)
FLOATS = {FLOAT32, FLOAT64}  # no tuple, as NumPy takes None for float64 where it compares


def require_array(x: Array, name: str) -> ModuleType:
    """The array module of x. Raises ArrayTypeError, which names it, if it is no array."""
    try:
        return array_module(x)
    except ArrayTypeError:
        raise ArrayTypeError(
            f"{name} is a {type(x).__name__}: expected an array of floats, numpy.asarray({name}, dtype='float32')"
        ) from None


def what_it_holds(x: Array) -> str:
    """The dtype of an array, or what is special about it and cannot be computed with."""
    special = {np.ma.MaskedArray: "masked cells", np.matrix: "a matrix, of which * is not the product of numbers"}
    return next((words for kind, words in special.items() if isinstance(x, kind)), str(x.dtype))


def way_to_floats(x: Array, name: str) -> str:
    """How to make an array of floats of it."""
    if isinstance(x, np.ma.MaskedArray):
        return f"fill what is missing, {name}.filled(0), or leave these rows out"
    if isinstance(x, np.matrix):
        return f"numpy.asarray({name})"
    if x.dtype.kind in "iu":
        return f"for images divide by 255: ({name} / 255).astype('float32')"
    if x.dtype.kind in "bf":
        return f"{name}.astype('float32')"
    if x.dtype.kind == "c":
        return f"their real parts are {name}.real, their sizes abs({name})"
    return f"numpy.asarray({name}, dtype='float32') makes them of text and objects that are numbers"


def require_examples(x: Array, name: str = "x") -> ModuleType:
    """`require_floats`, of at least one example, of at least one number. Raises DataError for none."""
    xp = require_floats(x, name=name)
    if not x.size:
        nothing = "numbers" if len(x) else "examples"
        raise DataError(f"{name} holds no {nothing}, its shape is {tuple(x.shape)}: expected at least one row")
    return xp


def device_module(device: str) -> ModuleType:
    """The array module of a device, "cpu" or "gpu". Raises DeviceError if it cannot be used."""
    if isinstance(device, str) and device == "cpu":
        return np
    if isinstance(device, str) and device == "gpu":
        from . import cuda

        return cuda.module()
    raise DeviceError(f"device={device!r}: expected 'cpu' or 'gpu'")


def move(x: Array, device: str | None = None, dtype: Any = None) -> Array:
    """x on a device, in float32 or float64. With None, the device or the dtype stays the same. Raises OptionError for other dtypes."""
    if device is not None and array_module(x) is not device_module(device):
        x = device_module(device).asarray(to_numpy(x))
    return x if dtype is None else x.astype(float_type(dtype), copy=False)


def float_type(dtype: Any) -> np.dtype:
    """float32 or float64. Raises OptionError for any other dtype."""
    try:
        found = np.dtype(dtype)
    except TypeError:
        found = None
    if found not in FLOATS:
        raise OptionError(f"dtype={dtype!r}: expected floats, 'float32' or 'float64'")
    return found


def to_numpy(x: Array) -> np.ndarray:
    """x as a NumPy array, copied from the GPU if it is there. Raises ArrayTypeError for what is no array."""
    if isinstance(x, np.ndarray | np.generic):
        return np.asarray(x)
    xp = array_module(x)
    if not x.flags.c_contiguous:  # CuPy's `get` of it would leave our stream
        x = xp.ascontiguousarray(x)
    return x.get()


def generator(rng: Any = None, like: Array | None = None) -> Any:
    """A random generator: from a seed, or from None one that draws anew each time. A generator is returned unchanged.

    like: the numbers are made on the device of this array; by default NumPy arrays. Raises OptionError for anything else.
    """
    xp = np if like is None else array_module(like)
    if rng is None or isinstance(rng, np.random.SeedSequence) or (is_number(rng, numbers.Integral) and rng >= 0):
        return xp.random.default_rng(rng)
    require_drawing(rng, "a seed, ")
    return FromHost(rng, xp) if isinstance(rng, np.random.Generator) and xp is not np else rng


def noise_source(rng: Any, x: Array) -> Any:
    """What noise for x is drawn from, by a layer or a step: a generator, or any object that draws, for the device of x.

    None stays None: no noise. Raises OptionError for a seed, of which each call would draw the same noise.
    """
    if rng is None or (type(rng) is np.random.Generator and type(x) is np.ndarray):
        return rng
    if isinstance(rng, int | np.integer):
        raise OptionError(
            f"rng={rng}: a seed would draw the same noise in every step: make a generator once, "
            f"rng = numpy.random.default_rng({rng}), and give it to each step"
        )
    if isinstance(rng, np.random.Generator):
        return generator(rng, like=x)
    require_drawing(rng)
    return rng


def require_drawing(rng: Any, or_else: str = "") -> None:
    """Raise OptionError unless noise can be drawn from it: by `random` or `standard_normal`, which take a shape and a dtype."""
    draws = hasattr(rng, "random") or hasattr(rng, "standard_normal")
    if not draws or isinstance(rng, type | ModuleType | np.random.RandomState | random.Random):
        raise OptionError(f"rng={rng!r}: expected {or_else}a generator, such as numpy.random.default_rng(0), or None")


class FromHost:
    """NumPy's generator for arrays on another device: it draws numbers on the host and moves them."""

    def __init__(self, rng: np.random.Generator, xp: ModuleType):
        self.rng, self.xp = rng, xp

    def random(self, *arguments: Any, **options: Any) -> Array:
        """Uniform numbers in [0, 1)."""
        return self.xp.asarray(self.rng.random(*arguments, **options))

    def standard_normal(self, *arguments: Any, **options: Any) -> Array:
        """Normal numbers."""
        return self.xp.asarray(self.rng.standard_normal(*arguments, **options))


def one_kernel(function: Callable[..., Any]) -> Callable[..., Any]:
    """Use the compiled kernel of the same name, if the device of the first argument has one: one pass over the numbers
    instead of several. A GPU has kernels (kernels/); a CPU has them after `compile_kernels`.
    """
    name = function.__name__

    @functools.wraps(function)
    def chosen(x: Array, *others: Any, **options: Any) -> Any:
        return (kernel_for(name, x, others) or function)(x, *others, **options)

    return chosen


def kernel_for(name: str, x: Array, others: Sequence[object] = ()) -> Callable[..., Any] | None:
    """The kernel of this name for arrays like these, or None."""
    found = kernels.compiled if isinstance(x, np.ndarray) else getattr(array_module(x), "kernels", None)
    return None if found is None else found.get(name, x, others)
