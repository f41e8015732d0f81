"""`l0.view` in marimo, which has cells of another kind, no magics, and widgets of its own."""

from __future__ import annotations

import importlib.util
import os
import signal
import socket
import subprocess
import sys
import urllib.request

import pytest
import pytest_asyncio
from browser_lab import until

from l0.testing import sim_answer

pytestmark = [
    pytest.mark.browser,
    pytest.mark.asyncio(loop_scope="session"),
    pytest.mark.xdist_group("marimo"),  # one server for all
]

STORY = sim_answer("sim:story", "Tell me").text

BOOK = '''\
import marimo

app = marimo.App()


@app.cell
def _():
    import asyncio

    import l0
    from l0.testing import sim_answer

    text = sim_answer("sim:story", "Tell me").text
    tries = []

    async def source():
        """Cut off once, after 40 pieces."""
        tries.append(1)
        for number, at in enumerate(range(0, len(text), 8)):
            await asyncio.sleep(0.03)
            yield text[at : at + 8]
            if len(tries) == 1 and number == 40:
                raise ConnectionResetError("cut off")

    stream = l0.run(lambda: source(), meta={"model": "story"}, retry=l0.Retry(base_delay=0.1))
    return l0, stream


@app.cell
def _(l0, stream):
    l0.view(stream)
    return


@app.cell
async def _(stream):
    said = await stream.read()
    return (said,)


@app.cell
def _(l0, said, stream):
    over = l0.view(stream)
    over if said else None
    return


if __name__ == "__main__":
    app.run()
'''


MAP = """\
import marimo

app = marimo.App()


@app.cell
def _():
    import asyncio

    import l0

    async def model(prompt):
        await asyncio.sleep(0.1)
        if "7" in prompt:
            raise PermissionError("the model refuses sevens")
        yield f"Row {prompt} is fine."

    rows = l0.map(
        [str(n) for n in range(ROWS)], "{text}", model,
        store=False, concurrency=4, retry=l0.Retry.none())
    return asyncio, l0, rows


@app.cell
def _(l0, rows):
    l0.view(rows)
    return


AWAITED


if __name__ == "__main__":
    app.run()
"""
BY_A_CELL = """\
@app.cell
async def _(rows):
    result = await rows
    return (result,)


@app.cell
def _(l0, result, rows):
    l0.view(rows) if result else None
    return"""
BY_A_TASK = """\
@app.cell
async def _(asyncio, rows):
    async def read():
        return await rows

    task = asyncio.ensure_future(read())
    return (task,)"""
EXPLORER = """\
import marimo

app = marimo.App()


@app.cell
async def _():
    import l0
    from l0.events import InMemoryEventStore
    from l0.testing import ScriptedModel, VirtualClock, fail

    store, clock = InMemoryEventStore(), VirtualClock()
    for number in range(30):
        model = ScriptedModel(
            ["The ", "lamp ", fail(ConnectionResetError("reset"))],
            ["The lamp ", "burned ", f"{number} nights."],
        )
        meta = {"model": "gpt-x", "prompt": f"Question {number}"}
        await l0.run(
            model, clock=clock, event_store=store, continuation=False, meta=meta
        ).read()
        await clock.sleep(7)
    l0.explore(store)
    return


if __name__ == "__main__":
    app.run()
"""
BOOKS = {
    "story.py": BOOK,
    "map.py": MAP.replace("AWAITED", BY_A_CELL).replace("ROWS", "120"),
    "task.py": MAP.replace("AWAITED", BY_A_TASK).replace("ROWS", "100_000"),
    "explorer.py": EXPLORER,
}


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def marimo(tmp_path_factory):
    """Marimo's editor on a free loopback port, with a home of its own; says its address."""
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("marimo is not installed: pip install --group dev")
    home = tmp_path_factory.mktemp("marimo")
    for name, text in BOOKS.items():
        (home / name).write_text(text)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "--yes", "edit", "--headless", "--no-token"]
    command += ["--skip-update-check", "--host", "127.0.0.1", "--port", str(port), str(home)]
    places = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    env = {**os.environ, **dict.fromkeys(places, str(home)), "L0_STORE": "none"}
    with (home / "marimo.log").open("wb") as log:
        process = subprocess.Popen(
            command, cwd=home, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
        )
    url = f"http://127.0.0.1:{port}"
    try:
        await until(lambda: _answers(f"{url}/health"), "marimo answers")
        yield url
    finally:
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()


@pytest_asyncio.fixture(loop_scope="session")
async def opened(marimo, context):
    """Opens a notebook and runs it; in the end it looks at what was asked of whom."""
    pages, elsewhere = [], []

    async def open_(name):
        page = await context.new_page()
        pages.append(page)
        page.on("request", lambda asked: elsewhere.append(asked.url))
        await page.goto(f"{marimo}/?file={name}")
        await page.locator(".cm-content").first.wait_for()
        await page.keyboard.press("Control+Shift+r")  # run everything
        return page

    yield open_
    for page in pages:
        await page.close()
    assert [url for url in elsewhere if not url.startswith((marimo, "data:", "blob:"))] == []


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


