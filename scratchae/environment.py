"""What the environment of a process should say before NumPy and matplotlib are loaded; and consoles, whatever letters they have."""

from __future__ import annotations

import codecs
import contextlib
import functools
import math
import os
import re
import sys
import unicodedata
from collections.abc import Iterator
from pathlib import Path

# OpenBLAS's threads spin for 2^26 cycles, some 20 ms, before they sleep, and so keep a core busy while Adam's threads could
# use it; 2^20 is still longer than the pause between two products
SETTINGS = {"OPENBLAS_THREAD_TIMEOUT": "20"}


def prepare() -> None:
    """Make these settings in this process; what the user has set stays, but for matplotlib's window, as no picture has one."""
    os.environ["MPLBACKEND"] = "agg"
    for name, value in SETTINGS.items():
        os.environ.setdefault(name, value)
    if available_cores() < (os.cpu_count() or 1):  # OpenBLAS does not know of a container's quota
        os.environ.setdefault("OPENBLAS_NUM_THREADS", str(available_cores()))
    if sys.prefix != sys.base_prefix and os.access(sys.prefix, os.W_OK):
        # matplotlib's list of fonts: in the virtual environment, not in the user's home
        os.environ.setdefault("MPLCONFIGDIR", os.path.join(sys.prefix, "var", "matplotlib"))


# Cores

CGROUPS, OWN_GROUP = Path("/sys/fs/cgroup"), Path("/proc/self/cgroup")


@functools.cache
def available_cores() -> int:
    """The number of CPU cores that this process may use: all, or those of its affinity, or the quota of its container, rounded up."""
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    return max(1, math.ceil(min(cores, quota())))


def quota() -> float:
    """The seconds of CPU time for each second that Linux's control groups let this process have; infinity without a limit.

    cgroup v2 has them in cpu.max, v1 in cpu.cfs_quota_us and cpu.cfs_period_us: of the process's group, and of those around it.
    """
    lowest = math.inf
    with contextlib.suppress(OSError, ValueError):
        for line in OWN_GROUP.read_text(encoding="utf-8").splitlines():
            _, controllers, group = line.split(":", 2)
            top = CGROUPS / controllers
            inside = [top / group.strip("/"), *(top / group.strip("/")).parents]
            for folder in inside[: inside.index(top) + 1]:
                with contextlib.suppress(OSError, ValueError):  # a file that is not there, or says "max"
                    if controllers:
                        limit, period = (
                            (folder / f"cpu.cfs_{name}_us").read_text("utf-8") for name in ("quota", "period")
                        )
                    else:
                        limit, period = (folder / "cpu.max").read_text("utf-8").split()
                    if int(limit) > 0:  # v1 has -1 for no limit
                        lowest = min(lowest, int(limit) / int(period))
    return lowest


# Consoles


def open_streams() -> None:
    """Let no output fail: what a console has no letters for is written in ASCII, and a stream that was closed leads nowhere."""
    for name, mode in (("stdin", "r"), ("stdout", "w"), ("stderr", "w")):
        stream = getattr(sys, name)
        if stream is None:  # and its number is free, for a file of ours to get all that a library writes there
            setattr(sys, name, open(os.devnull, mode, encoding="utf-8"))  # noqa: SIM115 (it is open to the end)
    write_twins()


def write_twins() -> None:
    """Let stdout and stderr write in ASCII what they have no letters for, instead of failing."""
    for stream in (sys.stdout, sys.stderr):
        if hasattr(stream, "reconfigure"):
            stream.reconfigure(errors=TWINS)


def on_terminal() -> bool:
    """Whether a person looks on at what is written to stderr. In a program without windows or streams there is none."""
    return sys.stderr is not None and sys.stderr.isatty() and not silenced


silenced = False  # inside `silent`


@contextlib.contextmanager
def silent() -> Iterator[None]:
    """While the block runs, nothing is printed but errors: neither by this process nor by those that it starts."""
    global silenced
    sys.stdout.flush()
    before = os.dup(1)
    with open(os.devnull, "w", encoding="utf-8") as nowhere, contextlib.redirect_stdout(nowhere):
        os.dup2(nowhere.fileno(), 1)
        silenced = True
        try:
            yield
        finally:
            silenced = False
            os.dup2(before, 1)
            os.close(before)


# ASCII for letters that a console lacks. Most twins come from what Unicode says of a letter; these do not.
TWINS = "scratchae.twins"  # the name of the error handler
WORDS = {
    **{"∂": "d", "∇": "grad ", "√": "sqrt ", "∞": "inf", "∫": "int ", "∑": "sum ", "∈": "in", "∝": "~", "∎": "QED"},
    **{
        "·": "*",
        "×": "x",
        "⊙": "*",
        "−": "-",
        "±": "+-",
        "÷": "/",
        "≈": "~",
        "∼": "~",
        "≠": "!=",
        "≤": "<=",
        "≥": ">=",
    },
    **{"≪": "<<", "≫": ">>", "←": "<-", "→": "->", "↑": "up", "↓": "down", "⇒": "=>", "⇔": "<=>", "′": "'"},
    **{"‖": "||", "⟨": "<", "⟩": ">", "⌊": "floor(", "⌋": ")", "⌈": "ceil(", "⌉": ")", "★": "*", "═": "=", "─": "-"},
    **{"–": "-", "—": "-", "‘": "'", "’": "'", "“": '"', "”": '"', "°": " degrees", "⊤": "^T", "⁄": "/", "꜀": "_c"},
    **{"\N{COMBINING CIRCUMFLEX ACCENT}": "hat", "\N{COMBINING TILDE}": "tilde", "\N{COMBINING MACRON}": "bar"},
}
MARKS = {"<super>": "^", "<sub>": "_"}


def ascii_twin(letter: str) -> str:
    """How a letter is written in ASCII: θ is theta, xᵀ is x^T, x̂ is xhat, × is x; a question mark if nobody knows."""
    if letter.isascii() or letter in WORDS:
        return WORDS.get(letter, letter)
    if greek := re.fullmatch(r"GREEK (SMALL|CAPITAL) LETTER (\w+)", unicodedata.name(letter, "")):
        name = "lambda" if greek[2] == "LAMDA" else greek[2].lower()
        return name.capitalize() if greek[1] == "CAPITAL" else name
    if latin := re.fullmatch(r"LATIN (SMALL|CAPITAL) LETTER (\w) WITH .+", unicodedata.name(letter, "")):
        return latin[2].lower() if latin[1] == "SMALL" else latin[2]
    tag, *rest = unicodedata.decomposition(letter).split() or ("",)
    parts = "".join(ascii_twin(chr(int(code, 16))) for code in rest)
    return MARKS.get(tag, "") + parts if tag.startswith("<") else "?"


def in_ascii(error: UnicodeError) -> tuple[str, int]:
    """The error handler: a mark is written once for all that stands above or below a line, so that 10⁻³ is 10^-3."""
    if not isinstance(error, UnicodeEncodeError):
        raise error
    text = "".join(map(ascii_twin, error.object[error.start : error.end]))
    return re.sub(r"([\^_])(\S)(?:\1(\S))+", lambda run: run[1] + run[0].replace(run[1], ""), text), error.end


codecs.register_error(TWINS, in_ascii)
