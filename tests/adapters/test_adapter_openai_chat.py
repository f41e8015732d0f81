"""Chat Completions chunks, in every shape servers send them."""

from types import SimpleNamespace
from unittest.mock import MagicMock

import msgspec
import pytest
from adapter_chunks import as_objects, chat, decode, feed_all, text_of, tool, tools

from l0.adapters import ACTIVITY, OpenAIAdapter, OpenAIAdapterOptions
from l0.errors import InvalidStreamError, NetworkError, ProviderError
from l0.events import Event, EventType, Usage

ADAPTER = OpenAIAdapter()
SHAPES = pytest.mark.parametrize("shape", [lambda chunk: chunk, as_objects], ids=["dict", "object"])
TRANSPORT = SimpleNamespace(response=object())


class Delta(msgspec.Struct):
    content: str | None = None
    tool_calls: list[dict] | None = None


class Choice(msgspec.Struct):
    delta: Delta
    index: int = 0
    finish_reason: str | None = None


class SlottedChunk(msgspec.Struct):
    choices: list[Choice]
    model: str = "m"


def complete(finish_reason="stop", usage=None):
    return Event(EventType.COMPLETE, finish_reason=finish_reason, usage=usage)


# --- failures ------------------------------------------------------------------------------------


@SHAPES
@pytest.mark.parametrize("before", [0, 1, 3])
def test_a_connection_that_ends_without_a_finish_reason_is_a_network_error(shape, before):
    decoder = ADAPTER.decoder(stream=TRANSPORT)
    feed_all(decoder, [shape(chat("a"))] * before)
    with pytest.raises(
        NetworkError, match=r"without a finish reason.*'require_finish': False"
    ) as e:
        decoder.finish()
    assert e.value.type == "partial_chunks"
    assert not decoder.finished


def test_a_plain_iterator_may_end_without_a_finish_reason():
    assert decode(ADAPTER, [chat("a")], stream=[chat("a")]) == [Event(EventType.TOKEN, "a", 0)]


@pytest.mark.parametrize(
    ("require", "stream", "raises"),
    [
        ("auto", None, False),
        ("auto", TRANSPORT, True),
        (True, None, True),
        (False, TRANSPORT, False),
    ],
)
def test_a_finish_is_required_as_asked(require, stream, raises):
    decoder = ADAPTER.decoder({"require_finish": require}, stream)
    decoder.feed(chat("a"))
    if raises:
        with pytest.raises(NetworkError):
            decoder.finish()
    else:
        assert decoder.finish() == ()


def test_usage_and_names_can_be_read_when_the_attempt_has_failed():
    decoder = ADAPTER.decoder({"require_finish": True})
    usage = {"prompt_tokens": 3, "completion_tokens": 1, "total_tokens": 4}
    feed_all(decoder, [chat("a", usage=usage)])
    with pytest.raises(NetworkError):
        decoder.finish()
    assert decoder.usage == Usage(3, 1, requests=1)
    assert (decoder.model, decoder.response_id) == ("gpt-test", "chatcmpl-1")


@pytest.mark.parametrize(
    ("error", "category"),
    [
        ({"message": "slow down", "type": "rate_limit_exceeded"}, "transient"),
        ({"message": "no", "code": "invalid_api_key"}, "fatal"),
        ({"message": "upstream", "code": 502}, "transient"),
        ({"message": "upstream", "code": "429"}, "transient"),
        ({"message": "?"}, "provider"),
        ("it broke", "provider"),
    ],
)
@SHAPES
def test_an_error_in_a_chunk_becomes_a_provider_error_of_its_category(shape, error, category):
    event = ADAPTER.decoder().feed(shape({"error": error}))
    assert event.type is EventType.ERROR
    assert isinstance(event.error, ProviderError)
    assert event.error.category == category
    assert (error if isinstance(error, str) else error["message"]) in str(event.error)


def test_an_error_beside_choices_wins_over_them():
    decoder = ADAPTER.decoder()
    decoder.feed(chat("a"))
    failed = {**chat("", finish="error"), "error": {"code": 502, "message": "Bad gateway"}}
    assert decoder.feed(failed).error.status == 502
    late = {**chat("text"), "error": {"code": 502, "message": "Bad gateway"}}
    assert decoder.feed(late).type is EventType.ERROR


