"""What others build, cite and install the project by: the recipe, the citation, Read the Docs, the commands for a room without internet."""

import re
import shlex
import tomllib
from pathlib import Path

import pytest

import scratchae
from scratchae.cli import parser

yaml = pytest.importorskip("yaml", reason="PyYAML is not installed")

ROOT = Path(__file__).parents[1]
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))["project"]
CONDA = {"matplotlib": "matplotlib-base"}  # names that are others there


def requirements(listed):
    """The lowest version of each, by its name at conda-forge."""
    found = (re.match(r"([\w-]+)(?:\[\w+\])? ?>=([\d.]+)$", one) for one in listed)
    return {CONDA.get(one[1], one[1]): one[2] for one in found}


@pytest.fixture(scope="module")
def recipe():
    """The recipe as conda-build reads it: its variables are set in, then it is YAML."""
    text = (ROOT / "recipe" / "meta.yaml").read_text(encoding="utf-8")
    given = {"PYTHON": "python", **dict(re.findall(r'^{% set (\w+) = "(.*?)" %}$', text, re.MULTILINE))}
    text = re.sub(r"^{%.*%}$", "", text, flags=re.MULTILINE)
    return yaml.safe_load(re.sub(r"{{ (\w+) }}", lambda found: given[found[1]], text))


def test_the_recipe_has_the_versions_of_pyproject(recipe):
    assert recipe["package"] == {"name": "scratchae", "version": scratchae.__version__}
    lowest = PROJECT["requires-python"].removeprefix(">=")
    run = requirements(recipe["requirements"]["run"])
    assert run == {"python": lowest, **requirements(PROJECT["dependencies"])}
    assert f"python {lowest}" in recipe["requirements"]["host"] and f"python {lowest}" in recipe["test"]["requires"]
    optional = {}
    for extra in ("images", "onnx", "search", "completion"):
        optional |= requirements(PROJECT["optional-dependencies"][extra])
    assert requirements(recipe["requirements"]["run_constrained"]) == optional


def test_the_recipe_is_what_conda_forge_asks_for(recipe):
    """The rules of its linter, which is not to be had from PyPI."""
    order = ["package", "source", "build", "requirements", "test", "about", "extra"]
    assert list(recipe) == order
    assert recipe["build"]["noarch"] == "python" and recipe["build"]["number"] == 0
    assert recipe["build"]["script"].endswith("-m pip install . -vv --no-deps --no-build-isolation")
    ((name, target),) = PROJECT["scripts"].items()
    assert recipe["build"]["entry_points"] == [f"{name} = {target}"]
    assert "pip" in recipe["requirements"]["host"] and "pip check" in recipe["test"]["commands"]
    about = recipe["about"]
    assert about["summary"] == PROJECT["description"] and about["license"] == PROJECT["license"]
    assert [about["license_file"]] == PROJECT["license-files"] and (ROOT / about["license_file"]).is_file()
    assert "recipe-maintainers" in recipe["extra"]
    assert all(
        (ROOT / "recipe" / recipe["source"]["path"] / name).exists() for name in ("pyproject.toml", "scratchae")
    )
    for command in recipe["test"]["commands"][2:]:
        parser().parse_args(shlex.split(command)[1:])


def test_the_citation_is_of_this_version():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    assert {"cff-version", "message", "title", "authors"} <= set(cited) and cited["type"] == "software"
    assert cited["version"] == scratchae.__version__ and cited["license"] == PROJECT["license"]
    assert [author["name"] for author in cited["authors"]] == [author["name"] for author in PROJECT["authors"]]
    assert cited["keywords"] == PROJECT["keywords"] and cited["title"].startswith("scratchae: ")


def test_read_the_docs_builds_the_book():
    settings = yaml.safe_load((ROOT / ".readthedocs.yaml").read_text(encoding="utf-8"))
    assert settings["version"] == 2 and set(settings["build"]) == {"os", "tools", "commands"}
    install, build = map(shlex.split, settings["build"]["commands"])
    assert install == ["python", "-m", "pip", "install", ".[book]"]
    options = parser().parse_args(build[1:])
    assert build[0] == "scratchae" and options.book == "$READTHEDOCS_OUTPUT/html"
    python = settings["build"]["tools"]["python"]
    assert f"Programming Language :: Python :: {python}" in PROJECT["classifiers"]
