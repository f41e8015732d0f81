"""S76: the first success wins, and the others are over when it is told."""

from __future__ import annotations

import asyncio

import pytest

import l0
from l0.compose import TaskCancelledError, race
from l0.testing import ScriptedModel, fail, hang, stall


def failing(error):
    async def raise_it():
        raise error

    return raise_it


async def after(turns, value):
    for _ in range(turns):
        await asyncio.sleep(0)
    return value


async def test_s76_losers_are_cancelled_and_awaited_before_it_returns(clock):
    """Their connections are closed, no task is left."""
    losers = [ScriptedModel(["slow", hang()]) for _ in range(3)]
    before = asyncio.all_tasks()
    won = await race(
        [
            l0.run(losers[0], clock=clock),
            l0.run(losers[1], clock=clock),
            l0.run(ScriptedModel([stall(1), "quick"]), clock=clock),
            l0.run(losers[2], clock=clock),
        ]
    )
    assert (won.value, won.winner_index, won.errors) == ("quick", 2, [None] * 4)
    assert [model.closed for model in losers] == [[True]] * 3
    assert won.state.token_count == 1
    assert asyncio.all_tasks() == before


async def test_s76_a_loser_that_cleans_up_slowly_is_waited_for():
    """Nothing of it goes on behind the caller's back."""
    cleaned = []

    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            await after(5, None)
            cleaned.append(True)

    won = await race([slow, lambda: after(1, "won")])
    assert (won.value, cleaned) == ("won", [True])


async def test_s76_a_failure_does_not_end_the_race():
    """It is told to on_error, and stands in its place."""
    told, error = [], ValueError("no")
    tasks = [failing(error), failing(asyncio.CancelledError()), lambda: after(3, "won")]
    won = await race(tasks, on_error=lambda *args: told.append(args))
    assert (won.value, won.winner_index) == ("won", 2)
    assert won.errors[0] is error
    assert isinstance(won.errors[1], TaskCancelledError)
    assert told == [(error, 0), (won.errors[1], 1)]


async def test_s76_when_all_fail_every_cause_is_there():
    """In the order of the tasks, not of the failures."""
    first, second = ValueError("first"), KeyError("second")

    async def later():
        await after(3, None)
        raise first

    with pytest.raises(ExceptionGroup, match="every task of the race failed") as raised:
        await race([later, failing(second), failing(asyncio.CancelledError())])
    assert raised.value.exceptions[:2] == (first, second)
    assert isinstance(raised.value.exceptions[2], TaskCancelledError)


async def test_s76_cancelling_the_caller_leaves_no_task():
    """No upstream is left open."""
    models = [ScriptedModel(["a", hang()]) for _ in range(3)]
    before = asyncio.all_tasks()
    call = asyncio.create_task(race([l0.run(model) for model in models]))
    while not all(model.calls for model in models):
        await asyncio.sleep(0)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [model.closed for model in models] == [[True]] * 3
    assert asyncio.all_tasks() == before


async def test_s76_cancelling_the_caller_while_losers_end_waits_for_them():
    """Also then nothing is left, and the cancellation is not lost."""
    ended, release = [], asyncio.Event()

    async def slow():
        try:
            await asyncio.sleep(3600)
        finally:
            await release.wait()
            ended.append(True)

    call = asyncio.create_task(race([slow, lambda: after(1, "won")]))
    await after(10, None)
    call.cancel()
    await after(3, None)
    assert not call.done()
    release.set()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert ended == [True]


async def test_no_tasks_is_an_error():
    """Nobody can win."""
    with pytest.raises(ValueError, match="at least one task"):
        await race([])


async def test_the_first_in_line_wins_a_tie():
    """Two that are done at the same moment."""
    won = await race([lambda: after(1, "a"), lambda: after(1, "b")])
    assert (won.value, won.winner_index) == ("a", 0)


async def test_none_is_a_success():
    """What counts is that nothing was raised."""
    won = await race([failing(ValueError()), lambda: after(1, None)])
    assert (won.value, won.winner_index) == (None, 1)


async def test_a_callback_that_raises_changes_nothing():
    """As everywhere."""

    def broken(*_):
        raise RuntimeError("mine")

    won = await race([failing(ValueError()), lambda: after(1, "won")], on_error=broken)
    assert won.value == "won"


async def test_the_runs_of_a_race_say_so(clock):
    """Losers too: what was called off can be found in the log."""
    told = []
    models = [ScriptedModel(["slow", hang()]), ScriptedModel([fail(401)]), ScriptedModel(["a"])]
    runs = [l0.run(m, clock=clock, on_event=told.append) for m in models]
    won = await race(runs)
    starts = [e.payload.parent_id for e in told if e.type == "SESSION_START"]
    assert starts == [won.stream_id] * 3
    assert [run.outcome for run in runs] == ["cancelled", "failed", "completed"]
