"""S37–S46, S95, S96: a broken stream goes on from its last good token."""

from __future__ import annotations

import pytest

import l0
from l0.events import DataPayload, Event, EventType, InMemoryEventStore, replay
from l0.stream import ContinuationConfig, DeduplicationOptions, Retry, Timeout, current_attempt
from l0.testing import ScriptedModel, end, fail, stall, tool

NET = ConnectionResetError("gone")
FOX = ["The ", "quick ", "brown "]
STORY = "Once upon a time, in a valley far away, there lived a miller who had three sons."


def words(text):
    """The text in tokens, each with the blank behind it."""
    return [f"{word} " for word in text.split(" ")[:-1]] + [text.split(" ")[-1]]


async def test_s37_the_overlap_is_shown_once(play):
    """The consumer never sees "brown " twice, and gets no restart event."""
    run = await play(ScriptedModel([*FOX, fail(NET)], ["brown ", "fox"]), continuation=True)
    assert run.tokens == [*FOX, "fox"]
    assert run.state.content == "The quick brown fox"
    assert not any(event.is_restart for event in run.events)
    told = run.one("RESTART")
    assert (told.kept_chars, told.kept_tokens, told.delivered) == (16, 3, False)
    assert run.state.lost_tokens == 0


async def test_s38_one_character_tokens(play):
    """Text is withheld only until its overlap is decided."""
    model = ScriptedModel(["Hello wor", fail(NET)], list("world!"))
    run = await play(model, continuation=True)
    assert run.tokens == ["Hello wor", "l", "d", "!"]
    ended = run.one("DEDUPLICATION_END")
    assert (ended.overlap_text, ended.decided_by) == ("wor", "boundary")


async def test_s38_decided_at_the_end_at_the_latest(play):
    """A source that ends with what may still become an overlap is judged by what there is."""
    run = await play(ScriptedModel(["Hello wor", fail(NET)], ["w", "o"]), continuation=True)
    assert (run.tokens, run.state.content) == (["Hello wor", "w", "o"], "Hello worwo")
    assert run.one("DEDUPLICATION_END").decided_by == "end"
    run = await play(ScriptedModel(["Hello wor", fail(NET)], ["w", "or"]), continuation=True)
    assert run.state.content == "Hello wor"
    assert not run.one("RESUME_END").success


async def test_s39_text_without_overlap_comes_unchanged(play):
    """Withheld tokens are released in order, whole, and counted."""
    model = ScriptedModel(["one tw", fail(NET)], ["t", "w", "enty"])
    run = await play(model, continuation=True)
    assert run.tokens == ["one tw", "enty"]
    model = ScriptedModel(["one tw", fail(NET)], ["t", "en", "t"])
    run = await play(model, continuation=True)
    assert run.tokens == ["one tw", "t", "en", "t"]
    assert (run.state.token_count, run.state.content) == (4, "one twtent")
    assert not run.state.deduplication_applied


async def test_s40_every_resume_deduplicates(play):
    """Three sources, each of which repeats the last word of the one before."""
    model = ScriptedModel(
        ["one ", "two ", fail(NET)], ["two ", "three ", fail(NET)], ["three ", "four"]
    )
    run = await play(model, continuation=True)
    assert run.state.content == "one two three four"
    assert run.tokens == ["one ", "two ", "three ", "four"]
    assert [info.checkpoint for info in model.infos] == ["", "one two ", "one two three "]
    assert run.types.count("DEDUPLICATION_END") == 2


async def test_s41_a_fallback_goes_on_too(play):
    """CONTINUATION_START, RESUME_START, on_resume; then the fallback's text."""
    resumed = []
    fallback = ScriptedModel(["brown ", "fox"])
    run = await play(
        ScriptedModel([*FOX, fail(NET)]),
        fallbacks=[fallback],
        continuation=True,
        retry=False,
        on_resume=lambda *args: resumed.append(args),
    )
    assert run.tokens == [*FOX, "fox"]
    assert resumed == [("The quick brown ", 3)]
    assert fallback.infos[0].checkpoint == "The quick brown "
    story = ["FALLBACK_START", "FALLBACK_MODEL_SELECTED", "CONTINUATION_START", "RESUME_START"]
    at = run.types.index("FALLBACK_START")
    assert run.types[at : at + 6] == [*story, "RESTART", "STREAM_INIT"]
    start = run.one("RESUME_START")
    assert (start.checkpoint, start.checkpoint_length, start.token_count) == (
        "The quick brown ",
        16,
        3,
    )
    assert run.one("CONTINUATION_END").added_chars == 3


