"""Training in real processes of MPI, started by mpiexec. Whatever goes wrong there ends soon: each run here has a time limit."""

import json
import os
import re
import shutil
import subprocess
import sys
import types
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose
from ranks_in_threads import on_ranks

import scratchae as sae
from scratchae import runs
from scratchae.cli import main
from scratchae.errors import OptionError
from scratchae.presets import find_preset
from scratchae.training import distributed
from scratchae.training.container import read
from scratchae.training.distributed import Mpi, group_for

# Open MPI asks whether it is meant, where root starts more ranks than there are cores
MEANT = {
    **dict.fromkeys(("OMPI_ALLOW_RUN_AS_ROOT", "OMPI_ALLOW_RUN_AS_ROOT_CONFIRM"), "1"),
    "PRTE_MCA_rmaps_default_mapping_policy": ":oversubscribe",
}
LIMIT = 100  # seconds, in which a machine that does other things too starts two processes
BESIDE = Path(sys.executable).with_name("mpiexec")
MPIEXEC = str(BESIDE) if BESIDE.exists() else shutil.which("mpiexec")


@pytest.fixture(scope="module")
def mpiexec():
    """A function that runs programs under mpiexec, each (ranks, arguments of Python): all of them are one group."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    if MPIEXEC is None:
        pytest.skip("there is no mpiexec")

    def run(*programs, env=None, **options):
        parts = [["-n", str(ranks), sys.executable, *map(str, arguments)] for ranks, *arguments in programs]
        command = [MPIEXEC, *parts[0], *(word for part in parts[1:] for word in (":", *part))]
        env = {**os.environ, **MEANT, "OPENBLAS_NUM_THREADS": "1", **(env or {})}
        return subprocess.run(command, capture_output=True, text=True, timeout=LIMIT, env=env, **options)

    return run


def train(preset, *options):
    return "-m", "scratchae", "train", preset, "--distributed", "mpi", *options


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    """A table of 120 rows."""
    path = tmp_path_factory.mktemp("data") / "rows.csv"
    x = np.random.default_rng(0).standard_normal((120, 6)).round(3)
    path.write_text("a,b,c,d,e,f\n" + "".join(",".join(map(str, row)) + "\n" for row in x.tolist()))
    return path


def one_sentence(result, said, code=2):
    """The command failed as it does for a mistake of the caller, and said so once. code: None for that of a job that mpiexec ended."""
    assert result.returncode == code or (code is None and result.returncode), result.stderr
    assert result.stderr.count("scratchae: ") == 1 and "Traceback" not in result.stderr, result.stderr
    assert re.search(said, result.stderr), result.stderr


SCIENCE = """
import sys
import numpy as np
import scratchae as sae
from scratchae.presets import find_preset

def trained(dtype, distributed=None):
    preset = find_preset("science2006")
    x = np.random.default_rng(1).random((320, 784)).astype(dtype)
    model = preset.build(np.random.default_rng(0)).to(dtype=dtype)
    optimizer = preset.optimizer(1e-3, 6)
    sae.fit(model, x, epochs=2, batch_size=128, optimizer=optimizer, progress=False, distributed=distributed)
    return model.parameters
"""


def test_two_ranks_train_science2006_as_one_process_does(mpiexec, tmp_path):
    """The preset's network and optimizer, two epochs, of which each ends with a shorter batch."""
    code = SCIENCE + (
        "for dtype in ('float32', 'float64'):\n"
        "    θ = trained(dtype, 'mpi')\n"
        "    if distributed.launched_as() == 1: np.save(sys.argv[1] + f'/{dtype}.npy', θ)\n"
    ).replace(
        "distributed.launched_as", "__import__('scratchae.training.distributed').training.distributed.launched_as"
    )
    result = mpiexec((2, "-c", code, tmp_path))
    assert result.returncode == 0, result.stderr
    here = {}
    exec(SCIENCE, here)
    for dtype, tolerance in (("float32", 1e-4), ("float64", 1e-9)):
        θ, expected = np.load(tmp_path / f"{dtype}.npy"), here["trained"](dtype)
        assert np.linalg.norm(θ - expected) < tolerance * np.linalg.norm(expected)


KILLED = """
import os, signal
from scratchae.training.ranks import RankSteps

step = RankSteps.step

def dying(self):
    if self.epoch == 2 and self.done == 2 and self.group.rank == 1:
        os.kill(os.getpid(), signal.SIGKILL)
    return step(self)

RankSteps.step = dying
from scratchae.__main__ import run

run()
"""


def test_a_rank_that_is_killed_ends_all_and_only_its_epoch_is_lost(mpiexec, rows, tmp_path):
    options = ("--data", rows, "--epochs", "4", "--batch-size", "16")
    killed, whole = (("--out", tmp_path / name) for name in ("killed", "whole"))
    result = mpiexec((2, "-c", KILLED, *train("table", *options, *killed)[2:]))
    assert result.returncode != 0
    assert "scratchae: a rank has died" in result.stderr and "--resume goes on from there" in result.stderr
    metadata, _ = read(tmp_path / "killed" / "checkpoint.safetensors")
    assert metadata["training"]["history"]["epoch"] == [1, 2]  # it died in the third
    # it goes on in one process; and one that was never killed
    assert main(["train", "table", *map(str, options), *map(str, killed), "--resume"]) == 0
    assert main(["train", "table", *map(str, options), *map(str, whole)]) == 0
    θ, expected = (sae.load(tmp_path / name).parameters for name in ("killed", "whole"))
    assert_allclose(θ, expected, rtol=1e-3, atol=1e-5)


