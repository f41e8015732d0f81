"""What holds for any text, any tokenisation, any fragments, and chunks never seen before."""

import json
from types import SimpleNamespace

import pytest
from adapter_chunks import (
    as_objects,
    block_start,
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
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.adapters import AnthropicAdapter, OpenAIAdapter, OpenAIResponsesAdapter
from l0.errors import InvalidStreamError, NetworkError
from l0.events import EventType

json_values = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.text()
    | st.floats(allow_nan=False, allow_infinity=False),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)
arguments = st.dictionaries(st.text(), json_values, max_size=4)
texts = st.lists(st.text(max_size=6), max_size=12)
shapes = st.sampled_from([lambda chunk: chunk, as_objects])


@st.composite
def fragments(draw, values=arguments):
    """A JSON object and its text, cut anywhere."""
    value = draw(values)
    raw = json.dumps(value, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(1)))
    cuts = sorted(draw(st.lists(st.integers(0, len(raw)), max_size=8)))
    return value, [raw[a:b] for a, b in zip([0, *cuts], [*cuts, len(raw)], strict=True)]


def chat_call(pieces, shape=lambda chunk: chunk):
    first = tools(tool("", id="c", name="f"))
    chunks = [first, *(tools(tool(piece)) for piece in pieces), chat(finish="tool_calls")]
    return OpenAIAdapter(), [shape(chunk) for chunk in chunks]


def responses_call(pieces, shape=lambda chunk: chunk):
    chunks = [*response_call(*pieces, id="c"), response("completed")]
    return OpenAIResponsesAdapter(), [shape(chunk) for chunk in chunks]


def messages_call(pieces, shape=lambda chunk: chunk):
    chunks = [message_start(), *tool_block(*pieces, id="c"), *message_end("tool_use")]
    return AnthropicAdapter(), [shape(chunk) for chunk in chunks]


WIRES = pytest.mark.parametrize("wire", [chat_call, responses_call, messages_call])


@WIRES
@settings(deadline=None, max_examples=60)
@given(cut=fragments(), shape=shapes)
def test_any_split_of_the_arguments_gives_the_same_call(wire, cut, shape):
    value, pieces = cut
    (call,) = calls_of(decode(*wire(pieces, shape)))
    assert call.arguments == value
    assert call.raw == "".join(pieces)
    assert (call.id, call.name, call.index, call.errors) == ("c", "f", 0, ())


@WIRES
@settings(deadline=None, max_examples=60)
@given(cut=fragments(), data=st.data())
def test_a_stream_cut_anywhere_never_delivers_a_call_that_is_not_whole(wire, cut, data):
    value, pieces = cut
    adapter, chunks = wire(pieces)
    length = data.draw(st.integers(0, len(chunks)))
    found = calls_of(decode(adapter, chunks[:length]))
    assert [call.arguments for call in found] in ([], [value])


@WIRES
@settings(deadline=None, max_examples=60)
@given(cut=fragments(), data=st.data())
def test_with_a_transport_a_stream_cut_anywhere_fails(wire, cut, data):
    adapter, chunks = wire(cut[1])
    length = data.draw(st.integers(0, len(chunks) - 1))
    with pytest.raises(NetworkError):
        decode(adapter, chunks[:length], stream=SimpleNamespace(response=object()))


@settings(deadline=None, max_examples=60)
@given(calls=st.lists(fragments(), min_size=1, max_size=4), data=st.data())
def test_calls_in_any_interleaving_come_whole_and_in_index_order(calls, data):
    queues = {
        index: [tool("", index=index, id=f"c{index}", name="f")]
        + [tool(piece, index=index) for piece in pieces]
        for index, (_, pieces) in enumerate(calls)
    }
    chunks = []
    while queues:
        index = data.draw(st.sampled_from(sorted(queues)))
        chunks.append(tools(queues[index].pop(0)))
        if not queues[index]:
            del queues[index]
    found = calls_of(decode(OpenAIAdapter(), [*chunks, chat(finish="tool_calls")]))
    assert [(c.id, c.arguments, c.index) for c in found] == [
        (f"c{index}", value, index) for index, (value, _) in enumerate(calls)
    ]


