"""Loops that train, at the level of a script and in functions and methods: read, found right, and slips in them found."""

import pytest

SCRIPT = """
    X = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [1.0, 1.0]])
    y = np.array([[0.0], [1.0], [1.0], [0.0]])
    rng = np.random.default_rng(0)
    W1, b1 = rng.standard_normal((2, 5)), np.zeros((1, 5))
    W2, b2 = rng.standard_normal((5, 1)), np.zeros((1, 1))
    vW1 = np.zeros_like(W1)
    for epoch in range(20):
        h = np.tanh(X @ W1 + b1)
        out = h @ W2 + b2
        loss = np.mean((out - y) ** 2)
        d = 2 * (out - y) / len(X)
        dh = d @ W2.T * (1 - h**2)
        dW1, db1 = X.T @ dh, dh.sum(axis=0, keepdims=True)
        dW2, db2 = h.T @ d, d.sum(axis=0, keepdims=True)
        vW1 = 0.9 * vW1 - 0.1 * dW1
        W1 += vW1
        W2 -= 0.1 * dW2
        b1 -= 0.1 * db1
        b2 -= 0.1 * db2
        if epoch % 10 == 0:
            print(epoch, loss)
"""
OBJECTS = """
    class Layer:
        def __init__(self, rows, columns):
            self.W = np.random.default_rng(rows).standard_normal((rows, columns))

        def __call__(self, x):
            self.x, self.y = x, 1 / (1 + np.exp(-x @ self.W))
            return self.y

    X, Y = np.eye(3), np.eye(3)[::-1]
    layers = [Layer(3, 4), Layer(4, 3)]
    if __name__ == "__main__":
        history = []
        for _ in range(5):
            out = X
            for layer in layers:
                out = layer(out)
            error = out - Y
            for layer in layers[::-1]:
                delta = error * layer.y * (1 - layer.y)
                error = delta @ layer.W.T
                layer.W -= 0.5 * layer.x.T @ delta
            history.append(np.sum((out - Y) ** 2))
"""
FUNCTION = """
    def train(X, y, hidden=4, epochs=100, lr=0.5, reg=0.0):
        rng = np.random.default_rng(0)
        W1, b1 = rng.normal(size=(X.shape[1], hidden)), np.zeros(hidden)
        W2, b2 = rng.normal(size=hidden), 0
        for epoch in range(epochs):
            order = rng.permutation(len(X))
            for i in range(0, len(X), 2):
                xb, yb = X[order[i : i + 2]], y[order[i : i + 2]]
                h = np.maximum(xb @ W1 + b1, 0)
                loss = np.mean((h @ W2 + b2 - yb) ** 2) + 0.5 * reg * (W1**2).sum()
                d = 2 * (h @ W2 + b2 - yb) / len(xb)
                dh = np.outer(d, W2) * (h > 0)
                W1 -= lr * (xb.T @ dh + reg * W1)
                b1 -= lr * dh.sum(axis=0)
                W2 -= lr * (h.T @ d)
                b2 -= lr * d.sum()
        return W1, b1, W2, b2
"""
METHOD = """
    class LogisticRegression:
        def __init__(self, lr=0.01, n_iters=1000):
            self.lr, self.n_iters = lr, n_iters
            self.weights = self.bias = None

        def fit(self, X, y):
            self.weights, self.bias = np.zeros(X.shape[1]), 0
            for _ in range(self.n_iters):
                p = 1 / (1 + np.exp(-(X @ self.weights + self.bias)))
                dw = X.T @ (p - y) / len(y)
                db = np.sum(p - y) / len(y)
                self.weights -= self.lr * dw
                self.bias -= self.lr * db

        def predict(self, X):
            return X @ self.weights + self.bias > 0
"""
CALLED = """
    inputs = np.array([[0.0, 0, 1], [0, 1, 1], [1, 0, 1], [1, 1, 1]])
    answers = np.array([[0.0], [1], [1], [0]])

    def train(first, second, x, t, rounds=30, eta=0.5):
        for r in range(rounds):
            hidden = np.tanh(x @ first)
            guess = hidden @ second
            d_hidden = (guess - t) @ second.T * (1 - hidden**2)
            second -= eta * hidden.T @ (guess - t)
            first -= eta * x.T @ d_hidden
        return first, second

    rng = np.random.default_rng(1)
    one, two = rng.uniform(-1, 1, (3, 4)), rng.uniform(-1, 1, (4, 1))
    train(one, two, inputs, t=answers, eta=0.1)
"""
CHAINED = """
    def huber(pred, target):
        r = pred - target
        small = np.abs(r) <= 1
        return np.where(small, 0.5 * r**2, np.abs(r) - 0.5).mean(), np.where(small, r, np.sign(r)) / r.size

    if __name__ == "__main__":
        rng = np.random.default_rng(8)
        X = rng.normal(size=(50, 3))
        y = X @ np.array([1.0, -2.0, 0.5]) + rng.standard_t(2, size=50)
        w, c = np.zeros(3), 0.0
        for i in range(300):
            value, g = huber(X @ w + c, y)
            w -= 0.2 * X.T @ g
            c -= 0.2 * g.sum()
"""
SLIPS = [
    (CHAINED, "0.2 * g.sum()", "0.2 * np.abs(g).sum()", "the loop in line 13: wrong"),
    (SCRIPT, "(1 - h**2)", "(1 - h)", "∂L/∂W1"),
    (SCRIPT, "2 * (out - y) / len(X)", "(out - y) / len(X)", "1/2"),
    (SCRIPT, "0.1 * dW1", "0.1 * (dW1 > 0)", "what is taken off W1 is no multiple of its gradient"),
    (SCRIPT, "b2 -= 0.1 * db2", "b2 -= 0.1 * dW2.sum()", "no multiple of its gradient"),
    (SCRIPT, "dh = d @ W2.T", "W2 -= 0.1 * h.T @ d\n        dh = d @ W2.T", "after their update"),
    (SCRIPT, "d.sum(axis=0, keepdims=True)\n        vW1", "1.5 * d.sum(axis=0, keepdims=True)\n        vW1", "b2"),
    (OBJECTS, "error = delta @", "error = error @", "layers[0].W"),
    (FUNCTION, "* (h > 0)", "* (h > 0.3)", "W1"),
    (FUNCTION, "+ reg * W1)", "+ 2 * reg * W1)", "with reg"),
    (CALLED, "(1 - hidden**2)", "(1 - hidden)", "∂L/∂first"),
    (METHOD, "np.sum(p - y) / len(y)", "np.sum(p - y)", "bias"),
    (METHOD, "(p - y) / len(y)\n", "((p - y) * p) / len(y)\n", "weights"),
]


