"""Nearly valid calls of all that is public: no raw exception, and no result that is wrong without a word (see fuzz.py)."""

import datetime
import os
import shutil

import fuzz
import fuzz_oracles
import hypothesis.extra.numpy as hnp
import numpy as np
import pytest
from fuzz_values import LAYOUTS, NEARLY
from hypothesis import given
from hypothesis import strategies as st

import scratchae as s
from scratchae.errors import ScratchaeError
from scratchae.study import CATALOGUE

# another one each day, which a failure tells; the same one again with SCRATCHAE_SEED=…
SEED = int(os.environ.get("SCRATCHAE_SEED") or datetime.date.today().strftime("%Y%m%d"))


def require_no_faults(record_property, count, **options):
    counts, faults = fuzz.report(fuzz.calls(SEED, count, **options))
    said = f"{sum(counts.values())} nearly valid calls of seed {SEED}: {dict(counts.most_common())}"
    record_property("calls", said)
    text = "\n".join([f"python tests/fuzz.py {SEED} {count}", *faults, said])
    assert not faults, text
    assert counts["right"] > 0.4 * sum(counts.values())
    return counts


def test_calls(record_property):
    require_no_faults(record_property, 2000)


@pytest.mark.slow
def test_many_calls(record_property):
    assert sum(require_no_faults(record_property, 20_000).values()) >= 20_000


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("g++") is None, reason="no g++")
def test_calls_with_compiled_kernels(record_property):
    require_no_faults(record_property, 8000, compiled=True)


def test_everything_public_is_called():
    """A name that is left out says where it is tested, and a method below the public face is one that there is."""
    assert set(fuzz.NAMES) | set(fuzz.LEFT_OUT) | {kind.__name__ for kind in fuzz.MADE_HERE} >= set(s.__all__) - {
        "ScratchaeError"
    }
    things = [*map(s.__getattr__, s.__all__), *(row.make(4) for row in CATALOGUE.values())]
    assert set(fuzz.INNER.split()) <= {name for thing in things for name in dir(thing)}


# What the oracles find


class Broken(s.Layer):
    """Right, unless something in it is replaced."""

    def forward(self, x, rng=None):
        return x * 2.0

    def backward(self, dy):
        return dy * 2


def outcome(layer, method, *given):
    session = fuzz.Session(0, None)
    session.arguments = lambda *_: (list(given), {})
    (kind, _, text), _ = session.call("Broken", getattr(layer, method), {}, layer, method)
    return kind, text


X = np.linspace(0, 1, 12, dtype=np.float32).reshape(3, 4)


@pytest.mark.parametrize(
    ("forward", "x", "text"),
    [
        (lambda self, x, rng=None: np.multiply(x, 2, out=x), X.copy(), "changed an argument"),
        (lambda self, x, rng=None: x[0, 0] + x.undefined, X, "AttributeError"),
        (lambda self, x, rng=None: 1 / (x - x), X, "not finite"),
        (lambda self, x, rng=None: x.ravel("K").reshape(x.shape), np.asfortranarray(X), "a copy gives other numbers"),
        (lambda self, x, rng=None: x - (x.dtype == "f4"), X, "a copy in float64 gives other numbers"),
        (lambda self, x, rng=None: x * 1j, X, "complex"),
    ],
    ids=range(6),
)
def test_a_fault_is_found(monkeypatch, forward, x, text):
    monkeypatch.setattr(Broken, "forward", forward)
    kind, said = outcome(Broken(), "forward", x)
    assert kind in ("raw", "wrong") and text in said


def test_what_takes_long_is_interrupted(monkeypatch):
    monkeypatch.setattr(fuzz_oracles, "LONG", 0.05)
    with fuzz.contained():
        model, x = s.RBM(4, 2, rng=0), X
        assert (
            fuzz_oracles.attempt(
                s.fit, (model, x), {"epochs": 10**9, "batch_size": 3, "optimizer": s.SGD(0.1), "progress": False}
            )[0]
            == "long"
        )
        assert fuzz_oracles.attempt(model.sample, (3,), {"steps": 10**9})[0] == "long"


# Any array at any layer, loss and penalty

numbers = st.floats(-4, 4, width=32)
shapes = hnp.array_shapes(min_dims=1, max_dims=4, min_side=0, max_side=4)
arrays = hnp.arrays(st.sampled_from([np.float32, np.float64]), shapes, elements=numbers)


PARTS = [name for name, row in CATALOGUE.items() if not isinstance(row.make(4), s.Model)]


@pytest.mark.parametrize("name", PARTS)
def test_no_examples_at_all(name):
    """They come back as none, forward and backward, or are refused."""
    row = CATALOGUE[name]
    thing, (x, *others) = row.make(4), [each[:0] for each in row.inputs(np.random.default_rng(0), 3, 4)]
    try:
        if hasattr(thing, "forward"):
            assert thing.backward(np.ones_like(thing.forward(x, *others))).shape == x.shape
        else:
            thing(x, *others)
    except ScratchaeError:
        pass


@pytest.mark.parametrize("name", PARTS)
@given(x=arrays, change=st.sampled_from((*LAYOUTS, *NEARLY, lambda x: x)))
def test_any_array(name, x, change):
    """It is refused, or the result is that of the same numbers in float64."""
    row = CATALOGUE[name]
    fitting = row.inputs(np.random.default_rng(0), 3, 4)
    for given_first in (x, fitting[0].astype(np.float32)):
        thing = row.make(4)
        arguments = [change(given_first) if given_first.ndim else given_first, *fitting[1:]]
        before = fuzz_oracles.fingerprints(dict(enumerate(arguments)))
        call = thing.forward if hasattr(thing, "forward") else thing
        try:
            with np.errstate(all="ignore"):
                result = call(*arguments)
        except ScratchaeError:
            continue
        assert fuzz_oracles.fingerprints(dict(enumerate(arguments))) == before
        assert not fuzz_oracles.no_floats(arguments[0])
        twin = row.make(4)
        twin = twin.to(dtype=np.float64) if hasattr(twin, "to") else twin
        with np.errstate(all="ignore"):
            other = (twin.forward if hasattr(twin, "forward") else twin)(
                *(np.array(a, np.float64) for a in arguments)
            )
        if fuzz_oracles.moderate(arguments) and name not in (
            "BCE",
            "SparseKL",
        ):  # which divide by what may nearly be 0
            assert fuzz_oracles.close(fuzz_oracles.leaves(result), fuzz_oracles.leaves(other), 2e-3)
