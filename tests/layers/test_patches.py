"""Patches of images and back: each formula against loops, and each shortcut reached where it should be."""

import numpy as np
import pytest
import reference
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from scratchae.backend import array_module, to_numpy
from scratchae.layers import patches as p

pairs = st.tuples(st.integers(1, 4), st.integers(1, 4))
paddings = st.tuples(st.integers(0, 5), st.integers(0, 5))


@st.composite
def geometries(draw, padding=paddings):
    """Size, kernel, stride, padding, all as pairs, with at least one place for the kernel."""
    kernel, stride, around = draw(pairs), draw(st.tuples(st.integers(1, 5), st.integers(1, 5))), draw(padding)
    least = [max(1, k - 2 * p) for k, p in zip(kernel, around, strict=True)]
    return tuple(draw(st.integers(n, n + 5)) for n in least), kernel, stride, around


drawn = given(geometry=geometries(), n=st.integers(1, 3), c=st.integers(1, 5), seed=st.integers(0, 999))

# size, kernel, stride, padding of the cases with a shortcut of their own
SPECIAL = [
    ((3, 2), (3, 2), (1, 1), (0, 0)),  # one patch, a whole image
    ((3, 2), (3, 2), (5, 4), (0, 0)),
    ((4, 5), (3, 2), (4, 4), (0, 0)),  # one patch, with something left over
    ((1, 1), (3, 3), (1, 1), (1, 1)),  # one patch, mostly padding
    ((6, 4), (2, 2), (2, 2), (0, 0)),  # side by side
    ((7, 5), (2, 2), (2, 2), (0, 0)),  # side by side, a row and a column left over
    ((4, 4), (2, 2), (2, 2), (1, 1)),  # side by side, moved by the padding
    ((5, 4), (1, 1), (1, 1), (0, 0)),  # pixels
    ((5, 4), (1, 2), (2, 1), (3, 4)),  # patches that lie wholly in the padding
    ((7, 7), (2, 2), (3, 4), (0, 0)),  # pixels that no patch holds
    ((2, 9), (4, 1), (1, 5), (2, 0)),
]
special = pytest.mark.parametrize("geometry", SPECIAL, ids=str)
channels = pytest.mark.parametrize("c", [1, 2, 3, 4, 5])


def images(n, size, c, seed=0, dtype=np.float64):
    return np.random.default_rng(seed).standard_normal((n, *size, c)).astype(dtype)


def close(got, expected):
    assert got.shape == expected.shape
    assert_allclose(to_numpy(got), expected, rtol=1e-12, atol=1e-12)


def same_product(a, b, c, d):
    """⟨a, b⟩ = ⟨c, d⟩, to 1e-12 of what the terms could add up to."""
    assert a.shape == b.shape and c.shape == d.shape
    assert abs(np.vdot(a, b) - np.vdot(c, d)) <= 1e-12 * np.vdot(np.abs(a), np.abs(b))


def check_im2col(geometry, n, c, seed, to_device):
    size, *rest = geometry
    x = images(n, size, c, seed)
    assert_array_equal(to_numpy(p.im2col(to_device(x), *rest)), reference.im2col(x, *rest))


def check_col2im(geometry, n, c, seed, to_device):
    kernel = geometry[1]
    columns = images(1, (1, n * np.prod(reference.places(*geometry))), kernel[0] * kernel[1] * c, seed)[0, 0]
    close(p.col2im(to_device(columns), *geometry), reference.col2im(columns, *geometry))


def check_matmul_col2im(geometry, n, c, d, seed, to_device):
    size, kernel, stride, padding = geometry
    y = images(n, reference.places(*geometry), d, seed)
    W = images(kernel[0], (kernel[1], c), d, seed + 1)
    columns = y.reshape(-1, d) @ W.reshape(-1, d).T
    expected = reference.col2im(columns, *geometry)
    close(p.matmul_col2im(to_device(y), to_device(W), size, stride, padding), expected)


@drawn
def test_im2col(device, to_device, geometry, n, c, seed):
    check_im2col(geometry, n, c, seed, to_device)


