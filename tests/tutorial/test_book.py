"""The book builds, opens from disk without a network, and every page of it is whole: links, formulas, pictures, on a desktop and a phone."""

import contextlib
import itertools
import re
import shutil
import subprocess
import sys
from pathlib import Path
from urllib.parse import unquote, urlsplit

import pytest
from browser import open_page

from scratchae.cli import main
from scratchae.errors import RunError
from scratchae.tutorial import book, chapters

ROOT = Path(__file__).parents[2]


def missing_packages():
    try:
        book.require_packages()
    except RunError as error:
        return str(error)
    return ""


needs_packages = pytest.mark.skipif(bool(missing_packages()), reason=missing_packages() or "they are there")


@pytest.fixture(scope="session")
def site(tmp_path_factory):
    """The whole book, its chapters run with FAST=1."""
    target = tmp_path_factory.mktemp("book") / "site"
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("FAST", "1")
        assert book.build(target) == target / "index.html"
    return target


def pages_of(site):
    return sorted(path for path in site.glob("*.html") if path.name != "search.html")


@needs_packages
def test_every_chapter_has_a_page_with_its_output_and_its_notebook(site):
    for chapter in chapters.chapters():
        text = (site / f"{chapter.path.stem}.html").read_text(encoding="utf-8")
        assert "cell_output" in text and "chapter-figure" in text
        assert re.search(rf'href="_downloads/\w+/{chapter.path.stem}\.ipynb"', text)
        assert "SCRATCHAE_CHAPTER" not in text  # the cell that names the chapter is not shown
        assert "TO COME" not in text


@needs_packages
def test_internal_links_lead_to_pages_and_places_that_exist(site):
    ids = {
        path.name: set(re.findall(r'\bid="([^"]+)"', path.read_text(encoding="utf-8")))
        for path in site.glob("*.html")
    }
    followed = 0
    for page in site.glob("*.html"):
        for target in re.findall(r'\b(?:href|src)="([^"]+)"', page.read_text(encoding="utf-8")):
            parts = urlsplit(target)
            if parts.scheme:
                continue
            name = unquote(parts.path) or page.name
            assert (site / name).is_file(), f"{page.name}: {target}"
            if parts.fragment and name in ids:
                assert parts.fragment in ids[name] | {""}, f"{page.name}: {target}"
            followed += 1
    assert followed > 100


@needs_packages
def test_nothing_is_fetched_from_elsewhere(site):
    for path in [*site.glob("*.html"), *site.rglob("*.css")]:
        text = path.read_text(encoding="utf-8")
        loaded = re.findall(r'<(?:script|img|iframe|source)[^>]*\bsrc="([^"]+)"', text)
        loaded += re.findall(r'<link[^>]*rel="(?:stylesheet|preload|icon)"[^>]*href="([^"]+)"', text)
        loaded += re.findall(r"url\(([^)]+)\)", text)
        assert [target for target in loaded if re.match(r"['\"]?(https?:)?//", target)] == [], path


@needs_packages
@pytest.mark.parametrize(
    ("width", "height", "dark"), [(1280, 900, False), (390, 844, True)], ids=["desktop-light", "phone-dark"]
)
def test_every_page_is_whole_in_a_browser(site, browser, width, height, dark):
    wide = []
    for path, narrower in zip(pages_of(site), itertools.cycle((1024, 640)), strict=False):
        page, problems = open_page(browser, path.as_uri(), width, height, dark=dark)
        page.wait_for_function("document.querySelectorAll('.math').length == 0 || document.querySelector('.katex')")
        for picture in page.locator("img:visible").all():
            picture.scroll_into_view_if_needed()
        page.wait_for_function("[...document.images].every((image) => !image.offsetParent || image.complete)")
        found = page.evaluate(LOOK)
        assert found["formulas"] == found["rendered"], path.name
        assert found["wrong"] == [], path.name
        assert found["broken"] == [], path.name
        assert found["overflow"] <= 0, f"{path.name} is wider than the screen"
        assert found["unreachable"] == [], f"{path.name}: scrolls, but not with the keyboard"
        assert found["nameless"] == [], f"{path.name}: links that cannot be heard"
        assert found["white"] == [] or not dark, f"{path.name}: white boxes in the dark"
        assert found["fonts"] == [], path.name
        wide += [(path.name, formula) for formula in found["wide"] if width > 1000]
        if width > 1000:  # every other page at 1024 as well, the others at 640, which is 1280 at a zoom of 200 %
            page.set_viewport_size({"width": narrower, "height": height})
            assert page.evaluate("document.documentElement.scrollWidth") <= narrower, f"{path.name} at {narrower}"
        assert problems == [], path.name
        page.context.close()
    assert wide == [], "formulas wider than the page; break them into lines"


