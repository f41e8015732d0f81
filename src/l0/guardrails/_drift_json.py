"""Keeps text that claims to be JSON away from what judges prose."""

from __future__ import annotations

from l0.guardrails._json import CLAIMS, PLAIN, UNDECIDED, JsonReader

_HEAD = 2000  # text whose beginning is undecided for so long is taken for JSON


class JsonGate:
    """Holds the beginning of a text back until it is known whether it claims to be JSON.

    Prose passes, JSON does not; text after a complete document passes again.
    """

    __slots__ = ("_held", "_reader", "passes", "shut")

    def __init__(self) -> None:
        self.passes = False
        """All text from here on is to be judged."""
        self.shut = False
        """No text from here on is."""
        self._held = ""
        self._reader = JsonReader()

    def feed(self, text: str, start: int) -> tuple[str, int]:
        """What of the text so far is to be judged, and its offset."""
        reader = self._reader
        status = reader.status
        if status == UNDECIDED:
            # Where the head ends must not depend on how the text came.
            head = text[: max(0, _HEAD - start)]
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
            text, start = self._held + text, start - len(self._held)
            return text[reader.plain_from - start :], reader.plain_from
        self.shut = status != CLAIMS
        return "", start
