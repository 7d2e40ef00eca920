"""Says in plain words which arrays in the failed line do not fit, and what their shapes are."""

from __future__ import annotations

import ast
import traceback
from collections.abc import Iterator
from pathlib import Path
from types import FrameType, TracebackType
from typing import Any

import numpy as np


def misfit(error: BaseException, path: Path) -> str:
    """The arrays that do not fit in the last line of a file that led to an error, such as "dy is (5, 3) and self.W is (4, 3)".
    Empty if the error has another cause.
    """
    frames = [
        frame
        for frame, _ in traceback.walk_tb(error.__traceback__)
        if Path(frame.f_code.co_filename).resolve() == path.resolve()
    ]
    if not isinstance(error, ValueError) or not frames:
        return ""
    for left, right, product in operations(failed(frames[-1], error.__traceback__)):
        a, b = value(left, frames[-1]), value(right, frames[-1])
        if isinstance(a, np.ndarray) and isinstance(b, np.ndarray):
            names = ast.unparse(left), ast.unparse(right)
            if said := product_misfit(names, a, b) if product else elementwise_misfit(names, a, b):
                return said
    return ""


def failed(frame: FrameType, trace: TracebackType | None) -> ast.AST:
    """The statement of a frame that raised the error; an empty one if it takes several lines."""
    *_, summary = (found for found in traceback.extract_tb(trace) if found.filename == frame.f_code.co_filename)
    try:
        return ast.parse((summary.line or "").removeprefix("return "))
    except SyntaxError:
        return ast.Module([], [])


def operations(tree: ast.AST) -> Iterator[tuple[ast.expr, ast.expr, bool]]:
    """The operations of two operands, the inner ones first, and whether each is a matrix product."""
    for node in ast.iter_child_nodes(tree):
        yield from operations(node)
    if isinstance(tree, ast.BinOp):
        yield tree.left, tree.right, isinstance(tree.op, ast.MatMult)
    elif isinstance(tree, ast.AugAssign):
        yield tree.target, tree.value, isinstance(tree.op, ast.MatMult)
    elif isinstance(tree, ast.Call) and isinstance(tree.func, ast.Attribute) and tree.func.attr in ("matmul", "dot"):
        left, right = [tree.func.value, *tree.args][-2:]  # np.matmul(a, b), a.dot(b)
        yield left, right, True


def value(expression: ast.expr, frame: FrameType) -> Any:
    """The value of an expression; None if it contains a call, which must not happen twice."""
    if any(isinstance(node, ast.Call) for node in ast.walk(expression)):
        return None
    try:
        return eval(ast.unparse(expression), frame.f_globals, frame.f_locals)
    except Exception:
        return None


def product_misfit(names: tuple[str, str], a: np.ndarray, b: np.ndarray) -> str:
    if min(a.ndim, b.ndim) != 2 or max(a.ndim, b.ndim) != 2 or a.shape[1] == b.shape[0]:
        return ""
    said = (
        f"{names[0]} is {a.shape} and {names[1]} is {b.shape}: a matrix product wants as many rows on the right "
        f"({b.shape[0]}) as there are columns on the left ({a.shape[1]})"
    )
    others = [
        f"{names[0]}{'.T' if turn_a else ''} @ {names[1]}{'.T' if turn_b else ''}"
        for turn_a, turn_b in ((False, True), (True, False), (True, True))
        if (a.T if turn_a else a).shape[1] == (b.T if turn_b else b).shape[0]
    ]
    return f"{said}. {' and '.join(others)} would fit: is one to be transposed?" if others else said


def elementwise_misfit(names: tuple[str, str], a: np.ndarray, b: np.ndarray) -> str:
    try:
        np.broadcast_shapes(a.shape, b.shape)
    except ValueError:
        return f"{names[0]} is {a.shape} and {names[1]} is {b.shape}: number by number, both must have the same shape"
    return ""
