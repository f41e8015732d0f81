"""Chunks damaged field by field: decoders answer with events or a documented error, never else."""

# ruff: noqa: PT017  (an error may come or not: if it does, what it says is checked)
from __future__ import annotations

import asyncio
import re
import sys
from pathlib import Path

import msgspec
import pytest
from fuzz_kit import SIZE, as_objects, bounded, damaged, examples, nested, nested_objects
from hypothesis import given, settings
from hypothesis import strategies as st

import l0
from l0.adapters import (
    AnthropicAdapter,
    LiteLLMAdapter,
    OpenAIAdapter,
    OpenAIResponsesAdapter,
    PassthroughAdapter,
    as_events,
    to_multimodal_l0_events,
)
from l0.errors import Error, InvalidStreamError, NetworkError
from l0.events import Event, EventType
from l0.events._serialize import encode
from l0.testing import VirtualClock, check_run

sys.path.append(str(Path(__file__).parent.parent / "adapters"))

from adapter_chunks import (
    block_delta,
    block_start,
    call_item,
    chat,
    message_end,
    message_start,
    output,
    response,
    response_call,
    text_delta,
    tool,
    tool_block,
    tools,
)

LONE = re.compile("[\ud800-\udfff]")
USAGE = {
    "prompt_tokens": 3,
    "completion_tokens": 2,
    "total_tokens": 5,
    "prompt_tokens_details": {"cached_tokens": 1},
    "completion_tokens_details": {"reasoning_tokens": 1},
}
CHAT = [
    chat("a"),
    chat("b", index=1),
    chat([{"type": "thinking", "thinking": [{"text": "t"}]}, {"type": "text", "text": "x"}]),
    chat(reasoning="hm", reasoning_details=[{"text": "hm"}], refusal="no"),
    chat(audio={"data": "AAAA", "transcript": "hi"}),
    chat(function_call={"name": "f", "arguments": '{"a": 1}'}),
    tools(tool("", id="c", name="f"), tool('{"a": ', index=1, id="d", name="g")),
    tools(tool('{"a": 1}'), tool({"a": [1]}, index=1)),
    tools({"index": 0, "custom": {"name": "h", "input": "free"}, "id": "x"}),
    chat(finish="tool_calls"),
    chat(finish="stop", usage=USAGE),
    {"error": {"message": "m", "type": "t", "code": "429"}},
    {"choices": [{"text": "old", "index": 0}]},
]
RESPONSES = [
    response("created"),
    response("completed", usage={"input_tokens": 1, "output_tokens": 2}),
    response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    response("failed", error={"code": "rate_limit_exceeded", "message": "m"}),
    output("output_text.delta", "x"),
    output("refusal.delta", "No"),
    output("reasoning_summary_text.delta", "hm"),
    *response_call('{"a"', ":1}"),
    output("output_item.done", item=call_item('{"a": 1}', status="completed")),
    output("custom_tool_call_input.delta", "a"),
    output("custom_tool_call_input.done", input="ab"),
    {"type": "error", "code": "server_error", "message": "m", "param": None},
]
MESSAGES = [
    message_start(cache_read_input_tokens=4),
    text_delta("x"),
    block_start({"type": "thinking", "thinking": "t", "signature": ""}),
    block_delta({"type": "thinking_delta", "thinking": "hm"}),
    block_delta({"type": "citations_delta", "citation": {"cited_text": "so", "file_id": None}}),
    *tool_block('{"a"', ":1}", id="c1"),
    *tool_block(id="c2", input={"b": [1, 2.5, None]}, index=1),
    *message_end("tool_use"),
    {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}},
]
EVENTS = [
    {"type": "token", "text": "x"},
    {"type": "token", "value": "x", "start": 3},
    {"type": "message", "text": "m", "data": {"role": "assistant"}},
    {"type": "data", "payload": {"data": "AAAA", "mime_type": "image/png"}},
    {"type": "progress", "progress": {"percent": 50.0, "message": "m"}},
    {"type": "tool_call", "data": {"id": "c", "name": "f", "arguments": {"a": 1}}},
    {"type": "tool_call", "tool_call": {"id": "c", "name": "f", "arguments": {}, "index": 0}},
    {"type": "complete", "usage": {"input_tokens": 1}, "finish_reason": "stop"},
    {"type": "error", "error": {"message": "m", "code": 429}},
    {"type": "restart", "kept_chars": 2, "reason": "x"},
    *CHAT[:2],
    *RESPONSES[:2],
    *MESSAGES[:2],
]
WIRES = {
    "chat": (OpenAIAdapter(), CHAT, {"include_reasoning": True}),
    "litellm": (LiteLLMAdapter(), CHAT, {"emit_function_calls_as_tokens": True}),
    "responses": (OpenAIResponsesAdapter(), RESPONSES, {"include_reasoning": True}),
    "messages": (
        AnthropicAdapter(),
        MESSAGES,
        {"include_thinking": True, "include_citations": True},
    ),
    "events": (PassthroughAdapter(), EVENTS, None),
}


def check(event):
    """An event that the runtime, the log and the views can do with."""
    assert type(event) is Event
    assert isinstance(event.type, EventType)
    assert event.text is None or type(event.text) is str
    if event.type is EventType.TOKEN:
        assert event.text
    if event.type is EventType.TOOL_CALL:
        assert type(event.tool_call.arguments) is dict
        assert type(event.tool_call.name) is str
    msgspec.json.decode(encode(event)[0])


