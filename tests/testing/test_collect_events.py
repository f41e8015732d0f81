"""A handler that is the list of what it was given."""

from __future__ import annotations

import time

import pytest

import l0
from l0.testing import ScriptedModel, check_run, collect_events, fail


async def test_it_collects_what_a_handler_gets(clock):
    events = collect_events()
    model = ScriptedModel(["a", fail(ConnectionResetError())], ["b"])
    await l0.run(model, on_event=events, clock=clock).read()
    check_run(events)
    assert events.names[-1] == "COMPLETE"
    assert events.one("RETRY_ATTEMPT").reason == "network_error"
    assert [e.attempt for e in events.all("STREAM_INIT")] == [1, 2]
    assert "TOKENS" not in events.names
    with pytest.raises(AssertionError, match="2 events of type STREAM_INIT"):
        events.one("STREAM_INIT")


async def test_it_may_be_told_which_types(clock):
    tokens = collect_events("TOKENS", "COMPLETE")
    await l0.run(lambda: ["a", "b"], on_event=tokens, clock=clock).read()
    assert tokens.names == ["TOKENS", "COMPLETE"]
    assert tokens[0]["texts"] == ["a", "b"]
    with pytest.raises(ValueError, match="did you mean COMPLETE"):
        collect_events("COMPLET")


async def test_the_story_of_a_long_run_is_checked_in_linear_time(clock):
    """With an event for each token, looking at all before it would take minutes."""
    told = collect_events("TOKEN", "SESSION_START", "SESSION_SUMMARY", "SESSION_END", "COMPLETE")
    await l0.run(lambda: ["a"] * 200, on_event=told, token_events=True, clock=clock).read()
    tokens = told[1:201]
    assert {event.type for event in tokens} == {"TOKEN"}
    took = []
    for times in (100, 800):
        events = [told[0], *tokens * times, *told[201:]]
        began = time.thread_time()
        check_run(events)
        took.append(time.thread_time() - began)
    assert took[1] < 8 * 3 * took[0]


async def test_a_retry_without_the_error_of_its_attempt_is_noticed(clock):
    """An error of the attempt before does not count for it."""
    events = collect_events()
    model = ScriptedModel(["a", fail(503)], ["b", fail(503)], ["c"])
    await l0.run(model, on_event=events, clock=clock).read()
    check_run(events)
    second = [index for index, name in enumerate(events.names) if name == "ERROR"][1]
    with pytest.raises(AssertionError, match="I5: RETRY_ATTEMPT without the ERROR"):
        check_run(events[:second] + events[second + 1 :])
    begun = events.names.index("RETRY_ATTEMPT")
    with pytest.raises(AssertionError, match="I4: ATTEMPT_START without a RETRY_ATTEMPT"):
        check_run(events[:begun] + events[begun + 1 :])
