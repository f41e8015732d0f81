"""The fault matrix in its reduced form: every fault, through the real clients; and that it sees."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
from dataclasses import replace

import pytest

from l0.cli import main
from l0.testing import _matrix_play
from l0.testing._matrix import POLICIES, TRANSPORTS, matrix_cells, missing_faults
from l0.testing._matrix_clients import PATHS
from l0.testing._matrix_play import compare, play_cell, run_matrix
from l0.testing._matrix_table import line, summary

pytestmark = pytest.mark.sdk

REDUCED = matrix_cells(reduced=True)


@pytest.mark.parametrize(("transport", "count"), [("sdk", 150), ("fast", 100)])
@pytest.mark.parametrize("path", PATHS)
async def test_whatever_breaks_no_character_is_lost_or_doubled_and_no_socket_left(
    path, transport, count
):
    """The complete text, or the provider's own error where no other attempt could help."""
    here = (path, transport)
    rows = await run_matrix(cell for cell in REDUCED if (cell.path, cell.transport) == here)
    assert len(rows) > count
    wrong = [line(row) for row in rows if not row.ok]
    assert not wrong, "\n".join(wrong)
    assert [row.lost + row.doubled + row.open for row in rows] == [0] * len(rows)
    for row in rows:
        assert row.recovered == (row.cell.expected != "refused"), line(row)
        if row.cell.expected == "saved" and "no_resume" not in row.cell.fault:
            # What the provider keeps is taken up again, and needs no third request.
            kept = path == "background" and len(row.cell.replies) > 1
            assert row.requests == 1 + len(row.cell.replies) or kept, line(row)
        if row.cell.policy.startswith("continuation") and lost_connection(row.cell):
            assert row.resumed, line(row)
    # Generators inside an SDK that nobody can reach end with the collection of garbage.
    gc.collect()
    for _ in range(20):
        await asyncio.sleep(0)
    assert asyncio.all_tasks() == {asyncio.current_task()}


def lost_connection(cell):
    """Faults that spare the text that is there, where enough of it is for the server to see."""
    kinds = {fault.kind for fault in cell.kinds}
    broken = kinds & {"drop", "cut", "reset", "eof", "stall"}
    once = cell.expected == "saved" and len(cell.replies) == 1
    return once and cell.position != "start" and bool(broken)


def test_every_fault_the_server_knows_is_in_the_matrix():
    """A new fault has to be given a place, and its outcome."""
    assert missing_faults(REDUCED) == missing_faults(matrix_cells()) == set()
    assert missing_faults(REDUCED[:5]) > {"drop", "stall"}


def test_the_whole_matrix_has_every_path_under_every_policy():
    """Each fault on each path by each transport, but for those only a kept response can have."""
    cells = matrix_cells()
    assert len(cells) == len(set(cells)) > 2000
    for fault in {cell.fault for cell in cells}:
        played = {(c.path, c.policy, c.transport) for c in cells if c.fault == fault}
        paths = {path for path, *_ in played}
        assert played == {*itertools.product(paths, POLICIES, TRANSPORTS)}
        kept_only = "resume" in fault or "repeat" in fault
        assert paths == {"background"} if kept_only else paths >= {*PATHS} - {"background"}


def test_characters_lost_and_doubled_are_counted():
    """Each for itself: one that is missing does not make up for one that came twice."""
    assert compare("a text", "a text") == (0, 0)
    assert compare("a text", "a te") == (2, 0)
    assert compare("a text", "a tea text") == (0, 4)
    assert compare("漢字 and 👩‍🚀", "漢 and 👩‍🚀🚀") == (1, 1)


async def test_the_matrix_sees_what_is_wrong(monkeypatch):
    """A consumer that ignores restarts doubles text; one that drops a token loses it."""
    cell = next(c for c in REDUCED if c.fault.startswith("cut@") and c.policy == "restart")
    assert (await play_cell(cell)).ok
    assert "untouched was expected" not in (await play_cell(cell)).faults
    refused = replace(cell, expected="refused")
    assert "refused was expected" in (await play_cell(refused)).faults
    assert "2 requests" in (await play_cell(replace(cell, expected="untouched"))).faults

    class Deaf(_matrix_play._Seen):
        async def consume(self, stream):
            async for event in stream:
                self.shown += event.text or "" if event.is_token else ""
                self.completes += event.is_complete

    monkeypatch.setattr(_matrix_play, "_Seen", Deaf)
    row = await play_cell(cell)
    assert row.doubled > 20
    assert not row.ok
    assert "WRONG" in line(row)
    assert summary([row]).endswith("1")

    class Sleepy(_matrix_play._Seen):
        async def consume(self, stream):
            await super().consume(stream)
            self.shown = self.shown[:-3]

    monkeypatch.undo()
    monkeypatch.setattr(_matrix_play, "_Seen", Sleepy)
    assert (await play_cell(cell)).lost == 3


async def test_an_open_socket_is_counted(monkeypatch):
    """A client nobody closes is seen by the server."""
    monkeypatch.setattr(_matrix_play, "_GRACE", 0.05)
    cell = next(c for c in REDUCED if c.fault == "split" and c.policy == "restart")
    held = []
    path = PATHS[cell.path]

    def connect(server):
        client = path.connect(server)
        held.append(client.close)
        client.close = _nothing
        return client

    monkeypatch.setitem(PATHS, cell.path, replace(path, connect=connect))
    row = await play_cell(cell)
    await held[0]()
    assert (row.open, row.ok) == (1, False)


async def _nothing():
    pass


def test_the_command_prints_a_line_a_fault_or_json(capsys):
    """Status 0 where all is as it should be; 1 and a hint where nothing is chosen."""
    assert main(["chaos", "404 · openai ·", "--reduced"]) == 0
    out = capsys.readouterr().out
    assert "recovered" in out
    assert "4 cells in" in out
    assert main(["chaos", "404 · openai", "--reduced", "--transport", "fast", "--cells"]) == 0
    out = capsys.readouterr().out
    assert "openai fast" in out
    assert "2 cells in" in out
    assert main(["chaos", "404 · openai · restart", "--reduced", "--json"]) == 0
    report = json.loads(capsys.readouterr().out)
    assert (report["wrong"], len(report["rows"])) == (0, 1)
    assert report["rows"][0]["error"].startswith("NotFoundError")
    assert main(["chaos", "404 · openai · restart", "--reduced", "--cells"]) == 0
    assert "NotFoundError" in capsys.readouterr().out
    assert main(["chaos", "no such cell"]) == 1
    assert "no cell's name holds" in capsys.readouterr().err
