"""S47–S53, S55, S57: what the rules and the drift detector find decides what happens to a run."""

from __future__ import annotations

import asyncio

import pytest

import l0
from l0.errors import DriftError, FatalGuardrailError, GuardrailError, ZeroOutputError
from l0.events import DataPayload, Event, EventType, GuardrailViolation
from l0.guardrails import DriftConfig, DriftDetector
from l0.stream import CheckIntervals, Retry
from l0.testing import ScriptedModel, fail, stall, tool

NET = ConnectionResetError("gone")
DRIFTED = "As an AI, I was asked to write this. "


def rule(name="rule", found="bad", **options):
    """A rule that objects to a text with `found` in it."""

    def check(state):
        return [f"{found} at all"] * (found in state.content)

    return l0.GuardrailRule(name, check, **options)


async def test_s47_a_fatal_stops_the_run_at_once(play):
    """Nothing after the check is handed over; no retry, no fallback."""
    model, fallback = (
        ScriptedModel(["a ", "b ", "c ", "bad ", *["more "] * 96]),
        ScriptedModel(["x"]),
    )
    run = await play(model, guardrails=[rule(severity="fatal")], fallbacks=[fallback])
    assert isinstance(run.error, FatalGuardrailError)
    assert (run.tokens, model.calls, model.closed, fallback.calls) == (
        ["a ", "b ", "c "],
        1,
        [True],
        0,
    )
    assert run.state.content == "a b c bad "
    assert run.one("ERROR").recovery_strategy == "halt"
    assert [v.severity for v in run.error.violations] == ["fatal"]


async def test_s48_an_error_at_completion_is_retried(play):
    """One complete event, after the good attempt; on_violation once."""
    seen = []
    run = await play(
        ScriptedModel(["bad"], ["good"]),
        guardrails=[rule()],
        retry=Retry(attempts=1, base_delay=0),
        on_violation=seen.append,
    )
    assert (run.shown, len(seen), run.types.count("COMPLETE")) == ("good", 1, 1)
    assert [event.type for event in run.events].count("complete") == 1
    assert run.one("RETRY_ATTEMPT").reason == "guardrail_violation"
    assert run.state.violations == []  # of the text that stands
    assert isinstance(run.stream.errors[0], GuardrailError)


async def test_s49_warnings_are_recorded_and_change_nothing(play):
    """The run completes, and lists them."""
    run = await play(ScriptedModel(["bad"]), guardrails=[rule(severity="warning")])
    assert (run.error, run.types.count("RETRY_ATTEMPT")) == (None, 0)
    assert [v.message for v in run.state.violations] == ["bad at all"]


async def test_s50_what_many_checks_see_is_told_once(play):
    """Recorded and reported once."""
    seen = []
    run = await play(
        ScriptedModel(["bad ", *["word "] * 50]),
        guardrails=[rule(severity="warning")],
        on_violation=seen.append,
    )
    assert (len(run.state.violations), len(seen)) == (1, 1)


async def test_s50_every_match_is_one_violation(play):
    """300 matches, 300 violations."""
    seen = []
    every = l0.custom_pattern_rule([r"\bx\b"], severity="warning")
    run = await play(ScriptedModel(["x and "] * 300), guardrails=[every], on_violation=seen.append)
    assert (len(run.state.violations), len(seen)) == (300, 300)
    assert [v.position for v in run.state.violations] == list(range(0, 1800, 6))


async def test_s51_a_rule_that_raises_is_one_warning(play):
    """The stream is unaffected, and the others go on."""

    def broken(state):
        raise RuntimeError("typo")

    rules = [l0.GuardrailRule("broken", broken), rule("other", severity="warning")]
    run = await play(ScriptedModel(["a ", "bad ", "c"]), guardrails=rules)
    assert run.error is None
    found = {(v.rule, v.severity) for v in run.state.violations}
    assert found == {("broken", "warning"), ("other", "warning")}
    assert sum("rule failed" in v.message for v in run.state.violations) == 1


async def test_s52_rules_that_do_not_stream_run_at_completion_only(play):
    """They see the whole text, once."""
    seen = []

    def check(state):
        seen.append((state.content, state.completed))
        return []

    await play(
        ScriptedModel(["a ", "b ", "c"]),
        guardrails=[l0.GuardrailRule("end", check, streaming=False)],
    )
    assert seen == [("a b c", True)]


