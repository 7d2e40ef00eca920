"""Compression: what goes in comes out, as far as it says, in as few bits as it says."""

import numpy as np
import pytest

from scratchae import CVAE, MSE, PCA, VAE, Adam, Autoencoder, BCEWithLogits, Dense, ReLU, Sequential, fit
from scratchae.data import strokes
from scratchae.errors import DataError, OptionError
from scratchae.uses.coding import Codec, bits_back, bits_forth, read_file, write_file

pytest.importorskip("constriction")
X = (strokes(600, 10).train_images / np.float32(255)).reshape(600, 784)
STEPS = (0.05, 0.5, 2.0)


def dense(model=None, loss=None):
    rng = np.random.default_rng(0)
    encoder = Sequential(Dense(784, 40, init="he", rng=rng), ReLU(), Dense(40, 6, rng=rng))
    decoder = Sequential(Dense(6, 40, init="he", rng=rng), ReLU(), Dense(40, 784, rng=rng))
    return Autoencoder(encoder, decoder, loss=MSE())


def binary():
    rng = np.random.default_rng(0)
    heads = Dense(40, 5, rng=rng), Dense(40, 5, rng=rng)
    encoder = Sequential(Dense(784, 40, init="he", rng=rng), ReLU())
    decoder = Sequential(Dense(5, 40, init="he", rng=rng), ReLU(), Dense(40, 784, rng=rng))
    return VAE(encoder, *heads, decoder, loss=BCEWithLogits(), binarise=True)


def fitted(model, epochs=8):
    fit(model, X[:500], epochs=epochs, batch_size=50, optimizer=Adam(3e-3), progress=False)
    return model


@pytest.fixture(scope="module", params=["network", "PCA"])
def codec(request):
    coder = fitted(dense()) if request.param == "network" else PCA(6).fit(X[:500])
    return Codec.fit(coder, X[:500])


def test_the_finer_the_more_bits_and_the_less_error(codec):
    bits, errors = [], []
    for step in STEPS:
        payload = codec.compress(X, step)
        made = codec.decompress(payload, len(X), step)
        bits.append(len(payload) * 8)
        errors.append(float(((made - X) ** 2).sum(axis=1).mean()))
    assert bits[0] > bits[1] > bits[2] and errors[0] < errors[1] < errors[2]
    plain = float(((codec.coder.reconstruct(X) - X) ** 2).sum(axis=1).mean())
    assert errors[0] == pytest.approx(plain, rel=0.02)


def test_the_bits_are_those_of_the_entropy(codec):
    """Of each number by itself, as estimated from the data."""
    k = codec.symbols(codec.turned(X), 0.5)
    entropy = 0.0
    for column in k.T:
        p = np.unique(column, return_counts=True)[1] / len(column)
        entropy -= len(column) * (p * np.log2(p)).sum()
    assert entropy < 8 * len(codec.compress(X, 0.5)) < 1.06 * entropy + 64


def test_an_error_of_a_step_costs_the_same_in_every_direction(codec):
    """t is such that the decoder neither stretches nor shrinks it, on average over the examples."""
    t = codec.turned(X[:200])
    base = codec.examples(t / 1e-3, 1e-3)
    costs = []
    for j in range(6):
        moved = t.copy()
        moved[:, j] += 0.2
        costs.append(float(((codec.examples(moved / 1e-3, 1e-3) - base) ** 2).sum(axis=1).mean()) / 0.04)
    assert costs == pytest.approx([1.0] * 6, rel=0.3)


def test_a_file(tmp_path, codec):
    weights = np.arange(5.0)
    size = write_file(tmp_path / "x.sae", codec, weights, X[:20], 0.5)
    assert size == (tmp_path / "x.sae").stat().st_size
    expected = codec.decompress(codec.compress(X[:20], 0.5), 20, 0.5)
    np.testing.assert_array_equal(read_file(tmp_path / "x.sae", codec, weights), expected)
    kept = Codec.from_tensors(codec.coder, codec.tensors())
    again = Codec.from_tensors(codec.coder, kept.tensors())
    write_file(tmp_path / "y.sae", kept, weights, X[:20], 0.5)
    np.testing.assert_array_equal(
        read_file(tmp_path / "y.sae", again, weights), kept.decompress(kept.compress(X[:20], 0.5), 20, 0.5)
    )
    with pytest.raises(DataError, match="compressed by another model"):
        read_file(tmp_path / "x.sae", codec, weights + 1)


@pytest.mark.parametrize("place", [0, 12, 40, -20, -1])
def test_a_damaged_file_is_never_half_read(tmp_path, codec, place):
    path = tmp_path / "x.sae"
    write_file(path, codec, np.arange(5.0), X[:20], 0.5)
    content = bytearray(path.read_bytes())
    content[place] ^= 1
    path.write_bytes(content)
    with pytest.raises(DataError, match=r"checksum does not match|is not a file that"):
        read_file(path, codec, np.arange(5.0))
    path.write_bytes(content[:-7])
    with pytest.raises(DataError, match=r"checksum does not match|is not a file that"):
        read_file(path, codec, np.arange(5.0))


def test_numbers_beyond_the_training_examples(codec):
    far = 3 * X[:5]
    made = codec.decompress(codec.compress(far, 0.5), 5, 0.5)
    assert np.isfinite(made).all()


# Without loss


def test_bits_back_gets_every_bit_back_at_the_price_of_the_bound():
    model = fitted(binary(), 15)
    x = (np.random.default_rng(1).random((100, 784)) < X[500:]).astype(np.float32)
    bits, each = bits_back(model, x)
    np.testing.assert_array_equal(bits_forth(model, bits, len(x), (784,)), x)
    bound = np.mean([model.elbo(x, seed)["negative_elbo"] for seed in range(20)]) / np.log(2)
    assert each == pytest.approx(bound, rel=0.02)


def test_what_cannot_be_coded_without_loss():
    with pytest.raises(DataError, match="grey pixels"):
        bits_back(binary(), X[:2])
    with pytest.raises(OptionError, match="the preset vae-binary"):
        bits_back(dense(), np.zeros((2, 784), np.float32))


def test_a_model_that_is_told_the_class_cannot_compress():
    rng = np.random.default_rng(0)
    heads = Dense(8, 2, rng=rng), Dense(8, 2, rng=rng)
    parts = Sequential(Dense(14, 8, rng=rng)), *heads, Sequential(Dense(6, 10, rng=rng))
    with pytest.raises(OptionError, match="told the class"):
        Codec.fit(CVAE(*parts, labels=4, loss=MSE()), np.zeros((9, 14), np.float32))
