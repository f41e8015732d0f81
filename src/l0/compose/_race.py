"""Several tasks for one answer: the first success wins, the others are called off."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from l0.compose._task import Children, Task, check_tasks
from l0.events import State


async def race(tasks: Iterable[Task], *, on_error: Callable[..., Any] | None = None) -> RaceResult:
    """Start all tasks and take the first success; the losers have ended when this returns.

    They are cancelled, which closes their connections, and awaited. A failure does not end the
    race. Cancelling the call cancels and awaits all of them.

    Args:
        tasks: functions without arguments that return an awaitable, or unstarted streams.
        on_error: called as `(error, index)` for each failure before the first success.

    Raises:
        ExceptionGroup: every task failed; it holds every failure, in the order of the tasks.
        TypeError: a task is none.
        ValueError: there are no tasks.

    Example:
        >>> import asyncio, l0
        >>> async def fail():
        ...     raise ConnectionResetError("gone")
        >>> won = asyncio.run(race([fail, l0.run(lambda: ["quick"])]))
        >>> won.value, won.winner_index
        ('quick', 1)
    """
    listed = check_tasks(tasks)
    if not listed:
        raise ValueError("race needs at least one task")
    errors: list[Exception | None] = [None] * len(listed)
    async with Children() as children:
        for task in listed:
            children.start(task)
        while (child := await children.next()) is not None:
            if child.ok:
                break
            assert isinstance(child.error, Exception)
            errors[child.index] = child.error
            children.call(on_error, child.error, child.index)
        else:
            failures = [error for error in errors if error is not None]
            raise ExceptionGroup("every task of the race failed", failures)
    return RaceResult(child.result, child.index, errors, child.state, children.stream_id)


@dataclass(frozen=True, slots=True)
class RaceResult:
    """Who won, and with what.

    `errors` stands in the order of the tasks, with the failures that came before the first success.
    `state` is the winner's, if it was a run; `stream_id` is what all the runs of the race carry as
    their `parent_id`.
    """

    value: Any
    winner_index: int
    errors: list[Exception | None]
    state: State | None = None
    stream_id: str = ""
