"""Pooling and up-sampling against loops and PyTorch; where the gradient goes; what they refuse."""

import copy

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import AvgPool2d, MaxPool2d, UpSample2d
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, OptionError, ShapeError

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
LAYERS = [
    MaxPool2d(2),
    MaxPool2d((2, 3), 1),
    MaxPool2d(3, 2, ceil_mode=True),
    MaxPool2d(2, 3),
    AvgPool2d(2),
    AvgPool2d((3, 2), (1, 2)),
    AvgPool2d(2, 3),
    UpSample2d(2),
    UpSample2d((3, 1)),
]
every_layer = pytest.mark.parametrize("layer", [copy.deepcopy(layer) for layer in LAYERS], ids=repr)


@st.composite
def geometries(draw):
    """Size, kernel, stride (None in one of three), with at least one place."""
    kernel, stride = draw(pairs), draw(st.one_of(st.none(), pairs, pairs))
    return tuple(draw(st.integers(k, k + 5)) for k in kernel), kernel, stride


drawn = given(geometry=geometries(), n=st.integers(1, 3), c=st.integers(1, 4), seed=st.integers(0, 999))


def images(n, size, c, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, *size, c)).astype(dtype)


def distinct(n, size, c, seed=0):
    """Numbers a good way apart, in random order: no maximum changes its place when a gradient is checked."""
    shape = (n, *size, c)
    return np.random.default_rng(seed).permutation(np.linspace(-1, 1, np.prod(shape))).reshape(shape)


def close(got, expected):
    assert got.shape == expected.shape
    assert_allclose(to_numpy(got), expected, rtol=1e-12, atol=1e-12)


# Values


@drawn
@pytest.mark.parametrize("ceil_mode", [False, True])
def test_max_pooling_against_loops(ceil_mode, device, to_device, geometry, n, c, seed):
    size, kernel, stride = geometry
    x = images(n, size, c, seed)
    expected = reference.max_pool2d(x, kernel, stride or kernel, ceil_mode)
    y = MaxPool2d(kernel, stride, ceil_mode=ceil_mode).forward(to_device(x))
    assert_array_equal(to_numpy(y), expected)


@drawn
def test_average_pooling_against_loops(device, to_device, geometry, n, c, seed):
    size, kernel, stride = geometry
    x = images(n, size, c, seed)
    close(AvgPool2d(kernel, stride).forward(to_device(x)), reference.avg_pool2d(x, kernel, stride or kernel))


@given(size=pairs, scale=pairs, n=st.integers(1, 3), c=st.integers(1, 4))
def test_up_sampling_against_loops(device, to_device, size, scale, n, c):
    x = images(n, size, c)
    assert_array_equal(to_numpy(UpSample2d(scale).forward(to_device(x))), reference.upsample2d(x, scale))


def test_by_hand():
    x = np.array([[1, 2, 5], [4, 3, 0]], np.float32).reshape(1, 2, 3, 1)
    assert_array_equal(MaxPool2d(2).forward(x).ravel(), [4])
    assert_array_equal(MaxPool2d(2, ceil_mode=True).forward(x).ravel(), [4, 5])
    assert_array_equal(MaxPool2d(2, 1).forward(x).ravel(), [4, 5])
    assert_array_equal(AvgPool2d(2, 1).forward(x).ravel(), [2.5, 2.5])
    assert_array_equal(UpSample2d((1, 2)).forward(x)[0, :, :, 0], [[1, 1, 2, 2, 5, 5], [4, 4, 3, 3, 0, 0]])


def test_a_number_or_a_pair():
    x = images(2, (6, 6), 2)
    for kind in (MaxPool2d, AvgPool2d):
        assert_array_equal(kind(2).forward(x), kind((2, 2), (2, 2)).forward(x))
        assert_array_equal(kind([3, 2], 1).forward(x), kind((3, 2), (1, 1)).forward(x))
    assert_array_equal(UpSample2d(3).forward(x), UpSample2d((3, 3)).forward(x))


def test_maxima_of_negative_numbers_beside_the_edge():
    """What is added around x for the smaller last patch is no candidate, not even beside -1e30."""
    x = np.full((1, 3, 3, 1), -1e30, np.float32)
    layer = MaxPool2d(2, ceil_mode=True)
    assert_array_equal(layer.forward(x), np.full((1, 2, 2, 1), -1e30, np.float32))
    assert_array_equal(
        layer.backward(np.ones((1, 2, 2, 1), np.float32))[0, :, :, 0], [[1, 0, 1], [0, 0, 0], [1, 0, 1]]
    )


