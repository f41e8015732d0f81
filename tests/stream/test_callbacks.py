"""S68: callbacks see the run and never change it."""

from __future__ import annotations

import asyncio
import logging

import pytest

import l0
from l0.stream import Callbacks, CheckIntervals, Retry, Timeout
from l0.stream._callbacks import CALLBACK_KEYWORDS
from l0.testing import ScriptedModel, check_run, fail, stall, tool

NET = ConnectionResetError("gone")
NAMES = sorted(CALLBACK_KEYWORDS)


def eventful():
    """A model in whose run every callback but on_abort has its turn."""
    return ScriptedModel(
        ["As an AI, ", "I am asked to write this. "],
        ["One ", "two ", fail(NET)],
        ["two ", stall(9)],
        ["three ", tool("1", "f"), fail(401)],
    )


def options(**more):
    return {
        "fallbacks": [ScriptedModel(["bad ", "four"])],
        "retry": Retry(attempts=5, base_delay=0),
        "timeout": Timeout(inter_token=5),
        "drift": True,
        "continuation": True,
        "guardrails": [
            l0.GuardrailRule("warn", lambda s: ["hm"] * ("bad" in s.content), severity="warning")
        ],
        "check_intervals": CheckIntervals(1, 1, 1),
        **more,
    }


async def play_with(clock, callbacks):
    told, shown = [], []
    stream = l0.run(eventful(), clock=clock, on_event=told.append, **options(**callbacks))
    async for event in stream:
        shown.append((event.type, event.text, event.start))
    check_run(told)
    return stream, told, shown


async def test_every_callback_is_called(clock):
    """In one eventful run, each with what the contract says."""
    seen = []
    callbacks = {name: lambda *args, name=name: seen.append((name, args)) for name in NAMES}
    stream, _, _ = await play_with(clock, callbacks)
    assert {name for name, _ in seen} == {*NAMES} - {"on_abort"}
    first = dict(reversed(seen))
    assert first["on_start"] == (1, False, False)
    assert first["on_drift"][1] == 0.9
    assert first["on_retry"] == (1, "drift")
    assert first["on_resume"] == ("One two ", 2)
    assert first["on_timeout"] == ("inter_token", 5000)
    assert first["on_tool_call"] == ("f", "1", {})
    assert first["on_fallback"] == (0, "model_error")
    assert first["on_restart"] == (0, "drift")
    assert first["on_checkpoint"] == ("As an AI, ", 1)
    assert first["on_violation"][0].message == "hm"
    assert first["on_complete"] == (stream.state,)


async def failing(*args):
    await asyncio.sleep(0)
    raise RuntimeError("a typo in a callback")


def raising(*args):
    raise RuntimeError("a typo in a callback")


async def slow(*args):
    for _ in range(20):
        await asyncio.sleep(0)


@pytest.mark.parametrize("callback", [raising, failing, slow], ids=lambda fn: fn.__name__)
@pytest.mark.parametrize("name", NAMES)
async def test_s68_no_callback_changes_the_run(clock, name, callback, caplog):
    """Raising, slow or asynchronous: the same events, the same text."""
    _, _, alone = await play_with(clock, {})
    caplog.set_level(logging.DEBUG, "l0")
    stream, told, shown = await play_with(clock, {name: callback})
    assert shown == alone
    assert stream.state.content == "bad four"
    errors = [e.payload for e in told if e.type == "CALLBACK_ERROR"]
    if callback is slow or name == "on_abort":
        assert errors == []
    else:
        assert errors
        assert {(e.callback, e.error_type) for e in errors} == {
            (callback.__qualname__, "RuntimeError")
        }
        assert "callback" in caplog.text


async def test_s68_a_listener_that_raises_is_told_to_the_others_only(clock):
    """And does not hear of itself."""
    others, own = [], []

    def listener(event):
        own.append(event.type)
        if event.type == "STREAM_INIT":
            raise RuntimeError("no")

    stream = l0.run(ScriptedModel(["a"]), clock=clock, on_event=listener)
    stream.subscribe(others.append)
    assert await stream.read() == "a"
    assert [e.payload.event_type for e in others if e.type == "CALLBACK_ERROR"] == ["STREAM_INIT"]
    assert "CALLBACK_ERROR" not in own


async def test_s68_coroutine_callbacks_run_in_the_order_of_their_calls(clock):
    """One after another, across callbacks, and awaited before the end."""
    order = []

    def later(turns):
        async def callback(*args):
            for _ in range(turns):
                await asyncio.sleep(0)
            order.append(args[0])

        return callback

    stream = l0.run(
        ScriptedModel(["a", "b", "c"]),
        clock=clock,
        on_token=later(9),
        on_stream_event=later(1),
        on_complete=later(3),
    )
    assert await stream.read() == "abc"
    said = [getattr(entry, "text", None) or getattr(entry, "type", entry) for entry in order]
    assert said == ["a", "a", "b", "b", "c", "c", stream.state, "complete"]


async def test_s68_a_callback_that_never_ends_is_given_up(caplog, monkeypatch):
    """The run ends all the same, and says so in the log."""
    drain = l0.EventBus.drain
    monkeypatch.setattr(l0.EventBus, "drain", lambda self, timeout=5.0: drain(self, 0.01))

    async def never(text):
        await asyncio.sleep(3600)

    before = asyncio.all_tasks()
    assert await l0.run(ScriptedModel(["a", "b"]), on_token=never).read() == "ab"
    assert "callbacks did not end" in caplog.text
    assert asyncio.all_tasks() == before


async def test_callbacks_do_not_delay_a_token(clock):
    """A slow coroutine callback is awaited beside the stream."""
    at = []

    async def wait(text):
        await clock.sleep(60)

    stream = l0.run(ScriptedModel(["a", "b"]), clock=clock, on_token=wait)
    async for event in stream:
        at.append((event.type, clock.now))
    assert at[:2] == [("token", 0), ("token", 0)]


def test_a_callback_that_is_none_is_refused_at_construction():
    """The keyword is named."""
    with pytest.raises(TypeError, match="on_retry"):
        Callbacks(on_retry="log it")
