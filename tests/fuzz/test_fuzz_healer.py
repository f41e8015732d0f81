"""Texts no model should write: healing answers, in proportion to their length, or says why not."""

# ruff: noqa: PT017  (an error may come or not: if it does, what it says is checked)
from __future__ import annotations

import json
import sys
from pathlib import Path

import pytest
from fuzz_kit import LONG, ODD, SIZE, bounded, damaged, examples, nested, nested_objects
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.schema import (
    PartialParser,
    auto_correct_json,
    extract_json,
    extract_json_from_markdown,
    is_valid_json,
    parse_partial_json,
    safe_json_parse,
)

sys.path.append(str(Path(__file__).parent.parent / "schema"))

from malformed_corpus import DOCUMENTS

PIECES = [
    *(
        "{",
        "}",
        "[",
        "]",
        ":",
        ",",
        '"',
        "'",
        '"b"',
        "1",
        "-",
        "true",
        "None",
        "tru",
        " ",
        "\n",
        "\t",
    ),
    *(
        "//",
        "/*",
        "*/",
        "#",
        "```",
        "```json\n",
        "~~~",
        "\\",
        '\\"',
        "\\u",
        "\\ud83d",
        "“",
        "”",
        "„",
    ),
    *("...", "key: ", '"k": ', "\x00", "\ufeff", "\ud83d", "<!--", "-->", "a b", "{'a': ", '"""'),
    *("a, ", "'x', ", '"x" ', "0x1,", "1.", "_", "é", "\u2028", "1" * 5000, "[" * 2000, "]" * 2000),
    *("json", "Sure, ", "`", "(", "NaN", "-Infinity", "1e999", "\r", "\\n", "=", "&"),
]
GARBAGE = st.lists(st.sampled_from(PIECES), max_size=30).map("".join)


@st.composite
def broken_texts(draw):
    """A document as JSON, damaged as a value and then as a text."""
    value = draw(damaged(st.sampled_from([json.loads(text) for text in DOCUMENTS])))
    try:
        text = json.dumps(
            value, ensure_ascii=draw(st.booleans()), indent=draw(st.none() | st.just(2))
        )
    except (ValueError, RecursionError, TypeError):
        text = draw(st.sampled_from(DOCUMENTS))
    for _ in range(draw(st.integers(0, 3))):
        at = draw(st.integers(0, len(text)))
        text = text[:at] + draw(st.sampled_from(PIECES)) + text[at + draw(st.integers(0, 5)) :]
    return text


@settings(max_examples=examples(150), deadline=None)
@given(GARBAGE | broken_texts())
def test_any_text_is_healed_or_refused_with_a_place(text):
    """`auto_correct_json` never raises; the others raise JSONDecodeError alone."""
    with bounded():
        done = auto_correct_json(text, track_corrections=True)
        assert done.success == (done.error is None)
        if done.success:
            assert is_valid_json(done.text)
        else:
            assert done.text == text
            assert "line" in done.error
        for correct in (True, False):
            try:
                safe_json_parse(text, auto_correct=correct)
            except json.JSONDecodeError as error:
                assert 0 <= error.pos <= len(text)
        parse_partial_json(text)
        assert extract_json(text) in text
        fenced = extract_json_from_markdown(text)
        assert fenced is None or fenced in text


@settings(max_examples=examples(80), deadline=None)
@given(GARBAGE | broken_texts(), st.lists(st.integers(1, 40), min_size=1, max_size=5))
def test_partial_values_never_raise_and_end_as_healing_does(text, sizes):
    with bounded():
        parser, at, turn = PartialParser(), 0, 0
        while at < len(text):
            step = sizes[turn % len(sizes)]
            parser.feed(text[at : at + step])
            at, turn = at + step, turn + 1
            assert parser.changed in {True, False}
            assert parser.complete in {True, False}
            parser.value  # noqa: B018  a look is what is tested
        whole = PartialParser(text)
        assert repr(parser.finish()) == repr(whole.finish())


