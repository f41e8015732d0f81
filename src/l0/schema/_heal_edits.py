"""The edits that make strict JSON of a broken text, in the order they were found."""

from __future__ import annotations

from typing import NamedTuple


class _Edit(NamedTuple):
    start: int
    end: int
    text: str
    ids: tuple[str, ...]


class Edits:
    """What to put in the place of which part of a text, and the ids of the corrections.

    >>> edits = Edits()
    >>> edits.add(2, 3, "", "remove_extra_comma")
    >>> edits.apply("[1,,2]", 6)
    ('[1,2]', {'remove_extra_comma'})
    """

    __slots__ = ("_edits",)

    def __init__(self) -> None:
        self._edits: list[_Edit] = []

    @property
    def end(self) -> int:
        """Where the last edit ends; -1 without any."""
        return self._edits[-1].end if self._edits else -1

    def add(self, start: int, end: int, text: str, *ids: str) -> None:
        """Put `text` in the place of what stands between two offsets."""
        self._edits.append(_Edit(start, end, text, ids))

    def forget(self, start: int) -> None:
        """What stands from an offset on is left out: its edits don't matter."""
        while self._edits and (last := self._edits[-1]).start >= start:
            if last.start == start and last.text in {"}", "]"}:
                return  # it closes what stands before
            self._edits.pop()

    def apply(self, text: str, end: int) -> tuple[str, set[str]]:
        """The text up to an offset with all edits made, and the ids of those."""
        pieces: list[str] = []
        mark = 0
        ids: set[str] = set()
        for edit in sorted(self._edits, key=lambda edit: edit.start):
            pieces += text[mark : edit.start], edit.text
            mark = max(mark, edit.end)
            ids.update(edit.ids)
        pieces.append(text[mark:end])
        return "".join(pieces), ids
