"""Models in files: what comes back is what was saved, or an error that says why not."""

import json
import os
import pickle
import re
import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import safetensors.numpy
from numpy.testing import assert_array_equal
from safetensors import safe_open

import scratchae
from scratchae import (
    L1,
    MSE,
    SGD,
    Adam,
    Autoencoder,
    Cosine,
    Dense,
    Flatten,
    Layer,
    LearnedGaussian,
    Reshape,
    ScratchaeError,
    Sequential,
    Sigmoid,
    SparseKL,
    Step,
    Tanh,
    fit,
    load,
    save,
)
from scratchae.backend import to_numpy
from scratchae.errors import CheckpointError
from scratchae.losses import Loss
from scratchae.models import Model
from scratchae.penalties import Penalty
from scratchae.study import CATALOGUE
from scratchae.training import container, restore
from scratchae.training.architecture import architecture, build, describe


def made(kind):
    """(name, entry) of the rows of the catalogue that are of this kind: what is added there is tested here."""
    return [(name, entry) for name, entry in CATALOGUE.items() if isinstance(entry.make(6), kind)]


def named(entries):
    return {"argvalues": [entry for _, entry in entries], "ids": [name for name, _ in entries]}


def draw(entry, n=5):
    return entry.inputs(np.random.default_rng(0), n, 6)


def model_around(layer, x):
    """An autoencoder of x whose encoder begins with the layer."""
    y = layer.forward(x)
    back = Dense(3, int(np.prod(x.shape[1:])), rng=12), Reshape(x.shape[1:])
    return Autoencoder(
        Sequential(layer, Flatten(), Dense(int(np.prod(y.shape[1:])), 3, rng=11)), Sequential(*back), loss=MSE()
    )


def tiny(**options):
    encoder = Sequential(Dense(6, 4, rng=1), Sigmoid())
    return Autoencoder(encoder, Sequential(Dense(4, 6, rng=2)), **{"loss": MSE()} | options)


def shaken(model):
    """The model with numbers in all its parameters, the biases too."""
    rng = np.random.default_rng(3)
    for _, layer, name in model.named_parameters():
        getattr(layer, name)[...] = rng.standard_normal(getattr(layer, name).shape)
    return model


def assert_same_model(model, other, x=None):
    """Built alike, with the same bits in all parameters; and they do the same."""
    assert repr(model) == repr(other)
    for (name, layer, attribute), (name2, layer2, _) in zip(
        model.named_parameters(), other.named_parameters(), strict=True
    ):
        a, b = to_numpy(getattr(layer, attribute)), to_numpy(getattr(layer2, attribute))
        assert (name, a.dtype, a.shape, a.tobytes()) == (name2, b.dtype, b.shape, b.tobytes())
    if x is not None:
        assert_array_equal(model.objective(x)["loss"], other.objective(x)["loss"])
        if hasattr(model, "reconstruct"):
            assert model.reconstruct(x).tobytes() == other.reconstruct(x).tobytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "model.safetensors"


# What comes back


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entry", **named(made(Layer)))
def test_every_layer_comes_back(path, entry, dtype):
    [x] = draw(entry)
    x = x.astype(dtype)
    layer = entry.make(6).to(dtype=dtype)
    model = shaken(model_around(layer, x).to(dtype=dtype))
    save(model, path)
    assert_same_model(load(path), model, x)


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@pytest.mark.parametrize("entry", **named(made(Model)))
def test_every_model_comes_back(path, entry, dtype):
    [x] = draw(entry)
    x = x.astype(dtype)
    model = entry.make(6).to(dtype=dtype)
    parameters = model.parameters.copy()
    save(model, path)
    assert_same_model(load(path), model, x)
    assert_array_equal(model.parameters, parameters)


@pytest.mark.parametrize("entry", **named(made(Loss)))
def test_every_loss_comes_back(path, entry):
    x = np.random.default_rng(0).random((5, 6), dtype=np.float32)
    x /= x.sum(axis=1, keepdims=True)  # SoftmaxCrossEntropy takes no others
    loss = entry.make(6)
    makes = 12 if isinstance(loss, LearnedGaussian) else 6  # a mean and a variance for each number
    model = Autoencoder(Sequential(Dense(6, 4)), Sequential(Dense(4, makes), Sigmoid()), loss=loss)
    save(model, path)
    assert_same_model(load(path), model, x)


