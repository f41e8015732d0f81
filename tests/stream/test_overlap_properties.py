"""The matcher equals a plain reading of its rules, for any text and any way to cut it."""

from __future__ import annotations

import itertools
import re
from dataclasses import dataclass

from hypothesis import assume, example, given, settings
from hypothesis import strategies as st

from l0.stream._overlap import (
    ContinuationConfig,
    DeduplicationOptions,
    OverlapMatcher,
    detect_overlap,
)

DEFAULT = DeduplicationOptions()
ALPHABETS = (
    "ab",
    "ab ",
    "a b,",
    "aB b\n",
    "sßS ",
    "iİ\u0307I ",
    "字a ",
    "字木",
    "😀a \u0301",
    "\t \nx",
)

options = st.builds(
    DeduplicationOptions,
    min_overlap=st.integers(1, 4),
    max_overlap=st.sampled_from([4, 9, 40, 500]),
    case_sensitive=st.booleans(),
    normalize_whitespace=st.booleans(),
    repeats=st.sampled_from(["keep", "remove"]),
)
plain_options = options.map(lambda o: o.replace(case_sensitive=True, normalize_whitespace=False))


@st.composite
def pairs(draw, long=60):
    """A checkpoint, and a text that often begins with a part of it."""
    text = st.text(st.sampled_from(draw(st.sampled_from(ALPHABETS))), max_size=long)
    opening = draw(st.sampled_from(["", "The very same beginning of all lines: "]))
    checkpoint = opening + draw(text)
    if draw(st.booleans()):
        checkpoint += opening + draw(text)
    start = draw(st.integers(0, len(checkpoint)))
    stop = draw(st.integers(start, len(checkpoint)) | st.just(len(checkpoint)))
    said_again = checkpoint[start:stop]
    if draw(st.booleans()):
        said_again = draw(st.sampled_from([opening, checkpoint]))
    if draw(st.booleans()):
        said_again = draw(st.sampled_from([str.swapcase, widened]))(said_again)
    return checkpoint, said_again + draw(text)


@st.composite
def cuts(draw, text):
    """The text as tokens: each character alone, all at once, or cut anywhere."""
    way = draw(st.sampled_from(["characters", "whole", "anywhere"]))
    if way == "characters":
        return list(text)
    places = draw(st.lists(st.integers(0, len(text)), max_size=8)) if way == "anywhere" else []
    places = [0, *sorted(places), len(text)]
    return [text[a:b] for a, b in itertools.pairwise(places) if a < b]


def widened(text):
    return re.sub(r"\s", r"\g<0> ", text)


@dataclass
class Outcome:
    """All a matcher tells, and the text it released."""

    released: str
    overlap_length: int
    overlap_text: str
    restated_at: int | None
    decided_by: str
    withheld_chars: int


def outcome(checkpoint, tokens, chosen, *, restatement=True):
    config = ContinuationConfig(deduplication=chosen, restatement=restatement)
    matcher = OverlapMatcher(checkpoint, config)
    released = [item for token in tokens for item in matcher.feed(token)] + matcher.finish()
    assert matcher.decided
    # Only a token cut by the boundary may be shortened, and none comes out empty.
    assert all(released)
    return Outcome(
        "".join(released),
        matcher.overlap_length,
        matcher.overlap_text,
        matcher.restated_at,
        matcher.decided_by,
        matcher.withheld_chars,
    )


# --- a plain reading of the rules -------------------------------------------------------------


def folded(text, chosen):
    if not chosen.case_sensitive:
        text = text.casefold()
    return re.sub(r"\s+", " ", text) if chosen.normalize_whitespace else text


def in_common(left, right):
    same = itertools.takewhile(lambda pair: pair[0] == pair[1], zip(left, right, strict=False))
    return sum(1 for _ in same)


def word_starts(text, at):
    """Where words begin in texts of letters, blanks, commas and marks."""
    if at == 0:
        return True
    before, here = text[at - 1], text[at]
    if here in "\u0307\u0301":
        return False
    if here.isspace() or here in "字木":
        return True
    if before in "字木":
        return here.isalnum()
    return not (before.isalnum() or before in "\u0307\u0301")


def plain_ending(checkpoint, text, chosen):
    """(compared length, cut) of the longest ending that counts, repetition not yet considered."""
    best = (0, 0)
    base = max(0, len(checkpoint) - chosen.max_overlap)
    for start in range(base, len(checkpoint)):
        ending = checkpoint[start:]
        inside_blanks = start > base and checkpoint[start - 1 : start + 1].isspace()
        if chosen.normalize_whitespace and inside_blanks:
            continue
        compared = folded(ending, chosen)
        chars = min(len(ending), len(compared))
        if chars < chosen.min_overlap or len(compared) <= best[0]:
            continue
        if not any(c.isalnum() or c == "😀" for c in ending):
            continue
        if chars < 16 and not word_starts(checkpoint, start):
            continue
        cut = plain_cut(checkpoint, text, compared, chosen)
        if cut is not None:
            best = (len(compared), cut)
    return best


