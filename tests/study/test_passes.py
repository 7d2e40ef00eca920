"""What a net does in one pass of its training, in several methods or functions that a person calls in turn."""

import pytest

LAYERS = """
class Dense:
    def __init__(self, n_in, n_out, rng):
        self.W, self.b = rng.normal(size=(n_in, n_out)), np.zeros(n_out)

    def forward(self, x):
        self.x = x
        return x @ self.W + self.b

    def backward(self, dy):
        self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
        return dy @ self.W.T

class Tanh:
    def forward(self, x):
        self.y = np.tanh(x)
        return self.y

    def backward(self, dy):
        return dy * (1 - self.y**2)

class Net:
    def __init__(self, *layers):
        self.layers = layers

    def forward(self, x):
        for layer in self.layers:
            x = layer.forward(x)
        return x

    def backward(self, dy):
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy
"""
ADDED = """def __init__(self):
        self.layers = []

    def add(self, layer):
        self.layers.append(layer)
"""
STARRED = LAYERS[
    LAYERS.index("def __init__(self, *layers)") : LAYERS.index("\n    def forward(self, x):\n        for")
]

# each: a right file, then a place in it and the same with a slip
FORMS = {
    "any number of layers": (LAYERS, "            dy = layer.backward(dy)", "            layer.backward(dy)"),
    "a list of layers": (LAYERS.replace("*layers", "layers"), "reversed(self.layers)", "self.layers"),
    "layers that are added": (LAYERS.replace(STARRED, ADDED), "reversed(self.layers)", "self.layers"),
}


@pytest.mark.parametrize("form", FORMS)
def test_each_form_is_read(form, slipped):
    slipped(*FORMS[form])


def test_a_net_of_wrong_layers_is_not_accused_of_them(graded):
    code, said = graded(LAYERS.replace("1 - self.y**2", "1 - self.y"))
    assert code == 1, said
    assert "Net: wrong" not in said
