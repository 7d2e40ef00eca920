"""Finds the line of a person's code that makes a gradient wrong: with one small change there, the gradient is right.

The code runs with a hook around each expression. A run with the value of one expression doubled tells what of the gradient comes
through it, and with it by how much it would have to count. Then other values take its place: that of another name, its transpose,
what is missing as a factor or a term. A change is believed only if all numbers of the gradient are right with it, for other numbers
as well, and the value is what it was.
"""

from __future__ import annotations

import ast
import functools
import linecache
import re
import time
from collections.abc import Callable, Iterator, Sequence
from types import FrameType
from typing import Any

import numpy as np

from . import candidates
from .candidates import is_numeric, may_replace, on_value, products, reader, spread, turned
from .case import Case, alike
from .experiment import REFUSALS
from .finding import Finding
from .goals import Fix, Goals
from .hooks import FUNCTIONS, Hooks, Place, Source, key_of, repeated
from .reporting import file_of
from .rewritings import rewritings

SECONDS = 1.3
TRIED: dict[tuple, bool] = {}  # for what a search has not found all, and whether it found something
SIMPLE = (1.0, -1.0, 2.0, 0.5, -2.0, -0.5)


def line(case: Case) -> Finding | None:
    """The line of the code that makes the gradient wrong."""
    experiment = case.experiment
    if "fixes" not in vars(experiment):
        experiment.fixes = []
        cases = [case, *(one for name, one in case.beside.items() if name != case.name)]
        try:
            experiment.fixes = Repair(cases).found()
        except (*REFUSALS, SyntaxError):
            pass
    for fix in experiment.fixes:
        if case.name in fix.names:
            file = file_of(experiment.subject)
            quoted = f"line {fix.line} is: {linecache.getline(file, fix.line).strip()}"
            return case.found(fix.kind, f"{quoted}; with this change, every number is right", **fix.words)
    return None


