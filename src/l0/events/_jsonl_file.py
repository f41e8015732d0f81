"""Files of records, one JSON object a line; a torn last line costs only itself."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import BinaryIO

from l0.errors import StoreError
from l0.events._read_only import ReadOnly
from l0.events._record import Record, Row, Tally, records_of, row_of_line
from l0.events._store import StreamMetadata, metadata_of, newest_first

_STREAM = re.compile(rb'"stream_id":"([^"]*)"')
_BLOCK = 1 << 16


def read_lines(path: Path) -> Iterator[bytes]:
    """The whole lines of a file, without their newlines; a last line without one is torn.

    Raises:
        StoreError: the file can't be read.
    """
    try:
        with path.open("rb") as file:
            for line in file:
                if line.endswith(b"\n"):
                    yield line[:-1]
    except OSError as error:
        raise StoreError(f"can't read {path}: {error.strerror}; check the path") from error


def whole_lines(path: Path) -> bytes:
    """All whole lines of a file at once, with their newlines.

    Raises:
        StoreError: the file can't be read.
    """
    try:
        text = path.read_bytes()
    except OSError as error:
        raise StoreError(f"can't read {path}: {error.strerror}; check the path") from error
    return text[: text.rfind(b"\n") + 1]


def read_rows(path: Path) -> Iterator[Row]:
    """The rows of a file.

    Raises:
        StoreError: the file can't be read, or a line is no record.
    """
    for number, line in enumerate(read_lines(path), 1):
        try:
            yield row_of_line(line)
        except ValueError as error:
            raise StoreError(
                f"line {number} of {path} is no record ({error}); `await l0.verify(path)` says "
                "from where on the file is damaged"
            ) from error


def last_line(path: Path) -> tuple[bytes | None, int]:
    """The last whole line of a file, and where it ends: what follows is torn."""
    with path.open("rb") as file:
        end = _newline_before(file, file.seek(0, 2))
        if end < 0:
            return None, 0
        start = _newline_before(file, end) + 1
        file.seek(start)
        return file.read(end - start), end + 1


def _newline_before(file: BinaryIO, at: int) -> int:
    """Where the last newline before an offset is; -1 without any."""
    while at > 0:
        step = min(_BLOCK, at)
        at -= step
        file.seek(at)
        found = file.read(step).rfind(b"\n")
        if found >= 0:
            return at + found
    return -1


class JsonlFile(ReadOnly):
    """One file, which may hold several streams, as a store for reading only.

    Raises:
        StoreError: where a line that is needed is no record.
    """

    def __init__(self, path: Path) -> None:
        self._path = path

    def __repr__(self) -> str:
        return f"JsonlFile({str(self._path)!r})"

    # --- a store ----------------------------------------------------------------------------------

    async def get_events(
        self, stream_id: str, after_seq: int = -1, to_seq: int | None = None
    ) -> list[Record]:
        """The records of a stream with `after_seq < seq <= to_seq`; none if it is not there."""
        found = await asyncio.to_thread(self.records, stream_id)
        last = float("inf") if to_seq is None else to_seq
        return [record for record in found if after_seq < record.seq <= last]

    async def get_last_event(self, stream_id: str) -> Record | None:
        """The last record of a stream."""
        events = await self.get_events(stream_id)
        return events[-1] if events else None

    async def exists(self, stream_id: str) -> bool:
        """Whether there are records of the stream."""
        return stream_id in await asyncio.to_thread(self.stream_ids)

    async def list_streams(self, limit: int | None = None) -> list[StreamMetadata]:
        """What streams there are, the newest first; reads the file."""
        return newest_first(map(metadata_of, await asyncio.to_thread(self._tallies)), limit)

    def _tallies(self) -> list[Tally]:
        found: dict[str, Tally] = {}
        for row in read_rows(self._path):
            found.setdefault(row.stream_id, Tally(row.stream_id)).add(row)
        return list(found.values())

    def _instead(self) -> str:
        return f"{self._path} is a file to be read; record to a directory of such files"

    async def flush(self) -> None:
        """Nothing is waiting to be written."""

    async def close(self) -> None:
        """Nothing is held open."""

    # --- as it stands -----------------------------------------------------------------------------

    def stored_files(self) -> list[Path]:
        """The file itself."""
        return [self._path]

    def stream_ids(self) -> list[str]:
        """The streams in it, as far as its lines can be read."""
        found = (_stream_of(line) for line in read_lines(self._path))
        return list(dict.fromkeys(each for each in found if each is not None))

    def records(self, stream_id: str | None = None) -> list[Record]:
        """Its records, in the order of the file."""
        meta: dict[str, dict[str, object]] = {}
        records = []
        for row in read_rows(self._path):
            if stream_id in (None, row.stream_id):
                record = next(records_of([row], meta.get(row.stream_id)))
                meta.setdefault(row.stream_id, record.meta)
                records.append(record)
        return records

    def iter_records(
        self, stream_id: str | None = None, types: Iterable[str] | None = None
    ) -> Iterator[Record]:
        """Its records, stream by stream: in a file one may be among the other."""
        wanted = None if types is None else set(map(str, types))
        streams: dict[str, list[Record]] = {}
        for record in self.records(stream_id):
            if wanted is None or record.type in wanted:
                streams.setdefault(record.stream_id, []).append(record)
        for records in streams.values():
            yield from records

    async def stored_rows(self, stream_id: str) -> list[bytes]:
        """The lines of a stream as they stand, with those that say of none whose they are."""
        lines = list(read_lines(self._path))
        if self._path.stem == stream_id:  # of a store, with one stream a file
            return lines
        return [line for line in lines if _stream_of(line) in (None, stream_id)]


def _stream_of(line: bytes) -> str | None:
    """The stream a line belongs to; what it says of others stands before, in its data."""
    found = _STREAM.findall(line)
    return found[-1].decode(errors="replace") if found else None
