"""The markdown rule: fences close, and table rows have as many cells as their header."""

from __future__ import annotations

import re
from typing import ClassVar

import msgspec

from l0.events import GuardrailViolation, Severity
from l0.guardrails._fence import blank_code_spans, closes_fence, next_mark, opening_fence
from l0.guardrails._rule import GuardrailRule, JudgedState

_LINE = 4000  # a longer line is no table row
_DELIMITER = re.compile(r"\|?[ \t]*:?-+:?[ \t]*(?:\|[ \t]*:?-+:?[ \t]*)*\|?")
_MARKS = re.compile(
    r"^ {0,3}(?:#{1,6}[ \t]+\S|(?:[-*+]|\d{1,9}[.)])[ \t]+\S|```|~~~|\|.*\|)"
    r"|\*\*(?=\S)[^*\n]{1,200}\*\*|\[[^\[\]\n]{1,200}\]\([^()\s]{1,500}\)",
    re.MULTILINE,
)


def markdown_rule() -> GuardrailRule:
    r"""Fences must close (error, at completion); table rows must fit their header (warning).

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> found = markdown_rule().check(GuardrailContext("```python\nprint(1)\n", True))
        >>> [(violation.position, violation.message) for violation in found]
        [(0, 'Code fence ``` is not closed')]
    """
    return GuardrailRule(
        "markdown",
        start=_MarkdownChecker,
        description="Fences close and table rows have as many cells as their header",
    )


class MarkdownStructure(msgspec.Struct, frozen=True):
    """Fences and tables of a text: `languages` of its fences, table rows, what is wrong."""

    is_balanced: bool
    in_fence: bool
    fences: int
    languages: tuple[str, ...]
    table_rows: int
    issues: tuple[str, ...]


def analyze_markdown_structure(text: str) -> MarkdownStructure:
    r"""Read the whole text as markdown and say what fences and tables it has.

    Example:
        >>> analyze_markdown_structure("```sh\nls\n```\n").languages
        ('sh',)
    """
    infos: list[str] = []
    checker = _MarkdownChecker(infos=infos)
    found = [*(checker.feed(text, 0) or ()), *checker.finish(None)]
    return MarkdownStructure(
        is_balanced=not found,
        in_fence=bool(checker.fence),
        fences=len(infos),
        languages=tuple(info for info in infos if info),
        table_rows=checker.rows,
        issues=tuple(violation.message for violation in found),
    )


def looks_like_markdown(text: str) -> bool:
    """Whether the text has a heading, bullet, fence, table row, link or bold text.

    Example:
        >>> looks_like_markdown("## Plan"), looks_like_markdown("A plan.")
        (True, False)
    """
    return _MARKS.search(text) is not None


class _MarkdownChecker(msgspec.Struct, gc=False, eq=False):
    """Works line by line; keeps the line being written, the header it may follow, and the fence."""

    patient: ClassVar[bool] = True  # before the end it has warnings only

    fence: str = ""
    infos: list[str] | None = None  # of its fences, if they are wanted
    rows: int = 0
    _fence_at: int = 0
    _line: str = ""  # of the line being written, at most _LINE + 1 characters
    _line_at: int = 0
    _previous: str = ""  # the line before, if it may be a table's header
    _cells: int = 0  # of the header of the table we are in

    def feed(self, text: str, start: int) -> list[GuardrailViolation] | None:
        end = text.rfind("\n") + 1
        if not end:
            if not self._line:
                self._line_at = start
            if len(self._line) <= _LINE:
                self._line = (self._line + text)[: _LINE + 1]
            return None
        first_at = self._line_at if self._line else start
        block = self._line + text[:end] if self._line else text[:end]
        shift = start + end - len(block)
        self._line = text[end:][: _LINE + 1]
        self._line_at = start + end
        if self.fence:
            if self.fence[:3] not in block:
                return None
        elif not (
            self._cells or self._previous or "|" in block or "```" in block or "~~~" in block
        ):
            return None
        found: list[GuardrailViolation] = []
        pos = 0
        while (pos := self._next_line(block, pos)) < len(block):
            stop = block.index("\n", pos) + 1
            self._take_line(block[pos:stop], shift + pos if pos else first_at, found)
            pos = stop
        return found or None

    def finish(self, _state: JudgedState | None) -> list[GuardrailViolation]:
        found: list[GuardrailViolation] = []
        if self._line:
            self._take_line(self._line, self._line_at, found)
            self._line = ""
        if self.fence:
            message = f"Code fence {self.fence[:10]} is not closed"
            found.append(GuardrailViolation("markdown", message, position=self._fence_at))
        return found

    def _next_line(self, block: str, pos: int) -> int:
        """Where the next line begins that matters, from the beginning of a line on; or the end."""
        if self._cells or self._previous:
            return pos
        mark = next_mark(block, pos, self.fence)
        if not self.fence and (pipe := block.find("|", pos, mark)) >= 0:
            mark = pipe
        return max(pos, block.rfind("\n", pos, mark) + 1)

    def _take_line(self, line: str, position: int, found: list[GuardrailViolation]) -> None:
        if self.fence:
            if closes_fence(line, self.fence):
                self.fence = ""
            return
        previous, self._previous = self._previous, ""
        if ("```" in line or "~~~" in line) and (fence := opening_fence(line)):
            self.fence = fence
            self._fence_at = position
            self._cells = 0
            if self.infos is not None:
                self.infos.append(line.strip(" \t\r\n`~")[:100])
            return
        cells = table_cells(line) if "|" in line and len(line) <= _LINE else 0
        if not cells:
            self._cells = 0
        elif self._cells:
            self.rows += 1
            if cells != self._cells:
                message = f"Table row has {_cells(cells)}, its header has {self._cells}"
                found.append(
                    GuardrailViolation("markdown", message, Severity.WARNING, position=position)
                )
        elif previous and _DELIMITER.fullmatch(line.strip()) and table_cells(previous) == cells:
            self._cells = cells
        else:
            self._previous = line


def table_cells(line: str) -> int:
    """The cells of a table row; 0 if no pipe divides it.

    Escaped pipes and pipes in code spans do not count.
    """
    row = line.strip()
    if "\\" in row:
        row = row.replace("\\\\", "xx").replace("\\|", "xx")
    if "`" in row:
        row = blank_code_spans(row)
    pipes = row.count("|")
    return pipes + 1 - row.startswith("|") - (row.endswith("|") and len(row) > 1) if pipes else 0


def _cells(count: int) -> str:
    return f"{count} cells" if count != 1 else "1 cell"
