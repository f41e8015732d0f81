"""S77: a pool's operations have their own fates, and the pool always comes to rest."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.compose import create_pool
from l0.errors import FatalGuardrailError, InitialTokenTimeoutError
from l0.stream import Retry
from l0.testing import ScriptedModel, fail, hang, stall


async def turns(count=5):
    for _ in range(count):
        await asyncio.sleep(0)


async def ended(*futures):
    """Wait without raising."""
    await asyncio.wait(futures)


async def test_s77_cancelling_one_future_affects_no_other():
    """Its connection is closed, its place is free for the next one."""
    first, second, third = (ScriptedModel(["a", hang()]) for _ in range(3))
    pool = create_pool(2)
    futures = [pool.execute(model) for model in (first, second, third)]
    await turns()
    assert (pool.get_active_workers(), pool.get_queue_length()) == (2, 1)
    futures[0].cancel()
    await turns()
    assert (first.closed, second.closed, third.calls) == ([True], [False], 1)
    assert not futures[1].done()
    await pool.shutdown(cancel=True)
    assert all(future.cancelled() for future in futures)
    assert (second.closed, third.closed) == ([True], [True])
    assert pool.get_stats().total_cancelled == 3


async def test_s77_a_future_cancelled_in_line_never_runs():
    """It is counted, and the others move up."""
    never = ScriptedModel(["never"])
    async with create_pool(1) as pool:
        first = pool.execute(lambda: ["a"])
        second, third = pool.execute(never), pool.execute(lambda: ["c"])
        second.cancel()
        assert (await first).content == "a"
        assert (await third).content == "c"
    stats = pool.get_stats()
    assert (never.calls, second.cancelled()) == (0, True)
    assert (stats.total_executed, stats.total_succeeded, stats.total_cancelled) == (3, 2, 1)


async def test_s77_drain_returns_when_operations_fail():
    """Whatever they fail with; a stray cancellation is a failure too."""

    def broken():
        raise KeyError("no")

    async def stray():
        raise asyncio.CancelledError

    pool = create_pool(2)
    futures = [pool.execute(each, retry=False) for each in (broken, stray, ScriptedModel())]
    await pool.drain()
    assert all(future.done() and not future.cancelled() for future in futures)
    assert [type(future.exception()).__name__ for future in futures] == [
        *("KeyError", "TaskCancelledError", "ScriptEnded")
    ]
    assert pool.get_stats().total_failed == 3
    assert (await pool.execute(lambda: ["a"])).content == "a"  # it goes on working


async def test_s77_stats_count_each_end_and_each_duration():
    """Failed operations took their time too."""

    async def slow_failure():
        await asyncio.sleep(0.002)
        raise ValueError("no")

    async with create_pool(3) as pool:
        good = pool.execute(lambda: ["a"])
        bad = pool.execute(slow_failure, retry=False)
        gone = pool.execute(ScriptedModel([hang()]))
        await ended(good, bad)
        before = pool.get_stats().total_duration
        gone.cancel()
    stats = pool.get_stats()
    assert isinstance(bad.exception(), ValueError)
    assert before >= 0.002
    assert stats.total_duration >= before
    assert (stats.total_executed, stats.total_succeeded) == (3, 1)
    assert (stats.total_failed, stats.total_cancelled) == (1, 1)


async def test_s77_more_work_during_a_drain_is_waited_for():
    """It was allowed, so it counts."""
    pool, late = create_pool(1), []

    async def first():
        late.append(pool.execute(lambda: ["late"]))
        yield "a"

    pool.execute(first)
    await pool.drain()
    assert late[0].done()
    assert late[0].result().content == "late"


async def test_s77_after_shutdown_nothing_is_taken():
    """Twice is as good as once; what was there has been done."""
    pool = create_pool(1)
    future = pool.execute(lambda: ["a"])
    await pool.shutdown()
    await pool.shutdown()
    assert future.result().content == "a"
    with pytest.raises(RuntimeError, match="was shut down"):
        pool.execute(lambda: ["b"])


async def test_s77_an_empty_pool_is_at_rest():
    """Nothing to wait for."""
    pool = create_pool()
    await pool.drain()
    await pool.shutdown(cancel=True)
    assert pool.get_stats().total_executed == 0


async def test_s77_cancelling_the_shutdown_leaves_nothing_behind():
    """Operations are cancelled and awaited; those in line are, too."""
    before = asyncio.all_tasks()
    models = [ScriptedModel(["a", hang()]) for _ in range(3)]
    pool = create_pool(2)
    futures = [pool.execute(model) for model in models]
    call = asyncio.create_task(pool.shutdown())
    await turns()
    call.cancel()
    with pytest.raises(asyncio.CancelledError):
        await call
    assert all(future.cancelled() for future in futures)
    assert [model.closed for model in models] == [[True], [True], []]
    assert asyncio.all_tasks() == before


async def test_several_tasks_may_be_cancelled_while_they_wait_for_the_end():
    """Each of them goes on when the operations have cleaned up, and not before."""
    cleaned = []

    async def slowly():
        try:
            yield "a"
            await asyncio.Event().wait()
        finally:
            for _ in range(5):
                await asyncio.sleep(0)
            cleaned.append(True)

    pool = create_pool(2)
    futures = [pool.execute(slowly) for _ in range(2)]
    ends = [asyncio.create_task(pool.shutdown()) for _ in range(3)]
    await asyncio.sleep(0.01)
    for end in ends:
        end.cancel()
    done, _ = await asyncio.wait(ends, timeout=5)
    assert len(done) == 3
    assert cleaned == [True, True]
    assert all(future.cancelled() for future in futures)


async def test_leaving_the_block_with_an_error_cancels_the_operations():
    """Without one it waits for them."""
    model = ScriptedModel(["a", hang()])
    with pytest.raises(ValueError, match="mine"):
        async with create_pool() as pool:
            future = pool.execute(model)
            await turns()
            raise ValueError("mine")
    assert (future.cancelled(), model.closed) == (True, [True])


async def test_a_cancelled_drain_does_not_end_the_operations():
    """Who only waits owns nothing."""
    going = asyncio.Event()

    async def work():
        await going.wait()
        return ["a"]

    pool = create_pool()
    future = pool.execute(work)
    call = asyncio.create_task(pool.drain())
    await turns()
    call.cancel()
    await asyncio.wait({call})
    going.set()
    await pool.drain()
    assert future.result().content == "a"


async def test_an_operation_that_waits_for_its_pool_fails():
    """It would wait for itself."""
    pool = create_pool()

    async def work():
        await pool.drain()
        return ["never"]

    future = pool.execute(work, retry=False)
    await pool.drain()
    assert isinstance(future.exception(), RuntimeError)
    assert "for itself" in str(future.exception())


async def test_what_is_shared_holds_where_nothing_else_is_given(clock):
    """Retry, timeout, guardrails and meta; an operation's own stand in their place."""
    rule = l0.custom_pattern_rule([r"bad"], "bad", "fatal")
    pool = create_pool(
        1,
        shared_retry=Retry(attempts=1, max_retries=1, base_delay=0),
        shared_timeout=l0.Timeout(initial_token=5),
        shared_guardrails=[rule],
        meta={"pool": "p", "kind": "shared"},
    )
    again = ScriptedModel([fail(ConnectionResetError())], repeat_last=True)
    once = ScriptedModel([fail(ConnectionResetError())])
    told = []
    options = {"clock": clock}
    futures = [
        pool.execute(again, **options),
        pool.execute(once, retry=False, **options),
        pool.execute(ScriptedModel([stall(9), "a"]), retry=False, **options),
        pool.execute(
            ScriptedModel([stall(9), "a"]), timeout=l0.Timeout(initial_token=20), **options
        ),
        pool.execute(ScriptedModel(["bad"]), **options),
        pool.execute(ScriptedModel(["bad"]), guardrails=[], **options),
        pool.execute(lambda: ["a"], meta={"kind": "own"}, on_event=told.append),
    ]
    await pool.drain()
    assert (again.calls, once.calls) == (2, 1)
    kinds = [type(future.exception()) for future in futures]
    assert kinds == [
        *(ConnectionResetError, ConnectionResetError, InitialTokenTimeoutError),
        *(type(None), FatalGuardrailError, type(None), type(None)),
    ]
    assert dict(told[0].meta) == {"pool": "p", "kind": "own"}


