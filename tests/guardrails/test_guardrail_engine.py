"""The engine runs the rules of one attempt and says what their findings mean."""

import logging

import pytest
from guardrail_helpers import every, judged

from l0.events import GuardrailViolation, Severity
from l0.guardrails import (
    SETTLED,
    GuardrailContext,
    GuardrailEngine,
    GuardrailRule,
    check_guardrails,
    check_guardrails_full,
    custom_pattern_rule,
    json_rule,
    markdown_rule,
    pattern_rule,
    recommended_guardrails,
    stall_rule,
    strict_json_rule,
    zero_output_rule,
)


def run(engine, parts, *, finish=True):
    """Feed the parts as the runtime does, until the engine says to stop; the actions taken."""
    text, actions = "", []
    for part in parts:
        text += part
        actions.append(engine.acts(engine.feed(part, GuardrailContext(text))))
        if actions[-1] != "continue":
            return actions
    if finish:
        state = GuardrailContext(text, completed=True)
        actions.append(engine.acts(engine.finish(state)))
    return actions


def saying(name="says", **fields):
    """A stateless rule that repeats what the text says after `!`."""
    severity = fields.pop("found", Severity.ERROR)
    recoverable = fields.pop("found_recoverable", True)

    def check(state):
        _, mark, said = state.content.partition("!")
        return [GuardrailViolation(name, said, severity, recoverable)] if mark else []

    return GuardrailRule(name, check, **fields)


class Broken:
    """A checker that breaks where it is told to."""

    def __init__(self, where="feed"):
        self.where = where

    def feed(self, text, start):
        if self.where == "feed":
            raise RuntimeError("no luck")

    def finish(self, state):
        if self.where == "finish":
            raise RuntimeError("no luck")

    def gap(self, seconds, position):
        if self.where == "gap":
            raise RuntimeError("no luck")


# --- what a finding means ----------------------------------------------------------------------


def test_s47_a_fatal_halts_at_the_check_that_finds_it():
    """A fatal at token 4 of 100: nothing after that check is judged, later rules don't run."""
    later = []
    rules = [
        saying(found=Severity.FATAL),
        GuardrailRule("later", lambda state: later.append(state.content) or []),
    ]
    engine = GuardrailEngine(rules)
    assert run(engine, ["a"] * 3 + ["!"] + ["b"] * 96) == ["continue"] * 3 + ["halt"]
    assert later == ["a", "aa", "aaa"]
    assert engine.has_fatal
    assert engine.should_halt
    assert engine.feed("more", GuardrailContext("aaa!more")) == []


def test_after_a_fatal_a_rule_that_is_added_is_not_run():
    """It would be fed the text that follows what halted the run, and that twice."""
    fed = []

    class Late:
        patient = True

        def feed(self, text, start):
            fed.append((start, text))

        def finish(self, state):
            fed.append(state.content)

    engine = GuardrailEngine([custom_pattern_rule("bad", "No", "fatal")])
    text = "bad " + "x" * 2000
    assert engine.acts(engine.feed(text, GuardrailContext(text))) == "halt"
    engine.add_rule(GuardrailRule("late", start=Late))
    engine.feed(" more", GuardrailContext(text + " more"))
    engine.finish(GuardrailContext(text + " more", completed=True))
    assert fed == []


def test_a_fatal_need_not_stop_the_other_rules():
    """With stop_on_fatal=False all rules run."""
    engine = GuardrailEngine([saying("a", found=Severity.FATAL), saying("b")], stop_on_fatal=False)
    assert [v.rule for v in engine.feed("!x", GuardrailContext("!x"))] == ["a", "b"]


def test_s48_a_recoverable_error_acts_at_completion():
    """Mid-stream it is only recorded."""
    engine = GuardrailEngine([saying()])
    assert run(engine, ["a", "!", "b"], finish=False) == ["continue"] * 3
    assert engine.has_errors
    assert engine.acts(engine.finish(GuardrailContext("a!b", completed=True))) == "fail"


