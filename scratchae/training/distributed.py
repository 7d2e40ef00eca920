"""Several processes that train one model together: what they say to each other, and how none of them waits for one that has failed.

Each process, called a rank, holds the whole model and a share of the data. `Group` is one process alone; `Mpi` are the processes that
`mpiexec -n N` has started; `Nccl` the same, with the gradient summed by the GPUs.

Whatever a rank has to say goes through `gather`, which is also where they all learn that one has failed: it says so there, in place
of what it had to say (`together`). So `sum_` and `exchange`, which carry no such word, follow right after a `gather`, and nothing that
may fail stands between. A rank that was killed says nothing any more: `mpiexec` notices, and ends the others.
"""

from __future__ import annotations

import contextlib
import functools
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Any, NoReturn, TypeVar

import numpy as np

from ..backend import Array, asked_for, threads
from ..environment import available_cores
from ..errors import DataError, DeviceError, OptionError, RankError, ScratchaeError

F = TypeVar("F", bound=Callable[..., Any])
KINDS = ("mpi", "nccl")
# how launchers tell a process its number, and how many there are
LAUNCHERS = {"PMI_RANK": "PMI_SIZE", "OMPI_COMM_WORLD_RANK": "OMPI_COMM_WORLD_SIZE", "SLURM_PROCID": "SLURM_NTASKS"}
KILLED = (
    "scratchae: a rank has died: it was killed, or its machine is gone. mpiexec ends the others, and says above or below which process "
    "it was. The last completed epoch is kept in the checkpoint, if there is one: the same command with --resume goes on from there"
)
# a process that is no rank, so that mpiexec does not end it with the others
WATCH = f"import sys\nif not sys.stdin.read(): print({KILLED!r}, file=sys.stderr)"


class Group:
    """The processes that train together: here one, which need not ask anybody."""

    rank, size = 0, 1
    name = "one process"

    def gather(self, said: Any) -> list[Any]:
        """What every rank says, by rank. Raises what a rank has failed with."""
        return [said]

    def sum_(self, array: Array) -> None:
        """The sum over the ranks, in place."""

    def exchange(self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int]) -> np.ndarray:
        """Rows (N, …): the first sent[0] of them go to rank 0, and so on. Gives what comes: received[0] rows of rank 0, and so on."""
        return rows

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        """If a rank fails in the block, all of them fail at once, with its error. Blocks may lie within each other."""
        yield

    def from_first(self, make: Callable[[], Any]) -> Any:
        """What rank 0 makes, on every rank."""
        return self.gather(make() if self.rank == 0 else None)[0]

    def any(self, flag: bool) -> bool:
        """Whether it is so on any rank."""
        return any(self.gather(flag))

    def sums(self, totals: dict[str, float]) -> dict[str, float]:
        """The sum of each number over the ranks; in their order, so that it is the same on all of them."""
        every = self.gather(totals)
        return {name: sum(each[name] for each in every) for name in totals}

    def part(self, rows: int) -> tuple[slice, float]:
        """Which of the rows of a batch are this rank's, and their share of the batch.

        Every rank gets a row at least: if there are fewer rows than ranks, those left over compute the last row too, and it counts
        nothing.
        """
        return part_of(rows, self.rank, self.size)


def part_of(rows: int, rank: int, size: int) -> tuple[slice, float]:
    """`Group.part` of a rank."""
    if rows < size:
        first = min(rank, rows - 1)
        return slice(first, first + 1), (rank < rows) / rows
    first, last = rank * rows // size, (rank + 1) * rows // size
    return slice(first, last), (last - first) / rows


