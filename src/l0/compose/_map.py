"""Many rows, one prompt each: every row made once, whatever happens."""

from __future__ import annotations

import contextlib
import weakref
from collections.abc import AsyncGenerator, AsyncIterator, Callable, Generator, Sequence
from typing import Any, NamedTuple

from l0.compose._budget import Budget, Forecast, Purse, Tariff
from l0.compose._executor import Executor, LocalExecutor
from l0.compose._limits import Concurrency, Limiter, Limits, Throttle
from l0.compose._map_desk import MapDesk
from l0.compose._map_key import identity
from l0.compose._map_parse import Parser
from l0.compose._map_result import MapProgress, MapResult, MapRow
from l0.compose._map_row import RowWork
from l0.compose._map_run import Drive
from l0.compose._map_tell import Plan
from l0.compose._results import check_store
from l0.compose._rows import Rows, prompter, value_of
from l0.events import SYSTEM_CLOCK, EventBus
from l0.stream import Options
from l0.stream._open import running_in
from l0.stream._options import build_options


def map(
    items: Any,
    prompt: Any,
    model: Any,
    *,
    fallbacks: Sequence[Any] = (),
    name: str | None = None,
    key: Any = None,
    store: Any = None,
    concurrency: Concurrency | int | None = None,
    limits: Limits | None = None,
    budget: Budget | None = None,
    prices: Any = None,
    max_tokens: int | None = None,
    parse: Any = None,
    parse_config: Any = None,
    max_rows: int | None = None,
    on_progress: Callable[[MapProgress], Any] | None = None,
    on_event: Callable[..., Any] | None = None,
    executor: Executor | None = None,
    **run_options: Any,
) -> MapRun:
    """Ask a model once for every row of a DataFrame or list; each answer is kept as it comes.

    `await` it for a `MapResult`, or iterate it for rows as they finish; `l0.run_sync(…)` does
    without a running loop. Answers are committed to a file by what was asked: the same call after a
    crash or a restart only makes what is missing, and tries again what failed.

    Args:
        items: a DataFrame or Series (never changed, its index is kept), a list of dicts or texts,
            or any iterable; a text has one column, "text".
        prompt: a template over the columns ("Summarise {text}"), the name of a column, or a
            function of the row (a dict) that gives a text or a list of messages.
        model: a function of the prompt, or of the prompt and the `AttemptInfo`, that returns what
            the factories of `run` return; each row is a run of its own.
        fallbacks: models to try in order where one has failed for good.
        name: what the model is, for the store; by default its code and the values it refers to.
        key: a column, or a function of the row, that tells rows of the same prompt apart.
        store: a file; None for `.l0/map.db` in the working directory; False for memory only.
        concurrency: rows at a time, `Concurrency()` by default; a number is the most of them.
        limits: requests and tokens a minute.
        budget: what this call may spend; rows it does not suffice for are skipped.
        prices: `Prices`, a mapping of model name to price, or one `Price` for all.
        max_tokens: how long an answer may be, as the model is told by you; for the estimates.
        parse: a schema, as `structured` takes it: rows become validated data.
        parse_config: a `StructuredConfig` for it.
        max_rows: take only so many rows, as for a trial.
        on_progress: called with a `MapProgress`, at most ten times a second, and at the end.
        on_event: called with the MAP_* events, which are also kept where those of the rows' runs
            are: in the `event_store`, or the default store.
        executor: where rows are made; here by default.
        **run_options: everything `run` takes, for each row.

    Raises:
        TypeError: an argument can't be used, or an option is unknown.
        ValueError: the prompt asks for a column that is not there; nothing tells the model from
            another one; a number makes no sense.

    Example:
        >>> import l0
        >>> def model(prompt):
        ...     return ["Hello, ", prompt.split()[-1]]
        >>> rows = l0.compose.map(["Ada", "Grace"], "Greet {text}", model, store=False)
        >>> l0.run_sync(rows).texts
        ['Hello, Ada', 'Hello, Grace']
    """
    told = _Told(
        *(fallbacks or (), name, key, store, concurrency, limits, budget, prices, max_tokens),
        *(parse, parse_config, max_rows, on_progress, on_event, executor),
    )
    return _prepare(items, prompt, model, told, _options(run_options))


