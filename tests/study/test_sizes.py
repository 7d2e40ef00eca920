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

OPTION_OF_GROUPS = """
class Norm:
    def __init__(self, channels, groups=2):
        self.groups, self.gain = groups, np.ones((1, channels, 1, 1))

    def forward(self, x):
        g = x.reshape(len(x), self.groups, -1)
        self.sd = np.sqrt(g.var(axis=2, keepdims=True) + 1e-5)
        self.xhat = ((g - g.mean(axis=2, keepdims=True)) / self.sd).reshape(x.shape)
        return self.gain * self.xhat

    def backward(self, dy):
        n, c, h, w = dy.shape
        m = c // self.groups * h * w
        self.dgain = (dy * self.xhat).sum(axis=(0, 2, 3), keepdims=True)
        d, xhat = (one.reshape(n, self.groups, -1) for one in (dy * self.gain, self.xhat))
        d = d - d.sum(axis=2, keepdims=True) / m - xhat * (d * xhat).sum(axis=2, keepdims=True) / m
        return (d / self.sd).reshape(dy.shape)
"""
SIDES = """
class Pad:
    def __init__(self, pad=1):
        if isinstance(pad, int):
            pad = (pad,) * 4
        self.top, self.bottom, self.left, self.right = pad

    def forward(self, x):
        self.h, self.w = x.shape[2:]
        return np.pad(x, ((0, 0), (0, 0), (self.top, self.bottom), (self.left, self.right)))

    def backward(self, dy):
        return dy[:, :, self.top : self.top + self.h, self.left : self.left + self.w]
"""
OF_COLUMNS = """
class Linear:
    # each column of x is one example
    def __init__(self, n_in, n_out):
        self.W, self.b = np.random.randn(n_out, n_in), np.zeros((n_out, 1))

    def forward(self, x):
        self.x = x
        return self.W @ x + self.b

    def backward(self, dy):
        self.dW = dy @ self.x.T
        self.db = dy.sum(axis=1, keepdims=True)
        return self.W.T @ dy

x = np.array([[0.5], [-1.2], [0.8]])
linear = Linear(3, 2)
"""
NORM_OF_COLUMNS = """
def bn_fwd(X, g, b):
    m = X.shape[1]
    xc = X - X.sum(axis=1, keepdims=True) / m
    sd = np.sqrt((xc * xc).sum(axis=1, keepdims=True) / m + 1e-5)
    return g * (xc / sd) + b, dict(xn=xc / sd, sd=sd, g=g, m=m)

def bn_bwd(dY, c):
    db, dg = dY.sum(axis=1, keepdims=True), (dY * c["xn"]).sum(axis=1, keepdims=True)
    d = c["g"] * dY
    dX = (d - d.sum(axis=1, keepdims=True) / c["m"] - c["xn"] * (d * c["xn"]).sum(axis=1, keepdims=True) / c["m"]) / c["sd"]
    return dX, dg, db
"""
FITTED = """
def cost(W, b, x, t):
    p = 1 / (1 + np.exp(-(x @ W + b)))
    dz = (p - t) / len(x)
    return -np.sum(t * np.log(p) + (1 - t) * np.log(1 - p)) / len(x), x.T @ dz, dz.sum(axis=0)

def fit(x, t, epochs=5):
    W, b = np.zeros((x.shape[1], t.shape[1])), np.zeros(t.shape[1])
    for _ in range(epochs):
        _, dW, db = cost(W, b, x, t)
        W -= 0.3 * dW
        b -= 0.3 * db
    return W, b
"""


def test_numbers_in_place_of_arrays_and_an_x_that_is_stretched_prove_nothing(slipped):
    slipped(BUMPS, "= pull.sum(axis=0)", "= -pull.sum(axis=0)")


def test_gradients_of_any_name_lie_under_the_keys_of_their_parameters(slipped):
    slipped(TWINS, "self.x.T @ dy", "self.x.T @ (2 * dy)")