async def test_fallbacks_and_other_options_of_run_are_taken():
    """An unknown one is refused at once."""
    async with create_pool() as pool:
        future = pool.execute(
            ScriptedModel([fail(401)]), fallbacks=[lambda: ["from ", "the other"]], retry=False
        )
        assert (await future).content == "from the other"
        with pytest.raises(TypeError, match="did you mean timeout"):
            pool.execute(lambda: ["a"], timeouts=l0.Timeout())
        assert pool.get_stats().total_executed == 1


async def test_streams_and_options_have_their_own():
    """They are run as they are."""
    told = []
    async with create_pool(on_event=told.append) as pool:
        assert (await pool.execute(l0.run(lambda: ["a"]))).content == "a"
        assert (await pool.execute(l0.Options(lambda: ["b"]))).content == "b"
        with pytest.raises(TypeError, match="has its options already"):
            pool.execute(l0.run(lambda: ["a"]), retry=False)
    starts = [e for e in told if e.type == "SESSION_START"]
    assert [e.payload.parent_id for e in starts] == [pool.stream_id] * 2


async def test_every_operation_is_told_of():
    """By the pool's handler and by its own."""
    everything, own = [], []
    async with create_pool(on_event=everything.append) as pool:
        await pool.execute(lambda: ["a"], on_event=own.append)
        await pool.execute(lambda: ["b"])
    assert [e.type for e in everything].count("COMPLETE") == 2
    assert [e.type for e in own].count("COMPLETE") == 1


