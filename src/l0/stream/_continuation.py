"""How a broken stream goes on from its last good token: the options as values."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass, field
from typing import Any, Literal, Self


@dataclass(frozen=True, slots=True)
class DeduplicationOptions:
    """What counts as an overlap between a checkpoint and the text that continues it.

    Args:
        min_overlap: fewest characters that count.
        max_overlap: most characters of the checkpoint's end that are compared.
        case_sensitive: False compares text with its case folded.
        normalize_whitespace: True compares each run of blanks as one blank.
        repeats: what to do with an overlap that stands twice in a row at the end of the
            checkpoint: "keep" takes it for real repetition, "remove" for an overlap.

    Raises:
        ValueError: a field has a value that makes no sense.

    Example:
        >>> DeduplicationOptions(min_overlap=4).replace(case_sensitive=False).min_overlap
        4
    """

    min_overlap: int = 2
    max_overlap: int = 500
    case_sensitive: bool = True
    normalize_whitespace: bool = False
    repeats: Literal["keep", "remove"] = "keep"

    def __post_init__(self) -> None:
        for name in ("min_overlap", "max_overlap"):
            value = getattr(self, name)
            if not isinstance(value, int) or isinstance(value, bool) or value < 1:
                raise ValueError(
                    f"DeduplicationOptions.{name} counts characters: a whole number, 1 or more, "
                    f"not {value!r}"
                )
        if self.min_overlap > self.max_overlap:
            raise ValueError(
                f"DeduplicationOptions.min_overlap ({self.min_overlap}) is at most max_overlap "
                f"({self.max_overlap}); raise max_overlap, or set deduplicate=False to remove "
                "nothing"
            )
        _check_flags(self, "case_sensitive", "normalize_whitespace")
        if self.repeats not in ("keep", "remove"):
            raise ValueError(
                f'DeduplicationOptions.repeats is "keep" or "remove", not {self.repeats!r}'
            )

    def replace(self, **changes: Any) -> Self:
        """The same options with some fields changed."""
        return dataclasses.replace(self, **changes)


@dataclass(frozen=True, slots=True)
class ContinuationConfig:
    """How a broken stream goes on from its last good token; `continuation=True` is the default.

    Args:
        enabled: False restarts from nothing, as without continuation.
        deduplicate: drop what the new source repeats. Set False for a source that continues
            exactly, such as one with assistant prefill.
        deduplication: what counts as repeated.
        validate_checkpoint: judge the checkpoint by the guardrails before it is continued.
        restatement: notice a source that ignored the checkpoint and started over.
        provider: let a provider that can resume its own response do so first.

    Raises:
        ValueError: a field has a value that makes no sense.

    Example:
        >>> ContinuationConfig().replace(deduplicate=False).deduplicate
        False
    """

    enabled: bool = True
    deduplicate: bool = True
    deduplication: DeduplicationOptions = field(default_factory=DeduplicationOptions)
    validate_checkpoint: bool = True
    restatement: bool = True
    provider: bool = True

    def __post_init__(self) -> None:
        _check_flags(
            self, "enabled", "deduplicate", "validate_checkpoint", "restatement", "provider"
        )
        if not isinstance(self.deduplication, DeduplicationOptions):
            raise ValueError(
                "ContinuationConfig.deduplication is a DeduplicationOptions, "
                f"not {self.deduplication!r}"
            )

    def replace(self, **changes: Any) -> Self:
        """The same configuration with some fields changed."""
        return dataclasses.replace(self, **changes)


def _check_flags(options: Any, *names: str) -> None:
    for name in names:
        value = getattr(options, name)
        if not isinstance(value, bool):
            raise ValueError(f"{type(options).__name__}.{name} is True or False, not {value!r}")
