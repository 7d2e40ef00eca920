"""The estimators beside scikit-learn's: what is compared, and what is kept of it."""

import json
from dataclasses import replace

import estimators
import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")


@pytest.mark.slow
def test_one_job_on_one_table(monkeypatch, capsys, tmp_path):
    # PCA's figure is known; and a peer that is not there is named
    job = estimators.JOBS["rebuild"]
    peers = {name: make for name, make in job.peers.items() if name != "MLPRegressor(X, X)"} | {"absent": None}
    monkeypatch.setitem(estimators.JOBS, "rebuild", replace(job, tables=("digits",), peers=peers))
    arguments = ["rebuild", "--seeds", "2", "--epochs", "1", "--json", str(tmp_path / "e.json")]
    assert estimators.main(arguments) == 0
    printed = capsys.readouterr().out
    assert (
        "| squared error of new rows; time of fit | digits |" in printed
        and "skipped absent: ended with exit code 1: KeyError" in printed
    )
    kept = json.loads((tmp_path / "e.json").read_text())
    found = kept["jobs"]["rebuild"]["tables"]["digits"]
    assert list(found) == ["AutoencoderTransformer", "PCA"]
    errors = []
    for seed in range(2):
        x, new, *_ = estimators.halves("digits", seed)
        mean = x.mean(axis=0)
        _, _, V = np.linalg.svd(x - mean, full_matrices=False)
        z = (new - mean) @ V[: estimators.CODE].T
        errors.append(((z @ V[: estimators.CODE] + mean - new) ** 2).sum(axis=1).mean())
    assert found["PCA"]["by_seed"]["figures"] == pytest.approx(errors, rel=0.02)  # a randomised solver
    assert found["AutoencoderTransformer"]["ratio"] == 1 and kept["settings"]["seeds"] == 2
    assert estimators.main(["nonsense"]) == 1
    assert "expected 'rebuild' or 'codes' or 'outliers'" in capsys.readouterr().err


def test_one_row_in_twenty_is_unusual():
    seen = []

    class Judge:
        def fit(self, x):
            seen.append(len(x))

        def score_samples(self, x):
            return -x.mean(axis=1)  # malignant cells are larger

    _, auc = estimators.outliers(lambda seed, epochs: Judge(), "breast cancer", 0, 0)
    assert seen == [357 + 357 // 19] and 0.8 < auc < 1
