"""Engines of automatic differentiation and layers that are functions: read, found right, and slips in them found."""

import pytest

SCALARS = """
import math

class Value:
    def __init__(self, data, children=()):
        self.data, self.grad, self.children = data, 0.0, children
        self.pull = lambda: None

    def __add__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data + other.data, (self, other))

        def pull():
            self.grad += out.grad
            other.grad += out.grad

        out.pull = pull
        return out

    def __mul__(self, other):
        other = other if isinstance(other, Value) else Value(other)
        out = Value(self.data * other.data, (self, other))

        def pull():
            self.grad += other.data * out.grad
            other.grad += self.data * out.grad

        out.pull = pull
        return out

    def __neg__(self):
        return self * -1

    def __sub__(self, other):
        return self + (-other)

    def __rsub__(self, other):
        return (-self) + other

    def relu(self):
        out = Value(max(0.0, self.data), (self,))

        def pull():
            self.grad += (out.data > 0) * out.grad

        out.pull = pull
        return out

    def tanh(self):
        t = math.tanh(self.data)
        out = Value(t, (self,))

        def pull():
            self.grad += (1 - t**2) * out.grad

        out.pull = pull
        return out

    __radd__, __rmul__ = __add__, __mul__

    def backward(self):
        order, seen = [], set()

        def visit(node):
            if node not in seen:
                seen.add(node)
                for child in node.children:
                    visit(child)
                order.append(node)

        visit(self)
        self.grad = 1.0
        for node in reversed(order):
            node.pull()
"""
ARRAYS = """
class Var:
    def __init__(self, value, parents=()):
        self.value = np.asarray(value, dtype=float)
        self.gradient, self.parents = None, parents

    def take(self, g):
        while g.ndim > self.value.ndim:
            g = g.sum(axis=0)
        for axis, size in enumerate(self.value.shape):
            g = g.sum(axis=axis, keepdims=True) if size == 1 else g
        self.gradient = g if self.gradient is None else self.gradient + g

    def __add__(self, other):
        return Var(self.value + other.value, [(self, lambda g: g), (other, lambda g: g)])

    def __mul__(self, other):
        return Var(self.value * other.value, [(self, lambda g: g * other.value), (other, lambda g: g * self.value)])

    def __matmul__(self, other):
        return Var(self.value @ other.value, [(self, lambda g: g @ other.value.T), (other, lambda g: self.value.T @ g)])

    @property
    def T(self):
        return Var(self.value.T, [(self, lambda g: g.T)])

    def log(self):
        return Var(np.log(self.value), [(self, lambda g: g / self.value)])

    def reshape(self, *shape):
        return Var(self.value.reshape(*shape), [(self, lambda g: g.reshape(self.value.shape))])

    def sum(self, axis=None):
        def pull(g):
            return np.broadcast_to(g if axis is None else np.expand_dims(g, axis), self.value.shape)

        return Var(self.value.sum(axis=axis), [(self, pull)])

    def detach(self):
        return Var(self.value)

    def backward(self, gradient=None):
        order = []

        def visit(node):
            if node not in order:
                for parent, _ in node.parents:
                    visit(parent)
                order.append(node)

        visit(self)
        self.gradient = np.ones_like(self.value) if gradient is None else gradient
        for node in reversed(order):
            for parent, pull in node.parents:
                parent.take(pull(node.gradient))


def softplus(v):
    return Var(np.log1p(np.exp(v.value)), [(v, lambda g: g / (1 + np.exp(-v.value)))])
"""
DUALS = """
class Dual:
    def __init__(self, real, dual=0.0):
        self.real, self.dual = real, dual

    def __add__(self, other):
        return Dual(self.real + other.real, self.dual + other.dual)

    def __mul__(self, other):
        return Dual(self.real * other.real, self.real * other.dual + self.dual * other.real)

    def __truediv__(self, other):
        return Dual(self.real / other.real, (self.dual * other.real - self.real * other.dual) / other.real**2)

def sin(d):
    return Dual(np.sin(d.real), np.cos(d.real) * d.dual)
"""
TABLE = """
def multiply(a, b):
    return a * b

def divide(a, b):
    return a / b

def cube(x):
    return x**3

RULES = {multiply: (lambda g, y, a, b: g * b, lambda g, y, a, b: g * a), "divide": (lambda g, a, b: g / b, lambda g, a, b: -g * a / b**2)}
SLOPES = {"cube": lambda x: 3 * x**2}
"""
DENSE = """
def dense(inputs, outputs):
    W, b, seen, grads = np.random.randn(inputs, outputs), np.zeros(outputs), None, {}

    def forward(x):
        nonlocal seen
        seen = x
        return np.tanh(x @ W + b)

    def backward(dy):
        dz = dy * (1 - np.tanh(seen @ W + b) ** 2)
        grads["W"], grads["b"] = seen.T @ dz, dz.sum(axis=0)
        return dz @ W.T

    return forward, backward
"""
SCALED = """
def scaled(w, slope=0.1):
    kept = {}

    def run(x):
        kept["x"] = x
        return np.where(x > 0, x, slope * x) @ w

    def run_back(g):
        x = kept["x"]
        return (g @ w.T) * np.where(x > 0, 1.0, slope), {"w": np.where(x > 0, x, slope * x).T @ g}

    return {"run": run, "run_back": run_back}
"""
COST = """
def make_cost(weight=1.0):
    def loss(prediction, target):
        return weight * ((prediction - target) ** 2).mean()

    def grad(prediction, target):
        return weight * 2 * (prediction - target) / prediction.size

    return loss, grad
"""
# each: a right file, then a place in it, the same with a slip, and what is said of it
SLIPS = [
    (SCALARS, "(1 - t**2)", "(1 - t)", "`a.tanh()`"),
    (SCALARS, "self.grad += (out.data > 0)", "self.grad = (out.data > 0)", "together they are not"),
    (SCALARS, "other.grad += self.data * out.grad", "other.grad += other.data * out.grad", "`a * b`"),
    (SCALARS, "return (-self) + other", "return self - other", "its value is"),
    (SCALARS, "visit(child)", "order.append(child)", "together they are not"),
    (ARRAYS, "lambda g: g @ other.value.T", "lambda g: g @ other.value", "`a @ b`"),
    (ARRAYS, "if self.gradient is None else self.gradient + g", "", "together they are not"),
    (ARRAYS, "g = g.sum(axis=axis, keepdims=True)", "g = g.mean(axis=axis, keepdims=True)", "`a + b`"),
    (ARRAYS, "g.reshape(self.value.shape)", "g.T.reshape(self.value.shape)", "reshape(3, 2)"),
    (ARRAYS, "g / (1 + np.exp(-v.value))", "g / (1 + np.exp(v.value))", "softplus(a)"),
    (ARRAYS, "g / self.value)", "1 / self.value)", "a.log()"),
    (DUALS, "self.dual * other.real - self.real * other.dual", "self.real * other.dual - self.dual * other.real", "`a / b`"),
    (DUALS, "np.cos(d.real) * d.dual", "np.cos(d.real)", "`sin(a)`"),
    (TABLE, "-g * a / b**2", "g * a / b**2", "the sign is flipped"),
    (TABLE, "g * b, lambda g, y, a, b: g * a", "g * a, lambda g, y, a, b: g * b", "changed places"),
    (TABLE, "3 * x**2", "2 * x**2", "constant factor"),
    (DENSE, "dz.sum(axis=0)", "dz.mean(axis=0)", "averaged over the batch"),
    (DENSE, "seen @ W + b) ** 2", "seen @ W) ** 2", "only while b has the value"),
    (SCALED, "np.where(x > 0, 1.0, slope)", "np.where(x > 0, 1.0, 0.1)", "with slope="),
    (SCALED, "np.where(x > 0, x, slope * x).T @ g", "x.T @ g", "∂L/∂w"),
    (COST, "weight * 2 * (prediction", "2 * (prediction", "weight="),
]  # fmt: skip


