"""Layers and losses as a learner writes them from a textbook: plain classes in plain NumPy, all right."""

import numpy as np


class Dense:
    def __init__(self, inputs, outputs):
        rng = np.random.default_rng(0)
        self.W = rng.standard_normal((inputs, outputs)) / np.sqrt(inputs)
        self.b = rng.standard_normal(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T


class Sigmoid:
    def forward(self, x):
        self.y = 1 / (1 + np.exp(-x))
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)


class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)


class ReLU:
    def forward(self, x):
        self.y = np.maximum(x, 0)
        return self.y

    def backward(self, dy):
        return dy * (self.y > 0)


class LeakyReLU:
    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, 0.1 * x)

    def backward(self, dy):
        return np.where(self.x > 0, dy, 0.1 * dy)


class Softplus:
    def forward(self, x):
        self.x = x
        return np.logaddexp(0, x)

    def backward(self, dy):
        return dy / (1 + np.exp(-self.x))


class Square:
    def forward(self, x):
        self.x = x
        return x * x

    def backward(self, dy):
        return 2 * self.x * dy


class Softmax:
    def forward(self, x):
        e = np.exp(x - x.max(axis=1, keepdims=True))
        self.y = e / e.sum(axis=1, keepdims=True)
        return self.y

    def backward(self, dy):
        return self.y * (dy - (dy * self.y).sum(axis=1, keepdims=True))


class LayerNorm:
    def __init__(self, features):
        self.gamma = np.linspace(0.5, 1.5, features)
        self.beta = np.linspace(-1, 1, features)

    def forward(self, x):
        centred = x - x.mean(axis=1, keepdims=True)
        self.scale = 1 / np.sqrt((centred**2).mean(axis=1, keepdims=True) + 1e-5)
        self.x_hat = centred * self.scale
        return self.gamma * self.x_hat + self.beta

    def backward(self, dy):
        self.dgamma = (dy * self.x_hat).sum(axis=0)
        self.dbeta = dy.sum(axis=0)
        g = dy * self.gamma
        across = (g * self.x_hat).mean(axis=1, keepdims=True)
        return self.scale * (g - g.mean(axis=1, keepdims=True) - self.x_hat * across)


class Dropout:
    def forward(self, x, rng=None):
        self.mask = np.ones_like(x) if rng is None else (rng.random(x.shape) < 0.6).astype(x.dtype) / 0.6
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask


class DenseSigmoid:
    def __init__(self, inputs, outputs):
        rng = np.random.default_rng(1)
        self.W = rng.standard_normal((inputs, outputs))
        self.b = rng.standard_normal(outputs)

    def forward(self, x):
        self.x = x
        self.y = 1 / (1 + np.exp(-(x @ self.W + self.b)))
        return self.y

    def backward(self, dy):
        da = dy * self.y * (1 - self.y)
        self.dW = self.x.T @ da
        self.db = da.sum(axis=0)
        return da @ self.W.T


class Flatten:
    def forward(self, x):
        self.shape = x.shape
        return x.reshape(len(x), -1)

    def backward(self, dy):
        return dy.reshape(self.shape)


def mse(prediction, target):
    n = len(prediction)
    difference = prediction - target
    return (difference**2).sum() / n, 2 * difference / n


def bce(prediction, target):
    n, p = len(prediction), prediction
    value = -(target * np.log(p) + (1 - target) * np.log(1 - p)).sum() / n
    return value, (p - target) / (p * (1 - p)) / n


def bce_with_logits(prediction, target):
    n = len(prediction)
    p = 1 / (1 + np.exp(-prediction))
    return (np.logaddexp(0, prediction) - target * prediction).sum() / n, (p - target) / n


def gaussian_kl(mu, log_var):
    n, variance = len(mu), np.exp(log_var)
    value = 0.5 * (mu**2 + variance - log_var - 1).sum() / n
    return value, mu / n, (variance - 1) / (2 * n)


def l2(z):
    n = len(z)
    return (z**2).sum() / n, 2 * z / n