@pytest.mark.parametrize("reason", ["error", "abort", "insufficient_system_resource"])
def test_a_finish_reason_that_means_failure_is_an_error(reason):
    decoder = ADAPTER.decoder()
    event = decoder.feed(chat(finish=reason))
    assert isinstance(event.error, ProviderError)
    assert reason in str(event.error)
    assert (decoder.finish_reason, decoder.raw_finish_reason) == ("error", reason)


@pytest.mark.parametrize("item", [b"data: {}", 3, ["a"], ("a",)], ids=repr)
def test_what_can_be_no_chunk_is_refused_at_once_with_its_type(item):
    with pytest.raises(InvalidStreamError, match=type(item).__name__):
        ADAPTER.decoder().feed(item)


def test_a_stream_without_one_known_chunk_fails_at_its_end_naming_the_type():
    decoder = ADAPTER.decoder()
    assert feed_all(decoder, [SimpleNamespace(body="?"), {"body": "?"}]) == [None, None]
    with pytest.raises(InvalidStreamError, match=r"'openai' knows.*SimpleNamespace"):
        decoder.finish()


def test_one_strange_object_among_chunks_is_ignored():
    chunks = [chat("a"), SimpleNamespace(body="?"), {"object": "ping"}, chat("b", finish="stop")]
    assert text_of(decode(ADAPTER, chunks)) == "ab"


@pytest.mark.parametrize(
    ("options", "error", "match"),
    [
        ({"choice_index": -1}, ValueError, "choice_index must be 0 or more, got -1"),
        ({"choice_index": True}, ValueError, "choice_index"),
        ({"include_usage": 1}, ValueError, "include_usage must be True or False"),
        ({"require_finish": "yes"}, ValueError, "require_finish must be True, False or 'auto'"),
        ({"require_finsh": True}, TypeError, "did you mean 'require_finish'"),
        (3, TypeError, "OpenAIAdapterOptions or a mapping"),
    ],
)
def test_wrong_options_say_what_is_wrong(options, error, match):
    with pytest.raises(error, match=match):
        ADAPTER.decoder(options)


# --- what each chunk means -----------------------------------------------------------------------

THINKING = [{"type": "thinking", "thinking": [{"type": "text", "text": "hm"}]}]
REFUSAL = Event(EventType.TOKEN, "no", data={"refusal": True})
KINDS = {
    "text": (chat("a"), "a"),
    "role only": (chat(role="assistant"), None),
    "role with empty text": (chat("", role="assistant"), None),
    "null text": (chat(content=None), None),
    "text with nulls beside it": (
        chat("a", role=None, tool_calls=None, refusal=None, reasoning_content=None),
        "a",
    ),
    "text with empty lists beside it": (chat("a", tool_calls=[], finish=""), "a"),
    "refusal": (chat(refusal="no"), REFUSAL),
    "text and refusal": (chat("a", refusal="no"), ["a", REFUSAL]),
    "reasoning_content": (chat(reasoning_content="hm"), ACTIVITY),
    "reasoning": (chat(reasoning="hm"), ACTIVITY),
    "reasoning details": (chat(reasoning_details=[{"type": "encrypted"}]), ACTIVITY),
    "empty reasoning": (chat(reasoning_content=""), None),
    "text and reasoning": (chat("a", reasoning_content="hm"), "a"),
    "text in parts": (
        chat([{"type": "text", "text": "a"}, {"type": "text", "text": "b"}]),
        ["a", "b"],
    ),
    "thinking in parts": (chat(THINKING), ACTIVITY),
    "thinking and text in parts": (chat([*THINKING, {"type": "text", "text": "a"}]), "a"),
    "audio": (chat(audio={"id": "x", "data": "AAAA"}), ACTIVITY),
    "end of audio": (chat(audio={"expires_at": 1}), None),
    "tool fragment": (tools(tool("{", id="c", name="f")), ACTIVITY),
    "empty tool list": (chat(tool_calls=[]), None),
    "function call": (chat(function_call={"name": "f", "arguments": ""}), ACTIVITY),
    "finish": (chat(finish="stop"), None),
    "text and finish": (chat("a", finish="stop"), "a"),
    "text and usage": (chat("a", usage={"prompt_tokens": 1, "completion_tokens": 1}), "a"),
    "usage only": ({"choices": [], "usage": {"prompt_tokens": 1, "completion_tokens": 1}}, None),
    "no choices": ({"choices": [], "prompt_filter_results": []}, None),
    "null choices": ({"id": "x", "choices": None}, None),
    "another choice": (chat("a", index=1), None),
    "no index": ({"choices": [{"delta": {"content": "a"}}]}, "a"),
    "no delta": ({"choices": [{"index": 0, "finish_reason": None}]}, None),
    "older protocol": ({"choices": [{"index": 0, "text": "a", "finish_reason": None}]}, "a"),
}


