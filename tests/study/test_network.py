import numpy as np
import pytest

import scratchae as sae
from scratchae.study import trace
from scratchae.study.page.network import network


@pytest.fixture(scope="module")
def found():
    encoder, decoder = sae.Sequential(sae.Dense(3, 2), sae.Tanh()), sae.Sequential(sae.Dense(2, 3, rng=1))
    return trace(sae.Autoencoder(encoder, decoder, loss=sae.MSE()), np.ones((1, 3)), numerical=False)


def test_every_array_that_is_made_has_a_box_that_leads_to_its_step(found):
    boxes = {box["id"]: box for box in network(found)["boxes"]}
    for number, step in enumerate(found):
        assert boxes[step.result.key]["step"] == number
        assert boxes[step.result.key]["made"]


def test_a_box_says_the_shape_that_an_array_has(found):
    boxes = {box["id"]: box["spoken"] for box in network(found)["boxes"]}
    for parameter in found.parameters:
        assert boxes[parameter.key].endswith(", parameter, " + " × ".join(map(str, parameter.shape)))
        assert boxes[parameter.key + "'"].endswith(", updated, " + " × ".join(map(str, parameter.shape)))
    assert boxes["encoder.0.y"] == "a₁, activation, 2"  # of an example


def test_what_belongs_together_stands_in_one_column(found):
    boxes = {box["id"]: (box["lane"], box["column"]) for box in network(found)["boxes"]}
    assert boxes["x"] == ("value", 0)
    assert boxes["encoder.0.W"] == ("parameter", 1)
    assert boxes["encoder.0.y"] == ("value", 1)
    assert boxes["encoder.1.y"] == ("value", 2)
    assert boxes["encoder.1.dx"] == ("gradient", 1)  # ∂L/∂a₁, below a₁
    assert boxes["encoder.0.dW"] == ("slope", 1)
    assert boxes["encoder.0.W'"] == ("update", 1)
    assert boxes["dprediction"] == ("gradient", 3)


def test_edges_join_boxes(found):
    drawn = network(found)
    known = {box["id"] for box in drawn["boxes"]}
    assert ["encoder.0.y", "encoder.1.y"] in drawn["edges"]
    assert {end for edge in drawn["edges"] for end in edge} <= known


def test_a_models_own_quantities_and_noise_have_headings():
    rng = np.random.default_rng(0)
    found = trace(sae.RBM(6, 4, persistent=True, rng=rng), rng.random((3, 6)).round(), rng=rng, numerical=False)
    titles = [column["title"] for column in network(found)["columns"]]
    steps = ["hidden", "noise", "hidden, drawn"]
    assert titles == ["data", *steps, "logits", "loss", "visible", "noise", "visible, drawn", *steps]
