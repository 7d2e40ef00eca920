"""A model's formulas, followed in order: each becomes a step, and a part of the model the steps of its layers.

The numbers are those that the code computed, as `recording.py` noted them, or where the code keeps none (σ of a VAE) the
formula's own. Wherever both are known they must agree: else FormulaError. So what a trace says is what the code does.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

import numpy as np

from ... import losses
from ...backend import Array, array_module, to_numpy
from ...errors import FormulaError
from ...losses import Loss
from ...models import Model
from ...penalties import Penalty
from ..formula import Node, Symbol, opaque, parse
from .making import Place, kind
from .passes import Passes, completed, kept
from .recording import Event, Recording, host
from .steps import Step, Tensor
from .symbols import letter

BACKWARD = ("backward", "through")  # the latter back to what a part was given only
METRICS = ("loss", "reconstruction", "adversarial")  # with which the loss begins
NOT_A_GRADIENT = "contrastive divergence: no gradient of any objective, so there is nothing to compare it with"


class Program(Passes):
    """Follows the formulas of a model of which a step has been recorded, in float64."""

    def __init__(self, model: Model, x: Array, recording: Recording):
        super().__init__(model, x, recording)
        self.draws = iter(recording.draws)
        # gradients of losses, shown when the way back begins: what `emit` is called with, of what, and of which value
        self.pending: list[tuple[tuple, Tensor, str]] = []

    def run(self) -> None:
        """Make the steps of all formulas."""
        if not self.model.formulas:
            self.run_parts()
        for name, text in self.model.formulas.items():
            self.follow(name, parse(text))
        self.compare_with_the_code()

    def run_parts(self) -> None:
        """The steps of a model without formulas: its layers, part by part, on what the model gave them, and the loss that it had."""
        ran = [part for part in self.model.part_names if self.event(part, 0).x is not None]
        for part in ran:
            given = self.event(part, 0).x
            self.names[f"{part} x"] = self.tensor(f"{part}.x", self.symbols.new("x", part), given, "input")
            self.names[part] = self.forward(part, self.names[f"{part} x"], part)
        self.phase = "loss"
        code = opaque(type(self.model).__name__, "x")
        loss = np.array(self.recording.metrics["loss"])
        self.names["loss"] = self.emit(Place("loss", self.symbols.new("L"), "loss"), code, {}, self.model, loss)
        self.phase = "backward"
        for part in reversed(ran):
            if backs := self.event(part, -1).backs:
                symbol = self.names[part].symbol.gradient()
                self.backward(part, self.tensor(f"d{part}", symbol, backs[0].dy, "gradient"), via="")

    def event(self, part: str, layer: int) -> Event:
        """What was recorded of a layer of a part, by its number."""
        return self.recording.events[self.running(part)[layer][0]]

    def follow(self, name: str, tree: Node) -> None:
        """One formula: run the parts in it, then the rest."""
        if self.differentiates(name):
            self.begin_backward()
        if self.is_loss(tree.op):
            self.loss(name, tree)
            return
        if tree.op in self.model.part_names:
            self.names[name] = self.forward(tree.op, self.known(tree.args[0]), name)
            return
        alone = tree.op in BACKWARD
        for node in [node for node in tree.walk() if node.op in BACKWARD]:
            part, dy = node.args[0].value, self.known(node.args[1])
            via = "" if alone else letter(self.model, part)
            dx = self.backward(part, dy, via, inputs_only=node.op == "through")
            if dx is None:  # the first layers' gradient with respect to the data, which nobody asks for
                return
            if alone:
                self.names[name] = dx
                return
            self.names[f"{part} dx"] = dx
            tree = tree.replaced(node, Node("name", value=f"{part} dx"))
        self.compute(name, tree)

    def known(self, node: Node) -> Tensor:
        """The tensor of a name. Raises FormulaError if there is none."""
        if node.op != "name" or node.value not in self.names:
            wanted = f"{node.value!r}" if node.op == "name" else "an expression"
            raise FormulaError(
                f"{type(self.model).__name__}: a formula runs a part or a loss on {wanted}: expected one of "
                f"{', '.join(self.names)}"
            )
        return self.names[node.value]

    def differentiates(self, name: str) -> Tensor | None:
        """What a name is the gradient of: z for dz and for dz_of_adversarial, encoder.0.W for encoder.0.dW."""
        owner, dot, own = name.partition("_of_")[0].rpartition(".")
        return self.names.get(f"{owner}{dot}{own[1:]}") if own[:1] == "d" else None

    def compute(self, name: str, tree: Node) -> None:
        """A formula of the model itself."""
        of, value = self.differentiates(name), None
        if name in METRICS and self.phase == "forward":
            self.phase = "loss"
        layer = name.rpartition(".")[0]
        if tree.op in ("normal", "uniform"):
            place, value = Place(name, self.new_symbol(name), "draw"), next(self.draws)
        elif of is not None:
            place = self.gradient(name, of)
            value = self.final_gradient(name) if layer and place.role == "gradient" else None
        elif not tree.names():  # a number, for each of those that the model keeps
            place, value = Place(name, self.new_symbol(name), "activation"), kept(self.model, name)
        elif name in self.names and layer:  # W₂ = W₁ᵀ
            place = Place(name, self.names[name].symbol, "activation", layer)
        else:
            place = Place(name, self.new_symbol(name), "loss" if self.phase == "loss" else "activation")
        self.names[name] = made = self.emit(place, tree, {}, self.model, value)
        if place.role == "gradient":
            self.derivative_of[made.key] = (of.key, "", name.partition("_of_")[2] or "loss")

    def gradient(self, name: str, of: Tensor) -> Place:
        """Where a gradient comes to stand."""
        value = self.names[name.partition("_of_")[2] or "loss"].symbol.text
        return Place(name, of.symbol.gradient(value), "gradient", name.rpartition(".")[0])

    def new_symbol(self, name: str) -> Symbol:
        """The symbol of a name of the model's own: h_1 and v_2 are letters with an index."""
        stem, _, index = name.partition("_")
        return self.symbols.new(letter(self.model, stem if index.isdigit() else name), index * index.isdigit())

    def final_gradient(self, name: str) -> np.ndarray | None:
        owner, _, attribute = name.rpartition(".")
        trained = {own for own, _, _ in self.model.named_parameters()}
        layer = dict(self.model.leaves())[owner]
        return host(getattr(layer, attribute)) if f"{owner}.{attribute[1:]}" in trained else None

    # Losses

    def is_loss(self, name: str) -> bool:
        """Whether the model has a loss or a penalty of this name, or the library a loss."""
        return isinstance(getattr(self.model, name, None), Loss | Penalty) or hasattr(
            getattr(losses, name, None), "formulas"
        )

    def loss(self, name: str, tree: Node) -> None:
        """A loss or a penalty: called again on what the model gave it, for its value and its gradients."""
        self.phase = "loss"
        function: Any = getattr(self.model, tree.op, None) or getattr(losses, tree.op)
        called = function() if isinstance(function, type) else function
        xp = array_module(self.model.parameters)
        arguments = [self.known(arg) for arg in tree.args]
        value, *gradients = map(host, called(*(xp.asarray(argument.array) for argument in arguments)))
        if isinstance(called, Penalty):
            parameters, outcomes = ("z",), {"dz": f"d{name}"}
        elif isinstance(called, Loss):
            parameters, outcomes = ("prediction", "target"), {"dprediction": f"d{tree.args[0].value}"}
        else:
            parameters = tuple(formula[1:] for formula in called.formulas if formula != "value")
            outcomes = {f"d{parameter}": f"d{name}_d{parameter}" for parameter in parameters}
        known = {"value": value, **dict(zip(outcomes, gradients, strict=True))}
        local = dict(zip(parameters, arguments, strict=True))
        symbol = self.symbols.new(letter(self.model, name))
        # a loss that is a term of L with weight 1 has L's gradient
        whole = isinstance(called, Loss) and outcomes["dprediction"] not in self.model.formulas
        for formula, text in completed(called.formulas, ("value",), outcomes).items():
            own = parse(text) if text else opaque(kind(called), *parameters)
            if formula in outcomes:
                of = local[formula[1:]]
                gradient = of.symbol.gradient("L" if whole else symbol.text)
                place = Place(outcomes[formula], gradient, "gradient")
                step = (place, own, dict(local), called, known[formula])
                self.pending.append((step, of, "loss" if whole else name))
            elif formula == "value":
                local[formula] = self.emit(Place(name, symbol, "loss"), own, local, called, value)
            else:
                place = Place(f"{name}.{formula}", self.symbols.new(letter(called, formula)), "activation")
                local[formula] = self.emit(place, own, local, called)
        self.names[name] = local["value"]

    def begin_backward(self) -> None:
        self.phase = "backward"
        pending, self.pending = self.pending, []
        for step, of, value in pending:
            self.names[step[0].key] = made = self.emit(*step)
            self.derivative_of[made.key] = (of.key, "", value)

    def gradient_of(self, owner: str, attribute: str) -> Tensor:
        """The gradient that a parameter ended with. Raises FormulaError if no formula says."""
        if f"{owner}.d{attribute}" not in self.names:
            raise FormulaError(
                f"{type(self.model).__name__} trains {owner}.{attribute}, but its formulas never come to that gradient: "
                f"they need backward({owner.partition('.')[0]}, …)"
            )
        return self.names[f"{owner}.d{attribute}"]

    def differentiated(self, steps: Sequence[Step]) -> list[Step]:
        """The steps, those of gradients with what they are the derivative of."""
        found = []
        for step in steps:
            if step.result.key in self.derivative_of:
                of, layer, value = self.derivative_of[step.result.key]
                step = replace(step, derivative=(of, layer, self.names[value].key))
            found.append(step)
        return found

    # Formula and code

    def compare_with_the_code(self) -> None:
        """The loss and every gradient that the model itself ended with."""
        where = type(self.model).__name__
        for name, value in self.recording.metrics.items():
            if name in self.names:
                self.agree(where, name, self.names[name].array, np.array(value))
        for name, layer, attribute in self.model.named_parameters():
            found = self.names.get(f"{name.rpartition('.')[0]}.d{attribute}")
            if found is not None:
                self.agree(where, f"d{attribute}", found.array, to_numpy(getattr(layer, "d" + attribute)))


class Phases(Program):
    """Follows the phases of a model that descends no gradient, an RBM, which says in `formula_phases` what belongs to which."""

    def follow(self, name: str, tree: Node) -> None:
        self.phase = self.model.formula_phases[name]
        self.compute(name, tree)

    def gradient(self, name: str, of: Tensor) -> Place:
        symbol = Symbol(of.symbol.letter, of.symbol.index, before="Δ")
        return Place(name, symbol, "direction", name.rpartition(".")[0], NOT_A_GRADIENT)

    def emit(self, place: Place, *step: Any) -> Tensor:
        if place.key == "loss":
            place = replace(place, note="a monitor, which the step does not descend")
        return super().emit(place, *step)
