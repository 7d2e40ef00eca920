"""The folder of a run: its files, whose it is, and the record in it."""

from __future__ import annotations

import itertools
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..errors import RunError, printable
from ..files import cannot_write, written_whole

MODEL, CHECKPOINT, HISTORY, RECORD = "model.safetensors", "checkpoint.safetensors", "history.csv", "run.json"
LARGEST = 2**20  # bytes of a record


def run_folder(out: str | Path | None, stem: str, record: dict[str, Any], resume: bool) -> Path:
    """The folder, with the record of the run in it. To resume, `record` takes from the earlier one what the run goes on with.

    Raises RunError if the folder cannot be written, holds something else, or lacks what to resume from.
    """
    for folder in default_folders(stem, resume) if out is None else [Path(out)]:
        try:
            if (folder / RECORD).exists():
                go_on(folder, record, resume)
            else:
                begin(folder, record)
        except FileExistsError:  # another run's; of the default folders, one that another process has just made
            if out is not None:
                raise RunError(
                    f"{folder} already holds a run: --resume goes on with it, or choose another --out"
                ) from None
        except OSError as error:
            raise RunError(cannot_write(f"to {folder}", error, "choose another --out")) from None
        else:
            return folder
    raise AssertionError  # there are always more folders


def default_folders(stem: str, resume: bool) -> Iterator[Path]:
    """Those of runs/STEM, runs/STEM-2, … that are not there yet; to resume, first the last that is."""
    last = None
    for number in itertools.count(1):
        folder = Path(f"runs/{stem}-{number}" if number > 1 else f"runs/{stem}")
        if folder.exists():
            last = folder
            continue
        if resume and last is not None:
            yield last
        yield folder


def begin(folder: Path, record: dict[str, Any]) -> None:
    """Make the folder a run's. Raises FileExistsError if it is another run's by now."""
    if folder.is_dir() and any(not path.name.startswith(".") for path in folder.iterdir()):
        if (folder / RECORD).exists():
            raise FileExistsError
        raise RunError(f"{folder} is not empty and holds no run: choose another --out, so that nothing is lost")
    write_record(folder, record, new=True)


def go_on(folder: Path, record: dict[str, Any], resume: bool) -> None:
    """Look whether the run in the folder can go on as this one. Its record stays until there is a newer one to take its place.

    Raises FileExistsError if the run is not to be resumed.
    """
    if not resume:
        raise FileExistsError
    before = read_record(folder)
    for name in ("preset", "data", "seed"):
        was, now = before.get(name), record[name]
        if was != now:
            raise RunError(
                f"{folder} holds a run with another {name} ({printable(was)}, now {now}): choose another --out"
            )
    compiled = before.get("compiled") is True
    if record["compiled"] and not compiled:
        raise RunError(
            f"{folder} holds a run that began without compiled kernels, which round differently: resume it without --compile, or "
            "choose another --out"
        )
    record["compiled"] = compiled
    if not (folder / CHECKPOINT).exists():
        if (folder / MODEL).exists():
            raise RunError(
                f"{folder / CHECKPOINT} is missing, and without it the run in {folder} cannot go on: choose another --out to "
                "begin anew"
            )
        print(f"{folder} holds a run that was stopped before its first checkpoint: it begins anew")


def read_record(folder: Path) -> dict[str, Any]:
    """The record of the run in a folder: at least its preset and its data, in words. Raises RunError if there is none."""
    path = folder / RECORD
    try:
        if not path.is_file() or path.stat().st_size > LARGEST:
            raise ValueError
        record = json.loads(path.read_text(encoding="utf-8"))
        if not all(isinstance(record[name], str) for name in ("preset", "data")):
            raise ValueError
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        raise RunError(f"{path} is damaged or no record of a run: choose another --out") from None
    return record


def write_record(folder: Path, record: dict[str, Any], new: bool = False) -> None:
    """Write the record. new: raises FileExistsError if there is one."""
    with written_whole(folder / RECORD, new) as temporary:
        temporary.write_text(json.dumps(record, indent=2, ensure_ascii=False) + "\n", encoding="utf-8")
