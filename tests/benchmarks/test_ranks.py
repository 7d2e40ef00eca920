"""How training scales over ranks: the model, and the command."""

import importlib
import json
from dataclasses import replace

import pytest

benchmark = importlib.import_module("distributed")  # beside the other benchmarks; Dask has a package of that name
KNOWN = benchmark.Scaling(fixed=5e-3, each=2e-4, python=1e-3, talk=5e-4, parameters=1e6)
FREE = (float("inf"), 0.0)


def test_a_ring_sends_each_number_twice():
    """Of N machines each sends 2 (N - 1) messages of an N-th of the numbers: two machines send all of them once."""
    assert benchmark.ring(2, 1e6, 1e6, 0) == pytest.approx(4.0)
    assert benchmark.ring(64, 1e6, 1e6, 0) == pytest.approx(4.0 * 2 * 63 / 64)
    assert benchmark.ring(8, 1e6, float("inf"), 1e-3) == pytest.approx(14e-3)
    assert benchmark.ring(1, 1e6, 1e6, 1) == 0


def test_what_machines_gain():
    """What each does in full stays; what the batch costs is shared."""
    assert KNOWN.ratio(2, 100, 50, FREE) == pytest.approx((5 + 20) / (5 + 10 + 0.5))
    assert replace(KNOWN, talk=0).ratio(1, 100, 100, (1e6, 1)) == 1
    small = KNOWN.of(1e4)
    assert (small.fixed, small.each) == (pytest.approx(1.04e-3), pytest.approx(2e-6))


def test_from_how_many_parameters_it_pays():
    network = (1e9, 1e-5)
    size = KNOWN.pays_from(256, network)
    assert (
        KNOWN.of(size).ratio(2, 256, 128, network)
        >= benchmark.PAYS
        > KNOWN.of(size / 1.3).ratio(2, 256, 128, network)
    )
    assert KNOWN.pays_from(256, (1e5, 1e-5)) is None


def test_the_line_through_the_times_of_one_rank():
    rows = [{"batch_size": b, "ranks": 1, "busy_ms": {"best_tenth": 3 + 0.5 * b}} for b in (16, 32, 64)]
    assert benchmark.line(rows) == (pytest.approx(3e-3), pytest.approx(5e-4))


@pytest.mark.slow
def test_the_command_measures_models_and_writes(tmp_path, capsys):
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    file = tmp_path / "measured.json"
    arguments = ["deep", "--batch-sizes", "16,32", "--rounds", "1", "--steps", "4", "--json", str(file)]
    assert benchmark.main(arguments) == 0
    printed = capsys.readouterr().out
    record = json.loads(file.read_text(encoding="utf-8"))
    assert [(row["batch_size"], row["ranks"]) for row in record["measured"]] == [(16, 1), (16, 2), (32, 1), (32, 2)]
    assert all(row["difference"] < 1e-4 for row in record["measured"])
    assert "deep, 222" in printed and "two machines that share a batch train 1.3 times" in printed
