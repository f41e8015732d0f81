"""The tutorials: executed strictly, and twice with the same outputs."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
from pathlib import Path

import pytest

TUTORIALS = sorted((Path(__file__).parents[2] / "notebooks").glob("*.ipynb"))

pytestmark = pytest.mark.kernel


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
def test_a_tutorial_is_strictly_reproducible(path, tmp_path):
    """`pytest --nbval` compares every output with the committed one, cell by cell."""
    done = subprocess.run(
        [
            *(sys.executable, "-m", "pytest", "--nbval", str(path), "-q"),
            *("-p", "no:cacheprovider", "--rootdir", str(tmp_path), "-c", "/dev/null"),
        ],
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )
    assert done.returncode == 0, done.stdout[-3000:]


@pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)
async def test_two_kernels_give_the_same_bytes(path):
    """A second kernel repeats the outputs of the first, to the byte."""
    import nbclient
    import nbformat

    async def outputs():
        notebook = nbformat.read(path, as_version=4)
        client = nbclient.NotebookClient(notebook, timeout=120, kernel_name="python3")
        await client.async_execute()
        return json.dumps([cell.get("outputs") for cell in notebook.cells], sort_keys=True)

    first, second = await asyncio.gather(outputs(), outputs())
    assert first == second
