"""JSON healing: what is valid stays, what is broken is repaired or reported."""

from __future__ import annotations

import json
import sys

import pytest

from l0.schema import (
    auto_correct_json,
    extract_json,
    extract_json_from_markdown,
    is_valid_json,
    parse_partial_json,
    safe_json_parse,
)
from l0.schema._heal import CORRECTIONS

VALID = [
    '{"url": "https://example.org//a?b=1#c", "glob": "/*.py", "s": "*/ // #"}',
    '{"a": "x,}", "b": "y,]", "c": "[1, 2,,3", "d": "{key: \'v\'}"}',
    r'{"a": "she said \"no\", \\", "b": "\u00e9\ud83d\ude00\/"}',
    '{"a": "True None undefined NaN", "None": null}',
    '{"a": "```json\\n{}\\n```"}',
    '  \r\n\t[1, -0.5e+10, true, false, null, "", {}, []]\n ',
    '{"a": 1, "a": 2}',
    '{"n": 123456789012345678901234567890}',
    r'"\ud800"',
    "42",
    '"just text"',
    "null",
]


@pytest.mark.parametrize("text", VALID)
def test_s71_valid_json_comes_back_untouched(text):
    """The very text, and no correction, whatever stands inside its strings."""
    done = auto_correct_json(text, track_corrections=True)
    assert done.text == text
    assert (done.corrected, done.corrections, done.success, done.error) == (False, (), True, None)
    assert is_valid_json(text)
    assert safe_json_parse(text) == json.loads(text)
    assert extract_json(text) == text


@pytest.mark.parametrize("text", VALID[:6])
@pytest.mark.parametrize(
    ("before", "after", "ids"),
    [
        ("```json\n", "\n```", {"strip_markdown_fence"}),
        ("Here it is: ", "", {"remove_prefix_text", "extract_json"}),
        ("", "\nThat is {all}.", {"remove_suffix_text", "extract_json"}),
        ("json\n", "", {"strip_json_prefix"}),
    ],
    ids=["fence", "before", "after", "json"],
)
def test_s71_valid_json_in_fences_and_prose_comes_out_as_it_is(text, before, after, ids):
    """Only what is around it goes."""
    document = text.strip()
    done = auto_correct_json(before + document + after, track_corrections=True)
    assert done.text == document
    assert set(done.corrections) == ids
    assert extract_json(before + document + after) == document


PRODUCERS = {
    "strip_markdown_fence": ('```json\n{"a": 1}\n```', '{"a": 1}'),
    "strip_json_prefix": ('JSON: {"a": 1}', '{"a": 1}'),
    "remove_prefix_text": ('\ufeff{"a": 1}', '{"a": 1}'),
    "remove_suffix_text": ('{"a": 1}}', '{"a": 1}'),
    "close_brace": ('{"a": {"b": 1', '{"a": {"b": 1}}'),
    "close_bracket": ("[[1, 2", "[[1, 2]]"),
    "close_string": ('"hel', '"hel"'),
    "remove_trailing_comma": ("[1, 2,]", "[1, 2]"),
    "remove_extra_comma": ("[1,,2]", "[1,2]"),
    "add_missing_comma": ('["a" "b"]', '["a", "b"]'),
    "fix_quotes": ("['a']", '["a"]'),
    "quote_keys": ("{a: 1}", '{"a": 1}'),
    "remove_comments": ("[1, /* two, */ 3]", "[1,  3]"),
    "escape_control_chars": ('["a\nb"]', '["a\\nb"]'),
    "convert_literals": ("[True, undefined]", "[true, null]"),
    "drop_incomplete_pair": ('{"a": , "b": 2}', '{ "b": 2}'),
    "extract_json": ('It is {"a": 1}', '{"a": 1}'),
}


def test_every_correction_has_a_producer():
    assert tuple(PRODUCERS) == CORRECTIONS


@pytest.mark.parametrize("name", PRODUCERS)
def test_s72_a_correction_is_made_and_named(name):
    """Each id is what really happened, and nothing else is said to have happened."""
    text, right = PRODUCERS[name]
    done = auto_correct_json(text, track_corrections=True)
    assert done.text == right
    also = {"extract_json": {"remove_prefix_text"}}.get(name, set())
    assert set(done.corrections) == {name} | also
    assert auto_correct_json(text).corrections == ()


