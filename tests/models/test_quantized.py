"""The vector-quantised autoencoder: a gradient that is wrong on purpose, in which way, and what is exact."""

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.study.differences import EPS, compare


def make(decay=None, codes=5, commitment=0.25, dead=0.03, loss=None, kind=s.VQVAE):
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(6, 4, rng=rng), s.Tanh(), s.Dense(4, 4, rng=rng), s.Reshape((2, 2)))
    decoder = s.Sequential(s.Flatten(), s.Dense(4, 5, rng=rng), s.Tanh(), s.Dense(5, 6, rng=rng))
    book = s.Codebook(codes, 2, decay=decay, dead=dead, rng=rng)
    return kind(encoder, book, decoder, loss=loss or s.MSE(), commitment=commitment)


def data(n=8, seed=0):
    return np.random.default_rng(seed).random((n, 6)).astype(np.float32)


def differences_of_the_loss(model, x):
    """The error of each gradient against differences of the loss itself."""
    model = model.to(dtype=np.float64)
    x = x.astype(np.float64)
    model.hold()
    model.training_step(x)
    tensors = {name: getattr(layer, p) for name, layer, p in model.named_parameters()}
    gradients = {name: getattr(layer, "d" + p).copy() for name, layer, p in model.named_parameters()}
    report = compare("", tensors, gradients, lambda: model.objective(x)["loss"], EPS)
    return {check.name: check for check in report.checks}


def test_the_loss_by_hand():
    model, x = make(), data()
    z = model.encoder.forward(x)
    distance = ((z[:, :, None] - model.codebook.E) ** 2).sum(axis=-1)
    e = model.codebook.E[distance.argmin(axis=-1)]
    R = ((model.decoder.forward(e) - x) ** 2).sum() / len(x)
    found = model.objective(x)
    assert float(found["reconstruction"]) == pytest.approx(R, rel=1e-5)
    assert float(found["quantisation"]) == pytest.approx(distance.min(axis=-1).sum() / len(x), rel=1e-5)
    assert float(found["loss"]) == pytest.approx(R + 1.25 * float(found["quantisation"]), rel=1e-5)
    moving = make(decay=0.9)
    moving.codebook.E[...] = model.codebook.E
    found = moving.objective(x)
    assert float(found["loss"]) == pytest.approx(
        float(found["reconstruction"]) + 0.25 * float(found["quantisation"]), rel=1e-5
    )


@pytest.mark.parametrize("decay", [None, 0.9])
def test_what_check_says_of_a_gradient_that_is_wrong_on_purpose(decay):
    """It agrees with the loss in which sg(…) is held still; and the report says for which tensors that is not the loss."""
    report = s.check_gradients(make(decay), data(), seed=1)
    assert report.passed and report.worst < 1e-7
    (remark,) = report.findings
    assert (remark.kind, remark.fault) == ("straight_through", False)
    before = [check.name for check in report.checks if check.name.startswith(("encoder", "codebook"))]
    assert list(remark.tensors) == before and len(before) == 4 + (decay is None)
    assert "it is no slope of the loss, on purpose" in str(report)


def test_the_decoder_is_exact_and_the_encoder_is_not():
    for name, check in differences_of_the_loss(make(), data()).items():
        assert check.passed == name.startswith("decoder"), name


def test_the_reconstruction_alone_has_no_slope_by_the_encoder():
    """Without commitment the loss does not move with the encoder, but for |z - e|²; and the gradient does."""
    checks = differences_of_the_loss(make(decay=0.9, commitment=0.0), data())
    for name in ("encoder.0.W", "encoder.2.b"):
        assert_allclose(checks[name].numeric, 0, atol=1e-8)
        assert np.abs(checks[name].analytic).max() > 1e-3


class NoCommitment(s.VQVAE):
    def backward(self):
        scale = 2 / len(self.z)
        dq = self.decoder.backward(self.dprediction)
        self.codebook.backward_parameters(scale * self.offset)
        self.encoder.backward_first(dq)


class WrongDecoder(s.VQVAE):
    def backward(self):
        super().backward()
        self.decoder.layers[1].dW *= 2


@pytest.mark.parametrize(("kind", "wrong"), [(NoCommitment, "encoder.0.W"), (WrongDecoder, "decoder.1.W")])
def test_another_wrong_gradient_is_still_found(kind, wrong):
    report = s.check_gradients(make(kind=kind), data())
    assert not report.passed
    assert wrong in [check.name for check in report.checks if not check.passed]
    assert all(wrong not in found.tensors for found in report.findings if not found.fault)


def test_straight_through_is_the_gradient_at_e_taken_to_z():
    model, x = make(commitment=0.0), data()
    model.training_step(x)
    dq = model.decoder.backward(model.dprediction)
    model.encoder.forward(x)
    model.encoder.backward_first(dq)
    expected = model.encoder.layers[0].dW.copy()
    model.training_step(x)
    assert_array_equal(model.encoder.layers[0].dW, expected)


@pytest.mark.parametrize("decay", [None, 0.9])
def test_it_learns_and_uses_its_codes(decay, device):
    rng = np.random.default_rng(1)
    centres = 3 * rng.standard_normal((8, 6))
    x = (centres[rng.integers(0, 8, 1000)] + 0.05 * rng.standard_normal((1000, 6))).astype(np.float32)
    model = make(decay, codes=16)
    history = s.fit(model, x, epochs=30, batch_size=50, optimizer=s.Adam(0.02), device=device, progress=False)
    assert history["reconstruction"][-1] < 0.1 * history["reconstruction"][0]
    assert history["perplexity"][-1] > 4
    assert sum(history["revived"]) > 0  # those that began far from all codes
    found = s.evaluate(model, x)
    assert set(found) == {"loss", "reconstruction", "quantisation", "perplexity"}


