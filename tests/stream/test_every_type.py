"""S70: every event type of the catalog has an emitter, and the runtime's are all seen here."""

from __future__ import annotations

import asyncio

import msgspec
import pytest

import l0
from l0.events import Event, EventType, InMemoryEventStore, catalog, from_json, to_json
from l0.stream import CheckIntervals, Retry, Timeout
from l0.testing import ScriptedModel, check_run, end, fail, hang, stall, tool

NET = ConnectionResetError("gone")


async def eventful(clock):
    """Runs in which everything happens that can happen to a stream."""
    told = []
    everything = set(catalog())

    def listen(event):
        told.append(event)

    listen.types = everything
    data = Event(EventType.TOOL_RESULT, data={"id": "1", "name": "f", "result": 1})
    model = ScriptedModel(
        ["As an AI, ", "I am asked to write this. "],
        ["One ", "two ", fail(NET)],
        ["two ", stall(9)],
        ["three ", tool("1", "f"), data, fail(NET)],
        [fail(Exception("model"))],
        [fail(401)],
    )
    stream = l0.run(
        model,
        fallbacks=[ScriptedModel(["bad ", "four", end("stop", l0.events.Usage(1, 2))])],
        retry=Retry(attempts=5, base_delay=0, should_retry=flaky()),
        timeout=Timeout(inter_token=5, connect=5, total=1000),
        drift=True,
        continuation=True,
        guardrails=[
            l0.GuardrailRule("warn", lambda s: ["hm"] * ("bad" in s.content), severity="warning")
        ],
        check_intervals=CheckIntervals(1, 1, 1),
        on_event=listen,
        on_violation=lambda v: None,
        on_retry=raising,
        token_events=True,
        interceptors=[l0.stream.logging_interceptor()],
        event_store=Broken(),
        clock=clock,
    )
    async for event in stream:
        if event.is_tool_call:
            await stream.call_tool(event.tool_call, lambda: 1)
    check_run([event for event in told if event.type != "TOKENS"])
    stream = l0.run(ScriptedModel(["a", hang()]), on_event=listen)
    task = asyncio.create_task(stream.read())
    for _ in range(5):
        await asyncio.sleep(0)
    stream.abort()
    await asyncio.wait({task})
    assert isinstance(task.exception(), l0.errors.StreamAbortedError)
    invalid = ScriptedModel([tool("1", "f")])
    refuse = l0.events.ToolArgumentError("not_allowed", "", "no")
    await l0.run(invalid, on_event=listen, tool_validator=lambda n, a: [refuse], clock=clock).read()
    return told


class Broken(InMemoryEventStore):
    def __init__(self):
        super().__init__()
        del self._sink  # so that it is written to by `append`

    async def append(self, records):
        raise OSError("disk full")


def raising(*args):
    raise RuntimeError("typo")


def flaky():
    """A `should_retry` that fails once, on the last call it gets."""

    def should_retry(error, state, attempt, category):
        if attempt == 5:
            raise RuntimeError("typo")
        return True

    return should_retry


async def test_s70_every_type_is_emitted(clock):
    """All of the runtime's own, in three runs; the other rooms' have their own emitters."""
    told = await eventful(clock)
    mine = {name for name, cls in catalog().items() if cls.emitter in {"stream", "events"}}
    assert mine - {event.type for event in told} == set()


async def test_s70_every_payload_survives_json(clock):
    """All fields are there, and nothing is lost on the way through JSON."""
    for event in await eventful(clock):
        cls = catalog()[event.type]
        assert type(event.payload) is cls
        again = from_json(cls, to_json(event.payload))
        if event.type == "STREAM_EVENT":
            assert again.event.type == event.payload.event.type
        else:
            assert msgspec.to_builtins(again) == msgspec.to_builtins(event.payload)


def test_s70_the_schema_covers_the_whole_catalog():
    """One definition a type, discriminated by it."""
    text = msgspec.json.encode(l0.events.schema()).decode()
    for name in catalog():
        assert f'"{name}"' in text


@pytest.mark.parametrize("name", sorted(catalog()))
def test_every_type_says_when_it_is_emitted(name):
    """The docstring of its payload is its row in the documentation."""
    assert (catalog()[name].__doc__ or "").strip()
