"""Background responses: taken up again after the number of the last event that arrived."""

from __future__ import annotations

import contextlib
import ssl
from dataclasses import replace

import pytest

from l0.testing._faults import drop, length, no_resume, tool_cut
from l0.testing._reply import Reply
from l0.testing._server import FaultServer

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the tenths of a second that loading certificates takes."""

pytestmark = pytest.mark.sdk

TEXT = "The keeper wound the clockwork and lit the lamp."
FULL = Reply(TEXT, reasoning="Let me think", tool_calls=[("f", {"a": 1}), ("g", {})])


@pytest.fixture
async def server():
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def client(server):
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    async with AsyncOpenAI(
        base_url=server.base_url,
        api_key="test",
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(verify=NO_TLS),
    ) as client:
        yield client


async def collect(stream, events: list) -> None:
    """Adds what comes, also when the stream breaks later."""
    async for event in stream:
        events.append(event)


async def begin(client, **options) -> list:
    """The events of a background stream until it ends or breaks."""
    from openai import APIConnectionError

    events: list = []
    options = {"background": True, **options}
    stream = await client.responses.create(model="m", input="hi", stream=True, **options)
    with contextlib.suppress(APIConnectionError):
        await collect(stream, events)
    return events


async def resume(client, events: list) -> list:
    last = events[-1]
    stream = await client.responses.retrieve(
        events[0].response.id, stream=True, starting_after=last.sequence_number
    )
    return [event async for event in stream]


def text_of(events: list) -> str:
    return "".join(e.delta for e in events if e.type == "response.output_text.delta")


@pytest.mark.parametrize("at", [0, 1, 5, 12, 16, 99])
async def test_what_was_missing_comes_with_the_numbers_that_were_missing(
    server, client, at: int
) -> None:
    server.enqueue(replace(FULL, faults=[drop(at)]))
    first = await begin(client)
    rest = await resume(client, first)
    whole = first + rest
    assert [event.sequence_number for event in whole] == list(range(len(whole)))
    assert text_of(whole) == TEXT
    assert whole[-1].type == "response.completed"
    assert whole[-1].response.output_text == TEXT
    places = [e.output_index for e in whole if e.type == "response.output_item.added"]
    assert places == [0, 1, 2, 3]
    assert server.requests[1].method == "GET"
    assert server.requests[1].stream
    assert server.requests[1].finished


async def test_a_response_may_be_taken_up_as_often_as_it_breaks(server, client) -> None:
    """A reply without a text leaves it to the model, so it may hit a resume."""
    server.enqueue(Reply(TEXT, faults="drop@2"), Reply(faults="drop@3"), Reply(faults="503"))
    first = await begin(client)
    assert text_of(first) == "The keeper"
    from openai import APIConnectionError, InternalServerError

    second: list = []
    stream = await client.responses.retrieve(
        first[0].response.id, stream=True, starting_after=first[-1].sequence_number
    )
    with pytest.raises(APIConnectionError):
        await collect(stream, second)
    assert text_of(second) == " wound the cloc"
    with pytest.raises(InternalServerError):
        await resume(client, [first[0], second[-1]])
    third = await resume(client, [first[0], second[-1]])
    assert text_of(first + second + third) == TEXT
    hits = [[str(fault) for fault in request.faults] for request in server.requests]
    assert hits == [["drop@2"], ["drop@3"], ["503"], []]


async def test_a_reply_with_a_text_waits_for_a_new_request(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="drop@2"), Reply("For the next question"))
    first = await begin(client)
    assert text_of(first + await resume(client, first)) == TEXT
    assert text_of(await begin(client)) == "For the next question"


async def test_a_finished_response_has_nothing_left_but_its_end(server, client) -> None:
    server.enqueue(Reply(TEXT))
    events = await begin(client)
    assert events[1].type == "response.queued"
    assert await resume(client, events) == []
    last = await resume(client, [events[0], events[-2]])
    assert [event.type for event in last] == ["response.completed"]


async def test_a_response_can_be_read_whole(server, client) -> None:
    server.enqueue(Reply(TEXT, faults=[drop(2)]), Reply(TEXT, faults="failed@2"))
    for status, text in (("completed", TEXT), ("failed", "")):
        first = await begin(client)
        whole = await client.responses.retrieve(first[0].response.id)
        assert (whole.status, whole.output_text) == (status, text)


async def test_what_the_model_did_wrong_stays_wrong(server, client) -> None:
    server.enqueue(Reply(TEXT, faults=[length(4), drop(2)]))
    first = await begin(client)
    rest = await resume(client, first)
    assert text_of(first + rest) == "The keeper wound the"
    assert rest[-1].type == "response.incomplete"


async def test_a_failure_comes_at_its_place_after_a_resume_too(server, client) -> None:
    server.enqueue(Reply(TEXT, faults="drop@2,failed@4"))
    first = await begin(client)
    rest = await resume(client, first)
    assert text_of(first + rest) == "The keeper wound the"
    assert rest[-1].type == "response.failed"
    assert rest[-1].sequence_number == len(first) + len(rest) - 1


@pytest.mark.parametrize(
    ("calls", "whole"),
    [
        ([("f", {"key": "value"})], '{"key": "value"}'),
        ([("f", {})], "{}"),
        ([], '{"city": "Lisbon", "unit": "celsius"}'),
    ],
)
async def test_a_cut_tool_call_is_whole_after_a_resume(server, client, calls, whole: str) -> None:
    """The model wrote it to its end; only the connection did not."""
    server.enqueue(Reply("Wait.", tool_calls=calls, faults=[tool_cut(9)]))
    first = await begin(client)
    events = first + await resume(client, first)
    assert [event.sequence_number for event in events] == list(range(len(events)))
    raw = [e.delta for e in events if e.type == "response.function_call_arguments.delta"]
    assert "".join(raw) == whole
    assert events[-1].response.output[-1].arguments == whole


@pytest.mark.parametrize("background", [True, False])
async def test_what_can_not_be_taken_up_again_is_not_found(server, client, background) -> None:
    from openai import NotFoundError

    faults = [drop(2), no_resume()] if background else [drop(2)]
    server.enqueue(Reply(TEXT, faults=faults), Reply("Kept"))
    events = await begin(client, background=background)
    assert text_of(events) == "The keeper"
    with pytest.raises(NotFoundError, match="not found"):
        await resume(client, events)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve("resp_unknown")
    assert (await client.responses.create(model="m", input="hi")).output_text == "Kept"


async def test_a_place_that_is_no_number_is_refused(server, client) -> None:
    import httpx

    server.enqueue(Reply(TEXT))
    first = await begin(client)
    async with httpx.AsyncClient(verify=NO_TLS) as http:
        url = f"{server.base_url}/responses/{first[0].response.id}?starting_after=x&stream=true"
        assert (await http.get(url)).status_code == 400


async def test_old_responses_are_forgotten(server, client) -> None:
    from openai import NotFoundError

    server.default = Reply("Hi")
    first = await client.responses.create(model="m", input="hi", background=True)
    for _ in range(63):
        await client.responses.create(model="m", input="hi", background=True)
    assert (await client.responses.retrieve(first.id)).output_text == "Hi"
    await client.responses.create(model="m", input="hi", background=True)
    with pytest.raises(NotFoundError):
        await client.responses.retrieve(first.id)