@pytest.mark.parametrize("entry", **named(made(Penalty)))
def test_every_penalty_comes_back(path, entry):
    x = np.random.default_rng(0).random((5, 6), dtype=np.float32)
    model = tiny(penalty=entry.make(6))
    save(model, path)
    assert_same_model(load(path), model, x)


@pytest.mark.parametrize(
    "options", [{"tied": True}, {"tied": True, "penalty": L1(0.1)}, {"penalty": SparseKL(0.1, 2)}]
)
def test_what_comes_back_can_be_trained_on(device, path, options):
    """Gradients, views and ties are whole again."""
    x = np.random.default_rng(0).random((20, 6), dtype=np.float32)
    training = {"epochs": 2, "batch_size": 8, "progress": False, "device": device}
    model = tiny(**options)
    fit(model, x, optimizer=Adam(0.01), **training)
    save(model, path)  # from the device
    again = load(path)
    assert isinstance(again.parameters, np.ndarray)
    for each in (model, again):
        fit(each, x, optimizer=Adam(0.01), **training)
    assert_same_model(again, model)


@pytest.mark.parametrize(
    "thing",
    [
        Adam(1e-3, 0.8, eps=1e-6, weight_decay=0.1, clip_norm=1.0),
        Adam(Cosine(0.1, 100, warmup=5)),
        SGD(Step(0.1, 10, 0.5), momentum=0.9),
        SGD(np.float32(0.1)),
    ],
    ids=repr,
)
def test_optimizers_and_schedules_come_back(thing):
    again = build(json.loads(json.dumps(describe(thing))))
    assert type(again) is type(thing)
    assert describe(again) == describe(thing)
    assert [again.lr(t) for t in range(9)] == [thing.lr(t) for t in range(9)] if callable(thing.lr) else True


def test_a_tied_weight_is_saved_once(path):
    save(tiny(tied=True), path)
    with safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == {"encoder.0.W", "encoder.0.b", "decoder.0.b"}
    model = load(path)
    assert np.shares_memory(model.decoder.layers[0].W, model.encoder.layers[0].W)


def test_saving_takes_the_place_of_an_older_file(path):
    save(shaken(tiny()), path)
    model = tiny()
    save(model, str(path))
    assert_same_model(load(str(path)), model)
    assert [*path.parent.iterdir()] == [path]


def test_a_checkpoint_of_training_is_a_model_too(path):
    model = tiny()
    fit(model, np.ones((9, 6), np.float32), epochs=2, batch_size=4, optimizer=Adam(), progress=False, checkpoint=path)
    assert_same_model(load(path), model)


def test_the_file_is_open_to_all(path):
    """No pickle: tensors by name, and JSON that any program can read."""
    save(tiny(penalty=L1(0.1)), path)
    with safe_open(path, framework="numpy") as file:
        assert set(file.keys()) == {f"{layer}.0.{name}" for layer in ("encoder", "decoder") for name in "Wb"}
        metadata = file.metadata()
    described = json.loads(metadata["scratchae"])
    assert described["version"] == 1
    assert described["model"]["class"] == "Autoencoder"
    assert described["model"]["penalty"] == {"class": "L1", "weight": 0.1}
    content = path.read_bytes()
    length = struct.unpack("<Q", content[:8])[0]
    assert set(json.loads(content[8 : 8 + length])) > {"__metadata__", "encoder.0.W"}


# Layers of one's own


class Cube(Layer):
    """Not in scratchae."""

    def __init__(self, scale):
        self.scale = scale

    def forward(self, x, rng=None):
        self.x = x
        return self.scale * x**3

    def backward(self, dy):
        return 3 * self.scale * self.x**2 * dy


def with_cube(scale=0.5):
    return Autoencoder(Sequential(Dense(6, 4), Cube(scale)), Sequential(Dense(4, 6)), loss=MSE())


