"""How time and memory of a training step grow with the batch, with the images and with the net, in scratchae and PyTorch.

    python benchmarks/scaling.py [CURVE ...] [--device cpu|gpu] [--steps N] [--rounds N] [--json FILE]

A convolutional autoencoder at several batch sizes, one at several image sizes, and a dense one of several widths. Prints
tables, and draws them beside the JSON file. README.md beside this file tells how it is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from commandline import add_options, exit_code

from scratchae import MSE, Autoencoder, Conv2d, ConvTranspose2d, Dense, ReLU, Sequential, Sigmoid
from scratchae.bench.comparison import StepWorker, compare, model_of, new_record, start
from scratchae.bench.harness import BenchmarkError, note, peak_memory, save, serve, statistics, time_rounds, timed
from scratchae.bench.peers import DEVICES, PEERS
from scratchae.bench.report import COMPILED, OURS, agreement, heading, net, span
from scratchae.bench.sweep import exponent
from scratchae.bench.work import sizes
from scratchae.models import Model
from scratchae.plots import BLUE, GREY, RED, figure
from scratchae.presets import find_preset

HERE = Path(__file__).resolve()
LOOKS = {
    OURS: {"fmt": "o-", "color": BLUE},
    COMPILED: {"fmt": "^-", "color": BLUE, "markerfacecolor": "white"},
    "torch-channels-last": {"fmt": "s--", "color": RED},
    "torch-fused": {"fmt": "s--", "color": RED},
}
STEPS_WATCHED = 5  # the first ones, whose memory is measured


def conv_preset() -> Model:
    return model_of(find_preset("conv"))


def fully_convolutional() -> Model:
    """The preset `conv` with a 3×3 kernel in the middle instead of 7×7, so that sides may be any multiple of 4."""
    rng = np.random.default_rng(0)
    down = {"stride": 2, "padding": 1, "init": "he", "rng": rng}
    up = {"stride": 2, "padding": 1, "output_padding": 1, "rng": rng}
    encoder = Sequential(
        *(Conv2d(1, 16, 3, **down), ReLU()),  # (N, H/2, W/2, 16)
        *(Conv2d(16, 32, 3, **down), ReLU()),  # (N, H/4, W/4, 32)
        Conv2d(32, 64, 3, padding=1, rng=rng),  # (N, H/4, W/4, 64)
    )
    decoder = Sequential(
        *(ConvTranspose2d(64, 32, 3, padding=1, init="he", rng=rng), ReLU()),  # (N, H/4, W/4, 32)
        *(ConvTranspose2d(32, 16, 3, init="he", **up), ReLU()),  # (N, H/2, W/2, 16)
        *(ConvTranspose2d(16, 1, 3, **up), Sigmoid()),  # (N, H, W, 1)
    )
    return Autoencoder(encoder, decoder, loss=MSE())


def dense(width: int) -> Model:
    """784-width-32-width-784: so many numbers of W for each of the width's, whatever it is."""
    rng = np.random.default_rng(0)
    encoder = Sequential(Dense(784, width, init="he", rng=rng), ReLU(), Dense(width, 32, rng=rng))
    decoder = Sequential(Dense(32, width, init="he", rng=rng), ReLU(), Dense(width, 784, rng=rng), Sigmoid())
    return Autoencoder(encoder, decoder, loss=MSE())


@dataclass(frozen=True)
class Point:
    """A batch of square images, the model for it, and where it stands on the axis of its curve: number and label."""

    batch_size: int
    side: int
    size: int
    label: str
    build: Callable[[], Model]


@dataclass(frozen=True)
class Curve:
    """What is measured at several sizes: the axis, what is the same everywhere, who is measured, the points."""

    axis: str
    fixed: str
    peers: tuple[str, ...]
    points: tuple[Point, ...]
    flat: bool = False  # images as rows


