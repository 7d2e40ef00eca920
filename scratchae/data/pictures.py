"""A folder of a person's images, read by Pillow: grey or in colour, with a class for each subfolder."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from ..errors import DataError, OptionError
from .source import Source, numbered

ENDINGS = {".png", ".jpg", ".jpeg", ".bmp", ".gif", ".webp", ".tif", ".tiff", ".pgm", ".ppm", ".pbm", ".pnm"}
SIXTEEN_BITS = ("I;16", "I;16B", "I;16L")  # modes of Pillow


def images_in(folder: Path) -> list[Path]:
    """The image files in a folder and its subfolders, by name. Hidden ones are passed over."""
    return sorted(
        path
        for path in folder.rglob("*")
        if path.suffix.lower() in ENDINGS and not any(part.startswith(".") for part in path.relative_to(folder).parts)
    )


def read_images(folder: Path, paths: list[Path], size: tuple[int, int] | None, channels: int | None = None) -> Source:
    """Images (N, H, W, C), uint8. C is 1 if all of them are grey, 3 otherwise; `channels=3` makes it 3 in any case.

    size (H, W): every image is scaled to cover it, and what stands over on two sides is cut off. Raises DataError if images
    differ in size and none is given, and for files that cannot be read.
    """
    heads = [read_one(path, head) for path in paths]
    colour = channels == 3 or any(coloured for _, coloured in heads)
    sizes = {found for found, _ in heads}
    source = Source(folder.resolve().name, np.empty(0))
    if size is None and len(sizes) > 1:
        shown = ", ".join(f"{h}×{w}" for h, w in sorted(sizes)[:3])
        middle = sorted(map(min, sizes))[len(sizes) // 2]
        raise DataError(
            f"{folder}: its {len(paths):,} images have {len(sizes):,} different sizes (height×width {shown}, …): say to which they should be "
            f"fitted, such as --size {min(middle, 64)} or --size 48x64"
        )
    size = size or next(iter(sizes))
    if sizes != {size}:
        source.notes.append(
            f"Images were scaled to {size[0]}×{size[1]}; what stood over was cut off evenly on both sides."
        )
    source.x = np.empty((len(paths), *size, 3 if colour else 1), np.uint8)
    for i, path in enumerate(paths):
        source.x[i] = read_one(path, lambda file: pixels_of(file, colour, size))
    classes = [path.relative_to(folder).parts[0] if path.parent != folder else "" for path in paths]
    if all(classes):
        source.labels, source.classes = numbered(np.array(classes))
    elif any(classes):
        source.notes.append(
            "Some images lie in subfolders and some beside them, so the subfolders do not count as classes."
        )
    return source


def read_one(path: Path, what: Callable[[Any], Any]) -> Any:
    """What a function finds in an opened image. Raises DataError if the file cannot be read, OptionError without Pillow."""
    try:
        from PIL import Image
    except ImportError:
        raise OptionError(
            "images are read by Pillow, which is not installed: pip install 'scratchae[images]'"
        ) from None
    try:
        with Image.open(path) as file:
            return what(file)
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise DataError(
            f"{path} cannot be read as an image ({error}): take it out of the folder, or mend it"
        ) from None


def head(file: Any) -> tuple[tuple[int, int], bool]:
    """(height, width) as a person sees the image, and whether it is in colour, without decoding it."""
    width, height = file.size
    on_its_side = file.getexif().get(0x0112, 1) >= 5  # the camera was held upright
    return (width, height) if on_its_side else (height, width), file.mode not in (
        "1",
        "L",
        "LA",
        "I",
        "F",
        *SIXTEEN_BITS,
    )


def pixels_of(file: Any, colour: bool, size: tuple[int, int]) -> np.ndarray:
    """Bytes (H, W, 1), or (H, W, 3) in colour: turned as the camera says, on white where it is transparent."""
    from PIL import Image, ImageOps

    picture = ImageOps.exif_transpose(file)
    if file.mode in ("I", "F", *SIXTEEN_BITS):
        values = np.asarray(picture, np.float64)
        top = 65535 if file.mode in SIXTEEN_BITS or values.max() > 255 else 255
        picture = Image.fromarray((values * (255 / top)).clip(0, 255).astype(np.uint8))
    elif "A" in file.mode or "transparency" in file.info:
        clear = picture.convert("RGBA")
        picture = Image.alpha_composite(Image.new("RGBA", clear.size, "white"), clear)
    picture = picture.convert("RGB" if colour else "L")
    if picture.size != size[::-1]:
        picture = ImageOps.fit(picture, size[::-1])
    return np.asarray(picture).reshape(*size, -1)
