"""A chapter runs as a script; what it links to is there; its notebook is up to date; the code that it shows is the library's."""

import json
import os
import re
import subprocess
import sys
from datetime import date
from pathlib import Path

import numpy as np
import pytest

import scratchae as sae
from scratchae import plots
from scratchae.cli import main
from scratchae.errors import OptionError, RunError
from scratchae.tutorial import chapters
from scratchae.tutorial import showing as tutorial

CHAPTERS = chapters.chapters()
FOLDER = chapters.folder()
PAGES = {path.name: path.read_text(encoding="utf-8") for path in (FOLDER / "book").glob("*.md")}
# the book executes all chapters too; as scripts a third of them run, others each day, unless all are asked for
TODAY = CHAPTERS if os.environ.get("SCRATCHAE_CHAPTERS") == "all" else CHAPTERS[date.today().toordinal() % 3 :: 3]
each_chapter = pytest.mark.parametrize("chapter", CHAPTERS, ids=[chapter.path.stem for chapter in CHAPTERS])


def text_of(chapter):
    return chapter.path.read_text(encoding="utf-8")


def prose_of(chapter):
    return "\n".join(line for line in text_of(chapter).splitlines() if line.startswith("#"))


def exercises_of(chapter):
    code = "\n".join(line for line in text_of(chapter).splitlines() if not line.startswith("#"))
    return re.findall(rf'"({chapter.number:02d}_\w+)"', code)


def anchor(heading):
    """The link target that the book and GitHub make of a heading."""
    return re.sub(r"[^\w\- ]", "", heading.strip().lower()).replace(" ", "-")


def test_the_chapters_are_numbered_from_0():
    assert [chapter.number for chapter in CHAPTERS] == list(range(len(CHAPTERS)))
    assert all(int(chapter.path.name[:2]) == chapter.number for chapter in CHAPTERS)


@pytest.mark.slow
@pytest.mark.parametrize("chapter", TODAY, ids=[chapter.path.stem for chapter in TODAY])
def test_a_chapter_runs_as_a_script(chapter, tmp_path):
    environment = {name: value for name, value in os.environ.items() if name != tutorial.DATA}
    environment |= {"FAST": "1", "PYTHONWARNINGS": "error", "PYTHONIOENCODING": "utf-8", "OPENBLAS_NUM_THREADS": "1"}
    command = [sys.executable, str(chapter.path)]
    ran = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, encoding="utf-8")
    assert ran.returncode == 0, ran.stderr[-3000:]
    assert ran.stderr == ""
    pictures = re.findall(r"^\[picture\] (\S+\.png): \S", ran.stdout, re.MULTILINE)
    assert pictures
    for picture in pictures:
        assert Path(picture).parent == Path("out", chapter.path.stem)
        assert (tmp_path / picture).read_bytes().startswith(b"\x89PNG")
    left = {path.name for path in tmp_path.iterdir()}
    assert left <= {"out", "exercises"}, "a chapter writes nothing elsewhere"


@each_chapter
def test_the_links_of_a_chapter_lead_somewhere(chapter):
    targets = re.findall(r"\]\(((?!https?://)[^)]+)\)", prose_of(chapter))
    assert targets
    for target in targets:
        name, _, wanted = target.partition("#")
        if name.endswith(".py"):
            text = (FOLDER / name).read_text(encoding="utf-8")
            headings = re.findall(r"^# #{1,3} (.+)$", text, re.MULTILINE)
        else:
            headings = re.findall(r"^#{1,3} (.+)$", PAGES[name], re.MULTILINE)
        assert not wanted or wanted in map(anchor, headings), f"{target}: no such heading"


def test_the_syllabus_has_every_chapter_and_exercise_once_with_its_minutes():
    weeks = PAGES["syllabus.md"].split("## A day")[0]
    minutes = {f"{chapter.number:02d}": int(re.match(r"\d+", chapter.time)[0]) for chapter in CHAPTERS}
    rows = re.findall(r"^\| (\d+) \| (.+?) \| (\d+) \| (.+?) \|", weeks, re.MULTILINE)
    assert [int(week) for week, *_ in rows] == list(range(1, 13))
    for _, links, time, _ in rows:
        assert sum(minutes[number] for number in re.findall(r"\[(\d\d)\]", links)) == int(time)
    assert sorted(re.findall(r"\((\d\d_\w+\.py)\)", weeks)) == [chapter.path.name for chapter in CHAPTERS]
    names = [name for chapter in CHAPTERS for name in exercises_of(chapter)]
    assert sorted(re.findall(r"`(\d\d_\w+)`", weeks)) == sorted({*names})
    assert f"({minutes['13']} minutes, `13_roofline`)" in weeks


