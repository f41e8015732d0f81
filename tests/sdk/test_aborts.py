"""A thousand runs through the real client, aborted at random moments, leave nothing open."""

from __future__ import annotations

import asyncio
import gc
import random
import threading
import types
from pathlib import Path

import pytest

import l0
from l0.errors import StreamAbortedError
from l0.testing import FaultServer, Reply
from l0.testing._matrix_clients import PATHS

pytestmark = pytest.mark.sdk


def sockets() -> int:
    """Open sockets of this process."""
    opened = [fd for fd in FDS.iterdir() if fd.is_symlink()]
    return sum(str(fd.readlink()).startswith("socket:") for fd in opened if fd.exists())


FDS = Path("/proc/self/fd")


@pytest.mark.skipif(not FDS.exists(), reason="counts sockets under /proc")
async def test_a_thousand_aborted_requests_leave_no_task_no_socket_no_thread():
    import openai

    rng = random.Random(3)
    before = (asyncio.all_tasks(), threading.active_count(), sockets())
    async with FaultServer() as server:
        server.default = Reply("word " * 200, tokens_per_second=2000)
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="test")
        reliable = l0.wrap(client, continuation=True, timeout=l0.Timeout())

        async def one() -> str:
            stream = reliable.chat.completions.create(
                model="gpt-test", messages=[{"role": "user", "content": "go"}], stream=True
            )
            asyncio.get_running_loop().call_later(rng.random() * 0.3, stream.abort)
            try:
                await stream.read()
            except StreamAbortedError:
                pass
            return stream.outcome

        outcomes = []
        for _ in range(20):
            outcomes += await asyncio.gather(*(one() for _ in range(50)))
        assert set(outcomes) <= {"aborted", "completed"}
        assert outcomes.count("aborted") > 500
        await client.close()
        await server.wait_closed_connections(2.0)
        assert server.open_connections == 0
    await asyncio.get_running_loop().shutdown_default_executor()  # of the client's name look-ups
    assert (asyncio.all_tasks(), threading.active_count(), sockets()) == before


@pytest.mark.parametrize("way", ["all", "break", "abort"])
@pytest.mark.parametrize("fault", ["", "drop@5", "error@5", "garbage@5", "stall@5"])
@pytest.mark.parametrize("path", PATHS)
async def test_what_the_sdk_has_open_is_closed_without_a_collection_of_garbage(path, fault, way):
    """That would come on any thread, while the loop's own thread is closing the same generators."""
    async with FaultServer(Reply("word " * 20, faults=fault)) as server:
        server.default = Reply("word " * 20)
        client = PATHS[path].connect(server)
        reliable = l0.wrap(
            client, retry=l0.Retry(base_delay=0), timeout=l0.Timeout(inter_token=0.1)
        )
        gc.disable()
        try:
            before = {id(each) for each in open_generators()}
            await consume(PATHS[path].ask(reliable), way)
            for _ in range(20):  # each that is closed lets go of the next
                await asyncio.sleep(0)
            left = [each.__qualname__ for each in open_generators() if id(each) not in before]
        finally:
            gc.enable()
        await client.close()
    assert left == []


def open_generators():
    """Asynchronous generators that have not ended, of those made since the last collection.

    Nothing leaves the first generation while there is no collection, and it is quickly read.
    """
    kind, young = types.AsyncGeneratorType, gc.get_objects(generation=0)
    return [each for each in young if isinstance(each, kind) and each.ag_frame]


async def test_a_generator_that_is_left_open_is_seen():
    """Also where much else was made since, and unless it has ended."""

    async def words():
        yield "a"
        yield "b"

    gc.disable()
    try:
        left, ended = words(), words()
        await anext(left)
        await anext(ended)
        await ended.aclose()
        made = [[] for _ in range(10_000)]
        assert [each for each in open_generators() if each in {left, ended}] == [left]
    finally:
        gc.enable()
    assert len(made) == 10_000
    await left.aclose()


async def consume(stream, way):
    """Read a stream to its end, or leave it after some events."""
    count = 0
    async for _ in stream:
        count += 1
        if count > 3 and way == "abort":
            stream.abort()
        elif count > 3 and way == "break":
            break
    await stream.aclose()
