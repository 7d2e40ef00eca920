"""`fit` on batches that come one after the other."""

import numpy as np
import pytest

from scratchae import MSE, Adam, Autoencoder, Dense, Sequential, fit
from scratchae.errors import ArrayTypeError, DataError, OptionError, ShapeError

x = np.random.default_rng(0).random((50, 6), dtype=np.float32)
PARTS = [x[i : i + 8] for i in range(0, 50, 8)]


def net():
    rng = np.random.default_rng(0)
    return Autoencoder(Sequential(Dense(6, 3, rng=rng)), Sequential(Dense(3, 6, rng=rng)), loss=MSE())


def trained(batches, **options):
    model = net()
    history = fit(model, batches, **{"epochs": 3, "optimizer": Adam(1e-2), "progress": False} | options)
    return model.parameters.copy(), history


class Reader:
    def __init__(self):
        self.begun = []

    def begin(self, seed, epoch):
        self.begun.append((seed, epoch))

    def __iter__(self):
        yield from PARTS


def test_each_epoch_goes_through_the_batches_in_their_order():
    expected, optimizer, rng = net(), Adam(1e-2), np.random.default_rng(0)
    for _ in range(3):
        for part in PARTS:
            expected.training_step(part, rng)
            optimizer.update(expected.parameters, expected.gradient)
    found, history = trained(PARTS, validation=x)
    np.testing.assert_array_equal(found, expected.parameters)
    assert len(history["validation_loss"]) == 3
    reader = Reader()
    np.testing.assert_array_equal(trained(reader, seed=4)[0], found)
    assert reader.begun == [(4, 0), (4, 1), (4, 2)]


def test_a_generator_serves_for_one_epoch():
    np.testing.assert_array_equal(trained(iter(PARTS), epochs=1)[0], trained(PARTS, epochs=1)[0])
    with pytest.raises(OptionError, match="can be gone through only once, and epochs=3"):
        trained(iter(PARTS))


def test_the_loss_is_the_mean_over_examples():
    model = net()
    (loss,) = fit(model, [x[:40], x[40:]], epochs=1, optimizer=Adam(0.0), progress=False)["loss"]
    assert loss == pytest.approx(float(model.objective(x)["loss"]), rel=1e-5)


@pytest.mark.parametrize(
    ("batches", "options", "error", "message"),
    [
        ([x, x * np.nan], {}, DataError, "batch 2 of x holds NaN"),
        ([x, x[:, :5]], {}, ShapeError, r"expects x of shape \(N, 6\)"),
        ([x, (x * 9).astype(int)], {}, ArrayTypeError, "batch 2 of x holds int64"),
        ([x], {"batch_size": 5}, OptionError, "makes the batches itself: leave batch_size out"),
        (iter([]), {"epochs": 1}, DataError, "without a batch"),
        (x, {}, OptionError, "batch_size=None"),
        ([[1.0, 2.0]], {"batch_size": 1}, ArrayTypeError, "x is a list: expected an array"),
    ],
)
def test_what_cannot_be_trained_on(batches, options, error, message):
    with pytest.raises(error, match=message):
        trained(batches, **options)