async def test_s42_what_the_state_says_of_a_resume(play):
    """resume_from is the checkpoint's length; nothing is said where nothing was resumed."""
    run = await play(ScriptedModel([*FOX, fail(NET)], ["brown ", "fox"]), continuation=True)
    state = run.state
    assert (state.resumed, state.continuation_used, state.resume_from) == (True, True, 16)
    assert (state.resume_point, len(state.resume_point)) == ("The quick brown ", 16)
    assert (state.deduplication_applied, state.overlap_removed) == (True, "brown ")
    run = await play(ScriptedModel([*FOX, fail(NET)], ["fox"]), continuation=True)
    assert (run.state.resumed, run.state.deduplication_applied) == (True, False)
    assert run.state.overlap_removed is None
    for options in ({}, {"continuation": True}):
        scripts = [[fail(NET)], ["a"]] if options else [["a", fail(NET)], ["a"]]
        run = await play(ScriptedModel(*scripts), **options)
        assert (run.state.resumed, run.state.resume_from) == (False, None)


def shouting(severity):
    def check(state):
        return ["too loud"] * ("!!" in state.content)

    return l0.GuardrailRule("shout", check, severity=severity)


@pytest.mark.parametrize("found", ["when saved", "when resumed"])
async def test_s43_a_bad_checkpoint_is_not_gone_on_from(play, found):
    """An error inside it: a fresh start, the checkpoint cleared, everything withdrawn."""

    def check(state):
        if found == "when resumed" and state.content_length != len(state.checkpoint):
            return []
        return ["too loud"] * ("!!" in state.content)

    rule = l0.GuardrailRule("shout", check)
    model = ScriptedModel(["a ", "b!!", fail(NET)], ["c"])
    run = await play(
        model, continuation=True, guardrails=[rule], check_intervals=l0.CheckIntervals(0, 0, 0)
    )
    if found == "when saved":
        assert "CHECKPOINT_SAVED" not in run.types
    assert model.infos[1].checkpoint == ""
    assert run.one("RESTART").kept_chars == 0
    assert (run.state.content, run.state.resumed, run.state.checkpoint) == ("c", False, "")


async def test_s43_without_validation_it_is_gone_on_from(play):
    """validate_checkpoint=False takes what was saved as it is."""

    def check(state):
        return ["too loud"] * (state.content == state.checkpoint == "a b!!")

    model = ScriptedModel(["a ", "b!!", fail(NET)], ["c"])
    run = await play(
        model,
        continuation=ContinuationConfig(validate_checkpoint=False),
        guardrails=[l0.GuardrailRule("shout", check)],
        check_intervals=l0.CheckIntervals(0, 0, 0),
    )
    assert (model.infos[1].checkpoint, run.state.content) == ("a b!!", "a b!!c")


async def test_s43_an_older_checkpoint_is_better_than_none(play):
    """Text that fails the rules is cut away, and the attempt goes on from what was good."""
    model = ScriptedModel(["a ", "b ", "c!!", fail(NET)], ["b ", "c"])
    run = await play(
        model,
        continuation=True,
        guardrails=[shouting("error")],
        check_intervals=l0.CheckIntervals(0, 0, 2),
    )
    assert model.infos[1].checkpoint == "a b "
    restart = run.one("RESTART")
    assert (restart.kept_chars, restart.kept_tokens, restart.discarded_chars) == (4, 2, 3)
    assert restart.delivered
    assert (run.shown, run.state.content, run.state.lost_tokens) == ("a b c", "a b c", 1)


