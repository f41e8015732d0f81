"""The markdown rule: fences close, table rows fit their header."""

import pytest
from guardrail_helpers import every, judged

from l0.events import Severity
from l0.guardrails import analyze_markdown_structure, looks_like_markdown, markdown_rule
from l0.guardrails._markdown import table_cells


def found(text, *, finish=True):
    """Offset and message of each violation, the text coming in small pieces."""
    return [
        (v.position, v.message) for v in judged([markdown_rule()], every(text, 3), finish=finish)
    ]


@pytest.mark.parametrize(
    ("text", "position"),
    [
        ("```\ncode", 0),
        ("a\n   ~~~~\ncode\n~~~\n", 2),
        ("````\n```\n", 0),
        ("```\n~~~\n", 0),
        ("```\n``` x\n", 0),
        ("```\n    ```\n", 0),
        ("```py", 0),
        ("```\na\n```\nb\n```\nc", 12),
    ],
)
def test_a_fence_left_open_is_an_error_at_completion(text, position):
    """At the line that opened it; while the text grows nothing is wrong."""
    ((at, message),) = found(text)
    assert at == position
    assert message.endswith("is not closed")
    assert judged([markdown_rule()], [text])[0].severity is Severity.ERROR
    assert found(text, finish=False) == []


@pytest.mark.parametrize(
    "text",
    [
        "```\ncode\n```",
        "```\ncode\n`````   \n",
        "~~~ a ` b\ncode\n~~~",
        "``` a ` b\nno fence",
        "    ```\nindented too far",
        "inline ```code``` here",
        "``\nno fence",
        "",
    ],
)
def test_what_closes_or_never_opened_is_fine(text):
    """A closing line has the same character, at least as often, and nothing after it."""
    assert found(text) == []


TABLE = "| a | b |\n| --- | :-: |\n"


@pytest.mark.parametrize(
    ("row", "cells"),
    [
        ("| 1 |", 1),
        ("| 1 | 2 | 3 |", 3),
        ("1 | 2 | 3", 3),
        ("| 1 | `2 | 3 |", 3),
        ("| 1 | 2 \\|", 2),
        ("| `1|2` | 3 | 4 |", 3),
    ],
)
def test_a_row_with_another_number_of_cells_is_a_warning(row, cells):
    """At the offset of the row; escaped pipes and code spans do not count."""
    expected = [] if cells == 2 else [(len(TABLE), cells)]
    violations = judged([markdown_rule()], every(TABLE + row + "\n\nend", 2))
    assert [(v.position, v.severity) for v in violations] == [
        (at, Severity.WARNING) for at, _ in expected
    ]
    for violation in violations:
        said = f"Table row has {cells} cell{'s' * (cells != 1)}, its header has 2"
        assert violation.message == said


@pytest.mark.parametrize(
    "text",
    [
        TABLE + "| 1 | 2 |\n1 | 2\n| `a|b` | c \\| d |\n|  |  |\n",
        TABLE + "| 1 | 2 |\n\n| 1 |\n",
        TABLE + "no row\n| 1 |\n",
        "| a | b |\n| --- |\n| 1 |\n",
        "a | b\ntext\n| --- | --- |\n| 1 |\n",
        "```\n" + TABLE + "| 1 |\n```\n",
        "a\n---\n| 1 |\n",
        "| a | b |\n| -- | x |\n| 1 |\n",
    ],
)
def test_rows_that_fit_or_belong_to_no_table_are_fine(text):
    """A table needs a header and a delimiter row of as many cells, and ends at another line."""
    assert found(text) == []


def test_every_row_that_does_not_fit_is_told():
    """Each at its own offset."""
    text = TABLE + "| 1 |\n" * 3 + "| 1 | 2 | 3 |"
    assert [at for at, _ in found(text)] == [len(TABLE) + 6 * n for n in range(4)]


def test_a_very_long_line_is_no_row():
    """What is kept of a line is bounded."""
    assert found(TABLE + "| 1 " * 2000 + "\n| 1 |\n") == []


@pytest.mark.parametrize(
    ("line", "cells"),
    [("", 0), ("a", 0), ("|", 1), ("||", 1), ("a|b", 2), ("|a|b|", 2), (r"a\|b", 0), (r"a\\|b", 2)],
)
def test_cells_are_counted(line, cells):
    """Zero if no pipe divides the line."""
    assert table_cells(line) == cells


def test_the_structure_of_a_text_can_be_looked_at():
    """Fences with their languages, table rows, what is wrong."""
    structure = analyze_markdown_structure(f"```sh\nls\n```\n{TABLE}| 1 |\n```python x\n")
    assert structure.languages == ("sh", "python x")
    assert (structure.fences, structure.table_rows) == (2, 1)
    assert structure.in_fence
    assert not structure.is_balanced
    assert len(structure.issues) == 2
    assert analyze_markdown_structure("plain").is_balanced


@pytest.mark.parametrize(
    "text", ["# Title", "- item", "1. item", "```", "| a | b |", "**bold**", "a [l](http://x)"]
)
def test_text_with_a_mark_looks_like_markdown(text):
    """Plain prose does not."""
    assert looks_like_markdown(f"Some text.\n{text}\n")
    assert not looks_like_markdown("Some text - with a dash. 2 * 3 * 4 (see [1]).")
