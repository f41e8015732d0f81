"""How a consensus is reached, as a value, and the four that cover most needs."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from typing import Any, Self

STRATEGIES = ("unanimous", "majority", "weighted", "best")
RESOLUTIONS = ("vote", "merge", "best", "fail")


@dataclass(frozen=True, slots=True)
class ConsensusPreset:
    """How a consensus is reached.

    Args:
        strategy: "unanimous", "majority", "weighted" or "best".
        threshold: the similarity, 0 to 1, from which two outputs say the same.
        resolve_conflicts: what to do below the minimum: "vote", "merge", "best" or "fail".
        minimum_agreement: the share of the tasks, 0 to 1, that has to stand behind the value.

    Raises:
        ValueError: a field has a value that makes no sense.

    Example:
        >>> STANDARD_CONSENSUS.replace(threshold=0.9)
        ConsensusPreset(strategy='majority', threshold=0.9, resolve_conflicts='vote',
        minimum_agreement=0.6)
    """

    strategy: str = "majority"
    threshold: float = 0.8
    resolve_conflicts: str = "vote"
    minimum_agreement: float = 0.6

    def __post_init__(self) -> None:
        if self.strategy not in STRATEGIES:
            raise ValueError(
                f"Unknown strategy {self.strategy!r}; there are {', '.join(STRATEGIES)}"
            )
        if self.resolve_conflicts not in RESOLUTIONS:
            raise ValueError(
                f"Unknown conflict resolution {self.resolve_conflicts!r}; "
                f"there are {', '.join(RESOLUTIONS)}"
            )
        for name in ("threshold", "minimum_agreement"):
            value = getattr(self, name)
            number = isinstance(value, int | float) and not isinstance(value, bool)
            if not number or not 0 <= value <= 1:
                raise ValueError(f"{name} is a share from 0 to 1, not {value!r}")

    def replace(self, **changes: Any) -> Self:
        """The same with some fields changed."""
        return dataclasses.replace(self, **changes)


STRICT_CONSENSUS = ConsensusPreset("unanimous", 1.0, "fail", 1.0)
"""All say exactly the same, or there is no consensus."""
STANDARD_CONSENSUS = ConsensusPreset()
"""What 60 % say; below that a vote. The default."""
LENIENT_CONSENSUS = ConsensusPreset("majority", 0.7, "merge", 0.5)
"""What half of them say, more or less; below that everything anybody said."""
BEST_CONSENSUS = ConsensusPreset("best", 0.8, "best", 0.5)
"""The first output, or the one of the highest weight; the others say how sure it is."""

_PRESETS = {
    "strict": STRICT_CONSENSUS,
    "standard": STANDARD_CONSENSUS,
    "lenient": LENIENT_CONSENSUS,
    "best": BEST_CONSENSUS,
}


def build_preset(preset: ConsensusPreset | str | None, **given: Any) -> ConsensusPreset:
    """The preset with those of the values that are given.

    Raises:
        ValueError: there is no such preset, or a value makes no sense.
    """
    if preset is None:
        preset = STANDARD_CONSENSUS
    elif isinstance(preset, str):
        if preset not in _PRESETS:
            raise ValueError(f"Unknown preset {preset!r}; there are {', '.join(_PRESETS)}")
        preset = _PRESETS[preset]
    elif not isinstance(preset, ConsensusPreset):
        raise TypeError(f"preset is a ConsensusPreset or the name of one, not {preset!r}")
    return preset.replace(**{name: value for name, value in given.items() if value is not None})
