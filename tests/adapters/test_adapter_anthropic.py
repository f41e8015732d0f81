"""Events of Anthropic's Messages API, raw and as the SDK's message stream yields them."""

from types import SimpleNamespace

import pytest
from adapter_chunks import (
    as_objects,
    block_delta,
    block_start,
    block_stop,
    calls_of,
    decode,
    feed_all,
    message_end,
    message_start,
    output,
    response,
    response_call,
    text_delta,
    text_of,
    tool_block,
)

from l0.adapters import ACTIVITY, AnthropicAdapter, OpenAIResponsesAdapter
from l0.errors import InvalidStreamError, NetworkError, ProviderError
from l0.events import Event, EventType, ToolCall, Usage

ADAPTER = AnthropicAdapter()
SHAPES = pytest.mark.parametrize("shape", [lambda chunk: chunk, as_objects], ids=["dict", "object"])
CITATION = {"type": "char_location", "cited_text": "so it is", "document_index": 0}


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("seen", [0, 2, 4])
def test_a_connection_that_ends_without_message_stop_is_a_network_error(seen):
    events = [message_start(), block_start({"type": "text", "text": ""}), text_delta("a")]
    events = [*events, *message_end()][:seen]
    decoder = ADAPTER.decoder(stream=SimpleNamespace(response=object()))
    feed_all(decoder, events)
    with pytest.raises(NetworkError, match="without message_stop") as error:
        decoder.finish()
    assert error.value.type == "partial_chunks"


@SHAPES
@pytest.mark.parametrize(
    ("kind", "category"),
    [
        ("overloaded_error", "transient"),
        ("invalid_request_error", "fatal"),
        ("new_error", "provider"),
    ],
)
def test_an_error_event_is_a_provider_error_of_its_category(shape, kind, category):
    event = ADAPTER.decoder().feed(
        shape({"type": "error", "error": {"type": kind, "message": "No"}})
    )
    assert isinstance(event.error, ProviderError)
    assert event.error.category == category
    assert str(event.error) == f"No ({kind})"


def test_usage_can_be_read_when_the_attempt_has_failed():
    decoder = ADAPTER.decoder()
    feed_all(decoder, [message_start(), text_delta("a")])
    assert decoder.usage == Usage(10, 1, requests=1)
    assert (decoder.model, decoder.response_id) == ("claude-test", "msg_1")


CUTS = {
    "inside the block": tool_block('{"x"')[:2],
    "before the block ends": tool_block('{"x":1}')[:2],
    "empty block, no stop reason": tool_block(),
    "empty block at the limit": [*tool_block(), *message_end("max_tokens")],
    "broken block at the limit": [*tool_block('{"x'), *message_end("max_tokens")],
    "context window": [*tool_block('{"x'), *message_end("model_context_window_exceeded")],
    "refused": [*tool_block('{"x'), *message_end("refusal")],
}


@SHAPES
@pytest.mark.parametrize("events", CUTS.values(), ids=CUTS)
def test_a_cut_call_is_dropped(shape, events):
    assert calls_of(decode(ADAPTER, map(shape, events))) == []


def test_events_of_no_known_type_fail_at_the_end():
    decoder = ADAPTER.decoder()
    feed_all(decoder, [SimpleNamespace(choices=[])])
    with pytest.raises(InvalidStreamError, match=r"'anthropic' knows.*SimpleNamespace"):
        decoder.finish()


# --- what each event means -----------------------------------------------------------------------

