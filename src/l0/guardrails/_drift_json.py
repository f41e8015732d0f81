"""Keeps text that claims to be JSON away from what judges prose."""

from __future__ import annotations

import msgspec

from l0.guardrails._brackets import BLANKS
from l0.guardrails._json import CLAIMS, PLAIN, UNDECIDED, JsonReader

_HEAD = 2000  # text whose beginning is undecided for so long is taken for JSON


class JsonGate(msgspec.Struct, gc=False, eq=False):
    """Holds the beginning of a text back until it is known whether it claims to be JSON.

    Prose passes, JSON does not; text after a complete document passes again.
    """

    passes: bool = False
    """All text from here on is to be judged."""
    shut: bool = False
    """No text from here on is."""
    after_json: bool = False
    """What passes stands after a JSON document."""
    _begin: int = -1  # the offset of the first character that is not blank
    _held: str = ""
    _reader: JsonReader | None = None

    def feed(self, text: str, start: int) -> tuple[str, int]:
        """What of the text so far is to be judged, and its offset."""
        if self._begin < 0:
            body = text.lstrip(BLANKS)
            lead = len(text) - len(body)
            self._held = (self._held + text[:lead])[-_HEAD:]
            if not body:
                return "", start
            if body[0] not in "{[":
                self.passes = True
                return self._held + body, start + lead - len(self._held)
            text, start = body, start + lead
            self._begin = start
            self._reader = JsonReader()
        reader = self._reader
        assert reader is not None
        if reader.status == UNDECIDED:
            # Where the head ends must not depend on how the text came.
            head = text[: max(0, self._begin + _HEAD - start)]
            status = reader.feed(head, start)
            if status == UNDECIDED:
                self._held += head
                self.shut = len(head) < len(text)
                return "", start
            if status == CLAIMS:
                self._held = ""
                status = reader.feed(text[len(head) :], start + len(head))
        else:
            status = reader.feed(text, start)
        if status == PLAIN:
            self.passes = True
            base = start - len(self._held)
            cut = max(reader.plain_from, base)
            self.after_json = reader.plain_from > 0
            return (self._held + text)[cut - base :], cut
        self.shut = status != CLAIMS
        return "", start
