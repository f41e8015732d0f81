"""The vocabulary of what goes wrong on purpose, and how it is spelled.

Each fault is a frozen value made by a function (`drop(40)`) or read from text (`drop@40`).
Positions count the tokens of the one response the fault hits; a position behind the last token
means the end of the answer, just before its finish, so a fault always hits.
"""

from __future__ import annotations

import math
import re
from dataclasses import dataclass
from typing import Final, Literal

from l0.errors._nearest import nearest

UNTIL_THE_CLIENT_LEAVES: Final = 3600.0
"""Seconds a stall lasts when nothing else is said."""


@dataclass(frozen=True, slots=True)
class Fault:
    """One thing that goes wrong in one response; `str(fault)` is its spelling."""

    kind: str
    at: int | None = None
    """Tokens of this response that arrive before the fault hits."""
    seconds: float | None = None
    size: int | None = None
    """Bytes a packet, for `split`; None: cut where it hurts."""
    code: int | None = None
    retry_after: float | None = None
    """Seconds, for a status."""
    error_type: str | None = None
    error_code: str | None = None

    def __str__(self) -> str:
        if self.kind == "status":
            if self == quota():
                return "quota"
            wait = None if self.retry_after is None else plain_number(self.retry_after)
            arg = wait or self.error_code or self.error_type
            return f"{self.code}({arg})" if arg else f"{self.code}"
        text = self.kind if self.at is None else f"{self.kind}@{self.at}"
        kind = _KINDS[self.kind]
        value: float | int | str | None = getattr(self, kind.arg) if kind.arg else None
        if value is None or value == kind.default:
            return text
        return f"{text}({value if isinstance(value, str) else plain_number(value)})"


def parse_faults(text: str) -> list[Fault]:
    """The faults spelled in `text`, separated by commas.

    >>> parse_faults("drop@40, stall@80(0.5), 429(7)")[0]
    Fault(kind='drop', at=40, ...)

    Raises:
        ValueError: naming the part that isn't a fault, and the nearest one that is.
    """
    return [_parse(part.strip()) for part in text.split(",") if part.strip()]


def list_faults() -> list[tuple[str, str]]:
    """Every fault as `(spelling, what happens)`, in the order to read them in.

    Example:
        >>> len(list_faults()) > 10
        True
    """
    return [(kind.spelling(name), kind.about) for name, kind in _KINDS.items()]


def status(
    code: int,
    retry_after: float | None = None,
    error_type: str | None = None,
    error_code: str | None = None,
) -> Fault:
    """An HTTP error instead of an answer: `429`, `429(7)` with Retry-After in seconds, `503`."""
    if not 400 <= code <= 599:
        raise ValueError(f"a status fault is a number from 400 to 599, not {code}")
    if retry_after is not None:
        _check_seconds("status", retry_after)
    return Fault(
        "status",
        code=code,
        retry_after=retry_after,
        error_type=error_type,
        error_code=error_code,
    )


def quota() -> Fault:
    """429 with the code `insufficient_quota`: waiting will not help."""
    return status(429, error_type="insufficient_quota", error_code="insufficient_quota")


def drop(at: int) -> Fault:
    """The connection closes after `at` tokens: the body has no end."""
    return _positioned("drop", at)


def cut(at: int) -> Fault:
    """The connection closes inside the next event, in mid-character where there is one to cut."""
    return _positioned("cut", at)


def reset(at: int) -> Fault:
    """The connection is reset (TCP RST) after `at` tokens."""
    return _positioned("reset", at)


def eof(at: int) -> Fault:
    """The body ends cleanly after `at` tokens, without finish reason or terminator."""
    return _positioned("eof", at)


def stall(at: int, seconds: float = UNTIL_THE_CLIENT_LEAVES) -> Fault:
    """Nothing for `seconds` after `at` tokens, then the rest."""
    return _timed("stall", seconds, at)


def stall_alive(at: int, seconds: float = UNTIL_THE_CLIENT_LEAVES) -> Fault:
    """As `stall`, but keep-alive comments (OpenAI) or pings (Anthropic) go on arriving."""
    return _timed("stall_alive", seconds, at)


