"""The JSON rules judge what claims to be JSON, and never what JSON's reader accepts."""

import json
import random

import pytest
from guardrail_helpers import cut_texts, every, judged, pieces, told
from hypothesis import given, settings
from hypothesis import strategies as st

from l0.guardrails import (
    GuardrailContext,
    analyze_json_structure,
    json_rule,
    looks_like_json,
    strict_json_rule,
)

scalars = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(),
    st.floats(),
    st.text(st.one_of(st.sampled_from('"\\[]{}:,`\n'), st.characters()), max_size=12),
)
documents = st.recursive(
    scalars,
    lambda inner: st.one_of(
        st.lists(inner, max_size=5),
        st.dictionaries(st.text(st.sampled_from('ab"\\[]{}é'), max_size=4), inner, max_size=5),
    ),
    max_leaves=20,
)


@st.composite
def json_texts(draw):
    """A document as some writer would put it, with blanks around and within."""
    text = json.dumps(
        draw(documents),
        indent=draw(st.sampled_from([None, 0, 2, "\t"])),
        ensure_ascii=draw(st.booleans()),
        separators=draw(st.sampled_from([None, (",", ":"), (" , ", " : ")])),
    )
    blanks = st.text(" \n\t\r", max_size=4)
    return draw(blanks) + text + draw(blanks)


def found(text, *, expect=False, completed=True):
    """Offset and message of each violation."""
    context = GuardrailContext(text, completed)
    return [(v.position, v.message) for v in json_rule(expect=expect).check(context)]


@settings(max_examples=150, deadline=None)
@given(cut_texts(json_texts()), st.booleans())
def test_s54_no_text_that_json_loads_accepts_violates(sample, expect):
    """Whatever the document, the pieces, and whether JSON was expected."""
    text, cuts = sample
    json.loads(text)
    for parts in ([text], pieces(text, cuts), every(text, 1)):
        assert told([json_rule(expect=expect), strict_json_rule(expect=expect)], parts) == set()


@settings(max_examples=100, deadline=None)
@given(json_texts(), st.integers(0, 10**6))
def test_a_fence_around_a_document_changes_nothing(text, cut):
    """Marked json, with and without a blank line and a text after it."""
    fenced = f"```json\n{text}\n```"
    parts = every(fenced, cut % 9 + 1)
    rules = [
        json_rule(),
        json_rule(expect=True),
        strict_json_rule(),
        strict_json_rule(expect=False),
    ]
    assert told(rules, parts) == set()
    assert told([json_rule(), strict_json_rule(expect=False)], [fenced + "\nSo it is."]) == set()


@settings(max_examples=100, deadline=None)
@given(json_texts(), st.integers(0, 10**6))
def test_s54_a_truncated_document_is_found_at_completion_only(text, cut):
    """A cut object or array has nothing wrong until it ends there."""
    text = text.strip()[: cut % (len(text.strip()) + 1)]
    if not text.startswith(("{", "[")):
        return
    rule = json_rule(expect=True)
    assert told([rule], every(text, 3), finish=False) == set()
    try:
        json.loads(text)
    except ValueError:
        assert told([rule], every(text, 3)) != set()


def test_s54_truncated_text_says_what_is_missing():
    """Brackets in nesting order, and an open string."""
    assert found('{"a": [1, {"b": "c') == [
        (18, "A string is not closed"),
        (18, "3 brackets are not closed, the text ends before }]}"),
    ]
    assert found("[1, 2") == [(5, "1 bracket is not closed, the text ends before ]")]
    assert found('{"a": [1, {"b": "c', completed=False) == []


def test_s54_a_closer_that_does_not_match_is_found_when_it_arrives():
    """Once; scanning stops there."""
    for text in ("{]", '{"a": [1}', '[{"a": 1]]]'):
        position = text.index("]") if text != '{"a": [1}' else 8
        assert [at for at, _ in found(text, completed=False)] == [position]
        assert [v.position for v in judged([json_rule()], every(text + "}]}]", 1))] == [position]


def test_a_closer_too_many_is_a_fault():
    """Also after a complete document."""
    assert found('{"a": 1}}', completed=False) == [(8, "} does not match: nothing is open")]


def test_s54_brackets_and_escaped_quotes_in_strings_are_ignored():
    """However the escapes are cut."""
    text = r'{"a": "]}\"]\\", "b\\\"{": ["[", "\\"]}'
    json.loads(text)
    assert told([json_rule()], every(text, 1)) == set()
    assert told([json_rule()], every(text + "]", 1)) == {
        ("json", len(text), "] does not match: nothing is open")
    }


PROSE = [
    "Hello {world} [here}",
    "[note] see below {",
    "[Smith] said [",
    "[1] Smith et al. say {",
    "[1], [2] and [3} are",
    "{name}, hello [",
    "{{ template }} [",
    '{"quoted" text',
    '["quoted" text',
    "[2024-01-01] Log (",
    "[1-3, 5",
    "[01, 2",
    "[nothing, 2",
    "[truth] is {",
    "[-] not done [",
    "[x] done [",
    "[[wiki link]] {",
    "[{placeholder}] [",
    '"quoted {" text',
    "42 {",
    "```python\nx = [\n```",
    "```jsonl\n{\n```",
    "``json {",
    "A fence later:\n```json\n{\n```",
    "(a] b",
    "{'a': 1",
    "[1 2",
    "",
    " \n",
]


@pytest.mark.parametrize("text", PROSE)
def test_s54_prose_is_never_judged(text):
    """Not even prose that begins with a bracket."""
    for size in (1, 3, 1000):
        assert told([json_rule(), strict_json_rule(expect=False)], every(text, size)) == set()
    assert not looks_like_json(text)


