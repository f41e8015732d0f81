"""Instructions about the form of an answer, and answers without their wrapping."""

import json

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from l0.formatting import (
    OutputConstraints,
    OutputOptions,
    clean_output,
    create_output_format_section,
    ends_abruptly,
    estimate_chars_for_tokens,
    estimate_tokens,
    extract_json_from_output,
    format_json_output,
    format_output_constraints,
    format_structured_output,
    validate_json_output,
)

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(max_size=10),
    lambda inner: (
        st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3)
    ),
    max_leaves=8,
)


def test_one_sentence_for_each_option_in_a_fixed_order():
    made = format_json_output(
        constraints={"min_length": 1, "max_length": 9, "language": "French"},
        example={"a": 1},
        schema={"type": "object"},
        strict=True,
        wrap=False,
    )
    assert made == (
        "Answer with one valid JSON value.\n"
        "Write nothing before or after it, and no code fence.\n"
        'It must match this schema:\n{\n  "type": "object"\n}\n'
        'An example of the form:\n{\n  "a": 1\n}\n'
        "Write at most 9 characters.\nWrite at least 1 characters.\nWrite in French."
    )


@pytest.mark.parametrize("format", ["json", "yaml", "xml", "markdown", "plain"])
def test_every_format_has_its_instruction_plain_and_strict(format):
    plain = format_structured_output(format, wrap=False)
    strict = format_structured_output(format, wrap=False, strict=True)
    assert strict.startswith(plain + "\n")
    assert create_output_format_section(format) == f"## Output format\n\n{plain}"
    assert format_structured_output(format) == f"<output_format>\n{plain}\n</output_format>"


def test_an_example_in_yaml_is_yaml():
    data = {"name": "Ada", "tags": ["a", "b"], "text": "two\nlines"}
    made = format_structured_output("yaml", OutputOptions(example=data, wrap=False))
    assert yaml.safe_load(made.split("form:\n")[1]) == data


def test_every_constraint_has_its_sentence():
    made = format_output_constraints(
        OutputConstraints(no_code_blocks=True, no_markdown=True, tone="calm")
    )
    assert made.splitlines() == ["Use no code blocks.", "Use no Markdown.", "Keep a calm tone."]
    assert format_output_constraints({}) == ""


@given(
    JSON,
    st.sampled_from(
        [
            "{}",
            "```json\n{}\n```",
            "Here is the JSON:\n```\n{}\n```",
            "Sure!\nHere you go:\n\n{}",
            "~~~\n{}\n~~~",
        ]
    ),
)
def test_an_answer_comes_out_of_its_wrapping_whole(value, around):
    text = json.dumps(value, indent=1)
    assert json.loads(clean_output(around.replace("{}", text))) == value
    assert validate_json_output(around.replace("{}", text)) == (True, None)


@pytest.mark.parametrize(
    "text",
    [
        "Here is why: it rains.",
        "One\n```\ncode\n```\ntwo",
        "```\na\n```\nand\n```\nb\n```",
        "Here we go again.\nAnd again.",
    ],
)
def test_prose_is_left_as_it_is(text):
    assert clean_output(text) == text


@given(
    st.dictionaries(st.text(max_size=5), JSON, max_size=3) | st.lists(JSON, max_size=3),
    st.sampled_from(["It is {}", "See [1 below: {} so", "{}", "```json\n{}\n```", "{a} {} {b}"]),
)
def test_json_is_found_in_prose_as_it_stands(value, around):
    text = json.dumps(value)
    assert extract_json_from_output(around.replace("{}", text)) == text


def test_an_answer_without_json_is_only_cleaned():
    assert extract_json_from_output(" no [json {here ") == "no [json {here"
    assert extract_json_from_output("[" * 200_000).startswith("[[")


def test_what_is_wrong_with_json_is_said_with_its_place():
    ok, why = validate_json_output('{"a": }')
    assert not ok
    assert "column 7" in why
    assert validate_json_output("[" * 100_000)[0] is False


def test_bad_options_say_what_to_give():
    with pytest.raises(ValueError, match="json, yaml, xml, markdown, plain"):
        format_structured_output("toml")
    with pytest.raises(ValueError, match="min_length 5 is above max_length 2"):
        OutputConstraints(max_length=2, min_length=5)
    with pytest.raises(ValueError, match="max_length is 0 or more"):
        OutputConstraints(max_length=-1)
    with pytest.raises(TypeError, match="shema"):
        format_json_output(shema={})


def test_sizes_in_tokens():
    assert [estimate_tokens("a" * n) for n in (0, 1, 4, 5)] == [0, 1, 1, 2]
    assert estimate_chars_for_tokens(5) == 20
    with pytest.raises(ValueError, match="0 or more"):
        estimate_chars_for_tokens(-1)


@pytest.mark.parametrize(
    ("text", "cut"),
    [
        ("the", True),
        ("in 19", True),
        ("one, ", True),
        ("a list: [", True),
        ("“", True),
        ("x <", True),
        ("Done.", False),
        ('"yes"', False),
        ("(ok)", False),
        ("", False),
        (" \n", False),
    ],
)
def test_a_text_that_was_cut_off_is_seen(text, cut):
    assert ends_abruptly(text) is cut
