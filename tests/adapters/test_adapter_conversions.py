"""Streams of any kind made into events by extractors, and events made by hand."""

import pytest

from l0.adapters import (
    create_adapter_audio_event,
    create_adapter_binary_event,
    create_adapter_complete_event,
    create_adapter_data_event,
    create_adapter_error_event,
    create_adapter_file_event,
    create_adapter_image_event,
    create_adapter_json_event,
    create_adapter_message_event,
    create_adapter_progress_event,
    create_adapter_token_event,
    create_adapter_tool_call_event,
    create_adapter_video_event,
    to_l0_events,
    to_l0_events_with_messages,
    to_multimodal_l0_events,
)
from l0.errors import InvalidStreamError, ProviderError
from l0.events import ContentType, DataPayload, Event, EventType, Progress, ToolCall, Usage


def get(name):
    return lambda chunk: chunk.get(name)


async def source(*chunks):
    for chunk in chunks:
        if isinstance(chunk, BaseException):
            raise chunk
        yield chunk


async def collect(events):
    return [event async for event in events]


COMPLETE = Event(EventType.COMPLETE)


# --- conversions: failures -----------------------------------------------------------------------


@pytest.mark.parametrize("stream", [iter([{"t": "a"}]), 3, None], ids=["iterator", "int", "None"])
async def test_a_stream_that_is_not_asynchronous_is_refused(stream):
    with pytest.raises(InvalidStreamError, match=r"no asynchronous stream.*AsyncOpenAI"):
        await collect(to_l0_events(stream, get("t")))


async def test_an_exception_of_the_source_passes_unchanged():
    error, seen = OSError("gone"), []
    with pytest.raises(OSError, match="gone") as raised:
        async for event in to_l0_events(source({"t": "a"}, error), get("t")):
            seen.append(event.text)
    assert raised.value is error
    assert seen == ["a"]


@pytest.mark.parametrize(
    ("name", "value", "match"),
    [
        ("extract_text", 3, "extract_text must give a str or None, it gave int"),
        ("extract_data", {"content_type": "smell"}, "extract_data gave.*smell"),
        ("extract_progress", "half", "extract_progress gave 'half'"),
        ("extract_message", 3, "extract_message gave 3"),
    ],
)
async def test_an_extractor_that_gives_what_it_cannot_is_named(name, value, match):
    with pytest.raises(InvalidStreamError, match=match):
        await collect(to_multimodal_l0_events(source({}), {name: lambda _: value}))


async def test_an_unknown_extractor_names_the_nearest():
    with pytest.raises(TypeError, match="did you mean extract_text"):
        await collect(to_multimodal_l0_events(source(), extract_txt=get("t")))


@pytest.mark.parametrize("error", [OSError("x"), "it broke", {"type": "overloaded_error"}])
async def test_an_extracted_error_ends_the_stream(error):
    events = await collect(
        to_multimodal_l0_events(
            source({"t": "a"}, {"e": error}, {"t": "b"}),
            extract_text=get("t"),
            extract_error=get("e"),
        )
    )
    assert [event.type.value for event in events] == ["token", "error"]
    assert isinstance(events[1].error, OSError | ProviderError)


# --- conversions ---------------------------------------------------------------------------------


async def test_texts_become_tokens_with_their_place_and_then_complete():
    chunks = [{"t": "ab"}, {}, {"t": ""}, {"t": "c"}]
    expected = [Event(EventType.TOKEN, "ab", 0), Event(EventType.TOKEN, "c", 2), COMPLETE]
    assert await collect(to_l0_events(source(*chunks), get("t"))) == expected
    assert await collect(to_l0_events(chunks, get("t"))) == expected


async def test_messages_stand_beside_the_text():
    chunks = [
        {"m": "hm"},
        {"t": "a", "m": {"text": "so", "kind": "reasoning", "role": "tool"}},
        {"m": {"value": "x"}},
        {"m": Event(EventType.MESSAGE, "own")},
    ]
    events = await collect(to_l0_events_with_messages(source(*chunks), get("t"), get("m")))
    assert [(e.text, e.data) for e in events if e.is_message] == [
        ("hm", {"role": "assistant"}),
        ("so", {"kind": "reasoning", "role": "tool"}),
        ("x", {"role": "assistant"}),
        ("own", None),
    ]
    assert [e.text for e in events if e.is_token] == ["a"]