LOOK = """() => {
  const texts = (selector) => [...document.querySelectorAll(selector)].map((element) => element.textContent)
  const scrolls = (element) => element.scrollWidth > element.clientWidth + 1
  const images = [...document.images].filter((image) => image.offsetParent)
  return {
    formulas: document.querySelectorAll('.math').length,
    rendered: [...document.querySelectorAll('.math')].filter((element) => element.querySelector('.katex-html')).length,
    wrong: texts('.katex-error'),
    broken: images.filter((image) => !image.complete || image.naturalWidth == 0).map((image) => image.alt),
    overflow: document.documentElement.scrollWidth - document.documentElement.clientWidth,
    wide: [...document.querySelectorAll('div.math .katex')]
      .filter((formula) => scrolls(formula.querySelector('.katex-html')))
      .map((formula) => formula.querySelector('annotation').textContent),
    unreachable: [...document.querySelectorAll('pre, .katex-display, .table-wrapper, .chapter-figure > div')]
      .filter((box) => box.clientWidth && box.scrollWidth > box.clientWidth && box.tabIndex < 0)
      .map((box) => box.textContent.slice(0, 80)),
    nameless: [...document.querySelectorAll('a[href]')]
      .filter((link) => !link.textContent.trim() && !link.ariaLabel && ![...link.querySelectorAll('img')].some((image) => image.alt))
      .map((link) => link.href),
    white: images.filter((image) => image.classList.contains('only-light')).map((image) => image.alt),
    fonts: [...document.fonts].filter((font) => font.status == 'error').map((font) => font.family),
  }
}"""


@needs_packages
def test_the_reader_can_leaf_through_the_book(site, browser):
    page, problems = open_page(browser, (site / "index.html").as_uri(), 1280, 900)
    seen = ["index.html"]
    while page.locator("a.next-page").count():
        with page.expect_navigation():
            page.locator("a.next-page").click()
        seen.append(Path(urlsplit(page.url).path).name)
    assert set(seen) == {path.name for path in pages_of(site)}
    assert page.locator("a.prev-page").count() == 1
    assert problems == []
    page.context.close()


@needs_packages
def test_the_search_finds_a_word_of_a_chapter(site, browser):
    page, problems = open_page(browser, (site / "search.html").as_uri() + "?q=backpropagation", 1280, 900)
    page.wait_for_selector('#search-results a[href*="00_one_neuron.html"]')  # they come one after the other
    assert problems == []
    page.context.close()


@needs_packages
def test_a_solution_is_folded_until_it_is_asked_for(site, browser):
    page, problems = open_page(browser, (site / "00_one_neuron.html").as_uri(), 1280, 900)
    fold = page.locator("details", has_text="A solution").last
    assert not fold.locator("pre").is_visible()
    fold.locator("summary").click()
    assert fold.locator("pre").is_visible()
    assert problems == []
    page.context.close()


def test_the_first_page_has_every_chapter_in_one_of_its_parts(tmp_path):
    pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    book.collect(chapters.chapters(), tmp_path / "pages")
    text = (tmp_path / "pages" / "index.md").read_text(encoding="utf-8")
    assert "<!-- " not in text
    for chapter in chapters.chapters():
        assert text.count(f"**[{chapter.number:02d} · ") == 1, chapter.title
    assert text.index("_static/study/study-digit.html?embed&amp;draw") < text.index("## Foundations")


# ── mistakes ──


def copied_tutorials(folder, chapter):
    """A small `tutorials/` with one chapter."""
    shutil.copytree(ROOT / "tutorials" / "book", folder / "book")
    (folder / "book" / "study.py").unlink()
    for page in (folder / "book").glob("*.md"):
        page.write_text(
            "# Page\n\n```{toctree}\n:hidden:\n\n<!-- names -->\n```\n"
            if page.name == "index.md"
            else ":orphan:\n\n# Page\n",
            encoding="utf-8",
        )
    head = "# %% [markdown]\n# # 00 · Short\n#\n# *Why?*\n#\n# **Time** none.\n\n"
    (folder / "00_short.py").write_text(head + chapter, encoding="utf-8")
    return folder


@needs_packages
@pytest.mark.parametrize(
    "chapter",
    ["# %%\nassert 1 + 1 == 3\n", "# %% [markdown]\n# A [link](nowhere.md) that leads nowhere.\n"],
    ids=["assertion", "link"],
)
def test_a_chapter_that_is_wrong_fails_the_build_and_leaves_the_old_book(tmp_path, monkeypatch, chapter, capfd):
    folder = copied_tutorials(tmp_path / "tutorials", chapter)
    for module in (book, chapters):
        monkeypatch.setattr(module, "folder", lambda: folder)
    target = tmp_path / "site"
    target.mkdir()
    (target / "searchindex.js").write_text("old")
    book.sign(target)
    assert main(["tutorial", "--book", str(target)]) == 2
    assert sorted(path.name for path in target.iterdir()) == [book.MARK, "searchindex.js"]
    printed = capfd.readouterr()
    assert "1 + 1 == 3" in printed.out + printed.err or "nowhere.md" in printed.out + printed.err


