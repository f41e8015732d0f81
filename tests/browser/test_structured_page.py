"""Data and conversations in a cell: values that fill in before the eyes, and what stays of them."""

from __future__ import annotations

import json

import pytest

from l0.testing import Reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

SCHEMA = """
from dataclasses import dataclass

@dataclass
class Wind:
    knots: int

@dataclass
class Reading:
    hour: str
    wind: Wind
    visible: str

@dataclass
class Log:
    station: str
    keeper: dict
    lamp: dict
    readings: list[Reading]
    remarks: str
    grade: int = 3
"""
BROKEN = (
    'Here you are:\n```json\n{"station": "Farrow Rock", "keeper": {"name": "Marta <b>O</b>", '
    '"cat": True,}, "lamp": {"rhythm_s": [2.5, 0.5]}, "readings": [], "remarks": '
    '"<img src=x onerror=window.hurt=1>",}\n```'
)


async def test_n17_values_fill_in_live_and_the_end_is_the_validated_object(notebook, shots):
    """The fields have their places from the start; each value stays where it came."""
    nb = await notebook(
        SCHEMA, "%%l0 sim:json --schema Log -o a --speed 40\nThe log of the night", "a.data.grade"
    )
    await nb.run_cell(0)
    await nb.watch(_LOOK)
    await nb.run_from(0)
    tree = nb.view(1).locator(".l0-tree")
    await tree.wait_for()
    fields = tree.locator(":scope > .l0-field > .l0-key")
    expected = ["station", "keeper", "lamp", "readings", "remarks", "grade"]
    # What the answer has and the schema has not comes behind, where it has come yet.
    assert await fields.all_text_contents() in (expected, [*expected, "position"])
    assert await nb.view(1).locator(".l0-what").inner_text() == "Log\nso far"
    await nb.page.wait_for_function("watched.length >= 12")
    await nb.shoot(shots / "structured-live.png")
    await nb.ran()
    seen = await nb.watched()
    todo, grown = [each["todo"] for each in seen], [each["text"] for each in seen]

    assert len(set(grown)) > 15, "the values grew under the reader's eyes"
    assert max(todo) >= 5
    assert todo == sorted(todo, reverse=True), "a place that is filled stays filled"
    static = await nb.static(1).inner_text()
    assert "✓ valid" in static
    told = json.loads((await nb.outputs(1))[0]["data"]["text/plain"].partition("\n\n")[2])
    assert told["grade"] == 3, "the validated object, with its defaults"
    assert told["station"] in static
    assert (await nb.evaluate("type(a.data).__name__")) == "Log"
    await nb.reveal(1)
    await nb.shoot(shots / "structured-static.png")


_LOOK = """() => {
  const tree = document.querySelector('.l0-tree');
  return tree && { todo: tree.querySelectorAll('.l0-todo').length, text: tree.textContent };
}"""


async def test_no_row_moves_when_the_values_become_static(notebook):
    ask = "%l0 sim:json --schema Any --speed 60 Tell me"
    nb = await notebook(f"Any = dict[str, object]\n{ask}")
    await nb.page.set_viewport_size({"width": 1280, "height": 3000})
    await nb.page.evaluate(_WATCH)
    await nb.run_all()
    await nb.static(0).wait_for()
    live, static = await nb.page.evaluate(_PLACES)
    assert len(live) > 25
    # The last rows seen alive may still have been growing.
    moved = [(a, b) for a, b in zip(live[:-3], static, strict=False) if _far(a, b) > 1.5]
    assert moved == []
    await nb.page.set_viewport_size({"width": 1280, "height": 900})


def _far(a, b):
    same = a[0] == b[0]
    return max(abs(a[1] - b[1]), abs(a[2] - b[2])) if same else 1e9


