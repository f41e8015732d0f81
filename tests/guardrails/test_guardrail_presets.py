"""The ready-made sets of rules, and the looks at finished texts."""

import pytest
from guardrail_helpers import PLAIN, every, told

from l0.events import Severity
from l0.guardrails import (
    Guardrails,
    detect_excessive_hedging,
    detect_first_last_duplicate,
    detect_format_collapse,
    detect_instruction_leakage,
    detect_meta_commentary,
    detect_placeholders,
    detect_refusal,
    detect_repetition,
    minimal_guardrails,
    recommended_guardrails,
    strict_guardrails,
)

STRICT = [
    *("json", "strict_json", "markdown", "latex", "pattern", "zero_output", "stall", "repetition"),
]


@pytest.mark.parametrize(
    ("preset", "names"),
    [
        (Guardrails.minimal, ["json", "zero_output"]),
        (Guardrails.recommended, ["json", "markdown", "pattern", "zero_output"]),
        (Guardrails.strict, STRICT),
        (Guardrails.json_only, ["json", "strict_json", "zero_output"]),
        (Guardrails.markdown_only, ["markdown", "zero_output"]),
        (Guardrails.latex_only, ["latex", "zero_output"]),
        (Guardrails.none, []),
        (minimal_guardrails, ["json", "zero_output"]),
        (recommended_guardrails, ["json", "markdown", "pattern", "zero_output"]),
        (strict_guardrails, STRICT),
    ],
)
def test_what_a_preset_holds(preset, names):
    """A new list each time, free to be changed."""
    assert [rule.name for rule in preset()] == names
    assert preset() is not preset()


@pytest.mark.parametrize("text", PLAIN)
def test_a_strict_preset_accepts_plain_answers(text):
    """Prose is not rejected for not being JSON; nor are good code, tables and documents."""
    assert told(strict_guardrails(), every(text, 4)) == set()


def test_only_json_only_asks_for_json():
    """There, prose is an error."""
    rules = {rule for rule, _, _ in told(Guardrails.json_only(), ["Hello there."])}
    assert rules == {"json", "strict_json"}
    assert told(Guardrails.json_only(), ['```json\n{"a": 1}\n```\n']) == set()
    assert {rule for rule, _, _ in told(Guardrails.json_only(), [""])} == {"zero_output"}


@pytest.mark.parametrize(
    ("detect", "text", "count", "severity", "recoverable"),
    [
        (detect_meta_commentary, "As an AI, I was trained.", 2, Severity.ERROR, True),
        (detect_refusal, "I cannot. I'm sorry but no.", 2, Severity.ERROR, False),
        (detect_instruction_leakage, "<|im_end|> [INST]", 2, Severity.ERROR, True),
        (detect_placeholders, "Dear [Name], {{x}}", 2, Severity.ERROR, True),
        (detect_excessive_hedging, "Unfortunately, no.\nUnfortunately.", 1, Severity.WARNING, True),
        (
            detect_format_collapse,
            "a\n\nHere is the code\nb\nend of output",
            1,
            Severity.WARNING,
            True,
        ),
        (detect_repetition, "The same old story it is. " * 4, 1, Severity.ERROR, True),
    ],
)
def test_a_finished_text_can_be_looked_at(detect, text, count, severity, recoverable):
    """Without a stream or a rule; hedging in the first line, format in the first three."""
    found = detect(text)
    assert [(v.severity, v.recoverable) for v in found] == [(severity, recoverable)] * count
    assert all(v.position is not None for v in found)
    assert detect("A plain sentence. Another one.") == []
    assert detect("") == []


def test_repetition_counts_more_than_the_threshold():
    """Sentences of more than 20 characters, of any number of words."""
    text = "Extraordinarily repetitive! "
    assert detect_repetition(text * 2) == []
    assert [v.position for v in detect_repetition(text * 3)] == [56]
    assert len(detect_repetition(text * 2, threshold=1)) == 1
    assert detect_repetition("Too short it is. " * 9) == []
    with pytest.raises(ValueError, match="threshold"):
        detect_repetition("", threshold=0)


def test_first_and_last_paragraph_may_not_be_the_same():
    """From 100 characters on."""
    paragraph = "Once upon a time there was a river. " * 3
    text = f"{paragraph}\n\nmiddle\n\n{paragraph}\n"
    (found,) = detect_first_last_duplicate(text)
    assert text[found.position :].startswith("Once")
    assert found.position > 100
    for fine in (paragraph, f"{paragraph}\n\nend", "short\n\nshort", ""):
        assert detect_first_last_duplicate(fine) == []
