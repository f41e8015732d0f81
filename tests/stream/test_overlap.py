"""What a resumed source repeats is found, dropped once, and never held longer than needed."""

from __future__ import annotations

import doctest
import itertools
import sys
from dataclasses import dataclass
from typing import Any

import pytest

from l0.stream import _continuation, _overlap
from l0.stream._overlap import (
    ContinuationConfig,
    DeduplicationOptions,
    OverlapMatcher,
    deduplicate_continuation,
    detect_overlap,
)
from l0.stream._overlap_text import common_length

FOLDED = DeduplicationOptions(case_sensitive=False)
BLANKS = DeduplicationOptions(normalize_whitespace=True)
REMOVE = DeduplicationOptions(repeats="remove")
OPENING = "Once upon a time, in a valley far away, "  # 40 characters
STORY = OPENING + "there lived a miller who had three sons and nothing else to his name."


@dataclass
class Resumed:
    """What became of a checkpoint and the items that followed it."""

    text: str
    released: list[Any]
    steps: list[list[Any]]
    matcher: OverlapMatcher


def resume(
    checkpoint: str,
    items: list[Any],
    options: DeduplicationOptions | None = None,
    *,
    restatement: bool = True,
) -> Resumed:
    config = ContinuationConfig(
        deduplication=options or DeduplicationOptions(), restatement=restatement
    )
    matcher = OverlapMatcher(checkpoint, config)
    steps = [matcher.feed(item) for item in items]
    steps.append(matcher.finish())
    released = [item for step in steps for item in step]
    text = checkpoint[: matcher.restated_at] + "".join(x for x in released if isinstance(x, str))
    return Resumed(text, released, steps, matcher)


# --- options ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("min_overlap", 0),
        ("min_overlap", True),
        ("min_overlap", 501),
        ("max_overlap", -1),
        ("max_overlap", 1.5),
        ("case_sensitive", "no"),
        ("normalize_whitespace", None),
        ("repeats", "drop"),
    ],
)
def test_a_wrong_deduplication_option_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=rf"DeduplicationOptions\.{field}"):
        DeduplicationOptions(**{field: value})


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("enabled", 1),
        ("deduplicate", "yes"),
        ("deduplication", {"min_overlap": 3}),
        ("validate_checkpoint", None),
        ("restatement", 0),
        ("provider", "openai"),
    ],
)
def test_a_wrong_continuation_option_is_refused_by_name(field, value):
    with pytest.raises(ValueError, match=rf"ContinuationConfig\.{field}"):
        ContinuationConfig(**{field: value})


def test_replace_checks_what_it_changes():
    options = DeduplicationOptions()
    assert options.replace(min_overlap=3) == DeduplicationOptions(min_overlap=3)
    assert options == DeduplicationOptions()
    with pytest.raises(ValueError, match="max_overlap"):
        options.replace(max_overlap=1)
    assert ContinuationConfig().replace(provider=False).provider is False


@pytest.mark.parametrize("arguments", [(None, "text"), ("text", None), (b"text", "text")])
def test_what_is_no_text_is_refused(arguments):
    with pytest.raises(TypeError, match=r"(checkpoint|continuation) is a string"):
        detect_overlap(*arguments)


def test_the_examples_in_the_docstrings_run():
    results = [doctest.testmod(module) for module in (_overlap, _continuation)]
    assert sum(result.attempted for result in results) >= 4
    assert not any(result.failed for result in results)


