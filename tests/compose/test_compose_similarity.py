"""How much two values have in common: the measure a consensus stands on."""

from __future__ import annotations

import dataclasses
import math
import random
import time
from decimal import Decimal
from enum import Enum

import msgspec
import pydantic  # noqa: TID253  a schema of the tests
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from l0.compose import _similarity_words as similarity_words
from l0.compose import similarity
from l0.compose._consensus_values import canonical, plain
from l0.compose._similarity import likeness
from l0.compose._similarity_words import shared_words

SENTENCE = "The capital of France is Paris, on the Seine."


@dataclasses.dataclass
class Place:
    name: str
    people: int


class PlaceModel(pydantic.BaseModel):
    name: str
    people: int


class PlaceStruct(msgspec.Struct):
    name: str
    people: int


class Colour(Enum):
    RED = "red"


@pytest.mark.parametrize(
    ("a", "b", "value"),
    [
        ("yes", "yes", 1),
        ("yes", "no", 0),
        ("yes", " yes\n", 1),
        ("", "", 1),
        ("", SENTENCE, 0),
        ("nineteen characters", "nineteen character!", 0),
        (42, 42, 1),
        (42, 43, 1 - 1 / 43),
        ("42", "43", 1 - 1 / 43),
        ("42", 42.0, 1),
        ("1e3", "1000", 1),
        (1, -1, 0),
        (0, 0.0, 1),
        (0, 5, 0),
        (10**400, 10**400, 1),
        (10**400, 1.5, 0),
        (10**400, 10**400 + 1, 1),
        (math.nan, math.nan, 1),
        (math.nan, 1, 0),
        (math.inf, math.inf, 1),
        (math.inf, 1, 0),
        (1e308, -1e308, 0),
        (Decimal("2.5"), 2.5, 1),
        (True, 1, 0),
        (True, True, 1),
        (False, None, 0),
        (None, None, 1),
        ("1_000", "1000", 0),
        ("nan", "nan", 1),
        ({}, {}, 1),
        ([], [], 1),
        ({"a": 1}, {"a": 1, "b": 2}, 0.5),
        ({"a": 1, "b": "x"}, {"b": "y", "a": 1}, 0.5),
        ([1, 2, 3], [1, 2], 2 / 3),
        ([1, 2], [2, 1], 0.5),
        ((1, 2), [1, 2], 1),
        ({"a": 1}, [1], 0),
        ("1", [1], 0),
        (Place("Oslo", 7), {"name": "Oslo", "people": 7}, 1),
        (PlaceModel(name="Oslo", people=7), Place("Oslo", 7), 1),
        (PlaceStruct("Oslo", 7), Place("Bergen", 7), 0.5),
        (Colour.RED, "red", 1),
        ({1, 2, 3}, {3, 2, 1}, 1),
    ],
)
def test_values_have_this_much_in_common(a, b, value):
    """The table of the measure, in both directions."""
    assert similarity(a, b) == pytest.approx(value)
    assert similarity(b, a) == similarity(a, b)


def test_longer_texts_are_measured_by_what_they_share_in_order():
    assert 0.9 < similarity(SENTENCE, SENTENCE.replace("on", "by")) < 1
    assert similarity(SENTENCE, SENTENCE[::-1]) < 0.5
    assert similarity("a" * 20, "b" * 20) == 0


def test_texts_above_2000_characters_are_measured_by_words():
    """A letter changed in every word leaves no word in common, however many letters."""
    words = [f"word{i:03}" for i in range(400)]
    long = " ".join(words)
    assert similarity(long, " ".join(words[:-40])) == pytest.approx(2 * 360 / 760)
    assert similarity(long, long.replace("word", "ward")) == 0
    short = long[:1900]
    assert similarity(short, short.replace("word", "ward")) > 0.8


def test_long_texts_without_blanks_are_measured_by_characters():
    text = "漢字仮名交じり文を比べる。" * 200
    assert 0.99 < similarity(text, text[:-13] + "x") < 1


