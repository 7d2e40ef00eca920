"""The command: what it prints, what it leaves, and how it answers mistakes."""

import functools
import hashlib
import http.server
import json
import os
import re
import signal
import subprocess
import sys
import threading

import pytest

import scratchae
import scratchae.data
from scratchae import Autoencoder, Dense, cli, runs
from scratchae.backend import cores, cuda
from scratchae.cli import main
from scratchae.data import mnist, strokes
from scratchae.presets import PRESETS
from scratchae.study import CATALOGUE
from scratchae.study.catalogue import Entry


@pytest.fixture(autouse=True)
def small_and_apart(monkeypatch, tmp_path):
    """A few strokes as data, no pictures, no GPU, no MNIST of this machine's user, and an empty folder to work in."""
    data = strokes(360, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr(scratchae.runs.autoencoder, "draw", lambda *_: None)
    monkeypatch.setattr(cuda, "loaded", cuda.loaded.__wrapped__)
    monkeypatch.setitem(sys.modules, "cupy", None)
    monkeypatch.delenv("SCRATCHAE_DATA", raising=False)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    monkeypatch.chdir(tmp_path)


def files(folder):
    return {path.relative_to(folder).as_posix(): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def run(command):
    """The exit code, which argparse raises instead of returning it."""
    try:
        return main(command.split())
    except SystemExit as ended:
        return ended.code


def record(folder):
    return json.loads((folder / "run.json").read_text())


# train


def test_train(tmp_path, capsys):
    assert run("train simple --epochs 2 --batch-size 50 --lr 0.02 --seed 3 --data strokes --out some/run") == 0
    found = record(tmp_path / "some/run")
    expected = {"preset": "simple", "epochs": 2, "batch_size": 50, "lr": 0.02, "seed": 3, "data": "strokes"}
    assert expected.items() <= found.items()
    captured = capsys.readouterr()
    assert captured.err == ""
    assert re.search(r"^epoch 2/2  loss [\d.]+  validation loss [\d.]+  ", captured.out, re.MULTILINE)
    assert re.search(r"^simple +squared error +[\d.]+ +[\d.]+$", captured.out, re.MULTILINE)
    assert re.search(r"^PCA-256 +squared error +[\d.]+ +[\d.]+$", captured.out, re.MULTILINE)
    assert "some/run/ holds checkpoint.safetensors, history.csv, model.safetensors, run.json" in captured.out


def test_the_pictures_format_reaches_the_run(monkeypatch):
    given = []
    monkeypatch.setattr(runs, "train", lambda preset, **options: given.append(options) or {"status": "done"})
    assert run("train simple --format pdf") == 0 and run("train simple") == 0
    assert [options["format"] for options in given] == ["pdf", "png"]


def test_train_into_the_default_folders(tmp_path):
    for _ in range(2):
        assert run("train simple --epochs 1") == 0
    assert sorted(path.name for path in (tmp_path / "runs").iterdir()) == ["simple-strokes", "simple-strokes-2"]


def test_resume(tmp_path):
    assert run("train simple --epochs 1 --out r") == 0
    assert run("train simple --epochs 3 --out r --resume") == 0
    assert record(tmp_path / "r")["epochs"] == 3


def test_ctrl_c_keeps_the_run_and_exits_with_130(tmp_path, monkeypatch, capsys):
    step = Autoencoder.training_step

    def interrupted(self, x, rng=None):
        signal.raise_signal(signal.SIGINT)
        return step(self, x, rng)

    with monkeypatch.context() as patch:
        patch.setattr(Autoencoder, "training_step", interrupted)
        assert run("train simple --epochs 2 --out r") == 130
    assert "--resume --out r continues" in capsys.readouterr().out
    assert record(tmp_path / "r")["status"] == "interrupted"
    assert run("train simple --epochs 2 --out r --resume") == 0
    assert record(tmp_path / "r")["status"] == "done"


def test_ctrl_c_anywhere_else(monkeypatch, capsys):
    def interrupted(*_, **__):
        raise KeyboardInterrupt

    monkeypatch.setattr(runs, "train", interrupted)
    assert run("train simple") == 130
    assert capsys.readouterr().err == "\nscratchae: interrupted\n"


# Mistakes

MISTAKES = {
    "train simpel": "unknown preset 'simpel': did you mean 'simple'",
    "train xyz": "expected one of .*deep.*science2006",
    "train simple --data mnits": "there is no data 'mnits': expected strokes, mnist",
    "train overcomplete --data mnist": "'overcomplete' makes its own data: leave out --data mnist",
    "train simple --data mnist --data-dir nowhere": "nowhere/.* is missing: .*scratchae data download mnist",
    "train simple --device gpu": r"needs CuPy.*pip install \"\.\[cuda13\]\"",
    "train simple --device tpu": "invalid choice: 'tpu'",
    "train simple --out file": "cannot write to file: .*choose another --out",
    "train simple --out file/run": "cannot write to file/run: .*choose another --out",
    "train simple --out folder": "folder is not empty and holds no run",
    "train simple --resume --out folder": "folder is not empty and holds no run",
    "train simple --epochs 0": "--epochs: 0: expected a number above 0",
    "train simple --epochs -3": "--epochs: -3: expected a number above 0",
    "train simple --epochs 2.5": "--epochs: invalid int value: '2.5'",
    "train simple --epochs many": "--epochs: invalid int value: 'many'",
    "train simple --batch-size 0": "--batch-size: 0: expected a number above 0",
    "train simple --lr 0": "--lr: 0: expected a number above 0",
    "train simple --lr -1": "--lr: -1: expected a number above 0",
    "train simple --lr nan": "--lr: nan: expected a number above 0",
    "train simple --lr inf": "--lr: inf: expected a number above 0",
    "train simple --lr fast": "--lr: invalid float value: 'fast'",
    "train simple --format jpg": "--format: invalid choice: 'jpg'.*png.*svg.*pdf",
    "train simple --seed -1": "seed",
    "train simple --seed x": "--seed: invalid",
    "train simple --epoch": "--epochs?: expected one argument",
    "train simple --nonsense": "unrecognized arguments: --nonsense",
    "train": "the following arguments are required: PRESET",
    "": "the following arguments are required: COMMAND",
    "nonsense": "invalid choice: 'nonsense'",
    "check Nope": "no entry's name begins with 'Nope': expected one of Dense, ",
    "data verify mnist": "cache/.*train-images.* is missing",
    "data verify mnist --data-dir nowhere": "nowhere/train-images.* is missing",
    "data verify strokes": "expected 'mnist' or 'fashion-mnist'",
    "data remove mnist": "invalid choice: 'remove'",
    "data download mnist --data-dir file": "",
}


@pytest.mark.parametrize("command", MISTAKES)
def test_a_mistake_is_told_in_a_line(tmp_path, capsys, monkeypatch, command):
    """Exit code 2, no traceback, nothing made or changed. argparse puts the usage before the line."""
    monkeypatch.setitem(mnist.MIRRORS, "mnist", ["http://127.0.0.1:9/"])
    (tmp_path / "file").write_text("in the way")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "thesis").write_text("the work of years")
    before = files(tmp_path)
    assert run(command) == 2
    captured = capsys.readouterr()
    *usage, line = captured.err.splitlines()
    assert re.search(MISTAKES[command] or "file", line)
    assert line.startswith("scratchae")
    assert not usage or usage[0].startswith("usage: scratchae")
    assert "Traceback" not in captured.err
    assert files(tmp_path) == before


def test_an_existing_run_is_refused_and_not_touched(tmp_path, capsys):
    assert run("train simple --epochs 1 --out r") == 0
    before = files(tmp_path)
    capsys.readouterr()
    assert run("train simple --epochs 1 --out r") == 2
    assert capsys.readouterr().err == (
        "scratchae: r already holds a run: --resume goes on with it, or choose another --out\n"
    )
    assert files(tmp_path) == before


def test_divergence_is_told_in_a_line(capsys):
    assert run("train deep --epochs 3 --lr 1e30 --out r") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.match(r"scratchae: the loss became (nan|inf) in epoch \d, step \d.*learning rate", line)


# Help


OPTIONS = "--data --data-dir --label --missing --size --code --hidden --beta --epochs --batch-size --lr --device --threads --seed --out --resume"


@pytest.mark.parametrize(
    ("command", "words"),
    [
        ("", "train check data --version"),
        ("train", f"PRESET {OPTIONS} strokes mnist fashion-mnist cpu gpu {' '.join(PRESETS)}"),
        ("check", "NAME"),
        ("data", "download verify show mnist fashion-mnist --data-dir --label --missing --size"),
        (
            "use",
            "JOB RUN --data --out --normal --quantile --step reconstruct encode denoise score compress probe embed",
        ),
        ("export", "RUN --onnx --torch"),
        ("compare", "RUN --out"),
        ("search", "PRESET --over --trials --jobs --data --label"),
    ],
)
def test_help(capsys, command, words):
    assert run(f"{command} --help") == 0
    captured = capsys.readouterr()
    for word in words.split():
        assert word in captured.out
    assert captured.err == ""


@pytest.mark.parametrize("command", ["train", "study"])
def test_the_help_lists_the_presets_in_columns(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "200")
    run(f"{command} --help")
    rows = capsys.readouterr().out.partition("presets:\n")[2].splitlines()
    assert len({row.index(row.split()[1], len(row.split()[0]) + 4) for row in rows}) == 1
    for preset in PRESETS.values():
        assert any(row.startswith(f"  {preset.name}  ") and row.endswith(preset.summary) for row in rows)


@pytest.mark.parametrize("command", [command.__name__.rpartition(".")[2] for command in cli.COMMANDS])
def test_the_help_is_as_wide_as_it_is_asked_to_be(capsys, monkeypatch, command):
    monkeypatch.setenv("COLUMNS", "60")
    run(f"{command} --help")
    assert max(map(len, capsys.readouterr().out.splitlines())) <= 60


def test_a_reader_that_has_seen_enough_is_no_error():
    """As in `scratchae study tiny | head -1`: it ends like any program that SIGPIPE ends."""
    command = [sys.executable, "-m", "scratchae", "study", "tiny"]
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer) as nobody_reads:
        done = subprocess.run(command, stdout=nobody_reads, stderr=subprocess.PIPE, text=True, timeout=300)
    assert done.stderr == "" and done.returncode == 141


