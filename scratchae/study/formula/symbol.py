"""The name of a tensor in the mathematics, as text and in MathML."""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

SUBSCRIPTS = str.maketrans("0123456789+-", "₀₁₂₃₄₅₆₇₈₉₊₋")
ACCENTS = {"\u0303": "~", "\u0302": "^", "\u0304": "¯"}


@dataclass(frozen=True)
class Symbol:
    """A tensor's name in the mathematics: a letter, which may bear an accent, with an index: a₁, or a word, KL.

    `of` makes it a derivative, ∂of/∂a₁; `via` says through which of several uses: ∂L/∂y₂|μ. `before` stands before it: Δ.
    """

    letter: str
    index: str = ""
    of: str = ""
    via: str = ""
    before: str = ""

    def gradient(self, of: str = "L", via: str = "") -> Symbol:
        """∂of/∂ of it."""
        return Symbol(self.letter, self.index, of, via)

    @property
    def text(self) -> str:
        """In Unicode."""
        digits = self.index.translate(SUBSCRIPTS)
        base = self.before + self.letter + (f"_{digits}" if self.index[:1].isalpha() else digits)
        return f"∂{self.of}/∂{base}" + (f"|{self.via}" if self.via else "") if self.of else base

    @property
    def mathml(self) -> str:
        """In MathML."""
        base = mathml_letter(self.letter)
        if self.index:
            base = f"<msub>{base}<{tag(self.index)}>{escape(self.index)}</{tag(self.index)}></msub>"
        if self.before:
            base = f"<mrow><mi mathvariant='normal'>{escape(self.before)}</mi>{base}</mrow>"
        if not self.of:
            return base
        over = f"<mrow><mo>∂</mo>{mathml_letter(self.of)}</mrow>"
        fraction = f"<mfrac>{over}<mrow><mo>∂</mo>{base}</mrow></mfrac>"
        return f"<msub><mrow>{fraction}<mo>|</mo></mrow>{mathml_letter(self.via)}</msub>" if self.via else fraction


def tag(index: str) -> str:
    return "mn" if index.isdigit() else "mi"


def mathml_letter(letter: str) -> str:
    """A letter, a word or a number in MathML."""
    if letter.endswith("′"):
        return f"<msup>{mathml_letter(letter[:-1])}<mo>′</mo></msup>"
    if len(letter) == 2 and letter[1] in ACCENTS:
        return f"<mover accent='true'><mi>{escape(letter[0])}</mi><mo>{ACCENTS[letter[1]]}</mo></mover>"
    if letter.startswith("log "):
        return f"<mrow><mi>log</mi>{mathml_letter(letter[4:])}</mrow>"
    if "_" in letter[1:]:
        base, _, index = letter.partition("_")
        return f"<msub>{mathml_letter(base)}<mi>{escape(index)}</mi></msub>"
    if letter == "σ²":
        return "<msup><mi>σ</mi><mn>2</mn></msup>"
    return f"<mn>{escape(letter)}</mn>" if is_number(letter) else f"<mi>{escape(letter)}</mi>"


def is_number(text: str) -> bool:
    return text.lstrip("-−")[:1].isdigit()
