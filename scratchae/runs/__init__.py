"""A run: a preset trained into a folder, measured and drawn."""

from .opened import Batch, Run, open_run
from .run import CHECKPOINT, HISTORY, MODEL, RECORD, train

__all__ = ["CHECKPOINT", "HISTORY", "MODEL", "RECORD", "Batch", "Run", "open_run", "train"]
