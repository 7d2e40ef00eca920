"""What the text of a function tells: the names that it returns, the keys that it reads, the learning rate that is written into it."""

from __future__ import annotations

import ast
import contextlib
import functools
import inspect
import io
import re
import textwrap
import tokenize
from collections.abc import Collection, Iterable, Iterator, Mapping
from typing import Any, NamedTuple

from .names import RATES, plain


def returned_names(method: Any, count: int) -> list[str]:
    """The names in `return dx, dW, db`; where there are none, places."""
    for found in returns(getattr(method, "source", method)):
        if isinstance(found, ast.Tuple | ast.List) and len(found.elts) == count:
            return [called(item, i) for i, item in enumerate(found.elts)]
    return [str(i) for i in range(count)]


def called(node: ast.expr, place: int) -> str:
    """The name of what is returned at a place, or else the place."""
    return getattr(node, "id", getattr(node, "attr", str(place)))


def returns(function: Any) -> list[ast.expr]:
    """What a function or method returns, as written; nothing, where its text cannot be had."""
    return list(returned_in(tree_of(function)))


@functools.cache
def returned_in(tree: ast.Module) -> tuple[ast.expr, ...]:
    return tuple(node.value for node in ast.walk(tree) if isinstance(node, ast.Return) and node.value is not None)


def may_give_several(function: Any) -> bool:
    """Whether a function may return a tuple: it returns one, a name, or what another function gives that is none of NumPy's."""
    return any(
        isinstance(node, ast.Tuple | ast.Name | ast.IfExp | ast.Attribute)
        or (isinstance(node, ast.Call) and not ast.unparse(node.func).startswith(("np.", "numpy.", "float")))
        for node in returns(function)
    )


def text_of(thing: Any) -> str:
    """A class or function as it is written; empty where its text cannot be had."""
    return (text_known if inspect.isfunction(thing) or inspect.isclass(thing) else text_of_any)(thing)


def text_of_any(thing: Any) -> str:
    try:
        return inspect.getsource(thing)
    except (OSError, TypeError):
        return ""


text_known = functools.lru_cache(1000)(text_of_any)  # which are asked for thousands of times


def notes_of(thing: Any) -> str:
    """What a class or function says of itself, in its comments and texts."""
    with contextlib.suppress(tokenize.TokenError, IndentationError):
        tokens = tokenize.generate_tokens(io.StringIO(textwrap.dedent(text_of(thing))).readline)
        return " ".join(token.string for token in tokens if token.type in (tokenize.COMMENT, tokenize.STRING))
    return ""


def tree_of(function: Any) -> ast.Module:
    """A function or method as it is written; an empty module where its text cannot be had."""
    function = inspect.unwrap(getattr(function, "__func__", function))
    return of_code(getattr(function, "__code__", None))


@functools.cache
def of_code(code: Any) -> ast.Module:
    try:
        return ast.parse(
            re.sub(r"\A\s*return\b.*", "", textwrap.dedent(text_of(code)), flags=re.S)
        )  # of a lambda: none
    except SyntaxError:
        return ast.Module([], [])


def is_empty(method: Any) -> bool:
    """Whether a method is only there to be written by others: pass, …, or raise NotImplementedError."""

    def idle(line: ast.stmt) -> bool:
        return isinstance(line, ast.Pass | ast.Raise) or isinstance(getattr(line, "value", None), ast.Constant)

    return any(all(map(idle, one.body)) for one in tree_of(method).body if isinstance(one, ast.FunctionDef))


def indices_in(functions: Iterable[Any], names: Collection[str]) -> set[str]:
    """Which of these names stand alone in brackets, so that they choose rows: u in P[u] and y in p[np.arange(n), y]."""
    nodes = (node for function in functions for node in ast.walk(tree_of(function)))
    inside = [node.slice for node in nodes if isinstance(node, ast.Subscript)]
    alone = (one for index in inside for one in (index.elts if isinstance(index, ast.Tuple) else [index]))
    return {one.id for one in alone if isinstance(one, ast.Name) and one.id in names}


def transposed_in(functions: Iterable[Any], names: Collection[str]) -> set[str]:
    """Which of these names are transposed, as A.T, np.transpose(A) or A.transpose(), so that they mean arrays of several axes."""
    nodes = [node for function in functions for node in ast.walk(tree_of(function))]
    turned = [node.value for node in nodes if isinstance(node, ast.Attribute) and node.attr in ("T", "transpose")]
    turned += [
        node.args[0]
        for node in nodes
        if isinstance(node, ast.Call) and node.args and getattr(node.func, "attr", "") == "transpose"
    ]
    return {one.id for one in turned if isinstance(one, ast.Name) and one.id in names}


WEIGHT = re.compile(r"[WUV]_?\w{0,3}|w\d|w[xhy]\w|b\d?|b_?\w|theta\d?|gamma|beta|\w*(?:weight|bias)\w*")
LIST = re.compile(r"(?:all_)?(?:weights|biases|params|parameters|kernels|matrices|Ws|bs|thetas)")  # of arrays


