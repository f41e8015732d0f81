"""Handlers made of handlers: what each gets, and what one's failure does to the others."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import given
from hypothesis import strategies as st

import l0
from l0.events import EventBus, ObservabilityEventType, catalog
from l0.monitoring import (
    Metrics,
    batch_events,
    combine_events,
    debounce_events,
    exclude_events,
    filter_events,
    sample_events,
    tap_events,
)
from l0.testing import ScriptedModel, fail

UNLISTED = {"TOKENS", "STREAM_EVENT"}


def bang(event):
    raise ValueError(f"no {event.type}")


def types(events):
    return [event.type for event in events]


async def test_one_that_fails_never_stops_the_others(play):
    first, last = [], []
    handler = combine_events(first.append, bang, None, last.append)
    played = await play(ScriptedModel(["a"]), on_event=handler)
    assert played.error is None
    assert types(first) == types(last)
    assert {"SESSION_START", "COMPLETE"} <= set(types(last))


async def test_a_failure_is_told_by_the_bus():
    """The bus is the one place where subscribers' failures are caught."""
    told = []
    stream = l0.run(lambda: ["a"], on_event=combine_events(filter_events(["COMPLETE"], bang)))
    stream.subscribe(told.append, ["CALLBACK_ERROR"])
    assert await stream.read() == "a"
    (event,) = told
    assert (event["error"], event["event_type"]) == ("no COMPLETE", "COMPLETE")


def test_several_failures_are_told_together():
    bus = EventBus()
    told = []
    bus.subscribe(combine_events(bang, bang))
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    bus.emit("FALLBACK_END", success=True, final_index=1)
    assert told[0]["error_type"] == "ExceptionGroup"


async def test_coroutine_handlers_are_awaited_in_order():
    seen = []

    async def slow(event):
        await asyncio.sleep(0)
        seen.append(("slow", event.type))

    async def bad(event):
        raise ValueError("late")

    async def last(event):
        seen.append(("last", event.type))

    handler = filter_events(["COMPLETE", "SESSION_START"], combine_events(slow, bad, last))
    stream, told = l0.run(lambda: ["a"], on_event=handler), []
    stream.subscribe(told.append, ["CALLBACK_ERROR"])
    await stream.read()
    assert [event["error"] for event in told] == ["late", "late"]
    assert seen == [
        ("slow", "SESSION_START"),
        ("last", "SESSION_START"),
        ("slow", "COMPLETE"),
        ("last", "COMPLETE"),
    ]


def test_the_types_of_a_combination_are_the_union():
    tokens, ends = filter_events(["TOKENS"], print), filter_events(["COMPLETE"], print)
    listed = {name for name, cls in catalog().items() if cls.listed}
    assert combine_events(tokens, ends).types == {"TOKENS", "COMPLETE"}
    assert combine_events(print, None).types is None
    assert combine_events(print, ends).types is None
    assert combine_events(print, tokens).types == listed | {"TOKENS"}
    assert combine_events().types == frozenset()
    assert combine_events(combine_events(tokens), print).types == listed | {"TOKENS"}


async def test_each_gets_what_it_would_get_alone():
    plain, tokens = [], []
    handler = combine_events(plain.append, filter_events(["TOKENS"], tokens.append))
    await l0.run(lambda: ["a"], on_event=handler).read()
    assert not UNLISTED & set(types(plain))
    assert types(tokens) == ["TOKENS"]


def test_checks_that_find_nothing_are_made_only_for_those_who_want_them():
    bus = EventBus(combine_events(Metrics(), sample_events(1, Metrics())))
    assert not bus.detailed
    assert EventBus(combine_events(Metrics(), print)).detailed


