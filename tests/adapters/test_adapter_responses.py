"""Events of the Responses API."""

from types import SimpleNamespace

import pytest
from adapter_chunks import (
    as_objects,
    call_item,
    calls_of,
    decode,
    feed_all,
    output,
    response,
    response_call,
    text_of,
)

from l0.adapters import ACTIVITY, OpenAIResponsesAdapter
from l0.errors import InvalidStreamError, NetworkError, ProviderError
from l0.events import Event, EventType, ToolArgumentError, ToolCall, Usage

ADAPTER = OpenAIResponsesAdapter()
SHAPES = pytest.mark.parametrize("shape", [lambda chunk: chunk, as_objects], ids=["dict", "object"])
TEXT = output("output_text.delta", "a")
DONE = response("completed")
USAGE = {
    "input_tokens": 7,
    "output_tokens": 5,
    "total_tokens": 12,
    "input_tokens_details": {"cached_tokens": 4},
    "output_tokens_details": {"reasoning_tokens": 2},
}


def incomplete(reason, **fields):
    return response("incomplete", incomplete_details=reason and {"reason": reason}, **fields)


# --- failures ------------------------------------------------------------------------------------


@pytest.mark.parametrize("require", ["auto", True])
def test_a_connection_that_ends_without_the_final_event_is_a_network_error(require):
    decoder = ADAPTER.decoder({"require_finish": require}, SimpleNamespace(response=object()))
    feed_all(decoder, [response("created"), TEXT, output("output_text.done", text="a")])
    with pytest.raises(NetworkError, match=r"without response\.completed") as error:
        decoder.finish()
    assert error.value.type == "partial_chunks"


@SHAPES
@pytest.mark.parametrize(
    ("event", "message", "category"),
    [
        ({"type": "error", "code": "rate_limit_exceeded", "message": "Slow"}, "Slow", "transient"),
        ({"type": "error", "code": None, "message": "Odd"}, "Odd", "provider"),
        ({"type": "error", "error": {"type": "server_error", "message": "x"}}, "x", "transient"),
        ({"type": "response.error", "code": "invalid_api_key"}, "invalid_api_key", "fatal"),
        (
            response("failed", error={"code": "server_error", "message": "Sorry"}),
            "Sorry",
            "transient",
        ),
        (response("failed", error=None), "response.failed", "provider"),
        (response("cancelled"), "response.cancelled", "provider"),
    ],
)
def test_a_reported_failure_is_a_provider_error_of_its_category(shape, event, message, category):
    out = ADAPTER.decoder().feed(shape(event))
    assert out.type is EventType.ERROR
    assert isinstance(out.error, ProviderError)
    assert message in str(out.error)
    assert out.error.category == category


def test_a_failed_response_still_tells_its_usage():
    decoder = ADAPTER.decoder()
    decoder.feed(response("failed", error={"code": "server_error", "message": "x"}, usage=USAGE))
    assert decoder.usage.input_tokens == 7
    assert (decoder.finish_reason, decoder.raw_finish_reason) == ("error", "failed")


CUTS = {
    "no end": response_call('{"x"')[:2],
    "no end after empty arguments": response_call()[:2],
    "length, item marked": [
        *response_call('{"x"', status="incomplete"),
        incomplete("max_output_tokens"),
    ],
    "length, empty, marked": [*response_call(status="incomplete"), incomplete("max_output_tokens")],
    "length, item unmarked": [
        *response_call('{"x"', status=None)[:-1],
        output("output_item.done", item={**call_item('{"x"'), "status": None}),
        incomplete("max_output_tokens"),
    ],
    "length, empty, unmarked": [
        output("output_item.added", item=call_item()),
        output("function_call_arguments.done", arguments=""),
        output("output_item.done", item={**call_item(), "status": None}),
        incomplete("max_output_tokens"),
    ],
    "filter": [*response_call('{"x"')[:2], incomplete("content_filter")],
}


@SHAPES
@pytest.mark.parametrize("events", CUTS.values(), ids=CUTS)
def test_a_cut_call_is_dropped(shape, events):
    assert calls_of(decode(ADAPTER, map(shape, events))) == []


def test_items_of_no_known_type_fail_at_the_end():
    decoder = ADAPTER.decoder()
    feed_all(decoder, [{"kind": "?"}, {"type": "chat.something"}])
    with pytest.raises(InvalidStreamError, match=r"'openai-responses' knows.*dict"):
        decoder.finish()


def test_unknown_options_are_refused():
    with pytest.raises(TypeError, match="did you mean 'include_reasoning'"):
        ADAPTER.decoder({"include_reasonin": True})


