"""What a token, an event and a run cost, beside the same without this library, and the bars."""

from __future__ import annotations

import contextlib
import json
import tempfile
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import l0
from corpora import json_text, markdown, prose
from l0.stream import Options
from rounds import OLD, Act, Case


def source(chunks: list[Any]) -> Callable[[], AsyncIterator[Any]]:
    """A bare async generator over prebuilt chunks: the raw baseline iterates it alone."""

    async def stream() -> AsyncIterator[Any]:
        for chunk in chunks:
            yield chunk

    return stream


def raw(chunks: list[Any]) -> Act:
    """The baseline."""
    make = source(chunks)

    async def act() -> None:
        async for _ in make():
            pass

    return act


def reliable(chunks: list[Any], **options: Any) -> Act:
    """The same chunks through `l0.run`."""
    settings = Options(stream=source(chunks), **options)

    async def act() -> None:
        async for _ in l0.run(settings):
            pass

    return act


def judged(chunks: list[Any], **options: Any) -> Act:
    """As `reliable`, of a text that a rule may refuse at its end, after the same work a token."""
    act = reliable(chunks, **options)

    async def attempt() -> None:
        with contextlib.suppress(l0.errors.GuardrailError):
            await act()

    return attempt


def listener(event: Any) -> None:
    """Somebody listens, and does nothing."""


def full_stack() -> dict[str, Any]:
    """Recommended rules, drift, timeouts and checkpoints at 15/25/20 tokens."""
    return {
        "guardrails": l0.Guardrails.recommended(),
        "drift": True,
        "timeout": l0.Timeout(initial_token=30, inter_token=30, total=3600),
        "continuation": True,
        "check_intervals": l0.CheckIntervals(15, 25, 20),
    }


# --- a token --------------------------------------------------------------------------------


def core(lengths: tuple[int, ...]) -> list[Case]:
    """The runtime alone, at several lengths, with timeouts and with a listener."""
    timeouts = l0.Timeout(initial_token=30, inter_token=30, total=3600)
    cases = []
    for count in lengths:
        words, base = prose(count), f"raw {count}"
        # Set-up weighs on short streams; the bars are those of 20,000 tokens and more.
        ratio, over = ((7.5 if OLD else 5.0), 0.6) if count >= 20_000 else (None, None)
        cases += [
            Case(base, raw(words), count),
            Case(f"core {count}", reliable(words), count, base, ratio, over),
            Case(f"timeouts {count}", reliable(words, timeout=timeouts), count, base, ratio, over),
        ]
        if count == 20_000:
            heard = reliable(words, timeout=timeouts, on_event=listener)
            cases.append(Case(f"listener {count}", heard, count, base))
    return cases


def full() -> list[Case]:
    """Everything on, over three corpora, and with a listener that wants every check."""
    cases = []
    for name, corpus in (("prose", prose), ("markdown", markdown), ("JSON", json_text)):
        words, base = corpus(20_000), f"raw {name}"
        act = judged(words, **full_stack(), retry=False)
        cases += [
            Case(base, raw(words), len(words)),
            Case(f"full {name}", act, len(words), base, 23 if OLD else 13, 2.0),
        ]
    words = prose(20_000)
    busy = full_stack() | {"check_intervals": l0.CheckIntervals(5, 10, 10), "on_event": listener}
    heard = reliable(words, **busy)
    cases.append(Case("full, listener 5/10/10", heard, 20_000, "raw prose", 40 if OLD else 21))
    return cases


def recording() -> list[Case]:
    """What writing the log costs the loop's thread: the store works on a thread of its own."""
    words, base = prose(20_000), "raw, unrecorded"
    path = Path(tempfile.mkdtemp(prefix="l0-bench-")) / "runs.db"
    store = l0.open_store(f"sqlite:///{path}")
    memory = l0.open_store("memory:")
    return [
        Case(base, raw(words), 20_000),
        Case("into memory", reliable(words, event_store=memory), 20_000, base),
        Case("into SQLite", reliable(words, event_store=store), 20_000, base, over=1.6),
    ]