# Gradients


@given(
    geometry=geometries(), n=st.integers(1, 2), c=st.integers(1, 2), seed=st.integers(0, 999), ceil_mode=st.booleans()
)
def test_gradients_of_max_pooling(geometry, n, c, seed, ceil_mode):
    size, kernel, stride = geometry
    layer = MaxPool2d(kernel, stride, ceil_mode=ceil_mode)
    assert reference.layer_error(layer, distinct(n, size, c, seed), seed=seed) <= 1e-7


@given(geometry=geometries(), n=st.integers(1, 2), c=st.integers(1, 2), seed=st.integers(0, 999))
def test_gradients_of_average_pooling(geometry, n, c, seed):
    size, kernel, stride = geometry
    assert reference.layer_error(AvgPool2d(kernel, stride), images(n, size, c, seed), seed=seed) <= 1e-7


@given(size=pairs, scale=pairs, n=st.integers(1, 2), c=st.integers(1, 2), seed=st.integers(0, 999))
def test_gradients_of_up_sampling(size, scale, n, c, seed):
    assert reference.layer_error(UpSample2d(scale), images(n, size, c, seed), seed=seed) <= 1e-7


@every_layer
def test_gradients_on_the_device(layer, device, to_device):
    report = s.check_gradients(layer, to_device(distinct(2, (4, 5), 2)))
    assert report.passed and report.worst <= 1e-7, str(report)


@pytest.mark.parametrize("layer", [AvgPool2d(2), AvgPool2d((3, 2), 1), AvgPool2d(2, 3), UpSample2d((3, 2))], ids=repr)
def test_backward_is_the_adjoint(layer):
    """Both are linear: ⟨f(x), dy⟩ = ⟨x, backward(dy)⟩."""
    x = images(3, (7, 6), 2)
    y = layer.forward(x)
    dy = images(len(y), y.shape[1:3], 2, seed=1)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    assert abs(np.vdot(y, dy) - np.vdot(x, dx)) <= 1e-12 * np.linalg.norm(y) * np.linalg.norm(dy)


@given(size=pairs, scale=pairs)
def test_up_sampling_is_the_adjoint_of_summing_patches(size, scale):
    x, y = images(2, size, 3), images(2, (size[0] * scale[0], size[1] * scale[1]), 3, seed=1)
    sums = reference.avg_pool2d(y, scale, scale) * (scale[0] * scale[1])
    up = UpSample2d(scale)
    assert abs(np.vdot(up.forward(x), y) - np.vdot(x, sums)) <= 1e-12 * np.linalg.norm(x) * np.linalg.norm(y) * 4
    close(up.backward(y), sums)


def test_the_first_of_equal_maxima_takes_the_gradient(device, to_device):
    """In reading order: row by row, from the left."""
    layer = MaxPool2d(2)
    patches = {(0, 0, 0, 0): 0, (0, 1, 1, 0): 1, (0, 0, 1, 1): 2, (0, 0, 0, 1): 3, (1, 0, 1, 1): 0, (0, 1, 0, 1): 1}
    for patch, place in patches.items():
        x = np.array(patch, np.float32).reshape(1, 2, 2, 1)
        layer.forward(to_device(x))
        dx = to_numpy(layer.backward(to_device(np.full((1, 1, 1, 1), 5, np.float32))))
        assert_array_equal(dx.ravel(), 5 * (np.arange(4) == place))


def test_each_channel_has_a_maximum_of_its_own():
    x = np.array([[[1, 9], [2, 8]], [[3, 7], [4, 6]]], np.float32)[None]
    layer = MaxPool2d(2)
    assert_array_equal(layer.forward(x).ravel(), [4, 9])
    dx = layer.backward(np.array([10, 20], np.float32).reshape(1, 1, 1, 2))
    assert_array_equal(dx[0, :, :, 0], [[0, 0], [0, 10]])
    assert_array_equal(dx[0, :, :, 1], [[20, 0], [0, 0]])


def test_gradients_of_overlapping_patches_add_up(device, to_device):
    x = np.array([[0, 0, 0], [0, 9, 0], [0, 0, 0]], np.float32).reshape(1, 3, 3, 1)
    layer = MaxPool2d(2, 1)
    layer.forward(to_device(x))
    dx = to_numpy(layer.backward(to_device(np.array([1, 2, 4, 8], np.float32).reshape(1, 2, 2, 1))))
    assert_array_equal(dx[0, :, :, 0], [[0, 0, 0], [0, 15, 0], [0, 0, 0]])


