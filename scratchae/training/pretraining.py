"""Greedy pretraining: a deep network learns layer by layer, each layer from the output of the layers below it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from ..arguments import flag, refuse, whole
from ..backend import Array, generator, to_numpy
from ..errors import OptionError
from ..layers import Dense, Layer, Sequential
from ..losses import MSE
from ..models import DBN, RBM, Autoencoder, Model
from ..optimizers import SGD, Adam, Optimizer
from .fit import fit
from .history import History


@dataclass(frozen=True)
class Stage:
    """One layer's turn: the small model that is fitted, and its output for the stage above."""

    model: Model
    up: Callable[[Array], Array]
    what: str


def pretrain(
    model: Model | Sequential,
    x: Array,
    *,
    epochs: int = 10,
    batch_size: int = 100,
    optimizer: Callable[[Model], Optimizer] | None = None,
    seed: int = 0,
    device: str = "cpu",
    progress: bool = True,
) -> list[History]:
    """Fit the layers of a deep network one after the other, from the data up, in place. Returns a history for each.

    model: a DBN, whose RBMs are fitted by contrastive divergence to E[h | v] of the one below (Hinton et al. 2006); an
    Autoencoder, or a Sequential, of Dense layers with whatever follows each: every Dense layer is fitted as the encoder of an
    autoencoder of its own (Bengio et al. 2007). If the decoder mirrors the encoder, its Dense layer of the same sizes serves as
    decoder and learns too; otherwise a new layer does, which is thrown away. The lowest has the model's loss, the others have
    the squared error.

    x (N, D). `optimizer` makes an optimizer for the small model of a layer; by default `momentum_sgd` for an RBM and Adam() for an
    autoencoder. Ctrl-C ends it as in `fit`: there are fewer histories, the last of them is `interrupted`, and the layers above are
    unchanged. Afterwards `fit` trains the whole model. Raises OptionError for layers that it cannot take.
    """
    seed, make = whole("pretrain", "seed", seed, 0), default_optimizer if optimizer is None else optimizer
    if not callable(make) or isinstance(make, type):
        refuse("pretrain", "optimizer", optimizer, "a function that makes one for a model: lambda model: Adam(1e-3)")
    flag("pretrain", "progress", progress)
    stages = rbm_stages(model) if isinstance(model, DBN) else dense_stages(model, seed)
    histories: list[History] = []
    try:
        for i, stage in enumerate(stages):
            if progress:
                print(f"layer {i + 1} of {len(stages)}: {stage.what}")
            recipe = {"epochs": epochs, "batch_size": batch_size, "seed": seed + i, "device": device}
            histories.append(fit(stage.model, x, optimizer=make(stage.model), progress=progress, **recipe))
            stage.model.to("cpu")
            if histories[-1].interrupted:
                break
            if stage is not stages[-1]:
                x = to_numpy(x)
                x = np.concatenate([stage.up(x[start : start + 1000]) for start in range(0, len(x), 1000)])
    finally:
        model.to("cpu")  # let the whole model gather what `fit` has gathered layer by layer
    return histories


def rbm_stages(model: DBN) -> list[Stage]:
    return [
        Stage(rbm, rbm.propup, f"RBM {rbm.visible}-{rbm.hidden}, {rbm.hidden_units} hidden units")
        for rbm in model.rbms
    ]


def dense_stages(model: Model | Sequential, seed: int) -> list[Stage]:
    """An autoencoder for each Dense layer of an encoder."""
    up, decoders, loss = [], [], MSE()
    if isinstance(model, Autoencoder) and not model.tied:
        up, decoders, loss = blocks(model.encoder), blocks(model.decoder)[::-1], model.loss
    elif isinstance(model, Layer):
        up = blocks(model)
    if not up:
        raise OptionError(
            f"pretrain(model={model!r}): expected a DBN, or an Autoencoder or a Sequential of Dense layers that is not tied"
        )
    sizes = [dense_of(block) for block in up]
    if [(d.outputs, d.inputs) for d in sizes] != [(d.inputs, d.outputs) for d in map(dense_of, decoders)]:
        rng = generator(seed)
        decoders = [Sequential(Dense(d.outputs, d.inputs, rng=rng)) for d in sizes]
    return [
        Stage(
            Autoencoder(block, decoder, loss=loss if i == 0 else MSE()),
            block.forward,
            f"{dense_of(block).inputs}-{dense_of(block).outputs}-{dense_of(block).inputs}",
        )
        for i, (block, decoder) in enumerate(zip(up, decoders, strict=True))
    ]


def blocks(stack: Layer) -> list[Sequential]:
    """The layers in groups, each with one Dense layer. Layers before the first Dense layer belong to its group. Empty if another
    kind of layer has parameters.
    """
    groups: list[list[Layer]] = []
    before: list[Layer] = []
    for _, layer in stack.leaves():
        if isinstance(layer, Dense):
            groups.append([*before, layer])
            before = []
        elif layer.parameter_names:
            return []
        else:
            (groups[-1] if groups else before).append(layer)
    return [Sequential(*group) for group in groups]


def dense_of(block: Sequential) -> Dense:
    return next(layer for layer in block.layers if isinstance(layer, Dense))


def default_optimizer(model: Model) -> Optimizer:
    return momentum_sgd(model) if isinstance(model, RBM) else Adam()


def momentum_sgd(rbm: RBM) -> Optimizer:
    """SGD with momentum 0.9, at a rate of 0.05. For Gaussian units, which have no bound and could diverge, the rate is 0.001."""
    return SGD(0.001 if rbm.hidden_units == "gaussian" else 0.05, momentum=0.9)
