"""The magic wherever a person puts it: functions, loops, other magics, the background."""

from __future__ import annotations

import pytest
from browser_lab import until
from browser_notebook import Notebook

from l0.testing import Reply, sim_answer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STORY = sim_answer("sim:story", "Tell me").text


ASK = "%l0 sim:story -F text --speed 1000 -o a"
PLACES = {
    "function": f"def f():\n    {ASK} Tell me\nf()",
    "assignment": f"b = {ASK.replace(' -o a', '')} Tell me\na = b",
    "loop": f"for number in range(2):\n    {ASK} Tell me",
    "condition": f"if True:\n    {ASK} Tell me\nelse:\n    a = None",
    "async function": f"async def f():\n    {ASK} Tell me\nawait f()",
    "time": f"%%time\n{ASK} Tell me",
    "nested": f"%%time\n%{ASK}\nTell me",
    "no autoawait": f"%%l0{ASK.removeprefix('%l0')}\nTell me",
}
"""Cells with the magic; `a` is the handle in the end."""


async def test_it_works_in_every_place(notebook):
    """One notebook for all: a cell with the magic, then one that prints what came of it."""
    *cells, last = (
        cell for source in PLACES.values() for cell in (source, "print(a.text, end=''); del a")
    )
    nb = await notebook(*cells[:-1], "%autoawait off", cells[-1], last)
    await nb.run_all()
    await nb.page.set_viewport_size({"width": 1280, "height": 12_000})
    for place, index in zip(PLACES, [*range(0, 14, 2), 15], strict=True):
        assert await nb.errors(index) == [], place
        assert await nb.printed(index + 1) == STORY, place
        views = nb.static(index)
        await views.first.wait_for()
        assert await views.count() == (2 if place == "loop" else 1), place
        assert await nb.static_text(index) == STORY, place
        assert ("Wall time" in await nb.printed(index)) is (place in {"time", "nested"}), place


async def test_what_is_captured_can_be_shown_later(notebook):
    nb = await notebook(f"%%capture kept\n{ASK} Tell me", "print(a.text, end='')", "kept()")
    await nb.run_all()
    assert await nb.outputs(0) == []
    assert await nb.printed(1) == STORY
    assert STORY in (await nb.outputs(2))[0]["data"]["text/plain"]
    assert await nb.static_text(2) == STORY


async def test_a_blocking_cell_streams_too_and_stop_interrupts_it(
    notebook, provider, shots, measured
):
    """No message reaches a kernel whose cell blocks: the page interrupts it after a moment."""
    provider.default = Reply(tokens_per_second=50)
    nb = await notebook(
        "def f():\n    %l0 openai:gpt-test -F text -o a Tell me\nf()", "print('not reached')"
    )
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=60)
    await nb.watch_clicks()
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.ran()
    closing = provider.requests[0].closed_at - await nb.clicked_at()
    measured(f"Stop in a blocking cell: the socket is closed {closing:.2f} s after the click")
    assert closing < 2.5
    assert provider.requests[0].client_left
    (line,) = await nb.errors(0)
    assert line.splitlines()[-1].startswith("Interrupted: ")
    assert await nb.static_text(0) == await nb.evaluate("a.text")
    await nb.shoot(shots / "blocking-stopped.png")


async def test_a_background_run_is_awaited_in_a_later_cell(notebook, shots):
    nb = await notebook(
        "%%l0 sim:story --bg -F text --speed 150 -o a\nTell me",
        "print(a.outcome)",
        "await a",
        "print(a.text, end='')",
    )
    await nb.run_all()
    assert await nb.printed(1) == "None\n", "the cell returns at once"
    assert await nb.printed(3) == STORY
    assert await nb.static_text(2) == STORY, "the final view appears where it was awaited"
    assert await nb.static_text(0) == STORY, "and where it began"
    assert await nb.static(2).count() == 1
    await nb.shoot(shots / "background.png")


async def test_stop_all_ends_every_background_run(notebook, provider):
    provider.default = Reply(tokens_per_second=50)
    nb = await notebook(
        "%%l0 openai:gpt-test --bg -F text -o a\nTell me",
        "%%l0 openai:gpt-test --bg -F text -o b\nTell me more",
        "%l0 stop all",
        "print(a.outcome, a.aborted_by, b.outcome, b.aborted_by)",
    )
    await nb.run_cell(0)
    await nb.run_cell(1)
    await nb.streams(0, at_least=20)
    await nb.streams(1, at_least=20)
    await nb.run_cell(2)
    await until(lambda: all(asked.closed_at for asked in provider.requests), "both end", timeout=1)
    await nb.run_cell(3)
    assert await nb.printed(2) == "stopped: a, b\n"
    assert await nb.printed(3) == "aborted stop aborted stop\n"
    assert [asked.client_left for asked in provider.requests] == [True, True]


async def test_notebook_7_streams_and_stops_too(lab, context, provider, shots):
    """The same kernel and the same view in the classic single-document application."""
    provider.default = Reply(tokens_per_second=50)
    nb = await Notebook.write(lab, context, ["%%l0 openai:gpt-test -F text -o a\nTell me"], "seven")
    page = nb.page
    try:
        await page.goto(f"{lab.url}/notebooks/{nb.path}?token={lab.token}")
        await page.locator(".jp-Notebook .jp-Cell").first.click()
        await page.wait_for_selector("[data-status=idle].jp-Notebook-ExecutionIndicator")
        await page.keyboard.press("Shift+Enter")
        await nb.streams(0, at_least=60)
        await page.keyboard.press("Escape")
        await nb.shoot(shots / "notebook-7.png")
        await nb.watch_clicks()
        await nb.view(0).get_by_role("button", name="Stop").click()
        await nb.static(0).wait_for()
        assert provider.requests[0].closed_at - await nb.clicked_at() <= 0.3
        assert (await nb.static_text(0)).startswith(STORY[:60])
        assert nb.console == []
    finally:
        await page.close()
