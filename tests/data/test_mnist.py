"""MNIST's files: read, found, checked and downloaded. The network here is a server on this machine."""

import contextlib
import gzip
import hashlib
import http.server
import os
import socket
import struct
import threading
import urllib.error
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from numpy.testing import assert_array_equal

from scratchae import files, load_data
from scratchae.data import mnist
from scratchae.data.mnist import (
    TEST_IMAGES,
    TEST_LABELS,
    TRAIN_IMAGES,
    TRAIN_LABELS,
    download,
    given_folder,
    read_idx,
)
from scratchae.errors import DataError

FILES = (TRAIN_IMAGES, TRAIN_LABELS, TEST_IMAGES, TEST_LABELS)


def idx(array):
    """An IDX file, as in the specification, before compression."""
    return struct.pack(f">BBBB{array.ndim}I", 0, 0, 8, array.ndim, *array.shape) + array.tobytes()


def fake_files(seed):
    """Small files of the right form: name -> bytes."""
    rng = np.random.default_rng(seed)
    content = {}
    for images, labels, n in ((TRAIN_IMAGES, TRAIN_LABELS, 20), (TEST_IMAGES, TEST_LABELS, 5)):
        content[images] = gzip.compress(idx(rng.integers(0, 256, (n, 28, 28), np.uint8)))
        content[labels] = gzip.compress(idx(rng.integers(0, 10, n, np.uint8)))
    return content


CONTENT = {"mnist": fake_files(1), "fashion-mnist": fake_files(2)}
URL_PARTS = {f"{name}/{file}": content for name, files in CONTENT.items() for file, content in files.items()}


@pytest.fixture(autouse=True)
def small_and_alone(monkeypatch, tmp_path):
    """Small files instead of the published ones, no proxy, no data of this machine's user."""
    published = {
        name: {file: (len(content), hashlib.sha256(content).hexdigest()) for file, content in files.items()}
        for name, files in CONTENT.items()
    }
    monkeypatch.setattr(mnist, "FILES", published)
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture(autouse=True)
def refusals(monkeypatch):
    """The errors that mirrors answered with. Time passes only where a mirror wastes it, however busy this machine is: the
    clock stands still, but for a mirror that is slow, where a window ends each time that it is read; and a mirror that
    stalls is waited for a moment, any other for ever.
    """
    errors, now, tick = [], 0.0, 0.0
    urlopen = mnist.urllib.request.urlopen

    def monotonic():
        nonlocal now
        now += tick
        return now

    def opened(request, timeout):
        nonlocal tick
        assert timeout == mnist.TIMEOUT
        how = request.full_url.split("/")[3]
        tick = 2 * mnist.TIMEOUT if how in ("trickles", "slowly") else 0.0
        try:
            return urlopen(request, timeout=0.1 if how.startswith("stalls") else None)
        except urllib.error.HTTPError as error:
            errors.append(error)
            raise

    monkeypatch.setattr(mnist, "time", SimpleNamespace(monotonic=monotonic))
    monkeypatch.setattr(mnist.urllib.request, "urlopen", opened)
    return errors


def put(folder, name="mnist"):
    """The files of a dataset, put into a folder."""
    folder.mkdir(parents=True, exist_ok=True)
    for file, content in CONTENT[name].items():
        (folder / file).write_bytes(content)
    return folder


def names(folder):
    return sorted(path.name for path in folder.rglob("*") if path.is_file())


# The format


@pytest.mark.parametrize("shape", [(3, 4, 5), (1, 1, 1), (0, 28, 28)])
def test_read_idx(tmp_path, shape):
    array = np.random.default_rng(0).integers(0, 256, shape, np.uint8)
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(idx(array)))
    found = read_idx(path, 3)
    assert found.dtype == np.uint8
    assert_array_equal(found, array)


