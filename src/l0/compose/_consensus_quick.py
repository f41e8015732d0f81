"""Consensus without calls: over values that are there already."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from typing import Any

from l0.compose._consensus_result import ConsensusResult
from l0.compose._consensus_votes import Answer, most_frequent, one_each


def quick_consensus(outputs: Iterable[Any], threshold: float = 0.8) -> bool:
    """Whether at least this share of the values, 0 to 1, is the same.

    The same to the letter, but for blanks around a text, the order of keys, and 1 for 1.0. Of no
    values, False.

    Example:
        >>> quick_consensus(["yes", "yes", "no"]), quick_consensus(["yes", "yes", "no"], 0.6)
        (False, True)
    """
    counts = Counter(Answer.of(index, value).key for index, value in enumerate(outputs))
    return bool(counts) and max(counts.values()) >= threshold * counts.total() - 1e-9


def get_consensus_value(outputs: Iterable[Any]) -> Any:
    """The most frequent value, as it was first given; of several, the one given first.

    Raises:
        ValueError: there are no values.

    Example:
        >>> get_consensus_value([{"n": 1}, {"n": 2}, {"n": 2}])
        {'n': 2}
    """
    answers = [Answer.of(index, value) for index, value in enumerate(outputs)]
    if not answers:
        raise ValueError("No outputs provided; a consensus needs at least one")
    return most_frequent(answers, one_each).value


def validate_consensus(
    result: ConsensusResult, min_confidence: float = 0.8, max_disagreements: int = 0
) -> bool:
    """Whether a result is good enough: so confident, with no more disagreements, and no failure.

    Example:
        >>> import asyncio
        >>> from l0.compose import consensus
        >>> tasks = [lambda: asyncio.sleep(0, "Oslo")] * 3
        >>> validate_consensus(asyncio.run(consensus(tasks)))
        True
    """
    return (
        result.status != "failed"
        and result.confidence >= min_confidence
        and len(result.disagreements) <= max_disagreements
    )
