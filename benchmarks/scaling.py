"""How time and memory of a training step grow with the batch and with the images, in scratchae and PyTorch on the CPU.

    python benchmarks/scaling.py [--steps N] [--rounds N] [--json FILE]

A convolutional autoencoder at several batch sizes, and one at several image sizes. Prints tables, and draws them beside
the JSON file. README.md beside this file tells how it is measured.
"""

from __future__ import annotations

import argparse
import contextlib
import functools
import sys
import tempfile
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from harness import add_options, exit_code, note, peak_memory, save, serve, statistics, time_rounds
from peers import PEERS
from report import OURS, curve_table, heading
from training_step import StepWorker, compare, model_of, new_record, sizes, start

from scratchae import MSE, Autoencoder, Conv2d, ConvTranspose2d, ReLU, Sequential, Sigmoid
from scratchae.models import Model
from scratchae.plots import BLUE, GREY, RED, figure
from scratchae.presets import find_preset

HERE = Path(__file__).resolve()
LIBRARIES = {  # and how their lines are drawn
    OURS: {"fmt": "o-", "color": BLUE},
    "torch-channels-last": {"fmt": "s--", "color": RED},
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


@dataclass(frozen=True)
class Point:
    """A batch of square images, and where it stands on the axis of its curve: number and label."""

    batch_size: int
    side: int
    size: int
    label: str


@dataclass(frozen=True)
class Curve:
    """What is measured at several sizes: the axis, what is the same everywhere, the model, the points."""

    axis: str
    fixed: str
    build: Callable[[], Model]
    points: tuple[Point, ...]


CURVES = {
    "batch": Curve(
        "images a batch",
        "28×28 images",
        conv_preset,
        tuple(Point(n, 28, n, f"{n}") for n in (32, 64, 128, 256, 512, 1024)),
    ),
    "pixels": Curve(
        "pixels an image",
        "batch 32",
        fully_convolutional,
        tuple(Point(32, side, side**2, f"{side}×{side}") for side in (28, 40, 60, 88, 128)),
    ),
}


def main(arguments: Sequence[str] | None = None) -> int:
    """Run the command; the exit code: 0, 1 for an error, 130 after Ctrl-C."""
    options = parser().parse_args(arguments)
    if options.worker:
        serve(ScalingWorker(options.worker).actions())
        return 0
    return exit_code("scaling", lambda: run(options))


def parser() -> argparse.ArgumentParser:
    command = argparse.ArgumentParser(
        prog="scaling.py",
        description="Time and memory of a convolutional training step against batch size and image size, on the CPU.",
    )
    add_options(command, "scaling", LIBRARIES, steps=20, rounds=11)
    return command


class ScalingWorker(StepWorker):
    """One library at one size of one curve."""

    def prepare(self, curve: str, batch: str) -> dict[str, Any]:
        """Build the peer and take its first steps, watching memory; its versions and threads, and the peak in MiB."""
        self.build(CURVES[curve].build(), np.load(batch))
        peak = peak_memory(lambda: [self.peer.step() for _ in range(STEPS_WATCHED)])
        return {"facts": self.peer.facts(), "peak_mib": peak}


def images(n: int, side: int) -> np.ndarray:
    """The first training images (n, side, side, 1) of the preset `conv`, side by side where more than 28 pixels are wanted."""
    tiles = -(-side // 28)
    return np.tile(training_images()[:n], (1, tiles, tiles, 1))[:, :side, :side]


@functools.cache
def training_images() -> np.ndarray:
    return find_preset("conv").examples().train


def run(options: argparse.Namespace) -> None:
    """Measure the curves, print a table for each, write and draw everything."""
    record = new_record("scaling", options) | {"curves": {}}
    record["settings"]["steps_watched"] = STEPS_WATCHED
    for name, curve in CURVES.items():
        result, facts = measure(name, curve, options)
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
    model, points, facts = curve.build(), [], {}
    for point in curve.points:
        note(f"{name}: {point.label}")
        # new processes for each size, so that no size finds memory that an earlier one has left
        with tempfile.TemporaryDirectory() as folder, contextlib.ExitStack() as stack:
            np.save(f"{folder}/batch.npy", images(point.batch_size, point.side))
            workers, answers, skipped = start(LIBRARIES, HERE, stack, curve=name, batch=f"{folder}/batch.npy")
            agreement = compare(workers, folder)
            times = time_rounds(workers, options.rounds, options.steps)
        peers = {}
        for peer, figures in statistics(times, OURS).items():
            facts |= answers[peer]["facts"]
            us = 1e3 * figures["median_ms"] / point.batch_size
            peers[peer] = {
                "title": PEERS[peer][0],
                **figures,
                "us_per_example": us,
                "ns_per_pixel": 1e3 * us / point.side**2,
                "peak_mib": answers[peer]["peak_mib"],
            }
        points.append(asdict(point) | {"agreement": agreement, "peers": peers, "skipped": skipped})
    result = {
        "axis": curve.axis,
        "fixed": curve.fixed,
        "model": repr(model),
        "sizes": sizes(model, images(1, curve.points[0].side)),
        "parameters": model.parameter_count(),
        "points": points,
    }
    return result | {"exponents": {peer: exponent(*line(result, peer)) for peer in peers}}, facts


def line(curve: dict[str, Any], peer: str) -> tuple[np.ndarray, np.ndarray]:
    """A peer's curve: the sizes, and the median milliseconds of a step."""
    points = curve["points"]
    return tuple(np.array([(point["size"], point["peers"][peer]["median_ms"]) for point in points]).T)


def exponent(sizes: np.ndarray, ms: np.ndarray) -> float:
    """p of the power law ms ∝ sizesᵖ that is nearest in logarithms: the slope of the curve on log-log axes."""
    return float(np.polyfit(np.log(sizes), np.log(ms), 1)[0])


def draw(curves: dict[str, dict[str, Any]], path: Path) -> None:
    """Milliseconds a step against each curve's sizes, on log-log axes, with quartiles; dotted, what is proportional."""
    with figure(path, 9.6, 4.4) as drawn:
        for axes, curve in zip(drawn.subplots(1, len(curves)), curves.values(), strict=True):
            points = curve["points"]
            for peer, slope in curve["exponents"].items():
                sizes, ms = line(curve, peer)
                low, high = np.array([point["peers"][peer]["quartiles_ms"] for point in points]).T
                label = f"{points[0]['peers'][peer]['title']}: slope {slope:.2f}"
                axes.errorbar(
                    sizes, ms, (ms - low, high - ms), label=label, capsize=2, markersize=5, **LIBRARIES[peer]
                )
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
