"""A person's own code under many conditions: what hides at the first shape, value, option or mode is found, and what is right is not accused."""

import pytest

from scratchae.tutorial import grade

DENSE = """
class Dense:
    def __init__(self, inputs, outputs):
        self.W = np.random.default_rng(0).standard_normal((inputs, outputs))
        self.b = np.zeros(outputs)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy
        self.db = dy.sum(axis=0)
        return dy @ self.W.T
"""
NORM = """
class Norm:
    def __init__(self, d, eps=1e-5):
        self.gamma, self.beta, self.eps = np.ones(d), np.zeros(d), eps
        self.mean, self.var = np.zeros(d), np.ones(d)

    def forward(self, x, train=True):
        self.train = train
        mean, var = (x.mean(axis=0), x.var(axis=0)) if train else (self.mean, self.var)
        if train:
            self.mean, self.var = 0.9 * self.mean + 0.1 * mean, 0.9 * self.var + 0.1 * var
        self.std = np.sqrt(var + self.eps)
        self.xhat = (x - mean) / self.std
        return self.gamma * self.xhat + self.beta

    def backward(self, dy):
        self.dgamma, self.dbeta = (dy * self.xhat).sum(axis=0), dy.sum(axis=0)
        g = dy * self.gamma
        if not self.train:
            return g / self.std
        return (g - g.mean(axis=0) - self.xhat * (g * self.xhat).mean(axis=0)) / self.std
"""
LEAKY = """
class Leaky:
    def __init__(self, alpha=0.01):
        self.alpha = alpha

    def forward(self, x):
        self.x = x
        return np.where(x > 0, x, self.alpha * x)

    def backward(self, dy):
        return np.where(self.x > 0, dy, self.alpha * dy)
"""
SPREAD = """
class Spread:
    def forward(self, x):
        self.x = x - x.mean(axis=-1, keepdims=True)
        return self.x

    def backward(self, dy):
        return dy - dy.sum(axis=-1, keepdims=True) / dy.shape[-1]
"""
HELD_STATE = """
class Mask:
    def __init__(self, rate=0.4):
        self.rate, self.source, self.mode = rate, np.random.RandomState(7), "train"

    def forward(self, x, seed=None):
        self.mask = np.ones_like(x)
        if self.mode == "train":
            noise = 1 + 0.1 * np.random.RandomState(seed).randn(*x.shape)
            self.mask = noise * (self.source.rand(*x.shape) > self.rate) / (1 - self.rate)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask
"""
NNFS = """
class Layer:
    def __init__(self, n_inputs, n_neurons):
        self.weights = np.random.randn(n_inputs, n_neurons)
        self.biases = np.zeros((1, n_neurons))

    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases

    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(axis=0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T
"""
TRAINS = """
class Dense:
    def __init__(self, inputs, outputs):
        self.weights = np.random.randn(inputs, outputs)

    def forward(self, x):
        self.x = x
        return x @ self.weights

    def backward(self, dy, learning_rate):
        dx = dy @ self.weights.T
        self.weights -= learning_rate * self.x.T @ dy
        return dx
"""
CACHE = """
def affine_forward(x, w, b):
    return x.reshape(len(x), -1) @ w + b, (x, w, b)


def affine_backward(dout, cache):
    x, w, b = cache
    return (dout @ w.T).reshape(x.shape), x.reshape(len(x), -1).T @ dout, dout.sum(axis=0)
"""
DICTS = DENSE.replace("self.W", "self.params['W']").replace("self.dW", "self.grads['W']").replace(
    "        self.b =", "        self.grads = {}\n        self.b ="
).replace("self.params['W'] = np", "self.params = {}\n        self.params['W'] = np")  # fmt: skip
PRIME = """
def tanh(x):
    return np.tanh(x)


def tanh_prime(x):
    return 1 - np.tanh(x) ** 2
"""
LOSS = """
class Loss:
    def forward(self, y_pred, y_true):
        self.d = y_pred - y_true
        return (self.d**2).sum() / len(self.d)

    def backward(self):
        return 2 * self.d / len(self.d)
"""
SOFTMAX = """
def softmax_loss(x, y):
    e = np.exp(x - x.max(axis=1, keepdims=True))
    p = e / e.sum(axis=1, keepdims=True)
    rows = np.arange(len(x))
    dx = p.copy()
    dx[rows, y] -= 1
    return -np.log(p[rows, y]).mean(), dx / len(x)
"""
OF_CLASSES = """
class SoftmaxLoss:
    def forward(self, scores, y_true):
        e = np.exp(scores - scores.max(axis=1, keepdims=True))
        self.output = e / e.sum(axis=1, keepdims=True)
        if y_true.ndim == 2:
            y_true = y_true.argmax(axis=1)
        return -np.log(self.output[range(len(scores)), y_true])

    def backward(self, dvalues, y_true):
        if y_true.ndim == 2:
            y_true = y_true.argmax(axis=1)
        self.dinputs = dvalues.copy()
        self.dinputs[range(len(dvalues)), y_true] -= 1
        self.dinputs /= len(dvalues)
"""
PAIR = """
def mse(y_true, y_pred):
    return np.mean((y_true - y_pred) ** 2)


def mse_prime(y_true, y_pred):
    return 2 * (y_pred - y_true) / y_true.size
"""
KL = """
def kl(mu, log_sigma):
    s, n = np.exp(2 * log_sigma), len(mu)
    return 0.5 * (mu**2 + s - 1 - 2 * log_sigma).sum() / n, mu / n, (s - 1) / n
"""
DECAYED = """
class Dense:
    def __init__(self, inputs, outputs, l1=0.0, weight_decay=0.0):
        self.W, self.b = np.random.randn(inputs, outputs), np.zeros(outputs)
        self.l1, self.weight_decay = l1, weight_decay

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW = self.x.T @ dy + self.weight_decay * self.W + self.l1 * np.sign(self.W)
        self.db = dy.sum(axis=0)
        return dy @ self.W.T
"""
PENALISED = (
    DECAYED
    + """
    def penalty(self):
        return 0.5 * self.weight_decay * (self.W**2).sum() + self.l1 * np.abs(self.W).sum()
"""
)
CHANNELS = """
def affine(x, s, t):
    return x * s + t


def affine_grad(x, s, t, dout):
    return {"x": dout * s, "s": np.einsum("nhwc,nhwc->c", x, dout), "t": dout.sum(axis=(0, 1, 2))}
"""
GIVEN_WEIGHTS = """
class Linear:
    def __init__(self, W, b):
        self.params, self.grads = [W, b], [np.zeros_like(W), np.zeros_like(b)]

    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]

    def backward(self, dout):
        self.grads[0][...] = self.x.T @ dout
        self.grads[1][...] = dout.sum(axis=0)
        return dout @ self.params[0].T
"""
STRIDED = """
def pool_forward_slow(x, pool_param):
    s = pool_param["stride"]
    return x[:, :, ::s, ::s] ** 2, (x, pool_param)


def pool_backward_slow(dout, cache):
    x, pool_param = cache
    s, dx = pool_param["stride"], np.zeros_like(x)
    dx[:, :, ::s, ::s] = 2 * x[:, :, ::s, ::s] * dout
    return dx
"""
MODULATED = """
def modulate(x, cond, W):
    return x * (cond @ W)[:, None]


def modulate_grads(x, cond, W, dy):
    dg = (dy * x).sum(axis=1)
    return dy * (cond @ W)[:, None], dg @ W.T, cond.T @ dg
"""
OF_SECOND = """
def distortion(x, mu):
    d = x - mu
    J = (d**2).sum() / len(x)
    dmu = -2 * d / len(x)
    return J, dmu
"""
UNROLLED = """
class _Step:
    def __init__(self, params):
        self.params, self.grads = params, [np.zeros_like(p) for p in params]

    def forward(self, x, h):
        self.x, self.h, self.y = x, h, np.tanh(x @ self.params[0] + h @ self.params[1])
        return self.y

    def backward(self, dy):
        da = dy * (1 - self.y**2)
        self.grads[0][...], self.grads[1][...] = self.x.T @ da, self.h.T @ da
        return da @ self.params[0].T, da @ self.params[1].T


class Unrolled:
    def __init__(self, Wx, Wh):
        self.params, self.grads = [Wx, Wh], [np.zeros_like(Wx), np.zeros_like(Wh)]

    def forward(self, x):
        h, self.steps, out = np.zeros((len(x), self.params[1].shape[0])), [], []
        for t in range(x.shape[1]):
            self.steps.append(_Step(self.params))
            out.append(h := self.steps[-1].forward(x[:, t], h))
        return np.stack(out, axis=1)

    def backward(self, dy):
        dh, dx = 0, np.empty((*dy.shape[:2], len(self.params[0])))
        total = [0, 0]
        for t in reversed(range(dy.shape[1])):
            dx[:, t], dh = self.steps[t].backward(dy[:, t] + dh)
            total = [a + b for a, b in zip(total, self.steps[t].grads)]
        for grad, sum_ in zip(self.grads, total):
            grad[...] = sum_
        return dx
"""
AMSGRAD = """
class AMSGrad:
    def __init__(self, lr=0.1, b1=0.8, b2=0.7):
        self.lr, self.b1, self.b2, self.m, self.v, self.top = lr, b1, b2, 0.0, 0.0, 0.0

    def step(self, w, g):
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.v = self.b2 * self.v + (1 - self.b2) * g**2
        self.top = np.maximum(self.top, self.v)
        return w - self.lr * self.m / (np.sqrt(self.top) + 1e-7)
"""
ADAMAX = """
class Adamax:
    def __init__(self, lr=0.1, b1=0.9, b2=0.9, eps=1e-7):
        self.lr, self.b1, self.b2, self.eps, self.m, self.u, self.t = lr, b1, b2, eps, 0.0, 0.0, 0

    def step(self, w, g):
        self.t += 1
        self.m = self.b1 * self.m + (1 - self.b1) * g
        self.u = np.maximum(self.b2 * self.u, np.abs(g) + self.eps)
        return w - self.lr / (1 - self.b1**self.t) * self.m / self.u
"""
HELD_GRADIENTS = """
class Tensor:
    def __init__(self, data):
        self.data, self.grad = data, np.zeros_like(data)

    def zero_grad(self):
        self.grad = np.zeros_like(self.data)


class Scale:
    def __init__(self, size):
        self.gain = Tensor(np.ones(size))

    def forward(self, x):
        self.x = x
        return x * self.gain.data

    def backward(self, g):
        self.gain.grad += (g * self.x).sum(axis=0)
        return g * self.gain.data
"""
TRAINED_COLUMN = """
class Dense:
    def __init__(self, inputs, outputs):
        self.W, self.c = np.random.randn(outputs, inputs), np.zeros((outputs, 1))

    def forward(self, x):
        self.x = x
        return self.W @ x + self.c

    def backward(self, dy, lr):
        dx = self.W.T @ dy
        self.W -= lr * dy @ self.x.T
        self.c -= lr * dy
        return dx
"""
STATE = """
def cell_forward(x, h, Wx, Wh):
    y = np.tanh(x @ Wx + h @ Wh)
    return y, (x, h, Wx, Wh, y)


def cell_backward(dy, cache):
    x, h, Wx, Wh, y = cache
    da = dy * (1 - y**2)
    return da @ Wx.T, da @ Wh.T, x.T @ da, h.T @ da
"""
ADAM = """
class Adam:
    def __init__(self, lr=0.01, beta1=0.9, beta2=0.999, eps=1e-8):
        self.lr, self.beta1, self.beta2, self.eps, self.t = lr, beta1, beta2, eps, 0

    def update(self, parameters, gradient):
        if self.t == 0:
            self.m, self.v = np.zeros_like(parameters), np.zeros_like(parameters)
        self.t += 1
        self.m = self.beta1 * self.m + (1 - self.beta1) * gradient
        self.v = self.beta2 * self.v + (1 - self.beta2) * gradient**2
        m, v = self.m / (1 - self.beta1**self.t), self.v / (1 - self.beta2**self.t)
        parameters -= self.lr * m / (np.sqrt(v) + self.eps)
"""
MOMENTUM = """
class Momentum:
    def __init__(self, lr=0.1, momentum=0.9, weight_decay=0.0):
        self.lr, self.momentum, self.weight_decay, self.v = lr, momentum, weight_decay, {}

    def step(self, params, grads):
        for key in params:
            g = grads[key] + self.weight_decay * params[key]
            self.v[key] = self.momentum * self.v.get(key, 0.0) + g
            params[key] -= self.lr * self.v[key]
"""
EMBEDDING = """
class Embedding:
    def __init__(self):
        self.W = np.random.randn(6, 2)

    def forward(self, x):
        self.x = x
        return self.W[x]

    def backward(self, dy):
        self.dW = np.zeros_like(self.W)
        np.add.at(self.dW, self.x, dy)
"""
MODULE = LEAKY.replace("self.alpha = alpha", "self.alpha, self.xp = alpha, np").replace(
    "return np.where(x", "return self.xp.where(x"
)
DROPOUT = """
class Dropout:
    def __init__(self, rate=0.5):
        self.rate = rate

    def forward(self, x, train=True):
        self.mask = (np.random.rand(*x.shape) > self.rate) / (1 - self.rate) if train else np.ones_like(x)
        return x * self.mask

    def backward(self, dy):
        return dy * self.mask
"""
SINGLE = DENSE.replace("self.x = x", "self.x = x = np.float32(x)").replace(
    "self.W + self.b", "np.float32(self.W) + np.float32(self.b)"
)
COLUMNS = """
class Columns:
    def __init__(self):
        self.W, self.b = np.random.randn(4, 3), np.random.randn(4, 1)

    def forward(self, x):
        self.x = x
        return self.W @ x + self.b

    def backward(self, dy):
        self.dW, self.db = dy @ self.x.T, dy.sum(axis=1, keepdims=True)
        return self.W.T @ dy


x = np.random.randn(3, 1)
"""
TORCH = MOMENTUM.replace("lr=0.1,", "params, lr=0.1,").replace("self.lr,", "self.params, self.lr,").replace(" = lr,", " = params, lr,").replace(
    "step(self, params, grads)", "step(self)"
).replace("for key in params:", "for key, p in enumerate(self.params):").replace("grads[key]", "p.grad").replace("params[key]", "p.data")  # fmt: skip
RIGHT = {
    name: text
    for name, text in globals().items()
    if name.isupper() and isinstance(text, str)
}  # fmt: skip


