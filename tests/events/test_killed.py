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


# Streams a run of l0, and says how many tokens its consumer has, and when.
RUNNER = """
import asyncio, sys, time
import l0

async def source():
    number = 0
    while True:
        yield f"{number} "
        number += 1
        if number % 5 == 0:
            await asyncio.sleep(0.001)

async def main(url):
    async for event in l0.run(source, event_store=url, stream_id="run", meta={"user": "ada"}):
        count = event.start and event.text and int(event.text)
        if count and count % 20 == 0:
            print(count, time.time(), flush=True)

asyncio.run(main(sys.argv[1]))
"""


def kill_while_writing(url, seconds, program=WRITER):
    """Gives what the process had printed when it was killed, line by line."""
    process = subprocess.Popen(
        [sys.executable, "-c", program, url], stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    try:
        ready, _, _ = select.select([process.stdout], [], [], 20)
        assert ready, "the process did not begin to write"
        time.sleep(seconds)
    finally:
        process.send_signal(signal.SIGKILL)
        out, err = process.communicate()
    assert process.returncode == -signal.SIGKILL, err.decode()
    return out.decode().split("\n")[:-1]


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
@pytest.mark.parametrize("again", range(3))
@pytest.mark.parametrize("kind", ["sqlite", "jsonl"])
async def test_s84_what_was_committed_outlives_a_kill(kind, again, tmp_path):
    url = f"{kind}:///{tmp_path}/runs.db"
    seconds = random.Random(os.urandom(4)).uniform(0, 0.15)
    known = max(map(int, kill_while_writing(url, seconds)))
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


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here")
async def test_s84_a_run_that_is_killed_while_streaming_is_a_prefix(tmp_path):
    """At most the last commit interval is missing, and the batch that was still open."""
    url = f"sqlite:///{tmp_path}/runs.db"
    lines = [line.split() for line in kill_while_writing(url, 1.2, RUNNER)]
    last = float(lines[-1][1])
    # 50 ms a batch and 50 ms a commit; the rest is patience with a busy machine.
    known = max((int(count) for count, at in lines if float(at) < last - 0.6), default=0)
    assert known > 0
    store = open_store(url)
    found = await verify(store, "run")
    assert (found.ok, found.ended, found.first_bad_seq) == (True, False, None)
    lived = replay(store, "run")
    tokens = [event async for event in lived]
    assert (lived.outcome, lived.meta) == ("unfinished", {"user": "ada"})
    assert [event.text for event in tokens] == [f"{n} " for n in range(len(tokens))]
    assert [event.start for event in tokens[:3]] == [0, 2, 4]
    assert len(tokens) >= known
    assert lived.state.content == "".join(event.text for event in tokens)
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
