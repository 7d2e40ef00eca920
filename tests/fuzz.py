"""Nearly valid calls of all that is public, and whether each ends well.

`python tests/fuzz.py SEED CALLS` runs them and counts the outcomes; with a third number it tells what one session called.

What there is to call, and with what, is read from the code: the names in `scratchae.__all__`, the methods of their classes, and
the annotations of their arguments. So a new public name is called from its first day. A session makes an object and calls a few
of its methods in a random order. Most arguments are what the annotation asks for, of sizes that often fit; the others nearly are.

    right      a result that all oracles agree with: none of its arguments was changed, a copy of the object gives the same for
               plain copies of the arguments, the same in float64, and the result is finite where all that came in is of moderate size
    refused    a ScratchaeError
    abstract   a NotImplementedError of a base class, or of what a GPU is needed for
    memory     more than this process may take, said by NumPy before it took any
    long       it was still at work after LONG seconds, and could be interrupted
    odd        a warning of NumPy's for numbers that are not of moderate size
    raw        any other exception: a fault
    wrong      a result that an oracle disagrees with: a fault
"""

from __future__ import annotations

import collections
import contextlib
import copy
import functools
import inspect
import io
import os
import re
import resource
import signal
import sys
import tempfile
import traceback
import warnings
from pathlib import Path

import numpy as np

import scratchae as s
from scratchae import description
from scratchae.errors import ScratchaeError

LONG = 0.3  # seconds
MODERATE = 8.0  # the largest number for which results have to be finite and the same in both precisions
RESULTS = (
    s.Trace,
    s.GradientReport,
    s.Dataset,
)  # made by the library alone; their methods are called on what it made
LEFT_OUT = {"compile_kernels": "tests/backend/kernels/", "check": "runs files, tests/tutorial/test_notebook.py"}
# what holds the library together below its public face: called by the library, with what it has checked
INNER = frozenset(
    """
    apply formula coefficients prepare restore refuse products parameter_array backward_code backward_heads backward_down_to follow
    continue_chains draw draw_hidden gather tie mark_gradient require_gradient joined decoder_input draw_code output_size
    held_layers target as_drawn parted shown infer_all take_gradient take_parameters require_all_layers_named append
    """.split()  # noqa: SIM905
)


# Arguments


def one_of(rng, things):
    return things[rng.integers(len(things))]


SHAPES = ((6, 4), (6, 4), (6, 4), (3, 4), (1, 4), (6, 3), (6, 2), (6, 6), (2, 5, 5, 1), (2, 4, 4, 2), (2, 6, 4), (4,))


def numbers(rng, shape):
    """An array of floats, of moderate size."""
    x = [rng.random, rng.random, rng.standard_normal][rng.integers(3)](shape)
    x = (x < 0.5) * 1.0 if rng.random() < 0.2 else x
    return x.astype(np.float64 if rng.random() < 0.2 else np.float32)


def spread(x):
    """The same numbers, but not one after the other in memory."""
    wide = np.zeros((*x.shape[:-1], 2 * x.shape[-1]) if x.ndim else (2,), x.dtype)
    wide[..., ::2] = x
    return wide[..., ::2]


def locked(x):
    x = x.copy()
    x.flags.writeable = False
    return x


def with_one(value):
    def changed(x):
        x = x.copy()
        if x.size:
            x.reshape(-1)[x.size // 2] = value
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
    lambda x: (abs(x) * 3).astype(np.uint8),
    lambda x: (x * 3).astype(np.int64),
    lambda x: x > 0.5,
    lambda x: x.astype(np.complex64),
    lambda x: x.astype(object),
    lambda x: x.astype(str),
    lambda x: x.astype(np.float16),
    lambda x: x.astype(np.longdouble),
    lambda x: x.astype(x.dtype.newbyteorder()),
    lambda x: np.ma.masked_greater(x, 0.5),
    lambda x: x.reshape(len(x), -1).view(np.matrix) if x.size and x.ndim > 1 else x,
    lambda x: x.tolist(),
    lambda x: np.float32(0.5),
    lambda x: np.array(0.5),
    lambda x: x[:0],
    lambda x: x[..., :0],
    lambda x: x[:1],
    lambda x: x[..., :-1],
    lambda x: np.concatenate([x, x], axis=-1),
    lambda x: x[None],
    lambda x: x[0] if len(x) else x,
    lambda x: x[..., None],
    lambda x: x.reshape(-1),
    lambda x: x * 1e30,
    lambda x: x * 1e-40,
    lambda x: x * 255,
    lambda x: x - 5,
    lambda x: np.zeros_like(x),
    with_one(np.nan),
    with_one(np.inf),
    with_one(-1e38),
)
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


