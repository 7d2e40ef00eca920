"""The chapters as an HTML book that needs no network: Sphinx, furo and KaTeX, every chapter executed."""

from __future__ import annotations

import hashlib
import importlib.metadata
import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

from ..errors import OptionError, RunError
from ..files import folder_written_whole, scratch_folder
from .chapters import Chapter, badge, chapters, folder, notebook
from .showing import BOOK, CHAPTER

MARK = ".scratchae-book"  # the file that says which files of the folder are the book's
NEEDED = ("sphinx", "myst-nb", "jupytext", "furo", "sphinxcontrib-katex", "sphinx-copybutton", "ipykernel")


def build(target: Path, numbers: list[int] | None = None) -> Path:
    """Execute the chapters and write the book to a folder; returns its first page.

    numbers: build a draft with these chapters only, in which links to the others lead nowhere. Raises RunError, and leaves
    the folder as it was, if a chapter fails, a link leads nowhere, or the folder holds anything but a book that was built here.
    """
    target = target.resolve()
    require_ours(target)
    chosen = [chapter for chapter in chapters() if numbers is None or chapter.number in numbers]
    if not chosen:
        raise OptionError(f"tutorial: there is no chapter {numbers}; `scratchae tutorial` lists them")
    with scratch_folder() as scratch:
        pages, site = scratch / "pages", scratch / "site"
        collect(chosen, pages)
        if numbers is not None:
            (pages / "study.py").unlink()  # it takes longer than a chapter
        run_sphinx(pages, site, ["--quiet"] if numbers is not None else ["--fail-on-warning", "--keep-going"])
        shutil.rmtree(site / ".doctrees")
        sign(site)
        with folder_written_whole(target) as new:
            shutil.copytree(site, new, dirs_exist_ok=True)
            require_ours(target)  # it has taken a while
    return target / "index.html"


# Whose a folder is


def sign(site: Path) -> None:
    """Say in a file what the book consists of, as `sha256sum` does: a folder that holds this alone may be replaced."""
    sums = [f"{checksum(path)}  {path.relative_to(site).as_posix()}\n" for path in files_in(site)]
    (site / MARK).write_text("".join(sums), encoding="utf-8")


def require_ours(folder: Path) -> None:
    """Raise RunError if a folder, or a file in its place, holds anything but a book as it was signed."""
    try:
        signed = set((folder / MARK).read_text(encoding="utf-8").splitlines())
    except (OSError, UnicodeDecodeError):
        signed = set()
    for path in files_in(folder) if folder.is_dir() else [folder] if folder.exists() else []:
        name = path.relative_to(folder).as_posix()
        if name != MARK and (path.is_symlink() or not path.is_file() or f"{checksum(path)}  {name}" not in signed):
            what = "was changed since the book was built, or added to it" if signed else "is there"
            raise RunError(
                f"{folder} is not empty and not a book that scratchae built: {path} {what}. Give a new folder, or move it away"
            )


def files_in(folder: Path) -> list[Path]:
    """Everything below a folder that is no folder itself."""
    return sorted(path for path in folder.rglob("*") if path.is_symlink() or not path.is_dir())


def checksum(path: Path) -> str:
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


# Sphinx


def run_sphinx(pages: Path, site: Path, options: list[str]) -> None:
    """Execute all pages and write them as HTML. Raises RunError if that fails, after Sphinx has said why."""
    # kernels without the user's start-up files, and quiet
    profile = pages.parent / "ipython" / "profile_default"
    profile.mkdir(parents=True)
    (profile / "ipython_kernel_config.py").write_text(
        'get_config().IPKernelApp.log_level = "ERROR"\n', encoding="utf-8"
    )
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
    parts = re.compile(r"<!-- chapters ([\d ]*)-->")  # the numbers of a part's; none: all that are in no other part
    placed = set(map(int, " ".join(parts.findall(text)).split()))

    def listed(found: re.Match) -> str:
        own = set(map(int, found[1].split()))
        return "\n".join(
            entry(each, pages) for each in chosen if (each.number in own if own else each.number not in placed)
        )

    text = parts.sub(listed, text).replace("<!-- names -->", names)
    index.write_text(text, encoding="utf-8")


def page(chapter: Chapter) -> str:
    """The chapter for Sphinx: with a link to the notebook below its head, and a hidden cell that gives its name."""
    head, mark, rest = chapter.path.read_text(encoding="utf-8").partition("\n# %%")
    name = chapter.path.stem
    run = f"# Run it: `scratchae tutorial {chapter.number}`, or [as a notebook](path:notebooks/{name}.ipynb). {badge(chapter.path)}".rstrip()
    hidden = f'# %% tags=["remove-cell"]\nimport os\n\nos.environ["{CHAPTER}"] = "{name}"\n'
    return f"{head.rstrip()}\n#\n{run}\n\n{hidden}{mark}{rest}"


def entry(chapter: Chapter, pages: Path) -> str:
    """A chapter's entry in the table of contents: its picture, if there is one, its title, question and time."""
    name = chapter.path.stem
    picture = folder() / "images" / "chapters" / f"{name}.png"
    image = ""
    if picture.is_file():
        shutil.copyfile(picture, pages / picture.name)
        image = f"[![{chapter.title}]({picture.name})]({chapter.path.name})\n\n"
    title = f"**[{chapter.number:02d} · {chapter.title}]({chapter.path.name})**"
    return f"```{{container}} chapter\n{image}{title}\n\n{chapter.question}\n\n*{chapter.time}*\n```\n"
