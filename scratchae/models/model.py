"""What every model has: an objective and its gradient, and a step of training on a batch."""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np

from ..backend import Array, noise_source, require_floats
from ..errors import OptionError
from ..layers.observing import in_inference
from . import parallel
from .parameters import FlatParameters


class Model(FlatParameters):
    """A system of layers with an objective.

    `parameters` θ and `gradient` are flat vectors, and `layer.W` and `layer.dW` views into them: see parameters.py.

    A subclass names its parts in `part_names`, calls `gather()` at the end of its constructor, and defines
    `objective` and `backward`; or `training_step`, where that is no gradient of an objective.

        class Supervised(scratchae.Model):
            part_names = ("net",)

            def __init__(self, net):
                self.net = net
                self.gather()

            def objective(self, x, rng=None):
                prediction = self.net.forward(x[:, :-1], rng)
                loss, self.dprediction = MSE()(prediction, x[:, -1:])
                return {"loss": loss}

            def backward(self):
                self.net.backward(self.dprediction)

    `formulas`, if there are any, make its traces tell more.
    """

    # whether `objective` treats every example by itself, so that the batch may be split (`parallel.py`); not inherited
    examples_apart = False
    # whether a layer of it sees the batch twice, one after the other (`parallel.SomeRows`)
    stacks = False
    # the metric that a part descends, by the part's name, where it is not the loss: see adversarial.py
    descends: Mapping[str, str] = {}
    # of a game the metric of each player
    players: Mapping[str, str] = {}
    # how names in the formulas are written, as in layers; and a word on what parts put out
    symbols: Mapping[str, str] = {}
    notes: Mapping[str, str] = {}
    # what the next step begins with, beside the parameters, by the name that this step's formulas have for it
    carried: Mapping[str, str] = {}
    # what it computes beside its layers, in the order it does, as expressions that study/formula/ reads: encoder(x) runs a
    # part, loss(prediction, x) gives a value and a gradient, backward(encoder, dz) goes back through a part, and through(…) does
    # so for the sake of its input only; dz is ∂loss/∂z, and dz_of_NAME the gradient of another number
    # (where the code has another name for one, a comment behind the line says so, `# dz`, and a trace shows that line)
    formulas: Mapping[str, str] = {}

    def objective(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """The loss and its parts on a batch x: {"loss": …, …}, summed over features and averaged over the batch."""
        raise NotImplementedError

    def backward(self) -> None:
        """∂loss/∂θ into `gradient`, of what `objective` has just computed."""
        raise NotImplementedError

    def training_step(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """`objective(x, rng)`, and ∂loss/∂θ in `gradient`. Large batches are shared among the cores: see `parallel.py`.

        rng: a generator, of which noise is drawn; None trains without noise.
        """
        self.take_parameters()
        rng = noise_source(rng, x)
        if self.begins:  # so that it shows in the first step what `backward` leaves out
            self.mark_gradient()
        parts = parallel.count_parts(self, x, rng)
        if parts > 1:
            metrics = parallel.training_step(self, x, rng, parts)
        else:
            metrics = self.objective(x, rng)
            self.backward()
        if self.begins:
            if not isinstance(metrics, dict) or "loss" not in metrics:
                raise OptionError(
                    f"{type(self).__name__}.objective returned a {type(metrics).__name__} without a loss: expected "
                    '{"loss": …}, with whatever else is to be reported beside it'
                )
            self.begins = False
            self.require_gradient()
        return metrics

    def metric_of(self, parameter: str) -> str:
        """The metric that a parameter descends, by the parameter's name, such as "encoder.0.W"."""
        return self.descends.get(parameter.partition(".")[0], "loss")

    def descended(self, x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
        """The metrics with those of which `gradient` is the derivative: `objective`, unless the gradient is meant to be another's."""
        return self.objective(x, rng)

    def hold(self) -> None:
        """From now on a step only computes a gradient, as where gradients are checked: nothing else of the model moves."""
        self.begins = False  # what a backward leaves out, or adds up, is to be found there

    def judge(self, x: Array, rng: np.random.Generator) -> dict[str, Array]:
        """The metrics of `objective` on data that are not learned from: in inference, but for what belongs to the task.

        A model that is to remove noise gets noise, a code that is drawn is drawn: both from `rng`. Dropout, which only helps
        training, is off, and so is noise between layers. So training and validation measure the same.
        """
        layers = [layer for _, layer in self.leaves()]
        with in_inference(layers[1:] if self.denoises else layers):
            return self.objective(x, rng)

    @property
    def denoises(self) -> bool:
        """Whether it begins with a layer of noise."""
        _, first = next(self.leaves(), ("", None))
        return first is not None and first.corrupts

    def corrupted(self, x: Array, rng: np.random.Generator) -> Array:
        """x with the noise that it begins with; x itself if there is none."""
        require_floats(x)
        if not self.denoises:
            return x
        _, first = next(self.leaves())
        return first.forward(x, rng)

    def check_data(self, x: Array) -> None:
        """Raise a ScratchaeError if the model cannot be trained on x, a NumPy array. Called by `fit`, once."""

    def check_training(self, x: Array) -> None:
        """`check_data`, and raise a ScratchaeError too if x is not enough to learn from. Called by `fit`, once, with its x."""
        self.check_data(x)
