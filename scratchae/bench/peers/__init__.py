"""One training step of a scratchae model in scratchae, PyTorch and JAX, each as its users would write it.

Every peer takes a model, at its initial weights, a batch, and the device "cpu" or "gpu", and offers:

    reset(seed)   the model's weights again, and a new Adam. Without a seed the library draws its noise itself; with
                  one it gets what NumPy's generator of that seed draws, so that steps can be compared
    step()        one whole training step: forward, loss, backward, Adam; on a GPU it may still be under way
    finish()      wait until all that was begun is done, the last loss read by the host
    gradients()   the loss and all gradients at the present weights, by scratchae's names and in its layout
    parameters()  the present weights, likewise
    facts()       versions and thread counts

The nets are written from the model's layers, so a new preset of the same layers needs nothing here. A new kind of
layer or loss needs its row in translations.py, a model its line in `MODELS` and in each peer's objectives.

Images are NHWC in scratchae and JAX, NCHW in PyTorch. Each peer has the batch in its own layout before the first step.

Memory: `recycle_memory`, which `fit` calls, is a setting of scratchae's own process. The peers have what their users
get: PyTorch takes memory from the C library with its defaults, XLA plans the buffers of a compiled function itself and
may write the new parameters over the old ones (`donate_argnums`).
"""

from __future__ import annotations

import functools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from ...models import Model
from ..harness import BenchmarkError
from . import translations
from .in_jax import Jax
from .in_torch import Torch
from .noise import MODELS
from .ours import Scratchae
from .translations import LOSSES, TRANSLATIONS

DEVICES = ("cpu", "gpu")


@dataclass(frozen=True)
class Peer:
    """A way to do the step: how tables call it, what builds it, and where it is a peer at all."""

    title: str
    build: Callable[..., Any]  # of model, batch, device
    devices: tuple[str, ...] = DEVICES
    images: bool = False  # it differs from another one in the layout of images only

    def suits(self, model: Model, device: str) -> bool:
        has_images = any(TRANSLATIONS[type(layer)].images for _, layer in model.leaves())
        return device in self.devices and (has_images or not self.images)


COMPILED = {"fused": True, "compiled": True}
PEERS = {
    "scratchae": Peer("scratchae", Scratchae),
    "scratchae-compiled": Peer("scratchae, compiled kernels", functools.partial(Scratchae, compiled=True), ("cpu",)),
    "scratchae-eager": Peer("scratchae, eager", functools.partial(Scratchae, recorded=False), ("gpu",)),
    "torch": Peer("PyTorch eager, Adam", Torch),
    "torch-fused": Peer("PyTorch eager, fused Adam", functools.partial(Torch, fused=True)),
    "torch-compile": Peer("torch.compile, fused Adam", functools.partial(Torch, **COMPILED)),
    "torch-compile-graphs": Peer(
        "torch.compile, reduce-overhead", functools.partial(Torch, **COMPILED, mode="reduce-overhead"), ("gpu",)
    ),
    "torch-channels-last": Peer(
        "PyTorch eager, channels_last", functools.partial(Torch, fused=True, channels_last=True), images=True
    ),
    "torch-compile-channels-last": Peer(
        "torch.compile, channels_last", functools.partial(Torch, **COMPILED, channels_last=True), images=True
    ),
    "jax": Peer("JAX jit", Jax),
}


def peers_of(model: Model, device: str = "cpu") -> list[str]:
    """The names of the peers that a model has on a device."""
    return [name for name, peer in PEERS.items() if peer.suits(model, device)]


def untranslatable(model: Model) -> str | None:
    """Why the tables do not cover the model; None if they do."""
    if not MODELS.get(type(model), (lambda model: False, None))[0](model):
        return (
            "only an Autoencoder without penalty and tied weights and a VAE without binarise have peers so far, "
            f"got {type(model).__name__}"
        )
    parts = {name: layer for name, layer in model.leaves() if type(layer) not in TRANSLATIONS}
    if type(model.loss) not in LOSSES:
        parts["loss"] = model.loss
    for name, part in parts.items():
        return f"no translation to PyTorch and JAX for {name}, {part!r}: add it to {translations.__file__}"
    return None


def require_translatable(model: Model) -> None:
    """Raise BenchmarkError if the tables do not cover the model."""
    if (reason := untranslatable(model)) is not None:
        raise BenchmarkError(reason)
