"""Convolution and its adjoint against loops and PyTorch; that they are each other's adjoint; what they refuse."""

import copy
import math

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae import Conv2d, ConvTranspose2d
from scratchae.backend import array_module, cpu, to_numpy
from scratchae.errors import ArrayTypeError, OptionError, ShapeError

both = pytest.mark.parametrize("kind", [Conv2d, ConvTranspose2d])


@st.composite
def geometries(draw, largest=4):
    """Size of the larger image, kernel, stride, padding, size of the smaller image, what the stride leaves: pairs."""
    axes = []
    for _ in range(2):
        kernel, stride, padding = (draw(st.integers(least, largest)) for least in (1, 1, 0))
        size = draw(st.integers(max(1, kernel - 2 * padding), max(1, kernel - 2 * padding) + 4))
        count, rest = divmod(size + 2 * padding - kernel, stride)
        axes.append((size, kernel, stride, padding, count + 1, rest))
    return tuple(zip(*axes, strict=True))


channels = st.integers(1, 5)
drawn = given(geometry=geometries(), n=st.integers(1, 3), large=channels, small=channels, seed=st.integers(0, 999))


def images(n, size, c, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, *size, c)).astype(dtype)


def conv(geometry, large, small, seed=0):
    """A Conv2d in float64, with a b that is not zero, from images of `large` channels to some of `small`."""
    _, kernel, stride, padding, _, _ = geometry
    layer = Conv2d(large, small, kernel, stride=stride, padding=padding, rng=seed).to(dtype=np.float64)
    layer.b[...] = np.random.default_rng([seed, 1]).standard_normal(small)
    return layer


def transposed(geometry, large, small, seed=0):
    """The ConvTranspose2d that goes back, with the same W."""
    _, kernel, stride, padding, _, rest = geometry
    options = {"stride": stride, "padding": padding, "output_padding": rest}
    layer = ConvTranspose2d(small, large, kernel, **options, rng=seed).to(dtype=np.float64)
    layer.b[...] = np.random.default_rng([seed, 2]).standard_normal(large)
    return layer


def close(got, expected, tolerance=1e-12):
    assert got.shape == expected.shape
    assert_allclose(to_numpy(got), expected, rtol=tolerance, atol=tolerance)


# Values


@drawn
@settings(max_examples=50)
def test_convolution_against_loops(device, to_device, geometry, n, large, small, seed):
    size, _, stride, padding, counts, _ = geometry
    layer, x = conv(geometry, large, small, seed), images(n, size, large, seed)
    expected = reference.conv2d(x, layer.W, layer.b, stride, padding)
    assert expected.shape == (n, *counts, small)
    close(layer.to(device).forward(to_device(x)), expected)


@drawn
@settings(max_examples=50)
def test_transposed_convolution_against_loops(device, to_device, geometry, n, large, small, seed):
    size, _, stride, padding, counts, rest = geometry
    layer, x = transposed(geometry, large, small, seed), images(n, counts, small, seed)
    expected = reference.conv_transpose2d(x, layer.W, layer.b, stride, padding, rest)
    assert expected.shape == (n, *size, large)
    close(layer.to(device).forward(to_device(x)), expected)


@pytest.mark.parametrize("large", [1, 2, 4])
@pytest.mark.parametrize("counts", [(1, 1), (1, 3), (2, 1), (2, 3)], ids=str)
@pytest.mark.parametrize("kernel", [(3, 2), (1, 2), (1, 1)], ids=str)
@pytest.mark.parametrize("stride", ["kernel", (1, 1), (4, 3)], ids=str)
def test_single_pixels_and_patches_side_by_side(large, counts, kernel, stride, device, to_device):
    """Where arrays are laid out otherwise, and a bias could be added to a copy."""
    stride = kernel if stride == "kernel" else stride
    size = tuple((n - 1) * s + k for n, s, k in zip(counts, stride, kernel, strict=True))
    geometry = (size, kernel, stride, (0, 0), counts, (0, 0))
    up, small_images = transposed(geometry, large, 3), images(3, counts, 3)
    expected = reference.conv_transpose2d(small_images, up.W, up.b, stride, (0, 0), (0, 0))
    close(up.to(device).forward(to_device(small_images)), expected)
    down, large_images = conv(geometry, large, 3), images(3, size, large)
    expected = reference.conv2d(large_images, down.W, down.b, stride, (0, 0))
    close(down.to(device).forward(to_device(large_images)), expected)
    dy = images(3, counts, 3, seed=1)
    expected = reference.conv_transpose2d(dy, to_numpy(down.W), 0, stride, (0, 0), (0, 0))
    close(down.backward(to_device(dy)), expected)


