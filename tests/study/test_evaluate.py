"""The page's own interpreter of formulas: it has the operators of the library's, and comes to the library's numbers."""

import contextlib
import json
import re
from collections import Counter
from importlib.resources import files

import numpy as np
import pytest
import test_formulas
from browser import open_page
from numpy.testing import assert_allclose

from scratchae.errors import OptionError
from scratchae.models import Model
from scratchae.presets import PRESETS
from scratchae.presets.form import Form
from scratchae.study import CATALOGUE, trace
from scratchae.study.formula import Formula, parse
from scratchae.study.formula.values import ARRANGEMENTS, ELEMENTWISE, REDUCTIONS
from scratchae.study.page import SCRIPTS, content, formulas

MODELS = [name for name, entry in CATALOGUE.items() if isinstance(entry.make(4), Model)]
# the numbers of a trace that the page does not come to, after what it makes of them
WRONG = """(text) => {
    const trace = JSON.parse(text);
    const tensors = Object.fromEntries(Object.entries(trace.tensors).map(([id, record]) => [id, new Tensor(id, record)]));
    const run = new Run(trace, (id) => tensors[id].given);
    return [trace.laboratory.shut, trace.steps.filter((step) => step.tree && differs(run, step)).map(({ result }) => result)];
}"""


def script(name):
    return (files("scratchae.study.page") / "web" / name).read_text("utf-8")


def test_no_name_is_used_twice_by_its_scripts():
    names = [
        name
        for each in SCRIPTS
        for name in re.findall(r"^(?:async )?(?:function\*?|const|let|class) (\w+)", script(each), re.M)
    ]
    assert [name for name, times in Counter(names).items() if times > 1] == []


@pytest.fixture(scope="module")
def interpreter(browser, tmp_path_factory):
    """A page with all scripts, since one could change what another means, and no trace."""
    scripts = "".join(f"<script>{script(name)}</script>" for name in SCRIPTS if name != "page.js")
    path = tmp_path_factory.mktemp("interpreter") / "page.html"
    path.write_text(f"<!doctype html><link rel=icon href='data:,'>{scripts}", "utf-8")
    page, problems = open_page(browser, path.as_uri())
    yield page
    page.context.close()
    assert not problems


def wrong(interpreter, found):
    shut, steps = interpreter.evaluate(WRONG, json.dumps(content(found)))
    assert not shut
    return steps


def as_json(value):
    if isinstance(value, np.ndarray):
        return {"shape": value.shape, "data": value.astype(float).ravel().tolist()}
    return formulas.plain(value)


def values_there(interpreter, cases):
    """What the page makes of formulas: [(tree, names)]."""
    sent = [
        [formulas.as_lists(tree), {name: as_json(value) for name, value in names.items()}] for tree, names in cases
    ]
    return interpreter.evaluate(
        """(cases) => cases.map(([tree, names]) => {
            const found = evaluate(tree, (name) => names[name].data
                ? arrayOf(names[name].shape, Float64Array.from(names[name].data)) : unpacked(names[name]));
            return isArray(found) ? [found.shape, [...found.data].map(String)] : [[], [String(found)]];
        })""",
        sent,
    )


def test_it_has_the_operators_of_the_library_and_no_other(interpreter):
    there = interpreter.evaluate("[Object.keys(FUNCTIONS), Object.keys(OPERATORS)]")
    assert set(there[0]) == set(ELEMENTWISE)
    assert set(there[1]) == {
        *REDUCTIONS,
        *ARRANGEMENTS,
        "slice",
    }  # a product of matrices knows of T, and stands apart


def test_every_formula_of_the_catalogue_comes_to_the_same(interpreter, monkeypatch):
    found = []

    class Noted(Formula):
        def __init__(self, tree, names, *rest):
            super().__init__(tree, names, *rest)
            if self.computable:
                found.append(self)

    monkeypatch.setattr(test_formulas, "Formula", Noted)
    monkeypatch.setattr(test_formulas, "every_cell", lambda formula: formula.value())
    for name in test_formulas.LAYERS:
        test_formulas.check_layer(name, 3, 4, 0, training=True)
    for name in test_formulas.LOSSES:
        test_formulas.check_loss(name, 3, 4, 0)
    assert len(found) > 100
    there = values_there(interpreter, [(formula.tree, formula.names) for formula in found])
    for formula, (shape, numbers) in zip(found, there, strict=True):
        here = np.asarray(formula.evaluation.value, float)
        assert tuple(shape) == here.shape, formula.tree
        assert_allclose(np.array(numbers, float), here.ravel(), rtol=1e-9, atol=1e-12 * (1 + np.abs(here).max()))


@pytest.mark.parametrize(
    "text",
    [
        "a @ b", "b.T @ a.T", "a @ a.T", "a.T @ a", "v @ a.T", "a @ v", "s @ s.T", "s @ b", "a.T @ c.T",
        "a[1:, :-1]", "a[:, 1:3]", "s[:, -1:]", "sum(s, axis=1)", "mean(s, axis=-1, keepdims=True)", "max(s)",
        "first_max(s, axis=1)", "expand(v, 0) + expand(v, 1)", "joined(a, a, a)", "stacked(a, a)", "repeat(s, 2)",
        "reshape(s, (2, -1))", "where(a > 0, a, -a)", "clip(a, -0.5, 0.5)", "later(s, every=2)", "earlier(s)", "a ** -2",
        "v / 0", "log(-v * v)", "a / a[:, :1]",
    ],
)  # fmt: skip
def test_what_numpy_takes_it_takes(interpreter, text):
    rng = np.random.default_rng(0)
    shapes = {"a": (3, 4), "b": (4, 2), "c": (2, 3), "v": (4,), "s": (2, 3, 4)}
    names = {name: rng.standard_normal(shape) for name, shape in shapes.items()}
    expected = Formula(parse(text), names, {}, None).value()
    [[shape, numbers]] = values_there(interpreter, [(parse(text), names)])
    assert tuple(shape) == expected.shape
    assert_allclose(np.array(numbers, float), expected.ravel(), rtol=1e-12)


def test_it_comes_to_every_number_of_every_model(interpreter):
    for name in MODELS:
        entry, rng = CATALOGUE[name], np.random.default_rng(0)
        model = entry.make(4)
        if not model.formulas:
            continue
        found = trace(model, *entry.inputs(rng, 3, 4), rng=rng, numerical=False)
        assert not wrong(interpreter, found), name


def small(preset, rng):
    """A small network of a preset, and examples for it."""
    shape = {1: (36,), 2: (6, 5), 3: (8, 8, 1)}[len(preset.shape)]
    for hidden in ((8, 6), (8,), None):
        with contextlib.suppress(OptionError):
            model = preset.build(rng, Form(shape=shape, hidden=hidden))
            break
    x = rng.random((2, *shape))
    return model, np.hstack([x, np.eye(10)[:2]]) if preset.name == "cvae" else x


def test_it_comes_to_every_number_of_every_preset(interpreter):
    for name, preset in PRESETS.items():
        rng = np.random.default_rng(0)
        found = trace(*small(preset, rng), rng=rng, numerical=False, optimizer=preset.optimizer(preset.lr, 100))
        assert not wrong(interpreter, found), name
