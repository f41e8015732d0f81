"""Counters over runs: of what one handler saw, and of every run of the process."""

from __future__ import annotations

import dataclasses
import threading
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from l0.errors import DriftError, GuardrailError, MissingDependencyError, StreamTimeoutError
from l0.events import ObservabilityEvent, State
from l0.monitoring._install import PROMETHEUS

_TALLIED = 1000  # uneventful runs that are kept as one number each before they are added up


@dataclass(slots=True)
class _Counts:
    requests: int = 0
    tokens: int = 0
    retries: int = 0
    network_retry_count: int = 0
    errors: int = 0
    violations: int = 0
    drift_detections: int = 0
    fallbacks: int = 0
    completions: int = 0
    timeouts: int = 0


NAMES = tuple(field.name for field in dataclasses.fields(_Counts))
"""The counters of `Metrics`, in order."""

MEANINGS = {
    "requests": "runs that began",
    "tokens": "tokens of the text that stood at the end of each run",
    "retries": "retries, of every cause",
    "network_retry_count": "retries that did not count toward `attempts`: the network failed",
    "errors": "attempts that failed",
    "violations": "guardrail violations found",
    "drift_detections": "drift checks that found drift",
    "fallbacks": "times a run moved on to its next stream",
    "completions": "runs that completed",
    "timeouts": "timers that fired",
}
"""What each counter counts."""


class Metrics:
    """Counters, and a handler that counts: `l0.run(…, on_event=metrics)`.

    They may be shared by many runs, on many threads. `requests, tokens, retries,
    network_retry_count, errors, violations, drift_detections, fallbacks, completions, timeouts` are
    attributes.

    Example:
        >>> import asyncio, l0
        >>> from l0.testing import ScriptedModel, fail
        >>> metrics = Metrics()
        >>> model = ScriptedModel([fail(503)], ["Hel", "lo"])
        >>> retry = l0.Retry(base_delay=0)
        >>> _ = asyncio.run(l0.run(model, retry=retry, on_event=metrics).read())
        >>> metrics.requests, metrics.retries, metrics.tokens, metrics.completions
        (1, 1, 2, 1)
    """

    types = frozenset(
        {
            *("SESSION_START", "SESSION_SUMMARY", "COMPLETE", "ERROR", "RETRY_ATTEMPT"),
            *("GUARDRAIL_RULE_RESULT", "DRIFT_CHECK_RESULT", "FALLBACK_START"),
            "TIMEOUT_TRIGGERED",
        }
    )
    found_only = True

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counts = _Counts()

    def __call__(self, event: ObservabilityEvent) -> None:
        """Count one event."""
        payload = event.payload
        match event.type:
            case "SESSION_START":
                self._add(requests=1)
            case "SESSION_SUMMARY":
                self._add(tokens=payload.token_count)
            case "COMPLETE":
                self._add(completions=1)
            case "ERROR":
                self._add(errors=1)
            case "RETRY_ATTEMPT":
                self._add(retries=1, network_retry_count=int(not payload.counts_toward_limit))
            case "GUARDRAIL_RULE_RESULT":
                self._add(violations=len(payload.violations))
            case "DRIFT_CHECK_RESULT":
                self._add(drift_detections=int(payload.detected))
            case "FALLBACK_START":
                self._add(fallbacks=1)
            case "TIMEOUT_TRIGGERED":
                self._add(timeouts=1)

    def _add(self, **counts: int) -> None:
        with self._lock:
            for name, count in counts.items():
                setattr(self._counts, name, getattr(self._counts, name) + count)

    def __getattr__(self, name: str) -> int:
        if name not in NAMES:
            raise AttributeError(f"Metrics has no {name!r}; its counters are {', '.join(NAMES)}")
        count: int = self.snapshot()[name]
        return count

    def __dir__(self) -> list[str]:
        return [*super().__dir__(), *NAMES]

    def snapshot(self) -> dict[str, int]:
        """The counters as they are now, all of one moment."""
        with self._lock:
            return dataclasses.asdict(self._counts)

    def to_dict(self) -> dict[str, int]:
        """As `snapshot`."""
        return self.snapshot()

    def reset(self) -> None:
        """Set every counter to 0."""
        with self._lock:
            self._counts = _Counts()

    def to_prometheus(self, prefix: str = "l0") -> str:
        """The counters in the Prometheus text format: `l0_requests_total` and so on.

        Raises:
            MissingDependencyError: prometheus_client is not installed.
        """
        try:
            from prometheus_client import CollectorRegistry, generate_latest
            from prometheus_client.core import CounterMetricFamily
        except ImportError as error:
            raise MissingDependencyError.of(
                "Metrics as Prometheus text", "prometheus_client", PROMETHEUS
            ) from error
        families = [
            CounterMetricFamily(f"{prefix}_{name}", f"{MEANINGS[name]}.".capitalize(), value=count)
            for name, count in self.snapshot().items()
        ]

        class Once:
            def collect(self) -> Any:
                return families

        registry = CollectorRegistry()
        registry.register(Once())
        return generate_latest(registry).decode()

    def __repr__(self) -> str:
        counts = ", ".join(f"{name}={count}" for name, count in self.snapshot().items() if count)
        return f"Metrics({counts})"


