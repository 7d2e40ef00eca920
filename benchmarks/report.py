"""A measurement as text: what it was made on, and a table for each preset."""

from __future__ import annotations

from typing import Any

OURS, EAGER = "scratchae", "torch"  # the two sides of the first headline


def heading(record: dict[str, Any]) -> str:
    """Hardware, versions, threads, settings and date."""
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
    return "\n".join(
        (
            f"date         {record['date']}",
            f"processor    {machine['processor']}; {machine['cores_used']} of {machine['cores']} cores used",
            f"system       {machine['system']}, Python {machine['python']}",
            f"libraries    {', '.join(libraries)}",
            f"BLAS         {blas['name']} {blas['version']}, kernels for {blas['kernels'] or 'unknown'}",
            f"threads      {', '.join(threads)}",
            f"environment  {variables}",
            f"measurement  {settings['rounds']} rounds of {settings['steps']} steps, after {settings['warm_up']} to warm up",
        )
    )


def table(name: str, result: dict[str, Any]) -> str:
    """One preset: who takes how long, the peers in units of ours, and how near ours is to its matrix products."""
    sizes = "-".join(map(str, result["sizes"]))
    lines = [
        f"{name}: {sizes}, batch {result['batch_size']}, float32",
        agreement(result),
        f"{'':<28}{'ms a step':>10}  {'quartiles':<17}{'/ ours':>8}  quartiles",
    ]
    for who, peer in result["peers"].items():
        quartiles = "" if who == OURS else f"  {span(peer['ratio_quartiles'], 2)}"
        lines.append(
            f"{peer['title']:<28}{peer['median_ms']:>10.3f}  {span(peer['quartiles_ms'], 3):<17}"
            f"{peer['ratio']:>8.2f}{quartiles}"
        )
    for reason in dict.fromkeys(result["skipped"].values()):
        who = [peer for peer, its_reason in result["skipped"].items() if its_reason == reason]
        lines.append(f"skipped {', '.join(who)}: {reason}")
    lines += [f"{what} / ours: {text}" for what, text in headlines(result["peers"]).items()]
    sgemm = result["sgemm"]
    lines.append(
        f"GEMMs: {result['gemm_gflops']:.3g} GFLOP a step at this machine's {sgemm['gflops_per_second']:.0f} GFLOP/s "
        f"(sgemm {sgemm['size']}²) are {result['gemm_floor_ms']:.3g} ms; ours is {result['times_the_floor']:.3g} times that floor"
    )
    return "\n".join(lines)


def agreement(result: dict[str, Any]) -> str:
    """How well the peers' numbers agree with ours, in the worst place."""
    if not result["agreement"]:
        return "no peer to compare with"
    peer, worst = max(result["agreement"].items(), key=lambda item: item[1]["largest_relative_difference"])
    return (
        f"loss, gradients and parameters agree; largest relative difference "
        f"{worst['largest_relative_difference']:.0e} ({peer}, {worst['tensor']})"
    )


def headlines(peers: dict[str, dict[str, Any]]) -> dict[str, str]:
    """The two ratios that sum up a preset; above 1, ours is faster."""
    found = {}
    if EAGER in peers:
        found["PyTorch eager"] = ratio(peers[EAGER])
    others = [peer for name, peer in peers.items() if name != OURS]
    if others:
        fastest = min(others, key=lambda peer: peer["ratio"])
        found["fastest peer"] = f"{ratio(fastest)}, {fastest['title']}"
    return found


def ratio(peer: dict[str, Any]) -> str:
    return f"{peer['ratio']:.2f} ({span(peer['ratio_quartiles'], 2)})"


def span(quartiles: list[float], digits: int) -> str:
    low, high = quartiles
    return f"{low:.{digits}f} to {high:.{digits}f}"
