"""`scratchae use`: what each job leaves, and what it refuses."""

import csv
import json
import shutil

import numpy as np
import pytest
from numpy.testing import assert_allclose

import scratchae.data
from scratchae import load
from scratchae.cli import main
from scratchae.data import strokes
from scratchae.errors import DataError, OptionError, RunError, ShapeError
from scratchae.presets import find_preset
from scratchae.runs import open_run, train
from scratchae.runs.jobs import JOBS, use

Image = pytest.importorskip("PIL.Image")
rng = np.random.default_rng(0)
PICTURES = {"score": {"score.png", "extremes.png"}, "compress": {"compress.png", "examples.png"}}


@pytest.fixture(scope="module", autouse=True)
def few_strokes():
    data = strokes(400, 60)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(scratchae.data, "strokes", lambda: data)
        patch.setattr("scratchae.runs.autoencoder.draw", lambda *_: None)
        patch.setattr("scratchae.runs.variational.draw", lambda *_: None)
        patch.setattr("scratchae.runs.boltzmann.draw", lambda *_: None)
        yield


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A table of two classes, images in colour, and runs of both and of strokes."""
    home = tmp_path_factory.mktemp("home")
    x = rng.normal([5, 100, -1, 0.1], [1, 20, 0.1, 0.01], (120, 4))
    x[:, 1] += 20 * (x[:, 0] - 5)
    x[100:, 1] -= 150
    lines = [",".join(map(str, row)) + (",bad" if i >= 100 else ",good") for i, row in enumerate(x.round(4).tolist())]
    (home / "good.csv").write_text("\n".join(["a,b,c,d,kind", *lines[:80]]))
    (home / "new.csv").write_text("\n".join(["a,b,c,d,kind", *lines[80:]]))
    for i in range(30):
        (home / "photos" / "xy"[i % 2]).mkdir(parents=True, exist_ok=True)
        Image.fromarray(rng.integers(0, 256, (9, 7, 3), np.uint8)).save(home / "photos" / "xy"[i % 2] / f"{i}.png")
    few = {"epochs": 2, "batch_size": 20}
    runs = {
        "table": ("table", {"data": home / "good.csv", "label": "kind", "epochs": 60, "batch_size": 8}),
        "colour": ("conv", {"data": home / "photos", "code": 5, **few}),
        "vae": ("vae", few),
        "vae of a table": ("vae", {"data": home / "good.csv", "label": "kind", **few, "code": 2, "hidden": (9,)}),
        "cvae": ("cvae", few),
        "rbm": ("rbm", few),
        "noisy": ("denoising", few),
        "plane": ("overcomplete", few),
    }
    for name, (preset, options) in runs.items():
        options = {key: str(value) if key == "data" else value for key, value in options.items()}
        train(find_preset(preset), out=home / name, **options)
    return home


def rows(path):
    with open(path, encoding="utf-8") as file:
        return list(csv.DictReader(file))


CAN = {
    "table": "reconstruct encode score interpolate traverse compress",
    "colour": "reconstruct encode score interpolate traverse compress",
    "vae": "reconstruct encode score generate interpolate traverse",
    "vae of a table": "reconstruct encode score generate interpolate traverse",
    "cvae": "reconstruct encode score generate interpolate traverse",
    "rbm": "reconstruct encode score generate interpolate traverse",
    "noisy": "reconstruct encode score denoise interpolate traverse",
    "plane": "reconstruct encode score interpolate traverse",
}


@pytest.mark.parametrize(("name", "job"), [(name, job) for name, jobs in CAN.items() for job in jobs.split()])
def test_each_job_leaves_files_and_a_picture(home, tmp_path, capsys, name, job):
    task = use(job, home / name, out=tmp_path / "out")
    found = {path.name for path in (tmp_path / "out").iterdir()}
    assert found == set(task.written)
    assert PICTURES.get(job, {f"{job}.png"}) <= found
    assert len(found) > len(PICTURES.get(job, {1}))
    assert f"{job}: " in capsys.readouterr().out


@pytest.mark.parametrize(
    ("name", "job"), [(name, job) for name, jobs in CAN.items() for job in ("generate", "denoise") if job not in jobs]
)
def test_a_job_that_the_model_cannot_do_says_which_can(home, tmp_path, name, job):
    words = {"generate": "cannot generate.*presets vae", "denoise": "not trained to remove noise.*denoising-masking"}
    with pytest.raises(OptionError, match=words[job]):
        use(job, home / name, out=tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_reconstructions_are_in_the_units_of_the_data(home, tmp_path):
    use("reconstruct", home / "table", data=str(home / "good.csv"), out=tmp_path)
    made, given = rows(tmp_path / "reconstructions.csv"), rows(home / "good.csv")
    assert list(made[0]) == ["a", "b", "c", "d"]
    means = [[np.mean([float(row[name]) for row in each]) for name in "abcd"] for each in (made, given)]
    np.testing.assert_allclose(means[0], means[1], rtol=0.05)
    errors = rows(tmp_path / "errors.csv")
    assert [row["row"] for row in errors] == [str(i + 1) for i in range(80)]
    assert {row["class"] for row in errors} == {"good"}
    use("reconstruct", home / "colour", out=tmp_path)
    images = np.load(tmp_path / "reconstructions.npy")
    assert images.shape == (4, 9, 7, 3) and images.min() >= 0 and 1 < images.max() <= 255


def test_codes_are_those_of_the_model(home, tmp_path):
    use("encode", home / "vae", out=tmp_path)
    model, x = load(home / "vae"), find_preset("vae").examples().test
    z = np.load(tmp_path / "codes.npy")
    np.testing.assert_allclose(z, model.encode(x), rtol=1e-4, atol=1e-5)
    written = rows(tmp_path / "codes.csv")
    assert float(written[7]["z3"]) == pytest.approx(z[7, 2], rel=1e-5)
    assert written[7]["row"] == "8"


def test_the_ends_of_a_line_between_codes_are_the_rebuilt_examples(home):
    run = open_run(home / "cvae")
    x = run.batch().x[:4]
    made = scratchae.uses.interpolate(run.model, x[:2], x[2:], 5)
    np.testing.assert_allclose(made[:, 0], run.model.reconstruct(x[:2]), atol=1e-5)


def test_traversing_moves_one_number(home):
    run = open_run(home / "vae")
    x = run.batch().x
    made, units, values = scratchae.uses.traverse(run.model, x, x[:1], steps=3, units=4)
    z = run.model.encode(x)
    here = z[:1].copy()
    here[0, units[0]] = np.percentile(z[:, units[0]], 1)
    assert values[0, 0] == pytest.approx(here[0, units[0]], rel=1e-4)
    np.testing.assert_allclose(made[0, 0], run.model.decode(here)[0], atol=1e-4)
    changes = [float(((row[-1] - row[0]) ** 2).sum()) for row in made]
    assert changes == sorted(changes, reverse=True)


# Scores


def test_scores_of_a_table(home, tmp_path, capsys):
    use("score", home / "table", data=str(home / "new.csv"), out=tmp_path)
    found = rows(tmp_path / "scores.csv")
    bad = [float(row["score"]) for row in found if row["class"] == "bad"]
    good = [float(row["score"]) for row in found if row["class"] == "good"]
    assert np.median(bad) > 5 * np.median(good)
    assert {row["oddest_column"] for row in found if row["class"] == "bad"} <= {"a", "b", "c", "d"}
    out = capsys.readouterr().out
    assert "the 99.0% quantile of 8 validation examples" in out and "area under the ROC curve" in out
    assert {"curve.csv", "curves.png"} <= {path.name for path in tmp_path.iterdir()}


def test_the_area_is_that_of_scikit_learn():
    metrics = pytest.importorskip("sklearn.metrics")
    unusual = rng.random(300) < 0.3
    values = (rng.normal(size=300) + unusual).round(1)  # with ties
    found = scratchae.uses.roc(values, unusual)
    assert found["auc"] == pytest.approx(metrics.roc_auc_score(unusual, values))
    assert found["average_precision"] == pytest.approx(metrics.average_precision_score(unusual, values))


@pytest.mark.parametrize("name", ["vae", "cvae", "vae of a table"])
def test_minus_the_elbo_of_each_example(home, name):
    run = open_run(home / name)
    x = run.batch().x[:5]
    each = scratchae.uses.score(run.model, x, "elbo", samples=1, rng=3).values
    # all by the same draws, so that the score of one does not depend on the others
    alone = [run.model.elbo(x[i : i + 1], 3)["negative_elbo"] for i in range(5)]
    np.testing.assert_allclose(each, alone, rtol=1e-5)
    means = [scratchae.uses.score(run.model, x[:1], "elbo", samples=n, rng=3).values[0] for n in (1, 100)]
    assert means[0] != means[1]


def test_free_energy(home):
    run = open_run(home / "rbm")
    x = run.batch().x
    np.testing.assert_allclose(scratchae.uses.score(run.model, x).values, run.model.free_energy(x), rtol=1e-5)


@pytest.mark.parametrize(
    ("name", "options", "error", "message"),
    [
        ("table", {"kind": "elbo"}, OptionError, "only variational autoencoders have it"),
        ("vae", {"kind": "free energy"}, OptionError, "only an RBM has one"),
        ("table", {"normal": "worse", "data": "new.csv"}, OptionError, "no class 'worse', the classes are bad, good"),
        ("plane", {"normal": "1"}, OptionError, "the examples have none"),
        ("table", {"normal": "good"}, DataError, "nothing to tell apart"),
    ],
)
def test_scores_that_cannot_be(home, tmp_path, name, options, error, message):
    if "data" in options:
        options = options | {"data": str(home / options["data"])}
    with pytest.raises(error, match=message):
        use("score", home / name, out=tmp_path, **options)


# Other examples


def test_one_image_is_enough(home, tmp_path):
    path = next((home / "photos" / "x").iterdir())
    for job in ("reconstruct", "encode", "traverse", "score"):
        use(job, home / "colour", data=str(path), out=tmp_path / job)
    assert np.load(tmp_path / "encode" / "codes.npy").shape == (1, 5)
    with pytest.raises(DataError, match="from one example to another, and there is 1"):
        use("interpolate", home / "colour", data=str(path), out=tmp_path)


@pytest.mark.parametrize(
    ("name", "make", "error", "message"),
    [
        (
            "vae",
            lambda p: np.save(p, np.zeros((5, 30, 30), np.uint8)),
            ShapeError,
            "30×30 pixels, grey, the model was trained on 28×28 pixels, grey",
        ),
        (
            "vae",
            lambda p: np.save(p, np.zeros((5, 28, 28, 3), np.uint8)),
            ShapeError,
            "in colour, the model was trained on 28×28 pixels, grey",
        ),
        (
            "table",
            lambda p: np.save(p, np.zeros((5, 3))),
            ShapeError,
            "3 numbers, the model was trained on 4 numbers",
        ),
        ("vae", lambda p: np.save(p, np.zeros((28, 28), np.uint8)), ShapeError, r"a single image is x\[None\]"),
        ("table", lambda p: np.save(p, np.zeros(4)), DataError, r"a single row is x\[None\]"),
        ("table", lambda p: np.save(p, np.full((5, 4), np.inf)), DataError, "NaN or infinity in 5 of 5 rows"),
        ("table", lambda p: np.save(p, np.full((5, 4), np.nan)), DataError, "NaN or infinity in 5 of 5 rows"),
        ("vae", lambda p: np.save(p, np.full((5, 28, 28), np.nan)), DataError, "NaN or infinity in 5 of 5 rows"),
        ("vae", lambda p: np.save(p, np.zeros((0, 28, 28))), DataError, "at least one"),
        ("plane", lambda p: np.save(p, np.zeros((5, 2))), OptionError, "data that its preset makes"),
        (
            "cvae",
            lambda p: np.save(p, np.zeros((5, 28, 28), np.uint8)),
            OptionError,
            "told the class of each example",
        ),
    ],
)
def test_examples_that_do_not_fit(home, tmp_path, name, make, error, message):
    make(tmp_path / "x.npy")
    with pytest.raises(error, match=message):
        use("reconstruct", home / name, data=str(tmp_path / "x.npy"), out=tmp_path / "out")


def test_images_for_a_model_of_a_table(home, tmp_path):
    with pytest.raises(ShapeError, match="holds images, and the model was trained on rows of 4 numbers"):
        use("encode", home / "table", data=str(home / "photos"), out=tmp_path)


def test_missing_cells_count_as_the_mean_where_that_is_asked_for(home, tmp_path):
    (tmp_path / "x.csv").write_text("a,b,c,d\n5,,-1,0.1\n5,100,-1,0.1\n")
    with pytest.raises(DataError, match=r"1 cell is missing, in row 1; .* --missing mean"):
        use("encode", home / "table", data=str(tmp_path / "x.csv"), out=tmp_path)
    assert (
        main(
            [
                "use",
                "encode",
                str(home / "table"),
                "--data",
                str(tmp_path / "x.csv"),
                "--missing",
                "mean",
                "--out",
                str(tmp_path),
            ]
        )
        == 0
    )
    first, second = open_run(home / "table").batch(str(tmp_path / "x.csv"), missing="mean").x
    assert first[1] == 0 != second[1]
    assert_allclose(np.delete(first, 1), np.delete(second, 1))


def test_rows_without_the_label_will_do(home, tmp_path):
    (tmp_path / "x.csv").write_text("d,c,b,a\n0.1,-1,100,5\n")
    use("encode", home / "table", data=str(tmp_path / "x.csv"), out=tmp_path)
    assert "class" not in rows(tmp_path / "codes.csv")[0]


def test_what_is_no_run(home, tmp_path):
    with pytest.raises(RunError, match="is not a run"):
        use("encode", tmp_path)
    with pytest.raises(OptionError, match="job='paint'"):
        use("paint", home / "vae")
    (tmp_path / "file").write_text("mine")
    with pytest.raises(RunError, match="cannot write to"):
        use("encode", home / "vae", out=tmp_path / "file" / "out")


def test_runs_of_before_are_opened_too(home, tmp_path):
    """They say the name of their data, and no more."""
    shutil.copytree(home / "vae", tmp_path / "old")
    record = json.loads((tmp_path / "old" / "run.json").read_text(encoding="utf-8"))
    del record["prepared"], record["chosen"]
    (tmp_path / "old" / "run.json").write_text(json.dumps(record))
    use("reconstruct", tmp_path / "old", out=tmp_path / "a")
    np.save(tmp_path / "x.npy", np.zeros((2, 28, 28), np.uint8))
    use("encode", tmp_path / "old", data=str(tmp_path / "x.npy"), out=tmp_path / "b")


def test_every_job_is_tried_here():
    assert {job for jobs in CAN.values() for job in jobs.split()} == set(JOBS) - {"decompress", "probe", "embed"}


def test_compressed_examples_come_back(home, tmp_path, capsys):
    use("compress", home / "colour", data=str(home / "photos"), out=tmp_path, step=0.3)
    use("decompress", home / "colour", data=str(tmp_path / "compressed.sae"), out=tmp_path)
    made = np.load(tmp_path / "decompressed.npy")
    assert made.shape == (30, 9, 7, 3)
    assert "lossy" in capsys.readouterr().out
    assert {row["codec"] for row in rows(tmp_path / "curve.csv")} >= {"conv", "PCA-5", "JPEG", "PNG, lossless"}
    with pytest.raises(OptionError, match="say what to decompress"):
        use("decompress", home / "colour", out=tmp_path)
    with pytest.raises(DataError, match="was compressed by another model"):
        use("decompress", home / "vae", data=str(tmp_path / "compressed.sae"), out=tmp_path)
    with pytest.raises(OptionError, match="code is larger"):
        use("compress", home / "rbm", out=tmp_path)
