"""One line of a textbook layer changed, as it is mistaken in practice: the line, and what the mistake should be called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator

import numpy as np
import textbook

from scratchae.study.specimens import normal, prediction_and_target, unit

# how to make each, and what to call it with
MAKE = {
    "Dense": (lambda cls: cls(4, 4), lambda rng: (normal(rng, 5, 4),)),
    "DenseSigmoid": (lambda cls: cls(4, 4), lambda rng: (normal(rng, 5, 4),)),
    "LayerNorm": (lambda cls: cls(4), lambda rng: (normal(rng, 5, 4),)),
    "Flatten": (lambda cls: cls(), lambda rng: (normal(rng, 3, 2, 2, 4),)),
    "mse": (lambda function: function, lambda rng: prediction_and_target(rng, 5, 4)),
    "bce": (lambda function: function, lambda rng: prediction_and_target(rng, 5, 4)),
    "bce_with_logits": (lambda function: function, lambda rng: (2 * normal(rng, 5, 4), unit(rng, 5, 4))),
    "gaussian_kl": (lambda function: function, lambda rng: (normal(rng, 5, 4), normal(rng, 5, 4))),
    "l2": (lambda function: function, lambda rng: (normal(rng, 5, 4),)),
}
PLAIN = (lambda cls: cls(), lambda rng: (normal(rng, 6, 5),))

KEEP_FIRST = "if not hasattr(self, '{0}'): self.{0} = {1}"
LINES = [
    ("Dense", "transposed", "self.x.T @ dy", "dy.T @ self.x"),
    ("Dense", "averaged_twice", "self.x.T @ dy", "self.x.T @ dy / len(dy)"),
    ("Dense", "sign", "self.x.T @ dy", "-self.x.T @ dy"),
    ("Dense", "factor", "self.x.T @ dy", "2 * self.x.T @ dy"),
    ("Dense", "accumulated", "self.dW = self.x.T @ dy", "self.dW = getattr(self, 'dW', 0) + self.x.T @ dy"),
    ("Dense", "batch_missing", "self.x.T @ dy", "np.outer(self.x[0], dy[0])"),
    ("Dense", "batch_missing", "self.dW = self.x.T @ dy", "for a, g in zip(self.x, dy): self.dW = np.outer(a, g)"),
    ("Dense", "not_summed", "self.x.T @ dy", "self.x[:, :, None] * dy[:, None, :]"),
    ("Dense", "wrong_point", "self.x.T @ dy", "(self.x @ self.W + self.b).T @ dy"),
    ("Dense", "upstream_ignored", "self.x.T @ dy", "self.x.T @ np.ones_like(dy)"),
    ("Dense", "zero", "self.dW = self.x.T @ dy", "self.dW = np.zeros_like(self.W)"),
    ("Dense", "averaged_twice", "dy.sum(axis=0)", "dy.mean(axis=0)"),
    ("Dense", "not_summed", "dy.sum(axis=0)", "dy"),
    ("Dense", "wrong_sum", "dy.sum(axis=0)", "dy.sum(axis=1)"),
    ("Dense", "wrong_sum", "self.db = dy.sum(axis=0)", "self.db = np.full_like(self.b, dy.sum())"),
    ("Dense", "shape", "dy.sum(axis=0)", "dy.sum(axis=0, keepdims=True)"),
    ("Dense", "batch_missing", "dy.sum(axis=0)", "dy[-1]"),
    ("Dense", "accumulated", "self.db = dy.sum(axis=0)", "self.db = dy.sum(axis=0) + getattr(self, 'db', 0)"),
    ("Dense", "dtype", "dy.sum(axis=0)", "dy.sum(axis=0, dtype=np.float64)"),
    ("Dense", "parameter_turned", "dy @ self.W.T", "dy @ self.W"),
    ("Dense", "input_modified", "return dy @ self.W.T", "self.W -= 0.1 * self.dW; return dy @ (self.W + 0.1 * self.dW).T"),
    ("Dense", "stale", "self.x = x", KEEP_FIRST.format("x", "x")),
    ("Dense", "input_modified", "self.x = x", "x -= x.mean(); self.x = x"),
    ("Dense", "factor", "return x @ self.W", "return np.random.normal(1, 0.1) * x @ self.W"),
    ("DenseSigmoid", "not_differentiated", "da = dy * self.y * (1 - self.y)", "da = dy"),
    ("DenseSigmoid", "not_differentiated", "self.x.T @ da", "self.x.T @ dy"),
    ("DenseSigmoid", "not_differentiated", "da.sum(axis=0)", "dy.sum(axis=0)"),
    ("DenseSigmoid", "not_differentiated", "da @ self.W.T", "dy @ self.W.T"),
    ("DenseSigmoid", "parameter_turned", "da @ self.W.T", "da @ self.W"),
    ("DenseSigmoid", "sign", "(1 - self.y)", "(self.y - 1)"),
    ("DenseSigmoid", "upstream_ignored", "dy * self.y", "self.y"),
    ("DenseSigmoid", "averaged_twice", "self.x.T @ da", "self.x.T @ da / len(dy)"),
    ("DenseSigmoid", "transposed", "self.x.T @ da", "da.T @ self.x"),
    ("Sigmoid", "sign", "(1 - self.y)", "(self.y - 1)"),
    ("Sigmoid", "upstream_ignored", "dy * self.y", "self.y"),
    ("Sigmoid", "not_linear", "dy * self.y", "dy**2 * self.y"),
    ("Sigmoid", "wrong_point", "self.y = 1 / (1 + np.exp(-x))\n        return self.y", "self.y = x\n        return 1 / (1 + np.exp(-x))"),
    ("Sigmoid", "wrong_point", "dy * self.y * (1 - self.y)", "dy / (2 + np.exp(self.y) + np.exp(-self.y))"),
    ("Sigmoid", "not_differentiated", "dy * self.y * (1 - self.y)", "dy * self.y"),
    ("Sigmoid", "not_differentiated", "dy * self.y * (1 - self.y)", "dy"),
    ("Sigmoid", "input_modified", "return dy * self.y * (1 - self.y)", "dy *= self.y * (1 - self.y); return dy"),
    ("Sigmoid", "stale", "self.y = 1 / (1 + np.exp(-x))\n        return self.y", KEEP_FIRST.format("y", "1 / (1 + np.exp(-x))") + "\n        return 1 / (1 + np.exp(-x))"),
    ("Sigmoid", "dtype", "1 / (1 + np.exp(-x))", "np.float64(1) / (1 + np.exp(-x))"),
    ("Tanh", "sign", "1 - self.y**2", "self.y**2 - 1"),
    ("Tanh", "upstream_ignored", "dy * (1 - self.y**2)", "1 - self.y**2"),
    ("Tanh", "wrong_point", "self.y = np.tanh(x)\n        return self.y", "self.y = x\n        return np.tanh(x)"),
    ("Tanh", "wrong_point", "1 - self.y**2", "1 - np.tanh(self.y) ** 2"),
    ("Tanh", "not_differentiated", "(1 - self.y**2)", "self.y"),
    ("Tanh", "factor", "(1 - self.y**2)", "2 * (1 - self.y**2)"),
    ("ReLU", "mask_inverted", "self.y > 0", "self.y <= 0"),
    ("ReLU", "mask_inverted", "(self.y > 0)", "(1 - (self.y > 0))"),
    ("ReLU", "not_differentiated", "(self.y > 0)", "self.y"),
    ("ReLU", "not_differentiated", "self.y > 0", "self.y >= 0"),
    ("ReLU", "upstream_ignored", "dy * (self.y > 0)", "1.0 * (self.y > 0)"),
    ("ReLU", "not_linear", "self.y > 0", "dy > 0"),
    ("ReLU", "input_modified", "np.maximum(x, 0)", "np.maximum(x, 0, out=x)"),
    ("ReLU", "input_modified", "return dy * (self.y > 0)", "dy[self.y <= 0] = 0; return dy"),
    ("LeakyReLU", "mask_inverted", "dy, 0.1 * dy", "0.1 * dy, dy"),
    ("LeakyReLU", "mask_inverted", "self.x > 0", "self.x < 0"),
    ("LeakyReLU", "not_differentiated", "dy, 0.1 * dy", "dy, dy"),
    ("Softplus", "wrong_point", "np.exp(-self.x)", "np.exp(-np.logaddexp(0, self.x))"),
    ("Softplus", "not_differentiated", "dy / (1 + np.exp(-self.x))", "dy * np.logaddexp(0, self.x)"),
    ("Softplus", "upstream_ignored", "dy / (1", "1 / (1"),
    ("Square", "factor", "2 * self.x * dy", "self.x * dy"),
    ("Square", "not_differentiated", "2 * self.x * dy", "self.x**2 * dy"),
    ("Square", "wrong_point", "2 * self.x * dy", "2 * self.x**2 * dy"),
    ("Softmax", "cross_terms", "self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))", "dy * self.y * (1 - self.y)"),
    ("Softmax", "not_differentiated", "self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))", "dy"),
    ("Softmax", "sign", "(dy - (dy * self.y).sum(axis=1, keepdims=True))", "((dy * self.y).sum(axis=1, keepdims=True) - dy)"),
    ("LayerNorm", "cross_terms", "(g - g.mean(axis=1, keepdims=True) - self.x_hat * across)", "g"),
    ("LayerNorm", "averaged_twice", "(dy * self.x_hat).sum(axis=0)", "(dy * self.x_hat).mean(axis=0)"),
    ("LayerNorm", "not_summed", "(dy * self.x_hat).sum(axis=0)", "dy * self.x_hat"),
    ("LayerNorm", "not_differentiated", "(dy * self.x_hat).sum(axis=0)", "dy.sum(axis=0)"),
    ("LayerNorm", "batch_missing", "dy.sum(axis=0)\n        g", "dy[0]\n        g"),
    ("Dropout", "mask_inverted", "dy * self.mask", "dy * (self.mask == 0)"),
    ("Dropout", "not_differentiated", "return dy * self.mask", "return dy"),
    ("Dropout", "factor", "dy * self.mask", "dy * (self.mask > 0)"),
    ("Dropout", "draws", "rng.random(x.shape)", "np.random.random(x.shape)"),
    ("Dropout", "input_modified", "return x * self.mask", "x *= self.mask; return x"),
    ("Flatten", "shape", "dy.reshape(self.shape)", "dy"),
    ("Flatten", "reordered", "dy.reshape(self.shape)", "dy.reshape(self.shape, order='F')"),
    ("mse", "sign", "2 * difference / n", "-2 * difference / n"),
    ("mse", "not_averaged", "2 * difference / n", "2 * difference"),
    ("mse", "factor", "2 * difference / n", "difference / n"),
    ("mse", "averaged_twice", "2 * difference / n", "2 * difference / n**2"),
    ("mse", "factor", "2 * difference / n", "2 * difference / difference.size"),
    ("mse", "input_modified", "difference = prediction - target", "difference = prediction; difference -= target"),
    ("mse", "zero", "2 * difference / n", "0 * difference"),
    ("bce", "sign", "(p - target)", "(target - p)"),
    ("bce", "not_averaged", "(p * (1 - p)) / n", "(p * (1 - p))"),
    ("bce", "not_differentiated", "(p - target) / (p * (1 - p)) / n", "(p - target) / n"),
    ("bce", "wrong_point", "(p - target) / (p * (1 - p)) / n", "(target - p) / (target * (1 - target)) / n"),
    ("bce_with_logits", "not_differentiated", "(p - target) / n", "(prediction - target) / n"),
    ("bce_with_logits", "sign", "(p - target) / n", "(target - p) / n"),
    ("bce_with_logits", "not_averaged", "(p - target) / n", "p - target"),
    ("bce_with_logits", "wrong_point", "(p - target) / n", "(1 / (1 + np.exp(-p)) - target) / n"),
    ("gaussian_kl", "factor", "(variance - 1) / (2 * n)", "(variance - 1) / n"),
    ("gaussian_kl", "wrong_point", "(variance - 1) / (2 * n)", "(log_var - 1) / (2 * n)"),
    ("gaussian_kl", "wrong_point", "(variance - 1) / (2 * n)", "(variance**2 - 1) / (2 * n)"),
    ("gaussian_kl", "not_averaged", "mu / n", "mu"),
    ("gaussian_kl", "sign", "(variance - 1) / (2 * n)", "(1 - variance) / (2 * n)"),
    ("l2", "factor", "2 * z / n", "z / n"),
    ("l2", "not_averaged", "2 * z / n", "2 * z"),
]  # fmt: skip


def right() -> Iterator[tuple[str, Callable[[], object], Callable]]:
    """The textbook layers as they are: name, how to make one, how to draw inputs."""
    for name, thing in vars(textbook).items():
        if getattr(thing, "__module__", "") == "textbook":
            make, inputs = MAKE.get(name, PLAIN)
            yield name, lambda make=make, thing=thing: make(thing), inputs


def changed_lines() -> Iterator[tuple[str, str, str, Callable[[], object], Callable]]:
    """Every change of `LINES`: kind, where, the line as changed, how to make the subject, how to draw inputs."""
    for name, kind, before, after in LINES:
        source = inspect.getsource(getattr(textbook, name))
        if source.count(before) != 1:
            raise ValueError(f"{name}: {before!r} stands in its source {source.count(before)} times, expected once")
        namespace = {"np": np, "__name__": "textbook"}
        exec(compile(source.replace(before, after), f"<{name}>", "exec"), namespace)
        make, inputs = MAKE.get(name, PLAIN)
        yield kind, name, after, lambda make=make, thing=namespace[name]: make(thing), inputs
