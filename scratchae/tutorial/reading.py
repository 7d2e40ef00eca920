"""A chapter for a terminal, as plain text with the output of its cells: `python -m scratchae.tutorial.reading FILE`."""

from __future__ import annotations

import ast
import contextlib
import io
import itertools
import os
import re
import shutil
import sys
import textwrap
import types
from collections.abc import Iterator
from pathlib import Path

from ..environment import open_streams
from .chapters import page

OPERATORS = {
    "cdot": "·", "odot": "⊙", "times": "×", "pm": "±", "le": "≤", "ge": "≥", "ne": "≠", "ll": "≪", "approx": "≈", "sim": "~",
    "in": "∈", "to": "→", "leftarrow": "←", "Rightarrow": "⇒", "Longrightarrow": "⇒", "Longleftrightarrow": "⇔", "mid": "|",
}  # fmt: skip
LETTERS = {
    "alpha": "α", "beta": "β", "delta": "δ", "varepsilon": "ε", "eta": "η", "theta": "θ", "kappa": "κ", "lambda": "λ", "mu": "μ",
    "pi": "π", "rho": "ρ", "sigma": "σ", "phi": "φ", "varphi": "φ", "Omega": "Ω", "ell": "ℓ", "partial": "∂", "nabla": "∇",
    "infty": "∞", "sum": "Σ", "prod": "Π", "int": "∫", "top": "ᵀ", "dots": "…", "lVert": "‖", "rVert": "‖", "langle": "⟨",
    "rangle": "⟩", "lfloor": "⌊", "rfloor": "⌋", "lceil": "⌈", "rceil": "⌉", "blacksquare": "∎", "|": "‖", "quad": "    ",
    "qquad": "    ", ",": " ", ";": " ", " ": " ", "!": "", "\\": "\n", "left": "", "right": "", "textstyle": "",
}  # fmt: skip
ACCENTS = {"hat": "\u0302", "tilde": "\u0303", "bar": "\u0304"}
UPRIGHT = ("text", "mathrm", "mathbf", "mathcal", "operatorname", "mathrel")
SCRIPTS = {
    "_": str.maketrans("0123456789+-=()aehijklmnoprstuvx", "₀₁₂₃₄₅₆₇₈₉₊₋₌₍₎ₐₑₕᵢⱼₖₗₘₙₒₚᵣₛₜᵤᵥₓ"),
    "^": str.maketrans("0123456789+-=()ni", "⁰¹²³⁴⁵⁶⁷⁸⁹⁺⁻⁼⁽⁾ⁿⁱ"),
}

# an answer, in the pages of the book
FOLD = re.compile(r"<details><summary>(.*?)</summary>\n(.*)</details>", re.DOTALL)


class Formula:
    """LaTeX as plain text for a terminal: \\frac{a}{b} as a/b, x_{nd} as x_nd, \\sigma as σ.

    A label below a symbol, which in the chapters is the shape of an array, is written in ⟨ ⟩ after it.
    """

    def __init__(self, tex: str):
        self.tokens = re.findall(r"\\[A-Za-z]+\s*|\\.|\s+|.", tex, re.DOTALL)[::-1]

    def text(self) -> str:
        """The rest, or the part up to the closing brace."""
        parts = []
        while self.tokens and (token := self.tokens.pop()) != "}":
            parts.append(self.said(token))
        return "".join(parts)

    def argument(self) -> str:
        token = self.tokens.pop()
        if token.isspace():
            token = self.tokens.pop()
        return self.text() if token == "{" else self.said(token)

    def said(self, token: str) -> str:
        """The text of what begins with a token."""
        name = (token[1:].rstrip() or " ") if token[0] == "\\" else ""
        if token == "{":
            return self.text()
        if token in SCRIPTS:
            return script(token, self.argument())
        if not name or name in "{}%":
            return " " if token.isspace() else "\t" if token == "&" else name or token
        if name in OPERATORS:
            return f" {OPERATORS[name]} "
        if name in LETTERS:
            return LETTERS[name]
        if name in ACCENTS:
            return self.argument() + ACCENTS[name]
        if name in UPRIGHT:
            return self.argument()
        if name == "mathbb":
            return {"E": "𝔼", "R": "ℝ"}.get(letter := self.argument(), letter)
        if name in ("frac", "tfrac"):
            above, below = bracketed(self.argument()), bracketed(self.argument())
            letters = re.sub(r"[_^]\w+|[∂₀-₉ₐ-ₜᵢ-ᵥⱼ⁰-⁹²³¹\u0300-\u036f]", "", below)
            return f"{above}/{below if letters.isdigit() or len(letters) < 2 or below[0] == '(' else f'({below})'} "
        if name == "sqrt":
            return f"√{bracketed(self.argument())}"
        if name == "underset":
            below, what = self.argument(), self.argument()
            return f"{what}⟨{below.strip('()')}⟩"
        if name == "underbrace":
            what = self.argument()
            return f"{what}⟨{self.below().strip('()')}⟩"
        if name in ("begin", "end"):
            return ("[" if name == "begin" else "]") if self.argument() == "bmatrix" else ""
        return "" if name.lower().startswith("big") else f"{name} "  # a function: log, exp, max

    def below(self) -> str:
        """The subscript that comes next."""
        self.tokens.pop()
        return self.argument()


