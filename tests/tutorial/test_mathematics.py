"""The page of the mathematics that is assumed: its numbers are right, and every chapter links the first use of a word to it."""

import doctest
import re

import numpy as np
import pytest

from scratchae.tutorial import chapters, reading

PAGE = (chapters.folder() / "book" / "mathematics.md").read_text(encoding="utf-8")
ENTRIES = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))
# The words by which a chapter uses an entry; chapters 00 to 02 explain what they need
WORDS = {
    "First-order change": r"first order",
    "Gradient, Jacobian, Hessian": r"Jacobian|Hessian",
    "Taylor's theorem": r"Taylor|second order|third order",
    "Norms": r"Cauchy|Frobenius",
    "Orthonormal directions, projection, rank": r"orthonormal|orthogonal|projection|\brank\b|\bspan",
    "Eigenvalues, trace, determinant": r"eigenv|determinant",
    "Singular value decomposition": r"singular value",
    "Expectation, variance, covariance": r"\\mathbb E|\bvariance|covariance|expectation",
    "Standard error of a mean": r"standard error|Monte Carlo",
    "Conditional probability and Bayes' rule": r"Bayes|conditional",
    "Density and the normal distribution": r"densit|Gaussian|normal distribution|\\mathcal N",
    "Likelihood and logarithms": r"(?<!pseudo-)likelihood",
    "Jensen's inequality": r"Jensen's",
    "Markov chains": r"Markov|total variation|stationary",
    "Work along a closed path": r"Stokes|closed path|closed loop|\bcurl",
}


def anchor(heading):
    return re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")


def paragraphs(chapter):
    """The prose of a chapter, a paragraph each, without code."""
    cells = reading.cells(chapter.path.read_text(encoding="utf-8"))
    prose = "\n\n".join(re.sub(r"`[^`\n]+`", "", markdown) for markdown, _, _ in cells)
    return [paragraph for paragraph in prose.split("\n\n") if paragraph.strip()]


@pytest.mark.parametrize("heading", ENTRIES)
def test_the_worked_number_of_an_entry_is_right(heading):
    code = "\n\n".join(re.findall(r"```python\n(.*?)```", ENTRIES[heading], re.DOTALL))
    test = doctest.DocTestParser().get_doctest(code, {"np": np}, heading, "mathematics.md", 0)
    assert any(example.want for example in test.examples)
    told = []
    doctest.DocTestRunner(verbose=False).run(test, out=told.append)
    assert told == []


def test_the_entries_are_those_whose_words_are_looked_for():
    assert list(ENTRIES) == list(WORDS)


@pytest.mark.parametrize("heading", WORDS)
def test_the_first_use_of_an_entry_in_a_chapter_is_linked(heading):
    link, unlinked, first = f"mathematics.md#{anchor(heading)}", [], None
    for chapter in chapters.chapters():
        text = paragraphs(chapter)
        if first is None and any(link in paragraph for paragraph in text):
            first = chapter.number
        used = next((i for i, paragraph in enumerate(text) if re.search(WORDS[heading], paragraph)), None)
        # a formula is a paragraph of its own, and the link stands in the one before it
        if chapter.number >= 3 and used is not None and link not in "".join(text[max(used - 1, 0) : used + 1]):
            unlinked.append(f"{chapter.path.name}: {text[used][:80]}")
    assert unlinked == []
    assert f"First used in [chapter {first:02d}](" in ENTRIES[heading]
