"""S75: many tasks at once; each result and each failure in its place."""

from __future__ import annotations

import asyncio
import logging

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.compose import (
    AggregatedTelemetry,
    ParallelOptions,
    Skipped,
    TaskCancelledError,
    map_concurrent,
    parallel,
)
from l0.events import Usage
from l0.testing import ScriptedModel, end, fail, hang, stall

NET = ConnectionResetError("gone")


def giving(value):
    async def give():
        return value

    return give


def failing(error):
    async def raise_it():
        raise error

    return raise_it


async def until(condition):
    """Let the loop turn until it is so."""
    for _ in range(100):
        if condition():
            return
        await asyncio.sleep(0)
    raise AssertionError("it never came to that")


async def test_s75_each_result_and_failure_is_in_its_place():
    """A failure loses nobody else's result; a stray cancellation is a failure."""
    error = ValueError("no")
    tasks = [giving("a"), failing(error), failing(asyncio.CancelledError()), giving("d")]
    done = await parallel(tasks)
    assert done.results == ["a", None, None, "d"]
    assert list(done) == done.results
    assert done.errors[1] is error
    assert isinstance(done.errors[2], TaskCancelledError)
    assert (done.success_count, done.failure_count, done.skipped_count) == (2, 2, 0)
    assert not done.all_succeeded
    assert done.successful_results() == ["a", "d"]
    assert done.failures() == done.errors[1:3]


async def test_s75_fail_fast_cancels_what_runs_and_skips_the_rest():
    """The running ones have ended, and their connections are closed, when it returns."""
    slow, never = ScriptedModel(["a", hang()]), ScriptedModel(["never"])

    async def fail_later():
        await until(lambda: slow.calls)
        raise ValueError("no")

    tasks = [l0.run(slow), fail_later, l0.run(never), l0.run(never)]
    done = await parallel(tasks, concurrency=2, fail_fast=True)
    kinds = [TaskCancelledError, ValueError, Skipped, Skipped]
    assert [type(error) for error in done.errors] == kinds
    assert (done.failure_count, done.skipped_count, done.success_count) == (2, 2, 0)
    assert (slow.closed, never.calls) == ([True], 0)
    assert done.states[0].content == "a"
    assert done.results == [None] * 4


async def test_s75_fail_fast_keeps_what_was_done_before():
    """Also a success of the very moment of the failure."""
    tasks = [giving("a"), failing(ValueError("no")), giving("c"), giving("d")]
    done = await parallel(tasks, concurrency=3, fail_fast=True)
    assert done.results == ["a", None, "c", None]
    assert isinstance(done.errors[3], Skipped)


@pytest.mark.parametrize("concurrency", [0, -1, 1.5, True, "5"])
async def test_s75_concurrency_below_one_is_refused(concurrency):
    """Before anything is started."""
    with pytest.raises(ValueError, match="concurrency is a whole number, 1 or more"):
        await parallel([giving(1)], concurrency=concurrency)


async def test_s75_telemetry_adds_up(clock):
    """Tokens, retries, failures, usage and times of all runs; other tasks have none."""
    usage = Usage(input_tokens=3, output_tokens=2)
    models = [
        ScriptedModel([stall(1), "a", "b", stall(1), end(usage=usage)]),
        ScriptedModel([fail(NET)], [stall(2), "c", stall(2), end(usage=usage)]),
    ]
    runs = [l0.run(model, clock=clock, retry=l0.Retry(base_delay=0)) for model in models]
    silent = l0.run(ScriptedModel([stall(1), fail(401)]), clock=clock)
    done = await parallel([*runs, giving("plain"), silent])
    told = done.aggregated_telemetry
    assert done.states[2] is None
    assert (told.total_tokens, told.total_retries, told.total_network_errors) == (3, 1, 1)
    assert told.total_violations == 0
    assert told.usage == Usage(input_tokens=6, output_tokens=4, requests=2)
    assert told.total_duration == sum(run.state.duration for run in [*runs, silent]) > 0
    first, second = (run.state for run in runs)
    assert told.avg_tokens_per_second == (2 / first.duration + 1 / second.duration) / 2
    assert (
        told.avg_time_to_first_token == (first.time_to_first_token + second.time_to_first_token) / 2
    )


async def test_telemetry_of_nothing_is_empty():
    """No averages are made up."""
    told = (await parallel([giving(1)])).aggregated_telemetry
    assert told == AggregatedTelemetry()
    assert told.avg_tokens_per_second is None


async def test_s75_cancelling_the_caller_cancels_and_awaits_the_children():
    """No task is left, no upstream open, nothing more is started."""
    models = [ScriptedModel(["a", hang()]) for _ in range(5)]
    before = asyncio.all_tasks()
    call = asyncio.create_task(parallel([l0.run(m) for m in models], concurrency=3))
    await until(lambda: sum(m.calls for m in models) == 3)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert [m.closed for m in models] == [[True]] * 3 + [[]] * 2
    assert asyncio.all_tasks() == before


async def test_a_deadline_of_the_caller_leaves_nothing_behind():
    """`asyncio.timeout` around it is a cancellation like any other."""
    model = ScriptedModel(["a", hang()])
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.01):
            await parallel([l0.run(model)])
    assert model.closed == [True]


async def test_never_more_at_a_time_than_told():
    """And as many as told, as soon as a place is free."""
    running, most = 0, 0

    async def work():
        nonlocal running, most
        running += 1
        most = max(most, running)
        await asyncio.sleep(0)
        running -= 1

    assert (await parallel([work] * 20, concurrency=4)).all_succeeded
    assert most == 4


