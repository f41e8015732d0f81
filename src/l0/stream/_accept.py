"""What comes out of an adapter becomes part of the run: text, tool calls, data, the end."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

import msgspec

from l0.adapters import ACTIVITY, BaseDecoder, has_transport
from l0.errors import ProviderError
from l0.events import (
    DeduplicationEndPayload,
    DeduplicationStartPayload,
    Event,
    EventType,
    ResumeEndPayload,
    StreamEventPayload,
)
from l0.stream._attempt import Attempt
from l0.stream._checks import attend, restart_checks
from l0.stream._overlap import OverlapMatcher
from l0.stream._session import Run
from l0.stream._signs import first_sign, pings_count
from l0.stream._tools import tool_call, tool_result


def accept(run: Run, attempt: Attempt, out: Any) -> Iterator[Event]:
    """Everything but plain text of a live run; gives what the consumer is handed, one at a time."""
    if out is None:
        if not attempt.alive and pings_count(run, attempt):  # a keep-alive before the first token
            timeout = run.options.timeout
            run.watch.arm("initial_token", timeout.initial_token if timeout is not None else None)
        return
    if not attempt.alive:
        first_sign(run, attempt, run.state.token_count)
    if out is ACTIVITY:
        return
    for item in out if isinstance(out, list | tuple) else (out,):
        if isinstance(item, Event):
            if item.type is EventType.ERROR:
                # Events are nothing the garbage collector sees: an error whose traceback leads
                # back to its own event would never be collected, nor would the run.
                error, item, out = _error_of(item), None, None  # noqa: PLW2901  the frame lives on
                raise error
            if item.type is EventType.COMPLETE:
                attempt.complete = item
                return
            if item.type is EventType.TOKEN:
                if item.text:
                    yield from _match(run, attempt, item)
                continue
            attempt.events += 1
            if item.type is EventType.PROGRESS:
                yield from _other(run, attempt, item)
                continue
        if item is None or item == "" or item is ACTIVITY:
            continue
        yield from _match(run, attempt, item)
    matched = attempt.matcher is None or attempt.matcher.decided
    attempt.plain = matched and not run.validated and not attempt.resume_open


def end_of_source(run: Run, attempt: Attempt) -> Iterator[Event]:
    """The source ended: what the adapter still holds, what was withheld, buffered tool calls."""
    if not attempt.alive:
        attempt.leave_scope()
    if attempt.complete is None:
        decoder = attempt.decoder or _unknown(run, attempt)
        for item in decoder.finish():
            yield from accept(run, attempt, item)
    matcher = attempt.matcher
    if matcher is not None and not matcher.decided:
        if not attempt.dedup_open:
            attempt.matcher = None
        else:
            released = matcher.finish()
            yield from _settle(run, attempt)
            for item in released:
                yield from _take(run, attempt, item)
    if run.options.buffer_tool_calls:
        for event in sorted(attempt.tool_calls, key=_index):
            attempt.calls_out = True
            yield from _hand(run, event)


def _unknown(run: Run, attempt: Attempt) -> BaseDecoder:
    """For a source that ended before a chunk told its adapter: behind HTTP that is no end.

    In a resumed attempt nothing else would notice, and the text would stay cut where it was.
    """
    source, given = attempt.source, run.options.adapter_options
    wanted = given.get("require_finish") if isinstance(given, Mapping) else None
    required = getattr(given, "require_finish", wanted)
    if not isinstance(required, bool):
        required = source is not None and has_transport(source.stream)
    return BaseDecoder(require_finish=required)


def _index(event: Event) -> int:
    return event.tool_call.index if event.tool_call is not None else 0


def _error_of(event: Event) -> BaseException:
    if isinstance(event.error, BaseException):
        return event.error
    return ProviderError(str(event.error or event.text or "the provider reported an error"))


# --- overlap --------------------------------------------------------------------------------


def _match(run: Run, attempt: Attempt, item: Any) -> Iterator[Event]:
    matcher = attempt.matcher
    if matcher is None or matcher.decided:
        return _take(run, attempt, item)
    return _matched(run, attempt, matcher, item)


def _matched(run: Run, attempt: Attempt, matcher: OverlapMatcher, item: Any) -> Iterator[Event]:
    if isinstance(item, Event) and item.type is EventType.RESTART:
        yield from _withdrawn(run, attempt, item)
        return
    if not attempt.dedup_open:
        if isinstance(item, Event) and item.type is not EventType.TOKEN:
            yield from _take(run, attempt, item)  # nothing is withheld yet
            return
        attempt.dedup_open, attempt.matching_since = True, run.clock.monotonic()
        length = attempt.resumed_from or 0
        limit = run.options.continuation.deduplication.max_overlap
        run.tell(DeduplicationStartPayload(length, limit))
    released = matcher.feed(item)
    if matcher.decided:
        yield from _settle(run, attempt)
    for each in released:
        yield from _take(run, attempt, each)


def _settle(run: Run, attempt: Attempt) -> Iterator[Event]:
    """The overlap is known: tell it, and cut what a restatement replaces."""
    matcher = attempt.matcher
    assert matcher is not None
    attempt.dedup_open = False
    run.tell(
        DeduplicationEndPayload(
            matcher.overlap_length,
            matcher.overlap_text,
            matcher.withheld_chars,
            matcher.decided_by or "end",
            run.since(attempt.matching_since),
        )
    )
    at = matcher.restated_at
    if at is not None and at < run.state.content_length:
        restart = run.cut(at, "restatement")
        restart_checks(run, attempt)
        if restart is not None:
            yield restart


# --- taking one item into the state -----------------------------------------------------------


def _take(run: Run, attempt: Attempt, item: Any) -> Iterator[Event]:
    if isinstance(item, str):
        return _text(run, attempt, Event(EventType.TOKEN, item, run.state.content_length))
    if item.type is EventType.TOKEN:
        return _text(run, attempt, item)
    return _other(run, attempt, item)


def _text(run: Run, attempt: Attempt, event: Event) -> Iterator[Event]:
    state, text = run.state, event.text
    if not text:
        return
    if event.start != state.content_length:
        event = msgspec.structs.replace(event, start=state.content_length)
    if attempt.resume_open and attempt.resumed_from is not None:
        attempt.resume_open = False
        length = attempt.matcher.overlap_length if attempt.matcher is not None else 0
        run.tell(ResumeEndPayload(True, attempt.resumed_from, length))
    _append(run, attempt, text)
    if run.batch.on:
        run.batch.note(event, state.token_count - 1)
    if state.token_count >= attempt.due:
        attend(run, attempt, event, taps=False)
    yield from _hand(run, event)


def _append(run: Run, attempt: Attempt, text: str) -> None:
    state = run.state
    state._parts.append(text)
    state.content_length += len(text)
    if state._first_us is None and attempt.first_token is not None:  # all before it was withdrawn
        state._first_us = run.bus.us(run.clock.monotonic())


def take_text(run: Run, attempt: Attempt, text: str) -> Iterable[Event]:
    """Text that the run itself puts in place; it passed the checks of whoever wrote it."""
    event = Event(EventType.TOKEN, text, run.state.content_length)
    if attempt.first_token is None:
        run.first_token(run.clock.monotonic())
    _append(run, attempt, text)
    if run.batch.on:
        run.batch.add(text, run.stamp(), run.state.token_count - 1)
    if run.options.token_events:
        run.tell_token(text, run.state.token_count - 1)
    return _hand(run, event)


def take_again(run: Run, event: Event) -> Iterable[Event]:
    """An event that was withdrawn with the text around it, and still stands."""
    run.tell(StreamEventPayload(event))
    return _hand(run, event)


def _other(run: Run, attempt: Attempt, event: Event) -> Iterator[Event]:
    match event.type:
        case EventType.RESTART:  # the source is a reliable stream itself, and withdraws
            yield from _withdrawn(run, attempt, event)
            return
        case EventType.TOOL_CALL:
            event = tool_call(run, event)
        case EventType.TOOL_RESULT:
            tool_result(run, event)
        case EventType.DATA:
            attempt.delivered_data = True
        case EventType.MESSAGE:
            attempt.delivered_messages = True
    run.tell(StreamEventPayload(event))
    if event.type is EventType.TOOL_CALL:
        attempt.tool_calls = [*attempt.tool_calls, event]
        if run.options.buffer_tool_calls:
            return
    yield from _hand(run, event)


def _withdrawn(run: Run, attempt: Attempt, event: Event) -> Iterator[Event]:
    """The source, reliable itself, takes back what it wrote behind `kept_chars` of its own text."""
    kept, matcher = event.kept_chars or 0, attempt.matcher
    base, fell_away, again = attempt.chars_before, 0, ""
    if matcher is not None and not matcher.decided:
        again = matcher.withheld[:kept]
    elif matcher is not None and matcher.restated_at is not None:
        base = 0  # the text that stands is the source's own, from its beginning
    elif matcher is not None:
        fell_away = matcher.overlap_length
        again = matcher.overlap_text[:kept] if kept < fell_away else ""
    attempt.tool_calls = ()
    attempt.delivered_data = attempt.delivered_messages = False
    restart = run.cut(
        min(base + max(0, kept - fell_away), run.state.content_length), event.reason or "restart"
    )
    restart_checks(run, attempt)
    if restart is not None:
        yield restart
    if matcher is not None and (not matcher.decided or kept < fell_away):
        # What comes now may repeat the checkpoint in another way.
        attempt.matcher = OverlapMatcher(run.state.content, run.options.continuation)
        if again:
            yield from _match(run, attempt, again)


def _hand(run: Run, event: Event) -> Iterable[Event]:
    if run.validated and event.type is not EventType.PROGRESS:
        if run.held:
            run.held.append(event)
        else:
            run.held = [event]
        return ()
    return (event,)