@pytest.mark.parametrize("kind", ["plain", "coroutine"])
async def test_s44_the_prompt(play, kind):
    """It is made of the checkpoint, and known to the factory and in the state."""
    asked = []

    def build(checkpoint):
        asked.append(checkpoint)
        return f"Go on after: {checkpoint}"

    async def build_later(checkpoint):
        return build(checkpoint)

    model = ScriptedModel([*FOX, fail(NET)], ["fox"])
    run = await play(
        model,
        continuation=True,
        build_continuation_prompt=build if kind == "plain" else build_later,
    )
    said = "Go on after: The quick brown "
    assert asked == ["The quick brown "]
    assert (model.infos[1].prompt, run.state.continuation_prompt) == (said, said)
    assert run.one("RESUME_START").prompt == said


async def test_s44_a_prompt_that_fails_is_a_fresh_start(play, caplog):
    """The run goes on; the log says why it began anew."""

    def build(checkpoint):
        raise RuntimeError("no template")

    model = ScriptedModel([*FOX, fail(NET)], ["fox"])
    run = await play(model, continuation=True, build_continuation_prompt=build)
    assert (run.state.content, run.state.resumed, model.infos[1].checkpoint) == ("fox", False, "")
    assert "no template" in caplog.text


@pytest.mark.parametrize(
    ("options", "shown", "repeated", "whole"),
    [
        ({"normalize_whitespace": True}, "foo a b", "a   b c", "foo a b c"),
        ({"case_sensitive": False}, "Die STRASSE", "strasse lang", "Die STRASSE lang"),
        ({"case_sensitive": False}, "Die STRASSE", "straße lang", "Die STRASSE lang"),
    ],
    ids=["blanks", "case", "sharp s"],
)
async def test_s45_folded_text_is_cut_at_the_original_offset(play, options, shown, repeated, whole):
    """What is compared is folded; what is shown is not."""
    config = ContinuationConfig(deduplication=DeduplicationOptions(**options))
    run = await play(ScriptedModel([shown, fail(NET)], list(repeated)), continuation=config)
    assert run.state.content == whole


async def test_s46_checkpoints_are_saved_only_with_continuation(play):
    """Every N tokens, and at failure if the text passes the rules."""
    saved = []
    every_two = l0.CheckIntervals(0, 0, 2)

    def note(checkpoint, tokens):
        saved.append((checkpoint, tokens))

    def model():
        return ScriptedModel(["a ", "b ", "c ", fail(NET)], ["d ", "e ", "f"])

    run = await play(model(), check_intervals=every_two, on_checkpoint=note)
    assert ("CHECKPOINT_SAVED" in run.types, saved, run.state.checkpoint) == (False, [], "")
    run = await play(model(), check_intervals=every_two, on_checkpoint=note, continuation=True)
    assert saved == [("a b ", 2), ("a b c ", 3), ("a b c d e ", 5)]
    assert [e.checkpoint_length for e in run.all("CHECKPOINT_SAVED")] == [4, 6, 10]
    assert run.state.checkpoint == "a b c d e "


@pytest.mark.parametrize("exact", [True, False], ids=["whole", "split"])
@pytest.mark.parametrize("restated", [STORY, STORY[:45] + " lived a queen."], ids=["same", "other"])
async def test_s95_a_factory_that_starts_over_doubles_nothing(play, restated, exact):
    """It ignored the checkpoint: what is common stands, the rest is its own."""
    cut = 60
    tokens = [restated] if exact else list(restated)
    model = ScriptedModel([*words(STORY[:cut]), fail(NET)], tokens)
    run = await play(model, continuation=True)
    assert run.shown == run.state.content == restated
    if restated == STORY:
        assert not any(event.is_restart for event in run.events)
    else:
        second = run.all("RESTART")[1]
        common = len(STORY[:45] + " lived a ")
        assert (second.kept_chars, second.reason, second.delivered) == (common, "restatement", True)
        assert run.one("DEDUPLICATION_END").decided_by == "restatement"


async def test_s95_after_a_restatement_the_next_resume_counts_right(play):
    """Tokens of the text that stands are still told apart after it was cut."""
    other = STORY[:45] + " lived a queen, and"
    model = ScriptedModel(
        [*words(STORY[:60]), fail(NET)], [*words(other), fail(NET)], ["and ", "that ", "is all."]
    )
    run = await play(model, continuation=True)
    assert run.state.content == other + " that is all."
    kept = [(e.kept_chars, e.kept_tokens) for e in run.all("RESTART")]
    assert kept[0] == (60, len(words(STORY[:60])))
    assert kept[2][0] == len(other)
    assert run.state.token_count == kept[2][1] + 3