KINDS = {
    "text": (text_delta("a"), "a"),
    "empty text": (text_delta(""), None),
    "ping": ({"type": "ping"}, None),
    "message start": (message_start(), None),
    "text block": (block_start({"type": "text", "text": ""}), ACTIVITY),
    "text block that begins with text": (block_start({"type": "text", "text": "a"}), ["a"]),
    "thinking block": (block_start({"type": "thinking", "thinking": "hm"}), ACTIVITY),
    "tool block": (tool_block()[0], ACTIVITY),
    "server tool": (block_start({"type": "server_tool_use", "name": "x", "input": {}}), ACTIVITY),
    "thinking": (block_delta({"type": "thinking_delta", "thinking": "hm"}), ACTIVITY),
    "signature": (block_delta({"type": "signature_delta", "signature": "s"}), ACTIVITY),
    "fragment": (block_delta({"type": "input_json_delta", "partial_json": "{"}), ACTIVITY),
    "citation": (block_delta({"type": "citations_delta", "citation": CITATION}), ACTIVITY),
    "something new": (block_delta({"type": "hologram_delta", "x": 1}), ACTIVITY),
    "block stop": (block_stop(), ACTIVITY),
    "message delta": (message_end()[0], None),
    "repeated text": ({"type": "text", "text": "a", "snapshot": "a"}, None),
    "repeated thinking": ({"type": "thinking", "thinking": "a", "snapshot": "a"}, None),
    "repeated citation": ({"type": "citation", "citation": {}, "snapshot": []}, None),
    "repeated signature": ({"type": "signature", "signature": "a"}, None),
    "repeated fragment": ({"type": "input_json", "partial_json": "{", "snapshot": {}}, None),
    "another event": ({"type": "something_new"}, None),
}


@SHAPES
@pytest.mark.parametrize(("event", "meaning"), KINDS.values(), ids=KINDS)
def test_every_kind_of_event_has_its_meaning(shape, event, meaning):
    decoder = ADAPTER.decoder()
    decoder.feed(shape(message_start()))
    assert decoder.feed(shape(event)) == meaning


def test_pings_count_before_the_first_token():
    assert ADAPTER.decoder().pings_before_first_token is True


@SHAPES
def test_thinking_asked_for_is_a_message(shape):
    events = [
        block_start({"type": "thinking", "thinking": "h"}),
        block_delta({"type": "thinking_delta", "thinking": "m"}),
        block_delta({"type": "thinking_delta", "thinking": ""}),
        block_delta({"type": "signature_delta", "signature": "s"}),
        *message_end(),
    ]
    found = decode(ADAPTER, map(shape, events), {"include_thinking": True})
    about = {"role": "assistant", "kind": "thinking"}
    assert [(e.text, e.data) for e in found if e.is_message] == [("h", about), ("m", about)]


@SHAPES
def test_a_citation_asked_for_is_a_message_with_the_citation(shape):
    delta = block_delta({"type": "citations_delta", "citation": CITATION}, 2)
    event = ADAPTER.decoder({"include_citations": True}).feed(shape(delta))
    data = {"role": "assistant", "kind": "citation", "citation": CITATION, "block": 2}
    assert event == Event(EventType.MESSAGE, "so it is", data=data)


# --- calls ---------------------------------------------------------------------------------------


@SHAPES
def test_a_call_is_delivered_when_its_block_stops(shape):
    decoder = ADAPTER.decoder()
    *before, at_stop = feed_all(decoder, map(shape, tool_block('{"a"', ":1}")))
    assert before == [ACTIVITY] * 3
    (event,) = at_stop
    assert event.tool_call == ToolCall("toolu_1", "f", {"a": 1}, '{"a":1}')
    assert event.data == {"id": "toolu_1", "name": "f", "arguments": {"a": 1}, "index": 0}


@SHAPES
def test_a_block_without_fragments_is_called_with_its_input(shape):
    events = [*tool_block(input={"a": [1, {"b": "ü"}]}), *message_end("tool_use")]
    (call,) = calls_of(decode(ADAPTER, map(shape, events)))
    assert call.arguments == {"a": [1, {"b": "ü"}]}


@pytest.mark.parametrize("after", ["stop reason", "next block"])
def test_a_call_without_arguments_waits_until_it_is_proven_whole(after):
    decoder = ADAPTER.decoder()
    assert feed_all(decoder, tool_block()) == [ACTIVITY, ACTIVITY]
    proof = message_end("tool_use")[0] if after == "stop reason" else tool_block(index=1)[0]
    (event,) = decoder.feed(proof)
    assert event.tool_call == ToolCall("toolu_1", "f", {})


def test_finished_arguments_that_are_no_json_are_kept_raw():
    events = [*tool_block('{"a'), *tool_block("{}", index=1), *message_end("tool_use")]
    broken, whole = calls_of(decode(ADAPTER, events))
    assert broken.arguments == {"_raw": '{"a'}
    assert broken.errors[0].code == "invalid_json"
    assert (whole.arguments, whole.index) == ({}, 1)


