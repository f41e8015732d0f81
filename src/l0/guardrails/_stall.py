"""The stall rule: waits for upstream that were too long."""

from __future__ import annotations

import time
from functools import partial

from l0.events import GuardrailViolation, Severity
from l0.guardrails._rule import Found, GuardrailRule, JudgedState, is_number


def stall_rule(max_gap: float = 5.0) -> GuardrailRule:
    """Each wait for upstream longer than `max_gap` seconds is a warning, at its offset.

    The run measures the waits and tells the rule when one ends. The stateless `check` compares now
    with the time of the last token.

    Raises:
        ValueError: `max_gap` is not positive.

    Example:
        >>> stall_rule(2.0).name
        'stall'
    """
    if not is_number(max_gap) or not max_gap > 0:
        raise ValueError(f"max_gap: give a positive number of seconds, not {max_gap!r}")
    return GuardrailRule(
        "stall",
        check=partial(_check, max_gap),
        start=partial(_StallChecker, max_gap),
        description=f"No wait for upstream longer than {max_gap:g} s",
        severity=Severity.WARNING,
    )


def _check(max_gap: float, state: JudgedState) -> list[GuardrailViolation]:
    if state.last_token_at is None or state.completed:
        return []
    gap = time.time() - state.last_token_at
    return [_violation(gap, state.content_length)] if gap > max_gap else []


class _StallChecker:
    """Keeps the waits it was told of until the next check asks."""

    __slots__ = ("_max_gap", "_waits")

    def __init__(self, max_gap: float) -> None:
        self._max_gap = max_gap
        self._waits: list[GuardrailViolation] = []

    def gap(self, seconds: float, position: int) -> None:
        """A wait of so many seconds has ended; the next text begins at `position`."""
        if seconds > self._max_gap:
            self._waits.append(_violation(seconds, position))

    def feed(self, _text: str, _start: int) -> Found | None:
        if not self._waits:
            return None
        waits, self._waits = self._waits, []
        return waits

    def finish(self, _state: JudgedState) -> Found | None:
        return self.feed("", 0)


def _violation(seconds: float, position: int) -> GuardrailViolation:
    return GuardrailViolation(
        "stall", f"Nothing came for {seconds:.1f} s", Severity.WARNING, position=position
    )
