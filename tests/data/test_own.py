"""A person's own data: read, split, scaled, and read again in the same way."""

import gzip
import re
import struct
import tracemalloc

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

from scratchae import load_examples, read_idx
from scratchae.data import Stream, again, like, streaming
from scratchae.errors import DataError, OptionError, ShapeError

Image = pytest.importorskip("PIL.Image")
rng = np.random.default_rng(0)
COLOUR = rng.integers(0, 256, (40, 12, 9, 3), np.uint8)


def csv(path, *lines):
    path.write_text("\n".join(lines) + "\n", encoding="utf-8")
    return path


def numbers(n=40):
    return [f"{i % 7},{1000 * (i % 11)},{'xyz'[i % 3]}" for i in range(n)]


def folder_of(path, images, classes=("",)):
    for i, image in enumerate(images):
        inside = path / classes[i % len(classes)]
        inside.mkdir(parents=True, exist_ok=True)
        Image.fromarray(image.squeeze()).save(inside / f"{i:03}.png")
    return path


def idx(array):
    code = {"u1": 8, "i1": 9, "i2": 11, "i4": 12, "f4": 13, "f8": 14}[array.dtype.str[1:]]
    return (
        struct.pack(f">4B{array.ndim}I", 0, 0, code, array.ndim, *array.shape)
        + array.astype(array.dtype.newbyteorder(">")).tobytes()
    )


def in_order(examples):
    """All examples of own data, wherever the split has put them."""
    return np.concatenate([examples.train, examples.validation, examples.test])


# Arrays


def test_rows_are_standardised_by_the_training_rows_alone(tmp_path):
    x = rng.normal(5, [1, 100, 1e-3], (60, 3))
    np.save(tmp_path / "x.npy", x)
    examples = load_examples(tmp_path / "x.npy", seed=3)
    assert [len(part) for part in (examples.train, examples.validation, examples.test)] == [48, 6, 6]
    assert_allclose(examples.train.mean(axis=0), 0, atol=1e-3)
    assert_allclose(examples.train.std(axis=0), 1, atol=1e-4)
    assert examples.train.dtype == np.float32
    found = examples.scaling.undo(in_order(examples))
    assert_allclose(np.sort(found, axis=0), np.sort(x, axis=0), rtol=1e-3, atol=1e-5)
    assert (
        "each column standardised" in examples.told[-1] and "48 training, 6 validation, 6 test" in examples.told[-1]
    )


@pytest.mark.parametrize(
    ("x", "largest", "unit"),
    [
        (COLOUR, 255, True),
        (COLOUR.astype(np.float64), 255, True),
        (COLOUR.astype(np.uint16) * 257, 65535, True),
        (COLOUR / 255, 1, True),
        (COLOUR.astype(np.int64) // 16, 15, True),
        (COLOUR[..., 0] > 128, 1, True),
        (COLOUR / 127.5 - 1, None, False),
    ],
    ids=["bytes", "bytes as floats", "16 bits", "0 to 1", "16 grey levels", "bits", "-1 to 1"],
)
def test_the_range_of_images(tmp_path, x, largest, unit):
    np.save(tmp_path / "x.npy", x)
    examples = load_examples(tmp_path / "x.npy")
    assert examples.scaling.unit == unit
    assert examples.shape == (12, 9, x.shape[3] if x.ndim == 4 else 1)
    if unit:
        assert float(examples.scaling.divisor) == largest
        assert 0 <= examples.train.min() <= examples.train.max() <= 1
    else:
        assert_allclose(examples.train.mean(axis=(0, 1, 2)), 0, atol=1e-4)


def test_classes_and_a_test_set_in_an_npz(tmp_path):
    x, y = COLOUR, np.arange(40) % 4
    np.savez(tmp_path / "k.npz", x_train=x[:30], y_train=y[:30], x_test=x[30:], y_test=y[30:])
    examples = load_examples(tmp_path / "k.npz")
    assert_allclose(examples.test, x[30:] / np.float32(255), rtol=1e-6)
    assert_array_equal(examples.test_labels, y[30:])
    assert examples.classes == ("0", "1", "2", "3")
    assert [len(examples.train), len(examples.validation)] == [27, 3]
    np.savez(tmp_path / "odd.npz", something=x, other=y)
    with pytest.raises(DataError, match="holds the arrays something, other: expected the examples under the name x"):
        load_examples(tmp_path / "odd.npz")


def test_a_split_has_every_class(tmp_path):
    y = np.repeat([0, 1, 2], [200, 40, 20])
    np.savez(tmp_path / "k.npz", x=rng.random((260, 3)), labels=y)
    examples = load_examples(tmp_path / "k.npz")
    assert (
        np.bincount(examples.test_labels).tolist() == np.bincount(examples.validation_labels).tolist() == [20, 4, 2]
    )
    other = load_examples(tmp_path / "k.npz", seed=1)
    assert (other.test != examples.test).any()
    assert_array_equal(load_examples(tmp_path / "k.npz").train, examples.train)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        (np.zeros(5), r"shape \(5,\): expected rows \(N, D\).*x\[:, None\]"),
        (np.zeros((4, 3, 16, 16)), r"channels seem to come first.*transpose\(0, 2, 3, 1\)"),
        (np.zeros((0, 3)), "at least one"),
        (np.zeros((1, 3)), "holds 1 example: training needs some"),
        (np.array(["a", "b"])[:, None], "expected numbers"),
        (np.full((9, 2), np.nan), "NaN or infinity"),
    ],
)
def test_arrays_that_cannot_be_used(tmp_path, x, message):
    np.save(tmp_path / "x.npy", x)
    with pytest.raises(DataError, match=message):
        load_examples(tmp_path / "x.npy")