class Row(list):
    """What the entries of a list or tuple are called where it is taken apart, in order. width: how many of them are in a tuple each."""

    width = 0

    def packed(self, arrays: Iterable[Any]) -> list[Any]:
        """A list of arrays as it is taken apart."""
        found = list(arrays)
        places = range(0, len(found), self.width or len(found))
        return [tuple(found[i : i + self.width]) for i in places] if self.width else found


def keys_of(functions: Iterable[Any], names: Collection[str]) -> dict[str, list[str]]:
    """The arguments from which keys are read, here or where they are handed on, as in `W, b = p["W"], p["b"]`, and those keys; a Row of
    the names of a list, as in `W, b = p`."""
    functions = list(functions)
    found: dict[str, dict[str, None]] = {}
    counted: list[
        tuple[str, str, list[str]]
    ] = []  # such as W1 and W2, for a loop over numbers, or over what is not known
    spelt = set()
    for function in functions:
        tree = tree_of(function)
        loops = {
            node.target.id: words_of(node.iter)
            for node in ast.walk(tree)
            if isinstance(node, ast.For | ast.comprehension) and isinstance(node.target, ast.Name)
        }
        for node in ast.walk(tree):
            name, keys = read_in(node, loops)
            if name not in names or not keys:
                continue
            start = beginning(node.slice) if isinstance(node, ast.Subscript) else ""
            if start and not loops.get(ending(node.slice)):
                counted.append((name, start, keys))
                continue
            spelt.add((name, start))
            found.setdefault(name, {}).update(dict.fromkeys(keys))
    for name, start, keys in counted:
        if (name, start) not in spelt and not any(key.startswith(start) for key in found.get(name, ())):
            found.setdefault(name, {}).update(dict.fromkeys(keys))
    through_all = {name: ["W1", "b1", "W2"] for name in gone_through(functions, names)}
    return through_all | rows_of(functions, names) | {name: list(keys) for name, keys in found.items()}


def gone_through(functions: list[Any], names: Collection[str]) -> Iterator[str]:
    """The arguments that are dicts with any keys, as in `for name, W in weights.items()`."""
    nodes = (node for function in functions for node in ast.walk(tree_of(function)) if isinstance(node, ast.Call))
    called = (ast.unparse(node.func).partition(".") for node in nodes if not node.args)
    yield from (name for name, _, method in called if name in names and method in ("items", "values", "keys"))


def rows_of(functions: Iterable[Any], names: Collection[str]) -> dict[str, list[str]]:
    """The arguments that are lists of arrays: `W, b, V = p`; or of tuples, `for W, b in p`; the names are those of weights."""
    found: dict[str, list[str]] = {}
    for node in (node for function in functions for node in ast.walk(tree_of(function))):
        pairs = [(node.targets[0], node.value)] if isinstance(node, ast.Assign) else []
        if isinstance(node, ast.For | ast.comprehension):
            pairs = [*through(node.target, node.iter)]
        for target, value in pairs:
            inside = not isinstance(node, ast.Assign) or isinstance(value, ast.Subscript)
            value = value.value if isinstance(value, ast.Subscript) else value
            each = isinstance(target, ast.Name) and inside and bool(LIST.fullmatch(getattr(value, "id", "")))
            entries = [target] if each else getattr(target, "elts", [])
            called = [one.id for one in entries if isinstance(one, ast.Name)]
            if (
                getattr(value, "id", "") in names
                and len(called) == len(entries)
                and (each or any(map(WEIGHT.fullmatch, called)))
            ):
                row = Row([f"{one}{i}" for i in (1, 2) for one in called] if inside else called)
                row.width = len(called) if inside and not each else 0
                found.setdefault(value.id, row)
    return found


def through(target: ast.expr, source: ast.expr) -> Iterator[tuple[ast.expr, ast.expr]]:
    """What a loop takes out of what: (W, b) of p, also where it is enumerated, turned round, or beside another."""
    if not isinstance(source, ast.Call):
        yield target, source
        return
    places, name = getattr(target, "elts", []), getattr(source.func, "id", "")
    if name == "enumerate" and len(places) == 2:
        yield from through(places[1], source.args[0])
    elif name in ("reversed", "list") and source.args:
        yield from through(target, source.args[0])
    elif name == "zip":
        yield from zip(places, source.args, strict=False)


def words_of(node: ast.expr) -> list[str]:
    """The words over which a loop runs, in "rzn" and in ("r", "z")."""
    parts = [getattr(one, "value", None) for one in getattr(node, "elts", ())]
    whole = getattr(node, "value", None)
    return list(whole) if isinstance(whole, str) else [one for one in parts if isinstance(one, str)]


