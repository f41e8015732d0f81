"""Function calls that a model wrote as text: found, read, never run."""

from __future__ import annotations

import ast
import json
import re
import warnings
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

_HEAD: Final = re.compile(r"(?m)^[ \t]*(?:>>>[ \t]*)?([A-Za-z_]\w*(?:\.[A-Za-z_]\w*)*)\(")
_FENCE: Final = re.compile(r"(?m)^[ ]{0,3}(?:`{3,}|~{3,})[^\n]*$")
_QUOTES: Final = re.compile(r"'''|\"\"\"|'|\"")
_LITERALS: Final = {"true": True, "false": False, "null": None}
_LONGEST: Final = 100_000  # characters of one call
_STEPS_A_CHAR: Final = 20
_CLOSERS: Final = {"(": ")", "[": "]", "{": "}"}


@dataclass(frozen=True, slots=True)
class FunctionCall:
    """A call as it was written; nothing was run.

    `arguments` are the keyword arguments, or the one object that was passed; other positional
    arguments stand in a list under `"args"`.
    """

    name: str
    arguments: dict[str, Any]


def parse_function_call(text: str) -> FunctionCall | None:
    r"""The first call that stands alone on its line or in a fence; None where there is none.

    Arguments are literals of Python or JSON. A call inside a sentence is no call.

    Example:
        >>> parse_function_call('I will look.\nget_weather(place="Paris (France)", days=2)')
        FunctionCall(name='get_weather', arguments={'place': 'Paris (France)', 'days': 2})
    """
    at, left = 0, max(_LONGEST, _STEPS_A_CHAR * len(text))  # calls that never close cost time
    while left > 0 and (found := _HEAD.search(text, at)):
        end, last = _closing(text, found.end() - 1)
        left -= last - found.end()
        if end is not None and _alone(text, end):
            arguments = _arguments(text[found.end() - 1 : end])
            if arguments is not None:
                return FunctionCall(found[1], arguments)
        at = found.end()
    return None


def format_function_arguments(arguments: Mapping[str, Any], pretty: bool = False) -> str:
    """Arguments as JSON.

    Raises:
        TypeError: a value has no form in JSON.

    Example:
        >>> format_function_arguments({"place": "Paris"})
        '{"place": "Paris"}'
    """
    return json.dumps(dict(arguments), ensure_ascii=False, indent=2 if pretty else None)


def _closing(text: str, start: int) -> tuple[int | None, int]:
    """The end of the brackets that open at `start`, and how far was read to know.

    What stands in strings doesn't count.
    """
    waiting: list[str] = []
    at, last = start, min(len(text), start + _LONGEST)
    while at < last:
        char = text[at]
        if char in _CLOSERS:
            waiting.append(_CLOSERS[char])
        elif char in ")]}":
            if not waiting or waiting.pop() != char:
                return None, at
            if not waiting:
                return at + 1, at
        elif char in "'\"":
            after = _string_end(text, at, last)
            if after is None:
                return None, last
            at = after
            continue
        at += 1
    return None, at


def _string_end(text: str, at: int, last: int) -> int | None:
    opened = _QUOTES.match(text, at)
    quote = opened[0] if opened else text[at]
    at += len(quote)
    while at < last:
        if text[at] == "\\":
            at += 2
        elif text.startswith(quote, at):
            return at + len(quote)
        elif text[at] == "\n" and len(quote) == 1:
            return None
        else:
            at += 1
    return None


def _alone(text: str, end: int) -> bool:
    stop = text.find("\n", end)
    rest = text[end : stop if stop >= 0 else len(text)].strip().removeprefix(";").strip()
    return not rest or bool(_FENCE.match(rest))


def _arguments(written: str) -> dict[str, Any] | None:
    try:
        with warnings.catch_warnings():  # a model's "\\d" is no warning for whoever reads it
            warnings.simplefilter("ignore")
            call = ast.parse(f"_{written}", mode="eval").body
        if not isinstance(call, ast.Call):
            return None
        named = {each.arg: _value(each.value) for each in call.keywords}
        placed = [_value(each) for each in call.args]
        if None in named:  # **something
            return None
        known = {str(key): value for key, value in named.items()}
        if len(placed) == 1 and isinstance(placed[0], dict) and not known:
            return {str(key): value for key, value in placed[0].items()}
    except (SyntaxError, ValueError, TypeError, RecursionError, MemoryError):
        return None  # no literal, such as `{[]}`
    return {"args": placed, **known} if placed else known


def _value(node: ast.expr) -> Any:
    return ast.literal_eval(_JsonWords().visit(node))


class _JsonWords(ast.NodeTransformer):
    """Makes literals of the words that JSON has for what Python has other words for."""

    def visit_Name(self, name: ast.Name) -> ast.AST:
        known = name.id in _LITERALS
        return ast.copy_location(ast.Constant(_LITERALS[name.id]), name) if known else name
