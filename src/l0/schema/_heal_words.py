"""Words of other languages that stand for something in JSON: literals and numbers."""

from __future__ import annotations

import re

LITERALS = {
    **dict.fromkeys(("true", "True", "TRUE"), "true"),
    **dict.fromkeys(("false", "False", "FALSE"), "false"),
    **dict.fromkeys(("null", "None", "Null", "NULL", "nil", "undefined"), "null"),
    **dict.fromkeys(("NaN", "nan", "Infinity", "-Infinity", "+Infinity", "inf", "-inf"), "null"),
}
"""How Python and JavaScript write what JSON has, or has no word for."""

_NUMBER = re.compile(
    r"([+-]?)(?:(0[xX][0-9a-fA-F]{1,99}|0[oO][0-7]{1,99}|0[bB][01]{1,99})"
    r"|((?:0|[1-9][0-9]*+(?:_[0-9]++)*+)?(?:\.[0-9]*+)?(?:[eE][+-]?[0-9]++)?))n?"
)


def literal(word: str) -> str | None:
    """What a literal or number of Python or JavaScript is in JSON; None if it is neither.

    What JSON has no word for (`undefined`, `NaN`, `Infinity`) is `null`, as in `JSON.stringify`.

    >>> literal("True"), literal("NaN"), literal("0x1F"), literal("5."), literal("x")
    ('true', 'null', '31', '5.0', None)
    """
    if word in LITERALS:
        return LITERALS[word]
    found = _NUMBER.fullmatch(word)
    if not found or not any(char.isdigit() for char in word):
        return None
    sign = "-" if found[1] == "-" else ""
    if found[2]:
        return f"{sign}{int(found[2], 0)}"
    whole, dot, rest = found[3].replace("_", "").partition(".")
    if not dot:
        return sign + whole
    fraction, mark, exponent = rest.replace("E", "e").partition("e")
    return f"{sign}{whole or '0'}.{fraction or '0'}{mark}{exponent}"
