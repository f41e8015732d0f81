"""Every moment at which a run can be ended from outside: its story is told to the end, once."""

from __future__ import annotations

import asyncio
import gc

import pytest

import l0
from l0.errors import InterTokenTimeoutError, StreamAbortedError
from l0.stream import CheckIntervals, Retry, Timeout
from l0.testing import ScriptedModel, check_run, fail, hang, progress, stall, tool

NET = ConnectionResetError("gone")
EVERYTHING = {
    "retry": Retry(base_delay=0.0001),
    "continuation": True,
    "check_intervals": CheckIntervals(1, 1, 1),
    "guardrails": l0.Guardrails.recommended(),
    "drift": True,
    "timeout": Timeout(total=100, connect=3),
}


class Watched:
    """A model whose streams count how often they are opened, and closed."""

    def __init__(self, model):
        self.model, self.open, self.opened = model, 0, 0

    def __call__(self, info):
        assert self.open == 0, "the one before is closed first"
        self.open += 1
        self.opened += 1
        return _Stream(self, self.model(info))


class _Stream:
    def __init__(self, model, items):
        self.model, self.items = model, items

    def __aiter__(self):
        return self

    def __anext__(self):
        return anext(self.items)

    async def aclose(self):
        self.model.open -= 1
        await self.items.aclose()


def troubled():
    """A retry, a resume, a fresh start, a fallback: most of what can happen to a run."""
    return Watched(
        ScriptedModel(
            ["a ", "b ", tool("1", "f"), fail(NET)],
            ["x ", "y ", progress(3), fail(NET)],
            ["y ", "z ", fail(Exception("model"))],
            ["z ", stall(0.0001), "w"],
        )
    )


def started(model, **options):
    told = []
    return l0.run(model, on_event=told.append, **options), told


async def told_alone():
    stream, told = started(troubled(), **EVERYTHING)
    await stream.read()
    return [event.type for event in told]


async def test_an_abort_at_any_event_ends_the_run():
    """Whichever event's listener asks for it: nothing hangs, nothing is left open."""
    types = await told_alone()
    last = types.index("FINALIZATION_END")  # every check is passed
    for index in range(len(types)):
        told, streams, model = [], [], troubled()

        def listen(event, told=told, index=index, streams=streams):
            told.append(event)
            if len(told) == index + 1:
                streams[0].abort("enough")

        stream = l0.run(model, on_event=listen, **EVERYTHING)
        streams.append(stream)
        try:
            await asyncio.wait_for(stream.read(), 2)
        except StreamAbortedError:
            assert stream.state.aborted
        check_run(told)
        assert (stream.outcome == "completed") == (index >= last), types[index]
        assert model.open == 0
        assert asyncio.current_task().cancelling() == 0


async def test_a_cancellation_at_any_event_is_never_swallowed():
    """The task ends cancelled, the upstream closed, the story told."""
    types = await told_alone()
    for index in range(len(types)):
        told, tasks, model = [], [], troubled()

        def listen(event, told=told, index=index, tasks=tasks):
            told.append(event)
            if len(told) == index + 1:
                tasks[0].cancel()

        stream = l0.run(model, on_event=listen, **EVERYTHING)
        tasks.append(asyncio.create_task(stream.read()))
        await asyncio.wait(tasks)
        # With nothing left to wait for, the text is there before the cancellation arrives.
        assert tasks[0].cancelled() or stream.outcome == "completed"
        check_run(told)
        assert model.open == 0


@pytest.mark.parametrize("way", ["abort", "break", "aclose"])
async def test_a_consumer_may_leave_at_any_event(way):
    """Also at a restart, or between two events that came as one chunk."""
    stream, _ = started(troubled(), **EVERYTHING)
    count = len([event async for event in stream])
    for index in range(count):
        model, seen = troubled(), 0
        stream, told = started(model, **EVERYTHING)
        async with stream:
            async for _ in stream:
                seen += 1
                if seen == index + 1:
                    if way == "break":
                        break
                    if way == "abort":
                        stream.abort()
                    else:
                        await stream.aclose()
        assert seen == index + 1, way
        check_run(told)
        assert model.open == 0
        ended = "completed" if index == count - 1 else "aborted"
        assert stream.outcome == ended
        if ended == "aborted":
            (requested,) = [e.payload.source for e in told if e.type == "ABORT_REQUESTED"]
            assert requested == ("user" if way == "abort" else "exit")


