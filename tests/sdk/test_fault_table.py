"""The real clients, wrapped: left early, called without streaming, and of the wrong kind."""

from __future__ import annotations

import asyncio

import pytest

import l0
from l0.stream import Retry
from l0.testing import FaultServer, Reply
from l0.testing._matrix_clients import PATHS

pytestmark = pytest.mark.sdk

TEXT = (
    "The quick brown fox — naïve as ever — jumps over the lazy dog. Ünïcödé, 漢字 and 👩‍🚀 "
    "travel along, and no character of this sentence is lost or doubled on the way home."
)
POLICY = Retry(attempts=3, max_retries=4, base_delay=0.01)


@pytest.mark.parametrize("provider", PATHS)
async def test_leaving_early_closes_the_providers_socket(provider):
    """A bare break, an abort, a cancelled task: the server sees the client leave within 0.3 s."""
    for way in ("break", "abort", "cancel"):
        async with FaultServer(Reply(TEXT, faults="stall@5")) as server:
            client = PATHS[provider].connect(server)
            stream = PATHS[provider].ask(l0.wrap(client))
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
        client = PATHS[provider].connect(server)
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