@pytest.mark.parametrize("name", RIGHT)
def test_what_is_right_is_right(name, graded):
    code, text = graded(RIGHT[name])
    assert code == grade.RIGHT and ": right" in text, text
    assert "not checked" not in text


# a right example, one change in it, and what is said of it
SLIPS = [
    # hidden at the values with which parameters begin, by sizes, by options, in a mode
    (NORM, "g = dy * self.gamma", "g = dy", "right only while gamma has the value with which it begins"),
    (DENSE, "return x @ self.W + self.b", "return np.tanh(x @ self.W + self.b)\n", ""),
    (LEAKY, "dy, self.alpha * dy", "dy, 0.01 * dy", "does not follow the options: wrong with alpha=0.37"),
    (SPREAD, "/ dy.shape[-1]", "/ dy[0].size", "wrong for x with three axes"),
    (LOSS, "2 * self.d / len(self.d)", "2 * self.d / 5", "and wrong for a batch of 2"),
    (NORM, "if not self.train:", "if False:", "wrong in inference, and right in training"),
    (DROPOUT, "else np.ones_like(x)\n        return x * self.mask", "else 1\n        return x * self.mask if train else x * 0.5", "in inference"),
    (DENSE + "\nlayer, x = Dense(3, 3), np.ones((1, 3))", "dy @ self.W.T", "dy @ self.W", "W transposed"),
    (DENSE + "\nlayer, x = Dense(3, 4), np.ones((1, 3))", "self.db = dy.sum(axis=0)", "self.db = dy[0]", "a batch of 2"),
    (HELD_STATE, "return dy * self.mask", "return dy * (self.mask if self.mode == 'train' else 2)", "in inference"),
    (OF_CLASSES, "/= len(dvalues)", "/= 5", "batch of 2"),
    (OF_CLASSES, "y_true] -= 1", "y_true] = -1", "wrong"),
    (AMSGRAD, "np.maximum(self.top, self.v)", "self.v", "update is wrong"),
    (ADAMAX, "+ self.eps)", "+ 2 * self.eps)", "update is wrong"),
    (HELD_GRADIENTS, "+= (g", "-= (g", "the sign is flipped"),
    (TRAINED_COLUMN, "self.c -=", "self.c +=", "the sign is flipped"),
    (STATE, "h.T @ da", "y.T @ da", "wrong"),
    (DECAYED, "+ self.weight_decay * self.W", "- self.weight_decay * self.W", "follow the options: wrong with weight_decay"),
    (DECAYED, "+ self.l1 * np.sign(self.W)", "+ self.l1", "follow the options: wrong with l1"),
    (PENALISED, "+ self.weight_decay", "+ 2 * self.weight_decay", "follow the options: wrong with weight_decay"),
    (CHANNELS, '"x": dout * s', '"x": dout', "wrong"),
    (GIVEN_WEIGHTS, "= dout.sum(axis=0)", "= dout.mean(axis=0)", "averaged over the batch"),
    (STRIDED, "2 * x[:, :, ::s, ::s] * dout", "s * 2 * x[:, :, ::s, ::s] * dout", "stride"),
    (MODULATED, "cond.T @ dg", "-cond.T @ dg", "the sign is flipped"),
    (OF_SECOND, "-2 * d", "2 * d", "the sign is flipped"),
    # styles
    (NNFS, "= self.inputs.T @", "= -self.inputs.T @", "∂L/∂weights: the sign is flipped"),
    (TRAINS, "learning_rate * self.x.T", "0.5 * learning_rate * self.x.T", "∂L/∂weights: it is off by a constant factor of 1/2"),
    (TRAINS, "        dx = dy @ self.weights.T\n", "", "NameError"),
    (TRAINS, "return dx", "return dy @ self.weights.T", "with the parameters after their update"),
    (CACHE, "dout.sum(axis=0)", "dout.mean(axis=0)", "∂L/∂b: it is averaged over the batch once too often"),
    (DICTS, "self.x.T @ dy", "np.outer(self.x[0], dy[0])", "∂L/∂W: the sum over the batch is missing"),
    (PRIME, "1 - np.tanh(x) ** 2", "1 - np.tanh(x)", "dy is multiplied by 1 - y, where 1 - y² is right"),
    (LOSS, "2 * self.d", "self.d", "a constant factor of 1/2"),
    (SOFTMAX, "dx / len(x)", "dx", "summed over the batch where the value is averaged"),
    (PAIR, "(y_true - y_pred) ** 2", "(1 - y_pred / y_true) ** 2", "∂L/∂prediction"),
    (TRAINS, "learning_rate * self", "self", "a constant factor of 2"),
    (PAIR, "2 * (y_pred", "(y_pred", "a constant factor of 1/2"),
    (KL, "- 2 * log_sigma).sum() / n, mu / n, (s - 1) / n", "- log_sigma**2).sum() / n, mu / n, (s - log_sigma) / n", "no KL divergence"),
    (EMBEDDING, "np.add.at(self.dW, self.x, dy)", "self.dW[self.x] = dy", "only one of several contributions"),
    (MODULE, "self.alpha * dy", "dy", "dy is passed on unchanged"),
    (SINGLE, "self.x.T @ dy", "2 * self.x.T @ dy", "∂L/∂W"),
    # optimizers
    (MOMENTUM, "self.momentum * self.v.get(key, 0.0) + g", "self.v.get(key, 0.0) + self.momentum * g", "the momentum multiplies the gradient"),
    (MOMENTUM, "grads[key] + self.weight", "grads[key] - self.weight", "the sign of the weight decay"),
    (MOMENTUM, "self.v[key] = self.momentum * self.v.get(key, 0.0)", "self.v[key] = self.momentum * self.v.get(0, 0.0)", "the velocity is not kept"),
    (TORCH, "p.data -= ", "p.data += ", "it goes up the gradient"),
    (ADAM, "(1 - self.beta1**self.t)", "(1 - self.beta1)", "the update is wrong"),
    (ADAM, "np.sqrt(v)", "v", "the square root of v is missing"),
    (ADAM, "gradient**2", "gradient", "the gradient is not squared in v"),
]  # fmt: skip