def test_the_bibliography_is_in_order_and_each_entry_is_cited():
    prose = "\n".join(map(prose_of, CHAPTERS))
    for part in PAGES["bibliography.md"].split("\n## ")[1:]:
        entries = re.findall(r"^### (.+)$", part, re.MULTILINE)
        years = [int(re.search(r"\d{4}", entry)[0]) for entry in entries]
        assert years == sorted(years)
        assert [entry for entry in entries if f"(bibliography.md#{anchor(entry)})" not in prose] == []


@each_chapter
def test_the_exercises_of_a_chapter_are_there(chapter):
    names = exercises_of(chapter)
    assert names
    for name in names:
        for path in (f"exercises/{name}.py", f"exercises/solutions/{name}.py"):
            assert (FOLDER / path).is_file()


def test_every_exercise_is_in_a_chapter():
    there = {path.stem for path in (FOLDER / "exercises").glob("[0-9][0-9]_*.py")}
    used = {name for chapter in CHAPTERS for name in exercises_of(chapter)}
    assert there - used == set()


@each_chapter
def test_a_chapter_retypes_no_code_of_the_library(chapter):
    library = set()
    for path in Path(sae.__file__).parent.rglob("*.py"):
        if FOLDER not in path.parents:
            library |= runs_of_lines(path.read_text(encoding="utf-8"))
    cells = "\n".join(line for line in text_of(chapter).splitlines() if not line.startswith("#"))
    assert runs_of_lines(cells) & library == set()


