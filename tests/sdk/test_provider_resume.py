"""Background responses: the provider goes on with its own, and nothing is generated twice."""

from __future__ import annotations

from urllib.parse import parse_qs

import pytest

import l0
from l0.events import EventType, SQLiteEventStore, replay
from l0.stream import ContinuationConfig, Retry, Timeout
from l0.testing import FaultServer, Reply, check_run
from l0.testing._faults import drop, no_resume, repeat
from l0.testing._matrix_clients import openai_client

pytestmark = pytest.mark.sdk

TEXT = (
    "The keeper of the light — naïve as ever — wound the clockwork, lit the lamp, and wrote "
    "漢字 and 👩‍🚀 into the book, so that no character of it would be lost."
)
headers = []  # of the last call's requests
calls = []  # that its consumer has
CALLS = [("f", {"city": "Ulm", "days": [1, 2, 3]}), ("g", {"n": 1})]
QUICK = Timeout(connect=5, initial_token=1, inter_token=1)
PATIENT = Timeout(connect=10, initial_token=10, inter_token=10)  # only a busy machine is so slow


async def ask(*replies, default=None, request=None, **options):
    """One background response through a wrapped client; gives all there is to look at."""
    told, shown = [], ""
    calls.clear()
    waits = {"stall", "slow_headers"} & {fault.kind for reply in replies for fault in reply.faults}
    async with FaultServer(*replies) as server:
        server.default = default or Reply(TEXT)
        client = openai_client(server)
        reliable = l0.wrap(
            client,
            retry=options.pop("retry", Retry(attempts=1, max_retries=4, base_delay=0.01)),
            timeout=QUICK if waits else PATIENT,
            on_event=told.append,
            **{"continuation": True, **options},
        )
        stream = reliable.responses.create(
            model="gpt-test", input="Say it.", stream=True, background=True, **(request or {})
        )
        async for event in stream:
            if event.type is EventType.TOOL_CALL:
                calls.append(event.tool_call.name)
            if event.type is EventType.TOKEN:
                assert event.start == len(shown)
                shown += event.text
            elif event.type is EventType.RESTART:
                shown = shown[: event.kept_chars]
                calls.clear()
        await client.close()
        check_run(told)
        requests = [(r.method, parse_qs(r.query).get("starting_after")) for r in server.requests]
        headers[:] = [r.headers for r in server.requests]
    return stream, shown, told, requests


def modes(told):
    return [e.payload.mode for e in told if e.type == "CONTINUATION_START"]


@pytest.mark.parametrize(
    "fault",
    [
        *(f"{kind}@{at}" for kind in ("drop", "cut", "reset", "eof") for at in (0, 1, 12, 30)),
        "stall@0",
        "stall@12",
    ],
)
async def test_the_rest_is_asked_for_behind_the_last_event(fault):
    """One answer is generated, whatever breaks on the way; its text is shown once."""
    stream, shown, told, requests = await ask(Reply(TEXT, faults=fault))
    assert shown == stream.state.content == TEXT
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert requests[1][1] is not None
    assert not any(e.payload.delivered for e in told if e.type == "RESTART")
    assert modes(told) == ["provider"]
    assert "DEDUPLICATION_START" not in [e.type for e in told]
    assert (stream.state.lost_tokens, stream.state.finish_reason) == (0, "stop")
    usage = [e.payload for e in told if e.type == "USAGE"]
    assert [(u.source, u.attempt) for u in usage] == [("reported", 2)]


async def test_it_may_break_as_often_as_the_policy_allows():
    """Each time it is taken up again; a server that is down for a moment is asked again."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults=[drop(6)]),
        Reply(faults="503"),
        Reply(faults="drop@5"),
        Reply(faults="slow_headers(5)"),
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "GET", "GET", "GET"]
    after = [int(number) for _, (number,) in requests[1:]]
    assert after[0] == after[1] < after[2]
    assert modes(told) == ["provider"] * 4
    assert stream.state.usage.requests == 1


async def test_a_response_that_is_gone_is_continued_by_a_prompt():
    """The refusal is told, costs no attempt of the model, and what was lost is estimated."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults=[drop(12), no_resume()]), retry=Retry(0, base_delay=0.01)
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "POST"]
    assert modes(told) == ["provider", "prompt"]
    errors = [e.payload for e in told if e.type == "ERROR"]
    assert [(e.category, e.status, e.recovery_strategy) for e in errors] == [
        ("network", None, "retry"),
        ("fatal", 404, "retry"),
    ]
    usage = [e.payload.source for e in told if e.type == "USAGE"]
    assert usage == ["estimated", "reported"]
    assert stream.state.usage.requests == 2