@drawn
def test_col2im(device, to_device, geometry, n, c, seed):
    check_col2im(geometry, n, c, seed, to_device)


@drawn
@settings(max_examples=60)
def test_matmul_col2im(device, to_device, geometry, n, c, seed):
    check_matmul_col2im(geometry, n, c, 1 + seed % 4, seed, to_device)


@special
@channels
@pytest.mark.parametrize("n", [1, 3])
def test_special_cases(device, to_device, geometry, c, n):
    check_im2col(geometry, n, c, 0, to_device)
    check_col2im(geometry, n, c, 0, to_device)
    check_matmul_col2im(geometry, n, c, 2, 0, to_device)


@drawn
def test_im2col_and_col2im_are_adjoint(geometry, n, c, seed):
    size, *rest = geometry
    x = images(n, size, c, seed)
    columns = p.im2col(x, *rest)
    other = np.random.default_rng([seed, 1]).standard_normal(columns.shape)
    same_product(columns, other, x, p.col2im(other, size, *rest))


@given(geometry=geometries(st.just((0, 0))), n=st.integers(1, 3), c=st.integers(1, 5), seed=st.integers(0, 999))
def test_patches_and_overlap_add_are_adjoint(geometry, n, c, seed):
    size, kernel, stride, _ = geometry
    x = images(n, size, c, seed)
    windows = p.patches(x, kernel, stride)
    assert_array_equal(windows.reshape(-1, kernel[0] * kernel[1] * c), reference.im2col(x, kernel, stride, (0, 0)))
    other = np.random.default_rng([seed, 1]).standard_normal(windows.shape)
    same_product(windows, other, x, p.overlap_add(other, size, stride))


@drawn
def test_overlap_add_with_padding(geometry, n, c, seed):
    size, kernel, stride, padding = geometry
    windows = np.random.default_rng(seed).standard_normal((n, *reference.places(*geometry), *kernel, c))
    expected = reference.col2im(windows.reshape(-1, kernel[0] * kernel[1] * c), *geometry)
    close(p.overlap_add(windows, size, stride, padding), expected)


@given(
    counts=pairs, kernel=pairs, stride=pairs, cut=st.tuples(st.integers(0, 3), st.integers(0, 3)), c=st.integers(1, 3)
)
def test_overlap_add_drops_what_lies_beyond_the_far_edges(device, to_device, counts, kernel, stride, cut, c):
    """As a pooling layer needs it whose last patch is smaller than the kernel."""
    whole = tuple((n - 1) * s + k for n, s, k in zip(counts, stride, kernel, strict=True))
    size = tuple(max(1, n - m) for n, m in zip(whole, cut, strict=True))
    windows = np.random.default_rng(0).standard_normal((2, *counts, *kernel, c))
    expected = reference.col2im(windows.reshape(-1, kernel[0] * kernel[1] * c), whole, kernel, stride, (0, 0))
    close(p.overlap_add(to_device(windows), size, stride), expected[:, : size[0], : size[1]])


def test_patches_by_hand():
    """0 1 2 / 3 4 5 / 6 7 8 with a 2 × 2 kernel."""
    x = np.arange(9.0).reshape(1, 3, 3, 1)
    assert_array_equal(p.im2col(x, (2, 2)), [[0, 1, 3, 4], [1, 2, 4, 5], [3, 4, 6, 7], [4, 5, 7, 8]])
    assert_array_equal(p.im2col(x, (2, 2), (2, 2), (1, 1)), [[0, 0, 0, 0], [0, 0, 1, 2], [0, 3, 0, 6], [4, 5, 7, 8]])
    times = p.col2im(np.ones((4, 4)), (3, 3), (2, 2))  # in how many patches each pixel lies
    assert_array_equal(times[0, :, :, 0], [[1, 2, 1], [2, 4, 2], [1, 2, 1]])


# Padding

sides = st.tuples(st.integers(-2, 3), st.integers(-2, 3))


