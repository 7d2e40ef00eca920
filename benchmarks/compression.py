"""Images as few bits: by the code of an autoencoder, JPEG, WebP, PNG and PCA; and without loss by bits-back coding.

    python benchmarks/compression.py [--data mnist fashion-mnist] [--code 32 64] [--hidden 400] [--epochs N] [--lossless-epochs N]
        [--images N] [--lossless N] [--json FILE]

For each dataset the preset `deep-linear-code` learns the training images, once for each size of the code. Its codes are quantised and
entropy-coded (`scratchae.uses.coding.Codec`, the codec of `scratchae use compress`), and so are those of PCA with as many numbers. JPEG, WebP
and PNG get the same test images in one sheet, so that their headers cost next to nothing. The table has the bits that each needs for an image at
the largest errors of JPEG and WebP, which is where they take the fewest bits, and at smaller ones; between two measured points of a curve
the logarithm of the bits is a straight line. The reader needs the model too: its size stands beside it, and is not counted.

Without loss: the preset `vae-binary` on images of the first dataset, whose pixels are drawn to be 0 or 1, coded by bits-back, beside -ELBO, which is
what it should cost, and beside PNG and LZMA of the same bits. What comes back is compared with what went in.
"""

from __future__ import annotations

import argparse
import io
import lzma
import math
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from commandline import exit_code, positive

from scratchae import PCA, plots
from scratchae.bench import machine
from scratchae.bench.harness import note, save
from scratchae.data import NAMES
from scratchae.models import Model
from scratchae.presets import Examples, find_preset
from scratchae.runs.compressing import ENOUGH, curve, image_codecs
from scratchae.runs.run import Recipe
from scratchae.uses import score
from scratchae.uses.coding import Codec, bits_back, bits_forth

