"""The same mathematics once more, slow and plain: written from the formulas, element by element, with nothing
of scratchae in it but the calls of what is tested. Everything here is NumPy in float64 on the CPU.
"""

import itertools
import math

import numpy as np

# Gradients by finite differences


def numerical_gradient(f, x, h=1e-5):
    """The gradient of the number f() by the array x, which f reads: central differences, one element at a
    time. x is on the CPU and is left as it was.
    """
    gradient = np.zeros(x.shape)
    for index in np.ndindex(x.shape):
        value = x[index]
        x[index] = value + h
        above = float(f())
        x[index] = value - h
        below = float(f())
        x[index] = value
        gradient[index] = (above - below) / (2 * h)
    return gradient


def relative_error(a, b):
    """The largest deviation, as a share of the largest number; but what is below 1e-3 counts as 1e-3, since a
    difference quotient of numbers near 1 resolves no more.
    """
    return np.max(np.abs(a - b)) / max(np.max(np.abs(a)), np.max(np.abs(b)), 1e-3)


def layer_error(layer, x, rng=lambda: None, seed=0):
    """The largest relative error of what layer.backward gives, for x and every parameter, with a random dy.
    `rng()` gives a fresh generator with the same noise each time.
    """
    layer.to(dtype=np.float64)
    x = x.astype(np.float64)
    y = layer.forward(x, rng())
    dy = np.random.default_rng([seed, 99]).standard_normal(y.shape)
    dx = layer.backward(dy)
    pairs = [(dx, x)]
    for _, leaf in layer.leaves():
        for name in leaf.parameter_names:
            pairs.append((getattr(leaf, "d" + name).copy(), getattr(leaf, name)))
    for analytic, tensor in pairs:
        assert analytic.shape == tensor.shape
    scalar = lambda: np.sum(dy * layer.forward(x, rng()))  # noqa: E731
    return max(relative_error(analytic, numerical_gradient(scalar, tensor)) for analytic, tensor in pairs)


# Activations, one number at a time


def sigmoid(x):
    return 1 / (1 + math.exp(-x)) if x >= 0 else math.exp(x) / (1 + math.exp(x))


def softplus(x):
    return max(x, 0.0) + math.log1p(math.exp(-abs(x)))


def relu(x):
    return x if x > 0 else 0.0


def leaky_relu(x, slope=0.01):
    return x if x > 0 else slope * x


def elementwise(function, x):
    return np.array([function(float(value)) for value in np.ravel(x)]).reshape(np.shape(x))


# Layers, losses, penalties: loops


def dense(x, W, b):
    y = np.zeros((len(x), W.shape[1]))
    for n in range(len(x)):
        for j in range(W.shape[1]):
            y[n, j] = b[j] + sum(x[n, i] * W[i, j] for i in range(W.shape[0]))
    return y


def mse(p, t):
    rows = [sum((a - b) ** 2 for a, b in zip(ps, ts, strict=True)) for ps, ts in zip(p, t, strict=True)]
    return math.fsum(rows) / len(rows)


def bce_with_logits(a, t):
    """Each term is log(1 + e^a) - t a, in a form that cannot overflow."""
    terms = [softplus(x) - y * x for x, y in zip(a.ravel().tolist(), t.ravel().tolist(), strict=True)]
    return math.fsum(terms) / len(a)


def bce(p, t):
    terms = [
        (-y * math.log(x) if y else 0.0) - ((1 - y) * math.log(1 - x) if y != 1 else 0.0)
        for x, y in zip(p.ravel().tolist(), t.ravel().tolist(), strict=True)
    ]
    return math.fsum(terms) / len(p)


def gaussian_kl(mu, log_var):
    terms = [
        0.5 * (m * m + math.exp(v) - v - 1)
        for m, v in zip(mu.ravel().tolist(), log_var.ravel().tolist(), strict=True)
    ]
    return math.fsum(terms) / len(mu)


def sparse_kl(z, rho, weight):
    total = 0.0
    for j in range(z.shape[1]):
        q = sum(z[n, j] for n in range(len(z))) / len(z)
        total += rho * math.log(rho / q) + (1 - rho) * math.log((1 - rho) / (1 - q))
    return weight * total


# Images (N, H, W, C), by loops over places and offsets; kernel, stride and padding are pairs (height, width)


def places(size, kernel, stride, padding=(0, 0), ceil=False):
    """How many places a kernel has along height and width; with `ceil`, one more where the stride leaves a rest,
    if that begins within the image.
    """
    counts = []
    for length, k, s, p in zip(size, kernel, stride, padding, strict=True):
        rounded = math.ceil if ceil else math.floor
        count = rounded((length + 2 * p - k) / s) + 1
        counts.append(count - 1 if ceil and (count - 1) * s >= length + p else count)
    return tuple(counts)


