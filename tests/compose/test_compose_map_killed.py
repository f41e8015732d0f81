"""A map that is killed at any moment loses nothing that was done, and pays for nothing twice."""

from __future__ import annotations

import os
import random
import select
import signal
import sqlite3
import subprocess
import sys
import time
from collections import Counter

import pytest

from l0.compose._map_key import identity, row_key
from l0.testing import FaultServer, Reply

pytestmark = [
    pytest.mark.sdk,
    pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="there is no SIGKILL here"),
]

ROWS, AT_A_TIME = 400, 8

MAP = """
import asyncio, sys
import openai
from l0.compose import map as map_rows

async def main(base_url, store, rows, at_a_time):
    client = openai.AsyncOpenAI(base_url=base_url, api_key="none", max_retries=0)
    def ask(prompt):
        return client.chat.completions.create(
            model="gpt-x", messages=[{"role": "user", "content": prompt}], stream=True,
        )
    print("ready", flush=True)
    result = await map_rows(
        [str(n) for n in range(rows)], "Row {}", ask, name="gpt-x", store=store,
        concurrency=at_a_time,
    )
    assert result.texts == ["An answer that takes its time."] * rows
    print(result.ok, result.reused, flush=True)

asyncio.run(main(sys.argv[1], sys.argv[2], int(sys.argv[3]), int(sys.argv[4])))
"""


def start(server, store):
    process = subprocess.Popen(
        [sys.executable, "-c", MAP, server.base_url, str(store), str(ROWS), str(AT_A_TIME)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    ready, _, _ = select.select([process.stdout], [], [], 30)
    assert ready, "the process did not begin"
    assert process.stdout.readline() == "ready\n"
    return process


def wait_for_requests(server, count):
    give_up = time.monotonic() + 60
    while len(server.requests) < count:
        assert time.monotonic() < give_up, "the process asked for too little"
        time.sleep(0.002)


def prompts(server):
    return [request.body["messages"][0]["content"] for request in server.requests]


def done(store):
    """The prompts whose answers are in the store."""
    if not store.exists():
        return set()
    connection = sqlite3.connect(store)
    try:
        keys = {key for (key,) in connection.execute("SELECT key FROM rows WHERE status = 'ok'")}
    finally:
        connection.close()
    model = identity(None, "gpt-x")
    return {
        prompt
        for prompt in (f"Row {n}" for n in range(ROWS))
        if row_key(prompt, model, None, None) in keys
    }


def test_a_map_that_is_killed_goes_on_where_it_was(tmp_path):
    """Five times, at random moments: no row that was done is ever asked again."""
    store = tmp_path / "answers.db"
    rng = random.Random(os.urandom(4))
    lost = 0
    with FaultServer.in_thread() as server:
        server.default = Reply("An answer that takes its time.", tokens_per_second=200)
        for _ in range(5):
            before, asked = done(store), len(server.requests)
            process = start(server, store)
            try:
                wait_for_requests(server, asked + rng.randint(1, 60))
                time.sleep(rng.uniform(0, 0.03))
            finally:
                process.send_signal(signal.SIGKILL)
                _, errors = process.communicate()
            assert process.returncode == -signal.SIGKILL, errors
            time.sleep(0.05)
            server.wait_closed_connections(30)  # what was on its way has arrived
            asked_now = prompts(server)[asked:]
            assert len(asked_now) == len(set(asked_now)), "a row was asked twice in one process"
            assert not before & set(asked_now), "a row that was done was asked again"
            in_flight = set(asked_now) - done(store)
            assert len(in_flight) <= AT_A_TIME
            lost += len(in_flight)
        before, asked = done(store), len(server.requests)
        assert 0 < len(before) < ROWS, "the kills came too late or too early to tell anything"
        process = start(server, store)
        out, errors = process.communicate(timeout=60)
        assert process.returncode == 0, errors
        assert out.split() == [str(ROWS), str(len(before))]
        assert not before & set(prompts(server)[asked:]), "a row that was done was asked again"
        asked = Counter(prompts(server))
    assert len(asked) == ROWS
    assert asked.total() == ROWS + lost
