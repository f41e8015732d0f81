"""What a run used, in words: tokens in and out, those of failed attempts, and the cost.

Prices are the user's own table; without it, or for a model that is not in it, there is no cost.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import TYPE_CHECKING, Any, Final

from l0.monitoring import AttemptCost, Prices, RunCost, cost_of_run
from l0.notebook._board_map import money

if TYPE_CHECKING:
    from l0.notebook._story import Story

_prices: Prices | None = None


def set_prices(prices: Prices | Mapping[str, Any] | None) -> None:
    """Say what tokens cost, for every view of a run from now on; None for no costs.

    Args:
        prices: an `l0.monitoring.Prices`, or the mapping it is made of: model name to input and
            output, each per million tokens, in the currency you think in.

    Raises:
        TypeError: the table is no mapping.
        ValueError: a price makes no sense; its model is named.

    Example:
        >>> set_prices({"gpt-5-mini": (0.25, 2.0)})
        >>> set_prices(None)
    """
    global _prices  # noqa: PLW0603  one table a kernel
    _prices = prices if prices is None or isinstance(prices, Prices) else Prices(prices)


_NOT_FAILED: Final = {"completed", "aborted", "cancelled"}
"""Of an attempt that was stopped the text stays."""


def usage(story: Story) -> str:
    """What a run used, as views say it; "" where nothing is known of it, or it goes on.

    Example:
        >>> from l0.notebook._story import Story
        >>> usage(Story())
        ''
    """
    told = None if story.outcome is None else _cost(story)
    if told is None or not told.usage.total_tokens:
        return ""
    came, went = told.usage.input_tokens, told.usage.output_tokens
    parts = [
        _about(told.attempts)
        + (f"{came:,} tokens in, {went:,} out" if came else f"{went:,} tokens out")
    ]
    failed = [each for each in told.attempts if each.outcome not in _NOT_FAILED]
    lost = sum(each.usage.input_tokens + each.usage.output_tokens for each in failed)
    if lost:
        parts.append(f"{_about(failed)}{lost:,} of them in failed attempts")
    if price := _cost_in_words(told):
        parts.append(f"cost {price}")
    return " · ".join(parts)


def _cost_in_words(told: RunCost) -> str:
    """The cost as digits, `about` if some of it is an estimate; "" without prices for all of it."""
    digits = money(told.total) if any(each.cost is not None for each in told.attempts) else None
    return "" if digits is None else f"about {digits}" if told.estimated else digits


def _about(attempts: list[AttemptCost]) -> str:
    """What is said before a sum if the provider did not count all of it."""
    return "about " if any(each.estimated for each in attempts) else ""


def _cost(story: Story) -> RunCost | None:
    """Tokens and cost of each attempt; of a run seen from its middle on, the tokens alone."""
    prices = story.prices or _prices or {}
    events = [each for each in story.events if each.type != "TOKENS"]  # many, and of no price
    told = priced(events, prices, story.models)
    return RunCost(total=None, usage=story.state.usage) if told is None else told


def priced(
    events: Sequence[Any], prices: Prices | Mapping[str, Any], models: Sequence[str | None]
) -> RunCost | None:
    """What a run cost, whichever names the table has for its models, in the order they are asked;
    None: it is seen in part.
    """
    told: RunCost | None = None
    with suppress(ValueError):  # its events begin in the middle, or are no run's
        for names in _names(models):
            told = cost_of_run(events, prices, model=names)
            if told.total is not None:
                break
    return told


def _names(models: Sequence[str | None]) -> list[dict[int, str]]:
    """What models may be called in a table: `openai:gpt-x` is gpt-x to it."""
    known = {at: model for at, model in enumerate(models) if model}
    return [known, {at: model.partition(":")[2] or model for at, model in known.items()}]
