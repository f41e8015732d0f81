"""Live through a recorded run again: the same events, the same state, the same pauses."""

from __future__ import annotations

from collections.abc import AsyncGenerator, AsyncIterator, Generator
from typing import Any

from l0.events._bus import ObservabilityEvent
from l0.events._clock import SYSTEM_CLOCK, Clock
from l0.events._consumer import Consumer, find_withheld
from l0.events._event import Event
from l0.events._record import ENDS, Record, outcome_of
from l0.events._sources import get_records, pick_stream, reading
from l0.events._state import State
from l0.events._store import UNFINISHED


def replay(
    source: Any,
    stream_id: str | None = None,
    *,
    speed: float = 0.0,
    from_seq: int = 0,
    to_seq: int | None = None,
    clock: Clock | None = None,
) -> Replay:
    """Replay one stream of a store, a log, a list of records, or a file.

    Iterating gives exactly what the consumer of the run was handed, restarts included; of a
    validated run only what was released. `events()` gives what its listeners were told. `state` is
    what the run's state was at that point; `await replay(...)` goes to the end at once.

    Args:
        source: store, `Log`, records, URL or path.
        stream_id: which stream; may be left out where there is one only.
        speed: 0 is at once, 1.0 keeps the pauses, 2.0 halves them.
        from_seq: what came before is folded into the state, but not given.
        to_seq: the last record that is replayed.
        clock: what to wait by.

    Raises:
        ValueError: `speed` is negative. When it is read: there are several streams and no
            `stream_id`, or the stream is not there.
        StoreError: when it is read, the source can't be read or a record is damaged.

    Example:
        >>> import asyncio
        >>> from l0.events import EventBus, Log, TokensPayload
        >>> log = Log()
        >>> bus = EventBus()
        >>> end = log.attach(bus)
        >>> bus.emit(TokensPayload(0, ["Hel", "lo"], [0, 900]))
        >>> async def main():
        ...     return [event.text async for event in replay(log)]
        >>> asyncio.run(main())
        ['Hel', 'lo']
    """
    if not speed >= 0:
        raise ValueError(f"speed is 0 (at once) or more (1.0 keeps the pauses), not {speed!r}")
    window = (from_seq, to_seq)
    return Replay(source, stream_id, speed=speed, window=window, clock=clock or SYSTEM_CLOCK)


class Replay:
    """A recorded run being lived through again; see `replay`.

    Every iteration begins at the beginning. `state`, `outcome` and the rest are known from the
    first step of an iteration on, or after `await`.
    """

    def __init__(
        self,
        source: Any,
        stream_id: str | None,
        *,
        speed: float = 0.0,
        window: tuple[int, int | None] = (0, None),
        clock: Clock = SYSTEM_CLOCK,
    ) -> None:
        self.stream_id = stream_id
        self.speed = speed
        self.records: list[Record] = []
        self._source = source
        self._window = window
        self._clock = clock
        self._consumer = Consumer()
        self._loaded = False

    def __repr__(self) -> str:
        return f"<Replay of {self.stream_id}: {self.outcome}, {len(self.records)} records>"

    @property
    def state(self) -> State:
        """What is true of the run so far."""
        return self._consumer.state

    @property
    def outcome(self) -> str:
        """How the run ended: completed, failed, aborted, cancelled; unfinished if it did not."""
        for record in reversed(self.records):
            if record.type in ENDS:
                return outcome_of(record.data) or UNFINISHED
        return UNFINISHED

    @property
    def meta(self) -> dict[str, Any]:
        """The caller's `meta` of the run."""
        return self.records[0].meta if self.records else {}

    @property
    def changes(self) -> frozenset[str]:
        """How the record differs from what happened: see `Record.changed`."""
        return frozenset(change for record in self.records for change in record.changed)

    @property
    def redacted(self) -> bool:
        """Whether secrets were taken out, so that texts differ from those of the live run."""
        return "redacted" in self.changes

    def __await__(self) -> Generator[Any, None, Replay]:
        return self._to_the_end().__await__()

    async def _to_the_end(self) -> Replay:
        await self._begin()
        for record in self.records:
            for _ in self._consumer.follow(record):
                pass
        return self

    async def __aiter__(self) -> AsyncGenerator[Event, None]:
        await self._begin()
        pace = _Pace(self.speed, self._clock)
        for record in self.records:
            shown = record.seq >= self._window[0]
            if shown:
                pace.begin_at(record.ts)
            for ts, event in self._consumer.follow(record):
                if shown and event is not None:
                    await pace.wait_for(ts)
                    yield event

    async def read(self) -> str:
        """The text that stood at the end, at once, as `Stream.read` gives it.

        A run that failed gives what stood then; `outcome` says so.
        """
        await self._to_the_end()
        return self.state.content

    async def events(self) -> AsyncIterator[ObservabilityEvent]:
        """What the listeners of the run were told, with the times it had then."""
        await self._begin()
        pace = _Pace(self.speed, self._clock)
        for record in self.records:
            if record.seq >= self._window[0]:
                await pace.wait_for(record.ts)
            for _ in self._consumer.follow(record):
                pass
            if record.seq >= self._window[0]:
                yield record.event

    async def _begin(self) -> None:
        if not self._loaded:
            async with reading(self._source) as opened:
                self.stream_id = await pick_stream(opened, self.stream_id)
                records = await get_records(opened, self.stream_id)
            if not records:
                raise ValueError(f"there is no stream {self.stream_id} in {self._source!r}")
            last = self._window[1]
            self.records = [r for r in records if last is None or r.seq <= last]
            self._withheld = find_withheld(records)
            self._loaded = True
        self._consumer = Consumer(self._withheld)


class _Pace:
    """Keeps the pauses of the run, measured from the first record that is shown on."""

    def __init__(self, speed: float, clock: Clock) -> None:
        self._speed, self._clock = speed, clock
        self._begin: tuple[float, float] | None = None

    def begin_at(self, ts: float) -> None:
        """Pauses count from `ts` on, if they don't already from an earlier one."""
        if self._begin is None:
            self._begin = (ts, self._clock.monotonic())

    async def wait_for(self, ts: float) -> None:
        """Wait until the time has come for what happened at `ts` (Unix milliseconds)."""
        if not self._speed:
            return
        self.begin_at(ts)
        assert self._begin is not None
        since, began = self._begin
        pause = (ts - since) / 1000 / self._speed - (self._clock.monotonic() - began)
        if pause > 0:
            await self._clock.sleep(pause)