# --- what each event means -----------------------------------------------------------------------

REFUSAL = Event(EventType.TOKEN, "no", data={"refusal": True})
KINDS = {
    "text": (TEXT, "a"),
    "empty text": (output("output_text.delta", ""), None),
    "refusal": (output("refusal.delta", "no"), REFUSAL),
    "empty refusal": (output("refusal.delta", ""), None),
    "reasoning": (output("reasoning_text.delta", "hm"), ACTIVITY),
    "reasoning summary": (output("reasoning_summary_text.delta", "hm"), ACTIVITY),
    "created": (response("created"), None),
    "queued": (response("queued"), None),
    "in progress": (response("in_progress"), None),
    "keepalive": ({"type": "keepalive", "sequence_number": 3}, None),
    "item added": (output("output_item.added", item={"type": "message"}), ACTIVITY),
    "call opened": (output("output_item.added", item=call_item()), ACTIVITY),
    "argument fragment": (output("function_call_arguments.delta", "{"), ACTIVITY),
    "part added": (output("content_part.added", part={}), ACTIVITY),
    "text done": (output("output_text.done", text="a"), ACTIVITY),
    "refusal done": (output("refusal.done", refusal="no"), ACTIVITY),
    "annotation": (output("output_text.annotation.added", annotation={}), ACTIVITY),
    "search": (output("web_search_call.searching"), ACTIVITY),
    "code": (output("code_interpreter_call_code.delta", "1"), ACTIVITY),
    "audio": (output("audio.delta", "AAAA"), ACTIVITY),
    "something new": (output("hologram.delta", "x"), ACTIVITY),
}


@SHAPES
@pytest.mark.parametrize(("event", "meaning"), KINDS.values(), ids=KINDS)
def test_every_kind_of_event_has_its_meaning(shape, event, meaning):
    assert ADAPTER.decoder().feed(shape(event)) == meaning


@SHAPES
def test_reasoning_asked_for_is_a_message(shape):
    events = [
        output("reasoning_text.delta", "h"),
        output("reasoning_summary_text.delta", "m"),
        output("reasoning_text.delta", ""),
        DONE,
    ]
    found = decode(ADAPTER, map(shape, events), {"include_reasoning": True})
    about = {"role": "assistant", "kind": "reasoning"}
    assert [(e.text, e.data) for e in found if e.is_message] == [("h", about), ("m", about)]


@SHAPES
@pytest.mark.parametrize(
    "event",
    [
        response("created", reasoning={"effort": "high"}),
        output("output_item.added", item={"type": "reasoning"}),
    ],
    ids=["effort", "item"],
)
def test_a_reasoning_model_may_be_kept_alive_by_pings(shape, event):
    decoder = ADAPTER.decoder()
    assert not decoder.pings_before_first_token
    decoder.feed(shape(response("created", reasoning={"effort": None})))
    assert not decoder.pings_before_first_token
    decoder.feed(shape(event))
    assert decoder.pings_before_first_token


@SHAPES
def test_the_last_sequence_number_says_where_to_take_up_again(shape):
    decoder = ADAPTER.decoder()
    assert decoder.sequence_number is None
    feed_all(decoder, [shape({**TEXT, "sequence_number": n}) for n in (4, 5)])
    assert decoder.sequence_number == 5
    decoder.feed(shape({**response("in_progress"), "sequence_number": 6}))
    assert decoder.sequence_number == 6


# --- calls ---------------------------------------------------------------------------------------


@SHAPES
def test_a_call_is_delivered_once_when_its_arguments_are_whole(shape):
    decoder = ADAPTER.decoder()
    answers = feed_all(decoder, map(shape, response_call('{"a"', ":1}")))
    call = ToolCall("call_1", "f", {"a": 1}, '{"a":1}')
    assert [out is ACTIVITY for out in answers] == [True, True, True, False, True]
    assert [event.tool_call for event in answers[3]] == [call]
    (end,) = decoder.feed(shape(DONE))
    assert end.finish_reason == "tool_calls"


@pytest.mark.parametrize("arguments", ["", "{}"])
def test_a_call_without_arguments_waits_for_the_items_word(arguments):
    decoder = ADAPTER.decoder()
    answers = feed_all(decoder, response_call(arguments))
    (call,) = calls_of([event for out in answers if isinstance(out, list) for event in out])
    assert (call.arguments, call.errors) == ({}, ())


def test_finished_arguments_that_are_no_json_are_kept_raw():
    (call,) = calls_of(decode(ADAPTER, [*response_call('{"a'), DONE]))
    assert call.arguments == {"_raw": '{"a'}
    assert isinstance(call.errors[0], ToolArgumentError)


