"""Whichever call is cancelled, at whichever moment: no task is left, and no upstream is open."""

from __future__ import annotations

import asyncio

import pytest

import l0
from l0.compose import batched, create_pool, map_concurrent, parallel, pipe, race, sequential
from l0.stream import Retry
from l0.testing import ScriptedModel, VirtualClock, fail, hang, stall

SCRIPTS = [
    [["a", "b", "c"]],
    [["a", fail(ConnectionResetError())], ["a", stall(1), "b"]],
    [[stall(2), "a", hang()]],
    [[fail(401)]],
]


class Scene:
    """Models to be asked, and streams of them."""

    def __init__(self):
        self.models, self.clock = [], VirtualClock()

    def stream(self, number):
        model = ScriptedModel(*SCRIPTS[number % len(SCRIPTS)])
        self.models.append(model)
        return l0.run(model, clock=self.clock, retry=Retry(attempts=2, base_delay=1))

    @property
    def streams(self):
        return [self.stream(number) for number in range(6)]

    async def pool(self):
        async with create_pool(2) as pool:
            await asyncio.wait([pool.execute(stream) for stream in self.streams])

    async def told(self):
        async def slow(*_):
            await self.clock.sleep(1)

        return await parallel(self.streams, on_progress=slow, on_error=slow)

    async def live(self):
        async for _ in pipe([lambda: self.stream(0), lambda: self.stream(1), self.waiting]):
            await asyncio.sleep(0)

    async def waiting(self):
        return await race([self.stream(2), self.stream(2)])


CALLS = {
    "parallel": lambda scene: parallel(scene.streams, concurrency=3),
    "fail fast": lambda scene: parallel(scene.streams, concurrency=3, fail_fast=True),
    "with callbacks": Scene.told,
    "race": lambda scene: race([scene.stream(2), scene.stream(3), scene.stream(1)]),
    "sequential": lambda scene: sequential(scene.streams[:3]),
    "batched": lambda scene: batched(range(5), scene.stream, 2),
    "map": lambda scene: map_concurrent(range(5), scene.stream, concurrency=2),
    "pool": Scene.pool,
    "pipe": Scene.live,
    "nested": lambda scene: parallel([scene.live, scene.pool, scene.waiting]),
}


@pytest.mark.parametrize("name", CALLS)
async def test_cancelled_at_every_moment(name):
    """One turn of the loop later each time, until the call ends before it, or only hangs."""
    alone = asyncio.all_tasks()
    for moment in range(120):
        scene = Scene()
        call = asyncio.ensure_future(CALLS[name](scene))
        for _ in range(moment):
            await asyncio.sleep(0)
        ended = call.done()
        call.cancel()
        await asyncio.wait({call})
        assert ended or call.cancelled()
        await asyncio.sleep(0)  # generators are closed by tasks of the loop
        await asyncio.sleep(0)
        assert asyncio.all_tasks() == alone
        assert all(all(model.closed) for model in scene.models)
        if ended:
            call.exception()  # seen: sequential and batched raise
            break
    assert moment > 5