@pytest.mark.parametrize("decay", [None, 0.9])
def test_measuring_moves_nothing(decay):
    model, x = make(decay, dead=0.9), data(40)
    s.fit(model, x, epochs=1, batch_size=10, optimizer=s.Adam(0.01), progress=False)
    before = {name: tensor.copy() for name, tensor in model.tensors().items()}
    s.evaluate(model, x)
    model.judge(x, np.random.default_rng(0))
    with s.watch(model):
        model.objective(x)
    s.trace(model, x[:2], rng=0)
    s.check_gradients(model, x[:2])
    for name, tensor in model.tensors().items():
        assert_array_equal(tensor, before[name])


@pytest.mark.parametrize("decay", [None, 0.9])
def test_saved_and_loaded(tmp_path, decay):
    model, x = make(decay), data(40)
    s.fit(model, x, epochs=2, batch_size=10, optimizer=s.Adam(0.01), progress=False)
    s.save(model, tmp_path / "model.safetensors")
    again = s.load(tmp_path / "model.safetensors")
    assert_array_equal(again.reconstruct(x), model.reconstruct(x))
    assert_array_equal(again.codebook.share, model.codebook.share)
    assert repr(again) == repr(model)


def test_training_goes_on_as_if_it_had_never_stopped(tmp_path):
    x, found = data(40), []
    for epochs in ([4], [2, 4]):
        model, path = make(0.9, dead=0.5), tmp_path / f"{len(epochs)}.safetensors"
        for until in epochs:
            options = {"epochs": until, "batch_size": 10, "optimizer": s.Adam(0.01), "progress": False}
            s.fit(model, x, checkpoint=path, resume=until != epochs[0], **options)
        found.append(model.tensors())
    for name, tensor in found[0].items():
        assert_array_equal(tensor, found[1][name])


def test_codes_and_their_vectors(device, to_device):
    model, x = make().to(device), to_device(data())
    codes = model.codes(x)
    assert codes.shape == (8, 2) and codes.dtype.kind == "i"
    assert_array_equal(to_numpy(model.codebook.vectors(codes)), to_numpy(model.encode(x)))
    assert_array_equal(to_numpy(model.decode(model.encode(x))), to_numpy(model.reconstruct(x)))
    assert model.bits(x) == pytest.approx(2 * np.log2(5))


def test_the_vectors_of_codes_that_are_none(device):
    model = make().to(device)
    assert model.codebook.vectors([[0, 4]]).shape == (1, 2, 2)
    for wrong in ([[5]], [[-1]], [[0.5]]):
        with pytest.raises(DataError, match=r"Codebook\(5, 2.*vectors expects codes, whole numbers from 0 to 4, got"):
            model.codebook.vectors(np.array(wrong))


def test_a_vector_for_each_pixel_of_a_small_image():
    rng = np.random.default_rng(0)
    model = s.VQVAE(
        s.Conv2d(1, 3, 2, stride=2, rng=rng), s.Codebook(4, 3, rng=rng), s.ConvTranspose2d(3, 1, 2, stride=2, rng=rng),
        loss=s.MSE(),
    )  # fmt: skip
    x = rng.random((5, 4, 4, 1)).astype(np.float32)
    assert model.codes(x).shape == (5, 2, 2)
    assert model.reconstruct(x).shape == x.shape


def test_a_codebook_larger_than_the_data():
    with pytest.raises(DataError, match=r"the codebook holds 50 vectors and the data only 40 \(20 examples of 2\)"):
        s.fit(make(codes=50), data(20), epochs=1, batch_size=10, optimizer=s.Adam(), progress=False)
    few = {"epochs": 1, "batch_size": 10, "optimizer": s.Adam(), "progress": False}
    s.fit(make(codes=40), data(20), validation=data(2), **few)  # of validation data a few are enough


def test_what_cannot_be_is_refused():
    with pytest.raises(OptionError, match=r"VQVAE\(codebook=Dense\(4, 4\)\): expected a Codebook"):
        s.VQVAE(s.Dense(6, 4), s.Dense(4, 4), s.Dense(4, 6), loss=s.MSE())
    with pytest.raises(OptionError, match="0 <= commitment"):
        make(commitment=-1)
    few = {"epochs": 1, "batch_size": 10, "optimizer": s.Adam(), "progress": False}
    with pytest.raises(ShapeError, match=r"codebook Codebook\(3, 5\) expects x of shape \(N, …, 5\), got \(8, 4\)"):
        s.fit(s.VQVAE(s.Dense(6, 4), s.Codebook(3, 5), s.Dense(5, 6), loss=s.MSE()), data(), **few)
    with pytest.raises(ShapeError, match=r"the decoder makes examples of shape \(7,\), x has \(6,\)"):
        s.fit(s.VQVAE(s.Dense(6, 4), s.Codebook(3, 4), s.Dense(4, 7), loss=s.MSE()), data(), **few)


def test_no_examples_are_refused_before_anything_is_kept():
    model = make()
    with pytest.raises(DataError, match="holds no examples"):
        model.objective(data(0))
    with pytest.raises(OptionError, match="comes first"):
        model.backward()