def test_s72_closers_are_added_in_nesting_order():
    done = auto_correct_json('{"a": [{"b": [1, {"c": 2', track_corrections=True)
    assert done.text == '{"a": [{"b": [1, {"c": 2}]}]}'
    assert done.corrections == ("close_brace", "close_bracket")


def test_corrections_come_in_one_order():
    """However the text is broken, the ids come in the order of the list."""
    text = "```json\n{a: 'b', \"c\": [1,, True], // d\n"
    done = auto_correct_json(text, track_corrections=True)
    assert list(done.corrections) == sorted(done.corrections, key=CORRECTIONS.index)
    assert {"fix_quotes", "quote_keys", "remove_extra_comma"} <= set(done.corrections)


@pytest.mark.parametrize(
    ("text", "what", "where"),
    [
        ("Hello.", "no JSON value", 0),
        ("", "no JSON value", 0),
        ('{"a" 1}', "a key has no value", 1),
        ('["a": 1]', "an array can't hold a key and its value", 1),
        ('{"a": foo(1)}', "is neither a value nor text in quotes", 6),
        ('{\n  "a": <b>}', "is neither a value", 9),
        ("[" * 100_000, "nest deeper than Python can follow", 0),
        ('{"a":' * 100_000, "nest deeper than Python can follow", 0),
        ("[" * 100_000 + "]" * 100_000, "nest deeper than Python can follow", 0),
    ],
)
def test_what_cannot_be_repaired_is_reported_and_left_alone(text, what, where):
    """The text as it came, with what is wrong and where; no exception."""
    done = auto_correct_json(text, track_corrections=True)
    assert (done.text, done.corrected, done.corrections, done.success) == (text, False, (), False)
    assert what in done.error
    assert done.error.endswith(f"(character {where})")
    assert parse_partial_json(text) is None
    with pytest.raises(json.JSONDecodeError, match="ask for the JSON again") as caught:
        safe_json_parse(text)
    assert caught.value.pos == where


def test_the_place_of_an_error_is_a_line_and_a_column():
    done = auto_correct_json('{\n  "a": <b>}')
    assert "line 2 column 8" in done.error


def test_a_part_of_a_broken_document_is_not_the_document():
    """When the whole can't be understood, its sound pieces are no answer."""
    done = auto_correct_json('{"a" {"b": 1}}')
    assert not done.success


def test_strict_parsing_says_how_to_get_more():
    with pytest.raises(json.JSONDecodeError, match="auto_correct=True repairs"):
        safe_json_parse("{'a': 1}", auto_correct=False)
    assert safe_json_parse('{"a": 1}', auto_correct=False) == {"a": 1}


@pytest.mark.parametrize("word", ["NaN", "Infinity", "-Infinity"])
def test_what_is_not_json_is_not_valid(word):
    """Python's reader takes them; RFC 8259 does not."""
    assert not is_valid_json(word)
    assert not is_valid_json(f"[{word}]")
    assert safe_json_parse(f"[{word}]") == [None]
    with pytest.raises(json.JSONDecodeError, match="is not JSON"):
        safe_json_parse(word, auto_correct=False)


def test_a_number_too_long_for_python_is_valid_and_cannot_be_read():
    """The text is JSON and stays; who wants its value is told about the limit."""
    text = '{"n": ' + "9" * (sys.get_int_max_str_digits() + 1) + "}"
    done = auto_correct_json(text)
    assert (done.text, done.success, done.corrected) == (text, True, False)
    assert is_valid_json(text)
    for healing in (True, False):
        with pytest.raises(json.JSONDecodeError, match="set_int_max_str_digits"):
            safe_json_parse(text, auto_correct=healing)


