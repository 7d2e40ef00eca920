"""One training step of a scratchae model in scratchae, PyTorch and JAX, each as its users would write it.

Every peer takes a model, at its initial weights, and a batch, and offers:

    reset()       the model's weights again, and a new Adam
    step()        one whole training step: forward, loss, backward, Adam; the loss, when all of it is done
    gradients()   the loss and all gradients at the present weights, by scratchae's names and in its layout
    parameters()  the present weights, likewise
    facts()       versions and thread counts

The nets are written from the model's layers, so a new preset of the same layers needs nothing here. A new kind of
layer or loss needs its line in two tables.

Memory: `recycle_memory`, which `fit` calls, is a setting of scratchae's own process. The peers have what their users
get: PyTorch takes memory from the C library with its defaults, XLA plans the buffers of a compiled function itself and
may write the new parameters over the old ones (`donate_argnums`).
"""

from __future__ import annotations

import functools
import importlib
import math
from types import ModuleType
from typing import Any

import machine
import numpy as np
from agreement import Tensors
from harness import BenchmarkError

import scratchae
from scratchae.backend import cores, recycle_memory
from scratchae.layers import Dense, Identity, LeakyReLU, ReLU, Sigmoid, Softplus, Tanh
from scratchae.losses import BCE, MSE, BCEWithLogits
from scratchae.models import Autoencoder, Model
from scratchae.optimizers import Adam

LR, BETA1, BETA2, EPS = 1e-3, 0.9, 0.999, 1e-8


class Scratchae:
    """The library itself; a step is what `fit` does with a batch."""

    def __init__(self, model: Model, x: np.ndarray):
        recycle_memory()
        self.model, self.x = model, x
        self.rng = np.random.default_rng(0)
        self.start = model.parameters.copy()
        self.reset()

    def reset(self) -> None:
        self.model.parameters[...] = self.start
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

TORCH_LAYERS = {
    Dense: lambda nn, layer: nn.Linear(layer.inputs, layer.outputs),
    Identity: lambda nn, layer: nn.Identity(),
    LeakyReLU: lambda nn, layer: nn.LeakyReLU(layer.slope),
    ReLU: lambda nn, layer: nn.ReLU(),
    Sigmoid: lambda nn, layer: nn.Sigmoid(),
    Softplus: lambda nn, layer: nn.Softplus(),
    Tanh: lambda nn, layer: nn.Tanh(),
}
TORCH_LOSSES = {
    MSE: lambda nn, y, x: nn.functional.mse_loss(y, x, reduction="sum"),
    BCE: lambda nn, y, x: nn.functional.binary_cross_entropy(y, x, reduction="sum"),
    BCEWithLogits: lambda nn, y, x: nn.functional.binary_cross_entropy_with_logits(y, x, reduction="sum"),
}


class Torch:
    """PyTorch: `torch.nn` modules and `torch.optim.Adam`.

    `compiled`: forward, loss and backward go through `torch.compile` in its default mode; Adam stays outside, as in most
    training scripts. `fused`: Adam is one kernel; by default, on a CPU, it goes through the parameters one by one.
    """

    def __init__(self, model: Model, x: np.ndarray, *, compiled: bool = False, fused: bool | None = None):
        require_translatable(model)
        self.torch = required("torch")
        self.model, self.fused = model, fused
        nn = self.torch.nn
        modules = {name: TORCH_LAYERS[type(layer)](nn, layer) for name, layer in model.leaves()}
        net = nn.Sequential(*modules.values())
        loss = TORCH_LOSSES[type(model.loss)]

        def objective(x):
            return loss(nn, net(x), x) / len(x)

        self.objective = self.torch.compile(objective) if compiled else objective
        self.weights = {}
        for name, layer in model.leaves():
            if isinstance(layer, Dense):
                self.weights |= {f"{name}.W": modules[name].weight, f"{name}.b": modules[name].bias}
        self.x = self.torch.tensor(x)
        self.reset()

    def reset(self) -> None:
        with self.torch.no_grad():
            for name, layer, attribute in self.model.named_parameters():
                # Linear holds W as (outputs, inputs); b is its own transpose
                self.weights[name].copy_(self.torch.from_numpy(getattr(layer, attribute).T))
        self.optimizer = self.torch.optim.Adam(
            self.weights.values(), lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=self.fused
        )

    def backward(self) -> float:
        self.optimizer.zero_grad()
        loss = self.objective(self.x)
        loss.backward()
        return loss.item()

    def step(self) -> float:
        loss = self.backward()
        self.optimizer.step()
        return loss

    def gradients(self) -> tuple[float, Tensors]:
        loss = self.backward()
        return loss, {name: weight.grad.numpy().T.copy() for name, weight in self.weights.items()}

    def parameters(self) -> Tensors:
        return {name: weight.detach().numpy().T.copy() for name, weight in self.weights.items()}

    def facts(self) -> dict[str, Any]:
        return {"torch": self.torch.__version__, "torch_threads": self.torch.get_num_threads()}


