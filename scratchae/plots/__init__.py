"""Every picture. Only this package imports matplotlib, and only when a picture is drawn.

Each function draws one figure and writes it to `path`, as PNG, SVG or PDF: the ending of the name says which. Colours are
Okabe and Ito's, which colour-blind readers can tell apart, and no fact is shown by colour alone.
"""

from .codes import (
    activations,
    apart,
    attention,
    cells,
    codebook,
    curves,
    displacements,
    latent_scatter,
    plane,
    spread,
    unit_kl,
)
from .figure import BLUE, DIGITS, FORMATS, GREY, ORANGE, RED, STYLE, figure, require_format, signed, small_print
from .images import contributions, feature_maps, filters, image_rows, kernels, manifold, mosaic
from .judging import accuracies, detection, rates, scores, trials
from .training import gradient_flow, loss_curve, several_losses, through_time

__all__ = [
    "BLUE",
    "DIGITS",
    "FORMATS",
    "GREY",
    "ORANGE",
    "RED",
    "STYLE",
    "accuracies",
    "activations",
    "apart",
    "attention",
    "cells",
    "codebook",
    "contributions",
    "curves",
    "detection",
    "displacements",
    "feature_maps",
    "figure",
    "filters",
    "gradient_flow",
    "image_rows",
    "kernels",
    "latent_scatter",
    "loss_curve",
    "manifold",
    "mosaic",
    "plane",
    "rates",
    "require_format",
    "scores",
    "several_losses",
    "signed",
    "small_print",
    "spread",
    "through_time",
    "trials",
    "unit_kl",
]
