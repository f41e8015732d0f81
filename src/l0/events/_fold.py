"""The fold of events into the state: the live run, the replay and the views all use this one."""

# ruff: noqa: ARG001  each step of the fold has the same signature

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from l0.events import _payloads as p
from l0.events._catalog import Payload
from l0.events._event import EventType, NetworkErrorInfo, Usage
from l0.events._state import RuntimeState, State


def fold(state: State, payload: Payload, ts: float = 0.0) -> None:
    """Apply one event to the state; `ts` is the event's time in Unix milliseconds.

    Payloads that say nothing about the state are ignored, so a whole log may be folded.

    Example:
        >>> from l0.events import State, payload_class
        >>> state = State()
        >>> fold(state, payload_class("TOKENS")(start=0, texts=["Hel", "lo"], offsets_us=[0, 9]))
        >>> state.content
        'Hello'
    """
    apply = FOLDS.get(type(payload))
    if apply is not None:
        apply(state, payload, ts)


def folds(payload_type: type[Payload]) -> bool:
    """Whether events of this type change the state.

    Example:
        >>> from l0.events import payload_class
        >>> folds(payload_class("TOKENS")), folds(payload_class("STREAM_READY"))
        (True, False)
    """
    return payload_type in FOLDS


def _session_start(state: State, e: p.SessionStartPayload, ts: float) -> None:
    state._started_us = round(ts * 1000)


def _session_end(state: State, e: p.SessionEndPayload, ts: float) -> None:
    state.duration = e.duration_ms / 1000
    if e.outcome != "completed":
        state.phase = RuntimeState.ERROR


def _complete(state: State, e: p.CompletePayload, ts: float) -> None:
    state.phase = RuntimeState.COMPLETE


def _attempt_start(state: State, e: p.AttemptStartPayload, ts: float) -> None:
    state.attempt = e.attempt


def _restart(state: State, e: p.RestartPayload, ts: float) -> None:
    if e.continues:
        return
    state.cut(e.kept_chars, e.kept_tokens)
    state.data_outputs = []
    state.tool_calls = []
    state.last_progress = None
    state._messages = 0
    state.finish_reason = state.raw_finish_reason = None
    state.drift_detected, state.drift_types = False, ()
    state.violations = [
        v for v in state.violations if v.position is not None and v.position < e.kept_chars
    ]


def _stream_init(state: State, e: p.StreamInitPayload, ts: float) -> None:
    state.phase = RuntimeState.WAITING_FOR_TOKEN
    state._awaited = True


def _stream_finished(state: State, e: p.StreamFinishedPayload, ts: float) -> None:
    state.finish_reason, state.raw_finish_reason = e.finish_reason, e.raw_finish_reason
    state.model, state.response_id = e.model or state.model, e.response_id or state.response_id


def _tokens(state: State, e: p.TokensPayload, ts: float) -> None:
    texts, offsets = e.texts, e.offsets_us
    if len(texts) != len(offsets):
        raise ValueError(f"{len(texts)} tokens have {len(offsets)} times")
    if texts:
        base = round(ts * 1000)
        good = max((at for at in e.checkpoints if 0 <= at - e.start < len(texts)), default=None)
        kept = 0 if good is None else good - e.start + 1
        state.extend(texts, base + offsets[0], base + offsets[-1], kept)
    if state._awaited:  # later ones change nothing: a tool call that was seen has been seen
        state._awaited, state.phase = False, RuntimeState.STREAMING


def _stream_event(state: State, e: p.StreamEventPayload, ts: float) -> None:
    event = e.event
    if event.type is EventType.DATA and event.payload is not None:
        state.data_outputs.append(event.payload)
    elif event.type is EventType.MESSAGE:
        state._messages += 1
    elif event.type is EventType.PROGRESS:
        state.last_progress = event.progress
    elif event.type is EventType.TOOL_CALL and event.tool_call is not None:
        state.tool_calls.append(event.tool_call)


def usage_of(e: p.UsagePayload) -> Usage:
    """What one attempt reported."""
    return Usage(
        e.input_tokens,
        e.output_tokens,
        e.total_tokens,
        e.cached_input_tokens,
        e.reasoning_tokens,
        requests=1,
    )


def _usage(state: State, e: p.UsagePayload, ts: float) -> None:
    state.usage += usage_of(e)


