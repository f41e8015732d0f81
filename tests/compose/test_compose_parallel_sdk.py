"""Many streams side by side through the real client, some of them broken on the way."""

from __future__ import annotations

import asyncio

import pytest

import l0
from l0.compose import create_pool, parallel, race
from l0.stream import Retry, Timeout
from l0.testing import SCRIPT_HEADER, FaultServer, Reply

pytestmark = pytest.mark.sdk

COUNT = 50
FAULTS = {0: "429(0.05)", 1: "drop@4", 2: "500", 3: "cut@6", 4: "stall@5", 5: "400", 6: "reset@3"}


def text_of(index):
    return f"Answer number {index}: " + " ".join(f"word{index}-{n}" for n in range(12))


@pytest.fixture
async def served():
    """A server, a reliable client of it, and a way to open the stream of a name."""
    import openai

    async with FaultServer() as server:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test")
        reliable = l0.wrap(
            client,
            retry=Retry(attempts=3, max_retries=4, base_delay=0.01),
            timeout=Timeout(initial_token=5, inter_token=0.4),
        )

        def ask(name):
            return reliable.chat.completions.create(
                model="gpt-test",
                messages=[{"role": "user", "content": f"Say {name}."}],
                stream=True,
                extra_headers={SCRIPT_HEADER: str(name)},
            )

        yield server, ask
        await client.close()
        await server.wait_closed_connections(2.0)
        assert server.open_connections == 0


async def test_fifty_streams_in_parallel_with_faults(served):
    """Each one gets its own text; those that are refused fail alone."""
    server, ask = served
    for index in range(COUNT):
        fault = FAULTS.get(index % 10)
        server.script(str(index), Reply(text_of(index), faults=fault or ()), Reply(text_of(index)))
    done = await parallel([lambda i=i: ask(i) for i in range(COUNT)], concurrency=20)
    refused = [index for index in range(COUNT) if index % 10 == 5]
    for index in range(COUNT):
        if index in refused:
            assert (done.results[index], done.errors[index].status_code) == (None, 400)
        else:
            assert (done.results[index], done.errors[index]) == (text_of(index), None)
    told = done.aggregated_telemetry
    broken = sum(1 for index in range(COUNT) if index % 10 in {0, 1, 2, 3, 4, 6})
    assert told.total_retries == broken
    assert len(server.requests) == COUNT + broken
    assert told.usage.requests >= COUNT - len(refused)
    assert told.avg_time_to_first_token > 0


async def test_the_losers_of_a_race_are_disconnected(served):
    """Only the winner's connection stays, for the client's next request."""
    server, ask = served
    for name in ("slow", "slower"):
        server.script(name, Reply("word " * 500, tokens_per_second=50))
    server.script("quick", Reply("here " * 5, tokens_per_second=50))
    won = await race([lambda n=name: ask(n) for name in ("slow", "quick", "slower")])
    assert (won.value, won.winner_index) == ("here " * 5, 1)
    assert len(server.requests) == 3
    async with asyncio.timeout(2):
        while server.open_connections > 1:
            await asyncio.sleep(0.005)


async def test_cancelling_one_operation_of_a_pool_closes_one_connection(served):
    """The others come to their ends."""
    server, ask = served
    server.script("gone", Reply("word " * 500, tokens_per_second=50))
    for name in ("a", "b", "c"):
        server.script(name, Reply(f"text of {name}"))
    async with create_pool(4) as pool:
        gone, *others = [pool.execute(ask(name)) for name in ("gone", "a", "b", "c")]
        states = await asyncio.gather(*others)
        assert pool.get_active_workers() == 1
        gone.cancel()
    assert [state.content for state in states] == ["text of a", "text of b", "text of c"]
    assert pool.get_stats().total_cancelled == 1
