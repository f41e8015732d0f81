"""What the packages under l0 are licensed as: `python tools/licences.py [--write]`.

Every package that a requirement of l0 leads to is asked for its licence, as it is installed here.
What nobody has looked at yet ends the check. `--write` puts the table into docs/installing.md.
"""

from __future__ import annotations

import argparse
import re
import sys
from collections import defaultdict
from importlib.metadata import Distribution, PackageNotFoundError, distribution
from pathlib import Path

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PAGE = Path(__file__).resolve().parents[1] / "docs" / "installing.md"
MARKED = re.compile(r"(?<=<!-- licences -->\n).*?(?=<!-- end of licences -->)", re.DOTALL)

COMPATIBLE = {
    # Permissive: notices are kept, and each package keeps its own in its own wheel.
    *("0BSD", "Apache-2.0", "BSD-2-Clause", "BSD-3-Clause", "CC0-1.0", "ISC", "MIT", "MIT-0"),
    *("PSF-2.0", "Unlicense", "Zlib"),
    # Copyleft file by file: it binds who changes those files. They are installed as they came, and
    # none of them is copied into l0.
    "MPL-2.0",
}

SPELLINGS = {
    "apache 2.0": "Apache-2.0",
    "apache license, version 2.0": "Apache-2.0",
    "apache software license": "Apache-2.0",
    "bsd 3-clause license": "BSD-3-Clause",
    "isc license": "ISC",
    "isc license (iscl)": "ISC",
    "mit license": "MIT",
    "mozilla public license 2.0 (mpl 2.0)": "MPL-2.0",
    "psfl": "PSF-2.0",
    "python software foundation license": "PSF-2.0",
}
"""What packages from before licence expressions call their licence, by its SPDX id."""

THIRD_CLAUSE = "neither the name"
"""How the third clause of the BSD licence begins, which the one with two does not have."""


def main(arguments: list[str]) -> int:
    """Print the table, or write it; the exit status says whether all is known and compatible."""
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--write", action="store_true", help="put the table into the page")
    write = parser.parse_args(arguments).write
    found = closure("l0")
    faults = problems(found)
    for fault in faults:
        print(fault, file=sys.stderr)
    if faults:
        return 1
    if write:
        PAGE.write_text(MARKED.sub(lambda _: table(found), PAGE.read_text("utf-8")), "utf-8")
    else:
        print(table(found), end="")
    return 0


def closure(root: str) -> dict[str, set[str]]:
    """Every installed package that `root` leads to; each with the extras of `root` that do so.

    A package that comes without any extra has `""` among them.
    """
    extras = distribution(root).metadata.get_all("Provides-Extra") or []
    found: dict[str, set[str]] = defaultdict(set)
    for extra in ("", *extras):
        waiting, seen = [(root, extra)], {(root, extra)}
        while waiting:
            for step in _needs(*waiting.pop()):
                if step not in seen:
                    seen.add(step)
                    waiting.append(step)
        for name, _ in seen:
            if name != root and _installed(name) is not None:
                found[name].add(extra)
    return dict(found)


def _needs(name: str, extra: str) -> list[tuple[str, str]]:
    """The packages, and their extras, that this one asks for on this machine."""
    package = _installed(name)
    wanted: list[tuple[str, str]] = []
    for line in (package.requires or []) if package else []:
        requirement = Requirement(line)
        if requirement.marker is None or requirement.marker.evaluate({"extra": extra}):
            other = canonicalize_name(requirement.name)
            wanted += [(other, each) for each in ("", *requirement.extras)]
    return wanted


def _installed(name: str) -> Distribution | None:
    try:
        return distribution(name)
    except PackageNotFoundError:
        return None


def licence(package: Distribution) -> str | None:
    """The SPDX expression of a package's licence; None where it does not say, or oddly.

    A licence expression is believed. Older packages have a classifier or a text instead.
    """
    if expression := _field(package, "License-Expression"):
        return expression
    said = _field(package, "License").partition("\n")[0]
    kinds = [
        line.rpartition(" :: ")[2]
        for line in package.metadata.get_all("Classifier") or []
        if line.startswith("License :: ") and not line.endswith(":: OSI Approved")
    ]
    if any(name.lower() not in {*SPELLINGS, "bsd license"} for name in kinds):
        return None
    ids = re.split(r" (?:OR|AND) ", said)
    if said and all(each in COMPATIBLE for each in ids):
        return said
    known = [SPELLINGS.get(name.lower()) for name in kinds or [said]]
    if any(name.lower().startswith("bsd") for name in [*kinds, said]) and known[0] is None:
        return "BSD-3-Clause" if THIRD_CLAUSE in _text(package).lower() else "BSD-2-Clause"
    return known[0] if len(known) == 1 else None


def _text(package: Distribution) -> str:
    """The licence as the package brings it along."""
    files = [
        str(file.locate())
        for file in package.files or []
        if re.match(r"(?i)licen[cs]e|copying", file.name)
    ]
    texts = [Path(file).read_text("utf-8", "replace") for file in files if Path(file).is_file()]
    return "\n".join([_field(package, "License"), *texts])


def _field(package: Distribution, name: str) -> str:
    return package.metadata[name].strip() if name in package.metadata else ""


def unknown(expression: str) -> set[str]:
    """What stands in the way of an expression; nothing where it is compatible.

    >>> unknown("MIT OR GPL-3.0-only"), unknown("MIT AND GPL-3.0-only")
    (set(), {'GPL-3.0-only'})
    """
    ways = [set(way.split(" AND ")) - COMPATIBLE for way in expression.split(" OR ")]
    return min(ways, key=len)


def problems(found: dict[str, set[str]]) -> list[str]:
    """A sentence for each package whose licence is not known to fit."""
    sentences = []
    for name in sorted(found):
        package = distribution(name)
        expression = licence(package)
        if expression is None:
            sentences.append(
                f"{name} {package.version} doesn't say its licence in words known here"
            )
        elif alien := unknown(expression):
            sentences.append(
                f"{name} {package.version} is under {', '.join(sorted(alien))}, "
                "which is not among the licences that fit"
            )
    return sentences


def table(found: dict[str, set[str]]) -> str:
    """One row a licence: the packages of `pip install l0`, and those of its extras."""
    rows: dict[str, tuple[list[str], list[str]]] = defaultdict(lambda: ([], []))
    for name in sorted(found):
        rows[str(licence(distribution(name)))]["" not in found[name]].append(name)
    lines = ["| licence | `pip install l0` | with an extra |", "| --- | --- | --- |"]
    lines += [
        f"| {name} | {', '.join(always)} | {', '.join(extra)} |"
        for name, (always, extra) in sorted(rows.items(), key=lambda row: row[0])
    ]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