@needs_packages
def test_a_folder_that_holds_something_else_is_left_alone(tmp_path, capsys):
    (tmp_path / "thesis.tex").write_text("ten years")
    assert main(["tutorial", "--book", str(tmp_path)]) == 2
    assert "is not empty and not a book" in capsys.readouterr().err
    assert (tmp_path / "thesis.tex").read_text() == "ten years"


@pytest.fixture
def quick(monkeypatch):
    """A book of two pages, without Sphinx; a test may change what they say, or do more."""
    says = {"index.html": "old", "_static/style.css": "old"}

    def run_sphinx(pages, site, options):
        says.get("also", lambda: None)()
        for name, text in says.items():
            if name != "also":
                (site / name).parent.mkdir(parents=True, exist_ok=True)
                (site / name).write_text(text)
        (site / ".doctrees").mkdir()

    monkeypatch.setattr(book, "collect", lambda chosen, pages: None)
    monkeypatch.setattr(book, "run_sphinx", run_sphinx)
    return says


def contents(folder):
    paths = (path for path in folder.rglob("*") if path.name != book.MARK)
    return {path.relative_to(folder).as_posix(): path.read_text() for path in paths if path.is_file()}


def test_a_book_takes_the_place_of_an_older_one(tmp_path, quick):
    target = tmp_path / "book"
    assert book.build(target) == target / "index.html"
    assert contents(target) == quick
    quick.pop("_static/style.css")
    quick["index.html"] = "new"
    book.build(target)
    assert contents(target) == quick
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


THEIRS = {
    "a site of Sphinx": ({"index.html": "", "notes.txt": "", "searchindex.js": ""}, None),
    "notes in a book": ({"notes.txt": "ten years"}, "old"),
    "notes in a folder of a book": ({"_static/notes/notes.txt": "ten years"}, "old"),
    "a page that was changed": ({"index.html": "old, and commented"}, "old"),
    "a mark that was changed": ({"index.html": "", book.MARK: "\udcff"}, None),
}


@pytest.mark.parametrize("kind", THEIRS)
def test_whoever_wrote_into_the_folder_keeps_it(tmp_path, quick, kind):
    """Before the build, and while it runs."""
    files, old = THEIRS[kind]
    for while_it_runs in (False, True):
        target = tmp_path / f"book {while_it_runs}"
        target.mkdir()
        if old is not None:
            book.build(target)

        def write(target=target):
            for name, text in files.items():
                (target / name).parent.mkdir(parents=True, exist_ok=True)
                (target / name).write_bytes(text.encode("utf-8", "surrogateescape"))

        if while_it_runs:
            quick["also"] = write
        else:
            write()
        with pytest.raises(RunError, match=r"is not empty and not a book that scratchae built: .*Give a new folder"):
            book.build(target)
        quick.pop("also", None)
        kept = {**(dict.fromkeys(quick, old) if old else {}), **files}
        assert {name: text for name, text in kept.items() if name != book.MARK} == contents(target)


@pytest.mark.parametrize("make", [lambda path: path.write_text("a file"), lambda path: path.symlink_to("nowhere")])
def test_a_book_where_no_folder_can_be(tmp_path, quick, make):
    make(tmp_path / "book")
    with pytest.raises(RunError) if (tmp_path / "book").is_file() else contextlib.nullcontext():
        book.build(tmp_path / "book")
    assert (
        (tmp_path / "book").read_text() == "a file" if (tmp_path / "book").is_file() else (tmp_path / "book").is_dir()
    )


def test_missing_packages_are_named_with_the_way_to_get_them(monkeypatch):
    monkeypatch.setattr(book, "NEEDED", ("a_package_that_nobody_has",))
    with pytest.raises(
        RunError, match=r'a_package_that_nobody_has: in a checkout, python -m pip install -e "\.\[book\]"'
    ):
        book.require_packages()


@needs_packages
def test_the_style_sheet_of_the_formulas_is_of_the_release_of_their_script():
    from sphinxcontrib.katex import katex_version

    css = ROOT / "tutorials" / "book" / "_static" / "katex" / "katex.min.css"
    assert f'content:"{katex_version}"' in css.read_text(encoding="utf-8")


@needs_packages
def test_the_texts_can_be_taken_out_for_a_translation(tmp_path):
    folder = copied_tutorials(tmp_path / "tutorials", "# %% [markdown]\n# A sentence to be translated.\n")
    pages = tmp_path / "pages"
    with pytest.MonkeyPatch.context() as patch:
        for module in (book, chapters):
            patch.setattr(module, "folder", lambda: folder)
        book.collect(chapters.chapters(), pages)
    command = [sys.executable, "-m", "sphinx", "-q", "-b", "gettext", str(pages), str(tmp_path / "texts")]
    subprocess.run(command, check=True)
    assert "A sentence to be translated." in (tmp_path / "texts" / "00_short.pot").read_text(encoding="utf-8")
