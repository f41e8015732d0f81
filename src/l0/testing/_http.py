"""Just enough HTTP/1.1: requests off a socket, bodies onto it, and broken ends on purpose.

The transport is always reading, so a client that leaves is noticed at once: the task that serves
it is cancelled.
"""

from __future__ import annotations

import asyncio
import http
import socket
import struct
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass
from typing import Any, Final, cast

_MAX_HEAD: Final = 64 * 1024
_MAX_BODY: Final = 64 * 1024 * 1024
_RESET_PAUSE: Final = 0.02
"""Seconds the client gets to read what was sent before a reset throws the rest away."""


@dataclass(frozen=True, slots=True)
class Request:
    """A request with its whole body; header names are in lower case."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes
    keep_alive: bool
    chunked: bool
    """Whether the client understands chunked bodies (HTTP/1.1)."""


class BadRequestError(Exception):
    """What came isn't a request this server can read; `status` is the answer."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


class Connection(asyncio.Protocol):
    """One socket, served by one task for as long as it is open."""

    def __init__(
        self,
        serve: Callable[[Connection], Coroutine[Any, Any, None]],
        on_made: Callable[[Connection], None],
        on_lost: Callable[[Connection], None],
    ) -> None:
        self._serve = serve
        self._on_made = on_made
        self._on_lost = on_lost
        self._buffer = bytearray()
        self._more: asyncio.Future[None] | None = None
        self._writable: asyncio.Future[None] | None = None
        self.lost = False
        """The socket is closed, by whichever side."""
        self.broken = False
        """The client closed it with an answer still unread."""
        self.chunked = False
        """The body being written is chunked."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Starts the task that serves it."""
        self.transport = cast("asyncio.Transport", transport)
        loop = asyncio.get_running_loop()
        self.closed: asyncio.Future[None] = loop.create_future()
        self.task = loop.create_task(self._serve(self))
        self._on_made(self)

    def data_received(self, data: bytes) -> None:
        """Wakes whoever waits for more."""
        self._buffer += data
        if self._more is not None and not self._more.done():
            self._more.set_result(None)

    def connection_lost(self, exc: Exception | None) -> None:
        """Cancels the task: whatever it was saying, nobody listens."""
        self.lost = True
        self.broken = exc is not None
        self.task.cancel()
        self._on_lost(self)
        if not self.closed.done():
            self.closed.set_result(None)

    def pause_writing(self) -> None:
        """The client reads slower than we write."""
        if self._writable is None:
            self._writable = asyncio.get_running_loop().create_future()

    def resume_writing(self) -> None:
        """The client has caught up."""
        if self._writable is not None and not self._writable.done():
            self._writable.set_result(None)
        self._writable = None

    async def read_request(self) -> Request:
        """The next request; when the client leaves first, the task that waits is cancelled.

        Raises:
            BadRequestError: when it isn't one.
        """
        head = await self._until(b"\r\n\r\n", _MAX_HEAD)
        method, target, version, headers = _parse_head(head)
        if headers.get("expect", "").lower() == "100-continue":
            self.transport.write(b"HTTP/1.1 100 Continue\r\n\r\n")
        if "chunked" in headers.get("transfer-encoding", "").lower():
            body = await self._read_chunks()
        else:
            body = await self._exactly(_size(headers.get("content-length", "0"), 10))
        path, _, query = target.partition("?")
        modern = version == "HTTP/1.1"
        wish = headers.get("connection", "").lower()
        keep_alive = "close" not in wish if modern else "keep-alive" in wish
        return Request(method, path, query, headers, body, keep_alive, modern)

    def start(
        self, status: int, headers: Mapping[str, str], *, size: int | None, chunked: bool = True
    ) -> None:
        """Writes the head; a body of unknown `size` is chunked, or ends with the connection."""
        self.chunked = size is None and chunked
        fields = dict(headers)
        if self.chunked:
            fields["transfer-encoding"] = "chunked"
        if size is not None:
            fields["content-length"] = str(size)
        lines = "".join(f"{name}: {value}\r\n" for name, value in fields.items())
        self.transport.write(f"HTTP/1.1 {status} {_phrase(status)}\r\n{lines}\r\n".encode())

    def write(self, data: bytes, *, last: bool = False) -> None:
        """Writes a piece of the body, and its end with `last`."""
        if not self.chunked:
            self.transport.write(data)
            return
        chunk = b"%x\r\n%b\r\n" % (len(data), data) if data else b""
        self.transport.write(chunk + b"0\r\n\r\n" if last else chunk)

    async def drain(self) -> None:
        """Waits until the client has read enough for more to be written."""
        if self._writable is not None:
            await self._writable

    def close(self) -> None:
        """Closes the socket once everything written is sent, whether the body had an end or not."""
        self.transport.close()

    async def reset(self) -> None:
        """Resets the connection once everything written has been sent."""
        self.transport.set_write_buffer_limits(high=0)
        await self.drain()
        await asyncio.sleep(_RESET_PAUSE)
        sock = self.transport.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.transport.abort()

    async def _until(self, mark: bytes, limit: int) -> bytes:
        searched = 0
        while (at := self._buffer.find(mark, searched)) < 0:
            if len(self._buffer) > limit:
                raise BadRequestError(431, "the head of the request is too long")
            searched = max(0, len(self._buffer) - len(mark) + 1)
            await self._receive()
        taken = bytes(self._buffer[:at])
        del self._buffer[: at + len(mark)]
        return taken

    async def _exactly(self, size: int) -> bytes:
        if size > _MAX_BODY:
            raise BadRequestError(413, f"the body is longer than {_MAX_BODY} bytes")
        while len(self._buffer) < size:
            await self._receive()
        taken = bytes(self._buffer[:size])
        del self._buffer[:size]
        return taken

    async def _read_chunks(self) -> bytes:
        body = bytearray()
        while size := _size(
            (await self._until(b"\r\n", 1024)).split(b";")[0].decode("latin-1"), 16
        ):
            body += await self._exactly(min(size, _MAX_BODY + 1))
            await self._until(b"\r\n", 0)
            if len(body) > _MAX_BODY:
                raise BadRequestError(413, f"the body is longer than {_MAX_BODY} bytes")
        while await self._until(b"\r\n", _MAX_HEAD):
            pass  # trailers
        return bytes(body)

    async def _receive(self) -> None:
        self._more = asyncio.get_running_loop().create_future()
        try:
            await self._more
        finally:
            self._more = None


def _parse_head(head: bytes) -> tuple[str, str, str, dict[str, str]]:
    lines = head.decode("latin-1").lstrip("\r\n").split("\r\n")
    parts = lines[0].split(" ")
    if len(parts) != 3 or not parts[2].startswith("HTTP/1."):
        raise BadRequestError(400, "this server speaks HTTP/1.1")
    headers: dict[str, str] = {}
    for line in lines[1:]:
        name, colon, value = line.partition(":")
        if not colon or not name:
            raise BadRequestError(400, "a header line has no colon")
        headers[name.strip().lower()] = value.strip()
    return parts[0], parts[1], parts[2], headers


def _size(text: str, base: int) -> int:
    try:
        size = int(text.strip(), base)
    except ValueError:
        size = -1
    if size < 0:
        raise BadRequestError(400, f"{text!r} is not the length of a body")
    return size


def _phrase(status: int) -> str:
    try:
        return http.HTTPStatus(status).phrase
    except ValueError:
        return "Overloaded" if status == 529 else "Error"
