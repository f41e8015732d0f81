"""Hold two result files of `run.py` against each other; 1 if something got worse than the noise.

A regression is a median more than 10 % worse than the old one whose quartiles don't reach those of
the old one. Absolute times without a bar say more of the machine than of the library: they are not
compared.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

from figures import Figure, number, read

WORSE = 0.10


def change(old: Figure, new: Figure) -> float:
    """By which part of the old median the new one is worse; negative: better."""
    if old.median == new.median:
        return 0.0
    if not old.median:
        return float("inf") if (new.median > 0) != new.higher else float("-inf")
    relative = (new.median - old.median) / abs(old.median)
    return -relative if new.higher else relative


def regressed(old: Figure, new: Figure) -> bool:
    """Whether the new figure is worse than the old one by more than the noise."""
    if new.higher:
        apart = new.quartiles[2] < old.quartiles[0]
    else:
        apart = new.quartiles[0] > old.quartiles[2]
    return apart and change(old, new) > WORSE


def compare(old: list[Figure], new: list[Figure]) -> tuple[list[str], list[Figure]]:
    """The lines of the table, and what got worse."""
    before = {each.key: each for each in old}
    shared = [each for each in new if each.key in before and each.compared]
    worse = [each for each in shared if regressed(before[each.key], each)]
    lines = []
    for each in shared:
        then = before[each.key]
        mark = "  WORSE" if each in worse else ""
        # What is worse has a plus, whichever way the figure goes.
        lines.append(
            f"{f'{each.scenario}: {each.what}':<64}{number(then.median):>9} → "
            f"{number(each.median):<9}{change(then, each) * 100:+7.1f} %{mark}"
        )
    return lines, worse


def main(argv: list[str] | None = None) -> int:
    """Print a row a figure that both files have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    given = parser.parse_args(argv)
    try:
        (_, old), (_, new) = read(given.old), read(given.new)
    except (OSError, ValueError) as error:
        print(error, file=sys.stderr)
        return 2
    lines, worse = compare(old, new)
    print("\n".join(lines) or "the files have no figure in common")
    print(f"{len(lines)} figures compared, {len(worse)} worse than the noise")
    return 1 if worse else 0


if __name__ == "__main__":
    sys.exit(main())
