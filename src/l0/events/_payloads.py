"""The event types of a run, in the order of its life: one class a type, one field a fact.

Units are in the names (`*_ms`); `attempt` counts the attempts on the current stream from 1, except
in RETRY_*, where it counts retries from 1; `error` is the message.
"""

from __future__ import annotations

from enum import StrEnum
from typing import TYPE_CHECKING, Any, ClassVar

from l0.events._catalog import Payload, register_payload, type_names
from l0.events._event import Event, GuardrailViolation, TokenNote, ToolArgumentError, Usage

# --- the session ----------------------------------------------------------------------------


@register_payload
class SessionStartPayload(Payload, frozen=True):
    """First use of the stream; the first event of every run.

    `options` is what a reader needs to understand the run; `parent_id` the run it was started in.
    """

    options: dict[str, Any]
    attempt: int = 1
    is_retry: bool = False
    is_fallback: bool = False
    parent_id: str | None = None


@register_payload
class SessionSummaryPayload(Payload, frozen=True):
    """Once per run, however it ends: what came of it."""

    outcome: str
    token_count: int
    content_length: int
    duration_ms: float
    attempts: int
    model_retries: int
    network_retries: int
    fallback_index: int
    violations: int
    drift_detected: bool
    resumed: bool
    usage: Usage
    lost_tokens: int = 0
    time_to_first_token_ms: float | None = None
    finish_reason: str | None = None
    error: str | None = None


@register_payload
class SessionEndPayload(Payload, frozen=True):
    """Right after SESSION_SUMMARY; the last event unless COMPLETE follows."""

    outcome: str
    duration_ms: float


@register_payload
class CompletePayload(Payload, frozen=True):
    """The last event of a successful run."""

    token_count: int
    content_length: int
    duration_ms: float
    fallback_index: int
    attempts: int
    finish_reason: str | None = None


@register_payload
class ErrorPayload(Payload, frozen=True):
    """Once per failed attempt, after the decision, before any retry or fallback event."""

    error: str
    error_type: str
    category: str
    failure_type: str
    recovery_strategy: str
    policy: dict[str, Any]
    attempt: int
    token_count: int
    content_length: int
    error_code: str | None = None
    status: int | None = None
    retry_after_ms: float | None = None


# --- an attempt -----------------------------------------------------------------------------


@register_payload
class AttemptStartPayload(Payload, frozen=True):
    """A retry begins, inside fallbacks too; never for a first attempt."""

    attempt: int
    fallback_index: int
    is_fallback: bool
    is_retry: bool = True


@register_payload
class RestartPayload(Payload, frozen=True):
    """Text that was accepted falls away: only the first `kept_chars` characters still stand.

    `delivered` says that the consumer got a restart event; `continues` that the provider goes on
    with the same response, so that everything stands, also what came beside the text.
    """

    kept_chars: int
    kept_tokens: int
    discarded_chars: int
    reason: str
    attempt: int
    fallback_index: int
    delivered: bool
    continues: bool = False


@register_payload
class StreamInitPayload(Payload, frozen=True):
    """Just before the factory is called; `model` is what is asked, where the factory says so."""

    attempt: int
    fallback_index: int
    model: str | None = None


@register_payload
class StreamReadyPayload(Payload, frozen=True):
    """The source is in hand and its adapter bound."""

    attempt: int
    fallback_index: int
    connect_ms: float


@register_payload
class StreamFinishedPayload(Payload, frozen=True):
    """The source ended by itself or sent complete; before the completion checks."""

    attempt: int
    event_count: int
    token_count: int
    duration_ms: float
    finish_reason: str | None = None
    raw_finish_reason: str | None = None
    model: str | None = None
    response_id: str | None = None
    time_to_first_token_ms: float | None = None


@register_payload
class AdapterWrapStartPayload(Payload, frozen=True):
    """The source is in hand, the adapter not chosen."""

    stream_type: str


@register_payload
class AdapterDetectedPayload(Payload, frozen=True):
    """The adapter is chosen; `how` is hint, registered, module, chunk or passthrough."""

    adapter_id: str
    how: str