def script(mark: str, text: str) -> str:
    """A subscript or superscript, in small letters if they exist."""
    text = text.strip()
    small = text.translate(SCRIPTS[mark])
    if text in "ᵀ'" or not set(small) & set(text):
        return small
    return f"{mark}{text if text.isalnum() or len(text) == 1 or text[0] == '(' else f'({text})'}"


def bracketed(text: str) -> str:
    """Put it in brackets, unless it is a single symbol."""
    text = text.strip()
    whole = re.fullmatch(r"[^\s+−/·=-]+|\([^()]*\)", text)
    return text if whole else f"({text})"


def formula(tex: str) -> str:
    """A formula, line by line, aligned as in LaTeX."""
    rows = [[tidied(cell) for cell in line.split("\t")] for line in Formula(tex).text().split("\n") if line.strip()]
    widths = [max(map(len, column)) for column in itertools.zip_longest(*rows, fillvalue="")]
    lines = (" ".join(cell.ljust(width) for cell, width in zip(row, widths, strict=False)).rstrip() for row in rows)
    return "\n".join(lines)


def tidied(text: str) -> str:
    """Correct the blanks: none at the ends, before a stop or an index or after a bracket, and one before an operator."""
    text = re.sub(r" +(?=[,.)\]_^₀-₉])|(?<=[(\[]) +", "", text.strip())
    text = re.sub(r"(?<=\S)([=+<>-])(?= )", r" \1", text)
    return re.sub(r" {2,}", lambda found: " " if len(found[0]) < 4 else "    ", text)


def inline(text: str) -> str:
    """A paragraph without its Markdown marks; code keeps its backticks."""
    kept: list[str] = []

    def keep(found: re.Match) -> str:
        kept.append(found[0] if found[0][0] == "`" else " ".join(formula(found[0][1:-1]).split()))
        return f"\0{len(kept) - 1}\0"

    text = re.sub(r"`[^`]+`|\$[^$]+\$", keep, text)
    text = re.sub(r"!?\[([^\]]*)\]\([^)]*\)", r"\1", text)
    text = re.sub(r"\*\*(.+?)\*\*|\*(\S.*?)\*", lambda found: found[1] or found[2], text, flags=re.DOTALL)
    text = re.sub(r"\\(?=[^\w\s])", "", text)
    return re.sub(r"\0(\d+)\0", lambda found: kept[int(found[1])], text)


def prose(markdown: str, width: int) -> str:
    """Markdown as plain text, wrapped: headings are underlined, formulas and code are indented, tables are unchanged."""
    written = []
    for block in blocks(markdown):
        heading = re.match(r"(#+) (.+)", block)
        item = re.match(r" *(?:[-*]|\d+\\?\.) +", block)
        if heading:
            title = inline(heading[2])
            written.append(f"\n{title}\n{('═' if heading[1] == '#' else '─') * len(title)}")
        elif block.startswith("$$"):
            written.append(textwrap.indent(formula(block.strip("$ \n")), "    "))
        elif block.startswith("```"):
            written.append(textwrap.indent("\n".join(block.split("\n")[1:-1]), "    "))
        elif block.startswith("|"):
            written.append(inline(block))
        else:
            text = " ".join(inline(block).split())
            indent = " " * len(item[0].replace("\\", "")) if item else ""
            wrapped = textwrap.wrap(
                text, width, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False
            )
            written.append("\n".join(wrapped))
    return "\n\n".join(written)


