"""The rules for text that claims to be JSON, and the functions that look at a whole text."""

from __future__ import annotations

import json
import re
from functools import partial

import msgspec

from l0.events import GuardrailViolation
from l0.guardrails._brackets import BLANKS
from l0.guardrails._fence import CLOSE, CODE, OPEN, FenceSplitter
from l0.guardrails._json import PLAIN, FencedJson, JsonReader
from l0.guardrails._rule import SETTLED, Found, GuardrailRule, JudgedState

_CLAIM = re.compile(rf"[{BLANKS}]*[{{\[`~]")  # a document, or a fence around one, begins so

_CUT_SHORT = "the answer may have been cut short; retry, or allow more tokens"


def json_rule(expect: bool = False) -> GuardrailRule:
    """Brackets and strings of JSON must match and close.

    Judges only text that claims to be JSON: it opens with a fence marked `json`, or begins like an
    object or array. Text after a complete document withdraws the claim. A closer that does not
    match is found when it arrives; what is not closed, at completion.

    Args:
        expect: The text was asked to be JSON: it is always judged, and text around the document is
            an error too.

    Example:
        >>> check_text = json_rule().check
        >>> from l0.guardrails import GuardrailContext
        >>> [found.message for found in check_text(GuardrailContext('{"a": [1}'))]
        ['} does not match: ] was due']
    """
    return GuardrailRule(
        "json",
        start=partial(_JsonChecker, expect),
        description="Brackets and strings of JSON match and close",
        early=True,
    )


def strict_json_rule(expect: bool = True) -> GuardrailRule:
    """At completion, the text (its fence stripped) must parse as JSON.

    Args:
        expect: False judges only text that claims to be JSON and starts and ends as an object or
            array.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> found = strict_json_rule().check(GuardrailContext('{"a" 1}', True))
        >>> [violation.position for violation in found]
        [5]
    """
    return GuardrailRule(
        "strict_json",
        start=partial(_StrictJsonChecker, expect),
        description="The whole text parses as JSON",
        streaming=False,
    )


class JsonStructure(msgspec.Struct, frozen=True):
    """What the brackets of a text say: still open (outermost first), inside a string, faults."""

    is_balanced: bool
    open_brackets: str
    in_string: bool
    issues: tuple[str, ...]


def analyze_json_structure(text: str) -> JsonStructure:
    """Read the text as JSON, whether or not it claims to be, and say how far its brackets hold.

    Example:
        >>> analyze_json_structure('{"a": [1, 2').open_brackets
        '{['
    """
    body, start, _ = unfenced(text)
    reader = JsonReader(claimed=True)
    reader.feed(body, start)
    faults = reader.finish(start + len(body))
    return JsonStructure(
        is_balanced=not faults,
        open_brackets="".join(reader.open_brackets),
        in_string=reader.in_string,
        issues=tuple(message for message, _ in faults),
    )


def looks_like_json(text: str) -> bool:
    """Whether the text claims to be JSON, as `json_rule` sees it: a `json` fence, or its beginning.

    Example:
        >>> looks_like_json('{"a": 1'), looks_like_json("[note] see below")
        (True, False)
    """
    document = FencedJson(expect=False)
    document.feed(text, 0)
    document.finish(len(text))
    return document.fence_closed or (document.reader.status != PLAIN and bool(text.strip()))


def unfenced(text: str) -> tuple[str, int, int | None]:
    """The document in the text, its offset, and the offset of text after its fence, if any."""
    lead = len(text) - len(text.lstrip(BLANKS))
    if text[lead : lead + 3] not in {"```", "~~~"}:
        return text, 0, None
    splitter = FenceSplitter()
    pieces = splitter.feed(text[lead:], lead) + splitter.finish(len(text))
    if not pieces or pieces[0][0] != OPEN:
        return text, 0, None
    start = pieces[0][1] + len(pieces[0][2])
    body: list[str] = []
    closed = False
    for kind, offset, piece in pieces[1:]:
        if closed and piece.strip():
            return "".join(body), start, offset + len(piece) - len(piece.lstrip())
        if kind == CODE:
            body.append(piece)
        closed = closed or kind == CLOSE
    return "".join(body), start, None


class _JsonChecker(msgspec.Struct, gc=False, eq=False):
    _expect: bool
    _reader: FencedJson | None = None  # made when it is seen how the text begins
    _end: int = 0
    _said: bool = False

    def feed(self, text: str, start: int) -> Found | None:
        self._end = start + len(text)
        if self._reader is None:
            body = text.lstrip(BLANKS)
            if not body:
                return None
            if not self._expect and body[0] not in "{[`~":
                return SETTLED
            self._reader = FencedJson(expect=self._expect)
        status = self._reader.feed(text, start)
        if status < PLAIN:
            return None
        fault = self._reader.reader.fault
        if fault is None or self._said:
            return SETTLED
        self._said = True
        return [GuardrailViolation("json", fault[0], position=fault[1])]

    def finish(self, _state: JudgedState) -> Found | None:
        if self._said or self._reader is None:
            return None
        return [
            GuardrailViolation("json", message, position=position, suggestion=_CUT_SHORT)
            for message, position in self._reader.finish(self._end)
        ]


class _StrictJsonChecker:
    __slots__ = ("_expect", "_text")

    def __init__(self, expect: bool) -> None:
        self._expect = expect
        self._text = ""

    def feed(self, text: str, _start: int) -> None:
        self._text += text

    def finish(self, _state: JudgedState) -> Found | None:
        if not self._expect and not _CLAIM.match(self._text):
            return None  # most texts; what follows copies them
        body, start, after = unfenced(self._text)
        document = body.strip(BLANKS)
        if not document or not (self._expect or self._is_document(document, after)):
            return None
        try:
            # Numbers stay unread: Python's limit on digits is no fault of the text.
            json.loads(body, parse_int=len)
        except json.JSONDecodeError as error:
            message, position = f"Not valid JSON: {error.msg}", start + error.pos
        except RecursionError:
            message, position = "Not readable as JSON: nested too deeply", start
        else:
            if after is None:
                return None
            message, position = "Text after the JSON", after
        return [GuardrailViolation("strict_json", message, position=position)]

    def _is_document(self, document: str, after: int | None) -> bool:
        shaped = document[0] in "{[" and document[-1] in "}]"
        return shaped and after is None and looks_like_json(self._text)
