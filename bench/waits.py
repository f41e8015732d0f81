"""How exact waiting is: timeouts, aborts, cancellations, and what they leave open.

The provider is a server that sends headers and a few tokens and then hangs; the client is the real
one. What is timed is the wall clock, so a busy machine shows in these figures.
"""

from __future__ import annotations

import asyncio
import contextlib
import gc
import time
from collections.abc import Awaitable, Callable
from typing import Any, Self

import l0
from figures import Figure, quartiles
from rounds import Plan

LIMIT = 0.1
_BEFORE = 0.03  # seconds that a run waits before somebody ends it
_EVENT = (
    b'data: {"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
    b'[{"index":0,"delta":{"content":"word "},"finish_reason":null}]}\n\n'
)


class Hanging:
    """A server whose answers never end; it knows which connections are open."""

    def __init__(self) -> None:
        self.open = 0
        self.url = ""

    async def _answer(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.open += 1
        with contextlib.suppress(ConnectionError, asyncio.IncompleteReadError):
            await reader.readuntil(b"\r\n\r\n")
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            block = _EVENT * 3
            writer.write(b"%x\r\n%b\r\n" % (len(block), block))
            while await reader.read(1024):
                pass
        self.open -= 1
        writer.close()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(self._answer, "127.0.0.1", 0)
        self.url = f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/v1"
        return self

    async def __aexit__(self, *_: object) -> None:
        self._server.close()


def waits(plan: Plan) -> list[Figure]:
    """The figures of all of them."""
    return asyncio.run(_measure(plan.of(30 if plan.full else 12)))


async def _measure(rounds: int) -> list[Figure]:
    import httpx2
    import openai

    def figure(scenario: str, what: str, values: list[float], bar: float) -> Figure:
        return Figure("waits", scenario, what, quartiles(values), bar, compared=False)

    async with Hanging() as server, httpx2.AsyncClient(trust_env=False) as http:
        client = openai.AsyncOpenAI(
            base_url=server.url, api_key="none", max_retries=0, http_client=http
        )

        def ask() -> Any:
            return client.chat.completions.create(model="m", messages=[], stream=True)

        took: dict[Callable[[Any], Awaitable[float]], list[float]] = {}
        for _ in range(rounds):
            for act in (_timeout, _abort, _cancel):
                gc.collect()
                took.setdefault(act, []).append(await act(ask))
        left = await _left(server)
    off = [abs(each) for each in took[_timeout]]
    return [
        figure(f"timeout of {LIMIT * 1000:g} ms, hung provider", "ms off", off, 10),
        figure("abort, hung provider", "ms until the stream has ended", took[_abort], 50),
        figure("cancel, hung provider", "ms until the task has ended", took[_cancel], 50),
        figure("after all of these", "connections left open", [left], 0),
    ]


async def _timeout(ask: Callable[[], Any]) -> float:
    """Milliseconds after the moment at which the gap between two tokens was too long."""
    since = time.monotonic()
    try:
        async for event in l0.run(ask, retry=False, timeout=l0.Timeout(inter_token=LIMIT)):
            if event.text:
                since = time.monotonic()
    except l0.errors.StreamTimeoutError:
        return (time.monotonic() - since - LIMIT) * 1000
    raise AssertionError("the timeout did not come")


async def _abort(ask: Callable[[], Any]) -> float:
    """Milliseconds from the abort to the end, the connection closed."""
    stream = l0.run(ask, retry=False)
    task = asyncio.ensure_future(stream.read())
    await asyncio.sleep(_BEFORE)
    began = time.monotonic()
    stream.abort()
    await asyncio.wait({task})
    assert isinstance(task.exception(), l0.errors.StreamAbortedError)
    return (time.monotonic() - began) * 1000


async def _cancel(ask: Callable[[], Any]) -> float:
    """Milliseconds from the cancellation to the end, the connection closed."""
    task = asyncio.ensure_future(l0.run(ask, retry=False).read())
    await asyncio.sleep(_BEFORE)
    began = time.monotonic()
    task.cancel()
    await asyncio.wait({task})
    assert task.cancelled()
    return (time.monotonic() - began) * 1000


async def _left(server: Hanging) -> float:
    """Connections that the server still sees once it has had time to see them go."""
    for _ in range(100):
        if not server.open:
            break
        await asyncio.sleep(0.01)
    return server.open
