"""A person's own optimizers: as functions with their states, made by functions, with all options, under names that claim something."""

import pytest

# each: a right file, then a place in it and the same with a slip, and what is said of the slip
FORMS = {
    "a function with two states by key and a function that begins them": (
        """
        def initialize_adam(parameters):
            v, s = {}, {}
            for l in range(1, len(parameters) // 2 + 1):
                for name in ("W" + str(l), "b" + str(l)):
                    v["d" + name], s["d" + name] = np.zeros_like(parameters[name]), np.zeros_like(parameters[name])
            return v, s

        def update_parameters_with_adam(parameters, grads, v, s, t, learning_rate=0.01, beta1=0.9, beta2=0.999, epsilon=1e-8):
            for l in range(1, len(parameters) // 2 + 1):
                for name in ("W" + str(l), "b" + str(l)):
                    v["d" + name] = beta1 * v["d" + name] + (1 - beta1) * grads["d" + name]
                    s["d" + name] = beta2 * s["d" + name] + (1 - beta2) * grads["d" + name] ** 2
                    corrected = v["d" + name] / (1 - beta1**t)
                    parameters[name] -= learning_rate * corrected / (np.sqrt(s["d" + name] / (1 - beta2**t)) + epsilon)
            return parameters, v, s
        """,
        "(1 - beta2**t)",
        "(1 - beta1**t)",
        "v is corrected with β₁",
    ),
    "a pure function of arrays": (
        """
        def rmsprop_step(w, dw, cache, lr=0.01, decay_rate=0.9, eps=1e-8):
            cache = decay_rate * cache + (1 - decay_rate) * dw**2
            return w - lr * dw / (np.sqrt(cache) + eps), cache
        """,
        "+ (1 - decay_rate) * dw**2",
        "+ dw**2",
        "1 - ρ before g² is missing",
    ),
    "a function that makes one of the parameters": (
        """
        def adamax(params, lr=0.002, beta1=0.9, beta2=0.999, eps=1e-8):
            m, u, t = [np.zeros_like(p) for p in params], [np.zeros_like(p) for p in params], 0

            def step(grads):
                nonlocal t
                t += 1
                for i, (p, g) in enumerate(zip(params, grads)):
                    m[i] = beta1 * m[i] + (1 - beta1) * g
                    u[i] = np.maximum(beta2 * u[i], np.abs(g))
                    p -= lr / (1 - beta1**t) * m[i] / (u[i] + eps)

            return step
        """,
        "beta1**t",
        "beta1",
        "step 2 is another than that of Adamax",
    ),
    "an object that holds the rule of its steps, and a config of each parameter": (
        """
        def nesterov(w, dw, config=None):
            config = {} if config is None else config
            config.setdefault("learning_rate", 1e-2)
            config.setdefault("momentum", 0.9)
            old = config.get("velocity", np.zeros_like(w))
            config["velocity"] = config["momentum"] * old - config["learning_rate"] * dw
            return w - config["momentum"] * old + (1 + config["momentum"]) * config["velocity"], config

        class Trainer:
            def __init__(self, params, rule=nesterov, **options):
                self.params, self.rule, self.configs = params, rule, {name: dict(options) for name in params}

            def step(self, grads):
                for name, w in self.params.items():
                    self.params[name], self.configs[name] = self.rule(w, grads[name], self.configs[name])
        """,
        'w - config["momentum"] * old',
        'w + config["momentum"] * old',
        "the sign of the old velocity is flipped",
    ),
    "a function that makes one of parameters by name": (
        """
        def momentum(params, lr=0.1, mu=0.9):
            v = {k: np.zeros_like(p) for k, p in params.items()}

            def update(grads):
                for k in params:
                    v[k] = mu * v[k] + grads[k]
                    params[k] -= lr * v[k]

            return update
        """,
        "params[k] -= lr",
        "params[k] += lr",
        "",
    ),
    "a function that makes one of what it is handed, whatever that is called": (
        """
        def make_momentum(named, lr=0.1, mu=0.9):
            v = {k: np.zeros_like(p) for k, p in named.items()}

            def step(grads):
                for k, p in named.items():
                    v[k] = mu * v[k] + grads[k]
                    p -= lr * v[k]

            return step
        """,
        "p -= lr",
        "p += lr",
        "",
    ),
    "a function that makes one": (
        """
        def make_momentum(lr=0.1, mu=0.9):
            v = {}

            def update(name, w, dw):
                v[name] = mu * v.get(name, 0) + dw
                return w - lr * v[name]

            return update
        """,
        "v[name] = mu * v.get(name, 0) + dw",
        "v[name] = v.get(name, 0) + mu * dw",
        "the velocity never decays",
    ),
    "one that asks for the gradient where it wants it": (
        """
        class Nesterov:
            def __init__(self, lr=0.01, mu=0.9):
                self.lr, self.mu, self.v = lr, mu, 0

            def step(self, w, grad_fn):
                self.v = self.mu * self.v - self.lr * grad_fn(w + self.mu * self.v)
                return w + self.v
        """,
        "grad_fn(w + self.mu * self.v)",
        "grad_fn(w)",
        "ordinary momentum",
    ),
    "RMSprop, centred and with momentum": (
        """
        class RMSprop:
            def __init__(self, params, lr=0.01, alpha=0.99, eps=1e-8, momentum=0.0, centered=False, maximize=False):
                self.params, self.lr, self.alpha, self.eps = params, lr, alpha, eps
                self.momentum, self.centered, self.maximize = momentum, centered, maximize
                self.sq, self.avg, self.buf = ([np.zeros_like(p) for p in params] for _ in range(3))

            def step(self, grads):
                for i, (p, g) in enumerate(zip(self.params, grads)):
                    g = -g if self.maximize else g
                    self.sq[i] = self.alpha * self.sq[i] + (1 - self.alpha) * g * g
                    v = self.sq[i]
                    if self.centered:
                        self.avg[i] = self.alpha * self.avg[i] + (1 - self.alpha) * g
                        v = v - self.avg[i] ** 2
                    self.buf[i] = self.momentum * self.buf[i] + g / (np.sqrt(v) + self.eps)
                    p -= self.lr * self.buf[i]
        """,
        "v - self.avg[i] ** 2",
        "v + self.avg[i] ** 2",
        "the mean gradient a is taken off, not added",
    ),
    "RMSprop, centred by its name": (
        """
        class CenteredRMSProp:
            def __init__(self, lr=1e-2, decay=0.9, eps=1e-8):
                self.lr, self.decay, self.eps, self.sq, self.avg = lr, decay, eps, 0, 0

            def __call__(self, p, grad):
                self.sq = self.decay * self.sq + (1 - self.decay) * grad**2
                self.avg = self.decay * self.avg + (1 - self.decay) * grad
                variance = self.sq + 0
                variance -= self.avg**2
                p -= self.lr * grad / (np.sqrt(variance) + self.eps)
        """,
        "self.sq + 0",
        "self.sq",
        "taken off the average c itself",
    ),
    "RAdam, with eps beside the root that is not corrected": (
        """
        class RectifiedAdam:
            def __init__(self, lr=1e-3, beta1=0.9, beta2=0.9, eps=1e-3):
                self.lr, self.beta1, self.beta2, self.eps, self.t, self.m, self.v = lr, beta1, beta2, eps, 0, 0, 0

            def update(self, p, g):
                self.t += 1
                self.m = self.beta1 * self.m + (1 - self.beta1) * g
                self.v = self.beta2 * self.v + (1 - self.beta2) * g**2
                longest = 2 / (1 - self.beta2) - 1
                length = longest - 2 * self.t * self.beta2**self.t / (1 - self.beta2**self.t)
                step = self.lr * self.m / (1 - self.beta1**self.t)
                if length > 5:
                    step *= np.sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length))
                    step *= np.sqrt(1 - self.beta2**self.t) / (np.sqrt(self.v) + self.eps)
                return p - step
        """,
        "(np.sqrt(self.v) + self.eps)",
        "(self.v + self.eps)",
        "is another than that of RAdam",
    ),
    "AdaGrad, whose sum does not begin with 0": (
        """
        class Adagrad:
            def __init__(self, lr=0.01, initial_accumulator_value=0.1, eps=1e-7):
                self.lr, self.initial_accumulator_value, self.eps, self.sums = lr, initial_accumulator_value, eps, {}

            def update(self, key, w, g):
                before = self.sums.get(key, np.full_like(w, self.initial_accumulator_value))
                self.sums[key] = before + g**2
                return w - self.lr * g / np.sqrt(self.sums[key] + self.eps)
        """,
        "before + g**2",
        "before + g",
        "not squared in the sum",
    ),
    "Lion": (
        """
        class Lion:
            def __init__(self, lr=1e-3, beta1=0.9, beta2=0.99, wd=0.01):
                self.lr, self.beta1, self.beta2, self.wd, self.m = lr, beta1, beta2, wd, {}

            def update(self, name, p, g):
                m = self.m.get(name, 0)
                self.m[name] = self.beta2 * m + (1 - self.beta2) * g
                return p - self.lr * (np.sign(self.beta1 * m + (1 - self.beta1) * g) + self.wd * p)
        """,
        "np.sign(self.beta1 * m + (1 - self.beta1) * g)",
        "np.sign(self.m[name])",
        "the sign of the m that is kept",
    ),
    "RAdam": (
        """
        class RAdam:
            def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
                self.lr, self.beta1, self.beta2, self.eps, self.t, self.m, self.v = lr, beta1, beta2, eps, 0, 0, 0

            def step(self, w, g):
                self.t += 1
                b1, b2, t = self.beta1, self.beta2, self.t
                self.m, self.v = b1 * self.m + (1 - b1) * g, b2 * self.v + (1 - b2) * g**2
                longest = 2 / (1 - b2) - 1
                rho = longest - 2 * t * b2**t / (1 - b2**t)
                if rho <= 4:
                    return w - self.lr * self.m / (1 - b1**t)
                r = np.sqrt((rho - 4) * (rho - 2) * longest / ((longest - 4) * (longest - 2) * rho))
                return w - self.lr * r * self.m / (1 - b1**t) / (np.sqrt(self.v / (1 - b2**t)) + self.eps)
        """,
        "(rho - 4) * (rho - 2)",
        "(rho - 4)",
        "RAdam",
    ),
    "AdaBelief": (
        """
        class AdaBelief:
            def __init__(self, lr=1e-3, beta1=0.9, beta2=0.999, eps=1e-8):
                self.lr, self.beta1, self.beta2, self.eps, self.t, self.m, self.v = lr, beta1, beta2, eps, 0, 0, 0

            def step(self, w, g):
                self.t += 1
                b1, b2, t = self.beta1, self.beta2, self.t
                self.m = b1 * self.m + (1 - b1) * g
                self.v = b2 * self.v + (1 - b2) * (g - self.m) ** 2 + self.eps
                return w - self.lr * self.m / (1 - b1**t) / (np.sqrt(self.v / (1 - b2**t)) + self.eps)
        """,
        "(g - self.m) ** 2",
        "g ** 2",
        "AdaBelief",
    ),
    "AdamW": (
        """
        class AdamW:
            def __init__(self, lr=1e-3, b1=0.9, b2=0.999, eps=1e-8, wd=0.01):
                self.lr, self.b1, self.b2, self.eps, self.wd, self.t, self.m, self.v = lr, b1, b2, eps, wd, 0, 0, 0

            def step(self, w, g):
                w = w - self.lr * self.wd * w
                self.t += 1
                self.m, self.v = self.b1 * self.m + (1 - self.b1) * g, self.b2 * self.v + (1 - self.b2) * g**2
                return w - self.lr * self.m / (1 - self.b1**self.t) / (np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)
        """,
        "w = w - self.lr * self.wd * w",
        "g = g + self.wd * w",
        "here it belongs beside the step",
    ),
    "one that works in place": (
        """
        class SGD:
            def __init__(self, params, lr=0.1):
                self.params, self.lr = params, lr

            def step(self, grads):
                for p, g in zip(self.params, grads):
                    p -= self.lr * g
        """,
        "p -= self.lr * g",
        "p = p - self.lr * g",
        "the parameters are what they were",
    ),
    "a step over lists, at the rate of the file": (
        """
        learning_rate = 0.1

        def adagrad_step(params, dparams, mems):
            for param, dparam, mem in zip(params, dparams, mems):
                mem += dparam * dparam
                param += -learning_rate * dparam / np.sqrt(mem + 1e-8)
        """,
        "mem += dparam * dparam",
        "mem += dparam",
        "",
    ),
    "a state that is made for a shape": (
        """
        def new_state(shape):
            return {"t": 0, "m": np.zeros(shape), "v": np.zeros(shape)}

        def adam(w, grad, state, lr=2e-3, beta1=0.9, beta2=0.999, eps=1e-8):
            t = state["t"] + 1
            m, v = beta1 * state["m"] + (1 - beta1) * grad, beta2 * state["v"] + (1 - beta2) * grad**2
            state.update(t=t, m=m, v=v)
            return w - lr * m / (1 - beta1**t) / (np.sqrt(v / (1 - beta2**t)) + eps)
        """,
        "state.update(t=t, m=m, v=v)",
        "state.update(m=m, v=v)",
        "",
    ),
    "pairs of parameters and gradients, and a rate without a default": (
        """
        class SGD:
            def __init__(self, params, lr, weight_decay=0.0):
                self.params, self.lr, self.weight_decay = params, lr, weight_decay

            def step(self):
                for p, g in self.params:
                    p -= self.lr * (g + self.weight_decay * p)

            def zero_grad(self):
                for _, g in self.params:
                    g[...] = 0
        """,
        "p -= self.lr * (g",
        "p += self.lr * (g",
        "",
    ),
    "a decay of the weights alone": (
        """
        class RMSprop:
            def __init__(self, learning_rate=0.001, rho=0.9, epsilon=1e-7, l2=0.001):
                self.learning_rate, self.rho, self.epsilon, self.l2 = learning_rate, rho, epsilon, l2

            def update_params(self, layer):
                if not hasattr(layer, "weight_cache"):
                    layer.weight_cache, layer.bias_cache = np.zeros_like(layer.weights), np.zeros_like(layer.biases)
                dweights = layer.dweights + self.l2 * layer.weights
                layer.weight_cache = self.rho * layer.weight_cache + (1 - self.rho) * dweights**2
                layer.bias_cache = self.rho * layer.bias_cache + (1 - self.rho) * layer.dbiases**2
                layer.weights -= self.learning_rate * dweights / (np.sqrt(layer.weight_cache) + self.epsilon)
                layer.biases -= self.learning_rate * layer.dbiases / (np.sqrt(layer.bias_cache) + self.epsilon)
        """,
        "layer.dweights + self.l2",
        "layer.dweights - self.l2",
        "",
    ),
    "a decay of matrices alone": (
        """
        class SGD:
            def __init__(self, lr=0.1, weight_decay=0.01):
                self.lr, self.weight_decay = lr, weight_decay

            def update(self, params, grads):
                for p, g in zip(params, grads):
                    if p.ndim > 1:
                        g = g + self.weight_decay * p
                    p -= self.lr * g
        """,
        "self.weight_decay * p",
        "self.weight_decay * p * p",
        "",
    ),
    "new parameters that are returned": (
        """
        class Momentum:
            def __init__(self, lr=0.1, mu=0.9):
                self.lr, self.mu, self.v = lr, mu, 0

            def update(self, w, g):
                self.v = self.mu * self.v + g
                return w - self.lr * self.v
        """,
        "return w - self.lr * self.v",
        "return w",
        "the parameters are what they were",
    ),
    "a list of pairs": (
        """
        def update_parameters(theta, grads, learning_rate):
            return [(W - learning_rate * dW, b - learning_rate * db) for (W, b), (dW, db) in zip(theta, grads)]
        """,
        "b - learning_rate * db",
        "b + learning_rate * db",
        "",
    ),
}  # fmt: skip


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_compared_with_its_definition(form, slipped):
    *slip, expected = FORMS[form]
    of_right, of_wrong = slipped(*slip)
    assert "remark" not in of_right, of_right
    assert expected in of_wrong, of_wrong


