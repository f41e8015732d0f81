"""A run in a cell while it happens: it streams, stops, is interrupted, breaks and is saved."""

from __future__ import annotations

import re
import time
from itertools import pairwise

import pytest
from browser_lab import best, endless, until

from l0.testing import Reply, sim_answer

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

STORY = sim_answer("sim:story", "Tell me").text


async def test_a_cell_streams_live_and_ends_with_the_text_of_its_handle(notebook, shots):
    nb = await notebook("%%l0 sim:story -F text --speed 60 -o a\nTell me", "print(a.text, end='')")
    await nb.execute("%load_ext l0")  # once more changes nothing
    await nb.watch("() => document.querySelector('.l0-answer')?.textContent")
    begun = time.monotonic()
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=300)
    await nb.shoot(shots / "live.png")
    await nb.ran()
    spent = time.monotonic() - begun
    await nb.static(0).wait_for()
    seen = await nb.watched()

    assert await nb.view(0).count() == 0, "the live view is replaced when the run is over"
    assert len(seen) > 20, "the text grew under the reader's eyes"
    assert all(STORY.startswith(text) for text in seen)
    assert len(seen[-1]) > 0.9 * len(STORY)
    assert await nb.static_text(0) == await nb.printed(1) == STORY
    plain = (await nb.outputs(0))[0]["data"]["text/plain"]
    assert plain.endswith(f"\n\n{STORY}")
    took = float(re.search(r"([\d.]+) s · first token", await nb.static(0).inner_text())[1])
    assert 254 / 60 < took < spent


async def test_no_line_moves_when_the_live_view_becomes_static(notebook):
    nb = await notebook(
        "%%l0 sim:markdown --speed 120 --chaos drop@20 --no-resume\nTell me",
        "%%l0 sim:code --speed 120\nTell me",
    )
    await nb.page.set_viewport_size({"width": 1280, "height": 3000})
    await nb.page.evaluate(_WATCH)
    await nb.run_all()
    await nb.static(1).wait_for()
    for index, blocks in enumerate((10, 3)):
        live, static, below = await nb.page.evaluate(_TOPS, index)
        # The last block seen alive was still growing.
        moved = [round(b - a, 1) for a, b in zip(live[:-1], static, strict=False)]
        assert len(moved) >= blocks - 1
        assert max(map(abs, moved)) < 1.5, moved
        assert abs(below[1] - below[0]) < 10, "the next cell stays where it is"


# Notes in each frame where the blocks of a live answer begin, below the top of its view, and how
# much of the output is below the answer.
_WATCH = """() => {
  window.tops = {};
  window.below = {};
  window.bottom = cell =>
    cell.querySelector('.jp-Cell-outputWrapper').getBoundingClientRect().bottom;
  const step = () => {
    document.querySelectorAll('.jp-Notebook .jp-Cell').forEach((cell, index) => {
      const view = cell.querySelector('.l0-view');
      if (!view || !view.querySelector('.l0-cut') && /chaos/.test(cell.textContent)) return;
      const top = view.getBoundingClientRect().top;
      const blocks = [...view.querySelector('.l0-answer').children];
      window.tops[index] = blocks.map(el => el.getBoundingClientRect().top - top);
      window.below[index] =
        window.bottom(cell) - view.querySelector('.l0-scroll').getBoundingClientRect().bottom;
    });
    requestAnimationFrame(step);
  };
  step();
}"""
_TOPS = """index => {
  const cell = document.querySelectorAll('.jp-Notebook .jp-Cell')[index];
  const view = cell.querySelector('.jp-OutputArea-output.jp-RenderedHTML > div');
  const answer = view.querySelector('.l0-said');
  const top = view.getBoundingClientRect().top;
  const tops = [...answer.children].map(el => el.getBoundingClientRect().top - top);
  const below = window.bottom(cell) - answer.getBoundingClientRect().bottom;
  return [window.tops[index], tops, [window.below[index], below]];
}"""


BREAKS = "--chaos drop@60,stall@90 --no-resume --timeout 5,0.5"
LONG = [
    "%%l0 sim:code --speed 120\nTell me",
    f"%%l0 sim:markdown --speed 120 -F text {BREAKS}\nTell me",
    "%%l0 sim:json --speed 100 --schema dict\nTell me",
]


