"""The tutorials: executed strictly, and by a second kernel with the same bytes.

Written anew, outputs and all, by `python tests/notebook/test_tutorials.py [NAME …]`.
"""

from __future__ import annotations

import asyncio
import json
import os
import re
import sys
import tempfile
from pathlib import Path

import nbclient
import nbformat
import pytest

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
TUTORIALS = sorted(NOTEBOOKS.glob("*.ipynb"))
METADATA = {
    "kernelspec": {
        "display_name": "Python 3 (ipykernel)",
        "language": "python",
        "name": "python3",
    },
    "language_info": {"name": "python"},
}

every_tutorial = pytest.mark.parametrize("path", TUTORIALS, ids=lambda path: path.stem)


@pytest.mark.kernel
@every_tutorial
async def test_a_tutorial_says_the_same_on_every_kernel(path, tmp_path):
    """Strict nbval compares each output with the committed one; another kernel repeats the bytes.

    Both run at once, without a key, each in a data directory of its own.
    """
    strict, again = tmp_path / "strict", tmp_path / "again"
    nbval, repeated = await asyncio.gather(_nbval(path, strict), _execute(path, again))
    assert nbval is None, nbval
    assert _outputs(repeated) == _outputs(_read(path))


@every_tutorial
def test_a_tutorial_is_saved_in_one_form(path):
    """Whoever executes it again changes no byte but those that say something else."""
    notebook, name = _read(path), path.stem.partition("_")[2].replace("_", "-")
    ids = [f"{name}-{number:02}" for number in range(len(notebook.cells))]
    assert [cell.id for cell in notebook.cells] == ids
    assert notebook.metadata == METADATA
    assert [cell.metadata for cell in notebook.cells] == [{} for _ in ids]
    counts = [cell.execution_count for cell in notebook.cells if cell.cell_type == "code"]
    assert counts == list(range(1, len(counts) + 1)), "it was not executed from top to bottom"


@every_tutorial
def test_a_tutorial_says_what_for_and_where_next(path):
    """The reader is told at the beginning what they will have, and at the end where to go on."""
    notebook = _read(path)
    first, last = notebook.cells[0], notebook.cells[-1]
    assert first.source.startswith("# ")
    assert "you will have" in first.source
    assert "without a key" in first.source
    assert last.cell_type == "markdown"
    assert last.source.startswith("## Where next")
    prose = [cell.source for cell in notebook.cells if cell.cell_type == "markdown"]
    for named in re.findall(r"`(\d\d_\w+)`", "\n".join(prose)):
        assert (NOTEBOOKS / f"{named}.ipynb").exists(), f"there is no {named}"


@every_tutorial
def test_a_tutorial_shows_no_failure_nor_the_machine_it_ran_on(path):
    """What is committed ran well, and holds no directory, address or user of somebody's machine."""
    outputs = [out for cell in _read(path).cells for out in cell.get("outputs", ())]
    assert not [out for out in outputs if out.output_type == "error" or out.get("name") == "stderr"]
    said = json.dumps(outputs)
    told = re.findall(
        r"(?:/tmp|/home|/root|/usr|/Users|C:\\\\)\W|127\.0\.0\.1:\d+| at 0x\w{6,}", said
    )
    assert not told


def _read(path):
    return nbformat.read(path, as_version=4)


def _outputs(notebook):
    """The outputs as bytes; how many pieces a print was heard in says nothing, so they are one."""
    cells = [_in_one_piece(cell.get("outputs", ())) for cell in notebook.cells]
    return json.dumps(cells, sort_keys=True, indent=0).encode()


def _in_one_piece(outputs):
    joined = []
    for output in outputs:
        last = joined[-1] if joined else {}
        if output.output_type == "stream" and output.name == last.get("name"):
            joined[-1] = {**last, "text": last["text"] + output.text}
        else:
            joined.append(output)
    return joined


def _environment(home):
    """Of a kernel without keys, whose runs are recorded in `home`."""
    keyless = {name: value for name, value in os.environ.items() if not name.endswith("_API_KEY")}
    home.mkdir(parents=True)
    return {**keyless, "L0_STORE": str(home / "runs.db")}


async def _nbval(path, home):
    """What strict nbval finds, or None."""
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "pytest", "--nbval", str(path), "-q"),
        *("-p", "no:cacheprovider", "--rootdir", str(home), "-c", os.devnull),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
        env=_environment(home),
    )
    async with asyncio.timeout(600):
        said, _ = await process.communicate()
    return None if process.returncode == 0 else said.decode(errors="replace")[-5000:]


async def _execute(path, home):
    """The tutorial with the outputs of a new kernel."""
    notebook = _read(path)
    client = nbclient.NotebookClient(
        notebook,
        timeout=300,
        kernel_name="python3",
        coalesce_streams=True,
        record_timing=False,
    )
    await client.async_execute(env=_environment(home))
    return notebook


def _write_anew(names):
    """Executes tutorials and saves them in the form the tests ask for."""
    for path in TUTORIALS:
        if names and path.stem not in names:
            continue
        with tempfile.TemporaryDirectory() as home:
            notebook = asyncio.run(_execute(path, Path(home) / "kernel"))
        notebook.metadata = nbformat.from_dict(METADATA)
        nbformat.write(notebook, path)


if __name__ == "__main__":
    _write_anew(set(sys.argv[1:]))
