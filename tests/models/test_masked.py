"""The masked autoencoder: what is hidden, that only this counts, and what cannot be hidden."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.models import parallel

LOSSES = {
    "mse": (s.MSE(), lambda a, t: (a - t) ** 2),
    "bce": (s.BCE(), lambda a, t: -t * np.log(a) - (1 - t) * np.log(1 - a)),
    "logits": (s.BCEWithLogits(), lambda a, t: np.logaddexp(0, a) - t * a),
}


def huber(prediction, target):
    r = prediction - target
    value = np.where(abs(r) < 1, r * r / 2, abs(r) - 0.5).sum() / len(r)
    return value, np.clip(r, -1, 1) / len(r)


def rows(patch=2, rate=0.5, loss=None, last=None):
    rng = np.random.default_rng(0)
    decoder = s.Sequential(s.Dense(4, 12, rng=rng), last or s.Identity())
    encoder = s.Sequential(s.Dense(12, 4, rng=rng), s.Tanh())
    return s.MaskedAutoencoder(encoder, decoder, loss=loss or s.MSE(), patch=patch, rate=rate)


def images(patch=2, rate=0.75, channels=2, shape=(4, 6)):
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Conv2d(channels, 3, 3, padding=1, rng=rng), s.Tanh())
    decoder = s.ConvTranspose2d(3, channels, 3, padding=1, rng=rng)
    return s.MaskedAutoencoder(encoder, decoder, loss=s.MSE(), patch=patch, rate=rate)


def pixels(*shape):
    return np.random.default_rng(1).random(shape).astype(np.float32)


def rng(model):
    return s.array_module(model.parameters).random.default_rng(3)


@given(
    n=st.integers(1, 5),
    h=st.integers(1, 4),
    w=st.integers(2, 4),
    size=st.sampled_from([1, 2, (2, 3)]),
    seed=st.integers(0, 99),
)
def test_so_many_whole_patches_are_hidden(n, h, w, size, seed):
    p, q = size if isinstance(size, tuple) else (size, size)
    model = images(size, rate=0.5)
    hidden = model.hide(pixels(n, h * p, w * q, 2), np.random.default_rng(seed))
    assert hidden.shape == (n, h * p, w * q, 1)
    patches = hidden.reshape(n, h, p, w, q)
    assert_array_equal(patches, np.broadcast_to(patches[:, :, :1, :, :1], patches.shape))
    assert (patches[:, :, 0, :, 0].sum(axis=(1, 2)) == round(h * w / 2)).all()


def test_each_patch_is_hidden_as_often(device, to_device):
    model = rows(patch=3, rate=0.5).to(device)
    hidden = to_numpy(model.hide(to_device(pixels(4000, 12)), rng(model)))
    assert (hidden.sum(axis=1) == 6).all()
    assert_allclose(hidden.mean(axis=0), 0.5, atol=0.03)
    assert len(np.unique(hidden, axis=0)) == 6


@pytest.mark.parametrize("name", LOSSES)
def test_the_loss_is_that_of_the_hidden_numbers(name, device, to_device):
    loss, each = LOSSES[name]
    model = rows(loss=loss, last=s.Sigmoid() if name == "bce" else None).to(device, np.float64)
    x = pixels(7, 12).astype(np.float64)
    found = float(model.objective(to_device(x), rng(model))["loss"])
    hidden = to_numpy(model.hidden)
    prediction = to_numpy(model.decoder.forward(model.encoder.forward(to_device(x * (1 - hidden)))))
    assert found == pytest.approx((each(prediction, x) * hidden).sum() / 7)


@pytest.mark.parametrize("loss", [s.MSE(), s.BCEWithLogits(), huber], ids=["mse", "logits", "own"])
def test_gradients_are_exact(loss):
    report = s.check_gradients(rows(loss=loss), pixels(4, 12))
    assert report.passed and report.worst < 1e-7 and not report.findings
    assert s.check_gradients(rows(loss=loss), pixels(4, 12), noise=False).passed


def test_what_is_seen_has_no_gradient():
    model, x = rows(), pixels(5, 12)
    model.training_step(x, np.random.default_rng(0))
    assert ((model.dprediction != 0) == (model.hidden == 1)).all()


def test_all_channels_of_a_patch_are_hidden_and_the_input_is_0_there():
    model, x = images(), pixels(3, 4, 6, 2) + 1
    given = []
    before = model.encoder.forward
    model.encoder.forward = lambda x, rng=None: given.append(x) or before(x, rng)
    model.objective(x, np.random.default_rng(0))
    assert_array_equal(given[0] == 0, np.broadcast_to(model.hidden == 1, x.shape))
    assert_array_equal(given[0][given[0] != 0], x[given[0] != 0])


def test_without_an_rng_nothing_is_hidden():
    model, x = rows(), pixels(5, 12)
    plain = s.Autoencoder(model.encoder, model.decoder, loss=s.MSE())
    assert float(model.objective(x)["loss"]) == float(plain.objective(x)["loss"])


def test_validation_hides_the_same_each_time_and_training_anew():
    model, x = rows(), pixels(50, 12)
    assert s.evaluate(model, x) == s.evaluate(model, x) != {"loss": float(model.objective(x)["loss"])}
    model.judge(x, np.random.default_rng(0))
    assert model.hidden.mean() == 0.5


@pytest.mark.parametrize("make", [rows, images])
def test_it_learns_to_fill_in(make, device):
    """What is hidden can be told from what is seen: all numbers of an example are alike."""
    shape = (12,) if make is rows else (4, 6, 2)
    x = np.broadcast_to(pixels(400, *[1] * len(shape)), (400, *shape)).copy()
    model = make(rate=0.5)
    history = s.fit(model, x, epochs=30, batch_size=50, optimizer=s.Adam(0.01), device=device, progress=False)
    assert history["loss"][-1] < 0.3 * history["loss"][0]


def test_a_large_batch_is_shared_among_the_cores(monkeypatch):
    """Each part hides as many patches of each example, so that the parts' losses add up as anywhere."""
    monkeypatch.setattr(parallel, "LEAST", 1)
    model, x = rows(loss=s.BCEWithLogits()), pixels(64, 12)
    model.decoder.layers[0].W[...] = 0  # then each hidden pixel costs log 2
    model.training_step(x, np.random.default_rng(0))
    assert len(model.team.members) >= 1 and model.hidden.shape[0] < 64
    found = float(model.training_step(x, np.random.default_rng(0))["loss"])
    assert found == pytest.approx(6 * np.log(2), rel=1e-5)


