"""A preset's training step at many batch sizes, on the CPU and on the GPU: how fast, and how near to what the device can do."""

from __future__ import annotations

import contextlib
import functools
import math
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from ..backend import move, recycle_memory
from ..backend.kernels.host import compile_kernels
from ..errors import DeviceError
from ..presets import Preset
from . import machine
from .by_layer import by_layer
from .comparison import model_of, rows
from .harness import note, peak_memory, synchronise, timed
from .peers.ours import our_step
from .work import sizes, work

WARM_UP, LEAST = 3, 5  # steps before the timed ones, and timings of a point, at least
SCHEDULED = 100_000  # steps that a schedule of the learning rate is laid out for
MEMORY_SHARE = 0.8  # of what is free, that a batch may take


@dataclass(frozen=True)
class Way:
    """How a step is taken: on which device; on a CPU by NumPy alone or with compiled kernels, on a GPU recorded or kernel by
    kernel.
    """

    title: str
    device: str
    recorded: bool = True
    compiled: bool = False


WAYS = {
    "cpu": Way("CPU", "cpu"),
    "cpu-compiled": Way("CPU, compiled", "cpu", compiled=True),
    "gpu-eager": Way("GPU, eager", "gpu", recorded=False),
    "gpu": Way("GPU, recorded", "gpu"),
}


def sweep(
    preset: Preset,
    batch_sizes: Sequence[int],
    devices: Sequence[str],
    roofs: dict[str, dict[str, Any]],
    *,
    seconds: float,
    limit: float,
) -> dict[str, Any]:
    """Everything about one preset: `seconds` for each point; one whose few steps would take more than `limit` is skipped."""
    recycle_memory()
    model, examples = model_of(preset), preset.examples().train
    result: dict[str, Any] = {
        "model": repr(model),
        "sizes": sizes(model, examples),
        "parameters": model.parameter_count(),
        "optimizer": repr(preset.optimizer(preset.lr, SCHEDULED)),
        "ways": {},
        "by_layer": {},
    }
    for name, way in WAYS.items():
        if way.device not in devices:
            continue
        try:
            with compile_kernels() if way.compiled else contextlib.nullcontext():
                points, skipped = measure_points(preset, examples, sorted(batch_sizes), way, seconds, limit)
        except DeviceError as error:  # no compiler
            points, skipped = [], dict.fromkeys(batch_sizes, str(error))
        for point in points:
            add_rates(point, preset, examples, roofs[way.device])
        slope = exponent(*line(points)) if len(points) > 1 else None
        result["ways"][name] = {
            **{"title": way.title, "device": way.device},
            **{"points": points, "skipped": skipped, "exponent": slope},
        }
    for device in devices:
        note(f"{preset.name}, {device.upper()}: layer by layer")
        model, optimizer, x = prepared(preset, examples, preset.batch_size, device)
        found = by_layer(model, optimizer, x, device, seconds)
        if found is not None:
            found = {"batch_size": preset.batch_size, **found}
        result["by_layer"][device] = found
    if {"cpu", "gpu"} <= result["ways"].keys():
        result["cpu_over_gpu"] = ratios(*(result["ways"][name]["points"] for name in ("cpu", "gpu")))
        result["overtakes_at"] = overtaking(result["cpu_over_gpu"])
    return result


# One point


def measure_points(
    preset: Preset, examples: np.ndarray, batch_sizes: Sequence[int], way: Way, seconds: float, limit: float
) -> tuple[list[dict[str, Any]], dict[int, str]]:
    """A point for each batch size, and why others have none."""
    points, skipped = [], {}
    for n in batch_sizes:
        reason = too_much(points[-1], n, way, limit) if points else None
        if reason is None:
            note(f"{preset.name}, {way.title}: batch {n}")
            try:
                points.append(measure_point(preset, examples, n, way, seconds))
            except MemoryError as error:
                reason = f"does not fit into memory ({' '.join(str(error).split()) or type(error).__name__})"
        if reason is not None:
            skipped[n] = reason
    return points, skipped


def too_much(last: dict[str, Any], n: int, way: Way, limit: float) -> str | None:
    """Why a batch of n is not tried, judging by a smaller one; None if it is."""
    growth = n / last["batch_size"]
    took = 1e-3 * last["median_ms"] * growth * (WARM_UP + LEAST)
    if took > limit:
        return f"{WARM_UP + LEAST} steps would take about {took:.0f} s, more than {limit:g} s"
    free, needed = machine.free_memory(), (last["peak_mib"] or 0) * growth * 2**20
    if way.device == "cpu" and free is not None and needed > MEMORY_SHARE * free:
        return f"a step would need about {needed / 2**30:.1f} GiB, and {free / 2**30:.1f} GiB are free"
    return None


