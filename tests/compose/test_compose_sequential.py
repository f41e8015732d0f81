"""One after another, and batch after batch: results in order, nothing lost to a failure."""

from __future__ import annotations

import asyncio
import pickle

import pytest

import l0
from l0.compose import PartialResultError, Skipped, batched, sequential
from l0.testing import ScriptedModel, hang


async def test_sequential_runs_one_at_a_time():
    """The next one begins when the one before has ended."""
    told = []

    def task(name):
        async def work():
            told.append(f"{name} begins")
            await asyncio.sleep(0)
            told.append(f"{name} ends")
            return name

        return work

    assert await sequential([task("a"), task("b")]) == ["a", "b"]
    assert told == ["a begins", "a ends", "b begins", "b ends"]


async def test_sequential_stops_at_a_failure_and_keeps_what_came_before():
    """The tasks after it may have needed it."""
    error, never = ValueError("no"), ScriptedModel(["never"])

    async def broken():
        raise error

    with pytest.raises(PartialResultError, match=r"task 1 failed: no \(1 of 3 failed, 1 were not"):
        await sequential([lambda: l0.run(lambda: ["a"]), broken, l0.run(never)])
    assert never.calls == 0
    with pytest.raises(PartialResultError) as raised:
        await sequential([lambda: l0.run(lambda: ["a"]), broken, l0.run(never)])
    failure = raised.value
    assert failure.result.results == ["a", None, None]
    assert isinstance(failure.result.errors[2], Skipped)
    assert failure.errors == [error]
    assert failure.__cause__ is error


async def test_a_partial_result_travels():
    """Pickled and unpickled, as every error of the library."""
    with pytest.raises(PartialResultError) as raised:
        await batched([1, "x"], int)
    again = pickle.loads(pickle.dumps(raised.value))
    assert again.result.results == [1, None]
    assert str(again) == str(raised.value)


async def test_batched_keeps_the_order_and_the_size():
    """A batch side by side, the next one after it."""
    running, most, progress = 0, 0, []

    async def work(item):
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1
        return item * 10

    done = await batched(range(7), work, 3, on_progress=lambda *args: progress.append(args))
    assert done == [0, 10, 20, 30, 40, 50, 60]
    assert most == 3
    assert progress == [(n, 7) for n in range(1, 8)]


async def test_a_batch_begins_when_the_one_before_has_ended():
    """Not as places come free: that is `parallel`."""
    gate, started = asyncio.Event(), []

    async def work(item):
        started.append(item)
        if item == 0:
            await gate.wait()
        return item

    call = asyncio.create_task(batched(range(4), work, 2))
    for _ in range(10):
        await asyncio.sleep(0)
    assert started == [0, 1]
    gate.set()
    assert await call == [0, 1, 2, 3]


async def test_a_failed_item_stops_nothing():
    """Every item is tried; what succeeded comes with the failure."""
    with pytest.raises(PartialResultError, match=r"item 1 failed: .*\(2 of 5 failed; `result`"):
        await batched(["1", "x", "3", "y", "5"], int, 2)
    with pytest.raises(PartialResultError) as raised:
        await batched(["1", "x", "3", "y", "5"], int, 2)
    assert raised.value.result.results == [1, None, 3, None, 5]
    assert len(raised.value.errors) == 2


@pytest.mark.parametrize("size", [0, -1, 2.0])
async def test_a_batch_has_at_least_one_item(size):
    """A size that makes no sense is refused."""
    with pytest.raises(ValueError, match="batch_size is a whole number"):
        await batched([1], str, size)


async def test_cancelling_a_batch_leaves_nothing_open():
    """Nothing more is started."""
    models = [ScriptedModel(["a", hang()]) for _ in range(4)]
    call = asyncio.create_task(batched(models, l0.run, 2))
    while not (models[0].calls and models[1].calls):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [model.closed for model in models] == [[True], [True], [], []]


async def test_nothing_to_do_is_done():
    """No items, no tasks."""
    assert await batched([], str) == []
    assert await sequential([]) == []
