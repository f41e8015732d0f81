"""A record: one event as it is kept, chained to the one before it by a hash.

`hash` is the hex SHA-256 of `prev` followed by the canonical JSON of the stored record without
`hash`: keys sorted, no blanks, UTF-8. `prev` of the first record is 64 zeros. `meta` is stored with
the first record of a stream only.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from functools import lru_cache
from hashlib import sha256
from keyword import iskeyword
from typing import Any, NamedTuple, cast

import msgspec

from l0.errors import StoreError
from l0.events._bus import ObservabilityEvent
from l0.events._catalog import Payload, find_payload

ZEROS = "0" * 64
VERSION = 1
CHANGED = "$changed"
"""The key in `data` under which a record says how its stored copy differs from what happened."""

encode = msgspec.json.Encoder(order="sorted").encode
decode = msgspec.json.decode
decode_object = msgspec.json.Decoder(dict[str, Any]).decode
UNREADABLE = (ValueError, TypeError, RecursionError)
"""What reading or writing raises of what is no JSON, or nests deeper than Python follows."""


class Record(msgspec.Struct, frozen=True):
    """One event as it is stored.

    `seq` counts from 0 without gaps in each stream; `ts` is Unix milliseconds with microsecond
    digits; `data` the payload's fields as JSON has them; `meta` the caller's, attached to every
    record when it is read. If the stored copy differs from what happened, `data` has a key
    `"$changed"` that lists how: `redacted`, `surrogates` (halves of characters became U+FFFD) or
    `json` (a value that JSON has no word for became text).
    """

    stream_id: str
    seq: int
    ts: float
    type: str
    data: dict[str, Any]
    meta: dict[str, Any] = {}
    prev: str = ZEROS
    hash: str = ""
    v: int = VERSION

    @property
    def payload(self) -> Payload:
        """The typed payload; an `UnknownPayload` for types this version doesn't declare."""
        return payload_of(self.type, self.data)

    @property
    def event(self) -> ObservabilityEvent:
        """The event as its listeners got it."""
        return ObservabilityEvent(self.type, self.ts, self.stream_id, self.payload, self.meta)

    @property
    def changed(self) -> tuple[str, ...]:
        """How the stored copy differs from what happened; empty if it doesn't."""
        told = self.data.get(CHANGED)
        return tuple(map(str, told)) if isinstance(told, list) else ()


class UnknownPayload(Payload, frozen=True):
    """An event of a type that this version of the library doesn't know, or knows otherwise.

    What was recorded are its fields, so it reads like any other payload.
    """


def payload_of(type_: str, data: Mapping[str, Any]) -> Payload:
    """The typed payload of a record."""
    cls = find_payload(type_)
    if cls is not None:
        try:
            return msgspec.convert(data, cls)
        except ValueError:
            pass  # written by a version that declares the type otherwise
    names = tuple(n for n in data if n.isidentifier() and not iskeyword(n) and n[0] != "_")
    names = tuple(n for n in names if n != "type")  # which every payload has
    return _unknown(type_, names)(**{name: data[name] for name in names})


@lru_cache(maxsize=1024)
def _unknown(type_: str, names: tuple[str, ...]) -> type[UnknownPayload]:
    name = "".join(part.capitalize() for part in re.findall("[A-Za-z0-9]+", type_)) + "Payload"
    cls = msgspec.defstruct(
        name, [(each, Any) for each in names], bases=(UnknownPayload,), frozen=True, module=__name__
    )
    made = cast("type[UnknownPayload]", cls)
    made.type = type_
    return made


class Row(NamedTuple):
    """A record as stores keep it: `data` and `meta` as JSON text, exactly as hashed."""

    stream_id: str
    seq: int
    ts: float
    type: str
    data: str
    meta: str | None
    prev: str
    hash: str


def canonical(  # noqa: PLR0917  one a column
    stream_id: str, seq: int, ts: float, type_: str, data: str, meta: str | None, prev: str
) -> bytes:
    """What is hashed, after `prev`: the stored record without its hash, as canonical JSON."""
    return _text(stream_id, seq, ts, type_, data, meta, prev).encode()


