"""Tells fenced code from prose while the text is still being written.

A fence opens with at least three backticks or tildes, indented at most three blanks (a backtick
fence has no backtick in its info), and closes with the same character, at least as long and with
nothing after it. Only the first 1,000 characters of a line are looked at for that.
"""

from __future__ import annotations

import re

PROSE, CODE, OPEN, CLOSE = range(4)
Piece = tuple[int, int, str]
"""What it is, the offset, the text; OPEN and CLOSE are the fence lines themselves."""

_LINE = 1000
_TICKS = re.compile("`+")
_OPENER = re.compile(r" {0,3}(`{3,}|~{3,})")
_MAY_OPEN = re.compile(r" {0,3}(?:`{0,2}|~{0,2})")


def opening_fence(line: str) -> str:
    """The run of backticks or tildes that this line opens a fence with, or nothing."""
    found = _OPENER.match(line)
    if found is None:
        return ""
    run = found[1]
    return "" if run[0] == "`" and "`" in line[found.end() : _LINE] else run


def closes_fence(line: str, fence: str) -> bool:
    """Whether this line closes a fence that was opened with that run."""
    line = line.rstrip(" \t\r\n") if len(line) < _LINE else ""
    body = line.lstrip(" ")
    return len(line) - len(body) <= 3 and len(body) >= len(fence) and not body.strip(fence[0])


def blank_code_spans(line: str) -> str:
    """The line with each code span (backticks, text, as many backticks) overwritten with x."""
    runs = [found.span() for found in _TICKS.finditer(line)]
    last = {stop - start: index for index, (start, stop) in enumerate(runs)}
    parts: list[str] = []
    done = index = 0
    while index < len(runs):
        start, stop = runs[index]
        index += 1
        if last[stop - start] < index:
            continue  # none of its length follows: these are just backticks
        while runs[index][1] - runs[index][0] != stop - start:
            index += 1
        end = runs[index][1]
        parts += line[done:start], "x" * (end - start)
        done = end
        index += 1
    return "".join([*parts, line[done:]]) if parts else line


class FenceSplitter:
    """Cuts text, as it comes, into prose, code and fence lines; holds back what is undecided."""

    __slots__ = ("_held", "_line_start", "fence")

    def __init__(self) -> None:
        self.fence = ""
        """The run that opened the fence we are in; empty outside."""
        self._held = ""
        self._line_start = True

    def is_prose(self, text: str) -> bool:
        """Whether the next text is all prose, decided to its end; if so, it counts as fed."""
        if self.fence or self._held or "```" in text or "~~~" in text:
            return False
        last = text.rfind("\n") + 1
        if last or self._line_start:
            tail = text[last:]
            if len(tail) < 6 and _MAY_OPEN.fullmatch(tail):
                return False
            self._line_start = False
        return True

    def feed(self, text: str, start: int) -> list[Piece]:
        """The decided pieces, in order; `start` is the offset of `text`."""
        if self._held:
            start -= len(self._held)
            text = self._held + text
            self._held = ""
        fence = self.fence
        if fence[:3] in text if fence else "```" in text or "~~~" in text:
            return self._by_line(text, start)
        # No fence line is whole in here; the last line may still become one.
        last = text.rfind("\n") + 1
        if last or self._line_start:
            tail = text[last:]
            self._line_start = len(tail) < 6 and _MAY_OPEN.fullmatch(tail) is not None
            if self._line_start:
                self._held = tail
                text = text[:last]
        return [(CODE if fence else PROSE, start, text)] if text else []

    def finish(self, end: int) -> list[Piece]:
        """The pieces held back, now that the text has ended at offset `end`."""
        held, self._held = self._held, ""
        return self._by_line(held, end - len(held), ended=True) if held else []

    def _by_line(self, text: str, start: int, *, ended: bool = False) -> list[Piece]:
        pieces: list[Piece] = []
        pos = run = 0
        size = len(text)
        fresh = self._line_start
        while pos < size:
            # Lines without a mark are passed over together; the last one may still get one.
            if (begin := text.rfind("\n", pos, self._mark(text, pos)) + 1) > pos:
                pos, fresh = begin, True
                if pos == size:
                    break
            newline = text.find("\n", pos)
            stop = newline + 1 or size
            if fresh:
                line_end = min(stop, pos + _LINE)
                whole = newline >= 0 or ended or line_end - pos == _LINE
                verdict = self._is_fence(text[pos:line_end], whole=whole)
                if verdict is None:
                    break
                if verdict:
                    if run < pos:
                        pieces.append((CODE if self.fence else PROSE, start + run, text[run:pos]))
                    line = text[pos:line_end]
                    pieces.append((CLOSE if self.fence else OPEN, start + pos, line))
                    self.fence = "" if self.fence else opening_fence(line)
                    run = pos = line_end
                    fresh = newline >= 0 and pos == stop
                    continue
            pos = stop
            fresh = newline >= 0
        if run < pos:
            pieces.append((CODE if self.fence else PROSE, start + run, text[run:pos]))
        self._held = text[pos:]
        self._line_start = fresh
        return pieces

    def _mark(self, text: str, pos: int) -> int:
        """Where the next line that may be a fence has its mark; the end of the text if none has."""
        if self.fence:
            found = text.find(self.fence[:3], pos)
            return found if found >= 0 else len(text)
        ticks, tildes = text.find("```", pos), text.find("~~~", pos)
        if ticks < 0 or tildes < 0:
            return max(ticks, tildes) if ticks >= 0 or tildes >= 0 else len(text)
        return min(ticks, tildes)

    def _is_fence(self, line: str, *, whole: bool) -> bool | None:
        """Whether it is a fence line; None while the rest of the line may change that."""
        if self.fence:
            if whole:
                return closes_fence(line, self.fence)
            body = line.lstrip(" ")
            if len(line) - len(body) > 3 or body.rstrip(" \t\r").strip(self.fence[0]):
                return False
            return None
        if whole or _OPENER.match(line):
            run = opening_fence(line)
            return bool(run) if whole or not run else None
        return None if _MAY_OPEN.fullmatch(line) else False
