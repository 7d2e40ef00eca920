"""Right layers for columns, for one axis, with several corners, or with lists of gradients are not accused, and their slips are found."""

import pytest

from scratchae.tutorial import grade

LEARNED = """
class ScaledTanh:
    def __init__(self):
        self.params, self.grads = [np.array([1.0]), np.array([1.0])], [np.array([0.0]), np.array([0.0])]

    def forward(self, x):
        self.x, self.t = x, np.tanh(self.params[1] * x)
        return self.params[0] * self.t

    def backward(self, dout):
        inner = self.params[0] * (1 - self.t**2) * dout
        self.grads[0][...] = (dout * self.t).sum()
        self.grads[1][...] = (inner * self.x).sum()
        return self.params[1] * inner
"""
OF_LISTS = """
class Net:
    def __init__(self, n_in, n_hidden):
        rng = np.random.default_rng(33)
        self.params = [rng.normal(size=(n_in, n_hidden)), rng.normal(size=(n_hidden, 2))]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.params[0])
        return self.h @ self.params[1]

    def backward(self, d):
        self.grads[1] += self.h.T @ d
        d = d @ self.params[1].T * (1 - self.h**2)
        self.grads[0] += self.x.T @ d

    def zero_grad(self):
        self.grads = [np.zeros_like(p) for p in self.params]
"""
COLUMNS = """
class NormOfColumns:
    def __init__(self, units):
        self.gamma, self.beta = np.ones((units, 1)), np.zeros((units, 1))

    def forward(self, X):
        self.sd = np.sqrt(X.var(axis=1, keepdims=True) + 1e-5)
        self.N = (X - X.mean(axis=1, keepdims=True)) / self.sd
        return self.gamma * self.N + self.beta

    def backward(self, G):
        m = G.shape[1]
        self.dgamma = np.sum(G * self.N, axis=1, keepdims=True)
        self.dbeta = np.sum(G, axis=1, keepdims=True)
        return self.gamma / self.sd / m * (m * G - self.dbeta - self.N * self.dgamma)
"""
AVERAGED = """
class LinearColumns:
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_out, n_in), np.zeros((n_out, 1))

    def forward(self, A):
        self.A = A
        return self.W @ A + self.b

    def backward(self, dZ):
        m = self.A.shape[1]
        self.dW = dZ @ self.A.T / m
        self.db = np.sum(dZ, axis=1, keepdims=True) / m
        return self.W.T @ dZ
"""
ONE_COLUMN = """
class SoftmaxColumn:
    def forward(self, s):
        e = np.exp(s - s.max())
        self.p = e / e.sum()
        return self.p

    def backward(self, dp):
        return (np.diagflat(self.p) - self.p @ self.p.T) @ dp


x = np.array([[1.5], [-0.3], [0.2]])
"""
FILTER = """
class Filter:
    def __init__(self, taps):
        self.h = np.random.default_rng(26).normal(size=taps)

    def forward(self, x):
        self.x = x
        return np.convolve(x, self.h, mode="valid")

    def backward(self, dy):
        self.dh = np.convolve(self.x[::-1], dy, mode="valid")
        return np.convolve(dy, self.h[::-1], mode="full")


x = np.sin(np.linspace(0, 5, 12))
layer = Filter(4)
"""
SIGNAL = """
class MovingAverage:
    def __init__(self, width=4):
        self.width = width

    def forward(self, signal):
        self.n = len(signal)
        c = np.concatenate([np.zeros(1), np.cumsum(signal)])
        return (c[self.width :] - c[: -self.width]) / self.width

    def backward(self, grad):
        out = np.zeros(self.n)
        for i, g in enumerate(grad):
            out[i : i + self.width] += g / self.width
        return out
"""
VECTOR = """
class VectorNorm:
    '''Of a single vector.'''

    def forward(self, x):
        self.n = x.shape[0]
        self.sd = np.sqrt(((x - x.sum() / self.n) ** 2).sum() / self.n)
        self.h = (x - x.sum() / self.n) / self.sd
        return self.h

    def backward(self, g):
        return (g - g.sum() / self.n - self.h * (g * self.h).sum() / self.n) / self.sd
"""
TWO_AXES = """
class MaxAbs:
    def __init__(self):
        self.learning, self.scale = True, 3.0

    def train(self):
        self.learning = True

    def eval(self):
        self.learning = False

    def forward(self, x):
        self.row = np.abs(x).argmax(axis=0)
        if self.learning:
            self.scale = np.abs(x).max(axis=0)
        self.y = x / self.scale
        return self.y

    def backward(self, dy):
        dx = dy / self.scale
        if self.learning:
            columns = np.arange(dy.shape[1])
            dx[self.row, columns] -= (dy * self.y).sum(axis=0) / self.scale * self.y[self.row, columns]
        return dx
"""
UPSTREAM = """
class HardTanh:
    def __init__(self, low: float = -1.0, high: float = 1.0):
        self.low, self.high = low, high

    def __call__(self, z):
        self.inside = (z > self.low) & (z < self.high)
        return np.clip(z, self.low, self.high)

    def gradient(self, upstream):
        return np.where(self.inside, upstream, 0.0)
"""
HANDED_NOTHING = """
class HardSigmoid:
    def value(self, x):
        self.x = x
        return np.clip(0.2 * x + 0.5, 0, 1)

    def derivative(self):
        return 0.2 * (np.abs(self.x) < 2.5)
"""
PENALTY = """
class L1:
    def __init__(self, lam=0.1):
        self.lam = lam

    def __call__(self, w):
        return self.lam * np.sum(np.abs(w))

    def grad(self, w):
        return self.lam * np.sign(w)
"""
RATE = """
class Diagonal:
    rate = 0.05

    def __init__(self, size):
        self.s, self.t = np.linspace(0.5, 1.5, size), np.zeros(size)

    def forward(self, x):
        self.x = x
        return x * self.s + self.t

    def backward(self, dy):
        dx = dy * self.s
        self.s -= self.rate * (dy * self.x).sum(axis=0)
        self.t = self.t - dy.sum(axis=0) * self.rate
        return dx
"""
SPREAD = """
class Spread:
    def forward(self, x):
        self.c, self.sd = x - x.mean(axis=0), x.std(axis=0)
        return self.c / (self.sd + 1e-5)

    def backward(self, dy):
        std = self.sd + 1e-5
        dc = dy / std - (dy * self.c).sum(axis=0) / std**2 * self.c / (len(dy) * self.sd)
        return dc - dc.mean(axis=0)
"""
ODD = """
class Same:  # of odd length
    def __init__(self, K=5):
        self.w = np.random.default_rng(8).normal(size=K)

    def forward(self, x):
        self.x = x
        return np.array([np.convolve(row, self.w, "same") for row in x])

    def backward(self, dy):
        K = len(self.w)
        pad = np.pad(self.x, ((0, 0), (K // 2, K // 2)))
        self.dw = np.array([(dy * pad[:, K - 1 - k :][:, : dy.shape[1]]).sum() for k in range(K)])
        return np.array([np.convolve(row, self.w[::-1], "same") for row in dy])
"""
STEPS = """
class Net:
    def __init__(self, n_in, n_out):
        self.params = {"W": np.random.randn(n_in, n_out), "b": np.zeros(n_out)}
        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}

    def forward(self, x):
        self.x = x
        return x @ self.params["W"] + self.params["b"]

    def backward(self, dy):
        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}
        self.grads["W"] += self.x.T @ dy
        self.grads["b"] += dy.sum(axis=0)
        return dy @ self.params["W"].T

    def update(self, lr):
        for k in self.params:
            self.params[k] -= lr * self.grads[k]
"""
MODE = """
def center_forward(x, bias, state):
    mean = state.get("running_mean", np.zeros(x.shape[1]))
    if state["mode"] == "train":
        mean = x.mean(axis=0)
    return x - mean + bias, (state["mode"], len(x))

def center_backward(dout, cache):
    mode, n = cache
    return dout - (dout.sum(axis=0) / n if mode == "train" else 0), dout.sum(axis=0)
"""
AXES = """
def rms_forward(x, gain):
    rms = np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + 1e-6)
    return gain * x / rms, (x, gain, rms)

def rms_backward(dout, cache):
    x, gain, rms = cache
    dgain = np.sum(dout * x / rms, axis=tuple(range(x.ndim - 1)))
    inner = np.sum(dout * gain * x, axis=-1, keepdims=True)
    return dout * gain / rms - x * inner / (x.shape[-1] * rms**3), dgain
"""
SLIPS = [
    (STEPS, "dy):\n        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}", "dy):"),
    (MODE, ' if mode == "train" else 0', ""),
    (AXES, "x.shape[-1]", "x.shape[1]"),
    (SPREAD, "/ std**2", "/ std"),
    (ODD, "(K // 2, K // 2)", "(2, 2)"),
    (LEARNED, "self.params[0] * (1 - ", "(1 - "),
    (OF_LISTS, "(1 - self.h**2)", "(1 - self.h)"),
    (COLUMNS, "self.N * self.dgamma", "self.dgamma"),
    (COLUMNS, "m = G.shape[1]", "m = 5"),
    (AVERAGED, "keepdims=True) / m", "keepdims=True)"),
    (ONE_COLUMN, "- self.p @ self.p.T", "+ self.p @ self.p.T"),
    (FILTER, "self.h[::-1]", "self.h"),
    (SIGNAL, "+= g / self.width", "= g / self.width"),
    (VECTOR, "- g.sum() / self.n", "- g.sum()"),
    (TWO_AXES, "        if self.learning:\n            columns", "        if True:\n            columns"),
    (UPSTREAM, "(z < self.high)", "(z < 1)"),
    (HANDED_NOTHING, "0.2 * (np.abs", "0.5 * (np.abs"),
    (PENALTY, "np.sign(w)", "w"),
    (RATE, "dy.sum(axis=0) * self.rate", "dy.sum(axis=0)"),
    (RATE, "        return dx", "        return dy * self.s"),
]


