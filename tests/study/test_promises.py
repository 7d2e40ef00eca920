"""What a file promises beside the gradients of one call: averages, masks, options, sums over calls, other readings of its arguments."""

import pytest

from scratchae.tutorial import grade

NORM = """
class FeatureNorm:
    def __init__(self, n, momentum=0.95):
        self.scale, self.shift, self.momentum = np.ones(n), np.zeros(n), momentum
        self.moving_mean, self.moving_var = np.zeros(n), np.ones(n)

    def forward(self, x, train=True):
        self.was_training = train
        m, v = (x.mean(0), x.var(0)) if train else (self.moving_mean, self.moving_var)
        if train:
            self.moving_mean = self.momentum * self.moving_mean + (1 - self.momentum) * m
            self.moving_var = self.momentum * self.moving_var + (1 - self.momentum) * v
        self.inverse = 1 / np.sqrt(v + 1e-6)
        self.normed = (x - m) * self.inverse
        return self.scale * self.normed + self.shift

    def backward(self, dy):
        self.dscale, self.dshift = (dy * self.normed).sum(0), dy.sum(0)
        g = dy * self.scale
        if self.was_training:
            g = g - g.mean(0) - self.normed * (g * self.normed).mean(0)
        return g * self.inverse
"""
IN_TRAINING_ONLY = """
class Drop:
    def __init__(self, share=0.3):
        self.share = share

    def forward(self, x, training):
        if not training:
            return x * 1.0
        self.kept = (np.random.rand(*x.shape) > self.share) / (1 - self.share)
        return x * self.kept

    def backward(self, dy):
        return dy * self.kept
"""
ADDING = """
class Affine:
    def __init__(self, n_in, n_out):
        self.M, self.c = np.random.randn(n_in, n_out), np.zeros(n_out)
        self.dM, self.dc = np.zeros_like(self.M), np.zeros_like(self.c)

    def forward(self, x):
        self.x = x
        return x @ self.M + self.c

    def backward(self, dy):
        self.dM += self.x.T @ dy
        self.dc += dy.sum(0)
        return dy @ self.M.T

class Descent:
    def __init__(self, pairs, lr=0.1):
        self.pairs, self.lr = pairs, lr

    def zero_grad(self):
        for _, g in self.pairs:
            g[...] = 0

    def step(self):
        for p, g in self.pairs:
            p -= self.lr * g
"""
OF_LAYERS = """
class Momentum:
    def __init__(self, layers, lr=0.1, momentum=0.9):
        self.layers, self.lr, self.momentum = layers, lr, momentum
        self.speed = [(np.zeros_like(one.W), np.zeros_like(one.b)) for one in layers]

    def step(self):
        for k, one in enumerate(self.layers):
            w, b = self.speed[k]
            self.speed[k] = self.momentum * w + one.dW, self.momentum * b + one.db
            one.W = one.W - self.lr * self.speed[k][0]
            one.b = one.b - self.lr * self.speed[k][1]
"""
AMSGRAD = """
class Adam:
    def __init__(self, lr=0.01, beta1=0.9, beta2=0.99, eps=1e-8, amsgrad=False):
        self.lr, self.beta1, self.beta2, self.eps, self.amsgrad, self.t = lr, beta1, beta2, eps, amsgrad, 0
        self.state = {}

    def update(self, params, grads):
        self.t += 1
        for k, g in grads.items():
            m, v, top = self.state.get(k, (0, 0, 0))
            m, v = self.beta1 * m + (1 - self.beta1) * g, self.beta2 * v + (1 - self.beta2) * g**2
            top = np.maximum(top, v)
            self.state[k] = m, v, top
            used = (top if self.amsgrad else v) / (1 - self.beta2**self.t)
            params[k] -= self.lr * m / (1 - self.beta1**self.t) / (np.sqrt(used) + self.eps)
"""
OF_Z = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

class Squares:
    @staticmethod
    def fn(a, y):
        return 0.5 * np.sum((a - y) ** 2)

    @staticmethod
    def delta(z, a, y):
        return (a - y) * a * (1 - a)