def test_s49_warnings_never_act():
    """They are listed, and the attempt goes on to its end."""
    engine = GuardrailEngine([saying(found=Severity.WARNING), pattern_rule()])
    text = "As an AI, I cannot.!"
    assert run(engine, [text]) == ["continue", "continue"]
    assert len(engine.violations) == 3
    assert not engine.has_errors
    assert not engine.should_retry


def test_an_early_error_acts_at_once():
    """The findings of json, repetition and custom patterns are final."""
    assert run(GuardrailEngine([json_rule()]), ['{"a": [', "}", "rest"]) == ["continue", "fail"]
    rule = custom_pattern_rule("bad")
    assert run(GuardrailEngine([rule]), ["bad", " and more"]) == ["continue", "fail"]


def test_an_error_that_is_not_recoverable_stops_at_once():
    """Whether the violation or its rule says so."""
    assert run(GuardrailEngine([saying(found_recoverable=False)]), ["!"]) == ["stop"]
    assert run(GuardrailEngine([saying(recoverable=False)]), ["!"]) == ["stop"]


def test_for_a_stateless_rule_completion_counts_what_it_says_then():
    """A rule such as "must contain X" is only true at the end."""
    must = GuardrailRule("must", lambda state: [] if "X" in state.content else ["X is missing"])
    good, bad = GuardrailEngine([must]), GuardrailEngine([must])
    assert run(good, ["a", "b", "X"]) == ["continue"] * 4
    assert len(good.violations) == 1
    assert not good.has_errors
    assert good.standing == []
    assert run(bad, ["a", "b"]) == ["continue", "continue", "fail"]
    assert bad.has_errors
    assert [v.message for v in bad.blocking] == ["X is missing"]


def test_a_fatal_wins_over_stop_and_stop_over_fail():
    """Whatever the order in which they are found."""
    rules = [
        custom_pattern_rule("a", name="early"),
        saying("stops", found_recoverable=False),
        saying("halts", found=Severity.FATAL),
    ]
    for chosen, action in ((rules[:1], "fail"), (rules[:2], "stop"), (rules, "halt")):
        for order in (chosen, chosen[::-1]):
            engine = GuardrailEngine(order, stop_on_fatal=False)
            assert engine.acts(engine.feed("!a     ", GuardrailContext("!a     "))) == action


# --- once, and only once -----------------------------------------------------------------------


def test_s50_the_same_violation_is_given_once():
    """However many checks see it; without a position the message tells them apart."""
    engine = GuardrailEngine([saying()])
    state = GuardrailContext("!x")
    assert len(engine.feed("!x", state)) == 1
    assert [engine.feed("", state) for _ in range(9)] == [[]] * 9
    assert len(engine.feed("y", GuardrailContext("!xy"))) == 1
    assert len(engine.violations) == 2


def test_s50_300_matches_give_300_violations():
    """Each place is its own."""
    parts = every("As an AI, yes. " * 300, 7)
    found = judged([pattern_rule(), custom_pattern_rule("yes")], parts)
    for rule in ("pattern", "custom_pattern"):
        assert len({v.position for v in found if v.rule == rule}) == 300


def test_violations_can_be_asked_for_by_rule():
    """And `reset` forgets them."""
    engine = GuardrailEngine([saying("a"), saying("b")])
    engine.feed("!x", GuardrailContext("!x"))
    assert [v.rule for v in engine.violations_by_rule("b")] == ["b"]
    engine.reset()
    assert engine.violations == []
    assert len(engine.feed("!x", GuardrailContext("!x"))) == 2


# --- rules that break --------------------------------------------------------------------------


def test_s51_a_rule_that_raises_becomes_one_warning_and_is_off():
    """The others go on, and nothing fails."""
    calls = []

    def check(state):
        calls.append(state.content)
        raise ZeroDivisionError("oh")

    engine = GuardrailEngine([GuardrailRule("bad", check, severity="fatal"), json_rule()])
    assert run(engine, ["{", '"a"', ": 1}"]) == ["continue"] * 4
    (found,) = engine.violations
    assert (found.rule, found.severity) == ("bad", Severity.WARNING)
    assert found.message == "rule failed: ZeroDivisionError: oh"
    assert calls == ["{"]
    assert engine.standing == [found]


