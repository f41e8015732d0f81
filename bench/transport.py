"""What decoding costs: the fast transport beside the SDK's own, over real HTTP on the loopback.

The server is another process, so that the thread CPU time measured is the client's alone. `burst`
sends the body as fast as it is read, `paced` one event a write with a pause between, as a provider
does. `read only` is the HTTP client without any decoding: the floor of both. The ratio is taken
inside each round, the order shuffled, medians with quartiles are printed; a bar is missed only when
the median and the third quartile are below it. The bars are those of Chat Completions. "at most" is
the SDK's cost over the floor: what a decoder that takes no time at all would reach.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import multiprocessing
import platform
import random
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import Any

import l0
from l0.testing import anthropic_events, openai_chunks, responses_events

PACE = 0.002
"""Seconds between the events of a paced body."""
PACED = 200
"""Events of one; it would take too long to wait for more."""
BARS = {
    ("httpx2", "burst"): 6.0,
    ("httpx2", "paced"): 1.8,
    ("aiohttp", "burst"): 15.0,
    ("aiohttp", "paced"): 3.0,
}
MAKERS = {"chat": openai_chunks, "responses": responses_events, "messages": anthropic_events}


def events_of(kind: str, count: int) -> list[bytes]:
    """The events of an answer of so many tokens, with the fields that providers send."""
    tokens = [f" word{number % 97}" for number in range(count)]
    more = {"service_tier": "default", "system_fingerprint": "fp_0123456789", "obfuscation": "abc"}
    events = []
    for payload in MAKERS[kind](tokens, as_dicts=True):
        name = f"event: {payload['type']}\n" if kind != "chat" else ""
        whole = payload | more if kind == "chat" else payload
        events.append(f"{name}data: {json.dumps(whole, separators=(',', ':'))}\n\n".encode())
    return [*events, b"data: [DONE]\n\n"] if kind == "chat" else events


def serve(count: int, port: Any) -> None:
    """Answer `POST /{burst or paced}/{API}/…` with a body of that API."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            lines = head.decode().lower().split("\r\n")
            size = next(int(line[15:]) for line in lines if line.startswith("content-length:"))
            await reader.readexactly(size)
            _, path, _ = lines[0].split()
            paced = path.startswith("/paced")
            events = bodies[path.split("/")[2]]
            writer.write(
                b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
                b"transfer-encoding: chunked\r\n\r\n"
            )
            short = [*events[:PACED], *events[-3:]]
            # As a proxy on the way gathers them: a burst comes in blocks of 16 KB.
            for block in short if paced else gathered(events):
                writer.write(b"%x\r\n%b\r\n" % (len(block), block))
                await writer.drain()
                if paced:
                    await asyncio.sleep(PACE)
            writer.write(b"0\r\n\r\n")

    async def quiet(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def main() -> None:
        server = await asyncio.start_server(quiet, "127.0.0.1", 0)
        port.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    bodies = {kind: events_of(kind, count) for kind in MAKERS}
    asyncio.run(main())


def gathered(events: list[bytes], size: int = 16_384) -> list[bytes]:
    """The events in blocks of about this size."""
    body = b"".join(events)
    return [body[at : at + size] for at in range(0, len(body), size)]


def clients(http: str, url: str) -> dict[str, Any]:
    """The two SDKs' clients over an HTTP client."""
    import anthropic
    import openai

    def plain(sdk: Any) -> Any:
        build = sdk.DefaultAioHttpClient if http == "aiohttp" else sdk.DefaultAsyncHttpxClient
        return build(trust_env=False)

    chat = openai.AsyncOpenAI(api_key="x", base_url=url, http_client=plain(openai))
    claude = anthropic.AsyncAnthropic(api_key="x", base_url=url, http_client=plain(anthropic))
    return {"chat": chat, "responses": chat, "messages": claude}


def asker(kind: str, client: Any) -> Callable[[], Any]:
    """A function that asks for a stream."""
    messages = [{"role": "user", "content": "?"}]
    return {
        "chat": lambda: client.chat.completions.create(model="m", messages=messages, stream=True),
        "responses": lambda: client.responses.create(model="m", input="?", stream=True),
        "messages": lambda: client.messages.create(
            model="m", max_tokens=9, messages=messages, stream=True
        ),
    }[kind]


def cases(kind: str, client: Any) -> dict[str, Callable[[], Awaitable[int]]]:
    """What is compared; each gives the number of items it saw."""
    from l0.stream._fast import fast

    resource = {"chat": "chat.completions"}.get(kind, kind)
    ask = asker(kind, client)
    fast_client = l0.wrap(client, transport="fast")
    sdk_client = l0.wrap(client)
    target = client
    for name in resource.split("."):
        target = getattr(target, name)
    quick = fast(target)
    arguments: dict[str, Any] = {"model": "m", "stream": True}
    arguments |= {"input": "?"} if kind == "responses" else {"messages": [{"role": "user"}]}
    arguments |= {"max_tokens": 9} if kind == "messages" else {}

    async def items(stream: Any) -> int:
        count = 0
        async for _ in stream:
            count += 1
        return count

    async def read_only() -> int:
        stream = await quick(**arguments)
        count = 0
        async for _ in stream.response.aiter_bytes():
            count += 1
        await stream.close()
        return count

    async def sdk() -> int:
        return await items(await ask())

    async def own() -> int:
        return await items(await quick(**arguments))

    async def reliable_sdk() -> int:
        return await items(asker(kind, sdk_client)())

    async def reliable_fast() -> int:
        return await items(asker(kind, fast_client)())

    return {
        "read only": read_only,
        "sdk": sdk,
        "fast": own,
        "l0 + sdk": reliable_sdk,
        "l0 + fast": reliable_fast,
    }


async def measure(http: str, pace: str, kind: str, url: str, rounds: int) -> dict[str, Any]:
    """Nanoseconds of thread CPU time an event, a value a round, for each case."""
    opened = clients(http, f"{url}/{pace}/{kind}")
    scenarios = cases(kind, opened[kind])
    took: dict[str, list[float]] = {name: [] for name in scenarios}
    rng = random.Random(5)
    count = 1
    for name, act in scenarios.items():
        seen = await act()  # for warmth
        count = seen if name == "sdk" else count
    for _ in range(rounds):
        for name in rng.sample([*scenarios], len(scenarios)):
            gc.collect()
            began = time.thread_time_ns()
            await scenarios[name]()
            took[name].append((time.thread_time_ns() - began) / count)
    for client in {id(each): each for each in opened.values()}.values():
        await client.close()
    return took


def show(http: str, pace: str, kind: str, took: dict[str, list[float]]) -> bool:
    """A line of the table; whether it meets its bar."""
    ratios = [a / b for a, b in zip(took["sdk"], took["fast"], strict=True)]
    whole = [a / b for a, b in zip(took["l0 + sdk"], took["l0 + fast"], strict=True)]
    low, middle, high = statistics.quantiles(ratios, n=4, method="inclusive")
    bar = BARS[http, pace] if kind == "chat" else 0
    most = statistics.median(took["sdk"]) / statistics.median(took["read only"])
    cost = "".join(f"{statistics.median(took[name]) / 1000:>10.1f}" for name in took)
    verdict = "" if max(middle, high) >= bar else "  MISSED"
    wanted = f"≥ {bar:g}" if bar else ""
    print(
        f"{http:<9}{pace:<7}{kind:<11}{cost}   {low:5.1f} {middle:5.1f} {high:5.1f} {wanted:<7}"
        f"{most:7.1f}{statistics.median(whole):7.1f}{verdict}"
    )
    return not verdict


def main() -> int:
    """Measure and print; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--tokens", type=int, default=2_000)
    parser.add_argument("--http", nargs="*", default=["httpx2", "aiohttp"])
    parser.add_argument("--kinds", nargs="*", default=[*MAKERS], choices=[*MAKERS])
    arguments = parser.parse_args()
    ours, theirs = multiprocessing.Pipe()
    context = multiprocessing.get_context("spawn")
    server = context.Process(target=serve, args=(arguments.tokens, theirs), daemon=True)
    server.start()
    url = f"http://127.0.0.1:{ours.recv()}"
    print(f"Python {platform.python_version()}; µs of CPU an event; how many times faster")
    print(f"{'':27}{'read only':>10}{'sdk':>10}{'fast':>10}{'l0+sdk':>10}{'l0+fast':>10}", end="")
    print(f"{'sdk / fast':>15}{'bar':>9}{'at most':>9}{'in l0':>7}")
    met = True
    for http in arguments.http:
        for pace in ("burst", "paced"):
            for kind in arguments.kinds:
                took = asyncio.run(measure(http, pace, kind, url, arguments.rounds))
                met &= show(http, pace, kind, took)
    server.terminate()
    return 0 if met else 1


if __name__ == "__main__":
    sys.exit(main())
