"""Files that were made to do harm: with a right checksum they say anything. What comes of it is an error of ours, or a sound model."""

import contextlib
import copy
import json
import math
import os
import random
import warnings
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy

import scratchae as sae
from scratchae.errors import CheckpointError, DivergenceError
from scratchae.losses import OwnLoss
from scratchae.models import Model
from scratchae.penalties import OwnPenalty
from scratchae.study import CATALOGUE
from scratchae.training import container, restore
from scratchae.training.architecture import describe

MODELS = {name: entry for name, entry in CATALOGUE.items() if isinstance(entry.make(6), Model)}
TRIES = int(os.environ.get("SCRATCHAE_FUZZ", "30"))  # for each test; and a seed, for others than usual
SEED = os.environ.get("SCRATCHAE_FUZZ_SEED", "")
SCALARS = [
    None,
    True,
    False,
    0,
    -1,
    1,
    2,
    3,
    2**31,
    10**30,
    0.5,
    -0.5,
    math.nan,
    math.inf,
    "",
    "no",
    "\x1b]0;x\x07",
    "Dense",
]
KEYS = ["class", "dict", "array", "function", "generator", "attributes", "rng", "loss", "layers", "dtype", "W"]
DTYPES = ["f2", "f4", "f8", "i1", "u8", "?"]


def places(value, path=()):
    """Every place in nested lists and dicts."""
    yield path
    for key, inner in (
        value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    ):
        yield from places(inner, (*path, key))


def at(value, path):
    for key in path:
        value = value[key]
    return value


def thing(rng, known):
    """Something of no sense, or of another sense."""
    kind = rng.randrange(8)
    if kind < 3:
        return rng.choice(SCALARS)
    if kind == 3:
        return [thing(rng, known) for _ in range(rng.randrange(3))]
    if kind == 4:
        return {rng.choice(KEYS): thing(rng, known) for _ in range(rng.randrange(1, 3))}
    if kind == 5:
        return {"array": [[1, 2], [3]], "dtype": rng.choice(["f4", "O", "U1000000000", "nonsense", "M8[s]"])}
    return copy.deepcopy(rng.choice(known))


def edited(rng, content, known):
    """A copy of what a file says, with a few things exchanged, removed, added, renamed or wrapped deeply."""
    content = {"root": copy.deepcopy(content)}
    for _ in range(rng.randrange(1, 4)):
        path = rng.choice([place for place in places(content) if place])
        here, key = at(content, path[:-1]), path[-1]
        kind = rng.randrange(8)
        if kind < 4:
            here[key] = thing(rng, known)
        elif kind == 4 and path != ("root",):
            del here[key]
        elif kind == 5 and isinstance(here[key], dict):
            here[key][rng.choice(KEYS)] = thing(rng, known)
        elif kind == 6 and isinstance(here[key], list):
            here[key] = here[key] * rng.randrange(2, 4)
        elif isinstance(here[key], int | float) and not isinstance(here[key], bool):
            here[key] = here[key] * rng.choice([-1, 10, 10**4, 10**9, 0.5])
    return content["root"]


def edited_tensors(rng, tensors):
    """A copy of the tensors with one missing, added, renamed, of another shape or dtype, or with NaN; mostly as they are."""
    tensors, name = dict(tensors), rng.choice(list(tensors))
    kind = rng.randrange(12)
    if kind == 0:
        del tensors[name]
    elif kind == 1:
        tensors[rng.choice(["x", "optimizer.lr", "optimizer.m", "best.x", "\x1b[2J"])] = np.ones(3, np.float32)
    elif kind == 2:
        tensors[name] = tensors[name].T if tensors[name].ndim > 1 else tensors[name][:-1]
    elif kind == 3:
        tensors[name] = tensors[name].astype(rng.choice(DTYPES))
    elif kind == 4 and tensors[name].size:
        tensors[name] = np.where(
            np.arange(tensors[name].size).reshape(tensors[name].shape) == 0,
            rng.choice([np.nan, np.inf]),
            tensors[name],
        ).astype(tensors[name].dtype)
    return tensors


def write(path, metadata, tensors):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of casts
        container.write(path, metadata, tensors)