class Ranks(Group):
    """Several ranks that know when one of them has failed. A subclass says how they talk: `all_say`, `sum_`, `exchange`, `end_all`."""

    within = False  # inside `together`
    speaker: int | None = None  # the rank that speaks of a failure, once all know of it

    def all_say(self, word: Any) -> list[Any]:
        """What every rank says, by rank."""
        raise NotImplementedError

    def end_all(self) -> NoReturn:
        """End the processes of all ranks."""
        raise NotImplementedError

    def place(self) -> str:
        """Which rank this is, in words."""
        return f"rank {self.rank} of {self.size}"

    def gather(self, said: Any) -> list[Any]:
        words = self.all_say((said, None))
        failed = [failure for _, failure in words if failure is not None]
        if failed:
            kind, message, self.speaker = failed[0]
            raise kind(message)
        return [word for word, _ in words]

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        if self.within:
            yield
            return
        self.within = True
        try:
            with self.fair_share_of_cores():
                yield
            self.gather(None)
        except Exception as error:
            if self.speaker is None:
                self.fail(error)
            error.speaker = self.speaker
            raise
        except BaseException:  # such as a second Ctrl-C: the others may be anywhere
            self.end_all()
        finally:
            self.within, self.speaker = False, None

    def fail(self, error: Exception) -> None:
        """Let the others know, whom the next `gather` tells, and find out who is to speak of it."""
        ours = isinstance(error, ScratchaeError)
        here = f"{self.place()}, on {socket.gethostname()}"
        elsewhere = (
            "; each rank reads the data itself, from a file system that all share, or from copies that are alike"
            if isinstance(error, DataError | OSError)
            else ""
        )
        kind = type(error) if ours else RankError
        said = str(error) if ours else f"{type(error).__name__}: {error}"
        failures = [failure for _, failure in self.all_say((None, (kind, f"{said} ({here}{elsewhere})", self.rank)))]
        self.speaker = next(failure[2] for failure in failures if failure is not None)
        if None in failures and ours:
            error.args = (f"{said} ({here}{elsewhere})",)

    @contextlib.contextmanager
    def fair_share_of_cores(self) -> Iterator[None]:
        """Ranks that may use the same cores of a machine share them, unless a person has said how many threads each uses."""
        mine = socket.gethostname(), sorted(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None
        beside = self.gather(mine).count(mine)
        with contextlib.nullcontext() if asked_for.get() else threads(max(available_cores() // beside, 1)):
            yield


class Mpi(Ranks):
    """The processes that `mpiexec -n N` has started. Raises OptionError if there is no MPI, or no `mpiexec` has started this."""

    name = "mpi"

    def __init__(self):
        if not any(name in os.environ for name in LAUNCHERS):
            raise OptionError(
                f"distributed={self.name!r}: this process was started alone: start as many as shall train together with "
                "mpiexec -n 2 scratchae train …, or mpiexec -n 2 python -m mpi4py SCRIPT"
            )
        try:
            from mpi4py import MPI
        except (ImportError, RuntimeError) as error:  # RuntimeError: it is installed, and finds no library of MPI
            raise OptionError(
                f'distributed={self.name!r} needs mpi4py and a library of MPI ({error}): in a checkout, pip install ".[mpi]" brings both'
            ) from None
        self.MPI, self.comm = MPI, MPI.COMM_WORLD
        self.rank, self.size = self.comm.rank, self.comm.size
        meant = number_in(LAUNCHERS.values()) or 1
        if self.size == 1 < meant:
            raise OptionError(
                f"distributed={self.name!r}: mpiexec has started {meant} processes, and mpi4py knows of {self.size}: they belong to two "
                f"different MPIs; use the mpiexec beside {sys.executable}"
            )
        self.watcher: subprocess.Popen | None = None

    def all_say(self, word: Any) -> list[Any]:
        return self.comm.allgather(word)

    def sum_(self, array: Array) -> None:
        self.comm.Allreduce(self.MPI.IN_PLACE, array)

    def exchange(self, rows: np.ndarray, sent: Sequence[int], received: Sequence[int]) -> np.ndarray:
        size = int(np.prod(rows.shape[1:]))
        found = np.empty((sum(received), *rows.shape[1:]), rows.dtype)
        counts = [[count * size for count in each] for each in (sent, received)]
        self.comm.Alltoallv((np.ascontiguousarray(rows), counts[0]), (found, counts[1]))
        return found

    def end_all(self) -> NoReturn:
        self.dismiss()
        sys.stderr.flush()
        self.comm.Abort(1)
        raise SystemExit(1)

    @contextlib.contextmanager
    def together(self) -> Iterator[None]:
        watches = self.rank == 0 and self.watcher is None
        if watches:
            command = [sys.executable, "-S", "-E", "-c", WATCH]
            self.watcher = subprocess.Popen(command, stdin=subprocess.PIPE, start_new_session=True)
        try:
            with super().together():
                yield
        finally:
            if watches:
                self.dismiss()

    def dismiss(self) -> None:
        """Tell the watcher that the end is near, and meant."""
        if self.watcher is not None:
            self.watcher.communicate(b"done")
            self.watcher = None


class Nccl(Mpi):
    """The same, each with a GPU, which sum the gradient among themselves (NVIDIA's NCCL); all else goes through MPI."""

    name = "nccl"

    def __init__(self):
        super().__init__()
        from ..backend.cuda import nccl

        here = self.comm.Split_type(self.MPI.COMM_TYPE_SHARED)
        with self.together():  # one machine may lack what the others have
            self.gpus = nccl.Gpus(self.rank, self.size, here.rank)
        with self.together():
            self.gpus.connect()

    def sum_(self, array: Array) -> None:
        self.gpus.sum_(array)

    def fail(self, error: Exception) -> None:
        """The others may wait for this rank on their GPUs, where they hear nothing: so all end here."""
        if not hasattr(self, "gpus"):
            return super().fail(error)
        print(f"scratchae: {error} ({self.place()}, on {socket.gethostname()}), and ends the others", file=sys.stderr)
        self.end_all()


ALONE = Group()


def all_or_none(function: F) -> F:
    """`distributed`, an argument of the function, becomes the group that it names. If a rank fails in it, all do."""

    @functools.wraps(function)
    def within(*arguments: Any, distributed: str | Group | None = None, **named: Any) -> Any:
        group = group_for(distributed, named.get("device", "cpu"))
        with group.together():
            return function(*arguments, distributed=group, **named)

    return within


def number_in(names: Iterable[str]) -> int | None:
    """The first number that the environment has under one of these names."""
    found = (os.environ.get(name, "") for name in names)
    return next((int(text) for text in found if text.isdigit()), None)


def launched_as() -> int:
    """The rank that the launcher gave this process; 0 if none did."""
    return number_in(LAUNCHERS) or 0


def end_unmet(error: Exception) -> None:
    """Say the error and end the job, if mpiexec has started it, where this process cannot meet the other ranks: they wait for it in MPI's
    start, and mpiexec ends them when it sees a process killed, but not when it sees one end.
    """
    if not any(name in os.environ for name in LAUNCHERS):
        return
    time.sleep(min(launched_as(), 5))  # if all fail, the first has said so by then, and mpiexec has ended the others
    print(f"scratchae: {error}", file=sys.stderr, flush=True)
    os.kill(os.getpid(), signal.SIGTERM)


def group_for(distributed: str | Group | None, device: str = "cpu") -> Group:
    """The group that this process trains in: alone, or by name the ranks that mpiexec has started.

    Raises OptionError for another name, and for MPI on GPUs or NCCL on CPUs.
    """
    if distributed is None or isinstance(distributed, Group):
        return distributed or ALONE
    if not isinstance(distributed, str) or distributed not in KINDS:
        raise OptionError(f"distributed={distributed!r}: expected 'mpi', 'nccl', or None for one process")
    if (distributed, device) not in (("mpi", "cpu"), ("nccl", "gpu")):
        raise DeviceError(
            f"distributed={distributed!r} and device={device!r}: 'mpi' sums gradients of CPUs, device='cpu', 'nccl' those of GPUs, device='gpu'"
        )
    return Mpi() if distributed == "mpi" else Nccl()
