"""How training scales over processes: measured on this machine, and as a model says for more machines.

    python benchmarks/distributed.py [PRESET] [--ranks 1,2] [--batch-sizes 64,128,256] [--rounds N] [--steps N] [--json FILE]
    python benchmarks/distributed.py [PRESET] --agreement

Each number of ranks is a run of its own under `mpiexec`, each rank with one thread; the runs take turns, round after round. A step is
what `fit` does: the rows of the batch are exchanged, the gradient is computed and summed, the parameters are updated. The parameters
after the first steps are compared with those of one rank. With --agreement they are compared after two epochs, and nothing is timed.

The model. A step of one machine with b examples takes t(b) = fixed + each · b, a line through the measured times of one rank; in
`fixed` is the update, which every machine makes in full. N machines share a batch of B, and sum the P parameters' gradients around a
ring, in which each sends its neighbour 2 (N - 1) messages of 4 P / N bytes. `talk` is what else ranks have to say in a step; it is
the time that a step of a tiny net takes longer on ranks than alone:

    T(N) = t(B / N) + talk + 2 (N - 1) / N · 4 P / bandwidth + 2 (N - 1) · latency

t(b) comes from the processor time of one rank's steps, in which waiting for a core that others use does not count.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from commandline import add_options, exit_code

from scratchae.backend import recycle_memory, threads
from scratchae.bench import machine
from scratchae.bench.harness import BenchmarkError, note, save
from scratchae.cli.types import whole_numbers
from scratchae.files import scratch_folder, written_whole
from scratchae.presets import find_preset
from scratchae.training import fit
from scratchae.training.distributed import group_for
from scratchae.training.ranks import Shard, steps_of_ranks
from scratchae.training.steps import steps_for

HERE = Path(__file__).resolve()
NETWORKS = {  # bytes a second, and seconds until a message arrives
    "1 Gbit/s Ethernet": (0.117e9, 50e-6),
    "10 Gbit/s Ethernet": (1.17e9, 20e-6),
    "100 Gbit/s InfiniBand": (12e9, 2e-6),
}
MACHINES = (2, 4, 8, 16, 32, 64)
BATCHES = (128, 1024, 8192)
TINY = "overcomplete"
PAYS = 1.3  # times the examples a second of one machine, by two


def work(preset_name: str, batch_size: int, steps: int) -> dict[str, Any]:
    """What one rank does: the milliseconds of its steps, of sums of the gradient alone, and a sketch of the parameters."""
    preset, group = find_preset(preset_name), group_for("mpi")
    recycle_memory()
    model = preset.build(np.random.default_rng(0))
    x = preset.examples().train[: 4 * batch_size]
    optimizer = preset.optimizer(preset.lr, 10 * steps)
    found: dict[str, Any] = {"parameters": len(model.parameters)}
    with threads(1), group.together():
        if group.size > 1:
            taken = steps_of_ranks(model, Shard.of(x, model, group), batch_size, optimizer, group)
        else:
            taken = steps_for(model, x, batch_size, optimizer)
        times: list[float] = []
        busy: list[float] = []
        for epoch in range(1 + -(-steps // taken.count)):  # the first warms up
            taken.begin(0, epoch)
            for _ in range(taken.count):
                start, cpu = time.perf_counter(), time.thread_time()
                taken.step()
                group.any(False)  # as `fit` asks whether one was interrupted
                times.append(1000 * (time.perf_counter() - start))
                busy.append(1000 * (time.thread_time() - cpu))
            if epoch == 0:
                found["sketch"] = model.parameters[:: max(len(model.parameters) // 1000, 1)].astype(float).tolist()
                times.clear(), busy.clear()
        found |= {"ms": times, "busy_ms": busy}
        gradient, sums = model.gradient.copy(), []
        for _ in range(20 if group.size > 1 else 0):
            group.gather(None)
            start = time.perf_counter()
            group.sum_(gradient)
            sums.append(1000 * (time.perf_counter() - start))
        found["sum_ms"] = sums
    return found if group.rank == 0 else {}


def learn(preset_name: str, dtype: str, file: str) -> dict[str, Any]:
    """What one rank does: two epochs of a preset's own training. The first writes the parameters to a file."""
    preset, group = find_preset(preset_name), group_for("mpi")
    x = preset.examples().train.astype(dtype)
    model = preset.build(np.random.default_rng(0)).to(dtype=dtype)
    optimizer = preset.optimizer(preset.lr, preset.epochs * -(-len(x) // preset.batch_size))
    sizes = {"epochs": 2, "batch_size": preset.batch_size, "progress": False}
    with threads(1):
        fit(model, x, optimizer=optimizer, distributed=group, **sizes)
    if group.rank > 0:
        return {}
    with written_whole(Path(file)) as temporary, open(temporary, "wb") as written:
        np.save(written, model.parameters)
    return {"examples": len(x)}


def agreement(preset: str, ranks: int) -> str:
    """How far the parameters after two epochs are from those of one rank; and those of one rank with other kernels of OpenBLAS."""
    lines = [f"{preset}, two epochs: |difference of the parameters| / |parameters of one rank|"]
    with scratch_folder() as folder:

        def trained(n: int, dtype: str, kernels: str | None = None) -> np.ndarray:
            note(f"{n} ranks, {dtype}, {kernels or 'own'} kernels")
            file = folder / f"{n}-{dtype}-{kernels}.npy"
            under_mpiexec(n, "learn", preset, dtype, file, kernels=kernels)
            return np.load(file).astype(np.float64)

        for dtype in ("float32", "float64"):
            one = trained(1, dtype)
            others = {f"{ranks} ranks": (ranks, dtype), "one rank, Haswell's kernels": (1, dtype, "Haswell")}
            for what, how in others.items():
                lines.append(f"{dtype}  {what:<28}{np.linalg.norm(trained(*how) - one) / np.linalg.norm(one):.1e}")
    return "\n".join(lines)


def under_mpiexec(ranks: int, *arguments: Any, kernels: str | None = None) -> dict[str, Any]:
    """What the first of so many ranks finds, with OpenBLAS's kernels for this kind of processor. Raises BenchmarkError."""
    beside = Path(sys.executable).with_name("mpiexec")
    mpiexec = str(beside) if beside.exists() else shutil.which("mpiexec")
    if mpiexec is None:
        raise BenchmarkError('there is no mpiexec: in a checkout, pip install ".[mpi]"')
    command = [mpiexec, "-n", str(ranks), sys.executable, str(HERE), "--worker", *map(str, arguments)]
    chosen = {"OPENBLAS_NUM_THREADS": "1"} | ({"OPENBLAS_CORETYPE": kernels} if kernels else {})
    done = subprocess.run(command, capture_output=True, text=True, env=os.environ | chosen)
    if done.returncode:
        raise BenchmarkError(f"{ranks} ranks failed: {done.stderr.strip()[-500:]}")
    return json.loads(done.stdout)


def measured(
    preset: str, ranks: Sequence[int], batch_sizes: Sequence[int], rounds: int, steps: int
) -> list[dict[str, Any]]:
    """A row for each batch size and number of ranks."""
    rows = []
    for batch_size in batch_sizes:
        blocks: dict[int, list[dict[str, Any]]] = {n: [] for n in ranks}
        for turn in range(rounds):
            note(f"batch {batch_size}, round {turn + 1} of {rounds}")
            for n in ranks:
                blocks[n].append(under_mpiexec(n, "work", preset, batch_size, steps))
        for n in ranks:
            sketch, alone = (np.array(blocks[k][0]["sketch"]) for k in (n, ranks[0]))
            rows.append(
                {
                    "batch_size": batch_size,
                    "ranks": n,
                    "parameters": blocks[n][0]["parameters"],
                    "difference": float(np.linalg.norm(sketch - alone) / np.linalg.norm(alone)),
                    **{
                        what: spread(ms for block in blocks[n] for ms in block[what])
                        for what in ("ms", "busy_ms", "sum_ms")
                    },
                }
            )
    return rows


def spread(times: Iterable[float]) -> dict[str, float] | None:
    """Of times what a tenth of them stays below, and the median; None of none."""
    found = sorted(times)
    return {"best_tenth": found[len(found) // 10], "median": statistics.median(found)} if found else None


# The model


def overheads(ranks: int, rounds: int, steps: int) -> dict[str, float]:
    """Seconds that a step of a net of 252 parameters takes alone, and on ranks: nearly all of it Python and messages."""
    found = {}
    for name, n in (("alone", 1), ("ranks", ranks)):
        blocks = [under_mpiexec(n, "work", TINY, 8, steps) for _ in range(rounds)]
        found[name] = spread(ms for block in blocks for ms in block["ms"])["best_tenth"] / 1000
    return found


def line(rows: list[dict[str, Any]]) -> tuple[float, float]:
    """fixed and each, in seconds: the line through the times of one rank, with the least relative errors."""
    points = [(row["batch_size"], row["busy_ms"]["best_tenth"] / 1000) for row in rows if row["ranks"] == 1]
    b, t = np.array(points).T
    (fixed, each), *_ = np.linalg.lstsq(np.stack([1 / t, b / t], axis=1), np.ones_like(t), rcond=None)
    return max(float(fixed), 0.0), float(each)


def ring(n: int, parameters: float, bandwidth: float, latency: float) -> float:
    """Seconds of a sum of float32 gradients over n machines."""
    return 2 * (n - 1) / n * 4 * parameters / bandwidth + 2 * (n - 1) * latency


@dataclass(frozen=True)
class Scaling:
    """Times in seconds: of a step with b examples, fixed + each · b, of which `python` is not the net's; and of what ranks say."""

    fixed: float
    each: float
    python: float
    talk: float
    parameters: float

    def ratio(self, n: int, one: float, own: float, network: tuple[float, float]) -> float:
        """The time of one machine with `one` examples, by that of n machines with `own` examples each."""
        alone = self.fixed + self.each * one
        return alone / (self.fixed + self.each * own + self.talk + ring(n, self.parameters, *network))

    def of(self, parameters: float) -> Scaling:
        """The same for a dense net of another size, whose times grow with its parameters."""
        scale = parameters / self.parameters
        fixed = self.python + (self.fixed - self.python) * scale
        return replace(self, fixed=fixed, each=self.each * scale, parameters=parameters)

    def pays_from(self, batch: float, network: tuple[float, float]) -> float | None:
        """From how many parameters on two machines that share a batch reach PAYS; None if never."""
        sizes = np.geomspace(1e3, 1e10, 141)
        return next((float(p) for p in sizes if self.of(p).ratio(2, batch, batch / 2, network) >= PAYS), None)


def model_of(rows: list[dict[str, Any]], overhead: dict[str, float]) -> dict[str, Any]:
    """What the model says. In an own batch for each machine, n times the examples are done in a step."""
    fixed, each = line(rows)
    python, talk = min(overhead["alone"], fixed), max(overhead["ranks"] - overhead["alone"], 0)
    known = Scaling(fixed, each, python, talk, rows[0]["parameters"])
    found: dict[str, Any] = {"seconds": asdict(known), "shared": {}, "own": {}, "pays_from": {}, "predicted": []}
    for name, network in NETWORKS.items():
        found["shared"][name] = {B: [known.ratio(n, B, B / n, network) for n in MACHINES] for B in BATCHES}
        found["own"][name] = {b: [n * known.ratio(n, b, b, network) for n in MACHINES] for b in BATCHES[:2]}
        found["pays_from"][name] = {B: known.pays_from(B, network) for B in BATCHES}
    for row in rows:
        if row["sum_ms"]:  # with the sum that was measured, in place of the ring's
            ms = 1000 * (fixed + talk + each * row["batch_size"] / row["ranks"]) + row["sum_ms"]["best_tenth"]
            found["predicted"].append({"batch_size": row["batch_size"], "ranks": row["ranks"], "ms": ms})
    return found


def report(record: dict[str, Any]) -> str:
    """Both as text."""
    rows, model = record["measured"], record["model"]
    seconds = model["seconds"]
    lines = [
        f"{record['preset']}, {rows[0]['parameters']:,} parameters, float32, one thread a rank",
        f"{'batch':>6} {'ranks':>5}  {'ms: best tenth, median':<22} {'processor':<10} {'times the examples/s':<20} {'sum, ms':<12} {'difference':<10} model, ms",
    ]
    first = {row["batch_size"]: row for row in reversed(rows)}
    said = {(each["batch_size"], each["ranks"]): f"{each['ms']:.1f}" for each in model["predicted"]}
    for row in rows:
        best, median = row["ms"]["best_tenth"], row["ms"]["median"]
        base = first[row["batch_size"]]["ms"]
        sums = "" if row["sum_ms"] is None else f"{row['sum_ms']['best_tenth']:.2f}, {row['sum_ms']['median']:.2f}"
        ratios = f"{base['best_tenth'] / best:.2f}, {base['median'] / median:.2f}"
        lines.append(
            f"{row['batch_size']:>6} {row['ranks']:>5}  {f'{best:.1f}, {median:.1f}':<22} {row['busy_ms']['best_tenth']:<10.1f} {ratios:<20} {sums:<12} "
            f"{row['difference']:<10.1e} {said.get((row['batch_size'], row['ranks']), '')}"
        )
    lines.append(
        f"\nmodel, of the processor time's best tenth: t(b) = {1000 * seconds['fixed']:.2f} ms + {1000 * seconds['each']:.4f} ms · b, "
        f"talk {1000 * seconds['talk']:.2f} ms"
    )
    heads = "".join(f"{n:>8}" for n in MACHINES)
    for what, title in (("shared", "a batch shared by the machines"), ("own", "a batch for each machine")):
        lines.append(
            f"times the examples a second of one machine, {title}\n{'network':<24}{'batch':>6}{heads}   machines"
        )
        for name, found in model[what].items():
            lines += [
                f"{name:<24}{B:>6}" + "".join(f"{value:>8.2f}" for value in values) for B, values in found.items()
            ]
    lines.append(
        f"two machines that share a batch train {PAYS} times the examples a second from so many parameters on"
    )
    for name, found in model["pays_from"].items():
        shown = (f"batch {B:,}: {'never' if p is None else f'{p:,.0f}'}" for B, p in found.items())
        lines.append(f"{name:<24}{';  '.join(shown)}")
    return "\n".join(lines)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    command = argparse.ArgumentParser(
        prog="distributed.py", description="How training scales over processes and machines."
    )
    command.add_argument("preset", nargs="?", default="science2006", help="a preset of images (default: science2006)")
    command.add_argument(
        "--ranks", type=whole_numbers, default=(1, 2), metavar="N,…", help="numbers of ranks (default: 1,2)"
    )
    command.add_argument(
        "--batch-sizes", type=whole_numbers, default=(64, 128, 256), metavar="N,…", help="(default: 64,128,256)"
    )
    add_options(command, "distributed", steps=40, rounds=5)
    command.add_argument(
        "--agreement", action="store_true", help="compare parameters after two epochs; measure nothing"
    )
    command.add_argument("--worker", nargs=4, help=argparse.SUPPRESS)
    options = command.parse_args(sys.argv[1:] if arguments is None else arguments)
    if options.worker:
        kind, preset, *rest = options.worker
        found = learn(preset, *rest) if kind == "learn" else work(preset, *map(int, rest))
        print(json.dumps(found) if found else "", end="")
        return 0
    return exit_code("distributed", lambda: run(options))


def run(options: argparse.Namespace) -> None:
    """Measure, print, and write everything to a file."""
    if options.agreement:
        print(agreement(options.preset, max(options.ranks)))
        return
    rows = measured(options.preset, options.ranks, options.batch_sizes, options.rounds, options.steps)
    overhead = overheads(max(options.ranks), options.rounds, 10 * options.steps)
    record = machine.record("distributed", rounds=options.rounds, steps=options.steps) | {
        "preset": options.preset,
        "measured": rows,
        "model": model_of(rows, overhead),
    }
    print(f"{report(record)}\n\nwritten to {save(record, options.json)}")


if __name__ == "__main__":
    sys.exit(main())
