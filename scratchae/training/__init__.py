"""Training: the loop, its steps on either device, checkpoints, and what a person sees of it."""

from .checkpoint import load, restore, save
from .fit import evaluate, fit, prepared, require_whole
from .history import History
from .pretraining import pretrain

__all__ = ["History", "evaluate", "fit", "load", "prepared", "pretrain", "require_whole", "restore", "save"]
