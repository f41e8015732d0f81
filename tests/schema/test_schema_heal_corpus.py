"""The corpus of broken documents: one right answer each, and the page that compares libraries."""

from __future__ import annotations

import json
import re
from collections import Counter
from pathlib import Path

import pytest
from malformed_corpus import CASES, DOCUMENTS, ERROR, is_prefix, same, whole

from l0.schema import PartialParser, auto_correct_json, parse_partial_json

PAGE = Path(__file__).parents[2] / "docs" / "healing.md"
CATEGORIES = list(dict.fromkeys(case.category for case in CASES))
NUMBER = "-+.0123456789eE"
TRUNCATED = "truncation at every character"


def healed(text):
    done = auto_correct_json(text)
    return json.loads(done.text) if done.success else ERROR


def test_the_corpus_is_what_it_says():
    """At least 200 different texts, none of them JSON; every category of damage."""
    texts = [case.text for case in CASES]
    assert len(set(texts)) == len(texts) >= 200
    assert len(DOCUMENTS) == len(set(DOCUMENTS)) >= 20
    for text in texts:
        with pytest.raises(ValueError):
            json.loads(text, parse_constant=lambda word: int(word))  # NaN is not JSON
    for document in DOCUMENTS:
        json.loads(document)


@pytest.mark.parametrize("category", CATEGORIES)
def test_s72_every_broken_document_gets_its_one_right_answer(category):
    wrong = [
        (case.text, healed(case.text), case.right)
        for case in CASES
        if case.category == category
        and not (healed(case.text) is ERROR is case.right or same(healed(case.text), case.right))
    ]
    assert wrong == []


@pytest.mark.parametrize("category", CATEGORIES)
def test_what_is_repaired_is_repaired_for_good(category):
    """Healing again changes nothing, and every change has a name."""
    for case in CASES:
        if case.category == category and (done := auto_correct_json(case.text, True)).success:
            assert done.corrections
            again = auto_correct_json(done.text)
            assert (again.text, again.corrected) == (done.text, False)


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_a_document_cut_off_anywhere_says_nothing_that_it_does_not(document):
    """Every beginning has a value that is a beginning of the value, and it only grows."""
    numbers = whole(document)
    before = None
    for end in range(len(document) + 1):
        beginning = document[:end]
        done = auto_correct_json(beginning)
        if not beginning.strip():
            assert not done.success
            continue
        assert done.success
        value = json.loads(done.text)
        assert is_prefix(value, numbers), beginning
        assert before is None or is_prefix(before, whole(done.text)), beginning
        if beginning[-1] not in NUMBER:  # another character may make another number of it
            before = value
    assert same(value, json.loads(document))


@pytest.mark.parametrize("document", DOCUMENTS, ids=range(len(DOCUMENTS)))
def test_partial_values_are_those_of_healing_but_for_the_word_at_the_end(document):
    """What streams is what the healed beginning would give; numbers and literals wait."""
    parser = PartialParser()
    for end, char in enumerate(document, 1):
        parser.feed(char)
        beginning = document[:end]
        if parser.value is None:
            assert beginning.strip() in {"", "[", "{"}
        elif char in NUMBER or beginning.endswith(("true", "false", "null")):
            assert is_prefix(parser.value, whole(document)), beginning
        else:
            assert same(parser.value, parse_partial_json(beginning)), beginning
    assert same(parser.value, json.loads(document))
    assert parser.complete


def page_rows():
    text = PAGE.read_text()
    block = text.partition("<!-- measured: corpus -->\n")[2].partition("\n\n")[0]
    rows = [[cell.strip() for cell in line.strip("|").split("|")] for line in block.splitlines()]
    return rows[0][2:], {row[0]: row[1:] for row in rows[2:]}


def test_the_page_says_what_is_measured_of_ours():
    """The cases of each category, all of them right."""
    names, rows = page_rows()
    assert names[0] == "l0"
    counts = Counter(case.category for case in CASES)
    counts[TRUNCATED] = sum(len(document) + 1 for document in DOCUMENTS)
    counts["**all**"] = sum(counts.values())
    assert set(rows) == set(counts)
    for category, (cases, ours, *_) in rows.items():
        assert cases == ours == str(counts[category]), category


def test_no_library_is_more_often_right_in_any_category():
    _, rows = page_rows()
    for category, (_, ours, *others) in rows.items():
        for other in others:
            assert int(re.match(r"[0-9]+", other)[0]) <= int(ours), category
