"""The rate limits are kept in every minute, and concurrency finds what the provider bears."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.compose._limits import Concurrency, Limiter, Limits, Throttle
from l0.testing import VirtualClock


@pytest.mark.parametrize(
    "fields",
    [
        {"requests_per_minute": 0},
        {"requests_per_minute": "60"},
        {"tokens_per_minute": float("inf")},
        {"tokens_per_minute": True},
        {"burst": -1},
        {"burst": 31},
    ],
)
def test_limits_that_make_no_sense_are_named(fields):
    with pytest.raises(ValueError, match=f"Limits.{next(iter(fields))}"):
        Limits(**fields)


@pytest.mark.parametrize("fields", [{"start": 0}, {"maximum": 1.5}, {"minimum": 9, "maximum": 8}])
def test_a_concurrency_that_makes_no_sense_is_named(fields):
    with pytest.raises(ValueError, match=r"Concurrency\.(maximum|minimum|start)"):
        Concurrency(**fields)


def most_in_a_minute(times):
    return max(sum(at <= other < at + 60 for other in times) for at in times)


async def times_of(limits, count, tokens=0, clock=None):
    """When so many requests that are all asked for at once go out."""
    clock = clock or VirtualClock()
    limiter, times = Limiter(limits, clock), []

    async def ask():
        await limiter.acquire(tokens)
        times.append(clock.now)

    await asyncio.gather(*(ask() for _ in range(count)))
    return times


@given(
    per_minute=st.integers(1, 400),
    burst=st.floats(0, 30),
    count=st.integers(1, 60),
    gaps=st.lists(st.floats(0, 40), max_size=6),
)
@settings(max_examples=60, deadline=None)
def test_no_minute_holds_more_requests_than_the_limit(per_minute, burst, count, gaps):
    """Whatever the burst, and however the requests come."""

    async def run():
        clock = VirtualClock()
        limiter, times = Limiter(Limits(per_minute, burst=burst), clock), []

        async def ask():
            await limiter.acquire()
            times.append(clock.now)

        asked = [asyncio.create_task(ask()) for _ in range(count)]
        for gap in gaps:
            await clock.sleep(gap)
            asked += [asyncio.create_task(ask()) for _ in range(count)]
        await asyncio.gather(*asked)
        return times

    times = asyncio.run(run())
    assert most_in_a_minute(times) <= per_minute


async def test_the_limit_is_used_nearly_to_the_full():
    times = await times_of(Limits(requests_per_minute=600), 3000)
    assert most_in_a_minute(times) <= 600
    assert times[-1] < 5 * 60 * 1.05


async def test_tokens_are_limited_beside_requests():
    times = await times_of(Limits(6000, tokens_per_minute=60_000), 300, tokens=1000)
    assert most_in_a_minute(times) <= 60
    assert times[-1] < 5 * 60 * 1.1


async def test_a_request_larger_than_the_limit_goes_out_alone():
    """It could never fit; the provider is the one to say so."""
    times = await times_of(Limits(tokens_per_minute=100), 2, tokens=500)
    assert times[0] == 0
    assert times[1] > 200


async def test_an_estimate_is_corrected_by_what_was_used():
    clock = VirtualClock()
    limiter = Limiter(Limits(tokens_per_minute=6000), clock)
    await limiter.acquire(3000)
    waiting = asyncio.create_task(limiter.acquire(100))
    await asyncio.sleep(0)
    limiter.returned(3000, 50)  # the answer was short
    await waiting
    assert clock.now < 1
    limiter.returned(100, 6000)  # this one was long
    await limiter.acquire(100)
    assert clock.now > 50


async def test_a_row_that_has_begun_goes_before_new_ones():
    clock = VirtualClock()
    limiter, order = Limiter(Limits(requests_per_minute=60), clock), []

    async def ask(name, *, begun=False):
        await limiter.acquire(begun=begun)
        order.append(name)

    tasks = [asyncio.create_task(ask(name)) for name in "abc"]
    await asyncio.sleep(0)
    tasks.append(asyncio.create_task(ask("begun", begun=True)))
    await asyncio.gather(*tasks)
    assert order == ["a", "begun", "b", "c"]


async def test_a_pause_holds_everyone_and_is_never_cut_short():
    clock = VirtualClock()
    limiter = Limiter(Limits(), clock)
    limiter.pause(20)
    limiter.pause(5)
    await asyncio.gather(limiter.acquire(), limiter.acquire(begun=True))
    assert clock.now == 20


async def test_who_gives_up_waiting_holds_nobody_up():
    clock = VirtualClock()
    limiter = Limiter(Limits(requests_per_minute=1), clock)
    await limiter.acquire()
    first, second = (asyncio.create_task(limiter.acquire()) for _ in range(2))
    await asyncio.sleep(0)
    first.cancel()
    await second
    assert first.cancelled()
    assert 60 <= clock.now < 62


# --- concurrency --------------------------------------------------------------------------------


def test_concurrency_doubles_a_round_until_the_first_429():
    throttle = Throttle(Concurrency(start=4, maximum=100))
    for _ in range(4):
        throttle.answered(0.0, well=True, busy=True)
    assert throttle.limit == 8
    for _ in range(8):
        throttle.answered(0.0, well=True, busy=True)
    assert throttle.limit == 16


def test_a_429_halves_it_once_a_round_and_then_it_grows_by_one():
    throttle = Throttle(Concurrency(start=16))
    assert throttle.refused(started=0.0, now=1.0, busy=True) == 0.25
    assert throttle.limit == 8
    for _ in range(7):  # of the same round: they had gone out before the cut
        assert throttle.refused(started=0.5, now=1.2, busy=True) is None
    assert throttle.limit == 8
    for _ in range(9):
        throttle.answered(2.0, well=True, busy=True)
    assert throttle.limit == 9
    assert throttle.refused(started=2.0, now=3.0, busy=True) == 0.25
    assert throttle.limit == 7  # it was little too high
    assert throttle.refused(started=4.0, now=4.0, busy=True) == 0.5
    assert throttle.limit == 3  # it still was


def test_after_a_429_the_pause_doubles_until_a_request_is_taken():
    """One from before the 429 says nothing."""
    throttle = Throttle(Concurrency(start=8))
    assert [throttle.refused(at, at, busy=True) for at in range(1, 9)] == [
        0.25,
        0.5,
        1,
        2,
        4,
        8,
        16,
        32,
    ]
    assert throttle.probing
    throttle.answered(7.5, well=True, busy=True)
    assert throttle.probing
    throttle.answered(8.5, well=False, busy=True)  # an error, but no 429
    assert not throttle.probing
    assert throttle.refused(9, 9, busy=True) == 0.25


async def test_requests_that_are_out_are_counted():
    clock = VirtualClock()
    limiter = Limiter(Limits(), clock, Throttle(Concurrency(2, 2)))
    await limiter.acquire()
    await limiter.acquire()
    third = asyncio.create_task(limiter.acquire())
    await asyncio.sleep(0)
    assert not third.done()
    limiter.returned(0, 0)
    await third


async def test_after_a_429_requests_go_out_one_a_second_until_one_is_taken():
    """So that one that hangs does not hold all the others."""
    clock = VirtualClock()
    throttle = Throttle(Concurrency(8, 8, 8))
    limiter, times = Limiter(Limits(), clock, throttle), []
    throttle.refused(0, 0, busy=True)

    async def ask():
        await limiter.acquire()
        times.append(clock.now)
        if len(times) == 3:
            throttle.answered(clock.now, well=True, busy=False)
            limiter.pump()

    await asyncio.gather(*(ask() for _ in range(6)))
    assert times == [0, 1, 2, 2, 2, 2]


def test_concurrency_stays_between_its_ends():
    throttle = Throttle(Concurrency(start=3, minimum=2, maximum=4))
    for at in range(9):
        throttle.refused(started=at, now=at, busy=True)
    assert throttle.limit == 2
    for _ in range(99):
        throttle.answered(99.0, well=True, busy=True)
    assert throttle.limit == 4


def test_an_idle_map_learns_nothing():
    """With fewer rows on than may be, success says nothing about more of them."""
    throttle = Throttle(Concurrency(start=4))
    for _ in range(50):
        throttle.answered(0.0, well=True, busy=False)
    assert throttle.limit == 4
    throttle.refused(1.0, 1.0, busy=False)  # nor does a 429 say that it was too high
    assert throttle.limit == 4
    throttle.refused(2.0, 2.0, busy=False)  # but two of them do
    assert throttle.limit == 2
