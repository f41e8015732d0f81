"""RetryManager: the policy of a run for anything else that may fail."""

from __future__ import annotations

import asyncio
import random

import pytest

from l0.errors import DeadlineError, ZeroOutputError
from l0.stream import Retry, RetryManager
from l0.testing import http_error

NET = ConnectionResetError("gone")
MODEL = Exception("odd")


def answering(*answers):
    """A function that gives, or raises, one after the other; the last one again and again."""
    calls = []

    def ask():
        answer = answers[min(len(calls), len(answers) - 1)]
        calls.append(answer)
        if isinstance(answer, BaseException):
            raise answer
        return answer

    ask.calls = calls
    return ask


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_it_calls_until_it_succeeds(clock, kind):
    """Network and model errors have their own budgets and delays, as in a run."""
    ask, told = answering(NET, MODEL, NET, "fine"), []

    async def later():
        return ask()

    manager = RetryManager(Retry(attempts=1, base_delay=1, backoff="fixed"), clock=clock)
    result = await manager.execute(
        ask if kind == "plain" else later, on_retry=lambda *args: told.append((*args, clock.now))
    )
    assert (result, len(ask.calls), clock.now) == ("fine", 4, 3)
    assert told == [(1, "network_error", 0), (2, "model_error", 1), (3, "network_error", 2)]
    state = manager.get_state()
    assert (state.total_retries, state.model_retry_count, state.network_retry_count) == (3, 1, 2)
    assert manager.get_error_history() == [NET, MODEL, NET]


@pytest.mark.parametrize(
    ("make", "policy", "calls", "why"),
    [
        (lambda: Exception("odd"), Retry(attempts=2, base_delay=0), 3, "attempts_exhausted"),
        (
            lambda: ConnectionResetError("gone"),
            Retry(max_retries=4, base_delay=0),
            5,
            "max_retries_exhausted",
        ),
        (lambda: ZeroOutputError("x"), Retry(retry_on=["timeout"]), 1, "not_in_retry_on"),
        (
            lambda: ConnectionResetError("gone"),
            Retry(should_retry=lambda *args: False),
            1,
            "vetoed",
        ),
        (lambda: http_error(429, retry_after=500), Retry(), 1, "retry_after_too_long"),
        (lambda: http_error(401), Retry(), 1, None),
        (lambda: KeyError("typo"), Retry(), 1, None),
        (lambda: DeadlineError("late"), Retry(), 1, "halts"),
    ],
    ids=lambda value: value if isinstance(value, str) else None,
)
async def test_it_gives_up_as_a_run_does(clock, make, policy, calls, why):
    """With the error itself, and a note that says why."""
    error = make()
    ask = answering(error)
    with pytest.raises(type(error)) as raised:
        await RetryManager(policy, clock=clock).execute(ask)
    assert raised.value is error
    assert len(ask.calls) == calls
    notes = getattr(raised.value, "__notes__", [])
    assert any(why in note for note in notes) if why else not notes


async def test_retry_after_is_honoured(clock):
    """Above the policy's own cap."""
    ask = answering(http_error(429, retry_after=7), "fine")
    await RetryManager(Retry(max_delay=1), clock=clock).execute(ask)
    assert clock.now == 7


async def test_hooks_may_be_coroutines_and_may_fail(clock):
    """A failing veto vetoes, a failing delay is the default, a failing on_retry is nothing."""

    async def veto(error, state, attempt, category):
        return attempt < 3

    async def delay(context):
        if context.attempt == 1:
            raise RuntimeError("typo")
        return 5

    async def on_retry(attempt, reason):
        raise RuntimeError("typo")

    policy = Retry(base_delay=1, backoff="fixed", should_retry=veto, calculate_delay=delay)
    manager = RetryManager(policy, clock=clock)
    with pytest.raises(ConnectionResetError):
        await manager.execute(answering(ConnectionResetError("gone")), on_retry)
    assert clock.now == 6

    def broken(*args):
        raise RuntimeError("typo")

    with pytest.raises(ConnectionResetError):
        await RetryManager(Retry(should_retry=broken), clock=clock).execute(
            answering(ConnectionResetError("gone"))
        )
    with pytest.raises(TypeError, match="execute"):
        manager.should_retry(NET)
    with pytest.raises(TypeError, match="execute"):
        manager.get_delay(NET)
    assert not RetryManager(Retry(should_retry=broken)).should_retry(NET)
    assert (
        RetryManager(Retry(base_delay=1, backoff="fixed", calculate_delay=broken)).get_delay(MODEL)
        == 1
    )


async def test_a_manager_may_be_shared(clock):
    """Each call has its own budget."""
    manager = RetryManager(Retry(attempts=1, base_delay=1), clock=clock)
    asks = [answering(MODEL, number) for number in range(20)]
    assert await asyncio.gather(*(manager.execute(ask) for ask in asks)) == list(range(20))
    assert manager.get_state().total_retries == 20


async def test_a_cancellation_is_never_retried():
    """Neither in the call nor in the delay."""
    calls = []

    async def ask():
        calls.append(True)
        raise asyncio.CancelledError

    with pytest.raises(asyncio.CancelledError):
        await RetryManager().execute(ask)
    task = asyncio.create_task(RetryManager(Retry(base_delay=3600)).execute(answering(NET)))
    await asyncio.sleep(0.001)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert calls == [True]


async def test_by_hand(clock):
    """The parts, for a loop of one's own."""
    policy = Retry(attempts=2, base_delay=1, backoff="exponential", max_error_history=2)
    manager = RetryManager(policy, clock=clock)
    for expected in (1, 2):
        assert manager.should_retry(MODEL)
        assert manager.get_delay(MODEL) == expected
        await manager.wait(MODEL)
        manager.record_attempt(MODEL)
    assert clock.now == 3
    assert not manager.should_retry(MODEL)
    assert manager.should_retry(NET)
    assert not manager.should_retry(KeyError("typo"))
    manager.record_attempt(NET)
    assert manager.get_error_history() == [MODEL, NET]
    assert manager.get_state().last_error is NET
    assert manager.get_delay(http_error(503, retry_after=9)) == 9
    manager.reset()
    assert (manager.get_state().total_retries, manager.get_error_history()) == (0, [])
    assert manager.should_retry(MODEL)


async def test_equal_seeds_wait_equally_long():
    """Jitter comes from the random that was given."""
    first, again = (
        RetryManager(Retry(), random=random.Random(7).random).get_delay(MODEL) for _ in range(2)
    )
    assert first == again
    assert 0.5 <= first <= 1


async def test_an_error_of_an_earlier_call_is_not_the_context_of_a_later_one(clock):
    """Each stands for itself."""
    last = ValueError("last")
    with pytest.raises(ValueError, match="last"):
        await RetryManager(Retry(attempts=1, base_delay=0), clock=clock).execute(
            answering(MODEL, last)
        )
    assert last.__context__ is None


async def test_what_the_caller_is_handling_does_not_count(clock):
    """A second try inside `except` is judged by its own errors."""
    ask = answering(MODEL, MODEL, "fine")
    try:
        raise http_error(429, retry_after=7)
    except Exception:
        with pytest.raises(Exception, match="odd"):
            await RetryManager(Retry(attempts=1, base_delay=0), clock=clock).execute(ask)
    assert (len(ask.calls), clock.now) == (2, 0)
