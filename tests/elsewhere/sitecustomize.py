"""Plays another system: Python imports this file when it starts, if its folder is in $PYTHONPATH, in every process that a test starts.

$SCRATCHAE_ELSEWHERE says which: "windows" or "macos". What they lack is taken away, and what they refuse is refused, as far as that can
be done on Linux. `sys.platform` stays, as Python's own modules decide by it.
"""

import builtins
import ctypes
import errno
import io
import multiprocessing
import os
import re
import signal
import subprocess
import sys
import tempfile

SYSTEM = os.environ.get("SCRATCHAE_ELSEWHERE")
TEMPORARY = tempfile.gettempdir()
GLIBC = {"mallopt", "malloc_trim", "renameat2"}


def without(module, *names):
    for name in names:
        if hasattr(module, name):
            delattr(module, name)


def asking():
    """The module that called what stands here, perhaps through pathlib."""
    frame = sys._getframe(1)
    while frame.f_globals["__name__"].partition(".")[0] in (__name__, "pathlib"):
        frame = frame.f_back
    return frame.f_globals["__name__"]


def everywhere_but_on_linux():
    without(os, "sched_getaffinity", "sched_setaffinity")
    multiprocessing.set_start_method("spawn")
    opened = io.open

    def open_file(file, *arguments, **options):
        # other libraries look there too, and elsewhere do something else
        if str(file).startswith("/proc/") and asking().startswith("scratchae"):
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(file))
        return opened(file, *arguments, **options)

    builtins.open = io.open = open_file


def macos():
    """No glibc, and a NumPy whose matrix products are Apple's, whose threads threadpoolctl does not know."""
    loaded = ctypes.CDLL

    class Library(loaded):
        def __getattr__(self, name):
            if name in GLIBC:
                raise AttributeError(f"symbol not found: {name}")
            return super().__getattr__(name)

    ctypes.CDLL = Library
    import resource

    import threadpoolctl

    threadpoolctl.ThreadpoolController._load_libraries = lambda self: None
    limit = resource.setrlimit

    def refused(kind, limits):
        if kind == resource.RLIMIT_AS:
            raise ValueError("current limit exceeds maximum limit")
        limit(kind, limits)

    resource.setrlimit = refused


# Windows

FORBIDDEN = re.compile(r'[<>:"|?*\\\x00-\x1f]|[. ]$|^(con|prn|aux|nul|com\d|lpt\d)(\.|$)', re.IGNORECASE)


def refuse(number, path):
    raise OSError(number, os.strerror(number), str(path))


def named(path):
    """The path, if Windows takes such a name for a new file."""
    if not isinstance(path, int) and FORBIDDEN.search(os.path.basename(os.fspath(path))):
        refuse(errno.EINVAL, path)
    return path


def in_use(path):
    """Whether this process has a file open or mapped, which Windows then neither moves nor removes."""
    path = os.path.realpath(path)
    inside = path + os.sep
    with LINUX["open"]("/proc/self/maps", encoding="utf-8") as maps:
        held = [line.split(maxsplit=5)[5].rstrip("\n") for line in maps if line.count(" /")]
    for number in os.listdir("/proc/self/fd"):
        try:
            held.append(os.readlink(f"/proc/self/fd/{number}"))
        except OSError:  # the one that listed them
            continue
    return any(other == path or other.startswith(inside) for other in held)


LINUX = {"open": io.open, "fsync": os.fsync, "replace": os.replace, "rename": os.rename, "unlink": os.unlink}


def windows():
    without(
        os,
        "fork",
        "forkpty",
        "register_at_fork",
        "killpg",
        "geteuid",
        "getuid",
        "sysconf",
        "getpgid",
        "umask",
    )
    without(os, "setsid", "wait", "getloadavg", "confstr", "fchmod", "chown")
    subprocess.Popen.kill = lambda self: self.send_signal(9)  # which takes it from the module whose names go now
    without(signal, "SIGKILL", "SIGALRM", "SIGPIPE", "SIGHUP", "setitimer", "alarm", "pthread_kill")
    for name in ("resource", "fcntl", "pwd", "grp", "termios", "pty"):
        sys.modules[name] = None
    loaded = ctypes.CDLL

    def library(name=None, *arguments, **options):
        if name is None and asking().startswith("scratchae"):
            raise TypeError("LoadLibrary() argument 1 must be str, not None")
        return loaded(name, *arguments, **options)

    def fsync(number):
        if not writable(number):
            refuse(errno.EBADF, number)
        return LINUX["fsync"](number)

    def replace(source, target, **options):
        for path in (source, target):
            if in_use(path):
                refuse(errno.EACCES, path)
        return LINUX["replace"](source, named(target), **options)

    def rename(source, target, **options):
        if os.path.exists(target):
            refuse(errno.EEXIST, target)
        return replace(source, target, **options)

    def unlink(path, *, dir_fd=None):
        # Python's own temporary files have no name here, and on Windows go by themselves
        if dir_fd is None and os.path.dirname(path) != TEMPORARY and in_use(path):
            refuse(errno.EACCES, path)
        return LINUX["unlink"](path, dir_fd=dir_fd)

    before = io.open

    def open_file(file, mode="r", buffering=-1, encoding=None, errors=None, newline=None, *rest, **options):
        if set(mode) & set("wax"):
            named(file)
            newline = "\r\n" if newline is None and "b" not in mode else newline
        return before(file, mode, buffering, encoding, errors, newline, *rest, **options)

    ctypes.CDLL = library
    builtins.open = io.open = open_file
    os.fsync, os.replace, os.rename, os.unlink, os.remove = fsync, replace, rename, unlink, unlink


def writable(number):
    """Whether a file was opened for writing: only then does Windows flush it."""
    with LINUX["open"](f"/proc/self/fdinfo/{number}", encoding="ascii") as about:
        flags = next(line for line in about if line.startswith("flags:"))
    return int(flags.split()[1], 8) & (os.O_WRONLY | os.O_RDWR) != 0


if SYSTEM:
    everywhere_but_on_linux()
    {"windows": windows, "macos": macos}[SYSTEM]()
