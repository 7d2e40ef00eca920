"""Functions that the chapters in `tutorials/` use to show things: in a terminal, in a notebook and in the book.

A chapter is one file that runs in three places. As a script it prints, and saves its pictures under
`out/CHAPTER/` in the current folder; in a notebook it displays them. While the book is being built, `$SCRATCHAE_BOOK`
names its folder, and a chapter writes there what is too large for its page.
"""

from __future__ import annotations

import base64
import html
import os
import sys
import textwrap
from collections.abc import Callable, Iterator
from contextlib import nullcontext
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..data import Dataset, load_data
from ..files import scratch_folder, written_whole
from .sources import codes_of

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from ..study import Trace

DATA = "SCRATCHAE_TUTORIAL_DATA"
BOOK = "SCRATCHAE_BOOK"
CHAPTER = "SCRATCHAE_CHAPTER"  # the environment variable with a chapter's name, for when the code cannot know it


def quick(full: Any, fast: Any) -> Any:
    """`full`, or `fast` if FAST=1 is set in the environment: smaller epochs or sizes for an automatic run of all chapters."""
    return fast if os.environ.get("FAST") == "1" else full


def data_name() -> str:
    """The data that chapters learn from: "strokes", or the name in `$SCRATCHAE_TUTORIAL_DATA` (`scratchae tutorial --data`)."""
    return os.environ.get(DATA, "strokes")


def dataset() -> Dataset:
    """The dataset that chapters learn from."""
    return load_data(data_name())


def figure(width: float = 6.0, height: float = 3.6, rows: int = 1, columns: int = 1, **subplots: Any) -> tuple:
    """A matplotlib figure in the house style, and its axes: `drawn, axes = figure(6, 3.6, columns=2)`.

    width, height in inches: 7 fills a page of the book. Further arguments go to `Figure.subplots`.
    """
    import matplotlib
    from matplotlib.figure import Figure

    from ..plots import STYLE

    # the style stays for the whole chapter, since legends and labels are made later
    matplotlib.rcParams.update(STYLE)
    drawn = Figure(figsize=(width, height), layout="constrained")
    return drawn, drawn.subplots(rows, columns, **subplots)


