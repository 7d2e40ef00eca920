"""A sweep as text: a table for each preset, where its time goes, and when the GPU overtakes."""

from __future__ import annotations

from typing import Any

from .report import net, span

COLUMNS = (  # title, width, and how a point fills it; None where it was not counted
    ("batch", 7, lambda p: f"{p['batch_size']:,}"),
    ("ms a step", 11, lambda p: f"{p['median_ms']:.3f}"),
    ("quartiles", 20, lambda p: span(p["quartiles_ms"], 3)),
    ("examples/s", 12, lambda p: f"{p['examples_per_second']:,.0f}"),
    ("GFLOP/s", 9, lambda p: f"{p['gflops_per_second']:,.0f}"),
    ("of GEMM peak", 14, lambda p: f"{p['share_of_gemm_peak']:.0%}"),
    ("GB/s", 7, lambda p: f"{p['gb_per_second']:,.0f}"),
    ("of bandwidth", 14, lambda p: f"{p['share_of_bandwidth']:.0%}"),
)


def sweep_table(name: str, result: dict[str, Any]) -> str:
    """One preset: every way at every batch size, how time grows, and what was left out."""
    title = f"{name}: {net(result['sizes'])}, " if result["sizes"] else f"{name}: "
    lines = [f"{title}{result['parameters']:,} parameters, {result['optimizer']}, float32"]
    for way in result["ways"].values():
        columns = [c for c in COLUMNS if all(filled(c, point) for point in way["points"])]
        lines.append(f"{way['title']:<15}" + "".join(f"{title:>{width}}" for title, width, _ in columns))
        for point in way["points"]:
            lines.append(f"{'':<15}" + "".join(f"{show(point):>{width}}" for _, width, show in columns))
        for point in way["points"]:
            if point["problem"] is not None:
                lines.append(
                    f"{'':<15}batch {point['batch_size']:,} was not recorded and ran eagerly: {point['problem']}"
                )
        if len(columns) < len(COLUMNS):
            lines.append(f"{'':<15}operations not counted: a step is no run forward and backward through layers")
        for n, why in way["skipped"].items():
            lines.append(f"{'':<15}skipped batch {n:,}: {why}")
        if way["exponent"] is not None:
            lines.append(f"{'':<15}time grows as batch size to the power {way['exponent']:.2f}")
    if "cpu_over_gpu" in result:
        each = ", ".join(f"{ratio:.2f} at {n:,}" for n, ratio in result["cpu_over_gpu"].items())
        lines.append(f"CPU time / GPU time: {each}")
        lines.append(overtaking_text(result))
    return "\n".join(lines)


def filled(column: tuple[str, int, Any], point: dict[str, Any]) -> bool:
    try:
        column[2](point)
    except KeyError:
        return False
    return True


def overtaking_text(result: dict[str, Any]) -> str:
    """From which batch size on the GPU is faster."""
    measured, at = sorted(result["cpu_over_gpu"]), result["overtakes_at"]
    if at is None:
        return f"the GPU does not overtake the CPU up to batch {measured[-1]:,}"
    if at == measured[0]:
        return f"the GPU is faster at every batch size measured, from {measured[0]:,} on"
    return f"the GPU overtakes the CPU at about batch {at:,.0f}"


def layer_table(name: str, device: str, found: dict[str, Any] | None) -> str:
    """Where a step's time goes, layer by layer."""
    if found is None:
        return f"{name}, {device.upper()}: no time by layer, as a step is no run forward and backward through layers"
    whole = found["step_ms"]
    lines = [
        f"{name}, {device.upper()}, batch {found['batch_size']}: layer by layer {whole:.3f} ms",
        f"{'':<15}{'forward ms':>11}{'share':>7}{'backward ms':>13}{'share':>7}",
    ]
    rows = [(f"{layer['name']} {layer['layer'].partition('(')[0]}", layer) for layer in found["layers"]]
    rows.append(("loss and the rest", found["rest"]))
    width = max(len(label) for label, _ in rows)
    lines[1] = f"{'':<{width}}{'forward ms':>12}{'share':>7}{'backward ms':>13}{'share':>7}"
    for label, each in rows:
        cells = "".join(
            f"{each[direction]:>{room}.3f}{each[direction] / whole:>7.0%}"
            for direction, room in (("forward_ms", 12), ("backward_ms", 13))
        )
        lines.append(f"{label:<{width}}{cells}")
    lines.append(f"{'optimizer':<{width}}{'':>19}{found['optimizer_ms']:>13.3f}{found['optimizer_ms'] / whole:>7.0%}")
    return "\n".join(lines)
