"""Which reply a request gets, what it says, and how an answer is continued."""

from __future__ import annotations

import json
import ssl

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.testing._answer import beginning_shown
from l0.testing._faults import drop
from l0.testing._reply import Reply, ScriptedCall, chaos_replies, tokenize
from l0.testing._server import FaultServer
from l0.testing._sim import sim_answer
from l0.testing._wire import Turn

NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
"""Spares each client the tenths of a second that loading certificates takes."""

TEXT = "The keeper wound the clockwork, lit the lamp, and opened the log at a new page."


@pytest.fixture
async def server():
    async with FaultServer() as server:
        yield server


@pytest.fixture
async def ask(server):
    """Asks Chat Completions and gives the text of the answer."""
    import httpx

    async with httpx.AsyncClient(verify=NO_TLS) as client:

        async def ask(*said: str | dict, headers=None, **options) -> str:
            roles = ("user", "assistant")
            messages = [
                {"role": roles[index % 2], "content": text} if isinstance(text, str) else text
                for index, text in enumerate(said)
            ]
            answer = await client.post(
                f"{server.base_url}/chat/completions",
                json={"model": "gpt-test", "messages": messages, **options},
                headers=headers,
            )
            choice = answer.json()["choices"][0]
            ask.finish = choice["finish_reason"]
            ask.calls = choice["message"].get("tool_calls", [])
            ask.usage = answer.json().get("usage")
            return choice["message"]["content"] or ""

        yield ask


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({"tokens_per_second": 0}, "tokens_per_second must be above 0"),
        ({"tokens_per_second": float("nan")}, "tokens_per_second must be above 0"),
        ({"tokens_per_second": "fast"}, "tokens_per_second must be above 0"),
        ({"chunk_chars": 0}, "chunk_chars must be 1 or more"),
        ({"chunk_chars": 1.5}, "chunk_chars must be 1 or more"),
        ({"split_bytes": "small"}, "split_bytes must be 1 or more"),
        ({"text": 3}, "text must be text or None"),
        ({"reasoning": ["why"]}, "reasoning must be text or None"),
        ({"faults": 3}, "faults holds text such as 'drop@40', or Faults, not 3"),
        ({"faults": ["drop@1", None]}, "faults holds text such as 'drop@40', or Faults, not None"),
        ({"split_bytes": 0}, "split_bytes must be 1 or more"),
        ({"continuation": "no"}, "continuation must be 'exact', 'overlap', 'restate' or None"),
        ({"finish_reason": "done"}, "finish_reason must be one of stop, length, "),
        ({"tool_calls": ["get_weather"]}, "tool_calls holds ScriptedCall or tuples"),
        ({"faults": "dorp@3"}, "unknown fault 'dorp@3'"),
    ],
)
def test_a_reply_that_cannot_be_is_refused_by_its_field(fields: dict, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        Reply(**{"text": "Hi"} | fields)


def test_faults_and_calls_of_a_reply_may_be_written_short() -> None:
    short = Reply("Hi", faults="drop@3", tool_calls=[("f", {}), ("id", "f", "{")])
    assert short.fault_list == (drop(3),)
    assert short.calls == (ScriptedCall("f", {}), ScriptedCall("f", "{", "id"))


@given(st.text())
def test_tokens_make_up_the_text(text: str) -> None:
    tokens = tokenize(text)
    assert "".join(tokens) == text
    assert all(1 <= len(token) <= 8 for token in tokens)
    assert tokens == tokenize(text)


@given(st.text(), st.integers(1, 9))
def test_tokens_of_a_chosen_size_make_up_the_text(text: str, size: int) -> None:
    tokens = tokenize(text, size)
    assert "".join(tokens) == text
    assert all(len(token) == size for token in tokens[:-1])


@pytest.mark.parametrize("size", [0, -1])
def test_tokens_have_a_character_at_least(size: int) -> None:
    with pytest.raises(ValueError, match="chunk_chars must be 1 or more"):
        tokenize("lost", size)


def test_a_token_is_a_word_with_its_blank_or_a_piece_of_a_long_one() -> None:
    assert tokenize("Hello world") == ["Hello", " world"]
    assert tokenize("a lighthouse.") == ["a", " ligh", "thouse", "."]
    assert tokenize("x:\n    return 1") == ["x", ":", "\n   ", " return", " 1"]


async def test_replies_are_used_in_order_and_then_the_default_answers(server, ask) -> None:
    server.enqueue(Reply("one"), Reply("two"))
    server.default = Reply("the rest")
    assert [await ask("hi") for _ in range(4)] == ["one", "two", "the rest", "the rest"]


async def test_without_a_text_the_named_sim_model_speaks(server, ask) -> None:
    assert await ask("hi") == sim_answer("story", "hi").text
    assert await ask("hi", model="sim:json") == sim_answer("json", "hi").text
    assert await ask("hi", model="code") == sim_answer("code", "hi").text
    assert await ask("hi", model="story", seed=5) == sim_answer("story", "hi", 5).text


async def test_each_script_has_its_own_queue(server, ask) -> None:
    server.enqueue(Reply("common"))
    server.default = Reply("default")
    one = server.script("one", Reply("1a"))
    two = server.script("two", Reply("2a"), Reply("2b"))
    server.enqueue(Reply("1b"), key="one")
    said = [await ask("hi", headers=headers) for headers in (two, one, two, one, two, one)]
    assert said == ["2a", "1a", "2b", "1b", "default", "default"]
    assert await ask("hi") == "common"
    assert await ask("hi", headers={"x-l0-script": "never heard of"}) == "default"


async def test_a_script_that_is_used_up_is_forgotten(server, ask) -> None:
    await ask("hi", headers=server.script("one", Reply("1")))
    server.script("empty")
    assert server._scripts == {}


async def test_after_chaos_the_server_is_well(server, ask) -> None:
    server.enqueue(*chaos_replies("503,429", reply=Reply("fine")))
    server.default = Reply("fine")
    with pytest.raises(KeyError):
        await ask("hi")
    with pytest.raises(KeyError):
        await ask("hi")
    assert await ask("hi") == "fine"
    assert [str(fault) for request in server.requests for fault in request.faults] == ["503", "429"]


@pytest.mark.parametrize("cut", [12, 13, 40, len(TEXT) - 1, len(TEXT)])
async def test_a_request_that_shows_the_beginning_gets_the_rest(server, ask, cut: int) -> None:
    server.default = Reply(TEXT)
    rest = await ask("Tell me.", f"Go on exactly after this:\n\n{TEXT[:cut]}\n\nNothing else.")
    assert TEXT[:cut] + rest == TEXT
    assert server.requests[-1].continued_from == cut


async def test_a_beginning_of_eleven_characters_is_not_enough(server, ask) -> None:
    server.default = Reply(TEXT)
    assert await ask("Tell me.", TEXT[:11]) == TEXT
    server.default = Reply("Hello world")
    assert await ask("Tell me.", "Hello world") == "Hello world"


async def test_a_prefilled_answer_is_continued(server, ask) -> None:
    server.default = Reply(TEXT)
    assert await ask("Tell me.", TEXT[:20]) == TEXT[20:]


async def test_an_overlap_begins_three_words_early(server, ask) -> None:
    server.default = Reply(TEXT, continuation="overlap")
    assert await ask("Tell me.", TEXT[:44]) == TEXT[TEXT.index("lit the lamp") :]
    assert await ask("Tell me.", TEXT[:12]) == TEXT


@pytest.mark.parametrize(("continuation", "noticed"), [("restate", 44), (None, 0)])
async def test_an_answer_may_also_begin_again(server, ask, continuation, noticed) -> None:
    server.default = Reply(TEXT, continuation=continuation)
    assert await ask("Tell me.", TEXT[:44]) == TEXT
    assert server.requests[-1].continued_from == noticed


async def test_fault_positions_count_the_tokens_of_the_continued_answer(server, ask) -> None:
    server.enqueue(Reply(TEXT, faults="length@2"))
    assert await ask("Tell me.", TEXT[:10] + TEXT[10:20]) == "".join(tokenize(TEXT[20:])[:2])


@pytest.mark.parametrize("model", ["story", "json", "code", "markdown", "unicode", "long"])
async def test_a_sim_model_goes_on_with_the_answer_to_the_question_before(
    server, ask, model: str
) -> None:
    whole = await ask("Tell me.", model=model)
    shown = whole[: len(whole) // 3]
    asked_to = {"role": "user", "content": f"Go on where this stops:\n{shown}"}
    assert shown + await ask("Tell me.", asked_to, model=model) == whole
    prefilled = await ask("Tell me.", shown, model=model)
    assert shown + prefilled == whole
    both = await ask("Tell me.", shown, asked_to, model=model)
    assert shown + both == whole


async def test_the_next_question_of_a_conversation_gets_an_answer_of_its_own(server, ask) -> None:
    first = await ask("Tell me.")
    second = await ask("Tell me.", first, "Tell me.")
    assert second not in ("", first)
    assert server.requests[-1].continued_from == 0
    server.default = Reply(TEXT)
    assert await ask("Tell me.", TEXT, "Tell me again.") == TEXT


async def test_an_answer_shown_to_its_end_has_nothing_left(server, ask) -> None:
    whole = await ask("Tell me.")
    assert await ask("Tell me.", {"role": "user", "content": f"Go on: {whole}"}) == ""


@given(st.text(min_size=12), st.text(), st.text(), st.data())
def test_the_longest_beginning_is_found(text: str, before: str, after: str, data) -> None:
    cut = data.draw(st.integers(12, len(text)))
    turns = [Turn("user", "hi"), Turn("user", before + text[:cut] + after)]
    found = beginning_shown(text, turns)
    assert found >= cut
    assert text[:found] in turns[1].text


async def test_only_the_last_two_messages_are_looked_at(server, ask) -> None:
    server.default = Reply(TEXT)
    assert await ask(TEXT[:30], "What about it?", "Nothing.") == TEXT


async def test_a_text_in_parts_is_read_like_a_string(server, ask) -> None:
    parts = [{"type": "text", "text": "Tell "}, {"type": "image_url", "image_url": {}}, "odd"]
    assert await ask({"role": "user", "content": parts}) == sim_answer("story", "Tell ").text


async def test_the_token_limit_of_the_request_ends_a_sim_model_but_not_a_script(
    server, ask
) -> None:
    assert await ask("hi", max_tokens=3) == "".join(tokenize(sim_answer("story", "hi").text)[:3])
    assert ask.finish == "length"
    assert await ask("hi", model="sim:tools", max_completion_tokens=2)
    assert ask.calls == []
    server.enqueue(Reply(TEXT))
    assert await ask("hi", max_tokens=3) == TEXT
    assert ask.finish == "stop"


async def test_tools_are_called_and_their_results_told(server, ask) -> None:
    await ask("Oslo or Paris?", model="sim:tools")
    assert ask.finish == "tool_calls"
    assert [json.loads(call["function"]["arguments"])["city"] for call in ask.calls] == [
        "Oslo",
        "Paris",
    ]
    results = [
        {"role": "tool", "tool_call_id": call["id"], "content": f"{city}: mild"}
        for call, city in zip(ask.calls, ("Oslo", "Paris"), strict=True)
    ]
    called = {"role": "assistant", "content": None, "tool_calls": ask.calls}
    question = {"role": "user", "content": "Oslo or Paris?"}
    said = await ask(question, called, *results, model="sim:tools")
    assert "- Oslo: mild\n- Paris: mild" in said
    assert ask.calls == []


async def test_a_scripted_reply_may_call_tools_and_choose_its_finish(server, ask) -> None:
    server.enqueue(
        Reply("", tool_calls=[("f", {"a": "ö"}), ("id7", "g", "{not json")]),
        Reply("cut", finish_reason="content_filter", usage=False),
        Reply(tool_calls=[("f", {})]),
    )
    assert await ask("hi") == ""
    assert [call["function"]["arguments"] for call in ask.calls] == ['{"a": "ö"}', "{not json"]
    assert ask.calls[1]["id"] == "id7"
    assert await ask("hi") == "cut"
    assert (ask.finish, ask.usage) == ("content_filter", None)
    assert await ask("hi") == sim_answer("story", "hi").text
    assert ask.finish == "tool_calls"


async def test_usage_counts_tokens_of_question_answer_and_reasoning(server, ask) -> None:
    server.enqueue(Reply("Hello world", reasoning="Let me think"))
    await ask("How are you")
    assert ask.usage["completion_tokens"] == 2 + 3
    assert ask.usage["prompt_tokens"] == 3 + 3
    assert ask.usage["total_tokens"] == 11
