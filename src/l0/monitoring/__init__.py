"""Events out to other systems: counters, telemetry, prices, and the well-known back ends."""

from l0.monitoring._combine import (
    combine_events,
    exclude_events,
    filter_events,
    sample_events,
    tap_events,
)
from l0.monitoring._config import MonitoringConfig, SamplingConfig
from l0.monitoring._cost import AttemptCost, RunCost, cost_of_run
from l0.monitoring._debug import enable_debug
from l0.monitoring._export import TelemetryExporter
from l0.monitoring._metrics import Metrics, get_global_metrics, reset_global_metrics
from l0.monitoring._monitor import Aggregate, Monitor, aggregate
from l0.monitoring._otel import (
    OpenTelemetry,
    OpenTelemetryConfig,
    create_opentelemetry_handler,
    with_opentelemetry,
)
from l0.monitoring._pace import batch_events, debounce_events
from l0.monitoring._prices import Price, Prices
from l0.monitoring._prometheus import create_prometheus_handler
from l0.monitoring._sentry import SentryConfig, create_sentry_handler, with_sentry
from l0.monitoring._telemetry import AttemptTelemetry, Percentiles, Telemetry

__all__ = [
    "Aggregate",
    "AttemptCost",
    "AttemptTelemetry",
    "Metrics",
    "Monitor",
    "MonitoringConfig",
    "OpenTelemetry",
    "OpenTelemetryConfig",
    "Percentiles",
    "Price",
    "Prices",
    "RunCost",
    "SamplingConfig",
    "SentryConfig",
    "Telemetry",
    "TelemetryExporter",
    "aggregate",
    "batch_events",
    "combine_events",
    "cost_of_run",
    "create_opentelemetry_handler",
    "create_prometheus_handler",
    "create_sentry_handler",
    "debounce_events",
    "enable_debug",
    "exclude_events",
    "filter_events",
    "get_global_metrics",
    "reset_global_metrics",
    "sample_events",
    "tap_events",
    "with_opentelemetry",
    "with_sentry",
]
