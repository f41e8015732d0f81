"""One run as a span with a child for each attempt, made of its events."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from l0.events import ObservabilityEvent, to_json
from l0.events._redact import as_redactor
from l0.monitoring._content import may_quote
from l0.monitoring._otel_names import PROVIDERS
from l0.monitoring._telemetry import speed

if TYPE_CHECKING:
    from l0.monitoring._otel import OpenTelemetry

_USAGE = "gen_ai.client.token.usage"
_DURATION = "gen_ai.client.operation.duration"
_FIRST_CHUNK = "gen_ai.client.operation.time_to_first_chunk"


class RunSpan:
    """The span of a run that has begun; `take` gives it the events that follow."""

    def __init__(
        self, owner: OpenTelemetry, event: ObservabilityEvent, parent: RunSpan | None
    ) -> None:
        from opentelemetry import trace

        self._span: Any = None
        self._attempt: Any = None
        self._trace, self._owner, self._config = trace, owner, owner.config
        self._fixed = dict(owner.config.default_attributes)
        self._redactor = as_redactor(owner.config.redact)
        self._at = event.ts
        model = event.meta.get("model")
        self._common: dict[str, Any] = {"gen_ai.operation.name": "chat"}
        if isinstance(model, str):
            self._common["gen_ai.request.model"] = self._text(model)
        self._common |= self._fixed
        # A run that was started in another is part of it, unless a span was opened in between.
        self._outer = outer = trace.get_current_span()
        within = None
        if parent is not None and outer is parent._outer:
            within = trace.set_span_in_context(parent._attempt or parent._span)
        asked = self._common.get("gen_ai.request.model")
        self._span = owner.tracer.start_span(
            f"chat {asked}" if asked else "chat",
            within,
            kind=trace.SpanKind.CLIENT,
            attributes={
                **self._common,
                "gen_ai.request.stream": True,
                "l0.stream.id": event.stream_id,
            },
            start_time=_ns(event.ts),
        )
        self._context = trace.set_span_in_context(self._span)
        self._answer: dict[str, Any] = {}  # what the last answer said of itself
        self._failure: Any = None  # the last ERROR
        self._usage = [0, 0, 0, 0]
        self._used = False
        self._counts = {"attempts": 0, "network": 0, "violations": 0, "fallback": 0, "retries": 0}
        self._drift = False
        self._summary: Any = None
        self._texts: list[str] = []

    def take(self, event: ObservabilityEvent) -> None:
        """One more event of the run."""
        self._at = event.ts
        take = _TAKES.get(event.type)
        if take is not None:
            take(self, event.payload)

    def abandon(self) -> None:
        """The run never ended, as far as anybody was told."""
        self._finish("abandoned", 0.0)

    # --- attempts ---

    def _init(self, e: Any) -> None:
        self._end_attempt("interrupted")
        self._counts["attempts"] += 1
        self._answer = {}
        self._attempt = self._owner.tracer.start_span(
            f"attempt {self._counts['attempts']}",
            self._context,
            attributes={
                **self._common,
                "l0.attempt.number": e.attempt,
                "l0.fallback.index": e.fallback_index,
            },
            start_time=_ns(self._at),
        )

    def _adapter(self, e: Any) -> None:
        adapter = self._text(e.adapter_id)
        provider = self._fixed.get("gen_ai.provider.name", PROVIDERS.get(adapter, adapter))
        if provider is None:
            return
        self._common["gen_ai.provider.name"] = provider
        self._span.set_attributes({"gen_ai.provider.name": provider, "gen_ai.system": provider})
        if self._attempt is not None:
            self._attempt.set_attribute("gen_ai.provider.name", provider)

    def _finished(self, e: Any) -> None:
        answer: dict[str, Any] = {}
        if e.model:
            answer["gen_ai.response.model"] = self._text(e.model)
        if e.response_id:
            answer["gen_ai.response.id"] = self._text(e.response_id)
        if e.finish_reason:
            answer["gen_ai.response.finish_reasons"] = [self._text(e.finish_reason)]
        if e.time_to_first_token_ms is not None:
            seconds = e.time_to_first_token_ms / 1000
            answer["gen_ai.response.time_to_first_chunk"] = seconds
            self._record(_FIRST_CHUNK, seconds, answer, {"gen_ai.request.stream": True})
        self._answer = answer | self._fixed
        if self._attempt is not None:
            self._attempt.set_attributes(self._answer)

    def _add_usage(self, e: Any) -> None:
        self._used = True
        counts = (e.input_tokens, e.output_tokens, e.cached_input_tokens, e.reasoning_tokens)
        self._usage = [a + b for a, b in zip(self._usage, counts, strict=True)]
        for kind, count in (("input", e.input_tokens), ("output", e.output_tokens)):
            self._record(_USAGE, count, self._answer, {"gen_ai.token.type": kind})
        if self._attempt is not None:
            self._attempt.set_attributes(
                {
                    "l0.attempt.input_tokens": e.input_tokens,
                    "l0.attempt.output_tokens": e.output_tokens,
                    "l0.attempt.usage_source": e.source,
                }
            )

    def _error(self, e: Any) -> None:
        self._failure = e
        error = self._error_text(e.error)
        span = self._span if self._attempt is None else self._attempt
        self._event(span, "exception", {"type": e.error_type, "message": error}, "exception.")
        self._end_attempt(e.error_type, error)

    def _end_attempt(self, error_type: str | None = None, description: str | None = None) -> None:
        attempt, self._attempt = self._attempt, None
        if attempt is None:
            return
        if error_type is not None:
            attempt.set_attribute("error.type", error_type)
            self._fail(attempt, description or error_type)
        attempt.end(_ns(self._at))

    # --- what happens meanwhile ---

    def _retry(self, e: Any) -> None:
        self._counts["retries"] += 1
        told = {"reason": e.reason, "category": e.category, "delay_ms": e.delay_ms}
        self._event(self._span, "l0.retry", told | {"attempt.number": e.attempt})

    def _fallback(self, e: Any) -> None:
        self._counts["fallback"] = e.index
        self._event(self._span, "l0.fallback", {"reason": e.reason, "fallback.index": e.index})

    def _resume(self, e: Any) -> None:
        self._event(self._span, "l0.resume", {"checkpoint_length": e.checkpoint_length})

    def _network(self, e: Any) -> None:  # noqa: ARG002  all have one signature
        self._counts["network"] += 1

    def _timeout(self, e: Any) -> None:
        told = {"timeout.type": e.timeout_type, "elapsed_ms": e.elapsed_ms}
        self._event(self._attempt or self._span, "l0.timeout", told)

    def _rule(self, e: Any) -> None:
        self._counts["violations"] += len(e.violations)
        if not self._config.record_guardrail_violations:
            return
        for found in e.violations:
            # Messages may quote the text, so they count as content.
            message = found.message if self._config.record_token_content else None
            told = {"rule": found.rule, "severity": str(found.severity), "message": message}
            told["position"] = found.position
            span = self._attempt or self._span
            self._event(span, "l0.guardrail.violation", told, "l0.guardrail.")

    def _drifted(self, e: Any) -> None:
        if e.detected:
            self._drift = True
            told = {"types": [*e.types], "score": e.score}
            self._event(self._attempt or self._span, "l0.drift", told, "l0.drift.")

    def _tool(self, e: Any) -> None:
        told = {"name": e.tool_name, "call.id": e.tool_call_id}
        if self._config.record_token_content:
            told["call.arguments"] = to_json(e.arguments)
        self._event(self._attempt or self._span, "l0.tool.requested", told, "gen_ai.tool.")

    def _tokens(self, e: Any) -> None:
        if self._config.trace_tokens:
            told = {"count": len(e.texts), "start": e.start}
            self._event(self._attempt or self._span, "l0.tokens", told, "l0.token.")
        if self._config.record_token_content:
            self._texts += e.texts

    def _restart(self, e: Any) -> None:
        kept = "".join(self._texts)[: e.kept_chars]
        self._texts = [kept] if kept else []

    # --- the end ---

    def _note(self, e: Any) -> None:
        self._summary = e

    def _end(self, e: Any) -> None:
        self._finish(e.outcome, e.duration_ms / 1000)

    def _finish(self, outcome: str, duration: float) -> None:
        completed, summary = outcome == "completed", self._summary
        error_type = None
        if not completed:
            error_type = outcome
            if outcome == "failed":
                error_type = "_OTHER" if self._failure is None else self._failure.error_type
        self._end_attempt(error_type)
        counts = self._counts
        told: dict[str, Any] = {
            **self._answer,
            "l0.stream.completed": completed,
            "l0.stream.outcome": outcome,
            "l0.attempt.count": counts["attempts"],
            "l0.fallback.index": counts["fallback"],
            "l0.retry.count": counts["retries"],
            "l0.network.error_count": counts["network"],
            "l0.guardrail.violation_count": counts["violations"],
            "l0.drift.detected": self._drift,
        }
        if self._used:
            entered, written, cached, thought = self._usage
            told["gen_ai.usage.input_tokens"] = entered
            told["gen_ai.usage.output_tokens"] = written
            if cached:
                told["gen_ai.usage.cache_read.input_tokens"] = cached
            if thought:
                told["gen_ai.usage.reasoning.output_tokens"] = thought
        if summary is not None:
            told |= _of_summary(summary, duration)
        if self._config.record_token_content and self._texts:
            told["gen_ai.output.messages"] = self._messages()
        if error_type is not None:
            told["error.type"] = error_type
            error = None if summary is None else summary.error
            self._fail(self._span, self._error_text(error) if error else f"the run was {outcome}")
        self._span.set_attributes(told | self._fixed)
        self._span.end(_ns(self._at))
        if outcome != "abandoned":
            failed = {} if error_type is None else {"error.type": error_type}
            self._record(_DURATION, duration, self._answer, failed)

    def _messages(self) -> str:
        """What the model wrote, redacted whole, as the conventions spell it."""
        part = {"type": "text", "content": self._text("".join(self._texts))}
        message = {"role": "assistant", "parts": [part]}
        reasons = self._answer.get("gen_ai.response.finish_reasons")
        if reasons:
            message["finish_reason"] = reasons[0]
        return to_json([message])

    # --- telling ---

    def _record(self, metric: str, value: float, answer: dict[str, Any], more: Any) -> None:
        attributes = {**self._common, **more}
        if "gen_ai.response.model" in answer:
            attributes["gen_ai.response.model"] = answer["gen_ai.response.model"]
        attributes |= self._fixed
        self._owner.instruments[metric].record(value, attributes, context=self._context)

    def _event(self, span: Any, name: str, told: dict[str, Any], prefix: str = "l0.") -> None:
        attributes = {
            f"{prefix}{key}": self._text(value) if isinstance(value, str) else value
            for key, value in told.items()
            if value is not None
        }
        span.add_event(name, attributes, _ns(self._at))

    def _fail(self, span: Any, description: str) -> None:
        trace = self._trace
        span.set_status(trace.Status(trace.StatusCode.ERROR, description))

    def _error_text(self, error: str) -> str:
        if may_quote(self._failure) and not self._config.record_token_content:
            return str(self._failure.error_type)
        return self._text(error)

    def _text(self, text: str) -> str:
        return text if self._redactor is None else self._redactor.value(text)


def _of_summary(summary: Any, duration: float) -> dict[str, Any]:
    told = {"l0.token.count": summary.token_count, "l0.lost_tokens": summary.lost_tokens}
    first = summary.time_to_first_token_ms
    if first is not None:
        told["l0.time_to_first_token_ms"] = first
        rate = speed(summary.token_count, duration, first / 1000)
        if rate is not None:
            told["l0.tokens_per_second"] = rate
    return told


def _ns(ts: float) -> int:
    """Unix nanoseconds of an event's time."""
    return round(ts * 1000) * 1000


_TAKES: dict[str, Any] = {
    "STREAM_INIT": RunSpan._init,
    "ADAPTER_DETECTED": RunSpan._adapter,
    "STREAM_FINISHED": RunSpan._finished,
    "USAGE": RunSpan._add_usage,
    "ERROR": RunSpan._error,
    "NETWORK_ERROR": RunSpan._network,
    "TIMEOUT_TRIGGERED": RunSpan._timeout,
    "RETRY_ATTEMPT": RunSpan._retry,
    "RESUME_START": RunSpan._resume,
    "RESTART": RunSpan._restart,
    "FALLBACK_MODEL_SELECTED": RunSpan._fallback,
    "GUARDRAIL_RULE_RESULT": RunSpan._rule,
    "DRIFT_CHECK_RESULT": RunSpan._drifted,
    "TOOL_REQUESTED": RunSpan._tool,
    "TOKENS": RunSpan._tokens,
    "SESSION_SUMMARY": RunSpan._note,
    "SESSION_END": RunSpan._end,
}
