"""What a map may spend: reserved before a row goes out, settled by what it really took."""

from __future__ import annotations

import asyncio
import dataclasses
import math
from collections import deque
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Self

import msgspec

from l0.events import Usage
from l0.monitoring import Price, Prices

_FIRST_GUESS = 1024  # output tokens, before anything is known of the answers
_SEEN = 200  # answers that a guess looks back on
_SHARE = 0.95  # … of which so many are no longer than the guess
_MARGIN = 1.25  # … before it is made larger by this
_BYTES_PER_TOKEN = 3  # fewer than any common tokenizer packs into one, so the guess is high


@dataclass(frozen=True, slots=True)
class Budget:
    """What one call of `map` may spend, in tokens, in money, or both; whichever ends first.

    Money is in the currency of `prices=`. Before each request its cost is reserved: the prompt,
    and as many output tokens as `map(max_tokens=…)` says, or, without it, as the longest answers
    so far had. With `max_tokens` the budget is kept exactly as far as prompts can be estimated.

    Raises:
        ValueError: neither is given, or one makes no sense.

    Example:
        >>> Budget(tokens=100_000).replace(cost=2.5)
        Budget(tokens=100000, cost=2.5)
    """

    tokens: int | None = None
    cost: float | None = None

    def __post_init__(self) -> None:
        if self.tokens is None and self.cost is None:
            raise ValueError("a Budget is in tokens, in money, or both: Budget(tokens=100_000)")
        for name in ("tokens", "cost"):
            value = getattr(self, name)
            good = isinstance(value, int | float) and not isinstance(value, bool)
            if value is not None and not (good and math.isfinite(value) and value >= 0):
                raise ValueError(f"Budget.{name} is a number, 0 or more, or None; not {value!r}")

    def replace(self, **changes: Any) -> Self:
        """The same budget with some fields changed."""
        return dataclasses.replace(self, **changes)


class Tariff:
    """What tokens cost: by a table, or by one price for every model; or nobody knows."""

    def __init__(self, prices: Any = None) -> None:
        self._price = prices if isinstance(prices, Price) else None
        self._table: Prices | None = None
        if self._price is None and prices is not None:
            self._table = prices if isinstance(prices, Prices) else Prices(prices)
        self.known = prices is not None

    def cost(self, model: str | None, usage: Usage) -> float | None:
        """The cost of a usage; None where the model has no price."""
        if self._price is not None:
            return self._price.cost(usage)
        if self._table is None:
            return None
        if not usage.total_tokens:
            return 0.0  # nothing was used, whoever the model is
        return self._table.cost(model, usage)

    def at_most(self, model: str | None, usage: Usage) -> float:
        """The cost of a usage by a model that may not have named itself yet."""
        known = self.cost(model, usage)
        if known is not None or self._table is None:
            return known or 0.0
        return max((price.cost(usage) for price in self._table.values()), default=0.0)


