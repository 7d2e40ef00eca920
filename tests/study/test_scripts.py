"""Whole scripts, sizes that no name tells, steps of a class down its own loss, second derivatives and clipping: read, and slips in them found."""

import pytest

BILINEAR = """
class Pairing:
    def __init__(self, left, right, out):
        self.T = np.random.randn(out, left, right)

    def forward(self, p, q):
        self.kept = p, q
        return np.einsum("ni,kij,nj->nk", p, self.T, q)

    def backward(self, up):
        p, q = self.kept
        self.dT = np.einsum("nk,ni,nj->kij", up, p, q)
        return np.einsum("nk,kij,nj->ni", up, self.T, q), np.einsum("nk,kij,ni->nj", up, self.T, p)
"""
CO_OCCURRENCE = """
def weighted(L, R, bl, br, counts, top=50.0):
    f = np.minimum(counts / top, 1.0) ** 0.75
    gap = L @ R.T + bl[:, None] + br - np.log(counts)
    fg = f * gap
    return 0.5 * np.sum(fg * gap), fg @ R, fg.T @ L, fg.sum(1), fg.sum(0)
"""
SCRIPT = """
first = np.random.default_rng(0).normal(size=(3, 6))
shift = np.zeros(6)
last = np.random.default_rng(1).normal(size=(6, 1))

def cost(X, t):
    return np.mean((np.tanh(X @ first + shift) @ last - t) ** 2)

def cost_gradients(X, t):
    h = np.tanh(X @ first + shift)
    e = 2 * (h @ last - t) / t.size
    da = e @ last.T * (1 - h**2)
    return X.T @ da, da.sum(axis=0), h.T @ e
"""
KEYED = (
    SCRIPT.replace("first = ", 'p = {}\np["first"] = ')
    .replace("shift = ", 'p["shift"] = ')
    .replace("last = ", 'p["last"] = ')
)
KEYED = KEYED.replace("@ first + shift", '@ p["first"] + p["shift"]').replace("@ last", '@ p["last"]')
FACTORS = """
class Recommender:
    def __init__(self, n_users, n_items, rank=2, lam=0.1):
        r = np.random.RandomState(1)
        self.U, self.V, self.c = r.randn(n_users, rank), r.randn(n_items, rank), np.zeros(n_items)
        self.lam = lam

    def loss(self, user, item, stars):
        e = stars - self.U[user] @ self.V[item] - self.c[item]
        return e**2 + self.lam * (self.U[user] @ self.U[user] + self.V[item] @ self.V[item])

    def update(self, user, item, stars, lr):
        e = stars - self.U[user] @ self.V[item] - self.c[item]
        old = self.U[user].copy()
        self.U[user] += 2 * lr * (e * self.V[item] - self.lam * old)
        self.V[item] += 2 * lr * (e * old - self.lam * self.V[item])
        self.c[item] += 2 * lr * e
"""
REGRESSION = """
class Logistic:
    def __init__(self, d, lr=0.1):
        self.w, self.b, self.lr = np.zeros(d), 0.0, lr

    def loss(self, X, y):
        z = X @ self.w + self.b
        return np.mean(np.logaddexp(0, z) - y * z)

    def train_step(self, X, y):
        p = 1 / (1 + np.exp(-X @ self.w - self.b))
        self.w -= self.lr * X.T @ (p - y) / len(y)
        self.b -= self.lr * np.mean(p - y)
"""
DENSE = """
class Dense:
    def __init__(self, inputs, outputs, lr=0.1, mom=0.9):
        self.W, self.b = np.random.randn(inputs, outputs), np.zeros(outputs)
        self.vW, self.vb, self.lr, self.mom = 0 * self.W, 0 * self.b, lr, mom

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

    def update(self):
        self.vW = self.mom * self.vW - self.lr * self.dW
        self.vb = self.mom * self.vb - self.lr * self.db
        self.W += self.vW
        self.b += self.vb
"""
NEWTON = """
def softplus_sum(w, X):
    return np.logaddexp(0, X @ w).sum() + w @ w

def gradient(w, X):
    return X.T @ (1 / (1 + np.exp(-X @ w))) + 2 * w

def hessian(w, X):
    p = 1 / (1 + np.exp(-X @ w))
    return X.T @ (X * (p * (1 - p))[:, None]) + 2 * np.eye(len(w))
"""
CLIP = """
def clip_gradients(gradients, max_norm):
    total = np.sqrt(sum(np.sum(g**2) for g in gradients))
    if total > max_norm:
        for g in gradients:
            g *= max_norm / total
    return total
"""
BY_VALUE = """
def clip_grad_value(grads, limit):
    return {name: np.clip(g, -limit, limit) for name, g in grads.items()}
"""
PAD = """
class Pad:
    def __init__(self, padding):
        self.padding = padding

    def forward(self, x):
        (a, b), (c, d) = self.padding
        return np.pad(x, ((0, 0), (0, 0), (a, b), (c, d)))

    def backward(self, dy):
        (a, b), (c, d) = self.padding
        return dy[:, :, a : dy.shape[2] - b, c : dy.shape[3] - d]
"""
CELL = """
class Cell:
    def __init__(self, Wx, Wh, b):
        self.params = [Wx, Wh, b]
        self.grads = [np.zeros_like(p) for p in self.params]

    def forward(self, x, h_prev):
        Wx, Wh, b = self.params
        self.cache = x, h_prev, np.tanh(x @ Wx + h_prev @ Wh + b)
        return self.cache[2]

    def backward(self, dh):
        Wx, Wh, b = self.params
        x, h_prev, h = self.cache
        da = dh * (1 - h**2)
        self.grads[0][...] = x.T @ da
        self.grads[1][...] = h_prev.T @ da
        self.grads[2][...] = da.sum(axis=0)
        return da @ Wx.T, da @ Wh.T
"""
ADDING = """
class Parameter:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)

    def zero_grad(self):
        self.grad = np.zeros_like(self.data)

class Linear:
    def __init__(self, inputs, outputs):
        self.weight, self.bias = Parameter(np.random.randn(inputs, outputs)), Parameter(np.zeros(outputs))

    def forward(self, x):
        self.x = x
        return x @ self.weight.data + self.bias.data

    def backward(self, dy):
        self.weight.grad += self.x.T @ dy
        self.bias.grad += dy.sum(axis=0)
        return dy @ self.weight.data.T
"""
SIGMOID = """
def sigmoid(z):
    return 1 / (1 + np.exp(-z))

def sigmoid_prime(z):
    return sigmoid(z) * (1 - sigmoid(z))
"""
AVERAGED = """
class Square:
    def calculate(self, output, y):
        return np.mean(self.forward(output, y))

    def forward(self, y_pred, y_true):
        return ((y_pred - y_true) ** 2).mean(axis=-1)

    def backward(self, dvalues, y_true):
        self.dinputs = 2 * (dvalues - y_true) / dvalues.shape[1] / len(dvalues)
"""
UPSTREAM = """
class Gap:
    def forward(self, a, b, weights):
        self.kept = a, b, weights
        return np.sum(weights * (a - b) ** 2)

    def backward(self, dout=1.0):
        a, b, weights = self.kept
        return dout * 2 * weights * (a - b), dout * -2 * weights * (a - b), dout * (a - b) ** 2
"""
# each: a right file, then a place in it, and the same with a slip
SLIPS = [
    (BILINEAR, "nk,ni,nj->kij", "nk,nj,ni->kij"),
    (BILINEAR, '"nk,kij,ni->nj", up, self.T, p', '"nk,kij,ni->nj", up, self.T, q'),
    (CO_OCCURRENCE, "fg.T @ L", "fg @ L"),
    (CO_OCCURRENCE, "fg.sum(1), fg.sum(0)", "fg.sum(0), fg.sum(1)"),
    (SCRIPT, "(1 - h**2)", "(1 - h)"),
    (SCRIPT, "h.T @ e", "(X @ first).T @ e"),
    (SCRIPT, " / t.size", ""),
    (KEYED, "(1 - h**2)", "(1 - h)"),
    (FACTORS, "(e * old - self", "(e * self.U[user] - self"),
    (FACTORS, "self.c[item] += 2 * lr * e", "self.c[item] += lr * e"),
    (FACTORS, "- self.lam * old", "+ self.lam * old"),
    (REGRESSION, "self.b -= ", "self.b += "),
    (DENSE, "self.vb = self.mom * self.vb -", "self.vb = -"),
    (DENSE, "self.W += self.vW", "self.W -= self.vW"),
    (NEWTON, "(p * (1 - p))", "p"),
    (NEWTON, "+ 2 * np.eye(len(w))", ""),
    (CLIP, "np.sqrt(sum(np.sum(g**2) for g in gradients))", "sum(np.sum(g**2) for g in gradients)"),
    (CLIP, "if total > max_norm", "if total > 0"),
    (CLIP, "g *= max_norm / total", "g = g * max_norm / total"),
    (BY_VALUE, "-limit, limit", "0, limit"),
    (PAD, "c : dy.shape[3] - d", "d : dy.shape[3] - c"),
    (CELL, "h_prev.T @ da", "h.T @ da"),
    (ADDING, "self.bias.grad += ", "self.bias.grad = "),
    (SIGMOID, "return sigmoid(z) * (1 - sigmoid(z))", "return z * (1 - z)"),
    (AVERAGED, " / len(dvalues)", ""),
    (UPSTREAM, "dout * -2 *", "-2 *"),
]


