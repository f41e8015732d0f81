"""The story of a run for the eye: lanes of attempts, marks of what befell them, withdrawn texts.

The page folds the same rows in `js/src/lib/fold.ts`; both draw the same picture.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any, Final

GAP_MS: Final = 600.0
"""A silence longer than this is a wait."""

_BLINK_MS: Final = 30.0
_TIMEOUTS: Final = {"connect": "connection", "initial_token": "first-token", "inter_token": "gap"}

Payload = dict[str, Any]


@dataclass(slots=True)
class Bar:
    """Something that lasts: `wait`, `stream` or `back` (the pause before a retry).

    The run's tokens `[first, last)` came in it; those from `kept` on are withdrawn. Times are
    milliseconds of the run.
    """

    kind: str
    begin: float
    end: float
    first: int = 0
    last: int = 0
    kept: int = 0


@dataclass(slots=True)
class Lane:
    """One attempt."""

    fallback: int
    bars: list[Bar] = field(default_factory=list)


@dataclass(slots=True)
class Mark:
    """Something that happened at a moment, and the words for it; `timed` are those about time."""

    kind: str
    t: float
    lane: int
    text: str
    timed: str = ""


@dataclass(slots=True)
class Withdrawn:
    """Text that was shown and no longer stands: of which attempt, how much of it, and why."""

    attempt: int
    tokens: int
    of: int
    why: str
    t: float
    text: str | None
    violations: list[Payload]


class Picture:
    """What rows of events look like."""

    def __init__(self) -> None:
        self.t = 0.0
        self.lanes: list[Lane] = []
        self.marks: list[Mark] = []
        self.withdrawn: list[Withdrawn] = []
        self.violations: list[Payload] = []
        self.tools: list[Payload] = []
        self.outputs: list[str] = []
        self.thoughts = ""
        self.tokens = 0
        self.first_token_ms: float | None = None
        self.duration_ms: float | None = None
        self._causes: dict[str, str] = {}

    @classmethod
    def of(cls, rows: Iterable[Sequence[Any]], fallen: Iterable[str] = ()) -> Picture:
        """The picture of these rows; `fallen` are the withdrawn texts, in order."""
        picture, texts = cls(), iter(fallen)
        for type_, t, payload in rows:
            known = len(picture.withdrawn)
            picture.add(type_, t, payload)
            if len(picture.withdrawn) > known:
                picture.withdrawn[-1].text = next(texts, None)
        return picture

    def add(self, type_: str, t: float, p: Payload) -> None:
        """One more event."""
        step = _STEPS.get(type_)
        if step is not None:
            step(self, t, p)
        if type_.startswith("TOOL_"):
            self._tool(type_, p)
        spent = p["duration_ms"] if type_ == "TOKENS" else 0.0
        self.t = max(self.t, t + spent)

    # --- the pen ---

    @property
    def _bars(self) -> list[Bar]:
        return self.lanes[-1].bars if self.lanes else []

    def _begin(self, kind: str, begin: float, end: float, first: int = 0, last: int = 0) -> None:
        if self.lanes:
            self.lanes[-1].bars.append(Bar(kind, begin, end, first, last, last))

    def _close(self, t: float) -> None:
        """Whatever lasts, lasts until now."""
        bars = self._bars
        if not bars:
            return
        if bars[-1].end > t:
            bars[-1].end = t
        elif t - bars[-1].end > _BLINK_MS:
            self._begin("wait", bars[-1].end, t)

    def _mark(self, kind: str, t: float, text: str, timed: str = "") -> None:
        self.marks.append(Mark(kind, t, max(0, len(self.lanes) - 1), text, timed))

    def _why(self, p: Payload) -> str:
        reason = str(p.get("reason") or "")
        return self._causes.get(reason) or words(reason)

    # --- what is told ---

    def _init(self, t: float, p: Payload) -> None:
        self._close(t)
        self.lanes.append(Lane(p.get("fallback_index") or 0))
        self._begin("wait", t, inf)
        self._causes = {}

    def _tokens(self, t: float, p: Payload) -> None:
        end, start = t + p["duration_ms"], p["start"]
        self.tokens = start + p["count"]
        if self.first_token_ms is None:
            self.first_token_ms = t
        bars = self._bars
        bar = bars[-1] if bars else None
        if bar and bar.kind == "stream" and bar.last == start and t - bar.end < GAP_MS:
            bar.end, bar.last, bar.kept = end, self.tokens, self.tokens
        else:
            self._close(t)
            self._begin("stream", t, end, start, self.tokens)

    def _restart(self, t: float, p: Payload) -> None:
        if p.get("continues"):  # the provider goes on with the same answer
            return
        kept_chars, kept = p["kept_chars"], p["kept_tokens"]
        stands = [
            v
            for v in self.violations
            if v.get("position") is not None and v["position"] < kept_chars
        ]
        if p.get("discarded_chars"):
            lost = max(0, self.tokens - kept)
            self._mark("cut", t, f"{count(p['discarded_chars'], 'character')} withdrawn")
            gone = [v for v in self.violations if v not in stands]
            attempt, why = len(self.lanes), self._why(p)
            self.withdrawn.append(Withdrawn(attempt, lost, self.tokens, why, t, None, gone))
        for lane in self.lanes:
            for bar in lane.bars:
                bar.kept = min(bar.kept, kept)
        self.violations, self.tokens = stands, kept
        self.tools, self.outputs, self.thoughts = [], [], ""
        if not kept_chars:
            self.first_token_ms = None

    def _finished(self, t: float, _: Payload) -> None:
        self._close(t)

    def _stream_event(self, _: float, p: Payload) -> None:
        event = p.get("event") or {}
        if event.get("type") == "message":
            self.thoughts += event.get("text") or ""
        data = event.get("payload")
        if isinstance(data, dict):
            self.outputs.append(str(data.get("mime_type") or data.get("content_type") or "data"))

    def _network_error(self, _: float, p: Payload) -> None:
        self._causes["network_error"] = words(p.get("network_type"))

    def _timeout(self, t: float, p: Payload) -> None:
        kind = _TIMEOUTS.get(p["timeout_type"], words(p["timeout_type"]))
        self._causes["timeout"] = f"{kind} timeout"
        self._mark("timeout", t, f"{kind} timeout", f" after {seconds(p['elapsed_ms'])}")

    def _abort(self, t: float, p: Payload) -> None:
        self._mark("stop", t, f"stop: {p.get('reason') or p.get('source')}")

    def _abort_done(self, t: float, _: Payload) -> None:
        self._close(t)

    def _tool_requested(self, t: float, p: Payload) -> None:
        self._mark("tool", t, f"tool: {p['tool_name']}")

    def _tool_error(self, t: float, p: Payload) -> None:
        self._mark("error", t, f"error: {p['tool_name']}: {p['error']}")

    def _rule_result(self, t: float, p: Payload) -> None:
        for violation in p.get("violations") or ():
            self.violations.append(violation)
            self._mark("violation", t, f"{violation['rule']}: {violation['message']}")
            if violation.get("severity") != "warning":
                self._causes["guardrail_violation"] = f"guardrail {violation['rule']}"

    def _invalid(self, t: float, p: Payload) -> None:
        told = [f"{each['path']}: {each['message']}".removeprefix(": ") for each in p["errors"]]
        self._mark("violation", t, f"not valid: {'; '.join(told[:3])}")
        self._causes["guardrail_violation"] = f"not valid: {told[0]}" if told else "not valid"

    def _drift(self, t: float, p: Payload) -> None:
        if p.get("detected"):
            self._causes["drift"] = f"drift: {words(', '.join(p.get('types') or ()))}"
            self._mark("drift", t, self._causes["drift"])

    def _resume(self, t: float, p: Payload) -> None:
        kept = p.get("checkpoint_length")
        at = f" from character {kept:,}" if kept else ""
        self._mark("resume", t, f"resumed{at}")

    def _error(self, t: float, p: Payload) -> None:
        self._close(t)
        self._mark("error", t, f"error: {p['error'] or p.get('error_type')}")

    def _retry(self, t: float, p: Payload) -> None:
        self._begin("back", t, t + p["delay_ms"])
        self._mark("retry", t, f"retry: {self._why(p)}", f", next try in {seconds(p['delay_ms'])}")

    def _fallback(self, t: float, p: Payload) -> None:
        self._mark("fallback", t, f"fallback {p.get('index')}: {self._why(p)}")

    def _session_end(self, t: float, p: Payload) -> None:
        self.duration_ms = p.get("duration_ms")
        for bar in self._bars:
            bar.end = min(bar.end, t)

    def _complete(self, t: float, _: Payload) -> None:
        self._mark("done", t, "complete")

    def _tool(self, type_: str, p: Payload) -> None:
        id_ = p.get("tool_call_id")
        tool = next((each for each in self.tools if each.get("tool_call_id") == id_), None)
        if tool is None:
            tool = {}
            self.tools.append(tool)
        tool.update({"status": type_.removeprefix("TOOL_").lower(), **p})


_STEPS: dict[str, Callable[[Picture, float, Payload], None]] = {
    "STREAM_INIT": Picture._init,
    "TOKENS": Picture._tokens,
    "RESTART": Picture._restart,
    "STREAM_FINISHED": Picture._finished,
    "STREAM_EVENT": Picture._stream_event,
    "NETWORK_ERROR": Picture._network_error,
    "TIMEOUT_TRIGGERED": Picture._timeout,
    "ABORT_REQUESTED": Picture._abort,
    "ABORT_COMPLETED": Picture._abort_done,
    "TOOL_REQUESTED": Picture._tool_requested,
    "TOOL_ERROR": Picture._tool_error,
    "GUARDRAIL_RULE_RESULT": Picture._rule_result,
    "SCHEMA_VALIDATION_ERROR": Picture._invalid,
    "DRIFT_CHECK_RESULT": Picture._drift,
    "RESUME_START": Picture._resume,
    "ERROR": Picture._error,
    "RETRY_ATTEMPT": Picture._retry,
    "FALLBACK_MODEL_SELECTED": Picture._fallback,
    "SESSION_END": Picture._session_end,
    "COMPLETE": Picture._complete,
}


# --- words ----------------------------------------------------------------------------------


def seconds(ms: float) -> str:
    """`0.42 s`, `4.2 s`, `2.5 min`: the digits that a person would say.

    >>> seconds(420), seconds(4200), seconds(150_000)
    ('0.42 s', '4.2 s', '2.5 min')
    """
    s = ms / 1000
    if s < 99.95:
        return f"{s:.2f} s" if s < 1 else f"{s:.1f} s"
    return f"{s / 60:.1f} min"


def count(n: int, noun: str) -> str:
    """`1 token`, `2 tokens`, `12,345 tokens`."""
    return f"{n:,} {noun}{'' if n == 1 else 's'}"


def words(name: object) -> str:
    """`rate_limit` is a rate limit to a person."""
    return str(name or "").replace("_", " ")
