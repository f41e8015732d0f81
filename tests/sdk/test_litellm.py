"""LiteLLM itself, where it is installed: its wrapper, its errors, and the ends that it makes up."""

from __future__ import annotations

import asyncio
import os

import pytest

import l0
from l0.errors import retry_after
from l0.stream import Retry, Timeout
from l0.testing import FaultServer, Reply, check_run

os.environ.setdefault("LITELLM_LOCAL_MODEL_COST_MAP", "True")  # it would ask the network for it

litellm = pytest.importorskip(
    "litellm", reason="litellm is not installed: pip install litellm", exc_type=ImportError
)

pytestmark = [pytest.mark.sdk, pytest.mark.filterwarnings("ignore")]

TEXT = (
    "The quick brown fox — naïve as ever — jumps over the lazy dog. Ünïcödé, 漢字 and 👩‍🚀 "
    "travel along, and no character of this sentence is lost or doubled on the way home."
)
QUICK = Timeout(connect=5, initial_token=2, inter_token=0.4)


async def ask(*replies, provider="openai", request=None, **options):
    """One answer through `litellm.acompletion`; gives the stream, its text or error, the story."""
    told = []
    litellm.suppress_debug_info = True
    async with FaultServer(*replies) as server:
        url = server.anthropic_base_url if provider == "anthropic" else server.base_url

        def factory(info):
            messages = [{"role": "user", "content": "Say it."}]
            if info.checkpoint:
                messages = l0.stream.continue_messages(messages, info.checkpoint)
            return litellm.acompletion(
                model=f"{provider}/test",
                messages=messages,
                stream=True,
                api_base=url,
                api_key="x",
                max_retries=0,
                **(request or {}),
            )

        stream = l0.run(
            factory,
            retry=options.pop("retry", Retry(base_delay=0.01)),
            timeout=QUICK,
            on_event=told.append,
            **options,
        )
        try:
            came = await stream.read()
        except Exception as error:
            came = error
        check_run(told)
        return stream, came, [e.payload for e in told if e.type == "ERROR"], server.requests


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_plain_answer_is_read(provider):
    stream, came, errors, _ = await ask(Reply(TEXT), provider=provider)
    assert (came, errors) == (TEXT, [])
    assert (stream.state.finish_reason, stream.state.model) == ("stop", "test")


async def test_usage_is_reported_where_it_was_asked_for():
    stream, came, _, _ = await ask(Reply(TEXT), request={"stream_options": {"include_usage": True}})
    assert came == TEXT
    assert (stream.usage.requests, stream.usage.input_tokens > 0) == (1, True)
    assert stream.usage.total_tokens == stream.usage.input_tokens + stream.usage.output_tokens


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_tool_calls_are_whole(provider):
    calls = [("f", {"a": 1}), ("g", {"b": [2]})]
    reply = Reply("", tool_calls=calls, finish_reason="tool_calls")
    stream, _, errors, _ = await ask(reply, provider=provider)
    assert [(c.name, c.arguments) for c in stream.state.tool_calls] == calls
    assert (stream.finish_reason, errors) == ("tool_calls", [])


@pytest.mark.parametrize("continuation", [False, True], ids=["restart", "continuation"])
@pytest.mark.parametrize(
    ("fault", "kind"),
    [
        ("drop@12", "connection_dropped"),
        ("cut@12", "connection_dropped"),
        ("reset@12", None),
        ("garbage@12", "fetch_error"),
        ("eof@12", "partial_chunks"),
        ("eof@0", "partial_chunks"),
        ("empty", "partial_chunks"),
    ],
)
async def test_what_breaks_on_the_way_is_a_network_error_and_saved(fault, kind, continuation):
    """LiteLLM calls it a status 500, and makes up a finish reason where the body just ends."""
    stream, came, errors, requests = await ask(
        Reply(TEXT, faults=fault), Reply(TEXT, continuation="exact"), continuation=continuation
    )
    assert came == TEXT
    assert [(e.category, e.status, e.recovery_strategy) for e in errors] == [
        ("network", None, "retry")
    ]
    assert len(requests) == 2
    if kind is not None:
        assert stream.state.network_errors[0].type == kind
    assert stream.state.resumed == (continuation and "@12" in fault)


@pytest.mark.parametrize("provider", ["openai", "anthropic"])
async def test_a_tool_call_that_is_cut_is_never_handed_over(provider):
    """LiteLLM would have given it as complete, with the finish reason tool_calls."""
    cut = Reply("Let me see.", tool_calls=[("f", {"path": "/tmp/x"})], faults="tool_cut@2")
    stream, came, errors, _ = await ask(cut, Reply(TEXT), provider=provider)
    assert (came, stream.state.tool_calls) == (TEXT, [])
    assert [e.category for e in errors] == ["network"]


@pytest.mark.parametrize(
    ("fault", "category", "status"),
    [("429(0.01)", "transient", 429), ("503", "transient", 503), ("error@12", "transient", None)],
)
async def test_what_the_provider_answered_is_classified_as_its_answer(fault, category, status):
    _, came, errors, _ = await ask(Reply(TEXT, faults=fault), Reply(TEXT))
    assert came == TEXT
    assert [(e.category, e.status) for e in errors] == [(category, status)]


@pytest.mark.parametrize("fault", ["400", "401", "404", "quota"])
async def test_what_can_not_be_saved_is_asked_once(fault):
    _, came, errors, requests = await ask(Reply(TEXT, faults=fault), Reply(TEXT))
    assert type(came).__module__ == "litellm.exceptions"
    assert ([e.category for e in errors], len(requests)) == (["fatal"], 1)


async def test_what_the_provider_asks_to_wait_is_known():
    _, came, _, _ = await ask(Reply(TEXT, faults="429(2)"), retry=False)
    assert retry_after(came) == 2


async def test_a_length_is_the_providers_own_word():
    stream, _, errors, _ = await ask(Reply(TEXT, faults="length@5"))
    assert (stream.finish_reason, errors) == ("length", [])


async def test_a_mock_ends_as_it_says():
    """There is no connection to lose."""

    def factory():
        return litellm.acompletion(
            model="openai/x",
            messages=[{"role": "user", "content": "hi"}],
            stream=True,
            mock_response="Hello there",
        )

    stream = l0.run(factory, retry=False)
    assert await stream.read() == "Hello there"
    assert stream.finish_reason == "stop"


async def test_an_abort_closes_the_connection():
    async with FaultServer(Reply(TEXT, faults="stall@3")) as server:
        stream = l0.run(
            lambda: litellm.acompletion(
                model="openai/x",
                messages=[{"role": "user", "content": "hi"}],
                stream=True,
                api_base=server.base_url,
                api_key="x",
            )
        )

        async def consume():
            async for _ in stream:
                stream.abort()

        await asyncio.wait_for(consume(), 5)
        assert stream.outcome == "aborted"
        await server.wait_closed_connections()
