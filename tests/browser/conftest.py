"""Notebooks in a real JupyterLab, seen by a real Chromium, asking a provider that is ours.

One server, one browser and one provider serve the whole folder, or a worker; each test has its own
page and kernel. They run on the event loop of the session, because Playwright stays on the loop
it was started on.
"""

from __future__ import annotations

import functools
import importlib.util
import itertools
import os
import re
from pathlib import Path

import pytest
import pytest_asyncio
from browser_lab import BROWSERS, KEY, PATIENCE, LabServer, chromium, find_browser
from browser_notebook import Notebook

from l0.testing import FaultServer, Reply


def _missing() -> str | None:
    for module in ("playwright", "jupyterlab", "nbformat"):
        if importlib.util.find_spec(module) is None:
            return f"{module} is not installed: make sets it up (pip install --group dev '.[lab]')"
    if find_browser() is None:
        return f"no Chromium ({', '.join(BROWSERS)}): apt-get install chromium"
    return None


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def context(tmp_path_factory):
    """A browser with an empty profile."""
    if reason := _missing():
        pytest.skip(reason)
    async with chromium() as browser:
        context = await browser.new_context(viewport={"width": 1280, "height": 900})
        context.set_default_timeout(PATIENCE * 1000)
        yield context
        await context.close()


@pytest.fixture(scope="session")
def fault_server():
    """The provider that every kernel of the session is told to use."""
    with FaultServer.in_thread() as server:
        yield server


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def lab(tmp_path_factory, fault_server):
    """JupyterLab in a directory of its own."""
    if reason := _missing():
        pytest.skip(reason)
    keys = {"OPENAI_BASE_URL": fault_server.base_url, "OPENAI_API_KEY": KEY}
    server = LabServer(tmp_path_factory.mktemp("lab"), env=keys)
    try:
        yield await server.start()
    finally:
        await server.stop()


@pytest.fixture
def provider(fault_server):
    """The provider, with no request seen and nothing special to say."""
    fault_server.default = Reply()
    fault_server.requests.clear()
    yield fault_server
    fault_server.default = Reply()


@pytest_asyncio.fixture(loop_scope="session")
async def notebook(lab, context, provider, request):
    """Opens notebooks with these cells; in the end it looks at what the consoles said."""
    opened: list[Notebook] = []

    async def make(*cells: str) -> Notebook:
        name = re.sub(r"\W+", "-", request.node.name.removeprefix("test_"))[:60]
        made = await Notebook.create(lab, context, cells, f"{name}-{next(_numbers)}")
        opened.append(made)
        return made

    yield make
    for made in opened:
        if not made.page.is_closed():
            await made.shut_down()
    assert [line for made in opened for line in made.console] == []


_numbers = itertools.count(1)


@pytest.fixture(scope="session")
def shots(tmp_path_factory) -> Path:
    """Where screenshots go: `L0_SCREENSHOTS`, or a temporary directory."""
    named = os.environ.get("L0_SCREENSHOTS")
    return Path(named).absolute() if named else tmp_path_factory.mktemp("screenshots")


@pytest.fixture
def measured(record_property):
    """Keeps a figure for the end of the report."""
    return functools.partial(record_property, "measured")
