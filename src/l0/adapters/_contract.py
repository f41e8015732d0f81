"""What an adapter is: the thing that knows what one provider's chunks mean.

An adapter makes a decoder for each attempt. The runtime hands every chunk to `decoder.feed` and
acts on what comes back:

    str                 text of the answer, never empty: the common case, so it stays a plain str
    Event               anything else that is handed on
    a list of these     several at once, in order
    ACTIVITY            nothing to hand on, but the model is at work (hidden reasoning, a fragment
                        of a tool call): timers start anew
    None                nothing, and no sign of life (a ping, an empty chunk)

`decoder.finish` is called once, when the source has ended by itself. The attributes of a decoder
may be read at any time, also when the attempt has failed.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from enum import Enum
from typing import Any, Final, Literal, Protocol, TypeAlias, runtime_checkable

import msgspec

from l0.events import Event, Usage


class Activity(Enum):
    """The type of `ACTIVITY`."""

    ACTIVITY = "activity"


ACTIVITY: Final[Literal[Activity.ACTIVITY]] = Activity.ACTIVITY
"""The model is at work, though this chunk delivers nothing."""

Decoded: TypeAlias = str | Event | Sequence[str | Event] | Activity | None
"""What a decoder may answer to one chunk."""


class AdaptedEvent(msgspec.Struct, frozen=True):
    """An event together with the provider's chunk it came from, for adapters that `wrap`."""

    event: Event
    raw_chunk: Any = None


class Decoder(Protocol):
    """Reads the chunks of one attempt; what it remembers is that attempt's alone."""

    usage: Usage | None
    finish_reason: str | None
    raw_finish_reason: str | None
    model: str | None
    response_id: str | None
    finished: bool
    pings_before_first_token: bool

    def feed(self, chunk: Any, /) -> Decoded:
        """What the chunk means."""

    def finish(self) -> Sequence[Event]:
        """What is left to hand on now that the source has ended.

        Raises:
            NetworkError: the provider's terminator is missing and was required.
            InvalidStreamError: no chunk was one that the adapter knows.
        """


REPORTED: Final = tuple(Decoder.__annotations__)
"""What a decoder tells beside its answers."""


@runtime_checkable
class Adapter(Protocol):
    """What knows a provider's chunks: a name, and either of two methods.

    - `decoder(options, stream=None) -> Decoder`: the fast path. `stream` may be left out of the
      signature, and the decoder may be just `feed` and `finish`;
    - `wrap(stream, options=None)`: an async iterator of `Event` or `AdaptedEvent`.

    Two more are optional: `detect(stream) -> bool`, and for the fast path `detect_chunk(chunk) ->
    bool`; an adapter with neither is used only where it is named. A plain function
    `chunk -> str | Event | ...` is accepted as an adapter too.

    Example:
        >>> from l0.events import EventType
        >>> class Words:
        ...     name = "words"
        ...     async def wrap(self, stream, options=None):
        ...         async for chunk in stream:
        ...             yield Event(EventType.TOKEN, chunk["word"])
        >>> isinstance(Words(), Adapter)
        True
    """

    name: str


class Detects(Protocol):
    """An adapter that knows its streams or chunks by sight."""

    def detect(self, stream: Any) -> bool:
        """Whether the stream is one of its provider's."""

    def detect_chunk(self, chunk: Any) -> bool:
        """Whether the chunk is one of its provider's."""


class Wraps(Protocol):
    """An adapter that is a generator over the stream."""

    def wrap(self, stream: Any, options: Any = None) -> AsyncIterator[Event | AdaptedEvent]:
        """The stream as events."""
