"""What a person writes and brings: own layers, losses, penalties, optimizers, models and loops.

One test for each line of the table of what people try. Nothing of it may be wrong in silence.
"""

import copy
import inspect
import textwrap
import warnings

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import layers, losses, models, optimizers, penalties
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, CheckpointError, OptionError, ScratchaeError, ShapeError

RECIPE = {"epochs": 2, "batch_size": 8, "progress": False}


def weights(*shape, seed=5):
    return (0.3 * np.random.default_rng(seed).standard_normal(shape)).astype(np.float32)


def data(n=24, d=6):
    return np.random.default_rng(0).random((n, d), dtype=np.float32)


def around(layer, inside=4, **options):
    """An autoencoder of 6 numbers that ends its encoder with a layer of somebody's own, of `inside` numbers."""
    rng = np.random.default_rng(1)
    encoder = s.Sequential(layer, s.Tanh())
    return s.Autoencoder(encoder, s.Sequential(s.Dense(inside, 6, rng=rng)), **{"loss": s.MSE()} | options)


def trained(model, **options):
    history = s.fit(model, data(), optimizer=s.SGD(0.05), **{**RECIPE, **options})
    return model, history


# Layers, as people write them


class Written(s.Layer):
    """Gradients are written into arrays that were there, as the library's own layers do."""

    parameter_names = ("W", "b")

    def __init__(self, inputs, outputs):
        self.inputs, self.outputs = inputs, outputs
        self.W, self.b = weights(inputs, outputs), np.zeros(outputs, np.float32)
        self.dW, self.db = np.zeros_like(self.W), np.zeros_like(self.b)

    def forward(self, x, rng=None):
        self.x = x
        return array_module(x).matmul(x, self.W) + self.b

    def backward(self, dy):
        xp = array_module(dy)
        self.dW[...] = xp.matmul(self.x.T, dy)
        self.db[...] = xp.sum(dy, axis=0)
        return xp.matmul(dy, self.W.T)


class Anew(Written):
    """Gradients are set anew, as every textbook does."""

    def backward(self, dy):
        xp = array_module(dy)
        self.dW = xp.matmul(self.x.T, dy)
        self.db = xp.sum(dy, axis=0)
        return xp.matmul(dy, self.W.T)


class NoGradientBefore(s.Layer):
    """No dW made in the constructor, whose arguments are not kept; a base class's constructor is not called."""

    parameter_names = ("W", "b")

    def __init__(self, n, m):
        self.W, self.b = weights(n, m), np.zeros(m, np.float32)

    forward, backward = Written.forward, Anew.backward


class Unnamed(s.Layer):
    """No parameter_names."""

    def __init__(self, n, m):
        self.W, self.b = weights(n, m), np.zeros(m, np.float32)

    forward = Written.forward

    def backward(self, dy):
        xp = array_module(dy)
        self.dW = xp.matmul(self.x.T, dy)
        self.db = xp.sum(dy, axis=0)
        return xp.matmul(dy, self.W.T)


class Plain:
    """No base class, and forward(x) alone: what the exercises ask for."""

    def __init__(self, n, m):
        self.W, self.b = weights(n, m), np.zeros(m, np.float32)

    def forward(self, x):
        self.x = x
        return array_module(x).matmul(x, self.W) + self.b

    backward = Unnamed.backward


class Doubles(Written):
    """float64 throughout, as numpy.random.randn makes it, and no rng in forward."""

    def __init__(self, n, m):
        self.n, self.m = n, m
        self.W, self.b = weights(n, m).astype(np.float64), np.zeros(m)

    def forward(self, x):
        return super().forward(x)

    backward = Anew.backward


class OverDense(s.Dense):
    """A built-in layer whose backward is replaced."""

    def backward(self, dy):
        xp = array_module(dy)
        self.dW = xp.matmul(self.x.T, dy)
        self.db = xp.sum(dy, axis=0)
        return xp.matmul(dy, self.W.T)


class Residual(s.Layer):
    """A layer that holds another."""

    def __init__(self, n, inner):
        self.block = inner

    def forward(self, x, rng=None):
        return x + self.block.forward(x, rng)

    def backward(self, dy):
        return dy + self.block.backward(dy)


class PReLU(s.Layer):
    """A parameter that is a number."""

    parameter_names = ("slope",)

    def __init__(self):
        self.slope = 0.25

    def forward(self, x, rng=None):
        self.x = x
        return array_module(x).where(x > 0, x, self.slope * x)

    def backward(self, dy):
        xp = array_module(dy)
        self.dslope = xp.sum(dy * self.x * (self.x < 0))
        return dy * xp.where(self.x > 0, xp.ones_like(dy), self.slope + xp.zeros_like(dy))


class NeedsTwo(s.Layer):
    """A statistic of the batch, which needs two examples."""

    def forward(self, x, rng=None):
        if (rng is not None and len(x) < 2) or len(x) == 1:
            raise ValueError("two examples are needed")
        return x

    def backward(self, dy):
        return dy


class Counting(s.Layer):
    """Remembers how often it ran."""

    calls = 0

    def forward(self, x, rng=None):
        self.calls += 1
        return x

    def backward(self, dy):
        return dy


class Averaging(s.Layer):
    """A running average, set anew in each step."""

    buffer_names = ("mean",)

    def __init__(self, n):
        self.mean = np.zeros(n, np.float32)

    def forward(self, x, rng=None):
        if rng is not None:
            self.mean = 0.5 * self.mean + 0.5 * array_module(x).mean(x, axis=0)
        return x - self.mean

    def backward(self, dy):
        return dy


