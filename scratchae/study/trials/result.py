"""What came of a check: right, wrong or not checkable, in which trial it shows, and what was tried."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np

from ..diagnosis.finding import Finding
from ..differences import GradientReport

RIGHT, WRONG, UNUSABLE = 0, 1, 2  # the exit codes


@dataclass
class Tried:
    """What was varied, to be said at the end."""

    shapes: list[str] = field(default_factory=list)
    batches: set[int] = field(default_factory=set)
    modes: list[str] = field(default_factory=list)
    options: list[str] = field(default_factory=list)
    moved: list[str] = field(default_factory=list)
    trials: int = 0
    left_out: list[str] = field(default_factory=list)
    only: list[str] = field(default_factory=list)  # on what it depends whether it is right

    def __str__(self) -> str:
        facts = []
        if self.shapes:
            few = ", ".join(self.shapes[:6]) + (", …" if len(self.shapes) > 6 else "")
            facts.append(f"{len(self.shapes)} {'shape' if len(self.shapes) == 1 else 'shapes'}: {few}")
        if len(self.batches) > 1:
            facts.append(f"batches of {', '.join(map(str, sorted(self.batches)))}")
        if self.moved:
            facts.append(f"{', '.join(self.moved)} moved off the start")
        if self.options:
            facts.append(f"options {'; '.join(dict.fromkeys(self.options))}")
        if self.modes:
            facts.append(" and ".join(dict.fromkeys(self.modes)))
        text = f"tried: {self.trials} {'trial' if self.trials == 1 else 'trials'}{'; ' if facts else ''}{'; '.join(facts)}"
        return text + "".join(f"\n  not varied: {what}" for what in dict.fromkeys(self.left_out))


@dataclass
class Result:
    """code: RIGHT, WRONG or UNUSABLE. text: what was found to be right, where no single gradients were compared. where: the trial in
    which a fault shows, empty for the first."""

    code: int
    text: str
    where: str = ""
    findings: tuple[Finding, ...] = ()
    report: GradientReport | None = None
    layer: Any = None
    error: BaseException | None = None
    shape: tuple[int, ...] | None = None  # of an input of the file that was not taken
    tried: Tried = field(default_factory=Tried)

    @property
    def agreed(self) -> int:
        """How many numbers of gradients are right that are not all zero: they tell that a value is the one that is meant."""
        checks = self.report.checks if self.report else ()
        return sum(check.analytic.size for check in checks if check.passed and np.any(check.analytic))

    def rather_than(self, worst: Result | None) -> Result:
        """Of two that are wrong, the one of which more is right; else the first."""
        return self if worst is None or self.agreed > worst.agreed else worst
