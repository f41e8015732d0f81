"""From text that should be JSON to JSON: valid text untouched, broken text repaired or refused."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import Any

from l0.schema import _heal_strict as strict
from l0.schema._extract import Found, first_fenced, locate

CORRECTIONS = (
    "strip_markdown_fence",
    "strip_json_prefix",
    "remove_prefix_text",
    "remove_suffix_text",
    "close_brace",
    "close_bracket",
    "close_string",
    "remove_trailing_comma",
    "remove_extra_comma",
    "add_missing_comma",
    "fix_quotes",
    "quote_keys",
    "remove_comments",
    "escape_control_chars",
    "convert_literals",
    "drop_incomplete_pair",
    "extract_json",
)
"""What can be corrected; the ids of `AutoCorrectResult.corrections`, in this order."""


@dataclass(frozen=True, slots=True)
class AutoCorrectResult:
    """What healing made of a text.

    Attributes:
        text: Strict JSON; the text as it came if it was valid, or if it could not be repaired.
        corrected: Whether `text` is another than what came.
        corrections: What was done, ids of `CORRECTIONS`; empty unless they were asked for.
        success: Whether `text` is valid JSON.
        error: What is wrong and where, if it could not be repaired.
    """

    text: str
    corrected: bool
    corrections: tuple[str, ...] = ()
    success: bool = True
    error: str | None = None


def auto_correct_json(text: str, track_corrections: bool = False) -> AutoCorrectResult:
    """Make strict JSON of what a model wrote; never raises.

    Valid JSON comes back as it is. Otherwise the content of a fence is taken, or the first value in
    the prose, and repaired where it is broken. Nothing is invented: what is cut off is closed or
    left out, and what can't be understood is reported.

    Args:
        text: What the model wrote.
        track_corrections: Say in `corrections` what was done.

    >>> auto_correct_json('Sure: {"name": "Ada", "tags": ["x", ', track_corrections=True)
    AutoCorrectResult(text='{"name": "Ada", "tags": ["x"]}', corrected=True,
    corrections=('remove_prefix_text', 'close_brace', 'close_bracket', 'remove_trailing_comma',
    'extract_json'), success=True, error=None)
    """
    healed = heal(text)
    if isinstance(healed, strict.Unreadable):
        if healed.valid:
            return AutoCorrectResult(text, corrected=False)
        message = f"{healed.message}, at {_place(text, healed.position)}"
        return AutoCorrectResult(text, corrected=False, success=False, error=message)
    if healed.text == text:
        return AutoCorrectResult(text, corrected=False)
    done = healed.corrections | _around(text, healed) if track_corrections else set()
    return AutoCorrectResult(
        healed.text,
        corrected=True,
        corrections=tuple(name for name in CORRECTIONS if name in done),
    )


def heal(text: str) -> Found | strict.Unreadable:
    """The value of a text and how it was read, or why it can't be read."""
    try:
        return Found(0, len(text), text, strict.read(text))
    except strict.Unreadable as error:
        if error.valid or error.message == strict.TOO_DEEP:
            return error
        whole = error.message != strict.TRAILING
    try:
        return locate(text, len(text) - len(text.lstrip(" \t\r\n")) if whole else -1)
    except strict.Unreadable as error:
        return error


def is_valid_json(text: str) -> bool:
    """Whether a text is one JSON value by RFC 8259, blanks around it allowed.

    `NaN` and `Infinity` are not JSON. Brackets that nest deeper than Python can follow (a thousand
    levels in 3.11, more in later versions) are taken for invalid.

    >>> is_valid_json('{"a": 1}'), is_valid_json('{"a": 1,}'), is_valid_json("NaN")
    (True, False, False)
    """
    try:
        strict.read(text)
    except strict.Unreadable as error:
        return error.valid
    return True