@pytest.mark.parametrize("slip", range(len(SLIPS)))
def test_slips_in_a_loop_are_found(slip, slipped):
    text, before, after, said = SLIPS[slip]
    assert said in slipped(text, before, after)[1]


def test_a_penalty_that_is_not_shown_and_a_usual_loss_are_said(graded):
    code, said = graded(SCRIPT.replace("dW2, db2 = h.T @ d", "dW2, db2 = h.T @ d + 0.1 * W2"))
    assert code == 0
    assert "right only with a penalty on W1, b1, W2, b2 that is not in loss" in said
    code, said = graded(METHOD)
    assert code == 0
    assert "right only for a multiple of -Σ (y log a + (1 - y) log (1 - a))" in said


def test_what_is_shown_besides_is_no_loss(graded):
    code, said = graded(SCRIPT.replace("if epoch", "acc_loss = np.mean(np.abs(out - y))\n        if epoch"))
    assert code == 0, said


def test_a_loop_with_gradients_that_cannot_be_read_is_never_right(graded):
    code, said = graded(OBJECTS.replace("layer.x.T @ delta", "layer.x.T @ error"))
    assert code == 2
    assert "the loop in line 20 gives gradients or makes a step, and was not checked" in said
    code, said = graded(
        METHOD.replace("X @ self.weights", "secret(X)") + "\n    def square(x):\n        return (x**2).sum(), 2 * x\n"
    )
    assert code == 2, said
    assert "LogisticRegression.fit gives gradients or makes a step, and was not checked" in said


BATCHES = """
def loss(W, x, y):
    d = x @ W - y
    dW = x.T @ d / len(x)
    return 0.5 * (d**2).sum() / len(x), dW

def train(W, X, y, size=4):
    for _ in range(20):
        order = np.random.permutation(len(X))
        {shuffled}
        for i in range(0, len(X), size):
            {batch}
            W = W - 0.1 * loss(W, xb, yb)[1]
    return W
"""


@pytest.mark.parametrize(
    ("shuffled", "batch", "right"),
    [
        ("Xs, ys = X[order], y[order]", "xb, yb = Xs[i : i + size], ys[i : i + size]", True),
        ("Xs, ys = X[order], y[order]", "xb, yb = Xs[i : i + size], y[i : i + size]", False),
        ("pass", "xb, yb = X[order[i : i + size]], y[i : i + size]", False),
        ("pass", "rows = order[i : i + size]; xb, yb = X[rows], y[rows]", True),
        ("X, y = X[order], np.take(y, order, axis=0)", "xb, yb = X[i : i + size], y[i : i + size]", True),
        ("X, y = X[order], [y[k] for k in order]", "xb, yb = X[i : i + size], y[i : i + size]", True),
        ("new = np.random.permutation(X)", "xb, yb = X[i : i + size], y[i : i + size]", True),
        ("np.random.shuffle(X)", "xb, yb = X[i : i + size], y[i : i + size]", False),
    ],
)
def test_the_targets_of_a_batch_are_in_the_order_of_its_examples(shuffled, batch, right, graded):
    said = graded(BATCHES.format(shuffled=shuffled, batch=batch))[1]
    assert ("targets in the old one" not in said) is right, said


