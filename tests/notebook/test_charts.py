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
from l0.notebook import _columns
from l0.notebook._look import INK
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
    (box,) = figure.data
    assert sorted(round(x, 3) for x in box.x[0]) == [0.5, 2.0]
    assert (box.q1, box.median, box.q3) == ((0.5,), (1.25,), (2.0,))


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
    assert figure.layout.title.subtitle.text == (
        "no price for &lt;b&gt;free&lt;/b&gt; · 1 attempt without usage"
    )
    assert figure.layout.title.text == "Cost $0.004"


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


# --- what is missing, and how to get it -------------------------------------------------------


def notes(figure):
    assert not figure.data
    assert figure.layout.xaxis.visible is False
    return [note.text for note in figure.layout.annotations]


def frame_of(name, rows):
    """A frame of `l0.frames`, of what matters in its rows."""
    columns = {"runs": _columns.RUNS, "attempts": _columns.ATTEMPTS}[name]
    zero = {"int32": 0, "int16": 0, "bool": False, "time": 0, "str": ""}
    values = {
        column: [row.get(column, zero.get(dtype)) for row in rows]
        for column, dtype in columns.items()
    }
    return _columns.frame(columns, values)


def runs_of(models, **same):
    rows = [
        {"stream_id": f"run-{at}", "model": model, "outcome": "completed", "duration": 1.0 + at}
        for at, model in enumerate(models)
    ]
    return frame_of("runs", [row | same for row in rows])


@pytest.mark.parametrize("name", CHARTS)
async def test_a_chart_without_rows_says_where_they_would_come_from(store, name):
    draw, noun = getattr(charts, name), CHARTS[name]
    if name == "violations":
        assert "guardrails=" in notes(draw(InMemoryEventStore()))[1]
        return
    what, how = notes(draw(InMemoryEventStore()))
    assert what == f"No {noun} recorded"
    assert "%load_ext l0" in how
    what, how = notes(draw(store, model="<other>"))
    assert what == f"No {noun} with model='&lt;other&gt;'"
    assert f"l0.frames.{noun}(…)" in how
    frame = getattr(l0.frames, noun)(store)
    assert notes(draw(frame[:0]))[0] == f"No {noun} in this frame"


def test_runs_without_a_duration_are_not_called_no_runs():
    runs = runs_of(["a", "a"], duration=float("nan"))
    assert notes(charts.durations(runs))[0] == "No duration known of 2 runs"
    what, how = notes(charts.first_tokens(runs))
    assert what == "No first token of 2 runs"
    assert "l0.charts.failures" in how


def test_a_cost_that_nobody_knows_is_not_nothing():
    attempts = frame_of("attempts", [{"model": "paid", "outcome": "completed"}] * 3)
    assert notes(charts.cost(attempts, PRICES))[0] == "3 attempts without usage"
    what, how = notes(charts.cost(attempts, {"other": (1, 1)}))
    assert what == "No price for paid"
    assert "prices={'paid': (input, output)}" in how


def test_a_model_without_a_name_is_to_be_named_before_it_has_a_price():
    row = {"model": None, "outcome": "completed", "input_tokens": 10, "output_tokens": 1}
    what, how = notes(charts.cost(frame_of("attempts", [row]), PRICES))
    assert what == "No price for unnamed model"
    assert "meta={'model': …}" in how


def test_a_price_is_found_for_a_name_that_needs_escaping():
    row = {"model": "R&D", "outcome": "completed", "input_tokens": 1_000_000, "output_tokens": 0}
    figure = charts.cost(frame_of("attempts", [row]), {"R&D": (2.0, 1.0)})
    assert bars(figure) == {"kept": {"R&amp;D": 2.0}}


def test_many_models_without_a_price_are_not_all_named():
    rows = [
        {"model": f"model-{at}", "outcome": "completed", "input_tokens": 1000} for at in range(9)
    ]
    figure = charts.cost(frame_of("attempts", rows), {"model-0": (1.0, 1.0)})
    told = figure.layout.title.subtitle.text
    assert told == "no price for model-1, model-2 and 6 more"


def test_a_failure_without_a_category_is_counted():
    rows = [{"outcome": "failed"}, {"outcome": "failed", "error_type": "E", "category": "model"}]
    figure = charts.failures(frame_of("attempts", rows))
    assert sum(sum(bar.x) for bar in figure.data) == 2
    assert bars(figure)["not recorded"]["not recorded"] == 1


def test_an_outcome_that_is_not_known_is_counted():
    runs = runs_of(["a", "a"]).astype({"outcome": object})
    runs.loc[1, "outcome"] = "paused"
    assert bars(charts.outcomes(runs)) == {"completed": {"a": 1}, "paused": {"a": 1}}


# --- colours ----------------------------------------------------------------------------------


def looks(figure):
    return {box.name: (box.line.color, box.fillcolor) for box in figure.data}


