"""What several runs cost and how they went, added up from their states."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Self

from l0.events import State, Usage


@dataclass(frozen=True, slots=True)
class AggregatedTelemetry:
    """The states of several runs in one line; seconds, and tokens as events counted them.

    `total_duration` adds up the runs, which may have gone on side by side. The averages are over
    the runs that had a token, and None without one. `usage` is what the providers reported, failed
    attempts included.

    Example:
        >>> import asyncio, l0
        >>> stream = l0.run(lambda: ["a", "b"])
        >>> _ = asyncio.run(stream.read())
        >>> AggregatedTelemetry.of([stream.state, None]).total_tokens
        2
    """

    total_tokens: int = 0
    total_duration: float = 0.0
    total_retries: int = 0
    total_network_errors: int = 0
    total_violations: int = 0
    avg_tokens_per_second: float | None = None
    avg_time_to_first_token: float | None = None
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def of(cls, states: Iterable[State | None]) -> Self:
        """Add up what is known; None stands for a task that was no run."""
        known = [state for state in states if state is not None]
        return cls(
            total_tokens=sum(state.token_count for state in known),
            total_duration=sum(state.duration or 0.0 for state in known),
            total_retries=sum(state.retry_attempts for state in known),
            total_network_errors=sum(len(state.network_errors) for state in known),
            total_violations=sum(len(state.violations) for state in known),
            avg_tokens_per_second=_mean(
                state.token_count / state.duration
                for state in known
                if state.token_count and state.duration
            ),
            avg_time_to_first_token=_mean(
                state.time_to_first_token
                for state in known
                if state.time_to_first_token is not None
            ),
            usage=sum((state.usage for state in known), Usage()),
        )


def _mean(values: Iterable[float]) -> float | None:
    listed = list(values)
    return sum(listed) / len(listed) if listed else None