@pytest.mark.parametrize(
    ("options", "whole"), [({}, "ha ha ha !"), ({"repeats": "remove"}, "ha ha !")], ids=str
)
async def test_s96_real_repetition_is_kept(play, options, whole):
    """An overlap that already stands twice is no overlap, unless the caller says so."""
    config = ContinuationConfig(deduplication=DeduplicationOptions(**options))
    model = ScriptedModel(["ha ", "ha ", fail(NET)], ["ha ", "!"])
    run = await play(model, continuation=config)
    assert run.state.content == whole


async def test_s96_blanks_alone_are_never_removed(play):
    """A whitespace-only overlap says nothing."""
    run = await play(ScriptedModel(["a\n\n", fail(NET)], ["\n\n", "b"]), continuation=True)
    assert run.state.content == "a\n\n\n\nb"


# --- when there is nothing to go on from --------------------------------------------------------


@pytest.mark.parametrize(
    "delivered",
    [tool("1", "f"), Event(EventType.DATA, payload=DataPayload("json", json=1))],
    ids=["tool call", "data"],
)
async def test_after_a_tool_call_or_data_the_next_attempt_starts_fresh(play, delivered):
    """They may not be repeated, and what follows them is not known to the checkpoint."""
    model = ScriptedModel(["a ", "b ", delivered, "c ", fail(NET)], ["d"])
    run = await play(model, continuation=True)
    assert (model.infos[1].checkpoint, run.state.content, run.state.resumed) == ("", "d", False)
    assert (run.shown, run.state.tool_calls, run.state.data_outputs) == ("d", [], [])


@pytest.mark.parametrize("error", [Exception("model"), l0.errors.DriftError("x")], ids=repr)
async def test_after_bad_content_the_next_attempt_starts_fresh(play, error):
    """A bad beginning invites more of it."""
    model = ScriptedModel(["a ", fail(error)], ["b"])
    run = await play(model, continuation=True)
    assert (run.state.content, run.state.resumed) == ("b", False)


async def test_text_held_back_by_a_failed_attempt_is_never_shown(play):
    """It is dropped, and the checkpoint stays."""
    model = ScriptedModel([*FOX, fail(NET)], ["bro", fail(NET)], ["brown ", "fox"])
    run = await play(model, continuation=True)
    assert run.tokens == [*FOX, "fox"]
    assert [info.checkpoint for info in model.infos[1:]] == ["The quick brown "] * 2
    assert [e.lost_tokens for e in run.all("DEDUPLICATION_END")] == [1, 0]
    assert run.state.lost_tokens == run.one("SESSION_SUMMARY").lost_tokens == 1, "it was paid for"


async def test_a_source_that_goes_on_exactly_is_taken_at_its_word(play):
    """deduplicate=False: nothing is compared, and the resume still ends well."""
    model = ScriptedModel(
        [*FOX, fail(NET)], [Event(EventType.MESSAGE, "thinking", data={"kind": "x"}), "brown ", "x"]
    )
    run = await play(model, continuation=ContinuationConfig(deduplicate=False))
    assert run.state.content == "The quick brown brown x"
    assert "DEDUPLICATION_START" not in run.types
    assert run.one("RESUME_END").success


async def test_a_whole_token_of_overlap_leaves_the_resume_open_until_new_text(play):
    """RESUME_END(success) comes with the first new text, not before and not never."""
    model = ScriptedModel([*FOX, fail(NET)], ["brown ", "f", "ox"])
    run = await play(model, continuation=True)
    assert run.one("RESUME_END").success
    assert run.one("RESUME_END").overlap_length == 6


async def test_what_a_token_carries_survives_the_overlap(play):
    """A refusal stays one, though its token was withheld and cut."""
    refusal = {"refusal": True}
    model = ScriptedModel(
        [*FOX, fail(NET)],
        [
            Event(EventType.TOKEN, "brown fox", data=refusal),
            Event(EventType.TOKEN, "es", data=None),
        ],
    )
    run = await play(model, continuation=True)
    token = run.events[3]
    assert (token.text, token.start, token.data) == ("fox", 16, refusal)
    assert (run.events[4].text, run.events[4].data) == ("es", None)


