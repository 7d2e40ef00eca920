"""What a training keeps beside the model: the best parameters so far, and a file from which it can go on."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from ..backend import array_module, to_numpy
from ..errors import CheckpointError, DivergenceError
from ..models import Model
from ..optimizers import Optimizer
from .checkpoint import resume_training, save_training
from .container import read
from .distributed import Group
from .history import History


class Best:
    """The parameters and buffers with the best validation loss so far. Without patience it keeps nothing."""

    def __init__(self, model: Model, patience: int | None):
        self.model, self.patience = model, patience
        self.state: dict[str, Any] | None = None  # {"loss", "epoch", "tensors"}

    def is_long_ago(self, epoch: int) -> bool:
        """Whether more than `patience` epochs have passed since."""
        return self.state is not None and epoch - self.state["epoch"] > self.patience

    def see(self, row: dict[str, float]) -> None:
        """An epoch has ended, with this row of the history."""
        if self.patience is not None and (self.state is None or row["validation_loss"] < self.state["loss"]):
            tensors = {name: to_numpy(tensor).copy() for name, tensor in self.model.tensors().items()}
            self.state = {"loss": row["validation_loss"], "epoch": row["epoch"] - 1, "tensors": tensors}

    def put_back(self) -> None:
        """Give the model its best parameters and buffers."""
        if self.state is not None:
            for name, tensor in self.model.tensors().items():
                tensor[...] = array_module(tensor).asarray(self.state["tensors"][name])


class Checkpoint:
    """The file with the state after the last completed epoch; none where no path is given."""

    def __init__(
        self,
        path: str | Path | None,
        model: Model,
        optimizer: Optimizer,
        settings: dict[str, Any],
        best: Best,
        group: Group,
    ):
        self.path, self.model, self.optimizer, self.settings, self.best = path, model, optimizer, settings, best
        self.group = group  # of which the first rank reads and writes, as others may not see its files
        self.cores: int | None = None  # on which the training began that is resumed
        self.anew = False  # whether there was nothing to resume

    def begin(self, resume: bool) -> History:
        """The history to go on with: a new one, or that of the file. Raises CheckpointError if the file is of another training."""
        history = History()
        if self.path is None:
            return history
        if not self.group.from_first(Path(self.path).exists):
            self.anew = resume
            self.write(history)
        elif resume:
            file = self.group.from_first(lambda: read(self.path))
            history, self.best.state, self.cores = resume_training(
                self.path, file, self.model, self.optimizer, self.settings
            )
        else:
            raise CheckpointError(f"{self.path} exists: resume=True goes on with it; or choose another file")
        return history

    def write(self, history: History) -> None:
        """An epoch has been completed."""
        if self.path is not None and self.group.rank == 0:
            save_training(self.path, self.model, self.optimizer, self.settings, history, self.best.state)

    def remark(self) -> str:
        """What is to be said about going on here; mostly nothing."""
        if self.anew:
            return f"There is no {self.path} to resume, so this training begins anew, and keeps its state there"
        now = self.settings.get("cores")
        if self.cores in (None, now):
            return ""
        return (
            f"This training began on {self.cores} cores and goes on with {now}: sums are shared among them, so it rounds differently, "
            "and ends at slightly different weights"
        )

    @contextlib.contextmanager
    def named_in_errors(self, history: History) -> Iterator[None]:
        """A DivergenceError in the block says which state the file has."""
        try:
            yield
        except DivergenceError as error:
            kept = "" if self.path is None else f"; {self.path} keeps the state after epoch {len(history)}"
            if kept in str(error):  # another rank's, of whom this is heard
                raise
            raise DivergenceError(f"{error}{kept}") from None
