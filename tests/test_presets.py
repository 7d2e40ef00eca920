"""The named experiments: what they are called is what they are, and each learns."""

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import scratchae.data
from scratchae import Dense, LeakyReLU, ReLU, Softplus, evaluate, fit
from scratchae.data import strokes
from scratchae.errors import DataError, OptionError, ShapeError
from scratchae.layers.stepping import Recurrent
from scratchae.presets import HELD_OUT, PRESETS, Form, find_preset, split
from scratchae.presets.dense import curved_sheet, slanted_gaussian

SIZES = {
    "simple": [784, 256, 784],
    "bottleneck": [1000, 100, 50, 100, 1000],
    "deep": [784, 128, 64, 32, 64, 128, 784],
    "deep-linear-code": [784, 128, 64, 32, 64, 128, 784],
    "overcomplete": [2, 50, 2],
    "table": [784, 128, 16, 128, 784],
    "science2006": [784, 1000, 500, 250, 30, 250, 500, 1000, 784],
    "dbn": [784, 1000, 500, 250, 30, 250, 500, 1000, 784],
    "denoising": [784, 512, 256, 512, 784],
    "denoising-masking": [784, 512, 256, 512, 784],
    "denoising-salt-and-pepper": [784, 512, 256, 512, 784],
    "masked": [784, 512, 256, 512, 784],
    "sparse": [784, 256, 784],
    "sparse-kl": [784, 256, 784],
    "k-sparse": [784, 256, 784],
    "contractive": [784, 256, 784],
    # the code twice: its mean and its variance
    "vae": [784, 128, 64, 32, 32, 64, 128, 784],
    "vae-2d": [784, 512, 256, 2, 2, 256, 512, 784],
    "vae-400": [784, 400, 20, 20, 400, 784],
    "beta-vae": [784, 400, 20, 20, 400, 784],
    "cvae": [794, 400, 8, 8, 400, 784],
    "diffusion": [800, 512, 512, 784],
    "vae-binary": [784, 500, 500, 50, 50, 500, 500, 784],
}
# height, width and channels at every step where they change, the code in the middle
MAPS = {
    "rbm": [(784,), ()],  # an image to its free energy
    "conv": [(28, 28, 1), (14, 14, 16), (7, 7, 32), (1, 1, 64), (7, 7, 32), (14, 14, 16), (28, 28, 1)],
    "conv-pool": [
        *((28, 28, 1), (28, 28, 16), (14, 14, 16), (14, 14, 8), (7, 7, 8), (4, 4, 8)),
        *((8, 8, 8), (16, 16, 8), (14, 14, 16), (28, 28, 16), (28, 28, 1)),
    ],
    "conv-denoising": [
        *((28, 28, 1), (28, 28, 32), (14, 14, 32), (7, 7, 32)),
        *((14, 14, 32), (28, 28, 32), (28, 28, 1)),
    ],
    "vae-conv": [
        *((28, 28, 1), (14, 14, 32), (7, 7, 64), (3136,), (20,)),
        *((3136,), (7, 7, 64), (14, 14, 32), (28, 28, 1)),
    ],
    "vqvae": [
        *((28, 28, 1), (14, 14, 16), (7, 7, 32), (7, 7, 16)),
        *((7, 7, 32), (14, 14, 16), (28, 28, 1)),
    ],
}
# of sequences, the code in the middle
ROWS = [(28, 28), (128,), (32,), (28, 128), (28, 28)]
MAPS |= {"sequence": ROWS, "sequence-gru": ROWS}
MAPS["sequence-attention"] = [(28, 28), (28, 128), (8, 4), (28, 64), (28, 128), (28, 28)]
COUNTS = {
    "sequence": 48_444,
    "sequence-gru": 130_108,
    "sequence-attention": 141_724,
    "conv": 210_369,
    "conv-pool": 4_385,  # as the Keras blog's
    "conv-denoising": 28_353,  # as keras.io prints
    "simple": 402_448,
    "bottleneck": 211_250,
    "deep": 222_384,
    "deep-linear-code": 222_384,
    "overcomplete": 252,
    "table": 205_856,
    "science2006": 2_837_314,
    "dbn": 2_837_314,
    "rbm": 393_284,
    "denoising": 1_067_024,
    "denoising-masking": 1_067_024,
    "denoising-salt-and-pepper": 1_067_024,
    "masked": 1_067_024,
    "sparse": 201_744,  # W counts once
    "sparse-kl": 402_448,
    "k-sparse": 201_744,
    "contractive": 201_744,
    "vae": 224_464,
    "vae-2d": 1_068_820,
    "vae-400": 652_824,  # as of PyTorch's example
    "vae-conv": 228_905,
    "beta-vae": 652_824,
    "cvae": 646_400,
    "vae-binary": 1_361_884,
    "diffusion": 1_074_960,
    "gan": 1_083_921,
    "gan-conv": 250_882,
    "aae": 1_085_331,
    "vqvae": 14_737,  # without the codebook, which is a moving average
}
# PCA beside these has another size, for a reason that stands with the preset
OTHER_PCA = {
    *("gan", "gan-conv"),  # which have no encoder
    *("conv-denoising", "denoising", "denoising-masking", "denoising-salt-and-pepper", "sparse", "k-sparse"),
    *("masked", "vqvae", "diffusion"),
}
RECTIFIERS = (ReLU, LeakyReLU, Softplus)
IMAGES = [name for name, preset in PRESETS.items() if preset.synthetic is None]
TWO_PLAYERS = {"gan", "gan-conv", "aae"}
SYNTHETIC = [name for name, preset in PRESETS.items() if preset.synthetic is not None]


