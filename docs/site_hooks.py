"""What the site needs beside the pages: two files of the root, and a look that it is offline."""

from __future__ import annotations

import inspect
import re
from functools import cache
from pathlib import Path
from typing import Any

from mkdocs.exceptions import PluginError
from mkdocs.structure.files import File, Files

import l0

ROOT = Path(__file__).resolve().parent.parent
FROM_ROOT = {"CONTRIBUTING.md": "contributing.md", "CHANGELOG.md": "changelog.md"}
"""Files of the root that are pages of the site, too."""

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio)\b[^>]*?\ssrc=["']?((?:https?:)?//[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|icon|modulepreload))"""
    r"""[^>]*?\shref=["']?((?:https?:)?//[^"'\s>]+)""",
    re.IGNORECASE,
)
"""What a browser fetches by itself; a link that a reader may follow is another matter."""

STYLED = re.compile(r"""(?:url\(\s*["']?|@import\s+["'])((?:https?:)?//[^"')\s]+)""")
"""The same in a style sheet."""


def on_files(files: Files, config: Any) -> Files:
    """The pages that stand in the root of the repository."""
    for name, page in FROM_ROOT.items():
        text = (ROOT / name).read_text(encoding="utf-8")
        files.append(File.generated(config, page, content=text.replace("](docs/", "](")))
    return files


def on_page_markdown(markdown: str, **_: Any) -> str:
    """A link to a file of the root leads to its page; the front door's names are filled in."""
    for name, page in FROM_ROOT.items():
        markdown = markdown.replace(f"](../{name}", f"]({page}")
    return markdown.replace("<!-- front door -->", _front_door())


@cache
def _front_door() -> str:
    """Every name of `l0` with its first sentence, each a link to its room's page."""
    rows = []
    for name, room in sorted(l0._NAMES.items()):
        # Optional: a constant without a docstring has no place on its room's page.
        shown = f'<autoref optional identifier="l0.{room}.{name}"><code>{name}</code></autoref>'
        thing = getattr(l0, name)
        own = inspect.isclass(thing) or inspect.isroutine(thing) or inspect.ismodule(thing)
        about = (inspect.getdoc(thing) or "").split("\n\n")[0] if own else ""
        about = " ".join(about.split()).replace("|", "\\|")
        rows.append(f"| {f'**{shown}**' if name in l0._HEADLINES else shown} | {about} |")
    return "\n".join(("| name | what it is |", "| --- | --- |", *rows))


def on_post_build(config: Any) -> None:
    """Fail where a page would load anything from elsewhere."""
    site = Path(config.site_dir)
    found = [
        f"{path.relative_to(site)}: {address}"
        for kind, pattern in (("*.html", LOADED), ("*.css", STYLED))
        for path in sorted(site.rglob(kind))
        for address in map("".join, pattern.findall(path.read_text(encoding="utf-8")))
    ]
    if found:
        raise PluginError("the site loads from elsewhere:\n  " + "\n  ".join(found))
