"""The rules about paths and operations: what was overwritten, left out, copied or not differentiated, and in which line."""

import importlib.util
import textwrap

import numpy as np
import pytest

from scratchae import check_gradients


@pytest.fixture
def found(tmp_path):
    """The first finding about the last class or function of a file, at x or at small numbers."""

    def run(text, x=None):
        path = tmp_path / "mine.py"
        path.write_text("import numpy as np\n" + textwrap.dedent(text), encoding="utf-8")
        spec = importlib.util.spec_from_file_location("mine", path)
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        thing = list(vars(module).values())[-1]
        x = np.random.default_rng(0).standard_normal((5, 3)) if x is None else x
        return next(iter(check_gradients(thing() if isinstance(thing, type) else thing, x).findings), None)

    return run


NET = """
class Net:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.W, self.V = rng.standard_normal((3, 4)), rng.standard_normal((4, 3))

    def forward(self, x):
        self.x = x
        self.h = 1 / (1 + np.exp(-(x @ self.W)))
        return self.h @ self.V + x

    def backward(self, dy):
        self.dV = self.h.T @ dy
        da = dy @ self.V.T * self.h * (1 - self.h)
        self.dW = self.x.T @ da
        return da @ self.W.T + dy
"""
PENALTY = """
W = np.random.default_rng(1).standard_normal((3, 4))

def penalty(x):
    h = np.tanh(x @ W)
    value = (h**2).sum() / len(x) + 0.1 * (x**2).sum() + (x @ W[:, :2]).sum()
    return value, (2 * h * (1 - h**2)) @ W.T / len(x) + 0.2 * x + W[:, :2].sum(axis=1)
"""
RECURRENT = """
class Recurrent:
    def __init__(self):
        rng = np.random.default_rng(0)
        self.U, self.V = 0.5 * rng.standard_normal((3, 3)), 0.5 * rng.standard_normal((3, 3))

    def forward(self, x):
        self.x, self.h = x, [np.zeros(3)]
        for row in x:
            self.h.append(np.tanh(row @ self.U + self.h[-1] @ self.V))
        return np.stack(self.h[1:])

    def backward(self, dy):
        self.dU, self.dV, dx, after = np.zeros((3, 3)), np.zeros((3, 3)), np.zeros_like(self.x), 0
        for t in reversed(range(len(dy))):
            da = (dy[t] + after) * (1 - self.h[t + 1] ** 2)
            self.dU += np.outer(self.x[t], da)
            self.dV += np.outer(self.h[t], da)
            dx[t] = da @ self.U.T
            after = da @ self.V.T
        return dx
"""
WINDOWS = """
class Sums:
    def forward(self, x):
        self.shape = x.shape
        return x[:, :-1] + 2 * x[:, 1:]

    def backward(self, dy):
        dx = np.zeros(self.shape)
        dx[:, :-1] += dy
        dx[:, 1:] += 2 * dy
        return dx
"""
CASES = [
    (NET, "* self.h * (1 - self.h)", "", "operation_not_differentiated", "line 10"),
    (NET, "da @ self.W.T + dy", "da @ self.W.T", "operation_missing", "line 11"),
    (NET, "da @ self.W.T + dy", "da @ self.W.T - dy", "operation_sign", "line 11"),
    (NET, "da @ self.W.T + dy", "da @ self.W.T + 3 * dy", "operation_factor", "counts 3 times"),
    (PENALTY, "+ 0.2 * x", "", "extra_term", "-0.2 times x itself"),
    (PENALTY, "/ len(x) + 0.2", "+ 0.2", "operation_factor", "counts 5 times"),
    (PENALTY, "+ W[:, :2].sum(axis=1)", "", "extra_term", "the same numbers in every example"),
    (RECURRENT, "(dy[t] + after)", "dy[t]", "operation_missing", "line 11"),
    (WINDOWS, "dx[:, 1:] +=", "dx[:, 1:] =", "contributions", "only one of several"),
]  # fmt: skip


@pytest.mark.parametrize(
    ("text", "before", "after", "kind", "said"), CASES, ids=[f"{k}: {a}" for _, _, a, k, _ in CASES]
)
def test_a_mistake_has_its_name_and_its_line(text, before, after, kind, said, found):
    assert before in text
    fault = found(text.replace(before, after))
    assert (fault.kind, said in f"{fault.what} {fault.evidence}") == (kind, True), str(fault)


@pytest.mark.parametrize("text", [NET, PENALTY, RECURRENT, WINDOWS])
def test_what_is_right_is_not_accused(text, found):
    fault = found(text)
    assert fault is None or not fault.fault
