"""A model's training step in JAX."""

from __future__ import annotations

import math
import os
from types import ModuleType
from typing import Any

import numpy as np

from ...backend import cores
from ...models import VAE, Autoencoder, Model
from ..agreement import Tensors
from ..harness import BenchmarkError
from .libraries import required
from .noise import noise
from .ours import BETA1, BETA2, EPS, LR
from .translations import LOSSES, TRANSLATIONS


def jax_part(jax: ModuleType, model: Model, part: str) -> Any:
    """A function of the parameters and the input: a part of the model, layer by layer."""
    layers = [
        (name, layer, TRANSLATIONS[type(layer)].jax(jax, layer)) for name, layer in getattr(model, part).leaves(part)
    ]

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

    def __init__(self, model: Model, x: np.ndarray, device: str = "cpu"):
        # on a GPU XLA would take most of its memory for itself, which others need in their turn
        os.environ.setdefault("XLA_PYTHON_CLIENT_PREALLOCATE", "false")
        self.jax = jax = required("jax")
        jax.config.update("jax_platforms", {"cpu": "cpu", "gpu": "cuda"}[device])
        if device == "gpu":
            jax.config.update("jax_default_matmul_precision", "highest")  # no TF32
        try:
            jax.devices()
        except RuntimeError as error:
            raise BenchmarkError(f"this JAX ({jax.__version__}) finds no {device.upper()}: {error}") from None
        self.model, self.device = model, device
        jnp, each = jax.numpy, jax.tree.map
        parts = {part: jax_part(jax, model, part) for part in model.part_names}
        objective = JAX_OBJECTIVES[type(model)](jax, model, parts, LOSSES[type(model.loss)][1])

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
        self.noise = noise(self.model, self.batch, seed, self.device)
        jnp = self.jax.numpy
        θ = {name: jnp.array(getattr(layer, a)) for name, layer, a in self.model.named_parameters()}
        m, v = (self.jax.tree.map(jnp.zeros_like, θ) for _ in range(2))
        self.state = θ, m, v, jnp.float32(1)

    def step(self) -> None:
        *self.state, self.loss = self.compiled_step(*self.state, self.x, self.key, *self.noise())

    def finish(self) -> None:
        self.jax.block_until_ready(self.state)
        float(self.loss)

    def gradients(self) -> tuple[float, Tensors]:
        loss, gradients = self.compiled_gradients(self.state[0], self.x, self.key, *self.noise())
        return float(loss), {name: np.array(gradient) for name, gradient in gradients.items()}

    def parameters(self) -> Tensors:
        return {name: np.array(parameter) for name, parameter in self.state[0].items()}

    def facts(self) -> dict[str, Any]:
        found = {"jax": self.jax.__version__, "jax_threads": cores()}  # XLA starts one for each core it may use
        return found | ({"jax_gpu": self.jax.devices()[0].device_kind} if self.device == "gpu" else {})