DESCENT = """
def gradients(x, t, W, b, c):
    h = np.tanh(x @ W + b)
    d = (h + c - t) / len(x)
    dh = d * (1 - h**2)
    return x.T @ dh, dh.sum(0), d.sum(0)

def loss(x, t, W, b, c):
    return 0.5 * ((np.tanh(x @ W + b) + c - t) ** 2).sum() / len(x)
"""
IN_A_FUNCTION = """
def fit(x, t, W, b, c, lr=0.1):
    for _ in range(3):
        g1, g2, g3 = gradients(x, t, W, b, c)
        W = W - lr * g1
        b = b - lr * g2
        c = c - lr * g3
    return W, b, c
"""
IN_A_SCRIPT = """
x, W, b, c, lr = np.ones((5, 3)), np.ones((3, 2)), np.ones(2), np.ones(2), 0.1
for _ in range(3):
    g1, g2, g3 = gradients(x, np.ones((5, 2)), W, b, c)
    W -= lr * g1
    b -= lr * g2
    c -= lr * g3
"""


@pytest.mark.parametrize(
    ("loop", "before", "after"), [(IN_A_FUNCTION, "c - lr", "c + lr"), (IN_A_SCRIPT, "c -= lr", "c += lr")]
)
def test_steps_along_the_gradients_of_one_call_go_one_way(loop, before, after, slipped, graded):
    text = DESCENT + loop
    assert "a gradient is added to c, and is taken off W, b" in slipped(text, before, after)[1]
    assert "a gradient is added" not in graded("# c is a Lagrange multiplier\n" + text.replace(before, after))[1]


OF_A_COST = """
def squared_cost(w, b, X, y):
    r = X @ w + b - y
    return 0.5 * (r**2).mean(), X.T @ r / len(y), r.mean()

def descend(X, y, rounds):
    w, b = np.zeros(X.shape[1]), 0.0
    for _ in range(rounds):
        cost, dw, db = squared_cost(w, b, X, y)
        w = w - 0.1 * dw
        b = b - 0.1 * db
    return w, b
"""


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        (
            (("w - 0.1", "w + 0.1"), ("b - 0.1", "b + 0.1")),
            "the gradient of squared_cost is added to w, b, which leads up",
        ),
        (
            (
                ("cost, dw, db = squared_cost(w, b, X, y)", "w += 0.1 * squared_cost(w, b, X, y)[1]"),
                ("        w = w - 0.1 * dw\n        b = b - 0.1 * db\n", ""),
            ),
            "the gradient of squared_cost is added to w, which leads up",
        ),
        ((("w - 0.1 * dw", "w - 0.1 * db"),), "w takes a step along db, the gradient of b"),
    ],
)
def test_a_step_up_a_cost_and_one_along_another_gradient(changes, said, graded):
    code, text = graded(OF_A_COST)
    assert code == 0, text
    wrong = OF_A_COST
    for before, after in changes:
        wrong = wrong.replace(before, after)
    code, text = graded(wrong)
    assert code == 1
    assert said in text


def test_what_a_backward_raises_is_said_whatever_its_class_is_made_with(graded):
    text = """
        class Affine:
            def __init__(self, W, b):
                self.W, self.b = W, b

            def forward(self, x):
                self.x = x
                return x @ self.W + self.b

            def backward(self, dy):
                self.dW, self.db = self.x.T @ dy, dy.summ(axis=0)
                return dy @ self.W.T
        """
    code, said = graded(text)
    assert code == 2
    assert "in backward: self.dW, self.db" in said
    assert "no attribute 'summ'" in said
    assert "was not found" not in said


def test_what_a_backward_of_several_arrays_raises_is_said(graded):
    text = """
        def step_forward(x, h, Wx, Wh):
            y = np.tanh(x @ Wx + h @ Wh)
            return y, (x, h, Wx, Wh, y)

        def step_backward(dy, cache):
            x, h, Wx, Wh, y = cache
            d = dy * (1 - y**2)
            return d @ Wx.T, d @ Wh, x.T @ d, h.T @ x
        """
    code, said = graded(text.replace("h.T @ x", "h.T @ d"))
    assert code == 1, said
    code, said = graded(text.replace("d @ Wh,", "d.dott(Wh),"))
    assert code == 2
    assert "in step_backward: return d @ Wx.T, d.dott(Wh)" in said


def test_a_step_that_mixes_up_parameters_of_other_shapes_is_wrong(slipped):
    text = """
        class Rational:
            def __init__(self):
                self.a, self.b = np.array([0.1, 0.5, 0.3]), np.array([0.7, -1.1])

            def forward(self, x):
                self.x = x
                return self.a[0] + self.a[1] * x + self.a[2] * x**2 + np.sin(self.b[0] * x) * self.b[1]

            def backward(self, dy):
                s, c = np.sin(self.b[0] * self.x), np.cos(self.b[0] * self.x)
                self.da = np.array([dy.sum(), (dy * self.x).sum(), (dy * self.x**2).sum()])
                self.db = np.array([(dy * c * self.x).sum() * self.b[1], (dy * s).sum()])
                return dy * (self.a[1] + 2 * self.a[2] * self.x + c * self.b[0] * self.b[1])

            def step(self, lr):
                self.a = self.a - lr * self.da
                self.b = self.b - lr * self.db
        """
    of_wrong = slipped(text, "self.a - lr * self.da", "self.a - lr * self.db")[1]
    assert "in step: self.a = self.a - lr * self.db" in of_wrong
