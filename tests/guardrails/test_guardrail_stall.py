"""The stall rule reports waits that were too long."""

import time
from types import SimpleNamespace

import pytest

from l0.events import Severity
from l0.guardrails import GuardrailContext, GuardrailEngine, stall_rule


def test_a_wait_is_told_once_with_the_next_check():
    """At the offset where it happened; shorter waits are not."""
    engine = GuardrailEngine([stall_rule(2.0)])
    state = GuardrailContext("abc")
    engine.gap(2.0, 1)
    assert engine.feed("abc", state) == []
    engine.gap(2.5, 3)
    engine.gap(7.25, 3)
    found = engine.feed("d", state)
    assert [(v.message, v.position, v.severity) for v in found] == [
        ("Nothing came for 2.5 s", 3, Severity.WARNING),
        ("Nothing came for 7.2 s", 3, Severity.WARNING),
    ]
    assert engine.feed("e", state) == []


def test_a_last_wait_is_told_at_completion():
    """Also when no text follows."""
    engine = GuardrailEngine([stall_rule()])
    engine.gap(6.0, 0)
    found = engine.finish(GuardrailContext("", completed=True))
    assert [v.position for v in found] == [0]
    assert engine.acts(found) == "continue"


def test_without_a_run_the_last_token_is_compared_with_now():
    """The stateless form, for states that know when their last token came."""

    def state(**fields):
        return SimpleNamespace(content="abc", content_length=3, completed=False, **fields)

    rule = stall_rule(5.0)
    assert rule.check(state(last_token_at=None)) == []
    assert rule.check(state(last_token_at=time.time())) == []
    (found,) = rule.check(state(last_token_at=time.time() - 60))
    assert found.position == 3


@pytest.mark.parametrize("gap", [0, -1, float("nan"), "5", None])
def test_the_gap_is_positive(gap):
    """In seconds."""
    with pytest.raises(ValueError, match="max_gap"):
        stall_rule(gap)
