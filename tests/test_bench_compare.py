"""The step that holds two benchmark results against each other, and how a bar is judged."""

from __future__ import annotations

import importlib
import json
import sys
from pathlib import Path

import pytest

BENCH = Path(__file__).resolve().parent.parent / "bench"


@pytest.fixture(scope="module")
def figures():
    return _module("figures")


@pytest.fixture(scope="module")
def compare():
    return _module("compare")


def _module(name):
    """A module of the folder, which is no package; its neighbours are found beside it."""
    sys.path.insert(0, str(BENCH))
    try:
        return importlib.import_module(name)
    finally:
        sys.path.remove(str(BENCH))


@pytest.fixture
def written(figures, tmp_path):
    """Writes a results file of figures given as `scenario=quartiles`."""

    def write(name, *, higher=False, compared=True, bar=None, **scenarios):
        path = tmp_path / name
        made = [
            figures.Figure("suite", scenario, "ratio", spread, bar, higher, compared)
            for scenario, spread in scenarios.items()
        ]
        figures.write(path, {"python": "CPython 3"}, made)
        return path

    return write


@pytest.mark.parametrize(
    ("before", "after", "code"),
    [
        ((4.9, 5.0, 5.1), (4.9, 5.0, 5.1), 0),
        ((4.9, 5.0, 5.1), (5.6, 5.7, 5.8), 1),
        ((4.9, 5.0, 5.1), (5.3, 5.4, 5.5), 0),
        ((4.0, 5.0, 6.0), (5.5, 6.5, 7.5), 0),
        ((4.9, 5.0, 5.1), (3.0, 3.1, 3.2), 0),
        ((0.0, 0.0, 0.0), (1.0, 1.0, 1.0), 1),
        ((0.0, 0.0, 0.0), (0.0, 0.0, 0.0), 0),
    ],
    ids=["same", "14 % slower", "8 % slower", "30 %, but noisy", "faster", "from none", "none"],
)
def test_only_what_is_ten_percent_worse_beyond_the_noise_is_a_regression(
    compare, written, capsys, before, after, code
):
    """A median 10 % worse whose quartiles don't touch the old ones ends the command with 1."""
    old, new = written("old.json", core=before), written("new.json", core=after)
    assert compare.main([str(old), str(new)]) == code
    assert ("WORSE" in capsys.readouterr().out) == bool(code)


def test_where_more_is_better_less_is_the_regression(compare, written):
    old = written("old.json", higher=True, speed=(9.9, 10.0, 10.1))
    slower = written("slower.json", higher=True, speed=(7.9, 8.0, 8.1))
    assert compare.main([str(old), str(slower)]) == 1
    assert compare.main([str(slower), str(old)]) == 0


def test_absolute_times_and_scenarios_of_one_file_are_not_compared(compare, written, capsys):
    old = written("old.json", compared=False, gone=(1, 1, 1), raw=(1.0, 1.0, 1.0))
    new = written("new.json", compared=False, raw=(9.0, 9.0, 9.0), came=(9, 9, 9))
    assert compare.main([str(old), str(new)]) == 0
    assert "no figure in common" in capsys.readouterr().out


@pytest.mark.parametrize("text", ["", "[]", '{"version": 1}', '{"machine": "x", "rows": []}'])
def test_a_file_of_another_form_is_named_and_nothing_is_compared(
    compare, written, tmp_path, capsys, text
):
    other = tmp_path / "other.json"
    other.write_text(text)
    assert compare.main([str(other), str(written("new.json"))]) == 2
    assert "other.json is no results file" in capsys.readouterr().err
    assert compare.main([str(tmp_path / "none.json"), str(other)]) == 2


@pytest.mark.parametrize(
    ("spread", "bar", "higher", "missed"),
    [
        ((1, 2, 3), 2.5, False, False),
        ((1, 3, 4), 2.0, False, False),
        ((2.1, 3, 4), 2.0, False, True),
        ((1, 2, 3), None, False, False),
        ((1, 2, 3), 2.5, True, False),
        ((1, 2, 2.4), 2.5, True, True),
    ],
)
def test_a_bar_is_missed_only_when_the_better_quartile_is_beyond_it_too(
    figures, spread, bar, higher, missed
):
    figure = figures.Figure("s", "scenario", "ratio", spread, bar, higher)
    assert figure.missed is missed


def test_a_file_gives_back_the_figures_that_were_written(figures, tmp_path):
    made = [
        figures.Figure("a", "one", "ms", figures.quartiles([3.0, 1.0, 2.0]), 5.0),
        figures.Figure("b", "two", "times as fast", figures.quartiles([7]), 6, higher=True),
    ]
    path = tmp_path / "deep" / "results.json"
    figures.write(path, figures.machine(), made)
    found, again = figures.read(path)
    assert again == made
    assert again[0].quartiles == (1.5, 2.0, 2.5)
    assert found["python"].startswith(sys.implementation.name.replace("cpy", "CPy"))
    assert json.loads(path.read_text())["figures"][0]["missed"] is False
    assert "python" not in figures.machine_line(found).lower().partition(",")[2]


def test_the_tables_of_a_page_stand_between_their_marks(figures):
    """What is around the marks stays; growth is a table of its own, corpora across."""
    run = _module("run")
    text = (
        "before\n<!-- measured: figures -->\nold\n<!-- end: figures -->\nbetween\n"
        "<!-- measured: growth -->\nold\n<!-- end: growth -->\nafter\n"
    )
    made = [
        figures.Figure("core", "core", "ratio", (5, 6, 7), 4),
        figures.Figure("growth", "rule json, prose", "at 200,000", (2, 2, 2), 1.15),
        figures.Figure("growth", "rule json, prose", "at 1,000,000", (1, 1, 1), 1.15),
        figures.Figure("growth", "rule json, loops", "at 1,000,000", (1, 1.04, 2), 1.15),
    ]
    page = run.page(text, figures.machine() | {"load_after": 1.0}, made)
    assert "old" not in page
    assert page.startswith("before\n")
    assert page.endswith("after\n")
    assert "| core | core | ratio | 5 | 6 | 7 | **≤ 4 missed** |" in page
    assert "| rule json | 1.00 | 1.04 |" in page


def test_every_adapter_file_keeps_the_protocol():
    """Each says its name, and why it can't be measured here or nothing."""
    libraries = _module("libraries")
    found = {path.stem: libraries.load(path) for path in libraries.FOLDER.glob("*.py")}
    assert libraries.BASELINE in {module.name for module in found.values()}
    for module in found.values():
        why = module.available()
        assert why is None or why.startswith("pip install ")


def test_an_adapter_file_that_lacks_something_is_refused(tmp_path):
    libraries = _module("libraries")
    path = tmp_path / "half.py"
    path.write_text('name = "half"\n')
    with pytest.raises(ValueError, match="lacks available, opener"):
        libraries.load(path)
