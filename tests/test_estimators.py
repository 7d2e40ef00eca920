"""The face for scikit-learn: its own checks, and that what it gives is what the models here give."""

import io
import pickle
import runpy
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("sklearn", reason="scikit-learn is not installed")
from sklearn.base import clone
from sklearn.datasets import load_breast_cancer
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator, parametrize_with_checks

import scratchae as sae
from scratchae import estimators, uses
from scratchae.errors import ArrayTypeError, DeviceError, OptionError, ShapeError
from scratchae.estimators import AutoencoderTransformer, OutlierDetector, RBMTransformer, VAETransformer
from scratchae.presets import PRESETS

TRANSFORMERS = (AutoencoderTransformer, VAETransformer, RBMTransformer)
ALL = (*TRANSFORMERS, OutlierDetector)
each = pytest.mark.parametrize("kind", ALL)
each_transformer = pytest.mark.parametrize("kind", TRANSFORMERS)
rng = np.random.default_rng(0)
UNIT = rng.random((40, 6))
TABLE = UNIT @ rng.standard_normal((6, 6)) * 50 + 1000


def quick(kind, **options):
    return kind(**{"epochs": 2, "random_state": 0, **options})


@pytest.fixture
def every_check(monkeypatch):
    """One of scikit-learn's checks is skipped, unless its variable is set."""
    monkeypatch.setenv("SCIPY_ARRAY_API", "1")


# the checks' data are noise, of which a variational code keeps nothing, and `fit` says so
noise = pytest.mark.filterwarnings("ignore:the code is not used")


@noise
@parametrize_with_checks([kind(epochs=20) for kind in ALL])
def test_scikit_learns_checks(estimator, check, every_check):
    check(estimator)


@noise
@pytest.mark.slow
@each
def test_scikit_learns_checks_of_the_defaults(kind, every_check):
    assert {found["status"] for found in check_estimator(kind())} == {"passed"}


# What it gives


@each_transformer
@pytest.mark.parametrize("x", [UNIT, TABLE], ids=["unit", "table"])
def test_it_encodes_and_decodes_as_the_model_does(kind, x):
    found = quick(kind, code=3).fit(x)
    scaled = x if x is UNIT else (x - x.mean(axis=0)) / x.std(axis=0)
    assert (found.scaler_ is None) == (x is UNIT)
    z = found.transform(x)
    np.testing.assert_allclose(z, found.model_.encode(scaled), rtol=1e-9)
    made = found.model_.reconstruct(scaled)
    made = made if x is UNIT else made * x.std(axis=0) + x.mean(axis=0)
    np.testing.assert_allclose(found.inverse_transform(z), made, rtol=1e-9)
    assert z.shape == (40, 3) and len(found.history_["loss"]) == 2
    assert found.score(x) == pytest.approx(found.score_samples(x).mean())


def test_the_network_is_the_one_that_was_asked_for():
    found = quick(AutoencoderTransformer, code=2, hidden=(9, 5)).fit(TABLE)
    dense = [layer for _, layer in found.model_.leaves() if isinstance(layer, sae.Dense)]
    assert [layer.outputs for layer in dense] == [9, 5, 2, 5, 9, 6]
    assert quick(VAETransformer, hidden=(7,), beta=2.0).fit(TABLE).model_.beta == 2
    assert quick(RBMTransformer).fit(UNIT).model_.visible_units == "bernoulli"
    assert quick(RBMTransformer).fit(TABLE).model_.visible_units == "gaussian"


@pytest.mark.parametrize("dtype", [np.float32, np.float64])
@each_transformer
def test_it_computes_in_the_dtype_that_it_was_given(kind, dtype):
    found = quick(kind, code=2).fit(TABLE.astype(dtype))
    z = found.transform(TABLE.astype(dtype))
    assert found.model_.parameters.dtype == z.dtype == found.inverse_transform(z).dtype == dtype
    assert found.score_samples(TABLE).dtype == np.float64


