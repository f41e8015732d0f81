"""Where the rows of a map are made: here by default, elsewhere by whoever keeps the protocol."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any, Protocol, TypeAlias, runtime_checkable

import msgspec

from l0.events import Usage


class RowJob(msgspec.Struct, frozen=True):
    """One row to be made: all that is needed to make it, as data.

    `position` counts rows from 0, `key` is the hash it is stored under, `size` the bytes of the
    prompt, `map_id` the `stream_id` of the map.
    """

    position: int
    key: str
    prompt: Any
    size: int = 0
    map_id: str = ""


class AttemptReport(msgspec.Struct, frozen=True):
    """What came of one request: what it took, which model it was, how it failed.

    `model` is what the model called itself, None if it didn't come to that; `fallback_index` says
    which of the chain it was.

    `answered` says that the provider was there, whatever it said; `retry_after` the seconds it
    asked to wait; `account` that the account is the trouble, so that no other request can do
    better.
    """

    usage: Usage
    model: str | None = None
    fallback_index: int = 0
    error: str | None = None
    answered: bool = True
    rate_limited: bool = False
    retry_after: float | None = None
    account: bool = False


class RowOutcome(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a row: its text and data, or its error; times in Unix seconds.

    `status` is "ok" or "failed"; `json` is what `data` was validated from where `text` had to be
    repaired; `usage` counts every attempt, failed ones included.
    """

    status: str
    text: str | None = None
    json: str | None = None
    data: Any = None
    error: str | None = None
    error_type: str | None = None
    attempts: int = 0
    usage: Usage = Usage()
    model: str | None = None
    finish_reason: str | None = None
    started: float | None = None
    ended: float | None = None


@runtime_checkable
class Desk(Protocol):
    """Whom a row asks and tells while it is made; there is one for the whole map.

    The first request of a row is funded and admitted before it is submitted.
    """

    async def fund(self, job: RowJob) -> bool:
        """Set aside what another request of the row may take; False: the budget lacks it."""

    async def admit(self, job: RowJob) -> None:
        """Wait until the limits let another request of the row out."""

    def accepted(self, job: RowJob) -> None:
        """The provider has taken a request of the row: it is no 429, an answer is on its way."""

    def report(self, job: RowJob, report: AttemptReport) -> None:
        """A request of the row has ended."""


Work: TypeAlias = Callable[[RowJob, Desk], Awaitable[RowOutcome]]


@runtime_checkable
class Executor(Protocol):
    """Where rows are made: `map(executor=…)` takes anything with this one method.

    `work` is a picklable value if the model, the options and the schema are; a `RowJob`, an
    `AttemptReport` and a `RowOutcome` are plain data. An executor that makes rows in other
    processes or on other machines calls `await work(job, desk)` there, with a desk that hands its
    four calls on to the one it was given.
    """

    def submit(self, work: Work, job: RowJob, desk: Desk) -> asyncio.Future[RowOutcome]:
        """Begin a row; called on the map's event loop.

        Cancelling the future ends the row; it is done only when nothing of the row goes on any
        more. An exception in it is a failure of the executor, such as a worker that died: the row
        counts as failed.
        """


class LocalExecutor:
    """Makes rows as tasks of the running event loop; the default.

    Example:
        >>> import l0
        >>> rows = l0.compose.map(
        ...     ["a", "b"], "Say {text}", lambda prompt: [prompt],
        ...     store=False, executor=LocalExecutor(),
        ... )
        >>> l0.run_sync(rows).texts
        ['Say a', 'Say b']
    """

    def submit(self, work: Work, job: RowJob, desk: Desk) -> asyncio.Future[RowOutcome]:
        """Begin a row as a task."""
        return asyncio.ensure_future(work(job, desk))
