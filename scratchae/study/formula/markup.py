"""A formula in MathML: the walk of rendering.py with another alphabet."""

from __future__ import annotations

from html import escape

from .rendering import ATOM, Writer, strength
from .symbol import Symbol, mathml_letter


class MathmlWriter(Writer):
    """Presentation MathML, the inside of <math>."""

    def name(self, symbol):
        return symbol.mathml if isinstance(symbol, Symbol) else mathml_letter(symbol), strength(symbol)

    def number(self, text):
        return f"<mn>{escape(text)}</mn>"

    def word(self, text):
        return f"<mi mathvariant='normal'>{escape(text)}</mi>"

    def row(self, *parts):
        return "<mrow>" + "".join(f"<mo>{p}</mo>" if p in "−+()[]|" else p for p in parts) + "</mrow>"

    def joined(self, left, sign, right):
        return f"<mrow>{left}<mo>{escape(sign)}</mo>{right}</mrow>"

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
