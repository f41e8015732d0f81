"""The fast transport through the real clients: the same events, errors and closes as the SDK's."""

from __future__ import annotations

import asyncio
import re

import pytest

import l0
from l0.stream import Retry
from l0.testing import FaultServer, Reply, check_run
from l0.testing._matrix_clients import PATHS

pytestmark = pytest.mark.sdk

TEXT = "Zürich, 漢字 and 👩‍🚀: a text of some words, told token by token to the end."
FAULTS = [
    *("", "drop@5", "cut@5", "reset@5", "eof@5", "error@5", "failed@5", "garbage@5", "length@5"),
    *("tool_cut@1", "tool_garbage", "empty", "no_text", "no_finish_usage", "split"),
    *("400", "401", "404", "429", "429(0)", "500", "529", "quota", "stall@5", "stall_alive@5"),
    *("slow_first(0.05)", "slow_headers(0.05)"),
]
ADAPTER = {"include_reasoning": True, "include_thinking": True, "require_finish": "auto"}


def told(event):
    """An event without the time it came at."""
    error = event.error and (type(event.error), words(event.error))
    known = (event.type, event.text, event.data, event.tool_call, event.usage)
    return *known, event.finish_reason, event.reason, error


def words(error):
    """What it says, without the time that was waited."""
    return re.sub(r"waited [\d.]+ s", "waited", str(error))


def told_error(error):
    """An error by its class, its words and what the server said."""
    if error is None:
        return None
    body, status = getattr(error, "body", None), getattr(error, "status_code", None)
    if isinstance(body, dict):  # what the server left out is None in the SDK's objects
        body = {name: value for name, value in body.items() if value is not None}
    cause = error.__cause__
    return (
        type(error),
        words(error),
        body,
        status,
        type(cause),
        getattr(error, "response", None) is None,
    )


async def play(path, replies, **options):
    """What the consumer and the listeners saw, and what is left open."""
    events, heard, error = [], [], None
    async with FaultServer(*replies) as server:
        client = PATHS[path].connect(server)
        wrapped = l0.wrap(
            client,
            timeout=l0.Timeout(initial_token=1.0, inter_token=0.3),
            adapter_options=ADAPTER,
            on_event=heard.append,
            **options,
        )
        stream = PATHS[path].ask(wrapped)
        try:
            async for event in stream:
                events.append(event)
        except Exception as raised:  # the outcome that is compared
            error = raised
        check_run(heard)
        await client.close()
        await server.wait_closed_connections()
        requests = len(server.requests)
    state = stream.state
    return {
        "events": [told(event) for event in events],
        "error": told_error(error),
        "heard": [event.type for event in heard if event.type != "TOKENS"],
        "state": (state.content, state.network_retry_count, state.model_retry_count, state.resumed),
        "usage": state.usage,
        "requests": requests,
    }


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("fault", FAULTS)
async def test_whatever_happens_events_and_errors_are_those_of_the_sdk(path, fault):
    """With one attempt: the error itself; with three and continuation: what is made of it."""
    call = [("c1", "weather", {"city": "Zürich"})]
    bad = Reply(TEXT, faults=fault, tool_calls=call, reasoning="Let me think.")
    policies = (
        {"retry": False},
        {"retry": Retry(attempts=3, base_delay=0.001), "continuation": True},
    )
    well = [Reply(TEXT, tool_calls=call)] * 4
    plays = [
        play(path, [bad, *well], transport=transport, **policy)
        for policy in policies
        for transport in ("sdk", "fast")
    ]
    alone, alone_fast, helped, helped_fast = await asyncio.gather(*plays)
    assert alone_fast == alone
    assert helped_fast == helped


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("how", ["break", "abort", "cancel", "close"])
async def test_leaving_a_stream_closes_its_connection(path, how):
    """At once, while the provider goes on talking; nothing is left behind."""
    tasks = asyncio.all_tasks()
    async with FaultServer() as server:
        server.default = Reply("word " * 500, tokens_per_second=200)
        client = PATHS[path].connect(server)
        stream = PATHS[path].ask(l0.wrap(client, transport="fast", retry=False))

        async def read() -> None:
            async for event in stream:
                if event.text and how == "break":
                    break
                if event.text and how == "abort":
                    stream.abort()
                if event.text and how == "close":
                    await stream.aclose()

        task = asyncio.create_task(read())
        if how == "cancel":
            while not stream.state.token_count:
                await asyncio.sleep(0.001)
            task.cancel()
            with pytest.raises(asyncio.CancelledError):
                await task
        else:
            await task
            assert stream.outcome == (None if how == "break" else "aborted")
        await server.wait_closed_connections()  # before the client is closed
        assert server.requests[0].client_left
        await client.close()
    await asyncio.sleep(0)
    assert asyncio.all_tasks() == tasks


async def test_after_done_the_connection_is_used_again():
    """The rest of the body is read, as the SDK does."""
    async with FaultServer(*[Reply("Hello there")] * 3) as server:
        client = PATHS["openai"].connect(server)
        wrapped = l0.wrap(client, transport="fast")
        for _ in range(3):
            assert await PATHS["openai"].ask(wrapped).read() == "Hello there"
            assert server.open_connections == 1
        await client.close()


