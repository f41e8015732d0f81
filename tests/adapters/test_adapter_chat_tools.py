"""Tool calls of Chat Completions: put together from any fragments, never from a cut answer."""

import json

import pytest
from adapter_chunks import as_objects, calls_of, chat, decode, feed_all, text_of, tool, tools

from l0.adapters import ACTIVITY, OpenAIAdapter
from l0.events import EventType, ToolCall

ADAPTER = OpenAIAdapter()
SHAPES = pytest.mark.parametrize("shape", [lambda chunk: chunk, as_objects], ids=["dict", "object"])
END = chat(finish="tool_calls")


def calls(chunks, **options):
    return calls_of(decode(ADAPTER, chunks, options))


def brief(found):
    return [(call.id, call.name, call.raw, call.index) for call in found]


# --- never executable ----------------------------------------------------------------------------


@pytest.mark.parametrize(
    "arguments", ['{"a": 1', '{"a": 1}', "", "{"], ids=["open", "whole", "empty", "brace"]
)
@pytest.mark.parametrize(
    "end",
    [[], [chat(finish="length")], [chat(finish="content_filter")], [chat(finish="error")]],
    ids=["no finish", "length", "filter", "error"],
)
def test_a_call_of_a_cut_answer_is_dropped(arguments, end):
    assert calls([tools(tool(arguments, id="c", name="f")), *end]) == []


def test_a_call_is_not_delivered_before_the_answer_is_finished():
    decoder = ADAPTER.decoder()
    fragments = [tool("", id="c", name="f"), tool('{"a"'), tool(":1}")]
    assert feed_all(decoder, map(tools, fragments)) == [ACTIVITY] * 3
    (event,) = [decoder.feed(END)]
    assert event.tool_call == ToolCall("c", "f", {"a": 1}, '{"a":1}')
    assert event.data == {"id": "c", "name": "f", "arguments": {"a": 1}, "index": 0}


@pytest.mark.parametrize(
    "raw",
    ['{"a": 1', "[1]", '"a"', "null", "1", '{"a": NaN}', "{'a': 1}", '{"a": 1}}', "[" * 100_000],
)
def test_finished_arguments_that_are_no_json_object_are_kept_raw_with_the_fault(raw):
    (call,) = calls([tools(tool(raw, id="c", name="f")), END])
    assert call.arguments == {"_raw": raw}
    assert call.raw == raw
    (fault,) = call.errors
    assert (fault.code, fault.path) == ("invalid_json", "")
    assert fault.message


def test_arguments_that_are_a_list_are_never_taken_for_none():
    (call,) = calls([tools(tool([1], id="c", name="f")), END])
    assert call.arguments == {"_raw": "[1]"}
    assert call.errors


def test_a_call_without_a_name_says_so():
    (call,) = calls([tools(tool("{}", id="c")), END])
    assert [error.code for error in call.errors] == ["unknown_tool"]


# --- as the protocol says ------------------------------------------------------------------------


@SHAPES
def test_two_calls_in_turn_come_in_index_order(shape):
    chunks = [
        tools(tool("", index=1, id="b", name="g")),
        tools(tool("", index=0, id="a", name="f")),
        tools(tool('{"x"', index=1), tool('{"y"', index=0)),
        tools(tool(":1}", index=0)),
        tools(tool(":2}", index=1)),
        END,
    ]
    expected = [("a", "f", '{"y":1}', 0), ("b", "g", '{"x":2}', 1)]
    assert brief(calls(map(shape, chunks))) == expected


@pytest.mark.parametrize("raw", ["", " ", "\n"])
def test_no_arguments_are_an_empty_object(raw):
    (call,) = calls([tools(tool(raw, id="c", name="f")), END])
    assert (call.arguments, call.errors) == ({}, ())


@SHAPES
def test_the_older_function_call_is_a_tool_call(shape):
    parts = [{"name": "f", "arguments": ""}, {"arguments": '{"a"'}, {"arguments": ":1}"}]
    chunks = [*(chat(function_call=part) for part in parts), chat(finish="function_call")]
    events = decode(ADAPTER, map(shape, chunks))
    assert calls_of(events) == [ToolCall("", "f", {"a": 1}, '{"a":1}')]
    assert events[-1].finish_reason == "tool_calls"


def test_text_call_and_finish_in_one_chunk_all_count():
    whole = chat("a", tool_calls=[tool('{"x":1}', id="c", name="f")], finish="tool_calls")
    events = decode(ADAPTER, [whole])
    assert [event.type for event in events] == [
        EventType.TOKEN,
        EventType.TOOL_CALL,
        EventType.COMPLETE,
    ]


def test_a_call_after_the_finish_reason_is_delivered_at_the_end_and_numbered_on():
    late = tools(tool("{}", index=0, id="late", name="g"))
    chunks = [tools(tool("{}", id="c", name="f")), END, late]
    assert brief(calls(chunks)) == [("c", "f", "{}", 0), ("late", "g", "{}", 1)]