def test_convolution_by_hand():
    """The kernel is not turned: 1·a + 2·b + 3·c + 4·d over a b / c d, plus b."""
    layer = Conv2d(1, 1, 2)
    layer.W[...], layer.b[...] = np.array([[1, 2], [3, 4]])[..., None, None], 10
    x = np.array([[1, 0, 0], [0, 1, 0]], np.float32).reshape(1, 2, 3, 1)
    assert_array_equal(layer.forward(x).ravel(), [10 + 1 + 4, 10 + 3])


def test_transposed_convolution_by_hand():
    """Each pixel paints the kernel in its strength; what overlaps adds up."""
    layer = ConvTranspose2d(1, 1, (1, 3), stride=(1, 2))
    layer.W[...], layer.b[...] = np.array([[1, 2, 3]])[..., None, None], 10
    x = np.array([1, 100], np.float32).reshape(1, 1, 2, 1)
    assert_array_equal(layer.forward(x).ravel(), [11, 12, 13 + 100, 210, 310])


@pytest.mark.parametrize(("size", "extra"), [((6, 6), 0), ((8, 8), 2), ((6, 7), (0, 1)), ((8, 6), (2, 0))])
def test_output_padding_tells_which_size_to_go_back_to(size, extra):
    """Kernel 3, stride 3: images of 6, 7 and 8 all become 2 × 2."""
    small = Conv2d(1, 2, 3, stride=3).forward(images(2, size, 1, dtype=np.float32))
    assert small.shape == (2, 2, 2, 2)
    y = ConvTranspose2d(2, 1, 3, stride=3, output_padding=extra).forward(small)
    assert y.shape == (2, *size, 1)
    assert y[:, :6, :6].all() and not y[:, 6:].any() and not y[:, :, 6:].any()  # nothing reaches those


@both
def test_sizes_as_a_number_or_as_a_pair(kind):
    x = images(2, (7, 7), 2, dtype=np.float32)
    one = kind(2, 3, 3, stride=2, padding=1, rng=5)
    for pair in ((3, 3), [3, 3], (np.int64(3), 3)):
        two = kind(2, 3, pair, stride=(2, 2), padding=(1, 1), rng=5)
        assert_array_equal(two.forward(x), one.forward(x))


@both
def test_height_comes_first(kind):
    layer = kind(2, 3, (1, 4), stride=(1, 2), padding=(0, 1))
    assert layer.W.shape == ((1, 4, 2, 3) if kind is Conv2d else (1, 4, 3, 2))
    assert layer.forward(np.zeros((1, 6, 6, 2), np.float32)).shape == (
        (1, 6, 3, 3) if kind is Conv2d else (1, 6, 12, 3)
    )


def test_a_kernel_of_one_pixel_is_a_dense_layer_on_each(device, to_device):
    layer, dense = Conv2d(4, 3, 1, rng=1), s.Dense(4, 3)
    dense.W, dense.b = layer.W.reshape(4, 3).copy(), layer.b.copy()
    x = images(2, (3, 5), 4, dtype=np.float32)
    y = layer.to(device).forward(to_device(x))
    assert_allclose(to_numpy(y).reshape(-1, 3), dense.forward(x.reshape(-1, 4)), rtol=1e-5, atol=1e-6)


