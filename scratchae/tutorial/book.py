"""The chapters as an HTML book that needs no network: Sphinx, furo and KaTeX, every chapter executed."""

from __future__ import annotations

import importlib.metadata
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from ..errors import OptionError, RunError
from .chapters import Chapter, chapters, folder, notebook
from .showing import BOOK, CHAPTER

NEEDED = ("sphinx", "myst-nb", "jupytext", "furo", "sphinxcontrib-katex", "sphinx-copybutton", "ipykernel")


def build(target: Path, numbers: list[int] | None = None) -> Path:
    """Execute the chapters and write the book to a folder; returns its first page.

    numbers: build a draft with these chapters only, in which links to the others lead nowhere. Raises RunError, and leaves
    the folder as it was, if a chapter fails, a link leads nowhere, or the folder holds something else.
    """
    target = target.resolve()
    if target.exists() and any(target.iterdir()) and not (target / "searchindex.js").is_file():
        raise RunError(f"{target} is not empty and not a book: give a new folder")
    chosen = [chapter for chapter in chapters() if numbers is None or chapter.number in numbers]
    if not chosen:
        raise OptionError(f"tutorial: there is no chapter {numbers}; `scratchae tutorial` lists them")
    with tempfile.TemporaryDirectory(prefix="scratchae-book-") as scratch:
        pages, site = Path(scratch) / "pages", Path(scratch) / "site"
        collect(chosen, pages)
        if numbers is not None:
            (pages / "study.py").unlink()  # it takes longer than a chapter
        run_sphinx(pages, site, ["--quiet"] if numbers is not None else ["--fail-on-warning", "--keep-going"])
        shutil.rmtree(site / ".doctrees")
        shutil.rmtree(target, ignore_errors=True)
        shutil.copytree(site, target)
    return target / "index.html"


def run_sphinx(pages: Path, site: Path, options: list[str]) -> None:
    """Execute all pages and write them as HTML. Raises RunError if that fails, after Sphinx has said why."""
    # kernels without the user's start-up files, and quiet
    profile = pages.parent / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text('get_config().IPKernelApp.log_level = "ERROR"\n')
    environment = os.environ | {
        BOOK: str(pages / "_static"),
        CHAPTER: "study",  # the page beside the chapters; a chapter says its own name
        "IPYTHONDIR": str(profile.parent),
        "OPENBLAS_NUM_THREADS": "1",  # run as many chapters at a time as there are cores
        "PYDEVD_DISABLE_FILE_VALIDATION": "1",  # silence a warning of the kernel's debugger, which is not used here
    }
    command = [sys.executable, "-m", "sphinx", "-b", "html", "--jobs", "auto", "--show-traceback", *options]
    if subprocess.run([*command, str(pages), str(site)], env=environment, check=False).returncode != 0:
        raise RunError("the book was not built: the reason is given above")


def require_packages() -> None:
    """Raise RunError if the packages that build the book are not installed."""
    missing = []
    for name in NEEDED:
        try:
            importlib.metadata.version(name)
        except importlib.metadata.PackageNotFoundError:
            missing.append(name)
    if missing:
        raise RunError(
            f'book and notebooks need {", ".join(missing)}: in a checkout, python -m pip install -e ".[book]"'
        )


def collect(chosen: list[Chapter], pages: Path) -> None:
    """Write the files that Sphinx reads: the book's own pages, the chapters, and their notebooks."""
    shutil.copytree(folder() / "book", pages)
    (pages / "notebooks").mkdir()
    for chapter in chosen:
        name = chapter.path.stem
        (pages / "notebooks" / f"{name}.ipynb").write_text(notebook(chapter.path), encoding="utf-8")
        (pages / chapter.path.name).write_text(page(chapter), encoding="utf-8")
    index = pages / "index.md"
    text = index.read_text(encoding="utf-8")
    names = "\n".join(chapter.path.stem for chapter in chosen)
    text = text.replace("<!-- chapters -->", "\n".join(entry(chapter, pages) for chapter in chosen)).replace(
        "<!-- names -->", names
    )
    index.write_text(text, encoding="utf-8")


def page(chapter: Chapter) -> str:
    """The chapter for Sphinx: with a link to the notebook below its head, and a hidden cell that gives its name."""
    head, mark, rest = chapter.path.read_text(encoding="utf-8").partition("\n# %%")
    name = chapter.path.stem
    run = f"# Run it: `scratchae tutorial {chapter.number}`, or [as a notebook](path:notebooks/{name}.ipynb)."
    hidden = f'# %% tags=["remove-cell"]\nimport os\n\nos.environ["{CHAPTER}"] = "{name}"\n'
    return f"{head.rstrip()}\n#\n{run}\n\n{hidden}{mark}{rest}"


def entry(chapter: Chapter, pages: Path) -> str:
    """A chapter's entry in the table of contents: its picture, if there is one, its title, question and time."""
    name = chapter.path.stem
    picture = folder() / "images" / "chapters" / f"{name}.png"
    image = ""
    if picture.is_file():
        shutil.copyfile(picture, pages / picture.name)
        image = f"[![]({picture.name})]({chapter.path.name})\n\n"
    title = f"**[{chapter.number:02d} · {chapter.title}]({chapter.path.name})**"
    return f"```{{container}} chapter\n{image}{title}\n\n{chapter.question}\n\n*{chapter.time}*\n```\n"