async def test_s53_one_rule_in_fifty_runs_at_once(play, clock):
    """Each run finds what it would find alone."""
    rules, drift = l0.Guardrails.strict(), DriftDetector()
    texts = ["Fine prose, nothing else. ", '{"a": [1, 2}', "```py\nx", "word " * 20, DRIFTED]

    async def one(index, rules, drift):
        tokens = [step for char in texts[index % 5] for step in (stall(0.01 * (index % 3)), char)]
        stream = l0.run(
            ScriptedModel(tokens),
            guardrails=rules,
            drift=drift,
            check_intervals=CheckIntervals(1, 1, 1),
            retry=False,
            clock=clock,
        )
        try:
            await stream.read()
        except GuardrailError as error:
            return type(error), str(error), stream.state.violations
        except DriftError as error:
            return type(error), error.types, stream.state.violations
        return None, stream.state.drift_types, stream.state.violations

    alone = [await one(index, l0.Guardrails.strict(), DriftDetector()) for index in range(5)]
    together = await asyncio.gather(*(one(index, rules, drift) for index in range(50)))
    assert together == [alone[index % 5] for index in range(50)]
    assert {outcome[0] for outcome in alone} == {None, GuardrailError, DriftError}


async def test_an_early_error_fails_the_attempt_at_once(play):
    """The token that showed it is in the state, was judged, and is not handed over."""
    run = await play(
        ScriptedModel(['{"a": [', "1}", ", 2]}"], ["fine"]),
        guardrails=[l0.json_rule()],
        retry=Retry(attempts=1, base_delay=0),
    )
    assert run.tokens == ['{"a": [', "fine"]
    restart = run.one("RESTART")
    assert (restart.kept_chars, restart.discarded_chars, restart.delivered) == (0, 9, True)


async def test_an_early_error_at_the_first_token_shows_nothing(play):
    """The consumer has nothing to take back, and is not told to."""
    run = await play(ScriptedModel(['{"a": [1}'], ["fine"]), guardrails=[l0.json_rule()])
    assert [event.type for event in run.events] == ["token", "complete"]
    assert not run.one("RESTART").delivered


async def test_an_unrecoverable_error_goes_to_the_fallback(play):
    """At once, and without a retry."""
    model = ScriptedModel(["a ", "bad ", "c"], repeat_last=True)
    run = await play(
        model, guardrails=[rule(recoverable=False)], fallbacks=[ScriptedModel(["fine"])]
    )
    assert (model.calls, run.shown, run.tokens) == (1, "fine", ["a ", "fine"])


async def test_an_unrecoverable_warning_does_not_keep_an_error_from_its_retry(play):
    """Only errors stop."""
    rules = [rule("loud", "bad", severity="warning", recoverable=False), rule("wrong", "bad")]
    run = await play(ScriptedModel(["bad"], ["good"]), guardrails=rules)
    assert run.shown == "good"


async def test_a_stall_is_told_with_its_place(play):
    """Each wait for the upstream that is too long, also where tokens are events."""
    for said in ("b", Event(EventType.TOKEN, "b")):
        run = await play(
            ScriptedModel(["a", stall(7), said, stall(3), "c"]), guardrails=[l0.stall_rule(5)]
        )
        (found,) = run.state.violations
        assert (found.rule, found.position) == ("stall", 1)


@pytest.mark.parametrize("text", ["{}", "[]", "0", "no", "👍", "hahaha"])
async def test_s55_short_answers_are_answers(play, text):
    """They complete."""
    run = await play(ScriptedModel([text]), guardrails=[l0.zero_output_rule()])
    assert (run.error, run.state.content) == (None, text)


@pytest.mark.parametrize(
    "script",
    [[], [" \n"], [" "] * 300, ["...", "?!"], ["\u200b"]],
    ids=["nothing", "blanks", "many blanks", "marks", "zero width"],
)
@pytest.mark.parametrize("rules", [[], [l0.zero_output_rule()]], ids=["", "with the rule"])
async def test_s55_no_output_is_retried_then_raised(play, script, rules):
    """ZERO_OUTPUT, whether or not a rule looks for it too."""
    run = await play(ScriptedModel(script, repeat_last=True), guardrails=rules)
    assert isinstance(run.error, ZeroOutputError)
    assert run.types.count("RETRY_ATTEMPT") == 2
    assert {e.reason for e in run.all("RETRY_ATTEMPT")} == {"zero_output"}
    told = run.all("ERROR")[0]
    assert (told.failure_type, told.error_code) == ("zero_output", "ZERO_OUTPUT")
    first = [t for t in run.types if not t.startswith(("GUARDRAIL", "CHECKPOINT"))]
    at = first.index("STREAM_FINISHED")
    story = ["STREAM_FINISHED", "FINALIZATION_START", "FINALIZATION_END", "ERROR"]
    assert first[at : at + 4] == story


