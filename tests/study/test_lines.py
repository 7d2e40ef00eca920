"""The line that makes a gradient wrong, found by one small change of the person's code, with which it is right."""

import ast

import pytest

from scratchae.study.diagnosis import candidates, entries, repairs
from scratchae.study.diagnosis.lines import LINES

CELL = """
    def sigmoid(v):
        return 1 / (1 + np.exp(-v))

    def step_forward(x, h, c, Wx, Wh, b):
        H = h.shape[1]
        a = x @ Wx + h @ Wh + b
        i, f, o = sigmoid(a[:, :H]), sigmoid(a[:, H:2*H]), sigmoid(a[:, 2*H:3*H])
        g = np.tanh(a[:, 3*H:])
        next_c = f * c + i * g
        t = np.tanh(next_c)
        return o * t, next_c, (x, h, c, Wx, Wh, i, f, o, g, t)

    def step_backward(dh, dc, cache):
        x, h, c, Wx, Wh, i, f, o, g, t = cache
        dc = dc + dh * o * (1 - t**2)
        do, df, di, dg = dh * t, dc * c, dc * g, dc * i
        da = np.hstack([di * i * (1 - i), df * f * (1 - f), do * o * (1 - o), dg * (1 - g**2)])
        return da @ Wx.T, da @ Wh.T, dc * f, x.T @ da, h.T @ da, da.sum(axis=0)
"""
NET = """
    class Tied:
        def __init__(self, n=4, k=3):
            rng = np.random.default_rng(0)
            self.K, self.c, self.d = rng.standard_normal((n, k)), np.zeros(k), np.zeros(n)

        def loss(self, X):
            code = np.tanh(X @ self.K + self.c)
            recon = 1 / (1 + np.exp(-(code @ self.K.T + self.d)))
            err = recon - X
            n = X.shape[0]
            value = 0.5 * (err**2).sum() / n + 0.2 * np.abs(self.K).sum()
            g_out = err * recon * (1 - recon) / n
            g_code = g_out @ self.K
            g_hid = g_code * (1 - code**2)
            grads = {"K": X.T @ g_hid + g_out.T @ code + 0.2 * np.sign(self.K), "c": g_hid.sum(axis=0), "d": g_out.sum(axis=0)}
            return value, grads
"""
ATTENTION = """
    class Scores:
        def __init__(self, d=3, k=4):
            rng = np.random.default_rng(0)
            self.Wq, self.Wk = rng.standard_normal((d, k)), rng.standard_normal((d, k))

        def forward(self, x):
            self.x = x
            self.q, self.k = x @ self.Wq, x @ self.Wk
            return self.q @ self.k.transpose(0, 2, 1)

        def backward(self, dy):
            d_q, d_k = dy @ self.k, dy.transpose(0, 2, 1) @ self.q
            self.dWq = np.einsum("ntd,ntk->dk", self.x, d_q)
            self.dWk = np.einsum("ntd,ntk->dk", self.x, d_k)
            return d_q @ self.Wq.T + d_k @ self.Wk.T
"""
USERS = """
    class Ratings:
        def __init__(self, users=5, items=6, k=3):
            rng = np.random.default_rng(0)
            self.U, self.V = rng.standard_normal((users, k)), rng.standard_normal((items, k))

        def loss(self, users, items, ratings):
            e = (self.U[users] * self.V[items]).sum(axis=1) - ratings
            dU, dV = np.zeros_like(self.U), np.zeros_like(self.V)
            np.add.at(dU, users, e[:, None] * self.V[items])
            np.add.at(dV, items, e[:, None] * self.U[users])
            return 0.5 * (e**2).sum(), {"U": dU, "V": dV}
"""
SCRIPT = """
    rng = np.random.default_rng(0)
    X, y = rng.standard_normal((6, 3)), rng.uniform(0.2, 0.8, (6, 1))
    W1, b1 = rng.standard_normal((3, 4)), np.zeros(4)
    W2, b2 = rng.standard_normal((4, 1)), np.zeros(1)

    for epoch in range(20):
        h = np.tanh(X @ W1 + b1)
        out = 1 / (1 + np.exp(-(h @ W2 + b2)))
        d = (out - y) / len(X)
        dh = d @ W2.T * (1 - h**2)
        W2 -= 0.1 * h.T @ d
        b2 -= 0.1 * d.sum(axis=0)
        W1 -= 0.1 * X.T @ dh
        b1 -= 0.1 * dh.sum(axis=0)
"""
FIT = """
    def fit(X, y, hidden=4, epochs=10, lr=0.1):
        rng = np.random.default_rng(0)
        W1, W2 = rng.standard_normal((X.shape[1], hidden)), rng.standard_normal(hidden)
        for _ in range(epochs):
            h = np.tanh(X @ W1)
            loss = np.mean((h @ W2 - y) ** 2)
            d = 2 * (h @ W2 - y) / len(X)
            dh = np.outer(d, W2) * (1 - h**2)
            W1 -= lr * X.T @ dh
            W2 -= lr * h.T @ d
        return W1, W2
"""
ROLLED = """
    def cost(theta, X, Y, hidden=4, lam=0.3):
        D, K = X.shape[1], Y.shape[1]
        W1 = theta[: hidden * (D + 1)].reshape(hidden, D + 1)
        W2 = theta[hidden * (D + 1) :].reshape(K, hidden + 1)
        A1 = np.hstack([np.ones((len(X), 1)), X])
        A2 = np.hstack([np.ones((len(X), 1)), np.tanh(A1 @ W1.T)])
        e = A2 @ W2.T - Y
        J = 0.5 * (e**2).sum() + 0.5 * lam * ((W1[:, 1:] ** 2).sum() + (W2[:, 1:] ** 2).sum())
        d2 = (e @ W2)[:, 1:] * (1 - A2[:, 1:] ** 2)
        grad1, grad2 = d2.T @ A1, e.T @ A2
        grad1[:, 1:] += lam * W1[:, 1:]
        grad2[:, 1:] += lam * W2[:, 1:]
        return J, np.concatenate([grad1.ravel(), grad2.ravel()])
"""
CLASSES = """
    class Classifier:
        def __init__(self, d=4, h=5, k=3):
            rng = np.random.default_rng(0)
            self.W, self.V = rng.standard_normal((d, h)), rng.standard_normal((h, k))

        def loss(self, X, y):
            acts = [X, np.maximum(X @ self.W, 0)]
            H = acts[-1]
            s = H @ self.V
            p = np.exp(s - s.max(axis=1, keepdims=True))
            p /= p.sum(axis=1, keepdims=True)
            n = len(y)
            value = -np.log(p[np.arange(n), y]).mean()
            ds = p.copy()
            ds[np.arange(n), y] -= 1
            ds /= n
            dH = ds @ self.V.T
            dH[H <= 0] = 0
            return value, {"W": X.T @ dH, "V": acts[-1].T @ ds}
"""
PADDED = """
    def pad_forward(x, left=1, top=1):
        return np.pad(x, ((0, 0), (0, 0), (top, 1), (left, 1))), (x.shape, left, top)

    def pad_backward(dy, cache):
        (n, c, h, w), left, top = cache
        return dy[:, :, top : top + h, left : left + w]
"""
# each: a right file, a place in it, the same with a slip, the kind of what is found, and a part of what is said
NORM = """
    class Norm:
        def forward(self, x):
            self.mid = x - x.mean(axis=1, keepdims=True)
            self.var = np.mean(self.mid**2, axis=1, keepdims=True)
            return self.mid / np.sqrt(self.var + 0.1)

        def backward(self, dy):
            dvar = np.sum(dy * self.mid * -0.5 * (self.var + 0.1) ** -1.5, axis=1, keepdims=True)
            dmid = dy / np.sqrt(self.var + 0.1) + dvar * 2 * self.mid / dy.shape[1]
            return dmid - dmid.mean(axis=1, keepdims=True)
"""
CHAIN = """
    class Chain:
        def __init__(self, sizes=(3, 3, 3)):
            rng = np.random.default_rng(0)
            self.weights = [rng.standard_normal((n, k)) for n, k in zip(sizes[:-1], sizes[1:])]
            self.grads = [None] * len(self.weights)

        def forward(self, x):
            self.kept = [x]
            for w in self.weights:
                self.kept.append(np.tanh(self.kept[-1] @ w))
            return self.kept[-1]

        def backward(self, dy):
            for l in reversed(range(len(self.weights))):
                da = dy * (1 - self.kept[l + 1] ** 2)
                self.grads[l] = self.kept[l].T @ da
                dy = da @ self.weights[l].T
            return dy
"""
EDGES = """
    class Edges:
        def __init__(self, d=3):
            self.src, self.dst = np.array([[0, 1, 2, 0], [1, 2, 0, 2]])
            self.W = np.random.default_rng(1).standard_normal((d, d))

        def forward(self, h):
            self.h, out = h, np.zeros_like(h)
            np.add.at(out, self.dst, h[self.src] @ self.W)
            return out

        def backward(self, g):
            d = np.zeros_like(g)
            self.dW = self.h[self.src].T @ g[self.dst]
            np.add.at(d, self.src, g[self.dst] @ self.W.T)
            return d
"""
WINDOWS = """
    class Spread:
        def __init__(self, k=3, stride=2):
            self.k, self.stride, self.w = k, stride, np.random.default_rng(1).standard_normal((k, k))

        def forward(self, x):
            self.x = x
            n, h, w = x.shape
            s, k = self.stride, self.k
            out = np.zeros((n, (h - 1) * s + k, (w - 1) * s + k))
            for i in range(h):
                for j in range(w):
                    out[:, i * s : i * s + k, j * s : j * s + k] += x[:, i, j, None, None] * self.w
            return out

        def backward(self, dy):
            dx, s, k = np.zeros_like(self.x), self.stride, self.k
            for i in range(dx.shape[1]):
                for j in range(dx.shape[2]):
                    g = dy[:, i * s : i * s + k, j * s : j * s + k]
                    dx[:, i, j] = (g * self.w).sum(axis=(1, 2))
            self.dw = sum(
                np.einsum("n,nij->ij", self.x[:, i, j], dy[:, i * s : i * s + k, j * s : j * s + k])
                for i in range(dx.shape[1])
                for j in range(dx.shape[2])
            )
            return dx
"""
DENSE = """
    def dense_forward(x, W, b):
        return np.tanh(x @ W + b), (x, W, b)

    def dense_backward(dy, cache):
        x, W, b = cache
        da = dy * (1 - np.tanh(x @ W + b) ** 2)
        dW = x.T @ da
        db = da.sum(axis=0)
        return da @ W.T, dW, db
"""
LEAKY = """
    class Leaky:
        def __init__(self):
            self.a = np.array([0.2, 0.3, 0.4])

        def forward(self, x):
            self.x = x
            return np.where(x > 0, x, self.a * x)

        def backward(self, dy):
            low = np.minimum(self.x, 0)
            self.da = (dy * low).sum(axis=0)
            return np.where(self.x > 0, dy, self.a * dy)
"""
PULLBACK = """
    def logistic(x):
        y = 1 / (1 + np.exp(-x))
        return y, lambda g: g * y * (1 - y)
"""
TABLE = """
    LOSSES = {
        "exponential": (
            lambda p, t: np.mean(np.log(p) + t * p**-1.0),
            lambda p, t: (1 / p - t / p**2) / p.size,
        ),
    }
"""
FACTORY = """
    def softplus(W):
        memory = {}

        def fwd(x):
            memory["x"], memory["z"] = x, x @ W
            return np.log1p(np.exp(memory["z"]))

        def bwd(g):
            s = 1 / (1 + np.exp(-memory["z"]))
            gz = g * s
            return gz @ W.T, memory["x"].T @ gz

        return fwd, bwd
"""
ROUGH = """
        def objective(f, data):
            return np.sum((f - data) ** 2) + np.sum(np.diff(f) ** 2)

        def gradient(f, data):
            d, g = np.diff(f), 2 * (f - data)
            g[1:] += 2 * d
            g[:-1] -= 2 * d
            return g
"""
HINGE = """
    def svm_loss(W, X, y):
        rows = np.arange(len(X))
        s = X @ W
        m = np.maximum(0, s - s[rows, y][:, None] + 1)
        m[rows, y] = 0
        c = (m > 0).astype(float)
        c[rows, y] = -c.sum(axis=1)
        return m.sum(), X.T @ c
"""
RING = """
    class Ring:
        def __init__(self):
            self.J = np.array([0.5, -1.0, 2.0])

        def forward(self, x):
            self.x, y = x, 0
            for r, j in enumerate(self.J):
                y = y + j * np.roll(x, -r, axis=1)
            return y

        def backward(self, dy):
            self.dJ, dx = np.zeros(3), 0
            for r, j in enumerate(self.J):
                self.dJ[r] = np.einsum("ns,ns->", np.roll(self.x, -r, axis=1), dy)
                dx = dx + j * np.roll(dy, r, axis=1)
            return dx
"""
STEP = """
    def train_step(X, Y, W, V, rate=0.1):
        h = np.tanh(X @ W)
        d = h @ V - Y
        loss = 0.5 * np.sum(d**2)
        dh = d @ V.T
        e = d
        V -= rate * h.T @ d
        W -= rate * X.T @ (dh * (1 - h**2))
        return loss
"""
ENLARGE = """
    class Enlarge:
        def forward(self, x):
            return x.repeat(2, axis=1).repeat(3, axis=2)

        def backward(self, dy):
            n, h, w = dy.shape
            return dy.reshape(n, h // 2, 2, w // 3, 3).sum(axis=(2, 4))
"""
IMAGES = """
    class Norm:
        axes = (0, 2, 3)

        def __call__(self, x):
            self.std = np.sqrt(x.var(self.axes, keepdims=True) + 1e-5)
            self.n = (x - x.mean(self.axes, keepdims=True)) / self.std
            return self.n

        def backward(self, g):
            return (g - g.mean(self.axes, keepdims=True) - self.n * (g * self.n).mean(self.axes, keepdims=True)) / self.std
"""
DEEP = """
    class Two:
        def __init__(self, d=3, h=5, k=4):
            rng = np.random.default_rng(0)
            self.W, self.V = rng.standard_normal((d, h)), rng.standard_normal((h, h))
            self.U = rng.standard_normal((h, k))

        def loss(self, X, Y):
            A = np.tanh(X @ self.W)
            B = np.tanh(A @ self.V)
            e = B @ self.U - Y
            dB = e @ self.U.T * (1 - B**2)
            dA = dB @ self.V.T
            dA = dA * (1 - A**2)
            return 0.5 * (e**2).sum(), {"W": X.T @ dA, "V": A.T @ dB, "U": B.T @ e}
"""
TILED = """
    class Enlarge:
        def forward(self, x):
            return x.repeat(2, axis=1).repeat(3, axis=2)

        def backward(self, dy):
            n, h, w = dy.shape
            tiles = dy.reshape(n, h // 2, 2, w // 3, 3)
            return tiles.sum(axis=(2, 4))
"""
DROPPED = """
    class DropConnect:
        def __init__(self, n_in, n_out, drop=0.5):
            self.drop, self.rng = drop, np.random.default_rng(0)
            self.W = self.rng.normal(size=(n_in, n_out))

        def forward(self, x):
            self.x, self.mask = x, (self.rng.random(self.W.shape) >= self.drop) / (1 - self.drop)
            self.used = self.W * self.mask
            return x @ self.used

        def backward(self, d):
            self.dW = (self.x.T @ d) * self.mask
            return d @ self.used.T
"""
SLIPS = {
    "a factor that changes some of the elements": (
        DROPPED, "(self.x.T @ d) * self.mask", "(self.x.T @ d) / (1 - self.drop)", "line_lacks_factor", "* self.mask",
    ),
    "the other side of a corner": (LEAKY, "np.minimum(self.x, 0)", "np.maximum(self.x, 0)", "line_instead", "np.minimum"),
    "axes that have a name": (IMAGES, "(g * self.n).mean(self.axes", "(g * self.n).mean(0", "line_instead", "axis=self.axes"),
    "a product of others": (DEEP, "dA = dB @ self.V.T", "dA = e @ self.U.T", "line_instead", "dB @ self.V.T"),
    "another exponent": (NORM, "** -1.5", "** -0.5", "line_instead", "** (-1.5)"),
    "the neighbour in a list": (CHAIN, "self.kept[l + 1] ** 2", "self.kept[l] ** 2", "line_instead", "self.kept[l + 1]"),
    "another attribute in brackets": (EDGES, "self.h[self.src].T", "self.h[self.dst].T", "line_instead", "self.src"),
    "a stride left out": (
        WINDOWS, "g = dy[:, i * s : i * s + k, j * s : j * s + k]", "g = dy[:, i : i + k, j : j + k]", "line_instead", "i * s:i * s + k",
    ),
    "a product without its parentheses": (PULLBACK, "g * y * (1 - y)", "g * y * 1 - y", "line_instead", "`g * y * (1 - y)`"),
    "a function of a table": (TABLE, "t / p**2", "t / p", "line_instead", "`p ** 2`"),
    "a factor too many in a function of a function": (FACTORY, "g * s", "g * s * (1 - s)", "line_extra", "`(1 - s)`"),
    "one end of a difference": (
        ROUGH, "            g[1:] += 2 * d\n            g[:-1] -= 2 * d", "            g[1:] += 2 * d", "line_lacks_term", "g[:-1] -= 2 * d",
    ),
    "a number in place of a sum": (HINGE, "c[rows, y] = -c.sum(axis=1)", "c[rows, y] = -1", "line_instead", "-c.sum(axis=1)"),
    "what forward has moved along": (
        RING, 'np.einsum("ns,ns->", np.roll(self.x, -r, axis=1), dy)', 'np.einsum("ns,ns->", self.x, dy)', "line_instead", "np.roll(self.x, -r, axis=1)",
    ),
    "blocks of other axes": (
        ENLARGE, "dy.reshape(n, h // 2, 2, w // 3, 3).sum(axis=(2, 4))", "dy.reshape(n, 2, h // 2, 3, w // 3).sum(axis=(1, 3))", "line_instead", "axis=(2, 4)",
    ),
    "a side of a corner forgotten": (LEAKY, "low = np.minimum(self.x, 0)", "low = self.x", "line_instead", "np.minimum(self.x, 0)"),
    "the sum of another array": (DENSE, "db = da.sum", "db = dW.sum", "line_instead", "`da` in place of `dW`"),
    "gates in another order": (
        CELL, "[di * i * (1 - i), df * f * (1 - f),", "[df * f * (1 - f), di * i * (1 - i),", "line_instead", "di * i * (1 - i), df * f",
    ),
    "a gate copied": (CELL, "do * o * (1 - o)", "do * f * (1 - f)", "line_instead", ""),
    "an activation not differentiated": (NET, "err * recon * (1 - recon) / n", "err / n", "line_lacks_factor", "recon * (1 - recon)"),
    "an activation at the wrong point": (NET, "(1 - code**2)", "(1 - code)", "line_instead", "code ** 2"),
    "one use of a parameter": (NET, "X.T @ g_hid + g_out.T @ code", "X.T @ g_hid", "line_lacks_term", "+ g_out.T @ code"),
    "the sign of a penalty": (NET, "+ 0.2 * np.sign(self.K)", "- 0.2 * np.sign(self.K)", "line_sign", "0.2 * np.sign(self.K)"),
    "the factor of a penalty": (NET, "+ 0.2 * np.sign(self.K)", "+ 0.1 * np.sign(self.K)", "line_factor", "counts 0.5 times"),
    "a transpose": (ATTENTION, "dy.transpose(0, 2, 1) @ self.q", "dy @ self.q", "line_instead", "dy.transpose(0, 2, 1)"),
    "indices that repeat": (
        USERS, "np.add.at(dU, users, e[:, None] * self.V[items])", "dU[users] += e[:, None] * self.V[items]", "line_overwrites", "np.add.at",
    ),
    "all but the first": (ROLLED, "(e @ W2)[:, 1:]", "(e @ W2)[:, :-1]", "line_instead", "(e @ W2)[:, 1:]"),
    "a penalty on a bias": (ROLLED, "grad2[:, 1:] += lam * W2[:, 1:]", "grad2 += lam * W2", "line_instead", "grad2[:, 1:]"),
    "a derivative too many": (ROLLED, "* (1 - A2[:, 1:] ** 2)", "* (1 - A2[:, 1:] ** 2) * A2[:, 1:]", "line_instead", ""),
    "a row for each example": (CLASSES, "ds[np.arange(n), y] -= 1", "ds[:, y] -= 1", "line_instead", "range(ds.shape[0])"),
    "a mask of a gradient": (CLASSES, "dH[H <= 0]", "dH[dH <= 0]", "line_instead", "H <= 0"),
    "a factor of one of several that are returned": (CELL, "dc * f, x.T @ da", "dc, x.T @ da", "line_lacks_factor", "dc * f"),
    "two sides exchanged": (PADDED, "top : top + h, left : left + w", "left : left + h, top : top + w", "line_instead", "top"),
    "a loop of a script, which says nothing of its loss": (SCRIPT, "(1 - h**2)", "(1 - h)", "line_instead", "h ** 2"),
    "a loop of a function": (FIT, "(1 - h**2)", "h * (1 - h)", "line_instead", "1 - h ** 2"),
}  # fmt: skip


