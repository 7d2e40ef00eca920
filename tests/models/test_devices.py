"""Models on either device: NumPy's generators draw for both, and data on the wrong one get a sentence."""

import numpy as np
import pytest

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, OptionError


def rng():
    return np.random.default_rng(3)


def vae(kind=s.VAE, inputs=4, code=2, **options):
    draw = np.random.default_rng(0)
    heads = s.Dense(3, 2, rng=draw), s.Dense(3, 2, rng=draw)
    return kind(s.Dense(inputs, 3, rng=draw), *heads, s.Dense(code, 4, rng=draw), loss=s.BCEWithLogits(), **options)


def rbm():
    return s.RBM(4, 3, rng=0)


def gaussian_rbm():
    return s.RBM(4, 3, visible_units="gaussian", rng=0)


def bits():
    return (np.random.default_rng(1).random((6, 4)) < 0.5).astype("f")


DRAWS = {
    "VAE.elbo": (vae, lambda m, x: m.elbo(x, rng())["negative_elbo"]),
    "VAE.log_likelihood": (vae, lambda m, x: m.log_likelihood(x, 5, rng())),
    "VAE.sample": (vae, lambda m, x: m.sample(3, rng())),
    "VAE.objective": (lambda: vae(binarise=True), lambda m, x: m.objective(x, rng())["loss"]),
    "VAE.judge": (vae, lambda m, x: m.judge(x, rng())["loss"]),
    "IWAE.objective": (lambda: vae(s.IWAE), lambda m, x: m.objective(x, rng())["loss"]),
    "CVAE.sample": (lambda: vae(s.CVAE, 6, 4, labels=2), lambda m, x: m.sample(3, rng())),
    "RBM.sample": (rbm, lambda m, x: m.sample(3, steps=4, rng=rng())),
    "RBM.ais": (rbm, lambda m, x: np.array(m.ais(5, 6, rng()))),
    "RBM.gibbs_vhv": (rbm, lambda m, x: m.gibbs_vhv(x, rng())[1]),
    "RBM.training_step": (rbm, lambda m, x: m.training_step(x, rng())["loss"]),
    "RBM.sample, Gaussian": (gaussian_rbm, lambda m, x: m.sample(3, steps=4, rng=rng())),
    "RBM.training_step, Gaussian": (gaussian_rbm, lambda m, x: m.training_step(x, rng())["loss"]),
    "UpDown.training_step": (lambda: s.UpDown((4, 3, 2), rng=0), lambda m, x: m.training_step(x, rng())["sleep"]),
    "DBN.bound": (lambda: s.DBN((4, 3, 2), rng=0), lambda m, x: m.bound(x, 1.0, rng())),
    "DBN.sample": (lambda: s.DBN((4, 3, 2), rng=0), lambda m, x: m.sample(3, steps=2, rng=rng())),
}


@pytest.mark.parametrize("name", DRAWS)
def test_numpys_generators_draw_the_same_on_either_device(name, device, to_device):
    make, use = DRAWS[name]
    expected = use(make(), bits())
    found = use(make().to(device), to_device(bits()))
    np.testing.assert_allclose(as_numbers(found), as_numbers(expected), rtol=1e-5, atol=1e-6)


def as_numbers(found):
    return to_numpy(found) if hasattr(found, "dtype") else np.asarray(found)


@pytest.mark.parametrize(
    "layer", [s.Dropout(0.5), s.MaskingNoise(0.5), s.SaltAndPepper(0.5), s.GaussianNoise(0.5)], ids=repr
)
def test_noise_layers_take_them_too(layer, device, to_device):
    expected = layer.forward(bits(), rng())
    np.testing.assert_allclose(to_numpy(layer.forward(to_device(bits()), rng())), expected, rtol=1e-6)
    with pytest.raises(
        OptionError, match=r"rng=0: a seed would draw the same noise in every step: make a generator once"
    ):
        layer.forward(to_device(bits()), 0)


ELSEWHERE = {
    "Autoencoder": (lambda: s.Autoencoder(s.Dense(4, 2, rng=0), s.Dense(2, 4, rng=1), loss=s.MSE()), "reconstruct"),
    "VAE": (vae, "encode"),
    "RBM": (rbm, "reconstruct"),
    "DBN": (lambda: s.DBN((4, 3, 2), rng=0), "encode"),
    "UpDown": (lambda: s.UpDown((4, 3, 2), rng=0), "encode"),
    "Conv2d": (lambda: s.Conv2d(1, 2, 2, rng=0), "forward"),
    "ConvTranspose2d": (lambda: s.ConvTranspose2d(1, 2, 2, rng=0), "forward"),
    "BatchNorm": (lambda: s.BatchNorm(4), "forward"),
}


@pytest.mark.parametrize("name", ELSEWHERE)
def test_data_on_another_device_than_the_model(name, stand_in):
    make, method = ELSEWHERE[name]
    x = np.ones((2, 3, 3, 1) if name.startswith("Conv") else (2, 4), "f")
    with pytest.raises(
        ArrayTypeError, match=r"x lies on the CPU and the model's parameters on the GPU: move the model"
    ):
        getattr(make().to("gpu"), method)(x)
    with pytest.raises(
        ArrayTypeError, match=r"x lies on the GPU and the model's parameters on the CPU: .*x\.get\(\)"
    ):
        getattr(make(), method)(stand_in.asarray(x))


def test_a_pca_of_data_on_another_device(stand_in):
    x = np.random.default_rng(0).random((6, 4))
    found = s.PCA(2).fit(x)
    with pytest.raises(ArrayTypeError, match="x lies on the GPU"):
        found.encode(stand_in.asarray(x))


def test_the_way_out_works(stand_in):
    model, x = rbm().to("gpu"), bits()
    found = model.propup(array_module(model.parameters).asarray(x))
    np.testing.assert_allclose(found.get(), rbm().propup(x), rtol=1e-6)
