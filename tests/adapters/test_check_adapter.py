"""The public conformance check passes what keeps the contract and names what doesn't."""

from types import SimpleNamespace

import pytest
from adapter_chunks import (
    chat,
    message_end,
    message_start,
    response,
    response_call,
    text_delta,
    tool,
    tool_block,
    tools,
)

from l0.adapters import AdaptedEvent
from l0.events import Event, EventType, ToolCall
from l0.testing._check_adapter import check_adapter

CALL = ToolCall("c", "f", {"a": 1}, '{"a":1}')
CHAT = [
    chat("x"),
    tools(tool('{"a"', id="c", name="f")),
    tools(tool(":1}")),
    chat(finish="tool_calls"),
]


def adapter(feed=None, finish=None, **more):
    """An adapter whose decoder is these functions of its own memory and the chunk."""

    def decoder(options):
        memory = []
        return SimpleNamespace(
            feed=lambda chunk: feed(memory, chunk),
            finish=lambda: finish(memory) if finish else (),
            **more,
        )

    return SimpleNamespace(name="mine", decoder=decoder)


def keep(memory, chunk):
    memory.append(chunk)
    return chunk


# --- what breaks the contract --------------------------------------------------------------------

shared = []


def mixing(memory, chunk):
    if chunk is not None:
        shared.append(chunk)
        return f"{chunk}{len(shared)}"
    return None


def changing(memory, chunk):
    return chunk.pop("t", None) if chunk else None


def eager(memory, chunk):
    """Delivers a call before its arguments are whole."""
    memory.append(chunk)
    call = ToolCall("c", "f", {"raw": "".join(memory)})
    return Event(EventType.TOOL_CALL, tool_call=call)


COMPLETE = Event(EventType.COMPLETE)
BROKEN = {
    "a number": (adapter(lambda m, c: 3), ["a"], "gave 3; it may give str"),
    "a number in a list": (adapter(lambda m, c: [3]), ["a"], "gave 3; it may give str"),
    "an empty text": (adapter(lambda m, c: ""), ["a"], "gave an empty text"),
    "an empty token": (
        adapter(lambda m, c: Event(EventType.TOKEN, "")),
        ["a"],
        "token without text",
    ),
    "a call without one": (
        adapter(lambda m, c: Event(EventType.TOOL_CALL)),
        ["a"],
        "tool call without tool_call=",
    ),
    "text after complete": (
        adapter(lambda m, c: [COMPLETE, "b"]),
        ["a"],
        "complete is event 0, but there follows",
    ),
    "an end without end": (
        adapter(keep, lambda m: [COMPLETE]),
        ["a"],
        r"finish\(\) gives something the second time",
    ),
    "a memory that is shared": (adapter(mixing), ["a", "b"], "decoding the same chunks again"),
    "chunks changed": (adapter(changing), [{"t": "a"}], "decoding the same chunks again"),
    "None taken for text": (adapter(lambda m, c: str(c)), ["a"], r"feed\(None\) gave 'None'"),
    "None that breaks it": (adapter(lambda m, c: c.upper()), ["a"], r"feed\(None\) raised Attr"),
}


@pytest.mark.parametrize(("broken", "chunks", "message"), BROKEN.values(), ids=BROKEN)
def test_a_breach_is_named(broken, chunks, message):
    shared.clear()
    with pytest.raises(AssertionError, match=message):
        check_adapter(broken, chunks)


def test_a_call_delivered_before_it_is_whole_is_found():
    def hasty(memory, chunk):
        memory.append(chunk or "")

    def finish(memory):
        text, memory[:] = "".join(memory), []
        call = ToolCall("c", "f", {"text": text})
        return [Event(EventType.TOOL_CALL, tool_call=call)] if text else []

    with pytest.raises(AssertionError, match="cut after 1 of 2 chunks the tool calls are"):
        check_adapter(adapter(hasty, finish), ["a", "b"])


def test_text_that_another_end_would_change_is_found():
    def backwards(memory, chunk):
        memory.append(chunk or "")

    def finish(memory):
        text, memory[:] = "".join(reversed(memory)), []
        return [Event(EventType.TOKEN, text)] if text else []

    with pytest.raises(AssertionError, match="cut after 1 of 2 chunks the text is 'a'"):
        check_adapter(adapter(backwards, finish), ["a", "b"])


@pytest.mark.parametrize(
    ("expected", "message"),
    [
        ({"text": "y"}, "the text is 'x', expected 'y'"),
        ({"tool_calls": []}, "the tool calls are"),
        ({"finish_reason": "stop"}, r"finished with \['tool_calls'\]"),
    ],
)
def test_another_outcome_than_expected_is_named(expected, message):
    with pytest.raises(AssertionError, match=message):
        check_adapter("openai", CHAT, **expected)


def test_what_is_no_adapter_is_refused():
    with pytest.raises(TypeError, match="needs a name"):
        check_adapter(object(), [])


# --- what keeps it -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("name", "chunks", "finish_reason"),
    [
        ("openai", CHAT, "tool_calls"),
        ("litellm", CHAT, "tool_calls"),
        (
            "anthropic",
            [
                message_start(),
                text_delta("x"),
                *tool_block('{"a"', ":1}", id="c"),
                *message_end("tool_use"),
            ],
            "tool_calls",
        ),
        (
            "openai-responses",
            [
                {"type": "response.output_text.delta", "delta": "x"},
                *response_call('{"a"', ":1}", id="c"),
                response("completed"),
            ],
            "tool_calls",
        ),
        (
            "event",
            [
                "x",
                Event(EventType.TOOL_CALL, tool_call=CALL),
                Event(EventType.COMPLETE, finish_reason="stop"),
            ],
            "stop",
        ),
    ],
)
@pytest.mark.parametrize("require_finish", [None, True])
def test_every_built_in_adapter_passes(name, chunks, finish_reason, require_finish):
    options = {"require_finish": True} if require_finish and name != "event" else None
    events = check_adapter(
        name, chunks, text="x", tool_calls=[CALL], finish_reason=finish_reason, options=options
    )
    assert [event.type.value for event in events] == ["token", "tool_call", "complete"]


def test_a_function_passes():
    check_adapter(lambda chunk: chunk["t"], [{"t": "a"}, {"t": ["b", "c"]}], text="abc")


class Wrapping:
    name = "wrapping"

    async def wrap(self, stream, options=None):
        async for item in stream:
            yield AdaptedEvent(Event(EventType.TOKEN, item), item)


def test_an_adapter_that_wraps_passes():
    check_adapter(Wrapping(), ["a", "b"], text="ab")


async def test_an_adapter_that_wraps_passes_inside_a_running_loop():
    check_adapter(Wrapping(), ["a", "b"], text="ab")


def test_long_answers_are_cut_at_a_few_places_only():
    fed = []

    def counting(memory, chunk):
        fed.append(chunk)
        return chunk

    check_adapter(adapter(counting), ["a"] * 1000)
    assert len(fed) < 1000 * 60
