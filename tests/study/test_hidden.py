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
    "a strength that is None by default": (
        """
        class Logistic:
            def __init__(self, C=None):
                self.C, self.w = C, np.array([0.3, -0.2, 0.5])

            def loss(self, X, y):
                p = 1 / (1 + np.exp(-X @ self.w))
                value, dw = -np.mean(y * np.log(p) + (1 - y) * np.log(1 - p)), X.T @ (p - y) / len(y)
                if self.C is not None:
                    value, dw = value + (self.w**2).sum() / (2 * self.C), dw + self.w / self.C
                return value, dw
        """,
        "dw + self.w / self.C",
        "dw + self.w * self.C",
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
    "a mode in a dict": (
        """
        def norm_forward(x, gamma, beta, norm_param):
            mode = norm_param["mode"]
            mean = x.mean(axis=0) if mode == "train" else norm_param.get("running_mean", np.zeros(x.shape[1]))
            var = x.var(axis=0) if mode == "train" else norm_param.get("running_var", np.ones(x.shape[1]))
            std = np.sqrt(var + 1e-5)
            x_hat = (x - mean) / std
            return gamma * x_hat + beta, (mode, x_hat, std, gamma)

        def norm_backward(dout, cache):
            mode, x_hat, std, gamma = cache
            g = dout * gamma
            if mode == "train":
                g = g - g.mean(axis=0) - x_hat * (g * x_hat).mean(axis=0)
            return g / std, (dout * x_hat).sum(axis=0), dout.sum(axis=0)
        """,
        'if mode == "train":',
        "if True:",
    ),
    "steps of two axes that are equal at first": (
        """
        class Thin:
            def __init__(self, steps=(1, 1)):
                self.steps = steps

            def forward(self, x):
                self.shape, (a, b) = x.shape, self.steps
                return x[:, ::a, ::b]

            def backward(self, dy):
                dx, (a, b) = np.zeros(self.shape), self.steps
                for i in range(dy.shape[1]):
                    for j in range(dy.shape[2]):
                        dx[:, i * a, j * b] += dy[:, i, j]
                return dx
        """,
        "dx[:, i * a, j * b]",
        "dx[:, i * a, j * a]",
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
    "an object of the file of sizes 1": (
        """
        class Bilinear:
            def __init__(self, n_left, n_right):
                self.W = np.random.default_rng(29).normal(size=(1, n_left, n_right))

            def forward(self, left, right):
                self.left, self.right = left, right
                return np.einsum("ni,fij,nj->nf", left, self.W, right)

            def backward(self, dy):
                self.dW = np.einsum("nf,ni,nj->fij", dy, self.left, self.right)
                return np.einsum("nf,fij,nj->ni", dy, self.W, self.right), np.einsum("nf,fij,ni->nj", dy, self.W, self.left)

        score = Bilinear(1, 1)
        """,
        "nf,ni,nj->fij",
        "nf,nj,ni->fij",
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
    "layers of a container that has none at first": (
        """
        class Dense:
            def __init__(self, n_in, n_out):
                self.W = np.random.default_rng(1).normal(size=(n_in, n_out))

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dy):
                self.dW = self.x.T @ dy
                return dy @ self.W.T

        class Chain:
            def __init__(self, *layers):
                self.layers = layers

            def forward(self, x):
                for layer in self.layers:
                    x = layer.forward(x)
                return x

            def backward(self, dy):
                for layer in reversed(self.layers):
                    dy = layer.backward(dy)
                return dy
        """,
        "dy = layer.backward(dy)",
        "dy = layer.backward(2 * dy)",
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
}  # fmt: skip
# the gradients fit the values, and these are not what they are said to be
VALUES = {
    "a divergence from N(0, 1)": (
        """
        def kl_to_standard_normal(mu, logvar):
            n = len(mu)
            return -0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / n, mu / n, 0.5 * (np.exp(logvar) - 1) / n
        """,
        "-0.5 * np.sum(1 + logvar - mu**2 - np.exp(logvar)) / n, mu / n, 0.5 * (np.exp(logvar) - 1) / n",
        "-0.5 * np.sum(1 + logvar - mu**2 - np.exp(0.5 * logvar)) / n, mu / n, 0.5 * (0.5 * np.exp(0.5 * logvar) - 1) / n",
    ),
    "a divergence of two shares": (
        """
        class Sparsity:
            def __init__(self, rho=0.05):
                self.rho = rho

            def forward(self, h):
                self.n, self.q = len(h), h.mean(axis=0)
                return np.sum(self.rho * np.log(self.rho / self.q) + (1 - self.rho) * np.log((1 - self.rho) / (1 - self.q)))

            def backward(self):
                return np.tile((-self.rho / self.q + (1 - self.rho) / (1 - self.q)) / self.n, (self.n, 1))
        """,
        "-self.rho / self.q + (1 - self.rho) / (1 - self.q)",
        "-self.rho / self.q",
    ),
}  # fmt: skip
LOOPS = {
    "a loop that climbs": (
        """
        class Linear:
            def __init__(self):
                self.W = None

            def train(self, X, y, learning_rate=1e-2, num_iters=50):
                if self.W is None:
                    self.W = 0.001 * np.random.randn(X.shape[1])
                for _ in range(num_iters):
                    loss, grad = self.loss(X, y)
                    self.W -= learning_rate * grad

            def loss(self, X, y):
                r = X @ self.W - y
                return 0.5 * np.mean(r**2), X.T @ r / len(X)
        """,
        "-= learning_rate",
        "+= learning_rate",
    ),
    "a last batch that is smaller": (
        """
        class Softmax:
            def __init__(self, n_features, n_classes, lr=0.1):
                self.theta, self.lr = np.zeros((n_features, n_classes)), lr

            def loss_and_grad(self, X, y):
                e = np.exp(X @ self.theta)
                p, rows = e / e.sum(axis=1, keepdims=True), np.arange(len(X))
                loss = -np.log(p[rows, y]).sum()
                p[rows, y] -= 1
                return loss, X.T @ p

            def fit(self, X, y, epochs=5, batch_size=4):
                for _ in range(epochs):
                    for i in range(0, len(X), batch_size):
                        xb, yb = X[i : i + batch_size], y[i : i + batch_size]
                        self.theta -= self.lr * self.loss_and_grad(xb, yb)[1] / len(xb)
        """,
        "/ len(xb)",
        "/ batch_size",
    ),
    "a net of layers that climbs": (
        """
        class Dense:
            def __init__(self, input_size, output_size):
                self.weights = np.random.randn(input_size, output_size)

            def forward(self, input):
                self.input = input
                return input @ self.weights

            def backward(self, output_gradient, learning_rate):
                input_gradient = output_gradient @ self.weights.T
                self.weights -= learning_rate * self.input.T @ output_gradient
                return input_gradient

        class Tanh:
            def forward(self, input):
                self.input = input
                return np.tanh(input)

            def backward(self, output_gradient, learning_rate):
                return output_gradient * (1 - np.tanh(self.input) ** 2)

        def mse(y_true, y_pred):
            return np.mean((y_true - y_pred) ** 2)

        def mse_prime(y_true, y_pred):
            return 2 * (y_pred - y_true) / y_true.size

        class Network:
            def __init__(self, *layers):
                self.layers = layers

            def train_step(self, x, y, learning_rate):
                out = x
                for layer in self.layers:
                    out = layer.forward(out)
                grad = mse_prime(y, out)
                for layer in reversed(self.layers):
                    grad = layer.backward(grad, learning_rate)
                return mse(y, out)
        """,
        "mse_prime(y, out)",
        "mse_prime(out, y)",
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
ALL = HIDDEN | VALUES | LOOPS


@pytest.mark.parametrize("form", ALL)
def test_what_was_hidden_is_found(form, graded, slipped):
    if form == "a divergence of two shares":  # its value is spoiled in a second place
        text, before, after = ALL[form]
        half = " + (1 - self.rho) * np.log((1 - self.rho) / (1 - self.q))"
        assert graded(text)[0] == 0
        code, said = graded(text.replace(half, "").replace(before, after))
        assert code == 1 and "no divergence" in said, said
    else:
        slipped(*ALL[form])


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

            def loss(self, x, y=None):
                if y is None:
                    return self.forward(x)
                return ((self.forward(x) - y) ** 2).sum(), 2 * (np.exp(x) - y) * np.exp(x)

            def backward(self, dy):
                if dy.shape != self.x.shape:
                    raise ValueError("dy is like x")
                if self.verbose:
                    norm = np.sqrt((dy**2).sum())
                    print(norm)
                return dy * np.exp(self.x)
        """)
    assert code == 0 and "not tried" not in said, said


def test_a_line_of_an_inner_function_that_no_trial_ran_is_said(graded):
    code, said = graded("""
        def exp(x):
            y = np.exp(x)

            def backward(dy):
                if dy.size > 10**6:
                    return 2 * dy
                return dy * y

            return y, backward
        """)
    assert code == 2 and "in backward: return 2 * dy" in said, said
