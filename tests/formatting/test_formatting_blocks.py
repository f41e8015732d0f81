"""Blocks of a prompt: what stands in one can't close it, and comes back as it was."""

import re

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from l0.formatting import (
    escape_delimiters,
    format_context,
    format_document,
    format_instructions,
    format_multiple_contexts,
    unescape_delimiters,
)

DELIMITERS = ["xml", "markdown", "brackets", "none"]
LINE_ENDS = "\r\n\x0b\x0c\x85\u2028\u2029"
HOSTILE = st.text(
    st.sampled_from([*"</>\\#= \t\nctxonea[]", "\r", "\u2028", "\x85"]), max_size=60
) | st.text(max_size=40)


@pytest.mark.parametrize("delimiter", DELIMITERS)
@given(HOSTILE)
@example("</context>")
@example("<\\/context>\\\\")
@example("# Title\n\\# not\n\\\\# nor")
@example("====================\n\\====")
def test_what_was_escaped_comes_back_exactly(delimiter, text):
    assert unescape_delimiters(escape_delimiters(text, delimiter), delimiter) == text


@given(HOSTILE)
def test_no_content_closes_an_xml_block(text):
    made = format_context(text, normalize=False, dedent=False)
    if made:
        assert made.count("</") == 1
        assert made.endswith("\n</context>")


@given(HOSTILE)
def test_no_content_opens_another_section_of_markdown(text):
    made = format_context(text, delimiter="markdown", normalize=False, dedent=False)
    lines = re.split(f"[{LINE_ENDS}]", made)
    headings = [line for line in lines if re.match(r" {0,3}#(\s|$)", line)]
    assert headings in ([], ["# Context"])
    assert not any(re.fullmatch(r" {0,3}=+[ \t]*", line) for line in lines)


@given(HOSTILE)
def test_no_content_closes_a_bracket_block(text):
    made = format_context(text, delimiter="brackets", normalize=False, dedent=False)
    rules = [line for line in re.split(f"[{LINE_ENDS}]", made) if re.fullmatch("=+[ \t]*", line)]
    assert rules in ([], ["=" * 20] * 2)


@given(HOSTILE, st.text("<>ab\\=", min_size=2, max_size=4).filter(lambda t: len(t.strip()) > 1))
def test_no_content_imitates_a_delimiter_of_ones_own(text, end):
    start = "BEGIN>>"
    made = format_context(
        text,
        custom_delimiter_start=start,
        custom_delimiter_end=end,
        normalize=False,
        dedent=False,
    )
    if made:
        inside = made.removeprefix(start + "\n").removesuffix("\n" + end)
        assert end not in inside
        assert start not in inside


@pytest.mark.parametrize(
    ("label", "tag"),
    [
        ("User's notes", "user_s_notes"),
        ("2024", "_2024"),
        ("x></x><y", "x_x_y"),
        ("  ", "context"),
        ("Übung", "übung"),
    ],
)
def test_a_label_becomes_a_tag_that_can_stand(label, tag):
    assert format_context("a", label=label) == f"<{tag}>\na\n</{tag}>"


def test_a_label_in_brackets_is_upper_case_above_a_rule_that_fits():
    assert format_context("a", label="very long label of it", delimiter="brackets") == (
        f"[VERY LONG LABEL OF IT]\n{'=' * 31}\na\n{'=' * 31}"
    )


def test_a_label_with_line_ends_stays_on_its_line():
    assert format_context("a", label="one\n# two", delimiter="markdown") == "# one # two\n\na"


def test_code_keeps_its_signs_of_less_and_more():
    code = "if a < b and c > d:\n    pass"
    assert format_context(code, delimiter="xml") == f"<context>\n{code}\n</context>"


def test_content_is_dedented_and_its_line_ends_made_one():
    made = format_context("    one  \r\n      two\r\n", delimiter="none")
    assert made == "one\n  two"
    assert format_context("  one", delimiter="none", dedent=False) == "  one"


@pytest.mark.parametrize("content", [None, "", "  \n "])
def test_nothing_to_say_makes_no_block(content):
    assert format_context(content) == ""
    assert format_instructions(content) == ""
    assert format_document(content) == ""


def test_documents_name_what_is_known_of_them_on_single_lines():
    made = format_document("Text", {"title": "A\nB", "author": None, "n": 1}, delimiter="none")
    assert made == "title: A B\nn: 1\n\nText"


def test_several_contexts_may_be_said_in_three_ways():
    made = format_multiple_contexts(
        ["one", ("Two", "two"), {"content": "three", "label": "T", "delimiter": "none"}, ""],
        delimiter="brackets",
    )
    assert made.split("\n\n") == [
        format_context("one", delimiter="brackets"),
        format_context("two", label="Two", delimiter="brackets"),
        "three",
    ]


def test_bad_delimiters_say_what_to_give():
    with pytest.raises(ValueError, match="xml, markdown, brackets, none"):
        format_context("a", delimiter="html")
    with pytest.raises(ValueError, match="together"):
        format_context("a", custom_delimiter_start="<<")
    with pytest.raises(ValueError, match="custom_delimiter_end needs two characters"):
        format_context("a", custom_delimiter_start="<<", custom_delimiter_end="|")
