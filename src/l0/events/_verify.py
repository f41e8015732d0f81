"""Prove that a recorded stream is as it was written: no record changed, missing, added or moved.

Whoever can rewrite every record can forge a whole chain; a `head` kept elsewhere proves that, too.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Literal

import msgspec

from l0.events._record import (
    ENDS,
    UNREADABLE,
    ZEROS,
    Record,
    Row,
    decode_object,
    digest_of,
    line_of,
    row_of_line,
)
from l0.events._sources import get_rows, pick_stream, reading, rows_of

Reason = Literal["hash", "gap", "order", "format", "truncated"]


class Verification(msgspec.Struct, frozen=True):
    """What `verify` found.

    `records` are those that are good, from the first; `first_bad_seq` is the first that isn't, and
    `reason` why: `hash` (changed), `gap` (missing), `order` (moved, or there twice), `format` (no
    record), `truncated` (the tail up to the given head is missing). `head` is the hash of the last
    good record, for keeping elsewhere; `ended` says whether the run's end is among them.
    """

    ok: bool
    records: int
    first_bad_seq: int | None
    reason: Reason | None
    head: str | None
    ended: bool


async def verify(
    source: Any, stream_id: str | None = None, head: str | None = None
) -> Verification:
    """Check the hash chain of one stream of a store, a log, a list of records, or a file.

    `source` may be a store, a `Log`, records, a URL as `open_store` takes it, or the path of a
    SQLite or JSONL file. `stream_id` may be left out where there is one stream only. `head` is the
    hash of a record of this stream, noted earlier: it proves that nothing up to there was cut off.

    Raises:
        StoreError: the source can't be read.
        ValueError: there are several streams, or none, and no `stream_id`.

    Example:
        >>> import asyncio
        >>> from l0.events import EventBus, Log
        >>> log = Log()
        >>> bus = EventBus(log.append)
        >>> bus.emit("FALLBACK_START", from_index=0, to_index=1, reason="rate_limit")
        >>> asyncio.run(verify(log)).ok
        True
    """
    async with reading(source) as opened:
        stream_id = await pick_stream(opened, stream_id)
        return check_rows(await get_rows(opened, stream_id), head)


def verify_records(records: Iterable[Record], head: str | None = None) -> Verification:
    """As `verify`, for the records of one stream that are at hand, in their order.

    Example:
        >>> verify_records([]).ok
        True
    """
    return check_rows(rows_of(records), head)


def check_rows(rows: Iterable[Row | bytes], head: str | None = None) -> Verification:
    """Check rows in the order in which they are stored; bytes are lines of JSONL as they stand."""
    read = [_read(row) for row in rows]
    seqs = {row.seq for row in read if row is not None}
    prev, ended, seen = ZEROS, False, head is None
    reason: Reason | None = None
    for seq, row in enumerate(read):
        reason = _fault(row, seq, prev, seqs, read[0])
        if reason is not None or row is None:
            break
        prev = row.hash
        seen = seen or prev == head
        ended = ended or _ends(row)
    else:
        seq = len(read)
        reason = None if seen else "truncated"
    good = len(read) if reason is None else seq
    return Verification(
        ok=reason is None,
        records=good,
        first_bad_seq=None if reason is None else seq,
        reason=reason,
        head=prev if good else None,
        ended=ended,
    )


def _read(row: Row | bytes) -> Row | None:
    if isinstance(row, Row):
        return row
    try:
        parsed = row_of_line(row)
    except ValueError:
        return None
    # A line that says the same in other bytes was not written by a store; its hash can't show it.
    return parsed if line_of(parsed) == row else parsed._replace(hash="")


def _fault(
    row: Row | None, seq: int, prev: str, seqs: set[int], first: Row | None
) -> Reason | None:
    """What is wrong with the row that stands where `seq` should."""
    if row is None:
        return "format"
    if row.seq != seq:
        return "order" if row.seq < seq or seq in seqs else "gap"
    if row.prev != prev or row.hash != _digest(row):
        return "hash"
    if first is not None and row.stream_id != first.stream_id:
        return "format"
    return None


def _digest(row: Row) -> str:
    try:
        return digest_of(row)
    except UnicodeEncodeError:  # no store writes that
        return ""


def _ends(row: Row) -> bool:
    """Whether this is the last record: COMPLETE, or SESSION_END of a run that is not complete."""
    if row.type != "SESSION_END":
        return row.type == "COMPLETE" or row.type in ENDS
    try:
        return bool(decode_object(row.data).get("outcome") != "completed")
    except UNREADABLE:  # no store writes that either
        return False