# JAX

JAX_LAYERS = {
    Dense: lambda nn, layer: lambda x, W, b: x @ W + b,
    Identity: lambda nn, layer: lambda x: x,
    LeakyReLU: lambda nn, layer: functools.partial(nn.leaky_relu, negative_slope=layer.slope),
    ReLU: lambda nn, layer: nn.relu,
    Sigmoid: lambda nn, layer: nn.sigmoid,
    Softplus: lambda nn, layer: nn.softplus,
    Tanh: lambda nn, layer: nn.tanh,
}
JAX_LOSSES = {
    MSE: lambda jnp, y, x: jnp.sum((y - x) ** 2),
    BCE: lambda jnp, y, x: (
        -jnp.sum(x * jnp.log(jnp.maximum(y, 1e-37)) + (1 - x) * jnp.log(jnp.maximum(1 - y, 1e-37)))
    ),
    BCEWithLogits: lambda jnp, y, x: jnp.sum(jnp.logaddexp(y, 0) - x * y),
}


class Jax:
    """JAX: the whole step, Adam included, is one function under `jax.jit`, and its state is donated."""

    def __init__(self, model: Model, x: np.ndarray):
        require_translatable(model)
        self.jax = jax = required("jax")
        self.model = model
        jnp, each = jax.numpy, jax.tree.map
        layers = [(name, layer, JAX_LAYERS[type(layer)](jax.nn, layer)) for name, layer in model.leaves()]
        loss = JAX_LOSSES[type(model.loss)]

        def objective(θ, x):
            y = x
            for name, layer, function in layers:
                y = function(y, *(θ[f"{name}.{attribute}"] for attribute in layer.parameter_names))
            return loss(jnp, y, x) / len(x)

        def step(θ, m, v, t, x):
            value, g = jax.value_and_grad(objective)(θ, x)
            m = each(lambda m, g: BETA1 * m + (1 - BETA1) * g, m, g)
            v = each(lambda v, g: BETA2 * v + (1 - BETA2) * g * g, v, g)
            # 1 - βᵗ without its rounding error; both corrections in two numbers, as in scratchae
            correction = jnp.sqrt(-jnp.expm1(t * math.log(BETA2)))
            size = LR * correction / -jnp.expm1(t * math.log(BETA1))
            θ = each(lambda θ, m, v: θ - size * m / (jnp.sqrt(v) + EPS * correction), θ, m, v)
            return θ, m, v, t + 1, value

        self.compiled_step = jax.jit(step, donate_argnums=(0, 1, 2, 3))
        self.compiled_gradients = jax.jit(jax.value_and_grad(objective))
        self.x = jnp.array(x)
        self.reset()

    def reset(self) -> None:
        jnp = self.jax.numpy
        θ = {name: jnp.array(getattr(layer, a)) for name, layer, a in self.model.named_parameters()}
        m, v = (self.jax.tree.map(jnp.zeros_like, θ) for _ in range(2))
        self.state = θ, m, v, jnp.float32(1)

    def step(self) -> float:
        *self.state, loss = self.compiled_step(*self.state, self.x)
        self.jax.block_until_ready(self.state)
        return float(loss)

    def gradients(self) -> tuple[float, Tensors]:
        loss, gradients = self.compiled_gradients(self.state[0], self.x)
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
    "jax": ("JAX jit", Jax),
}


def require_translatable(model: Model) -> None:
    """Raise BenchmarkError if the tables above do not cover the model."""
    if type(model) is not Autoencoder or model.penalty is not None or model.tied:
        raise BenchmarkError(f"only an Autoencoder without penalty and tied weights has peers so far, got {model!r}")
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
