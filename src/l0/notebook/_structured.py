"""Data that a run was asked for, as views show it: the values, what was corrected, what is wrong.

The events of the run tell it, so a saved log shows what the live view showed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape
from typing import TYPE_CHECKING, Any, Final

from l0.errors import SchemaValidationError
from l0.notebook import _markdown
from l0.notebook._look import FAINT, INK, LINE, SMALL, details
from l0.notebook._picture import count, words
from l0.notebook._rows import clean
from l0.schema import SchemaFault, parse_partial_json, safe_json_parse

if TYPE_CHECKING:
    from l0.notebook._story import Story

SAID: Final = "l0-said"
"""The class by which a page finds the answer, to keep it as high as it was in the live view."""

MOST: Final = 1000
"""Rows of a tree; what is more is counted."""

DEEPEST: Final = 12
"""Levels of a tree; what is deeper is counted."""

_SAID: Final = {
    "strip_markdown_fence": "code fence removed",
    "strip_json_prefix": "the word json removed",
    "remove_prefix_text": "text before it removed",
    "remove_suffix_text": "text after it removed",
    "extract_json": "taken out of prose",
    "close_brace": "braces balanced",
    "close_bracket": "brackets balanced",
    "close_string": "open string closed",
    "remove_trailing_comma": "trailing comma removed",
    "remove_extra_comma": "extra comma removed",
    "add_missing_comma": "missing comma added",
    "fix_quotes": "quotes repaired",
    "quote_keys": "keys quoted",
    "remove_comments": "comments removed",
    "escape_control_chars": "control characters escaped",
    "convert_literals": "literals of other languages converted",
    "drop_incomplete_pair": "unfinished member left out",
}


@dataclass(slots=True)
class Structured:
    """What a run that was asked for data came to.

    Attributes:
        schema: the name of what was asked for.
        verdict: `arriving` until the text is judged, then `valid` or `invalid`.
        value: the data as JSON has it; None before there is any.
        corrections: what was repaired in the text that was judged last, as `StructuredResult`.
        faults: what is wrong with it.
    """

    schema: str
    verdict: str = "arriving"
    value: Any = None
    corrections: list[str] = field(default_factory=list)
    faults: list[SchemaFault] = field(default_factory=list)


def structured_of(story: Story) -> Structured | None:
    """What a story tells of its data; None if none was asked for."""
    name = story.facts.get("schema")
    found = None if name is None else Structured(str(name))
    for type_, _, payload in story.rows:
        if type_ == "STRUCTURED_START":
            found = Structured(str(payload["schema_name"]))
        elif found is None:
            continue
        elif type_ == "AUTO_CORRECT_END" and payload["success"]:
            found.corrections = list(payload["corrections"])
        elif type_ == "SCHEMA_VALIDATION_ERROR":
            found.faults = [SchemaFault(**each) for each in payload["errors"]]
        elif type_ == "STRUCTURED_END":
            found.verdict = "valid" if payload["success"] else "invalid"
        elif type_ == "RESTART" and payload.get("discarded_chars"):
            found = Structured(found.schema)
    if found is not None:
        found.value = _value(story, found)
    return found


def error_of(story: Story) -> dict[str, str] | None:
    """What ended a run; without what is wrong with the data, where that is said beside the data."""
    error = story.error
    if error is None or error["type"] != SchemaValidationError.__name__:
        return error
    found = structured_of(story)
    return error if found is None or not found.faults else {**error, "message": ""}


def _value(story: Story, found: Structured) -> Any:
    if found.verdict != "valid":
        return parse_partial_json(story.text)
    if "data" in story.facts:  # what the schema made of it, defaults and all
        return story.facts["data"]
    try:
        return safe_json_parse(story.text)
    except (ValueError, RecursionError):  # a recording may keep less than the whole text
        return parse_partial_json(story.text)


def said(corrections: Sequence[str]) -> list[str]:
    """What was corrected, in words.

    >>> said(["remove_trailing_comma", "close_brace"])
    ['trailing comma removed', 'braces balanced']
    """
    return list(dict.fromkeys(_SAID.get(each, words(each)) for each in corrections))


# --- plain text -----------------------------------------------------------------------------


def lines(found: Structured) -> list[str]:
    """The same in lines of text; the data itself is not among them."""
    told = [f"{found.schema} · {_VERDICTS[found.verdict]}"]
    if found.corrections:
        told.append(f"corrected: {', '.join(said(found.corrections))}")
    if found.verdict == "invalid":
        told += [str(fault) for fault in found.faults]
    return told


def text(found: Structured, raw: str) -> str:
    """The validated data as indented JSON; what is not valid as the model wrote it."""
    if found.verdict != "valid":
        return raw
    try:
        return json.dumps(found.value, indent=2, ensure_ascii=False)
    except RecursionError:  # indented, fewer levels fit than read
        return raw


_VERDICTS: Final = {"arriving": "incomplete", "valid": "valid", "invalid": "not valid"}


# --- HTML -----------------------------------------------------------------------------------


def html(found: Structured, raw: str, *, live: bool = False) -> str:
    """The data as a tree of keys and values, below what became of it."""
    verdict = "so far" if live and found.verdict == "arriving" else _VERDICTS[found.verdict]
    mark = {"valid": "✓ ", "invalid": "✗ "}.get(found.verdict, "")
    ink = {"valid": INK["complete"], "invalid": INK["failed"]}.get(found.verdict)
    color = f' style="color:{ink}"' if ink else f' style="{FAINT}"'
    corrected = ""
    if found.corrections:
        told = escape(", ".join(said(found.corrections)))
        corrected = f'<span style="{FAINT}">corrected: {told}</span>'
    head = (
        f'<div style="{SMALL};display:flex;flex-wrap:wrap;gap:0 0.8em;margin:0 0 0.35em">'
        f'<b style="font-weight:600">{escape(found.schema)}</b>'
        f"<span{color}>{mark}{verdict}</span>{corrected}</div>"
    )
    faults = "".join(map(_fault, found.faults)) if found.verdict == "invalid" else ""
    told = ""
    if raw and (found.corrections or found.verdict != "valid"):
        summary = f"What the model wrote · {count(len(raw), 'character')}"
        told = details(summary, _markdown.plain(raw))
    tree = "" if found.value is None else _Tree(found.faults).draw(found.value)
    style = "margin:0.5em 0 0.35em"
    return clean(f'<div class="{SAID}" style="{style}">{head}{tree}{faults}{told}</div>')


def _fault(fault: SchemaFault) -> str:
    style = f"{SMALL};margin:0.25em 0;padding-left:0.9em;border-left:2px solid {INK['failed']}"
    path = f'<b style="font-weight:600">{escape(fault.path)}</b>: ' if fault.path else ""
    return f'<div style="{style}">{path}{escape(fault.message)}</div>'


class _Tree:
    """Keys and values, drawn as `js/src/lib/tree.ts` draws them."""

    def __init__(self, faults: Sequence[SchemaFault]) -> None:
        self.wrong = {fault.path for fault in faults}
        self.rows = 0

    def draw(self, value: Any) -> str:
        """The tree of a whole value."""
        # 52 em with its padding, as the live view's.
        box = f"max-width:50.06em;padding:0.45em 0.9em;border:1px solid {LINE};border-radius:4px"
        if isinstance(value, dict | list):
            inside = self._inside(value, "", 0)
        else:
            inside = f"<div>{_scalar(value)}</div>"
        return f'<div style="{box};line-height:1.5;overflow-wrap:anywhere">{inside}</div>'

    def _inside(self, value: Any, path: str, depth: int) -> str:
        """The rows of an object or an array."""
        if isinstance(value, list) and not any(isinstance(each, dict | list) for each in value):
            return f"<div>{_chips(value)}</div>"
        named = isinstance(value, dict)
        out: list[str] = []
        for key, each in value.items() if named else enumerate(value):
            if self.rows >= MOST:
                out.append(f'<div style="{FAINT}">… and more, in data</div>')
                break
            self.rows += 1
            dot = "." if path else ""
            where = f"{path}{dot}{key}" if named else f"{path}[{key}]"
            out.append(self._row(str(key), each, where, depth))
        return "".join(out) or f'<div style="{FAINT}">empty</div>'

    def _row(self, key: str, value: Any, path: str, depth: int) -> str:
        nested = isinstance(value, list | dict) and bool(value)
        deep = nested and (
            isinstance(value, dict) or any(isinstance(each, dict | list) for each in value)
        )
        if not nested:
            shown = _scalar(value)
        elif not deep:
            shown = _chips(value)
        else:
            noun = "field" if isinstance(value, dict) else "item"
            shown = f'<span style="{SMALL};{FAINT}">{count(len(value), noun)}</span>'
        wrong = f"color:{INK['failed']}" if path in self.wrong else FAINT
        row = (
            '<div style="display:flex;flex-wrap:wrap;gap:0 0.9em">'
            f'<span style="flex:0 0 9em;padding:0.12em 0;{wrong}">{escape(key)}</span>'
            f'<span style="{_VALUE}">{shown}</span></div>'
        )
        if not deep or depth >= DEEPEST:
            return row
        left = f"margin-left:0.3em;padding-left:0.9em;border-left:1px solid {LINE}"
        return f'{row}<div style="{left}">{self._inside(value, path, depth + 1)}</div>'


_VALUE: Final = "flex:1 1 8em;min-width:0;padding:0.12em 0;white-space:pre-wrap"
_CHIP: Final = "display:inline-block;max-width:100%;margin:0 0.35em 0.15em 0;padding:0 0.45em"


def _chips(values: Sequence[Any]) -> str:
    """Texts and numbers of an array, side by side."""
    style = f"{_CHIP};border-radius:3px;background:rgba(128,128,128,0.1);white-space:pre-wrap"
    shown = "".join(f'<span style="{style}">{_scalar(value)}</span>' for value in values[:MOST])
    more = f'<span style="{FAINT}">… {len(values) - MOST:,} more</span>'
    return shown + (more if len(values) > MOST else "")


def _scalar(value: Any) -> str:
    if isinstance(value, str):
        return escape(value) if value else f'<span style="{FAINT}">empty text</span>'
    if value is None or isinstance(value, dict | list):
        shown = "null" if value is None else "none"
        return f'<span style="{FAINT}">{shown}</span>'
    if isinstance(value, bool):
        return "true" if value else "false"
    return f'<span style="font-variant-numeric:tabular-nums">{escape(str(value))}</span>'
