"""A peer that computes something else is found and named."""

import numpy as np
import pytest

from scratchae.bench import agreement


def tensors():
    rng = np.random.default_rng(0)
    return {"loss": np.array(3.0), "gradient of encoder.0.W": rng.standard_normal((4, 3)), "encoder.0.b": np.zeros(3)}


def test_equal_tensors_agree():
    found = agreement.require_agreement("PyTorch", tensors(), tensors(), 1e-4)
    assert found["largest_relative_difference"] == 0


def perturb(name, change):
    theirs = tensors()
    theirs[name] = change(theirs[name])
    return theirs


@pytest.mark.parametrize(
    ("name", "change"),
    [
        ("gradient of encoder.0.W", lambda g: g * 1.001),
        ("gradient of encoder.0.W", lambda g: -g),
        ("gradient of encoder.0.W", lambda g: g.T),
        ("gradient of encoder.0.W", lambda g: g * np.nan),
        ("loss", lambda loss: loss / 784),
        ("encoder.0.b", lambda b: b + 1e-9),
    ],
)
def test_a_wrong_peer_is_named_with_its_tensor(name, change):
    with pytest.raises(agreement.DisagreementError, match=f"PyTorch disagrees with scratchae in {name}:"):
        agreement.require_agreement("PyTorch", tensors(), perturb(name, change), 1e-4)


def test_a_missing_tensor_is_a_disagreement():
    theirs = tensors()
    del theirs["loss"]
    with pytest.raises(agreement.DisagreementError, match="in loss"):
        agreement.require_agreement("JAX", tensors(), theirs, 1e-4)
