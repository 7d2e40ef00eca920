"""Training: the loop, its steps on either device, checkpoints, and the progress that a person sees."""

from .checkpoint import load, restore, save
from .fit import evaluate, fit
from .history import History
from .inputs import prepared
from .pretraining import pretrain

__all__ = ["History", "evaluate", "fit", "load", "prepared", "pretrain", "restore", "save"]
