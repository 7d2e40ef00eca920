"""The pictures of a run: where they go, in which format, and what each says of the run."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from .. import plots


class Album:
    """The pictures in a run's folder.

    `about` says what run it is, in small print on each. While a picture is drawn its name stands on the terminal, as
    some take a while. What is drawn, or left out, takes the place of an older picture of that name, of any format.
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
        """Do without a picture that would show nothing; `finish` tells why."""
        self.reasons.append(f"{name}.{self.form} is left out: {why}")
        self.remove(name)

    def remove(self, name: str, but: str = "") -> None:
        for form in plots.FORMATS.keys() - {but}:
            (self.folder / f"{name}.{form}").unlink(missing_ok=True)

    def finish(self) -> None:
        """End the line of names, and say what was left out."""
        print("".join(f"\n{reason}" for reason in self.reasons))
