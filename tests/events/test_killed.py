"""A process that is killed while it records leaves a store that opens, verifies and replays."""

from __future__ import annotations

import os
import random
import select
import signal
import subprocess
import sys
import time

import pytest

from l0.events import SQLiteEventStore, open_store, replay, verify

# Streams tokens without end, and says after each flush how many records are on disk for certain.
WRITER = """
import asyncio, sys
from l0.events import EventBus, EventRecorder, open_store, resolve_store

async def main(url):
    store = resolve_store(url)
    recorder, bus = EventRecorder(store), EventBus(meta={"user": "ada"}, stream_id="run")
    recorder.attach(bus)
    bus.emit("SESSION_START", options={})
    count, at = 1, 0
    while True:
        for _ in range(20):
            size = 1 + at % 64
            texts = [f"{n} " for n in range(at, at + size)]
            bus.emit("TOKENS", start=at, texts=texts, offsets_us=[0] * size)
            at, count = at + size, count + 1
            await asyncio.sleep(0)
        if count % 100 < 20:
            await store.flush()
            print(count, flush=True)

asyncio.run(main(sys.argv[1]))
"""


def kill_while_writing(url, seconds):
    """Gives the number of records the process knew to be on disk when it was killed."""
    process = subprocess.Popen(
        [sys.executable, "-c", WRITER, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 20)
        assert ready, "the process did not begin to write"
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err.decode()
    return max(map(int, out.split(b"\n")[:-1]))


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("again", range(3))
@pytest.mark.parametrize("kind", ["sqlite", "jsonl"])
async def test_what_was_committed_outlives_a_kill(kind, again, tmp_path):
    url = f"{kind}:///{tmp_path}/runs.db"
    known = kill_while_writing(url, random.Random(os.urandom(4)).uniform(0, 0.15))
    store = open_store(url)
    found = await verify(store, "run")
    assert found.ok
    assert not found.ended
    assert found.records >= known
    lived = await replay(store, "run")
    assert lived.outcome == "unfinished"
    assert lived.meta == {"user": "ada"}
    expected = "".join(f"{n} " for n in range(lived.state.token_count))
    assert lived.state.content == expected, "not a beginning of the run"
    await store.close()


async def test_a_process_that_ends_without_closing_its_store_loses_nothing(tmp_path):
    """Whatever is queued is written when the interpreter exits."""
    path = tmp_path / "runs.db"
    code = """
import sys
from l0.events import EventBus, EventRecorder, SQLiteEventStore
store = SQLiteEventStore(sys.argv[1], commit_interval=60)
bus = EventBus(EventRecorder(store), stream_id="run")
for index in range(50):
    bus.emit("TOKENS", start=index, texts=["t"], offsets_us=[0])
"""
    done = subprocess.run(
        [sys.executable, "-c", code, str(path)], check=False, capture_output=True, timeout=30
    )
    assert (done.returncode, done.stderr) == (0, b"")
    store = SQLiteEventStore(path)
    assert (await verify(store, "run")).records == 50
    await store.close()
