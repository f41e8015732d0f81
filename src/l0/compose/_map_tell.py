"""What a map tells while it goes on: its events, and how far it is."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from l0.compose._executor import Executor, Work
from l0.compose._map_desk import MapDesk
from l0.compose._map_payloads import (
    MapEndPayload,
    MapProgressPayload,
    MapRowPayload,
    MapStartPayload,
    MapStoppedPayload,
)
from l0.compose._map_result import Ledger, MapProgress, MapResult, MapRow
from l0.compose._rows import Prompter, Rows
from l0.errors._secrets import redact_text
from l0.events import EventBus
from l0.stream._attempt import parent_id

_SECONDS = 0.1  # between two tellings of the progress


@dataclass(frozen=True, slots=True)
class Plan:
    """Everything a map was told, checked and complete."""

    rows: Rows
    prompter: Prompter
    key: Callable[[Any], Any] | None
    model: str  # for people
    model_id: str
    schema_id: str | None
    parse: Callable[[str], Any] | None
    work: Work
    executor: Executor
    store: Any
    event_store: Any
    redact: Any
    facts: dict[str, Any]
    on_progress: Callable[[MapProgress], Any] | None


class Teller:
    """Tells the listeners of one map."""

    def __init__(
        self, plan: Plan, bus: EventBus, ledger: Ledger, desk: MapDesk, running: Callable[[], int]
    ) -> None:
        self._plan, self._bus, self._ledger, self._desk = plan, bus, ledger, desk
        self._running = running
        self._began: float | None = None
        self._told = 0.0

    def start(self, began: float, path: Path | None) -> None:
        """The map begins."""
        self._began, self._told = began, began - _SECONDS
        plan = self._plan
        store = None if path is None else str(path)
        limit = self._desk.throttle.limit
        self._bus.emit(
            MapStartPayload(plan.model, store, plan.rows.total, limit, plan.facts, parent_id())
        )

    def row(self, row: MapRow) -> None:
        """A row is handed over."""
        if self._bus.active:
            ms = None if row.duration is None else row.duration * 1000
            self._bus.emit(
                MapRowPayload(
                    *(row.position, row.status, row.origin, row.attempts),
                    *(ms, row.usage, row.cost, row.error),
                )
            )
        now = self._bus.clock.monotonic()
        if now - self._told >= _SECONDS:
            self._told = now
            self._progress()

    def stopped(self, cause: str, reason: str) -> None:
        """No further row is begun."""
        purse = self._desk.purse
        self._bus.emit(MapStoppedPayload(cause, reason, purse.spent, purse.cost))

    def end(self, outcome: str, result: MapResult, failure: BaseException | None) -> None:
        """The map has ended."""
        self._progress()
        self._bus.emit(
            MapEndPayload(
                *(outcome, result.ok, result.failed, result.skipped, result.reused),
                *(result.duration * 1000, result.usage, result.cost),
                None if failure is None else redact_text(str(failure)),
            )
        )

    def _progress(self) -> None:
        progress = self.progress()
        if self._plan.on_progress is not None:
            self._bus.call(self._plan.on_progress, progress)
        if self._bus.active:
            fields = {name: getattr(progress, name) for name in progress.__struct_fields__}
            elapsed, eta = fields.pop("elapsed"), fields.pop("eta")
            eta_ms = None if eta is None else eta * 1000
            self._bus.emit(MapProgressPayload(elapsed_ms=elapsed * 1000, eta_ms=eta_ms, **fields))

    def progress(self) -> MapProgress:
        """How far it is now."""
        ledger, total, purse = self._ledger, self._plan.rows.total, self._desk.purse
        elapsed = 0.0 if self._began is None else self._bus.clock.monotonic() - self._began
        made = ledger.done - ledger.reused - ledger.skipped
        eta = None
        if total is not None and made > 0:
            eta = max(0.0, (total - ledger.done) * elapsed / made)
        return MapProgress(
            total=total,
            done=ledger.done,
            ok=ledger.ok,
            failed=ledger.failed,
            skipped=ledger.skipped,
            reused=ledger.reused,
            running=self._running(),
            retries=ledger.retries,
            concurrency=self._desk.throttle.limit,
            elapsed=elapsed,
            eta=eta,
            usage=purse.spent,
            cost=purse.cost,
        )
