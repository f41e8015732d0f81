"""How a recorder's events get into stores that have no thread of their own."""

from __future__ import annotations

import asyncio
from collections import deque
from typing import Any, Protocol

from l0.errors import StoreError
from l0.events._record import Record, Row, Tally, records_of
from l0.events._tap import END, Tap, push

_LIMIT = 1000
_GROUP = 64
_CANCEL_SECONDS = 1.0  # for a store to notice that it is cancelled


class Sink(Protocol):
    """Where a recorder puts its events; `Writer` is the one with a thread."""

    full: bool

    def put(self, tap: Tap | None, item: Any) -> None:
        """Take an event, or END; never waits."""

    async def room(self, patience: float) -> bool:
        """Wait while `full`; False if nothing moves for `patience` seconds."""

    async def flush(self) -> None:
        """Wait until everything that was put is written."""

    def queued(self, tap: Tap) -> int:
        """How many of a producer's items are not known to be written."""


def sink_of(store: Any) -> Sink:
    """What takes the events of a store: its own, or a task that appends to it."""
    own: Sink | None = getattr(store, "_sink", None)
    return TaskSink(store) if own is None else own


class _Direct(Protocol):
    def tally(self, stream_id: str) -> Tally: ...
    def write(self, streams: dict[str, list[Row]]) -> None: ...


class DirectSink:
    """Writes at once, for stores in memory."""

    full = False

    def __init__(self, store: _Direct) -> None:
        self._store = store

    def put(self, tap: Tap | None, item: Any) -> None:
        """Make rows of an event and keep them."""
        assert tap is not None
        if tap.error is not None:
            tap.lost += item is not END
            return
        rows: list[Row] = item if isinstance(item, list) else []
        try:
            if rows is not item:
                if not tap.known:
                    self._look_up(tap)
                push(tap.chain, item, rows)
            if rows:
                self._store.write({rows[0].stream_id: rows})
        except Exception as error:  # recording stops, the run goes on
            tap.fail(error, max(1, len(rows)))
        else:
            tap.written += len(rows)

    async def room(self, patience: float) -> bool:  # noqa: ARG002
        """There always is."""
        return True

    async def flush(self) -> None:
        """Nothing to wait for."""

    def queued(self, tap: Tap) -> int:  # noqa: ARG002
        """Nothing is."""
        return 0

    def _look_up(self, tap: Tap) -> None:
        tap.known = True
        if tap.chain is not None:
            tally = self._store.tally(tap.chain.stream_id)
            tap.begin(tally.seq, tally.hash, repr(self._store))


class TaskSink:
    """Hands records to any store by its `append`, in a task that lives while there are some."""

    def __init__(self, store: Any) -> None:
        self._store = store
        self._queue: deque[tuple[Tap, Any]] = deque()
        self._task: asyncio.Task[None] | None = None
        self._moved = asyncio.Event()
        self.full = False

    def put(self, tap: Tap | None, item: Any) -> None:
        """Queue an event; a task takes it from there."""
        assert tap is not None
        self._queue.append((tap, item))
        self.full = len(self._queue) >= _LIMIT
        if self._task is None or self._task.done():
            self._start()

    def _start(self) -> None:
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return  # outside of a loop, `flush` will see to it
        self._moved = asyncio.Event()  # one belongs to the loop it was waited for in
        self._task = loop.create_task(self._drain())

    async def room(self, patience: float) -> bool:
        """Wait while the queue is full."""
        while self.full:
            self._moved.clear()
            try:
                await asyncio.wait_for(self._moved.wait(), patience)
            except TimeoutError:
                return False
        return True

    async def flush(self) -> None:
        """Wait until everything is appended, and the store has flushed it."""
        if self._queue and (self._task is None or self._task.done()):
            self._start()
        if self._task is not None and not self._task.done():  # nor cancelled with an earlier loop
            await asyncio.shield(self._task)
        await self._store.flush()

    async def cancel(self) -> None:
        """Give up on a store that doesn't answer."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait({self._task}, timeout=_CANCEL_SECONDS)

    def queued(self, tap: Tap) -> int:
        """How many of a producer's items are not known to be written."""
        return tap.pending + sum(1 for each, _ in self._queue if each is tap)

    async def _drain(self) -> None:
        while self._queue:
            rows: dict[Tap, list[Row]] = {}
            try:
                for _ in range(min(_GROUP, len(self._queue))):
                    tap, item = self._queue.popleft()
                    await self._take(tap, item, rows)
                for tap, each in rows.items():
                    await self._append(tap, each)
            except asyncio.CancelledError:  # with its loop, or as the store was given up
                for tap in rows:
                    self._cut_off(tap, tap.pending)
                raise
            self.full = len(self._queue) >= _LIMIT
            self._moved.set()

    async def _take(self, tap: Tap, item: Any, rows: dict[Tap, list[Row]]) -> None:
        if tap.error is not None:
            tap.lost += item is not END
            return
        own = rows.setdefault(tap, [])
        before = len(own)
        try:
            await self._look_up(tap)
            if isinstance(item, list):
                own.extend(item)
            else:
                push(tap.chain, item, own)
        except Exception as error:  # recording stops, the run goes on
            tap.fail(error, 1)
        except asyncio.CancelledError:  # as above
            self._cut_off(tap, 1 + tap.pending)
            raise
        tap.pending += len(own) - before

    async def _look_up(self, tap: Tap) -> None:
        chain = tap.chain
        if tap.known or chain is None:
            return
        tap.known = True
        last: Record | None = await self._store.get_last_event(chain.stream_id)
        if last is not None:
            tap.begin(last.seq, last.hash, repr(self._store))

    def _cut_off(self, tap: Tap, lost: int) -> None:
        if lost and tap.error is None:
            tap.fail(StoreError(f"{self._store!r} was cancelled while it wrote"), lost)
        tap.pending = 0

    async def _append(self, tap: Tap, rows: list[Row]) -> None:
        if not rows:
            return
        try:
            records = list(records_of(rows, tap.meta))
            tap.meta = records[0].meta
            await self._store.append(records)
        except Exception as error:  # as above
            tap.fail(error, len(rows))
        else:
            tap.written += len(rows)
        tap.pending -= len(rows)