def _text(  # noqa: PLR0917  as above
    stream_id: str, seq: int, ts: float, type_: str, data: str, meta: str | None, prev: str
) -> str:
    told = "" if meta is None else f'"meta":{meta},'
    return (
        f'{{"data":{data},{told}"prev":"{prev}","seq":{seq},"stream_id":"{stream_id}",'
        f'"ts":{encode(ts).decode()},"type":{encode(type_).decode()},"v":{VERSION}}}'
    )


def chained(  # noqa: PLR0917  one a column
    stream_id: str, seq: int, ts: float, type_: str, data: str, meta: str | None, prev: str
) -> Row:
    """The row of one more record behind the one whose hash is `prev`."""
    told = prev + _text(stream_id, seq, ts, type_, data, meta, prev)  # encoded once
    digest = sha256(told.encode()).hexdigest()
    return Row._make((stream_id, seq, ts, type_, data, meta, prev, digest))


def digest_of(row: Row) -> str:
    """The hash a row should have."""
    return sha256(row.prev.encode() + canonical(*row[:7])).hexdigest()


def line_of(row: Row) -> bytes:
    """The row as one line of JSONL, without the newline."""
    told = "" if row.meta is None else f'"meta":{row.meta},'
    return (
        f'{{"data":{row.data},"hash":"{row.hash}",{told}"prev":"{row.prev}","seq":{row.seq},'
        f'"stream_id":"{row.stream_id}","ts":{encode(row.ts).decode()},'
        f'"type":{encode(row.type).decode()},"v":{VERSION}}}'
    ).encode()


class Line(msgspec.Struct, gc=False):
    """A line of JSONL, its payload and its meta as they stand."""

    stream_id: str
    seq: int
    ts: float
    type: str
    data: msgspec.Raw
    prev: str
    hash: str
    v: int
    meta: msgspec.Raw = msgspec.Raw(b"")


_lines = msgspec.json.Decoder(Line)
_decode_line = _lines.decode


def lines_of(text: bytes) -> list[Line]:
    """The lines of a text, which ends where a line does.

    Raises:
        ValueError: one of them is no record; `row_of_line` says of which, and why.
    """
    try:
        lines = _lines.decode_lines(text)
    except RecursionError:
        raise ValueError("it nests deeper than Python can follow") from None
    if len(lines) != text.count(b"\n") or any(line.v != VERSION for line in lines):
        raise ValueError(f"there is a line that is no record of version {VERSION}")
    return lines


def row_of_line(line: bytes) -> Row:
    """A row from a line of JSONL.

    Raises:
        ValueError: the line is no record.
    """
    try:
        read = _decode_line(line)
    except RecursionError:
        raise ValueError("it nests deeper than Python can follow") from None
    if read.v != VERSION:
        raise ValueError(f"records of version {read.v}; update l0 to read them")
    data, meta = bytes(read.data).decode(), bytes(read.meta).decode()
    for name, text in (("data", data), ("meta", meta)):
        if text and text[0] != "{":
            raise ValueError(f"its {name} is no object")
    seq, ts, type_ = read.seq, read.ts, read.type
    return Row(read.stream_id, seq, ts, type_, data, meta or None, read.prev, read.hash)


def row_of_values(values: tuple[Any, ...]) -> Row | None:
    """A row from the columns of a table, which may hold anything; None if it is no record."""
    row = Row._make(values)
    if type(row.ts) is float and type(row.seq) is int:
        texts = (row.stream_id, row.type, row.data, row.prev, row.hash, row.meta or "")
        if all(type(text) is str for text in texts):
            return row
    return None


def row_of(record: Record) -> Row:
    """A record as it is stored; its own hash is kept, right or wrong."""
    meta = encode(record.meta).decode() if record.seq == 0 else None
    return Row(
        record.stream_id,
        record.seq,
        float(record.ts),
        record.type,
        encode(record.data).decode(),
        meta,
        record.prev,
        record.hash,
    )


