"""Values that grow while their JSON arrives."""

from __future__ import annotations

import json

import pytest

from l0.schema import PartialParser, parse_partial_json


def grow(text, size=1):
    """Each value that was seen, as it was then."""
    parser, seen = PartialParser(), []
    for at in range(0, len(text), size):
        parser.feed(text[at : at + size])
        if parser.changed:
            seen.append(json.dumps(parser.value, ensure_ascii=False))
    return parser, seen


def test_a_value_grows_without_a_guess():
    """Keys come with their values, numbers and literals when they have ended."""
    parser, seen = grow('{"a": "xy", "b": [10, true], "c": {"d": null}}')
    assert seen == [
        "{}",
        '{"a": ""}',
        '{"a": "x"}',
        '{"a": "xy"}',
        '{"a": "xy", "b": []}',
        '{"a": "xy", "b": [10]}',
        '{"a": "xy", "b": [10, true]}',
        '{"a": "xy", "b": [10, true], "c": {}}',
        '{"a": "xy", "b": [10, true], "c": {"d": null}}',
    ]
    assert parser.complete


def test_a_character_in_two_escapes_comes_whole():
    """No half of a surrogate pair is ever shown."""
    _, seen = grow('{"a": "x\\ud83d\\ude00y", "b": "\\\\ud83d"}')
    assert all("\ud83d" not in value for value in seen)
    assert '{"a": "x😀"}' in seen
    assert seen[-1] == '{"a": "x😀y", "b": "\\\\ud83d"}'


def test_half_a_pair_that_stays_alone_is_what_the_text_says():
    parser, _ = grow('["\\ud83dx"]')
    assert parser.value == ["\ud83dx"]


def test_containers_are_built_in_place():
    """What was handed out goes on growing: nothing is copied."""
    parser = PartialParser()
    parser.feed('{"rows": [{"id": 1}')
    value = parser.value
    rows = value["rows"]
    parser.feed(', {"id": 2}]}')
    assert parser.value is value
    assert value["rows"] is rows
    assert rows == [{"id": 1}, {"id": 2}]


def test_changed_tells_of_the_value_since_the_last_look():
    parser = PartialParser()
    parser.feed('{"a": 1')
    assert parser.changed
    assert parser.value == {}
    assert not parser.changed
    parser.feed("2")  # a digit more: the number is not there yet
    assert not parser.changed
    parser.feed("  ,")
    assert parser.changed
    assert parser.changed, "only a look at the value counts"
    assert parser.value == {"a": 12}
    parser.feed(' "b')
    assert not parser.changed


def test_prose_and_a_fence_before_the_value_are_passed_over():
    parser, seen = grow('For {you} I have [see below]:\n```json\n{"a": 1}\n```\nIs {that} fine?')
    assert seen[-1] == '{"a": 1}'
    assert parser.complete
    assert parser.finish() == {"a": 1}


def test_a_footnote_is_not_the_value_when_another_follows():
    parser, _ = grow('See [1].\n{"a": [2, 3]}')
    assert parser.finish() == {"a": [2, 3]}
    lone, _ = grow("See [1].")
    assert lone.value == [1]


def test_prose_alone_gives_nothing():
    parser, seen = grow("There is no JSON here, only {words} and [more].")
    assert seen == []
    assert parser.value is None
    assert not parser.complete
    assert parser.finish() is None


def test_text_that_is_no_strict_json_is_healed_as_it_grows():
    """Single quotes, comments, bare keys: the value lags a little, and the end is exact."""
    text = "{'name': 'Ada', // who\n born: 1815, 'tags': ['x', 'y',], 'ok': True}" + " " * 16
    parser, seen = grow(text)
    assert len(seen) > 3
    assert parser.finish() == {"name": "Ada", "born": 1815, "tags": ["x", "y"], "ok": True}


def test_a_raw_newline_in_a_string_is_content():
    parser, _ = grow('{"a": "x\ny", "b": 1}')
    assert parser.value == {"a": "x\ny", "b": 1}
    assert parser.complete


def test_a_value_that_breaks_beyond_repair_stays_as_far_as_it_came():
    parser, _ = grow('{"a": [1, 2], "b": <oops> and so on, and on, and on and on and on')
    assert parser.value == {"a": [1, 2]}
    assert not parser.complete
    assert parser.finish() == {"a": [1, 2]}


def test_reset_starts_over_with_the_text_that_stands():
    """The old value is left alone; the kept text counts as read."""
    parser = PartialParser()
    parser.feed('{"a": "wrong')
    old = parser.value
    parser.reset('{"a": ')
    assert parser.changed
    assert parser.value == {}
    parser.feed('"right"}')
    assert parser.value == {"a": "right"}
    assert old == {"a": "wrong"}
    parser.reset()
    assert parser.value is None
    assert not parser.complete


def test_a_kept_prefix_goes_on_where_it_broke():
    """Within a key, an escape, a number."""
    text = '{"key": "a\\n\\u00e9", "n": 1234}'
    for cut in range(len(text) + 1):
        parser = PartialParser(text[:cut])
        parser.feed(text[cut:])
        assert parser.value == json.loads(text)
        assert parser.complete


@pytest.mark.parametrize("text", ['"hello"', '["x"]', '{"a": {}}'])
def test_any_value_may_be_the_root(text):
    parser, _ = grow(text)
    assert parser.value == json.loads(text)
    assert parser.complete


def test_a_lone_number_or_literal_is_there_when_the_text_has_ended():
    parser, _ = grow("42")
    assert parser.value is None
    assert parser.finish() == 42


def test_a_number_too_long_for_python_stops_the_value_there():
    parser, _ = grow('{"a": 1, "n": ' + "9" * 5000 + ', "b": 2}', size=500)
    assert parser.value == {"a": 1}


def test_the_last_of_two_equal_keys_counts():
    parser, _ = grow('{"a": {"b": 1}, "a": "x"}')
    assert parser.value == {"a": "x"}


@pytest.mark.parametrize("text", ["[" * 100_000, '{"a":' * 100_000])
def test_brackets_without_end_do_no_harm(text):
    parser = PartialParser()
    for at in range(0, len(text), 10_000):
        parser.feed(text[at : at + 10_000])
    assert parser.value is not None
    assert not parser.complete
    assert parse_partial_json(text) is None


def test_a_string_grows_without_being_copied_each_time():
    """A million characters in tokens, with a look at each: done at once, or never."""
    parser = PartialParser()
    parser.feed('{"text": "')
    for _ in range(20_000):
        parser.feed("word " * 10)
        assert parser.changed
        assert parser.value
    assert len(parser.value["text"]) == 1_000_000
