"""What a trained model is for. Each function takes a model and examples as the model takes them, and knows nothing of files."""

from .anomaly import Scores, error_parts, roc, score, threshold
from .codes import decode, encode, generate, in_batches, interpolate, rebuild, traverse

__all__ = [
    "Scores",
    "decode",
    "encode",
    "error_parts",
    "generate",
    "in_batches",
    "interpolate",
    "rebuild",
    "roc",
    "score",
    "threshold",
    "traverse",
]