def test_groups_divide_the_channels(slipped):
    slipped(GROUPS, "m = C // G * H * W", "m = H * W")
    slipped(OPTION_OF_GROUPS, "m = c // self.groups * h * w", "m = h * w")
    of_any = OPTION_OF_GROUPS.replace("channels, groups", "groups").replace("np.ones((1, channels, 1, 1))", "1.0")
    slipped(of_any.replace(".sum(axis=(0, 2, 3), keepdims=True)\n", ".sum()\n"), "* h * w", "* h")


def test_each_side_has_a_number_of_its_own(slipped):
    slipped(SIDES, "self.left : self.left", "self.right : self.right")


def test_a_single_column_hides_a_sum(slipped):
    slipped(OF_COLUMNS, "self.db = dy.sum(axis=1, keepdims=True)", "self.db = dy")
    slipped(NORM_OF_COLUMNS, 'keepdims=True) / c["m"] - c["xn"]', 'keepdims=True) - c["xn"]')


def test_a_function_that_trains_is_no_loss(slipped):
    slipped(FITTED, "dz = (p - t) / len(x)", "dz = (p - t) / 8")


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


def test_a_size_of_one_hides_no_gradient_of_another_shape(slipped):
    text = """
        class PadRows:
            def __init__(self, p=1):
                self.p = p

            def forward(self, x):
                self.n = x.shape[1]
                return np.pad(x, [(0, 0), (self.p, self.p)] + [(0, 0)] * (x.ndim - 2))

            def backward(self, dy):
                return dy[:, self.p : self.p + self.n]
        """
    _, found = slipped(text, "self.p + self.n]", "self.p + self.p]")
    assert "the gradient of x has shape (5, 1)" in found


def test_a_size_of_one_is_meant_where_forward_uses_no_more(graded):
    code, said = graded("""
        class OneChannel:
            def __init__(self):
                self.K = np.random.randn(2, 2)

            def forward(self, x):
                self.x, (n, _, h, w) = x[:, 0], x.shape
                y = np.zeros((n, 1, h - 1, w - 1))
                for i, j in np.ndindex(2, 2):
                    y[:, 0] += self.K[i, j] * self.x[:, i : i + h - 1, j : j + w - 1]
                return y

            def backward(self, dy):
                n, _, h, w = dy.shape
                dx, self.dK = np.zeros((n, 1, h + 1, w + 1)), np.zeros((2, 2))
                for i, j in np.ndindex(2, 2):
                    self.dK[i, j] = (dy[:, 0] * self.x[:, i : i + h, j : j + w]).sum()
                    dx[:, 0, i : i + h, j : j + w] += self.K[i, j] * dy[:, 0]
                return dx
        """)
    assert code == 0, said


def test_what_a_function_takes_apart_is_no_x(slipped):
    text = """
        def layer_fwd(theta, x):
            w, b = theta
            return np.logaddexp(0, x @ w.T + b)

        def layer_bwd(theta, x, g):
            w, b = theta
            dz = g / (1 + np.exp(-(x @ w.T + b)))
            return (dz.T @ x, dz.sum(0)), dz @ w
        """
    slipped(text, "return (dz.T @ x, dz.sum(0))", "return (dz.T @ x, dz.mean(0))")


def test_a_method_that_steps_is_no_value_of_the_gradients_that_it_asks_for(slipped):
    text = """
        class Regression:
            def __init__(self, n, size=16, lr=0.1):
                self.w, self.size, self.lr = np.zeros(n), size, lr

            def loss_and_grad(self, X, t):
                e = X @ self.w - t
                return (e**2).mean(), 2 * X.T @ e / len(t)

            def epoch(self, X, t):
                total = 0
                for i in range(0, len(X), self.size):
                    loss, g = self.loss_and_grad(X[i : i + self.size], t[i : i + self.size])
                    self.w -= self.lr * g
                    total += loss * len(t[i : i + self.size])
                return total / len(X)
        """
    slipped(text, "2 * X.T @ e / len(t)", "X.T @ e / len(t)")


