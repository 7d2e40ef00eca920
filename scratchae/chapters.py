"""The chapters in `tutorials/`: which there are, how to run one, and the notebooks made of them."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

from .errors import OptionError

# what a notebook on a machine without the library, such as one of Colab's, must run first
INSTALL = """\
try:
    import scratchae
except ImportError:
    %pip install --quiet scratchae"""


@dataclass(frozen=True)
class Chapter:
    """One file: its number, title, the question that it answers, and what it says about time."""

    path: Path
    number: int
    title: str
    question: str
    time: str


def folder() -> Path:
    """The folder of the chapters: that of the checkout, or the one that the installed package brings along."""
    package = Path(__file__).parent
    installed = package / "tutorials"
    return installed if installed.is_dir() else package.parent / "tutorials"


def chapters() -> list[Chapter]:
    """All chapters, in order."""
    return [read(path) for path in sorted(folder().glob("[0-9][0-9]_*.py"))]


def find(number: int) -> Chapter:
    """The chapter of a number."""
    there = chapters()
    for chapter in there:
        if chapter.number == number:
            return chapter
    numbers = ", ".join(str(chapter.number) for chapter in there)
    raise OptionError(f"tutorial: there is no chapter {number}; there are {numbers or 'none'}")


def read(path: Path) -> Chapter:
    """What the first cell of a chapter says: `# NN · Title`, the question in italics, `**Time** …`."""
    head = path.read_text(encoding="utf-8").partition("\n# %%")[0] + "\n"
    found = re.search(r"^# # (\d\d) · (.+)\n#\n# \*(.+)\*\n#\n# \*\*Time\*\* (.+)\n", head, re.MULTILINE)
    if found is None:
        expected = "'# # NN · Title', '# *Question*' and '# **Time** …', with a line '#' between each two"
        raise OptionError(f"{path}: its first cell must be {expected}")
    number, title, question, time = found.groups()
    return Chapter(path, int(number), title, question, time)


def run(chapter: Chapter, environment: dict[str, str] | None = None) -> int:
    """Run a chapter as a script in the current folder, and return its exit code."""
    return subprocess.run(
        [sys.executable, str(chapter.path)], env=os.environ | (environment or {}), check=False
    ).returncode


def notebook(path: Path) -> str:
    """A chapter as a Jupyter notebook without outputs, which installs the library first where it is missing."""
    import jupytext
    import nbformat

    made = jupytext.reads(relinked(path.read_text(encoding="utf-8")), fmt="py:percent")
    made.cells.insert(1, nbformat.v4.new_code_cell(INSTALL))
    for i, cell in enumerate(made.cells):
        cell["id"] = f"cell-{i}"  # the same each time
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def relinked(text: str) -> str:
    """Links to chapters and to the book's pages as they are seen from `tutorials/notebooks/`."""
    text = re.sub(r"\]\((\d\d_\w+)\.py", r"](\1.ipynb", text)
    return re.sub(r"\]\((\w+\.md)", r"](../book/\1", text)


def write_notebooks(target: Path) -> list[Path]:
    """Write the notebooks of all chapters; notebooks of chapters that are gone are deleted."""
    target.mkdir(parents=True, exist_ok=True)
    made = {target / f"{chapter.path.stem}.ipynb": notebook(chapter.path) for chapter in chapters()}
    for old in set(target.glob("[0-9][0-9]_*.ipynb")) - set(made):
        old.unlink()
    for path, text in made.items():
        path.write_text(text, encoding="utf-8")
    return list(made)
