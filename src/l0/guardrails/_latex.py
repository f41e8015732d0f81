"""The LaTeX rule: environments and display math close, in text that has any."""

from __future__ import annotations

import re
from collections import Counter

import msgspec

from l0.events import GuardrailViolation
from l0.guardrails._fence import PROSE, FenceSplitter, Piece, blank_code_spans
from l0.guardrails._rule import GuardrailRule, JudgedState

_LINE = 10_000  # longer lines are read in parts of at most this length, cut at a blank
_VERBATIM = frozenset({"verbatim", "verbatim*", "Verbatim", "lstlisting", "minted"})
_TOKEN = re.compile(
    r"\\(?P<side>begin|end)[ \t]*\{(?P<name>[^{}\n]{1,100})\}"
    r"|\\(?P<bracket>[\[\]()])|\\(?P<command>[A-Za-z]+)|\\.|(?P<dollars>\$+)",
    re.DOTALL,
)
_OPENER_OF = {"]": "[", ")": "("}


def latex_rule() -> GuardrailRule:
    r"""Environments, `\[`, `\(` and `$$` must close; an `\end` must match its `\begin`.

    Judges only text that has LaTeX in it, outside code; a single `$` is a price.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> found = latex_rule().check(GuardrailContext(r"\begin{align} x", True))
        >>> [violation.message for violation in found]
        ['\\begin{align} is not closed']
    """
    return GuardrailRule(
        "latex",
        start=_LatexChecker,
        description="LaTeX environments and display math close",
    )


class LatexStructure(msgspec.Struct, frozen=True):
    """What LaTeX a text has: environments still open (outermost first), what is wrong."""

    has_latex: bool
    is_balanced: bool
    open_environments: tuple[str, ...]
    issues: tuple[str, ...]


def analyze_latex_structure(text: str) -> LatexStructure:
    r"""Read the whole text as LaTeX and say what is open in it.

    Example:
        >>> analyze_latex_structure(r"\begin{align} \begin{cases}").open_environments
        ('align', 'cases')
    """
    checker = _LatexChecker()
    found = [*(checker.feed(text, 0) or ()), *checker.finish(None)]
    return LatexStructure(
        has_latex=checker.judged,
        is_balanced=not found,
        open_environments=tuple(name for name, _ in checker.environments),
        issues=tuple(violation.message for violation in found),
    )


def looks_like_latex(text: str) -> bool:
    r"""Whether there is an environment, `\[`, `\(`, or a `$$` block with a command, outside code.

    Example:
        >>> looks_like_latex(r"so \(x^2\)"), looks_like_latex("$5 or $$")
        (True, False)
    """
    return analyze_latex_structure(text).has_latex


class _LatexChecker:
    """Reads prose line by line; keeps what is open, with its offset."""

    __slots__ = (
        "_dollars_at",
        "_end",
        "_fences",
        "_line",
        "_line_at",
        "_math",
        "_open_names",
        "_verbatim",
        "environments",
        "judged",
    )

    def __init__(self) -> None:
        self.judged = False
        self.environments: list[tuple[str, int]] = []
        self._open_names: Counter[str] = Counter()
        self._math: dict[str, list[int]] = {"[": [], "(": []}
        self._dollars_at: int | None = None
        self._verbatim = ""
        self._fences = FenceSplitter()
        self._line = ""
        self._line_at = 0
        self._end = 0

    def feed(self, text: str, start: int) -> list[GuardrailViolation] | None:
        self._end = start + len(text)
        found: list[GuardrailViolation] = []
        self._take(self._fences.feed(text, start), found)
        return found or None

    def finish(self, _state: JudgedState | None) -> list[GuardrailViolation]:
        found: list[GuardrailViolation] = []
        self._take(self._fences.finish(self._end), found)
        self._read(self._line, self._line_at, found)
        self._line = ""
        if not self.judged:
            return []
        still_open = [(f"\\begin{{{name}}}", position) for name, position in self.environments]
        still_open += [("\\" + opener, at) for opener in "[(" for at in self._math[opener]]
        if self._dollars_at is not None:
            still_open.append(("$$", self._dollars_at))
        return found + [_violation(f"{opener} is not closed", at) for opener, at in still_open]

    def _take(self, pieces: list[Piece], found: list[GuardrailViolation]) -> None:
        for kind, start, text in pieces:
            if kind == PROSE:
                self._take_prose(text, start, found)

    def _take_prose(self, text: str, start: int, found: list[GuardrailViolation]) -> None:
        if self._line:
            start = self._line_at
            text = self._line + text
        pos, size = 0, len(text)
        while pos < size:
            stop = text.find("\n", pos, pos + _LINE) + 1
            if not stop:
                if size - pos < _LINE:
                    break
                stop = text.rfind(" ", pos + _LINE - 1000, pos + _LINE) + 1 or pos + _LINE
            self._read(text[pos:stop], start + pos, found)
            pos = stop
        self._line = text[pos:]
        self._line_at = start + pos

    def _read(self, line: str, start: int, found: list[GuardrailViolation]) -> None:
        if "\\" not in line and "$$" not in line:
            return
        for token in _TOKEN.finditer(blank_code_spans(line) if "`" in line else line):
            if token["side"]:
                self._take_environment(token["side"], token["name"], start + token.start(), found)
            elif self._verbatim:
                continue
            elif bracket := token["bracket"]:
                if bracket in self._math:
                    self.judged = True
                    self._math[bracket].append(start + token.start())
                elif opened := self._math[_OPENER_OF[bracket]]:
                    opened.pop()
            elif token["dollars"] == "$$":
                opens = self._dollars_at is None
                self._dollars_at = start + token.start() if opens else None
            elif token["command"] and self._dollars_at is not None:
                self.judged = True

    def _take_environment(
        self, side: str, name: str, position: int, found: list[GuardrailViolation]
    ) -> None:
        if self._verbatim:
            if side == "begin" or name != self._verbatim:
                return
            self._verbatim = ""
        self.judged = True
        if side == "begin":
            self.environments.append((name, position))
            self._open_names[name] += 1
            self._verbatim = name if name in _VERBATIM else ""
            return
        if not self._open_names[name]:
            found.append(_violation(f"\\end{{{name}}} was not opened", position))
            return
        innermost = self.environments[-1][0]
        if innermost != name:
            message = f"\\end{{{name}}} does not match \\begin{{{innermost}}}"
            found.append(_violation(message, position))
        closed = ""
        while closed != name:
            closed, _ = self.environments.pop()
            self._open_names[closed] -= 1


def _violation(message: str, position: int) -> GuardrailViolation:
    return GuardrailViolation("latex", message, position=position)