@pytest.fixture(scope="module")
def known():
    """Descriptions of all kinds of things of the library."""
    found = [describe(thing) for thing in (sae.Adam(sae.Cosine(0.1, 100)), sae.Step(0.1, 3), sae.SGD(0.1))]
    for entry in CATALOGUE.values():
        with contextlib.suppress(CheckpointError):  # not of a kind that stands in files
            found.append(describe(entry.make(6)))
    return found


@pytest.fixture(autouse=True)
def little_memory():
    """What takes too much fails here, and does not bring down the machine."""
    resource = pytest.importorskip("resource")
    if not Path("/proc/self/statm").exists():
        pytest.skip("it is not known how much memory there is")
    before = resource.getrlimit(resource.RLIMIT_AS)
    now = int(Path("/proc/self/statm").read_text(encoding="ascii").split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (now + 2**30, before[1]))
    yield
    resource.setrlimit(resource.RLIMIT_AS, before)


@pytest.fixture
def path(tmp_path, monkeypatch):
    monkeypatch.setattr(os, "fsync", lambda number: None)  # thousands of them take long
    return tmp_path / "model.safetensors"


def assert_clean(error, path):
    assert str(path) in str(error) and all(c.isprintable() or c == "\n" for c in str(error))


def assert_sound(model):
    assert isinstance(model, Model) and describe(model)
    for tensor in model.tensors().values():
        assert tensor.dtype in (np.float32, np.float64) and np.isfinite(tensor).all()
    for part in (getattr(model, "loss", None), getattr(model, "penalty", None)):
        assert not isinstance(part, OwnLoss | OwnPenalty)


@pytest.mark.parametrize("name", MODELS)
def test_a_model_that_was_edited(path, known, name):
    rng, model = random.Random(f"{name} {SEED}"), MODELS[name].make(6)
    whole, weights = {"model": describe(model)}, model.tensors()
    for _ in range(TRIES):
        content = edited(rng, whole, known)
        write(path, content if isinstance(content, dict) else {"model": content}, edited_tensors(rng, weights))
        try:
            found = sae.load(path)
        except CheckpointError as error:
            assert_clean(error, path)
        else:
            assert_sound(found)


def tiny(**options):
    encoder = sae.Sequential(sae.Dense(6, 4, rng=1), sae.BatchNorm(4), sae.Sigmoid())
    return sae.Autoencoder(encoder, sae.Dense(4, 6, rng=2), **{"loss": sae.MSE()} | options)


X = np.random.default_rng(0).random((20, 6), dtype=np.float32)


def trained(path, epochs, resume=False):
    model = tiny()
    options = {"optimizer": sae.Adam(0.01), "validation": X, "patience": 3, "progress": False}
    return sae.fit(model, X, epochs=epochs, batch_size=10, checkpoint=path, resume=resume, **options), model


def test_a_training_that_was_edited(path, known):
    """What is resumed from it is sound, or refused before anything was changed."""
    rng = random.Random(f"training {SEED}")
    trained(path, 2)
    whole, weights = container.read(path)
    for _ in range(4 * TRIES):
        content, tensors = edited(rng, whole["training"], known), edited_tensors(rng, weights)
        write(path, {"model": whole["model"], "training": content}, tensors)
        try:
            history, model = trained(path, 3, resume=True)
        except CheckpointError as error:
            assert_clean(error, path)
        except DivergenceError:  # the optimizer may remember squares that are infinite
            pass
        else:
            assert history["epoch"] == [1, 2, 3]
            assert_sound(model)


def edited_header(rng, content):
    """The bytes of a file in whose header something was exchanged."""
    length = int.from_bytes(content[:8], "little")
    header = json.loads(content[8 : 8 + length])
    header = edited(rng, header, [header])
    if rng.random() < 0.5 and isinstance(header, dict):
        ours = edited(rng, json.loads(header.get("__metadata__", {}).get("scratchae", "{}")), SCALARS)
        header["__metadata__"] = {"scratchae": json.dumps(ours)}
    text = json.dumps(header).encode()
    return len(text).to_bytes(8, "little") + text + content[8 + length :]


