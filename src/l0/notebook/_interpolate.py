"""Values of the notebook in a prompt: `{expr}` becomes its value, every other brace stays."""

from __future__ import annotations

import ast
import builtins
import warnings
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final

_PAIRS: Final = {")": "(", "]": "[", "}": "{"}
_LONGEST: Final = 500
"""Characters; what is longer between two braces is no expression of a prompt."""


@dataclass(slots=True)
class Interpolated:
    """A text with its values in place, and a line for each `{name}` that was left as it is."""

    text: str
    notes: list[str] = field(default_factory=list)


def interpolate(text: str, names: Mapping[str, Any]) -> Interpolated:
    """`text` with each `{expr}` replaced that reads a name of `names` and evaluates.

    Formats as in f-strings work (`{price:.2f}`, `{word!r}`); `{{` and its `}}` stand for single
    braces. JSON, code and LaTeX stay as they are: an expression without a name of the notebook,
    over several lines, or with blanks behind its colon is none. Failures are noted, never raised.

    >>> interpolate('Say {word} as {"json": {}} in {{word}}', {"word": "hello"}).text
    'Say hello as {"json": {}} in {word}'
    """
    found = Interpolated("")
    out: list[str] = []
    open_braces: list[str] = []  # "{{" or "{", as they are still to be closed
    at, length = 0, len(text)
    while at < length:
        here = text[at]
        if text.startswith("{{", at):
            open_braces.append("{{")
            out.append("{")
            at += 2
        elif here == "{":
            end = _end_of(text, at)
            value = None if end is None else _value(text[at + 1 : end], names, found.notes)
            if value is None:
                open_braces.append("{")
                out.append("{")
                at += 1
            else:
                assert end is not None
                out.append(value)
                at = end + 1
        elif here == "}" and open_braces:
            closes = open_braces[-1] == "{" or text.startswith("}}", at)
            at += len(open_braces.pop()) if closes else 1
            out.append("}")
        else:
            out.append(here)
            at += 1
    found.text = "".join(out)
    return found


def _end_of(text: str, start: int) -> int | None:
    """Where the brace at `start` is closed on its line, strings and inner brackets respected."""
    stack: list[str] = []
    quote = ""
    for at in range(start, min(len(text), start + _LONGEST)):
        here = text[at]
        if here == "\n":
            return None
        if quote:
            if here == quote and text[at - 1] != "\\":
                quote = ""
        elif here in "\"'":
            quote = here
        elif here in "([{":
            stack.append(here)
        elif here in ")]}":
            if not stack or stack.pop() != _PAIRS[here]:
                return None
            if not stack:
                return at
    return None


def _value(inside: str, names: Mapping[str, Any], notes: list[str]) -> str | None:
    """What stands for `{inside}`; None: it is no expression of the notebook."""
    parsed = _parse(inside)
    if parsed is None:
        return None
    expression, conversion, spec = parsed
    unknown = _unknown(expression, names)
    if unknown is None:
        return None
    shown = "{" + inside + "}"
    if unknown:
        if isinstance(expression, ast.Name | ast.Attribute | ast.Subscript | ast.Call):
            notes.append(f"{shown} was left as it is: {unknown} is not defined")
        return None
    try:
        code = compile(ast.Expression(expression), "<prompt>", "eval")
        value = eval(code, {"__builtins__": builtins, **names})  # noqa: S307  the person's own cell
        if conversion is not None:
            value = conversion(value)
        return format(value, spec)
    except Exception as error:  # whatever the expression does, the prompt goes out
        notes.append(f"{shown} was left as it is: {type(error).__name__}: {error}")
        return None


_CONVERSIONS: Final = {ord("r"): repr, ord("s"): str, ord("a"): ascii}


def _parse(inside: str) -> tuple[ast.expr, Any, str] | None:
    """The expression, its conversion and its format, read as an f-string would."""
    plain = _parsed(inside.strip())
    if plain is not None:
        return None if isinstance(plain, _NO_VALUES) else (plain, None, "")
    match _parsed(f'f"""{{{inside}}}"""'):
        case ast.JoinedStr(values=[ast.FormattedValue() as read]):
            spec = _spec(read.format_spec)
            if spec is not None and not isinstance(read.value, _NO_VALUES):
                return read.value, _CONVERSIONS.get(read.conversion), spec
    return None


_NO_VALUES: Final = (ast.Tuple, ast.Starred, ast.NamedExpr)


def _parsed(source: str) -> ast.expr | None:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # a prompt is no program: `{1 is x}`, `{"\\d"}`
            return ast.parse(source, mode="eval").body
    except (SyntaxError, ValueError):
        return None


def _spec(node: ast.expr | None) -> str | None:
    match node:
        case None:
            return ""
        case ast.JoinedStr(values=[ast.Constant(value=str() as spec)]) if spec.strip() == spec:
            return spec
    return None


def _unknown(expression: ast.expr, names: Mapping[str, Any]) -> str | None:
    """The first name nobody knows, `""` if all are known; None: nothing of the notebook is read."""
    read: list[str] = []
    bound: set[str] = set()
    for node in ast.walk(expression):
        if isinstance(node, ast.Name):
            (read.append if isinstance(node.ctx, ast.Load) else bound.add)(node.id)
        elif isinstance(node, ast.arg):
            bound.add(node.arg)
    free = [name for name in read if name not in bound]
    for name in free:
        if name not in names and not hasattr(builtins, name):
            return name
    return "" if any(name in names for name in free) else None
