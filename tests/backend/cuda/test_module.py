"""What asking for a GPU says where there is none, by a CuPy of words."""

import sys
import threading
import types

import numpy as np
import pytest

from scratchae.backend import cuda
from scratchae.errors import DeviceError, ScratchaeError


def pretended(devices=1, compiles=True, cublas=True):
    """A CuPy whose parts work or fail as asked; devices: how many, or the error that counting them raises."""

    def count():
        if isinstance(devices, Exception):
            raise devices
        return devices

    def arange(*_, **__):
        if not compiles:
            raise RuntimeError("DynamicLibNotFoundError: libnvrtc.so\nand a second line")
        return np.arange(4)

    runtime = types.SimpleNamespace(getDeviceCount=count)
    return types.SimpleNamespace(
        __version__="14.2.0",
        arange=arange,
        float32=np.float32,
        cuda=types.SimpleNamespace(runtime=runtime),
    )


INSUFFICIENT = RuntimeError("cudaErrorInsufficientDriver: CUDA driver version is insufficient\nand a second line")
NONE = RuntimeError("cudaErrorNoDevice: no CUDA-capable device is detected")


@pytest.mark.parametrize(
    ("cupy", "words"),
    [
        (None, r"CuPy, which cannot be imported .*pip install .*device=\"cpu\""),
        (
            pretended(devices=INSUFFICIENT),
            r"CuPy 14.2.0 finds no usable NVIDIA driver .*InsufficientDriver.*nvidia-smi",
        ),
        (pretended(devices=NONE), r"CuPy 14.2.0 sees no CUDA device.*CUDA_VISIBLE_DEVICES"),
        (pretended(devices=0), r"CuPy 14.2.0 sees no CUDA device.*CUDA_VISIBLE_DEVICES"),
        (
            pretended(compiles=False),
            r"cannot compile or run a kernel .*libnvrtc.so\); in a checkout, pip install .*installs the compiler",
        ),
    ],
    ids=["no CuPy", "no driver", "no device", "hidden devices", "no compiler"],
)
def test_every_reason_has_words_of_its_own(monkeypatch, cupy, words):
    monkeypatch.setitem(sys.modules, "cupy", cupy)  # where it is None, importing it raises ImportError
    with pytest.raises(DeviceError, match=words) as error:
        cuda.loaded.__wrapped__()
    assert "second line" not in str(error.value) and isinstance(error.value, ScratchaeError)


def test_without_cublas(monkeypatch):
    monkeypatch.setitem(sys.modules, "cupy", pretended())

    def fails(cupy):
        raise OSError("libcublas.so.13: cannot open shared object file")

    monkeypatch.setattr("scratchae.backend.cuda.blas.load", fails)
    with pytest.raises(DeviceError, match=r"cuBLAS cannot be used \(OSError: libcublas.so.13.*pip install"):
        cuda.loaded.__wrapped__()


class Streams:
    """CuPy's streams: each thread has a current one, at first that of number 0."""

    def __init__(self):
        self.current, self.made, self.calls = threading.local(), 0, []
        self.cuda = types.SimpleNamespace(
            Stream=self.stream,
            Device=lambda: self,
            get_current_stream=lambda: self.at(getattr(self.current, "ptr", 0)),
        )

    def at(self, ptr):
        return types.SimpleNamespace(ptr=ptr, use=lambda: self.use(ptr))

    def stream(self, non_blocking):
        assert non_blocking
        self.made += 1
        return self.at(self.made)

    def use(self, ptr):
        self.current.ptr = ptr
        self.calls.append(("use", ptr))

    def synchronize(self):
        self.calls.append(("wait",))


@pytest.fixture
def streams(monkeypatch):
    streams = Streams()
    monkeypatch.setattr(cuda, "loaded", lambda: streams)
    monkeypatch.setattr(cuda, "this_thread", threading.local())
    return streams


def test_each_thread_works_on_a_stream_of_its_own(streams):
    """A stream is used in the thread alone that says so, and on CuPy's first one no step can be recorded."""

    def ask():
        assert cuda.module() is cuda.module() is streams

    ask()
    other = threading.Thread(target=ask)
    other.start()
    other.join()
    assert streams.calls == [("wait",), ("use", 1), ("wait",), ("use", 2)]


def test_a_lost_stream_is_found_again(streams):
    """`with stream:` ends on CuPy's first stream, and so does its `get` of an array that is not contiguous."""
    cuda.module()
    streams.current.ptr = 0
    cuda.module()
    assert streams.calls == [("wait",), ("use", 1)] * 2 and streams.made == 1


def test_the_module_is_cupy_with_other_names(monkeypatch):
    cupy = types.SimpleNamespace(exp="cupy's exp", sum=np.sum)
    xp = cuda.assembled(cupy, "our matmul", None, "our recorder")
    assert (xp.exp, xp.matmul, xp.recorded) == ("cupy's exp", "our matmul", "our recorder")
    assert xp.vdot(np.array([1.0, 2.0]), np.array([3.0, 4.0])) == 11
    with pytest.raises(AttributeError):
        xp.no_such_name  # noqa: B018
