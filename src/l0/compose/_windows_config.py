"""How a document is cut into windows, as a value."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any, Self

STRATEGIES = ("token", "char", "paragraph", "sentence")


@dataclass(frozen=True, slots=True)
class WindowConfig:
    """How a document is cut into windows.

    Args:
        size: the most that a chunk holds: characters with the strategy "char", else tokens.
        overlap: what a chunk repeats of the one before, in the same unit; at most, where chunks
            begin at paragraphs or sentences.
        strategy: "token" and "char" cut at the size, "paragraph" and "sentence" between those.
        estimate_tokens: counts the tokens of a text; a longer text never counts less. Default: a
            quarter of the characters, `formatting.estimate_tokens`.
        preserve_paragraphs: for "token" and "char": end a chunk up to 100 characters earlier, at a
            blank line.
        preserve_sentences: likewise, at the end of a sentence; a blank line comes first.
        metadata: your own facts, on every chunk.

    Raises:
        ValueError: a field has a value that makes no sense.

    Example:
        >>> WindowConfig(size=500).replace(overlap=50).overlap
        50
    """

    size: int = 2000
    overlap: int = 200
    strategy: str = "token"
    estimate_tokens: Callable[[str], int] | None = None
    preserve_paragraphs: bool = True
    preserve_sentences: bool = False
    metadata: Mapping[str, Any] | None = None

    def __post_init__(self) -> None:
        for name, least in (("size", 1), ("overlap", 0)):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < least:
                raise ValueError(f"{name} is a whole number, {least} or more; not {value!r}")
        if self.overlap >= self.size:
            raise ValueError(
                f"overlap={self.overlap} is as large as size={self.size}: no chunk would bring "
                "anything new; make it smaller"
            )
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"Unknown strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}"
            )
        if self.estimate_tokens is not None and not callable(self.estimate_tokens):
            raise ValueError(
                f"estimate_tokens is called with a text; {self.estimate_tokens!r} is not callable"
            )

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return dataclasses.replace(self, **changes)


def build_config(config: WindowConfig | None, changes: Mapping[str, Any]) -> WindowConfig:
    """The configuration with its changes.

    Raises:
        TypeError: it is none, or a change names no field.
    """
    if config is None:
        return WindowConfig(**changes)
    if not isinstance(config, WindowConfig):
        raise TypeError(f"config is a WindowConfig, not {config!r}")
    return config.replace(**changes)
