"""A layer that is written here, and nowhere else, is checked, diagnosed, traced, shown on a page, counted, timed and compared."""

import numpy as np
import pytest
from browser import unpacked

import scratchae as s
from scratchae.bench import flops, peers
from scratchae.bench.by_layer import by_layer
from scratchae.bench.peers.translations import TRANSLATIONS, Translation
from scratchae.bench.work import work
from scratchae.study import CATALOGUE, check_catalogue, trace
from scratchae.study.catalogue import Entry
from scratchae.study.page import page


class Stretch(s.Layer):
    """y = exp(w) x + b, with a w and a b for each feature."""

    parameter_names = ("w", "b")
    symbol, symbols = "y\u0302", {"w": "log ω", "strength": "ω", "extra": "κ"}
    flops = 4, 3, 1  # exp(w) x, · κ, + b; dy · y, Σ; Σ dy; dy · exp(w)
    examples_apart = True
    formulas = {
        "strength": "extra * exp(w)",
        "y": "strength * x + b",
        "dw": "sum(dy * strength * x, axis=0)",
        "db": "sum(dy, axis=0)",
        "dx": "dy * strength",
    }

    def __init__(self, features, extra=2.0):
        self.features, self.extra = features, extra
        self.w, self.b = np.zeros(features, np.float32), np.zeros(features, np.float32)

    def forward(self, x, rng=None):
        self.x, self.now = x, self.extra * np.exp(self.w)  # strength
        return self.now * x + self.b

    def backward(self, dy):
        self.dw = (dy * self.now * self.x).sum(axis=0)
        self.db = dy.sum(axis=0)
        return dy * self.now


class Forgetful(Stretch):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db = dy.mean(axis=0)  # where the sum is meant
        return dx


def model():
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(4, 3, rng=rng), Stretch(3))
    return s.Autoencoder(encoder, s.Dense(3, 4, rng=rng), loss=s.MSE())


def examples(n=5):
    return np.random.default_rng(1).random((n, 4), dtype=np.float32)


def test_one_row_makes_it_a_part_of_the_catalogue(monkeypatch):
    monkeypatch.setitem(CATALOGUE, "Stretch", Entry(Stretch))
    (report,) = check_catalogue("stretch").values()
    assert report.passed and [check.name for check in report.checks] == ["x", "w", "b"]


def test_its_mistakes_are_diagnosed():
    report = s.check_gradients(Forgetful(4), examples())
    assert [check.name for check in report.checks if not check.passed] == ["b"]
    assert "batch" in str(report.findings[0])


def test_its_trace_speaks_its_own_language():
    found = trace(model(), examples())
    assert found.passed
    assert [step.text for step in found if step.layer == "encoder.1" and step.phase != "update"] == [
        "ω₂ = κ·exp(log ω₂)",
        "ŷ₂ = ω₂ ⊙ a₁ + b₂",
        "∂L/∂log ω₂ = Σₙ ∂L/∂ŷ₂ ⊙ ω₂ ⊙ a₁",
        "∂L/∂b₂ = Σₙ ∂L/∂ŷ₂",
        "∂L/∂a₁ = ∂L/∂ŷ₂ ⊙ ω₂",
    ]
    for key, line in {
        "encoder.1.strength": "self.x, self.now = x, self.extra * np.exp(self.w)  # strength",
        "encoder.1.y": "return self.now * x + self.b",
        "encoder.1.dw": "self.dw = (dy * self.now * self.x).sum(axis=0)",
        "encoder.1.dx": "return dy * self.now",
    }.items():
        source = found[key].source
        assert [source.lines[number - source.first].strip() for number in source.highlighted] == [line]


def test_its_page_shows_formulas_numbers_and_source():
    content = unpacked(page(trace(model(), examples())))
    shown = [step for step in content["steps"] if step["where"].startswith("encoder.1 · Stretch(3)")]
    assert len([step for step in shown if step["recipe"] and step["sources"]]) >= 5
    assert "Stretch.forward" in {source["name"] for source in content["sources"].values()}


def test_a_model_that_begins_with_noise_of_ones_own_denoises():
    class Flip(s.Layer):
        corrupts = True

        def forward(self, x, rng=None):
            self.sign = 1 if rng is None else np.where(rng.random(x.shape) < 0.5, -1, 1).astype(x.dtype)
            return x * self.sign

        def backward(self, dy):
            return dy * self.sign

    made = s.Autoencoder(s.Sequential(Flip(), s.Dense(4, 3, rng=0)), s.Dense(3, 4, rng=1), loss=s.MSE())
    assert made.denoises and not model().denoises
    assert (made.corrupted(examples(), np.random.default_rng(0)) < 0).any()


def test_its_work_is_counted_and_its_time_taken():
    assert flops.flops(Stretch(3), (5, 3), (5, 3)) == (4 * 15, 4 * 15)
    with_it, dense = model(), 2 * 5 * 4 * 3
    counted = work(with_it, s.Adam(), examples(), 5)
    layers = (2 * dense + 5 * 3) + 8 * 15 + (3 * dense + 2 * 5 * 4)
    assert counted.gemm_flops == 5 * dense and counted.flops == layers + 5 * 3 + 12 * len(with_it.parameters)
    timed = by_layer(with_it, s.Adam(), examples(), "cpu", seconds=0.0)
    assert [layer["layer"] for layer in timed["layers"]][1] == "Stretch(3)"


def test_one_row_compares_it_with_peers(monkeypatch):
    with pytest.raises(s.ScratchaeError, match=r"no translation to PyTorch and JAX for encoder\.1, Stretch\(3\)"):
        peers.require_translatable(model())
    monkeypatch.setitem(TRANSLATIONS, Stretch, Translation(lambda nn, layer: None, lambda jax, layer: None))
    peers.require_translatable(model())
    assert "jax" in peers.peers_of(model()) and "torch-channels-last" not in peers.peers_of(model())