@pytest.mark.parametrize("name", ["x.npy", "x.npz", "x.csv", "x-idx3-ubyte", "x.png", "x.bin"])
def test_a_damaged_file_is_named_and_nobody_is_told_to_delete_it(tmp_path, name):
    (tmp_path / name).write_bytes(b"\0\0\x08\x03" + b"damaged")
    with pytest.raises(DataError, match=name) as raised:
        load_examples(tmp_path / name)
    assert "delete" not in str(raised.value).lower()


# Tables


def test_a_table(tmp_path):
    path = csv(tmp_path / "t.csv", "a,b,kind", *numbers())
    examples = load_examples(path)
    assert examples.columns == ("a", "b", "kind=x", "kind=y", "kind=z")
    labelled = load_examples(path, label="kind")
    assert (labelled.columns, labelled.classes) == (("a", "b"), ("x", "y", "z"))
    assert_allclose(labelled.train.std(axis=0), 1, rtol=1e-3)


@pytest.mark.parametrize(
    ("lines", "options", "message"),
    [
        (
            ["a,b", "1,", ",2", "3,4"],
            {},
            r"2 cells are missing, in 2 rows: 1, 2; by column: a \(1\), b \(1\).*--missing mean",
        ),
        (["1,2", "3,4"], {}, "begins with numbers.*names of the columns"),
        (["a,b", "1,2,3", "1,2"], {}, "row 1 has another number of cells than the 2 names"),
        (["a,a", "1,2"], {}, "several columns of the name 'a'"),
        (["a,b", *numbers()[:0], *["1,2"] * 30, "1,oops"], {}, "column 'b' holds numbers, but 'oops' in row 31"),
        (["a,b", *["1,2"] * 5], {"label": "c"}, "no column 'c'.*it has a, b"),
        (["a,kind", *["1,x"] * 5, "1,"], {"label": "kind"}, "the label 'kind' is missing in row 6"),
        (["a,b"], {}, "holds one line: expected"),
        (["a,b", "1,2", "2,3"], {"missing": "median"}, "missing='median'"),
    ],
)
def test_tables_that_cannot_be_used(tmp_path, lines, options, message):
    with pytest.raises((DataError, OptionError), match=message):
        load_examples(csv(tmp_path / "t.csv", *lines), **options)


def test_missing_cells_become_the_mean(tmp_path):
    path = csv(tmp_path / "t.csv", "a;b", *[f"{i if i % 3 else ''};{i},5" for i in range(60)])
    examples = load_examples(path, missing="mean")
    assert np.isfinite(in_order(examples)).all()
    assert (in_order(examples)[:, 0] == 0).sum() >= 20
    assert "20 cells are missing: each counts as the mean" in " ".join(examples.told)
    assert examples.scaling.offset[1] == pytest.approx(30, abs=4)  # a decimal comma


def test_a_column_of_names_is_left_out_and_said(tmp_path):
    path = csv(tmp_path / "t.csv", "a,who,label", *[f"{i},n{i},{i % 2}" for i in range(30)])
    examples = load_examples(path)
    said = " ".join(examples.told)
    assert "Column 'who' is left out: it has 30 different texts in 30 rows" in said
    assert "'label' is taken as a feature; if it is the class of the row: --label label" in said