# Notes in each frame where the keys of a live tree stand, from the corner of its view.
_WATCH = """() => {
  window.keys = [];
  window.place = (view, el) => {
    const from = view.getBoundingClientRect(), at = el.getBoundingClientRect();
    return [el.textContent, at.top - from.top, at.left - from.left];
  };
  const step = () => {
    const view = document.querySelector('.l0-view');
    if (view) window.keys = [...view.querySelectorAll('.l0-key')].map(el => place(view, el));
    requestAnimationFrame(step);
  };
  step();
}"""
_PLACES = """() => {
  const view = document.querySelector('.jp-OutputArea-output.jp-RenderedHTML > div');
  const keys = [...view.querySelectorAll('span')].filter(el => /0 0 9em/.test(el.style.flex));
  return [window.keys, keys.map(el => place(view, el))];
}"""


async def test_what_was_corrected_and_what_is_wrong_is_said_and_nothing_runs(
    notebook, provider, shots
):
    provider.enqueue(
        Reply(text=BROKEN, tokens_per_second=120),
        Reply(text='{"station": 5, "keeper": {"name": "Marta"}, "lamp": {}, "remarks": "cut sho'),
        Reply(text='{"station": ["a"], "keeper": {}, "lamp": {}, "readings": [{}], "remarks": ""}'),
    )
    nb = await notebook(
        SCHEMA,
        "%%l0 openai:gpt-test --schema Log -o a\nThe log",
        "%%l0 openai:gpt-test --schema Log -o b --retry 1\nThe log",
    )
    await nb.run_all()
    asked = provider.requests[0].body
    assert asked["response_format"]["json_schema"]["name"] == "Log"
    assert "must match this schema" in asked["messages"][0]["content"]
    again = provider.requests[2].body["messages"][-1]["content"]
    assert "An earlier answer to this was not valid:\n- " in again

    good, bad = nb.static(1), nb.static(2)
    await nb.reveal(1)
    assert "corrected: code fence removed" in await good.inner_text()
    assert "<img src=x onerror" in await good.inner_text(), "as text"
    assert await nb.page.evaluate("window.hurt") is None
    assert "literals of other languages converted" in await good.inner_text()
    text = await bad.inner_text()
    assert "✗ not valid" in text
    assert "readings[0].hour: Field required" in text
    assert "withdrawn after" in text
    await nb.page.set_viewport_size({"width": 1280, "height": 1500})
    await nb.reveal(2)
    await nb.shoot(shots / "structured-corrected-and-failed.png")
    await nb.page.set_viewport_size({"width": 600, "height": 1500})
    await nb.shoot(shots / "structured-600.png")
    await nb.page.set_viewport_size({"width": 1280, "height": 900})


async def test_a_conversation_goes_on_and_its_transcript_stays_when_the_kernel_is_gone(
    notebook, shots
):
    ask = "%%l0 sim:markdown --chat talk --speed max"
    nb = await notebook(
        f"{ask} -s 'You keep a lighthouse.'\nWhat do you see?",
        f"{ask}\nAnd <b>then</b>?",
        "talk.max_tokens = 1000\ntalk",
    )
    await nb.run_all()
    assert "talk · a new conversation" in await nb.static(0).inner_text()
    assert "talk · 2 earlier messages go along" in await nb.static(1).inner_text()
    data = (await nb.outputs(2))[0]["data"]
    turns = data["application/vnd.l0.conversation+json"]["messages"]
    assert [turn["role"] for turn in turns] == ["user", "assistant", "user", "assistant"]
    assert "User: And <b>then</b>?" in "".join(data["text/plain"])

    transcript = nb.static(2)
    assert "And <b>then</b>?" in await transcript.inner_text()
    before = await transcript.inner_text()
    await nb.reveal(2)
    await nb.page.set_viewport_size({"width": 1280, "height": 1900})
    await nb.shoot(shots / "conversation.png")
    await nb.page.set_viewport_size({"width": 1280, "height": 900})
    await nb.save()
    await nb.js("await panel.sessionContext.shutdown()")
    await nb.page.goto("about:blank")
    await nb.load(kernel=False)
    await nb.reveal(2)
    await nb.static(2).filter(has_text="And <b>then</b>?").wait_for()
    assert await nb.static(2).inner_text() == before
