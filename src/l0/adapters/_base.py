"""What the built-in adapters and decoders share: options, what they report, how a stream ends."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import fields, replace
from typing import Any, ClassVar, Literal, Self, TypeVar

import msgspec

from l0.adapters._contract import ACTIVITY, AdaptedEvent, Decoded, Decoder
from l0.adapters._values import error_event, roots
from l0.errors import InvalidStreamError, NetworkError, NetworkErrorType
from l0.errors._nearest import nearest
from l0.events import Event, EventType, ToolCall, Usage

Chosen = TypeVar("Chosen", bound="AdapterOptions")
RequireFinish = bool | Literal["auto"]

# What can't be a chunk of any provider, so that a wrong stream is named at its first item.
_NO_CHUNKS = frozenset({bytes, bytearray, memoryview, bool, int, float, complex, list, tuple, set})


class AdapterOptions:
    """Base of the adapters' options: frozen dataclasses, checked when built."""

    __slots__ = ()

    require_finish: RequireFinish

    def __post_init__(self) -> None:
        for item in fields(self):  # type: ignore[arg-type]  # every subclass is a dataclass
            value = getattr(self, item.name)
            if item.name == "require_finish" and value == "auto":
                continue
            wanted = int if item.name == "choice_index" else bool
            if type(value) is not wanted or value < 0:
                what = {"choice_index": "0 or more", "require_finish": "True, False or 'auto'"}
                raise ValueError(
                    f"{item.name} must be {what.get(item.name, 'True or False')}, got {value!r}"
                )

    def replace(self, **changes: Any) -> Self:
        """A copy with some fields changed."""
        return replace(self, **changes)  # type: ignore[type-var]  # as above

    def requires_finish(self, stream: Any) -> bool:
        """What `require_finish` means for this stream."""
        required = self.require_finish
        return has_transport(stream) if required == "auto" else required


def options_of(cls: type[Chosen], options: Any) -> Chosen:
    """The options as `cls`: given as such, as a mapping of its fields, or not at all.

    Raises:
        TypeError: they are neither, or a name is unknown.
    """
    if options is None:
        return cls()
    if isinstance(options, cls):
        return options
    if not isinstance(options, Mapping):
        raise TypeError(
            f"adapter_options must be {cls.__name__} or a mapping of its fields, "
            f"got {type(options).__name__}"
        )
    known = names_of(cls)
    for name in options:
        if name not in known:
            near = nearest(name, known)
            hint = f"; did you mean {near!r}?" if near else f"; it has {', '.join(known)}"
            raise TypeError(f"{cls.__name__} has no option {name!r}{hint}")
    return cls(**options)


def names_of(cls: type[AdapterOptions]) -> list[str]:
    """What the options are called."""
    return [item.name for item in fields(cls)]  # type: ignore[arg-type]  # as above


def has_transport(stream: Any) -> bool:
    """Whether an HTTP response stands behind the stream, so that its end proves nothing.

    A body that breaks off can look like one that ended, so there the provider's own terminator is
    asked for. The streams of the openai and anthropic packages, and the fast transport, hold the
    response as `response`; openai's event helpers (`client.responses.stream()`) as `_response`. A
    plain iterator, a list or a test double has no connection to lose: its end is the end.

    Example:
        >>> has_transport(["a list", "has no connection"])
        False
    """
    if getattr(stream, "response", None) is not None:
        return True
    return "openai" in roots(type(stream)) and getattr(stream, "_response", None) is not None


