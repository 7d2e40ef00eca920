"""Steps along the gradients that one call gives: all of them go down, or all up."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator

from ..diagnosis.finding import finding
from ..styles.functions.loops import end_of
from ..styles.text.names import IS_COST, IS_SLOPE, stem, stems_of_gradient
from ..styles.text.written import called_rate, changes_in, factors
from .result import WRONG, Result

# where some parameters go up on purpose, while others go down
BOTH_WAYS = re.compile(
    r"ascen[dt]|maximi|adversar|revers|dual|lagrang|minimax|saddle|multiplier|generator|discriminat|critic", re.I
)

# where what is called a cost is to grow
UP = re.compile(r"likelihood|reward|fgsm|attack|dream|saliency", re.I)


def examine(body: list[ast.stmt], text: str) -> Result | None:
    """Wrong if one parameter takes a step in another direction than the others, two or more, with gradients of the same call, or along
    the gradient of another; or if all go up what is called a cost. text: of its file."""
    tree = ast.Module(body, [])
    given: dict[str, ast.Call] = {}  # the names of gradients, and what gives them
    for node in ast.walk(tree):
        if isinstance(node, ast.Assign) and isinstance(node.value, ast.Call):
            given |= {getattr(one, "id", ""): node.value for one in getattr(node.targets[0], "elts", ())}
    found: dict[str, dict[str, list[str]]] = {}
    taken = {target: (sign, slope) for target, sign, slope in steps(tree)}
    for target, (sign, slope) in taken.items():
        if source := source_of(slope, given):
            found.setdefault(source, {"+": [], "-": []})[sign].append(target)
    which = crossed(tree, taken)
    for source, ways in found.items():
        few, many = sorted(ways, key=lambda sign: len(ways[sign]))
        if BOTH_WAYS.search(text):
            continue
        if len(ways[few]) == 1 and len(ways[many]) > 1:
            words = {"-": "is taken off", "+": "is added to"}
            which = f"a gradient {words[few]} {ways[few][0]}, and {words[many]} {', '.join(ways[many])}"
        elif ways["+"] and not ways["-"] and is_cost(source) and not UP.search(text):
            which = f"the gradient of {source.partition('(')[0]} is added to {', '.join(ways['+'])}, which leads up"
    return Result(WRONG, "", findings=(finding("optimizer", (), "", which=which),)) if which else None


def is_cost(source: str) -> bool:
    """Whether a call is that of a cost that comes with its gradients, and not of gradients alone, which may be turned round."""
    name = source.partition("(")[0].rpartition(".")[2]
    return "(" in source and bool(IS_COST.search(name)) and not IS_SLOPE.search(name)


def crossed(tree: ast.AST, taken: dict[str, tuple[str, ast.expr]]) -> str:
    """What is said of a parameter that takes a step along the gradient of another, while there is one of its own; empty if none does."""
    named = {end_of(node) for node in ast.walk(tree) if isinstance(node, ast.Name | ast.Attribute)}
    own = {target: stem(end_of(ast.parse(target, mode="eval").body)) for target in taken}
    for target, (_, slope) in taken.items():
        of = stems_of_gradient(end_of(slope))
        theirs = [other for other in taken if other != target and own[other] in of]
        if own[target] not in of and theirs and any(own[target] in stems_of_gradient(name) for name in named):
            return f"{target} takes a step along {ast.unparse(slope)}, the gradient of {theirs[0]}"
    return ""


def steps(tree: ast.AST) -> Iterator[tuple[str, str, ast.expr]]:
    """What changes by a rate times something: what is changed, the sign, and that something."""
    for target, op, value, of in changes_in(tree):
        parts = factors(value)
        rest = [one for one in parts if not (called_rate(one) or isinstance(one, ast.Constant))]
        alike = isinstance(op, ast.Add | ast.Sub) and ast.unparse(of) == ast.unparse(target)
        if alike and len(parts) == 2 and len(rest) == 1:
            yield ast.unparse(target), "+" if isinstance(op, ast.Add) else "-", rest[0]


def source_of(slope: ast.expr, given: dict[str, ast.Call]) -> str:
    """What gives a gradient: the call of dW of `cost, dW = …`, of grads[key] of `cost, grads = …`, and of cost(W)[1]; or grads of grads["W"]."""
    inner = slope.value if isinstance(slope, ast.Subscript) else slope
    if getattr(inner, "id", "") in given or (isinstance(inner, ast.Call) and inner is not slope):
        return ast.unparse(given.get(getattr(inner, "id", ""), inner))
    keyed = inner is not slope and isinstance(slope.slice, ast.Constant)
    return getattr(inner, "id", "") if keyed else ""
