"""Provider chunks without a provider: the payloads of the wire, exact to the SDKs' own types."""

from __future__ import annotations

import contextlib
import copy
import json
import pickle

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.testing._chunks import Chunk, anthropic_events, openai_chunks, responses_events
from l0.testing._wire import Answer, Call
from l0.testing._wire_chat import ChatWire
from l0.testing._wire_messages import MessagesWire
from l0.testing._wire_responses import ResponsesWire

MAKERS = [openai_chunks, responses_events, anthropic_events]
WIRES = [ChatWire, ResponsesWire, MessagesWire]
CALLS = [("f", {"a": 1}), ("id9", "g", "{not json")]
NAMES = st.sampled_from(
    [
        *("messages", "input", "role", "content", "type", "text", "output", "thinking"),
        *("max_tokens", "user", "tool", "tool_result", "stream", "stream_options"),
        *("reasoning", "include_usage"),
    ]
)
ANSWERS = st.builds(
    Answer,
    tokens=st.lists(st.text(min_size=1), max_size=5),
    reasoning=st.lists(st.text(min_size=1), max_size=3),
    calls=st.lists(
        st.builds(
            Call,
            id=st.just("call_1"),
            name=st.just("f"),
            fragments=st.lists(st.text(), min_size=1, max_size=3),
        ),
        max_size=3,
    ),
    finish_reason=st.sampled_from(["stop", "length", "content_filter", "pause"]),
    usage=st.booleans(),
    background=st.booleans(),
)


def data_of(stream: bytes) -> list:
    """The JSON of each event of a body."""
    lines = stream.decode("utf-8", "surrogatepass").split("\n")
    data = [line.removeprefix("data: ") for line in lines if line.startswith("data: ")]
    return [json.loads(line) for line in data if line != "[DONE]"]


@pytest.mark.parametrize("wire", WIRES)
@given(answer=ANSWERS)
def test_the_wire_and_the_payloads_say_the_same(wire, answer: Answer) -> None:
    speaker = wire(answer)
    body = b"".join(speaker.head()) + b"".join(speaker.units()) + speaker.tail()
    assert data_of(body) == list(wire(answer).payloads())


@pytest.mark.parametrize("wire", WIRES)
@given(answer=ANSWERS)
def test_every_token_is_one_unit(wire, answer: Answer) -> None:
    speaker = wire(answer)
    list(speaker.head())
    units = list(speaker.units())
    assert len(units) == len(answer.tokens) + sum(len(call.fragments) for call in answer.calls)


@given(answer=ANSWERS, data=st.data())
def test_a_resumed_stream_is_the_rest_of_the_first_byte_for_byte(answer: Answer, data) -> None:
    def body(wire: ResponsesWire) -> bytes:
        return b"".join(wire.head()) + b"".join(wire.units()) + wire.tail()

    whole = body(ResponsesWire(answer))
    events = whole.split(b"\n\n")
    after = data.draw(st.integers(-1, len(events)))
    assert body(ResponsesWire(answer, after)) == b"\n\n".join(events[after + 1 :])


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | NAMES | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


@pytest.mark.parametrize("wire", WIRES)
@given(body=st.dictionaries(NAMES, JSON, max_size=5))
def test_no_request_surprises_a_wire(wire, body: dict) -> None:
    """A body that can't be is a `ValueError`, which becomes a 400; the rest is text."""
    turns = []
    with contextlib.suppress(ValueError):
        turns = wire.turns(body)
    assert all(isinstance(turn.text, str) for turn in turns)
    assert wire.max_tokens(body) is None or isinstance(wire.max_tokens(body), int)
    assert wire.wants_reasoning(body) in (True, False)
    assert wire.wants_usage(body) in (True, False)


@pytest.mark.parametrize("wire", WIRES)
def test_garbage_is_one_event_that_is_not_json(wire) -> None:
    event = wire(Answer(tokens=["a"])).garbage()
    assert event.endswith(b"\n\n")
    assert event.count(b"data: ") == 1
    with pytest.raises(ValueError):
        data_of(event)


@pytest.mark.parametrize("wire", WIRES)
def test_a_lone_surrogate_goes_over_the_wire(wire) -> None:
    answer = Answer(tokens=["a", "\ud83d", "b"])
    body = b"".join(wire(answer).units())
    assert "\ud83d" in json.dumps(data_of(body), ensure_ascii=False)
    assert json.dumps(wire(answer).body())


@pytest.mark.sdk
@settings(max_examples=25, deadline=None)  # the SDK builds its types on first use
@given(answer=ANSWERS)
def test_chat_chunks_are_what_the_sdk_declares(answer: Answer) -> None:
    from openai.types.chat import ChatCompletion, ChatCompletionChunk

    for payload in ChatWire(answer).payloads():
        ChatCompletionChunk.model_validate(payload)
    ChatCompletion.model_validate(ChatWire(answer).body())