def show(picture: Figure | Callable[[Path], object], name: str, alt: str, caption: str = "") -> None:
    """Show a figure: a script saves it to `out/CHAPTER/NAME.png`, a notebook displays it.

    picture: a matplotlib figure, or a function that draws to a path: `lambda path: plots.image_rows(rows, path)`.
    alt: what the picture shows, for people who cannot see it. caption: a line below it.
    """
    if not in_notebook():
        path = output(f"{name}.png")
        with written_whole(path) as temporary:
            temporary.write_bytes(png(picture)[0])
        print(f"[picture] {path}: {caption or alt}")
        return
    light, dark = png(picture, dark=BOOK in os.environ)
    # 7 inches fill the page, and then letters are as large as the text's; these bytes of a PNG hold its size in pixels
    width, height = (int.from_bytes(light[i : i + 4], "big") * 736 // (7 * 160) for i in (16, 20))
    # on a phone a wide picture stays large enough to read, and can be moved sideways
    look = (
        f'width="{width}" height="{height}" style="max-width: 100%; min-width: min({width}px, 34rem); height: auto"'
    )
    images = "".join(
        f'<img src="{src}" alt="{html.escape(alt)}" loading="lazy" {kind}{look}>'
        for src, kind in addresses(light, dark, name)
    )
    below = f"<figcaption>{html.escape(caption)}</figcaption>" if caption else ""
    display_html(
        f'<figure class="chapter-figure" id="{html.escape(name)}"><div style="overflow-x: auto">{images}</div>{below}</figure>',
        alt,
    )


def addresses(light: bytes, dark: bytes, name: str) -> Iterator[tuple[str, str]]:
    """Where a page finds a picture, and the class of the element: a file beside the book, otherwise in the notebook itself."""
    if not dark:
        yield f"data:image/png;base64,{base64.b64encode(light).decode('ascii')}", ""
        return
    for content, kind in ((light, "light"), (dark, "dark")):
        path = Path(os.environ[BOOK]) / "pictures" / f"{chapter()}-{name}-{kind}.png"
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as temporary:
            temporary.write_bytes(content)
        yield f"_static/pictures/{path.name}", f'class="only-{kind}" '


def source(*objects: Any) -> None:
    """Show the library's own code of classes, functions or methods, read from where they are defined.

    `# …` stands for checks of arguments and the settings of a class. Below are the short functions that the code calls for its
    formulas, unless the chapter has shown them.
    """
    for code, place in codes_of(objects):
        if in_notebook():
            publish({"text/markdown": f"`{place}`\n\n```python\n{code}```\n", "text/plain": code})
        else:
            print(f"[source] {place}\n{textwrap.indent(code, '    ')}")


def study_page(trace: Trace, name: str, caption: str, step: str = "") -> None:
    """Show the interactive page of a traced step, every tensor of it: `study_page(trace(model, x), "tiny", "…", "∂L/∂W₁")`.

    step: the symbol of what is made in the step that it opens at; "": the first. A script writes `out/CHAPTER/NAME.html`; a notebook
    and the book show it inside their page.
    """
    anchor = f"#step={trace[step].number}" if step else ""
    if not in_notebook():
        path = output(f"{name}.html")
        trace.html(path)
        print(f"[study page] {path}: {caption} (open it in a browser)")
        return
    look = 'loading="lazy" style="width: 100%; height: min(46rem, 90vh); border: 1px solid #8888; border-radius: 6px"'
    if BOOK in os.environ:
        path = Path(os.environ[BOOK]) / "study" / f"{chapter()}-{name}.html"
        path.parent.mkdir(parents=True, exist_ok=True)
        trace.html(path)
        page = f'src="_static/study/{path.name}?embed{anchor}"'
        link = f' <a href="_static/study/{path.name}{anchor}">Open it on a separate page.</a>'
    else:
        path = output(f"{name}.html")
        trace.html(path)
        text = path.read_text(encoding="utf-8").replace("<html", f'<html data-anchor="{anchor}"', 1)
        page, link = f'srcdoc="{html.escape(text)}"', ""
    title = html.escape(caption)
    frame = f'<iframe {page} title="{title}" {look}></iframe><figcaption>{title}{link}</figcaption>'
    display_html(f'<figure class="study-page">{frame}</figure>', caption)


def exercise(name: str) -> None:
    """Hand out an exercise, and say how to check the answer. A notebook and the book show it; the book also shows a solution,
    folded."""
    from .chapters import folder, hand_out
    from .notebook import name_asked

    if BOOK in os.environ:
        given = folder() / "exercises" / f"{name}.py"
        code, solution = (
            path.read_text(encoding="utf-8") for path in (given, given.parent / "solutions" / given.name)
        )
        publish({"text/markdown": f"Checked by `scratchae check {name}`:\n\n```python\n{code}```\n"})
        display_html(f"<details><summary>A solution</summary>{highlighted(solution)}</details>", "A solution")
        return
    path = hand_out(name)
    if in_notebook():
        code = path.read_text(encoding="utf-8")
        publish({"text/markdown": f"`{path.as_posix()}`\n\n```python\n{code}```\n", "text/plain": code})
        print(
            f"[exercise] write your answer in a cell, then check it with\n    sae.check({name_asked(path)})\n"
            f'or edit the file {path.as_posix()}, then check it with\n    sae.check("{name}")'
        )
    else:
        print(f"[exercise] {path.as_posix()}: edit it, then check it with\n    scratchae check {name}")


def in_notebook() -> bool:
    """Whether this runs in a kernel (Jupyter, Colab, the book), not in a script or a terminal."""
    shell = sys.modules["IPython"].get_ipython() if "IPython" in sys.modules else None
    return hasattr(shell, "kernel")


def chapter() -> str:
    """The chapter that runs: the name of the script, or of the notebook if it is known, or "notebook"."""
    if in_notebook():
        return os.environ.get(CHAPTER, "notebook")
    return Path(getattr(sys.modules["__main__"], "__file__", None) or "notebook").stem


def output(name: str) -> Path:
    """A path for something that the chapter writes; its folder exists."""
    path = Path("out") / chapter() / name
    path.parent.mkdir(parents=True, exist_ok=True)
    return path


def png(picture: Figure | Callable[[Path], object], dark: bool = False) -> tuple[bytes, bytes]:
    """A figure, or what a function draws to a path, as PNG, and if asked for the same for a dark page; otherwise b""."""
    from ..plots.dark import also_dark, save_dark

    with scratch_folder() as scratch:
        paths = scratch / "picture.png", scratch / "dark.png"
        if hasattr(picture, "savefig"):
            picture.savefig(paths[0])
            if dark:
                save_dark(picture, paths[1])
        else:
            with also_dark(paths[1]) if dark else nullcontext():
                picture(paths[0])
        return paths[0].read_bytes(), paths[1].read_bytes() if dark else b""


def highlighted(code: str) -> str:
    """Python as HTML with the classes that the book's style sheet colours."""
    from pygments import highlight
    from pygments.formatters import HtmlFormatter
    from pygments.lexers import PythonLexer

    return highlight(code, PythonLexer(), HtmlFormatter())


def display_html(page: str, text: str) -> None:
    publish({"text/html": page, "text/plain": text})


def publish(bundle: dict[str, str]) -> None:
    from IPython.display import publish_display_data

    publish_display_data(bundle)
