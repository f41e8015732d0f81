"""Expected beside actual: texts, numbers, data."""

from __future__ import annotations

import dataclasses
import math

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.compose import (
    Compare,
    CompareOptions,
    Difference,
    _compare,
    _compare_candidates,
    _compare_parts,
)
from l0.compose._consensus_values import canonical


def paths(found: list[Difference]) -> list[tuple[str, str, str]]:
    return [(each.path, each.kind, each.severity) for each in found]


@pytest.mark.parametrize(
    ("a", "b", "distance"),
    [("", "", 0), ("", "abc", 3), ("abc", "abc", 0), ("kitten", "sitting", 3), ("漢字", "漢", 1)],
)
def test_levenshtein_distance(a, b, distance):
    assert Compare.levenshtein_distance(a, b) == distance


@given(st.text(max_size=12), st.text(max_size=12))
@settings(max_examples=80, deadline=None)
def test_levenshtein_distance_is_what_the_definition_says(a, b):
    """Against the textbook's two rows."""
    row = list(range(len(b) + 1))
    for i, x in enumerate(a, 1):
        before, row = row, [i]
        for j, y in enumerate(b, 1):
            row.append(min(before[j] + 1, row[-1] + 1, before[j - 1] + (x != y)))
    assert Compare.levenshtein_distance(a, b) == row[-1]


@pytest.mark.parametrize("algorithm", ["levenshtein", "jaro-winkler", "cosine"])
def test_every_algorithm_gives_1_for_the_same_and_stays_within_bounds(algorithm):
    assert Compare.strings("same text", "same  text ", algorithm=algorithm) == 1
    assert Compare.strings("", "", algorithm=algorithm) == 1
    assert Compare.strings("", "x", algorithm=algorithm) == 0
    assert 0 < Compare.strings("a fine day", "a fine bay", algorithm=algorithm) < 1


def test_case_and_blanks_count_as_asked():
    assert Compare.strings("Straße", "STRASSE", case_sensitive=False) == 1
    assert Compare.strings("Ab", "ab") == 0.5
    assert Compare.strings("a  b", "a b", normalize_whitespace=False) == 0.75


def test_an_unknown_algorithm_is_named():
    with pytest.raises(ValueError, match=r"jaro-winkler.*not 'soundex'"):
        Compare.strings("a", "b", algorithm="soundex")


def test_numbers_within_the_tolerance_are_equal():
    assert Compare.numbers(1, 1.001, 0.0011)
    assert not Compare.numbers(1, 1.01)
    assert Compare.numbers(math.nan, math.nan)
    assert Compare.numbers(math.inf, math.inf)
    assert not Compare.numbers(math.inf, 1)
    assert not Compare.numbers(10**400, 1.5)
    with pytest.raises(ValueError, match="tolerance is a number, 0 or more; not -1"):
        Compare.numbers(1, 1, -1)


@pytest.mark.parametrize(
    ("a", "b", "same"),
    [
        (True, 1, False),
        ([True], [1], False),
        (1, 1.0, True),
        ({"a": [1, None]}, {"a": (1, None)}, True),
        ({"a": 1}, {"a": 1, "b": 2}, False),
        ("1", 1, False),
        (None, False, False),
        ([1, 2], [2, 1], False),
        (math.nan, math.nan, True),
        ({"b": 1, "a": 2}, {"a": 2, "b": 1}, True),
    ],
)
def test_deep_equality(a, b, same):
    assert Compare.deep_equal(a, b) is same
    assert Compare.deep_equal(b, a) is same


def test_every_difference_has_its_path_kind_and_severity():
    expected = {
        "name": "Ada Lovelace",
        "born": 1815,
        "tags": ["maths", "poetry"],
        "gone": 1,
        "text": "Mathematics is a language like any other.",
        "shape": {"x": 1.0},
    }
    actual = {
        "name": "ADA LOVELACE",
        "born": "1815",
        "tags": ["maths", "music", "more"],
        "text": "Mathematics is a language like any others",
        "shape": {"x": 1.0005},
        "extra": None,
    }
    assert paths(Compare.values(expected, actual)) == [
        ("name", "changed", "info"),
        ("born", "type", "error"),
        ("tags[1]", "changed", "error"),
        ("tags[2]", "extra", "warning"),
        ("gone", "missing", "error"),
        ("text", "changed", "warning"),
        ("extra", "extra", "warning"),
    ]
    lenient = CompareOptions(case_sensitive=False, ignore_extra_fields=True)
    assert [each.path for each in Compare.values(expected, actual, lenient)] == [
        *("born", "tags[1]", "tags[2]", "gone", "text"),
    ]


