"""Which error texts may quote what the model wrote: they leave only where content is asked for."""

from __future__ import annotations

from typing import Any

from l0.errors import (
    ContentError,
    Error,
    ErrorCategory,
    IncompleteOutputError,
    InterceptorError,
    ZeroOutputError,
)


def _names(cls: type[Error]) -> set[str]:
    return {cls.__name__}.union(*(_names(each) for each in cls.__subclasses__()))


# Their own texts say nothing of the output but that there is none, or too little.
_HARMLESS = {ZeroOutputError.__name__, IncompleteOutputError.__name__}


def may_quote(failure: Any) -> bool:
    """Whether the text of an ERROR event's error may quote the output: findings do."""
    if failure is None or failure.error_type in _HARMLESS:
        return False
    if failure.category == ErrorCategory.CONTENT.value:
        return True
    # A validator's complaint quotes what it complains of, and an interceptor's may be one; the
    # caller's own kinds of them are known by now.
    return any(failure.error_type in _names(each) for each in (ContentError, InterceptorError))
