"""What a person sees of training: a bar on a terminal, a line an epoch anywhere else."""

from __future__ import annotations

import sys
import time


class Progress:
    """Reports the epochs of one training. `show=False` reports nothing."""

    def __init__(self, first: int, epochs: int, steps: int, show: bool):
        self.first, self.epochs, self.steps, self.show = first, epochs, steps, show
        self.start = time.perf_counter()
        self.bar = None

    def begin(self, epoch: int) -> None:
        if self.show and sys.stderr.isatty():
            from tqdm import tqdm

            self.bar = tqdm(
                total=self.steps,
                desc=f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}",
                unit="step",
                dynamic_ncols=True,
            )

    def step(self, loss: float) -> None:
        if self.bar is not None:
            self.bar.set_postfix_str(f"loss {loss:.4g}", refresh=False)
            self.bar.update()

    def end(self, epoch: int, row: dict[str, float] | None) -> None:
        """Report an epoch by its row of the history; None where it was cut short."""
        if self.bar is not None:
            if row is not None:
                self.bar.set_postfix_str(self.text(epoch, row))
            self.bar.close()
            self.bar = None
        elif self.show and row is not None:
            print(
                f"epoch {epoch + 1:>{len(str(self.epochs))}}/{self.epochs}  {self.text(epoch, row)}",
                flush=True,
            )

    def text(self, epoch: int, row: dict[str, float]) -> str:
        """Loss parts, examples a second, time left."""
        parts = [
            f"{name.replace('_', ' ')} {value:.4g}"
            for name, value in row.items()
            if name not in ("epoch", "lr", "seconds", "examples_per_second")
        ]
        left = (time.perf_counter() - self.start) / (epoch + 1 - self.first) * (self.epochs - epoch - 1)
        return "  ".join([*parts, f"{row['examples_per_second']:,.0f} examples/s", f"{duration(left)} left"])


def duration(seconds: float) -> str:
    """Seconds as a person says them."""
    if seconds < 90:
        return f"{seconds:.1f} s" if seconds < 10 else f"{seconds:.0f} s"
    minutes, seconds = divmod(round(seconds), 60)
    return f"{minutes} min {seconds} s" if minutes < 90 else f"{minutes // 60} h {minutes % 60} min"