class Scale(s.Layer):
    """An array as an argument, and a part of it that is not kept."""

    parameter_names = ("w",)

    def __init__(self, start, percent):
        self.w, self.rate = np.asarray(start, np.float32), percent / 100

    def forward(self, x, rng=None):
        self.x = x
        return x * self.w * self.rate

    def backward(self, dy):
        self.dw = array_module(dy).sum(dy * self.x, axis=0) * self.rate
        return dy * self.w * self.rate


LAYERS = {
    "gradients written into": lambda: Written(6, 4),
    "gradients set anew": lambda: Anew(6, 4),
    "no dW beforehand, arguments not kept, no super().__init__()": lambda: NoGradientBefore(6, 4),
    "no parameter_names": lambda: Unnamed(6, 4),
    "a plain class, forward(x)": lambda: Plain(6, 4),
    "float64 parameters": lambda: Doubles(6, 4),
    "Dense with another backward": lambda: OverDense(6, 4, rng=3),
    "a residual block": lambda: s.Sequential(Written(6, 4), Residual(4, s.Dense(4, 4, rng=2))),
    "a parameter that is a number": lambda: s.Sequential(Written(6, 4), PReLU()),
    "an array as an argument, attributes of other meaning": lambda: s.Sequential(
        Written(6, 4), Scale(np.ones(4), 50)
    ),
    "a stateful layer": lambda: s.Sequential(Written(6, 4), Averaging(4)),
}
TENSORS = {  # with the two of the decoder, where that is not 4
    "a residual block": 6,
    "a parameter that is a number": 5,
    "an array as an argument, attributes of other meaning": 5,
    "a stateful layer": 5,
}
every_layer = pytest.mark.parametrize("make", LAYERS.values(), ids=LAYERS.keys())
OWN = [Written, Anew, NoGradientBefore, Unnamed, Plain, Doubles, OverDense, Residual, PReLU, Averaging, Scale]


@every_layer
def test_a_layer_trains_by_fit(make, device):
    model = around(make())
    before = {name: to_numpy(tensor).copy() for name, tensor in model.tensors().items()}
    [count] = [TENSORS.get(name, 4) for name, other in LAYERS.items() if other is make]
    assert len(before) == count
    trained(model, device=device)
    for name, tensor in model.tensors().items():
        assert np.abs(to_numpy(tensor) - before[name]).max() > 1e-5, name


@every_layer
def test_a_layer_trains_by_ones_own_loop(make):
    model, optimizer, x = around(make()), s.Adam(0.01), data()
    before = {name: tensor.copy() for name, tensor in model.tensors().items()}
    [count] = [TENSORS.get(name, 4) for name, other in LAYERS.items() if other is make]
    assert len(before) == count
    rng = np.random.default_rng(0)
    history = []
    for _ in range(30):
        history.append(float(model.training_step(x, rng)["loss"]))
        optimizer.update(model.parameters, model.gradient)
    assert history[-1] < history[0]
    for name, tensor in model.tensors().items():
        assert np.abs(tensor - before[name]).max() > 1e-5, name


@every_layer
def test_a_layer_is_checked(make):
    layer = make()
    names = {name.rpartition(".")[2] for name in (check.name for check in s.check_gradients(layer, data(5)).checks)}
    assert s.check_gradients(layer, data(5), noise=False).passed
    assert {"W", "b"} <= names
    report = s.check_gradients(around(make()), data(5), noise=False)
    assert report.passed, report
    assert len(report.checks) == len(list(around(make()).named_parameters()))


@every_layer
def test_a_layer_is_traced(make):
    trace = s.trace(around(make()), data(3))
    assert trace.passed and "encoder.0" in trace.text()
    gradients = [step for step in trace if step.result.role == "gradient"]
    assert len(gradients) >= 2


@every_layer
def test_a_layer_is_watched(make):
    model = around(make())
    with s.watch(model, every=1) as flow:
        trained(model)
    for name, norms in flow.gradient_norm.items():
        assert min(norms) > 0, name


@every_layer
def test_a_layer_is_saved_and_loaded(make, tmp_path):
    if isinstance(make(), Plain):
        pytest.skip("below: its arguments are known to nobody")
    model, _ = trained(around(make()))
    s.save(model, tmp_path / "m")
    again = s.load(tmp_path / "m", classes=OWN)
    assert repr(again) == repr(model)
    assert_array_equal(again.reconstruct(data()), model.reconstruct(data()))


@every_layer
def test_training_with_a_layer_resumes(make, tmp_path):
    if isinstance(make(), Plain):
        pytest.skip("below: its arguments are known to nobody")
    straight, _ = trained(around(make()), epochs=4)
    trained(around(make()), checkpoint=tmp_path / "c")
    resumed, _ = trained(around(make()), epochs=4, checkpoint=tmp_path / "c", resume=True)
    for name, tensor in straight.tensors().items():
        assert_array_equal(resumed.tensors()[name], tensor)


@every_layer
def test_a_layer_is_printed(make):
    layer = make()
    assert type(layer).__name__ in repr(layer) and type(layer).__name__ in repr(around(layer))


@every_layer
def test_a_layer_is_copied_and_moved(make):
    model = around(make())
    twin = copy.deepcopy(model)
    trained(model)
    trained(twin)
    assert_array_equal(model.parameters, twin.parameters)
    assert twin.to(dtype=np.float64).parameters.dtype == np.float64
    assert s.check_gradients(twin, data(5), noise=False).passed


# What differs between the two ways of setting a gradient: nothing


@pytest.mark.parametrize("other", [Anew, NoGradientBefore, Unnamed, Plain])
def test_both_ways_of_setting_a_gradient_train_to_the_same_numbers(other, device):
    written, anew = around(Written(6, 4)), around(other(6, 4))
    for model in (written, anew):
        trained(model, device=device)
    assert_array_equal(to_numpy(written.parameters), to_numpy(anew.parameters))


