"""What the outputs of all tasks have in common: pair by pair, group by group, field by field."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import combinations

from l0.compose._consensus_presets import ConsensusPreset
from l0.compose._consensus_result import (
    Agreement,
    ConsensusAnalysis,
    ConsensusOutput,
    Disagreement,
    FieldConsensus,
)
from l0.compose._consensus_votes import (
    Answer,
    Ballot,
    alike,
    best,
    by_weight,
    compare,
    grouped,
    largest,
    most_frequent,
    one_each,
    weight_of,
)
from l0.compose._similarity import likeness

_PENALTY = 0.1  # of the confidence, for each major or critical disagreement


@dataclass(frozen=True, slots=True)
class Findings:
    """What was found; `chosen` is what the strategy takes, None if every task failed.

    `ballot` says how answers count; `unanimous`, that no task failed and every pair is alike, is
    looked at for that strategy only.
    """

    answers: Sequence[Answer]
    ballot: Ballot
    chosen: Answer | None
    unanimous: bool
    structured: bool
    confidence: float
    agreements: tuple[Agreement, ...]
    disagreements: tuple[Disagreement, ...]
    fields: Mapping[str, FieldConsensus] | None
    analysis: ConsensusAnalysis


def analyse(
    outputs: Sequence[ConsensusOutput],
    preset: ConsensusPreset,
    *,
    structured: bool = False,
) -> Findings:
    """Compare the outputs; `structured`: they are data even where they look like text."""
    answers = [Answer.of(each.index, each.value, each.weight) for each in outputs if each.success]
    ballot = by_weight if preset.strategy == "weighted" else one_each
    chosen, agreement = _choose(outputs, answers, preset, ballot)
    agreements, disagreements, fields = compare(answers, preset.threshold)
    matrix, pairs = _similarities(len(outputs), answers)
    average = math.fsum(pairs) / len(pairs) if pairs else float(bool(answers))
    serious = sum(each.severity in {"major", "critical"} for each in disagreements)
    dicts = bool(answers) and all(isinstance(answer.plain, dict) for answer in answers)
    data = bool(answers) and all(isinstance(answer.plain, dict | list) for answer in answers)
    return Findings(
        answers=answers,
        ballot=ballot,
        chosen=chosen,
        unanimous=preset.strategy == "unanimous"
        and len(answers) == len(outputs)
        and all(alike(a, b, preset.threshold) for a, b in combinations(answers, 2)),
        structured=structured or data,
        confidence=min(1.0, max(0.0, average * agreement - _PENALTY * serious)),
        agreements=agreements,
        disagreements=disagreements,
        fields=fields if dicts else None,
        analysis=ConsensusAnalysis(
            total=len(outputs),
            succeeded=len(answers),
            failed=len(outputs) - len(answers),
            identical=max(Counter(answer.key for answer in answers).values(), default=0),
            agreement_ratio=agreement,
            average_similarity=average,
            min_similarity=min(pairs, default=average),
            max_similarity=max(pairs, default=average),
            similarity_matrix=matrix,
            strategy=preset.strategy,
            resolution=None,  # this and the duration are known once it is decided
            duration=0.0,
        ),
    )


def _choose(
    outputs: Sequence[ConsensusOutput],
    answers: Sequence[Answer],
    preset: ConsensusPreset,
    ballot: Ballot,
) -> tuple[Answer | None, float]:
    """What the strategy takes, and the share of all tasks behind it; failed ones are not."""
    if not answers:
        return None, 0.0
    if preset.strategy == "best":
        chosen = best(answers)
        behind = [answer for answer in answers if alike(chosen, answer, preset.threshold)]
    else:
        behind = largest(grouped(answers, preset.threshold), ballot)
        chosen = most_frequent(behind, ballot)
    everyone = math.fsum(output.weight if ballot is by_weight else 1.0 for output in outputs)
    return chosen, weight_of(behind, ballot) / everyone


def _similarities(
    size: int, answers: Sequence[Answer]
) -> tuple[tuple[tuple[float, ...], ...], list[float]]:
    """The matrix of all tasks, and the values of the pairs of answers."""
    rows = [[0.0] * size for _ in range(size)]
    pairs = []
    for answer in answers:
        rows[answer.index][answer.index] = 1.0
    for a, b in combinations(answers, 2):
        value = 1.0 if a.key == b.key else likeness(a.plain, b.plain)
        rows[a.index][b.index] = rows[b.index][a.index] = value
        pairs.append(value)
    return tuple(map(tuple, rows)), pairs
