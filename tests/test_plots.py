"""Pictures: each is a PNG file of a sensible size, drawn without a screen and without warnings."""

import contextlib
import re
import struct
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest

from scratchae import MSE, PCA, Autoencoder, Dense, History, ReLU, Sequential, Sigmoid, plots, watch
from scratchae.errors import OptionError
from scratchae.plots import dark
from scratchae.plots.dark import in_dark, save_dark
from scratchae.plots.figure import number
from scratchae.uses import roc


def history(epochs, **columns):
    filled = History()
    for epoch in range(epochs):
        filled.append({"epoch": epoch + 1, **{name: values[epoch] for name, values in columns.items()}})
    return filled


ROOT = Path(__file__).parents[1]

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
LONG = [90.0, 12.0, 10.0, 9.0, 8.5]

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
    "loss_curve, a part and others": lambda path: plots.loss_curve(
        history(5, reconstruction=LONG, penalty=LONG[::-1], kl=[0.0] * 5),
        path,
        "nats",
        part="reconstruction",
        beside=["penalty", "kl"],
        caption="A sentence.",
    ),
    "through_time": lambda path: plots.through_time(
        {"encoder, before": np.logspace(-9, 0, 28), "encoder, trained": np.r_[0, np.ones(27)]}, path
    ),
    "attention": lambda path: plots.attention(
        {("row", "step"): np.full((5, 3), 1 / 3), ("row", "code"): np.eye(4)}, path
    ),
    "gradient_flow": lambda path: plots.gradient_flow(FLOW, path),
    "image_rows": lambda path: plots.image_rows({"original": IMAGES, "deep": IMAGES}, path),
    "image_rows, words": lambda path: plots.image_rows(
        {"original": IMAGES, "deep": IMAGES},
        path,
        below={"deep": ["1.5"] * 10},
        above=["first"],
        caption="A sentence. " * 9,
    ),
    "image_rows, one image": lambda path: plots.image_rows({"original": IMAGES[:1]}, path),
    "curves": lambda path: plots.curves(CODES[:4], {"deep": CODES[4:8], "PCA-2": CODES[8:12]}, path),
    "latent_scatter": lambda path: plots.latent_scatter(CODES, LABELS, path),
    "latent_scatter, no labels": lambda path: plots.latent_scatter(CODES, None, path),
    "latent_scatter, one number": lambda path: plots.latent_scatter(CODES[:, :1], LABELS, path),
    "latent_scatter, two numbers": lambda path: plots.latent_scatter(CODES[:, :2], LABELS, path),
    "latent_scatter, beside N(0, 1)": lambda path: plots.latent_scatter(CODES[:, :2], LABELS, path, prior=True),
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
    "spread": lambda path: plots.spread(CODES[:, :2], ["a", "b"], path),
    "spread, many": lambda path: plots.spread(rng.normal(size=(30, 60)), [], path),
    "cells": lambda path: plots.cells({"original": CODES[:5, :2], "rebuilt": CODES[:5, :2]}, path, ["a", "b"]),
    "scores": lambda path: plots.scores({"validation": rng.random(50), "given": rng.random(9)}, 0.9, path, "error"),
    "scores, wide": lambda path: plots.scores({"validation": np.exp(5 * rng.normal(size=90))}, 3.0, path, "error"),
    "detection": lambda path: plots.detection(roc(rng.random(60), rng.random(60) < 0.5), path, "deep"),
    "rates": lambda path: plots.rates({"deep": [(50.0, 9.0), (90.0, 5.0)], "PNG": [(900.0, 0.0)]}, path),
    "accuracies": lambda path: plots.accuracies(
        {"vae, linear": {10: [0.3, 0.4], 100: [0.7]}, "vae, neighbours": {10: [0.3]}, "from scratch": {10: [0.2]}},
        path,
    ),
    "trials": lambda path: plots.trials(
        [
            {"settings": {"lr": lr, "hidden": "9-5"}, "figure": figure}
            for lr, figure in ((0.1, 3.0), (0.001, 4.0), (9.0, None))
        ],
        ["lr", "hidden"],
        "squared error",
        path,
    ),
    "several_losses": lambda path: plots.several_losses(
        {
            "one": {"epoch": [1, 2], "loss": [9.0, 2.0], "validation_loss": [8.0, 2.0]},
            "two": {"epoch": [1], "loss": [9.0]},
        },
        path,
    ),
    "image_rows, in colour": lambda path: plots.image_rows({"one": rng.random((4, 9, 7, 3))}, path),
    "mosaic, in colour": lambda path: plots.mosaic(rng.random((3, 5, 9, 7, 3)), path),
    "codebook": lambda path: plots.codebook(
        rng.dirichlet(np.ones(64)),
        history(3, perplexity=[9.0, 30.0, 40.0], validation_perplexity=[20.0, 35.0, 41.0], revived=[0.5, 0.0, 0.0]),
        path,
    ),
    "codebook, one vector in use": lambda path: plots.codebook(
        np.array([1.0, 0.0]), history(1, perplexity=[1.0], revived=[0.0]), path
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
    own = {name: value for name, value in vars(plots).items() if callable(value)}
    drawing = {name for name, value in own.items() if "path" in getattr(value, "__annotations__", {})}
    assert drawing - {"figure"} == {name.partition(",")[0] for name in PICTURES}


def test_a_picture_shows_what_it_is_given(tmp_path):
    """Other data, other picture; the same data, the same bytes."""
    for name, values in (("one", [3.0, 2.0]), ("same", [3.0, 2.0]), ("other", [3.0, 1.0])):
        plots.loss_curve(history(2, loss=values), tmp_path / name, "nats")
    one, same, other = ((tmp_path / name).read_bytes() for name in ("one", "same", "other"))
    assert one == same != other


@pytest.mark.parametrize("form", ["png", "svg", "pdf"])
def test_the_format_is_the_endings_and_the_same_data_give_the_same_bytes(tmp_path, form):
    for name in ("one", "two"):
        plots.loss_curve(history(2, loss=[3.0, 2.0]), tmp_path / f"{name}.{form}", "nats")
    one, two = ((tmp_path / f"{name}.{form}").read_bytes() for name in ("one", "two"))
    assert one == two
    assert {"png": b"\x89PNG", "svg": b"<?xml", "pdf": b"%PDF-"}[form] == one[:5].removesuffix(b"\r")


def test_another_ending_is_refused(tmp_path):
    with pytest.raises(OptionError, match="format='jpg': pictures are drawn as png, svg, pdf; choose one of them"):
        plots.loss_curve(history(2, loss=[3.0, 2.0]), tmp_path / "picture.jpg", "nats")
    assert not [*tmp_path.iterdir()]


@pytest.fixture
def drawn(monkeypatch):
    """The figures that are drawn, kept."""
    from matplotlib.figure import Figure

    kept, savefig = [], Figure.savefig

    def keep(self, *given, **options):
        kept.append(self)
        return savefig(self, *given, **options)

    monkeypatch.setattr(Figure, "savefig", keep)
    return kept


def words(figure):
    return [text.get_text() for text in figure.texts]


def test_small_print_stands_on_pictures_in_the_block_only(tmp_path, drawn):
    for i in range(3):
        with plots.small_print("deep · MNIST") if i == 1 else contextlib.nullcontext():
            plots.mosaic(rng.random((3, 5, 28, 28)), tmp_path / "picture.png", "New images.")
    assert [words(figure) for figure in drawn] == [["New images."], ["New images.", "deep · MNIST"], ["New images."]]
    heights = [figure.get_size_inches()[1] for figure in drawn]
    assert heights[0] == heights[2] < heights[1]  # it takes no room from the picture


def test_words_at_the_foot_stay_within_the_picture(tmp_path, drawn):
    plots.filters(W, SPREAD, tmp_path / "picture.png")
    plots.manifold(rng.random((20, 20, 28, 28)), np.linspace(-2, 2, 20), tmp_path / "picture.png")
    PICTURES["displacements"](tmp_path / "picture.png")
    for figure in drawn:
        figure.set_dpi(plots.STYLE["savefig.dpi"])
        box = figure.texts[0].get_window_extent()
        assert box.x0 >= 0 and box.y0 >= 0
        assert 0.7 * figure.bbox.width < box.x1 <= figure.bbox.width  # and use the room that there is
        assert box.y1 <= min(axes.get_tightbbox().y0 for axes in figure.axes)


def lines(axes):
    return {line.get_label(): [*map(list, line.get_data())] for line in axes.get_lines()}


def test_a_mean_over_an_epoch_stands_in_its_middle(tmp_path, drawn):
    past = history(2, loss=[3.0, 2.0], validation_loss=[2.5, 1.5])
    plots.loss_curve(past, tmp_path / "loss.png", "nats")
    assert lines(drawn[0].axes[0]) == {
        "training (mean over the epoch)": [[0.5, 1.5], [3, 2]],
        "validation (after it)": [[1, 2], [2.5, 1.5]],
    }


def test_parts_of_the_loss_have_a_panel_of_their_own(tmp_path, drawn):
    past = history(
        2, loss=[9.0, 9.0], reconstruction=[3.0, 2.0], penalty=[6.0, 7.0],
        validation_reconstruction=[2.5, 1.5], validation_penalty=[5.0, 4.0],
    )  # fmt: skip
    plots.loss_curve(past, tmp_path / "loss.png", "nats", ("PCA", 1.0), part="reconstruction", beside=["penalty"])
    above, below = drawn[0].axes
    assert lines(above)["validation (after it)"] == [[1, 2], [2.5, 1.5]]
    assert above.get_ylabel() == "reconstruction, nats"
    assert lines(below) == {"penalty": [[1, 2], [5, 4]]}


def test_the_first_epoch_does_not_flatten_the_others(tmp_path, drawn):
    plots.loss_curve(history(5, loss=LONG), tmp_path / "loss.png", "nats")
    (axes,) = drawn[0].axes
    low, high = axes.get_ylim()
    assert low < 8.5 and 12 < high < 20
    assert axes.get_title(loc="left") == "↑ training, epoch 1: 90"


def test_a_logarithmic_axis_has_plain_numbers(tmp_path, drawn):
    plots.loss_curve(history(6, loss=[300.0, 100.0, 50.0, 20.0, 10.0, 4.0]), tmp_path / "loss.png", "nats")
    (axes,) = drawn[0].axes
    low, high = axes.get_ylim()
    assert axes.get_yscale() == "log"
    shown = [tick.label1.get_text() for tick in axes.yaxis.get_major_ticks() if low <= tick.get_loc() <= high]
    assert shown == ["5", "10", "20", "50", "100", "200"]


@pytest.mark.parametrize(
    ("value", "text"),
    [(20.0, "20"), (0.001, "0.001"), (1e-7, "$10^{-7}$"), (2e-5, "0.00002"), (-1.96, "−1.96"), (0.0, "0")],
)
def test_a_number_as_a_person_writes_it(value, text):
    assert number(value) == text


def test_a_latent_cloud_has_a_shape_and_a_name_for_each_label_and_equal_axes(tmp_path, drawn):
    many = np.tile(CODES, (20, 1))
    plots.latent_scatter(many, np.tile(LABELS, 20), tmp_path / "latent.png")
    (axes,) = drawn[0].axes
    clouds = axes.collections
    assert sum(len(cloud.get_offsets()) for cloud in clouds) == 1500
    looks = {(tuple(cloud.get_facecolor()[0]), cloud.get_paths()[0].vertices.tobytes()) for cloud in clouds}
    assert len(clouds) == len({colour for colour, _ in looks}) == len({shape for _, shape in looks}) == 10
    assert [text.get_text() for text in axes.get_legend().get_texts()] == [*"0123456789"]
    assert axes.get_aspect() == 1
    shares = PCA(5).fit(many[::2]).encode(many[::2]).var(axis=0)[:2] / many[::2].var(axis=0).sum()
    assert f"({shares[0]:.0%} of the variance)" in axes.get_xlabel()
    assert f"hold {sum(shares):.0%} of their variance" in " ".join(words(drawn[0])[0].split())


def test_filters_say_how_many_of_how_many(tmp_path, drawn):
    plots.filters(W, SPREAD, tmp_path / "filters.png")
    plots.filters(W[:, :5], SPREAD, tmp_path / "filters.png")
    assert words(drawn[0])[0].startswith("The 64 strongest of 70 units")
    assert words(drawn[1])[0].startswith("All 5 units")


def test_contributions_are_the_strongest_first():
    images = plots.contributions(np.stack([np.ones(784), 3 * np.ones(784), 2 * np.ones(784)], axis=1), SPREAD, 2)
    np.testing.assert_allclose(images, np.stack([3 * SPREAD, 2 * SPREAD]).reshape(2, 28, 28))


def test_what_is_but_rounding_is_called_0(tmp_path, drawn):
    plots.feature_maps({"decoder.5 Sigmoid": np.array([7.4e-13, 1.0]).reshape(1, 2, 1)}, tmp_path / "maps.png")
    assert drawn[0].axes[0].get_ylabel() == "decoder.5 Sigmoid\n1×2×1; 0 … 1"


def test_a_gradient_flow_names_each_layer_once(tmp_path, drawn):
    plots.gradient_flow(FLOW, tmp_path / "flow.png")
    named = [text.get_text() for axes in drawn[0].axes if axes.get_legend() for text in axes.get_legend().get_texts()]
    assert sorted(named) == ["decoder.0 Dense", "decoder.1 Sigmoid", "encoder.0 Dense", "encoder.1 ReLU"]


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


# ── colours ──


def luminance(colours):
    """Of sRGB colours (…, 3), as in WCAG 2."""
    linear = np.where(colours <= 0.04045, colours / 12.92, ((colours + 0.055) / 1.055) ** 2.4)
    return linear @ [0.2126, 0.7152, 0.0722]


def test_the_sign_of_a_number_is_seen_without_colour():
    assert (np.diff(luminance(plots.signed()(np.linspace(0, 1, 101))[:, :3])) < 0).all()


def test_every_colour_stands_out_in_the_dark_and_stays_what_it_is():
    from matplotlib.colors import TABLEAU_COLORS, rgb_to_hsv, to_rgb

    ground = luminance(np.array(to_rgb("#131416")))  # of a dark page of the book
    for name in (plots.BLUE, plots.ORANGE, plots.RED, plots.GREY, "black", *plots.DIGITS, *TABLEAU_COLORS.values()):
        colour, dark = np.array(to_rgb(name)), np.array(in_dark(*to_rgb(name)))
        assert (luminance(dark) + 0.05) / (ground + 0.05) > 3, name
        assert name in ("black", plots.GREY) or abs(rgb_to_hsv(colour)[0] - rgb_to_hsv(dark)[0]) < 0.01, name
    assert luminance(np.array(in_dark(1, 1, 1))) < 0.01 and luminance(np.array(in_dark(0.95, 0.95, 0.95))) < 0.02


def test_no_picture_shows_a_sign_by_colour_alone():
    for path in (*(ROOT / "scratchae").rglob("*.py"), *(ROOT / "tutorials").glob("*.py")):
        assert not re.search("RdBu|coolwarm|seismic|bwr|PuOr", path.read_text(encoding="utf-8")), path


def test_contours_are_dark_where_they_were_pale(tmp_path):
    from matplotlib.figure import Figure

    drawn = Figure()
    filled = drawn.subplots().contourf(np.add.outer(np.arange(5.0), np.arange(5.0)), cmap="Blues")
    drawn.savefig(tmp_path / "light.png")
    before = luminance(filled.get_facecolor()[:, :3])
    save_dark(drawn, tmp_path / "dark.png")
    after = luminance(filled.get_facecolor()[:, :3])
    assert (np.diff(before) < 0).all() and (np.diff(after) > 0).all() and after[0] < 0.1


def test_images_and_what_lies_on_them_keep_their_colours_in_the_dark(tmp_path):
    from matplotlib.figure import Figure

    drawn = Figure()
    plain, image = drawn.subplots(1, 2)
    image.imshow(np.zeros((2, 2)))
    on, beside = image.text(0, 0, "on it", color="black"), image.text(0, -1.5, "beside it", color="black")
    line = plain.plot([0, 1], color="black", marker="o")[0]
    points = plain.scatter([0, 1], [0, 1], c=["black", "white"])
    plain.annotate("", (0, 0), (1, 1), arrowprops={"arrowstyle": "->", "color": "black"})
    drawn.savefig(tmp_path / "light.png")
    save_dark(drawn, tmp_path / "dark.png")
    assert on.get_color() == "black" and min(beside.get_color()[:3]) > 0.9
    assert min(line.get_color()[:3]) > 0.9 and min(line.get_markerfacecolor()[:3]) > 0.9
    assert points.get_facecolor()[0, 0] > 0.9 and points.get_facecolor()[1, 0] < 0.1
    assert plain.texts[0].arrow_patch.get_edgecolor()[0] > 0.9


def test_a_colour_that_rounding_makes_too_lively_has_a_dark_version(monkeypatch):
    monkeypatch.setattr(dark.colorsys, "rgb_to_hls", lambda *rgb: (0.1, 0.92, 1 + 1e-15))
    assert min(dark.in_dark(1, 0.95, 0.84)) >= 0 and max(dark.in_dark(1, 0.95, 0.84)) <= 1