CURVES = {
    "batch": Curve(
        "images a batch",
        "28×28 images",
        (OURS, COMPILED, "torch-channels-last"),
        tuple(Point(n, 28, n, f"{n}", conv_preset) for n in (32, 64, 128, 256, 512, 1024)),
    ),
    "pixels": Curve(
        "pixels an image",
        "batch 32",
        (OURS, COMPILED, "torch-channels-last"),
        tuple(Point(32, side, side**2, f"{side}×{side}", fully_convolutional) for side in (28, 40, 60, 88, 128)),
    ),
    "width": Curve(
        "hidden units a layer",
        "batch 128, 28×28 images as rows",
        (OURS, COMPILED, "torch-fused"),
        tuple(
            Point(128, 28, width, f"{width}", functools.partial(dense, width))
            for width in (64, 128, 256, 512, 1024, 2048)
        ),
        flat=True,
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(ScalingWorker(*options.worker).actions())
        return 0
    return exit_code("scaling", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="scaling.py", description="Time and memory of a training step against the size of batch, images and net."
    )
    command.add_argument("curves", nargs="*", metavar="CURVE", help=f"default: {' '.join(CURVES)}")
    command.add_argument("--device", choices=DEVICES, default="cpu", help="default: cpu")
    add_options(command, "scaling", steps=20, rounds=11)
    command.add_argument("--worker", nargs=2, help=argparse.SUPPRESS)  # what the command starts for each peer
    return command


class ScalingWorker(StepWorker):
    """One library at one size of one curve."""

    def prepare(self, curve: str, point: int, batch: str) -> dict[str, Any]:
        """Build the peer and take its first steps, watching memory; its versions and threads, and the peak in MiB."""
        self.build(CURVES[curve].points[point].build(), np.load(batch))
        peak = peak_memory(lambda: [timed(self.peer.step, self.peer.finish) for _ in range(STEPS_WATCHED)])
        return {"facts": self.peer.facts(), "peak_mib": peak if self.device == "cpu" else None}


def batch(curve: Curve, point: Point) -> np.ndarray:
    """The point's images, as rows where its model takes these."""
    x = images(point.batch_size, point.side)
    return x.reshape(len(x), -1) if curve.flat else x


def images(n: int, side: int) -> np.ndarray:
    """The first training images (n, side, side, 1) of the preset `conv`, side by side where more than 28 pixels are wanted."""
    tiles = -(-side // 28)
    return np.tile(training_images()[:n], (1, tiles, tiles, 1))[:, :side, :side]


@functools.cache
def training_images() -> np.ndarray:
    return find_preset("conv").examples().train


def run(options: argparse.Namespace) -> None:
    """Measure the curves, print a table for each, write and draw everything."""
    if unknown := [name for name in options.curves if name not in CURVES]:
        raise BenchmarkError(f"unknown curve {unknown[0]!r}: expected one of {', '.join(CURVES)}")
    settings = {"steps": options.steps, "rounds": options.rounds, "steps_watched": STEPS_WATCHED}
    record = new_record("scaling", device=options.device, **settings) | {"curves": {}}
    for name in options.curves or CURVES:
        result, facts = measure(name, CURVES[name], options)
        record["versions_and_threads"] |= facts
        if not record["curves"]:
            print(heading(record))
        record["curves"][name] = result
        print("\n" + curve_table(result), flush=True)
    file = save(record, options.json)
    draw(record["curves"], file.with_suffix(".png"))
    print(f"\nwritten to {file}, drawn in {file.with_suffix('.png')}")


def measure(name: str, curve: Curve, options: argparse.Namespace) -> tuple[dict[str, Any], dict[str, Any]]:
    """One curve, and the versions and threads of the libraries. Raises DisagreementError."""
    points, facts = [], {}
    for i, point in enumerate(curve.points):
        note(f"{name}: {point.label}")
        # new processes for each size, so that no size finds memory that an earlier one has left
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            np.save(f"{folder}/batch.npy", batch(curve, point))
            command = (sys.executable, str(HERE), "--worker")
            workers, answers, skipped = start(
                *(curve.peers, command, stack, options.device), curve=name, point=i, batch=f"{folder}/batch.npy"
            )
            agreed = compare(workers, folder)
            times = time_rounds(workers, options.rounds, options.steps)
        peers = {}
        for peer, figures in statistics(times, OURS).items():
            facts |= answers[peer]["facts"]
            us = 1e3 * figures["median_ms"] / point.batch_size
            peers[peer] = {
                "title": PEERS[peer].title,
                **figures,
                "us_per_example": us,
                "ns_per_pixel": 1e3 * us / point.side**2,
                "peak_mib": answers[peer]["peak_mib"],
            }
        place = {name: getattr(point, name) for name in ("batch_size", "side", "size", "label")}
        points.append(place | {"agreement": agreed, "peers": peers, "skipped": skipped})
    first = curve.points[0]
    result = {
        "axis": curve.axis,
        "fixed": curve.fixed,
        "model": repr(first.build()),
        "sizes": sizes(first.build(), batch(curve, first)),
        "parameters": first.build().parameter_count(),
        "points": points,
    }
    return result | {"exponents": {peer: exponent(*line(result, peer)) for peer in peers}}, facts


def curve_table(curve: dict[str, Any]) -> str:
    """One curve: some lines for each size, and how fast time grows with it."""
    points = curve["points"]
    lines = [
        f"{curve['axis']}: {net(curve['sizes'])}, {curve['fixed']}, float32",
        agreement(point["agreement"] for point in points),
        f"{'':<10}{'':<30}{'ms a step':>9}  {'quartiles':<19}{'µs an example':>14}{'ns a pixel':>12}{'peak MiB':>10}"
        f"{'/ ours':>8}",
    ]
    for point in points:
        for i, peer in enumerate(point["peers"].values()):
            peak = "unknown" if peer["peak_mib"] is None else f"{peer['peak_mib']:.1f}"
            lines.append(
                f"{'' if i else point['label']:<10}{peer['title']:<30}{peer['median_ms']:>9.3f}  "
                f"{span(peer['quartiles_ms'], 3):<19}{peer['us_per_example']:>14.1f}{peer['ns_per_pixel']:>12.1f}"
                f"{peak:>10}{peer['ratio']:>8.2f}"
            )
    lines += [f"skipped {who}: {reason}" for who, reason in points[0]["skipped"].items()]
    for who, slope in curve["exponents"].items():
        lines.append(f"time grows as {curve['axis']} to the power {slope:.2f}: {points[0]['peers'][who]['title']}")
    return "\n".join(lines)


def line(curve: dict[str, Any], peer: str) -> tuple[np.ndarray, np.ndarray]:
    """A peer's curve: the sizes, and the median milliseconds of a step."""
    points = curve["points"]
    return tuple(np.array([(point["size"], point["peers"][peer]["median_ms"]) for point in points]).T)


def draw(curves: dict[str, dict[str, Any]], path: Path) -> None:
    """Milliseconds a step against each curve's sizes, on log-log axes, with quartiles; dotted, what is proportional."""
    with figure(path, 4.8 * len(curves), 4.4) as drawn:
        for axes, curve in zip(drawn.subplots(1, len(curves), squeeze=False)[0], curves.values(), strict=True):
            points = curve["points"]
            for peer, slope in curve["exponents"].items():
                sizes, ms = line(curve, peer)
                low, high = np.array([point["peers"][peer]["quartiles_ms"] for point in points]).T
                label = f"{points[0]['peers'][peer]['title']}: slope {slope:.2f}"
                axes.errorbar(sizes, ms, (ms - low, high - ms), label=label, capsize=2, markersize=5, **LOOKS[peer])
            sizes, ms = line(curve, OURS)
            axes.plot(sizes, ms[-1] * sizes / sizes[-1], ":", color=GREY, label="proportional: slope 1")
            axes.set(xscale="log", xlabel=f"{curve['axis']} ({curve['fixed']})", ylabel="ms a training step")
            axes.set_yscale("log", subs=(2, 5))
            axes.yaxis.set_major_formatter("{x:g}")
            axes.yaxis.set_minor_formatter("{x:g}")
            axes.set_xticks(sizes, [point["label"] for point in points])
            axes.set_xticks([], minor=True)
            axes.legend(loc="lower left", bbox_to_anchor=(0, 1))


if __name__ == "__main__":
    sys.exit(main())
