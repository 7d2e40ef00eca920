"""A run: a preset trained into a folder, measured and drawn."""

from .folder import CHECKPOINT, HISTORY, MODEL, RECORD, read_record
from .opened import Batch, Run, open_run
from .run import train

__all__ = ["CHECKPOINT", "HISTORY", "MODEL", "RECORD", "Batch", "Run", "open_run", "read_record", "train"]