@pytest.fixture
def few_strokes(monkeypatch):
    """600 and 100 images: what load_data then gives."""
    data = strokes(600, 100)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    return data


def dense_layers(model):
    """Each with the layer that follows it, or None."""
    layers = [layer for _, layer in model.leaves()]
    return [
        (layer, after) for layer, after in zip(layers, [*layers[1:], None], strict=True) if isinstance(layer, Dense)
    ]


@pytest.mark.parametrize("name", PRESETS)
def test_the_name_and_the_summary(name):
    preset = find_preset(name)
    assert preset is PRESETS[name]
    assert preset.name == name
    assert preset.summary
    assert preset.epochs > 0 < preset.batch_size


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_as_named(name):
    model = PRESETS[name].build(np.random.default_rng(0))
    layers = [layer for layer, _ in dense_layers(model)]
    assert [layers[0].inputs, *(layer.outputs for layer in layers)] == SIZES[name]
    assert model.parameter_count() == COUNTS[name]
    if name not in ("deep-linear-code", "overcomplete", "simple"):
        assert PRESETS[name].summary.startswith("-".join(map(str, SIZES[name][: (len(SIZES[name]) + 1) // 2])))


@pytest.mark.parametrize("name", MAPS)
def test_images_on_their_way(name):
    model = PRESETS[name].build(np.random.default_rng(0))
    x = np.zeros((1, *PRESETS[name].shape), np.float32)
    shapes = [x.shape[1:]]
    for place, layer in model.leaves():
        if place == "log_var":  # beside mu
            continue
        if place == "decoder.0" and isinstance(layer, Recurrent):  # which is given the code at every step
            x = np.repeat(x[:, None], 28, axis=1)
        x = layer.forward(x)
        if x.shape[1:] != shapes[-1]:
            shapes.append(x.shape[1:])
    assert shapes == MAPS[name]
    assert model.parameter_count() == COUNTS[name]


def test_every_preset_is_described_here():
    assert SIZES.keys() | MAPS.keys() | TWO_PLAYERS == COUNTS.keys() == PRESETS.keys()


@pytest.mark.parametrize("name", sorted(TWO_PLAYERS))
def test_two_players_are_as_large_as_said(name):
    assert PRESETS[name].build(np.random.default_rng(0)).parameter_count() == COUNTS[name]


@pytest.mark.parametrize("name", sorted(PRESETS.keys() - OTHER_PCA))
def test_the_code_is_as_large_as_said(name):
    """PCA beside the model gets a code of the same size; only a code larger than the data would be too much."""
    preset = PRESETS[name]
    model = preset.build(np.random.default_rng(0))
    shape = (dense_layers(model)[0][0].inputs,) if preset.synthetic or preset.labels else preset.shape
    code = model.encode(np.zeros((1, *shape), np.float32))
    assert preset.code == min(code.size, np.prod(shape))


@pytest.mark.parametrize("name", PRESETS)
def test_the_generator_decides_the_weights(name):
    one, same, other = (PRESETS[name].build(np.random.default_rng(seed)).parameters for seed in (0, 0, 1))
    assert_array_equal(one, same)
    assert (one != other).any()


@pytest.mark.parametrize("name", PRESETS)
def test_the_initialisation_suits_the_activation(name):
    """He's before ReLU and its kin, Glorot's before anything else; no two layers alike."""
    preset = PRESETS[name]
    for build in (preset.build, *preset.variants.values()):
        model = build(np.random.default_rng(0))
        # their W was made for another place
        borrowing = [decoding for _, decoding in getattr(model, "tied_pairs", [])]
        layers = [pair for pair in dense_layers(model) if pair[0] not in borrowing]
        for layer, after in layers:
            he, glorot = 2 / layer.inputs, 2 / (layer.inputs + layer.outputs)
            deviation = (he if isinstance(after, RECTIFIERS) else glorot) ** 0.5
            assert layer.W.std() == pytest.approx(deviation, rel=4 / layer.W.size**0.5)
            assert not layer.b.any()
        firsts = [layer.W.ravel()[:4].tobytes() for layer, _ in layers]
        assert len(set(firsts)) == len(firsts)


@pytest.mark.parametrize("name", PRESETS)
def test_it_learns(name, few_strokes):
    """Twenty steps of its own recipe are enough to see it."""
    preset = PRESETS[name]
    x = preset.examples().train if preset.synthetic is None else preset.synthetic(np.random.default_rng(0), 600)
    for build in (preset.build, *preset.variants.values()):
        model = build(np.random.default_rng(0))
        # a generator that has not begun to learn may lose for a while: then the other player has learned
        metric = "discriminator_loss" if name in ("gan", "gan-conv") else "loss"
        before = evaluate(model, x)[metric]
        fit(model, x, epochs=2, batch_size=60, optimizer=preset.optimizer(preset.lr, 20), progress=False)
        assert evaluate(model, x)[metric] < 0.97 * before


# Data


@pytest.mark.parametrize("name", IMAGES)
def test_images(name, few_strokes):
    examples, labels = PRESETS[name].examples(), PRESETS[name].labels
    held_out = 600 // HELD_OUT
    assert [len(x) for x in (examples.train, examples.validation, examples.test)] == [600 - held_out, held_out, 100]
    both, test = np.concatenate([examples.train, examples.validation]), examples.test
    if labels:  # at the end, one-hot
        assert_array_equal(both[:, 784:], np.eye(10)[few_strokes.train_labels])
        assert_array_equal(test[:, 784:], np.eye(10)[few_strokes.test_labels])
        both, test = both[:, :784], test[:, :784]
    assert both.shape[1:] == test.shape[1:] == PRESETS[name].shape
    assert examples.features == 784
    assert_array_equal(np.rint(both * 255).reshape(600, 784), few_strokes.train_images.reshape(600, 784))  # each once
    assert_array_equal(np.rint(test * 255).reshape(100, 784), few_strokes.test_images.reshape(100, 784))
    assert_array_equal(examples.test_labels, few_strokes.test_labels)
    assert examples.train.dtype == np.float32


@pytest.mark.parametrize("name", SYNTHETIC)
def test_presets_that_make_their_own_data(name):
    preset = PRESETS[name]
    with pytest.raises(OptionError, match=f"'{name}' makes its own data: leave out --data mnist"):
        preset.examples("mnist")
    one, again = preset.examples(), preset.examples()
    assert_array_equal(one.train, again.train)
    assert one.test_labels is None
    assert one.train.dtype == one.test.dtype == np.float32
    rows = {row.tobytes() for x in (one.train, one.validation, one.test) for row in x}
    assert len(rows) == len(one.train) + len(one.validation) + len(one.test)  # no example is in two of them


def test_the_curved_sheet_is_curved():
    """Drawn from 10 numbers, in [0, 1], and more than a plane: 10 directions explain little of it."""
    x = curved_sheet(np.random.default_rng(0), 500)
    assert (x.shape, x.dtype) == ((500, 1000), np.float32)
    assert 0 <= x.min() < 0.1 < 0.9 < x.max() <= 1
    spectrum = np.linalg.svd(x - x.mean(axis=0), compute_uv=False) ** 2
    assert spectrum[:10].sum() < 0.95 * spectrum.sum()
    assert_array_equal(curved_sheet(np.random.default_rng(0), 500), x)


def test_the_slanted_gaussian():
    """Standard deviations 1 and 0.3 along axes turned by 30 degrees."""
    x = slanted_gaussian(np.random.default_rng(0), 50_000)
    values, axes = np.linalg.eigh(np.cov(x.T))
    assert values**0.5 == pytest.approx([0.3, 1.0], rel=0.02)
    assert np.degrees(np.arctan2(axes[1, 1], axes[0, 1])) % 180 == pytest.approx(30, abs=1)
    assert x.dtype == np.float32


def test_split_keeps_the_last_rows_for_validation():
    rows = np.arange(10 * HELD_OUT)[:, None]
    examples = split(rows, rows[:3])
    assert_array_equal(examples.train, rows[:-10])
    assert_array_equal(examples.validation, rows[-10:])


# Names


@pytest.mark.parametrize(
    ("name", "near"),
    [("Deep", "'deep'"), ("science", "'science2006'"), ("overcomplet", "'overcomplete'"), ("simpel", "'simple'")],
)
def test_an_unknown_name_brings_the_nearest(name, near):
    with pytest.raises(OptionError, match=f"unknown preset '{name}': did you mean .*{near}"):
        find_preset(name)


def test_a_name_like_no_other_brings_them_all():
    with pytest.raises(OptionError, match=f"unknown preset 'xyz': expected one of {', '.join(PRESETS)}"):
        find_preset("xyz")


# Other shapes and sizes


OWN_ROWS = [name for name in IMAGES if len(PRESETS[name].shape) == 1]
OWN_IMAGES = [name for name in IMAGES if len(PRESETS[name].shape) == 3]
NEEDS_PROBABILITIES = {"rbm", "dbn", "vae-binary", "denoising-salt-and-pepper"}


def trained_on(name, x, **chosen):
    """The preset's model for data like x, after a step."""
    preset = PRESETS[name]
    unit = bool(x.min() >= 0)
    if preset.labels:
        chosen["labels"] = 3
    model = preset.build(np.random.default_rng(0), Form(x.shape[1:], unit, **chosen))
    if preset.labels:
        x = np.concatenate([x, np.eye(3, dtype=np.float32)[np.arange(len(x)) % 3]], axis=1)
    fit(model, x, epochs=1, batch_size=4, optimizer=preset.optimizer(preset.lr, 2), progress=False)
    return model, x


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("width", [1, 7, 30])
@pytest.mark.parametrize("name", OWN_ROWS)
def test_dense_presets_take_any_width_and_range(name, width, unit):
    x = np.random.default_rng(0).random((8, width), dtype=np.float32) * (1 if unit else 6) - (0 if unit else 3)
    if name in NEEDS_PROBABILITIES and not unit:
        with pytest.raises(OptionError, match=r"0 (and|or) 1, and the data do not lie between them: choose"):
            trained_on(name, x)
        return
    model, given = trained_on(name, x)
    assert np.isfinite(model.reconstruct(given) if name != "gan" else model.sample(8, 0)).all()


@pytest.mark.parametrize("unit", [True, False])
@pytest.mark.parametrize("shape", [(28, 28, 3), (33, 21, 1), (1, 5, 2), (7, 8, 3), (16, 16, 1)])
@pytest.mark.parametrize("name", OWN_IMAGES)
def test_convolutional_presets_take_any_image(name, shape, unit):
    x = np.random.default_rng(0).random((8, *shape), dtype=np.float32) * (1 if unit else 6) - (0 if unit else 3)
    if name == "vqvae" and shape[0] * shape[1] < 64:
        with pytest.raises(DataError, match="codebook"):
            trained_on(name, x)
        return
    model, given = trained_on(name, x)
    assert (model.reconstruct(given) if name != "gan-conv" else model.sample(8, 0)).shape == x.shape


@pytest.mark.parametrize("name", [name for name in OWN_ROWS if name not in ("gan", "diffusion")])
def test_the_size_of_the_code_and_of_hidden_layers_can_be_chosen(name):
    x = np.random.default_rng(0).random((8, 12), dtype=np.float32)
    model, given = trained_on(name, x, code=3)
    assert model.encode(given).shape == (8, 3)
    if name in {"rbm", "sparse", "sparse-kl", "k-sparse", "contractive"}:
        with pytest.raises(OptionError, match=r"--hidden.*one layer.*--code"):
            trained_on(name, x, hidden=(9, 5))
        return
    model, _ = trained_on(name, x, hidden=(9, 5), code=2)
    sizes = [layer.outputs for layer, _ in dense_layers(model)][
        : -3 if name == "aae" else None
    ]  # without the discriminator
    assert sizes[:3] == [9, 5, 2] and sizes[-3:-1] == [5, 9]


def test_what_cannot_fit_says_what_would():
    x = np.zeros((8, 28, 28, 1), np.float32)
    with pytest.raises(OptionError, match="conv has 2 hidden layers of channels, such as --hidden 16,32"):
        trained_on("conv", x, hidden=(9,))
    with pytest.raises(OptionError, match="maps of 4×4, so the code is a multiple of 16, such as --code 16"):
        trained_on("conv-pool", x, code=20)
    with pytest.raises(OptionError, match="32 maps of 7×7: choose the number of maps, --hidden 32,32"):
        trained_on("conv-denoising", x, code=20)
    with pytest.raises(ShapeError, match=r"needs images.*rows of 30 numbers: choose a dense preset, such as table"):
        trained_on("conv", np.zeros((8, 30), np.float32))
    model, _ = trained_on("conv", x, hidden=(3, 4), code=5)
    assert model.encode(x).size == 8 * 5
