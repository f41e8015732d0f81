"""JSON healing beside other libraries: who is right on the corpus, and what a megabyte costs.

python bench/healing.py           prints the tables
python bench/healing.py --write   writes them into docs/healing.md
"""

from __future__ import annotations

import gc
import importlib.metadata
import json
import logging
import math
import re
import statistics
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parent.parent
PAGE = ROOT / "docs" / "healing.md"
sys.path.insert(0, str(ROOT / "tests" / "schema"))

from malformed_corpus import CASES, DOCUMENTS, ERROR, is_prefix, same, whole  # noqa: E402

Loader = Callable[[str], Any]
TRUNCATED = "truncation at every character"


def loaders() -> dict[str, Loader]:
    """Each library's way from a text to a value, ours first; those not installed are left out."""
    from l0.schema import safe_json_parse

    found: dict[str, Loader] = {"l0": safe_json_parse}
    logging.disable(logging.CRITICAL)
    for name, loader in {
        "json-repair": lambda: __import__("json_repair").loads,
        "fast-json-repair": lambda: __import__("fast_json_repair").loads,
        "partial-json-parser": lambda: __import__("partial_json_parser").loads,
        "dirtyjson": lambda: __import__("dirtyjson").loads,
        "json5": lambda: __import__("json5").loads,
        "pydantic_core": lambda: _trailing_strings(__import__("pydantic_core").from_json),
    }.items():
        try:
            found[name] = loader()
        except ImportError:
            print(f"{name} is not installed, its column is left out", file=sys.stderr)
    return found


def _trailing_strings(from_json: Callable[..., Any]) -> Loader:
    return lambda text: from_json(text, allow_partial="trailing-strings")


def versions(names: list[str]) -> str:
    """The versions measured."""
    return ", ".join(f"{name} {importlib.metadata.version(name)}" for name in names)


def _plain(value: Any) -> Any:
    """A library's own mappings and lists as dict and list."""
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    return value


def judge(load: Loader, text: str, right: Any) -> str:
    """One case: right, wrong, or crash (it gave up, or failed)."""
    try:
        value = _plain(load(text))
    except (Exception, RecursionError):  # what a library raises is its way to give up
        return "right" if right is ERROR else "crash"
    if right is ERROR:
        return "right" if value is None or value == "" else "wrong"
    return "right" if same(value, right) else "wrong"


def judge_beginning(load: Loader, beginning: str, document: Any) -> str:
    """One document cut off: the value holds nothing that the document has not."""
    try:
        value = _plain(load(beginning))
    except (Exception, RecursionError):
        return "right" if not beginning.strip() else "crash"
    if not beginning.strip():
        return "right" if value is None or value == "" else "wrong"
    return "right" if is_prefix(value, document) else "wrong"


Counts = dict[str, dict[str, int]]
"""Category → right, wrong, crash."""


def count(load: Loader) -> Counts:
    """One library over the corpus."""
    counts: Counts = {}
    for case in CASES:
        row = counts.setdefault(case.category, {"right": 0, "wrong": 0, "crash": 0})
        row[judge(load, case.text, case.right)] += 1
    row = counts[TRUNCATED] = {"right": 0, "wrong": 0, "crash": 0}
    for text in DOCUMENTS:
        document = whole(text)
        for end in range(len(text) + 1):
            row[judge_beginning(load, text[:end], document)] += 1
    return counts


def table(results: dict[str, Counts]) -> list[str]:
    """The comparison in markdown: right answers; in brackets wrong ones and crashes."""
    names = list(results)
    lines = [f"| what is broken | cases | {' | '.join(names)} |", "| --- " * (len(names) + 2) + "|"]
    totals = {name: {"right": 0, "wrong": 0, "crash": 0} for name in names}
    for category, first in results[names[0]].items():
        cells = []
        for name in names:
            row = results[name][category]
            for key in row:
                totals[name][key] += row[key]
            cells.append(_cell(row))
        lines.append(f"| {category} | {sum(first.values())} | {' | '.join(cells)} |")
    cells = [_cell(totals[name]) for name in names]
    lines.append(f"| **all** | {sum(totals[names[0]].values())} | {' | '.join(cells)} |")
    return lines


