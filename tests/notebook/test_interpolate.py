"""`{expr}` in a prompt becomes its value; JSON, code and LaTeX stay as they are."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.notebook._interpolate import interpolate

NAMES = {"word": "hello", "n": 3, "price": 2.5, "d": {"k": "v", "list": [1, 2]}, "up": str.upper}


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("Say {word}.", "Say hello."),
        ("{ n } and {n + 1}", "3 and 4"),
        ("{price:.1f} {word!r} {word:>7}", "2.5 'hello'   hello"),
        ("{d['k']}{d[\"list\"][0]}", "v1"),
        ('{up("}")} {len(word)}', "} 5"),
        ("{[x * 2 for x in d['list']]}", "[2, 4]"),
        ("{', '.join(d)}", "k, list"),
        ("{'\\n'.join(d)}", "k\nlist"),
        ('{"name": "{word}"}', '{"name": "hello"}'),
    ],
    ids=[
        "name", "blanks", "formats", "items", "calls", "comprehension", "method", "backslash",
        "in-json",
    ],
)  # fmt: skip
def test_expressions_of_the_notebook_become_their_values(text, expected):
    found = interpolate(text, NAMES)
    assert (found.text, found.notes) == (expected, [])


@pytest.mark.parametrize(
    "text",
    [
        '{"a": {"b": [1, {}]}}',
        "{}",
        "{ }",
        "{1}",
        r"\frac{1}{2}",
        "int main() { return n; }",
        "{\n  n\n}",
        "{n: 1}",
        "{word, n}",
        "{n=}",
        "{id}",
        "{lambda: 0}",
        "{it's}",
        "} {",
        "{",
        "}}",
        "",
    ],
)
def test_other_braces_stay_as_they_are(text):
    found = interpolate(text, NAMES)
    assert (found.text, found.notes) == (text, [])


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("{{word}}", "{word}"),
        ("{{{word}}}", "{hello}"),
        ('{{"a": {"b": "{word}"}}}', '{"a": {"b": "hello"}}'),
        ("{{", "{"),
    ],
)
def test_doubled_braces_escape(text, expected):
    assert interpolate(text, NAMES).text == expected


@pytest.mark.parametrize(
    ("text", "note"),
    [
        ("{nobody}", "{nobody} was left as it is: nobody is not defined"),
        ("{nobody.x()}", "{nobody.x()} was left as it is: nobody is not defined"),
        ("{d['z']}", "{d['z']} was left as it is: KeyError: 'z'"),
        ("{1 / (n - 3)}", "{1 / (n - 3)} was left as it is: ZeroDivisionError: division by zero"),
        ("{word:%d}", "{word:%d} was left as it is: ValueError: Invalid format specifier"),
    ],
)
def test_what_fails_is_left_and_noted(text, note):
    found = interpolate(text, NAMES)
    assert found.text == text
    assert len(found.notes) == 1
    assert found.notes[0].startswith(note)


def test_local_variables_of_a_comprehension_are_not_missed():
    assert interpolate("{sum(x for x in d['list'])} {nobody}", NAMES).notes == [
        "{nobody} was left as it is: nobody is not defined"
    ]


@given(st.text(alphabet=st.characters(exclude_characters="{}")), st.text())
def test_text_without_braces_and_values_with_them_go_through_unchanged(text, value):
    assert interpolate(text, NAMES).text == text
    assert interpolate(text + "{v}" + text, {"v": value}).text == text + value + text


@given(st.text(alphabet="{}\"'\\ nword:[](),.!\n1"))
def test_no_text_makes_it_fail(text):
    interpolate(text, NAMES)


@given(st.recursive(st.integers() | st.text(alphabet="ab "), lambda x: st.lists(x), max_leaves=5))
def test_json_without_names_of_the_notebook_is_sent_as_it_is(value):
    import json

    text = json.dumps({"key": value, "other": {"deep": {}}})
    assert interpolate(text, NAMES).text == text
