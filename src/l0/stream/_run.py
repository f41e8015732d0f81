"""The front of the room: `run` makes a stream reliable, `wrap` does so for what you have."""

from __future__ import annotations

from typing import Any

from l0.stream._options import Options, build_options
from l0.stream._stream import Stream


def run(stream: Any = None, /, **options: Any) -> Stream:
    """Make one model call reliable.

    Nothing is opened before the stream's first use.

    Args:
        stream: a factory, called once an attempt: `lambda: client.chat.completions.create(…,
            stream=True)`. It may take an `AttemptInfo`. It returns an async iterator, an awaitable
            or async context manager of one, or a list. Something not callable is used once. If
            it has a text as attribute `model`, the record says so of each attempt.
        **options: fields of `Options`: `fallbacks` (factories to try in order), `guardrails`,
            `drift`, `retry` (`Retry`, False for none), `timeout` (`Timeout`), `check_intervals`,
            `continuation` (True: go on from the last good token), `deliver` ("live" or
            "validated"), `meta`, `event_store`, `monitoring` (True: `stream.telemetry` at the end),
            `on_event`, and every callback (`on_token`,
            `on_retry`, …).

    Raises:
        TypeError: no stream, a factory that can't be used, or an unknown option.
        ValueError: an option has a value that makes no sense.

    Example:
        >>> import asyncio, l0
        >>> stream = l0.run(lambda: ["Hello ", "world"], retry=l0.Retry(attempts=2))
        >>> asyncio.run(stream.read())
        'Hello world'
    """
    if "stream" in options:
        if stream is not None:
            raise TypeError("stream is given twice")
        stream = options.pop("stream")
    if isinstance(stream, Options):
        return Stream(build_options(stream, **options) if options else stream)
    if stream is None:
        raise TypeError(
            "run needs a stream: a function that opens one, such as "
            "lambda: client.chat.completions.create(..., stream=True)"
        )
    return Stream(build_options(None, stream=stream, **options))
