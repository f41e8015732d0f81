"""A body of server-sent events, cut into events and their payloads as its bytes come in."""

from __future__ import annotations

import json
from typing import Any, Final, NamedTuple

import msgspec

_BOM: Final = b"\xef\xbb\xbf"
_TOO_DEEP: Final = "the brackets nest deeper than Python can follow"
_parse: Final = msgspec.json.Decoder().decode


class ServerEvent(NamedTuple):
    """One event: its name, empty where it has none, and its data, which may be empty too."""

    name: bytes
    data: bytes


class SSESplitter:
    """Cuts bytes into events, wherever the blocks they come in begin and end.

    It keeps to the standard: lines end with LF, CR or CRLF, a byte order mark at the beginning is
    passed over, so are comments and unknown fields, and several `data` lines are one text. An event
    is given as soon as its empty line is there; what no empty line follows was cut off, and is not
    given. The work is in proportion to the bytes, however small the blocks.

    Example:
        >>> splitter = SSESplitter()
        >>> splitter.feed(b'event: ping' + chr(10).encode()), splitter.feed(b'data: {}')
        ([], [])
        >>> splitter.feed((chr(10) * 2).encode())
        [ServerEvent(name=b'ping', data=b'{}')]
    """

    __slots__ = ("_after_cr", "_begun", "_buffer")

    def __init__(self) -> None:
        self._buffer = bytearray()  # what no empty line has followed yet
        self._after_cr = False
        self._begun = False

    def feed(self, block: bytes) -> list[ServerEvent]:
        """The events that are whole with these bytes."""
        if not self._begun:
            block = self._begin(block)
        if self._after_cr or b"\r" in block:
            block = self._with_lf(block)
        buffer = self._buffer
        if buffer:
            seen = len(buffer) - 1
            buffer += block
            end = buffer.rfind(b"\n\n", seen)
            if end < 0:
                return []
            whole = bytes(buffer[:end])
            del buffer[: end + 2]
        else:
            end = block.rfind(b"\n\n")
            if end < 0:
                buffer += block
                return []
            whole = block[:end]
            buffer += block[end + 2 :]
        events = [_event(part) for part in whole.split(b"\n\n")]
        return events if None not in events else list(filter(None, events))  # type: ignore[return-value]

    def _begin(self, block: bytes) -> bytes:
        """The first bytes, without a byte order mark; nothing while they may still be one."""
        head = bytes(self._buffer) + block
        self._buffer.clear()
        if len(head) < len(_BOM) and _BOM.startswith(head):
            self._buffer += head
            return b""
        self._begun = True
        return head.removeprefix(_BOM)

    def _with_lf(self, block: bytes) -> bytes:
        """The block with every line end as LF; the halves of a CRLF may be in two blocks."""
        if not block:
            return block
        if self._after_cr:
            block = block.removeprefix(b"\n")
        self._after_cr = block.endswith(b"\r")
        return block.replace(b"\r\n", b"\n").replace(b"\r", b"\n")


def payload(data: bytes) -> Any:
    """What the data of an event says in JSON, exactly as the SDKs read it.

    Raises:
        ValueError: it is no JSON or nests deeper than Python can follow (`json.JSONDecodeError`),
            is no UTF-8 (`UnicodeDecodeError`), or has a number of more digits than Python takes.
    """
    try:
        return _parse(data)
    except (msgspec.DecodeError, UnicodeError, RecursionError):
        # Lone surrogates, NaN, numbers beyond a float: what only the standard library takes.
        text = data.decode()
    try:
        return json.loads(text)
    except RecursionError:
        raise json.JSONDecodeError(_TOO_DEEP, text, 0) from None


def frame(event: ServerEvent) -> bytes:
    """The event as it would stand in a body."""
    name = b"event: %b\n" % event.name if event.name else b""
    return b"%bdata: %b\n\n" % (name, event.data.replace(b"\n", b"\ndata: "))


def _event(part: bytes) -> ServerEvent | None:
    """The event of these lines, the two commonest shapes first; None: they say nothing."""
    if part.startswith(b"data: ") and b"\n" not in part:
        return ServerEvent(b"", part[6:])
    if part.startswith(b"event: "):
        name, _, rest = part.partition(b"\n")
        if rest.startswith(b"data: ") and b"\n" not in rest:
            return ServerEvent(name[7:], rest[6:])
    return _any_event(part)


def _any_event(part: bytes) -> ServerEvent | None:
    name, data = b"", []
    for line in part.split(b"\n"):
        field, _, value = line.partition(b":")
        value = value.removeprefix(b" ")
        if field == b"data":
            data.append(value)
        elif field == b"event":
            name = value
    return ServerEvent(name, b"\n".join(data)) if name or data else None