async def test_an_operation_runs_in_the_context_of_who_asked_for_it():
    """Not of the operation that made place for it."""
    import contextvars

    who = contextvars.ContextVar("who", default="nobody")

    async def ask(name):
        who.set(name)
        return await pool.execute(lambda: [who.get()])

    async with create_pool(1) as pool:
        states = await asyncio.gather(ask("a"), ask("b"), ask("c"))
    assert [state.content for state in states] == ["a", "b", "c"]


@pytest.mark.parametrize("count", [0, -1, 2.5, True])
def test_a_pool_has_at_least_one_worker(count):
    """A number that makes no sense is refused."""
    with pytest.raises(ValueError, match="worker_count is a whole number"):
        create_pool(count)


def test_a_shared_option_that_cannot_be_used_is_refused():
    """At once, not with the first operation."""
    with pytest.raises(TypeError, match="retry is a policy"):
        create_pool(shared_retry=3)
    with pytest.raises(TypeError, match="on_event is a function"):
        create_pool(on_event="print")


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from(["ok", "fail", "hang", "cancel", "cancel late"]), max_size=10),
    st.integers(1, 3),
)
def test_every_operation_comes_to_one_end(kinds, workers):
    """Succeeded, failed or cancelled: each once, however they are mixed; nothing is left."""

    async def play():
        before = asyncio.all_tasks()
        pool = create_pool(workers)
        scripts = {"ok": ["a"], "fail": [fail(401)]}
        models = [ScriptedModel(scripts.get(kind, ["a", hang()])) for kind in kinds]
        futures = [pool.execute(model) for model in models]
        for future, kind in zip(futures, kinds, strict=True):
            if kind == "cancel":
                future.cancel()
        await turns(2)
        for future, kind in zip(futures, kinds, strict=True):
            if kind == "cancel late":
                future.cancel()
        await turns(3)
        await pool.shutdown(cancel=True)
        for future in futures:
            assert future.done()
            assert future.cancelled() or future.exception() or future.result().completed
        assert all(all(model.closed) for model in models)
        assert asyncio.all_tasks() == before
        return pool.get_stats()

    stats = asyncio.run(play())
    assert stats.total_executed == len(kinds)
    assert stats.total_succeeded <= kinds.count("ok")
    assert stats.total_failed <= kinds.count("fail")
