"""A person's own code whose values take several arrays, in the writings of courses and libraries: read, found right, and a slip found."""

import pytest

# each: a right file, then a place in it and the same with a slip
FORMS = {
    "a value with gradients": (
        """
        def triplet(anchor, positive, negative, margin=1.0):
            raw = ((anchor - positive) ** 2).sum(1) - ((anchor - negative) ** 2).sum(1) + margin
            on = (raw > 0)[:, None] / len(raw)
            return np.maximum(raw, 0).mean(), 2 * on * (negative - positive), -2 * on * (anchor - positive), 2 * on * (anchor - negative)
        """,
        "-2 * on * (anchor - positive)",
        "2 * on * (anchor - positive)",
    ),
    "a value with a tuple of gradients": (
        """
        def distance(a, b):
            d = a - b
            return (d**2).sum() / len(a), (2 * d / len(a), -2 * d / len(a))
        """,
        "-2 * d",
        "2 * d",
    ),
    "a value with gradients by key": (
        """
        def net_loss(X, Y, params):
            h = np.tanh(X @ params["W1"] + params["b1"])
            d = (h @ params["W2"] - Y) / len(X)
            dh = d @ params["W2"].T * (1 - h**2)
            return 0.5 * len(X) * (d**2).sum(), {"W1": X.T @ dh, "b1": dh.sum(0), "W2": h.T @ d}
        """,
        "(1 - h**2)",
        "(1 - h)",
    ),
    "a log-likelihood and its score": (
        """
        def loglik(beta, X, y):
            eta = X @ beta
            return np.sum(y * eta - np.logaddexp(0, eta))

        def score(beta, X, y):
            return X.T @ (y - 1 / (1 + np.exp(-X @ beta)))
        """,
        "np.exp(-X @ beta)",
        "np.exp(X @ beta)",
    ),
    "a dict with a number that is trained": (
        """
        def make_model(n_users, n_items, rank):
            P, Q = (np.random.default_rng(i).normal(size=(n, rank)) for i, n in enumerate((n_users, n_items)))
            return dict(P=P, Q=Q, mu=3.0)

        def ratings_cost(m, u, i, r):
            e = m["mu"] + (m["P"][u] * m["Q"][i]).sum(axis=1) - r
            g = dict(P=np.zeros_like(m["P"]), Q=np.zeros_like(m["Q"]), mu=e.sum())
            np.add.at(g["P"], u, e[:, None] * m["Q"][i])
            np.add.at(g["Q"], i, e[:, None] * m["P"][u])
            return 0.5 * e @ e, g
        """,
        "mu=e.sum()",
        "mu=e.mean()",
    ),
    "a net that is a list of dicts": (
        """
        def make_layer(n, m, rng):
            return {"A": rng.normal(size=(m, n)), "c": np.zeros((m, 1))}

        def propagate(chain, X):
            tape = []
            for layer in chain:
                tape.append(X)
                X = layer["A"] @ X + layer["c"]
            return X, tape

        def pull_back(chain, tape, G):
            found = [None] * len(chain)
            for k in reversed(range(len(chain))):
                found[k] = {"A": G @ tape[k].T, "c": G.sum(axis=1, keepdims=True)}
                G = chain[k]["A"].T @ G
            return found, G
        """,
        "G.sum(axis=1, keepdims=True)",
        "G.mean(axis=1, keepdims=True)",
    ),
    "padded sequences, steps first": (
        """
        def pooled_loss(seq, lengths, labels, w, c):
            mask = np.arange(len(seq))[:, None] < lengths
            feat = (seq * mask[:, :, None]).sum(axis=0) / lengths[:, None]
            d = (feat @ w + c - labels) / len(labels)
            dseq = mask[:, :, None] * (d / lengths)[None, :, None] * w
            return 0.5 * len(labels) * (d**2).sum(), (dseq, feat.T @ d, d.sum())
        """,
        "(d / lengths)",
        "(d / len(seq))",
    ),
    "a function made with an array of the shape of an example": (
        """
        def make_loss(importance):
            importance = importance / importance.sum()

            def loss(output, wanted):
                err = output - wanted
                return np.sum(importance * err * err) / len(err), importance * 2 * err / len(err)

            return loss

        pixel_loss = make_loss(np.array([[1.0, 2.0, 1.0], [2.0, 4.0, 2.0], [1.0, 2.0, 1.0]]))
        """,
        "2 * err / len(err)",
        "2 * err",
    ),
    "an energy of each example": (
        """
        def init_rbm(n_visible, n_hidden):
            return {"W": np.ones((n_hidden, n_visible)), "b": np.zeros(n_visible), "c": np.zeros(n_hidden)}

        def free_energy(rbm, v):
            return 0.5 * ((v - rbm["b"]) ** 2).sum(1) - np.logaddexp(0, v @ rbm["W"].T + rbm["c"]).sum(1)

        def grad_visible(rbm, v):
            return v - rbm["b"] - 1 / (1 + np.exp(-v @ rbm["W"].T - rbm["c"])) @ rbm["W"]

        def grad_params(rbm, v):
            h = 1 / (1 + np.exp(-v @ rbm["W"].T - rbm["c"]))
            return {"W": -h.T @ v / len(v), "b": (rbm["b"] - v).mean(0), "c": -h.mean(0)}
        """,
        "-h.T @ v / len(v)",
        "-h.T @ v / len(h.T)",
    ),
    "a function of the upstream": (
        """
        def silu(x):
            s = 1 / (1 + np.exp(-x))

            def backward(dy):
                return dy * (s + x * s * (1 - s))

            return x * s, backward
        """,
        "x * s * (1 - s))",
        "s * (1 - s))",
    ),
    "two steps of a cell": (
        """
        def cell_forward(x, h, c, Wx, Wh, b):
            i, g = np.split(x @ Wx + h @ Wh + b, [b.size // 4], axis=1)[0], np.tanh((x @ Wx + h @ Wh + b)[:, b.size // 4 : b.size // 2])
            o, f = (x @ Wx + h @ Wh + b)[:, b.size // 2 : 3 * b.size // 4], (x @ Wx + h @ Wh + b)[:, 3 * b.size // 4 :]
            new = f * c + i * g
            return o * new, new, (x, h, c, Wx, Wh, i, g, o, f, new)

        def cell_backward(dh, dc, cache):
            x, h, c, Wx, Wh, i, g, o, f, new = cache
            d = dc + dh * o
            da = np.concatenate([d * g, d * i * (1 - g**2), dh * new, d * c], axis=1)
            return da @ Wx.T, da @ Wh.T, d * f, x.T @ da, h.T @ da, da.sum(0)
        """,
        "d = dc + dh * o",
        "d = dh * o",
    ),
    "a cost and its gradient": (
        """
        def cost(theta, X, y, lam=0.0):
            r = X @ theta - y
            return (r @ r + lam * theta[1:] @ theta[1:]) / (2 * len(y))

        def cost_gradient(theta, X, y, lam=0.0):
            g = X.T @ (X @ theta - y)
            g[1:] += lam * theta[1:]
            return g / len(y)
        """,
        "g[1:] += lam * theta[1:]",
        "g += lam * theta",
    ),
    "what is added to the weights": (
        """
        def error(X, y, W):
            return 0.5 * ((y - np.tanh(X @ W)) ** 2).sum()

        def updates(X, y, W):
            out = np.tanh(X @ W)
            return 0.1 * X.T @ ((y - out) * (1 - out**2))
        """,
        "(1 - out**2)",
        "(1 + out**2)",
    ),
    "a layer of two inputs": (
        """
        class Bilinear:
            def __init__(self, d1, d2, out):
                self.W = np.random.default_rng(0).standard_normal((out, d1, d2))

            def forward(self, a, b):
                self.a, self.b = a, b
                return np.einsum("ni,oij,nj->no", a, self.W, b)

            def backward(self, dy):
                self.dW = np.einsum("no,ni,nj->oij", dy, self.a, self.b)
                return np.einsum("no,oij,nj->ni", dy, self.W, self.b), np.einsum("no,oij,ni->nj", dy, self.W, self.a)
        """,
        '"no,oij,ni->nj", dy, self.W, self.a',
        '"no,oij,ni->nj", dy, 2 * self.W, self.a',
    ),
    "a net with its loss": (
        """
        class Net:
            def __init__(self, inputs, hidden, outputs):
                rng = np.random.default_rng(0)
                self.params = {"W1": rng.standard_normal((inputs, hidden)), "W2": rng.standard_normal((hidden, outputs))}

            def loss(self, X, y):
                h = np.maximum(0, X @ self.params["W1"])
                p = np.exp(h @ self.params["W2"])
                p /= p.sum(1, keepdims=True)
                d = p.copy()
                d[np.arange(len(y)), y] -= 1
                d /= len(y)
                dh = d @ self.params["W2"].T * (h > 0)
                return -np.log(p[np.arange(len(y)), y]).mean(), {"W1": X.T @ dh, "W2": h.T @ d}
        """,
        "d /= len(y)",
        "d /= len(y) + 1",
    ),
    "arrays in the constructor": (
        """
        class Gate:
            def __init__(self, p):
                self.p = p

            def forward(self, a, c):
                self.c, self.o = c, np.tanh(a + self.p * c)
                return self.o

            def backward(self, dy):
                d = dy * (1 - self.o**2)
                return d, d * self.p, (d * self.c).sum(0)
        """,
        "d * self.p,",
        "d,",
    ),
    "static methods with a context": (
        """
        class Power:
            @staticmethod
            def forward(ctx, x, y):
                ctx.save_for_backward(x, y)
                return x**2 * y

            @staticmethod
            def backward(ctx, grad_output):
                x, y = ctx.saved_tensors
                return 2 * x * y * grad_output, x**2 * grad_output
        """,
        "2 * x * y",
        "2 * x",
    ),
    "a table of functions": (
        """
        ACTIVATIONS = {"tanh": (np.tanh, lambda z: 1 - np.tanh(z) ** 2), "square": (lambda z: z**2, lambda z: 2 * z)}
        """,
        "lambda z: 2 * z",
        "lambda z: z",
    ),
    "symmetric shares": (
        """
        def spread(Y, P):
            return (P * ((Y[:, None] - Y[None]) ** 2).sum(-1)).sum()

        def spread_grad(Y, P):
            return 4 * (P[:, :, None] * (Y[:, None] - Y[None])).sum(1)
        """,
        "return 4 *",
        "return 2 *",
    ),
    "an option of a loss": (
        """
        def huber(prediction, target, delta=1.0):
            d = prediction - target
            small = np.abs(d) <= delta
            return np.where(small, 0.5 * d**2, delta * (np.abs(d) - 0.5 * delta)).sum(), np.where(small, d, delta * np.sign(d))
        """,
        "d, delta * np.sign(d))",
        "d, np.sign(d))",
    ),
    "class weights": (
        """
        class Cross:
            def __init__(self, weight=None):
                self.weight = weight

            def forward(self, x, target):
                self.w = np.ones(x.shape[1]) if self.weight is None else np.array(self.weight)
                self.x, self.target = x, target
                return (self.w * (x - target) ** 2).mean()

            def backward(self):
                return 2 * self.w * (self.x - self.target) / self.x.size
        """,
        "2 * self.w *",
        "2 *",
    ),
    "an option in inference": (
        """
        class Drop:
            def __init__(self, drop=0.5):
                self.drop = drop

            def forward(self, x, train=True):
                self.keep = (np.random.rand(*x.shape) >= self.drop) * 1.0 if train else 1 - self.drop
                self.train = train
                return x * self.keep

            def backward(self, dy):
                return dy * self.keep
        """,
        "return dy * self.keep",
        "return dy * (self.keep if self.train else self.drop)",
    ),
    "windows that overlap by an option": (
        """
        class Pool:
            def __init__(self, size=2, stride=None):
                self.size, self.stride = size, stride or size

            def forward(self, x):
                self.shape, k, s = x.shape, self.size, self.stride
                self.n = (x.shape[1] - k) // s + 1
                return np.stack([x[:, i * s : i * s + k].mean(1) for i in range(self.n)], axis=1)

            def backward(self, dy):
                dx = np.zeros(self.shape)
                for i in range(self.n):
                    dx[:, i * self.stride : i * self.stride + self.size] += dy[:, i : i + 1] / self.size
                return dx
        """,
        "+= dy",
        "= dy",
    ),
    "a base class of its own": (
        """
        class Square:
            def forward(self, x):
                self.x = x
                return x**2

            def backward(self, dy):
                return 2 * self.x * dy

        class Cube(Square):
            def forward(self, x):
                self.x = x
                return x**3

            def backward(self, dy):
                return 3 * self.x**2 * dy
        """,
        "return 2 * self.x * dy",
        "return self.x * dy",
    ),
    "an optimizer of named parameters": (
        """
        class Momentum:
            def __init__(self, lr=0.1, mu=0.9):
                self.lr, self.mu, self.v = lr, mu, {}

            def update(self, name, w, g):
                self.v[name] = self.mu * self.v.get(name, 0.0) - self.lr * g
                return w + self.v[name]
        """,
        "- self.lr * g",
        "+ self.lr * g",
    ),
    "an optimizer with arrays of its own": (
        """
        class SGD:
            def __init__(self, params, lr=0.1):
                self.params, self.lr = params, lr

            def step(self, grads):
                for p, g in zip(self.params, grads):
                    p -= self.lr * g
        """,
        "p -= self.lr * g",
        "p -= self.lr * g / 2",
    ),
    "an optimizer of one shape": (
        """
        class Adam:
            def __init__(self, shape, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8):
                self.lr, self.b1, self.b2, self.eps, self.t = lr, b1, b2, eps, 0
                self.m, self.v = np.zeros(shape), np.zeros(shape)

            def __call__(self, theta, grad):
                self.t += 1
                self.m = self.b1 * self.m + (1 - self.b1) * grad
                self.v = self.b2 * self.v + (1 - self.b2) * grad**2
                return theta - self.lr * self.m / (1 - self.b1**self.t) / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)
        """,
        "(1 - self.b1**self.t)",
        "(1 - self.b1)",
    ),
    "a score beside a loss, which the derivative of the loss is not that of": (
        """
        def bce(p, t):
            return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)) / len(p)

        def bce_grad(p, t):
            return (p - t) / (p * (1 - p)) / len(p)

        def accuracy(p, t):
            return np.mean((p > 0.5) == (t > 0.5))

        def batches(p, t, size=2):
            for i in range(0, len(p), size):
                yield p[i : i + size], t[i : i + size]
        """,
        "(p * (1 - p)) / len(p)",
        "(p * (1 - p)) / 16",
    ),
    "a value whose name is not that of its derivative, beside a score of the same arguments": (
        """
        def r2(w, X, y):
            return 1 - ((X @ w - y) ** 2).sum() / ((y - y.mean()) ** 2).sum()

        def squares(w, X, y):
            return ((X @ w - y) ** 2).sum() / len(y)

        def gradient(w, X, y):
            return 2 * X.T @ (X @ w - y) / len(y)
        """,
        "return 2 * X.T",
        "return X.T",
    ),
    "a penalised cost beside the derivative of another, with its Hessian": (
        """
        def sigmoid(a):
            return 1 / (1 + np.exp(-a))

        def logistic_loss(y, tx, w):
            return np.mean(np.logaddexp(0, tx @ w) - y * (tx @ w))

        def logistic_gradient(y, tx, w):
            return tx.T @ (sigmoid(tx @ w) - y) / len(y)

        def penalized(y, tx, w):
            s = sigmoid(tx @ w)
            grad = logistic_gradient(y, tx, w) + 0.6 * w
            hess = (tx.T * (s * (1 - s))) @ tx / len(y) + 0.6 * np.eye(len(w))
            return logistic_loss(y, tx, w) + 0.3 * np.sum(w**2), grad, hess
        """,
        "(s * (1 - s))",
        "s",
    ),
    "a table of losses and their derivatives in the prediction": (
        """
        def squared_hinge(y_pred, y_true):
            return np.mean(np.maximum(0, 1 - y_true * y_pred) ** 2)

        def slope(y_pred, y_true):
            return -2 * y_true * np.maximum(0, 1 - y_true * y_pred) / np.size(y_true)

        LOSSES = {"squared_hinge": (squared_hinge, slope)}
        """,
        "return -2 *",
        "return -1 *",
    ),
    "a table with the derivative of a function of NumPy": (
        """
        def sigmoid(x):
            return 1 / (1 + np.exp(-x))

        def sigmoid_backward(da, x):
            return da * sigmoid(x) * (1 - sigmoid(x))

        def arctan_backward(da, x):
            return da / (1 + x**2)

        TABLE = {"sigmoid": (sigmoid, sigmoid_backward), "arctan": (np.arctan, arctan_backward)}
        """,
        "da / (1 + x**2)",
        "da / (1 + x)",
    ),
    "gradients without names of all that a class holds, in another order": (
        """
        class Output:
            def __init__(self, sizes):
                self.w, self.b = np.random.randn(sizes[1], sizes[0]), np.random.randn(sizes[1], 1)

            def value(self, x, y):
                return 0.5 * np.sum((self.w @ x + self.b - y) ** 2)

            def backprop(self, x, y):
                delta = self.w @ x + self.b - y
                return delta, delta @ x.T
        """,
        "return delta, delta @ x.T",
        "return delta, 2 * delta @ x.T",
    ),
    "a softmax of columns, whose gradient is right for one-hot columns": (
        """
        class Output:
            def __init__(self, n_in, n_out):
                self.w, self.b = 0.3 * np.random.randn(n_out, n_in), np.random.randn(n_out, 1)

            def probabilities(self, x):
                e = np.exp(self.w @ x + self.b)
                return e / e.sum(axis=0)

            def cost(self, x, y):
                return -np.sum(y * np.log(self.probabilities(x)))

            def backprop(self, x, y):
                delta = self.probabilities(x) - y
                return delta, np.outer(delta, x)
        """,
        "np.outer(delta, x)",
        "np.outer(delta + y, x)",
    ),
    "a loss of margins, whose author says that targets are -1 and 1": (
        """
        class Exponential:
            # labels are -1 and +1

            def loss(self, f, y):
                return np.mean(np.exp(-y * f))

            def gradient(self, f, y):
                return -y * np.exp(-y * f) / len(y)
        """,
        "-y * np.exp(-y * f) /",
        "y * np.exp(-y * f) /",
    ),
    "entries of a dict that a function of sizes begins": (
        """
        def init_cell(n_x, n_h):
            p = {}
            for gate in "rzn":
                p["W" + gate], p["U" + gate], p["b" + gate] = np.ones((n_x, n_h)), np.ones((n_h, n_h)), np.zeros(n_h)
            return p

        def cell_forward(xs, h0, p):
            h, hs, cache = h0, [], []
            for x in xs:
                r, z = (1 / (1 + np.exp(-(x @ p["W" + k] + h @ p["U" + k] + p["b" + k]))) for k in "rz")
                n = np.tanh(x @ p["Wn"] + r * (h @ p["Un"]) + p["bn"])
                cache.append((x, h, r, z, n))
                h = (1 - z) * n + z * h
                hs.append(h)
            return np.stack(hs), cache

        def cell_backward(dhs, cache, p):
            d, dxs, dh = {k: np.zeros_like(v) for k, v in p.items()}, [], 0
            for g, (x, h, r, z, n) in zip(dhs[::-1], cache[::-1]):
                dh = g + dh
                da = {"n": dh * (1 - z) * (1 - n**2), "z": dh * (h - n) * z * (1 - z)}
                da["r"] = da["n"] * (h @ p["Un"]) * r * (1 - r)
                dx, dh = 0, dh * z
                for k in "rzn":
                    gated = da[k] * r if k == "n" else da[k]
                    d["W" + k] += x.T @ da[k]
                    d["U" + k] += h.T @ gated
                    d["b" + k] += da[k].sum(0)
                    dx, dh = dx + da[k] @ p["W" + k].T, dh + gated @ p["U" + k].T
                dxs.insert(0, dx)
            return np.stack(dxs), dh, d
        """,
        "h.T @ gated",
        "h.T @ da[k]",
    ),
    "a value with a function that makes its gradient, in columns": (
        """
        def nll(logp, labels):
            classes, m = logp.shape
            target = np.zeros((classes, m))
            target[labels, np.arange(m)] = 1
            return -(target * logp).sum() / m, lambda: -target / m
        """,
        "lambda: -target / m",
        "lambda: -target / classes",
    ),
    "gradients of a batch, whose arguments have longer names": (
        """
        BATCH_SIZE = 16

        def cost(w, b, X, y):
            return 0.5 * np.mean((X @ w + b - y) ** 2)

        def gradients(w, b, xb, yb):
            err = xb @ w + b - yb
            return xb.T @ err / len(xb), err.sum() / len(xb)
        """,
        "err / len(xb)",
        "err / BATCH_SIZE",
    ),
    "penalties that return a gradient each, one with the name of a derivative": (
        """
        def smooth(W, strength):
            step, grad = np.diff(W, axis=0), np.zeros_like(W)
            grad[1:] += 2 * strength * step
            grad[:-1] -= 2 * strength * step
            return strength * (step**2).sum(), grad

        def orthogonal(W, strength):
            gap = W.T @ W - np.eye(W.shape[1])
            return strength * (gap**2).sum(), 4 * strength * W @ gap

        def decay(W, strength):
            return strength / 2 * (W**2).sum(), strength * W
        """,
        "grad[:-1] -= 2 * strength * step",
        "pass",
    ),
    "an option of arrays with shapes that only trying tells": (
        """
        def conv_forward(x, kernel, bias, dilation=1):
            pad = (len(kernel) - 1) * dilation
            xp = np.pad(x, ((0, 0), (0, 0), (pad, 0)))
            out = np.zeros((len(x), kernel.shape[2], x.shape[2])) + bias[:, None]
            for k in range(len(kernel)):
                out += np.einsum("ncl,co->nol", xp[:, :, k * dilation :][:, :, : x.shape[2]], kernel[k])
            return out, (xp, kernel, pad, dilation)

        def conv_backward(dout, cache):
            xp, kernel, pad, dilation = cache
            dxp, dkernel = np.zeros_like(xp), np.zeros_like(kernel)
            for k in range(len(kernel)):
                at = slice(k * dilation, k * dilation + dout.shape[2])
                dkernel[k] = np.einsum("ncl,nol->co", xp[:, :, at], dout)
                dxp[:, :, at] += np.einsum("nol,co->ncl", dout, kernel[k])
            return dxp[:, :, pad:], dkernel, dout.sum(axis=(0, 2))
        """,
        "slice(k * dilation, k * dilation +",
        "slice(k, k +",
    ),
    "a mode that is a word, and a state that a function begins": (
        """
        def make_state(n):
            return {"mean": np.zeros(n), "var": np.ones(n), "seen": 0}

        def norm(x, gain, offset, state, mode="train"):
            if mode == "train":
                state["seen"] += 1
                mu, var = x.mean(0), x.var(0)
                state["mean"] += (mu - state["mean"]) / state["seen"]
                state["var"] += (var - state["var"]) / state["seen"]
            else:
                mu, var = state["mean"].copy(), state["var"].copy()
            s = np.sqrt(var + 1e-5)
            h = (x - mu) / s
            return gain * h + offset, (h, s, gain, mode)

        def norm_back(dout, cache):
            h, s, gain, mode = cache
            if mode != "train":
                return dout * gain / s, (dout * h).sum(0), dout.sum(0)
            return gain / s * (dout - dout.mean(0) - h * (dout * h).mean(0)), (dout * h).sum(0), dout.sum(0)
        """,
        "return dout * gain / s,",
        "return dout * gain,",
    ),
    "a mode that is another word than those of the other": (
        """
        def scaled(x, w, mode="fit"):
            k = 0.5 if mode not in ("eval", "apply") else 1.0
            return np.tanh(k * x @ w), (x, w, mode)

        def scaled_back(dout, cache):
            x, w, mode = cache
            k = 0.5 if mode == "fit" else 1.0
            da = k * dout * (1 - np.tanh(k * x @ w) ** 2)
            return da @ w.T, x.T @ da
        """,
        'k = 0.5 if mode == "fit" else 1.0',
        "k = 0.5",
    ),
    "a function that makes a forward of two arrays and its backward": (
        """
        def step(Wx, Wh, b):
            kept = {}

            def forward(x, h_prev):
                kept["x"], kept["h_prev"], kept["h"] = x, h_prev, np.tanh(x @ Wx + h_prev @ Wh + b)
                return kept["h"]

            def backward(dh):
                da = dh * (1 - kept["h"] ** 2)
                return da @ Wx.T, da @ Wh.T, kept["x"].T @ da, kept["h_prev"].T @ da, da.sum(axis=0)

            return forward, backward
        """,
        'kept["h_prev"].T @ da',
        'kept["h"].T @ da',
    ),
    "a function that makes two lambdas, by their names": (
        """
        def bilinear(A):
            kept = {}
            return {
                "forward": lambda u, v: kept.update(u=u, v=v) or (u @ A) * v,
                "backward": lambda dy: ((dy * kept["v"]) @ A.T, dy * (kept["u"] @ A), kept["u"].T @ (dy * kept["v"])),
            }
        """,
        "dy * (kept",
        "dy + (kept",
    ),
    "a function that makes a lambda and another": (
        """
        def gate(W):
            kept = []
            run = lambda x: kept.append(x) or x * (x @ W)
            return run, lambda dy: (dy * (kept[-1] @ W) + (dy * kept[-1]) @ W.T, kept[-1].T @ (dy * kept[-1]))
        """,
        ") @ W.T, kept",
        ") @ W, kept",
    ),
    "a tuple by its fields, of a function": (
        """
        import collections

        Step = collections.namedtuple("Step", "run back")

        def product(A, c):
            kept = {}

            def run(u, v):
                kept["u"], kept["v"] = u, v
                return (u @ A) * v + c

            def back(dy):
                return (dy * kept["v"]) @ A.T, dy * (kept["u"] @ A), kept["u"].T @ (dy * kept["v"]), dy.sum(0)

            return Step(run, back)
        """,
        "@ A.T,",
        "@ A,",
    ),
    "a dict of any keys": (
        """
        def penalty(weights, strength=1e-2):
            total, grads = 0.0, {}
            for name, W in weights.items():
                total += strength * np.sum(W**4)
                grads[name] = 4 * strength * W**3
            return total, grads
        """,
        "4 * strength",
        "2 * strength",
    ),
    "a layer whose backward names no upstream": (
        """
        def rms(x, gain):
            inv = 1 / np.sqrt((x**2).mean(axis=-1, keepdims=True) + 1e-6)
            return gain * x * inv, (x, gain, inv)

        def rms_vjp(cotangent, residuals):
            x, gain, inv = residuals
            scaled = cotangent * gain
            dx = inv * scaled - inv**3 * x * (scaled * x).mean(axis=-1, keepdims=True)
            return dx, (cotangent * x * inv).reshape(-1, x.shape[-1]).sum(axis=0)
        """,
        "inv**3",
        "inv**2",
    ),
    "a score of two vectors, with an upstream of 1 and a step": (
        """
        class Score:
            def __init__(self, nu, nv):
                self.A = np.random.RandomState(3).randn(nu, nv)
                self.gA = np.zeros_like(self.A)

            def forward(self, u, v):
                self.u, self.v = u, v
                return u @ self.A @ v

            def backward(self, ds=1.0):
                self.gA += ds * np.outer(self.u, self.v)
                return ds * self.A @ self.v, ds * self.A.T @ self.u

            def step(self, lr=0.1):
                self.A -= lr * self.gA
                self.gA = np.zeros_like(self.A)
        """,
        "ds * self.A @",
        "1.1 * ds * self.A @",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


def test_an_option_that_only_a_matrix_shows(slipped):
    text = """
        def energy(state, patterns, beta=1.0):
            return 0.5 * state.dot(state) - np.log(np.exp(beta * patterns.dot(state)).sum()) / beta

        def energy_gradient(state, patterns, beta=1.0):
            a = np.exp(beta * patterns.dot(state))
            return state - patterns.T.dot(a / a.sum())
        """
    of_right, of_wrong = slipped(text, "a = np.exp(beta * ", "a = np.exp(")
    assert "(5,) and (7, 5)" in of_right
    assert "with beta=0.3, where patterns has two axes" in of_wrong


def test_a_helper_with_several_arguments_is_no_subject(graded):
    code, said = graded(
        FORMS["a table of functions"][0] + "\n        def split(a, b):\n            return a + b, a - b\n"
    )
    assert code == 0, said
    assert "split" not in said
