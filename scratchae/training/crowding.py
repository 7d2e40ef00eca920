"""Training when other processes use the cores too.

A matrix product that is shared among threads is finished when the slowest thread is. A thread that has lost its core to another
process waits for its turn, and the other threads wait for it: on a machine with a load of 7, a step of `deep` took 30 times as long
on two threads as on one. So a training measures its first steps, and uses one thread for the products if that is faster, until
the cores are free again.
"""

from __future__ import annotations

import contextlib
import math
import time
from collections.abc import Callable, Generator, Iterator
from pathlib import Path

from ..backend import asked_for, blas_threads, cores
from .progress import since


class Crowding:
    """Measures the steps of each epoch, and gives matrix products one thread while other processes crowd the cores.

    Linux tells how long each thread was ready to run and had no core to run on. On a machine with nothing else to do that is a
    small part of the time; beside one busy process it is half of it. Then some steps are timed on one thread. If they take clearly
    less, matrix products run on one thread until the others are seen no more, and a line says so. A training that begins soon
    after that begins on one thread, if the others are still there. On a machine with nothing else to do, every step runs on all
    threads, so that its numbers are the same every time.
    """

    SUSPECT = 0.4  # seconds that threads waited for each one on the clock; a quiet machine stays below 0.33
    FASTER = 1.25  # how many times as long a step must take on all threads
    STEPS, SECONDS = 3, 0.1  # how many steps to time, and for how long at least
    PAUSE = 1.0  # seconds between looks
    GLANCE = 0.02  # seconds between counts of the others
    OTHERS = 0.25  # how many others are ready to run, on average, where the cores are not free
    REMEMBERED = 60.0  # seconds
    crowded = -math.inf  # when a training of this process was last better off on one thread

    def __init__(self, say: Callable[[str], None], on_host: bool):
        self.say = say
        self.threads = max((pool["num_threads"] for pool in blas_threads().info()), default=1)
        self.looks = on_host and self.threads > 1 and asked_for.get() is None
        self.look: Iterator[None] = iter(())
        self.decided = False  # for one thread, until the cores are free
        self.limited = False  # whether it ever was
        self.pause = self.PAUSE
        self.limit, self.share = contextlib.ExitStack(), contextlib.ExitStack()

    def __enter__(self) -> Crowding:
        if self.looks and self.threads > cores():  # of a container with a quota, which OpenBLAS does not know of
            self.threads = cores()
            self.looks = self.threads > 1
            self.share.enter_context(blas_threads().limit(limits=self.threads))
        return self

    def __exit__(self, *exception: object) -> None:
        self.limit.close()
        self.share.close()

    def begin(self) -> None:
        """An epoch begins: its steps are measured, unless the decision has been made."""
        if self.looks and not self.decided:
            self.limit.close()
            self.look = self.compare()
            next(self.look)

    def step(self) -> None:
        """A step was done."""
        next(self.look, None)

    def compare(self) -> Iterator[None]:
        """Begins before the first step, which is not timed, since it makes its arrays, and continues after each step."""
        self.decided = since(Crowding.crowded) < self.REMEMBERED
        if self.decided:
            self.use_one()
        yield
        if self.decided:
            if (yield from self.others(self.SECONDS)) >= self.OTHERS:
                yield from self.until_free("all threads were slower in a training before")
            else:
                self.use_all()
        while True:
            on_all, waiting = yield from self.timed(self.SECONDS)
            while waiting < self.SUSPECT:
                on_all, waiting = yield from self.timed(self.PAUSE)
            self.use_one()
            yield
            on_one, _ = yield from self.timed(self.SECONDS)
            if self.FASTER * on_one > on_all:
                self.use_all()
                return
            yield from self.until_free(
                f"a step takes {1000 * on_all:.3g} ms on {self.threads} threads and {1000 * on_one:.3g} ms on one"
            )

    def use_one(self) -> None:
        self.limit.enter_context(blas_threads().limit(limits=1))

    def use_all(self) -> None:
        self.limit.close()
        self.decided, Crowding.crowded = False, -math.inf

    def until_free(self, why: str) -> Iterator[None]:
        """Continues after each step, on one thread until the cores are free, then on all threads."""
        self.decided = self.limited = True
        self.say(
            f"other processes keep the cores busy: {why}, so matrix products run on one thread until the cores are free "
            f"(--threads {self.threads}, in Python `with scratchae.threads({self.threads}):`, keeps them all)"
        )
        others = math.inf
        while others >= self.OTHERS:
            Crowding.crowded = time.perf_counter()
            others = yield from self.others(self.pause)
        self.pause *= 2  # where others wait uncounted, as in another container, that is wrong, but ever less often
        self.use_all()
        self.say(f"the cores are free again: matrix products run on {self.threads} threads")

    def others(self, least: float) -> Generator[None, None, float]:
        """How many other threads were ready to run, on average over so many seconds."""
        counts, start = [], time.perf_counter()
        while since(start) < least:
            yield from self.timed(self.GLANCE)
            counts.append(ready_to_run() - 1)
        return sum(counts) / len(counts)

    def timed(self, least: float) -> Generator[None, None, tuple[float, float]]:
        """The seconds that a step takes, over so many seconds; and how long threads waited for a core, as a share of these."""
        steps, waited, start = 0, waited_for_a_core(), time.perf_counter()
        while (seconds := since(start)) < least or steps < self.STEPS:
            yield
            steps += 1
        return seconds / steps, (waited_for_a_core() - waited) / seconds


def waited_for_a_core() -> float:
    """Seconds that this process's threads have been ready to run while others had the cores, in all; 0 where nobody counts them."""
    total = 0
    for file in Path("/proc/self/task").glob("*/schedstat"):
        with contextlib.suppress(OSError):  # the thread has ended
            total += int(file.read_text("utf-8").split()[1])
    return 1e-9 * total


def ready_to_run() -> float:
    """How many threads of this machine are ready to run, this one among them; infinity where nobody counts them."""
    with contextlib.suppress(OSError, ValueError, IndexError):
        return int(Path("/proc/loadavg").read_text("utf-8").split()[3].split("/")[0])
    return math.inf
