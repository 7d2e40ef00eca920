"""What has to be varied before a mistake shows: options, sizes, numbers of axes and examples; and what is right in spite of its writing."""

import numpy as np
import pytest

from scratchae.study.trials.inputs import longer
from scratchae.tutorial import grade

COLUMNS = """
def bn_fwd(Z, gamma, beta, eps=1e-3):
    C = Z - Z.mean(axis=1, keepdims=True)
    std = np.sqrt((C * C).mean(axis=1, keepdims=True) + eps)
    return gamma * C / std + beta, (C / std, std, gamma)

def bn_bwd(dA, saved):
    N, std, gamma = saved
    dN = dA * gamma
    dZ = (dN - dN.mean(axis=1, keepdims=True) - N * (dN * N).mean(axis=1, keepdims=True)) / std
    dgamma = (dA * N).sum(axis=1, keepdims=True)
    dbeta = dA.sum(axis=1, keepdims=True)
    return dbeta, dgamma, dZ
"""


def test_gradients_are_told_by_the_names_of_the_arguments_in_any_order(slipped):
    said, _ = slipped(COLUMNS, "- N * (dN", "+ N * (dN")
    assert "∂L/∂x, ∂L/∂gamma, ∂L/∂beta" in said


GATED = """
def gated(n_in, n_out, rng=np.random.default_rng(5)):
    p = dict(A=rng.normal(size=(n_in, n_out)), a=rng.normal(size=n_out),
             B=rng.normal(size=(n_in, n_out)), b=rng.normal(size=n_out))
    kept = {}

    def forward(x):
        kept.update(x=x, gate=1 / (1 + np.exp(-(x @ p["B"] + p["b"]))))
        return (x @ p["A"] + p["a"]) * kept["gate"]

    def backward(dy):
        x, gate = kept["x"], kept["gate"]
        d_linear = dy * gate
        d_gate = dy * (x @ p["A"] + p["a"]) * gate * (1 - gate)
        dx = d_linear @ p["A"].T + d_gate @ p["B"].T
        return dx, dict(a=d_linear.sum(0), A=x.T @ d_linear, b=d_gate.sum(0), B=x.T @ d_gate)

    return p, forward, backward
"""


def test_a_and_A_are_two_parameters(slipped):
    said, wrong = slipped(GATED, "b=d_gate.sum(0)", "b=d_gate.mean(0)")
    assert "∂L/∂A, ∂L/∂a, ∂L/∂B, ∂L/∂b" in said and wrong.splitlines()[-2].endswith(", backward")


TWO_OF_A_CLASS = """
class Bilinear:
    def __init__(self, n, m):
        self.A, self.a = np.full((n, m), 0.3), np.full(m, 0.1)
    def forward(self, x):
        self.x = x
        return x @ self.A + self.a
    def backward(self, dy):
        self.da, self.dA = dy.sum(0), self.x.T @ dy
        return dy @ self.A.T
"""


def test_a_and_A_of_a_class(slipped):
    slipped(TWO_OF_A_CLASS, "dy.sum(0)", "dy.sum(0) / 2")


def test_what_is_still_to_be_written_makes_nothing_wrong(graded):
    right = "def tanh(x):\n    return np.tanh(x)\n\ndef tanh_prime(x):\n    return 1 - np.tanh(x) ** 2\n"
    open_one = "\ndef norm_forward(x, gamma, beta):\n    raise NotImplementedError()\n\ndef norm_backward(dout, cache):\n    raise NotImplementedError()\n"
    code, text = graded(right + open_one)
    assert code == grade.UNUSABLE and text.endswith("1 of 2 right, 1 still to be written")
    assert "still to be written: it raises NotImplementedError" in text
    assert graded(open_one)[0] == grade.WRONG
    assert graded(right.replace("1 - np", "1 + np") + open_one)[0] == grade.WRONG


SOFTMAX = """
class Softmax:
    def forward(self, x, *, temperature=1.0, training=True):
        e = np.exp((x - x.max(axis=-1, keepdims=True)) / temperature)
        self.y, self.temperature = e / e.sum(axis=-1, keepdims=True), temperature
        return self.y
    def backward(self, dy):
        t = dy * self.y
        return (t - self.y * t.sum(axis=-1, keepdims=True)) / self.temperature
"""