def test_filling_in_leaves_what_is_seen():
    model, x = rows(), pixels(5, 12)
    hidden = model.hide(x, np.random.default_rng(0))
    made = model.fill_in(x, hidden)
    assert_array_equal(made[hidden == 0], x[hidden == 0])
    assert_array_equal(made[hidden == 1], model.reconstruct(x * (1 - hidden))[hidden == 1])


def test_a_mask_that_hides_everything_or_holds_other_numbers_is_refused():
    model, x = rows(), pixels(5, 12)
    hidden = model.hide(x, 0)
    assert_array_equal(hidden, model.hide(x, np.random.default_rng(0)))
    all_of_one = hidden.copy()
    all_of_one[2] = 1
    with pytest.raises(DataError, match="hides everything of an example"):
        model.fill_in(x, all_of_one)
    for wrong in (255 * hidden, 0.5 * hidden, hidden * np.float32("nan")):
        with pytest.raises(DataError, match=r"other numbers than 0 \(seen\) and 1 \(hidden\)"):
            model.fill_in(x, wrong)
    with pytest.raises(OptionError, match="a seed would draw the same noise in every step"):
        model.objective(x, 0)


def test_saved_and_loaded(tmp_path):
    model = images((2, 3), rate=0.4)
    s.save(model, tmp_path / "model.safetensors")
    again = s.load(tmp_path / "model.safetensors")
    assert repr(again) == repr(model) and (again.patch, again.rate) == ((2, 3), 0.4)


FEW = {"epochs": 1, "batch_size": 10, "optimizer": s.Adam(), "progress": False}


@pytest.mark.parametrize(
    ("model", "shape", "error", "words"),
    [
        (lambda: rows(3, 0.05), (12,), OptionError, r"rate=0.05\) hides none of the 4 patches .* nothing to be judged by"),
        (lambda: rows(3, 0.95), (12,), OptionError, r"rate=0.95\) hides all of the 4 patches .* hides 1 to 3 of them, 0.25 for"),
        (lambda: rows(12), (12,), OptionError, "of the 1 patches .* expected smaller patches"),
        (lambda: rows(5), (12,), ShapeError, "do not fill a row of 12: expected one that divides it, such as 1, 2, 3, 4, 6"),
        (lambda: rows((2, 2)), (12,), ShapeError, r"patch=\(2, 2\)\) expects images \(N, H, W, C\), got shape \(1, 12\)"),
        (lambda: images(5), (4, 6, 2), ShapeError, "do not fill an image of 4 × 6: expected one that divides it, such as 1, 2"),
    ],
)  # fmt: skip
def test_what_cannot_be_hidden(model, shape, error, words):
    with pytest.raises(error, match=words):
        s.fit(model(), pixels(20, *shape), **FEW)


@pytest.mark.parametrize("rate", [0, 1, 1.5, -1, "half"])
def test_a_rate_of_nothing_or_everything(rate):
    with pytest.raises(OptionError, match="with 0 nothing is hidden, with 1 everything"):
        rows(rate=rate)


def test_a_patch_is_a_whole_number():
    with pytest.raises(OptionError, match="patch=0"):
        rows(patch=0)


@pytest.mark.parametrize("shape", [iter([4]), None, [3, 8], 8])
def test_a_grid_is_that_of_a_shape(shape):
    model = s.MaskedAutoencoder(s.Dense(8, 8), s.Dense(8, 8), patch=4, loss=s.MSE())
    with pytest.raises(
        ShapeError, match=r"MaskedAutoencoder\.grid\(shape=.*expected the shape of an array, such as x\.shape"
    ):
        model.grid(shape)
