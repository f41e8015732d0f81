"""Recorded runs on a page: found, opened, replayed, scrubbed, compared, and kept (N18)."""

from __future__ import annotations

import asyncio
import json
import os
import signal

import pytest
from browser_lab import until
from browser_notebook import Notebook

from l0.events import InMemoryEventStore, SQLiteEventStore
from l0.stream import Retry, run
from l0.testing import ScriptedModel, VirtualClock, fail, sim_answer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STORY = sim_answer("sim:story", "Tell me").text
BROKEN = (
    "%%l0 sim:story --chaos drop@40,stall@80 --no-resume --retry minimal --timeout 30,1"
    " --speed 300 --quiet -o a\nTell me"
)
TENS = sum("10" in str(at) for at in range(1200))
EXPLORE = "from l0.notebook import explore\nexplore({!r})"


@pytest.fixture(scope="module")
def runs(tmp_path_factory):
    """A log of many runs, made elsewhere: no provider is at hand, and one process died."""
    path = tmp_path_factory.mktemp("runs") / "many.db"

    async def fill():
        store, clock, memory = SQLiteEventStore(path), VirtualClock(), InMemoryEventStore()
        for at in range(1200):
            words = [f"word{n} " for n in range(at % 17 + 2)]
            script = [words]
            if at % 5 == 0:
                script = [[*words[:2], fail(ConnectionResetError("reset"))], words]
            if at % 7 == 0:
                script = [[fail(PermissionError("no key"))]]
            stream = run(
                ScriptedModel(*script),
                clock=clock,
                event_store=memory if at == 1199 else store,
                retry=Retry(attempts=1, max_retries=1, base_delay=0) if at % 7 else Retry.none(),
                meta={"model": f"maker:model-{at % 3}", "prompt": f"Question {at}"},
            )
            try:
                await stream.read()
            except PermissionError:
                assert at % 7 == 0
            await clock.sleep(7)
        (died,) = await memory.list_streams()
        await store.append((await memory.get_events(died.stream_id))[:8])
        await store.close()

    asyncio.run(fill())
    return str(path)


async def moment(view):
    """The moment that is shown, in seconds."""
    return float((await view.locator(".l0-time").inner_text()).split(" s")[0])


async def test_a_past_run_is_opened_replayed_scrubbed_and_its_attempts_compared(
    notebook, shots, measured
):
    """N18, with the mouse."""
    nb = await notebook(BROKEN, "from l0.notebook import explore\nexplore()", "str(a)")
    await nb.run_all()
    view = nb.view(1)
    await view.get_by_role("searchbox").fill("tell me")
    row = view.locator(".l0-grid .l0-row").first
    await row.click()
    await view.locator(".l0-player").wait_for()
    answer = view.locator(".l0-answer")
    assert await nb.evaluate("str(a)") == STORY
    await until(lambda: _shows(answer, STORY), "the run is read")
    assert await view.locator(".l0-cut").count() == 2
    whole = float((await view.locator(".l0-time").inner_text()).split("/ ")[1].split(" s")[0])

    await nb.watch(_PLAYING)
    await view.get_by_role("button", name="Replay").click()
    await view.get_by_role("button", name="Pause").wait_for()
    await nb.page.wait_for_function(_PLAYED)
    await view.get_by_role("button", name="Pause").click()
    now = await moment(view)
    assert 1.2 <= now < whole
    # A frame may be late, none is early; moments are shown to a tenth of a second.
    behind = [at - then for at, then in await nb.watched() if 0 < then < 1.3]
    half = len(behind) // 2
    assert half > 2
    assert abs(min(behind[:half]) - min(behind[half:])) < 0.15, "at its own pace"
    shown = await answer.text_content()
    assert STORY.startswith(shown)
    assert len(shown) < len(STORY)
    await nb.shoot(shots / "explorer-replay.png")
    await view.get_by_role("combobox", name="Speed").select_option("8×")
    await view.get_by_role("button", name="Play").click()
    await view.get_by_role("button", name="Replay").wait_for()
    await until(lambda: _shows(answer, STORY), "all of it is replayed")

    slider = view.get_by_role("slider", name="Moment")
    seen = set()
    cost = []
    for share in range(1000, -1, -25):
        before = await nb.page.evaluate("performance.now()")
        await slider.fill(str(share))
        await nb.page.evaluate("() => new Promise(requestAnimationFrame)")
        cost.append(await nb.page.evaluate("performance.now()") - before)
        seen.add(await answer.text_content())
    assert len(seen) > 8
    assert all(STORY.startswith(text) for text in seen)
    assert "" in seen
    measured(f"explorer: a scrub takes {sorted(cost)[len(cost) // 2]:.0f} ms (of 41, the median)")

    strip = view.locator(".l0-strip")
    box = await strip.bounding_box()
    await nb.page.mouse.click(box["x"] + box["width"] * 0.5, box["y"] + 10)
    await until(lambda: _is_near(view, whole / 2, 0.1 * whole), "a click moves in time")
    await view.get_by_role("tab", name="Events").click()
    event = view.locator(".l0-events .l0-on")
    await event.wait_for()
    assert float((await event.locator(".l0-when").inner_text()).split(" s")[0]) <= whole / 2 + 0.1
    await nb.shoot(shots / "explorer-events.png")
    await view.get_by_role("tab", name="Attempts").click()
    await view.locator(".l0-side-text ins").first.wait_for()
    texts = await view.locator(".l0-side-text").all_text_contents()
    assert len(texts) == 2
    assert texts[1] == STORY
    assert STORY.startswith(texts[0][:100])
    await nb.shoot(shots / "explorer-attempts.png")


