"""Runs side by side and maps in a real page: they grow, are stopped, and stay as they are."""

from __future__ import annotations

import time

import pytest
from browser_lab import best, endless, until

from l0.testing import Reply

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

OSLO = "The capital of Norway is **Oslo**. It lies at the end of a fjord, between hills."
NEAR = "The capital of Norway is **Oslo**. It lies at the head of a fjord, between hills."
FAR = "Ask a sailor: it was Bergen for a long while, whatever anybody says about it now."

MAP = """\
import asyncio, l0
async def model(prompt):
    await asyncio.sleep(0.05)
    if '7' in prompt:
        raise PermissionError('the model refuses sevens')
    yield f'Row {prompt} is fine.'
rows = l0.compose.map(
    [str(n) for n in range(800)], '{text}', model,
    store=False, concurrency=4, retry=l0.Retry.none())
result = await l0.view(rows)
"""

# Notes how far the columns of a live board are, in each frame.
_GROWN = """() => {
  const answers = [...document.querySelectorAll('.l0-card .l0-answer')];
  return answers.length ? answers.map(answer => answer.textContent.length) : null;
}"""
_CARDS = """index => [...document.querySelectorAll('.jp-Notebook .jp-Cell')[index]
  .querySelectorAll('.l0-card')].map(card => ({
    status: card.dataset.status,
    text: card.querySelector('.l0-answer').textContent,
  }))"""

# Notes in each frame where the columns of a live board stand, below the top of its view.
_WATCH = """() => {
  const step = () => {
    const view = document.querySelector('.l0-board');
    const top = view?.getBoundingClientRect().top;
    const cards = [...(view?.querySelectorAll('.l0-card') ?? [])];
    if (cards.length) window.places = cards.map(card => {
      const at = card.getBoundingClientRect();
      return [at.top - top, card.querySelector('.l0-scroll').getBoundingClientRect().top - top];
    });
    requestAnimationFrame(step);
  };
  step();
}"""
_PLACES = """() => {
  const view = document.querySelector('.jp-OutputArea-output.jp-RenderedHTML > div');
  const top = view.getBoundingClientRect().top;
  const cards = [...view.querySelectorAll('div')].filter(el => el.style.borderTopWidth === '3px');
  return [window.places, cards.map(card => [
    card.getBoundingClientRect().top - top,
    card.children[2].getBoundingClientRect().top - top,
  ])];
}"""


async def cards(nb, index=0):
    """Status and text of each column of a live board."""
    return await nb.page.evaluate(_CARDS, index)


async def grown(nb, count, least, index=0):
    """The columns, once each of them shows so many characters."""

    async def look():
        found = await cards(nb, index)
        return found if [len(each["text"]) > least for each in found] == [True] * count else None

    return await until(look, f"{count} columns grow")


async def test_a_race_streams_in_columns_and_the_losers_are_called_off(notebook, provider, shots):
    provider.enqueue(
        endless(25),
        Reply(text="quick as a **flash** " * 24, tokens_per_second=40),
        endless(25),
    )
    nb = await notebook(
        "%%l0 openai:tortoise -f openai:hare -f openai:snail --race -o r\nRun!",
        "print(r.text == r.winner.text, [h.outcome for h in r.handles])",
    )
    await nb.page.evaluate(_WATCH)
    await nb.watch(_GROWN)
    await nb.run_all(wait=False)
    await nb.page.wait_for_function("watched.some(seen => JSON.parse(seen).every(n => n > 60))")
    await nb.shoot(shots / "board-race-live.png")
    await nb.ran()
    await nb.static(0).wait_for()
    await nb.shoot(shots / "board-race.png")
    assert min((await nb.watched())[-1]) > 60, "all of them grew side by side"
    said = await nb.static(0).inner_text()
    assert "✓ winner" in said
    assert said.count("stopped") == 2
    outcomes = await nb.printed(1)
    assert outcomes.startswith("True ")
    assert outcomes.count("'completed'") == 1
    assert outcomes.count("'cancelled'") == 2
    await until(lambda: all(asked.closed_at for asked in provider.requests), "all are closed")
    assert sum(request.client_left for request in provider.requests) == 2
    live, static = await nb.page.evaluate(_PLACES)
    moved = [
        abs(a - b)
        for one, other in zip(live, static, strict=True)
        for a, b in zip(one, other, strict=True)
    ]
    assert max(moved) < 1.5, (live, static)


async def test_a_consensus_survives_a_reload_and_marks_what_differs(notebook, provider, shots):
    for text in (OSLO, NEAR, FAR):  # slow, for they go on while the page is loaded again
        provider.enqueue(Reply(text=text, tokens_per_second=1.5))
    nb = await notebook("%%l0 openai:gpt-test -n 3 --consensus -o c\nWhere is the parliament?")
    await nb.run_all(wait=False)
    before = await grown(nb, 3, 8)
    await nb.save()
    await nb.reload()
    after = await grown(nb, 3, 12)
    for old, new in zip(before, after, strict=True):
        assert new["text"].startswith(old["text"])
    view = nb.view(0)
    await view.locator(".l0-badge:not(:empty)").nth(2).wait_for()
    await view.locator("mark").wait_for()
    await nb.shoot(shots / "board-consensus.png")
    # Which run gets which answer is up to the network.
    text = await nb.evaluate("c.text")
    badges = await view.locator(".l0-badge").all_text_contents()
    assert sorted(badges) == ["≈ similar", "≠ differs", "✓ agrees"]
    assert await view.locator("mark").all_text_contents() == ["head" if text == OSLO else "end"]
    assert "2 of 3 similar" in await view.locator(".l0-head").inner_text()
    shown = [each["text"] for each in await cards(nb)]
    assert sorted(shown) == sorted(each.replace("**", "") for each in (OSLO, NEAR, FAR))
    assert shown[badges.index("✓ agrees")] == text.replace("**", "")