# --- what is removed --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checkpoint", "continuation", "whole"),
    [
        pytest.param("The quick brown ", "brown fox", "The quick brown fox", id="word"),
        pytest.param("The quick brown", "brown fox", "The quick brown fox", id="open-word"),
        pytest.param("The quick brown", " brown fox", "The quick brown fox", id="leading-blank"),
        pytest.param("Hello wor", "world!", "Hello world!", id="inside-a-word"),
        pytest.param("This is a ", "a test", "This is a test", id="two-characters"),
        pytest.param("one two ", "one two three", "one two three", id="short-and-whole"),
        pytest.param("all said.", "all said.", "all said.", id="nothing-new"),
        pytest.param('{"name": "Jo', '"name": "John"}', '{"name": "John"}', id="opening-quote"),
        pytest.param("see:\n- an it", "- an item", "see:\n- an item", id="list-mark"),
        pytest.param("abcdefghijklmnopqrstu", "fghijklmnopqrstuvw", None, id="sixteen-anywhere"),
        pytest.param("我喜欢吃苹果", "苹果和香蕉", "我喜欢吃苹果和香蕉", id="chinese"),
        pytest.param("こんにちは、せかい", "せかいよ", "こんにちは、せかいよ", id="japanese"),
        pytest.param("สวัสดีชาวโลก", "โลกใบนี้", "สวัสดีชาวโลกใบนี้", id="thai"),
        pytest.param("これはtest", "testです", "これはtestです", id="change-of-script"),
        pytest.param("go 🚀🎉", "🚀🎉 now", "go 🚀🎉 now", id="astral"),
        pytest.param("un cafe\u0301", "cafe\u0301 noir", "un cafe\u0301 noir", id="marks"),
    ],
)
def test_what_is_said_again_stands_once(checkpoint, continuation, whole):
    expected = whole or "abcdefghijklmnopqrstuvw"
    assert checkpoint + deduplicate_continuation(checkpoint, continuation) == expected
    result = detect_overlap(checkpoint, continuation)
    assert result.has_overlap
    assert result.overlap_length == len(result.overlap_text)
    assert result.overlap_text + result.deduplicated == continuation


@pytest.mark.parametrize(
    ("checkpoint", "continuation"),
    [
        pytest.param("Hello ", "world", id="nothing-in-common"),
        pytest.param("", "world", id="no-checkpoint"),
        pytest.param("Hello ", "", id="no-text"),
        pytest.param("the cat", "at the door", id="chance-inside-a-word"),
        pytest.param("vitamin a", "a", id="one-character"),
        pytest.param("a line\n\n", "\n\nanother", id="blanks-only"),
        pytest.param("wait...", "... for it", id="punctuation-only"),
        pytest.param("| --- |\n", "| --- |\n", id="rule-only"),
        pytest.param("x" + " " * 40, " " * 40, id="many-blanks"),
        pytest.param("I don't", "'t", id="behind-an-apostrophe"),
        pytest.param("they don't", "to", id="rest-of-a-contraction"),
        pytest.param("so they'll", "ll be", id="behind-an-apostrophe-too"),
        pytest.param("それ、それ", "、それ！", id="separator-first-without-blanks"),
        pytest.param("abcdefghijklmnopqrst", "fghijklmnopqrstu", id="fifteen-inside-a-word"),
        pytest.param("pi is 3.14", "1415", id="rest-of-a-number"),
        pytest.param("pi is 3.14", "14", id="decimals"),
        pytest.param("[0, 0, 0", ", 0, 0]", id="separator-first"),
        pytest.param("cafe\u0301", "\u0301 x", id="from-a-mark"),
        pytest.param("hi 👩\u200d🚀!", "🚀! x", id="rest-of-a-joined-emoji"),
        pytest.param("fine 👍🏽!!", "🏽!! x", id="from-a-skin-tone"),
        pytest.param("Hello", "hello there", id="other-case"),
        pytest.param("foo a b", "a   b c", id="other-blanks"),
    ],
)
def test_what_is_new_is_kept(checkpoint, continuation):
    result = detect_overlap(checkpoint, continuation)
    assert (result.has_overlap, result.overlap_length, result.overlap_text) == (False, 0, "")
    assert result.deduplicated == continuation


def test_min_overlap_and_max_overlap_bound_what_counts():
    assert detect_overlap("say abc", "abcd", DeduplicationOptions(min_overlap=3)).has_overlap
    assert not detect_overlap("say abc", "abcd", DeduplicationOptions(min_overlap=4)).has_overlap
    narrow = DeduplicationOptions(max_overlap=3)
    assert detect_overlap("say abc", "abcd", narrow).overlap_length == 3
    assert not detect_overlap("say abcd", "abcde", narrow).has_overlap


def test_the_longest_overlap_wins():
    assert deduplicate_continuation("ab x ab x ab", "ab x ab!") == "!"