async def test_a_new_response_may_be_resumed_in_its_turn():
    """That one response is gone says nothing of the next."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults=[drop(12), no_resume()]), Reply(TEXT, faults=[drop(3)])
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "POST", "GET"]
    assert modes(told) == ["provider", "prompt", "provider"]


@pytest.mark.parametrize(
    ("continuation", "expected"),
    [(ContinuationConfig(provider=False), ["prompt"]), (False, [])],
    ids=["provider=False", "continuation=False"],
)
async def test_it_can_be_switched_off(continuation, expected):
    """Then a broken response is continued by a prompt, or begun anew."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@12"), continuation=continuation
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "POST"]
    assert modes(told) == expected


async def test_the_fallback_is_asked_by_a_prompt():
    """Another stream can't go on with the response of the first."""
    fallback = l0.testing.ScriptedModel([TEXT[40:]])
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@12"), retry=False, fallbacks=[fallback]
    )
    assert [method for method, _ in requests] == ["POST"]
    assert modes(told) == ["prompt"]
    assert fallback.infos[0].checkpoint == shown[: len(fallback.infos[0].checkpoint)]
    assert [e.payload.source for e in told if e.type == "USAGE"] == ["estimated"]


async def test_a_tool_call_that_is_half_there_is_completed():
    """Its first fragments came before the break."""
    stream, shown, told, requests = await ask(
        Reply("Let me see.", tool_calls=CALLS, faults=[drop(5)])
    )
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert [(c.name, c.arguments, c.index) for c in stream.state.tool_calls] == [
        ("f", {"city": "Ulm", "days": [1, 2, 3]}, 0),
        ("g", {"n": 1}, 1),
    ]
    assert stream.state.finish_reason == "tool_calls"


async def test_text_that_failed_the_rules_is_not_gone_on_with():
    """The provider would go on behind it."""
    seen = []

    def check(state):
        seen.append(state.content)
        return ["lamp"] * ("lamp" in state.content and len(seen) < 3)

    rule = l0.GuardrailRule("no_lamp", check)
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@30"),
        guardrails=[rule],
        check_intervals=l0.CheckIntervals(0, 0, 0),
    )
    assert [method for method, _ in requests] == ["POST", "POST"]
    assert (shown, modes(told)) == (TEXT, [])


@pytest.mark.parametrize("at", [0, 1, 12, 30])
@pytest.mark.parametrize("kind", ["drop", "eof"])
async def test_events_that_are_sent_again_are_not_read_again(kind, at):
    """Some servers begin anew whatever they are asked for: the numbers tell."""
    stream, shown, told, requests = await ask(Reply(TEXT, faults=f"{kind}@{at},repeat"))
    assert shown == stream.state.content == TEXT
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert modes(told) == ["provider"]
    assert stream.state.usage.requests == 1


async def test_a_call_whose_beginning_is_sent_again_is_whole_and_one():
    stream, _, _, requests = await ask(
        Reply("Let me see.", tool_calls=CALLS, faults=[drop(5), repeat()]), keep_raw=True
    )
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert [(c.name, c.arguments) for c in stream.state.tool_calls] == CALLS


async def test_a_server_that_begins_anew_each_time_and_breaks_each_time():
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults=[drop(6), repeat()]), Reply(faults="drop@9"), Reply(faults="eof@14")
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "GET", "GET"]
    after = [int(number) for _, (number,) in requests[1:]]
    assert after == sorted(set(after)), "each time behind what had come by then"
    assert modes(told) == ["provider"] * 3


async def test_a_response_that_is_still_in_progress_is_asked_for_until_it_is_complete():
    """What there is so far comes, and the body ends; it is not taken for the whole."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@4"), Reply(faults="eof@5"), Reply(faults="eof@0")
    )
    assert shown == stream.state.content == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "GET", "GET"]
    types = [e.payload.network_type for e in told if e.type == "NETWORK_ERROR"]
    assert types[1:] == ["partial_chunks", "partial_chunks"]


async def test_a_response_that_vanishes_later_is_continued_by_a_prompt():
    """It was resumed once, and is gone at the second time."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@4"), Reply(faults="drop@5"), Reply(faults="404")
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "GET", "POST"]
    assert modes(told) == ["provider", "provider", "prompt"]
    usage = [e.payload for e in told if e.type == "USAGE"]
    assert [u.source for u in usage] == ["estimated", "reported"]
    assert usage[0].output_tokens >= 9, "of the whole response that was lost"


