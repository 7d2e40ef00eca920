"""Looking on while layers run: blocks nest, copies are left alone, and nothing stays behind."""

import copy

import numpy as np
import pytest

import scratchae as s
from scratchae.layers.observing import in_inference, watched, wrapped

X = np.ones((4, 3), np.float32)


def network():
    rng = np.random.default_rng(0)
    return s.Autoencoder(s.Sequential(s.Dense(3, 2, rng=rng), s.ReLU()), s.Dense(2, 3, rng=rng), loss=s.MSE())


def layers(model):
    return [layer for _, layer in model.leaves()]


def test_blocks_nest():
    model, outer, inner = network(), [], []
    with watched(layers(model), lambda layer, x, y: outer.append(layer)):
        with watched(layers(model), lambda layer, x, y: inner.append(layer)):
            model.objective(X)
        model.objective(X)
    model.objective(X)
    assert inner == layers(model) and outer == 2 * layers(model)


def test_looking_on_while_a_step_looks_on_itself(monkeypatch):
    """`training_step` runs the layers once on one example, to see how large they are: that is noted, and so are the steps."""
    monkeypatch.setattr("scratchae.models.parallel.LEAST", 1)
    model, seen = network(), []
    with watched(layers(model), lambda layer, x, y: seen.append(len(x))):
        model.training_step(X)
        model.training_step(X)
        before = len(seen)
        model.objective(X)
    assert len(seen) == before + 3


def test_watch_inside_watch():
    model = network()
    with s.watch(model, every=1) as outer:
        with s.watch(model, every=1) as inner:
            model.training_step(X)
        model.training_step(X)
    assert (outer.steps_seen, inner.steps_seen) == (2, 1)
    assert "training_step" not in vars(model)


def test_a_copy_has_its_own_methods():
    model, seen = network(), []
    with watched(layers(model), lambda layer, x, y: seen.append(layer)):
        twin = copy.deepcopy(model)
        twin.objective(X)
        assert seen == []
        model.objective(X)
    assert seen == layers(model)


def test_nothing_stays_behind_an_error():
    model = network()
    with pytest.raises(ZeroDivisionError), watched(layers(model), lambda layer, x, y: 1 / 0):
        model.objective(X)
    assert all("forward" not in vars(layer) for layer in layers(model))


def test_an_attribute_of_the_instance_is_there_again():
    layer = s.ReLU()
    layer.forward = own = lambda x, rng=None: x
    with wrapped([layer], forward=lambda layer, forward: lambda x, rng=None: forward(x) + 1):
        assert (layer.forward(X) == 2).all()
    assert layer.forward is own


def test_in_inference_layers_get_no_generator():
    layer = s.Dropout(0.5)
    with in_inference([layer]):
        assert (layer.forward(X, np.random.default_rng(0)) == X).all()
    assert (layer.forward(X, np.random.default_rng(0)) != X).any()
