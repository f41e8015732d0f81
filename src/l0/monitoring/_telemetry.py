"""What is told of one run: its times, tokens, cost, retries, findings and outcome, as one value."""

from __future__ import annotations

from typing import Any

import msgspec

from l0.events import Usage


class Percentiles(msgspec.Struct, frozen=True):
    """How a measure is spread, in seconds; `count` says of how many."""

    count: int = 0
    p50: float | None = None
    p90: float | None = None
    p99: float | None = None


class AttemptTelemetry(msgspec.Struct, frozen=True):
    """One attempt: `number` on its stream of the chain, and what came of it.

    `outcome` is completed, failed, aborted or cancelled, None while it goes on. `usage` is None if
    nobody reported or could estimate one; `usage_source` says which. Times are Unix seconds,
    durations seconds.
    """

    number: int
    fallback_index: int
    started_at: float
    duration: float | None = None
    time_to_first_token: float | None = None
    outcome: str | None = None
    adapter: str | None = None
    model: str | None = None
    finish_reason: str | None = None
    usage: Usage | None = None
    usage_source: str | None = None
    error: str | None = None
    error_type: str | None = None
    category: str | None = None


class Telemetry(msgspec.Struct, frozen=True):
    """One run, as far as it has come; nothing in it is a secret, texts are redacted.

    Times are Unix seconds, durations seconds. `duration` and `time_to_first_token` count from the
    first use, waits included. `inter_token` is None unless the tokens were listened to. `outcome`
    is completed, failed, aborted or cancelled, None while the run goes on.

    Example:
        >>> import asyncio, l0
        >>> stream = l0.run(lambda: ["a", "b"], monitoring=True, meta={"user": "ada"})
        >>> _ = asyncio.run(stream.read())
        >>> told = stream.telemetry
        >>> told.outcome, told.tokens, told.meta["user"]
        ('completed', 2, 'ada')
    """

    stream_id: str
    started_at: float
    ended_at: float | None = None
    duration: float | None = None
    time_to_first_token: float | None = None
    inter_token: Percentiles | None = None
    tokens: int = 0
    lost_tokens: int = 0
    content_length: int = 0
    usage: Usage = Usage()
    attempts: list[AttemptTelemetry] = []
    retries: int = 0
    network_retries: int = 0
    fallback_index: int = 0
    timeouts: dict[str, int] = {}
    network_errors: dict[str, int] = {}
    violations: dict[str, int] = {}
    drift_types: list[str] = []
    tool_calls: int = 0
    resumed: bool = False
    model: str | None = None
    finish_reason: str | None = None
    outcome: str | None = None
    error: str | None = None
    error_type: str | None = None
    parent_id: str | None = None
    meta: dict[str, Any] = {}

    @property
    def ok(self) -> bool:
        """Whether the run completed."""
        return self.outcome == "completed"

    @property
    def tokens_per_second(self) -> float | None:
        """Tokens a second from the first one to the end; None where there is no such time."""
        return speed(self.tokens, self.duration, self.time_to_first_token)


def speed(tokens: int, duration: float | None, first: float | None) -> float | None:
    """Tokens a second from the first one to the end; None where there is no such time."""
    if duration is None or first is None or duration <= first or tokens < 2:
        return None
    return (tokens - 1) / (duration - first)
