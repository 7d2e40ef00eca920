"""Each test that asks for `device` runs on the CPU, on the strict stand-in for a GPU, and on a real GPU if there is one."""

import itertools
import os
import signal
import tempfile
from collections import Counter

import numpy as np
import pytest
import strict
from browser import browse, browser  # noqa: F401  fixtures
from hypothesis import HealthCheck, settings
from real_gpu import gpu_problem

from scratchae.backend import cuda, device_module, kernels, move
from scratchae.training.crowding import Crowding

settings.register_profile(
    "exploring",  # --hypothesis-profile exploring: other examples each time
    deadline=None,  # the first call of anything is slow
    max_examples=25,
    # the fixtures here give the same to every example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.register_profile("scratchae", settings.get_profile("exploring"), derandomize=True)
settings.load_profile("scratchae")

SLOW_FIXTURES = {"site", "browser", "torch"}


def pytest_configure(config):
    """A home folder of the tests, in the place of the user's, whose settings and caches are not theirs.

    It is made by the process that starts the workers, for all of them, as long as nothing has asked where it is.
    """
    if hasattr(config, "workerinput"):
        return
    home = tempfile.TemporaryDirectory(prefix="scratchae-home-", ignore_cleanup_errors=True)
    config.add_cleanup(home.cleanup)
    os.environ["HOME"] = home.name
    for name in ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "MPLCONFIGDIR"):
        os.environ.pop(name, None)
    # where several workers share the cores, threads of the matrix products would wait for each other
    if (config.getoption("numprocesses", None) or 0) > 1:
        os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")


@pytest.hookimpl(tryfirst=True)
def pytest_collection_modifyitems(items):
    """What asks for one of these is slow, wherever it stands."""
    for item in items:
        if SLOW_FIXTURES & set(item.fixturenames):
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter, config):
    """What was skipped, by reason, what tests have to say, and what was left out."""
    reasons = Counter(
        report.longrepr[2].removeprefix("Skipped: ") for report in terminalreporter.getreports("skipped")
    )
    for reason, count in reasons.most_common():
        terminalreporter.write_line(f"{count:>5} skipped: {reason}")
    for outcome in ("passed", "failed"):
        for report in terminalreporter.getreports(outcome):
            for said in dict(report.user_properties).values():
                terminalreporter.write_line(said)
    if config.getoption("markexpr") == "not slow":
        terminalreporter.write_line('what is slow was left out; all of it: python -m pytest -m ""')


@pytest.fixture(scope="session", autouse=True)
def ctrl_c_is_heard():
    """Also where the tests were started in the background, by a shell that has it ignored there."""
    before = signal.signal(signal.SIGINT, signal.default_int_handler)
    yield
    signal.signal(signal.SIGINT, before)


@pytest.fixture(scope="session")
def torch():
    """PyTorch, as a second opinion; not imported where nobody asks for it, as that takes seconds."""
    return pytest.importorskip("torch", reason="PyTorch is not installed")


@pytest.fixture(autouse=True)
def every_test_begins_alike(monkeypatch):
    """However wide the window is, whatever else this machine does, and whatever kernels another test has compiled for the rest
    of the process.
    """
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.setattr(Crowding, "SUSPECT", float("inf"))
    monkeypatch.setattr(kernels, "compiled", kernels.compiled)


@pytest.fixture(autouse=True)
def the_same_numbers_in_every_run(monkeypatch):
    """What is made without a seed is drawn anew each time; in a test these draws are the same whenever it is run."""
    made, count = np.random.default_rng, itertools.count()

    def default_rng(seed=None):
        return made([next(count), 1]) if seed is None else made(seed)

    monkeypatch.setattr(np.random, "default_rng", default_rng)


def pytest_report_header():
    return f"real GPU: {gpu_problem() or 'yes, and tested'}"


DEVICES = ["cpu", "stand-in"]
if gpu_problem() is None:
    DEVICES.append(pytest.param("gpu", marks=pytest.mark.gpu))


@pytest.fixture(params=DEVICES)
def device(request, monkeypatch):
    """The device to ask the library for, "cpu" or "gpu"; where the stand-in plays the GPU it is "gpu" too."""
    if request.param == "stand-in":
        monkeypatch.setattr(cuda, "module", lambda: strict)
        return "gpu"
    return request.param


@pytest.fixture
def eager_device(device, monkeypatch):
    """The device, on which no step is recorded, so that a test can look into each."""
    if device == "gpu":
        monkeypatch.setattr(device_module(device), "recorded", lambda step: step)
    return device


@pytest.fixture
def xp(device):
    """The array module of the device."""
    return device_module(device)


@pytest.fixture
def to_device(device):
    """A function that moves a NumPy array to the device."""
    return lambda x: move(x, device)


@pytest.fixture
def stand_in(monkeypatch):
    """The strict stand-in as the GPU, for tests of the stand-in's own powers, such as recording."""
    monkeypatch.setattr(cuda, "module", lambda: strict)
    return strict