def test_a_tied_layer_of_ones_own_trains():
    class TextbookDense(s.Dense):
        def backward(self, dy):
            self.dW, self.db = self.x.T @ dy, dy.sum(axis=0)
            return dy @ self.W.T

    found = []
    for kind in (s.Dense, TextbookDense):
        rng = np.random.default_rng(0)
        encoder, decoder = s.Sequential(kind(6, 4, rng=rng), s.Tanh()), s.Sequential(kind(4, 6, rng=rng))
        model, _ = trained(s.Autoencoder(encoder, decoder, loss=s.MSE(), tied=True))
        assert_array_equal(decoder.layers[0].W, encoder.layers[0].W.T)
        found.append(model.parameters)
    assert_allclose(found[0], found[1], rtol=1e-5)


def test_a_layer_that_says_so_runs_in_parts(monkeypatch):
    from scratchae.models import parallel

    class Apart(Anew):
        examples_apart = True

    monkeypatch.setattr(parallel, "LEAST", 1)
    monkeypatch.setattr(parallel, "cores", lambda: 2)
    steps = []
    in_parts = parallel.training_step
    monkeypatch.setattr(parallel, "training_step", lambda *arguments: steps.append(1) or in_parts(*arguments))
    whole, parts = around(Anew(6, 4)), around(Apart(6, 4))
    for model in (whole, parts):
        model.training_step(data())
    assert len(steps) == 1  # an own layer that does not say so is never split
    assert_allclose(parts.gradient, whole.gradient, rtol=1e-4, atol=1e-6)
    assert np.abs(parts.gradient).max() > 0
    parts.training_step(data())
    assert_allclose(parts.gradient, whole.gradient, rtol=1e-4, atol=1e-6)


def test_a_replaced_backward_counts_in_the_first_layer_too():
    """There nobody needs ∂L/∂x, and `backward_parameters` would do, were it not the one of another backward."""

    class Twice(s.Dense):
        def backward(self, dy):
            dx = super().backward(dy)
            self.dW *= 2
            return dx

    once, twice = around(s.Dense(6, 4, rng=3)), around(Twice(6, 4, rng=3))
    for model in (once, twice):
        model.training_step(data())
    assert_allclose(twice.gradient[:24], 2 * once.gradient[:24], rtol=1e-6)


def test_a_layer_that_needs_two_examples_trains():
    trained(around(s.Sequential(Written(6, 4), NeedsTwo())))


def test_a_layer_that_counts_counts_what_ran():
    counting = Counting()
    model = around(s.Sequential(Written(6, 4), counting))
    model.training_step(data())
    assert counting.calls == 1


def test_buffers_set_anew_are_found_again():
    averaging = Averaging(4)
    model = around(s.Sequential(Written(6, 4), averaging))
    kept = averaging.mean
    for _ in range(2):
        model.training_step(data(), np.random.default_rng(0))
    assert averaging.mean is not kept
    _ = model.gradient
    assert averaging.mean is kept and np.abs(kept).max() > 0


# Parameters that are set anew


@pytest.mark.parametrize("place", ["encoder", "decoder"])
def test_an_assigned_parameter_is_used_and_trained(place, device, to_device):
    model = around(Anew(6, 4)).to(device)
    layer = getattr(model, place).layers[0]
    layer.W = layer.W * 0 + 0.1
    assert_allclose(
        to_numpy(model.parameters)[:24] if place == "encoder" else to_numpy(model.parameters)[48:72], 0.1, rtol=1e-6
    )
    optimizer = s.SGD(0.1)
    model.training_step(to_device(data()))
    optimizer.update(model.parameters, model.gradient)
    assert np.abs(to_numpy(layer.W) - 0.1).max() > 1e-5


def test_an_assigned_parameter_of_tied_weights():
    rng = np.random.default_rng(0)
    encoder, decoder = s.Sequential(s.Dense(6, 4, rng=rng)), s.Sequential(s.Dense(4, 6, rng=rng))
    model = s.Autoencoder(encoder, decoder, loss=s.MSE(), tied=True)
    encoder.layers[0].W = np.full((6, 4), 0.5, np.float32)
    x = data()
    assert_allclose(model.reconstruct(x), x @ np.full((6, 4), 0.5) @ np.full((4, 6), 0.5), rtol=1e-5)
    model.training_step(x)
    s.SGD(0.1).update(model.parameters, model.gradient)
    assert_array_equal(decoder.layers[0].W, encoder.layers[0].W.T)
    decoder.layers[0].W = np.zeros((4, 6), np.float32)
    with pytest.raises(
        OptionError, match=r"decoder\.0 Dense\(4, 6\) uses the W of encoder\.0 .* set the encoder's W instead"
    ):
        model.objective(x)


def test_a_second_model_over_the_same_layers():
    """Both train what they share, in turn."""
    rng = np.random.default_rng(0)
    encoder = s.Sequential(s.Dense(6, 4, rng=rng), s.Tanh())
    first = s.Autoencoder(encoder, s.Sequential(s.Dense(4, 6, rng=rng)), loss=s.MSE())
    second = s.Autoencoder(encoder, s.Sequential(s.Dense(4, 6, rng=rng)), loss=s.MSE())
    optimizers_ = {first: s.SGD(0.1), second: s.SGD(0.1)}
    W = encoder.layers[0]
    for model in (first, second, first):
        before = W.W.copy()
        model.training_step(data())
        optimizers_[model].update(model.parameters, model.gradient)
        assert np.abs(W.W - before).max() > 1e-5
        assert_array_equal(model.parameters[: W.W.size], W.W.ravel())


