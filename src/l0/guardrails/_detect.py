"""One-shot looks at a finished text, for use without a stream."""

from __future__ import annotations

import re
from collections import Counter

from l0.events import GuardrailViolation, Severity
from l0.guardrails._patterns import phrase_set
from l0.guardrails._phrases import CATEGORIES

_SENTENCE = re.compile("[^.!?\n\u3002\uff01\uff1f]+")
_PARAGRAPH = 100  # characters from which first and last paragraph are compared


def detect_meta_commentary(text: str) -> list[GuardrailViolation]:
    """The model speaks of itself ("as an AI"): an error each.

    Example:
        >>> [found.position for found in detect_meta_commentary("Well, as an AI, yes.")]
        [6]
    """
    return _phrases(text, "META_COMMENTARY", Severity.ERROR)


def detect_excessive_hedging(text: str) -> list[GuardrailViolation]:
    """The first line hedges ("it is important to note"): a warning each.

    Example:
        >>> len(detect_excessive_hedging("Generally speaking, yes."))
        1
    """
    return _phrases(_first_lines(text, 1), "HEDGING", Severity.WARNING)


def detect_refusal(text: str) -> list[GuardrailViolation]:
    """The model declines: an error each, not recoverable, since asking again gives the same.

    Example:
        >>> detect_refusal("I cannot help with that.")[0].recoverable
        False
    """
    return _phrases(text, "REFUSAL", Severity.ERROR, recoverable=False)


def detect_instruction_leakage(text: str) -> list[GuardrailViolation]:
    """Parts of a prompt or a chat template came out: an error each.

    Example:
        >>> len(detect_instruction_leakage("<|im_start|>user"))
        1
    """
    return _phrases(text, "INSTRUCTION_LEAK", Severity.ERROR)


def detect_placeholders(text: str) -> list[GuardrailViolation]:
    """Something was left to fill in ("[your name]"): an error each.

    Example:
        >>> len(detect_placeholders("Dear [your name],"))
        1
    """
    return _phrases(text, "PLACEHOLDERS", Severity.ERROR)


def detect_format_collapse(text: str) -> list[GuardrailViolation]:
    r"""The first three lines announce the answer ("here is the JSON"): a warning each.

    Example:
        >>> len(detect_format_collapse("Here is the JSON:\n{}"))
        1
    """
    return _phrases(_first_lines(text, 3), "FORMAT_COLLAPSE", Severity.WARNING)


def detect_repetition(text: str, threshold: int = 2) -> list[GuardrailViolation]:
    """Sentences of more than 20 characters that come more than `threshold` times: an error each.

    Example:
        >>> len(detect_repetition("The same old story goes on. " * 3))
        1
    """
    if threshold < 1:
        raise ValueError(f"threshold: give at least 1, not {threshold!r}")
    seen: Counter[str] = Counter()
    found: list[GuardrailViolation] = []
    for sentence in _SENTENCE.finditer(text):
        key = " ".join(sentence[0].casefold().split())
        if len(key) <= 20:
            continue
        seen[key] += 1
        if seen[key] == threshold + 1:
            position = sentence.end() - len(sentence[0].lstrip())
            message = f"Sentence repeated: {key[:60]}"
            found.append(GuardrailViolation("repetition", message, position=position))
    return found


def detect_first_last_duplicate(text: str) -> list[GuardrailViolation]:
    r"""The last paragraph is the first again (from 100 characters on): an error.

    Example:
        >>> story = "Once upon a time there was a river that ran backwards. " * 2
        >>> len(detect_first_last_duplicate(f"{story}\n\nThe end?\n\n{story}"))
        1
    """
    paragraphs = [part.strip() for part in text.strip().split("\n\n") if part.strip()]
    if len(paragraphs) < 2 or len(paragraphs[0]) < _PARAGRAPH or paragraphs[0] != paragraphs[-1]:
        return []
    return [
        GuardrailViolation(
            "first_last_duplicate",
            "The last paragraph repeats the first",
            position=text.rindex(paragraphs[-1]),
        )
    ]


def _phrases(
    text: str, category: str, severity: Severity, *, recoverable: bool = True
) -> list[GuardrailViolation]:
    name = category.lower()
    return [
        GuardrailViolation(name, f"Found: {phrase}", severity, recoverable, start)
        for phrase, start, _ in phrase_set(CATEGORIES[category]).find(text)
    ]


def _first_lines(text: str, count: int) -> str:
    """The first lines that are not blank, with the blank ones between."""
    lines = text.splitlines(keepends=True)
    written = [index for index, line in enumerate(lines) if line.strip()]
    return "".join(lines[: written[:count][-1] + 1]) if written else ""