def safe_json_parse(text: str, auto_correct: bool = True) -> Any:
    """The value of a JSON text, repaired if need be.

    Args:
        text: What the model wrote.
        auto_correct: Repair what is broken, as `auto_correct_json` does; False: strict JSON only.

    Raises:
        json.JSONDecodeError: It is not JSON and can't be repaired. It is a `ValueError`.

    >>> safe_json_parse("{'a': True, // yes")
    {'a': True}
    >>> safe_json_parse('{"a" 1}')
    Traceback (most recent call last):
    json.decoder.JSONDecodeError: a key has no value; ask for the JSON again: line 1 column 2 ...
    """
    if auto_correct:
        healed = heal(text)
        if isinstance(healed, Found):
            return healed.value
        todo = "" if healed.valid else "; ask for the JSON again"
        raise json.JSONDecodeError(healed.message + todo, text, healed.position)
    try:
        return strict.read(text)
    except strict.Unreadable as error:
        todo = "" if error.valid else "; auto_correct=True repairs what can be repaired"
        raise json.JSONDecodeError(error.message + todo, text, error.position) from None


def parse_partial_json(text: str) -> Any:
    """The value of JSON that may be cut off anywhere; None if there is none yet.

    Open strings end where the text ends, open brackets are closed, a key without a value and a
    piece of a literal are left out. A number stands as far as it goes; `PartialParser`, which sees
    the text grow, waits for its end instead.

    >>> parse_partial_json('{"name": "Ada", "born": 1815, "died": 18')
    {'name': 'Ada', 'born': 1815, 'died': 18}
    >>> parse_partial_json('{"name": "Ad'), parse_partial_json("Let me")
    ({'name': 'Ad'}, None)
    """
    healed = heal(text)
    return healed.value if isinstance(healed, Found) else None


def extract_json(text: str) -> str:
    """The first JSON value of a text as it stands there, not repaired; the text if there is none.

    >>> extract_json('The answer is {"a": [1, 2,]}, I think.')
    '{"a": [1, 2,]}'
    """
    healed = heal(text)
    if not isinstance(healed, Found):
        return text
    found = text[healed.start : healed.end]
    return found if healed.closed else found.rstrip("\r\n")


def extract_json_from_markdown(text: str) -> str | None:
    """The content of the first fence that is marked as JSON or begins like it; None if none is.

    >>> extract_json_from_markdown('Here:' + chr(10) + '```json' + chr(10) + '[1, 2]```')
    '[1, 2]'
    """
    fenced = first_fenced(text)
    return None if fenced is None else fenced.strip()


def _place(text: str, position: int) -> str:
    line = text.count("\n", 0, position) + 1
    column = position - text.rfind("\n", 0, position)
    return f"line {line} column {column} (character {position})"


def _around(text: str, found: Found) -> set[str]:
    """What was left out before and after the value."""
    before, after = text[: found.start], text[found.end :]
    done = set()
    rest = _FENCE_BEFORE.sub("", before)
    tail = _FENCE_AFTER.sub("", after, count=1)
    if rest != before or (tail != after and "```" in before):
        done.add("strip_markdown_fence")
    else:
        tail = after
    if rest.strip():
        if _JSON_BEFORE.fullmatch(rest):
            done.add("strip_json_prefix")
        elif _COMMENTS.fullmatch(rest):
            done.add("remove_comments")
        else:
            done.add("remove_prefix_text")
    if tail.strip():
        done.add("remove_comments" if _COMMENTS.fullmatch(tail) else "remove_suffix_text")
    if any(map(str.isalnum, rest + tail)) and done & {"remove_prefix_text", "remove_suffix_text"}:
        done.add("extract_json")
    return done


_FENCE_BEFORE = re.compile(r"(?<![`~])(?:```|~~~)[`~]*+[ \t]*+[\w+.\-]*+\s*+\Z")
_FENCE_AFTER = re.compile(r"\A\s*+(?:```|~~~)[`~]*+")
_JSON_BEFORE = re.compile(r"\s*+json\s*+[:=]?\s*+", re.IGNORECASE)
_COMMENTS = re.compile(r"(?:\s*+(?://[^\n]*+|/\*(?:[^*]++|\*(?!/))*+\*/|#[^\n]*+))++\s*+")
