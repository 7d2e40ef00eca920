"""The diagnosis: planted bugs get their names, right layers are never accused, and the words are those of a teacher."""

import json

import diagnosis
import numpy as np
import planted
import planted_lines
import pytest

import scratchae as s
from scratchae import check_gradients
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, ShapeError
from scratchae.study.diagnosis.finding import KINDS, Finding

BUGS = [(kind, where, make, inputs) for kind, where, make, inputs in planted.bugs()]
LINES = list(planted_lines.changed_lines())


def rows(n=5, d=4, seed=0):
    return np.random.default_rng(seed).standard_normal((n, d))


# What is planted is named


@pytest.mark.parametrize("name", list(planted.PLOTS))
def test_planted_bugs_are_named(name):
    cases = [(kind, diagnosis.first_finding(make, inputs, 7)) for kind, where, make, inputs in BUGS if where == name]
    assert len(cases) >= 9
    missed = [case for case in cases if case[0] != case[1]]
    known = [("wrong_point", "unknown")] if name == "BatchNorm" else []  # dgamma from y in place of x̂
    assert missed == known


@pytest.mark.parametrize("case", LINES, ids=[f"{where}: {after[:40]}" for _, where, after, _, _ in LINES])
def test_one_line_changed(case):
    kind, _, _, make, inputs = case
    assert diagnosis.first_finding(make, inputs, 7) == kind


def test_enough_kinds_over_enough_layers():
    kinds = {kind for kind, *_ in BUGS + LINES}
    assert len(kinds) >= 12 and kinds <= KINDS.keys()
    seldom = {
        "unknown",
        "optimizer",
        "not_a_divergence",
        "unstable",
        "unusual_step",
        "straight_through",
        "added_in_part",
        "added_up",
        "other_value",
        "clipping",
        "idle_penalty",
        "mask_scale",
        "mask_share",
        "not_zeroed",
        "running_average",
        "zeroed_too_seldom",
    }  # not of one gradient at one point
    later = {
        "copied",
        "branch",
        "contributions",
        "elementwise",
        "extra_term",
        "forward_stops",
        "other_formula",
        "two_factors",
        "units",
        "updated_first",
    }
    later |= {"without_x", "wrong_count"}  # in test_paths.py
    rest = KINDS.keys() - kinds - later
    assert {kind for kind in rest if not kind.startswith(("hidden_by_", "line_", "operation_"))} == seldom
    leaves = {
        type(value) for name, value in vars(s).items() if isinstance(value, type) and issubclass(value, s.Layer)
    }
    assert len({where for _, where, *_ in BUGS}) >= len(leaves)


# What is right is not accused


def test_right_layers_are_not_accused():
    """The first of the 5,000 that `python benchmarks/diagnosis.py` tries."""
    cases = list(diagnosis.right_cases(140))
    assert [case for case in cases if case[1]] == []
    assert len({name for name, _ in cases}) > 60


@pytest.mark.parametrize("n", [1, 2])
def test_small_batches(n):
    for layer in (s.Dense(4, 3), s.Sigmoid(), s.ReLU(), s.Dropout(0.4), planted_lines.textbook.Dense(4, 3)):
        report = check_gradients(layer, rows(n))
        assert report.passed and report.findings == (), str(report)


def test_a_right_layer_at_its_corners_is_not_accused():
    x = rows()
    x[0, 0] = x[2, 1] = 0
    report = check_gradients(s.ReLU(), x)
    assert report.passed and report.findings == () and report.checks[0].kinks == 2


# The evidence


def finding(layer, *inputs, **options):
    return check_gradients(layer, *inputs, **options).findings


def change(function, tensor="x"):
    return planted.replaces("", function, tensor)


def test_the_factor_is_told():
    layer = planted.Planted(s.Tanh(), change(lambda layer, x, dy: layer.backward(dy) * 3))
    (found,) = finding(layer, rows())
    assert (
        found.kind == "factor"
        and found.what.endswith("constant factor of 3")
        and "3 times what it should be" in found.evidence
    )


@pytest.mark.parametrize(("c", "text"), [(0.5, "1/2 = 0.5"), (-2.0, "-2, and the sign is flipped"), (1.001, "1.001")])
def test_factors_as_a_person_writes_them(c, text):
    layer = planted.Planted(s.Tanh(), change(lambda layer, x, dy: layer.backward(dy) * c))
    (found,) = finding(layer, rows())
    assert found.what.endswith(f"factor of {text}")


