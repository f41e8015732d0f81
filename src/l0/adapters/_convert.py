"""Any stream as events, by functions that say what is in a chunk."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Mapping
from typing import Any, Final

import msgspec

from l0.adapters._create import (
    create_adapter_complete_event,
    create_adapter_data_event,
    create_adapter_error_event,
    create_adapter_message_event,
    create_adapter_progress_event,
)
from l0.errors import InvalidStreamError
from l0.errors._nearest import nearest
from l0.events import DataPayload, Event, EventType, Progress

Extractor = Callable[[Any], Any]


async def to_l0_events(stream: Any, extract_text: Extractor) -> AsyncIterator[Event]:
    """A stream's texts as tokens, then complete; a chunk without text (None, "") is skipped.

    Raises:
        InvalidStreamError: the stream is not asynchronous, or an extractor gives what it can't.

    Example:
        >>> import asyncio
        >>> async def texts():
        ...     async for event in to_l0_events([{"t": "a"}, {}], lambda c: c.get("t")):
        ...         print(event.type.value, event.text)
        >>> asyncio.run(texts())
        token a
        complete None
    """
    async for event in to_multimodal_l0_events(stream, extract_text=extract_text):
        yield event


async def to_l0_events_with_messages(
    stream: Any, extract_text: Extractor, extract_message: Extractor
) -> AsyncIterator[Event]:
    """Like `to_l0_events`, with text beside the answer.

    `extract_message` gives a text, a mapping with `text` (or `value`) and what goes to `data`, such
    as `role` and `kind`, an `Event`, or None.

    Example:
        >>> import asyncio
        >>> async def chunks():
        ...     yield {"think": "Let me see."}
        ...     yield {"say": "42"}
        >>> async def main():
        ...     found = to_l0_events_with_messages(
        ...         chunks(), lambda chunk: chunk.get("say"), lambda chunk: chunk.get("think")
        ...     )
        ...     return [(event.type.value, event.text) async for event in found]
        >>> asyncio.run(main())
        [('message', 'Let me see.'), ('token', '42'), ('complete', None)]
    """
    async for event in to_multimodal_l0_events(
        stream, extract_text=extract_text, extract_message=extract_message
    ):
        yield event


async def to_multimodal_l0_events(
    stream: Any, extractors: Mapping[str, Extractor] | None = None, **more: Extractor
) -> AsyncIterator[Event]:
    """A stream's chunks as events, each extractor asked in turn; then complete.

    The extractors, as a mapping, as keywords or both: `extract_text` (str), `extract_data`
    (`DataPayload` or its fields), `extract_progress` (`Progress`, its fields, or a percentage),
    `extract_message` (see `to_l0_events_with_messages`), `extract_error` (an exception, a message
    or a provider's body; it ends the stream). Each may also give an `Event`, a list, or None.

    Raises:
        InvalidStreamError: the stream is not asynchronous, or an extractor gives what it can't.
        TypeError: there is no such extractor.

    Example:
        >>> import asyncio
        >>> async def chunks():
        ...     yield {"done": 50}
        ...     yield {"say": "Here it is."}
        >>> async def main():
        ...     found = to_multimodal_l0_events(
        ...         chunks(),
        ...         extract_text=lambda chunk: chunk.get("say"),
        ...         extract_progress=lambda chunk: chunk.get("done"),
        ...     )
        ...     return [event.type.value async for event in found]
        >>> asyncio.run(main())
        ['progress', 'token', 'complete']
    """
    chosen = _chosen({**(extractors or {}), **more})
    start = 0
    async for chunk in _items(stream):
        for name, extract in chosen:
            for event in _events(name, extract(chunk)):
                if event.type is EventType.TOKEN:
                    if not event.text:
                        continue
                    event = msgspec.structs.replace(event, start=start)  # noqa: PLW2901
                    start += len(event.text or "")
                yield event
                if event.type in {EventType.ERROR, EventType.COMPLETE}:
                    return
    yield create_adapter_complete_event()


def _text(value: Any) -> Event:
    if not isinstance(value, str):
        raise InvalidStreamError(
            f"extract_text must give a str or None, it gave {type(value).__qualname__}"
        )
    return Event(EventType.TOKEN, str(value))


def _message(value: Any) -> Event:
    if isinstance(value, str):
        return create_adapter_message_event(value)
    fields = dict(value)
    text = fields.pop("text", fields.pop("value", None))
    return create_adapter_message_event(text, **fields)


def _data(value: Any) -> Event:
    return create_adapter_data_event(msgspec.convert(value, DataPayload))


def _progress(value: Any) -> Event:
    if isinstance(value, int | float):
        return create_adapter_progress_event(value)
    return Event(EventType.PROGRESS, progress=msgspec.convert(value, Progress))


# In the order in which a chunk's contents are handed on.
_MAKE: Final[dict[str, Callable[[Any], Event]]] = {
    "extract_progress": _progress,
    "extract_message": _message,
    "extract_text": _text,
    "extract_data": _data,
    "extract_error": create_adapter_error_event,
}


def _chosen(given: Mapping[str, Extractor | None]) -> list[tuple[str, Extractor]]:
    for name in given:
        if name not in _MAKE:
            near = nearest(name, _MAKE)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(_MAKE)}"
            raise TypeError(f"there is no extractor {name!r}; {hint}")
    return [(name, extract) for name in _MAKE if (extract := given.get(name)) is not None]


def _events(name: str, value: Any) -> list[Event]:
    if value is None:
        return []
    values = value if isinstance(value, list | tuple) else [value]
    return [item if isinstance(item, Event) else _event(name, item) for item in values]


def _event(name: str, value: Any) -> Event:
    try:
        return _MAKE[name](value)
    except (msgspec.ValidationError, TypeError, ValueError) as error:
        if isinstance(error, InvalidStreamError):
            raise
        raise InvalidStreamError(f"{name} gave {value!r}: {error}") from error


async def _items(stream: Any) -> AsyncIterator[Any]:
    """The items of an asynchronous stream, or of a list that is there already."""
    if isinstance(stream, list | tuple):
        for item in stream:
            yield item
        return
    if not hasattr(stream, "__aiter__"):
        raise InvalidStreamError(
            f"{type(stream).__qualname__} is no asynchronous stream; a list will do, and providers "
            "have an async client (AsyncOpenAI, AsyncAnthropic)"
        )
    async for item in stream:
        yield item
