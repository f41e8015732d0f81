"""A map on its way, as its view sees it: counts, speed, and what went wrong."""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Final

from l0.compose import MapProgress, MapResult, MapRun
from l0.errors._secrets import redact_text

_RECENT: Final = 10.0
"""Seconds over which the speed of late is taken."""

_KINDS: Final = 1000  # of failures that are told apart
_SHOWN: Final = 5
_LONGEST: Final = 300  # characters of a failure
_STATUSES: Final = {
    "completed": "complete",
    "stopped": "aborted",
    "aborted": "aborted",
    "cancelled": "aborted",
    "failed": "failed",
}
"""How a view names the outcome of a map."""


@dataclass(slots=True)
class Failure:
    """One kind of failure: how often, and in which rows."""

    times: int
    positions: list[int]


class MapStory:
    """What a view knows of a map; to a bridge it is what the story of a run is.

    Args:
        run: the map, best before its start.

    Example:
        >>> import l0
        >>> run = l0.compose.map(["a", "b"], "Say {text}", lambda prompt: [prompt], store=False)
        >>> story = MapStory(run)
        >>> _ = l0.run_sync(run)
        >>> story.status, story.counts().ok
        ('complete', 2)
    """

    text = ""
    format = "text"
    notes: tuple[str, ...] = ()
    rows: tuple[Any, ...] = ()

    def __init__(self, run: MapRun) -> None:
        self.run = run
        self.model: str | None = None
        self.outcome: str | None = None
        self.error: dict[str, str] | None = None
        self.started_ms: float | None = None
        self.failures: dict[str, Failure] = {}
        self.store: str | None = None
        self.stopping = False
        self._stopped: str | None = None
        self._pause: tuple[float, float] | None = None  # until when, and how many seconds in all
        self._last: MapProgress | None = None
        self._marks: deque[tuple[float, int]] = deque()
        self._listeners: list[Callable[[Any, Any], Any]] = []
        if run.result is None:
            run.subscribe(self._hear)
        else:
            self._finished(run.result)

    def listen(self, listener: Callable[..., Any]) -> None:
        """Call `listener` with each event to come."""
        self._listeners.append(listener)

    def _hear(self, event: Any) -> None:
        payload = event.payload
        if self.started_ms is None:
            self.started_ms = event.ts
        match event.type:
            case "MAP_START":
                self.model, self.store = payload.model, payload.store
            case "MAP_ROW" if payload.status == "failed":
                self._failed(payload.error or "failed", payload.position)
            case "MAP_LIMITED":
                self._pause = (event.ts + payload.pause_ms, payload.pause_ms / 1000)
            case "MAP_STOPPED":
                self._stopped = payload.reason
            case "MAP_END":
                self.outcome = payload.outcome
                if payload.error and payload.outcome == "failed":
                    self.error = {"type": "the map failed", "message": payload.error}
        for listener in list(self._listeners):
            listener(event, None)

    def _failed(self, message: str, position: int) -> None:
        known = self.failures.get(message)
        if known is None and len(self.failures) >= _KINDS:
            message = "other failures"
            known = self.failures.get(message)
        if known is None:
            known = self.failures[message] = Failure(0, [])
        known.times += 1
        known.positions = sorted([*known.positions, position])[:_SHOWN]

    def _finished(self, result: MapResult) -> None:
        """The map is over, and nobody listened: its result tells what it can."""
        self.outcome = "completed" if result.stopped is None else "stopped"
        self._stopped = result.stopped
        self.store = None if result.path is None else str(result.path)
        for row in result if result.failed else ():
            if row.status == "failed":
                self._failed(row.error or "failed", row.position)

    # --- how it stands ---

    @property
    def stream_id(self) -> str:
        """The id of the map's events."""
        return self.run.stream_id

    @property
    def live(self) -> bool:
        """Whether more may come."""
        return self.outcome is None

    @property
    def answers(self) -> str | None:
        """The model that it asks."""
        return self.model

    @property
    def status(self) -> str:
        """In a word of the views."""
        if self.outcome is not None:
            return _STATUSES.get(self.outcome, self.outcome)
        if self.stopping:
            return "stopping"
        return "waiting" if self.started_ms is None else "streaming"

    @property
    def stopped(self) -> str | None:
        """Why no more rows were begun."""
        return self._stopped and self._stopped.removeprefix("aborted: ")  # as its status says

    def counts(self) -> MapProgress:
        """How far it is, now."""
        result = self.run.result
        if result is None:
            return self.run.progress
        if self._last is None:
            self._last = MapProgress(
                total=len(result),
                done=len(result),
                ok=result.ok,
                failed=result.failed,
                skipped=result.skipped,
                reused=result.reused,
                running=0,
                retries=result.retries,
                concurrency=0,
                elapsed=result.duration,
                eta=None,
                usage=result.usage,
                cost=result.cost,
            )
        return self._last

    def rate(self, now: MapProgress) -> float | None:
        """Rows made a second: of late while it goes on, on the whole when it is over."""
        made = now.done - now.reused - now.skipped
        if not self.live:
            return made / now.elapsed if now.elapsed > 0 and made else None
        self._marks.append((now.elapsed, made))
        while len(self._marks) > 2 and self._marks[1][0] < now.elapsed - _RECENT:
            self._marks.popleft()
        (begun, before), (ended, after) = self._marks[0], self._marks[-1]
        return (after - before) / (ended - begun) if ended > begun and after > before else None

    def errors(self) -> list[tuple[str, int, str]]:
        """Message, how many rows, and which; the most frequent first."""
        found = sorted(
            self.failures.items(), key=lambda item: (-item[1].times, item[1].positions, item[0])
        )
        return [
            (_short(message), failure.times, _places(failure))
            for message, failure in found[:_SHOWN]
        ]

    @property
    def facts(self) -> dict[str, Any]:
        """What a page is told."""
        now = self.counts()
        rate = self.rate(now)
        return {
            "kind": "map",
            "map": {
                "total": now.total,
                "done": now.done,
                "ok": now.ok,
                "failed": now.failed,
                "skipped": now.skipped,
                "reused": now.reused,
                "busy": now.running,
                "retries": now.retries,
                "limit": now.concurrency,
                "elapsed_ms": round(now.elapsed * 1000),
                "eta_ms": None if now.eta is None else round(now.eta * 1000),
                "rate": None if rate is None else round(rate, 2),
                "used": now.usage.total_tokens,
                "cost": money(now.cost),
                "stopped": self.stopped,
                "limited": self._limited(now),
                "errors": self.errors(),
            },
        }

    def _limited(self, now: MapProgress) -> str | None:
        if self._pause is None or self.started_ms is None or not self.live:
            return None
        until, pause = self._pause
        if self.started_ms + now.elapsed * 1000 >= until:
            return None
        return f"too many requests, a pause of {pause:.1f} s"


def money(cost: float | None) -> str | None:
    """A cost as a person says it; the currency is that of the prices.

    >>> money(None), money(0.0), money(0.00123), money(12.5)
    (None, '0', '0.0012', '12.50')
    """
    if cost is None:
        return None
    if cost == 0:
        return "0"
    return f"{cost:,.2f}" if cost >= 1 else f"{cost:.2g}"


def _short(message: str) -> str:
    told = " ".join(redact_text(message).split())
    return told if len(told) <= _LONGEST else f"{told[:_LONGEST]}…"


def _places(failure: Failure) -> str:
    """`row 3`, or `rows 3, 9, …`; rows count from 0, as `MapRow.position` does."""
    told = ", ".join(map(str, failure.positions))
    more = ", …" if failure.times > len(failure.positions) else ""
    return f"row{'s' if failure.times > 1 else ''} {told}{more}"
