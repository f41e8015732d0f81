"""Rows of every kind of items, and the prompt that each makes."""

from __future__ import annotations

import pandas as pd  # noqa: TID253  the tests are of its frames
import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.compose._rows import Rows, prompter


async def rows_of(items, max_rows=None):
    return [row async for row in Rows(items, max_rows).each()]


def prompt_of(prompt, row):
    return prompter(prompt, Rows([row]))(row)


# --- items --------------------------------------------------------------------------------------


@pytest.mark.parametrize("items", ["a text", b"bytes", {"a": 1}, 5, None])
def test_what_has_no_rows_is_told_what_to_give(items):
    with pytest.raises(TypeError, match="map needs rows"):
        Rows(items)


async def test_a_frame_gives_each_value_in_its_own_type():
    """A row of mixed columns is not coerced to floats, as iterating over rows would do."""
    frame = pd.DataFrame({"n": [1, 2], "x": [0.5, 1.5], "s": ["a", "b"]}, index=["p", "q"])
    first, second = await rows_of(frame)
    assert first == {"n": 1, "x": 0.5, "s": "a"}
    assert isinstance(first["n"], int)
    assert second["s"] == "b"
    assert list(Rows(frame, 1).index) == ["p"]


async def test_a_frame_that_is_read_by_row_gives_its_rows():
    """As polars does; iterating over it would give columns."""

    class Frame:
        columns = ["n"]

        def __len__(self):
            return 2

        def __iter__(self):
            raise AssertionError("these are columns")

        def iter_rows(self, *, named):
            assert named
            yield from ({"n": 1}, {"n": 2})

    rows = Rows(Frame())
    assert (rows.columns, rows.total, rows.index) == (["n"], 2, None)
    assert await rows_of(Frame(), 1) == [{"n": 1}]
    assert prompter("{n}", rows)({"n": 1}) == "1"


async def test_a_series_has_one_column():
    series = pd.Series(["a", "b"], index=[7, 9])
    assert await rows_of(series) == [{"text": "a"}, {"text": "b"}]
    assert list(Rows(series).index) == [7, 9]


async def test_an_endless_iterable_is_read_as_far_as_rows_are_taken():
    read = []

    def endless():
        n = 0
        while True:
            read.append(n)
            yield {"n": n}
            n += 1

    assert await rows_of(endless(), 3) == [{"n": 0}, {"n": 1}, {"n": 2}]
    assert read == [0, 1, 2]
    assert await rows_of(endless(), 0) == []


async def test_an_async_iterable_gives_rows_too():
    async def items():
        yield "a"
        yield {"text": "b"}

    assert await rows_of(items()) == [{"text": "a"}, {"text": "b"}]
    assert Rows(items()).total is None


async def test_a_frame_without_columns_has_rows_all_the_same():
    assert await rows_of(pd.DataFrame(index=[1, 2])) == [{}, {}]


# --- prompts ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("prompt", "error"),
    [
        ("Say {txt}", r"asks for the column 'txt' \(did you mean 'text'\?\).*columns are 'text'"),
        ("Say it", "the same for every row"),
        ("Say {text", "can't be read as a template"),
        ("Say }", "can't be read as a template"),
        ("{text:{width}}", "'width'"),
        (5, "a prompt is a column's name"),
        (None, "a prompt is a column's name"),
    ],
)
def test_a_prompt_that_can_not_be_made_is_told_before_anything_is_paid(prompt, error):
    with pytest.raises((ValueError, TypeError), match=error):
        prompter(prompt, Rows([{"text": "a"}]))


def test_a_column_that_is_there_twice_is_ambiguous():
    frame = pd.DataFrame([["a", "b"]], columns=["text", "text"])
    for prompt in ("Say {text}", "text"):
        with pytest.raises(ValueError, match="2 columns 'text'"):
            prompter(prompt, Rows(frame))


def test_a_column_nobody_asks_for_may_be_there_twice():
    frame = pd.DataFrame([["a", 1, 2]], columns=["text", "x", "x"])
    assert prompter("{text}", Rows(frame))({"text": "a", "x": 2}) == "a"


@pytest.mark.parametrize(
    ("prompt", "row", "made"),
    [
        ("Say {text}", {"text": "a"}, "Say a"),
        ("{price:.2f} {name!r}", {"price": 1.5, "name": "x"}, "1.50 'x'"),
        ("{tags[0]} of {d.year}", {"tags": ["t"], "d": pd.Timestamp(2026, 1, 1)}, "t of 2026"),
        ('{{"json": {text}}}', {"text": "a"}, '{"json": a}'),
        ("{text:>{width}}", {"text": "a", "width": 3}, "  a"),
        ("a column", {"a column": "whole"}, "whole"),
        ("{a column}", {"a column": "in it"}, "in it"),
        (
            "text",
            {"text": [{"role": "user", "content": "hi"}]},
            [{"role": "user", "content": "hi"}],
        ),
        (lambda row: row["a"] * 2, {"a": "x"}, "xx"),
    ],
)
def test_a_prompt_is_a_template_a_column_or_a_function(prompt, row, made):
    assert prompt_of(prompt, row) == made


def test_a_text_fills_an_unnamed_brace():
    assert prompt_of("Say {}", {"text": "a"}) == "Say a"


@given(st.text())
def test_a_value_is_never_read_as_a_template(text):
    """Braces in a value go in as they are, whatever they look like."""
    assert prompt_of("<{text}>", {"text": text}) == f"<{text}>"


@pytest.mark.parametrize(
    "value", [None, float("nan"), pd.NaT, pd.NA], ids=["None", "NaN", "NaT", "NA"]
)
def test_a_missing_value_makes_no_prompt(value):
    """Nobody pays for a summary of "nan"."""
    with pytest.raises(ValueError, match="'text' is missing in this row"):
        prompt_of("Say {text}", {"text": value})


@pytest.mark.parametrize("prompt", [lambda row: 5, lambda row: None, lambda row: ["a"]])
def test_a_function_gives_a_text_or_messages(prompt):
    with pytest.raises(TypeError, match="a text or a list of messages"):
        prompt_of(prompt, {"a": 1})


def test_an_item_that_is_no_row_says_nothing_of_the_columns():
    assert Rows([None, "a", {"b": 1}]).columns == ["text"]
    assert Rows([1, 2]).columns is None
    assert Rows([]).columns is None
    assert prompter("text", Rows([None, "a"]))({"text": "a"}) == "a"


def test_a_row_that_is_none_fails_in_its_place():
    make = prompter("{text}", Rows([{"text": "a"}]))
    with pytest.raises(ValueError, match="a row is a mapping"):
        make(5)
    with pytest.raises(ValueError, match="no column 'text'; it has 'other'"):
        make({"other": 1})
