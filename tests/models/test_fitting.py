"""A decoder that does not come back to the size of the data is refused with the way out, and the way out works."""

import re

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import scratchae as s
from scratchae.errors import ShapeError


def images(h, w, c=1, n=4):
    return np.random.default_rng(0).random((n, h, w, c), dtype=np.float32)


def strided(first, second, c=1):
    rng = np.random.default_rng(1)
    down = s.Sequential(
        s.Conv2d(c, 2, 3, stride=2, padding=1, rng=rng), s.ReLU(), s.Conv2d(2, 3, 3, stride=2, padding=1, rng=rng)
    )
    up = {"stride": 2, "padding": 1, "rng": rng}
    last = s.ConvTranspose2d(2, c, 3, output_padding=second, **up)
    return s.Autoencoder(
        down, s.Sequential(s.ConvTranspose2d(3, 2, 3, output_padding=first, **up), s.ReLU(), last), loss=s.MSE()
    )


def said(model, x):
    with pytest.raises(ShapeError) as caught:
        model.check_data(x)
    return str(caught.value)


@pytest.mark.parametrize("size", [(7, 8), (9, 12), (13, 10), (6, 6)])
def test_the_output_paddings_that_are_named_fit(size):
    x = images(*size)
    model = strided(0, 0) if size != (9, 12) else strided(1, 0)
    message = said(model, x)
    found = re.findall(r"output_padding=\((\d), (\d)\) in decoder\.", message)
    assert len(found) == 2
    first, second = (tuple(map(int, each)) for each in found)
    assert strided(first, second).reconstruct(x).shape == x.shape
    assert model.decoder.layers[0].extra == ((0, 0) if size != (9, 12) else (1, 1))  # they were only tried


def pooled(ceil_mode, c=1):
    rng = np.random.default_rng(1)
    half = {"ceil_mode": ceil_mode}
    return s.Autoencoder(
        s.Sequential(s.Conv2d(c, 2, 3, padding=1, rng=rng), s.MaxPool2d(2, **half), s.MaxPool2d(2, **half)),
        s.Sequential(s.UpSample2d(2), s.Conv2d(2, c, 3, padding=1, rng=rng), s.UpSample2d(2)),
        loss=s.MSE(),
    )


def test_images_are_padded_where_the_network_rounds_up():
    x = images(7, 10)
    words = re.search(r"takes 8×12: (numpy\.pad\(.*\)) repeats", said(pooled(True), x))[1]
    padded = eval(words, {"numpy": np, "x": x})
    assert_array_equal(padded[:, :7, :10], x)
    pooled(True).check_data(padded)


def test_images_are_cut_where_the_network_rounds_down():
    x = images(7, 10)
    words = re.search(r"takes 4×8: (x\[.*\]) cuts", said(pooled(False), x))[1]
    pooled(False).check_data(eval(words, {"x": x}))


def test_the_layer_is_named_that_makes_too_few_channels_or_numbers():
    rng = np.random.default_rng(0)
    grey = s.Autoencoder(s.Conv2d(3, 2, 1, rng=rng), s.Conv2d(2, 1, 1, rng=rng), loss=s.MSE())
    assert "; let decoder Conv2d(2, 1, 1) make 3 channels instead of 1" in said(grey, images(3, 3, 3))
    rows = s.Autoencoder(s.Dense(4, 2, rng=rng), s.Sequential(s.Dense(2, 5, rng=rng), s.Sigmoid()), loss=s.MSE())
    assert "; let decoder.0 Dense(2, 5) make 4 numbers instead of 5" in said(rows, np.ones((3, 4), np.float32))
    learned = s.Autoencoder(s.Dense(4, 2, rng=rng), s.Dense(2, 6, rng=rng), loss=s.LearnedGaussian())
    assert "decoder Dense(2, 6) make 8 numbers instead of 6" in said(learned, np.ones((3, 4), np.float32))


def test_rows_are_not_images():
    rng = np.random.default_rng(0)
    flat = s.Autoencoder(s.Sequential(s.Flatten(), s.Dense(6, 2, rng=rng)), s.Dense(2, 6, rng=rng), loss=s.MSE())
    assert "; let the decoder end with Reshape((2, 3, 1))" in said(flat, images(2, 3))
    rows = s.Autoencoder(s.Sequential(s.Flatten(), s.Dense(6, 2, rng=rng)), s.Dense(2, 5, rng=rng), loss=s.MSE())
    assert said(rows, images(2, 3)).endswith("they must be equal")