@given(
    size=st.tuples(st.integers(1, 6), st.integers(1, 6)), down=sides, across=sides, value=st.sampled_from([0, -1.5])
)
def test_pad_adds_and_cuts_off(device, to_device, size, down, across, value):
    (H, W), x = size, images(2, size, 2)
    if H + sum(down) < 1 or W + sum(across) < 1 or H + min(down) < 1 or W + min(across) < 1:
        return
    expected = np.full((2, H + sum(down), W + sum(across), 2), float(value))
    for u, v in np.ndindex(expected.shape[1:3]):
        if 0 <= u - down[0] < H and 0 <= v - across[0] < W:
            expected[:, u, v] = x[:, u - down[0], v - across[0]]
    given_x = to_device(x)
    y = p.pad(given_x, down, across, value)
    assert_array_equal(to_numpy(y), expected)
    assert_array_equal(to_numpy(given_x), x)


def test_no_padding_copies_nothing(device, to_device):
    x = to_device(images(2, (3, 4), 2))
    assert p.pad(x, (0, 0), (0, 0)) is x
    assert p.pad(x, (0, 0), (0, 1)) is not x
    assert p.pad(x, (1, -1), (0, 0)) is not x  # a shift


def test_minus_infinity_as_padding():
    y = p.pad(images(1, (1, 1), 1, dtype=np.float32), (0, 1), (2, 0), -np.inf)
    assert y.dtype == np.float32 and np.isneginf(y).sum() == 5


# Dtype, memory, inputs


@channels
@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("geometry", SPECIAL[3:8], ids=str)
def test_dtype_and_device_are_kept_and_inputs_unchanged(device, to_device, xp, geometry, c, dtype):
    size, kernel, stride, padding = geometry
    x = images(2, size, c, dtype=dtype)
    y = images(2, reference.places(*geometry), 3, dtype=dtype)
    W = images(kernel[0], (kernel[1], c), 3, dtype=dtype)
    columns = reference.im2col(x, kernel, stride, padding).astype(dtype)
    arrays = [x, columns, y, W]
    given_x, given_columns, given_y, given_W = given_arrays = [to_device(a.copy()) for a in arrays]
    results = (
        p.im2col(given_x, kernel, stride, padding),
        p.col2im(given_columns, size, kernel, stride, padding),
        p.matmul_col2im(given_y, given_W, size, stride, padding),
    )
    for a in results:
        assert a.dtype == dtype and array_module(a) is xp
    for before, after in zip(arrays, given_arrays, strict=True):
        assert_array_equal(to_numpy(after), before)


@channels
def test_an_image_that_is_not_contiguous(c):
    """Such as one whose channels were moved to the end, or every other pixel, or a batch in reverse."""
    base = images(2, (8, 6), c)
    for view in (
        np.ascontiguousarray(base.transpose(0, 3, 1, 2)).transpose(0, 2, 3, 1),
        base[:, ::2, 1::2],
        base[::-1],
    ):
        assert c == 1 or not view.flags.c_contiguous
        for rest in (((2, 2), (1, 1), (0, 0)), ((2, 2), (2, 2), (1, 0)), (view.shape[1:3], (1, 1), (0, 0))):
            assert_array_equal(p.im2col(view, *rest), reference.im2col(view, *rest))


# Shortcuts: reached, and not by others


def never(*_, **__):
    raise AssertionError("the other way was taken")


def test_one_patch_of_a_whole_image_is_not_copied(device, to_device, xp):
    x, im2col = to_device(images(3, (3, 2), 5)), p.im2col.__wrapped__  # a GPU's kernel always copies
    assert xp.shares_memory(im2col(x, (3, 2)), x)
    assert not xp.shares_memory(im2col(x, (2, 2)), x)


@channels
def test_patches_are_a_view(device, to_device, xp, c):
    x = to_device(images(3, (5, 4), c))
    assert xp.shares_memory(p.patches(x, (3, 2), (2, 1)), x)


@channels
def test_few_channels_are_copied_offset_by_offset(c):
    columns = p.im2col(images(2, (6, 5), c), (3, 2), (2, 1), (1, 1))
    assert (columns.T if c < 4 else columns).flags.c_contiguous