def test_other_rows_are_scaled_as_the_first_ones(tmp_path):
    kept = load_examples(csv(tmp_path / "t.csv", "a,b,kind", *numbers())).kept
    other = like(csv(tmp_path / "o.csv", "kind,b,more,a", "y,2000,9,3", "w,0,9,1"), kept)
    scaled = (np.array([3, 2000, 0, 1, 0]) - kept["scaling"]["offset"]) / kept["scaling"]["divisor"]
    assert_allclose(other.x[0], scaled, rtol=1e-4)
    assert "'kind' has classes that are new here, which count as none: w" in " ".join(other.notes)
    with pytest.raises(DataError, match="lacks the column b, which the model was trained on"):
        like(csv(tmp_path / "p.csv", "a,kind", "1,x", "2,y"), kept)


def test_the_same_again_or_a_word_that_it_changed(tmp_path):
    path = csv(tmp_path / "t.csv", "a,b,kind", *numbers())
    examples = load_examples(path, label="kind", seed=5)
    same = again(examples.kept)
    for part in ("train", "validation", "test", "test_labels"):
        assert_array_equal(getattr(same, part), getattr(examples, part))
    csv(path, "a,b,kind", *numbers(41))
    with pytest.raises(DataError, match="has changed since the model was trained on it"):
        again(examples.kept)


# Images


def test_a_folder_of_images(tmp_path):
    examples = load_examples(folder_of(tmp_path / "f", COLOUR, ("cat", "dog")))
    assert (examples.shape, examples.classes) == ((12, 9, 3), ("cat", "dog"))
    found = {np.rint(image * 255).astype(np.uint8).tobytes() for image in in_order(examples)}
    assert found == {image.tobytes() for image in COLOUR}
    assert load_examples(folder_of(tmp_path / "g", COLOUR[..., :1])).shape == (12, 9, 1)


def test_images_of_different_sizes(tmp_path):
    folder_of(tmp_path / "f", COLOUR[:20])
    folder_of(tmp_path / "f" / "large", COLOUR[:20].repeat(2, axis=1))
    with pytest.raises(DataError, match=r"2 different sizes .*12×9, 24×9.*--size 9"):
        load_examples(tmp_path / "f")
    examples = load_examples(tmp_path / "f", size=(10, 7))
    assert examples.shape == (10, 7, 3)
    assert "scaled to 10×7" in " ".join(examples.told) and "do not count as classes" in " ".join(examples.told)


def test_what_else_a_folder_of_images_holds(tmp_path):
    folder_of(tmp_path / "f", COLOUR)
    (tmp_path / "f" / "notes.md").write_text("of mine")
    assert "notes.md" in " ".join(load_examples(tmp_path / "f").told)
    (tmp_path / "f" / "broken.png").write_bytes(b"no image")
    with pytest.raises(DataError, match=r"broken\.png cannot be read as an image"):
        load_examples(tmp_path / "f")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="holds nothing"):
        load_examples(tmp_path / "empty")


def test_kinds_of_image_files(tmp_path):
    ramp = np.arange(48, dtype=np.uint8).reshape(6, 8) * 5
    Image.fromarray(ramp).convert("P").save(tmp_path / "palette.png")
    Image.fromarray(ramp.astype(np.uint16) * 257).save(tmp_path / "deep.png")
    clear = Image.fromarray(np.dstack([ramp] * 3 + [np.zeros_like(ramp)]))
    clear.save(tmp_path / "clear.png")
    turned = Image.fromarray(np.rot90(ramp))
    exif = turned.getexif()
    exif[0x0112] = 6  # to be turned right
    turned.save(tmp_path / "turned.png", exif=exif)
    for name, expected in (("palette", ramp), ("deep", ramp), ("clear", np.full_like(ramp, 255)), ("turned", ramp)):
        (tmp_path / name).mkdir()
        [path] = tmp_path.glob(f"{name}.*")
        for i in range(3):
            (tmp_path / name / f"{i}{path.suffix}").write_bytes(path.read_bytes())
        found = load_examples(tmp_path / name)
        assert_allclose(found.test[0, ..., 0] * 255, expected, atol=1.01)


def test_a_colour_image_for_a_grey_model(tmp_path):
    kept = load_examples(folder_of(tmp_path / "grey", COLOUR[..., :1])).kept
    folder_of(tmp_path / "colour", COLOUR)
    with pytest.raises(
        ShapeError, match=r"12×9 pixels, in colour, the model was trained on 12×9 pixels, grey.*convert\('L'\)"
    ):
        like(tmp_path / "colour", kept)
    one = like(tmp_path / "grey" / "000.png", kept)
    assert_allclose(one.x[0, ..., 0], COLOUR[0, ..., 0] / 255, atol=1e-6)
    both = load_examples(tmp_path / "colour").kept
    assert like(tmp_path / "grey", both).x.shape == (40, 12, 9, 3)  # grey is a colour