def test_a_factor_that_looks_like_the_batch_is_not_taken_for_it():
    """¼ is 1/N in a batch of 4; in one of 8 it is still ¼."""
    quarter = planted.Planted(s.Tanh(), change(lambda layer, x, dy: layer.backward(dy) / 4))
    mean = planted.Planted(s.Tanh(), change(lambda layer, x, dy: layer.backward(dy) / len(dy)))
    assert [found.kind for found in finding(quarter, rows(4))] == ["factor"]
    assert [found.kind for found in finding(mean, rows(4))] == ["averaged_twice"]


def test_a_loss_averaged_over_the_features_in_one_place_only():
    def of_gradient(p, t):
        value, gradient = s.MSE()(p, t)
        return value, gradient / p.shape[1]

    def of_value(p, t):
        value, gradient = s.MSE()(p, t)
        return value / p.shape[1], gradient

    (found,) = finding(of_gradient, rows(), rows(seed=1))
    assert "averaged over the 4 features, but the value is summed" in found.what
    (found,) = finding(of_value, rows(), rows(seed=1))
    assert "summed over the 4 features, but the value is averaged" in found.what


def test_several_tensors_with_one_mistake_are_one_finding():
    class Mean(s.Dense):
        def backward_parameters(self, dy):
            super().backward_parameters(dy / len(dy))

    (found,) = finding(Mean(4, 3), rows())
    assert found.tensors == ("W", "b") and str(found).startswith(
        "∂L/∂W and ∂L/∂b: it is averaged over the batch once too often"
    )


def test_the_evidence_is_in_numbers():
    bug = change(lambda layer, x, dy: -layer.backward(dy))
    report = check_gradients(planted.Planted(s.Tanh(), bug), rows())
    (found,) = report.findings
    check = report.checks[0]
    index = np.unravel_index(np.argmax(np.abs(check.analytic)), (5, 4))
    assert f"∂L/∂x[{index[0]}, {index[1]}] is {check.analytic[index]:.6g}, and should be " in found.evidence


def test_which_input_was_changed():
    class InPlace(s.ReLU):
        def forward(self, x, rng=None):
            self.y = np.maximum(x, 0, out=x)
            return self.y

    x = rows()
    given = x.copy()
    found = finding(InPlace(), x)[0]
    assert found.kind == "input_modified" and found.what == "forward changes x, which belongs to the caller"
    np.testing.assert_array_equal(x, given)
    index = tuple(np.argwhere(given < 0)[0])
    assert f"x[{index[0]}, {index[1]}] was {given[index]:.6g} before the call and is 0 after it" in found.evidence


def test_widening_is_a_remark_not_a_fault():
    class Wide(s.Layer):
        def forward(self, x, rng=None):
            return np.sqrt(2) * x

        def backward(self, dy):
            return np.sqrt(2) * dy

    report = check_gradients(Wide(), rows())
    assert report.passed and [found.kind for found in report.findings] == ["dtype"] and not report.findings[0].fault
    assert "y comes out as float64" in str(report)


def test_faults_come_before_remarks():
    class Wide(s.Layer):
        def forward(self, x, rng=None):
            return np.sqrt(2) * x

        def backward(self, dy):
            return -np.sqrt(2) * dy

    assert [found.kind for found in finding(Wide(), rows())] == ["sign", "dtype"]


def test_what_has_no_name_gets_facts():
    layer = planted.Planted(
        s.BatchNorm(4), change(lambda layer, x, dy: layer.backward(dy) * (1 + 0.3 * np.arange(4)))
    )
    found, *_ = finding(layer, rows())
    assert found.kind == "unknown"
    assert "15 of 20 elements are wrong; only at 1, 2, 3 along axis 1" in found.evidence
    assert "lie between 1 and 1.9" in found.evidence


def test_what_goes_wrong_where_examples_meet_says_so():
    class Shared(s.Layer):
        """yₙ = xₙ · mean of all x²; the second path is left out in part."""

        def forward(self, x, rng=None):
            self.x = x
            return x * (x * x).mean()

        def backward(self, dy):
            return dy * (self.x * self.x).mean() + 2 / self.x.size * self.x * (dy * self.x).sum(axis=1, keepdims=True)

    (found,) = finding(Shared(), rows())
    assert found.kind == "cross_terms" and "the y of other elements" in found.what


# The benchmark


