"""The LaTeX rule: environments and display math close, in text that has any."""

import pytest
from guardrail_helpers import every, told

from l0.guardrails import analyze_latex_structure, latex_rule, looks_like_latex


def found(text, *, finish=True):
    """Message and offset of each violation, the text coming in small pieces."""
    return sorted(
        (position, message)
        for _, position, message in told([latex_rule()], every(text, 4), finish=finish)
    )


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        (r"\begin{align} x", [(0, r"\begin{align} is not closed")]),
        (r"a \[ x", [(2, r"\[ is not closed")]),
        (r"a \( x \) \( y", [(10, r"\( is not closed")]),
        (r"a $$ \alpha", [(2, "$$ is not closed")]),
        (r"\end{align}", [(0, r"\end{align} was not opened")]),
        (
            r"\begin{a} \begin{b} \end{a}",
            [(20, r"\end{a} does not match \begin{b}")],
        ),
        (
            r"\begin{a}\begin{b}\end{c}",
            [
                (0, r"\begin{a} is not closed"),
                (9, r"\begin{b} is not closed"),
                (18, r"\end{c} was not opened"),
            ],
        ),
        (r"\(x\) costs $$", [(12, "$$ is not closed")]),
    ],
)
def test_what_does_not_close_or_match_is_an_error(text, expected):
    """Each at its offset."""
    assert found(text) == expected


def test_an_end_that_does_not_match_is_found_before_completion():
    """As soon as its line is there."""
    text = "\\begin{a}\n\\end{b}\nmore"
    assert found(text, finish=False) == [(10, r"\end{b} was not opened")]


@pytest.mark.parametrize(
    "text",
    [
        r"\begin{align} x &= 1 \\ \end{align} and \[ y \] and \( z \) and $$ \alpha $$",
        "It costs $5, or $$, or $$$ for two.",
        "$5 and $$ no command",
        "`\\begin{align}` is how it begins",
        "``a ` \\[`` fine",
        "```\n\\begin{align}\n```\n",
        "\\begin{verbatim}\n\\end{align} \\[ $$ \\x\n\\end{verbatim}\n",
        r"\\[2pt] is a line break, \\( too",
        r"a \] alone and \) alone",
        r"\$$ \alpha",
        r"\command{x} without any of these",
        "",
    ],
)
def test_what_closes_or_is_no_latex_is_fine(text):
    """Prices, code, verbatim, and escapes."""
    assert found(text) == []


def test_a_code_span_ends_with_its_line():
    """Backticks without a partner on the line are just backticks."""
    assert found("a ` b\n\\[ c `") == [(6, r"\[ is not closed")]


def test_a_line_without_end_is_read_in_parts():
    """What is held back is bounded; places are still right."""
    text = "x " * 20_000 + r"\begin{align}" + "y" * 30_000
    assert found(text) == [(40_000, r"\begin{align} is not closed")]


def test_deep_nesting_is_undone_in_one_go():
    r"""An `\end` closes what was opened inside it."""
    text = r"\begin{a}" + r"\begin{b}" * 500 + r"\end{a}\end{a}"
    assert [message for _, message in found(text)] == [
        r"\end{a} does not match \begin{b}",
        r"\end{a} was not opened",
    ]


def test_the_structure_of_a_text_can_be_looked_at():
    """What is open, outermost first."""
    structure = analyze_latex_structure(r"\begin{align}\begin{cases}")
    assert structure.has_latex
    assert structure.open_environments == ("align", "cases")
    assert not structure.is_balanced
    assert len(structure.issues) == 2
    assert not analyze_latex_structure("plain").has_latex


@pytest.mark.parametrize(
    ("text", "looks"),
    [
        (r"\begin{x}", True),
        (r"\end{x}", True),
        (r"\[", True),
        (r"\(", True),
        (r"$$ \pi $$", True),
        (r"$$ 5 $$", False),
        (r"\pi and $5", False),
        (r"`\[`", False),
    ],
)
def test_what_looks_like_latex(text, looks):
    """As the rule sees it."""
    assert looks_like_latex(text) is looks