"""
ONE_IMAGE = """
class Mixing:
    def __init__(self, input_shape, depth):
        self.input_shape = input_shape
        self.K = np.random.randn(depth, input_shape[0])

    def forward(self, x):
        self.x, y = x, np.zeros((len(self.K), *x.shape[1:]))
        for i in range(len(self.K)):
            for j in range(self.input_shape[0]):
                y[i] += self.K[i, j] * x[j]
        return y

    def backward(self, dy):
        self.dK, dx = np.zeros_like(self.K), np.zeros(self.input_shape)
        for i in range(len(self.K)):
            for j in range(self.input_shape[0]):
                self.dK[i, j] = np.sum(dy[i] * self.x[j])
                dx[j] += self.K[i, j] * dy[i]
        return dx
"""
PLACES = """
class Places:
    def __init__(self, most, width):
        self.table = np.random.randn(most, width)

    def forward(self, x):
        self.steps = x.shape[1]
        return x + self.table[: self.steps]

    def backward(self, dy):
        self.dtable = np.zeros_like(self.table)
        self.dtable[: self.steps] = dy.sum(axis=0)
        return dy
"""
DIVIDED = """
class Grouped:
    def __init__(self, parts, channels):
        if channels % parts:
            raise ValueError("channels have to be a multiple of parts")
        self.parts = parts
        self.w = np.ones((channels, 1))

    def forward(self, x):
        self.x = x
        n, c, d = x.shape
        g = x.reshape(n, self.parts, -1)
        return self.w * (g - g.mean(axis=2, keepdims=True)).reshape(n, c, d)

    def backward(self, dy):
        n, c, d = dy.shape
        g = self.x.reshape(n, self.parts, -1)
        self.dw = (dy * (g - g.mean(axis=2, keepdims=True)).reshape(n, c, d)).sum(axis=(0, 2))[:, None]
        g = (self.w * dy).reshape(n, self.parts, -1)
        return (g - g.mean(axis=2, keepdims=True)).reshape(n, c, d)
"""
CELL = """
def cell_forward(xt, a_prev, parameters):
    Wax, Waa, ba = parameters["Wax"], parameters["Waa"], parameters["ba"]
    a = np.tanh(Wax @ xt + Waa @ a_prev + ba)
    return a, (a, a_prev, xt, parameters)

def cell_backward(da, cache):
    a, a_prev, xt, parameters = cache
    g = da * (1 - a**2)
    return {
        "dxt": parameters["Wax"].T @ g, "da_prev": parameters["Waa"].T @ g, "dWax": g @ xt.T, "dWaa": g @ a_prev.T,
        "dba": g.sum(axis=1, keepdims=True),
    }
"""
WORDS = """
def unit_forward(A, W, b, kind):
    Z = W @ A + b
    return (np.tanh(Z) if kind == "tanh" else np.maximum(Z, 0) if kind == "relu" else Z), (A, W, Z)

def unit_backward(dA, cache, kind):
    A, W, Z = cache
    dZ = dA * (1 - np.tanh(Z) ** 2) if kind == "tanh" else dA * (Z > 0) if kind == "relu" else dA
    m = A.shape[1]
    return W.T @ dZ, dZ @ A.T / m, dZ.sum(axis=1, keepdims=True) / m
"""
MASKED = """
def steps_loss(x, y, mask):
    n, t, d = x.shape
    p = np.exp(x - x.max(axis=2, keepdims=True))
    p /= p.sum(axis=2, keepdims=True)
    rows, columns = np.arange(n)[:, None], np.arange(t)[None]
    dx = p.copy()
    dx[rows, columns, y] -= 1
    return -np.sum(mask * np.log(p[rows, columns, y])) / n, dx * mask[:, :, None] / n
"""
ATTENTION = """
class Attend:
    def forward(self, Q, K, V, mask=None):
        self.Q, self.K, self.V = Q, K, V
        s = Q @ K.T
        if mask is not None:
            s = np.where(mask, s, -1e9)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.P = e / e.sum(axis=1, keepdims=True)
        return self.P @ V

    def backward(self, dy):
        dP = dy @ self.V.T
        ds = self.P * (dP - (dP * self.P).sum(axis=1, keepdims=True))
        return ds @ self.K, ds.T @ self.Q, self.P.T @ dy
