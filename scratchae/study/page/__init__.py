"""A trace as one page: HTML that needs only a browser, on which a person walks through the step, number by number.

The page itself, its style and its scripts are in web/. This module gives them the data to show.
"""

from __future__ import annotations

import base64
import errno
import gzip
import json
import math
import os
import re
import textwrap
from html import escape
from importlib.resources import files
from os import PathLike
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from ...files import written_whole
from ..diagnosis.finding import KINDS
from . import formulas
from .network import network
from .packing import as_lines, embed, whole

if TYPE_CHECKING:
    from ..differences import TensorCheck
    from ..tracing.steps import Step, Tensor, TraceData

STATISTICS = (("smallest", "min"), ("largest", "max"), ("mean", "mean"), ("norm", "norm"))
OPTIONS = {"K": "kernel", "S": "stride", "P": "padding", "N": "examples, N", "lr": "rate, η"}
SCRIPTS = (
    *("tensor.js", "functions.js", "operators.js", "arrangements.js", "run.js"),
    *("places.js", "recipe.js", "layouts.js", "heatmap.js", "diagram.js", "panels.js", "measured.js"),
    *("mistakes.js", "predict.js", "pad.js", "laboratory.js", "controls.js", "page.js"),
)
SUPERSCRIPTS = str.maketrans("-0123456789", "⁻⁰¹²³⁴⁵⁶⁷⁸⁹")
DRAWN = "Chance enters here, and the step goes on with these numbers as if they had been given."
FEW = 16  # numbers
ROWS = 8  # of the table of gradients
MISTAKES = {
    kind: KINDS[kind][0].partition(": with")[0]
    for kind in (
        "batch_missing",
        "sign",
        "factor",
        "not_averaged",
        "averaged_twice",
        "upstream_ignored",
        "operation_missing",
        "parameter_turned",
    )
} | {
    "left_out": "{name} is left out",
    "mean": "the {wrong} is taken in place of the {right}",
    "first_term": "the sum is missing: only its first term is in it",
}
# how far a sum of rounded numbers may be off, of the result's largest
TOLERANCE = {"zeros": 0.0, "f8": 1e-9, "f4": 1e-4, "i2": 2e-3}


def write_page(trace: TraceData, path: str | PathLike[str]) -> Path:
    """Write the trace as a page to a file, whole or not at all, and return its path. Raises OSError if it cannot be written."""
    path = Path(path)
    if not path.parent.is_dir():  # a slip of the pen, rather than a wish for a folder
        raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path))
    with written_whole(path) as temporary:
        temporary.write_text(page(trace), encoding="utf-8")
    return path


def page(trace: TraceData) -> str:
    """The page as text."""
    web = files(__package__) / "web"
    data = json.dumps(content(trace), separators=(",", ":"), ensure_ascii=False, allow_nan=False)
    parts = {
        "title": escape(trace.title),
        "lead": escape(lead(trace)),
        "style": squeezed(re.sub(r"/\*.*?\*/", "", (web / "page.css").read_text("utf-8"), flags=re.DOTALL)),
        "data": base64.b64encode(gzip.compress(data.encode(), mtime=0)).decode(),
        "scripts": "\n".join(f"<script>\n{squeezed((web / name).read_text('utf-8'))}</script>" for name in SCRIPTS),
    }
    return re.sub(r"\{\{(\w+)\}\}", lambda found: parts[found[1]], (web / "page.html").read_text("utf-8"))


def squeezed(script: str) -> str:
    """A script or a style without indents and without comments, which have spaces around their //: a page should be small."""
    lines = (re.sub(r"(^|\s+)// .*", "", line.strip()) for line in script.splitlines())
    return "\n".join(line for line in lines if line) + "\n"


def lead(trace: TraceData) -> str:
    """The subject of the page, in a sentence."""
    examples = f"{len(trace.x.array)} example{'s' if len(trace.x.array) > 1 else ''}"
    return f"One training step on {examples}, in {len(trace)} formulas. {trace.remark}Walk with the arrow keys; point at a number to see where it comes from."


