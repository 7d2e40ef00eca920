"""Studying the mathematics: gradient checks, and every quantity of one step."""

from .catalogue import CATALOGUE, check_catalogue
from .diagnosis.finding import Finding
from .differences import GradientReport
from .gradcheck import check_gradients
from .tracing import Trace, trace
from .watch import watch

__all__ = ["CATALOGUE", "Finding", "GradientReport", "Trace", "check_catalogue", "check_gradients", "trace", "watch"]