@pytest.mark.parametrize("where", ["feed", "finish", "gap"])
def test_s51_a_checker_that_breaks_is_off_too(where):
    """Wherever it breaks; the next check says so."""
    engine = GuardrailEngine([GuardrailRule("bad", start=lambda: Broken(where)), saying()])
    engine.gap(9.0, 0)
    assert run(engine, ["a", "b"]) == ["continue"] * 3
    assert [v.message for v in engine.violations] == ["rule failed: RuntimeError: no luck"]
    assert not engine.wants_gaps


def test_s51_a_rule_that_can_not_start_is_off():
    """Its first check says so."""
    engine = GuardrailEngine([GuardrailRule("bad", start=lambda: 1 / 0)])
    assert [v.rule for v in engine.feed("a", GuardrailContext("a"))] == ["bad"]
    assert engine.finish(GuardrailContext("a", completed=True)) == []


def test_s51_a_rule_that_gives_something_else_is_off():
    """The warning says what a rule must give."""
    for given, said in (
        (True, "GuardrailViolation or a message, not bool"),
        (GuardrailViolation("bad", "x", "critical"), "'critical' is not one of warning, error"),
    ):
        engine = GuardrailEngine([GuardrailRule("bad", lambda state, given=given: [given])])
        (found,) = engine.feed("a", GuardrailContext("a"))
        assert said in found.message
        assert not engine.has_errors


def test_a_callback_that_raises_changes_nothing(caplog):
    """It is called for each new violation; its failure is logged."""
    told = []

    def callback(violation):
        told.append(violation.message)
        raise RuntimeError("no")

    with caplog.at_level(logging.DEBUG, "l0"):
        engine = GuardrailEngine([saying()], on_violation=callback)
        assert len(engine.feed("!x", GuardrailContext("!x"))) == 1
    assert told == ["x"]
    assert "on_violation failed" in caplog.text


def test_what_is_no_rule_is_refused():
    """Such as the function that makes one."""
    with pytest.raises(TypeError, match="call the function"):
        GuardrailEngine([json_rule])


# --- when rules run ----------------------------------------------------------------------------


def test_s52_rules_that_do_not_stream_run_at_completion_only():
    """Stateless or incremental; the incremental ones are then fed the whole text."""
    asked = []
    rules = [
        GuardrailRule("late", lambda state: asked.append(state.content) or [], streaming=False),
        strict_json_rule(),
        json_rule().replace(name="late json", streaming=False),
    ]
    engine = GuardrailEngine(rules)
    assert run(engine, ["{", "]", "x"], finish=False) == ["continue"] * 3
    assert asked == []
    found = engine.finish(GuardrailContext("{]x", completed=True))
    assert asked == ["{]x"]
    assert [v.position for v in found] == [1, 1]


def test_a_settled_rule_is_fed_no_more():
    """But it is finished."""

    class Once:
        fed = 0

        def feed(self, text, start):
            Once.fed += 1
            return SETTLED

        def finish(self, state):
            return ["done"]

    engine = GuardrailEngine([GuardrailRule("once", start=Once, severity="warning")])
    assert run(engine, ["a", "b", "c"]) == ["continue"] * 4
    assert Once.fed == 1
    assert [v.message for v in engine.violations] == ["done"]


