"""Compiled kernels on the CPU: what they change, and what happens where they cannot be had."""

import os
import shutil
import subprocess
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import scratchae as s
from scratchae.backend import kernels
from scratchae.backend.kernels import convolution, host
from scratchae.errors import DeviceError
from scratchae.layers import activations

needs_a_compiler = pytest.mark.skipif(shutil.which("g++") is None, reason="needs the C++ compiler g++")


@pytest.fixture
def compiled(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", None)  # and back, after the test
    s.compile_kernels()


@pytest.fixture
def nothing_compiled_yet(monkeypatch, tmp_path):
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.setattr(kernels, "compiled", None)
    host.library.cache_clear()
    yield tmp_path / "scratchae" / "kernels"
    host.library.cache_clear()


def model(seed=0):
    rng = np.random.default_rng(seed)
    encoder = s.Sequential(s.Dense(12, 8, rng=rng), s.ReLU(), s.Dense(8, 4, rng=rng), s.Sigmoid())
    decoder = s.Sequential(s.Dense(4, 8, rng=rng), s.Softplus(), s.Dense(8, 12, rng=rng))
    return s.Autoencoder(encoder, decoder, loss=s.BCEWithLogits())


def trained(dtype):
    net, x = model().to(dtype=dtype), np.random.default_rng(1).random((64, 12)).astype(dtype)
    history = s.fit(net, x, epochs=5, batch_size=16, optimizer=s.Adam(0.01, weight_decay=0.01), progress=False)
    return net.parameters, history["loss"]


@needs_a_compiler
@pytest.mark.parametrize(("dtype", "rtol"), [(np.float32, 1e-3), (np.float64, 1e-11)])
def test_training_is_the_same_but_for_rounding(monkeypatch, compiled, dtype, rtol):
    with_kernels = trained(dtype)
    monkeypatch.setattr(kernels, "compiled", None)
    for got, expected in zip(with_kernels, trained(dtype), strict=True):
        assert_allclose(got, expected, rtol=rtol, atol=rtol)


@needs_a_compiler
def test_gradients_are_right(compiled):
    assert s.check_gradients(model(), np.random.default_rng(1).random((3, 12))).passed


@needs_a_compiler
def test_they_are_used(compiled, monkeypatch):
    used = set()
    monkeypatch.setattr(kernels.compiled, "launch", lambda name, *given: (used.add(name), host.launch(name, *given)))
    trained(np.float32)
    assert used == host.FASTER - convolution.LONG.keys()
    long = np.linspace(-1, 1, 2**16, dtype=np.float32)
    assert_array_equal(activations.relu_backward(activations.relu(long), long), np.maximum(long, 0))
    assert used == host.FASTER


@needs_a_compiler
@pytest.mark.parametrize(
    "formula", [activations.sigmoid, activations.softplus, lambda x: activations.sigmoid_backward(x, x)]
)
def test_nan_and_infinity_come_through(compiled, formula):
    """Otherwise training that diverges would not be noticed."""
    assert np.isnan(formula(np.full(40, np.nan, "f"))).all()
    assert np.isnan(formula(np.full(3, np.nan))).all()
    assert np.isfinite(activations.sigmoid(np.array([np.inf, -np.inf, 1e30, -1e30], "f"))).all()


@needs_a_compiler
def test_what_a_kernel_cannot_do_numpy_does(compiled):
    half, turned = np.ones((3, 4), np.float16), np.arange(12.0).reshape(3, 4).T
    assert activations.sigmoid(half).dtype == np.float16
    assert_allclose(activations.sigmoid(turned), 1 / (1 + np.exp(-turned)), rtol=1e-12)
    foreign = np.ones(4, ">f4")  # its bytes lie the other way round
    assert_allclose(activations.sigmoid(foreign), activations.sigmoid(np.ones(4)), rtol=1e-6)
    mixed = activations.sigmoid_backward(np.full(4, 0.5, "f"), np.arange(4.0))  # of two dtypes
    assert_allclose(mixed, np.arange(4.0) / 4)
    assert_allclose(
        activations.relu_backward(np.ones((2, 3)), np.broadcast_to(np.arange(3.0), (2, 3))), [[0, 1, 2]] * 2
    )


@needs_a_compiler
@pytest.mark.parametrize("dtype", [bool, np.uint8, np.int64, np.float64, np.complex64, object])
def test_a_kernel_reads_no_other_numbers_than_its_own(compiled, dtype):
    """It would read beyond the array: eight bytes for each of a number that has one."""
    x, other = np.ones((256, 256), np.float32), np.ones((256, 256), dtype)
    for name in host.FASTER:
        assert kernels.compiled.get(name, x, (x,)) is not None
        assert kernels.compiled.get(name, x, (x, other)) is None
        assert kernels.compiled.get(name, other, (x,)) is None or dtype is np.float64


@needs_a_compiler
def test_a_kernel_changes_nothing_that_is_locked(compiled):
    θ = np.ones(64, np.float32)
    θ.flags.writeable = False
    assert kernels.compiled.get("adam", θ) is None and kernels.compiled.get("sigmoid", θ) is not None


def test_they_are_off_until_asked_for():
    assert kernels.compiled is None


@needs_a_compiler
def test_the_library_is_kept(nothing_compiled_yet, monkeypatch):
    host.library("float32")
    (built,) = nothing_compiled_yet.iterdir()
    made = built.stat().st_mtime_ns
    host.library.cache_clear()
    monkeypatch.setattr(host, "build", None)  # would fail
    host.library("float32")
    assert built.stat().st_mtime_ns == made


@needs_a_compiler
@pytest.mark.parametrize("damage", [lambda b: b"", lambda b: b[:5000], lambda b: b"x" + b[1:], lambda b: b"foreign"])
def test_a_damaged_library_is_built_again(nothing_compiled_yet, damage):
    host.library("float32")
    (built,) = nothing_compiled_yet.iterdir()
    whole = built.read_bytes()
    host.library.cache_clear()
    built.unlink()  # that one stays loaded
    built.write_bytes(damage(whole))
    assert host.library("float32").sigmoid
    assert host.is_whole(built)


@needs_a_compiler
def test_a_cache_folder_that_cannot_be_written(nothing_compiled_yet):
    nothing_compiled_yet.parent.write_text("a file in its place")
    with pytest.raises(
        DeviceError, match=r"kept in a folder that is yours alone.*set XDG_CACHE_HOME .*, or do without"
    ):
        s.compile_kernels()
    assert kernels.compiled is None


@needs_a_compiler
def test_a_user_without_a_home(nothing_compiled_yet, monkeypatch):
    monkeypatch.delenv("XDG_CACHE_HOME")
    monkeypatch.setattr(Path, "home", lambda: (_ for _ in ()).throw(RuntimeError("Could not determine home")))
    with pytest.raises(DeviceError, match=r"no home folder.*set XDG_CACHE_HOME"):
        s.compile_kernels()


@needs_a_compiler
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="needs root")
@pytest.mark.parametrize("stranger", ["nobody", "owns it", "may write to it", "owns a link to it"])
def test_a_library_of_a_stranger_is_not_loaded(nothing_compiled_yet, monkeypatch, stranger):
    """However right its checksum is: to load it would run it."""
    monkeypatch.setattr(host, "build", lambda compiler, dtype, path: path.write_bytes(b"ours"))
    monkeypatch.setattr(host.ctypes, "CDLL", lambda path: Path(path).read_bytes()[:4])
    assert host.library("float32") == b"ours"
    (built,) = nothing_compiled_yet.iterdir()
    host.library.cache_clear()
    built.write_bytes(b"their library")
    host.seal(built)
    if stranger == "owns it":
        os.chown(built, 54321, 54321)
    elif stranger == "may write to it":
        built.chmod(0o722)
    elif stranger == "owns a link to it":
        built.symlink_to(built.rename(built.with_name("elsewhere")))
        os.chown(built, 54321, 54321, follow_symlinks=False)
    assert host.library("float32") == (b"thei" if stranger == "nobody" else b"ours")


