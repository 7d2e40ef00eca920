"""The notebooks of the chapters: their first cell, their badge, and that they run, wherever they lie.

With SCRATCHAE_NOTEBOOKS=all, `python -m pytest -m "" tests/tutorial/test_notebooks.py` runs all of them; otherwise three run, and of the
others it is tested that they hold the cells that the book executes.
"""

import os
import re
import subprocess
import sys
import tomllib
import types
from pathlib import Path

import pytest

from scratchae.tutorial import book, chapters

ROOT = Path(__file__).parents[2]
CHAPTERS = chapters.chapters()
RUN = [
    chapter for chapter in CHAPTERS if chapter.number in (0, 3, 14) or os.environ.get("SCRATCHAE_NOTEBOOKS") == "all"
]
HERE = "https://github.com/someone/scratchae"


def code_of(cells):
    return [cell.source for cell in cells if cell.cell_type == "code"]


@pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.path.stem for chapter in CHAPTERS])
def test_a_notebook_has_the_cells_that_the_book_executes(chapter):
    jupytext = pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    found = code_of(jupytext.reads(chapters.notebook(chapter.path), fmt="ipynb").cells)
    executed = code_of(jupytext.reads(book.page(chapter), fmt="py:percent").cells)
    assert found[0] == chapters.first_cell() and "SCRATCHAE_CHAPTER" in executed[0]
    assert found[1:] == executed[1:] and len(found) > 5


@pytest.mark.slow
@pytest.mark.parametrize("chapter", RUN, ids=[chapter.path.stem for chapter in RUN])
def test_a_notebook_runs(chapter, tmp_path, monkeypatch):
    nbclient = pytest.importorskip("nbclient", reason="the extra `book` is not installed")
    nbformat = pytest.importorskip("nbformat", reason="the extra `book` is not installed")
    for name, value in {"FAST": "1", "OPENBLAS_NUM_THREADS": "1", "PYDEVD_DISABLE_FILE_VALIDATION": "1"}.items():
        monkeypatch.setenv(name, value)
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    if chapter.number == 0:  # as if it were not installed: the first cell finds the checkout around it
        monkeypatch.setenv("PYTHONPATH", str(hidden(tmp_path / "hidden")))
        place = chapters.folder() / "notebooks"
    else:
        place = tmp_path / "elsewhere"
        place.mkdir()
    read = nbformat.reads(chapters.notebook(chapter.path), as_version=4)
    nbclient.NotebookClient(
        read, timeout=600, kernel_name="python3", resources={"metadata": {"path": str(place)}}
    ).execute()
    outputs = [output for cell in read.cells if cell.cell_type == "code" for output in cell.outputs]
    assert any("chapter-figure" in output.get("data", {}).get("text/html", "") for output in outputs)
    assert [output["text"] for output in outputs if output.get("name") == "stderr"] == []
    if place.parent == tmp_path:
        assert {path.name for path in place.iterdir()} <= {"out", "exercises"}


def hidden(folder):
    """A folder that, in PYTHONPATH, hides the checkout from a kernel that finds it otherwise."""
    folder.mkdir()
    (folder / "sitecustomize.py").write_text(
        "import os, sys\nsys.path[:] = [place for place in sys.path if not os.path.isdir(os.path.join(place, 'scratchae'))]\n",
        encoding="utf-8",
    )
    return folder


# Where the project lives


@pytest.fixture
def at_home(monkeypatch):
    monkeypatch.setattr(chapters, "HOME", HERE)


def test_without_a_home_there_is_no_badge_and_nothing_is_installed(monkeypatch):
    monkeypatch.setattr(chapters, "HOME", "")
    assert chapters.badge(CHAPTERS[0].path) == "" and "pip install" in chapters.first_cell()
    assert "It installs nothing." in chapters.first_cell() and "subprocess" not in chapters.first_cell()


def test_a_badge_opens_the_notebook_on_colab(at_home):
    found = chapters.badge(CHAPTERS[2].path)
    assert found.startswith("[![Open in Colab](https://colab.research.google.com/assets/colab-badge.svg)](")
    assert found.endswith(
        "(https://colab.research.google.com/github/someone/scratchae/blob/main/tutorials/notebooks/02_backpropagation.ipynb)"
    )
    assert found in book.page(CHAPTERS[2])
    jupytext = pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    cells = jupytext.reads(chapters.notebook(CHAPTERS[2].path), fmt="ipynb").cells
    assert cells[0].source.endswith(found) and cells[1].source == chapters.first_cell()


def test_on_colab_the_first_cell_says_what_it_installs_and_does(at_home, monkeypatch, tmp_path, capsys):
    """pip is played: it makes the package that is then imported."""
    monkeypatch.chdir(tmp_path)
    ran = []

    def install(command, check):
        ran.append(command)
        monkeypatch.setitem(sys.modules, "scratchae", types.ModuleType("scratchae"))

    monkeypatch.setattr(subprocess, "run", install)
    monkeypatch.setitem(sys.modules, "scratchae", None)
    exec(chapters.first_cell(), {})
    assert ran == [] and "needs the package scratchae" in capsys.readouterr().out  # not on Colab
    monkeypatch.setitem(sys.modules, "google.colab", types.ModuleType("colab"))
    exec(chapters.first_cell(), {})
    assert ran == [[sys.executable, "-m", "pip", "install", "-q", f"git+{HERE}"]]
    said = capsys.readouterr().out
    assert said.startswith(f"installs scratchae from {HERE}, and ")
    with open(ROOT / "pyproject.toml", "rb") as file:
        needs = tomllib.load(file)["project"]["dependencies"]
    assert all(re.match(r"[\w-]+", need)[0] in said for need in needs)


def test_links_to_the_project_follow_its_home():
    """The list of chapters, the citation, the recipe and pyproject.toml name HOME; as long as it is empty, they name none."""
    texts = {
        name: (ROOT / name).read_text(encoding="utf-8")
        for name in ("CITATION.cff", "recipe/meta.yaml", "pyproject.toml")
    }
    wanted = {"CITATION.cff": "repository-code: ", "recipe/meta.yaml": "  home: ", "pyproject.toml": "Repository = "}
    for name, before in wanted.items():
        found = re.findall(rf'^{before}"?([^\s"#]+)', texts[name], re.MULTILINE)
        assert found == [chapters.HOME] * bool(chapters.HOME), name
    listed = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")
    assert all(chapters.badge(chapter.path) in listed for chapter in CHAPTERS)


def test_the_list_of_chapters_has_the_times_of_the_chapters():
    listed = (ROOT / "tutorials" / "README.md").read_text(encoding="utf-8")
    for chapter in CHAPTERS:
        time = re.search(r"\*\*Time\*\* (.*)", chapter.path.read_text(encoding="utf-8"))[1]
        assert re.search(rf"\({chapter.path.name}\) \| .* \| {re.escape(time)} \|\n", listed), chapter.path.name