@settings(deadline=None, max_examples=60)
@given(texts=texts, shape=shapes)
def test_text_comes_unchanged_and_in_order(texts, shape):
    chats = [*(chat(text) for text in texts), chat(finish="stop")]
    events = [*(output("output_text.delta", text) for text in texts), response("completed")]
    messages = [*(text_delta(text) for text in texts), *message_end()]
    for adapter, chunks in (
        (OpenAIAdapter(), chats),
        (OpenAIResponsesAdapter(), events),
        (AnthropicAdapter(), messages),
    ):
        found = decode(adapter, map(shape, chunks))
        assert text_of(found) == "".join(texts)
        assert [event.start for event in found if event.is_token] == [
            sum(map(len, texts[:place])) for place, text in enumerate(texts) if text
        ]
        assert [event.type for event in found].count(EventType.COMPLETE) == 1


NAMES = """type id model object choices usage error delta index content tool_calls function
    function_call finish_reason refusal reasoning audio message content_block response item text
    name arguments stop_reason partial_json output_index incomplete_details code surprise"""
KINDS = """content_block_delta content_block_start content_block_stop message_start message_delta
    message_stop ping error text_delta input_json_delta thinking_delta citations_delta tool_use
    chunk function_call response.created response.completed response.failed response.incomplete
    response.error response.output_item.added response.output_item.done response.output_text.delta
    response.function_call_arguments.done response.function_call_arguments.delta"""
names, kinds = st.sampled_from(NAMES.split()), st.sampled_from(KINDS.split())
junk = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=3)
    | kinds
    | st.binary(max_size=2),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=6),
    max_leaves=12,
)
odd_chunks = st.dictionaries(names, junk, max_size=8)


def namespaces(value):
    """Dicts as objects, whatever else they hold."""
    if isinstance(value, dict):
        return SimpleNamespace(**{name: namespaces(inner) for name, inner in value.items()})
    return [namespaces(inner) for inner in value] if isinstance(value, list) else value


@pytest.mark.parametrize(
    ("adapter", "good"),
    [
        (OpenAIAdapter(), chat("a")),
        (OpenAIResponsesAdapter(), output("output_text.delta", "a")),
        (AnthropicAdapter(), text_delta("a")),
    ],
    ids=lambda value: getattr(value, "name", ""),
)
@settings(deadline=None, max_examples=60)
@given(odd=st.lists(odd_chunks, max_size=4), extra=odd_chunks, objects=st.booleans())
def test_no_chunk_however_odd_makes_a_decoder_raise(adapter, good, odd, extra, objects):
    shape = namespaces if objects else (lambda chunk: chunk)
    decoder = adapter.decoder()
    decoder.feed(shape(good))
    for chunk in odd:
        decoder.feed(shape(chunk))
    marked = {**extra, **good}
    marked.pop("error", None)
    marked.pop("usage", None)
    assert decoder.feed(shape(marked)) == "a"
    try:
        decoder.finish()
    except (InvalidStreamError, NetworkError):
        pytest.fail("a plain stream of known chunks has an end")


def test_a_million_characters_of_arguments_take_linear_time():
    piece = '{"a": "' + "x" * 20 + '"},'
    pieces = ['{"list": [', *([piece] * 20_000), '{"a": 1}]}']
    for wire in (chat_call, responses_call, messages_call):
        (call,) = calls_of(decode(*wire(pieces)))
        assert len(call.arguments["list"]) == 20_001


def test_blocks_that_only_begin_are_no_calls():
    events = [block_start({"type": "tool_use", "id": "x", "name": "f", "input": {"a": 1}})]
    assert calls_of(decode(AnthropicAdapter(), events)) == []
