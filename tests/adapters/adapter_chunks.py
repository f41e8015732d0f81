"""Provider chunks for the tests, as dicts; `as_objects` turns them into plain objects."""

from __future__ import annotations

import json
from types import SimpleNamespace

from l0.adapters import as_events


def as_objects(value):
    """The same chunk as attributes instead of keys; arguments given as an object stay one."""
    return json.loads(json.dumps(value), object_hook=lambda d: SimpleNamespace(**d))


def chat(content=None, *, index=0, finish=None, usage=None, **delta):
    """One Chat Completions chunk."""
    if content is not None:
        delta["content"] = content
    return {
        "id": "chatcmpl-1",
        "object": "chat.completion.chunk",
        "created": 1,
        "model": "gpt-test",
        "choices": [{"index": index, "delta": delta, "finish_reason": finish}],
        "usage": usage,
    }


def tool(arguments=None, *, index=0, id=None, name=None, **more):
    """One fragment of a tool call; what is None is left out."""
    function = {"name": name, "arguments": arguments}
    fragment = {"index": index, "id": id, **more}
    return {
        **{k: v for k, v in fragment.items() if v is not None},
        "function": {k: v for k, v in function.items() if v is not None},
    }


def tools(*fragments, finish=None):
    """A chunk of tool call fragments."""
    return chat(tool_calls=list(fragments), finish=finish)


def text_delta(text, index=0):
    """A piece of Anthropic text."""
    return block_delta({"type": "text_delta", "text": text}, index)


def block_delta(delta, index=0):
    """A piece of an Anthropic block."""
    return {"type": "content_block_delta", "index": index, "delta": delta}


def block_start(block, index=0):
    """An Anthropic block begins."""
    return {"type": "content_block_start", "index": index, "content_block": block}


def block_stop(index=0):
    """An Anthropic block ends."""
    return {"type": "content_block_stop", "index": index}


def tool_block(*fragments, id="toolu_1", name="f", index=0, input=None):
    """A whole Anthropic tool_use block."""
    block = {"type": "tool_use", "id": id, "name": name, "input": input or {}}
    pieces = [{"type": "input_json_delta", "partial_json": piece} for piece in fragments]
    return [block_start(block, index), *(block_delta(p, index) for p in pieces), block_stop(index)]


def message_start(**usage):
    """An Anthropic answer begins."""
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "claude-test"}
    message |= {"content": [], "usage": {"input_tokens": 10, "output_tokens": 1, **usage}}
    return {"type": "message_start", "message": message}


def message_end(reason="end_turn", **usage):
    """Why an Anthropic answer stopped, and that it is over."""
    delta = {"stop_reason": reason, "stop_sequence": None}
    return [
        {"type": "message_delta", "delta": delta, "usage": {"output_tokens": 5, **usage}},
        {"type": "message_stop"},
    ]


def response(kind, **fields):
    """An event of the Responses API about the whole response."""
    body = {"id": "resp_1", "model": "gpt-test", "status": kind, "output": [], **fields}
    return {"type": f"response.{kind}", "sequence_number": 0, "response": body}


def output(kind, delta=None, *, at=0, **fields):
    """An event of the Responses API about one item."""
    event = {"type": f"response.{kind}", "sequence_number": 1, "output_index": at, "item_id": "i1"}
    return event | ({} if delta is None else {"delta": delta}) | fields


def call_item(arguments="", *, id="call_1", name="f", status="in_progress"):
    """A function call of the Responses API."""
    return {
        "type": "function_call",
        "id": f"fc_{id}",
        "call_id": id,
        "name": name,
        "arguments": arguments,
        "status": status,
    }


def response_call(*fragments, at=0, status="completed", **names):
    """A whole function call of the Responses API."""
    raw = "".join(fragments)
    done = call_item(raw, status=status, **names)
    return [
        output("output_item.added", at=at, item=call_item(**names)),
        *(output("function_call_arguments.delta", piece, at=at) for piece in fragments),
        output("function_call_arguments.done", at=at, arguments=raw),
        output("output_item.done", at=at, item=done),
    ]


def feed_all(decoder, chunks):
    """What a decoder answers to each chunk."""
    return [decoder.feed(chunk) for chunk in chunks]


def decode(adapter, chunks, options=None, stream=None):
    """The events of an answer, to the end of its source."""
    decoder = adapter.decoder(options, stream)
    events = []
    for chunk in chunks:
        events += as_events(decoder.feed(chunk), len(text_of(events)))
    return [*events, *decoder.finish()]


def calls_of(events):
    """The tool calls among events."""
    return [event.tool_call for event in events if event.tool_call is not None]


def text_of(events):
    """The answer's text."""
    return "".join(event.text for event in events if event.is_token)
