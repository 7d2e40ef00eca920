"""Files that are whole or not there."""

import errno
import os
import re
import subprocess
import sys
import textwrap
import time
from pathlib import Path

import pytest

from scratchae import files
from scratchae.files import written_whole


@pytest.fixture
def path(tmp_path):
    return tmp_path / "some file.txt"


def write(path, text):
    with written_whole(path) as temporary:
        temporary.write_text(text)


def content(path):
    """Of all files in the folder."""
    return {file.name: file.read_text() for file in path.parent.iterdir()}


def test_a_new_file(path):
    write(path, "new")
    assert content(path) == {"some file.txt": "new"}


def test_folders_are_made(tmp_path):
    write(tmp_path / "a" / "b" / "file", "new")
    assert (tmp_path / "a" / "b" / "file").read_text() == "new"


def test_an_older_file_stays_until_the_new_one_is_whole(path):
    write(path, "old")
    with written_whole(path) as temporary:
        temporary.write_text("ne")
        assert path.read_text() == "old"
        assert temporary.parent == path.parent  # on the same disk, or a rename would not be in one go
        temporary.write_text("new")
    assert content(path) == {"some file.txt": "new"}


@pytest.mark.parametrize("error", [ValueError, OSError, KeyboardInterrupt, SystemExit])
@pytest.mark.parametrize("old", [None, "old"])
def test_a_write_that_fails_half_way(path, error, old):
    if old is not None:
        write(path, old)

    def fail():
        with written_whole(path) as temporary:
            temporary.write_text("ne")
            raise error

    with pytest.raises(error):
        fail()
    assert content(path) == ({} if old is None else {path.name: old})


@pytest.mark.parametrize("function", ["replace", "fsync"])
def test_a_system_call_that_fails(path, monkeypatch, function):
    write(path, "old")

    def fail(*_):
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(files.os, function, fail)
        with pytest.raises(OSError, match="No space left"):
            write(path, "new")
    assert content(path) == {path.name: "old"}


def test_it_is_on_disk_before_it_gets_its_name(path, monkeypatch):
    calls = []
    for function in (os.fsync, os.replace):

        def watching(*arguments, function=function):
            calls.append(function.__name__)
            return function(*arguments)

        monkeypatch.setattr(files.os, function.__name__, watching)
    write(path, "new")
    assert calls == ["fsync", "replace"]


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_others_may_read_it_as_far_as_the_umask_lets_them(path, monkeypatch, mask, mode):
    umask, before = os.umask, os.umask(mask)
    # it is of the whole process: a change, however short, would open the private files of other threads
    monkeypatch.setattr(os, "umask", None)
    try:
        write(path, "new")
    finally:
        umask(before)
    assert path.stat().st_mode & 0o777 == mode


@pytest.mark.skipif(os.geteuid() == 0, reason="root may write everywhere")
def test_a_folder_that_cannot_be_written(path):
    write(path, "old")
    path.parent.chmod(0o500)
    try:
        with pytest.raises(PermissionError):
            write(path, "new")
    finally:
        path.parent.chmod(0o700)
    assert content(path) == {path.name: "old"}


def test_a_file_in_the_way(tmp_path):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(OSError, match=r"exists|[Nn]ot a directory"):
        write(tmp_path / "file" / "inside", "new")
    assert content(tmp_path / "file") == {"file": "in the way"}


def test_a_full_disk(path):
    """Played by a limit on the size of files, in a process of its own: the limit would stay."""
    write(path, "old")
    script = """
        import resource, signal, sys
        from pathlib import Path
        from scratchae.files import written_whole

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1000, 1000))
        try:
            with written_whole(Path(sys.argv[1])) as temporary:
                temporary.write_text("x" * 5000)
        except OSError as error:
            sys.exit(error.strerror)
    """
    command = [sys.executable, "-c", textwrap.dedent(script), path]
    process = subprocess.run(command, stderr=subprocess.PIPE, text=True, check=False)
    assert "too large" in process.stderr
    assert content(path) == {path.name: "old"}


