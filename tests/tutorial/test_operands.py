"""Arrays that do not fit are named with their shapes, and what would fit."""

import linecache
from pathlib import Path

import numpy as np
import pytest

from scratchae.tutorial.operands import misfit

x, W, b = np.zeros((5, 3)), np.zeros((4, 3)), np.zeros(4)


def said(line):
    """Of a line of a learner's file."""
    name, code = "<answer>", f"def answer(x, W, b):\n    {line}\n"
    linecache.cache[name] = (len(code), None, code.splitlines(keepends=True), name)
    names = {"np": np}
    exec(compile(code, name, "exec"), names)
    with pytest.raises(Exception) as caught:
        names["answer"](x, W, b)
    return misfit(caught.value, Path(name))


@pytest.mark.parametrize("line", ["return x @ W", "return np.matmul(x, W)", "return x.dot(W)", "y = x @ W + b"])
def test_a_matrix_product(line):
    assert said(line) == (
        "x is (5, 3) and W is (4, 3): a matrix product wants as many rows on the right (4) as there are columns on the left (3). "
        "x @ W.T would fit: is one to be transposed?"
    )


def test_where_nothing_would_fit_nothing_is_offered():
    assert said("return x @ np.ones((7, 8))") == ""  # what is called is not called again
    assert said("return x[:, :2] @ W[:, :1]").endswith("columns on the left (2)")


@pytest.mark.parametrize("line", ["return x + b", "x *= b"])
def test_number_by_number(line):
    assert said(line) == "x is (5, 3) and b is (4,): number by number, both must have the same shape"


@pytest.mark.parametrize("line", ["return slef.W", "raise ValueError('x')", "return int('a')"])
def test_of_other_errors_nothing_is_said(line):
    assert said(line) == ""
