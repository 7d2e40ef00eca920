"""What a net does in one pass of its training, in several methods or functions that a person calls in turn."""

import pytest

LAYERS = """
class Dense:
    def __init__(self, n_in, n_out, rng):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)

class Net:
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
"""
ADDED = """def __init__(self):
        self.layers = []

    def add(self, layer):
        self.layers.append(layer)
"""
STARRED = LAYERS[
    LAYERS.index("def __init__(self, *layers)") : LAYERS.index("\n    def forward(self, x):\n        for")
]

KEPT = """
class TwoLayer:
    def __init__(self, n_in, n_hidden, n_out, lr=0.1):
        self.lr, self.w1, self.w2 = lr, np.random.randn(n_in, n_hidden), np.random.randn(n_hidden, n_out)

    def forward(self, x):
        self.x, self.h = x, np.tanh(x @ self.w1)
        self.o = self.h @ self.w2
        return self.o

    def backward(self, y):
        e = self.o - y
        self.g2, self.g1 = self.h.T @ e, self.x.T @ (e @ self.w2.T * (1 - self.h**2))

    def update(self):
        self.w1 -= self.lr * (self.g1 + 0.01 * self.w1)
        self.w2 -= self.lr * self.g2
"""
HANDED = """
class Net:
    def __init__(self, sizes):
        self.W = [np.random.randn(a, b) for a, b in zip(sizes[:-1], sizes[1:])]
        self.b = [np.zeros(b) for b in sizes[1:]]

    def forward(self, X):
        acts = [X]
        for W, b in zip(self.W, self.b):
            acts.append(np.tanh(acts[-1] @ W + b))
        return acts[-1], acts

    def loss(self, out, y):
        return 0.5 * np.sum((out - y) ** 2) / len(y)

    def backward(self, y, out, cache):
        grads, delta = {}, (out - y) / len(y) * (1 - out**2)
        for i in reversed(range(len(self.W))):
            grads[f"W{i}"], grads[f"b{i}"] = cache[i].T @ delta, delta.sum(axis=0)
            delta = delta @ self.W[i].T * (1 - cache[i] ** 2)
        return grads

    def update(self, grads, lr):
        for i in range(len(self.W)):
            self.W[i] -= lr * grads[f"W{i}"]
            self.b[i] -= lr * grads[f"b{i}"]
"""
SETTINGS = """
class Network:
    def __init__(self, sizes):
        self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
        self.weights = [np.random.randn(n, m) for m, n in zip(sizes[:-1], sizes[1:])]
        self.velocities = [np.zeros_like(w) for w in self.weights]

    def feedforward(self, a):
        for b, w in zip(self.biases, self.weights):
            a = np.tanh(w @ a + b)
        return a

    def backprop(self, X, Y):
        acts, db, dw = [X], [], []
        for b, w in zip(self.biases, self.weights):
            acts.append(np.tanh(w @ acts[-1] + b))
        delta = (acts[-1] - Y) / X.shape[1]
        for l in reversed(range(len(self.weights))):
            delta = delta * (1 - acts[l + 1] ** 2)
            db.insert(0, delta.sum(axis=1, keepdims=True))
            dw.insert(0, delta @ acts[l].T)
            delta = self.weights[l].T @ delta
        return db, dw

    def update_mini_batch(self, X, Y, eta, lmbda, mu, n):
        db, dw = self.backprop(X, Y)
        self.velocities = [mu * v - eta * (g + lmbda / n * w) for v, g, w in zip(self.velocities, dw, self.weights)]
        self.weights = [w + v for w, v in zip(self.weights, self.velocities)]
        self.biases = [b - eta * g for b, g in zip(self.biases, db)]

    def total_cost(self, X, Y):
        return 0.5 * np.sum((self.feedforward(X) - Y) ** 2) / X.shape[1]
"""
WITH_DATA = """
class NeuralNetwork:
    def __init__(self, x, y):
        self.input, self.y = x, y
        self.weights1, self.weights2 = np.random.rand(x.shape[1], 4), np.random.rand(4, 1)
        self.output = np.zeros(y.shape)

    def feedforward(self):
        self.layer1 = 1 / (1 + np.exp(-self.input @ self.weights1))
        self.output = 1 / (1 + np.exp(-self.layer1 @ self.weights2))

    def backprop(self):
        delta = 2 * (self.y - self.output) * self.output * (1 - self.output)
        self.weights1 += self.input.T @ (delta @ self.weights2.T * self.layer1 * (1 - self.layer1))
        self.weights2 += self.layer1.T @ delta
"""
ALONE = """
def compute_gradients(X, y, W, b):
    error = 1 / (1 + np.exp(-(X @ W + b))) - y
    p = error + y
    return X.T @ (p - y) / len(X), np.mean(p - y)
"""
CHOSEN = """
class SoftmaxRegression:
    def __init__(self, n_features, n_classes):
        self.W, self.b = np.random.randn(n_features, n_classes), np.zeros(n_classes)

    def scores(self, X):
        e = np.exp(X @ self.W + self.b)
        return e / e.sum(axis=1, keepdims=True)

    def gradients(self, X, y):
        p = self.scores(X)
        d = p.copy()
        d[np.arange(len(y)), y] -= 1
        return X.T @ d / len(y), d.mean(axis=0)
"""
STEPPED = """
class Perceptron:
    def __init__(self, n_in, n_hidden, n_out, lr=0.5):
        self.lr, self.W1, self.W2 = lr, np.random.randn(n_in, n_hidden), np.random.randn(n_hidden, n_out)

    def train_step(self, x, t):
        h = np.tanh(x @ self.W1)
        o = h @ self.W2
        err = t - o
        delta = err @ self.W2.T * (1 - h**2)
        self.W2 += self.lr * h.T @ err
        self.W1 += self.lr * x.T @ delta
"""
SCRIPT = """
rng = np.random.default_rng(5)
W_enc, b_enc = rng.normal(0, 0.3, (6, 4)), np.zeros(4)
W_dec, b_dec = rng.normal(0, 0.3, (4, 6)), np.zeros(6)

def encode(x):
    return 1 / (1 + np.exp(-(x @ W_enc + b_enc)))

def decode(h):
    return 1 / (1 + np.exp(-(h @ W_dec + b_dec)))

def gradients(clean, noisy):
    h = encode(noisy)
    r = decode(h)
    d_out = (r - clean) / len(clean)
    d_hid = d_out @ W_dec.T * h * (1 - h)
    return noisy.T @ d_hid, d_hid.sum(axis=0), h.T @ d_out, d_out.sum(axis=0)
"""
IN_TWO = """
def init(n_in, n_hidden, n_out):
    return {"W1": np.ones((n_in, n_hidden)), "b1": np.ones(n_hidden), "W2": np.ones((n_hidden, n_out)), "b2": np.ones(n_out)}

def forward(params, X):
    h = np.maximum(0, X @ params["W1"] + params["b1"])
    e = np.exp(h @ params["W2"] + params["b2"])
    return e / e.sum(axis=1, keepdims=True), h

def backward(params, X, y, p, h):
    dz = p.copy()
    dz[np.arange(len(X)), y] -= 1
    dh = dz @ params["W2"].T * (h > 0)
    return {"W1": X.T @ dh, "b1": dh.sum(axis=0), "W2": h.T @ dz, "b2": dz.sum(axis=0)}
"""
FILLED = """
def begin(n_in, n_hidden):
    return {"Wz": np.ones((n_in + n_hidden, n_hidden)), "Wg": np.ones((n_in + n_hidden, n_hidden)), "b": np.ones(n_hidden)}

def step_forward(x, h_prev, p):
    v = np.concatenate([x, h_prev], axis=1)
    z, g = 1 / (1 + np.exp(-(v @ p["Wz"]))), np.tanh(v @ p["Wg"] + p["b"])
    return z * h_prev + (1 - z) * g, (v, z, g, h_prev)

def step_backward(dh, cache, p, grads):
    v, z, g, h_prev = cache
    dz, dg = dh * (h_prev - g) * z * (1 - z), dh * (1 - z) * (1 - g**2)
    grads["dWz"] += v.T @ dz
    grads["dWg"] += v.T @ dg
    grads["db"] += dg.sum(axis=0)
    dv = dz @ p["Wz"].T + dg @ p["Wg"].T
    n_in = v.shape[1] - dh.shape[1]
    return dv[:, :n_in], dv[:, n_in:] + dh * z
"""
LISTS = """
def forward(x, weights, biases):
    acts = [x]
    for W, b in zip(weights, biases):
        acts.append(np.tanh(acts[-1] @ W + b))
    return acts

def loss(x, y, weights, biases):
    penalty = sum(np.sum(W**2) for W in weights)
    return 0.5 * np.sum((forward(x, weights, biases)[-1] - y) ** 2) + 0.1 * penalty

def backprop(x, y, weights, biases):
    acts = forward(x, weights, biases)
    dW, db = [None] * len(weights), [None] * len(biases)
    delta = (acts[-1] - y) * (1 - acts[-1] ** 2)
    for i in reversed(range(len(weights))):
        dW[i], db[i] = acts[i].T @ delta + 0.2 * weights[i], delta.sum(axis=0)
        delta = delta @ weights[i].T * (1 - acts[i] ** 2)
    return dW, db
"""
RECORDS = """
from typing import NamedTuple

class Params(NamedTuple):
    W: np.ndarray
    U: np.ndarray

    @staticmethod
    def random(n_in, n_hid, rng):
        return Params(rng.normal(size=(n_in, 2 * n_hid)), rng.normal(size=(n_hid, 2 * n_hid)))

def run(params, xs):
    h, tape = np.zeros((xs.shape[1], len(params.U))), []
    for x in xs:
        z, g = np.split(np.tanh(x @ params.W + h @ params.U), 2, axis=1)
        tape.append((x, h, z, g))
        h = h + z * g
    return h, tape

def run_backward(params, dh, tape):
    W, U = np.zeros_like(params.W), np.zeros_like(params.U)
    for x, h, z, g in reversed(tape):
        da = np.concatenate([dh * g * (1 - z**2), dh * z * (1 - g**2)], axis=1)
        W += x.T @ da
        U += h.T @ da
        dh = dh + da @ params.U.T
    return Params(W, U)
"""
OF_FIXED_SIZES = """
class NN:
    def __init__(self):
        self.w1, self.b1 = np.random.randn(2, 3), np.zeros((1, 3))
        self.w2, self.b2 = np.random.randn(3, 1), np.zeros((1, 1))

    def sigmoid(self, z):
        return 1 / (1 + np.exp(-z))

    def sigmoid_derivative(self, a):
        return a * (1 - a)

    def train(self, X, y, epochs, lr):
        for _ in range(epochs):
            hidden = self.sigmoid(X @ self.w1 + self.b1)
            out = self.sigmoid(hidden @ self.w2 + self.b2)
            error = y - out
            d_out = error * self.sigmoid_derivative(out)
            d_hidden = d_out @ self.w2.T * self.sigmoid_derivative(hidden)
            self.w2 += lr * hidden.T @ d_out
            self.b2 += lr * d_out.sum(axis=0, keepdims=True)
            self.w1 += lr * X.T @ d_hidden
            self.b1 += lr * d_hidden.sum(axis=0, keepdims=True)
"""
PENALISED = """
class LinearRegression:
    def __init__(self, lr=0.01, n_iters=1000, l2=0.1):
        self.lr, self.n_iters, self.l2 = lr, n_iters, l2

    def fit(self, X, y):
        self.weights, self.bias = np.zeros(X.shape[1]), 0
        for _ in range(self.n_iters):
            y_predicted = X @ self.weights + self.bias
            dw = X.T @ (y_predicted - y) / len(y) + self.l2 * self.weights
            db = np.sum(y_predicted - y) / len(y)
            self.weights -= self.lr * dw
            self.bias -= self.lr * db
"""
OF_ROWS = """
class Dense:
    def __init__(self, input_size, output_size):
        self.weights, self.bias = np.random.rand(input_size, output_size), np.random.rand(1, output_size)

    def forward(self, x):
        self.input = x
        return x @ self.weights + self.bias

    def backward(self, grad, lr):
        dx = grad @ self.weights.T
        self.weights -= lr * self.input.T @ grad
        self.bias -= lr * grad
        return dx

class Activation:
    def __init__(self, f, f_prime):
        self.f, self.f_prime = f, f_prime

    def forward(self, x):
        self.input = x
        return self.f(x)

    def backward(self, grad, lr):
        return self.f_prime(self.input) * grad

class Network:
    def __init__(self, layers):
        self.layers = layers

    def fit(self, x_train, y_train, lr):
        for x, y in zip(x_train, y_train):
            for layer in self.layers:
                x = layer.forward(x)
            grad = 2 * (x - y)
            for layer in reversed(self.layers):
                grad = layer.backward(grad, lr)
"""
AUTOENCODER = """
def init_params(n_in, n_hidden):
    return {"W1": np.ones((n_hidden, n_in)), "b1": np.ones((n_hidden, 1)), "W2": np.ones((n_in, n_hidden))}

def forward(X, params):
    Z1 = params["W1"] @ X + params["b1"]
    A1 = np.maximum(0, Z1)
    return params["W2"] @ A1, {"Z1": Z1, "A1": A1, "Z2": params["W2"] @ A1}

def backward(X, params, cache):
    dZ2 = cache["Z2"] - X
    dZ1 = params["W2"].T @ dZ2 * (cache["Z1"] > 0)
    return {"W1": dZ1 @ X.T, "b1": dZ1.sum(axis=1, keepdims=True), "W2": dZ2 @ cache["A1"].T}
"""
WORDS = """
class Word2Vec:
    def __init__(self, vocab_size, dim, lr=0.05):
        self.W, self.W_out, self.lr = np.random.randn(vocab_size, dim), np.random.randn(dim, vocab_size), lr

    def forward(self, i):
        self.h = self.W[i]
        e = np.exp(self.h @ self.W_out)
        self.y = e / e.sum()
        return self.y

    def backward(self, i, target):
        e = self.y.copy()
        e[target] -= 1
        dh = self.W_out @ e
        self.W_out -= self.lr * np.outer(self.h, e)
        self.W[i] -= self.lr * dh
"""
# each: a right file, then a place in it and the same with a slip
FORMS = {
    "any number of layers": (LAYERS, "            dy = layer.backward(dy)", "            layer.backward(dy)"),
    "a list of layers": (LAYERS.replace("*layers", "layers"), "reversed(self.layers)", "self.layers"),
    "layers that are added": (LAYERS.replace(STARRED, ADDED), "reversed(self.layers)", "self.layers"),
    "gradients that are kept under names of their own, and a penalty": (KEPT, "(1 - self.h**2)", "(1 - self.h)"),
    "a rate that is missing once": (KEPT, "self.lr * self.g2", "self.g2"),
    "gradients that are handed on": (HANDED, "self.b[i] -= lr", "self.b[i] += lr"),
    "gradients under no name of a parameter": (HANDED, "* (1 - cache[i] ** 2)", "* (1 - cache[i])"),
    "a net that is made with its data": (WITH_DATA, "self.layer1 * (1 - self.layer1)", "(1 - self.layer1)"),
    "a gradient whose output is in its lines": (ALONE, "np.mean(p - y)", "np.sum(p - y)"),
    "classes that are taken off": (CHOSEN, "d.mean(axis=0)", "d.sum(axis=0)"),
    "a step that gives no value": (STEPPED, "(1 - h**2)", "(1 - h)"),
    "a script that has no loss of what it trains with": (SCRIPT, "noisy.T @ d_hid", "clean.T @ d_hid"),
    "two functions without a loss": (IN_TWO, "* (h > 0)", ""),
    "a step in time that adds to gradients which it is handed": (FILLED, "+ dh * z", ""),
    "a list of matrices, and one of biases": (LISTS, "+ 0.2 * weights[i]", "+ 0.1 * weights[i]"),
    "parameters in a named tuple": (RECORDS, "dh = dh + da", "dh = da"),
    "a net of fixed sizes that trains in its own loop": (OF_FIXED_SIZES, "* self.sigmoid_derivative(hidden)", ""),
    "a penalty in a loop without a loss": (PENALISED, "self.l2 * self.weights", "self.l2"),
    "layers that are handed one row after the other": (
        OF_ROWS,
        "lr * self.input.T @ grad",
        "2 * lr * self.input.T @ grad",
    ),
    "an autoencoder in two functions": (AUTOENCODER, ' * (cache["Z1"] > 0)', ""),
    "a word and the one beside it": (WORDS, "dh = self.W_out @ e", "dh = self.W_out @ self.y"),
    "a step that is handed settings": (SETTINGS, "b - eta * g", "b + eta * g"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


def test_a_net_of_wrong_layers_is_not_accused_of_them(graded):
    code, said = graded(LAYERS.replace("1 - self.y**2", "1 - self.y"))
    assert code == 1, said
    assert "Net: wrong" not in said


def test_a_class_that_is_chosen_has_no_slope(graded):
    text = """
    class Classifier:
        def __init__(self, n):
            self.w = np.random.randn(n)

        def predict(self, X):
            return X @ self.w > 0

        def gradient(self, X, y):
            return X.T @ (1 / (1 + np.exp(-X @ self.w)) - y)
    """
    code, said = graded(text)
    assert code != 1, said


SPARSE = """
def sparsity_slope(h):
    return 0.1 * np.sign(h)
"""


def test_what_speaks_of_more_than_a_loss_is_not_held_against_a_usual_one(graded):
    code, said = graded(KEPT.replace("(1 - self.h**2)", "(1 - self.h**2) + sparsity_slope(self.h)") + SPARSE)
    assert code == 2, said