@pytest.mark.parametrize(("text", "before", "after"), SLIPS, ids=[after.strip()[:40] for _, _, after in SLIPS])
def test_each_layout_is_right_and_its_slip_is_found(text, before, after, slipped):
    slipped(text, before, after)


@pytest.mark.parametrize(
    ("text", "condition"),
    [(AVERAGED, "without the 1/m of a mean"), (SIGNAL, "for one example, as x with one axis"), (VECTOR, "one axis")],
)
def test_for_what_a_layer_is_right_is_said(text, condition, graded):
    code, said = graded(text)
    assert code == grade.RIGHT and "right only" in said and condition in said


def test_gradients_that_a_step_may_set_to_zero_are_added_up(graded):
    kept = "        self.grads = {k: np.zeros_like(v) for k, v in self.params.items()}\n"
    moved = STEPS.replace("dy):\n" + kept, "dy):\n") + kept
    code, said = graded(moved)
    assert code == grade.RIGHT and "each backward adds to the gradients" in said, said


def test_a_layer_for_many_that_is_right_for_one_is_wrong(graded):
    code, said = graded(VECTOR.replace("Of a single vector.", "Of each row of x (N, D)."))
    assert code == grade.WRONG, said


def test_one_size_or_several_for_units(graded):
    code, said = graded(COLUMNS.replace("np.ones((units, 1))", "np.ones((int(units), 1))"))
    assert code == grade.RIGHT, said


