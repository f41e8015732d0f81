"""Hold two result files of `run.py` against each other; 1 if something got slower than the noise.

A regression is a median ratio more than 10 % above the old one, and outside both quartile ranges.
"""

from __future__ import annotations

import argparse
import json
import sys
from pathlib import Path


def main() -> int:
    """Print a row a scenario both files have."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("old", type=Path)
    parser.add_argument("new", type=Path)
    arguments = parser.parse_args()
    old, new = (
        {row["name"]: row for row in json.loads(path.read_text())["rows"] if "ratio" in row}
        for path in (arguments.old, arguments.new)
    )
    slower = []
    for name in old.keys() & new.keys():
        (_, before, high), (low, after, _) = old[name]["ratio"], new[name]["ratio"]
        if after > before * 1.1 and low > high:
            slower.append(name)
    for name in sorted(old.keys() & new.keys()):
        before, after = old[name]["ratio"][1], new[name]["ratio"][1]
        mark = "  SLOWER" if name in slower else ""
        print(f"{name:<30}{before:>8.2f} → {after:<8.2f}{(after / before - 1) * 100:+6.1f} %{mark}")
    return 1 if slower else 0


if __name__ == "__main__":
    sys.exit(main())
