"""Texts that were never Markdown: drawn safely, in proportion to their length, however deep."""

from __future__ import annotations

from html.parser import HTMLParser

import pytest
from fuzz_kit import LONG, SIZE, bounded, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.notebook._markdown import code_block, plain, render

PIECES = [
    *(
        "*",
        "_",
        "**",
        "~~",
        "`",
        "``",
        "```",
        "[",
        "]",
        "(",
        ")",
        "![",
        "](",
        "$",
        "$$",
        "\\",
        "\\(",
    ),
    *("\\[", "\\)", "\\]", "> ", "- ", "1. ", "|", "a|", "<", "<!--", "-->", "h", "http://a", "#"),
    *(
        "\n",
        "\n\n",
        " ",
        "    ",
        "\t",
        "a",
        "_a",
        "*a",
        "a*",
        "é",
        '"',
        "'",
        "~",
        "~~~",
        "[a](",
        "[[",
    ),
    *(
        "\\*",
        "-|-\n",
        "|-|",
        "  - ",
        "- [ ] ",
        "\r",
        "=",
        "&",
        "{",
        "\x00",
        "\ud83d",
        "\u2028",
        ":",
    ),
    *(
        "(http://",
        "mailto:",
        "javascript:",
        "<script>",
        "</p>",
        "  \n",
        "![a",
        "$a",
        "a$",
        "x [",
        "&#",
    ),
    *("</", "on=", "https://[::1]", "https://x:99999/", "]]>", "```py\n", "> > ", "9" * 12 + ". "),
]
ALLOWED = {
    *(
        "p",
        "h1",
        "h2",
        "h3",
        "h4",
        "h5",
        "h6",
        "ul",
        "ol",
        "li",
        "blockquote",
        "pre",
        "code",
        "table",
    ),
    *("thead", "tbody", "tr", "th", "td", "hr", "br", "em", "strong", "del", "a", "div"),
}


class Safe(HTMLParser):
    """Fails at any tag or attribute that the renderer has no business to make."""

    def __init__(self, html):
        super().__init__()
        self.open, self.deepest = [], 0
        self.feed(html)
        self.close()
        assert not self.open

    def handle_starttag(self, tag, attrs):
        assert tag in ALLOWED
        for name, value in attrs:
            assert name in {"style", "href", "target", "rel", "start"}
            if name == "href":
                assert value.startswith(("http://", "https://", "mailto:"))
                assert value.isascii()
        if tag not in {"hr", "br"}:
            self.open.append(tag)
            self.deepest = max(self.deepest, len(self.open))

    def handle_endtag(self, tag):
        assert self.open.pop() == tag

    def handle_comment(self, data):
        raise AssertionError(data)

    handle_decl = handle_pi = unknown_decl = handle_comment


@settings(max_examples=examples(150), deadline=None)
@given(st.lists(st.sampled_from(PIECES) | st.text(max_size=3), max_size=40).map("".join))
def test_any_text_gives_tags_of_the_list_that_close(text):
    with bounded():
        Safe(render(text))
    assert "<script" not in (plain(text) + code_block(text, text[:20])).lower()


UNITS = [
    *PIECES,
    "\\]![",
    "[a](x ",
    "[a](http://x) ",
    "$ ",
    "`a ",
    "*a_",
    "_ *",
    "> - ",
    "](http://",
]
HEADS = ["", "> ", "a|b\n-|-\n", "- ", "[", "$", "# ", "\\(", "```\n"]


@pytest.mark.parametrize("unit", UNITS, ids=repr)
def test_a_thing_said_thousands_of_times_costs_as_much_as_it_is_long(unit):
    """A hostile answer can't hang a kernel: nothing is drawn for longer than it takes to read."""
    for head in HEADS if LONG else [HEADS[UNITS.index(unit) % len(HEADS)]]:
        with bounded(4):
            render(head + unit * (SIZE // 4 // len(unit)) + "x")
            render(head + unit * (8_000 // len(unit)) + "x")


@pytest.mark.parametrize(
    "text",
    [
        "$" + " " * 16_000 + "x",
        "![\\]" * 4000 + "](x)",
        "\\(    " * 3000 + "x",
        "[" * 16_000 + "](x)",
    ],
    ids=lambda text: repr(text[:6]),
)
def test_what_a_careless_reader_reads_again_and_again_is_read_once(text):
    """Paragraphs of it: blanks that may be a break, brackets that may be a link."""
    with bounded():
        render("\n\n".join([text] * 2))


def test_blanks_inside_a_line_are_kept():
    assert render("a" + " " * 7 + "b  \nc").endswith(f">a{' ' * 7}b<br>c</p>")


@pytest.mark.parametrize(
    "unit", ["> ", "- ", "1. ", "  - x\n", "* > ", "> 1. ", "**", "*a ", "[!["]
)
def test_nesting_has_an_end(unit):
    """Ten thousand levels are no recursion, and no ten thousand elements inside each other."""
    with bounded():
        html = Safe(render(unit * 10_000 + "deep"))
    assert html.deepest <= 100 or unit in {"**", "*a "}
    lines = "\n".join("  " * depth + "- x" for depth in range(300))
    assert Safe(render(lines)).deepest < 100