@pytest.mark.parametrize(("text", "before", "after"), SLIPS)
def test_slips_are_found(text, before, after, graded):
    assert before in text
    code, said = graded(text.replace(before, after))
    assert code == 1, said


@pytest.mark.parametrize("text", dict.fromkeys(text for text, *_ in SLIPS))
def test_each_form_is_read(text, graded):
    code, said = graded(text)
    assert code == 0, said


def test_gradients_that_all_add_up_are_right_and_it_is_said(graded):
    text = ADDING.replace("zero_grad", "reset_to_nothing")
    code, said = graded(text)
    assert code == 0 and "each backward adds to the gradients that are there" in said, said


def test_a_derivative_of_the_output_is_right_where_the_comment_says_so(graded):
    text = SIGMOID.replace(
        "return sigmoid(z) * (1 - sigmoid(z))", "# z is the output of the sigmoid\n    return z * (1 - z)"
    )
    assert graded(text)[0] == 0


def test_a_helper_with_a_target_of_one_letter_is_no_loss(graded):
    text = "\ndef soft(z, T):\n    e = np.exp(z / T)\n    return e / e.sum(axis=1, keepdims=True)\n"
    code, said = graded(SIGMOID + text)
    assert code == 0, said


def test_what_trains_and_gives_a_history_is_no_loss(graded):
    text = """
        def loss_of(p, t):
            return np.mean((p - t) ** 2), 2 * (p - t) / p.size

        def fit(X, target, eta=0.3):
            A, history = np.zeros((X.shape[1], target.shape[1])), []
            for _ in range(5):
                loss, g = loss_of(X @ A, target)
                A = A - eta * X.T @ g
                history.append(loss)
            return A, history
    """
    code, said = graded(text)
    assert code == 0, said
    assert "fit: right" in said