def test_a_layer_of_ones_own_comes_back_by_restore(path):
    model = shaken(with_cube())
    save(model, path)
    with pytest.raises(
        CheckpointError, match=r"Cube.*build the model yourself, then scratchae\.training\.restore\(model, path\)"
    ):
        load(path)
    again = with_cube()
    restore(again, path)
    assert_same_model(again, model, np.ones((2, 6), np.float32))


def test_restore_takes_the_dtype_of_the_file(path):
    model = shaken(with_cube().to(dtype=np.float64))
    save(model, path)
    again = with_cube()
    restore(again, path)
    assert_same_model(again, model)
    assert again.parameters.dtype == again.gradient.dtype == np.float64


@pytest.mark.parametrize("other", [with_cube(0.25), tiny(), tiny(tied=True)], ids=["argument", "layer", "tied"])
def test_restore_refuses_another_architecture(path, other):
    save(with_cube(), path)
    before = other.parameters.copy()
    with pytest.raises(CheckpointError, match=r"another architecture.*Cube"):
        restore(other, path)
    assert_array_equal(other.parameters, before)


def test_a_layer_of_ones_own_with_a_name_of_ours_is_not_taken_for_it(path):
    """Whoever learns writes a Sigmoid: its file must not quietly come back as another function."""
    own = type("Sigmoid", (Cube,), {})
    save(Autoencoder(Sequential(Dense(6, 4), own(0.5)), Sequential(Dense(4, 6)), loss=MSE()), path)
    with pytest.raises(CheckpointError, match="Sigmoid"):
        load(path)

    # without constructor arguments the two cannot be told apart by them
    plain = type("Tanh", (Cube,), {"__init__": lambda self: Cube.__init__(self, 0.5)})
    save(Autoencoder(Sequential(Dense(6, 4), plain()), Sequential(Dense(4, 6)), loss=MSE()), path)
    with pytest.raises(CheckpointError, match="Tanh"):
        load(path)


def test_an_argument_that_json_cannot_hold(path):
    with pytest.raises(ScratchaeError, match=r"Cube|object"):
        save(with_cube(object()), path)
    assert not path.exists()


# Damage


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    """A model with all kinds of metadata and the bytes of its file."""
    rng = np.random.default_rng(0)
    encoder = Sequential(scratchae.GaussianNoise(0.5, clip=(0, 1)), Dense(6, 5, rng=rng), Tanh())
    model = shaken(Autoencoder(encoder, Sequential(Dense(5, 6, rng=rng)), loss=MSE(), penalty=L1(0.1)))
    path = tmp_path_factory.mktemp("good") / "model.safetensors"
    save(model, path)
    return model, path.read_bytes()


def header_length(content):
    return 8 + struct.unpack("<Q", content[:8])[0]


def test_a_file_cut_short_at_any_length(path, good):
    _, content = good
    for length in {*range(0, len(content), 7), *range(20), *range(len(content) - 20, len(content))}:
        path.write_bytes(content[:length])
        with pytest.raises(CheckpointError, match=r"model\.safetensors is damaged"):
            load(path)


def test_a_file_with_bytes_too_many(path, good):
    path.write_bytes(good[1] + b"\0")
    with pytest.raises(CheckpointError, match="damaged"):
        load(path)


@pytest.mark.parametrize("area", ["header", "data"])
def test_a_byte_that_changed(path, good, area):
    """Any byte, in any way: an error, or, where the header has blanks to fill it up, the very same model."""
    model, content = good
    middle = header_length(content)
    first, last = (0, middle) if area == "header" else (middle, len(content))
    rng = np.random.default_rng(0)
    positions = np.unique(rng.integers(first, last, 400))
    survived = 0
    for position in [*range(first, first + 12), *positions.tolist(), last - 1]:
        for mask in (1 << int(rng.integers(8)), int(rng.integers(1, 256))):  # one bit, and any number of them
            damaged = bytearray(content)
            damaged[position] ^= mask
            path.write_bytes(damaged)
            try:
                found = load(path)
            except CheckpointError as error:
                assert str(path) in str(error)  # noqa: PT017 (most are errors, some may not be)
            else:
                assert_same_model(found, model)
                survived += 1
    assert survived == 0 if area == "data" else survived < 20


