"""Recording and replaying, by a CuPy whose graphs are lists of calls."""

import contextlib
import types
import warnings

import pytest

from scratchae.backend.cuda.graph import WARM_UP, Recorded, pool


class Device:
    """What of CuPy `Recorded` uses. `run(work)` works at once, or is noted while a graph is recorded; `read()` cannot be."""

    def __init__(self):
        self.capturing, self.pools, self.allocators = None, [], []
        self.cuda = types.SimpleNamespace(
            get_current_stream=lambda: self, MemoryPool=self.new_pool, using_allocator=self.using_allocator
        )

    def new_pool(self):
        self.pools.append(types.SimpleNamespace(malloc=object()))
        return self.pools[-1]

    @contextlib.contextmanager
    def using_allocator(self, malloc):
        self.allocators.append(malloc)
        yield
        self.allocators.pop()

    def begin_capture(self):
        self.capturing, self.broken = [], False

    def end_capture(self):
        noted, self.capturing = self.capturing, None
        if self.broken:
            raise RuntimeError("cudaErrorStreamCaptureInvalidated")
        return types.SimpleNamespace(launch=lambda: [work() for work in noted])

    def run(self, work):
        if self.capturing is None:
            work()
        else:
            assert self.allocators == [self.pools[-1].malloc]
            self.capturing.append(work)

    def read(self):
        if self.capturing is not None:
            self.broken = True
            raise RuntimeError("a read cannot be captured\nand more")


def test_a_recorded_function_does_what_the_function_does():
    device, done, python = Device(), [], []

    def function():
        python.append(1)
        device.run(lambda: done.append(len(done)))

    recorded = Recorded(device, function)
    for calls in range(1, 8):
        recorded()
        assert done == [*range(calls)]
    assert len(python) == WARM_UP + 1  # then the graph alone
    assert device.pools == [pool(device)]


def test_recordings_share_their_memory():
    """CuPy never gives back what a pool holds free when the pool goes: one for each would be lost with it."""
    device = Device()
    for recorded in [Recorded(device, lambda: device.run(list)) for _ in range(3)]:
        for _ in range(WARM_UP + 1):
            recorded()
        assert recorded.graph is not None
    assert len(device.pools) == 1


def test_what_cannot_be_recorded_runs_eagerly_and_says_so_once():
    device, done = Device(), []

    def function():
        device.run(lambda: done.append(len(done)))
        device.read()

    recorded = Recorded(device, function)
    for _ in range(WARM_UP):
        recorded()
    with pytest.warns(RuntimeWarning, match=r"\(RuntimeError: a read cannot be captured\): it runs eagerly"):
        recorded()
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        recorded()
    assert done == [*range(WARM_UP + 2)]
    assert device.capturing is None and not device.allocators


def test_a_recording_that_fails_at_its_end():
    device, done = Device(), []

    def function():
        device.run(lambda: done.append(0))
        device.broken = True

    recorded = Recorded(device, function)
    for _ in range(WARM_UP):
        recorded()
    with pytest.warns(RuntimeWarning, match="StreamCaptureInvalidated"):
        recorded()
    assert len(done) == WARM_UP + 1


def test_an_error_of_the_function_itself_comes_out():
    def function():
        raise ValueError("a mistake in the model")

    with pytest.raises(ValueError, match="a mistake in the model"):
        Recorded(Device(), function)()


def test_an_interrupt_while_recording_leaves_no_recording_behind():
    device = Device()

    def function():
        if device.capturing is not None:
            raise KeyboardInterrupt

    recorded = Recorded(device, function)
    for _ in range(WARM_UP):
        recorded()
    with pytest.raises(KeyboardInterrupt):
        recorded()
    assert device.capturing is None and recorded.problem is None
