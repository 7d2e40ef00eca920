"""One training step of a scratchae model in scratchae, PyTorch and JAX, each as its users would write it.

Every peer takes a model, at its initial weights, and a batch, and offers:

    reset(seed)   the model's weights again, and a new Adam. Without a seed the library draws its noise itself; with
                  one it gets what scratchae draws from NumPy's generator of that seed, so that steps can be compared
    step()        one whole training step: forward, loss, backward, Adam; the loss, when all of it is done
    gradients()   the loss and all gradients at the present weights, by scratchae's names and in its layout
    parameters()  the present weights, likewise
    facts()       versions and thread counts

The nets are written from the model's layers, so a new preset of the same layers needs nothing here. A new kind of
layer, loss or model needs its line in two tables; a layer with parameters one in `TORCH_AXES`, a model one in `MODELS`.

Images are NHWC in scratchae and JAX, NCHW in PyTorch. Each peer has the batch in its own layout before the first step.

Memory: `recycle_memory`, which `fit` calls, is a setting of scratchae's own process. The peers have what their users
get: PyTorch takes memory from the C library with its defaults, XLA plans the buffers of a compiled function itself and
may write the new parameters over the old ones (`donate_argnums`).
"""

from __future__ import annotations

import functools
import importlib
import math
from collections.abc import Callable
from types import ModuleType
from typing import Any

import machine
import numpy as np
from agreement import Tensors
from harness import BenchmarkError

import scratchae
from scratchae.backend import cores, recycle_memory
from scratchae.layers import (
    AvgPool2d,
    Conv2d,
    ConvTranspose2d,
    Dense,
    Flatten,
    Identity,
    LeakyReLU,
    MaxPool2d,
    ReLU,
    Reshape,
    Sigmoid,
    Softplus,
    Tanh,
    UpSample2d,
)
from scratchae.layers.pooling import missing
from scratchae.losses import BCE, MSE, BCEWithLogits
from scratchae.models import VAE, Autoencoder, Model, parallel
from scratchae.optimizers import Adam

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8
IMAGE_LAYERS = {Conv2d, ConvTranspose2d, MaxPool2d, AvgPool2d, UpSample2d}


def code_noise(model: VAE, x: np.ndarray, rng: np.random.Generator) -> tuple[np.ndarray]:
    """ε for a batch as scratchae draws it from rng: where it takes the batch in parts, each has a generator of its own."""
    parts = parallel.count_parts(model, x, rng)
    rngs = [rng] if parts == 1 else rng.spawn(parts)
    rows = [len(part) for part in np.array_split(x, parts)]
    each = [rng.standard_normal((n, model.code_size), dtype=x.dtype) for rng, n in zip(rngs, rows, strict=True)]
    return (np.concatenate(each),)


MODELS = {  # which of them have peers, and what a step draws
    Autoencoder: (lambda model: model.penalty is None and not model.tied, lambda model, x, rng: ()),
    VAE: (lambda model: not model.binarise, code_noise),
}


def noise(model: Model, x: np.ndarray, seed: int | None) -> Callable[[], tuple[np.ndarray, ...]]:
    """A function that gives what scratchae draws in one step after the other; without a seed, nothing."""
    if seed is None:
        return tuple
    _, draw = MODELS[type(model)]
    return functools.partial(draw, model, x, np.random.default_rng(seed))


class Scratchae:
    """The library itself; a step is what `fit` does with a batch."""

    def __init__(self, model: Model, x: np.ndarray):
        recycle_memory()
        self.model, self.x = model, x
        self.start = model.parameters.copy()
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.model.parameters[...] = self.start
        self.rng = np.random.default_rng(seed or 0)
        self.optimizer = Adam(LR, BETA1, BETA2, EPS)

    def step(self) -> float:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        self.optimizer.update(self.model.parameters, self.model.gradient)
        return loss

    def gradients(self) -> tuple[float, Tensors]:
        loss = float(self.model.training_step(self.x, self.rng)["loss"])
        return loss, {name: getattr(layer, "d" + a).copy() for name, layer, a in self.model.named_parameters()}

    def parameters(self) -> Tensors:
        return {name: getattr(layer, a).copy() for name, layer, a in self.model.named_parameters()}

    def facts(self) -> dict[str, Any]:
        return {"scratchae": scratchae.__version__, "numpy": np.__version__, "blas": machine.blas()}


