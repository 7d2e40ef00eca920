"""A β that grows, and free bits."""

import numpy as np
import pytest

from scratchae import MSE, VAE, Adam, Dense, Sequential, Tanh, Warmup, evaluate, fit, load, save
from scratchae.errors import OptionError
from scratchae.models import parallel

x = np.random.default_rng(0).normal(size=(32, 6)).astype(np.float32)


def vae(**options):
    rng = np.random.default_rng(0)
    heads = Dense(5, 3, rng=rng), Dense(5, 3, rng=rng)
    return VAE(
        Sequential(Dense(6, 5, rng=rng), Tanh()), *heads, Sequential(Dense(3, 6, rng=rng)), loss=MSE(), **options
    )


def steps(model, count, rng=None):
    rng = rng or np.random.default_rng(1)
    return [model.training_step(x, rng) for _ in range(count)]


def weights(metrics):
    return [float((m["loss"] - m["reconstruction"]) / m["kl"]) for m in metrics]


def test_beta_rises_step_by_step():
    model = vae(beta=Warmup(4, 2.0))
    assert weights(steps(model, 6)) == pytest.approx([0.5, 1.0, 1.5, 2.0, 2.0, 2.0], rel=1e-4)


def test_the_gradient_is_that_of_the_beta_at_hand():
    grown, fixed = vae(beta=Warmup(4)), vae(beta=0.25)
    steps(grown, 1)
    steps(fixed, 1)
    np.testing.assert_allclose(grown.gradient, fixed.gradient, rtol=1e-5)


def test_validation_counts_all_of_it():
    model = vae(beta=Warmup(1000, 3.0))
    assert evaluate(model, x) == evaluate(vae(beta=3.0), x)
    steps(model, 1)
    assert evaluate(model, x) == evaluate(vae(beta=3.0), x)


def test_all_parts_of_a_batch_have_the_same_beta(monkeypatch):
    whole = vae(beta=Warmup(4))
    expected = weights(steps(whole, 3))
    monkeypatch.setattr(parallel, "LEAST", 100)
    split = vae(beta=Warmup(4))
    assert weights(steps(split, 3)) == pytest.approx(expected, rel=1e-4)
    assert float(split.warmup.t) == 3


def test_it_goes_on_where_training_stopped(tmp_path):
    def trained(name, *parts):
        for epochs in parts:
            model = vae(beta=Warmup(10))
            kept = {"checkpoint": tmp_path / name, "resume": True}
            fit(model, x, epochs=epochs, batch_size=8, optimizer=Adam(1e-2), progress=False, **kept)
        return model

    straight, stopped = trained("a", 4), trained("b", 2, 4)
    np.testing.assert_array_equal(straight.parameters, stopped.parameters)
    assert float(stopped.warmup.t) == 16
    save(stopped, tmp_path / "m")
    assert repr(load(tmp_path / "m").beta) == "Warmup(10)"
    assert float(load(tmp_path / "m").warmup.t) == 16


def test_a_recorded_step_sees_it_grow():
    """It counts in an array on the device, which is changed in place and never replaced."""
    model = vae(beta=Warmup(4)).to("cpu")
    kept = model.warmup.t
    steps(model, 3)
    assert model.warmup.t is kept and float(kept) == 3


def test_free_bits():
    free = vae(free_bits=0.5)
    metrics = free.objective(x)
    mean, log_var = free.infer_all(x)
    each = (mean**2 + np.exp(log_var) - log_var - 1) / 2
    assert float(metrics["kl"]) == pytest.approx(each.sum(axis=1).mean(), rel=1e-4)
    charged = np.maximum(each, 0.5).sum(axis=1).mean()
    assert float(metrics["loss"] - metrics["reconstruction"]) == pytest.approx(charged, rel=1e-4)


def test_what_is_refused():
    with pytest.raises(OptionError, match="Warmup"):
        vae(beta=-1)
    with pytest.raises(OptionError, match="steps=0"):
        Warmup(0)
    with pytest.raises(OptionError, match="free_bits"):
        vae(free_bits=-0.1)


def test_it_grows_on_each_device(device):
    model = vae(beta=Warmup(10))
    recipe = {"epochs": 3, "batch_size": 8, "progress": False}
    fit(model, x, optimizer=Adam(1e-2), device=device, **recipe)
    assert float(model.to("cpu").warmup.t) == 12
    other = vae(beta=Warmup(10))
    first = fit(other, x, optimizer=Adam(1e-2), **recipe)
    assert len(first["kl"]) == 3