def test_the_benchmark_writes_its_table(tmp_path, monkeypatch, capsys):
    plot = planted.PLOTS["Dense"]
    few = [case for case in BUGS if case[1] in ("Tanh", "MSE")] + [("sign", "Dense", plot.make, plot.inputs)]
    monkeypatch.setattr(planted, "bugs", lambda: iter(few))
    monkeypatch.setattr(planted_lines, "LINES", planted_lines.LINES[:3])
    assert diagnosis.main(["--seeds", "1", "--right", "3", "--strangers", "2", "--folder", str(tmp_path)]) == 0
    (table,) = tmp_path.glob("diagnosis-*.md")
    (record,) = (json.loads(path.read_text()) for path in tmp_path.glob("diagnosis-*.json"))
    assert record["planted"] == len(few) + 3 and record["named"] == record["planted"] - 1
    assert record["missed"] == [{"bug": "sign", "in": "Dense", "called": ""}]
    text = table.read_text()
    assert "Dense: nothing found" in text and "3 right cases of 3 layers, losses and models: 0 accused." in text
    assert f"{record['named']} of {record['planted']} planted bugs named rightly" in capsys.readouterr().out


def test_the_benchmark_fails_on_a_false_accusation(tmp_path, monkeypatch):
    monkeypatch.setattr(planted, "bugs", lambda: iter(BUGS[:3]))
    monkeypatch.setattr(planted_lines, "LINES", [])
    monkeypatch.setattr(diagnosis, "right_cases", lambda count: [("Dense", ("sign",))])
    assert diagnosis.main(["--seeds", "1", "--strangers", "0", "--folder", str(tmp_path)]) == 1


# Chains and models


@pytest.mark.parametrize("place", [0, 2])
def test_a_wrong_layer_in_a_chain_is_found_by_its_place(place):
    layers = [s.Sigmoid(), s.Dense(4, 4, rng=1), s.Sigmoid()]
    layers[place] = planted.Planted(s.Sigmoid(), change(lambda layer, x, dy: dy * x * (1 - x)))
    (found,) = finding(s.Sequential(*layers), rows())
    assert found.kind == "wrong_point" and found.tensors == (f"(input of {place}, Sigmoid())",)
    assert found.evidence.startswith("in Sigmoid() alone: ")


def test_a_wrong_layer_in_a_model_is_found():
    class Transposed(s.Dense):
        def backward_parameters(self, dy):
            super().backward_parameters(dy)
            self.dW[...] = (dy.T @ self.x).astype(dy.dtype)

    model = s.Autoencoder(s.Sequential(Transposed(4, 4), s.Tanh()), s.Sequential(s.Dense(4, 4, rng=2)), loss=s.MSE())
    (found,) = finding(model, rows())
    assert found.kind == "transposed" and found.tensors == ("encoder.0.W",)


def test_a_wrong_model_of_right_layers():
    class Halved(s.Autoencoder):
        def backward(self):
            super().backward()
            self.gradient *= 0.5

    encoder, decoder = s.Sequential(s.Dense(4, 3)), s.Sequential(s.Dense(3, 4, rng=1))
    (found,) = finding(Halved(encoder, decoder, loss=s.MSE()), rows())
    assert found.kind == "factor" and len(found.tensors) == 4


def test_a_mistake_of_the_model_itself():
    class Forgets(s.Autoencoder):
        def backward(self):
            self.encoder.backward_parameters(self.decoder.backward(self.dprediction))

    encoder, decoder = s.Sequential(s.Dense(4, 3), s.Sigmoid()), s.Sequential(s.Dense(3, 4, rng=1))
    (found,) = finding(Forgets(encoder, decoder, loss=s.MSE(), penalty=s.L1(0.5)), rows())
    assert found.kind == "line_lacks_term" and "self.dpenalty" in found.what


def test_a_model_that_adds_its_gradients_up():
    class Adds(s.Autoencoder):
        def backward(self):
            before = self.gradient.copy()
            super().backward()
            self.gradient += before

    encoder, decoder = s.Sequential(s.Dense(4, 3)), s.Sequential(s.Dense(3, 4, rng=1))
    report = check_gradients(Adds(encoder, decoder, loss=s.MSE()), rows())
    assert all(check.passed for check in report.checks) and not report.passed
    assert [found.kind for found in report.findings] == ["accumulated"]


# Plain classes


def test_a_plain_class_is_a_layer():
    report = check_gradients(planted_lines.textbook.Dense(4, 3), rows())
    assert report.passed and [check.name for check in report.checks] == ["x", "W", "b"]
    assert report.subject == "Dense()"


