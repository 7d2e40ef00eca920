"""Nearly valid calls of all that is public, and whether each ends well.

    python tests/fuzz.py SEED CALLS [SESSION] [compiled]

counts the outcomes, and tells of each kind of fault one; with the number of a session, all that it called.

What there is to call, and with what, is read from the code: the names in `scratchae.__all__`, the methods of their classes, the
annotations of their arguments, and the catalogue of gradient checks. So a new public name is called from its first day. A session
makes an object and calls some of its methods in a random order. Most arguments are what is asked for; the others nearly are.

    right      a result that all oracles agree with: none of its arguments was changed; a copy of the object gives the same for plain
               copies of the arguments, and in float64; and it is finite where all that came in is of moderate size
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
import functools
import inspect
import io
import os
import re
import resource
import signal
import sys
import tempfile
from pathlib import Path

import numpy as np
from fuzz_oracles import (
    CHANGING,
    FAILED,
    attempt,
    copied,
    disagreement,
    fingerprints,
    other_ways,
    ring,
    told,
)
from fuzz_values import FLOATS, FUNCTIONS, LAYOUTS, MODELS, NEARLY, ODD, READY, numbers, of_kind, one_of, split_kinds

import scratchae as s
from scratchae.backend import device_module

EACH = 20  # calls of a session
MADE_HERE = (s.Trace, s.GradientReport, s.Dataset)  # by the library alone; their methods are called on what it made
PARTS = ("encoder", "decoder", "generator", "discriminator", "energy", "net", "nothing")  # names for **options
LEFT_OUT = {"compile_kernels": "tests/backend/kernels/"}
# what holds the library together below its public face: called by the library, with what it has checked
INNER = """
apply formula products backward_code backward_heads backward_down_to draw draw_hidden decoder_input target parted expected log_sum
output_size coefficients follow continue_chains centres draw_prior check_discriminator tell_apart belong_to noise
computed arriving counted log_p loss_of_real descended hold vectors told cost_of_zeros real_steps in_shape_of_x gate read begin_backward skip state_shapes
metric_of before goes_back smoothed checked alone expected_visible backward_contrast reply cost recognise dream costs begin
"""


class Session:
    """Objects, made and called, all drawn from one seed."""

    def __init__(self, seed, folder):
        self.rng = np.random.default_rng(seed)
        self.folder = folder
        self.told = []  # what was called, for people

    def argument(self, parameter, likely):
        """A value for a parameter: what is likely for its name, or of an annotated kind, or nearly that."""
        rng, name = self.rng, parameter.name
        kinds = split_kinds(parameter.annotation)
        expected = name in likely and rng.random() < 0.85
        value = likely[name] if expected else of_kind(one_of(rng, kinds), name, rng, self.folder)
        dice = rng.random()
        if type(value) is np.ndarray and value.ndim and value.dtype in FLOATS:
            if dice < 0.12:
                return one_of(rng, LAYOUTS)(value)
            if dice < 0.24:
                return one_of(rng, NEARLY)(value)
        return one_of(rng, ODD) if dice > 0.95 else value

    def arguments(self, signature, likely):
        """Positional and named arguments that can be bound to a signature."""
        given, named = [], {}
        for parameter in signature.parameters.values():
            has_default = parameter.default is not parameter.empty
            if parameter.kind is parameter.VAR_POSITIONAL:
                given += [self.argument(parameter, likely) for _ in range(self.rng.integers(0, 4))]
            elif parameter.kind is parameter.VAR_KEYWORD:
                names = [one_of(self.rng, PARTS) for _ in range(self.rng.integers(0, 4))]
                named |= {name: self.argument(parameter, likely) for name in names}
            elif has_default and self.rng.random() < (0.4 if parameter.name == "rng" else 0.6):
                continue
            elif parameter.kind is parameter.KEYWORD_ONLY or named or has_default:
                named[parameter.name] = self.argument(parameter, likely)
            else:
                given.append(self.argument(parameter, likely))
        return given, named

    def run(self, count):
        """Outcomes: (kind, what was called, a word on it)."""
        while count > 0:
            for outcome in self.ready() if self.rng.random() < 0.6 else self.made():
                yield outcome
                count -= 1

    def ready(self):
        """Calls of the methods of an object that works, and of a function."""
        thing, inputs = one_of(self.rng, READY)(self.rng)
        likely = dict.fromkeys(("x", "v", "z", "prediction", "mu"), inputs[0])
        likely |= dict.fromkeys(("target", "log_var"), inputs[-1])
        if inspect.isfunction(thing):
            yield self.call(thing.__name__, thing, likely)[0]
            return
        yield from self.use(type(thing).__name__, thing, int(self.rng.integers(3, 9)), likely)

    def made(self):
        """Calls of a function, or of a class and then of methods of the object that it made."""
        name = one_of(self.rng, NAMES)
        thing, likely = getattr(s, name), {}
        if not inspect.isclass(thing):
            subjects = FUNCTIONS if name == "check_gradients" else MODELS
            subject, inputs = one_of(self.rng, subjects)(self.rng)
            likely = {"model": subject, "subject": subject, "x": inputs[0], "validation": inputs[0]}
            likely |= {"target": inputs[-1] if len(inputs) > 1 else None}
        outcome, result = self.call(name, thing, likely)
        yield outcome
        if isinstance(result, thing if inspect.isclass(thing) else MADE_HERE):
            yield from self.use(type(result).__name__, result, int(self.rng.integers(2, 6)), {})

    def use(self, name, made, count, likely):
        """Calls of the methods of an object."""
        for _ in range(count):
            method = one_of(self.rng, methods(type(made)))
            outcome, result = self.call(f"{name}.{method}", getattr(made, method), likely, made, method)
            yield outcome
            if not isinstance(result, np.ndarray):
                likely |= {"parameters": self.last[0][0]} if method == "update" and outcome[0] == "right" else {}
            elif method == "forward" and result.ndim:
                likely |= {"dy": numbers(self.rng, result.shape)}
                if self.rng.random() < 0.5:
                    yield self.call(f"{name}.backward", made.backward, likely, made, "backward")[0]
            elif method in ("encode", "propup"):
                likely |= {"z": result.copy(), "h": result.copy()}

    def call(self, label, function, likely, owner=None, method=None):
        """The outcome of a call, and its result if that is right."""
        signature = inspect.signature(function)
        given, named = self.last = self.arguments(signature, likely)
        bound = signature.bind(*given, **named).arguments
        self.told.append(f"{label}({', '.join([*map(told, given), *(f'{k}={told(v)}' for k, v in named.items())])})")
        twin = copied(owner)
        twins = [copied(value) for value in given], {name: copied(value) for name, value in named.items()}
        before = fingerprints(bound)
        kind, text, result = attempt(function, given, named)
        if kind in ("right", "odd"):
            complaint = disagreement(label, signature, bound, twin, result, text)
            if fingerprints(bound) != before and label.rpartition(".")[2] not in CHANGING:
                complaint = "changed an argument"
            if complaint is None and method is not None and twin is not FAILED:
                complaint = other_ways(twin, method, signature, *twins, result)
            if complaint:
                kind, text, result = "wrong", complaint, None
        return (kind, label, text), result


def is_called(name):
    thing = getattr(s, name)
    return (
        name not in LEFT_OUT
        and thing not in MADE_HERE
        and not (inspect.isclass(thing) and issubclass(thing, Exception))
    )


NAMES = [name for name in s.__all__ if is_called(name)]


@functools.cache
def methods(kind):
    """The public methods that scratchae defines for a class; those that take arrays several times, to be called more often."""
    found = []
    for name in dir(kind):
        method = inspect.getattr_static(kind, name)
        ours = (getattr(method, "__module__", None) or "").startswith("scratchae")
        if (
            inspect.isfunction(method)
            and ours
            and name not in INNER.split()
            and (name[:1] != "_" or name == "__call__")
        ):
            takes_arrays = "Array" in str(inspect.signature(method))
            found += [name] * (5 if takes_arrays or name == "backward" else 1)
    return found or ["__repr__"]


# Running it


@contextlib.contextmanager
def contained():
    """No files but in a folder of its own, no downloads, at most 2 GiB more, and an alarm for what takes long."""
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    limits = resource.getrlimit(resource.RLIMIT_AS)
    heard, here, data = signal.signal(signal.SIGALRM, ring), Path.cwd(), os.environ.get("SCRATCHAE_DATA")
    with contextlib.suppress(s.ScratchaeError):
        device_module("gpu")  # imports CuPy, where there is any, before the alarm may ring in the middle of it
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


def calls(seed, count, only=None, compiled=False):
    """So many calls: (number of the session, kind, what was called, a word on it, the call as text)."""
    with contained() as folder, s.compile_kernels() if compiled else contextlib.nullcontext():
        for number in range(count // EACH) if only is None else [only]:
            session = Session([seed, number], folder)
            for outcome in session.run(EACH):
                yield (number, *outcome, session.told[-1])


def report(outcomes):
    """Counts of the outcomes, and the faults as text, one of each kind and place."""
    counts, faults = collections.Counter(), {}
    for number, kind, label, text, said in outcomes:
        counts[kind] += 1
        if kind in ("raw", "wrong"):
            where = text.rpartition("[")[2] if kind == "raw" else f"{label} {re.sub('took .* as', 'took', text)[:40]}"
            faults.setdefault((kind, where), []).append(f"session {number}: {said}\n      {text}")
    lines = [f"{len(found):5} {kind} {where}\n   {found[0]}" for (kind, where), found in faults.items()]
    return counts, lines


def main(seed, count, *rest):
    only = next((int(word) for word in rest if word.isdigit()), None)
    outcomes = list(calls(seed, count, only, "compiled" in rest))
    if only is not None:
        for _, kind, _, text, said in outcomes:
            print(f"{kind:8} {said}  {text}")
    counts, faults = report(outcomes)
    print(
        *faults,
        f"seed {seed}: {sum(counts.values())} calls, {dict(counts.most_common())}, {len(faults)} faults",
        sep="\n",
    )


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), *sys.argv[3:])
