"""The package as a whole: what it exports, and how light it is to import."""

import importlib.metadata
import inspect
import re
import subprocess
import sys
import textwrap
from pathlib import Path

import pytest

import scratchae
from scratchae import errors


def python(script, *options):
    command = [sys.executable, *options, "-c", textwrap.dedent(script)]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout


@pytest.mark.parametrize("name", scratchae.__all__)
def test_every_public_name_is_there_and_documented(name):
    thing = getattr(scratchae, name)
    documentation = vars(thing).get("__doc__") if isinstance(thing, type) else inspect.getdoc(thing)  # its own
    assert documentation
    assert documentation.strip()[-1] in ".`:"  # a sentence


def test_all_is_all():
    assert len(set(scratchae.__all__)) == len(scratchae.__all__)
    public = {
        name for name, thing in vars(scratchae).items() if not name.startswith("_") and not inspect.ismodule(thing)
    }
    assert public == set(scratchae.__all__)


def test_public_methods_are_documented():
    missing = [
        f"{name}.{method}"
        for name in scratchae.__all__
        if isinstance(thing := getattr(scratchae, name), type)
        for method, function in inspect.getmembers(thing, inspect.isfunction)
        if not method.startswith("_") and not inspect.getdoc(function)  # an inherited one will do
        and not any(inspect.getdoc(vars(base).get(method)) for base in thing.__mro__ if method in vars(base))
    ]  # fmt: skip
    assert missing == []


def test_the_version():
    assert importlib.metadata.version("scratchae") == scratchae.__version__
    assert re.fullmatch(r"\d+\.\d+\.\d+", scratchae.__version__)


def test_type_hints_are_offered():
    assert (Path(scratchae.__file__).parent / "py.typed").is_file()


def test_errors_are_what_they_look_like():
    """Each is a ScratchaeError, and one of Python's own too, so that either can be caught."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.ScratchaeError]
    assert len(kinds) >= 8
    for kind in kinds:
        assert issubclass(kind, errors.ScratchaeError)
        assert issubclass(kind, (ValueError, TypeError, ArithmeticError))
        assert kind.__doc__


HEAVY = ["matplotlib", "cupy", "torch", "jax", "scipy", "tqdm", "safetensors"]


def test_importing_brings_nothing_heavy():
    loaded = python(f"""
        import sys
        import scratchae
        print(*(name for name in {HEAVY} if name in sys.modules))
    """)
    assert loaded.split() == []


def test_training_on_the_cpu_brings_neither_cupy_nor_matplotlib():
    loaded = python("""
        import sys
        import numpy as np
        from scratchae import *
        model = Autoencoder(Sequential(Dense(6, 4)), Sequential(Dense(4, 6)), loss=MSE())
        fit(model, np.ones((9, 6), np.float32), epochs=1, batch_size=4, optimizer=Adam(), progress=False)
        print(*(name for name in ("cupy", "matplotlib", "IPython", "torch", "jax") if name in sys.modules))
    """)
    assert loaded.split() == []
