"""How a step grows: the tables, the record, the picture."""

import dataclasses
import json

import numpy as np
import pytest
import scaling

from scratchae.bench import harness
from scratchae.bench.sweep import exponent


def hide_torch(folder):
    """For processes with the folder in PYTHONPATH: a module of that name stands before it and says that it is not there."""
    (folder / "torch.py").write_text('raise ModuleNotFoundError("No module named \'torch\'", name="torch")\n')


@pytest.mark.slow
def test_scaling_writes_tables_a_record_and_a_picture(tmp_path, monkeypatch, capsys):
    """The first two sizes of each curve, without PyTorch."""
    hide_torch(tmp_path)
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    monkeypatch.setattr(harness, "PAUSE", 0)
    short = {name: dataclasses.replace(curve, points=curve.points[:2]) for name, curve in scaling.CURVES.items()}
    monkeypatch.setattr(scaling, "CURVES", short)
    file = tmp_path / "measured.json"
    assert scaling.main(["--rounds", "1", "--steps", "2", "--json", str(file)]) == 0
    printed = capsys.readouterr().out
    assert "images a batch: 28×28×1-14×14×16-7×7×32-1×1×64-7×7×32-14×14×16-28×28×1, 28×28 images, float32" in printed
    assert "pixels an image: 28×28×1-14×14×16-7×7×32-7×7×64-7×7×32-14×14×16-28×28×1, batch 32, float32" in printed
    assert "hidden units a layer: 784-64-32-64-784, batch 128, 28×28 images as rows, float32" in printed
    assert "skipped torch-channels-last: torch is not installed" in printed
    assert "skipped torch-fused: torch is not installed" in printed
    assert "time grows as images a batch to the power" in printed
    assert file.with_suffix(".png").read_bytes().startswith(b"\x89PNG")

    curves = json.loads(file.read_text())["curves"]
    assert [(p["batch_size"], p["side"]) for p in curves["batch"]["points"]] == [(32, 28), (64, 28)]
    assert [(p["batch_size"], p["side"]) for p in curves["pixels"]["points"]] == [(32, 28), (32, 40)]
    assert [p["size"] for p in curves["pixels"]["points"]] == [28 * 28, 40 * 40]
    for curve in curves.values():
        for point in curve["points"]:
            ours = point["peers"]["scratchae"]
            assert ours["us_per_example"] == pytest.approx(1e3 * ours["median_ms"] / point["batch_size"])
            assert ours["ns_per_pixel"] == pytest.approx(1e3 * ours["us_per_example"] / point["side"] ** 2)
            assert ours["peak_mib"] is None or ours["peak_mib"] > 0
        first, second = (point["peers"]["scratchae"]["median_ms"] for point in curve["points"])
        growth = curve["points"][1]["size"] / curve["points"][0]["size"]
        assert growth ** curve["exponents"]["scratchae"] == pytest.approx(second / first)


def test_the_exponent_is_that_of_a_power_law():
    sizes = np.array([32, 64, 512])
    assert exponent(sizes, 3 * sizes**0.7) == pytest.approx(0.7)


@pytest.mark.parametrize("name", scaling.CURVES)
def test_images_of_every_size_come_back_in_their_size(name):
    curve = scaling.CURVES[name]
    for point in curve.points[:: len(curve.points) - 1]:
        x = scaling.batch(curve, dataclasses.replace(point, batch_size=1))
        assert x.size == point.side**2
        assert point.build().reconstruct(x).shape == x.shape


def test_the_weights_of_the_wide_net_grow_in_proportion():
    one, two = (scaling.dense(width).parameter_count() for width in (64, 128))
    assert two - 784 - 32 == 2 * (one - 784 - 32)


def test_an_unknown_curve_is_refused(capsys):
    assert scaling.main(["depth"]) == 1
    assert "unknown curve 'depth': expected one of batch, pixels, width" in capsys.readouterr().err
