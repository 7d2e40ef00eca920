"""Whatever the environment of a process is like: no stderr, a console without our letters, a clock that stands, a user's settings."""

import os
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

import scratchae
from scratchae import environment, plots
from scratchae.bench import harness
from scratchae.data import mnist
from scratchae.training import History
from scratchae.training.progress import duration, since

ROOT = Path(scratchae.__file__).parents[1]


def run(arguments, folder, python=(), **environment):
    """A command in a process of its own, in a folder."""
    return subprocess.run(
        [sys.executable, *python, "-m", "scratchae", *arguments.split()],
        cwd=folder,
        env=os.environ | {"FAST": "1", "PYTHONPATH": str(ROOT)} | environment,
        capture_output=True,
        check=False,
    )


# Consoles


@pytest.mark.parametrize(
    ("encoding", "command"),
    [
        *(("ascii", command) for command in ("train --help", "study tiny", "check layer.py", "tutorial")),
        ("cp1252", "study tiny"),
    ],
)
def test_a_console_without_our_letters(tmp_path, encoding, command):
    layer = "print('η')\n\nclass η:\n    forward = lambda self, x: x\n    backward = lambda self, dy: dy\n"
    (tmp_path / "layer.py").write_text(layer, encoding="utf-8")
    done = run(command, tmp_path, PYTHONIOENCODING=encoding)
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")
    assert done.stdout and b"Traceback" not in done.stderr


TWINS = {
    "∂L/∂W₂ = xᵀ ∂L/∂y": "dL/dW_2 = x^T dL/dy",
    "½ ‖x̂ − x‖², 10⁻³ ± 2 × θ·λ": "1/2 ||xhat - x||^2, 10^-3 +- 2 x theta*lambda",
    "x₍ᵢ₊₁₎ ≥ Σₙ σ′(a) → ⌊N/2⌋ …": "x_(i+1) >= Sigma_n sigma'(a) -> floor(N/2) ...",
    "Poincaré, Ø, 𝔼 z̄ z̃ “a” – µ": 'Poincare, O, E zbar ztilde "a" - mu',
    "日本 \udce9": "?? ?",
}


@pytest.mark.parametrize("text", TWINS)
def test_letters_have_twins_in_ascii(text):
    assert text.encode("ascii", environment.TWINS).decode() == TWINS[text]
    assert text.encode("cp1252", environment.TWINS)  # and what a console has, it shows
    assert "½ x̂²".encode("cp1252", environment.TWINS).decode("cp1252") == "½ xhat²"


def test_every_letter_that_we_print_has_a_twin():
    sources = [*(ROOT / "scratchae").rglob("*.py"), *(ROOT / "tutorials").glob("*.py")]
    letters = set("".join(path.read_text(encoding="utf-8") for path in sources))
    assert len(letters) > 150
    assert {letter for letter in letters if environment.ascii_twin(letter) == "?"} == {"?"}


def test_the_numbers_of_a_step_on_a_console_without_our_letters(tmp_path):
    said = run("study tiny", tmp_path, PYTHONIOENCODING="ascii").stdout.decode("ascii")
    assert "dL/dW_2 = y_1^T dL/da_2" in said and "sigma(a_1)" in said and "?" not in said


