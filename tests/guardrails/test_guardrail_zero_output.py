"""The zero-output rule: an answer has something in it."""

from types import SimpleNamespace

import pytest
from guardrail_helpers import every, judged

from l0.guardrails import GuardrailContext, is_zero_output, zero_output_rule


@pytest.mark.parametrize(
    "text",
    [
        *(
            "{}",
            "[]",
            " { } ",
            "[\n]",
            "0",
            "no",
            "\U0001f600",
            "hahaha",
            "ok.",
            "…a",
            "中",
            "é",
            "+",
        ),
        *("x" * 9, "\n\n.\n1", "...!?...a", "$", "\u200b\u200ba"),
    ],
)
def test_s55_anything_real_is_output(text):
    """An empty document, a digit, a word, a lone emoji."""
    assert not is_zero_output(text)
    for size in (1, 2, 99):
        assert judged([zero_output_rule()], every(text, size)) == []


@pytest.mark.parametrize(
    "text",
    [
        *("", " ", "\n\t\r ", "...", " . ! ? ", "\u200b\ufeff\u2060", "\x00\x07", "“”", "。、"),
        *("{]", "{}{}", "[[]]", "---", "\u00a0\u3000", "_", "- - -", "\u2026"),
    ],
)
def test_s55_blanks_and_punctuation_are_zero_output(text):
    """Also control and format characters."""
    assert is_zero_output(text)
    for size in (1, 2, 99):
        (violation,) = judged([zero_output_rule()], every(text, size))
        assert violation.recoverable
        assert violation.position is None
    assert judged([zero_output_rule()], [text], finish=False) == []


@pytest.mark.parametrize("field", ["tool_calls", "data_outputs", "messages"])
def test_s55_a_tool_call_data_or_a_message_is_output(field):
    """The rule does not judge such an attempt."""
    nothing = {"tool_calls": [], "data_outputs": [], "messages": []}
    state = SimpleNamespace(content="", completed=True, **{**nothing, field: ["something"]})
    assert zero_output_rule().check(state) == []
    state = SimpleNamespace(content="", completed=True, tool_calls=[], data_outputs=[])
    assert len(zero_output_rule().check(state)) == 1


def test_the_message_says_what_was_missing():
    """Nothing at all, or only punctuation."""
    messages = [
        zero_output_rule().check(GuardrailContext(text, completed=True))[0].message
        for text in ("", "...")
    ]
    assert messages == ["No output: the answer is empty", "No output: only punctuation"]