# Gradients


@given(
    geometry=geometries(3),
    n=st.integers(1, 2),
    large=st.integers(1, 4),
    small=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_gradients_of_convolution(geometry, n, large, small, seed):
    x = images(n, geometry[0], large, seed)
    assert reference.layer_error(conv(geometry, large, small, seed), x, seed=seed) <= 1e-7


@given(
    geometry=geometries(3),
    n=st.integers(1, 2),
    large=st.integers(1, 4),
    small=st.integers(1, 2),
    seed=st.integers(0, 99),
)
def test_gradients_of_transposed_convolution(geometry, n, large, small, seed):
    x = images(n, geometry[4], small, seed)
    assert reference.layer_error(transposed(geometry, large, small, seed), x, seed=seed) <= 1e-7


@both
@pytest.mark.parametrize("channels", [(1, 4), (4, 1), (5, 4), (4, 5)])
def test_gradients_on_the_device(kind, channels, device, to_device):
    layer = kind(*channels, (2, 3), stride=(2, 1), padding=1).to(device)
    report = s.check_gradients(layer, to_device(images(1, (3, 4), channels[0])))
    assert report.passed and report.worst <= 1e-7, str(report)


@drawn
def test_they_are_adjoint_with_the_same_weights(geometry, n, large, small, seed):
    """⟨Conv x, y⟩ = ⟨x, ConvTranspose y⟩, and the ∂L/∂x of each is the forward of the other."""
    size, _, _, _, counts, _ = geometry
    down, up = conv(geometry, large, small, seed), transposed(geometry, large, small, seed)
    assert down.W.shape == up.W.shape
    up.W[...], up.b[...], down.b[...] = down.W, 0, 0
    x, y = images(n, size, large, seed), images(n, counts, small, seed + 1)
    conv_x, conv_transpose_y = down.forward(x), up.forward(y)
    assert conv_x.shape == y.shape and conv_transpose_y.shape == x.shape
    scale = np.linalg.norm(conv_x) * np.linalg.norm(y) + np.linalg.norm(x) * np.linalg.norm(conv_transpose_y)
    assert abs(np.vdot(conv_x, y) - np.vdot(x, conv_transpose_y)) <= 1e-12 * scale
    close(down.backward(y), conv_transpose_y)
    close(up.backward(x), conv_x)
    close(up.dW, down.dW)


# PyTorch


def to_torch(torch, a, requires_grad=False):
    return torch.tensor(np.ascontiguousarray(a.transpose(0, 3, 1, 2)), requires_grad=requires_grad)


def from_torch(tensor):
    return tensor.detach().numpy().transpose(0, 2, 3, 1)


def peer(torch, layer):
    """PyTorch's layer of the same name, arguments and weights. Its kernels are (Cout, Cin, …), or (Cin, Cout, …)."""
    options = {name: value for name, value in layer.arguments().items() if name != "init"}
    twin = getattr(torch.nn, type(layer).__name__)(**options).double()
    twin.weight.data = torch.tensor(layer.W.transpose(3, 2, 0, 1).copy())
    twin.bias.data = torch.tensor(layer.b.copy())
    return twin


def compare(torch, layer, x):
    """Values and gradients; True if both refuse x."""
    layer.to(dtype=np.float64)
    layer.b[...] = np.random.default_rng(3).standard_normal(layer.out_channels)
    twin, tx = peer(torch, layer), to_torch(torch, x, True)
    try:
        ty = twin(tx)
    except RuntimeError:
        with pytest.raises(ShapeError):
            layer.forward(x)
        return True
    y = layer.forward(x)
    close(y, from_torch(ty))
    dy = np.random.default_rng(4).standard_normal(y.shape)
    dx = layer.backward(dy)
    ty.backward(to_torch(torch, dy))
    close(dx, from_torch(tx.grad))
    close(layer.dW, twin.weight.grad.numpy().transpose(2, 3, 1, 0), 1e-11)
    close(layer.db, twin.bias.grad.numpy(), 1e-11)
    return False


@both
@pytest.mark.parametrize("kernel", [(1, 1), (2, 2), (3, 3), (3, 2), (4, 1), (5, 5)], ids=str)
@pytest.mark.parametrize("stride", [(1, 1), (2, 2), (3, 1), (2, 3), (4, 4)], ids=str)
def test_pytorch_agrees(torch, kind, kernel, stride):
    """Over sizes, paddings, channels and output paddings: the same shapes and values, the same refusals."""
    for i, padding in enumerate([(0, 0), (1, 1), (2, 0), (3, 2)]):
        for size in [(1, 1), (2, 5), (4, 3), (8, 7)]:
            given_channels = [(1, 2), (2, 1), (3, 5), (5, 3)][(i + sum(size)) % 4]
            x = images(2, size, given_channels[0], i)
            extras = [(0, 0), (stride[0] - 1, stride[1] - 1)] if kind is ConvTranspose2d else [None]
            for extra in extras:
                options = {} if extra is None else {"output_padding": extra}
                compare(torch, kind(*given_channels, kernel, stride=stride, padding=padding, **options, rng=1), x)


@both
def test_pytorch_refuses_the_same_sizes(torch, kind):
    refused = 0
    for size in range(1, 6):
        for kernel in range(1, 6):
            for padding in range(3):
                layer = kind(1, 1, (kernel, 1), padding=(padding, 0))
                refused += compare(torch, layer, images(1, (size, 1), 1))
    assert 5 < refused < 40


@pytest.mark.parametrize("extra", [0, 1, 2, 3, (0, 1), (1, 2), (2, 0)])
@pytest.mark.parametrize("stride", [1, 2, (1, 3), (3, 2)])
def test_pytorch_refuses_the_same_output_padding(torch, stride, extra):
    """When it is asked to compute; here the constructor refuses already."""
    options = {"kernel_size": 3, "stride": stride, "output_padding": extra}
    try:
        shape = from_torch(torch.nn.ConvTranspose2d(1, 1, **options)(torch.zeros(1, 1, 2, 3))).shape
    except RuntimeError:
        with pytest.raises(OptionError, match="expected output_padding < stride"):
            ConvTranspose2d(1, 1, **options)
    else:
        assert ConvTranspose2d(1, 1, **options).forward(np.zeros((1, 2, 3, 1), np.float32)).shape == shape


# What every layer promises


def stepped(kind, dtype=np.float32, in_channels=3):
    layer = kind(in_channels, 4, 3, stride=2, padding=1, rng=1).to(dtype=dtype)
    return layer, images(2, (5, 4), in_channels, dtype=dtype)


@both
@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_device_are_kept(kind, in_channels, dtype, device, to_device, xp):
    layer, x = stepped(kind, dtype, in_channels)
    y = layer.to(device).forward(to_device(x))
    dx = layer.backward(to_device(np.ones(y.shape, dtype)))
    for a in (y, dx, layer.dW, layer.db):
        assert a.dtype == dtype and array_module(a) is xp
    assert dx.shape == x.shape and layer.dW.shape == layer.W.shape and layer.db.shape == layer.b.shape


@both
@pytest.mark.parametrize("in_channels", [1, 3, 5])
@pytest.mark.parametrize("geometry", [(3, 2, 1), (1, 1, 0), ((5, 4), 1, 0), (2, 2, 0)], ids=str)
def test_inputs_and_outputs_and_parameters_stay(kind, in_channels, geometry, device, to_device):
    """A kernel of a whole image, or of one pixel, makes columns without a copy: nobody may write to them."""
    kernel, stride, padding = geometry
    layer = kind(in_channels, 4, kernel, stride=stride, padding=padding, rng=1).to(device)
    x = images(2, (5, 4), in_channels, dtype=np.float32)
    given_x = to_device(x.copy())
    y = layer.forward(given_x)
    dy = np.random.default_rng(1).standard_normal(y.shape).astype(np.float32)
    given_dy, kept = to_device(dy.copy()), [to_numpy(a).copy() for a in (y, layer.W, layer.b)]
    layer.backward(given_dy)
    layer.backward_parameters(given_dy)
    assert_array_equal(to_numpy(given_x), x)
    assert_array_equal(to_numpy(given_dy), dy)
    for before, after in zip(kept, (y, layer.W, layer.b), strict=True):
        assert_array_equal(to_numpy(after), before)


@drawn
@settings(max_examples=30)
def test_images_in_blocks_give_what_all_at_once_give(geometry, n, large, small, seed):
    """Patches that would leave the cache are made for some images at a time."""
    with pytest.MonkeyPatch.context() as patched:
        for build, size, c in ((conv, geometry[0], large), (transposed, geometry[4], small)):
            layer, x = build(geometry, large, small, seed), images(n + 1, size, c, seed)
            y = layer.forward(x)
            dy = images(*(y.shape[0], y.shape[1:3], y.shape[3]), seed + 1)
            whole = [y, layer.backward(dy), layer.dW.copy(), layer.db.copy()]
            patched.setattr(cpu, "PATCHES", 1)
            in_blocks = [layer.forward(x), layer.backward(dy), layer.dW, layer.db]
            patched.undo()
            for got, expected in zip(in_blocks, whole, strict=True):
                close(got, expected)


@both
def test_gradients_are_set_where_they_are_not_accumulated(kind, device, to_device):
    """A model's dW is a view into its gradient vector: it must be filled, not replaced."""
    layer, x = stepped(kind)
    x, (dW, db) = to_device(x), (layer.to(device).dW, layer.db)
    dy = np.random.default_rng(1).standard_normal(layer.forward(x).shape).astype(np.float32)
    layer.backward(to_device(dy))
    once = to_numpy(dW).copy(), to_numpy(db).copy()
    assert once[0].any() and once[1].any()
    layer.backward(to_device(dy))
    assert layer.dW is dW and layer.db is db
    assert_array_equal(to_numpy(dW), once[0])
    assert_array_equal(to_numpy(db), once[1])


@both
def test_backward_parameters_sets_the_gradients_of_backward(kind, device, to_device):
    layer, x = stepped(kind)
    y = layer.to(device).forward(to_device(x))
    dy = to_device(np.random.default_rng(1).standard_normal(y.shape).astype(np.float32))
    layer.backward(dy)
    expected = to_numpy(layer.dW).copy(), to_numpy(layer.db).copy()
    layer.dW[...], layer.db[...] = 7, 7
    assert layer.backward_parameters(dy) is None
    assert_array_equal(to_numpy(layer.dW), expected[0])
    assert_array_equal(to_numpy(layer.db), expected[1])


@both
def test_a_view_of_other_memory_serves_as_well(kind):
    """Images whose channels were moved to the end; a dy in reverse."""
    layer, x = stepped(kind, np.float64)
    y = layer.forward(x)
    dy = np.random.default_rng(1).standard_normal(y.shape)
    dx = layer.backward(dy)
    dW = layer.dW.copy()
    view = np.ascontiguousarray(x.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1)
    close(layer.forward(view), y)
    close(layer.backward(np.ascontiguousarray(dy[..., ::-1])[..., ::-1]), dx)
    close(layer.dW, dW)


@both
def test_deepcopy_is_independent(kind):
    layer, x = stepped(kind)
    twin = copy.deepcopy(layer)
    assert_array_equal(twin.forward(x), layer.forward(x))
    twin.W += 1
    assert np.any(twin.forward(x) != layer.forward(x))


@both
def test_an_empty_batch_gives_an_empty_batch(kind, device, xp):
    """As from Dense, pooling and PyTorch."""
    layer = kind(2, 3, 3, padding=1).to(device)
    assert layer.forward(xp.zeros((0, 4, 5, 2), dtype=np.float32)).shape == (0, 4, 5, 3)


@both
@pytest.mark.parametrize("in_channels", [1, 3, 5])
def test_steps_are_recordable_and_read_nothing_back(kind, in_channels, stand_in):
    layer, x = stepped(kind, in_channels=in_channels)
    x = stand_in.asarray(x)
    dy = stand_in.ones_like(layer.to("gpu").forward(x))
    layer.backward(dy)
    before = stand_in.host_reads
    with stand_in.recording():
        layer.forward(x, stand_in.random.default_rng(0))
        layer.backward(dy)
        layer.backward_parameters(dy)
    assert stand_in.host_reads == before


@both
@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"stride": (3, 2), "padding": (1, 0)},
        {"init": "he", "padding": 1},
        {"output_padding": (1, 0), "stride": 2},
    ],
    ids=str,
)
def test_repr_builds_the_layer_again(kind, options):
    if kind is Conv2d and "output_padding" in options:
        return
    for kernel in (3, (3, 2)):
        layer = kind(2, 5, kernel, **options)
        again = eval(repr(layer), vars(s))
        assert repr(again) == repr(layer) and again.arguments() == layer.arguments()
        assert (again.K, again.S, again.P) == (layer.K, layer.S, layer.P)
    assert repr(kind(2, 5, 3)) == f"{kind.__name__}(2, 5, 3)"


