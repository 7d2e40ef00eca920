"""Pictures: each is a PNG file of a sensible size, drawn without a screen and without warnings."""

import struct
import subprocess
import sys
import textwrap

import numpy as np
import pytest

from scratchae import MSE, Autoencoder, Dense, History, ReLU, Sequential, Sigmoid, plots, watch


def history(epochs, **columns):
    filled = History()
    for epoch in range(epochs):
        filled.append({"epoch": epoch + 1, **{name: values[epoch] for name, values in columns.items()}})
    return filled


rng = np.random.default_rng(0)
IMAGES = rng.random((10, 28, 28), dtype=np.float32)
CODES = rng.standard_normal((200, 5), dtype=np.float32)
LABELS = rng.integers(0, 10, 200).astype(np.uint8)
W = rng.standard_normal((784, 70), dtype=np.float32)
SPREAD = rng.random(784, dtype=np.float32)
WITHOUT_A_UNIT = W[:, :20] * (np.arange(20) != 3)
MAPS = {"input": rng.random((28, 28, 1)), "conv": rng.standard_normal((7, 7, 32)), "code": rng.random((1, 1, 64))}
GRID = rng.standard_normal((49, 2), dtype=np.float32)
FALLING = [10.0, 5.0, 4.0]

MODEL = Autoencoder(Sequential(Dense(5, 4), ReLU()), Sequential(Dense(4, 5), Sigmoid()), loss=MSE())
with watch(MODEL, every=1) as FLOW:
    for _ in range(3):
        MODEL.training_step(CODES)

PICTURES = {
    "loss_curve": lambda path: plots.loss_curve(history(3, loss=FALLING), path, "nats"),
    "loss_curve, validation": lambda path: plots.loss_curve(
        history(3, loss=FALLING, validation_loss=FALLING[::-1]), path, "nats", baseline=("PCA-32", 4.5)
    ),
    "loss_curve, one epoch": lambda path: plots.loss_curve(history(1, loss=[0.0]), path, "nats"),
    "gradient_flow": lambda path: plots.gradient_flow(FLOW, path),
    "image_rows": lambda path: plots.image_rows({"original": IMAGES, "deep": IMAGES}, path),
    "image_rows, one image": lambda path: plots.image_rows({"original": IMAGES[:1]}, path),
    "curves": lambda path: plots.curves(CODES[:4], {"deep": CODES[4:8], "PCA-2": CODES[8:12]}, path),
    "latent_scatter": lambda path: plots.latent_scatter(CODES, LABELS, path),
    "latent_scatter, no labels": lambda path: plots.latent_scatter(CODES, None, path),
    "latent_scatter, two numbers": lambda path: plots.latent_scatter(CODES[:, :2], LABELS, path),
    # every unit dead, as after too high a learning rate
    "latent_scatter, a constant code": lambda path: plots.latent_scatter(0 * CODES, LABELS, path),
    "latent_scatter, two constant numbers": lambda path: plots.latent_scatter(0 * CODES[:, :2], LABELS, path),
    "filters": lambda path: plots.filters(W, SPREAD, path),
    "filters, fewer than a row": lambda path: plots.filters(W[:, :5], SPREAD, path),
    "filters, a unit without weights": lambda path: plots.filters(WITHOUT_A_UNIT, SPREAD, path),
    "kernels": lambda path: plots.kernels(
        {"first": rng.standard_normal((40, 3, 3)), "last": np.zeros((16, 5, 3))}, path
    ),
    "kernels, one": lambda path: plots.kernels({"only": rng.standard_normal((1, 3, 3))}, path),
    "feature_maps": lambda path: plots.feature_maps(MAPS, path),
    "feature_maps, all zero": lambda path: plots.feature_maps({"dead": np.zeros((3, 4, 2))}, path),
    "activations": lambda path: plots.activations(np.maximum(CODES, 0), path),
    "activations, a target": lambda path: plots.activations(1 / (1 + np.exp(-CODES)), path, 0.25),
    "activations, all zero": lambda path: plots.activations(0 * CODES, path),
    "mosaic": lambda path: plots.mosaic(rng.random((3, 5, 28, 28)), path),
    "mosaic, no squares": lambda path: plots.mosaic(rng.random((4, 6, 9, 7)), path),
    "manifold": lambda path: plots.manifold(rng.random((20, 20, 28, 28)), np.linspace(-2, 2, 20), path),
    "manifold, two": lambda path: plots.manifold(rng.random((2, 2, 28, 28)), np.array([-1.0, 1.0]), path),
    "unit_kl": lambda path: plots.unit_kl({"vae": (rng.random(20), np.arange(20) < 17)}, path),
    "unit_kl, several": lambda path: plots.unit_kl(
        {"one": (rng.random(20), np.ones(20, bool)), "none in use": (np.zeros(20), np.zeros(20, bool))}, path
    ),
    "displacements": lambda path: plots.displacements(
        {"plain": (GRID, 0.9 * GRID, "a remark"), "noise": (GRID, 0.5 * GRID, "another")}, GRID, path
    ),
}


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture(tmp_path, name):
    path = tmp_path / "new" / "picture.png"
    PICTURES[name](path)
    content = path.read_bytes()
    assert content.startswith(b"\x89PNG\r\n\x1a\n")
    assert content.endswith(b"IEND\xaeB`\x82")
    width, height = struct.unpack(">2I", content[16:24])
    assert 300 <= width <= 3000
    assert 100 <= height <= 2000
    assert 2_000 < len(content) < 1_000_000
    assert [*path.parent.iterdir()] == [path]


