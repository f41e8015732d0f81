"""The real SDK with exporters that keep what they are given."""

from __future__ import annotations

from typing import Any

from l0.monitoring import OpenTelemetry, OpenTelemetryConfig


class Telescope:
    """A handler, its spans and its metrics."""

    def __init__(self, **config: Any) -> None:
        from opentelemetry.sdk.metrics import MeterProvider
        from opentelemetry.sdk.metrics.export import InMemoryMetricReader
        from opentelemetry.sdk.trace import TracerProvider
        from opentelemetry.sdk.trace.export import SimpleSpanProcessor
        from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

        self.exporter, self.reader = InMemorySpanExporter(), InMemoryMetricReader()
        self.provider = TracerProvider()
        self.provider.add_span_processor(SimpleSpanProcessor(self.exporter))
        self.tracer = self.provider.get_tracer("test")
        self.handler = OpenTelemetry(
            self.tracer,
            MeterProvider([self.reader]).get_meter("test"),
            OpenTelemetryConfig(**config),
        )

    @property
    def spans(self) -> list[Any]:
        """Every span that has ended."""
        return list(self.exporter.get_finished_spans())

    @property
    def runs(self) -> list[Any]:
        """The spans of runs."""
        return [span for span in self.spans if "l0.stream.id" in span.attributes]

    @property
    def run(self) -> Any:
        """The one run's span."""
        (run,) = self.runs
        return run

    def attempts(self, run: Any) -> list[Any]:
        """The spans of a run's attempts, in order."""
        parent = run.context.span_id
        found = [span for span in self.spans if span.parent and span.parent.span_id == parent]
        return sorted(found, key=lambda span: span.start_time)

    def points(self, name: str) -> list[Any]:
        """The data points of a metric."""
        data = self.reader.get_metrics_data()
        if data is None:
            return []
        return [
            point
            for resource in data.resource_metrics
            for scope in resource.scope_metrics
            for metric in scope.metrics
            if metric.name == name
            for point in metric.data.data_points
        ]

    def text(self) -> str:
        """Everything that would leave the process."""
        data = self.reader.get_metrics_data()
        metrics = data.to_json() if data is not None else ""
        return "\n".join([*(span.to_json() for span in self.spans), metrics])


def events(span: Any, name: str | None = None) -> list[dict[str, Any]]:
    """The attributes of a span's events of this name."""
    return [dict(e.attributes) for e in span.events if name is None or e.name == name]
