"""The repetition rule finds loops and sentences that come again."""

import pytest
from guardrail_helpers import cut_texts, every, judged, noise, pieces, prose, told
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.guardrails import repetition_rule
from l0.guardrails._loop import LoopMeter, folded, similarity
from l0.guardrails._sentences import SentenceCounter

LOOP = "The text repeats itself"


def found(text, size=5, *, finish=True, **options):
    """Offset and message of each violation."""
    violations = judged([repetition_rule(**options)], every(text, size), finish=finish)
    return [(v.position, v.message) for v in violations]


@pytest.mark.parametrize(
    "unit", ["the ", "na", "ab", "and on and on and on. ", "x1 ", "0", "long period text, really "]
)
def test_a_loop_is_found_while_it_runs(unit):
    """Whatever its period, up to the window; once, where the row of hits begins."""
    text = prose(300) + unit * (600 // len(unit))
    ((position, message),) = found(text, finish=False, sentence_check=False)
    assert message == LOOP
    assert 200 <= position <= 400


def test_a_loop_that_stops_and_comes_again_is_told_twice():
    """Each row of hits is one."""
    text = "go on " * 100 + prose(500) + "well now " * 60
    assert [message for _, message in found(text, sentence_check=False)] == [LOOP, LOOP]


@pytest.mark.parametrize(
    "text",
    [
        prose(5000),
        "=" * 2000,
        "- - - - " + "-" * 500,
        "\n" * 1000 + " " * 1000,
        "```\n" + "the " * 500 + "\n```\n" + prose(100),
        "!" * 900,
        "ha ha ha!",
    ],
)
def test_text_that_only_looks_repetitive_is_fine(text):
    """Blanks and repeated punctuation are folded, fenced code is left out."""
    assert found(text) == []


def half_repeated(length):
    """Of every fifty characters the first twenty are new and the other thirty are not."""
    units = (noise(20, seed) + "the rest of it is always same," for seed in range(length))
    return "".join(units)[:length]


def test_half_a_match_counts_at_two_marks_in_a_row():
    """Above the threshold, but not above 0.9; the row begins with the window of the first mark."""
    options = {"sentence_check": False}
    assert found(half_repeated(230), **options) == []
    assert found(half_repeated(330), **options) == [(100, LOOP)]
    assert found(half_repeated(330), threshold=0.75, **options) == []


def test_the_threshold_can_be_lowered():
    """A window half of which repeats."""
    text = ("abcdefghijklmnopqrst" + "uvw" * 3 + "?") * 2
    assert found(text, window=32, threshold=0.2, sentence_check=False) == [(0, LOOP)]


# --- sentences ---------------------------------------------------------------------------------


SENTENCE = "The same old story goes on and on. "


def test_a_sentence_seen_three_times_is_told_once():
    """At its third coming, whatever its case and blanks."""
    text = SENTENCE + prose(90) + ". " + SENTENCE.upper() + SENTENCE.replace(" ", "  ") + SENTENCE
    ((position, message),) = found(text)
    assert text[position:].startswith("The  same")
    assert message == "Sentence repeated: The same old story goes on and on"


@pytest.mark.parametrize(
    ("sentence", "counts"),
    [
        ("One two three four five six.", True),
        ("One two three four five six!", True),
        ("One two three four five six\n", True),
        ("古池や蛙飛びこむ水の音古池や蛙飛びこむ水の音。", True),
        ("One two three fo six.", False),
        ("Extraordinary long-winded words.", False),
        ("- One two three four five six.\n", False),
        ("1. One two three four five six.\n", False),
        ("  2) One two three four five six.\n", False),
        ("| One two three four | five six. |\n", False),
        ("## One two three four five six.\n", False),
        ("> One two three four five six.\n", False),
        ("1.5 One two three four five six is it.\n", True),
        ("One two three four five six", False),
    ],
)
def test_which_sentences_count(sentence, counts):
    """More than 20 characters, four words or no blanks, ended, and in prose."""
    text = "\n".join(f"{sentence} {prose(40, seed)}.\n" for seed in range(3))
    assert any("Sentence" in message for _, message in found(text)) is counts


def test_how_often_can_be_chosen():
    """And the check can be left out."""
    text = SENTENCE + prose(80) + ". " + SENTENCE
    assert found(text) == []
    assert len(found(text, sentence_repeat_count=2)) == 1
    assert found(SENTENCE * 2, sentence_repeat_count=2, sentence_check=False) == []


def test_a_sentence_without_end_is_not_kept():
    """What is remembered is bounded, and older sentences are forgotten in the end."""
    counter = SentenceCounter(2)
    assert counter.feed("a b c d " * 10_000, 0) is None
    assert len(counter._text) == 2001
    assert counter.feed(". " + SENTENCE, 0) is None
    for number in range(25_000):
        counter.feed(f"Sentence number {number} is another one. ", 0)
    assert len(counter._recent) + len(counter._earlier) <= 20_000
    assert counter.feed(SENTENCE, 0) is None
    assert counter.feed(SENTENCE, 0) is not None


# --- measuring ---------------------------------------------------------------------------------


@settings(max_examples=120, deadline=None)
@given(cut_texts(st.text(st.sampled_from(" \n\t.!-=abA。…ー😀_"), max_size=60)))
def test_folding_in_pieces_is_folding_at_once(sample):
    """Blank runs become one blank, runs of one punctuation mark one mark."""
    text, cuts = sample
    grown = ""
    for part in pieces(text, cuts):
        grown += folded(part, grown[-1:])
    assert grown == folded(text, "")
    assert "  " not in grown
    assert ".." not in grown


def test_letters_and_emoji_are_not_folded():
    """Only blanks and punctuation."""
    assert folded("aa  bb\n\n..!!😀😀 __ ==", "") == "aa bb .!😀😀 _ ="


@settings(max_examples=80, deadline=None)
@given(st.text("ab ", min_size=40, max_size=200), st.integers(32, 50))
def test_similarity_is_the_share_of_characters_a_period_before(text, window):
    """Against its definition, character by character."""
    end = len(text)
    final = text[-16:]
    places = [
        at for at in range(max(0, end - 16 - window), end - 16) if text[at : at + 16] == final
    ]
    expected = 0.0
    if places:
        period = end - 16 - places[-1]
        expected = (
            sum(
                text[at] == text[at - period]
                for at in range(max(0, end - window), end)
                if at >= period
            )
            / window
        )
    assert similarity(text, end, window) == pytest.approx(expected)


@settings(max_examples=100, deadline=None)
@given(cut_texts(st.text("ab .\n", max_size=300)))
def test_the_meter_says_where_its_windows_begin(sample):
    """Offsets in the text as it came, at each mark and at the end."""
    text, cuts = sample
    meter, start, marks = LoopMeter(32), 0, []
    for part in pieces(text, cuts):
        marks += meter.feed(part, start) or ()
        start += len(part)
    last = meter.finish()
    fold = folded(text, "")
    assert [share for share, _ in marks] == [
        similarity(fold, mark, 32) for mark in range(64, len(fold) + 1, 32)
    ]
    for number, (_, at) in enumerate(marks, 1):
        assert folded(text[:at], "") in {fold[: number * 32], fold[: number * 32] + " "}
        assert folded(text[at], "") == fold[number * 32]
    assert (last is None) == (len(fold) == 0 or (len(fold) >= 64 and len(fold) % 32 == 0))


@pytest.mark.parametrize(
    ("options", "named"),
    [
        ({"window": 10}, "window"),
        ({"threshold": 0}, "threshold"),
        ({"threshold": 1.5}, "threshold"),
        ({"sentence_repeat_count": 1}, "sentence_repeat_count"),
        ({"sentence_repeat_count": "often"}, "sentence_repeat_count"),
        ({"window": 100.5}, "window"),
        ({"threshold": "half"}, "threshold"),
    ],
)
def test_bad_numbers_are_named(options, named):
    """When the rule is made."""
    with pytest.raises(ValueError, match=f"^{named}: "):
        repetition_rule(**options)


def test_repetition_acts_early():
    """Its findings are final."""
    assert repetition_rule().early
    assert told([repetition_rule()], ["the " * 100], finish=False)
