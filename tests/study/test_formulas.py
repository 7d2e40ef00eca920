"""Every formula that a layer, loss, penalty or optimizer declares, evaluated against its code; and the language itself."""

import copy
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose

import scratchae as s
from scratchae.errors import FormulaError
from scratchae.losses import Loss, gaussian_kl
from scratchae.models import Model
from scratchae.penalties import Penalty
from scratchae.study import CATALOGUE
from scratchae.study.formula import Formula, Symbol, parse
from scratchae.study.tracing.recording import Draws


def formula(text, **names):
    return Formula(parse(text), names, {}, Symbol("y"))


def value(text, **names):
    return formula(text, **names).value()


def every_cell(found):
    """The result, number by number, as the arithmetic has it."""
    return np.array([found.cell(index).value for index in np.ndindex(*found.shape)]).reshape(found.shape)


def option(thing, name, known, shape):
    tensor, _, what = name.rpartition("_")
    if what in ("size", "shape"):
        found = known[tensor].shape if tensor in known else shape
        return found[1:3] if what == "size" else found
    return {"N": len(next(iter(known.values()))), "tiny": np.finfo(float).tiny}.get(name, getattr(thing, name, None))


def evaluated(thing, name, text, known, expected, broadcast=False):
    """The value of a formula, checked against what the code has; and the cells, which say the same number by number."""
    tree = parse(text)
    shape = np.shape(expected) if expected is not None else None
    names = {n: known[n] if n in known else option(thing, n, known, shape) for n in tree.names()}
    found = Formula(tree, names, {}, Symbol("y"), shape if broadcast else None)
    if expected is not None:
        assert found.value().shape == shape, (thing, name)
        assert_allclose(found.value(), expected, rtol=1e-10, atol=1e-12, err_msg=f"{name} of {thing!r}")
    assert_allclose(every_cell(found), found.value(), rtol=1e-9, atol=1e-12, err_msg=f"cells of {name} of {thing!r}")
    return found.value()


LAYERS = [name for name, entry in CATALOGUE.items() if isinstance(entry.make(2), s.Layer) and name != "Sequential"]
LOSSES = [name for name, entry in CATALOGUE.items() if not isinstance(entry.make(2), s.Layer | Model)]


def check_layer(name, n, d, seed, training):
    entry = CATALOGUE[name]
    layer = copy.deepcopy(entry.make(d)).to(dtype=np.float64)
    (x,) = entry.inputs(np.random.default_rng(seed), n, d)
    for parameter in layer.parameter_names:  # with b = 0, as it starts, many a wrong formula is right
        getattr(layer, parameter)[...] += np.random.default_rng(seed).standard_normal(getattr(layer, parameter).shape)
    draws = Draws(np.random.default_rng(seed), x)
    y = layer.forward(x, draws if training else None)
    dy = np.random.default_rng([seed, 1]).standard_normal(y.shape)
    dx = layer.backward(dy)
    known = {"x": x} | {p: getattr(layer, p) for p in (*layer.parameter_names, *layer.buffer_names)}
    gradients = {f"d{p}": getattr(layer, f"d{p}") for p in layer.parameter_names} | {"dx": dx}
    assert set(gradients) | {"y"} <= set(layer.formulas), f"{layer!r} leaves something out"
    drawn = iter(draws.model)
    for own, text in layer.formulas.items():
        if text in ("normal()", "uniform()"):
            known[own] = next(drawn)
            continue
        if own in gradients or (own[:1] == "d" and own[1:] in known):
            known.setdefault("dy", dy)
        expected = {"y": y, **gradients}.get(own, vars(layer).get(own))
        known[own] = evaluated(layer, own, text, known, expected)
    assert next(drawn, None) is None  # nothing is drawn that no formula speaks of


@pytest.mark.parametrize("name", LAYERS)
@settings(max_examples=5)
@given(n=st.integers(1, 3), d=st.integers(1, 4), seed=st.integers(0, 10**6), training=st.booleans())
def test_the_formulas_of_a_layer_are_its_code(name, n, d, seed, training):
    check_layer(name, n, d, seed, training)


@pytest.mark.parametrize("name", LOSSES)
@settings(max_examples=5)
@given(n=st.integers(1, 3), d=st.integers(1, 4), seed=st.integers(0, 10**6))
def test_the_formulas_of_a_loss_are_its_code(name, n, d, seed):
    check_loss(name, n, d, seed)


def check_loss(name, n, d, seed):
    loss = CATALOGUE[name].make(d)
    arguments = CATALOGUE[name].inputs(np.random.default_rng(seed), n, d)
    found, *gradients = loss(*arguments)
    names = (
        ("z",)
        if isinstance(loss, Penalty)
        else ("prediction", "target")
        if isinstance(loss, Loss)
        else ("mu", "log_var")
    )
    known = dict(zip(names, arguments, strict=True))
    expected = {"value": np.array(found)} | dict(zip((f"d{name}" for name in names), gradients, strict=False))
    assert set(expected) <= set(loss.formulas)
    for own, text in loss.formulas.items():
        known[own] = evaluated(loss, own, text, known, expected.get(own), broadcast=own in expected)


