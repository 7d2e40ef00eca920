"""A classifier: layers that end in one number for each class, trained on labels."""

from __future__ import annotations

import numpy as np

from ..arguments import affordable, whole
from ..backend import Array, array_module, require_array, require_examples, require_floats, to_numpy
from ..errors import DataError, ShapeError
from ..layers import Layer
from ..layers.layer import as_layer
from ..losses import SoftmaxCrossEntropy
from .model import Model


class Classifier(Model):
    """P(class | x) = softmax(net(x)); L = the cross-entropy of the label, see SoftmaxCrossEntropy.

    A row of the training data (N, D + classes) holds the features and after them the label: a 1 in one of the last `classes`
    columns. `with_labels(x, labels, classes)` makes such rows. So `fit`, with its checkpoints, validation and shuffling, need
    not know about labels. `predict` and `probabilities` take only the features, (N, D).
    """

    part_names = ("net",)
    examples_apart = True
    symbols = {"features": "x", "labels": "t"}
    notes = {"logits": "the logits"}
    formulas = {
        "features": "x[:, :-classes]  # The first columns are what is looked at.",
        "labels": "x[:, -classes:]  # The last columns say the class.",
        "logits": "net(features)",
        "loss": "SoftmaxCrossEntropy(logits, labels)",
        "dfeatures": "backward(net, dlogits)",
    }

    dlogits: Array | None = None  # until `objective` has run

    def __init__(self, net: Layer, classes: int):
        self.net, self.classes = as_layer(net, "net"), whole(self, "classes", classes, least=2)
        self.gather()

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """{"loss": cross-entropy, nats per example; "error": the share of examples whose most likely class is not the label}."""
        xp = array_module(x)
        features, labels = self.parted(x)
        logits = self.net.forward(features, rng)
        loss, self.dlogits = SoftmaxCrossEntropy()(logits, labels)
        error = xp.mean((xp.argmax(logits, axis=1) != xp.argmax(labels, axis=1)).astype(x.dtype))
        return {"loss": loss, "error": error}

    def backward(self) -> None:
        self.net.backward_first(self.dlogits)

    def probabilities(self, x: Array) -> Array:
        """P(class | x), (N, classes), for x without labels."""
        return SoftmaxCrossEntropy().mean(self.net.forward(x))

    def predict(self, x: Array) -> Array:
        """The most likely class of each x, (N,), for x without labels."""
        return array_module(x).argmax(self.net.forward(x), axis=1)

    def parted(self, x: Array) -> tuple[Array, Array]:
        """The features of x, and its labels. Raises ShapeError if x has no columns for both."""
        require_examples(x)
        if x.ndim != 2 or x.shape[1] <= self.classes:
            raise ShapeError(
                f"Classifier expects rows of features and {self.classes} columns for the label, got shape {tuple(x.shape)}: "
                "use with_labels(x, labels, classes)"
            )
        return x[:, : -self.classes], x[:, -self.classes :]

    def check_data(self, x: Array) -> None:
        features, labels = self.parted(x)
        SoftmaxCrossEntropy().check_target(labels)
        logits = self.net.forward(features[:1])
        if logits.shape[1:] != (self.classes,):
            raise ShapeError(
                f"the net makes examples of shape {logits.shape[1:]}: expected ({self.classes},), one number for each class"
            )


def with_labels(x: Array, labels: Array, classes: int, *, every_class: bool = True) -> Array:
    """Rows (N, D + classes): x (N, D), followed by 1 in the column of the label and 0 elsewhere.

    labels (N,), whole numbers below `classes`. Raises DataError for a label out of range, and for a class without an
    example, since a model cannot learn such a class. `every_class=False` permits it, for a small test or validation set.
    """
    xp, classes = require_floats(x), whole("with_labels", "classes", classes)
    require_array(labels, "labels")
    if labels.shape != x.shape[:1] or x.ndim != 2:
        raise ShapeError(
            f"with_labels: x has shape {tuple(x.shape)}, labels {tuple(labels.shape)}: expected (N, D) and (N,)"
        )
    if labels.dtype.kind not in "iu" or len(x) == 0 or int(labels.min()) < 0 or int(labels.max()) >= classes:
        found = f"{labels.dtype}" + (f" from {labels.min()} to {labels.max()}" if len(x) else ", none")
        raise DataError(f"with_labels: labels are {found}: expected whole numbers from 0 to {classes - 1}")
    affordable("with_labels", len(x), classes)
    one_hot = (labels[:, None] == xp.arange(classes)).astype(x.dtype)  # (N, classes)
    counts = [int(count) for count in xp.sum(one_hot, axis=0, dtype=xp.int64)]
    if every_class and 0 in counts:
        raise DataError(
            f"with_labels: class {counts.index(0)} has no examples: "
            "number the classes from 0 without gaps, or permit empty classes with every_class=False"
        )
    return xp.concatenate([x, one_hot], axis=1)


def require_classes(y: Array) -> None:
    """Raise DataError unless each row of y (N, classes), the last columns of x, holds a single 1 among zeros."""
    wrong = ~(((y == 0) | (y == 1)).all(axis=1) & (y.sum(axis=1) == 1))
    if wrong.any():
        row, classes = int(to_numpy(wrong).argmax()), y.shape[1]
        raise DataError(
            f"the last {classes} columns of x must hold a single 1 among zeros, the class: "
            f"{int(wrong.sum())} of {len(y)} rows do not, the first is row {row}: append np.eye({classes})[classes]"
        )
