"""Whole files: right ones are not accused, and slips that a machine makes are told from those that change nothing."""

import pytest
import strangers
from strangers import judging

from scratchae.tutorial import grade

SOME = list(strangers.right(40, seed=3))[::5]


@pytest.mark.parametrize(("name", "code"), SOME, ids=[name for name, _ in SOME])
def test_right_files_are_right(name, code, tmp_path):
    path = tmp_path / "right.py"
    path.write_text(code, encoding="utf-8")
    assert grade.grade(path)[0] == grade.RIGHT


def test_a_slip_is_judged_by_running_both():
    code = strangers.HEAD + strangers.sources()["layers/Dense"]
    wrong = code.replace("dy.sum(axis=0)", "dy.mean(axis=0)")
    assert judging.differs("layers/Dense", code, wrong) is True
    assert judging.differs("layers/Dense", code, code) is False
    assert judging.differs("layers/Dense", code, code.replace("self.x.T @ dy", "self.nothing")) is None


def test_slips_change_one_place_of_a_derivative():
    for name, before, after, what in strangers.slips(12):
        assert before != after and " -> " in what and name in strangers.sources()
