"""One chain over two providers, through their real clients, with options that only one knows."""

from __future__ import annotations

import pytest

import l0
from l0.stream import AttemptInfo, Retry, continue_messages
from l0.testing import FaultServer, Reply, check_run, collect_events

pytestmark = pytest.mark.sdk

TEXT = "The keeper wound the clockwork — naïve as ever — and lit the lamp for 漢字."
QUESTION = [{"role": "user", "content": "Say it."}]


def messages(info: AttemptInfo):
    return continue_messages(QUESTION, info.checkpoint) if info.checkpoint else QUESTION


@pytest.mark.parametrize("first", ["openai", "anthropic"])
@pytest.mark.parametrize(("fault", "kept"), [("401", False), ("drop@6", True)])
async def test_the_other_provider_goes_on(first, fault, kept):
    """Neither the named adapter nor its options are in its way."""
    import anthropic
    import openai

    told = collect_events()
    async with FaultServer(Reply(TEXT, faults=fault), Reply(TEXT, reasoning="Hm.")) as server:
        chat = openai.AsyncOpenAI(base_url=server.base_url, api_key="test", max_retries=0)
        claude = anthropic.AsyncAnthropic(
            base_url=server.anthropic_base_url, api_key="test", max_retries=0
        )
        streams = {
            "openai": lambda info: chat.chat.completions.create(
                model="m", messages=messages(info), stream=True
            ),
            "anthropic": lambda info: claude.messages.create(
                model="m", max_tokens=99, messages=messages(info), stream=True
            ),
        }
        second = ({*streams} - {first}).pop()
        options = {"openai": {"include_reasoning": True}, "anthropic": {"include_thinking": True}}
        stream = l0.run(
            streams[first],
            fallbacks=[streams[second]],
            adapter=first,
            adapter_options=options[first],
            continuation=True,
            retry=Retry.none(),
            on_event=told,
        )
        assert await stream.read() == TEXT
        await chat.close()
        await claude.close()
    check_run(told)
    assert (stream.state.fallback_index, stream.state.resumed) == (1, kept)
    assert [e.adapter_id for e in told.all("ADAPTER_DETECTED")][-1] == second
    assert stream.finish_reason == "stop"