def test_scale_can_be_switched_off():
    x = np.random.default_rng(0).standard_normal((30, 4))
    found = quick(AutoencoderTransformer, scale=False).fit(x)
    assert found.scaler_ is None
    np.testing.assert_array_equal(found.transform(x), found.model_.encode(x))


def test_scores_are_error_bound_and_free_energy():
    found = quick(AutoencoderTransformer).fit(UNIT)
    error = ((found.model_.reconstruct(UNIT) - UNIT) ** 2).sum(axis=1)
    np.testing.assert_allclose(found.score_samples(UNIT), -error)
    found = quick(RBMTransformer, code=4).fit(UNIT)
    np.testing.assert_allclose(found.score_samples(UNIT), -found.model_.free_energy(UNIT))
    for x in (UNIT, TABLE):
        found = quick(VAETransformer, epochs=30).fit(x)
        bound = np.mean([found.model_.elbo(found.scaled(x), seed)["negative_elbo"] for seed in range(50)])
        many = uses.score(found.model_, found.scaled(x), "elbo", samples=2000).values
        assert many.mean() == pytest.approx(bound, rel=0.01)
        assert found.score(x) == pytest.approx(-bound, rel=0.2)  # ten draws


@each
def test_the_same_seed_gives_the_same_numbers(kind):
    first, again, other = (quick(kind, random_state=seed).fit(TABLE).score_samples(TABLE) for seed in (1, 1, 2))
    np.testing.assert_array_equal(first, again)
    assert not np.allclose(first, other)
    state = np.random.RandomState(0)
    assert not np.allclose(*(quick(kind, random_state=state).fit(TABLE).score_samples(TABLE) for _ in range(2)))


def test_it_works_on_a_device(device):
    x = UNIT.astype(np.float32)
    here, there = (quick(AutoencoderTransformer, device=place).fit(x) for place in ("cpu", device))
    assert sae.array_module(there.model_.parameters) is sae.backend.device_module(device)
    np.testing.assert_allclose(there.transform(x), here.transform(x), rtol=1e-4, atol=1e-5)
    np.testing.assert_allclose(there.score_samples(x), here.score_samples(x), rtol=1e-4)


def test_codes_of_a_real_table_keep_more_than_pca():
    from sklearn.decomposition import PCA

    x = load_breast_cancer().data
    x = (x - x.mean(axis=0)) / x.std(axis=0)
    learned, new = x[::2], x[1::2]
    errors = [
        ((coder.inverse_transform(coder.transform(new)) - new) ** 2).sum(axis=1).mean()
        for coder in (AutoencoderTransformer(3, random_state=0).fit(learned), PCA(3).fit(learned))
    ]
    assert errors[0] < 0.95 * errors[1]


# Outliers


def test_outliers_are_what_is_rebuilt_badly():
    generator = np.random.default_rng(1)
    usual = generator.standard_normal((200, 2)) @ generator.standard_normal((2, 8))
    odd = generator.standard_normal((20, 8)) * usual.std()
    found = OutlierDetector(2, contamination=0.05, epochs=30, random_state=0).fit(usual)
    assert (found.predict(usual) == -1).sum() == 10
    assert (found.predict(odd) == -1).sum() >= 19
    np.testing.assert_array_equal(found.decision_function(odd), found.score_samples(odd) - found.offset_)
    np.testing.assert_array_equal(found.predict(odd), np.where(found.decision_function(odd) < 0, -1, 1))
    machine = quick(OutlierDetector, model=binary_machine).fit(UNIT)
    np.testing.assert_allclose(machine.score_samples(UNIT), -machine.model_.free_energy(UNIT))


def binary_machine(rng, form):
    return sae.RBM(form.features, 4, rng=rng)


# In the company of others


