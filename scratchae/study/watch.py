"""Watching a training: do gradients reach every layer, how far does a step move the weights, and which units do nothing?

For each layer, on every k-th step:

    gradient norm  ‖∂L/∂θ‖        of all parameters θ of the layer
    update ratio   ‖Δθ‖ / ‖θ‖     Δθ is the optimizer's step
    dead           the share of a ReLU's units that were 0 for every example of the last batches that were watched
    saturated      the share of a Sigmoid's or Tanh's outputs within 0.02 of their limits
    KL             of a variational model: what its code says about an example, in nats

The layers' outputs come from a separate forward pass over the whole batch, without noise: the step itself may be computed in
parts (models/parallel.py) and is not touched. So training gives the same bits, watched or not.
"""

from __future__ import annotations

import contextlib
import csv
from collections import deque
from collections.abc import Iterator
from pathlib import Path

import numpy as np

from ..arguments import file_path, refuse, whole
from ..backend import Array, to_numpy
from ..files import written_whole
from ..layers import Layer, ReLU, Sigmoid, Tanh
from ..layers.observing import Call, watched, wrapped
from ..models import Model
from ..training.remarks import UNUSED, unused_code
from .measures import median, norm, values

RECENT = 10  # the watched steps that count as recent: a unit is called dead if it was 0 for this many batches
MARGIN = 0.02  # this near to its limit, a sigmoid has a slope of at most 0.02; elsewhere it is up to 0.25

# The limits of the warnings. Two of the presets that were measured exceed them: in `bottleneck` half of the first ReLUs are
# dead, and in `dbn` without its pretraining the sigmoids saturate.
VANISHING = 1e-3  # the first layer's gradient norm, as a share of the last layer's
EXPLODING = 1000.0  # the gradient's norm, as a multiple of the weights'
LARGE_UPDATE, USUAL_UPDATE, SMALL_UPDATE = 0.1, 1e-3, 1e-5  # of the weights' norm, per step
DEAD = 0.5  # of a layer's units
SATURATED = 0.75  # of a layer's outputs
WON = 0.05  # nats: the loss of a player who is hardly ever wrong


@contextlib.contextmanager
def watch(model: Model, every: int = 10) -> Iterator[Flow]:
    """While the block runs, every `every`-th training step of the model is watched: `with watch(model) as flow: fit(model, …)`.

    `flow.warnings` says in sentences what is wrong and what people do about it. `flow.figures` says how far from a warning
    each quantity is. `flow.to_csv(path)` and `plots.gradient_flow(flow, path)` keep the measurements. Training itself gives the
    same bits. A watched step takes about half as long again. Raises OptionError unless `every` is a whole number, at least 1.
    """
    every = whole("watch", "every", every)
    if not isinstance(model, Model):
        refuse("watch", "model", model, "a model, such as Autoencoder(…)")
    flow = Flow(model)

    def watching(model: Model, training_step: Call) -> Call:
        def step_and_record(x: Array, rng: np.random.Generator | None = None) -> dict[str, Array]:
            flow.end_step()
            metrics = training_step(x, rng)
            if flow.steps_seen % every == 0:
                flow.record(x, metrics)
            flow.steps_seen += 1
            return metrics

        return step_and_record

    with wrapped([model], training_step=watching):
        yield flow


