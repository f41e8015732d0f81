"""Examples in docstrings as code on the site: `>>>` stands in them as doctest wants it."""

from __future__ import annotations

import re
from typing import Any

import griffe

DOCTEST = re.compile(r"^( *)>>> .*\n?(?:\1[^\s].*\n?|\1 +\S.*\n?)*", re.MULTILINE)


class Examples(griffe.Extension):
    """Fences every doctest, and calls the section by the name that the parser knows."""

    def on_object(self, *, obj: griffe.Object, **_: Any) -> None:
        """One docstring."""
        if obj.docstring is not None:
            text = re.sub(r"^Example:$", "Examples:", obj.docstring.value, flags=re.MULTILINE)
            obj.docstring.value = DOCTEST.sub(_fenced, text)


def _fenced(found: re.Match[str]) -> str:
    indent = found[1]
    return f"{indent}```pycon\n{found[0].rstrip()}\n{indent}```\n"
