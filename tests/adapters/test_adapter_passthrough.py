"""Streams of events, texts and dicts, and functions used as adapters."""

from enum import StrEnum
from types import SimpleNamespace

import pytest
from adapter_chunks import (
    calls_of,
    chat,
    decode,
    feed_all,
    message_end,
    message_start,
    output,
    response,
    text_delta,
    text_of,
    tool,
    tools,
)

from l0.adapters import ACTIVITY, AdaptedEvent, BaseDecoder, PassthroughAdapter
from l0.errors import InvalidStreamError, NetworkError, ProviderError
from l0.events import (
    ContentType,
    DataPayload,
    Event,
    EventType,
    Progress,
    ToolArgumentError,
    ToolCall,
    Usage,
)

ADAPTER = PassthroughAdapter()
TOKEN = Event(EventType.TOKEN, "a")


class Word(StrEnum):
    HI = "hi"


@pytest.mark.parametrize("item", [3, 2.5, b"a", ["a"], object(), SimpleNamespace(x=1)])
def test_an_item_of_an_unknown_type_is_refused_by_name(item):
    decoder = ADAPTER.decoder()
    decoder.feed("a")
    with pytest.raises(InvalidStreamError, match=type(item).__name__):
        decoder.feed(item)


@pytest.mark.parametrize(
    ("item", "match"),
    [
        ({}, r"dict with the keys \(none\)"),
        ({"body": 1}, "dict with the keys 'body'"),
        ({"type": "tokn", "text": "a"}, "'type', 'text'"),
        ({"type": "token", "txt": "a"}, "no field 'txt'.*it may have.*text"),
        ({"type": "token", "text": 3}, "Expected `str | null`, got `int`"),
        ({"type": "message", "content": []}, "no field 'content'"),
        ({"type": "progress", "progress": {"percent": "much"}}, "progress.percent"),
        ({"type": "tool_call", "data": {"id": "c"}}, "needs tool_call="),
    ],
)
def test_a_dict_that_is_no_event_says_why(item, match):
    with pytest.raises(InvalidStreamError, match=match):
        ADAPTER.decoder().feed(item)


def test_there_are_no_options():
    assert ADAPTER.decoder({}) is not None
    with pytest.raises(TypeError, match="no options"):
        ADAPTER.decoder({"include_usage": True})


ITEMS = {
    "text": ("a", "a"),
    "empty text": ("", None),
    "None": (None, None),
    "a subclass of str": (Word.HI, "hi"),
    "token": (TOKEN, TOKEN),
    "empty token": (Event(EventType.TOKEN, ""), None),
    "token without text": (Event(EventType.TOKEN), None),
    "adapted": (AdaptedEvent(TOKEN, {"raw": 1}), TOKEN),
    "restart": (Event(EventType.RESTART, kept_chars=0), Event(EventType.RESTART, kept_chars=0)),
    "activity": (ACTIVITY, ACTIVITY),
    "token dict": ({"type": "token", "value": "a"}, TOKEN),
    "dict with an EventType": ({"type": EventType.TOKEN, "text": "a"}, TOKEN),
    "empty token dict": ({"type": "token", "text": ""}, None),
    "message dict": (
        {"type": "message", "text": "hm", "data": {"role": "user"}},
        Event(EventType.MESSAGE, "hm", data={"role": "user"}),
    ),
    "data dict": (
        {"type": "data", "payload": {"content_type": "image", "url": "x.png"}},
        Event(EventType.DATA, payload=DataPayload(ContentType.IMAGE, url="x.png")),
    ),
    "progress dict": (
        {"type": "progress", "progress": {"percent": 50}},
        Event(EventType.PROGRESS, progress=Progress(50)),
    ),
    "tool call dict": (
        {"type": "tool_call", "tool_call": {"id": "c", "name": "f", "arguments": {"a": 1}}},
        Event(EventType.TOOL_CALL, tool_call=ToolCall("c", "f", {"a": 1})),
    ),
    "complete dict": (
        {"type": "complete", "usage": {"input_tokens": 1}, "finish_reason": "stop"},
        Event(EventType.COMPLETE, usage=Usage(1), finish_reason="stop"),
    ),
}


@pytest.mark.parametrize(("item", "meaning"), ITEMS.values(), ids=ITEMS)
def test_every_kind_of_item_has_its_meaning(item, meaning):
    assert ADAPTER.decoder().feed(item) == meaning


def test_an_event_object_is_handed_on_itself():
    assert ADAPTER.decoder().feed(TOKEN) is TOKEN


