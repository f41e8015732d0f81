"""S89: deliver="validated" shows nothing that was not judged as a whole."""

from __future__ import annotations

import l0
from l0.events import Event, EventType
from l0.stream import Timeout
from l0.testing import ScriptedModel, fail, progress, stall, tool

NET = ConnectionResetError("gone")


def no_bad():
    return l0.GuardrailRule("no_bad", lambda state: ["bad"] * ("bad" in state.content))


async def test_s89_nothing_of_a_rejected_attempt_is_ever_seen(play):
    """No token, no restart; callbacks see exactly what the consumer sees."""
    seen = []
    run = await play(
        ScriptedModel(
            ["a ", "bad ", tool("1", "f")], ["c ", fail(NET)], ["d ", "e", tool("2", "f")]
        ),
        deliver="validated",
        guardrails=[no_bad()],
        on_token=seen.append,
        on_tool_call=lambda name, ident, args: seen.append(ident),
        on_stream_event=lambda event: seen.append(event.type),
        on_restart=lambda *args: seen.append("restart"),
    )
    assert [e.type for e in run.events] == ["token", "token", "tool_call", "complete"]
    assert (run.shown, run.state.content) == ("d e", "d e")
    assert seen == ["d ", "token", "e", "token", "2", "tool_call", "complete"]
    assert not any(e.delivered for e in run.all("RESTART"))


async def test_s89_progress_passes_live_and_order_is_kept(play, clock):
    """Progress at once, the rest at the release, in the order in which it came."""
    message = Event(EventType.MESSAGE, "note")
    at = []
    run = await play(
        ScriptedModel(["a", progress(50), message, stall(5), "b"]),
        deliver="validated",
        on_stream_event=lambda event: at.append((event.type, clock.now)),
    )
    assert at == [("progress", 0), ("token", 5), ("message", 5), ("token", 5), ("complete", 5)]
    assert run.state.content == "ab"


async def test_s89_timeouts_are_unaffected(play):
    """The model is waited for as in a live run."""
    run = await play(
        ScriptedModel(["a", stall(11)], ["b", stall(9), "c"]),
        deliver="validated",
        timeout=Timeout(initial_token=5, inter_token=10),
    )
    assert (run.shown, run.types.count("TIMEOUT_TRIGGERED")) == ("bc", 1)


async def test_s89_a_continuation_keeps_what_was_held(play):
    """The kept tokens are released once, with the rest; the cut one is shortened."""
    rule = l0.GuardrailRule("no_bad", lambda state: ["bad"] * ("bad" in state.content), early=True)
    model = ScriptedModel(["one ", "two ", "bad", fail(NET)], ["two ", "three"])
    run = await play(
        model,
        deliver="validated",
        continuation=True,
        guardrails=[rule],
        check_intervals=l0.CheckIntervals(0, 0, 2),
    )
    assert run.tokens == ["one ", "two ", "three"]
    assert [e.start for e in run.events if e.is_token] == [0, 4, 8]


async def test_s89_a_restatement_replaces_what_was_held(play):
    """What is released is the text that stands."""
    story = "Once upon a time, in a valley far away, there lived a miller"
    other = story[:40] + "where nobody lived."
    model = ScriptedModel([story[:20], story[20:], fail(NET)], list(other))
    run = await play(model, deliver="validated", continuation=True)
    assert run.shown == run.state.content == other
    assert not any(e.is_restart for e in run.events)


async def test_s89_a_failed_run_shows_nothing(play):
    """Neither text nor tool calls of any attempt."""
    run = await play(
        ScriptedModel(["bad"], repeat_last=True), deliver="validated", guardrails=[no_bad()]
    )
    assert run.events == []
    assert isinstance(run.error, l0.errors.GuardrailError)


async def test_the_times_of_a_validated_run_are_known(play):
    """first_token_at and last_token_at are when the model wrote, not when it was shown."""
    run = await play(ScriptedModel([stall(1), "a", stall(2), "b", stall(3)]), deliver="validated")
    state = run.state
    assert (state.time_to_first_token, state.last_token_at - state.first_token_at) == (1, 2)
    assert state.duration == 6