# Seconds of the page's clock and of the replay, while it plays.
_PLAYING = """() => {
  const view = document.querySelector('.l0-explorer');
  const plays = [...view?.querySelectorAll('button') ?? []].some(
    one => one.textContent === 'Pause');
  return plays
    ? [performance.now() / 1000, parseFloat(view.querySelector('.l0-time').textContent)] : null;
}"""


_PLAYED = """() => {
  const moments = watched.map(seen => JSON.parse(seen)[1]);
  return moments.some(then => then < 1) && moments.at(-1) >= 1.2;
}"""


async def _shows(locator, text):
    return await locator.text_content() == text


async def _is_near(view, seconds, within):
    return abs(await moment(view) - seconds) < within


async def test_a_log_of_a_thousand_runs_is_walked_by_the_keyboard_alone(notebook, runs, shots):
    nb = await notebook(EXPLORE.format(runs), "1")
    await nb.run_all()
    view, page = nb.view(0), nb.page
    await until(lambda: _says(view, "1,200 runs"), "the table is drawn")
    first = view.locator(".l0-grid .l0-row").first
    await until(lambda: _contains(first, "unfinished"), "its lines are there")
    assert await view.locator(".l0-grid .l0-row").count() < 40
    await nb.shoot(shots / "explorer-table.png")

    async def tab_to(selector):
        for _ in range(20):
            if await page.evaluate("s => document.activeElement.matches(s)", selector):
                return
            await page.keyboard.press("Tab")
        raise AssertionError(f"Tab does not reach {selector}")

    await nb.select(0)
    await page.evaluate("document.querySelector('.jp-Notebook .jp-Cell').focus()")
    await tab_to("input[type=search]")
    await page.keyboard.type("question 10")
    await until(lambda: _says(view, f"{TENS} of 1,200 runs"), "it is filtered")
    for _ in range(11):
        await page.keyboard.press("Backspace")
    await until(lambda: _says(view, "1,200 runs"), "the filter is gone")
    await tab_to(".l0-grid .l0-list")
    await page.keyboard.press("End")
    last = view.locator(".l0-on")
    await until(lambda: _contains(last, "Question 0"), "the last one is in sight")
    for key in ("b", "a", "d", "d", "ArrowUp", "Enter"):
        await page.keyboard.press(key)
    await view.locator(".l0-player").wait_for()
    assert await view.locator(".l0-prompt").last.inner_text() == "Question 1"
    answer = view.locator(".l0-answer")
    await until(lambda: _shows(answer, "word0 word1 word2 "), "the run is read")
    await page.keyboard.press("Escape")
    await view.locator(".l0-player").wait_for(state="detached")
    assert await nb.counts() == [1, 2], "no cell came or went"


async def _says(view, text):
    return await view.locator(".l0-facts").first.inner_text() == text


async def _contains(locator, text):
    return text in await locator.inner_text()