def _cell(row: dict[str, int]) -> str:
    other = [f"{row[key]} {key}" for key in ("wrong", "crash") if row[key]]
    return str(row["right"]) + (f" ({', '.join(other)})" if other else "")


def megabyte() -> str:
    """A truncated document of one megabyte: records with nested lists and escaped text."""
    note = 'some text with "quotes", a\nnewline and enough to fill a line of this note'
    rows = [
        {
            "id": n,
            "name": f"name {n}",
            "tags": ["a", "b"],
            "score": n * 1.5,
            "ok": True,
            "note": note,
        }
        for n in range(8000)
    ]
    return json.dumps(rows)[:1_000_000]


def times(found: dict[str, Loader], rounds: int = 3) -> dict[str, float]:
    """Milliseconds of CPU for a truncated megabyte, the median of the rounds."""
    text = megabyte()
    taken: dict[str, list[float]] = {}
    for _ in range(rounds):
        for name, load in found.items():
            if name in {"json5", "dirtyjson", "partial-json-parser"} and name in taken:
                continue  # minutes, or an error: once is enough
            gc.collect()
            began = time.thread_time_ns()
            try:
                load(text)
            except (Exception, RecursionError):
                taken.setdefault(name, []).append(float("nan"))
                continue
            taken.setdefault(name, []).append((time.thread_time_ns() - began) / 1e6)
    return {name: statistics.median(values) for name, values in taken.items()}


def partials(size: int, every: int = 5) -> float:
    """Microseconds a token of four characters, with a look at the value every few tokens."""
    from l0.schema import PartialParser

    text = megabyte()[:size]
    tokens = [text[at : at + 4] for at in range(0, len(text), 4)]
    gc.collect()
    began = time.thread_time_ns()
    parser = PartialParser()
    for number, token in enumerate(tokens):
        parser.feed(token)
        if number % every == 0 and parser.changed:
            _ = parser.value
    return (time.thread_time_ns() - began) / 1e3 / len(tokens)


def main() -> int:
    found = loaders()
    results = {name: count(load) for name, load in found.items()}
    lines = table(results)
    print("\n".join(lines))
    spent = times({name: load for name, load in found.items() if name != "json5"})
    mine = spent["l0"]
    cost = ["| a truncated megabyte | CPU | beside ours |", "| --- | --- | --- |"]
    for name, ms in spent.items():
        if math.isnan(ms):
            cost.append(f"| {name} | gives up | |")
        else:
            cost.append(f"| {name} | {ms:.0f} ms | {ms / mine:.1f} times |")
    print("\n".join(cost))
    growth = [partials(size) for size in (60_000, 250_000, 1_000_000)]
    for size, spent_each in zip((60, 250, 1000), growth, strict=True):
        print(f"partial values, {size} KB: {spent_each:.2f} µs a token")
    bars = {
        "a truncated megabyte in 1/20 of json-repair's time": mine * 20 <= spent["json-repair"],
        "a partial value in 2 µs a token": max(growth) <= 2,
        "no more for a long text than for a short one": growth[-1] <= growth[0] * 1.25,
        "every case right": all(
            row["wrong"] == row["crash"] == 0 for row in results["l0"].values()
        ),
    }
    for bar, held in bars.items():
        print(f"{'held' if held else 'MISSED'}: {bar}")
    if "--write" in sys.argv[1:]:
        text = PAGE.read_text()
        libraries = [name for name in found if name != "l0"]
        text = _replace(text, "corpus", [*lines, "", f"Measured: {versions(libraries)}."])
        PAGE.write_text(_replace(text, "time", cost))
    return 0 if all(bars.values()) else 1


def _replace(text: str, name: str, lines: list[str]) -> str:
    body = "\n".join(lines)
    pattern = re.compile(rf"(<!-- measured: {name} -->\n).*?(<!-- end: {name} -->)", re.DOTALL)
    return pattern.sub(lambda found: f"{found[1]}{body}\n{found[2]}", text)


if __name__ == "__main__":
    sys.exit(main())