def test_lengths_are_whole_numbers_of_steps(slipped):
    text = """
        def pool(vectors, lengths):
            mask = (np.arange(vectors.shape[1])[None] < np.asarray(lengths)[:, None]).astype(float)
            return (vectors * mask[:, :, None]).sum(axis=1) / mask.sum(axis=1)[:, None], mask

        def pool_grad(d, mask):
            return mask[:, :, None] * (d / mask.sum(axis=1)[:, None])[:, None]
        """
    _, found = slipped(text, "(d / mask.sum(axis=1)[:, None])", "d")
    assert "/ is not differentiated" in found


def test_whole_numbers_in_a_dict_of_options_are_varied(slipped):
    text = """
        def pool(x, conf):
            k, s = conf["win"], conf["by"]
            n = 1 + (len(x) - k) // s
            return np.stack([x[i * s : i * s + k].mean(axis=0) for i in range(n)]), (x.shape, conf)

        def pool_backward(dout, cache):
            shape, conf = cache
            k, s = conf["win"], conf["by"]
            dx = np.zeros(shape)
            for i in range(len(dout)):
                dx[i * s : i * s + k] += dout[i] / k
            return dx
        """
    slipped(text, "+= dout", "= dout")
    named = text.replace('"win"', '"size"').replace('"by"', '"stride"').replace("conf", "pool_param")
    slipped(named, "np.zeros(shape)", "np.zeros(((len(dout) - 1) * s + k, *shape[1:]))")


def test_a_parameter_of_the_name_g_has_a_gradient(slipped):
    text = """
        class Scaled:
            def __init__(self, n_in, n_out):
                self.p, self.d = {"v": np.random.randn(n_in, n_out), "g": np.ones(n_out)}, {}

            def forward(self, x):
                self.u = x @ self.p["v"]
                self.x = x
                return self.u * self.p["g"]

            def backward(self, dy):
                self.d["g"] = (dy * self.u).sum(axis=0)
                du = dy * self.p["g"]
                self.d["v"] = self.x.T @ du
                return du @ self.p["v"].T
        """
    slipped(text, "(dy * self.u)", "(dy * self.u * self.p['g'])")


def test_a_number_is_no_gradient_of_a_prediction(slipped):
    text = """
        class MeanSquare:
            def forward(self, y_pred, y_true):
                return np.mean((y_true - y_pred) ** 2, axis=-1)

            def backward(self, dvalues, y_true):
                self.dinputs = -2 * (y_true - dvalues) / len(dvalues[0]) / len(dvalues)
        """
    _, found = slipped(text, "-2 * (y_true - dvalues)", "-2")
    assert "the gradient of prediction has shape ()" in found


def test_a_divergence_that_is_written_out_is_nowhere_below_zero(slipped):
    text = '''
        def kl_to_prior(mu, rho, prior_std=1.0):
            """KL(N(mu, std^2) || N(0, prior_std^2)), with std = softplus(rho)"""
            std = np.logaddexp(0, rho)
            kl = np.log(prior_std / std) + (std**2 + mu**2) / (2 * prior_std**2) - 0.5
            d_std = std / prior_std**2 - 1 / std
            return kl.sum(), mu / prior_std**2, d_std / (1 + np.exp(-rho))
        '''
    unsquared = text.replace("(std**2 + mu", "(std + mu").replace("= std / prior_std", "= 0.5 / prior_std")
    _, found = slipped(text, text, unsquared)
    assert "the value is no divergence" in found