@pytest.mark.parametrize(
    ("size", "kernel", "stride"), [((6, 4), (2, 2), (2, 2)), ((3, 2), (3, 2), (1, 1)), ((3, 2), (3, 2), (2, 5))]
)
def test_side_by_side_is_one_copy(monkeypatch, device, to_device, size, kernel, stride):
    columns = images(1, (1, 2 * np.prod(reference.places(size, kernel, stride))), 3 * kernel[0] * kernel[1])[0, 0]
    expected = reference.col2im(columns, size, kernel, stride, (0, 0))
    monkeypatch.setattr(p, "inside", never)
    assert_array_equal(to_numpy(p.col2im(to_device(columns), size, kernel, stride)), expected)


@pytest.mark.parametrize(
    ("size", "kernel", "stride", "padding"),
    [((7, 4), (2, 2), (2, 2), (0, 0)), ((4, 4), (2, 2), (2, 2), (1, 1)), ((4, 3), (2, 2), (1, 1), (0, 0))],
)
def test_else_offsets_are_added_up(monkeypatch, size, kernel, stride, padding):
    columns = np.zeros((np.prod(reference.places(size, kernel, stride, padding)), 12))
    monkeypatch.setattr(p, "inside", never)
    with pytest.raises(AssertionError, match="the other way"):
        p.col2im(columns, size, kernel, stride, padding)


@pytest.mark.parametrize(
    ("counts", "c", "forbidden"),
    [
        ((1, 1), 5, "phases"),
        ((1, 1), 1, "phases"),
        ((3, 2), 1, "phases"),
        ((3, 2), 2, "col2im"),
        ((1, 2), 2, "col2im"),
    ],
)
def test_ways_of_matmul_col2im(monkeypatch, device, to_device, counts, c, forbidden):
    """One pixel or one channel: the plain way. Else phase by phase."""
    y, W = images(2, counts, 3), images(3, (2, c), 3)
    size = tuple((n - 1) * 2 + k for n, k in zip(counts, (3, 2), strict=True))
    expected = reference.col2im(y.reshape(-1, 3) @ W.reshape(-1, 3).T, size, (3, 2), (2, 2), (0, 0))
    monkeypatch.setattr(p, forbidden, never)
    close(p.matmul_col2im(to_device(y), to_device(W), size, (2, 2)), expected)


@given(size=st.integers(1, 12), kernel=st.integers(1, 5), stride=st.integers(1, 5), padding=st.integers(0, 4))
def test_phases_name_every_place_and_offset_once(size, kernel, stride, padding):
    """The arrangement of an axis says which pixels of y act on which of x: just those of the convolution."""
    count = (size + 2 * padding - kernel) // stride + 1
    if count < 1:
        return
    axis = p.phases(size, count, kernel, stride, padding)
    acting = set()
    for q in range(axis.count):
        for phase, offsets in enumerate(axis.offsets):
            u = q * stride + phase - axis.start
            for place, i in offsets:
                o = q + place - axis.pad[0]
                assert 0 <= place < axis.window
                if 0 <= u < size and 0 <= o < count:
                    assert (u, o, i) not in acting
                    acting.add((u, o, i))
    inside = {(o * stride + i - padding, o, i) for o in range(count) for i in range(kernel)}
    assert acting == {(u, o, i) for u, o, i in inside if 0 <= u < size}


@given(
    size=st.integers(1, 9),
    kernel=st.integers(1, 5),
    stride=st.integers(1, 5),
    padding=st.integers(0, 5),
    i=st.integers(0, 4),
)
def test_inside_names_the_places_within_the_image(size, kernel, stride, padding, i):
    count = (size + 2 * padding - kernel) // stride + 1
    if count < 1 or i >= kernel:
        return
    at, which = p.inside(i, count, size, stride, padding)
    expected = [(o * stride + i - padding, o) for o in range(count) if 0 <= o * stride + i - padding < size]
    assert list(zip(range(size)[at], range(count)[which], strict=True)) == expected
