"""From the events of one run to the rows of a frame, appended to a list a column."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import msgspec

from l0.notebook import _columns
from l0.notebook._frame_runs import Item, Run, microseconds, seconds_between

Values = dict[str, list[Any]]
"""What a frame is made of: a list a column."""


def event_row(run: Run, item: Item, base: Values, cells: dict[str, dict[int, Any]]) -> None:
    at = len(base["seq"])
    base["stream_id"].append(run.stream_id)
    base["seq"].append(item.seq)
    base["ts"].append(microseconds(item.ts))
    base["t"].append(run.since_start(item))
    base["model"].append(run.model)
    base["type"].append(item.type)
    data = item.data
    if item.type == "TOKENS":
        offsets = data["offsets_us"]
        spent = offsets[-1] / 1e6 if offsets else 0.0
        told = {"start": data["start"], "count": len(offsets), "duration": spent}
        for name, value in told.items():
            cells.setdefault(name, {})[at] = value
        return
    for name, column, is_ms in _columns.fields_of(item.type):
        value = data.get(name)
        if value is not None:
            cells.setdefault(column, {})[at] = value / 1000 if is_ms else value


@dataclass(slots=True)
class _Try:
    """One attempt, as its events tell it."""

    row: dict[str, Any]
    pieces: list[tuple[int, int]] = field(default_factory=list)
    """The token indexes [first, last) that came in it."""

    def cut(self, kept: int) -> None:
        self.pieces = [(first, min(last, kept)) for first, last in self.pieces if first < kept]


def attempt_rows(run: Run, values: Values) -> None:
    tries: list[_Try] = []
    delay, resumed, ended = None, False, run.items[-1].ts
    for item in run.items:
        data, now = item.data, tries[-1].row if tries else {}
        match item.type:
            case "STREAM_INIT":
                tries.append(_begun(run, item, len(tries) + 1, delay, resumed=resumed))
                delay, resumed = None, False
            case "RETRY_ATTEMPT":
                delay = data["delay_ms"] / 1000
            case "RESUME_START":
                resumed = True
            case "STREAM_READY":
                now["connect"] = seconds(data["connect_ms"])
            case "TOKENS" if tries:
                count = len(data["offsets_us"])
                now["tokens"] += count
                if now.get("time_to_first_token") is None:
                    now["time_to_first_token"] = seconds_between(item.ts, now["begun"])
                tries[-1].pieces.append((data["start"], data["start"] + count))
            case "RESTART":
                for each in tries:
                    each.cut(data["kept_tokens"])
            case "STREAM_FINISHED":
                now["model"] = data.get("model") or now.get("asked")
                now["finish_reason"] = data.get("finish_reason")
                now["ended"] = item.ts
            case "USAGE":
                now |= {name: data.get(name) for name in ("input_tokens", "output_tokens")}
            case "ERROR":
                now |= {n: data.get(n) for n in ("category", "error_type", "error_code", "status")}
                now |= {"error": data["error"], "outcome": "failed", "ended": item.ts}
            case "FINALIZATION_END" if data.get("passed"):
                now["outcome"] = "completed"
            case "ABORT_COMPLETED":
                now |= {"outcome": "aborted", "ended": item.ts}
    for each in tries:
        row = each.row
        row["duration"] = seconds_between(row.get("ended", ended), row["begun"])
        row["kept_tokens"] = sum(last - first for first, last in each.pieces)
        _put(values, row)


def _begun(run: Run, item: Item, number: int, delay: float | None, *, resumed: bool) -> _Try:
    # Until the provider says what it is. What the run was said to ask is the first model.
    asked = item.data.get("model") or (None if item.data["fallback_index"] else run.asked)
    return _Try(
        {
            "stream_id": run.stream_id,
            "attempt": number,
            "fallback_index": item.data["fallback_index"],
            "attempt_of_model": item.data["attempt"],
            "ts": microseconds(item.ts),
            "start": run.since_start(item),
            "begun": item.ts,
            "model": asked,
            "asked": asked,
            "outcome": "unfinished",
            "tokens": 0,
            "resumed": resumed,
            "delay": delay,
        }
    )


def token_rows(run: Run, values: Values) -> None:
    begin = len(values["index"])
    attempt, before, offset = 0, None, 0
    starts: list[int] = []  # of the tokens that stand, in the answer
    rows: list[int] = []  # their rows
    stands = values["stands"]
    for item in run.items:
        if item.type == "STREAM_INIT":
            attempt, before = attempt + 1, None
        elif item.type == "RESTART":
            kept = item.data["kept_tokens"]
            for row in rows[kept:]:
                stands[row] = False
            del rows[kept:], starts[kept:]
            offset = item.data["kept_chars"]
        elif item.type == "TOKENS":
            base = microseconds(item.ts)
            for text, us in zip(item.data["texts"], item.data["offsets_us"], strict=True):
                at = base + us
                values["index"].append(len(rows))
                values["ts"].append(at)
                values["gap"].append(None if before is None else (at - before) / 1e6)
                values["start"].append(offset)
                values["text"].append(text)
                rows.append(len(stands))
                starts.append(offset)
                stands.append(True)
                offset, before = offset + len(text), at
            more = len(stands) - len(values["attempt"])
            values["attempt"].extend([max(1, attempt)] * more)
    first = microseconds(run.started)
    values["t"].extend([(us - first) / 1e6 for us in values["ts"][begin:]])
    values["stream_id"].extend([run.stream_id] * (len(stands) - begin))


def violation_rows(run: Run, values: Values) -> None:
    attempt = 0
    for item in run.items:
        if item.type == "STREAM_INIT":
            attempt += 1
        elif item.type == "GUARDRAIL_RULE_RESULT":
            for found in item.data.get("violations") or ():
                where = {
                    "stream_id": run.stream_id,
                    "attempt": max(1, attempt),
                    "ts": microseconds(item.ts),
                    "t": run.since_start(item),
                    "model": run.model,
                }
                told = {"severity": "error", "recoverable": True} | found
                _put(values, told | where)


def run_rows(run: Run, values: Values) -> None:
    told = run.summary if run.summary is not None else _so_far(run)
    usage = told.get("usage") or {}
    finished = [item for item in run.items if item.type == "STREAM_FINISHED"]
    row = {
        "stream_id": run.stream_id,
        "ts": microseconds(run.started),
        "model": run.model,
        "prompt": run.prompt,
        "outcome": run.outcome,
        "duration": seconds(told.get("duration_ms")),
        "time_to_first_token": seconds(told.get("time_to_first_token_ms")),
        "tokens": told["token_count"],
        "lost_tokens": told.get("lost_tokens", 0),
        "chars": told["content_length"],
        "attempts": told["attempts"],
        "retries": told["model_retries"] + told["network_retries"],
        "fallback_index": told["fallback_index"],
        "violations": told["violations"],
        "drift": told["drift_detected"],
        "resumed": told["resumed"],
        "finish_reason": told.get("finish_reason")
        or (finished[-1].data.get("finish_reason") if finished else None),
        "error": told.get("error"),
    }
    row |= {n: usage.get(n, 0) for n in ("input_tokens", "output_tokens", "total_tokens")}
    _put(values, row)


def _so_far(run: Run) -> dict[str, Any]:
    """What a summary would say of a run that has none: it goes on, or its process died."""
    from l0.events import State, fold
    from l0.events._record import payload_of

    state, begun = State(), 0
    for item in run.items:
        begun += item.type == "STREAM_INIT"
        fold(state, payload_of(item.type, item.data), item.ts)
    first = state.time_to_first_token
    return {
        "token_count": state.token_count,
        "content_length": state.content_length,
        "duration_ms": run.items[-1].ts - run.started,
        "time_to_first_token_ms": None if first is None else first * 1000,
        "attempts": begun,
        "model_retries": state.model_retry_count,
        "network_retries": state.network_retry_count,
        "fallback_index": state.fallback_index,
        "violations": len(state.violations),
        "drift_detected": state.drift_detected,
        "resumed": state.resumed,
        "usage": msgspec.to_builtins(state.usage),
        "lost_tokens": state.lost_tokens,
    }


def seconds(ms: Any) -> float | None:
    return None if ms is None else ms / 1000


def _put(values: Values, row: dict[str, Any]) -> None:
    for name, column in values.items():
        column.append(row.get(name))