# What is left, and whose


def aged(path, days):
    """The path, as if nobody had touched it for so many days."""
    then = time.time() - days * files.DAY
    os.utime(path, (then, then), follow_symlinks=False)
    return path


def test_what_killed_processes_left_is_swept_when_it_is_a_day_old(path):
    old, young = (path.with_name(f".{name}.{'0a' * 8}.part") for name in ("model", "other"))
    folder = path.with_name(f".book.{'1b' * 8}.part")
    folder.mkdir()
    for left in (old, young, folder / "page"):
        left.write_text("half")
    like = [path.with_name(name) for name in (".film.part", "film.part", f"{'0a' * 8}.part", ".a.0a0a.part")]
    for theirs in like:
        theirs.write_text("somebody else's")
    for left in (old, folder, *like):
        aged(left, 1.1)
    aged(young, 0.9)
    write(path, "new")
    assert {file.name for file in path.parent.iterdir()} == {path.name, young.name, *(file.name for file in like)}


def test_a_folder_that_cannot_be_listed_is_not_swept(path, monkeypatch):
    monkeypatch.setattr(Path, "iterdir", lambda self: (_ for _ in ()).throw(PermissionError(13, "denied")))
    write(path, "new")
    assert path.read_text() == "new"


def test_scratch_folders_of_killed_processes_are_swept(tmp_path, monkeypatch):
    monkeypatch.setattr(files.tempfile, "tempdir", str(tmp_path))
    with files.scratch_folder() as left:
        (left / "page").write_text("a page")
        kept = left.rename(left.with_name(left.name + "0"))
    other = tmp_path / "scratch"
    other.mkdir()
    aged(kept, 2), aged(other, 2)
    with files.scratch_folder() as now:
        assert set(tmp_path.iterdir()) == {now, other}
    assert set(tmp_path.iterdir()) == {other}


# Folders


def filled(folder, **contents):
    with files.folder_written_whole(folder) as new:
        for name, text in contents.items():
            (new / name).write_text(text)


@pytest.fixture(params=["in one go", "in three steps"])
def way(request, monkeypatch):
    if request.param == "in three steps":
        monkeypatch.setattr(files.sys, "platform", "another")
    elif sys.platform != "linux":
        pytest.skip("Linux alone can do it")


def test_a_folder_takes_the_place_of_an_older_one(tmp_path, way):
    for text in ("old", "new"):
        filled(tmp_path / "book", page=text, **{text: ""})
        assert content(tmp_path / "book" / "page") == {"page": text, text: ""}
        assert [path.name for path in tmp_path.iterdir()] == ["book"]


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), KeyboardInterrupt()])
def test_a_folder_that_fails_half_way_leaves_the_older_one(tmp_path, error):
    filled(tmp_path / "book", page="old")

    def fail():
        with files.folder_written_whole(tmp_path / "book") as new:
            (new / "page").write_text("ne")
            raise error

    with pytest.raises(type(error)):
        fail()
    assert content(tmp_path / "book" / "page") == {"page": "old"}
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


@pytest.mark.parametrize("step", [1, 2, 3])
def test_where_names_cannot_be_exchanged_in_one_go(tmp_path, monkeypatch, step):
    """A kill between any two of the steps: the next one begins by putting back what was moved."""
    filled(tmp_path / "book", page="old")
    monkeypatch.setattr(files.sys, "platform", "another")
    rename, calls = os.rename, []

    def killed(*names):
        calls.append(names)
        if len(calls) == step:
            raise KeyboardInterrupt
        rename(*names)

    with monkeypatch.context() as patch:
        patch.setattr(files.os, "rename", killed)
        with pytest.raises(KeyboardInterrupt):
            filled(tmp_path / "book", page="new")
    kept = [path.read_text() for path in tmp_path.glob("*/page")] + [
        path.read_text() for path in tmp_path.glob(".*/page")
    ]
    assert "old" in kept
    filled(tmp_path / "book", page="newer")
    assert content(tmp_path / "book" / "page") == {"page": "newer"}
    assert [path.name for path in tmp_path.iterdir()] == ["book"]