def error(at: int, error_type: str | None = None) -> Fault:
    """An error event inside the stream; by default the provider's word for "my fault"."""
    return Fault("error", at=_check_position("error", at), error_type=error_type)


def failed(at: int) -> Fault:
    """Responses ends as `response.failed`; elsewhere the same as `error`."""
    return _positioned("failed", at)


def garbage(at: int) -> Fault:
    """One event that isn't JSON, then the rest."""
    return _positioned("garbage", at)


def length(at: int) -> Fault:
    """The answer ends after `at` tokens because the token limit is reached."""
    return _positioned("length", at)


def tool_cut(at: int) -> Fault:
    """A tool call whose arguments break off, then a clean end without finish."""
    return _positioned("tool_cut", at)


def tool_garbage() -> Fault:
    """Tool arguments that aren't valid JSON, properly finished."""
    return Fault("tool_garbage")


def empty() -> Fault:
    """Status 200 and a body without a single event."""
    return Fault("empty")


def no_text() -> Fault:
    """A proper finish without any text or tool call."""
    return Fault("no_text")


def slow_headers(seconds: float) -> Fault:
    """The status line comes after `seconds`."""
    return _timed("slow_headers", seconds)


def slow_first(seconds: float) -> Fault:
    """The headers come at once, the first token after `seconds`."""
    return _timed("slow_first", seconds)


def slow(seconds: float) -> Fault:
    """Each token takes `seconds` more."""
    return _timed("slow", seconds)


def split(size: int | None = None) -> Fault:
    """The body arrives in small packets that cut lines, and every character of several bytes.

    With `size`, packets have so many bytes each: `split(1)` is the hardest and slowest.
    """
    if size is not None and size < 1:
        raise ValueError(f"split takes packets of 1 byte or more, not {size}")
    return Fault("split", size=size)


def no_finish_usage() -> Fault:
    """The usage report is missing."""
    return Fault("no_finish_usage")


def no_resume() -> Fault:
    """A background response of this request can't be taken up again (404)."""
    return Fault("no_resume")


def repeat() -> Fault:
    """A background response that is taken up again is sent from its beginning once more."""
    return Fault("repeat")


@dataclass(frozen=True, slots=True)
class _Kind:
    about: str
    at: bool = False
    arg: Literal["seconds", "size", "error_type", ""] = ""
    default: float | int | None = None
    """Used when no argument is given; an argument without one must be."""
    example: str = ""

    def spelling(self, name: str) -> str:
        return self.example or (f"{name}@40" if self.at else name)


_KINDS: Final[dict[str, _Kind]] = {
    "status": _Kind(
        "an HTTP error: any status from 400 to 599; 429(7) adds Retry-After: 7", example="429"
    ),
    "quota": _Kind("429 because the quota is used up; waiting will not help"),
    "drop": _Kind("the connection closes after 40 tokens", at=True),
    "cut": _Kind("the connection closes inside an event, in mid-character if it can", at=True),
    "reset": _Kind("the connection is reset after 40 tokens (TCP RST)", at=True),
    "eof": _Kind("the body ends cleanly after 40 tokens, without a finish", at=True),
    "stall": _Kind(
        "nothing more after 40 tokens until the client leaves; stall@40(2): 2 seconds",
        at=True,
        arg="seconds",
        default=UNTIL_THE_CLIENT_LEAVES,
    ),
    "stall_alive": _Kind(
        "as stall, while keep-alives go on arriving",
        at=True,
        arg="seconds",
        default=UNTIL_THE_CLIENT_LEAVES,
    ),
    "error": _Kind(
        "an error event in the stream; error@40(overloaded_error) chooses its type",
        at=True,
        arg="error_type",
    ),
    "failed": _Kind("Responses: response.failed; elsewhere as error", at=True),
    "garbage": _Kind("one event that isn't JSON, then the rest", at=True),
    "length": _Kind("the answer ends at its token limit after 40 tokens", at=True),
    "tool_cut": _Kind("a tool call breaks off in its arguments, without a finish", at=True),
    "tool_garbage": _Kind("tool arguments that aren't JSON, with a proper finish"),
    "empty": _Kind("200 and nothing else"),
    "no_text": _Kind("a proper finish without any text"),
    "slow_headers": _Kind(
        "the status line comes after 2 seconds", arg="seconds", example="slow_headers(2)"
    ),
    "slow_first": _Kind(
        "the first token comes 2 seconds after the headers", arg="seconds", example="slow_first(2)"
    ),
    "slow": _Kind("each token takes 0.2 seconds more", arg="seconds", example="slow(0.2)"),
    "split": _Kind(
        "small packets that cut every line and character; split(1): each byte alone", arg="size"
    ),
    "no_finish_usage": _Kind("the usage report is missing"),
    "no_resume": _Kind("a background response can't be taken up again"),
    "repeat": _Kind("a background response that is taken up again begins anew"),
}