@given(
    a=st.lists(st.sampled_from("abcdefgh"), max_size=40),
    b=st.lists(st.sampled_from("abcdefgh"), max_size=40),
    small=st.integers(1, 200),
)
@settings(max_examples=150, deadline=None)
def test_words_shared_in_order_are_found_exactly_where_it_is_cheap(a, b, small):
    """Against the textbook; aligned in stretches, at most that, and as much both ways."""
    row = [0] * (len(b) + 1)
    for x in a:
        before, row = row, [0]
        for j, y in enumerate(b):
            row.append(before[j] + 1 if x == y else max(before[j + 1], row[-1]))
    assert shared_words(a, b) == row[-1]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(similarity_words, "_SMALL", small)
        aligned = shared_words(a, b)
        assert aligned <= row[-1]
        assert aligned == shared_words(b, a)
        assert shared_words(a, a) == len(a)


def test_long_texts_are_compared_in_time_close_to_linear():
    """Half a megabyte each, a word in twenty another: the measure is right, and quick."""
    pick = random.Random(7)
    words = [f"w{pick.randrange(5000)}" for _ in range(80_000)]
    other = [word if pick.random() > 0.05 else "another" for word in words]
    kept = sum(a == b for a, b in zip(words, other, strict=True))
    began = time.thread_time()
    found = similarity(" ".join(words), " ".join(other))
    assert time.thread_time() - began < 2
    assert found == pytest.approx(kept / len(words), abs=0.01)
    strangers = " ".join(f"x{i}" for i in range(80_000))
    assert similarity(strangers, " ".join(words)) == 0
    looped = " ".join(["round", "and"] * 40_000)
    assert similarity(looped, looped[6:]) > 0.99


def test_what_cannot_be_compared_is_not_the_same():
    class Odd:
        def __eq__(self, other):
            raise RuntimeError("no")

        __hash__ = None

    odd = Odd()
    assert similarity(odd, Odd()) == 0
    assert similarity(odd, odd) == 1


def test_whole_numbers_asked_exactly_are_the_same_or_not():
    """What a consensus asks: near is another answer, at every depth."""
    assert likeness("42", "43", exact=True) == 0
    assert likeness(42, "42.0", exact=True) == 1
    assert likeness({"n": 42}, {"n": 43}, exact=True) == 0
    assert likeness(2.5, 2.6, exact=True) == pytest.approx(1 - 0.1 / 2.6)


SCALARS = (
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text(max_size=30)
    | st.sampled_from(["42", "4.2e1", "0", "-1", SENTENCE, "nan", "inf"])
)
VALUES = st.recursive(
    SCALARS,
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=8,
)


@given(VALUES, VALUES)
@example({"a": 0.1, "b": 0.2, "c": 0.3}, {"c": 0.3, "b": 0.2, "a": 0.1})
@settings(max_examples=150, deadline=None)
def test_the_measure_is_symmetric_within_its_bounds_and_1_for_itself(a, b):
    one, other = similarity(a, b), similarity(b, a)
    assert one == other
    assert 0 <= one <= 1
    assert similarity(a, a) == 1
    assert likeness(plain(a), plain(b), exact=True) <= one


@given(VALUES, VALUES)
@settings(max_examples=150, deadline=None)
def test_the_same_canonical_text_means_the_same_value(a, b):
    if canonical(plain(a)) == canonical(plain(b)):
        assert similarity(a, b) == 1


def test_canonical_texts_tell_kinds_apart():
    kinds = [None, True, 1, "1", "true", "null", [1], {"1": 1}, 1.5, "[1]", [], {}, ""]
    assert len({canonical(kind) for kind in kinds}) == len(kinds)
    assert canonical({"a": 1, "b": 2.0}) == canonical({"b": 2, "a": 1.0})
    assert canonical("a ") == canonical("a")
    assert canonical("a ", trim=False) != canonical("a", trim=False)


def test_plain_data_shares_no_container_with_the_value():
    value = {"list": [1, {"deep": [2]}]}
    data = plain(value)
    data["list"][1]["deep"].append(3)
    assert value == {"list": [1, {"deep": [2]}]}
