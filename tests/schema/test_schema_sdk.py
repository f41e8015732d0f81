"""Structured output through the real clients, from a server that breaks off in the middle."""

from __future__ import annotations

import copy
import json

import pytest
from pydantic import BaseModel  # noqa: TID253  a test needs models

import l0
from l0.schema import structured, structured_stream
from l0.stream import CheckIntervals, Retry
from l0.testing import FaultServer, Reply, check_run
from l0.testing._matrix_clients import anthropic_client, openai_client

pytestmark = pytest.mark.sdk


class Reading(BaseModel):
    hour: str
    knots: int
    remark: str


class Station(BaseModel):
    name: str
    readings: list[Reading]


STATION = Station(
    name="Farrow Rock — naïve 漢字",
    readings=[
        Reading(hour=f"{hour:02}:00", knots=3 + hour, remark=f"Sail number {hour}, “again”.")
        for hour in range(6)
    ],
)
TEXT = json.dumps(STATION.model_dump(), ensure_ascii=False, indent=1)
POLICY = Retry(attempts=1, max_retries=4, base_delay=0.01)
ASK = [{"role": "user", "content": "What does the station report?"}]


async def asked(server, continuation, **options):
    """One structured stream through the real client; its partials and its result."""
    client = openai_client(server)
    told = []
    reliable = l0.wrap(client, retry=POLICY, continuation=continuation, on_event=told.append)
    stream = structured_stream(
        Station,
        reliable.chat.completions.create(model="gpt-test", messages=ASK, stream=True),
        check_intervals=CheckIntervals(guardrails=1),
        **options,
    )
    seen = [(copy.deepcopy(p.value), p.restarted) async for p in stream]
    done = await stream.validate()
    await client.close()
    check_run(told)
    return seen, done


@pytest.mark.parametrize("continued", ["exact", "overlap"])
@pytest.mark.parametrize("fault", ["drop@40", "cut@71", "reset@12", "error@30(overloaded_error)"])
async def test_json_that_breaks_in_the_middle_is_continued_from_there(fault, continued):
    """The request shows what has come; values only grow; nothing needs correcting."""
    first = Reply(TEXT, faults=fault, continuation=continued)
    async with FaultServer(first, first) as server:
        server.default = Reply(TEXT, continuation=continued)
        seen, done = await asked(server, True)
        assert len(server.requests) == 3
        assert [bool(request.continued_from) for request in server.requests] == [False, True, True]
    assert done.data == STATION
    assert (done.raw, done.corrected, done.corrections) == (TEXT, False, ())
    assert done.state.resumed
    assert done.state.lost_tokens == 0
    assert not any(restarted for _, restarted in seen)
    counts = [len((value or {}).get("readings", ())) for value, _ in seen]
    assert counts == sorted(counts)
    assert seen[-1][0] == STATION.model_dump()


async def test_without_continuation_it_is_started_over():
    """The same data, with the values begun anew."""
    async with FaultServer(Reply(TEXT, faults="drop@40")) as server:
        server.default = Reply(TEXT)
        seen, done = await asked(server, False)
        assert [request.continued_from for request in server.requests] == [0, 0]
    assert done.data == STATION
    assert [restarted for _, restarted in seen].count(True) == 1


async def test_a_broken_answer_that_is_wrong_when_whole_is_asked_for_anew():
    """A network failure is gone on from; invalid data is not."""
    wrong = TEXT.replace('"knots": 5', '"knots": "five"')
    async with FaultServer(Reply(wrong, faults="drop@40"), Reply(wrong)) as server:
        server.default = Reply(TEXT)
        seen, done = await asked(server, True)
        assert [bool(request.continued_from) for request in server.requests] == [False, True, False]
    assert done.data == STATION
    (network, invalid) = done.errors
    assert [fault.path for fault in invalid.errors] == ["readings[2].knots"]
    assert [restarted for _, restarted in seen].count(True) == 1


async def test_a_fenced_answer_through_the_other_client():
    """Anthropic's, awaited at once, healed."""
    async with FaultServer(Reply(f"Here it is:\n\n```json\n{TEXT}\n```\n")) as server:
        client = anthropic_client(server)
        done = await structured(
            Station,
            lambda: client.messages.create(
                model="claude-test", max_tokens=1000, messages=ASK, stream=True
            ),
            strict_mode=True,
        )
        await client.close()
    assert done.data == STATION
    assert done.corrected
