"""Where a tensor is computed: the lines of the library's own code."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import Any

from .steps import Source

ROOT = Path(__file__).parents[3]

# Of a model: the methods, in the order they are looked at, and how the line begins that makes what a formula calls by the
# name (its number left out); a test looks each up
MODEL_LINES: dict[str, list[tuple[str, str]]] = {
    "W": [("tie", "decoding.W =")],
    "dW": [
        ("training_step", "energy.backward_parameters("),
        ("backward", "self.dense.dW +="),
        ("backward", "encoding.dW +="),
    ],
    "da": [("training_step", "energy.backward_parameters(")],
    "db": [("training_step", "energy.backward_parameters(")],
    "penalty": [("objective", "penalty = "), ("objective", "penalty, self.dpenalty =")],
    "loss": [("training_step", "loss = cross_entropy"), ("objective", "loss = -"), ("objective", "return {")],
    "slope": [("objective", "self.slope =")],
    "strength": [("objective", "self.strength =")],
    "dslope": [("backward", "dslope =")],
    "dz": [
        ("backward", "dz = dz + self.share"),
        ("backward", "dz = dz + self.dpenalty"),
        ("backward", "dz = self.decoder"),
        ("backward", "self.backward_code(dzy"),
    ],
    "uniform": [("as_drawn", "self.uniform =")],
    "x": [("as_drawn", "return (self.uniform")],
    "log_var": [("infer", "self.z_log_var =")],
    "sigma": [("objective", "self.sigma ="), ("draw_code", "self.sigma =")],
    "epsilon": [("objective", "self.epsilon ="), ("draw_code", "self.epsilon = noise")],
    "z": [("objective", "self.z = mean"), ("draw_code", "return self.z_mean")],
    "codes": [("objective", "prediction = self.decoder")],
    "decoder_input": [("joined", "return")],
    "target": [("objective", "x = xp.repeat"), ("target", "return")],
    "log_p": [("objective", "log_w = log_probability")],
    "log_w": [("objective", "log_w +=")],
    "top": [("objective", "top =")],
    "w": [("objective", "w =")],
    "share": [("objective", "self.share =")],
    "dprediction": [("backward", "dz = self.decoder")],
    "dmu": [("backward", "dmean ="), ("backward_code", "dmean")],
    "dlog_var": [("backward", "dlog_var"), ("backward_code", "dlog_var")],
    "duncut": [("backward_heads", "duncut =")],
    "dh": [("backward_heads", "dh =")],
    "features": [("objective", "features, labels =")],
    "labels": [("objective", "features, labels =")],
    # an RBM's two phases
    "h_0": [("training_step", "h = self.propup")],
    "u_0": [("training_step", "logits =")],
    "drawn_0": [("training_step", "logits =")],
    "logits": [("training_step", "logits =")],
    "v_1": [("training_step", "reconstruction =")],
    "h": [("continue_chains", "mean = self.propup"), ("follow", "h = self.propup")],
    "p": [("continue_chains", "v = bernoulli")],
    "r": [("continue_chains", "v = bernoulli")],
    "v": [("continue_chains", "v = bernoulli"), ("follow", "v = self.propdown")],
    "u": [("continue_chains", "h = self.draw_hidden"), ("follow", "v = self.propdown")],
    "drawn": [("continue_chains", "h = self.draw_hidden"), ("follow", "v = self.propdown")],
}


def source_of_model(model: Any, name: str, chains: bool) -> Source | None:
    """Where a model computes what its formulas call by a name."""
    stem = name.partition("_")[0] if re.fullmatch(r"[a-z]+_\d+", name) else name
    entries = MODEL_LINES.get(name) or MODEL_LINES.get(stem, [])
    if chains and name == "v_1":
        entries = MODEL_LINES["v"]
    for method, beginning in entries:
        if method == "continue_chains" and not chains:
            continue
        found = read(getattr(type(model), method, None))
        places = found and [i for i, line in enumerate(found.lines) if line.strip().startswith(beginning)]
        if places:
            return marked(found, [place for start in places for place in whole(found.lines, start)])
    return None


def source_of_layer(layer: Any, name: str) -> Source | None:
    """Where a layer computes a tensor: y and what leads to it in `forward`, gradients in `backward`."""
    if name[:1] != "d" or name == "draw":
        found = read(type(layer).forward)
        return found and marked(found, assigned(found.lines, name) or returned(found.lines))
    for method in ("backward_parameters", "backward"):
        found = read(getattr(type(layer), method))
        if found is None or (method == "backward_parameters" and name == "dx"):
            continue
        places = assigned(found.lines, name) or (returned(found.lines) if name == "dx" else [])
        if places:
            return marked(found, places)
    return read(type(layer).backward)


def source_of_function(function: Any, gradient: bool) -> Source | None:
    """Where a loss or a penalty computes its value, or its gradients: they are returned together."""
    function = getattr(function, "function", function)  # of somebody's own, made a loss or a penalty
    found = read(function if inspect.isfunction(function) else type(function).__call__)
    if found is None:
        return None
    values = assigned(found.lines, "value")
    return marked(found, returned(found.lines) if gradient or not values else values)


def source_of_update(optimizer: Any, name: str) -> Source | None:
    """Where an optimizer changes the parameters θ, or what it remembers."""
    from ... import optimizers

    fused = getattr(optimizers, optimizer.kernel, None)  # Adam's formula is a function, one kernel on a GPU
    found = read(inspect.unwrap(fused or type(optimizer).formula))
    if found is None:
        return None
    places = assigned(found.lines, name)
    if len(places) > 1 and name == "θ":  # without momentum and with it
        momentum = bool(optimizer.state_names)
        places = [place for place in places if fused or ("lr * v" in found.lines[place]) == momentum]
    return marked(found, places)


def read(function: Any) -> Source | None:
    """The lines of a function, none marked; None where there are none to be had, as in an interactive session."""
    try:
        lines, first = inspect.getsourcelines(function)
        path = Path(inspect.getsourcefile(function) or "")
    except (OSError, TypeError):
        return None
    shown = path.relative_to(ROOT).as_posix() if path.is_relative_to(ROOT) else path.as_posix()
    return Source(shown, function.__qualname__, first, tuple(line.rstrip("\n") for line in lines), ())


def marked(source: Source, places: list[int]) -> Source:
    lines = tuple(source.first + place for place in sorted(set(places)))
    return Source(source.path, source.name, source.first, source.lines, lines)


def assigned(lines: tuple[str, ...], name: str) -> list[int]:
    """Where something is assigned to a name, or written into it."""
    makes = re.compile(rf"^\s*(self\.)?{name}(\[\.\.\.\])?(, self\.\w+)? [-+*/]?= |out=(self\.)?{name}\b")
    found = [i for i, line in enumerate(lines) if makes.search(line)]
    return [place for start in found for place in whole(lines, start)]


def returned(lines: tuple[str, ...]) -> list[int]:
    found = [i for i, line in enumerate(lines) if re.match(r"\s+return\b", line)]
    return [place for start in found for place in whole(lines, start)]


def whole(lines: tuple[str, ...], start: int) -> list[int]:
    """The lines of the statement that begins there: until its parentheses are closed."""
    depth, end = 0, start
    for end in range(start, len(lines)):
        code = lines[end].partition("  #")[0]
        depth += sum(code.count(bracket) for bracket in "([{") - sum(code.count(bracket) for bracket in ")]}")
        if depth <= 0:
            break
    return list(range(start, end + 1))
