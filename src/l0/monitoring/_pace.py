"""Handlers that wait: for a quiet moment, or until there are enough events for one call."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine, Iterable
from functools import partial
from typing import Any

from l0.events import (
    SYSTEM_CLOCK,
    Clock,
    CompletePayload,
    Handler,
    ObservabilityEvent,
    SessionEndPayload,
    TimerHandle,
)
from l0.monitoring._combine import Wrapper, call_each, known_types

log = logging.getLogger("l0")

_LAST = frozenset({SessionEndPayload.type, CompletePayload.type})  # nothing waits beyond these


def debounce_events(seconds: float, handler: Handler, *, clock: Clock | None = None) -> Handler:
    """A handler that gets the last event of a stream once nothing came for `seconds`.

    The end of a stream (SESSION_END) does not wait: it hands over what was kept, if that is another
    event, and then itself, if the handler gets that type.

    Raises:
        TypeError: the handler is not callable.
        ValueError: `seconds` is no number above 0.

    Example:
        >>> import asyncio, l0
        >>> seen = []
        >>> calm = debounce_events(0.5, l0.monitoring.filter_events(["TOKEN"], seen.append))
        >>> _ = asyncio.run(l0.run(lambda: [*"abc"], token_events=True, on_event=calm).read())
        >>> [event["text"] for event in seen]
        ['c']
    """
    return _Debounced(_positive("seconds", seconds), handler, clock or SYSTEM_CLOCK)


def batch_events(
    size: int,
    max_wait_seconds: float,
    handler: Callable[[list[ObservabilityEvent]], Any],
    *,
    clock: Clock | None = None,
) -> Handler:
    """A handler that hands on lists: of `size` events, or what came within `max_wait_seconds`.

    Each list holds events of one stream, in order. The end of a stream (SESSION_END) hands over
    what is there.

    Raises:
        TypeError: the handler is not callable.
        ValueError: `size` is no whole number above 0, or `max_wait_seconds` no number above 0.

    Example:
        >>> import asyncio, l0
        >>> sizes = []
        >>> many = batch_events(1000, 5.0, lambda events: sizes.append(len(events)))
        >>> asyncio.run(l0.run(lambda: ["a"], on_event=many).read())
        'a'
        >>> sizes[0] > 5
        True
    """
    if isinstance(size, bool) or not isinstance(size, int) or size < 1:
        raise ValueError(f"size counts events: a whole number, 1 or more, not {size!r}")
    wait = _positive("max_wait_seconds", max_wait_seconds)
    return _Batched(size, wait, handler, clock or SYSTEM_CLOCK)


def _positive(name: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, int | float) or not value > 0:
        raise ValueError(f"{name} is a number of seconds above 0, not {value!r}")
    return float(value)


class _Kept:
    """What is kept of one stream."""

    __slots__ = ("calls", "events", "since", "timer")

    def __init__(self) -> None:
        self.events: list[ObservabilityEvent] = []
        self.since = 0.0  # when the wait that is on began
        self.timer: TimerHandle | None = None
        self.calls: asyncio.Task[None] | None = None  # a coroutine handler, called by the timer


class _Waiting(Wrapper):
    """Keeps events stream by stream, and hands them over when a timer fires or the stream ends."""

    def __init__(self, seconds: float, handler: Handler, clock: Clock) -> None:
        super().__init__(handler)
        self.seconds, self.clock = seconds, clock
        self._wanted = known_types(handler)
        if hasattr(self, "types"):
            self.types = self.types | _LAST
        self._streams: dict[str, _Kept] = {}

    def _arm(self, stream_id: str, kept: _Kept) -> None:
        if kept.timer is not None:
            return
        try:
            kept.timer = self.clock.call_at(
                kept.since + self.seconds, lambda: self._fire(stream_id, kept)
            )
        except RuntimeError:  # no loop runs here: the next event, or the end, hands over
            return

    def _fire(self, stream_id: str, kept: _Kept) -> None:
        kept.timer = None
        if not kept.events:  # handed over meanwhile
            self._forget(stream_id, kept)
            return
        if self.clock.monotonic() < kept.since + self.seconds:  # more came meanwhile
            self._arm(stream_id, kept)
            return
        try:
            result = self._hand(kept)
        except Exception as error:  # fired by a timer, there is no bus to tell
            log.debug("a handler failed", exc_info=error)
            result = None
        if result is not None:
            calls = asyncio.get_running_loop().create_task(_quietly(kept.calls, result))
            kept.calls = calls
            calls.add_done_callback(lambda _: self._forget(stream_id, kept))
        self._forget(stream_id, kept)

    def _forget(self, stream_id: str, kept: _Kept) -> None:
        """Remember nothing of a stream of which nothing waits: it may never be heard of again."""
        idle = not kept.events and (kept.calls is None or kept.calls.done())
        if idle and self._streams.get(stream_id) is kept:
            del self._streams[stream_id]

    def _parts(self, events: list[ObservabilityEvent]) -> Iterable[Any]:
        """What the handler is called with, one after the other."""
        return events

    def _hand(self, kept: _Kept) -> Coroutine[Any, Any, None] | None:
        """Hand over what is kept; gives what is to be awaited."""
        events, kept.events = kept.events, []
        return call_each(partial(self.handler, part) for part in self._parts(events))

    def _end(self, stream_id: str, kept: _Kept) -> Awaitable[None] | None:
        """Nothing of a stream that has ended is kept."""
        self._streams.pop(stream_id, None)
        if kept.timer is not None:
            kept.timer.cancel()
            kept.timer = None
        return self._now(kept)

    def _now(self, kept: _Kept) -> Awaitable[None] | None:
        """Hand over what is kept, behind what the timer handed over."""
        result = self._hand(kept) if kept.events else None
        calls, kept.calls = kept.calls, None
        return result if calls is None else _after(calls, result)


class _Debounced(_Waiting):
    def __call__(self, event: ObservabilityEvent) -> Awaitable[None] | None:
        stream_id, type_ = event.stream_id, event.type
        kept = self._streams.get(stream_id) or _Kept()
        if type_ in _LAST:
            if type_ in self._wanted:
                kept.events.append(event)
            return self._end(stream_id, kept)
        if type_ not in self._wanted:
            return None
        late, now = None, self.clock.monotonic()
        if kept.events and kept.timer is None and now >= kept.since + self.seconds:
            late = self._now(kept)
        self._streams[stream_id] = kept
        kept.events[:] = [event]
        kept.since = now
        self._arm(stream_id, kept)
        return late


class _Batched(_Waiting):
    def __init__(
        self, size: int, seconds: float, handler: Callable[..., Any], clock: Clock
    ) -> None:
        super().__init__(seconds, handler, clock)
        self.size = size

    def __call__(self, event: ObservabilityEvent) -> Awaitable[None] | None:
        stream_id, type_ = event.stream_id, event.type
        kept = self._streams.get(stream_id) or _Kept()
        if type_ in self._wanted:
            now = self.clock.monotonic()
            if not kept.events:
                kept.since = now
            kept.events.append(event)
            if type_ not in _LAST:
                self._streams[stream_id] = kept
                if len(kept.events) >= self.size or now >= kept.since + self.seconds:
                    return self._now(kept)
                self._arm(stream_id, kept)
                return None
        return self._end(stream_id, kept) if type_ in _LAST else None

    def _parts(self, events: list[ObservabilityEvent]) -> Iterable[Any]:
        return [events]


async def _after(calls: asyncio.Task[None], result: Awaitable[None] | None) -> None:
    await asyncio.wait({calls})
    if result is not None:
        await result


async def _quietly(before: asyncio.Task[None] | None, result: Coroutine[Any, Any, None]) -> None:
    if before is not None:
        await asyncio.wait({before})
    try:
        await result
    except Exception as error:  # called from a timer's task, there is no bus to tell
        log.debug("a handler failed", exc_info=error)
