"""S59–S63: every way out closes the upstream, and leaves nothing behind."""

from __future__ import annotations

import asyncio
import gc
import random
import threading

import pytest

import l0
from l0.errors import StreamAbortedError
from l0.stream import Retry
from l0.testing import ScriptedModel, check_run, fail, hang, stall

NET = ConnectionResetError("gone")


def started(model, clock=None, **options):
    told = []
    return l0.run(model, clock=clock, on_event=told.append, **options), told


async def turns(n=5):
    for _ in range(n):
        await asyncio.sleep(0)


def types(told):
    return [event.type for event in told]


async def test_s59_abort_while_waiting(clock):
    """Iteration ends within a loop turn, the upstream is closed, read() raises."""
    aborted = []
    model = ScriptedModel(["a", hang()])
    stream, told = started(model, on_abort=lambda *args: aborted.append(args))
    seen = []

    async def consume():
        async for event in stream:
            seen.append(event.text)

    task = asyncio.create_task(consume())
    await turns()
    stream.abort("enough")
    await turns(2)  # the task is woken in the next turn, and ends in it
    assert task.done()
    await task
    assert (seen, model.closed, aborted) == (["a"], [True], [(1, 1)])
    assert stream.state.aborted
    assert not stream.state.completed
    requested = next(e.payload for e in told if e.type == "ABORT_REQUESTED")
    assert (requested.source, requested.reason) == ("user", "enough")
    assert types(told).index("ABORT_COMPLETED") == types(told).index("ABORT_REQUESTED") + 1
    assert "RETRY_START" not in types(told)
    check_run(told)
    for _ in range(2):
        with pytest.raises(StreamAbortedError, match="enough") as raised:
            await stream.read()
    assert raised.value.partial_text == "a"


async def test_s60_abort_in_a_back_off(clock):
    """At once."""
    stream, told = started(ScriptedModel([fail(NET)]), retry=Retry(base_delay=3600))
    task = asyncio.create_task(stream.read())
    await turns()
    assert "RETRY_ATTEMPT" in types(told)
    stream.abort()
    with pytest.raises(StreamAbortedError):
        await asyncio.wait_for(task, 1)
    check_run(told)


async def test_s60_abort_before_first_use_after_the_end_and_twice(clock):
    """Honoured, without effect, once."""
    model = ScriptedModel(["a"])
    stream, told = started(model, clock)
    stream.abort()
    stream.abort()
    with pytest.raises(StreamAbortedError):
        await stream.read()
    assert model.calls == 0
    assert types(told).count("ABORT_REQUESTED") == 1
    check_run(told)
    stream, told = started(ScriptedModel(["a"]), clock)
    assert await stream.read() == "a"
    stream.abort()
    assert (await stream.read(), stream.state.aborted) == ("a", False)


async def test_abort_from_another_thread(clock):
    """It reaches a run that waits on its own loop."""
    model = ScriptedModel(["a", hang()])
    stream, told = started(model)
    task = asyncio.create_task(stream.read())
    await turns()
    thread = threading.Thread(target=stream.abort)
    thread.start()
    with pytest.raises(StreamAbortedError):
        await asyncio.wait_for(task, 1)
    thread.join()
    assert model.closed == [True]


async def test_abort_while_the_consumer_holds_a_token(clock):
    """The upstream is closed though nobody pulls; the next pull ends the iteration."""
    model = ScriptedModel(["a", "b"])
    stream, told = started(model, clock)
    iterator = aiter(stream)
    await anext(iterator)
    stream.abort()
    await turns(10)
    assert model.closed == [True]
    assert stream.outcome == "aborted"
    assert [e async for e in iterator] == []
    check_run(told)


async def test_s61_leaving_async_with(clock):
    """Early: aborted with source exit. After the end: nothing changes."""
    model = ScriptedModel(["a", "b"])
    stream, told = started(model, clock)
    async with stream:
        async for _ in stream:
            break
    assert model.closed == [True]
    requested = next(e.payload for e in told if e.type == "ABORT_REQUESTED")
    assert requested.source == "exit"
    check_run(told)
    aborted = []
    stream, told = started(ScriptedModel(["a"]), clock, on_abort=lambda *a: aborted.append(a))
    async with stream:
        await stream.read()
    assert (stream.state.aborted, aborted) == (False, [])


async def test_a_bare_break_closes_the_upstream_at_once(clock):
    """Though the stream is still referenced: the loop alone owned it."""
    model = ScriptedModel(["a", "b"])
    stream, told = started(model, clock)
    async for _ in stream:
        break
    await turns(10)
    assert model.closed == [True]
    assert stream.outcome == "aborted"
    check_run(told)
    with pytest.raises(StreamAbortedError):
        await stream.read()


@pytest.mark.parametrize("place", ["factory", "first token", "between tokens", "back-off"])
async def test_s62_cancelling_the_consumer(place):
    """CancelledError propagates, the upstream is closed, nothing is retried, no task is left."""
    before = asyncio.all_tasks()
    errors = []

    async def never():
        await asyncio.sleep(3600)

    model = {
        "factory": never,
        "first token": ScriptedModel([hang()]),
        "between tokens": ScriptedModel(["a", hang()]),
        "back-off": ScriptedModel([fail(NET)]),
    }[place]
    stream, told = started(
        model, retry=Retry(base_delay=3600), on_error=lambda *args: errors.append(args)
    )
    task = asyncio.create_task(stream.read())
    await turns()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert stream.outcome == "cancelled"
    assert len(errors) == (place == "back-off")
    if isinstance(model, ScriptedModel):
        assert all(model.closed)
    check_run(told)
    gc.collect()
    assert asyncio.all_tasks() == before