async def test_a_view_is_live_in_marimo_and_tells_what_happened(opened, shots, measured):
    page = await opened("story.py")
    view = page.locator(".l0-view").first
    await view.wait_for()
    await view.evaluate(WATCH)
    shots.mkdir(parents=True, exist_ok=True)
    await page.wait_for_function("watched.length >= 10")
    await page.screenshot(path=shots / "marimo-live.png")
    await page.wait_for_function("watched.at(-1)?.[0] === 'complete'")
    await page.screenshot(path=shots / "marimo.png", full_page=True)

    seen = await page.evaluate("watched")
    texts = list(dict.fromkeys(text for _, text, _ in seen if text))
    measured(f"marimo: {len(texts)} states of a text seen as it grew")
    assert len(texts) > 20, "the text grew under the reader's eyes"
    assert all(off for status, _, off in seen if status != "complete"), "nobody would hear Stop"
    assert _words(texts[-1]) == _words(STORY)
    assert "withdrawn after 41 tokens" in await view.locator(".l0-cut").inner_text()
    static = page.get_by_text("2 attempts").last
    await static.wait_for()
    assert await page.locator(".l0-view").count() == 1, "a run that is over is shown as a page"


# Keeps in each frame the status, the text, and whether Stop is off, where they changed.
WATCH = """view => {
  const seen = window.watched = [];
  const step = () => {
    const now = [
      view.dataset.status,
      view.querySelector('.l0-answer').textContent,
      view.querySelector('.l0-head button:not(.l0-again)').disabled,
    ];
    if (`${now}` !== `${seen.at(-1)}`) seen.push(now);
    requestAnimationFrame(step);
  };
  step();
}"""


def _words(text):
    return "".join(text.split())


async def test_a_map_tells_how_far_it_is_in_marimo(opened, shots, measured):
    """While another cell awaits it, when nobody hears the page."""
    page = await opened("map.py")
    board = page.locator(".l0-board").first
    bar = board.get_by_role("progressbar")
    await bar.wait_for()
    await bar.evaluate(PROGRESS)
    shots.mkdir(parents=True, exist_ok=True)
    await page.wait_for_function("watched.at(-1) >= 20")
    assert await board.get_by_role("button", name="Stop").count() == 0, "nobody would hear it"
    await page.screenshot(path=shots / "marimo-map-live.png")
    await board.get_by_text("120 of 120 rows done").wait_for()
    seen = await page.evaluate("watched")
    measured(f"marimo: {len(seen)} states of a map seen as it went on")
    assert len(seen) > 10, "it grew under the reader's eyes"
    assert seen == sorted(seen)
    assert "the model refuses sevens" in await board.inner_text()
    await page.get_by_text("120 of 120 rows done").nth(1).wait_for()
    assert await page.locator(".l0-board").count() == 1, "a map that is over is shown as a page"
    await page.screenshot(path=shots / "marimo-map.png")


PROGRESS = """bar => {
  const seen = window.watched = [];
  const step = () => {
    const now = +bar.getAttribute('aria-valuenow');
    if (now !== seen.at(-1)) seen.push(now);
    requestAnimationFrame(step);
  };
  step();
}"""


async def test_a_map_in_marimo_is_stopped_by_its_button(opened):
    """Where no cell awaits it, the page is heard, and the button is on."""
    page = await opened("task.py")
    board = page.locator(".l0-board").first
    await board.get_by_role("button", name="Stop").click()
    await board.get_by_text("Stop was pressed").wait_for()
    assert "skipped" in await board.inner_text()


async def test_the_explorer_answers_in_marimo(opened, shots):
    """Found, opened, replayed, and two attempts compared, all by the kernel's answers."""
    page = await opened("explorer.py")
    view = page.locator(".l0-explorer")
    await view.get_by_text("30 runs").wait_for()
    await view.get_by_role("searchbox").fill("question 1")
    await view.get_by_text("12 of 30 runs").wait_for()
    await view.locator(".l0-grid .l0-row").first.click()
    await view.locator(".l0-player").wait_for()
    answer = view.locator(".l0-answer")
    await answer.filter(has_text="The lamp burned 21 nights.").wait_for()
    await view.get_by_role("slider", name="Moment").fill("0")
    await answer.filter(has_not_text="21 nights").wait_for()  # at the beginning it wasn't there
    await view.get_by_role("button", name="Play").click()
    await answer.filter(has_text="The lamp burned 21 nights.").wait_for()
    await view.get_by_role("tab", name="Attempts").click()
    await view.locator(".l0-side-text ins").first.wait_for()
    shots.mkdir(parents=True, exist_ok=True)
    await page.screenshot(path=shots / "marimo-explorer.png")
    await view.get_by_role("button", name="Close").click()
    await view.locator(".l0-player").wait_for(state="detached")
