"""Drift that shows in single places: chat templates in the answer, and filler first lines."""

from __future__ import annotations

import re

import msgspec

_MARKERS = ("<|im_start|>", "<|im_end|>", "[INST]", "<<SYS>>", "### Instruction:", "### Response:")
_CARRY = max(map(len, _MARKERS)) - 1
_ROLE = re.compile(r"^(?:User|Human|Assistant):", re.MULTILINE)
_HEAD = 100  # a role line counts among the first characters only
_ROLE_LENGTH = 10
_FILLERS = frozenset(
    ("sure", "certainly", "of course", "absolutely", "great question", "no problem")
)
_FIRST_LINE = 60


class TemplateWatch(msgspec.Struct, gc=False, eq=False):
    """Looks for the marks of a chat template: markers anywhere, role lines at the beginning."""

    awake: bool = True
    """Any text matters; later only what has the first character of a marker in it."""
    _carry: str = ""
    _head: str | None = ""

    def feed(self, text: str) -> str:
        """The marker that the new text completes, or nothing."""
        found = self._role(text) if self._head is not None else ""
        carried = self._carry
        if carried or "<" in text or "[" in text or "#" in text:
            window = carried + text
            tail = self._carry = window[-_CARRY:]
            if not ("<" in tail or "[" in tail or "#" in tail):
                self._carry = ""
            old = len(carried)
            if "<" in window or "[I" in window or "###" in window:
                for marker in _MARKERS:
                    # What stood there before does not count again.
                    if window.find(marker, max(0, old - len(marker) + 1)) >= 0:
                        self.awake = True
                        return marker
        self.awake = self._carry != "" or self._head is not None
        return found

    def _role(self, text: str) -> str:
        assert self._head is not None
        old = len(self._head)
        self._head += text[: _HEAD + _ROLE_LENGTH]
        found = ""
        for role in _ROLE.finditer(self._head):
            if role.end() > old and role.start() < _HEAD:
                found = role[0]
                break
        if len(self._head) >= _HEAD + _ROLE_LENGTH:
            self._head = None
        return found


class FirstLineWatch(msgspec.Struct, gc=False, eq=False):
    """Says whether the whole first line that is not blank is a filler such as "Sure!"."""

    open: bool = True
    """The line is not decided."""
    _line: str = ""

    def feed(self, text: str, *, ended: bool = False) -> str:
        """The filler, once the line is complete and nothing else."""
        self._line = (self._line + text).lstrip()
        line, newline, _ = self._line.partition("\n")
        line = line.rstrip()
        if newline or ended:
            self.open = False
            words = " ".join(line.casefold().strip(" \t!.,:;?…-\u2013\u2014*_\"'").split())
            return words if len(line) <= _FIRST_LINE and words in _FILLERS else ""
        if len(line) > _FIRST_LINE:
            self.open = False
        return ""
