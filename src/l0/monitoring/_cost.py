"""What a run cost: each attempt at the price of its model, those that failed included."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import msgspec

from l0.events import Usage
from l0.monitoring._collect import Collector
from l0.monitoring._prices import Prices
from l0.monitoring._telemetry import AttemptTelemetry, Telemetry


class AttemptCost(msgspec.Struct, frozen=True):
    """What one attempt cost; `cost` is None if its model has no price or is not known.

    `estimated` says that the provider did not report the usage to its end.
    """

    number: int
    fallback_index: int
    model: str | None
    usage: Usage
    cost: float | None
    outcome: str | None = None
    estimated: bool = False


class RunCost(msgspec.Struct, frozen=True):
    """What a run cost, in the currency of the prices.

    `total` is None as soon as one attempt that used tokens has no price: a sum without it would be
    a guess; `known` is the sum of the others. `failed` is the part of `known` that went into
    attempts that failed, `estimated` the part whose usage is an estimate; `lost_tokens` are those
    that came in text that was thrown away.
    """

    total: float | None
    known: float = 0.0
    failed: float = 0.0
    estimated: float = 0.0
    lost_tokens: int = 0
    usage: Usage = Usage()
    attempts: list[AttemptCost] = []


def cost_of_run(
    run: Any, prices: Prices | Mapping[str, Any], *, model: str | Mapping[int, str] | None = None
) -> RunCost:
    """What a run cost, failed attempts and estimates included.

    Attempts that failed early never say which model they asked. They are taken to be of the model
    that another attempt on the same stream of the chain named, or else of `model`.

    Args:
        run: a run's `Telemetry`, its records from a store, its events, or a stream with
            `monitoring=True`.
        prices: the table, or a mapping to make one of.
        model: what was asked for: a name, or names by index in the chain (the primary is 0).

    Raises:
        TypeError: there is nothing to read the usage from.
        ValueError: the events are not those of one run from its beginning.

    Example:
        >>> import asyncio, l0
        >>> from l0.testing import end
        >>> usage = l0.events.Usage(input_tokens=1000, output_tokens=500)
        >>> stream = l0.run(lambda: ["Hello", end(usage=usage)], monitoring=True)
        >>> _ = asyncio.run(stream.read())
        >>> cost_of_run(stream, {"gpt-x": (2, 8)}, model="gpt-x").total
        0.006
    """
    told = _telemetry(run)
    prices = prices if isinstance(prices, Prices) else Prices(prices)
    names = {each.fallback_index: each.model for each in told.attempts if each.model is not None}
    attempts = [_priced(each, prices, names, model) for each in told.attempts if each.usage]
    known = [each for each in attempts if each.cost is not None]
    unknown = [each for each in attempts if each.cost is None and any(dict(each.usage).values())]
    total = _sum(known)
    return RunCost(
        total=None if unknown else total,
        known=total,
        failed=_sum(each for each in known if each.outcome != "completed"),
        estimated=_sum(each for each in known if each.estimated),
        lost_tokens=told.lost_tokens,
        usage=told.usage,
        attempts=attempts,
    )


def _priced(
    attempt: AttemptTelemetry,
    prices: Prices,
    names: Mapping[int, str],
    model: str | Mapping[int, str] | None,
) -> AttemptCost:
    index = attempt.fallback_index
    asked = model.get(index) if isinstance(model, Mapping) else model
    name = attempt.model or names.get(index) or asked
    usage = attempt.usage or Usage()
    cost = prices.cost(name, usage)
    if cost is None and asked is not None:  # the provider's own word for it may not be in the table
        cost = prices.cost(asked, usage)
    return AttemptCost(
        attempt.number,
        index,
        name,
        usage,
        cost,
        attempt.outcome,
        attempt.usage_source == "estimated",
    )


def _sum(attempts: Iterable[AttemptCost]) -> float:
    return sum(each.cost or 0.0 for each in attempts)


def _telemetry(run: Any) -> Telemetry:
    if isinstance(run, Telemetry):
        return run
    if hasattr(run, "telemetry"):
        if isinstance(run.telemetry, Telemetry):
            return run.telemetry
        raise TypeError("the stream has no telemetry; ask for it with run(monitoring=True)")
    if isinstance(run, str | bytes | Mapping) or not isinstance(run, Iterable):
        raise TypeError(f"give a run's telemetry, its records or its events, not {run!r}")
    collector: Collector | None = None
    stream_id: str | None = None
    for each in run:
        event: Any = getattr(each, "event", each)
        if collector is None:
            if event.type != "SESSION_START":
                raise ValueError("the events of a run begin with SESSION_START")
            collector, stream_id = Collector(event, None), event.stream_id
        elif event.stream_id != stream_id:
            raise ValueError("these are events of several runs; give one run's at a time")
        else:
            collector.add(event)
    if collector is None:
        raise ValueError("there are no events")
    return collector.telemetry()
