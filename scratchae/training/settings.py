"""The numbers of Python's that a training step computes with. A recorded step holds them as they were when it was recorded, so
a recording is good only while they stay the same.
"""

from __future__ import annotations

from collections.abc import Callable

from ..backend.kernels.generator import Generator
from ..description import Described, ours

Settings = dict[str, object]
PLAIN = (bool, int, float, str, type(None))


def settings(thing: object, name: str) -> Settings:
    """Every number, text and flag in a model, an optimizer, a layer or a loss, by its path, such as "model.penalty.weight".

    Our own classes compute with their constructor arguments; a person's class may compute with any of its attributes.
    """
    found: Settings = {}
    collect(thing, name, found, set())
    return found


def collect(thing: object, path: str, found: Settings, seen: set[int]) -> None:
    if isinstance(thing, PLAIN):
        found[path] = thing
    elif isinstance(thing, list | tuple):
        for i, part in enumerate(thing):
            collect(part, f"{path}[{i}]", found, seen)
    elif isinstance(thing, dict):
        for key, part in thing.items():
            collect(part, f"{path}[{key!r}]", found, seen)
    elif isinstance(thing, Generator):
        found[f"{path}.draws"] = thing.draws
    elif isinstance(thing, Described) and id(thing) not in seen:
        seen.add(id(thing))
        parts = thing.all_arguments() if ours(type(thing)) else vars(thing)
        for name, part in parts.items():
            collect(part, f"{path}.{name}", found, seen)


def changed(before: Settings, after: Settings) -> list[str]:
    """The paths whose value is another, of those that are in both."""
    return [path for path in before.keys() & after.keys() if before[path] != after[path]]


class Repeatable:
    """`step`, watched until it is recorded, which happens at its third call. If the calls before changed a setting, each to
    another value, then a replay would not do what the step does: the third call raises RuntimeError.
    """

    def __init__(self, step: Callable[[], None], settings_now: Callable[[], Settings]):
        self.step, self.settings_now = step, settings_now
        self.calls, self.after = 0, {}
        self.counters: set[str] = set()

    def __call__(self) -> None:
        self.calls += 1
        if self.calls == 3 and self.counters:
            raise RuntimeError(f"each step changes {', '.join(sorted(self.counters))}, which a replay would not")
        before = self.settings_now()
        self.step()
        after = self.settings_now()
        # what only depends on the number of rows is the same after each call
        self.counters |= {*changed(before, after)} & {*changed(self.after, after)}
        self.after = after
