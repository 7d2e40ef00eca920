import base64

import numpy as np
import pytest

from scratchae.study.page import packing
from scratchae.study.page.packing import as_lines, kept_indices, packed

TYPES = {"zeros": "<f8", "f8": "<f8", "f4": "<f4", "i2": "<i2"}


def unpacked(record):
    numbers = np.frombuffer(base64.b64decode(record["data"]), TYPES[record["type"]])
    kept = record["kept"] or [None] * len(record["shape"])
    shape = [size if indices is None else len(indices) for size, indices in zip(record["shape"], kept, strict=True)]
    return np.zeros(shape) if record["type"] == "zeros" else (numbers * (record["unit"] or 1)).reshape(shape)


@pytest.mark.parametrize(("shape", "kind", "error"), [((), "f8", 0), ((3, 4), "f8", 0), ((60, 60), "f4", 1e-7), ((80, 90), "i2", 2e-5)])  # fmt: skip
def test_an_array_comes_back(shape, kind, error):
    x = np.random.default_rng(0).standard_normal(shape)
    record = packed(x)
    assert record["type"] == kind
    assert np.abs(unpacked(record) - x).max() <= error * np.abs(x).max()


def test_a_small_part_of_the_largest_number_is_what_rounding_costs():
    x = np.random.default_rng(0).standard_normal((80, 90))
    record = packed(x)
    assert np.abs(unpacked(record) - x).max() <= record["unit"] / 2 * 1.001


def test_zeros_and_infinities_survive():
    x = np.zeros((80, 90))
    assert not unpacked(packed(x)).any()
    x[3, 4] = np.inf
    assert np.array_equal(unpacked(packed(x)), x)


def test_the_longest_axis_is_thinned_out_evenly():
    rows, columns = kept_indices((100, 10), 250)
    assert list(rows) == list(range(0, 100, 4))
    assert list(columns) == list(range(10))
    x = np.arange(1000.0).reshape(100, 10)
    record = packed(x, 250)
    assert record["kept"] == [list(range(0, 100, 4)), None]
    assert np.array_equal(unpacked(record), x[::4])


def test_all_together_keep_to_the_budget(monkeypatch):
    monkeypatch.setattr(packing, "BUDGET", 100_000)
    arrays = {"a": np.ones((300, 400)), "b": np.ones((200, 300)), "small": np.ones((4, 5))}
    records = packing.embed(arrays)
    assert sum(len(record["data"]) for record in records.values()) <= 100_000
    assert records["small"]["kept"] is None
    assert records["a"]["kept"] is not None


def test_what_matters_less_is_thinned_out_first(monkeypatch):
    monkeypatch.setattr(packing, "BUDGET", 100_000)
    records = packing.embed({"a": np.ones((100, 200)), "b": np.ones((100, 200))}, minor=["a"])
    assert records["a"]["kept"] is not None
    assert records["b"]["kept"] is None


def test_code_is_coloured_and_escaped():
    lines = as_lines('def f(x):\n    """<b>"""\n    return "<i>" if x < 2 else None  # less & more')
    assert lines[0] == '<span class="keyword">def</span> f(x):'
    assert lines[1] == '    <span class="string">&quot;&quot;&quot;&lt;b&gt;&quot;&quot;&quot;</span>'
    assert '<span class="comment"># less &amp; more</span>' in lines[2]
    assert " x &lt; 2 " in lines[2]
    assert not any("<b>" in line or "<i>" in line for line in lines)
