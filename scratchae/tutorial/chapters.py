"""The chapters in `tutorials/`: finding them, running them, and making notebooks of them."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..errors import OptionError, RunError
from ..files import written_whole

# this folder exists only if the package was installed from a wheel
INSTALLED = Path(__file__).parents[1] / "tutorials"

# Where the project can be cloned from: "https://github.com/OWNER/NAME", once it is published. The badges of the notebooks, of the list
# of chapters and of the book, and what Colab installs, follow from it; as long as it is empty there are none.
HOME = ""

# the first cell of a notebook: it imports the package of the environment, or of the checkout that the notebook is in; on Colab it
# installs what lies in HOME
FIND = """\
# This cell finds the package scratchae, here or in the checkout around this notebook. {what}
import sys
from pathlib import Path

try:
    import scratchae
except ImportError:
    checkouts = [folder for folder in Path.cwd().parents if (folder / "scratchae" / "__init__.py").is_file()]
    sys.path[:0] = map(str, checkouts[:1])
{install}    try:
        import scratchae
    except ImportError as error:
        print(
            f"{{error}}. This notebook needs the package scratchae and what it depends on. Install it into the Python of this "
            f"notebook from a checkout or from a wheel, then run this cell again:\\n    {{sys.executable}} -m pip install PATH"
        )"""
INSTALL = """\
    if not checkouts and "google.colab" in sys.modules:
        import subprocess

        print("installs scratchae from {home}, and what is missing of numpy, matplotlib, safetensors, threadpoolctl and tqdm")
        subprocess.run([sys.executable, "-m", "pip", "install", "-q", "git+{home}"], check=True)
"""


@dataclass(frozen=True)
class Chapter:
    """One chapter: its file, number, title, the question that it answers, and the time that it takes."""

    path: Path
    number: int
    title: str
    question: str
    time: str


def folder() -> Path:
    """The folder of the chapters: in the checkout, or in the installed package."""
    return INSTALLED if INSTALLED.is_dir() else INSTALLED.parent.parent / "tutorials"


def chapters() -> list[Chapter]:
    """All chapters, in order."""
    return [read(path) for path in sorted(folder().glob("[0-9][0-9]_*.py"))]


def find(number: int) -> Chapter:
    """The chapter with this number."""
    there = chapters()
    for chapter in there:
        if chapter.number == number:
            return chapter
    numbers = ", ".join(str(chapter.number) for chapter in there)
    raise OptionError(f"tutorial: there is no chapter {number}; there are {numbers or 'none'}")


def read(path: Path) -> Chapter:
    """The facts in the first cell of a chapter: `# NN · Title`, the question in italics, `**Time** …`."""
    head = path.read_text(encoding="utf-8").partition("\n# %%")[0] + "\n"
    found = re.search(r"^# # (\d\d) · (.+)\n#\n# \*(.+)\*\n#\n# \*\*Time\*\* (.+)\n", head, re.MULTILINE)
    if found is None:
        expected = "'# # NN · Title', '# *Question*' and '# **Time** …', with a line '#' between each two"
        raise OptionError(f"{path}: its first cell must be {expected}")
    number, title, question, time = found.groups()
    return Chapter(path, int(number), title, question, time)


def run(chapter: Chapter, environment: dict[str, str] | None = None) -> int:
    """Print a chapter's text while it runs in the current folder, and return its exit code."""
    command = [sys.executable, "-m", "scratchae.tutorial.reading", str(chapter.path)]
    return subprocess.run(command, env=os.environ | (environment or {}), check=False).returncode


def page(path: Path) -> Path | None:
    """The page of a chapter in a book that was built in the current folder or in the checkout, or None."""
    places = (place / "book" / f"{path.stem}.html" for place in (Path(), folder().parent))
    return next((place for place in places if place.is_file()), None)


# Exercises


def exercises() -> list[str]:
    """The names of all exercises, such as "02_dense"."""
    return sorted(path.stem for path in (folder() / "exercises").glob("[0-9][0-9]_*.py"))