def test_options_of_a_forward_are_varied(slipped):
    said, wrong = slipped(SOFTMAX, " / self.temperature", "")
    assert "options temperature=0.37 in forward" in said and "with temperature=0.37 in forward" in wrong


def test_options_that_forward_and_backward_share_are_handed_to_both(graded):
    code, text = graded(
        """
        class Scale:
            def forward(self, x, by=2.0):
                return by * x
            def backward(self, dy, by=2.0):
                return by * dy
        """
    )
    assert code == 0 and "by=0.37 in forward" in text


POOL = """
class TimeMax:
    def __init__(self, window=3, hop=1):
        self.window, self.hop = window, hop
    def forward(self, x):
        starts = np.arange(0, len(x) - self.window + 1, self.hop)
        frames = np.stack([x[s : s + self.window] for s in starts])
        self.shape, self.where = x.shape, frames.argmax(axis=1) + starts[:, None, None]
        return frames.max(axis=1)
    def backward(self, dy):
        dx = np.zeros(self.shape)
        b, f = np.ogrid[: self.shape[1], : self.shape[2]]
        np.add.at(dx, (self.where, b, f), dy)
        return dx
"""


def test_a_window_that_is_moved_further_has_more_than_one_place(slipped):
    slipped(POOL, "starts[:, None, None]", "np.arange(len(starts))[:, None, None]")


def test_axes_are_longer_where_they_may_be():
    found = longer(np.ones((4, 6, 3)), lambda x: x.shape[2] == 3)
    assert [one.shape for one in found] == [(9, 11, 3), (9, 6, 3)]
    assert longer(np.ones((4, 3)), lambda x: False) == []


PAD = """
class Pad:
    def __init__(self, left=1, right=1):
        self.left, self.right = left, right
    def forward(self, x):
        self.n = x.shape[1]
        return np.pad(x, ((0, 0), (self.left, self.right)))
    def backward(self, dy):
        return dy[:, self.left : self.left + self.n]
"""


def test_a_border_may_have_no_width(slipped):
    _, wrong = slipped(PAD, "self.left : self.left + self.n", "self.left : -self.right")
    assert "with right=0" in wrong


RMS = '''
def rms_forward(x, gain, eps=1e-6):
    """x: (..., features), gain: (features,)"""
    inv = 1.0 / np.sqrt(np.mean(x * x, axis=-1, keepdims=True) + eps)
    return gain * x * inv, (x * inv, inv, gain)

def rms_backward(dy, cache):
    n, inv, gain = cache
    d = dy * gain
    dx = inv * (d - n * (d * n).sum(axis=-1, keepdims=True) / n.shape[-1])
    return dx, (dy * n).sum(axis=tuple(range(dy.ndim - 1)))
'''


def test_a_text_that_speaks_of_any_axes_is_held_to_it(slipped):
    _, wrong = slipped(RMS, "n.shape[-1]", "n.shape[1]")
    assert "for x with three axes" in wrong


NORM = """
def norm_forward(x, gamma, beta, bn_param):
    momentum = bn_param.get("momentum", 0.9)
    running_mean = bn_param.get("running_mean", np.zeros(x.shape[-1]))
    running_var = bn_param.get("running_var", np.ones(x.shape[-1]))
    mu, var = running_mean, running_var
    if bn_param["mode"] == "train":
        mu, var = x.mean(axis=0), x.var(axis=0)
        running_mean = momentum * running_mean + (1 - momentum) * mu
        running_var = momentum * running_var + (1 - momentum) * var
    xhat = (x - mu) / np.sqrt(var + 1e-5)
    bn_param["running_mean"], bn_param["running_var"] = running_mean, running_var
    return gamma * xhat + beta, (bn_param["mode"], xhat, var, gamma)

def norm_backward(dout, cache):
    mode, xhat, var, gamma = cache
    d = dout * gamma
    dx = d - d.mean(axis=0) - xhat * (d * xhat).mean(axis=0) if mode == "train" else d
    return dx / np.sqrt(var + 1e-5), (dout * xhat).sum(axis=0), dout.sum(axis=0)
"""


