"""Which adapter reads a stream."""

import logging
import sys
from types import SimpleNamespace

import pytest
from adapter_chunks import as_objects, chat, message_start, output, response, text_delta

from l0.adapters import (
    ACTIVITY,
    AdaptedEvent,
    Adapter,
    AnthropicAdapter,
    FunctionAdapter,
    LiteLLMAdapter,
    OpenAIAdapter,
    as_events,
    bind,
    detect_adapter,
    has_transport,
    register_adapter,
    registered_adapters,
    reset_adapters,
    select_adapter,
    select_by_chunk,
    unregister_adapter,
)
from l0.errors import AdapterNotFoundError, InvalidStreamError
from l0.events import Event, EventType, Usage


class Words:
    """An adapter of no more than it must have."""

    def __init__(self, name="words", kind=None):
        self.name = name
        self.kind = kind

    def detect(self, stream):
        return stream is self.kind

    def decoder(self, options):
        return SimpleNamespace(feed=lambda chunk: chunk["word"])


class ByChunk:
    """Known by its chunks only."""

    name = "by-chunk"

    def detect_chunk(self, chunk):
        return chunk.get("word") is not None

    def decoder(self, options):
        return SimpleNamespace(feed=lambda chunk: chunk["word"])


class Wrapping:
    name = "wrapping"

    def detect_chunk(self, chunk):
        return True

    async def wrap(self, stream, options=None):
        async for item in stream:
            yield AdaptedEvent(Event(EventType.TOKEN, item + (options or "")), item)


@pytest.fixture(autouse=True)
def _clean():
    reset_adapters()
    yield
    reset_adapters()


def sdk_object(module, name="AsyncStream", **fields):
    cls = type(name, (), {})
    cls.__module__ = module
    made = cls()
    vars(made).update(fields)
    return made


# --- failures ------------------------------------------------------------------------------------


def test_an_unknown_name_lists_the_known_ones():
    register_adapter(Words("mine"))
    with pytest.raises(
        AdapterNotFoundError,
        match=r"'opnai'.*mine, litellm, openai-responses, anthropic, openai, event",
    ):
        select_adapter([], "opnai")


@pytest.mark.parametrize(
    ("adapter", "match"),
    [
        (OpenAIAdapter, r"pass OpenAIAdapter\(\), not the class"),
        (SimpleNamespace(name="x"), "'x' needs decoder"),
        (SimpleNamespace(name="", decoder=print), "needs a name"),
        (SimpleNamespace(name=None, wrap=print), "needs a name"),
        (SimpleNamespace(name="x", wrap=3), "'x' needs decoder"),
        (object(), "needs a name"),
    ],
)
@pytest.mark.parametrize("use", [register_adapter, lambda hint: select_adapter([], hint)])
def test_what_is_no_adapter_is_refused(use, adapter, match):
    with pytest.raises(TypeError, match=match):
        use(adapter)
    assert registered_adapters() == []


def test_a_detector_that_fails_does_not_know_the_stream(caplog):
    class Careless(Words):
        def detect(self, stream):
            return stream.url.startswith("x")

    register_adapter(Careless("careless"))
    with caplog.at_level(logging.WARNING, "l0"):
        assert select_adapter([]) is None
    assert "detect of the adapter 'careless' failed" in caplog.text


# --- registering ---------------------------------------------------------------------------------


def test_the_list_keeps_its_identity_and_the_newest_is_first():
    known = registered_adapters()
    one, two = Words("one"), Words("two")
    assert register_adapter(one) is one
    register_adapter(two)
    assert known == [two, one]
    newer = register_adapter(Words("one"))
    assert known == [newer, two]
    assert unregister_adapter("two")
    assert not unregister_adapter("two")
    assert known == [newer]
    reset_adapters()
    assert known == []
    assert registered_adapters() is known


def test_built_in_adapters_cannot_be_unregistered_but_can_be_replaced_by_name():
    assert not unregister_adapter("openai")
    mine = register_adapter(Words("openai"))
    assert select_adapter([], "openai") == (mine, "hint")
    reset_adapters()
    assert isinstance(select_adapter([], "openai")[0], OpenAIAdapter)


# --- choosing by stream --------------------------------------------------------------------------


