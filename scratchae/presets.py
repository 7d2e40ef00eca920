"""Named experiments: each a model, its data and its recipe, in a few lines."""

from __future__ import annotations

import difflib
import itertools
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from .data import load_data, pixels
from .errors import OptionError
from .layers import (
    Conv2d,
    ConvTranspose2d,
    Dense,
    Dropout,
    GaussianNoise,
    Layer,
    MaxPool2d,
    ReLU,
    Sequential,
    Sigmoid,
    Softplus,
    UpSample2d,
)
from .losses import MSE, BCEWithLogits
from .models import Autoencoder, Model
from .optimizers import Adam, Cosine, Optimizer
from .penalties import L1

HELD_OUT = 60  # one in so many training examples is kept for validation: 1,000 of MNIST's 60,000


@dataclass(frozen=True)
class Examples:
    """Data ready for a model: float32 (N, D), or images (N, H, W, C), and the labels of the test examples if they have any."""

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray | None = None


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    build: the model, its weights drawn from a generator. optimizer: from a learning rate and the number of
    updates to come. code: the size of the code, and of PCA's beside it. shape: of an image as the model wants it.
    synthetic: a function of a generator and a number of examples, for presets that make their own data.
    variants: models to train and draw beside this one.
    """

    name: str
    summary: str
    build: Callable[[np.random.Generator], Model]
    code: int
    epochs: int
    batch_size: int
    lr: float = 1e-3
    optimizer: Callable[[float, int], Optimizer] = lambda lr, steps: Adam(lr)
    shape: tuple[int, ...] = (784,)
    synthetic: Callable[[np.random.Generator, int], np.ndarray] | None = None
    variants: dict[str, Callable[[np.random.Generator], Model]] = field(default_factory=dict)

    def examples(self, data: str | None = None, directory: str | None = None) -> Examples:
        """The preset's data: images by name (default "strokes"), or its own."""
        if self.synthetic is not None:
            if data is not None or directory is not None:
                raise OptionError(
                    f"preset {self.name!r} makes its own data: leave out "
                    + (f"--data {data}" if data is not None else "--data-dir")
                )
            train, test = (self.synthetic(np.random.default_rng([1, i]), n) for i, n in enumerate((12_000, 2_000)))
            return split(train, test)
        data = data or "strokes"
        if data == "strokes" and directory is not None:
            raise OptionError("strokes are drawn by code: leave out --data-dir, or add --data mnist")
        images = load_data(data, directory)
        train, test = (pixels(x).reshape(-1, *self.shape) for x in (images.train_images, images.test_images))
        return split(train, test, images.test_labels)