GOOD = idx(np.zeros((3, 4, 5), np.uint8))
BAD_IDX = {
    "wrong magic": (gzip.compress(b"\x01" + GOOD[1:]), "begins with 01 00 08 03"),
    "not uint8": (gzip.compress(b"\0\0\x0d" + GOOD[3:]), "begins with 00 00 0d 03"),
    "labels, not images": (gzip.compress(idx(np.zeros(9, np.uint8))), "3 axes: it begins with 00 00 08 01"),
    "nothing in it": (gzip.compress(b""), "begins with nothing"),
    "a header cut short": (gzip.compress(GOOD[:10]), "file.gz"),
    "cut short": (gzip.compress(GOOD[:-1]), r"59 bytes.*\(3, 4, 5\)"),
    "an absurd header": (gzip.compress(struct.pack(">4B3I", 0, 0, 8, 3, 2**31, 2**31, 4)), r"2147483648"),
    "gzip cut short": (gzip.compress(os.urandom(1000))[:-100], "cannot be decompressed"),
    "gzip damaged": (gzip.compress(GOOD)[:-8] + b"\1" * 8, "cannot be decompressed"),
    "gzip with another end": (gzip.compress(GOOD) + b"more", "cannot be decompressed"),
    "no gzip": (GOOD, "cannot be decompressed"),
    "empty": (b"", "file.gz"),
}


@pytest.mark.parametrize("case", BAD_IDX)
def test_what_is_no_idx(tmp_path, case):
    content, message = BAD_IDX[case]
    path = tmp_path / "file.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as raised:
        read_idx(path, 3)
    assert str(path) in str(raised.value)


def test_an_idx_file_that_is_too_long(tmp_path):
    path = tmp_path / "file.gz"
    path.write_bytes(gzip.compress(GOOD + b"\0"))
    with pytest.raises(DataError, match=r"61 bytes.*\(3, 4, 5\)") as raised:
        read_idx(path, 3)
    assert "short" not in str(raised.value)


# Where the files are


def test_loading(tmp_path):
    data = load_data("mnist", put(tmp_path / "here"))
    assert (data.name, data.train_images.shape, data.test_images.shape) == ("mnist", (20, 28, 28), (5, 28, 28))
    assert (data.train_labels.shape, data.test_labels.shape) == ((20,), (5,))
    assert gzip.decompress(CONTENT["mnist"][TRAIN_IMAGES])[16:] == data.train_images.tobytes()
    assert gzip.decompress(CONTENT["mnist"][TEST_LABELS])[8:] == data.test_labels.tobytes()


def test_the_argument_goes_before_the_environment_goes_before_the_cache(tmp_path, monkeypatch):
    argument, environment = tmp_path / "argument", tmp_path / "environment"
    assert given_folder("mnist", None) is None
    assert mnist.cache_folder("mnist") == tmp_path / "cache" / "scratchae" / "mnist"
    monkeypatch.setenv("SCRATCHAE_DATA", str(environment))
    assert given_folder("mnist", None) == environment
    assert given_folder("mnist", argument) == given_folder("mnist", str(argument)) == argument
    monkeypatch.setenv("SCRATCHAE_DATA", "")
    assert given_folder("mnist", None) is None


def test_each_place_is_read(tmp_path, monkeypatch):
    put(mnist.cache_folder("mnist"))
    put(tmp_path / "environment")
    put(tmp_path / "argument")
    read = []
    checked = mnist.checked

    def watching(name, path):
        read.append(path.parent)
        return checked(name, path)

    monkeypatch.setattr(mnist, "checked", watching)
    load_data("mnist")
    monkeypatch.setenv("SCRATCHAE_DATA", str(tmp_path / "environment"))
    load_data("mnist")
    load_data("mnist", tmp_path / "argument")
    assert list(dict.fromkeys(read)) == [mnist.cache_folder("mnist"), tmp_path / "environment", tmp_path / "argument"]


def test_a_folder_may_hold_a_folder_for_each_dataset(tmp_path):
    put(tmp_path / "data" / "mnist", "mnist")
    put(tmp_path / "data" / "fashion-mnist", "fashion-mnist")
    first, second = (load_data(name, tmp_path / "data") for name in ("mnist", "fashion-mnist"))
    assert (first.train_images != second.train_images).any()