def test_a_model_has_one_colour_whatever_is_filtered_and_however_often_it_ran():
    models = [f"m{at % 7}" for at in range(40)]
    runs = runs_of(models, time_to_first_token=0.5)
    seen = looks(charts.durations(runs))
    assert len(set(seen.values())) == 7
    assert looks(charts.first_tokens(runs)) == seen
    some = runs[runs["model"].isin(["m3", "m5"]) | (runs["duration"] > 30)]
    assert looks(charts.durations(some)).items() <= seen.items()
    few = looks(charts.durations(runs[runs["model"] == "m6"]))
    assert few == {"m6": seen["m6"]}


def test_a_model_has_its_colour_in_other_frames_too_unless_another_asks_for_it():
    for model in ("openai:gpt-5-mini", "sim:story", "m"):
        alone = looks(charts.durations(runs_of([model])))
        assert looks(charts.durations(runs_of([model] * 3))) == alone
    both = looks(charts.durations(runs_of(["openai:gpt-5-mini", "sim:story"])))
    assert both["sim:story"] == looks(charts.durations(runs_of(["sim:story"])))["sim:story"]


def test_more_models_than_colours_still_look_different():
    seen = looks(charts.durations(runs_of([f"m{at}" for at in range(20)])))
    assert len(set(seen.values())) == 20


def test_colours_of_meaning_are_those_of_the_views():
    from l0.notebook import _chart_colours as colours

    assert colours.OUTCOMES["completed"]["color"] == INK["complete"]
    assert colours.OUTCOMES["failed"]["color"] == INK["failed"]
    assert {colours.OUTCOMES[each]["color"] for each in ("aborted", "cancelled")} == {
        INK["aborted"]
    }
    assert colours.OUTCOMES["unfinished"]["color"] == INK["unfinished"]
    assert colours.CATEGORIES["transient"]["color"] == INK["retrying"]
    assert colours.CATEGORIES["fatal"]["color"] == INK["failed"]
    assert colours.SEVERITIES["warning"]["color"] == INK["retrying"]
    assert colours.SEVERITIES["error"]["color"] == INK["failed"]


# Machado, Oliveira and Fernandes (2009): linear sRGB as people without one kind of cone see it.
SIGHTS = {
    "all": ((1, 0, 0), (0, 1, 0), (0, 0, 1)),
    "protanopia": (
        (0.152286, 1.052583, -0.204868),
        (0.114503, 0.786281, 0.099216),
        (-0.003882, -0.048116, 1.051998),
    ),
    "deuteranopia": (
        (0.367322, 0.860646, -0.227968),
        (0.280085, 0.672501, 0.047413),
        (-0.011820, 0.042940, 0.968881),
    ),
    "tritanopia": (
        (1.255528, -0.076749, -0.178779),
        (-0.078411, 0.930809, 0.147602),
        (0.004733, 0.691367, 0.303900),
    ),
}


def linear(colour):
    import numpy as np

    parts = np.array([int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)])
    return np.where(parts <= 0.04045, parts / 12.92, ((parts + 0.055) / 1.055) ** 2.4)


def oklab(colour, sight):
    import numpy as np

    seen = np.clip(np.array(SIGHTS[sight]) @ linear(colour), 0, 1)
    cones = np.cbrt(
        [
            [0.4122214708, 0.5363325363, 0.0514459929],
            [0.2119034982, 0.6806995451, 0.1073969566],
            [0.0883024619, 0.2817188376, 0.6299787005],
        ]
        @ seen
    )
    return cones @ np.array(
        [
            [0.2104542553, 1.9779984951, 0.0259040371],
            [0.7936177850, -2.4285922050, 0.7827717662],
            [-0.0040720468, 0.4505937099, -0.8086757660],
        ]
    )


def palettes():
    from l0.notebook import _chart_colours as colours

    yield colours.PALETTE
    for markers in (colours.OUTCOMES, colours.SEVERITIES, colours.CATEGORIES, colours.KEPT):
        yield [marker["color"] for marker in markers.values() if "pattern" not in marker]


@pytest.mark.parametrize("sight", SIGHTS)
def test_colours_of_a_chart_can_be_told_apart_by_everyone(sight):
    """In OKLab, where 0.02 can just be seen between neighbours."""
    import numpy as np

    for colours in palettes():
        seen = [oklab(colour, sight) for colour in colours]
        for at, one in enumerate(seen):
            for other in seen[at + 1 :]:
                assert np.linalg.norm(one - other) > 0.06


def test_colours_read_on_white_and_on_near_black():
    """Kinds of the same colour have a pattern each; what is drawn has 2.5 : 1 on either page."""
    import numpy as np

    weights = np.array([0.2126, 0.7152, 0.0722])
    for colours in palettes():
        for colour in colours:
            light = float(weights @ linear(colour)) + 0.05
            dark = float(weights @ linear("#111111")) + 0.05
            assert min(1.05 / light, light / dark) > 2.5, colour
    figure = charts.outcomes(frame_of("runs", [{"outcome": each} for each in ENDS]))
    hollow = [bar.marker.pattern.shape for bar in figure.data if bar.marker.pattern.shape]
    assert len(set(hollow)) == len(hollow) == 3
    assert drawing(figure) is not None


ENDS = ["completed", "failed", "aborted", "cancelled", "unfinished"]


# --- names and legends that fit ---------------------------------------------------------------