def test_a_free_text_call_carries_its_input():
    fragments = [
        {"index": 0, "id": "c", "type": "custom", "custom": {"name": "shell", "input": "ls "}},
        {"index": 0, "custom": {"input": '"x'}},
    ]
    (call,) = calls([*(tools(fragment) for fragment in fragments), END])
    assert call == ToolCall("c", "shell", {"input": 'ls "x'}, 'ls "x')


def test_calls_can_be_left_out():
    events = decode(
        ADAPTER, [tools(tool("{}", id="c", name="f")), END], {"include_tool_calls": False}
    )
    assert calls_of(events) == []
    assert events[-1].finish_reason == "tool_calls"


@pytest.mark.parametrize("include", [True, False])
def test_arguments_can_be_text_as_well(include):
    chunks = [tools(tool("", id="c", name="f")), tools(tool('{"a"')), tools(tool(":1}")), END]
    options = {"emit_function_calls_as_tokens": True, "include_tool_calls": include}
    events = decode(ADAPTER, chunks, options)
    assert text_of(events) == '{"a":1}'
    assert len(calls_of(events)) == include


# --- as compatible servers do it -----------------------------------------------------------------


def bare(arguments=None, *, id=None, name=None):
    return tool(arguments, index=None, id=id, name=name)


F, G = '{"x": 1}', '{"y": {"z": 2}}'
SERVERS = {
    "no index, one call": [[bare("", id="a", name="f")], [bare('{"x"')], [bare(": 1}")]],
    "no index, id repeated": [[bare("{", id="a", name="f")], [bare('"x": 1}', id="a")]],
    "no index, id repeated, name too": [
        [bare("{", id="a", name="f")],
        [bare('"x": 1}', id="a", name="f")],
    ],
    "an id invented for each fragment": [
        [tool("{", id="a", name="f")],
        [tool('"x": 1', id="q")],
        [tool("}", id="r")],
    ],
    "no index, an id invented for each fragment": [
        [bare("{", id="a", name="f")],
        [bare('"x": 1', id="q")],
        [bare("}", id="r")],
    ],
    "name repeated": [
        [tool("", id="a", name="f")],
        [tool("{", name="f")],
        [tool('"x": 1}', name="f")],
    ],
    "id empty later": [[tool("{", id="a", name="f")], [{**tool('"x": 1}'), "id": ""}]],
    "index only later": [[bare("{", id="a", name="f")], [tool('"x": 1}', index=0)]],
    "index only first": [[tool("{", id="a", name="f")], [bare('"x": 1}')]],
    "arguments as an object": [[tool({"x": 1}, id="a", name="f")]],
    "arguments as an object that says nothing later": [
        [tool({"x": 1}, id="a", name="f")],
        [tool()],
    ],
    "id after the name": [[tool("{", name="f")], [tool('"x": 1}', id="a")]],
    "null function": [[tool(F, id="a", name="f")], [{"index": 0, "function": None}], [{}]],
}


@SHAPES
@pytest.mark.parametrize("deltas", SERVERS.values(), ids=SERVERS)
def test_one_call_survives_a_servers_habits(shape, deltas):
    (call,) = calls(shape(chunk) for chunk in [*(tools(*delta) for delta in deltas), END])
    assert (call.id, call.name, call.arguments, call.errors) == ("a", "f", {"x": 1}, ())


PARALLEL = {
    "no index, by id": [
        [bare("{", id="a", name="f")],
        [bare('{"y"', id="b", name="g")],
        [bare('"x": 1}', id="a")],
        [bare(': {"z": 2}}', id="b")],
    ],
    "no index, one after the other": [
        [bare("{", id="a", name="f")],
        [bare('"x": 1}')],
        [bare('{"y": {"z"', id="b", name="g")],
        [bare(": 2}}")],
    ],
    "no index, side by side": [
        [bare("", id="a", name="f"), bare("", id="b", name="g")],
        [bare("{"), bare('{"y"')],
        [bare('"x": 1}'), bare(': {"z": 2}}')],
    ],
    "whole calls, all with index 0": [[tool(F, id="a", name="f")], [tool(G, id="b", name="g")]],
    "whole calls in one chunk, all with index 0": [
        [tool(F, id="a", name="f"), tool(G, id="b", name="g")]
    ],
    "indices from 1": [[tool(F, index=1, id="a", name="f")], [tool(G, index=2, id="b", name="g")]],
}


@SHAPES
@pytest.mark.parametrize("deltas", PARALLEL.values(), ids=PARALLEL)
def test_two_calls_survive_a_servers_habits(shape, deltas):
    found = calls(shape(chunk) for chunk in [*(tools(*delta) for delta in deltas), END])
    assert [(c.id, c.name, c.arguments, c.index) for c in found] == [
        ("a", "f", json.loads(F), 0),
        ("b", "g", json.loads(G), 1),
    ]


@pytest.mark.parametrize("make", [tool, bare], ids=["index 0", "no index"])
def test_whole_calls_without_ids_are_told_apart(make):
    chunks = [tools(make(F, name="f")), tools(make(F, name="f")), tools(make(G, name="g")), END]
    assert [(c.name, c.raw) for c in calls(chunks)] == [("f", F), ("f", F), ("g", G)]
