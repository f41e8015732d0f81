"""A budget is never overspent; what it does not suffice for is skipped, and says so."""

from __future__ import annotations

import random

import pytest

from l0.compose import map as map_rows
from l0.compose._budget import Budget, Forecast, Purse, Tariff, size_of
from l0.events import Usage
from l0.monitoring import Price, Prices
from l0.stream import Retry
from l0.testing import VirtualClock, http_error


@pytest.mark.parametrize("fields", [{}, {"tokens": -1}, {"cost": "5"}, {"cost": float("nan")}])
def test_a_budget_that_makes_no_sense_is_named(fields):
    with pytest.raises(ValueError, match="Budget"):
        Budget(**fields)


def test_a_budget_in_money_needs_prices():
    with pytest.raises(ValueError, match="needs prices="):
        map_rows(["a"], "{}", lambda prompt: [prompt], store=False, budget=Budget(cost=1))


class Model:
    """Answers with as many tokens as it says; knows what it has cost so far."""

    name = "gpt-x"

    def __init__(self, output=lambda: 50, failures=()):
        self.output, self.failures = output, list(failures)
        self.tokens = self.requests = self.most = 0
        self.open = 0

    def __call__(self, prompt, attempt):
        self.requests += 1
        return self._answer(prompt, attempt)

    async def _answer(self, prompt, attempt):
        self.open += 1
        self.most = max(self.most, self.open)
        try:
            await attempt.clock.sleep(1)
            if self.failures:
                raise self.failures.pop(0)
            usage = Usage(input_tokens=-(-len(prompt) // 4), output_tokens=self.output())
            self.tokens += usage.total_tokens
            yield {"model": self.name, "choices": [{"delta": {"content": "x"}}]}
            yield {
                "model": self.name,
                "choices": [{"delta": {}, "finish_reason": "stop"}],
                "usage": {
                    "prompt_tokens": usage.input_tokens,
                    "completion_tokens": usage.output_tokens,
                    "total_tokens": usage.total_tokens,
                },
            }
        finally:
            self.open -= 1


ITEMS = [f"row {n} of this list of rows" for n in range(100)]


def run(model, **options):
    options = {"store": False, "clock": VirtualClock(), "retry": Retry(base_delay=0.1), **options}
    return map_rows(ITEMS, "{}", model, adapter="openai", **options)


@pytest.mark.parametrize("concurrency", [1, 8, 64])
@pytest.mark.parametrize("seed", range(3))
async def test_tokens_are_never_overspent(concurrency, seed):
    """However many rows are on, and however long their answers are within max_tokens."""
    rng = random.Random(seed)
    model = Model(lambda: rng.randint(1, 100))
    result = await run(model, budget=Budget(tokens=2000), max_tokens=100, concurrency=concurrency)
    assert model.tokens == result.usage.total_tokens
    assert 2000 - 120 <= model.tokens <= 2000
    assert (result.ok, result.skipped) == (model.requests, 100 - model.requests)
    (why,) = {row.error for row in result if row.status == "skipped"}
    assert why == result.stopped
    assert why.startswith("the budget of 2000 tokens: ")


@pytest.mark.parametrize("prices", [Price(2, 8), Prices({"gpt-x": (2, 8), "gpt-y": (9, 9)})])
async def test_money_is_never_overspent(prices):
    model = Model()
    result = await run(model, budget=Budget(cost=0.005), max_tokens=50, prices=prices)
    cost = (result.usage.input_tokens * 2 + result.usage.output_tokens * 8) / 1e6
    assert result.cost == pytest.approx(cost)
    assert 0.0045 < result.cost <= 0.005
    assert result.rows[0].cost == pytest.approx(414e-6)
    assert "may cost" in result.stopped


async def test_without_max_tokens_the_answers_so_far_say_how_long_they_are():
    """The first answer is waited for before a second row goes out."""
    model = Model(lambda: 50)
    result = await run(model, budget=Budget(tokens=3000), concurrency=16)
    assert 2700 <= model.tokens <= 3000
    assert result.ok == model.requests > 40


async def test_a_budget_too_small_for_one_row_spends_nothing():
    model = Model()
    result = await run(model, budget=Budget(tokens=10), max_tokens=50)
    assert (model.requests, result.skipped) == (0, 100)


async def test_a_retry_the_budget_does_not_suffice_for_is_not_made():
    """Each attempt has to be funded; the row fails with its own error, and says so."""
    model = Model(failures=[http_error(503)] * 1000)
    result = await run(model, budget=Budget(tokens=70), max_tokens=50, concurrency=1)
    assert model.requests > 1  # a 503 has cost nothing
    assert result.ok == 0

    class Dear(Model):
        async def _answer(self, prompt, attempt):
            async for chunk in super()._answer(prompt, attempt):
                yield chunk
            raise ConnectionResetError

    model = Dear()
    result = await run(model, budget=Budget(tokens=100), max_tokens=50, concurrency=1)
    assert model.tokens <= 100
    assert result.rows[0].status == "failed"
    assert result.rows[0].attempts == 1
    assert "(not tried again: the budget" in result.rows[0].error


async def test_a_fallback_has_to_be_funded_too():
    first, second = Model(failures=[http_error(400)] * 500), Model()
    result = await run(
        first, fallbacks=[second], budget=Budget(tokens=300), max_tokens=50, concurrency=4
    )
    assert second.tokens <= 300
    assert result.ok == second.requests == 5


async def test_a_fallback_is_funded_at_its_own_price():
    """Which nobody knows before it answers, so the dearest of the table is set aside."""
    first, second = Model(failures=[http_error(400)] * 500), Model()
    second.name = "dear"
    prices = {"gpt-x": (0, 1), "dear": (0, 1000)}
    for cost, answered in ((0.04, 0), (0.06, 1), (0.21, 4)):
        result = await run(
            first, fallbacks=[second], budget=Budget(cost=cost), prices=prices, max_tokens=50
        )
        assert (result.ok, result.cost) == (answered, pytest.approx(0.05 * answered))


async def test_a_model_without_a_price_ends_a_budget_in_money():
    """Rather than spending what nobody can count."""
    model = Model()
    result = await run(
        model, budget=Budget(cost=1), prices={"gpt-y": (2, 8)}, max_tokens=50, concurrency=8
    )
    assert (result.ok, result.skipped, result.rows[0].cost) == (1, 99, None)
    assert "the model 'gpt-x' has no price; add it to prices=" in result.stopped


async def test_without_a_budget_nothing_is_held_back():
    model = Model()
    result = await run(model, concurrency=64, prices={"gpt-x": (2, 8)})
    assert (model.most, result.ok) == (64, 100)
    assert result.cost == pytest.approx(100 * 414e-6)


async def test_tokens_a_minute_are_kept_by_estimates_and_corrections():
    """No minute's answers are more than the limit allows, though nobody said how long they are."""
    from l0.compose import Limits

    clock, times = VirtualClock(), []
    model = Model()

    def ask(prompt, attempt):
        times.append(clock.now)
        return model(prompt, attempt)

    result = await run(ask, clock=clock, limits=Limits(tokens_per_minute=1140), max_tokens=50)
    assert result.ok == 100
    most = max(sum(at <= other < at + 60 for other in times) for at in times)
    assert most * 57 <= 1140 + 57
    assert clock.now < 60 * (5700 / 1140) * 1.15


async def test_a_broken_attempt_costs_what_its_model_costs():
    """It never said its name; the others of its kind did. Its prompt counts, though unreported."""

    class Breaking(Model):
        async def _answer(self, prompt, attempt):
            yield {"model": self.name, "choices": [{"delta": {"content": "x" * 40}}]}
            if attempt.attempt == 1:
                raise ConnectionResetError
            yield {
                "model": self.name,
                "choices": [{"delta": {}, "finish_reason": "stop"}],
                "usage": {"prompt_tokens": 10, "completion_tokens": 10, "total_tokens": 20},
            }

    result = await run(
        Breaking(), prices={"gpt-x": (0, 1e6), "gpt-y": (0, 9e6)}, max_tokens=50, concurrency=1
    )
    assert [row.cost for row in result] == [20.0] * 100
    assert result.cost == 2000
    purse = Purse(Budget(tokens=500), Tariff(), Forecast(max_tokens=100))
    held = await purse.reserve(900, None)
    purse.settle(held, Usage(output_tokens=10), None)
    assert await purse.reserve(300, None) is None  # 308 and 10 are spent, 208 too many


# --- the parts ----------------------------------------------------------------------------------


def test_a_forecast_learns_from_what_was_reported():
    forecast = Forecast()
    assert forecast.estimate(300).output_tokens == 1024
    for n in range(100):
        forecast.learn(300, Usage(input_tokens=575, output_tokens=n + 1))
    guess = forecast.estimate(300)
    assert guess.input_tokens == 575  # a system message of 475 tokens that the prompt doesn't show
    assert guess.output_tokens == 119  # 95 of 100 were no longer than 95, and a quarter more
    assert Forecast(max_tokens=7).estimate(300).output_tokens == 7


async def test_what_is_set_aside_comes_back():
    purse = Purse(Budget(tokens=250), Tariff(), Forecast(max_tokens=100))
    purse.learn(0, Usage())
    first = await purse.reserve(30, None)
    second = await purse.reserve(30, None)
    assert purse.reserved_tokens == 236
    purse.settle(first, Usage(input_tokens=10, output_tokens=5), None)
    purse.release(second)
    assert (purse.reserved_tokens, purse.spent.total_tokens) == (0, 15)
    assert await purse.reserve(30, None) is not None


def test_the_size_of_a_prompt_is_that_of_its_texts():
    assert size_of("漢a") == 4
    assert size_of([{"role": "user", "content": [{"type": "text", "text": "abc"}]}]) == 11
    assert size_of("\ud800") == 1