PRESET = "deep-linear-code"
Curve = list[tuple[float, float]]  # (bits, squared error) of an image


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; its exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="compression.py", description="Bits of an image, with loss and without.")
    command.add_argument("--data", nargs="+", choices=NAMES, default=["mnist", "fashion-mnist"], metavar="NAME")
    command.add_argument("--data-dir", metavar="D", help="where the files of the data are")
    command.add_argument("--code", nargs="+", type=positive, default=[32, 64], metavar="N", help="default: 32 64")
    command.add_argument(
        "--hidden",
        nargs="+",
        type=positive,
        metavar="N",
        help="sizes of the layers before the code (default: the preset's)",
    )
    command.add_argument(
        "--epochs", type=positive, metavar="N", help=f"of each training (default: those of {PRESET})"
    )
    command.add_argument(
        "--lossless-epochs", type=positive, metavar="N", help="of vae-binary (default: the preset's 100)"
    )
    command.add_argument(
        "--images", type=positive, default=10_000, metavar="N", help="test images for the curves (default: 10000)"
    )
    command.add_argument(
        "--lossless",
        type=int,
        default=1000,
        metavar="N",
        help="images for bits-back (default: 1000; 0 leaves it out)",
    )
    command.add_argument(
        "--json", type=Path, metavar="FILE", help="where to write it (default: bench/compression-DATE.json)"
    )
    options = command.parse_args(arguments)
    return exit_code("compression", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Train, compress, print the tables, write everything to a file, and a picture of each dataset's curves beside it."""
    curves, sizes = {}, {}
    for name in options.data:
        curves[name], sizes[name] = with_loss(name, options)
        note("")
        print(table(name, curves[name], sizes[name]))
    lossless = without_loss(options) if options.lossless > 0 else None
    note("")
    if lossless:
        print(said(lossless))
    settings = {name: value for name, value in vars(options).items() if name not in ("json", "data_dir")}
    record = machine.record("compression", **settings) | {
        "curves_of_bits_and_squared_error_per_image": curves,
        "bytes_of_model_and_codec": sizes,
        "lossless": lossless,
    }
    path = save(record, options.json)
    for name, each in curves.items():
        smaller = {f"{kind}{code}" for code in options.code[:-1] for kind in (f"{PRESET}, code ", "PCA-")}
        plots.rates(
            {label: points for label, points in each.items() if label not in smaller},
            path.with_name(f"{path.stem}-{name}.png"),
        )
    print(f"\nwritten to {path}, and a picture of each dataset's curves beside it")


def trained(
    name: str, data: str, options: argparse.Namespace, epochs: int | None, **chosen: Any
) -> tuple[Model, Examples]:
    """A model of a preset, trained by its recipe."""
    preset = find_preset(name)
    examples = preset.examples(data, options.data_dir)
    recipe = Recipe(
        preset, epochs or preset.epochs, preset.batch_size, preset.lr, 0, "cpu", preset.form(examples, **chosen)
    )
    model = recipe.build(preset.build)
    if recipe.fit(model, examples.train, progress=False).interrupted:
        raise KeyboardInterrupt  # `fit` ends a training in good order; here nothing is to be kept
    return model, examples


def with_loss(name: str, options: argparse.Namespace) -> tuple[dict[str, Curve], dict[str, int]]:
    """The curves of all codecs, and the bytes of the models that they need."""
    curves, sizes = {}, {}
    for code in options.code:
        note(f"{name}: training {PRESET} with a code of {code}")
        model, examples = trained(
            PRESET, name, options, options.epochs, code=code, hidden=tuple(options.hidden) if options.hidden else None
        )
        train, x = examples.train[:ENOUGH], examples.test[: options.images]
        for label, coder, count in (
            (f"{PRESET}, code {code}", model, model.parameter_count()),
            (f"PCA-{code}", PCA(code).fit(train), (code + 1) * train.shape[1]),
        ):
            note(f"{name}: {label}")
            codec = Codec.fit(coder, train)
            curves[label] = curve(codec, x)
            sizes[label] = 4 * count + sum(each.nbytes for each in codec.tensors().values())
    return curves | dict(image_codecs(x, examples)), sizes


def bits_at(points: Curve, error: float) -> float | None:
    """The bits at which a curve has this error: between two points on a straight line of log bits; None beyond the ends."""
    errors, bits = np.array(sorted((error, bits) for bits, error in points)).T
    if not errors[0] <= error <= errors[-1]:
        return None
    return float(np.exp(np.interp(error, errors, np.log(bits))))


def table(name: str, curves: dict[str, Curve], sizes: dict[str, int]) -> str:
    """Markdown: the bits of each codec at some errors, its smallest error, and the size of the model."""
    webp, jpeg = (max(error for _, error in curves[label]) for label in ("WebP", "JPEG"))
    errors = [webp / 2, webp, (webp * jpeg) ** 0.5, jpeg]
    lines = [
        f"{name}: bits of an image at a squared error of",
        "| codec | " + " | ".join(f"{error:.1f}" for error in errors) + " | smallest error | model |",
        "| --- |" + " ---: |" * (len(errors) + 2),
    ]
    for label, points in curves.items():
        bits = [bits_at(points, error) for error in errors]
        cells = ["–" if each is None else f"{each:,.0f}" for each in bits]
        if label == "PNG, lossless":
            cells[0] = f"{points[0][0]:,.0f} at any"
        size = f"{sizes[label] / 1e6:.2f} MB" if label in sizes else "–"
        lines.append(f"| {label} | " + " | ".join(cells) + f" | {min(error for _, error in points):.1f} | {size} |")
    return "\n".join(lines) + "\n"


def without_loss(options: argparse.Namespace) -> dict[str, Any]:
    """Bits of a binary image by bits-back, by -ELBO, and by PNG and LZMA. Raises AssertionError unless all come back as they were."""
    from PIL import Image

    name = options.data[0]
    note(f"{name}: training vae-binary")
    model, examples = trained("vae-binary", name, options, options.lossless_epochs)
    grey = examples.test[: options.lossless]
    x = (np.random.default_rng(0).random(grey.shape) < grey).astype(np.float32)
    note(f"{name}: bits-back")
    coded, bits = bits_back(model, x)
    if not np.array_equal(bits_forth(model, coded, len(x), x.shape[1:]), x):
        raise AssertionError("bits-back coding did not give back the images that it was given")
    elbo = float(score(model, x, "elbo", samples=50).values.mean()) / math.log(2)
    file, rows = io.BytesIO(), x.reshape(-1, 28)
    Image.fromarray((rows * 255).astype(np.uint8)).convert("1").save(file, "PNG", optimize=True)
    packed = np.packbits(x.astype(bool)).tobytes()
    return {
        "data": name,
        "images": len(x),
        "bits_back": bits,
        "negative_elbo": elbo,
        "png": 8 * file.getbuffer().nbytes / len(x),
        "lzma": 8 * len(lzma.compress(packed, preset=9)) / len(x),
        "raw": x[0].size,
        "bits_of_model_per_image": 32 * model.parameter_count() / len(x),
    }


def said(found: dict[str, Any]) -> str:
    """The figures without loss, in words."""
    return (
        f"{found['data']}, drawn to be 0 or 1, without loss, {found['images']:,} images, all as they were: {found['bits_back']:.1f} bits an image by bits-back, "
        f"-ELBO {found['negative_elbo']:.1f} ({found['bits_back'] / found['negative_elbo'] - 1:+.1%}), PNG {found['png']:.0f}, LZMA {found['lzma']:.0f}, "
        f"raw {found['raw']}; the model, not counted, is as large as {found['bits_of_model_per_image']:,.0f} bits for each of them"
    )


if __name__ == "__main__":
    sys.exit(main())
