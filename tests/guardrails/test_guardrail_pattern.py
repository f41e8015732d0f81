"""The pattern rules find what searching the whole text would find."""

import re

import pytest
from guardrail_helpers import cut_texts, every, judged, pieces, prose, told
from hypothesis import example, given, settings
from hypothesis import strategies as st

from l0.events import Severity
from l0.guardrails import (
    GuardrailContext,
    custom_pattern_rule,
    find_bad_patterns,
    pattern_rule,
)
from l0.guardrails._phrases import CATEGORIES, PhraseScanner, PhraseSet
from l0.guardrails._regex import UNBOUNDED, RegexScanner, sight

PHRASES = [(category, phrase) for category, all_ in CATEGORIES.items() for phrase in all_]


def spelled(phrase):
    """The phrase with something where it has `…`."""
    return "xxxx" if phrase == "xxx…" else phrase.replace("…", "here")


def found(text, size=3, **options):
    """Offset and phrase of each match."""
    violations = judged([pattern_rule(**options)], every(text, size))
    return [(v.position, v.context["phrase"]) for v in violations]


# --- phrases -----------------------------------------------------------------------------------


@pytest.mark.parametrize(("category", "phrase"), PHRASES)
def test_every_phrase_is_found_in_any_case_and_with_any_blanks(category, phrase):
    """Upper case, up to three blanks or a newline for a blank, a curly apostrophe."""
    said = spelled(phrase)
    for text in (
        said,
        said.upper(),
        said.title(),
        said.replace(" ", "\n"),
        said.replace(" ", "   "),
        said.replace(" ", "\t"),
        said.replace("'", "\u2019"),
    ):
        padded = f"(({text}))"
        violations = judged([pattern_rule()], every(padded, 2))
        assert [(v.position, v.context["category"], v.context["phrase"]) for v in violations] == [
            (2, category, phrase)
        ], text
        assert violations[0].context["length"] == len(text)
        assert violations[0].severity is Severity.WARNING


@pytest.mark.parametrize(("_", "phrase"), PHRASES)
def test_no_phrase_is_found_inside_words_or_with_other_blanks(_, phrase):
    """Word bounds where the phrase has letters; four blanks or two newlines are no blank."""
    said = spelled(phrase)
    if said[0].isalnum():
        assert found(f"b{said}") == []
    if said[-1].isalnum():
        assert found(f"{said}b") == []
    if " " in said and "…" not in phrase:
        assert found(said.replace(" ", "    ")) == []
        assert found(said.replace(" ", "\n\n")) == []


def test_a_placeholder_ends_at_its_bracket():
    """On its line, after at least one character."""
    assert found("[insert name here] [your [x] {{}} {{ a }} [insert a\nx] [insert\nx]") == [
        (0, "[insert …]"),
        (34, "{{…}}"),
        (55, "[insert …]"),
    ]


def test_a_phrase_in_fenced_code_is_not_looked_at():
    """And none goes across a fence."""
    assert found("```\nas an ai\n```\nas an\n```\nai\n```\nas an ai") == [(34, "as an ai")]
    assert found("as an\n```\nx\n```\nai") == []
    assert [at for at, _ in found("`as an ai`")] == [1]


@pytest.mark.parametrize("first", ["'", "İ", "é", "\u200b", "中", "_", "\U0001f600"])
def test_offsets_are_right_after_any_character(first):
    """Also where lower case would be longer."""
    text = f"{first * 200} as an ai"
    assert found(text) == [(201, "as an ai")]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from(
            [spelled(phrase) for _, phrase in PHRASES]
            + [spelled(phrase)[:-1] for _, phrase in PHRASES]
            + [spelled(phrase)[1:] for _, phrase in PHRASES]
            + [" ", " ", " ", "\n", "b", "[", "]", "{{", "}}", "x", "word ", "z" * 90, "’", "\r\n"]
        ),
        max_size=14,
    ),
    st.integers(1, 60),
)
def test_growing_text_gives_what_the_whole_text_gives(parts, size):
    """Overlapping and unfinished phrases included."""
    text = "".join(parts)
    phrases = PhraseSet([phrase for _, phrase in PHRASES])
    scanner, grown = PhraseScanner(phrases), []
    for start in range(0, len(text), size):
        grown += scanner.feed(text[start : start + size], start) or ()
    grown += scanner.flush() or ()
    assert grown == list(phrases.find(text))


NESTED = ["foo bar baz qux", "bar", "bar baz", "baz qux", "quick brown", "the quick", "qux foo"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.sampled_from([*" ".join(NESTED).split(), "fo", "b", "z" * 30, "\n", "  "]), max_size=20
    ).map(" ".join),
    st.integers(1, 30),
)
@example("z " * 4 + "foo bar baz qux " + "z " * 20, 1)
def test_phrases_that_have_others_in_them_are_found_however_the_text_comes(text, size):
    """The first to begin wins, even where a later one is complete before it."""
    phrases = PhraseSet(NESTED)
    scanner, grown = PhraseScanner(phrases), []
    for start in range(0, len(text), size):
        grown += scanner.feed(text[start : start + size], start) or ()
    grown += scanner.flush() or ()
    assert grown == list(phrases.find(text))