# --- an event -------------------------------------------------------------------------------


def emit() -> list[Case]:
    """One event: to nobody, to a listener that does nothing, into the hash chain, to SQLite."""
    from l0.events import EventBus, EventRecorder, InMemoryEventStore, StreamInitPayload

    silent, heard = EventBus(), EventBus(listener)
    payload, count = StreamInitPayload(1, 0), 10_000
    times = range(count)
    file = l0.open_store(f"sqlite:///{tempfile.mkdtemp(prefix='l0-bench-')}/events.db")

    async def nothing() -> None:
        for _ in times:
            pass

    def emitting(bus: Any) -> Act:
        async def act() -> None:
            for _ in times:
                if bus.active:
                    bus.emit(payload)

        return act

    def recorded(store: Callable[[], Any], *, redact: bool) -> Act:
        async def act() -> None:
            bus, recorder = EventBus(), EventRecorder(store(), redact)
            recorder.attach(bus)
            for _ in times:
                bus.emit(payload)
                if recorder.full:
                    await recorder.room()
            await recorder.close(30)

        return act

    base, one = f"loop of {count}", "an event"
    chain, secret = "hash chain in memory", "hash chain in memory, redacted"
    return [
        Case(base, nothing, count, per="a turn"),
        Case("emit, nobody", emitting(silent), count, base, over=0.03, per=one),
        Case("emit, one listener", emitting(heard), count, base, over=0.6, per=one),
        Case(chain, recorded(InMemoryEventStore, redact=False), count, base, over=1.2, per=one),
        Case(secret, recorded(InMemoryEventStore, redact=True), count, base, per=one),
        Case(
            "SQLite, on the loop's thread",
            recorded(lambda: file, redact=True),
            count,
            base,
            over=1.3,
            per=one,
        ),
    ]


# --- a run ----------------------------------------------------------------------------------


def set_up() -> list[Case]:
    """A stream of one token, over and over: what a run costs besides its tokens."""

    def many(act: Act) -> Act:
        async def acts() -> None:
            for _ in range(1000):
                await act()

        return acts

    words, base = ["word"], "raw, 1000 x 1 token"
    core, everything = reliable(words), reliable(words, **full_stack())
    return [
        Case(base, many(raw(words)), 1000, per="a stream"),
        Case("core, 1000 x 1 token", many(core), 1000, base, over=20, per="a stream"),
        Case("full, 1000 x 1 token", many(everything), 1000, base, over=30, per="a stream"),
    ]


# --- over a client --------------------------------------------------------------------------


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


def sdk_body(count: int) -> bytes:
    """The same as their server sends them."""
    chunks = sdk_chunks(count)
    lines = (f"data: {json.dumps(chunk.model_dump(mode='json'))}\n\n" for chunk in chunks)
    return "".join(lines).encode() + b"data: [DONE]\n\n"


def sdk_ask(body: bytes) -> Callable[[], Any]:
    """Asks a real client whose transport answers from memory: what it costs is its decoding."""
    import httpx2
    import openai

    def answer(_: Any) -> Any:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, content=body)

    client = openai.AsyncOpenAI(
        api_key="none",
        max_retries=0,
        http_client=httpx2.AsyncClient(transport=httpx2.MockTransport(answer)),
    )
    return lambda: client.chat.completions.create(model="gpt-test", messages=[], stream=True)


def provider() -> list[Case]:
    """Chunks of the openai client, decoded by the adapter, beside what the client costs itself."""
    chunks, ask = sdk_chunks(2_000), sdk_ask(sdk_body(2_000))

    async def alone() -> None:
        async for _ in await ask():
            pass

    async def on_top() -> None:
        async for _ in l0.run(ask, timeout=l0.Timeout()):
            pass

    bare, client = "raw, openai chunks", "openai client alone"
    return [
        Case(bare, raw(chunks), 2_000),
        Case("adapter, openai chunks", reliable(chunks), 2_000, bare),
        Case(client, alone, 2_000),
        Case("on top of the openai client", on_top, 2_000, client, ratio=1.05),
    ]
