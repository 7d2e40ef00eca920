"""Boltzmann machines: one alone, and a stack whose weights a deep autoencoder starts from."""

from __future__ import annotations

import numpy as np

from ..errors import OptionError
from ..layers import Dense, Sigmoid
from ..losses import BCEWithLogits
from ..models import DBN, RBM, Model
from ..optimizers import SGD, Cosine
from ..training import pretrain
from .dense import ROWS, mirrored
from .form import Form
from .preset import Preset, warm_cosine

SIZES = [784, 1000, 500, 250, 30]
PRETRAINING_EPOCHS = 10


def sizes(form: Form) -> list[int]:
    """Those of the DBN. Raises OptionError for data that are no probabilities."""
    if not form.unit:
        raise OptionError(
            "a Boltzmann machine's visible units are 0 or 1, and the data do not lie between them: choose another preset"
        )
    return form.sizes(*SIZES[1:-1], code=SIZES[-1])


def rbm(rng: np.random.Generator, form: Form = ROWS) -> Model:
    visible, *_ = sizes(form)
    if form.hidden:
        raise OptionError(
            "--hidden: an RBM has one layer of hidden units, the code: choose its size, --code 500; dbn has several"
        )
    return RBM(visible, form.code or 500, persistent=True, rng=rng)


def unrolled(rng: np.random.Generator, form: Form = ROWS) -> Model:
    return mirrored(sizes(form), Sigmoid, rng, code=None, end=None, loss=BCEWithLogits())


def layer_by_layer(model: Model, x: np.ndarray, *, seed: int, device: str) -> None:
    """Replace the random weights by those of a trained DBN of the same sizes."""
    dense = [layer for _, layer in model.encoder.leaves() if isinstance(layer, Dense)]
    network = DBN((dense[0].inputs, *(layer.outputs for layer in dense)), rng=seed)
    histories = pretrain(network, x, epochs=PRETRAINING_EPOCHS, seed=seed, device=device)
    if histories[-1].interrupted:
        raise KeyboardInterrupt  # after half a pretraining there is nothing to continue with
    model.parameters[...] = network.unroll().parameters


PRESETS = (
    Preset(
        "rbm",
        "restricted Boltzmann machine 784-500, persistent contrastive divergence: a density of binary images",
        rbm,
        code=500,
        epochs=15,
        batch_size=50,
        lr=0.1,
        optimizer=lambda lr, steps: SGD(Cosine(lr, steps)),
    ),
    Preset(
        "dbn",
        "784-1000-500-250-30 and back, sigmoid: pretrained layer by layer as a deep belief network, then fine-tuned",
        unrolled,
        code=30,
        epochs=80,
        batch_size=128,
        lr=6e-3,  # sigmoids have a slope of at most 1/4, so they need more than science2006's Softplus
        optimizer=warm_cosine(500, weight_decay=0.02),
        pretrain=layer_by_layer,
    ),
)
