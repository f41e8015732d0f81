"""A rule is a value: checked when built, shared by any number of runs."""

import pytest

from l0.events import GuardrailViolation, Severity
from l0.guardrails import GuardrailContext, GuardrailRule, check_guardrails, json_rule


class Shouts:
    """Finds each `!`, as an incremental checker."""

    def feed(self, text, start):
        return [
            GuardrailViolation("shouts", "!", position=start + at)
            for at, char in enumerate(text)
            if char == "!"
        ]

    def finish(self, state):
        return ["no shout"] if "!" not in state.content else None


@pytest.mark.parametrize(
    ("fields", "named"),
    [
        ({"name": "", "check": list}, "name"),
        ({"name": None, "check": list}, "name"),
        ({"name": "x"}, "check"),
        ({"name": "x", "check": 7}, "check"),
        ({"name": "x", "start": 7}, "start"),
        ({"name": "x", "check": list, "severity": "bad"}, "severity"),
    ],
)
def test_a_bad_field_is_named_when_the_rule_is_built(fields, named):
    """The error says which field, before any run."""
    with pytest.raises(ValueError, match=f"^{named}: "):
        GuardrailRule(**fields)


def test_a_rule_is_frozen_and_changed_by_replace():
    """Fields can't be set; `replace` gives another rule, with its own whole-text check."""
    rule = GuardrailRule("a", lambda state: [], severity="fatal")
    assert rule.severity is Severity.FATAL
    with pytest.raises(AttributeError):
        rule.name = "b"
    assert rule.replace(name="b", streaming=False).name == "b"
    assert rule.name == "a"
    changed = json_rule().replace(start=Shouts)
    assert [found.message for found in changed.check(GuardrailContext("{]!"))] == ["!"]


def test_the_check_of_an_incremental_rule_reads_the_whole_text_anew():
    """Each call runs a fresh checker, finishing it only if the text is complete."""
    rule = GuardrailRule("shouts", start=Shouts)
    for _ in range(2):
        assert [found.position for found in rule.check(GuardrailContext("a!b!"))] == [1, 3]
    assert rule.check(GuardrailContext("ab")) == []
    assert rule.check(GuardrailContext("ab", completed=True)) == ["no shout"]


def test_a_message_becomes_a_violation_of_the_rules_kind():
    """A check may give plain messages; the rule says how bad they are."""
    rule = GuardrailRule("mine", lambda state: ["bad"], severity="warning", recoverable=False)
    (found,) = check_guardrails(GuardrailContext("x"), [rule])
    assert found == GuardrailViolation("mine", "bad", Severity.WARNING, recoverable=False)


def test_a_rule_that_is_not_recoverable_makes_its_violations_so():
    """The field of the rule holds for violations that don't say it themselves."""
    rule = GuardrailRule("mine", lambda state: [GuardrailViolation("mine", "x")], recoverable=False)
    (found,) = check_guardrails(GuardrailContext("x"), [rule])
    assert not found.recoverable
