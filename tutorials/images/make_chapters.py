"""Make the small picture of each chapter, `tutorials/images/chapters/NN_name.png`, from one that the chapter draws.

python tutorials/images/make_chapters.py [N …]
"""

import os
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

from scratchae.tutorial.chapters import chapters

WIDTH = 480  # pixels: three side by side on a page
COVERS = {  # where it is not the chapter's first picture
    0: "border",
    1: "codes",
    2: "flow",
    3: "steps",
    5: "twenty",
    6: "directions",
    7: "gradients",
    8: "feature_maps",
    9: "ring",
    10: "words",
    11: "manifold",
}


def main(numbers):
    for chapter in chapters():
        if numbers and chapter.number not in numbers:
            continue
        with tempfile.TemporaryDirectory() as scratch:
            run = [sys.executable, str(chapter.path.resolve())]
            subprocess.run(run, cwd=scratch, check=True, stdout=subprocess.DEVNULL)
            drawn = sorted(
                Path(scratch, "out", chapter.path.stem).glob("*.png"), key=os.path.getmtime
            )
            named = [path for path in drawn if path.stem == COVERS.get(chapter.number)]
            picture = Image.open((named or drawn)[0]).convert("RGB")
            picture.thumbnail((WIDTH, WIDTH * 2 // 3), Image.Resampling.LANCZOS)
            target = (
                chapter.path.parent / "images" / "chapters" / f"{chapter.path.stem}.png"
            )
            target.parent.mkdir(exist_ok=True)
            picture.quantize(96).save(target, optimize=True)
            print(f"{target}: {target.stat().st_size / 1000:.0f} kB")


if __name__ == "__main__":
    main([int(number) for number in sys.argv[1:]])
