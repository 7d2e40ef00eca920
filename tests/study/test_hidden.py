"""What hides a mistake in a person's own code: an option, a mode, a size, a state or a value that no trial varied; and lines that none ran."""

import pytest

# each: a right file, then a place in it and the same with a slip
HIDDEN = {
    "a step that is None by default": (
        """
        class Windows:
            def __init__(self, width=2, step=None):
                self.width, self.step = width, step or width

            def forward(self, x):
                self.shape, starts = x.shape, range(0, x.shape[1] - self.width + 1, self.step)
                return np.stack([x[:, s : s + self.width].sum(axis=1) for s in starts], axis=1)

            def backward(self, dy):
                dx = np.zeros(self.shape)
                for k in range(dy.shape[1]):
                    dx[:, k * self.step : k * self.step + self.width] += dy[:, k, None]
                return dx
        """,
        "+= dy",
        "= dy",
    ),
    "sides that only the forward is told": (
        """
        def pad_forward(x, left=1, right=1, top=1, bottom=1):
            return np.pad(x, ((0, 0), (0, 0), (top, bottom), (left, right))), (left, top, x.shape)

        def pad_backward(dy, cache):
            left, top, (n, c, h, w) = cache
            return dy[:, :, top : top + h, left : left + w]
        """,
        "top : top + h, left : left + w",
        "left : left + h, top : top + w",
    ),
    "class numbers that are ignored": (
        """
        class Entropy:
            def __init__(self, ignore_index=-100):
                self.ignore_index = ignore_index

            def forward(self, logits, target):
                self.keep = target != self.ignore_index
                e = np.exp(logits - logits.max(axis=1, keepdims=True))
                self.p, self.onehot = e / e.sum(axis=1, keepdims=True), np.zeros_like(e)
                self.onehot[self.keep, target[self.keep]] = 1
                return -(self.onehot * np.log(self.p)).sum() / self.keep.sum()

            def backward(self):
                return (self.p - self.onehot) * self.keep[:, None] / self.keep.sum()
        """,
        " * self.keep[:, None]",
        "",
    ),
    "a penalty whose strength is 0 by default": (
        """
        def forward(X, parameters):
            return parameters["W"] @ X, None

        def compute_cost(A, Y, parameters, lam=0.0):
            return 0.5 * np.sum((A - Y) ** 2) / Y.shape[1] + lam / 2 * np.sum(parameters["W"] ** 2)

        def backward(parameters, A, X, Y, lam=0.0):
            return {"dW": (A - Y) @ X.T / X.shape[1] + lam * parameters["W"]}
        """,
        "+ lam * parameters",
        "+ 2 * lam * parameters",
    ),
    "the mode of a class of which it is one": (
        """
        class Module:
            training = True

            def train(self):
                self.training = True

            def eval(self):
                self.training = False

        class Drop(Module):
            def __init__(self, rate=0.4):
                self.rate = rate

            def forward(self, x):
                if not self.training:
                    return x * (1 - self.rate)
                self.mask = np.random.rand(*x.shape) > self.rate
                return x * self.mask

            def backward(self, dy):
                return dy * self.mask if self.training else dy * (1 - self.rate)
        """,
        "else dy * (1 - self.rate)",
        "else dy",
    ),
    "a mask of the training before, where another class has none": (
        """
        class Noise:
            def forward(self, x, training=True):
                self.factor = 1 + 0.3 * np.random.randn(*x.shape) if training else 1.0
                return x * self.factor

            def backward(self, dy):
                return dy * self.factor

        class Drop:
            def __init__(self, rate=0.5):
                self.rate = rate

            def forward(self, x, training=True):
                if not training:
                    self.mask = np.ones_like(x)
                    return x
                self.mask = (np.random.rand(*x.shape) > self.rate) / (1 - self.rate)
                return x * self.mask

            def backward(self, dy):
                return dy * self.mask
        """,
        "self.mask = np.ones_like(x)\n",
        "pass\n",
    ),
    "axes of which the author tells": (
        """
        class Gain:
            def __init__(self, dim):
                self.gain = np.linspace(0.8, 1.2, dim)

            def forward(self, x):
                \"\"\"Any number of axes; the last one holds the features.\"\"\"
                self.x = x
                return x * self.gain

            def backward(self, dy):
                self.dgain = (dy * self.x).reshape(-1, len(self.gain)).sum(axis=0)
                return dy * self.gain
        """,
        ".reshape(-1, len(self.gain))",
        "",
    ),
    "a state with which it may begin": (
        """
        class Sum:
            def __init__(self, d, h):
                self.U = np.random.default_rng(1).normal(0, 0.5, (d, h))
                self.W = np.random.default_rng(2).normal(0, 0.5, (h, h))

            def forward(self, x, start=None):
                h = np.zeros((len(x), len(self.W))) if start is None else start
                self.x, self.states = x, [h]
                for t in range(x.shape[1]):
                    self.states.append(x[:, t] @ self.U + self.states[-1] @ self.W)
                return np.stack(self.states[1:], axis=1)

            def backward(self, dy):
                dx, dh = np.empty_like(self.x), 0
                self.dU, self.dW = np.zeros_like(self.U), np.zeros_like(self.W)
                for t in reversed(range(dy.shape[1])):
                    dh = dy[:, t] + dh
                    self.dU += self.x[:, t].T @ dh
                    self.dW += self.states[t].T @ dh
                    dx[:, t] = dh @ self.U.T
                    dh = dh @ self.W.T
                return dx
        """,
        "self.dW += self.states[t].T @ dh",
        "self.dW += self.states[t].T @ dh if t else 0",
    ),
    "a word with which an option is compared": (
        """
        class Power:
            def __init__(self, kind="cube"):
                self.kind = kind

            def forward(self, x):
                self.x = x
                return x**2 if self.kind == "square" else x**3

            def backward(self, dy):
                return dy * (2 * self.x if self.kind == "square" else 3 * self.x**2)
        """,
        "(2 * self.x if",
        "(self.x if",
    ),
    "a padding of 0": (
        """
        class Sums:
            def __init__(self, pad=1):
                self.pad = pad

            def forward(self, x):
                self.xp = np.pad(x, ((0, 0), (self.pad, self.pad)))
                return self.xp[:, 1:] + self.xp[:, :-1]

            def backward(self, dy):
                dx = np.zeros_like(self.xp)
                dx[:, 1:] += dy
                dx[:, :-1] += dy
                if self.pad:
                    return dx[:, self.pad : -self.pad]
                return dx
        """,
        "                return dx\n",
        "                return 2 * dx\n",
    ),
    "a backward that may add to its gradients": (
        """
        class Dense:
            def __init__(self, n_in, n_out):
                self.W = np.random.default_rng(1).normal(size=(n_in, n_out))

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dy, *, accumulate=False):
                dW = self.x.T @ dy
                self.dW = self.dW + dW if accumulate else dW
                return dy @ self.W.T
        """,
        "self.dW + dW if",
        "self.dW - dW if",
    ),
    "lengths of sequences": (
        """
        class Mean:
            def forward(self, tokens, lengths):
                self.keep = (np.arange(tokens.shape[1])[None, :] < lengths[:, None])[:, :, None]
                self.lengths = lengths
                return (tokens * self.keep).sum(axis=1) / lengths[:, None]

            def backward(self, dy):
                return self.keep * (dy / self.lengths[:, None])[:, None, :]
        """,
        "(dy / self.lengths[:, None])",
        "dy",
    ),
    "one example, where a mean over several is meant": (
        """
        def forward(X, parameters):
            Z = parameters["W1"] @ X + parameters["b1"]
            return Z, [X]

        def compute_cost(A, Y):
            m = Y.shape[1]
            return 0.5 / m * np.sum((A - Y) ** 2)

        def backward(A, Y, caches):
            m, (X,) = Y.shape[1], caches
            dZ = A - Y
            return {"dW1": dZ @ X.T / m, "db1": dZ.sum(axis=1, keepdims=True) / m}
        """,
        "dZ = A - Y",
        "dZ = (A - Y) / Y.shape[1]",
    ),
    "a share of units that is kept, and not dropped": (
        """
        class Dropout:
            def __init__(self, rate):
                self.kept = 1 - rate

            def forward(self, x, training):
                if not training:
                    return x * 1.0
                self.mask = np.random.binomial(1, self.kept, size=x.shape) / self.kept
                return x * self.mask

            def backward(self, dy):
                return dy * self.mask
        """,
        "self.kept = 1 - rate",
        "self.kept = rate",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", HIDDEN)
def test_what_was_hidden_is_found(form, slipped):
    slipped(*HIDDEN[form])


@pytest.mark.parametrize(
    "backward",
    [
        """
                if dy.shape[1] > 60:
                    return 2 * dy * np.exp(self.x)
                return dy * np.exp(self.x)""",
        """
                return dy * np.exp(self.x) if dy.shape[1] < 60 else 2 * dy""",
    ],
)
def test_a_line_that_no_trial_ran_is_said(graded, backward):
    code, said = graded(f"""
        class Exp:
            def forward(self, x):
                self.x = x
                return np.exp(x)

            def backward(self, dy):{backward}
        """)
    assert code == 2 and "not tried" in said and "2 * dy" in said, said


def test_lines_that_only_refuse_or_print_need_not_run(graded):
    code, said = graded("""
        class Exp:
            verbose = False

            def forward(self, x):
                self.x = x
                return np.exp(x)

            def backward(self, dy):
                if dy.shape != self.x.shape:
                    raise ValueError("dy is like x")
                if self.verbose:
                    norm = np.sqrt((dy**2).sum())
                    print(norm)
                return dy * np.exp(self.x)
        """)
    assert code == 0 and "not tried" not in said, said
