"""What attempts cost, where there is a price and the provider reported what it counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from l0.notebook._chart_figure import UNNAMED, some_of
from l0.notebook._picture import count as counted

if TYPE_CHECKING:
    from pandas import DataFrame

    from l0.monitoring import Prices


def with_costs(
    attempts: DataFrame, prices: Prices | Mapping[str, Any]
) -> tuple[DataFrame, list[str], int]:
    """Attempts with a `cost`; the models without a price; how many others told no tokens."""
    import pandas as pd

    from l0.monitoring import Prices

    table = prices if isinstance(prices, Prices) else Prices(prices)
    columns = ["input_tokens", "output_tokens"]
    told = attempts[columns].notna().any(axis=1)
    used = attempts[columns].fillna(0).astype(int).to_dict("records")
    costs = [table.cost(*each) for each in zip(attempts["model_"], used, strict=True)]
    failed = attempts["outcome"].astype(object) == "failed"
    paid = attempts.assign(
        cost=pd.Series(costs, index=attempts.index, dtype="float64"),
        kept=failed.map({True: "failed", False: "kept"}),
    )
    priced = paid["cost"].notna()
    unknown = sorted(set(paid["model_"]) - set(paid["model_"][priced]))
    return paid[priced & told], unknown, int((priced & ~told).sum())


def why_unknown(unknown: list[str], silent: int) -> tuple[str, str]:
    """Why no attempt has a cost, and what gives it one; of what `with_costs` gave.

    >>> why_unknown(["gpt-x"], 0)[1]
    "Say what a million tokens cost: prices={'gpt-x': (input, output)}."
    """
    if silent:
        how = "A cost is counted from the tokens that the provider reports."
        return f"{counted(silent, 'attempt')} without usage", how
    how = f"Say what a million tokens cost: prices={{{some_of(unknown[:1])!r}: (input, output)}}."
    if unknown == [UNNAMED]:
        how = "Name it where it is run: l0.run(…, meta={'model': …})."
    return f"No price for {some_of(unknown)}", how
