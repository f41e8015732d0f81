"""A thousand runs through the real client, aborted at random moments, leave nothing open."""

from __future__ import annotations

import asyncio
import random
import threading
from pathlib import Path

import pytest

import l0
from l0.errors import StreamAbortedError
from l0.testing import FaultServer, Reply

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