class Flow:
    """The measurements of `watch`: `steps`, the numbers of the watched steps, and for each layer, by name, a list as long:

    `gradient_norm`, `weight_norm` and `update_ratio` for layers with parameters, `dead` for ReLUs, `saturated` for Sigmoid
    and Tanh. The update of a step is known when the next step begins. It is NaN if none began, or if all weights were 0.
    """

    def __init__(self, model: Model):
        self.model = model
        self.steps: list[int] = []
        self.steps_seen = 0
        self.tensors: dict[str, list[tuple[Layer, str]]] = {}
        for name, layer, attribute in model.named_parameters():
            self.tensors.setdefault(name.removesuffix(f".{attribute}"), []).append((layer, attribute))
        self.gradient_norm, self.weight_norm, self.update_ratio = (
            {name: [] for name in self.tensors} for _ in range(3)
        )
        leaves = list(model.leaves())
        self.kinds = {name: repr(layer) for name, layer in leaves}
        self.output = leaves[-1][0]
        self.activations = {name: layer for name, layer in leaves if isinstance(layer, ReLU | Sigmoid | Tanh)}
        self.dead = {name: [] for name, layer in self.activations.items() if isinstance(layer, ReLU)}
        self.saturated = {name: [] for name in self.activations if name not in self.dead}
        # which units were not 0, for each of the last watched batches
        self.alive = {name: deque(maxlen=RECENT) for name in self.dead}
        self.kl: list[float] = []
        self.before: dict[str, list[Array]] | None = None  # the parameters before the update of the current step
        self.losses: dict[str, list[float]] = {player: [] for player in model.players}

    # While training runs

    def record(self, x: Array, metrics: dict[str, Array]) -> None:
        """Measure the step that has just computed its gradient on a batch x, before the optimizer uses the gradient."""
        self.steps.append(self.steps_seen)
        for player, metric in self.model.players.items():
            self.losses[player].append(float(metrics[metric]))
        if "kl" in metrics:
            self.kl.append(float(metrics["kl"]))
        self.vector = self.model.parameters
        self.before = {name: [now.copy() for now in values(tensors, "{}")] for name, tensors in self.tensors.items()}
        for name, tensors in self.tensors.items():
            self.gradient_norm[name].append(norm(values(tensors, "d{}")))
            self.weight_norm[name].append(norm(self.before[name]))
            self.update_ratio[name].append(float("nan"))
        outputs: dict[int, Array] = {}
        with watched(self.activations.values(), lambda layer, x, y: outputs.update({id(layer): y})):
            # without drawing, all that a player makes is alike
            self.model.judge(x, np.random.default_rng(0)) if self.losses else self.model.objective(x)
        for name, layer in self.activations.items():
            self.note(name, layer, outputs.get(id(layer)))

    def note(self, name: str, layer: Layer, y: Array | None) -> None:
        """Measure a layer's output y (N, …, units); None if the model did not run the layer."""
        if y is None:
            (self.dead if name in self.dead else self.saturated)[name].append(float("nan"))
        elif name in self.dead:
            self.alive[name].append(to_numpy((y > 0).any(axis=tuple(range(y.ndim - 1)))))
            self.dead[name].append(float(1 - np.any(self.alive[name], axis=0).mean()))
        else:
            low = -1 if isinstance(layer, Tanh) else 0
            self.saturated[name].append(float(((y < low + MARGIN) | (y > 1 - MARGIN)).mean()))

    def end_step(self) -> None:
        """Measure how far the optimizer moved the parameters, if the step was watched."""
        # if the vector is another one, the parameters have been gathered again since
        if self.before is not None and self.model.parameters is self.vector:
            for name, tensors in self.tensors.items():
                change = norm(
                    [now - then for now, then in zip(values(tensors, "{}"), self.before[name], strict=True)]
                )
                if self.weight_norm[name][-1] > 0:
                    self.update_ratio[name][-1] = change / self.weight_norm[name][-1]
        self.before = None

    # Afterwards

    @property
    def warnings(self) -> list[str]:
        """What is wrong: for each fault a sentence or two with what people do about it; empty if all is well."""
        if not self.steps:
            return [
                "no training step was watched: fit the model itself inside the block (each RBM of a DBN is a separate model)"
            ]
        about = (self.about_players, self.about_units, self.about_code, self.about_gradients, self.about_updates)
        return [said for tell in about for said in tell()]  # causes first

    @property
    def figures(self) -> list[str]:
        """A sentence for each quantity: the measured value, and the value at which a warning begins."""
        if not self.steps:
            return []
        said, recent = [], min(RECENT, len(self.steps))
        for now, measured, limit in (
            (self.dead_now(), f"of the units of {{}} are dead: 0 for every example of the last {recent} batches watched", DEAD),
            (self.saturated_now(), f"of the outputs of {{}} are saturated: within {MARGIN:g} of their limits (median of the last {recent} steps watched)", SATURATED),
        ):  # fmt: skip
            inner = {name: share for name, share in now.items() if name not in self.saturated or name != self.output}
            if inner:
                worst = max(inner, key=inner.get)
                upto = "up to " if len(inner) > 1 else ""
                said.append(
                    f"{upto}{inner[worst]:.0%} {measured.format(self.label(worst))}; a warning begins at {limit:.0%}"
                )
        if self.output in (now := self.saturated_now()):
            said.append(
                f"{now[self.output]:.0%} of the outputs of {self.label(self.output)} are saturated, which is not a fault: they are the prediction, "
                "and pixels that are black or white ask for it"
            )
        if self.kl:
            said.append(f"the code's KL term is {median(self.kl[-RECENT:]):.3g} nats; a warning begins at {UNUSED:g}")
        first, last, share = self.share_that_arrives()
        if first != last:
            said.append(
                f"the gradient's norm at {self.label(first)} is {share:.1g} of that at {self.label(last)} (median of the run); "
                f"a warning begins below {VANISHING:g}"
            )
        worst, ratio = self.largest_gradient()
        said.append(
            f"the gradient's norm was at most {ratio:.1g} times that of the weights, at {self.label(worst)} (last {recent} steps "
            f"watched); a warning begins above {EXPLODING:g}"
        )
        usual = [ratio for ratio in self.usual_updates().values() if not np.isnan(ratio)]
        if usual:
            said.append(
                f"a step moves a layer by {min(usual):.1g} to {max(usual):.1g} of its norm (medians of the run); warnings begin "
                f"below {SMALL_UPDATE:g} and above {LARGE_UPDATE:g}"
            )
        return said

    # The numbers behind the sentences and the picture

    def dead_now(self) -> dict[str, float]:
        """The share of each ReLU's units that are dead at the end."""
        return {name: shares[-1] for name, shares in self.dead.items() if shares and not np.isnan(shares[-1])}

    def saturated_now(self) -> dict[str, float]:
        """The share of each sigmoid's outputs that are saturated in the last watched steps."""
        return {
            name: share for name, shares in self.saturated.items() if not np.isnan(share := median(shares[-RECENT:]))
        }

    def share_that_arrives(self) -> tuple[str, str, float]:
        """The first and the last layer, and the median of the first layer's gradient norm as a share of the last layer's."""
        first, last = next(iter(self.tensors)), next(reversed(self.tensors))
        pairs = zip(self.gradient_norm[first], self.gradient_norm[last], strict=True)
        return first, last, median([a / max(b, 1e-30) for a, b in pairs])

    def largest_gradient(self) -> tuple[str, float]:
        """The layer with the largest recent gradient norm as a multiple of its weights' norm, and that multiple."""
        ratios = {
            name: float(np.max(np.nan_to_num(norms[-RECENT:], nan=np.inf)) / max(self.weight_norm[name][-1], 1))
            for name, norms in self.gradient_norm.items()
        }
        worst = max(ratios, key=ratios.get)
        return worst, ratios[worst]

    def usual_updates(self) -> dict[str, float]:
        """How far a step moves each layer, as a share of its norm."""
        return {name: median(ratios) for name, ratios in self.update_ratio.items()}

    def about_code(self) -> Iterator[str]:
        if self.kl and (remark := unused_code(self.model, {"kl": [median(self.kl[-RECENT:])]})):
            yield f"{remark}."

    def about_players(self) -> Iterator[str]:
        recent = min(RECENT, len(self.steps))
        for player, losses in self.losses.items():
            if (loss := median(losses[-RECENT:])) < WON:
                (other,) = self.losses.keys() - {player}
                yield (
                    f"the {player} has won: its loss is {loss:.1g} (median of the last {recent} steps watched; a warning begins below "
                    f"{WON:g}), so hardly any gradient is left for it, and the {other} does not keep up. Give the {player} a lower "
                    f"learning rate (Parts) or fewer units, the {other} a higher one or more, or the discriminator more noise on what it "
                    "sees (GaussianNoise)."
                )

    def about_gradients(self) -> Iterator[str]:
        first, last, share = self.share_that_arrives()
        if share < VANISHING:
            yield (
                f"vanishing gradient: its norm at {self.label(first)} is {share:.1g} of that at {self.label(last)} (median of "
                f"the run; a warning begins below {VANISHING:g}), so the first layers hardly learn. Use ReLU in place of sigmoid or "
                'tanh, weights drawn to suit it (init="he"), BatchNorm between the layers, or fewer of them.'
            )
        worst, ratio = self.largest_gradient()
        if not ratio <= EXPLODING:
            yield (
                f"exploding gradient: at {self.label(worst)} its norm reached {ratio:.1g} times that of the weights (a warning "
                f"begins above {EXPLODING:g}). Lower the learning rate, bound the gradient (clip_norm=1.0), and draw smaller "
                'weights (init="he" before ReLU, "glorot" before sigmoid and tanh).'
            )

    def about_updates(self) -> Iterator[str]:
        usual = self.usual_updates()
        for which, names, limit, cure in (
            ("large", [n for n, ratio in usual.items() if ratio > LARGE_UPDATE], f"above {LARGE_UPDATE:g}", "Lower the learning rate."),
            ("small", [n for n, ratio in usual.items() if ratio < SMALL_UPDATE], f"below {SMALL_UPDATE:g}", "Raise the learning rate, if the gradient does not vanish."),
        ):  # fmt: skip
            if names:
                worst = (max if which == "large" else min)(names, key=usual.get)
                yield (
                    f"{which} updates: a step moves {self.label(worst)} by {usual[worst]:.1g} of its norm (median of the run; about "
                    f"{USUAL_UPDATE:g} is usual, a warning begins {limit}){and_others(names)}. {cure}"
                )

    def about_units(self) -> Iterator[str]:
        dead = {name: share for name, share in self.dead_now().items() if share >= DEAD}
        if dead:
            worst = max(dead, key=dead.get)
            yield (
                f"dead ReLUs: {dead[worst]:.0%} of the units of {self.label(worst)} were 0 for every example of the last "
                f"{len(self.alive[worst])} batches watched (a warning begins at {DEAD:.0%}){and_others(dead)}, and no gradient passes "
                'them. Lower the learning rate, start with biases at 0 and init="he", or use LeakyReLU.'
            )
        saturated = {
            name: share
            for name, share in self.saturated_now().items()
            # black and white pixels need outputs near 0 and 1
            if name != self.output and share >= SATURATED
        }
        if saturated:
            worst = max(saturated, key=saturated.get)
            yield (
                f"saturated units: {saturated[worst]:.0%} of the outputs of {self.label(worst)} lie within {MARGIN:g} of their "
                f"limits (a warning begins at {SATURATED:.0%}){and_others(saturated)}, where the slope is almost 0 and hardly any "
                'gradient passes. Draw smaller weights (init="glorot"), lower the learning rate, scale the data to [0, 1], or use '
                "ReLU. (With a sparsity penalty, this is intended.)"
            )

    def label(self, name: str) -> str:
        return f"{name} {self.kinds[name]}"

    def to_csv(self, path: str | Path) -> None:
        """Write a line of names, then a line for each layer and watched step, empty for quantities that the layer does not have."""
        columns = ("gradient_norm", "weight_norm", "update_ratio", "dead", "saturated")
        path = file_path("to_csv", "path", path)
        with written_whole(path) as temporary, open(temporary, "w", newline="", encoding="utf-8") as file:
            writer = csv.writer(file)
            writer.writerow(["step", "layer", *columns])
            for i, step in enumerate(self.steps):
                for name in self.kinds:
                    row = [
                        getattr(self, column)[name][i] if name in getattr(self, column) else "" for column in columns
                    ]
                    if any(value != "" for value in row):
                        writer.writerow([step, name, *row])


def and_others(names: list[str] | dict[str, float]) -> str:
    return f"; so for {len(names)} layers" if len(names) > 1 else ""