def blocks(markdown: str) -> Iterator[str]:
    """Headings, formulas, fenced code, tables, items of lists, paragraphs."""
    block: list[str] = []
    closing = ""
    for line in [*markdown.split("\n"), ""]:
        mark = next((mark for mark in ("$$", "```") if line.strip().startswith(mark)), "")
        if closing:
            block.append(line)
            if mark == closing or (closing == "$$" and line.rstrip().endswith("$$")):
                yield "\n".join(block)
                block, closing = [], ""
            continue
        begins = (
            mark
            or re.match(r"#+ |[-*] |\d+\\?\. ", line)
            or (line[:1] == "|") != (bool(block) and block[0][:1] == "|")
        )
        if block and (begins or not line.strip()):
            yield "\n".join(block)
            block = []
        if line.strip():
            block.append(line.strip() if mark else line)
        if mark and not (mark == "$$" and line.strip().endswith("$$") and len(line.strip()) > 2):
            closing = mark
        elif mark or line.startswith("#"):
            yield block.pop()


def cells(text: str) -> Iterator[tuple[str, int, int]]:
    """The cells of a file in percent format: the Markdown ("" for code), the first line, and the line after the last."""
    lines = text.split("\n")
    starts = [i for i, line in enumerate(lines) if line.startswith("# %%")] + [len(lines)]
    for start, end in itertools.pairwise(starts):
        is_prose = "[markdown]" in lines[start]
        body = [re.sub(r"^# ?", "", line) for line in lines[start + 1 : end] if line.startswith("#")]
        yield "\n".join(body) if is_prose else "", start + 1, end


def read(path: Path) -> None:
    """Print the chapter while it runs. The answers to its questions are printed last."""
    text = path.read_text(encoding="utf-8")
    main = types.ModuleType("__main__")
    main.__file__ = str(path)
    sys.modules["__main__"], sys.path[0] = main, str(path.parent)  # as if the file itself were being run
    width = shutil.get_terminal_size().columns
    answers, answering = io.StringIO(), False
    statements = ast.parse(text).body
    place = page(path)
    print(
        f"[page] {place}: this chapter, with its pictures and formulas"
        if place
        else "[page] none yet: `scratchae tutorial --book book` makes a page of each chapter, with its pictures and formulas"
    )
    print(f"[code] {path}")
    if "underset" in text:
        print("[formulas] the shape of an array is in ⟨ ⟩ after it")
    for markdown, start, end in cells(text):
        if markdown:
            for part in re.split(r"^(?=\*?Answers\b|<details>|## )|(?<=^</details>)\n", markdown, flags=re.MULTILINE):
                answering = part.startswith(("Answers", "*Answers")) or (answering and not part.startswith("## "))
                folded = re.fullmatch(FOLD, part)
                if part.strip():
                    told = prose("\n\n".join(folded.groups()) if folded else part, width)
                    print(f"\n{told}\n", file=answers if answering or folded else None)
            sys.stdout.flush()
            continue
        code = ast.Module([node for node in statements if start < node.lineno <= end], [])
        hidden = answering or "hide-cell" in text.split("\n")[start - 1]
        with contextlib.redirect_stdout(answers) if hidden else contextlib.nullcontext():
            exec(compile(code, str(path), "exec"), vars(main))
    if answers.getvalue():
        print(f"\n{prose('## Answers', width)}\n\n{answers.getvalue().strip()}")


def run(path: Path) -> int:
    """Read a chapter and return the exit code. It ends quietly if its output is no longer read, as with `| head`."""
    try:
        read(path)
        sys.stdout.flush()
    except BrokenPipeError:
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 128 + 13  # as a shell says of a program that SIGPIPE ended
    except KeyboardInterrupt:
        return 130
    return 0


if __name__ == "__main__":
    open_streams()
    sys.exit(run(Path(sys.argv[1])))