async def test_an_abort_between_the_events_of_one_chunk():
    """The rest of the chunk is not handed over."""
    stream, told = started(lambda: [1], adapter=lambda _: ["x", "y", "z"])
    seen = []
    async for event in stream:
        seen.append(event.text)
        stream.abort()
    assert seen == ["x"]
    check_run(told)


async def test_a_source_that_aborts_its_own_run():
    """No cancellation of ours is left behind in the consumer's task."""
    streams = []

    async def source():
        yield "a"
        streams[0].abort()
        yield "b"
        await asyncio.sleep(0)
        yield "c"

    stream, told = started(source)
    streams.append(stream)
    seen = [event.text async for event in stream]
    assert "c" not in seen
    assert asyncio.current_task().cancelling() == 0
    await asyncio.sleep(0)
    check_run(told)
    assert stream.outcome == "aborted"


async def test_a_source_that_swallows_the_timeouts_cancellation_leaves_none_behind():
    """The task is as it was: an outer timeout or task group still works."""

    async def stubborn():
        yield "a"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            yield "b"
            yield "c"

    stream, told = started(stubborn, timeout=Timeout(inter_token=0.01), retry=False)
    async with asyncio.timeout(5):
        with pytest.raises(InterTokenTimeoutError):
            await stream.read()
        assert asyncio.current_task().cancelling() == 0
        await asyncio.sleep(0)
    check_run(told)


async def test_an_abort_that_meets_a_timeout_is_one_cancellation(clock):
    """Both fire while the same wait goes on."""
    stream, told = started(ScriptedModel(["a", hang()]), timeout=Timeout(inter_token=100))

    async def consume():
        try:
            await stream.read()
        finally:
            assert asyncio.current_task().cancelling() == 0

    task = asyncio.create_task(consume())
    for _ in range(5):
        await asyncio.sleep(0)
    stream._run.watch.interrupt("inter_token")
    stream.abort()
    with pytest.raises(StreamAbortedError):
        await task
    check_run(told)


async def test_an_abort_does_not_cut_the_closing_short():
    """The upstream's own clean-up runs to its end."""
    closed = []

    class Source:
        items = iter("a")

        def __aiter__(self):
            return self

        async def __anext__(self):
            for item in self.items:
                return item
            raise NET

        async def aclose(self):
            stream.abort()
            await asyncio.sleep(0.001)
            closed.append(True)

    stream, told = started(lambda: Source(), retry=Retry(base_delay=0))
    seen = [event.type async for event in stream]
    assert (seen, closed, stream.outcome) == (["token"], [True], "aborted")
    check_run(told)


async def test_read_fails_the_same_way_however_it_is_asked():
    """Inside `async with`, by iterating, by `anext`."""
    error = ValueError("no")
    async with l0.run(ScriptedModel([fail(error)]), retry=False) as stream:
        for ask in (stream.read, stream.read, lambda: anext(stream)):
            with pytest.raises(ValueError, match="no"):
                await ask()
        with pytest.raises(ValueError, match="no"):
            async for _ in stream:
                pass


async def test_an_iterator_that_was_never_used_leaves_the_stream_unstarted():
    """It can still be read."""
    model = ScriptedModel(["a"])
    stream = l0.run(model)
    iterator = aiter(stream)
    del iterator
    gc.collect()
    assert await asyncio.wait_for(stream.read(), 1) == "a"


async def test_left_before_its_start_it_never_starts():
    """`async with` around nothing, and `aclose`."""
    for leave in ("with", "aclose"):
        model = ScriptedModel(["a"])
        stream = l0.run(model)
        if leave == "with":
            async with stream:
                pass
        else:
            await stream.aclose()
        with pytest.raises(StreamAbortedError):
            await stream.read()
        assert model.calls == 0


