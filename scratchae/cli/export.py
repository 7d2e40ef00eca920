"""`scratchae export`."""

from __future__ import annotations

import argparse
from typing import Any


def add(commands: argparse._SubParsersAction) -> None:
    parser = commands.add_parser(
        "export",
        help="a run's network for other libraries: ONNX, or a state dict for PyTorch",
        description="Write the network of a run for other libraries. An ONNX file takes x as the model does, scaled and with channels last, "
        "and gives its code and its reconstruction. A state dict has PyTorch's names and layout, in the safetensors format.",
    )
    parser.add_argument("run_folder", metavar="RUN", help="the folder that `scratchae train` wrote")
    which = parser.add_mutually_exclusive_group(required=True)
    which.add_argument("--onnx", metavar="FILE", help="write an ONNX file")
    which.add_argument("--torch", metavar="FILE", help="write a state dict")
    parser.set_defaults(run=run)


def run(options: argparse.Namespace) -> tuple[int, Any]:
    import numpy as np

    from ..runs import open_run
    from ..uses.export import to_onnx, to_torch

    run = open_run(options.run_folder)
    about, shape = run.about(np.empty((0, 1), np.float32)), run.input_shape
    write, path = (to_onnx, options.onnx) if options.onnx else (to_torch, options.torch)
    write(run.model, np.zeros((1, *shape), np.float32), path)
    numbers = "" if about.scaling.unit and about.scaling.divisor == 1 else f"; x is scaled: {about.scaling.said}"
    print(f"{path}: x (N, {', '.join(map(str, shape))}){numbers}")
    return 0, {"file": path, "shape": shape, "scaling": about.scaling.record()}