def test_numbers_that_differ_within_a_text_are_no_trifle():
    found = Compare.values("42", "43")
    assert paths(found) == [("", "changed", "error")]


def test_ignoring_the_order_compares_multisets():
    any_order = CompareOptions(ignore_array_order=True)
    assert Compare.arrays([1, 2, 2, 3], [3, 2, 1, 2], any_order) == []
    assert paths(Compare.arrays([1, 2, 2], [2, 1, 1], any_order)) == [
        ("[2]", "missing", "error"),
        ("[2]", "extra", "warning"),
    ]
    nearly = Compare.arrays([{"n": 1.0}, {"n": 2.0}], [{"n": 2.0004}, {"n": 1.0004}], any_order)
    assert nearly == []
    exact = any_order.replace(normalize_whitespace=False)
    assert len(Compare.arrays(["a "], ["a"], exact)) == 2


@given(st.lists(st.integers(0, 5), max_size=8), st.randoms(use_true_random=False))
@settings(max_examples=60, deadline=None)
def test_a_shuffled_list_has_no_difference_as_a_multiset(items, random):
    shuffled = list(items)
    random.shuffle(shuffled)
    assert Compare.arrays(items, shuffled, CompareOptions(ignore_array_order=True)) == []


LIKE = st.recursive(
    st.sampled_from(["a", "A", " a", "b", 1, 1.0005, 1.5, True, None]),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from("xy"), inside, max_size=2)
    ),
    max_leaves=6,
)


@given(st.lists(LIKE, max_size=5), st.lists(LIKE, max_size=5), st.booleans(), st.booleans())
@settings(max_examples=150, deadline=None)
def test_as_multisets_every_item_is_compared_with_every_other_in_effect(one, other, case, extra):
    """The very same ones first; then each takes the first that is free and does not differ."""
    options = CompareOptions(
        case_sensitive=case, ignore_array_order=True, ignore_extra_fields=extra
    )
    compared_one_by_one(one, other, options)


BIG = 2**60
ODD = (BIG, BIG + 1, BIG + 300, 2.0**60, 2.0**60 + 256, 10**400, -(10**400))
ROWS = st.lists(
    st.fixed_dictionaries(
        {"x": st.sampled_from([1, 1.0005, 1.001, 1.5, 2, 2.0, math.nan, "a", True, None])},
        optional={
            "y": st.sampled_from([0.0, 0.0007, "A", " a", False]),
            "z": st.fixed_dictionaries({"w": st.integers(0, 3)})
            | st.lists(st.integers(0, 2) | st.sampled_from([0.0007, *ODD, math.nan]), max_size=2)
            | st.lists(st.dictionaries(st.sampled_from("uv"), st.just(1)), max_size=1),
        },
    ),
    max_size=30,
)


@given(
    ROWS, ROWS, st.booleans(), st.booleans(), st.sampled_from([0, 0.0005, 0.001, 200.0, math.inf])
)
@settings(max_examples=150, deadline=None)
def test_many_dicts_are_matched_as_if_each_was_compared_with_every_other(
    one, other, case, extra, tolerance
):
    """Also where only those are compared that have something in common."""
    options = CompareOptions(
        tolerance=tolerance,
        case_sensitive=case,
        ignore_array_order=True,
        ignore_extra_fields=extra,
    )
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(_compare_candidates, "_FEW", 0)
        patched.setattr(_compare_candidates, "_SHARE", 1)
        compared_one_by_one(one, other, options)
    compared_one_by_one(one, other, options)


@pytest.mark.parametrize("extra", [False, True])
@pytest.mark.parametrize("near", [0.0005, 0.5])
def test_a_long_list_of_dicts_is_not_compared_one_by_one(near, extra, monkeypatch):
    """With those that are like it at the end of a path, not with three hundred."""
    looks, own = [], _compare._values
    monkeypatch.setattr(_compare, "_values", lambda *told: looks.append(1) or own(*told))
    one = [{"id": f"n{n}", "at": {"x": float(n), "y": 1.0}} for n in range(300)]
    two = [{**row, "at": {**row["at"], "x": row["at"]["x"] + near}} for row in reversed(one)]
    options = CompareOptions(ignore_array_order=True, ignore_extra_fields=extra)
    assert len(Compare.arrays(one, two, options)) == (0 if near < 0.001 else 600)
    assert len(looks) < 300 * 10
    for row in (*one, *two):
        del row["id"]
    lists = ([[each["at"]["x"], 1] for each in rows] for rows in (one, two))
    for rows in ((one, two), lists):
        looks.clear()
        assert len(Compare.arrays(*rows, options)) == (0 if near < 0.001 else 600)
        assert len(looks) < 300 * 10


