"""The real classes of the openai and anthropic packages, and look-alikes of LiteLLM's."""
# ruff: noqa: TID253  (the real classes of these packages are what is tested)

import json
import sys
from functools import cache
from types import ModuleType, SimpleNamespace
from typing import get_args

import anthropic
import httpx2
import openai
import pytest
from adapter_chunks import (
    block_delta,
    block_start,
    block_stop,
    calls_of,
    chat,
    decode,
    message_end,
    message_start,
    output,
    response,
    response_call,
    text_delta,
    text_of,
    tool,
    tool_block,
    tools,
)
from anthropic.lib.streaming import AsyncMessageStream
from anthropic.types import RawMessageStreamEvent
from openai.lib.streaming.chat import AsyncChatCompletionStream
from openai.lib.streaming.responses import AsyncResponseStream
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseErrorEvent, ResponseStreamEvent

from l0.adapters import (
    ACTIVITY,
    AnthropicAdapter,
    LiteLLMAdapter,
    OpenAIAdapter,
    OpenAIResponsesAdapter,
    as_events,
    bind,
    has_transport,
    select_adapter,
    select_by_chunk,
)
from l0.errors import NetworkError
from l0.events import Event, ToolCall, Usage

pytestmark = pytest.mark.sdk

USAGE = {"prompt_tokens": 7, "completion_tokens": 5, "total_tokens": 12}
CHAT = [
    chat("", role="assistant"),
    chat(reasoning_content="hm"),
    chat("Let "),
    chat("me"),
    tools(tool("", id="c1", name="f", type="function")),
    tools(tool('{"a"')),
    tools(tool(":1}")),
    chat(finish="tool_calls"),
    {**chat(), "choices": [], "usage": {**USAGE, "prompt_tokens_details": {"cached_tokens": 4}}},
]
MESSAGE_ITEM = {"id": "m", "type": "message", "role": "assistant", "status": "in_progress"}
RESPONSE = {
    "object": "response",
    "created_at": 1,
    "parallel_tool_calls": True,
    "tool_choice": "auto",
    "tools": [],
}
RESPONSES = [
    response("created", **RESPONSE),
    output("output_item.added", item={**MESSAGE_ITEM, "content": []}),
    output(
        "content_part.added",
        content_index=0,
        part={"type": "output_text", "text": "", "annotations": []},
    ),
    output("output_text.delta", "Let ", content_index=0, logprobs=[]),
    output("output_text.delta", "me", content_index=0, logprobs=[]),
    output("output_item.done", item={**MESSAGE_ITEM, "status": "completed", "content": []}),
    *response_call('{"a"', ":1}", at=1, id="c1"),
    response(
        "completed",
        **RESPONSE,
        usage={
            "input_tokens": 7,
            "output_tokens": 5,
            "total_tokens": 12,
            "input_tokens_details": {"cached_tokens": 4, "cache_write_tokens": 0},
            "output_tokens_details": {"reasoning_tokens": 0},
        },
    ),
]
MESSAGES = [
    message_start(input_tokens=3, cache_read_input_tokens=4),
    block_start({"type": "thinking", "thinking": "", "signature": ""}),
    block_delta({"type": "thinking_delta", "thinking": "hm"}),
    block_stop(),
    block_start({"type": "text", "text": ""}, 1),
    text_delta("Let ", 1),
    text_delta("me", 1),
    block_stop(1),
    *tool_block('{"a"', ":1}", index=2, id="c1"),
    *message_end("tool_use"),
]


def sse(events, *, named=False):
    """Events as the bytes of a server-sent stream."""
    names = (f"event: {event['type']}\n" if named else "" for event in events)
    lines = (f"data: {json.dumps(event)}\n\n" for event in events)
    return "".join(name + line for name, line in zip(names, lines, strict=True)).encode()


def response_of(body):
    request = httpx2.Request("POST", "http://localhost/")
    return httpx2.Response(200, content=body, request=request)


@cache
def openai_client():
    """One for all tests: loading certificates takes tenths of a second."""
    return openai.AsyncOpenAI(api_key="x")


@cache
def anthropic_client():
    return anthropic.AsyncAnthropic(api_key="x")


def openai_stream(events, cast_to):
    body = response_of(sse(events))
    return openai.AsyncStream(cast_to=cast_to, response=body, client=openai_client())


def anthropic_stream(events):
    body = response_of(sse(events, named=True))
    client = anthropic_client()
    return anthropic.AsyncStream(cast_to=RawMessageStreamEvent, response=body, client=client)


def chat_stream(events):
    return openai_stream(events, ChatCompletionChunk)


def responses_stream(events):
    return openai_stream(events, ResponseStreamEvent)


