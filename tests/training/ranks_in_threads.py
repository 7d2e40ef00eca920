"""Ranks that are threads of one process: they speak as those of MPI do, and what MPI would hang at is an error here."""

import contextlib
import pickle
import threading

import numpy as np

from scratchae.training.distributed import Ranks


class Meeting:
    """Where the ranks meet: each brings something, and takes away what all have brought. Nobody waits longer than 30 s."""

    def __init__(self, size):
        self.brought, self.barrier = [None] * size, threading.Barrier(size, timeout=30)

    def all_bring(self, rank, kind, thing):
        self.brought[rank] = kind, thing
        self.barrier.wait()
        found = list(self.brought)
        self.barrier.wait()
        if len({kind for kind, _ in found}) > 1:
            raise AssertionError(
                f"ranks meet for different things, where MPI would hang: {[kind for kind, _ in found]}"
            )
        return [thing for _, thing in found]


class ThreadRank(Ranks):
    name = "threads"

    def __init__(self, rank, size, meeting):
        self.rank, self.size, self.meeting, self.summed = rank, size, meeting, 0

    def all_say(self, word):
        return pickle.loads(
            pickle.dumps(self.meeting.all_bring(self.rank, "say", word))
        )  # as it goes from process to process

    def sum_(self, array):
        found = self.meeting.all_bring(self.rank, "sum", array.copy())
        total = found[0]
        for other in found[1:]:
            total = total + other
        array[...] = total
        self.summed += 1

    def exchange(self, rows, sent, received):
        every = self.meeting.all_bring(self.rank, "exchange", np.split(rows, np.cumsum(sent)[:-1]))
        come = [each[self.rank] for each in every]
        assert [len(part) for part in come] == list(received)
        return np.concatenate(come)

    def end_all(self):
        self.meeting.barrier.abort()
        raise SystemExit

    def fair_share_of_cores(self):
        return contextlib.nullcontext()  # threads(n) limits all threads of the process


def on_ranks(size, work):
    """What `work(group)` gives on each rank, or what it raises."""
    meeting, found = Meeting(size), [None] * size

    def run(rank):
        try:
            found[rank] = work(ThreadRank(rank, size, meeting))
        except BaseException as error:
            found[rank] = error
            if not hasattr(error, "speaker"):
                meeting.barrier.abort()

    threads = [threading.Thread(target=run, args=(rank,)) for rank in range(size)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return found


def held(found):
    """The results, of which none may be an error."""
    for each in found:
        if isinstance(each, BaseException):
            raise each
    return found