async def test_callbacks_are_told_of_each_end():
    """In the order in which tasks end; coroutine functions are awaited before it returns."""
    progress, told = [], []

    async def on_complete(result, index):
        await asyncio.sleep(0)
        told.append((result, index))

    error = ValueError("no")
    await parallel(
        [giving("a"), failing(error), giving("c")],
        concurrency=1,
        on_progress=lambda *args: progress.append(args),
        on_complete=on_complete,
        on_error=lambda *args: told.append(args),
    )
    assert progress == [(1, 3), (2, 3), (3, 3)]
    assert sorted(told, key=lambda each: each[1]) == [("a", 0), (error, 1), ("c", 2)]


async def test_a_callback_that_raises_changes_nothing(caplog):
    """It is logged."""

    def broken(*_):
        raise RuntimeError("mine")

    async def broken_too(*_):
        raise RuntimeError("mine too")

    with caplog.at_level(logging.DEBUG, "l0"):
        done = await parallel(
            [giving("a"), failing(ValueError("no"))],
            on_progress=broken,
            on_complete=broken_too,
            on_error=broken,
        )
    assert (done.results, done.failure_count) == (["a", None], 1)
    assert len([r for r in caplog.records if "failed" in r.message]) == 4


async def test_a_callback_that_hangs_ends_with_the_cancelled_call():
    """It is the call's, like its tasks."""
    before, hung = asyncio.all_tasks(), []

    async def hanging(*_):
        hung.append(True)
        await asyncio.sleep(3600)

    call = asyncio.create_task(parallel([giving(1)], on_progress=hanging))
    await until(lambda: hung)
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert asyncio.all_tasks() == before


async def test_options_are_a_value_and_keywords_win():
    """A callback that can't be called is refused at once."""
    options = ParallelOptions(concurrency=1, fail_fast=True)
    tasks = [failing(ValueError("no")), giving("b")]
    assert (await parallel(tasks, options)).skipped_count == 1
    assert (await parallel(tasks, options, fail_fast=False)).skipped_count == 0
    assert options.replace(concurrency=2).fail_fast
    with pytest.raises(TypeError, match="on_error is a function to call"):
        ParallelOptions(on_error="print")
    with pytest.raises(TypeError, match="options is a ParallelOptions"):
        await parallel(tasks, {"concurrency": 1})


async def test_no_tasks_is_no_failure():
    """There was nothing to do, and it is done."""
    done = await parallel([])
    assert (done.results, done.all_succeeded, len(done)) == ([], True, 0)


async def test_the_runs_of_a_call_say_so():
    """Every SESSION_START names the call."""
    told = []
    done = await parallel(
        [lambda: l0.run(lambda: ["a"], on_event=told.append) for _ in range(3)], concurrency=2
    )
    starts = [e.payload.parent_id for e in told if e.type == "SESSION_START"]
    assert starts == [done.stream_id] * 3


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "fail", "cancel", "wait"]), max_size=12),
    st.integers(1, 5),
    st.booleans(),
)
def test_every_task_is_accounted_for_once(kinds, concurrency, fail_fast):
    """As success, failure or skipped; results, errors and states have the length of the tasks."""

    async def play(kind, index):
        if kind == "wait":
            await asyncio.sleep(0)
        if kind == "fail":
            raise ValueError(index)
        if kind == "cancel":
            raise asyncio.CancelledError
        return index

    async def all_of_them():
        tasks = [lambda k=k, i=i: play(k, i) for i, k in enumerate(kinds)]
        return await parallel(tasks, concurrency=concurrency, fail_fast=fail_fast)

    done = asyncio.run(all_of_them())
    assert len(done.results) == len(done.errors) == len(done.states) == len(kinds)
    assert done.success_count + done.failure_count + done.skipped_count == len(kinds)
    for index, (kind, result, error) in enumerate(
        zip(kinds, done.results, done.errors, strict=True)
    ):
        if error is None:
            assert (kind in {"ok", "wait"}, result) == (True, index)
        elif not isinstance(error, Skipped):
            assert kind in {"fail", "cancel"} or fail_fast
    if not fail_fast:
        assert done.skipped_count == 0


# --- map_concurrent -----------------------------------------------------------------------------


async def test_map_concurrent_keeps_the_order_of_the_items():
    """Whatever the handler is: plain, a coroutine function, or one that opens a stream."""

    async def later(item):
        await asyncio.sleep(0)
        return item * 2

    assert (await map_concurrent(range(5), later, concurrency=2)).results == [0, 2, 4, 6, 8]
    assert (await map_concurrent("ab", str.upper)).results == ["A", "B"]
    done = await map_concurrent("ab", lambda item: l0.run(lambda: [item, "!"]))
    assert done.results == ["a!", "b!"]
    assert [state.token_count for state in done.states] == [2, 2]


async def test_map_concurrent_refuses_what_it_cannot_use():
    """Before anything is started."""
    with pytest.raises(ValueError, match="concurrency"):
        await map_concurrent([1], str, concurrency=0)
    with pytest.raises(TypeError, match="handler is a function"):
        await map_concurrent([1], "str")


async def test_map_concurrent_with_a_failing_item():
    """Its place is empty, its error is there."""
    done = await map_concurrent(["1", "x", "3"], int)
    assert done.results == [1, None, 3]
    assert isinstance(done.errors[1], ValueError)
