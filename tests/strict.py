"""A strict stand-in for CuPy, on a machine without a GPU: `import strict as xp`.

A StrictArray holds a NumPy array as a GPU array holds memory of the device: nobody reaches it except through
what CuPy has. Names and arguments are those of the real CuPy 14 (cupy_names.json, written by
make_cupy_names.py). What CuPy refuses is refused here with TypeError: NumPy arrays as operands, implicit
conversion, `where=`, `take(mode=)`. Dtypes follow NumPy, whose rules (NEP 50) CuPy shares.

It is stricter than CuPy where CuPy would be slow: `np.exp(x)` on a device array, and NumPy arrays as indices.

`host_reads` counts how often a value was read by the host, which stops the GPU's queue. Inside `recording()`
that raises, as does all else that a CUDA graph cannot hold.
"""

import contextlib
import contextvars
import functools
import json
import operator
from pathlib import Path
from types import SimpleNamespace

import numpy as np

NAMES = json.loads(Path(__file__).with_name("cupy_names.json").read_text(encoding="utf-8"))


def words(text):
    return set(text.split())


# functions that answer at once, about shapes and dtypes, with plain Python values
ON_THE_HOST = words(
    "broadcast_shapes can_cast common_type iscomplexobj isdtype isrealobj isscalar issubdtype "
    "iterable may_share_memory min_scalar_type ndim promote_types result_type shape shares_memory "
    "size"
)
# functions that make an array out of no array
CREATE = words(
    "arange diag_indices empty eye full identity indices linspace logspace ones tri tril_indices triu_indices zeros"
)
# functions that bring data from the host
TRANSFER = {"array", "asanyarray", "asarray", "ascontiguousarray", "asfortranarray"}
# functions and methods whose result has a size that depends on the data, so that the host must wait for it
DATA_DEPENDENT = words(
    "argwhere compress extract flatnonzero intersect1d nonzero setdiff1d setxor1d trim_zeros union1d unique"
)
# cuBLAS refuses to be recorded through CuPy; `xp.matmul` is the one that scratchae's GPU module replaces
CUBLAS = {"dot", "einsum", "inner", "kron", "outer", "tensordot"}

host_reads = 0
_recording = contextvars.ContextVar("_recording", default=False)  # of each thread


class RecordingError(RuntimeError):
    """Something that a CUDA graph cannot hold happened while one was recorded."""


@contextlib.contextmanager
def recording():
    """As while a CUDA graph is recorded: reading from the device or moving data to it raises RecordingError,
    as do CuPy's calls of cuBLAS.
    """
    token = _recording.set(True)
    try:
        yield
    finally:
        _recording.reset(token)


def not_recordable(what):
    if _recording.get():
        raise RecordingError(f"{what} cannot be recorded into a CUDA graph")


def host_read(what):
    """Note that the host waits for a value of the device."""
    global host_reads
    not_recordable(f"{what}, a read by the host,")
    host_reads += 1


# Between the two worlds


def unwrap(value):
    """The NumPy array in a StrictArray; lists and tuples with all that is in them."""
    if isinstance(value, StrictArray):
        return value._array
    if isinstance(value, np.ndarray):
        raise TypeError(f"Unsupported type {type(value)}: a NumPy array where CuPy needs a GPU array")
    if isinstance(value, list | tuple):
        return type(value)(unwrap(v) for v in value)
    return value


def wrap(value, *arguments):
    """A result of NumPy as a GPU array: scalars become arrays without axes, tuples keep their structure. A
    result that is one of the arguments, such as `out`, stays that object.
    """
    for argument in arguments:
        if isinstance(argument, StrictArray) and argument._array is value:
            return argument
    if isinstance(value, tuple | list):
        return [*map(wrap, value)] if isinstance(value, list) else tuple(map(wrap, value))
    if isinstance(value, np.ndarray | np.generic | bool | int | float | complex):
        return StrictArray(value)
    return value


