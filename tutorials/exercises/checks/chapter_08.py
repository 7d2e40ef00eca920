"""The checks of the exercises of chapter 08."""

from __future__ import annotations

from types import ModuleType

import numpy as np

import scratchae as s
from scratchae.layers.patches import im2col
from scratchae.tutorial.answers import equal, gradients

from .tools import normal


def columns(module: ModuleType) -> list[str]:
    facts = []
    for shape, K in (((1, 3, 3, 1), 2), ((2, 5, 4, 3), 3)):
        x = np.arange(np.prod(shape), dtype=float).reshape(shape)
        right = im2col(x, (K, K))
        channels_first = (
            right.reshape(len(right), K * K, -1).transpose(0, 2, 1).reshape(right.shape)
        )
        swapped = (
            right.reshape(len(right), K, K, -1).transpose(0, 2, 1, 3).reshape(right.shape)
        )
        mistakes = {}
        if shape[3] > 1:
            mistakes[
                "the channels vary slowest within a patch, and should vary fastest"
            ] = channels_first
        mistakes["i and j have changed places: i goes down, j across"] = swapped
        facts.append(
            equal(
                f"the patches of {shape}, K = {K}",
                module.im2col(x.copy(), K),
                right,
                mistakes,
            )
        )
    return facts


def conv(module: ModuleType) -> list[str]:
    layer, x = module.Conv2d(2, 4), normal(2, 5, 4, 2)
    layer.W = normal(9 * 2, 4, seed=2)
    return [gradients(layer, x)]


def conv_transpose(module: ModuleType) -> list[str]:
    layer, x = module.ConvTranspose2d(2, 3), normal(2, 3, 4, 2)
    layer.W, layer.b = normal(9 * 3, 2, seed=2), normal(3, seed=1)
    twin = s.ConvTranspose2d(2, 3, 3, rng=0).to(dtype=np.float64)
    twin.W[...], twin.b[...] = layer.W.reshape(3, 3, 3, 2), layer.b
    right = twin.forward(x)
    y = layer.forward(x.copy())
    facts = [
        equal("forward", y, right, {"the bias is missing": right - layer.b}),
        gradients(layer, x),
    ]
    layer.b[...] = 0
    there = normal(*right.shape, seed=2)
    convolved = (im2col(there, (3, 3)) @ layer.W).reshape(x.shape)
    left, across = (layer.forward(x.copy()) * there).sum(), (x * convolved).sum()
    return [*facts, equal("⟨ConvTranspose x, y⟩ = ⟨x, Conv y⟩", left, across)]


def maxpool(module: ModuleType) -> list[str]:
    layer, x, dy = module.MaxPoolByHand(), normal(2, 6, 4, 3), normal(2, 3, 2, 3, seed=1)
    right, mean = s.MaxPool2d(2), s.AvgPool2d(2)
    y = right.forward(x)
    known = {
        "this is the mean of each window: the largest number is asked for": mean.forward(x),
        "this is the least number of each window": -s.MaxPool2d(2).forward(-x),
    }
    facts = [equal("y", layer.forward(x.copy()), y, known)]
    spread = s.UpSample2d(2).forward(dy)
    known = {
        "all four numbers of a window get dy: only the largest one moves y": spread,
        "each number gets a quarter of dy: that is average pooling": spread / 4,
        "the largest number gets the gradient of another window": right.backward(
            dy[:, ::-1]
        ),
    }
    facts.append(equal("dx", layer.backward(dy.copy()), right.backward(dy), known))
    equals = np.maximum(np.round(x), 0)  # as after a ReLU, and on a coarse grid
    y = right.forward(equals)
    equal("y, where several are equal", layer.forward(equals.copy()), y)
    largest = equals == s.UpSample2d(2).forward(y)
    count = 4 * mean.forward(largest.astype(float))
    turned = s.MaxPool2d(2)
    turned.forward(equals[:, ::-1, ::-1].copy())
    known = {
        "each of several equal numbers gets all of dy: give it to the first, or their sum is too large": spread
        * largest,
        "equal numbers share dy: give it to the first": spread
        * largest
        / s.UpSample2d(2).forward(count),
        "the last of several equal numbers gets dy: give it to the first in reading order": turned.backward(
            dy[:, ::-1, ::-1].copy()
        )[:, ::-1, ::-1],
        "a window of zeros gets no gradient: its first number is a maximum too": right.backward(
            dy
        )
        * (equals > 0),
    }
    found = layer.backward(dy.copy())
    facts.append(equal("dx, where several are equal", found, right.backward(dy), known))
    return [*facts, gradients(layer, x)]


CHECKS = {
    "08_im2col": columns,
    "08_conv": conv,
    "08_conv_transpose": conv_transpose,
    "08_maxpool": maxpool,
}
