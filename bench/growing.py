"""Whether a token of a long text costs more than one of a short one: it should not.

Each rule and each detector is measured alone and all of them together, over every corpus. What a
check finds is only noted here, so that each text is read to its end.
"""

from __future__ import annotations

import asyncio
import gc
import time
from typing import Any

import l0
from cases import full_stack, judged
from corpora import CORPORA
from figures import Figure, quartiles
from l0.guardrails import DriftConfig
from rounds import Plan

SHORT = 20_000
BAR = 1.15
_REPEATED = 3  # times that the short text is read for each reading of the long one

_DETECTORS = (
    *("tone_shift", "meta_commentary", "repetition", "entropy_spike"),
    *("format_collapse", "markdown_collapse", "hedging"),
)


def watchers() -> dict[str, dict[str, Any]]:
    """Options of a run, by what they turn on: everything, each rule, each detector."""
    rules = [rule.replace(early=False) for rule in l0.Guardrails.strict()]
    noted = DriftConfig(policy="record")
    silent = noted.replace(**{f"detect_{name}": False for name in _DETECTORS})
    often = {"retry": False, "check_intervals": l0.CheckIntervals(15, 25, 20)}
    together = full_stack() | {"guardrails": rules, "drift": noted, "retry": False}
    found = {"all together": together}
    found |= {f"rule {rule.name}": often | {"guardrails": [rule]} for rule in rules}
    for name in _DETECTORS:
        found[f"drift {name}"] = often | {"drift": silent.replace(**{f"detect_{name}": True})}
    return found


def growth(plan: Plan) -> list[Figure]:
    """Cost a token of a long text over that of one of 20,000 tokens, as a ratio."""
    figures: list[Figure] = []
    for length in (200_000, 1_000_000) if plan.full else (200_000,):
        for name, corpus in CORPORA.items():
            long, short = corpus(length), corpus(SHORT)
            if length > 200_000 > len(long):
                continue  # of the longest tokens there are no more
            rounds = plan.of(3 if plan.full else 2)
            for watcher, options in watchers().items():
                if watcher != "all together" and not plan.full and name != "prose":
                    continue
                ratios = asyncio.run(_ratios(long, short, options, rounds))
                what = f"cost a token at {len(long):,} over {SHORT:,}"
                scenario = f"{watcher}, {name}"
                figures.append(Figure("growth", scenario, what, quartiles(ratios), BAR))
    return figures


async def _ratios(
    long: list[str], short: list[str], options: dict[str, Any], rounds: int
) -> list[float]:
    """Thread CPU time a token of the long text over that of the short one, a value a round."""
    far, near = judged(long, **options), judged(short, **options)
    await near()
    ratios = []
    for _ in range(rounds):
        gc.collect()
        began = time.thread_time_ns()
        for _ in range(_REPEATED):
            await near()
        between = time.thread_time_ns()
        await far()
        ended = time.thread_time_ns()
        each = (between - began) / _REPEATED / len(short)
        ratios.append((ended - between) / len(long) / each)
    return ratios
