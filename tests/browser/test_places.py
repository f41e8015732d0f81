"""The magic wherever a person puts it: functions, loops, other magics, the background."""

from __future__ import annotations

import time

import pytest
import pytest_asyncio
from browser_lab import best, endless, until
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
    provider.default = endless(50)
    nb = await notebook(
        "def f():\n    %l0 openai:gpt-test -F text -o a Tell me\nf()", "print('not reached')"
    )
    await nb.watch_clicks()

    async def stop():
        provider.requests.clear()
        await nb.run_all(wait=False)
        await nb.streams(0, at_least=60)
        await nb.view(0).get_by_role("button", name="Stop").click()
        await nb.ran()
        await until(lambda: provider.requests[0].closed_at, "the socket closes")
        assert provider.requests[0].client_left
        (line,) = await nb.errors(0)
        assert line.splitlines()[-1].startswith("Interrupted: ")
        assert await nb.printed(1) == ""
        assert await nb.static_text(0) == await nb.evaluate("a.text")
        return provider.requests[0].closed_at - await nb.clicked_at()

    closing = await best(stop, 2.5)
    measured(f"Stop in a blocking cell: the socket is closed {closing:.2f} s after the click")
    assert closing < 2.5
    await nb.shoot(shots / "blocking-stopped.png")


async def test_a_background_run_is_awaited_in_a_later_cell(notebook, shots):
    nb = await notebook(
        "%%l0 sim:story --bg -F text --speed 70 -o a\nTell me",
        "print(a.outcome)",
        "await a",
        "print(a.text, end='')",
    )
    await nb.run_all()
    assert await nb.printed(1) == "None\n", "the cell returns at once"
    assert await nb.printed(3) == STORY
    assert await nb.static_text(2) == STORY, "the final view appears where it was awaited"
    assert await nb.static_text(0) == STORY, "and where it began"
    await until(nb.static(2).count, "one view is drawn")
    assert await nb.static(2).count() == 1
    await nb.shoot(shots / "background.png")


async def test_stop_all_ends_every_background_run(notebook, provider):
    provider.default = endless(50)
    nb = await notebook(
        "%%l0 openai:gpt-test --bg -F text -o a\nTell me",
        "%%l0 openai:gpt-test --bg -F text -o b\nTell me more",
        "%l0 stop all",
        "print(a.outcome, a.aborted_by, b.outcome, b.aborted_by)",
    )

    async def stop():
        provider.requests.clear()
        await nb.run_cell(0)
        await nb.run_cell(1)
        await nb.streams(0, at_least=20)
        await nb.streams(1, at_least=20)
        asked_at = time.monotonic()
        await nb.run_cell(2)
        await until(lambda: all(asked.closed_at for asked in provider.requests), "both end")
        await nb.run_cell(3)
        assert await nb.printed(2) == "stopped: a, b\n"
        assert await nb.printed(3) == "aborted stop aborted stop\n"
        assert [asked.client_left for asked in provider.requests] == [True, True]
        return max(asked.closed_at for asked in provider.requests) - asked_at

    assert await best(stop, 1) <= 1


@pytest_asyncio.fixture(loop_scope="session")
async def seven(lab, context, provider, request):
    """Opens notebooks in Notebook 7; in the end it looks at what the consoles said."""
    opened: list[Notebook] = []

    async def make(*cells):
        name = request.node.name.removeprefix("test_")[:60].replace("[", "-").strip("]")
        made = await Notebook.create(lab, context, cells, name, app="notebook")
        opened.append(made)
        return made

    yield make
    for made in opened:
        await made.shut_down()
    assert [line for made in opened for line in made.console] == []


