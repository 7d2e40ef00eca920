"""Searches: what is tried, kept and gone on with; and the jobs that judge a code."""

import json

import numpy as np
import pytest

import scratchae.data
from scratchae.data import strokes
from scratchae.errors import OptionError, RunError
from scratchae.presets import find_preset
from scratchae.runs import searching, train
from scratchae.runs.comparing import compare
from scratchae.runs.jobs import use
from scratchae.runs.searching import read_space, search, trials_of


@pytest.fixture(autouse=True)
def few(monkeypatch, tmp_path):
    data = strokes(240, 60)
    monkeypatch.setattr(scratchae.data, "strokes", lambda: data)
    monkeypatch.setattr("scratchae.runs.autoencoder.draw", lambda *_: None)
    monkeypatch.setattr("scratchae.runs.variational.draw", lambda *_: None)
    monkeypatch.chdir(tmp_path)


def test_every_combination_or_so_many_that_are_drawn():
    assert trials_of(read_space(["code=2,3", "lr=0.1,0.2"]), None, 0) == [
        {"code": code, "lr": lr} for code in (2, 3) for lr in (0.1, 0.2)
    ]
    drawn = trials_of(read_space(["code=2..20", "lr=1e-4..1e-2"]), 200, 0)
    rates = np.log10([each["lr"] for each in drawn])
    assert -4 <= rates.min() < -3.9 and -2.1 < rates.max() <= -2 and rates.mean() == pytest.approx(-3, abs=0.15)
    assert {type(each["code"]) for each in drawn} == {int}
    assert drawn == trials_of(read_space(["code=2..20", "lr=1e-4..1e-2"]), 200, 0)
    assert len(trials_of(read_space(["lr=1e-4..1e-2"]), None, 0)) == 20


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("x=3", "expected a setting and its values"),
        ("code", "expected a setting"),
        ("lr=0..1", "a range of numbers above 0"),
        ("code=a", "expected numbers"),
    ],
)
def test_spaces_that_cannot_be(text, message):
    with pytest.raises(OptionError, match=message):
        read_space([text])


def test_a_search_goes_on_where_it_stopped(tmp_path, monkeypatch, capsys):
    space = read_space(["code=2,8", "lr=0.003"])
    straight = search("deep", space, epochs=1, out=tmp_path / "a")
    taken = []
    real = searching.trial

    def stopping(*arguments):
        taken.append(arguments[2])
        if len(taken) == 2:
            raise KeyboardInterrupt
        return real(*arguments)

    monkeypatch.setattr(searching, "trial", stopping)
    with pytest.raises(KeyboardInterrupt):
        search("deep", space, epochs=1, out=tmp_path / "b")
    assert search("deep", space, epochs=1, out=tmp_path / "b") == straight
    assert len(taken) == 3
    assert straight[0]["figure"] < straight[1]["figure"]
    assert (tmp_path / "b" / "trials.png").is_file()
    with pytest.raises(RunError, match="holds a search with another epochs"):
        search("deep", space, epochs=2, out=tmp_path / "b")
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine" / "file").write_text("")
    with pytest.raises(RunError, match="holds no search"):
        search("deep", space, epochs=1, out=tmp_path / "mine")


@pytest.mark.parametrize("backend", ["loky", "all at once"])
def test_processes_give_the_same_as_one(tmp_path, backend):
    """Also where a backend gives no result before it has all of them, as Ray's."""
    joblib = pytest.importorskip("joblib")
    kind = type("AllAtOnce", (joblib._parallel_backends.ThreadingBackend,), {"supports_return_generator": False})
    joblib.register_parallel_backend("all at once", kind)
    np.savetxt(
        tmp_path / "t.csv",
        np.random.default_rng(0).normal(size=(60, 4)),
        delimiter=",",
        header="a,b,c,d",
        comments="",
    )
    space = read_space(["code=1,2,3"])
    with joblib.parallel_config(backend):
        one, two = (
            search("table", space, data=str(tmp_path / "t.csv"), epochs=2, jobs=jobs, out=tmp_path / f"{jobs}")
            for jobs in (1, 2)
        )
    assert [each["settings"] for each in one] == [each["settings"] for each in two]
    assert [each["figure"] for each in one] == pytest.approx([each["figure"] for each in two], rel=1e-4)


