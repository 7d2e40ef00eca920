"""The jobs `compress` and `decompress`, and what other codecs make of the same images."""

from __future__ import annotations

import io
from collections.abc import Iterator
from typing import Any

import numpy as np

from .. import plots
from ..errors import OptionError
from ..models import PCA, RBM
from ..presets import Examples
from ..training.container import read, write
from ..uses.coding import Codec, read_file, write_file
from .task import Task

CODEC = "codec.safetensors"
STEP = 0.5  # of the codec's t: the error that it adds is about STEP² / 12 for each number of the code
STEPS = (0.15, 0.3, 0.5, 0.8, 1.2, 1.8, 2.6)
ENOUGH = 10_000  # training examples to estimate distributions from
CURVE = 1000  # examples for the curves
TILE = 8  # JPEG's blocks: each image of a sheet begins at a multiple of it


def codec_of(task: Task) -> Codec:
    """The run's codec; it is made from the training examples when it is first asked for, and kept in the run's folder."""
    if isinstance(task.model, RBM):
        raise OptionError(
            "compress: an RBM's code is larger than its data: choose an autoencoder, such as conv or deep-linear-code"
        )
    path = task.run.folder / CODEC
    if path.is_file():
        _, tensors = read(path)
        return Codec.from_tensors(task.model, tensors)
    examples = task.run.examples(task.options.get("data_dir"))
    codec = Codec.fit(task.model, examples.some[:ENOUGH])
    write(path, {"codec": task.run.preset.name}, codec.tensors())
    return Codec.from_tensors(task.model, codec.tensors())  # as it will be when it is read: rounded to float32


def compress(task: Task) -> str:
    """Examples in one small file, not without loss; and how small, beside JPEG, WebP, PNG and PCA."""
    codec, step = codec_of(task), task.options.get("step") or STEP
    path = task.out / "compressed.sae"
    size = write_file(path, codec, task.model.parameters, task.x, step)
    task.written.append(path.name)
    made = read_file(path, codec, task.model.parameters)
    error = float(((made - task.x) ** 2).reshape(len(made), -1).sum(axis=1).mean())
    said = [
        f"{size:,} bytes, {8 * size / len(task.x):.1f} bits per example, with a squared error of {error:.4g}: lossy, the examples do not come "
        "back exactly",
        f"the model and its codec, which the reader needs too, take {model_bytes(task):,} bytes, as much as "
        f"{model_bytes(task) * 8 / max(8 * size / len(task.x), 1e-9):,.0f} compressed examples",
    ]
    task.figures |= {"bytes": size, "bits_per_example": 8 * size / len(task.x), "squared_error": error}
    task.figures |= {"bytes_of_model_and_codec": model_bytes(task)}
    x = task.x[:CURVE]
    curves = {task.run.preset.name: curve(codec, x)}
    size_of_code = int(np.prod(codec.shape))
    train = task.run.examples(task.options.get("data_dir")).some[:ENOUGH]
    flat = train.reshape(len(train), -1)
    if size_of_code <= flat.shape[1] and flat.shape[1] <= 3000:
        curves[f"PCA-{size_of_code}"] = curve(Codec.fit(PCA(size_of_code).fit(flat), flat), x.reshape(len(x), -1))
    if task.about.images:
        curves |= dict(image_codecs(x, task.about))
    task.table("curve", ["codec", "bits_per_example", "squared_error"], list(zip(*rows_of(curves), strict=True)))
    task.picture("compress", lambda path: plots.rates(curves, path))
    shown = slice(min(10, len(made)))
    task.rows("examples", {"original": task.x[shown], "decompressed": made[shown]})
    return "\n".join(said)


def decompress(task: Task) -> str:
    """What `compress` wrote, as examples again."""
    made = read_file(task.options["data"], codec_of(task), task.model.parameters)
    task.data("decompressed", made)
    task.figures |= {"examples": len(made)}
    return f"{len(made):,} examples"


def curve(codec: Codec, x: np.ndarray) -> list[tuple[float, float]]:
    """Bits and squared error per example at several steps."""
    found, t = [], codec.turned(x)
    for step in STEPS:
        bits = codec.coded(t, step)
        made = codec.decompress(bits, len(x), step)
        found.append((8 * len(bits) / len(x), float(((made - x) ** 2).reshape(len(x), -1).sum(axis=1).mean())))
    return found


def rows_of(curves: dict[str, list[tuple[float, float]]]) -> list[tuple[str, float, float]]:
    return [(name, float(bits), float(error)) for name, points in curves.items() for bits, error in points]


def model_bytes(task: Task) -> int:
    return sum((task.run.folder / name).stat().st_size for name in ("model.safetensors", CODEC))


def image_codecs(x: np.ndarray, about: Examples) -> Iterator[tuple[str, list[tuple[float, float]]]]:
    """JPEG, WebP and PNG of the same images: all of them in one sheet, so that a file's header costs next to nothing."""
    from PIL import Image, features

    sheet, back = sheet_of(x, about)
    formats: list[tuple[str, str, tuple[dict[str, Any], ...]]] = [
        ("JPEG", "JPEG", tuple({"quality": q, "optimize": True} for q in (1, 3, 5, 10, 20, 35, 50, 70, 85, 95))),
        ("PNG, lossless", "PNG", ({"optimize": True},)),
    ]
    if features.check("webp"):
        formats.insert(
            1, ("WebP", "WEBP", tuple({"quality": q, "method": 4} for q in (0, 2, 5, 15, 30, 50, 70, 85, 95)))
        )
    for name, form, settings in formats:
        points = []
        for options in settings:
            file = io.BytesIO()
            Image.fromarray(sheet).save(file, form, **options)
            made = back(np.asarray(Image.open(file).convert("L" if sheet.ndim == 2 else "RGB")))
            error = float(((made - x.reshape(made.shape)) ** 2).reshape(len(x), -1).sum(axis=1).mean())
            points.append((8 * file.getbuffer().nbytes / len(x), error))
        yield name, points


def sheet_of(x: np.ndarray, about: Examples) -> tuple[np.ndarray, Any]:
    """Images in [0, 1] as one of bytes, and the function that takes it apart. Their edges are repeated up to multiples of a block."""
    H, W, C = about.shape
    images = np.rint(np.clip(x.reshape(-1, H, W, C), 0, 1) * 255).astype(np.uint8)
    across = int(np.ceil(len(images) ** 0.5))
    padded = np.pad(images, ((0, across * across - len(images)), (0, -H % TILE), (0, -W % TILE), (0, 0)), mode="edge")
    h, w = padded.shape[1:3]
    sheet = padded.reshape(across, across, h, w, C).swapaxes(1, 2).reshape(across * h, across * w, C)

    def apart(sheet: np.ndarray) -> np.ndarray:
        tiles = (
            sheet.reshape(across, h, across, w, -1)
            .swapaxes(1, 2)
            .reshape(-1, h, w, sheet.size // (across * h * across * w))
        )
        return tiles[: len(x), :H, :W, :C].astype(np.float32) / 255

    return (sheet[..., 0] if C == 1 else sheet), apart
