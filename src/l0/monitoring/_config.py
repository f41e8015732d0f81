"""What a monitor keeps, and of which streams."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Self

from l0.events import Redactor
from l0.events._redact import as_redactor
from l0.monitoring._combine import checked_rate

LEVELS = ("debug", "info", "warning", "error")


@dataclass(frozen=True, slots=True)
class SamplingConfig:
    """Which streams are kept, decided at their ends.

    Args:
        rate: the share of streams to keep, 0 to 1; the stream id decides.
        min_duration: seconds; shorter streams are not kept.
        sample_errors: keep every stream that failed, whatever the other fields say.
        sample_slow: keep every slow one, whatever the rate.
        slow_threshold: seconds from which on a stream is slow.

    Raises:
        ValueError: a field has a value that makes no sense; it is named.

    Example:
        >>> SamplingConfig(rate=0.1).replace(sample_slow=False).sample_errors
        True
    """

    rate: float = 1.0
    min_duration: float = 0.0
    sample_errors: bool = True
    sample_slow: bool = True
    slow_threshold: float = 5.0

    def __post_init__(self) -> None:
        checked_rate("SamplingConfig.rate", self.rate)
        for name in ("min_duration", "slow_threshold"):
            value = getattr(self, name)
            if isinstance(value, bool) or not isinstance(value, int | float) or not value >= 0:
                raise ValueError(f"SamplingConfig.{name} is in seconds, 0 or more, not {value!r}")
        _flags(self, "sample_errors", "sample_slow")

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class MonitoringConfig:
    """How runs are monitored; for `Monitor` and `run(monitoring=…)`.

    Args:
        enabled: False keeps nothing and costs nothing.
        sampling: which streams are kept.
        buffer_size: how many streams a monitor holds at most.
        log_level: the level at which a line for each kept stream goes to the logger `l0`: debug,
            info, warning or error.
        token_timing: listen to tokens, for the times between them.
        redact: True, False or a `Redactor` for error texts and `meta`.

    Raises:
        TypeError: `sampling` is no `SamplingConfig`, `redact` no redactor.
        ValueError: a field has a value that makes no sense; it is named.

    Example:
        >>> MonitoringConfig.production().sampling.rate
        0.1
    """

    enabled: bool = True
    sampling: SamplingConfig = field(default_factory=SamplingConfig)
    buffer_size: int = 100
    log_level: str = "info"
    token_timing: bool = False
    redact: bool | Redactor = True

    def __post_init__(self) -> None:
        if not isinstance(self.sampling, SamplingConfig):
            raise TypeError(f"MonitoringConfig.sampling is a SamplingConfig, not {self.sampling!r}")
        size = self.buffer_size
        if isinstance(size, bool) or not isinstance(size, int) or size < 1:
            raise ValueError(
                f"MonitoringConfig.buffer_size counts streams: 1 or more, not {size!r}"
            )
        if self.log_level not in LEVELS:
            raise ValueError(
                f"MonitoringConfig.log_level is one of {', '.join(LEVELS)}, not {self.log_level!r}"
            )
        _flags(self, "enabled", "token_timing")
        as_redactor(self.redact)

    @classmethod
    def default(cls) -> Self:
        """Every stream."""
        return cls()

    @classmethod
    def production(cls) -> Self:
        """One stream in ten, and all that failed or were slow."""
        return cls(sampling=SamplingConfig(rate=0.1), log_level="warning")

    @classmethod
    def development(cls) -> Self:
        """Every stream, with the times between tokens."""
        return cls(log_level="debug", token_timing=True)

    @classmethod
    def minimal(cls) -> Self:
        """Only streams that failed."""
        return cls(
            sampling=SamplingConfig(rate=0.0, sample_slow=False),
            buffer_size=20,
            log_level="error",
        )

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


def _flags(config: Any, *names: str) -> None:
    for name in names:
        if not isinstance(getattr(config, name), bool):
            raise ValueError(
                f"{type(config).__name__}.{name} is True or False, not {getattr(config, name)!r}"
            )