_SPELLING: Final = re.compile(r"([a-z_-]+|\d+)(?:@(\d+))?(?:\(\s*([^()]*?)\s*\))?")


def _parse(part: str) -> Fault:
    match = _SPELLING.fullmatch(part.lower())
    if match is None:
        raise ValueError(_unknown(part))
    name, position, arg = match.groups()
    name = name.replace("-", "_")
    if name.isdigit():
        if position is not None:
            raise ValueError(f"{part!r}: a status replaces the answer; leave out @{position}")
        return _parse_status(int(name), arg)
    kind = _KINDS.get(name)
    if kind is None or name == "status":
        raise ValueError(_unknown(part))
    at = None if position is None else int(position)
    if kind.at and at is None:
        raise ValueError(f"{part!r} needs a position in tokens, as in {name}@40")
    if at is not None and not kind.at:
        raise ValueError(f"{part!r}: {name} has no position; write {kind.spelling(name)}")
    if arg and not kind.arg:
        raise ValueError(f"{part!r}: {name} takes nothing in brackets; write {kind.spelling(name)}")
    if name == "quota":
        return quota()
    return _build(part, name, kind, at, arg or None)


def _build(part: str, name: str, kind: _Kind, at: int | None, arg: str | None) -> Fault:
    if not kind.arg:
        return Fault(name, at=at)
    if kind.arg == "error_type":
        return Fault(name, at=at, error_type=arg)
    if arg is None and kind.arg == "seconds" and kind.default is None:
        raise ValueError(f"{part!r} needs seconds in brackets, as in {kind.example}")
    if kind.arg == "size":
        if arg is not None and not arg.isdecimal():
            raise ValueError(f"{part!r}: split takes a number of bytes, as in split(3)")
        return split(int(arg) if arg else None)
    return _timed(name, kind.default if arg is None else _number(part, arg), at)


def _parse_status(code: int, arg: str | None) -> Fault:
    if arg and re.fullmatch(r"[a-z_]+", arg):
        return status(code, error_code=arg)
    return status(code, retry_after=_number(f"{code}({arg})", arg) if arg else None)


def _number(part: str, arg: str) -> float:
    try:
        return float(arg)
    except ValueError:
        raise ValueError(f"{part!r}: {arg!r} isn't a number of seconds") from None


def plain_number(value: float) -> str:
    """A number without a needless point: `7`, `0.5`."""
    return str(int(value)) if value == int(value) else repr(value)


def _unknown(part: str) -> str:
    word = re.split(r"[@(]", part.lower().replace("-", "_"))[0]
    near = nearest(word, [name for name in _KINDS if name != "status"])
    if near:
        return f"unknown fault {part!r}; did you mean {_KINDS[near].spelling(near)}?"
    known = ", ".join(spelling for spelling, _ in list_faults())
    return f"unknown fault {part!r}; the known ones are {known}"


def _positioned(kind: str, at: int) -> Fault:
    return Fault(kind, at=_check_position(kind, at))


def _timed(kind: str, seconds: float | None, at: int | None = None) -> Fault:
    if at is not None:
        _check_position(kind, at)
    return Fault(kind, at=at, seconds=_check_seconds(kind, seconds))


def _check_position(kind: str, at: int) -> int:
    if at < 0:
        raise ValueError(f"{kind} counts tokens from 0, not {at}")
    return at


def _check_seconds(kind: str, seconds: float | None) -> float:
    if seconds is None or not math.isfinite(seconds) or seconds < 0:
        raise ValueError(f"{kind} takes a number of seconds, 0 or more, not {seconds}")
    return float(seconds)
