"""On a machine that others keep busy, one thread does the matrix products, if that is faster; on a quiet one all of them do."""

import math
import os
import subprocess
import sys

import numpy as np
import pytest

import scratchae as sae
from scratchae.backend import asked_for, blas_threads, cores
from scratchae.errors import OptionError
from scratchae.training import crowding, progress
from scratchae.training.crowding import Crowding


class Clock:
    """Time that passes only by steps, each of so many seconds on so many threads, how much of it threads wait for a core, and how
    many threads are ready to run.
    """

    now = waited = 0.0
    ready = 5

    def perf_counter(self):
        return self.now


def blas():
    """The threads of BLAS, as the code under test sees them."""
    return max(pool["num_threads"] for pool in blas_threads().info())


@pytest.fixture
def machine(monkeypatch):
    """A machine with two threads whose steps take what the test says; a function that runs steps and returns each one's threads.

    free: before which step the others end.
    """
    monkeypatch.setattr(Crowding, "SUSPECT", 0.4)
    monkeypatch.setattr(Crowding, "crowded", -math.inf)
    clock, said = Clock(), []
    monkeypatch.setattr(crowding, "time", clock)
    monkeypatch.setattr(progress, "time", clock)
    monkeypatch.setattr(crowding, "waited_for_a_core", lambda: clock.waited)
    monkeypatch.setattr(crowding, "ready_to_run", lambda: clock.ready)

    def run(seconds, waits, epochs=1, steps=40, on_host=True, free=None):
        ran_on, said[:] = [], []
        with blas_threads().limit(limits=2), Crowding(said.append, on_host) as crowd:
            crowd.threads, crowd.looks = 2, on_host and asked_for.get() is None  # also where there is one core alone
            for _ in range(epochs):
                crowd.begin()
                for _ in range(steps):
                    if len(ran_on) == free:
                        clock.ready = 1
                    many = blas() > 1
                    ran_on.append(2 if many else 1)
                    clock.now += seconds[many]
                    clock.waited += waits[many]
                    crowd.step()
        return ran_on, said

    return run


needs_two = pytest.mark.skipif(blas() < 2, reason="BLAS has one thread here")


@needs_two
def test_where_others_keep_the_cores_busy_one_thread_is_used(machine):
    ran_on, said = machine(seconds=[0.015, 0.4], waits=[0.012, 0.4], epochs=2)
    assert ran_on[:4] == [2] * 4 and ran_on[4:] == [1] * 76  # a step to warm up, three to look at
    assert said == [
        "other processes keep the cores busy: a step takes 400 ms on 2 threads and 15 ms on one, so matrix products run on one "
        "thread until the cores are free (--threads 2, in Python `with scratchae.threads(2):`, keeps them all)"
    ]


@needs_two
def test_when_the_others_have_ended_all_threads_are_used_again(machine):
    """Also where they end, or are counted, in another epoch than the one in which they were noticed."""
    ran_on, said = machine(seconds=[0.1, 0.4], waits=[0.08, 0.4], epochs=4, steps=10, free=15)
    assert ran_on[4:15] == [1] * 11 and said[1:2] == ["the cores are free again: matrix products run on 2 threads"]
    back = ran_on.index(2, 15)
    assert back < 40 and ran_on[15:back] == [1] * (back - 15)


@needs_two
def test_if_that_was_a_mistake_it_is_made_ever_less_often(machine):
    """As where others wait in another container: threads wait for a core, but nobody is counted."""
    ran_on, said = machine(seconds=[0.02, 0.1], waits=[0.01, 0.1], steps=2000, free=0)
    assert 4 <= len(said) <= 12 and ran_on.count(2) < 50  # of 2000


@needs_two
def test_the_next_training_begins_on_one_thread_if_the_others_are_still_there(machine):
    busy = {"seconds": [0.015, 0.4], "waits": [0.012, 0.4]}
    machine(**busy)
    ran_on, said = machine(**busy)
    assert ran_on == [1] * 40 and len(said) == 1 and "slower in a training before" in said[0]
    ran_on, said = machine(seconds=[0.015, 0.01], waits=[0.0, 0.0], free=0)
    assert ran_on[0] == 1 and ran_on[12:] == [2] * 28 and said == []


@needs_two
def test_a_training_long_afterwards_begins_on_all_threads(machine, monkeypatch):
    busy = {"seconds": [0.015, 0.4], "waits": [0.012, 0.4]}
    machine(**busy)
    monkeypatch.setattr(Crowding, "REMEMBERED", 0.0)
    ran_on, _ = machine(**busy)
    assert ran_on[:4] == [2] * 4


@needs_two
def test_afterwards_all_threads_are_there_again(machine):
    before = blas()
    machine(seconds=[0.015, 0.4], waits=[0.012, 0.4])
    assert blas() == before


