"""A document too long for one call, as a row of chunks that calls can work on."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import partial
from typing import Any, overload

from l0.compose._parallel import ParallelResult, parallel
from l0.compose._windows_chunk import DocumentChunk, chunks_of
from l0.compose._windows_config import WindowConfig, build_config


@dataclass(frozen=True, slots=True)
class WindowStats:
    """The numbers of a window: lengths in characters, tokens estimated, means a chunk.

    `overlap_chars` is what chunks repeat, over all of them.
    """

    total_chunks: int
    total_chars: int
    total_tokens: int
    average_chars: float
    average_tokens: float
    overlap_chars: int
    strategy: str
    size: int
    overlap: int


class DocumentWindow:
    """The chunks of one document, and a place among them.

    Example:
        >>> window = Window.create("abcdefgh", strategy="char", size=3, overlap=1)
        >>> len(window), window[0].content, window.next().content, window.get_context(1)
        (4, 'abc', 'cde', 'abcdefg')
    """

    def __init__(self, document: str, config: WindowConfig | None = None) -> None:
        self.document = document
        self.config = config or WindowConfig()
        self._chunks = chunks_of(document, self.config)
        self._at = 0

    # --- the chunks ---

    def __len__(self) -> int:
        return len(self._chunks)

    def __iter__(self) -> Iterator[DocumentChunk]:
        return iter(self._chunks)

    @overload
    def __getitem__(self, index: int) -> DocumentChunk: ...
    @overload
    def __getitem__(self, index: slice) -> list[DocumentChunk]: ...
    def __getitem__(self, index: int | slice) -> DocumentChunk | list[DocumentChunk]:
        return self._chunks[index]

    def get(self, index: int) -> DocumentChunk | None:
        """The chunk of this index, counted from 0; None if there is none."""
        return self._chunks[index] if 0 <= index < len(self._chunks) else None

    def get_all_chunks(self) -> list[DocumentChunk]:
        """All chunks, in a list of your own."""
        return list(self._chunks)

    def get_range(self, start: int, end: int) -> list[DocumentChunk]:
        """The chunks from index `start` up to, but without, `end`."""
        return self._chunks[max(0, start) : max(0, end)]

    def get_chunks_in_range(self, start_pos: int, end_pos: int) -> list[DocumentChunk]:
        """The chunks that share a character with `document[start_pos:end_pos]`."""
        return [
            chunk
            for chunk in self._chunks
            if max(start_pos, chunk.start_pos) < min(end_pos, chunk.end_pos)
        ]

    def find_chunks(self, text: str, *, case_sensitive: bool = False) -> list[DocumentChunk]:
        """The chunks that contain a text."""
        if case_sensitive:
            return [chunk for chunk in self._chunks if text in chunk.content]
        folded = text.casefold()
        return [chunk for chunk in self._chunks if folded in chunk.content.casefold()]

    def get_context(self, index: int, before: int = 1, after: int = 1) -> str:
        """The text of a chunk and of so many chunks around it, each character once.

        Raises:
            IndexError: there is no such chunk.
            ValueError: `before` or `after` is negative.
        """
        self._check(index)
        if before < 0 or after < 0:
            raise ValueError(f"before={before} and after={after} count chunks: 0 or more")
        first = self._chunks[max(0, index - before)]
        last = self._chunks[min(len(self._chunks) - 1, index + after)]
        return self.document[first.start_pos : last.end_pos]

    def get_stats(self) -> WindowStats:
        """The numbers of this window."""
        count = len(self._chunks)
        chars = sum(chunk.char_count for chunk in self._chunks)
        tokens = sum(chunk.token_count for chunk in self._chunks)
        return WindowStats(
            total_chunks=count,
            total_chars=len(self.document),
            total_tokens=tokens,
            average_chars=chars / count if count else 0.0,
            average_tokens=tokens / count if count else 0.0,
            overlap_chars=chars - len(self.document),
            strategy=self.config.strategy,
            size=self.config.size,
            overlap=self.config.overlap,
        )

    # --- the place ---

    def current(self) -> DocumentChunk | None:
        """The chunk at the place, the first one at the beginning; None if there are none."""
        return self.get(self._at)

    def next(self) -> DocumentChunk | None:
        """Go to the next chunk and give it; None at the last one, where the place stays."""
        return self._move(self._at + 1)

    def prev(self) -> DocumentChunk | None:
        """Go to the chunk before and give it; None at the first one, where the place stays."""
        return self._move(self._at - 1)

    def jump(self, index: int) -> DocumentChunk:
        """Go to a chunk and give it.

        Raises:
            IndexError: there is no such chunk.
        """
        self._check(index)
        self._at = index
        return self._chunks[index]

    def reset(self) -> DocumentChunk | None:
        """Go back to the first chunk and give it."""
        self._at = 0
        return self.current()

    def has_next(self) -> bool:
        """Whether a chunk follows."""
        return self._at + 1 < len(self._chunks)

    def has_prev(self) -> bool:
        """Whether a chunk comes before."""
        return self._at > 0

    def _move(self, index: int) -> DocumentChunk | None:
        chunk = self.get(index)
        if chunk is not None:
            self._at = index
        return chunk

    def _check(self, index: int) -> None:
        if not 0 <= index < len(self._chunks):
            raise IndexError(f"there are {len(self._chunks)} chunks, from 0; none is {index}")

    # --- working on them ---

    async def process_all(
        self, fn: Callable[[DocumentChunk], Any], concurrency: int = 5
    ) -> ParallelResult:
        """Call `fn` with every chunk, several at a time; results stand in the order of the chunks.

        `fn` returns an awaitable or an unstarted stream. A chunk that fails is an error in the
        result, and never loses another's.

        Raises:
            ValueError: `concurrency` is no whole number, 1 or more.

        Example:
            >>> import asyncio
            >>> window = Window.create("abcdef", strategy="char", size=3, overlap=0)
            >>> shout = lambda chunk: l0.run(lambda: [chunk.content.upper()])
            >>> asyncio.run(window.process_all(shout)).results
            ['ABC', 'DEF']
        """
        tasks = [partial(fn, chunk) for chunk in self._chunks]
        return await parallel(tasks, concurrency=concurrency)

    async def process_sequential(self, fn: Callable[[DocumentChunk], Any]) -> ParallelResult:
        """Call `fn` with one chunk after the other, as `process_all` does with several."""
        return await self.process_all(fn, concurrency=1)

    def __repr__(self) -> str:
        config = self.config
        return (
            f"<DocumentWindow of {len(self.document)} characters in {len(self)} chunks, "
            f"{config.strategy} {config.size}/{config.overlap}>"
        )


class Window:
    """Makes windows over documents, in the usual sizes.

    Example:
        >>> Window.small("word " * 4000)
        <DocumentWindow of 20000 characters in 6 chunks, token 1000/100>
    """

    __slots__ = ()

    @staticmethod
    def create(document: str, config: WindowConfig | None = None, **changes: Any) -> DocumentWindow:
        """A window; keywords are fields of `WindowConfig`: 2,000 tokens, 200 of them repeated.

        Raises:
            TypeError: the document is no text, or a keyword is no field.
            ValueError: a field makes no sense.
        """
        return DocumentWindow(document, build_config(config, changes))

    @staticmethod
    def small(document: str, **changes: Any) -> DocumentWindow:
        """Chunks of 1,000 tokens, 100 of them repeated."""
        return Window.create(document, **{"size": 1000, "overlap": 100, **changes})

    @staticmethod
    def medium(document: str, **changes: Any) -> DocumentWindow:
        """Chunks of 2,000 tokens, 200 of them repeated."""
        return Window.create(document, **{"size": 2000, "overlap": 200, **changes})

    @staticmethod
    def large(document: str, **changes: Any) -> DocumentWindow:
        """Chunks of 4,000 tokens, 400 of them repeated."""
        return Window.create(document, **{"size": 4000, "overlap": 400, **changes})

    @staticmethod
    def paragraph(document: str, **changes: Any) -> DocumentWindow:
        """Chunks of whole paragraphs, up to 2,000 tokens, up to 200 of them repeated."""
        return Window.medium(document, **{"strategy": "paragraph", **changes})

    @staticmethod
    def sentence(document: str, **changes: Any) -> DocumentWindow:
        """Chunks of whole sentences, up to 1,500 tokens, up to 150 of them repeated."""
        given = {"strategy": "sentence", "size": 1500, "overlap": 150, **changes}
        return Window.create(document, **given)