def test_threads_are_those_of_the_run_alone(tmp_path, monkeypatch):
    seen, before = [], cores()
    monkeypatch.setattr(
        runs, "train", lambda preset, **options: seen.append((cores(), options)) or {"status": "done"}
    )
    assert run("train simple --threads 1") == 0
    assert seen[0][0] == 1 and "threads" not in seen[0][1] and cores() == before
    assert run("train simple --threads 0") == 2


def test_version(capsys):
    assert run("--version") == 0
    assert capsys.readouterr().out == f"scratchae {scratchae.__version__}\n"


def test_as_a_module():
    """In a process of its own, as a person calls it: exit code and streams included."""
    command = [sys.executable, "-m", "scratchae"]
    good = subprocess.run([*command, "check", "Dense"], capture_output=True, text=True, check=False)
    assert (good.returncode, good.stderr) == (0, "")
    assert "1 of 1 right" in good.stdout
    bad = subprocess.run([*command, "train", "simpel"], capture_output=True, text=True, check=False)
    assert (bad.returncode, bad.stdout) == (2, "")
    assert bad.stderr.startswith("scratchae: unknown preset 'simpel'")


# check


def test_check(capsys):
    assert run("check") == 0
    head, *rows, last = capsys.readouterr().out.splitlines()
    assert " ".join(head.split()) == "gradients of largest relative error"
    assert [row[: max(map(len, CATALOGUE))].strip() for row in rows] == list(CATALOGUE)
    assert all(re.search(r" \d\.\de[-+]\d\d  ok$", row) for row in rows)
    assert last.startswith(f"{len(CATALOGUE)} of {len(CATALOGUE)} right")


