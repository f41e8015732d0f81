"""The zero-output rule: an answer must have something in it."""

from __future__ import annotations

import re
import unicodedata

import msgspec

from l0.events import GuardrailViolation
from l0.guardrails._rule import SETTLED, Found, GuardrailRule, JudgedState

_WORD = re.compile(r"[^\W_]")
_EMPTY_DOCUMENTS = ("{}", "[]")


def zero_output_rule() -> GuardrailRule:
    """At completion, there must be text: more than blanks, control characters and punctuation.

    `{}` and `[]` are output, and so are a digit, an emoji or `no`; an attempt with tool calls, data
    or messages is not judged.

    Example:
        >>> from l0.guardrails import GuardrailContext
        >>> [found.message for found in zero_output_rule().check(GuardrailContext(" ...", True))]
        ['No output: only punctuation']
    """
    return GuardrailRule(
        "zero_output",
        start=_ZeroOutputChecker,
        description="The answer has something in it",
    )


def is_zero_output(text: str) -> bool:
    r"""Whether the text is nothing but blanks, control characters and punctuation.

    Example:
        >>> is_zero_output(" \n"), is_zero_output("0"), is_zero_output("{}")
        (True, False, False)
    """
    if _WORD.search(text):  # for the most part
        return False
    checker = _ZeroOutputChecker()
    return checker.feed(text, 0) is None and checker.missing()


class _ZeroOutputChecker(msgspec.Struct, gc=False, eq=False):
    """Keeps the first punctuation until something real has come."""

    _real: bool = False
    _seen: str = ""

    def feed(self, text: str, _start: int) -> Found | None:
        if _WORD.search(text):
            self._real = True
            return SETTLED
        for char in text:
            kind = unicodedata.category(char)
            if char.isspace() or kind in {"Cc", "Cf"}:
                continue
            if kind[0] != "P":
                self._real = True
                return SETTLED
            if len(self._seen) < 3:
                self._seen += char
        return None

    def missing(self) -> bool:
        """Whether nothing real has come."""
        return not self._real and self._seen not in _EMPTY_DOCUMENTS

    def finish(self, state: JudgedState) -> Found | None:
        if not self.missing():
            return None
        if state.tool_calls or state.data_outputs or getattr(state, "messages", None):
            return None
        what = "only punctuation" if self._seen else "the answer is empty"
        return [GuardrailViolation("zero_output", f"No output: {what}")]