def test_a_learner_checks_a_layer_on_a_console_without_our_letters(tmp_path):
    (tmp_path / "mine.py").write_text("import scratchae as sae\nsae.check(sae.ReLU())\n", encoding="utf-8")
    wanted = os.environ | {"PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "cp1252"}
    done = subprocess.run([sys.executable, "mine.py"], cwd=tmp_path, env=wanted, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")
    assert b"ReLU: right; dL/dx equal" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize("command", [["-m", "scratchae", "tutorial", "0"], [ROOT / "tutorials" / "00_one_neuron.py"]])
def test_a_chapter_on_a_console_without_our_letters(tmp_path, command):
    wanted = os.environ | {"FAST": "1", "PYTHONPATH": str(ROOT), "PYTHONIOENCODING": "ascii"}
    done = subprocess.run([sys.executable, *command], cwd=tmp_path, env=wanted, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode("ascii", "replace")


class Stream:
    def reconfigure(self, **options):
        self.options = options


def test_streams_are_opened_where_there_are_none(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    monkeypatch.setattr(sys, "stdout", Stream())
    environment.open_streams()
    assert sys.stdout.options == {"errors": environment.TWINS}
    print("nobody hears this", file=sys.stderr)
    assert sys.stderr.name == os.devnull
    sys.stderr.close()


# No stderr


def closing(command, streams, folder):
    """The exit code of a command some of whose streams are closed."""
    shell = f"'{sys.executable}' -m scratchae {command} {streams}"
    return subprocess.run(
        ["sh", "-c", shell], cwd=folder, env=os.environ | {"PYTHONPATH": str(ROOT)}, check=False
    ).returncode


needs_a_shell = pytest.mark.skipif(os.name != "posix", reason="needs a shell")


@needs_a_shell
@pytest.mark.parametrize("streams", ["2>&-", ">&-", "<&- >&- 2>&-"])
def test_streams_that_were_closed(tmp_path, streams):
    """Nor does what is written to their numbers end up in a file of ours."""
    assert closing("study tiny --html page.html", streams, tmp_path) == 0
    assert closing("study nonsense", streams, tmp_path) == 2
    assert (tmp_path / "page.html").read_text(encoding="utf-8").startswith("<!doctype html>")


@pytest.mark.slow
@needs_a_shell
@pytest.mark.parametrize("streams", ["2>&-", "<&- >&- 2>&-"])
def test_training_without_streams(tmp_path, streams):
    assert closing("train overcomplete --epochs 1 --batch-size 4000 --out run", streams, tmp_path) == 0
    assert '"status": "done"' in (tmp_path / "run" / "run.json").read_text(encoding="utf-8")
    scratchae.load(tmp_path / "run" / "model.safetensors")


def test_a_library_without_stderr(monkeypatch):
    monkeypatch.setattr(sys, "stderr", None)
    assert not environment.on_terminal()
    model = scratchae.Autoencoder(scratchae.Dense(6, 4, rng=0), scratchae.Dense(4, 6, rng=1), loss=scratchae.MSE())
    x = np.zeros((8, 6), np.float32)
    assert len(scratchae.fit(model, x, epochs=1, batch_size=4, optimizer=scratchae.SGD(0.1))) == 1
    harness.note("nobody hears this")


def test_a_download_without_stderr(monkeypatch, tmp_path):
    monkeypatch.setattr(sys, "stderr", None)
    source = tmp_path / "source"
    source.write_bytes(b"x" * 100)
    with pytest.raises(ValueError, match="cut off after 100 of 200"):
        mnist.fetch(source.as_uri(), tmp_path / "target", 200, "0")


# Clocks


@pytest.mark.parametrize("ticks", [0.0, -350.0])
def test_a_clock_that_stands_or_runs_back(monkeypatch, capsys, ticks):
    now = iter(range(10**9))
    monkeypatch.setattr(time, "perf_counter", lambda: 5.0 + ticks * next(now))
    model = scratchae.Autoencoder(scratchae.Dense(6, 4, rng=0), scratchae.Dense(4, 6, rng=1), loss=scratchae.MSE())
    x = np.zeros((8, 6), np.float32)
    history = scratchae.fit(model, x, epochs=2, batch_size=4, optimizer=scratchae.SGD(0.1))
    assert min(history["seconds"]) > 0 and np.isfinite(history["examples_per_second"]).all()
    assert "-" not in capsys.readouterr().out
    assert since(time.perf_counter()) > 0 and duration(since(time.perf_counter())) == "0.0 s"
    assert harness.timed(lambda: None, lambda: None) > 0


# Encodings

WRITING = ["train overcomplete --epochs 1 --batch-size 4000 --out run", "study run", "study tiny --html page.html"]
WRITING += ["check Dense", "check layer.py", "data verify mnist --data-dir ."]


@pytest.mark.slow
def test_no_encoding_is_left_to_the_locale(tmp_path):
    """Python warns of it, where it is asked to: each command, one after the other."""
    (tmp_path / "layer.py").write_text(
        "class A:\n    forward = lambda self, x: x\n    backward = lambda self, dy: dy\n"
    )
    # matplotlib leaves it out when it makes its list of fonts, once
    warnings = ["-W", "error::EncodingWarning", "-W", "ignore::EncodingWarning:matplotlib.font_manager"]
    for command in WRITING:
        done = run(command, tmp_path, warnings, PYTHONWARNDEFAULTENCODING="1")
        assert b"EncodingWarning" not in done.stderr, done.stderr.decode()
        assert done.returncode == (2 if "verify" in command else 0), done.stderr.decode()


def test_ruff_finds_no_file_without_an_encoding():
    command = [sys.executable, "-m", "ruff", "check", "--preview", "--select", "PLW1514", "scratchae", "benchmarks"]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    if "No module named ruff" in done.stderr:
        pytest.skip("ruff is not installed")
    assert done.returncode == 0, done.stdout


def test_a_csv_is_utf_8(tmp_path):
    History({"∂L": [1.0]}).to_csv(tmp_path / "history.csv")
    assert (tmp_path / "history.csv").read_text(encoding="utf-8").splitlines() == ["∂L", "1.0"]


# A user's settings of matplotlib


def curve(path):
    plots.loss_curve(History({"epoch": [1, 2], "loss": [2.0, 1.0]}), path, "nats")
    return path.read_bytes()


def test_a_picture_is_the_same_whatever_the_user_has_set(tmp_path):
    import matplotlib

    expected = curve(tmp_path / "a.png")
    strange = {"text.usetex": True, "axes.facecolor": "red", "savefig.bbox": "tight", "figure.autolayout": True}
    with matplotlib.rc_context(strange):
        assert curve(tmp_path / "b.png") == expected
        assert matplotlib.rcParams["axes.facecolor"] == "red"


@pytest.mark.slow
def test_a_backend_that_does_not_exist(tmp_path):
    done = run("train overcomplete --epochs 1 --batch-size 4000 --out run", tmp_path, MPLBACKEND="nonsense")
    assert done.returncode == 0, done.stderr.decode()


# Cores


def group(tmp_path, monkeypatch, line, **files):
    """A machine with control groups: what /proc/self/cgroup says, and the files by their paths, with __ for /."""
    monkeypatch.setattr(environment, "CGROUPS", tmp_path / "cgroup")
    monkeypatch.setattr(environment, "OWN_GROUP", tmp_path / "own")
    (tmp_path / "own").write_text(line + "\n")
    for name, content in files.items():
        path = tmp_path / "cgroup" / name.replace("__", "/")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content + "\n")


@pytest.mark.parametrize(
    ("line", "files", "expected"),
    [
        ("0::/", {"cpu.max": "150000 100000"}, 1.5),
        (
            "0::/a/b",
            {"a__b__cpu.max": "max 100000", "a__cpu.max": "200000 50000"},
            4,
        ),  # the narrowest of those around it
        ("0::/a/b", {"a__b__cpu.max": "25000 100000", "a__cpu.max": "200000 50000"}, 0.25),
        ("0::/a", {"cpu.max": "max 100000"}, np.inf),
        (
            "3:cpu,cpuacct:/docker/1",
            {"cpu,cpuacct__cpu.cfs_quota_us": "300000", "cpu,cpuacct__cpu.cfs_period_us": "100000"},
            3,
        ),
        ("3:cpu:/a", {"cpu__a__cpu.cfs_quota_us": "-1", "cpu__a__cpu.cfs_period_us": "100000"}, np.inf),
        ("0::/", {"cpu.max": "damaged"}, np.inf),
        ("no groups", {}, np.inf),
    ],
)
def test_the_quota_of_a_container(tmp_path, monkeypatch, line, files, expected):
    group(tmp_path, monkeypatch, line, **files)
    assert environment.quota() == expected


def test_a_quota_leaves_whole_cores_and_at_least_one(tmp_path, monkeypatch):
    for limit, cores in (("20000 100000", 1), ("100000 100000", 1), ("max 100000", environment.available_cores())):
        group(tmp_path, monkeypatch, "0::/", **{"cpu.max": limit})
        environment.available_cores.cache_clear()
        assert environment.available_cores() == cores
    environment.available_cores.cache_clear()


def test_a_quota_is_told_to_openblas_before_numpy_is_loaded(tmp_path, monkeypatch):
    monkeypatch.setattr(environment, "available_cores", lambda: 1)
    monkeypatch.setattr(os, "cpu_count", lambda: 8)
    for before, after in ((None, "1"), ("3", "3")):
        monkeypatch.setenv("OPENBLAS_NUM_THREADS", before or "")
        if before is None:
            monkeypatch.delenv("OPENBLAS_NUM_THREADS")
        environment.prepare()
        assert os.environ["OPENBLAS_NUM_THREADS"] == after
