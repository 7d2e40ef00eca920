"""Weights of others: what export writes comes back, PyTorch's modules and Keras's arrays compute the same here."""

import numpy as np
import pytest
from safetensors.numpy import save_file
from test_export import EXPORTED, built, every_layer, in_torch

from scratchae import (
    MSE,
    RNN,
    Autoencoder,
    BatchNorm,
    BCEWithLogits,
    Conv2d,
    Dense,
    Flatten,
    ReLU,
    Reshape,
    Sequential,
    load_weights,
)
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, CheckpointError, DataError, OptionError, ScratchaeError, ShapeError
from scratchae.presets import PRESETS, Form
from scratchae.uses.export import state_dict, to_torch

rng = np.random.default_rng(0)


def small(seed=0, tied=False):
    made = np.random.default_rng(seed)
    encoder = Sequential(Dense(5, 3, rng=made), ReLU())
    return Autoencoder(encoder, Sequential(Dense(3, 5, rng=made)), loss=MSE(), tied=tied)


def of_small(**changed):
    """A state dict that fits."""
    return {**state_dict(small(1), np.zeros((1, 5), np.float32)), **changed}


def anew(model, seed=9):
    """The model with other numbers in it."""
    other = np.random.default_rng(seed)
    for array in model.tensors().values():
        array[...] = other.random(array.shape)


@pytest.mark.parametrize("name", [*EXPORTED, "every layer"])
def test_what_was_exported_comes_back(tmp_path, name):
    model, x = every_layer() if name == "every layer" else built(name)
    to_torch(model, x[:1], tmp_path / "m.safetensors")
    before, made = {name: array.copy() for name, array in model.tensors().items()}, model.reconstruct(x)
    anew(model)
    load_weights(model, tmp_path / "m.safetensors", x=x[:1])
    for tensor, array in model.tensors().items():
        np.testing.assert_array_equal(array, before[tensor])
    np.testing.assert_array_equal(model.reconstruct(x), made)


def test_rows_need_no_example():
    model = small()
    load_weights(model, of_small(), "torch")
    np.testing.assert_array_equal(model.parameters, small(1).parameters)


def test_weights_arrive_on_the_device(device):
    model = small().to(device)
    load_weights(model, of_small())
    np.testing.assert_array_equal(to_numpy(model.parameters), small(1).parameters)


