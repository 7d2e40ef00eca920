"""Values that are meant to be a divergence: 0 where both distributions are the same, and nowhere smaller."""

from __future__ import annotations

import contextlib
import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding, finding
from ..styles.objects.copies import duplicate
from ..styles.text.calls import method_of, parameters_of, required
from ..styles.text.names import VALUES, plain
from ..styles.text.written import notes_of, text_of

MEANS, SPREADS = {"mu", "mean", "m", "zmean", "means", "mus"}, {
    "logvar": 0.0, "logvariance": 0.0, "logsigma": 0.0, "logstd": 0.0, "logsigma2": 0.0, "logsigmasquared": 0.0, "zlogvar": 0.0, "lv": 0.0, "logs": 0.0,
    "sigma": 1.0, "std": 1.0, "var": 1.0, "variance": 1.0, "sigma2": 1.0, "sd": 1.0, "logs2": 0.0,
}  # fmt: skip
# what says that the other distribution is N(0, 1)
STANDARD = re.compile(r"standard.?normal|\bN\(0, ?(?:1|I)\)|unit.?(?:gauss|normal)|standard.?gauss", re.I)
WRITTEN = re.compile(r"\bKL ?\(.*(?:\|\||‖|\u2225)")  # a divergence that is written out
SHARES = {"rho", "target", "sparsity", "targetsparsity", "sparsitytarget", "rhotarget", "targetactivation", "sparsityparam", "p"}  # fmt: skip


# that of a normal distribution, and not of another, or weighted
LIKELIHOOD = re.compile(r"nll|log.?likelihood|neg\w*.likelihood", re.I)
OTHER_LIKELIHOOD = re.compile(
    r"beta|clip|clamp|maximum|softplus|prior|student|laplace|\bkl|diverg|penalty|regulari", re.I
)


def from_normal(function: Any, arguments: int) -> Iterator[Finding]:
    """What is wrong with a divergence from N(0, 1), of two arguments."""
    try:
        names = [plain(name) for name in inspect.signature(source_of(function)).parameters]
    except (TypeError, ValueError):
        return
    title = plain(getattr(function, "__name__", ""))
    if (
        arguments == 2
        and len(names) >= 2
        and names[0] in MEANS
        and names[1] in SPREADS
        and any(word in title for word in ("kl", "divergence", "kld", "latent"))
    ):
        mu, spread = np.zeros((4, 3)), np.full((4, 3), SPREADS[names[1]])
        with np.errstate(all="ignore"), contextlib.suppress(Exception):  # it takes arrays of another shape
            here = value_at(function, mu, spread)
            around = [value_at(function, mu + a, spread + b) for a in (-0.2, 0.2, 0) for b in (-0.2, 0.2)]
            if not abs(here) < 1e-9 or min(around) < here - 1e-12:
                said = f"at a mean of 0 and a σ of 1 it is {here:.6g}, and near there it is down to {min(around):.6g}"
                yield finding("not_a_divergence", (), said)


def below_zero(function: Any, arguments: int) -> Iterator[Finding]:
    """What is wrong with a KL(N(μ, σ²) ‖ …), as its text writes it, of a mean and of what its own formula makes a σ of: it is below 0."""
    source = source_of(function)
    text = text_of(source)
    if not WRITTEN.search(text) or re.search(r"\bneg|minus|constant", text, re.I) or not inspect.isroutine(source):
        return
    names = [plain(p.name) for p in required(source)]
    if arguments == 2 == len(names) and names[0] in MEANS and names[1] not in SPREADS:
        yield from lowest_of(names[1], lambda t: value_at(function, np.zeros((4, 3)), np.full((4, 3), t)))


def lowest_of(name: str, value: Callable[[float], float]) -> Iterator[Finding]:
    """What is wrong with a divergence of normal distributions with a mean of 0: for some spread, of this name, it is below 0."""
    with np.errstate(all="ignore"), contextlib.suppress(Exception):  # it takes arrays of another shape
        values = {t: value(t) for t in np.linspace(-6, 6, 241)}
        lowest = min(values, key=lambda t: np.nan_to_num(values[t], nan=np.inf))
        if values[lowest] < -1e-6:
            evidence = f"for a mean of 0 and a {name} of {lowest:.3g} it is {values[lowest]:.6g}"
            what = "divergence: that is 0 where both distributions are the same, and nowhere smaller"
            formula = "KL(N(μ, σ²) ‖ N(0, s²)) = Σ log(s / σ) + (σ² + μ²) / (2 s²) - ½"
            yield finding("other_value", (), evidence, what=what, formula=formula)


