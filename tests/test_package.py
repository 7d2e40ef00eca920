"""The package as a whole: what it exports, and how light it is to import."""

import ast
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
    assert set(scratchae.__all__) <= set(dir(scratchae))
    for name, thing in vars(scratchae).items():
        assert name.startswith("_") or inspect.ismodule(thing) or name in scratchae.__all__


def test_editors_and_type_checkers_are_told_the_same():
    """The stub imports from the same homes what `__getattr__` does, and has the same __all__."""
    tree = ast.parse(Path(scratchae.__file__).with_suffix(".pyi").read_text(encoding="utf-8"))
    homes = {n.module: {alias.name for alias in n.names} for n in tree.body if isinstance(n, ast.ImportFrom)}
    assert homes == {home: set(names.split()) for home, names in scratchae._HOMES.items()}
    (listed,) = (n.value for n in tree.body if isinstance(n, ast.Assign))
    assert sorted(ast.literal_eval(listed)) == scratchae.__all__


def test_rooms_are_there_and_nothing_else():
    loaded = python("""
        import scratchae
        print(scratchae.layers.Dense is scratchae.Dense, scratchae.plots.__name__)
        for name in ("nonsense", "_nonsense", "__wrapped__", "Dense2"):
            try:
                getattr(scratchae, name)
            except AttributeError as error:
                print(error)
    """)
    assert loaded.splitlines()[0] == "True scratchae.plots"
    assert loaded.splitlines()[1] == "module 'scratchae' has no attribute 'nonsense'"
    assert len(loaded.splitlines()) == 5


def test_a_room_that_lacks_a_library_says_so(monkeypatch):
    """And not that there is no such room."""

    def fails(name, package=None):
        raise ModuleNotFoundError("No module named 'numpy'", name="numpy")

    monkeypatch.setattr(scratchae.importlib, "import_module", fails)
    with pytest.raises(ModuleNotFoundError, match="numpy"):
        scratchae.no_such_room  # noqa: B018


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


def test_errors_are_what_they_look_like():
    """Each is a ScratchaeError, and one of Python's own too, so that either can be caught."""
    kinds = [kind for kind in vars(errors).values() if isinstance(kind, type) and kind is not errors.ScratchaeError]
    assert len(kinds) >= 8
    for kind in kinds:
        assert issubclass(kind, errors.ScratchaeError)
        assert issubclass(kind, (ValueError, TypeError, ArithmeticError, AttributeError))
        assert kind.__doc__


HEAVY = ["matplotlib", "cupy", "torch", "jax", "scipy", "tqdm", "safetensors", "sklearn"]


def test_importing_brings_nothing_at_all():
    loaded = python("""
        import sys
        import scratchae
        print(*(name for name in sys.modules if name.startswith("scratchae.")), "numpy" in sys.modules)
    """)
    assert loaded.split() == ["False"]


def test_a_network_and_its_training_bring_nothing_heavy():
    loaded = python(f"""
        import sys
        from scratchae import Autoencoder, Dense, Adam, fit, load, save
        rooms = ["scratchae.study", "scratchae.tutorial", "scratchae.data", "scratchae.presets", "scratchae.plots"]
        print(*(name for name in [*{HEAVY}, *rooms] if name in sys.modules))
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
