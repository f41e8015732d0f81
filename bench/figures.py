"""A measured figure: its quartiles, its bar, and how a file, a screen and a page show it."""

from __future__ import annotations

import contextlib
import datetime as dt
import importlib.metadata
import json
import os
import platform
import statistics
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

VERSION = 2
_PACKAGES = ("l0", "msgspec", "openai", "httpx2", "aiohttp", "litellm", "json-repair")


@dataclass(frozen=True)
class Figure:
    """One figure of one scenario: first quartile, median and third quartile over the rounds.

    `bar` is the most it may be, or the least if `higher` is better; None: for information. Figures
    that say more of the machine than of the library are not `compared` between two files.
    """

    suite: str
    scenario: str
    what: str  # with its unit: "ratio to raw prose", "µs a token over raw prose"
    quartiles: tuple[float, float, float]
    bar: float | None = None
    higher: bool = False
    compared: bool = True

    @property
    def median(self) -> float:
        """The middle one."""
        return self.quartiles[1]

    @property
    def missed(self) -> bool:
        """Whether the median and the quartile on its better side are both beyond the bar."""
        low, middle, high = self.quartiles
        if self.bar is None:
            return False
        return max(middle, high) < self.bar if self.higher else min(low, middle) > self.bar

    @property
    def key(self) -> tuple[str, str, str]:
        """What the same figure of another file has, too."""
        return self.suite, self.scenario, self.what


def quartiles(values: Sequence[float]) -> tuple[float, float, float]:
    """First quartile, median, third quartile; of a single value three times that."""
    if len(values) == 1:
        return (values[0],) * 3
    low, middle, high = statistics.quantiles(values, n=4, method="inclusive")
    return low, middle, high


# --- the machine ----------------------------------------------------------------------------


def machine() -> dict[str, Any]:
    """What the figures were measured on."""
    found: dict[str, Any] = {
        "python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": f"{platform.system()} {platform.release()}",
        "architecture": platform.machine(),
        "processor": _processor(),
        "cores": len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else None,
        "memory_gb": _memory_gb(),
        "load_before": load(),
        "began": dt.datetime.now(dt.UTC).isoformat(timespec="seconds"),
        "packages": {},
    }
    for name in _PACKAGES:
        with contextlib.suppress(importlib.metadata.PackageNotFoundError):
            found["packages"][name] = importlib.metadata.version(name)
    return found


def load() -> float | None:
    """Processes that wanted a core during the last minute, on average."""
    return round(os.getloadavg()[0], 1) if hasattr(os, "getloadavg") else None


def _processor() -> str:
    with contextlib.suppress(OSError):
        for line in Path("/proc/cpuinfo").read_text().splitlines():
            if line.startswith("model name"):
                return line.partition(":")[2].strip()
    return platform.processor() or "unknown"


def _memory_gb() -> float | None:
    with contextlib.suppress(OSError, ValueError, AttributeError):
        return round(os.sysconf("SC_PAGE_SIZE") * os.sysconf("SC_PHYS_PAGES") / 2**30, 1)
    return None


def machine_line(found: dict[str, Any]) -> str:
    """The same in one line."""
    load_then = found["load_before"], found.get("load_after")
    versions = ", ".join(f"{name} {version}" for name, version in found["packages"].items())
    return (
        f"{found['python']}, {found['processor']}, {found['cores']} cores, "
        f"{found['memory_gb']} GB, {found['system']} {found['architecture']}; load "
        f"{' to '.join(str(each) for each in load_then if each is not None)}; {versions}"
    )


# --- files ----------------------------------------------------------------------------------


def write(path: Path, found: dict[str, Any], figures: Iterable[Figure]) -> None:
    """One JSON file, of the machine and the figures."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows = [asdict(each) | {"missed": each.missed} for each in figures]
    path.write_text(
        json.dumps({"version": VERSION, "machine": found, "figures": rows}, indent=1),
        encoding="utf-8",
    )


def read(path: Path) -> tuple[dict[str, Any], list[Figure]]:
    """What `write` wrote.

    Raises:
        ValueError: the file is no results file of this version.
    """
    try:
        held = json.loads(path.read_text(encoding="utf-8"))
        if held["version"] != VERSION:
            raise ValueError(f"its version is {held['version']}")
        figures = [
            Figure(**{**row, "quartiles": tuple(row["quartiles"])})
            for row in ({k: v for k, v in row.items() if k != "missed"} for row in held["figures"])
        ]
    except (KeyError, TypeError, ValueError) as error:
        raise ValueError(
            f"{path} is no results file of version {VERSION} ({error}); measure again with "
            "bench/run.py"
        ) from error
    return held["machine"], figures


# --- tables ---------------------------------------------------------------------------------


def show(figures: Iterable[Figure]) -> None:
    """Print a line a figure, a heading a suite."""
    suite = None
    for each in figures:
        if each.suite != suite:
            suite = each.suite
            print(f"\n{suite:<66}{'q1':>9}{'median':>9}{'q3':>9}  bar")
        spread = "".join(f"{number(value):>9}" for value in each.quartiles)
        verdict = "  MISSED" if each.missed else ""
        print(f"  {f'{each.scenario}: {each.what}':<64}{spread}  {_bar(each)}{verdict}")


def markdown(figures: Iterable[Figure]) -> list[str]:
    """The same as the lines of a table for a page."""
    lines = ["| suite | scenario | figure | q1 | median | q3 | bar |", "| --- " * 7 + "|"]
    for each in figures:
        cells = " | ".join(number(value) for value in each.quartiles)
        bar = f"**{_bar(each)} missed**" if each.missed else _bar(each)
        lines.append(f"| {each.suite} | {each.scenario} | {each.what} | {cells} | {bar} |")
    return lines


def _bar(figure: Figure) -> str:
    if figure.bar is None:
        return ""
    return f"{'≥' if figure.higher else '≤'} {figure.bar:g}"


def number(value: float) -> str:
    """Three significant digits, but no fewer than all before the point."""
    return f"{value:,.0f}" if abs(value) >= 100 else f"{value:.3g}"