@register_payload
class AdapterWrapEndPayload(Payload, frozen=True):
    """The decoder is ready."""

    adapter_id: str
    duration_ms: float


@register_payload
class TokenPayload(Payload, frozen=True):
    """One token, only with `token_events=True`."""

    text: str
    index: int


@register_payload
class TokensPayload(Payload, frozen=True):
    """A batch of tokens exactly as accepted, for the log and the views.

    `start` is the index of the first; `offsets_us` the microseconds since this event's time;
    `checkpoints` the token indexes at which a checkpoint was marked; `notes` what came with single
    tokens beside their text.
    """

    listed: ClassVar[bool] = False

    start: int
    texts: list[str]
    offsets_us: list[int]
    checkpoints: list[int] = []
    notes: list[TokenNote] = []


@register_payload
class StreamEventPayload(Payload, frozen=True):
    """An accepted event that is not a token, restart, error or complete."""

    listed: ClassVar[bool] = False

    event: Event


@register_payload
class UsagePayload(Payload, frozen=True):
    """Once per attempt that reported usage, at its end, also when it failed."""

    attempt: int
    input_tokens: int = 0
    output_tokens: int = 0
    total_tokens: int = 0
    cached_input_tokens: int = 0
    reasoning_tokens: int = 0
    source: str = "reported"


# --- timeouts and the network ---------------------------------------------------------------


@register_payload
class TimeoutStartPayload(Payload, frozen=True):
    """A configured timer is armed: connect, initial_token, inter_token or total."""

    timeout_type: str
    configured_ms: float


@register_payload
class TimeoutResetPayload(Payload, frozen=True):
    """The first activity of an attempt switches from initial to inter; once per attempt."""

    configured_ms: float
    token_index: int
    timeout_type: str = "inter_token"


@register_payload
class TimeoutTriggeredPayload(Payload, frozen=True):
    """A timer fired; `elapsed_ms` is measured."""

    timeout_type: str
    configured_ms: float
    elapsed_ms: float
    token_index: int


@register_payload
class NetworkErrorPayload(Payload, frozen=True):
    """An attempt failed with category network."""

    error: str
    error_type: str
    network_type: str
    retryable: bool
    attempt: int
    token_count: int
    code: str | None = None
    status: int | None = None


@register_payload
class ConnectionDroppedPayload(Payload, frozen=True):
    """Right after NETWORK_ERROR if the attempt had already produced an event."""

    network_type: str
    token_count: int
    content_length: int


@register_payload
class NetworkRecoveryPayload(Payload, frozen=True):
    """First event of an attempt that follows one or more network failures."""

    attempt: int
    retries: int
    outage_ms: float


@register_payload
class ConnectionRestoredPayload(Payload, frozen=True):
    """Right after NETWORK_RECOVERY if CONNECTION_DROPPED had been emitted."""

    attempt: int
    outage_ms: float


# --- aborting -------------------------------------------------------------------------------


@register_payload
class AbortRequestedPayload(Payload, frozen=True):
    """An abort was noticed; `source` is user, exit or cancel."""

    source: str
    token_count: int
    content_length: int
    reason: str | None = None


@register_payload
class AbortCompletedPayload(Payload, frozen=True):
    """The upstream of an aborted run is closed."""

    token_count: int
    content_length: int
    elapsed_ms: float


# --- tools ----------------------------------------------------------------------------------


@register_payload
class ToolRequestedPayload(Payload, frozen=True):
    """The arguments of a call are complete."""

    tool_name: str
    tool_call_id: str
    arguments: dict[str, Any]
    index: int


@register_payload
class ToolStartPayload(Payload, frozen=True):
    """`call_tool` begins."""

    tool_name: str
    tool_call_id: str


@register_payload
class ToolResultPayload(Payload, frozen=True):
    """`call_tool` returned, or the source sent a tool_result event."""

    tool_name: str
    tool_call_id: str
    result: Any
    duration_ms: float | None = None


