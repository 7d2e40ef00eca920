"""RNN and GRU against their formulas step by step, PyTorch, and what a gradient check cannot see: padding, truncation, long times."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, DataError, OptionError, ShapeError

KINDS = pytest.mark.parametrize("kind", [s.RNN, s.GRU])
sizes = {"N": st.integers(1, 4), "T": st.integers(1, 5), "D": st.integers(1, 3), "H": st.integers(1, 4)}


def drawn(kind, D=3, H=4, seed=0, **options):
    """A layer in float64 whose biases are not 0, as they begin."""
    layer = kind(D, H, rng=seed, **options).to(dtype=np.float64)
    layer.b[...] = np.random.default_rng([seed, 1]).standard_normal(layer.b.shape)
    return layer


def sequences(N=5, T=6, D=3, seed=0):
    return np.random.default_rng([seed, 2]).standard_normal((N, T, D))


def by_hand(layer, x):
    """The states of each sequence, one step after the other, with loops."""
    found = np.zeros((*x.shape[:2], layer.hidden))
    for n, sequence in enumerate(x):
        h = np.zeros(layer.hidden)
        for t, step in enumerate(sequence):
            if isinstance(layer, s.RNN):
                h = np.tanh(step @ layer.W + h @ layer.U + layer.b)
            else:
                W_r, W_z, W_n = np.split(layer.W, 3, axis=1)
                U_r, U_z, U_n = np.split(layer.U, 3, axis=1)
                b_r, b_z, b_n, c = np.split(layer.b, 4)
                r, z = (1 / (1 + np.exp(-(step @ W + h @ U + b))) for W, U, b in ((W_r, U_r, b_r), (W_z, U_z, b_z)))
                new = np.tanh(step @ W_n + b_n + r * (h @ U_n + c))
                h = (1 - z) * new + z * h
            found[n, t] = h
    return found


# Values


@KINDS
@given(**sizes)
def test_against_loops(kind, device, to_device, N, T, D, H):
    layer, x = drawn(kind, D, H), sequences(N, T, D)
    expected = by_hand(layer, x)
    assert_allclose(to_numpy(layer.to(device).forward(to_device(x))), expected, rtol=1e-12, atol=1e-12)
    layer.last = True
    assert_allclose(to_numpy(layer.forward(to_device(x))), expected[:, -1], rtol=1e-12, atol=1e-12)


@KINDS
@pytest.mark.parametrize("last", [False, True])
def test_gradients(kind, last):
    for seed in range(3):
        assert reference.layer_error(drawn(kind, last=last, seed=seed), sequences(seed=seed), seed=seed) <= 1e-7


@KINDS
@pytest.mark.parametrize("padding", [None, -1.0])
def test_gradients_on_the_device(kind, padding, device, to_device):
    x = sequences()
    x[1, 3:] = x[2, 0] = -1
    report = s.check_gradients(drawn(kind, padding=padding).to(device), to_device(x))
    assert report.passed and report.worst <= 1e-7, str(report)


@KINDS
def test_extremes_and_dtype(kind):
    layer = kind(3, 4, rng=0)
    for x in (
        np.full((2, 3, 3), 1e4, np.float32),
        np.zeros((2, 3, 3), np.float32),
        -np.full((2, 3, 3), 1e4, np.float32),
    ):
        before = x.copy()
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(y))
        assert y.dtype == dx.dtype == layer.dW.dtype == np.float32
        assert np.isfinite(y).all() and np.isfinite(dx).all() and (np.abs(y) <= 1).all()
        assert_array_equal(x, before)


@KINDS
def test_the_first_layer_need_not_compute_the_gradient_of_the_data(kind):
    layer, x = drawn(kind), sequences()
    dy = np.random.default_rng(0).standard_normal(layer.forward(x).shape)
    layer.backward(dy)
    gradients = [layer.dW.copy(), layer.dU.copy(), layer.db.copy()]
    layer.backward_parameters(dy)
    for before, now in zip(gradients, (layer.dW, layer.dU, layer.db), strict=True):
        assert_array_equal(before, now)


# PyTorch


@pytest.mark.parametrize(("kind", "name"), [(s.RNN, "RNN"), (s.GRU, "GRU")])
@pytest.mark.parametrize("truncate", [None, 3])
def test_agrees_with_torch(torch, kind, name, truncate):
    """States and every gradient, with weights carried over; truncated, where PyTorch detaches the state."""
    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(3, 4, batch_first=True).double()
    W, U, b, c = (parameter.detach().numpy() for parameter in theirs.parameters())
    layer = drawn(kind, truncate=truncate)
    layer.W[...], layer.U[...] = W.T, U.T
    layer.b[...] = b + c if kind is s.RNN else np.concatenate([b[:8] + c[:8], b[8:], c[8:]])
    x = torch.from_numpy(sequences(T=7)).requires_grad_()
    dy = torch.randn(5, 7, 4, dtype=torch.float64)
    h, states = None, []
    for stretch in x.split(truncate or 7, dim=1):
        y, h = theirs(stretch, None if h is None else h.detach())
        states.append(y)
    (torch.cat(states, 1) * dy).sum().backward()
    assert_allclose(layer.forward(x.detach().numpy()), torch.cat(states, 1).detach().numpy(), rtol=0, atol=1e-10)
    assert_allclose(layer.backward(dy.numpy()), x.grad.numpy(), rtol=0, atol=1e-10)
    dW, dU, db, dc = (parameter.grad.numpy() for parameter in theirs.parameters())
    assert_allclose(layer.dW, dW.T, rtol=0, atol=1e-10)
    assert_allclose(layer.dU, dU.T, rtol=0, atol=1e-10)
    assert_allclose(layer.db, db if kind is s.RNN else np.concatenate([db, dc[8:]]), rtol=0, atol=1e-10)


@pytest.mark.parametrize(("kind", "name"), [(s.RNN, "RNN"), (s.GRU, "GRU")])
@pytest.mark.parametrize("last", [False, True])
def test_several_lengths_agree_with_torch(torch, kind, name, last):
    """States and every gradient of packed sequences, which is how PyTorch has several lengths."""
    from torch.nn.utils.rnn import pack_padded_sequence, pad_packed_sequence

    torch.manual_seed(0)
    theirs = getattr(torch.nn, name)(3, 4, batch_first=True).double()
    W, U, b, c = (parameter.detach().numpy() for parameter in theirs.parameters())
    layer, lengths = drawn(kind, padding=9.0, last=last), (6, 1, 4, 4, 2)
    layer.W[...], layer.U[...] = W.T, U.T
    layer.b[...] = b + c if kind is s.RNN else np.concatenate([b[:8] + c[:8], b[8:], c[8:]])
    alone = [sequences(1, length, seed=length)[0] for length in lengths]
    x = s.padded(alone, 9.0)
    x_theirs = torch.from_numpy(x).requires_grad_()
    packed, final = theirs(pack_padded_sequence(x_theirs, lengths, batch_first=True, enforce_sorted=False))
    y = final[0] if last else pad_packed_sequence(packed, batch_first=True, padding_value=9.0)[0]
    dy = torch.randn(y.shape, dtype=torch.float64)
    y.backward(dy)
    assert_allclose(layer.forward(x), y.detach().numpy(), rtol=0, atol=1e-10)
    assert_allclose(layer.backward(dy.numpy()), x_theirs.grad.numpy(), rtol=0, atol=1e-10)
    dW, dU, db, dc = (parameter.grad.numpy() for parameter in theirs.parameters())
    assert_allclose(layer.dW, dW.T, rtol=0, atol=1e-10)
    assert_allclose(layer.dU, dU.T, rtol=0, atol=1e-10)
    assert_allclose(layer.db, db if kind is s.RNN else np.concatenate([db, dc[8:]]), rtol=0, atol=1e-10)


# Several lengths


@KINDS
@pytest.mark.parametrize("last", [False, True])
def test_padding_changes_nothing(kind, last):
    """Each sequence gives what it gives alone, and so do the gradients, which are sums over the sequences."""
    lengths = (6, 1, 4)
    alone = [sequences(1, length, seed=length)[0] for length in lengths]
    layer, single = drawn(kind, padding=9.0, last=last), drawn(kind, last=last)
    y = layer.forward(s.padded(alone, 9.0))
    dy = np.random.default_rng(0).standard_normal(y.shape)
    dx = layer.backward(dy)
    sums = [0, 0, 0]
    for i, (sequence, length) in enumerate(zip(alone, lengths, strict=True)):
        expected = single.forward(sequence[None])[0]
        assert_allclose(y[i] if last else y[i, :length], expected, rtol=1e-12)
        own = single.backward(dy[None, i] if last else dy[None, i, :length])
        assert_allclose(dx[i, :length], own[0], rtol=1e-10, atol=1e-14)
        assert not dx[i, length:].any()
        sums = [a + b for a, b in zip(sums, (single.dW, single.dU, single.db), strict=True)]
        assert last or (y[i, length:] == 9).all()  # a layer behind knows it
    for found, expected in zip((layer.dW, layer.dU, layer.db), sums, strict=True):
        assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_a_stack_of_padded_layers():
    rng = np.random.default_rng(0)
    stack = s.Sequential(s.GRU(3, 4, padding=-1, rng=rng), s.RNN(4, 2, padding=-1, last=True, rng=rng)).to(
        dtype=np.float64
    )
    x = sequences(3, 5)
    x[0, 2:] = -1
    assert_allclose(stack.forward(x)[0], stack.forward(x[:1, :2])[0], rtol=1e-12)


def test_a_step_that_is_left_out_in_the_middle():
    layer, x = drawn(s.GRU, padding=0.0, last=True), sequences(2, 5)
    x[0, 2] = 0
    assert_allclose(layer.forward(x)[0], layer.forward(np.delete(x, 2, axis=1))[0], rtol=1e-12)


def test_padded():
    a, b = np.ones((2, 3), np.float32), np.zeros((1, 3), np.float32)
    found = s.padded([a, b], -1)
    assert found.dtype == np.float32 and found.tolist() == [[[1] * 3] * 2, [[0] * 3, [-1] * 3]]
    for wrong, message in (
        ([], "no sequences"),
        ([a, b[:0]], "sequence 1 has no steps: leave it out"),
        ([a, np.ones((2, 4))], r"sequence 1 has shape \(2, 4\), sequence 0 \(2, 3\)"),
        ([np.ones(3)], r"series\[:, None\]"),
        ([a, -np.ones((2, 3))], "step 0 of sequence 1 holds padding=-1 only"),
        ([a.astype(int)], "sequence 0 holds int64: expected floats"),
    ):
        with pytest.raises(s.ScratchaeError, match=message):
            s.padded(wrong, -1)


# Truncation


@KINDS
def test_a_truncated_gradient_stays_within_its_stretch(kind):
    layer, x = drawn(kind, truncate=2), sequences(T=6)
    y = layer.forward(x)
    assert_array_equal(y, drawn(kind).forward(x))
    dy = np.zeros_like(y)
    dy[:, 3] = 1
    dx = layer.backward(dy)
    assert dx[:, 2:4].all() and not dx[:, :2].any() and not dx[:, 4:].any()
    assert not s.check_gradients(layer, x).passed
    layer.truncate = 6
    assert s.check_gradients(layer, x).passed


# Long times


def test_the_gradient_fades_and_grows_as_the_powers_of_U():
    """Near 0, where tanh is the identity: after T steps by the T-th power of U's eigenvalues."""
    layer = s.RNN(2, 2, last=True).to(dtype=np.float64)
    angle = 0.3
    for size in (0.8, 1.0, 1.25):
        layer.U[...] = size * np.array([[np.cos(angle), -np.sin(angle)], [np.sin(angle), np.cos(angle)]])
        layer.W[...] = np.eye(2)
        layer.forward(np.zeros((1, 50, 2)))
        dx = layer.backward(np.array([[1.0, 0.0]]))
        assert_allclose(np.linalg.norm(dx[0], axis=1), size ** np.arange(49.0, -1, -1), rtol=1e-10)