LONG = "openai:ft:gpt-4.1-mini-2025-04-14:my-organisation:custom-suffix:id9fX2"
# Of each column: how high its name is, and its numbers, in lines, and what of the name is seen.
_HEADS = """() => [...document.querySelectorAll('.l0-card')].map(card => {
  const [name, numbers] = ['.l0-name', '.l0-numbers'].map(part => card.querySelector(part));
  const high = el =>
    el.getBoundingClientRect().height / parseFloat(getComputedStyle(el).lineHeight);
  const nth = document.createRange();
  nth.selectNodeContents(name.querySelector('b').lastChild);
  return {
    lines: [Math.round(high(name)), Math.round(high(numbers))],
    whole: nth.getBoundingClientRect().right <= card.getBoundingClientRect().right,
    wide: card.scrollWidth <= card.clientWidth,
    title: name.querySelector('b').title,
  };
})"""


async def test_the_head_of_a_column_is_two_lines_whatever_the_model_is_called(notebook, provider):
    """At three columns, at two and at one; what was thought stays folded when it is over."""
    provider.default = Reply("Oslo. " * 400, tokens_per_second=30, reasoning="A capital, then.")
    nb = await notebook(f"%%l0 {LONG} -n 3 -o b\nWhere is the parliament?")
    await nb.run_all(wait=False)
    await grown(nb, 3, 30)
    for width in (1600, 1000, 600):
        await nb.page.set_viewport_size({"width": width, "height": 900})
        heads = await nb.page.evaluate(_HEADS)
        assert [head.pop("title") for head in heads] == [f"{LONG} · {at}" for at in (1, 2, 3)]
        assert heads == [{"lines": [1, 1], "whole": True, "wide": True}] * 3, width
    folded = nb.view(0).locator(".l0-think > summary")
    assert await folded.all_inner_texts() == ["Reasoning · 16 characters"] * 3
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.ran()
    static = nb.static(0)
    assert await static.get_by_text("Reasoning · 16 characters").count() == 3
    for at in (1, 2, 3):
        name = static.get_by_title(f"{LONG} · {at}")
        assert (await name.bounding_box())["height"] < 30
        assert await name.evaluate("el => el.firstChild.scrollWidth > el.firstChild.clientWidth")


async def test_stop_by_keyboard_closes_every_connection(notebook, provider, shots, measured):
    provider.default = endless(50)
    nb = await notebook(
        "%%l0 openai:gpt-test -n 4 -o b\nTell me",
        "print(b.outcome, b.aborted_by, {h.outcome for h in b.handles})",
    )

    async def stop():
        provider.requests.clear()
        await nb.run_all(wait=False)
        await grown(nb, 4, 60)
        await nb.view(0).get_by_role("button", name="Stop").focus()
        await nb.page.keyboard.press("b")
        asked_at = time.monotonic()
        await nb.page.keyboard.press("Enter")
        await nb.ran()
        assert len(await nb.counts()) == 2, "no cell was inserted"
        assert await nb.printed(1) == "aborted stop {'aborted'}\n"
        assert len(provider.requests) == 4
        await until(lambda: all(asked.closed_at for asked in provider.requests), "all are closed")
        assert all(request.client_left for request in provider.requests)
        return max(request.closed_at for request in provider.requests) - asked_at

    closing = await best(stop, 0.5)
    measured(f"Stop of a board: four sockets are closed {closing * 1000:.0f} ms after the key")
    assert closing <= 0.5
    await nb.shoot(shots / "board-stopped.png")


async def test_a_map_shows_how_far_it_is_and_stop_ends_it(notebook, shots):
    nb = await notebook(MAP, "print(result.ok, result.failed, result.skipped, len(result))")
    await nb.run_all(wait=False)
    meter = nb.view(0).get_by_role("progressbar")

    async def percent():
        told = await meter.get_attribute("aria-valuenow") if await meter.count() else None
        return told is not None and int(told) >= 10

    await until(percent, "a tenth is done")
    await nb.shoot(shots / "board-map-live.png")
    await nb.view(0).get_by_role("button", name="Stop").click()
    await nb.ran()
    await nb.shoot(shots / "board-map.png")
    ok, failed, skipped, total = map(int, (await nb.printed(1)).split())
    assert ok + failed + skipped == total == 800
    assert ok + failed >= 80
    assert skipped > 0
    said = (await nb.static(0).inner_text()).split("\n")
    assert said[said.index("ok") + 1] == str(ok)
    assert said[said.index("failed") + 1] == str(failed)
    assert any("Stop was pressed" in line for line in said)
    assert any("the model refuses sevens" in line for line in said)