def test_trials_with_another_beta_or_noise_can_be_compared(tmp_path):
    for preset, space in (("vae", "beta=1,50"), ("denoising", "noise=0.1,0.9")):
        done = search(preset, read_space([space]), epochs=1, out=tmp_path / preset)
        assert len(done) == 2 and all(np.isfinite(each["figure"]) for each in done)
    with pytest.raises(OptionError, match="--over beta: deep is no variational"):
        search("deep", read_space(["beta=1"]), epochs=1, out=tmp_path / "c")
    with pytest.raises(OptionError, match="--over noise: deep does not begin with noise"):
        search("deep", read_space(["noise=1"]), epochs=1, out=tmp_path / "d")


def test_a_trial_that_diverges_is_kept_as_such(tmp_path, capsys):
    done = search("deep-linear-code", read_space(["lr=0.001,1e30"]), epochs=2, out=tmp_path / "a")
    assert [each["figure"] is None for each in done] == [False, True]
    assert "diverged" in capsys.readouterr().out


# Jobs that judge a code, and runs side by side


def test_probe_and_embed(tmp_path, monkeypatch, capsys):
    monkeypatch.setattr("scratchae.runs.probes.COUNTS", (20,))
    monkeypatch.setattr("scratchae.runs.probes.SEEDS", 2)
    monkeypatch.setattr("scratchae.runs.probes.TUNED", 1)
    monkeypatch.setattr("scratchae.uses.probing.fit", lambda *_, **__: None)
    train(find_preset("vae"), out=tmp_path / "vae", epochs=2, batch_size=20, code=4, hidden=(20, 9))
    use("probe", tmp_path / "vae", out=tmp_path / "p")
    found = capsys.readouterr().out
    for what in (
        "vae, linear",
        "PCA-4, neighbours",
        "the data themselves, linear",
        "classifier from the code",
        "classifier from scratch",
    ):
        assert what in found
    assert {path.name for path in (tmp_path / "p").iterdir()} == {"probe.csv", "probe.png"}
    use("embed", tmp_path / "vae", out=tmp_path / "e")
    assert {path.name for path in (tmp_path / "e").iterdir()} == {"embed.png", "neighbours.png", "groups.csv"}
    assert "have the most frequent class of their group" in capsys.readouterr().out
    with pytest.raises(OptionError, match="needs training and test examples with classes"):
        use("probe", tmp_path / "vae", data=str(tmp_path / "vae"))


def test_runs_side_by_side(tmp_path, capsys):
    for name, options in (("one", {}), ("two", {"lr": 0.01}), ("other", {"seed": 1})):
        train(find_preset("deep"), out=tmp_path / name, epochs=1, **options)
    table = compare([tmp_path / "one", tmp_path / "two"], out=tmp_path / "c")
    assert {path.name for path in (tmp_path / "c").iterdir()} == {"loss.png", "reconstructions.png"}
    record = json.loads((tmp_path / "two" / "run.json").read_text(encoding="utf-8"))
    lines = dict(line.split(maxsplit=1) for line in table.splitlines()[1:] if line.startswith(("lr", "squared")))
    assert lines["lr"].split() == ["0.001", "0.01"]
    assert f"{record['figures']['deep']['squared_error']:.4f}" in table
    assert not any(line.startswith(("seed", "epochs")) for line in table.splitlines())  # in these they agree
    with pytest.raises(OptionError, match="at least two"):
        compare([tmp_path / "one"], out=tmp_path / "c")
    train(find_preset("overcomplete"), out=tmp_path / "plane", epochs=1)
    with pytest.raises(OptionError, match="different shapes"):
        compare([tmp_path / "one", tmp_path / "plane"], out=tmp_path / "c")
