"""A handler that is the list of what it was given."""

from __future__ import annotations

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