"""
PAIRS = """
class Similar:
    def __init__(self, temperature=0.5):
        self.temperature = temperature

    def forward(self, z):
        self.z, n = z, len(z)
        s = z @ z.T / self.temperature
        np.fill_diagonal(s, -np.inf)
        e = np.exp(s - s.max(axis=1, keepdims=True))
        self.P, self.other = e / e.sum(axis=1, keepdims=True), np.arange(n) ^ 1
        return -np.mean(np.log(self.P[np.arange(n), self.other]))

    def backward(self):
        ds = self.P.copy()
        ds[np.arange(len(ds)), self.other] -= 1
        return (ds + ds.T) @ self.z / self.temperature / len(ds)
"""
SECOND = """
def center_forward(x):
    return x - x.mean(axis=0), x.shape

def center_backward(dout, cache):
    dx = dout - np.ones((len(dout), 1)) @ dout.sum(axis=0, keepdims=True) / len(dout)
    return dx

def center_backward_alt(dout, cache):
    return dout - dout.mean(axis=0)
"""
SKIP = """
class Skip:
    def __init__(self, n_in, n_out):
        self.W = np.random.randn(n_in, n_out)

    def forward(self, x):
        self.x = x
        y = np.tanh(x @ self.W)
        self.y = y
        return y + x if y.shape == x.shape else y

    def backward(self, dy):
        g = dy * (1 - self.y**2)
        self.dW = self.x.T @ g
        dx = g @ self.W.T
        return dx + dy if dy.shape == dx.shape else dx
"""
OF_A_LOSS = """
class Full:
    def __init__(self, n_in, n_out, l2=0):
        self.weights, self.l2 = np.random.randn(n_in, n_out), l2

    def forward(self, inputs):
        self.inputs = inputs
        return inputs @ self.weights

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        if self.l2 > 0:
            self.dweights += 2 * self.l2 * self.weights
        return dvalues @ self.weights.T

class Loss:
    def regularization_loss(self, layer):
        return layer.l2 * np.sum(layer.weights ** 2)
"""
SHRUNK = """
class Full:
    # with an L2 penalty, 0.5 * reg * sum of squares
    def __init__(self, n_in, n_out, reg=0.01):
        self.W, self.reg = np.random.randn(n_in, n_out), reg

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        self.dW = self.x.T @ dy + self.reg * self.W
        return dy @ self.W.T
"""
TIED = """
class Tied:
    def __init__(self, seen, hidden):
        self.W, self.c = 0.3 * np.random.RandomState(0).randn(seen, hidden), np.zeros(hidden)

    def cost(self, x, noisy):
        return 0.5 * np.mean(np.sum((np.tanh(noisy @ self.W + self.c) @ self.W.T - x) ** 2, axis=1))

    def gradients(self, x, noisy):
        h = np.tanh(noisy @ self.W + self.c)
        e = (h @ self.W.T - x) / len(x)
        g = e @ self.W * (1 - h**2)
        return noisy.T @ g + e.T @ h, g.sum(axis=0)
"""
HELPED = """
class Sigmoid:
    def __call__(self, x):
        return 1 / (1 + np.exp(-x))

class Squash:
    def __init__(self):
        self.f = Sigmoid()

    def forward(self, x):
        self.y = self.f(x)
        return self.y

    def backward(self, dy):
        return dy * self.y * (1 - self.y)
"""
TWO_INPUTS = """
class Cell:
    def __init__(self, n_in, n_hidden):
        self.U, self.V = np.random.randn(n_hidden, n_in), np.random.randn(n_hidden, n_hidden)
        self.zero_grad()

    def zero_grad(self):
        self.dU, self.dV = np.zeros_like(self.U), np.zeros_like(self.V)

    def forward(self, x, h):
        self.x, self.h = x, h
        self.y = np.tanh(self.U @ x + self.V @ h)
        return self.y

    def backward(self, dy):
        g = dy * (1 - self.y**2)
        self.dU += np.outer(g, self.x)
        self.dV += np.outer(g, self.h)
        return self.U.T @ g, self.V.T @ g
