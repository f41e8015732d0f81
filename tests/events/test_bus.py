"""Events out to whoever listens; a listener never changes a run."""

from __future__ import annotations

import asyncio
import gc
import uuid

import pytest

from l0.events import EventBus, FallbackStartPayload, SystemClock, new_stream_id
from l0.testing import VirtualClock

FALLBACK = {"from_index": 0, "to_index": 1, "reason": "x"}


def test_without_a_listener_nothing_is_built():
    bus = EventBus()
    assert not bus.active
    assert not bus.wants("TOKENS")
    bus.emit("FALLBACK_START", **FALLBACK)
    gc.collect()
    assert not any(isinstance(o, FallbackStartPayload) for o in gc.get_objects())


def test_a_field_that_is_unknown_or_missing_is_an_error_also_without_a_listener():
    bus = EventBus()
    with pytest.raises(TypeError, match="reason"):
        bus.emit("FALLBACK_START", from_index=0, to_index=1)
    with pytest.raises(TypeError, match="because"):
        bus.emit("FALLBACK_START", **FALLBACK, because="y")
    with pytest.raises(ValueError, match="did you mean FALLBACK_START"):
        bus.emit("FALLBACK_STRT", **FALLBACK)


def test_handlers_are_called_in_the_order_they_subscribed_and_leave_when_they_like():
    bus, calls = EventBus(), []
    bus.subscribe(lambda event: calls.append(1))
    leave = bus.subscribe(lambda event: calls.append(2))
    bus.subscribe(lambda event: calls.append(3))
    bus.emit("FALLBACK_START", **FALLBACK)
    leave()
    leave()
    bus.emit("FALLBACK_START", **FALLBACK)
    assert calls == [1, 2, 3, 1, 3]


def test_a_handler_gets_the_types_it_names_and_token_rate_types_only_then():
    bus, everything, tokens, by_attribute = EventBus(), [], [], []

    class Handler:
        types = ("SESSION_END", "TOKENS")

        def __call__(self, event):
            by_attribute.append(event.type)

    bus.subscribe(lambda event: everything.append(event.type))
    bus.subscribe(lambda event: tokens.append(event.type), ["TOKENS"])
    bus.subscribe(Handler())
    bus.emit("TOKENS", start=0, texts=["a"], offsets_us=[0])
    bus.emit("SESSION_END", outcome="failed", duration_ms=0.0)
    assert everything == ["SESSION_END"]
    assert tokens == ["TOKENS"]
    assert by_attribute == ["TOKENS", "SESSION_END"]
    assert bus.wants("TOKENS")
    assert bus.wants("USAGE")
    assert not EventBus(Handler()).wants("USAGE")


def test_watchers_hear_of_handlers_that_come_and_go():
    bus, heard = EventBus(), []
    bus.on_change(lambda: heard.append(bus.wants("TOKENS")))
    bus.subscribe(print, ["TOKENS"])()
    assert heard == [True, False]


def test_checks_that_find_nothing_are_made_only_for_those_who_want_them():
    class FoundOnly:
        found_only = True

        def __call__(self, event): ...

    bus = EventBus(FoundOnly())
    assert not bus.detailed
    bus.subscribe(print, ["TOKENS"])
    assert not bus.detailed
    leave = bus.subscribe(print, ["GUARDRAIL_RULE_END"])
    assert bus.detailed
    leave()
    assert not bus.detailed
    bus.subscribe(print)
    assert bus.detailed


def test_what_cannot_be_a_handler_is_refused():
    with pytest.raises(TypeError, match="is not callable"):
        EventBus("print")
    with pytest.raises(ValueError, match="no event type"):
        EventBus().subscribe(print, ["TOKENZ"])


def test_an_event_reads_like_a_mapping_of_its_payload_and_then_of_the_callers_meta():
    seen = []
    EventBus(seen.append, {"user": "ada", "reason": "hidden"}).emit("FALLBACK_START", **FALLBACK)
    (event,) = seen
    assert (event["to_index"], event["user"], event["reason"]) == (1, "ada", "x")
    assert event.data == FALLBACK
    assert event.get("nothing") is None
    assert event.get("nothing", 3) == 3
    assert event.context is event.meta
    with pytest.raises(KeyError):
        event["nothing"]


def test_meta_is_a_deep_read_only_snapshot():
    """No later change leaks in or out."""
    seen, meta = [], {"user": {"name": "ada", "tags": ["a"]}}
    bus = EventBus(seen.append, meta)
    meta["user"]["name"] = "eve"
    meta["user"]["tags"].append("b")
    bus.emit("FALLBACK_START", **FALLBACK)
    (event,) = seen
    assert event.meta["user"]["name"] == "ada"
    assert list(event.meta["user"]["tags"]) == ["a"]
    with pytest.raises(TypeError):
        event.meta["user"] = 1
    with pytest.raises(TypeError):
        event.meta["user"]["name"] = "eve"


@pytest.mark.parametrize("kind", [dict, list, tuple])
def test_meta_that_contains_itself_is_refused_with_what_to_give(kind):
    """As every other place that takes meta does."""
    around = {}
    around["me"] = around if kind is dict else kind([around])
    with pytest.raises(ValueError, match="meta contains itself, or nests deeper"):
        EventBus(meta=around)
    with pytest.raises(TypeError, match="meta is a mapping, such as"):
        EventBus(meta="ada")


def test_time_never_decreases_when_the_wall_clock_jumps_back():
    clock = VirtualClock()
    bus = EventBus(clock=clock)
    before = bus.now()
    clock.now += 1.5
    clock.set_back(3600)
    assert bus.now() == pytest.approx(before + 1500)
    assert bus.us(clock.monotonic()) == round(bus.now() * 1000)


