"""Readings of classes: a value and gradients as methods of one object."""
