"""Who says the same as whom: groups of answers, and where they agree and differ."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from l0.compose._consensus_result import Agreement, Disagreement, FieldConsensus, Vote
from l0.compose._consensus_values import canonical, plain
from l0.compose._similarity import likeness


@dataclass(frozen=True, slots=True)
class Answer:
    """One output that came: as it was given, as plain data, and its canonical text."""

    index: int
    value: Any
    plain: Any
    key: str
    weight: float

    @classmethod
    def of(cls, index: int, value: Any, weight: float = 1.0) -> Answer:
        """The answer of the task of this index."""
        data = plain(value)
        return cls(index, value, data, canonical(data), weight)


Ballot = Callable[[Answer], float]


def one_each(answer: Answer) -> float:  # noqa: ARG001  a ballot is given the answer
    """Every answer counts the same."""
    return 1.0


def by_weight(answer: Answer) -> float:
    """An answer counts as much as its task weighs."""
    return answer.weight


_SOMETHING = 1e-9  # even at a threshold of 0, answers that have nothing in common differ


def alike(a: Answer, b: Answer, threshold: float) -> bool:
    """Whether two answers say the same; different whole numbers never do."""
    return a.key == b.key or likeness(a.plain, b.plain, exact=True) >= max(threshold, _SOMETHING)


def grouped(answers: Sequence[Answer], threshold: float) -> list[list[Answer]]:
    """In order of index, each answer joins the first group whose first member is alike."""
    groups: list[list[Answer]] = []
    for answer in answers:
        for group in groups:
            if alike(group[0], answer, threshold):
                group.append(answer)
                break
        else:
            groups.append([answer])
    return groups


def weight_of(answers: Sequence[Answer], ballot: Ballot) -> float:
    """How much they count together, whatever their order."""
    return math.fsum(ballot(answer) for answer in answers)


def largest(groups: Sequence[list[Answer]], ballot: Ballot) -> list[Answer]:
    """The group that counts most; of several, the one with the lowest index."""
    return max(groups, key=lambda group: weight_of(group, ballot))  # the first of the largest


def most_frequent(group: Sequence[Answer], ballot: Ballot) -> Answer:
    """The answer whose canonical value counts most; of several, the one with the lowest index."""
    same: dict[str, list[Answer]] = {}
    for answer in group:
        same.setdefault(answer.key, []).append(answer)
    return largest(list(same.values()), ballot)[0]


def best(answers: Sequence[Answer]) -> Answer:
    """The answer of the highest weight; of several, the first."""
    return max(answers, key=by_weight)


# --- field by field -------------------------------------------------------------------------


class _Missing:
    def __repr__(self) -> str:
        return "missing"


MISSING = _Missing()


def fields(answers: Sequence[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    """Every field of the answers by its path, with what each says there; texts have one, `""`.

    Dicts are entered as long as all answers have one there; a field that an answer lacks is
    MISSING in it.
    """
    yield from _fields("", list(answers))


def _fields(path: str, answers: list[Answer]) -> Iterator[tuple[str, list[Answer]]]:
    if not answers or not all(isinstance(answer.plain, dict) for answer in answers):
        yield path, answers
        return
    for key in keys_of(answers):
        below = f"{path}.{key}" if path else str(key)
        yield from _fields(below, [within(answer, key) for answer in answers])


def keys_of(answers: Sequence[Answer]) -> list[Any]:
    """The keys of all answers, in the order in which they first appear."""
    return list(dict.fromkeys(key for answer in answers for key in answer.plain))


def within(answer: Answer, key: Any) -> Answer:
    """What the answer says in one of its fields."""
    value = answer.plain.get(key, MISSING)
    return Answer(answer.index, value, value, canonical(value), answer.weight)


def compare(
    answers: Sequence[Answer], threshold: float
) -> tuple[tuple[Agreement, ...], tuple[Disagreement, ...], dict[str, FieldConsensus]]:
    """Where the answers agree, where they differ, and what they say about each field."""
    agreements, disagreements, by_field = [], [], {}
    for path, said in fields(answers):
        groups = sorted(grouped(said, threshold), key=len, reverse=True)
        if not groups:
            continue
        top = groups[0]
        value, share = _shown(most_frequent(top, one_each)), len(top) / len(said)
        votes = tuple(_vote(group) for group in groups)
        indices = tuple(answer.index for answer in top)
        if len(top) > 1 and top[0].plain is not MISSING:
            exact = len({answer.key for answer in top}) == 1
            agreements.append(Agreement(path, value, len(top), share, indices, exact))
        if len(groups) > 1:
            disagreements.append(Disagreement(path, votes, share, _severity(share)))
        by_field[path] = FieldConsensus(path, value, share, votes)
    return tuple(agreements), tuple(disagreements), by_field


def _vote(group: Sequence[Answer]) -> Vote:
    chosen = most_frequent(group, one_each)
    indices = tuple(answer.index for answer in group)
    return Vote(_shown(chosen), len(group), indices, missing=chosen.plain is MISSING)


def _shown(answer: Answer) -> Any:
    return None if answer.plain is MISSING else answer.value


def _severity(share: float) -> Literal["minor", "moderate", "major", "critical"]:
    if share >= 0.8:
        return "minor"
    if share >= 0.6:
        return "moderate"
    return "major" if share >= 0.4 else "critical"
