"""A recorded run as a source for a new one, and two runs compared."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import msgspec

from l0.errors import (
    ErrorCategory,
    ErrorCode,
    NetworkErrorType,
    SerializedError,
    StoreError,
    StreamAbortedError,
    deserialize_error,
)
from l0.events._clock import SYSTEM_CLOCK, Clock
from l0.events._event import Event, EventType, Usage
from l0.events._payloads import (
    DeduplicationEndPayload,
    ErrorPayload,
    NetworkErrorPayload,
    RestartPayload,
    StreamEventPayload,
    StreamFinishedPayload,
    StreamInitPayload,
    TokensPayload,
    UsagePayload,
)
from l0.events._record import Record
from l0.events._replay import Replay, _Pace, replay
from l0.events._state import State


def replay_source(
    source: Any,
    stream_id: str | None = None,
    *,
    speed: float = 0.0,
    clock: Clock | None = None,
) -> Callable[[], Awaitable[AsyncIterator[Event]]]:
    """A factory for `run`: its k-th call plays the k-th attempt of a recorded run.

    An attempt that failed raises its failure again, as an error that is classified like it; one
    that ended by itself ends, and is judged by the rules of the new run. Give the same factory as
    `stream` and as `fallbacks` to go through a chain again. Calls beyond the last attempt raise
    StoreError.

    Example:
        >>> import asyncio
        >>> from l0.events import EventBus, Log, StreamInitPayload, TokensPayload
        >>> log, bus = Log(), EventBus()
        >>> end = log.attach(bus)
        >>> bus.emit(StreamInitPayload(attempt=1, fallback_index=0))
        >>> bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 900]))
        >>> bus.emit("STREAM_FINISHED", attempt=1, event_count=2, token_count=2, duration_ms=1.0)
        >>> factory = replay_source(log)
        >>> async def main():
        ...     return [event.text async for event in await factory()]
        >>> asyncio.run(main())
        ['Hel', 'lo', None]
    """
    recorded = replay(source, stream_id)
    attempts: list[_Attempt] = []
    calls = 0

    async def play() -> AsyncIterator[Event]:
        nonlocal calls
        calls += 1
        call = calls
        if not recorded.records:
            await recorded
            attempts.extend(_attempts(recorded))
        if call > len(attempts):
            raise StoreError(
                f"the recorded run {recorded.stream_id} has {len(attempts)} attempts, this is call "
                f"{call}; give the new run the options of the recorded one"
            )
        return _play(attempts[call - 1], _Pace(speed, clock or SYSTEM_CLOCK))

    return play


class _Attempt:
    """What a source gave in one attempt, when, and how it ended."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.items: list[tuple[float, Event]] = []
        self.usage: Usage | None = None
        self.finish: StreamFinishedPayload | None = None
        self.network_type: str | None = None
        self.failure: Exception | None = None
        self.ended = began


async def _play(attempt: _Attempt, pace: _Pace) -> AsyncIterator[Event]:
    await pace.wait_for(attempt.began)
    for ts, event in attempt.items:
        await pace.wait_for(ts)
        yield event
    await pace.wait_for(attempt.ended)
    if attempt.failure is not None:
        raise attempt.failure
    finish = None if attempt.finish is None else attempt.finish.finish_reason
    yield Event(EventType.COMPLETE, usage=attempt.usage, finish_reason=finish)


def _attempts(recorded: Replay) -> list[_Attempt]:
    attempts: list[_Attempt] = []
    begun = 0  # characters that stood when the attempt began
    length = 0
    restated = False
    for record in recorded.records:
        payload = record.payload
        if isinstance(payload, StreamInitPayload):
            attempts.append(_Attempt(record.ts))
            begun = length
        length = _length(payload, length)
        if attempts:
            restated = _add(attempts[-1], record, payload, begun, restated=restated)
    for attempt in attempts:
        if attempt.failure is None and attempt.finish is None:
            attempt.failure = _cut_off(recorded)
    return attempts


def _length(payload: Any, length: int) -> int:
    if isinstance(payload, TokensPayload):
        return length + sum(map(len, payload.texts))
    return payload.kept_chars if isinstance(payload, RestartPayload) else length


