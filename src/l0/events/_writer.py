"""One thread a store: it takes events from a queue, makes rows of them, and writes them in groups.

The event loop pays for putting an event into a queue, nothing else.
"""

from __future__ import annotations

import asyncio
import atexit
import logging
import os
import threading
import time
import weakref
from collections import deque
from collections.abc import Callable
from concurrent.futures import Future
from typing import Any, TypeVar

from l0.errors import StoreError
from l0.events._record import Row, Tally
from l0.events._tap import END, Backend, FileTrouble, Tap, push

log = logging.getLogger("l0")
T = TypeVar("T")

_BREATH = 8  # events after which the thread lets others run
_AT_EXIT = 5.0  # seconds a store has to write what it holds when the process ends
PATIENCE = 30.0  # seconds in which a thread gets on, before who waits for it gives up
_ENDED = 256  # streams that are remembered though they have ended: more may follow at once


class Writer:
    """The queue and the thread of one store.

    Args:
        backend: what writes the rows.
        name: of the store, for errors and the thread.
        interval: seconds for which rows may wait for others.
        group: rows that are written at once without waiting.
        limit: events in the queue from which on `full` asks producers to wait.
    """

    def __init__(
        self, backend: Backend, name: str, *, interval: float, group: int, limit: int
    ) -> None:
        self.name = name
        self.full = False
        self.closed = False
        self._backend = backend
        self._interval, self._group, self._limit = interval, group, limit
        self._lock = threading.Lock()
        self._reset()
        _writers.add(self)

    def _reset(self) -> None:
        self._queue: deque[tuple[Tap | None, Any]] = deque()
        self._wake = threading.Event()
        self._idle = True
        self._thread: threading.Thread | None = None
        self._waiting: list[Future[None]] = []
        self._tallies: dict[str, Tally] = {}
        self._ended: deque[str] = deque()  # of the tallies, those of streams that have ended
        self._group_rows: dict[str, tuple[Tap, list[Row]]] = {}
        self._count = 0
        self.progress = 0  # grows while the thread gets on

    # --- the side of the producers --------------------------------------------------------------

    def put(self, tap: Tap | None, item: Any) -> None:
        """Queue an event of a chain, rows, or a job; never waits."""
        queue = self._queue
        queue.append((tap, item))
        if self._idle:
            self._start(tap)
        if len(queue) >= self._limit and not self.full:  # also while the thread is yet to wake up
            self.full = True
            self._wake.set()

    def _start(self, tap: Tap | None) -> None:
        with self._lock:
            if self.closed:
                error = StoreError(f"{self.name} is closed; open it again to use it")
                self._queue.clear()
                if tap is None:
                    raise error
                tap.fail(error, 1)
                return
            if self._thread is None:
                self._thread = threading.Thread(
                    target=self._run, name=f"l0-{self.name}", daemon=True
                )
                self._thread.start()
        self._wake.set()

    def submit(self, job: Callable[[], T]) -> Future[T]:
        """Run a job on the thread, after everything that was put before it is written."""
        future: Future[T] = Future()
        self.put(None, (job, future))
        self._wake.set()
        return future

    async def run(self, job: Callable[[], T]) -> T:
        """As `submit`, awaited."""
        return await asyncio.wrap_future(self.submit(job))

    async def flush(self) -> None:
        """Wait until everything that was put is written."""
        if not self._is_done():
            await self.run(_nothing)

    def flush_sync(self, timeout: float) -> None:
        """As `flush`, for callers without an event loop.

        Raises:
            StoreError: it takes longer than `timeout` seconds.
        """
        if not self._is_done():
            try:
                self.submit(_nothing).result(timeout)
            except TimeoutError as error:
                raise StoreError(
                    f"{self.name} did not write what it holds within {timeout:g} s; is the disk "
                    "hung, or the file held by another process?"
                ) from error

    def _is_done(self) -> bool:
        return self._idle and not self._queue

    async def room(self, patience: float) -> bool:
        """Wait until the queue has room; False if the thread gets nowhere for `patience` s."""
        while self.full:
            since = self.progress
            future: Future[None] = Future()
            self._waiting.append(future)
            if self._has_room():
                break
            waiter = asyncio.wrap_future(future)
            await asyncio.wait({waiter}, timeout=patience)
            waiter.cancel()
            if self.full and self.progress == since:
                return False
        return True

    def _has_room(self) -> bool:
        return not self.full

    def queued(self, tap: Tap) -> int:
        """How many of a producer's items are not known to be written."""
        return tap.pending + sum(1 for each, _ in _copy(self._queue) if each is tap)

    def close(self, timeout: float | None = None) -> None:
        """Write what is queued, end the thread, close the file; waits for it."""
        with self._lock:
            self.closed, thread = True, self._thread
        if thread is None:
            self._backend.close()
        elif thread.is_alive() and thread is not threading.current_thread():
            self._queue.append((None, None))
            self._wake.set()
            thread.join(timeout)

    # --- the side of the thread -----------------------------------------------------------------

    def _run(self) -> None:
        while True:
            if not self._queue:
                self._idle = True
                if not self._queue:
                    self._wake.wait()
            self._idle = False
            self._wake.clear()
            if len(self._queue) < self._group and not self._is_awaited():
                self._wake.wait(self._interval)
            if not self._take():
                break
        try:
            self._backend.close()
        except Exception as error:  # what was written stands; whoever waits must be told to go on
            log.warning("%s could not be closed: %s", self.name, error)
        self._idle = True  # whoever comes now is told that it is closed
        for tap, item in _copy(self._queue):
            if tap is not None:
                tap.fail(StoreError(f"{self.name} was closed while it was written to"), 1)
            elif item is not None and item[1].set_running_or_notify_cancel():
                item[1].set_exception(StoreError(f"{self.name} was closed"))

    def _is_awaited(self) -> bool:
        return any(tap is None for tap, _ in _copy(self._queue))

    def _take(self) -> bool:
        """Write one group; whether there may be more."""
        queue, taken = self._queue, 0
        while queue and self._count < self._group:
            tap, item = queue.popleft()
            if tap is None:
                self._write()
                if item is None:
                    return False
                _do(*item)
            else:
                self._add(tap, item)
            taken += 1
            if taken % _BREATH == 0:
                time.sleep(0)  # the event loop waits for the interpreter, too
        self._write()
        self.progress += 1
        if self.full and len(queue) < self._limit // 2:
            self.full = False
        if not self.full and self._waiting:
            waiting, self._waiting = self._waiting, []
            for future in waiting:
                if future.set_running_or_notify_cancel():
                    future.set_result(None)
        return True

    def _add(self, tap: Tap, item: Any) -> None:
        rows = item if isinstance(item, list) else []
        if tap.error is None:
            try:
                if not tap.known:
                    self._look_up(tap)
                if rows is not item:
                    push(tap.chain, item, rows)
            except Exception as error:  # one stream's trouble must not be another's
                tap.fail(error, 1)
            else:
                self._keep(tap, rows)
        elif item is not END:
            tap.lost += max(1, len(rows))

    def _look_up(self, tap: Tap) -> None:
        chain = tap.chain
        tap.known = True
        if chain is not None:
            if chain.stream_id in self._group_rows:
                self._write()
            tally = self.tally(chain.stream_id)
            tap.begin(tally.seq, tally.hash, self.name)

    def _keep(self, tap: Tap, rows: list[Row]) -> None:
        if not rows:
            return
        stream_id = rows[0].stream_id
        known = self._group_rows.get(stream_id)
        if known is not None and known[0] is not tap:
            self._write()
            known = None
        if known is None:
            self._group_rows[stream_id] = (tap, rows)
        else:
            known[1].extend(rows)
        tap.pending += len(rows)
        self._count += len(rows)

    def tally(self, stream_id: str) -> Tally:
        """Where a stream stands; on the thread only."""
        tally = self._tallies.get(stream_id)
        if tally is None:
            if len(self._tallies) >= 10_000:
                self._tallies.clear()  # they are looked up again
                self._ended.clear()
            tally = self._backend.tally(stream_id) or Tally(stream_id)
            self._remember(tally)
        return tally

    def _remember(self, tally: Tally) -> None:
        """Keep a tally; of streams that have ended the latest only, others are looked up again."""
        known = self._tallies.get(tally.stream_id)
        self._tallies[tally.stream_id] = tally
        if tally.outcome is not None and (known is None or known.outcome is None):
            self._ended.append(tally.stream_id)
            if len(self._ended) > _ENDED:
                self.forget(self._ended.popleft())

    def forget(self, stream_id: str) -> None:
        """A stream was deleted; on the thread only."""
        self._tallies.pop(stream_id, None)

    def _write(self) -> None:
        group, self._group_rows, self._count = self._group_rows, {}, 0
        if not group:
            return
        try:
            self._write_all(list(group.values()))
        except Exception as error:  # whatever it is, the thread goes on for the other streams
            whole = isinstance(error, FileTrouble)
            told = StoreError(str(error)) if whole else error
            for each in group.values():
                if whole or len(group) == 1:
                    self._give_up(*each, told)
                    continue
                try:
                    self._write_all([each])
                except Exception as own:  # as above
                    self._give_up(*each, own)

    def _write_all(self, group: list[tuple[Tap, list[Row]]]) -> None:
        streams = []
        for _, rows in group:
            tally = self.tally(rows[0].stream_id)
            tally.check(rows)
            after = tally.copy()
            for row in rows:
                after.add(row)
            streams.append((after, rows))
        self._backend.write(streams)
        for (tap, rows), (after, _) in zip(group, streams, strict=True):
            self._remember(after)
            tap.pending -= len(rows)
            tap.written += len(rows)

    def _give_up(self, tap: Tap, rows: list[Row], error: Exception) -> None:
        self.forget(rows[0].stream_id)
        tap.pending -= len(rows)
        tap.fail(error, len(rows))

    # --- after a fork ---------------------------------------------------------------------------

    def after_fork(self) -> None:
        """The thread stayed with the parent, and so does what it had still to write."""
        self._lock = threading.Lock()
        self._reset()
        self.full = False
        self._backend.abandon()


def _do(job: Callable[[], Any], future: Future[Any]) -> None:
    if not future.set_running_or_notify_cancel():
        return
    try:
        result = job()
    except Exception as error:  # it belongs to whoever waits for the job
        future.set_exception(error)
    else:
        future.set_result(result)


def _copy(queue: deque[T]) -> list[T]:
    while True:
        try:
            return list(queue)
        except RuntimeError:  # it changed meanwhile
            continue


def _nothing() -> None:
    """A job that only waits for its turn."""


_writers: weakref.WeakSet[Writer] = weakref.WeakSet()


def _at_exit() -> None:
    for writer in list(_writers):
        writer.close(_AT_EXIT)


def _after_fork() -> None:
    for writer in list(_writers):
        writer.after_fork()


atexit.register(_at_exit)
if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
