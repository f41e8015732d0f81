"""Charts as plotly draws them: everything is there, and no word lies on another."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
import pytest_asyncio

from l0 import charts
from l0.notebook import _columns

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

LONG = [f"accounts/somebody/models/a-model-of-many-words-{at}-instruct-preview" for at in (1, 2)]
ENDS = ["completed", "failed", "aborted", "cancelled", "unfinished"]
KINDS = ["network", "transient", "model", "content", "provider", "fatal", "internal"]

# Boxes of the words of a figure, which may not meet nor leave the page.
WORDS = """() => [...document.querySelectorAll('#figure text')]
  .filter(each => each.textContent.trim() && getComputedStyle(each).opacity > 0)
  .map(each => ({ text: each.textContent.trim(), box: each.getBoundingClientRect() }))
  .filter(each => each.box.width)
  .map(({ text, box }) => [text, box.left, box.top, box.right, box.bottom])"""


def frame_of(columns, rows):
    zero = {"int32": 0, "int16": 0, "bool": False, "time": 0, "str": ""}
    values = {
        name: [row.get(name, zero.get(dtype)) for row in rows] for name, dtype in columns.items()
    }
    return _columns.frame(columns, values)


def night():
    """Runs of models with long names, and their attempts, which failed in every way."""
    models = [*LONG, "short"]
    runs = [
        {
            "stream_id": f"run-{at}",
            "model": models[at % 3],
            "outcome": ENDS[at % 5],
            "duration": 1 + at % 7,
            "time_to_first_token": 0.1 + at % 4,
        }
        for at in range(60)
    ]
    attempts = [
        {
            "model": models[at % 3],
            "outcome": "failed" if at % 2 else "completed",
            "category": KINDS[at % 7],
            "error_type": f"Error{at % 5}",
            "input_tokens": 1000,
            "output_tokens": 100 if at % 3 else None,
        }
        for at in range(70)
    ]
    return frame_of(_columns.RUNS, runs), frame_of(_columns.ATTEMPTS, attempts)


def figures():
    runs, attempts = night()
    prices = dict.fromkeys([LONG[0], "short"], (1.0, 2.0))
    yield charts.durations(runs), {"box": 3, "point": 60}
    yield charts.first_tokens(runs), {"box": 3, "point": 60}
    yield charts.outcomes(runs), {"bar": 15}
    yield charts.failures(attempts), {"bar": 35}
    yield charts.cost(attempts, prices), {"bar": 4}
    yield charts.durations(runs[:0]), {}


@pytest_asyncio.fixture(loop_scope="session")
async def drawn(context):
    """Draws a figure on a page of this width, with the plotly that came with the package."""
    import plotly

    page = await context.new_page()

    async def draw(figure, width):
        await page.set_viewport_size({"width": width, "height": 900})
        await page.set_content('<body style="margin:0"><div id="figure"></div>')
        await page.add_script_tag(
            path=Path(plotly.__file__).parent / "package_data" / "plotly.min.js"
        )
        await page.evaluate(
            "({ data, layout }) => Plotly.newPlot('figure', data, layout, { responsive: true })",
            json.loads(figure.to_json()),
        )
        return page

    yield draw
    await page.close()


@pytest.mark.parametrize("width", [600, 1200])
async def test_a_chart_shows_all_it_has_and_no_word_lies_on_another(drawn, width):
    for figure, marks in figures():
        title = figure.layout.title.text
        page = await drawn(figure, width)
        selectors = {"box": ".boxes .box", "point": ".boxes .point", "bar": ".bars .point"}
        seen = {kind: await page.locator(selectors[kind]).count() for kind in marks}
        assert seen == marks, title
        words = await page.evaluate(WORDS)
        assert title in [text for text, *_ in words]
        for at, (text, left, top, right, bottom) in enumerate(words):
            assert left >= 0, f"{title}: {text} begins outside"
            assert right <= width, f"{title}: {text} ends outside"
            for other, x, y, end, floor in words[at + 1 :]:
                apart = right <= x or end <= left or bottom <= y or floor <= top
                assert apart, f"{title}: {text} lies on {other}"


async def test_a_point_tells_its_run_and_a_bar_its_whole_name(drawn):
    runs, _ = night()
    page = await drawn(charts.durations(runs), 1200)
    await page.locator(".boxes .point").first.hover(force=True)
    await page.locator(".hoverlayer .hovertext", has_text="run-").wait_for()
    page = await drawn(charts.outcomes(runs), 1200)
    await page.locator(".bars .point path").nth(2).hover(force=True)
    await page.locator(".hoverlayer .hovertext", has_text="instruct-preview: ").wait_for()
