"""Readings of functions: a value and gradients as functions of a file."""
