import numpy as np
import pytest
import reference
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import array_module, to_numpy
from scratchae.errors import ArrayTypeError, DataError, OptionError, ShapeError


def data(n=60, d=8, seed=0, dtype=np.float64):
    """Correlated, with distinct variances and a mean far from 0."""
    rng = np.random.default_rng(seed)
    mixing, _ = np.linalg.qr(rng.standard_normal((d, d)))
    return (rng.standard_normal((n, d)) * 1.6 ** -np.arange(d) @ mixing + 5).astype(dtype)


def squared_error(a, b):
    return float(np.sum((a - b) ** 2)) / len(a)


@pytest.mark.parametrize("components", [1, 3, 8])
def test_against_the_singular_value_decomposition(device, to_device, components):
    x = data()
    mean = x.mean(axis=0)
    _, _, V = np.linalg.svd(x - mean, full_matrices=False)
    pca = s.PCA(components).fit(to_device(x))
    assert_allclose(to_numpy(pca.mean), mean, rtol=1e-12)
    C = to_numpy(pca.directions)
    assert C.shape == (components, 8)
    assert_allclose(np.abs(np.sum(C * V[:components], axis=1)), 1, rtol=1e-10)  # each the same but for its sign
    assert_allclose(C @ C.T, np.eye(components), atol=1e-12)
    z = to_numpy(pca.encode(to_device(x)))
    assert_allclose(np.abs(z), np.abs((x - mean) @ V[:components].T), rtol=1e-7, atol=1e-9)
    error = squared_error(to_numpy(pca.reconstruct(to_device(x))), x)
    assert_allclose(error, reference.pca_error(x, components), rtol=1e-9, atol=1e-20)


def test_no_other_linear_code_is_better():
    x = data()
    best = squared_error(s.PCA(3).fit(x).reconstruct(x), x)
    centred = x - x.mean(axis=0)
    rng = np.random.default_rng(1)
    for _ in range(100):
        basis, _ = np.linalg.qr(rng.standard_normal((8, 3)))
        assert squared_error(centred @ basis @ basis.T, centred) > best


def test_all_components_lose_nothing(device, to_device):
    x = to_device(data(dtype=np.float32))
    pca = s.PCA(8).fit(x)
    assert_allclose(to_numpy(pca.reconstruct(x)), to_numpy(x), rtol=1e-5)
    assert_allclose(to_numpy(pca.decode(pca.encode(x))), to_numpy(x), rtol=1e-5)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
def test_dtype_and_device_are_kept(device, to_device, xp, dtype):
    x = data(dtype=dtype)
    there = to_device(x.copy())
    pca = s.PCA(3).fit(there)
    z = pca.encode(there)
    for a in (pca.mean, pca.directions, z, pca.decode(z), pca.reconstruct(there)):
        assert a.dtype == dtype and array_module(a) is xp
    assert_array_equal(to_numpy(there), x)


def test_float32_data_with_a_large_mean_keeps_its_digits():
    """The covariance is taken in float64: in float32 a mean of 1000 would leave few digits of the variance."""
    x = (data(500) + 1000).astype(np.float32)
    error = squared_error(s.PCA(3).fit(x).reconstruct(x).astype(np.float64), x.astype(np.float64))
    assert_allclose(error, reference.pca_error(x.astype(np.float64), 3), rtol=1e-3)


@pytest.mark.parametrize("seed", range(8))
def test_small_variances_beside_a_large_one_are_told_apart(seed):
    """10,000², 0.2² and 0.02²: a covariance matrix in float32 ends at 1e-7 of the largest."""
    rng = np.random.default_rng(seed)
    mixing, _ = np.linalg.qr(rng.standard_normal((3, 3)))
    x = (rng.standard_normal((300, 3)) * [1e4, 0.2, 0.02] @ mixing).astype(np.float32)
    _, _, V = np.linalg.svd(x.astype(np.float64) - x.mean(axis=0, dtype=np.float64))
    assert abs(s.PCA(2).fit(x).directions[1] @ V[1]) > 0.999


def test_the_mean_of_many_rows_keeps_its_digits():
    """Added up in float32, row by row, 50,000 numbers near 1000 give a mean with five right digits."""
    x = np.random.default_rng(0).normal(1000, 1, (50_000, 2)).astype(np.float32)
    assert_allclose(s.PCA(1).fit(x).mean, x.mean(axis=0, dtype=np.float64), rtol=1e-7)


def test_more_rows_than_are_taken_at_a_time(device, to_device):
    x = data(4096 * 2 + 5, 4)
    error = squared_error(to_numpy(s.PCA(2).fit(to_device(x)).reconstruct(to_device(x))), x)
    assert_allclose(error, reference.pca_error(x, 2), rtol=1e-9)


def test_images_are_flattened_and_given_back(device, to_device):
    x = to_device(data(20, 12).reshape(20, 3, 4))
    pca = s.PCA(2)
    assert pca.fit(x) is pca
    assert pca.encode(x).shape == (20, 2)
    assert pca.reconstruct(x).shape == (20, 3, 4)
    assert pca.decode(pca.encode(x)).shape == (20, 12)


def test_fewer_rows_than_features():
    x = data(3, 8)
    assert_allclose(s.PCA(2).fit(x).reconstruct(x), x, rtol=1e-9)  # three points lie in a plane


def test_a_linear_autoencoder_finds_the_subspace_of_pca(device, to_device):
    """Baldi and Hornik 1989: the least error of a linear autoencoder is PCA's. No gradient check can see this."""
    x = data(80, 6, dtype=np.float64)
    x -= x.mean(axis=0)
    there = to_device(x)
    model = s.Autoencoder(s.Dense(6, 2, rng=1), s.Dense(2, 6, rng=2), loss=s.MSE()).to(device, np.float64)
    optimizer = s.Adam(s.Cosine(0.05, 600))
    for _ in range(600):
        model.training_step(there)
        optimizer.update(model.parameters, model.gradient)
    least = reference.pca_error(x, 2)
    error = float(model.objective(there)["loss"])
    assert least * (1 - 1e-9) <= error <= 1.01 * least
    decoder, _ = np.linalg.qr(to_numpy(model.decoder.W).T)  # an orthonormal basis of what it can say
    directions = to_numpy(s.PCA(2).fit(there).directions).T
    assert np.linalg.svd(decoder.T @ directions, compute_uv=False).min() > 0.999  # cosines of the angles between


# What is refused


@pytest.mark.parametrize("components", [0, -3])
def test_components_must_be_positive(components):
    with pytest.raises(OptionError, match=rf"PCA\(components={components}\): expected a whole number, at least 1"):
        s.PCA(components)


def test_no_more_components_than_features(device, xp):
    with pytest.raises(ShapeError, match=r"PCA\(components=5\) on data of 4 features"):
        s.PCA(5).fit(xp.ones((10, 2, 2)))


def test_no_examples(device, xp):
    with pytest.raises(DataError, match="no examples"):
        s.PCA(1).fit(xp.ones((0, 4)))


def test_images_of_bytes_are_refused():
    """Mean and directions in uint8 would be rounded to nothing, without a word."""
    images = np.random.default_rng(0).integers(0, 256, (10, 4, 4), dtype=np.uint8)
    with pytest.raises(ArrayTypeError, match=r"uint8.*/ 255"):
        s.PCA(2).fit(images)
