"""Plays one answer to a client: at its speed, in its packets, with its faults where they belong."""

from __future__ import annotations

import asyncio
import re
import sys
from collections.abc import Iterator, Mapping, Sequence
from itertools import islice
from typing import Final

from l0.testing._faults import Fault
from l0.testing._http import Connection, Request
from l0.testing._record import RecordedRequest
from l0.testing._reply import Reply
from l0.testing._wire import Wire, to_json

_BATCH: Final = 256
"""Tokens written at once when nothing slows them down."""
_GRAIN: Final = 0.005
"""Seconds a paced stream sleeps at least: faster tokens share a packet."""
_KEEP_ALIVE: Final = 0.05

_PIECE: Final = re.compile(rb"(?s)[^\xc2-\xf4]{0,15}[\xc2-\xf4]|.{1,16}")
"""Up to and with the first byte of a character of several bytes, or 16 bytes."""

_POSITIONED: Final = frozenset(
    {"drop", "cut", "reset", "eof", "stall", "stall_alive", "error", "failed", "garbage"}
)
_BREAKING: Final = frozenset({"drop", "cut", "reset"})
_WAITING: Final = frozenset({"slow_first", "stall", "stall_alive"})


class Player:
    """One response on one connection; either `stream` or `whole` is called, once."""

    def __init__(
        self,
        connection: Connection,
        request: Request,
        record: RecordedRequest,
        *,
        wire: Wire,
        reply: Reply,
        faults: Sequence[Fault],
    ) -> None:
        self._connection = connection
        self._request = request
        self._record = record
        self._wire = wire
        self._faults = faults
        self._positioned = sorted(
            (fault for fault in faults if fault.kind in _POSITIONED),
            key=lambda fault: fault.at or 0,
        )
        cuts = [fault for fault in faults if fault.kind == "split"]
        self._splits = bool(cuts) or reply.split_bytes is not None
        self._split_size = cuts[0].size if cuts else reply.split_bytes
        slow = sum(fault.seconds or 0 for fault in faults if fault.kind == "slow")
        self._interval = slow + (1 / reply.tokens_per_second if reply.tokens_per_second else 0)
        self._due = 0.0
        self._now = asyncio.get_running_loop().time

    async def stream(self, headers: Mapping[str, str]) -> None:
        """The answer as server-sent events."""
        headers = {**headers, "content-type": "text/event-stream; charset=utf-8"}
        self._start({**headers, "cache-control": "no-cache"}, size=None)
        self._hit(*(fault for fault in self._faults if fault.kind not in _POSITIONED))
        if any(fault.kind == "empty" for fault in self._faults):
            await self._end(b"")
            return
        head = self._wire.head()
        await self._write(next(head, b""))
        self._due = self._now()
        await self._wait_for_first()
        if self._wire.answer.reasoning:
            await self._send(head, sys.maxsize, counted=False)
        else:
            await self._write(b"".join(head))
        units = self._wire.units()
        sent = 0
        for fault in self._positioned:
            more = max(0, (fault.at or 0) - sent)
            sent += await self._send(units, more)
            self._hit(fault)
            if await self._break(fault, units):
                return
        await self._send(units, sys.maxsize)
        tool_cut = any(fault.kind == "tool_cut" for fault in self._faults)
        await self._end(b"" if tool_cut else self._wire.tail())

    async def whole(self, headers: Mapping[str, str]) -> None:
        """The answer as one JSON body, which the faults break as well as they can.

        Waits come before the body, a broken connection or an early end after half of it, and an
        error event becomes the body of a 500 (of a 529 where it is `overloaded_error`). Only
        Responses says in a 200 that it failed.
        """
        self._hit(*self._faults)
        by_kind = {fault.kind: fault for fault in self._faults}
        body = to_json(self._wire.body())
        units = len(self._wire.answer.tokens)
        units += sum(len(call.fragments) for call in self._wire.answer.calls)
        if fault := by_kind.get("error") or by_kind.get("failed"):
            body, units = self._error_body(fault), 0
        if "garbage" in by_kind or "eof" in by_kind or "tool_cut" in by_kind:
            body, units = body[: len(body) // 2], 0
        if "empty" in by_kind:
            body, units = b"", 0
        self._start({**headers, "content-type": "application/json"}, size=len(body))
        for fault in self._faults:
            if fault.kind in _WAITING:
                await asyncio.sleep(fault.seconds or 0)
        await asyncio.sleep(self._interval * self._wire.answer.output_tokens)
        if broken := next((fault for fault in self._faults if fault.kind in _BREAKING), None):
            await self._disconnect(broken, body)
            return
        self._record.tokens_sent = units
        await self._end(body)

    def _error_body(self, fault: Fault) -> bytes:
        if fault.kind == "failed":
            event = self._wire.error(None, failed=True)
            if "response" in event:
                return to_json(event["response"])
        word = fault.error_type or self._wire.own_fault
        self._record.status = 529 if word == "overloaded_error" else 500
        return to_json(self._wire.error_body(self._record.status, word, None, ""))

    def _start(self, headers: Mapping[str, str], *, size: int | None) -> None:
        breaks = any(fault.kind in _BREAKING for fault in self._faults)
        status = self._record.status = self._record.status or 200
        if breaks or not self._request.keep_alive:
            headers = {**headers, "connection": "close"}
        self._connection.start(status, headers, size=size, chunked=self._request.chunked)

    async def _wait_for_first(self) -> None:
        for fault in self._faults:
            if fault.kind == "slow_first":
                await asyncio.sleep(fault.seconds or 0)
                self._due = self._now()

    async def _send(self, units: Iterator[bytes], limit: int, *, counted: bool = True) -> int:
        """Sends up to `limit` units and says how many there were."""
        sent = 0
        while sent < limit:
            size = min(await self._allowed(), limit - sent)
            batch = list(islice(units, size))
            sent += len(batch)
            self._due += len(batch) * self._interval
            if counted:
                self._record.tokens_sent += len(batch)
            if batch:
                await self._write(b"".join(batch))
            if len(batch) < size:
                break
        return sent

    async def _allowed(self) -> int:
        """How many units may be sent now; waits until there is one.

        The time each one is due follows from the first, so a late wake-up is made up for.
        """
        if not self._interval:
            return _BATCH
        now = self._now()
        if now < self._due:
            await asyncio.sleep(max(self._due - now, _GRAIN))
            now = self._now()
        return int((now - self._due) / self._interval) + 1

    async def _break(self, fault: Fault, units: Iterator[bytes]) -> bool:
        """Does what a fault does at its place; True when the answer ends there."""
        match fault.kind:
            case "stall":
                await asyncio.sleep(fault.seconds or 0)
            case "stall_alive":
                await self._stay_alive(fault.seconds or 0)
            case "garbage":
                await self._write(self._wire.garbage())
            case "eof":
                await self._end(b"")
                return True
            case "error" | "failed":
                payload = self._wire.error(fault.error_type, failed=fault.kind == "failed")
                await self._end(self._wire.event(payload))
                return True
            case _:
                await self._disconnect(fault, next(units, None) or self._wire.tail())
                return True
        self._due = max(self._due, self._now())
        return False

    async def _stay_alive(self, seconds: float) -> None:
        end = self._now() + seconds
        while (left := end - self._now()) > 0:
            await self._write(self._wire.ping)
            await asyncio.sleep(min(_KEEP_ALIVE, left))

    async def _disconnect(self, fault: Fault, rest: bytes) -> None:
        """Leaves without an end; `cut` with part of what would have come next."""
        if fault.kind == "cut" or not self._connection.chunked:
            at = next((at + 1 for at, byte in enumerate(rest) if byte >= 0x80), len(rest) // 2)
            await self._write(rest[:at])
        self._record.close(finished=True)
        if fault.kind == "reset":
            await self._connection.reset()
        else:
            self._connection.close()

    async def _write(self, data: bytes) -> None:
        if not data:
            return
        for piece in self._pieces(data) if self._splits else (data,):
            self._connection.write(piece)
            await self._connection.drain()
            # A client on this very loop must get its turn.
            await asyncio.sleep(0)

    def _pieces(self, data: bytes) -> Iterator[bytes]:
        """Packets of the size asked for, else of 16 bytes at most, ending in each character."""
        if self._split_size is None:
            yield from _PIECE.findall(data)
            return
        for at in range(0, len(data), self._split_size):
            yield data[at : at + self._split_size]

    async def _end(self, data: bytes) -> None:
        if self._splits:
            await self._write(data)
            data = b""
        # Noted first: the client may have read the end before this task runs again.
        self._record.close(finished=True)
        self._connection.write(data, last=True)
        await self._connection.drain()

    def _hit(self, *faults: Fault) -> None:
        self._record.faults.extend(faults)
