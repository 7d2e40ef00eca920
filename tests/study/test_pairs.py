"""A value and its gradients in functions or methods of a person's own names: what belongs together is found, and arrays that fit."""

import itertools

import numpy as np
import pytest

from scratchae.study.trials.blamed import blamed
from scratchae.study.trials.directed import Directed

# each: a right file, then a place in it and the same with a slip
FORMS = {
    "names that say forward and backward, and no more": (
        """
        def fwd(x, W, b):
            y = np.tanh(x @ W + b)
            return y, (x, W, y)

        def bwd(dy, cache):
            x, W, y = cache
            d = dy * (1 - y * y)
            return d @ W.T, x.T @ d, d.sum(0)
        """,
        "(1 - y * y)",
        "(1 - y)",
    ),
    "methods of one stem": (
        """
        class Bottleneck:
            def blend(self, mu, logvar, noise):
                self.noise, self.sigma = noise, np.exp(logvar / 2)
                return mu + self.sigma * noise

            def blend_backward(self, dz):
                return dz, dz * self.noise * self.sigma / 2
        """,
        "self.sigma / 2\n",
        "self.sigma\n",
    ),
    "methods that take the same, a list of arrays": (
        """
        class Ridge:
            def __init__(self, strength=0.1):
                self.strength = strength

            def penalty(self, weights):
                return sum(self.strength * np.sum(w**2) for w in weights)

            def slopes_back(self, weights):
                return [2 * self.strength * w for w in weights]
        """,
        "[2 * self",
        "[self",
    ),
    "a value of each example, of arrays that a class is made with": (
        """
        from dataclasses import dataclass

        @dataclass
        class Machine:
            W: np.ndarray
            a: np.ndarray
            c: np.ndarray

            def energy(self, v):
                return 0.5 * ((v - self.a) ** 2).sum(axis=1) - np.logaddexp(0, v @ self.W.T + self.c).sum(axis=1)

            def energy_grad(self, v):
                return v - self.a - 1 / (1 + np.exp(-(v @ self.W.T + self.c))) @ self.W
        """,
        "v - self.a - 1",
        "v - 1",
    ),
    "keys that differ in their case only": (
        """
        def loss(params, X, Y):
            hidden = np.tanh(X @ params["A"] + params["a"])
            return 0.5 * np.mean(np.sum((hidden @ params["B"] + params["b"] - Y) ** 2, axis=1))

        def slopes_back(params, X, Y):
            hidden = np.tanh(X @ params["A"] + params["a"])
            err = (hidden @ params["B"] + params["b"] - Y) / len(X)
            d = err @ params["B"].T * (1 - hidden**2)
            return dict(A=X.T @ d, a=d.sum(0), B=hidden.T @ err, b=err.sum(0))
        """,
        "(1 - hidden**2)",
        "(1 - hidden)",
    ),
    "an object of the file as an argument": (
        """
        class Lasso:
            def __init__(self, strength=0.1):
                self.strength = strength

            def penalty(self, w):
                return self.strength * np.abs(w).sum()

            def gradient(self, w):
                return self.strength * np.sign(w)

        def regression(w, X, y, reg):
            r = X @ w - y
            return r @ r / (2 * len(y)) + reg.penalty(w), X.T @ r / len(y) + reg.gradient(w)
        """,
        " + reg.gradient(w)",
        "",
    ),
    "steps of a function's own arguments, which gives another number": (
        """
        def logistic(s):
            return 1 / (1 + np.exp(-s))

        def train_step(X, y, first, second, alpha=1.0):
            hidden = logistic(X @ first)
            out = logistic(hidden @ second)
            delta = (out - y) * out * (1 - out)
            inner = delta @ second.T * hidden * (1 - hidden)
            second -= alpha * hidden.T @ delta
            first -= alpha * X.T @ inner
            return np.mean(np.abs(out - y))
        """,
        "inner = delta",
        "inner = (out - y)",
    ),
    "gradients of a cost in the arrays of a script": (
        """
        W = np.random.default_rng(1).normal(size=(2, 3))
        b = np.zeros((1, 3))
        X, T = np.eye(2), np.array([[1.0, 0, 1], [0, 1, 1]])

        def cost(X, T):
            return 0.5 * np.sum((np.tanh(X @ W + b) - T) ** 2)

        def gradients(X, T):
            out = np.tanh(X @ W + b)
            d = (out - T) * (1 - out**2)
            return X.T @ d, d.sum(axis=0, keepdims=True)
        """,
        "(1 - out**2)",
        "out",
    ),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


LINES = """
def inner(v, M):
    return v.reshape(-1, 1) @ M


def outer(x, W, M, b):
    h = x @ W
    n = h.shape[1]
    g = inner(h, M)
    return g + b.reshape(n)
"""


def test_what_raised_tells_of_which_arguments_it_made_use(tmp_path):
    """Those of the operation, what they were calculated of, and what was handed on; b is in none of the first two."""
    path, file = tmp_path / "mine.py", {}
    path.write_text(LINES, encoding="utf-8")
    exec(compile(LINES, str(path), "exec"), file)

    def told(*arguments):
        with pytest.raises(ValueError) as caught:
            file["outer"](*arguments)
        return blamed(caught.value, ["x", "W", "M", "b"], [file["outer"]])

    x, W, M, b = np.ones((5, 3)), np.ones((3, 4)), np.ones((1, 2)), np.ones(2)
    assert told(x, W.T, M, b) == {"x", "W"}
    assert told(x, W, M.T, b) == {"x", "W", "M"}
    assert told(x, W, M, b) == {"x", "W", "b"}


def test_a_search_leaves_out_what_is_known_not_to_fit():
    """Of 8^6 choices, that in which each is the next of the one before is found in fewer than 8 tries for each name."""
    names, tries = "abcdef", 0
    search = Directed(dict.fromkeys(names, "01234567"))
    for chosen in search:
        tries += 1
        pairs = [*itertools.pairwise(names)]
        wrong = next((pair for pair in pairs if int(chosen[pair[1]]) != int(chosen[pair[0]]) + 1), None)
        if wrong is None:
            break
        search.refuse(wrong, chosen)
    assert [int(chosen[name]) for name in names] == [0, 1, 2, 3, 4, 5]
    assert tries < 8 * len(names)


def test_a_search_ends_where_nothing_fits_and_finds_all_that_does():
    search, found = Directed({"a": "xy", "b": "xy"}), []
    for chosen in search:
        if chosen["a"] == chosen["b"]:
            search.refuse(chosen, chosen)
        else:
            found.append(chosen)
    assert found == [{"a": "x", "b": "y"}, {"a": "y", "b": "x"}]


def test_the_derivative_of_a_function_of_numpy(slipped):
    slipped("def arctan_prime(x):\n    return 1 / (1 + x**2)\n", "1 + x**2", "1 + x")


def test_a_derivative_by_its_name_that_never_runs_is_told(graded):
    text = """
        def energy(x, W):
            return 0.5 * np.sum(x * x) - np.sum(np.logaddexp(0, W @ x))

        def denergy_dx(x, W):
            return x - W.T @ (1 / (1 + np.exp(-(W @ x))))

        def denergy_dW(x, W):
            return -np.outer(1 / (1 + np.exp(-(W @ x))), x)
        """
    assert graded(text)[0] == 0
    code, said = graded(text.replace("W.T @ (1 / (1 + np.exp(-(W @ x))))", "W.T @ np.float64(1)"))
    assert code == 2
    assert "denergy_dx gives gradients" in said