def _add(attempt: _Attempt, record: Record, payload: Any, begun: int, *, restated: bool) -> bool:
    """Note what a record says of the source; gives whether a restatement was just decided."""
    if isinstance(payload, UsagePayload):
        attempt.usage = Usage(
            payload.input_tokens,
            payload.output_tokens,
            payload.total_tokens,
            payload.cached_input_tokens,
            payload.reasoning_tokens,
            requests=1,
        )
    if attempt.finish is not None or attempt.failure is not None:
        return False  # what comes now is not of the source
    match payload:
        case TokensPayload():
            base = round(record.ts * 1000)
            for text, offset in zip(payload.texts, payload.offsets_us, strict=True):
                attempt.items.append(((base + offset) / 1000, Event(EventType.TOKEN, text)))
        case StreamEventPayload():
            attempt.items.append((record.ts, payload.event))
        case DeduplicationEndPayload():
            if payload.overlap_text:  # it fell away then, and will again
                overlap = Event(EventType.TOKEN, payload.overlap_text)
                attempt.items.append((record.ts, overlap))
            return payload.decided_by == "restatement"
        case RestartPayload() if not restated:  # the source itself withdrew text
            kept = max(0, payload.kept_chars - begun)
            event = Event(EventType.RESTART, kept_chars=kept, reason=payload.reason)
            attempt.items.append((record.ts, event))
        case StreamFinishedPayload():
            attempt.finish, attempt.ended = payload, record.ts
        case NetworkErrorPayload():
            attempt.network_type, attempt.ended = payload.network_type, record.ts
        case ErrorPayload():
            attempt.failure, attempt.ended = _failure(payload, attempt), record.ts
    return False


def _failure(payload: ErrorPayload, attempt: _Attempt) -> Exception:
    code = payload.error_code if payload.error_code in set(ErrorCode) else None
    wait = payload.retry_after_ms
    return deserialize_error(
        SerializedError(
            name=payload.error_type,
            message=payload.error,
            code=None if code is None else ErrorCode(code),
            category=ErrorCategory(payload.category),
            status=payload.status,
            network_type=None
            if attempt.network_type is None
            else NetworkErrorType(attempt.network_type),
            retry_after=None if wait is None else wait / 1000,
            module="l0.errors" if code is not None else "",
        )
    )


def _cut_off(recorded: Replay) -> Exception:
    if recorded.outcome in ("aborted", "cancelled"):
        return StreamAbortedError(f"the recorded run {recorded.stream_id} was stopped here")
    return StoreError(f"the record of {recorded.stream_id} ends here: its process died, or so")


# --- comparing --------------------------------------------------------------------------------


class Difference(msgspec.Struct, frozen=True):
    """One thing that is not the same in two runs: an event's index or a fact of the state."""

    where: str
    a: Any
    b: Any


class ReplayComparison(msgspec.Struct, frozen=True):
    """What `compare_replays` found."""

    identical: bool
    differences: tuple[Difference, ...] = ()


_TIMES = frozenset(
    {"started_at", "first_token_at", "last_token_at", "time_to_first_token", "duration"}
)


async def compare_replays(a: Any, b: Any, *, times: bool = False) -> ReplayComparison:
    """Compare two recorded runs: what their consumers were handed, and their states at the end.

    `a` and `b` are replays, or anything `replay` takes that holds one stream. When things happened
    doesn't count unless `times` is true. At most 100 differences are listed.

    Example:
        >>> import asyncio
        >>> from l0.events import EventBus, Log, TokensPayload
        >>> log = Log()
        >>> bus = EventBus()
        >>> end = log.attach(bus)
        >>> bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 900]))
        >>> asyncio.run(compare_replays(log, log)).identical
        True
    """
    events_a, state_a = await _lived(a)
    events_b, state_b = await _lived(b)
    found: list[Difference] = []
    for index in range(max(len(events_a), len(events_b))):
        one = events_a[index] if index < len(events_a) else None
        other = events_b[index] if index < len(events_b) else None
        if not times:
            one, other = _timeless(one), _timeless(other)
        if one != other:
            found.append(Difference(f"events[{index}]", one, other))
    facts_a, facts_b = state_a.to_dict(), state_b.to_dict()
    for name, value in facts_a.items():
        mine, yours = _fact(name, value, times), _fact(name, facts_b[name], times)
        if mine != yours:
            found.append(Difference(f"state.{name}", mine, yours))
    return ReplayComparison(not found, tuple(found[:100]))


async def _lived(source: Any) -> tuple[list[Event], State]:
    given = source if isinstance(source, Replay) else replay(source)
    again = Replay(given._source, given.stream_id, window=given._window)
    return [event async for event in again], again.state


def _timeless(event: Event | None) -> Event | None:
    if event is None or event.timestamp is None:
        return event
    return msgspec.structs.replace(event, timestamp=None)


def _fact(name: str, value: Any, times: bool) -> Any:
    if times:
        return value
    if name in _TIMES:
        return None
    if name == "network_errors":
        return [msgspec.structs.replace(each, ts=0.0) for each in value]
    if name == "violations":
        return [msgspec.structs.replace(each, timestamp=None) for each in value]
    return value