def test_a_duplicate_key_stays_in_the_text_and_the_last_one_counts():
    done = auto_correct_json('{"a": 1, "a": 2,}')
    assert done.text == '{"a": 1, "a": 2}'
    assert safe_json_parse(done.text) == {"a": 2}


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ('{"a": 12', {"a": 12}),
        ('{"a": -0.5', {"a": -0.5}),
        ('{"a": -', {}),
        ('{"a": 12.', {}),
        ('{"a": 1e', {}),
        ('{"a": tru', {}),
        ('{"a": true', {"a": True}),
        ("[1, nul", [1]),
    ],
)
def test_a_number_stands_as_far_as_it_goes_a_piece_of_a_literal_does_not(text, value):
    assert safe_json_parse(text) == value
    assert parse_partial_json(text) == value


@pytest.mark.parametrize("text", ["12", "-3.5", "true"])
def test_a_scalar_root_is_json(text):
    assert auto_correct_json(text).text == text


@pytest.mark.parametrize("text", ["-", "1e", "tru", "nul", "hel", "Non"])
def test_a_piece_of_a_scalar_is_no_value(text):
    assert not auto_correct_json(text).success


def test_the_answer_comes_before_what_is_only_shown():
    """A fence wins over prose, a value over a footnote, a leading value over a later example."""
    assert safe_json_parse('Like {"x": 0}:\n```json\n{"a": 1}\n```') == {"a": 1}
    assert safe_json_parse('See [1]: {"a": 1}') == {"a": 1}
    assert safe_json_parse("See [1].") == [1]
    assert safe_json_parse('{"a": 1}\nFor example:\n```json\n{"x": 0}\n```') == {"a": 1}
    assert safe_json_parse('{"md": "\n```json\n{}\n```\n"}') == {"md": "\n```json\n{}\n```\n"}


def test_extract_json_gives_the_value_as_it_stands_there():
    """Broken stays broken; without a value the text stays."""
    assert extract_json("So: {'a': [1,]}, right?") == "{'a': [1,]}"
    assert extract_json("nothing here") == "nothing here"
    assert extract_json('```json\n{"a": 1\n```') == '{"a": 1'


def test_the_content_of_a_fence():
    fenced = "A\n```json\n{'a': 1}\n```\nB"
    assert extract_json_from_markdown(fenced) == "{'a': 1}"
    assert extract_json_from_markdown('```\n[1]\n```\n```json\n{"a": "```"}\n```') == '{"a": "```"}'
    assert extract_json_from_markdown("```python\nprint()\n```") is None
    assert extract_json_from_markdown('{"a": 1}') is None
    assert extract_json_from_markdown('```json\n{"a": [1, ') == '{"a": [1,'


def test_a_value_in_prose_that_breaks_off_is_found_and_closed():
    done = auto_correct_json('Sure! {"a": [1, "x', track_corrections=True)
    assert done.text == '{"a": [1, "x"]}'
    assert done.corrections[0] == "remove_prefix_text"


def test_a_control_character_outside_strings_goes():
    done = auto_correct_json('{"a":\x00 1\u200b, "b":\xa02}', track_corrections=True)
    assert json.loads(done.text) == {"a": 1, "b": 2}
    assert done.corrections == ("escape_control_chars",)


def test_newlines_of_windows_are_blanks_and_inside_strings_content():
    assert auto_correct_json('{\r\n"a": 1\r\n}\r\n').corrected is False
    assert safe_json_parse('{"a": "x\r\ny"}') == {"a": "x\r\ny"}


@pytest.mark.parametrize(
    "text",
    [
        '["a" ' * 2_000,
        "[{" * 2_000,
        '{"a": "' + '" ' * 20_000,
        "```json " * 5_000,
        "/*" * 20_000,
        '{"a": "' + "\\" * 30_001,
        "[1] " * 5_000,
        "{x: y " * 2_000,
        '{"a": b' + " " * 50_000 + "c",
        "```json\n" + " " * 50_000,
        "[" * 20_000 + "}" * 20_000,
        'x "' * 20_000,
        "{'" * 5_000,
    ],
    ids=lambda text: text[:8],
)
def test_hostile_text_ends_in_an_answer(text):
    """Nothing crashes, and success means valid JSON."""
    done = auto_correct_json(text, track_corrections=True)
    assert done.success == (done.error is None)
    assert not done.success or is_valid_json(done.text)