def test_an_open_gate_lets_the_gradient_pass():
    layer = s.GRU(2, 3, last=True, rng=0).to(dtype=np.float64)
    layer.b[3:6] = 20  # z near 1: the state stays
    layer.forward(sequences(2, 100, 2))
    layer.backward(np.ones((2, 3)))
    assert_allclose(layer.dh[:, 0], 1, rtol=1e-5)


# What can be wrong


@KINDS
def test_errors(kind):
    layer = kind(3, 4)
    with pytest.raises(ShapeError, match=r"expects x of shape \(N, T, 3\), got \(2, 3\): N sequences of T steps"):
        layer.forward(np.ones((2, 3)))
    with pytest.raises(ShapeError, match=r"got \(2, 5, 4\)"):
        layer.forward(np.ones((2, 5, 4)))
    with pytest.raises(DataError, match="a sequence needs at least one step"):
        layer.forward(np.ones((2, 0, 3)))
    with pytest.raises(ArrayTypeError, match="int64"):
        layer.forward(np.ones((2, 5, 3), int))
    layer = kind(3, 4, padding=0)
    x = sequences()
    x[2] = 0
    with pytest.raises(DataError, match="sequence 2 of x holds padding=0 only"):
        layer.forward(x)
    for wrong in (
        {"hidden": 0},
        {"inputs": 1.5},
        {"padding": np.nan},
        {"padding": "a"},
        {"truncate": 0},
        {"last": 1},
        {"rng": "x"},
    ):
        with pytest.raises(OptionError):
            kind(**{"inputs": 3, "hidden": 4} | wrong)


