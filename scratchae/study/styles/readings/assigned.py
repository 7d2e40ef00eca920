"""Which gradient belongs to which tensor: by the names that people give them, else by order and shape."""

from __future__ import annotations

import itertools
import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from ..losses import TARGETS
from ..text.names import GRADIENTS, PARAMETERS, plain, stem, stems_of_gradient


def assigned(
    gradients: Sequence[tuple[str, Any]], tensors: Mapping[str, np.ndarray]
) -> Iterator[tuple[dict[str, np.ndarray], int]]:
    """Each gradient to its tensor, in every way that may be meant, and how many arrays are left over.

    Names tell; where they do not, order and shape.
    """
    found: dict[str, np.ndarray] = {}
    unnamed: list[Any] = []
    left = 0
    stems = {name: stems_of_tensor(name) for name in tensors}
    numbers = any(tensor.ndim == 0 for tensor in tensors.values())
    for label, value in gradients:
        array = np.asarray(value)
        if array.dtype.kind not in "fiu":
            continue
        same = label in tensors and label.startswith("self.")
        hits = [label] if same else [name for name in tensors if stems[name] & stems_of_label(label)]
        hits.sort(key=lambda name, label=label: not last_of(label).endswith(last_of(name)))  # dB of B, beside b
        if label.startswith("self."):  # first those of the object, and of them W['f'] for dW['f']
            hits.sort(key=lambda name, label=label: (not name.startswith("self."), not beside(label, name)))
        hit = next((name for name in hits if name not in found), None)
        if hit is not None:
            found[hit] = array
        elif not hits and not label.startswith("self."):
            if array.ndim or numbers:
                unnamed.append((label, array))
            else:
                left += 1  # a single number, and none of the tensors is one
    # beside gradients by name, another name is that of a state, such as hs
    unnamed = [array for label, array in unnamed if not found or not label.isidentifier() or stems_of_gradient(label)]
    free = [name for name in tensors if name not in found]
    outer = [name for name in free if not name.startswith("self.")] or free
    if len(unnamed) == 1:
        fitting = [name for name in outer if tensors[name].shape == unnamed[0].shape]
        fitting += [name for name in free if name not in outer and tensors[name].shape == unnamed[0].shape]
        yield from ((found | {name: unnamed[0]}, left) for name in fitting)
        if not fitting and len(outer) == 1:
            yield found | {outer[0]: unnamed[0]}, left
        if fitting or len(outer) == 1:
            return
    elif unnamed:
        shapes = [array.shape for array in unnamed]
        fitting = (
            names
            for these in (outer, free)
            for names in itertools.combinations(these, len(unnamed))
            if [tensors[name].shape for name in names] == shapes and not of_target_alone(names, outer)
        )
        ways = [found | dict(zip(names, unnamed, strict=True)) for names in itertools.islice(fitting, 3)]
        inner = [name for name in free if name not in outer]
        # in another order than the arguments, or than what an object holds
        for these in [one for one in (outer, inner) if len(unnamed) == len(one) <= 4 and not ways]:
            turned = (
                names for names in itertools.permutations(these) if [tensors[name].shape for name in names] == shapes
            )
            ways += [found | dict(zip(names, unnamed, strict=True)) for names in turned]
        if ways:
            yield from ((way, left) for way in ways)
            return
    if found:
        yield found, left + len(unnamed)


def of_target_alone(names: Sequence[str], outer: Sequence[str]) -> bool:
    """Whether gradients of what an object holds would come with that of a target, and without that of what it is handed besides."""
    given = [name for name in names if name in outer]
    return 0 < len(given) < len(names) and len(given) < len(outer) and any(plain(name) in TARGETS for name in given)


def beside(label: str, name: str) -> bool:
    """Whether what holds a gradient is named after what holds a tensor, as in self.dW['f'] and self.W['f']."""
    above = [parts_of(path)[-2] for path in (label, name) if len(parts_of(path)) > 1]
    return len(above) == 2 and stem(above[1]) in stems_of_gradient(above[0]) | {stem(above[0])}


def reordered(gradients: Sequence[tuple[str, Any]], tensors: Mapping[str, np.ndarray]) -> bool:
    """Whether gradients without names come in another order than the arguments that they fit."""
    shapes = [np.shape(value) for label, value in gradients if label.isdigit()]
    outer = [tensor.shape for name, tensor in tensors.items() if not name.startswith("self.")]
    return len(shapes) > 1 and shapes != outer and sorted(shapes) == sorted(outer)


def parts_of(name: str) -> list[str]:
    """The names and places in a path, self, params and W1 of self.params['W1']; the path itself where there is none."""
    return re.findall(r"[A-Za-z_]\w*|\d+", name) or [name]


def last_of(name: str) -> str:
    return parts_of(name)[-1]


def stems_of_tensor(name: str) -> set[str]:
    """self.params[W1], p[W1] and W1 are all w1."""
    inner = parts_of(name)
    last = inner[-1]
    found = {stem(last)}
    if last.isdigit() and len(inner) > 1:  # weights[0], and params[0], whose gradient is grads[0]
        found = {f"{stem(inner[-2])}[{last}]"} | ({f"[{last}]"} if plain(inner[-2]) in PARAMETERS else set())
    if plain(last) in ("data", "value", "w") and len(inner) > 1:
        found.add(stem(inner[-2]))
    return found


def stems_of_label(label: str) -> set[str]:
    """What a gradient of this name may belong to: dW1, grads[W1] and W1 all to w1."""
    place = re.search(r"\[(\d+)\]$", label)
    if place:
        base = last_of(label[: place.start()])
        bare = {""} if plain(base) in GRADIENTS else set()
        return {f"{one}[{place[1]}]" for one in stems_of_gradient(base) | {stem(base)} | bare}
    inner = parts_of(label)
    last = inner[-1]
    if last in ("grad", "gradient", "g", "d") and len(inner) > 1:
        return {stem(inner[-2])}
    if plain(last).endswith("bar"):  # of x, as in papers on automatic differentiation
        return {stem(plain(last).removesuffix("bar"))}
    return stems_of_gradient(last) | {stem(last)}
