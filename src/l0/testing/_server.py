"""A local server that speaks OpenAI and Anthropic, and breaks where it is told to."""

from __future__ import annotations

import asyncio
import itertools
import time
from collections import deque
from collections.abc import Mapping
from types import TracebackType
from typing import Final, Self

from l0.testing._endpoints import Endpoints, Exchange
from l0.testing._http import BadRequestError, Connection
from l0.testing._record import RecordedRequest, without_secrets
from l0.testing._reply import Reply
from l0.testing._thread import ThreadedFaultServer
from l0.testing._wire import to_json
from l0.testing._wire_chat import ChatWire

SCRIPT_HEADER: Final = "x-l0-script"
"""The header that names the queue of replies a request is answered from."""


class FaultServer:
    """Answers model requests over real HTTP on a free local port, one `Reply` a request.

    `replies` are used in order, one a request; after the last one `default` answers (a `Reply()`:
    the sim model named in the request, without faults). It serves Chat Completions, Responses
    (background ones can be taken up again) and Anthropic Messages, streamed or whole, and the
    list of models.

    Args:
        *replies: what the first requests get.
        seed: varies ids and what the sim models say.
        port: 0 for a free one.

    Example:
        async with FaultServer(Reply("Hello world", faults="drop@1"), Reply("Hello")) as server:
            client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test")
    """

    def __init__(self, *replies: Reply, seed: int = 0, port: int = 0) -> None:
        self.seed = seed
        self.default = Reply()
        """Answers when no reply is left."""
        self.requests: list[RecordedRequest] = []
        """Every request so far, oldest first."""
        self._port = port
        self._queue = deque(replies)
        self._scripts: dict[str, deque[Reply]] = {}
        self._endpoints = Endpoints(seed, self._next_reply)
        self._connections: dict[Connection, RecordedRequest | None] = {}
        self._server: asyncio.Server | None = None
        self._numbers = itertools.count(1)

    @classmethod
    def in_thread(cls, *replies: Reply, seed: int = 0, port: int = 0) -> ThreadedFaultServer:
        """The same server on a thread and loop of its own, for use with `with`.

        It answers while the caller's loop is busy, or where there is none.
        """
        return ThreadedFaultServer(cls(*replies, seed=seed, port=port))

    async def __aenter__(self) -> Self:
        await self.start()
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        await self.close()

    async def start(self) -> None:
        """Opens the port; nothing if it is open."""
        if self._server is None:
            self._server = await asyncio.get_running_loop().create_server(
                lambda: Connection(self._serve, self._on_made, self._on_lost),
                "127.0.0.1",
                self._port,
                backlog=1024,
            )

    async def close(self) -> None:
        """Closes the port and every connection, and ends every task; nothing if it is closed."""
        server, self._server = self._server, None
        if server is None:
            return
        server.close()
        connections = list(self._connections)
        for connection in connections:
            connection.task.cancel()
            connection.transport.abort()
        await asyncio.gather(
            *(connection.task for connection in connections),
            *(connection.closed for connection in connections),
            return_exceptions=True,
        )
        await server.wait_closed()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`; `RuntimeError` while the server isn't running."""
        if self._server is None:
            raise RuntimeError("the server isn't running; use `async with`, or `await start()`")
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}"

    @property
    def base_url(self) -> str:
        """The base URL for OpenAI clients, ending in `/v1`."""
        return f"{self.url}/v1"

    @property
    def anthropic_base_url(self) -> str:
        """The base URL for Anthropic clients, which add `/v1/messages` themselves."""
        return self.url

    @property
    def open_connections(self) -> int:
        """Sockets that are open now."""
        return len(self._connections)

    def enqueue(self, *replies: Reply, key: str | None = None) -> None:
        """Adds replies for the next requests; with `key`, for those with `x-l0-script: key`."""
        if key is None:
            self._queue.extend(replies)
        elif replies:
            self._scripts.setdefault(key, deque()).extend(replies)

    def script(self, key: str, *replies: Reply) -> dict[str, str]:
        """A queue of its own under `key`, and the headers a request needs to be answered from it.

        Requests with a key never take from the common queue; when theirs is used up, `default`
        answers.
        """
        self.enqueue(*replies, key=key)
        return {SCRIPT_HEADER: key}

    async def wait_closed_connections(self, timeout: float = 1.0) -> None:
        """Waits until no socket is open; `TimeoutError` after `timeout` seconds."""
        try:
            async with asyncio.timeout(timeout):
                while self._connections:
                    await asyncio.wait([connection.closed for connection in self._connections])
        except TimeoutError:
            raise TimeoutError(
                f"{self.open_connections} connections are still open after {timeout} s; "
                "close the client that holds them"
            ) from None

    def _on_made(self, connection: Connection) -> None:
        self._connections[connection] = None
        if self._server is None:  # accepted while it was being closed
            connection.transport.abort()

    def _on_lost(self, connection: Connection) -> None:
        record = self._connections.pop(connection, None)
        if record is not None and record.finished and connection.broken:
            # It went with part of the answer unread.
            record.client_left = True
            record.closed_at = time.monotonic()

    def _next_reply(self, headers: Mapping[str, str], resume: bool) -> Reply:
        """The reply for a request; a resume takes only one that leaves the text to the model."""
        key = headers.get(SCRIPT_HEADER)
        queue = self._queue if key is None else self._scripts.get(key)
        if resume and not (queue and queue[0].text is None):
            return _NO_TROUBLE
        if not queue:
            return self.default
        reply = queue.popleft()
        if key is not None and not queue:
            del self._scripts[key]
        return reply

    async def _serve(self, connection: Connection) -> None:
        """The requests of one connection, one after the other, until it ends."""
        try:
            keep_alive = True
            while keep_alive and not connection.transport.is_closing():
                request = await connection.read_request()
                keep_alive = request.keep_alive
                headers = without_secrets(request.headers)
                record = RecordedRequest(request.method, request.path, headers, query=request.query)
                self.requests.append(record)
                self._connections[connection] = record
                try:
                    number = next(self._numbers)
                    await self._endpoints.answer(Exchange(connection, request, record, number))
                finally:
                    record.close(client_left=connection.lost)
        except BadRequestError as error:
            body = to_json(ChatWire.error_body(error.status, None, None, str(error)))
            fields = {"content-type": "application/json", "connection": "close"}
            connection.start(error.status, fields, size=len(body))
            connection.write(body, last=True)
        finally:
            connection.close()


_NO_TROUBLE: Final = Reply()
