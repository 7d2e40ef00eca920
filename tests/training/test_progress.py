"""What a person sees while a model trains."""

import contextlib
import os
import pty
import re
import termios
import threading

import numpy as np
import pytest
import tqdm

from scratchae import MSE, Adam, Autoencoder, Dense, Sequential, fit
from scratchae.errors import DivergenceError
from scratchae.training import progress
from scratchae.training.progress import Progress, duration


def train(epochs=3, steps=7, x=None, **options):
    model = Autoencoder(Sequential(Dense(6, 4)), Sequential(Dense(4, 6)), loss=MSE())
    x = np.random.default_rng(0).random((8 * steps, 6), dtype=np.float32)
    return fit(model, x, epochs=epochs, batch_size=8, **{"optimizer": Adam()} | options, validation=x[:9])


@pytest.fixture(autouse=True)
def no_monitor(monkeypatch):
    """tqdm's thread, which watches over slow bars, would outlive the test."""
    monkeypatch.setattr(tqdm.tqdm, "monitor_interval", 0)


@contextlib.contextmanager
def terminal():
    """A pseudo-terminal in the place of sys.stderr; what was written to it is in the list when the block ends.

    No fixture: pytest puts its own sys.stderr back between a test's fixtures and the test.
    """
    try:
        ours, theirs = pty.openpty()
    except OSError as error:
        pytest.skip(f"no pseudo-terminal to be had here: {error}")
    termios.tcsetwinsize(theirs, (24, 100))
    received, written = bytearray(), []

    def read():
        with contextlib.suppress(OSError):  # the other end is closed
            while True:
                received.extend(os.read(ours, 1 << 16))

    reader = threading.Thread(target=read)
    reader.start()
    try:
        with open(theirs, "w", encoding="utf-8") as stderr, contextlib.redirect_stderr(stderr):
            yield written
    finally:
        reader.join()
        os.close(ours)
        written.append(received.decode())


def test_no_terminal_one_line_an_epoch(capsys):
    history = train(epochs=10)
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) == 10
    for epoch, line in enumerate(lines):
        loss, validation = history["loss"][epoch], history["validation_loss"][epoch]
        start = f"epoch {epoch + 1:>2}/10  loss {loss:.4g}  validation loss {validation:.4g}  "
        assert re.fullmatch(re.escape(start) + r"[\d,]+ examples/s  .+ left", line)
    assert lines[-1].endswith("  0.0 s left")


def test_a_terminal_gets_a_bar(capsys):
    with terminal() as written:
        train(epochs=2, steps=500)
    [bar] = written
    assert re.search(r"epoch 1/2: +\d+%\|.*\| \d+/500 \[", bar)
    assert "epoch 2/2" in bar
    assert "\n" not in bar
    assert re.search(r"\r *\r$", bar)  # wiped out in the end
    lines = capsys.readouterr().out.splitlines()  # and one line an epoch that stays
    assert [line[:9] for line in lines] == ["epoch 1/2", "epoch 2/2"]


def test_the_bar_tells_the_loss():
    with terminal() as written:
        report = Progress(0, 1, 10, True)
        with report.epoch(0):
            report.bar.mininterval = 0  # every step is drawn
            report.step(0.125)
    assert "1/10" in written[0]
    assert "loss 0.125" in written[0]


def test_nothing_is_printed_where_nobody_asked(capsys):
    with terminal() as written:
        train(progress=False)
    assert written == [""]
    assert capsys.readouterr() == ("", "")


def test_the_bar_goes_when_training_breaks():
    with terminal() as written, pytest.raises(DivergenceError):
        train(optimizer=Adam(1e30))
    assert "epoch 1/3" in written[0]
    assert re.search(r"\r *\r$", written[0])


def test_time_left_counts_the_epochs_of_this_training_alone(monkeypatch, capsys):
    """Resumed after 3 of 6 epochs, an epoch has taken 10 s: 2 more take 20."""
    clock = iter([100.0, 110.0])
    monkeypatch.setattr(progress.time, "perf_counter", lambda: next(clock))
    Progress(3, 6, 1, True).end(3, {"epoch": 4, "loss": 0.5, "lr": 1, "seconds": 9, "examples_per_second": 12345.6})
    assert capsys.readouterr().out == "epoch 4/6  loss 0.5  12,346 examples/s  20 s left\n"


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (0, "0.0 s"),
        (9.94, "9.9 s"),
        (10.4, "10 s"),
        (89.4, "89 s"),
        (90, "1 min 30 s"),
        (119.7, "2 min 0 s"),
        (3600, "60 min 0 s"),
        (5400, "1 h 30 min"),
        (100_000, "27 h 46 min"),
    ],
)
def test_duration(seconds, text):
    assert duration(seconds) == text
