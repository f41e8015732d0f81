"""Run the suites as the method of docs/performance.md says, and print each figure beside its bar.

A bar is missed only when the median and the quartile on its better side are beyond it.
"""

from __future__ import annotations

import argparse
import functools
import re
import sys
import time
from collections.abc import Callable
from pathlib import Path

import cases
from figures import Figure, load, machine, machine_line, markdown, read, show, write
from rounds import Case, Plan, interleaved

RESULTS = Path(__file__).parent / "results"
PAGE = Path(__file__).resolve().parent.parent / "docs" / "performance.md"

Suite = Callable[[Plan], list[Figure]]


def beside(name: str, make: Callable[[], list[Case]], quick: int, full: int) -> Suite:
    """A suite of scenarios that are measured beside each other."""

    def suite(plan: Plan) -> list[Figure]:
        return interleaved(name, make(), plan.of(full if plan.full else quick))

    return suite


def suites(adapters: tuple[Path, ...] = ()) -> dict[str, Suite]:
    """All there are; each imports what it needs when it is asked for."""

    def core(plan: Plan) -> list[Figure]:
        lengths = (2_000, 20_000, 200_000, *((1_000_000,) if plan.full else ()))
        return interleaved("core", cases.core(lengths), plan.of(9))

    def growth(plan: Plan) -> list[Figure]:
        from growing import growth

        return growth(plan)

    def many(plan: Plan) -> list[Figure]:
        from crowd import many

        return many(plan)

    def waits(plan: Plan) -> list[Figure]:
        from waits import waits

        return waits(plan)

    def memory(plan: Plan) -> list[Figure]:
        from footprint import memory

        return memory(plan)

    def imports(plan: Plan) -> list[Figure]:
        from footprint import imports

        return imports(plan)

    def other(name: str, plan: Plan) -> list[Figure]:
        import others

        found: list[Figure] = getattr(others, name)(plan)
        return found

    def libraries(plan: Plan) -> list[Figure]:
        from libraries import libraries

        return libraries(plan, adapters)

    return {
        "core": core,
        "full": beside("full", cases.full, 9, 15),
        "growth": growth,
        "set-up": beside("set-up", cases.set_up, 9, 15),
        "emit": beside("emit", cases.emit, 7, 15),
        "recording": beside("recording", cases.recording, 7, 15),
        "many": many,
        "provider": beside("provider", cases.provider, 9, 15),
        "transport": functools.partial(other, "transports"),
        "memory": memory,
        "waits": waits,
        "healing": functools.partial(other, "heal"),
        "import": imports,
        "view": functools.partial(other, "views"),
        "libraries": libraries,
    }


def arguments() -> argparse.Namespace:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("suites", nargs="*", help=f"of {', '.join(suites())} (default: all)")
    parser.add_argument("--full", action="store_true", help="a million tokens, 10,000 streams")
    parser.add_argument("--rounds", type=int, help="instead of each suite's own number")
    parser.add_argument(
        "--adapter", type=Path, action="append", default=[], help="see libraries.py"
    )
    parser.add_argument("--out", type=Path, help="where the results go (bench/results/)")
    parser.add_argument(
        "--keep", action="store_true", help="other suites' figures that the results file has"
    )
    parser.add_argument(
        "--page", type=Path, metavar="RESULTS", help=f"measure nothing: put them into {PAGE.name}"
    )
    given = parser.parse_args()
    unknown = [name for name in given.suites if name not in suites()]
    if unknown:
        parser.error(f"no suite is called {unknown[0]}; there are {', '.join(suites())}")
    return given


def main() -> int:
    """Measure, print, keep the results for `compare.py`; 1 if a bar is missed."""
    given = arguments()
    if given.page is not None:
        PAGE.write_text(page(PAGE.read_text(encoding="utf-8"), *read(given.page)), encoding="utf-8")
        return 0
    plan, known = Plan(given.full, given.rounds), suites(tuple(given.adapter))
    out = given.out or RESULTS / ("full.json" if given.full else "last.json")
    names = given.suites or [*known]
    found, figures = machine(), list[Figure]()
    if given.keep and out.exists():
        figures = [each for each in read(out)[1] if each.suite not in names]
    for name in names:
        began = time.monotonic()
        made = known[name](plan)
        figures += made
        show(made)
        print(f"  ({time.monotonic() - began:.0f} s)", flush=True)
        found["load_after"] = load()
        figures.sort(key=lambda each: [*known].index(each.suite))
        write(out, found, figures)  # after each: what is measured is not lost
    missed = [each for each in figures if each.missed]
    print(f"\n{machine_line(found)}")
    print(f"{len(figures)} figures, {len(missed)} bars missed; {out}")
    return 1 if missed else 0


def page(text: str, found: dict[str, object], figures: list[Figure]) -> str:
    """The page with the tables of these figures between its marks."""
    growth = [each for each in figures if each.suite == "growth"]
    rest = [each for each in figures if each.suite != "growth" and _told(each)]
    lines = [*markdown(rest), "", f"Measured on: {machine_line(found)}."]
    for name, body in (("figures", lines), ("growth", matrix(growth))):
        if len(body) > 2:
            pattern = rf"(<!-- measured: {name} -->\n).*?(<!-- end: {name} -->)"
            block = "\n".join(body)
            text = re.sub(
                pattern, lambda m, b=block: f"{m[1]}\n{b}\n\n{m[2]}", text, flags=re.DOTALL
            )
    return text


def _told(figure: Figure) -> bool:
    """Whether a figure says enough of the library for the page."""
    return figure.bar is not None or figure.compared or figure.suite in {"libraries", "many"}


def matrix(figures: list[Figure]) -> list[str]:
    """Growth as a table: what watches down, the corpora across, of the longest texts measured."""
    cells: dict[str, dict[str, Figure]] = {}
    for each in figures:  # longer texts come later
        watcher, _, corpus = each.scenario.partition(", ")
        cells.setdefault(watcher, {})[corpus] = each
    corpora = list(next(iter(cells.values()), {}))
    lines = [f"| growth | {' | '.join(corpora)} |", "| --- " * (len(corpora) + 1) + "|"]
    for watcher, row in cells.items():
        told = [_cell(row[name]) if name in row else "" for name in corpora]
        lines.append(f"| {watcher} | {' | '.join(told)} |")
    return lines


def _cell(figure: Figure) -> str:
    """A median; of a shorter text than the longest, that is said."""
    shorter = " (200,000)" if "at 200,000 " in figure.what else ""
    return f"{figure.median:.2f}{shorter}" if not figure.missed else f"**{figure.median:.2f}**"


if __name__ == "__main__":
    sys.exit(main())
