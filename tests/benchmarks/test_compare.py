"""Two revisions side by side: each runs its own code, and the ratio is the later one's time to the earlier one's."""

import json
import shutil
import subprocess

import compare
import pytest

import scratchae.data
from scratchae.bench import harness
from scratchae.data import strokes

# plays a worker of a revision that takes 2 ms for a step, and whose loss is 1
WORKER = """
import json, sys
import numpy as np

TIME, LOSS = 2.0, 1.0
for line in sys.stdin:
    asked = json.loads(line)
    answer = {"result": [TIME] * asked.get("steps", 0)}
    if asked["action"] == "compute":
        np.savez(asked["file"], loss=LOSS)
    if sys.argv[1] == "scratchae-compiled" and LOSS == 3.0:
        answer = {"error": "no such kernels"}
    print(json.dumps(answer), flush=True)
"""


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A repository with such a revision in it."""
    if shutil.which("git") is None:
        pytest.skip("git is not installed")
    root = tmp_path / "repository"
    (root / "scratchae" / "bench").mkdir(parents=True)
    for name in ("scratchae/__init__.py", "scratchae/bench/__init__.py"):
        (root / name).touch()
    (root / "scratchae" / "bench" / "comparison.py").write_text(WORKER, encoding="utf-8")
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    for command in (["init", "-q"], ["add", "."], [*who, "commit", "-qm", "first"]):
        subprocess.run(["git", *command], cwd=root, check=True)
    monkeypatch.setattr(compare, "ROOT", root)
    monkeypatch.setattr(harness, "PAUSE", 0)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: strokes(60, 20))
    return root


def change(repository, *changes):
    path = repository / "scratchae" / "bench" / "comparison.py"
    text = path.read_text(encoding="utf-8")
    for before, after in changes:
        text = text.replace(before, after)
    path.write_text(text, encoding="utf-8")


def measure(tmp_path, *revisions):
    file = tmp_path / "found.json"
    command = [*revisions, "--preset", "simple", "--rounds", "3", "--steps", "4", "--json", str(file)]
    assert compare.main(command) == 0
    return json.loads(file.read_text(encoding="utf-8"))


def worktrees(repository):
    listed = subprocess.run(["git", "worktree", "list"], cwd=repository, capture_output=True, text=True, check=True)
    return len(listed.stdout.splitlines())


def test_a_revision_against_the_checkout(repository, tmp_path, capsys):
    change(repository, ("TIME, LOSS = 2.0", "TIME, LOSS = 1.5"))
    found = measure(tmp_path, "HEAD")
    assert "first, with changes" in found["revisions"]["after"] and "first" in found["revisions"]["before"]
    for way in ("plain", "compiled"):
        one = found["presets"]["simple"][way]
        assert (one["before"]["median_ms"], one["after"]["median_ms"], one["after"]["ratio"]) == (2.0, 1.5, 0.75)
        assert one["difference"] == [0.0, "loss"] and len(one["after"]["round_medians_ms"]) == 3
    assert (
        "simple, 100      plain       2.000 ms   1.500 ms           0.750  0.750 to 0.750\n"
        in capsys.readouterr().out
    )
    assert worktrees(repository) == 1


def test_two_revisions_of_which_one_computes_something_else(repository, tmp_path, capsys):
    change(repository, ("LOSS = 2.0, 1.0", "LOSS = 4.0, 3.0"))
    who = ["-c", "user.name=A", "-c", "user.email=a@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", *who, "commit", "-qam", "second"], cwd=repository, check=True)
    change(repository, ("LOSS = 4.0", "LOSS = 0.0"))  # nobody looks at the checkout
    found = measure(tmp_path, "HEAD~1", "HEAD")["presets"]["simple"]
    assert found["plain"]["after"]["ratio"] == 2 and found["compiled"] == {
        "skipped": "the revision after: no such kernels"
    }
    said = capsys.readouterr().out
    assert "not the same step: loss differs by 2e+00" in said and "compiled  skipped: the revision after" in said
    assert worktrees(repository) == 1


def test_what_is_no_revision(repository, capsys):
    for revision in ("nonsense", "--all"):
        assert compare.main(["--", revision]) == 1
        assert "expected a revision of the repository in" in capsys.readouterr().err
