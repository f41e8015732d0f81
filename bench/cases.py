"""The scenarios: what is measured, beside which baseline, and the bar it has to meet."""

from __future__ import annotations

import random
import sys
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from typing import Any

import l0
from l0.stream import Options

OLD = sys.version_info < (3, 12)  # the bars of 3.11 are looser


@dataclass(frozen=True)
class Case:
    """One scenario: `act` does the work over `tokens` tokens, `baseline` names what it is held to.

    `ratio` and `over` (µs a token above the baseline) are the bars; None: no bar, for information.
    """

    name: str
    act: Callable[[], Awaitable[Any]]
    tokens: int
    baseline: str | None = None
    ratio: float | None = None
    over: float | None = None


def prose(count: int) -> list[str]:
    """Words of about four and a half characters, seldom alike, with some punctuation."""
    rng = random.Random(11)
    syllables = ["ta", "ren", "mo", "il", "sa", "du", "ver", "ka", "no", "pi", "as", "lum"]
    made = []
    for index in range(count):
        word = "".join(rng.choices(syllables, k=rng.choice((1, 2, 2, 3))))
        made.append(f" {word}" if index % 17 else f" {word}.")
    return made


def markdown(count: int) -> list[str]:
    """Prose with headings, lists, a table and fenced code in between."""
    words, made = prose(count), []
    blocks = ["\n\n## Part\n\n", "\n- one item", "\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n"]
    blocks += ["\n\n```python\nx = [1, 2]\n```\n\n", " **strong** and `code` "]
    for index, word in enumerate(words):
        made.append(blocks[index // 40 % len(blocks)] if index % 40 == 39 else word)
    return made


def json_text(count: int) -> list[str]:
    """A long array of objects, cut into tokens of four characters."""
    import json

    rng = random.Random(3)
    rows = [
        {"id": i, "name": f"row {rng.randrange(10**6)}", "tags": ["a", "b"], "at": rng.random()}
        for i in range(count // 18)
    ]
    text = json.dumps(rows)
    return [text[i : i + 4] for i in range(0, len(text), 4)][:count]


def full_stack() -> dict[str, Any]:
    """Recommended rules, drift, timeouts and checkpoints at 15/25/20 tokens."""
    return {
        "guardrails": l0.Guardrails.recommended(),
        "drift": True,
        "timeout": l0.Timeout(initial_token=30, inter_token=30, total=3600),
        "continuation": True,
        "check_intervals": l0.CheckIntervals(15, 25, 20),
    }


def full() -> list[Case]:
    """Everything on, over three corpora, and with a listener that wants every check."""
    cases = []
    for name, corpus in (("prose", prose), ("markdown", markdown), ("json", json_text)):
        words, base = corpus(20_000), f"raw {name}"
        count = len(words)
        options = full_stack() | {"retry": False}
        act = reliable(words, **options) if name != "json" else _failing(words, options)
        cases += [
            Case(base, raw(words), count),
            Case(f"full {name}", act, count, base, 23 if OLD else 13, 2.0),
        ]
    words = prose(20_000)
    busy = full_stack() | {"check_intervals": l0.CheckIntervals(5, 10, 10), "on_event": listener}
    cases.append(
        Case(
            "full, listener 5/10/10",
            reliable(words, **busy),
            20_000,
            "raw prose",
            40 if OLD else 21,
        )
    )
    return cases


def _failing(chunks: list[Any], options: dict[str, Any]) -> Callable[[], Awaitable[None]]:
    """A document that is cut off: the rule says so at the end, after the same work a token."""
    act = reliable(chunks, **options)

    async def attempt() -> None:
        try:
            await act()
        except l0.errors.GuardrailError:
            pass

    return attempt


def growth() -> list[Case]:
    """Cost a token at 200,000 tokens over that at 20,000, everything on."""
    return [
        Case("full 20000", reliable(prose(20_000), **full_stack()), 20_000),
        Case("full 200000", reliable(prose(200_000), **full_stack()), 200_000, "full 20000", 11.5),
    ]


def source(chunks: list[Any]) -> Callable[[], AsyncIterator[Any]]:
    """A bare async generator over prebuilt chunks: the raw baseline iterates it alone."""

    async def stream() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    return stream


def raw(chunks: list[Any]) -> Callable[[], Awaitable[None]]:
    """The baseline."""
    make = source(chunks)

    async def act() -> None:
        async for _ in make():
            pass

    return act


def reliable(chunks: list[Any], **options: Any) -> Callable[[], Awaitable[None]]:
    """The same chunks through `l0.run`."""
    settings = Options(stream=source(chunks), **options)

    async def act() -> None:
        async for _ in l0.run(settings):
            pass

    return act


def listener(event: Any) -> None:
    """Somebody listens, and does nothing."""


def core() -> list[Case]:
    """The runtime alone, at three lengths, with timeouts and with a listener."""
    timeouts = l0.Timeout(initial_token=30, inter_token=30, total=3600)
    cases = []
    for count in (2_000, 20_000, 200_000):
        words, base = prose(count), f"raw {count}"
        # Set-up weighs on short streams; the bars are those of 20,000 tokens and more.
        ratio, over = ((7.5 if OLD else 5.0), 0.6) if count >= 20_000 else (None, None)
        cases += [
            Case(base, raw(words), count),
            Case(f"core {count}", reliable(words), count, base, ratio, over),
            Case(f"timeouts {count}", reliable(words, timeout=timeouts), count, base, ratio, over),
            Case(
                f"listener {count}",
                reliable(words, timeout=timeouts, on_event=listener),
                count,
                base,
            ),
        ]
    return cases


def recording() -> list[Case]:
    """What writing the log costs the loop's thread: the store works on a thread of its own."""
    import tempfile
    from pathlib import Path

    words, base = prose(20_000), "raw, unrecorded"
    path = Path(tempfile.mkdtemp(prefix="l0-bench-")) / "runs.db"
    store = l0.open_store(f"sqlite:///{path}")
    memory = l0.open_store("memory:")
    return [
        Case(base, raw(words), 20_000),
        Case("into memory", reliable(words, event_store=memory), 20_000, base),
        Case("into SQLite", reliable(words, event_store=store), 20_000, base, over=1.6),
    ]


def emit() -> list[Case]:
    """One event: nobody listening, one listener that does nothing."""
    from l0.events import EventBus, StreamInitPayload

    silent, heard = EventBus(), EventBus(listener)
    payload, times = StreamInitPayload(1, 0), range(10_000)

    async def nothing() -> None:
        for _ in times:
            pass

    async def nobody() -> None:
        for _ in times:
            if silent.active:
                silent.emit(payload)

    async def somebody() -> None:
        for _ in times:
            if heard.active:
                heard.emit(payload)

    return [
        Case("loop of 10000", nothing, 10_000),
        Case("emit, nobody", nobody, 10_000, "loop of 10000", over=0.03),
        Case("emit, one listener", somebody, 10_000, "loop of 10000", over=0.6),
    ]


def many() -> list[Case]:
    """1,000 streams at once, 50 tokens a second each, everything on, beside the same bare."""
    import asyncio

    words = prose(50)

    async def paced() -> AsyncIterator[str]:
        for word in words:
            await asyncio.sleep(0.02)
            yield word

    async def bare() -> None:
        async for _ in paced():
            pass

    settings = Options(stream=paced, **full_stack())

    async def reliably() -> None:
        async for _ in l0.run(settings):
            pass

    async def all_of(act: Callable[[], Awaitable[None]]) -> None:
        await asyncio.gather(*(act() for _ in range(1000)))

    return [
        Case("1000 streams, raw", lambda: all_of(bare), 50_000),
        Case("1000 streams, full", lambda: all_of(reliably), 50_000, "1000 streams, raw", 2.5),
    ]


def set_up() -> list[Case]:
    """A stream of one token, over and over: what a run costs besides its tokens."""

    def many(act: Callable[[], Awaitable[None]]) -> Callable[[], Awaitable[None]]:
        async def acts() -> None:
            for _ in range(1000):
                await act()

        return acts

    words, base = ["word"], "raw, 1000 x 1 token"
    core, everything = reliable(words), reliable(words, **full_stack())
    return [
        Case(base, many(raw(words)), 1000),
        Case("core, 1000 x 1 token", many(core), 1000, base, over=20),
        Case("full, 1000 x 1 token", many(everything), 1000, base, over=30),
    ]


def sdk_chunks(count: int) -> list[Any]:
    """Chunks as the openai client hands them out."""
    from openai.types.chat import ChatCompletionChunk

    def chunk(delta: dict[str, Any], finish: str | None) -> Any:
        return ChatCompletionChunk.model_validate(
            {
                "id": "chatcmpl-1",
                "object": "chat.completion.chunk",
                "created": 1,
                "model": "gpt-test",
                "choices": [{"index": 0, "delta": delta, "finish_reason": finish}],
            }
        )

    return [*(chunk({"content": word}, None) for word in prose(count)), chunk({}, "stop")]


def provider() -> list[Case]:
    """Chunks of the openai client, decoded by the adapter, beside what the client costs itself."""
    import json

    import openai

    chunks = sdk_chunks(2_000)
    lines = "".join(f"data: {json.dumps(c.model_dump(mode='json'))}\n\n" for c in chunks).encode()
    body = lines + b"data: [DONE]\n\n"
    client = _client(body)

    def ask() -> Any:
        return client.chat.completions.create(model="gpt-test", messages=[], stream=True)

    async def alone() -> None:
        async for _ in await ask():
            pass

    async def on_top() -> None:
        async for _ in l0.run(ask, timeout=l0.Timeout()):
            pass

    assert openai
    return [
        Case("raw, openai chunks 2000", raw(chunks), 2_000),
        Case("adapter, openai chunks 2000", reliable(chunks), 2_000, "raw, openai chunks 2000"),
        Case("openai client alone 2000", alone, 2_000),
        Case("on top of the client 2000", on_top, 2_000, "openai client alone 2000", ratio=1.05),
    ]


def _client(body: bytes) -> Any:
    """A real client whose transport answers from memory: what is measured is its decoding."""
    import httpx2
    import openai

    def answer(_: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    return openai.AsyncOpenAI(
        api_key="none",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )


SUITES = {
    "core": core,
    "full": full,
    "growth": growth,
    "emit": emit,
    "recording": recording,
    "many": many,
    "set-up": set_up,
    "provider": provider,
}