def records_of(rows: Iterable[Row], meta: Mapping[str, Any] | None = None) -> Iterator[Record]:
    """Records of one stream's rows; `meta` is needed when the first row is not among them.

    Raises:
        StoreError: a row is damaged.
    """
    known = dict(meta or {})
    for row in rows:
        try:
            if row.meta is not None:
                known = decode_object(row.meta)
            data = decode_object(row.data)
        except UNREADABLE as error:
            raise damaged(row.seq, row.stream_id, error) from error
        yield Record(row.stream_id, row.seq, row.ts, row.type, data, known, row.prev, row.hash)


def damaged(seq: int, stream_id: str, error: Exception) -> StoreError:
    """The error of a record that can't be read."""
    return StoreError(
        f"record {seq} of stream {stream_id} is damaged ({error}); "
        "`await l0.verify(store, stream_id)` says what else is"
    )


class Tally:
    """What a store's index says of one stream, kept as its records go by."""

    __slots__ = ("end_ts", "hash", "outcome", "seq", "start_ts", "stream_id", "tokens")

    def __init__(self, stream_id: str) -> None:
        self.stream_id = stream_id
        self.seq = -1
        self.hash = ZEROS
        self.tokens = 0
        self.start_ts = 0.0
        self.end_ts = 0.0
        self.outcome: str | None = None

    def copy(self) -> Tally:
        """Another one that says the same."""
        copy = Tally(self.stream_id)
        for name in Tally.__slots__:
            setattr(copy, name, getattr(self, name))
        return copy

    def check(self, rows: Iterable[Row]) -> None:
        """Raise StoreError where rows don't go on from here."""
        seq, head = self.seq, self.hash
        for row in rows:
            if row.seq != seq + 1 or row.prev != head:
                if seq < 0:
                    stands = "which has no records there; it begins with seq 0"
                else:
                    stands = f"which stands at seq {seq}; append the next record, chained to it"
                raise StoreError(
                    f"record {row.seq} doesn't go on from stream {row.stream_id}, {stands}"
                )
            seq, head = row.seq, row.hash

    def add(self, row: Row) -> None:
        """Count one more row."""
        if row.seq == 0:
            self.start_ts = row.ts
        self.seq, self.hash, self.end_ts = row.seq, row.hash, row.ts
        if row.type in _TALLIED:
            try:
                told = _decode_told(row.data)
            except UNREADABLE:
                return  # damaged, which `verify` says; the index is no proof of anything
            if row.type == "TOKENS":
                offsets = bytes(told.offsets_us)
                self.tokens += offsets.count(b",") + 1 if len(offsets) > 2 else 0
            elif row.type == "RESTART":
                self.tokens = told.kept_tokens
            else:
                self.outcome = _outcome(told.outcome, told.status)


BEGINS = frozenset({"SESSION_START", "MAP_START", "CONSENSUS_START"})
"""The types that a stream begins with: a run, a map, a consensus."""

ENDS = frozenset({"SESSION_END", "MAP_END", "CONSENSUS_END"})
"""The types that say what came of a stream: of a run, of a map, of a consensus."""

_TALLIED = frozenset({"TOKENS", "RESTART", *ENDS})


def outcome_of(data: Mapping[str, Any]) -> str | None:
    """What the data of one of the types `ENDS` say of a stream, in the words of a run."""
    told = data.get("outcome"), data.get("status")
    return _outcome(*(each if isinstance(each, str) else None for each in told))


def _outcome(outcome: str | None, status: str | None) -> str | None:
    return "completed" if status in {"success", "partial"} else outcome or status


class _Told(msgspec.Struct):
    offsets_us: msgspec.Raw = msgspec.Raw(b"[]")  # counted, not read
    kept_tokens: int = 0
    outcome: str | None = None
    status: str | None = None


_decode_told = msgspec.json.Decoder(_Told).decode