def test_every_picture_is_tested():
    own = {name: value for name, value in vars(plots).items() if getattr(value, "__module__", "") == plots.__name__}
    drawing = {name for name, value in own.items() if "path" in getattr(value, "__annotations__", {})}
    assert drawing - {"figure"} == {name.partition(",")[0] for name in PICTURES}


def test_a_picture_shows_what_it_is_given(tmp_path):
    """Other data, other picture; the same data, the same bytes."""
    for name, values in (("one", [3.0, 2.0]), ("same", [3.0, 2.0]), ("other", [3.0, 1.0])):
        plots.loss_curve(history(2, loss=values), tmp_path / name, "nats")
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


def test_a_drawing_that_fails_leaves_the_older_picture(tmp_path, monkeypatch):
    from matplotlib.figure import Figure

    path = tmp_path / "picture.png"
    plots.loss_curve(history(2, loss=[3.0, 2.0]), path, "nats")
    before = path.read_bytes()

    def fail(self, file, **_):
        file.write_bytes(b"half")
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(Figure, "savefig", fail)
    with pytest.raises(OSError, match="No space left"):
        plots.loss_curve(history(2, loss=[3.0, 1.0]), path, "nats")
    assert path.read_bytes() == before
    assert [*tmp_path.iterdir()] == [path]


def test_names_among_points_do_not_cover_each_other():
    points = rng.standard_normal((100, 2))
    places = plots.apart(np.array([[0.0, 0.0], [0.001, 0.0], [0.0, 0.002], [1.0, 1.0]]), points)
    room = 0.05 * np.ptp(points, axis=0)
    gaps = np.linalg.norm((places[:, None] - places) / room, axis=-1)[np.triu_indices(4, 1)]
    assert gaps.min() > 0.9
    np.testing.assert_allclose(places[3], [1, 1])  # nothing was in its way
    assert np.abs(places[:3] / room).max() < 2  # and the others have not gone far


def test_drawing_touches_nothing_else():
    """No pyplot, no backend, no settings: a program that draws with matplotlib itself sees no difference."""
    script = """
        import sys, tempfile
        from pathlib import Path
        import matplotlib
        import numpy as np
        from scratchae import MSE, Autoencoder, Dense, History, ReLU, Sequential, Sigmoid, plots, watch

        before = matplotlib.rcParams.copy()  # dict(rcParams) would look for a backend, and load pyplot
        history = History({"epoch": [1, 2], "loss": [2.0, 1.0]})
        with tempfile.TemporaryDirectory() as folder:
            plots.loss_curve(history, Path(folder) / "loss.png", "nats")
            plots.latent_scatter(np.random.default_rng(0).random((9, 3)), None, str(Path(folder) / "latent.png"))
        assert matplotlib.rcParams.copy() == before
        assert "matplotlib.pyplot" not in sys.modules
    """
    subprocess.run([sys.executable, "-c", textwrap.dedent(script)], check=True)
