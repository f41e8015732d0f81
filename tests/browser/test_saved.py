"""What stays of a run: in a saved notebook, in an export, in the files; and what must not."""

from __future__ import annotations

import asyncio
import json

import pytest
import pytest_asyncio
from browser_lab import KEY
from browser_notebook import Notebook

from l0.testing import Reply, sim_answer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("saved"),  # one notebook, run once
]

STORY = sim_answer("sim:story", "Tell me").text
CELLS = (
    "%%l0 sim:story --chaos drop@40 --no-resume --retry minimal --speed 100 -F text -o a\nTell me",
    "%%l0 sim:markdown --speed max\nTell me",
    "%%l0 openai:gpt-test\nWhat does it cost?",
)
FORMULAS = "It costs $5 in May and $10 in June."


async def check(view):
    """Answer, withdrawn text and timeline are there to be seen, without a kernel or a script."""
    assert await view.locator("b").first.inner_text() == "Complete"
    await view.get_by_text(STORY.split("\n")[0]).last.wait_for()
    await view.get_by_text("withdrawn after 40 tokens").click()
    gone = view.locator("del")
    await gone.wait_for()
    assert await gone.evaluate("el => getComputedStyle(el).textDecorationLine") == "line-through"
    bars = view.locator("div[style*='inline-block']")
    widths = [box["width"] for box in [await bar.bounding_box() for bar in await bars.all()]]
    assert sum(width > 20 for width in widths) >= 4, "wait, withdrawn, back-off, recovered"
    assert {await bar.evaluate(_FORM) for bar in await bars.all()} >= {"solid", "dashed"}
    await view.get_by_text("What happened").click()
    await view.locator("table").last.filter(has_text="drop").wait_for()


_FORM = "el => getComputedStyle(el).borderTopStyle"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def saved(lab, context, fault_server):
    """A notebook that was run, saved and closed, its kernel shut down."""
    fault_server.default = Reply(FORMULAS)
    nb = await Notebook.create(lab, context, CELLS, "saved")
    await nb.run_all()
    assert await nb.static_text(0) == STORY
    await nb.save()
    await nb.shut_down()
    return nb


@pytest.mark.parametrize("trusted", [True, False], ids=["trusted", "untrusted"])
async def test_a_saved_notebook_shows_the_run_without_its_kernel(
    saved, lab, context, shots, trusted
):
    path = saved.path
    if not trusted:  # any change makes another notebook of it, which nobody has signed
        path = "untrusted.ipynb"
        book = saved.on_disk()
        book["metadata"]["note"] = "changed by another hand"
        (lab.root / path).write_text(json.dumps(book))
    again = Notebook(lab, await context.new_page(), path)
    try:
        await again.load(kernel=False)
        assert await again.js("return panel.sessionContext.session === null")
        assert await again.is_trusted() is trusted
        await again.static(0).wait_for()
        await check(again.static(0))
        assert await again.static_text(0) == STORY
        await again.shoot(shots / f"saved-{'trusted' if trusted else 'untrusted'}.png")
        await again.reveal(2)
        markdown = again.static(1)
        await markdown.wait_for()
        assert await markdown.locator("h1, h2, h3").count() > 1
        assert await markdown.locator("table").first.is_visible()
        assert await markdown.locator("table td").first.evaluate(_UNDERLINED) != "none"
        assert FORMULAS in await again.static(2).inner_text(), "dollars stay dollars"
        assert await again.page.locator(".l0-view").count() == 0
        assert again.console == []
    finally:
        await again.page.close()


_UNDERLINED = "el => getComputedStyle(el).borderBottomStyle"


async def test_an_export_shows_the_run_offline(saved, lab, context, shots, tmp_path):
    from nbconvert import HTMLExporter

    html, _ = await asyncio.to_thread(
        HTMLExporter(template_name="lab").from_filename, str(lab.root / saved.path)
    )
    file = tmp_path / "export.html"
    file.write_text(html)
    page = await context.new_page()
    try:
        await page.route("http*://**", lambda route: route.abort())
        await page.goto(file.as_uri())
        await check(page.locator(".jp-OutputArea-output").first)
        await page.screenshot(path=shots / "export.png")
    finally:
        await page.close()


async def test_no_key_comes_out_of_the_kernel(notebook, lab, provider):
    """Not into the notebook and not into the log, whatever fails and whatever is shown."""
    provider.enqueue(Reply("Fine."), Reply(faults="401"), Reply(faults="drop@2"))
    nb = await notebook(
        "%%l0 openai:gpt-test -o a\nTell me",
        "a",
        "%%l0 openai:gpt-test -o b\nTell me",
        "b",
        "%l0 doctor",
        "%%l0 openai:gpt-test -o c -p extra=1\nTell me",
        "c.events()",
        "%l0 models",
        "%l0 runs",
    )
    for index in range(9):
        await nb.run_cell(index)
    assert await nb.counts() == [*range(1, 10)]
    assert (await nb.errors(2))[0].count("\n") <= 3, "a failure is told in a few lines"
    assert len(provider.requests) >= 4
    text = json.dumps(await nb.save())
    assert "Fine." in text
    assert "401" in text
    log = b"".join(file.read_bytes() for file in lab.home.glob("runs.db*"))
    assert b"SESSION_START" in log
    for secret in (KEY, KEY[3:], "Bearer"):
        assert secret not in text
        assert secret.encode() not in log
    assert KEY not in lab.log()
