"""A trained network for others: a state dict as PyTorch names and orders it, and an ONNX graph.

| layer | here | PyTorch's state dict | Keras |
| --- | --- | --- | --- |
| Dense | W (inputs, outputs), b | weight (outputs, inputs) = Wᵀ, bias | kernel = W, bias |
| Conv2d | W (KH, KW, Cin, Cout), b | weight (Cout, Cin, KH, KW), bias | kernel = W, bias |
| ConvTranspose2d | W (KH, KW, Cout, Cin), b | weight (Cin, Cout, KH, KW), bias | kernel = W, bias |
| BatchNorm | gamma, beta, running_mean, running_var | weight, bias, running_mean, running_var | gamma, beta, moving_mean, moving_variance |

Names are those of the layers: `encoder.0.W` is `encoder.0.weight`, so an `nn.Module` whose `encoder` and `decoder` are `nn.Sequential`s of
the same layers takes them by `load_state_dict`. Images are (N, H, W, C) here and (N, C, H, W) in PyTorch, so beside Flatten and Reshape
the rows or columns of a Dense are put into PyTorch's order.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import require_examples, to_numpy
from ..errors import OptionError
from ..files import written_whole
from ..layers import (
    AvgPool2d,
    BatchNorm,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Identity,
    Layer,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from ..layers.noise import Dropout, GaussianNoise, MaskingNoise, SaltAndPepper
from ..layers.observing import watched
from ..likelihoods import LearnedGaussian
from ..losses import BCEWithLogits
from ..models import CVAE, RBM, VAE, Autoencoder, Model
from .codes import on_device

OPSET, IR = 17, 8  # of ONNX, which runtimes of 2022 and later read
QUIET = (Dropout, GaussianNoise, MaskingNoise, SaltAndPepper, Identity)  # they do nothing in inference
NAMES = {"W": "weight", "b": "bias", "gamma": "weight", "beta": "bias"}


def state_dict(model: Model, x: np.ndarray) -> dict[str, np.ndarray]:
    """The parameters and buffers as PyTorch names and orders them. x: an example (1, …), which tells the shapes on the way."""
    found = {
        name: np.ascontiguousarray(array)
        for name, _, _, array in arranged(model, x, lambda layer, attribute: to_numpy(getattr(layer, attribute)))
    }
    # PyTorch counts batches, for a momentum that is not used here
    counts = [f"{name}.num_batches_tracked" for name, layer in model.leaves() if isinstance(layer, BatchNorm)]
    return found | dict.fromkeys(counts, np.zeros((), np.int64))


def arranged(
    model: Model, x: np.ndarray | None, of: Callable[[Layer, str], np.ndarray]
) -> Iterator[tuple[str, Layer, str, np.ndarray]]:
    """For each parameter and buffer PyTorch's name, the layer and the attribute that it is here, and `of` these two, an array of its shape,
    with its axes, rows and columns in PyTorch's order. x: an example (1, …); None will do where nothing is flattened.
    """
    shapes: dict[int, tuple[tuple[int, ...], tuple[int, ...]]] = {}
    leaves = list(model.leaves())
    if x is not None and not isinstance(model, RBM):
        require_examples(x)
        with watched(
            [layer for _, layer in leaves], lambda layer, x, y: shapes.update({id(layer): (x.shape[1:], y.shape[1:])})
        ):
            model.objective(on_device(model, x))
    for place, (name, layer) in enumerate(leaves):
        tensors = {attribute: of(layer, attribute) for attribute in (*layer.parameter_names, *layer.buffer_names)}
        if isinstance(layer, Dense):
            W, b = tensors["W"], tensors["b"]
            if shapes:
                # log_var stands behind mu, and takes what mu takes
                before = [
                    pair for pair in leaves[:place] if not (name.startswith("log_var") and pair[0].startswith("mu"))
                ]
                rows = image_beside(before[::-1], shapes, Flatten, 0)
                columns = image_beside(leaves[place + 1 :], shapes, Reshape, 1)
                W = W if rows is None else W[channels_first(rows)]
                if columns is not None:
                    W, b = W[:, channels_first(columns)], b[channels_first(columns)]
            tensors = {"W": W.T, "b": b}
        elif isinstance(layer, Conv2d | ConvTranspose2d):
            tensors["W"] = tensors["W"].transpose(3, 2, 0, 1)
        for attribute, array in tensors.items():
            yield f"{name}.{NAMES.get(attribute, attribute)}", layer, attribute, array


def image_beside(
    leaves: list[tuple[str, Layer]], shapes: dict[int, tuple[tuple[int, ...], tuple[int, ...]]], kind: type, side: int
) -> tuple[int, ...] | None:
    """The shape (H, W, C) on that side of the next layer of a kind, if only layers that keep the shape stand before it."""
    for _, layer in leaves:
        before, after = shapes[id(layer)]
        if isinstance(layer, kind):
            return shapes[id(layer)][side] if len(shapes[id(layer)][side]) == 3 else None
        if before != after or layer.parameter_names:
            return None
    return None


def channels_first(shape: tuple[int, ...]) -> np.ndarray:
    """Where the numbers of an image (H, W, C), channels last, stand when channels come first."""
    return np.arange(int(np.prod(shape))).reshape(shape).transpose(2, 0, 1).ravel()


def to_torch(model: Model, x: np.ndarray, path: str | Path) -> None:
    """Write the state dict as safetensors: `model.load_state_dict(safetensors.torch.load_file(path))`."""
    from safetensors.numpy import save_file

    with written_whole(Path(path)) as temporary:
        save_file(state_dict(model, x), temporary)


# ONNX


def to_onnx(model: Model, x: np.ndarray, path: str | Path) -> None:
    """Write the network in inference: input "x", as the model takes it; outputs "code" and "reconstruction". x: an example (1, …).

    Raises OptionError for layers that ONNX does not have, and without the package onnx.
    """
    onnx = package()
    graph = Graph(onnx)
    code, made = through(graph, model, x)
    outputs = [(code, "code", model.encode(x).shape), (made, "reconstruction", model.reconstruct(x).shape)]
    for source, name, _ in outputs:
        graph.node("Identity", [source], name)
    helper, kind = onnx.helper, onnx.TensorProto.FLOAT
    described = [helper.make_tensor_value_info(name, kind, ["N", *shape[1:]]) for _, name, shape in outputs]
    given = helper.make_tensor_value_info("x", kind, ["N", *x.shape[1:]])
    made = helper.make_graph(graph.nodes, "scratchae", [given], described, graph.tensors)
    network = helper.make_model(
        made, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR, producer_name="scratchae"
    )
    onnx.checker.check_model(network)
    with written_whole(Path(path)) as temporary:
        onnx.save(network, str(temporary))


def package() -> Any:
    try:
        import onnx
    except ImportError:
        raise OptionError(
            "--onnx needs the package onnx, which is not installed: pip install 'scratchae[onnx]'"
        ) from None
    return onnx


def through(graph: Graph, model: Model, x: np.ndarray) -> tuple[str, str]:
    """The names of code and reconstruction. Raises OptionError for a model that has no such two."""
    if isinstance(model, RBM):
        if "gaussian" in (model.hidden_units, model.visible_units):
            raise OptionError("an RBM with Gaussian units has no ONNX export: use the state dict, --torch")
        W, a, b = (to_numpy(getattr(model.energy, name)) for name in "Wab")
        code = graph.node("Sigmoid", [graph.node("Gemm", ["x", graph.constant(W), graph.constant(b)])])
        return code, graph.node(
            "Sigmoid", [graph.node("Gemm", [code, graph.constant(W), graph.constant(a)], transB=1)]
        )
    if not isinstance(model, Autoencoder | VAE):
        raise OptionError(f"{type(model).__name__} has no ONNX export: autoencoders, variational ones and RBMs have")
    code = graph.layers(model.encoder, "x")
    if isinstance(model, VAE):
        code = graph.layers(model.mu, code)
    else:
        model.tie()
    given = code
    if isinstance(model, CVAE):
        last = [graph.whole([-model.labels]), graph.whole([2**31]), graph.whole([1])]
        given = graph.node("Concat", [code, graph.node("Slice", ["x", *last])], axis=1)
    made = graph.layers(model.decoder, given)
    if isinstance(model.loss, BCEWithLogits):
        made = graph.node("Sigmoid", [made])
    elif isinstance(model.loss, LearnedGaussian):
        made = graph.node("Split", [made, graph.whole([model.reconstruct(x).shape[-1]] * 2)], count=2, axis=-1)
    return code, made


class Graph:
    """Nodes and constants that are being put together."""

    def __init__(self, onnx: Any):
        self.onnx, self.nodes, self.tensors, self.count = onnx, [], [], 0

    def name(self) -> str:
        self.count += 1
        return f"t{self.count}"

    def node(self, kind: str, inputs: list[str], output: str = "", count: int = 1, **attributes: Any) -> str:
        """A node; the name of its first output."""
        outputs = [output or self.name(), *(self.name() for _ in range(count - 1))]
        self.nodes.append(self.onnx.helper.make_node(kind, inputs, outputs, **attributes))
        return outputs[0]

    def constant(self, value: np.ndarray) -> str:
        name = self.name()
        value = value.astype(np.float32) if value.dtype.kind == "f" else value
        self.tensors.append(self.onnx.numpy_helper.from_array(np.ascontiguousarray(value), name))
        return name

    def whole(self, values: list[int]) -> str:
        return self.constant(np.array(values, np.int64))

    def layers(self, part: Layer, x: str) -> str:
        """A part's layers, one after the other. Images are channels last outside of each layer that needs them first."""
        for _, layer in part.leaves():
            if isinstance(layer, QUIET):
                continue
            if type(layer) not in OPERATORS:
                raise OptionError(f"{layer.label()} has no counterpart in ONNX here: use the state dict, --torch")
            x = OPERATORS[type(layer)](self, layer, x)
        return x

    def images(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        """A node that takes channels first, between two that turn the axes."""
        first = self.node("Transpose", inputs[:1], perm=[0, 3, 1, 2])
        return self.node("Transpose", [self.node(kind, [first, *inputs[1:]], **attributes)], perm=[0, 2, 3, 1])


def dense(graph: Graph, layer: Dense, x: str) -> str:
    return graph.node("Gemm", [x, graph.constant(to_numpy(layer.W)), graph.constant(to_numpy(layer.b))])


def convolution(graph: Graph, layer: Conv2d, x: str) -> str:
    W = graph.constant(to_numpy(layer.W).transpose(3, 2, 0, 1))
    how = {"strides": list(layer.S), "pads": [*layer.P, *layer.P]}
    return graph.images("Conv", [x, W, graph.constant(to_numpy(layer.b))], **how)


def transposed(graph: Graph, layer: ConvTranspose2d, x: str) -> str:
    W = graph.constant(to_numpy(layer.W).transpose(3, 2, 0, 1))
    how = {"strides": list(layer.S), "pads": [*layer.P, *layer.P], "output_padding": list(layer.extra)}
    return graph.images("ConvTranspose", [x, W, graph.constant(to_numpy(layer.b))], **how)


def normalization(graph: Graph, layer: BatchNorm, x: str) -> str:
    scale = to_numpy(layer.gamma) / np.sqrt(to_numpy(layer.running_var) + layer.eps)
    shift = to_numpy(layer.beta) - to_numpy(layer.running_mean) * scale
    return graph.node("Add", [graph.node("Mul", [x, graph.constant(scale)]), graph.constant(shift)])


def pooling(graph: Graph, layer: MaxPool2d | AvgPool2d, x: str) -> str:
    how = {"kernel_shape": list(layer.K), "strides": list(layer.S)}
    if isinstance(layer, MaxPool2d):
        return graph.images("MaxPool", [x], **how, ceil_mode=int(layer.ceil_mode))
    return graph.images("AveragePool", [x], **how)


def larger(graph: Graph, layer: UpSample2d, x: str) -> str:
    scales = graph.constant(np.array([1, 1, *layer.S], np.float32))
    how = {"mode": "nearest", "coordinate_transformation_mode": "asymmetric", "nearest_mode": "floor"}
    return graph.images("Resize", [x, "", scales], **how)


def elementwise(kind: str) -> Callable[[Graph, Layer, str], str]:
    return lambda graph, layer, x: graph.node(kind, [x])


OPERATORS: dict[type[Layer], Callable[[Graph, Any, str], str]] = {
    Dense: dense,
    Conv2d: convolution,
    ConvTranspose2d: transposed,
    BatchNorm: normalization,
    MaxPool2d: pooling,
    AvgPool2d: pooling,
    UpSample2d: larger,
    Flatten: lambda graph, layer, x: graph.node("Reshape", [x, graph.whole([0, -1])]),
    Reshape: lambda graph, layer, x: graph.node("Reshape", [x, graph.whole([0, *layer.shape])]),
    ReLU: elementwise("Relu"),
    LeakyReLU: lambda graph, layer, x: graph.node("LeakyRelu", [x], alpha=float(layer.slope)),
    Sigmoid: elementwise("Sigmoid"),
    Softplus: elementwise("Softplus"),
    Tanh: elementwise("Tanh"),
}