@pytest.mark.parametrize(
    ("form", "before", "after", "remark"),
    [
        ("AdamW", "self.lr * self.wd * w", "self.wd * w", "takes off λ p without the learning rate"),
        ("AdamW", "(np.sqrt(self.v / (1 - self.b2**self.t)) + self.eps)", "np.sqrt(self.v / (1 - self.b2**self.t) + self.eps)", "ε stands inside of the root"),
    ],
)  # fmt: skip
def test_what_is_not_usual_is_wrong_unless_the_file_says_so(form, before, after, remark, graded):
    text = FORMS[form][0]
    assert before in text
    code, said = graded(text.replace(before, after))
    assert code == 1 and remark in said, said
    said_so = text.replace(
        "def step(", "# without the rate, as in the paper; ε inside of the root\n            def step("
    )
    code, said = graded(said_so.replace(before, after))
    assert code == 0 and "right, with a remark" in said and remark in said, said


def test_a_state_that_parameters_share_is_found_though_their_shapes_differ(graded):
    text = """
        class Momentum:
            def __init__(self, lr=0.1, mu=0.9):
                self.lr, self.mu, self.v = lr, mu, {}

            def update(self, name, w, g):
                self.v[name] = self.mu * self.v.get(name, 0.0) - self.lr * g
                return w + self.v[name]
        """
    assert graded(text)[0] == 0
    code, said = graded(text.replace("[name]", "[0]").replace("get(name", "get(0"))
    assert code == 1, said
    of_shape = text.replace("[name]", "[w.shape]").replace("get(name", "get(w.shape")
    code, said = graded(of_shape)
    assert code == 1 and "parameters of one shape share" in said, said


