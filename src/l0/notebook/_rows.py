"""Events as they travel to a page: type, milliseconds of the run, a slim payload without secrets.

Tokens are counted, not repeated: the text crosses on its own. What comes in floods (tokens,
checkpoints, pieces of reasoning) becomes one row a second or so.
"""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import msgspec

from l0.events import ObservabilityEvent, Redactor, TokensPayload
from l0.events._serialize import encode
from l0.models import KEYS, key_of

Row = list[Any]
"""`[type, t_ms, payload]`, ready for JSON."""

LONGEST: Final = 4000
"""Characters of a text inside a payload; the answer is not one of them."""

_LONE: Final = re.compile("[\ud800-\udfff]")
_KEY: Final = 8  # shorter ones are placeholders, such as those of local servers
_SPAN_MS: Final = 1000.0
_GAP_MS: Final = 250.0
_UNSEEN: Final = frozenset({"TOKEN"})
_QUIET: Final = ("GUARDRAIL_", "DRIFT_CHECK_")
_BODIES: Final = frozenset({"base64", "data", "checkpoint", "prompt"})


def row_of(event: ObservabilityEvent, started_ms: float) -> Row | None:
    """The row of an event; None for what no view shows: checks that found nothing, single tokens.

    >>> from l0.events import EventBus
    >>> bus = EventBus(lambda event: print(row_of(event, event.ts)))
    >>> bus.emit("FALLBACK_END", success=True, final_index=1)
    ['FALLBACK_END', 0.0, {'final_index': 1, 'success': True}]
    """
    payload = event.payload
    t = round(event.ts - started_ms, 1)
    if type(payload) is TokensPayload:
        spent = payload.offsets_us[-1] / 1000 if payload.offsets_us else 0.0
        told = {
            "start": payload.start,
            "count": len(payload.texts),
            "duration_ms": round(spent, 1),
        }
        return [event.type, t, told]
    if event.type in _UNSEEN or (event.type.startswith(_QUIET) and not _found(payload)):
        return None
    json, _ = _redactor().json(encode(msgspec.structs.asdict(payload))[0])
    data = msgspec.json.decode(without_own_keys(json))
    if event.type == "STREAM_EVENT" and isinstance(data.get("event"), dict):
        data["event"] = {k: v for k, v in data["event"].items() if v is not None}
        is_message = data["event"].get("type") == "message"
        text = data["event"].get("text") if is_message else None
        data = _slim(data)
        if text is not None:
            data["event"]["text"] = text
        return [event.type, t, data]
    return [event.type, t, _slim(data)]


def merge(rows: list[Row], row: Row) -> None:
    """Append a row, or let the last one say both where that loses nothing a view shows."""
    match row[0]:
        case "TOKENS":
            at = len(rows) - 1
            if at > 0 and rows[at][0] == "CHECKPOINT_SAVED":
                at -= 1
            if at >= 0 and rows[at][0] == "TOKENS":
                joined = _joined(rows[at], row)
                if joined is not None:
                    rows[at] = joined
                    return
        case "CHECKPOINT_SAVED":
            if len(rows) > 1 and rows[-1][0] == "CHECKPOINT_SAVED" and rows[-2][0] == "TOKENS":
                rows[-1] = row
                return
        case "STREAM_EVENT" if rows and rows[-1][0] == "STREAM_EVENT":
            last, now = rows[-1][2].get("event", {}), row[2].get("event", {})
            if _continues(last, now) and len(last["text"]) < LONGEST:
                rows[-1] = [*rows[-1][:2], {"event": {**last, "text": last["text"] + now["text"]}}]
                return
    rows.append(row)


def _joined(last: Row, row: Row) -> Row | None:
    """Two batches as one, if they follow on each other and are not too long together."""
    before, now = last[2], row[2]
    until = row[1] + now["duration_ms"]
    gap = row[1] - last[1] - before["duration_ms"]
    follows = before["start"] + before["count"] == now["start"]
    if not follows or gap > _GAP_MS or until - last[1] > _SPAN_MS:
        return None
    told = {
        "start": before["start"],
        "count": before["count"] + now["count"],
        "duration_ms": round(until - last[1], 1),
    }
    return ["TOKENS", last[1], told]


def _continues(last: dict[str, Any], now: dict[str, Any]) -> bool:
    """Whether two pieces are of one message."""
    return (
        last.get("type") == now.get("type") == "message"
        and isinstance(last.get("text"), str)
        and isinstance(now.get("text"), str)
        and last.get("data") == now.get("data")
    )


def _found(payload: Any) -> bool:
    """Whether an event of a check tells of something found."""
    violations = getattr(payload, "violations", None)
    return (isinstance(violations, list) and bool(violations)) or bool(
        payload.type == "DRIFT_CHECK_RESULT" and getattr(payload, "detected", False)
    )


def _slim(value: Any, key: str = "") -> Any:
    """The value without contents that no view shows, and with long texts cut."""
    if isinstance(value, dict):
        return {k: _slim(v, k) for k, v in value.items()}
    if isinstance(value, list):
        return [_slim(item) for item in value]
    if isinstance(value, float):
        return round(value, 4)
    if isinstance(value, str):
        if key in _BODIES and len(value) > 200:
            return None
        if len(value) > LONGEST:
            return f"{value[:LONGEST]}… ({len(value) - LONGEST:,} characters more)"
    return value


def without_own_keys(text: str) -> str:
    """A text without the keys of this process, which may have a shape of their own."""
    for key in filter(None, map(key_of, KEYS)):
        if len(key) >= _KEY:
            text = text.replace(key, "[redacted]")
    return text


@cache
def _redactor() -> Redactor:
    return Redactor()


def clean(text: str) -> str:
    """The text with U+FFFD for halves of characters, which JSON can't carry; one for one."""
    try:
        text.encode()
    except UnicodeEncodeError:
        return _LONE.sub("\ufffd", text)
    return text