@pytest.mark.parametrize(("text", "before", "after", "said"), SLIPS, ids=[after[:50] for _, _, after, _ in SLIPS])
def test_a_slip_is_found_and_named(text, before, after, said, graded):
    assert before in text
    code, answer = graded(text.replace(before, after))
    remark = "no KL divergence" in said
    assert code == (grade.UNUSABLE if "Error" in said else grade.RIGHT if remark else grade.WRONG), answer
    assert said in answer
    assert remark or "mine.py" in answer  # it points at a line


def test_what_was_tried_is_said(graded):
    _, text = graded(NORM)
    assert "tried: " in text and "batches of 1, 2, 3, 5, 7" in text and "gamma, beta moved off the start" in text
    assert "options eps=0.37" in text and "training and inference" in text


def test_a_parameter_without_a_gradient_is_not_checked_and_not_right(graded):
    code, text = graded(DENSE.replace("self.db = dy", "db = dy"))
    assert code == grade.UNUSABLE
    assert "right in part" in text and "not checked: b, of which backward leaves no gradient (self.db = …" in text


def test_one_class_does_not_hide_the_others(graded):
    unwritten = DENSE.replace("Dense", "Other").replace("return dy @ self.W.T", "raise NotImplementedError")
    unbuilt = "class Third:\n    def __init__(self, what):\n        what.me()\n    def forward(self, x): return x\n    def backward(self, dy): return dy\n"
    code, text = graded(DENSE.replace("self.x.T @ dy", "-self.x.T @ dy") + unwritten + unbuilt)
    assert code == grade.WRONG
    assert (
        "the sign is flipped" in text
        and "Other: " in text
        and "still to be written" in text
        and "Make an instance" in text
    )