@needs_two
def test_a_quiet_machine_never_tries_one_thread(machine):
    # where a thread waits now and then
    ran_on, said = machine(seconds=[0.012, 0.010], waits=[0.0, 0.003], epochs=2)
    assert ran_on == [2] * 80 and said == []


@needs_two
def test_one_thread_that_is_no_faster_is_given_up(machine):
    """Busy, but the products are few: as in a net of convolutions that is computed in parts."""
    ran_on, said = machine(seconds=[0.09, 0.1], waits=[0.05, 0.06], epochs=2)
    assert ran_on.count(1) == 2 * 4 and ran_on[-1] == 2 and said == []


@needs_two
def test_a_machine_that_becomes_busy_is_noticed_within_an_epoch(machine):
    seconds, waits = [0.015, 0.1], [0.0, 0.0]
    becomes_busy = iter([0.0] * 15)

    class Waits(list):
        def __getitem__(self, many):
            return next(becomes_busy, 0.1 * many)

    ran_on, _ = machine(seconds, Waits(waits), epochs=1)
    assert ran_on[:20] == [2] * 20 and ran_on[-1] == 1


@needs_two
def test_in_a_container_with_a_quota_products_have_no_more_threads_than_it_has_cores(monkeypatch):
    monkeypatch.setattr(crowding, "cores", lambda: 1)
    before = blas()
    with Crowding(print, True) as crowd:
        assert blas() == 1 and not crowd.looks  # one thread has nothing to be compared with
    with sae.threads(before), Crowding(print, True):  # who asks for threads keeps them
        assert blas() == before
    assert blas() == before


def test_a_thread_that_others_keep_from_its_core_waits():
    """Three processes on a core, of which this is one, wait for two thirds of the time."""
    if not hasattr(os, "sched_setaffinity") or not os.path.exists("/proc/self/schedstat"):
        pytest.skip("this system does not count how long threads wait")
    code = (
        "import os, time\nos.sched_setaffinity(0, {min(os.sched_getaffinity(0))})\n"
        "from scratchae.training.crowding import waited_for_a_core\n"
        "end, before = time.perf_counter() + 1, waited_for_a_core()\n"
        "while time.perf_counter() < end: pass\nprint(waited_for_a_core() - before)"
    )
    running = [subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) for _ in range(3)]
    waited = [float(process.communicate(timeout=60)[0]) for process in running]
    assert max(waited) > 0.2


def test_a_thread_that_asks_is_ready_to_run_itself():
    assert crowding.ready_to_run() >= 1


@needs_two
def test_who_asks_for_threads_keeps_them(machine):
    with sae.threads(2):
        ran_on, said = machine(seconds=[0.015, 0.4], waits=[0.012, 0.4])
    assert ran_on == [2] * 40 and said == []


@needs_two
def test_on_a_gpu_nothing_is_looked_at(machine):
    ran_on, said = machine(seconds=[0.015, 0.4], waits=[0.012, 0.4], on_host=False)
    assert ran_on == [2] * 40 and said == []


def test_fit_looks_at_its_steps(monkeypatch, capsys):
    """Each step of each epoch is handed on, and what is noticed is printed among the lines of the epochs."""
    calls = []

    class Noticing(Crowding):
        def begin(self):
            calls.append("epoch")
            self.say("busy")

        def step(self):
            calls.append("step")

    monkeypatch.setattr(sys.modules[sae.fit.__module__], "Crowding", Noticing)
    model = sae.Autoencoder(sae.Dense(4, 2), sae.Dense(2, 4), loss=sae.MSE())
    x = np.ones((6, 4), np.float32)
    for show in (True, False):
        sae.fit(model, x, epochs=2, batch_size=3, optimizer=sae.Adam(), progress=show)
        assert capsys.readouterr().out.count("busy") == 2 * show
    assert calls == ["epoch", "step", "step"] * 4


def test_a_line_does_not_disturb_the_bar(monkeypatch, capsys):
    cleared = []
    report = progress.Progress(0, 1, 1, True)
    report.bar = type("Bar", (), {"clear": lambda self: cleared.append(True)})()
    report.say("busy")
    assert cleared == [True] and capsys.readouterr().out == "busy\n"


# As many threads as asked for


def test_threads_for_a_block():
    before = blas(), cores()
    with sae.threads(1):
        assert (blas(), cores()) == (1, 1)
        with sae.threads(2):
            assert cores() == min(2, before[1])
        assert (blas(), cores()) == (1, 1)
    assert (blas(), cores()) == before


@pytest.mark.parametrize("n", [0, -1, 1.5, "2", None])
def test_threads_refuses_what_is_no_number_of_threads(n):
    with (
        pytest.raises(OptionError, match=r"threads\(n=.*: expected a whole number, at least 1"),
        sae.threads(n),
    ):
        pass