CLAIMS = [
    "{",
    " [ ",
    "{}",
    '{"',
    '{"a\\"b": 1',
    '{ "a" \n:',
    "[]",
    "[1, x",
    "[-1.5e+3]",
    "[ true , ",
    "[nul",
    "[Infinity,",
    '["a", b',
    "[[",
    '[[{"a": 1',
    "```json\n[",
    "~~~ JSON\nx",
    "  ```json",
]


@pytest.mark.parametrize("text", CLAIMS)
def test_text_that_begins_like_json_claims_to_be_json(text):
    """Still undecided at the end, it claims."""
    assert looks_like_json(text)


def test_text_after_a_complete_document_withdraws_the_claim():
    """Unless JSON was expected."""
    text = '{"a": 1}\nThat is all [of it}.'
    assert found(text) == []
    assert found(text, expect=True, completed=False) == [(9, "Text after the JSON")]
    assert found('{"a": 1}\n{"b": [') == []
    assert found('```json\n{"a": 1}\n```\nDone.', expect=True) == [(21, "Text after the JSON")]


def test_what_stands_in_a_json_fence_is_judged_at_its_end():
    """Text after the fence does not matter, but what was left open in it does."""
    assert found('```json\n{"a": [1\n```\nDone.', completed=False) == []
    assert found('```json\n{"a": [1\n```\nDone.') == [
        (17, "2 brackets are not closed, the text ends before ]}")
    ]
    assert found("```json\n[1}\n```") == [(10, "} does not match: ] was due")]
    assert found("```json\nnothing here\n```") == []


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("Sure! {}", 0),
        ("  hello", 2),
        ("tru e", 0),
        ("01", 0),
        ("1.2.3", 0),
        ("-", 0),
        ('"a" b', 4),
        ("42 43", 3),
        ("]", 0),
        ("`{}`", 0),
        ("nul", 0),
        ("```json\nnope\n```", 8),
    ],
)
def test_where_json_was_expected_other_text_is_an_error(text, position):
    """At the first place that can't be JSON."""
    for size in (1, 2, 99):
        assert [v.position for v in judged([json_rule(expect=True)], every(text, size))] == [
            position
        ]


@pytest.mark.parametrize("text", ["", " ", "1e5", '"a\\"', "-Infinity", "9" * 9000, "[]", "true "])
def test_a_scalar_may_be_the_whole_document(text):
    """Where JSON was expected; an empty text is left to zero_output."""
    expected = [] if text != '"a\\"' else [(4, "A string is not closed")]
    assert found(text, expect=True) == expected
    assert [v for v in judged([json_rule(expect=True)], every(text, 7)) if v.position != 4] == []


def test_the_strict_rule_gives_the_place_where_parsing_fails():
    """In the text as it came, its fence included."""
    for text, position in (
        ('{"a" 1}', 5),
        ('```json\n{"a" 1}\n```', 13),
        ("hello", 0),
        ('{"a": 1} x', 9),
        ("```\n{}\n```\n\n so", 13),
    ):
        (violation,) = strict_json_rule().check(GuardrailContext(text, completed=True))
        assert violation.position == position
        assert violation.recoverable
    assert strict_json_rule().check(GuardrailContext('{"a" 1}')) == []


def test_the_strict_rule_leaves_numbers_alone():
    """Python's limit on digits is no fault of the text; too deep a text is."""
    context = GuardrailContext("9" * 10_000, completed=True)
    assert strict_json_rule().check(context) == []
    deep = GuardrailContext("[" * 100_000 + "]" * 100_000, completed=True)
    assert [v.message for v in strict_json_rule().check(deep)] == [
        "Not readable as JSON: nested too deeply"
    ]


def test_the_strict_rule_without_expectation_judges_whole_documents_only():
    """Text that claims to be JSON and begins and ends like a document."""
    for text in ("hello", '{"a" 1', '{"a": 1} so', "42", "```python\n{1}\n```"):
        assert strict_json_rule(expect=False).check(GuardrailContext(text, completed=True)) == []
    for text in ('{"a": 1,}', "```json\n{a: 1}\n```"):
        (violation,) = strict_json_rule(expect=False).check(GuardrailContext(text, completed=True))
        assert violation.rule == "strict_json"


def test_the_structure_of_a_text_can_be_looked_at():
    """Whether or not it claims to be JSON."""
    structure = analyze_json_structure('see {"a": [1, "b')
    assert structure.open_brackets == "{["
    assert structure.in_string
    assert not structure.is_balanced
    assert len(structure.issues) == 2
    assert analyze_json_structure('```json\n{"a": 1}\n```').is_balanced
    assert analyze_json_structure("[}").issues == ("} does not match: ] was due",)


def test_random_brackets_are_read_as_by_hand():
    """Against a plain pushdown, on brackets, quotes and escapes in any order."""
    dice = random.Random(7)
    for _ in range(2000):
        text = '{"k": ' + "".join(dice.choice('[]{}"\\a ') for _ in range(dice.randrange(14)))
        stack, quoted, escaped, fault = [], False, False, None
        for at, char in enumerate(text):
            if quoted:
                escaped, quoted = not escaped and char == "\\", escaped or char != '"'
            elif fault is None and not (at and not stack):
                if char == '"':
                    quoted = True
                elif char in "[{":
                    stack.append(char)
                elif char in "]}":
                    if stack[-1] + char in {"[]", "{}"}:
                        stack.pop()
                    else:
                        fault = at
        if not stack:
            continue  # the root is complete: other tests
        positions = {position for _, position, _ in told([json_rule()], every(text, 2))}
        if fault is not None:
            assert positions == {fault}, text
        else:
            assert positions == {len(text)}, text
