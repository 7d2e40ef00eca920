"""Faults on purpose: what writes files is killed, or refused by its disk, at every one of its writes, and the files are looked at.

    python tests/faults.py JOB FAULT FOLDER

runs a job again and again, in a process of its own each time and in a copy of the same folder, with the fault at the first, the
second, … of its writes, until it gets to the end without one. tests/test_faults.py calls it.
"""

import contextlib
import dataclasses
import errno
import functools
import io
import itertools
import json
import os
import resource
import shutil
import signal
import sys
import time
from pathlib import Path

import numpy as np

import scratchae
from scratchae import runs
from scratchae.backend.kernels import host
from scratchae.bench import harness
from scratchae.data import mnist
from scratchae.files import LEFT
from scratchae.presets import PRESETS
from scratchae.study.tiny import tiny
from scratchae.training import History
from scratchae.tutorial import book, chapters

TRACE = scratchae.trace(*tiny())
X = np.random.default_rng(0).random((20, 6), dtype=np.float32)
CHANGES = {"os.rename", "os.remove", "os.link", "os.mkdir", "os.rmdir", "os.chmod", "os.truncate", "os.symlink"}


def is_write(event, arguments):
    """Whether an event that Python tells of changes something on a disk."""
    if event != "open":
        return event in CHANGES
    path, mode, flags = arguments
    writes = any(letter in mode for letter in "wax+") if isinstance(mode, str) else flags & (os.O_WRONLY | os.O_RDWR)
    return bool(writes) and str(path) != os.devnull and not isinstance(path, int)


class AtWrite:
    """A fault at the n-th write of this process: `strike` is called."""

    def __init__(self, n, strike):
        self.left, self.strike = n, strike
        sys.addaudithook(self.hook)

    def hook(self, event, arguments):
        if is_write(event, arguments):
            self.left -= 1
            if self.left < 0:
                self.strike()


class EachWrite(AtWrite):
    """Something at each write."""

    def __init__(self, strike):
        super().__init__(0, strike)


def kill():
    os.kill(os.getpid(), signal.SIGKILL)


def refuse(number):
    """Every write from now on fails, as on a disk that is full or was made read-only."""

    def strike():
        raise OSError(number, os.strerror(number))

    return strike


def limited(size, action):
    """No file may become longer. SIG_DFL ends the process there, in the midst of a write; SIG_IGN makes the write fail."""
    signal.signal(signal.SIGXFSZ, action)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, size))


FAULTS = {
    "kill": lambda n: AtWrite(n, kill),
    "full": lambda n: AtWrite(n, refuse(errno.ENOSPC)),
    "read-only": lambda n: AtWrite(n, refuse(errno.EROFS)),
    "kill in a write": lambda n: limited(SIZES[n], signal.SIG_DFL),
    "cut": lambda n: limited(SIZES[n], signal.SIG_IGN),
}
SIZES = [0, 1, 7, 50, 400, 1000, 3000, 20_000, 300_000, 2**40]


# What writes


def model(seed=0):
    rng = np.random.default_rng(seed)
    return scratchae.Autoencoder(scratchae.Dense(6, 4, rng=rng), scratchae.Dense(4, 6, rng=rng), loss=scratchae.MSE())


def save(folder, new):
    scratchae.save(model(new), folder / "model.safetensors")


def fit(folder, new):
    options = {"optimizer": scratchae.Adam(0.01), "checkpoint": folder / "checkpoint.safetensors", "resume": True}
    history = scratchae.fit(model(), X, epochs=2 + new, batch_size=10, progress=False, **options)
    history.to_csv(folder / "history.csv")


def train(folder, new):
    few = {"epochs": 1 + new, "batch_size": 4000, "out": folder / "run", "resume": True}
    runs.train(PRESETS["overcomplete"], **few)


def page(folder, new):
    dataclasses.replace(TRACE, title=f"page {new}").html(folder / "page.html")


def write_book(folder, new):
    os.environ["NEW"] = str(new)
    book.build(folder / "book", None)


def notebooks(folder, new):
    chapters.write_notebooks(folder)


def exercise(folder, new):
    os.chdir(folder)
    chapters.hand_out("00_neuron")


def cache(folder, new):
    os.environ["XDG_CACHE_HOME"] = str(folder)
    host.library.cache_clear()
    host.library("float32")


def download(folder, new):
    mnist.download("mnist", folder / "mnist", [(Path(sys.argv[3]) / "mirror").as_uri() + "/"])


def record(folder, new):
    harness.save({"benchmark": "x", "date": "2026-01-01", "new": new}, folder / "bench.json")


def csv(folder, new):
    History({"epoch": [1, 2], "loss": [0.5, new]}).to_csv(folder / "history.csv")


JOBS = (save, fit, train, page, write_book, notebooks, exercise, cache, download, record, csv)
BY_NAME = {job.__name__: job for job in JOBS}