def test_whatever_the_umask_only_the_user_may_write_there(nothing_compiled_yet, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(host, "fingerprint", lambda compiler: "0a")
    monkeypatch.setattr(host, "build", lambda compiler, dtype, path: path.write_bytes(b"no library"))
    before = os.umask(0)
    try:
        with pytest.raises(DeviceError, match="not be loaded from it"):
            host.library("float32")
    finally:
        os.umask(before)
    modes = [path.stat().st_mode & 0o777 for path in (nothing_compiled_yet, *nothing_compiled_yet.iterdir())]
    assert modes == [0o700, 0o700]


@needs_a_compiler
def test_the_way_back(monkeypatch):
    monkeypatch.setattr(kernels, "compiled", None)
    with s.compile_kernels():
        used = kernels.compiled
        assert used is not None
        with s.compile_kernels():
            assert kernels.compiled not in (None, used)
        assert kernels.compiled is used
    assert kernels.compiled is None


def test_without_a_compiler(nothing_compiled_yet, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda name: None)
    with pytest.raises(DeviceError, match=r"g\+\+, which is not installed: install it, or work without"):
        s.compile_kernels()
    assert kernels.compiled is None


@pytest.mark.parametrize(
    "failure",
    [
        subprocess.CalledProcessError(1, "g++", stderr="kernels.cu:1: error: unknown -march\nand more"),
        subprocess.TimeoutExpired("g++", 120),
        PermissionError("g++ is not executable"),
    ],
)
def test_a_compiler_that_fails_leaves_nothing_behind(nothing_compiled_yet, monkeypatch, failure):
    def run(command, **_):
        if "--version" in command:
            return types.SimpleNamespace(stdout="g++ 1.0")
        raise failure

    monkeypatch.setattr(shutil, "which", lambda name: "/usr/bin/g++")
    monkeypatch.setattr(subprocess, "run", run)
    with pytest.raises(DeviceError, match="cannot compile the kernels") as error:
        s.compile_kernels()
    assert "and more" not in str(error.value)
    assert not [*nothing_compiled_yet.iterdir()]
    assert kernels.compiled is None


@pytest.mark.parametrize(
    "line", ["flags\t\t: fpu vme avx2", "Features\t: fp asimd sve", "processor\t: 0"], ids=["x86", "ARM", "neither"]
)
def test_the_instructions_of_a_processor(monkeypatch, line):
    monkeypatch.setattr(Path, "read_text", lambda self, encoding: f"processor\t: 0\n{line}\n")
    assert host.processor() == ("" if line.startswith("processor") else line)


def test_another_processor_has_another_library(monkeypatch):
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: types.SimpleNamespace(stdout="g++ 1.0"))
    prints = set()
    for flags in ("avx2", "avx2 avx512f"):
        monkeypatch.setattr(host, "processor", lambda flags=flags: flags)
        prints.add(host.fingerprint("g++"))
    assert len(prints) == 2
