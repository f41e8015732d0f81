"""Fenced code and prose are told apart, however the text comes."""

import pytest
from guardrail_helpers import cut_texts, every, pieces
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.guardrails._fence import CODE, OPEN, PROSE, FenceSplitter, blank_code_spans, opening_fence

lines = st.lists(
    st.sampled_from(
        [
            *("```", "````", "~~~", " ```", "    ```", "```py", "``` `x`", "``", "a", "", "``` "),
            *("~~~~ x", "   ~~~   ", "x```", " ", "    "),
            *("```" + "y" * 1200, "~~~" + " " * 1200, "`" * 1500),
        ]
    ),
    max_size=12,
)


def kinds(parts):
    """What each character is."""
    splitter, start, found = FenceSplitter(), 0, []
    for part in parts:
        found += splitter.feed(part, start)
        start += len(part)
    found += splitter.finish(start)
    said, offset = [], 0
    for kind, at, text in found:
        assert at == offset
        offset += len(text)
        said += [kind] * len(text)
    assert offset == start
    return said


def by_hand(text):
    """The same, line by line over the whole text."""
    said, fence = [], ""
    for line in text.splitlines(keepends=True):
        bare = line.rstrip("\n")
        indent = len(bare) - len(bare.lstrip(" "))
        if fence:
            body = bare.strip(" \t")
            closes = (
                indent <= 3
                and len(bare) < 1000
                and len(body) >= len(fence)
                and set(body) == {fence[0]}
            )
            said += [3 if closes else CODE] * len(line)
            fence = "" if closes else fence
        else:
            run = opening_fence(line) if indent <= 3 else ""
            head = min(len(line), 1000) if run else 0
            said += [OPEN] * head + [CODE if run else PROSE] * (len(line) - head)
            fence = run
    return said


@settings(max_examples=120, deadline=None)
@given(lines, st.booleans(), st.integers(1, 40))
def test_lines_are_told_apart_as_by_hand(parts, newline, size):
    """Each line is prose, code, or a fence line, in any pieces."""
    text = "\n".join(parts) + ("\n" if newline else "")
    assert kinds([text]) == by_hand(text)
    assert kinds(every(text, size)) == by_hand(text)


@settings(max_examples=80, deadline=None)
@given(cut_texts())
def test_any_split_gives_the_same_kinds(sample):
    """Also with carriage returns and whatever else there is."""
    text, cuts = sample
    assert kinds(pieces(text, cuts)) == kinds([text])


def test_prose_can_be_taken_as_it_is():
    """`is_prose` counts the text as fed only if nothing of it is held back."""
    splitter = FenceSplitter()
    assert splitter.is_prose("some ")
    assert splitter.is_prose("text\nmore")
    assert not splitter.is_prose("\n``")
    assert splitter.feed("\n``", 14) == [(PROSE, 14, "\n")]
    assert not splitter.is_prose("`\n")
    assert splitter.feed("`\n", 17) == [(OPEN, 15, "```\n")]
    assert not splitter.is_prose("code")


@pytest.mark.parametrize(
    ("line", "blanked"),
    [
        ("a `b` c", "a xxx c"),
        ("``a`b`` `c", "xxxxxxx `c"),
        ("`a ``b`` c", "`a xxxxx c"),
        ("no", "no"),
        ("```", "```"),
    ],
)
def test_code_spans_are_blanked(line, blanked):
    """As many backticks close a span as open it; a run without a partner is just backticks."""
    assert blank_code_spans(line) == blanked
