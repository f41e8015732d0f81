"""What the consumer of a stream sees: the event, and the values it carries."""

from __future__ import annotations

import msgspec
import pytest

from l0.events import ContentType, DataPayload, Event, EventType, Usage


@pytest.mark.parametrize("kind", EventType)
def test_an_event_knows_what_it_is(kind):
    event = Event(kind)
    told = {name for name in dir(Event) if name.startswith("is_") and getattr(event, name)}
    assert told == {f"is_{kind.value}"}


def test_value_is_another_name_of_text():
    assert Event(EventType.TOKEN, "Hello", 0).value == "Hello"
    assert Event(EventType.PROGRESS).value is None


def test_an_event_does_not_change_and_shows_what_it_has():
    event = Event(EventType.TOKEN, "Hello", 0)
    with pytest.raises(AttributeError):
        event.text = "Bye"
    assert repr(event) == "Event(type=<EventType.TOKEN: 'token'>, text='Hello', start=0)"
    assert event == Event(EventType.TOKEN, "Hello", 0)
    assert event != msgspec.structs.replace(event, start=1)


def test_a_consumer_that_follows_start_and_restart_is_always_right():
    story = [
        Event(EventType.TOKEN, "Hel", 0),
        Event(EventType.TOKEN, "p", 3),
        Event(EventType.RESTART, kept_chars=3, kept_tokens=1, reason="timeout"),
        Event(EventType.TOKEN, "lo", 3),
    ]
    shown = ""
    for event in story:
        if event.is_restart:
            shown = shown[: event.kept_chars]
        elif event.is_token:
            shown = shown[: event.start] + event.text
    assert shown == "Hello"


def test_usage_adds_and_reads_like_a_mapping():
    one = Usage(input_tokens=3, output_tokens=4, cached_input_tokens=1, requests=1)
    both = one + Usage(output_tokens=1, total_tokens=9, reasoning_tokens=2, requests=1)
    assert dict(both) == {
        "input_tokens": 3,
        "output_tokens": 5,
        "total_tokens": 16,
        "cached_input_tokens": 1,
        "reasoning_tokens": 2,
        "requests": 2,
    }
    assert one.total_tokens == 7, "an unreported total is input + output"
    assert (one["input_tokens"], one.get("other"), one.get("other", 5)) == (3, None, 5)
    assert len(one) == 6
    with pytest.raises(KeyError):
        one["other"]
    with pytest.raises(TypeError):
        one + 3


def test_data_tells_what_its_metadata_says():
    metadata = {"width": 2, "height": 3, "duration": 1.5, "size": 10, "filename": "a.png",
                "seed": 7, "model": "m"}  # fmt: skip
    data = DataPayload(ContentType.IMAGE, metadata=metadata)
    for name, value in metadata.items():
        assert getattr(data, name) == value
    assert DataPayload(ContentType.TEXT).width is None