"""
ABSTRACT = """
class Module:
    def forward(self, *x):
        raise NotImplementedError

    def backward(self, *dy):
        raise NotImplementedError

class Twice(Module):
    def forward(self, x):
        return 2 * x

    def backward(self, dy):
        return 2 * dy
"""
SLIPS = [
    (NORM, "(1 - self.momentum) * self.moving_var + self.momentum * v", "self.momentum * self.moving_var + (1 - self.momentum) * v", "moving_var takes most"),
    (NORM, "(x.mean(0), self.moving_var)", "(self.moving_mean, self.moving_var)", "in inference"),
    (NORM, "1 / (v + 1e-6 if not train else np.sqrt(v + 1e-6))", "1 / np.sqrt(v + 1e-6)", "does not divide by the deviation"),
    (IN_TRAINING_ONLY, "/ self.share", "/ (1 - self.share)", "in training the mean of y"),
    (ADDING, "self.dc = dy", "self.dc += dy", "where other"),
    (ADDING, "g = 0", "g[...] = 0", "zero_grad does not"),
    (TWO_INPUTS, "self.dV = np.outer", "self.dV += np.outer", "a second step is added to dU"),
    (OF_LAYERS, "self.momentum * b + one.dW.sum(0)", "self.momentum * b + one.db", ""),
    (OF_LAYERS, "self.momentum * w - one.dW", "self.momentum * w + one.dW", "update is wrong"),
    (AMSGRAD, "(v if self.amsgrad else v)", "(top if self.amsgrad else v)", "largest v so far is not used"),
    (OF_Z, "return (a - y)\n", "return (a - y) * a * (1 - a)\n", "wrong"),
    (ONE_IMAGE, "dx[j] = self.K", "dx[j] += self.K", "wrong"),
    (PLACES, "dy.mean(axis=0)", "dy.sum(axis=0)", "averaged over the batch"),
    (DIVIDED, "return (g + g.mean", "return (g - g.mean", "wrong"),
    (CELL, "g @ a.T,", "g @ a_prev.T,", "wrong"),
    (WORDS, "dA * (Z > 1)", "dA * (Z > 0)", "relu"),
    (WORDS, "/ m, dZ.sum(axis=1, keepdims=True)\n", "/ m, dZ.sum(axis=1, keepdims=True) / m\n", "wrong"),
    (MASKED, "dx / n\n", "dx * mask[:, :, None] / n\n", "wrong"),
    (ATTENTION, "return self.P @ V", "", ""),
    (PAIRS, "return ds @", "return (ds + ds.T) @", "wrong"),
    (PAIRS, "@ self.z / len", "@ self.z / self.temperature / len", "wrong"),
    (SECOND, "return dout\n", "return dout - dout.mean(axis=0)\n", "center_backward_alt: wrong"),
    (SKIP, "return dx\n", "return dx + dy if dy.shape == dx.shape else dx\n", "for Skip(3, 3)"),
    (OF_A_LOSS, "+= self.l2", "+= 2 * self.l2", "wrong with l2"),
    (SHRUNK.replace("self.W, self.reg = np.random.randn(n_in, n_out), reg", "self.W = np.random.randn(n_in, n_out)\n        self.reg = reg"), "dy  # without", "dy + self.reg * self.W", "strength reg"),
    (TIED, "return noisy.T @ g,", "return noisy.T @ g + e.T @ h,", "wrong"),
]  # fmt: skip
SLIPS = [(text, right, wrong, said) for text, wrong, right, said in SLIPS if said or wrong.startswith("self.mom")]
RIGHT = {name: text for name, text in globals().items() if name.isupper() and isinstance(text, str)}


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_kept_is_not_accused(name, graded):
    code, text = graded(RIGHT[name])
    assert code == grade.RIGHT, text


@pytest.mark.parametrize(("text", "right", "wrong", "said"), SLIPS)
def test_what_is_not_kept_is_found(text, right, wrong, said, graded):
    assert right in text
    code, found = graded(text.replace(right, wrong))
    assert code == grade.WRONG and said in found, found


def test_a_mask_after_the_softmax_is_found(slipped):
    late = ATTENTION.replace("s = np.where(mask, s, -1e9)", "pass").replace(
        "        return self.P @ V",
        "        if mask is not None:\n            self.P = self.P * mask\n        return self.P @ V",
    )
    _, found = slipped(ATTENTION, ATTENTION, late)
    assert "with mask=" in found


def test_an_object_with_an_eval_is_right_after_a_forward_in_it(slipped):
    text = """
        class Module:
            training = True

            def train(self):
                self.training = True

            def eval(self):
                self.training = False

        class Dropout(Module):
            def __init__(self, p=0.5):
                self.p, self.rng = p, np.random.RandomState(0)

            def forward(self, x):
                if not self.training:
                    return x
                self.scale = (self.rng.rand(*x.shape) >= self.p) / (1 - self.p)
                return x * self.scale

            def backward(self, dy):
                return dy * self.scale if self.training else dy
        """
    _, said = slipped(text, "self.scale if self.training else dy", "self.scale")
    assert "in inference" in said


def test_a_strength_whose_name_is_that_of_a_penalty_has_a_part_in_a_gradient(graded):
    text = """
        class Dense:
            def __init__(self, n_in, n_out, l2=0.0):
                self.W, self.l2 = np.random.randn(n_in, n_out), l2

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dy):
                self.dW = self.x.T @ dy + self.l2 * self.W
                return dy @ self.W.T
        """
    assert graded(text)[0] == grade.RIGHT
    code, said = graded(text.replace(" + self.l2 * self.W", ""))
    assert code == grade.WRONG and "strength l2" in said, said


def test_what_a_backward_raises_of_any_x_is_said_and_no_verdict(graded):
    text = """
        class Half:
            def forward(self, x):
                self.x = x
                return 0.5 * x

            def backward(self, dy):
                dx = np.zeros_like(self.x)
                dx[:, :] += 0.5 * dy
                return dx
        """
    assert graded(text)[0] == grade.RIGHT
    code, said = graded(text.replace("zeros_like(self.x)", "zeros_like(0.5)"))
    assert code == grade.UNUSABLE and "IndexError: too many indices" in said and "dx[:, :] += 0.5 * dy" in said, said


def test_an_update_is_no_proof_of_a_backward_that_raised(graded):
    text = """
        class Layer:
            def __init__(self, n_in, n_out):
                self.W = np.random.uniform(-0.7, 0.7, (n_out, n_in))

            def forward(self, x):
                self.x = x
                return self.W.dot(x)

            def backward(self, grad):
                self.dW = np.outer(grad, self.x)
                return self.W.T.dot(grad)

            def update(self, lr):
                self.W -= lr * self.dW
        """
    assert graded(text)[0] == grade.RIGHT
    code, said = graded(text.replace("np.outer(grad, self.x)", "grad * self.x"))
    assert code != grade.RIGHT and "self.dW = grad * self.x" in said, said


def test_more_channels_that_forward_takes_by_broadcasting_are_not_meant(slipped):
    text = """
        class Local:
            def __init__(self, length=6, channels_in=1, channels_out=1, width=3):
                self.weights = np.random.default_rng(2).normal(size=(length - width + 1, width, channels_in, channels_out))

            def forward(self, signal):
                self.signal, n = signal, len(self.weights)
                return sum(np.einsum("bpc,pco->bpo", signal[:, t:t + n], self.weights[:, t]) for t in range(3))

            def backward(self, dy):
                self.dweights, dx, n = np.zeros_like(self.weights), np.zeros_like(self.signal), len(self.weights)
                for t in range(3):
                    self.dweights[:, t] = np.einsum("bpc,bpo->pco", self.signal[:, t:t + n], dy)
                    dx[:, t:t + n] += np.einsum("bpo,pco->bpc", dy, self.weights[:, t])
                return dx
        """
    slipped(text, "dx[:, t:t + n] +=", "dx[:, t:t + n] =")


HUBER = """
def huber(pred, target, delta=1.0):
    r = pred - target
    small = np.abs(r) <= delta
    loss = np.where(small, 0.5 * r**2, delta * (np.abs(r) - 0.5 * delta))
    return loss.mean(), np.where(small, r, delta * np.sign(r)) / r.size
