"""Pictures of images: in rows, as a mosaic and on their way through the layers. Weights are drawn as images too."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from .figure import FAINT, figure, frame, number, signed


def image_rows(
    rows: dict[str, np.ndarray],
    path: Path,
    *,
    below: dict[str, Sequence[str]] | None = None,
    above: Sequence[str] = (),
    caption: str = "",
) -> None:
    """Rows of images in [0, 1], each row with its name: (n, H, W) as ink on white, or (n, H, W, 3) in colour.

    below: words below the images of some rows, by name. above: a word above each column.
    """
    n, below = len(next(iter(rows.values()))), below or {}
    height = 0.78 * len(rows) + 0.16 * len(below) + 0.2 * bool(above)
    with figure(path, 1.7 + 0.72 * n, height, caption) as drawn:
        grid = drawn.subplots(len(rows), n, squeeze=False)
        for axes_row, (name, images) in zip(grid, rows.items(), strict=True):
            for axes, image in zip(axes_row, images, strict=True):
                axes.imshow(image, cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
                frame(axes)
            for axes, word in zip(axes_row, below.get(name, ()), strict=False):
                axes.set_xlabel(word, fontsize=7.5, labelpad=2)
            axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
        for axes, word in zip(grid[0], above, strict=False):
            axes.set_title(word, fontsize=8)


def mosaic(images: np.ndarray, path: Path, caption: str = "") -> None:
    """Images (rows, columns, H, W) in [0, 1], ink on white, or (rows, columns, H, W, 3), side by side in thin frames."""
    rows, columns, H, W = images.shape[:4]
    with figure(path, 0.55 * columns, 0.55 * rows, caption) as drawn:
        axes = drawn.subplots()
        axes.imshow(tiled(images), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest")
        axes.set_axis_off()
        edges = np.arange(columns + 1) * W - 0.5, np.arange(rows + 1) * H - 0.5
        look = {"color": FAINT, "linewidth": 0.8}
        axes.vlines(edges[0], edges[1][0], edges[1][-1], **look)
        axes.hlines(edges[1], edges[0][0], edges[0][-1], **look)


def manifold(images: np.ndarray, z: np.ndarray, path: Path) -> None:
    """The images that a code of two numbers makes: (n, n, H, W) in [0, 1], or (n, n, H, W, 3), for the values z (n,) of the first number from left
    to right, and of the second from bottom to top.
    """
    n = len(z)
    caption = (
        f"The decoder's outputs for {n} × {n} codes. Codes are drawn from N(0, 1), where each number is equally likely "
        f"to fall into any of the {n} columns, or rows: so the steps are small near 0 and large where codes are rare."
    )
    with figure(path, 7, 7, caption) as drawn:
        axes = drawn.subplots()
        axes.imshow(tiled(images), cmap="gray_r", vmin=0, vmax=1, interpolation="nearest", extent=(0, n, 0, n))
        axes.grid(visible=False)
        at = np.linspace(0, n - 1, min(n, 6)).round().astype(int)
        names = [number(round(value, 2)) for value in z[at].tolist()]
        axes.set_xticks(at + 0.5, names)
        axes.set_yticks(at + 0.5, names)
        axes.set_xlabel("code, first number")
        axes.set_ylabel("code, second number")


def tiled(images: np.ndarray) -> np.ndarray:
    """Images (rows, columns, H, W) as one (rows · H, columns · W); a last axis of colours stays."""
    rows, columns, H, W, *colours = images.shape
    return images.swapaxes(1, 2).reshape(rows * H, columns * W, *colours)


def kernels(layers: dict[str, np.ndarray], path: Path, count: int = 32) -> None:
    """For each name, a layer's kernels (n, KH, KW) as images: the first `count`, each relative to its own largest weight."""
    columns = 16
    lines = [
        (name if start == 0 else "", images[:count][start : start + columns])
        for name, images in layers.items()
        for start in range(0, min(len(images), count), columns)
    ]
    caption = "; ".join(
        f"{name.replace(chr(10), ' ')}: {'the first ' + str(count) if len(images) > count else 'all'} of {len(images)}"
        for name, images in layers.items()
    )
    caption = (
        f"The kernels between each input and output channel ({caption}), each relative to its own largest weight."
    )
    with figure(path, 1.9 + 0.5 * columns, 0.53 * len(lines) + 0.75, caption) as drawn:
        grid = drawn.subplots(len(lines), columns, squeeze=False)
        for axes_row, (name, images) in zip(grid, lines, strict=True):
            axes_row[0].set_ylabel(name, rotation=0, ha="right", va="center", labelpad=8)
            for axes in axes_row:
                axes.set(xticks=[], yticks=[])
                axes.spines[:].set_visible(False)
            for axes, image in zip(axes_row, images, strict=False):
                image = image / (np.abs(image).max() or 1)
                shown = axes.imshow(image, cmap=signed(), vmin=-1, vmax=1, interpolation="nearest")
        bar = drawn.colorbar(
            shown, ax=grid, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.set_ticklabels(["− the kernel's largest", "0", "the kernel's largest"])


def filters(
    W: np.ndarray, spread: np.ndarray, path: Path, count: int = 64, shape: tuple[int, ...] = (28, 28)
) -> None:
    """What the first layer's units look for: the `contributions` of pixels to the `count` strongest units, as images."""
    images = contributions(W, spread, count, shape)
    columns = 16
    rows = -(-len(images) // columns)
    units = W.shape[1]
    caption = (
        f"{f'The {count} strongest of {units}' if units > count else f'All {units}'} units of the first layer, the strongest "
        "first. Ink at a dark red pixel speaks for the unit, ink at a pale blue one against it: a pixel's colour is its weight times how "
        "much the pixel varies among the examples (its standard deviation), as a part of the unit's largest."
    )
    with figure(path, 0.55 * columns, 0.57 * rows + 0.6, caption) as drawn:
        grid = drawn.subplots(rows, columns, squeeze=False)
        for axes in grid.flat:
            axes.set_axis_off()
        for axes, image in zip(grid.flat, images, strict=False):
            image = image / (np.abs(image).max() or 1)
            shown = axes.imshow(image, cmap=signed(), vmin=-1, vmax=1, interpolation="nearest")
        bar = drawn.colorbar(
            shown, ax=grid, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.set_ticklabels(["against", "0", "for"])


def contributions(
    W: np.ndarray, spread: np.ndarray, count: int = 64, shape: tuple[int, ...] = (28, 28)
) -> np.ndarray:
    """What pixels contribute to units: the columns of W (pixels, units) as images (count, H, W), each weight times its pixel's
    standard deviation `spread` (pixels,), summed over the colours. The units are those to which all pixels together contribute
    most, the strongest first. shape: (H, W) or (H, W, C).
    """
    contribution = W * spread[:, None]
    strongest = np.argsort(-np.linalg.norm(contribution, axis=0), kind="stable")[:count]
    return contribution[:, strongest].T.reshape(-1, *shape[:2], *(shape[2:] or (1,))).sum(axis=-1)


def feature_maps(outputs: dict[str, np.ndarray], path: Path, count: int = 16) -> None:
    """One image on its way through the layers: for each name the first `count` channels of an output (H, W, C). A code of one
    pixel is drawn as one strip of all its channels. Zero is grey, and each layer has its own scale.
    """
    caption = (
        "One image on its way through the layers, channel by channel. Each layer has its own colour scale, which ends at "
        "the largest absolute value of its output; the range of the output is given beside it."
    )
    with figure(path, 2.6 + 0.5 * count, 0.56 * len(outputs) + 0.9, caption) as drawn:
        column = drawn.subplots(len(outputs), squeeze=False)[:, 0]
        for axes, (name, output) in zip(column, outputs.items(), strict=True):
            H, W, C = output.shape
            limit = float(np.abs(output).max()) or 1.0
            axes.set(xticks=[], yticks=[], xlim=(0, count), ylim=(-0.5, 0.5))
            axes.grid(visible=False)
            axes.spines[:].set_visible(False)
            if H * W == 1:
                cells = [(output.reshape(1, C), (0.05, count - 0.05, -0.45, 0.45))]
            else:  # one axes for each image would take seconds to lay out
                half = 0.45 * np.array([-W, W, -H, H]) / max(H, W)
                cells = [(output[:, :, c], half + np.array([c + 0.5, c + 0.5, 0, 0])) for c in range(min(C, count))]
            for image, (left, right, low, high) in cells:
                place = {"extent": (left, right, low, high), "aspect": "auto"}
                shown = axes.imshow(image / limit, cmap=signed(), vmin=-1, vmax=1, interpolation="nearest", **place)
                edge = [left, right, right, left, left], [low, low, high, high, low]
                axes.plot(*edge, color=FAINT, linewidth=0.8, scalex=False, scaley=False)
            some = "" if H * W == 1 or count >= C else f", {count} shown"
            # a millionth of the largest is a rounding error, and should be 0
            low, high = (
                0.0 if abs(end) < 1e-6 * limit else end for end in (float(output.min()), float(output.max()))
            )
            text = f"{name}\n{H}×{W}×{C}{some}; {number(float(f'{low:.2g}'))} … {number(float(f'{high:.2g}'))}"
            axes.set_ylabel(text, rotation=0, ha="right", va="center", labelpad=8, fontsize=8)
        bar = drawn.colorbar(
            shown, ax=column, orientation="horizontal", shrink=0.4, aspect=40, pad=0.02, ticks=[-1, 0, 1]
        )
        bar.set_ticklabels(["− the layer's largest", "0", "the layer's largest"])