# IDX


@pytest.mark.parametrize("kind", ["u1", "i1", "i2", "i4", "f4", "f8"])
@pytest.mark.parametrize("packed", [False, True])
def test_idx_of_any_kind(tmp_path, kind, packed):
    x = rng.integers(0, 100, (12, 3, 4)).astype(kind)
    path = tmp_path / ("x.idx.gz" if packed else "x.idx")
    path.write_bytes(gzip.compress(idx(x)) if packed else idx(x))
    found = read_idx(path)
    assert_array_equal(found, x)
    assert found.dtype == np.dtype(kind)
    assert load_examples(path).shape == (3, 4, 1)


@pytest.mark.parametrize("prefix", ["", "emnist-letters-", "qmnist-"])
def test_folders_like_mnists(tmp_path, prefix):
    images, labels = rng.integers(0, 256, (30, 6, 6), np.uint8), (np.arange(30) % 5).astype(np.uint8)
    for part, rows in (("train", slice(20)), ("test" if prefix else "t10k", slice(20, 30))):
        (tmp_path / f"{prefix}{part}-images-idx3-ubyte").write_bytes(idx(images[rows]))
        each = labels[rows] if prefix != "qmnist-" else np.stack([labels[rows].astype(np.int32)] * 8, axis=1)
        (tmp_path / f"{prefix}{part}-labels-idx1-ubyte.gz").write_bytes(gzip.compress(idx(each)))
    examples = load_examples(tmp_path)
    expected = images[20:].transpose(0, 2, 1) if prefix.startswith("emnist") else images[20:]
    assert_allclose(examples.test[..., 0] * 255, expected, atol=1e-4)
    assert_array_equal(examples.test_labels, labels[20:])
    assert ("turned upright" in " ".join(examples.told)) == prefix.startswith("emnist")


# Larger than memory


def test_a_file_larger_than_memory_is_streamed_in_shuffled_blocks(tmp_path, monkeypatch):
    x = np.arange(3000, dtype=np.uint8).repeat(8).reshape(3000, 8) + np.arange(3000)[:, None] // 256
    x = np.concatenate([x, np.arange(3000)[:, None] % 251], axis=1).astype(np.uint8)
    np.save(tmp_path / "x.npy", x)
    plain = load_examples(tmp_path / "x.npy")
    monkeypatch.setattr(streaming, "memory", lambda: 10_000)
    monkeypatch.setattr(streaming, "BLOCK", 900)
    monkeypatch.setattr(streaming, "POOL", 4)
    examples = load_examples(tmp_path / "x.npy")
    assert isinstance(examples.train, Stream) and len(examples.train) == len(plain.train)
    assert "streamed in shuffled blocks, and takes about" in examples.told[-1]
    batches = examples.train.batches(64)
    first, second = (np.concatenate(list(batches)) for _ in range(2) if batches.begin(0, _) is None)
    assert {len(batch) for batch in batches} == {64, len(plain.train) % 64}
    assert (first != second).any()
    for rows in (first, second):  # each row once
        assert_array_equal(np.sort(rows.view("V36").ravel()), np.sort(plain.train.view("V36").ravel()))
    batches.begin(0, 0)
    assert_array_equal(np.concatenate(list(batches)), first)


@pytest.mark.parametrize("dtype", [np.uint8, np.float32])
def test_a_stream_takes_the_memory_that_it_states(tmp_path, monkeypatch, dtype):
    """Large examples, so that what is held of them is more than all else."""
    x = np.lib.format.open_memmap(tmp_path / "x.npy", "w+", dtype, (300, 64, 64, 3))
    x[:] = np.random.default_rng(0).integers(0, 200, x.shape)
    monkeypatch.setattr(streaming, "memory", lambda: x.size)
    for name, value in (("BLOCK", 2**16), ("POOL", 16), ("LOADED", 2**20)):
        monkeypatch.setattr(streaming, name, value)
    tracemalloc.start()
    try:
        examples = load_examples(tmp_path / "x.npy")
        batches = examples.train.batches(8)
        batches.begin(0, 0)
        count, some = sum(len(batch) for batch in batches), examples.some
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    stated = float(re.search(r"takes about (\S+) MB at most", examples.told[-1])[1]) * 1e6
    assert (
        stated / 2 < peak < 1.5 * stated + 2**23 * 1.5 * (dtype == np.float32)
    )  # finding the scale reads 8 MiB at a time
    assert count == len(examples.train) and 4 * x.size > 2 * stated
    assert len(some) == len(examples.test) == 2**20 // (4 * 64 * 64 * 3)