@pytest.mark.parametrize(
    "exchange",
    [
        {b"encoder.0.W": b"decoder.0.W", b"decoder.0.W": b"encoder.0.W"},
        {b"[4,9]": b"[9,4]", b"[9,4]": b"[4,9]"},
        {b'"F32"': b'"I32"'},
    ],
    ids=["names", "shapes", "dtypes"],
)
def test_a_header_that_was_changed(path, exchange):
    """To what the format allows: its own checks would not notice."""
    save(Autoencoder(Sequential(Dense(4, 9, rng=1)), Sequential(Dense(9, 4, rng=2)), loss=MSE()), path)
    content = path.read_bytes()
    assert all(word in content for word in exchange)
    path.write_bytes(re.sub(b"|".join(map(re.escape, exchange)), lambda word: exchange[word[0]], content))
    with pytest.raises(CheckpointError, match="checksum"):
        load(path)


# Other files


def foreign(path, **options):
    safetensors.numpy.save_file({"a": np.zeros(3, np.float32)}, path, **options)


def bfloat16(path):
    header = json.dumps({"a": {"dtype": "BF16", "shape": [2], "data_offsets": [0, 4]}}).encode()
    path.write_bytes(struct.pack("<Q", len(header)) + header + b"\0\0\0\0")


OTHER_FILES = {
    "missing": (lambda path: None, "no checkpoint at"),
    "a folder": (lambda path: path.mkdir(), "no checkpoint at"),
    "empty": (lambda path: path.write_bytes(b""), "damaged"),
    "text": (lambda path: path.write_text("epoch,loss\n1,0.5\n"), "damaged or no checkpoint"),
    "zeros": (lambda path: path.write_bytes(bytes(1000)), "damaged"),
    "pickle": (lambda path: path.write_bytes(pickle.dumps({"model": 1})), "damaged or no checkpoint"),
    "safetensors without metadata": (foreign, "not written by scratchae"),
    "safetensors of PyTorch": (lambda path: foreign(path, metadata={"format": "pt"}), "not written by scratchae"),
    "safetensors with JSON": (lambda path: foreign(path, metadata={"scratchae": "[1]"}), "not written by scratchae"),
    "safetensors of another program": (
        lambda path: foreign(path, metadata={"scratchae": '{"sha256": "0", "version": 1}'}),
        "other|not written by scratchae|damaged",
    ),
    "safetensors in bfloat16": (bfloat16, "not written by scratchae|damaged"),
}


@pytest.mark.parametrize("kind", OTHER_FILES)
def test_what_is_no_checkpoint(path, kind):
    write, message = OTHER_FILES[kind]
    write(path)
    with pytest.raises(CheckpointError, match=message) as raised:
        load(path)
    assert str(path) in str(raised.value)
    with pytest.raises(CheckpointError, match=message):
        restore(tiny(), path)


def test_the_same_model_gives_the_same_bytes(path):
    contents = set()
    for _ in range(8):
        save(tiny(penalty=L1(0.1)), path)
        contents.add(path.read_bytes())
    assert len(contents) == 1


@pytest.mark.skipif(os.name != "posix", reason="files have no modes here")
def test_others_may_read_it_as_far_as_the_umask_lets_them(path):
    before = os.umask(0o027)
    try:
        save(tiny(), path)
    finally:
        os.umask(before)
    assert path.stat().st_mode & 0o777 == 0o640


def test_a_newer_format(path, monkeypatch):
    with monkeypatch.context() as patch:
        patch.setattr(container, "FORMAT_VERSION", 2)
        save(tiny(), path)
    with pytest.raises(CheckpointError, match=r"format version 2, this scratchae reads up to 1: upgrade"):
        load(path)


# Writing that fails


def half_way(error):
    def save_file(arrays, path, metadata):
        with open(path, "wb") as file:
            file.write(b"half")
        raise error

    return save_file