def split(train: np.ndarray, test: np.ndarray, test_labels: np.ndarray | None = None) -> Examples:
    """Keep the last sixtieth of the training rows for validation; the test rows serve the final figures alone."""
    held_out = max(len(train) // HELD_OUT, 1)
    return Examples(train[:-held_out], train[-held_out:], test, test_labels)


def stack(
    sizes: list[int], activation: Callable[[], Layer], rng: np.random.Generator, *, last: Layer | None
) -> Sequential:
    """Dense layers of these sizes with an activation between them, and `last`, if any, at the end.

    Each layer's initialisation suits what follows it: He's before ReLU and its smooth sister Softplus, Glorot's before anything else.
    """
    layers: list[Layer] = []
    for i, (inputs, outputs) in enumerate(itertools.pairwise(sizes)):
        follower = last if i == len(sizes) - 2 else activation()
        layers.append(
            Dense(inputs, outputs, init="he" if isinstance(follower, ReLU | Softplus) else "glorot", rng=rng)
        )
        if follower is not None:
            layers.append(follower)
    return Sequential(*layers)


def simple(rng: np.random.Generator) -> Model:
    encoder = stack([784, 256], Sigmoid, rng, last=Sigmoid())
    decoder = stack([256, 784], Sigmoid, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def bottleneck(rng: np.random.Generator) -> Model:
    encoder = stack([1000, 100, 50], ReLU, rng, last=ReLU())
    decoder = stack([50, 100, 1000], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def curved_sheet(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points on a curved 10-dimensional sheet in [0, 1]¹⁰⁰⁰: σ(4 tanh(2 z A) B), z ~ N(0, 1), A and B fixed."""
    fixed = np.random.default_rng(0)
    A, B = fixed.standard_normal((10, 60)) / 10**0.5, fixed.standard_normal((60, 1000)) / 60**0.5
    z = rng.standard_normal((n, 10))
    return (1 / (1 + np.exp(-4 * np.tanh(2 * z @ A) @ B))).astype(np.float32)


def deep(rng: np.random.Generator) -> Model:
    encoder = stack([784, 128, 64, 32], ReLU, rng, last=ReLU())
    decoder = stack([32, 64, 128, 784], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def deep_linear_code(rng: np.random.Generator) -> Model:
    encoder = stack([784, 128, 64, 32], ReLU, rng, last=None)
    decoder = stack([32, 64, 128, 784], ReLU, rng, last=Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


def science2006(rng: np.random.Generator) -> Model:
    encoder = stack([784, 1000, 500, 250, 30], Softplus, rng, last=None)
    decoder = stack([30, 250, 500, 1000, 784], Softplus, rng, last=None)
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


def overcomplete(rng: np.random.Generator, *before: Layer, dropout: float = 0.0, penalty: L1 | None = None) -> Model:
    """2 -> 50 -> 2: the code is larger than the data."""
    after = [Dropout(dropout)] if dropout else []
    encoder = Sequential(*before, Dense(2, 50, init="he", rng=rng), ReLU(), *after)
    return Autoencoder(encoder, Sequential(Dense(50, 2, rng=rng)), loss=MSE(), penalty=penalty)


def slanted_gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points from a 2-D Gaussian whose axes have standard deviations 1 and 0.3, turned by 30 degrees."""
    angle = np.pi / 6
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (rng.standard_normal((n, 2)) * [1.0, 0.3] @ turn).astype(np.float32)


def conv(rng: np.random.Generator) -> Model:
    # Glorot's weights, smaller than He's, though ReLU follows: ten epochs end lower with them
    down = {"stride": 2, "padding": 1, "rng": rng}
    up = {"stride": 2, "padding": 1, "output_padding": 1, "rng": rng}
    encoder = Sequential(
        Conv2d(1, 16, 3, **down),  # (N, 14, 14, 16)
        ReLU(),
        Conv2d(16, 32, 3, **down),  # (N, 7, 7, 32)
        ReLU(),
        Conv2d(32, 64, 7, rng=rng),  # (N, 1, 1, 64)
    )
    decoder = Sequential(
        ConvTranspose2d(64, 32, 7, rng=rng),  # (N, 7, 7, 32)
        ReLU(),
        ConvTranspose2d(32, 16, 3, **up),  # (N, 14, 14, 16)
        ReLU(),
        ConvTranspose2d(16, 1, 3, **up),  # (N, 28, 28, 1)
        Sigmoid(),
    )
    return Autoencoder(encoder, decoder, loss=MSE())


def conv_pool(rng: np.random.Generator) -> Model:
    # the last layer could be a Conv2d(16, 1, 3, padding=1): at stride 1 the two are the same functions, with the kernel
    # turned by half a circle, but to paint one channel takes less time and memory than to gather patches of 16
    same = {"padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        *(Conv2d(1, 16, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 14, 14, 16)
        *(Conv2d(16, 8, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 7, 7, 8)
        *(Conv2d(8, 8, 3, **same), ReLU(), MaxPool2d(2, ceil_mode=True)),  # (N, 4, 4, 8)
    )
    decoder = Sequential(
        *(Conv2d(8, 8, 3, **same), ReLU(), UpSample2d(2)),  # (N, 8, 8, 8)
        *(Conv2d(8, 8, 3, **same), ReLU(), UpSample2d(2)),  # (N, 16, 16, 8)
        *(Conv2d(8, 16, 3, init="he", rng=rng), ReLU(), UpSample2d(2)),  # no padding: (N, 28, 28, 16)
        ConvTranspose2d(16, 1, 3, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


def conv_denoising(rng: np.random.Generator) -> Model:
    same = {"padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "output_padding": 1, "init": "he", "rng": rng}
    encoder = Sequential(
        GaussianNoise(0.4, clip=(0, 1)),
        *(Conv2d(1, 32, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 14, 14, 32)
        *(Conv2d(32, 32, 3, **same), ReLU(), MaxPool2d(2)),  # (N, 7, 7, 32)
    )
    decoder = Sequential(
        *(ConvTranspose2d(32, 32, 3, **up), ReLU()),  # (N, 14, 14, 32)
        *(ConvTranspose2d(32, 32, 3, **up), ReLU()),  # (N, 28, 28, 32)
        ConvTranspose2d(32, 1, 3, padding=1, rng=rng),  # logits (N, 28, 28, 1)
    )
    return Autoencoder(encoder, decoder, loss=BCEWithLogits())


PRESETS = {
    preset.name: preset
    for preset in (
        Preset(
            "simple",
            "784-256-784, sigmoid: one hidden layer, the smallest autoencoder of images",
            simple,
            code=256,
            epochs=10,
            batch_size=100,
            lr=0.01,
        ),
        Preset(
            "bottleneck",
            "1000-100-50-100-1000, ReLU: a curved 10-dimensional sheet in 1,000 dimensions",
            bottleneck,
            code=50,
            epochs=50,
            batch_size=128,
            synthetic=curved_sheet,
        ),
        Preset(
            "deep",
            "784-128-64-32-64-128-784, ReLU: three layers down to 32 numbers, three back up",
            deep,
            code=32,
            epochs=10,
            batch_size=128,
        ),
        Preset(
            "deep-linear-code",
            "the same with a linear code, which no ReLU cuts at 0",
            deep_linear_code,
            code=32,
            epochs=10,
            batch_size=128,
        ),
        Preset(
            "conv",
            "convolutions 1-16-32-64 and back, ReLU: the image halved twice, then a 7 × 7 kernel down to 64 numbers",
            conv,
            code=64,
            epochs=10,
            batch_size=128,
            shape=(28, 28, 1),
        ),
        Preset(
            "conv-pool",
            "convolutions 16-8-8 with max-pooling, and back with up-sampling: the Keras blog's, down to 4 × 4 × 8",
            conv_pool,
            code=128,
            epochs=15,
            batch_size=128,
            lr=5e-3,
            optimizer=lambda lr, steps: Adam(Cosine(lr, steps, warmup=min(200, steps // 10))),
            shape=(28, 28, 1),
        ),
        Preset(
            "conv-denoising",
            "convolutions 32-32 with max-pooling, and back: removes Gaussian noise of 0.4 (keras.io's)",
            conv_denoising,
            code=64,  # its own, 7 · 7 · 32, is larger than the image; of PCA's, with 64 directions removes noise best
            epochs=30,
            batch_size=64,
            lr=5e-3,
            optimizer=lambda lr, steps: Adam(Cosine(lr, steps, warmup=min(200, steps // 10))),
            shape=(28, 28, 1),
        ),
        Preset(
            "overcomplete",
            "2-50-2: a code larger than the data learns the identity; dropout, sparsity and noise change that",
            overcomplete,
            code=2,
            epochs=20,
            batch_size=128,
            synthetic=slanted_gaussian,
            variants={
                "dropout 0.5 on the code": lambda rng: overcomplete(rng, dropout=0.5),
                "sparsity, L1 of 0.02": lambda rng: overcomplete(rng, penalty=L1(0.02)),
                "noise of 0.5 on the input": lambda rng: overcomplete(rng, GaussianNoise(0.5)),
            },
        ),
        Preset(
            "science2006",
            "784-1000-500-250-30 and back, linear code: Hinton and Salakhutdinov's, from random weights",
            science2006,
            code=30,
            epochs=80,
            batch_size=128,
            # without decay it overfits: the training error falls on, the test error does not
            optimizer=lambda lr, steps: Adam(Cosine(lr, steps, warmup=min(500, steps // 10)), weight_decay=0.1),
        ),
    )
}


def find_preset(name: str) -> Preset:
    """The preset of this name. Raises OptionError, with the nearest names."""
    if name in PRESETS:
        return PRESETS[name]
    near = difflib.get_close_matches(name, PRESETS, n=3, cutoff=0.4)
    hint = f"did you mean {' or '.join(map(repr, near))}?" if near else f"expected one of {', '.join(PRESETS)}"
    raise OptionError(f"unknown preset {name!r}: {hint}")