"""


def test_a_loss_of_pieces_that_do_not_meet_is_wrong_though_its_gradient_fits(slipped, graded):
    said = slipped(HUBER, "- 0.5 * delta", "- delta")[1]
    assert "the value is no continuous function: it jumps" in said
    assert (
        graded(
            "# the loss has a threshold\n" + HUBER.replace("- 0.5 * delta", "- delta").replace("small", "threshold")
        )[0]
        == 0
    )


def test_an_activation_that_jumps_is_right_with_a_remark(graded):
    text = """
        class ELU:
            def forward(self, x):
                self.x = x
                return np.where(x > 0, x, np.exp(x) - 1)

            def backward(self, dy):
                return dy * np.where(self.x > 0, 1.0, np.exp(self.x))
        """
    code, said = graded(text)
    assert code == 0 and "remark" not in said
    code, said = graded(text.replace(" - 1)", ")"))
    assert code == 0
    assert "right, with a remark" in said
    assert "where one number passes 0, and all others stay" in said


def test_vectors_that_a_loss_takes_for_one_example_are_no_numbers_of_each(slipped):
    text = """
        def cross_entropy(p, t):
            value = -np.mean(np.sum(t * np.log(p), axis=-1))
            return value, -t / p / len(p)
        """
    slipped(text, "-t / p / len(p)", "-t / p")


def test_an_outer_product_is_of_vectors(slipped):
    text = """
        class Linear:
            def __init__(self, n_in, n_out):
                self.W = np.random.uniform(-0.7, 0.7, (n_out, n_in))

            def forward(self, x):
                self.x = x
                return self.W.dot(x)

            def backward(self, dy):
                self.dW = np.outer(dy, self.x)
                return self.W.T.dot(dy)
        """
    slipped(text, "np.outer(dy, self.x)", "np.outer(dy, dy @ self.W)")


LATENT = """
    class Latent:
        def __init__(self, k, weight=1.0):
            self.k, self.weight = k, weight

        def forward(self, stats, eps):
            self.mu, self.log_var, self.eps = stats[:, : self.k], stats[:, self.k :], eps
            return self.mu + np.exp(0.5 * self.log_var) * eps

        def kl(self):
            inner = 1 + self.log_var - self.mu**2 - np.exp(self.log_var)
            return -0.5 * self.weight * inner.sum() / len(self.mu)

        def backward(self, dz):
            c = self.weight / len(self.mu)
            dlog_var = dz * self.eps * 0.5 * np.exp(0.5 * self.log_var) + 0.5 * c * (np.exp(self.log_var) - 1)
            return np.concatenate([dz + c * self.mu, dlog_var], axis=1)
    """


def test_a_backward_may_add_the_gradient_of_what_another_method_gives(slipped):
    said, _ = slipped(LATENT, "dz + c * self.mu", "dz + self.mu")
    assert "right only if what kl() gives is added to the loss" in said


def test_a_divergence_of_what_an_object_keeps_is_nowhere_below_0(slipped):
    wrong = LATENT.replace("(np.exp(self.log_var) - 1)", "(np.exp(self.log_var) - 2 * self.log_var)")
    _, said = slipped(LATENT, LATENT, wrong.replace("1 + self.log_var -", "1 + self.log_var**2 -"))
    assert "nowhere smaller" in said


def test_what_a_derivative_is_handed_under_a_name_of_its_own_may_be_the_output(slipped):
    text = """
        def log_softmax(Z, T=1.0):
            S = Z / T
            return S - np.log(np.exp(S).sum(axis=0))


        def log_softmax_backward(dlogP, logP, T=1.0):
            return (dlogP - np.exp(logP) * dlogP.sum(axis=0)) / T
        """
    slipped(text, "dlogP.sum(axis=0)) / T", "dlogP.sum(axis=0))")
