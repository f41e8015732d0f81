"""Take the pictures of the documentation, from a real JupyterLab: `python docs/screenshots.py`.

Run it after a change of how something looks, and commit what changed; it needs a Chromium. Names
take only those: `live-cell`, `saved-cell`, `board`, `explorer`, `charts`, `dark-cell`.
"""

from __future__ import annotations

import asyncio
import sys
import tempfile
from pathlib import Path

ROOT = Path(__file__).parent.parent
sys.path.insert(0, str(ROOT / "tests" / "browser"))

from browser_lab import LabServer, chromium  # noqa: E402  they stand beside their tests
from browser_notebook import Notebook  # noqa: E402

IMAGES = ROOT / "docs" / "images"
BROKEN = "%%l0 sim:story --chaos drop@40,stall@80 --no-resume --timeout 5,1 --speed 90 -o tale"
CELL = f"{BROKEN}\nTell me of the lighthouse."
NIGHT = """\
import random

import l0
from l0.events import InMemoryEventStore
from l0.testing import ScriptedModel, VirtualClock, fail, http_error, stall

dice = random.Random(7)
trouble = [fail(ConnectionResetError()), fail(http_error(529)), fail(http_error(401)), stall(60)]


def attempt(wait):
    steps = [stall(dice.lognormvariate(0, 0.4) * wait)]
    for _ in range(20):
        steps += [stall(dice.expovariate(20)), "word "]
        if dice.random() < 0.01:
            return [*steps, dice.choice(trouble)]
    return steps


night = InMemoryEventStore()
for at in range(120):
    name, wait = dice.choice([("keeper-large", 1.4), ("keeper-small", 0.6), ("lamp-mini", 0.3)])
    model = ScriptedModel(*(attempt(wait) for _ in range(9)))
    options = {"clock": VirtualClock(), "random": dice.random, "timeout": l0.Timeout(9, 2)}
    stream = l0.run(model, event_store=night, meta={"model": name}, **options)
    try:
        await stream.read()
    except Exception:
        pass
"""
"""A hundred and twenty runs of three models that exist nowhere, on a clock that jumps."""


async def main(names: set[str]) -> None:
    """Write every picture, or those of these names."""

    def wanted(name: str) -> bool:
        return not names or name in names

    IMAGES.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix="l0-pictures-") as home:
        server = await LabServer(Path(home)).start()
        try:
            async with chromium() as browser:
                context = await browser.new_context(
                    viewport={"width": 1240, "height": 1000}, device_scale_factor=2
                )
                if wanted("live-cell"):
                    await picture(server, context, "live-cell", live=True)
                if wanted("saved-cell"):
                    await picture(server, context, "saved-cell")
                if wanted("board"):
                    await board(server, context)
                if wanted("explorer"):
                    await explorer(server, context)
                if wanted("charts"):
                    await charts(server, context)
                if wanted("dark-cell"):
                    await picture(server, context, "dark-cell", theme="JupyterLab Dark", live=True)
        finally:
            await server.stop()


async def picture(
    server: LabServer, context: object, name: str, *, theme: str | None = None, live: bool = False
) -> None:
    """One cell: in the middle of its third attempt, or saved and opened without its kernel."""
    notebook = await Notebook.create(server, context, ["%load_ext l0", CELL, ""], name)
    if theme is not None:
        await notebook.set_theme(theme)
    await notebook.run_all(wait=not live)
    page = notebook.page
    if live:
        # The third attempt goes on: two are withdrawn, and most of the text stands again.
        await page.wait_for_function(
            "() => document.querySelectorAll('.l0-view .l0-cut').length >= 2"
            " && document.querySelector('.l0-view .l0-answer')?.textContent.length > 500"
        )
    else:
        await notebook.save()
        await notebook.load(kernel=False)
        await notebook.reveal(2)
    detail = "withdrawn after 80 tokens" if live else "What happened"
    await notebook.cell(1).get_by_text(detail).click()
    await notebook.select(2)
    await page.mouse.move(0, 0)
    await notebook.shoot(IMAGES / f"{name}.png", notebook.cell(1))
    if live:
        await notebook.ran()
    await page.close()


async def board(server: LabServer, context: object) -> None:
    """Three models in a race, in the middle of it."""
    models = "sim:story -f sim:markdown -f sim:code"
    cell = f"%%l0 {models} --race --speed 40\nTell me of the lighthouse."
    notebook = await Notebook.create(server, context, ["%load_ext l0", cell, ""], "board")
    await notebook.run_all(wait=False)
    await notebook.page.wait_for_function(
        "() => [...document.querySelectorAll('.l0-card .l0-answer')]"
        ".filter((answer) => answer.textContent.length > 180).length >= 3"
    )
    await notebook.select(2)
    await notebook.page.mouse.move(0, 0)
    await notebook.shoot(IMAGES / "board.png", notebook.cell(1))
    await notebook.ran()
    await notebook.page.close()


async def explorer(server: LabServer, context: object) -> None:
    """A run of the log, opened and replayed up to its third attempt."""
    cells = ["%load_ext l0", CELL, "import l0\nl0.explore()", "", ""]
    notebook = await Notebook.create(server, context, cells, "explorer")
    await notebook.run_all()
    view = notebook.view(2)
    await view.locator(".l0-grid .l0-row").first.click()
    slider = view.get_by_role("slider", name="Moment")
    await slider.wait_for()
    await slider.fill("720")  # the waits between attempts differ a little each time
    await notebook.reveal(2)
    await notebook.select(4)
    await notebook.page.mouse.move(0, 0)
    await notebook.shoot(IMAGES / "explorer.png", notebook.cell(2))
    await notebook.page.close()


async def charts(server: LabServer, context: object) -> None:
    """Two charts of a night of runs, as JupyterLab draws them."""
    drawn = {
        "chart-first-tokens": "l0.charts.first_tokens(night)",
        "chart-failures": "l0.charts.failures(night)",
    }
    notebook = await Notebook.create(server, context, [NIGHT, *drawn.values(), "", ""], "charts")
    await notebook.run_all()
    for at, name in enumerate(drawn, 1):
        await notebook.reveal(at)
        await notebook.select(4)
        await notebook.cell(at).locator(".js-plotly-plot .main-svg").first.wait_for()
        await notebook.page.mouse.move(0, 0)
        await notebook.shoot(IMAGES / f"{name}.png", notebook.cell(at))
    await notebook.page.close()


if __name__ == "__main__":
    asyncio.run(main(set(sys.argv[1:])))