class Repair(Goals):
    """Tries one change after the other."""

    def __init__(self, cases: Sequence[Case]):
        self.end = self.last = time.process_time() + SECONDS
        super().__init__(cases)
        self.whole_numbers: set[str] = set()
        self.named: dict[int, dict[str, tuple[Any, tuple[int, ...]]]] = {}
        self.source = Source(file_of(self.experiment.subject))

    def found(self) -> list[Fix]:
        """The changes that make gradients right, those first that mend most."""
        if not self.source.text or not self.cases:
            return []
        self.ran = ran = self.source.ran(self.experiment.run)
        about = self.source.text, tuple(self.cases), frozenset(ran)
        if about in TRIED:
            if not TRIED[about]:
                return []
            self.last -= 3 / 4 * SECONDS
        hooks = Hooks(ran)
        module = hooks.visit(self.source.tree())
        self.places = hooks.places
        self.seconds = {name: self.second(one) for name, one in self.cases.items()}
        with self.source.replaced(module.body):
            self.sensitive = dict(self.through())
        self.used = {key_of(self.places[k].function) for k in self.sensitive}
        module = Hooks(ran, self.sensitive).visit(self.source.tree())  # the other hooks take time, and tell nothing
        searches = [(first, one) for first in (True, False) for one in self.searches()]
        with self.source.replaced(module.body):
            for i, (first, search) in enumerate(searches):  # each has a share of the time that is left
                share = min(2 if first else 4, len(searches) - i)
                self.end = time.process_time() + (self.last - time.process_time()) / share
                if not self.mended():
                    search(first)
        if not self.mended() and len(TRIED) < 1000:
            TRIED[about] = bool(self.fixes)
        return sorted(self.fixes, key=lambda fix: -len(fix.names))

    def searches(self) -> tuple[Callable[[bool], None], ...]:
        all_forms = candidates.FACTORS, candidates.DIVISORS, candidates.DERIVATIVES
        plain, there, others = (functools.partial(self.factors, forms) for forms in all_forms)
        return self.rewritten, self.others, self.alone, self.parts, plain, there, self.terms, self.products, others

    def late(self) -> bool:
        return time.process_time() > self.end

    def mended(self) -> bool:
        return any(len(fix.names) == len(self.cases) for fix in self.fixes)

    def done(self) -> bool:
        return self.late() or self.mended()

    def at(self, acting: int | tuple[int, ...], act: Callable[[Any, FrameType], Any]) -> np.ndarray | None:
        """All gradients with other values at hooks."""
        with self.source.act_at(acting, act):
            return self.gradient()

    def offer(
        self, k: int | tuple[int, ...], names: tuple[str, ...], kind: str, new: str, act: Callable, **words: str
    ) -> bool:
        """Notes a change at a hook, if it is a right one."""
        found = self.at(k, act)
        at = next(at for goal, at in self.goals if goal == names)
        if found is None or (np.abs(found - self.N) > 10 * self.slack)[at].any():
            return False
        with self.source.act_at(k, act):
            if not self.holds(names):
                return False
        place = self.places[k if isinstance(k, int) else k[0]]
        words = {"line": place.line, "part": f"`{place.text}`", "new": f"`{candidates.simply(new)}`", **words}
        self.fixes.append(Fix(names, kind, place.line, words))
        return True

    def through(self) -> Iterator[tuple[int, np.ndarray]]:
        """The expressions that the gradient depends on, and what of it comes through each; and those that count c times."""
        values: dict[int, np.ndarray] = {}
        self.source.noting = lambda k, value: values.setdefault(k, value)
        before = self.gradient()
        self.source.noting = None
        if before is None or not np.allclose(before, self.A, rtol=1e-9, atol=0):
            return  # the file is not what runs, such as after a change of it
        self.values = {k: np.shape(v) for k, v in values.items() if is_numeric(v)}
        for k in sorted(self.values):
            if self.late():
                return
            found = self.at(k, on_value(lambda value: 2 * value))
            moved = np.abs(found - self.A) > self.slack if found is not None else np.zeros(0, bool)
            if not moved.any() or moved[: self.known].any():  # what is right now would be another
                continue
            yield k, found - self.A
            tried = (
                [(self.goals[0][0], c) for c in (-2.0, -1.0, 1.0, -0.5)]
                if self.free
                else self.fitting(self.A, found - self.A)
            )
            for names, c in tried:
                kind = "line_extra" if abs(1 + c) < 1e-9 else "line_sign" if abs(2 + c) < 1e-9 else "line_factor"
                new, counts = f"-({self.places[k].text})", f"{1 / (1 + c):.6g}" if abs(1 + c) > 1e-9 else ""
                words = {"c": counts, **candidates.as_factor(self.places, k, kind)}
                if self.offer(k, names, kind, new, lambda value, frame, c=c: (1 + c) * value, **words):
                    break
                s = 1 - c / 2  # of what stands in a denominator
                if s > 1e-9 and self.offer(
                    k, names, "line_factor", "", lambda value, frame, s=s: value / s, c=f"{s:.6g}"
                ):
                    break
            if self.done():
                return

    def replace(self, k: int, kind: str, new: str, act: Callable) -> None:
        """Tries another value at a hook, or a simple multiple of it."""
        found = self.at(k, act)
        if found is None:
            return
        R = self.A - self.sensitive[k]
        for names, c in self.fitting(R, found - R):
            if c == 1 or (c in SIMPLE and kind == "line_lacks_factor" and len(names) == len(self.cases)):
                text = new if c == 1 else f"{c:g} * ({new})"
                if self.offer(k, names, kind, text, lambda value, frame, c=c: c * act(value, frame)):
                    return

    def names_at(self, k: int) -> dict[str, Any]:
        """The values that have a name where a hook is, by what would be written, as code."""
        if k in self.named:
            return self.named[k]
        texts = {one.text for one in self.places if one.leaf} | candidates.applied(self.places, k)
        found = self.named[k] = {}

        def collect(value: Any, frame: FrameType) -> Any:
            for text, code, one in candidates.arrays_at(self.places[k], texts, frame):
                found[text] = code, one.shape
                if one.dtype.kind in "iu":
                    self.whole_numbers.add(text)
            return value

        self.at(k, collect)
        return found

    def texts(self, k: int) -> list[str]:
        """What is written at a place, and around it."""
        return [self.places[i].text for i in (k, *self.places[k].within)]

    def chosen(self, first: bool, fits: Callable[[Place], bool]) -> Iterator[int]:
        """At first, the fitting places through which what is wrong comes, and nothing else; then the other ones."""
        for k, change in self.sensitive.items():
            if self.done():
                return
            if (fits(self.places[k]) and self.likely(change)) is first:
                yield k

    def others(self, first: bool) -> None:
        """Another name, the transpose or the turned array in place of a name, or of another expression."""
        for k in self.chosen(first, lambda place: place.leaf):
            for text, (code, shape) in self.names_at(k).items():
                if self.done():
                    return
                if text != self.places[k].text and may_replace(self.values[k], shape, self.texts(k)):
                    self.replace(k, "line_instead", text, reader(code))
                elif self.values[k] == () and len(shape) == 1:
                    self.replace(k, "line_instead", f"{text}[:, None]", reader(code, lambda one: one[:, None]))
        for outer, ks in repeated(self.places, self.sensitive) if first else ():
            old = self.places[ks[0]].text
            for text, (code, shape) in self.names_at(ks[0]).items():
                if self.done():
                    return
                if text != old and shape == self.values.get(ks[0]):
                    self.replace_all(
                        outer, ks, re.sub(rf"(?<![\w.]){re.escape(old)}(?!\w)", text, outer.text), reader(code)
                    )
        for k in self.chosen(first, lambda place: place.leaf):
            for form, function in turned(len(self.values[k])):
                if self.done():
                    return
                self.replace(k, "line_instead", form.format(v=self.places[k].operand), on_value(function))

    def parts(self, first: bool) -> None:
        """A part of an expression in its place, or a name."""
        for k in self.chosen(first, lambda place: not place.leaf):
            inner = (place.text for place in self.places[k + 1 :] if k in place.within and not place.leaf)
            named = (text for text, (_, shape) in self.names_at(k).items() if shape == self.values[k])
            for text in dict.fromkeys([*inner, *named]):
                if self.done():
                    return
                self.replace(k, "line_instead", text, reader(compile(text, "", "eval")))

    def is_factor(self, k: int) -> bool:
        """Whether a place is a factor of another one of the same shape."""
        return any(
            outer in self.sensitive
            and self.values[outer] == self.values[k]
            and alike(self.sensitive[outer], self.sensitive[k])
            for outer in self.places[k].within
        )

    def replace_all(self, outer: Place, ks: tuple[int, ...], new: str, act: Callable) -> None:
        """Tries another value at several hooks."""
        found = self.at(ks, act)
        for names, c in self.fitting(0 * self.A, found) if found is not None else ():
            if c == 1 and self.offer(ks, names, "line_instead", new, act, part=f"`{outer.text}`"):
                return

    def alone(self, first: bool) -> None:
        """A function of a value in its place."""
        for k in self.chosen(first, lambda place: place.leaf):
            for form, function in candidates.ALONE.items():
                if self.done():
                    return
                kind = "line_extra" if form == "1" else "line_instead"
                self.replace(k, kind, form.format(v=self.places[k].operand), on_value(function))

    def beside(self, k: int, forms: dict[str, Callable]) -> Iterator[tuple[str, Callable]]:
        """What could stand beside a value as a factor or a term, made of one that has a name: how it is written, and what gives it."""
        for text, (code, shape) in self.names_at(k).items():
            if text in self.whole_numbers or (forms is candidates.DIVISORS and text not in self.places[k].text):
                continue
            for suffix, take in spread(shape, self.values[k]):
                for form, function in forms.items():
                    if self.done():
                        return
                    yield form.format(u=f"{text}{suffix}"), reader(code, lambda one, f=function, t=take: f(t(one)))

    def factors(self, forms: dict[str, Callable], first: bool) -> None:
        """A factor that is missing."""
        for k in self.chosen(first, lambda place: place.whole):
            for new, u in self.beside(k, forms) if not self.is_factor(k) else ():
                if new == f"* {self.places[k].text}":
                    continue  # a square, which is tried as such
                kind = "line_instead" if new[0] == "/" else "line_lacks_factor"
                text = f"{self.places[k].operand} {new}"
                self.replace(k, kind, text, lambda value, frame, u=u: value * u(value, frame))

    def terms(self, first: bool) -> None:
        """A term that is missing."""
        for k in self.chosen(first, lambda place: place.whole and not place.term):
            for new, u in self.beside(k, candidates.TERMS):
                self.term(k, self.places[k].operand, new, u)

    def products(self, first: bool) -> None:
        """A term that is missing, a product of two matrices, or such a product in place of another: at first, one of the form of those that are there."""
        for k in self.chosen(first, lambda place: place.whole and not place.term):
            shapes = {text: shape for text, (_, shape) in self.names_at(k).items()}
            for form, u, w in products(shapes, self.values[k], self.places[k].text if first else ""):
                if self.done():
                    return
                product = reader(compile(form.format(u=u, w=w), "", "eval"))
                self.term(k, self.places[k].operand, form.format(u=u, w=w), product)
                if "@" in self.places[k].text:
                    self.replace(k, "line_instead", form.format(u=u, w=w), product)

    def term(self, k: int, part: str, new: str, u: Callable) -> None:
        found = self.at(k, lambda value, frame: value + u(value, frame))
        if found is None:
            return
        for names, c in self.fitting(self.A, found - self.A):
            text = f"{part} {'-' if c < 0 else '+'} {'' if abs(c) == 1 else f'{abs(c):.6g} * '}{new}"
            if self.offer(k, names, "line_lacks_term", text, lambda value, frame, c=c: value + c * u(value, frame)):
                return

    def rewritten(self, first: bool) -> None:
        """Small changes of the code."""
        for statement in self.source.tree().body:
            for function in ast.walk(statement):
                if not isinstance(function, FUNCTIONS) or key_of(function) not in self.ran:
                    continue
                for one in rewritings(function, first):
                    if self.done():
                        return
                    if key_of(function) not in self.used and one.kind != "line_returns":
                        continue
                    back = one.make()
                    try:
                        with self.source.replaced([statement]):
                            self.rewriting(one)
                    finally:
                        back()