def own(rng, form):
    code = sae.Sequential(sae.GaussianNoise(0.1), sae.Dense(form.features, form.code, rng=rng), sae.Tanh())
    return sae.Autoencoder(code, sae.Dense(form.code, form.features, rng=rng), loss=sae.MSE())


def convolution(rng, form):
    down = sae.Sequential(
        sae.Reshape((3, 2, 1)),
        sae.Conv2d(1, 2, 3, padding=1, rng=rng),
        sae.ReLU(),
        sae.Flatten(),
        sae.Dense(12, 4, rng=rng),
    )
    return sae.Autoencoder(down, sae.Dense(4, form.features, rng=rng), loss=sae.MSE())


@pytest.mark.parametrize("model", [own, convolution, PRESETS["k-sparse"].build, PRESETS["contractive"].build])
def test_a_model_of_ones_own(model):
    found = quick(AutoencoderTransformer, code=4, model=model).fit(TABLE)
    assert found.inverse_transform(found.transform(TABLE)).shape == TABLE.shape
    assert found.get_feature_names_out()[-1] == f"autoencodertransformer{found.transform(TABLE).shape[1] - 1}"


def test_a_search_in_two_processes_over_a_pipeline():
    y = TABLE[:, 0] > TABLE[:, 0].mean()
    line = make_pipeline(quick(AutoencoderTransformer, model=own), LogisticRegression())
    grid = {"autoencodertransformer__code": [1, 5], "autoencodertransformer__epochs": [1, 60]}
    search = GridSearchCV(line, grid, n_jobs=2, cv=3).fit(TABLE, y)
    assert search.best_score_ > 0.8
    again = GridSearchCV(line, grid, cv=3).fit(TABLE, y)
    np.testing.assert_allclose(search.cv_results_["mean_test_score"], again.cv_results_["mean_test_score"])
    assert GridSearchCV(quick(VAETransformer), {"beta": [0.1, 1.0]}, cv=2).fit(TABLE).best_score_ < 0


@each
def test_clones_and_pickles(kind):
    found = quick(kind, code=3).fit(TABLE)
    twin = clone(found)
    assert twin.get_params() == found.get_params() and not hasattr(twin, "model_")
    back = pickle.load(io.BytesIO(pickle.dumps(found)))
    np.testing.assert_array_equal(back.score_samples(TABLE), found.score_samples(TABLE))


@each_transformer
def test_tables_with_names_come_out_with_names(kind):
    pandas = pytest.importorskip("pandas", reason="pandas is not installed")
    table = pandas.DataFrame(TABLE, columns=list("abcdef"), index=range(100, 140))
    found = quick(kind, code=2).set_output(transform="pandas").fit(table)
    codes = found.transform(table)
    name = kind.__name__.lower()
    assert list(codes.columns) == list(found.get_feature_names_out()) == [f"{name}0", f"{name}1"]
    assert list(codes.index) == list(table.index) and list(found.feature_names_in_) == list("abcdef")
    with pytest.raises(ValueError, match="feature names should match"):
        found.transform(table.rename(columns={"a": "z"}))


# What cannot be used


def sparse(x):
    from scipy.sparse import csr_array

    return csr_array(x)


@each
@pytest.mark.parametrize(
    ("x", "error", "message"),
    [
        (sparse(TABLE), TypeError, "Sparse data was passed.*dense data is required.*toarray"),
        (np.where(TABLE[3, 2] == TABLE, np.nan, TABLE), ValueError, "X contains NaN"),
        (np.ma.masked_greater(TABLE, 1000), ArrayTypeError, r"X holds masked cells.*X.filled\(0\)"),
        (TABLE[:1], ValueError, "1 sample.*minimum of 2 is required"),
        (TABLE[:, 0], ValueError, "Expected 2D array, got 1D array"),
        (np.array([["a", "b"], ["c", "d"]]), ValueError, "could not convert string to float|Unable to convert"),
    ],
)
def test_data_that_cannot_be_used(kind, x, error, message):
    with pytest.raises(error, match=message):
        quick(kind).fit(x)


