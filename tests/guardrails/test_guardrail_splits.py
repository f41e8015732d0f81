"""However a text comes, rules and detectors find the same."""

import re

import pytest
from guardrail_helpers import cut_texts, drifts, every, pieces, texts, told
from hypothesis import given, settings

from l0.guardrails import (
    DriftConfig,
    GuardrailContext,
    check_guardrails,
    custom_pattern_rule,
    json_rule,
    latex_rule,
    markdown_rule,
    pattern_rule,
    repetition_rule,
    strict_guardrails,
    strict_json_rule,
    zero_output_rule,
)

RULES = {
    "json": json_rule,
    "json expected": lambda: json_rule(expect=True),
    "strict_json": strict_json_rule,
    "strict_json if claimed": lambda: strict_json_rule(expect=False),
    "markdown": markdown_rule,
    "latex": latex_rule,
    "pattern": pattern_rule,
    "pattern of the caller": lambda: pattern_rule(["the same", r"s\w+t", re.compile("[0-9]{3}")]),
    "custom word": lambda: custom_pattern_rule(r"\bsecret\b"),
    "custom short": lambda: custom_pattern_rule([r"o[nf]( \w)?", r"(?<=an )ai", "a$", "^the"]),
    "custom unbounded": lambda: custom_pattern_rule(r"s\w+t|\d+(?!\d*e)|x.*x", max_match=50),
    "custom long": lambda: custom_pattern_rule(r"(?s)the.{0,300}on|a.*z$", max_match=400),
    "zero_output": zero_output_rule,
    "repetition": repetition_rule,
    "repetition least": lambda: repetition_rule(17, 0.1),
    "repetition small": lambda: repetition_rule(40, 0.3, sentence_repeat_count=2),
}
KINDS = (
    "tone_shift",
    "meta_commentary",
    "repetition",
    "entropy_spike",
    "format_collapse",
    "markdown_collapse",
    "hedging",
)
OFF = {f"detect_{kind}": False for kind in KINDS}


@pytest.mark.parametrize("name", RULES)
def test_s82_any_split_gives_a_rule_the_same_findings(name):
    """A rule finds the same in one piece, in any pieces, and character by character."""

    @settings(max_examples=40, deadline=None)
    @given(cut_texts())
    def check(sample):
        text, cuts = sample
        whole = told([RULES[name]()], [text])
        assert told([RULES[name]()], pieces(text, cuts)) == whole
        assert told([RULES[name]()], every(text, 1)) == whole

    check()


@settings(max_examples=40, deadline=None)
@given(cut_texts())
def test_s82_any_split_gives_the_strict_set_the_same_findings(sample):
    """All rules together, in five tokenisations and checked every 1, 5 and 10 tokens."""
    text, cuts = sample
    whole = told(strict_guardrails(), [text])
    for tokens in (pieces(text, cuts), every(text, 1), every(text, 3), every(text, 7)):
        for interval in (1, 5, 10):
            checks = ["".join(tokens[at : at + interval]) for at in range(0, len(tokens), interval)]
            assert told(strict_guardrails(), checks) == whole


@pytest.mark.parametrize("kind", KINDS)
def test_s82_any_split_gives_a_detector_the_same_kind(kind):
    """A detector alone, with windows small enough to be reached often."""
    config = DriftConfig(
        **{**OFF, f"detect_{kind}": True}, sliding_window_size=120, entropy_window=16
    )

    @settings(max_examples=40, deadline=None)
    @given(cut_texts())
    def check(sample):
        text, cuts = sample
        whole = drifts([text], config)
        assert whole <= {kind}
        assert drifts(pieces(text, cuts), config) == whole
        assert drifts(every(text, 1), config) == whole

    check()


@settings(max_examples=40, deadline=None)
@given(cut_texts())
def test_s82_any_split_gives_all_detectors_the_same_kinds(sample):
    """All detectors with their defaults, checked every 1, 5 and 10 tokens."""
    text, cuts = sample
    whole = drifts([text])
    for tokens in (pieces(text, cuts), every(text, 1), every(text, 4)):
        for interval in (1, 5, 10):
            checks = ["".join(tokens[at : at + interval]) for at in range(0, len(tokens), interval)]
            assert drifts(checks) == whole


@settings(max_examples=40, deadline=None)
@given(texts)
def test_text_reached_piece_by_piece_is_judged_as_the_whole_is(text):
    """`rule.check(state)` of an incremental rule agrees with the engine."""
    rules = [rule for rule in strict_guardrails() if rule.name != "stall"]
    context = GuardrailContext(text, completed=True)
    direct = {(v.rule, v.position, v.message) for v in check_guardrails(context, rules)}
    assert direct == told(rules, every(text, 5))