def test_a_tool_call_told_in_data_only_gets_its_call():
    data = {"id": "c", "name": "f", "arguments": {"a": 1}, "index": 2}
    event = ADAPTER.decoder().feed(Event(EventType.TOOL_CALL, data=data))
    assert event.tool_call == ToolCall("c", "f", {"a": 1}, index=2)
    assert event.data == data


@pytest.mark.parametrize(
    ("item", "category"),
    [
        ({"type": "error", "error": "it broke"}, "provider"),
        ({"type": "error", "error": {"type": "overloaded_error", "message": "x"}}, "transient"),
        ({"type": "error", "code": "rate_limit_exceeded", "message": "x"}, "transient"),
    ],
)
def test_an_error_dict_is_a_provider_error(item, category):
    event = ADAPTER.decoder().feed(item)
    assert event.type is EventType.ERROR
    assert isinstance(event.error, ProviderError)
    assert event.error.category == category


def test_an_exception_in_an_error_dict_stays_itself():
    error = ValueError("mine")
    assert ADAPTER.decoder().feed({"type": "error", "error": error}).error is error


def test_complete_reports_what_it_carries():
    decoder = ADAPTER.decoder()
    decoder.feed(Event(EventType.COMPLETE, usage=Usage(1), finish_reason="length"))
    assert (decoder.usage, decoder.finish_reason, decoder.finished) == (Usage(1), "length", True)
    assert decoder.finish() == ()


@pytest.mark.parametrize(
    "chunks",
    [
        [chat("a"), chat("b", finish="stop")],
        [message_start(), {"type": "ping"}, text_delta("a"), text_delta("b"), *message_end()],
        [
            response("created"),
            output("output_text.delta", "a"),
            output("output_text.delta", "b"),
            response("completed"),
        ],
    ],
    ids=["chat", "messages", "responses"],
)
def test_dicts_in_a_providers_shape_are_read_as_that_providers(chunks):
    events = decode(ADAPTER, ["-", *chunks])
    assert text_of(events) == "-ab"
    assert events[-1].finish_reason == "stop"
    decoder = ADAPTER.decoder()
    feed_all(decoder, chunks)
    assert decoder.model in {"gpt-test", "claude-test"}
    assert decoder.finished


def test_a_providers_error_amid_its_dicts_stays_the_providers():
    decoder = ADAPTER.decoder()
    decoder.feed(message_start())
    event = decoder.feed({"type": "error", "error": {"type": "overloaded_error", "message": "x"}})
    assert event.error.category == "transient"


def test_a_providers_dicts_must_end_as_that_provider_ends():
    decoder = ADAPTER.decoder(stream=SimpleNamespace(response=object()))
    feed_all(decoder, [tools(tool('{"x"', id="c", name="f"))])
    with pytest.raises(NetworkError):
        decoder.finish()
    assert calls_of(decode(ADAPTER, [tools(tool('{"x"', id="c", name="f"))])) == []


def test_a_providers_pings_count_as_they_do_with_its_own_adapter():
    decoder = ADAPTER.decoder()
    assert not decoder.pings_before_first_token
    feed_all(decoder, [TOKEN, message_start()])
    assert decoder.pings_before_first_token


async def test_what_an_end_brings_is_events_too():
    """The last texts of a decoder of one's own have their place in the answer."""

    class Late(BaseDecoder):
        def _last_events(self):
            return (Event(EventType.TOKEN, "lo"), self._complete())

    class Lately(PassthroughAdapter):
        def decoder(self, options=None, stream=None):
            return Late()

    async def source():
        yield "Hel"

    events = [event async for event in Lately().wrap(source())]
    assert [(event.type, event.text, event.start) for event in events] == [
        (EventType.TOKEN, "Hel", 0),
        (EventType.TOKEN, "lo", 3),
        (EventType.COMPLETE, None, None),
    ]


async def test_an_error_event_without_exception_is_raised_as_one_by_wrap():
    async def source():
        yield Event(EventType.ERROR, reason="it broke")

    with pytest.raises(ProviderError, match="it broke"):
        [event async for event in ADAPTER.wrap(source())]


def test_errors_of_tools_survive_a_dict():
    call = {
        "id": "c",
        "name": "f",
        "arguments": {},
        "errors": [{"code": "x", "path": "", "message": "m"}],
    }
    event = ADAPTER.decoder().feed({"type": "tool_call", "tool_call": call})
    assert event.tool_call.errors == (ToolArgumentError("x", "", "m"),)