@register_payload
class ToolErrorPayload(Payload, frozen=True):
    """Arguments are invalid, `call_tool` raised, or a tool_result carries an error."""

    tool_name: str
    tool_call_id: str
    error: str
    error_type: str
    errors: list[ToolArgumentError] = []
    duration_ms: float | None = None


@register_payload
class ToolCompletedPayload(Payload, frozen=True):
    """After TOOL_RESULT or an execution's TOOL_ERROR; `status` is success or error."""

    tool_name: str
    tool_call_id: str
    status: str
    duration_ms: float | None = None


# --- guardrails and drift -------------------------------------------------------------------


@register_payload
class GuardrailPhaseStartPayload(Payload, frozen=True):
    """A check begins; `phase` is streaming, checkpoint or completion."""

    phase: str
    rule_count: int
    token_count: int
    content_length: int


@register_payload
class GuardrailRuleStartPayload(Payload, frozen=True):
    """Before each rule."""

    index: int
    rule_id: str


@register_payload
class GuardrailRuleResultPayload(Payload, frozen=True):
    """After each rule, with its new violations."""

    index: int
    rule_id: str
    passed: bool
    violations: list[GuardrailViolation] = []


@register_payload
class GuardrailRuleEndPayload(Payload, frozen=True):
    """After a rule's result."""

    index: int
    rule_id: str
    passed: bool
    duration_ms: float


@register_payload
class GuardrailPhaseEndPayload(Payload, frozen=True):
    """A check ends."""

    phase: str
    passed: bool
    violations: int
    should_retry: bool
    should_halt: bool
    duration_ms: float


@register_payload
class GuardrailCallbackStartPayload(Payload, frozen=True):
    """Before each `on_violation` call."""

    rule_id: str
    callback_id: str


@register_payload
class GuardrailCallbackEndPayload(Payload, frozen=True):
    """After each `on_violation` call, when its coroutine ends."""

    rule_id: str
    callback_id: str
    duration_ms: float
    error: str | None = None


@register_payload
class DriftCheckStartPayload(Payload, frozen=True):
    """A drift check begins."""

    token_count: int
    content_length: int


@register_payload
class DriftCheckResultPayload(Payload, frozen=True):
    """The outcome of a drift check."""

    detected: bool
    score: float
    types: list[str]
    metrics: dict[str, float]
    threshold: float
    details: str | None = None


@register_payload
class DriftCheckEndPayload(Payload, frozen=True):
    """A drift check ends."""

    detected: bool
    duration_ms: float


@register_payload
class DriftCheckSkippedPayload(Payload, frozen=True):
    """A check was due but had nothing to judge: no_new_text or too_short."""

    reason: str
    token_count: int


# --- checkpoints and continuation -----------------------------------------------------------


@register_payload
class CheckpointSavedPayload(Payload, frozen=True):
    """The text so far is known to be good."""

    checkpoint_length: int
    token_count: int


@register_payload
class ContinuationStartPayload(Payload, frozen=True):
    """An attempt is going to resume; `mode` is provider, prompt or restart."""

    checkpoint_length: int
    token_count: int
    attempt: int
    fallback_index: int
    mode: str = "prompt"


@register_payload
class ResumeStartPayload(Payload, frozen=True):
    """Right after CONTINUATION_START, with the text the attempt resumes from."""

    checkpoint: str
    checkpoint_length: int
    token_count: int
    prompt: str | None = None


@register_payload
class DeduplicationStartPayload(Payload, frozen=True):
    """First text of a resumed attempt."""

    checkpoint_length: int
    max_overlap: int


@register_payload
class DeduplicationEndPayload(Payload, frozen=True):
    """The overlap is decided, by mismatch, boundary, restatement or end.

    `lost_tokens` were withheld when their attempt failed, and fell away with it.
    """

    overlap_length: int
    overlap_text: str
    withheld_chars: int
    decided_by: str
    duration_ms: float
    lost_tokens: int = 0


@register_payload
class ResumeEndPayload(Payload, frozen=True):
    """First new text released, or the attempt ended without any."""

    success: bool
    checkpoint_length: int
    overlap_length: int