def test_a_hint_decides_before_everything_else():
    stream = sdk_object("anthropic._streaming")
    register_adapter(Words("mine", stream))
    mine = Words("other")
    assert select_adapter(stream, mine) == (mine, "hint")
    adapter, how = select_adapter(stream, "openai")
    assert (adapter.name, how) == ("openai", "hint")


def test_a_registered_adapter_decides_before_the_built_in_ones_and_the_newest_first():
    stream = sdk_object("anthropic._streaming")
    register_adapter(Words("old", stream))
    newest = register_adapter(Words("new", stream))
    register_adapter(Words("other"))
    assert select_adapter(stream) == (newest, "registered")
    assert detect_adapter(stream) is newest


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("anthropic._streaming", "anthropic"),
        ("anthropic.lib.streaming._messages", "anthropic"),
        ("litellm.litellm_core_utils.streaming_handler", "litellm"),
        ("openai._streaming", None),
        ("openai.lib.streaming.responses", None),
        ("antropic", None),
        ("my.anthropic", None),
    ],
)
def test_a_stream_is_known_by_the_package_of_its_class(module, name):
    selected = select_adapter(sdk_object(module))
    assert (selected and selected[0].name) == name
    assert selected is None or selected[1] == "module"


def test_a_subclass_of_an_sdk_class_is_known_too():
    base = type(sdk_object("anthropic._streaming"))
    assert detect_adapter(type("Mine", (base,), {})()).name == "anthropic"


OTHERS = [[], iter(()), None, "text", object()]


@pytest.mark.parametrize("stream", OTHERS, ids=lambda stream: type(stream).__name__)
def test_other_streams_are_left_to_the_first_chunk(stream):
    assert select_adapter(stream) is None
    assert detect_adapter(stream) is None


# --- choosing by chunk ---------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [lambda chunk: chunk, as_objects], ids=["dict", "object"])
@pytest.mark.parametrize(
    ("chunk", "name"),
    [
        (chat("a"), "openai"),
        ({"choices": [], "prompt_filter_results": []}, "openai"),
        ({"type": "chunk", "chunk": chat("a"), "snapshot": {}}, "openai"),
        (response("created"), "openai-responses"),
        (output("output_text.delta", "a"), "openai-responses"),
        (message_start(), "anthropic"),
        (text_delta("a"), "anthropic"),
        ({"type": "ping"}, "anthropic"),
    ],
)
def test_a_chunk_is_known_by_its_shape(shape, chunk, name):
    adapter, how = select_by_chunk(shape(chunk))
    assert (adapter.name, how) == (name, "chunk")


def test_an_error_in_place_of_the_first_chunk_is_known():
    assert select_by_chunk({"error": {"message": "x"}})[0].name == "openai"
    assert select_by_chunk({"type": "error", "error": {}})[0].name == "event"


@pytest.mark.parametrize("item", ["a", "", Event(EventType.TOKEN, "a"), {"type": "token"}, 3, {}])
def test_the_rest_passes_through_or_is_refused_there(item):
    adapter, how = select_by_chunk(item)
    assert (adapter.name, how) == ("event", "passthrough")


def test_a_litellm_chunk_is_litellms():
    assert select_by_chunk(sdk_object("litellm.types.utils", choices=[]))[0].name == "litellm"


def test_a_registered_adapter_sees_the_chunk_first():
    mine = register_adapter(ByChunk())
    assert select_by_chunk({"word": "a", **chat("b")}) == (mine, "chunk")
    assert select_by_chunk(chat("b"))[0].name == "openai"


def test_an_adapter_that_wraps_is_not_asked_when_the_stream_has_begun():
    register_adapter(Wrapping())
    assert select_by_chunk("a")[0].name == "event"


# --- binding -------------------------------------------------------------------------------------


def test_a_decoder_that_reports_nothing_is_given_the_attributes():
    stream = object()
    source, decoder = bind(Words(), stream)
    assert source is stream
    assert decoder.feed({"word": "a"}) == "a"
    assert list(decoder.finish()) == []
    assert (decoder.usage, decoder.finish_reason, decoder.finished) == (None, None, False)
    assert decoder.pings_before_first_token is False
    with pytest.raises(AttributeError):
        decoder.nonsense  # noqa: B018


