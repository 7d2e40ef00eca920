"""What every layer promises, checked for each of them; and what Sequential is."""

import copy

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, OptionError

# name: (constructor, shape of x for n examples of d features)
LAYERS = {
    "Dense": (lambda d: s.Dense(d, 3, rng=1), lambda n, d: (n, d)),
    "Sigmoid": (lambda d: s.Sigmoid(), lambda n, d: (n, d)),
    "ReLU": (lambda d: s.ReLU(), lambda n, d: (n, d)),
    "LeakyReLU": (lambda d: s.LeakyReLU(0.2), lambda n, d: (n, d)),
    "Tanh": (lambda d: s.Tanh(), lambda n, d: (n, d)),
    "Softplus": (lambda d: s.Softplus(), lambda n, d: (n, d)),
    "Identity": (lambda d: s.Identity(), lambda n, d: (n, d)),
    "Dropout": (lambda d: s.Dropout(0.4), lambda n, d: (n, d)),
    "MaskingNoise": (lambda d: s.MaskingNoise(0.4), lambda n, d: (n, d)),
    "SaltAndPepper": (lambda d: s.SaltAndPepper(0.4), lambda n, d: (n, d)),
    "GaussianNoise": (lambda d: s.GaussianNoise(0.5), lambda n, d: (n, d)),
    "GaussianNoise clipped": (lambda d: s.GaussianNoise(0.5, clip=(-1, 1)), lambda n, d: (n, d)),
    "Flatten": (lambda d: s.Flatten(), lambda n, d: (n, d, 2)),
    "Reshape": (lambda d: s.Reshape((2, d)), lambda n, d: (n, 2 * d)),
    "Sequential": (
        lambda d: s.Sequential(s.Dense(d, 4, rng=2), s.Tanh(), s.Sequential(s.Dense(4, 2, rng=3), s.ReLU())),
        lambda n, d: (n, d),
    ),
    "empty Sequential": (lambda d: s.Sequential(), lambda n, d: (n, d)),
}
every_layer = pytest.mark.parametrize("name", LAYERS)


def build(name, d=5, n=4, dtype=np.float32, seed=0):
    """A layer with random parameters, an input for it, and a fresh rng each time it is asked for."""
    make, shape = LAYERS[name]
    layer = make(d)
    rng = np.random.default_rng(seed)
    for _, leaf in layer.leaves():
        for parameter in leaf.parameter_names:
            drawn = rng.standard_normal(getattr(leaf, parameter).shape, dtype=np.float32)
            setattr(leaf, parameter, drawn)
    return layer.to(dtype=dtype), rng.standard_normal(shape(n, d)).astype(dtype)


def run(layer, x, seed=7):
    """Forward in training and backward: y, dx and the gradients of all parameters."""
    xp = array_module(x)
    y = layer.forward(x, xp.random.default_rng(seed))
    dy = xp.asarray(np.random.default_rng(11).standard_normal(y.shape).astype(x.dtype))
    dx = layer.backward(dy)
    gradients = [getattr(leaf, "d" + name) for _, leaf in layer.leaves() for name in leaf.parameter_names]
    return y, dx, gradients