@pytest.mark.parametrize("wire", WIRES)
@settings(max_examples=examples(80), deadline=None)
@given(data=st.data())
def test_a_damaged_chunk_gives_events_or_a_documented_error(wire, data):
    """InvalidStreamError names what can't be a chunk; the end may be a NetworkError."""
    adapter, seeds, options = WIRES[wire]
    chunks = data.draw(st.lists(damaged(st.sampled_from(seeds)), min_size=1, max_size=6))
    shape = data.draw(st.sampled_from([lambda chunk: chunk, as_objects]))
    decoder = adapter.decoder(options)
    try:
        for chunk in chunks:
            for event in as_events(decoder.feed(shape(chunk))):
                check(event)
        for event in decoder.finish():
            check(event)
    except (InvalidStreamError, NetworkError) as error:
        assert str(error)
    assert decoder.usage is None or decoder.usage.input_tokens >= 0
    msgspec.json.decode(encode([decoder.usage, decoder.finish_reason, decoder.model])[0])
    assert all(
        type(adapter.detect_chunk(shape(chunk))) is bool for chunk in chunks if wire != "events"
    )


@settings(max_examples=examples(60), deadline=None)
@given(
    st.lists(st.sampled_from([*CHAT, *RESPONSES, *MESSAGES, *EVENTS]), max_size=3),
    st.lists(damaged(st.sampled_from([*CHAT, *RESPONSES, *MESSAGES, *EVENTS])), max_size=4),
    st.booleans(),
)
def test_a_run_over_damaged_chunks_ends_as_runs_end(sound, odd, objects):
    """Completed, or failed with an error of the library; what happened can be read again."""
    told = []
    chunks = [*sound, *odd]

    async def chunks_again():
        for chunk in chunks:
            yield as_objects(chunk) if objects else chunk

    async def main():
        store = l0.events.InMemoryEventStore()
        stream = l0.run(
            chunks_again,
            retry=l0.Retry(attempts=1, base_delay=0, max_retries=1),
            clock=VirtualClock(),
            on_event=told.append,
            event_store=store,
        )
        try:
            text = await stream.read()
        except Error as error:
            assert str(error)
            text = None
        assert (await l0.verify(store, stream.stream_id)).ok
        again = await l0.replay(store, stream.stream_id).read()
        assert text is None or again == LONE.sub("\ufffd", text)

    asyncio.run(main())
    check_run(told)


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(damaged(st.sampled_from(EVENTS)), max_size=3), st.data())
def test_extractors_that_give_anything_give_events_or_say_what_they_gave(items, data):
    names = ["extract_text", "extract_data", "extract_progress", "extract_message", "extract_error"]
    name = data.draw(st.sampled_from(names))

    async def main():
        return [event async for event in to_multimodal_l0_events(items, **{name: lambda x: x})]

    try:
        for event in asyncio.run(main()):
            assert isinstance(event, Event)
    except InvalidStreamError as error:
        assert name in str(error)


CHAT_TOOLS = {
    "a list in pieces that each repeat the name": lambda n: [
        tools(tool('{"a": [{}' if not at else ',{"k": "v"}', name="f")) for at in range(n)
    ],
    "a call an index": lambda n: [tools(tool("{}", index=at, id="c", name="f")) for at in range(n)],
    "a call an id": lambda n: [tools(tool("{}", id=f"c{at}", name="f")) for at in range(n)],
    "pieces in turn": lambda n: [tools(tool("{", index=at % (n // 2))) for at in range(n)],
    "one long list": lambda n: [tools(*(tool("1", index=at) for at in range(n)))],
}


@pytest.mark.parametrize("name", CHAT_TOOLS)
def test_many_pieces_of_calls_cost_as_much_as_they_are(name):
    chunks = CHAT_TOOLS[name](12_000)
    decoder = OpenAIAdapter().decoder()
    with bounded(3):
        for chunk in chunks:
            decoder.feed(chunk)
        decoder.feed(chat(finish="tool_calls"))
        decoder.finish()


def test_a_call_that_is_said_to_be_done_again_and_again_is_read_once():
    decoder = OpenAIResponsesAdapter().decoder()
    decoder.feed(output("function_call_arguments.delta", '{"a": "' + "x" * SIZE * 10 + '"},{}'))
    with bounded():
        for _ in range(20_000):
            decoder.feed(output("function_call_arguments.done", arguments=""))


@pytest.mark.parametrize("depth", [200, 900, 3000])
@pytest.mark.parametrize("objects", [False, True], ids=["dicts", "objects"])
def test_arguments_that_nest_too_deep_are_no_call_without_arguments(depth, objects):
    """What can't be read must not be taken for a call that needs nothing."""
    chunks = tool_block(input={"a": nested(depth)}, id="c")
    decoder, events = AnthropicAdapter().decoder(), []
    for chunk in [message_start(), *chunks, *message_end("tool_use")]:
        events += as_events(decoder.feed(as_objects(chunk) if objects else chunk))
    (call,) = [event.tool_call for event in events if event.tool_call]
    assert call.errors or call.arguments == {"a": nested(depth)}
    assert call.arguments


def test_an_object_that_holds_itself_is_an_error_and_no_hang():
    """As a plugin of a client may make one."""
    body = {"message": "m"}
    body["again"] = body
    chunk = as_objects({"choices": [], "error": None})
    chunk.error = type("Odd", (), {})()
    chunk.error.message, chunk.error.again = "m", chunk.error
    with bounded():
        (event,) = as_events(OpenAIAdapter().decoder().feed({"error": body}))
        check(event)
        (event,) = as_events(OpenAIAdapter().decoder().feed(chunk))
        check(event)


def test_an_error_body_as_deep_as_python_reads_is_told():
    decoder = OpenAIAdapter().decoder()
    (event,) = as_events(decoder.feed({"error": nested_objects(900, "error")}))
    assert "inside the stream" in str(event.error)
    check(event)