def prepared(preset: Preset, examples: np.ndarray, n: int, device: str) -> tuple[Any, Any, Any]:
    """The preset's model, its optimizer, and a batch of n on a device."""
    model = model_of(preset).to(device)
    return model, preset.optimizer(preset.lr, SCHEDULED), move(rows(examples, n), device)


def measure_point(preset: Preset, examples: np.ndarray, n: int, way: Way, seconds: float) -> dict[str, Any]:
    """Median and quartiles of a step's milliseconds: of single steps on a CPU, of so many together on a GPU that waiting for
    them does not count.
    """
    model, optimizer, x = prepared(preset, examples, n, way.device)
    step = our_step(model, optimizer, x, way.device, recorded=way.recorded)
    finish = functools.partial(synchronise, way.device)
    warm: list[float] = []
    peak = peak_memory(lambda: warm.append(timed(step, finish))) if way.device == "cpu" else None
    end = time.perf_counter() + seconds / 4
    while len(warm) < WARM_UP or time.perf_counter() < end:
        warm.append(timed(step, finish))
    together = 1 if way.device == "cpu" else max(round(1e3 * seconds / 20 / min(warm)), 1)
    times: list[float] = []
    end = time.perf_counter() + seconds
    while len(times) < LEAST or time.perf_counter() < end:
        times.append(timed(step, finish, together))
    low, middle, high = map(float, np.percentile(times, [25, 50, 75]))
    return {
        "batch_size": n,
        "median_ms": middle,
        "quartiles_ms": [low, high],
        "steps": len(times) * together,
        "peak_mib": peak,
        "problem": step.problem,
    }


def add_rates(point: dict[str, Any], preset: Preset, examples: np.ndarray, roofs: dict[str, Any]) -> None:
    """What follows from a point's time: examples and operations a second, and shares of what the device can do."""
    n, seconds = point["batch_size"], 1e-3 * point["median_ms"]
    point |= {"examples_per_second": n / seconds, "us_per_example": 1e6 * seconds / n}
    step = work(model_of(preset), preset.optimizer(preset.lr, SCHEDULED), examples, n)
    if step is None:
        return
    gflops, gb = 1e-9 * step.flops / seconds, 1e-9 * step.bytes / seconds
    point |= {
        "gflop": 1e-9 * step.flops,
        "gflops_per_second": gflops,
        "share_of_gemm_peak": gflops / roofs["gflops_per_second"],
        "gb_per_second": gb,
        "share_of_bandwidth": gb / roofs["gb_per_second"],
        "flops_per_byte": step.flops / step.bytes,
    }


# Several points


def line(points: Sequence[dict[str, Any]]) -> tuple[np.ndarray, np.ndarray]:
    """Batch sizes, and the median milliseconds of a step."""
    return tuple(np.array([(point["batch_size"], point["median_ms"]) for point in points], float).T)


def exponent(sizes: np.ndarray, ms: np.ndarray) -> float:
    """p of the power law ms ∝ sizesᵖ that is nearest in logarithms: the slope of the curve on log-log axes."""
    return float(np.polyfit(np.log(sizes), np.log(ms), 1)[0])


def ratios(cpu: Sequence[dict[str, Any]], gpu: Sequence[dict[str, Any]]) -> dict[int, float]:
    """For each batch size that both have, how many times as long the CPU takes."""
    theirs = {point["batch_size"]: point["median_ms"] for point in gpu}
    return {
        point["batch_size"]: point["median_ms"] / theirs[point["batch_size"]]
        for point in cpu
        if point["batch_size"] in theirs
    }


def overtaking(ratio: dict[int, float]) -> float | None:
    """The batch size from which on the GPU is faster, between two measured ones by a straight line on log-log axes.

    The smallest measured one if the GPU is faster at all of them; None if it is not at the largest.
    """
    found = None
    larger: tuple[int, float] | None = None
    for n in sorted(ratio, reverse=True):
        if ratio[n] < 1:
            if larger is not None:
                m, high = larger
                share = -math.log(ratio[n]) / (math.log(high) - math.log(ratio[n]))
                found = n * (m / n) ** share
            break
        found, larger = float(n), (n, ratio[n])
    return found