def _network_error(state: State, e: p.NetworkErrorPayload, ts: float) -> None:
    state.network_errors.append(NetworkErrorInfo(e.network_type, e.error, e.attempt, ts / 1000))


def _abort_completed(state: State, e: p.AbortCompletedPayload, ts: float) -> None:
    state.aborted = True


def _tool_requested(state: State, e: p.ToolRequestedPayload, ts: float) -> None:
    state.phase = RuntimeState.TOOL_CALL_DETECTED


def _phase_start(state: State, e: p.GuardrailPhaseStartPayload, ts: float) -> None:
    if e.phase == "checkpoint":
        state.phase = RuntimeState.CHECKPOINT_VERIFYING


def _rule_result(state: State, e: p.GuardrailRuleResultPayload, ts: float) -> None:
    state.violations.extend(e.violations)


def _drift_result(state: State, e: p.DriftCheckResultPayload, ts: float) -> None:
    if e.detected:
        state.drift_detected = True
        state.drift_types = (
            *state.drift_types,
            *(t for t in e.types if t not in state.drift_types),
        )


def _checkpoint(state: State, e: p.CheckpointSavedPayload, ts: float) -> None:
    state._checkpoint_chars, state._checkpoint_tokens = e.checkpoint_length, e.token_count


def _resume_start(state: State, e: p.ResumeStartPayload, ts: float) -> None:
    state.resumed = state.continuation_used = True
    state.resume_point, state.resume_from = e.checkpoint, e.checkpoint_length
    state.continuation_prompt = e.prompt


def _dedup_start(state: State, e: p.DeduplicationStartPayload, ts: float) -> None:
    state.phase = RuntimeState.CONTINUATION_MATCHING


def _dedup_end(state: State, e: p.DeduplicationEndPayload, ts: float) -> None:
    state.phase = RuntimeState.STREAMING
    state.lost_tokens += e.lost_tokens
    if e.overlap_length:
        state.deduplication_applied, state.overlap_removed = True, e.overlap_text


def _retry_attempt(state: State, e: p.RetryAttemptPayload, ts: float) -> None:
    state.phase = RuntimeState.RETRYING
    if e.counts_toward_limit:
        state.model_retry_count += 1
    else:
        state.network_retry_count += 1


def _fallback_start(state: State, e: p.FallbackStartPayload, ts: float) -> None:
    state.phase = RuntimeState.FALLBACK


def _fallback_selected(state: State, e: p.FallbackModelSelectedPayload, ts: float) -> None:
    state.fallback_index, state.attempt = e.index, 1
    state.model = state.response_id = None  # those of the stream before; this one may not say


def _finalization_start(state: State, e: p.FinalizationStartPayload, ts: float) -> None:
    state.completed, state.phase = True, RuntimeState.FINALIZING


def _finalization_end(state: State, e: p.FinalizationEndPayload, ts: float) -> None:
    state.completed = e.passed


FOLDS: dict[type[Payload], Callable[[State, Any, float], None]] = {
    p.SessionStartPayload: _session_start,
    p.SessionEndPayload: _session_end,
    p.CompletePayload: _complete,
    p.AttemptStartPayload: _attempt_start,
    p.RestartPayload: _restart,
    p.StreamInitPayload: _stream_init,
    p.StreamFinishedPayload: _stream_finished,
    p.TokensPayload: _tokens,
    p.StreamEventPayload: _stream_event,
    p.UsagePayload: _usage,
    p.NetworkErrorPayload: _network_error,
    p.AbortCompletedPayload: _abort_completed,
    p.ToolRequestedPayload: _tool_requested,
    p.GuardrailPhaseStartPayload: _phase_start,
    p.GuardrailRuleResultPayload: _rule_result,
    p.DriftCheckResultPayload: _drift_result,
    p.CheckpointSavedPayload: _checkpoint,
    p.ResumeStartPayload: _resume_start,
    p.DeduplicationStartPayload: _dedup_start,
    p.DeduplicationEndPayload: _dedup_end,
    p.RetryAttemptPayload: _retry_attempt,
    p.FallbackStartPayload: _fallback_start,
    p.FallbackModelSelectedPayload: _fallback_selected,
    p.FinalizationStartPayload: _finalization_start,
    p.FinalizationEndPayload: _finalization_end,
}
