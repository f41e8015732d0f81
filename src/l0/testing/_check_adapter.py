"""A check that any adapter keeps the contract: yours, or one of ours."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from l0.adapters import ACTIVITY, Adapter, Decoded, as_events, bind, select_adapter
from l0.errors import InvalidStreamError, NetworkError
from l0.events import Event, EventType, ToolCall

_PREFIXES = 50  # of a longer answer, so many cuts are tried, evenly spread
_REPORTED = ("usage", "finish_reason", "raw_finish_reason", "model", "response_id", "finished")


def check_adapter(
    adapter: Any,
    chunks: Iterable[Any],
    *,
    text: str | None = None,
    tool_calls: Sequence[ToolCall] | None = None,
    finish_reason: str | None = None,
    options: Any = None,
) -> list[Event]:
    """Assert that an adapter keeps the contract on one complete answer; gives the answer's events.

    `chunks` are the provider's, from first to last; `text`, `tool_calls` and `finish_reason`, where
    given, are what they must come to. Checked beside that: only what a decoder may answer comes
    back, at most one complete event and nothing after it; two answers decoded at the same time
    don't mix; reading changes no chunk; None among them means nothing; and an answer cut after any
    chunk gives the beginning of its text and no tool call but whole ones.

    Raises:
        AssertionError: it doesn't; the message says what and after which chunk.
        TypeError: it is no adapter.

    Example:
        >>> from l0.adapters import PassthroughAdapter
        >>> [event.text for event in check_adapter(PassthroughAdapter(), ["a", "b"], text="ab")]
        ['a', 'b']
    """
    known: Adapter = select_adapter(None, adapter)[0]  # type: ignore[index]  # a hint is decisive
    answer = list(chunks)
    events = _play(known, answer, options)
    _check_shape(events)
    _check_expected(events, text, tool_calls, finish_reason)
    again = _play(known, answer, options)
    assert again == events, f"decoding the same chunks again gives {again}, first it gave {events}"
    if getattr(known, "decoder", None) is not None:
        _check_together(known, answer, options, events)
        _check_none(known, answer, options, events)
    _check_cuts(known, answer, options, events)
    return events


def _play(adapter: Adapter, chunks: Sequence[Any], options: Any) -> list[Event]:
    """The events of the chunks, from the first to the end of the source."""
    if getattr(adapter, "decoder", None) is None:
        with ThreadPoolExecutor(1) as pool:  # the caller may be inside a running loop
            return pool.submit(asyncio.run, _collect(adapter, chunks, options)).result()
    _, decoder = bind(adapter, None, options)
    events = [event for chunk in chunks for event in _read(decoder, chunk)]
    events += decoder.finish()
    assert not decoder.finish(), "finish() gives something the second time too"
    return events


async def _collect(adapter: Adapter, chunks: Sequence[Any], options: Any) -> list[Event]:
    async def source() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    items, decoder = bind(adapter, source(), options)
    events = [event async for item in items for event in _read(decoder, item)]
    return [*events, *decoder.finish()]


def _read(decoder: Any, chunk: Any) -> list[Event]:
    decoded = decoder.feed(chunk)
    _check_decoded(decoded, chunk)
    for name in _REPORTED:
        assert hasattr(decoder, name), f"the decoder has no attribute {name!r}"
    return as_events(decoded)


def _check_decoded(decoded: Decoded, chunk: Any) -> None:
    if decoded is None or decoded is ACTIVITY:
        return
    parts = decoded if isinstance(decoded, list | tuple) else [decoded]
    for part in parts:
        assert isinstance(part, str | Event), (
            f"feed({chunk!r}) gave {part!r}; it may give str, Event, a list of these, "
            "ACTIVITY or None"
        )
        assert part != "", f"feed({chunk!r}) gave an empty text; None means nothing"


def _check_shape(events: Sequence[Event]) -> None:
    for place, event in enumerate(events):
        if event.type is EventType.TOKEN:
            assert event.text, f"event {place} is a token without text"
        if event.type is EventType.TOOL_CALL:
            assert event.tool_call is not None, f"event {place} is a tool call without tool_call="
        if event.type is EventType.COMPLETE:
            rest = events[place + 1 :]
            assert not rest, f"complete is event {place}, but there follows {rest}"


def _check_expected(
    events: Sequence[Event],
    text: str | None,
    tool_calls: Sequence[ToolCall] | None,
    finish_reason: str | None,
) -> None:
    if text is not None:
        assert _text(events) == text, f"the text is {_text(events)!r}, expected {text!r}"
    if tool_calls is not None:
        found = _calls(events)
        assert found == list(tool_calls), f"the tool calls are {found}, expected {tool_calls}"
    if finish_reason is not None:
        reasons = [event.finish_reason for event in events if event.type is EventType.COMPLETE]
        assert reasons == [finish_reason], f"it finished with {reasons}, expected {finish_reason!r}"


def _check_together(
    adapter: Adapter, chunks: Sequence[Any], options: Any, alone: list[Event]
) -> None:
    """Two decoders fed in turn know nothing of each other."""
    pair = [(bind(adapter, None, options)[1], list[Event]()) for _ in range(2)]
    for chunk in chunks:
        for decoder, events in pair:
            events.extend(_read(decoder, chunk))
    for decoder, events in pair:
        events.extend(decoder.finish())
        assert events == alone, f"decoded beside another answer it gives {events}, alone {alone}"


def _check_none(adapter: Adapter, chunks: Sequence[Any], options: Any, alone: list[Event]) -> None:
    """An item that is None means nothing."""
    _, decoder = bind(adapter, None, options)
    events: list[Event] = []
    for chunk in chunks:
        try:
            decoded = decoder.feed(None)
        except Exception as error:
            raise AssertionError(f"feed(None) raised {error!r}; it must give None") from error
        assert decoded is None, f"feed(None) gave {decoded!r}; it must give None"
        events += _read(decoder, chunk)
    events += decoder.finish()
    assert events == alone, f"with None between the chunks it gives {events}, without {alone}"


def _check_cuts(adapter: Adapter, chunks: Sequence[Any], options: Any, whole: list[Event]) -> None:
    """An answer that ends early gives the beginning of its text, and whole calls only."""
    step = -(-len(chunks) // _PREFIXES) or 1
    for length in range(0, len(chunks), step):
        try:
            events = _play(adapter, chunks[:length], options)
        except (NetworkError, InvalidStreamError):
            continue
        where = f"cut after {length} of {len(chunks)} chunks"
        assert _text(whole).startswith(_text(events)), f"{where} the text is {_text(events)!r}"
        calls = _calls(events)
        assert calls == _calls(whole)[: len(calls)], f"{where} the tool calls are {calls}"


def _text(events: Sequence[Event]) -> str:
    return "".join(event.text or "" for event in events if event.type is EventType.TOKEN)


def _calls(events: Sequence[Event]) -> list[ToolCall]:
    return [event.tool_call for event in events if event.tool_call is not None]