def test_a_running_average_is_wrong_however_the_gradients_are_read(slipped):
    before = "momentum * running_var + (1 - momentum) * var"
    _, wrong = slipped(NORM, before, "(1 - momentum) * running_var + momentum * var")
    assert "running_var'] takes most of the new batch" in wrong


ATTEND = """
def attend(q, k, v):
    scale = 1 / np.sqrt(q.shape[-1])
    scores = q @ k.swapaxes(1, 2) * scale
    a = np.exp(scores - scores.max(axis=-1, keepdims=True))
    a /= a.sum(axis=-1, keepdims=True)
    return a @ v, dict(q=q, k=k, v=v, a=a, scale=scale)

def attend_backward(dout, saved):
    q, k, v, a = saved["q"], saved["k"], saved["v"], saved["a"]
    da = dout @ v.swapaxes(1, 2)
    ds = a * (da - (da * a).sum(axis=-1, keepdims=True)) * saved["scale"]
    return ds @ k, ds.swapaxes(1, 2) @ q, a.swapaxes(1, 2) @ dout
"""


@pytest.mark.parametrize(
    ("before", "after"),
    [
        ('* saved["scale"]\n    return ds @ k', '\n    return ds @ k * saved["scale"]'),
        ("a * (da - (da * a).sum(axis=-1, keepdims=True))", "a * da"),
    ],
)
def test_a_size_of_1_is_no_proof_where_any_size_is_taken(before, after, slipped):
    slipped(ATTEND, before, after)


COLUMN = '''
class Layer:
    """W x + b"""
    def __init__(self, n_out, n_in):
        self.W, self.b = np.full((n_out, n_in), 0.2), np.full((n_out, 1), 0.1)
    def forward(self, x):
        self.x, self.y = x, np.tanh(self.W @ x + self.b)
        return self.y
    def backward(self, dy):
        da = dy * (1 - self.y**2)
        self.dW = da @ self.x.T
        self.db = da
        return self.W.T @ da

layer = Layer(2, 3)
x = np.array([[0.5], [-1.0], [0.25]])
'''


def test_it_is_said_that_a_layer_is_right_for_one_column_only(graded):
    code, text = graded(COLUMN)
    assert code == 0 and "right only for one example, as x with one column" in text
    code, text = graded(COLUMN.replace("self.db = da", "self.db = da.sum(axis=1, keepdims=True)"))
    assert code == 0 and "right only" not in text


NLL = '''
class NLL:
    """Negative log-likelihood of y under N(mu, exp(logvar)), without its constant."""
    def forward(self, mu, logvar, y):
        self.r, self.p = mu - y, np.exp(-logvar)
        return (0.5 * logvar + 0.5 * self.p * self.r**2).sum() / len(y)
    def backward(self):
        n = len(self.r)
        return self.p * self.r / n, (0.5 - 0.5 * self.p * self.r**2) / n
'''


@pytest.mark.parametrize("function", [False, True])
def test_a_likelihood_is_best_where_the_deviation_is_that_of_y(function, graded):
    right = NLL
    if function:
        right = """
def gaussian_nll(mu, logvar, y):
    r, p = mu - y, np.exp(-logvar)
    value = (0.5 * logvar + 0.5 * p * r**2).sum() / len(y)
    return value, p * r / len(y), (0.5 - 0.5 * p * r**2) / len(y)
"""
    assert graded(right)[0] == 0
    code, text = graded(right.replace("(0.5 * logvar", "(logvar").replace("(0.5 - ", "(1 - "))
    assert code == 1 and "the value is no likelihood of N(μ, σ²)" in text


def test_a_loss_that_a_function_makes_is_read_with_the_arguments_of_both(slipped):
    said, _ = slipped(
        """
        def make_loss(sample_weight):
            w = np.asarray(sample_weight).reshape(-1, 1)

            def loss(y_hat, y):
                r = y_hat - y
                return np.sum(w * r * r) / w.sum(), 2 * w * r / w.sum()

            return loss
        """,
        "2 * w * r",
        "w * r",
    )
    assert "make_loss: right; ∂L/∂y_hat" in said