def chat_helper(events):
    return AsyncChatCompletionStream(
        raw_stream=chat_stream(events), response_format=openai.omit, input_tools=openai.omit
    )


def responses_helper(events):
    return AsyncResponseStream(
        raw_stream=responses_stream(events),
        text_format=openai.omit,
        input_tools=openai.omit,
        starting_after=None,
    )


def message_helper(events):
    return AsyncMessageStream(anthropic_stream(events), anthropic.NOT_GIVEN)


STREAMS = {
    "chat": (chat_stream, CHAT, "openai", "chunk"),
    "chat helper": (chat_helper, CHAT, "openai", "chunk"),
    "responses": (responses_stream, RESPONSES, "openai-responses", "chunk"),
    "responses helper": (responses_helper, RESPONSES, "openai-responses", "chunk"),
    "messages": (anthropic_stream, MESSAGES, "anthropic", "module"),
    "messages helper": (message_helper, MESSAGES, "anthropic", "module"),
}


async def play(stream):
    """Choose an adapter as a run does, and decode to the end."""
    chosen, decoder, events = select_adapter(stream), None, []
    async for chunk in stream:
        chosen = chosen or select_by_chunk(chunk)
        decoder = decoder or bind(chosen[0], stream)[1]
        events += as_events(decoder.feed(chunk))
        if decoder.finished and events[-1].is_complete:
            break
    return chosen, decoder, [*events, *decoder.finish()]


@pytest.mark.parametrize(("make", "wire", "name", "how"), STREAMS.values(), ids=STREAMS)
async def test_an_sdk_stream_gives_its_text_call_usage_and_end(make, wire, name, how):
    stream = make(wire)
    assert has_transport(stream)
    (adapter, found), decoder, events = await play(stream)
    assert (adapter.name, found) == (name, how)
    assert [event.text for event in events if event.is_token] == ["Let ", "me"]
    assert calls_of(events) == [ToolCall("c1", "f", {"a": 1}, '{"a":1}')]
    assert events[-1].is_complete
    assert events[-1].finish_reason == "tool_calls"
    assert events[-1].usage == Usage(7, 5, 12, cached_input_tokens=4, requests=1)
    assert decoder.finished
    assert decoder.response_id in {"chatcmpl-1", "resp_1", "msg_1"}


@pytest.mark.parametrize(("make", "wire", "name", "how"), STREAMS.values(), ids=STREAMS)
async def test_an_sdk_stream_whose_body_ends_early_is_a_network_error(make, wire, name, how):
    with pytest.raises(NetworkError) as error:
        await play(make(wire[:5]))
    assert error.value.type == "partial_chunks"


@pytest.mark.parametrize("make", ["validate", "construct"])
def test_real_chat_chunks_are_read_however_they_were_made(make):
    build = {
        "validate": ChatCompletionChunk.model_validate,
        "construct": lambda chunk: ChatCompletionChunk.construct(**chunk),
    }[make]
    decoder = OpenAIAdapter().decoder()
    answers = [decoder.feed(build(chunk)) for chunk in CHAT[:7]]
    assert answers == [None, ACTIVITY, "Let ", "me", ACTIVITY, ACTIVITY, ACTIVITY]


def test_reasoning_in_the_extras_of_a_real_chunk_is_found():
    chunks = [ChatCompletionChunk.construct(**chunk) for chunk in CHAT]
    events = decode(OpenAIAdapter(), chunks, {"include_reasoning": True})
    assert [event.text for event in events if event.is_message] == ["hm"]
    assert text_of(events) == "Let me"


def members(union):
    """The classes of an annotated union."""
    return get_args(get_args(union)[0])


@pytest.mark.parametrize(
    "event", members(ResponseStreamEvent), ids=lambda event: event.model_fields["type"].annotation
)
def test_every_event_class_of_the_responses_api_is_taken_even_if_nothing_is_in_it(event):
    (kind,) = get_args(event.model_fields["type"].annotation)
    out = OpenAIResponsesAdapter().decoder().feed(event.construct(type=kind))
    if kind in {"response.failed", "error"}:
        assert out.is_error
    elif kind in {"response.completed", "response.incomplete"}:
        assert out[-1].is_complete
    else:
        assert out in {None, ACTIVITY}


@pytest.mark.parametrize("event", members(RawMessageStreamEvent), ids=lambda event: event.__name__)
def test_every_event_class_of_the_messages_api_is_taken_even_if_nothing_is_in_it(event):
    (kind,) = get_args(event.model_fields["type"].annotation)
    out = AnthropicAdapter().decoder().feed(event.construct(type=kind))
    assert out[-1].is_complete if kind == "message_stop" else out in {None, ACTIVITY}


