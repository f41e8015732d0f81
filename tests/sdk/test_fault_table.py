"""Every fault, through the real clients: the complete text or a clear error, nothing between."""

from __future__ import annotations

import asyncio
import sys

import pytest

import l0
from l0.events import EventType
from l0.stream import Retry, Timeout
from l0.testing import FaultServer, Reply, check_run

pytestmark = pytest.mark.sdk

TEXT = (
    "The quick brown fox — naïve as ever — jumps over the lazy dog. Ünïcödé, 漢字 and 👩‍🚀 "
    "travel along, and no character of this sentence is lost or doubled on the way home."
)
QUICK = Timeout(connect=5, initial_token=0.4, inter_token=0.3)
POLICY = Retry(attempts=3, max_retries=4, base_delay=0.01)

# What is played, how the run ends. Positions: at the start, in the middle, near the end.
SAVED = [
    *("429", "429(0.05)", "500", "503", "529", "408"),
    *(f"{kind}@{at}" for kind in ("drop", "cut", "reset", "eof") for at in (1, 12, 30)),
    *(f"stall@{at}" for at in (0, 12, 30)),
    *("stall_alive@12", "error@12(overloaded_error)", "garbage@12"),
    *("empty", "no_text", "slow_headers(5)", "slow_first(5)"),
]
FINE = ["slow(0.001)", "split", "no_finish_usage"]
REFUSED = ["400", "401", "403", "404", "quota"]

rows: list[tuple[str, ...]] = []


@pytest.fixture(scope="module", autouse=True)
def table():
    """Print the whole as a table, once."""
    yield
    out = sys.__stdout__
    if rows and out is not None:
        out.write("\n\nfault                       provider    mode          outcome\n")
        for row in sorted(rows):
            out.write("{:<27} {:<11} {:<13} {}\n".format(*row))
        out.flush()


def openai_chat(server):
    import openai

    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test")
    return client, lambda c: c.chat.completions.create(
        model="gpt-test", messages=[{"role": "user", "content": "Say it."}], stream=True
    )


def openai_responses(server):
    import openai

    client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test")
    return client, lambda c: c.responses.create(model="gpt-test", input="Say it.", stream=True)


def anthropic_messages(server):
    import anthropic

    client = anthropic.AsyncAnthropic(base_url=server.anthropic_base_url, api_key="test")
    return client, lambda c: c.messages.create(
        model="claude-test",
        max_tokens=1000,
        messages=[{"role": "user", "content": "Say it."}],
        stream=True,
    )


PROVIDERS = {"openai": openai_chat, "responses": openai_responses, "anthropic": anthropic_messages}


async def ask(provider, fault, *, continuation):
    """One run over one fault; gives the run, what the consumer shows, and the server's view."""
    told, shown, error = [], "", None
    first = Reply(TEXT, faults=fault, continuation=continuation or "exact")
    after = Reply(TEXT, continuation=continuation or "exact")
    async with FaultServer(first) as server:
        server.default = after
        client, create = PROVIDERS[provider](server)
        reliable = l0.wrap(
            client,
            retry=POLICY,
            timeout=QUICK,
            continuation=continuation is not None,
            on_event=told.append,
        )
        stream = create(reliable)
        try:
            async for event in stream:
                if event.type is EventType.TOKEN:
                    assert event.start == len(shown)
                    shown += event.text
                elif event.type is EventType.RESTART:
                    shown = shown[: event.kept_chars]
        except Exception as raised:
            error = raised
        await client.close()
        await server.wait_closed_connections()
        requests = list(server.requests)
        check_run(told)
    return stream, shown, error, requests


@pytest.mark.parametrize("continuation", [None, "exact", "overlap"], ids=["restart", "go on", "+3"])
@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", SAVED)
async def test_a_broken_stream_is_saved(fault, provider, continuation):
    """The consumer's fold is the model's text: no character lost, none doubled."""
    stream, shown, error, requests = await ask(provider, fault, continuation=continuation)
    mode = "restart" if continuation is None else f"go on, {continuation}"
    rows.append((fault, provider, mode, f"{error or 'complete'}, {len(requests)} requests"))
    assert error is None
    assert shown == stream.state.content == TEXT
    assert len(requests) == 2
    assert stream.state.finish_reason == "stop"
    if continuation is not None and "@" in fault and not fault.endswith(("@0", "@1")):
        assert stream.state.resumed
        assert stream.state.lost_tokens == 0


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", FINE)
async def test_what_is_only_slow_or_odd_is_left_alone(fault, provider):
    """One request is enough."""
    _, shown, error, requests = await ask(provider, fault, continuation=None)
    rows.append((fault, provider, "-", f"{error or 'complete'}, {len(requests)} requests"))
    assert (error, shown, len(requests)) == (None, TEXT, 1)


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("fault", REFUSED)
async def test_what_nothing_can_mend_is_said_clearly(fault, provider):
    """The provider's own error, after one request."""
    stream, shown, error, requests = await ask(provider, fault, continuation="exact")
    rows.append((fault, provider, "-", f"{type(error).__name__}, {len(requests)} requests"))
    assert (shown, len(requests)) == ("", 1)
    status = 429 if fault == "quota" else int(fault)
    assert error.status_code == status
    assert "no retry because: not_retryable" in error.__notes__[0]


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_leaving_early_closes_the_providers_socket(provider):
    """A bare break, an abort, a cancelled task: the server sees the client leave within 0.3 s."""
    for way in ("break", "abort", "cancel"):
        async with FaultServer(Reply(TEXT, faults="stall@5")) as server:
            client, create = PROVIDERS[provider](server)
            stream = create(l0.wrap(client))
            seen = asyncio.Event()

            async def consume(stream=stream, seen=seen, way=way):
                async for event in stream:
                    if event.start and event.start > 10:
                        seen.set()
                        if way == "break":
                            break

            task = asyncio.create_task(consume())
            await asyncio.wait_for(seen.wait(), 2)
            left = asyncio.get_running_loop().time()
            if way == "abort":
                stream.abort()
            elif way == "cancel":
                task.cancel()
            await asyncio.wait({task})
            await server.wait_closed_connections(1.0)
            assert asyncio.get_running_loop().time() - left < 0.3
            assert server.requests[0].client_left
            await client.close()


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_calls_without_streaming_are_retried_too(provider):
    """Their result is the SDK's own object, untouched; SDK retries are off."""
    async with FaultServer(Reply(TEXT, faults="503"), Reply(TEXT, faults="429")) as server:
        server.default = Reply(TEXT)
        client, _ = PROVIDERS[provider](server)
        reliable = l0.wrap(client, retry=POLICY)
        messages = [{"role": "user", "content": "Say it."}]
        if provider == "openai":
            answer = await reliable.chat.completions.create(model="gpt-test", messages=messages)
            assert answer.choices[0].message.content == TEXT
        else:
            answer = await reliable.messages.create(
                model="claude-test", max_tokens=99, messages=messages
            )
            assert answer.content[0].text == TEXT
        assert len(server.requests) == 3
        await client.close()


@pytest.mark.parametrize("name", ["OpenAI", "Anthropic"])
def test_a_synchronous_client_is_refused_with_the_right_ones_name(name):
    """Before anything is asked."""
    import anthropic
    import openai

    client = {"OpenAI": openai.OpenAI, "Anthropic": anthropic.Anthropic}[name](api_key="test")
    with pytest.raises(l0.errors.InvalidStreamError, match=f"Async{name}"):
        l0.wrap(client)
    client.close()