def taps(counts, kernel, stride, padding, size):
    """All (oy, ox, i, j, u, v) where offset (i, j) of the kernel at place (oy, ox) lies on pixel (u, v) of x."""
    for oy, ox, i, j in itertools.product(*map(range, (*counts, *kernel))):
        u, v = oy * stride[0] + i - padding[0], ox * stride[1] + j - padding[1]
        if 0 <= u < size[0] and 0 <= v < size[1]:
            yield oy, ox, i, j, u, v


def im2col(x, kernel, stride, padding):
    N, H, W, C = x.shape
    OH, OW = counts = places((H, W), kernel, stride, padding)
    columns = np.zeros((N, OH, OW, *kernel, C))
    for oy, ox, i, j, u, v in taps(counts, kernel, stride, padding, (H, W)):
        columns[:, oy, ox, i, j] = x[:, u, v]
    return columns.reshape(N * OH * OW, kernel[0] * kernel[1] * C)


def col2im(columns, size, kernel, stride, padding):
    OH, OW = counts = places(size, kernel, stride, padding)
    C = columns.shape[1] // (kernel[0] * kernel[1])
    columns = columns.reshape(len(columns) // (OH * OW), OH, OW, *kernel, C)
    x = np.zeros((len(columns), *size, C))
    for oy, ox, i, j, u, v in taps(counts, kernel, stride, padding, size):
        x[:, u, v] += columns[:, oy, ox, i, j]
    return x


def conv2d(x, W, b, stride, padding):
    """W (KH, KW, Cin, Cout)."""
    size, kernel = x.shape[1:3], W.shape[:2]
    counts = places(size, kernel, stride, padding)
    y = np.zeros((len(x), *counts, W.shape[3])) + b
    for oy, ox, i, j, u, v in taps(counts, kernel, stride, padding, size):
        y[:, oy, ox] += x[:, u, v] @ W[i, j]
    return y


def conv_transpose2d(x, W, b, stride, padding, output_padding):
    """W (KH, KW, Cout, Cin)."""
    counts, kernel = x.shape[1:3], W.shape[:2]
    axes = zip(counts, kernel, stride, padding, output_padding, strict=True)
    size = [(n - 1) * s - 2 * p + k + extra for n, k, s, p, extra in axes]
    y = np.zeros((len(x), *size, W.shape[2])) + b
    for oy, ox, i, j, u, v in taps(counts, kernel, stride, padding, size):
        y[:, u, v] += x[:, oy, ox] @ W[i, j].T
    return y


def max_pool2d(x, kernel, stride, ceil_mode=False):
    size = x.shape[1:3]
    counts = places(size, kernel, stride, ceil=ceil_mode)
    y = np.full((len(x), *counts, x.shape[3]), -np.inf)
    for oy, ox, _, _, u, v in taps(counts, kernel, stride, (0, 0), size):
        y[:, oy, ox] = np.maximum(y[:, oy, ox], x[:, u, v])
    return y


def avg_pool2d(x, kernel, stride):
    size = x.shape[1:3]
    counts = places(size, kernel, stride)
    y = np.zeros((len(x), *counts, x.shape[3]))
    for oy, ox, _, _, u, v in taps(counts, kernel, stride, (0, 0), size):
        y[:, oy, ox] += x[:, u, v] / (kernel[0] * kernel[1])
    return y


def upsample2d(x, scale):
    N, H, W, C = x.shape
    y = np.zeros((N, H * scale[0], W * scale[1], C))
    for u, v in np.ndindex(y.shape[1:3]):
        y[:, u, v] = x[:, u // scale[0], v // scale[1]]
    return y


def batch_norm(x, gamma, beta, eps=1e-5):
    """y, and the mean and the (biased) variance of each feature, the last axis."""
    y, means, variances = np.zeros(x.shape), [], []
    for c in range(x.shape[-1]):
        values = x[..., c].ravel().tolist()
        means.append(math.fsum(values) / len(values))
        variances.append(math.fsum((value - means[c]) ** 2 for value in values) / len(values))
        y[..., c] = gamma[c] * (x[..., c] - means[c]) / math.sqrt(variances[c] + eps) + beta[c]
    return y, np.array(means), np.array(variances)


# Optimizers


def adam(theta, gradients, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
    """Kingma and Ba 2015, algorithm 1, as it is printed."""
    m, v = np.zeros_like(theta), np.zeros_like(theta)
    for t, g in enumerate(gradients, start=1):
        m = beta1 * m + (1 - beta1) * g
        v = beta2 * v + (1 - beta2) * g**2
        m_hat = m / (1 - beta1**t)
        v_hat = v / (1 - beta2**t)
        theta = theta - lr * m_hat / (np.sqrt(v_hat) + eps)
    return theta


# Models


def pca_error(x, components):
    """The least squared error per example of any linear code, from the singular values left out."""
    s = np.linalg.svd(x - x.mean(axis=0), compute_uv=False)
    return float(np.sum(s[components:] ** 2)) / len(x)
