"""Items in batches: a batch side by side, one batch after another."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any

from l0.compose._parallel import (
    ParallelOptions,
    ParallelResult,
    blank,
    tasks_for,
    whole_number,
    write_down,
)
from l0.compose._sequential import results_of
from l0.compose._task import Children
from l0.events import SYSTEM_CLOCK


async def batched(
    items: Iterable[Any],
    handler: Callable[[Any], Any],
    batch_size: int = 10,
    *,
    on_progress: Callable[..., Any] | None = None,
) -> list[Any]:
    """Call a function for each item, a batch at a time; gives the results in the items' order.

    The next batch begins when the one before has ended. A failure stops nothing: every item is
    tried, and the failures are reported together at the end.

    Args:
        items: what it is called with.
        handler: sync or async; a stream it returns is read.
        batch_size: how many at a time.
        on_progress: called as `(ended, total)` whenever an item is done.

    Raises:
        PartialResultError: items failed; its `result` has the results of the others.
        ValueError: `batch_size` is no whole number, 1 or more.

    Example:
        >>> import asyncio, l0
        >>> asyncio.run(batched(["a", "b", "c"], lambda word: l0.run(lambda: [word.upper()]), 2))
        ['A', 'B', 'C']
    """
    whole_number("batch_size", batch_size)
    ParallelOptions(on_progress=on_progress)
    tasks, began = tasks_for(items, handler), SYSTEM_CLOCK.monotonic()
    total, ended = len(tasks), 0
    results, errors, states = blank(total)
    async with Children() as children:
        for first in range(0, total, batch_size):
            for index in range(first, min(first + batch_size, total)):
                children.start(tasks[index], index)
            while (child := await children.next()) is not None:
                ended += 1
                write_down(child, results, errors, states)
                children.call(on_progress, ended, total)
    took = SYSTEM_CLOCK.monotonic() - began
    done = ParallelResult(results, errors, states, took, children.stream_id)
    return results_of(done, "item")