def of_kept(thing: Any, term: str) -> Iterator[Finding]:
    """What is wrong with a KL that a method gives of the mean and the logarithm of a spread that an object keeps: it is below 0."""
    text = text_of(getattr(type(thing), term))
    kept = dict.fromkeys(re.findall(r"self\.(\w+)", text))
    means = [name for name in kept if plain(name) in MEANS]
    spreads = [name for name in kept if SPREADS.get(plain(name)) == 0]
    named = re.search(r"kl|diverg", term, re.I) and not re.search(
        r"\bneg|minus|constant|prior", notes_of(type(thing)), re.I
    )
    if not (named and len(means) == len(spreads) == 1):
        return

    def at(spread: float) -> float:
        twin = duplicate(thing)
        vars(twin).update({means[0]: np.zeros((4, 3)), spreads[0]: np.full((4, 3), spread)})
        return float(getattr(twin, term)())

    yield from lowest_of(spreads[0], at)


def is_promised(function: Any) -> bool:
    """Whether a function says that it is the divergence from N(0, 1), and is not turned round."""
    text = text_of(source_of(function))
    title = re.sub(r"[\W_]+", " ", getattr(function, "__name__", ""))
    return bool(STANDARD.search(f"{text} {title}")) and not re.search(r"\bneg|minus|prior_", text, re.I)


def source_of(function: Any) -> Any:
    return getattr(function, "source", None) or function


def of_shares(thing: Any) -> Iterator[Finding]:
    """What is wrong with a penalty on mean activations, Σ KL(ρ ‖ ρ̂), an object or a function: at ρ it is 0, and beside ρ it is below 0."""
    source = source_of(thing)
    text = text_of(source if inspect.isroutine(source) else type(source))
    if not (re.search(r"spars|\bKL\b|diverg|bernoulli", text, re.I) and re.search(r"\blog\b|log1p", text)):
        return
    named = {p.name: p.default for p in parameters_of(source)} if inspect.isroutine(source) else vars(source)
    shares = [v for name, v in named.items() if plain(name) in SHARES and isinstance(v, float) and 0 < v < 0.8]
    for rho in shares[:1]:
        with contextlib.suppress(Exception):  # it is handed something else
            values = [value_at(thing, np.full((6, 4), factor * rho)) for factor in (1.0, 0.8, 1.2)]
            if abs(values[0]) < 1e-12 and min(values) < -1e-9:
                evidence = f"for activations of {rho:g} it is 0, of {0.8 * rho:g} it is {values[1]:.6g}, and of {1.2 * rho:g} it is {values[2]:.6g}"
                what = "divergence of ρ̂ from ρ: that is 0 for ρ̂ = ρ, and nowhere smaller"
                formula = "Σ ρ log(ρ / ρ̂) + (1 - ρ) log((1 - ρ) / (1 - ρ̂)), with both of its halves"
                yield finding("other_value", (), evidence, what=what, formula=formula)


def of_likelihood(thing: Any) -> Iterator[Finding]:
    """What is wrong with a likelihood of N(μ, σ²), an object or a function of μ, of a spread and of y: the best spread is |y - μ|."""
    source = source_of(thing)
    text = text_of(source if inspect.isroutine(source) else type(source))
    if not (LIKELIHOOD.search(text) and re.search(r"gauss|normal|\bN\(", text, re.I)) or OTHER_LIKELIHOOD.search(
        text
    ):
        return
    with contextlib.suppress(Exception):  # it is handed something else
        call = source if inspect.isroutine(source) else getattr(source, method_of(source, VALUES))
        names = [plain(p.name) for p in required(call)]
        if len(names) != 3 or len({*names} & MEANS) != 1 or len({*names} & {*SPREADS}) != 1:
            return
        spread = next(name for name in names if name in SPREADS)
        r = np.random.default_rng(1).uniform(0.3, 2.0, (5, 3))
        mean = next(iter({*names} & MEANS))

        def at(log_spread: np.ndarray) -> float:
            arrays = {spread: log_spread if SPREADS[spread] == 0 else np.exp(log_spread), mean: 0 * r}
            return value_at(thing, *(arrays.get(name, r) for name in names))

        # σ², as its name says, or either where it says σ, by which many mean σ²
        best = [np.log(r) * k for k in ((2,) if re.search(r"v|2|sq", spread) else (1, 2))]
        h = 1e-3
        paths = [[at(one + shift) for shift in (-h, 0, h)] for one in best]
        if all(abs(after - before) / 2 > 0.1 * abs(before + after - 2 * here) / h for before, here, after in paths):
            before, here, after = paths[0]
            evidence = f"for σ = |y - μ| it is {here:.6g}, and for a σ beside that {min(before, after):.6g} and {max(before, after):.6g}"
            what = "likelihood of N(μ, σ²): that is best where σ is |y - μ|"
            formula = "-log p = ½ log σ² + ½ (y - μ)² / σ², and log σ² = 2 log σ"
            yield finding("other_value", (), evidence, what=what, formula=formula)


def value_at(thing: Any, *arrays: np.ndarray) -> float:
    """The value of a penalty, as a function or an object has it."""
    call: Callable = thing
    if not inspect.isroutine(source_of(thing)):
        call = getattr(duplicate(thing), method_of(thing, VALUES))
    if len(required(source_of(call))) != len(arrays):
        raise TypeError
    found = call(*arrays)
    return float(np.sum(found[0] if isinstance(found, tuple) else found))