class MapRun:
    """A map on its way: `await` it, iterate it, abort it. Nothing happens before its first use.

    Leaving an `async for` early, or cancelling whoever awaits it, ends it: requests that are on are
    closed, and every row that is done is kept.

    Example:
        >>> import asyncio, l0
        >>> async def main():
        ...     run = l0.compose.map(["a"], "Say {text}", lambda prompt: [prompt], store=False)
        ...     async for row in run:
        ...         print(row.position, row.text)
        ...     return await run
        >>> asyncio.run(main())
        0 Say a
        <MapResult of 1 rows: 1 ok, 0 failed, 0 skipped>
    """

    def __init__(self, drive: Drive, bus: EventBus) -> None:
        self._drive, self._bus = drive, bus
        self._generator: weakref.ref[AsyncGenerator[MapRow, None]] | None = None

    def __await__(self) -> Generator[Any, None, MapResult]:
        return self._whole().__await__()

    async def _whole(self) -> MapResult:
        drive, generator = self._drive, self._live()
        if generator is None or getattr(generator, "ag_running", False):
            await drive.ended.wait()  # it was left, or another task iterates it
        elif drive.result is None:
            async for _ in generator:
                pass
        if drive.failure is not None:
            raise drive.failure
        assert drive.result is not None
        return drive.result

    def __aiter__(self) -> AsyncIterator[MapRow]:
        if self._drive.result is not None:
            return self._again()
        begun = self._drive.loop is not None
        held = self._generator() if self._generator is not None else None
        generator = self._live()
        if generator is None or begun or held is not None:
            raise RuntimeError("the map is in use already; await it, or iterate it, once")
        return generator

    def _live(self) -> AsyncGenerator[MapRow, None] | None:
        """What gives the rows, made if nobody has begun; None once it was left."""
        generator = self._generator() if self._generator is not None else None
        if generator is None and self._drive.loop is None:
            generator = self._drive.rows()
            # Held by who iterates alone, so that leaving the loop ends the map.
            self._generator = weakref.ref(generator)
        return generator

    async def _again(self) -> AsyncGenerator[MapRow, None]:
        assert self._drive.result is not None
        for row in self._drive.result:
            yield row

    def abort(self, reason: str | None = None) -> None:
        """End the map now, from any thread; rows that are not done are skipped.

        Awaiting it then gives what is done. Has no effect after the end.
        """
        loop, why = self._drive.loop, f"aborted: {reason}" if reason else "aborted"
        if loop is None or running_in(loop):
            self._drive.stop("abort", why)
            return
        with contextlib.suppress(RuntimeError):  # the loop is closed, and the map with it
            loop.call_soon_threadsafe(self._drive.stop, "abort", why)

    @property
    def progress(self) -> MapProgress:
        """How far it is."""
        return self._drive.teller.progress()

    @property
    def result(self) -> MapResult | None:
        """What came of it, once it has ended."""
        return self._drive.result

    @property
    def stream_id(self) -> str:
        """The id of its events, which the runs of its rows carry as `parent_id`."""
        return self._bus.stream_id

    def subscribe(self, handler: Callable[[Any], Any], types: Any = None) -> Callable[[], None]:
        """Call `handler` for each MAP_* event; gives a function that ends it."""
        return self._bus.subscribe(handler, types)

    def __repr__(self) -> str:
        if self._drive.result is not None:
            return repr(self._drive.result)
        now = self._drive.teller.progress()
        total = "" if now.total is None else f" of {now.total}"
        hint = "" if self._generator is not None else "; await it"
        return f"<MapRun {now.done}{total} rows done{hint}>"


# --- what it is told ----------------------------------------------------------------------------


class _Told(NamedTuple):
    """The keywords of `map`, as they were given."""

    fallbacks: Sequence[Any]
    name: str | None
    key: Any
    store: Any
    concurrency: Any
    limits: Limits | None
    budget: Budget | None
    prices: Any
    max_tokens: int | None
    parse: Any
    parse_config: Any
    max_rows: int | None
    on_progress: Callable[[MapProgress], Any] | None
    on_event: Callable[..., Any] | None
    executor: Executor | None