class Forecast:
    """How many tokens a prompt and its answer will take, by those before."""

    def __init__(self, max_tokens: int | None = None) -> None:
        self._max_tokens = max_tokens
        self._outputs: deque[int] = deque(maxlen=_SEEN)
        self._extra: deque[int] = deque(maxlen=_SEEN)
        self.seen = False  # whether any answer has been seen

    def estimate(self, size: int) -> Usage:
        """The tokens of a request whose prompt has `size` bytes, rather too many than too few."""
        entered = -(-size // _BYTES_PER_TOKEN) + max(self._extra, default=8)
        return Usage(input_tokens=entered, output_tokens=self._output())

    def _output(self) -> int:
        if self._max_tokens is not None:
            return self._max_tokens
        if not self._outputs:
            return 0 if self.seen else _FIRST_GUESS
        ranked = sorted(self._outputs)
        return math.ceil(ranked[math.ceil(_SHARE * len(ranked)) - 1] * _MARGIN)

    def learn(self, size: int, usage: Usage) -> None:
        """A request with a prompt of `size` bytes was answered."""
        self.seen = True
        if usage.output_tokens:
            self._outputs.append(usage.output_tokens)
        if usage.input_tokens:  # what the caller adds to each prompt, such as a system message
            self._extra.append(max(0, usage.input_tokens + (-size // _BYTES_PER_TOKEN)))


class Reservation(msgspec.Struct):
    """What is set aside for one request."""

    usage: Usage
    cost: float


class Purse:
    """What was spent, and what is set aside for the requests that are on."""

    def __init__(self, budget: Budget | None, tariff: Tariff, forecast: Forecast) -> None:
        self.budget = budget
        self.spent = Usage()
        self.cost: float | None = 0.0 if tariff.known else None
        self.refusal: str | None = None
        self._tariff, self._forecast = tariff, forecast
        self._held: dict[int, Reservation] = {}
        self._unseen = 0  # tokens of prompts that nobody reported, at most
        self._doubt = 0.0  # the cost of what has none yet, at most
        self._freed = asyncio.Event()

    @property
    def reserved_tokens(self) -> int:
        """Tokens set aside for the requests that are on."""
        return sum(held.usage.total_tokens for held in self._held.values())

    @property
    def reserved_cost(self) -> float:
        """Money set aside for the requests that are on."""
        return sum(held.cost for held in self._held.values())

    async def reserve(self, size: int, model: str | None) -> Reservation | None:
        """Set aside what a request may take; None: the budget does not have so much left.

        Waits while requests that are on may still leave enough of what was set aside for them, and
        for the first answer of all, which says what answers are like.
        """
        while self.refusal is None:
            usage = self._forecast.estimate(size)
            wanted = Reservation(usage, self._tariff.at_most(model, usage))
            why = self._lacks(wanted)
            if self.budget is None or (why is None and (self._forecast.seen or not self._held)):
                self._held[id(wanted)] = wanted
                return wanted
            if why is not None and not self._held:
                self.refusal = why
                return None
            self._freed.clear()
            await self._freed.wait()
        return None

    def _lacks(self, wanted: Reservation) -> str | None:
        """Why so much is not left."""
        budget, tokens = self.budget, wanted.usage.total_tokens
        if budget is None:
            return None
        used = self.spent.total_tokens + self._unseen
        if budget.tokens is not None and used + self.reserved_tokens + tokens > budget.tokens:
            return (
                f"the budget of {budget.tokens} tokens: {used} are spent, and the next request "
                f"may take {tokens}"
            )
        paid = (self.cost or 0.0) + self._doubt
        if budget.cost is not None and paid + self.reserved_cost + wanted.cost > budget.cost:
            return (
                f"the budget of {budget.cost:g}: {paid:.6g} is spent, and the next request may "
                f"cost {wanted.cost:.6g}"
            )
        return None

    def learn(self, size: int, usage: Usage) -> None:
        """A request was answered."""
        self._forecast.learn(size, usage)
        self._freed.set()

    def release(self, held: Reservation) -> None:
        """What was set aside is free again."""
        self._held.pop(id(held), None)
        self._freed.set()

    def settle(self, held: Reservation | None, usage: Usage, model: str | None) -> float | None:
        """A request has ended: what it took is spent, the rest is free.

        Gives its cost; None where nobody knows it. The budget then counts the most it can be.
        """
        if held is not None:
            self.release(held)
        self.spent += usage
        if held is not None and usage.output_tokens and not usage.input_tokens:
            # It broke off before the provider reported: the prompt was paid for all the same.
            unseen = Usage(input_tokens=held.usage.input_tokens)
            self._unseen += unseen.input_tokens
            self._doubt += self._tariff.at_most(model, unseen)
        cost = self._tariff.cost(model, usage)
        if cost is not None and self.cost is not None:
            self.cost += cost
        elif self._tariff.known:
            self._doubt += self._tariff.at_most(None, usage)
            if model is not None and self.budget is not None and self.budget.cost is not None:
                self.refusal = (
                    f"the budget of {self.budget.cost:g} can't be kept: the model {model!r} has "
                    "no price; add it to prices="
                )
        self._freed.set()
        return cost

    def name(self, model: str, usage: Usage) -> float | None:
        """The model of a request that was settled without one; gives its cost."""
        cost = self._tariff.cost(model, usage)
        if cost is not None and self.cost is not None:
            self.cost += cost
            self._doubt -= self._tariff.at_most(None, usage)
        return cost


def size_of(prompt: Any) -> int:
    """The bytes of a prompt: of a text, or of the texts of a list of messages."""
    if isinstance(prompt, str):
        return len(prompt.encode("utf-8", "replace"))
    if isinstance(prompt, Mapping):
        return sum(size_of(value) for value in prompt.values())
    if isinstance(prompt, list | tuple):
        return sum(size_of(value) for value in prompt)
    return 0 if prompt is None else len(str(prompt))