def test_a_header_that_was_edited(path):
    rng = random.Random(f"header {SEED}")
    sae.save(tiny(), path)
    content = path.read_bytes()
    for _ in range(4 * TRIES):
        try:
            path.write_bytes(edited_header(rng, content))
        except (AttributeError, TypeError, ValueError):  # no dict of JSON any more where one was
            continue
        try:
            assert_sound(sae.load(path))
        except CheckpointError as error:
            assert_clean(error, path)


# What was found, one by one

DENSE = {"class": "Dense", "inputs": 6, "outputs": 4}
BACK = {"class": "Dense", "inputs": 4, "outputs": 6}
SOUND = {"class": "Autoencoder", "encoder": DENSE, "decoder": BACK, "loss": {"class": "MSE"}}


def nested(levels):
    model = DENSE
    for _ in range(levels):
        model = {"class": "Sequential", "layers": [model]}
    return model


@pytest.mark.parametrize(
    ("model", "message"),
    [
        ({"class": "Autoencoder", **{end: {**DENSE, "inputs": 40_000, "outputs": 40_000} for end in ("encoder", "decoder")}, "loss": {"class": "MSE"}}, "more than the file holds"),
        (SOUND | {"encoder": {"class": "BatchNorm", "features": 10**12}}, "more than the file holds|this machine has"),
        (SOUND | {"encoder": {"class": "Conv2d", "in_channels": 10**5, "out_channels": 10**5, "kernel_size": 3}}, "more than the file holds"),
        ({"class": "RBM", "visible": 10**6, "hidden": 10**6}, "more than the file holds"),
        ({"class": "DBN", "sizes": [10**5, 10**5, 10]}, "more than the file holds"),
        ({"class": "RBM", "visible": 4, "hidden": 6, "persistent": True, "chains": 10**12}, ""),
        (SOUND | {"beta": {"array": [0] * 9, "dtype": "U100000000"}}, "cannot hold 'U100000000'"),
        ([SOUND], "it holds a tuple where a model should be"),
        (DENSE, "it holds a Dense where a model should be"),
        ({"class": "Adam"}, "it holds a Adam where a model should be"),
        ({"encoder": DENSE}, "KeyError"),
        ({"class": "Layer"}, "'Layer', which scratchae does not have"),
        ({"class": "\x1b]0;x\x07"}, r"holds a '\\x1b\]0;x\\x07'"),
        ({"class": 5}, ""),
        (SOUND | {"width": 5}, "it has no argument width"),
        (SOUND | {"rng": 5}, "it has no argument rng"),
        (SOUND | {"encoder": {**DENSE, "rng": 5}}, "it has no argument rng"),
        (SOUND | {"tied": "no"}, "expected True or False"),
        (SOUND | {"loss": None}, "expected a loss"),
        (SOUND | {"loss": {"class": "Cosine", "lr": 0.1, "steps": 9}}, "expected a loss"),
        (SOUND | {"loss": {"function": "MSE"}}, "takes 'MSE' for something else"),
        (SOUND | {"penalty": {"class": "MSE"}}, "expected a penalty"),
        (SOUND | {"attributes": {"encode": 5}}, "attributes that it cannot have"),
        (SOUND | {"encoder": nested(3000)}, ""),
        (SOUND | {"encoder": nested(300)}, ""),
    ],
)  # fmt: skip
def test_a_description_of_no_model(path, model, message):
    content = sae.Autoencoder(sae.Dense(6, 4), sae.Dense(4, 6), loss=sae.MSE()).tensors()
    try:
        container.write(path, {"model": model}, content)
    except RecursionError:
        text = json.dumps(SOUND).replace(json.dumps(DENSE), "[" * 3000 + "]" * 3000)
        foreign = {"scratchae": '{"sha256": "0", "version": 1, "model": ' + text + "}"}
        safetensors.numpy.save_file(content, path, metadata=foreign)
    with pytest.raises(CheckpointError, match=message or None) as raised:
        sae.load(path)
    assert_clean(raised.value, path)


@pytest.mark.parametrize("version", ["Infinity", "NaN", "[]", '"x"', "null", "1e400", "[" * 100_000])
def test_a_version_of_no_format(path, version):
    text = '{"sha256": "0", "version": ' + version + "}"
    safetensors.numpy.save_file({"a": np.zeros(3)}, path, metadata={"scratchae": text})
    with pytest.raises(CheckpointError, match=r"not written by scratchae|damaged"):
        sae.load(path)


