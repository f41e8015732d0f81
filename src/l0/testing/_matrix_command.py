"""`l0 chaos`: the fault matrix is played, and the table says whether a character was lost."""

# ruff: noqa: T201  a command prints

from __future__ import annotations

import sys
import time
from collections.abc import Sequence

from l0.stream._fast import Transport
from l0.testing._matrix import TRANSPORTS, matrix_cells
from l0.testing._matrix_play import Row, run_matrix
from l0.testing._matrix_table import as_json, header, line, machine, summary


async def chaos(
    *,
    reduced: bool = False,
    only: str = "",
    transports: Sequence[Transport] = TRANSPORTS,
    cells: bool = False,
    json: bool = False,
) -> int:
    """Play the matrix and print it; gives the exit status, 1 if a cell is not as it should be.

    `transports` says who decodes the answers; `only` chooses the cells whose name holds it, as in
    `drop@`, `anthropic` or `validated`; `cells` prints a line for each; `json` prints all of them
    as JSON instead.

    Raises:
        ValueError: no cell is chosen.
    """
    chosen = [
        cell for cell in matrix_cells(reduced=reduced, transports=transports) if only in str(cell)
    ]
    if not chosen:
        raise ValueError(f"no cell's name holds {only!r}; try drop@, anthropic or validated")
    shown = sys.stderr if json else sys.stdout
    if cells:
        print(header(), file=shown)

    def told(row: Row) -> None:
        if cells or not row.ok:
            print(line(row), file=shown, flush=True)

    began = time.monotonic()
    rows = await run_matrix(chosen, on_row=told)
    seconds = time.monotonic() - began
    if json:
        print(as_json(rows, seconds))
    else:
        print(summary(rows))
        print(f"\n{len(rows)} cells in {seconds:.0f} s on {machine()}")
    return 0 if all(row.ok for row in rows) else 1