async def test_what_is_kept_stays_in_the_notebook(notebook, lab, runs, shots):
    """By the button, and when the kernel is shut down; then without a kernel."""
    nb = await notebook(
        "%%l0 sim:story --speed max --quiet -o a\nTell me",
        EXPLORE.format(runs),
        "%l0 replay a",
        "%l0 compare a a",
    )
    await nb.run_all()
    view = nb.view(1)
    await view.get_by_role("button", name="Keep").click()
    await nb.static(1).wait_for()
    table = await nb.static(1).inner_text()
    assert "… and 1,150 more" in table
    await nb.reveal(2)
    await nb.view(2).locator(".l0-player").wait_for()
    await nb.view(3).get_by_text("the same words").wait_for()
    await nb.js("await panel.sessionContext.shutdown()")

    async def are_static():
        outputs = [await nb.outputs(at) for at in range(4)]
        return "widget-view" not in json.dumps(outputs)

    await until(are_static, "the kernel leaves the static forms")
    saved = await nb.save()
    text = json.dumps(saved)
    assert "widget-view" not in text
    assert text.count(STORY[:40]) >= 3
    await nb.load(kernel=False)
    await nb.static(1).wait_for()
    assert "Question 1198" in await nb.static(1).inner_text()
    await nb.reveal(3)
    await nb.static(3).get_by_text("the same words").wait_for()
    await nb.shoot(shots / "explorer-kept.png")


async def test_a_killed_kernel_leaves_the_static_form_to_whoever_gets_the_notebook(
    notebook, lab, context, runs, shots, tmp_path
):
    """It is saved beside the widget, for pages that have none: untrusted ones, and exports."""
    nb = await notebook(EXPLORE.format(runs))
    await nb.run_all()
    await nb.view(0).locator(".l0-grid .l0-row").first.wait_for()
    book = await nb.save()
    assert "widget-view" in json.dumps(book)
    os.kill(await nb.evaluate("__import__('os').getpid()"), signal.SIGKILL)

    book["metadata"]["note"] = "sent by mail"  # and so signed by nobody on this machine
    (lab.root / "killed.ipynb").write_text(json.dumps(book))
    again = Notebook(lab, await context.new_page(), "killed.ipynb")
    try:
        await again.load(kernel=False)
        assert not await again.is_trusted()
        await again.static(0).filter(has_text="Question 1198").wait_for()
        assert "… and 1,150 more" in await again.static(0).inner_text()
        await again.shoot(shots / "explorer-killed-untrusted.png")
        assert again.console == []
    finally:
        await again.page.close()

    from nbconvert import HTMLExporter

    html, _ = await asyncio.to_thread(
        HTMLExporter(template_name="lab").from_filename, str(lab.root / nb.path)
    )
    (tmp_path / "export.html").write_text(html)
    page = await context.new_page()
    try:
        await page.route("http*://**", lambda route: route.abort())
        await page.goto((tmp_path / "export.html").as_uri())
        await page.get_by_text("Question 1198").wait_for()
        await page.screenshot(path=shots / "explorer-killed-export.png")
    finally:
        await page.close()


THEMES = ["JupyterLab Light", "JupyterLab Dark", "JupyterLab Dark High Contrast"]


async def test_it_is_readable_in_every_theme_and_at_every_width(notebook, runs, shots):
    from test_page import readable

    nb = await notebook(BROKEN, "from l0.notebook import explore\nexplore()", EXPLORE.format(runs))
    await nb.run_all()
    view = nb.view(1)
    await view.locator(".l0-grid .l0-row").first.click()
    await view.locator(".l0-player").wait_for()
    await nb.page.mouse.move(0, 0)
    for theme in THEMES:
        await nb.set_theme(theme)
        word = theme.removeprefix("JupyterLab ").replace(" ", "-").lower()
        for name in ("Text", "Events", "Attempts"):
            await view.get_by_role("tab", name=name).click()
            panel = view.locator("[role=tabpanel]:not([hidden])")
            await panel.locator(".l0-row, .l0-answer, ins").first.wait_for()
            await readable(nb, ".l0-view", 40, f"{theme}, {name}")
        await view.get_by_role("tab", name="Text").click()
        await nb.shoot(shots / f"explorer-{word}.png")
    await nb.set_theme(THEMES[0])
    await nb.command("application:toggle-left-area")
    for width in (600, 1600):
        await nb.page.set_viewport_size({"width": width, "height": 1000})
        await until(lambda: _fits(view), f"nothing is cut off at {width}")
        await nb.shoot(shots / f"explorer-{width}.png")
    await nb.page.emulate_media(forced_colors="active")
    await nb.shoot(shots / "explorer-forced.png")
    await nb.page.emulate_media(forced_colors="none")


async def _fits(view):
    return await view.evaluate(
        """view => {
          const edge = view.getBoundingClientRect().right + 1;
          const parts = view.querySelectorAll(
            'button, select, input, .l0-c, .l0-strip, .l0-time, .l0-answer, .l0-legend i');
          return [...parts].filter(el => el.checkVisibility())
            .every(el => el.getBoundingClientRect().right <= edge);
        }"""
    )
