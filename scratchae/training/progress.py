"""The progress that a person sees: a bar on a terminal, and a line for each epoch elsewhere."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from ..environment import on_terminal

# columns of the history that are not parts of the loss
HIDDEN = {"epoch", "lr", "seconds", "examples_per_second"}


class Progress:
    """Reports the epochs of one training, of `steps` steps each, from epoch `first` on. `show=False` reports nothing."""

    def __init__(self, first: int, epochs: int, steps: int, show: bool):
        self.first, self.epochs, self.steps, self.show = first, epochs, steps, show
        self.start = time.perf_counter()
        self.bar = None

    @contextlib.contextmanager
    def epoch(self, epoch: int) -> Iterator[None]:
        """An epoch runs in the block: on a terminal a bar shows how far it is."""
        if self.show and on_terminal():
            from tqdm import tqdm

            self.bar = tqdm(total=self.steps, desc=self.heading(epoch), unit="step", dynamic_ncols=True, leave=False)
        try:
            yield
        finally:
            if self.bar is not None:
                self.bar.close()
                self.bar = None

    def step(self, loss: float | None) -> None:
        """A step was done. loss: its loss, if it was read."""
        if self.bar is not None:
            if loss is not None:
                self.bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self.bar.update()

    def end(self, epoch: int, row: dict[str, float]) -> None:
        """Report an epoch from its row of the history: parts of the loss, examples per second, time left."""
        if self.show:
            parts = [f"{name.replace('_', ' ')} {value:.4g}" for name, value in row.items() if name not in HIDDEN]
            left = since(self.start) / (epoch + 1 - self.first) * (self.epochs - epoch - 1)
            speed = f"{row['examples_per_second']:,.0f} examples/s"
            print("  ".join([self.heading(epoch), *parts, speed, f"{duration(left)} left"]), flush=True)

    def say(self, text: str) -> None:
        """Print a line between the lines of the epochs."""
        if self.show:
            if self.bar is not None:
                self.bar.clear()
            print(text, flush=True)

    def heading(self, epoch: int) -> str:
        return f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}"


def since(start: float) -> float:
    """Seconds since `time.perf_counter()` was this; a little more than none, as there are clocks that stand for a while."""
    return max(time.perf_counter() - start, 1e-9)


def duration(seconds: float) -> str:
    """Seconds as a person would say them."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