def runs_of_lines(text, length=5):
    """Every few lines in a row, unindented, blank ones left out."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return {tuple(lines[i : i + length]) for i in range(len(lines) - length + 1)}


@each_chapter
def test_every_picture_has_words_for_those_who_cannot_see_it(chapter):
    for call in re.findall(r"^show\((.*?)^\)$", text_of(chapter), re.MULTILINE | re.DOTALL):
        assert re.search(r'"[^"]{40,}', call), f"the alt text is missing or short: {call}"


@each_chapter
def test_formulas_hold_only_what_the_book_can_set(chapter):
    formulas = re.findall(r"\$\$.+?\$\$|\$[^$\s](?:[^$\n]*[^$\s])?\$", prose_of(chapter), re.DOTALL)
    assert formulas
    assert [formula for formula in formulas if set(formula) & set("½⅓⅔¼¾²³·×≤≥≠√−")] == []


# ── notebooks ──


@each_chapter
def test_the_notebook_of_a_chapter_is_up_to_date(chapter):
    pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    made = FOLDER / "notebooks" / f"{chapter.path.stem}.ipynb"
    wanted = "run: scratchae tutorial --notebooks tutorials/notebooks"
    assert made.is_file() and made.read_text(encoding="utf-8") == chapters.notebook(chapter.path), wanted


def test_no_notebook_is_left_over():
    stems = {path.stem for path in (FOLDER / "notebooks").glob("*.ipynb")}
    assert stems == {chapter.path.stem for chapter in CHAPTERS}


def test_links_are_rewritten_for_notebooks():
    text = "[a](03_gradient_check.py#x) [b](glossary.md#loss) [c](https://arxiv.org/abs/1.py)"
    assert chapters.relinked(text) == (
        "[a](03_gradient_check.ipynb#x) [b](../book/glossary.md#loss) [c](https://arxiv.org/abs/1.py)"
    )


def first_cell(folder, *, without=""):
    """What the first cell of a notebook in a folder prints, on an interpreter that lacks a package."""
    block = f"import sys\nsys.modules['{without}'] = None\n" if without else ""
    return subprocess.run(
        [sys.executable, "-I", "-c", block + chapters.first_cell() + "\nprint('scratchae' in sys.modules)"],
        cwd=folder,
        capture_output=True,
        text=True,
    )


def test_the_first_cell_finds_the_checkout(tmp_path):
    for name in ("chapters.py", "__init__.py"):
        (tmp_path / "scratchae").mkdir(exist_ok=True)
        (tmp_path / "scratchae" / name).touch()
    folder = tmp_path / "tutorials" / "notebooks"
    folder.mkdir(parents=True)
    found = first_cell(folder)
    assert (found.stdout, found.stderr) == ("True\n", "")


def test_the_first_cell_says_what_to_do_elsewhere(tmp_path):
    lacking = first_cell(tmp_path, without="scratchae")
    assert lacking.stderr == ""
    assert "This notebook needs the package scratchae" in lacking.stdout
    assert lacking.stdout.split("\n")[1] == f"    {sys.executable} -m pip install PATH"


@pytest.fixture
def notebooks(tmp_path, monkeypatch):
    """A folder with the notebooks of two chapters."""
    pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    monkeypatch.setattr(chapters, "chapters", lambda: CHAPTERS[:2])
    target = tmp_path / "notebooks"
    chapters.write_notebooks(target)
    return target


def notebook_files(folder):
    return {path.name: path.read_bytes() for path in folder.iterdir()}


def change(path, change):
    found = json.loads(path.read_text(encoding="utf-8"))
    change(found)
    path.write_text(json.dumps(found), encoding="utf-8")


def test_notebooks_are_written_again(notebooks, monkeypatch):
    before = notebook_files(notebooks)
    assert len(before) == 2
    first, second = sorted(notebooks.iterdir())
    # as a program does that shows it, and as an earlier version wrote it
    change(first, lambda found: found["metadata"].update(theirs="x"))
    change(second, lambda found: found["cells"].pop())
    change(second, lambda found: found["metadata"].update(scratchae=chapters.checksum(found["cells"])))
    chapters.write_notebooks(notebooks)
    assert notebook_files(notebooks) == before
    monkeypatch.setattr(chapters, "chapters", lambda: CHAPTERS[:1])
    assert chapters.write_notebooks(notebooks) == [first]
    assert list(notebooks.iterdir()) == [first]  # the chapter of the other is gone


FOREIGN = {
    "edited": lambda path: change(path, lambda found: found["cells"][1].update(source="x = 1")),
    "run": lambda path: change(path, lambda found: found["cells"][1].update(execution_count=1)),
    "not of ours": lambda path: path.write_text('{"cells": [], "metadata": {}}'),
    "no notebook": lambda path: path.write_bytes(b"\xff the work of years"),
    "nested deeply": lambda path: path.write_text("[" * 100_000),
    "empty": lambda path: path.write_bytes(b""),
}


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_notebook_that_is_not_ours_any_more_is_not_overwritten(notebooks, kind):
    first, second = sorted(notebooks.iterdir())
    FOREIGN[kind](second)
    first.unlink()
    before = notebook_files(notebooks)
    with pytest.raises(RunError, match=rf"{second.name} was not written by scratchae, or was changed since.*another"):
        chapters.write_notebooks(notebooks)
    assert notebook_files(notebooks) == before


@pytest.mark.parametrize("kind", FOREIGN)
def test_a_notebook_that_is_not_ours_is_not_removed(notebooks, monkeypatch, kind):
    """Though its name is like that of a chapter."""
    first, second = sorted(notebooks.iterdir())
    FOREIGN[kind](second)
    thesis = second.rename(notebooks / "15_my_thesis.ipynb")
    before = thesis.read_bytes()
    monkeypatch.setattr(chapters, "chapters", lambda: CHAPTERS[:1])
    chapters.write_notebooks(notebooks)
    assert sorted(notebooks.iterdir()) == [first, thesis] and thesis.read_bytes() == before


# ── what chapters use ──


@pytest.fixture
def kernel(monkeypatch):
    """Play a notebook: what is displayed is collected."""
    shown = []
    monkeypatch.setattr(tutorial, "in_notebook", lambda: True)
    monkeypatch.setattr(tutorial, "publish", shown.append)
    monkeypatch.setenv("SCRATCHAE_CHAPTER", "00_one_neuron")
    return shown


def drawn():
    picture, axes = tutorial.figure(3, 2)
    axes.plot([0, 1], [0, 1])
    return picture


def test_show_saves_a_picture_in_a_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tutorial.show(drawn(), "line", "a line")
    place = capsys.readouterr().out.split()[1].rstrip(":")
    assert Path(place).read_bytes().startswith(b"\x89PNG")


@pytest.mark.parametrize("picture", [drawn, lambda: lambda path: plots.image_rows({"x": np.zeros((2, 4, 4))}, path)])
def test_show_displays_a_picture_in_a_notebook_with_its_words(kernel, picture):
    tutorial.show(picture(), "line", 'a line, "steep" & < 1', "a caption")
    (bundle,) = kernel
    assert 'alt="a line, &quot;steep&quot; &amp; &lt; 1"' in bundle["text/html"]
    assert "<figcaption>a caption</figcaption>" in bundle["text/html"]
    assert "data:image/png;base64,iVBOR" in bundle["text/html"]


@pytest.mark.parametrize("picture", [drawn, lambda: lambda path: plots.image_rows({"x": np.zeros((2, 4, 4))}, path)])
def test_the_book_has_a_picture_for_light_pages_and_one_for_dark_pages(tmp_path, kernel, monkeypatch, picture):
    monkeypatch.setenv(tutorial.BOOK, str(tmp_path))
    tutorial.show(picture(), "line", "a line")
    files = re.findall(
        r'<img src="_static/(pictures/\S+)" alt="a line" loading="lazy" class="only-(\w+)"', kernel[0]["text/html"]
    )
    assert [kind for _, kind in files] == ["light", "dark"]
    light, dark = (pixels_of(tmp_path / name) for name, _ in files)
    assert light.shape == dark.shape and light[0, 0].tolist() == [1, 1, 1, 1] and dark[0, 0, 3] == 0


def pixels_of(path):
    from matplotlib.image import imread

    return imread(path)


class Page:
    """Stands for a trace."""

    def html(self, path):
        Path(path).write_text("<p>a &amp; b</p>", encoding="utf-8")


def test_a_study_page_is_written_by_a_script(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    tutorial.study_page(Page(), "tiny", "every number")
    assert next(Path("out").rglob("tiny.html")).read_text(encoding="utf-8") == "<p>a &amp; b</p>"


def test_a_study_page_lies_within_a_notebook(tmp_path, monkeypatch, kernel):
    monkeypatch.chdir(tmp_path)
    tutorial.study_page(Page(), "tiny", "every number")
    assert 'srcdoc="&lt;p&gt;a &amp;amp; b&lt;/p&gt;"' in kernel[0]["text/html"]


def test_a_study_page_lies_beside_the_book(tmp_path, monkeypatch, kernel):
    monkeypatch.setenv(tutorial.BOOK, str(tmp_path))
    tutorial.study_page(Page(), "tiny", "every number")
    assert (tmp_path / "study" / "00_one_neuron-tiny.html").is_file()
    assert 'src="_static/study/00_one_neuron-tiny.html?embed"' in kernel[0]["text/html"]


def test_of_an_installed_package_an_exercise_is_handed_out_once(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(chapters, "INSTALLED", FOLDER)
    tutorial.exercise("00_neuron")
    copy = tmp_path / "exercises" / "00_neuron.py"
    assert copy.read_text(encoding="utf-8") == (FOLDER / "exercises" / "00_neuron.py").read_text(encoding="utf-8")
    assert capsys.readouterr().out == (
        "[exercise] exercises/00_neuron.py: edit it, then check it with\n    scratchae check 00_neuron\n"
    )
    copy.write_text("mine")
    tutorial.exercise("00_neuron")
    assert copy.read_text() == "mine"


@pytest.mark.skipif(FOLDER == chapters.INSTALLED, reason="the package is installed")
def test_in_a_checkout_there_is_one_copy_of_an_exercise(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(FOLDER.parent)
    tutorial.exercise("00_neuron")
    assert capsys.readouterr().out.startswith("[exercise] tutorials/exercises/00_neuron.py: edit it, ")
    monkeypatch.chdir(FOLDER / "notebooks")
    assert chapters.hand_out("00_neuron") == Path("../exercises/00_neuron.py")
    monkeypatch.chdir(tmp_path)
    assert chapters.hand_out("00_neuron") == FOLDER / "exercises" / "00_neuron.py"
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("place", ["exercises", "."])
def test_a_learners_own_file_is_found_first(place, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    own = Path(place, "00_neuron.py")
    own.parent.mkdir(exist_ok=True)
    own.write_text("mine")
    assert chapters.hand_out("00_neuron") == own


def test_a_notebook_shows_the_exercise_and_how_to_check_a_cell(tmp_path, monkeypatch, kernel, capsys):
    monkeypatch.chdir(tmp_path)
    tutorial.exercise("02_dense")
    (given,) = kernel
    assert "class Dense:" in given["text/markdown"]
    printed = capsys.readouterr().out
    assert "    sae.check(Dense)\n" in printed and '    sae.check("02_dense")\n' in printed


def test_the_book_shows_an_exercise_and_folds_its_solution(tmp_path, monkeypatch, kernel):
    monkeypatch.setenv(tutorial.BOOK, str(tmp_path))
    monkeypatch.chdir(tmp_path)
    tutorial.exercise("00_neuron")
    given, solution = kernel
    assert "NotImplementedError" in given["text/markdown"]
    assert solution["text/html"].startswith("<details><summary>A solution</summary>")
    assert list(tmp_path.iterdir()) == []


def test_an_unknown_exercise_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(OptionError, match="there is no exercise '00_nothing'; the exercises are 00_"):
        tutorial.exercise("00_nothing")


def test_quick_looks_at_the_environment(monkeypatch):
    monkeypatch.delenv("FAST", raising=False)
    assert tutorial.quick(20, 2) == 20
    monkeypatch.setenv("FAST", "1")
    assert tutorial.quick(20, 2) == 2


def test_importing_the_module_imports_no_matplotlib_and_no_ipython():
    code = "import sys, scratchae.tutorial; print(sorted({'matplotlib', 'IPython', 'pygments'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, text=True).stdout == "[]\n"


# ── the command ──


def test_the_command_lists_the_chapters(capsys):
    assert main(["tutorial"]) == 0
    printed = capsys.readouterr().out
    for chapter in CHAPTERS:
        assert chapter.title in printed and chapter.question in printed and chapter.time in printed


def test_the_command_runs_a_chapter_in_the_current_folder(tmp_path, monkeypatch):
    made = tmp_path / "tutorials"
    made.mkdir()
    (made / "03_short.py").write_text(
        "# %% [markdown]\n# # 03 · Short\n#\n# *Why?*\n#\n# **Time** none.\n\n# %%\n"
        "import os\nn = open('ran', 'w').write(os.environ['SCRATCHAE_TUTORIAL_DATA'])\nraise SystemExit(7)\n",
        encoding="utf-8",
    )
    monkeypatch.setattr(chapters, "folder", lambda: made)
    monkeypatch.chdir(tmp_path)
    assert main(["tutorial", "3", "--data", "mnist"]) == 7
    assert (tmp_path / "ran").read_text() == "mnist"


def test_the_command_names_what_there_is_when_asked_for_more(capsys):
    assert main(["tutorial", "99"]) == 2
    assert "there is no chapter 99; there are 0, " in capsys.readouterr().err


def test_what_is_cut_off_by_head_is_no_error():
    command = f"{sys.executable} -m scratchae tutorial | head -n 1"
    ran = subprocess.run(["bash", "-o", "pipefail", "-c", command], capture_output=True, text=True)
    # 141 where `head` was done before all was written, as with PYTHONUNBUFFERED=1
    assert ran.returncode in (0, 128 + 13) and ran.stderr == ""
    assert ran.stdout == f"  0  {CHAPTERS[0].title}\n"


def test_a_chapter_without_a_head_is_refused(tmp_path):
    path = tmp_path / "05_no_head.py"
    path.write_text("# %% [markdown]\n# # Title\n\n# %%\n")
    with pytest.raises(OptionError, match="first cell must be"):
        chapters.read(path)