FULL = OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("where", "name", "failure"),
    [
        (safetensors.numpy, "save_file", half_way(FULL)),
        (safetensors.numpy, "save_file", half_way(safetensors.SafetensorError("I/O error: No space left on device"))),
        (os, "replace", lambda *_: (_ for _ in ()).throw(FULL)),
        (os, "fsync", lambda *_: (_ for _ in ()).throw(FULL)),
    ],
    ids=["writing", "writing, as safetensors says it", "renaming", "flushing"],
)
@pytest.mark.parametrize("old", [True, False])
def test_a_write_that_fails_leaves_the_older_file(path, monkeypatch, where, name, failure, old):
    if old:
        save(tiny(), path)
    with monkeypatch.context() as patch:
        patch.setattr(where, name, failure)
        with pytest.raises(CheckpointError, match=r"cannot write .*No space left"):
            save(shaken(tiny()), path)
    assert [*path.parent.iterdir()] == ([path] if old else [])
    if old:
        assert_same_model(load(path), tiny())


def test_a_full_disk(path):
    """A real one, as far as the process can tell: it may write no file of more than 3,000 bytes."""
    save(tiny(), path)
    script = """
        import resource, signal, sys
        from scratchae import *

        model = Autoencoder(Sequential(Dense(600, 4)), Sequential(Dense(4, 600)), loss=MSE())
        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (3000, 3000))
        try:
            save(model, sys.argv[1])
        except ScratchaeError as error:
            sys.exit(f"refused: {error}")
    """
    command = [sys.executable, "-c", textwrap.dedent(script), path]
    process = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert process.stderr.startswith(f"refused: cannot write {path}")
    assert [*path.parent.iterdir()] == [path]
    assert_same_model(load(path), tiny())


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(path):
    save(tiny(), path)
    path.parent.chmod(0o500)
    try:
        with pytest.raises(CheckpointError, match=r"Permission denied.*may write"):
            save(shaken(tiny()), path)
    finally:
        path.parent.chmod(0o700)
    assert_same_model(load(path), tiny())


@pytest.mark.parametrize("place", ["file/model", "."])
def test_a_place_where_no_file_can_be(tmp_path, place):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(CheckpointError, match="cannot write"):
        save(tiny(), tmp_path / place)
    assert [file.name for file in tmp_path.iterdir()] == ["file"]


# A sound file of another version


def written(path, change):
    """A model in a file, whose description was changed before it was written."""
    model = tiny()
    description = describe(model)
    change(description)
    container.write(path, {"model": description}, model.tensors())


def test_a_shape_from_before_it_could_be_several_numbers():
    assert build({"class": "Reshape", "shape": [4, 3, 2]}).shape == (4, 3, 2)
    assert describe(Reshape(4, 3, 2)) == {"class": "Reshape", "shape": [4, 3, 2]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (
            lambda d: d["encoder"]["layers"][0].update(bias=False),
            "Dense cannot be made again as it was: it has no argument bias",
        ),
        (
            lambda d: d["encoder"]["layers"][0].pop("inputs"),
            "Dense cannot be made again as it was: .*missing 1 required",
        ),
        (lambda d: d["encoder"]["layers"][0].update(inputs=0), r"Dense\(inputs=0\): expected a whole number"),
    ],
)
def test_arguments_that_this_version_does_not_take(path, change, message):
    written(path, change)
    with pytest.raises(CheckpointError, match=rf"written by scratchae {scratchae.__version__}, read by .*{message}"):
        load(path)


def test_a_file_without_a_model(path):
    container.write(path, {}, {"x": np.zeros(3)})
    for use in (load, lambda path: restore(Autoencoder(Dense(4, 2), Dense(2, 4), loss=MSE()), path)):
        with pytest.raises(CheckpointError, match=r"\(written by scratchae .*read by .*it holds no model"):
            use(path)


def test_only_models_are_saved(path):
    with pytest.raises(CheckpointError, match=r"save\(PCA\(2\)\): expected a model"):
        save(scratchae.PCA(2), path)


def test_defaults_are_written_out():
    """Else a file would change its meaning with a default; older files, which lack them, are still the same architecture."""
    full = describe(Dense(3, 2, rng=0))
    assert full == {"class": "Dense", "inputs": 3, "outputs": 2, "init": "glorot"}
    assert architecture({"class": "Dense", "inputs": 3, "outputs": 2}) == architecture(full)


def test_numbers_without_axes_keep_their_shape(path):
    container.write(path, {}, {"x": np.array(2.0)})
    assert container.read(path)[1]["x"].shape == ()
