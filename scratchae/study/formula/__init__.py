"""Formulas: declared once beside the code that computes them, and from that one declaration values, text and arithmetic."""

from .bound import Cell, Formula
from .symbol import Symbol
from .tree import Node, opaque, parse

__all__ = ["Cell", "Formula", "Node", "Symbol", "opaque", "parse"]
