# %% [markdown]
# # Step through a network
#
# Each frame below is one training step of a network, whole: every tensor with its name, its shape, its formula and its
# numbers, forward, then the loss, then backward, then the update. Walk with the slider or with the arrow keys. Point at a
# number to see which numbers it was computed from. Every gradient stands beside the one that
# [finite differences](glossary.md#finite-differences) measured. Click a number of what is given to change it, hide one to predict
# it, and press *Play* to train.
#
# `scratchae study NAME --html FILE` makes such a page of any preset, of a model that you have trained, or, as
# `scratchae.trace(model, x).html(path)`, of any model that you have built.

# %% tags=["hide-input"]
import numpy as np

import scratchae as sae
from scratchae.presets import find_preset
from scratchae.study.tiny import LEARNING_RATE, classic
from scratchae.tutorial import study_page, trained


def study(name, caption, step=""):
    """One step of a preset, untrained, on three drawings."""
    preset = find_preset(name)
    model = preset.build(np.random.default_rng(0))
    x = preset.examples(None, None).test[:3]
    found = sae.trace(model, x, rng=np.random.default_rng(1), optimizer=sae.Adam())
    study_page(found, name, caption, step)


# %% [markdown]
# ## Small enough to compute by hand
#
# Two numbers, down to one, and back: 2-2-1-2-2, with sigmoids. [Chapter 02](02_backpropagation.py) derives each step.

# %% tags=["hide-input"]
trace = sae.trace(*classic(), optimizer=sae.SGD(LEARNING_RATE))
study_page(trace, "tiny", "One step of the network 2-2-1-2-2, with all of its arithmetic.")

# %% [markdown]
# ## One that was trained
#
# The network of the book's first page: the preset conv-pool, 784 pixels to 128 numbers and back, after 15 epochs of MNIST. Its
# 4,385 weights are in the folder `tutorials/trained`, beside the command that made them, rounded to 16 bits. It opens at its prediction;
# press *Draw a digit* to give it one of your own.

# %% tags=["hide-input"]
x = find_preset("conv-pool").examples(None, None).test[:3]
trace = sae.trace(trained("conv-pool"), x, optimizer=sae.Adam())
study_page(trace, "digit", "One step of a trained network, on three drawings.", "a₇")

# %% [markdown]
# ## A deep one
#
# 784-128-64-32-64-128-784 with ReLU, as in [chapter 05](05_going_deep.py). It opens at the gradient of the first weights. Switch on
# *one scale for all gradients*, walk back from there, and compare their sizes; look also at how many units a ReLU switches off.

# %% tags=["hide-input"]
study(
    "deep",
    "One step of the preset deep: three drawings, three layers down and three back up.",
    "∂L/∂W₁",
)

# %% [markdown]
# ## Convolutions
#
# The layers of [chapter 08](08_convolution.py): a number of an image depends on a small patch of the one before. It opens at the second
# convolution: point at a number, and its patch is marked.

# %% tags=["hide-input"]
study(
    "conv",
    "One step of the preset conv: convolutions down to 64 numbers, and their adjoints back.",
    "a₂",
)

# %% [markdown]
# ## A code that is drawn
#
# A [variational autoencoder](glossary.md#variational-autoencoder), as in [chapter 11](11_variational.py): the noise ε is an
# input like any other, so that the gradient passes through the draw. It opens there.

# %% tags=["hide-input"]
study(
    "vae",
    "One step of the preset vae: mean and log-variance, the draw, and both terms of the loss.",
    "z",
)