async def test_closing_it_from_another_task_ends_the_one_that_waits():
    """`aclose` returns when the run has ended."""
    model = ScriptedModel(["a", hang()])
    stream, told = started(model)
    task = asyncio.create_task(stream.read())
    for _ in range(5):
        await asyncio.sleep(0)
    await stream.aclose()
    assert (stream.outcome, model.closed) == ("aborted", [True])
    with pytest.raises(StreamAbortedError):
        await task
    check_run(told)


@pytest.mark.parametrize("way", ["aclose", "with", "aclose after abort"])
@pytest.mark.parametrize("waits", [True, False], ids=["the run waits", "the consumer waits"])
async def test_a_coroutine_callback_may_close_its_own_stream(way, waits):
    """It asks for the end, which comes when the callback has ended: neither waits for the other."""
    model, left = ScriptedModel(["a", hang()]), asyncio.Event()

    async def leave(_text):
        if way == "with":
            async with stream:
                pass
        else:
            if way == "aclose after abort":
                stream.abort()
            await stream.aclose()
        left.set()

    stream = l0.run(model, on_token=leave)
    async with asyncio.timeout(4):  # less than callbacks are waited for
        async for _ in stream:
            if not waits:
                await left.wait()
    assert left.is_set()
    assert (stream.outcome, model.closed) == ("aborted", [True])
    with pytest.raises(StreamAbortedError):
        await stream.read()


async def test_reading_while_an_early_exit_is_still_closing(clock):
    """It waits for the end of the clean-up rather than turning in circles."""

    class Slow:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return "a"

        async def aclose(self):
            await clock.sleep(1)

    stream, told = started(lambda: Slow(), clock=clock)
    async for _ in stream:
        break
    with pytest.raises(StreamAbortedError):
        await stream.read()
    assert clock.now == 1
    check_run(told)


async def test_a_cancellation_while_callbacks_are_awaited_comes_after_the_story():
    """SESSION_END is told, and the cancellation goes on."""
    begun = asyncio.Event()

    async def slow(text):
        begun.set()
        await asyncio.sleep(0.01)

    stream, told = started(ScriptedModel(["a"]), on_token=slow)
    task = asyncio.create_task(stream.read())
    await begun.wait()
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    check_run(told)
    assert stream.outcome == "completed"


async def test_a_store_that_cannot_be_opened_is_an_error_every_time(tmp_path):
    """Said before anything is asked of the model, and never waited for."""
    model = ScriptedModel(["a"])
    stream = l0.run(model, event_store=f"nosuch://{tmp_path}")
    for _ in range(2):
        with pytest.raises(Exception, match="nosuch"):
            await asyncio.wait_for(stream.read(), 1)
    assert (model.calls, stream.outcome) == (0, "failed")


async def test_a_single_use_awaitable_that_is_never_awaited_leaves_no_warning():
    """An abort before the start closes it."""

    async def source():
        return ["a"]

    stream = l0.run(source())
    stream.abort()
    with pytest.raises(StreamAbortedError):
        await stream.read()
    gc.collect()


async def test_an_abort_after_the_loop_is_closed_has_no_effect():
    """From a thread that does not know that everything has ended."""
    streams = []

    def elsewhere():
        async def main():
            stream = l0.run(ScriptedModel(["a", hang()]))
            streams.append(stream)
            await anext(aiter(stream))

        asyncio.run(main())

    await asyncio.to_thread(elsewhere)
    streams[0].abort()
    assert streams[0].outcome in {"aborted", "cancelled"}


async def test_an_abort_beside_a_consumer_that_pulls_is_told_once():
    """Both find that the run has to be ended; one of them does it, the other waits."""
    closed = []

    class Slow:
        def __aiter__(self):
            return self

        async def __anext__(self):
            return "a"

        async def aclose(self):
            for _ in range(5):
                await asyncio.sleep(0)
            closed.append(True)

    for turns in range(4):
        closed.clear()
        stream, told = started(lambda: Slow())
        iterator = aiter(stream)
        await anext(iterator)
        stream.abort()
        for _ in range(turns):
            await asyncio.sleep(0)
        assert [event async for event in iterator] == []
        assert (closed, stream.outcome) == ([True], "aborted")
        check_run(told)
        assert [event.type for event in told].count("ABORT_REQUESTED") == 1
