"""Whom the rows of a map ask and tell: money, limits and concurrency, in one place for all."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from l0.compose._budget import Purse, Reservation
from l0.compose._executor import AttemptReport, RowJob
from l0.compose._limits import Limiter, Throttle
from l0.compose._map_payloads import MapLimitedPayload
from l0.events import EventBus, Usage


@dataclass(slots=True)
class _Account:
    """One row's requests: what is set aside, what was let out, what they cost so far."""

    held: Reservation | None = None
    out: float | None = None  # tokens that the present request was let out with
    since: float = 0.0  # when that was
    begun: bool = False
    cost: float | None = 0.0
    trouble: str | None = None  # the last request failed because of the account
    unnamed: list[tuple[int, Usage]] = field(default_factory=list)  # broke before it said its model

    def pay(self, cost: float | None) -> None:
        self.cost = None if cost is None or self.cost is None else self.cost + cost


class MapDesk:
    """The desk of one map, on its event loop."""

    def __init__(
        self,
        purse: Purse,
        limiter: Limiter,
        throttle: Throttle,
        bus: EventBus,
        *,
        longest_pause: float,
        fallbacks: bool,
    ) -> None:
        self.purse, self.throttle = purse, throttle
        self._limiter, self._bus = limiter, bus
        self._longest, self._fallbacks = longest_pause, fallbacks
        self._accounts: dict[int, _Account] = {}
        self._models: dict[int, str] = {}  # what each model of the chain calls itself
        self.busy: Callable[[], int] = lambda: 0
        self.on_change: Callable[[], None] = lambda: None

    def _account(self, job: RowJob) -> _Account:
        return self._accounts.setdefault(job.position, _Account())

    async def fund(self, job: RowJob) -> bool:
        """Set aside what another request may take; False: the budget lacks it."""
        account = self._account(job)
        # A further request may be of a fallback, which may be dearer; None stands for the dearest.
        model = None if account.begun and self._fallbacks else self._models.get(0)
        held = await self.purse.reserve(job.size, model)
        account.held = held
        return held is not None

    async def admit(self, job: RowJob) -> None:
        """Wait until the limits let another request out, or it is of no more use."""
        account = self._account(job)
        tokens = account.held.usage.total_tokens if account.held is not None else 0
        if not await self._limiter.acquire(tokens, begun=account.begun):
            return
        account.begun, account.out = True, tokens
        account.since = self._bus.clock.monotonic()

    def accepted(self, job: RowJob) -> None:
        """The provider has taken a request."""
        if self.throttle.probing:
            self.throttle.answered(self._account(job).since, well=False, busy=False)
            self._limiter.pump()

    def report(self, job: RowJob, report: AttemptReport) -> None:
        """A request has ended: settle it, and see what it says about the provider."""
        account, took = self._account(job), report.usage
        index = report.fallback_index
        if report.model is not None:
            self._models[index] = report.model
        model = report.model or self._models.get(index)
        held, account.held = account.held, None
        cost = self.purse.settle(held, took, model)
        if model is None and cost is None:
            account.unnamed.append((index, took))
        else:
            account.pay(cost)
        account.trouble = report.error if report.account else None
        busy = self.busy() >= self.throttle.limit
        if report.rate_limited:
            self._slow_down(account.since, report.retry_after, busy)
        elif report.error is None or report.answered:
            self.throttle.answered(account.since, well=report.error is None, busy=busy)
            if report.error is None:
                self.purse.learn(job.size, took)
        out, account.out = account.out, None
        if out is not None:
            known = took.total_tokens or report.error is not None
            self._limiter.returned(out, took.total_tokens if known else out)
        self.on_change()

    def _slow_down(self, since: float, asked: float | None, busy: bool) -> None:
        pause = self.throttle.refused(since, self._bus.clock.monotonic(), busy=busy)
        pause = max(pause or 0.0, min(asked or 0.0, self._longest))
        if pause > self._limiter.paused_for:
            self._limiter.pause(pause)
            self._bus.emit(MapLimitedPayload(self.throttle.limit, pause * 1000))

    def forget(self, job: RowJob) -> tuple[float | None, str | None]:
        """The row is over: its cost, and the account's trouble if that is why it failed."""
        account = self._accounts.pop(job.position, None) or _Account()
        if account.held is not None:  # set aside, and never sent
            self.purse.release(account.held)
        if account.out is not None:
            self._limiter.returned(account.out, 0)
        for index, took in account.unnamed:
            model = self._models.get(index)
            account.pay(None if model is None else self.purse.name(model, took))
        return (account.cost if self.purse.cost is not None else None), account.trouble

    def stop(self) -> None:
        """No further row is begun: those that wait for their turn are turned away."""
        self._limiter.turn_away()

    def close(self) -> None:
        """Nothing more is let out."""
        self._limiter.close()