@pytest.mark.parametrize("dtype", ["F8_E4M3", "F8_E5M2", "BF16", "\\u001b[2J"])
def test_a_dtype_that_numpy_does_not_have(path, dtype):
    text = ('{"a": {"dtype": "' + dtype + '", "shape": [2], "data_offsets": [0, 2]}}').encode()
    path.write_bytes(len(text).to_bytes(8, "little") + text + bytes(2))
    with pytest.raises(CheckpointError, match=r"damaged|not written by") as raised:
        sae.load(path)
    assert_clean(raised.value, path)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("name", ["encoder.0.W", "encoder.1.running_mean"])
def test_weights_that_are_not_finite(path, name, value):
    model = tiny()
    tensors = model.tensors()
    tensors[name][0] = value
    container.write(path, {"model": describe(model)}, tensors)
    for use in (sae.load, lambda path: restore(tiny(), path)):
        with pytest.raises(CheckpointError, match=rf"{name} holds NaN or infinity"):
            use(path)
    with pytest.raises(CheckpointError, match=rf"save\(Autoencoder\(…\), .*{name} holds NaN or infinity"):
        sae.save(model, path)


@pytest.mark.parametrize("dtype", ["i1", "?", "u8", "f2"])
def test_weights_that_are_no_floats_of_ours(path, dtype):
    model = tiny()
    write(path, {"model": describe(model)}, {name: t.astype(dtype) for name, t in model.tensors().items()})
    with pytest.raises(CheckpointError, match="expected float32 or float64"):
        sae.load(path)


def test_weights_that_no_part_of_the_model_has(path):
    model = tiny()
    container.write(path, {"model": describe(model)}, model.tensors() | {"\x1b[2J": np.zeros(3)})
    with pytest.raises(CheckpointError, match="which the model does not have") as raised:
        sae.load(path)
    assert_clean(raised.value, path)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda t: t["history"]["loss"].pop(), "its history is damaged"),
        (lambda t: t["history"].update(loss=["x", "y"]), "its history is damaged"),
        (lambda t: t["history"].update(epoch=[2, 3]), "its history is damaged"),
        (lambda t: t.pop("history"), "KeyError"),
        (lambda t: t.pop("settings"), "KeyError"),
        (lambda t: t.update(settings=5), "AttributeError"),
        (lambda t: t.update(updates=-1), "expected a whole number"),
        (lambda t: t.update(updates=0), "it does not hold the state|updates in 2 epochs"),
        (lambda t: t.update(updates="many"), "expected a whole number"),
        (lambda t: t.update(best={"loss": None, "epoch": 0}), "expected a number"),
        (lambda t: t["settings"].update(optimizer={"class": "\x1b[2J"}), "another optimizer"),
        (lambda t: t["settings"].update(seed="\x1b[2J"), r"another seed \('\\x1b\[2J', now 0\)"),
    ],
)
def test_a_training_that_says_nonsense(path, change, message):
    trained(path, 2)
    content, tensors = container.read(path)
    change(content["training"])
    container.write(path, {name: content[name] for name in ("model", "training")}, tensors)
    with pytest.raises(CheckpointError, match=message) as raised:
        trained(path, 3, resume=True)
    assert_clean(raised.value, path)


@pytest.mark.parametrize(
    "change",
    [
        lambda t: t.update({"optimizer.lr": np.zeros(3, np.float32)}),
        lambda t: t.pop("optimizer.m"),
        lambda t: t.update({"optimizer.m": t["optimizer.m"][:-1]}),
        lambda t: t.update({"optimizer.v": np.full_like(t["optimizer.v"], np.nan)}),
        lambda t: t.update({"optimizer.v": t["optimizer.v"].astype("i4")}),
    ],
)
def test_a_state_that_is_none_of_the_optimizer(path, change):
    trained(path, 2)
    content, tensors = container.read(path)
    change(tensors)
    container.write(path, {name: content[name] for name in ("model", "training")}, tensors)
    with pytest.raises(CheckpointError, match=r"it does not hold the state of Adam\("):
        trained(path, 3, resume=True)