@SHAPES
@pytest.mark.parametrize("warm", [False, True], ids=["first", "later"])
@pytest.mark.parametrize(("chunk", "meaning"), KINDS.values(), ids=KINDS)
def test_every_kind_of_chunk_has_its_meaning(shape, warm, chunk, meaning):
    decoder = ADAPTER.decoder()
    if warm:
        decoder.feed(shape(chat("x", role="assistant")))
        decoder.feed(shape(chat("x")))
    assert decoder.feed(shape(chunk)) == meaning


@SHAPES
def test_items_that_are_nothing_texts_or_events_pass_an_adapter_by(shape):
    event = Event(EventType.PROGRESS)
    decoder = ADAPTER.decoder()
    assert feed_all(decoder, [shape(chat("a")), None, "", "b", event, ACTIVITY]) == [
        "a",
        None,
        None,
        "b",
        event,
        ACTIVITY,
    ]


@SHAPES
@pytest.mark.parametrize("name", ["reasoning_content", "reasoning"])
def test_reasoning_asked_for_is_a_message_and_not_text(shape, name):
    chunks = [
        chat(**{name: "hm"}),
        chat("a", **{name: "m"}),
        chat(THINKING),
        chat("b", finish="stop"),
    ]
    events = decode(ADAPTER, map(shape, chunks), OpenAIAdapterOptions(include_reasoning=True))
    said = [(event.text, event.data) for event in events if event.is_message]
    about = {"role": "assistant", "kind": "reasoning"}
    assert said == [("hm", about), ("m", about), ("hm", about)]
    assert text_of(events) == "ab"


@SHAPES
def test_slow_and_fast_reading_give_the_same(shape):
    chunks = [shape(chat(text)) for text in ["a", "b", "", "c"]] + [shape(chat(finish="stop"))]
    slow = decode(ADAPTER, chunks, {"include_reasoning": True})
    assert decode(ADAPTER, chunks) == slow
    assert text_of(slow) == "abc"


def test_slotted_objects_are_read_by_attribute():
    chunks = [SlottedChunk([Choice(Delta("a"))]), SlottedChunk([Choice(Delta("b"), 0, "stop")])]
    assert decode(ADAPTER, chunks) == [
        Event(EventType.TOKEN, "a", 0),
        Event(EventType.TOKEN, "b", 1),
        complete(),
    ]


def test_values_that_only_the_class_has_are_not_overlooked():
    class Known:
        finish_reason = "stop"

        def __init__(self):
            self.index = 0
            self.delta = SimpleNamespace(content="a")

    chunk = SimpleNamespace(choices=[Known()])
    decoder = ADAPTER.decoder()
    assert feed_all(decoder, [chunk, chunk]) == ["a", "a"]
    assert decoder.finish_reason == "stop"


def test_mocks_mean_only_what_they_were_told():
    delta = MagicMock(content="a")
    chunk = MagicMock(choices=[MagicMock(delta=delta, index=0)])
    last = MagicMock(choices=[MagicMock(delta=delta, index=0, finish_reason="stop")])
    assert decode(ADAPTER, [chunk, chunk, last]) == [
        *(Event(EventType.TOKEN, "a", place) for place in range(3)),
        complete(),
    ]


def test_two_chosen_answers_do_not_mix():
    both = {"choices": [chat("a", index=0)["choices"][0], chat("b", index=1)["choices"][0]]}
    chunks = [
        chat("x", index=1),
        chat("y"),
        both,
        chat(index=1, finish="stop"),
        chat(finish="length"),
    ]
    assert text_of(decode(ADAPTER, chunks)) == "ya"
    second = decode(ADAPTER, chunks, {"choice_index": 1})
    assert text_of(second) == "xb"
    assert second[-1].finish_reason == "stop"


