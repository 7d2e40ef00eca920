"""Write cupy_names.json: the names and arguments that CuPy has, for the stand-in in strict.py.

Run it with a Python that has CuPy (no GPU is needed): python tests/make_cupy_names.py

An argument list is kept as text, every default replaced by None: "a, indices, axis=None, out=None".
"""

import inspect
import json
import re
from pathlib import Path

PATH = Path(__file__).with_name("cupy_names.json")

# taken through **kwargs, so that inspect cannot see them
BY_HAND = {
    "einsum": "*operands, dtype=None, optimize=None",
    "meshgrid": "*xi, copy=None, sparse=None, indexing=None",
    "pad": "array, pad_width, mode=None, *, stat_length=None, constant_values=None, end_values=None, reflect_type=None",
}


def names() -> dict:
    """Everything that the stand-in asks about, by kind."""
    import cupy

    public = {name: getattr(cupy, name) for name in dir(cupy) if not name.startswith("_")}
    ufuncs = {name: value for name, value in public.items() if isinstance(value, cupy.ufunc)}
    functions = {name: value for name, value in public.items() if is_function(value)}
    attributes, methods = {}, {}
    for name in dir(cupy.ndarray):
        value = getattr(cupy.ndarray, name)
        if not name.startswith("_"):
            (methods if callable(value) else attributes)[name] = value
    return {
        "cupy": cupy.__version__,
        "ufuncs": {name: ufunc_parameters(u) for name, u in ufuncs.items()},
        "functions": {name: BY_HAND.get(name) or parameters(f) for name, f in functions.items()},
        "values": sorted(name for name, value in public.items() if is_value(value)),
        "linalg": {n: parameters(f) for n, f in vars(cupy.linalg).items() if is_function(f)},
        "lib.stride_tricks": {
            n: parameters(getattr(cupy.lib.stride_tricks, n)) for n in ("as_strided", "sliding_window_view")
        },
        "Generator": {n: parameters(f) for n, f in vars(cupy.random.Generator).items() if not n.startswith("_")},
        "methods": {name: parameters(m) for name, m in methods.items()},
        "attributes": sorted(attributes),
        "operators": sorted(n for n in dir(cupy.ndarray) if n.startswith("__") and n.endswith("__")),
    }


def is_function(value: object) -> bool:
    """Functions in Python and in Cython, and the generalised ufunc matmul."""
    kinds = ("function", "builtin_function_or_method", "cython_function_or_method", "_GUFunc")
    return type(value).__name__ in kinds


def is_value(value: object) -> bool:
    """Dtypes, numbers and what else is NumPy's own."""
    import numpy

    if value is None or isinstance(value, float):  # newaxis, pi
        return True
    return isinstance(value, type) and (
        issubclass(value, numpy.generic) or value in (numpy.dtype, numpy.finfo, numpy.iinfo)
    )


def ufunc_parameters(ufunc: object) -> str:
    """CuPy's ufuncs take out, dtype and casting, and nothing else: no where, no order."""
    inputs = "".join(f"x{i + 1}, " for i in range(ufunc.nin))
    outputs = "out=None" if ufunc.nout == 1 else "out1=None, out2=None"
    return f"{inputs}/, {outputs}, *, {'out=None, ' if ufunc.nout > 1 else ''}casting=None, dtype=None"


def parameters(function: object) -> str:
    """The argument list of a function, without types and without the values of defaults."""
    try:
        signature = inspect.signature(function)
    except ValueError:  # Cython: the first line of the docstring is the signature, "take(self, indices, int axis=0)"
        text = re.match(r"[\w.]+\((.*)\)(?: ->.*)?$", function.__doc__.splitlines()[0]).group(1)
        return ", ".join(untyped(part) for part in text.split(", ") if part)
    empty = inspect.Parameter.empty
    plain = [
        p.replace(annotation=empty, default=empty if p.default is empty else None)
        for p in signature.parameters.values()
    ]
    return str(inspect.Signature(plain))[1:-1]


def untyped(parameter: str) -> str:
    """ "int axis=-1" as "axis=None"."""
    name, _, default = parameter.partition("=")
    return name.split()[-1] + ("=None" if default else "")


def text() -> str:
    return json.dumps(names(), indent=1, sort_keys=True) + "\n"


if __name__ == "__main__":
    PATH.write_text(text(), encoding="utf-8")
    print(f"wrote {PATH}")