def _prepare(items: Any, prompt: Any, model: Any, told: _Told, options: Options) -> MapRun:
    """Everything checked, and nothing begun."""
    _check_number("max_tokens", told.max_tokens, 1)
    _check_number("max_rows", told.max_rows, 0)
    check_store(told.store)
    _check_kind("limits", told.limits, Limits, "Limits(requests_per_minute=500)")
    _check_kind("budget", told.budget, Budget, "Budget(tokens=100_000)")
    _check_kind("executor", told.executor, Executor, "LocalExecutor()")
    if told.on_progress is not None and not callable(told.on_progress):
        raise TypeError(f"on_progress is a function of a MapProgress; not {told.on_progress!r}")
    rows = Rows(items, told.max_rows)
    tariff, budget = Tariff(told.prices), told.budget
    if budget is not None and budget.cost is not None and not tariff.known:
        raise ValueError("a budget in money needs prices=, such as l0.monitoring.Price(2, 8)")
    parser = None if told.parse is None else Parser(told.parse, told.parse_config)
    clock, policy = options.clock or SYSTEM_CLOCK, _concurrency(told.concurrency)
    in_memory = told.store is False
    plan = Plan(
        rows=rows,
        prompter=prompter(prompt, rows),
        key=_own_key(told.key, rows),
        model=told.name or str(getattr(model, "__qualname__", type(model).__name__)),
        model_id=told.name or "" if in_memory else identity(model, told.name),
        schema_id=None if parser is None else parser.identity,
        parse=None if parser is None else parser.again,
        work=RowWork((model, *told.fallbacks), options, parser),
        executor=told.executor or LocalExecutor(),
        store=told.store,
        event_store=options.event_store,
        redact=options.redact,
        facts=_facts(told.limits, budget, policy),
        on_progress=told.on_progress,
    )
    bus = EventBus(told.on_event, options.meta, clock=clock)
    throttle = Throttle(policy)
    desk = MapDesk(
        Purse(budget, tariff, Forecast(told.max_tokens)),
        Limiter(told.limits or Limits(), clock, throttle),
        throttle,
        bus,
        longest_pause=options.retry.max_retry_after,
        fallbacks=bool(told.fallbacks),
    )
    return MapRun(Drive(plan, desk, bus), bus)


def _options(given: dict[str, Any]) -> Options:
    for word, why in (
        ("stream", "the model is what opens a stream"),
        ("stream_id", "each row is a run of its own"),
        ("temperature", "tell the model in the function that asks it"),
    ):
        if word in given:
            raise TypeError(f"map takes no {word}=: {why}")
    return build_options(None, stream=None, **given)


def _concurrency(given: Any) -> Concurrency:
    if given is None:
        return Concurrency()
    if isinstance(given, Concurrency):
        return given
    if isinstance(given, int) and not isinstance(given, bool):
        if given < 1:
            raise ValueError(f"concurrency counts rows: 1 or more, not {given}")
        return Concurrency(start=given, maximum=given)
    raise TypeError(f"concurrency is a number or a Concurrency; not {given!r}")


def _check_number(name: str, value: Any, least: int) -> None:
    if value is not None and (
        not isinstance(value, int) or isinstance(value, bool) or value < least
    ):
        raise ValueError(f"{name} is a whole number, {least} or more, or None; not {value!r}")


def _check_kind(name: str, value: Any, kind: type, example: str) -> None:
    if value is not None and not isinstance(value, kind):
        article = "an" if kind is Executor else "a"
        raise TypeError(f"{name} is {article} {kind.__name__}, such as {example}; not {value!r}")


def _own_key(key: Any, rows: Rows) -> Callable[[Any], Any] | None:
    if key is None or callable(key):
        return key  # type: ignore[no-any-return]  # a function of the row
    if rows.columns is not None and key not in rows.columns:
        raise ValueError(f"key={key!r} is no column; give a column, or a function of the row")
    return lambda row: value_of(row, key)


def _facts(limits: Limits | None, budget: Budget | None, policy: Concurrency) -> dict[str, Any]:
    """What a reader of the log needs to understand the map."""
    return {
        "requests_per_minute": limits and limits.requests_per_minute,
        "tokens_per_minute": limits and limits.tokens_per_minute,
        "budget_tokens": budget and budget.tokens,
        "budget_cost": budget and budget.cost,
        "max_concurrency": policy.maximum,
    }