@each
def test_rows_of_another_width_and_too_early_a_call(kind):
    with pytest.raises(NotFittedError, match=f"This {kind.__name__} instance is not fitted yet"):
        quick(kind).score_samples(TABLE)
    with pytest.raises(ValueError, match=f"X has 4 features, but {kind.__name__} is expecting 6 features"):
        quick(kind).fit(TABLE).score_samples(TABLE[:, :4])


@each_transformer
def test_codes_of_another_width(kind):
    with pytest.raises(
        ShapeError, match=r"inverse_transform: X has 6 columns, and codes have 2: give it what transform"
    ):
        quick(kind, code=2).fit(TABLE).inverse_transform(TABLE)


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"code": 0}, OptionError, r"(code=0): expected a whole number, at least 1"),
        ({"epochs": 2.5}, OptionError, "(epochs=2.5): expected a whole number"),
        ({"batch_size": 0}, OptionError, "(batch_size=0): expected a whole number"),
        ({"lr": -1}, OptionError, "(lr=-1): expected a number, 0 < lr"),
        ({"scale": "yes"}, OptionError, "(scale='yes'): expected True or False"),
        ({"device": "tpu"}, (DeviceError, OptionError), "tpu"),
        ({"random_state": "x"}, ValueError, "'x' cannot be used to seed"),
        ({"hidden": 128}, OptionError, "(hidden=128): expected a tuple"),
        ({"model": "deep"}, OptionError, "(model='deep'): expected a function (rng, form)"),
        ({"model": lambda rng, form: sae.Dense(6, 6, rng=rng)}, OptionError, "it returned Dense(6, 6"),
        ({"model": lambda rng, form: convolution(rng, form).to("cpu") and own(rng, wider(form))}, ShapeError, "6"),
        ({"beta": -1}, OptionError, "(beta=-1): expected a number, 0 <= beta"),
        ({"contamination": 0.6}, OptionError, "(contamination=0.6): expected a number, 0 < contamination <= 0.5"),
    ],
)
def test_options_that_cannot_be_used(options, error, message):
    kinds = [kind for kind in ALL if set(options) <= set(kind().get_params())]
    assert kinds
    for kind in kinds:
        with pytest.raises(error) as raised:
            quick(kind, **options).fit(TABLE)
        assert message in str(raised.value)


def test_a_fit_that_failed_leaves_nothing_half_fitted():
    found = quick(OutlierDetector, code=0)
    with pytest.raises(OptionError):
        found.fit(TABLE)
    with pytest.raises(NotFittedError):
        found.predict(TABLE)


def wider(form):
    return type(form)((form.features + 1,), code=3)


def test_ctrl_c_ends_a_search_too(monkeypatch):
    def interrupted(*_, **__):
        history = sae.History({"loss": [1.0]})
        history.interrupted = True
        return history

    monkeypatch.setattr(estimators, "fit", interrupted)
    with pytest.raises(KeyboardInterrupt):
        AutoencoderTransformer().fit(TABLE)


def test_without_scikit_learn_one_sentence_says_what_to_install():
    script = (
        "import sys; sys.modules['sklearn'] = None\n"
        "import scratchae\n"
        "try:\n    scratchae.estimators\n"
        "except ImportError as error:\n    print(error)"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == (
        "scratchae.estimators needs scikit-learn 1.6 or newer, which is not installed: pip install 'scratchae[sklearn]'"
    )


# The gallery

GALLERY = sorted((Path(__file__).parents[1] / "tutorials" / "gallery").glob("*.py"))


@pytest.mark.parametrize("path", GALLERY, ids=lambda path: path.stem)
def test_the_gallery_runs(path, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    runpy.run_path(str(path))["main"](epochs=2)
    assert capsys.readouterr().out.count("\n") >= 3


def test_the_gallery_has_four_scripts():
    assert len(GALLERY) == 4