# --- repetition -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checkpoint", "continuation", "kept", "removed"),
    [
        ("ha ha ", "ha !", "ha ha ha !", "ha ha !"),
        ("ha ha", " ha !", "ha ha ha !", "ha ha !"),
        ("0 0 0", " 0 0 1", "0 0 0 0 0 1", "0 0 0 1"),
        ("x a b a a b a", " a b a!", "x a b a a b a a b a!", "x a b a a b a!"),
        ("哈哈哈哈", "哈哈！", "哈哈哈哈哈哈！", "哈哈哈哈！"),
    ],
)
def test_what_stands_twice_already_is_repetition_unless_told_otherwise(
    checkpoint, continuation, kept, removed
):
    assert checkpoint + deduplicate_continuation(checkpoint, continuation) == kept
    assert checkpoint + deduplicate_continuation(checkpoint, continuation, REMOVE) == removed


def test_a_repetition_said_again_in_whole_stands_there_once_and_is_an_overlap():
    assert "ha ha " + deduplicate_continuation("ha ha ", "ha ha !") == "ha ha !"


def test_repetition_is_seen_beyond_what_is_compared():
    options = DeduplicationOptions(max_overlap=3)
    assert deduplicate_continuation("ha ha ", "ha !", options) == "ha !"


def test_repetition_is_seen_as_it_is_compared():
    options = FOLDED.replace(normalize_whitespace=True)
    assert deduplicate_continuation("Ha  hA ", "ha !", options) == "ha !"
    assert deduplicate_continuation("Ha  hA ", "ha !", options.replace(repeats="remove")) == "!"


def test_a_repetition_is_not_cut_into_a_shorter_overlap():
    """Once the longest overlap is judged real, nothing of the text is taken for an overlap."""
    twice = "the cat the " * 2
    assert deduplicate_continuation(twice, "the cat the dog") == "the cat the dog"


# --- folded comparison ------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("checkpoint", "continuation", "options", "whole"),
    [
        pytest.param("foo a b", "a   b c", BLANKS, "foo a b c", id="longer-run"),
        pytest.param("foo a \n\t b", "a b c", BLANKS, "foo a \n\t b c", id="shorter-run"),
        pytest.param("foo bar\n\n", "bar baz", BLANKS, "foo bar\n\nbaz", id="other-run-at-the-end"),
        pytest.param("foo bar\n", "bar\n\nbaz", BLANKS, "foo bar\n\nbaz", id="run-cut-in-two"),
        pytest.param("foo bar ", "bar\n\nbaz", BLANKS, "foo bar baz", id="run-told-otherwise"),
        pytest.param("foo bar ", "bar\u3000baz", BLANKS, "foo bar baz", id="wide-blank"),
        pytest.param("Say HELLO", "Hello there", FOLDED, "Say HELLO there", id="case"),
        pytest.param("eine groß", "GROSSE Stadt", FOLDED, "eine großE Stadt", id="grown-there"),
        pytest.param("eine GROSS", "große Stadt", FOLDED, "eine GROSSe Stadt", id="grown-here"),
        pytest.param("in İzmir", "i\u0307zmir now", FOLDED, "in İzmir now", id="dotted-i"),
        pytest.param("in i\u0307zmir", "İZMİR", FOLDED.replace(min_overlap=3), None, id="no-match"),
    ],
)
def test_folded_text_is_compared_and_the_cut_mapped_back(checkpoint, continuation, options, whole):
    released = deduplicate_continuation(checkpoint, continuation, options)
    assert checkpoint + released == (whole or checkpoint + continuation)
    for size in (1, 2, 3):
        pieces = [continuation[at : at + size] for at in range(0, len(continuation), size)]
        assert resume(checkpoint, pieces, options, restatement=False).text == checkpoint + released


def test_a_cut_inside_a_character_is_no_cut():
    assert not detect_overlap("der Stras", "Straße", FOLDED).has_overlap
    assert not detect_overlap("der ß", "ss", FOLDED.replace(min_overlap=2)).has_overlap
    assert not detect_overlap("a \ufb01", "i!", FOLDED.replace(min_overlap=1)).has_overlap


def test_blanks_compared_as_one_count_as_one():
    assert not detect_overlap("abcdef" + " " * 20, "def ghi", BLANKS).has_overlap


