"""The values of options, as a person writes them: retries, timeouts, speeds, parameters."""

from __future__ import annotations

import ast
import json
import keyword
from collections.abc import Callable
from typing import Any, Final

from l0.stream import Retry, Timeout

FULL_SPEED: Final = 0.0

_RETRIES: Final[dict[str, Callable[[], Retry]]] = {
    "recommended": Retry.recommended,
    "minimal": Retry.minimal,
    "strict": Retry.strict,
    "exponential": Retry.exponential,
    "mobile": Retry.mobile,
    "edge": Retry.edge,
    "none": Retry.none,
}
RETRY_PRESETS: Final = tuple(_RETRIES)


def retry(text: str) -> Retry:
    """`2`: at most so many retries, whatever the cause; or the name of a preset.

    Raises:
        ValueError: it is neither.
    """
    if text.isdecimal():
        return Retry(attempts=int(text), max_retries=int(text))
    if text not in _RETRIES:
        raise ValueError(f"{text!r} is neither a number nor one of {', '.join(_RETRIES)}")
    return _RETRIES[text]()


def timeout(text: str) -> Timeout:
    """`30,10` or `30,10,120`: seconds to the first token, between tokens, in all; or `none`.

    Raises:
        ValueError: it is not two or three numbers above 0, each of which may be `none`.
    """
    parts = text.split(",") if text != "none" else ["none", "none"]
    try:
        seconds = [None if part.strip() == "none" else float(part) for part in parts]
        initial, inter, total = (*seconds, None) if len(seconds) == 2 else seconds
        return Timeout(initial_token=initial, inter_token=inter, total=total)
    except ValueError as error:
        why = f" ({error})" if str(error).startswith("Timeout.") else ""
        raise ValueError(
            f"{text!r} is not initial,inter[,total] in seconds, such as 30,10 or none,10,120{why}"
        ) from None


def speed(text: str) -> float:
    """Tokens a second, or `max`: as fast as they are read.

    Raises:
        ValueError: it is no number above 0.
    """
    try:
        value = FULL_SPEED if text == "max" else float(text)
    except ValueError:
        value = -1.0
    if not 0 <= value < float("inf") or (value == 0 and text != "max"):
        raise ValueError(f"{text!r} is not a number of tokens a second above 0, or max")
    return value


def variable(text: str) -> str:
    """The name of a variable.

    Raises:
        ValueError: it can't be one.
    """
    if not text.isidentifier() or keyword.iskeyword(text):
        raise ValueError(f"{text!r} can't be the name of a variable")
    return text


def parameter(text: str) -> tuple[str, Any]:
    """`KEY=VALUE`; the value as JSON or Python writes it, else as text.

    Raises:
        ValueError: there is no key, or it is one the magic sets itself.
    """
    key, equals, value = text.partition("=")
    if not equals or not key.isidentifier():
        raise ValueError(f"{text!r} is not KEY=VALUE, such as top_p=0.9")
    if key in _OWN:
        raise ValueError(f"{key} is set by {_OWN[key]}")
    for read in (json.loads, ast.literal_eval):
        try:
            return key, read(value)
        except (ValueError, SyntaxError):
            continue
    return key, value


_OWN: Final = {
    "model": "MODEL",
    "messages": "the cell's body",
    "system": "-s",
    "stream": "the magic, which always streams",
    "temperature": "--temperature",
    "max_tokens": "--max-tokens",
    "max_completion_tokens": "--max-tokens",
    "extra_headers": "nobody: headers may carry keys, which don't belong in a notebook",
}


def count(text: str) -> int:
    """A whole number above 0.

    Raises:
        ValueError: it is none.
    """
    if not text.isdecimal() or int(text) == 0:
        raise ValueError(f"{text!r} is not a whole number above 0")
    return int(text)


def temperature(text: str) -> float:
    """A number.

    Raises:
        ValueError: it is none.
    """
    try:
        return float(text)
    except ValueError:
        raise ValueError(f"{text!r} is not a number, such as 0.2") from None
