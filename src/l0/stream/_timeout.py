"""How long to wait for what: the four timeouts as a value."""

from __future__ import annotations

import dataclasses
import math
from dataclasses import dataclass
from typing import Any, Self


@dataclass(frozen=True, slots=True)
class Timeout:
    """Seconds to wait for the upstream; None switches one off.

    Args:
        connect: from calling the factory until its stream is in hand.
        initial_token: from calling the factory until the model shows a sign of life.
        inter_token: between two signs of life; text, reasoning and tool arguments count,
            keep-alives don't.
        total: from first use to the end, retries and fallbacks included; ends the run.
        pings: "before_first_token" lets keep-alives count until the first token, "never" doesn't;
            "auto" (default) asks the provider's adapter.

    Only time spent waiting for the upstream is charged (but for `total`): a slow consumer never
    times out.

    Raises:
        ValueError: a field is zero, negative or no number.

    Example:
        >>> Timeout(initial_token=30).replace(total=120).total
        120
    """

    connect: float | None = None
    initial_token: float | None = 5.0
    inter_token: float | None = 10.0
    total: float | None = None
    pings: str = "auto"

    def __post_init__(self) -> None:
        for name in ("connect", "initial_token", "inter_token", "total"):
            value = getattr(self, name)
            if value is None:
                continue
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 < value < math.inf:
                raise ValueError(
                    f"Timeout.{name} is a number of seconds above 0, or None for no limit; "
                    f"not {value!r}"
                )
        if self.pings not in {"auto", "before_first_token", "never"}:
            raise ValueError(
                f'Timeout.pings is "auto", "before_first_token" or "never"; not {self.pings!r}'
            )

    def replace(self, **changes: Any) -> Self:
        """The same timeouts with some fields changed."""
        return dataclasses.replace(self, **changes)

    @classmethod
    def from_ms(
        cls,
        initial_token_ms: float | None = 5000,
        inter_token_ms: float | None = 10_000,
        connect_ms: float | None = None,
        total_ms: float | None = None,
    ) -> Self:
        """Timeouts from milliseconds."""
        connect, initial, inter, total = (
            None if ms is None else ms / 1000
            for ms in (connect_ms, initial_token_ms, inter_token_ms, total_ms)
        )
        return cls(connect, initial, inter, total)


NO_TIMEOUT = Timeout(initial_token=None, inter_token=None)