@pytest.mark.parametrize("width", [1280, 600])
async def test_nothing_jumps_when_a_long_answer_is_complete(notebook, width):
    """It keeps the room in which it scrolled, and who followed it to its end still reads that."""
    nb = await notebook(*LONG)
    await nb.page.set_viewport_size({"width": width, "height": 640})
    await nb.command("application:toggle-left-area")
    for index in range(len(LONG)):
        await nb.watch(_HEIGHTS.replace("INDEX", str(index)))
        await nb.run_cell(index)
        await nb.static(index).wait_for()
        box = nb.static(index).get_by_role("region", name="Answer")
        await box.wait_for()
        await nb.page.wait_for_function(_AT_THE_END, arg=await box.element_handle())
        heights = await nb.watched()
        live = [height for view, height in heights if view == "live"]
        (static,) = {height for view, height in heights if view == "static"}
        assert all(b > a - 1.5 for a, b in pairwise(live)), "it only grows"
        assert abs(static - live[-1]) < 6, (live[-1], static)
    # By keys it scrolls, and the notebook stays at its cell.
    await box.focus()
    await nb.page.keyboard.press("Home")
    await nb.page.wait_for_function("box => box.scrollTop === 0", arg=await box.element_handle())
    assert await nb.js("return panel.content.activeCellIndex") == len(LONG) - 1
    # Nothing of it is in the notebook: who opens it later sees the whole answer.
    saved = "".join((await nb.outputs(0))[0]["data"]["text/html"])
    assert "l0-said" in saved
    assert "region" not in saved
    assert "60vh" not in saved


# What is in the output of a cell, and how high it is.
_HEIGHTS = """() => {
  const cell = document.querySelector('.jp-Notebook .jp-Cell[data-windowed-list-index="INDEX"]');
  const output = cell?.querySelector('.jp-Cell-outputWrapper');
  const live = output?.querySelector('.l0-view');
  if (!live && !output?.querySelector('.l0-said')) return null;
  return [live ? 'live' : 'static', Math.round(output.getBoundingClientRect().height * 10) / 10];
}"""
_AT_THE_END = """box =>
  box.scrollTop > 0 && box.scrollHeight - box.scrollTop - box.clientHeight < 2"""


async def test_stop_closes_the_connection_and_run_all_goes_on(notebook, provider, shots, measured):
    provider.default = endless(50)
    nb = await notebook(
        "%%l0 openai:gpt-test -F text -o a\nTell me",
        "print(a.aborted_by, a.outcome, a.text, sep='\\n', end='')",
    )
    await nb.watch_clicks()

    async def stop():
        provider.requests.clear()
        await nb.run_all(wait=False)
        await nb.streams(0, at_least=60)
        await nb.view(0).get_by_role("button", name="Stop").click()
        await nb.ran()
        (asked,) = provider.requests
        await until(lambda: asked.closed_at, "the socket closes")
        assert asked.client_left
        by, outcome, text = (await nb.printed(1)).split("\n", 2)
        assert (by, outcome) == ("stop", "aborted")
        assert len(text) >= 60
        assert await nb.static_text(0) == text, "the partial text stays"
        assert await nb.errors(0) == []
        return asked.closed_at - await nb.clicked_at()

    closing = await best(stop, 0.3)
    measured(f"Stop: the provider's socket is closed {closing * 1000:.0f} ms after the click")
    assert closing <= 0.3
    await nb.shoot(shots / "stopped.png")


async def test_interrupting_the_kernel_ends_the_cell_with_one_line(
    notebook, provider, shots, measured
):
    """As quickly while tokens come as while nothing does and the loop sleeps."""
    nb = await notebook(
        "%%l0 openai:gpt-test -F text -o a\nTell me",
        "%%l0 openai:gpt-test -F text -o a\nTell me",
        "print('reached')",
    )
    replies = endless(50), Reply(faults="stall@9")
    for index, what in enumerate(("while it streams", "while nothing comes")):
        provider.default = replies[index]

        async def interrupt(index=index):
            await nb.run_from(index)
            await nb.streams(index, at_least=30)
            asked_at = time.monotonic()
            await nb.interrupt()
            await until(lambda: provider.requests[-1].closed_at, "the socket closes")
            await nb.ran()
            assert provider.requests[-1].client_left
            (line,) = await nb.errors(index)
            assert "\n" not in line
            assert line.startswith("Interrupted: the run was aborted after ")
            assert (await nb.counts())[index + 1] is None, "Run All ends here"
            text, by = await nb.evaluate("[a.text, a.aborted_by]")
            assert by == "interrupt"
            assert await nb.static_text(index) == text
            return provider.requests[-1].closed_at - asked_at

        closing = await best(interrupt, 0.3)
        measured(f"Interrupt {what}: the provider's socket is closed after {closing * 1000:.0f} ms")
        assert closing <= 0.3
    await nb.shoot(shots / "interrupted.png")
    await nb.run_cell(2)
    assert await nb.printed(2) == "reached\n", "the kernel is well"


