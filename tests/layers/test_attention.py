"""Attention against loops, PyTorch, and what a gradient check cannot see: weights, padding, large scores."""

import numpy as np
import pytest
import reference
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import to_numpy
from scratchae.errors import ArrayTypeError, DataError, OptionError, ShapeError

sizes = {name: st.integers(1, 4) for name in ("N", "T", "D", "queries", "width")}


def drawn(D=3, queries=2, outputs=4, seed=0, **options):
    return s.Attention(queries, D, outputs, rng=seed, **options).to(dtype=np.float64)


def sequences(N=5, T=6, D=3, seed=0):
    return np.random.default_rng([seed, 2]).standard_normal((N, T, D))


def by_hand(layer, x):
    """Each query of each sequence by itself, with loops."""
    y = np.zeros((len(x), layer.queries, layer.outputs))
    for n, sequence in enumerate(x):
        for m, query in enumerate(layer.Q):
            weights = np.exp([query @ (step @ layer.K) / np.sqrt(layer.width) for step in sequence])
            y[n, m] = (
                sum(weight * (step @ layer.V) for weight, step in zip(weights, sequence, strict=True)) / weights.sum()
            )
    return y


@given(**sizes)
def test_against_loops(device, to_device, N, T, D, queries, width):
    layer, x = drawn(D, queries, width=width), sequences(N, T, D)
    expected = by_hand(layer, x)
    found = layer.to(device).forward(to_device(x))
    assert_allclose(to_numpy(found), expected, rtol=1e-12, atol=1e-13)
    p = to_numpy(layer.p)
    assert (p >= 0).all() and p.shape == (N, queries, T)
    assert_allclose(p.sum(axis=2), 1, rtol=1e-12)


def test_gradients():
    for seed in range(3):
        assert reference.layer_error(drawn(seed=seed), sequences(seed=seed), seed=seed) <= 1e-7


@pytest.mark.parametrize("padding", [None, -1.0])
def test_gradients_on_the_device(padding, device, to_device):
    x = sequences()
    x[1, 3:] = x[2, 0] = -1
    report = s.check_gradients(drawn(padding=padding).to(device), to_device(x))
    assert report.passed and report.worst <= 1e-7, str(report)


def test_agrees_with_torch(torch):
    """With PyTorch's function for one head, its mask for padding, and its gradients."""
    layer, x = drawn(padding=9.0), sequences()
    x[0, 2:] = x[3, 4:] = 9.0
    theirs = {name: torch.from_numpy(getattr(layer, name).copy()).requires_grad_() for name in "QKV"}
    x_theirs, dy = torch.from_numpy(x).requires_grad_(), torch.from_numpy(sequences(T=2, D=4, seed=1))
    real = torch.from_numpy((x != 9).any(axis=2))[:, None]
    y = torch.nn.functional.scaled_dot_product_attention(
        theirs["Q"].expand(5, 2, 16), x_theirs @ theirs["K"], x_theirs @ theirs["V"], attn_mask=real
    )
    y.backward(dy)
    assert_allclose(layer.forward(x), y.detach().numpy(), rtol=0, atol=1e-10)
    assert_allclose(layer.backward(dy.numpy()), x_theirs.grad.numpy(), rtol=0, atol=1e-10)
    for name, parameter in theirs.items():
        assert_allclose(getattr(layer, "d" + name), parameter.grad.numpy(), rtol=0, atol=1e-10, err_msg=name)


def test_agrees_with_a_head_of_torch(torch):
    """With `nn.MultiheadAttention` of one head, whose last matrix is set to do nothing; its map as well."""
    torch.manual_seed(0)
    head = torch.nn.MultiheadAttention(4, 1, bias=False, batch_first=True).double()
    layer, x = drawn(4, 3, 4, width=4), sequences(D=4)
    queries = torch.randn(3, 4, dtype=torch.float64)
    W_q, W_k, W_v = head.in_proj_weight.detach().chunk(3)
    head.out_proj.weight.data = torch.eye(4, dtype=torch.float64)
    layer.Q[...], layer.K[...], layer.V[...] = queries @ W_q.T, W_k.T, W_v.T
    y, p = head(queries.expand(5, 3, 4), *[torch.from_numpy(x)] * 2)
    assert_allclose(layer.forward(x), y.detach().numpy(), rtol=0, atol=1e-10)
    assert_allclose(layer.p, p.detach().numpy(), rtol=0, atol=1e-10)