@pytest.mark.parametrize("other", [int, float], ids=["integers", "floats"])
def test_lists_of_numbers_that_no_float_says_are_found_among_many(other):
    """Beside floats, and among themselves."""
    one = [[other(BIG + 2**20 * n), 1] for n in range(40)]
    two = [[1, BIG + 2**20 * n + (n > 20)] for n in reversed(range(40))]
    options = CompareOptions(ignore_array_order=True, tolerance=200.0)
    assert Compare.arrays(one, two, options) == []
    assert Compare.arrays(two, one, options) == []


NUMBERS = st.lists(
    st.sampled_from((1, 1.0005, 1.001, 1.0015, 1.002, 3, 3.0, -1, 0.5, *ODD))
    | st.sampled_from((math.inf, -math.inf, math.nan))
    | st.integers(-3, 3)
    | st.floats(-2, 2),
    max_size=12,
)


@given(NUMBERS, NUMBERS, st.sampled_from([0, 0.0005, 0.001, 1, 200.0, 1e300, math.inf]))
@settings(max_examples=300, deadline=None)
def test_numbers_are_matched_as_if_each_was_compared_with_every_other(one, other, tolerance):
    options = CompareOptions(ignore_array_order=True, tolerance=tolerance)
    compared_one_by_one(one, other, options)


def test_a_long_list_of_numbers_is_not_compared_one_by_one(monkeypatch):
    """Some twenty looks a number, not two thousand."""
    looks, own = [], _compare_parts.near
    monkeypatch.setattr(_compare_parts, "near", lambda *told: looks.append(1) or own(*told))
    one = [float(n) for n in range(2000)]
    options = CompareOptions(ignore_array_order=True)
    assert Compare.arrays(one, [n + 0.0005 for n in reversed(one)], options) == []
    assert len(Compare.arrays(one, [n + 0.5 for n in reversed(one)], options)) == 4000
    assert 0 < len(looks) < 2 * 2000 * 30


def compared_one_by_one(one, other, options):
    """Assert that `arrays` finds what comparing every item with every other finds."""
    free, unmet = list(range(len(other))), []
    for index, item in enumerate(one):
        same = [
            at for at in free if canonical(other[at], trim=False) == canonical(item, trim=False)
        ]
        if same:
            free.remove(same[0])
        else:
            unmet.append(index)
    missing = []
    for index in unmet:
        alike = [at for at in free if not Compare.values(one[index], other[at], options)]
        if alike:
            free.remove(alike[0])
        else:
            missing.append(index)
    found = [(each.path, each.kind) for each in Compare.arrays(one, other, options)]
    expected = [(f"[{at}]", "missing") for at in missing] + [(f"[{at}]", "extra") for at in free]
    assert found == expected


def test_objects_takes_what_has_fields():
    @dataclasses.dataclass
    class Point:
        x: int

    assert Compare.objects(Point(1), {"x": 1}) == []
    with pytest.raises(TypeError, match="objects have fields; \\[1\\] is array, use values"):
        Compare.objects({}, [1])


def test_the_score_weighs_severities():
    found = Compare.values({"a": 1, "b": "Text", "c": 3}, {"a": 2, "b": "text", "c": 3, "d": 4})
    assert Compare.similarity_score(found, 3) == pytest.approx(1 - (1 + 0.1 + 0.5) / 3)
    assert Compare.similarity_score(found, 1) == 0
    assert Compare.similarity_score([], 0) == 1
    assert Compare.similarity_score(found, 0) == 0


def test_fields_are_counted_at_the_ends_of_paths():
    assert Compare.count_fields({"a": 1, "b": {"c": [1, 2]}, "d": []}) == 4
    assert Compare.count_fields("text") == 1


def test_types_have_their_json_names():
    values = [None, False, 1, 1.5, "x", [1], (1,), {}, b""]
    names = ["null", "boolean", "number", "number", "string", "array", "array", "object", "bytes"]
    assert [Compare.get_type(value) for value in values] == names


def test_a_negative_tolerance_is_refused():
    with pytest.raises(ValueError, match="tolerance"):
        CompareOptions(tolerance=-0.1)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=5),
    lambda inner: (
        st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=3), inner, max_size=4)
    ),
    max_leaves=10,
)


@given(JSON, JSON)
@settings(max_examples=120, deadline=None)
def test_no_differences_means_deeply_equal(a, b):
    exact = CompareOptions(tolerance=0, normalize_whitespace=False)
    assert (not Compare.values(a, b, exact)) == Compare.deep_equal(a, b)
    assert Compare.values(a, a, exact) == []
