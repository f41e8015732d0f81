"""One cell of the fault matrix, played through the provider's own client and measured."""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Callable, Iterable
from contextlib import asynccontextmanager
from dataclasses import asdict, dataclass, field, replace
from difflib import SequenceMatcher
from typing import Any, Final

from l0.events import EventType, ObservabilityEvent
from l0.stream import Retry, Timeout, wrap
from l0.testing._check_run import check_run
from l0.testing._matrix import CALL, TEXT, Cell
from l0.testing._matrix_clients import OTHER, PATHS
from l0.testing._reply import Continuation, Reply, ScriptedCall
from l0.testing._server import FaultServer

PATIENCE: Final = 1.5
"""Seconds without a token that count as a stall, in the cells that wait for one to end."""
_EVERY_PATIENCE: Final = 10.0
"""Seconds in the other cells, where nothing but a busy machine lets a token wait."""
_WAITING: Final = frozenset({"stall", "stall_alive", "slow_first", "slow_headers"})
_HUNG: Final = 30.0
_GRACE: Final = 1.0
"""Seconds the server is given to see that its client has gone."""
_POLICY: Final = Retry(attempts=3, max_retries=4, base_delay=0.01)
_STYLES: Final[dict[str, Continuation]] = {
    "continuation +3": "overlap",
    "continuation ++": "restate",
}
_CALLS: Final = ScriptedCall(*CALL).raw


@dataclass(frozen=True, slots=True)
class Row:
    """What came of a cell.

    Characters are those of the text and of tool arguments, as a consumer has them who obeys the
    events; where the run failed, they are compared with what the run itself says it has.
    """

    cell: Cell
    recovered: bool
    """The run completed."""
    requests: int
    lost: int
    doubled: int
    seconds: float
    resumed: bool
    """The text that arrived was kept, and the rest of it asked for."""
    open: int
    """Sockets the run or its clients left open, requests still being answered included."""
    error: str = ""
    """What was raised, where the run failed."""
    faults: tuple[str, ...] = ()
    """What is wrong with the cell; empty where all is as it should be."""

    @property
    def ok(self) -> bool:
        """Nothing lost, doubled or left open, and the outcome is the expected one."""
        return not self.faults

    def to_dict(self) -> dict[str, Any]:
        """As plain data, for JSON."""
        row = asdict(self)
        return {**row.pop("cell"), **row, "ok": self.ok}


async def run_matrix(
    cells: Iterable[Cell], *, at_once: int = 8, on_row: Callable[[Row], None] | None = None
) -> list[Row]:
    """Play the cells, `at_once` of them together, each with a server and clients of its own.

    `on_row` is told of each as it ends; the rows come back in the order of the cells. Needs the
    `openai` and `anthropic` packages.

    Example:
        >>> import asyncio
        >>> from l0.testing._matrix import matrix_cells
        >>> row = asyncio.run(run_matrix(matrix_cells(reduced=True)[:1]))[0]
        >>> row.ok, row.requests, row.lost, row.doubled, row.open
        (True, 2, 0, 0, 0)
    """
    turn = asyncio.Semaphore(at_once)

    async def one(cell: Cell) -> Row:
        async with turn:
            row = await play_cell(cell)
        if on_row is not None:
            on_row(row)
        return row

    async with asyncio.TaskGroup() as group:
        tasks = [group.create_task(one(cell)) for cell in cells]
    return [task.result() for task in tasks]


async def play_cell(cell: Cell) -> Row:
    """Play one cell."""
    call = [CALL] if "tool_" in cell.fault else []
    style = _STYLES.get(cell.policy, "exact")
    well = Reply(TEXT, tool_calls=call, continuation=style)
    bad = [replace(well, faults=fault) for fault in cell.replies]
    seen = _Seen()
    async with FaultServer(*bad) as server:
        server.default = well
        async with _clients(server, cell) as (client, options):
            reliable = wrap(client, transport=cell.transport, on_event=seen.told.append, **options)
            stream = PATHS[cell.path].ask(reliable)
            began = time.monotonic()
            try:
                async with asyncio.timeout(_HUNG):
                    await seen.consume(stream)
            except Exception as error:  # the outcome that is measured here
                seen.error = error
            seconds = time.monotonic() - began
            unanswered = await _unanswered(server)
        left = await _left(server)
        requests = len(server.requests)
    whole = TEXT + _CALLS * len(call) if seen.error is None else stream.state.content
    lost, doubled = compare(whole, seen.shown + "".join(seen.calls))
    return Row(
        cell,
        recovered=seen.error is None,
        requests=requests,
        lost=lost,
        doubled=doubled,
        seconds=seconds,
        resumed=stream.state.resumed and not stream.state.lost_tokens,
        open=max(unanswered, left),
        error="" if seen.error is None else f"{type(seen.error).__name__}: {seen.error}",
        faults=tuple(_wrong(cell, seen, requests, (lost, doubled, max(unanswered, left)))),
    )


