"""Studying the mathematics: gradient checks."""

from .catalogue import CATALOGUE, check_catalogue
from .gradcheck import GradientReport, check_gradients

__all__ = ["CATALOGUE", "GradientReport", "check_catalogue", "check_gradients"]