def test_the_shape_of_an_input_may_have_two_sizes(slipped):
    text = """
class Signal:
    def __init__(self, input_shape, kernel_size, filters):
        depth, length = input_shape
        self.kernels = np.random.randn(filters, depth, kernel_size)
        self.biases = np.random.randn(filters, length - kernel_size + 1)

    def forward(self, x):
        self.x, y = x, np.copy(self.biases)
        for i, kernel in enumerate(self.kernels):
            for j, k in enumerate(kernel):
                y[i] += np.correlate(x[j], k, "valid")
        return y

    def backward(self, dy, rate):
        dk, dx = np.zeros_like(self.kernels), np.zeros_like(self.x)
        for i, d in enumerate(dy):
            for j, k in enumerate(self.kernels[i]):
                dk[i, j] = np.correlate(self.x[j], d, "valid")
                dx[j] += np.convolve(d, k, "full")
        self.kernels -= rate * dk
        self.biases -= rate * dy
        return dx
"""
    slipped(text, "dx[j] += np", "dx[j] = np")


def test_windows_in_a_dict_of_options_are_varied(slipped):
    text = """
        def pool(x, pool_param):
            ph, pw = pool_param["pool_height"], pool_param["pool_width"]
            N, C, H, W = x.shape
            out = np.zeros((N, C, H // ph, W // pw))
            for i in range(H // ph):
                for j in range(W // pw):
                    out[:, :, i, j] = x[:, :, i * ph:i * ph + ph, j * pw:j * pw + pw].mean(axis=(2, 3))
            return out, (x, pool_param)


        def pool_backward(dout, cache):
            x, pool_param = cache
            ph, pw = pool_param["pool_height"], pool_param["pool_width"]
            dx = np.zeros_like(x)
            for i in range(dout.shape[2]):
                for j in range(dout.shape[3]):
                    dx[:, :, i * ph:i * ph + ph, j * pw:j * pw + pw] += dout[:, :, i:i + 1, j:j + 1] / (ph * pw)
            return dx
        """
    slipped(text, "/ (ph * pw)", "/ (ph * ph)")


def test_some_borders_are_0(slipped):
    text = """
        class Border:
            def __init__(self, border=(1, 1, 1, 1)):
                self.border = border

            def forward(self, x):
                top, bottom, left, right = self.border
                return np.pad(x, ((0, 0), (top, bottom), (left, right), (0, 0)))

            def backward(self, dy):
                top, bottom, left, right = self.border
                return dy[:, top:dy.shape[1] - bottom, left:dy.shape[2] - right]
        """
    slipped(text, "left:dy.shape[2] - right", "left:-right")


def test_a_window_that_is_moved_further_has_more_than_one_place(slipped):
    text = """
        def frames(signal, bank, hop):
            n = 1 + (signal.shape[1] - bank.shape[1]) // hop
            framed = signal[:, hop * np.arange(n)[:, None] + np.arange(bank.shape[1])]
            return framed @ bank.T, (framed, bank, hop, signal.shape[1])


        def frames_backward(dout, cache):
            framed, bank, hop, samples = cache
            dframed, dsignal = dout @ bank, np.zeros((len(dout), samples))
            for f in range(dout.shape[1]):
                dsignal[:, f * hop:f * hop + bank.shape[1]] += dframed[:, f]
            return dsignal, np.einsum("bfk,bfs->ks", dout, framed)
        """
    slipped(text, "] += dframed", "] = dframed")


def test_one_unit_hides_a_product_for_what_the_file_begins_with_more(slipped):
    text = """
        def init(n_in=4, n_out=4):
            r = np.random.RandomState(7)
            return dict(A=r.randn(n_in, n_out), B=r.randn(n_in, n_out), c=np.zeros(n_out))


        def glu(p, x):
            lin = x @ p["A"]
            gate = 1 / (1 + np.exp(-x @ p["B"] - p["c"]))
            return lin * gate, (x, lin, gate)


        def glu_backprop(p, tape, dy):
            x, lin, gate = tape
            d_lin, d_pre = dy * gate, dy * lin * gate * (1 - gate)
            g = {"A": x.T @ d_lin, "B": x.T @ d_pre, "c": d_pre.sum(0)}
            return d_lin @ p["A"].T + d_pre @ p["B"].T, g
        """
    slipped(text, 'd_lin @ p["A"].T + d_pre @', 'd_lin * p["A"].T + d_pre *')