# What is said


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EDQUOT, errno.EROFS, errno.EIO])
def test_an_error_of_the_disk_names_the_file(path, number):
    def fail(error):
        with written_whole(path):
            raise error

    with pytest.raises(OSError, match=re.escape(str(path))):
        fail(OSError(number, os.strerror(number)))
    with pytest.raises(ConnectionResetError) as raised:  # of a download, which has nothing to do with the disk
        fail(ConnectionResetError(errno.ECONNRESET, "reset"))
    assert raised.value.filename is None


def test_what_to_do_about_an_error_of_the_disk():
    full = files.cannot_write("page", OSError(errno.ENOSPC, "No space left on device"))
    assert full == "cannot write page: No space left on device: make room there, or write to another disk"
    assert files.cannot_write("page", ValueError("I/O error (os error 28)")) == full  # as safetensors says it
    refused = files.cannot_write("r", PermissionError(errno.EACCES, "Permission denied"), "choose another --out")
    assert refused == "cannot write r: Permission denied: choose another --out"


def test_a_link_that_leads_nowhere(tmp_path):
    (tmp_path / "run").symlink_to(tmp_path / "gone")
    with pytest.raises(NotADirectoryError, match="a link that leads nowhere"):
        write(tmp_path / "run" / "model", "new")


# Caches


@pytest.fixture
def cache(tmp_path, monkeypatch):
    tmp_path.chmod(0o700)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    return tmp_path / "cache" / "scratchae"


def test_a_cache_that_is_no_absolute_path_is_ignored(cache, monkeypatch):
    assert files.cache_folder("kernels") == cache / "kernels"
    monkeypatch.setenv("XDG_CACHE_HOME", "cache")
    assert files.cache_folder("kernels") == Path.home() / ".cache" / "scratchae" / "kernels"


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home")))
    with pytest.raises(OSError, match=r"no home folder.*set XDG_CACHE_HOME to a folder"):
        files.cache_folder("kernels")


needs_owners = pytest.mark.skipif(not hasattr(os, "geteuid"), reason="files have no owners here")
needs_root = pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")


def mode(path):
    return path.stat().st_mode & 0o777


@needs_owners
def test_a_private_folder_is_made_private(cache):
    before = os.umask(0)
    try:
        assert files.private_cache_folder("kernels") == cache / "kernels"
        assert (mode(cache.parent), mode(cache), mode(cache / "kernels")) == (0o700,) * 3
        (cache / "kernels").chmod(0o777)  # as an earlier version made it
        files.private_cache_folder("kernels")
        assert mode(cache / "kernels") == 0o700
    finally:
        os.umask(before)


@needs_owners
def test_a_place_where_everybody_may_write(cache):
    cache.mkdir(parents=True)
    cache.parent.chmod(0o777)
    with pytest.raises(PermissionError, match=r"everybody may write there.*cache"):
        files.private_cache_folder("kernels")
    cache.parent.chmod(0o1777)  # as /tmp: everybody may write there, but not move what others own
    files.private_cache_folder("kernels")


@needs_root
@pytest.mark.parametrize("place", [".", "kernels"])
def test_a_private_folder_that_a_stranger_made(cache, place):
    (cache / "kernels").mkdir(parents=True)
    os.chown(cache / place, 54321, 54321)
    with pytest.raises(PermissionError, match="belongs to another user"):
        files.private_cache_folder("kernels")


@needs_root
def test_a_link_that_a_stranger_made(cache, tmp_path):
    cache.mkdir(parents=True)
    (tmp_path / "mine").mkdir()
    (cache / "kernels").symlink_to(tmp_path / "mine")
    os.chown(cache / "kernels", 54321, 54321, follow_symlinks=False)
    with pytest.raises(PermissionError, match="belongs to another user"):
        files.private_cache_folder("kernels")
