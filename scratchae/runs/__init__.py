"""A run: a preset trained into a folder, measured and drawn."""

from .run import CHECKPOINT, HISTORY, MODEL, RECORD, train

__all__ = ["CHECKPOINT", "HISTORY", "MODEL", "RECORD", "train"]
