"""repr says how to make the object again; arguments are what a checkpoint stores."""

import numpy as np
import pytest

import scratchae as s
from scratchae.description import Described

PUBLIC = {name: getattr(s, name) for name in s.__all__}  # which are imported when they are first used
DESCRIBED = [
    "Dense(3, 2)",
    "Dense(3, 2, init='he')",
    "Sigmoid()",
    "LeakyReLU()",
    "LeakyReLU(0.2)",
    "Dropout(0.5)",
    "GaussianNoise(0.5)",
    "GaussianNoise(0.5, (0, 1))",
    "Reshape(2, 3)",
    "Sequential()",
    "Sequential(Dense(3, 2), Sequential(ReLU()), Tanh())",
    "MSE()",
    "BCEWithLogits()",
    "L1(0.1)",
    "SparseKL(0.05, 2.0)",
    "SGD(0.1)",
    "SGD(0.1, 0.9, weight_decay=0.01)",
    "Adam()",
    "Adam(beta1=0.8)",  # not Adam(0.8): that would be the learning rate
    "Adam(0.1, beta2=0.9, clip_norm=1.0)",
    "Adam(Cosine(0.1, 100, 10), clip_norm=1.0)",
    "Step(0.1, 10)",
    "PCA(3)",
    "Autoencoder(Dense(3, 2), Dense(2, 3), loss=MSE())",
    "Autoencoder(Dense(3, 2), Dense(2, 3), loss=BCE(), penalty=L1(0.1), tied=True)",
]


@pytest.mark.parametrize("text", DESCRIBED)
def test_repr_is_the_call_that_makes_it(text):
    made = eval(text, PUBLIC)
    assert repr(made) == text
    assert repr(eval(repr(made), PUBLIC)) == text


def test_arguments_at_their_default_are_left_out():
    assert s.Adam().arguments() == {}
    assert s.Adam(0.1, eps=1e-6).arguments() == {"lr": 0.1, "eps": 1e-6}
    assert s.Dense(3, 2, init="glorot").arguments() == {"inputs": 3, "outputs": 2}


def test_rng_is_left_out_since_weights_are_stored():
    assert s.Dense(3, 2, rng=7).arguments() == {"inputs": 3, "outputs": 2}
    assert s.Dense(3, 2, rng=np.random.default_rng(0)).arguments() == {"inputs": 3, "outputs": 2}


def test_arguments_hold_the_objects_themselves():
    encoder, decoder, loss = s.Dense(3, 2), s.Dense(2, 3), s.MSE()
    arguments = s.Autoencoder(encoder, decoder, loss=loss).arguments()
    assert arguments == {"encoder": encoder, "decoder": decoder, "loss": loss}
    tanh = s.Tanh()
    assert s.Sequential(tanh).arguments() == {"layers": (tanh,)}
    assert s.Reshape(2, 3).arguments() == s.Reshape([2, 3]).arguments() == {"shape": (2, 3)}


@pytest.mark.parametrize(
    ("made", "text"),
    [
        (s.LeakyReLU(np.float64(0.2)), "LeakyReLU(0.2)"),
        (s.GaussianNoise(np.float64(0.5), clip=(np.int64(0), np.float64(1))), "GaussianNoise(0.5, (0, 1.0))"),
        (s.SparseKL(np.float64(0.1), np.float64(2)), "SparseKL(0.1, 2.0)"),
        (s.SGD(np.float64(0.1), np.float64(0.9)), "SGD(0.1, 0.9)"),
        (s.Adam(s.Step(np.float64(0.1), np.int64(10))), "Adam(Step(0.1, 10))"),
    ],
)
def test_numbers_of_numpy_become_python_s_own(made, text):
    assert repr(made) == text


@pytest.mark.parametrize(
    ("made", "arguments"),
    [
        (s.LeakyReLU(0.2), {"slope": 0.2}),
        (s.GaussianNoise(0.5, clip=[0, 1]), {"std": 0.5, "clip": (0, 1)}),
        (s.SGD(0.1, 0.9), {"lr": 0.1, "momentum": 0.9}),
    ],
)
def test_arguments_rebuild_the_object(made, arguments):
    assert made.arguments() == arguments
    assert repr(type(made)(**made.arguments())) == repr(made)


def test_a_class_of_one_s_own():
    class Thing(Described):
        def __init__(self, a, b=2, *rest, c=3, rng=None):
            self.a, self.b, self.rest, self.c = a, b, rest, c

    assert repr(Thing(1)) == "Thing(1)"
    assert repr(Thing(1, 5, 6, 7, c="x", rng=0)) == "Thing(1, 5, 6, 7, c='x')"
    assert Thing(1, c=4).arguments() == {"a": 1, "rest": (), "c": 4}