def test_a_list_of_several_lengths_is_told_the_way_out():
    model = s.Autoencoder(s.Sequential(s.Flatten(), s.Dense(3, 2)), s.Dense(2, 3), loss=s.MSE())
    with pytest.raises(
        OptionError, match=r"sequences of several lengths scratchae.padded\(x, value\) makes one array"
    ):
        s.fit(model, [np.ones((2, 3)), np.ones((1, 3))], epochs=1, batch_size=2, optimizer=s.Adam(), progress=False)


# The same at every step


@given(N=sizes["N"], T=sizes["T"], D=sizes["D"])
def test_step_dense(device, to_device, N, T, D):
    layer, plain = (s.StepDense(D, 2, rng=0).to(dtype=np.float64), s.Dense(D, 2, rng=0).to(dtype=np.float64))
    x = sequences(N, T, D)
    expected = np.stack([plain.forward(step) for step in x.swapaxes(0, 1)], axis=1)
    assert_allclose(to_numpy(layer.to(device).forward(to_device(x))), expected, rtol=1e-12)
    with pytest.raises(ShapeError, match=r"expects x of shape \(N, T, .*take Dense"):
        layer.forward(to_device(x[:, 0]))


def test_step_dense_gradients():
    assert reference.layer_error(s.StepDense(3, 2, rng=0).to(dtype=np.float64), sequences()) <= 1e-7
