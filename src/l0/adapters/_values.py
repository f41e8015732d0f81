"""Reading a provider's values whatever they are: SDK objects, plain objects or dicts."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from l0.errors import ErrorContext, ProviderError
from l0.events import Event, EventType

# Tuples, because a union is built anew at each use.
LISTS: Final = (list, tuple)
_NUMBERS: Final = (int, float)
_ENVELOPES: Final = frozenset({"error", "response.error"})
_NO_MODEL: Final = object()


def field(value: Any, name: str) -> Any:
    """The attribute or key, None where there is none."""
    if isinstance(value, dict):
        return value.get(name)
    if value is None:
        return None
    fields = getattr(value, "__dict__", None)
    if type(fields) is dict:
        if name in fields:
            return fields[name]
        # Asking a pydantic object for a name it lacks costs microseconds; its extras are all else
        # there can be.
        extra = getattr(value, "__pydantic_extra__", _NO_MODEL)
        if extra is not _NO_MODEL:
            return extra.get(name) if isinstance(extra, dict) else None
    return getattr(value, name, None)


def text(value: Any, name: str) -> str:
    """The attribute or key if it is text, else nothing: `""`."""
    found = field(value, name)
    return found if isinstance(found, str) else ""


def items(value: Any, name: str) -> list[Any] | tuple[Any, ...]:
    """The attribute or key if it is a list, else an empty one."""
    found = field(value, name)
    return found if isinstance(found, LISTS) else ()


def count(value: Any, *names: str) -> int:
    """The first of the names that holds a number, else 0."""
    return known_count(value, *names) or 0


def known_count(value: Any, *names: str) -> int | None:
    """The first of the names that holds a number, None if none does."""
    for name in names:
        found = field(value, name)
        if isinstance(found, _NUMBERS) and not isinstance(found, bool) and 0 <= found < 1e18:
            return int(found)
    return None


def plain(value: Any) -> Any:
    """An SDK object as dicts and lists; what is plain already stays as it is.

    What can't be written so, as it holds itself or nests deeper than Python follows, is text.
    """
    try:
        return _plain(value)
    except (TypeError, ValueError, RecursionError):
        return f"({type(value).__name__})"


def _plain(value: Any) -> Any:
    if value is None or isinstance(value, str | int | float | bool | Mapping):
        return value
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    dump = getattr(value, "model_dump", None)
    if callable(dump):
        return dump(mode="json", warnings=False)
    fields = getattr(value, "__dict__", None)
    return {k: _plain(v) for k, v in fields.items()} if isinstance(fields, dict) else str(value)


def roots(cls: type) -> set[str]:
    """The top-level packages a class and its bases come from, so that nothing is imported."""
    return {base.__module__.partition(".")[0] for base in cls.__mro__}


def error_event(body: Any) -> Event:
    """What a provider reports inside a stream, as the error the runtime handles like a raised one.

    `body` is the error or an event of type "error" around it; its type and code decide whether it
    is worth another try. A numeric code is taken for an HTTP status, as gateways mean it.
    """
    body = plain(body)
    if text(body, "type") in _ENVELOPES:
        body = body.get("error") or {k: v for k, v in body.items() if k != "type"}
    kind, code = text(body, "type"), field(body, "code")
    what = kind or (code if isinstance(code, str) else "")
    message = body if isinstance(body, str) else text(body, "message")
    if not message:
        message = f"the provider reported {what or 'an error'} inside the stream"
    elif what and what not in message:
        message = f"{message} ({what})"
    status = known_count({"code": int(code)} if _is_digits(code) else body, "code")
    context = ErrorContext(status=status) if status and 400 <= status <= 599 else None
    return Event(EventType.ERROR, error=ProviderError(message, context, body=body))


def _is_digits(code: Any) -> bool:
    return isinstance(code, str) and len(code) == 3 and code.isdecimal()


def message_event(text: str | None, kind: str, **more: Any) -> Event:
    """Text beside the answer: reasoning, a citation."""
    return Event(EventType.MESSAGE, text, data={"role": "assistant", "kind": kind, **more})


def refusal_event(text: str) -> Event:
    """A piece of a refusal: what the model said, marked as such."""
    return Event(EventType.TOKEN, text, data={"refusal": True})