# PyTorch


def torch_reshape(nn: ModuleType, *shape: int) -> Any:
    """A module that gives each example a new shape, in scratchae's order of the numbers: channels last."""

    class Reshape(nn.Module):
        def forward(self, x):
            if x.ndim == 4:
                x = x.permute(0, 2, 3, 1)
            x = x.reshape(len(x), *shape)
            return x.permute(0, 3, 1, 2) if x.ndim == 4 else x

    return Reshape()


TORCH_LAYERS = {
    AvgPool2d: lambda nn, layer: nn.AvgPool2d(layer.K, layer.S),
    Conv2d: lambda nn, layer: nn.Conv2d(layer.in_channels, layer.out_channels, layer.K, layer.S, layer.P),
    ConvTranspose2d: lambda nn, layer: nn.ConvTranspose2d(
        layer.in_channels, layer.out_channels, layer.K, layer.S, layer.P, layer.extra
    ),
    Dense: lambda nn, layer: nn.Linear(layer.inputs, layer.outputs),
    Flatten: lambda nn, layer: torch_reshape(nn, -1),
    Identity: lambda nn, layer: nn.Identity(),
    LeakyReLU: lambda nn, layer: nn.LeakyReLU(layer.slope),
    MaxPool2d: lambda nn, layer: nn.MaxPool2d(layer.K, layer.S, ceil_mode=layer.ceil_mode),
    ReLU: lambda nn, layer: nn.ReLU(),
    Reshape: lambda nn, layer: torch_reshape(nn, *layer.shape),
    Sigmoid: lambda nn, layer: nn.Sigmoid(),
    Softplus: lambda nn, layer: nn.Softplus(),
    Tanh: lambda nn, layer: nn.Tanh(),
    UpSample2d: lambda nn, layer: nn.Upsample(scale_factor=layer.S),
}
TORCH_AXES = {  # the axes of scratchae's W in the order in which PyTorch's weight has them
    Dense: (1, 0),  # (outputs, inputs)
    Conv2d: (3, 2, 0, 1),  # (Cout, Cin, KH, KW)
    ConvTranspose2d: (3, 2, 0, 1),  # (Cin, Cout, KH, KW)
}
TORCH_LOSSES = {
    MSE: lambda nn, y, x: nn.functional.mse_loss(y, x, reduction="sum"),
    BCE: lambda nn, y, x: nn.functional.binary_cross_entropy(y, x, reduction="sum"),
    BCEWithLogits: lambda nn, y, x: nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum"),
}


def torch_autoencoder(torch: ModuleType, model: Autoencoder, parts: dict[str, Any], loss: Any) -> Any:
    encoder, decoder = parts.values()

    def objective(x):
        return loss(torch.nn, decoder(encoder(x)), x) / len(x)

    return objective


def torch_vae(torch: ModuleType, model: VAE, parts: dict[str, Any], loss: Any) -> Any:
    encoder, mu_head, log_var_head, decoder = parts.values()
    beta = model.beta

    def objective(x, epsilon=None):
        h = encoder(x)
        mu, log_var = mu_head(h), log_var_head(h)
        if epsilon is None:
            epsilon = torch.randn_like(mu)
        y = decoder(mu + torch.exp(0.5 * log_var) * epsilon)
        kl = -0.5 * torch.sum(1 + log_var - mu.pow(2) - log_var.exp())
        return (loss(torch.nn, y, x) + beta * kl) / len(x)

    return objective


TORCH_OBJECTIVES = {Autoencoder: torch_autoencoder, VAE: torch_vae}