def test_padding_changes_nothing():
    """Each sequence gives what it gives alone, and nothing goes back to what is none."""
    lengths = (6, 1, 4)
    alone = [sequences(1, length, seed=length)[0] for length in lengths]
    layer, single = drawn(padding=9.0), drawn()
    y = layer.forward(s.padded(alone, 9.0))
    dy = sequences(3, 2, 4)
    dx, sums = layer.backward(dy), [0, 0, 0]
    for i, (sequence, length) in enumerate(zip(alone, lengths, strict=True)):
        assert_allclose(y[i], single.forward(sequence[None])[0], rtol=1e-12)
        assert_allclose(dx[i, :length], single.backward(dy[None, i])[0], rtol=1e-10, atol=1e-14)
        assert not dx[i, length:].any() and not layer.p[i, :, length:].any()
        sums = [a + b for a, b in zip(sums, (single.dQ, single.dK, single.dV), strict=True)]
    for found, expected in zip((layer.dQ, layer.dK, layer.dV), sums, strict=True):
        assert_allclose(found, expected, rtol=1e-10, atol=1e-13)


def test_the_order_of_the_steps_does_not_matter():
    layer, x = drawn(), sequences()
    order = np.random.default_rng(0).permutation(6)
    assert_allclose(layer.forward(x[:, order]), layer.forward(x), rtol=1e-12)


def test_extremes_and_dtype():
    layer = s.Attention(2, 3, 4, rng=0)
    for x in (
        np.full((2, 3, 3), 1e4, np.float32),
        np.zeros((2, 3, 3), np.float32),
        1e4 * sequences().astype(np.float32),
    ):
        before = x.copy()
        y = layer.forward(x)
        dx = layer.backward(np.ones_like(y))
        assert y.dtype == dx.dtype == layer.dQ.dtype == np.float32
        assert np.isfinite(y).all() and np.isfinite(dx).all()
        assert_array_equal(x, before)


def test_the_first_layer_need_not_compute_the_gradient_of_the_data():
    layer, x = drawn(), sequences()
    dy = np.random.default_rng(0).standard_normal(layer.forward(x).shape)
    layer.backward(dy)
    gradients = [layer.dQ.copy(), layer.dK.copy(), layer.dV.copy()]
    layer.backward_parameters(dy)
    for before, now in zip(gradients, (layer.dQ, layer.dK, layer.dV), strict=True):
        assert_array_equal(before, now)


def test_errors():
    layer = s.Attention(2, 3, 4)
    for wrong in (np.ones((2, 3)), np.ones((2, 5, 4))):
        with pytest.raises(ShapeError, match=r"expects x of shape \(N, T, 3\)"):
            layer.forward(wrong)
    with pytest.raises(DataError, match="a sequence needs at least one step"):
        layer.forward(np.ones((2, 0, 3)))
    with pytest.raises(ArrayTypeError, match="int64"):
        layer.forward(np.ones((2, 5, 3), int))
    with pytest.raises(DataError, match="sequence 1 of x holds padding=1 only"):
        s.Attention(2, 3, 4, padding=1).forward(np.stack([np.zeros((5, 3)), np.ones((5, 3))]))
    for wrong in (
        {"queries": 0},
        {"features": 1.5},
        {"outputs": "a"},
        {"width": -1},
        {"padding": np.nan},
        {"rng": "x"},
    ):
        with pytest.raises(OptionError):
            s.Attention(**{"queries": 2, "features": 3, "outputs": 4} | wrong)
