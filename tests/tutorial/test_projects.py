"""The projects: what measures them runs, and what they quote is so."""

import json
import re
from pathlib import Path

import numpy as np
import pytest

import scratchae as sae
from scratchae.tutorial import chapters

PAGE = (chapters.folder() / "book" / "projects.md").read_text(encoding="utf-8")
PROJECTS = dict(re.findall(r"^## (.+?)\n(.*?)(?=^## |\Z)", PAGE, re.MULTILINE | re.DOTALL))


def names_of(project):
    """What the code of a project defines, with strokes in place of the data that are not always there."""
    names = {}
    (code,) = re.findall(r"```python\n(.*?)```", PROJECTS[project], re.DOTALL)
    exec(re.sub(r"load_data\(.+?\)", 'load_data("strokes")', code), names)
    return names


@pytest.mark.parametrize("project", PROJECTS)
def test_a_project_says_all_that_it_should(project):
    text = PROJECTS[project]
    places = [
        text.find(word)
        for word in ("**After**", "**Hours**", "**Target.**", "**Measure.**", "**In the report:**", "<summary>Hints")
    ]
    assert -1 not in places and places == sorted(places)
    assert re.match(r"\n\*[^*]+\?\*\n", text), "it begins with a question"


def test_the_gain_over_pca():
    given = names_of("A code of sixteen numbers")
    pca = sae.PCA(16).fit(given["train"])
    assert given["gain"](pca, given["validation"][:200]) == pytest.approx(0, abs=1e-4)


def test_the_areas_of_ten_digits():
    given = names_of("One digit is usual")
    x, labels = given["validation"][:300], given["validation_labels"][:300]
    rng = np.random.default_rng(0)
    models = [
        sae.Autoencoder(sae.Dense(784, 2, rng=rng), sae.Dense(2, 784, rng=rng), loss=sae.MSE()) for _ in range(10)
    ]
    alone, pairs = given["areas"](models, x, labels)
    assert np.isnan(np.diag(pairs)).all() and np.isfinite(pairs).sum() == 90
    shares = np.bincount(labels, minlength=10)
    for usual in range(10):  # the area against all others is the mean of those against each, by their number
        others = np.arange(10) != usual
        assert np.average(pairs[usual, others], weights=shares[others]) == pytest.approx(alone[usual])
    file = Path(__file__).parents[2] / "benchmarks" / "results" / "anomaly-2026-11-28.json"
    assert f"{json.loads(file.read_text(encoding='utf-8'))['mean_auc']['PCA-32']:.3f} on test images" in PAGE


def test_a_specialist_is_not_above_itself():
    given = names_of("The wrong noise")
    pca = [sae.PCA(k).fit(given["train"][:500]) for k in (40, 20, 10)]
    x = given["validation"][:100]
    assert given["above"](pca[0], pca, x)[0] == 0
    assert (np.diff(given["errors"](pca[0], x)) > 0).all()


def test_the_network_of_chapter_05_begins_at_the_mean_image():
    given = names_of("A deep sigmoid network that learns")
    x = given["validation"]
    mean = ((given["train"].mean(axis=0) - x) ** 2).sum(axis=1).mean()
    assert f"the mean image has about {mean:.0f}" in PAGE
    given["train"] = given["train"][:1000]
    assert given["judged"](given["network"](), sae.Adam(1e-3), epochs=2) > 0.9 * mean
