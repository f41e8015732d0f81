"""Markdown for static output: the subset, and that no text becomes anything else."""

import json
import re
import time
from pathlib import Path
from urllib.parse import urlsplit

import pytest
from hypothesis import given
from hypothesis import strategies as st
from notebook_runs import Tags

from l0.notebook._code import LANGUAGES, highlight
from l0.notebook._markdown import HUGE, code_block, plain, render

CORPUS = json.loads(
    (Path(__file__).parents[2] / "js" / "test" / "xss.json").read_text(encoding="utf-8")
)
ALLOWED = {
    *("a", "blockquote", "br", "code", "del", "div", "em", "h1", "h2", "h3", "h4", "h5", "h6"),
    *("hr", "li", "ol", "p", "pre", "span", "strong", "table", "tbody", "td", "th", "thead"),
    *("tr", "ul"),
}
INK = re.compile(r"color:#[0-9a-f]{6};color:var\(--l0-t\w\)(;font-style:italic)?")


def checked(source):
    """The HTML of a text, after looking at everything in it."""
    html = render(source)
    for tag, attributes in Tags(html).found:
        assert tag in ALLOWED, source
        for name, value in attributes.items():
            assert name in {"style", "href", "rel", "target", "start"}, (source, name)
            if name == "start":
                assert value.isdigit()
            if tag == "span":
                assert INK.fullmatch(value), (source, value)
            if name == "style":
                assert "url" not in value
                assert "expression" not in value
            if name == "href":
                assert tag == "a"
                assert urlsplit(value).scheme in {"http", "https", "mailto"}, (source, value)
                assert value.isascii()
                assert attributes["rel"] == "noopener noreferrer"
    return html


def bare(source):
    """The HTML without its styles, and without the spans that have nothing else."""
    told = re.sub(r' (style|target|rel)="[^"]*"', "", checked(source))
    return re.sub(r"</?span>", "", told)


def test_the_corpus_has_at_least_sixty_payloads():
    assert len(set(CORPUS)) >= 60


@pytest.mark.parametrize("around", ["{}", "text {}", "- {}\n- x", "> {}", "a | {}\n-|-\n{} | b"])
@pytest.mark.parametrize("payload", CORPUS)
def test_no_payload_becomes_markup(payload, around):
    checked(around.replace("{}", payload))


def test_payloads_between_other_payloads_do_not_help_each_other():
    checked("\n".join(CORPUS))
    checked(" ".join(reversed(CORPUS)))


@pytest.mark.parametrize("payload", CORPUS)
def test_other_formats_show_payloads_as_they_are(payload):
    for html in (plain(payload), code_block(payload)):
        assert Tags(html).text == payload
        assert len(Tags(html).found) == 1


# --- code in colours ---

NAMES = sorted(set(LANGUAGES.values()))


@pytest.mark.parametrize("language", NAMES)
def test_code_of_every_language_shows_payloads_as_they_are(language):
    for payload in (*CORPUS, "\n".join(CORPUS), *(f'"{payload}' for payload in CORPUS)):
        html = code_block(payload, language)
        assert Tags(html).text == language + payload
        for tag, attributes in Tags(html).found:
            assert tag in {"div", "pre", "span"}
            assert tag != "span" or INK.fullmatch(attributes["style"])
            assert set(attributes) == {"style"}


@given(st.sampled_from(NAMES), st.text())
def test_colours_change_no_character_of_code(language, text):
    html = highlight(text, language)
    assert html is None or Tags(html).text == text


@pytest.mark.parametrize(
    ("language", "code", "kinds"),
    [
        ("python", "def f(x): # a", [("k", "def"), ("f", "f"), ("c", "# a")]),
        ("Py", "x = 'a'\n", [("o", "="), ("s", "&#x27;a&#x27;")]),
        ("python", 'f"{a}b"', [("s", "f&quot;"), ("s", "b&quot;")]),
        ("json", '{"a": -1}', [("a", "&quot;a&quot;"), ("n", "-1")]),
        ("bash", "echo $A # b", [("f", "$A"), ("c", "# b")]),
        ("ts", "let a: string", [("k", "let"), ("k", "string")]),
        ("js", "class A {}", [("k", "class"), ("f", "A")]),
        ("sql", "select 1", [("k", "select"), ("n", "1")]),
        ("html", '<a b="c">', [("f", "a"), ("a", "b"), ("s", "&quot;c&quot;")]),
        ("css", "a { top: 1px }", [("a", "top"), ("n", "1px")]),
        ("yaml", "a: 'b'", [("a", "a"), ("s", "&#x27;b&#x27;")]),
        ("diff", "+a\n-b", [("n", "+a"), ("s", "-b")]),
    ],
)
def test_a_piece_of_code_has_the_colour_of_its_kind(language, code, kinds):
    html = highlight(code, language)
    assert re.findall(r"--l0-t(\w)\)[^>]*>([^<]*)<", html) == kinds


def test_what_is_not_known_or_too_much_stays_plain():
    assert highlight("x = 1", "brainfuck") is None
    assert highlight("x = 1\n" * 20_000, "python") is None
    assert highlight("x = " + "1" * 3000, "python") is None, "a line that a machine made"
    assert highlight("\r\nx", "python") is None, "the lexer would take a character away"
    assert "<span" not in code_block("x = 1", "brainfuck")


def test_only_so_much_code_of_one_answer_gets_colours():
    block = "```py\n" + "x = 1\n" * 6000 + "```\n\n"
    html = render(block * 3)
    assert html.count("--l0-tk:") == 1, "of three blocks of 36,000 characters the first one"
    assert render("```py\nx = 1\n```").count("--l0-tk:") == 1, "the next answer has its own"


