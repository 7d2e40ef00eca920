"""`scratchae study`."""

from __future__ import annotations

import argparse
import dataclasses
import math
from pathlib import Path
from typing import TYPE_CHECKING, Any

from .types import ListBelow, add_data_dir, columns, positive

STEPS = 500  # of an epoch; a schedule is looked at in its first step only
# hidden layers, and the code, of networks of the same kind as those of presets whose numbers a page cannot hold
NARROWER = {
    **{name: {"hidden": (128, 64, 48)} for name in ("science2006", "dbn")},
    **{name: {"hidden": (128, 64)} for name in ("vae-2d", "vae-binary", "gan", "aae")},
    **{name: {"hidden": (128,), "code": 64} for name in ("denoising", "denoising-masking", "masked")},
    "denoising-salt-and-pepper": {"hidden": (128,), "code": 64},
    "diffusion": {"hidden": (128, 128)},
}
NARROWED = "Its layers are narrower than those of the preset, so that a page can hold all their numbers. "

if TYPE_CHECKING:
    import numpy as np

    from ..models import Model
    from ..optimizers import Optimizer


def add(commands: argparse._SubParsersAction) -> None:
    from ..presets import PRESETS

    small = [
        ("tiny", "3-2-3, sigmoid, two examples: small enough to write out all of its arithmetic"),
        ("classic", "2-2-1-2-2, sigmoid, one example, as textbooks have it"),
    ]
    presets = columns([*small, *((preset.name, preset.summary) for preset in PRESETS.values())])
    parser = commands.add_parser(
        "study",
        help="every quantity of one training step: formula, numbers, finite differences",
        description="Run one forward and backward pass, a loss and an update, and show every tensor: name, formula, shape, "
        "numbers, and its gradient beside central differences. It computes in float64, and writes only the page.",
        epilog=f"presets:\n{presets}",
        formatter_class=ListBelow,
    )
    parser.add_argument(
        "preset",
        metavar="PRESET",
        help="tiny, classic, one of the presets below, or the folder or model file of a run",
    ).completer = lambda **_: ("tiny", "classic", *PRESETS)
    parser.add_argument(
        "--html", metavar="FILE", help="instead of printing, write a page to step through, which needs no network"
    )
    parser.add_argument(
        "--data",
        metavar="NAME|FILE|FOLDER",
        help="the examples (default: strokes, or the data that the run was trained on)",
    )
    add_data_dir(parser)
    parser.add_argument("--seed", type=int, default=0, metavar="S", help="seed of weights and noise (default: 0)")
    parser.add_argument("--examples", type=positive(int), metavar="N", help="how many examples (default: 3)")
    parser.add_argument("--device", choices=("cpu", "gpu"), default="cpu", help="where to compute (default: cpu)")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    import numpy as np

    from ..arguments import whole
    from ..backend import device_module
    from ..study import trace

    whole("study", "seed", options.seed, least=0)
    device_module(options.device)  # report errors now, not after the data have been drawn
    name, model, x, optimizer, remark = subject(options)
    found = trace(
        model.to(options.device),
        x,
        rng=np.random.default_rng([options.seed, 1]),
        optimizer=optimizer,
        seed=options.seed,
    )
    found = dataclasses.replace(found, title=f"{name}: {found.title}", remark=remark)
    if options.html is None:
        print(found.text())
    else:
        from ..study.tracing.text import verdict

        path = found.html(options.html)
        print(
            "\n".join(
                [
                    *verdict(found),
                    *filter(None, [remark.rstrip()]),
                    f"{path}, {path.stat().st_size / 1e6:.1f} MB: {len(found)} steps; open it in a browser",
                ]
            )
        )
    gradients = {
        step.result.symbol.text: {"passed": step.check.passed, "largest_relative_error": step.check.error}
        for step in found
        if step.check is not None
    }
    figures = {"title": found.title, "steps": len(found), "passed": found.passed, "gradients": gradients}
    return 0 if found.passed else 1, figures


def subject(options: argparse.Namespace) -> tuple[str, Model, np.ndarray, Optimizer, str]:
    """The preset's name, the model, its examples, its optimizer at the first step, and what is to be said of it.

    Raises OptionError, RunError or CheckpointError.
    """
    import numpy as np

    from ..errors import OptionError
    from ..optimizers import SGD
    from ..presets import find_preset
    from ..runs import open_run
    from ..study.tiny import LEARNING_RATE, classic, tiny

    if options.preset in ("tiny", "classic"):
        if options.data or options.data_dir or options.examples:
            raise OptionError(f"{options.preset} has its own examples: leave out --data, --data-dir and --examples")
        make = tiny if options.preset == "tiny" else classic
        return options.preset, *make(), SGD(LEARNING_RATE), ""
    count = options.examples or 3
    if Path(options.preset).exists():
        run = open_run(options.preset)
        preset, x = run.preset, run.batch(options.data, data_dir=options.data_dir).x
        return preset.name, run.model, x[:count], preset.optimizer(preset.lr, preset.epochs * STEPS), ""
    preset = find_preset(options.preset)
    examples = preset.examples(options.data, options.data_dir)
    narrower = NARROWER.get(preset.name, {}) if options.html else {}
    model = preset.build(np.random.default_rng(options.seed), preset.form(examples, **narrower))
    steps = preset.epochs * math.ceil(len(examples.train) / preset.batch_size)
    remark = NARROWED if narrower else ""
    return preset.name, model, examples.test[:count], preset.optimizer(preset.lr, steps), remark