@drawn
def test_the_gradient_of_a_maximum_is_handed_out_whole(geometry, n, c, seed):
    """Also among many equal numbers: each dy goes to one place, so the sums are equal."""
    size, kernel, stride = geometry
    x = np.random.default_rng(seed).integers(0, 2, (n, *size, c)).astype(np.float64)
    layer = MaxPool2d(kernel, stride, ceil_mode=bool(seed % 2))
    dy = np.random.default_rng(seed).integers(1, 9, layer.forward(x).shape).astype(np.float64)
    dx = layer.backward(dy)
    assert dx.shape == x.shape
    assert_array_equal(dx.sum(axis=(1, 2)), dy.sum(axis=(1, 2)))


# PyTorch


def to_torch(torch, a, requires_grad=False):
    return torch.tensor(np.ascontiguousarray(a.transpose(0, 3, 1, 2)), requires_grad=requires_grad)


def from_torch(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def compare(torch, layer, twin, x):
    """Values and gradients; True if both refuse x."""
    tx = to_torch(torch, x, True)
    try:
        ty = twin(tx)
    except RuntimeError:
        with pytest.raises(ShapeError):
            layer.forward(x)
        return True
    y = layer.forward(x)
    close(y, from_torch(ty))
    dy = np.random.default_rng(4).standard_normal(y.shape)
    ty.backward(to_torch(torch, dy))
    close(layer.backward(dy), from_torch(tx.grad))
    return False


@pytest.mark.parametrize("kernel", [1, 2, 3, 5, (2, 3), (4, 1)], ids=str)
@pytest.mark.parametrize("stride", [None, 1, 2, 3, (3, 2), 6], ids=str)
def test_pytorch_agrees(torch, kernel, stride):
    """Also on small numbers, of which many are equal, and on images that the kernel is too large for."""
    for size in [(1, 1), (2, 3), (3, 5), (5, 4), (8, 7)]:
        x = np.random.default_rng(sum(size)).integers(-1, 2, (2, *size, 3)).astype(np.float64)
        compare(torch, AvgPool2d(kernel, stride), torch.nn.AvgPool2d(kernel, stride), x)
        for ceil_mode in (False, True):
            twin = torch.nn.MaxPool2d(kernel, stride, ceil_mode=ceil_mode)
            compare(torch, MaxPool2d(kernel, stride, ceil_mode=ceil_mode), twin, x)


@pytest.mark.parametrize("ceil_mode", [False, True])
def test_pytorch_makes_images_of_the_same_size(torch, ceil_mode):
    refused = 0
    for size in range(1, 9):
        for kernel in range(1, 5):
            for stride in range(1, 7):
                layer = MaxPool2d((kernel, 1), (stride, 1), ceil_mode=ceil_mode)
                twin = torch.nn.MaxPool2d((kernel, 1), (stride, 1), ceil_mode=ceil_mode)
                refused += compare(torch, layer, twin, images(1, (size, 1), 1))
    assert 0 < refused < 60


@pytest.mark.parametrize("scale", [1, 2, (3, 2)])
def test_pytorch_up_samples_alike(torch, scale):
    compare(torch, UpSample2d(scale), torch.nn.Upsample(scale_factor=scale), images(2, (3, 4), 3))


# What every layer promises


@every_layer
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_device_are_kept_and_inputs_unchanged(layer, dtype, device, to_device, xp):
    x = images(2, (5, 7), 3, dtype=dtype)
    given_x = to_device(x.copy())
    y = layer.forward(given_x)
    kept = to_numpy(y).copy()
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(dtype)
    given_dy = to_device(dy.copy())
    dx = layer.backward(given_dy)
    assert dx.shape == x.shape
    for a in (y, dx):
        assert a.dtype == dtype and array_module(a) is xp
    for before, after in ((x, given_x), (dy, given_dy), (kept, y)):
        assert_array_equal(to_numpy(after), before)
    assert layer.backward_parameters(given_dy) is None
    assert_array_equal(to_numpy(layer.backward(given_dy)), to_numpy(dx))  # nothing is left over


@every_layer
def test_a_view_of_other_memory_serves_as_well(layer):
    x = images(2, (5, 7), 3)
    y = layer.forward(x)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = layer.backward(dy)
    view = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    close(layer.forward(view), y)
    close(layer.backward(np.ascontiguousarray(dy[..., ::-1])[..., ::-1]), dx)


@every_layer
def test_steps_are_recordable_and_read_nothing_back(layer, stand_in):
    x = stand_in.asarray(images(2, (5, 7), 3, dtype=np.float32))
    dy = stand_in.ones_like(layer.forward(x))
    layer.backward(dy)
    before = stand_in.host_reads
    with stand_in.recording():
        layer.forward(x, stand_in.random.default_rng(0))
        layer.backward(dy)
    assert stand_in.host_reads == before


@every_layer
def test_repr_and_saving(layer, tmp_path):
    again = eval(repr(layer), vars(s))
    assert repr(again) == repr(layer) and again.arguments() == layer.arguments() and again.S == layer.S
    model = s.Autoencoder(
        s.Sequential(layer, s.Flatten(), s.Dense(layer.forward(images(1, (4, 4), 1)).size, 2)),
        s.Dense(2, 3),
        loss=s.MSE(),
    )
    s.save(model, tmp_path / "m")
    assert repr(s.load(tmp_path / "m")) == repr(model)


def test_repr():
    assert repr(MaxPool2d(2)) == "MaxPool2d(2)" and repr(UpSample2d((2, 3))) == "UpSample2d((2, 3))"
    assert repr(MaxPool2d(3, 2, ceil_mode=True)) == "MaxPool2d(3, 2, ceil_mode=True)"
    assert repr(AvgPool2d(3, (2, 1))) == "AvgPool2d(3, (2, 1))"


@every_layer
def test_an_empty_batch_gives_an_empty_batch(layer, device, xp):
    x = xp.zeros((0, 4, 5, 2), dtype=np.float32)
    y = layer.forward(x)
    assert len(y) == 0 and y.shape[1:] == layer.forward(xp.zeros((1, 4, 5, 2))).shape[1:]


# What is refused


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: MaxPool2d(0), r"MaxPool2d\(kernel_size=0\): expected a whole number, at least 1, or a pair"),
        (lambda: MaxPool2d((2, -1)), r"MaxPool2d\(kernel_size=\(2, -1\)\)"),
        (lambda: MaxPool2d(2, 0), r"MaxPool2d\(stride=0\)"),
        (lambda: AvgPool2d(2.0), r"AvgPool2d\(kernel_size=2\.0\)"),
        (lambda: AvgPool2d(2, (1, 2, 3)), r"AvgPool2d\(stride=\(1, 2, 3\)\)"),
        (lambda: AvgPool2d("2"), r"AvgPool2d\(kernel_size='2'\)"),
        (lambda: UpSample2d(0), r"UpSample2d\(scale=0\)"),
        (lambda: UpSample2d(1.5), r"UpSample2d\(scale=1\.5\)"),
    ],
)
def test_options_that_make_no_sense(make, message):
    with pytest.raises(OptionError, match=message):
        make()


