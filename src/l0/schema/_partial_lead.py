"""What stands before a JSON value that is still arriving: blanks, prose, the mark of a fence."""

from __future__ import annotations

import re

from l0.schema import _heal_tokens as tokens


class Lead:
    """Finds where the value begins, piece by piece.

    A bracket in prose counts only when what follows could be JSON, as for `locate`; until that is
    seen, the text from the bracket on is handed back in `rest`, to come again with the next piece.
    """

    __slots__ = ("_blank", "_tail", "rest", "sure")

    def __init__(self) -> None:
        self.rest = ""
        self.sure = True
        """The text or a fence begins with the value: no other can be meant."""
        self._blank = True
        self._tail = ""

    def find(self, text: str, pos: int) -> int | None:
        """Where the value begins in this piece; None if it does not."""
        self.rest = ""
        if self._blank:
            found = _NO_BLANK.search(text, pos)
            if not found:
                return None
            if text[found.start()] == '"':
                return found.start()
        at = pos
        while found := _BRACKET.search(text, at):
            at = found.start()
            opening = tokens.OPENING.match(text, at)
            if opening and (opening.end() < len(text) or _DECIDED.search(opening[0], 1)):
                self._pass(text[pos:at])
                self.sure = self._blank or _FENCE_MARK.search(self._tail) is not None
                return at
            if (opening or _UNDECIDED.match(text, at)) and len(text) - at < _LONGEST:
                self._pass(text[pos:at])
                self.rest = text[at:]
                if not self.rest[1:].strip():
                    self.rest = self.rest[:2]  # blanks decide nothing, however many
                return None
            at += 1
        self._pass(text[pos:])
        return None

    def _pass(self, prose: str) -> None:
        if prose.strip(" \t\r\n\ufeff"):
            self._blank = False
        self._tail = (self._tail + prose)[-40:]


_LONGEST = 300
_DECIDED = re.compile(r"[\"'“”„\u2018\u2019`\]},:0-9#{\[]\Z")
"""What may end an opening so that nothing that follows makes another thing of it."""
_NO_BLANK = re.compile("[^ \\t\\r\\n\ufeff]")
_BRACKET = re.compile(r"[{\[]")
_UNDECIDED = re.compile(r"[{\[](?:\s|\\[nrt])*+[+-]?[\\/.]?[\w$-]*+(?: [\w$-]*+)?\"?\s*+\Z")
_FENCE_MARK = re.compile(r"(?:```|~~~)[ \t]*+(?:json[c5l]?)?\s*+\Z", re.IGNORECASE)