def compare(whole: str, shown: str) -> tuple[int, int]:
    """How many characters of `whole` are not in `shown`, and how many are there besides.

    >>> compare("Hello there", "Hello the"), compare("Hello", "HelHello")
    ((2, 0), (0, 3))
    """
    if whole == shown:
        return 0, 0
    matched = SequenceMatcher(None, whole, shown, autojunk=False).get_matching_blocks()
    same = sum(block.size for block in matched)
    return len(whole) - same, len(shown) - same


@dataclass
class _Seen:
    """What the consumer and the listeners of a run have."""

    told: list[ObservabilityEvent] = field(default_factory=list)
    shown: str = ""
    calls: list[str] = field(default_factory=list)
    completes: int = 0
    restarts: int = 0
    error: Exception | None = None

    async def consume(self, stream: Any) -> None:
        async for event in stream:
            if event.type is EventType.TOKEN:
                if event.start != len(self.shown):
                    raise AssertionError(f"a token at {event.start}, {len(self.shown)} are shown")
                self.shown += event.text
            elif event.type is EventType.RESTART:
                self.shown = self.shown[: event.kept_chars]
                self.calls.clear()
                self.restarts += 1
            elif event.type is EventType.TOOL_CALL:
                self.calls.append(event.tool_call.raw)
            elif event.is_complete:
                self.completes += 1


@asynccontextmanager
async def _clients(server: FaultServer, cell: Cell) -> AsyncIterator[tuple[Any, dict[str, Any]]]:
    """The client of a cell's path and the options of its policy; closed at the end."""
    path = PATHS[cell.path]
    clients = [path.connect(server)]
    waits = _WAITING.intersection(fault.kind for fault in cell.kinds)
    patience = PATIENCE if waits else _EVERY_PATIENCE
    options: dict[str, Any] = {
        "retry": _POLICY,
        "timeout": Timeout(connect=patience, initial_token=patience, inter_token=patience),
        "on_incomplete": "retry",
        "tool_errors": "retry",
        "continuation": cell.policy.startswith("continuation"),
    }
    if cell.policy == "validated":
        options["deliver"] = "validated"
    if cell.policy == "fallback":
        other = PATHS[OTHER[cell.path]]
        clients.append(other.connect(server))

        def ask_other() -> Any:
            return other.ask(clients[1])

        options |= {"retry": Retry.none(), "fallbacks": [ask_other] * len(cell.replies)}
    try:
        yield clients[0], options
    finally:
        for client in clients:
            await client.close()


async def _unanswered(server: FaultServer) -> int:
    """Requests whose answer goes on though the run is over, while the client is still open."""
    until = time.monotonic() + _GRACE
    while True:
        busy = sum(request.closed_at is None for request in server.requests)
        if not busy or time.monotonic() > until:
            return busy
        await asyncio.sleep(0.005)


async def _left(server: FaultServer) -> int:
    """Sockets that are open though the clients are closed."""
    try:
        await server.wait_closed_connections(_GRACE)
    except TimeoutError:
        return server.open_connections
    return 0


def _wrong(cell: Cell, seen: _Seen, requests: int, measured: tuple[int, int, int]) -> list[str]:
    wrong = [
        f"{count} {what}"
        for count, what in zip(measured, ("lost", "doubled", "open"), strict=True)
        if count
    ]
    failed = seen.error is not None
    if failed != (cell.expected == "refused"):
        wrong.append(f"{cell.expected} was expected")
    if failed and not _is_clear(seen.error):
        wrong.append("the error doesn't say why there was no other attempt")
    if (requests > 1) != (cell.expected == "saved"):
        wrong.append(f"{requests} requests")
    if seen.completes != (not failed):
        wrong.append(f"{seen.completes} complete events")
    if cell.policy == "validated" and seen.restarts:
        wrong.append(f"{seen.restarts} restarts though only what is valid was to be seen")
    try:
        check_run(seen.told)
    except AssertionError as error:
        wrong.append(str(error))
    return wrong


def _is_clear(error: Exception | None) -> bool:
    """The provider's own error with its status, and a note that says why it was not retried."""
    notes = "\n".join(getattr(error, "__notes__", ()))
    return hasattr(error, "status_code") and "not_retryable" in notes
