"""Whatever is written is whole or not there: one way for files, one for folders. And the folders for what is kept for later, and for
what is not kept.
"""

from __future__ import annotations

import contextlib
import ctypes
import errno
import os
import re
import secrets
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path

DAY = 24 * 60 * 60  # seconds: what is still being written was touched since
LEFT = re.compile(r"\..+\.[0-9a-f]{16}\.part")  # the names that `beside` gives
FULL = {errno.ENOSPC, errno.EDQUOT}
OF_THE_DISK = FULL | {errno.EFBIG, errno.EIO, errno.EROFS}


@contextlib.contextmanager
def written_whole(path: Path, new: bool = False) -> Iterator[Path]:
    """A temporary path beside `path`, which takes the place of `path` if the block succeeds and vanishes if
    it does not.

    A reader, a crash or a kill at any moment finds the old file or the new one, never a part. What killed processes left beside
    it is removed when it is a day old. An OSError of the disk names `path`.

    new: raises FileExistsError if there is a file when it gets its name: of several processes one writes it.
    """
    with beside(path) as temporary:
        # not by tempfile, which lets only its owner read it: this way the umask decides, as for any other file
        os.close(os.open(temporary, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o666))
        yield temporary
        flush(temporary)  # it must be on the disk before it gets its name
        if new:
            give_new_name(temporary, path)
        else:
            os.replace(temporary, path)


@contextlib.contextmanager
def folder_written_whole(path: Path) -> Iterator[Path]:
    """The same for a folder: a new one, which takes the place of `path`. The old one, if there is any, is then removed."""
    between = path.with_name(f".{path.name}.before")
    if between.is_dir() and not path.exists():
        os.rename(between, path)  # a process was killed in `exchange`
    remove(between)
    with beside(path) as temporary:
        temporary.mkdir()
        yield temporary
        for file in temporary.rglob("*"):
            if file.is_file():
                flush(file)
        if path.is_dir():
            exchange(temporary, path, between)
        else:
            os.rename(temporary, path)


@contextlib.contextmanager
def beside(path: Path) -> Iterator[Path]:
    """A name for something new beside `path`; what has it when the block ends is removed."""
    make_folder(path.parent)
    with contextlib.suppress(OSError):
        for left in path.parent.iterdir():
            if LEFT.fullmatch(left.name):
                sweep(left)
    temporary = path.with_name(f".{path.name}.{secrets.token_hex(8)}.part")
    try:
        yield temporary
    except OSError as error:
        if (error.filename is None and error.errno in OF_THE_DISK) or str(error.filename) == str(temporary):
            error.filename = str(path)
        raise
    finally:
        remove(temporary)


def make_folder(path: Path) -> None:
    try:
        path.mkdir(parents=True, exist_ok=True)
    except FileExistsError:
        what = "it is a link that leads nowhere" if path.is_symlink() else os.strerror(errno.ENOTDIR)
        raise NotADirectoryError(errno.ENOTDIR, what, str(path)) from None


def give_new_name(temporary: Path, path: Path) -> None:
    """Give a file another name, too. Raises FileExistsError if there is a file of this name."""
    try:
        os.link(temporary, path)
    except FileExistsError:
        raise
    except OSError:  # a file system on which a file has one name only
        if path.exists():
            raise FileExistsError(errno.EEXIST, os.strerror(errno.EEXIST), str(path)) from None
        os.replace(temporary, path)


def flush(path: Path) -> None:
    """Wait until a file is on the disk. Windows flushes only what is open for writing, Linux anything."""
    with open(path, "r+b" if os.access(path, os.W_OK) else "rb") as file:
        os.fsync(file.fileno())


def exchange(new: Path, old: Path, between: Path) -> None:
    """Let two folders exchange their names: on Linux in one go; elsewhere in three steps, with a third name for the old one."""
    rename = getattr(ctypes.CDLL(None), "renameat2", None) if sys.platform == "linux" else None
    here, swap = -100, 2  # AT_FDCWD, RENAME_EXCHANGE
    if rename is not None and rename(here, os.fsencode(new), here, os.fsencode(old), swap) == 0:
        return
    os.rename(old, between)
    try:
        os.rename(new, old)
    except OSError:
        os.rename(between, old)
        raise
    os.rename(between, new)


def remove(path: Path) -> None:
    """Remove a file, or a folder with all that is in it, as far as it is there and may be removed."""
    with contextlib.suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path, ignore_errors=True)
        else:
            path.unlink()


def sweep(left: Path) -> None:
    """Remove what a killed process of this user left behind, if it is a day old: what is younger may still be written."""
    found = left.lstat()
    if time.time() - found.st_mtime > DAY and found.st_uid == getattr(os, "geteuid", lambda: found.st_uid)():
        remove(left)


def cannot_write(path: object, error: Exception, instead: str = "choose a folder that you may write to") -> str:
    """What to say where something could not be written: the reason, and the way out."""
    said = re.search(r"os error (\d+)", str(error))  # as safetensors says it
    number = int(said[1]) if said else getattr(error, "errno", None)
    reason = os.strerror(number) if said else getattr(error, "strerror", None) or error
    if number in FULL:
        instead = "make room there, or write to another disk"
    return f"cannot write {path}: {reason}: {instead}"


# Folders of our own


@contextlib.contextmanager
def scratch_folder() -> Iterator[Path]:
    """A folder for what is not kept, which is gone when the block ends. What killed processes left is swept."""
    with contextlib.suppress(OSError):
        for left in Path(tempfile.gettempdir()).glob("scratchae-scratch-*"):
            sweep(left)
    # a program that was interrupted and still writes there would make the end fail
    with tempfile.TemporaryDirectory(prefix="scratchae-scratch-", ignore_cleanup_errors=True) as folder:
        yield Path(folder)


def cache_folder(name: str) -> Path:
    """The user's cache folder of this name. Its files may vanish at any time and are then made again.

    Raises OSError if the user has no home folder.
    """
    given = os.environ.get("LOCALAPPDATA" if sys.platform == "win32" else "XDG_CACHE_HOME", "")
    if os.path.isabs(given):  # the XDG specification has others ignored
        return Path(given) / "scratchae" / name
    try:
        return Path.home() / ("Library/Caches" if sys.platform == "darwin" else ".cache") / "scratchae" / name
    except RuntimeError:
        raise OSError(
            "you have no home folder to keep files in: set XDG_CACHE_HOME to a folder that you may write to"
        ) from None


def private_cache_folder(name: str) -> Path:
    """The cache folder of this name, made if need be, in which nobody but the user can write. Raises OSError where it is somebody
    else's, or others could put a folder of theirs in its place.
    """
    folder = cache_folder(name)
    for place in (*reversed(folder.parents), folder):
        if not place.exists():
            place.mkdir(mode=0o700, exist_ok=True)
    for place in (folder.parent, folder):
        if not is_own(place):
            raise PermissionError(errno.EACCES, "it belongs to another user", str(place))
        if others_may_write(place):
            place.chmod(0o700)
    for place in folder.parent.resolve().parents:
        if others_may_write(place) and place.stat().st_mode & 0o1002 == 0o0002:  # and rename what is not theirs
            raise PermissionError(errno.EACCES, "everybody may write there", str(place))
    return folder


def is_own(path: Path) -> bool:
    """Whether a file or a folder, and the link to it, is this user's."""
    return not hasattr(os, "geteuid") or {path.lstat().st_uid, path.stat().st_uid} == {os.geteuid()}


def others_may_write(path: Path) -> bool:
    return hasattr(os, "geteuid") and bool(path.stat().st_mode & 0o022)