@pytest.mark.parametrize("path", PATHS)
async def test_kept_chunks_are_the_payloads_as_they_were_sent(path, monkeypatch):
    """As many as the SDK's, as dicts; both asked in the same second, which some of them name."""
    monkeypatch.setattr("time.time", lambda: 1_795_290_825.0)
    kept = {}
    for transport in ("sdk", "fast"):
        async with FaultServer(Reply(TEXT)) as server:
            client = PATHS[path].connect(server)
            stream = PATHS[path].ask(l0.wrap(client, transport=transport, keep_raw=True))
            await stream.read()
            kept[transport] = await stream.raw()
            await client.close()
    sdk, fast = kept["sdk"], kept["fast"]
    assert len(fast) == len(sdk) > 10
    for ours, theirs in zip(fast, sdk, strict=True):
        assert type(ours) is dict
        assert theirs.model_dump(mode="json", exclude_unset=True) == ours


async def test_the_request_is_the_sdks_but_for_one_header():
    """Its key, its body, its own headers; and those the caller adds."""
    asked = {}
    for transport in ("sdk", "fast"):
        async with FaultServer(Reply("x")) as server:
            client = PATHS["openai"].connect(server)
            wrapped = l0.wrap(client, transport=transport)
            stream = wrapped.chat.completions.create(
                model="m",
                messages=[{"role": "user", "content": "?"}],
                stream=True,
                extra_headers={"x-mine": "1"},
            )
            assert await stream.read() == "x"
            asked[transport] = server.requests[0]
            await client.close()
    assert asked["fast"].body == asked["sdk"].body
    odd = {"host", "x-stainless-raw-response"}
    headers = [{k: v for k, v in r.headers.items() if k not in odd} for r in asked.values()]
    assert headers[0] == headers[1]
    assert headers[0]["x-mine"] == "1"


async def test_a_body_that_is_no_event_stream_is_left_to_the_sdk():
    """As Bedrock's, which has a framing of its own."""
    import httpx2
    import openai

    body = (
        b'data: {"choices": [{"index": 0, "delta": {"content": "x"}, "finish_reason": "stop"}]}\n\n'
    )
    kept = {}
    for kind in ("text/event-stream; charset=utf-8", "application/x-ndjson", None):
        headers = {"content-type": kind} if kind else {}
        answer = httpx2.MockTransport(
            lambda _, h=headers: httpx2.Response(200, headers=h, content=body)
        )
        client = openai.AsyncOpenAI(api_key="x", http_client=httpx2.AsyncClient(transport=answer))
        stream = PATHS["openai"].ask(l0.wrap(client, transport="fast", keep_raw=True))
        assert await stream.read() == "x"
        kept[kind] = type((await stream.raw())[0]).__name__
        await client.close()
    assert [*kept.values()] == ["dict", "ChatCompletionChunk", "dict"]


async def test_a_body_that_a_hook_has_read_is_read_all_the_same():
    """As one that logs answers does."""
    import openai

    async def read(response):
        await response.aread()

    http = openai.DefaultAsyncHttpxClient(verify=False, event_hooks={"response": [read]})
    async with FaultServer(Reply("Hello there")) as server:
        client = openai.AsyncOpenAI(base_url=server.base_url, api_key="x", http_client=http)
        assert await PATHS["openai"].ask(l0.wrap(client, transport="fast")).read() == "Hello there"
        await client.close()


async def test_a_call_without_streaming_is_the_clients_own():
    async with FaultServer(Reply("whole")) as server:
        client = PATHS["openai"].connect(server)
        messages = [{"role": "user", "content": "?"}]
        wrapped = l0.wrap(client, transport="fast")
        answer = await wrapped.chat.completions.create(model="m", messages=messages)
        assert answer.choices[0].message.content == "whole"
        await client.close()


async def test_what_the_transport_is_for_is_said():
    """A client of the SDKs, in one of two ways; it can be changed later."""
    async with FaultServer(Reply("x"), Reply("y")) as server:
        client = PATHS["openai"].connect(server)
        with pytest.raises(ValueError, match="must be 'sdk' or 'fast', got 'quick'"):
            l0.wrap(client, transport="quick")
        with pytest.raises(ValueError, match="is for clients such as AsyncOpenAI"):
            l0.wrap(lambda: ["x"], transport="fast")

        class Other:
            responses = type("Responses", (), {"create": None})()

        with pytest.raises(ValueError, match="Other has no with_streaming_response"):
            l0.wrap(Other(), transport="fast")
        plain = l0.wrap(client, keep_raw=True)
        for wrapped, kind in (
            (plain.with_options(transport="fast"), dict),
            (plain.with_options(transport="fast").with_options(transport="sdk"), object),
        ):
            stream = PATHS["openai"].ask(wrapped)
            assert await stream.read() in {"x", "y"}
            assert (type((await stream.raw())[0]) is dict) == (kind is dict)
        await client.close()
