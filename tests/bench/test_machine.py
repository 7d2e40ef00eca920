"""What a measurement was made on."""

from types import SimpleNamespace

import pytest
from threadpoolctl import threadpool_info

from scratchae.bench import machine


def test_the_facts_name_processor_and_settings(monkeypatch):
    monkeypatch.setenv("OPENBLAS_VERBOSE", "0")
    monkeypatch.delenv("OPENBLAS_CORETYPE", raising=False)
    found = machine.facts()
    assert found["processor"] and found["cores_used"] >= 1
    assert found["environment"]["OPENBLAS_VERBOSE"] == "0" and found["environment"]["OPENBLAS_CORETYPE"] is None


def test_the_blas_tells_its_kernels():
    loaded = next((each for each in threadpool_info() if each["user_api"] == "blas"), {})
    found = machine.blas()
    assert found["name"] and found["kernels"] == loaded.get("architecture")
    assert found["threads"] == loaded.get("num_threads")


def test_the_roofs_are_the_best_rates(device, monkeypatch):
    monkeypatch.setattr(machine, "SQUARES", dict.fromkeys(("cpu", "gpu"), (8, 16)))
    monkeypatch.setattr(machine, "STREAM_MIB", dict.fromkeys(("cpu", "gpu"), 1))
    monkeypatch.setattr(machine, "synchronise", lambda device: None)
    times = iter([1e-6, 1e-6, 1e-3])  # of 8², of 16², of the vectors
    monkeypatch.setattr(machine, "shortest", lambda work, device, seconds: (work(), next(times))[1])
    found = machine.roofs(device)
    assert found["size"] == 16 and found["gflops_per_second"] == pytest.approx(2 * 16**3 / 1e-6 / 1e9)
    assert found["gb_per_second"] == pytest.approx(3 * 2**20 / 1e-3 / 1e9)


def test_the_fastest_run_counts_and_the_first_one_never(monkeypatch):
    took = [0.5, 3.0, 2.0, 4.0, 9.0]  # the first may have to find its kernels
    now = 0.0

    def work():
        nonlocal now
        now += took.pop(0)

    monkeypatch.setattr(machine.time, "perf_counter", lambda: now)
    monkeypatch.setattr(machine, "synchronise", lambda device: None)
    assert machine.shortest(work, "cpu", 0.0) == 2.0
    assert took == [9.0]  # four runs at least, and no more when the time is over


def test_the_gpu_is_described(monkeypatch):
    runtime = SimpleNamespace(
        getDevice=lambda: 0,
        getDeviceProperties=lambda device: {
            "name": b"NVIDIA X",
            "major": 9,
            "minor": 0,
            "totalGlobalMem": 3 * 2**30,
        },
        driverGetVersion=lambda: 13010,
        runtimeGetVersion=lambda: 12090,
    )
    module = SimpleNamespace(cuda=SimpleNamespace(runtime=runtime), __version__="14.2.0")
    monkeypatch.setattr(machine, "device_module", lambda device: module)
    assert machine.gpu() == {
        "name": "NVIDIA X",
        "compute_capability": "9.0",
        "memory_gib": 3.0,
        "cuda_driver": "13.1",
        "cuda_runtime": "12.9",
        "cupy": "14.2.0",
    }