MARKUP = st.text(st.sampled_from(list("*_`~[]()!<>|-#\\$ \n\thttps:/.ab1\"'&\ud83d🎉\u202e")))


@given(MARKUP | st.text())
def test_any_text_gives_safe_html(source):
    checked(source)


@given(st.text(st.characters(exclude_characters="*_`~[]()!<>|-#\\$\n\r\t: +.0123456789=&hH")))
def test_words_without_markup_are_kept_as_they_are(text):
    html = render(text)
    assert Tags(html).text.strip() == text.strip()


@pytest.mark.parametrize(
    ("source", "html"),
    [
        ("", ""),
        ("a & b <c>", "<p>a &amp; b &lt;c&gt;</p>"),
        ("# One\n###### Six", "<h1>One</h1><h6>Six</h6>"),
        ("#tag", "<p>#tag</p>"),
        ("*a* **b** ***c*** ~~d~~", None),
        ("5 * 3 * 2, snake_case_name", "<p>5 * 3 * 2, snake_case_name</p>"),
        ("`a<b` ``x`y``", "<p><code>a&lt;b</code> <code>x`y</code></p>"),
        ("an `open tick", "<p>an `open tick</p>"),
        ("a  \nb\\\nc", "<p>a<br>b<br>c</p>"),
        (r"\*not\* \<b\>", "<p>*not* &lt;b&gt;</p>"),
        ("$a_b*c*d$", "<p>$a_b*c*d$</p>"),
        ("---", "<hr>"),
        ("> a\n> > b", "<blockquote><p>a</p><blockquote><p>b</p></blockquote></blockquote>"),
        ("- a\n- b", "<ul><li>a</li><li>b</li></ul>"),
        ("3. a\n4. b", '<ol start="3"><li>a</li><li>b</li></ol>'),
        ("- a\n  - b\n\n  c", None),
        ("- [ ] a\n- [x] b", "<ul><li>☐ a</li><li>☑ b</li></ul>"),
        ("```py\nx < 1\n\ny\n```\nz", "<div><div>py</div><pre>x &lt; 1\n\ny</pre></div><p>z</p>"),
        ("~~~\nopen", "<pre>open</pre>"),
        ("[a](https://x.y/z)", '<p><a href="https://x.y/z">a</a></p>'),
        ('[a](https://x.y/z "t")', '<p><a href="https://x.y/z">a</a></p>'),
        ("![pic](https://x.y/p.png)", '<p><a href="https://x.y/p.png">pic</a></p>'),
        ("[m](mailto:a@b.c)", '<p><a href="mailto:a@b.c">m</a></p>'),
        ("see https://x.y/?a=1&b=2.", None),
        ("[a](javascript:alert(1))", "<p>[a](javascript:alert(1))</p>"),
        ("[a](data:text/html,x)", "<p>[a](data:text/html,x)</p>"),
        ("[a](//x.y)", "<p>[a](//x.y)</p>"),
        ("[a](https://[x)", None),
        ("[a](https://x.y:port)", None),
        ("a|b\n-|-\n1|2", None),
        ("a|b\nno table", "<p>a|b\nno table</p>"),
        ("line one\r\nline two", "<p>line one\nline two</p>"),
    ],
)
def test_the_subset(source, html):
    found = bare(source)
    if html is not None:
        assert found == html


def test_a_fence_tells_its_language_as_text():
    shown = Tags(checked("```<b>\nx < 1\n```")).text
    assert "<b>" in shown
    assert "x < 1" in shown


def test_emphasis_nests():
    assert bare("*a **b** c*") == "<p><em>a <strong>b</strong> c</em></p>"
    assert bare("***c***") == "<p><em><strong>c</strong></em></p>"


def test_lists_nest_by_two_columns():
    assert bare("- a\n  - b\n1. c\n  - d") == (
        "<ul><li>a<ul><li>b</li></ul></li></ul><ol><li>c<ul><li>d</li></ul></li></ol>"
    )


def test_tables_align_as_their_dashes_say():
    html = checked("a|b|c\n:-|:-:|-:\n1|`2`|x \\| y\nfewer\na|b|c|more")
    assert re.findall(r"text-align:(\w+)", html)[:3] == ["left", "center", "right"]
    assert "<td" in html
    assert "x | y" in html


def test_a_link_is_ascii_whatever_its_target():
    html = checked("[a](https://x.y/ü\u202egnp.exe)")
    assert 'href="https://x.y/%C3%BC%E2%80%AEgnp.exe"' in html


def test_a_text_without_breaks_is_drawn_plain_when_it_is_huge():
    html = checked("*a* " * HUGE)
    assert "<em>" not in html
    assert Tags(html).text.startswith("*a* *a*")


@pytest.mark.parametrize(
    "piece",
    [
        "*",
        "_a",
        "[",
        "![",
        "](",
        "`",
        "$a",
        "\\(",
        "> ",
        "- ",
        "|",
        "a|",
        "<",
        "**a ",
        "h",
        "~~",
        " ",
    ],
)
def test_no_text_costs_more_than_its_length(piece):
    """A hostile answer can't hang a kernel."""
    source = piece * (HUGE // len(piece))
    begin = time.process_time()
    checked(source)
    checked(f"a|b\n-|-\n{source}")
    assert time.process_time() - begin < 3


def test_quotes_and_lists_nest_to_a_limit():
    checked("> " * 500 + "deep")
    checked("\n".join("  " * depth + "- x" for depth in range(200)))