def test_numbers_as_parameters():
    class Neuron:
        def __init__(self):
            self.w, self.b, self.name = 0.5, 1.0, "neuron"

        def forward(self, x):
            self.x = x
            return x * self.w + self.b

        def backward(self, dy):
            self.dw, self.db = float((dy * self.x).sum()), dy.sum()
            return dy * self.w

    neuron = Neuron()
    report = check_gradients(neuron, rows())
    assert report.passed and [check.name for check in report.checks] == ["x", "w", "b"]
    assert type(neuron.w) is float and not hasattr(neuron, "x")


@pytest.mark.parametrize("seed", [0, None])
def test_parameters_that_the_first_forward_makes(seed):
    class Lazy:
        W = None

        def forward(self, x):
            if self.W is None:
                self.W = np.random.default_rng(seed).standard_normal((x.shape[1], 3))
            self.x = x
            return x @ self.W

        def backward(self, dy):
            self.dW, self.dx = self.x.T @ dy, dy @ self.W.T
            return self.dx

    class Wrong(Lazy):
        def backward(self, dy):
            super().backward(dy)
            self.dW = -self.dW
            return self.dx

    report = check_gradients(Lazy(), rows())
    assert report.passed and report.findings == () and [check.name for check in report.checks] == ["x", "W"]
    assert [(found.kind, found.tensors) for found in finding(Wrong(), rows())] == [("sign", ("W",))]


def test_a_plain_class_may_take_an_rng():
    report = check_gradients(planted_lines.textbook.Dropout(), rows())
    assert report.passed and np.any(report.checks[0].analytic == 0)


@pytest.mark.parametrize(
    ("method", "value", "text"),
    [
        ("forward", None, "forward returned None: does it end with `return`"),
        ("backward", None, "backward returned None: does it end with `return`"),
        ("forward", 3.0, "forward returned a float, not y"),
        ("backward", [1.0], "backward returned a list, not ∂L/∂x"),
    ],
)
def test_a_method_that_returns_no_array(method, value, text):
    cls = type("Theirs", (planted_lines.textbook.Sigmoid,), {method: lambda self, x: value})
    with pytest.raises(ArrayTypeError, match=text):
        check_gradients(cls(), rows())


def test_a_layer_whose_backward_returns_nothing():
    class Forgot(s.Sigmoid):
        def backward(self, dy):
            super().backward(dy)

    with pytest.raises(ArrayTypeError, match="backward returned None"):
        check_gradients(Forgot(), rows())


def test_a_loss_that_returns_no_pair():
    with pytest.raises(ArrayTypeError, match=r"expected \(value, gradient\)"):
        check_gradients(lambda p, t: ((p - t) ** 2).sum(), rows(), rows())


# Shapes


class RowsOfB(s.Dense):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db = dy
        return dx


def test_the_error_of_a_wrong_shape_says_why():
    with pytest.raises(ShapeError) as caught:
        check_gradients(RowsOfB(4, 3), rows())
    assert isinstance(caught.value.finding, Finding) and caught.value.finding.kind == "not_summed"
    message = str(caught.value)
    assert "RowsOfB(4, 3): the gradient of b has shape (5, 3), b itself (3,): they must be equal" in message
    assert "summed over axis 0, it is right" in message and "dy.sum(axis=0)" in message


def test_a_parameter_without_a_gradient():
    class Nameless(s.Dense):
        parameter_names = ("W", "b", "scale")

        def __init__(self):
            super().__init__(4, 3)
            self.scale = np.ones(1, np.float32)

        def backward(self, dy):
            dx = super().backward(dy)
            vars(self).pop("dscale", None)
            return dx

    with pytest.raises(ArrayTypeError, match="backward leaves no dscale for the parameter scale"):
        check_gradients(Nameless(), rows())


# An error of our own is not taken for one of the subject


def test_an_error_in_a_rule_comes_out(monkeypatch):
    from scratchae.study import diagnosis as diagnose

    def broken(case):
        raise NameError("a mistake of ours")

    monkeypatch.setattr(diagnose, "RULES", (broken,))
    with pytest.raises(NameError):
        check_gradients(planted.Planted(s.Tanh(), planted.Sign()), rows())


def test_on_every_device(device, to_device):
    class Wrong(s.Dense):
        def backward_parameters(self, dy):
            super().backward_parameters(-dy)

    report = check_gradients(Wrong(4, 3).to(device), to_device(rows().astype(np.float32)))
    assert [found.kind for found in report.findings] == ["sign"]
    assert to_numpy(report.checks[0].analytic).shape == (5, 4)