class Session:
    """One object after the other, made and called, all drawn from one seed."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        self.told = []  # what was called, for people

    # values for an annotation

    def whole(self):
        rng = self.rng
        if rng.random() < 0.02:
            return one_of(rng, (10**9, 2**31, 2**63, 10**5))
        return one_of(rng, (4, 4, 4, 3, 3, 2, 2, 1, 5, 6, 0, np.int64(4), np.uint8(2)))

    def array(self, name="x"):
        rng = self.rng
        if name == "labels":
            return rng.integers(0, 3, 6)
        if name in ("z", "h") and rng.random() < 0.7:
            return numbers(rng, one_of(rng, ((6, 3), (6, 2))))
        return numbers(rng, one_of(rng, SHAPES))

    def layer(self, inputs=4, outputs=3):
        rng = self.rng
        dense = s.Dense(inputs, outputs, rng=rng.integers(2**32))
        return one_of(
            rng,
            (
                dense,
                s.Sequential(dense, one_of(rng, (s.Sigmoid, s.ReLU, s.Tanh, s.Softplus))()),
                s.Sequential(one_of(rng, (s.GaussianNoise, s.MaskingNoise))(0.3), dense, s.Sigmoid()),
            ),
        )

    def part(self, name):
        """A layer for a part of a model of this name, which often fits to the others."""
        rng = self.rng
        if name in ("mu", "log_var"):
            return s.Dense(3, 2, rng=rng.integers(2**32))
        if name == "decoder":
            return self.layer(one_of(rng, (3, 2, 2)), 4)
        if name == "layers":
            return one_of(rng, (self.layer(4, 4), s.Sigmoid(), s.BatchNorm(4), s.Dropout(0.5), s.KSparse(2)))
        return self.layer(4, 3)

    def model(self):
        rng, part, seed = self.rng, self.part, self.rng.integers(2**32)
        loss = one_of(rng, (s.MSE, s.BCEWithLogits))()
        pair = s.Dense(4, 3, rng=seed), s.Dense(3, 2, rng=seed + 1), s.Dense(3, 2, rng=seed + 2)
        kind = rng.integers(7)
        if kind < 3:
            return s.Autoencoder(part("encoder"), self.layer(3, 4), loss=loss)
        if kind == 3:
            return s.RBM(4, 3, rng=seed, persistent=bool(rng.integers(2)), chains=5)
        if kind == 4:
            return s.VAE(*pair, s.Dense(2, 4, rng=seed + 3), loss=loss)
        if kind == 5:
            return s.DBN((4, 3, 2), rng=seed)
        return s.Classifier(s.Dense(2, 2, rng=seed), 2)

    def generator(self):
        return np.random.default_rng(self.rng.integers(2**32))

    def path(self):
        name = one_of(self.rng, ("a.safetensors", "a.safetensors", "b", "none/c", "."))
        return one_of(self.rng, (str, Path))(self.folder / name)

    def optimizer(self):
        lr = one_of(self.rng, (0.1, 0.001, s.Step(0.1, 2), s.Cosine(0.1, 5)))
        return one_of(self.rng, (s.Adam, s.SGD))(lr)

    def of_kind(self, kind, name):
        """A value of one kind that an annotation names."""
        rng = self.rng
        kind = kind.strip()
        inside = re.fullmatch(r"(?:list|Sequence|Iterable|tuple)\[(.*?)(?:, *\.\.\.)?\]", kind)
        if inside:
            kinds = inside[1].split(", ") if kind.startswith("tuple") and "..." not in kind else [inside[1]] * 2
            values = [self.of_kind(kind, name) for kind in kinds]
            return sorted(values) if kinds == ["float", "float"] else tuple(values)
        makers = {
            "int": lambda: {"epochs": 2, "batch_size": 3, "label": 1, "classes": 3}.get(name, self.whole()),
            "float": lambda: (
                1e-7 if name == "tolerance" else one_of(rng, (0.5, 0.5, 0.1, 1.0, 0.0, 1e-3, 2.0, np.float32(0.5)))
            ),
            "bool": lambda: bool(rng.integers(2)),
            "str": lambda: str(self.path()) if name in ("path", "checkpoint") else one_of(rng, WORDS),
            "object": lambda: one_of(rng, ("float32", "float64", np.float32, None)),
            "Pair": lambda: (int(rng.integers(1, 4)), int(rng.integers(1, 4))),
            "Array": lambda: self.array(name),
            "np.ndarray": lambda: self.array(name),
            "Layer": lambda: self.part(name),
            "Sequential": lambda: s.Sequential(self.layer(4, 3), self.layer(3, 2)),
            "Model": self.model,
            "Loss": lambda: one_of(rng, (s.MSE, s.BCE, s.BCEWithLogits, s.BCEWithLogits))(),
            "Penalty": lambda: one_of(rng, (s.L1(0.1), s.SparseKL(0.1, 0.2))),
            "Optimizer": self.optimizer,
            "Schedule": lambda: one_of(rng, (s.Step(0.1, 2), s.Cosine(0.1, 5), lambda t: 0.1 / (t + 1))),
            "np.random.Generator": self.generator,
            "Path": self.path,
            "pathlib.Path": self.path,
            "None": lambda: None,
            "Callable": lambda: one_of(
                rng, (lambda x: ((x * x).sum() / len(x), 2 * x / len(x)), lambda *given: None)
            ),
            "Callable[[Model], Optimizer]": lambda: lambda model: s.Adam(),
        }
        maker = makers.get(kind)
        return one_of(rng, ODD) if maker is None else maker()

    def argument(self, parameter, likely):
        """A value for a parameter: what was kept for it (as dy of the shape of y), of an annotated kind, or nearly that."""
        rng, name = self.rng, parameter.name
        kinds = split_kinds(str(parameter.annotation))
        is_array = "Array" in kinds or "np.ndarray" in kinds
        expected = name in likely and rng.random() < 0.7
        value = likely[name] if expected else self.of_kind(one_of(rng, kinds), name)
        dice = rng.random()
        if is_array and type(value) is np.ndarray and value.ndim and value.dtype in (np.float32, np.float64):
            if dice < 0.15:
                return one_of(rng, LAYOUTS)(value)
            if dice < 0.3:
                return one_of(rng, NEARLY)(value)
        return one_of(rng, ODD) if dice > 0.94 else value

    def arguments(self, function, likely):
        """Positional and named arguments that can be bound to a signature."""
        given, named = [], {}
        for parameter in inspect.signature(function).parameters.values():
            if parameter.kind is parameter.VAR_POSITIONAL:
                given += [self.argument(parameter, likely) for _ in range(self.rng.integers(0, 4))]
            elif parameter.kind is parameter.VAR_KEYWORD or (
                parameter.default is not parameter.empty and self.rng.random() < 0.6
            ):
                continue
            elif parameter.kind is parameter.KEYWORD_ONLY or named or parameter.default is not parameter.empty:
                named[parameter.name] = self.argument(parameter, likely)
            else:
                given.append(self.argument(parameter, likely))
        return given, named

    # calls

    def run(self, count):
        """Outcomes, as (kind, what was called, how it went)."""
        while count > 0:
            name = one_of(self.rng, NAMES)
            thing = getattr(s, name)
            if not inspect.isclass(thing):
                outcome, result = self.call(name, thing, {})
                yield outcome
                count -= 1
                for made in (result,) if isinstance(result, RESULTS) else ():
                    for outcome in self.use(type(made).__name__, made, 2):
                        yield outcome
                        count -= 1
                continue
            for _ in range(3):  # until it is made
                outcome, made = self.call(name, thing, {})
                yield outcome
                count -= 1
                if isinstance(made, thing):
                    for outcome in self.use(name, made, int(self.rng.integers(2, 7))):
                        yield outcome
                        count -= 1
                    break

    def use(self, name, made, count):
        """Calls of the methods of an object."""
        likely = {}
        for _ in range(count):
            method = one_of(self.rng, methods(type(made)))
            outcome, result = self.call(f"{name}.{method}", getattr(made, method), likely, made, method)
            if method == "forward" and isinstance(result, np.ndarray):
                likely |= {"dy": numbers(self.rng, result.shape)}
            if method == "encode" and isinstance(result, np.ndarray):
                likely |= {"z": result.copy()}
            if method == "update" and outcome[0] == "right":
                likely |= {"parameters": self.last[0][0]}
            if method in ("forward", "encode", "objective", "fit", "training_step") and outcome[0] == "right":
                likely |= {"x": (list(self.last[0]) + list(self.last[1].values()))[0]}
            yield outcome

    def call(self, label, function, likely, owner=None, method=None):
        given, named = self.arguments(function, likely)
        self.last = given, named
        signature = inspect.signature(function)
        bound = signature.bind(*given, **named).arguments
        self.told.append(f"{label}({', '.join([*map(told, given), *(f'{k}={told(v)}' for k, v in named.items())])})")
        twin = copied(owner)
        twins = twin is not FAILED and [copied(value) for value in given], {k: copied(v) for k, v in named.items()}
        before = fingerprints(bound)
        kind, text, result = attempt(function, given, named)
        if kind == "raw":
            return (kind, label, text), None
        if fingerprints(bound) != before and label.rpartition(".")[2] not in CHANGES:
            return ("wrong", label, "changed an argument"), None
        if kind in ("right", "odd"):
            complaint = disagreement(label, bound, signature, result)
            if complaint is None and method is not None and twins[0] is not False:
                complaint = other_ways(twin, method, *twins, signature, result)
            if complaint:
                return ("wrong", label, complaint), None
        if kind == "odd" and moderate(bound.values(), owner):
            return ("wrong", label, f"warned of moderate numbers: {text}"), None
        return (kind, label, text), result


def split_kinds(annotation):
    """The kinds of an annotation: "int | tuple[int, int]" has two."""
    return [kind.strip() for kind in re.split(r"\|(?![^\[]*\])", annotation)]


def callables(name):
    return name not in LEFT_OUT and getattr(s, name) not in RESULTS and not is_error(getattr(s, name))


def is_error(thing):
    return inspect.isclass(thing) and issubclass(thing, Exception)


NAMES = [name for name in s.__all__ if callables(name)]
# they change what they are given, which is what they are for
CHANGES = {"update", "fit", "pretrain", "watch", "evaluate", "trace", "check_gradients", "to"}


@functools.cache
def methods(kind):
    """The public methods that scratchae defines for a class."""
    found = []
    for name in dir(kind):
        method = inspect.getattr_static(kind, name)
        ours = (getattr(method, "__module__", None) or "").startswith("scratchae")
        if inspect.isfunction(method) and ours and name not in INNER and (name[:1] != "_" or name == "__call__"):
            found += [name] * (1 + 2 * takes_arrays(method))
    return found or ["__repr__"]


def takes_arrays(method):
    return any("Array" in str(p.annotation) for p in inspect.signature(method).parameters.values())


class TookLongError(BaseException):
    """Raised by the alarm."""


def ring(*_):
    raise TookLongError


def attempt(function, given, named):
    """How a call ends: its kind, a word on it, and the result."""
    with warnings.catch_warnings(record=True) as seen, contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("always")
        signal.setitimer(signal.ITIMER_REAL, LONG)
        try:
            result = function(*given, **named)
            if isinstance(result, contextlib.AbstractContextManager) and not isinstance(result, np.ndarray):
                with result:
                    pass
            elif inspect.isgenerator(result):
                result = list(result)
        except TookLongError:
            return "long", "", None
        except ScratchaeError as error:
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


# Oracles


def disagreement(label, bound, signature, result):
    """What is wrong with a result that came at all, or None."""
    for name, parameter in signature.parameters.items() if result is not None else ():
        if (
            "Array" in split_kinds(str(parameter.annotation))
            and name not in ("labels", "self")
            and no_floats(bound.get(name), CONVERT.get(label, ""))
        ):
            return f"took {told(bound[name])} as {name}"
    numeric = [x for x in leaves(result) if x.dtype.kind in "fc"]
    if any(x.dtype.kind == "c" for x in numeric):
        return "gave complex numbers"
    if moderate(bound.values()) and not all(np.isfinite(x).all() for x in numeric):
        return "not finite"
    return None


def other_ways(twin, method, given, named, signature, result):
    """What is wrong with a result, compared with that of a copy, for plain copies of the arguments, and in float64; or None."""
    bound = signature.bind(*given, **named)
    draws_anew = "rng" in signature.parameters and "int" in str(signature.parameters["rng"].annotation)
    rng = bound.arguments.get("rng")
    if method in ("to", "check_data", "gather") or (draws_anew and rng is None):
        return None
    for dtype, tolerance in ((None, 1e-4), (np.float64, 2e-3)):
        if dtype is not None and (rng is not None or not moderate(bound.arguments.values(), twin)):
            continue
        again = copied(twin)
        if again is FAILED:
            return None
        if dtype is not None:
            if not hasattr(again, "to"):
                return None
            again.to(dtype=dtype)
        kind, text, other = attempt(
            getattr(again, method), [plain(v, dtype) for v in given], {k: plain(v, dtype) for k, v in named.items()}
        )
        if kind not in ("right", "odd"):
            return f"a copy, {dtype and 'in float64, '}ends otherwise: {kind} {text}"
        for a, b in zip(leaves(result), leaves(other), strict=True):
            if a.shape != b.shape or not close(a, b, tolerance):
                return f"a copy, in {dtype or 'the same dtype'}, gives other numbers"
    return None


def close(a, b, tolerance):
    if a.dtype.kind not in "fiub":
        return True
    a, b = np.asarray(a, np.float64), np.asarray(b, np.float64)
    both = np.isfinite(a) & np.isfinite(b)
    if not (np.isfinite(a) == np.isfinite(b)).all():
        return False
    a, b = a[both], b[both]
    return bool((abs(a - b) <= tolerance * (1 + abs(b).max(initial=0))).all())


def leaves(result):
    """The arrays and numbers in a result."""
    if isinstance(result, dict):
        result = tuple(result.values())
    if isinstance(result, tuple | list):
        return [leaf for item in result for leaf in leaves(item)]
    if isinstance(result, np.ndarray | np.generic | float) and np.asarray(result).dtype.kind != "O":
        return [np.asarray(result)]
    return []


# they make float64, or the model's dtype, of other floats (and of whole numbers, which are exact)
CONVERT = {
    "fit": "f",
    "evaluate": "f",
    "pretrain": "f",
    "trace": "f",
    "check_gradients": "fiub",
    "array_module": "fiubcOUVS",
}


def no_floats(value, kinds=""):
    """Whether this is not what an array of floats is."""
    if isinstance(value, np.ma.MaskedArray | np.matrix):
        return "U" not in kinds
    if getattr(value, "dtype", np.dtype(object)).kind in kinds:
        return False
    return value is not None and (getattr(value, "dtype", np.dtype(object)) not in (np.float32, np.float64))


def moderate(values, owner=None):
    """Whether all numbers that go in are finite and of moderate size, and neither tiny nor all the same."""
    values = [*values, *(vars(owner).values() if hasattr(owner, "__dict__") else ())]
    for value in values:
        if isinstance(value, float | np.floating) and not abs(value) <= MODERATE:
            return False
        if isinstance(value, np.ndarray) and value.dtype.kind == "f" and value.size:
            size = abs(np.asarray(value, np.float64))
            if not size.max() <= MODERATE or (0 < size.max() < 1e-3):
                return False
    return True


FAILED = object()


def copied(value):
    """A deep copy; what cannot be copied stands for itself."""
    try:
        if isinstance(value, np.ndarray):
            return value
        return copy.deepcopy(value)
    except Exception:
        return FAILED if isinstance(value, description.Described) else value


def plain(value, dtype=None):
    """A copy of an array as NumPy makes it by itself."""
    if not isinstance(value, np.ndarray):
        return copied(value)
    kind = dtype if dtype is not None and value.dtype.kind in "fiub" else value.dtype
    return np.array(value, kind, order="C")


def fingerprints(bound):
    return {
        name: value.tobytes()
        for name, value in bound.items()
        if isinstance(value, np.ndarray) and value.dtype != object
    }


def told(value):
    """A value as text for people."""
    if isinstance(value, np.ndarray):
        return f"<{type(value).__name__} {value.dtype} {value.shape}>"
    text = repr(value)
    return text if len(text) < 100 else f"{text[:97]}…"


# Running it


@contextlib.contextmanager
def contained():
    """No files but in a folder of its own, no downloads, at most 2 GiB more, and an alarm for what takes long."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    heard, here, data = signal.signal(signal.SIGALRM, ring), Path.cwd(), os.environ.get("SCRATCHAE_DATA")
    with tempfile.TemporaryDirectory() as folder, contextlib.redirect_stderr(io.StringIO()):
        os.environ["SCRATCHAE_DATA"] = folder
        os.chdir(folder)
        resource.setrlimit(resource.RLIMIT_AS, (taken + 2 * 2**30, limits[1]))
        try:
            yield Path(folder)
        finally:
            resource.setrlimit(resource.RLIMIT_AS, limits)
            os.chdir(here)
            signal.signal(signal.SIGALRM, heard)
            os.environ.pop("SCRATCHAE_DATA")
            if data is not None:
                os.environ["SCRATCHAE_DATA"] = data


