"""Weights that pages of the book show: `python tutorials/trained/make_trained.py` writes conv-pool.npy beside this file.

It is the preset `conv-pool` after `scratchae train conv-pool --data mnist --threads 1`: 15 epochs on 59,000 digits of MNIST (Y. LeCun, C. Cortes,
C. J. C. Burges; CC BY-SA 3.0), which are looked for in $SCRATCHAE_DATA or downloaded; some minutes. Its 4,385 numbers are
rounded to float16, 9 kB, and `scratchae.tutorial.trained` builds the network with them.
"""

import tempfile
from pathlib import Path

import numpy as np

from scratchae.cli import main
from scratchae.runs import open_run

PRESET = "conv-pool"

if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as folder:
        if code := main(
            ["train", PRESET, "--data", "mnist", "--threads", "1", "--out", f"{folder}/run"]
        ):
            raise SystemExit(code)
        model = open_run(f"{folder}/run").model
    parameters = [
        getattr(layer, name).ravel() for _, layer, name in model.named_parameters()
    ]
    np.save(
        Path(__file__).with_name(f"{PRESET}.npy"),
        np.concatenate(parameters).astype(np.float16),
    )
