"""Nets, losses and gradients as they are written in courses and scripts: their arrays are found, and a slip in them."""

import pytest

# each: a right file, then a place in it and the same with a slip
FORMS = {
    "a net in three functions, columns": (
        """
        def forward_propagation(X, parameters):
            W1, b1, W2, b2 = (parameters[k] for k in ("W1", "b1", "W2", "b2"))
            A1 = np.tanh(W1 @ X + b1)
            A2 = 1 / (1 + np.exp(-(W2 @ A1 + b2)))
            return A2, {"A1": A1, "A2": A2}

        def compute_cost(A2, Y):
            return -np.sum(np.log(A2) * Y + np.log(1 - A2) * (1 - Y)) / Y.shape[1]

        def backward_propagation(parameters, cache, X, Y):
            dZ2 = (cache["A2"] - Y) / X.shape[1]
            dZ1 = parameters["W2"].T @ dZ2 * (1 - cache["A1"] ** 2)
            return {"dW1": dZ1 @ X.T, "db1": dZ1.sum(axis=1, keepdims=True), "dW2": dZ2 @ cache["A1"].T, "db2": dZ2.sum(axis=1, keepdims=True)}
        """,
        '(1 - cache["A1"] ** 2)',
        '(1 - cache["A1"])',
    ),
    "a cost that calls forward itself": (
        """
        def propagar(X, pesos):
            oculta = np.tanh(X @ pesos["entrada"] + pesos["sesgo_o"])
            return oculta, oculta @ pesos["salida"] + pesos["sesgo_s"]

        def costo(X, Y, pesos):
            return np.sum((propagar(X, pesos)[1] - Y) ** 2) / len(X)

        def retropropagar(X, Y, pesos):
            oculta, salida = propagar(X, pesos)
            error = 2 * (salida - Y) / len(X)
            delta = error @ pesos["salida"].T * (1 - oculta**2)
            return {"salida": oculta.T @ error, "sesgo_s": error.sum(axis=0), "entrada": X.T @ delta, "sesgo_o": delta.sum(axis=0)}
        """,
        '"sesgo_s": error.sum(axis=0)',
        '"sesgo_s": error.mean(axis=0)',
    ),
    "many arrays, their sizes in a chain": (
        """
        def autoencoder_cost(W1, W2, b1, b2, data, lam=1e-3):
            m = data.shape[1]
            a = np.tanh(W1 @ data + b1)
            d3 = W2 @ a + b2 - data
            d2 = W2.T @ d3 * (1 - a**2)
            cost = 0.5 * np.sum(d3**2) / m + lam / 2 * (np.sum(W1**2) + np.sum(W2**2))
            return cost, d2 @ data.T / m + lam * W1, d3 @ a.T / m + lam * W2, d2.sum(axis=1, keepdims=True) / m, d3.sum(axis=1, keepdims=True) / m
        """,
        "d3 @ a.T / m + lam * W2",
        "d3 @ a.T / m + 2 * lam * W2",
    ),
    "a recurrent net over lists of numbers": (
        """
        def lossFun(P, inputs, targets, hprev):
            xs, hs, ps, loss = {}, {-1: np.copy(hprev)}, {}, 0
            for t in range(len(inputs)):
                xs[t] = np.zeros((P["Wxh"].shape[1], 1))
                xs[t][inputs[t]] = 1
                hs[t] = np.tanh(P["Wxh"] @ xs[t] + P["Whh"] @ hs[t - 1] + P["bh"])
                e = np.exp(P["Why"] @ hs[t] + P["by"])
                ps[t] = e / e.sum()
                loss -= np.log(ps[t][targets[t], 0])
            d, dhnext = {k: np.zeros_like(v) for k, v in P.items()}, 0
            for t in reversed(range(len(inputs))):
                dy = ps[t].copy()
                dy[targets[t]] -= 1
                d["Why"] += dy @ hs[t].T
                d["by"] += dy
                da = (1 - hs[t] ** 2) * (P["Why"].T @ dy + dhnext)
                d["bh"] += da
                d["Wxh"] += da @ xs[t].T
                d["Whh"] += da @ hs[t - 1].T
                dhnext = P["Whh"].T @ da
            return loss, d, hs[len(inputs) - 1]
        """,
        "da @ hs[t - 1].T",
        "da @ hs[t].T",
    ),
    "gradients of what another function values": (
        """
        def policy_forward(model, x):
            h = np.maximum(model["W1"] @ x, 0)
            return 1 / (1 + np.exp(-model["W2"] @ h)), h

        def log_likelihood(model, xs, actions, adv):
            total = 0.0
            for x, a, A in zip(xs, actions, adv):
                p, _ = policy_forward(model, x)
                total += A * (np.log(p) if a == 1 else np.log(1 - p))
            return total

        def policy_backward(model, xs, actions, adv):
            both = [policy_forward(model, x) for x in xs]
            h, d = np.vstack([h for _, h in both]), np.array([a - p for a, (p, _) in zip(actions, both)]) * adv
            dh = np.outer(d, model["W2"]) * (h > 0)
            return {"W1": dh.T @ np.vstack(xs), "W2": h.T @ d}
        """,
        " * (h > 0)",
        "",
    ),
    "parameters that fit makes, one of them a number": (
        """
        class LogisticRegression:
            def __init__(self, lr=0.1, l2=0.0):
                self.lr, self.l2 = lr, l2

            def cost(self, X, y):
                z = X @ self.w + self.b
                return np.mean(np.logaddexp(0, z) - y * z) + self.l2 / 2 * np.sum(self.w**2)

            def gradients(self, X, y):
                d = (1 / (1 + np.exp(-(X @ self.w + self.b))) - y) / len(y)
                return X.T @ d + self.l2 * self.w, d.sum()

            def fit(self, X, y, epochs=100):
                self.w, self.b = np.zeros(X.shape[1]), 0.0
                for _ in range(epochs):
                    dw, db = self.gradients(X, y)
                    self.w -= self.lr * dw
                    self.b -= self.lr * db
                return self
        """,
        "d.sum()",
        "d.mean()",
    ),
    "parameters that build makes, and more axes": (
        """
        class Norm:
            def build(self, input_shape):
                self.gamma, self.beta = np.ones(input_shape[-1]), np.zeros(input_shape[-1])

            def call(self, x, training=False):
                axes = tuple(range(x.ndim - 1))
                self.training, self.std = training, np.sqrt(x.var(axis=axes) + 1e-3) if training else 1.0
                self.xhat = (x - x.mean(axis=axes)) / self.std if training else x
                return self.gamma * self.xhat + self.beta

            def gradient(self, dy):
                axes, m = tuple(range(dy.ndim - 1)), dy.size // dy.shape[-1]
                self.dgamma, self.dbeta = (dy * self.xhat).sum(axis=axes), dy.sum(axis=axes)
                if not self.training:
                    return dy * self.gamma
                return self.gamma / self.std / m * (m * dy - self.dbeta - self.xhat * self.dgamma)
        """,
        "dy.size // dy.shape[-1]",
        "len(dy)",
    ),
    "any number of arrays": (
        """
        class Concat:
            def forward(self, *xs):
                self.cuts = np.cumsum([x.shape[1] for x in xs])[:-1]
                return np.concatenate(xs, axis=1)

            def backward(self, dy):
                return np.split(dy, self.cuts, axis=1)
        """,
        "axis=1)\n\n            def",
        "axis=1)[:, ::-1]\n\n            def",
    ),
    "a layer that is handed its function": (
        """
        class ActivationLayer:
            def __init__(self, activation, activation_prime):
                self.activation, self.activation_prime = activation, activation_prime

            def forward(self, x):
                self.input = x
                return self.activation(x)

            def backward(self, output_gradient, learning_rate):
                return output_gradient * self.activation_prime(self.input)
        """,
        "self.activation_prime(self.input)",
        "self.activation_prime(self.activation(self.input))",
    ),
    "one example of channels and pixels": (
        """
        class Shift:
            def __init__(self, input_shape, depth):
                channels, height, width = input_shape
                self.K, self.b = np.random.randn(depth, channels), np.random.randn(depth, height, width)

            def forward(self, x):
                self.x = x
                return np.tensordot(self.K, x, 1) + self.b

            def backward(self, dy):
                self.dK, self.db = np.einsum("dhw,chw->dc", dy, self.x), dy
                return np.einsum("dc,dhw->chw", self.K, dy)
        """,
        '"dhw,chw->dc", dy, self.x',
        '"dhw,chw->dc", dy, 2 * self.x',
    ),
    "a list of columns": (
        """
        class RNN:
            def __init__(self, input_size, output_size, hidden_size=6):
                r = np.random.RandomState(0)
                self.Whh, self.Wxh = r.randn(hidden_size, hidden_size) / 3, r.randn(hidden_size, input_size) / 2
                self.Why, self.bh = r.randn(output_size, hidden_size) / 2, np.zeros((hidden_size, 1))

            def forward(self, inputs):
                self.xs, self.hs = inputs, [np.zeros_like(self.bh)]
                for x in inputs:
                    self.hs.append(np.tanh(self.Wxh @ x + self.Whh @ self.hs[-1] + self.bh))
                return self.Why @ self.hs[-1]

            def backprop(self, d_y):
                d_Whh, d_Wxh, d_bh, d_h = 0, 0, 0, self.Why.T @ d_y
                for t in reversed(range(len(self.xs))):
                    da = (1 - self.hs[t + 1] ** 2) * d_h
                    d_Whh, d_Wxh, d_bh, d_h = d_Whh + da @ self.hs[t].T, d_Wxh + da @ self.xs[t].T, d_bh + da, self.Whh.T @ da
                d_Why = d_y @ self.hs[-1].T
                return d_Wxh, d_Whh, d_Why, d_bh
        """,
        "self.Whh.T @ da\n",
        "da\n",
    ),
    "a class of many arguments, with numbers of rows": (
        """
        class Policy:
            def __init__(self, n_states, n_actions, entropy=0.0):
                self.theta, self.c = np.zeros((n_states, n_actions)), entropy

            def loss(self, states, actions, returns):
                total = 0.0
                for s, a, G in zip(states, actions, returns):
                    p = np.exp(self.theta[s]) / np.exp(self.theta[s]).sum()
                    total += self.c * np.sum(p * np.log(p)) - G * np.log(p[a])
                return total

            def grad(self, states, actions, returns):
                g = np.zeros_like(self.theta)
                for s, a, G in zip(states, actions, returns):
                    p = np.exp(self.theta[s]) / np.exp(self.theta[s]).sum()
                    g[s] += G * (p - np.eye(len(p))[a]) + self.c * p * (np.log(p) - np.sum(p * np.log(p)))
                return g
        """,
        "self.c * p * (np.log(p) - np.sum",
        "self.c * p * (np.log(p) + np.sum",
    ),
    "gates under the names of arguments": (
        """
        class Cell:
            def __init__(self, nx, nh):
                self.W = {k: np.random.randn(nh, nh + nx) for k in "fc"}

            def forward(self, x, h, c):
                self.z, self.c0 = np.vstack((h, x)), c
                self.f, self.g = 1 / (1 + np.exp(-self.W["f"] @ self.z)), np.tanh(self.W["c"] @ self.z)
                return self.f * c + self.g

            def backward(self, dc):
                d = {"f": dc * self.c0 * self.f * (1 - self.f), "c": dc * (1 - self.g**2)}
                self.dW = {k: d[k] @ self.z.T for k in d}
                dz = sum(self.W[k].T @ d[k] for k in d)
                return dz[len(dc) :], dz[: len(dc)], dc * self.f
        """,
        "sum(self.W[k].T @ d[k] for k in d)",
        'self.W["f"].T @ d["f"]',
    ),
    "a cost of a vector and a list of sizes": (
        """
        def cost(nn_params, layers, X, y, lambda_):
            end = layers[1] * (layers[0] + 1)
            T1 = nn_params[:end].reshape(layers[1], layers[0] + 1)
            T2 = nn_params[end:].reshape(layers[2], layers[1] + 1)
            A1 = np.c_[np.ones(len(X)), X]
            A2 = np.c_[np.ones(len(X)), np.tanh(A1 @ T1.T)]
            d3 = A2 @ T2.T - np.eye(layers[-1])[y]
            J = 0.5 * np.sum(d3**2) + lambda_ / 2 * (np.sum(T1[:, 1:] ** 2) + np.sum(T2[:, 1:] ** 2))
            d2 = (d3 @ T2)[:, 1:] * (1 - A2[:, 1:] ** 2)
            g1, g2 = d2.T @ A1, d3.T @ A2
            g1[:, 1:] += lambda_ * T1[:, 1:]
            g2[:, 1:] += lambda_ * T2[:, 1:]
            return J, np.r_[g1.ravel(), g2.ravel()]
        """,
        "g1[:, 1:] += lambda_ * T1[:, 1:]",
        "g1 += lambda_ * T1",
    ),
    "sizes that only the shapes tell": (
        """
        def unpack(theta, seen, inner):
            return theta[: seen * inner].reshape(inner, seen), theta[seen * inner :].reshape(seen, inner)

        def sparse_cost(theta, seen, inner, beta, data):
            W1, W2 = unpack(theta, seen, inner)
            a = np.tanh(W1 @ data)
            d = W2 @ a - data
            value = 0.5 * np.sum(d**2) + beta * np.sum(a**2)
            return value, np.r_[(((W2.T @ d + 2 * beta * a) * (1 - a**2)) @ data.T).ravel(), (d @ a.T).ravel()]
        """,
        "W2.T @ d + 2 * beta * a",
        "W2.T @ d",
    ),
    "a bias that has one gradient for all": (
        """
        def initialize(n_x, n_h, n_y):
            return {"W1": np.random.randn(n_h, n_x), "b1": np.zeros((n_h, 1)), "W2": np.random.randn(n_y, n_h)}

        def forward(X, parameters):
            A = np.tanh(parameters["W1"] @ X + parameters["b1"])
            return parameters["W2"] @ A, A

        def compute_cost(Z, Y):
            return 0.5 * np.sum((Z - Y) ** 2)

        def backward(parameters, A, Z, X, Y):
            d = parameters["W2"].T @ (Z - Y) * (1 - A**2)
            return {"dW1": d @ X.T, "db1": np.sum(d, axis=1, keepdims=True), "dW2": (Z - Y) @ A.T}
        """,
        "np.sum(d, axis=1, keepdims=True)",
        "np.sum(d)",
    ),
    "a bias whose gradient has lost an axis": (
        """
        def initialize(n_x, n_h):
            return {"W1": np.random.randn(n_h, n_x), "b1": np.zeros((n_h, 1))}

        def forward(X, parameters):
            A = np.tanh(parameters["W1"] @ X + parameters["b1"])
            return A, A

        def compute_cost(A, Y):
            return 0.5 * np.sum((A - Y) ** 2)

        def backward(parameters, A, X, Y):
            d = (A - Y) * (1 - A**2)
            return {"dW1": d @ X.T, "db1": np.sum(d, axis=1, keepdims=True)}
        """,
        "axis=1, keepdims=True",
        "axis=1",
    ),
    "a list of parameters that is taken apart": (
        """
        def model(params, x, labels):
            W, b, V = params
            h = np.tanh(x @ W + b)
            p = np.exp(h @ V) / np.exp(h @ V).sum(1, keepdims=True)
            d = (p - np.eye(p.shape[1])[labels]) / len(x)
            da = d @ V.T * (1 - h**2)
            return -np.log(p[np.arange(len(x)), labels]).mean(), (x.T @ da, da.sum(0), h.T @ d)
        """,
        "(1 - h**2)",
        "(1 - h)",
    ),
    "a step that changes a list in place": (
        """
        def train_step(net, x, target, lr=0.05):
            U, a, V, c = net
            h = np.tanh(x @ U + a)
            d = (h @ V + c - target) / len(x)
            value = 0.5 * len(x) * (d**2).sum()
            dh = d @ V.T * (1 - h * h)
            V -= lr * h.T @ d
            c -= lr * d.sum(axis=0)
            U -= lr * x.T @ dh
            a -= lr * dh.sum(axis=0)
            return value
        """,
        "dh = d @ V.T * (1 - h * h)\n            V -= lr * h.T @ d",
        "V -= lr * h.T @ d\n            dh = d @ V.T * (1 - h * h)",
    ),
    "a loop of steps beside its cost": (
        """
        def compute_cost(X, y, theta):
            return np.sum((X @ theta - y) ** 2) / (2 * len(y))

        def gradient_descent(X, y, theta, alpha, num_iters):
            history = []
            for _ in range(num_iters):
                theta = theta - alpha / len(y) * (X.T @ (X @ theta - y))
                history.append(compute_cost(X, y, theta))
            return theta, history
        """,
        "(X @ theta - y))",
        "(X @ theta + y))",
    ),
    "gates in a dict, by letter": (
        """
        def step(xt, a_prev, c_prev, P):
            z = np.vstack((a_prev, xt))
            f, u, o = (1 / (1 + np.exp(-(P["W" + k] @ z + P["b" + k]))) for k in "fuo")
            g = np.tanh(P["Wc"] @ z + P["bc"])
            c = f * c_prev + u * g
            return o * np.tanh(c), c, (z, c_prev, c, f, u, g, o, P["Wf"], P["Wu"], P["Wc"], P["Wo"], P["bf"], P["bu"], P["bc"], P["bo"])

        def step_backward(da, dc, cache, P):
            z, c_prev, c, f, u, g, o, *_ = cache
            dc = dc + da * o * (1 - np.tanh(c) ** 2)
            d = {"f": dc * c_prev * f * (1 - f), "u": dc * g * u * (1 - u), "c": dc * u * (1 - g**2), "o": da * np.tanh(c) * o * (1 - o)}
            dz = sum(P["W" + k].T @ d[k] for k in d)
            grads = {"dW" + k: d[k] @ z.T for k in d} | {"db" + k: d[k].sum(1, keepdims=True) for k in d}
            return grads | {"da_prev": dz[: len(da)], "dxt": dz[len(da) :], "dc_prev": dc * f}
        """,
        '"dc_prev": dc * f',
        '"dc_prev": dc',
    ),
    "a list of pairs of parameters": (
        """
        def model_forward(X, theta):
            kept = [X]
            for W, b in theta:
                kept.append(np.tanh(W @ kept[-1] + b))
            return kept[-1], kept

        def compute_cost(A, Y, theta, lambd=0.0):
            return 0.5 * np.sum((A - Y) ** 2) + 0.5 * lambd * sum(np.sum(W**2) for W, _ in theta)

        def model_backward(A, Y, theta, kept, lambd=0.0):
            grads, d = [None] * len(theta), A - Y
            for l in reversed(range(len(theta))):
                W, b = theta[l]
                d = d * (1 - kept[l + 1] ** 2)
                grads[l] = (d @ kept[l].T + lambd * W, d.sum(1, keepdims=True))
                d = W.T @ d
            return grads
        """,
        "lambd * W, d",
        "2 * lambd * W, d",
    ),
    "layers that are handed the size of their input by a net": (
        """
        class Layer:
            def __init__(self, size):
                self.size = size

            def build(self, n_inputs, rng):
                self.w, self.b = rng.normal(0, 0.5, (n_inputs, self.size)), np.zeros(self.size)
                return self.size

            def forward(self, x):
                self.x, self.y = x, np.tanh(x @ self.w + self.b)
                return self.y

            def backward(self, error):
                delta = error * (1 - self.y**2)
                self.grad_w, self.grad_b = self.x.T @ delta, delta.sum(axis=0)
                return delta @ self.w.T

        class Net:
            def __init__(self, n_inputs, layers, seed=0):
                self.layers, rng = layers, np.random.default_rng(seed)
                for layer in layers:
                    n_inputs = layer.build(n_inputs, rng)

            def forward(self, x):
                for layer in self.layers:
                    x = layer.forward(x)
                return x

            def backward(self, error):
                for layer in reversed(self.layers):
                    error = layer.backward(error)
                return error
        """,
        "self.x.T @ delta, delta",
        "self.x.T @ error, delta",
    ),
    "a net of layers, of which the file has activations only": (
        """
        class Arctan:
            def forward(self, x):
                self.x = x
                return np.arctan(x)

            def backward(self, g):
                return g / (1 + self.x**2)

        class Sequential:
            def __init__(self, *modules):
                self.modules = modules

            def forward(self, x):
                for module in self.modules:
                    x = module.forward(x)
                return x

            def backward(self, g):
                for module in self.modules[::-1]:
                    g = module.backward(g)
                return g
        """,
        "g = module.backward(g)",
        "g = g + module.backward(g)",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


# a right file, a place, and a slip that shows only with an option, a number or an argument that is seldom tried
HIDDEN = {
    "an option of a method": (
        """
        class Net:
            def __init__(self, inputs, outputs):
                self.params = {"W": np.random.randn(inputs, outputs)}

            def loss(self, X, T, reg=0.0):
                W = self.params["W"]
                d = (X @ W - T) / len(X)
                return 0.5 * len(X) * np.sum(d**2) + 0.5 * reg * np.sum(W**2), {"W": X.T @ d + reg * W}
        """,
        "+ reg * W}",
        "+ 2 * reg * W}",
        "with reg=0.37",
    ),
    "an option of a loss and its derivative": (
        """
        def pinball(pred, y, q=0.5):
            return np.mean(np.maximum(q * (y - pred), (q - 1) * (y - pred)))

        def pinball_grad(pred, y, q=0.5):
            return np.where(y > pred, -q, 1 - q) / pred.size
        """,
        "-q, 1 - q",
        "q - 1, q",
        "with q=",
    ),
    "an axis": (
        """
        def softmax(z, axis=-1):
            e = np.exp(z - z.max(axis=axis, keepdims=True))
            return e / e.sum(axis=axis, keepdims=True)

        def softmax_vjp(p, g, axis=-1):
            return p * (g - np.sum(g * p, axis=axis, keepdims=True))
        """,
        "g * p, axis=axis",
        "g * p, axis=-1",
        "with axis=0",
    ),
    "penalties of several strengths": (
        """
        class Dense:
            def __init__(self, inputs, outputs, weight_l2=0, bias_l2=0):
                self.W, self.b, self.weight_l2, self.bias_l2 = np.random.randn(inputs, outputs), np.zeros(outputs), weight_l2, bias_l2

            def forward(self, x):
                self.x = x
                return x @ self.W + self.b

            def regularization_loss(self):
                return self.weight_l2 * np.sum(self.W**2) + self.bias_l2 * np.sum(self.b**2)

            def backward(self, dy):
                self.dW = self.x.T @ dy + 2 * self.weight_l2 * self.W
                self.db = dy.sum(axis=0)
                if self.bias_l2:
                    self.db = self.db + 2 * self.bias_l2 * self.b
                return dy @ self.W.T
        """,
        "self.db + 2 * self.bias_l2",
        "self.db + 2 * self.weight_l2",
        "with weight_l2=1, bias_l2=2",
    ),
    "large numbers": (
        """
        def hardswish(x):
            return x * np.clip(x + 3, 0, 6) / 6

        def hardswish_grad(x):
            return np.where(x <= -3, 0, np.where(x >= 3, 1, (2 * x + 3) / 6))
        """,
        "np.where(x >= 3, 1, (2 * x + 3) / 6)",
        "(2 * x + 3) / 6",
        "for numbers up to 10",
    ),
    "numbers of examples that differ": (
        """
        def d_loss(real, fake):
            return np.mean(np.logaddexp(0, -real)) + np.mean(np.logaddexp(0, fake))

        def d_loss_grad(real, fake):
            return -1 / (1 + np.exp(real)) / real.size, 1 / (1 + np.exp(-fake)) / fake.size
        """,
        "/ fake.size",
        "/ real.size",
        "with different numbers of examples",
    ),
    "places that are left out": (
        """
        class Bag:
            def __init__(self, table):
                self.E = table

            def forward(self, ids):
                self.ids, self.valid = ids, ids >= 0
                return (self.E[np.where(self.valid, ids, 0)] * self.valid[..., None]).sum(axis=1)

            def backward(self, dy):
                dE = np.zeros_like(self.E)
                for row, bag in enumerate(self.ids):
                    for i in bag:
                        if i >= 0:
                            dE[i] += dy[row]
                return dE
        """,
        "if i >= 0:",
        "if True:",
        "with ids=an array",
    ),
    "functions that look up which they are in tables": (
        """
        VALUES, SLOPES = {}, {}

        def register(table, name):
            def wrap(function):
                table[name] = function
                return function

            return wrap

        @register(VALUES, "arctan")
        def _(z):
            return np.arctan(z)

        @register(SLOPES, "arctan")
        def _(z, upstream):
            return upstream / (1 + z**2)

        @register(VALUES, "tanh")
        def _(z):
            return np.tanh(z)

        @register(SLOPES, "tanh")
        def _(z, upstream):
            return upstream * (1 - np.tanh(z) ** 2)

        def squash(kind, z):
            return VALUES[kind](z)

        def squash_backward(kind, z, upstream):
            return SLOPES[kind](z, upstream)
        """,
        "upstream * (1 - np.tanh(z) ** 2)",
        "upstream * (1 - np.tanh(z))",
        "squash('tanh'): wrong",
    ),
    "the only parameter of a layer, whose gradient is called grad": (
        """
        class Affine:
            def __init__(self, n_in, n_out, last=False):
                self.theta = np.random.randn(n_in + 1, n_out) * 0.5
                self.last = last

            def feed(self, a):
                self.a = np.c_[a, np.ones(len(a))]
                s = self.a @ self.theta
                self.slope = np.ones_like(s) if self.last else np.cos(s)
                return s if self.last else np.sin(s)

            def back(self, e):
                e = e * self.slope
                self.grad = self.a.T @ e
                return e @ self.theta[:-1].T

        layer = Affine(2, 3, last=True)
        """,
        "np.cos(s)",
        "np.cos(s) ** 2",
        "wrong with last=False, right with last=True",
    ),
    "a net of the only layers of its file, for images": (
        """
        class Norm:
            def __init__(self, channels):
                self.w = np.ones((1, channels, 1, 1))

            def __call__(self, x):
                self.std = np.sqrt(x.var((0, 2, 3), keepdims=True) + 1e-5)
                self.n = (x - x.mean((0, 2, 3), keepdims=True)) / self.std
                return self.w * self.n

            def backward(self, d):
                self.dw = (d * self.n).sum((0, 2, 3), keepdims=True)
                d = d * self.w / self.std
                return d - d.mean((0, 2, 3), keepdims=True) - self.n * (d * self.n).mean((0, 2, 3), keepdims=True)

        class Sequential:
            def __init__(self, *layers):
                self.layers = layers

            def __call__(self, x):
                for layer in self.layers:
                    x = layer(x)
                return x

            def backward(self, d):
                for layer in reversed(self.layers):
                    d = layer.backward(d)
                return d
        """,
        "in reversed(self.layers)",
        "in self.layers",
        "Sequential: wrong",
    ),
}  # fmt: skip


@pytest.mark.parametrize("what", HIDDEN)
def test_what_is_seldom_tried_is_tried(what, slipped):
    *slip, where = HIDDEN[what]
    _, said = slipped(*slip)
    assert where in said, said


def test_a_backward_that_cannot_run_is_wrong(graded):
    text = """
        class Dense:
            def __init__(self, inputs, outputs):
                self.W = np.random.randn(inputs, outputs)

            def forward(self, x):
                self.x = x
                return x @ self.W

            def backward(self, dy):
                self.dW = self.x.T @ dy
                return dy @ self.W
        """
    code, said = graded(text)
    assert code == 1 and "dy @ self.W.T would fit" in said, said


@pytest.mark.parametrize(
    ("text", "condition"),
    [
        ("def f(A, x):\n    return x @ A @ x\n\ndef grad_f(A, x):\n    return 2 * A @ x\n", "right only for a symmetric A"),
        ("class MSE:\n    def forward(self, p, t):\n        self.d = p - t\n        return (self.d**2).mean(axis=-1)\n\n    def backward(self):\n        return 2 * self.d / self.d.shape[-1]\n", "right only for the sum of the values"),
        ("def sigmoid(x):\n    return 1 / (1 + np.exp(-x))\n\ndef sigmoid_prime(x):\n    return x * (1 - x)\n", "right only if the derivative is handed the output y"),
    ],
)  # fmt: skip
def test_what_is_right_only_under_a_condition_says_so(text, condition, graded):
    code, said = graded(text)
    assert code == 0 and condition in said, said


def test_two_zeros_show_nothing(graded):
    """For one-hot rows, both gradients of V vanish, right or wrong."""
    code, said = graded("""
        class FM:
            def __init__(self, n, k):
                self.V = np.random.default_rng(0).normal(size=(n, k))

            def predict(self, X):
                return 0.5 * np.sum((X @ self.V) ** 2 - X**2 @ self.V**2, axis=1)

            def gradients(self, X, err):
                return 0.5 * (X.T @ (err[:, None] * (X @ self.V)) - (X**2).T @ err[:, None] * self.V)
        """)
    assert code == 1, said