class Torch:
    """PyTorch: `torch.nn` modules and `torch.optim.Adam`.

    `compiled`: forward, loss and backward go through `torch.compile` in its default mode; Adam stays outside, as in most
    training scripts. `fused`: Adam is one kernel; by default, on a CPU, it goes through the parameters one by one.
    `channels_last`: net and images are in PyTorch's memory format of that name, NCHW by their indices, NHWC in memory.
    """

    def __init__(
        self,
        model: Model,
        x: np.ndarray,
        *,
        compiled: bool = False,
        fused: bool | None = None,
        channels_last: bool = False,
    ):
        require_translatable(model)
        self.torch = torch = required("torch")
        self.model, self.fused = model, fused
        nn = torch.nn
        layout = torch.channels_last if channels_last else torch.contiguous_format
        modules = {name: TORCH_LAYERS[type(layer)](nn, layer) for name, layer in model.leaves()}
        parts = {
            part: nn.Sequential(*(modules[name] for name, _ in getattr(model, part).leaves(part))).to(
                memory_format=layout
            )
            for part in model.part_names
        }
        objective = TORCH_OBJECTIVES[type(model)](torch, model, parts, TORCH_LOSSES[type(model.loss)])
        self.objective = torch.compile(objective) if compiled else objective
        self.weights, self.axes = {}, {}
        for name, layer in model.leaves():
            if layer.parameter_names:
                self.weights |= {f"{name}.W": modules[name].weight, f"{name}.b": modules[name].bias}
                self.axes |= {f"{name}.W": TORCH_AXES[type(layer)], f"{name}.b": (0,)}
        self.batch = x
        x = torch.from_numpy(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
        # not x.contiguous(memory_format=…), which leaves the strides of images of one channel as they are
        self.x = torch.empty(x.shape, memory_format=layout if x.ndim == 4 else torch.contiguous_format).copy_(x)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.noise = noise(self.model, self.batch, seed)
        self.torch.manual_seed(0)
        with self.torch.no_grad():
            for name, layer, attribute in self.model.named_parameters():
                ours = getattr(layer, attribute).transpose(self.axes[name])
                self.weights[name].copy_(self.torch.from_numpy(ours))
        self.optimizer = self.torch.optim.Adam(
            self.weights.values(), lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=self.fused
        )

    def backward(self) -> float:
        self.optimizer.zero_grad()
        loss = self.objective(self.x, *map(self.torch.from_numpy, self.noise()))
        loss.backward()
        return loss.item()

    def step(self) -> float:
        loss = self.backward()
        self.optimizer.step()
        return loss

    def gradients(self) -> tuple[float, Tensors]:
        loss = self.backward()
        return loss, {name: self.in_our_order(name, weight.grad) for name, weight in self.weights.items()}

    def parameters(self) -> Tensors:
        return {name: self.in_our_order(name, weight.detach()) for name, weight in self.weights.items()}

    def in_our_order(self, name: str, tensor: Any) -> np.ndarray:
        return tensor.numpy().transpose(np.argsort(self.axes[name])).copy()

    def facts(self) -> dict[str, Any]:
        return {"torch": self.torch.__version__, "torch_threads": self.torch.get_num_threads()}


# JAX

NHWC = ("NHWC", "HWIO", "NHWC")  # layouts of x, W and y for XLA: scratchae's


def jax_convolution(jax: ModuleType, layer: Conv2d) -> Any:
    padding = [(p, p) for p in layer.P]

    def function(x, W, b):
        return jax.lax.conv_general_dilated(x, W, layer.S, padding, dimension_numbers=NHWC) + b

    return function


def jax_transposed_convolution(jax: ModuleType, layer: ConvTranspose2d) -> Any:
    # of the image that XLA spreads by the stride and then convolves
    padding = [(k - 1 - p, k - 1 - p + extra) for k, p, extra in zip(layer.K, layer.P, layer.extra, strict=True)]

    def function(x, W, b):
        return jax.lax.conv_transpose(x, W, layer.S, padding, dimension_numbers=NHWC, transpose_kernel=True) + b

    return function


def jax_max_pool(jax: ModuleType, layer: MaxPool2d) -> Any:
    def function(x):
        grown = map(missing, x.shape[1:3], layer.K, layer.S) if layer.ceil_mode else (0, 0)
        padding = [(0, 0), *((0, more) for more in grown), (0, 0)]
        return jax.lax.reduce_window(x, -np.inf, jax.lax.max, (1, *layer.K, 1), (1, *layer.S, 1), padding)

    return function


def jax_average_pool(jax: ModuleType, layer: AvgPool2d) -> Any:
    def function(x):
        sums = jax.lax.reduce_window(x, 0.0, jax.lax.add, (1, *layer.K, 1), (1, *layer.S, 1), "VALID")
        return sums / math.prod(layer.K)

    return function


JAX_LAYERS = {
    AvgPool2d: jax_average_pool,
    Conv2d: jax_convolution,
    ConvTranspose2d: jax_transposed_convolution,
    Dense: lambda jax, layer: lambda x, W, b: x @ W + b,
    Flatten: lambda jax, layer: lambda x: x.reshape(len(x), -1),
    Identity: lambda jax, layer: lambda x: x,
    LeakyReLU: lambda jax, layer: functools.partial(jax.nn.leaky_relu, negative_slope=layer.slope),
    MaxPool2d: jax_max_pool,
    ReLU: lambda jax, layer: jax.nn.relu,
    Reshape: lambda jax, layer: lambda x: x.reshape(len(x), *layer.shape),
    Sigmoid: lambda jax, layer: jax.nn.sigmoid,
    Softplus: lambda jax, layer: jax.nn.softplus,
    Tanh: lambda jax, layer: jax.nn.tanh,
    UpSample2d: lambda jax, layer: lambda x: x.repeat(layer.S[0], axis=1).repeat(layer.S[1], axis=2),
}
JAX_LOSSES = {
    MSE: lambda jnp, y, x: jnp.sum((y - x) ** 2),
    BCE: lambda jnp, y, x: (
        -jnp.sum(x * jnp.log(jnp.maximum(y, 1e-37)) + (1 - x) * jnp.log(jnp.maximum(1 - y, 1e-37)))
    ),
    BCEWithLogits: lambda jnp, y, x: jnp.sum(jnp.logaddexp(y, 0) - x * y),
}


def jax_part(jax: ModuleType, model: Model, part: str) -> Any:
    """A function of the parameters and the input: a part of the model, layer by layer."""
    layers = [(name, layer, JAX_LAYERS[type(layer)](jax, layer)) for name, layer in getattr(model, part).leaves(part)]

    def function(θ, x):
        for name, layer, forward in layers:
            x = forward(x, *(θ[f"{name}.{attribute}"] for attribute in layer.parameter_names))
        return x

    return function


def jax_autoencoder(jax: ModuleType, model: Autoencoder, parts: dict[str, Any], loss: Any) -> Any:
    encoder, decoder = parts.values()

    def objective(θ, x, key):
        return loss(jax.numpy, decoder(θ, encoder(θ, x)), x) / len(x)

    return objective


def jax_vae(jax: ModuleType, model: VAE, parts: dict[str, Any], loss: Any) -> Any:
    encoder, mu_head, log_var_head, decoder = parts.values()
    jnp, beta = jax.numpy, model.beta

    def objective(θ, x, key, epsilon=None):
        h = encoder(θ, x)
        mu, log_var = mu_head(θ, h), log_var_head(θ, h)
        if epsilon is None:
            epsilon = jax.random.normal(key, mu.shape)
        y = decoder(θ, mu + jnp.exp(0.5 * log_var) * epsilon)
        kl = -0.5 * jnp.sum(1 + log_var - mu**2 - jnp.exp(log_var))
        return (loss(jnp, y, x) + beta * kl) / len(x)

    return objective


JAX_OBJECTIVES = {Autoencoder: jax_autoencoder, VAE: jax_vae}


class Jax:
    """JAX: the whole step, Adam included, is one function under `jax.jit`, and its state is donated.

    The key of a step's noise is made of a fixed one and of t; the compiler leaves it out where nothing is drawn.
    """

    def __init__(self, model: Model, x: np.ndarray):
        require_translatable(model)
        self.jax = jax = required("jax")
        self.model = model
        jnp, each = jax.numpy, jax.tree.map
        parts = {part: jax_part(jax, model, part) for part in model.part_names}
        objective = JAX_OBJECTIVES[type(model)](jax, model, parts, JAX_LOSSES[type(model.loss)])

        def step(θ, m, v, t, x, key, *given):
            key = jax.random.fold_in(key, t.astype(jnp.uint32))
            value, g = jax.value_and_grad(objective)(θ, x, key, *given)
            m = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
            v = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
            # 1 - βᵗ without its rounding error; both corrections in two numbers, as in scratchae
            correction = jnp.sqrt(-jnp.expm1(t * math.log(BETA2)))
            size = LR * correction / -jnp.expm1(t * math.log(BETA1))
            θ = each(lambda θ, m, v: θ - size * m / (jnp.sqrt(v) + EPS * correction), θ, m, v)
            return θ, m, v, t + 1, value

        self.compiled_step = jax.jit(step, donate_argnums=(0, 1, 2, 3))
        self.compiled_gradients = jax.jit(jax.value_and_grad(objective))
        self.batch, self.x, self.key = x, jnp.array(x), jax.random.key(0)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.noise = noise(self.model, self.batch, seed)
        jnp = self.jax.numpy
        θ = {name: jnp.array(getattr(layer, a)) for name, layer, a in self.model.named_parameters()}
        m, v = (self.jax.tree.map(jnp.zeros_like, θ) for _ in range(2))
        self.state = θ, m, v, jnp.float32(1)

    def step(self) -> float:
        *self.state, loss = self.compiled_step(*self.state, self.x, self.key, *self.noise())
        self.jax.block_until_ready(self.state)
        return float(loss)

    def gradients(self) -> tuple[float, Tensors]:
        loss, gradients = self.compiled_gradients(self.state[0], self.x, self.key, *self.noise())
        return float(loss), {name: np.array(gradient) for name, gradient in gradients.items()}

    def parameters(self) -> Tensors:
        return {name: np.array(parameter) for name, parameter in self.state[0].items()}

    def facts(self) -> dict[str, Any]:
        return {"jax": self.jax.__version__, "jax_threads": cores()}  # XLA starts one for each core it may use


PEERS = {  # name: (title in tables, constructor)
    "scratchae": ("scratchae", Scratchae),
    "torch": ("PyTorch eager, Adam", Torch),
    "torch-fused": ("PyTorch eager, fused Adam", functools.partial(Torch, fused=True)),
    "torch-compile": ("torch.compile, fused Adam", functools.partial(Torch, fused=True, compiled=True)),
    "torch-channels-last": (
        "PyTorch eager, channels_last",
        functools.partial(Torch, fused=True, channels_last=True),
    ),
    "torch-compile-channels-last": (
        "torch.compile, channels_last",
        functools.partial(Torch, fused=True, compiled=True, channels_last=True),
    ),
    "jax": ("JAX jit", Jax),
}


def peers_of(model: Model) -> list[str]:
    """The names of the peers that a model has: without images, those that differ in their layout only are the others again."""
    images = any(type(layer) in IMAGE_LAYERS for _, layer in model.leaves())
    return [name for name in PEERS if images or not name.endswith("channels-last")]


def require_translatable(model: Model) -> None:
    """Raise BenchmarkError if the tables above do not cover the model."""
    translatable, _ = MODELS.get(type(model), (lambda model: False, None))
    if not translatable(model):
        raise BenchmarkError(
            "only an Autoencoder without penalty and tied weights and a VAE without binarise have peers so far, "
            f"got {model!r}"
        )
    parts = {name: layer for name, layer in model.leaves() if type(layer) not in TORCH_LAYERS.keys() & JAX_LAYERS}
    if type(model.loss) not in TORCH_LOSSES.keys() & JAX_LOSSES:
        parts["loss"] = model.loss
    for name, part in parts.items():
        raise BenchmarkError(f"no translation to PyTorch and JAX for {name}, {part!r}: add it to {__file__}")


def required(module: str) -> ModuleType:
    """Import a peer's library. Raises BenchmarkError if it is not installed."""
    try:
        return importlib.import_module(module)
    except ModuleNotFoundError as error:
        if error.name != module:
            raise
        raise BenchmarkError(f"{module} is not installed: pip install 'scratchae[peers]'") from None
