"""Runs: what a training leaves in its folder, what it refuses to overwrite, and how it goes on."""

import itertools
import json
import math
import signal
import struct
import sys

import numpy as np
import pytest

import scratchae
import scratchae.data
from scratchae import (
    BCE,
    GRU,
    MSE,
    Adam,
    Autoencoder,
    BCEWithLogits,
    ContractiveAutoencoder,
    Conv2d,
    ConvTranspose2d,
    Cosine,
    Dense,
    GaussianNoise,
    KSparse,
    ReLU,
    Sequential,
    Sigmoid,
    SparseKL,
    evaluate,
    load,
)
from scratchae.backend import cuda
from scratchae.data import strokes
from scratchae.errors import CheckpointError, DataError, DeviceError, DivergenceError, OptionError, RunError
from scratchae.models import PCA
from scratchae.plots.figure import SMALL_PRINT, figure
from scratchae.presets import Preset
from scratchae.presets.sequential import row_by_row
from scratchae.runs import run as runs_module
from scratchae.runs import train
from scratchae.runs.autoencoder import at_home, neighbours_agree, psnr
from scratchae.runs.autoencoder import draw as draw_run


def dense(inputs, code, *, before=(), loss=None):
    """A function that builds the autoencoder inputs-code-inputs."""

    def build(rng, form=None):
        encoder = Sequential(*before, Dense(inputs, code, rng=rng), Sigmoid())
        return Autoencoder(encoder, Sequential(Dense(code, inputs, rng=rng)), loss=loss or MSE())

    return build