@SHAPES
def test_the_events_of_the_sdks_helper_stream_do_not_double_the_text(shape):
    chunks = [
        {"type": "chunk", "chunk": chat("a"), "snapshot": {}},
        {"type": "content.delta", "delta": "a", "snapshot": "a"},
        {"type": "chunk", "chunk": chat(finish="stop"), "snapshot": {}},
        {"type": "content.done", "content": "a"},
        {"type": "refusal.done", "refusal": "a"},
        {"type": "tool_calls.function.arguments.done", "name": "f", "arguments": "{}"},
        {"type": "logprobs.content.done", "content": []},
    ]
    assert ADAPTER.detect_chunk(shape(chunks[0]))
    events = decode(ADAPTER, map(shape, chunks))
    assert text_of(events) == "a"
    assert events[-1] == complete()


# --- the end -------------------------------------------------------------------------------------


@SHAPES
def test_usage_after_the_finish_reason_is_on_the_one_complete_event(shape):
    usage = {
        "prompt_tokens": 7,
        "completion_tokens": 5,
        "total_tokens": 12,
        "prompt_tokens_details": {"cached_tokens": 4},
        "completion_tokens_details": {"reasoning_tokens": 2},
    }
    last = {"id": "chatcmpl-1", "model": "gpt-test", "choices": [], "usage": usage}
    chunks = [chat("a"), chat(finish="stop"), last]
    decoder = ADAPTER.decoder()
    assert feed_all(decoder, map(shape, chunks)) == ["a", None, None]
    expected = Usage(7, 5, 12, cached_input_tokens=4, reasoning_tokens=2, requests=1)
    assert decoder.finish() == (complete(usage=expected),)
    assert decoder.finish() == ()


def test_usage_counts_under_the_names_of_other_servers():
    usage = {"input_tokens": 7, "output_tokens": 5, "prompt_cache_hit_tokens": 3}
    events = decode(ADAPTER, [chat("a", finish="stop", usage=usage)])
    assert events[-1].usage == Usage(7, 5, 12, cached_input_tokens=3, requests=1)


@pytest.mark.parametrize("usage", [{}, {"prompt_tokens": None}, {"prompt_tokens": "3"}, "none", 0])
def test_usage_that_says_nothing_is_not_reported(usage):
    assert decode(ADAPTER, [chat("a", finish="stop", usage=usage)])[-1].usage is None


def test_running_usage_is_replaced_not_summed():
    one, two = ({"prompt_tokens": 3, "completion_tokens": n} for n in (1, 2))
    events = decode(ADAPTER, [chat("a", usage=one), chat("b", usage=two), chat(finish="stop")])
    assert events[-1].usage.output_tokens == 2
    assert text_of(events) == "ab"


def test_usage_can_be_left_out():
    usage = {"prompt_tokens": 3, "completion_tokens": 1}
    events = decode(ADAPTER, [chat("a", finish="stop", usage=usage)], {"include_usage": False})
    assert events[-1].usage is None


@pytest.mark.parametrize(
    ("raw", "meaning"),
    [
        ("stop", "stop"),
        ("length", "length"),
        ("tool_calls", "tool_calls"),
        ("function_call", "tool_calls"),
        ("content_filter", "content_filter"),
        ("end_turn", "stop"),
        ("STOP", "stop"),
        ("model_length", "length"),
        ("something_new", "other"),
    ],
)
def test_finish_reasons_are_mapped_and_kept(raw, meaning):
    decoder = ADAPTER.decoder()
    decoder.feed(chat("a", finish=raw))
    assert (decoder.finish_reason, decoder.raw_finish_reason) == (meaning, raw)
    assert decoder.finish()[-1].finish_reason == meaning


def test_an_empty_finish_reason_in_every_chunk_is_no_end():
    decoder = ADAPTER.decoder({"require_finish": True})
    assert feed_all(decoder, [chat("a", finish=""), chat("b", finish="")]) == ["a", "b"]
    with pytest.raises(NetworkError):
        decoder.finish()


def test_names_come_from_the_first_chunk_that_has_them():
    first = {"id": "", "model": "", "choices": [], "prompt_filter_results": []}
    decoder = ADAPTER.decoder()
    feed_all(decoder, [first, chat("a")])
    assert (decoder.model, decoder.response_id) == ("gpt-test", "chatcmpl-1")


async def test_wrap_gives_events_and_raises_what_the_provider_reports():
    async def source():
        yield chat("ab")
        yield chat("c")
        yield {"error": {"type": "overloaded_error", "message": "Overloaded"}}

    seen = []
    with pytest.raises(ProviderError, match="Overloaded"):
        async for event in ADAPTER.wrap(source()):
            seen.append((event.text, event.start))
    assert seen == [("ab", 0), ("c", 2)]