def hand_out(name: str) -> Path:
    """The file in which the learner solves an exercise: exercises/NAME.py or NAME.py in the current folder, if it is there.
    Otherwise, in a checkout, it is tutorials/exercises/NAME.py itself; elsewhere a copy in exercises/, which is made now.
    Raises OptionError if there is no such exercise.
    """
    if name not in exercises():
        raise OptionError(f"there is no exercise {name!r}; the exercises are {', '.join(exercises()) or 'none'}")
    given = folder() / "exercises" / f"{name}.py"
    own = Path("exercises") / given.name
    for path in (own, Path(given.name)):
        if path.is_file():
            return path
    if folder() != INSTALLED:
        here = folder().parent in (Path.cwd(), *Path.cwd().parents)
        return Path(os.path.relpath(given)) if here else given
    with written_whole(own) as temporary:
        shutil.copyfile(given, temporary)
    return own


def first_cell() -> str:
    """The code of a notebook's first cell, which says what it installs."""
    if not HOME:
        return FIND.format(what="It installs nothing.", install="")
    what = "On Colab it installs scratchae; elsewhere it installs nothing."
    return FIND.format(what=what, install=INSTALL.format(home=HOME))


def badge(path: Path) -> str:
    """A badge that opens a chapter's notebook on Colab, in Markdown; empty as long as the project has no home."""
    if not HOME:
        return ""
    place = f"{HOME.removeprefix('https://')}/blob/main/tutorials/notebooks/{path.stem}.ipynb"
    colab = "https://colab.research.google.com"
    return f"[![Open in Colab]({colab}/assets/colab-badge.svg)]({colab}/{place.replace('.com', '', 1)})"


def notebook(path: Path) -> str:
    """A chapter as a Jupyter notebook without outputs, with a badge. Its first cell of code looks for the library."""
    import jupytext
    import nbformat

    made = jupytext.reads(relinked(path.read_text(encoding="utf-8")), fmt="py:percent")
    made.cells[0].source = "\n\n".join(filter(None, (made.cells[0].source, badge(path))))
    made.cells.insert(1, nbformat.v4.new_code_cell(first_cell()))
    for i, cell in enumerate(made.cells):
        cell["id"] = f"cell-{i}"  # so that the ids are the same each time
    made.metadata = {
        "kernelspec": {"display_name": "Python 3", "language": "python", "name": "python3"},
        "language_info": {"name": "python"},
    }
    made.metadata["scratchae"] = checksum(json.loads(nbformat.writes(made))["cells"])
    nbformat.validate(made)
    return nbformat.writes(made) + "\n"


def relinked(text: str) -> str:
    """Rewrite links to chapters and to the book's pages so that they work from `tutorials/notebooks/`."""
    text = re.sub(r"\]\((\d\d_\w+)\.py", r"](\1.ipynb", text)
    return re.sub(r"\]\((\w+\.md)", r"](../book/\1", text)


def write_notebooks(target: Path) -> list[Path]:
    """Write the notebooks of all chapters, and delete those that were written of chapters which no longer exist.

    Raises RunError, and changes nothing, where a notebook is in the way that was not written here or was changed since.
    """
    made = {target / f"{chapter.path.stem}.ipynb": notebook(chapter.path) for chapter in chapters()}
    for path, text in made.items():
        if path.exists() and path.read_bytes() != text.encode() and not is_unchanged(path):
            raise RunError(
                f"{path} was not written by scratchae, or was changed since, and is left as it is: move it away, or give another folder"
            )
    for path, text in made.items():
        with written_whole(path) as temporary:
            temporary.write_text(text, encoding="utf-8", newline="\n")
    for old in set(target.glob("[0-9][0-9]_*.ipynb")) - set(made):
        if is_unchanged(old):
            old.unlink()
    return list(made)


def is_unchanged(path: Path) -> bool:
    """Whether a notebook was written by `write_notebooks`, and has the same cells still."""
    try:
        found = json.loads(path.read_text(encoding="utf-8"))
        return found["metadata"]["scratchae"] == checksum(found["cells"])
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return False


def checksum(cells: list[dict[str, Any]]) -> str:
    """The mark of a notebook that was written here, by which it is known again: if it is still the same, it may be replaced."""
    return hashlib.sha256(json.dumps(cells, sort_keys=True).encode()).hexdigest()
