"""The code that chapters show is the library's: folded where there is no formula, with the functions that hold the formulas."""

import ast
import inspect
import re
import textwrap

import scratchae as sae
from scratchae.tutorial import chapters, sources
from scratchae.tutorial import showing as tutorial


def test_source_prints_the_code_of_the_object(capsys):
    tutorial.source(sae.Dense.forward, sae.MSE)
    printed = capsys.readouterr().out
    assert printed.startswith("[source] scratchae/layers/dense.py, line ")
    shown = [line.removeprefix("    ") for line in printed.splitlines()]
    for line in inspect.getsource(sae.MSE.__call__).splitlines():
        assert line in shown or "require_same_shape" in line


def test_the_source_of_a_wrapped_function_is_where_it_is_defined():
    from scratchae.layers.activations import sigmoid

    code, place = sources.code_of(sigmoid)
    assert place.startswith("scratchae/layers/activations.py")
    assert "def sigmoid(" in code


def test_source_folds_checks_and_settings_and_nothing_else():
    for each in (sae.Dense.forward, sae.Sigmoid, sae.Cosine, sae.Attention.forward, sae.pretrain):
        written = textwrap.dedent(inspect.getsource(each)).splitlines()
        shown = sources.code_of(each)[0].splitlines()
        assert [line for line in shown if line not in written and line.strip() != "# …"] == []
        lost = "\n".join(line for line in written if line not in shown)
        assert re.search(r"refuse|require|examples_apart", lost) and not re.search(
            r"return|matmul|self\.\w+ = ", lost
        )
    for each in (sae.Dense.forward, sae.Sigmoid):
        assert sources.code_of(each)[0].count("# …") == 1


def test_source_prints_the_functions_that_hold_the_formulas_once(capsys, monkeypatch):
    monkeypatch.setattr(sources, "SHOWN", {})
    tutorial.source(sae.ReLU)
    printed = capsys.readouterr().out
    assert "called above" in printed and "return dy * (y > 0)" in printed
    tutorial.source(sae.Sequential(sae.ReLU()).layers[0].backward)
    assert "dy * (y > 0)" not in capsys.readouterr().out
    tutorial.source(sae.ReLU)  # the cell runs again
    assert capsys.readouterr().out == printed


def shown_by(chapter):
    """What a chapter hands to `source`, call by call. Imports are all that is run of it."""
    names = {"masked": sae.RNN(2, 2)}
    tree = ast.parse(chapter.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Import | ast.ImportFrom):
            exec(compile(ast.Module([node], []), str(chapter), "exec"), names)
    for node in ast.walk(tree):
        if isinstance(node, ast.Call) and ast.unparse(node.func) == "source":
            yield eval(f"({', '.join(map(ast.unparse, node.args))},)", names)


def test_every_chapter_shows_the_formulas_that_its_sources_call(monkeypatch):
    shown = {}
    for chapter in chapters.chapters():
        monkeypatch.setattr(sources, "SHOWN", {})
        codes = [code for objects in shown_by(chapter.path) for code, _ in sources.codes_of(objects)]
        shown[chapter.path.stem[:2]] = text = "\n".join(codes)
        # the names of the functions that begin as all formulas of a layer do, and that the text calls
        for name in re.findall(r"return (\w+_backward)\(", text):
            assert f"def {name}(" in text, (chapter.path.name, name)
    assert "dx *= y" in shown["00"] and "dy * (y > 0)" in shown["05"] and "def pixel_costs" in shown["07"]
    assert "def overlap_add" in shown["08"] and "def log_sum" in shown["12"] and "def denoise" in shown["19"]
