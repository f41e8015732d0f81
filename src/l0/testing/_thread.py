"""A fault server on a thread of its own, so that it answers while the caller's loop is busy."""

from __future__ import annotations

import asyncio
import threading
from concurrent.futures import Future
from types import TracebackType
from typing import TYPE_CHECKING, Self

if TYPE_CHECKING:
    from l0.testing._record import RecordedRequest
    from l0.testing._reply import Reply
    from l0.testing._server import FaultServer


class ThreadedFaultServer:
    """A `FaultServer` with its own daemon thread and loop; its methods may be called anywhere.

    Example:
        with FaultServer.in_thread(Reply("Hello world")) as server:
            client = openai.OpenAI(base_url=server.base_url, api_key="test")
    """

    def __init__(self, server: FaultServer) -> None:
        self._server = server
        self._thread: threading.Thread | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._stop: asyncio.Event | None = None
        self._started: Future[None] = Future()

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def start(self) -> None:
        """Starts the thread and opens the port; nothing if it runs. `OSError` if it can't."""
        if self._thread is not None:
            return
        self._started = Future()
        self._thread = threading.Thread(target=self._run, name="l0-fault-server", daemon=True)
        self._thread.start()
        try:
            self._started.result()
        except BaseException:
            self._thread.join()
            self._thread = None
            raise

    def close(self) -> None:
        """Closes the port and every connection and ends the thread; nothing if it is closed."""
        thread, self._thread = self._thread, None
        if thread is None or self._loop is None or self._stop is None:
            return
        self._loop.call_soon_threadsafe(self._stop.set)
        thread.join()

    @property
    def url(self) -> str:
        """`http://127.0.0.1:PORT`."""
        return self._server.url

    @property
    def base_url(self) -> str:
        """The base URL for OpenAI clients."""
        return self._server.base_url

    @property
    def anthropic_base_url(self) -> str:
        """The base URL for Anthropic clients."""
        return self._server.anthropic_base_url

    @property
    def requests(self) -> list[RecordedRequest]:
        """Every request so far, oldest first."""
        return self._server.requests

    @property
    def open_connections(self) -> int:
        """Sockets that are open now."""
        return self._server.open_connections

    @property
    def default(self) -> Reply:
        """Answers when no reply is left; may be set."""
        return self._server.default

    @default.setter
    def default(self, reply: Reply) -> None:
        self._server.default = reply

    def enqueue(self, *replies: Reply, key: str | None = None) -> None:
        """As `FaultServer.enqueue`."""
        self._server.enqueue(*replies, key=key)

    def script(self, key: str, *replies: Reply) -> dict[str, str]:
        """As `FaultServer.script`."""
        return self._server.script(key, *replies)

    def wait_closed_connections(self, timeout: float = 1.0) -> None:
        """As `FaultServer.wait_closed_connections`, blocking this thread."""
        if self._thread is None or self._loop is None:
            return
        waiting = self._server.wait_closed_connections(timeout)
        asyncio.run_coroutine_threadsafe(waiting, self._loop).result()

    def _run(self) -> None:
        asyncio.run(self._main())

    async def _main(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._stop = asyncio.Event()
        try:
            await self._server.start()
        except BaseException as error:  # `start` raises it in the thread of the caller
            self._started.set_exception(error)
            return
        self._started.set_result(None)
        await self._stop.wait()
        await self._server.close()