def test_an_item_without_status_is_proven_by_the_end_of_the_response():
    events = [
        output("output_item.added", item=call_item()),
        output("output_item.done", item={**call_item(), "status": None}),
    ]
    assert calls_of(decode(ADAPTER, events)) == []
    (call,) = calls_of(decode(ADAPTER, [*events, DONE]))
    assert call.arguments == {}


@SHAPES
def test_calls_side_by_side_do_not_mix(shape):
    first = response_call('{"x"', ":1}", at=1)
    second = response_call('{"y"', ":2}", at=2, id="call_2", name="g")
    mixed = [event for pair in zip(first, second, strict=True) for event in pair]
    found = calls_of(decode(ADAPTER, map(shape, [*mixed, DONE])))
    assert [(c.id, c.name, c.arguments, c.index) for c in found] == [
        ("call_1", "f", {"x": 1}, 0),
        ("call_2", "g", {"y": 2}, 1),
    ]


def test_a_call_of_which_only_the_end_was_seen_is_whole():
    events = response_call('{"x"', ":1}")[2:]
    (call,) = calls_of(decode(ADAPTER, [*events, DONE]))
    assert (call.id, call.name, call.arguments) == ("call_1", "f", {"x": 1})


def test_events_without_an_output_index_are_kept_apart_by_item():
    events = response_call('{"x":1}')
    for event in events:
        del event["output_index"]
    assert len(calls_of(decode(ADAPTER, [*events, DONE]))) == 1


def test_a_free_text_call_carries_its_input_once_the_response_is_complete():
    item = {
        "type": "custom_tool_call",
        "id": "c",
        "call_id": "call_9",
        "name": "shell",
        "input": "",
    }
    events = [
        output("output_item.added", item=item),
        output("custom_tool_call_input.delta", "ls"),
        output("custom_tool_call_input.done", input="ls -l"),
        output("output_item.done", item={**item, "input": "ls -l"}),
    ]
    expected = ToolCall("call_9", "shell", {"input": "ls -l"}, "ls -l")
    assert calls_of(decode(ADAPTER, [*events, DONE])) == [expected]
    assert calls_of(decode(ADAPTER, [*events, incomplete("max_output_tokens")])) == []


def test_calls_the_provider_runs_itself_are_not_delivered():
    events = [
        output("output_item.added", item={"type": "mcp_call", "name": "x", "arguments": ""}),
        output("mcp_call_arguments.delta", '{"a":1}'),
        output("mcp_call_arguments.done", arguments='{"a":1}'),
        output("output_item.done", item={"type": "mcp_call", "name": "x", "arguments": '{"a":1}'}),
        DONE,
    ]
    found = decode(ADAPTER, events)
    assert calls_of(found) == []
    assert found[-1].finish_reason == "stop"


# --- the end -------------------------------------------------------------------------------------


@SHAPES
def test_completed_carries_usage_and_names_and_nothing_follows(shape):
    decoder = ADAPTER.decoder()
    feed_all(decoder, map(shape, [response("created"), TEXT]))
    assert (decoder.model, decoder.response_id) == ("gpt-test", "resp_1")
    assert not decoder.finished
    (end,) = decoder.feed(shape(response("completed", usage=USAGE)))
    usage = Usage(7, 5, 12, cached_input_tokens=4, reasoning_tokens=2, requests=1)
    assert end == Event(EventType.COMPLETE, usage=usage, finish_reason="stop")
    assert decoder.finished
    assert decoder.finish() == ()


@pytest.mark.parametrize(
    ("reason", "meaning", "raw"),
    [
        ("max_output_tokens", "length", "max_output_tokens"),
        ("content_filter", "content_filter", "content_filter"),
        ("max_messages", "length", "max_messages"),
        ("steered", "other", "steered"),
        (None, "content_filter", "incomplete"),
    ],
)
@SHAPES
def test_an_incomplete_response_is_complete_with_its_reason(shape, reason, meaning, raw):
    decoder = ADAPTER.decoder({"require_finish": True})
    events = [*map(shape, [TEXT, incomplete(reason)])]
    assert feed_all(decoder, events)[1] == (Event(EventType.COMPLETE, finish_reason=meaning),)
    assert decoder.raw_finish_reason == raw
    assert decoder.finish() == ()


def test_text_comes_in_order():
    events = [output("output_text.delta", text) for text in ["a", "b", "", "c"]]
    assert text_of(decode(ADAPTER, [*events, DONE])) == "abc"
