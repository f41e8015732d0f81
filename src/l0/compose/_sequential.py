"""One task after another, for as long as they succeed."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from l0.compose._parallel import ParallelOptions, ParallelResult, PartialResultError, gather
from l0.compose._task import Task, check_tasks


async def sequential(tasks: Iterable[Task]) -> list[Any]:
    """Run tasks one after another and give their results in order; a failure ends the row.

    Raises:
        PartialResultError: a task failed; its `result` has what came before, the failure is its
            `__cause__`, the tasks after it were not started.
        TypeError: a task is none.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(sequential([l0.run(lambda: ["a"]), lambda: asyncio.sleep(0, "b")]))
        ['a', 'b']
    """
    settings = ParallelOptions(concurrency=1, fail_fast=True)
    return results_of(await gather(check_tasks(tasks), settings), "task")


def results_of(done: ParallelResult, what: str) -> list[Any]:
    """The results, if there is one for everything.

    Raises:
        PartialResultError: something failed.
    """
    failures = done.failures()
    if not failures:
        return done.results
    first = next(i for i, error in enumerate(done.errors) if error is failures[0])
    skipped = f", {done.skipped_count} were not started" if done.skipped_count else ""
    raise PartialResultError(
        f"{what} {first} failed: {failures[0]} ({len(failures)} of {len(done)} failed{skipped}; "
        "`result` holds the others' results)",
        result=done,
    ) from failures[0]