@pytest.mark.parametrize(("text", "before", "after", "says"), SLIPS)
def test_slips_are_found(text, before, after, says, graded):
    assert before in text
    code, said = graded(text.replace(before, after))
    assert code == 1, said
    assert says in said


@pytest.mark.parametrize("text", [SCALARS, ARRAYS, DUALS, TABLE, DENSE, SCALED, COST])
def test_each_form_is_read(text, graded):
    code, said = graded(text)
    assert code == 0, said


OUTSIDE = """
class Node:
    def __init__(self, value, parents=()):
        self.value, self.parents, self.grad = value, parents, 0.0

    def __add__(self, other):
        return Node(self.value + other.value, [(self, 1.0), (other, 1.0)])

    def __mul__(self, other):
        return Node(self.value * other.value, [(self, other.value), (other, self.value)])


def sine(node):
    return Node(np.sin(node.value), [(node, np.cos(node.value))])


def backward(node, upstream=1.0):
    node.grad += upstream
    for parent, local in node.parents:
        backward(parent, upstream * local)
"""
HANDED = OUTSIDE.partition("def backward")[0].replace(
    "\n\ndef sine",
    """
    def backward(self, grad):
        self.grad += grad
        for parent, local in self.parents:
            parent.backward(grad * local)


def sine""",
)


