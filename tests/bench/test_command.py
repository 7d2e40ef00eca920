"""`scratchae bench`: what it prints, writes, draws, and says that it left out."""

import dataclasses
import json

import pytest

from scratchae.backend import cuda
from scratchae.bench import command, machine
from scratchae.cli import main
from scratchae.errors import DeviceError

SHORT = dataclasses.replace(
    command.QUICK, presets=("deep",), batch_sizes=(4, 8), seconds=0.0, limit=1e9, rounds=1, steps=2
)
DEFAULT_PICTURES = {"throughput", "roofline", "layers-cpu"}


@pytest.fixture
def short(monkeypatch):
    """As quick as can be, on a machine whose rates are known."""
    monkeypatch.setattr(command, "QUICK", SHORT)
    roofs = {"gflops_per_second": 100.0, "size": 64, "gb_per_second": 10.0}
    monkeypatch.setattr(machine, "roofs", lambda device: dict(roofs))


@pytest.fixture
def no_gpu(monkeypatch):
    def refuse():
        raise DeviceError("device='gpu': there is none here")

    monkeypatch.setattr(cuda, "module", refuse)


def record_in(folder):
    (file,) = folder.glob("*.json")
    pictures = {path.stem.removeprefix(f"{file.stem}-") for path in folder.glob("*.png")}
    assert all(path.read_bytes().startswith(b"\x89PNG") for path in folder.glob("*.png"))
    return json.loads(file.read_text()), pictures


def test_without_a_gpu_the_cpu_has_it_all_and_the_gpu_is_said_to_be_left_out(short, no_gpu, tmp_path, capsys):
    assert main(["bench", "--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "skipped      GPU: device='gpu': there is none here" in printed
    assert "CPU reaches  100 GFLOP/s (float32 GEMM, 64²), 10 GB/s (adding long vectors)" in printed
    assert "deep: 784-128-64-32-64-128-784, 222,384 parameters, Adam(), float32" in printed
    assert "deep, CPU, batch 128: layer by layer" in printed and "GPU, recorded" not in printed
    record, pictures = record_in(tmp_path)
    assert pictures == DEFAULT_PICTURES
    assert record["skipped"] == {"GPU": "device='gpu': there is none here"} and record["roofs"].keys() == {"cpu"}
    assert record["presets"]["deep"]["ways"].keys() == {"cpu", "cpu-compiled"} and record["peers"] == []
    assert record["versions_and_threads"]["blas"].keys() >= {"kernels"}


def test_a_gpu_that_was_asked_for_alone_must_be_there(short, no_gpu, tmp_path, capsys):
    assert main(["bench", "--quick", "--device", "gpu", "--out", str(tmp_path)]) == 2
    assert "scratchae: device='gpu': there is none here" in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


def test_with_a_gpu_both_are_measured_and_compared(short, stand_in, monkeypatch, tmp_path, capsys):
    gpu = {"name": "X", "memory_gib": 1.0, "cuda_driver": "13.1", "cuda_runtime": "13.1", "cupy": "14"}
    monkeypatch.setattr(machine, "gpu", lambda: gpu)
    assert main(["bench", "--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert "GPU          X, 1 GiB; CUDA driver 13.1, runtime 13.1, CuPy 14" in printed and "skipped" not in printed
    for title in (
        "CPU   ",
        "GPU, eager",
        "GPU, recorded",
        "CPU time / GPU time: ",
        "deep, GPU, batch 128: layer by layer",
    ):
        assert title in printed
    assert "the GPU" in printed
    record, pictures = record_in(tmp_path)
    assert pictures == DEFAULT_PICTURES | {"layers-gpu"}
    result = record["presets"]["deep"]
    assert list(result["ways"]) == ["cpu", "cpu-compiled", "gpu-eager", "gpu"] and list(result["cpu_over_gpu"]) == [
        "4",
        "8",
    ]


def test_presets_batch_sizes_and_devices_are_as_asked(short, no_gpu, tmp_path, capsys):
    arguments = ["rbm", "vae-400", "--device", "cpu", "--batch-sizes", "6,3", "--quick", "--out", str(tmp_path)]
    assert main(["bench", *arguments]) == 0
    printed = capsys.readouterr().out
    assert "skipped" not in printed  # nobody asked for a GPU
    assert "rbm, CPU: no time by layer, as a step is no run forward and backward through layers" in printed
    assert "operations not counted: a step is no run forward and backward through layers" in printed
    record, _ = record_in(tmp_path)
    assert list(record["presets"]) == ["rbm", "vae-400"]
    points = record["presets"]["vae-400"]["ways"]["cpu"]["points"]
    assert [point["batch_size"] for point in points] == [3, 6]


def test_peers_are_compared_where_a_model_has_any(short, no_gpu, monkeypatch, tmp_path, capsys):
    asked = []

    def compared(preset, n, device, *, rounds, steps):
        asked.append((preset.name, n, device, rounds, steps))
        ours = {
            "title": "scratchae",
            "median_ms": 2.0,
            "quartiles_ms": [1.0, 3.0],
            "ratio": 1.0,
            "ratio_quartiles": [1, 1],
        }
        theirs = {**ours, "title": "PyTorch eager, Adam", "ratio": 1.5, "ratio_quartiles": [1.4, 1.6]}
        return {
            **{
                "sizes": [784, 32, 784],
                "batch_size": n,
                "device": device,
                "skipped": {"jax": "jax is not installed"},
            },
            **{"agreement": {}, "peers": {"scratchae": ours, "torch": theirs}, "roofs": machine.roofs(device)},
            **{"gemm_gflops": 1.0, "gemm_floor_ms": 1.0, "times_the_floor": 2.0},
        }, {"torch": "2.13", "torch_threads": 2}

    monkeypatch.setattr(command, "compare_times", compared)
    assert main(["bench", "deep", "rbm", "--peers", "--quick", "--out", str(tmp_path)]) == 0
    printed = capsys.readouterr().out
    assert asked == [("deep", 128, "cpu", 1, 2)]
    assert "skipped peers of rbm: only an Autoencoder without penalty" in printed and "got RBM" in printed
    assert "PyTorch eager / ours: 1.50 (1.40 to 1.60)" in printed and "skipped jax: jax is not installed" in printed
    record, pictures = record_in(tmp_path)
    assert pictures == DEFAULT_PICTURES | {"peers"}
    assert record["peers"][0]["preset"] == "deep" and record["versions_and_threads"]["torch"] == "2.13"


@pytest.mark.parametrize("text", ["", "32,x", "0,32", "-4"])
def test_batch_sizes_that_are_none_are_refused(text, capsys):
    with pytest.raises(SystemExit):
        main(["bench", f"--batch-sizes={text}"])
    assert "expected whole numbers above 0 with commas" in capsys.readouterr().err


def test_the_plan_is_what_the_help_says(capsys):
    with pytest.raises(SystemExit):
        main(["bench", "--help"])
    text = " ".join(capsys.readouterr().out.split())
    assert f"default: {' '.join(command.FULL.presets)}" in text
    assert f"default: {','.join(map(str, command.FULL.batch_sizes))}" in text
    assert f"or at {' and '.join(map(str, command.FULL.peer_batch_sizes))}" in text