@pytest.mark.parametrize(
    "item",
    [
        tool("1", "f"),
        Event(EventType.DATA, payload=DataPayload("json", json=1)),
        Event(EventType.MESSAGE, "thinking"),
    ],
    ids=["tool call", "data", "message"],
)
async def test_s55_something_else_is_output_too(play, item):
    """Text is not all a model gives."""
    run = await play(ScriptedModel([item]), guardrails=[l0.zero_output_rule()])
    assert run.error is None


async def test_s55_it_can_be_switched_off(play):
    """An empty answer may be right."""
    run = await play(ScriptedModel([]), detect_zero_output=False)
    assert (run.error, run.state.content) == (None, "")


async def test_s57_drift_is_retried_with_a_fresh_detector(play):
    """What the first attempt said does not count against the second."""
    seen = []
    model = ScriptedModel([DRIFTED, "More."], ["Fine prose, nothing else in it."])
    run = await play(model, drift=True, on_drift=lambda *args: seen.append(args))
    assert (run.shown, run.error) == ("Fine prose, nothing else in it.", None)
    assert run.one("RETRY_ATTEMPT").reason == "drift"
    assert isinstance(run.stream.errors[0], DriftError)
    assert seen == [(["meta_commentary"], 0.9)]
    assert not run.state.drift_detected


async def test_s57_policy_record_only_tells(play):
    """Flag, event and callback; the text stands."""
    seen = []
    run = await play(
        ScriptedModel([DRIFTED, "More."]),
        drift=DriftConfig(policy="record"),
        on_drift=lambda *args: seen.append(args),
    )
    assert (run.error, run.state.content) == (None, DRIFTED + "More.")
    assert (run.state.drift_detected, run.state.drift_types) == (True, ("meta_commentary",))
    assert seen == [(["meta_commentary"], 0.9)]
    assert "RETRY_ATTEMPT" not in run.types


async def test_s57_a_mere_hint_does_not_act(play):
    """Below the threshold it is recorded."""
    run = await play(ScriptedModel(["Sure!\n", "Here it comes, as promised."]), drift=True)
    assert (run.error, run.state.drift_types) == (None, ("hedging",))


async def test_a_resumed_attempt_is_not_told_again_what_was_found_before(play):
    """The kept text was judged; its warnings stay, once."""
    seen = []
    warn = l0.custom_pattern_rule(["hm"], severity="warning")
    model = ScriptedModel(["hm, ", "so ", fail(NET)], ["so ", "hm"])
    run = await play(model, guardrails=[warn], continuation=True, on_violation=seen.append)
    assert run.state.content == "hm, so hm"
    assert [v.position for v in run.state.violations] == [0, 7]
    assert len(seen) == 2


async def test_interval_zero_means_at_completion_only(play):
    """Everything is judged, once."""
    run = await play(
        ScriptedModel(["bad ", "b ", "c"]),
        guardrails=[rule(severity="warning")],
        drift=True,
        check_intervals=CheckIntervals(0, 0, 0),
    )
    assert [e.phase for e in run.all("GUARDRAIL_PHASE_START")] == ["completion"]
    assert run.types.count("DRIFT_CHECK_START") == 1
    assert len(run.state.violations) == 1


async def test_rules_of_one_name_are_told_apart(play):
    """What each found is recorded once, whatever name the finding bears."""

    def check(state):
        return [GuardrailViolation("elsewhere", "odd", "warning")] * ("b" in state.content)

    rules = [
        l0.custom_pattern_rule(["aa"], severity="warning"),
        l0.custom_pattern_rule(["bb"], severity="warning"),
        l0.GuardrailRule("mine", check),
    ]
    for every in (0, 1):
        run = await play(
            ScriptedModel(["aa ", "bb"]), guardrails=rules, check_intervals=CheckIntervals(every)
        )
        found = [(v.rule, v.position) for v in run.state.violations]
        assert sorted(found, key=str) == [
            ("custom_pattern", 0),
            ("custom_pattern", 3),
            ("elsewhere", None),
        ]


async def test_what_the_last_words_show_is_added_to_what_stood_before_them(play):
    """Both are told at completion."""
    run = await play(
        ScriptedModel(["Sure!\n", "This was written as an AI"]),
        drift=DriftConfig(policy="record"),
        check_intervals=CheckIntervals(0, 0, 0),
    )
    assert run.state.drift_types == ("hedging", "meta_commentary")
    assert run.one("DRIFT_CHECK_RESULT").score == 0.9