def operand(value):
    """What CuPy computes with: GPU arrays and scalars, no lists and no NumPy arrays."""
    if isinstance(value, StrictArray):
        return value._array
    if isinstance(value, bool | int | float | complex | np.generic):
        return value
    raise TypeError(f"Unsupported type {type(value)}")


def recordable_product(a, b):
    """Whether scratchae's `matmul` takes it; the rest it leaves to CuPy's."""
    dtypes = {str(x.dtype) for x in (a, b)}
    return dtypes in ({"float32"}, {"float64"}) and {a.ndim, b.ndim} in ({2}, {1, 2}) and a.size * b.size > 0


def holds_array(value):
    return isinstance(value, StrictArray) or (isinstance(value, list | tuple) and any(map(holds_array, value)))


@functools.cache
def gate(name, parameters):
    """A function that takes these arguments, does nothing, and refuses others with Python's own TypeError."""
    check = eval(f"lambda {parameters}: None")
    check.__qualname__ = name
    return check


# The functions of the module


@functools.cache  # and not among this module's own names, of which some are Python's, such as any
def __getattr__(name):  # of this module: strict.exp and so on
    for kind, make in (("ufuncs", ufunc), ("functions", function)):
        if name in NAMES[kind]:
            return make(name, NAMES[kind][name])
    if name in NAMES["values"]:
        return getattr(np, name)
    raise AttributeError(f"module 'cupy' has no attribute {name!r}, says cupy_names.json")


def ufunc(name, parameters):
    check, compute = gate(f"cupy.{name}", parameters), getattr(np, name)

    def call(*inputs, **options):
        check(*inputs, **options)
        inputs, outputs = inputs[: compute.nin], inputs[compute.nin :]
        out = options.pop("out", None)
        if out is not None:
            outputs = (out,)
        for out in outputs:
            if not isinstance(out, StrictArray):
                raise TypeError(f"cupy.{name}: out is {type(out)}, not a GPU array")
        out = tuple(map(unwrap, outputs)) or None
        return wrap(compute(*map(operand, inputs), out=out, **options), *outputs)

    return call


def function(name, parameters, room=""):
    check, compute = gate(f"cupy.{room}{name}", parameters), np
    for part in f"{room}{name}".split("."):
        compute = getattr(compute, part)

    def call(*arguments, **options):
        check(*arguments, **options)
        values = (*arguments, *options.values())
        if name in TRANSFER and not isinstance(arguments[0], StrictArray):
            not_recordable(f"{name} of data on the host")
            options.pop("blocking", None)
            return StrictArray(np.array(compute(*arguments, **options)))  # a copy: the host keeps its own
        if name in DATA_DEPENDENT or (name == "where" and len(values) == 1):
            host_read(name)
        if name == "matmul" and not recordable_product(*arguments[:2]):
            not_recordable(f"matmul of {' and '.join(f'{a.dtype} {a.shape}' for a in arguments[:2])}")
        if name in CUBLAS or room == "linalg.":
            not_recordable(f"cupy.{room}{name}")
        if not (name in CREATE or name in ON_THE_HOST or any(map(holds_array, values))):
            raise TypeError(f"cupy.{room}{name} needs a GPU array, got {', '.join(str(type(v)) for v in values)}")
        result = compute(*map(unwrap, arguments), **{key: unwrap(value) for key, value in options.items()})
        return result if name in ON_THE_HOST else wrap(result, *values)

    return call


def asnumpy(a, stream=None, order=None, out=None, *, blocking=True):
    return a.get(out=out) if isinstance(a, StrictArray) else np.asarray(a)


class Room:
    """A part of the module, such as linalg."""

    def __init__(self, name):
        self.name = name

    def __getattr__(self, name):
        if name not in NAMES[self.name]:
            raise AttributeError(f"module 'cupy.{self.name}' has no attribute {name!r}")
        return function(name, NAMES[self.name][name], f"{self.name}.")


