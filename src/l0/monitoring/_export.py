"""Telemetry as other programs read it: JSON, CSV, log lines, metrics."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable
from typing import Any

import msgspec

from l0.events import to_dict, to_json
from l0.monitoring._telemetry import Telemetry


class TelemetryExporter:
    """`Telemetry` in other forms; every method is static.

    Example:
        >>> import asyncio, l0
        >>> stream = l0.run(lambda: ["a", "b"], monitoring=True, stream_id="s1")
        >>> _ = asyncio.run(stream.read())
        >>> TelemetryExporter.to_metrics(stream.telemetry)["l0.tokens"]
        2
    """

    @staticmethod
    def to_dict(telemetry: Telemetry) -> dict[str, Any]:
        """Every field, JSON-safe, and `tokens_per_second`."""
        return to_dict(telemetry) | {"tokens_per_second": telemetry.tokens_per_second}

    @staticmethod
    def to_json(telemetry: Telemetry, indent: int = 2) -> str:
        """`to_dict` as JSON; `indent=0` for one line."""
        told = TelemetryExporter.to_dict(telemetry)
        return _lines(told, indent) if indent else to_json(told)

    @staticmethod
    def to_jsonl(telemetry: Iterable[Telemetry]) -> str:
        """One line of JSON a stream."""
        return "".join(f"{TelemetryExporter.to_json(each, indent=0)}\n" for each in telemetry)

    @staticmethod
    def to_csv(telemetry: Iterable[Telemetry]) -> str:
        """One row a stream under a header; what has several values is JSON in its cell.

        A text that a spreadsheet would take for a formula gets an apostrophe before it.
        """
        out = io.StringIO()
        writer = csv.DictWriter(out, COLUMNS, lineterminator="\n", extrasaction="ignore")
        writer.writeheader()
        for each in telemetry:
            row = TelemetryExporter.to_dict(each)
            row |= {f"usage_{name}": count for name, count in row["usage"].items()}
            gaps = row["inter_token"] or {}
            row |= {f"inter_token_{name}": gaps.get(name) for name in ("p50", "p90", "p99")}
            row["attempts"] = len(row["attempts"])
            writer.writerow({name: _cell(row[name]) for name in COLUMNS})
        return out.getvalue()

    @staticmethod
    def to_log_format(telemetry: Telemetry) -> str:
        """One line of `key=value` for a log; what is None or 0 is left out.

        Example:
            >>> TelemetryExporter.to_log_format(Telemetry("s1", 0.0, outcome="failed", retries=2))
            'stream=s1 outcome=failed retries=2'
        """
        told = telemetry
        pairs = {
            "stream": told.stream_id,
            "outcome": told.outcome or "unfinished",
            "duration_s": told.duration,
            "ttft_s": told.time_to_first_token,
            "tokens": told.tokens,
            "attempts": len(told.attempts),
            "retries": told.retries,
            "fallback": told.fallback_index,
            "violations": sum(told.violations.values()),
            "input_tokens": told.usage.input_tokens,
            "output_tokens": told.usage.output_tokens,
            "model": told.model,
            "error_type": told.error_type,
            "error": told.error,
        }
        return " ".join(f"{name}={_logged(value)}" for name, value in pairs.items() if value)

    @staticmethod
    def to_metrics(telemetry: Telemetry, prefix: str = "l0") -> dict[str, float]:
        """Numbers by dotted name, such as `l0.duration_seconds`; what is not known is left out."""
        told, usage = telemetry, telemetry.usage
        numbers: dict[str, float | None] = {
            "duration_seconds": told.duration,
            "time_to_first_token_seconds": told.time_to_first_token,
            "tokens": told.tokens,
            "tokens_per_second": told.tokens_per_second,
            "lost_tokens": told.lost_tokens,
            "attempts": len(told.attempts),
            "retries": told.retries,
            "network_retries": told.network_retries,
            "fallbacks": told.fallback_index,
            "timeouts": sum(told.timeouts.values()),
            "violations": sum(told.violations.values()),
            "usage.input_tokens": usage.input_tokens,
            "usage.output_tokens": usage.output_tokens,
            "usage.cached_input_tokens": usage.cached_input_tokens,
            "usage.reasoning_tokens": usage.reasoning_tokens,
            "completed": int(told.ok),
        }
        if told.inter_token is not None:
            for name in ("p50", "p90", "p99"):
                numbers[f"inter_token_{name}_seconds"] = getattr(told.inter_token, name)
        start = f"{prefix}." if prefix else ""
        return {f"{start}{name}": value for name, value in numbers.items() if value is not None}


COLUMNS = (
    *("stream_id", "outcome", "started_at", "ended_at", "duration", "time_to_first_token"),
    *("inter_token_p50", "inter_token_p90", "inter_token_p99", "tokens", "tokens_per_second"),
    *("lost_tokens", "content_length", "usage_input_tokens", "usage_output_tokens"),
    *("usage_total_tokens", "usage_cached_input_tokens", "usage_reasoning_tokens", "attempts"),
    *("retries", "network_retries", "fallback_index", "timeouts", "network_errors", "violations"),
    *("drift_types", "tool_calls", "resumed", "model", "finish_reason", "error_type", "error"),
    *("parent_id", "meta"),
)
"""The columns of `TelemetryExporter.to_csv`."""


def _lines(told: Any, indent: int) -> str:
    return msgspec.json.format(msgspec.json.encode(told, order="sorted"), indent=indent).decode()


def _cell(value: Any) -> Any:
    if isinstance(value, dict | list):
        return to_json(value) if value else ""
    if isinstance(value, str) and value[:1] in {"=", "+", "-", "@", "\t", "\r"}:
        return f"'{value}"
    return value


def _logged(value: Any) -> str:
    if isinstance(value, float):
        return f"{value:.3f}"
    text = str(value)
    return to_json(text) if any(c.isspace() or c in '"=' for c in text) else text
