"""Charts: each from a source and from its frame, empty ones included, and nothing guessed."""

import json

import pytest

import l0
from l0 import charts
from l0.events import InMemoryEventStore, Usage
from l0.testing import ScriptedModel, VirtualClock, end, fail, http_error, stall

USED = end(usage=Usage(input_tokens=1000, output_tokens=100))
CHARTS = {
    "durations": "runs",
    "first_tokens": "runs",
    "token_rate": "tokens",
    "outcomes": "runs",
    "failures": "attempts",
    "violations": "violations",
}
PRICES = {"paid": (1.0, 10.0)}


async def record(store, *attempts, model="paid"):
    stream = l0.run(
        ScriptedModel(*attempts),
        event_store=store,
        clock=VirtualClock(),
        retry=l0.Retry(attempts=1, base_delay=0),
        guardrails=l0.Guardrails.recommended(),
        meta={"model": model},
    )
    try:
        await stream.read()
    except Exception as error:
        return error
    return None


@pytest.fixture
async def store():
    """Two runs of one model, one of which needed two attempts; and one of another, which failed."""
    made = InMemoryEventStore()
    await record(made, [stall(1), "As an AI ", stall(1), "I am.", USED])
    await record(made, [stall(0.5), "a ", fail(ConnectionResetError("reset"))], ["b ", "c ", USED])
    await record(made, [fail(http_error(401))], model="<b>free</b>")
    return made


def bars(figure):
    """`{trace: {row: value}}` of a bar chart."""
    return {bar.name: dict(zip(bar.y, bar.x, strict=True)) for bar in figure.data}


@pytest.mark.parametrize("name", CHARTS)
async def test_a_chart_of_a_store_is_the_chart_of_its_frame(store, name):
    from_store = getattr(charts, name)(store)
    frame = getattr(l0.frames, CHARTS[name])(store)
    assert getattr(charts, name)(frame).to_json() == from_store.to_json()
    json.loads(from_store.to_json())


@pytest.mark.parametrize("name", [*CHARTS, "cost"])
def test_a_chart_of_nothing_says_so(name):
    arguments = [PRICES] if name == "cost" else []
    figure = getattr(charts, name)(InMemoryEventStore(), *arguments)
    assert figure.layout.annotations[0].text.startswith(("No", "Nothing"))
    assert not figure.data


@pytest.mark.parametrize("name", CHARTS)
async def test_another_frame_is_refused_with_the_one_to_give(store, name):
    import pandas as pd

    with pytest.raises(TypeError, match=rf"l0\.frames\.{CHARTS[name]}"):
        getattr(charts, name)(pd.DataFrame({"x": [1]}))
    with pytest.raises(TypeError, match="filter the frame by pandas"):
        getattr(charts, name)(getattr(l0.frames, CHARTS[name])(store), model="paid")


async def test_durations_are_those_of_the_runs(store):
    figure = charts.durations(store, model="paid")
    assert figure.layout.title.text == "Duration of 2 runs"
    assert figure.layout.xaxis.title.text == "seconds"
    assert sorted(round(x, 3) for x in figure.data[0].x) == [0.5, 2.0]


async def test_first_tokens_leave_out_runs_that_never_had_one(store):
    assert charts.first_tokens(store).layout.title.text == "Time to first token of 2 runs"


async def test_outcomes_are_counted_by_model(store):
    told = bars(charts.outcomes(store))
    assert told["completed"]["paid"] == 2
    assert told["failed"]["&lt;b&gt;free&lt;/b&gt;"] == 1


async def test_names_stay_text(store):
    for name in ("durations", "outcomes", "failures"):
        assert "<b>free" not in getattr(charts, name)(store).to_json()


async def test_failures_are_counted_by_error_and_category(store):
    figure = charts.failures(store)
    assert figure.layout.title.text == "2 of 4 attempts failed"
    assert bars(figure) == {
        "network": {"ConnectionResetError": 1, "HTTPStatusError": 0},
        "fatal": {"ConnectionResetError": 0, "HTTPStatusError": 1},
    }


async def test_runs_that_never_failed_are_said_to():
    store = InMemoryEventStore()
    await record(store, ["fine"])
    assert charts.failures(store).layout.annotations[0].text == "No attempt failed"


async def test_violations_are_counted_by_rule_and_severity(store):
    assert bars(charts.violations(store)) == {"warning": {"pattern": 1}}


async def test_cost_is_summed_where_there_is_a_price_and_not_guessed_elsewhere(store):
    figure = charts.cost(store, PRICES)
    assert bars(figure) == {"kept": {"paid": pytest.approx(2 * 0.002)}}
    assert "no price for &lt;b&gt;free&lt;/b&gt;" in figure.layout.xaxis.title.text
    assert figure.layout.title.text == "Cost $0.004"
    none = charts.cost(store, {"other": (1.0, 1.0)}, currency="€")
    assert none.layout.annotations[0].text == "No prices"


async def test_few_runs_are_a_line_each_and_many_a_median_with_a_band():
    store = InMemoryEventStore()
    for count in range(1, 10):
        words = [part for _ in range(24) for part in (stall(0.1), "word ")]
        await record(store, words)
        figure = charts.token_rate(store)
        if count <= 7:
            assert len(figure.data) == count
        else:
            assert figure.layout.title.text == f"Tokens a second of {count} runs"
            assert max(figure.data[-1].y) == pytest.approx(10, rel=0.3)


async def test_a_chart_survives_an_export(store):
    """As nbconvert and a saved notebook keep it: data only, nothing of the frame's index."""
    told = json.loads(charts.durations(store).to_json())
    assert set(told) == {"data", "layout"}
    assert len(json.dumps(told)) < 20_000