def test_a_model_of_them_is_saved_and_loaded(tmp_path):
    encoder = s.Sequential(Conv2d(1, 3, (3, 2), stride=(2, 1), padding=[1, 0], init="he"), s.ReLU())
    decoder = s.Sequential(ConvTranspose2d(3, 1, (3, 2), stride=(2, 1), padding=(1, 0), output_padding=(1, 0)))
    model, x = s.Autoencoder(encoder, decoder, loss=s.MSE()), images(2, (6, 5), 1, dtype=np.float32)
    s.save(model, tmp_path / "m")
    loaded = s.load(tmp_path / "m")
    assert loaded.reconstruct(x).shape == x.shape
    assert_array_equal(loaded.reconstruct(x), model.reconstruct(x))


def test_training_on_both_devices(stand_in):
    """A model of all layers of images."""

    def trained(device):
        encoder = s.Sequential(
            *(Conv2d(1, 3, 3, padding=1, rng=1), s.BatchNorm(3), s.ReLU(), s.MaxPool2d(2, ceil_mode=True)),
            *(Conv2d(3, 4, (3, 2), stride=2, padding=1, rng=2), s.Tanh()),
        )
        decoder = s.Sequential(
            *(s.UpSample2d(2), ConvTranspose2d(4, 3, (2, 3), stride=2, padding=1, output_padding=(1, 0), rng=3)),
            *(s.AvgPool2d(2, 1), Conv2d(3, 1, 1, rng=4)),
        )
        model, x = s.Autoencoder(encoder, decoder, loss=s.MSE()), images(10, (6, 6), 1)
        model.to(dtype=np.float64)
        options = {"epochs": 3, "batch_size": 4, "optimizer": s.SGD(0.001), "progress": False, "device": device}
        return s.fit(model, x, **options).columns["loss"], to_numpy(model.parameters)

    (loss, parameters), (stand_in_loss, stand_in_parameters) = trained("cpu"), trained("gpu")
    assert loss[-1] < loss[0]
    assert_allclose(stand_in_loss, loss, rtol=1e-10)
    assert_allclose(stand_in_parameters, parameters, rtol=1e-9, atol=1e-12)


