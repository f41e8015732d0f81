"""A notebook that was executed and saved has no secret of the corpus in it."""

from __future__ import annotations

import asyncio
import json
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient
from secret_places import SAMPLES, leaks

pytestmark = pytest.mark.kernel

HERE = Path(__file__).parent
SETUP = f"""
import sys
sys.path.insert(0, {str(HERE)!r})
import l0
from l0.testing import ScriptedModel, fail, tool
from secret_places import SAMPLES, batches, failure, meta_of
made = batches(120)

async def failed(number):
    text = "\\n".join(each.text for each in made[number])
    model = ScriptedModel(
        [fail(failure(text))],
        ["An answer. ", tool("1", "look", {{"note": text}}), fail(TypeError(text))],
    )
    stream = l0.run(model, retry=l0.Retry(base_delay=0), meta=meta_of(made[number]))
    try:
        await stream.read()
    except TypeError:
        return stream
"""
RUN = "stream = await failed({0})\nl0.view(stream)"
REPORTS = (
    "stream.summary()",
    "stream",
    "stream.state",
    "wrapped = l0.Error(str(stream.error)); wrapped.to_json()",
    "print(wrapped.to_detailed_string())",
    "import logging; logging.getLogger('l0').warning('failed: %s', stream.error)",
    "%l0 runs",
    "%l0 show last",
    "%l0 log",
)


def test_a_saved_notebook_holds_no_secret(tmp_path, monkeypatch):
    monkeypatch.setenv("L0_STORE", str(tmp_path / "runs.db"))
    monkeypatch.setenv("IPYTHONDIR", str(tmp_path / "ipython"))
    v4 = nbformat.v4
    cells = ["%load_ext l0", SETUP]
    for number in range(3):
        cells += [RUN.format(number), *REPORTS]
    book = v4.new_notebook(cells=[v4.new_code_cell(each) for each in cells])
    asyncio.run(NotebookClient(book, timeout=120, allow_errors=True).async_execute())
    path = tmp_path / "saved.ipynb"
    nbformat.write(book, path)
    saved = path.read_text()
    assert "An answer." in saved
    assert saved.count("[redacted]") > len(SAMPLES)
    shown = json.dumps([cell["outputs"] for cell in book.cells], ensure_ascii=False)
    assert leaks(shown) == []
    assert leaks(saved) == []
    for stored in tmp_path.glob("runs.db*"):
        assert leaks(stored.read_bytes()) == []
