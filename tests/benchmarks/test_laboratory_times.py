"""The command that measures the study pages."""

import json
import subprocess
import sys
from pathlib import Path

import pytest
from browser import executable

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "laboratory.py"


@pytest.mark.slow
@pytest.mark.skipif(executable() is None, reason="no Chromium")
def test_sizes_and_times_of_a_page_are_measured(tmp_path):
    pytest.importorskip("playwright", reason="the extra `browser` is not installed")
    command = [sys.executable, SCRIPT, "tiny", "--rounds", "2", "--json", tmp_path / "measured.json"]
    done = subprocess.run(command, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    (page,) = json.loads((tmp_path / "measured.json").read_text())["pages"].values()
    assert page["megabytes"] < 0.15
    assert 0 < page["step_ms"] <= page["slowest_step_ms"]
    assert page["edit_ms"] > 0 and "stroke_ms" not in page  # its examples are no pictures
