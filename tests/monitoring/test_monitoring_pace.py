"""Handlers that wait: nothing is lost, nothing out of order, nothing outlives its stream."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.events import EventBus
from l0.monitoring import batch_events, debounce_events, filter_events
from l0.testing import ScriptedModel, VirtualClock, stall


def end(bus):
    bus.emit("SESSION_END", outcome="completed", duration_ms=1.0)


def say(bus, index):
    bus.emit("FALLBACK_END", success=True, final_index=index)


def said(events):
    return [event.get("final_index", event.type) for event in events]


@pytest.mark.parametrize("seconds", [0, -1, float("nan"), "1", True, None])
def test_a_wait_is_a_number_of_seconds(seconds):
    with pytest.raises(ValueError, match="seconds above 0"):
        debounce_events(seconds, print)
    with pytest.raises(ValueError, match="max_wait_seconds is a number of seconds above 0"):
        batch_events(5, seconds, print)


@pytest.mark.parametrize("size", [0, -1, 1.5, True, None])
def test_a_batch_has_a_size(size):
    with pytest.raises(ValueError, match="size counts events"):
        batch_events(size, 1, print)


async def test_the_last_event_after_a_quiet_time(clock):
    seen = []
    bus = EventBus(debounce_events(1.0, seen.append, clock=clock), clock=clock)
    for index in range(3):
        say(bus, index)
        clock.advance(0.9)
    assert seen == []
    clock.advance(0.2)
    assert said(seen) == [2]
    say(bus, 3)
    clock.advance(1.1)
    assert said(seen) == [2, 3]


@pytest.mark.parametrize("kind", ["function", "coroutine function"])
async def test_a_handler_that_fails_loses_no_event_behind_it(clock, kind):
    """What was kept and the end of the stream are handed over together: both, whatever happens."""
    seen = []

    def take(event):
        seen.append(event.type)
        if event.type != "SESSION_END":
            raise ValueError("no")

    async def take_later(event):
        take(event)

    handler = take if kind == "function" else take_later
    told = []
    bus = EventBus(debounce_events(60, handler, clock=clock), clock=clock)
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    say(bus, 1)
    end(bus)
    await bus.drain()
    assert seen == ["FALLBACK_END", "SESSION_END"]
    assert len(told) == 1


async def test_the_end_waits_for_nothing(clock):
    seen = []
    bus = EventBus(debounce_events(60, seen.append, clock=clock), clock=clock)
    say(bus, 1)
    say(bus, 2)
    end(bus)
    assert said(seen) == [2, "SESSION_END"]
    clock.advance(100)
    assert len(seen) == 2


async def test_a_handler_that_does_not_ask_for_the_end_does_not_get_it(clock):
    seen = []
    handler = debounce_events(60, filter_events(["FALLBACK_END"], seen.append), clock=clock)
    assert handler.types == {"FALLBACK_END", "SESSION_END", "COMPLETE"}
    bus = EventBus(handler, clock=clock)
    say(bus, 1)
    end(bus)
    assert said(seen) == [1]
    batches = []
    bus = EventBus(batch_events(9, 60, batches.append, clock=clock), clock=clock)
    say(bus, 1)
    end(bus)
    assert [said(batch) for batch in batches] == [[1, "SESSION_END"]]


async def test_streams_wait_apart(clock):
    seen = []
    handler = debounce_events(1.0, seen.append, clock=clock)
    one, two = (EventBus(handler, clock=clock) for _ in range(2))
    say(one, 1)
    clock.advance(0.6)
    say(two, 2)
    clock.advance(0.6)
    assert said(seen) == [1]
    end(two)
    assert said(seen) == [1, 2, "SESSION_END"]


async def test_batches_by_size_age_and_end(clock):
    seen = []
    handler = batch_events(3, 1.0, lambda events: seen.append(said(events)), clock=clock)
    bus = EventBus(handler, clock=clock)
    for index in range(4):
        say(bus, index)
    assert seen == [[0, 1, 2]]
    clock.advance(1.1)
    assert seen[1:] == [[3]]
    say(bus, 4)
    clock.advance(0.9)
    say(bus, 5)
    clock.advance(0.2)
    assert seen[2:] == [[4, 5]]
    say(bus, 6)
    end(bus)
    assert seen[3:] == [[6, "SESSION_END"]]
    bus.emit(
        "COMPLETE", token_count=0, content_length=0, duration_ms=0, fallback_index=0, attempts=1
    )
    assert seen[4:] == [["COMPLETE"]]


@given(st.lists(st.sampled_from(["say", "wait", "end"]), max_size=60), st.integers(1, 7))
def test_batches_hold_every_event_once_in_order(steps, size):
    """Whatever comes when: joined, the batches are the events."""

    async def run():
        clock = VirtualClock()
        plain, batched = [], []
        bus = EventBus(plain.append, clock=clock)
        bus.subscribe(batch_events(size, 1.0, batched.append, clock=clock))
        for index, step in enumerate(steps):
            if step == "say":
                say(bus, index)
            elif step == "wait":
                clock.advance(0.4)
            else:
                end(bus)
        end(bus)
        assert [event for batch in batched for event in batch] == plain
        assert all(0 < len(batch) <= size + 1 for batch in batched)

    asyncio.run(run())


async def test_streams_that_are_never_heard_of_again_are_forgotten(clock):
    async def take(event):
        await asyncio.sleep(0)

    for handler in (str, take):
        for waiting in (
            debounce_events(1, handler, clock=clock),
            batch_events(5, 1, handler, clock=clock),
        ):
            for _ in range(10):
                say(EventBus(waiting, clock=clock), 1)
            assert len(waiting._streams) == 10
            clock.advance(2)
            for _ in range(5):
                await asyncio.sleep(0)
            assert waiting._streams == {}
    two = batch_events(2, 1, str, clock=clock)
    bus = EventBus(two, clock=clock)
    say(bus, 1)
    say(bus, 2)
    clock.advance(2)
    assert two._streams == {}


async def test_a_run_leaves_no_timer_behind(play, clock):
    seen = []
    await play(
        ScriptedModel(["a", stall(3), "b"]),
        on_event=batch_events(1000, 1.0, seen.append, clock=clock),
    )
    assert len(seen) > 2
    assert not [timer for timer in clock._timers if not timer.cancelled]


async def test_coroutine_handlers_keep_the_order(play, clock):
    seen = []

    async def take(events):
        await clock.sleep(0.7)
        seen.extend(events)

    played = await play(
        ScriptedModel(["a", stall(3), "b", stall(0.2), "c"]),
        on_event=batch_events(4, 0.1, take, clock=clock),
    )
    assert [event.type for event in seen] == [t for t in played.types if t != "CALLBACK_ERROR"]
    assert not played.all("CALLBACK_ERROR")


async def test_a_handler_that_fails_when_a_timer_fires_is_logged(clock, caplog):
    def bang(event):
        raise ValueError("no")

    async def late(event):
        raise ValueError("late")

    for handler in (bang, late):
        caplog.clear()
        caplog.set_level("DEBUG", logger="l0")
        bus = EventBus(debounce_events(1, handler, clock=clock), clock=clock)
        say(bus, 1)
        clock.advance(2)
        for _ in range(5):
            await asyncio.sleep(0)
        assert "a handler failed" in caplog.text


def test_without_a_loop_the_next_event_or_the_end_hands_over():
    """Events of a bus that no loop runs for: nothing fires, nothing is lost."""
    clock = VirtualClock()

    class NoTimers:
        time, monotonic = clock.time, clock.monotonic

        def call_at(self, when, fn):
            raise RuntimeError("no running event loop")

    seen, batches = [], []
    bus = EventBus(debounce_events(1, seen.append, clock=NoTimers()), clock=clock)
    bus.subscribe(
        batch_events(10, 1, lambda events: batches.append(said(events)), clock=NoTimers())
    )
    say(bus, 1)
    clock.now += 2
    say(bus, 2)
    assert said(seen) == [1]
    assert batches == [[1, 2]]
    end(bus)
    assert said(seen) == [1, 2, "SESSION_END"]
    assert batches == [[1, 2], ["SESSION_END"]]
