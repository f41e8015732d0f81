# ruff: noqa: INP001  a script beside the sources, no package
"""Say whether the built views are what the sources build, without node: `python js/stamp.py`.

`stamp.json` beside the build holds the hash of the sources, the version of the tool and the hash of
each output; `build.mjs` writes it. A byte-for-byte comparison is `npm run verify`.
"""

from __future__ import annotations

import json
import sys
from hashlib import sha256
from pathlib import Path

STATIC = Path("src", "l0", "notebook", "static")


def problems(root: Path) -> list[str]:
    """What is wrong with the build in the checkout at `root`; nothing when it is fresh."""
    static = root / STATIC
    try:
        stamp = json.loads((static / "stamp.json").read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        return [f"{STATIC / 'stamp.json'} cannot be read: {error}"]
    wanted = json.loads((root / "js" / "package.json").read_text(encoding="utf-8"))
    found = []
    if stamp.get("sources") != sources(root / "js"):
        found.append("js/src has changed since the build")
    if stamp.get("tools") != {"esbuild": wanted["devDependencies"]["esbuild"]}:
        found.append(
            "the build was made by another version of esbuild than js/package.json asks for"
        )
    for name, digest in stamp.get("outputs", {}).items():
        output = static / name
        if not output.exists() or sha256(output.read_bytes()).hexdigest() != digest:
            found.append(f"{STATIC / name} is not what was built")
    return found


def sources(js: Path) -> str:
    """One hash of all that decides the output; line ends do not count. Same rule in build.mjs."""
    files = [file for file in (js / "src").rglob("*") if file.is_file()]
    lines = []
    for file in [*files, js / "build.mjs", js / "internal.mjs"]:
        text = file.read_bytes().replace(b"\r\n", b"\n")
        lines.append(f"{file.relative_to(js).as_posix()} {sha256(text).hexdigest()}\n")
    return sha256("".join(sorted(lines)).encode()).hexdigest()


def main() -> int:
    """Print what is wrong; returns the exit code."""
    found = problems(Path(__file__).resolve().parents[1])
    for problem in found:
        sys.stderr.write(f"{problem}\n")
    if found:
        sys.stderr.write("run `npm install && npm run build` in js/\n")
    return 1 if found else 0


if __name__ == "__main__":
    sys.exit(main())
