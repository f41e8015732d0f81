"""S64, S65: what the model asks for is handed over complete, in order, and told as it happens."""

from __future__ import annotations

import pytest

import l0
from l0.errors import FeatureNotEnabledError, ToolArgumentsError
from l0.events import Event, EventType, ToolArgumentError
from l0.testing import (
    ScriptedModel,
    anthropic_events,
    end,
    fail,
    openai_chunks,
    responses_events,
    tool,
)

CALLS = [("call_1", "f", {"a": 1}), ("call_2", "g", {"b": [2]})]


def delta(*calls, finish=None):
    """A Chat Completions chunk: `(index, id, name, arguments)` of each fragment."""
    fragments = [
        {"index": i, "id": id, "function": {"name": name, "arguments": arguments}}
        for i, id, name, arguments in calls
    ]
    choice = {"index": 0, "delta": {"tool_calls": fragments}, "finish_reason": finish}
    return {"object": "chat.completion.chunk", "id": "c", "model": "m", "choices": [choice]}


async def test_s64_fragments_become_one_call(play):
    """TOOL_REQUESTED once, on_tool_call at the hand-over, before COMPLETE."""
    story = []
    run = await play(
        lambda: [
            delta((0, "call_1", "f", "")),
            delta((0, None, None, '{"a"')),
            delta((0, None, None, ":1}")),
            delta(finish="tool_calls"),
        ],
        on_tool_call=lambda *args: story.append(args),
        on_event=lambda event: story.append(event.type),
    )
    told = run.one("TOOL_REQUESTED")
    assert (told.tool_name, told.tool_call_id, told.arguments) == ("f", "call_1", {"a": 1})
    story = [entry for entry in story if isinstance(entry, tuple) or entry.startswith(("TO", "CO"))]
    assert story == ["TOOL_REQUESTED", ("f", "call_1", {"a": 1}), "COMPLETE"]
    assert [e.type for e in run.events] == ["tool_call", "complete"]
    assert run.state.tool_calls[0].raw == '{"a":1}'
    assert run.state.finish_reason == "tool_calls"


async def test_s64_interleaved_calls_come_in_the_order_of_their_index(play):
    """Two calls, two events."""
    run = await play(
        lambda: [
            delta((1, "call_2", "g", "{")),
            delta((0, "call_1", "f", '{"a"')),
            delta((1, None, None, "}"), (0, None, None, ":1}")),
            delta(finish="tool_calls"),
        ]
    )
    assert [call.name for call in run.state.tool_calls] == ["f", "g"]
    assert [e.index for e in run.all("TOOL_REQUESTED")] == [0, 1]


async def test_s64_invalid_arguments_are_delivered_as_they_came(play):
    """`_raw`, an entry in `errors`, and TOOL_ERROR."""
    run = await play(
        lambda: [delta((0, "call_1", "f", "{oops")), delta(finish="tool_calls")],
    )
    (call,) = run.state.tool_calls
    assert call.arguments == {"_raw": "{oops"}
    assert call.errors[0].code == "invalid_json"
    told = run.one("TOOL_ERROR")
    assert (told.tool_call_id, told.errors) == ("call_1", list(call.errors))
    assert run.types.index("TOOL_REQUESTED") + 1 == run.types.index("TOOL_ERROR")


async def test_tool_errors_can_fail_the_attempt(play):
    """TOOL_ARGUMENTS_INVALID, retried as a guardrail violation; nothing of it is handed over."""

    def validate(name, arguments):
        return [ToolArgumentError("missing_required", "city", "is required")] * (not arguments)

    model = ScriptedModel([tool("1", "f")], [tool("2", "f", {"city": "Ulm"})])
    run = await play(model, tool_validator=validate, tool_errors="retry")
    assert [call.id for call in run.state.tool_calls] == ["2"]
    assert [e.type for e in run.events] == ["tool_call", "complete"]
    assert isinstance(run.stream.errors[0], ToolArgumentsError)
    assert run.one("RETRY_ATTEMPT").reason == "guardrail_violation"
    assert run.one("ERROR").failure_type == "tool"


async def test_a_validator_that_finds_nothing_may_say_nothing(play):
    """None, as a function without a return gives it."""
    run = await play(ScriptedModel([tool("1", "f")]), tool_validator=lambda name, arguments: None)
    assert [call.errors for call in run.state.tool_calls] == [()]


@pytest.mark.parametrize("given", [["city is missing"], "no", False, 3], ids=repr)
async def test_a_validator_that_gives_something_else_is_told_what_to_give(clock, given):
    """Its own mistake: not retried, and not taken for the model's."""
    model = ScriptedModel([tool("1", "f")])
    stream = l0.run(model, tool_validator=lambda name, arguments: given, clock=clock)
    with pytest.raises(TypeError, match=r"tool_validator gave .* it gives a list of Tool"):
        await stream.read()
    assert model.calls == 1


async def test_buffered_calls_come_together_in_order(play):
    """After the text, before the end."""
    model = ScriptedModel([tool("2", "g", index=1), "a", tool("1", "f", index=0), "b"])
    run = await play(model, buffer_tool_calls=True)
    handed = [e.text or (e.tool_call.id if e.tool_call else None) for e in run.events]
    assert handed == ["a", "b", "1", "2", None]


