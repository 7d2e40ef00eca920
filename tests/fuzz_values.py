"""Values for the arguments of nearly valid calls: what an annotation asks for, of sizes that often fit, and what nearly is that."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np

import scratchae as s
from scratchae.study import CATALOGUE

SHAPES = ((6, 4), (6, 4), (6, 4), (3, 4), (1, 4), (6, 3), (6, 2), (6, 6), (2, 5, 5, 1), (2, 4, 4, 2), (2, 6, 4), (4,))
FLOATS = (np.float32, np.float64)


def one_of(rng, things):
    return things[rng.integers(len(things))]


# Arrays


def numbers(rng, shape):
    """An array of floats, of moderate size."""
    x = [rng.random, rng.random, rng.standard_normal][rng.integers(3)](shape)
    x = (x < 0.5) * 1.0 if rng.random() < 0.2 else x
    return x.astype(FLOATS[rng.random() < 0.2])


def spread(x):
    """The same numbers, but not one after the other in memory."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def locked(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def with_one(value):
    def changed(x):
        x = x.copy()
        x.reshape(-1)[x.size // 2 : x.size // 2 + 1] = value
        return x

    return changed


# the same numbers, of another kind of array or in another order in memory
LAYOUTS = (
    np.asfortranarray,
    spread,
    locked,
    lambda x: x[::-1].copy()[::-1],
    lambda x: x[..., ::-1].copy()[..., ::-1],
)
# nearly what is asked for
NEARLY = (
    *(lambda x: (abs(x) * 3).astype(np.uint8), lambda x: (x * 3).astype(np.int64), lambda x: x > 0.5),
    *(lambda x: x.astype(np.complex64), lambda x: x.astype(object), lambda x: x.astype(str), lambda x: x.tolist()),
    *(lambda x: x.astype(np.float16), lambda x: x.astype(np.longdouble), lambda x: x.astype(x.dtype.newbyteorder())),
    *(lambda x: np.ma.masked_greater(x, 0.5), lambda x: x.reshape(len(x), -1).view(np.matrix) if x.size else x),
    *(lambda x: np.float32(0.5), lambda x: np.array(0.5), lambda x: x[:0], lambda x: x[..., :0], lambda x: x[:1]),
    *(lambda x: x[..., :-1], lambda x: np.concatenate([x, x], axis=-1), lambda x: np.concatenate([x, x])),
    *(lambda x: x[None], lambda x: x[0] if len(x) else x, lambda x: x[..., None], lambda x: x.reshape(-1)),
    *(lambda x: x * 1e30, lambda x: x * 1e-40, lambda x: x * 255, lambda x: x - 5, np.zeros_like),
    *(with_one(np.nan), with_one(np.inf), with_one(-1e38)),
)

# Anything else

ODD = (
    *(
        None,
        True,
        False,
        0,
        -1,
        3,
        2**40,
        10**25,
        -0.0,
        0.5,
        -2.5,
        1e30,
        1e400,
        float("nan"),
        "0.5",
        "",
        "adam",
        b"x",
        1j,
    ),
    *(
        (),
        (1, 2, 3),
        [1.0, 2.0],
        {},
        {"a": 1},
        set(),
        object(),
        np.float32(0.5),
        np.int8(3),
        np.bool_(True),
        np.array(3),
    ),
    *(np.ones((2, 2)), np.arange(4), print, s.Adam, s.MSE, s.Dense, np.random, Ellipsis, range(3), iter([1])),
    *(ValueError("x"), lambda *given: None, np.random.RandomState(0), Path("nowhere")),
)
WORDS = ("he", "glorot", "bernoulli", "gaussian", "cpu", "cpu", "gpu", "float32", "strokes", "mnist", "tanh")
HUGE = (10**9, 2**31, 2**63, 10**5)
USUAL = {
    "epochs": 2,
    "batch_size": 3,
    "label": 1,
    "classes": 3,
    "temperatures": 10,
    "steps": 5,
    "samples": 7,
    "chains": 4,
}


def of_kind(kind, name, rng, folder):
    """A value of one of the kinds that an annotation names, for a parameter of a name."""
    inside = re.fullmatch(r"(?:list|Sequence|Iterable|tuple)\[(.*?)(?:, *\.\.\.)?\]", kind)
    if inside:
        kinds = inside[1].split(", ") if kind.startswith("tuple") and "..." not in kind else [inside[1]] * 2
        values = [of_kind(kind, "", rng, folder) for kind in kinds]
        return sorted(values) if kinds == ["float", "float"] else tuple(values)
    makers = {
        "int": lambda: whole(name, rng),
        "float": lambda: one_of(rng, (0.5, 0.5, 0.1, 1.0, 0.0, 1e-3, 2.0, np.float32(0.5))),
        "bool": lambda: bool(rng.integers(2)),
        "str": lambda: str(path(rng, folder)) if name in ("path", "checkpoint") else one_of(rng, WORDS),
        "object": lambda: one_of(rng, ("float32", "float64", np.float32, None)),
        "Pair": lambda: (int(rng.integers(1, 4)), int(rng.integers(1, 4))),
        "Array": lambda: rng.integers(0, 3, 6) if name == "labels" else numbers(rng, one_of(rng, SHAPES)),
        "np.ndarray": lambda: numbers(rng, one_of(rng, SHAPES)),
        "Layer": lambda: part(name, rng),
        "Sequential": lambda: s.Sequential(layer(4, 3, rng), layer(3, 2, rng)),
        "Model": lambda: one_of(rng, MODELS)(rng)[0],
        "Loss": lambda: one_of(rng, (s.MSE, s.BCE, s.BCEWithLogits, s.BCEWithLogits))(),
        "Penalty": lambda: one_of(rng, (s.L1(0.1), s.SparseKL(0.1, 0.2))),
        "Optimizer": lambda: one_of(rng, (s.Adam, s.SGD))(one_of(rng, (0.1, s.Step(0.1, 2), s.Cosine(0.1, 5)))),
        "Schedule": lambda: one_of(rng, (s.Step(0.1, 2), s.Cosine(0.1, 5), lambda t: 0.1 / (t + 1))),
        "np.random.Generator": lambda: np.random.default_rng(rng.integers(2**32)),
        "Path": lambda: path(rng, folder),
        "pathlib.Path": lambda: path(rng, folder),
        "None": lambda: None,
        "Callable": lambda: one_of(rng, (lambda x: ((x * x).sum() / len(x), 2 * x / len(x)), lambda *given: None)),
        "Callable[[Model], Optimizer]": lambda: lambda model: s.Adam(),
    }
    return makers.get(kind, lambda: one_of(rng, ODD))()


def split_kinds(annotation):
    """The kinds of an annotation: "int | tuple[int, int]" has two."""
    return [kind.strip() for kind in re.split(r"\|(?![^\[]*\])", str(annotation))]


def whole(name, rng):
    if rng.random() < 0.02:
        return one_of(rng, HUGE)
    if name in USUAL and rng.random() < 0.8:
        return USUAL[name]
    return one_of(rng, (4, 4, 4, 3, 3, 2, 2, 1, 5, 6, 0, np.int64(4), np.uint8(2)))


def path(rng, folder):
    return folder / one_of(rng, ("a.safetensors", "a.safetensors", "b", "none/c", "."))


# Layers and whole models


def layer(inputs, outputs, rng):
    dense = s.Dense(inputs, outputs, rng=rng.integers(2**32))
    noise = one_of(rng, (s.GaussianNoise, s.MaskingNoise))(0.3)
    activation = one_of(rng, (s.Sigmoid, s.ReLU, s.Tanh, s.Softplus))()
    return one_of(rng, (dense, s.Sequential(dense, activation), s.Sequential(noise, dense, s.Sigmoid())))


def part(name, rng):
    """A layer for a part of a model of this name, which often fits to the others."""
    if name in ("mu", "log_var"):
        return s.Dense(3, 2, rng=rng.integers(2**32))
    if name == "decoder":
        return layer(one_of(rng, (3, 2, 2)), 4, rng)
    if name == "layers":
        return one_of(rng, (layer(4, 4, rng), s.Sigmoid(), s.BatchNorm(4), s.Dropout(0.5), s.KSparse(2)))
    return layer(4, 3, rng)


def from_catalogue(row):
    """A function that makes what a row of the catalogue of gradient checks makes, and inputs for it."""

    def ready(rng):
        dtype = FLOATS[rng.random() < 0.2]
        return row.make(4), [x.astype(dtype) for x in row.inputs(rng, one_of(rng, (6, 6, 3, 1)), 4)]

    return ready


def pixels(rng, n=6):
    return (rng.random((n, 4)) < 0.5).astype(np.float32)


def fitted(rng):
    x = numbers(rng, (6, 4))
    return s.PCA(2).fit(x), [x]


# what works: a function of a generator that makes a thing and inputs for it. So every row of the catalogue is tried, and what has none
READY = [from_catalogue(row) for row in CATALOGUE.values()]
BOLTZMANN = [
    lambda rng: (s.RBM(4, 3, rng=rng.integers(2**32), persistent=bool(rng.integers(2)), chains=5), [pixels(rng)]),
    lambda rng: (s.RBM(4, 2, rng=rng.integers(2**32), hidden_units="gaussian", k=2), [pixels(rng)]),
    lambda rng: (
        s.RBM(4, 3, rng=rng.integers(2**32), visible_units="gaussian", k=2),
        [rng.standard_normal((6, 4)).astype(np.float32)],
    ),
    lambda rng: (s.DBN((4, 3, 2), rng=rng.integers(2**32)), [pixels(rng)]),
]
READY += [*BOLTZMANN * 2, fitted, fitted]
MODELS = [ready for ready in READY if isinstance(ready(np.random.default_rng(0))[0], s.Model)]
FUNCTIONS = [ready for ready in READY if not isinstance(ready(np.random.default_rng(0))[0], s.PCA | s.RBM | s.DBN)]
