"""Everything that only a real GPU can show, most important first, in about six minutes.

    python benchmarks/on_gpu.py [PART ...] [--json FILE]

Each part runs in a process of its own with a limit of time, and the next one runs whatever became of it. The record is written
after each part; run again with the same --json FILE, the command goes on with the parts that are not in it yet.
"""

from __future__ import annotations

import argparse
import gc
import json
import os
import subprocess
import sys
import threading
import time
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
from commandline import exit_code

import scratchae as s
from scratchae.backend import device_module, to_numpy
from scratchae.backend.cuda.graph import memory
from scratchae.bench.comparison import new_record
from scratchae.bench.harness import RESULTS, BenchmarkError, save
from scratchae.presets import PRESETS, find_preset

HERE = Path(__file__).parent
PEERS = [sys.executable, str(HERE / "training_step.py"), "deep", "conv", "vae-400", "--device", "gpu"]
SANITIZER = ["compute-sanitizer", "--tool", "memcheck", "--error-exitcode", "9"]


def computes() -> None:
    """Versions; products and noise."""
    import cupy
    from cuda import pathfinder

    xp = device_module("gpu")
    runtime = cupy.cuda.runtime
    print("device", runtime.getDeviceProperties(0)["name"].decode(), "driver", runtime.driverGetVersion())
    print("numpy", np.__version__, "cupy", cupy.__version__, "CUDA", runtime.runtimeGetVersion())
    print("cuBLAS", pathfinder.load_nvidia_dynamic_lib("cublas").abs_path)
    a = np.random.default_rng(0).random((300, 200), dtype=np.float32)
    print("largest error of a product", abs(to_numpy(xp.matmul(xp.asarray(a), xp.asarray(a.T))) - a @ a.T).max())
    noise = to_numpy(xp.random.default_rng(0).standard_normal((1_000_000,), dtype=np.float32))
    print("noise: mean", noise.mean(), "deviation", noise.std())
    turned = xp.zeros((3, 2)).T
    turned.get()
    print("stream after get of a transposed array", "lost" if cupy.cuda.get_current_stream().ptr == 0 else "kept")
    print("stream after the next call", "lost" if device_module("gpu").cuda.get_current_stream().ptr == 0 else "kept")


def trained(name: str, model: s.Model, x: object, device: str = "gpu", **options: object) -> None:
    """Train, and print one line: first and last loss, speed of the last epoch, how many kinds of steps were recorded, warnings."""
    defaults = {"epochs": 4, "batch_size": 128, "optimizer": s.Adam(1e-3), "device": device, "progress": False}
    recordings = memory(device_module("gpu").cupy).users
    before = {*map(id, recordings)}  # no recording is kept alive here
    with warnings.catch_warnings(record=True) as told:
        warnings.simplefilter("always")
        try:
            history = s.fit(model, x, **defaults | options)
        except Exception as error:
            print(f"{name:34} {device} FAILED {type(error).__name__}: {str(error)[:300]}", flush=True)
            return
    loss, speed = history["loss"], history["examples_per_second"][-1]
    recorded = f"{len({*map(id, recordings)} - before)} recorded" if device == "gpu" else ""
    words = sorted({f"{w.category.__name__}: {w.message}"[:200] for w in told})
    print(
        f"{name:34} {device} loss {loss[0]:.6f} {loss[-1]:.6f} {speed:>12,.0f} examples/s",
        recorded,
        *words,
        flush=True,
    )