def test_large_and_tiny_numbers_stay_finite(device, to_device):
    x = to_device(np.resize(np.array([1e4, -1e4, 0.0, 1e-30], np.float32), (2, 6, 5, 3)))
    for kind in (Conv2d, ConvTranspose2d):
        layer = kind(3, 2, 3, stride=2, padding=1).to(device)
        y = layer.forward(x)
        assert all(np.isfinite(to_numpy(a)).all() for a in (y, layer.backward(y), layer.dW))


# To begin with


@pytest.mark.parametrize(
    ("make", "variance"),
    [
        (lambda **o: Conv2d(40, 60, (3, 4), **o), {"he": 2 / 480, "glorot": 2 / (480 + 720)}),
        (lambda **o: Conv2d(40, 60, (3, 4), stride=(3, 2), **o), {"he": 2 / 480, "glorot": 2 / (480 + 120)}),
        (lambda **o: ConvTranspose2d(40, 60, (3, 4), **o), {"he": 2 / 480, "glorot": 2 / (480 + 720)}),
        (lambda **o: ConvTranspose2d(40, 60, (3, 4), stride=(3, 2), **o), {"he": 2 / 80, "glorot": 2 / (80 + 720)}),
    ],
    ids=["Conv2d", "Conv2d stride", "ConvTranspose2d", "ConvTranspose2d stride"],
)
@pytest.mark.parametrize("init", ["he", "glorot", None])
def test_initial_weights(make, variance, init):
    """fan_in is how many inputs an output is a sum of, fan_out how many outputs an input goes into."""
    layer = make(rng=3) if init is None else make(init=init, rng=3)
    expected, n = variance[init or "glorot"], layer.W.size
    assert abs(layer.W.std() / math.sqrt(expected) - 1) < 4 / math.sqrt(2 * n)
    assert abs(layer.W.mean()) < 4 * math.sqrt(expected / n)
    assert_array_equal(layer.b, 0)
    assert {a.dtype for a in (layer.W, layer.b, layer.dW, layer.db)} == {np.dtype(np.float32)}
    assert layer.dW.shape == layer.W.shape and layer.db.shape == layer.b.shape == (60,)


