"""The pictures of a run: their folder, their format, and the line about the run on each."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import plots


class Album:
    """The pictures in a run's folder.

    `about` describes the run in small print on each picture. While a picture is drawn, its name is on the terminal, since
    some take a while. A picture that is drawn or left out replaces an older one of the same name, in any format.
    """

    def __init__(self, folder: Path, form: str, about: str):
        self.folder, self.form, self.about = folder, form, about
        self.names: list[str] = []
        self.reasons: list[str] = []

    def add(self, name: str, draw: Callable[[Path], object]) -> None:
        """Draw a picture: `album.add("loss", lambda path: plots.loss_curve(history, path, unit))`."""
        print(f", {name}" if self.names else f"drawing {name}", end="", flush=True)
        self.names.append(name)
        path = self.folder / f"{name}.{self.form}"
        with plots.small_print(self.about):
            draw(path)
        self.remove(name, but=self.form)

    def leave_out(self, name: str, why: str) -> None:
        """Leave out a picture that would show nothing; `finish` says why."""
        self.reasons.append(f"{name}.{self.form} is left out: {why}")
        self.remove(name)

    def remove(self, name: str, but: str = "") -> None:
        for form in plots.FORMATS.keys() - {but}:
            (self.folder / f"{name}.{form}").unlink(missing_ok=True)

    def finish(self) -> None:
        """End the line of names, and say which pictures were left out."""
        print("".join(f"\n{reason}" for reason in self.reasons))