def test_blanks_that_may_go_on_are_waited_for_and_no_longer():
    items = ["bar", "\n", "\n", " ", " ", "baz", "!"]
    run = resume("foo bar \t", items, BLANKS)
    assert run.steps == [[], [], [], [], [], ["baz"], ["!"], []]
    run = resume("foo bar\n\n", items, BLANKS)
    assert run.steps == [[], [], [], [" "], [" "], ["baz"], ["!"], []]


# --- arriving text ----------------------------------------------------------------------------


def test_a_repeated_word_is_dropped_and_the_rest_passes():
    run = resume("The quick brown ", ["brown ", "fox"])
    assert run.text == "The quick brown fox"
    assert run.steps == [[], ["fox"], []]
    assert (run.matcher.decided_by, run.matcher.overlap_text) == ("boundary", "brown ")


def test_one_character_tokens_are_withheld_until_the_boundary_only():
    run = resume("Hello wor", list("world!"))
    assert run.text == "Hello world!"
    assert run.steps == [[], [], [], ["l"], ["d"], ["!"], []]
    assert (run.matcher.overlap_length, run.matcher.withheld_chars) == (3, 3)


def test_without_overlap_withheld_text_comes_out_in_order():
    run = resume("Hello wor", ["wo", "", "n", "derful"])
    assert run.steps == [[], [], ["wo", "n"], ["derful"], []]
    assert (run.matcher.decided_by, run.matcher.withheld_chars) == ("mismatch", 2)
    assert run.matcher.overlap_length == 0


def test_each_resume_drops_its_own_overlap():
    text = ""
    for items in (["one ", "two "], ["two ", "three "], ["three ", "four"]):
        text = resume(text, items).text
    assert text == "one two three four"


def test_a_token_across_the_boundary_is_released_shortened():
    run = resume("The quick brown ", ["quick", " brown fox", " jumps"])
    assert run.steps == [[], ["fox"], [" jumps"], []]


def test_text_no_ending_begins_with_passes_at_once():
    run = resume("Hello wor", ["xyz", "wor"])
    assert run.steps == [["xyz"], ["wor"], []]
    assert run.matcher.decided_by == "mismatch"


def test_the_end_of_the_source_decides_on_what_there_is():
    run = resume("Hello world", ["wo"])
    assert run.steps == [[], ["wo"]]
    assert run.matcher.decided_by == "end"
    run = resume("say yes and yes or", ["yes"])
    assert (run.text, run.matcher.overlap_length) == ("say yes and yes oryes", 0)
    run = resume("or no and no", ["no"])
    assert (run.text, run.matcher.overlap_text) == ("or no and no", "no")
    run = resume("Hello world", [])
    assert (run.matcher.decided, run.matcher.decided_by) == (True, "end")
    assert run.matcher.finish() == []


def test_other_events_wait_behind_withheld_text_and_only_there():
    first, second, third = object(), object(), object()
    run = resume("The quick brown ", [first, "brown", second, " fox", third])
    assert run.steps == [[first], [], [], [second, "fox"], [third], []]
    run = resume("The quick brown ", ["br", first, "ed", second])
    assert run.steps == [[], [], ["br", first, "ed"], [second], []]


def test_without_deduplication_nothing_is_looked_at():
    matcher = OverlapMatcher("Hello wor", ContinuationConfig(deduplicate=False))
    assert matcher.decided
    assert matcher.feed("wor") == ["wor"]
    assert matcher.finish() == []
    assert (matcher.overlap_length, matcher.restated_at, matcher.withheld_chars) == (0, None, 0)


# --- restatement ------------------------------------------------------------------------------


def test_a_source_that_starts_over_and_differs_replaces_the_text_from_there():
    other = OPENING + "a cat ruled."
    run = resume(STORY, list(other))
    assert run.text == other
    assert run.matcher.decided_by == "restatement"
    assert run.matcher.restated_at == len(OPENING)
    assert run.matcher.overlap_text == OPENING
    assert run.matcher.withheld_chars == len(OPENING)
    assert run.steps[len(OPENING) - 1 : len(OPENING) + 2] == [[], ["a"], [" "]]


