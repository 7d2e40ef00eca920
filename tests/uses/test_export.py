"""Networks for others: ONNX against its reference evaluator, state dicts against PyTorch's own modules."""

import numpy as np
import pytest

from scratchae import (
    MSE,
    Autoencoder,
    AvgPool2d,
    BatchNorm,
    BCEWithLogits,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    Flatten,
    KSparse,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sequential,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
    fit,
)
from scratchae.errors import OptionError
from scratchae.optimizers import Adam
from scratchae.presets import PRESETS, Form
from scratchae.uses.export import state_dict, to_onnx, to_torch

rng = np.random.default_rng(0)
ROWS, IMAGES = rng.random((3, 12), dtype=np.float32), rng.random((3, 9, 6, 2), dtype=np.float32)


def built(name, unit=True):
    preset = PRESETS[name]
    x = ROWS if len(preset.shape) == 1 else IMAGES
    model = preset.build(np.random.default_rng(1), Form(x.shape[1:], unit, labels=4))
    if preset.labels:
        x = np.concatenate([x, np.eye(4, dtype=np.float32)[:3]], axis=1)
    return model, x


def every_layer():
    encoder = Sequential(
        *(
            Conv2d(2, 4, 3, padding=1, rng=1),
            BatchNorm(4),
            LeakyReLU(0.1),
            MaxPool2d(2, ceil_mode=True),
            Dropout(0.3),
        ),
        *(
            Conv2d(4, 3, (2, 1), stride=(2, 1), rng=2),
            Tanh(),
            AvgPool2d((1, 2), (1, 1)),
            Flatten(),
            Dense(12, 5, rng=3),
            Softplus(),
        ),
    )
    decoder = Sequential(
        *(Dense(5, 24, rng=4), ReLU(), Reshape((4, 3, 2)), UpSample2d((1, 1))),
        *(ConvTranspose2d(2, 3, 3, stride=2, output_padding=(0, 1), padding=1, rng=5), UpSample2d((1, 1)), Sigmoid()),
        *(ConvTranspose2d(3, 2, (3, 1), rng=6),),
    )
    model = Autoencoder(encoder, decoder, loss=BCEWithLogits())
    fit(model, IMAGES, epochs=3, batch_size=3, optimizer=Adam(1e-2), progress=False)
    return model, IMAGES


EXPORTED = [
    name
    for name in PRESETS
    if name
    not in {"k-sparse", "vqvae", "diffusion", "gan", "gan-conv", "sequence", "sequence-gru", "sequence-attention"}
]


@pytest.mark.parametrize("name", [*EXPORTED, "every layer", "table, Gaussian", "vae-conv, Gaussian"])
def test_onnx_computes_the_same(tmp_path, name):
    pytest.importorskip("onnx")
    from onnx.reference import ReferenceEvaluator

    preset, _, gaussian = name.partition(", ")
    model, x = every_layer() if name == "every layer" else built(preset, unit=not gaussian)
    to_onnx(model, x[:1], tmp_path / "m.onnx")
    code, made = ReferenceEvaluator(str(tmp_path / "m.onnx")).run(["code", "reconstruction"], {"x": x})
    np.testing.assert_allclose(code, model.encode(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made, model.reconstruct(x), rtol=1e-4, atol=1e-5)
    runtime = pytest.importorskip("onnxruntime", reason="onnxruntime is not installed")
    session = runtime.InferenceSession(str(tmp_path / "m.onnx"), providers=["CPUExecutionProvider"])
    code, made = session.run(["code", "reconstruction"], {"x": x})
    np.testing.assert_allclose(code, model.encode(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(made, model.reconstruct(x), rtol=1e-4, atol=1e-5)


def test_what_onnx_does_not_have(tmp_path):
    pytest.importorskip("onnx")
    model, x = built("k-sparse")
    with pytest.raises(OptionError, match=r"encoder\.2 KSparse\(25\) has no counterpart in ONNX here"):
        to_onnx(model, x[:1], tmp_path / "m.onnx")
    assert not list(tmp_path.iterdir())
    own = Autoencoder(Sequential(Dense(12, 3, rng=0), KSparse(2)), Sequential(Dense(3, 12, rng=1)), loss=MSE())
    assert list(state_dict(own, x[:1])) == [
        "encoder.0.weight",
        "encoder.0.bias",
        "decoder.0.weight",
        "decoder.0.bias",
    ]


def test_a_state_dict_by_hand():
    model, x = built("simple")
    found = state_dict(model, x[:1])
    np.testing.assert_array_equal(found["encoder.0.weight"], model.encoder.layers[0].W.T)
    np.testing.assert_array_equal(found["decoder.0.bias"], model.decoder.layers[0].b)
    conv, images = built("conv")
    found = state_dict(conv, images[:1])
    assert found["encoder.0.weight"].shape == (16, 2, 3, 3)
    assert found["decoder.0.weight"].shape == (64, 32, 3, 2)


@pytest.mark.parametrize("name", ["deep", "conv", "vae-conv", "every layer"])
def test_pytorch_computes_the_same(tmp_path, name):
    torch = pytest.importorskip("torch")
    from safetensors.torch import load_file

    nn = torch.nn
    model, x = every_layer() if name == "every layer" else built(name)
    to_torch(model, x[:1], tmp_path / "m.safetensors")
    module = nn.ModuleDict({part: in_torch(nn, getattr(model, part), x) for part in model.part_names})
    module.load_state_dict(load_file(tmp_path / "m.safetensors"))
    module.eval()
    given = torch.from_numpy(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
    with torch.no_grad():
        code = module["encoder"](given)
        code = module["mu"](code) if "mu" in module else code
        made = module["decoder"](code)
        made = torch.sigmoid(made) if isinstance(model.loss, BCEWithLogits) else made
    made = made.numpy().transpose(0, 2, 3, 1) if x.ndim == 4 else made.numpy()
    np.testing.assert_allclose(made, model.reconstruct(x), rtol=1e-4, atol=1e-5)


def in_torch(nn, part, x):
    """The same layers as PyTorch's own, in its layout of images."""
    both = {
        Dense: lambda a: nn.Linear(a.inputs, a.outputs),
        Conv2d: lambda a: nn.Conv2d(a.in_channels, a.out_channels, a.K, a.S, a.P),
        ConvTranspose2d: lambda a: nn.ConvTranspose2d(a.in_channels, a.out_channels, a.K, a.S, a.P, a.extra),
        BatchNorm: lambda a: nn.BatchNorm2d(a.features, a.eps),
        MaxPool2d: lambda a: nn.MaxPool2d(a.K, a.S, ceil_mode=a.ceil_mode),
        AvgPool2d: lambda a: nn.AvgPool2d(a.K, a.S),
        UpSample2d: lambda a: nn.Upsample(scale_factor=a.S),
        Flatten: lambda a: nn.Flatten(),
        Reshape: lambda a: nn.Unflatten(1, (a.shape[2], *a.shape[:2])),
        LeakyReLU: lambda a: nn.LeakyReLU(a.slope),
        Dropout: lambda a: nn.Dropout(a.rate),
        **{ours: lambda a, theirs=theirs: theirs() for ours, theirs in pairs(nn)},
    }
    if isinstance(part, Dense):
        return both[Dense](part)
    return nn.Sequential(*(both[type(layer)](layer) for layer in part.layers))


def pairs(nn):
    return [(ReLU, nn.ReLU), (Sigmoid, nn.Sigmoid), (Tanh, nn.Tanh), (Softplus, nn.Softplus)]
