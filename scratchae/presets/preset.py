"""A named experiment: a model, its data and its recipe."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np

from ..data import load_data, pixels
from ..errors import OptionError
from ..models import Model
from ..models.classifier import with_labels
from ..optimizers import Adam, Cosine, Optimizer

HELD_OUT = 60  # one in 60 training examples is kept for validation: 1,000 of MNIST's 60,000


@dataclass(frozen=True)
class Examples:
    """Data ready for a model: float32 (N, D), or images (N, H, W, C), and the labels of the test examples, if there are any.

    For a model that is told the class too, the last `labels` columns are the class, one-hot.
    """

    train: np.ndarray
    validation: np.ndarray
    test: np.ndarray
    test_labels: np.ndarray | None = None
    labels: int = 0

    @property
    def features(self) -> int:
        """The number of numbers in an example, without the class."""
        return self.test[0].size - self.labels


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    build: makes the model, with weights drawn from a generator. optimizer: makes the optimizer, from a learning rate and
    the number of updates. code: the size of the code, and of the code of PCA beside it. shape: the shape of an image for
    the model. synthetic: a function of a generator and a number of examples, for presets that make their own data.
    variants: models to train and draw beside this one. labels: the number of classes, for a model of rows that is told the
    class as well; 0 for all others. pretrain: called as pretrain(model, x, seed=…, device=…) before training, to give the
    model better initial weights; after Ctrl-C it raises KeyboardInterrupt.
    """

    name: str
    summary: str
    build: Callable[[np.random.Generator], Model]
    code: int
    epochs: int
    batch_size: int
    lr: float = 1e-3
    optimizer: Callable[[float, int], Optimizer] = lambda lr, steps: Adam(lr)
    shape: tuple[int, ...] = (784,)
    synthetic: Callable[[np.random.Generator, int], np.ndarray] | None = None
    variants: dict[str, Callable[[np.random.Generator], Model]] = field(default_factory=dict)
    labels: int = 0
    pretrain: Callable[..., None] | None = None

    def examples(self, data: str | None = None, directory: str | None = None) -> Examples:
        """The preset's data: images by name (default "strokes"), or data that it makes itself."""
        if self.synthetic is not None:
            if data is not None or directory is not None:
                raise OptionError(
                    f"preset {self.name!r} makes its own data: leave out "
                    + (f"--data {data}" if data is not None else "--data-dir")
                )
            train, test = (self.synthetic(np.random.default_rng([1, i]), n) for i, n in enumerate((12_000, 2_000)))
            return split(train, test)
        data = data or "strokes"
        if data == "strokes" and directory is not None:
            raise OptionError("strokes are drawn by code: leave out --data-dir, or add --data mnist")
        images = load_data(data, directory)
        train, test = (pixels(x).reshape(-1, *self.shape) for x in (images.train_images, images.test_images))
        if self.labels:
            train = with_labels(train, images.train_labels, self.labels, every_class=False)
            test = with_labels(test, images.test_labels, self.labels, every_class=False)
        return split(train, test, images.test_labels, self.labels)


def warm_cosine(
    warmup: int = 200, weight_decay: float = 0.0, clip_norm: float | None = None
) -> Callable[[float, int], Optimizer]:
    """A recipe's optimizer: Adam. Its rate rises over the first `warmup` updates, at most a tenth of all, and then falls to 0."""
    return lambda lr, steps: Adam(
        Cosine(lr, steps, warmup=min(warmup, steps // 10)), weight_decay=weight_decay, clip_norm=clip_norm
    )


def split(train: np.ndarray, test: np.ndarray, test_labels: np.ndarray | None = None, labels: int = 0) -> Examples:
    """Keep the last sixtieth of the training rows for validation. The test rows are used for the final figures only."""
    held_out = max(len(train) // HELD_OUT, 1)
    return Examples(train[:-held_out], train[-held_out:], test, test_labels, labels)