async def test_what_breaks_is_withdrawn_before_the_eyes_and_the_text_is_whole(notebook, shots):
    ask = "%%l0 sim:story --chaos drop@40,stall@80 --timeout 30,1 -F text"
    # Slow enough that what is withdrawn can be opened while the last attempt goes on.
    nb = await notebook(
        f"{ask} --speed 50 -o a --no-resume\nTell me", f"{ask} --speed 200 -o b\nTell me"
    )
    await nb.run_all(wait=False)
    cuts = nb.view(0).locator(".l0-cut")
    await cuts.nth(0).wait_for()
    assert "attempt 1 · withdrawn after 40 tokens" in await cuts.nth(0).inner_text()
    await cuts.nth(0).locator("summary").click()
    gone = await cuts.nth(0).locator("del").inner_text()
    assert len(gone) > 40
    assert STORY.startswith(gone)
    await cuts.nth(1).wait_for()
    assert "gap timeout" in await cuts.nth(1).inner_text()
    assert await cuts.nth(0).locator("del").is_visible(), "what was opened stays open"
    await nb.shoot(shots / "withdrawn-live.png")
    await nb.ran()

    assert await nb.evaluate("[a.text, b.text]") == [STORY, STORY]
    for index, discarded in enumerate((2, 0)):
        await nb.reveal(index)
        static = nb.static(index)
        assert await nb.static_text(index) == STORY
        await static.get_by_text("What happened").click()
        story = await static.locator("table").last.inner_text()
        assert "drop" in story
        assert "gap timeout" in story
        withdrawn = static.locator("details").filter(has=nb.page.locator("del"))
        assert await withdrawn.count() == discarded, "what is continued is not withdrawn"
        for each in await withdrawn.all():
            await each.locator("summary").click()
            assert STORY.startswith(await each.locator("del").inner_text())
        await nb.shoot(shots / ("saved-by-continuation.png" if index else "saved-by-retry.png"))


async def test_a_second_view_says_the_same(notebook, provider, shots):
    provider.default = Reply(100 * sim_answer("sim:unicode", "Tell me").text, tokens_per_second=40)
    nb = await notebook("%%l0 openai:gpt-test -F text -o a\nTell me", "1")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=50)
    await nb.select(0)
    await nb.command("notebook:create-output-view")
    both = "[...document.querySelectorAll('.l0-answer')].map(answer => answer.textContent)"
    await nb.page.wait_for_function(f"{both}[1]?.length")
    for _ in range(5):
        first, second = await nb.page.evaluate(both)
        assert first.startswith(second) or second.startswith(first), "they draw frame by frame"
        await nb.page.wait_for_function(f"new Set({both}).size == 1")
    await nb.shoot(shots / "second-view.png")
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.ran()
    text = await nb.evaluate("a.text")
    assert await nb.static_text(0) == text


async def test_a_page_reloaded_in_mid_stream_goes_on_with_the_same_text(notebook, provider, shots):
    provider.default = endless(30)
    nb = await notebook("%%l0 openai:gpt-test -F text -o a\nTell me")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=50)
    await nb.save()
    await nb.reload()
    await nb.streams(0, at_least=100)
    first = await nb.live_text(0)
    await nb.page.wait_for_function(
        "seen => document.querySelector('.l0-answer').textContent.length > seen", arg=len(first)
    )
    await nb.shoot(shots / "reloaded.png")
    await nb.view(0).get_by_role("button", name="Stop").click()
    await until(lambda: _has_status(nb, "aborted"), "the reloaded view hears of the end")
    text = await nb.evaluate("a.text")
    assert text.startswith(first)
    await until(lambda: _shows(nb, text), "the view has all of it")
    await until(lambda: provider.requests[0].closed_at, "the socket closes")
    assert provider.requests[0].client_left


async def test_a_page_that_was_away_when_the_run_ended_shows_its_text(notebook, provider):
    """Whoever closes the laptop in mid-stream finds the answer when it is opened again."""
    provider.default = Reply(tokens_per_second=50)
    nb = await notebook("%%l0 openai:gpt-test -F text -o a\nTell me")
    await nb.run_all(wait=False)
    await nb.streams(0, at_least=50)
    await nb.save()
    await nb.page.goto("about:blank")
    await until(lambda: provider.requests[0].finished, "the answer ends")
    await nb.load()
    text = await nb.evaluate("a.text")
    assert text == STORY
    await until(lambda: _has_status(nb, "complete"), "the view hears of the end")
    await until(lambda: _shows(nb, text), "the view has all of it")


async def _has_status(nb, status):
    return await nb.view(0).get_attribute("data-status") == status


async def _shows(nb, text):
    return await nb.live_text(0) == text