def test_the_command_trains_and_the_first_rank_writes(mpiexec, rows, tmp_path):
    """Nothing is said twice. Where ranks share cores, each takes its share of them."""
    result = mpiexec((3, *train("table", "--data", rows, "--epochs", "2", "--out", tmp_path / "run")))
    assert result.returncode == 0, result.stderr
    assert result.stderr == ""
    assert result.stdout.count("epoch 2/2") == result.stdout.count("3 ranks train together") == 1
    record = json.loads((tmp_path / "run" / "run.json").read_text(encoding="utf-8"))
    assert record["ranks"] == 3 and record["status"] == "done"


@pytest.mark.slow
def test_a_file_that_one_machine_does_not_have(mpiexec, rows, tmp_path):
    """As where the file system is not shared: the other rank would wait for ever."""
    there, missing = (
        train("table", "--data", file, "--out", tmp_path / "run") for file in (rows, tmp_path / "rows.csv")
    )
    result = mpiexec((1, *there), (1, *missing))
    one_sentence(
        result, r"rows.csv.*\(rank 1 of 2, on .*each rank reads the data itself, from a file system that all share"
    )


@pytest.mark.slow
def test_a_file_that_is_another_on_one_machine(mpiexec, rows, tmp_path):
    other = tmp_path / "rows.csv"
    other.write_text(rows.read_text().replace("a,b,c,d,e,f\n", "a,b,c,d,e,f\n0,0,0,0,0,0\n"))
    result = mpiexec(*((1, *train("table", "--data", file, "--out", tmp_path / "run")) for file in (rows, other)))
    one_sentence(result, "ranks 0 and 1 differ in data")


def test_ranks_with_other_options(mpiexec, rows, tmp_path):
    options = [("--batch-size", size, "--data", rows, "--out", tmp_path / "run") for size in ("16", "24")]
    result = mpiexec(*((1, *train("table", *each)) for each in options))
    one_sentence(
        result, r"ranks 0 and 1 differ in batch_size \(16 and 24\), optimizer \(.*\): start all of them with the same"
    )


@pytest.mark.slow
def test_a_batch_smaller_than_the_ranks(mpiexec, rows, tmp_path):
    result = mpiexec((3, *train("table", "--batch-size", "2", "--data", rows, "--out", tmp_path / "run")))
    one_sentence(result, "batch_size=2 is smaller than the number of ranks, 3")


WITHOUT_MPI4PY = "import sys; sys.modules['mpi4py'] = None; from scratchae.__main__ import run; run()"


@pytest.mark.slow
@pytest.mark.parametrize("there", [0, 1], ids=["nowhere", "on one of two machines"])
def test_without_mpi4py(mpiexec, rows, tmp_path, there):
    """The rank that has it would wait for the other in MPI's start."""
    words = train("table", "--data", rows, "--out", tmp_path / "run")
    programs = [(1, *words)] * there + [(2 - there, "-c", WITHOUT_MPI4PY, *words[2:])]
    result = mpiexec(*programs)
    one_sentence(result, r"needs mpi4py and a library of MPI .*pip install \"\.\[mpi\]\"", code=None)


# Without mpiexec


@pytest.fixture
def started_alone(monkeypatch):
    for names in distributed.LAUNCHERS.items():
        for name in names:
            monkeypatch.delenv(name, raising=False)


def test_without_mpiexec(started_alone, capsys):
    assert main(["train", "deep", "--distributed", "mpi"]) == 2
    error = capsys.readouterr().err
    assert (
        error.count("\n") == 1
        and "this process was started alone" in error
        and "mpiexec -n 2 scratchae train" in error
    )
    with pytest.raises(OptionError, match="mpiexec -n 2 python -m mpi4py SCRIPT"):
        group_for("mpi")
    with pytest.raises(OptionError, match="this process was started alone"):
        group_for("nccl", "gpu")


def test_mpiexec_of_another_mpi(started_alone, monkeypatch):
    """Then each process believes that it is alone, and would train on its own and write over the others."""
    alone = types.SimpleNamespace(COMM_WORLD=types.SimpleNamespace(rank=0, size=1))
    monkeypatch.setitem(sys.modules, "mpi4py", types.SimpleNamespace(MPI=alone))
    monkeypatch.setenv("OMPI_COMM_WORLD_RANK", "1")
    monkeypatch.setenv("OMPI_COMM_WORLD_SIZE", "2")
    with pytest.raises(
        OptionError, match="mpiexec has started 2 processes, and mpi4py knows of 1: they belong to two different MPIs"
    ):
        Mpi()


def test_a_preset_that_is_pretrained_by_one_process():
    for error in on_ranks(2, lambda group: runs.train(find_preset("dbn"), distributed=group)):
        with pytest.raises(OptionError, match="'dbn' is pretrained layer by layer, which one process does"):
            raise error