def test_an_option_without_a_definition_is_left_out(graded):
    """AdaGrad with momentum has no definition here, so that it is neither right nor wrong."""
    code, said = graded("""
        class AdaGrad:
            def __init__(self, lr=0.01, eps=1e-8, momentum=0.0):
                self.lr, self.eps, self.momentum, self.s, self.v = lr, eps, momentum, {}, {}

            def update(self, name, w, g):
                self.s[name] = self.s.get(name, 0.0) + g**2
                self.v[name] = self.momentum * self.v.get(name, 0.0) + g / (np.sqrt(self.s[name]) + self.eps)
                return w - self.lr * self.v[name]
        """)
    assert code == 0, said
    assert "not varied: momentum in AdaGrad" in said


@pytest.mark.parametrize("name", ["Tiger", "QHAdam", "SignSGD"])
def test_an_optimizer_that_is_defined_nowhere_here_is_not_accused(name, graded):
    """Its settings are like those of Adam, and it is another."""
    code, said = graded(f"""
        class {name}:
            def __init__(self, lr=0.01, beta1=0.9, beta2=0.99):
                self.lr, self.beta1, self.beta2, self.m = lr, beta1, beta2, {{}}

            def update(self, name, w, g):
                self.m[name] = self.beta2 * self.m.get(name, 0.0) + (1 - self.beta2) * g
                return w - self.lr * np.sign(self.beta1 * self.m[name] + g)
        """)
    assert code == 2 and "no definition to compare it with" in said, said
