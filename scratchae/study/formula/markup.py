"""A formula in LaTeX and in MathML: the walk of rendering.py with other alphabets."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from html import escape

from .rendering import ATOM, PRODUCT, Writer, strength
from .symbol import Symbol, latex_letter, mathml_letter
from .tree import Node

LOWERED = str.maketrans("⁻⁰¹²³⁴⁵⁶⁷⁸⁹", "-0123456789")


class LatexWriter(Writer):
    def name(self, symbol):
        text = symbol.latex if isinstance(symbol, Symbol) else latex_letter(symbol)
        return text, strength(symbol)

    def number(self, text):
        text = re.sub("10([⁻⁰¹²³⁴⁵⁶⁷⁸⁹]+)", lambda found: f"10^{{{found[1].translate(LOWERED)}}}", text)
        return text.replace("−", "-").replace("·", r"\cdot ")

    def word(self, text):
        return r"\mathcal{N}" if text == "N" else rf"\operatorname{{{text}}}"

    def row(self, *parts):
        return "".join(parts).replace("−", "-")

    def joined(self, left, sign, right):
        signs = {"·": r"\cdot", "⊙": r"\odot", "−": "-", "≤": r"\le", "≥": r"\ge"}
        return f"{left} {signs.get(sign, sign)} {right}"

    def parentheses(self, text):
        return rf"\left({text}\right)"

    def brackets(self, text):
        return rf"\left[{text}\right]"

    def bars(self, text):
        return rf"\left|{text}\right|"

    def call(self, function, arguments):
        return rf"{function}\!\left({', '.join(arguments)}\right)"

    def matrix_product(self, left, right):
        return rf"{left}\, {right}"

    def fraction(self, above, below):
        return rf"\frac{{{self.write(above)}}}{{{self.write(below)}}}", PRODUCT

    def power(self, base, exponent):
        return f"{base}^{{{exponent}}}"

    def transposed(self, text):
        return rf"{text}^{{\top}}"

    def exponential(self, exponent):
        return rf"e^{{{exponent}}}"

    def root(self, atom, text):
        return rf"\sqrt{{{text}}}"

    def big_sum(self, scale, index, text):
        return (
            (rf"\tfrac{{1}}{{{scale[2:]}}} " if scale else "")
            + r"\sum"
            + (f"_{{{index}}}" if index else "")
            + f" {text}"
        )


class MathmlWriter(Writer):
    """Presentation MathML, the inside of <math>."""

    def name(self, symbol):
        return symbol.mathml if isinstance(symbol, Symbol) else mathml_letter(symbol), strength(symbol)

    def number(self, text):
        return f"<mn>{text}</mn>"

    def word(self, text):
        return f"<mi mathvariant='normal'>{text}</mi>"

    def row(self, *parts):
        return "<mrow>" + "".join(f"<mo>{p}</mo>" if p in "−+()[]|" else p for p in parts) + "</mrow>"

    def joined(self, left, sign, right):
        return f"<mrow>{left}<mo>{escape(sign)}</mo>{right}</mrow>"

    def parentheses(self, text):
        return self.row("(", text, ")")

    def brackets(self, text):
        return self.row("[", text, "]")

    def bars(self, text):
        return self.row("|", text, "|")

    def list(self, opening, parts, closing):
        return self.row(opening, "<mo>,</mo>".join(parts), closing)

    def call(self, function, arguments):
        return f"<mrow>{function}<mo>&#x2061;</mo>{self.list('(', arguments, ')')}</mrow>"

    def matrix_product(self, left, right):
        return f"<mrow>{left}<mspace width='0.22em'/>{right}</mrow>"

    def fraction(self, above, below):
        return f"<mfrac><mrow>{self.write(above)}</mrow><mrow>{self.write(below)}</mrow></mfrac>", ATOM

    def power(self, base, exponent):
        return f"<msup>{base}{exponent}</msup>"

    def transposed(self, text):
        return f"<msup>{text}<mi>⊤</mi></msup>"

    def exponential(self, exponent):
        return f"<msup><mi>e</mi>{exponent}</msup>"

    def root(self, atom, text):
        return f"<msqrt>{text}</msqrt>"

    def big_sum(self, scale, index, text):
        mean = f"<mfrac><mn>1</mn><mi>{scale[2:]}</mi></mfrac>" if scale else ""
        sigma = f"<munder><mo>∑</mo><mi>{index}</mi></munder>" if index else "<mo>∑</mo>"
        return f"<mrow>{mean}{sigma}{text}</mrow>"

    def part(self, node):
        base, plain = node.args[0], Writer(self.symbol, self.single)
        bounds = plain.part(node)[len(plain.write(base, ATOM)) :]
        return f"<mrow>{self.write(base, ATOM)}<mtext>{escape(bounds)}</mtext></mrow>"


def written(tree: Node, symbols: Mapping[str, Symbol | str], single: Callable[[Node], bool]) -> dict[str, str]:
    """A tree as {"text", "latex", "mathml"}."""

    def symbol(name: str) -> Symbol | str:
        return symbols.get(name, name)

    writers = {"text": Writer, "latex": LatexWriter, "mathml": MathmlWriter}
    return {name: writer(symbol, single).write(tree) for name, writer in writers.items()}