@pytest.mark.parametrize("kind", [MaxPool2d, AvgPool2d])
def test_a_patch_that_does_not_fit(kind, device, xp):
    layer = kind((2, 5), 3)
    layer.name = "encoder.2"
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros((2, 9, 4, 1), dtype=np.float32))
    text = str(error.value)
    assert f"encoder.2 {layer!r}" in text and "(2, 9, 4, 1)" in text and "at most 4 long" in text
    assert "along the width there would be ⌊(4 + 2 · 0 - 5) / 3⌋ + 1 = 0 places" in text


@every_layer
@pytest.mark.parametrize(
    ("shape", "way_out"),
    [((2, 49), "Reshape(H, W, C)"), ((2, 7, 7), "x[..., None]"), ((7,), "the last axis")],
    ids=str,
)
def test_wrong_axes(layer, shape, way_out, device, xp):
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros(shape, dtype=np.float32))
    assert "(N, H, W, C)" in str(error.value) and f"got {shape}" in str(error.value) and way_out in str(error.value)


@pytest.mark.parametrize("layer", [MaxPool2d(1), AvgPool2d(1), UpSample2d(1)], ids=repr)
def test_a_list_is_no_array(layer):
    with pytest.raises(ArrayTypeError, match=r"is a list: expected an array of floats"):
        layer.forward([[[[1.0]]]])
