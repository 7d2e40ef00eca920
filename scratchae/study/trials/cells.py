"""Shapes for the arguments of a recurrent net: W_ax from x to a, b_a, x of one step or of all, states; examples are rows or columns."""

from __future__ import annotations

import itertools
import re
from collections.abc import Collection, Iterator, Mapping, Sequence

from .chains import bare

ENDS = {"x": "D", "i": "D", "a": "K", "h": "K", "s": "K", "y": "A", "o": "A"}
STATE = re.compile(
    r"(?:prev_?)?[ahcs](?:_?(?:prev|0|t|init|cell))?|[ahcs]_?(?:t_?)?(?:prev|minus_?1)(?:_?t)?|(?:initial|prev)_state"
)
INPUT = re.compile(r"x(?:_?t|s|_?in)?|inputs?|X")
BETWEEN = re.compile(r"[WUV]_?([xiahsyo])_?([xiahsyo])")
GATE = re.compile(r"W_?([ficouzrghy])")  # of x and the state in one
OF_ONE = re.compile(r"W_?([xh])|([UV])")  # to all units or gates
BIAS = re.compile(r"b_?([a-z]?)(?:_?[a-z])?")
# W_xf and W_fx lead from x to the gate f
TO_GATE = re.compile(r"[WUV]_?([xih])_?([ficouzrgn])|[WUV]_?([ficouzrgn])_?([xiha])")


def cells(names: Sequence[str]) -> Iterator[dict[str, str]]:
    """The kinds of all arguments, in the ways that fit together; nothing if they are not those of a recurrent net."""
    short = {name: bare(name) for name in names}
    gates = of_gates(short.values())
    weights = [
        name for name, one in short.items() if one in gates or any(p.fullmatch(one) for p in (BETWEEN, GATE, OF_ONE))
    ]
    biases = [
        name
        for name, one in short.items()
        if BIAS.fullmatch(one) or (one[0] == "c" and f"b{one[1:]}" in short.values())
    ]
    inputs = [name for name, one in short.items() if INPUT.fullmatch(one)]
    states = [name for name, one in short.items() if STATE.fullmatch(one)]
    if len(inputs) != 1 or len(weights) < 2 or {*weights, *biases, *inputs, *states} != set(names):
        return
    seen = []
    for columns, turned, x, units in itertools.product((True, False), (False, True), (0, 1, 2), "ZRK"):
        of_weights = {name: of_weight(short[name], columns, turned, units, gates) for name in weights}
        if units != "K" and not any(units in kind for kind in of_weights.values()):
            continue
        of_x = ("fDN", "fDNT", "fTDN")[x] if columns else ("fND", "fNTD", "fTND")[x]
        for form in ("f{}1", "f{}") if columns else ("f{}", "f1{}"):
            of_biases = {name: form.format(of_bias(short[name], units, short.values())) for name in biases}
            of_states = dict.fromkeys(states, "fKN" if columns else "fNK")
            found = of_weights | of_biases | dict.fromkeys(inputs, of_x) | of_states
            if found not in seen:
                seen.append(found)
                yield found


def of_gates(names: Collection[str]) -> dict[str, str]:
    """Where the weights come from that lead to gates, if each gate has two: W_xf and W_hf, or W_f and U_f."""
    starts = {name: (found[1] or found[4]).replace("i", "x") for name in names if (found := TO_GATE.fullmatch(name))}
    if any(re.search("[fzrgnuc]", name[1:]) for name in starts):
        return starts
    pairs = [name for name in names if re.fullmatch(r"W_?[a-z]", name) and f"U{name[1:]}" in names]
    return dict.fromkeys(pairs, "x") | {f"U{name[1:]}": "h" for name in pairs}


def of_weight(name: str, columns: bool, turned: bool, units: str, gates: Mapping[str, str]) -> str:
    """What a weight may be. turned: of W_ab, a is where it leads to, if examples are rows, and where it comes from, if columns."""
    if name in gates:
        start = ENDS[gates[name]]
        return f"fK{start}" if columns else f"f{start}K"
    if found := BETWEEN.fullmatch(name):
        first, second = ENDS[found[1]], ENDS[found[2]]
        return f"f{second}{first}" if turned else f"f{first}{second}"
    if found := OF_ONE.fullmatch(name):
        start = "D" if found[1] == "x" or found[2] == "U" else "K"
        return f"f{units}{start}" if columns else f"f{start}{units}"
    ends = "KA" if name[-1] == "y" else "SK"
    return f"f{ends[::-1] if columns else ends}"


def of_bias(name: str, units: str, names: Collection[str]) -> str:
    """That of an output, unless the o is a gate."""
    gate = name[-1:] == "o" and not {"Wo", "W_o"}.isdisjoint(names)
    return "A" if name[-1] in "yo" and len(name) > 1 and units == "K" and not gate else units
