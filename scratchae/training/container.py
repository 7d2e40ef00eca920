"""The file that models and trainings are kept in: tensors in the safetensors format, and JSON beside them, with a checksum."""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import numpy as np

from ..backend import Array, to_numpy
from ..errors import CheckpointError, printable
from ..files import beside, cannot_write, written_whole

FORMAT_VERSION = 1


def this_version() -> str:
    from .. import __version__  # which imports this module

    return __version__


def write(path: str | Path, metadata: dict[str, Any], tensors: dict[str, Array]) -> None:
    """Write JSON metadata and tensors, with a checksum over both."""
    from safetensors import SafetensorError
    from safetensors.numpy import save_file

    arrays = {name: np.asarray(to_numpy(tensor), order="C") for name, tensor in tensors.items()}
    content = {"version": FORMAT_VERSION, "written_by": this_version(), **metadata}
    # one entry: safetensors writes several in a random order, and the same model should give the same bytes
    text = {"scratchae": json.dumps({"sha256": checksum(content, arrays), **content})}
    try:
        with written_whole(as_path(path)) as temporary, beside(temporary) as apart:
            # a folder, since safetensors makes a temporary file of its own beside the file, which only its owner may read
            apart.mkdir()
            save_file(arrays, apart / "file", metadata=text)
            (apart / "file").chmod(temporary.stat().st_mode)
            os.replace(apart / "file", temporary)
    except (OSError, SafetensorError) as error:
        raise CheckpointError(cannot_write(path, error)) from error


def read(path: str | Path) -> tuple[dict[str, Any], dict[str, np.ndarray]]:
    """Metadata and tensors of a file. Raises CheckpointError if it is missing, damaged, or of a newer format."""
    from safetensors import safe_open

    require_readable(path)
    try:
        with safe_open(path, framework="numpy") as file:
            text = dict(file.metadata() or {})
            arrays = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 (no mapping: it has only keys())
    except Exception as error:  # of many kinds, for a header that says anything
        raise CheckpointError(
            f"{path} is damaged or no checkpoint ({printable(error)}): use another copy, or train again"
        ) from None
    try:
        content = json.loads(text["scratchae"])
        expected, version = content.pop("sha256"), int(content["version"])
        is_sound = checksum(content, arrays) == expected
    except (KeyError, TypeError, ValueError, AttributeError, OverflowError, RecursionError):
        raise CheckpointError(f"{path} is damaged or was not written by scratchae: it has no entry of ours") from None
    if version > FORMAT_VERSION:
        raise CheckpointError(
            f"{path} has format version {version}, this scratchae reads up to {FORMAT_VERSION}: upgrade scratchae"
        )
    if not is_sound:
        raise CheckpointError(
            f"{path} is damaged: its checksum does not match its content; use another copy, or train again"
        )
    return content, arrays


def require_readable(path: str | Path) -> None:
    """Raise CheckpointError, which says why, if there is no file, or none that may be read."""
    try:
        if not as_path(path).is_file():
            raise CheckpointError(f"no checkpoint at {path}")
        with open(path, "rb"):
            pass
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror}") from None


def as_path(path: str | Path) -> Path:
    """The path of a file. Raises CheckpointError for what is none."""
    if not isinstance(path, str | os.PathLike) or not Path(path).name:
        raise CheckpointError(f"path={path!r}: expected the path of a file, such as 'model.safetensors'")
    return Path(path)


def checksum(content: dict[str, Any], arrays: dict[str, np.ndarray]) -> str:
    """SHA-256 over the metadata and all tensors with their names, dtypes and shapes, in the order of the names."""
    digest = hashlib.sha256(json.dumps(content).encode())
    for name in sorted(arrays):
        digest.update(f"{name} {arrays[name].dtype.str} {arrays[name].shape}\n".encode())
        digest.update(arrays[name])
    return digest.hexdigest()
