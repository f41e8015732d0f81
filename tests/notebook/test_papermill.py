"""Notebooks executed without a person: one static output a run, the same bytes each time."""

import asyncio
import json
import re

import nbformat
import pytest

pytestmark = [pytest.mark.kernel, pytest.mark.xdist_group("papermill")]

CELLS = (
    "%load_ext l0",
    "%%l0 sim:story --chaos drop@40,stall@80 --timeout 30,1 --no-resume -o story\nTell me",
    'speed = "slow"',
    "%%l0 sim:markdown --bg -o later\nTell me",
    "await later",
    "import l0\nl0.view(story)",
    "print(story.text, story.outcome, len(story.attempts()), speed, sep='\\n')",
)


def written(path):
    """A notebook on the disk."""
    v4 = nbformat.v4
    cells = [v4.new_code_cell(source, id=f"cell-{n}") for n, source in enumerate(CELLS)]
    cells[2].metadata["tags"] = ["parameters"]
    made = v4.new_notebook(
        cells=cells,
        metadata={
            "kernelspec": {"name": "python3", "display_name": "Python 3"},
            "language_info": {"name": "python"},
        },
    )
    nbformat.write(made, path)
    return path


def by_nbclient(path):
    from nbclient import NotebookClient

    made = nbformat.read(path, as_version=4)
    asyncio.run(NotebookClient(made, timeout=300).async_execute())
    return made


def by_papermill(path):
    papermill = pytest.importorskip("papermill", reason="papermill is not installed")
    return papermill.execute_notebook(
        str(path),
        str(path.with_name("out.ipynb")),
        parameters={"speed": "fast"},
        progress_bar=False,
    )


@pytest.fixture(scope="module", params=[by_nbclient, by_papermill])
def twice(request, tmp_path_factory):
    """A program, and what its kernels made of the notebook, which they executed twice.

    They record nowhere and find no person's profile.
    """
    home = tmp_path_factory.mktemp("book")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("L0_STORE", "none")
        patch.setenv("IPYTHONDIR", str(home / "ipython"))
        patch.setenv("JUPYTER_RUNTIME_DIR", str(home / "runtime"))
        book = written(home / "book.ipynb")
        yield request.param, [request.param(book) for _ in range(2)]


def outputs(made):
    return {cell.source: cell.outputs for cell in made.cells if cell.cell_type == "code"}


def is_static(output):
    """HTML that needs neither a kernel nor a script, and text."""
    assert set(output["data"]) == {"text/html", "text/plain"}
    return not re.search(r"<(script|style|img|iframe)|\b(on\w+|src)=", output["data"]["text/html"])


def test_each_run_is_one_static_output(twice):
    """With what went wrong in it, and without a widget."""
    execute, (made, _) = twice
    found = outputs(made)
    (told,) = found[CELLS[1]]
    assert is_static(told)
    assert "3 attempts" in told["data"]["text/plain"]
    assert "gap timeout" in told["data"]["text/html"]
    assert found[CELLS[3]] == [], "a cell that is over takes no more output"
    (later,) = found[CELLS[4]]
    assert is_static(later)
    (again,) = found[CELLS[5]]
    assert again["data"]["text/html"].startswith("<div")
    printed = "".join(output["text"] for output in found[CELLS[6]])
    speed = "fast" if execute is by_papermill else "slow"
    assert printed.endswith(f"completed\n3\n{speed}\n")
    assert "widgets" not in made.metadata, "nothing is left that would have to be drawn"


def test_two_executions_give_the_same_bytes(twice):
    """Strict nbval, and a diff of a committed notebook, rest on it."""
    first, second = map(outputs, twice[1])
    assert json.dumps(first, sort_keys=True) == json.dumps(second, sort_keys=True)