def presets() -> None:
    """Each preset trains; beside four of them the first epoch on the CPU, which draws other noise for vae-400 and rbm."""
    for name in PRESETS:
        preset = find_preset(name)
        if name == "dbn":  # trained layer by layer by the command
            continue
        x = preset.examples().train[:6000]
        for device, epochs in (
            (("cpu", 1), ("gpu", 4)) if name in ("deep", "conv", "vae-400", "rbm") else (("gpu", 4),)
        ):
            optimizer = preset.optimizer(preset.lr, 4 * -(-len(x) // preset.batch_size))
            model = preset.build(np.random.default_rng(0))
            trained(name, model, x, device, epochs=epochs, batch_size=preset.batch_size, optimizer=optimizer)


def net(tied: bool = False, vae: bool = False) -> s.Model:
    encoder = s.Sequential(s.Dense(64, 32, rng=1), s.ReLU())
    if vae:
        decoder = s.Sequential(s.Dense(4, 64, rng=4))
        return s.VAE(encoder, s.Dense(32, 4, rng=2), s.Dense(32, 4, rng=3), decoder, loss=s.BCEWithLogits())
    return s.Autoencoder(encoder, s.Sequential(s.Dense(32, 64, rng=2)), loss=s.MSE(), tied=tied)


def risks() -> None:
    """What reading CuPy's sources found: streams, threads, widths of numbers, arrays of the user's, memory."""
    import cupy

    x = np.random.default_rng(0).random((4096, 64), dtype=np.float32)
    trained("plain", net(), x, "cpu")
    trained("plain", net(), x)
    tied = net(tied=True)
    trained("tied, first", tied, x)
    trained("tied, second", tied, x)
    trained("plain after tied", net(), x)
    thread = threading.Thread(target=lambda: trained("in a thread", net(), x))
    thread.start()
    thread.join()
    trained("plain after the thread", net(), x)
    threads = [threading.Thread(target=lambda i=i: trained(f"two threads at once, {i}", net(), x)) for i in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    trained("batch np.int32(128)", net(), x, batch_size=np.int32(128))
    trained("last batch shorter", net(), x, batch_size=1000)
    with cupy.cuda.Stream(non_blocking=True):
        made = cupy.sin(cupy.arange(4096 * 64, dtype=cupy.float32)).reshape(4096, 64)
        trained("a CuPy array just made elsewhere", net(), made)
    trained("the same from the host", net(), np.sin(np.arange(4096 * 64, dtype=np.float32)).reshape(4096, 64))
    model = net(vae=True)
    trained("vae beta 1", model, x)
    model.beta = 50.0
    trained("vae beta 50, fit again", model, x)

    pool, room = cupy.get_default_memory_pool(), memory(cupy)
    big = np.random.default_rng(0).random((40_000, 784), dtype=np.float32)
    preset = find_preset("deep")
    for batch in (128, 16_384):
        trained(f"deep at batch {batch}", preset.build(np.random.default_rng(0)), big, batch_size=batch)
        print(
            f"{'':34} CuPy's pool {pool.total_bytes() >> 20} MiB, recordings {room.pool.total_bytes() >> 20} MiB in {len(room.blocks)} blocks, {len(room.users)} live"
        )
    gc.collect()
    room.make_space()
    print(
        f"{'':34} after collection: CuPy's pool {pool.total_bytes() >> 20} MiB, recordings {room.pool.total_bytes() >> 20} MiB"
    )


def sanitized() -> None:
    """Two recorded epochs of the kinds of kernels there are, for compute-sanitizer."""
    for name in ("conv", "vae", "k-sparse", "denoising"):
        preset = find_preset(name)
        trained(name, preset.build(np.random.default_rng(0)), preset.examples().train[:200], epochs=3, batch_size=64)


def only(*peers: str) -> list[str]:
    """The options of training_step.py for these peers, in few rounds."""
    return ["--rounds", "5", "--steps", "50", *(word for peer in peers for word in ("--peer", peer))]


PYTEST = [
    "-m",
    "pytest",
    "-m",
    "gpu",
    "-q",
    "-n",
    "12",
    "--maxfail=200",
    "-p",
    "no:cacheprovider",
    "-p",
    "no:benchmark",
]
PARTS: dict[str, tuple[int, Callable[[], None] | Sequence[str]]] = {  # a limit in seconds; a function or a command
    "computes": (60, computes),
    "presets": (75, presets),
    "risks": (60, risks),
    "tests": (150, [sys.executable, *PYTEST, "-W", "default:::cupy"]),
    "memcheck": (70, [*SANITIZER, sys.executable, __file__, "--inside", "sanitized"]),
    "peers": (210, [*PEERS, *only("scratchae-eager", "torch", "torch-fused", "torch-compile-graphs", "jax")]),
    "peers at 8192": (120, [*PEERS, "--batch-size", "8192", *only("torch", "torch-fused", "jax")]),
    "bench": (110, [sys.executable, "-m", "scratchae", "bench", "--device", "both", "--quick"]),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 if a part failed, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(prog="on_gpu.py", description="Everything that only a real GPU can show.")
    command.add_argument("parts", nargs="*", metavar="PART", help=f"default: {', '.join(PARTS)}")
    command.add_argument(
        "--json", type=Path, metavar="FILE", help=f"the record (default: {RESULTS}/on_gpu-DATE.json)"
    )
    command.add_argument("--inside", metavar="PART", help=argparse.SUPPRESS)
    options = command.parse_args(arguments)
    if options.inside:
        {part.__name__: part for part in (computes, presets, risks, sanitized)}[options.inside]()
        return 0
    return exit_code("on_gpu", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Run the parts, one after the other; write the record after each."""
    if unknown := {*options.parts} - {*PARTS}:
        raise BenchmarkError(f"no part {', '.join(sorted(unknown))}; there are: {', '.join(PARTS)}")
    record = new_record("on_gpu") | {"parts": {}}
    file = options.json or RESULTS / f"on_gpu-{record['date'][:10]}.json"
    if file.exists():
        record = json.loads(file.read_text(encoding="utf-8"))
    for name in options.parts or PARTS:
        if name in record["parts"]:
            continue
        print(f"\n=== {name}", flush=True)
        record["parts"][name] = result = run_part(name, file)
        print(f"--- {result['ended']}, {result['seconds']:.0f} s", flush=True)
        save(record, file)
    width = max(map(len, record["parts"]))
    print(
        "\n"
        + "\n".join(
            f"{name:{width}}  {part['ended']:12} {part['seconds']:6.0f} s" for name, part in record["parts"].items()
        )
    )
    print(f"\nwritten to {file}")


def run_part(name: str, file: Path) -> dict[str, object]:
    """Run a part in a process of its own, show what it prints, and keep it."""
    limit, what = PARTS[name]
    command = [sys.executable, __file__, "--inside", name] if callable(what) else list(what)
    if name.startswith("peers"):
        command += ["--json", str(file.with_name(f"{file.stem}-{name.replace(' ', '-')}.json"))]
    if name == "bench":
        command += ["--out", str(file.with_name(f"{file.stem}-bench"))]
    environment = os.environ | {"PYTHONUNBUFFERED": "1", "PYTHONPATH": str(HERE.parent)}
    start, lines = time.perf_counter(), []
    process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, env=environment)
    alarm = threading.Timer(limit, process.kill)
    alarm.start()
    for line in process.stdout:
        lines.append(line.rstrip())
        print(line, end="", flush=True)
    code = process.wait()
    late = not alarm.is_alive()
    alarm.cancel()
    ended = f"stopped after {limit} s" if late else "done" if code == 0 else f"exit code {code}"
    return {"ended": ended, "seconds": time.perf_counter() - start, "command": command[1:], "lines": lines}


if __name__ == "__main__":
    sys.exit(main())
