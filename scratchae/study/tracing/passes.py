"""The layers of a part, followed forward and backward: each quantity in their formulas becomes a step."""

from __future__ import annotations

import functools
import unicodedata
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace

import numpy as np

from ...backend import Array
from ...layers import Layer
from ...models import Model
from ..formula import Node, Symbol, opaque, parse
from .making import Maker, Place
from .recording import Recording, host
from .steps import Tensor
from .symbols import letter


class Passes(Maker):
    """Follows the layers of a model of which a step has been recorded, in float64."""

    def __init__(self, model: Model, x: Array, recording: Recording):
        super().__init__(host(x), recording.ran, recording.lines)
        self.model, self.recording = model, recording
        self.leaf_tensors: dict[str, dict[str, Tensor]] = {}  # by layer, then by the name in its formulas
        # gradients with respect to a tensor: {key of the gradient: (key of the tensor, the only layer that counts, value)}
        self.derivative_of: dict[str, tuple[str, str, str]] = {}
        parametrised = [name for name, layer in model.leaves() if layer.parameter_names]
        self.numbers = {name: str(i + 1) for i, name in enumerate(parametrised)} if len(parametrised) > 1 else {}
        self.turns: dict[str, int] = {}  # how often a part was gone back through
        self.current = ""  # the number of the layer with parameters that ran last
        spoken_of = " ".join(model.formulas.values())
        for name, layer in model.leaves():
            for own in layer.parameter_names:
                symbol = self.symbols.new(letter(layer, own), self.numbers.get(name, ""))
                self.names[f"{name}.{own}"] = self.tensor(
                    f"{name}.{own}", symbol, host(getattr(layer, own)), "parameter"
                )
            for own in layer.buffer_names:
                if f"'{name}.{own}'" in spoken_of:
                    symbol = self.symbols.new(letter(layer, own), "0")
                    before = recording.buffers[f"{name}.{own}"]
                    self.names[f"{name}.{own}"] = self.tensor(f"{name}.{own}", symbol, before, "state")

    def running(self, part: str) -> list[tuple[str, Layer]]:
        """The layers of a part, in the order they run."""
        return list(getattr(self.model, part).running_order(part))

    def forward(self, part: str, x: Tensor, name: str) -> Tensor:
        """The layers of a part, in order; what the last one puts out, which the model calls by a name."""
        leaves = self.running(part)
        for i, (leaf, layer) in enumerate(leaves):
            event = self.recording.events[leaf]
            self.agree(leaf, "x", x.array, event.x)
            local = {"x": x} | {own: self.names[f"{leaf}.{own}"] for own in layer.parameter_names}
            for own in layer.buffer_names:
                symbol = Symbol(letter(layer, own))
                local[own] = self.tensor(f"{leaf}.{own}", symbol, host(getattr(layer, own)), "state")
            self.current = self.numbers.get(leaf, self.current)
            draws = iter(event.draws)
            gradients = [f"d{own}" for own in (*layer.parameter_names, "x")]
            formulas = completed(layer.formulas, ("y",), gradients)
            known = {*local, *formulas}
            outputs = [own for own in formulas if own[:1] != "d" or own[1:] not in known]
            called = name if i == len(leaves) - 1 else ""
            place = functools.cache(functools.partial(self.output, leaf, layer, x, called))
            for own in outputs:
                tree = parse(formulas[own]) if formulas[own] else opaque(type(layer).__name__, "x")
                if tree.op in ("normal", "uniform"):
                    local[own] = self.emit(replace(place(own), role="draw"), tree, local, layer, next(draws))
                    continue
                self.look_ahead(tree, outputs, place, local, layer)
                value = event.y if own == "y" else kept(layer, own)
                local[own] = self.emit(place(own), tree, local, layer, value)
            self.leaf_tensors[leaf] = local
            x = local["y"]
        return x

    def output(self, leaf: str, layer: Layer, x: Tensor, called: str, own: str) -> Place:
        """Where what a layer computes comes to stand. called: what the model calls its y, if it does."""
        name = called if own == "y" else ""
        if name in self.model.symbols:
            symbol = self.symbols.new(self.model.symbols[name])
        else:
            symbol = self.symbols.new(self.written(layer, own, x), self.current)
        held = self.recording.events[leaf].bytes_kept if own == "y" else 0
        return Place(f"{leaf}.{own}", symbol, "activation", leaf, self.model.notes.get(name, ""), held)

    def written(self, layer: Layer, name: str, x: Tensor) -> str:
        """The letter of what a layer computes."""
        if name != "y":
            return letter(layer, name)
        return x.symbol.letter[0] + layer.symbol if unicodedata.combining(layer.symbol[0]) else layer.symbol

    def backward(self, part: str, dy: Tensor, via: str, inputs_only: bool = False) -> Tensor | None:
        """The layers of a part, in reverse; the gradient of what it was given, or None where the code stops before.

        inputs_only: of the parameters no gradient is told, as the code has no use for it.
        """
        leaves = self.running(part)
        turn, value = self.turns.get(part, 0), self.derivative_of.get(dy.key, ("", "", "loss"))[2]
        self.turns[part] = turn + 1
        for leaf, layer in reversed(leaves):
            backs = self.recording.events[leaf].backs
            if len(backs) <= turn:
                return None
            back = backs[turn]
            self.agree(leaf, "dy", dy.array, back.dy)
            local = self.leaf_tensors[leaf] | {"dy": dy}
            if not inputs_only:
                self.held_gradients(layer, leaf, local, value)
            formulas = completed(layer.formulas, (), [f"d{own}" for own in (*layer.parameter_names, "x")])
            found = back.gradients | {"x": back.dx}
            gradients = [
                own
                for own in formulas
                if own[:1] == "d" and own[1:] in local and (own != "dx" or back.dx is not None)
            ]
            if inputs_only:
                gradients = [own for own in gradients if own[1:] not in layer.parameter_names]
            through = {own: part for own in gradients if f"{leaf}.{own}" in self.model.formulas}
            if leaf == leaves[0][0]:
                through["dx"] = via
            place = functools.partial(self.derivative, leaf, local, through, value)
            for own in gradients:
                of, text = local[own[1:]], formulas[own]
                tree = parse(text) if text else opaque(f"{type(layer).__name__}.backward", "dy")
                self.look_ahead(tree, gradients, place, local, layer)
                known = found[own[1:]] if own[1:] in found else kept(layer, own)
                local[own] = self.emit(place(own), tree, local, layer, known)
                self.derivative_of[local[own].key] = (of.key, leaf if through.get(own) or own == "dx" else "", value)
                if own != "dx":
                    self.names[f"{leaf}.{own}"] = local[own]
            if back.dx is None:
                return None
            dy = local["dx"]
        return dy

    def derivative(
        self, leaf: str, local: Mapping[str, Tensor], through: Mapping[str, str], value: str, own: str
    ) -> Place:
        """Where a gradient of a layer comes to stand. through: of which of several uses of a tensor it tells; value: of what."""
        symbol = local[own[1:]].symbol.gradient(self.names[value].symbol.text, through.get(own, ""))
        return Place(f"{leaf}.{own}", symbol, "gradient", leaf)

    def look_ahead(
        self, tree: Node, names: Sequence[str], place: Callable[[str], Place], local: dict[str, Tensor], layer: Layer
    ) -> None:
        """The tensors that a recurrence speaks of before they are made, at an earlier or a later step: as the layer keeps them."""
        for own in tree.names():
            if own in names and own not in local and (value := kept(layer, own)) is not None:
                local[own] = self.foreseen(place(own), value)

    def held_gradients(self, layer: Layer, leaf: str, local: dict[str, Tensor], value: str) -> None:
        """The gradients of the layers that a layer of somebody's own holds: all that is known is that its backward gave them."""
        tree = opaque(f"{type(layer).__name__}.backward", "dy")
        for name, inner in layer.leaves(leaf):
            for own in inner.parameter_names if inner is not layer else ():
                of = self.names[f"{name}.{own}"]
                place = Place(f"{name}.d{own}", of.symbol.gradient(self.names[value].symbol.text), "gradient", name)
                known = self.recording.events[name].backs[-1].gradients[own]
                self.names[f"{name}.d{own}"] = made = self.emit(place, tree, local, layer, known)
                self.derivative_of[made.key] = (of.key, "", value)


def kept(layer: Layer, name: str) -> np.ndarray | None:
    """What a layer keeps under this name, if it does."""
    value = vars(layer).get(name)
    return host(value) if hasattr(value, "dtype") else None


def completed(formulas: Mapping[str, str], first: Iterable[str], last: Iterable[str]) -> dict[str, str | None]:
    """Formulas, and None for those that a class of somebody else's leaves out: all that is known then is what the code gave."""
    given = {name: None for name in first if name not in formulas} | dict(formulas)
    return given | {name: None for name in last if name not in formulas}