OPTIMIZERS = [
    *(s.SGD(0.1), s.SGD(0.1, momentum=0.9), s.SGD(0.1, weight_decay=0.2, clip_norm=0.5), s.Adam(0.01)),
    *(s.Adam(s.Cosine(0.1, 9), weight_decay=0.3, clip_norm=0.5), s.SGD(0.1, 0.5, weight_decay=0.1)),
]


@pytest.mark.parametrize("optimizer", OPTIMIZERS, ids=repr)
def test_the_formulas_of_an_optimizer_are_its_code(optimizer):
    optimizer, rng = copy.deepcopy(optimizer), np.random.default_rng(0)
    theta = rng.standard_normal(4)
    known = {name: np.zeros(4) for name in optimizer.state_names} | {"theta": theta.copy()}
    for t in range(1, 4):
        gradient = rng.standard_normal(4)
        known |= {"g": gradient, "lr": optimizer.learning_rate(), "t": t, "norm": float(np.linalg.norm(gradient))}
        optimizer.update(theta, gradient)
        for name, text in optimizer.formulas.items():
            expected = theta if name == "theta" else optimizer.state().get(name)
            known[name] = evaluated(optimizer, name, text, known, expected)


def test_everything_public_that_computes_has_formulas():
    """Else it would be traced without saying what it does."""
    made = [*(entry.make(4) for entry in CATALOGUE.values()), s.RBM(3, 2)]
    without = {type(thing).__name__ for thing in made if not thing.formulas}
    # the first computes nothing itself, the second learns from dreams, which no batch holds
    assert without == {"Sequential", "UpDown"}


def test_a_wrong_formula_would_be_found(monkeypatch):
    for wrong in ({"dx": "dy @ W"}, {"db": "sum(dy, axis=0) / 2"}, {"dW": "x.T @ dy / 2"}, {"y": "x @ W - b"}):
        monkeypatch.setattr(s.Dense, "formulas", vars(s.Dense)["formulas"] | wrong)
        with pytest.raises((AssertionError, FormulaError)):
            check_layer("Dense", 2, 2, 1, training=True)
        monkeypatch.undo()


# The language


x, W, b = np.array([[0.05, 0.10]]), np.array([[0.15, 0.25], [0.20, 0.30]]), np.array([0.35, 0.35])


def test_a_cell_says_its_arithmetic_and_its_operands():
    cell = formula("x @ W + b", x=x, W=W, b=b).cell((0, 0))
    assert cell.text == "0.15·0.05 + 0.20·0.10 + 0.35 = 0.3775"
    assert cell.operands == (("W", (0, 0)), ("x", (0, 0)), ("W", (1, 0)), ("x", (0, 1)), ("b", (0,)))
    assert cell.value == pytest.approx(0.3775)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("x - -2", "0.05 − (−2) = 2.05"),
        ("x * (x - 1)", "0.05·(0.05 − 1) = −0.0475"),
        ("x ** 2 / (1 + x)", "0.05² / (1 + 0.05) = 0.00238095"),
        ("sigmoid(x)", "1 / (1 + e^−0.05) = 0.512497"),
        ("sigmoid(-x)", "1 / (1 + e^0.05) = 0.487503"),
        ("sigmoid(x - 1)", "1 / (1 + e^−(0.05 − 1)) = 0.278885"),
        ("exp(x)", "e^0.05 = 1.051271"),
        ("maximum(x, 0)", "max(0.05, 0) = 0.05"),
        ("x > 0", "[0.05 > 0] = 1.00"),
        ("abs(x - 1)", "|0.05 − 1| = 0.95"),
        ("sqrt(x + 1)", "√(0.05 + 1) = 1.024695"),
        ("tanh(x)", "tanh(0.05) = 0.0499584"),
    ],
)
def test_arithmetic(text, expected):
    if expected.endswith(("0.00238095", "0.0499584")):  # four digits at least, of what is small
        assert formula(text, x=np.array([0.05])).cell((0,)).arithmetic == expected.partition(" = ")[0]
    else:
        assert formula(text, x=np.array([0.05])).cell((0,)).text == expected


def test_long_sums_are_shortened():
    cell = formula("sum(x)", x=np.arange(100.0)).cell((), terms=4)
    assert cell.text == "0.00 + 1.00 + … (100 terms) … + 99.00 = 4950.00"
    assert len(cell.operands) == 100


def test_padding_is_left_out_of_a_convolution():
    image, kernel = np.arange(1.0, 10).reshape(1, 3, 3, 1), np.ones((3, 3, 1, 1))
    found = formula("im2col(x, K, S, P) @ rows(W)", x=image, W=kernel, K=(3, 3), S=(1, 1), P=(1, 1))
    corner = found.cell((0, 0, 0, 0))
    assert corner.text == "1.00·1.00 + 1.00·2.00 + 1.00·4.00 + 1.00·5.00 = 12.00"
    assert [index for name, index in corner.operands if name == "x"] == [
        (0, 0, 0, 0), (0, 0, 1, 0), (0, 1, 0, 0), (0, 1, 1, 0),
    ]  # fmt: skip


