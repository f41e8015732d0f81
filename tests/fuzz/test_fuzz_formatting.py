"""Answers and prompts of any text: what is cut out, cleaned or escaped never raises or hangs."""

from __future__ import annotations

import pytest
from fuzz_kit import LONG, SIZE, bounded, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.formatting import (
    Text,
    clean_output,
    ends_abruptly,
    escape,
    escape_delimiters,
    estimate_tokens,
    extract_json_from_output,
    format_context,
    format_document,
    parse_function_call,
    remove_ansi,
    sanitize,
    truncate,
    truncate_words,
    unescape,
    unescape_delimiters,
    unescape_html,
    validate_json_output,
    wrap,
)

PIECES = [
    *(
        "f(",
        "f(\n",
        "f(x",
        "'",
        '"',
        "'''",
        "\n",
        "\n\n",
        " ",
        "\t",
        "~~~",
        "~",
        "`",
        "```",
        "```\n",
    ),
    *(
        "x\n",
        "{",
        "[",
        "}",
        "]",
        ")",
        "f()",
        "f({[]})",
        "f({[]: 1})",
        "f(0x1)",
        "here is",
        "sure, ",
    ),
    *("Here's x:\n", "\\", "\\\\", "</", "</context>", "/", "#", "=", "===\n", "\x1b[", "\x1b]"),
    *("\x9b", "1;", "é", "&#", "&amp;", "&#xFFFFFFFFFF;", "\r", "\r\n", "\u2028", "a.b.", "a", "_"),
    *(
        ">>> f(",
        "\x1bP",
        "<<",
        "f(f=1,",
        "f('\\d')",
        "f(-",
        "\x00",
        "\ud83d",
        "f(**{})",
        "f(a=1, a=2)",
    ),
    *("f({0x" + "f" * 5000 + ": 1})", "f(" + "1" * 5000 + ")", "f(" + "(" * 300, "f(1if 1else 2)"),
    *(
        "f('" + "x" * 300 + "')",
        "[" * 2000,
        '{"a":' * 2000,
        "f(...)",
        "f(1j)",
        "f({1, 'a'})",
        "f(b'')",
    ),
]
ANY = st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=25).map("".join)
WORK = {
    "clean_output": clean_output,
    "extract_json_from_output": extract_json_from_output,
    "validate_json_output": validate_json_output,
    "parse_function_call": parse_function_call,
    "escape": lambda text: unescape(escape(text)),
    "unescape": unescape,
    "remove_ansi": remove_ansi,
    "sanitize": sanitize,
    "unescape_html": unescape_html,
    "for_model": Text.for_model,
    "whitespace": lambda text: Text.normalize_whitespace(
        text, collapse_spaces=True, trim_lines=True
    ),
    "indentation": lambda text: Text.normalize_indentation(text, "tabs"),
    "dedent": Text.dedent,
    "wrap": lambda text: wrap(text, 10),
    "ends_abruptly": ends_abruptly,
    "estimate_tokens": estimate_tokens,
    "truncate": lambda text: truncate_words(truncate(text, 5000), 2500),
    "xml": format_context,
    "markdown": lambda text: format_context(text, delimiter="markdown"),
    "brackets": lambda text: format_context(text, delimiter="brackets"),
    "own": lambda text: format_context(
        text, custom_delimiter_start="<<", custom_delimiter_end="aa"
    ),
    "document": lambda text: format_document(text, {text[:100]: text}),
    "unescape_delimiters": unescape_delimiters,
}


@settings(max_examples=examples(150), deadline=None)
@given(ANY)
def test_no_text_makes_any_of_them_raise(text):
    with bounded():
        for work in WORK.values():
            work(text)
        assert unescape(escape(text)) == text
        for delimiter in ("xml", "markdown", "brackets"):
            assert unescape_delimiters(escape_delimiters(text, delimiter), delimiter) == text
        call = parse_function_call(text)
        assert call is None or type(call.arguments) is dict


UNITS = [unit for unit in PIECES if len(unit) < 30]
HEADS = ["", "```\n", "~~~", "here is x:\n", "f(", "{", "'", "~~~~~~~\n"]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_thing_said_thousands_of_times_costs_as_much_as_it_is_long(unit):
    for head in HEADS if LONG else [HEADS[UNITS.index(unit) % len(HEADS)]]:
        text = head + unit * (SIZE // 4 // len(unit))
        with bounded():
            for work in WORK.values():
                work(text)


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("parse_function_call", "f(\n" * 60_000),
        ("parse_function_call", "f('''\n" * 40_000),
        ("clean_output", "~" * 100_000 + "\nx" * 100_000),
        ("extract_json_from_output", "[" * 300_000),
        ("wrap", "x" * 3_000_000),
        ("wrap", "\t" * 300_000),
    ],
    ids=lambda value: repr(value[:20]),
)
def test_what_a_careless_reader_reads_again_and_again_is_read_once(name, text):
    """Calls that never close, fences, brackets, words of megabytes."""
    with bounded(8):
        WORK[name](text)


def test_a_word_of_any_length_is_cut_as_textwrap_does():
    import textwrap

    text = "  ab " + "x" * 25_003 + " c-d " + "y" * 10_001
    for width in (7, 10, 9_999, 20_000):
        assert wrap(text, width) == "\n".join(textwrap.wrap(text, width))