PAIRS = """
class Net:
    def __init__(self, sizes):
        gen = np.random.RandomState(0)
        self.biases = [gen.randn(n, 1) for n in sizes[1:]]
        self.weights = [gen.randn(n, m) for m, n in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for w, b in zip(self.weights, self.biases):
            a = np.tanh(w.dot(a) + b)
        return a

    def mini_batch(self, batch, eta):
        sum_b, sum_w = [0 * b for b in self.biases], [0 * w for w in self.weights]
        for x, y in batch:
            one_b, one_w = self.backprop(x, y)
            sum_b = [s + o for s, o in zip(sum_b, one_b)]
            sum_w = [s + o for s, o in zip(sum_w, one_w)]
        self.biases = [b - eta / len(batch) * s for b, s in zip(self.biases, sum_b)]
        self.weights = [w - eta / len(batch) * s for w, s in zip(self.weights, sum_w)]

    def backprop(self, x, y):
        acts = [x]
        for w, b in zip(self.weights, self.biases):
            acts.append(np.tanh(w.dot(acts[-1]) + b))
        delta, grad_b, grad_w = acts[-1] - y, [], []
        for l in range(len(self.weights) - 1, -1, -1):
            delta = delta * (1 - acts[l + 1] ** 2)
            grad_b.insert(0, delta)
            grad_w.insert(0, delta.dot(acts[l].T))
            delta = self.weights[l].T.dot(delta)
        return grad_b, grad_w
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("sum_b = [s + o for s, o in zip(sum_b, one_b)]", "sum_b = one_b", "as the last of them alone does"),
        ("in batch:", "in batch[:1]:", ""),
        ("self.biases = [b - eta / len(batch) * s", "self.biases = [b - 1e-4 * s", ""),
    ],
)
def test_a_step_with_a_list_of_examples_moves_all_by_all_of_them(before, after, said, graded):
    assert graded(PAIRS)[0] == 0
    code, text = graded(PAIRS.replace(before, after))
    assert code == bool(said) and said in text  # what moves nothing as one of them alone does is not accused


DECAYING = """
import random
class Net(object):
    \"\"\"Logistic units, cross-entropy, L2 regularisation; an example is a column.\"\"\"
    def __init__(self, sizes):
        gen = np.random.RandomState(0)
        self.shifts = [gen.randn(n, 1) for n in sizes[1:]]
        self.weights = [gen.randn(n, m) for m, n in zip(sizes[:-1], sizes[1:])]

    def update_batch(self, batch, eta, lmbda, total):
        sum_b, sum_w = [0 * b for b in self.shifts], [0 * w for w in self.weights]
        for x, y in batch:
            one_b, one_w = self.backprop(x, y)
            sum_b = [s + o for s, o in zip(sum_b, one_b)]
            sum_w = [s + o for s, o in zip(sum_w, one_w)]
        step = eta / len(batch)
        self.shifts = [b - step * s for b, s in zip(self.shifts, sum_b)]
        self.weights = [(1 - eta * lmbda / total) * w - step * s for w, s in zip(self.weights, sum_w)]

    def backprop(self, x, y):
        outs = [x]
        for w, b in zip(self.weights, self.shifts):
            outs.append(1 / (1 + np.exp(-w.dot(outs[-1]) - b)))
        delta, grad_b, grad_w = outs[-1] - y, [], []
        for l in range(len(self.weights) - 1, -1, -1):
            grad_b.insert(0, delta)
            grad_w.insert(0, delta.dot(outs[l].T))
            delta = self.weights[l].T.dot(delta) * outs[l] * (1 - outs[l])
        return grad_b, grad_w