EACH = 20  # calls of a session


def calls(seed, count, only=None):
    """Outcomes of so many calls, each with the number of its session: (session, kind, label, text)."""
    with contained() as folder:
        for number in range(count // EACH) if only is None else [only]:
            session = Session([seed, number], folder)
            for outcome in session.run(EACH):
                yield (number, *outcome, session.told[-1])


def report(outcomes):
    """Counts of the outcomes, and the faults: one of each place, with how often."""
    counts, faults = collections.Counter(), {}
    for number, kind, label, text, said in outcomes:
        counts[kind] += 1
        if kind in ("raw", "wrong"):
            where = text.rpartition("[")[2] if kind == "raw" else f"{label} {re.sub('<.*|took .* as', '', text)[:40]}"
            faults.setdefault((kind, where), []).append(f"session {number}: {said}\n      {text}")
    return counts, faults


def main(seed, count, only=None):
    outcomes = list(calls(seed, count, only))
    if only is not None:
        for _, kind, _, text, said in outcomes:
            print(f"{kind:8} {said}  {text}")
    counts, faults = report(outcomes)
    for (kind, where), found in sorted(faults.items(), key=lambda item: -len(item[1])):
        print(f"{len(found):5} {kind} {where}\n   {found[0]}")
    print(f"seed {seed}: {sum(counts.values())} calls, {dict(counts.most_common())}, {len(faults)} distinct faults")


if __name__ == "__main__":
    main(*map(int, sys.argv[1:]))