@pytest.mark.parametrize(
    "make",
    [lambda **fields: ResponseErrorEvent(**fields), SimpleNamespace, dict],
    ids=["sdk", "object", "dict"],
)
def test_an_error_event_that_comes_first_is_the_providers_error(make):
    event = make(
        type="error", code="rate_limit_exceeded", message="Slow", param=None, sequence_number=0
    )
    adapter, _ = select_by_chunk(event)
    error = adapter.decoder().feed(event).error
    assert error.category == "transient"
    assert str(error) == "Slow (rate_limit_exceeded)"


# --- LiteLLM, which is not installed for the tests -----------------------------------------------


@pytest.fixture
def litellm(monkeypatch):
    """A package of that name, with classes of that shape: values stand in no one `__dict__`."""
    module = ModuleType("litellm.litellm_core_utils.streaming_handler")

    class Delta:
        def __init__(self, fields):
            self._fields = {"content": None, "tool_calls": None, **fields}

        def __getattr__(self, name):
            if name.startswith("__") or name not in self._fields:
                raise AttributeError(name)
            value = self._fields[name]
            return [Delta(item) for item in value] if isinstance(value, list) else wrapped(value)

    def wrapped(value):
        return Delta(value) if isinstance(value, dict) else value

    class ModelResponseStream(SimpleNamespace):
        pass

    class CustomStreamWrapper:
        def __init__(self, chunks):
            self.completion_stream = iter(chunks)

        def __aiter__(self):
            return self

        async def __anext__(self):
            for chunk in self.completion_stream:
                names = {name: chunk[name] for name in ("id", "model")}
                choices = [
                    SimpleNamespace(**{**choice, "delta": Delta(choice["delta"])})
                    for choice in chunk["choices"]
                ]
                return ModelResponseStream(choices=choices, **names, usage=wrapped(chunk["usage"]))
            raise StopAsyncIteration

    for cls in (ModelResponseStream, CustomStreamWrapper):
        cls.__module__ = module.__name__
    module.CustomStreamWrapper = CustomStreamWrapper
    monkeypatch.setitem(sys.modules, module.__name__, module)
    return module


async def test_a_litellm_stream_is_read_as_chat_completions(litellm):
    (adapter, how), decoder, events = await play(litellm.CustomStreamWrapper(CHAT))
    assert (adapter.name, how) == ("litellm", "module")
    assert text_of(events) == "Let me"
    assert calls_of(events) == [ToolCall("c1", "f", {"a": 1}, '{"a":1}')]
    assert events[-1].usage == Usage(7, 5, 12, cached_input_tokens=4, requests=1)
    assert decoder.model == "gpt-test"


class Inner:
    """A provider's stream inside the wrapper."""

    def __init__(self, chunks):
        self._chunks = iter(chunks)

    def __iter__(self):
        return self._chunks


@pytest.mark.parametrize("said", [None, "tool_calls"])
async def test_a_finish_reason_that_litellm_made_up_does_not_count(litellm, said):
    """It ends cut answers, too, with a reason; its wrapper knows what the provider said."""
    stream = litellm.CustomStreamWrapper(())
    stream.completion_stream = Inner(CHAT)
    stream.received_finish_reason, stream.intermittent_finish_reason = said, None
    if said is None:
        with pytest.raises(NetworkError, match="without a finish reason"):
            await play(stream)
        lenient = LiteLLMAdapter().decoder({"require_finish": False}, stream)
        events = [lenient.feed(chunk) for chunk in CHAT]
        assert calls_of([e for e in events if isinstance(e, Event)]) == []
        assert (lenient.finish_reason, lenient.finished) == (None, False)
    else:
        _, decoder, events = await play(stream)
        assert calls_of(events) == [ToolCall("c1", "f", {"a": 1}, '{"a":1}')]
        assert decoder.finish_reason == "tool_calls"


async def test_a_litellm_mock_has_no_provider_to_ask(litellm):
    """What it says of its end is all there is."""
    stream = litellm.CustomStreamWrapper(())
    stream.completion_stream = list(CHAT)
    stream.received_finish_reason = None
    decoder = LiteLLMAdapter().decoder(None, stream)
    for chunk in CHAT:
        decoder.feed(chunk)
    assert decoder.finish_reason == "tool_calls"
    assert decoder.finish()[-1].is_complete


async def test_a_litellm_chunk_alone_is_known(litellm):
    async for chunk in litellm.CustomStreamWrapper(CHAT[:1]):
        adapter, how = select_by_chunk(chunk)
        assert (adapter.name, how) == ("litellm", "chunk")
