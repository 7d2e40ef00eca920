"""Workers, rounds, statistics, memory, records."""

import sys
from pathlib import Path

import numpy as np
import pytest

from scratchae.backend import recycle_memory
from scratchae.bench import harness


def test_ratios_are_taken_round_by_round():
    times = {"scratchae": [[1, 1, 9], [2, 2, 2], [4, 4, 4]], "torch": [[2, 2, 2], [4, 4, 4], [12, 12, 12]]}
    figures = harness.statistics(times, "scratchae")
    assert figures["scratchae"]["ratio"] == 1
    assert figures["torch"]["round_medians_ms"] == [2, 4, 12]
    assert figures["torch"]["ratio"] == 2 and figures["torch"]["ratio_quartiles"] == [2, 2.5]
    assert figures["torch"]["median_ms"] == 4


def test_each_worker_has_one_block_a_round_and_each_comes_first_in_turn(monkeypatch):
    order = []

    class Recorder:
        def __init__(self, name):
            self.name = name

        def ask(self, action, warm_up, steps):
            order.append(self.name)
            return [1.0] * steps

    monkeypatch.setattr(harness, "PAUSE", 0)
    times = harness.time_rounds({name: Recorder(name) for name in "abc"}, rounds=3, steps=2)
    assert "".join(order) == "abcbcacab"
    assert times["a"] == [[1.0, 1.0]] * 3


def test_a_worker_that_fails_or_dies_says_why():
    code = (
        "from scratchae.bench import harness\nimport os, sys\n"
        "def fail(): raise ValueError('backend raised:\\nno compiler')\n"
        "def die(): print('out of luck', file=sys.stderr, flush=True); os._exit(3)\n"
        "harness.serve({'print': lambda: print('noise'), 'fail': fail, 'die': die})\n"
    )
    with harness.Worker("peer", [sys.executable, "-c", code]) as worker:
        assert worker.ask("print") is None
        with pytest.raises(harness.WorkerError, match=r"^peer: ValueError: no compiler$"):
            worker.ask("fail")
        with pytest.raises(harness.WorkerError, match="ended with exit code 3: out of luck"):
            worker.ask("die")


def test_a_measurement_is_not_overwritten(tmp_path):
    record = {"benchmark": "step", "date": "2026-01-02T03:04:05+00:00"}
    written = [harness.save(record, None, tmp_path).name for _ in range(3)]
    assert written == ["step-2026-01-02.json", "step-2026-01-02-2.json", "step-2026-01-02-3.json"]


def test_a_record_goes_to_no_folder_that_the_checkout_tracks(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    (tmp_path / "benchmarks" / "results").mkdir(parents=True)
    (tmp_path / "scratchae").mkdir()
    assert harness.save({"benchmark": "step", "date": "2026-01-02"}, None) == Path("bench/step-2026-01-02.json")


class Counted:
    """A peer that notes what is asked of it."""

    def __init__(self, device):
        self.device, self.calls = device, ""

    def reset(self):
        self.calls += "r"

    def step(self):
        self.calls += "s"

    def finish(self):
        self.calls += "f"


@pytest.mark.parametrize(
    ("device", "calls", "timings"), [("cpu", "rsssf" + 10 * "sf", 10), ("gpu", "rsssf" + 5 * "ssf", 5)]
)
def test_a_gpu_is_waited_for_a_few_times_in_a_block_and_a_cpu_after_each_step(device, calls, timings):
    peer = Counted(device)
    times = harness.time_steps(peer, warm_up=3, steps=10)
    assert peer.calls == calls and len(times) == timings and min(times) >= 0


def test_peak_memory_is_what_the_work_needs_at_most_and_not_what_came_before():
    def fill(mib):
        np.ones(mib * 2**17).sum()

    recycle_memory()  # so that the allocator keeps the 20 MiB, which the work would then use again
    fill(100)
    fill(20)
    peak = harness.peak_memory(lambda: fill(20))
    if peak is None:
        pytest.skip("no /proc/self/clear_refs to write to")
    assert 19 < peak < 40
