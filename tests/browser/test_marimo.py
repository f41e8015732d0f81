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

pytestmark = [pytest.mark.browser, pytest.mark.asyncio(loop_scope="session")]

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


@pytest_asyncio.fixture(loop_scope="session")
async def page(context, tmp_path):
    """The notebook open in marimo's editor, on a free loopback port, with a home of its own."""
    if importlib.util.find_spec("marimo") is None:
        pytest.skip("marimo is not installed: pip install --group dev")
    book = tmp_path / "book.py"
    book.write_text(BOOK)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "marimo", "--yes", "edit", "--headless", "--no-token"]
    command += ["--skip-update-check", "--host", "127.0.0.1", "--port", str(port), str(book)]
    places = ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME", "XDG_CACHE_HOME", "XDG_DATA_HOME")
    env = {**os.environ, **dict.fromkeys(places, str(tmp_path)), "L0_STORE": "none"}
    log = (tmp_path / "marimo.log").open("wb")
    process = subprocess.Popen(
        command, cwd=tmp_path, env=env, stdin=subprocess.DEVNULL, stdout=log, stderr=log
    )
    url = f"http://127.0.0.1:{port}"
    page = await context.new_page()
    try:
        await until(lambda: _answers(f"{url}/health"), "marimo answers")
        await page.goto(url)
        await page.locator(".cm-content").first.wait_for()
        yield page
    finally:
        await page.close()
        process.send_signal(signal.SIGTERM)
        try:
            process.wait(5)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        log.close()


def _answers(url):
    try:
        with urllib.request.urlopen(url, timeout=2) as answer:
            return answer.status == 200
    except OSError:
        return False


async def test_a_view_is_live_in_marimo_and_tells_what_happened(page, shots, measured):
    elsewhere = []
    ours = page.url.rsplit(":", 1)[0]
    page.on("request", lambda asked: elsewhere.append(asked.url))
    await page.keyboard.press("Control+Shift+r")  # run everything
    view = page.locator(".l0-view").first
    seen = []

    async def over():
        seen.append(await view.evaluate(LOOK))
        if len({text for _, text, _ in seen}) == 10:
            await page.screenshot(path=shots / "marimo-live.png")
        return seen[-1][0] == "complete"

    shots.mkdir(parents=True, exist_ok=True)
    await view.wait_for()
    await until(over, "the run ends")
    await page.screenshot(path=shots / "marimo.png", full_page=True)

    texts = list(dict.fromkeys(text for _, text, _ in seen if text))
    measured(f"marimo: {len(texts)} states of a text seen as it grew")
    assert len(texts) > 20, "the text grew under the reader's eyes"
    assert all(off for status, _, off in seen if status != "complete"), "nobody would hear Stop"
    assert _words(texts[-1]) == _words(STORY)
    assert "withdrawn after 41 tokens" in await view.locator(".l0-cut").inner_text()
    static = page.get_by_text("2 attempts").last
    await static.wait_for()
    assert await page.locator(".l0-view").count() == 1, "a run that is over is shown as a page"
    assert [url for url in elsewhere if not url.startswith((ours, "data:", "blob:"))] == []


# The status, the text, and whether the button is off.
LOOK = """view => [
  view.dataset.status,
  view.querySelector('.l0-answer').textContent,
  view.querySelector('.l0-head button').disabled,
]"""


def _words(text):
    return "".join(text.split())
