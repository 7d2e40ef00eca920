"""The files of an independent author are whole, and are judged."""

import ast
import json

import independent


def test_every_slip_changes_its_file():
    right, wrong = dict(independent.right()), dict(independent.wrong())
    assert (len(right), len(wrong)) == (206, 850)
    for name, code in wrong.items():
        ast.parse(code)
        assert code != right[name.rpartition("__")[0]]


def test_files_are_judged(tmp_path, capsys):
    report = tmp_path / "said.json"
    assert independent.main(["--only", "sigmoid_class__plus", "--json", str(report)]) == 0
    assert "1 wrong files: 1 wrong" in capsys.readouterr().out
    assert json.loads(report.read_text())["right"] == []
