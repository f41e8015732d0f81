"""Bodies as providers send them, and both ways of decoding one: the SDK's, and the fast one."""
# ruff: noqa: TID253  (the real classes of these packages are what is compared with)

from __future__ import annotations

import json
from functools import cache

import anthropic
import httpx2
import openai
from adapter_chunks import (
    block_delta,
    block_start,
    block_stop,
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
from anthropic.types import RawMessageStreamEvent
from openai.types.chat import ChatCompletionChunk
from openai.types.responses import ResponseStreamEvent

from l0.adapters import as_events, bind, select_adapter, select_by_chunk
from l0.stream._fast import _class_for
from l0.testing._wire import Answer, Call
from l0.testing._wire_chat import ChatWire
from l0.testing._wire_messages import MessagesWire
from l0.testing._wire_responses import ResponsesWire

KINDS = {
    "chat": (ChatWire, openai, ChatCompletionChunk),
    "responses": (ResponsesWire, openai, ResponseStreamEvent),
    "messages": (MessagesWire, anthropic, RawMessageStreamEvent),
}
CALLS = (Call("c1", "weather", ['{"city": "', "Zürich", '"}']), Call("c2", "time", ["{", "}"]))
ANSWERS = {
    "text": Answer(["Hel", "lo", " there.\n\n", "\r\n", '"q"', "\\", "data: x"]),
    "astral": Answer(["é", "漢字", "👩\u200d🚀", "\u2028\u2029\x85", "e\u0301", "\ufeff", "\x00"]),
    "surrogates": Answer(["a", "\ud83d", "\ude80", "b"]),
    "one long token": Answer(["x" * 5000]),
    "no text": Answer([]),
    "reasoning": Answer(["So."], reasoning=["hm", " well"]),
    "a call": Answer([], CALLS[:1]),
    "parallel calls after text": Answer(["Let me see."], CALLS),
    "a call that is no JSON": Answer([], (Call("c1", "f", ['{"a": ']),)),
    "length": Answer(["cut"], CALLS[:1], finish_reason="length"),
    "filter": Answer(["cut"], finish_reason="content_filter"),
    "no usage": Answer(["x"], usage=False),
    "background": Answer(["x", "y"], background=True),
}


def body_of(wire):
    """A whole answer."""
    return b"".join([*wire.head(), *wire.units(), wire.tail()])


def sse(*events, named=False, end=b""):
    """Events as bytes; what is text already is left as it is."""
    lines = []
    for event in events:
        if isinstance(event, bytes):
            lines.append(event)
            continue
        name = f"event: {event['type']}\n" if named else ""
        lines.append(f"{name}data: {json.dumps(event, ensure_ascii=False)}\n\n".encode())
    return b"".join([*lines, end])


DONE = b"data: [DONE]\n\n"
END = (chat(finish="stop"), DONE)
HALF = b'data: {"choices": [{"index": 0, "delta": {"content": "ha'
CHAT = {
    "legacy function": sse(
        chat(function_call={"name": "f", "arguments": ""}),
        chat(function_call={"arguments": '{"a": 1}'}),
        chat(finish="function_call"),
        DONE,
    ),
    "refusal": sse(chat(refusal="I "), chat(refusal="won't"), *END),
    "two choices": sse(chat("a"), chat("b", index=1), chat("c", index=2), *END),
    "reasoning names": sse(
        chat(reasoning="hm"),
        chat(reasoning_details=[{"text": "hm"}]),
        chat([{"type": "thinking", "thinking": [{"text": "t"}]}, {"type": "text", "text": "x"}]),
        *END,
    ),
    "calls of compatible servers": sse(
        tools(tool('{"a": 1}', id="x", name="f"), tool({"b": 1e400}, id="y", name="g", index=1)),
        *END,
    ),
    "logprobs, audio, extras": sse(
        {**chat("x"), "service_tier": None, "obfuscation": "aaaa"},
        chat(audio={"data": "AAAA", "transcript": "hi"}),
        {**chat("y"), "choices": [{**chat("y")["choices"][0], "logprobs": {"content": []}}]},
        *END,
    ),
    "usage in every chunk": sse(
        chat("x", usage={"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}),
        chat("y", usage={"prompt_tokens": 3, "completion_tokens": 2, "total_tokens": 5}),
        {**chat(), "choices": [], "usage": {"prompt_tokens": 3, "completion_tokens": 9}},
        *END,
    ),
    "no usage, no choices, null": sse({**chat(), "choices": []}, b"data: null\n\n", *END),
    "numbers no float holds": sse(
        b'data: {"choices": [{"index": 0, "delta": {"content": "x"}}], "n": NaN, "m": 1e999}\n\n',
        b'data: {"choices": [{"index": 0, "delta": {"content": "y"}}], "n": 1%b}\n\n' % (b"0" * 40),
        *END,
    ),
    "odd lines": sse(
        b": comment\n: another\n\nretry\nid\nunknown: x\n:data: no\n",
        b'data:{"choices": [{"index": 0,\ndata:  "delta": {"content": "x"}}]}\n\n\n\n',
        chat("y"),
        *END,
    ),
    "after the end": sse(chat("x"), *END, chat("never")),
    "no end": sse(chat("x")),
    "cut in an event": sse(chat("x"), HALF),
    "whole but for its empty line": sse(chat("x"), HALF + b'"}}]}\n'),
    "empty": b"",
    "only comments": b": keep-alive\n\n: keep-alive\n\n",
    "an error": sse(chat("x"), {"error": {"message": "too much", "type": "t", "code": "429"}}),
    "an error without a message": sse({"error": {"code": 5}}),
    "an error that is text": sse({"error": "broken"}),
    "an error in a chunk": sse(chat("x"), {**chat("y"), "error": {"message": "m", "code": 502}}),
    "no JSON": sse(chat("x"), b"data: {nope\n\n", chat("y")),
    "no object": sse(b"data: [1]\n\n", b"data: 3\n\n", b'data: "text"\n\n', *END),
    "no UTF-8": sse(chat("x"), b'data: {"a": "\xff"}\n\n', *END),
    "types that are none": sse({**chat("x"), "type": []}, {**chat("y"), "type": "z"}, *END),
    "a page": b"<html><body>Bad gateway</body></html>\n\n",
}
PART = {"type": "output_text", "text": "", "annotations": []}
RESPONSES = {
    "refusal": sse(output("refusal.delta", "No"), output("refusal.done"), response("completed")),
    "calls": sse(
        response("created"),
        *response_call('{"a"', ":1}"),
        *response_call('{"b"', ":", at=1, id="call_2", status="incomplete"),
        response("completed"),
    ),
    "reasoning": sse(
        output("reasoning_summary_text.delta", "hm"),
        output("reasoning_text.delta", "hm"),
        output("content_part.added", part=PART),
        output("output_text.delta", "x", content_index=0, logprobs=[{"token": "x"}]),
        output("output_text.annotation.added", annotation={"type": "url_citation", "url": "u"}),
        output("web_search_call.searching"),
        output("nobody.knows.this"),
        response("incomplete", incomplete_details={"reason": "max_output_tokens"}),
    ),
    "custom tool": sse(
        output("custom_tool_call_input.delta", "a"),
        output("custom_tool_call_input.done", input="ab"),
        response("completed"),
    ),
    "an error": sse(
        output("output_text.delta", "x"),
        {"type": "error", "code": "server_error", "message": "m", "param": None},
    ),
    "failed": sse(response("failed", error={"code": "rate_limit_exceeded", "message": "m"})),
    "keepalive": sse(b'event: keepalive\ndata: {"type":"keepalive"}\n\n', response("completed")),
    "no end": sse(response("created"), output("output_text.delta", "x")),
    "an error at once": sse({"type": "error", "code": "429", "message": "m", "more": 1}),
    "an error as OpenAI's gateway has it": sse({"type": "error", "error": {"message": "m"}}),
    "only keepalives": sse({"type": "keepalive"}),
}
CITATION = {
    "type": "char_location",
    "cited_text": "so",
    "document_index": 0,
    "document_title": None,
    "start_char_index": 0,
    "end_char_index": 2,
    "file_id": None,
}
PING = b'event: ping\ndata: {"type": "ping"}\n\n'
OVERLOADED = {"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}
MESSAGES = {
    "calls, thinking, citations": sse(
        message_start(cache_read_input_tokens=4),
        PING,
        block_start({"type": "thinking", "thinking": "", "signature": ""}),
        block_delta({"type": "thinking_delta", "thinking": "hm"}),
        block_delta({"type": "signature_delta", "signature": "s"}),
        block_stop(),
        block_start({"type": "text", "text": "", "citations": []}, 1),
        text_delta("x", 1),
        block_delta({"type": "citations_delta", "citation": CITATION}, 1),
        block_stop(1),
        *tool_block('{"a"', ":1}", index=2, id="c1"),
        *tool_block(index=3, id="c2", input={"b": [1, 2.5, None]}),
        *message_end("tool_use"),
        named=True,
    ),
    "server tools and unknown kinds": sse(
        message_start(),
        block_start({"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}}),
        block_delta({"type": "input_json_delta", "partial_json": '{"q": 1}'}),
        block_stop(),
        block_delta({"type": "unheard_of_delta", "x": 1}),
        {"type": "unheard_of"},
        *message_end("pause_turn"),
        named=True,
    ),
    "no names": sse(message_start(), text_delta("x"), *message_end()),
    "an error": sse(message_start(), text_delta("x"), OVERLOADED, text_delta("y"), named=True),
    "an error that is no JSON": sse(message_start(), b"event: error\ndata: oh no\n\n", named=True),
    "an error without data": sse(message_start(), b"event: error\n\n", named=True),
    "an error in lines": sse(b'event: error\ndata: {"type": "error",\ndata: "error": {}}\n\n'),
    "no data": sse(message_start(), b"event: nothing\n\n", *message_end(), named=True),
    "no end": sse(message_start(), text_delta("x"), named=True),
    "no JSON": sse(message_start(), b"event: message_stop\ndata: {\n\n", named=True),
    "empty": b"",
}
CORPUS = {
    **{
        f"{kind}: {name}": (kind, body_of(wire(answer)))
        for kind, (wire, _, _) in KINDS.items()
        for name, answer in ANSWERS.items()
    },
    **{f"chat: {name}": ("chat", body) for name, body in CHAT.items()},
    **{f"responses: {name}": ("responses", body) for name, body in RESPONSES.items()},
    **{f"messages: {name}": ("messages", body) for name, body in MESSAGES.items()},
}
OPTIONS = {"include_reasoning": True, "include_thinking": True, "include_citations": True}


class Blocks(httpx2.AsyncByteStream):
    """A body that comes in these pieces, and may fail at its end."""

    def __init__(self, blocks, error=None):
        self.blocks, self.error, self.closed = blocks, error, False

    async def __aiter__(self):
        for block in self.blocks:
            yield block
        if self.error is not None:
            raise self.error

    async def aclose(self):
        self.closed = True


@cache
def client_of(sdk):
    """One for all: loading certificates takes tenths of a second."""
    make = sdk.AsyncAnthropic if sdk is anthropic else sdk.AsyncOpenAI
    return make(api_key="x", http_client=sdk.DefaultAsyncHttpxClient(verify=False))


def stream_of(kind, blocks, *, fast, error=None, headers=None):
    """The SDK's stream over these blocks, or the fast one."""
    _, sdk, chunk = KINDS[kind]
    answer = httpx2.Response(
        200,
        headers=headers,
        stream=Blocks(blocks, error),
        request=httpx2.Request("POST", "http://localhost/"),
    )
    cls = _class_for(sdk.__name__) if fast else sdk.AsyncStream
    return cls(cast_to=object if fast else chunk, response=answer, client=client_of(sdk))


async def outcome(stream):
    """The events, and how it ended: as a run decodes it, in comparable form."""
    chosen, decoder, events, error = select_adapter(stream), None, [], None
    try:
        async for chunk in stream:
            if chunk is None and chosen is None:
                continue
            chosen = chosen or select_by_chunk(chunk)
            decoder = decoder or bind(chosen[0], stream, OPTIONS)[1]
            events += as_events(decoder.feed(chunk))
            if events and events[-1].is_complete:
                break
        decoder = decoder or (chosen and bind(chosen[0], stream, OPTIONS)[1])
        events += decoder.finish() if decoder else ()
    except Exception as raised:  # the outcome that is compared
        error = raised
    await stream.close()
    assert stream.response.is_closed
    names = ("model", "response_id", "usage", "finish_reason", "raw_finish_reason", "finished")
    return [*map(told, events)], told_error(error), [getattr(decoder, name, 0) for name in names]


def told(event):
    """An event, its error by what it says."""
    said = (event.type, event.text, event.data, event.tool_call, event.usage)
    return *said, event.finish_reason, told_error(event.error)


def told_error(error):
    """An error by its class and what it says; fields that were not sent are None in the SDK's."""
    if error is None:
        return None
    body = getattr(error, "body", None)
    if isinstance(body, dict):
        body = {name: value for name, value in body.items() if value is not None}
    names = ("status_code", "code", "param", "type", "request_id")
    said = type(error).__name__ if isinstance(error, UnicodeError) else str(error)
    return type(error), said, body, *(getattr(error, name, None) for name in names)
