"""What every layer checks when it is called, and no layer has to say."""

import copy

import numpy as np
import pytest

import scratchae as s
from scratchae.errors import ArrayTypeError, DataError, MissingError, OptionError, ShapeError
from scratchae.study import CATALOGUE

LAYERS = {name: row for name, row in CATALOGUE.items() if isinstance(row.make(4), s.Layer)}
every_layer = pytest.mark.parametrize("name", LAYERS)


def made(name):
    """A layer, and x for it."""
    row = LAYERS[name]
    return row.make(4), row.inputs(np.random.default_rng(0), 3, 4)[0].astype(np.float32)


@every_layer
@pytest.mark.parametrize("method", ["backward", "backward_parameters", "backward_first"])
def test_forward_comes_first(name, method):
    layer, x = made(name)
    if name == "Sequential" and method != "backward":  # it begins with the last of its layers
        layer = layer.layers[-1]
    with pytest.raises(OptionError, match=r"has nothing to go back through: call forward\(x\) before backward\(dy\)"):
        getattr(layer, method)(x)
    with pytest.raises((ArrayTypeError, ShapeError)):
        layer.forward(x.astype(int))
    with pytest.raises(OptionError, match="has nothing to go back through"):  # nor through what was refused
        getattr(layer, method)(x)


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_dy_has_the_shape_of_the_last_y(name, training):
    """One example less or more would be broadcast, or added up wrongly, without a word."""
    layer, x = made(name)
    y = layer.forward(x, np.random.default_rng(0) if training else None)
    for wrong in (y[:1], y[:0], np.concatenate([y, y]), y[None], y.reshape(-1)[:1]):
        if wrong.shape != y.shape:
            with pytest.raises(ShapeError, match=r"expects dy of the shape of its last y, "):
                layer.backward(wrong)
    assert layer.backward(np.ones_like(y)).shape == x.shape


@every_layer
def test_dy_holds_floats(name):
    layer, x = made(name)
    y = layer.forward(x)
    wrong = (
        np.ones(y.shape, int),
        np.ones(y.shape, bool),
        np.ma.masked_array(y),
        y.tolist(),
        1j * y,
        "dy",
        y.astype(object),
    )
    for dy in wrong:
        with pytest.raises(ArrayTypeError, match=r"^dy (holds|is a) .*expected (an array of )?floats"):
            layer.backward(dy)


@every_layer
def test_a_layer_of_the_gpu_and_an_array_of_the_host(name, stand_in):
    layer, x = made(name)
    if not layer.parameter_names:
        pytest.skip("without parameters it lies nowhere")
    layer.to("gpu")
    with pytest.raises(ArrayTypeError, match="x lies on the CPU and the model's parameters on the GPU"):
        layer.forward(x)
    y = layer.forward(stand_in.asarray(x))
    with pytest.raises(ArrayTypeError, match="dy lies on the CPU"):
        layer.backward(np.ones(y.shape, np.float32))


def test_a_subclass_of_somebodys_own_may_replace_one_of_the_two():
    class Shifted(s.Dense):
        def forward(self, x, rng=None):
            self.x = x
            return x @ self.W + self.b + 1

    class Widened(s.Dense):
        def forward(self, x, rng=None):
            return np.concatenate([super().forward(x, rng)] * 2, axis=1)

        def backward(self, dy):
            return super().backward(dy[:, :2] + dy[:, 2:])

    x = np.random.default_rng(0).random((3, 4))
    for kind in (Shifted, Widened):
        assert s.check_gradients(kind(4, 2, rng=0), x).passed


def test_a_model_says_that_its_objective_comes_first():
    for name in ("Autoencoder", "ContractiveAutoencoder", "VAE", "IWAE", "CVAE", "Classifier"):
        model = CATALOGUE[name].make(4)
        with pytest.raises(OptionError, match="or a model's objective\\(x\\) before its backward"):
            model.backward()


@pytest.mark.parametrize("name", ["VAE", "IWAE", "CVAE"])
def test_an_objective_is_gone_when_another_x_has_been_encoded(name):
    """Otherwise backward would mix the two."""
    model, (x,) = CATALOGUE[name].make(4), CATALOGUE[name].inputs(np.random.default_rng(0), 6, 4)
    model.objective(x, np.random.default_rng(0))
    model.backward()
    model.encode(x[:1])
    with pytest.raises(OptionError, match="or a model's objective"):
        model.backward()


def test_what_is_not_there_yet():
    layer = s.Dense(4, 2)
    with pytest.raises(MissingError, match=r"^Dense has no x, or not yet: call what computes it first"):
        _ = layer.x
    with pytest.raises(AttributeError) as error:
        layer.forwad(None)
    assert (error.value.name, error.value.obj) == (
        "forwad",
        layer,
    )  # of which Python makes "Did you mean: 'forward'?"
    assert not hasattr(layer, "x") and getattr(layer, "x", 3) == 3 and copy.deepcopy(layer).inputs == 4

    class Theirs(s.Layer):
        pass

    with pytest.raises(AttributeError, match="'Theirs' object has no attribute 'x'") as error:
        _ = Theirs().x
    assert not isinstance(error.value, MissingError)


def test_batches_without_examples_have_no_loss():
    model = s.RBM(4, 2, rng=0)
    with pytest.raises(DataError, match="x holds no examples"):
        model.objective(np.ones((0, 4), np.float32))