@every_layer
@given(n=st.integers(1, 4), d=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_gradients_by_a_checker_that_is_not_the_library_s_own(name, n, d, seed):
    layer, x = build(name, d, n, np.float64, seed)
    x += 0.02 * np.sign(x)  # at least 0.02 away from the kinks of ReLU at 0
    rng = lambda: np.random.default_rng(seed + 1)  # noqa: E731
    if name == "GaussianNoise clipped":  # away from the corners of the clip
        noise = 0.5 * rng().standard_normal(x.shape)
        x = np.where(np.abs(np.abs(x + noise) - 1) < 0.01, x + 0.05, x)
    if name == "Sequential":  # its ReLU is inside
        layer.forward(x)
        before = layer.layers[2].layers[0].forward(np.tanh(x @ layer.layers[0].W + layer.layers[0].b))
        if np.any(np.abs(before) < 1e-3):
            return
    assert reference.layer_error(layer, x, rng, seed) <= 1e-6


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_is_kept(name, dtype, device, to_device, xp):
    layer, x = build(name, dtype=dtype)
    x = to_device(x)
    y, dx, gradients = run(layer.to(device), x)
    assert [a.dtype for a in (y, dx, *gradients)] == [dtype] * (2 + len(gradients))
    assert layer.forward(x).dtype == dtype  # inference too
    assert all(array_module(a) is xp for a in (y, dx, *gradients))


@every_layer
def test_shapes(name, device, to_device):
    layer, x = build(name)
    y, dx, gradients = run(layer.to(device), to_device(x))
    parameters = [getattr(leaf, p) for _, leaf in layer.leaves() for p in leaf.parameter_names]
    assert dx.shape == x.shape
    assert [g.shape for g in gradients] == [p.shape for p in parameters]
    assert layer.forward(to_device(x[:1])).shape == (1, *y.shape[1:])


@every_layer
@pytest.mark.parametrize("training", [False, True])
def test_inputs_and_parameters_are_not_changed(name, training, device, to_device, xp):
    layer, x = build(name)
    layer.to(device)
    before = [to_numpy(getattr(leaf, p)).copy() for _, leaf in layer.leaves() for p in leaf.parameter_names]
    given_x = to_device(x.copy())
    y = layer.forward(given_x, xp.random.default_rng(0) if training else None)
    kept_y = to_numpy(y).copy()
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    given_dy = to_device(dy.copy())
    layer.backward(given_dy)
    assert_array_equal(to_numpy(given_x), x)
    assert_array_equal(to_numpy(given_dy), dy)
    assert_array_equal(to_numpy(y), kept_y)  # the output belongs to the next layer, which keeps it
    after = [to_numpy(getattr(leaf, p)) for _, leaf in layer.leaves() for p in leaf.parameter_names]
    for old, new in zip(before, after, strict=True):
        assert_array_equal(new, old)


@every_layer
def test_two_calls_give_equal_bits(name, device, to_device):
    """Gradients are set, not added to, and nothing is left over from the call before."""
    layer, x = build(name)
    layer.to(device)
    y, dx, gradients = run(layer, to_device(x))
    first = [to_numpy(a).copy() for a in (y, dx, *gradients)]
    run(layer, to_device(x[:2] + 1))  # something else in between, of another size
    y, dx, gradients = run(layer, to_device(x))
    for old, new in zip(first, (y, dx, *gradients), strict=True):
        assert_array_equal(to_numpy(new), old)


@every_layer
def test_extreme_inputs_stay_finite_without_a_warning(name, device, to_device):
    layer, x = build(name, d=6)
    values = np.array([1e4, -1e4, 0.0, -0.0, 1e-30, 88.8, -103.0, 60.0], np.float32)
    x = to_device(np.resize(values, x.shape))  # warnings are errors
    y, dx, gradients = run(layer.to(device), x)
    for a in (y, dx, *gradients, layer.forward(x)):
        assert np.isfinite(to_numpy(a)).all()


@every_layer
def test_backward_parameters_sets_the_gradients_of_backward(name, device, to_device):
    layer, x = build(name)
    x = to_device(x)
    twin = copy.deepcopy(layer).to(device)
    y, _, gradients = run(layer.to(device), x)
    xp = array_module(x)
    twin.forward(x, xp.random.default_rng(7))
    dy = xp.asarray(np.random.default_rng(11).standard_normal(y.shape).astype(np.float32))
    assert twin.backward_parameters(dy) is None
    others = [getattr(leaf, "d" + p) for _, leaf in twin.leaves() for p in leaf.parameter_names]
    assert len(others) == len(gradients)
    for expected, got in zip(gradients, others, strict=True):
        assert_array_equal(to_numpy(got), to_numpy(expected))


@every_layer
def test_devices_agree(name, device, to_device):
    layer, x = build(name, dtype=np.float64)
    y, _, _ = run(copy.deepcopy(layer), x)
    dy = np.random.default_rng(11).standard_normal(y.shape)
    y = layer.forward(x)
    dx = layer.backward(dy)
    layer.to(device)
    assert_allclose(to_numpy(layer.forward(to_device(x))), y, rtol=1e-12, atol=1e-12)
    assert_allclose(to_numpy(layer.backward(to_device(dy))), dx, rtol=1e-12, atol=1e-12)


@every_layer
def test_deepcopy_is_independent(name):
    layer, x = build(name)
    twin = copy.deepcopy(layer)
    assert_array_equal(twin.forward(x), layer.forward(x))
    for _, leaf in twin.leaves():
        for parameter in leaf.parameter_names:
            getattr(leaf, parameter)[...] += 1
    changed = any(leaf.parameter_names for _, leaf in layer.leaves())
    assert np.any(twin.forward(x) != layer.forward(x)) == changed


@pytest.mark.parametrize(
    "make",
    [
        lambda f: s.LeakyReLU(f(0.2)),
        lambda f: s.Dropout(f(0.2)),
        lambda f: s.MaskingNoise(f(0.2)),
        lambda f: s.SaltAndPepper(f(0.2)),
        lambda f: s.GaussianNoise(f(0.2)),
        lambda f: s.GaussianNoise(0.2, clip=(f(0), f(1))),
    ],
)
@pytest.mark.parametrize("number", [np.float64, np.float32])
def test_options_from_numpy_do_not_widen_the_dtype(make, number):
    """np.linspace hands out np.float64, which turns float32 arrays into float64 (NEP 50)."""
    layer = make(number)
    x = np.linspace(-1, 2, 12, dtype=np.float32).reshape(3, 4)
    y = layer.forward(x, np.random.default_rng(0))
    assert y.dtype == np.float32
    assert layer.backward(np.ones_like(y)).dtype == np.float32


# Layer


def test_layer_itself_computes_nothing():
    with pytest.raises(NotImplementedError):
        s.Layer().forward(np.zeros((1, 1)))
    with pytest.raises(NotImplementedError):
        s.Layer().backward(np.zeros((1, 1)))


def test_to_moves_parameters_and_gives_gradients_of_the_same_kind(device, xp):
    layer = s.Dense(3, 2)
    assert layer.to(device, np.float64) is layer
    for a in (layer.W, layer.b, layer.dW, layer.db):
        assert array_module(a) is xp and a.dtype == np.float64
    assert layer.dW.shape == (3, 2) and layer.db.shape == (2,)


def test_own_layer_needs_forward_and_backward_only():
    """The shortest layer that a reader writes: no constructor, no parameters."""

    class Square(s.Layer):
        def forward(self, x, rng=None):
            self.x = x
            return x * x

        def backward(self, dy):
            return dy * 2 * self.x

    model = s.Sequential(s.Dense(3, 2), Square())
    assert s.check_gradients(model, np.random.default_rng(0).standard_normal((4, 3))).passed
    assert repr(model) == "Sequential(Dense(3, 2), Square())"


# Sequential


def test_sequential_runs_in_order_and_backward_in_reverse():
    calls = []

    class Noted(s.Layer):
        def __init__(self, number):
            self.number = number

        def forward(self, x, rng=None):
            calls.append(("forward", self.number, rng))
            return x + self.number

        def backward(self, dy):
            calls.append(("backward", self.number))
            return dy * self.number

    chain, rng = s.Sequential(Noted(2), Noted(3), Noted(5)), np.random.default_rng(0)
    assert chain.forward(np.zeros(1), rng)[0] == 10
    assert chain.backward(np.ones(1))[0] == 30
    assert calls == [("forward", i, rng) for i in (2, 3, 5)] + [("backward", i) for i in (5, 3, 2)]


def test_empty_sequential_is_the_identity(device, to_device):
    x = to_device(np.arange(6.0).reshape(2, 3))
    chain = s.Sequential()
    assert chain.forward(x) is x and chain.backward(x) is x
    assert chain.backward_parameters(x) is None
    assert list(chain.leaves()) == [] and chain.to(device) is chain


def test_nesting_changes_nothing(device, to_device):
    layers = [s.Dense(4, 3, rng=1), s.Tanh(), s.Dense(3, 5, rng=2), s.Sigmoid()]
    flat = s.Sequential(*layers).to(device)
    nested = s.Sequential(layers[0], s.Sequential(s.Sequential(), s.Sequential(*layers[1:3])), layers[3])
    x = to_device(np.random.default_rng(0).standard_normal((6, 4), dtype=np.float32))
    dy = to_device(np.random.default_rng(1).standard_normal((6, 5), dtype=np.float32))
    y, dx, dW = flat.forward(x), flat.backward(dy), to_numpy(layers[0].dW).copy()
    assert_array_equal(to_numpy(nested.forward(x)), to_numpy(y))
    assert_array_equal(to_numpy(nested.backward(dy)), to_numpy(dx))
    assert_array_equal(to_numpy(layers[0].dW), dW)
    nested.backward_parameters(dy)
    assert_array_equal(to_numpy(layers[0].dW), dW)


@pytest.mark.parametrize("wrong", [[s.Dense(2, 2)], s.ReLU, "relu", None])
def test_sequential_takes_layers_only(wrong):
    """A list, as in Keras, and a class without its brackets are the slips."""
    with pytest.raises(ArrayTypeError, match=r"Sequential expects layers, such as .* got "):
        s.Sequential(s.Dense(2, 2), wrong)


def test_one_layer_cannot_stand_in_two_places():
    """Its second forward would overwrite what the first one kept."""
    twice = s.Tanh()
    with pytest.raises(OptionError, match=r"layers 0 and 2\.1 are the same object, Tanh\(\): make a layer for each"):
        s.Sequential(twice, s.Dense(2, 2), s.Sequential(s.Dense(2, 2), twice))


def test_names_of_nested_layers():
    a, b, c = s.Dense(2, 2), s.Tanh(), s.Dense(2, 2)
    nested = s.Sequential(a, s.Sequential(b, s.Sequential(c)))
    assert list(nested.leaves("encoder")) == [("encoder.0", a), ("encoder.1.0", b), ("encoder.1.1.0", c)]
    assert [name for name, _ in nested.leaves()] == ["0", "1.0", "1.1.0"]
    assert list(a.leaves("decoder")) == [("decoder", a)]


def test_backward_parameters_leaves_out_what_comes_before_the_first_parameters():
    """That is its use: the derivative by the data is asked for by nobody."""

    class Untouchable(s.Layer):
        def forward(self, x, rng=None):
            return x

        def backward(self, dy):
            raise AssertionError("backward of a layer before the first parameters")

    dense = s.Dense(3, 2)
    chain = s.Sequential(Untouchable(), s.Sequential(Untouchable(), dense), s.Tanh())
    y = chain.forward(np.ones((4, 3), np.float32))
    chain.backward_parameters(np.ones_like(y))
    assert_allclose(dense.db, (1 - y * y).sum(axis=0), rtol=1e-6)