def read_in(node: ast.AST, loops: Mapping[str, list[str]]) -> tuple[str, list[str]]:
    """The name of what is subscripted, and the keys: of p["W"], of p["W" + str(i)], of (p[key] for key in ("W", "b")), of p["W" + k]
    where k runs over words."""
    if isinstance(node, ast.GeneratorExp | ast.ListComp) and isinstance(node.elt, ast.Subscript):
        among = [getattr(one, "value", None) for one in getattr(node.generators[0].iter, "elts", ())]
        return getattr(node.elt.value, "id", ""), [one for one in among if isinstance(one, str)]
    if not isinstance(node, ast.Subscript):
        return "", []
    key, start = getattr(node.slice, "value", None), beginning(node.slice)
    ends = loops.get(ending(node.slice)) or ("1", "2")
    keys = [key] if isinstance(key, str) else [f"{start}{end}" for end in ends] if start else []
    return getattr(node.value, "id", ""), keys


def ending(node: ast.expr) -> str:
    """k of the keys "W" + k and f"W{k}"."""
    last = node.right if isinstance(node, ast.BinOp) else node.values[-1] if isinstance(node, ast.JoinedStr) else node
    return getattr(getattr(last, "value", last), "id", "")


def beginning(node: ast.expr) -> str:
    """W of the keys "W" + str(l) and f"W{l}"."""
    first = node.left if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add) else None
    if isinstance(node, ast.JoinedStr) and len(node.values) == 2:
        first = node.values[0]
    value = getattr(first, "value", None)
    return value if isinstance(value, str) else ""


def upstream_option(function: Any) -> list[str]:
    """The name of a backward's upstream, such as dout=1 of a loss, if it is an option that the text uses."""
    used = {node.id for node in ast.walk(tree_of(function)) if isinstance(node, ast.Name)}
    asked = inspect.signature(function).parameters.values()
    ones = (p.name for p in asked if type(p.default) in (int, float) and p.default == 1 and p.name in used)
    return [name for name in ones if re.match("d[a-z]|grad|g_?out|upstream|seed|scale$", name.lower())][:1]


def written_rate(thing: Any, method: str) -> float:
    """The learning rate by which a backward multiplies what it takes off: that of `self.W -= self.rate * …`, whether an attribute of the
    object, of its class or of the file, or the number in `self.W -= 0.1 * …`; 1 if there is none."""
    found = [*map(factors, taken_off_in(tree_of(getattr(type(thing), method))))]
    file = getattr(inspect.unwrap(getattr(type(thing), method)), "__globals__", {})
    for name in (name for change in found for name in map(called_rate, change) if name):
        value = getattr(thing, name, file.get(name))
        if isinstance(value, float) and value > 0:
            return value
    numbers = (getattr(change[0], "value", None) for change in found)
    return next((number for number in numbers if isinstance(number, float)), 1.0)


class Change(NamedTuple):
    """`W -= v`, and `W = of - v`: W, the operator, v, and what the statement starts from."""

    target: ast.expr
    op: ast.operator
    by: ast.expr
    of: ast.expr


def changes_in(tree: ast.AST) -> Iterator[Change]:
    """What changes by something, in `W -= v` and in `W = W - v`."""
    for node in ast.walk(tree):
        if isinstance(node, ast.AugAssign):
            yield Change(node.target, node.op, node.value, node.target)
        elif isinstance(node, ast.Assign) and isinstance(node.value, ast.BinOp):
            yield Change(node.targets[0], node.value.op, node.value.right, node.value.left)


def taken_off_in(tree: ast.AST) -> list[ast.expr]:
    """What is subtracted in `W -= …` and `W = W - …`, first in those of self.W."""
    less = [change for change in changes_in(tree) if isinstance(change.op, ast.Sub)]
    return [
        change.by for change in sorted(less, key=lambda change: not ast.unparse(change.target).startswith("self."))
    ]


def factors(node: ast.expr) -> list[ast.expr]:
    """The factors of a product, from the left; of a sum those of its first term, and of a quotient those above the line."""
    if not isinstance(node, ast.BinOp):
        return [node]
    return factors(node.left) + (factors(node.right) if isinstance(node.op, ast.Mult) else [])


def called_rate(node: ast.expr) -> str:
    """The name of a learning rate, of self.rate or LEARNING_RATE; empty for anything else."""
    name = getattr(node, "attr", getattr(node, "id", ""))
    return name if plain(name) in RATES else ""


def passed_on(body: list[ast.stmt]) -> set[str]:
    """The lists of which an entry is calculated with, as of the activations of a net, which are no record of a value."""
    nodes = [*ast.walk(ast.Module(body, []))]
    used = [node.args[0] for node in nodes if getattr(getattr(node, "func", None), "attr", "") == "append"]
    used += [node.value for node in nodes if isinstance(node, ast.Assign | ast.AugAssign)]
    entries = (one for value in used for one in ast.walk(value) if isinstance(one, ast.Subscript))
    return {ast.unparse(one.value) for one in entries}