def test_long_names_leave_room_and_are_whole_on_hover():
    long = [
        f"accounts/somebody/models/a-model-of-many-words-{at}-instruct-preview" for at in (1, 2)
    ]
    figure = charts.outcomes(runs_of([*long, "short"]))
    told = dict(zip(figure.layout.yaxis.tickvals, figure.layout.yaxis.ticktext, strict=True))
    assert told["short"] == "short"
    assert len({*told.values()}) == 3
    assert max(map(len, told.values())) < 50
    assert {*figure.data[0].hovertext} == {*long, "short"}
    assert {*told.values()} <= {*texts(drawing(figure))}
    assert charts.outcomes(runs_of(["short"])).layout.yaxis.ticktext is None


def test_a_legend_is_below_the_axis_where_no_title_is():
    rows = [{"outcome": "failed", "error_type": f"E{kind}", "category": kind} for kind in KINDS]
    figure = charts.failures(frame_of("attempts", rows))
    legend = figure.layout.legend
    assert (legend.yref, legend.y, legend.yanchor) == ("container", 0, "bottom")
    words = {
        each.text: float(each.get("y"))
        for each in drawing(figure).iter("{http://www.w3.org/2000/svg}text")
    }
    assert words["attempts"] < min(words[kind] for kind in KINDS)
    assert max(words.values()) < figure.layout.height


KINDS = ["network", "transient", "model", "content", "provider", "fatal", "internal"]


# --- many -------------------------------------------------------------------------------------


def test_a_box_of_many_runs_has_their_numbers_and_few_points():
    import numpy as np

    spent = np.random.default_rng(1).lognormal(1, 0.8, 30_000)
    runs = runs_of(["a", "b"] * 15_000).assign(duration=spent)
    figure = charts.durations(runs)
    assert len(figure.to_json()) < 30_000
    for at, box in enumerate(sorted(figure.data, key=lambda box: box.name)):
        mine = spent[at::2]
        low, middle, high = np.percentile(mine, (25, 50, 75), method="hazen")
        assert (box.q1[0], box.median[0], box.q3[0]) == pytest.approx((low, middle, high))
        inside = mine[mine <= high + 1.5 * (high - low)]
        assert box.upperfence[0] == pytest.approx(inside.max())
        assert len(box.x[0]) <= 100
        assert max(box.x[0]) == pytest.approx(mine.max())
        slowest = runs.loc[spent == mine.max(), "stream_id"].item()
        assert box.customdata[0][box.x[0].index(max(box.x[0]))] == slowest


@pytest.mark.parametrize("name", ["durations", "outcomes"])
def test_of_very_many_models_those_with_most_runs_are_drawn(name):
    models = [f"model-{at:03}" for at in range(200) for _ in range(1 + at // 100)]
    figure = getattr(charts, name)(runs_of(models))
    rows = list(dict.fromkeys(row for trace in figure.data for row in trace.y))
    assert rows == [f"model-{at}" for at in range(139, 99, -1)]
    assert figure.layout.title.subtitle.text == "the first 40 of 200"
    assert figure.layout.height < 2200


def test_the_dearest_model_is_at_the_top_however_few_attempts_it_took():
    used = {"outcome": "completed", "input_tokens": 1000}
    rows = [{"model": "cheap"} | used] * 3 + [{"model": "dear"} | used]
    figure = charts.cost(frame_of("attempts", rows), {"cheap": (1, 1), "dear": (100, 1)})
    assert list(figure.data[0].y) == ["cheap", "dear"]


def test_the_rate_of_very_many_runs_is_that_of_some_of_them():
    import numpy as np
    import pandas as pd

    count = 4001
    ids = np.repeat([f"run-{at}" for at in range(count)], 5)
    tokens = pd.DataFrame({"stream_id": ids, "t": np.tile(np.arange(1, 6) / 10, count)})
    figure = charts.token_rate(tokens)
    assert figure.layout.title.text == "Tokens a second of 4,001 runs"
    assert figure.layout.title.subtitle.text == "median and middle half, of one run in 3"
    assert max(figure.data[-1].y) == pytest.approx(10)


def test_a_rate_ends_where_too_few_runs_go_on_to_speak_of_all():
    import pandas as pd

    ends = [2] * 38 + [20, 30]
    tokens = pd.concat(
        pd.DataFrame({"stream_id": f"run-{at}", "t": [each / 10 for each in range(end * 10 + 1)]})
        for at, end in enumerate(ends)
    )
    assert max(charts.token_rate(tokens).data[-1].x) == 2


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
        missing = [note.text for note in figure.layout.annotations]
        assert bundle["text/plain"] == " · ".join([figure.layout.title.text, *missing])
        assert {figure.layout.title.text, *missing} <= {*texts(drawing(figure))}


async def test_a_picture_has_the_bars_of_the_figure_to_scale(store):
    element = drawing(charts.outcomes(store))
    bars = [
        (each.get("fill"), float(each.get("width")))
        for each in element.iter("{http://www.w3.org/2000/svg}rect")
        if not each.get("rx")
    ]
    assert [colour for colour, _ in bars] == [INK["complete"], INK["failed"]]
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
        "rgba(47,127,224,0.2)",
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
