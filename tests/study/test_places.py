"""Where arrays lie: in two places at once, left by an earlier run or in another mode, or stretched along what looks like a batch."""

SHARED = """
class Affine:
    def __init__(self, n_in, n_out):
        self.params = [np.random.randn(n_in, n_out), np.zeros(n_out)]
        self.grads = [np.zeros_like(p) for p in self.params]
    def forward(self, x):
        self.x = x
        return x @ self.params[0] + self.params[1]
    def backward(self, d):
        self.grads[0][...] = self.x.T @ d
        self.grads[1][...] = d.sum(0)
        return d @ self.params[0].T

class Stack:
    def __init__(self, *layers):
        self.layers = layers
        self.params = [p for l in layers for p in l.params]
        self.grads = [g for l in layers for g in l.grads]
    def forward(self, x):
        for l in self.layers:
            x = l.forward(x)
        return x
    def backward(self, d):
        for l in reversed(self.layers):
            d = l.backward(d)
        return d

class Coder:
    def __init__(self, n_in, n_code):
        self.enc, self.dec = Stack(Affine(n_in, n_code)), Stack(Affine(n_code, n_in))
        self.params = self.enc.params + self.dec.params
    def loss(self, x):
        self.code = self.enc.forward(x)
        self.diff = self.dec.forward(self.code) - x
        return 0.5 * np.sum(self.diff**2) + np.sum(self.code**2)
    def backward(self):
        self.enc.backward(self.dec.backward(self.diff) + 2 * self.code)
"""
RAN = """
class Dense:
    def __init__(self, n, m):
        self.weights, self.biases = np.random.randn(n, m), np.zeros((1, m))
    def forward(self, inputs):
        self.inputs = inputs
        self.output = inputs @ self.weights + self.biases
    def backward(self, dvalues):
        self.dweights = self.inputs.T @ dvalues
        self.dbiases = dvalues.sum(0, keepdims=True)
        self.dinputs = dvalues @ self.weights.T

class Tanh:
    def forward(self, inputs):
        self.output = np.tanh(inputs)
    def backward(self, dvalues):
        self.dinputs = dvalues * (1 - self.output**2)

dense, tanh = Dense(2, 3), Tanh()
dense.forward(np.random.randn(30, 2))
tanh.forward(dense.output)
tanh.backward(np.ones((30, 3)))
dense.backward(tanh.dinputs)
"""
ONE_SIGNAL = """
class Convolution:
    def __init__(self, channels, kernel_size, depth):
        self.kernel_size = kernel_size
        self.kernels, self.biases = np.random.randn(depth, channels, kernel_size), np.random.randn(depth)
    def forward(self, input):
        self.input, steps = input, input.shape[1] - self.kernel_size + 1
        self.output = np.zeros((len(self.kernels), steps))
        for t in range(steps):
            self.output[:, t] = np.sum(self.kernels * input[:, t:t + self.kernel_size], axis=(1, 2)) + self.biases
        return self.output
    def backward(self, dy, learning_rate):
        dk, dx = np.zeros(self.kernels.shape), np.zeros(self.input.shape)
        for t in range(dy.shape[1]):
            g = dy[:, t].reshape(-1, 1, 1)
            dk += g * self.input[:, t:t + self.kernel_size]
            dx[:, t:t + self.kernel_size] += np.sum(g * self.kernels, axis=0)
        self.kernels -= learning_rate * dk
        self.biases -= learning_rate * dy.sum(axis=1)
        return dx
"""
RANDOM = """
class RandomSlopes:
    training, slopes = True, None
    def forward(self, x):
        self.negative = x < 0
        if self.training:
            self.slopes = np.random.uniform(0.1, 0.3, x.shape)
        else:
            self.slopes = np.full(x.shape, 0.2)
        return np.where(self.negative, self.slopes * x, x)
    def backward(self, dy):
        return np.where(self.negative, self.slopes * dy, dy)
"""


def test_an_array_in_two_places_is_one_parameter(slipped):
    slipped(SHARED, "+ 2 * self.code)", ")")


def test_what_an_earlier_run_left_is_no_parameter(slipped):
    slipped(RAN, "1 - self.output**2", "1 - self.output")


def test_channels_that_are_stretched_are_no_batch(slipped):
    slipped(ONE_SIGNAL, "dk += g", "dk = g")


def test_what_training_left_is_not_called_right_in_inference(graded):
    assert graded(RANDOM)[0] == 0
    code, said = graded(
        RANDOM.replace("self.slopes = np.full(x.shape, 0.2)", "return np.where(self.negative, 0.2 * x, x)")
    )
    assert code == 2 and "in inference forward keeps something" in said
