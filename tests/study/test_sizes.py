"""What a person's own code is made with, or handed, beside x: what no author meant is no proof that a gradient is wrong."""

BUMPS = """
class Bumps:
    def __init__(self, centres, width):
        self.centres, self.width = np.asarray(centres, dtype=float), float(width)

    def forward(self, x):
        self.away = x - self.centres
        self.phi = np.exp(-self.away**2 / (2 * self.width**2))
        return self.phi

    def backward(self, dy):
        pull = dy * self.phi * self.away / self.width**2
        self.dcentres = pull.sum(axis=0)
        return -pull.sum(axis=1, keepdims=True)

x = np.linspace(0, 6, 24)[:, None]
bumps = Bumps(np.linspace(0, 6, 7), width=0.8)
"""
TWINS = """
class Shifted:
    def __init__(self, n_in, n_out):
        self.theta = {"kernel": np.random.randn(n_in, n_out), "bias": np.zeros(n_out)}
        self.delta = {name: np.zeros_like(value) for name, value in self.theta.items()}

    def forward(self, x):
        self.x = x
        return x @ self.theta["kernel"] + self.theta["bias"]

    def backward(self, dy):
        self.delta["kernel"][...] = self.x.T @ dy
        self.delta["bias"][...] = dy.sum(axis=0)
        return dy @ self.theta["kernel"].T
"""
GROUPS = """
def groupnorm_forward(x, gamma, beta, G, eps=1e-5):
    xg = x.reshape(len(x), G, -1)
    istd = 1 / np.sqrt(xg.var(axis=2, keepdims=True) + eps)
    xhat = (xg - xg.mean(axis=2, keepdims=True)) * istd
    return gamma * xhat.reshape(x.shape) + beta, (xhat, istd, gamma, G)

def groupnorm_backward(dout, cache):
    xhat, istd, gamma, G = cache
    N, C, H, W = dout.shape
    m = C // G * H * W
    dbeta = dout.sum(axis=(0, 2, 3), keepdims=True)
    dgamma = (dout * xhat.reshape(dout.shape)).sum(axis=(0, 2, 3), keepdims=True)
    d = (dout * gamma).reshape(N, G, -1)
    dx = istd / m * (m * d - d.sum(axis=2, keepdims=True) - xhat * (d * xhat).sum(axis=2, keepdims=True))
    return dx.reshape(dout.shape), dgamma, dbeta
"""


def test_numbers_in_place_of_arrays_and_an_x_that_is_stretched_prove_nothing(slipped):
    slipped(BUMPS, "= pull.sum(axis=0)", "= -pull.sum(axis=0)")


def test_gradients_of_any_name_lie_under_the_keys_of_their_parameters(slipped):
    slipped(TWINS, "self.x.T @ dy", "self.x.T @ (2 * dy)")


def test_groups_divide_the_channels(slipped):
    slipped(GROUPS, "m = C // G * H * W", "m = H * W")


FRAMES = """
def framer(length, hop):
    taper = np.sin(np.pi * (np.arange(length) + 0.5) / length) ** 2
    memory = {}

    def cut(signal):
        memory["shape"] = signal.shape
        starts = range(0, signal.shape[1] - length + 1, hop)
        return np.stack([signal[:, s : s + length] * taper for s in starts], axis=1)

    def glue(d_frames):
        d_signal = np.zeros(memory["shape"])
        for k in range(d_frames.shape[1]):
            d_signal[:, k * hop : k * hop + length] += d_frames[:, k] * taper
        return d_signal

    return cut, glue

forward, backward = framer(length=6, hop=3)
"""


def test_a_function_of_one_argument_that_remembers_is_handed_dy(slipped):
    slipped(FRAMES, "d_frames[:, k] * taper", "d_frames[:, k]")


def test_windows_that_overlap_are_added_up(slipped):
    slipped(FRAMES, "+ length] += d_frames", "+ length] = d_frames")


def test_gradients_that_a_step_of_any_name_never_sets_to_zero(slipped):
    step = "\n    def descend(self, rate=0.1):\n        for name in self.theta:\n            self.theta[name] -= rate * self.delta[name]\n"
    anew = '        self.delta["kernel"][...] = self.x.T @ dy\n        self.delta["bias"][...] = dy.sum(axis=0)\n'
    added = '        self.delta["kernel"] += self.x.T @ dy\n        self.delta["bias"] += dy.sum(axis=0)\n'
    slipped(TWINS + step, anew, added)


def test_a_backward_that_runs_for_equal_sizes_alone_is_tried_with_them(slipped):
    text = """
class Net:
    def __init__(self, sizes):
        self.weights = [np.random.randn(y, x) for x, y in zip(sizes[:-1], sizes[1:])]

    def cost(self, x, y):
        for w in self.weights:
            x = np.tanh(w @ x)
        return 0.5 * np.sum((x - y) ** 2)

    def backprop(self, x, y):
        kept, found = [x], [None] * len(self.weights)
        for w in self.weights:
            kept.append(np.tanh(w @ kept[-1]))
        back = kept[-1] - y
        for l in reversed(range(len(self.weights))):
            delta = back * (1 - kept[l + 1] ** 2)
            found[l] = delta @ kept[l].T
            back = self.weights[l].T @ delta
        return found
"""
    assert "where all sizes are equal" in slipped(text, "kept[l + 1]", "kept[l]")[1]


def test_an_object_is_made_with_a_key_of_a_table_of_its_file(slipped):
    text = """
TABLE = {"cube": (lambda x: x**3, lambda x: 3 * x**2)}

class Act:
    def __init__(self, name):
        self.f, self.f_prime = TABLE[name]

    def forward(self, z):
        self.z = z
        return self.f(z)

    def backward(self, grad):
        return grad * self.f_prime(self.z)
"""
    assert "Act: right" in slipped(text, "grad * self", "grad + self")[0]


def test_an_object_that_a_program_makes_is_checked_where_none_is_made_of_sizes(slipped):
    text = """
class Gather:
    def __init__(self, edges, d):
        self.src, self.dst = edges
        self.W = np.random.default_rng(1).normal(size=(d, d))

    def forward(self, h):
        self.h, out = h, np.zeros_like(h)
        np.add.at(out, self.dst, h[self.src] @ self.W)
        return out

    def backward(self, g):
        self.gW = self.h[self.src].T @ g[self.dst]
        d = np.zeros_like(g)
        np.add.at(d, self.src, g[self.dst] @ self.W.T)
        return d

if __name__ == "__main__":
    ring = np.array([[0, 1, 2, 3, 0, 2], [1, 2, 3, 0, 2, 0]])
    layer = Gather(ring, 3)
    for _ in range(3):
        print(layer.forward(np.ones((4, 3))))
"""
    slipped(text, "np.add.at(d, self.src, g[self.dst] @ self.W.T)", "d[self.src] += g[self.dst] @ self.W.T")
