"""The names that spans and metrics carry: the GenAI semantic conventions as of a stated version.

The conventions are in development and their Python constants deprecated, so they are kept here.
What the conventions have no name for begins with `l0.`.
"""

from __future__ import annotations

from typing import Final, NamedTuple

VERSION: Final = "1.44.0"
"""The version of the semantic conventions the `gen_ai.*` names are taken from."""

SCHEMA_URL: Final = f"https://opentelemetry.io/schemas/{VERSION}"


class Name(NamedTuple):
    """One name: where it stands (run, attempt, event or metric), and what it says."""

    name: str
    on: str
    says: str


def _table(*rows: tuple[str, str, str]) -> tuple[Name, ...]:
    return tuple(Name(*row) for row in rows)


ATTRIBUTES: Final = _table(
    ("gen_ai.operation.name", "run, attempt, metrics", "`chat`"),
    ("gen_ai.provider.name", "run, attempt, metrics", "the adapter's provider, such as `openai`"),
    ("gen_ai.system", "run", "the same under its older name"),
    ("gen_ai.request.model", "run, attempt, metrics", '`meta["model"]`, if it is given'),
    ("gen_ai.request.stream", "run, metrics", "true"),
    ("gen_ai.response.model", "run, attempt, metrics", "the model that answered"),
    ("gen_ai.response.id", "run, attempt", "the provider's id of the answer"),
    ("gen_ai.response.finish_reasons", "run, attempt", "why the model stopped"),
    ("gen_ai.response.time_to_first_chunk", "run, attempt", "seconds, of the attempt that stands"),
    ("gen_ai.usage.input_tokens", "run", "summed over all attempts"),
    ("gen_ai.usage.output_tokens", "run", "summed over all attempts"),
    ("gen_ai.usage.cache_read.input_tokens", "run", "of them from the provider's cache"),
    ("gen_ai.usage.reasoning.output_tokens", "run", "of them spent on reasoning"),
    ("gen_ai.output.messages", "run", "the text, redacted; only with `record_token_content`"),
    ("gen_ai.token.type", "metrics", "`input` or `output`"),
    ("error.type", "run, attempt, metrics", "the error's class, `aborted` or `cancelled`"),
    ("l0.stream.id", "run", "the run's id in the log"),
    ("l0.stream.completed", "run", "whether the run completed"),
    ("l0.stream.outcome", "run", "completed, failed, aborted or cancelled"),
    ("l0.attempt.number", "attempt", "counts from 1 on each stream of the chain"),
    ("l0.attempt.count", "run", "attempts over all streams of the chain"),
    ("l0.attempt.input_tokens", "attempt", "what this attempt used"),
    ("l0.attempt.output_tokens", "attempt", "what this attempt used"),
    ("l0.attempt.usage_source", "attempt", "reported or estimated"),
    ("l0.fallback.index", "run, attempt", "which stream of the chain; the primary is 0"),
    ("l0.retry.count", "run", "retries of every cause"),
    ("l0.network.error_count", "run", "network failures"),
    ("l0.guardrail.violation_count", "run", "violations found"),
    ("l0.drift.detected", "run", "whether drift was found"),
    ("l0.time_to_first_token_ms", "run", "from the run's first use, waits included"),
    ("l0.tokens_per_second", "run", "from the first token to the end"),
    ("l0.token.count", "run", "tokens of the text that stands"),
    ("l0.lost_tokens", "run", "tokens of text that was thrown away"),
)
"""The attributes of spans and metrics."""

SPAN_EVENTS: Final = _table(
    ("exception", "attempt, run", "`exception.type`, `exception.message`; what failed, redacted"),
    ("l0.retry", "run", "`l0.reason`, `l0.category`, `l0.delay_ms`, `l0.attempt.number`"),
    ("l0.fallback", "run", "`l0.reason`, `l0.fallback.index`"),
    ("l0.timeout", "attempt", "`l0.timeout.type`, `l0.elapsed_ms`"),
    ("l0.resume", "run", "`l0.checkpoint_length`"),
    ("l0.guardrail.violation", "attempt", "`l0.guardrail.rule`, `.severity`, `.position`"),
    ("l0.drift", "attempt", "`l0.drift.types`, `l0.drift.score`"),
    ("l0.tool.requested", "attempt", "`gen_ai.tool.name`, `gen_ai.tool.call.id`"),
    ("l0.tokens", "attempt", "`l0.token.count`, `l0.token.start`; only with `trace_tokens`"),
)
"""The events within spans, and the attributes they have."""

_SECONDS = (0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.28, 2.56, 5.12, 10.24, 20.48, 40.96, 81.92)


class Metric(NamedTuple):
    """One histogram: its name, unit, bucket bounds, and what it measures."""

    name: str
    unit: str
    bounds: tuple[float, ...]
    says: str


METRICS: Final = (
    Metric(
        "gen_ai.client.token.usage",
        "{token}",
        tuple(4**power for power in range(14)),
        "tokens used by an attempt that reported a usage, or whose usage could be estimated",
    ),
    Metric(
        "gen_ai.client.operation.duration", "s", _SECONDS, "a run from its first use to its end"
    ),
    Metric(
        "gen_ai.client.operation.time_to_first_chunk",
        "s",
        _SECONDS,
        "an attempt from its request to its first token",
    ),
)
"""The metrics, all of them histograms."""

PROVIDERS: Final[dict[str, str | None]] = {
    "openai": "openai",
    "openai-responses": "openai",
    "anthropic": "anthropic",
    "event": None,  # plain text and events say nothing of where they come from
}
"""`gen_ai.provider.name` by adapter; others go by their own names."""
