"""PyTorch, where it is installed, as a second opinion on a whole model: the preset `conv`, with weights carried over."""

import numpy as np
import pytest

from scratchae import Adam, Conv2d
from scratchae.data import pixels, strokes
from scratchae.presets import PRESETS


def torch_conv(nn):
    """The net of the preset `conv`, as a user of PyTorch writes it."""
    return nn.Sequential(
        nn.Conv2d(1, 16, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(16, 32, 3, stride=2, padding=1),
        nn.ReLU(),
        nn.Conv2d(32, 64, 7),
        nn.ConvTranspose2d(64, 32, 7),
        nn.ReLU(),
        nn.ConvTranspose2d(32, 16, 3, stride=2, padding=1, output_padding=1),
        nn.ReLU(),
        nn.ConvTranspose2d(16, 1, 3, stride=2, padding=1, output_padding=1),
        nn.Sigmoid(),
    )


def ours(weight):
    """A tensor of PyTorch's as an array in our layout: (Cout, Cin, KH, KW) to (KH, KW, Cin, Cout), or, for a transposed
    convolution, (Cin, Cout, KH, KW) to (KH, KW, Cout, Cin); biases stay.
    """
    array = weight.detach().numpy()
    return array.transpose(2, 3, 1, 0) if array.ndim == 4 else array


def import_torch(model, state_dict):
    """Give a model the weights of a PyTorch net with the same layers, in the order they stand in."""
    layers = [layer for _, layer in model.leaves() if layer.parameter_names]
    weights = iter(state_dict.values())
    for layer in layers:
        for name in layer.parameter_names:
            new = ours(next(weights))
            assert new.shape == getattr(layer, name).shape
            setattr(layer, name, new.copy())
            setattr(layer, "d" + name, np.zeros_like(new))
    model.gather()


def images_last(x):
    return x.detach().numpy().transpose(0, 2, 3, 1)


def relative(theirs, mine):
    return np.linalg.norm(theirs - mine) / np.linalg.norm(theirs)


@pytest.mark.parametrize(("dtype", "tolerance"), [("float64", 1e-10), ("float32", 1e-4)])
def test_conv_agrees(torch, dtype, tolerance):
    """Prediction, loss, ∂L/∂x of the images, every gradient, and every weight after each of 20 steps of Adam."""
    torch.manual_seed(0)
    dtype = getattr(torch, dtype)
    net = torch_conv(torch.nn).to(dtype)
    model = PRESETS["conv"].build(np.random.default_rng(1))
    import_torch(model, net.state_dict())
    # strokes rather than noise, which drives units to the kink of ReLU, where rounding decides
    images = pixels(strokes(640, 1).train_images)
    batches = torch.from_numpy(images.reshape(20, 32, 1, 28, 28)).to(dtype)
    adam, optimizer = torch.optim.Adam(net.parameters(), lr=1e-3), Adam(1e-3)
    for step, batch in enumerate(batches):
        batch.requires_grad = step == 0
        prediction = net(batch)
        loss = ((prediction - batch.detach()) ** 2).sum() / len(batch)
        adam.zero_grad()
        loss.backward()
        x = np.ascontiguousarray(images_last(batch))
        metrics = model.training_step(x)
        assert float(metrics["loss"]) == pytest.approx(loss.item(), rel=tolerance)
        if step == 0:
            assert relative(images_last(prediction), model.reconstruct(x)) < tolerance
            model.objective(x)
            dx = model.encoder.backward(model.decoder.backward(model.dprediction))
            assert relative(images_last(batch.grad), dx) < tolerance
        for theirs, (name, layer, attribute) in zip(net.parameters(), model.named_parameters(), strict=True):
            assert relative(ours(theirs.grad), getattr(layer, "d" + attribute)) < tolerance, (step, name)
        adam.step()
        optimizer.update(model.parameters, model.gradient)
        for theirs, (name, layer, attribute) in zip(net.parameters(), model.named_parameters(), strict=True):
            assert relative(ours(theirs), getattr(layer, attribute)) < tolerance, (step, name)


def test_a_wrong_layout_would_be_found(torch):
    """The kernel turned by half a circle, which is what "convolution" means outside of this field."""
    torch.manual_seed(0)
    net = torch.nn.Conv2d(2, 3, 3).double()
    layer = Conv2d(2, 3, 3)
    layer.W, layer.b = ours(net.weight)[::-1, ::-1], ours(net.bias)
    x = torch.rand(2, 2, 5, 5, dtype=torch.float64)
    assert relative(images_last(net(x)), layer.forward(images_last(x))) > 0.1
    layer.W = ours(net.weight)
    assert relative(images_last(net(x)), layer.forward(images_last(x))) < 1e-14