def test_a_decoder_keeps_what_it_reports_itself():
    class Counting(Words):
        def decoder(self, options):
            return SimpleNamespace(feed=str, usage=Usage(1), finish=lambda: [1])

    decoder = bind(Counting(), None)[1]
    assert decoder.usage == Usage(1)
    assert decoder.finish() == [1]
    assert decoder.model is None


def test_a_decoder_is_given_options_and_the_stream_where_it_takes_it():
    got = []

    class Curious(Words):
        def decoder(self, options, stream=None):
            got.append((options, stream))
            return SimpleNamespace(feed=str)

    bind(Curious(), "stream", {"a": 1})
    assert got == [({"a": 1}, "stream")]


async def test_an_adapter_that_wraps_gives_its_generator_and_events_pass():
    async def source():
        yield "a"
        yield "b"

    items, decoder = bind(Wrapping(), source(), "!")
    texts = [event.text async for item in items for event in as_events(decoder.feed(item))]
    assert texts == ["a!", "b!"]


def test_a_function_is_an_adapter():
    adapter, how = select_adapter([], lambda chunk: chunk["word"])
    assert (adapter.name, how) == ("function", "hint")
    assert isinstance(adapter, FunctionAdapter)
    decoder = bind(adapter, None)[1]
    assert decoder.feed({"word": "a"}) == "a"
    assert decoder.feed({"word": ""}) is None
    assert decoder.feed(None) is None
    assert decoder.feed({"word": ACTIVITY}) is ACTIVITY
    token = Event(EventType.TOKEN, "b")
    assert decoder.feed({"word": ["a", "", None, token]}) == ["a", token]
    with pytest.raises(InvalidStreamError, match="int"):
        decoder.feed({"word": 3})
    with pytest.raises(InvalidStreamError, match="of type bytes"):
        decoder.feed({"word": b"a"})
    with pytest.raises(TypeError, match="no options"):
        adapter.decoder({"a": 1})


def test_adapters_fit_the_protocol():
    assert all(isinstance(a, Adapter) for a in (Words(), Wrapping(), OpenAIAdapter()))


# --- the transport behind a stream ---------------------------------------------------------------


@pytest.mark.parametrize(
    ("stream", "expected"),
    [
        (sdk_object("openai._streaming", response=object()), True),
        (sdk_object("anthropic._streaming", response=object()), True),
        (sdk_object("openai.lib.streaming", _response=object()), True),
        (sdk_object("mine", response=object()), True),
        (sdk_object("mine", _response=object()), False),
        (sdk_object("mine", response=None), False),
        ([], False),
        (iter(()), False),
        (None, False),
    ],
)
def test_a_response_behind_a_stream_is_seen(stream, expected):
    assert has_transport(stream) is expected


def test_choosing_imports_no_provider_package():
    for stream in (sdk_object("openai.x"), sdk_object("anthropic.x"), sdk_object("litellm.x")):
        select_adapter(stream)
    assert "litellm" not in sys.modules
    assert isinstance(AnthropicAdapter(), Adapter)
    assert isinstance(LiteLLMAdapter(), Adapter)


@pytest.mark.parametrize(
    ("hint", "module", "name"),
    [
        ("openai", "anthropic.lib.streaming", "anthropic"),
        ("openai", "litellm.litellm_core_utils.streaming_handler", "litellm"),
        ("openai", "openai._streaming", "openai"),
        ("openai-responses", "openai._streaming", "openai-responses"),
        ("anthropic", "openai._streaming", None),
        ("anthropic", "shop.orders", "anthropic"),
        ("event", "anthropic.lib.streaming", "event"),
    ],
)
def test_a_built_in_adapter_that_is_named_is_not_forced_on_another_providers_fallback(
    hint, module, name
):
    """None: the first chunk tells the two of openai apart."""
    stream = sdk_object(module)
    chosen = select_adapter(stream, hint, fallback=True)
    assert (chosen and chosen[0].name) == name
    assert select_adapter(stream, hint)[0].name == hint


def test_an_adapter_of_ones_own_that_is_named_reads_every_stream_of_the_chain():
    own = FunctionAdapter(str)
    assert select_adapter(sdk_object("anthropic.x"), own, fallback=True) == (own, "hint")