@pytest.mark.parametrize("tied", [False, True])
def test_a_part_that_was_replaced_is_trained(tied):
    rng = np.random.default_rng(0)
    parts = s.Sequential(s.Dense(6, 4, rng=rng)), s.Sequential(s.Dense(4, 6, rng=rng))
    model, optimizer = s.Autoencoder(*parts, loss=s.MSE(), tied=tied), s.SGD(0.1)
    model.training_step(data())
    optimizer.update(model.parameters, model.gradient)
    model.decoder = s.Sequential(s.Dense(4, 6, rng=rng))
    model.training_step(data())
    with pytest.raises(OptionError, match="belongs to the parameters that it updated first"):
        optimizer.update(model.parameters, model.gradient)
    before = model.decoder.layers[0].W.copy()
    s.SGD(0.1).update(model.parameters, model.gradient)
    assert np.abs(model.decoder.layers[0].W - before).max() > 1e-5
    assert not tied or np.shares_memory(model.decoder.layers[0].W, model.encoder.layers[0].W)


def test_a_loop_without_an_optimizer():
    model = around(Anew(6, 4))
    losses_ = []
    for _ in range(20):
        losses_.append(float(model.training_step(data())["loss"]))
        model.parameters -= 0.1 * model.gradient
    assert losses_[-1] < losses_[0]
    model.parameters = np.zeros(len(model.parameters))
    assert not model.encoder.layers[0].W.any()
    with pytest.raises(ShapeError, match="parameters has shape"):
        model.parameters = np.zeros(3)


# What cannot be meant


class OfAnotherShape(Anew):
    def backward(self, dy):
        dx = super().backward(dy)
        self.db = dy.sum(axis=0, keepdims=True)
        return dx


class SetsNone(s.Layer):
    parameter_names = ("W",)

    def __init__(self):
        self.W = weights(6, 4)

    def forward(self, x):
        return x @ self.W

    def backward(self, dy):
        return dy @ self.W.T


class WithoutIt(SetsNone):
    def __init__(self):
        pass


class OfIntegers(SetsNone):
    def __init__(self):
        self.W = np.ones((6, 4), int)


class Hidden(s.Layer):
    """Sets gradients under names that are made up at run time, and names no parameters."""

    def __init__(self):
        self.W = weights(6, 4)

    def forward(self, x):
        self.x = x
        return x @ self.W

    def backward(self, dy):
        setattr(self, "d" + "W", self.x.T @ dy)
        return dy @ self.W.T


class NoReturn(Anew):
    def backward(self, dy):
        super().backward(dy)


class NoReturnForward(Anew):
    def forward(self, x):
        super().forward(x)


@pytest.mark.parametrize(
    ("make", "error", "message"),
    [
        (
            lambda: OfAnotherShape(6, 4),
            ShapeError,
            r"encoder\.0 OfAnotherShape\(6, 4\): its db .* \(1, 4\), expected \(4,\)",
        ),
        (SetsNone, OptionError, r"encoder\.0 SetsNone\(\) was given no gradient dW .* does not set self\.dW"),
        (
            WithoutIt,
            OptionError,
            r"WithoutIt\(\) names a parameter W but has no such attribute: set self\.W in its constructor",
        ),
        (OfIntegers, ArrayTypeError, r"OfIntegers\(\): its parameter W holds int64, expected an array of floats"),
        (
            Hidden,
            OptionError,
            r'Hidden\(\) has a gradient dW for its W, .* parameter_names = \("W",\) in class Hidden',
        ),
        (
            lambda: s.Sequential(s.Dense(6, 4, rng=9), NoReturn(4, 4)),
            ArrayTypeError,
            r"backward of .*NoReturn\(4, 4\) returned None",
        ),
        (lambda: NoReturnForward(6, 4), ArrayTypeError, r"forward of .*NoReturnForward\(6, 4\) returned None"),
        (lambda: Written, ArrayTypeError, r"got the class Written: make an object of it, Written\(…\)"),
        (lambda: np.tanh, ArrayTypeError, r"expects layers, such as .* got <ufunc 'tanh'>"),
    ],
)
def test_layers_that_cannot_be_meant(make, error, message):
    with pytest.raises(error, match=message):
        trained(around(make()))


def test_a_gradient_of_nan_is_not_called_missing():
    class Broken(Anew):
        def backward(self, dy):
            dx = super().backward(dy)
            self.dW = self.dW * np.nan
            return dx

    model = around(Broken(6, 4))
    model.training_step(data())
    assert np.isnan(model.gradient[:24]).all()


def test_gradients_that_are_added_up_are_told():
    class Adds(Written):
        def backward(self, dy):
            self.dW += self.x.T @ dy
            self.db += dy.sum(axis=0)
            return dy @ self.W.T

    with pytest.raises(OptionError, match=r"Adds\(6, 4\) was given no gradient dW .*with =, not with \+="):
        around(Adds(6, 4)).training_step(data())


def test_a_layer_that_hides_its_parameters_is_no_right_one():
    with pytest.raises(OptionError, match=r'parameter_names = \("W",\)'):
        s.check_gradients(Hidden(), data(5))


class Scaled(s.Dense):
    """Adds a parameter to a built-in layer, and forgets to name it."""

    def __init__(self, inputs, outputs):
        super().__init__(inputs, outputs, rng=0)
        self.scale = np.ones(outputs, np.float32)

    def forward(self, x):
        self.plain = super().forward(x)
        return self.plain * self.scale

    def backward(self, dy):
        self.dscale = (dy * self.plain).sum(axis=0)
        return super().backward(dy * self.scale)