def content(trace: TraceData) -> dict[str, Any]:
    """Everything that the scripts of the page read, as JSON values."""
    tensors = trace.tensors
    numeric = {
        f"numeric {step.result.key}": (step.result, step.check.numeric)
        for step in trace.steps
        if step.check and not step.check.sampled and step.check.numeric.ndim
    }
    arrays = {key: tensor.array for key, tensor in tensors.items()}
    differences = {key: array for key, (_, array) in numeric.items()}
    shut, given = formulas.closed(trace), formulas.leaves(trace)
    exact = None if shut else whole({key: arrays[key] for key in arrays if key in given} | differences)
    if exact:
        later = {
            key: {"shape": arrays[key].shape, "kept": None, "type": "computed"} for key in arrays if key not in given
        }
        records = exact | later
    else:
        minor = [key for key, tensor in tensors.items() if tensor.role in ("state", "updated")]
        records, shut = embed(arrays | differences, minor), shut or formulas.THINNED
    images = pictures(trace.x.array)
    for key, tensor in [*tensors.items(), *((key, tensor) for key, (tensor, _) in numeric.items())]:
        records[key] |= looks(tensor, images)
    sources: dict[str, dict[str, Any]] = {}
    rounding = formulas.roundings(trace)
    steps = [
        as_json(step, trace, {} if exact else records, sources) | formulas.computed(step, rounding)
        for step in trace.steps
    ]
    laboratory = {"shut": shut, "carried": trace.carried, "untold": trace.untold}
    return {
        "tensors": records,
        **network(trace),
        "steps": steps,
        "sources": sources,
        "laboratory": laboratory,
        "mistakes": MISTAKES,
    }


# Arrays


