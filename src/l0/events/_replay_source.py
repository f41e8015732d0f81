"""A recorded run as the source of a new one."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable
from enum import StrEnum
from typing import Any, TypeVar

from l0.errors import (
    ErrorCategory,
    ErrorCode,
    NetworkErrorType,
    RetryableErrorType,
    SerializedError,
    StoreError,
    StreamAbortedError,
    deserialize_error,
)
from l0.events._clock import SYSTEM_CLOCK, Clock
from l0.events._consumer import token_event
from l0.events._event import Event, EventType, Usage
from l0.events._fold import usage_of
from l0.events._payloads import (
    DeduplicationEndPayload,
    ErrorPayload,
    FallbackStartPayload,
    NetworkErrorPayload,
    RestartPayload,
    RetryAttemptPayload,
    StreamEventPayload,
    StreamFinishedPayload,
    StreamInitPayload,
    TokensPayload,
    UsagePayload,
)
from l0.events._record import Record
from l0.events._replay import Replay, _Pace, replay

Word = TypeVar("Word", bound=StrEnum)


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
    StoreError. What a source had sent but the run had not yet accepted when it failed, such as text
    withheld for its overlap, is not in the record.

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
            attempts[:] = _attempts(recorded)  # not twice, where two calls waited for it
        if call > len(attempts):
            raise StoreError(
                f"the recorded run {recorded.stream_id} has {len(attempts)} attempts, this is call "
                f"{call}; give the new run the options of the recorded one"
            )
        attempt = attempts[call - 1]
        failure = attempt.failure(recorded)
        return _play(attempt, failure, _Pace(speed, clock or SYSTEM_CLOCK))

    return play


class _Attempt:
    """What a source gave in one attempt, when, and how it ended."""

    def __init__(self, began: float) -> None:
        self.began = began
        self.items: list[tuple[float, Event]] = []
        self.usage: Usage | None = None
        self.finish: StreamFinishedPayload | None = None
        self.error: ErrorPayload | None = None
        self.network_type: str | None = None
        self.reason: str | None = None  # why it was tried again
        self.ended = began

    @property
    def is_over(self) -> bool:
        """Whether the record says how it ended."""
        return self.finish is not None or self.error is not None

    def failure(self, recorded: Replay) -> Exception | None:
        """What the source raised, anew at each call; None where it ended by itself."""
        error = self.error
        if self.finish is not None:
            return None
        if error is None:
            return _cut_off(recorded)
        ours = _known(ErrorCode, error.error_code)
        wait = error.retry_after_ms
        return deserialize_error(
            SerializedError(
                name=error.error_type,
                message=error.error,
                code=ours,
                category=_known(ErrorCategory, error.category) or ErrorCategory.MODEL,
                status=error.status,
                network_type=_known(NetworkErrorType, self.network_type),
                reason=_known(RetryableErrorType, self.reason),
                retry_after=None if wait is None else wait / 1000,
                module="l0.errors" if ours is not None else "",
            )
        )


def _known(words: type[Word], told: str | None) -> Word | None:
    """A word of the record as ours; None for one of another version."""
    return next((word for word in words if word == told), None)


async def _play(attempt: _Attempt, failure: Exception | None, pace: _Pace) -> AsyncIterator[Event]:
    await pace.wait_for(attempt.began)
    for ts, event in attempt.items:
        await pace.wait_for(ts)
        yield event
    await pace.wait_for(attempt.ended)
    if failure is not None:
        raise failure
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
    return attempts


def _length(payload: Any, length: int) -> int:
    if isinstance(payload, TokensPayload):
        return length + sum(map(len, payload.texts))
    return payload.kept_chars if isinstance(payload, RestartPayload) else length


def _add(attempt: _Attempt, record: Record, payload: Any, begun: int, *, restated: bool) -> bool:
    """Note what a record says of the source; gives whether a restatement was just decided."""
    if isinstance(payload, UsagePayload):
        attempt.usage = usage_of(payload)
    if isinstance(payload, RetryAttemptPayload | FallbackStartPayload):
        attempt.reason = payload.reason
    if attempt.is_over:
        return False  # what comes now is not of the source
    match payload:
        case TokensPayload():
            base, notes = round(record.ts * 1000), {note.index: note for note in payload.notes}
            tokens = zip(payload.texts, payload.offsets_us, strict=True)
            for index, (text, offset) in enumerate(tokens, payload.start):
                event = token_event(text, None, notes.get(index))
                attempt.items.append(((base + offset) / 1000, event))
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
            attempt.error, attempt.ended = payload, record.ts
    return False


def _cut_off(recorded: Replay) -> Exception:
    if recorded.outcome in ("aborted", "cancelled"):
        return StreamAbortedError(f"the recorded run {recorded.stream_id} was stopped here")
    return StoreError(f"the record of {recorded.stream_id} ends here: its process was killed")
