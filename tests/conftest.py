"""Each test that asks for `device` runs on the CPU, on the strict stand-in for a GPU, and on a real GPU if there is one."""

import itertools
import os

import numpy as np
import pytest
import strict
from browser import browser  # noqa: F401  a fixture
from hypothesis import HealthCheck, settings
from real_gpu import gpu_problem

from scratchae import cuda
from scratchae.backend import device_module, move
from scratchae.kernels import host

settings.register_profile(
    "scratchae",
    deadline=None,  # the first call of anything is slow
    max_examples=25,
    derandomize=bool(os.environ.get("CI")),
    # the fixtures here give the same to every example
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
settings.load_profile("scratchae")


@pytest.fixture(scope="session", autouse=True)
def compiled_kernels_in_a_folder_of_the_tests(tmp_path_factory):
    """Not in the user's cache folder, and compiled anew."""
    folder = tmp_path_factory.mktemp("kernels")
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(host, "cache_folder", lambda name: folder)
        yield


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