# --- every run of the process -----------------------------------------------------------------


class _GlobalMetrics(Metrics):
    """Also takes runs as a whole, at their ends; uneventful ones cost one append."""

    def __init__(self) -> None:
        super().__init__()
        self.uneventful: list[int] = []  # the token count of each

    def snapshot(self) -> dict[str, int]:
        self.add_up()
        return super().snapshot()

    def reset(self) -> None:
        self.add_up()
        super().reset()

    def add_up(self) -> None:
        """Add the runs that were only noted."""
        with self._lock:
            count = len(self.uneventful)  # others may be noted meanwhile, at the end
            tokens = sum(self.uneventful[:count])
            del self.uneventful[:count]
            self._counts.requests += count
            self._counts.completions += count
            self._counts.tokens += tokens


_global = _GlobalMetrics()
_uneventful = _global.uneventful


def get_global_metrics() -> Metrics:
    """The counters of every run of the process; a run adds its totals once, at its end.

    Example:
        >>> import asyncio, l0
        >>> before = get_global_metrics().completions
        >>> _ = asyncio.run(l0.run(lambda: ["a"]).read())
        >>> get_global_metrics().completions - before
        1
    """
    return _global


def reset_global_metrics() -> None:
    """Set the counters of the process to 0.

    Example:
        >>> reset_global_metrics()
        >>> get_global_metrics().requests
        0
    """
    _global.reset()


def add_run(state: State, errors: Sequence[BaseException], outcome: str) -> None:
    """A run has ended: what `get_global_metrics` knows of it; called once, whoever listens."""
    if outcome == "completed" and not errors and not state.violations and not state.drift_types:
        _uneventful.append(state.token_count)
        if len(_uneventful) >= _TALLIED:
            _global.add_up()
        return
    # Violations of text that was thrown away are no longer in the state, but in its errors.
    found = [v for error in errors if isinstance(error, GuardrailError) for v in error.violations]
    thrown = [violation for violation in found if violation not in state.violations]
    drifted = sum(isinstance(error, DriftError) for error in errors)
    _global._add(
        requests=1,
        tokens=state.token_count,
        retries=state.retry_attempts,
        network_retry_count=state.network_retry_count,
        errors=len(errors),
        violations=len(state.violations) + len(thrown),
        drift_detections=max(drifted, int(state.drift_detected)),
        fallbacks=state.fallback_index,
        completions=int(outcome == "completed"),
        timeouts=sum(isinstance(error, StreamTimeoutError) for error in errors),
    )