@pytest.mark.parametrize(
    ("kind", "options", "size", "layers"),
    [
        (Conv2d, {"kernel_size": 3, "padding": 1}, 16, 8),
        (ConvTranspose2d, {"kernel_size": 4, "stride": 2, "padding": 1}, 4, 4),
    ],
)
def test_he_keeps_the_signal_through_relu_layers(kind, options, size, layers):
    rng = np.random.default_rng(0)
    x = rng.standard_normal((4, size, size, 32), dtype=np.float32)
    for _ in range(layers):
        x = np.maximum(kind(32, 32, **options, init="he", rng=rng).forward(x), 0)
    x = x[:, 3:-3, 3:-3]  # less comes in at the edges
    assert 0.2 < np.mean(x * x) < 5


@both
def test_weights_come_from_the_seed_or_generator(kind):
    assert_array_equal(kind(2, 3, 3, rng=5).W, kind(2, 3, 3, rng=np.random.default_rng(5)).W)
    assert np.all(kind(2, 3, 3).W != kind(2, 3, 3).W)  # by default each is drawn anew
    assert np.all(kind(2, 3, 3, rng=5).W != kind(2, 3, 3, rng=6).W)
    rng = np.random.default_rng(5)
    assert np.all(kind(2, 3, 3, rng=rng).W != kind(2, 3, 3, rng=rng).W)


