"""S25–S31, S90: how long a run waits for what."""

from __future__ import annotations

import asyncio
import contextvars
import math

import pytest

import l0
from l0.errors import ConnectTimeoutError, DeadlineError, InterTokenTimeoutError
from l0.stream import Retry, Timeout
from l0.testing import ScriptedModel, fail, hang, stall, tool

SIX_SECONDS = Timeout(initial_token=5, inter_token=10)


async def test_s25_no_first_token_in_time(play):
    """The timer fires when it says, the upstream is closed, and the call is tried again."""
    fired = []
    model = ScriptedModel([stall(6), "a"], ["a"])
    run = await play(model, timeout=SIX_SECONDS, on_timeout=lambda *args: fired.append(args))
    told = run.one("TIMEOUT_TRIGGERED")
    assert (told.timeout_type, told.configured_ms, told.elapsed_ms) == ("initial_token", 5000, 5000)
    assert fired == [("initial_token", 5000)]
    assert (run.state.content, model.closed) == ("a", [True, True])


async def test_s26_a_gap_that_is_too_long(play):
    """The error carries the partial text, and with continuation the retry resumes."""
    model = ScriptedModel(["a", stall(11), "b"], ["a", "b"])
    run = await play(model, timeout=SIX_SECONDS)
    (error,) = run.stream.errors
    assert isinstance(error, InterTokenTimeoutError)
    assert error.partial_text == "a"
    assert run.one("TIMEOUT_TRIGGERED").elapsed_ms == 10_000
    model = ScriptedModel(["one ", stall(11)], ["one ", "two"])
    run = await play(model, timeout=SIX_SECONDS, continuation=True)
    assert (run.tokens, run.state.content) == (["one ", "two"], "one two")


async def test_s27_a_factory_that_hangs_is_covered(play, clock):
    """The first token's timer starts before the factory is called."""

    async def slow():
        await clock.sleep(6)
        return ["late"]

    calls = iter([slow, lambda: ["a"]])
    run = await play(lambda: next(calls)(), timeout=SIX_SECONDS)
    assert run.state.content == "a"
    assert run.one("TIMEOUT_TRIGGERED").timeout_type == "initial_token"


async def test_s28_a_slow_consumer_never_times_out(clock):
    """Only time spent waiting for the upstream is charged."""
    stream = l0.run(
        ScriptedModel(["a", "b", stall(9), "c"]), timeout=SIX_SECONDS, clock=clock, retry=False
    )
    text = ""
    async for event in stream:
        text += event.text or ""
        await clock.sleep(20)
    assert text == "abc"


async def test_s29_tool_calls_are_signs_of_life(play):
    """The first one satisfies initial_token, each one the gap timer."""
    model = ScriptedModel([tool("1", "f"), stall(3), tool("2", "f"), stall(3)])
    run = await play(model, timeout=Timeout(initial_token=5, inter_token=5))
    assert run.error is None
    assert len(run.state.tool_calls) == 2


@pytest.mark.parametrize("value", [0, -1, math.inf, math.nan, True, "5"])
@pytest.mark.parametrize("name", ["connect", "initial_token", "inter_token", "total"])
def test_s30_zero_and_negative_are_value_errors(name, value):
    """The field is named; None switches it off."""
    with pytest.raises(ValueError, match=name):
        Timeout(**{name: value})


async def test_s30_none_is_off(play):
    """A hundred seconds of silence are fine without a limit."""
    run = await play(
        ScriptedModel([stall(100), "a", stall(100), "b"]),
        timeout=Timeout(initial_token=None, inter_token=None),
    )
    assert run.state.content == "ab"


@pytest.mark.parametrize("timeout", [None, Timeout()], ids=["without", "with"])
async def test_s31_the_upstream_runs_in_the_consumers_task(timeout):
    """Its context variables persist, and its own timeout fires on time."""
    variable = contextvars.ContextVar("variable", default=0)
    tasks = set()

    async def source():
        for _ in range(3):
            tasks.add(asyncio.current_task())
            variable.set(variable.get() + 1)
            yield str(variable.get())
        async with asyncio.timeout(0.001):
            await asyncio.sleep(5)

    stream = l0.run(source, timeout=timeout, retry=False)
    with pytest.raises(TimeoutError):
        await stream.read()
    assert stream.state.content == "123"
    assert tasks == {asyncio.current_task()}


async def test_s90_the_deadline_covers_everything(play, clock):
    """Attempts, back-off and fallbacks; nothing is retried after it."""
    model = ScriptedModel([stall(4), fail(ConnectionResetError("x"))], repeat_last=True)
    run = await play(
        model,
        retry=Retry(base_delay=1, backoff="fixed"),
        timeout=Timeout(initial_token=None, total=11),
    )
    assert isinstance(run.error, DeadlineError)
    assert (clock.now, model.calls) == (11, 3)
    assert run.types.count("ERROR") == 3


async def test_s90_a_delay_that_would_cross_the_deadline_is_not_slept(play, clock):
    """The run ends at once with the original error."""
    error = ConnectionResetError("x")
    run = await play(
        ScriptedModel([fail(error)]),
        retry=Retry(base_delay=30, backoff="fixed", network_max_delay=30),
        timeout=Timeout(total=10),
    )
    assert (run.error, clock.now) == (error, 0)


async def test_s90_a_slow_consumer_meets_the_deadline_at_its_next_pull(clock):
    """The consumer's time counts for the total."""
    stream = l0.run(ScriptedModel(["a", "b"]), timeout=Timeout(total=10), clock=clock)
    iterator = aiter(stream)
    assert (await anext(iterator)).text == "a"
    await clock.sleep(11)
    with pytest.raises(DeadlineError):
        await anext(iterator)


async def test_s90_connect_is_retried(play, clock):
    """connect=1 with a factory of 2 s."""

    async def slow():
        await clock.sleep(2)
        return ["late"]

    calls = iter([slow, lambda: ["a"]])
    run = await play(lambda: next(calls)(), timeout=Timeout(connect=1))
    assert isinstance(run.stream.errors[0], ConnectTimeoutError)
    assert (run.state.content, run.one("TIMEOUT_TRIGGERED").timeout_type) == ("a", "connect")


async def test_a_source_that_swallows_our_cancellation_still_ends(play):
    """It is stopped at its next item, and the connection closed."""

    async def stubborn():
        yield "a"
        try:
            await asyncio.sleep(3600)
        except asyncio.CancelledError:
            yield "b"
            yield "c"

    run = await play(stubborn, timeout=Timeout(inter_token=0.01), clock=None, retry=False)
    assert isinstance(run.error, InterTokenTimeoutError)


async def test_hanging_for_ever_ends_too(play, clock):
    """A model that never speaks again."""
    run = await play(ScriptedModel(["a", hang()], ["b"]), timeout=Timeout(inter_token=7))
    assert (run.state.content, clock.now) == ("b", 7)
