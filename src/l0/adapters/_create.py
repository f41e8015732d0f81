"""Events for people who write adapters: one function a kind, with the field's usual defaults."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from l0.adapters._tools import parse_arguments, tool_call_event
from l0.adapters._values import error_event
from l0.events import (
    ContentType,
    DataPayload,
    Event,
    EventType,
    Progress,
    ToolArgumentError,
    ToolCall,
    Usage,
)


def create_adapter_token_event(text: str, *, timestamp: float | None = None, **data: Any) -> Event:
    """A piece of the answer's text; keywords go to `data`.

    Example:
        >>> create_adapter_token_event("Hi").text
        'Hi'
    """
    return Event(EventType.TOKEN, text, data=data or None, timestamp=timestamp)


def create_adapter_message_event(text: str, *, role: str = "assistant", **data: Any) -> Event:
    """Text beside the answer; `kind="reasoning"` and other keywords go to `data`.

    Example:
        >>> create_adapter_message_event("Let me see", kind="reasoning").data
        {'role': 'assistant', 'kind': 'reasoning'}
    """
    return Event(EventType.MESSAGE, text, data={"role": role, **data})


def create_adapter_data_event(payload: DataPayload) -> Event:
    """Content other than text, already a payload.

    Example:
        >>> create_adapter_data_event(DataPayload(ContentType.JSON, json=[1])).payload.json
        [1]
    """
    return Event(EventType.DATA, payload=payload)


def create_adapter_progress_event(
    percent: float | None = None,
    *,
    step: int | None = None,
    total_steps: int | None = None,
    message: str | None = None,
    eta: float | None = None,
) -> Event:
    """How far a long generation has come: percent of 100, or a step of some; `eta` in seconds.

    Example:
        >>> create_adapter_progress_event(50).progress.percent
        50
    """
    return Event(EventType.PROGRESS, progress=Progress(percent, step, total_steps, message, eta))


def create_adapter_image_event(
    *,
    base64: str | None = None,
    url: str | None = None,
    data: bytes | None = None,
    mime_type: str = "image/png",
    **metadata: Any,
) -> Event:
    """An image; width and height in pixels, size in bytes, seed, model and the rest are metadata.

    Raises:
        ValueError: there is neither base64 nor url nor data.

    Example:
        >>> create_adapter_image_event(url="cat.png", width=640).payload.width
        640
    """
    return _media(
        DataPayload(ContentType.IMAGE, mime_type, base64, url, data, metadata=metadata or None)
    )


def create_adapter_audio_event(
    *,
    base64: str | None = None,
    url: str | None = None,
    data: bytes | None = None,
    mime_type: str = "audio/mp3",
    **metadata: Any,
) -> Event:
    """Sound; duration in seconds and the rest are metadata.

    Raises:
        ValueError: there is neither base64 nor url nor data.

    Example:
        >>> event = create_adapter_audio_event(url="https://example.org/a.mp3", duration=1.5)
        >>> event.payload.metadata
        {'duration': 1.5}
    """
    return _media(
        DataPayload(ContentType.AUDIO, mime_type, base64, url, data, metadata=metadata or None)
    )


def create_adapter_video_event(
    *,
    base64: str | None = None,
    url: str | None = None,
    data: bytes | None = None,
    mime_type: str = "video/mp4",
    **metadata: Any,
) -> Event:
    """A film; duration in seconds, width and height in pixels and the rest are metadata.

    Raises:
        ValueError: there is neither base64 nor url nor data.

    Example:
        >>> create_adapter_video_event(url="https://example.org/a.mp4", width=640).payload.mime_type
        'video/mp4'
    """
    return _media(
        DataPayload(ContentType.VIDEO, mime_type, base64, url, data, metadata=metadata or None)
    )


def create_adapter_file_event(
    *,
    base64: str | None = None,
    url: str | None = None,
    data: bytes | None = None,
    mime_type: str = "application/octet-stream",
    **metadata: Any,
) -> Event:
    """A file; filename, size in bytes and the rest are metadata.

    Raises:
        ValueError: there is neither base64 nor url nor data.

    Example:
        >>> table = create_adapter_file_event(data=b"a,b", mime_type="text/csv", filename="t.csv")
        >>> table.payload.metadata
        {'filename': 't.csv'}
    """
    return _media(
        DataPayload(ContentType.FILE, mime_type, base64, url, data, metadata=metadata or None)
    )


def create_adapter_binary_event(
    *,
    base64: str | None = None,
    url: str | None = None,
    data: bytes | None = None,
    mime_type: str = "application/octet-stream",
    **metadata: Any,
) -> Event:
    """Bytes of no particular kind; size and the rest are metadata.

    Raises:
        ValueError: there is neither base64 nor url nor data.

    Example:
        >>> create_adapter_binary_event(data=b"GIF89a", size=6).payload.data
        b'GIF89a'
    """
    return _media(
        DataPayload(ContentType.BINARY, mime_type, base64, url, data, metadata=metadata or None)
    )


def create_adapter_json_event(value: Any, **metadata: Any) -> Event:
    """Data; keywords are metadata.

    Example:
        >>> create_adapter_json_event({"score": 3}).payload.json
        {'score': 3}
    """
    payload = DataPayload(
        ContentType.JSON, mime_type="application/json", json=value, metadata=metadata or None
    )
    return Event(EventType.DATA, payload=payload)


def create_adapter_tool_call_event(
    id: str, name: str, arguments: Mapping[str, Any] | str, *, index: int = 0
) -> Event:
    """A complete call; arguments given as text are parsed strictly, faults go to `errors`.

    Example:
        >>> create_adapter_tool_call_event("c1", "add", '{"a": 1}').tool_call.arguments
        {'a': 1}
    """
    errors: tuple[ToolArgumentError, ...] = ()
    raw = ""
    if isinstance(arguments, str):
        raw = arguments
        arguments, errors = parse_arguments(raw)
    return tool_call_event(ToolCall(id, name, dict(arguments), raw, index, errors))


def create_adapter_error_event(error: Any) -> Event:
    """A failure, handled exactly like a raised one: an exception, a message or a provider's body.

    Example:
        >>> create_adapter_error_event({"type": "overloaded_error"}).error.category.value
        'transient'
    """
    if isinstance(error, BaseException):
        return Event(EventType.ERROR, error=error)
    return error_event(error)


def create_adapter_complete_event(
    usage: Usage | None = None, finish_reason: str | None = None
) -> Event:
    """The end of the answer; whatever the source sends after it is ignored.

    Example:
        >>> create_adapter_complete_event(finish_reason="stop").finish_reason
        'stop'
    """
    return Event(EventType.COMPLETE, usage=usage, finish_reason=finish_reason)


def _media(payload: DataPayload) -> Event:
    if payload.base64 is None and payload.url is None and payload.data is None:
        raise ValueError(
            f"an event of type {payload.content_type.value} needs base64=, url= or data="
        )
    return create_adapter_data_event(payload)