def test_a_stream_id_is_a_uuid_of_version_7():
    ids = [new_stream_id() for _ in range(100)]
    assert {uuid.UUID(each).version for each in ids} == {7}
    assert len(set(ids)) == 100
    assert EventBus().stream_id != EventBus().stream_id


# --- handlers that fail or wait ---------------------------------------------------------------


def test_a_handler_that_raises_is_told_to_the_others_and_never_to_itself():
    told, calls = [], []

    def fails(event):
        calls.append(event.type)
        raise RuntimeError("no")

    bus = EventBus(fails)
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    bus.emit("FALLBACK_START", **FALLBACK)
    assert calls == ["FALLBACK_START"]
    (event,) = told
    assert event["error"] == "no"
    assert event["error_type"] == "RuntimeError"
    assert event["event_type"] == "FALLBACK_START"
    assert event["callback"].endswith("fails")


def test_a_handler_whose_error_has_no_text_never_reaches_the_run():
    class Wordless(Exception):
        def __str__(self):
            raise RuntimeError("no text")

    def fails(event):
        raise Wordless

    told = []
    bus = EventBus(fails)
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    bus.emit("FALLBACK_START", **FALLBACK)
    assert [event["error"] for event in told] == ["<Wordless>"]


def test_handlers_that_fail_on_failures_do_not_go_round_in_circles():
    calls = []

    def fails(event):
        calls.append(event.type)
        raise RuntimeError

    bus = EventBus(fails)
    bus.subscribe(lambda event: fails(event))
    bus.emit("FALLBACK_START", **FALLBACK)
    assert calls == ["FALLBACK_START", "CALLBACK_ERROR"] * 2


async def test_coroutine_handlers_are_awaited_one_after_another_in_order():
    seen = []

    async def slow(event):
        seen.append(("begin", event["to_index"]))
        await asyncio.sleep(0)
        seen.append(("end", event["to_index"]))

    bus = EventBus(slow)
    for index in range(3):
        bus.emit("FALLBACK_START", from_index=0, to_index=index, reason="x")
    assert seen == []
    await bus.drain()
    assert seen == [(word, index) for index in range(3) for word in ("begin", "end")]


async def test_a_coroutine_handler_that_fails_is_told_and_the_next_goes_on():
    seen, told = [], []

    async def odd(event):
        if event["to_index"] == 1:
            raise RuntimeError("odd")
        seen.append(event["to_index"])

    bus = EventBus()
    bus.subscribe(odd, ["FALLBACK_START"])
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    for index in range(3):
        bus.emit("FALLBACK_START", from_index=0, to_index=index, reason="x")
    await bus.drain()
    assert seen == [0, 2]
    assert [event["error"] for event in told] == ["odd"]


async def test_a_coroutine_handler_that_is_cancelled_by_its_own_ends_no_other():
    """Its CancelledError is a failure of it; the drain goes on, and so does the run."""
    seen, told = [], []

    async def odd(event):
        if event["to_index"] == 1:
            raise asyncio.CancelledError("mine")
        seen.append(event["to_index"])

    bus = EventBus()
    bus.subscribe(odd, ["FALLBACK_START"])
    bus.subscribe(told.append, ["CALLBACK_ERROR"])
    for index in range(3):
        bus.emit("FALLBACK_START", from_index=0, to_index=index, reason="x")
    await bus.drain()
    assert seen == [0, 2]
    assert [(event["error"], event["error_type"]) for event in told] == [("mine", "CancelledError")]
    assert not bus.pending


async def test_handlers_that_never_end_are_cancelled_after_a_while(caplog):
    async def hangs(event):
        await asyncio.sleep(3600)

    bus = EventBus(hangs)
    bus.emit("FALLBACK_START", **FALLBACK)
    bus.emit("FALLBACK_START", **FALLBACK)
    await bus.drain(timeout=0.01)
    assert "did not end within 0.01 s" in caplog.text
    assert asyncio.all_tasks() == {asyncio.current_task()}


async def test_a_handler_that_will_not_be_cancelled_holds_nobody_up(monkeypatch, caplog):
    monkeypatch.setattr("l0.events._bus._CANCEL_SECONDS", 0.01)
    end = asyncio.Event()

    async def stubborn(event):
        try:
            await end.wait()
        except asyncio.CancelledError:
            await end.wait()

    bus = EventBus(stubborn)
    bus.emit("FALLBACK_START", **FALLBACK)
    await asyncio.wait_for(bus.drain(0.01), 2)
    assert "goes on" in caplog.text
    end.set()
    await asyncio.wait_for(bus.drain(), 2)


async def test_a_callback_is_called_under_the_same_contract():
    told, done = [], []
    bus = EventBus()
    bus.subscribe(told.append, ["CALLBACK_ERROR"])

    async def later(value):
        if value < 0:
            raise ValueError("negative")

    bus.call(lambda value: 1 / value, 0, done=done.append)
    bus.call(lambda value: value, 1, done=done.append)
    bus.call(later, 1, done=done.append)
    bus.call(later, -1, done=done.append)
    await bus.drain()
    assert [type(error) for error in done] == [
        ZeroDivisionError,
        type(None),
        type(None),
        ValueError,
    ]
    assert [event["error_type"] for event in told] == ["ZeroDivisionError", "ValueError"]


# --- the clock --------------------------------------------------------------------------------


async def test_the_system_clock_tells_time_waits_and_calls():
    clock, called = SystemClock(), asyncio.Event()
    assert clock.time() > 1.7e9
    before = clock.monotonic()
    clock.call_at(before + 0.001, called.set)
    clock.call_at(before, lambda: pytest.fail("it was called off")).cancel()
    await called.wait()
    await clock.sleep(0.001)
    assert clock.monotonic() > before
