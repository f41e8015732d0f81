"""Strings and whole texts: what goes away, what stays, and bad numbers."""

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0 import formatting
from l0.formatting import Text


@given(st.text())
def test_escaped_strings_come_back(text):
    assert formatting.unescape(formatting.escape(text)) == text
    assert formatting.unescape_html(formatting.escape_html(text)) == text
    assert re.fullmatch(formatting.escape_regex(text), text)
    assert not set("\n\r\t\0") & set(formatting.escape(text))


@given(st.text(), st.integers(0, 30), st.text(max_size=4))
def test_cut_texts_are_never_too_long_and_whole_ones_never_cut(text, length, suffix):
    for cut in (formatting.truncate, formatting.truncate_words):
        made = cut(text, length, suffix)
        assert len(made) <= length or made == text
        assert made == text if len(text) <= length else len(made) <= length


def test_words_are_kept_whole_where_there_is_a_blank():
    assert formatting.truncate_words("one two three", 10) == "one two..."
    assert formatting.truncate_words("onetwothree", 8) == "onetw..."
    assert formatting.truncate("abc", 2) == "ab"


@given(
    st.text(st.characters(codec="ascii", exclude_categories=["Cc"]), max_size=60),
    st.integers(1, 20),
)
def test_wrapped_lines_fit(text, width):
    assert all(len(line) <= width for line in formatting.wrap(text, width).split("\n"))


def test_lines_and_blank_lines_stay_when_wrapping():
    assert formatting.wrap("a b\n\nc", 2) == "a\nb\n\nc"


def test_control_characters_and_colours_go_away():
    assert formatting.sanitize("a\x00\x1b\x7fb\n\tc\u200b") == "ab\n\tc\u200b"
    coloured = "\x1b[1;31mred\x1b[0m \x1b]8;;http://x\x07link\x1b]8;;\x1b\\ \x9b4mu"
    assert formatting.remove_ansi(coloured) == "red link u"


def test_padding():
    assert formatting.pad("a", 3, ".", "center") == ".a."
    assert formatting.pad("abcd", 3) == "abcd"
    assert formatting.trim("  a\n") == "a"
    with pytest.raises(ValueError, match="one character"):
        formatting.pad("a", 3, "--")
    with pytest.raises(ValueError, match="left, right or center"):
        formatting.pad("a", 3, align="middle")


@pytest.mark.parametrize(
    "act", [lambda: formatting.truncate("a", -1), lambda: formatting.wrap("a", 0)]
)
def test_impossible_lengths_are_refused(act):
    with pytest.raises(ValueError, match="or more"):
        act()


def test_whitespace_as_it_is_asked_for():
    text = "a\u00a0  b \r\n\r\n  c"
    assert Text.normalize_whitespace(text) == "a   b \n\n  c"
    assert Text.normalize_whitespace(text, collapse_spaces=True) == "a b \n\n  c"
    assert (
        Text.normalize_whitespace(
            text, collapse_spaces=True, trim_lines=True, remove_empty_lines=True
        )
        == "a b\nc"
    )


def test_indentation_in_spaces_and_in_tabs():
    assert Text.normalize_indentation("\ta\n  \tb") == "  a\n    b"
    assert Text.normalize_indentation("    a\n   b", "tabs", 2) == "\t\ta\n\t b"
    assert Text.indent("a\n\nb") == "  a\n\n  b"
    with pytest.raises(ValueError, match="'spaces' or 'tabs'"):
        Text.normalize_indentation("a", "both")
    with pytest.raises(ValueError, match="1 or more"):
        Text.normalize_indentation("a", spaces_per_tab=0)


def test_several_steps_at_once():
    text = "\r\n\tone\r\n\t  two\r\n"
    assert Text.normalize(text, indentation=True, dedent_text=True, trim=True) == "one\n  two"
    assert Text.normalize(text, newlines=False) == text
    assert Text.for_model("\n  a  \n\nb\n\n") == "  a\n\nb"


def test_lines_are_counted_read_and_replaced():
    text = "one\r\ntwo\n"
    assert Text.count_lines(text) == 2
    assert Text.count_lines("") == 0
    assert Text.get_line(text, -1) == "two"
    assert Text.replace_line(text, 0, "1") == "1\ntwo\n"
    assert Text.replace_line("a", 0, "b") == "b"
    assert Text.replace_line("a\x0cb\u2028", -1, "c") == "a\nc\n"
    for act in (lambda: Text.get_line(text, 2), lambda: Text.replace_line("", 0, "a")):
        with pytest.raises(IndexError, match="the text has"):
            act()


def test_ends_of_texts():
    assert Text.ensure_trailing_newline("a") == Text.ensure_trailing_newline("a\n") == "a\n"
    assert Text.ensure_trailing_newline("") == ""
    assert Text.remove_trailing_whitespace("a \nb\t") == "a\nb"
    assert Text.is_whitespace_only(" \n")
    assert not Text.is_whitespace_only("a")
    assert Text.trim(" a ") == "a"
    assert Text.dedent("  a\n  b") == "a\nb"
