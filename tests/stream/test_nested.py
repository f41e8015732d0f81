"""A reliable stream as the source of another one: its restarts are obeyed, its id is kept."""

from __future__ import annotations

import pytest

import l0
from l0.events import DataPayload, Event, EventType
from l0.stream import Retry
from l0.testing import HTTPStatusError, ScriptedModel, fail, stall, tool

NET = ConnectionResetError("gone")
DATA = Event(EventType.DATA, payload=DataPayload("json", json=1))
AGAIN = Retry(attempts=5, base_delay=0)
STORY = "Once upon a time, in a valley far away, there lived a miller who had three sons."


def inner(*scripts, clock, **options):
    """A factory of reliable streams."""
    model = ScriptedModel(*scripts)
    return lambda: l0.run(model, retry=AGAIN, clock=clock, **options)


async def test_a_restart_inside_is_a_restart_outside(play, clock):
    """Tokens, tool calls and data that the inner stream withdrew are withdrawn."""
    run = await play(
        inner(["a", tool("1", "f"), DATA, fail(NET)], ["b", tool("2", "f")], clock=clock)
    )
    assert (run.shown, run.state.content, run.error) == ("b", "b", None)
    assert [call.id for call in run.state.tool_calls] == ["2"]
    assert run.state.data_outputs == []
    types = [e.type for e in run.events]
    assert types == ["token", "tool_call", "data", "restart", "token", "tool_call", "complete"]


async def test_a_withdrawn_tool_call_does_not_keep_the_next_attempt_from_resuming(play, clock):
    """It is as if it had never been."""
    calls = iter(
        [
            inner([tool("1", "f"), DATA, fail(NET)], ["one ", "two ", fail(401)], clock=clock),
            inner(["two ", "three"], clock=clock),
        ]
    )

    def factory():
        stream = next(calls)()

        async def dropping():
            try:
                async for event in stream:
                    yield event
            except HTTPStatusError as error:
                raise NET from error

        return dropping()

    run = await play(factory, continuation=True)
    assert (run.shown, run.state.resumed) == ("one two three", True)


async def test_a_restart_inside_a_resumed_attempt_cuts_at_the_right_place(play, clock):
    """Offsets of the source are mapped behind the overlap that fell away."""
    calls = iter(
        [
            ScriptedModel(["one ", "two ", fail(NET)]),
            inner(["two ", "three ", "xx", fail(NET)], ["two ", "three ", "four"], clock=clock),
        ]
    )
    model = []

    def factory(info):
        model.append(info)
        source = next(calls)
        return source(info) if isinstance(source, ScriptedModel) else source()

    run = await play(factory, continuation=True)
    assert run.shown == run.state.content == "one two three four"


@pytest.mark.parametrize("first", ["t", "two ", "two three ", "zzz"])
async def test_a_source_that_withdraws_into_the_overlap_is_compared_anew(play, clock, first):
    """What it then writes may repeat the checkpoint in another way."""
    calls = iter(
        [
            lambda: ScriptedModel(["one ", "two ", fail(NET)])(factory.info),
            inner([*first, fail(NET)], ["one ", "two ", "three"], clock=clock),
        ]
    )

    def factory(info):
        factory.info = info
        return next(calls)()

    run = await play(factory, continuation=True)
    assert run.shown == run.state.content
    assert run.state.content in {"one two three", "one two one two three"}
    if first != "zzz":
        assert run.state.content == "one two three"


async def test_a_resumed_source_that_restates_and_withdraws(play, clock):
    """Once the source's own text stands from its beginning, its offsets are the text's."""
    other = STORY[:40] + "nobody lived."
    calls = iter(
        [
            lambda: ScriptedModel([STORY[:60], fail(NET)])(factory.info),
            inner([*other, fail(NET)], [other[:45], "!"], clock=clock),
        ]
    )

    def factory(info):
        factory.info = info
        return next(calls)()

    run = await play(factory, continuation=True)
    assert run.shown == run.state.content == other[:45] + "!"


async def test_the_story_of_the_inner_run_names_the_outer_one(clock):
    """parent_id, through every kind of factory."""
    told = []

    def nested():
        return l0.run(ScriptedModel(["a"]), clock=clock, on_event=told.append)

    async def later():
        return nested()

    async def generator():
        async for event in nested():
            yield event

    for factory in (nested, later, generator):
        told.clear()
        stream = l0.run(factory, clock=clock)
        assert await stream.read() == "a"
        assert told[0].payload.parent_id == stream.stream_id
    told.clear()
    assert await nested().read() == "a"
    assert told[0].payload.parent_id is None


async def test_a_timeout_of_the_inner_run_is_not_the_outer_ones(play, clock):
    """It keeps its type, is retried, and fires no on_timeout out here."""
    fired = []
    model = ScriptedModel([stall(9)], ["a"])
    run = await play(
        lambda: l0.run(model, retry=False, clock=clock, timeout=l0.Timeout(initial_token=5)),
        on_timeout=lambda *args: fired.append(args),
        timeout=l0.Timeout(initial_token=60),
    )
    assert (run.shown, fired) == ("a", [])
    assert isinstance(run.stream.errors[0], l0.errors.InitialTokenTimeoutError)


async def test_an_error_of_an_earlier_attempt_is_not_the_context_of_a_later_one(play):
    """Each failure stands for itself, so that it is classified by itself."""
    first, second = ConnectionResetError("one"), ValueError("two")
    run = await play(ScriptedModel([fail(first)], [fail(second)]), retry=Retry(1, base_delay=0))
    assert run.stream.errors[0] is first
    errors = run.stream.errors
    assert errors[1] is second
    assert (second.__context__, second.__cause__) == (None, None)


@pytest.mark.parametrize(
    ("said", "whole"),
    [
        (["two ", "three", 2, "o ", "four"], "one two four"),
        (["two ", "three", 4, "four"], "one two four"),
        (["tw", 1, "wo ", "four"], "one two four"),
        (["two ", "three", 7, "ee"], "one two three"),
    ],
    ids=["inside the overlap", "at its end", "while held back", "behind it"],
)
async def test_what_still_stands_of_a_withdrawn_overlap_is_compared_again(play, said, whole):
    """The source's text is what it kept and what it writes then."""
    items = [
        Event(EventType.RESTART, kept_chars=item) if isinstance(item, int) else item
        for item in said
    ]
    run = await play(ScriptedModel(["one ", "two ", fail(NET)], items), continuation=True)
    assert run.shown == run.state.content == whole
