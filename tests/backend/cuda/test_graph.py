"""Recording and replaying, by a CuPy whose graphs are lists of calls."""

import contextlib
import gc
import types
import warnings

import pytest

from scratchae.backend.cuda.graph import WARM_UP, Recorded, memory


class Pool:
    """A pool that asks `allocator` for every block, and forgets all of them when it frees what is free."""

    def __init__(self, allocator):
        self.allocator, self.held = allocator, []

    def malloc(self, size):
        self.held.append(self.allocator(size))

    def free_all_blocks(self):
        self.held.clear()


class Device:
    """What of CuPy `Recorded` uses. `run(work)` works at once, or is noted while a graph is recorded; `read()` cannot be."""

    def __init__(self):
        self.capturing, self.pools, self.allocators, self.freed = None, [], [], 0
        self.cuda = types.SimpleNamespace(
            get_current_stream=lambda: self,
            MemoryPool=self.new_pool,
            using_allocator=self.using_allocator,
            Memory=lambda size: types.SimpleNamespace(size=size),
            MemoryPointer=lambda memory, offset: (memory, offset),
        )

    def new_pool(self, allocator):
        self.pools.append(Pool(allocator))
        return self.pools[-1]

    def get_default_memory_pool(self):
        return types.SimpleNamespace(free_all_blocks=self.free)

    def free(self):
        assert self.capturing is None
        self.freed += 1

    def synchronize(self):
        assert self.capturing is None

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
            assert self.allocators[-1:] == [self.pools[-1].malloc]
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
    assert device.pools == [memory(device).pool]


def used(device, size):
    """A function that takes memory of the device."""
    return lambda: device.run(list) or (device.allocators and device.pools[-1].malloc(size))


def recordings(device, n):
    made = [Recorded(device, used(device, 64)) for _ in range(n)]
    for recorded in made:
        for _ in range(WARM_UP + 1):
            recorded()
        assert recorded.graph is not None
    return made


def test_recordings_share_their_memory():
    """CuPy never gives back what a pool holds free when the pool goes: one for each would be lost with it."""
    device = Device()
    made = recordings(device, 3)
    assert len(device.pools) == 1 and len(memory(device).blocks) == len(made)


def test_a_pool_out_of_memory_cannot_give_back_what_a_graph_uses():
    device = Device()
    made = recordings(device, 2)
    device.pools[0].free_all_blocks()  # as CuPy does when the driver has no memory left
    assert len(memory(device).blocks) == len(made)


def test_memory_goes_back_when_no_recording_is_left():
    device = Device()
    made = recordings(device, 2)
    made.append(made)  # a cycle, which only the collector finds
    del made
    last = recordings(device, 1)
    assert len(memory(device).blocks) == len(device.pools[0].held) == len(last)


def test_memory_of_the_warm_up_is_free_before_the_recording_takes_its_own():
    device = Device()
    recordings(device, 1)
    assert device.freed == 1


@pytest.mark.parametrize("on", [True, False])
def test_the_collector_waits_while_a_graph_is_recorded(on):
    """It might delete an old graph, which no recording survives."""
    device, seen = Device(), []
    recorded = Recorded(device, lambda: seen.append(gc.isenabled()))
    was_on = gc.isenabled()
    try:
        (gc.enable if on else gc.disable)()
        for _ in range(WARM_UP + 1):
            recorded()
        assert seen == [on] * WARM_UP + [False] and gc.isenabled() is on
    finally:
        (gc.enable if was_on else gc.disable)()


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