COLUMNS = """
def squash(z):
    return 1 / (1 + np.exp(-z))

class Net:
    def __init__(self, sizes):
        self.biases = [np.random.randn(m, 1) for m in sizes[1:]]
        self.weights = [np.random.randn(m, n) for n, m in zip(sizes[:-1], sizes[1:])]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = squash(w @ a + b)
        return a

    def backprop(self, x, y):
        activations = [x]
        for b, w in zip(self.biases, self.weights):
            activations.append(squash(w @ activations[-1] + b))
        nabla_b, nabla_w = [None] * len(self.biases), [None] * len(self.weights)
        delta = self.cost_derivative(activations[-1], y)
        for l in reversed(range(len(self.weights))):
            delta = delta * activations[l + 1] * (1 - activations[l + 1])
            nabla_b[l], nabla_w[l] = delta, delta @ activations[l].T
            delta = self.weights[l].T @ delta
        return nabla_b, nabla_w

    def cost_derivative(self, a, y):
        return a - y
"""
TRAINED = """
class NeuralNetwork:
    def __init__(self):
        self.W1, self.W2 = np.random.randn(3, 4), np.random.randn(4, 1)

    def forward(self, X):
        self.hidden = 1 / (1 + np.exp(-X @ self.W1))
        return 1 / (1 + np.exp(-self.hidden @ self.W2))

    def backward(self, X, y, o):
        o_delta = (y - o) * o * (1 - o)
        hidden_delta = o_delta @ self.W2.T * self.hidden * (1 - self.hidden)
        self.W1 += X.T @ hidden_delta
        self.W2 += self.hidden.T @ o_delta

    def train(self, X, y):
        self.backward(X, y, self.forward(X))
"""


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (COLUMNS, "delta @ activations[l].T", "delta @ (activations[l] ** 2).T"),
        (COLUMNS, "delta * activations[l + 1] * (1 - activations[l + 1])", "delta"),
        (TRAINED, "self.hidden * (1 - self.hidden)", "self.hidden"),
        (TRAINED, "self.W1 += ", "self.W1 -= "),
    ],
)
def test_nets_that_have_no_loss_are_held_against_the_usual_ones(text, before, after, slipped):
    slipped(text, before, after)