@pytest.mark.parametrize("text", [OUTSIDE, HANDED])
def test_a_backward_beside_the_class_and_one_that_is_handed_its_seed(text, slipped):
    slipped(text, "(self, other.value), (other, self.value)", "(self, self.value), (other, other.value)")
    slipped(text, "np.cos(node.value)", "np.sin(node.value)")
    slipped(
        text,
        "self.grad += grad" if text is HANDED else "node.grad += upstream",
        "self.grad = grad" if text is HANDED else "node.grad = upstream",
    )


def test_an_engine_without_stretched_arrays_is_right_and_it_is_said(graded):
    code, said = graded(
        ARRAYS.replace("while g.ndim > self.value.ndim", "while False").replace("if size == 1", "if False")
    )
    assert code == 0, said
    assert "arrays of different shapes" in said


def test_what_is_not_meant_to_be_differentiated_is_left_out(graded):
    more = """
    def peak(self):
        return Var(np.max(self.value))

    def error(self, target):
        d = self.value - target.value
        return Var(np.sum(d**2), [(self, lambda g: g * 2 * d)])

    def dropout(self):
        keep = (np.random.rand(*self.value.shape) > 0.5) * 2.0
        return Var(self.value * keep, [(self, lambda g: g * keep)])

    def detach"""
    text = ARRAYS.replace("\n    def detach", more)
    code, said = graded(text)
    assert code == 0 and "peak(): not all" in said and "error(b): not all" in said and "dropout()," in said, said
    assert graded(text.replace("g * 2 * d", "g * d"))[0] == 1
    assert graded(text.replace("(self, lambda g: g / self.value)", ""))[0] == 1


def test_a_product_of_matrices_is_not_taken_for_one_that_stretches(graded):
    text = ARRAYS.replace("while g.ndim > self.value.ndim", "while False").replace("if size == 1", "if False")
    code, said = graded(text.replace("__matmul__", "mm"))
    assert code == 0, said


def test_what_holds_a_derivative_back_is_no_operation(graded):
    assert "detach" not in graded(ARRAYS)[1]


def test_two_inner_functions_are_no_layer_by_themselves(graded):
    text = """
def counter():
    n = 0

    def get():
        return n

    def set(value):
        nonlocal n
        n = value

    return get, set


def chain(*layers):
    def forward(x):
        for f, _ in layers:
            x = f(x)
        return x

    def backward(dy):
        for _, b in layers[::-1]:
            dy = b(dy)
        return dy

    return forward, backward
"""
    code, said = graded(DENSE + text)
    assert code == 0, said
    assert "counter" not in said and "chain" not in said