class BaseDecoder:
    """The reporting half of a decoder, and the end of a stream; `feed` is the subclass's."""

    pings_before_first_token: bool = False
    terminator: ClassVar[str] = "a finish reason"

    def __init__(self, name: str = "", *, require_finish: bool = False) -> None:
        self.usage: Usage | None = None
        self.finish_reason: str | None = None
        self.raw_finish_reason: str | None = None
        self.model: str | None = None
        self.response_id: str | None = None
        self.finished = False
        self._name = name
        self._require_finish = require_finish
        self._recognised = False
        self._stranger: type | None = None  # of the first chunk that was not recognised
        self._ended = False

    def feed(self, chunk: Any, /) -> Decoded:
        """What an item means that needs no provider: an event, a text, nothing."""
        return self._foreign(chunk)

    def finish(self) -> Sequence[Event]:
        """What is left when the source has ended; nothing the second time."""
        if self._ended:
            return ()
        self._ended = True
        if self._stranger is not None and not self._recognised:
            raise InvalidStreamError(
                f"no item of the stream is one that the adapter {self._name!r} knows; the first "
                f"was of type {self._stranger.__qualname__}; name another with adapter=..."
            )
        if self._require_finish and not self.finished:
            raise NetworkError(
                f"the stream ended without {self.terminator}, so its text may be cut; if this "
                "server never sends one, use adapter_options={'require_finish': False}",
                type=NetworkErrorType.PARTIAL_CHUNKS,
            )
        return self._last_events()

    def go_on(self) -> None:
        """More of the same answer comes in another stream: that it has ended is no longer true.

        What was read stays, and `finish` looks at the end anew.
        """
        self._ended = False

    def _last_events(self) -> Sequence[Event]:
        return ()

    def _complete(self) -> Event:
        """The end of the answer, made once."""
        self._ended = True
        return Event(EventType.COMPLETE, usage=self.usage, finish_reason=self.finish_reason)

    def _foreign(self, item: Any) -> Decoded:
        """An item that is not the provider's: an event or text passes, anything else waits.

        One odd object among chunks is ignored, as providers add kinds of chunks at any time; a
        stream of nothing else fails at its end.
        """
        if item is None or item is ACTIVITY:
            return item
        if isinstance(item, AdaptedEvent):
            item = item.event
        if isinstance(item, Event):
            return self._event(item)
        if isinstance(item, str):
            self._recognised = True
            return str(item) or None
        if type(item) in _NO_CHUNKS:
            raise InvalidStreamError(
                f"the adapter {self._name!r} can't read an item of type {type(item).__qualname__}; "
                "pass a stream of the provider's chunks, or name another with adapter=..."
            )
        if self._stranger is None:
            self._stranger = type(item)
        return None

    def _event(self, event: Event) -> Decoded:
        if event.type is EventType.TOKEN and not event.text:
            return None
        self._recognised = True
        if event.type is EventType.TOOL_CALL and event.tool_call is None:
            return _with_call(event)
        if event.type is EventType.COMPLETE:
            self.finished = self._ended = True
            self.usage = event.usage or self.usage
            self.finish_reason = self.raw_finish_reason = event.finish_reason or self.finish_reason
        return event


class BaseAdapter(ABC):
    """The naming half of an adapter; `decoder` is the subclass's."""

    name: str
    options_class: ClassVar[type[AdapterOptions] | None] = None  # None: it has no options

    @abstractmethod
    def decoder(self, options: Any = None, stream: Any = None) -> Decoder:
        """A fresh decoder for one attempt."""

    async def wrap(self, stream: Any, options: Any = None) -> AsyncIterator[Event]:
        """The stream as events, without a run around it: no retry, no checks.

        A token's `start` is filled in; an error the provider reports inside the stream is raised.
        """
        decoder = self.decoder(options, stream)
        start = 0
        async for chunk in stream:
            for event in as_events(decoder.feed(chunk), start):
                if event.type is EventType.ERROR:
                    raise raised(event)
                start += len(event.text or "") if event.type is EventType.TOKEN else 0
                yield event
                if event.type is EventType.COMPLETE:
                    return
        for event in as_events(decoder.finish(), start):
            if event.type is EventType.ERROR:
                raise raised(event)
            yield event


def _with_call(event: Event) -> Event:
    """A tool call that its source described in `data` only."""
    try:
        call = msgspec.convert({"id": "", "arguments": {}, **(event.data or {})}, ToolCall)
    except (ValueError, RecursionError) as error:  # halves of characters are no ValidationError
        raise InvalidStreamError(
            f"a tool_call event needs tool_call=ToolCall(id, name, arguments), or the same in "
            f"data: {error}"
        ) from error
    return msgspec.structs.replace(event, tool_call=call)


def raised(event: Event) -> BaseException:
    """The exception an error event stands for."""
    error = event.error
    return error if isinstance(error, BaseException) else error_event(error or event.reason).error


def as_events(decoded: Decoded, start: int = 0) -> list[Event]:
    """What a decoder answered, as events; tokens get their `start`, counted on from `start`.

    Example:
        >>> [event.start for event in as_events(["ab", "c"], start=5)]
        [5, 7]
    """
    if decoded is None or decoded is ACTIVITY:
        return []
    events = []
    for item in (decoded,) if isinstance(decoded, str | Event) else decoded:
        event = Event(EventType.TOKEN, item) if isinstance(item, str) else item
        if event.type is EventType.TOKEN:
            event = msgspec.structs.replace(event, start=start)
            start += len(event.text or "")
        events.append(event)
    return events