"""


@pytest.mark.parametrize(
    ("before", "after", "said"),
    [
        ("* outs[l] * (1 - outs[l])", "* (1 - outs[l])", "(1 - outs[l]) * outs[l]"),
        ("(1 - eta * lmbda / total)", "(1 + eta * lmbda / total)", "weights grow"),
        ("(1 - eta * lmbda / total)", "(1 - step * lmbda)", "total, which update_batch is handed, does nothing"),
        ("(1 - eta * lmbda / total)", "(1 - eta * lmbda)", ""),
    ],
)
def test_a_net_that_has_no_forward_and_steps_with_a_list_of_examples(before, after, said, graded):
    assert graded(DECAYING)[0] == 0
    code, text = graded(DECAYING.replace(before, after))
    assert code == bool(said) and said in " ".join(text.split())


FRAMEWORK = """
class Parameter:
    def __init__(self, value):
        self.value, self.grad = value, np.zeros_like(value)

class Linear:
    def __init__(self, n, m):
        self.w = Parameter(np.random.default_rng(0).normal(size=(n, m)))
    def forward(self, x):
        self.x = x
        return x @ self.w.value
    def backward(self, dy):
        self.w.grad += self.x.T @ dy
        return dy @ self.w.value.T

class SGD:
    def __init__(self, parameters, lr):
        self.parameters, self.lr = parameters, lr
    def zero_grad(self):
        for p in self.parameters:
            p.grad[...] = 0
    def step(self):
        for p in self.parameters:
            p.value -= self.lr * p.grad

def fit(x, y, steps=30, lr=0.1):
    layers = [Linear(x.shape[1], y.shape[1])]
    sgd = SGD([layer.w for layer in layers], lr)
    for _ in range(steps):
        out = x
        for layer in layers:
            out = layer.forward(out)
        sgd.zero_grad()
        g = 2 * (out - y) / y.size
        for layer in reversed(layers):
            g = layer.backward(g)
        sgd.step()
    return layers
"""


def test_what_sets_gradients_to_0_and_is_never_called(slipped):
    _, wrong = slipped(FRAMEWORK, "        sgd.zero_grad()\n", "")
    assert "nothing calls zero_grad" in wrong


def test_a_step_that_sets_the_gradients_to_0_itself_is_right(graded):
    own = FRAMEWORK.replace("        sgd.zero_grad()\n", "").replace(
        "            p.value -= self.lr * p.grad",
        "            p.value -= self.lr * p.grad\n            p.grad[...] = 0",
    )
    assert graded(own)[0] == 0


@pytest.mark.parametrize(
    ("text", "before", "after", "said"),
    [
        (
            """
            class Focal:
                def forward(self, p, y, *, gamma=2.0):
                    self.p, self.y, self.gamma = p, y, gamma
                    return -(y * (1 - p) ** gamma * np.log(p)).sum() / len(p)
                def backward(self):
                    p, y, g = self.p, self.y, self.gamma
                    return -y * ((1 - p) ** g / p - g * (1 - p) ** (g - 1) * np.log(p)) / len(p)
            """,
            "self.y, self.gamma\n                    return -y",
            "self.y, 2.0\n                    return -y",
            "with gamma=0.37",
        ),
        (
            """
            class ELU:
                def __call__(self, x, alpha=1.0):
                    return np.where(x > 0, x, alpha * (np.exp(x) - 1))
                def gradient(self, x, alpha=1.0):
                    return np.where(x > 0, 1.0, alpha * np.exp(x))
            """,
            "1.0, alpha",
            "1.0, 1",
            "with alpha=0.37",
        ),
        (
            ATTEND.replace("(q, k, v)", "(q, k, v, *, heat=1.0)").replace("* scale\n", "* (scale := scale / heat)\n"),
            'saved["scale"]',
            "q.shape[-1] ** -0.5",
            "with heat=0.37",
        ),
    ],
)
def test_options_of_methods_and_functions_are_varied(text, before, after, said, slipped):
    _, wrong = slipped(text, before, after)
    assert said in wrong


def test_an_option_with_which_a_forward_changes_the_next_is_no_trial(graded):
    code, text = graded(
        """
        class Centre:
            def __init__(self):
                self.mean = 0.0
            def forward(self, x, *, own=False):
                y = x - (self.mean if own else 0)
                self.mean = self.mean + 0.1 * x.mean()
                return y
            def backward(self, dy):
                return dy
        """
    )
    assert code == 0 and "own=True" not in text
