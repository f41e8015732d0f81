"""Prices: what is in the table has a cost, what is not has none."""

from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from l0.events import Usage, UsagePayload
from l0.monitoring import Price, Prices

TABLE = Prices({"gpt-x": Price(2, 8, cached_input=0.5, reasoning=16), "tiny": (0.1, 0.4)})


@pytest.mark.parametrize(
    "model",
    [
        *("gpt-y", "gpt-x-mini", "gpt-x-preview-2026-01-01", "gpt", "", None, 7),
        *("gpt-x-2026", "gpt-x-0613", "gpt-x-2026-01-01-beta", "openai/gpt-x", "GPT-X"),
    ],
)
def test_an_unknown_model_has_no_cost(model):
    assert TABLE.cost(model, Usage(input_tokens=5)) is None
    assert TABLE.find(model) is None


@pytest.mark.parametrize("end", ["", "-2026-01-01", "-20260101", "@20260101"])
def test_a_dated_name_costs_what_the_name_costs(end):
    assert TABLE.find(f"gpt-x{end}") is TABLE["gpt-x"]


def test_an_exact_name_wins_over_the_undated_one():
    prices = Prices({"m": (1, 1), "m-2026-01-01": (2, 2)})
    assert prices.find("m-2026-01-01").input == 2
    assert prices.find("m-2026-01-02").input == 1
    assert Prices({"m-2025-01-01": (1, 1)}).find("m-2025-01-01-20260101").input == 1


def test_cached_and_reasoning_tokens_are_parts_of_input_and_output():
    usage = Usage(input_tokens=100, output_tokens=50, cached_input_tokens=40, reasoning_tokens=20)
    assert TABLE.cost("gpt-x", usage) == pytest.approx((60 * 2 + 40 * 0.5 + 30 * 8 + 20 * 16) / 1e6)
    assert TABLE.cost("tiny", usage) == pytest.approx((100 * 0.1 + 50 * 0.4) / 1e6)


def test_a_usage_may_be_a_mapping_or_an_event():
    assert TABLE.cost("gpt-x", {"output_tokens": 1_000_000}) == 8
    assert TABLE.cost("gpt-x", UsagePayload(1, output_tokens=1_000_000)) == 8
    with pytest.raises(ValueError, match="input_tokens counts tokens, not -1"):
        TABLE.cost("gpt-x", {"input_tokens": -1})


@given(st.builds(Usage, *[st.integers(0, 10**9)] * 2), st.integers(0, 10**10))
def test_costs_add_up_and_never_fall_below_zero(usage, part):
    price = Price(3, 15)
    assert price.cost(usage + usage) == pytest.approx(2 * price.cost(usage))
    odd = {**dict(usage), "cached_input_tokens": part, "reasoning_tokens": part}
    assert Price(3, 15, 0, 0).cost(odd) >= 0


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"m": (1,)}, "price of 'm': it has input and output"),
        ({"m": (1, 2, 3, 4, 5)}, "price of 'm'"),
        ({"m": (1, -2)}, r"Price.output is a price per million tokens, 0 or more, not -2"),
        ({"m": (math.nan, 2)}, "Price.input"),
        ({"m": (math.inf, 2)}, "Price.input"),
        ({"m": ("1", 2)}, "Price.input is a number, not '1'"),
        ({"m": (True, 2)}, "Price.input is a number"),
        ({"m": (None, 2)}, "Price.input is a number"),
        ({"m": {"input": 1, "out": 2}}, "out is unknown"),
        ({"m": 5}, "give Price"),
        ({"": (1, 2)}, "model name"),
    ],
)
def test_a_senseless_price_is_refused_by_name(table, says):
    with pytest.raises(ValueError, match=says):
        Prices(table)


def test_a_path_is_not_a_table():
    with pytest.raises(TypeError, match=r"Prices\.load"):
        Prices("prices.json")


FILES = {
    "p.json": '{"gpt-x": {"input": 2, "output": 8}, "m.1": [1, 2, 0.5]}',
    "p.toml": '[gpt-x]\ninput = 2\noutput = 8\n["m.1"]\ninput = 1\noutput = 2\ncached_input = 0.5',
    "p.CSV": "\ufeffmodel, input, output, cached_input\ngpt-x,2,8,\nm.1, 1, 2, 0.5\n\n",
}


@pytest.mark.parametrize("name", FILES)
def test_a_table_is_read_from_a_file(tmp_path, name):
    (tmp_path / name).write_text(FILES[name])
    assert dict(Prices.load(tmp_path / name)) == {
        "gpt-x": Price(2, 8),
        "m.1": Price(1, 2, cached_input=0.5),
    }
    assert len(Prices.load(str(tmp_path / name))) == 2


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("p.yaml", "", r"\.json, \.toml or \.csv"),
        ("p.json", "[1]", "one object"),
        ("p.json", "{", "p.json"),
        ("p.json", '{"m": {"input": 1}}', "price of 'm'"),
        ("p.toml", "[m.1]\ninput = 1\noutput = 2", "in quotes"),
        ("p.toml", "[m", "p.toml"),
        ("p.csv", "model,input\nm,1", "first line names the columns"),
        ("p.csv", "model,input,output,currency\nm,1,2,EUR", "first line names the columns"),
        ("p.csv", "", "first line names the columns"),
        ("p.csv", "model,input,output\nm,1,2\nm,1,3", "line 3: 'm' has a price already"),
        ("p.csv", "model,input,output\nm,1", "line 2"),
        ("p.csv", "model,input,output\nm,1,2,3", "line 2"),
        ("p.csv", "model,input,output\nm,one,2", "line 2.*one"),
    ],
)
def test_a_broken_file_says_where(tmp_path, name, text, says):
    (tmp_path / name).write_text(text)
    with pytest.raises(ValueError, match=says):
        Prices.load(tmp_path / name)


def test_a_missing_file_is_a_missing_file(tmp_path):
    with pytest.raises(FileNotFoundError):
        Prices.load(tmp_path / "p.json")
