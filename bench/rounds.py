"""The method: every scenario once a round in shuffled order, ratios taken inside the round.

One process, one loop, `gc.collect()` before each, thread CPU time: what a busy machine takes away
is not counted, and what it changes for all of them cancels out.
"""

from __future__ import annotations

import asyncio
import gc
import random
import sys
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any

from figures import Figure, quartiles

OLD = sys.version_info < (3, 12)  # the bars of 3.11 are looser

Act = Callable[[], Awaitable[Any]]


@dataclass(frozen=True)
class Plan:
    """What is asked for: `full` is `make bench-full`; `rounds` overrides those of each suite."""

    full: bool = False
    rounds: int | None = None

    def of(self, usual: int) -> int:
        """How many rounds."""
        return self.rounds or usual


@dataclass(frozen=True)
class Case:
    """One scenario: `act` does the work over `tokens` tokens, `baseline` names what it is held to.

    `ratio` and `over` (µs a token above the baseline) are the bars; None: no bar, for information.
    `per` is what is counted, if it is no token.
    """

    name: str
    act: Act
    tokens: int
    baseline: str | None = None
    ratio: float | None = None
    over: float | None = None
    per: str = "a token"


async def measure(cases: list[Case], rounds: int) -> dict[str, list[float]]:
    """Nanoseconds of thread CPU time, a value a round."""
    took: dict[str, list[float]] = {case.name: [] for case in cases}
    rng = random.Random(5)
    for case in cases:  # once for warmth, uncounted
        await case.act()
    for _ in range(rounds):
        for case in rng.sample(cases, len(cases)):
            gc.collect()
            began = time.thread_time_ns()
            await case.act()
            took[case.name].append(time.thread_time_ns() - began)
    return took


def judge(suite: str, case: Case, took: dict[str, list[float]]) -> list[Figure]:
    """The figures of a scenario: its own cost, and that above its baseline."""
    mine = [each / case.tokens / 1000 for each in took[case.name]]
    if case.baseline is None:
        return [Figure(suite, case.name, f"µs {case.per}", quartiles(mine), compared=False)]
    pairs = list(zip(took[case.name], took[case.baseline], strict=True))
    ratios = quartiles([a / b for a, b in pairs])
    over = quartiles([(a - b) / case.tokens / 1000 for a, b in pairs])
    figures = []
    # The baseline of tokens does the same work, so that a ratio says much.
    of_tokens = case.per == "a token"
    if case.ratio is not None or (case.over is None and of_tokens):
        what = f"ratio to {case.baseline}"
        figures.append(Figure(suite, case.name, what, ratios, case.ratio))
    if case.over is not None or case.ratio is None:
        what = f"µs {case.per} over {case.baseline}"
        # An absolute time is compared only where there is no ratio, or where it has a bar.
        compared = case.over is not None or not of_tokens
        figures.append(Figure(suite, case.name, what, over, case.over, compared=compared))
    return figures


def interleaved(suite: str, cases: list[Case], rounds: int) -> list[Figure]:
    """Measure the scenarios of a suite beside each other."""
    took = asyncio.run(measure(cases, rounds))
    return [figure for case in cases for figure in judge(suite, case, took)]
