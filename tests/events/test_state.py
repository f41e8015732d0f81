"""The state of a run is a fold of its events, and nothing else writes it."""

from __future__ import annotations

import copy

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.events import (
    ContentType,
    DataPayload,
    Event,
    EventType,
    GuardrailViolation,
    RuntimeState,
    State,
    ToolCall,
    Usage,
    fold,
    folds,
    payload_class,
)


def told(*events):
    """The state after these events: (type, fields) or (type, fields, ts)."""
    state = State()
    for type_, fields, *ts in events:
        fold(state, payload_class(type_)(**fields), *ts)
    return state


def tokens(start, *texts, checkpoints=(), ts=1000.0, gap_us=10):
    fields = {
        "start": start,
        "texts": list(texts),
        "offsets_us": [gap_us * n for n in range(len(texts))],
        "checkpoints": list(checkpoints),
    }
    return ("TOKENS", fields, ts)


def restart(kept_chars, kept_tokens):
    fields = {"kept_chars": kept_chars, "kept_tokens": kept_tokens, "discarded_chars": 0}
    return ("RESTART", {**fields, "reason": "x", "attempt": 2, "fallback_index": 0,
                        "delivered": True})  # fmt: skip


INIT = ("STREAM_INIT", {"attempt": 1, "fallback_index": 0})


def violation(position):
    found = GuardrailViolation("r", "m", position=position)
    fields = {"index": 0, "rule_id": "r", "passed": False, "violations": [found]}
    return ("GUARDRAIL_RULE_RESULT", fields)


def event(event):
    return ("STREAM_EVENT", {"event": event})


def test_a_new_state_has_nothing_to_say():
    state = State()
    assert (state.content, state.checkpoint, state.phase) == ("", "", RuntimeState.INIT)
    assert (state.attempt, state.fallback_index, state.is_fallback) == (1, 0, False)
    assert state.time_to_first_token is state.started_at is state.last_token_at is None


def test_the_lists_of_a_state_are_live_and_its_own():
    """Though each is made when it is first looked at."""
    state, other = State(), State()
    violations = state.violations
    assert violations == []
    found = GuardrailViolation("rule", "bad")
    fold(state, payload_class("GUARDRAIL_RULE_RESULT")(0, "rule", False, [found]))
    assert state.violations is violations
    assert violations == [found]
    assert other.violations == other.tool_calls == other.data_outputs == []
    assert other.snapshot().network_errors is not other.network_errors


def test_tokens_make_the_text_and_its_times():
    state = told(
        ("SESSION_START", {"options": {}}, 999.0),
        INIT,
        tokens(0, "Hel", "lo", ts=1000.0, gap_us=500),
        tokens(2, " 😀", ts=1001.5),
    )
    assert (state.content, state.content_length, state.token_count) == ("Hello 😀", 7, 3)
    assert state.phase is RuntimeState.STREAMING
    assert state.started_at == pytest.approx(0.999)
    assert state.first_token_at == pytest.approx(1.0)
    assert state.last_token_at == pytest.approx(1.0015)
    assert state.time_to_first_token == pytest.approx(0.001)


def test_checkpoints_are_marks_in_the_text():
    state = told(tokens(0, "a", "b", "c", checkpoints=[1]))
    assert state.checkpoint == "ab"
    state = told(tokens(0, "abc"), ("CHECKPOINT_SAVED", {"checkpoint_length": 2, "token_count": 1}))
    assert state.checkpoint == "ab"


def test_a_restart_cuts_the_text_and_forgets_what_went_with_it():
    data = DataPayload(ContentType.JSON, json={"a": 1})
    state = told(
        tokens(0, "Hello ", "world", checkpoints=[1]),
        violation(2),
        violation(8),
        violation(None),
        event(Event(EventType.DATA, payload=data)),
        event(Event(EventType.TOOL_CALL, tool_call=ToolCall("1", "f", {}))),
        ("DRIFT_CHECK_RESULT", {"detected": True, "score": 1.0, "types": ["loop"], "metrics": {},
                                "threshold": 0.5}),
        restart(6, 1),
    )  # fmt: skip
    assert (state.content, state.token_count, state.lost_tokens) == ("Hello ", 1, 1)
    assert state.checkpoint == "Hello ", "a checkpoint never reaches beyond the text"
    assert [v.position for v in state.violations] == [2]
    assert state.data_outputs == state.tool_calls == []
    assert (state.drift_detected, state.drift_types) == (False, ())
    assert told(tokens(0, "a"), restart(0, 0)).first_token_at is None


def test_counts_and_places_of_retries_and_fallbacks():
    attempt = {"attempt": 1, "max_attempts": 3, "reason": "x", "delay_ms": 0.0}
    state = told(
        ("RETRY_ATTEMPT", {**attempt, "category": "network", "counts_toward_limit": False}),
        ("ATTEMPT_START", {"attempt": 2, "fallback_index": 0, "is_fallback": False}),
        ("RETRY_ATTEMPT", {**attempt, "category": "model", "counts_toward_limit": True}),
        ("ATTEMPT_START", {"attempt": 3, "fallback_index": 0, "is_fallback": False}),
    )
    assert (state.network_retry_count, state.model_retry_count, state.retry_attempts) == (1, 1, 2)
    assert (state.attempt, state.phase) == (3, RuntimeState.RETRYING)
    fold(state, payload_class("FALLBACK_MODEL_SELECTED")(index=1, reason="x"))
    assert (state.attempt, state.fallback_index, state.is_fallback) == (1, 1, True)


