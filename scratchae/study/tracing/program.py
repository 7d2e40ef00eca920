"""A model's formulas, followed in order: each becomes a step, and a part of the model the steps of its layers.

The numbers are those that the code computed, as `recording.py` noted them, or where the code keeps none (σ of a VAE) the
formula's own. Wherever both are known they must agree: else FormulaError. So what a trace says is what the code does.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping

import numpy as np

from ... import losses
from ...backend import Array, array_module, to_numpy
from ...errors import FormulaError
from ...layers import Layer
from ...losses import Loss
from ...models import Model
from ...penalties import Penalty
from ..formula import Node, Symbol, opaque, parse
from .making import Maker, kind
from .recording import Event, Recording, host
from .steps import Tensor
from .symbols import LETTERS, NOTES, OUTPUTS

NOT_A_GRADIENT = "contrastive divergence: no gradient of any objective, so there is nothing to compare it with"


class Program(Maker):
    """Follows the formulas of a model of which a step has been recorded, in float64."""

    def __init__(self, model: Model, x: Array, recording: Recording, training: bool):
        super().__init__(host(x))
        self.model, self.recording, self.training = model, recording, training
        self.draws = iter(recording.draws)
        self.leaf_tensors: dict[str, dict[str, Tensor]] = {}  # by layer, then by the name in its formulas
        self.boltzmann = getattr(model, "formula_phases", None)
        # gradients with respect to a tensor: {key of the gradient: (key of the tensor, the only layer that counts, value)}
        self.derivative_of: dict[str, tuple[str, str, str]] = {}
        self.pending: list[tuple] = []  # gradients of losses, to be shown when the way back begins
        parametrised = [name for name, layer in model.leaves() if layer.parameter_names]
        self.numbers = {name: str(i + 1) for i, name in enumerate(parametrised)} if len(parametrised) > 1 else {}
        self.current = ""  # the number of the layer with parameters that ran last
        for name, layer in model.leaves():
            for attribute in layer.parameter_names:
                letter = LETTERS.get(attribute, attribute)
                symbol = self.symbols.new(letter, self.numbers.get(name, ""))
                self.names[f"{name}.{attribute}"] = self.tensor(
                    f"{name}.{attribute}", symbol, host(getattr(layer, attribute)), "parameter"
                )
            for attribute in layer.buffer_names:
                if f"'{name}.{attribute}'" in " ".join(model.formulas.values()):
                    symbol = self.symbols.new(LETTERS.get(attribute, attribute), "0")
                    self.names[f"{name}.{attribute}"] = self.tensor(
                        f"{name}.{attribute}", symbol, recording.buffers[f"{name}.{attribute}"], "state"
                    )

    # The model's own formulas

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
        self.names["loss"] = self.emit("loss", self.symbols.new("L"), code, {}, self.model, loss, "loss")
        self.phase = "backward"
        for part in reversed(ran):
            if (dy := self.event(part, -1).dy) is not None:
                symbol = self.names[part].symbol.gradient()
                self.backward(part, self.tensor(f"d{part}", symbol, dy, "gradient"), via="")

    def event(self, part: str, layer: int) -> Event:
        """What was recorded of a layer of a part, by its number."""
        name, _ = list(getattr(self.model, part).running_order(part))[layer]
        return self.recording.events[name]

    def follow(self, name: str, tree: Node) -> None:
        """One formula: run the parts in it, then the rest."""
        gradient = self.is_gradient(name)
        if self.boltzmann is not None:
            self.phase = self.boltzmann[name]
        elif gradient:
            self.begin_backward()
        if self.is_loss(tree.op):
            self.loss(name, tree)
            return
        if tree.op in self.model.part_names and not self.boltzmann:
            self.names[name] = self.forward(tree.op, self.known(tree.args[0]), name)
            return
        alone = tree.op == "backward"
        for node in [node for node in tree.walk() if node.op == "backward"]:
            part, dy = node.args[0].value, self.known(node.args[1])
            dx = self.backward(part, dy, via="" if alone else LETTERS.get(part, part))
            if dx is None:  # the first layers' gradient with respect to the data, which nobody asks for
                return
            if alone:
                self.names[name] = dx
                return
            self.names[f"{part} dx"] = dx
            tree = tree.replaced(node, Node("name", value=f"{part} dx"))
        self.compute(name, tree, gradient)

    def known(self, node: Node) -> Tensor:
        """The tensor of a name. Raises FormulaError if there is none."""
        if node.op != "name" or node.value not in self.names:
            wanted = f"{node.value!r}" if node.op == "name" else "an expression"
            raise FormulaError(
                f"{type(self.model).__name__}: a formula runs a part or a loss on {wanted}: expected one of "
                f"{', '.join(self.names)}"
            )
        return self.names[node.value]

    def is_gradient(self, name: str) -> bool:
        owner, dot, own = name.rpartition(".")
        return own[:1] == "d" and f"{owner}{dot}{own[1:]}" in self.names

    def compute(self, name: str, tree: Node, gradient: bool) -> None:
        """A formula of the model itself."""
        role = "gradient" if gradient else "loss" if self.phase == "loss" else "activation"
        if tree.op in ("normal", "uniform"):
            role = "draw"
        if self.boltzmann and gradient:
            role = "direction"
        if gradient:
            owner, dot, own = name.rpartition(".")
            of = self.names[f"{owner}{dot}{own[1:]}"]
            symbol = of.symbol.gradient()
            if role == "direction":
                symbol = Symbol(of.symbol.letter, of.symbol.index, before="Δ")
        elif name in self.names and "." in name:  # W₂ = W₁ᵀ
            symbol = self.names[name].symbol
        else:
            symbol = self.symbols.new(*self.letter(name))
        value = next(self.draws) if role == "draw" else None
        if "." in name and gradient and role != "direction":
            value = self.final_gradient(name)
        note = NOT_A_GRADIENT if role == "direction" else ""
        if self.boltzmann and name == "loss":
            note = "a monitor, which the step does not descend"
        layer = name.rpartition(".")[0] if "." in name else ""
        made = self.emit(name, symbol, tree, {}, self.model, value, role, layer=layer, note=note)
        if gradient and role != "direction":
            self.derivative_of[made.key] = (of.key, "", "loss")
        self.names[name] = made
        if name in ("loss", "reconstruction") and role == "activation":
            self.phase = "loss"

    def letter(self, name: str) -> tuple[str, str]:
        """The letter and the index of a name of the model's own: h_1 and v_2 are its letters themselves."""
        letter, _, index = name.partition("_")
        if index.isdigit():
            return LETTERS.get(letter, letter), index
        return LETTERS.get(name, name), ""

    def final_gradient(self, name: str) -> np.ndarray | None:
        owner, _, attribute = name.rpartition(".")
        trained = {own for own, _, _ in self.model.named_parameters()}
        layer = dict(self.model.leaves())[owner]
        return host(getattr(layer, attribute)) if f"{owner}.{attribute[1:]}" in trained else None

    # Losses

    def is_loss(self, name: str) -> bool:
        return isinstance(getattr(self.model, name, None), Loss | Penalty) or (hasattr(losses, name) and hasattr(
            getattr(losses, name), "formulas"
        ))  # fmt: skip

    def loss(self, name: str, tree: Node) -> None:
        """A loss or a penalty: called again on what the model gave it, for its value and its gradients."""
        self.phase = "loss"
        function = getattr(self.model, tree.op, None) or getattr(losses, tree.op)
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
        symbol = self.symbols.new(LETTERS.get(name, name))
        # a loss that is a term of L with weight 1 has L's gradient
        whole = isinstance(called, Loss) and outcomes["dprediction"] not in self.model.formulas
        for formula, text in completed(called.formulas, ("value",), outcomes).items():
            own = parse(text) if text else opaque(kind(called), *parameters)
            if formula not in outcomes:
                new = symbol if formula == "value" else self.symbols.new(LETTERS.get(formula, formula))
                role = "loss" if formula == "value" else "activation"
                local[formula] = self.emit(
                    name if formula == "value" else f"{name}.{formula}",
                    new,
                    own,
                    local,
                    called,
                    known.get(formula),
                    role,
                )
            else:
                of = dict(zip(parameters, arguments, strict=True))[formula[1:]]
                gradient = of.symbol.gradient("L" if whole else symbol.text)
                self.pending.append(
                    (outcomes[formula], gradient, own, dict(local), called, known[formula], of, whole, name)
                )
        self.names[name] = local["value"]

    def begin_backward(self) -> None:
        self.phase = "backward"
        pending, self.pending = self.pending, []
        for outcome, symbol, tree, local, called, value, of, whole, name in pending:
            made = self.emit(outcome, symbol, tree, local, called, value, "gradient")
            self.names[outcome] = made
            self.derivative_of[made.key] = (of.key, "", "loss" if whole else name)

    # Layers

    def forward(self, part: str, x: Tensor, name: str) -> Tensor:
        """The layers of a part, in order; what the last one puts out."""
        leaves = list(getattr(self.model, part).running_order(part))
        for i, (leaf, layer) in enumerate(leaves):
            event = self.recording.events[leaf]
            self.agree(leaf, "x", x.array, event.x)
            local = {"x": x} | {own: self.names[f"{leaf}.{own}"] for own in layer.parameter_names}
            for own in layer.buffer_names:
                local[own] = self.tensor(
                    f"{leaf}.{own}", Symbol(LETTERS.get(own, own)), host(getattr(layer, own)), "state"
                )
            self.current = self.numbers.get(leaf, self.current)
            draws = iter(event.draws)
            gradients = [f"d{own}" for own in (*layer.parameter_names, "x")]
            for own, text in completed(layer.formulas, ("y",), gradients).items():
                if own[:1] == "d" and own[1:] in local:
                    break
                y = own == "y"
                if y:
                    letter = OUTPUTS.get(type(layer).__name__, "y")
                    letter = "x\u0303" if letter == "a\u0303" and x is self.x else letter
                    heads = name in ("mu",) and i == len(leaves) - 1
                    symbol = self.symbols.new("μ") if heads else self.symbols.new(letter, self.current)
                else:
                    symbol = self.symbols.new(LETTERS.get(own, own), self.current)
                tree = parse(text) if text else opaque(type(layer).__name__, "x")
                drawn = tree.op in ("normal", "uniform")
                value = event.y if y else next(draws) if drawn else self.kept(layer, own, x)
                note = NOTES.get(name, "") if y and i == len(leaves) - 1 else ""
                local[own] = self.emit(
                    f"{leaf}.{own}", symbol, tree, local, layer, value, "draw" if drawn else "activation",
                    layer=leaf, kept=event.bytes_kept if y else 0, note=note,
                )  # fmt: skip
            self.leaf_tensors[leaf] = local
            x = local["y"]
        return x

    def kept(self, layer: Layer, name: str, x: Tensor) -> np.ndarray | None:
        """What the layer keeps under this name, if it does."""
        value = vars(layer).get(name)
        return host(value) if hasattr(value, "dtype") else None

    def backward(self, part: str, dy: Tensor, via: str) -> Tensor | None:
        """The layers of a part, in reverse; the gradient of what it was given, or None where the code stops before."""
        leaves = list(getattr(self.model, part).running_order(part))
        for leaf, layer in reversed(leaves):
            event: Event = self.recording.events[leaf]
            if event.dy is None:
                return None
            self.agree(leaf, "dy", dy.array, event.dy)
            local = self.leaf_tensors[leaf] | {"dy": dy}
            self.held_gradients(layer, leaf, local)
            gradients = [f"d{own}" for own in (*layer.parameter_names, "x")]
            formulas = completed(layer.formulas, (), gradients)
            formulas = {name: text for name, text in formulas.items() if name[:1] == "d" and name[1:] in local}
            for own, text in formulas.items():
                of = local[own[1:]]
                if own == "dx" and event.dx is None:
                    continue
                value = event.dx if own == "dx" else event.gradients[own[1:]]
                first = leaf == leaves[0][0]
                through = via if own == "dx" and first else part if f"{leaf}.{own}" in self.model.formulas else ""
                tree = parse(text) if text else opaque(f"{type(layer).__name__}.backward", "dy")
                local[own] = self.emit(
                    f"{leaf}.{own}",
                    of.symbol.gradient("L", through),
                    tree,
                    local,
                    layer,
                    value,
                    "gradient",
                    layer=leaf,
                )
                self.derivative_of[local[own].key] = (of.key, leaf if through or own == "dx" else "", "loss")
                if own != "dx":
                    self.names[f"{leaf}.{own}"] = local[own]
            if event.dx is None:
                return None
            dy = local["dx"]
        return dy

    def held_gradients(self, layer: Layer, leaf: str, local: dict[str, Tensor]) -> None:
        """The gradients of the layers that a layer of somebody's own holds: all that is known is that its backward gave them."""
        for name, inner in layer.leaves(leaf):
            for own in inner.parameter_names if inner is not layer else ():
                of = self.names[f"{name}.{own}"]
                made = self.emit(
                    f"{name}.d{own}",
                    of.symbol.gradient("L"),
                    opaque(f"{type(layer).__name__}.backward", "dy"),
                    local,
                    layer,
                    self.recording.events[name].gradients[own],
                    "gradient",
                    layer=name,
                )
                self.names[f"{name}.d{own}"] = made
                self.derivative_of[made.key] = (of.key, "", "loss")

    def gradient_of(self, owner: str, attribute: str) -> Tensor:
        """The gradient that a parameter ended with. Raises FormulaError if no formula says."""
        if f"{owner}.d{attribute}" not in self.names:
            raise FormulaError(
                f"{type(self.model).__name__} trains {owner}.{attribute}, but its formulas never come to that gradient: "
                f"they need backward({owner.partition('.')[0]}, …)"
            )
        return self.names[f"{owner}.d{attribute}"]

    # Formula and code

    def compare_with_the_code(self) -> None:
        """The loss and every gradient that the model itself ended with."""
        for name, value in self.recording.metrics.items():
            if name in self.names:
                self.agree(type(self.model).__name__, name, self.names[name].array, np.array(value))
        for name, layer, attribute in self.model.named_parameters():
            owner = name.rpartition(".")[0]
            found = self.names.get(f"{owner}.d{attribute}")
            if found is not None:
                self.agree(
                    type(self.model).__name__, f"d{attribute}", found.array, to_numpy(getattr(layer, "d" + attribute))
                )


def completed(formulas: Mapping[str, str], first: Iterable[str], last: Iterable[str]) -> dict[str, str | None]:
    """Formulas, and None for those that a class of somebody else's leaves out: all that is known then is what the code gave."""
    given = {name: None for name in first if name not in formulas} | dict(formulas)
    return given | {name: None for name in last if name not in formulas}