async def test_notebook_7_streams_stops_and_is_interrupted_too(seven, provider, shots, measured):
    """The same kernel and the same view in the classic single-document application."""
    provider.default = endless(50)
    nb = await seven("%%l0 openai:gpt-test -F text -o a\nTell me", "print('next')")
    await nb.watch_clicks()

    async def stop():
        provider.requests.clear()
        await nb.run_all(wait=False)
        await nb.streams(0, at_least=60)
        await nb.shoot(shots / "notebook-7.png")
        await nb.view(0).get_by_role("button", name="Stop").click()
        await nb.ran()
        await until(lambda: provider.requests[0].closed_at, "the socket closes")
        assert await nb.static_text(0) == await nb.evaluate("a.text")
        assert await nb.printed(1) == "next\n", "Run All goes on"
        return provider.requests[0].closed_at - await nb.clicked_at()

    closing = await best(stop, 0.3)
    measured(f"Notebook 7: the socket is closed {closing * 1000:.0f} ms after Stop")
    assert closing <= 0.3

    async def interrupt():
        provider.requests.clear()
        await nb.run_all(wait=False)
        await nb.streams(0, at_least=60)
        asked_at = time.monotonic()
        await nb.interrupt()
        await until(lambda: provider.requests[0].closed_at, "the socket closes")
        await nb.ran()
        (line,) = await nb.errors(0)
        assert line.startswith("Interrupted: the run was aborted after ")
        assert "\n" not in line
        assert await nb.static_text(0) == await nb.evaluate("a.text")
        return provider.requests[0].closed_at - asked_at

    closing = await best(interrupt, 0.3)
    measured(f"Notebook 7: the socket is closed {closing * 1000:.0f} ms after the interrupt")
    assert closing <= 0.3
    await nb.run_cell(1)
    assert await nb.printed(1) == "next\n", "the kernel is well"


async def test_what_breaks_is_withdrawn_and_stays_so_in_notebook_7(seven, shots):
    """Seen live, in the end, and when the saved notebook is opened again."""
    nb = await seven(
        "%%l0 sim:story --chaos drop@40 --no-resume --speed 60 -F text -o a\nTell me",
        "Any = dict[str, object]\n%l0 sim:json --schema Any --speed 60 -o b The log",
        "%%l0 sim:story --bg -F text --speed 100 -o c\nTell me",
        "await c",
    )
    await nb.watch("() => document.querySelector('.l0-tree')?.textContent")
    await nb.run_all(wait=False)
    cut = nb.view(0).locator(".l0-cut")
    await cut.wait_for()
    assert "attempt 1 · withdrawn after 40 tokens" in await cut.inner_text()
    await nb.shoot(shots / "notebook-7-withdrawn.png")
    await nb.ran()
    assert len(await nb.watched()) > 5, "values fill in"
    for opened_again in (False, True):
        if opened_again:
            await nb.save()
            await nb.load()
        assert await nb.static_text(0) == STORY
        await nb.static(0).get_by_text("withdrawn after 40 tokens").click()
        assert STORY.startswith(await nb.static(0).locator("del").inner_text())
        await nb.static(1).filter(has_text="✓ valid").wait_for()
        assert await nb.static_text(3) == STORY
        assert await nb.page.locator(".l0-view").count() == 0
    await nb.shoot(shots / "notebook-7-again.png")


async def test_a_page_of_notebook_7_that_is_reloaded_goes_on(seven, provider):
    provider.default = endless(30)
    nb = await seven("%%l0 openai:gpt-test -F text -o a\nTell me")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=50)
    await nb.save()
    await nb.reload()
    await nb.streams(0, at_least=100)
    first = await nb.live_text(0)
    await nb.streams(0, at_least=len(first) + 1)
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.page.wait_for_selector(".l0-view[data-status=aborted]")
    text = await nb.evaluate("a.text")
    assert text.startswith(first)
    await nb.page.wait_for_function(
        "text => document.querySelector('.l0-answer').textContent === text", arg=text
    )


async def test_tab_and_enter_stop_a_run_in_notebook_7_in_the_dark(seven, provider, shots):
    from test_page import readable

    provider.default = endless()
    nb = await seven("%%l0 openai:gpt-test -F text -o a\nTell me", "1")
    await nb.set_theme("JupyterLab Dark")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=60)
    await readable(nb, ".l0-view", 10, "live")
    await nb.shoot(shots / "notebook-7-dark.png")
    await nb.page.evaluate("document.querySelector('.jp-Notebook .jp-Cell').focus()")
    for _ in range(12):
        if await nb.page.evaluate("document.activeElement.matches('.l0-head button')"):
            break
        await nb.page.keyboard.press("Tab")
    await nb.page.keyboard.press("Enter")
    await nb.ran()
    assert await nb.evaluate("a.aborted_by") == "stop"
    await nb.static(0).wait_for()
    await readable(nb, ".jp-RenderedHTML", 5, "static")
    await nb.set_theme("JupyterLab Light")