def test_a_parameter_that_a_subclass_adds_is_not_forgotten():
    with pytest.raises(OptionError, match=r'parameter_names = \("W", "b", "scale",\) in class Scaled'):
        trained(around(Scaled(6, 4)))
    with pytest.raises(OptionError, match='"scale"'):
        s.check_gradients(Scaled(6, 4), data(5))

    class Named(Scaled):
        parameter_names = ("W", "b", "scale")

    class Frozen(s.Dense):
        parameter_names = ("W",)

    assert s.check_gradients(Named(6, 4), data(5)).passed
    model, _ = trained(around(Frozen(6, 4, rng=0)))
    assert not model.encoder.layers[0].b.any()  # left out on purpose


@pytest.mark.parametrize("kept", [{"W": weights(6, 4)}, [weights(6, 4)]])
def test_parameters_in_a_dict_or_a_list_are_not_overlooked(kept):
    class Collected(s.Layer):
        def __init__(self):
            self.params, self.grads = kept, {}

        def forward(self, x):
            self.x = x
            return x @ weights(6, 4)

        def backward(self, dy):
            return dy @ weights(6, 4).T

    with pytest.raises(OptionError, match=r"keeps arrays in a (dict|list), params, .* or, .* parameter_names = \(\)"):
        around(Collected())

    class Constant(Collected):
        parameter_names = ()

    trained(around(Constant()))


def test_what_a_layer_keeps_is_no_parameter():
    class Keeps(s.Layer):
        def forward(self, x):
            self.x, self.z = x, x * x
            return self.z

        def backward(self, dy):
            self.dz, self.dx = dy, 2 * self.x * dy
            return self.dx

    model, _ = trained(around(s.Sequential(Written(6, 4), Keeps())))
    trained(model)  # gathered again, now that z and dz are there
    assert [name for name, _, _ in model.named_parameters()] == [
        "encoder.0.0.W",
        "encoder.0.0.b",
        "decoder.0.W",
        "decoder.0.b",
    ]


def test_a_plain_class_without_known_arguments_says_how_to_be_saved(tmp_path):
    with pytest.raises(
        CheckpointError, match=r"Plain .* nobody knows its argument n: keep it, self\.n = n, or .*scratchae\.Layer"
    ):
        s.save(around(Plain(6, 4)), tmp_path / "m")

    class Kept(Plain):
        def __init__(self, n, m):
            super().__init__(n, m)
            self.n, self.m = n, m

    model = around(Kept(6, 4))
    s.save(model, tmp_path / "m")
    assert_array_equal(s.load(tmp_path / "m", classes=[Kept]).reconstruct(data()), model.reconstruct(data()))
    assert repr(Plain(6, 4)).startswith("<") and repr(around(Plain(6, 4)).encoder.layers[0]) == "Plain(…, …)"


def test_a_class_that_load_is_not_told_of(tmp_path):
    s.save(around(Anew(6, 4)), tmp_path / "m")
    with pytest.raises(CheckpointError, match=r"load\(path, classes=\[Anew\]\)"):
        s.load(tmp_path / "m")


def test_repr_never_raises():
    class Odd(s.Layer):
        def __init__(self, table, other):
            self.other = other

    class Worse:
        def __repr__(self):
            raise RuntimeError

    assert repr(Odd(np.ones((2, 3)), other=1)) == "Odd(array(2, 3), 1)"
    assert repr(Odd(Worse(), 1)) == "Odd(…)"


# Losses and penalties


def huber(prediction, target):
    r = prediction - target
    xp = array_module(r)
    value = xp.sum(xp.where(xp.abs(r) < 1, r * r / 2, xp.abs(r) - 0.5)) / len(r)
    return value, xp.clip(r, -1, 1) / len(r)


def small(z):
    return (z * z).sum() / len(z), 2 * z / len(z)


class Huber(s.Loss):
    def __call__(self, prediction, target):
        return huber(prediction, target)


class CalledHuber:
    def __call__(self, prediction, target):
        return huber(prediction, target)


class Small(s.Penalty):
    def __init__(self, weight):
        self.strength = weight

    def __call__(self, z):
        value, dz = small(z)
        return self.strength * value, self.strength * dz


LOSSES = {"a function": huber, "a subclass of Loss": Huber(), "an object that is called": CalledHuber()}


@pytest.mark.parametrize("loss", LOSSES.values(), ids=LOSSES.keys())
def test_an_own_loss(loss, tmp_path, device):
    model, history = trained(around(s.Dense(6, 4, rng=3), loss=loss), epochs=20, device=device)
    assert history["loss"][-1] < history["loss"][0]
    model.to("cpu")
    assert model.reconstruct(data()).shape == (24, 6)
    assert s.check_gradients(model, data(5)).passed and s.check_gradients(loss, data(5), data(5, 6)[::-1] * 3).passed
    assert s.trace(model, data(3)).passed
    assert ("huber" if loss is huber else "Huber") in repr(model)
    if not isinstance(loss, CalledHuber):
        s.save(model, tmp_path / "m")
        again = s.load(tmp_path / "m", classes=[huber, Huber])
        assert_array_equal(again.objective(data())["loss"], model.objective(data())["loss"])


@pytest.mark.parametrize("penalty", [small, Small(0.5)], ids=["a function", "a subclass of Penalty"])
def test_an_own_penalty(penalty, tmp_path):
    model, _ = trained(around(s.Dense(6, 4, rng=3), penalty=penalty))
    assert s.check_gradients(model, data(5)).passed
    assert s.trace(model, data(3)).passed
    s.save(model, tmp_path / "m")
    again = s.load(tmp_path / "m", classes=[small, Small])
    assert_array_equal(again.objective(data())["loss"], model.objective(data())["loss"])


