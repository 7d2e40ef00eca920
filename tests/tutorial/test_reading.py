"""A chapter in a terminal: its text and what its cells print, in order; formulas can be read; answers come last."""

import os
import subprocess
import sys

import pytest

from scratchae.tutorial import chapters, reading

CHAPTER = """# %% [markdown]
# # 03 · Short
#
# *Why?*
#
# **Time** none.

# %% [markdown]
# ## The question
#
# What does **one** neuron of [chapter 00](00_one_neuron.py) do with `x * w * b` and $\\sigma(a)$?
#
# $$
# y = \\frac{1}{1 + e^{-a}}
# $$

# %% tags=["hide-input"]
print("a number:", 1 + 1)


class Here:
    pass


# %% [markdown]
# ## Exercises
#
# 1. What is $1 + 1$?
#
# *Answers:* 1. See below.

# %%
print("it is", 1 + 1, Here.__module__)

# %% [markdown]
# 2\\. Nothing.
#
# ## More
#
# <details><summary>The third answer</summary>
#
# It is *three*.
#
# </details>
#
# After the fold.

# %%
print("shown")

# %% tags=["hide-cell"]
print("hidden")

# %% [markdown]
# ## What to read next
#
# The end.
"""


def run(path, folder, width=80, **environment):
    return subprocess.run(
        [sys.executable, "-m", "scratchae.tutorial.reading", str(path)],
        cwd=folder,
        env=os.environ | {"COLUMNS": str(width), "PYTHONIOENCODING": "utf-8"} | environment,
        capture_output=True,
        encoding="utf-8",
    )


@pytest.fixture
def short(tmp_path):
    path = tmp_path / "03_short.py"
    path.write_text(CHAPTER, encoding="utf-8")
    return path


def test_text_and_numbers_come_in_order_and_answers_last(short, tmp_path):
    ran = run(short, tmp_path)
    assert (ran.returncode, ran.stderr) == (0, "")
    expected = [
        "03 · Short\n══════════",
        "Why?",
        "The question\n────────────",
        "What does one neuron of chapter 00 do with `x * w * b` and σ(a)?",
        "    y = 1/(1 + e^(-a))",
        "a number: 2",
        "Exercises\n",
        "1. What is 1 + 1?",
        "After the fold.",
        "shown",
        "What to read next\n",
        "The end.",
        "Answers\n───────",
        "Answers: 1. See below.",
        "it is 2 __main__",
        "2. Nothing.",
        "The third answer\n\nIt is three.\n",
        "hidden",
    ]
    places = [ran.stdout.index(text) for text in expected]
    assert places == sorted(places)
    assert "details" not in ran.stdout and "summary" not in ran.stdout


def test_prose_is_as_wide_as_the_terminal(short, tmp_path):
    chapter = chapters.find(2).path
    for width in (50, 90):
        told = "\n\n".join(
            reading.prose(text, width) for text, _, _ in reading.cells(chapter.read_text("utf-8")) if text
        )
        lines = [line for line in told.splitlines() if not line.startswith("    ")]
        assert width - 8 < max(map(len, lines)) <= width


def test_the_first_line_says_where_the_page_is(short, tmp_path):
    assert run(short, tmp_path).stdout.startswith("[page] none yet: `scratchae tutorial --book book`")
    (tmp_path / "book").mkdir()
    (tmp_path / "book" / "03_short.html").touch()
    assert run(short, tmp_path).stdout.startswith("[page] book/03_short.html: ")


def test_what_stops_a_chapter_stops_the_reading(short, tmp_path):
    short.write_text(CHAPTER.replace("print(", "raise SystemExit(7)\nprint(", 1), encoding="utf-8")
    assert run(short, tmp_path).returncode == 7
    short.write_text(CHAPTER.replace("print(", "1 / 0\nprint(", 1), encoding="utf-8")
    ran = run(short, tmp_path)
    assert ran.returncode == 1
    line = CHAPTER.split("\n").index('print("a number:", 1 + 1)') + 1
    assert f'03_short.py", line {line}, in <module>' in ran.stderr


def test_cut_off_by_head_it_ends_quietly(short, tmp_path):
    short.write_text(CHAPTER.replace("print(", "print('x' * 1_000_000)\nprint(", 1), encoding="utf-8")
    command = f"{sys.executable} -m scratchae.tutorial.reading {short} | head -n 1"
    ran = subprocess.run(
        ["bash", "-o", "pipefail", "-c", command], cwd=tmp_path, capture_output=True, encoding="utf-8"
    )
    assert (ran.returncode, ran.stderr) == (141, "") and ran.stdout.startswith("[page]")


@pytest.mark.parametrize(
    ("tex", "text"),
    [
        (r"x_{nd} + y_n^2", "x_nd + yₙ²"),
        (r"\frac{\partial L}{\partial W_{dh}}", "∂L/∂W_dh"),
        (r"\tfrac12\,(a - b)", "1/2 (a - b)"),
        (r"\frac{c\,x}{2\sigma^2}", "(c x)/(2σ²)"),
        (r"\underset{(N, H)}{da} = dy \odot y", "da⟨N, H⟩ = dy ⊙ y"),
        (r"\underbrace{a + b}_{\text{sum}}", "a + b⟨sum⟩"),
        (r"\hat x = \sigma (a) \ge 0", "x̂ = σ(a) ≥ 0"),
        (r"\log_{10} \max(a, 0)", "log₁₀ max (a, 0)"),
        (r"\mathbb E[x \mid \tilde x],\quad \lVert x \rVert", "𝔼[x | x̃],    ‖x ‖"),
        ("\\begin{aligned}\nab &= c \\\\\n&= d\n\\end{aligned}", "ab = c\n   = d"),
        (r"\begin{bmatrix} a & b \end{bmatrix}", "[a b]"),
        (r"\text{a word}\ \{x\}", "a word {x}"),
    ],
)
def test_formulas(tex, text):
    assert reading.formula(tex) == text


@pytest.mark.parametrize("chapter", chapters.chapters(), ids=lambda chapter: chapter.path.stem)
def test_no_marks_are_left_in_the_text_of_a_chapter(chapter):
    for markdown, _, _ in reading.cells(chapter.path.read_text(encoding="utf-8")):
        told = reading.prose(markdown, 100)
        assert (
            "\\" not in told and "$" not in told.replace("$SCRATCHAE", "") and "**" not in told and "](" not in told
        )
