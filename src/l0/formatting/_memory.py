"""A conversation so far, as text for a prompt."""

from __future__ import annotations

import dataclasses
import json
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final, Literal

from l0.formatting._delimiters import escape_delimiters, xml_name
from l0.formatting._strings import escape_html

Style = Literal["conversational", "structured", "compact"]


@dataclass(frozen=True, slots=True)
class MemoryEntry:
    """Something that was said: by whom, what, and when (Unix seconds).

    `content=None` is the empty text.

    Raises:
        ValueError: the role is empty.

    Example:
        >>> MemoryEntry("user", "Hello").content
        'Hello'
    """

    role: str
    content: str
    timestamp: float | None = None
    metadata: Mapping[str, Any] = field(default_factory=dict)

    def __post_init__(self) -> None:
        if not isinstance(self.role, str) or not self.role.strip():
            raise ValueError(f"role says who spoke, such as 'user'; it is {self.role!r}")
        object.__setattr__(self, "content", self.content or "")


@dataclass(frozen=True, slots=True)
class MemoryOptions:
    """How `format_memory` writes.

    Raises:
        ValueError: the style is unknown, or `max_entries` is negative.
    """

    max_entries: int | None = None
    include_timestamps: bool = False
    include_metadata: bool = False
    style: Style = "conversational"

    def __post_init__(self) -> None:
        if self.style not in _STYLES:
            raise ValueError(f"style is {', '.join(_STYLES)}; not {self.style!r}")
        if self.max_entries is not None and self.max_entries < 0:
            raise ValueError(f"max_entries is 0 or more, or None; not {self.max_entries}")


def create_memory_entry(
    role: str, content: str | None, metadata: Mapping[str, Any] | None = None
) -> MemoryEntry:
    """An entry of this moment.

    Example:
        >>> create_memory_entry("user", "Hi", {"source": "web"}).metadata
        {'source': 'web'}
    """
    return MemoryEntry(role, content or "", time.time(), dict(metadata or {}))


def format_memory(
    entries: Iterable[MemoryEntry | Mapping[str, Any]],
    options: MemoryOptions | Mapping[str, Any] | None = None,
    **changes: Any,
) -> str:
    """The conversation as text; entries may be mappings with role and content.

    Args:
        entries: oldest first.
        options: `MemoryOptions`, or a mapping of its fields; single ones also as keywords.
            Styles: `conversational` gives `Role: content` paragraphs, `structured` messages in a
            `<conversation_history>`, `compact` one line each.
        changes: fields of the options.

    Raises:
        ValueError: an option makes no sense.
        TypeError: an option is unknown.

    Example:
        >>> talk = [MemoryEntry("user", "Hi"), MemoryEntry("assistant", "Hello!")]
        >>> print(format_memory(talk, style="compact"))
        U: Hi
        A: Hello!
    """
    given = options if isinstance(options, MemoryOptions) else MemoryOptions(**(options or {}))
    chosen = dataclasses.replace(given, **changes)
    known = [each if isinstance(each, MemoryEntry) else MemoryEntry(**each) for each in entries]
    if chosen.max_entries is not None:
        known = get_last_n_entries(known, chosen.max_entries)
    return _STYLES[chosen.style](known, chosen) if known else ""


def merge_memory(*memories: Sequence[MemoryEntry]) -> list[MemoryEntry]:
    """All entries by time; of one time, and without one, they keep their order.

    An entry without a timestamp stays behind the one before it.

    Example:
        >>> one, two = MemoryEntry("user", "late", 2.0), MemoryEntry("tool", "early", 1.0)
        >>> [entry.content for entry in merge_memory([one], [two])]
        ['early', 'late']
    """
    timed: list[tuple[float, MemoryEntry]] = []
    for memory in memories:
        last = float("-inf")
        for entry in memory:
            last = last if entry.timestamp is None else entry.timestamp
            timed.append((last, entry))
    return [entry for _, entry in sorted(timed, key=lambda pair: pair[0])]


