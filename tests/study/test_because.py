"""Every formula of the library says why it holds, in a sentence whose links lead to the glossary and to chapters."""

import re
from pathlib import Path

import numpy as np
import pytest
from test_evaluate import small

from scratchae.presets import PRESETS
from scratchae.study import trace
from scratchae.study.formula import parse
from scratchae.study.page import formulas

BOOK = Path(__file__).parents[2] / "tutorials"
LINK = re.compile(r"\[([^\]]+)\]\(([^)#]+)(?:#([^)]+))?\)")


def anchors(page):
    """The places of a page that a link can lead to, as Sphinx names them."""
    headings = re.findall(r"^#+ (.+)$", page.read_text(encoding="utf-8"), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading.lower()).replace(" ", "-") for heading in headings}


@pytest.fixture(scope="module")
def steps():
    """All steps of small networks of all presets."""
    found = []
    for preset in PRESETS.values():
        rng = np.random.default_rng(0)
        optimizer = preset.optimizer(preset.lr, 100)
        found += trace(*small(preset, rng), rng=rng, numerical=False, optimizer=optimizer)
    return found


def test_every_formula_of_every_preset_has_a_reason(steps):
    without = {step.text for step in steps if not step.formula.tree.because and not step.formula.drawn}
    assert not without


def test_reasons_are_sentences_whose_links_lead_somewhere(steps):
    there = anchors(BOOK / "book" / "glossary.md")
    for because in {step.formula.tree.because for step in steps} - {""}:
        assert re.search(r"\.( \(\[Chapter \d\d\]\([^)]+\)\))?$", because), because
        for text, page, place in LINK.findall(because):
            assert (page == "glossary.md" and place in there) or (BOOK / page).is_file(), because
            assert page == "glossary.md" or text == f"Chapter {page[:2]}", because


def test_a_formula_in_pictures_has_its_operands_at_every_second_place(steps):
    for step in steps:
        row = formulas.in_pictures(step)
        assert set(row[1::2]) == {operand.name for operand in step.operands}, step.text
        assert row[-1].endswith(("=", "→"))


def test_a_comment_is_no_part_of_a_formula():
    assert parse("x @ W  # because").because == "because"
    assert parse("x @ W").because == ""
    assert parse("x @ W  # because").names() == ["x", "W"]