@pytest.mark.parametrize("form", ["mapping", "keywords", "both"])
async def test_extractors_may_be_a_mapping_keywords_or_both(form):
    names = {"extract_text": get("t"), "extract_progress": get("p")}
    mapping, keywords = {
        "mapping": (names, {}),
        "keywords": (None, names),
        "both": ({"extract_text": get("t")}, {"extract_progress": get("p")}),
    }[form]
    events = await collect(
        to_multimodal_l0_events(source({"t": "a", "p": 50}), mapping, **keywords)
    )
    assert [event.type.value for event in events] == ["progress", "token", "complete"]


async def test_data_and_progress_may_be_values_fields_lists_or_events():
    payload = DataPayload(ContentType.IMAGE, url="x.png")
    chunks = [
        {"d": payload, "p": Progress(10)},
        {"d": {"content_type": "image", "url": "x.png"}, "p": {"percent": 10.0}},
        {"d": [payload, payload], "p": 10.0},
        {"d": create_adapter_data_event(payload)},
    ]
    events = await collect(
        to_multimodal_l0_events(source(*chunks), extract_data=get("d"), extract_progress=get("p"))
    )
    assert [e.payload for e in events if e.is_data] == [payload] * 5
    assert [e.progress.percent for e in events if e.is_progress] == [10] * 3


# --- events by hand ------------------------------------------------------------------------------

MEDIA = [
    (create_adapter_image_event, ContentType.IMAGE, "image/png"),
    (create_adapter_audio_event, ContentType.AUDIO, "audio/mp3"),
    (create_adapter_video_event, ContentType.VIDEO, "video/mp4"),
    (create_adapter_file_event, ContentType.FILE, "application/octet-stream"),
    (create_adapter_binary_event, ContentType.BINARY, "application/octet-stream"),
]


@pytest.mark.parametrize(("create", "kind", "mime_type"), MEDIA)
def test_media_need_their_content(create, kind, mime_type):
    with pytest.raises(ValueError, match=f"{kind.value} needs base64=, url= or data="):
        create(width=3)


@pytest.mark.parametrize(("create", "kind", "mime_type"), MEDIA)
def test_media_have_their_type_and_the_rest_as_metadata(create, kind, mime_type):
    payload = create(base64="AAAA", width=1, height=2, size=3, duration=4.0, seed=5, model="m", x=6)
    payload = payload.payload
    assert (payload.content_type, payload.mime_type, payload.base64) == (kind, mime_type, "AAAA")
    assert (payload.width, payload.height, payload.size, payload.duration) == (1, 2, 3, 4.0)
    assert (payload.seed, payload.model, payload.metadata["x"]) == (5, "m", 6)
    assert create(url="u", mime_type="a/b").payload.mime_type == "a/b"
    assert create(data=b"").payload.metadata is None


def test_a_token_a_message_and_progress_by_hand():
    assert create_adapter_token_event("a") == Event(EventType.TOKEN, "a")
    assert create_adapter_token_event("a", refusal=True, timestamp=1.0).data == {"refusal": True}
    event = create_adapter_message_event("hm", role="user", kind="note")
    assert event == Event(EventType.MESSAGE, "hm", data={"role": "user", "kind": "note"})
    event = create_adapter_progress_event(50, step=1, total_steps=2, message="half", eta=3.0)
    assert event.progress == Progress(50, 1, 2, "half", 3.0)


def test_json_and_data_by_hand():
    event = create_adapter_json_event([1], source="x")
    assert event.payload.json == [1]
    assert event.payload.metadata == {"source": "x"}
    assert create_adapter_data_event(event.payload) == event


@pytest.mark.parametrize("arguments", [{"a": 1}, '{"a": 1}'])
def test_a_tool_call_by_hand(arguments):
    call = create_adapter_tool_call_event("c", "f", arguments, index=1).tool_call
    assert (call.arguments, call.index, call.errors) == ({"a": 1}, 1, ())
    assert call.raw == (arguments if isinstance(arguments, str) else "")


def test_a_broken_tool_call_by_hand_carries_its_fault():
    call = create_adapter_tool_call_event("c", "f", '{"a').tool_call
    assert call == ToolCall("c", "f", {"_raw": '{"a'}, '{"a', errors=call.errors)
    assert call.errors[0].code == "invalid_json"


def test_an_error_and_a_complete_by_hand():
    error = ValueError("x")
    assert create_adapter_error_event(error).error is error
    assert isinstance(create_adapter_error_event("it broke").error, ProviderError)
    event = create_adapter_complete_event(Usage(1), "stop")
    assert event == Event(EventType.COMPLETE, usage=Usage(1), finish_reason="stop")