def test_what_is_one_minus_another_is_not_written_twice():
    assert candidates.simply("(1 - a[l]) * (1 - (1 - a[l]))") == "(1 - a[l]) * a[l]"


def test_a_weight_that_is_changed_before_it_is_used(slipped):
    right = "dh = d @ V.T\n        e = d\n        V -= rate * h.T @ d"
    _, said = slipped(STEP, right, "V -= rate * h.T @ d\n        e = d\n        dh = d @ V.T")
    assert "line 7 comes too early: after `line 9`" in said


def test_blocks_of_other_axes_in_two_lines(slipped):
    right = "reshape(n, h // 2, 2, w // 3, 3)\n            return tiles.sum(axis=(2, 4))"
    wrong = "reshape(n, 2, h // 2, 3, w // 3)\n            return tiles.sum(axis=(1, 3))"
    _, said = slipped(TILED, right, wrong)
    assert "tiles.sum(axis=(2, 4))` in place of" in said


def test_the_stride_is_among_the_arguments():
    function = ast.parse("def f(dy, stride=2):\n    for t in range(3):\n        g = dy[:, t:t + 4]").body[0]
    assert "dy[:, t * stride:t * stride + 4]" in [one.new for one in entries.of_windows(function)]


@pytest.mark.parametrize("slip", SLIPS)
def test_the_line_of_a_slip(slip, slipped, monkeypatch):
    monkeypatch.setattr(repairs, "SECONDS", 60.0)
    text, before, after, kind, part = SLIPS[slip]
    _, said = slipped(text, before, after)
    if kind:
        head = next(line for line in said.splitlines() if line.startswith("∂L/∂"))
        assert LINES[kind][0].split("{")[0].strip() in head or kind == "line_extra", said
        number = 2 + next(i for i, line in enumerate(text.replace(before, after).splitlines()) if after in line)
        assert (f"line {number}" in head or "exchanged" in slip) and part in said, said


def test_one_of_several_may_stand_in_place_of_their_sum():
    node = ast.parse("dy.reshape(n, h, 2, w, 3)[:, :, 0, :, 0]", mode="eval").body
    assert "dy.reshape(n, h, 2, w, 3).sum(axis=(2, 4))" in [one.new for one in entries.of_entries(node)]
