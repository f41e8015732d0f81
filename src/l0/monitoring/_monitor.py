"""A handler that keeps the telemetry of streams, as many as it is told to."""

from __future__ import annotations

import logging
import threading
from collections import OrderedDict
from collections.abc import Callable, Iterable
from typing import Any

import msgspec

from l0.events import ObservabilityEvent, SessionEndPayload, SessionStartPayload, Usage
from l0.events._redact import as_redactor
from l0.monitoring._collect import TYPES, Collector
from l0.monitoring._combine import in_sample
from l0.monitoring._config import MonitoringConfig
from l0.monitoring._export import TelemetryExporter
from l0.monitoring._quantiles import percentile
from l0.monitoring._telemetry import Percentiles, Telemetry

log = logging.getLogger("l0")


class Aggregate(msgspec.Struct, frozen=True):
    """What several streams came to; durations in seconds."""

    streams: int = 0
    outcomes: dict[str, int] = {}
    success_rate: float | None = None
    tokens: int = 0
    lost_tokens: int = 0
    usage: Usage = Usage()
    retries: int = 0
    fallbacks: int = 0
    timeouts: int = 0
    violations: dict[str, int] = {}
    errors: dict[str, int] = {}
    duration: Percentiles = Percentiles()
    time_to_first_token: Percentiles = Percentiles()


class Monitor:
    """Gathers each stream's `Telemetry`: `l0.run(…, on_event=monitor)`.

    One monitor may listen to many streams at once. It holds at most `config.buffer_size`, failed
    ones included; the one that has been silent for longest leaves first, ended or not.

    Args:
        config: what to keep, and of which streams; None is `MonitoringConfig.default()`.
        on_complete: called with the telemetry of each stream that is kept, at its end; may be a
            coroutine function.

    Raises:
        TypeError: the config is no `MonitoringConfig`, or `on_complete` not callable.

    Example:
        >>> import asyncio, l0
        >>> monitor = Monitor()
        >>> _ = asyncio.run(l0.run(lambda: ["a", "b"], on_event=monitor).read())
        >>> [told.outcome for told in monitor.all()], monitor.aggregate().tokens
        (['completed'], 2)
    """

    found_only = True

    def __init__(
        self,
        config: MonitoringConfig | None = None,
        *,
        on_complete: Callable[[Telemetry], Any] | None = None,
    ) -> None:
        self.config = config = MonitoringConfig() if config is None else config
        if not isinstance(config, MonitoringConfig):
            raise TypeError(f"config is a MonitoringConfig, not {config!r}")
        if on_complete is not None and not callable(on_complete):
            raise TypeError(
                f"on_complete is called with Telemetry; {on_complete!r} is not callable"
            )
        self.on_complete = on_complete
        self._lock = threading.Lock()  # streams may run on several threads
        self._held: OrderedDict[str, Collector | Telemetry] = OrderedDict()

    @property
    def types(self) -> frozenset[str]:
        """The event types it asks for."""
        if not self.config.enabled:
            return frozenset()
        return TYPES | {"TOKENS"} if self.config.token_timing else TYPES

    def __call__(self, event: ObservabilityEvent) -> Any:
        """Take one event."""
        if not self.config.enabled:
            return None
        stream_id = event.stream_id
        with self._lock:
            if event.type == SessionStartPayload.type:
                self._held[stream_id] = Collector(event, as_redactor(self.config.redact))
                if len(self._held) > self.config.buffer_size:
                    self._held.popitem(last=False)
                return None
            held = self._held.get(stream_id)
            if not isinstance(held, Collector):
                return None  # ended, left out, or not seen from its beginning
            held.add(event)
            self._held.move_to_end(stream_id)
            if event.type != SessionEndPayload.type:
                return None
            told = held.telemetry()
            if not keeps(self.config, told):
                del self._held[stream_id]
                return None
            self._held[stream_id] = told
        if log.isEnabledFor(level := getattr(logging, self.config.log_level.upper())):
            log.log(level, "%s", TelemetryExporter.to_log_format(told))
        return self.on_complete(told) if self.on_complete is not None else None

    def get(self, stream_id: str) -> Telemetry | None:
        """A stream's telemetry, as far as it has come; None if it is not held."""
        with self._lock:
            held = self._held.get(stream_id)
            return held.telemetry() if isinstance(held, Collector) else held

    def all(self) -> list[Telemetry]:
        """Every stream that is held, the one with the latest event last."""
        with self._lock:
            held = list(self._held.values())
            return [each.telemetry() if isinstance(each, Collector) else each for each in held]

    def aggregate(self) -> Aggregate:
        """What the streams that are held, and have ended, came to."""
        return aggregate(told for told in self.all() if told.outcome is not None)

    def clear(self) -> None:
        """Forget every stream."""
        with self._lock:
            self._held.clear()

    def __len__(self) -> int:
        return len(self._held)

    def __repr__(self) -> str:
        return f"<Monitor of {len(self)} streams>"


def keeps(config: MonitoringConfig, told: Telemetry) -> bool:
    """Whether a stream that has ended is one of those to keep."""
    sampling, duration = config.sampling, told.duration or 0.0
    if told.outcome == "failed" and sampling.sample_errors:
        return True
    if duration < sampling.min_duration:
        return False
    if sampling.sample_slow and duration >= sampling.slow_threshold:
        return True
    return in_sample(told.stream_id, sampling.rate)


def aggregate(streams: Iterable[Telemetry]) -> Aggregate:
    """What several streams came to; those of a pipeline, or of a night.

    Example:
        >>> aggregate([Telemetry("a", 0.0, outcome="completed", tokens=3)]).success_rate
        1.0
    """
    streams = list(streams)
    outcomes: dict[str, int] = {}
    violations: dict[str, int] = {}
    errors: dict[str, int] = {}
    usage = Usage()
    for told in streams:
        usage += told.usage
        _add(outcomes, told.outcome or "unfinished", 1)
        for rule, count in told.violations.items():
            _add(violations, rule, count)
        if told.outcome == "failed":
            _add(errors, told.error_type or "Error", 1)
    return Aggregate(
        streams=len(streams),
        outcomes=outcomes,
        success_rate=outcomes.get("completed", 0) / len(streams) if streams else None,
        tokens=sum(told.tokens for told in streams),
        lost_tokens=sum(told.lost_tokens for told in streams),
        usage=usage,
        retries=sum(told.retries for told in streams),
        fallbacks=sum(told.fallback_index for told in streams),
        timeouts=sum(sum(told.timeouts.values()) for told in streams),
        violations=violations,
        errors=errors,
        duration=_spread(told.duration for told in streams),
        time_to_first_token=_spread(told.time_to_first_token for told in streams),
    )


def _add(counts: dict[str, int], name: str, count: int) -> None:
    counts[name] = counts.get(name, 0) + count


def _spread(values: Iterable[float | None]) -> Percentiles:
    known = [value for value in values if value is not None]
    return Percentiles(len(known), *(percentile(known, share) for share in (0.5, 0.9, 0.99)))
