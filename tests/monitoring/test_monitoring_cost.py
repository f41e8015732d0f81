"""What a run cost: failed attempts and estimates included, and never a guess."""

from __future__ import annotations

import pytest

import l0
from l0.events import InMemoryEventStore, Usage
from l0.monitoring import Monitor, Prices, cost_of_run
from l0.testing import ScriptedModel, anthropic_events, end, fail, openai_chunks

PRICES = Prices({"gpt-x": (1, 10), "claude-x": (3, 15)})
RETRY = l0.Retry(attempts=2, base_delay=0)


async def played(model, clock, **options):
    store = InMemoryEventStore()
    seen = []
    stream = l0.run(
        model,
        monitoring=True,
        clock=clock,
        event_store=store,
        on_event=seen.append,
        **{"retry": RETRY} | options,
    )
    try:
        await stream.read()
    except Exception:
        assert stream.outcome == "failed"
    return stream, await store.get_events(stream.stream_id), seen


async def test_failed_attempts_are_paid_for(clock):
    """A provider bills what it sent, whether or not it was any use."""
    model = ScriptedModel(
        ["bad", end(usage=Usage(1000, 100))], ["good", end(usage=Usage(1000, 200))]
    )
    rules = [l0.custom_pattern_rule([r"bad"], "no bad")]
    stream, records, seen = await played(model, clock, guardrails=rules)
    for source in (stream, stream.telemetry, records, seen):
        cost = cost_of_run(source, PRICES, model="gpt-x")
        assert cost.total == pytest.approx((2000 * 1 + 300 * 10) / 1e6)
        assert cost.failed == pytest.approx((1000 * 1 + 100 * 10) / 1e6)
        assert [each.outcome for each in cost.attempts] == ["failed", "completed"]
        assert cost.lost_tokens == 1
        assert cost.usage == Usage(2000, 300, requests=2)


async def test_an_unknown_model_gives_no_total(clock):
    model = ScriptedModel(["a", end(usage=Usage(1000, 100))])
    stream, *_ = await played(model, clock)
    for name in (None, "gpt-y"):
        cost = cost_of_run(stream, PRICES, model=name)
        assert cost.total is None
        assert cost.known == 0
        assert cost.attempts[0].cost is None


async def test_one_unknown_attempt_is_enough_for_no_total(clock):
    model = ScriptedModel(["a", end(usage=Usage(1000, 100), finish_reason="length")], [fail(400)])
    fallback = ScriptedModel(["b", end(usage=Usage(1000, 0))])
    stream, *_ = await played(model, clock, fallbacks=[fallback], on_incomplete="retry")
    cost = cost_of_run(stream, PRICES, model={1: "gpt-x"})
    assert cost.total is None
    assert cost.known == pytest.approx(0.001)
    assert cost_of_run(stream, PRICES, model={0: "gpt-x", 1: "gpt-x"}).total is not None


async def test_nothing_used_costs_nothing(clock):
    stream, *_ = await played(ScriptedModel([fail(400)]), clock)
    assert cost_of_run(stream, PRICES).total == 0


async def test_each_attempt_has_the_price_of_its_own_model(clock):
    """Also one that broke off, by what another attempt on the same stream said."""
    openai = ScriptedModel(
        [*openai_chunks(["a"] * 40, model="gpt-x-2026-01-01")[:-3], fail(503)],
        openai_chunks(["b"], model="gpt-x-2026-01-01", finish_reason="length"),
        openai_chunks(["c"], model="gpt-x-2026-01-01", finish_reason="length"),
    )
    anthropic = ScriptedModel(anthropic_events(["d"], model="claude-x"))
    retry = l0.Retry(attempts=1, base_delay=0)
    stream, *_ = await played(
        openai, clock, fallbacks=[anthropic], on_incomplete="retry", retry=retry
    )
    cost = cost_of_run(stream, PRICES)
    assert {each.fallback_index for each in cost.attempts} == {0, 1}
    by_index = {each.fallback_index: each.model for each in cost.attempts}
    assert by_index == {0: "gpt-x-2026-01-01", 1: "claude-x"}
    assert cost.attempts[0].estimated
    assert cost.estimated == cost.attempts[0].cost > 0
    assert cost.total == pytest.approx(sum(each.cost for each in cost.attempts))


async def test_what_is_no_run_is_refused(clock):
    stream = l0.run(lambda: ["a"])
    await stream.read()
    with pytest.raises(TypeError, match="monitoring=True"):
        cost_of_run(stream, PRICES)
    for source in (7, "id", {"a": 1}):
        with pytest.raises(TypeError, match="its records or its events"):
            cost_of_run(source, PRICES)
    with pytest.raises(ValueError, match="no events"):
        cost_of_run([], PRICES)
    _, records, _ = await played(ScriptedModel(["a"]), clock)
    _, others, _ = await played(ScriptedModel(["a"]), clock)
    with pytest.raises(ValueError, match="begin with SESSION_START"):
        cost_of_run(records[1:], PRICES)
    with pytest.raises(ValueError, match="several runs"):
        cost_of_run([*records, *others], PRICES)


async def test_a_monitors_telemetry_will_do(clock):
    monitor = Monitor()
    model = ScriptedModel(["a", end(usage=Usage(1_000_000, 0))])
    await l0.run(model, on_event=monitor, clock=clock).read()
    assert cost_of_run(monitor.all()[0], {"m": (2, 2)}, model="m").total == 2