@pytest.mark.sdk
@settings(max_examples=25, deadline=None)  # the SDK builds its types on first use
@given(answer=ANSWERS, failed=st.booleans())
def test_responses_events_are_what_the_sdk_declares(answer: Answer, failed: bool) -> None:
    from openai.types.responses import Response, ResponseStreamEvent
    from pydantic import TypeAdapter

    event = TypeAdapter(ResponseStreamEvent)
    wire = ResponsesWire(answer)
    for payload in wire.payloads():
        event.validate_python(payload)
    event.validate_python(wire.stamp(wire.error(None, failed=failed)))
    Response.model_validate(ResponsesWire(answer).body())


@pytest.mark.sdk
@settings(max_examples=25, deadline=None)  # the SDK builds its types on first use
@given(answer=ANSWERS.filter(lambda answer: answer.usage))
def test_messages_events_are_what_the_sdk_declares(answer: Answer) -> None:
    from anthropic.types import Message, RawMessageStreamEvent
    from pydantic import TypeAdapter

    event = TypeAdapter(RawMessageStreamEvent)
    for payload in MessagesWire(answer).payloads():
        if payload["type"] != "ping":  # which the SDK keeps to itself
            event.validate_python(payload)
    Message.model_validate(MessagesWire(answer).body())


@pytest.mark.parametrize("make", MAKERS)
def test_chunks_come_as_objects_or_dicts_with_the_same_content(make) -> None:
    options = {"tool_calls": CALLS, "reasoning": "Hm", "chunk_chars": 2}
    objects, dicts = make("Hello", **options), make("Hello", **options, as_dicts=True)
    assert len(objects) == len(dicts)
    assert all(isinstance(chunk, Chunk) for chunk in objects)
    assert all(isinstance(chunk, dict) for chunk in dicts)
    assert json.dumps(dicts)
    assert copy.deepcopy(objects) == pickle.loads(pickle.dumps(objects)) == objects


def test_chat_chunks_read_like_the_sdks() -> None:
    chunks = openai_chunks("Hello world", tool_calls=CALLS)
    text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
    assert text == "Hello world"
    parts = [p for c in chunks if c.choices for p in c.choices[0].delta.tool_calls or []]
    assert [part.id for part in parts if part.id] == ["call_0", "id9"]
    assert "".join(p.function.arguments for p in parts if p.index == 1) == "{not json"
    assert [c.choices[0].finish_reason for c in chunks if c.choices][-1] == "tool_calls"
    assert chunks[-1].usage.completion_tokens > 2
    assert chunks[-1].choices == []


def test_responses_events_read_like_the_sdks() -> None:
    events = responses_events("Hello world", tool_calls=CALLS)
    assert "".join(e.delta for e in events if e.type == "response.output_text.delta") == (
        "Hello world"
    )
    done = [e for e in events if e.type == "response.function_call_arguments.done"]
    assert [event.arguments for event in done] == ['{"a": 1}', "{not json"]
    assert events[-1].response.usage.output_tokens > 2
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_anthropic_events_read_like_the_sdks() -> None:
    events = anthropic_events("Hello world", tool_calls=CALLS, reasoning="Hm")
    deltas = [event.delta for event in events if event.type == "content_block_delta"]
    assert "".join(d.text for d in deltas if d.type == "text_delta") == "Hello world"
    assert "".join(d.thinking for d in deltas if d.type == "thinking_delta") == "Hm"
    blocks = [e.content_block for e in events if e.type == "content_block_start"]
    assert [block.type for block in blocks] == ["thinking", "text", "tool_use", "tool_use"]
    assert blocks[2].input == {}
    assert events[-2].delta.stop_reason == "tool_use"


@pytest.mark.parametrize("make", MAKERS)
def test_tokens_given_as_a_list_stay_as_they_are(make) -> None:
    dump = json.dumps(make(["He", "llo ", "wor"], as_dicts=True, finish_reason=None))
    assert all(f'"{token}"' in dump for token in ("He", "llo ", "wor"))


@pytest.mark.parametrize("make", MAKERS)
def test_without_a_finish_the_last_chunk_is_the_last_token(make) -> None:
    whole = make("Hello world", as_dicts=True)
    broken = make("Hello world", finish_reason=None, as_dicts=True)
    assert whole[: len(broken)] == broken
    assert '" world"' in json.dumps(broken[-1])


def test_usage_may_be_left_out() -> None:
    assert openai_chunks("Hi", usage=False)[-1].usage is None
    assert responses_events("Hi", usage=False)[-1].response.usage is None
    assert anthropic_events("Hi", usage=False)[-2].usage is None


@pytest.mark.parametrize("make", MAKERS)
def test_a_finish_that_cannot_be_is_refused(make) -> None:
    with pytest.raises(ValueError, match="finish_reason must be one of"):
        make("Hi", finish_reason="done")


def test_a_field_no_provider_has_is_an_error() -> None:
    (first, *_) = openai_chunks("Hi")
    assert first.usage is None
    with pytest.raises(AttributeError, match="no field 'contents'"):
        _ = first.contents