CANDIDATES = ["[", "{{", "x", "xx", "ai ", " as an ai", "i ", "[insert ", "i can", "i cannot ", "a"]


@settings(max_examples=150, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.sampled_from([*CANDIDATES, *map(spelled, dict(PHRASES).values())]),
            st.integers(1, 200),
        ),
        max_size=6,
    ),
    st.sampled_from([1, 7, 60, 400, 10_000]),
)
def test_runs_of_candidates_give_what_the_whole_text_gives(runs, size):
    """Long ones, where many starts are looked at together."""
    text = "".join(unit * count for unit, count in runs)[:3000]
    phrases = PhraseSet([phrase for _, phrase in PHRASES])
    scanner, grown = PhraseScanner(phrases), []
    for start in range(0, len(text), size):
        grown += scanner.feed(text[start : start + size], start) or ()
    grown += scanner.flush() or ()
    assert grown == list(phrases.find(text))
    assert [found.span() for found in phrases.matches(text.lower(), 0)] == [
        (found.start, found.end) for found in grown
    ]


@pytest.mark.parametrize(
    "before", ["", "{{", "[insert", "xxx", "unable", "{{" * 9, "{{ [your" * 30]
)
@pytest.mark.parametrize(
    "said", ["i cannot", "i cannots", "{{{a}}", "xxxx", "as an ai", "as an air"]
)
def test_a_phrase_is_found_at_any_distance_from_a_candidate(before, said):
    """And what only begins like one is none, wherever a look at the text may end."""
    phrases = PhraseSet([phrase for _, phrase in PHRASES])
    for distance in range(160):
        text = f"{before} {'-' * distance} {said}{'-' * 200}"
        found = [match.span() for match in phrases.matches(text, 0)]
        assert found == [(match.start, match.end) for match in phrases.find(text)]


def test_one_category_needs_no_list():
    """Its letters are no categories."""
    text = GuardrailContext("I cannot, as an AI.", completed=True)
    one = pattern_rule(include_categories="refusal").check(text)
    assert [found.context["category"] for found in one] == ["REFUSAL"]
    rest = pattern_rule(exclude_categories="refusal").check(text)
    assert [found.context["category"] for found in rest] == ["META_COMMENTARY"]


def test_categories_can_be_chosen():
    """Some only, or all but some; in any case."""
    text = "As an AI, I cannot. [name]"
    assert len(found(text)) == 3
    assert found(text, include_categories=["refusal"]) == [(10, "i cannot")]
    assert found(text, exclude_categories=["REFUSAL", "PLACEHOLDERS"]) == [(0, "as an ai")]
    with pytest.raises(ValueError, match=r"categories: SMALLTALK unknown; there are META"):
        pattern_rule(include_categories=["smalltalk"])


def test_own_patterns_take_the_place_of_the_phrases():
    """Plain words are phrases, anything else an expression; categories may be added."""
    text = "As an AI: Foo  bar, foobar, code 1234."
    rule = pattern_rule(["foo bar", r"\d{4}", re.compile("code")], severity="error")
    violations = judged([rule], every(text, 5))
    assert [(v.position, v.message, v.severity) for v in violations] == [
        (10, "Custom: foo bar", Severity.ERROR),
        (28, "Custom: code", Severity.ERROR),
        (33, "Custom: 1234", Severity.ERROR),
    ]
    both = pattern_rule("foo bar", include_categories=["META_COMMENTARY"])
    assert [v.position for v in judged([both], [text])] == [0, 10]
    assert judged([pattern_rule([])], [text]) == []


def test_a_phrase_is_decided_once_the_longest_would_have_ended():
    """Not at completion only."""
    text = "As an AI, well. " + "and so on " * 30
    for size in (1, 20):
        assert len(judged([pattern_rule()], every(text, size), finish=False)) == 1


# --- expressions of the caller -----------------------------------------------------------------

EXPRESSIONS = {
    "word": r"\bsecret\b",
    "class": r"[0-9]{3,5}",
    "alternatives": r"the same|same old|on",
    "look around": r"(?<=an )ai(?! x)",
    "ends": r"^the|on$",
    "lines": r"(?m)^- \w|i$",
    "unbounded": r"s\w+t",
    "unbounded look": r"\d+(?!\d*e)",
    "groups": r"(a)?b(?(1)c|d)",
    "atomic": r"(?>na)+b|o++",
    "reference": r"(\w)\1",
    "dots": r"(?s)x.{0,9}x",
    "maybe nothing": r"x*|the",
    "nothing first": r"|the",
}


@pytest.mark.parametrize("name", EXPRESSIONS)
def test_an_expression_finds_what_finditer_finds(name):
    """For every kind of expression whose matches are shorter than the cut."""
    pattern = re.compile(EXPRESSIONS[name], re.IGNORECASE)

    @settings(max_examples=50, deadline=None)
    @given(cut_texts())
    def check(sample):
        text, cuts = sample
        whole = [(m.start(), m[0]) for m in pattern.finditer(text) if m[0]]
        if any(len(match) > 900 for _, match in whole):
            return
        for parts in (pieces(text, cuts), every(text, 1)):
            scanner, grown, start = RegexScanner(pattern, 1000), [], 0
            for part in parts:
                grown += scanner.feed(part, start) or ()
                start += len(part)
            grown += scanner.flush() or ()
            assert grown == whole

    check()


