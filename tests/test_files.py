"""Files that are whole or not there."""

import os
import subprocess
import sys
import textwrap

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
