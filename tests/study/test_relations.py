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
    (found,) = longer(np.ones((4, 6, 3)), lambda x: x.shape[2] == 3)
    assert found.shape == (9, 11, 3)
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