DESCENT = """
def gradient_descent(f, grad, x0, lr=0.1, n_steps=100):
    x = np.array(x0, dtype=float)
    for _ in range(n_steps):
        x = x - lr * grad(x)
    return x
"""
DROPPING = """
def run(w, grad_fn, steps, lr0=0.2, drop=0.5, every=3):
    for k in range(steps):
        w = w - lr0 * drop ** (k // every) * grad_fn(w)
        yield w
"""


@pytest.mark.parametrize(
    ("text", "before", "after"),
    [
        (DESCENT, "x - lr", "x + lr"),
        (DESCENT, "grad(x)", "grad(np.array(x0))"),
        (DESCENT, "lr * grad(x)", "0.1 * grad(x)"),
        (DROPPING, "k // every", "k % every"),
        (DROPPING, "k // every", "k / every"),
    ],
)
def test_loops_of_gradient_descent(text, before, after, slipped):
    slipped(text, before, after)


def test_the_gradients_of_one_example_with_the_arrays_of_a_script(slipped):
    text = """
        rng = np.random.default_rng(0)
        W_in, b_hid = rng.normal(size=(4, 4)), np.zeros(4)
        W_out, b_out = rng.normal(size=(4, 4)), np.zeros(4)

        def forward(x):
            hidden = np.tanh(x.dot(W_in) + b_hid)
            return hidden, np.tanh(hidden.dot(W_out) + b_out)

        def gradients(x, target):
            hidden, output = forward(x)
            delta_out = (output - target) * (1 - output**2)
            delta_hid = W_out.dot(delta_out) * (1 - hidden**2)
            return np.outer(x, delta_hid), delta_hid, np.outer(hidden, delta_out), delta_out
        """
    of_right, _ = slipped(text, "W_out.dot(delta_out)", "delta_out.dot(W_out)")
    assert "∂L/∂W_in" in of_right


BESIDE = """
W1, W2 = np.random.randn(6, 4) * 0.3, np.random.randn(4, 6) * 0.3

def decode(x):
    return np.tanh(x @ W1) @ W2

def gradients(x_clean, x_noisy):
    h = np.tanh(x_noisy @ W1)
    r = h @ W2
    d = (r - x_clean) / len(x_clean)
    return x_noisy.T @ ((d @ W2.T) * (1 - h**2)), h.T @ d

def reconstruction_loss(x):
    return 0.5 * np.sum((decode(x) - x) ** 2) / len(x)
"""


def test_a_sum_over_the_examples_is_wrong_where_the_loss_of_the_file_is_a_mean(slipped, graded):
    assert "summed over the batch where the value is averaged" in slipped(BESIDE, " / len(x_clean)", "")[1]
    summed = BESIDE.replace(" / len(x_clean)", "")
    for text in (summed.replace(" / len(x)", ""), summed + "\ndef step(x, lr):\n    return lr / len(x)\n"):
        code, said = graded(text)
        assert code == 0 and "for a multiple of a usual loss" in said, said
