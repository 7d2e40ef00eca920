"""Searches through the options of several names: the likeliest first, or as each failure tells which of them do not fit together."""

from __future__ import annotations

import heapq
from collections.abc import Collection, Iterator, Mapping, Sequence

STEPS = 4000


def in_order(counts: Sequence[int]) -> Iterator[tuple[int, ...]]:
    """The places in several lists, the first of all lists first: by their sum."""
    start = (0,) * len(counts)
    queue, seen = [(0, start)], {start}
    while queue:
        cost, places = heapq.heappop(queue)
        yield places
        for i in range(len(counts)):
            after = (*places[:i], places[i] + 1, *places[i + 1 :])
            if after[i] < counts[i] and after not in seen:
                seen.add(after)
                heapq.heappush(queue, (cost + 1, after))


class Directed:
    """Goes through the options of several names, and leaves out what does not fit together, whatever else is chosen: dynamic backtracking
    (Ginsberg, 1993).

    options: of each name, the likeliest first. out: of names, the options that do not fit together. ruled: of a name, the options that are
    out as long as other names, those behind them, keep theirs.
    """

    def __init__(self, options: Mapping[str, Sequence[str]]):
        self.options = options
        self.out: dict[tuple[str, ...], set[tuple[str, ...]]] = {}
        self.order: list[str] = []
        self.ruled: dict[str, dict[str, set[str]]] = {name: {} for name in options}
        self.chosen = {name: kinds[0] for name, kinds in options.items()}

    def refuse(self, names: Collection[str], chosen: Mapping[str, str]) -> None:
        """What is chosen for these names does not fit together."""
        some = tuple(name for name in self.options if name in names)
        self.out.setdefault(some, set()).add(tuple(chosen[name] for name in some))

    def conflict(self, chosen: Mapping[str, str]) -> tuple[str, ...]:
        """The names whose options do not fit together, as far as is known."""
        return next((names for names, out in self.out.items() if tuple(chosen[name] for name in names) in out), ())

    def __iter__(self) -> Iterator[dict[str, str]]:
        for _ in range(STEPS if self.options else 0):
            if not self.conflict(self.chosen):
                yield dict(self.chosen)
            if not self.turn(self.conflict(self.chosen) or tuple(self.options)):
                return

    def turn(self, names: Collection[str]) -> bool:
        """Chooses another option for one of these names; False if there is none."""
        self.order += [name for name in self.options if name in names and name not in self.order]
        because = set(names)
        while because:
            last = max(because, key=self.order.index)
            self.ruled[last][self.chosen[last]] = because - {last}
            for other in self.order[self.order.index(last) + 1 :]:  # what was out because of it may fit again
                self.ruled[other] = {kind: why for kind, why in self.ruled[other].items() if last not in why}
                self.chosen[other] = self.first(other)
            if kind := self.first(last):
                self.chosen[last] = kind
                return True
            because = set().union(*self.ruled[last].values())
        return False

    def first(self, name: str) -> str:
        return next((kind for kind in self.options[name] if kind not in self.ruled[name]), "")
