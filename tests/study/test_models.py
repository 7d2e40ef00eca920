"""Models in one class, costs of unrolled parameters, steps, and what was not looked at: read, found right, and a slip found."""

import pytest

# each: a right file, then a place in it and the same with a slip
FORMS = {
    "a cost of an unrolled net": (
        """
        def net_cost(theta, num_inputs, num_hidden, num_labels, X, y, lam=0.0):
            cut = num_hidden * (num_inputs + 1)
            A, B = theta[:cut].reshape(num_hidden, num_inputs + 1), theta[cut:].reshape(num_labels, num_hidden + 1)
            X1 = np.c_[np.ones(len(X)), X]
            h = np.tanh(X1 @ A.T)
            h1 = np.c_[np.ones(len(X)), h]
            s = h1 @ B.T
            p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
            J = -np.log(p[np.arange(len(X)), y]).mean() + lam / 2 * (np.sum(A[:, 1:] ** 2) + np.sum(B[:, 1:] ** 2))
            d = (p - np.eye(num_labels)[y]) / len(X)
            gB, gA = d.T @ h1, ((d @ B[:, 1:]) * (1 - h**2)).T @ X1
            gA[:, 1:] += lam * A[:, 1:]
            gB[:, 1:] += lam * B[:, 1:]
            return J, np.r_[gA.ravel(), gB.ravel()]
        """,
        "gA[:, 1:] += lam * A[:, 1:]",
        "gA += lam * A",
    ),
    "a cost with examples as columns": (
        """
        def auto_cost(theta, visible_size, hidden_size, decay, sparsity, weight, data):
            n = visible_size * hidden_size
            W, V = theta[:n].reshape(hidden_size, visible_size), theta[n : 2 * n].reshape(visible_size, hidden_size)
            b, c = theta[2 * n : 2 * n + hidden_size, None], theta[2 * n + hidden_size :, None]
            m = data.shape[1]
            h = 1 / (1 + np.exp(-W @ data - b))
            e = V @ h + c - data
            r = h.mean(1, keepdims=True)
            kl = sparsity * np.log(sparsity / r) + (1 - sparsity) * np.log((1 - sparsity) / (1 - r))
            J = (e**2).sum() / 2 / m + decay / 2 * ((W**2).sum() + (V**2).sum()) + weight * kl.sum()
            d = (V.T @ e + weight * ((1 - sparsity) / (1 - r) - sparsity / r)) * h * (1 - h)
            parts = d @ data.T / m + decay * W, e @ h.T / m + decay * V, d.sum(1) / m, e.sum(1) / m
            return J, np.concatenate([part.ravel() for part in parts])
        """,
        "sparsity / r)) * h * (1 - h)",
        "sparsity / r) / m) * h * (1 - h)",
    ),
    "a cost with a mask": (
        """
        def rating_cost(params, Y, R, num_users, num_items, num_features, lam=0.0):
            P = params[: num_items * num_features].reshape(num_items, num_features)
            U = params[num_items * num_features :].reshape(num_users, num_features)
            e = R * (P @ U.T - Y)
            J = (e**2).sum() / 2 + lam / 2 * (params**2).sum()
            return J, np.append(e @ U + lam * P, e.T @ P + lam * U)
        """,
        "e.T @ P + lam * U",
        "e.T @ P - lam * U",
    ),
    "a value and its gradients in one method": (
        """
        class Corrupted:
            def __init__(self, n_in, n_units):
                self.enc, self.dec = np.random.randn(n_in, n_units), np.random.randn(n_units, n_in)

            def loss_and_gradients(self, clean, noisy):
                h = np.tanh(noisy @ self.enc)
                e = (h @ self.dec - clean) / len(clean)
                return len(clean) * (e**2).sum() / 2, (noisy.T @ ((e @ self.dec.T) * (1 - h**2)), h.T @ e)
        """,
        "noisy.T @ ((e",
        "clean.T @ ((e",
    ),
    "a forward, a loss and a backward without arguments": (
        """
        class Variational:
            def __init__(self, n_in=6, n_code=4):
                self.W, self.S = 0.3 * np.random.randn(n_in, n_code), 0.3 * np.random.randn(n_in, n_code)
                self.V = 0.3 * np.random.randn(n_code, n_in)

            def forward(self, x, eps=None):
                self.x, self.mu, self.s = x, x @ self.W, x @ self.S
                self.eps = np.random.standard_normal(self.mu.shape) if eps is None else eps
                self.z = self.mu + np.exp(self.s) * self.eps
                self.y = self.z @ self.V
                return self.y

            def loss(self):
                return 0.5 * ((self.y - self.x) ** 2).sum() + 0.5 * (self.mu**2 + np.exp(2 * self.s) - 1 - 2 * self.s).sum()

            def backward(self):
                d = self.y - self.x
                dz = d @ self.V.T
                self.dV = self.z.T @ d
                self.dW = self.x.T @ (dz + self.mu)
                self.dS = self.x.T @ (dz * np.exp(self.s) * self.eps + np.exp(2 * self.s) - 1)

            def step(self, lr=0.1):
                self.W -= lr * self.dW
                self.S -= lr * self.dS
                self.V -= lr * self.dV
        """,
        "self.S -= lr * self.dS",
        "self.S += lr * self.dS",
    ),
    "a step that draws its own noise": (
        """
        class Masked:
            def __init__(self, n_in, n_units, lr=0.01, rng=None):
                self.rng = rng or np.random.default_rng(1)
                self.W, self.lr = self.rng.normal(size=(n_in, n_units)), lr

            def train_step(self, x):
                seen = x * (self.rng.random(x.shape) < 0.6)
                h = seen @ self.W
                e = (h @ self.W.T - x) / len(x)
                loss = len(x) * np.sum(e**2) / 2
                self.W -= self.lr * (seen.T @ e @ self.W + e.T @ h)
                return loss
        """,
        "(seen.T @ e @ self.W + e.T @ h)",
        "(x.T @ e @ self.W + e.T @ h)",
    ),
    "a step that returns the gradient of its images": (
        """
        class Head:
            def __init__(self, channels, classes):
                self.W, self.b = np.random.randn(classes, channels), np.zeros(classes)

            def logits(self, images):
                self.means = images.mean(axis=(2, 3))
                return self.means @ self.W.T + self.b

            def train_step(self, images, labels, lr=0.1):
                s = self.logits(images)
                p = np.exp(s - s.max(1, keepdims=True))
                p /= p.sum(1, keepdims=True)
                rows = np.arange(len(labels))
                loss = -np.log(p[rows, labels]).mean()
                p[rows, labels] -= 1
                p /= len(labels)
                dmeans = p @ self.W
                self.W -= lr * p.T @ self.means
                self.b -= lr * p.sum(0)
                n, c, h, w = images.shape
                dimages = np.broadcast_to(dmeans[:, :, None, None], images.shape) / (h * w)
                return loss, dimages
        """,
        "lr * p.T @ self.means",
        "lr * abs(p).T @ self.means",
    ),
    "a net of one example and its steps": (
        """
        class Net:
            def __init__(self, sizes):
                self.biases = [np.random.randn(n, 1) for n in sizes[1:]]
                self.weights = [np.random.randn(n, m) for m, n in zip(sizes, sizes[1:])]

            def feedforward(self, a):
                for b, w in zip(self.biases, self.weights):
                    a = np.tanh(w @ a + b)
                return a

            def backprop(self, x, y):
                kept = [x]
                for b, w in zip(self.biases, self.weights):
                    kept.append(np.tanh(w @ kept[-1] + b))
                d = self.cost_derivative(kept[-1], y) * (1 - kept[-1] ** 2)
                nabla_b, nabla_w = [d], [d @ kept[-2].T]
                for i in range(2, len(kept)):
                    d = self.weights[1 - i].T @ d * (1 - kept[-i] ** 2)
                    nabla_b.insert(0, d)
                    nabla_w.insert(0, d @ kept[-i - 1].T)
                return nabla_b, nabla_w

            def cost_derivative(self, a, y):
                return a - y

            def update_mini_batch(self, batch, eta):
                found = [self.backprop(x, y) for x, y in batch]
                for i in range(len(self.weights)):
                    self.biases[i] = self.biases[i] - eta / len(batch) * sum(one[0][i] for one in found)
                    self.weights[i] = self.weights[i] - eta / len(batch) * sum(one[1][i] for one in found)
        """,
        "self.weights[i] - eta / len(batch)",
        "self.weights[i] - eta",
    ),
    "a net of one example with its own cost": (
        """
        class Net:
            def __init__(self, sizes):
                self.weights = [np.random.randn(n, m) for m, n in zip(sizes, sizes[1:])]

            def feedforward(self, a):
                for w in self.weights:
                    a = np.tanh(w @ a)
                return a

            def cost(self, a, y):
                return 0.5 * np.sum((self.feedforward(a) - y) ** 2)

            def backprop(self, x, y):
                kept, found = [x], []
                for w in self.weights:
                    kept.append(np.tanh(w @ kept[-1]))
                d = kept[-1] - y
                for i in range(len(self.weights), 0, -1):
                    d = d * (1 - kept[i] ** 2)
                    found.insert(0, d @ kept[i - 1].T)
                    d = self.weights[i - 1].T @ d
                return found

            def update_mini_batch(self, batch, eta):
                for found in [self.backprop(x, y) for x, y in batch]:
                    self.weights = [w - eta / len(batch) * g for w, g in zip(self.weights, found)]
        """,
        "(1 - kept[i] ** 2)",
        "(1 - kept[i])",
    ),
    "a delta of the weighted input": (
        """
        def sigmoid(z):
            return 1 / (1 + np.exp(-z))

        class Squares:
            @staticmethod
            def fn(a, y):
                return 0.5 * np.sum((a - y) ** 2)

            @staticmethod
            def delta(z, a, y):
                return (a - y) * sigmoid(z) * (1 - sigmoid(z))
        """,
        "(a - y) * sigmoid(z) * (1 - sigmoid(z))",
        "(a - y)",
    ),
    "a machine that is trained by contrastive divergence": (
        """
        class Boltzmann:
            def __init__(self, n_visible, n_hidden, rate=0.1):
                self.W, self.a, self.b = 0.1 * np.random.randn(n_visible, n_hidden), np.zeros(n_visible), np.zeros(n_hidden)
                self.learning_rate = rate

            def up(self, v):
                return 1 / (1 + np.exp(-(v @ self.W + self.b)))

            def cd(self, v, k=1):
                p = self.up(v)
                u, q = v, p
                for _ in range(k):
                    h = (np.random.rand(*q.shape) < q) * 1.0
                    u = (np.random.rand(*v.shape) < 1 / (1 + np.exp(-(h @ self.W.T + self.a)))) * 1.0
                    q = self.up(u)
                self.W += self.learning_rate * (v.T @ p - u.T @ q) / len(v)
                self.a += self.learning_rate * (v - u).mean(0)
                self.b += self.learning_rate * (p - q).mean(0)
        """,
        "(v.T @ p - u.T @ q)",
        "(v.T @ p - u.T @ p)",
    ),
    "a class with a mask among its arguments": (
        """
        class Ratings:
            def __init__(self, n_users, n_items, k=2, reg=0.1):
                self.P, self.Q, self.reg = np.random.randn(n_users, k), np.random.randn(n_items, k), reg

            def loss(self, R, M):
                e = (R - self.P @ self.Q.T) * M
                return np.sum(e**2) + self.reg * (np.sum(self.P**2) + np.sum(self.Q**2))

            def gradients(self, R, M):
                e = (R - self.P @ self.Q.T) * M
                return -2 * e @ self.Q + 2 * self.reg * self.P, -2 * e.T @ self.P + 2 * self.reg * self.Q
        """,
        "2 * self.reg * self.Q",
        "self.reg * self.Q",
    ),
    "a deep net of three functions": (
        """
        def forward(X, params):
            kept = [X]
            for i in range(1, len(params) // 2 + 1):
                kept.append(np.tanh(params["W" + str(i)] @ kept[-1] + params["b" + str(i)]))
            return kept[-1], kept

        def compute_cost(A, Y, params, lambd):
            return 0.5 * np.sum((A - Y) ** 2) + lambd * sum(np.sum(params[f"W{i}"] ** 2) for i in (1, 2))

        def backward(A, Y, kept, params, lambd):
            grads, d = {}, A - Y
            for i in reversed(range(1, len(kept))):
                d = d * (1 - kept[i] ** 2)
                grads["dW" + str(i)] = d @ kept[i - 1].T + 2 * lambd * params["W" + str(i)]
                grads["db" + str(i)] = d.sum(1, keepdims=True)
                d = params["W" + str(i)].T @ d
            return grads
        """,
        "2 * lambd * params",
        "lambd * params",
    ),
    "a script whose cost hands on what it made": (
        """
        hidden = np.random.default_rng(0).normal(size=(2, 6))
        out = np.random.default_rng(1).normal(size=(6, 3))

        def loss(X, y):
            h = np.maximum(X @ hidden, 0)
            s = h @ out
            p = np.exp(s) / np.exp(s).sum(1, keepdims=True)
            return -np.log(p[range(len(y)), y]).mean(), h, p

        def gradients(X, y, h, p):
            d = (p - np.eye(3)[y]) / len(y)
            dout = h.T @ d
            dhidden = X.T @ ((d @ out.T) * (h > 0))
            return dhidden, dout
        """,
        "(d @ out.T) * (h > 0)",
        "(d @ out.T) * (h < 0)",
    ),
    "a fit that makes the weights, and a step of its own": (
        """
        class Classifier:
            def __init__(self, n_hidden=8, lr=0.1, epochs=3):
                self.n_hidden, self.lr, self.epochs = n_hidden, lr, epochs

            def _forward(self, X):
                h = np.tanh(X @ self.W1 + self.b1)
                p = np.exp(h @ self.W2)
                return h, p / p.sum(1, keepdims=True)

            def loss(self, X, y):
                return -np.log(self._forward(X)[1][np.arange(len(y)), y]).mean()

            def _train_batch(self, X, y):
                h, p = self._forward(X)
                p[np.arange(len(y)), y] -= 1
                d = p / len(y)
                dh = d @ self.W2.T * (1 - h**2)
                self.W2 -= self.lr * h.T @ d
                self.W1 -= self.lr * X.T @ dh
                self.b1 -= self.lr * dh.sum(0)

            def fit(self, X, y):
                self.W1, self.b1 = np.random.randn(X.shape[1], self.n_hidden), np.zeros(self.n_hidden)
                self.W2 = np.random.randn(self.n_hidden, y.max() + 1)
                for _ in range(self.epochs):
                    self._train_batch(X, y)
                return self
        """,
        "dh.sum(0)",
        "dh.mean(0)",
    ),
    "a loss that gives scores without labels": (
        """
        class Net:
            def __init__(self, sizes, reg=0.0):
                self.p, self.reg = {"w1": np.random.randn(*sizes[:2]), "w2": np.random.randn(*sizes[1:])}, reg

            def loss(self, images, labels=None):
                h = np.maximum(images @ self.p["w1"], 0)
                scores = h @ self.p["w2"]
                if labels is None:
                    return scores
                p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
                value = -np.log(p[np.arange(len(p)), labels]).mean() + 0.5 * self.reg * sum(np.sum(w**2) for w in self.p.values())
                p[np.arange(len(p)), labels] -= 1
                d = p / len(p)
                dh = d @ self.p["w2"].T * (h > 0)
                grads = {"w1": images.T @ dh + self.reg * self.p["w1"], "w2": h.T @ d + self.reg * self.p["w2"]}
                return value, grads
        """,
        "(h > 0)",
        "(h >= 0)",
    ),
    "a value under a name of its own": (
        """
        class Siamese:
            def __init__(self, n_in, n_code):
                self.w = np.random.randn(n_in, n_code)

            def distance(self, left, right):
                self.left, self.right, self.l, self.r = left, right, np.tanh(left @ self.w), np.tanh(right @ self.w)
                return 0.5 * np.sum((self.l - self.r) ** 2)

            def backward(self):
                dl, dr = (self.l - self.r) * (1 - self.l**2), (self.r - self.l) * (1 - self.r**2)
                self.dw = self.left.T @ dl + self.right.T @ dr
                return dl @ self.w.T, dr @ self.w.T
        """,
        "self.left.T @ dl + self.right.T @ dr",
        "self.left.T @ dl",
    ),
    "a list of columns": (
        """
        class RNN:
            def __init__(self, input_size, output_size, hidden_size=6):
                self.Wxh, self.Whh = np.random.randn(hidden_size, input_size) / 4, np.random.randn(hidden_size, hidden_size) / 4
                self.Why, self.bh = np.random.randn(output_size, hidden_size) / 4, np.zeros((hidden_size, 1))

            def forward(self, inputs):
                self.inputs, self.hs = inputs, [np.zeros((len(self.bh), 1))]
                for x in inputs:
                    self.hs.append(np.tanh(self.Wxh @ x + self.Whh @ self.hs[-1] + self.bh))
                return self.Why @ self.hs[-1]

            def backprop(self, d_y, learn_rate=2e-2):
                dWxh, dWhh, dbh = np.zeros(self.Wxh.shape), np.zeros(self.Whh.shape), np.zeros(self.bh.shape)
                d_h = self.Why.T @ d_y
                for t in reversed(range(len(self.inputs))):
                    d = (1 - self.hs[t + 1] ** 2) * d_h
                    dbh += d
                    dWhh += d @ self.hs[t].T
                    dWxh += d @ self.inputs[t].T
                    d_h = self.Whh.T @ d
                self.Why -= learn_rate * d_y @ self.hs[-1].T
                self.Wxh -= learn_rate * dWxh
                self.Whh -= learn_rate * dWhh
                self.bh -= learn_rate * dbh
        """,
        "d_h = self.Whh.T @ d\n",
        "d_h = self.Whh @ d\n",
    ),
    "units that are one number": (
        """
        class Highway:
            def __init__(self, units):
                self.T, self.k = np.random.normal(0, 0.4, (units, units)), np.full(units, -1.0)

            def forward(self, X):
                self.X, self.t = X, 1 / (1 + np.exp(-(X @ self.T + self.k)))
                return self.t * X**2 + (1 - self.t) * X

            def backward(self, grad):
                d = grad * (self.X**2 - self.X) * self.t * (1 - self.t)
                self.dT, self.dk = self.X.T @ d, d.sum(0)
                return d @ self.T.T + grad * (2 * self.t * self.X + 1 - self.t)
        """,
        "+ 1 - self.t)",
        "+ self.t)",
    ),
    "a bias of four axes": (
        """
        def conv_forward(A_prev, K, b, hparameters):
            f, s = len(K), hparameters["stride"]
            H, W = ((n - f) // s + 1 for n in A_prev.shape[1:3])
            Z = np.zeros((len(A_prev), H, W, K.shape[3])) + b[0, 0]
            for h in range(H):
                for w in range(W):
                    Z[:, h, w] += np.tensordot(A_prev[:, h * s : h * s + f, w * s : w * s + f], K, 3)
            return Z, (A_prev, K, b, hparameters)

        def conv_backward(dZ, cache):
            A_prev, K, b, hparameters = cache
            f, s, dA, dK = len(K), hparameters["stride"], np.zeros_like(A_prev), np.zeros_like(K)
            for h in range(dZ.shape[1]):
                for w in range(dZ.shape[2]):
                    place = slice(None), slice(h * s, h * s + f), slice(w * s, w * s + f)
                    dA[place] += np.tensordot(dZ[:, h, w], K, (1, 3))
                    dK += np.tensordot(A_prev[place], dZ[:, h, w], (0, 0))
            return dA, dK, dZ.sum((0, 1, 2)).reshape(b.shape)
        """,
        "dA[place] +=",
        "dA[place] =",
    ),
    "rows that are chosen by number, and a step of theirs": (
        """
        class SkipGram:
            def __init__(self, vocab_size, dim):
                self.center, self.context = np.random.randn(vocab_size, dim), np.random.randn(vocab_size, dim)

            def train_pair(self, word, positive, negatives, lr=0.025):
                v, targets = self.center[word].copy(), np.r_[positive, negatives]
                p = 1 / (1 + np.exp(-self.context[targets] @ v))
                loss = -np.log(p[0]) - np.log(1 - p[1:]).sum()
                d = p - (np.arange(len(p)) == 0)
                dv, du = d @ self.context[targets], np.outer(d, v)
                np.subtract.at(self.context, targets, lr * du)
                self.center[word] -= lr * dv
                return loss
        """,
        "np.subtract.at(self.context, targets, lr * du)",
        "self.context[targets] -= lr * du",
    ),
    "settings that the file has": (
        """
        config = {"batch_size": 16, "lr": 0.5}

        class Regression:
            def __init__(self, features, config):
                self.w, self.config = np.zeros(features), config

            def loss(self, X, y):
                return 0.5 * np.mean((X @ self.w - y) ** 2)

            def gradient(self, X, y):
                return X.T @ (X @ self.w - y) / len(y)
        """,
        "/ len(y)",
        "/ self.config['batch_size']",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


HELPER = """
def square(x):
    return x**2

def square_prime(x):
    return 2 * x
"""


def test_gradients_that_no_check_has_run_are_named_and_the_file_is_not_right(graded):
    code, said = graded(HELPER + "\ndef solve_and_gradient(path, table):\n    return path.read(table), table.name\n")
    assert code == 2, said
    assert "solve_and_gradient gives gradients" in said


def test_what_a_right_check_calls_is_looked_at(graded):
    code, said = graded(
        HELPER.replace("    return 2 * x", "    return grad_of(x)") + "\ndef grad_of(x):\n    return 2 * x\n"
    )
    assert code == 0, said
    assert "grad_of" not in said


def test_a_loop_of_training_is_no_gradient(graded):
    code, said = graded(
        HELPER
        + "\ndef gradient_descent(x, lr):\n    for _ in range(9):\n        x = x - lr * square_prime(x)\n    return x\n"
    )
    assert code == 0, said