def pictures(x: np.ndarray) -> dict[int, list[int]]:
    """Height and width of a picture of so many numbers, and how many these are: the pixels of square images, and with a label behind
    them, which stands below its picture. Empty where the examples are no pictures.
    """
    if x.ndim != 2 or (side := math.isqrt(x.shape[1])) < 7:
        return {}
    features, pixels = x.shape[1], side * side
    labels = x[:, pixels:]
    if features > pixels and not (((labels == 0) | (labels == 1)).all() and (labels.sum(axis=1) == 1).all()):
        return {}
    return {size: [-(-size // side), side, size] for size in (pixels, features)}


def looks(tensor: Tensor, images: dict[int, list[int]]) -> dict[str, Any]:
    """How an array is named and drawn.

    image: height, width and numbers of the picture that lies along its long axis, of `images`; kernel: whether its last two axes are
    channels; pixels: whether it is drawn in shades of grey; signed: whether something is below zero.
    """
    array, value = tensor.array, tensor.role in ("input", "activation", "draw")
    picture = (
        next((images[size] for size in array.shape[::-1] if size in images), None) if array.ndim in (1, 2) else None
    )
    shades = array.ndim == 2 if picture else array.ndim == 4 and array.shape[3] == 1
    return {
        "symbol": tensor.symbol.text,
        "mathml": tidied(f"<math>{tensor.symbol.mathml}</math>"),
        "image": picture,
        "kernel": array.ndim == 4 and is_kernel(tensor),
        "pixels": value and shades and bool(array.size and array.min() >= 0 and array.max() <= 1),
        "signed": bool((array < 0).any()),
    }


def is_kernel(tensor: Tensor) -> bool:
    """Whether it is a parameter, a parameter's gradient or part of an update, and not a value or a value's gradient."""
    return tensor.symbol.letter == "W" or tensor.role in ("parameter", "state", "updated")


def tidied(mathml: str) -> str:
    """MathML for the page's style: words and signs are marked, since only variables are slanted, and a transposed a₁ has both
    of its scripts on one letter.
    """
    mathml = re.sub(r"<mi( mathvariant='normal')?>(\w{2,}|\W|∂)</mi>", r'<mi class="word">\2</mi>', mathml)
    return re.sub(
        r"<msup><msub>(<mi>\w</mi><m[in]>\w+</m[in]>)</msub>(<m[in][^>]*>[^<]+</m[in]>)</msup>",
        r"<msubsup>\1\2</msubsup>",
        mathml,
    )


# Steps


def as_json(step: Step, trace: TraceData, rounded: dict[str, Any], sources: dict[str, Any]) -> dict[str, Any]:
    """A step as the page shows it; the source that it speaks of is added to `sources`. rounded: the records of arrays, where
    they may be rounded."""
    operands = {operand.name: operand.tensor.key for operand in step.operands}
    shown = [step.result.key, *operands.values()]
    where = f"{step.layer} · {step.kind}" if step.layer else step.kind
    return {
        "phase": step.phase,
        "layer": step.layer,
        "where": where,
        "spoken": f"{step.text}, {where}",
        "about": step.note[:1].upper() + step.note[1:] + ("." if step.note else ""),
        "because": step.formula.tree.because or (DRAWN if step.formula.drawn else ""),
        "formula": tidied(step.mathml),
        "row": formulas.in_pictures(step),
        "result": step.result.key,
        "operands": list(dict.fromkeys(operands.values())),
        "names": operands,
        "recipe": step.formula.recipe,
        "derivative": step.derivative,
        "first": first_cell(step),
        "options": {name: written for name in step.options if (written := letter(step, name))},
        "tolerance": max(TOLERANCE[rounded[key]["type"] if rounded else "f8"] for key in shown),
        "facts": facts(step),
        "check": None if step.check is None else comparison(step.result, step.check),
        "sources": code(step, trace, sources),
    }


def letter(step: Step, name: str) -> str:
    """How a plain number is written in the formula; "" if by its digits."""
    written = str(step.formula.symbols[name])
    return "" if written[:1].isdigit() else written


def first_cell(step: Step) -> list[int]:
    """The number to look at first: the first of a few, the largest of many, in an update the one with the largest gradient."""
    operands = {operand.name: operand.tensor.array for operand in step.operands}
    gradient = next((operands[name] for name in ("g", "m", "v") if name in operands), step.result.array)
    array = gradient if gradient.shape == step.result.shape else step.result.array
    flat = int(np.abs(array).argmax()) if array.size > FEW else 0
    return [int(i) for i in np.unravel_index(flat, array.shape)]


def facts(step: Step) -> list[list[Any]]:
    """Names and values for the list of figures."""
    found, statistics = [], step.statistics
    found.append(["shape", " × ".join(map(str, step.result.shape)) or "one number"])
    if step.result.array.size > 1:
        found += [[name, finite(getattr(statistics, key))] for name, key in STATISTICS]
        found.append(["zeros", f"{statistics.zeros:.1%}"])
    found.append(["operations", f"{step.flops:,}"])
    if step.bytes_kept:
        found.append(["kept for backward", f"{step.bytes_kept:,} bytes"])
    found += [
        [OPTIONS.get(name) or letter(step, name) or name, finite(value) if isinstance(value, float) else str(value)]
        for name, value in step.options.items()
        if not name.endswith(("_size", "_shape"))
    ]
    return [*found, *map(list, step.words.items())]


def comparison(gradient: Tensor, check: TensorCheck) -> dict[str, Any]:
    """The gradient beside the numerical one: as a sentence, as arrays if all elements were checked, and as a table."""
    numeric, analytic = check.numeric, gradient.array
    which = f"All {analytic.size:,} numbers" if analytic.size > 1 else "The number"
    if check.sampled:
        which = f"{check.checked:,} of {analytic.size:,} numbers, the largest and some drawn at random"
    kinks = f" {check.kinks} at a kink, where there is no derivative, left out." if check.kinks else ""
    error = (
        "the gradient is NaN" if np.isnan(analytic).any() else f"largest relative error {power_of_ten(check.error)}"
    )
    text = f"{which}, compared with central differences, [L(θ + h) − L(θ − h)] / 2h: {error}.{kinks}"
    if not check.comparable:
        text = f"{which}, and {'all' if check.kinks > 1 else 'it'} at a kink, where there is no derivative to compare with."
    known = np.flatnonzero(np.isfinite(numeric) & np.isfinite(analytic))
    difference = np.abs(analytic - numeric).ravel()
    at_kink = set(known[np.argsort(-difference[known], kind="stable")[: check.kinks]].tolist())
    largest = known[np.argsort(-np.abs(analytic.ravel()[known]), kind="stable")[:ROWS]]
    rows = []
    for flat in sorted(largest.tolist()):
        index = [int(i) for i in np.unravel_index(flat, analytic.shape)]
        off = None if flat in at_kink else float(difference[flat])
        rows.append([index, float(analytic.flat[flat]), float(numeric.flat[flat]), off])
    whole = not check.sampled and numeric.ndim > 0
    return {
        "verdict": ("yes" if check.comparable else "open") if check.passed else "no",
        "text": text,
        "numeric": f"numeric {gradient.key}" if whole else None,
        "rows": rows,
    }


def code(step: Step, trace: TraceData, sources: dict[str, Any]) -> list[list[Any]]:
    """The methods to show, as [key in sources, numbers of the lines used]: the step's own and, for a layer's backward, the
    forward that it differentiates.
    """
    shown = [step]
    if step.layer and step.phase == "backward":
        shown += [other for other in trace.steps if other.layer == step.layer and other.phase == "forward"]
    found: dict[str, set[int]] = {}
    for source in (other.source for other in shown if other.source):
        key = f"{source.path}:{source.first}"
        if key not in sources:
            lines = as_lines(textwrap.dedent("\n".join(source.lines)))
            sources[key] = {"name": source.name, "file": source.path, "first": source.first, "lines": lines}
        found.setdefault(key, set()).update(source.highlighted)
    return [[key, sorted(lines)] for key, lines in found.items()]


def power_of_ten(value: float) -> str:
    """2.5·10⁻⁹"""
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞"
    mantissa, _, exponent = f"{value:.1e}".partition("e")
    return f"{mantissa}·10{str(int(exponent)).translate(SUPERSCRIPTS)}"


def finite(value: float) -> float | str:
    """A number for JSON, which has only finite numbers."""
    return value if math.isfinite(value) else str(value)
