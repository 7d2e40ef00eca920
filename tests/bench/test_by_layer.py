"""Time by layer, with a clock that ticks once each time it is read."""

import itertools

import numpy as np
import pytest

import scratchae as s
from scratchae.backend import move
from scratchae.bench import by_layer as module
from scratchae.bench.by_layer import by_layer, timed_layers
from scratchae.errors import ShapeError


@pytest.fixture
def ticking(monkeypatch):
    """Each reading of the clock is a millisecond later than the last; nothing is waited for."""
    monkeypatch.setattr(module, "synchronise", lambda device: None)
    monkeypatch.setattr(module.time, "perf_counter", itertools.count(0, 1e-3).__next__)


def model():
    return s.Autoencoder(s.Sequential(s.Dense(6, 4), s.ReLU()), s.Sequential(s.Dense(4, 6)), loss=s.MSE())


def test_the_parts_are_the_layers_the_rest_and_the_update(ticking, device):
    net = model().to(device)
    found = by_layer(net, s.Adam(), move(np.ones((3, 6), np.float32), device), device, seconds=0.0)
    assert [(each["name"], each["layer"]) for each in found["layers"]] == [
        ("encoder.0", "Dense(6, 4)"),
        ("encoder.1", "ReLU()"),
        ("decoder.0", "Dense(4, 6)"),
    ]
    # a tick for each call; Dense.backward calls its own backward_parameters, which is the same call
    assert [each["forward_ms"] for each in found["layers"]] == pytest.approx([1, 1, 1])
    assert [each["backward_ms"] for each in found["layers"]] == pytest.approx([1, 1, 1])
    # three layers have six readings, and one ends the part
    assert found["rest"] == pytest.approx({"forward_ms": 7 - 3, "backward_ms": 7 - 3})
    assert found["optimizer_ms"] == pytest.approx(1) and found["step_ms"] == pytest.approx(7 + 7 + 1)
    assert found["steps"] == module.LEAST_STEPS
    assert not any({"forward", "backward", "backward_parameters"} & vars(layer).keys() for _, layer in net.leaves())


def test_layers_are_themselves_again_after_an_error():
    layer = s.Dense(6, 4)
    with pytest.raises(ShapeError), timed_layers([layer], lambda: 0.0):
        layer.forward(np.ones((3, 5), np.float32))
    assert not {"forward", "backward", "backward_parameters"} & vars(layer).keys()


def test_a_step_that_is_no_run_through_layers_has_no_such_times():
    rbm = s.RBM(6, 4)
    assert by_layer(rbm, s.SGD(0.1), np.ones((3, 6), np.float32), "cpu", seconds=0.0) is None