async def test_other_events_wait_behind_withheld_text_but_progress_does_not(play):
    """Order is kept between text and what belongs to it."""
    message = Event(EventType.MESSAGE, "note", data={"kind": "x"})
    progress = Event(EventType.PROGRESS, progress=l0.events.Progress(percent=5))
    model = ScriptedModel([*FOX, fail(NET)], ["bro", message, progress, "wn ", "fox"])
    run = await play(model, continuation=True)
    assert [e.type for e in run.events[3:]] == ["progress", "message", "token", "complete"]


async def test_a_json_answer_cut_at_the_token_limit_goes_on(play):
    """It is incomplete rather than invalid, so the next attempt continues it."""
    model = ScriptedModel(['{"a": ', "1, ", end("length")], ['"b": 2}'])
    run = await play(
        model, on_incomplete="retry", continuation=True, guardrails=[l0.json_rule(expect=True)]
    )
    assert (run.error, run.state.content) == (None, '{"a": 1, "b": 2}')
    assert run.one("RETRY_ATTEMPT").reason == "incomplete"


async def test_a_resume_into_a_deadline_closes_what_it_opened(play, clock):
    """The prompt takes too long: the run ends, and every section with it."""

    async def build(checkpoint):
        await clock.sleep(100)
        return "x"

    run = await play(
        ScriptedModel([*FOX, fail(NET)], ["fox"]),
        continuation=True,
        build_continuation_prompt=build,
        timeout=Timeout(total=10),
    )
    assert isinstance(run.error, l0.errors.DeadlineError)
    assert clock.now == 10


async def test_a_factory_without_a_parameter_can_ask_for_its_attempt(play):
    """Plain, coroutine and generator functions alike, up to their first item, and no further."""
    seen = []

    def plain():
        seen.append(current_attempt().checkpoint)
        return ["one ", "two"]

    async def coroutine():
        seen.append(current_attempt().checkpoint)
        return ["one ", "two"]

    async def generator():
        seen.append(current_attempt().checkpoint)
        yield "one "
        seen.append(current_attempt())
        if len(seen) < 6:
            raise NET
        yield "two"

    for factory in (plain, coroutine, generator):
        await play(factory, continuation=True, retry=Retry(base_delay=0))
        assert current_attempt() is None
    assert seen == ["", "", "", None, "one ", None]


async def test_a_slow_restart_keeps_the_text_until_the_next_attempt(play, clock):
    """Shown text stays useful while waiting: the restart comes after the delay."""
    at = []
    await play(
        ScriptedModel(["a", fail(NET)], [stall(1), "b"]),
        retry=Retry(base_delay=7, backoff="fixed"),
        on_restart=lambda *args: at.append((clock.now, *args)),
    )
    assert at == [(7, 0, "network_error")]


async def test_who_knows_where_to_go_on_is_told(play):
    """The factory that is told of its attempt, or nobody: then it presumably begins anew."""
    model = ScriptedModel([*FOX, fail(NET)], ["fox"])
    run = await play(model, continuation=True)
    assert run.one("CONTINUATION_START").mode == "prompt"
    calls = iter([[*FOX, 3.5], [*FOX, "fox"]])

    def decode(chunk):
        if chunk == 3.5:
            raise NET
        return chunk

    run = await play(lambda: next(calls), continuation=True, adapter=decode)
    assert run.one("CONTINUATION_START").mode == "restart"
    assert (run.shown, run.state.lost_tokens) == ("The quick brown fox", 0)


@pytest.mark.parametrize("tokens", [63, 64, 65, 128])
async def test_a_checkpoint_at_the_end_of_a_batch_is_recorded(play, tokens):
    """The mark belongs to the token, wherever the batch ends."""
    store = InMemoryEventStore()
    run = await play(
        ScriptedModel(["word "] * (tokens + 3)),
        continuation=True,
        check_intervals=l0.CheckIntervals(0, 0, tokens),
        event_store=store,
    )
    again = replay(store, run.stream.stream_id)
    assert [event async for event in again]
    assert again.state.checkpoint == run.state.checkpoint == "word " * tokens
