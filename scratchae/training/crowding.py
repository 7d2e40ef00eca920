"""Training when other processes use the cores too.

A matrix product that is shared among threads is finished when the slowest thread is. A thread that has lost its core to another
process waits for its turn, and the other threads wait for it: on a machine with a load of 7, a step of `deep` took 30 times as long
on two threads as on one. So a training measures its first steps, and uses one thread for the products if that is faster.
"""

from __future__ import annotations

import contextlib
import statistics
import time
from collections.abc import Callable, Generator, Iterator

from ..backend import asked_for, blas_threads


class Crowding:
    """Measures the first steps of each epoch, and gives matrix products one thread if other processes crowd the cores.

    A thread that runs all the time adds a second of CPU time for every second on the clock; a thread that sleeps half of the
    time adds half a second. Much less than that means that threads were not allowed to run. Then some steps are timed on one
    thread. If they take less than half as long, matrix products run on one thread until the training ends, and a line says so.
    On a machine with nothing else to do, every step runs on all threads, so that its numbers are the same every time.
    """

    SUSPECT = 3.0  # seconds on the clock for each second of CPU time of a thread; a quiet machine stays below 2
    STEPS, SECONDS = 3, 0.05  # how many steps to time, and for how long at least

    def __init__(self, say: Callable[[str], None], on_host: bool):
        self.say = say
        self.threads = max((pool["num_threads"] for pool in blas_threads().info()), default=1)
        self.looks = on_host and self.threads > 1 and asked_for.get() is None
        self.limited = False  # for good
        self.limit = contextlib.ExitStack()

    def __enter__(self) -> Crowding:
        return self

    def __exit__(self, *exception: object) -> None:
        self.limit.close()

    def begin(self) -> None:
        """An epoch begins: its first steps are measured, unless the decision has been made."""
        if self.looks:
            self.limit.close()
        self.look = self.compare() if self.looks else iter(())

    def step(self) -> None:
        """A step was done."""
        next(self.look, None)

    def compare(self) -> Iterator[None]:
        """Continues after each step. The first step is not timed, since it makes its arrays."""
        on_all, cpu = yield from self.timed()
        if sum(on_all) < self.SUSPECT * cpu / self.threads:
            return
        self.limit.enter_context(blas_threads().limit(limits=1))
        yield
        on_one, _ = yield from self.timed()
        before, now = statistics.median(on_all), statistics.median(on_one)
        if 2 * now > before:
            self.limit.close()
            return
        self.looks, self.limited = False, True
        self.say(
            f"other processes keep the cores busy: a step takes {1000 * before:.3g} ms on {self.threads} threads and "
            f"{1000 * now:.3g} ms on one, so matrix products run on one thread for the rest of this training "
            f"(--threads {self.threads}, in Python `with scratchae.threads({self.threads}):`, keeps them all)"
        )

    def timed(self) -> Generator[None, None, tuple[list[float], float]]:
        """The seconds that each of the next steps takes, and the CPU time of all of them."""
        seconds: list[float] = []
        cpu, last = time.process_time(), time.perf_counter()
        while len(seconds) < self.STEPS or sum(seconds) < self.SECONDS:
            yield
            now = time.perf_counter()
            seconds.append(now - last)
            last = now
        return seconds, time.process_time() - cpu
