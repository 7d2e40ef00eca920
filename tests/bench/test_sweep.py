"""Points, what is skipped, and what follows from the points."""

import functools

import numpy as np
import pytest

from scratchae.backend import kernels
from scratchae.bench import machine, sweep
from scratchae.bench.summary import sweep_table
from scratchae.bench.sweep import WAYS, measure_points, overtaking, ratios, too_much
from scratchae.errors import DeviceError
from scratchae.presets import find_preset

ROOFS = {"gflops_per_second": 100.0, "size": 64, "gb_per_second": 10.0}


@functools.cache
def examples():
    return find_preset("deep").examples().train[:50]


def point(n, ms, peak=None):
    return {"batch_size": n, "median_ms": ms, "peak_mib": peak}


def test_a_preset_is_swept_on_every_device_and_way(device):
    devices = ("cpu",) if device == "cpu" else ("cpu", "gpu")
    found = sweep.sweep(find_preset("deep"), [20, 4], devices, dict.fromkeys(devices, ROOFS), seconds=0.0, limit=1e9)
    assert list(found["ways"]) == ["cpu", "cpu-compiled", *(["gpu-eager", "gpu"] if device == "gpu" else [])]
    for way in found["ways"].values():
        assert [p["batch_size"] for p in way["points"]] == [4, 20] and way["skipped"] == {}
        for p in way["points"]:
            low, high = p["quartiles_ms"]
            assert 0 < low <= p["median_ms"] <= high and p["problem"] is None
            assert p["us_per_example"] == pytest.approx(1e3 * p["median_ms"] / p["batch_size"])
            assert p["examples_per_second"] * p["us_per_example"] == pytest.approx(1e6)
            assert p["share_of_gemm_peak"] == pytest.approx(p["gflop"] / (1e-3 * p["median_ms"]) / 100)
            assert p["gflops_per_second"] == pytest.approx(p["flops_per_byte"] * p["gb_per_second"])
        first, last = (p["median_ms"] for p in way["points"])
        assert 5 ** way["exponent"] == pytest.approx(last / first)
    assert list(found["by_layer"]) == list(devices)
    assert all(len(each["layers"]) == 12 for each in found["by_layer"].values())
    assert ("cpu_over_gpu" in found) == (device == "gpu")


def test_without_a_compiler_a_way_is_skipped_with_the_reason(monkeypatch):
    def fails():
        raise DeviceError("no compiler here")

    monkeypatch.setattr(sweep, "compile_kernels", fails)
    found = sweep.sweep(find_preset("deep"), [4, 8], ["cpu"], {"cpu": ROOFS}, seconds=0.0, limit=1e9)
    compiled = found["ways"]["cpu-compiled"]
    assert compiled["points"] == [] and compiled["skipped"] == {4: "no compiler here", 8: "no compiler here"}
    assert len(found["ways"]["cpu"]["points"]) == 2 and kernels.compiled is None
    assert "skipped batch 4: no compiler here" in sweep_table("deep", found)


def test_an_rbm_has_times_but_no_rates():
    found = sweep.sweep(find_preset("rbm"), [4], ["cpu"], {"cpu": ROOFS}, seconds=0.0, limit=1e9)
    (only,) = found["ways"]["cpu"]["points"]
    assert only["median_ms"] > 0 and "gflops_per_second" not in only
    assert found["by_layer"] == {"cpu": None} and found["ways"]["cpu"]["exponent"] is None


def test_what_would_take_too_long_or_not_fit_is_skipped_with_its_reason(monkeypatch):
    monkeypatch.setattr(machine, "free_memory", lambda: 2.0**30)
    steps = sweep.WARM_UP + sweep.LEAST
    assert too_much(point(100, 1000.0), 200, WAYS["cpu"], 2.0 * steps) is None
    assert too_much(point(100, 1000.0), 300, WAYS["cpu"], 2.0 * steps) == (
        f"{steps} steps would take about {3 * steps} s, more than {2 * steps} s"
    )
    assert too_much(point(100, 1.0, peak=400.0), 200, WAYS["cpu"], 60) is None
    assert (
        too_much(point(100, 1.0, peak=400.0), 300, WAYS["cpu"], 60)
        == "a step would need about 1.2 GiB, and 1.0 GiB are free"
    )
    monkeypatch.setattr(machine, "free_memory", lambda: None)  # not told
    assert too_much(point(100, 1.0, peak=400.0), 300, WAYS["cpu"], 60) is None


def test_later_batch_sizes_go_on_after_one_that_does_not_fit(monkeypatch):
    def measured(preset, examples, n, way, seconds):
        if n == 8:
            raise MemoryError("Out of memory allocating 8 bytes")
        return point(n, 1.0)

    monkeypatch.setattr(sweep, "measure_point", measured)
    points, skipped = measure_points(find_preset("deep"), examples(), [4, 8, 16], WAYS["gpu"], 0.0, 1e9)
    assert [p["batch_size"] for p in points] == [4, 16]
    assert skipped == {8: "does not fit into memory (Out of memory allocating 8 bytes)"}


def test_the_exponent_is_that_of_a_power_law():
    sizes = np.array([32, 64, 512])
    assert sweep.exponent(sizes, 3 * sizes**0.7) == pytest.approx(0.7)


def test_ratios_are_of_batch_sizes_that_both_have():
    cpu, gpu = [point(32, 1.0), point(128, 6.0)], [point(128, 2.0), point(512, 3.0)]
    assert ratios(cpu, gpu) == {128: 3.0}


@pytest.mark.parametrize(
    ("ratio", "expected"),
    [
        ({32: 0.5, 128: 2.0}, 64),  # halfway, on log-log axes
        ({32: 0.25, 128: 0.5, 512: 4.0}, 128 * 4 ** (1 / 3)),
        ({32: 2.0, 128: 4.0}, 32),
        ({32: 2.0, 128: 0.5}, None),
        ({32: 2.0, 128: 0.5, 512: 2.0}, 256),  # the last time that it overtakes
        ({32: 0.5}, None),
    ],
)
def test_where_the_gpu_overtakes(ratio, expected):
    assert overtaking(ratio) == (None if expected is None else pytest.approx(expected))