def test_an_own_loss_in_a_vae():
    rng = np.random.default_rng(0)
    parts = s.Dense(6, 5, rng=rng), s.Dense(5, 2, rng=rng), s.Dense(5, 2, rng=rng), s.Dense(2, 6, rng=rng)
    model, _ = trained(s.VAE(*parts, loss=huber))
    assert s.check_gradients(model, data(5)).passed


@pytest.mark.parametrize(
    ("loss", "error", "message"),
    [
        (lambda p, t: ((p - t) ** 2).sum(), ArrayTypeError, r"returned a float32: expected \(value, gradient\)"),
        (lambda p, t: ((p - t) ** 2, p - t), ShapeError, "a value of shape .* one number"),
        (lambda p, t: (((p - t) ** 2).sum(), (p - t).sum(axis=0)), ShapeError, r"gradient of shape \(6,\)"),
        (s.MSE, OptionError, r"loss=MSE is a class: make an object of it, loss=MSE\(…\)"),
        ("mse", OptionError, "loss='mse': expected a loss"),
    ],
)
def test_losses_that_cannot_be_meant(loss, error, message):
    with pytest.raises(error, match=message):
        trained(around(s.Dense(6, 4, rng=3), loss=loss))


def test_a_head_of_ones_own():
    class Head(Anew):
        pass

    rng = np.random.default_rng(0)
    model, _ = trained(
        s.VAE(s.Dense(6, 5, rng=rng), Head(5, 2), s.Dense(5, 2, rng=rng), s.Dense(2, 6, rng=rng), loss=s.MSE())
    )
    assert s.check_gradients(model, data(5)).passed
    with pytest.raises(OptionError, match="attribute `outputs`"):
        s.VAE(s.Dense(6, 5, rng=rng), Plain(5, 2), s.Dense(5, 2, rng=rng), s.Dense(2, 6, rng=rng), loss=s.MSE())


# Optimizers


class SignDescent:
    def __init__(self, lr):
        self.lr = lr

    def update(self, parameters, gradient):
        parameters -= self.lr * array_module(gradient).sign(gradient)


class Heavy:
    """Momentum, with a count and a vector of its own; returns the new parameters."""

    def __init__(self):
        self.v, self.steps = None, 0

    def update(self, parameters, gradient):
        self.v = gradient if self.v is None else 0.5 * self.v + gradient
        self.steps += 1
        return parameters - 0.1 / self.steps * self.v


class HeavyAdam(s.Optimizer):
    """A subclass that replaces `update` alone."""

    def __init__(self):
        pass

    def update(self, parameters, gradient):
        parameters -= 0.01 * gradient


@pytest.mark.parametrize("make", [lambda: SignDescent(0.01), Heavy, HeavyAdam])
def test_an_own_optimizer(make, device):
    def run():
        model = around(s.Dense(6, 4, rng=3))
        return model, s.fit(model, data(), optimizer=make(), device=device, **{**RECIPE, "epochs": 5})

    if device == "gpu":
        with pytest.warns(RuntimeWarning, match="your own optimizer, whose steps are not recorded"):
            _model, history = run()
    else:
        _model, history = run()
    assert history["loss"][-1] < history["loss"][0]


def test_an_own_optimizer_begins_afresh_and_resumes(tmp_path):
    def run(optimizer, **options):
        model = around(s.Dense(6, 4, rng=3))
        s.fit(model, data(), optimizer=optimizer, **{**RECIPE, "epochs": 4, **options})
        return model.parameters.copy()

    heavy = Heavy()
    first = run(heavy)
    assert_array_equal(run(heavy), first)
    run(Heavy(), epochs=2, checkpoint=tmp_path / "c")
    assert_array_equal(run(Heavy(), checkpoint=tmp_path / "c", resume=True), first)


def test_an_update_that_does_nothing_is_told():
    class Nothing:
        def update(self, parameters, gradient):
            parameters = parameters - 0.1 * gradient

    with pytest.warns(
        UserWarning, match=r"has changed no parameter: it should change them in place, parameters -= …"
    ):
        s.fit(around(s.Dense(6, 4, rng=3)), data(), optimizer=Nothing(), **RECIPE)


@pytest.mark.parametrize(
    ("optimizer", "message"),
    [
        ("adam", r"optimizer='adam': expected an optimizer, such as Adam\(1e-3\)"),
        (s.Adam, r"optimizer=Adam is a class: make one, optimizer=Adam\(…\)"),
        (None, "optimizer=None: expected an optimizer"),
    ],
)
def test_optimizers_that_cannot_be_meant(optimizer, message):
    with pytest.raises(OptionError, match=message):
        s.fit(around(s.Dense(6, 4, rng=3)), data(), optimizer=optimizer, **RECIPE)


@pytest.mark.parametrize("make", [lambda: s.Adam(0.01), lambda: s.SGD(0.1, 0.9), lambda: s.SGD(s.Step(0.1, 3))])
def test_a_second_fit_starts_afresh(make):
    """So that a comparison in a loop does not depend on its order."""
    optimizer = make()
    found = []
    for _ in range(2):
        model = around(s.Dense(6, 4, rng=3))
        s.fit(model, data(), optimizer=optimizer, **RECIPE)
        found.append(model.parameters)
    assert_array_equal(found[0], found[1])


@pytest.mark.parametrize("make", [lambda: s.Adam(0.01), lambda: s.SGD(0.1)])
def test_an_optimizer_belongs_to_one_vector(make):
    optimizer, first, second = make(), around(s.Dense(6, 4, rng=3)), around(s.Dense(6, 4, rng=4))
    first.training_step(data())
    optimizer.update(first.parameters, first.gradient)
    second.training_step(data())
    with pytest.raises(
        OptionError,
        match=r"belongs to the parameters that it updated first.*for each model, .*reset\(\).*optimizer\.to",
    ):
        optimizer.update(second.parameters, second.gradient)
    optimizer.reset()
    optimizer.update(second.parameters, second.gradient)
    twin, other = copy.deepcopy((second, optimizer))
    twin.training_step(data())
    other.update(twin.parameters, twin.gradient)  # a copy of both goes on
    assert other.t == 2