linalg = Room("linalg")


lib = SimpleNamespace(stride_tricks=Room("lib.stride_tricks"))


# The array


class StrictArray:
    """An array of the pretended GPU. It has CuPy's attributes, methods and operators, and no others."""

    __slots__ = ("__weakref__", "_array")
    __hash__ = None

    def __init__(self, array):
        self._array = np.asarray(array)

    def __array__(self, *_, **__):
        raise TypeError(
            "Implicit conversion to a NumPy array is not allowed. Please use `.get()` to construct a NumPy array explicitly."
        )

    def __array_namespace__(self, api_version=None):
        import strict

        return strict

    def __array_function__(self, function, *_):
        raise TypeError(f"np.{function.__name__} of a GPU array: use xp = array_module(x)")

    def __array_ufunc__(self, ufunc, method, *inputs, **options):
        # NumPy's scalars come here, as in np.float32(2) * x; NumPy's functions should not
        if method != "__call__" or not any(isinstance(i, np.generic | np.ndarray) for i in inputs):
            raise TypeError(f"np.{ufunc.__name__} of a GPU array: use xp = array_module(x)")
        return wrap(ufunc(*map(operand, inputs), **options))

    def __getattr__(self, name):
        if name in NAMES["attributes"] and name not in ("data", "flat"):  # these two would let the array out
            value = getattr(self._array, name)
            return StrictArray(value) if isinstance(value, np.ndarray) else value
        if name in NAMES["methods"]:
            return functools.partial(self._call, name)
        raise AttributeError(f"'cupy.ndarray' object has no attribute {name!r}")

    def _call(self, name, *arguments, **options):
        gate(f"cupy.ndarray.{name}", NAMES["methods"][name])(self, *arguments, **options)
        if name in DATA_DEPENDENT or name in ("tolist", "tobytes", "tofile", "dump", "dumps"):
            host_read(name)
        if name == "dot":
            not_recordable("ndarray.dot")
        method = getattr(self._array, name)
        result = method(*map(unwrap, arguments), **{key: unwrap(value) for key, value in options.items()})
        if name in ("tolist", "tobytes"):
            return result
        return wrap(result, self, *arguments, *options.values())

    def __len__(self):
        return len(self._array)

    # what moves data between host and device

    def get(self, stream=None, order="C", out=None, blocking=True):
        host_read("get")
        if out is not None:
            out[...] = self._array
        return self._array.copy() if out is None else out

    def set(self, arr, stream=None):
        not_recordable("set")
        if not isinstance(arr, np.ndarray) or arr.shape != self.shape or arr.dtype != self.dtype:
            raise ValueError(f"set needs a NumPy array of shape {self.shape} and dtype {self.dtype}")
        self._array[...] = arr

    def item(self):
        host_read("item")
        return self._array.item()

    def __float__(self):
        host_read("float")
        return float(self._array)

    def __int__(self):
        host_read("int")
        return int(self._array)

    def __complex__(self):
        host_read("complex")
        return complex(self._array)

    def __bool__(self):
        host_read("bool")
        return bool(self._array)

    def __repr__(self):
        host_read("repr")
        return repr(self._array)

    __str__ = __repr__

    def __format__(self, spec):
        host_read("format")
        return format(self._array[()], spec)

    def __reduce__(self):
        return StrictArray, (self.get(),)

    # elements

    def __getitem__(self, index):
        index = index if isinstance(index, tuple) else (index,)
        if any(isinstance(i, list) for i in index):
            not_recordable("an index that is a list")
        if any(isinstance(i, StrictArray) and i.dtype == bool for i in index):
            host_read("x[mask]")
        if not any(i is Ellipsis for i in index):
            index = (*index, ...)  # so that a single element is a view too, without axes
        return StrictArray(self._array[unwrap(index)])

    def __setitem__(self, index, value):
        self._array[unwrap(index)] = operand(value)

    def __iter__(self):
        return (self[i] for i in range(len(self)))

    # what NumPy does otherwise

    def astype(self, dtype, order="K", casting=None, subok=None, copy=True):
        return wrap(self._array.astype(dtype, order=order, casting=casting or "unsafe", copy=copy), self)

    def fill(self, value):
        self._array.fill(operand(value))

    def view(self, dtype=None, type=None):
        return StrictArray(self._array.view() if dtype is None else self._array.view(dtype))

    def __copy__(self):
        return StrictArray(self._array.copy())

    def __deepcopy__(self, memo):
        return StrictArray(self._array.copy())


