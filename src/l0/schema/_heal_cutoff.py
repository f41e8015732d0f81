"""The commonest damage, read fast: text that is fine and just stops."""

from __future__ import annotations

import re

from l0.schema import _heal_tokens as tokens
from l0.schema._heal_rewrite import AFTER, AT_ELEMENT, AT_KEY, OPENER, Rewriter


def cut_off(text: str) -> Rewriter | None:
    """A rewriter for the last member of a text that begins with a bracket, if that may suffice.

    Strings are taken out and brackets counted at the speed of regular expressions. Whether all
    that stands before the last member really is fine is for a strict parse of the result to say.
    """
    if _PLACE in text:
        return None
    sound = _SOUND.match(text)
    end = sound.end() if sound else 0
    if end < len(text) and not _STRING_TO_THE_END.match(text, end):
        return None
    bare = tokens.STRING.sub(_PLACE, text[:end])
    stop = len(bare)
    last = max(bare.rfind(char, 0, stop) for char in "{[,}]")
    stack = _open_brackets(bare[: last + 1])
    if not stack or bare[last + 1 : stop].count(_PLACE) > 2:
        return None
    begin = _begin(text, end, bare[last + 1 : stop])
    if bare[last] in "}]":
        return Rewriter(text, begin, stack, AFTER)
    state = AT_KEY if stack[-1] == "{" else AT_ELEMENT
    return Rewriter(text, begin, stack, state, begin - 1 if bare[last] == "," else -1)


def _open_brackets(bare: str) -> list[str]:
    """The brackets that stay open; none if they don't match or the first one is closed."""
    stack: list[str] = []
    push, pop = stack.append, stack.pop
    for bracket in _BRACKET.findall(bare):
        if bracket in "{[":
            push(bracket)
        elif not stack or pop() != OPENER[bracket] or not stack:
            return []
    return stack


def _begin(text: str, end: int, bare: str) -> int:
    """Where the part begins that ends at `end` and is `bare` when its strings are taken out."""
    while _PLACE in bare:
        bare, _, rest = bare.rpartition(_PLACE)
        end = text.rfind('"', 0, end - len(rest) - 1)
        while _escaped(text, end):
            end = text.rfind('"', 0, end)
    return end - len(bare)


def _escaped(text: str, at: int) -> bool:
    """Whether an odd number of backslashes stands before."""
    start = at
    while start and text[start - 1] == "\\":
        start -= 1
    return bool((at - start) & 1)


_PLACE = "\0"
_SOUND = re.compile(rf'(?:[^"]++|{tokens.STRING.pattern})*+')
"""Up to the first quote that opens no whole string; read once, whatever quotes are escaped."""
_STRING_TO_THE_END = re.compile(r'"[^"\\]*+(?:\\.[^"\\]*+)*+\\?+\Z', re.DOTALL)
_BRACKET = re.compile(r"[\[\]{}]")
