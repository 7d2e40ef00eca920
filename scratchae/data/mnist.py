"""MNIST and Fashion-MNIST in their original form: four gzipped IDX files each, which are found, checked or downloaded."""

from __future__ import annotations

import hashlib
import http.client
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from ..environment import on_terminal
from ..errors import DataError
from ..files import cache_folder, cannot_write, written_whole
from .dataset import Dataset
from .idx import read_idx

TRAIN_IMAGES, TRAIN_LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"
TEST_IMAGES, TEST_LABELS = "t10k-images-idx3-ubyte.gz", "t10k-labels-idx1-ubyte.gz"

# name of the dataset -> name of the file -> (bytes, SHA-256)
FILES = {
    "mnist": {
        TRAIN_IMAGES: (9_912_422, "440fcabf73cc546fa21475e81ea370265605f56be210a4024d2ca8f203523609"),
        TRAIN_LABELS: (28_881, "3552534a0a558bbed6aed32b30c495cca23d567ec52cac8be1a0730e8010255c"),
        TEST_IMAGES: (1_648_877, "8d422c7b0a1c1c79245a5bcf07fe86e33eeafee792b84584aec276f5a2dbc4e6"),
        TEST_LABELS: (4_542, "f7ae60f92e00ec6debd23a6088c31dbd2371eca3ffa0defaefb259924204aec6"),
    },
    "fashion-mnist": {
        TRAIN_IMAGES: (26_421_880, "3aede38d61863908ad78613f6a32ed271626dd12800ba2636569512369268a84"),
        TRAIN_LABELS: (29_515, "a04f17134ac03560a47e3764e11b92fc97de4d1bfaf8ba1a3aa29af54cc90845"),
        TEST_IMAGES: (4_422_102, "346e55b948d973a97e58d2351dde16a484bd415d4595297633bb08f03db6a073"),
        TEST_LABELS: (5_148, "67da17c76eaffca5446c3361aaab5c3cd6d1c2608764d35dfb1850b086bf8dd5"),
    },
}
MIRRORS = {
    "mnist": [
        "https://ossci-datasets.s3.amazonaws.com/mnist/",
        "https://storage.googleapis.com/cvdf-datasets/mnist/",
    ],
    "fashion-mnist": [
        "https://github.com/zalandoresearch/fashion-mnist/raw/master/data/fashion/",
        "http://fashion-mnist.s3-website.eu-central-1.amazonaws.com/",
    ],
}
TIMEOUT = 20.0  # seconds to wait for an answer, and of each window in which the speed is measured
SLOWEST = 4096  # bytes per second: if a mirror is slower, the next one is tried


def load_mnist(name: str, directory: str | Path | None = None) -> Dataset:
    """The dataset "mnist" or "fashion-mnist" from `directory`, or $SCRATCHAE_DATA if that is not given, or the
    cache folder, where it is downloaded if it is missing.

    Raises DataError if a file is missing from a given folder, is damaged, or cannot be downloaded.
    """
    folder = given_folder(name, directory) or download(name)
    axes = {TRAIN_IMAGES: 3, TRAIN_LABELS: 1, TEST_IMAGES: 3, TEST_LABELS: 1}
    return Dataset(name, *(read_idx(checked(name, folder / file), n) for file, n in axes.items()))


def given_folder(name: str, directory: str | Path | None) -> Path | None:
    """The folder given for the data, or the folder inside it with the dataset's name; None if no folder was given."""
    given = directory or os.environ.get("SCRATCHAE_DATA")
    if not given:
        return None
    return Path(given) / name if (Path(given) / name).is_dir() else Path(given)


def checked(name: str, path: Path) -> Path:
    """Return the path if it holds the dataset's file of this name."""
    if not path.is_file() and path.with_suffix("").is_file():
        raise DataError(
            f"{path} is missing, but {path.stem} is there, unpacked: give the folder as data of your own, --data {path.parent}"
        )
    if not path.is_file():
        raise DataError(
            f"{path} is missing: `scratchae data download {name} --data-dir {path.parent}` fetches it, or give another --data-dir"
        )
    size, expected = FILES[name][path.name]
    found = "not computed, as it is too large"
    if path.stat().st_size <= max(files[path.name][0] for files in FILES.values()):
        with open(path, "rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
    for other, files in FILES.items():
        if other != name and files[path.name][1] == found:
            raise DataError(f"{path} is the file of {other}, not of {name}: give another --data-dir")
    if found != expected:
        raise DataError(
            f"{path} is not the original of {name}: it has {path.stat().st_size} bytes, SHA-256 {found}; expected {size} bytes, "
            f"SHA-256 {expected}. If it holds data of your own, give its folder as the data: --data {path.parent}; "
            f"`scratchae data download {name} --data-dir FOLDER` fetches the original into another folder"
        )
    return path


def download(name: str, folder: Path | None = None, mirrors: list[str] | None = None) -> Path:
    """The folder with the dataset's files. Missing files are downloaded from the first mirror that has them."""
    try:
        folder = folder or cache_folder(name)
    except OSError as error:
        raise DataError(f"{error}, or give a folder with the files by --data-dir") from None
    for file, (size, expected) in FILES[name].items():
        if (folder / file).is_file() and (folder / file).stat().st_size == size:
            continue
        problems = []
        for mirror in mirrors or MIRRORS[name]:
            try:
                fetch(mirror + file, folder / file, size, expected)
                break
            except (OSError, http.client.HTTPException, ValueError) as error:  # URL errors and timeouts are OSErrors
                if isinstance(error, OSError) and not isinstance(error, urllib.error.URLError) and error.filename:
                    raise DataError(
                        cannot_write(folder / file, error, "choose another folder, --data-dir FOLDER")
                    ) from None  # another mirror would not help
                problems.append(f"{mirror}: {error}")
                if isinstance(error, urllib.error.HTTPError):
                    error.close()  # the error is the mirror's answer, which keeps the connection open
        else:
            raise DataError(
                f"could not download {file} of {name}: {'; '.join(problems)}. Check the network, or give a folder with the files by --data-dir"
            )
    return folder


def fetch(url: str, path: Path, size: int, expected: str) -> None:
    """Download one file and check it on the way: it is written whole or not at all. Raises OSError or ValueError."""
    from tqdm import tqdm

    request = urllib.request.Request(url, headers={"User-Agent": "scratchae"})
    digest, received = hashlib.sha256(), 0
    with (
        urllib.request.urlopen(request, timeout=TIMEOUT) as answer,
        written_whole(path) as temporary,
        open(temporary, "wb") as out,
        tqdm(total=size, desc=path.name, unit="B", unit_scale=True, disable=not on_terminal()) as bar,
    ):
        window, in_window = time.monotonic(), 0
        while chunk := answer.read1(1 << 16):
            out.write(chunk)
            digest.update(chunk)
            bar.update(len(chunk))
            received, in_window = received + len(chunk), in_window + len(chunk)
            if received > size:
                raise ValueError(f"sent more than the expected {size} bytes")
            if time.monotonic() - window > TIMEOUT:
                if in_window < SLOWEST * TIMEOUT:
                    raise ValueError(f"slower than {SLOWEST} bytes/s")
                window, in_window = time.monotonic(), 0
        if received < size:
            raise ValueError(f"cut off after {received} of {size} bytes")
        if digest.hexdigest() != expected:
            raise ValueError(f"sent a wrong file: SHA-256 {digest.hexdigest()}, expected {expected}")
