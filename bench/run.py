"""Run the scenarios as the method of docs/performance.md says, and print each beside its bar.

One process, one loop, every scenario once a round in shuffled order, thread CPU time, the ratio
taken inside each round; medians with quartiles. A bar is missed only when the median and its first
quartile are beyond it.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import json
import platform
import random
import statistics
import sys
import time
from pathlib import Path

from cases import SUITES, Case


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


def judge(case: Case, took: dict[str, list[float]]) -> dict[str, object]:
    """The figures of a scenario, and whether it meets its bars."""
    mine = took[case.name]
    row: dict[str, object] = {
        "name": case.name,
        "us_per_token": statistics.median(mine) / case.tokens / 1000,
    }
    if case.baseline is None:
        return row
    pairs = list(zip(mine, took[case.baseline], strict=True))
    ratios = [a / b for a, b in pairs]
    over = [(a - b) / case.tokens / 1000 for a, b in pairs]
    row |= {"baseline": case.baseline, "ratio": quartiles(ratios), "over_us": quartiles(over)}
    misses = []
    for name, values, bar in (("ratio", ratios, case.ratio), ("over_us", over, case.over)):
        if bar is not None:
            row[f"{name}_bar"] = bar
            low, middle, _ = quartiles(values)
            if middle > bar and low > bar:
                misses.append(name)
    row["misses"] = misses
    return row


def quartiles(values: list[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile."""
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


def show(rows: list[dict[str, object]]) -> None:
    """The table."""
    print(
        f"{'scenario':<30}{'µs/token':>9}  {'ratio (q1, median, q3)':<24}{'µs over (median)':>17}"
    )
    for row in rows:
        line = f"{row['name']:<30}{row['us_per_token']:>9.3f}"
        if "ratio" in row:
            low, middle, high = row["ratio"]  # type: ignore[misc]
            spread = f"{low:.2f}  {middle:.2f}  {high:.2f}"
            if "ratio_bar" in row:
                spread += f"  ≤ {row['ratio_bar']:g}"
            line += f"  {spread:<28}{row['over_us'][1]:>8.3f}"  # type: ignore[index]
            if "over_us_bar" in row:
                line += f" ≤ {row['over_us_bar']:g}"
            if row["misses"]:
                line += f"  MISSED: {', '.join(row['misses'])}"  # type: ignore[arg-type]
        print(line)


def main() -> int:
    """Measure, print, keep the results for `compare.py`; 1 if a bar is missed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(SUITES)} (default: all)")
    parser.add_argument("--rounds", type=int, default=15)
    parser.add_argument("--out", type=Path, default=Path(__file__).parent / "results" / "last.json")
    arguments = parser.parse_args()
    unknown = [name for name in arguments.suites if name not in SUITES]
    if unknown:
        parser.error(f"no suite is called {unknown[0]}; there are {', '.join(SUITES)}")
    rows = []
    for name in arguments.suites or SUITES:
        cases = SUITES[name]()
        took = asyncio.run(measure(cases, arguments.rounds))
        rows += [judge(case, took) for case in cases]
    machine = f"Python {platform.python_version()}, {platform.machine()}, {platform.system()}"
    print(machine)
    show(rows)
    arguments.out.parent.mkdir(parents=True, exist_ok=True)
    arguments.out.write_text(json.dumps({"machine": machine, "rows": rows}, indent=1))
    return 1 if any(row.get("misses") for row in rows) else 0


if __name__ == "__main__":
    sys.exit(main())