def test_a_source_that_repeats_everything_adds_only_what_is_new():
    for checkpoint in (STORY, STORY * 20):
        run = resume(checkpoint, [checkpoint[:50], checkpoint[50:] + " The", " end."])
        assert run.text == checkpoint + " The end."
        assert run.released == [" The", " end."]
        assert (run.matcher.decided_by, run.matcher.restated_at) == ("restatement", None)
        assert run.matcher.overlap_text == checkpoint


def test_a_short_checkpoint_said_again_in_whole_is_an_overlap():
    run = resume("Hello wor", ["Hello world"])
    assert run.text == "Hello world"
    assert (run.matcher.decided_by, run.matcher.restated_at) == ("boundary", None)
    narrow = DeduplicationOptions(max_overlap=4)
    run = resume("Hello wor", ["Hello ", "world"], narrow)
    assert run.text == "Hello world"
    assert (run.matcher.decided_by, run.matcher.overlap_text) == ("restatement", "Hello wor")


def test_fewer_than_32_characters_in_common_are_no_restatement():
    run = resume(STORY, [STORY[:31], "#"])
    assert (run.text, run.matcher.restated_at) == (STORY + STORY[:31] + "#", None)
    run = resume(STORY, [STORY[:32], "#"])
    assert (run.text, run.matcher.restated_at) == (STORY[:32] + "#", 32)


def test_an_ending_inside_a_short_restatement_is_an_overlap():
    run = resume("The cat sat. The", list("The cat ran."))
    assert run.text == "The cat sat. The cat ran."
    assert (run.matcher.overlap_text, run.matcher.decided_by) == ("The", "mismatch")


def test_the_reading_that_failed_last_says_what_decided():
    """An ending after three characters still waits until the restatement is ruled out."""
    options = DeduplicationOptions(max_overlap=5)
    run = resume("The cat sat. The", list("The cat ran."), options)
    assert (run.matcher.overlap_text, run.matcher.decided_by) == ("The", "mismatch")
    run = resume("The cat sat. The", list("The#"), options)
    assert run.steps == [[], [], [], ["#"], []]
    assert run.matcher.decided_by == "mismatch"
    run = resume("The cat sat. The", list("The#"), options, restatement=False)
    assert run.steps == [[], [], [], ["#"], []]
    assert run.matcher.decided_by == "boundary"


def test_from_32_characters_on_a_restatement_wins_over_an_ending():
    run = resume(STORY + " " + OPENING, [OPENING + "something else"])
    assert run.text == OPENING + "something else"
    assert run.matcher.restated_at == len(OPENING)


def test_an_ending_that_agrees_further_than_the_restatement_wins():
    """Records that begin alike: the source repeats the broken one, it doesn't start over."""
    row = '{"kind": "measurement", "unit": "K", "id": '
    checkpoint = f'{row}1, "value": 3}}\n{row}2, "va'
    rest = 'lue": 4}\n'
    run = resume(checkpoint, list(f'{row}2, "va{rest}'))
    assert run.text == checkpoint + rest
    assert (run.matcher.decided_by, run.matcher.restated_at) == ("boundary", None)


def test_a_longer_ending_that_fails_after_the_restatement_leaves_the_restart():
    row = '{"kind": "measurement", "unit": "K", "id": '
    checkpoint = f'{row}1, "value": 3}}\n{row}2, "va'
    run = resume(checkpoint, list(f"{row}2, other"))
    assert run.text == f"{row}2, other"
    assert (run.matcher.decided_by, run.matcher.restated_at) == ("restatement", len(row))
    assert run.matcher.withheld_chars == len(row) + 3


def test_a_source_that_starts_over_and_ends_early_has_said_all_it_has_to_say():
    run = resume(STORY, [OPENING])
    assert run.text == OPENING
    assert (run.matcher.decided_by, run.matcher.restated_at) == ("restatement", len(OPENING))
    run = resume(STORY, [OPENING[:20]])
    assert run.text == STORY + OPENING[:20]


def test_a_source_that_says_the_last_words_again_and_ends_takes_nothing_back():
    checkpoint = STORY + " " + OPENING
    run = resume(checkpoint, [OPENING])
    assert (run.text, run.matcher.decided_by) == (checkpoint, "end")


