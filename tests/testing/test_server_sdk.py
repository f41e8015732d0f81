"""Every endpoint through the real clients: what they parse is what the reply says."""

from __future__ import annotations

import json
import ssl
import time

import pytest

from l0.testing._reply import Reply
from l0.testing._server import FaultServer
from l0.testing._sim import SIM_MODELS, sim_answer

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the tenths of a second that loading certificates takes."""

pytestmark = pytest.mark.sdk

USER = [{"role": "user", "content": "hi"}]
CALLS = [("f", {"a": 1}), ("g", {"b": "ö"})]
FULL = Reply("Hello wörld 👋🏽", tool_calls=CALLS, reasoning="Let me think about it.")


@pytest.fixture
async def server():
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def openai(server):
    from openai import AsyncOpenAI, DefaultAsyncHttpxClient

    async with AsyncOpenAI(
        base_url=server.base_url,
        api_key="test",
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(verify=NO_TLS),
    ) as client:
        yield client


@pytest.fixture
async def anthropic(server):
    from anthropic import AsyncAnthropic, DefaultAsyncHttpxClient

    async with AsyncAnthropic(
        base_url=server.anthropic_base_url,
        api_key="test",
        max_retries=0,
        http_client=DefaultAsyncHttpxClient(verify=NO_TLS),
    ) as client:
        yield client


async def test_chat_streams_reasoning_text_calls_finish_and_usage(server, openai) -> None:
    server.enqueue(FULL)
    text, thought, calls, finish, usage = "", "", {}, None, None
    stream = await openai.chat.completions.create(
        model="gpt-test", messages=USER, stream=True, stream_options={"include_usage": True}
    )
    async for chunk in stream:
        usage = chunk.usage or usage
        for choice in chunk.choices:
            text += choice.delta.content or ""
            thought += getattr(choice.delta, "reasoning_content", None) or ""
            finish = choice.finish_reason or finish
            for part in choice.delta.tool_calls or []:
                if part.id:
                    calls[part.index] = [part.id, part.function.name, ""]
                calls[part.index][2] += part.function.arguments
    assert text == FULL.text
    assert thought == FULL.reasoning
    assert [(name, json.loads(raw)) for _, name, raw in calls.values()] == CALLS
    assert len({id for id, _, _ in calls.values()}) == 2
    assert finish == "tool_calls"
    assert usage.total_tokens == usage.prompt_tokens + usage.completion_tokens > 10
    (request,) = server.requests
    assert request.stream
    assert request.finished
    assert request.status == 200
    assert stream.response.headers["x-request-id"] == "req_000001"


async def test_chat_reports_usage_in_a_stream_only_when_asked(server, openai) -> None:
    server.enqueue(Reply("Hello"))
    stream = await openai.chat.completions.create(model="m", messages=USER, stream=True)
    chunks = [chunk async for chunk in stream]
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.choices for chunk in chunks)


async def test_the_chat_helper_builds_the_whole_completion(server, openai) -> None:
    server.enqueue(FULL)
    async with openai.chat.completions.stream(model="gpt-test", messages=USER) as stream:
        whole = await stream.get_final_completion()
    assert whole.choices[0].message.content == FULL.text
    assert [call.function.name for call in whole.choices[0].message.tool_calls] == ["f", "g"]


async def test_chat_answers_whole(server, openai) -> None:
    server.enqueue(FULL)
    whole = await openai.chat.completions.create(model="gpt-test", messages=USER)
    (choice,) = whole.choices
    assert choice.message.content == FULL.text
    assert [json.loads(call.function.arguments) for call in choice.message.tool_calls] == [
        arguments for _, arguments in CALLS
    ]
    assert choice.finish_reason == "tool_calls"
    assert whole.usage.completion_tokens_details.reasoning_tokens > 0
    assert whole.model == "gpt-test"


async def test_responses_stream_numbered_events(server, openai) -> None:
    server.enqueue(FULL)
    stream = await openai.responses.create(model="gpt-test", input="hi", stream=True)
    events = [event async for event in stream]
    assert [event.sequence_number for event in events] == list(range(len(events)))
    kinds = [event.type for event in events]
    assert kinds[:2] == ["response.created", "response.in_progress"]
    assert kinds[-1] == "response.completed"
    text = "".join(e.delta for e in events if e.type == "response.output_text.delta")
    thought = "".join(e.delta for e in events if e.type == "response.reasoning_summary_text.delta")
    assert (text, thought) == (FULL.text, FULL.reasoning)
    raw = [e.arguments for e in events if e.type == "response.function_call_arguments.done"]
    assert [json.loads(arguments) for arguments in raw] == [arguments for _, arguments in CALLS]
    final = events[-1].response
    assert final.output_text == FULL.text
    assert [item.type for item in final.output] == [
        "reasoning",
        "message",
        "function_call",
        "function_call",
    ]
    places = [e.output_index for e in events if e.type == "response.output_item.added"]
    assert places == [0, 1, 2, 3]
    assert final.usage.total_tokens > 10


async def test_the_responses_helper_builds_the_whole_response(server, openai) -> None:
    server.enqueue(FULL)
    async with openai.responses.stream(model="gpt-test", input="hi") as stream:
        whole = await stream.get_final_response()
    assert whole.output_text == FULL.text


async def test_responses_answer_whole(server, openai) -> None:
    server.enqueue(FULL)
    whole = await openai.responses.create(model="gpt-test", input=USER)
    assert whole.status == "completed"
    assert whole.output_text == FULL.text
    assert whole.output[0].summary[0].text == FULL.reasoning
    assert [item.name for item in whole.output[2:]] == ["f", "g"]
    assert whole.usage.output_tokens > 5


@pytest.mark.parametrize(
    ("finish", "reason"),
    [("length", "max_output_tokens"), ("content_filter", "content_filter")],
)
async def test_responses_may_be_incomplete(server, openai, finish: str, reason: str) -> None:
    server.enqueue(Reply("Hello", finish_reason=finish), Reply("Hello", finish_reason=finish))
    whole = await openai.responses.create(model="gpt-test", input="hi")
    stream = await openai.responses.create(model="gpt-test", input="hi", stream=True)
    *_, last = [event async for event in stream]
    assert last.type == "response.incomplete"
    for response in (whole, last.response):
        assert response.status == "incomplete"
        assert response.incomplete_details.reason == reason


async def test_messages_stream_blocks(server, anthropic) -> None:
    server.enqueue(FULL)
    stream = await anthropic.messages.create(
        model="claude-test", max_tokens=99, messages=USER, stream=True
    )
    events = [event async for event in stream]
    assert events[0].type == "message_start"
    assert events[0].message.usage.input_tokens > 0
    assert [event.type for event in events[-2:]] == ["message_delta", "message_stop"]
    assert events[-2].delta.stop_reason == "tool_use"
    assert events[-2].usage.output_tokens > 5
    started = [e for e in events if e.type == "content_block_start"]
    assert [(e.index, e.content_block.type) for e in started] == [
        (0, "thinking"),
        (1, "text"),
        (2, "tool_use"),
        (3, "tool_use"),
    ]
    assert [e.index for e in events if e.type == "content_block_stop"] == [0, 1, 2, 3]
    assert stream.response.headers["request-id"] == "req_000001"


async def test_the_messages_helper_builds_the_whole_message(server, anthropic) -> None:
    server.enqueue(FULL)
    async with anthropic.messages.stream(
        model="claude-test", max_tokens=99, messages=USER
    ) as stream:
        whole = await stream.get_final_message()
    thinking, text, *tools = whole.content
    assert thinking.thinking == FULL.reasoning
    assert thinking.signature
    assert text.text == FULL.text
    assert [(tool.name, tool.input) for tool in tools] == CALLS


async def test_messages_answer_whole(server, anthropic) -> None:
    server.enqueue(FULL)
    whole = await anthropic.messages.create(model="claude-test", max_tokens=99, messages=USER)
    assert [block.type for block in whole.content] == ["thinking", "text", "tool_use", "tool_use"]
    assert whole.content[1].text == FULL.text
    assert whole.stop_reason == "tool_use"
    assert whole.usage.output_tokens > 5


@pytest.mark.parametrize(
    ("finish", "reason"),
    [
        ("stop", "end_turn"),
        ("length", "max_tokens"),
        ("content_filter", "refusal"),
        ("pause", "pause_turn"),
    ],
)
async def test_messages_say_the_finish_in_their_own_word(
    server, anthropic, finish: str, reason: str
) -> None:
    server.enqueue(Reply("Hello", finish_reason=finish))
    whole = await anthropic.messages.create(model="claude-test", max_tokens=9, messages=USER)
    assert whole.stop_reason == reason


async def test_both_clients_list_the_sim_models(server, openai, anthropic) -> None:
    names = [f"sim:{name}" for name in SIM_MODELS]
    assert [model.id for model in (await openai.models.list()).data] == names
    assert [model.id for model in (await anthropic.models.list()).data] == names


@pytest.mark.parametrize("model", SIM_MODELS)
async def test_every_sim_model_speaks_on_every_endpoint(
    server, openai, anthropic, model: str
) -> None:
    text = sim_answer(model, "hi").text
    if model == "long":
        text = text[: text.index(".") + 1]  # the rest of it is the same work many times
        server.default = Reply(text)
    name = f"sim:{model}"
    chat = await openai.chat.completions.create(model=name, messages=USER, stream=True)
    said = "".join([c.choices[0].delta.content or "" async for c in chat if c.choices])
    assert said == text
    assert (await openai.responses.create(model=name, input="hi")).output_text == text
    async with anthropic.messages.stream(model=name, max_tokens=9999, messages=USER) as stream:
        assert await stream.get_final_text() == text


async def test_sim_reasoning_comes_only_when_asked_for(server, openai, anthropic) -> None:
    thought = sim_answer("code", "hi").reasoning
    silent = await anthropic.messages.create(model="sim:code", max_tokens=999, messages=USER)
    loud = await anthropic.messages.create(
        model="sim:code", max_tokens=999, messages=USER, thinking={"type": "adaptive"}
    )
    assert [block.type for block in silent.content] == ["text"]
    assert loud.content[0].thinking == thought
    quiet = await openai.responses.create(model="sim:code", input="hi")
    spoken = await openai.responses.create(
        model="sim:code", input="hi", reasoning={"effort": "low"}
    )
    assert [item.type for item in quiet.output] == ["message"]
    assert spoken.output[0].summary[0].text == thought
    whole = await openai.chat.completions.create(
        model="sim:code", messages=USER, reasoning_effort="low"
    )
    assert whole.choices[0].message.reasoning_content == thought


async def test_tool_results_reach_the_sim_model_in_every_shape(server, openai, anthropic) -> None:
    result = {"type": "function_call_output", "call_id": "call_1", "output": "Oslo: rain"}
    item = {"type": "function_call", "call_id": "call_1", "name": "get_weather", "arguments": "{}"}
    response = await openai.responses.create(model="sim:tools", input=[*USER, item, result])
    assert "- Oslo: rain" in response.output_text
    block = {"type": "tool_result", "tool_use_id": "call_1", "content": "Oslo: rain"}
    use = {"type": "tool_use", "id": "call_1", "name": "get_weather", "input": {}}
    message = await anthropic.messages.create(
        model="sim:tools",
        max_tokens=99,
        messages=[
            *USER,
            {"role": "assistant", "content": [use]},
            {"role": "user", "content": [block]},
        ],
    )
    assert "- Oslo: rain" in message.content[0].text


async def test_the_pace_is_kept_over_the_whole_stream(server, openai) -> None:
    """100 tokens at 500 a second take 0.2 s, however late single wake-ups are."""
    server.enqueue(Reply("word " * 99 + "end", tokens_per_second=500))
    began = time.monotonic()
    stream = await openai.chat.completions.create(model="m", messages=USER, stream=True)
    seen = [time.monotonic() - began async for chunk in stream if chunk.choices[0].delta.content]
    assert len(seen) == 100
    assert 0.17 < seen[-1] - seen[0] < 0.6
    assert 0.08 < seen[50] - seen[0] < 0.4


async def test_reasoning_is_paced_like_the_text(server, anthropic) -> None:
    server.enqueue(Reply("Hello", reasoning="one two three four five six", tokens_per_second=100))
    stream = await anthropic.messages.create(model="m", max_tokens=9, messages=USER, stream=True)
    seen = [
        time.monotonic()
        async for event in stream
        if event.type == "content_block_delta" and event.delta.type == "thinking_delta"
    ]
    assert len(seen) == 6
    assert 0.03 < seen[-1] - seen[0] < 0.4


async def test_an_answer_given_whole_takes_as_long_as_its_tokens(server, openai) -> None:
    server.enqueue(Reply("one two three four five", tokens_per_second=100))
    began = time.monotonic()
    await openai.chat.completions.create(model="m", messages=USER)
    assert 0.045 < time.monotonic() - began < 0.5
