"""A formula as text: a walk over the tree. What MathML writes otherwise is in markup.py."""

from __future__ import annotations

from collections.abc import Callable

from .arithmetic import ATOM, POWER, PRODUCT, SUM, constant
from .symbol import Symbol
from .tree import Node
from .values import DRAWS

# they say where numbers stand, not which
INVISIBLE = {*("rows", "flat", "per_row", "reshape", "expand", "spread", "repeat", "each_step", "tuple")}
WORDS = {
    "from_windows": "overlap",
    "first_max": "first max",
    "maximum": "max",
    "minimum": "min",
}  # others as they are
STEPS = {"earlier": "[t−1]", "later": "[t+1]", "at_last": "[t=T]"}  # of a sequence
RELATIONS = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥"}
AXES = ("n", "j", "k", "l")
SMALL = {"n": "ₙ", "j": "ⱼ", "k": "ₖ", "l": "ₗ"}


class Writer:
    """Writes a tree in Unicode text; what differs in MathML is in the methods that it overrides.

    symbol(name) says how a name is written; single(node) whether a node is one number, rather than an array.
    """

    def __init__(self, symbol: Callable[[str], Symbol | str], single: Callable[[Node], bool]):
        self.symbol, self.single = symbol, single

    def write(self, node: Node, least: int = SUM) -> str:
        """The node, in parentheses if its operator binds less than it must."""
        text, strength = self.of(node)
        return text if strength >= least else self.row("(", text, ")")

    def of(self, node: Node) -> tuple[str, int]:
        op, args = node.op, node.args
        if op == "num":
            return self.number(constant(node.value)), ATOM
        if op == "name":
            return self.name(self.symbol(node.value))
        if op in INVISIBLE:
            return self.of(args[0])
        if op == "slice":
            return self.part(node), ATOM
        if op in ("add", "sub"):
            sign = "+" if op == "add" else "−"
            return self.joined(self.write(args[0]), sign, self.write(args[1], SUM if op == "add" else PRODUCT)), SUM
        if op == "neg":
            return self.row("−", self.write(args[0], PRODUCT)), SUM
        if op == "mul":
            return self.product(*args), PRODUCT
        if op == "div":
            return self.fraction(*args)
        if op == "matmul":
            return self.matrix_product(self.write(args[0], POWER), self.write(args[1], POWER)), PRODUCT
        if op == "pow":
            return self.power(self.write(args[0], ATOM), self.write(args[1])), POWER
        if op == "T":
            return self.transposed(self.write(args[0], ATOM)), POWER
        if op in RELATIONS:
            return self.row("[", self.joined(self.write(args[0]), RELATIONS[op], self.write(args[1])), "]"), ATOM
        if op in ("abs", "area"):
            return self.row("|", self.write(args[0]), "|"), ATOM
        if op == "exp":
            return self.exponential(self.write(args[0])), POWER
        if op == "sqrt":
            return self.root(self.write(args[0], ATOM), self.write(args[0])), POWER
        if op in ("sum", "mean"):
            return self.sum(node)
        if op == "sigmoid":
            return self.call(self.name("σ")[0], [self.write(args[0])]), ATOM
        if op == "joined":
            return self.list("[", [self.write(arg) for arg in side_by_side(node)], "]"), ATOM
        if op == "stacked":
            return self.list("(", [self.write(arg) for arg in args], ")"), ATOM
        if op in STEPS:
            return self.row(self.write(args[0], ATOM), self.word(STEPS[op])), ATOM
        if op in DRAWS:
            return self.call(self.word(op[0].upper()), [self.number("0"), self.number("1")]), ATOM
        if op == "opaque":
            return self.call(self.word(node.value), [self.write(arg) for arg in args]), ATOM
        shown = args if op in ("maximum", "minimum", "clip", "where", "largest") else args[:1]
        return self.call(self.word(WORDS.get(op, op)), [self.write(arg) for arg in shown]), ATOM

    def product(self, left: Node, right: Node) -> str:
        sign = "·" if self.single(left) or self.single(right) else "⊙"
        return self.joined(self.write(left, PRODUCT), sign, self.write(right, POWER))

    def sum(self, node: Node) -> tuple[str, int]:
        axis = dict(node.value or ()).get("axis")
        index = "" if axis is None else AXES[axis] if axis < len(AXES) else ""
        scale = "1/" + (index.upper() or "M") if node.op == "mean" else ""
        return self.big_sum(scale, index, self.write(node.args[0], PRODUCT)), PRODUCT

    def part(self, node: Node) -> str:
        bounds = [None if b.op == "none" else self.write(b) for b in node.args[1:]]
        axes = [f"{start or ''}:{stop or ''}" for start, stop in zip(bounds[::2], bounds[1::2], strict=True)]
        return f"{self.write(node.args[0], ATOM)}[{', '.join(axes)}]"

    # The alphabet: Unicode

    def name(self, symbol: Symbol | str) -> tuple[str, int]:
        return symbol if isinstance(symbol, str) else symbol.text, strength(symbol)

    def number(self, text: str) -> str:
        return text

    def word(self, text: str) -> str:
        return text

    def row(self, *parts: str) -> str:
        return "".join(parts)

    def joined(self, left: str, sign: str, right: str) -> str:
        return f"{left}·{right}" if sign == "·" else f"{left} {sign} {right}"

    def list(self, opening: str, parts: list[str], closing: str) -> str:
        return self.row(opening, ", ".join(parts), closing)

    def call(self, function: str, arguments: list[str]) -> str:
        return function + self.list("(", arguments, ")")

    def matrix_product(self, left: str, right: str) -> str:
        return f"{left} {right}"

    def fraction(self, above: Node, below: Node) -> tuple[str, int]:
        return f"{self.write(above, PRODUCT)} / {self.write(below, POWER)}", PRODUCT

    def power(self, base: str, exponent: str) -> str:
        raised = {"2": "²", "3": "³", "t": "ᵗ"}.get(exponent)
        return base + (raised or f"^{exponent}")

    def transposed(self, text: str) -> str:
        return text + "ᵀ"

    def exponential(self, exponent: str) -> str:
        return f"exp({exponent})"

    def root(self, atom: str, text: str) -> str:
        return f"√{atom}"

    def big_sum(self, scale: str, index: str, text: str) -> str:
        return f"{scale} Σ{SMALL.get(index, '')} {text}".lstrip()


def side_by_side(node: Node) -> list[Node]:
    """What is joined, however it is nested."""
    return [part for arg in node.args for part in (side_by_side(arg) if arg.op == "joined" else [arg])]


def strength(symbol: Symbol | str) -> int:
    """How strongly a name binds: a derivative is a fraction, and a negative number a sum."""
    if isinstance(symbol, str):
        return SUM if symbol[:1] in "-−" else ATOM
    return POWER if symbol.of else ATOM