def test_an_optimizer_goes_on_after_fit():
    model, optimizer = around(s.Dense(6, 4, rng=3)), s.Adam(0.01)
    s.fit(model, data(), optimizer=optimizer, **RECIPE)
    model.training_step(data())
    optimizer.update(model.parameters, model.gradient)
    assert optimizer.t == 7


# Models


class Supervised(s.Model):
    part_names = ("net",)

    def __init__(self, net):
        self.net = net

    def objective(self, x, rng=None):
        prediction = self.net.forward(x[:, :-1], rng)
        loss, self.dprediction = s.MSE()(prediction, x[:, -1:])
        return {"loss": loss}

    def backward(self):
        self.net.backward(self.dprediction)


def test_an_own_model(tmp_path, device):
    """Here it has forgotten to gather; the layers are a plain class and a built-in one."""
    model = Supervised(Plain(5, 1)).to(dtype=np.float64)
    assert len(model.parameters) == 32
    model = Supervised(s.Sequential(Anew(5, 3), s.Tanh(), s.Dense(3, 1, rng=2)))
    history = trained(model, epochs=20, device=device)[1]
    assert history["loss"][-1] < history["loss"][0]
    model.to("cpu")
    assert s.check_gradients(model, data(5)).passed
    s.save(model, tmp_path / "m")
    again = s.load(tmp_path / "m", classes=[Supervised, Anew])
    assert_array_equal(again.parameters, model.parameters)
    assert "Supervised(Sequential(Anew(5, 3)" in repr(model)


def test_an_own_model_is_traced_by_what_its_layers_do():
    """It has no formulas: its layers, its loss and the gradients are shown, and what is between them is not."""
    trace = s.trace(Supervised(s.Sequential(Anew(5, 3), s.Tanh(), s.Dense(3, 1, rng=2))), data(4))
    assert trace.passed and "net.0" in trace.text()
    kinds = {step.result.role for step in trace}
    assert {"activation", "loss", "gradient", "updated"} <= kinds


def test_an_objective_without_a_loss():
    class Bare(Supervised):
        def objective(self, x, rng=None):
            return super().objective(x, rng)["loss"]

    with pytest.raises(OptionError, match=r'Bare\.objective returned a float32 without a loss: expected {"loss": …}'):
        trained(Bare(s.Dense(5, 1, rng=0)))


def test_a_part_that_is_left_out():
    """A layer whose backward the model forgets to call."""

    class Forgets(s.Autoencoder):
        def backward(self):
            self.decoder.backward(self.dprediction)

    rng = np.random.default_rng(0)
    with pytest.raises(
        OptionError, match=r"encoder Dense\(6, 4\) was given no gradient dW .* backward was not called"
    ):
        trained(Forgets(s.Dense(6, 4, rng=rng), s.Dense(4, 6, rng=rng), loss=s.MSE()))


def test_a_model_that_holds_a_layer_in_no_part():
    class Forgetful(Supervised):
        def __init__(self, net, head):
            self.net, self.head = net, head
            self.gather()

    with pytest.raises(
        OptionError, match=r'holds layers in head, which part_names=\(\'net\',\) does not name.*"head"'
    ):
        Forgetful(s.Dense(5, 3, rng=0), s.Dense(3, 1, rng=1))
    model = Supervised(s.Dense(5, 1, rng=0))
    model.heads = [s.Dense(3, 1, rng=1)]
    with pytest.raises(OptionError, match="holds layers in heads"):
        model.gather()


# Randomness


def test_without_a_seed_every_layer_is_drawn_anew():
    encoder, decoder = s.Sequential(s.Dense(6, 6), s.Tanh()), s.Sequential(s.Dense(6, 6))
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        s.Autoencoder(encoder, decoder, loss=s.MSE())
    assert np.abs(encoder.layers[0].W - decoder.layers[0].W).min() > 0


@pytest.mark.parametrize(
    "make",
    [
        lambda: s.Autoencoder(s.Sequential(s.Dense(6, 4, rng=0)), s.Sequential(s.Dense(4, 6, rng=0)), loss=s.MSE()),
        lambda: s.Autoencoder(s.Dense(6, 4, rng=0, init="he"), s.Dense(4, 6, rng=0), loss=s.MSE()),
        lambda: s.Classifier(s.Sequential(s.Dense(6, 6, rng=7), s.ReLU(), s.Dense(6, 2, rng=7)), classes=2),
    ],
)
def test_weights_from_one_seed_are_warned_of(make):
    with pytest.warns(
        UserWarning, match=r"begin with the same random numbers.*one generator: rng = numpy\.random\.default_rng\(0\)"
    ):
        model = make()
    with warnings.catch_warnings():  # once, when it is made
        warnings.simplefilter("error")
        copy.deepcopy(model).to(dtype=np.float64)