def plain_cut(checkpoint, text, compared, chosen):
    """The longest beginning of the text that is compared as `compared`."""
    fitting = [n for n in range(len(text) + 1) if folded(text[:n], chosen) == compared]
    if not fitting:
        return None
    cut = fitting[-1]
    if chosen.normalize_whitespace and compared.endswith(" "):
        known = re.search(r"\s*\Z", checkpoint).group()
        start = len(text[:cut].rstrip())
        if text[start:].startswith(known):
            cut = start + len(known)
    return cut


def plain_repetition(checkpoint, compared, chosen):
    if chosen.repeats == "remove":
        return False
    unit = compared
    if compared[0].isspace():
        sizes = range(1, len(compared) + 1)
        fits = (n for n in sizes if compared[:n] * (len(compared) // n) == compared)
        unit = compared[: next(fits)]
    end = folded(checkpoint[-2 * chosen.max_overlap :], chosen)
    return end.endswith(unit.lstrip() + unit)


def plain(checkpoint, text, chosen, *, restatement=True):
    """(restated_at, overlap_length) as the rules say, with the whole text at hand."""
    if not checkpoint:
        return None, 0
    whole, arrived = folded(checkpoint, chosen), folded(text, chosen)
    length, cut = plain_ending(checkpoint, text, chosen)
    agreed = in_common(whole, arrived) if restatement else 0
    substance = any(c.isalnum() or c == "😀" for c in whole[:agreed])
    passed = agreed == len(whole) and restatement
    end_of_checkpoint = folded(checkpoint[-chosen.max_overlap :], chosen)
    short = passed and len(end_of_checkpoint) < agreed and agreed >= chosen.min_overlap
    only_an_ending = agreed == len(arrived) < len(whole) and length == agreed
    again = checkpoint.endswith("\n") and checkpoint.find(text[:agreed], 1) != -1
    again = again and not passed
    started_over = substance and (agreed >= 32 or short) and not again
    if started_over and length <= agreed and not only_an_ending:
        if passed:
            cut = plain_cut(checkpoint, text, whole, chosen)
            if cut is not None:
                return None, cut
        same = in_common(checkpoint, text)
        return same, same
    if length and plain_repetition(checkpoint, end_of_checkpoint[-length:], chosen):
        return None, 0
    return None, cut


# --- properties -------------------------------------------------------------------------------


@settings(max_examples=400, deadline=None)
@given(pairs(), options, st.booleans(), st.data())
@example(("x a \t", "a  b"), DeduplicationOptions(normalize_whitespace=True), True, None)
@example(("a" * 60, "a" * 59), DEFAULT, True, None)
def test_any_split_gives_what_the_rules_say(pair, chosen, restatement, data):
    checkpoint, text = pair
    tokens = data.draw(cuts(text)) if data else list(text)
    found = outcome(checkpoint, tokens, chosen, restatement=restatement)
    assert (found.restated_at, found.overlap_length) == plain(
        checkpoint, text, chosen, restatement=restatement
    )


@settings(max_examples=400, deadline=None)
@given(pairs(), options, st.data())
def test_all_splits_are_alike_in_every_attribute(pair, chosen, data):
    checkpoint, text = pair
    one_by_one = outcome(checkpoint, list(text), chosen)
    assert outcome(checkpoint, data.draw(cuts(text)), chosen) == one_by_one
    assert outcome(checkpoint, [text] if text else [], chosen) == one_by_one


@settings(max_examples=200, deadline=None)
@given(pairs(), options, st.data())
def test_what_is_released_is_the_text_behind_the_overlap(pair, chosen, data):
    """Nothing is lost and nothing invented; a restart reproduces the source's own text."""
    checkpoint, text = pair
    found = outcome(checkpoint, data.draw(cuts(text)), chosen)
    assert found.released == text[found.overlap_length :]
    assert found.overlap_text == text[: found.overlap_length]
    if found.restated_at is not None:
        assert found.decided_by == "restatement"
        assert checkpoint[: found.restated_at] + found.released == text


@settings(max_examples=200, deadline=None)
@given(pairs(), options, st.data())
def test_the_matcher_and_one_look_at_the_whole_agree(pair, chosen, data):
    checkpoint, text = pair
    found = outcome(checkpoint, data.draw(cuts(text)), chosen, restatement=False)
    result = detect_overlap(checkpoint, text, chosen)
    assert result.overlap_length == found.overlap_length
    assert result.overlap_text == found.overlap_text
    assert result.deduplicated == found.released
    assert result.has_overlap == bool(found.overlap_length)


@settings(max_examples=200, deadline=None)
@given(pairs(), plain_options, st.booleans())
def test_text_is_withheld_while_a_longer_candidate_lives_and_no_longer(pair, chosen, restatement):
    checkpoint, text = pair
    assume(checkpoint)
    config = ContinuationConfig(deduplication=chosen, restatement=restatement)
    matcher = OverlapMatcher(checkpoint, config)
    end = checkpoint[-chosen.max_overlap :]
    lives = True
    for size, character in enumerate(text, 1):
        released = matcher.feed(character)
        longer = (end[-k:] for k in range(size + 1, len(end) + 1))
        lives = lives and (
            any(candidate.startswith(text[:size]) for candidate in longer)
            or (restatement and size < len(checkpoint) and checkpoint.startswith(text[:size]))
        )
        assert matcher.decided == (not lives)
        assert not (lives and released)


@st.composite
def resumptions(draw):
    """A text of words, where its checkpoint ends, and where at a word start the source goes on."""
    word = st.text(st.sampled_from("abcdeß字"), min_size=1, max_size=6) | st.sampled_from(
        ["ha", "the", "no", "aaa"]
    )
    gap = st.sampled_from([" ", " ", " ", "  ", "\n\n", ", ", ". "])
    parts = draw(st.lists(st.tuples(word, gap), min_size=2, max_size=40))
    text = "".join(a + b for a, b in parts)
    end = draw(st.integers(1, len(text)))
    starts = [m.start() for m in re.finditer(r"(?<!\w)\w", text[:end])]
    return text, end, draw(st.sampled_from(starts))


@settings(max_examples=400, deadline=None)
@given(resumptions(), options, st.data())
def test_a_source_that_says_its_last_words_again_completes_the_text(resumption, chosen, data):
    """Checkpoint and released text are the text, unless the rules read it otherwise.

    They do where

    1. what is said again is too short, or longer than `max_overlap`,
    2. a longer ending of the checkpoint begins the continuation too,
    3. what is said again stands twice in a row at the checkpoint's end,
    4. the continuation agrees with the beginning of the checkpoint for 32 characters or more,
       and with no ending that is longer than that agreement.
    """
    text, end, start = resumption
    checkpoint, continuation = text[:end], text[start:]
    said_again = checkpoint[start:]
    compared = folded(said_again, chosen)
    chars = min(len(compared), len(said_again))
    assume(chosen.min_overlap <= chars and len(said_again) <= chosen.max_overlap)
    arrived = folded(continuation, chosen)
    longer = (folded(checkpoint[k:], chosen) for k in range(start))
    assume(not any(arrived.startswith(x) and len(x) > len(compared) for x in longer))
    assume(not folded(checkpoint, chosen).endswith(compared * 2) or chosen.repeats == "remove")
    agreed = in_common(folded(checkpoint, chosen), arrived)
    assume(agreed < 32 or len(compared) > agreed or start == 0)
    found = outcome(checkpoint, data.draw(cuts(continuation)), chosen)
    assert checkpoint[: found.restated_at] + found.released == text


@settings(max_examples=200, deadline=None)
@given(resumptions(), st.data())
def test_a_source_that_has_nothing_in_common_is_appended_whole(resumption, data):
    checkpoint, _, _ = resumption
    continuation = data.draw(st.text(st.sampled_from("XYZ-+ "), min_size=1, max_size=40))
    assume(continuation[0] in "XYZ")
    found = outcome(checkpoint, data.draw(cuts(continuation)), DEFAULT)
    assert found.released == continuation
    assert found.overlap_length == 0


@settings(max_examples=200, deadline=None)
@given(resumptions(), st.data())
def test_events_keep_their_place_among_the_text_that_is_released(resumption, data):
    """An event comes out before exactly the text that came in behind it."""
    text, end, start = resumption
    tokens = data.draw(cuts(text[start:]))
    items = []
    for number, token in enumerate(tokens):
        items += [token, number] if data.draw(st.booleans()) else [token]
    matcher = OverlapMatcher(text[:end])
    released = [out for item in items for out in matcher.feed(item)] + matcher.finish()
    assert [x for x in released if isinstance(x, int)] == [x for x in items if isinstance(x, int)]
    behind_in, behind_out = _text_behind(items), _text_behind(released)
    total = sum(map(len, tokens)) - matcher.overlap_length
    for event, length in behind_in.items():
        assert behind_out[event] == min(length, total)


def _text_behind(items):
    behind, length = {}, 0
    for item in reversed(items):
        if isinstance(item, str):
            length += len(item)
        else:
            behind[item] = length
    return behind
