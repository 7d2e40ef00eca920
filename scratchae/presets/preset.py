"""A named experiment: a model, its data and its recipe."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from ..data import NAMES, Examples, Scaling, Stream, load_examples, named_examples, split
from ..errors import OptionError
from ..models import Model
from ..models.classifier import with_labels
from ..optimizers import Adam, Cosine, Optimizer
from .form import Form


@dataclass(frozen=True)
class Preset:
    """A named experiment.

    build: makes the model, with weights drawn from a generator, for a `Form`: the shape and range of the data, and sizes that a
    person has chosen. optimizer: makes the optimizer, from a learning rate and the number of updates. code: the size of the
    code, and of the code of PCA beside it. shape: what the model takes, (D,) for rows of any length, (T, D) for sequences, such as
    the rows of an image, (H, W, C) for images of any size. synthetic: a function of a generator and a number of examples, for presets that make their own data.
    variants: models to train and draw beside this one. labels: the number of classes, for a model of rows that is told the
    class as well; 0 for all others. pretrain: called as pretrain(model, x, seed=…, device=…) before training, to give the
    model better initial weights; after Ctrl-C it raises KeyboardInterrupt.
    """

    name: str
    summary: str
    build: Callable[..., Model]
    code: int
    epochs: int
    batch_size: int
    lr: float = 1e-3
    optimizer: Callable[[float, int], Optimizer] = lambda lr, steps: Adam(lr)
    shape: tuple[int, ...] = (784,)
    synthetic: Callable[[np.random.Generator, int], np.ndarray] | None = None
    variants: dict[str, Callable[..., Model]] = field(default_factory=dict)
    labels: int = 0
    pretrain: Callable[..., None] | None = None

    def examples(
        self, data: str | None = None, directory: str | None = None, own: dict[str, Any] | None = None, seed: int = 0
    ) -> Examples:
        """The preset's data: by name (default "strokes"), of a person's own by the path of a file or a folder, or data that it
        makes itself. own: how a person's own data are read, as in `load_examples`; seed: that of their split.
        """
        own = {name: value for name, value in (own or {}).items() if value is not None}
        if self.synthetic is not None:
            if data is not None or directory is not None:
                raise OptionError(
                    f"preset {self.name!r} makes its own data: leave out "
                    + (f"--data {data}" if data is not None else "--data-dir")
                )
            train, test = (self.synthetic(np.random.default_rng([1, i]), n) for i, n in enumerate((12_000, 2_000)))
            shape = train.shape[1:]
            as_made = Scaling(
                "left as they are", bool(0 <= train.min() <= train.max() <= 1), np.float32(0), np.float32(1)
            )
            return split(train, test, shape=shape, scaling=as_made, kept={"source": "synthetic"})
        data = data or "strokes"
        if data not in NAMES:
            if directory is not None:
                raise OptionError(
                    f"--data-dir is the folder of the MNIST files, and --data {data} is not one of theirs: leave it out"
                )
            return self.taking(load_examples(data, seed=seed, **own))
        if own:
            raise OptionError(
                f"--{next(iter(own))} says how data of your own are read, and {data} is not: leave it out"
            )
        if data == "strokes" and directory is not None:
            raise OptionError("strokes are drawn by code: leave out --data-dir, or add --data mnist")
        return self.taking(named_examples(data, directory))

    def taking(self, examples: Examples) -> Examples:
        """The examples in the shape that the model takes. Raises OptionError if it needs classes and there are none."""
        shape = self.taken(examples.shape)
        parts = {part: shaped(getattr(examples, part), shape) for part in ("train", "validation", "test")}
        if self.labels:
            if isinstance(examples.train, Stream):
                raise OptionError(
                    f"preset {self.name!r} cannot learn from data that are larger than memory: choose another preset, or a part of them"
                )
            if examples.test_labels is None:
                raise OptionError(
                    f"preset {self.name!r} is told the class of each example, and the data have none: name the column, --label COLUMN, "
                    "sort images into a subfolder for each class, or choose another preset"
                )
            classes = len(examples.classes)
            for part, x in parts.items():
                labels = getattr(examples, f"{part}_labels")
                parts[part] = with_labels(x, labels, classes, every_class=False)
            examples = replace(examples, labels=classes)
        return replace(examples, **parts)

    def taken(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """The shape in which the model takes an example of this shape: as it is, as a row, or as a sequence of its rows. To a model of
        sequences a row, as of a table, is a series of single numbers.
        """
        if len(self.shape) == 1:
            return (math.prod(shape),)
        if len(self.shape) == 2:
            return (shape[0], math.prod(shape[1:])) if len(shape) > 1 else (shape[0], 1)
        return shape

    def form(self, examples: Examples, **chosen: Any) -> Form:
        """What the network has to fit: the examples, and what a person has chosen."""
        shape = (examples.features,) if len(self.shape) == 1 else tuple(examples.test.shape[1:])
        return Form(shape, examples.scaling.unit, labels=examples.labels, **chosen)


def shaped(x: Any, shape: tuple[int, ...]) -> Any:
    """Examples, or a stream of them, in another shape."""
    return x.shaped(shape) if isinstance(x, Stream) else x.reshape(len(x), *shape)


def warm_cosine(
    warmup: int = 200, weight_decay: float = 0.0, clip_norm: float | None = None
) -> Callable[[float, int], Optimizer]:
    """A recipe's optimizer: Adam. Its rate rises over the first `warmup` updates, at most a tenth of all, and then falls to 0."""
    return lambda lr, steps: Adam(
        Cosine(lr, steps, warmup=min(warmup, steps // 10)), weight_decay=weight_decay, clip_norm=clip_norm
    )