@pytest.mark.parametrize("name", ["Dense", "dense", "Den"])
def test_check_one_in_detail(capsys, name):
    assert main(["check", name]) == 0
    first, *tensors, last = capsys.readouterr().out.splitlines()
    assert re.match(r"Dense\(6, 3\): passed, largest relative error ", first)
    assert [line.split()[0] for line in tensors] == ["∂L/∂x", "∂L/∂W", "∂L/∂b"]
    assert last.startswith("1 of 1 right")


def test_check_all_of_one_beginning(capsys):
    assert run("check GaussianNoise") == 0
    assert "2 of 2 right" in capsys.readouterr().out


class Wrong(Dense):
    def backward_parameters(self, dy):
        super().backward_parameters(dy)
        self.dW *= 1.01


def test_check_finds_a_wrong_gradient(capsys, monkeypatch):
    monkeypatch.setitem(CATALOGUE, "Dense", Entry(lambda d: Wrong(d, 3)))
    assert run("check") == 1
    output = capsys.readouterr().out
    [failed] = [line for line in output.splitlines() if line.endswith("FAILED")]
    assert failed.startswith("Dense ")
    assert f"{len(CATALOGUE) - 1} of {len(CATALOGUE)} right" in output

    assert run("check Dense") == 1
    wrong = [line.split()[0] for line in capsys.readouterr().out.splitlines() if line.endswith("<- wrong")]
    assert wrong == ["∂L/∂W"]


