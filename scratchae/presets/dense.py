"""Dense autoencoders of images, of a curved sheet and of a plane."""

from __future__ import annotations

import itertools
from collections.abc import Callable

import numpy as np

from ..layers import Dense, Dropout, GaussianNoise, Layer, ReLU, Sequential, Sigmoid, Softplus
from ..losses import MSE, BCEWithLogits, Loss
from ..models import Autoencoder, Model
from ..penalties import L1
from .form import Form
from .preset import Preset, warm_cosine

ROWS, SHEET, PLANE = Form((784,)), Form((1000,)), Form((2,), unit=False)


def stack(
    sizes: list[int], activation: Callable[[], Layer], rng: np.random.Generator, *, last: Layer | None
) -> Sequential:
    """Dense layers of these sizes with an activation between them, and the layer `last`, if given, at the end.

    The initial weights suit the activation that follows: He's before ReLU and Softplus, Glorot's before all others.
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


def mirrored(
    sizes: list[int],
    activation: Callable[[], Layer],
    rng: np.random.Generator,
    *before: Layer,
    code: Layer | None,
    end: Layer | None,
    loss: Loss,
) -> Autoencoder:
    """An autoencoder of dense layers: `sizes` from the data to the code, and back. before: what the encoder begins with; code, end:
    the last layers of encoder and decoder.
    """
    encoder = stack(sizes, activation, rng, last=code)
    decoder = stack(sizes[::-1], activation, rng, last=end)
    return Autoencoder(Sequential(*before, encoder) if before else encoder, decoder, loss=loss)


def squashed(form: Form) -> Layer | None:
    """A sigmoid at the end of a decoder, for data in [0, 1]."""
    return Sigmoid() if form.unit else None


def simple(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return mirrored(form.sizes(code=256), Sigmoid, rng, code=Sigmoid(), end=squashed(form), loss=MSE())


def bottleneck(rng: np.random.Generator, form: Form = SHEET) -> Model:
    return mirrored(form.sizes(100, code=50), ReLU, rng, code=ReLU(), end=squashed(form), loss=MSE())


def curved_sheet(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points on a curved 10-dimensional sheet in [0, 1]¹⁰⁰⁰: σ(4 tanh(2 z A) B), z ~ N(0, 1), A and B fixed."""
    fixed = np.random.default_rng(0)
    A, B = fixed.standard_normal((10, 60)) / 10**0.5, fixed.standard_normal((60, 1000)) / 60**0.5
    z = rng.standard_normal((n, 10))
    return (1 / (1 + np.exp(-4 * np.tanh(2 * z @ A) @ B))).astype(np.float32)


def deep(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return mirrored(form.sizes(128, 64, code=32), ReLU, rng, code=ReLU(), end=squashed(form), loss=MSE())


def deep_linear_code(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return mirrored(form.sizes(128, 64, code=32), ReLU, rng, code=None, end=squashed(form), loss=MSE())


def science2006(rng: np.random.Generator, form: Form = ROWS) -> Model:
    loss = form.loss(BCEWithLogits())
    return mirrored(form.sizes(1000, 500, 250, code=30), Softplus, rng, code=None, end=None, loss=loss)


def code_of_table(features: int) -> int:
    """A table has few columns, and a code that is not much smaller than they are would copy them."""
    return min(16, max(features // 3, 1))


def table(rng: np.random.Generator, form: Form = ROWS) -> Model:
    # on scikit-learn's tables one layer of Softplus errs half as much on new rows as two of ReLU, and less than PCA
    return mirrored(
        form.sizes(128, code=code_of_table(form.features)), Softplus, rng, code=None, end=squashed(form), loss=MSE()
    )


def overcomplete(
    rng: np.random.Generator, form: Form = PLANE, *before: Layer, dropout: float = 0.0, penalty: L1 | None = None
) -> Model:
    """2 -> 50 -> 2: the code is larger than the data."""
    sizes = form.sizes(code=50)
    after = [Dropout(dropout)] if dropout else []
    encoder = Sequential(*before, *stack(sizes, ReLU, rng, last=ReLU()).layers, *after)
    return Autoencoder(encoder, stack(sizes[::-1], ReLU, rng, last=None), loss=MSE(), penalty=penalty)


def slanted_gaussian(rng: np.random.Generator, n: int) -> np.ndarray:
    """Points from a 2-D Gaussian whose axes have standard deviations 1 and 0.3, turned by 30 degrees."""
    angle = np.pi / 6
    turn = np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    return (rng.standard_normal((n, 2)) * [1.0, 0.3] @ turn).astype(np.float32)


PRESETS = (
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
        "overcomplete",
        "2-50-2: a code larger than the data learns the identity; dropout, sparsity and noise change that",
        overcomplete,
        code=2,
        epochs=20,
        batch_size=128,
        synthetic=slanted_gaussian,
        variants={
            "dropout 0.5 on the code": lambda rng, form=PLANE: overcomplete(rng, form, dropout=0.5),
            "sparsity, L1 of 0.02": lambda rng, form=PLANE: overcomplete(rng, form, penalty=L1(0.02)),
            "noise of 0.5 on the input": lambda rng, form=PLANE: overcomplete(rng, form, GaussianNoise(0.5)),
        },
    ),
    Preset(
        "science2006",
        "784-1000-500-250-30 and back, linear code: Hinton and Salakhutdinov's, from random weights",
        science2006,
        code=30,
        epochs=80,
        batch_size=128,
        # without weight decay it overfits: the training error keeps falling, the test error does not
        optimizer=warm_cosine(500, weight_decay=0.1),
    ),
    Preset(
        "table",
        "784-128-16 and back (784: the columns of the table), Softplus, linear code: for tables, of any width and range",
        table,
        code=16,
        epochs=100,
        batch_size=16,
        lr=5e-3,
        optimizer=warm_cosine(),
    ),
)