def filter_memory_by_role(memory: Iterable[MemoryEntry], role: str) -> list[MemoryEntry]:
    """What one role said.

    Example:
        >>> talk = [MemoryEntry("user", "a"), MemoryEntry("tool", "b")]
        >>> [entry.content for entry in filter_memory_by_role(talk, "tool")]
        ['b']
    """
    return [entry for entry in memory if entry.role == role]


def get_last_n_entries(memory: Sequence[MemoryEntry], count: int) -> list[MemoryEntry]:
    """The last entries, in their order; 0 or fewer gives none.

    Example:
        >>> talk = [MemoryEntry("user", text) for text in "abc"]
        >>> [entry.content for entry in get_last_n_entries(talk, 2)]
        ['b', 'c']
    """
    return list(memory[-count:]) if count > 0 else []


def calculate_memory_size(memory: Iterable[MemoryEntry]) -> int:
    """Characters of all contents.

    Example:
        >>> calculate_memory_size([MemoryEntry("user", "Hello")])
        5
    """
    return sum(len(entry.content) for entry in memory)


def truncate_memory(memory: Sequence[MemoryEntry], max_size: int) -> list[MemoryEntry]:
    """The newest entries that have at most `max_size` characters together; oldest leave first.

    Example:
        >>> talk = [MemoryEntry("user", "one"), MemoryEntry("user", "two")]
        >>> [entry.content for entry in truncate_memory(talk, 5)]
        ['two']
    """
    kept = list(memory)
    size = calculate_memory_size(kept)
    first = 0
    while first < len(kept) and size > max_size:
        size -= len(kept[first].content)
        first += 1
    return kept[first:]


def _conversational(entries: list[MemoryEntry], options: MemoryOptions) -> str:
    return "\n\n".join(
        f"{_stamp(entry, options)}{_spoken(entry)}: {entry.content}{_aside(entry, options)}"
        for entry in entries
    )


def _structured(entries: list[MemoryEntry], options: MemoryOptions) -> str:
    lines = ["<conversation_history>"]
    for entry in entries:
        attributes = {"role": entry.role}
        if options.include_timestamps and entry.timestamp is not None:
            attributes["timestamp"] = _iso(entry.timestamp)
        if options.include_metadata:
            for key, value in entry.metadata.items():
                attributes.setdefault(xml_name(str(key)), _plain(value))
        written = " ".join(f'{key}="{escape_html(value)}"' for key, value in attributes.items())
        lines.append(f"  <message {written}>{escape_delimiters(entry.content)}</message>")
    return "\n".join([*lines, "</conversation_history>"])


def _compact(entries: list[MemoryEntry], options: MemoryOptions) -> str:
    return "\n".join(
        f"{_stamp(entry, options)}{_letter(entry.role)}: {' '.join(entry.content.split())}"
        f"{_aside(entry, options)}"
        for entry in entries
    )


_STYLES: Final[dict[str, Callable[[list[MemoryEntry], MemoryOptions], str]]] = {
    "conversational": _conversational,
    "structured": _structured,
    "compact": _compact,
}


def _letter(role: str) -> str:
    return {"user": "U", "assistant": "A", "system": "S", "tool": "T"}.get(role, role[:1].upper())


def _spoken(entry: MemoryEntry) -> str:
    return entry.role[:1].upper() + entry.role[1:]


def _stamp(entry: MemoryEntry, options: MemoryOptions) -> str:
    if not options.include_timestamps or entry.timestamp is None:
        return ""
    return f"[{_iso(entry.timestamp)}] "


def _aside(entry: MemoryEntry, options: MemoryOptions) -> str:
    if not options.include_metadata or not entry.metadata:
        return ""
    return f" ({', '.join(f'{key}={_plain(value)}' for key, value in entry.metadata.items())})"


def _iso(timestamp: float) -> str:
    return datetime.fromtimestamp(timestamp, UTC).isoformat(timespec="seconds")


def _plain(value: object) -> str:
    return value if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str)
