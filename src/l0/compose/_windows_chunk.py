"""A document in chunks, and chunks and their results in one piece again."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any, Self

from l0.compose._windows_config import WindowConfig, build_config
from l0.compose._windows_cut import cut
from l0.compose._windows_measure import Measure
from l0.events import State


@dataclass(frozen=True, slots=True)
class DocumentChunk:
    """One stretch of a document: `document[start_pos:end_pos] == content`.

    Positions count characters; `token_count` is estimated.
    """

    index: int
    content: str
    start_pos: int
    end_pos: int
    token_count: int
    char_count: int
    is_first: bool
    is_last: bool
    total_chunks: int
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def replace(self, **changes: Any) -> Self:
        """The same chunk with some fields changed."""
        return dataclasses.replace(self, **changes)


def chunk_document(
    document: str, config: WindowConfig | None = None, **changes: Any
) -> list[DocumentChunk]:
    """Cut a document into chunks; keywords are fields of `WindowConfig`.

    No chunk is above the size and none lies within its neighbour; without their overlaps they are
    the document. An empty document has none.

    Raises:
        TypeError: the document is no text, or a keyword is no field.
        ValueError: a field makes no sense, or a single character counts more than the size.

    Example:
        >>> text = "One day. Two days. Three days."
        >>> [chunk.content for chunk in
        ...  chunk_document(text, strategy="sentence", size=6, overlap=3)]
        ['One day. Two days. ', 'Two days. Three days.']
    """
    return list(chunks_of(document, build_config(config, changes)))


def chunks_of(document: str, config: WindowConfig) -> list[DocumentChunk]:
    """The chunks of a document."""
    if not isinstance(document, str):
        raise TypeError(f"a document is a text, not {type(document).__name__}")
    measure = Measure(document, config)
    places = list(cut(measure))
    return [
        chunk_at(measure, index, start, end, len(places))
        for index, (start, end) in enumerate(places)
    ]


def chunk_at(measure: Measure, index: int, start: int, end: int, total: int) -> DocumentChunk:
    """The chunk between two positions."""
    content = measure.document[start:end]
    return DocumentChunk(
        index=index,
        content=content,
        start_pos=start,
        end_pos=end,
        token_count=measure.tokens(content),
        char_count=len(content),
        is_first=index == 0,
        is_last=index == total - 1,
        total_chunks=total,
        metadata=dict(measure.config.metadata or {}),
    )


def merge_chunks(chunks: Iterable[DocumentChunk]) -> str:
    """The stretch of the document that neighbouring chunks cover, each character once.

    In the order of the document, whatever order they are given in.

    Raises:
        ValueError: something is missing between two of them.

    Example:
        >>> merge_chunks(chunk_document("abcdefgh", strategy="char", size=3, overlap=1))
        'abcdefgh'
    """
    parts: list[str] = []
    reached = 0
    for chunk in sorted(chunks, key=lambda chunk: (chunk.start_pos, chunk.end_pos)):
        if parts and chunk.start_pos > reached:
            raise ValueError(
                f"nothing covers the characters {reached} to {chunk.start_pos}; give neighbouring "
                "chunks, or join texts that stand apart with merge_results"
            )
        if not parts:
            parts, reached = [chunk.content], chunk.end_pos
        elif chunk.end_pos > reached:
            parts.append(chunk.content[reached - chunk.start_pos :])
            reached = chunk.end_pos
    return "".join(parts)


def merge_results(results: Iterable[Any], sep: str = "\n\n") -> str:
    """The texts of results, one after the other; what failed or is blank is left out.

    A result is a text, a `State`, or anything with a `state` or a `text`; None counts as failed.

    Raises:
        TypeError: a result has no text.

    Example:
        >>> merge_results(["First part.", None, "Second part."], sep=" ")
        'First part. Second part.'
    """
    texts = (_text(result) for result in results)
    return sep.join(text for text in texts if text.strip())


def _text(result: Any) -> str:
    if result is None:
        return ""
    if isinstance(result, str):
        return result
    if isinstance(result, State):
        return result.content
    text = getattr(result, "text", None)
    if isinstance(text, str):
        return text
    state = getattr(result, "state", None)
    if isinstance(state, State):
        return state.content
    raise TypeError(f"a result has a text; {result!r} has none")