# What is refused


@both
@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((0, 2, 3), {}, r"in_channels=0\): expected a whole number, at least 1"),
        ((2, -1, 3), {}, r"out_channels=-1\)"),
        ((2.0, 2, 3), {}, r"in_channels=2\.0\)"),
        ((2, 2, 0), {}, r"kernel_size=0\): expected a whole number, at least 1, or a pair"),
        ((2, 2, (3, 0)), {}, r"kernel_size=\(3, 0\)\)"),
        ((2, 2, (3, 3, 3)), {}, r"kernel_size=\(3, 3, 3\)\)"),
        ((2, 2, "3"), {}, r"kernel_size='3'\)"),
        ((2, 2, 2.5), {}, r"kernel_size=2\.5\)"),
        ((2, 2, 3), {"stride": 0}, r"stride=0\): expected a whole number, at least 1"),
        ((2, 2, 3), {"stride": (1, 1.5)}, r"stride=\(1, 1\.5\)\)"),
        ((2, 2, 3), {"padding": -1}, r"padding=-1\): expected a whole number, at least 0"),
        ((2, 2, 3), {"padding": "same"}, r"padding='same'\)"),
        ((2, 2, 3), {"init": "xavier"}, r"init='xavier'.*'he' or 'glorot'"),
    ],
    ids=str,
)
def test_options_that_make_no_sense(kind, arguments, options, message):
    with pytest.raises(OptionError, match=message) as error:
        kind(*arguments, **options)
    assert "init" in options or f"{kind.__name__}(" in str(error.value)


