"""Two recorded runs compared: what their consumers got, and what became of them."""

from __future__ import annotations

from typing import Any

import msgspec

from l0.events._event import Event
from l0.events._replay import Replay, replay
from l0.events._state import State


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