def test_s53_one_rule_object_serves_fifty_attempts_at_once():
    """Interleaved, each finds what it would find alone."""
    rules = [*recommended_guardrails(), custom_pattern_rule(r"n=\d+,")]
    texts = [
        ('{"a": [' if n % 2 else "") + "as an AI " * (n % 5) + f"n={n}, " + "```\n" * (n % 3)
        for n in range(50)
    ]
    alone = [judged(rules, every(text, 3)) for text in texts]
    engines = [GuardrailEngine(rules, stop_on_fatal=False) for _ in texts]
    found = [[] for _ in texts]
    for step in range(max(map(len, texts)) // 3 + 1):
        for engine, text, mine in zip(engines, texts, found, strict=True):
            part = text[step * 3 : step * 3 + 3]
            if part:
                mine += engine.feed(part, GuardrailContext(text[: step * 3 + 3]))
    for engine, text, mine in zip(engines, texts, found, strict=True):
        mine += engine.finish(GuardrailContext(text, completed=True))
    assert found == alone
    assert any(alone)


def test_a_rule_that_breaks_while_stepping_is_off():
    """Its own step says so."""
    rules = [
        GuardrailRule("bad", start=Broken),
        GuardrailRule("worse", start=lambda: Broken("finish")),
    ]
    engine = GuardrailEngine(rules)
    steps = list(engine.feed_each("a", GuardrailContext("a")))
    assert [len(new) for _, _, new in steps] == [1, 0]
    steps = list(engine.finish_each(GuardrailContext("a", completed=True)))
    assert [len(new) for _, _, new in steps] == [0, 1]


def test_stepping_rule_by_rule_finds_the_same():
    """`feed_each` and `finish_each` name each rule, also those that have nothing to say."""
    rules = [json_rule(), saying(), markdown_rule(), zero_output_rule(), strict_json_rule()]
    parts = ["```", "\nwell!", "bad"]
    engine, stepped, text = GuardrailEngine(rules), [], ""
    for part in parts:
        text += part
        steps = list(engine.feed_each(part, GuardrailContext(text)))
        assert [(index, rule.name) for index, rule, _ in steps] == [
            (0, "json"),
            (1, "says"),
            (2, "markdown"),
            (3, "zero_output"),
        ]
        stepped += [found for _, _, new in steps for found in new]
    last = list(engine.finish_each(GuardrailContext(text, completed=True)))
    assert [index for index, _, _ in last] == [0, 1, 2, 3, 4]
    stepped += [found for _, _, new in last for found in new]
    assert stepped == judged(rules, parts)
    assert {v.rule for v in stepped} == {"says", "markdown", "strict_json"}


def test_rules_may_be_added_and_taken_out():
    """An added rule judges the text from there on; what a removed one found leaves with it."""
    engine = GuardrailEngine([saying("a")])
    engine.feed("!x", GuardrailContext("!x"))
    engine.add_rule(custom_pattern_rule("x", name="b"))
    engine.feed("x      ", GuardrailContext("!xx      "))
    assert [v.position for v in engine.violations_by_rule("b")] == [2]
    assert engine.remove_rule("a")
    assert not engine.remove_rule("a")
    assert {v.rule for v in engine.standing} == {"b"}
    assert [rule.name for rule in engine.rules] == ["b"]


# --- resumed attempts --------------------------------------------------------------------------


def test_what_is_found_in_kept_text_is_old():
    """The kept text is read, so offsets and open brackets go on, but not reported."""
    kept = '{"note": "As an AI, no. ' + "and so on " * 20
    rest = 'As an AI, yes.", "b": [1}'
    rules = [json_rule(), pattern_rule(), saying(), zero_output_rule()]
    engine = GuardrailEngine(rules)
    engine.prime(kept)
    found = engine.feed(rest, GuardrailContext(kept + rest))
    found += engine.finish(GuardrailContext(kept + rest, completed=True))
    assert [(v.rule, v.position) for v in found] == [
        ("json", len(kept + rest) - 1),
        ("pattern", len(kept)),
    ]


def test_what_the_kept_text_leaves_open_is_found_with_what_follows():
    """A phrase across the seam is found; one that was known already is not told again."""
    kept, rest = "As an", " AI, and i cannot. "
    told = GuardrailViolation("pattern", "Refusal: i cannot", position=14)
    for known, expected in (((), [0, 14]), ((told,), [0])):
        engine = GuardrailEngine([pattern_rule()])
        engine.prime(kept, known)
        found = engine.feed(rest, GuardrailContext(kept + rest))
        found += engine.finish(GuardrailContext(kept + rest, completed=True))
        assert [v.position for v in found] == expected


def test_a_stateless_rule_does_not_repeat_what_it_says_of_the_kept_text():
    """It is asked with a state that holds the kept text only."""
    engine = GuardrailEngine([GuardrailRule("bad", lambda state: ["bad"] * ("x" in state.content))])
    engine.prime("x")
    assert engine.feed("y", GuardrailContext("xy")) == []


def test_a_rule_that_breaks_on_the_kept_text_is_reported():
    """With the next check."""
    engine = GuardrailEngine([GuardrailRule("bad", start=Broken)])
    engine.prime("kept")
    assert [v.rule for v in engine.feed("x", GuardrailContext("keptx"))] == ["bad"]


# --- one text, one judgement -------------------------------------------------------------------


def test_a_text_can_be_judged_without_an_engine():
    """`check_guardrails` runs completion-only rules only on complete text."""
    rules = [json_rule(), strict_json_rule(), zero_output_rule()]
    assert check_guardrails(GuardrailContext('{"a": '), rules) == []
    names = [v.rule for v in check_guardrails(GuardrailContext('{"a": ', completed=True), rules)]
    assert names == ["json", "strict_json"]


@pytest.mark.parametrize(
    ("found", "recoverable", "retry", "halt"),
    [
        (Severity.WARNING, True, False, False),
        (Severity.ERROR, True, True, False),
        (Severity.ERROR, False, False, True),
        (Severity.FATAL, True, True, True),
        (Severity.FATAL, False, False, True),
    ],
)
def test_a_result_says_what_to_do(found, recoverable, retry, halt):
    """should_retry: recoverable error or fatal; should_halt: fatal, or an unrecoverable error."""
    rule = saying(found=found, found_recoverable=recoverable)
    result = check_guardrails_full(GuardrailContext("!x"), [rule])
    assert (result.passed, result.should_retry, result.should_halt) == (False, retry, halt)
    assert result.summary["total"] == 1
    assert check_guardrails_full(GuardrailContext("x"), [rule]).passed


def test_what_is_known_is_not_reported_again():
    """`previous_violations` of a context."""
    known = GuardrailViolation("says", "x")
    context = GuardrailContext("!x", previous_violations=(known,))
    assert check_guardrails_full(context, [saying()]).passed
    assert GuardrailEngine([saying()]).check(context).passed


def test_an_engine_may_be_asked_with_growing_contexts():
    """It takes what `content` has more, or `delta`; the result holds all that stands."""
    engine = GuardrailEngine([json_rule(), saying()])
    assert engine.check(GuardrailContext('{"a": ')).passed
    assert engine.check(GuardrailContext('{"a": [', delta="[")).passed
    result = engine.check(GuardrailContext('{"a": [1!'))
    assert [v.rule for v in result.violations] == ["says"]
    result = engine.check(GuardrailContext('{"a": [1!}', completed=True))
    assert result.summary == {"total": 2, "fatal": 0, "errors": 2, "warnings": 0}
    assert result.violations[0].position == 9


def test_a_rule_that_breaks_in_a_one_shot_check_is_a_warning():
    """The others still run."""
    rules = [GuardrailRule("bad", lambda state: 1 / 0), saying()]
    found = check_guardrails(GuardrailContext("!x"), rules)
    assert [(v.rule, v.severity) for v in found] == [
        ("bad", Severity.WARNING),
        ("says", Severity.ERROR),
    ]


def test_a_context_reads_like_the_state_of_a_run():
    """What a run's state would have beside the text comes from `metadata`."""
    context = GuardrailContext("abc", metadata={"tool_calls": [1], "last_token_at": 2.0})
    assert (context.content_length, context.tool_calls, context.last_token_at) == (3, (1,), 2.0)
    assert (context.data_outputs, context.violations) == ((), ())
    done = context.replace(content="", completed=True)
    assert zero_output_rule().check(done) == []
    assert len(zero_output_rule().check(done.replace(metadata=None))) == 1


def test_only_rules_that_judge_time_want_gaps():
    """So that the loop need not measure for nothing."""
    assert GuardrailEngine([stall_rule()]).wants_gaps
    assert not GuardrailEngine(recommended_guardrails()).wants_gaps