def test_a_gradient_that_is_another_on_purpose_is_not_checked(graded):
    text = "class Sign:\n    '''straight-through'''\n    def forward(self, x): return np.sign(x)\n    def backward(self, dy): return dy\n"
    code, said = graded(text)
    assert code == grade.UNUSABLE and "its text says so: straight-through" in said
    assert graded(text.replace("straight-through", "a sign"))[0] == grade.WRONG


TRAIN = (
    OF_LISTS
    + """

def train(net, x, t, lr=0.1):
    for _ in range(20):
        for i in range(0, len(x), 4):
            net.zero_grad()
            net.backward(net.forward(x[i : i + 4]) - t[i : i + 4])
            for p, g in zip(net.params, net.grads):
                p -= lr * g
"""
)


def test_gradients_that_are_set_to_zero_too_seldom_are_found(slipped):
    zero, outer = "            net.zero_grad()\n", "        for i in"
    moved = TRAIN.replace(zero, "").replace(outer, zero[4:] + outer)
    _, said = slipped(TRAIN, TRAIN, moved)
    assert "train: wrong" in said and "in the same loop" in said


def test_a_loop_over_layers_sets_no_gradient_to_zero(graded):
    text = (
        OF_LISTS
        + """

def train(nets, x, lr=0.1):
    for _ in range(20):
        for net in nets:
            net.zero_grad()
        for net in nets:
            net.forward(x)
            net.backward(x)
            for p, g in zip(net.params, net.grads):
                p -= lr * g
"""
    )
    code, said = graded(text)
    assert code == grade.RIGHT, said
