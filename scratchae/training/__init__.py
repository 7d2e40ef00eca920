"""Training: the loop, its steps on either device, checkpoints, and the progress that a person sees."""

from .checkpoint import load, save
from .fit import evaluate, fit, prepared, require_whole
from .history import History
from .pretraining import pretrain

__all__ = ["History", "evaluate", "fit", "load", "prepared", "pretrain", "require_whole", "save"]
