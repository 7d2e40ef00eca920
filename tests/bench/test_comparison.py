"""Equal steps first, each tensor held to its tolerance; then a worker for each peer."""

import contextlib
import sys

import numpy as np
import pytest

from scratchae.bench import agreement, comparison, harness
from scratchae.presets import find_preset


def test_parameters_after_steps_have_a_tolerance_of_their_own():
    ours = {"loss": np.array(3.0), "gradient of encoder.0.W": np.ones(3), "encoder.0.W after 5 steps": np.ones(3)}

    def check(name, factor):
        return comparison.require_equal_steps("JAX", ours, ours | {name: factor * ours[name]})

    assert check("encoder.0.W after 5 steps", 1.0005)["tensor"] == "encoder.0.W after 5 steps"
    for name, factor in (("encoder.0.W after 5 steps", 1.002), ("gradient of encoder.0.W", 1.0005), ("loss", 1.0005)):
        with pytest.raises(agreement.DisagreementError, match=f"in {name}:"):
            check(name, factor)


def test_rows_begin_again_where_the_examples_end():
    x = np.arange(6).reshape(3, 2)
    assert np.array_equal(comparison.rows(x, 5), x[[0, 1, 2, 0, 1]])
    assert np.array_equal(comparison.rows(x, 2), x[:2])


def test_a_peer_that_cannot_start_is_left_out_with_its_reason_but_ours_is_not(tmp_path):
    code = (
        "import sys\nfrom scratchae.bench.harness import BenchmarkError, serve\n"
        "def prepare(**_):\n"
        "    if sys.argv[1] == 'broken': raise BenchmarkError(f'{sys.argv[1]} is not installed on {sys.argv[2]}')\n"
        "    return {'device': sys.argv[2]}\n"
        "serve({'prepare': prepare})"
    )
    command = (sys.executable, "-c", code)
    with contextlib.ExitStack() as stack:
        workers, answers, skipped = comparison.start(["fine", "broken"], command, stack, "gpu", batch="x")
    assert list(workers) == ["fine"] and answers == {"fine": {"device": "gpu"}}
    assert skipped == {"broken": "broken is not installed on gpu"}
    missing = (sys.executable, "-c", code.replace("'broken'", "'scratchae'"))
    with contextlib.ExitStack() as stack, pytest.raises(harness.WorkerError, match="scratchae is not installed"):
        comparison.start(["scratchae"], missing, stack)


def test_a_preset_without_translation_is_refused_before_anything_starts(monkeypatch):
    monkeypatch.setattr(comparison, "start", None)
    with pytest.raises(harness.BenchmarkError, match="got RBM"):
        comparison.compare_times(find_preset("rbm"), 4, "cpu", rounds=1, steps=1)
