"""One row: a run whose every request is funded, admitted and reported."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Sequence
from typing import Any

import msgspec

from l0.compose._executor import AttemptReport, Desk, RowJob, RowOutcome
from l0.compose._map_parse import Parser
from l0.compose._task import POSITIONAL, wants
from l0.errors import Error, ErrorCategory, RetryableErrorType, classify, retry_after
from l0.errors._secrets import redact_text
from l0.events import SYSTEM_CLOCK, Clock, State, TimerHandle, Usage
from l0.stream import AttemptInfo, Options, RetryContext, run
from l0.stream._attempt import enter_call
from l0.stream._decide import usable
from l0.stream._open import awaited, model_of

_ACCOUNT_STATUS = 401
_PATIENCE = 24  # times that a row is refused by 429 beyond what its policy has retries


class BudgetError(Error):
    """The budget does not have what another request may take; nothing was sent."""

    default_category = ErrorCategory.FATAL
    advice = "Raise `map(budget=…)` and call it again: rows that are done are not asked again."


def opener(model: Any) -> Callable[[Any, AttemptInfo], Any]:
    """How a model is asked: `(prompt, attempt) -> what the factories of run return`.

    Raises:
        TypeError: it is nothing that can be asked.
    """
    if not callable(model):
        raise TypeError(
            f"a model is a function of the prompt that opens a stream, such as lambda prompt: "
            f"client.chat.completions.create(..., stream=True); not {model!r}"
        )
    wanted = wants(model)  # None: a builtin that does not say; it is given the prompt
    if wanted == 0 and not _takes_one(model):
        raise TypeError(f"a model is a function of the prompt; {model!r} takes no argument")
    if wanted is not None and wanted >= 2:
        return model  # type: ignore[no-any-return]  # it takes both
    return lambda prompt, _: model(prompt)


def _takes_one(model: Callable[..., Any]) -> bool:
    """Whether a function that needs no argument can be given one."""
    parameters = inspect.signature(model).parameters.values()
    return any(each.kind in (*POSITIONAL, each.VAR_POSITIONAL) for each in parameters)


class RowWork:
    """Makes rows: `await work(job, desk)`. It remembers nothing, and pickles if its parts do."""

    def __init__(self, models: Sequence[Any], options: Options, parser: Parser | None) -> None:
        for model in models:
            opener(model)  # what can't be asked is told before anything is paid
        self._models, self._options, self._parser = tuple(models), options, parser

    async def __call__(self, job: RowJob, desk: Desk) -> RowOutcome:
        """Make one row; its failures are part of the outcome."""
        enter_call(job.map_id)
        row = _Row(job, desk, self._options)
        options = row.options(self._models)
        clock = self._options.clock or SYSTEM_CLOCK
        began = clock.time()
        try:
            outcome = await self._read(options)
            row.attempt_over()
        except Exception as error:  # whatever it is, it is this row's alone
            outcome = _failed(error, row.unfunded)
        finally:
            row.given_up()
        return msgspec.structs.replace(
            outcome,
            attempts=row.attempts,
            usage=row.usage,
            model=row.model,
            finish_reason=row.state.finish_reason if row.state is not None else None,
            started=began,
            ended=clock.time(),
        )

    async def _read(self, options: Options) -> RowOutcome:
        if self._parser is not None:
            return await self._parser.read(options)
        return RowOutcome(status="ok", text=await run(options).read())


def _failed(error: Exception, unfunded: bool) -> RowOutcome:
    told = redact_text(str(error)) or type(error).__name__
    if unfunded:
        told += " (not tried again: the budget does not have what that may take)"
    return RowOutcome(status="failed", error=told, error_type=type(error).__name__)


class _Row:
    """What is remembered of a row while it is made, and the hooks of its run."""

    def __init__(self, job: RowJob, desk: Desk, options: Options) -> None:
        self._job, self._desk = job, desk
        self._base = options
        self._clock = options.clock or SYSTEM_CLOCK
        self._funded = self._admitted = True  # the first request is, before it is submitted
        self._open = False  # a request is on
        self.attempts = 0
        self.usage = Usage()
        self.model: str | None = None
        self.state: State | None = None
        self.backing_off = self.unfunded = False
        self._last = self._counted = 0  # of the models: the last one, the one of the count
        self._others = 0  # retries of its own doing
        self._limited = False  # the last request was refused by 429

    def options(self, models: Sequence[Any]) -> Options:
        """The options of the row's run."""
        first, *others = [self._factory(each) for each in models]
        base, policy = self._base, self._base.retry
        self._last = len(others)
        most = policy.max_retries + (_PATIENCE if policy.max_retries else 0)
        return base.replace(
            stream=first,
            fallbacks=tuple(others),
            retry=policy.replace(
                max_retries=most, should_retry=self.should_retry, calculate_delay=self.delay
            ),
            clock=_RowClock(self._clock, self),
            on_error=self.on_error,
            meta={**(base.meta or {}), "row": self._job.position},
        )

    # --- a request ---

    def _factory(self, model: Any) -> Callable[[AttemptInfo], Any]:
        ask = opener(model)

        async def factory(attempt: AttemptInfo) -> Any:
            await self._enter()
            self.state = attempt.state
            self.attempts += 1
            self._open = True
            made = ask(self._job.prompt, attempt)
            if inspect.isawaitable(made):
                made = await made
                self._desk.accepted(self._job)  # as clients raise what is no 200 here
            return made

        vars(factory)["model"] = model_of(model)
        return factory

    async def take_turn(self) -> None:
        """Wait until the next request may go out."""
        await self._desk.admit(self._job)
        self._admitted = True

    async def _enter(self) -> None:
        """A request goes out now, or as soon as it may: only fallbacks have still to wait here."""
        if not self._funded and not await self._desk.fund(self._job):
            raise BudgetError("the budget does not have what another request may take")
        if not self._admitted:
            await self._desk.admit(self._job)
        self._funded = self._admitted = False

    def attempt_over(self, error: BaseException | None = None) -> None:
        """Report the request that is on, once; without an error it was answered."""
        if not self._open:
            return
        self._open = False
        told = self._report()
        if error is not None:
            found = classify(error)
            told = msgspec.structs.replace(
                told,
                error=redact_text(str(error)) or type(error).__name__,
                answered=found.network_type is None,
                rate_limited=found.reason is RetryableErrorType.RATE_LIMIT and not found.quota,
                retry_after=retry_after(error),
                account=found.quota or found.status == _ACCOUNT_STATUS,
            )
            self._limited = told.rate_limited
        self._desk.report(self._job, told)

    def given_up(self) -> None:
        """Report the request that is on as one that nobody waits for any more."""
        if self._open:
            self._open = False
            told = self._report()
            told = msgspec.structs.replace(told, error="given up", answered=False)
            self._desk.report(self._job, told)

    def _report(self) -> AttemptReport:
        """What the request took, by what its run has used since the last one, and of whom."""
        state = self.state
        assert state is not None
        before, self.usage = self.usage, state.usage
        took = Usage(*(max(0, self.usage[name] - before[name]) for name in before))
        self.model = state.model
        return AttemptReport(took, state.model, state.fallback_index)

    # --- the hooks ---

    def on_error(self, error: BaseException, will_retry: bool, will_fall_back: bool) -> Any:
        self.attempt_over(error)
        self.backing_off = self.backing_off and will_retry
        callback = self._base.callbacks.on_error
        return None if callback is None else callback(error, will_retry, will_fall_back)

    async def should_retry(
        self, error: BaseException, state: Any, attempt: int, category: Any
    ) -> bool:
        self.attempt_over(error)
        if not self._has_retries(state):
            return False
        veto = self._base.retry.should_retry
        if veto is not None and not await awaited(veto(error, state, attempt, category)):
            return False
        self._funded = self._funded or await self._desk.fund(self._job)
        self.unfunded = not self._funded
        return self._funded

    def _has_retries(self, state: State) -> bool:
        """Whether the policy has a retry left; of the last model, a 429 takes none for a while.

        That many rows ask at once is the map's doing: a row must not fail for it.
        """
        if state.fallback_index != self._counted:
            self._counted, self._others = state.fallback_index, 0
        if self._limited and state.fallback_index == self._last:
            return True
        self._others += 1
        most: int = self._base.retry.max_retries
        return self._others <= most

    async def delay(self, context: RetryContext) -> float:
        wanted, given = context.default_delay, self._base.retry.calculate_delay
        if given is not None:
            wanted = usable(await awaited(given(context)), wanted)
        elif context.reason is RetryableErrorType.RATE_LIMIT:
            wanted = 0.0  # the map's pause holds everybody; then who was refused is first in line
        self.backing_off = True
        return math.nextafter(wanted, math.inf)  # never 0, so that the row's clock is asked


class _RowClock:
    """The map's clock for one row: a back-off ends when the limits let the next request out.

    So that no time limit of the run counts the time in which the row waits for its turn.
    """

    def __init__(self, clock: Clock, row: _Row) -> None:
        self._clock, self._row = clock, row

    def time(self) -> float:
        return self._clock.time()

    def monotonic(self) -> float:
        return self._clock.monotonic()

    async def sleep(self, seconds: float) -> None:
        row = self._row
        backing_off, row.backing_off = row.backing_off, False
        await self._clock.sleep(seconds)
        if backing_off:
            await row.take_turn()

    def call_at(self, when: float, fn: Callable[[], object]) -> TimerHandle:
        return self._clock.call_at(when, fn)