def prepare(name, folder):
    """Put small things in the place of those that take long, for a job."""
    if name == "write_book":

        def run_sphinx(pages, site, options):
            for page, text in (("index.html", "x" * 500), ("a/b.html", "y" * 5000)):
                (site / page).parent.mkdir(parents=True, exist_ok=True)
                (site / page).write_text(text + os.environ["NEW"], encoding="utf-8")
            (site / ".doctrees").mkdir()

        book.collect, book.run_sphinx = (lambda chosen, pages: None), run_sphinx
    elif name == "notebooks":
        two = chapters.chapters()[:2]
        made = {chapter.path: chapters.notebook(chapter.path) for chapter in two}
        chapters.chapters, chapters.notebook = (lambda: two), made.get
    elif name == "exercise":
        chapters.INSTALLED = chapters.folder()
    elif name == "cache":
        host.build = lambda compiler, dtype, path: path.write_bytes(b"library" * 1000)
        host.fingerprint = lambda compiler: "0a"
        host.shutil.which = lambda name: "/usr/bin/g++"
        host.ctypes.CDLL = lambda path: host.is_whole(Path(path)) or exit(3)
    elif name == "download":
        (folder / "mirror").mkdir()
        for file in mnist.FILES["mnist"]:
            content = file.encode() * 300
            (folder / "mirror" / file).write_bytes(content)
            mnist.FILES["mnist"][file] = (len(content), host.hashlib.sha256(content).hexdigest())
    elif name == "train":
        runs.autoencoder.draw = lambda model, variants, preset, pca, examples, history, album: album.add(
            "loss", lambda path: csv(path.parent, 0)
        )
        small = PRESETS["overcomplete"].synthetic
        object.__setattr__(PRESETS["overcomplete"], "synthetic", lambda rng, n: small(rng, n)[: n // 20])
        object.__setattr__(PRESETS["overcomplete"], "variants", {})


# How it ends


def contents(folder):
    """Of all files that a person would see, by name; those with times in them as what they hold besides."""
    found = {}
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        if path.is_file() and not any(LEFT.fullmatch(part) for part in path.relative_to(folder).parts):
            found[name] = timeless(path)
    return found


def timeless(path):
    """What a file holds, without times. Raises an error for a file that is not whole."""
    if path.suffix == ".safetensors":
        loaded = scratchae.load(path)
        return loaded.parameters.tobytes()
    if path.name == "run.json":
        found = json.loads(path.read_text(encoding="utf-8"))
        return {name: found[name] for name in ("preset", "data", "seed")}
    if path.name == "history.csv":
        lines = path.read_text(encoding="utf-8").splitlines()
        assert len({line.count(",") for line in lines}) == 1, "a row is cut"
        return "history"
    return path.read_bytes()


def in_process(work, fault=None):
    """The status of a process that does the work, with a fault."""
    return status_of(started(work, fault))


def status_of(child):
    return os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])


def started(work, fault=None):
    """The number of a process that does the work."""
    sys.stdout.flush()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            with contextlib.redirect_stdout(io.StringIO()), contextlib.redirect_stderr(io.StringIO()):
                if fault is not None:
                    fault()
                work()
            code = 0
        except (OSError, scratchae.ScratchaeError):
            code = 2
        except BaseException:
            sys.excepthook(*sys.exc_info())
        finally:
            os._exit(code)
    return child


def main(name, fault, folder):
    folder, job = Path(folder), BY_NAME[name]
    prepare(name, folder)
    old, new = folder / "old", folder / "new"
    old.mkdir()
    assert in_process(lambda: job(old, 0)) == 0
    shutil.copytree(old, new)
    assert in_process(lambda: job(new, 1)) == 0
    before, after = contents(old), contents(new)
    if fault == "two at once":
        return print(together(job, folder / "tried", old, after))
    print(
        struck(job, 0, fault, folder / "tried", None, {}, before)
        + struck(job, 1, fault, folder / "tried", old, before, after)
    )


def together(job, folder, begin, after):
    """Do a job in two processes at the same time, on a disk that is slow, and look what there is then. How often it was tried."""
    for n in range(5):
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(begin, folder)
        slow = functools.partial(EachWrite, functools.partial(time.sleep, 0.002 * (1 + n)))
        children = [started(lambda: job(folder, 1), slow) for _ in range(2)]
        assert {status_of(child) for child in children} == {0}
        assert contents(folder) == after
        assert not [path for path in folder.rglob("*") if LEFT.fullmatch(path.name)]
    return n


def struck(job, new, fault, folder, begin, before, after):
    """Do a job with a fault at each of its writes, and look what there is then. The number of them."""
    cases = itertools.count() if fault in ("kill", "full", "read-only") else range(len(SIZES))
    for n in cases:
        shutil.rmtree(folder, ignore_errors=True)
        shutil.copytree(begin, folder) if begin else folder.mkdir()
        status = in_process(lambda: job(folder, new), functools.partial(FAULTS[fault], n))
        assert status in (0, 2, -signal.SIGKILL, -signal.SIGXFSZ), f"{fault} {n}: it ended with {status}"
        found = contents(folder)
        lost = {file for file in before if file not in found and file in after}
        assert not lost, f"{fault} {n}: lost {lost}"
        if job not in (fit, train):  # which write in between, too
            odd = {file for file in found if found[file] not in (before.get(file), after.get(file))}
            assert not odd, f"{fault} {n}: neither the old nor the new: {odd}"
        if status == 0:
            return n
        assert in_process(lambda: job(folder, new)) == 0, f"{fault} {n}: it cannot be done again"
        again = contents(folder)
        different = {file for file in again.keys() | after.keys() if again.get(file) != after.get(file)}
        assert not different, f"{fault} {n}: done again, it is not the same: {different}"
    raise AssertionError("the last case should have been without a fault")


if __name__ == "__main__":
    main(*sys.argv[1:])
