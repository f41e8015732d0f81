"""Runs as Prometheus counters and histograms, through prometheus_client."""

from __future__ import annotations

import threading
import weakref
from typing import Any, Final, NamedTuple

from l0.errors import MissingDependencyError
from l0.events import Handler, ObservabilityEvent, Redactor
from l0.events._redact import as_redactor
from l0.monitoring._install import PROMETHEUS


class Series(NamedTuple):
    """One metric: its name after the prefix, its kind, its labels, and what it measures."""

    name: str
    kind: str
    labels: tuple[str, ...]
    says: str


SERIES: Final = (
    Series("requests_total", "counter", (), "runs that began"),
    Series("runs_in_progress", "gauge", (), "runs that have begun and not ended"),
    Series("runs_total", "counter", ("outcome",), "runs that ended"),
    Series("tokens_total", "counter", (), "tokens of the text that stood at the end"),
    Series("lost_tokens_total", "counter", (), "tokens of text that was thrown away"),
    Series("usage_tokens_total", "counter", ("type", "model"), "tokens as providers count them"),
    Series("errors_total", "counter", ("category",), "attempts that failed"),
    Series("retries_total", "counter", ("category",), "retries"),
    Series("fallbacks_total", "counter", (), "times a run moved on to its next stream"),
    Series("timeouts_total", "counter", ("type",), "timers that fired"),
    Series("network_errors_total", "counter", ("type",), "attempts the network failed"),
    Series("violations_total", "counter", ("rule", "severity"), "guardrail violations found"),
    Series("drift_detections_total", "counter", (), "drift checks that found drift"),
    Series("run_duration_seconds", "histogram", ("outcome",), "runs, from first use to end"),
    Series("time_to_first_token_seconds", "histogram", (), "from first use to the first token"),
)
"""Every metric of the handler."""

_BUCKETS = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 25.0, 60.0, 120.0, 300.0)
_OPEN = 10_000  # runs that may be open at once; the oldest is forgotten beyond that

# A registry takes a name once; handlers for the same one share what is there.
_made: weakref.WeakKeyDictionary[Any, dict[str, dict[str, Any]]] = weakref.WeakKeyDictionary()
_lock = threading.Lock()


def create_prometheus_handler(
    registry: Any = None, prefix: str = "l0", *, redact: bool | Redactor = True
) -> Handler:
    """A handler that counts into a Prometheus registry.

    Args:
        registry: a `prometheus_client.CollectorRegistry`; None is the default one.
        prefix: what the metrics' names begin with.
        redact: True, False or a `Redactor` for the labels `model` and `rule`.

    Raises:
        MissingDependencyError: prometheus_client is not installed.
        ValueError: the registry has a metric of one of these names already.

    Example:
        >>> import asyncio, l0
        >>> from prometheus_client import CollectorRegistry
        >>> registry = CollectorRegistry()
        >>> handler = create_prometheus_handler(registry)
        >>> _ = asyncio.run(l0.run(lambda: ["a", "b"], on_event=handler).read())
        >>> registry.get_sample_value("l0_tokens_total")
        2.0
    """
    try:
        import prometheus_client
    except ImportError as error:
        raise MissingDependencyError.of("Metrics", "prometheus_client", PROMETHEUS) from error
    registry = prometheus_client.REGISTRY if registry is None else registry
    as_redactor(redact)
    with _lock:
        prefixes = _made.setdefault(registry, {})
        if prefix not in prefixes:
            prefixes[prefix] = _metrics(prometheus_client, registry, prefix)
        return _Prometheus(prefixes[prefix], redact)


def _metrics(client: Any, registry: Any, prefix: str) -> dict[str, Any]:
    made: dict[str, Any] = {}
    try:
        for series in SERIES:
            about = (f"{prefix}_{series.name}", f"{series.says.capitalize()}.", series.labels)
            if series.kind == "histogram":
                metric = client.Histogram(*about, registry=registry, buckets=_BUCKETS)
            else:
                kind = client.Counter if series.kind == "counter" else client.Gauge
                metric = kind(*about, registry=registry)
            made[series.name] = metric
    except ValueError:
        for metric in made.values():
            registry.unregister(metric)
        raise
    return made


class _Prometheus:
    """See `create_prometheus_handler`."""

    found_only = True
    types = frozenset(
        {
            *("SESSION_START", "SESSION_SUMMARY", "SESSION_END", "STREAM_FINISHED", "USAGE"),
            *("ERROR", "RETRY_ATTEMPT", "FALLBACK_START", "TIMEOUT_TRIGGERED", "NETWORK_ERROR"),
            *("GUARDRAIL_RULE_RESULT", "DRIFT_CHECK_RESULT"),
        }
    )

    def __init__(self, metrics: dict[str, Any], redact: bool | Redactor) -> None:
        self._metrics, self._redact = metrics, redact
        self._models: dict[str, str] = {}  # of the runs that are open and have named one

    def __call__(self, event: ObservabilityEvent) -> None:
        e, count = event.payload, self._count
        match event.type:
            case "SESSION_START":
                count("requests_total")
                self._open(event.stream_id)
            case "STREAM_FINISHED":
                if event.stream_id in self._models:
                    self._models[event.stream_id] = e.model or ""
            case "USAGE":
                model = self._text(self._models.get(event.stream_id, ""))
                count("usage_tokens_total", e.input_tokens, type="input", model=model)
                count("usage_tokens_total", e.output_tokens, type="output", model=model)
            case "ERROR":
                count("errors_total", category=e.category)
            case "RETRY_ATTEMPT":
                count("retries_total", category=e.category)
            case "FALLBACK_START":
                count("fallbacks_total")
                if event.stream_id in self._models:
                    self._models[event.stream_id] = ""  # another stream, another model
            case "TIMEOUT_TRIGGERED":
                count("timeouts_total", type=e.timeout_type)
            case "NETWORK_ERROR":
                count("network_errors_total", type=e.network_type)
            case "GUARDRAIL_RULE_RESULT":
                for found in e.violations:
                    rule, severity = self._text(found.rule), str(found.severity)
                    count("violations_total", rule=rule, severity=severity)
            case "DRIFT_CHECK_RESULT":
                count("drift_detections_total", int(e.detected))
            case "SESSION_SUMMARY":
                count("tokens_total", e.token_count)
                count("lost_tokens_total", e.lost_tokens)
                if e.time_to_first_token_ms is not None:
                    seconds = e.time_to_first_token_ms / 1000
                    self._metrics["time_to_first_token_seconds"].observe(seconds)
            case "SESSION_END":
                if self._models.pop(event.stream_id, None) is not None:
                    self._metrics["runs_in_progress"].dec()
                count("runs_total", outcome=e.outcome)
                lasted = self._metrics["run_duration_seconds"].labels(outcome=e.outcome)
                lasted.observe(e.duration_ms / 1000)

    def _open(self, stream_id: str) -> None:
        self._models[stream_id] = ""
        self._metrics["runs_in_progress"].inc()
        if len(self._models) > _OPEN:  # a run that was dropped never ends
            self._models.pop(next(iter(self._models)), None)
            self._metrics["runs_in_progress"].dec()

    def _count(self, name: str, by: float = 1, **labels: str) -> None:
        metric = self._metrics[name]
        (metric.labels(**labels) if labels else metric).inc(by)

    def _text(self, text: str) -> str:
        redactor = as_redactor(self._redact)
        return text if redactor is None else redactor.value(text)
