"""Failed runs as Sentry events, with what led there as breadcrumbs."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Self

from l0.errors import MissingDependencyError
from l0.events import Handler, ObservabilityEvent, Redactor, Severity
from l0.events._redact import as_redactor
from l0.monitoring._combine import combine_events
from l0.monitoring._content import may_quote
from l0.monitoring._install import SENTRY

_OPEN = 10_000  # runs that may be open at once; the oldest is forgotten beyond that
_LEVELS = {Severity.WARNING: "warning", Severity.ERROR: "error", Severity.FATAL: "fatal"}
_SEVERITIES = tuple(_LEVELS)
_STATUS = {"completed": "ok", "failed": "internal_error"}


@dataclass(frozen=True, slots=True)
class SentryConfig:
    """What goes to Sentry.

    Args:
        capture_network_errors: network failures that a run recovers from, as breadcrumbs.
        capture_guardrail_violations: violations as events of their own.
        min_guardrail_severity: the least severity of those: warning, error or fatal.
        breadcrumbs_for_tokens: a breadcrumb for each batch of tokens: how many, not which.
        enable_tracing: a Sentry span for each run; a transaction where none is open.
        tags: tags of every event.
        environment: the environment of every event; None leaves that to the SDK.
        redact: True, False or a `Redactor` for every text that is sent.

    Raises:
        TypeError: `tags` is no mapping, or `redact` no redactor.
        ValueError: a field has a value that makes no sense; it is named.

    Example:
        >>> SentryConfig().replace(min_guardrail_severity="fatal").enable_tracing
        True
    """

    capture_network_errors: bool = True
    capture_guardrail_violations: bool = True
    min_guardrail_severity: str = "error"
    breadcrumbs_for_tokens: bool = False
    enable_tracing: bool = True
    tags: Mapping[str, str] = field(default_factory=dict)
    environment: str | None = None
    redact: bool | Redactor = True

    def __post_init__(self) -> None:
        if self.min_guardrail_severity not in _SEVERITIES:
            raise ValueError(
                f"SentryConfig.min_guardrail_severity is one of {', '.join(_SEVERITIES)}, "
                f"not {self.min_guardrail_severity!r}"
            )
        if not isinstance(self.tags, Mapping):
            raise TypeError(f"SentryConfig.tags is a mapping of name to text, not {self.tags!r}")
        as_redactor(self.redact)

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


def create_sentry_handler(sentry: Any = None, config: SentryConfig | None = None) -> Handler:
    """A handler that tells Sentry of runs.

    Retries, fallbacks, timeouts and network failures become breadcrumbs, which carry the run's
    `stream_id`. An exception is captured only when a run fails for good; its text, and all others,
    are redacted, and what the model wrote is never sent.

    Args:
        sentry: the module `sentry_sdk`, initialised; None imports it.
        config: what to send; None is `SentryConfig()`.

    Raises:
        MissingDependencyError: sentry_sdk is not installed.
        TypeError: the config is no `SentryConfig`.

    Example:
        >>> "ERROR" in create_sentry_handler().types
        True
    """
    config = SentryConfig() if config is None else config
    if not isinstance(config, SentryConfig):
        raise TypeError(f"config is a SentryConfig, not {config!r}")
    if sentry is None:
        try:
            import sentry_sdk as sentry
        except ImportError as error:
            raise MissingDependencyError.of("Sentry events", "sentry_sdk", SENTRY) from error
    return _Sentry(sentry, config)


def with_sentry(
    handler: Handler | None = None,
    /,
    *,
    sentry: Any = None,
    config: SentryConfig | None = None,
) -> Handler:
    """Your own handler and a Sentry one together: `on_event=with_sentry(mine)`.

    Example:
        >>> mine = l0.monitoring.filter_events(["COMPLETE"], print)
        >>> "RETRY_ATTEMPT" in with_sentry(mine).types
        True
    """
    return combine_events(handler, create_sentry_handler(sentry, config))


class _Known:
    """What is remembered of a run until its end."""

    __slots__ = ("failure", "span", "summary")

    def __init__(self) -> None:
        self.failure: Any = None  # the last ERROR
        self.summary: Any = None
        self.span: Any = None


class _Sentry:
    """See `create_sentry_handler`."""

    found_only = True

    def __init__(self, sentry: Any, config: SentryConfig) -> None:
        self.sentry, self.config = sentry, config
        self._lock = threading.Lock()  # runs may be on several threads
        self._runs: OrderedDict[str, _Known] = OrderedDict()

    @property
    def types(self) -> frozenset[str]:
        """The event types it asks for."""
        config = self.config
        return frozenset(
            {
                *("SESSION_START", "ERROR", "RETRY_ATTEMPT", "FALLBACK_START"),
                *("TIMEOUT_TRIGGERED", "SESSION_SUMMARY", "SESSION_END"),
                *(("NETWORK_ERROR",) if config.capture_network_errors else ()),
                *(("GUARDRAIL_RULE_RESULT",) if config.capture_guardrail_violations else ()),
                *(("TOKENS",) if config.breadcrumbs_for_tokens else ()),
            }
        )

    def __call__(self, event: ObservabilityEvent) -> None:
        e = event.payload
        match event.type:
            case "SESSION_START":
                self._start(event)
            case "RETRY_ATTEMPT":
                told = {"attempt": e.attempt, "category": e.category, "delay_ms": e.delay_ms}
                self._crumb(event, "retry", f"retry {e.attempt}: {e.reason}", told, "warning")
            case "FALLBACK_START":
                told = {"from_index": e.from_index, "to_index": e.to_index}
                self._crumb(event, "fallback", f"fallback: {e.reason}", told, "warning")
            case "TIMEOUT_TRIGGERED":
                told = {"timeout_type": e.timeout_type, "elapsed_ms": e.elapsed_ms}
                self._crumb(event, "timeout", f"{e.timeout_type} timeout", told, "warning")
            case "NETWORK_ERROR":
                told = {"network_type": e.network_type, "error_type": e.error_type}
                self._crumb(event, "network", e.error, told, "warning")
            case "TOKENS":
                told = {"start": e.start, "count": len(e.texts)}
                self._crumb(event, "tokens", f"{len(e.texts)} tokens", told, "debug")
            case "GUARDRAIL_RULE_RESULT":
                for found in e.violations:
                    self._violation(event, found)
            case "ERROR" | "SESSION_SUMMARY":
                known = self._runs.get(event.stream_id)
                if known is not None:
                    setattr(known, "failure" if event.type == "ERROR" else "summary", e)
            case "SESSION_END":
                self._end(event)

    # --- the run ---

    def _start(self, event: ObservabilityEvent) -> None:
        known = _Known()
        if self.config.enable_tracing:
            model = event.meta.get("model")
            name = f"chat {self._text(model)}" if isinstance(model, str) else "chat"
            within = self.sentry.get_current_span()
            begin = self.sentry.start_transaction if within is None else within.start_child
            known.span = begin(op="gen_ai.chat", name=name, start_timestamp=_time(event.ts))
            known.span.set_data("l0.stream.id", event.stream_id)
        with self._lock:
            self._runs[event.stream_id] = known
            if len(self._runs) > _OPEN:
                self._runs.popitem(last=False)

    def _end(self, event: ObservabilityEvent) -> None:
        with self._lock:
            known = self._runs.pop(event.stream_id, None)
        if known is None:
            return
        outcome = event.payload.outcome
        if outcome == "failed":
            self._failed(event, known)
        span = known.span
        if span is not None:
            span.set_status(_STATUS.get(outcome, "cancelled"))
            if known.summary is not None:
                span.set_data("l0.token.count", known.summary.token_count)
                span.set_data("l0.attempt.count", known.summary.attempts)
            span.finish(end_timestamp=_time(event.ts))

    def _failed(self, event: ObservabilityEvent, known: _Known) -> None:
        failure, summary = known.failure, known.summary
        text = (summary and summary.error) or (failure and failure.error) or "the run failed"
        if may_quote(failure):
            text = f"the run failed: {failure.error_type}"
        exception = {
            "type": failure.error_type if failure is not None else "Error",
            "value": self._text(text),
            "mechanism": {"type": "l0", "handled": True},
        }
        told: dict[str, Any] = {"stream_id": event.stream_id}
        tags = {}
        if failure is not None:
            tags = {"l0.category": failure.category, "l0.failure_type": failure.failure_type}
            told |= {"error_code": failure.error_code, "status": failure.status}
        if summary is not None:
            told |= {
                "attempts": summary.attempts,
                "fallback_index": summary.fallback_index,
                "tokens": summary.token_count,
                "duration_ms": summary.duration_ms,
            }
        self._send(event, {"exception": {"values": [exception]}}, "error", tags, told)

    def _violation(self, event: ObservabilityEvent, found: Any) -> None:
        least = _SEVERITIES.index(Severity(self.config.min_guardrail_severity))
        severity = Severity(found.severity)
        if _SEVERITIES.index(severity) < least:
            return
        rule = self._text(found.rule)  # the message may quote the text, which is never sent
        told = {"stream_id": event.stream_id, "position": found.position}
        tags = {"l0.rule": rule, "l0.severity": str(severity)}
        # With a list of threads, `attach_stacktrace` adds no stack, nor what is in its locals.
        message = {"message": f"guardrail violation: {rule}", "threads": {"values": []}}
        self._send(event, message, _LEVELS[severity], tags, told)

    # --- sending ---

    def _send(
        self,
        event: ObservabilityEvent,
        what: dict[str, Any],
        level: str,
        tags: Mapping[str, str],
        told: dict[str, Any],
    ) -> None:
        made: dict[str, Any] = {
            **what,
            "level": level,
            "logger": "l0",
            "timestamp": _time(event.ts),
            "tags": {**tags, **self.config.tags},
            "contexts": {"l0": {name: value for name, value in told.items() if value is not None}},
        }
        if self.config.environment is not None:
            made["environment"] = self.config.environment
        self.sentry.capture_event(made)

    def _crumb(
        self, event: ObservabilityEvent, kind: str, message: str, told: Any, level: str
    ) -> None:
        self.sentry.add_breadcrumb(
            category=f"l0.{kind}",
            message=self._text(message),
            level=level,
            timestamp=_time(event.ts),
            data={"stream_id": event.stream_id, **told},
        )

    def _text(self, text: str) -> str:
        redactor = as_redactor(self.config.redact)
        return text if redactor is None else redactor.value(text)

    def __repr__(self) -> str:
        return f"<Sentry handler with {len(self._runs)} runs open>"


def _time(ts: float) -> datetime:
    return datetime.fromtimestamp(ts / 1000, UTC)
