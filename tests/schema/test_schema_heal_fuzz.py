"""Random documents and random damage: what must hold whatever is in the text."""

from __future__ import annotations

import json

from hypothesis import given, settings
from hypothesis import strategies as st
from malformed_corpus import DOCUMENTS, same

from l0.schema import PartialParser, auto_correct_json, extract_json, is_valid_json

BAIT = st.sampled_from(
    [
        *("https://x.org//y", "/* c */", "// d", "# e", ",}", ",]", "{", "}", "[", "]", '"', "\\"),
        *("'", "```", "```json\n", "True", "NaN", "\n", "\t", "\x00", "“", "...", '": '),
        *("\ud83d", "😀"),
    ]
)
TEXTS = st.lists(BAIT | st.text(max_size=4), max_size=4).map("".join)
FLOATS = st.floats(allow_nan=False, allow_infinity=False)
SCALARS = st.none() | st.booleans() | st.integers() | TEXTS | FLOATS
VALUES = st.recursive(
    SCALARS,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXTS, inner, max_size=4),
    max_leaves=12,
)
OBJECTS = st.dictionaries(TEXTS, VALUES, min_size=1, max_size=4)
DATA = OBJECTS | st.lists(VALUES, min_size=2, max_size=4)
WRITTEN = st.tuples(DATA, st.sampled_from([None, 0, 2]), st.booleans()).map(
    lambda made: json.dumps(made[0], indent=made[1], ensure_ascii=made[2])
)
PIECES = ["{", "}", "[", "]", ":", ",", '"', "'", '"b"', "1", "-", "true", "None", "tru", " ", "\n"]
PIECES += ["//", "/*", "*/", "#", "```", "```json\n", "\\", '\\"', "\\u", "“", "...", "key: "]
PIECES += ['"k": ', "\x00", "\\ud83d", "<", "json", "Sure", "`", "(", '{"', "\ufeff"]
GARBAGE = st.lists(st.sampled_from(PIECES), max_size=25).map("".join)


@st.composite
def damaged(draw):
    """A sound document in which something was left out or put in."""
    text = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(1, 3))):
        at = draw(st.integers(0, len(text)))
        rest = text[at + draw(st.integers(0, 3)) :]
        text = text[:at] + draw(st.sampled_from(["", *PIECES])) + rest
    return text


@settings(max_examples=200, deadline=None)
@given(WRITTEN)
def test_s71_random_documents_come_back_untouched(text):
    done = auto_correct_json(text, track_corrections=True)
    assert done.text == text
    assert done.success
    assert not done.corrected


@settings(max_examples=200, deadline=None)
@given(
    WRITTEN,
    st.sampled_from(
        [
            ("```json\n", "\n```"),
            ("Here you are:\n```json\n", "\n```\nAnything else, {name}?"),
            ("```\n", "\n```"),
            ("The answer (as asked) is ", ""),
            ("", "\nI hope this helps!"),
            ("Sure, it's this: ", " and that's all."),
        ]
    ),
)
def test_s71_random_documents_round_trip_exactly_in_fences_and_prose(text, around):
    before, after = around
    assert auto_correct_json(before + text + after).text == text
    assert extract_json(before + text + after) == text


@settings(max_examples=300, deadline=None)
@given(GARBAGE | damaged())
def test_success_means_valid_json_and_failure_the_text_as_it_came(text):
    done = auto_correct_json(text, track_corrections=True)
    if done.success:
        assert is_valid_json(done.text)
        assert done.corrected == (done.text != text) == bool(done.corrections)
        assert not auto_correct_json(done.text).corrected
    else:
        assert done.text == text
        assert done.error


@settings(max_examples=200, deadline=None)
@given(GARBAGE | damaged() | WRITTEN, st.lists(st.integers(1, 9), min_size=1, max_size=5))
def test_s82_the_partial_end_value_is_the_same_for_any_tokenisation(text, sizes):
    """One character at a time, at random, with looks in between or without: one end value."""
    ends = []
    for cut in ([1], [len(text) or 1], sizes):
        parser, at, turn = PartialParser(), 0, 0
        while at < len(text):
            parser.feed(text[at : at + cut[turn % len(cut)]])
            at += cut[turn % len(cut)]
            turn += 1
            if turn % 3 == 0:
                assert parser.changed in {True, False}
                parser.value  # noqa: B018 - a look is what is tested
        ends.append((parser.value, parser.complete, parser.finish()))
    done = auto_correct_json(text)
    for end in ends:
        assert same(list(end), list(ends[0]))
        assert not done.success or same(end[2], json.loads(done.text))
