"""The drive of a map: rows are fed in, made, committed, and handed over as they finish."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Iterable
from contextlib import aclosing
from typing import Any

from l0.compose._budget import size_of
from l0.compose._executor import RowJob, RowOutcome
from l0.compose._map_desk import MapDesk
from l0.compose._map_key import row_key
from l0.compose._map_result import Ledger, MapResult, MapRow, row_of
from l0.compose._map_table import Kept
from l0.compose._map_tell import Plan, Teller
from l0.compose._recording import Recording
from l0.compose._results import Results, open_results
from l0.errors._secrets import redact_text
from l0.events import EventBus

_READY = 256  # rows done but not handed over, from which on no more are looked up
_TURN_SECONDS = 0.25  # between two looks whether another process has finished a row


class Drive:
    """One use of a map."""

    def __init__(self, plan: Plan, desk: MapDesk, bus: EventBus) -> None:
        self._plan, self._desk, self._bus = plan, desk, bus
        self._clock = bus.clock
        self.ledger = Ledger()
        self.results: Results | None = None
        self.result: MapResult | None = None
        self._recording: Recording | None = None
        self.loop: asyncio.AbstractEventLoop | None = None
        self.began = 0.0
        self.gone = False
        self.ended = asyncio.Event()
        self.stopped: tuple[str, str] | None = None  # the cause, and the reason for people
        self._taken = 0  # rows that were read from the items
        self._fed = False
        self.failure: BaseException | None = None
        self._feeder: asyncio.Task[None] | None = None
        self._making: dict[str, list[RowJob]] = {}  # by key: the rows of same content that wait
        self._tasks: dict[asyncio.Task[None], RowJob] = {}
        self._elsewhere: list[RowJob] = []  # that another process has claimed
        self._ready: deque[MapRow] = deque()
        self._stirred = asyncio.Event()  # something was done, for who hands over
        self._room = asyncio.Event()  # something was handed over, or freed, for who feeds
        self.teller = Teller(plan, bus, self.ledger, desk, lambda: len(self._tasks))
        desk.on_change, desk.busy = self._stir, self._busy
        self._index = plan.rows.index

    # --- handing over ---

    async def rows(self) -> AsyncGenerator[MapRow, None]:
        """The rows, as they finish; leaving it ends the map."""
        outcome = "cancelled"
        try:
            await self._begin()
            while (row := await self._next()) is not None:
                self.teller.row(row)
                if self._recording is not None:
                    await self._recording.room()
                yield row
            outcome = "completed" if self.stopped is None else "stopped"
            if self.stopped is not None and self.stopped[0] == "abort":
                outcome = "aborted"
        except GeneratorExit:
            outcome = "aborted"
            raise
        except Exception as error:
            outcome, self.failure = "failed", error
            raise
        finally:
            await self._end(outcome)

    async def _begin(self) -> None:
        self.loop = asyncio.get_running_loop()
        self.began, plan = self._clock.monotonic(), self._plan
        self.results = open_results(plan.store, self._bus.stream_id)
        self._recording = Recording(self._bus, plan.event_store, plan.redact)
        self.teller.start(self.began, self.results.path)
        self._feeder = asyncio.create_task(self._feed())

    async def _next(self) -> MapRow | None:
        """The next row that is done; None when all are."""
        while not self._ready:
            if self._fed and not self._tasks:
                if self.failure is not None:
                    raise self.failure
                return None
            self._stirred.clear()
            await self._stirred.wait()
        row = self._ready.popleft()
        self._room.set()
        return row

    # --- feeding ---

    async def _feed(self) -> None:
        try:
            async with aclosing(self._plan.rows.each()) as rows:
                async for row in rows:
                    if self.stopped is not None and self._plan.rows.total is None:
                        break  # nobody knows whether it ever ends
                    await self._feed_one(row)
            await self._take_over()
        except Exception as error:  # of the items, or the store: it ends the map
            self.failure = self.failure or error
        finally:
            self._fed = True
            self._stirred.set()

    async def _feed_one(self, row: Any) -> None:
        position, self._taken = self._taken, self._taken + 1
        await self._space()
        if position % _READY == 0:  # many rows may be done without any wait
            await asyncio.sleep(0)
        job = self._job(position, row)
        if job is not None:
            await self._consider(job)

    async def _space(self) -> None:
        """Wait while too many rows are done but not handed over."""
        while len(self._ready) >= _READY:
            self._room.clear()
            await self._room.wait()

    def _job(self, position: int, row: Any) -> RowJob | None:
        """The row as something to make; None: it has failed already."""
        plan = self._plan
        try:
            prompt = plan.prompter(row)
            own = None if plan.key is None else plan.key(row)
            key = row_key(prompt, plan.model_id, plan.schema_id, own)
        except Exception as error:  # the row's own trouble, or that of the caller's function
            told = f"no prompt: {type(error).__name__}: {redact_text(str(error))}"
            self._done(
                position, RowOutcome(status="failed", error=told, error_type=type(error).__name__)
            )
            return None
        return RowJob(position, key, prompt, size_of(prompt), self._bus.stream_id)

    async def _consider(self, job: RowJob) -> None:
        """Take the row's answer from where there is one, or make it."""
        assert self.results is not None
        twins = self._making.get(job.key)
        if twins is not None:
            twins.append(job)
            return
        found: Kept | bool | None
        if self.stopped is not None:
            kept = await self.results.find(job.key)
            found = kept if kept is not None and kept[0].status == "ok" else None
        else:
            found = await self.results.claim(job.key)
        if found is False:
            self._elsewhere.append(job)
        elif found is True:
            await self._start(job)
        elif found is None:
            self._skip(job)
        else:
            outcome, cost, owner = found
            origin = "copied" if self.results.path is None or self._is_own(owner) else "stored"
            self._done(job.position, outcome, job.key, cost, origin)

    def _is_own(self, owner: str) -> bool:
        return owner.endswith(f":{self._bus.stream_id}")

    async def _start(self, job: RowJob) -> None:
        """Begin a row that is claimed, as soon as there is room, money and a turn for it."""
        assert self.results is not None
        self._making[job.key] = []
        began = False
        try:
            while self.stopped is None and self._busy() >= self._desk.throttle.limit:
                self._room.clear()
                await self._room.wait()
            if self.stopped is None and not await self._desk.fund(job):
                self.stop("budget", self._desk.purse.refusal or "the budget is used up")
            if self.stopped is None:
                await self._desk.admit(job)
            began = self.stopped is None
        finally:
            if not began:
                self._desk.forget(job)
                twins = self._making.pop(job.key)
        if began:
            task = asyncio.create_task(self._make(job))
            self._tasks[task] = job
            task.add_done_callback(self._made)
            return
        await self.results.release(job.key)
        for each in (job, *twins):
            self._skip(each)

    def _busy(self) -> int:
        return len(self._tasks) + len(self._ready)

    async def _take_over(self) -> None:
        """The rows that another process had: done by now, or ours, or still to be waited for."""
        while self._elsewhere:
            waiting, self._elsewhere = self._elsewhere, []
            for job in waiting:
                await self._consider(job)
            if self._elsewhere:
                await self._clock.sleep(_TURN_SECONDS)

    # --- making ---

    async def _make(self, job: RowJob) -> None:
        """Make one row and commit it; only then it counts as done."""
        assert self.results is not None
        plan, desk = self._plan, self._desk
        try:
            outcome = await _outcome(lambda: plan.executor.submit(plan.work, job, desk))
        finally:
            cost, trouble = desk.forget(job)
        if outcome.status != "ok" and trouble is not None:
            self.stop("account", f"no request can do better: {trouble}")
        await _whatever_happens(self._keep(job, outcome, cost))

    async def _keep(self, job: RowJob, outcome: RowOutcome, cost: float | None) -> None:
        assert self.results is not None
        try:
            await self.results.put(job.key, outcome, cost)
        finally:
            twins = self._making.pop(job.key, [])
        self._done(job.position, outcome, job.key, cost)
        for twin in twins:
            self._done(twin.position, outcome, job.key, cost, "copied")

    def _made(self, task: asyncio.Task[None]) -> None:
        self._tasks.pop(task, None)
        error = None if task.cancelled() else task.exception()
        if error is not None:  # the store's: what would come next could not be kept
            self.failure = self.failure or error
            self.stop("store", str(error))
        self._stir()

    def _stir(self) -> None:
        self._room.set()
        self._stirred.set()

    def _done(
        self,
        position: int,
        outcome: RowOutcome,
        key: str | None = None,
        cost: float | None = None,
        origin: str = "made",
    ) -> None:
        row = row_of(
            outcome,
            parse=self._plan.parse,
            position=position,
            index=position if self._index is None else self._index[position],
            key=key,
            cost=cost,
            origin=origin,
        )
        self.ledger.note(row)
        self._ready.append(row)
        self._stirred.set()

    def _skip(self, job: RowJob) -> None:
        why = self.stopped[1] if self.stopped is not None else "the map was ended before it"
        self._done(job.position, RowOutcome(status="skipped", error=why))

    # --- ending ---

    def stop(self, cause: str, reason: str) -> None:
        """Begin no further row; what is on goes on, unless it is an abort."""
        before = None if self.stopped is None else self.stopped[0]
        if self.gone or before == "abort" or (before is not None and cause != "abort"):
            return
        self.stopped = (cause, reason)
        self.teller.stopped(cause, reason)
        self._desk.stop()
        if cause == "abort":
            for task in (self._feeder, *self._tasks):
                if task is not None:
                    task.cancel()
        self._stir()

    async def _end(self, outcome: str) -> None:
        """Nothing is left behind: no task, no claim, no open file."""
        try:
            await _whatever_happens(self._clear_up(outcome))
        finally:
            self.ended.set()

    async def _clear_up(self, outcome: str) -> None:
        await _stopped((self._feeder, *self._tasks))
        self._desk.close()
        if self.results is not None:
            await self.results.close()
            self._conclude(outcome)
        recording = self._recording
        await (self._bus.drain() if recording is None else recording.close())

    def _conclude(self, outcome: str) -> None:
        assert self.results is not None
        plan, purse = self._plan, self._desk.purse
        reason = self.stopped[1] if self.stopped is not None else None
        if outcome in ("cancelled", "aborted", "failed") and reason is None:
            reason = f"the map was {outcome}"
        self.result = MapResult(
            self.ledger,
            self.results,
            total=self._taken if plan.rows.total is None else plan.rows.total,
            index=self._index,
            parse=plan.parse,
            facts={
                "usage": purse.spent,
                "cost": purse.cost,
                "duration": self._clock.monotonic() - self.began,
                "stopped": reason,
            },
        )
        self.ledger.skipped = self.result.skipped
        self.gone = True
        self.teller.end(outcome, self.result, self.failure)


