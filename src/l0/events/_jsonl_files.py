"""The files of a directory of JSONL logs: what appends to them, and what they say of a stream."""

from __future__ import annotations

import contextlib
import os
from collections import OrderedDict
from collections.abc import Iterator
from io import FileIO
from pathlib import Path

from l0.errors import StoreError
from l0.events._jsonl_file import last_line, read_rows
from l0.events._record import Row, Tally, line_of, row_of_line
from l0.events._store import check_id, is_id
from l0.events._tap import FileTrouble

_OPEN_FILES = 64


class JsonlFiles:
    """The files of a directory; the backend of its writer."""

    def __init__(self, directory: Path, fsync: str) -> None:
        self._directory, self._fsync = directory, fsync
        # Without buffers: what one held would be written twice by a process that is forked.
        self._open: OrderedDict[str, FileIO] = OrderedDict()

    def open(self) -> None:
        """Make the directory if need be."""
        directory = self._directory
        if not directory.parent.is_dir():
            raise StoreError(f"the directory {directory.parent} does not exist; create it first")
        try:
            directory.mkdir(exist_ok=True)
        except FileExistsError as error:
            raise StoreError(f"{directory} is a file; give a directory") from error
        except OSError as error:
            raise StoreError(f"can't make {directory}: {error.strerror}") from error

    def path(self, stream_id: str) -> Path:
        """The file of a stream."""
        return self._directory / f"{check_id(stream_id)}.jsonl"

    def ids(self) -> list[str]:
        """The streams that have a file; other files of other names are none of ours."""
        return sorted(filter(is_id, (path.stem for path in self._directory.glob("*.jsonl"))))

    def tallies(self) -> Iterator[Tally]:
        """Where each stream stands."""
        for stream_id in self.ids():
            tally = self.tally(stream_id)
            if tally is not None:
                yield tally

    def tally(self, stream_id: str) -> Tally | None:
        """Where a stream stands, by its file."""
        path = self.path(stream_id)
        if not path.exists():
            return None
        tally = Tally(stream_id)
        for row in read_rows(path):
            tally.add(row)
        return tally if tally.seq >= 0 else None

    def has(self, stream_id: str) -> bool:
        """Whether a stream has a whole line; no more than the last one is read."""
        path = self.path(stream_id)
        try:
            return path.exists() and last_line(path)[0] is not None
        except OSError as error:
            raise StoreError(f"can't read {path}: {error.strerror}; check the path") from error

    def size(self, stream_id: str) -> int:
        """Bytes of a stream's file; none if it is gone."""
        try:
            return self.path(stream_id).stat().st_size
        except FileNotFoundError:
            return 0

    def write(self, streams: list[tuple[Tally, list[Row]]]) -> None:
        """Append each stream's rows to its file."""
        for _, rows in streams:  # so that a file that can't be used fails before any is written
            self._file(rows[0].stream_id)
        for _, rows in streams:
            stream_id = rows[0].stream_id
            try:
                self._append(self._file(stream_id), rows)
            except OSError as error:
                with contextlib.suppress(OSError):  # the first failure is the one to tell
                    self._close(stream_id)
                raise FileTrouble(
                    f"can't write to {self._directory}: {error.strerror}; check its permissions "
                    "and free space"
                ) from error

    def _append(self, file: FileIO, rows: list[Row]) -> None:
        left = memoryview(b"".join(line_of(row) + b"\n" for row in rows))
        while left:
            left = left[file.write(left) :]
        if self._fsync == "commit":
            os.fsync(file.fileno())

    def _file(self, stream_id: str) -> FileIO:
        file = self._open.get(stream_id)
        if file is None:
            if len(self._open) >= _OPEN_FILES:
                self._close(next(iter(self._open)))
            file = self._open[stream_id] = self._opened(stream_id)
        self._open.move_to_end(stream_id)
        return file

    def _opened(self, stream_id: str) -> FileIO:
        path = self.path(stream_id)
        try:
            if path.exists():
                line, end = last_line(path)
                if line is not None and row_of_line(line).stream_id != stream_id:
                    raise StoreError(f"{path} holds another stream, whose id differs in case only")
                os.truncate(path, end)  # what follows is a torn line
            return path.open("ab", buffering=0)
        except OSError as error:
            raise FileTrouble(f"can't write {path}: {error.strerror}") from error
        except ValueError as error:
            raise StoreError(
                f"the last line of {path} is no record; `await l0.verify(path)` says from where "
                "on the file is damaged"
            ) from error

    def _close(self, stream_id: str) -> None:
        file = self._open.pop(stream_id, None)
        if file is not None:
            with file:
                if self._fsync == "close":
                    os.fsync(file.fileno())

    def delete(self, stream_id: str) -> bool:
        """Forget a stream."""
        self._close(stream_id)
        path = self.path(stream_id)
        try:
            path.unlink()
        except FileNotFoundError:
            return False
        except OSError as error:
            raise StoreError(
                f"can't delete {path}: {error.strerror}; check the permissions of its directory"
            ) from error
        return True

    def abandon(self) -> None:
        """A forked process opens the files again; the parent's hold nothing to be written."""
        self._open.clear()

    def close(self) -> None:
        """Close all files."""
        with contextlib.ExitStack() as each:  # also the others, where one can't be closed
            for stream_id in self._open:
                each.callback(self._close, stream_id)