UNITS = [
    *(
        "{",
        "[",
        "[{",
        '{"a":',
        "{'a':",
        "}",
        "]",
        '"',
        "'",
        "“",
        "\\",
        '\\"',
        '"\\',
        "//",
        "/*",
        "*",
    ),
    *("#", "```", "```json\n", "`", "~~~", "<!--", "...", ":", ",", "-", "\n", " ", "\t", "\ufeff"),
    *(
        "a, ",
        "None, ",
        "0x1,",
        "'x', ",
        '"x" ',
        '"k": ',
        "“x”,",
        "{'a': ",
        '"""',
        "'''",
        "„",
        "1.",
        "_",
    ),
    *(
        "/* */",
        "// c\n",
        '"a" "b" ',
        "x: y ",
        "```json\n[",
        "[1] ",
        "[] ",
        "{} ",
        "(",
        "\\u",
        "\\ud83d",
    ),
    *(
        '"a": "b" ',
        "tru ",
        "a b ",
        "\x00",
        "]}",
        "[[]",
        '\n"',
        "\\n",
        "=",
        '","',
        "':'",
        "{,",
        "[,",
    ),
]
HEADS = ["", '{"a": ', '["', "{", '{\\"a', "```json\n", 'Here: {"a": "x", ']


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_thing_said_a_hundred_thousand_times_costs_as_much_as_it_is_long(unit):
    """Whatever stands before it: work that grows with the square would take minutes."""
    for head in HEADS if LONG else [HEADS[UNITS.index(unit) % len(HEADS)]]:
        text = head + unit * (SIZE // len(unit))
        with bounded():
            auto_correct_json(text, track_corrections=True)
            extract_json_from_markdown(text)


@pytest.mark.parametrize(
    "text",
    [
        '```json\n[{"' + '\\"' * 200_000,
        '{"a": "' + '\\"' * 200_000,
        '{\\"a' + '\\"' * 200_000,
        "[" + "None, " * 50_000,
        "[" + "a b, " * 50_000,
        "`" * 100_000 + 'x y {"a": 1,}',
        "~~~ " * 50_000 + 'x y {"a": 1,}',
        '{"a": 1,}' + " " * 200_000 + "x",
    ],
    ids=lambda text: repr(text[:9]),
)
def test_what_a_careless_reader_reads_again_and_again_is_read_once(text):
    """Escaped quotes, words to look behind of, ticks before and blanks after."""
    with bounded():
        auto_correct_json(text, track_corrections=True)


@pytest.mark.parametrize(
    "unit", ['"k": ', "“x”,", '\\"', "a, ", "[1] ", '"a" "b" ', "{", "[{", "`"]
)
def test_partial_values_of_such_texts_cost_as_much_as_they_are_long(unit):
    text = "{" + unit * (SIZE // 4 // len(unit))
    with bounded():
        parser = PartialParser()
        for at in range(0, len(text), 500):
            parser.feed(text[at : at + 500])
            parser.value  # noqa: B018
        parser.finish()


DEEP = {
    "lists": "[" * SIZE,
    "objects": '{"a":' * SIZE,
    "closed lists": "[" * SIZE + "]" * SIZE,
    "behind a long number": "[" + "1" * 5000 + "," + "[" * SIZE,
    "behind a word": "[None, " + "[" * SIZE,
    "in a fence": "```json\n" + "[" * SIZE + "\n```",
    "in prose": "Sure: " + '{"a": [' * SIZE,
    "as written by Python": str(nested(200)) + str(nested_objects(200)),
    "in quotes": '{\\"a\\": ' + "[" * SIZE,
}


@pytest.mark.parametrize("name", DEEP)
def test_brackets_that_nest_too_deep_are_said_to(name):
    text = DEEP[name]
    with bounded():
        done = auto_correct_json(text)
        assert done.success or done.error
        assert done.success or done.text == text
        parser = PartialParser()
        for at in range(0, len(text), 5000):
            parser.feed(text[at : at + 5000])
            parser.value  # noqa: B018
        parser.finish()


@settings(max_examples=examples(60), deadline=None)
@given(st.lists(st.sampled_from([value for value in ODD if not callable(value)]), max_size=4))
def test_odd_values_as_python_writes_them_are_read_or_refused(values):
    """`repr` is what a model imitates that has seen too much Python."""
    try:
        text = repr({"values": values})
    except ValueError:  # a number of more digits than Python writes
        return
    done = auto_correct_json(text)
    assert not done.success or is_valid_json(done.text)
