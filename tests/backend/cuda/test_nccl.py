"""Sums over GPUs: what is asked of CuPy, by a stand-in for it; and on a real GPU a sum within a recorded step."""

import sys
import types

import numpy as np
import pytest
from numpy.testing import assert_allclose
from real_gpu import gpu_problem

import scratchae as sae
from scratchae.backend import device_module, to_numpy
from scratchae.backend.cuda import nccl
from scratchae.errors import DeviceError
from scratchae.training.distributed import Group
from scratchae.training.ranks import RecordedRankSteps, Shard
from scratchae.training.steps import RecordedSteps


@pytest.fixture
def cupy(monkeypatch):
    """CuPy as far as it is asked for: two GPUs, and NCCL. It notes what it is told."""
    told = []
    device = types.SimpleNamespace
    fake = types.ModuleType("cupy")
    fake.__version__ = "14.0"
    fake.told = told
    fake.nccl = types.SimpleNamespace(available=True)
    fake.cuda = types.ModuleType("cupy.cuda")
    fake.cuda.nccl = fake.nccl
    fake.cuda.runtime = types.SimpleNamespace(getDeviceCount=lambda: 2)
    fake.cuda.Device = lambda number: device(use=lambda: told.append(("use", number)))

    class Backend:
        def __init__(self, n_devices, rank, host="127.0.0.1", port=13333, use_mpi=False):
            told.append(("connect", n_devices, rank, use_mpi))

        def all_reduce(self, in_array, out_array, op="sum", stream=None):
            told.append(("all_reduce", in_array is out_array, op, stream))

    cupyx = types.ModuleType("cupyx")
    cupyx.distributed = types.SimpleNamespace(NCCLBackend=Backend)
    for name, module in (
        ("cupy", fake),
        ("cupy.cuda", fake.cuda),
        ("cupyx", cupyx),
        ("cupyx.distributed", cupyx.distributed),
    ):
        monkeypatch.setitem(sys.modules, name, module)
    monkeypatch.setattr(nccl, "usable_cupy", lambda: fake)
    monkeypatch.setattr(nccl, "module", lambda: told.append("our stream"))
    return fake


def test_each_rank_has_its_gpu_and_sums_in_place_on_our_stream(cupy):
    gpus = nccl.Gpus(rank=3, size=4, local=1)
    gpus.connect()
    gpus.sum_(np.ones(3))
    assert cupy.told == [("use", 1), ("connect", 4, 3, True), "our stream", ("all_reduce", True, "sum", None)]


def test_more_ranks_than_gpus_or_no_nccl(cupy):
    with pytest.raises(
        DeviceError, match="rank 7 is number 3 on its machine, which has 2 GPUs: start one rank for each GPU"
    ):
        nccl.Gpus(7, 8, 2)
    cupy.nccl.available = False
    with pytest.raises(DeviceError, match=r"CuPy 14.0 finds no NCCL here: pip install nvidia-nccl"):
        nccl.Gpus(0, 1, 0)


@pytest.mark.gpu
@pytest.mark.skipif(gpu_problem() is not None, reason=f"no GPU: {gpu_problem()}")
def test_a_sum_within_a_recorded_step():
    """One rank alone: NCCL's sum is then a copy, which a CUDA graph has to hold as any other."""
    pytest.importorskip("mpi4py", reason="mpi4py is not installed")
    gpus = nccl.Gpus(0, 1, 0)
    gpus.connect()
    group = Group()
    group.sum_ = gpus.sum_
    xp, x, found = device_module("gpu"), np.random.default_rng(0).random((256, 12), dtype=np.float32), []
    for kind in ("alone", "nccl"):
        rng = np.random.default_rng(0)
        model = sae.Autoencoder(sae.Dense(12, 4, rng=rng), sae.Dense(4, 12, rng=rng), loss=sae.MSE())
        shard = Shard.of(x, model, group)
        model.to("gpu")
        if kind == "alone":
            steps = RecordedSteps(model, xp.asarray(x), 32, sae.Adam(1e-2))
        else:
            steps = RecordedRankSteps(model, shard, 32, sae.Adam(1e-2), group)
        for epoch in range(3):
            steps.begin(0, epoch)
            for _ in range(steps.count):
                steps.step()
        steps.metrics()
        assert all(run.problem is None and run.graph is not None for run in steps.run.values())
        found.append(to_numpy(model.parameters))
    assert_allclose(*found, rtol=1e-6)
