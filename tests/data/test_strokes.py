"""The embedded digits: reproducible, like handwriting, and no task for a linear code."""

import numpy as np
import pytest

from scratchae import PCA, Dataset, load_data
from scratchae.data import NAMES, pixels, strokes
from scratchae.errors import DataError


@pytest.fixture(scope="module")
def data():
    return load_data("strokes")


def test_shapes_and_dtypes(data):
    assert isinstance(data, Dataset)
    assert data.name == "strokes"
    assert data.train_images.shape == (30_000, 28, 28)
    assert data.test_images.shape == (5_000, 28, 28)
    assert data.train_labels.shape == (30_000,)
    assert data.test_labels.shape == (5_000,)
    arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
    assert {array.dtype for array in arrays} == {np.dtype(np.uint8)}


def test_ten_labels_in_equal_shares(data):
    train, test = (np.bincount(labels, minlength=10) for labels in (data.train_labels, data.test_labels))
    assert (train + test).tolist() == [3_500] * 10
    assert np.abs(test - 500).max() < 100  # drawn at random: five standard deviations


def test_the_seed_decides_everything():
    def content(**options):
        data = strokes(200, 50, **options)
        arrays = (data.train_images, data.train_labels, data.test_images, data.test_labels)
        return [array.tobytes() for array in arrays]

    assert content() == content(seed=0)
    assert all(a != b for a, b in zip(content(), content(seed=1), strict=True))


@pytest.mark.parametrize(("train", "test"), [(1, 1), (249, 1), (251, 0), (1_003, 7)])
def test_any_number_of_images(train, test):
    data = strokes(train, test)
    assert (len(data.train_images), len(data.test_images)) == (train, test)
    assert (len(data.train_labels), len(data.test_labels)) == (train, test)
    assert data.train_images.reshape(train, -1).max(axis=1).min() > 200  # every one was drawn


def test_ink_like_handwriting(data):
    """MNIST has a mean of 0.131, a standard deviation of 0.308, and ink in 19 % of the pixels."""
    x = pixels(data.train_images)
    assert 0.11 < x.mean() < 0.15
    assert 0.28 < x.std() < 0.34
    assert 0.15 < (x > 0).mean() < 0.23
    ink = x.sum(axis=1)
    assert 10 < ink.min() < ink.max() < 300  # no image is empty, none a blot
    border = data.train_images.copy()
    border[:, 1:-1, 1:-1] = 0
    assert (border.reshape(len(border), -1).max(axis=1) > 0).mean() < 0.02  # hardly any leaves the frame


def test_no_two_images_are_alike(data):
    assert len({image.tobytes() for images in (data.train_images, data.test_images) for image in images}) == 35_000


def test_the_label_says_what_is_drawn(data):
    """The nearest of the ten mean images is the right one far more often than one time in ten."""
    x, test = pixels(data.train_images[:5_000]), pixels(data.test_images[:1_000])
    means = np.stack([x[data.train_labels[:5_000] == digit].mean(axis=0) for digit in range(10)])
    nearest = ((test[:, None] - means) ** 2).sum(axis=-1).argmin(axis=1)
    assert (nearest == data.test_labels[:1_000]).mean() > 0.7


def test_the_digits_look_like_digits(data):
    """So that no two labels are exchanged: where the ink is."""
    x = pixels(data.train_images[:5_000]).reshape(-1, 28, 28)
    mean = np.stack([x[data.train_labels[:5_000] == digit].mean(axis=0) for digit in range(10)])
    ink, centre = mean.sum(axis=(1, 2)), mean[:, 12:16, 12:16].mean(axis=(1, 2))
    above = mean[:, :14].sum(axis=(1, 2)) / mean[:, 14:].sum(axis=(1, 2))
    assert (ink.argmin(), ink.argmax()) == (1, 8)
    assert (centre.argmin(), centre.argmax()) == (0, 8)  # a hole, a crossing
    assert (above.argmin(), above.argmax()) == (6, 7)


def test_a_linear_code_needs_many_numbers(data):
    """An image was drawn from about a dozen; PCA with 32 still leaves a clear error."""
    x, test = pixels(data.train_images[:5_000]), pixels(data.test_images)
    error = {k: ((PCA(k).fit(x).reconstruct(test) - test) ** 2).mean() for k in (16, 32)}
    assert error[16] > 0.02
    assert error[32] > 0.012


def test_pixels():
    images = np.arange(256, dtype=np.uint8).reshape(2, 8, 16)
    x = pixels(images)
    assert (x.shape, x.dtype) == ((2, 128), np.float32)
    assert x.ravel().tolist() == [np.float32(i) / np.float32(255) for i in range(256)]
    assert (x.min(), x.max()) == (0, 1)


def test_an_unknown_name():
    with pytest.raises(DataError, match="unknown data 'mnits': expected one of strokes, mnist, fashion-mnist"):
        load_data("mnits")
    assert NAMES == ("strokes", "mnist", "fashion-mnist")