async def test_filtering_makes_the_bus_skip_the_rest(play):
    seen = []
    handler = filter_events([ObservabilityEventType.ERROR, "COMPLETE"], seen.append)
    bus = EventBus(handler)
    assert handler.types == {"ERROR", "COMPLETE"}
    assert bus.wants("ERROR")
    assert not bus.wants("SESSION_START")
    await play(ScriptedModel([fail(503)], ["a"]), on_event=handler)
    assert types(seen) == ["ERROR", "COMPLETE"]


def test_filters_within_filters_meet():
    handler = filter_events(["ERROR", "COMPLETE"], filter_events(["ERROR", "TOKENS"], print))
    assert handler.types == {"ERROR"}
    assert exclude_events(["ERROR"], handler).types == frozenset()


def test_excluding_leaves_the_rest_and_asks_for_no_tokens():
    handler = exclude_events(["ERROR", ObservabilityEventType.COMPLETE], print)
    assert not {"ERROR", "COMPLETE", *UNLISTED} & handler.types
    assert "SESSION_START" in handler.types


@pytest.mark.parametrize("make", [filter_events, exclude_events])
def test_a_wrong_type_is_named(make):
    with pytest.raises(ValueError, match="did you mean COMPLETE"):
        make(["COMPLETED"], print)
    with pytest.raises(TypeError, match=r"write \['ERROR'\]"):
        make("ERROR", print)
    with pytest.raises(TypeError, match="not callable"):
        make(["ERROR"], 7)


@pytest.mark.parametrize(
    "make",
    [
        combine_events,
        tap_events,
        lambda h: sample_events(0.5, h),
        lambda h: debounce_events(1, h),
        lambda h: batch_events(5, 1, h),
    ],
)
def test_what_is_not_callable_is_no_handler(make):
    with pytest.raises(TypeError, match="not callable"):
        make(7)


@pytest.mark.parametrize("rate", [-0.1, 1.1, float("nan"), "half", True, None])
def test_a_rate_is_a_share(rate):
    with pytest.raises(ValueError, match="rate is a share between 0 and 1"):
        sample_events(rate, print)


async def test_a_stream_is_wholly_in_or_wholly_out(play):
    """A sampler never shows half a story."""
    for rate in (0, 1, 0.5):
        for _ in range(20):
            seen = []
            played = await play(ScriptedModel(["a"]), on_event=sample_events(rate, seen.append))
            assert types(seen) in ([], [t for t in played.types if t not in UNLISTED])
            assert not (rate == 0 and seen)
            assert not (rate == 1 and not seen)


async def test_chance_is_asked_once_a_stream(play):
    fates, seen = iter([0.4, 0.6, 0.1]), []
    handler = sample_events(0.5, seen.append, random=lambda: next(fates))
    ids = [(await play(ScriptedModel(["a"]), on_event=handler)).stream.stream_id for _ in range(3)]
    assert {event.stream_id for event in seen} == {ids[0], ids[2]}


@given(st.sets(st.text(min_size=1), min_size=1, max_size=50), st.floats(0, 1), st.floats(0, 1))
def test_a_larger_sample_holds_the_smaller_one(ids, one, other):
    low, high = sorted((one, other))

    def taken(rate):
        seen = set()
        handler = sample_events(rate, lambda event: seen.add(event.stream_id))
        for stream_id in ids:
            EventBus(handler, stream_id=stream_id).emit("FALLBACK_END", success=True, final_index=1)
        return seen

    assert taken(low) <= taken(high)


def test_about_as_many_are_taken_as_asked_for():
    seen = []
    handler = sample_events(0.25, seen.append)
    for _ in range(2000):
        EventBus(handler).emit("FALLBACK_END", success=True, final_index=1)
    assert 400 < len(seen) < 600


async def test_a_tapped_handlers_result_is_ignored(play):
    seen = []

    async def never(event):
        seen.append("awaited")

    def count(event):
        seen.append(event.type)
        return never(event)

    played = await play(ScriptedModel(["a"]), on_event=tap_events(count))
    assert "awaited" not in seen
    assert not played.all("CALLBACK_ERROR")
    assert seen[-1] == "COMPLETE"