@pytest.mark.parametrize("rng", [None, 3, np.int64(3), np.random.default_rng(3)])
def test_whatever_draws_takes_a_seed_a_generator_or_nothing(rng, device, to_device):
    x = to_device((data() > 0.5).astype(np.float32))
    machine = s.RBM(6, 3, rng=rng).to(device)
    one = np.random.default_rng(0)
    parts = s.Dense(6, 5, rng=one), s.Dense(5, 2, rng=one), s.Dense(5, 2, rng=one), s.Dense(2, 6, rng=one)
    vae = s.VAE(*parts, loss=s.BCEWithLogits()).to(device)
    for drawn in (
        machine.sample(4, steps=2, rng=rng),
        machine.sample_h_given_v(x, rng)[1],
        machine.sample_v_given_h(machine.propup(x), rng)[1],
        machine.gibbs_vhv(x, rng)[1],
        vae.sample(3, rng),
        vae.prior(3, rng),
    ):
        assert array_module(drawn) is array_module(x)
    assert np.isfinite(machine.ais(5, 10, rng)).all()
    assert np.isfinite(vae.elbo(x, rng)["kl"]) and np.isfinite(vae.log_likelihood(x, 10, rng)).all()
    assert s.DBN((6, 4, 3), rng=rng).to(device).sample(2, steps=2, rng=rng).shape == (2, 6)


def test_a_dbn_learns_from_data_on_any_device(device, to_device):
    network = s.DBN((6, 4, 3), rng=0)
    histories = s.pretrain(network, to_device(data()), epochs=1, batch_size=8, device=device, progress=False)
    assert len(histories) == 2


def test_a_numpy_generator_serves_a_step_on_any_device(device, to_device):
    model = around(s.Sequential(s.GaussianNoise(0.5), s.Dense(6, 4, rng=0)), loss=s.MSE()).to(device)
    model.training_step(to_device(data()), np.random.default_rng(0))
    machine = s.RBM(6, 3, rng=0).to(device)
    machine.training_step(to_device(data()), np.random.default_rng(0))


@pytest.mark.parametrize("make", [lambda: around(s.Dense(6, 4, rng=0)), lambda: s.RBM(6, 3, rng=0)])
def test_a_seed_for_each_step_is_refused(make):
    with pytest.raises(OptionError, match=r"same noise in every step.*rng = numpy\.random\.default_rng\(5\)"):
        make().training_step(data(), 5)


def test_what_is_no_generator():
    with pytest.raises(OptionError, match="rng='zero': expected a seed, a generator"):
        s.Dense(3, 2, rng="zero")


# Truthful reports


@pytest.mark.parametrize(
    "options",
    [
        *({}, {"k": 3}, {"persistent": True, "chains": 5}),
        *({"hidden_units": "gaussian"}, {"visible_units": "gaussian"}),
    ],
)
def test_contrastive_divergence_is_never_called_a_wrong_gradient(options):
    report = s.check_gradients(s.RBM(6, 3, **options, rng=0), data(5))
    text = str(report)
    assert report.passed and "wrong" not in text and "FAILED" not in text
    assert "contrastive divergence" in text and "not the gradient of any objective" in text and "held fixed" in text


def test_a_wrong_direction_of_an_rbm_is_found():
    class Broken(s.RBM):
        def training_step(self, x, rng=None):
            metrics = super().training_step(x, rng)
            self.energy.dW *= 2
            return metrics

    assert not s.check_gradients(Broken(6, 3, rng=0), data(5)).passed


def test_a_dbn_is_checked_as_what_it_unrolls_to():
    report = s.check_gradients(s.DBN((6, 4, 3), rng=0), data(5))
    assert report.passed and "unroll" in str(report)


@pytest.mark.parametrize(
    "make", [lambda: s.Dense(6, 4, rng=0), lambda: around(s.Dense(6, 4, rng=0)), lambda: Plain(6, 4)]
)
def test_a_target_beside_a_layer_is_refused(make):
    with pytest.raises(OptionError, match=r"target=… is for a loss"):
        s.check_gradients(make(), data(5), data(5))


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_nan_and_infinity_are_named(value):
    class Broken(Anew):
        def backward(self, dy):
            dx = super().backward(dy)
            self.db = self.db * value
            return dx

    report = s.check_gradients(Broken(6, 4), data(5))
    text = str(report)
    assert not report.passed and not np.isfinite(report.worst)
    assert "NaN or infinite in 4 of 4 elements" in text


# The examples in the docstrings


@pytest.mark.parametrize(
    "subject",
    [s.Layer, s.Loss, s.Penalty, s.Optimizer, s.Model],
    ids=["Layer", "Loss", "Penalty", "Optimizer", "Model"],
)
def test_the_example_in_the_docstring_runs(subject):
    """Ten lines or less, and they train."""
    lines = inspect.cleandoc(subject.__doc__).splitlines()
    code = textwrap.dedent("\n".join(line for line in lines if line.startswith("    ") or not line))
    names = {"np": np, "scratchae": s, "MSE": s.MSE}
    before = set(names)
    exec(code, names)
    [made] = [value for name, value in names.items() if name not in before and name != "__builtins__"]
    options = {}
    layer = s.Dense(6, 4, rng=0)
    optimizer = s.SGD(0.01)
    if subject is s.Layer:
        layer = s.Sequential(made(6), layer)
        assert s.check_gradients(made(6), data(5)).passed
    elif subject in (s.Loss, s.Penalty):
        options[subject.__name__.lower()] = made
    elif subject is s.Optimizer:
        optimizer = made(0.001)
    model = made(s.Dense(5, 1, rng=0)) if subject is s.Model else around(layer, **options)
    history = s.fit(model, data(), optimizer=optimizer, **{**RECIPE, "epochs": 5})
    assert history["loss"][-1] < history["loss"][0]
    assert s.check_gradients(model, data(5)).passed


def test_the_names_are_public():
    for name in ("Layer", "Loss", "Penalty", "Optimizer", "Model"):
        assert name in s.__all__
    assert (s.Loss, s.Penalty, s.Optimizer, s.Model) == (
        losses.Loss,
        penalties.Penalty,
        optimizers.Optimizer,
        models.Model,
    )
    assert s.Layer is layers.Layer and issubclass(OptionError, ScratchaeError)