@register_payload
class ContinuationEndPayload(Payload, frozen=True):
    """The resumed attempt ended."""

    success: bool
    added_chars: int
    content_length: int


# --- retries and fallbacks ------------------------------------------------------------------


@register_payload
class RetryFnStartPayload(Payload, frozen=True):
    """Before `should_retry`."""

    attempt: int
    category: str
    default_should_retry: bool = True


@register_payload
class RetryFnResultPayload(Payload, frozen=True):
    """`should_retry` returned."""

    attempt: int
    category: str
    user_result: bool
    final_should_retry: bool
    duration_ms: float


@register_payload
class RetryFnErrorPayload(Payload, frozen=True):
    """`should_retry` raised, which is a veto."""

    attempt: int
    error: str
    duration_ms: float
    final_should_retry: bool = False


@register_payload
class RetryStartPayload(Payload, frozen=True):
    """First retry of a stream of the chain."""

    max_attempts: int
    max_retries: int
    attempt: int = 1


@register_payload
class RetryAttemptPayload(Payload, frozen=True):
    """Every retry, before its delay."""

    attempt: int
    max_attempts: int
    reason: str
    category: str
    delay_ms: float
    counts_toward_limit: bool
    network_type: str | None = None
    retry_after_ms: float | None = None


@register_payload
class RetryGiveUpPayload(Payload, frozen=True):
    """A stream with retries behind it failed for good; `attempt` is the retries made."""

    attempt: int
    max_attempts: int
    reason: str
    last_error: str


@register_payload
class RetryEndPayload(Payload, frozen=True):
    """Closes what RETRY_START opened."""

    attempt: int
    success: bool


@register_payload
class FallbackStartPayload(Payload, frozen=True):
    """The chain moves on."""

    from_index: int
    to_index: int
    reason: str


@register_payload
class FallbackModelSelectedPayload(Payload, frozen=True):
    """Right after FALLBACK_START; the index in the chain, 1 or more."""

    index: int
    reason: str


@register_payload
class FallbackEndPayload(Payload, frozen=True):
    """A fallback stream ended; never for the primary."""

    success: bool
    final_index: int


# --- completion -----------------------------------------------------------------------------


@register_payload
class FinalizationStartPayload(Payload, frozen=True):
    """After STREAM_FINISHED and USAGE."""

    token_count: int
    content_length: int


@register_payload
class FinalizationEndPayload(Payload, frozen=True):
    """All completion checks are done."""

    passed: bool
    duration_ms: float


@register_payload
class InterceptorStartPayload(Payload, frozen=True):
    """Before an interceptor's hook; `phase` is before, after or error."""

    name: str
    phase: str


@register_payload
class InterceptorEndPayload(Payload, frozen=True):
    """After an interceptor's hook."""

    name: str
    phase: str
    duration_ms: float
    error: str | None = None


# --- the record keeping itself --------------------------------------------------------------


@register_payload
class CallbackErrorPayload(Payload, frozen=True):
    """A handler or callback failed; not sent to the one that failed."""

    emitter: ClassVar[str] = "events"

    callback: str
    error: str
    error_type: str
    event_type: str | None = None


@register_payload
class StoreErrorPayload(Payload, frozen=True):
    """A store failed; the run goes on."""

    emitter: ClassVar[str] = "events"

    store: str
    error: str
    lost_records: int


if TYPE_CHECKING:

    class _AnyMember(type(StrEnum)):  # type: ignore[misc]
        def __getattr__(cls, name: str) -> str: ...

    class ObservabilityEventType(StrEnum, metaclass=_AnyMember):
        """Every event type of the catalog; a member's value is its name."""

else:
    ObservabilityEventType = StrEnum(
        "ObservabilityEventType", {name: name for name in type_names()}
    )
    ObservabilityEventType.__module__ = __name__
    ObservabilityEventType.__doc__ = (
        "Every event type of the catalog; a member's value is its name."
    )

SessionSummary = SessionSummaryPayload

__all__ = [name for name in tuple(globals()) if name.endswith("Payload") and name != "Payload"]