@pytest.mark.parametrize("name", ["deep", "conv", "vae-conv", "every layer"])
def test_a_module_of_pytorch_computes_the_same_here(torch, name):
    model, x = every_layer() if name == "every layer" else built(name)
    torch.manual_seed(0)
    module = torch.nn.ModuleDict({part: in_torch(torch.nn, getattr(model, part), x) for part in model.part_names})
    for buffer in module.buffers():
        if buffer.is_floating_point():
            buffer.uniform_(0.5, 1.5)
    load_weights(model, module.state_dict(), x=x[:1])
    module.eval()
    with torch.no_grad():
        given = torch.from_numpy(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
        code = module["encoder"](given)
        made = module["decoder"](module["mu"](code) if "mu" in module else code)
        made = torch.sigmoid(made) if isinstance(model.loss, BCEWithLogits) else made
    made = made.numpy().transpose(0, 2, 3, 1) if x.ndim == 4 else made.numpy()
    np.testing.assert_allclose(model.reconstruct(x), made, rtol=1e-4, atol=1e-5)


# Keras: kernel (inputs, outputs) or (KH, KW, Cin, Cout); channels last


def images():
    return Autoencoder(
        Sequential(Conv2d(1, 2, 3, rng=1), BatchNorm(2), Flatten(), Dense(8, 3, rng=2)),
        Sequential(Dense(3, 16, rng=3), Reshape(4, 4, 1)),
        loss=MSE(),
    )


SHAPES = {  # as keras_model.get_weights() of the same layers has them
    **{"encoder.0.kernel": (3, 3, 1, 2), "encoder.0.bias": (2,)},
    **{f"encoder.1.{name}": (2,) for name in ("gamma", "beta", "moving_mean", "moving_variance")},
    **{"encoder.3.kernel": (8, 3), "encoder.3.bias": (3,), "decoder.0.kernel": (3, 16), "decoder.0.bias": (16,)},
}
ARRAYS = {name: rng.random(shape, dtype=np.float32) for name, shape in SHAPES.items()}


@pytest.mark.parametrize("way", ["list", "npz", "named npz", "safetensors", "paths"])
def test_arrays_of_keras(tmp_path, way):
    model, source = images(), tmp_path / f"m.{way.split()[-1]}"
    if way == "list":
        source = list(ARRAYS.values())
    elif way == "npz":
        np.savez(source, *ARRAYS.values())
    elif way == "named npz":
        np.savez(source, **ARRAYS)
    elif way == "safetensors":
        save_file(ARRAYS, source)
    else:
        source = {f"sequential/{i}/{name.split('.')[-1]}": array for i, (name, array) in enumerate(ARRAYS.items())}
    load_weights(model, source, layout="keras")
    x = rng.random((2, 4, 4, 1), dtype=np.float32)
    kernel, bias, gamma, beta, mean, variance, W, b, V, c = ARRAYS.values()
    patches = np.lib.stride_tricks.sliding_window_view(x[..., 0], (3, 3), axis=(1, 2))
    y = np.einsum("nhwij,ijo->nhwo", patches, kernel[:, :, 0]) + bias
    y = (y - mean) / np.sqrt(variance + 1e-5) * gamma + beta
    made = (y.reshape(2, -1) @ W + b) @ V + c
    np.testing.assert_allclose(model.reconstruct(x).reshape(2, -1), made, rtol=1e-4)


# What does not fit

W = "encoder.0.weight"


@pytest.mark.parametrize(
    ("source", "layout", "error", "message"),
    [
        (of_small(**{W: np.zeros((3, 6), np.float32)}), "torch", ShapeError, r"encoder.0.weight has shape \(3, 6\), and .*takes \(3, 5\) there: build the model in the sizes"),
        (of_small(**{W: np.zeros((5, 3), np.float32)}), "torch", ShapeError, "say layout='keras' if it comes from there"),
        ({k: v for k, v in of_small().items() if k != W}, "torch", CheckpointError, r"it has no encoder.0.weight; it holds encoder.0.bias, .*the model takes encoder.0.weight"),
        (of_small(extra=np.zeros(2, np.float32)), "torch", CheckpointError, "the model has no place for its extra"),
        (of_small(**{W: np.full((3, 5), np.nan, np.float32)}), "torch", DataError, "encoder.0.weight holds NaN"),
        (of_small(**{W: np.zeros((3, 5), int)}), "torch", ArrayTypeError, "encoder.0.weight holds int64: expected floats"),
        (of_small(**{W: [[1.0], [1.0, 2.0]]}), "torch", ArrayTypeError, "that NumPy cannot read"),
        ([np.zeros((5, 3), np.float32)], "keras", CheckpointError, r"takes 4, encoder.0.kernel, .*: it holds 1 arrays, arr_0"),
        ([np.zeros(s, np.float32) for s in ((3, 5), (3,), (3, 5), (5,))], "keras", ShapeError, "layout='torch' if it comes from there"),
        (of_small(), "jax", OptionError, "'torch' or 'keras'"),
        (7, "torch", OptionError, "expected the path of a file, a dict of arrays by name, or a list"),
        ("nowhere.safetensors", "torch", CheckpointError, "no checkpoint at nowhere.safetensors"),
    ],
)  # fmt: skip
def test_what_does_not_fit_changes_nothing(source, layout, error, message):
    model = small()
    with pytest.raises(error, match=message):
        load_weights(model, source, layout)
    np.testing.assert_array_equal(model.parameters, small().parameters)


@pytest.mark.parametrize("name", ["m.pt", "m.h5", "m.safetensors", "m.npz"])
def test_files_of_another_kind_say_how_to_write_one(tmp_path, name):
    (tmp_path / name).write_bytes(b"\x80\x02something else")
    with pytest.raises(CheckpointError, match=r"safetensors.torch.save_file\(module.state_dict\(\).*numpy.savez"):
        load_weights(small(), tmp_path / name)


def test_a_file_without_order_needs_names(tmp_path):
    save_file({str(i): array for i, array in enumerate(ARRAYS.values())}, tmp_path / "m.safetensors")
    with pytest.raises(CheckpointError, match=r"give them these names, or the list of keras_model\.get_weights"):
        load_weights(images(), tmp_path / "m.safetensors", "keras")


def test_images_that_are_flattened_need_an_example():
    with pytest.raises(OptionError, match=r"give an example, x=images\[:1\]"):
        load_weights(images(), ARRAYS, "torch")


def test_layers_that_keras_lays_out_differently():
    model = Autoencoder(Sequential(RNN(2, 3, rng=0)), Sequential(Dense(3, 2, rng=1)), loss=MSE())
    with pytest.raises(OptionError, match=r"RNN.*has parameters that Keras does not lay out in this way"):
        load_weights(model, [], "keras")


def test_tied_weights_have_to_agree():
    model = small(tied=True)
    arrays = of_small()
    with pytest.raises(CheckpointError, match=r"transposed \(tied=True\), and was given another"):
        load_weights(model, arrays)
    arrays["decoder.0.weight"] = arrays[W].T
    load_weights(model, arrays)
    np.testing.assert_array_equal(model.encoder.layers[0].W, arrays[W].T)
    np.testing.assert_array_equal(model.decoder.layers[0].W, arrays[W])


def test_the_network_that_is_loaded_trains_on():
    model = PRESETS["simple"].build(np.random.default_rng(0), Form((6,), code=4))
    other = PRESETS["simple"].build(np.random.default_rng(1), Form((6,), code=4))
    x = rng.random((8, 6), dtype=np.float32)
    load_weights(model, state_dict(other, x[:1]))
    assert float(model.training_step(x)["loss"]) == float(other.training_step(x)["loss"])
    np.testing.assert_array_equal(model.gradient, other.gradient)
    with pytest.raises(ScratchaeError):
        load_weights("model", {})