def test_blanks_and_punctuation_in_common_are_no_restatement():
    rule = "-" * 40
    run = resume(rule + " a", [rule + " b"])
    assert (run.text, run.matcher.restated_at) == (rule + " a" + rule + " b", None)
    run = resume(" " * 40, [" " * 40 + "text"])
    assert run.text == " " * 80 + "text"


def test_restatement_can_be_switched_off():
    run = resume(STORY, [OPENING, "a cat ruled."], restatement=False)
    assert run.text == STORY + OPENING + "a cat ruled."
    assert run.released == [OPENING, "a cat ruled."]


def test_a_folded_restatement_keeps_only_what_agrees_to_the_letter():
    other = "Once upon a Time, in a valley far away, a cat ruled."
    run = resume(STORY, [other], FOLDED)
    assert run.text == other
    assert run.matcher.restated_at == len("Once upon a ")
    run = resume(STORY, [STORY.upper() + " The end."], FOLDED)
    assert run.text == STORY + " The end."


def test_a_folded_restatement_that_ends_inside_a_character_replaces_the_text():
    checkpoint = OPENING + "in einer Stras"
    other = OPENING + "in einer Straße."
    run = resume(checkpoint, list(other), FOLDED)
    assert (run.text, run.matcher.restated_at) == (other, len(checkpoint) - 1)


def test_a_long_checkpoint_is_folded_in_one_piece():
    checkpoint = "word " * 818 + " " * 20 + "end "  # a run of blanks around offset 4096
    run = resume(checkpoint, ["word " * 818, " end of it"], BLANKS)
    assert run.text == checkpoint + "of it"
    assert run.matcher.decided_by == "restatement"


def test_events_behind_a_restatement_come_after_the_kept_text():
    event = object()
    run = resume(STORY, [OPENING[:10], event, OPENING[10:], "a cat ruled."])
    assert run.released == [event, "a cat ruled."]
    assert run.text == OPENING + "a cat ruled."


# --- cost -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(lambda n: ("foo bar ", "bar" + "\n" * n), id="blanks"),
        pytest.param(lambda n: ("foo bar" + "\t" * n, "bar" + "\t" * n), id="same-blanks"),
        pytest.param(lambda n: ("a" * n, "a" * (n - 1) + "b"), id="one-letter"),
        pytest.param(lambda n: ("ab" * (n // 2) + "a", "ba" * (n // 2) + "!"), id="two-letters"),
        pytest.param(lambda n: (STORY * (n // 100), STORY * (n // 100)), id="restated"),
        pytest.param(lambda n: ("a" * (n // 2) + "b" + "a" * (n // 2), "a" * n), id="borders"),
    ],
)
def test_the_work_grows_with_the_text_and_no_faster(text):
    """Counted in lines executed: ten times the text costs at most eleven times as many."""

    def lines(size):
        checkpoint, continuation = text(size)
        options = DeduplicationOptions(max_overlap=size, normalize_whitespace=checkpoint[0] == "f")
        matcher = OverlapMatcher(checkpoint, ContinuationConfig(deduplication=options))
        counter = itertools.count()

        def trace(frame, event, _):
            if event == "line" and "_overlap" in frame.f_code.co_filename:
                next(counter)
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            for character in continuation:
                matcher.feed(character)
            matcher.finish()
        finally:
            sys.settrace(before)
        return next(counter)

    assert lines(4000) <= 11 * lines(400)


@pytest.mark.parametrize("length", [0, 1, 255, 256, 257, 512, 700])
def test_the_beginning_in_common_is_measured_to_the_letter(length):
    assert common_length("a" * length, "a" * length) == length
    assert common_length("a" * length + "b", "a" * length + "c") == length
    assert common_length("a" * length + "b", "a" * length) == length


def test_a_long_text_without_candidates_is_not_kept():
    matcher = OverlapMatcher("Hello wor")
    for _ in range(1000):
        assert matcher.feed("xyz") == ["xyz"]
    assert matcher.withheld_chars == 0


def test_records_that_open_alike_are_gone_on_with():
    """An exact continuation at a line of a log is no restatement, though it stood first."""
    line = "2026-01-01 00:00:00 INFO api.requests: "
    checkpoint = f"{line}one\n{line}two\n"
    run = resume(checkpoint, [f"{line}three\n"])
    assert run.text == f"{checkpoint}{line}three\n"
