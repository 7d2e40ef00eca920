"""A measurement as text: what it was made on, and a table for each preset or curve."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

OURS, COMPILED, EAGER = "scratchae", "scratchae-compiled", "torch"  # what the headlines compare


def heading(record: dict[str, Any]) -> str:
    """Hardware, versions, threads, settings and date; what the devices themselves reach, and what was left out."""
    machine, known, settings = record["machine"], record["versions_and_threads"], record["settings"]
    blas = known["blas"]
    variables = ", ".join(
        f"{name}={'(not set)' if value is None else value}" for name, value in machine["environment"].items()
    )
    libraries = [f"scratchae {known['scratchae']}", f"NumPy {known['numpy']}"]
    threads = [f"BLAS {blas['threads'] or 'unknown'}"]
    for name, title in (("torch", "PyTorch"), ("jax", "JAX")):
        if name in known:
            libraries.append(f"{title} {known[name]}")
            threads.append(f"{title} {known[f'{name}_threads']}")
    lines = [
        f"date         {record['date']}",
        f"processor    {machine['processor']}; {machine['cores_used']} of {machine['cores']} cores used",
        f"system       {machine['system']}, Python {machine['python']}",
        f"libraries    {', '.join(libraries)}",
        f"BLAS         {blas['name']} {blas['version']}, kernels for {blas['kernels'] or 'unknown'}",
        f"threads      {', '.join(threads)}",
        f"environment  {variables}",
    ]
    if "gpu" in machine:
        gpu = machine["gpu"]
        lines.append(
            f"GPU          {gpu['name']}, {gpu['memory_gib']:.0f} GiB; CUDA driver {gpu['cuda_driver']}, "
            f"runtime {gpu['cuda_runtime']}, CuPy {gpu['cupy']}"
        )
    if "rounds" in settings:
        lines.append(
            f"measurement  {settings['rounds']} rounds of {settings['steps']} steps, after {settings['warm_up']} to warm up"
        )
    for device, roofs in record.get("roofs", {}).items():
        lines.append(
            f"{f'{device.upper()} reaches':<13}{roofs['gflops_per_second']:,.0f} GFLOP/s (float32 GEMM, {roofs['size']}²), "
            f"{roofs['gb_per_second']:,.0f} GB/s (adding long vectors)"
        )
    lines += [f"skipped      {what}: {why}" for what, why in record.get("skipped", {}).items()]
    return "\n".join(lines)


def table(name: str, result: dict[str, Any]) -> str:
    """One preset: who takes how long, the peers in units of ours, and how near ours is to its matrix products."""
    lines = [
        f"{name}: {net(result['sizes'])}, batch {result['batch_size']}, float32, {result['device'].upper()}",
        agreement([result["agreement"]]),
        f"{'':<32}{'ms a step':>10}  {'quartiles':<17}{'/ ours':>8}  quartiles",
    ]
    for who, peer in result["peers"].items():
        quartiles = "" if who == OURS else f"  {span(peer['ratio_quartiles'], 2)}"
        lines.append(
            f"{peer['title']:<32}{peer['median_ms']:>10.3f}  {span(peer['quartiles_ms'], 3):<17}"
            f"{peer['ratio']:>8.2f}{quartiles}"
        )
    for reason in dict.fromkeys(result["skipped"].values()):
        who = [peer for peer, its_reason in result["skipped"].items() if its_reason == reason]
        lines.append(f"skipped {', '.join(who)}: {reason}")
    lines += [f"{what} / ours: {text}" for what, text in headlines(result["peers"]).items()]
    roofs = result["roofs"]
    lines.append(
        f"GEMMs: {result['gemm_gflops']:.3g} GFLOP a step at this device's {roofs['gflops_per_second']:.0f} GFLOP/s "
        f"({roofs['size']}²) are {result['gemm_floor_ms']:.3g} ms; ours is {result['times_the_floor']:.3g} times that floor"
    )
    return "\n".join(lines)


def net(sizes: list[int | list[int]]) -> str:
    """A net by what passes through it: 784-256-784, or, with images, 28×28×1-14×14×16-64-28×28×1."""
    return "-".join("×".join(map(str, size)) if isinstance(size, list) else str(size) for size in sizes)


def agreement(found: Iterable[dict[str, Any]]) -> str:
    """How well the peers' numbers agree with ours, in the worst place of these comparisons."""
    differences = [
        (its["largest_relative_difference"], peer, its["tensor"]) for peers in found for peer, its in peers.items()
    ]
    if not differences:
        return "no peer to compare with"
    difference, peer, tensor = max(differences)
    return f"loss, gradients and parameters agree; largest relative difference {difference:.0e} ({peer}, {tensor})"


def headlines(peers: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The ratios that sum up a preset; above 1, ours is faster."""
    found = {}
    if EAGER in peers:
        found["PyTorch eager"] = ratio(peers[EAGER])
    others = [peer for name, peer in peers.items() if not name.startswith(OURS)]
    if others:
        fastest = min(others, key=lambda peer: peer["ratio"])
        found["fastest peer"] = f"{ratio(fastest)}, {fastest['title']}"
        if COMPILED in peers:
            found["fastest peer"] += (
                f"; / ours with compiled kernels: {fastest['ratio'] / peers[COMPILED]['ratio']:.2f}"
            )
    return found


def ratio(peer: dict[str, Any]) -> str:
    return f"{peer['ratio']:.2f} ({span(peer['ratio_quartiles'], 2)})"


def span(quartiles: list[float], digits: int) -> str:
    low, high = quartiles
    return f"{low:.{digits}f} to {high:.{digits}f}"