# data


class QuietHandler(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *_):
        pass


@pytest.fixture
def mirror(tmp_path, monkeypatch):
    """A folder served on this machine as the only mirror of MNIST; its four small files count as the originals."""
    folder = tmp_path / "mirror"
    folder.mkdir()
    originals = {}
    for i, file in enumerate(mnist.FILES["mnist"]):
        content = bytes([i]) * (100 + i)
        (folder / file).write_bytes(content)
        originals[file] = len(content), hashlib.sha256(content).hexdigest()
    handler = functools.partial(QuietHandler, directory=folder)
    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    monkeypatch.setitem(mnist.FILES, "mnist", originals)
    monkeypatch.setitem(mnist.MIRRORS, "mnist", [f"http://127.0.0.1:{server.server_port}/"])
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    yield folder
    server.shutdown()
    server.server_close()
    thread.join()


@pytest.mark.parametrize("place", ["argument", "environment", "cache"])
def test_download_and_verify(tmp_path, mirror, monkeypatch, capsys, place):
    arguments = ["--data-dir", str(tmp_path / "argument")] if place == "argument" else []
    if place == "environment":
        monkeypatch.setenv("SCRATCHAE_DATA", str(tmp_path / "environment"))
    assert main(["data", "verify", "mnist", *arguments]) == 2
    assert "is missing" in capsys.readouterr().err
    assert main(["data", "download", "mnist", *arguments]) == 0
    printed = capsys.readouterr().out
    assert main(["data", "verify", "mnist", *arguments]) == 0
    assert capsys.readouterr().out == printed
    for file, (size, _) in mnist.FILES["mnist"].items():
        [path] = (tmp_path / place).rglob(file)
        assert f"{path}  {size:,} bytes, SHA-256 as published" in printed
        assert path.read_bytes() == (mirror / file).read_bytes()


def test_verify_tells_a_damaged_file(tmp_path, mirror, capsys):
    assert run("data download mnist --data-dir d") == 0
    [path] = (tmp_path / "d").rglob(mnist.TEST_LABELS)
    path.write_bytes(b"damaged")
    capsys.readouterr()
    assert run("data verify mnist --data-dir d") == 2
    [line] = capsys.readouterr().err.splitlines()
    size, expected = mnist.FILES["mnist"][mnist.TEST_LABELS]
    for word in (
        mnist.TEST_LABELS,
        hashlib.sha256(b"damaged").hexdigest(),
        expected,
        "7 bytes, SHA-256",
        f"{size} bytes",
    ):
        assert word in line


def test_a_failed_download_is_told_in_a_line(tmp_path, mirror, capsys):
    (mirror / mnist.TEST_IMAGES).unlink()
    assert run("data download mnist --data-dir d") == 2
    [line] = capsys.readouterr().err.splitlines()
    assert re.match(rf"scratchae: could not download {mnist.TEST_IMAGES} of mnist: http://127.*404", line)
    assert len([*(tmp_path / "d").rglob("*.gz")]) == 2  # those before it are kept


def test_exit_codes_are_documented():
    assert all(code in cli.main.__doc__ for code in ("0", "1", "2", "130"))
