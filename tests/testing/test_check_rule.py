"""The check that a rule keeps the contract: it passes ours, and names what is wrong with others."""

from __future__ import annotations

import re

import pytest

from l0.events import GuardrailViolation
from l0.guardrails import GuardrailRule, custom_pattern_rule, strict_guardrails
from l0.testing import check_rule


@pytest.mark.parametrize("rule", strict_guardrails(), ids=lambda rule: rule.name)
def test_the_built_in_rules_keep_the_contract(rule):
    found = check_rule(rule, ['{"a": [}', "secret"], growth=False)
    assert set(found) >= {'{"a": [}', "secret", ""}


def test_what_was_found_is_given_by_text():
    found = check_rule(custom_pattern_rule(["se[ck]ret"]), ["a secret, a sekret", "none"])
    assert [v.position for v in found["a secret, a sekret"]] == [2, 12]
    assert found["none"] == []


class Hasty:
    """Looks at each piece alone."""

    def feed(self, text, start):
        return [
            GuardrailViolation("hasty", "found", position=start + m.start())
            for m in re.finditer("nothing", text)
        ]

    def finish(self, state):
        return None


class Shared:
    """Remembers text in the rule rather than in the checker."""

    seen = ""

    def feed(self, text, start):
        Shared.seen += text

    def finish(self, state):
        told, Shared.seen = Shared.seen, ""
        return [f"{len(told)} characters"]


def test_a_rule_that_depends_on_how_the_text_is_cut_is_found():
    with pytest.raises(AssertionError, match="no later text can change it"):
        check_rule(GuardrailRule("hasty", start=Hasty), growth=False)


def test_a_rule_that_remembers_in_its_object_is_found():
    with pytest.raises(AssertionError, match="belongs into the checker"):
        check_rule(GuardrailRule("shared", start=Shared), growth=False)


def test_a_position_outside_the_text_is_found():
    rule = GuardrailRule("far", lambda state: [GuardrailViolation("far", "x", position=10**6)])
    with pytest.raises(AssertionError, match="lies outside"):
        check_rule(rule, growth=False)


def test_a_rule_that_raises_is_found():
    def check(state):
        raise KeyError("odd")

    with pytest.raises(AssertionError, match="rule failed"):
        check_rule(GuardrailRule("odd", check), growth=False)


def test_a_rule_that_reads_the_whole_text_each_time_is_found():
    rule = GuardrailRule(
        "whole", lambda state: ["no"] * bool(re.search("never there", state.content))
    )
    assert check_rule(rule, ["never there"], growth=False)["never there"]
    with pytest.raises(AssertionError, match="fed only what is new"):
        check_rule(rule)


def test_a_rule_that_is_only_true_of_the_end_is_judged_at_the_end():
    check_rule(
        GuardrailRule("must", lambda state: ["no X"] * ("X" not in state.content)), growth=False
    )


def test_what_is_no_rule_is_refused():
    with pytest.raises(TypeError, match="wrap your check"):
        check_rule(lambda state: [])
