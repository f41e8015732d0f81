"""One run's events gathered into its telemetry."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import msgspec

from l0.events import ObservabilityEvent, Redactor, Usage, to_dict
from l0.monitoring._quantiles import Quantiles
from l0.monitoring._telemetry import AttemptTelemetry, Percentiles, Telemetry

TYPES = frozenset(
    {
        *("SESSION_START", "STREAM_INIT", "ADAPTER_DETECTED", "STREAM_FINISHED", "USAGE"),
        *("ERROR", "NETWORK_ERROR", "TIMEOUT_TRIGGERED", "RETRY_ATTEMPT", "RESUME_START"),
        *("FALLBACK_MODEL_SELECTED", "GUARDRAIL_RULE_RESULT", "DRIFT_CHECK_RESULT"),
        *("TOOL_REQUESTED", "SESSION_SUMMARY", "SESSION_END"),
    }
)
"""What it takes; with TOKENS, there are times between tokens too."""


class Collector:
    """Takes the events of one run, from SESSION_START on."""

    def __init__(self, event: ObservabilityEvent, redactor: Redactor | None) -> None:
        self._redactor = redactor
        self._told: dict[str, Any] = {
            "parent_id": event.payload.parent_id,
            "meta": clean(event.meta, redactor),
        }
        self._stream_id, self._started = event.stream_id, event.ts / 1000
        self._attempts: list[dict[str, Any]] = []
        self._usage = Usage()
        self._counted: dict[str, dict[str, int]] = {
            "timeouts": {},
            "network_errors": {},
            "violations": {},
        }
        self._drift: list[str] = []
        self._totals = {"retries": 0, "network_retries": 0, "tool_calls": 0}
        self._gaps: Quantiles | None = None
        self._last_us: float | None = None
        self._open = False  # an attempt is on

    def add(self, event: ObservabilityEvent) -> None:
        """One more event."""
        take = _TAKES.get(event.type)
        if take is not None:
            take(self, event.payload, event.ts / 1000)

    def telemetry(self) -> Telemetry:
        """What is known so far."""
        gaps = self._gaps
        spread = None
        if gaps is not None:
            spread = Percentiles(gaps.count, gaps.at(0.5), gaps.at(0.9), gaps.at(0.99))
        known: dict[str, Any] = {name: dict(counts) for name, counts in self._counted.items()}
        return Telemetry(
            self._stream_id,
            self._started,
            inter_token=spread,
            usage=self._usage,
            attempts=[AttemptTelemetry(**attempt) for attempt in self._attempts],
            drift_types=[*self._drift],
            **(known | self._totals | self._told),
        )

    # --- event by event ---

    def _init(self, e: Any, at: float) -> None:
        self._close(at, "failed")
        self._open, self._last_us = True, None
        self._attempts.append(
            {"number": e.attempt, "fallback_index": e.fallback_index, "started_at": at}
        )

    def _adapter(self, e: Any, at: float) -> None:  # noqa: ARG002  all have one signature
        if self._open:
            self._attempts[-1]["adapter"] = e.adapter_id

    def _finished(self, e: Any, at: float) -> None:
        if not self._open:
            return
        first = e.time_to_first_token_ms
        self._attempts[-1].update(
            model=self._text(e.model),
            finish_reason=e.finish_reason,
            time_to_first_token=None if first is None else first / 1000,
            duration=at - self._attempts[-1]["started_at"],
        )
        self._told["model"] = self._text(e.model) or self._told.get("model")

    def _add_usage(self, e: Any, at: float) -> None:  # noqa: ARG002
        usage = usage_of(e)
        self._usage += usage
        # A response that was gone on with reports once, for the attempt it ended in.
        if self._attempts:
            last = self._attempts[-1]
            last["usage"] = usage if last.get("usage") is None else last["usage"] + usage
            last["usage_source"] = e.source

    def _error(self, e: Any, at: float) -> None:
        error = self._text(e.error)
        if self._open:
            self._attempts[-1].update(error=error, error_type=e.error_type, category=e.category)
        self._told["error_type"] = e.error_type
        self._close(at, "failed")

    def _network(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._count("network_errors", e.network_type)

    def _timeout(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._count("timeouts", e.timeout_type)

    def _retry(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._totals["retries"] += 1
        self._totals["network_retries"] += not e.counts_toward_limit

    def _resume(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._told["resumed"] = True

    def _fallback(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._told["fallback_index"] = e.index

    def _rule(self, e: Any, at: float) -> None:  # noqa: ARG002
        for violation in e.violations:
            self._count("violations", self._text(violation.rule) or "")

    def _drifted(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._drift += [kind for kind in e.types if e.detected and kind not in self._drift]

    def _tool(self, e: Any, at: float) -> None:  # noqa: ARG002
        self._totals["tool_calls"] += 1

    def _tokens(self, e: Any, at: float) -> None:
        if self._gaps is None:
            self._gaps = Quantiles()
        times = [at * 1e6 + offset for offset in e.offsets_us]
        before = times[:1] if self._last_us is None else [self._last_us]
        pairs = zip([*before, *times], times, strict=False)
        skip = self._last_us is None
        self._gaps.add([(b - a) / 1e6 for a, b in pairs][skip:])
        self._last_us = times[-1] if times else self._last_us

    def _summary(self, e: Any, at: float) -> None:  # noqa: ARG002
        first = e.time_to_first_token_ms
        self._told.update(
            tokens=e.token_count,
            lost_tokens=e.lost_tokens,
            content_length=e.content_length,
            finish_reason=e.finish_reason,
            time_to_first_token=None if first is None else first / 1000,
            error=self._text(e.error),
        )
        if e.outcome != "failed":
            self._told.pop("error_type", None)  # of attempts that were recovered from

    def _end(self, e: Any, at: float) -> None:
        self._close(at, e.outcome)
        self._told.update(outcome=e.outcome, ended_at=at, duration=e.duration_ms / 1000)

    def _close(self, at: float, outcome: str) -> None:
        if self._open:
            attempt, self._open = self._attempts[-1], False
            attempt.setdefault("duration", at - attempt["started_at"])
            attempt["outcome"] = outcome

    def _count(self, what: str, kind: str) -> None:
        counts = self._counted[what]
        counts[kind] = counts.get(kind, 0) + 1

    def _text(self, text: str | None) -> str | None:
        return text if text is None or self._redactor is None else self._redactor.value(text)


_TAKES: dict[str, Any] = {
    "STREAM_INIT": Collector._init,
    "ADAPTER_DETECTED": Collector._adapter,
    "STREAM_FINISHED": Collector._finished,
    "USAGE": Collector._add_usage,
    "ERROR": Collector._error,
    "NETWORK_ERROR": Collector._network,
    "TIMEOUT_TRIGGERED": Collector._timeout,
    "RETRY_ATTEMPT": Collector._retry,
    "RESUME_START": Collector._resume,
    "FALLBACK_MODEL_SELECTED": Collector._fallback,
    "GUARDRAIL_RULE_RESULT": Collector._rule,
    "DRIFT_CHECK_RESULT": Collector._drifted,
    "TOOL_REQUESTED": Collector._tool,
    "TOKENS": Collector._tokens,
    "SESSION_SUMMARY": Collector._summary,
    "SESSION_END": Collector._end,
}


def usage_of(payload: Any) -> Usage:
    """The usage that a USAGE event tells of."""
    return Usage(
        payload.input_tokens,
        payload.output_tokens,
        payload.total_tokens,
        payload.cached_input_tokens,
        payload.reasoning_tokens,
        requests=1,
    )


def clean(meta: Mapping[str, Any], redactor: Redactor | None) -> dict[str, Any]:
    """The caller's `meta` as JSON has it, without secrets."""
    if not meta:
        return {}
    plain: dict[str, Any] = to_dict(_Meta(meta))["meta"]
    return plain if redactor is None else redactor.value(plain)


class _Meta(msgspec.Struct):
    meta: Any
