import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import scratchae
from scratchae.errors import OptionError
from scratchae.losses import Loss
from scratchae.models import Model
from scratchae.penalties import Penalty
from scratchae.study import CATALOGUE, check_catalogue, check_gradients
from scratchae.study.catalogue import Entry


@pytest.mark.parametrize("name", CATALOGUE)
@settings(max_examples=10)
@given(n=st.integers(1, 4), d=st.integers(1, 5), seed=st.integers(0, 10**6))
def test_every_entry_passes(name, n, d, seed):
    report = CATALOGUE[name].check(n, d, seed)
    assert report.passed and report.worst <= 1e-7, str(report)


@pytest.mark.parametrize("name", CATALOGUE)
def test_every_entry_passes_on_the_device(name, device, to_device):
    entry = CATALOGUE[name]
    subject = entry.make(3)
    if hasattr(subject, "to"):
        subject.to(device)
    report = check_gradients(subject, *map(to_device, entry.inputs(np.random.default_rng(0), 2, 3)))
    assert report.passed and report.worst <= 1e-7, str(report)


def test_everything_public_is_in_the_catalogue():
    def is_subject(thing):
        bases = (scratchae.Layer, Loss, Penalty, Model)
        return isinstance(thing, type) and issubclass(thing, bases) and thing not in bases

    public = {name for name in scratchae.__all__ if is_subject(getattr(scratchae, name))} | {"gaussian_kl"}
    public = public - {"RBM", "DBN"} | {"FreeEnergy"}  # whose direction is no gradient, but made of this one
    made = [entry.make(4) for entry in CATALOGUE.values()]
    assert public == {getattr(thing, "__name__", type(thing).__name__) for thing in made}
    for name, thing in zip(CATALOGUE, made, strict=True):  # under its own name
        assert name.partition(",")[0] == getattr(thing, "__name__", type(thing).__name__)


def test_all_is_what_the_package_exports():
    assert scratchae.__all__ == sorted(set(scratchae.__all__))
    assert all(hasattr(scratchae, name) for name in scratchae.__all__)


def test_noise_acts_while_an_entry_is_checked():
    """Else the derivative of a noisy layer would be checked where it is the identity."""
    for name in ("Dropout", "MaskingNoise", "SaltAndPepper", "GaussianNoise, clipped"):
        (check,) = CATALOGUE[name].check(4, 5, seed=0).checks
        assert np.any(check.analytic == 0)


def test_every_parameter_is_checked():
    names = lambda name: [check.name for check in CATALOGUE[name].check(2, 3, 0).checks]  # noqa: E731
    assert names("Dense") == ["x", "W", "b"]
    assert names("Sequential") == ["x", "0.W", "0.b", "2.0.W", "2.0.b"]
    assert names("Autoencoder, tied") == [
        "encoder.1.W", "encoder.1.b", "encoder.3.W", "encoder.3.b", "decoder.0.b", "decoder.2.b",
    ]  # fmt: skip


def test_check_catalogue():
    reports = check_catalogue()
    assert list(reports) == list(CATALOGUE)
    assert all(report.passed for report in reports.values())


def test_check_catalogue_by_name():
    assert list(check_catalogue("autoencoder")) == [
        "Autoencoder",
        "Autoencoder, convolutional",
        "Autoencoder, sparse",
        "Autoencoder, tied",
    ]
    assert list(check_catalogue("TANH")) == ["Tanh"]
    with pytest.raises(OptionError, match=r"'Conv9d': expected one of Dense, .*Autoencoder, tied"):
        check_catalogue("Conv9d")


def test_a_wrong_entry_would_be_found(monkeypatch):
    class Wrong(scratchae.Tanh):
        def backward(self, dy):
            return -super().backward(dy)

    monkeypatch.setitem(CATALOGUE, "Tanh", Entry(lambda d: Wrong()))
    assert not check_catalogue("Tanh")["Tanh"].passed