@pytest.mark.parametrize(
    ("expression", "reach", "back"),
    [
        ("secret", 6, 1),
        (r"\bab?c\b", 5, 1),
        ("a|bcd", 3, 1),
        ("a{2,5}x", 6, 1),
        ("(?<=abc)d", 1, 4),
        ("a(?=bcd)", 4, 1),
        ("a$", 3, 1),
        ("(?:ab){3}", 6, 1),
        ("(?>ab)", 2, 1),
        (r"[a-z]\d", 2, 1),
        ("a*", UNBOUNDED, 1),
        ("a(?=b+)", UNBOUNDED, 1),
        (r"(a)\1", UNBOUNDED, 1),
        ("(?:)*x", 1, 1),
        ("", 1, 1),
    ],
)
def test_how_far_an_expression_sees_is_known(expression, reach, back):
    """Forward from its start, and back; so that a match is told no later than needed."""
    assert sight(re.compile(expression)) == (reach, back)


def test_an_expression_that_can_not_be_measured_is_still_found(monkeypatch):
    """On a Python whose parser is shaped differently, all are taken as unbounded."""
    monkeypatch.setattr("l0.guardrails._regex.importlib.import_module", lambda name: object())
    assert sight(re.compile("secret")) == (UNBOUNDED, 64)
    rule = custom_pattern_rule(r"\bsecret\b", max_match=20)
    text = prose(700) + " secret " + prose(700)
    assert [v.position for v in judged([rule], every(text, 9), finish=False)] == [701]


def test_a_bounded_expression_is_told_at_once():
    """A word needs one character after it, not a thousand."""
    rule = custom_pattern_rule(r"secret")
    assert [v.position for v in judged([rule], ["a secret is", " out"], finish=False)] == [2]


def test_an_unbounded_match_is_cut_and_still_told_while_the_text_grows():
    """At `max_match` characters."""
    rule = custom_pattern_rule(r"k-\w+", max_match=50)
    text = "x k-" + "a" * 500 + " " * 400
    violations = judged([rule], every(text, 9), finish=False)
    assert [v.position for v in violations] == [2]
    assert violations[0].context == {"match": "k-" + "a" * 48, "length": 50}


def test_custom_patterns_say_what_the_caller_says():
    """Name, message, severity, recoverable; several expressions, fenced code included."""
    rule = custom_pattern_rule(
        ["foo", re.compile("BAR")], "No!", "fatal", name="mine", recoverable=False, flags=0
    )
    assert (rule.name, rule.early, rule.recoverable) == ("mine", True, False)
    violations = judged([rule], ["foo FOO bar\n```\nBAR\n```"])
    assert [(v.position, v.message, v.severity, v.recoverable) for v in violations] == [
        (0, "No!", Severity.FATAL, False),
        (16, "No!", Severity.FATAL, False),
    ]


@pytest.mark.parametrize(
    ("make", "said"),
    [
        (lambda: custom_pattern_rule("(", "x"), r"patterns: '\(' is no regular expression"),
        (lambda: custom_pattern_rule([], "x"), "patterns: give at least one"),
        (lambda: custom_pattern_rule("a", max_match=0), "max_match: give at least 1"),
        (lambda: custom_pattern_rule("a", severity="loud"), "'loud' is not one of warning, error"),
        (lambda: pattern_rule(severity="loud"), "severity: 'loud' is not one of warning, error"),
        (lambda: pattern_rule("a("), "is no regular expression"),
        (lambda: pattern_rule([7]), "is no regular expression"),
        (lambda: pattern_rule(7), "patterns: 7 is no regular expression"),
        (lambda: custom_pattern_rule(["a", b"b"]), "patterns: b'b' is no regular expression"),
        (lambda: custom_pattern_rule(re.compile(b"b")), "is no regular expression of text"),
        (lambda: pattern_rule(severity=["error"]), "severity: "),
        (lambda: pattern_rule(include_categories="META"), "categories: META unknown"),
    ],
)
def test_bad_arguments_are_refused(make, said):
    """When the rule is made."""
    with pytest.raises(ValueError, match=said):
        make()


def test_patterns_can_be_looked_for_in_a_finished_text():
    """In order of their places, phrases and expressions alike."""
    text = "Code 12, Lorem\nIpsum and 345"
    assert [
        (bad.text, bad.position) for bad in find_bad_patterns(text, ["lorem ipsum", r"\d+"])
    ] == [
        ("12", 5),
        ("Lorem\nIpsum", 9),
        ("345", 25),
    ]
    assert find_bad_patterns(text, "nothing") == []


def test_two_expressions_may_match_at_one_place():
    """One violation, since rule, place and message are the same."""
    assert told([custom_pattern_rule(["ab", "abc"])], ["abc"]) == {
        ("custom_pattern", 0, "Matched a forbidden pattern")
    }
