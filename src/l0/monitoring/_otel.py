"""Runs as OpenTelemetry spans and metrics: one span a run, a child for each attempt."""

from __future__ import annotations

import dataclasses
import threading
from collections import OrderedDict
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from l0.errors import MissingDependencyError
from l0.events import Handler, ObservabilityEvent, Redactor
from l0.events._redact import as_redactor
from l0.monitoring import _otel_names as names
from l0.monitoring._collect import TYPES
from l0.monitoring._combine import combine_events
from l0.monitoring._install import OTEL
from l0.monitoring._otel_span import RunSpan

_OPEN = 10_000  # runs that may be open at once; the oldest is ended beyond that


@dataclass(frozen=True, slots=True)
class OpenTelemetryConfig:
    """What spans tell.

    Args:
        service_name: the instrumentation scope of a tracer or meter that is not given.
        trace_tokens: a span event for each batch of tokens: how many, not which.
        record_token_content: record what the model wrote, the arguments of tool calls, and texts
            that may quote them (violations, content errors), redacted as a whole.
        record_guardrail_violations: a span event for each violation.
        default_attributes: attributes of every span and metric; they win over what the events say.
        redact: True, False or a `Redactor` for every text that is exported.

    Raises:
        TypeError: `default_attributes` is no mapping, or `redact` no redactor.
        ValueError: `service_name` is empty.

    Example:
        >>> OpenTelemetryConfig().replace(default_attributes={"team": "search"}).trace_tokens
        False
    """

    service_name: str = "l0"
    trace_tokens: bool = False
    record_token_content: bool = False
    record_guardrail_violations: bool = True
    default_attributes: Mapping[str, Any] = field(default_factory=dict)
    redact: bool | Redactor = True

    def __post_init__(self) -> None:
        if not isinstance(self.service_name, str) or not self.service_name:
            raise ValueError(
                f"OpenTelemetryConfig.service_name is a name, not {self.service_name!r}"
            )
        if not isinstance(self.default_attributes, Mapping):
            raise TypeError(
                "OpenTelemetryConfig.default_attributes is a mapping of name to value, "
                f"not {self.default_attributes!r}"
            )
        as_redactor(self.redact)

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


class OpenTelemetry:
    """A handler that makes spans and metrics: `l0.run(…, on_event=OpenTelemetry())`.

    A run's span is a child of the span that is current where the run is first used, or of the run
    it was started in. Its attempts are children of it. However a run ends, its span is ended:
    with status error if it failed, was aborted or cancelled. One handler serves any number of runs
    at once.

    Args:
        tracer: an OpenTelemetry tracer; None takes one from the global provider.
        meter: an OpenTelemetry meter; None takes one from the global provider.
        config: what to tell; None is `OpenTelemetryConfig()`.

    Raises:
        MissingDependencyError: opentelemetry is not installed.
        TypeError: the config is no `OpenTelemetryConfig`.

    Example:
        >>> import asyncio, l0
        >>> from opentelemetry.sdk.trace import TracerProvider
        >>> from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        >>> from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter
        >>> provider, spans = TracerProvider(), InMemorySpanExporter()
        >>> provider.add_span_processor(SimpleSpanProcessor(spans))
        >>> handler = OpenTelemetry(provider.get_tracer("app"))
        >>> _ = asyncio.run(l0.run(lambda: ["a"], on_event=handler, meta={"model": "m"}).read())
        >>> [span.name for span in spans.get_finished_spans()]
        ['attempt 1', 'chat m']
    """

    found_only = True

    def __init__(
        self, tracer: Any = None, meter: Any = None, config: OpenTelemetryConfig | None = None
    ) -> None:
        config = OpenTelemetryConfig() if config is None else config
        if not isinstance(config, OpenTelemetryConfig):
            raise TypeError(f"config is an OpenTelemetryConfig, not {config!r}")
        self.config = config
        self.tracer = tracer if tracer is not None else _tracer(config.service_name)
        meter = meter if meter is not None else _meter(config.service_name)
        self.instruments = {
            metric.name: meter.create_histogram(
                metric.name,
                unit=metric.unit,
                description=metric.says,
                explicit_bucket_boundaries_advisory=list(metric.bounds),
            )
            for metric in names.METRICS
        }
        self._lock = threading.Lock()  # runs may be on several threads
        self._runs: OrderedDict[str, RunSpan] = OrderedDict()

    @property
    def types(self) -> frozenset[str]:
        """The event types it asks for."""
        if self.config.trace_tokens or self.config.record_token_content:
            return TYPES | {"TOKENS", "RESTART"}
        return TYPES

    def __call__(self, event: ObservabilityEvent) -> None:
        """Take one event."""
        if event.type == "SESSION_START":
            run = RunSpan(self, event, self._runs.get(event.payload.parent_id or ""))
            with self._lock:
                self._runs[event.stream_id] = run
                lost = self._runs.popitem(last=False)[1] if len(self._runs) > _OPEN else None
            if lost is not None:
                lost.abandon()
            return
        run_span = self._runs.get(event.stream_id)
        if run_span is None:
            return
        run_span.take(event)
        if event.type == "SESSION_END":
            with self._lock:
                self._runs.pop(event.stream_id, None)

    def close(self) -> None:
        """End the spans of runs that have not ended, with status error; for a process's exit."""
        with self._lock:
            runs, self._runs = self._runs, OrderedDict()
        for run in runs.values():
            run.abandon()

    def __repr__(self) -> str:
        return f"<OpenTelemetry with {len(self._runs)} runs open>"


def create_opentelemetry_handler(
    tracer: Any = None, meter: Any = None, config: OpenTelemetryConfig | None = None
) -> OpenTelemetry:
    """A handler that makes spans and metrics; the same as `OpenTelemetry(…)`.

    Example:
        >>> create_opentelemetry_handler()
        <OpenTelemetry with 0 runs open>
    """
    return OpenTelemetry(tracer, meter, config)


def with_opentelemetry(
    handler: Handler | None = None,
    /,
    *,
    tracer: Any = None,
    meter: Any = None,
    config: OpenTelemetryConfig | None = None,
) -> Handler:
    """Your own handler and an OpenTelemetry one together: `on_event=with_opentelemetry(mine)`.

    Example:
        >>> mine = l0.monitoring.filter_events(["COMPLETE"], print)
        >>> "RETRY_ATTEMPT" in with_opentelemetry(mine).types
        True
    """
    return combine_events(handler, OpenTelemetry(tracer, meter, config))


def _tracer(scope: str) -> Any:
    try:
        from opentelemetry.trace import get_tracer
    except ImportError as error:
        raise MissingDependencyError.of("Spans", "opentelemetry", OTEL) from error
    from l0._version import __version__

    return get_tracer(scope, __version__, schema_url=names.SCHEMA_URL)


def _meter(scope: str) -> Any:
    try:
        from opentelemetry.metrics import get_meter
    except ImportError as error:
        raise MissingDependencyError.of("Metrics", "opentelemetry", OTEL) from error
    from l0._version import __version__

    return get_meter(scope, __version__, schema_url=names.SCHEMA_URL)
