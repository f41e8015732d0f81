"""The fault matrix as a table, and as JSON."""

from __future__ import annotations

import json
import os
import platform
import sys
from collections.abc import Sequence
from itertools import groupby
from typing import Any, Final

from l0._version import __version__
from l0.testing._matrix_play import Row

_HEAD: Final = (
    f"{'fault':<30}{'path':<17}{'policy':<17}{'recovered':<11}"
    f"{'requests':>8}{'lost':>6}{'doubled':>9}{'seconds':>9}{'open':>6}"
)

_SUMS: Final = (
    f"{'fault':<30}{'cells':>6}{'recovered':>11}{'errors':>8}{'requests':>10}"
    f"{'lost':>6}{'doubled':>9}{'open':>6}{'median s':>10}{'wrong':>7}"
)


def header() -> str:
    """The first line of the table."""
    return _HEAD


def line(row: Row) -> str:
    """One cell, as a line of the table; what is wrong with it stands at its end."""
    cell = row.cell
    recovered = "yes" if row.recovered else "error" if row.ok else "NO"
    told = f"  {row.error.splitlines()[0][:60]}" if row.error else ""
    wrong = f"  WRONG: {', '.join(row.faults)}" if row.faults else ""
    return (
        f"{cell.fault:<30}{cell.way:<17}{cell.policy:<17}{recovered:<11}"
        f"{row.requests:>8}{row.lost:>6}{row.doubled:>9}{row.seconds:>9.2f}{row.open:>6}"
        f"{told}{wrong}"
    )


def summary(rows: Sequence[Row]) -> str:
    """The table by fault: how many cells, how many recovered, and the sums of what went wrong."""
    ordered = sorted(rows, key=_kind)
    lines = [_sums(name, [*group]) for name, group in groupby(ordered, _kind)]
    return "\n".join([_SUMS, *lines, _sums("all", rows)])


def _kind(row: Row) -> str:
    at = {"start", "middle", "near end", "finish"}
    text = row.cell.fault
    if row.cell.position in at:
        before, _, after = text.partition("@")
        text = f"{before}@…{after.lstrip('0123456789')}"
    return text


def _sums(name: str, rows: Sequence[Row]) -> str:
    seconds = sorted(row.seconds for row in rows)
    return (
        f"{name:<30}{len(rows):>6}{sum(row.recovered for row in rows):>11}"
        f"{sum(not row.recovered for row in rows):>8}{_span(rows):>10}"
        f"{sum(row.lost for row in rows):>6}{sum(row.doubled for row in rows):>9}"
        f"{sum(row.open for row in rows):>6}{seconds[len(seconds) // 2]:>10.2f}"
        f"{sum(not row.ok for row in rows):>7}"
    )


def _span(rows: Sequence[Row]) -> str:
    counts = sorted({row.requests for row in rows})
    return str(counts[0]) if len(counts) == 1 else f"{counts[0]} to {counts[-1]}"


def as_json(rows: Sequence[Row], seconds: float) -> str:
    """All cells, and what they were measured on."""
    report: dict[str, Any] = {
        "machine": machine(),
        "seconds": round(seconds, 1),
        "wrong": sum(not row.ok for row in rows),
        "rows": [row.to_dict() for row in rows],
    }
    return json.dumps(report, ensure_ascii=False, indent=1)


def machine() -> str:
    """What the figures were measured on.

    >>> "Python" in machine()
    True
    """
    return (
        f"{os.cpu_count()} cores, {platform.system()} {platform.machine()}, "
        f"Python {sys.version.split()[0]}, l0 {__version__}"
    )
