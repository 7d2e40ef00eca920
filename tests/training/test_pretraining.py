"""Greedy pretraining of any stack of Dense layers; that of a DBN is tested beside it."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import scratchae as s
from scratchae.errors import OptionError
from scratchae.training.pretraining import blocks


def data(n=60, seed=0):
    rng = np.random.default_rng(seed)
    return (1 / (1 + np.exp(-rng.standard_normal((n, 3)) @ rng.standard_normal((3, 8))))).astype(np.float32)


def deep(rng=0, decoder=True):
    rng = np.random.default_rng(rng)
    up = s.Sequential(s.GaussianNoise(0.1), s.Dense(8, 6, rng=rng), s.ReLU(), s.Dense(6, 3, rng=rng))
    down = s.Sequential(s.Dense(3, 6, rng=rng), s.ReLU(), s.Dense(6, 8, rng=rng), s.Sigmoid())
    return s.Autoencoder(up, down, loss=s.BCE()) if decoder else up


RECIPE = {"epochs": 20, "batch_size": 10, "seed": 4, "progress": False}


def test_an_autoencoder_layer_by_layer_is_as_by_hand():
    """Each Dense layer of the encoder with the decoder's of the same sizes; above the data by the squared error."""
    model, by_hand = deep(), deep()
    histories = s.pretrain(model, data(), **RECIPE)
    assert [len(history) for history in histories] == [20, 20]
    assert all(history["loss"][-1] < history["loss"][0] for history in histories)

    up, down = by_hand.encoder.layers, by_hand.decoder.layers
    first = s.Autoencoder(s.Sequential(*up[:3]), s.Sequential(*down[2:]), loss=s.BCE())
    s.fit(first, data(), optimizer=s.Adam(), **RECIPE)
    second = s.Autoencoder(s.Sequential(up[3]), s.Sequential(*down[:2]), loss=s.MSE())
    s.fit(second, first.encode(data()), optimizer=s.Adam(), **RECIPE | {"seed": 5})
    by_hand.gather()
    assert_array_equal(model.parameters, by_hand.parameters)
    assert np.shares_memory(model.encoder.layers[1].W, model.parameters)  # `fit` of the whole goes on with them
    s.fit(model, data(), optimizer=s.Adam(), **RECIPE)


def test_a_stack_without_a_decoder_gets_one_for_a_while():
    stack = deep(decoder=False)
    before = [stack.layers[i].W.copy() for i in (1, 3)]
    histories = s.pretrain(stack, data(), **RECIPE)
    assert all(history["loss"][-1] < history["loss"][0] for history in histories)
    assert all((was != stack.layers[i].W).any() for i, was in zip((1, 3), before, strict=True))
    assert stack.forward(data()).shape == (60, 3)


def test_a_decoder_of_other_sizes_is_left_as_it_is():
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(8, 6, rng=rng), s.Tanh(), s.Dense(6, 3, rng=rng))
    model = s.Autoencoder(encoder, s.Dense(3, 8, rng=rng), loss=s.MSE())
    before = model.decoder.W.copy()
    assert len(s.pretrain(model, data(), **RECIPE)) == 2
    assert_array_equal(model.decoder.W, before)


def test_what_it_tells_and_takes(capsys, device):
    asked = []

    def optimizer(small):
        asked.append(small.parameter_count())
        return s.SGD(0.1)

    s.pretrain(deep(), data(), epochs=1, optimizer=optimizer, device=device)
    assert asked == [8 * 6 + 6 + 6 * 8 + 8, 6 * 3 + 3 + 3 * 6 + 6]
    lines = capsys.readouterr().out.splitlines()
    assert lines[0] == "layer 1 of 2: 8-6-8" and "layer 2 of 2: 6-3-6" in lines


@pytest.mark.parametrize(
    "model",
    [
        s.Sequential(s.Conv2d(1, 2, 3, rng=0), s.Flatten(), s.Dense(8, 2, rng=0)),
        s.Sequential(s.ReLU()),
        s.Autoencoder(s.Dense(8, 3, rng=0), s.Dense(3, 8, rng=1), loss=s.MSE(), tied=True),
        s.RBM(8, 3, rng=0),
    ],
)
def test_what_is_no_stack_of_dense_layers_is_refused(model):
    with pytest.raises(
        OptionError, match=r"pretrain\(model=.*expected a DBN, or an Autoencoder or a Sequential of Dense"
    ):
        s.pretrain(model, data())


def test_blocks_begin_with_what_stands_before_the_first_dense_layer():
    assert [[type(layer).__name__ for layer in block.layers] for block in blocks(deep().encoder)] == [
        ["GaussianNoise", "Dense", "ReLU"],
        ["Dense"],
    ]