async def test_s63_a_cancellation_of_the_upstreams_own_is_not_swallowed(clock):
    """It is not ours, so it goes on."""
    stream, told = started(ScriptedModel(["a", fail(asyncio.CancelledError())]), clock)
    with pytest.raises(asyncio.CancelledError):
        await stream.read()
    check_run(told)


async def test_a_cancel_that_coincides_with_a_timeout_stays_a_cancel():
    """In either order."""
    for first in ("cancel", "timeout"):
        stream, _ = started(ScriptedModel(["a", hang()]), timeout=l0.Timeout(inter_token=100))
        task = asyncio.create_task(stream.read())
        await turns()
        acts = {
            "cancel": task.cancel,
            "timeout": lambda stream=stream: stream._run.watch.interrupt("inter_token"),
        }
        acts[first]()
        acts["timeout" if first == "cancel" else "cancel"]()
        with pytest.raises(asyncio.CancelledError):
            await task


async def test_an_upstream_that_does_not_close_is_left_after_two_seconds(clock, caplog):
    """The run ends all the same."""

    class Sticky:
        def __aiter__(self):
            return self

        async def __anext__(self):
            raise StopAsyncIteration

        async def aclose(self):
            await clock.sleep(3600)

    stream, told = started(lambda: Sticky(), clock, detect_zero_output=False)
    assert await stream.read() == ""
    assert clock.now == 2
    check_run(told)


class Managed:
    """A context manager and the stream it gives; either does as it is told when it is closed."""

    def __init__(self, closing, leaving):
        self.closing, self.leaving = closing, leaving

    async def __aenter__(self):
        return _Given(self.closing)

    async def __aexit__(self, *exc):
        await self.leaving()


class _Given:
    def __init__(self, closing):
        self.aclose = closing

    def __aiter__(self):
        return self

    async def __anext__(self):
        raise StopAsyncIteration


async def test_what_sticks_beside_it_gets_no_time_of_its_own(clock):
    """Two seconds are for all of it; what is left by then is begun, so that it can let go."""
    begun = []

    async def stick():
        begun.append(clock.now)
        await clock.sleep(3600)

    stream, told = started(lambda: Managed(stick, stick), clock, detect_zero_output=False)
    assert await stream.read() == ""
    assert clock.now == 2
    assert begun == [0, 2]
    check_run(told)


async def test_a_cancellation_is_not_lost_in_an_upstream_that_fails_to_close(clock):
    """It comes while the context manager is left, after the stream's own close has failed."""
    leaving, left = asyncio.Event(), []

    async def fail_to_close():
        raise OSError("the socket is gone already")

    async def leave():
        leaving.set()
        try:
            await asyncio.Event().wait()
        finally:
            left.append(True)

    stream, told = started(lambda: Managed(fail_to_close, leave), clock, detect_zero_output=False)
    task = asyncio.create_task(stream.read())
    await leaving.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (left, stream.outcome) == ([True], "cancelled")
    check_run(told)


async def test_a_cancellation_while_closing_leaves_nothing_open(clock):
    """What is not closed yet is closed all the same, and then the cancellation goes on its way."""
    closing, left = asyncio.Event(), []

    async def stick():
        closing.set()
        await asyncio.Event().wait()

    async def leave():
        await asyncio.sleep(0)
        left.append(True)

    stream, told = started(lambda: Managed(stick, leave), clock, detect_zero_output=False)
    task = asyncio.create_task(stream.read())
    await closing.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert (left, stream.outcome) == ([True], "cancelled")
    check_run(told)


async def test_closing_happens_on_every_way_out(clock):
    """End, error, retry, fallback, read after it: each upstream closed before the next opens."""
    order = []

    def source(name, *items):
        class Source:
            def __aiter__(self):
                return self.items()

            async def items(self):
                for item in items:
                    if isinstance(item, Exception):
                        raise item
                    yield item

            async def close(self):
                order.append(f"closed {name}")

        def factory():
            order.append(f"opened {name}")
            return Source()

        return factory

    calls = iter([source("one", "a", NET), source("two", NET)])
    stream, told = started(
        lambda: next(calls)(),
        clock,
        fallbacks=[source("three", "ok")],
        retry=Retry(max_retries=1, base_delay=0),
    )
    assert await stream.read() == "ok"
    names = ("one", "two", "three")
    assert order == [f"{act} {name}" for name in names for act in ("opened", "closed")]


async def test_a_thousand_runs_aborted_at_random_moments_leave_nothing():
    """No task, no timer that fires, no thread, every upstream closed."""
    rng = random.Random(7)
    tasks, threads = asyncio.all_tasks(), threading.active_count()
    models, streams = [], []

    async def one(index):
        model = ScriptedModel(
            ["a", stall(0.001), "b", "c", fail(NET)], [stall(0.002), "d", stall(0.01), "e"]
        )
        stream = l0.run(
            model,
            timeout=l0.Timeout(),
            retry=Retry(base_delay=0.001),
            continuation=index % 2 == 0,
        )
        models.append(model)
        streams.append(stream)
        asyncio.get_running_loop().call_later(rng.random() * 0.1, stream.abort)
        try:
            await stream.read()
        except StreamAbortedError:
            return "aborted"
        return "completed"

    for _ in range(10):
        outcomes = await asyncio.gather(*(one(i) for i in range(100)))
        assert set(outcomes) <= {"aborted", "completed"}
    assert {stream.outcome for stream in streams} == {"aborted", "completed"}
    assert all(closed for model in models for closed in model.closed)
    assert asyncio.all_tasks() == tasks
    assert threading.active_count() == threads