def test_usage_is_summed_over_the_attempts():
    state = told(
        ("USAGE", {"attempt": 1, "input_tokens": 3, "output_tokens": 4}),
        ("USAGE", {"attempt": 2, "input_tokens": 5, "output_tokens": 1, "total_tokens": 7}),
    )
    assert state.usage == Usage(8, 5, 14, requests=2)


def test_what_was_delivered_beside_the_text():
    progress = Event(EventType.PROGRESS, progress={"percent": 5})
    state = told(event(progress), event(Event(EventType.MESSAGE, "thinking")))
    assert state.last_progress == {"percent": 5}
    assert state.content == "", "only token text makes the answer"


PHASES = [
    (INIT, RuntimeState.WAITING_FOR_TOKEN),
    (("TOOL_REQUESTED", {"tool_name": "f", "tool_call_id": "1", "arguments": {}, "index": 0}),
     RuntimeState.TOOL_CALL_DETECTED),
    (("DEDUPLICATION_START", {"checkpoint_length": 1, "max_overlap": 5}),
     RuntimeState.CONTINUATION_MATCHING),
    (("GUARDRAIL_PHASE_START", {"phase": "checkpoint", "rule_count": 1, "token_count": 1,
                                "content_length": 1}), RuntimeState.CHECKPOINT_VERIFYING),
    (("GUARDRAIL_PHASE_START", {"phase": "streaming", "rule_count": 1, "token_count": 1,
                                "content_length": 1}), RuntimeState.INIT),
    (("FALLBACK_START", {"from_index": 0, "to_index": 1, "reason": "x"}), RuntimeState.FALLBACK),
    (("FINALIZATION_START", {"token_count": 1, "content_length": 1}), RuntimeState.FINALIZING),
    (("COMPLETE", {"token_count": 1, "content_length": 1, "duration_ms": 1.0, "fallback_index": 0,
                   "attempts": 1}), RuntimeState.COMPLETE),
    (("SESSION_END", {"outcome": "failed", "duration_ms": 1.0}), RuntimeState.ERROR),
    (("SESSION_END", {"outcome": "completed", "duration_ms": 1.0}), RuntimeState.INIT),
]  # fmt: skip


@pytest.mark.parametrize(
    ("event", "phase"), PHASES, ids=lambda value: getattr(value, "value", None)
)
def test_phases(event, phase):
    assert told(event).phase is phase


def test_a_tool_call_that_was_seen_stays_seen_when_more_text_comes():
    state = told(INIT, tokens(0, "a"), PHASES[1][0], tokens(1, "b"))
    assert state.phase is RuntimeState.TOOL_CALL_DETECTED
    assert told(INIT, PHASES[1][0], tokens(0, "a")).phase is RuntimeState.STREAMING


def test_completion_is_believed_until_a_check_fails():
    state = told(PHASES[6][0])
    assert state.completed
    fold(state, payload_class("FINALIZATION_END")(passed=False, duration_ms=0.0))
    assert not state.completed


def test_resuming_and_what_it_removed():
    state = told(
        tokens(0, "Hello"),
        ("RESUME_START", {"checkpoint": "Hello", "checkpoint_length": 5, "token_count": 1,
                          "prompt": "Go on"}),
        ("DEDUPLICATION_END", {"overlap_length": 2, "overlap_text": "lo", "withheld_chars": 2,
                               "decided_by": "boundary", "duration_ms": 0.0}),
    )  # fmt: skip
    assert (state.resumed, state.resume_point, state.resume_from) == (True, "Hello", 5)
    assert state.continuation_prompt == "Go on"
    assert (state.deduplication_applied, state.overlap_removed) == (True, "lo")


def test_network_errors_are_listed_with_their_time():
    fields = {"error": "gone", "error_type": "E", "network_type": "dns_error", "retryable": True}
    state = told(("NETWORK_ERROR", {**fields, "attempt": 2, "token_count": 3}, 5000.0))
    (error,) = state.network_errors
    assert (error.type, error.message, error.attempt, error.ts) == ("dns_error", "gone", 2, 5.0)


def test_events_that_say_nothing_about_the_state_change_nothing():
    state = told(("TOOL_START", {"tool_name": "f", "tool_call_id": "1"}))
    assert state == State()
    assert folds(payload_class("TOKENS"))
    assert not folds(payload_class("TOOL_START"))


@given(st.lists(st.tuples(st.text(min_size=1, max_size=5), st.booleans()), max_size=20))
def test_the_text_is_what_was_appended_however_often_it_is_read(steps):
    state, text = State(), ""
    for number, (token, look) in enumerate(steps):
        fold(state, payload_class("TOKENS")(number, [token], [0]), 1.0)
        text += token
        if look:
            assert state.content == text
    assert (state.content, state.content_length) == (text, len(text))
    kept = len(text) // 2
    fold(state, payload_class("RESTART")(kept, 0, 0, "x", 2, 0, True), 1.0)
    assert state.content == text[:kept]
    fold(state, payload_class("TOKENS")(0, ["new"], [0]), 1.0)
    assert state.content == text[:kept] + "new"


def test_copies_are_independent():
    state = told(tokens(0, "a"), violation(0))
    for other in (state.snapshot(), copy.copy(state), copy.deepcopy(state)):
        assert other == state
        fold(other, payload_class("TOKENS")(1, ["b"], [0]), 1.0)
        other.violations.clear()
        assert (state.content, len(state.violations)) == ("a", 1)
        assert other != state
    assert "content_length=1" in repr(state)
    with pytest.raises(TypeError):
        hash(state)


def test_settling_keeps_every_fact():
    state = told(tokens(0, "a", "b"), violation(0))
    before = state.snapshot()
    state.settle()
    assert state == before
