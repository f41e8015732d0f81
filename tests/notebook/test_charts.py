"""Charts: each from a source and from its frame, empty ones included, and nothing guessed."""

import copy
import json
import pickle
import re
from base64 import b64decode
from xml.etree import ElementTree as ET

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


async def test_a_short_run_shows_as_much_as_its_tokens_tell():
    store = InMemoryEventStore()
    await record(store, [stall(1), "a ", *(part for _ in range(6) for part in (stall(0.5), "b "))])
    (line,) = charts.token_rate(store).data
    assert list(line.x) == [0, 1, 2.5, 4]
    assert list(line.y) == [0, 2, 2, 2]  # nothing until the first token, then two a second


async def test_a_pause_is_seen_where_it_was():
    store = InMemoryEventStore()
    steady = [part for _ in range(30) for part in (stall(0.1), "word ")]
    await record(store, [*steady, stall(2), *steady])
    (line,) = charts.token_rate(store).data
    slow = min(range(1, len(line.y)), key=lambda at: line.y[at])
    assert line.x[slow] <= 3.1 < line.x[slow + 1]
    assert line.y[slow] < 2
    assert max(line.y) == pytest.approx(10)


async def test_tokens_in_bursts_keep_their_rate():
    store = InMemoryEventStore()
    await record(store, [part for _ in range(40) for part in (stall(0.5), "a ", "b ", "c ", "d ")])
    (line,) = charts.token_rate(store).data
    widths = [after - x for x, after in zip(line.x, line.x[1:], strict=False)]
    assert min(widths) > 0
    shown = sum(rate * width for rate, width in zip(line.y, widths, strict=False))
    assert shown == pytest.approx(159)  # the first token is where the counting begins


async def test_a_last_token_right_behind_another_is_no_burst():
    store = InMemoryEventStore()
    steady = [part for _ in range(90) for part in (stall(0.1), "word ")]
    await record(store, [*steady, stall(0.0001), "end"])
    (line,) = charts.token_rate(store).data
    assert max(line.y) == pytest.approx(10, rel=0.3)


async def test_tokens_that_came_at_once_have_no_rate():
    store = InMemoryEventStore()
    await record(store, ["a ", "b ", "c "])
    assert charts.token_rate(store).layout.annotations[0].text == "All tokens came at once"


# --- pictures, where nothing draws plotly -----------------------------------------------------

PLOTLY = "application/vnd.plotly.v1+json"


@pytest.fixture(autouse=True)
def as_in_a_notebook(monkeypatch):
    """The renderer that plotly takes where it finds a kernel."""
    import plotly.io as pio

    monkeypatch.setattr(pio.renderers, "default", "plotly_mimetype")


def drawing(figure):
    """The picture of a figure, as an element."""
    html = figure._repr_mimebundle_()["text/html"]
    found = re.fullmatch(
        r'<img alt="[^"<>]*" style="[^"<>]*" src="data:([^"]*);base64,(.*)">', html
    )
    assert found[1] == "image/svg+xml"
    return ET.fromstring(b64decode(found[2]))


def texts(element):
    return [each.text for each in element.iter("{http://www.w3.org/2000/svg}text")]


@pytest.mark.parametrize("name", [*CHARTS, "cost"])
async def test_a_chart_is_a_picture_beside_the_figure(store, name):
    for source in (store, InMemoryEventStore()):
        figure = getattr(charts, name)(source, *([PRICES] if name == "cost" else []))
        bundle = figure._repr_mimebundle_()
        assert set(bundle) == {PLOTLY, "text/html", "text/plain"}
        assert bundle["text/plain"] == figure.layout.title.text
        assert figure.layout.title.text in texts(drawing(figure))


async def test_a_picture_has_the_bars_of_the_figure_to_scale(store):
    element = drawing(charts.outcomes(store))
    bars = [
        (each.get("fill"), float(each.get("width")))
        for each in element.iter("{http://www.w3.org/2000/svg}rect")
        if not each.get("rx")
    ]
    assert [colour for colour, _ in bars] == ["#009e73", "#d55e00"]
    assert bars[0][1] == pytest.approx(2 * bars[1][1], rel=1e-3)
    assert {"paid", "<b>free</b>", "completed", "failed", "0", "1", "2", "runs"} <= {
        *texts(element)
    }


async def test_a_picture_of_many_runs_has_their_median_and_band():
    store = InMemoryEventStore()
    for _ in range(8):
        await record(store, [part for _ in range(24) for part in (stall(0.1), "word ")])
    drawn = list(drawing(charts.token_rate(store)).iter("{http://www.w3.org/2000/svg}path"))
    assert [each.get("fill") for each in drawn if each.get("fill")] == [
        "rgba(0,114,178,0.2)",
        "none",
    ]


async def test_a_title_that_was_changed_is_the_one_of_the_picture(store):
    figure = charts.outcomes(store).update_layout(title_text="Mine & <yours>")
    assert "Mine & <yours>" in texts(drawing(figure))
    assert "<yours>" not in figure._repr_mimebundle_()["text/html"]


async def test_a_figure_with_what_is_not_drawn_has_no_picture(store):
    for change in (
        lambda figure: figure.add_shape(type="line", x0=0, x1=1, y0=0, y1=1),
        lambda figure: figure.update_xaxes(type="log"),
        lambda figure: figure.add_scatter(x=[1], y=["paid"]),
        lambda figure: figure.add_pie(values=[1]),
        lambda figure: figure.update_traces(marker_color=["red", "blue"]),
    ):
        figure = change(charts.outcomes(store))
        assert set(figure._repr_mimebundle_()) == {PLOTLY, "text/plain"}


async def test_a_renderer_that_was_chosen_is_left_alone(store, monkeypatch):
    import plotly.io as pio

    monkeypatch.setattr(pio.renderers, "default", "notebook_connected")
    assert "<script" in charts.outcomes(store)._repr_mimebundle_()["text/html"]


async def test_a_chart_is_a_figure_also_after_a_copy(store):
    from plotly.graph_objects import Figure

    figure = charts.outcomes(store)
    for again in (pickle.loads(pickle.dumps(figure)), copy.deepcopy(figure), Figure(figure)):
        assert isinstance(again, Figure)
        assert again.to_dict() == figure.to_dict()
    assert "text/html" in copy.deepcopy(figure)._repr_mimebundle_()


async def test_a_notebook_that_is_shared_as_a_page_shows_its_charts(store):
    """As nbconvert makes it: the figure as an image, and no script of plotly."""
    nbformat, nbconvert = pytest.importorskip("nbformat"), pytest.importorskip("nbconvert")
    bundle = charts.outcomes(store)._repr_mimebundle_()
    cell = nbformat.v4.new_code_cell("l0.charts.outcomes(store)")
    cell.outputs = [nbformat.v4.new_output("display_data", bundle)]
    page, _ = nbconvert.HTMLExporter().from_notebook_node(nbformat.v4.new_notebook(cells=[cell]))
    assert re.search('src="([^"]+)"', bundle["text/html"])[1] in page
    assert "plotly" not in page.casefold()


async def test_a_chart_survives_an_export(store):
    """As nbconvert and a saved notebook keep it: data only, nothing of the frame's index."""
    told = json.loads(charts.durations(store).to_json())
    assert set(told) == {"data", "layout"}
    assert len(json.dumps(told)) < 20_000