ndarray = StrictArray


def forward(function):
    return lambda self, other: StrictArray(function(self._array, operand(other)))


def reflected(function):
    return lambda self, other: StrictArray(function(operand(other), self._array))


def in_place(function):
    def method(self, other):
        function(self._array, operand(other))
        return self

    return method


def unary(function):
    return lambda self: StrictArray(function(self._array))


for name in ("add", "sub", "mul", "truediv", "floordiv", "mod", "pow", "and", "or", "xor", "lshift", "rshift"):
    plain, changing = getattr(operator, f"__{name}__"), getattr(operator, f"__i{name}__")
    setattr(StrictArray, f"__{name}__", forward(plain))
    setattr(StrictArray, f"__r{name}__", reflected(plain))
    setattr(StrictArray, f"__i{name}__", in_place(changing))
for name in ("lt", "le", "eq", "ne", "gt", "ge"):
    setattr(StrictArray, f"__{name}__", forward(getattr(operator, name)))
for name in ("neg", "pos", "abs", "invert"):
    setattr(StrictArray, f"__{name}__", unary(getattr(operator, name)))
del name, plain, changing


def matmul_operator(self, other):
    not_recordable("the operator @ (use xp.matmul)")
    return StrictArray(self._array @ operand(other))


StrictArray.__matmul__ = matmul_operator


# What scratchae's GPU module has instead of CuPy's, or beside it


def vdot(a, b):
    return __getattr__("sum")(a * b)


class Recorded:
    """As scratchae.backend.cuda.graph.Recorded: from the third call on, the function must be fit to be recorded."""

    def __init__(self, function):
        self.function, self.calls = function, 0

    def __call__(self):
        self.calls += 1
        with recording() if self.calls > 2 else contextlib.nullcontext():
            self.function()


recorded = Recorded


# Random numbers


class Generator:
    """CuPy's Generator: it has no normal, permutation, shuffle or choice. The numbers are NumPy's. And what
    scratchae.backend.cuda.kernels.Generator has beside.
    """

    def __init__(self, seed=None):
        self._generator = np.random.default_rng(seed)
        self.position = StrictArray(np.zeros((), np.uint32))

    def reseed(self, seed):
        not_recordable("reseed")
        self._generator = np.random.default_rng(seed)
        self.position[...] = 0

    def advance(self):
        self.position += 1

    def __getattr__(self, name):
        if name.startswith("_") or name not in NAMES["Generator"]:
            raise AttributeError(f"'cupy.random.Generator' object has no attribute {name!r}")
        check = gate(f"Generator.{name}", NAMES["Generator"][name])
        draw = getattr(self._generator, name)

        def call(*arguments, **options):
            check(None, *arguments, **options)
            # NumPy lacks this argument where it has one dtype only
            dtype = options.pop("dtype", np.float64) if name in ("uniform", "beta") else None
            out = options.get("out")
            result = draw(*map(unwrap, arguments), **{k: unwrap(v) for k, v in options.items()})
            return wrap(result if dtype is None else np.asarray(result, dtype), out)

        return call


def default_rng(seed=None):
    return seed if isinstance(seed, Generator) else Generator(seed)


random = SimpleNamespace(Generator=Generator, default_rng=default_rng)
