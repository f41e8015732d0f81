"""Runs that are under way together check their texts at different tokens."""

from __future__ import annotations

import asyncio
import gc
import threading

import pytest

import l0
from l0.stream import CheckIntervals, Retry
from l0.stream._stagger import Stagger, stagger_of

ALONE = [5, 10, 15]
TOGETHER = [ALONE, [4, 9, 14, 19], [3, 8, 13, 18], [2, 7, 12, 17], [1, 6, 11, 16], ALONE]


def paced(*texts, error=None):
    """A model that lets the other runs have their turn before each token."""

    async def source():
        for text in texts:
            await asyncio.sleep(0)
            yield text
        if error is not None:
            raise error

    return source


def watched(lengths, source=None, **options):
    """A run of 20 tokens of one character, which notes at how many its rule was asked."""

    def look(state):
        lengths.append(len(state.content))

    return l0.run(
        source or paced(*["x"] * 20),
        guardrails=[l0.GuardrailRule("look", look)],
        check_intervals=CheckIntervals(5, 0, 0),
        detect_zero_output=False,
        **options,
    )


async def lengths_of(source=None, **options):
    """Where a run checks before its completion."""
    lengths = []
    await watched(lengths, source, **options).read()
    return [length for length in lengths if length < 20]


async def test_a_run_alone_checks_at_every_interval():
    """Each time anew, however many have gone before."""
    assert [await lengths_of() for _ in range(3)] == [ALONE] * 3


async def test_runs_that_begin_together_take_turns():
    """No two neighbours look at the same token, and none looks later than it would alone."""
    assert await asyncio.gather(*(lengths_of() for _ in TOGETHER)) == TOGETHER
    assert await lengths_of() == ALONE


async def test_drift_takes_turns_too():
    """Its first check comes earlier by as many tokens."""

    async def first():
        told = []
        await l0.run(
            paced(*(f"of {word} there are many " for word in ["boats", "cats", "dogs", "trees"])),
            drift=True,
            check_intervals=CheckIntervals(0, 4, 0),
            on_event=told.append,
        ).read()
        return next(e["token_count"] for e in told if e.type == "DRIFT_CHECK_START")

    assert await asyncio.gather(*(first() for _ in range(4))) == [4, 3, 2, 1]
    assert await first() == 4


async def test_the_turn_is_kept_from_attempt_to_attempt():
    """A retry is the same run."""
    sources = [paced("x", error=ConnectionResetError("gone")), paced(*["x"] * 20)]
    alone, second = await asyncio.gather(
        lengths_of(), lengths_of(lambda: sources.pop(0)(), retry=Retry(base_delay=0))
    )
    assert (alone, second) == (ALONE, [4, 9, 14, 19])


@pytest.mark.parametrize("how", ["left", "broken off", "dropped", "aborted", "failed", "cancelled"])
async def test_however_a_run_ends_the_next_one_is_alone(how):
    """Its turn is given back when it has ended."""
    stream = watched([], paced("x", error=ValueError("odd")) if how == "failed" else None)
    if how == "left":
        async with stream:
            await anext(stream)
    elif how in {"broken off", "dropped"}:
        if how == "dropped":
            await anext(stream)
            del stream
            gc.collect()
        else:
            async for _ in stream:
                break
        while stagger_of(asyncio.get_running_loop()).alive:
            await asyncio.sleep(0)
    elif how == "aborted":
        await anext(stream)
        stream.abort()
        with pytest.raises(l0.errors.StreamAbortedError):
            await stream.read()
    elif how == "failed":
        with pytest.raises(ValueError, match="odd"):
            await stream.read()
    else:
        task = asyncio.create_task(stream.read())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
    assert await lengths_of() == ALONE


async def test_a_run_that_is_held_takes_a_turn_as_long_as_it_is():
    """It is under way, though nobody asks it for more."""
    held = watched([])
    await anext(held)
    assert await lengths_of() == TOGETHER[1]
    await held.aclose()
    assert await lengths_of() == ALONE


async def test_a_run_that_was_just_broken_off_is_still_under_way():
    """Its connection is open until the loop has its turn; runs after it are not put off further."""
    for _ in range(3):
        async for _ in watched([]):
            break
        assert await lengths_of() == TOGETHER[1]
    assert await lengths_of() == ALONE


async def test_loops_have_turns_of_their_own():
    """A run under way on this loop changes nothing on that of another thread."""
    held, there = watched([]), []
    await anext(held)
    thread = threading.Thread(target=lambda: there.append(asyncio.run(lengths_of())))
    thread.start()
    await asyncio.to_thread(thread.join)
    await held.aclose()
    assert there == [ALONE]


def test_what_was_left_on_a_closed_loop_is_forgotten():
    """A loop that ends with a run under way doesn't change the runs of the next."""
    loop, held = asyncio.new_event_loop(), watched([])
    loop.run_until_complete(anext(held))
    loop.close()
    assert asyncio.run(lengths_of()) == ALONE


def test_turns_begin_anew_after_the_last_run():
    """While any is under way, nobody gets a turn that was given already."""
    stagger = Stagger()
    assert [stagger.join(), stagger.join()] == [0, 1]
    stagger.leave()
    assert stagger.join() == 2
    stagger.leave()
    stagger.leave()
    assert stagger.join() == 0