@pytest.mark.parametrize(
    "chunks",
    [
        lambda: openai_chunks("Hello there", tool_calls=CALLS, finish_reason="tool_calls"),
        lambda: anthropic_events("Hello there", tool_calls=CALLS, finish_reason="tool_calls"),
        lambda: responses_events("Hello there", tool_calls=CALLS),
    ],
    ids=["chat", "messages", "responses"],
)
async def test_s65_every_provider_gives_the_same_events(play, chunks):
    """The same answer, whoever sends it."""
    run = await play(chunks)
    texts = "".join(e.text for e in run.events if e.is_token)
    calls = [e.tool_call for e in run.events if e.is_tool_call]
    assert (texts, run.events[-1].type) == ("Hello there", "complete")
    assert [(call.id, call.name, call.arguments) for call in calls] == CALLS
    assert [call.index for call in calls] == [0, 1]
    assert (run.state.finish_reason, run.state.usage.requests) == ("tool_calls", 1)
    assert run.state.usage.input_tokens == 10
    assert run.events[-1].usage == run.state.usage


async def test_a_tool_is_executed_between_its_events(clock):
    """TOOL_START, TOOL_RESULT, TOOL_COMPLETED; what fails says so."""
    told = []
    stream = l0.run(
        ScriptedModel([tool("1", "f", {"x": 2}), tool("2", "g"), "done"]),
        clock=clock,
        on_event=told.append,
    )

    async def double(x):
        return 2 * x

    def broken():
        raise LookupError("no such city")

    results = []
    async for event in stream:
        if event.is_tool_call:
            fn = double if event.tool_call.name == "f" else broken
            try:
                results.append(await stream.call_tool(event.tool_call, fn))
            except LookupError as error:
                results.append(str(error))
    assert results == [4, "no such city"]
    story = [e for e in told if e.type.startswith("TOOL_") and e.type != "TOOL_REQUESTED"]
    assert [(e.type, e.payload.tool_call_id) for e in story] == [
        ("TOOL_START", "1"),
        ("TOOL_RESULT", "1"),
        ("TOOL_COMPLETED", "1"),
        ("TOOL_START", "2"),
        ("TOOL_ERROR", "2"),
        ("TOOL_COMPLETED", "2"),
    ]
    assert [e.payload.status for e in story if e.type == "TOOL_COMPLETED"] == ["success", "error"]
    with pytest.raises(FeatureNotEnabledError, match="inside"):
        await stream.call_tool(stream.state.tool_calls[0], double)


async def test_a_result_that_contains_itself_is_told_as_text(clock):
    """The tool has run: what it gave goes to the caller, and its story to its end."""
    told, ring = [], []
    ring.append(ring)
    stream = l0.run(ScriptedModel([tool("1", "f"), "done"]), clock=clock, on_event=told.append)
    async for event in stream:
        if event.is_tool_call:
            assert await stream.call_tool(event.tool_call, lambda: ring) is ring
    payloads = {e.type: e.payload for e in told}
    assert payloads["TOOL_RESULT"].result == "[[...]]"
    assert payloads["TOOL_COMPLETED"].status == "success"


async def test_a_call_with_invalid_arguments_is_not_executed(clock):
    """Truncated arguments must not become a call."""
    ran = []
    async with l0.run(
        lambda: [delta((0, "call_1", "f", '{"path": "/tm')), delta(finish="tool_calls")],
        clock=clock,
    ) as stream:
        async for event in stream:
            if event.is_tool_call:
                with pytest.raises(ToolArgumentsError):
                    await stream.call_tool(event.tool_call, lambda **args: ran.append(args))
    assert ran == []


async def test_results_the_source_reports_are_told(play):
    """TOOL_RESULT or TOOL_ERROR, and TOOL_COMPLETED."""
    good = Event(EventType.TOOL_RESULT, data={"id": "1", "name": "f", "result": {"n": 1}})
    bad = Event(EventType.TOOL_RESULT, data={"id": "2", "name": "g", "error": "refused"})
    run = await play(ScriptedModel([good, bad, "a", end()]))
    assert run.one("TOOL_RESULT").result == {"n": 1}
    assert run.one("TOOL_ERROR").error == "refused"
    assert [e.status for e in run.all("TOOL_COMPLETED")] == ["success", "error"]
    assert [e.type for e in run.events] == ["tool_result", "tool_result", "token", "complete"]


async def test_a_call_of_a_failed_attempt_falls_away(play):
    """The consumer is told to forget it, though no text was shown."""
    model = ScriptedModel([tool("1", "f"), fail(ConnectionResetError("gone"))], [tool("2", "f")])
    run = await play(model)
    assert [e.type for e in run.events] == ["tool_call", "restart", "tool_call", "complete"]
    assert [call.id for call in run.state.tool_calls] == ["2"]


async def test_nothing_before_the_first_chunk_does_not_choose_the_adapter(play):
    """A provider's stream may begin with an empty item."""
    run = await play(lambda: [None, *openai_chunks("Hello")])
    assert run.shown == "Hello"
    assert run.one("ADAPTER_DETECTED").adapter_id == "openai"
