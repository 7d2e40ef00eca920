"""Killed at any of its writes, or left alone by its disk at any, a job loses nothing and leaves nothing half-written: done again, it
ends as if nothing had happened. tests/faults.py does it.
"""

import os
import subprocess
import sys
from pathlib import Path

import pytest

faults = pytest.importorskip("faults", reason="there are no processes to fork here", exc_type=ImportError)
QUICK = {("save", "kill"), ("cache", "kill"), ("record", "full"), ("exercise", "kill in a write")}


@pytest.mark.parametrize("fault", [*faults.FAULTS, "two at once"])
@pytest.mark.parametrize("job", faults.BY_NAME)
@pytest.mark.slow
def test_a_fault_at_every_write(tmp_path, job, fault):
    look(tmp_path, job, fault)


@pytest.mark.parametrize(("job", "fault"), sorted(QUICK))
def test_some_of_them(tmp_path, job, fault):
    look(tmp_path, job, fault)


def look(folder, job, fault):
    if job == "notebooks":
        pytest.importorskip("jupytext", reason="the extra `book` is not installed")
    command = [sys.executable, Path(__file__).with_name("faults.py"), job, fault, folder]
    environment = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
    done = subprocess.run(command, env=environment, capture_output=True, encoding="utf-8", check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    assert int(done.stdout.split()[-1]) > 0
