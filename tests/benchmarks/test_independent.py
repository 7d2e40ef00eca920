"""The files of an independent author are whole, and are judged."""

import ast
import json

import independent
import pytest

COUNTS = {
    "first": (206, 850),
    "second": (80, 366),
    "third": (44, 132),
    "fourth": (146, 207),
    "fifth": (36, 71),
    "sixth": (73, 140),
    "seventh": (49, 96),
    "eighth": (49, 96),
    "ninth": (73, 146),
    "tenth": (73, 146),
    "eleventh": (73, 146),
}


@pytest.mark.parametrize(("of", "counts"), COUNTS.items())
def test_every_slip_changes_its_file(of, counts):
    right, wrong = dict(independent.right(of)), dict(independent.wrong(of))
    assert (len(right), len(wrong)) == counts
    for name, code in wrong.items():
        ast.parse(code)
        assert code != right[name.rpartition("__")[0]]


def test_files_are_judged(tmp_path, capsys):
    report = tmp_path / "said.json"
    assert independent.main(["--only", "sigmoid_class__plus", "--json", str(report)]) == 0
    assert "first: 1 wrong files: 1 wrong" in capsys.readouterr().out
    assert json.loads(report.read_text())["sets"]["first"]["right"] == []