@pytest.mark.parametrize("status", ["400", "403", "404", "409"])
async def test_any_refusal_is_one(status):
    stream, shown, told, requests = await ask(Reply(TEXT, faults="drop@12"), Reply(faults=status))
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET", "POST"]
    assert modes(told) == ["provider", "prompt"]


async def test_a_response_that_can_not_be_reached_again_ends_with_the_budget():
    """The original error, or the fallback with a prompt."""
    down = [Reply(faults="503")] * 9
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@12"),
        *down,
        retry=Retry(attempts=0, max_retries=2, base_delay=0.01),
        fallbacks=[l0.testing.ScriptedModel(["and the end."])],
    )
    assert [method for method, _ in requests] == ["POST", "GET", "GET"]
    assert shown.endswith("and the end.")
    assert modes(told) == ["provider", "provider", "prompt"]
    assert [e.payload.source for e in told if e.type == "USAGE"] == ["estimated"]


async def test_a_response_that_failed_is_not_resumed():
    """The provider said so; a new one is asked for."""
    stream, shown, told, requests = await ask(Reply(TEXT, faults="failed@12"))
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "POST"]
    assert "provider" not in modes(told)


async def test_what_the_request_asked_for_holds_for_its_rest():
    """Headers that a gateway needs, what to include."""
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults="drop@12"),
        request={
            "extra_headers": {"x-tenant": "ada"},
            "include": ["reasoning.encrypted_content"],
            "timeout": 30,
        },
    )
    assert (shown, modes(told)) == (TEXT, ["provider"])
    assert [each.get("x-tenant") for each in headers] == ["ada", "ada"]


async def test_a_validated_run_releases_the_whole_text_once():
    stream, shown, told, requests = await ask(
        Reply(TEXT, faults=[drop(12), repeat()]), deliver="validated"
    )
    assert shown == TEXT
    assert [method for method, _ in requests] == ["POST", "GET"]
    assert not any(e.payload.delivered for e in told if e.type == "RESTART")


@pytest.mark.parametrize("at", [6, 20, 21, 22, 23, 26, 40])
@pytest.mark.parametrize(
    "options", [{}, {"buffer_tool_calls": True}, {"deliver": "validated"}], ids=str
)
async def test_a_call_that_was_handed_over_stands_and_is_not_made_twice(at, options, tmp_path):
    """The provider goes on behind it; the log says the same."""
    store = SQLiteEventStore(tmp_path / "runs.db")
    stream, shown, told, requests = await ask(
        Reply("Let me see.", tool_calls=CALLS, faults=f"drop@{at},repeat"),
        event_store=store,
        **options,
    )
    assert (shown, calls) == ("Let me see.", ["f", "g"])
    assert [(c.name, c.arguments) for c in stream.state.tool_calls] == CALLS
    assert [method for method, _ in requests] in (["POST", "GET"], ["POST"])
    assert all(e.payload.continues for e in told if e.type == "RESTART")
    lived = replay(store, stream.stream_id)
    again = [e.tool_call.name async for e in lived if e.is_tool_call]
    assert again == ["f", "g"]
    assert lived.state == stream.state
    await store.close()


async def test_a_call_of_a_response_that_is_gone_falls_away():
    """What follows it is not known to a prompt, so the next attempt begins anew."""
    stream, shown, told, requests = await ask(
        Reply("Let me see.", tool_calls=CALLS, faults="drop@22,no_resume"),
        Reply("Let me see.", tool_calls=CALLS),
    )
    assert [method for method, _ in requests] == ["POST", "GET", "POST"]
    assert (shown, calls) == ("Let me see.", ["f", "g"])
    assert modes(told) == ["provider"]
    assert [e.payload.kept_chars for e in told if e.type == "RESTART"] == [11, 0]
    assert [c.name for c in stream.state.tool_calls] == ["f", "g"]


async def test_a_fallback_does_not_inherit_a_call_of_the_response():
    fallback = l0.testing.ScriptedModel(["From the start."])
    stream, shown, told, _ = await ask(
        Reply("Let me see.", tool_calls=CALLS, faults="drop@22"), retry=False, fallbacks=[fallback]
    )
    assert (shown, calls, stream.state.tool_calls) == ("From the start.", [], [])
    assert fallback.infos[0].checkpoint == ""