@SHAPES
def test_blocks_side_by_side_do_not_mix(shape):
    first = tool_block('{"x"', ":1}", index=1)
    second = tool_block('{"y"', ":2}", index=2, id="toolu_2", name="g")
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    found = calls_of(decode(ADAPTER, map(shape, [*mixed, *message_end("tool_use")])))
    assert [(c.id, c.arguments, c.index) for c in found] == [
        ("toolu_1", {"x": 1}, 0),
        ("toolu_2", {"y": 2}, 1),
    ]


def test_tools_the_provider_runs_itself_are_not_delivered():
    events = [
        block_start({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        block_delta({"type": "input_json_delta", "partial_json": '{"query": "x"}'}),
        block_stop(),
        *message_end(),
    ]
    assert calls_of(decode(ADAPTER, events)) == []


def test_text_and_a_call_give_the_same_events_as_the_responses_api():
    messages = [
        message_start(),
        block_start({"type": "text", "text": ""}),
        text_delta("Let "),
        text_delta("me"),
        block_stop(),
        *tool_block('{"a"', ":1}", index=1, id="c1"),
        *message_end("tool_use"),
    ]
    responses = [
        response("created"),
        output("output_text.delta", "Let "),
        output("output_text.delta", "me"),
        *response_call('{"a"', ":1}", at=1, id="c1"),
        response("completed", usage={"input_tokens": 10, "output_tokens": 5}),
    ]
    events = decode(ADAPTER, messages)
    assert events == decode(OpenAIResponsesAdapter(), responses)
    assert [event.type.value for event in events] == ["token", "token", "tool_call", "complete"]
    assert events[-1].usage == Usage(10, 5, requests=1)


# --- the end -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        ("end_turn", "stop"),
        ("stop_sequence", "stop"),
        ("max_tokens", "length"),
        ("model_context_window_exceeded", "length"),
        ("tool_use", "tool_calls"),
        ("refusal", "content_filter"),
        ("pause_turn", "pause"),
        ("something_new", "other"),
    ],
)
@SHAPES
def test_stop_reasons_are_mapped_and_kept(shape, raw, meaning):
    decoder = ADAPTER.decoder({"require_finish": True})
    events = [message_start(), text_delta("a"), *message_end(raw)]
    (end,) = feed_all(decoder, map(shape, events))[-1]
    assert end == Event(EventType.COMPLETE, usage=Usage(10, 5, requests=1), finish_reason=meaning)
    assert decoder.raw_finish_reason == raw
    assert decoder.finished
    assert decoder.finish() == ()


@SHAPES
def test_usage_is_cumulative_and_counts_the_cache_as_input(shape):
    start = message_start(cache_read_input_tokens=100, cache_creation_input_tokens=20)
    details = {"output_tokens_details": {"thinking_tokens": 3}}
    deltas = [message_end(None, output_tokens=n, **details)[0] for n in (2, 9)]
    events = [start, text_delta("a"), *deltas, *message_end(output_tokens=12, input_tokens=15)]
    usage = decode(ADAPTER, map(shape, events))[-1].usage
    assert usage == Usage(
        input_tokens=135,
        output_tokens=12,
        cached_input_tokens=100,
        reasoning_tokens=3,
        requests=1,
    )


def test_input_told_only_at_the_end_counts():
    events = [message_start(input_tokens=0), *message_end(input_tokens=8)]
    assert decode(ADAPTER, events)[-1].usage.input_tokens == 8


def test_the_message_stream_of_the_sdk_does_not_double_text_or_calls():
    block = {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}}
    start, fragment, stop = tool_block('{"a":1}', index=1)
    events = [
        message_start(),
        text_delta("a"),
        {"type": "text", "text": "a", "snapshot": "a"},
        {**block_stop(), "content_block": {"type": "text", "text": "a"}},
        start,
        fragment,
        {"type": "input_json", "partial_json": '{"a":1}', "snapshot": {"a": 1}},
        {**stop, "content_block": block},
        message_end("tool_use")[0],
        {"type": "message_stop", "message": {"content": [block]}},
    ]
    found = decode(ADAPTER, events)
    assert text_of(found) == "a"
    assert calls_of(found) == [ToolCall("toolu_1", "f", {"a": 1}, '{"a":1}')]
    assert [event.type.value for event in found].count("complete") == 1