@pytest.mark.parametrize(("stride", "extra"), [(1, 1), (2, 2), ((2, 1), 1), ((1, 3), (0, 3)), (2, -1), (2, 0.5)])
def test_output_padding_must_be_less_than_the_stride(stride, extra):
    with pytest.raises(OptionError, match=r"ConvTranspose2d\(output_padding=.*expected") as error:
        ConvTranspose2d(1, 1, 3, stride=stride, output_padding=extra)
    assert str(extra) in str(error.value)


def refusal(layer, shape, xp=np):
    layer.name = "encoder.0"
    with pytest.raises(ShapeError) as error:
        layer.forward(xp.zeros(shape, dtype=np.float32))
    text = str(error.value)
    assert isinstance(error.value, s.ScratchaeError) and isinstance(error.value, ValueError)
    assert f"encoder.0 {layer!r}" in text and str(shape) in text
    return text


def test_a_kernel_that_does_not_fit(device, xp):
    text = refusal(Conv2d(1, 2, 7, stride=2, padding=1).to(device), (3, 9, 4, 1), xp)
    assert "along the width there would be ⌊(4 + 2 · 1 - 7) / 2⌋ + 1 = 0 places" in text
    assert "at most 6 long" in text
    text = refusal(Conv2d(1, 2, (7, 1)).to(device), (3, 4, 9, 1), xp)
    assert "along the height" in text and "⌊(4 + 2 · 0 - 7) / 1⌋ + 1 = -2" in text and "at most 4 long" in text


def test_an_image_without_pixels(device, xp):
    text = refusal(ConvTranspose2d(1, 2, 3, stride=2, padding=(0, 3)).to(device), (1, 2, 2, 1), xp)
    assert "its width would be (2 - 1) · 2 - 2 · 3 + 3 + 0 = -1: use less padding or a larger kernel" in text
    text = refusal(ConvTranspose2d(1, 2, 1, stride=2, padding=(2, 0), output_padding=1).to(device), (1, 2, 2, 1), xp)
    assert "its height would be (2 - 1) · 2 - 2 · 2 + 1 + 1 = 0" in text


@both
@pytest.mark.parametrize(
    ("shape", "way_out"),
    [
        ((2, 784), "Reshape(H, W, 3)"),
        ((2, 28, 28), "x[..., None]"),
        ((2, 3, 8, 8), "x.transpose(0, 2, 3, 1)"),
        ((2, 8, 8, 4), "the last axis holds the channels"),
        ((3,), "the last axis holds the channels"),
        ((2, 1, 8, 8, 3), "the last axis holds the channels"),
        ((), "the last axis holds the channels"),
    ],
    ids=str,
)
def test_wrong_axes_or_channels(kind, shape, way_out, device, xp):
    text = refusal(kind(3, 2, 3).to(device), shape, xp)
    assert "expects x of shape (N, H, W, 3)" in text and f"got {shape}" in text and way_out in text


@both
def test_a_list_is_no_array(kind):
    with pytest.raises(ArrayTypeError, match=r"is a list: expected an array of floats"):
        kind(1, 1, 1).forward([[[[1.0]]]])