def test_slices_and_joins():
    a, c = np.arange(6.0).reshape(2, 3), np.arange(4.0).reshape(2, 2) + 10
    found = formula("joined(a, c)[:, 1:-1]", a=a, c=c)
    assert_allclose(found.value(), np.concatenate([a, c], axis=1)[:, 1:-1])
    assert_allclose(every_cell(found), found.value())
    assert found.cell((1, 2)).operands == (("c", (1, 0)),)


SYMBOLS = {"x": Symbol("x"), "W": Symbol("W", "1"), "b": Symbol("b", "1"), "dy": Symbol("z", "1").gradient()}


def shown(text, **names):
    return Formula(parse(text), names, SYMBOLS, Symbol("z", "1"))


@pytest.mark.parametrize(
    ("text", "unicode"),
    [
        ("x @ W + b", "z₁ = x W₁ + b₁"),
        ("dy @ W.T", "z₁ = ∂L/∂z₁ W₁ᵀ"),
        ("sum(dy, axis=0)", "z₁ = Σₙ ∂L/∂z₁"),
        ("dy * x * (1 - x)", "z₁ = ∂L/∂z₁ ⊙ x ⊙ (1 − x)"),
        ("2 * (x - dy) ** 2 / 3", "z₁ = 2·(x − ∂L/∂z₁)² / 3"),
        ("exp(x / 2)", "z₁ = exp(x / 2)"),
    ],
)
def test_text(text, unicode):
    assert shown(text, x=x, W=W, b=b, dy=x).text == unicode


@pytest.mark.parametrize("name", [*LAYERS, *LOSSES])
def test_every_formula_can_be_written_in_both(name):
    """Well-formed MathML, and nothing of the code's own words left over in the text."""
    thing = CATALOGUE[name].make(2)
    if isinstance(thing, s.Layer):
        thing.forward(CATALOGUE[name].inputs(np.random.default_rng(0), 2, 2)[0], np.random.default_rng(0))
    for own, text in thing.formulas.items():
        tree = parse(text)
        found = Formula.__new__(Formula)
        vars(found).update(tree=tree, symbols={}, result=Symbol("y"), drawn=False, computable=False)
        ElementTree.fromstring(found.mathml)
        assert "None" not in found.text and found.text.count("(") == found.text.count(")"), (own, found.text)


def test_what_is_drawn_has_no_value():
    found = Formula(parse("normal()"), {}, {}, Symbol("ε"), (2, 3))
    assert found.text == "ε ~ N(0, 1)" and found.cell((0, 0)) is None and found.recipe is None


@pytest.mark.parametrize(
    "text", ["x +", "lambda x: x", "x[0]", "x.shape", "f(*x)", "x if y else z", "__import__('os').system('ls')"]
)
def test_what_is_no_formula(text):
    with pytest.raises(FormulaError, match="formula"):
        parse(text)


def test_what_cannot_be_evaluated():
    with pytest.raises(FormulaError, match="'W', of which nothing is known"):
        value("x @ W", x=x)
    with pytest.raises(FormulaError, match="no function of the language"):
        value("frobnicate(x)", x=x)
    with pytest.raises(FormulaError, match=r"cannot be computed with x \(1, 2\), b \(3,\)"):
        value("x + b", x=x, b=np.ones(3))


def test_flops():
    assert formula("x @ W + b", x=np.ones((5, 2)), W=np.ones((2, 3)), b=np.ones(3)).flops == 2 * 5 * 2 * 3 + 5 * 3


def test_gaussian_kl_has_formulas():
    assert set(gaussian_kl.formulas) == {"value", "dmu", "dlog_var"}


NAUGHTY = "<img src=x onerror=alert(1)>"


def test_names_from_elsewhere_stay_text():
    """A class without formulas stands in them with its name, which may be anything."""
    layer = type(NAUGHTY, (s.Layer,), {"forward": lambda self, x, rng=None: x, "backward": lambda self, dy: dy})()
    found = s.trace(
        s.Autoencoder(s.Sequential(s.Dense(3, 2, rng=0), layer), s.Dense(2, 3, rng=1), loss=s.MSE()), np.ones((2, 3))
    )
    assert any("&lt;img" in step.mathml for step in found.steps)
    for step in found.steps:
        assert "<img" not in step.mathml
    for symbol in (
        Symbol(NAUGHTY),
        Symbol("a", NAUGHTY),
        Symbol("a", before=NAUGHTY),
        Symbol("<\u0303"),
        Symbol("0" + NAUGHTY),
    ):
        ElementTree.fromstring(f"<math>{symbol.mathml}</math>")
        assert "<img" not in symbol.mathml
