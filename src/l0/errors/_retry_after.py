"""How long a provider asked to wait before the next try."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC
from math import isfinite
from typing import Any

from l0.errors._classify import chain, read


def retry_after(error: BaseException, *, now: float | None = None) -> float | None:
    """Seconds the provider asked to wait, or None; a date gone by is 0.0.

    Read from the headers `retry-after-ms`, then `retry-after` (seconds or an HTTP date), of the
    error or its response, then from an attribute `retry_after` in seconds, on the error and along
    its causes. What is negative or no number is passed over. `now` is Unix seconds, for dates.

    Example:
        >>> error = RuntimeError("busy")
        >>> error.headers = {"Retry-After": "7"}
        >>> retry_after(error)
        7.0
    """
    for link, _, _ in chain(error):
        try:
            wait = _of_link(link, now)
        except Exception:  # noqa: S112  (attributes of other people's classes may do anything)
            continue
        if wait is not None:
            return wait
    return None


def _of_link(link: BaseException, now: float | None) -> float | None:
    for holder in (link, read(link, "response")):
        headers = _lowered(read(holder, "headers"))
        for name, reading in _HEADERS:
            wait = reading(headers.get(name), now)
            if wait is not None:
                return wait
    return _number(read(link, "retry_after"))


def _lowered(headers: Any) -> dict[str, Any]:
    if headers is None:
        return {}
    pairs = headers.items() if hasattr(headers, "items") else headers
    return {_text(name).lower(): value for name, value in pairs}


def _milliseconds(value: Any, _now: float | None) -> float | None:
    wait = _number(value)
    return None if wait is None else wait / 1000


def _seconds_or_date(value: Any, now: float | None) -> float | None:
    wait = _number(value)
    if wait is not None or value is None:
        return wait
    from email.utils import parsedate_to_datetime  # few providers send dates; importing it is slow

    try:
        date = parsedate_to_datetime(_text(value))
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    if date.tzinfo is None:  # "-0000": a time in UTC, of which no zone is known
        date = date.replace(tzinfo=UTC)
    return max(0.0, date.timestamp() - (time.time() if now is None else now))


_HEADERS: tuple[tuple[str, Callable[[Any, float | None], float | None]], ...] = (
    ("retry-after-ms", _milliseconds),
    ("retry-after", _seconds_or_date),
)


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str | bytes):
        return None
    try:
        number = float(_text(value)) if isinstance(value, str | bytes) else float(value)
    except (ValueError, OverflowError):
        return None
    return number if isfinite(number) and number >= 0 else None


def _text(value: Any) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else str(value)
