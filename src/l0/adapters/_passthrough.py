"""Streams that need no provider: events, texts, and dicts that say which event they are."""

from __future__ import annotations

from collections.abc import Sequence
from operator import attrgetter
from typing import Any, Final

import msgspec

from l0.adapters._anthropic import AnthropicAdapter
from l0.adapters._base import BaseAdapter, BaseDecoder
from l0.adapters._contract import REPORTED, Decoded, Decoder
from l0.adapters._openai import OpenAIAdapter
from l0.adapters._responses import OpenAIResponsesAdapter
from l0.adapters._values import error_event, text
from l0.errors import InvalidStreamError
from l0.events import Event, EventType

_PROVIDERS: Final = (OpenAIResponsesAdapter(), AnthropicAdapter(), OpenAIAdapter())
_reported_by: Final = attrgetter(*REPORTED)
_FIELDS: Final = frozenset(Event.__struct_fields__) | {"value"}
_TYPES: Final = frozenset(EventType)


class PassthroughAdapter(BaseAdapter):
    """Events stay as they are, a str is a token, a dict with a `type` of `EventType` that event.

    A dict in the shape of a provider's chunk is read as that provider's; anything else is an
    `InvalidStreamError` that names the item's type. There are no options.

    Example:
        >>> decoder = PassthroughAdapter().decoder()
        >>> decoder.feed("Hi"), decoder.feed({"type": "progress", "progress": {"percent": 50}})
        ('Hi', Event(type=<EventType.PROGRESS: 'progress'>, progress=Progress(percent=50.0)))
    """

    name: str = "event"

    def decoder(self, options: Any = None, stream: Any = None) -> PassthroughDecoder:
        """A fresh decoder.

        Raises:
            TypeError: options were given.
        """
        if options:
            raise TypeError(f"the adapter 'event' has no options, got {options!r}")
        return PassthroughDecoder(self.name, stream)


class PassthroughDecoder(BaseDecoder):
    """Hands on what is an event already; leaves a provider's chunks to the provider's decoder."""

    def __init__(self, name: str = "event", stream: Any = None) -> None:
        super().__init__(name)
        self._stream = stream
        self._provider: Decoder | None = None
        self._reported: tuple[Any, ...] = ()  # by the provider's decoder

    def feed(self, item: Any, /) -> Decoded:
        """The item as an event or text."""
        if type(item) is str:
            return item or None
        if isinstance(item, dict):
            kind = item.get("type")
            if (
                isinstance(kind, str)
                and kind in _TYPES
                and not (kind == "error" and self._provider)
            ):
                return self._foreign(_event_of(item))
            if self._provider is None:
                self._provider = self._find(item)
            return self._ask(self._provider, item)
        decoded = self._foreign(item)
        if self._stranger is None:
            return decoded
        if text(item, "type") == "error":  # an error in place of a provider's first chunk
            return error_event(item)
        raise _unreadable(item)

    def finish(self) -> Sequence[Event]:
        """What is left when the source has ended, the provider's word included."""
        return self._provider.finish() if self._provider else super().finish()

    def _find(self, item: dict[str, Any]) -> Decoder:
        for adapter in _PROVIDERS:
            if adapter.detect_chunk(item):
                return adapter.decoder(None, self._stream)
        raise _unreadable(item)

    def _ask(self, provider: Decoder, item: Any) -> Decoded:
        decoded = provider.feed(item)
        reported = _reported_by(provider)
        if reported != self._reported:
            self._reported = reported
            for name, value in zip(REPORTED, reported, strict=True):
                setattr(self, name, value)
        return decoded


def _unreadable(item: Any) -> InvalidStreamError:
    what = f"an item of type {type(item).__qualname__}"
    if isinstance(item, dict):
        what += f" with the keys {', '.join(map(repr, list(item)[:6])) or '(none)'}"
    return InvalidStreamError(
        f"the stream yields {what}, which is no text, event or known provider's chunk; name its "
        "adapter with adapter=..., or pass a function that makes a text or Event of each item"
    )


def _event_of(item: dict[str, Any]) -> Event:
    """A dict whose `type` is an `EventType`, as that event."""
    fields = dict(item)
    if fields["type"] == "error":
        error = fields.get("error")
        if isinstance(error, BaseException):
            return Event(EventType.ERROR, error=error)
        return error_event(fields)
    if "value" in fields:
        fields["text"] = fields.pop("value")
    unknown = [name for name in fields if name not in _FIELDS]
    if unknown:
        raise InvalidStreamError(
            f"an event of type {fields['type']!r} has no field {unknown[0]!r}; "
            f"it may have {', '.join(sorted(_FIELDS - {'type', 'error'}))}"
        )
    try:
        return msgspec.convert(fields, Event)
    except (ValueError, RecursionError) as error:  # halves of characters are no ValidationError
        raise InvalidStreamError(
            f"a dict of type {fields['type']!r} is no such event: {error}"
        ) from error