def test_without_xdg_the_cache_is_in_the_home_folder(tmp_path, monkeypatch):
    monkeypatch.setattr(files.sys, "platform", "linux")
    monkeypatch.setenv("HOME", str(tmp_path))
    for value in (None, ""):
        monkeypatch.delenv("XDG_CACHE_HOME") if value is None else monkeypatch.setenv("XDG_CACHE_HOME", value)
        assert mnist.cache_folder("mnist") == tmp_path / ".cache" / "scratchae" / "mnist"


def test_a_user_without_a_home(monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME", raising=False)
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home")))
    with pytest.raises(DataError, match=r"no home folder.*XDG_CACHE_HOME.*--data-dir"):
        load_data("mnist")


def test_a_folder_that_cannot_be_written_is_no_fault_of_the_network(tmp_path):
    (tmp_path / "file").write_text("in the way")
    (tmp_path / TRAIN_IMAGES).write_bytes(b"x")
    with pytest.raises(DataError, match=r"cannot write .*file.*: Not a directory: choose another folder, --data-dir"):
        mnist.download("mnist", tmp_path / "file" / "data", [tmp_path.as_uri() + "/"])


def test_a_file_that_is_far_too_large_is_not_read(tmp_path, monkeypatch):
    put(tmp_path)
    with open(tmp_path / TEST_IMAGES, "wb") as file:
        file.truncate(2**40)  # with a hole, which takes no room on the disk
    with pytest.raises(DataError, match=rf"it has {2**40} bytes, SHA-256 not computed, as it is too large; expected"):
        load_data("mnist", tmp_path)


@pytest.mark.parametrize("file", FILES)
def test_a_missing_file_is_not_downloaded_into_a_given_folder(tmp_path, monkeypatch, file):
    monkeypatch.setattr(mnist, "fetch", None)
    (put(tmp_path / "here") / file).unlink()
    with pytest.raises(DataError, match=rf"{file} is missing.*scratchae data download mnist --data-dir .*here"):
        load_data("mnist", tmp_path / "here")


@pytest.mark.parametrize("file", FILES)
@pytest.mark.parametrize("cut", [True, False])
def test_a_file_that_is_not_the_original(tmp_path, file, cut):
    path = put(tmp_path) / file
    good = path.read_bytes()
    bad = good[:-1] if cut else good[:30] + bytes([good[30] ^ 1]) + good[31:]
    path.write_bytes(bad)
    with pytest.raises(DataError) as raised:
        load_data("mnist", tmp_path)
    message = str(raised.value)
    for word in (path, hashlib.sha256(bad).hexdigest(), hashlib.sha256(good).hexdigest(), len(bad), len(good)):
        assert str(word) in message
    assert "scratchae data download mnist" in message


# Downloads


class Handler(http.server.BaseHTTPRequestHandler):
    """Serves /HOW/DATASET/FILE: what is wrong with the answer is said in its first part."""

    def do_GET(self):
        how, _, place = self.path.lstrip("/").partition("/")
        self.server.asked.append(self.path)
        with contextlib.suppress(OSError):  # the client may well be gone
            getattr(self, how.replace("-", "_"))(URL_PARTS[place])

    def begin(self, length):
        self.send_response(200)
        self.send_header("Content-Length", str(length))
        self.end_headers()

    def good(self, content):
        self.begin(len(content))
        self.wfile.write(content)

    def without_length(self, content):
        self.send_response(200)
        self.end_headers()
        self.wfile.write(content)

    def moved(self, content):
        self.send_response(302)
        self.send_header("Location", self.path.replace("/moved/", "/good/"))
        self.end_headers()

    def forbidden(self, content):
        self.send_error(403)

    def missing(self, content):
        self.send_error(404)

    def broken(self, content):
        self.send_error(500)

    def cut_off(self, content):
        self.begin(len(content))
        self.wfile.write(content[: len(content) // 2])

    def cut_off_in_chunks(self, content):
        self.protocol_version = "HTTP/1.1"
        self.send_response(200)
        self.send_header("Transfer-Encoding", "chunked")
        self.end_headers()
        self.wfile.write(b"400\r\n" + content[:100])

    def empty(self, content):
        self.begin(0)

    def wrong(self, content):
        self.good(bytes(len(content)))

    def too_long(self, content):
        self.good(content + bytes(100_000))

    def no_http(self, content):
        self.wfile.write(b"220 This speaks another protocol\r\n" * 9)

    def hangs_up(self, content):
        pass

    def stalls(self, content):
        self.server.stop.wait()

    def stalls_half_way(self, content):
        self.begin(len(content))
        self.wfile.write(content[: len(content) // 2])
        self.wfile.flush()
        self.server.stop.wait()

    trickles = slowly = good

    def log_message(self, *_):
        pass


@pytest.fixture(scope="module")
def running_server():
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads, server.stop, server.asked = True, threading.Event(), []
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield server
    server.stop.set()
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.fixture
def server(running_server):
    running_server.asked.clear()
    return running_server


@pytest.fixture
def mirrors(server):
    """The address of a mirror that answers in the given manner."""

    def address(how, name="mnist"):
        return f"http://127.0.0.1:{server.server_port}/{how}/{name}/"

    return lambda *manners, name="mnist": [address(how, name) for how in manners]


@pytest.mark.parametrize("how", ["good", "without-length", "moved"])
def test_a_download(tmp_path, mirrors, how):
    folder = download("mnist", tmp_path / "new" / "folder", mirrors(how))
    assert folder == tmp_path / "new" / "folder"
    assert {file: (folder / file).read_bytes() for file in names(folder)} == CONTENT["mnist"]


def test_a_download_into_the_cache(mirrors, monkeypatch, server):
    monkeypatch.setitem(mnist.MIRRORS, "mnist", mirrors("good"))
    assert len(load_data("mnist").train_images) == 20
    assert names(mnist.cache_folder("mnist")) == sorted(FILES)
    assert len(server.asked) == 4
    load_data("mnist")
    assert len(server.asked) == 4  # what is there is not asked for again


BAD_MIRRORS = {
    "forbidden": "403",
    "missing": "404",
    "broken": "500",
    "cut-off": r"cut off after \d+ of \d+ bytes",
    "cut-off-in-chunks": "",
    "empty": r"cut off after 0 of \d+ bytes",
    "wrong": "wrong file: SHA-256 [0-9a-f]{64}, expected [0-9a-f]{64}",
    "too-long": r"more than the expected \d+ bytes",
    "no-http": "",
    "hangs-up": "",
    "stalls": "timed out",
    "stalls-half-way": "timed out",
    "trickles": r"slower than \d+ bytes/s",
}


@pytest.mark.parametrize("how", BAD_MIRRORS)
def test_a_bad_mirror(tmp_path, mirrors, refusals, how):
    with pytest.raises(DataError, match=rf"train-images.*of mnist: .*/{how}/mnist/: .*{BAD_MIRRORS[how]}") as raised:
        download("mnist", tmp_path, mirrors(how))
    assert "--data-dir" in str(raised.value)  # the way out
    assert names(tmp_path) == []
    assert len(refusals) == (how in ("forbidden", "missing", "broken")) and all(e.fp.closed for e in refusals)


@pytest.mark.parametrize("how", BAD_MIRRORS)
def test_the_next_mirror_is_tried(tmp_path, mirrors, how, monkeypatch):
    monkeypatch.setattr(mnist, "FILES", {"mnist": {TEST_IMAGES: mnist.FILES["mnist"][TEST_IMAGES]}})  # one is enough
    download("mnist", tmp_path, mirrors(how, "good"))
    assert names(tmp_path) == [TEST_IMAGES]
    assert (tmp_path / TEST_IMAGES).read_bytes() == CONTENT["mnist"][TEST_IMAGES]


def test_a_slow_mirror_is_waited_for(tmp_path, mirrors, monkeypatch):
    """Where it is not too slow, though the whole takes longer than the time for an answer."""
    monkeypatch.setattr(mnist, "SLOWEST", 1 / mnist.TIMEOUT)  # a byte in a window
    monkeypatch.setattr(mnist, "FILES", {"mnist": {TEST_IMAGES: mnist.FILES["mnist"][TEST_IMAGES]}})
    download("mnist", tmp_path, mirrors("slowly"))
    assert (tmp_path / TEST_IMAGES).read_bytes() == CONTENT["mnist"][TEST_IMAGES]


def test_the_problem_of_every_mirror_is_told(tmp_path, mirrors, server):
    with socket.socket() as taken:  # a port where nobody listens, and where nobody else can
        taken.bind(("127.0.0.1", 0))
        nobody = f"http://127.0.0.1:{taken.getsockname()[1]}/"
        told = rf"/missing/mnist/: .*404.*/cut-off/mnist/: cut off.*{nobody}: .*refused"
        with pytest.raises(DataError, match=told):
            download("mnist", tmp_path, [*mirrors("missing", "cut-off"), nobody])
    assert len(server.asked) == 2


def test_good_files_are_not_fetched_again(tmp_path, mirrors, server):
    put(tmp_path)
    (tmp_path / TRAIN_LABELS).write_bytes(b"cut short")
    (tmp_path / TEST_IMAGES).unlink()
    download("mnist", tmp_path, mirrors("good"))
    assert {path.rpartition("/")[2] for path in server.asked} == {TRAIN_LABELS, TEST_IMAGES}
    assert {file: (tmp_path / file).read_bytes() for file in FILES} == CONTENT["mnist"]


def test_a_failed_download_leaves_the_files_that_are_there(tmp_path, mirrors):
    put(tmp_path)
    (tmp_path / TRAIN_LABELS).write_bytes(b"older")
    with pytest.raises(DataError, match="cut off"):
        download("mnist", tmp_path, mirrors("cut-off"))
    assert (tmp_path / TRAIN_LABELS).read_bytes() == b"older"
    assert names(tmp_path) == sorted(FILES)


def test_the_other_dataset_is_not_overwritten(tmp_path, mirrors, monkeypatch):
    """The files of both have the same names: downloaded to one place, both can be read afterwards."""
    for name in ("mnist", "fashion-mnist"):
        monkeypatch.setitem(mnist.MIRRORS, name, mirrors("good", name=name))
    from scratchae.cli import main

    for name in ("mnist", "fashion-mnist"):
        assert main(["data", "download", name, "--data-dir", str(tmp_path)]) == 0
    for name in ("mnist", "fashion-mnist"):
        assert main(["data", "verify", name, "--data-dir", str(tmp_path)]) == 0
        load_data(name, tmp_path)


def test_a_folder_that_cannot_be_written(tmp_path, mirrors):
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(DataError, match=r"exists|[Nn]ot a directory"):
        download("mnist", tmp_path / "file", mirrors("good"))


# The real files, where they are


def real_data():
    places = [os.environ.get("SCRATCHAE_DATA"), Path(__file__).parents[2].parent / "shared" / "data"]
    return next((Path(place) for place in places if place and (Path(place) / "mnist").is_dir()), None)


REAL = real_data()
PUBLISHED = mnist.FILES
# pixel mean and standard deviation, labels per class of the training and the test images
FACTS = {
    "mnist": (
        0.1307,
        0.3081,
        [5923, 6742, 5958, 6131, 5842, 5421, 5918, 6265, 5851, 5949],
        [980, 1135, 1032, 1010, 982, 892, 958, 1028, 974, 1009],
    ),
    "fashion-mnist": (0.2860, 0.3530, [6000] * 10, [1000] * 10),
}


@pytest.mark.skipif(REAL is None, reason="no MNIST files: set SCRATCHAE_DATA to their folder")
@pytest.mark.parametrize("name", FACTS)
def test_the_real_data(name, monkeypatch):
    monkeypatch.setattr(mnist, "FILES", PUBLISHED)
    mean, deviation, train, test = FACTS[name]
    data = load_data(name, REAL)
    assert data.train_images.shape == (60_000, 28, 28)
    assert data.test_images.shape == (10_000, 28, 28)
    assert np.bincount(data.train_labels).tolist() == train
    assert np.bincount(data.test_labels).tolist() == test
    counts = np.bincount(data.train_images.ravel(), minlength=256) / data.train_images.size  # of each grey
    grey = np.arange(256) / 255
    assert counts @ grey == pytest.approx(mean, abs=5e-5)
    assert (counts @ grey**2 - (counts @ grey) ** 2) ** 0.5 == pytest.approx(deviation, abs=5e-5)
