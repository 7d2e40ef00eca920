"""A model's training step in PyTorch."""

from __future__ import annotations

from types import ModuleType
from typing import Any

import numpy as np

from ...models import VAE, Autoencoder, Model
from ..agreement import Tensors
from ..harness import BenchmarkError
from .libraries import required
from .noise import noise
from .ours import BETA1, BETA2, EPS, LR
from .translations import LOSSES, TRANSLATIONS


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

    `compiled`: forward, loss and backward go through `torch.compile`, in its default mode unless `mode` names another;
    Adam stays outside, as in most training scripts. `fused`: Adam is one kernel; by default it goes through the parameters
    one by one on a CPU, and on a GPU through all of them in a dozen kernels (foreach). `channels_last`: net and images are
    in PyTorch's memory format of that name, NCHW by their indices, NHWC in memory. On a GPU in float32 throughout: no TF32.
    """

    def __init__(
        self,
        model: Model,
        x: np.ndarray,
        device: str = "cpu",
        *,
        compiled: bool = False,
        mode: str | None = None,
        fused: bool | None = None,
        channels_last: bool = False,
    ):
        self.torch = torch = required("torch")
        if device == "gpu":
            if not torch.cuda.is_available():
                raise BenchmarkError(f"this PyTorch ({torch.__version__}) finds no GPU")
            torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
        self.device, place = device, torch.device("cuda" if device == "gpu" else "cpu")
        self.model, self.fused = model, fused
        nn = torch.nn
        layout = torch.channels_last if channels_last else torch.contiguous_format
        modules = {name: TRANSLATIONS[type(layer)].torch(nn, layer) for name, layer in model.leaves()}
        parts = {
            part: nn.Sequential(*(modules[name] for name, _ in getattr(model, part).leaves(part))).to(
                place, memory_format=layout
            )
            for part in model.part_names
        }
        objective = TORCH_OBJECTIVES[type(model)](torch, model, parts, LOSSES[type(model.loss)][0])
        self.objective = torch.compile(objective, mode=mode) if compiled else objective
        self.weights, self.axes = {}, {}
        for name, layer in model.leaves():
            if layer.parameter_names:
                self.weights |= {f"{name}.W": modules[name].weight, f"{name}.b": modules[name].bias}
                self.axes |= {f"{name}.W": TRANSLATIONS[type(layer)].axes, f"{name}.b": (0,)}
        self.batch = x
        x = torch.from_numpy(x.transpose(0, 3, 1, 2) if x.ndim == 4 else x)
        # not x.contiguous(memory_format=…), which leaves the strides of images of one channel as they are
        layout = layout if x.ndim == 4 else torch.contiguous_format
        self.x = torch.empty(x.shape, memory_format=layout, device=place).copy_(x)
        self.reset()

    def reset(self, seed: int | None = None) -> None:
        self.noise = noise(self.model, self.batch, seed, self.device)
        self.torch.manual_seed(0)
        with self.torch.no_grad():
            for name, layer, attribute in self.model.named_parameters():
                ours = getattr(layer, attribute).transpose(self.axes[name])
                self.weights[name].copy_(self.torch.from_numpy(ours))
        self.optimizer = self.torch.optim.Adam(
            self.weights.values(), lr=LR, betas=(BETA1, BETA2), eps=EPS, fused=self.fused
        )

    def backward(self) -> Any:
        self.optimizer.zero_grad()
        loss = self.objective(self.x, *(self.torch.from_numpy(ε).to(self.x.device) for ε in self.noise()))
        loss.backward()
        return loss.detach()

    def step(self) -> None:
        self.loss = self.backward()
        self.optimizer.step()

    def finish(self) -> None:
        self.loss.item()
        if self.device == "gpu":
            self.torch.cuda.synchronize()

    def gradients(self) -> tuple[float, Tensors]:
        loss = self.backward().item()
        return loss, {name: self.in_our_order(name, weight.grad) for name, weight in self.weights.items()}

    def parameters(self) -> Tensors:
        return {name: self.in_our_order(name, weight.detach()) for name, weight in self.weights.items()}

    def in_our_order(self, name: str, tensor: Any) -> np.ndarray:
        return tensor.cpu().numpy().transpose(np.argsort(self.axes[name])).copy()

    def facts(self) -> dict[str, Any]:
        found = {"torch": self.torch.__version__, "torch_threads": self.torch.get_num_threads()}
        if self.device == "gpu":
            found |= {"torch_cuda": self.torch.version.cuda, "torch_gpu": self.torch.cuda.get_device_name()}
        return found