async def _outcome(submit: Callable[[], asyncio.Future[RowOutcome]]) -> RowOutcome:
    """What an executor makes of a row; cancelled, it is waited for, so that nothing goes on.

    A row that was finished in the moment of the cancelling is not lost.
    """
    try:
        future = submit()
    except Exception as error:  # the executor's own failure
        return _broken(error)
    try:
        await asyncio.wait({future})
    except asyncio.CancelledError:
        future.cancel()
        await _whatever_happens(asyncio.wait({future}))
        if future.cancelled() or future.exception() is not None:
            raise
    if future.cancelled():
        return RowOutcome(status="failed", error="the row was cancelled", error_type="Cancelled")
    failure = future.exception()
    if failure is None:
        return future.result()
    if not isinstance(failure, Exception):
        raise failure
    return _broken(failure)


def _broken(error: Exception) -> RowOutcome:
    """A row that the executor could not make, such as where a worker died."""
    told = redact_text(str(error)) or type(error).__name__
    return RowOutcome(status="failed", error=told, error_type=type(error).__name__)


async def _whatever_happens(coroutine: Coroutine[Any, Any, Any]) -> None:
    """Await this to its end, however often that is cancelled; the cancellation comes after."""
    task = asyncio.ensure_future(coroutine)
    again: asyncio.CancelledError | None = None
    while not task.done():
        try:
            await asyncio.wait({task})
        except asyncio.CancelledError as error:
            again = error
    task.result()
    if again is not None:
        raise again


async def _stopped(tasks: Iterable[asyncio.Task[Any] | None]) -> None:
    """Cancel these, and wait until they have ended."""
    on = {task for task in tasks if task is not None and not task.done()}
    for task in on:
        task.cancel()
    if on:
        await asyncio.wait(on)