async def test_plain_keys_stay_in_the_view_in_notebook_7(seven, provider):
    provider.default = endless()
    nb = await seven("%%l0 openai:gpt-test -F text -o a\nTell me", "1")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=30)
    await nb.view(0).get_by_role("button", name="Stop").focus()
    await nb.page.keyboard.press("b")
    assert len(await nb.counts()) == 2, "no cell came"


async def test_a_board_races_in_notebook_7(seven, provider, shots):
    """Columns grow, the losers are called off, and the page that stays says who won."""
    provider.enqueue(endless(20), Reply("quick as a **flash** " * 20, tokens_per_second=30))
    cell = "%%l0 openai:tortoise -f openai:hare --race -o r\nRun!"
    nb = await seven(cell)
    await nb.watch(
        "() => [...document.querySelectorAll('.l0-card .l0-answer')]"
        ".map(answer => answer.textContent.length)"
    )
    await nb.run_all(wait=False)
    await nb.view(0).locator(".l0-card").nth(1).wait_for()
    await nb.page.wait_for_function(BOTH_GREW)
    await nb.shoot(shots / "notebook-7-board-live.png")
    await nb.static(0).filter(has_text="✓ winner").wait_for()
    said = await nb.static(0).inner_text()
    assert "tortoise" in said
    assert "hare" in said
    assert said.count("stopped") == 1
    await until(lambda: all(asked.closed_at for asked in provider.requests), "both are closed")
    assert sorted(asked.client_left for asked in provider.requests) == [False, True]
    assert len(await nb.watched()) > 10, "they grew under the reader's eyes"
    await nb.shoot(shots / "notebook-7-board.png")


BOTH_GREW = "watched.some(seen => JSON.parse(seen).filter(length => length > 60).length === 2)"


async def test_a_map_tells_how_far_it_is_in_notebook_7(seven, shots):
    nb = await seven(MAP)
    await nb.watch(
        "() => document.querySelector('.l0-board [role=progressbar]')"
        "?.getAttribute('aria-valuenow')"
    )
    await nb.run_all()
    await nb.static(0).filter(has_text="60 of 60 rows done").wait_for()
    seen = [int(now) for now in await nb.watched()]
    assert len(seen) > 3, "it grew under the reader's eyes"
    assert seen == sorted(seen)
    assert "the model refuses sevens" in await nb.static(0).inner_text()
    await nb.shoot(shots / "notebook-7-map.png")


MAP = """\
import asyncio, l0
async def model(prompt):
    await asyncio.sleep(0.05)
    if '7' in prompt:
        raise PermissionError('the model refuses sevens')
    yield f'Row {prompt} is fine.'
rows = l0.map(
    [str(n) for n in range(60)], '{text}', model,
    store=False, concurrency=2, retry=l0.Retry.none())
result = await l0.view(rows)
"""


async def test_the_explorer_opens_replays_and_is_kept_in_notebook_7(seven, shots):
    ask = "%%l0 sim:story --chaos drop@40 --no-resume --speed max --quiet -o a\nTell me"
    nb = await seven(ask, "import l0\nl0.explore([a])")
    await nb.run_all()
    view = nb.view(1)
    await view.locator(".l0-grid .l0-row").first.click()
    await view.locator(".l0-player").wait_for()
    await view.locator(".l0-answer").filter(has_text=STORY[-40:]).wait_for()
    assert await view.locator(".l0-answer").text_content() == STORY
    await view.get_by_role("tab", name="Attempts").click()
    await view.locator(".l0-side-text ins").first.wait_for()
    await nb.shoot(shots / "notebook-7-explorer.png")
    await view.get_by_role("tab", name="Text").click()
    await view.get_by_role("button", name="Replay").click()
    await view.get_by_role("button", name="Pause").wait_for()
    await view.get_by_role("button", name="Replay").wait_for()
    assert await view.locator(".l0-answer").text_content() == STORY
    await view.get_by_role("button", name="Keep").click()
    kept = nb.static(1)
    await kept.wait_for()
    assert "sim:story" in await kept.inner_text()
    await nb.shoot(shots / "notebook-7-explorer-kept.png")