def test_small_elements_beside_large_ones(graded):
    """An error of -3 times where the derivative is 10⁻⁸ of the largest."""
    code, text = graded(
        """
        class Sigmoid:
            def forward(self, x):
                self.y = 1 / (1 + np.exp(-x))
                return self.y

            def backward(self, dy):
                d = self.y * (1 - self.y)
                return dy * np.where(d < 1e-7, -3 * d, d)

        x = np.array([[0.1, 17.0, -0.3], [-17.5, 0.5, 1.0]])
        """
    )
    assert code == grade.WRONG, text


def test_a_sum_of_what_is_centred_has_no_gradient(graded):
    code, text = graded("def centred(z):\n    return ((z - z.mean(axis=0)) / z.std(axis=0)).sum(), 1e-17 * z\n")
    assert code == grade.RIGHT, text


def test_an_array_of_the_file_that_does_not_fit_is_left_out(graded):
    code, text = graded(DENSE + "x = np.linspace(0, 1, 100)\n")
    assert code == grade.RIGHT and "x of the file, of shape (100,), which Dense.forward does not take" in text


@pytest.mark.parametrize(
    ("shift", "remark"), [("x.max(axis=1, keepdims=True)", False), ("x.max()", True), ("0", True)]
)
def test_a_softmax_that_overflows_is_remarked(shift, remark, graded):
    code, text = graded(
        f"""
        class Softmax:
            def forward(self, x):
                e = np.exp(x - {shift})
                self.p = e / e.sum(axis=1, keepdims=True)
                return self.p

            def backward(self, dy):
                return self.p * (dy - (dy * self.p).sum(axis=1, keepdims=True))
        """
    )
    assert code == grade.RIGHT and ("the value is NaN where" in text) == remark, text