def points(rng, n):
    return rng.random((n // 100, 3), dtype=np.float32)


IMAGES = Preset("images", "784-5-784", dense(784, 5), code=5, epochs=2, batch_size=100)
LOGITS = Preset(
    "logits", "784-5-784, with a schedule", dense(784, 5, loss=BCEWithLogits()), code=5, epochs=2, batch_size=100,
    optimizer=lambda lr, steps: Adam(Cosine(lr, steps)),
)  # fmt: skip
NOISY = Preset("noisy", "3-2-3", dense(3, 2, before=[GaussianNoise(0.1)]), 2, 2, 10, 0.01, synthetic=points)


def images(rng, form=None):
    encoder = Sequential(GaussianNoise(0.4, clip=(0, 1)), Conv2d(1, 3, 4, stride=4, rng=rng), ReLU())
    return Autoencoder(encoder, Sequential(ConvTranspose2d(3, 1, 4, stride=4, rng=rng), Sigmoid()), loss=BCE())


def restrained(rng, *after, kind=Autoencoder, **options):
    encoder = Sequential(Dense(784, 6, rng=rng), *after)
    return kind(encoder, Sequential(Dense(6, 784, rng=rng)), loss=MSE(), **options)


RESTRAINED = [
    Preset("kl", "784-6-784", lambda rng, form=None: restrained(rng, Sigmoid(), penalty=SparseKL(0.2, 1.0)), 6, 2, 100),
    Preset("two", "784-6-784", lambda rng, form=None: restrained(rng, ReLU(), KSparse(2)), 2, 2, 100),
    Preset(
        "still", "784-6-784",
        lambda rng, form=None: restrained(rng, Sigmoid(), kind=ContractiveAutoencoder, weight=0.1), 6, 2, 100,
    ),
]  # fmt: skip
ROWS = Preset(
    "rows", "28 rows", lambda rng, form: row_by_row(GRU, rng, form), code=32, epochs=2, batch_size=100, shape=(28, 28)
)
MAPS = Preset("maps", "1-3-1, denoising", images, code=6, epochs=2, batch_size=100, shape=(28, 28, 1))
PLANE = Preset(
    "plane", "2-4-2", dense(2, 4), code=2, epochs=2, batch_size=10, synthetic=lambda rng, n: points(rng, n)[:, :2],
    variants={"noise": dense(2, 4, before=[GaussianNoise(0.1)]), "a larger code": dense(2, 8)},
)  # fmt: skip
FILES = ["checkpoint.safetensors", "history.csv", "model.safetensors", "run.json"]


@pytest.fixture(autouse=True)
def small_and_apart(monkeypatch, tmp_path):
    """A few strokes as data, and an empty folder to work in."""
    data = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.chdir(tmp_path)


@pytest.fixture
def every_picture(monkeypatch):
    """Also those that show nothing after so little training."""
    monkeypatch.setattr(scratchae.runs.autoencoder, "SHOWN", 0)
    monkeypatch.setattr(scratchae.runs.autoencoder, "STRUCTURE", -1)


@pytest.fixture
def no_pictures(monkeypatch):
    """Most of a run's time is drawing."""
    monkeypatch.setattr(scratchae.runs.autoencoder, "draw", lambda *_: None)


def files(folder):
    return {path.name: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def record_of(folder):
    def refuse(name):
        raise ValueError(f"{name} is no JSON")

    return json.loads((folder / "run.json").read_text(encoding="utf-8"), parse_constant=refuse)


def losses(folder):
    names, *lines = (line.split(",") for line in (folder / "history.csv").read_text().splitlines())
    return [[line[names.index(name)] for name in ("epoch", "loss", "validation_loss")] for line in lines]


def png_size(content):
    """(width, height) of a PNG file."""
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")  # whole
    return struct.unpack(">2I", content[16:24])


# What is left


@pytest.mark.parametrize(
    ("preset", "pictures"),
    [
        (IMAGES, ["filters", "latent", "loss", "reconstructions"]),
        (LOGITS, ["filters", "latent", "loss", "reconstructions"]),
        (MAPS, ["feature_maps", "kernels", "latent", "loss", "reconstructions"]),
        (ROWS, ["latent", "loss", "reading", "reconstructions", "through_time"]),
        (NOISY, ["curves", "latent", "loss"]),
        (PLANE, ["displacements", "loss"]),
        *((preset, ["activations", "filters", "latent", "loss", "reconstructions"]) for preset in RESTRAINED),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
def test_a_run_leaves_model_history_figures_and_pictures(tmp_path, capsys, every_picture, preset, pictures):
    folder = tmp_path / "run"
    record = train(preset, out=folder)
    found = files(folder)
    assert sorted(found) == sorted([*FILES, *(f"{picture}.png" for picture in pictures)])
    for picture in pictures:
        width, height = png_size(found[f"{picture}.png"])
        assert 300 < width < 4000 and 150 < height < 4000
        assert len(found[f"{picture}.png"]) > 3000

    assert record == record_of(folder)
    assert record["preset"] == preset.name
    assert record["data"] == ("strokes" if preset.synthetic is None else "synthetic")
    assert (record["status"], record["epochs"], record["seed"], record["device"]) == ("done", 2, 0, "cpu")
    assert record["versions"]["scratchae"] == scratchae.__version__
    assert len(losses(folder)) == 2

    model = load(folder / "model.safetensors")
    assert record["model"] == repr(model)
    assert record["parameters"] == model.parameter_count()
    assert_right_figures(record, model, preset)
    measured = evaluate(model, preset.examples().validation)["loss"]
    assert float(losses(folder)[-1][2]) == pytest.approx(measured, rel=1e-5)

    output = capsys.readouterr().out
    assert f"{preset.name}: {preset.summary}" in output
    assert f"{model.parameter_count():,} parameters" in output
    for name in found:
        assert name in output
    assert "measuring on" in output and "drawing loss, " in output
    for values in record["figures"].values():
        for value in values.values():
            assert f"{value:.4f}" in output


def test_a_run_in_another_format_takes_the_place_of_the_first(tmp_path, capsys, every_picture):
    train(IMAGES, out=tmp_path / "run", watched=True)
    names = {path.stem for path in (tmp_path / "run").glob("*.png")}
    train(IMAGES, out=tmp_path / "run", epochs=3, resume=True, watched=True, format="svg")
    assert {path.stem for path in (tmp_path / "run").glob("*.svg")} == names == {
        *("filters", "gradient_flow", "latent", "loss", "reconstructions")
    }  # fmt: skip
    assert not [*(tmp_path / "run").glob("*.png")]
    assert "3 epochs" in (tmp_path / "run" / "loss.svg").read_text()


def test_an_unknown_format_is_refused_before_anything_is_made(tmp_path):
    with pytest.raises(OptionError, match="format='jpg': pictures are drawn as png, svg, pdf"):
        train(IMAGES, out=tmp_path / "run", format="jpg")
    assert not (tmp_path / "run").exists()


def test_a_picture_that_would_show_nothing_is_left_out_with_a_reason(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr(scratchae.runs.autoencoder, "SHOWN", 1.01)
    monkeypatch.setattr(scratchae.runs.autoencoder, "STRUCTURE", 1.01)
    (tmp_path / "run").mkdir()
    train(IMAGES, out=tmp_path / "run", epochs=1)
    (tmp_path / "run" / "latent.png").write_text("of an earlier epoch, when it showed something")
    train(IMAGES, out=tmp_path / "run", epochs=2, resume=True)
    assert sorted(path.name for path in (tmp_path / "run").glob("*.png")) == ["loss.png", "reconstructions.png"]
    output = capsys.readouterr().out
    assert "\nlatent.png is left out: along the code's two widest directions" in output
    assert "\nfilters.png is left out: neighbouring weights of the first layer hardly agree" in output


def test_each_picture_says_what_run_it_is_of(tmp_path, every_picture, monkeypatch):
    said = {}

    def watching(path, width, height, caption=""):
        said[path.stem] = SMALL_PRINT.get()
        return figure(path, width, height, caption)

    for module in (scratchae.plots.images, scratchae.plots.codes, scratchae.plots.training):
        monkeypatch.setattr(module, "figure", watching)
    record = train(IMAGES, out=tmp_path / "run", watched=True)
    error, pca = (values["squared_error"] for values in record["figures"].values())
    assert said.pop("gradient_flow") == "images · strokes"  # drawn before anything is measured
    assert set(said) == {"filters", "latent", "loss", "reconstructions"}
    expected = f"images · strokes · 2 epochs · test: squared error {error:.2f} per image (PCA-5: {pca:.2f})"
    assert set(said.values()) == {expected}
    assert SMALL_PRINT.get() == ""


def test_the_loss_is_drawn_beside_its_like(tmp_path, no_pictures, monkeypatch):
    """Of a model with a penalty the reconstruction, as PCA has none; of noisy inputs what PCA makes of noisy ones."""
    calls = []
    monkeypatch.setattr(scratchae.runs.autoencoder, "draw_images", lambda *_: None)
    monkeypatch.setattr(scratchae.plots, "loss_curve", lambda *given, **look: calls.append((given, look)))
    for preset in (RESTRAINED[0], IMAGES, NOISY):
        model, examples = preset.build(np.random.default_rng(0)), preset.examples()
        pca = PCA(preset.code).fit(examples.train)
        history = scratchae.History({"loss": [1.0], **({"penalty": [0.5]} if preset is RESTRAINED[0] else {})})
        album = scratchae.runs.album.Album(tmp_path, "png", "")
        draw_run(model, {}, preset, pca, examples, history, album)
    (kl, plain, noisy) = calls
    assert (kl[1]["part"], kl[1]["beside"]) == ("reconstruction", ["penalty"])
    assert "part" not in plain[1] and "sum of reconstruction and penalty" in kl[1]["caption"]
    assert "inputs are noisy" in noisy[1]["caption"] and "inputs are noisy" not in plain[1]["caption"]
    x = NOISY.examples().validation
    noise = NOISY.build(np.random.default_rng(0)).corrupted(x, np.random.default_rng(0))
    name, error = noisy[0][3]
    made = PCA(2).fit(NOISY.examples().train).reconstruct(noise)
    assert name == "PCA-2 (validation)"
    assert error == pytest.approx(((made - x) ** 2).sum(axis=1).mean(), rel=1e-4)


def test_neighbours_agree_in_shapes_and_not_in_noise():
    rng = np.random.default_rng(0)
    noise = rng.standard_normal((40, 28, 28))
    assert abs(neighbours_agree(noise)) < 0.06
    i, j = np.mgrid[:28, :28]
    for phase in (i, j, i + j, i - j):  # thin strokes, in each direction
        assert neighbours_agree(np.sin(1.5 * phase)[None]) > 0.95
    assert neighbours_agree(0 * noise) == 0


def test_at_home():
    points = np.array([[0.0, 0], [1, 0], [10, 0], [11, 0], [0, 1]])
    assert at_home(points, np.array([0, 0, 1, 1, 1])) == 0.8  # the last is nearer to the others' middle


def assert_right_figures(record, model, preset):
    """As computed anew, by the formulas, from the file's model."""
    examples = preset.examples()
    x, given = examples.test.astype(np.float64), examples.test
    noisy = preset in (NOISY, MAPS)
    if noisy:  # it gets noisy examples, and is measured by the clean ones
        noise = model.encoder.layers[0]
        given = given + noise.std * np.random.default_rng(0).standard_normal(given.shape, dtype=np.float32)
        given = given if noise.clip is None else given.clip(*noise.clip)
    z = model.encoder.forward(given)
    if preset is ROWS:  # the code at every step
        z = np.repeat(z[:, None], 28, axis=1)
    made = model.decoder.forward(z).astype(np.float64)
    expected = {}
    if preset in (LOGITS, MAPS):
        if preset is LOGITS:
            made = 1 / (1 + np.exp(-made))
        expected["cross_entropy"] = -(x * np.log(made) + (1 - x) * np.log(1 - made)).sum() / len(x)
        inner = x[(x > 0) & (x < 1)]
        entropy = -(inner * np.log(inner) + (1 - inner) * np.log(1 - inner)).sum()
        expected["cross_entropy_floor"] = entropy / len(x)
    expected["squared_error"] = ((made - x) ** 2).sum() / len(x)
    if preset in RESTRAINED:
        z = model.encoder.forward(given).astype(np.float64)
        on = z > 0 if preset.name == "two" else z > 0.5
        unused = [not column.any() for column in on.T]
        activity = {"mean_activation": z.sum() / z.size, "active_units": on.mean(), "idle_units": np.mean(unused)}
        assert preset.name != "two" or 0 < on.mean() <= 2 / 6
        expected |= activity
    figures = record["figures"]
    others = {"noisy input"} if preset is NOISY else {"noisy input", "median 3×3"} if preset is MAPS else set()
    assert set(figures) == {preset.name, f"PCA-{preset.code}"} | others
    if preset is MAPS:
        for values in figures.values():  # 1 is the range of a pixel, and error / 784 its mean squared error
            assert values.pop("psnr") == pytest.approx(10 * math.log10(1 / (values["squared_error"] / 784)))
        error = ((plain_median(given) - x) ** 2).sum() / len(x)
        assert figures["median 3×3"] == {"squared_error": pytest.approx(error, 1e-4)}
    assert figures[preset.name] == pytest.approx(expected, rel=1e-4)
    if noisy:
        assert figures["noisy input"] == {"squared_error": pytest.approx(((given - x) ** 2).sum() / len(x), 1e-4)}

    train, x, given = (rows.reshape(len(rows), -1) for rows in (examples.train, x, given))
    mean = train.mean(axis=0, dtype=np.float64)
    _, _, directions = np.linalg.svd(train - mean, full_matrices=False)
    C = directions[: preset.code]
    rest = x - mean - (given - mean) @ C.T @ C
    assert figures[f"PCA-{preset.code}"] == {"squared_error": pytest.approx((rest**2).sum(axis=1).mean(), 1e-4, 1e-8)}


def plain_median(x):
    """Pixel by pixel, the middle of the nine around it, some of which are the edge's own once more."""
    images, filtered = x.reshape(-1, 28, 28), np.zeros((len(x), 28, 28))
    near = [np.clip([i - 1, i, i + 1], 0, 27) for i in range(28)]
    for i, j in itertools.product(range(28), repeat=2):
        nine = images[:, near[i]][:, :, near[j]].reshape(len(x), 9)
        filtered[:, i, j] = np.sort(nine, axis=1)[:, 4]
    return filtered.reshape(x.shape)


def test_what_is_not_given_is_the_presets(tmp_path, no_pictures):
    record = train(NOISY, out=tmp_path / "a")
    assert (record["epochs"], record["batch_size"], record["lr"]) == (2, 10, 0.01)
    record = train(NOISY, out=tmp_path / "b", epochs=3, batch_size=7, lr=0.5, seed=4)
    assert (record["epochs"], record["batch_size"], record["lr"], record["seed"]) == (3, 7, 0.5, 4)
    assert len(losses(tmp_path / "b")) == 3


def test_the_seed_decides_the_model(tmp_path, no_pictures):
    for name, seed in (("one", 0), ("same", 0), ("other", 1)):
        train(NOISY, out=tmp_path / name, seed=seed)
    one, same, other = (load(tmp_path / name / "model.safetensors") for name in ("one", "same", "other"))
    assert one.parameters.tobytes() == same.parameters.tobytes() != other.parameters.tobytes()
    assert losses(tmp_path / "one") == losses(tmp_path / "same")


def test_variants_are_trained_as_the_model_was(tmp_path, monkeypatch):
    """Else the picture would compare long training with short."""
    trained = []
    fit = runs_module.fit

    def watching(model, x, **options):
        trained.append([options["epochs"], options["batch_size"], repr(options["optimizer"]), options["seed"]])
        return fit(model, x, **options)

    monkeypatch.setattr(runs_module, "fit", watching)
    train(PLANE, out=tmp_path / "run", epochs=1, batch_size=20, lr=0.05, seed=3)
    assert len(trained) == 3
    assert trained == [trained[0]] * 3


# The folder


def test_the_default_folder_is_a_new_one(tmp_path, no_pictures):
    for _ in range(3):
        train(IMAGES)
    train(NOISY)
    found = sorted(path.relative_to(tmp_path).as_posix() for path in tmp_path.glob("*/*"))
    assert found == ["runs/images-strokes", "runs/images-strokes-2", "runs/images-strokes-3", "runs/noisy-synthetic"]


def test_to_resume_the_default_is_the_last_folder(tmp_path, no_pictures):
    train(NOISY, resume=True)  # there is none: a first one
    train(NOISY)
    train(NOISY, resume=True, epochs=3)
    assert record_of(tmp_path / "runs/noisy-synthetic")["epochs"] == 2
    assert record_of(tmp_path / "runs/noisy-synthetic-2")["epochs"] == 3
    assert len([*(tmp_path / "runs").iterdir()]) == 2


def test_an_empty_folder_will_do(tmp_path, no_pictures):
    (tmp_path / "deep" / "run").mkdir(parents=True)
    assert train(NOISY, out=tmp_path / "deep" / "run")["status"] == "done"


def test_an_existing_run_is_not_touched(tmp_path, no_pictures):
    train(NOISY, out=tmp_path / "run")
    before = files(tmp_path / "run")
    with pytest.raises(RunError, match=r"already holds a run: --resume goes on with it, or choose another --out"):
        train(NOISY, out=tmp_path / "run")
    assert files(tmp_path / "run") == before


def test_a_folder_of_something_else_is_not_touched(tmp_path):
    (tmp_path / "thesis").mkdir()
    (tmp_path / "thesis" / "model.safetensors").write_text("the work of years")
    for resume in (False, True):
        with pytest.raises(RunError, match="not empty and holds no run"):
            train(NOISY, out=tmp_path / "thesis", resume=resume)
    assert files(tmp_path / "thesis") == {"model.safetensors": b"the work of years"}


@pytest.mark.parametrize("out", ["file", "file/inside"])
def test_a_folder_that_cannot_be_made(tmp_path, out):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(RunError, match=r"cannot write to .*: choose another --out"):
        train(NOISY, out=tmp_path / out)
    assert files(tmp_path) == {"file": b"in the way"}


# Going on


@pytest.mark.parametrize("preset", [NOISY, LOGITS], ids=lambda preset: preset.name)
def test_resuming_after_ctrl_c_is_as_if_never_stopped(tmp_path, no_pictures, monkeypatch, capsys, preset):
    train(preset, out=tmp_path / "straight", epochs=4)

    step, steps = Autoencoder.training_step, itertools.count()
    third_epoch = 2 * math.ceil(len(preset.examples().train) / preset.batch_size) + 1

    def interrupted(self, x, rng=None):
        if next(steps) == third_epoch:
            signal.raise_signal(signal.SIGINT)
        return step(self, x, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Autoencoder, "training_step", interrupted)
        record = train(preset, out=tmp_path / "parts", epochs=4)
    assert record["status"] == "interrupted"
    assert record == record_of(tmp_path / "parts")
    assert record["epochs"] == 2
    assert f"--resume --out {tmp_path / 'parts'} continues" in capsys.readouterr().out
    assert np.isfinite(load(tmp_path / "parts" / "model.safetensors").parameters).all()

    record = train(preset, out=tmp_path / "parts", epochs=4, resume=True)
    assert (record["status"], record["epochs"]) == ("done", 4)
    assert losses(tmp_path / "parts") == losses(tmp_path / "straight")
    models = [load(tmp_path / name / "model.safetensors").parameters.tobytes() for name in ("parts", "straight")]
    assert models[0] == models[1]


def test_resuming_adds_epochs(tmp_path, no_pictures):
    train(NOISY, out=tmp_path / "straight", epochs=5)
    train(NOISY, out=tmp_path / "parts", epochs=2)
    train(NOISY, out=tmp_path / "parts", epochs=5, resume=True)
    assert losses(tmp_path / "parts") == losses(tmp_path / "straight")


def test_ctrl_c_in_the_first_epoch(tmp_path, monkeypatch):
    """There is a model, no history, and nothing to draw."""
    step = Autoencoder.training_step

    def interrupted(self, x, rng=None):
        signal.raise_signal(signal.SIGINT)
        return step(self, x, rng)

    monkeypatch.setattr(Autoencoder, "training_step", interrupted)
    record = train(NOISY, out=tmp_path / "run")
    assert (record["status"], record["epochs"]) == ("interrupted", 0)
    assert sorted(files(tmp_path / "run")) == ["checkpoint.safetensors", "model.safetensors", "run.json"]


def test_ctrl_c_while_the_variants_train(tmp_path, monkeypatch):
    """Ends the run, not just the variant at hand."""
    fit, trained = runs_module.fit, []

    def interrupted(model, x, **options):
        trained.append(repr(model))
        if len(trained) == 2:
            step = model.training_step
            model.training_step = lambda x, rng=None: (signal.raise_signal(signal.SIGINT), step(x, rng))[1]
        return fit(model, x, **options)

    monkeypatch.setattr(runs_module, "fit", interrupted)
    try:
        status = train(PLANE, out=tmp_path / "run")["status"]
    except KeyboardInterrupt:
        status = "interrupted"
    assert status == "interrupted"
    assert len(trained) == 2


@pytest.mark.parametrize(
    ("change", "error", "message"),
    [
        ({"preset": IMAGES}, RunError, r"another preset \(noisy, now images\)"),
        ({"seed": 1}, RunError, r"another seed \(0, now 1\)"),
        ({"batch_size": 9}, CheckpointError, r"another batch_size \(10, now 9\)"),
        ({"lr": 0.5}, CheckpointError, r"another optimizer \(Adam\(0\.01\), now Adam\(0\.5\)\)"),
        ({"device": "gpu"}, DeviceError, "CuPy"),
        ({"data": "mnist"}, OptionError, "makes its own data"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_resuming_otherwise_is_refused_and_changes_nothing(
    tmp_path, monkeypatch, no_pictures, no_gpu, change, error, message
):
    """The figures of the finished run are still there."""
    train(NOISY, out=tmp_path / "run")
    before = files(tmp_path / "run")
    with pytest.raises(error, match=message):
        train(**{"preset": NOISY, "out": tmp_path / "run", "resume": True} | change)
    assert files(tmp_path / "run") == before


@pytest.mark.parametrize("text", ["", "{", "[]", "null", '{"preset": "noisy"}'])
def test_resuming_with_a_damaged_record_is_refused(tmp_path, text):
    (tmp_path / "run").mkdir()
    (tmp_path / "run" / "run.json").write_text(text)
    with pytest.raises(RunError, match=r"run\.json is damaged or no record of a run"):
        train(NOISY, out=tmp_path / "run", resume=True)
    assert files(tmp_path / "run") == {"run.json": text.encode()}


# What goes wrong


@pytest.fixture
def no_gpu(monkeypatch):
    """Whatever this machine has."""
    monkeypatch.setattr(cuda, "loaded", cuda.loaded.__wrapped__)  # without its memory
    monkeypatch.setitem(sys.modules, "cupy", None)


@pytest.mark.parametrize(
    ("options", "error"),
    [
        ({"device": "gpu"}, DeviceError),
        ({"data": "mnist", "data_dir": "nowhere"}, DataError),
        ({"seed": -1}, OptionError),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_mistake_leaves_no_folder_behind(tmp_path, no_gpu, options, error):
    """Else the corrected command would be told that its folder is taken."""
    with pytest.raises(error):
        train(IMAGES, out=tmp_path / "run", **options)
    assert not (tmp_path / "run").exists()


def test_a_run_that_diverges_says_so(tmp_path, no_pictures):
    with pytest.raises(DivergenceError, match="keeps the state after epoch"):
        train(NOISY, out=tmp_path / "run", lr=1e30)
    assert record_of(tmp_path / "run")["status"] == "diverged"
    assert np.isfinite(load(tmp_path / "run" / "checkpoint.safetensors").parameters).all()


def test_a_gpu_run_ends_on_the_host(tmp_path, stand_in, no_pictures):
    record = train(IMAGES, out=tmp_path / "run", device="gpu")
    assert record["device"] == "gpu"
    assert_right_figures(record, load(tmp_path / "run" / "model.safetensors"), IMAGES)


def test_the_table():
    lines = runs_module.table({"model": {"squared_error": 10.0}, "PCA-5": {"squared_error": 2.5}}, 100).splitlines()
    assert [line.split() for line in lines[1:]] == [
        ["model", "squared", "error", "10.0000", "0.10000"],
        ["PCA-5", "squared", "error", "2.5000", "0.02500"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_the_table_has_no_mean_per_feature_of_what_is_no_sum():
    figures = {"model": {"squared_error": 10.0, "psnr": 20.0, "active_units": 0.25}}
    lines = runs_module.table(figures, 100).splitlines()
    assert [line.split()[-2:] for line in lines[1:]] == [
        ["10.0000", "0.10000"],
        ["dB", "20.0000"],
        ["active", "0.2500"],
    ]
    assert len({len(line) for line in lines}) == 1


def test_decibels():
    assert psnr(0.01) == pytest.approx(20)
    assert psnr(1.0) == 0
    assert psnr(0.0) == 120  # and not infinite, which JSON cannot hold


def test_pca_is_fitted_on_the_training_examples_alone(tmp_path, monkeypatch, no_pictures):
    fitted = []
    fit = PCA.fit
    monkeypatch.setattr(PCA, "fit", lambda self, x: fitted.append(len(x)) or fit(self, x))
    train(IMAGES, out=tmp_path / "run")
    assert fitted == [len(IMAGES.examples().train)]
