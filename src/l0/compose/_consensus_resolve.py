"""The value that stands: what the strategy takes, or what is made of answers that differ."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from l0.compose._consensus_analyse import Findings
from l0.compose._consensus_presets import ConsensusPreset
from l0.compose._consensus_values import canonical
from l0.compose._consensus_votes import (
    MISSING,
    Answer,
    Ballot,
    best,
    grouped,
    keys_of,
    most_frequent,
    one_each,
    weight_of,
    within,
)
from l0.compose._similarity import likeness

_ROUNDING = 1e-9  # three fifths are 60 %, whatever floats say


@dataclass(frozen=True, slots=True)
class Verdict:
    """The value, which output it is (None: of several), by which method; or why there is none."""

    status: Literal["success", "partial", "failed"]
    method: str
    value: Any = None
    index: int | None = None
    resolution: str | None = None
    why: str = ""


def decide(
    found: Findings, preset: ConsensusPreset, read: Callable[[Any], Any] | None = None
) -> Verdict:
    """The verdict on what was found; `read` validates a value that is made of several."""
    chosen, analysis = found.chosen, found.analysis
    if chosen is None:
        return Verdict("failed", preset.strategy, why="No consensus: every task failed")
    taken = Verdict("success", preset.strategy, chosen.value, chosen.index)
    if preset.strategy == "unanimous":
        if found.unanimous:
            return taken
        why = (
            f"No unanimous consensus: {analysis.failed} of {analysis.total} tasks failed"
            if analysis.failed
            else f"No unanimous consensus: {_differing(found)}"
        )
        return Verdict("failed", preset.strategy, why=why)
    if analysis.agreement_ratio + _ROUNDING >= preset.minimum_agreement:
        return taken
    if preset.resolve_conflicts == "fail":
        why = (
            f"No majority consensus: the agreement is {analysis.agreement_ratio:.0%}, "
            f"at least {preset.minimum_agreement:.0%} was asked for"
        )
        return Verdict("failed", "fail", why=why, resolution="fail")
    if preset.strategy == "best":  # what it takes stands, however few agree
        return Verdict("partial", "best", chosen.value, chosen.index)
    method = preset.resolve_conflicts
    value, index = _resolved(found, method, preset.threshold, read)
    return Verdict("partial", method, value, index, resolution=method)


def _differing(found: Findings) -> str:
    if not found.disagreements:
        return "some outputs are not similar enough"
    shown = [each.path for each in found.disagreements if each.path][:3]
    return f"the outputs differ in {', '.join(shown)}" if shown else "the outputs differ"


def _resolved(
    found: Findings, method: str, threshold: float, read: Callable[[Any], Any] | None
) -> tuple[Any, int | None]:
    answers = found.answers
    if method == "best":
        answer = best(answers)
        return answer.value, answer.index
    if method == "merge":
        made = _merged([answer.plain for answer in answers])
    else:
        made = _voted(answers, threshold, found.ballot)
    key = canonical(made)
    for answer in answers:
        if answer.key == key:
            return answer.value, answer.index
    own = copy.deepcopy(made)  # shares nothing with the outputs it is made of
    if read is None and all(_is_plain(answer.value) for answer in answers):
        return own, None
    try:
        if read is not None:
            return read(own), None
    except Exception:  # the schema's own checks: fields of several need not fit together
        read = None
    answer = _closest(answers, made)  # a value of the caller's own class can't be made up either
    return answer.value, answer.index


def _is_plain(value: Any) -> bool:
    return value is None or isinstance(value, str | int | float | dict | list | tuple)


def _voted(answers: Sequence[Answer], threshold: float, ballot: Ballot) -> Any:
    """The most frequent value; where most are dicts, the most frequent one in each of their fields.

    A field that most of them lack is left out. Of values that are equally frequent the one wins
    that more answers resemble, then the first.
    """
    dicts = [answer for answer in answers if isinstance(answer.plain, dict)]
    if weight_of(dicts, ballot) * 2 > weight_of(answers, ballot):
        voted = {
            key: _voted([within(answer, key) for answer in dicts], threshold, ballot)
            for key in keys_of(dicts)
        }
        return {key: value for key, value in voted.items() if value is not MISSING}
    same: dict[str, list[Answer]] = {}
    resembled: dict[int, float] = {}
    for answer in answers:
        same.setdefault(answer.key, []).append(answer)
    for group in grouped(answers, threshold):
        weight = weight_of(group, ballot)
        resembled |= {answer.index: weight for answer in group}
    favourite = max(
        (group[0] for group in same.values()),
        key=lambda answer: (weight_of(same[answer.key], ballot), resembled[answer.index]),
    )
    return favourite.plain


def _merged(values: Sequence[Any]) -> Any:
    """Everything that anybody said: dicts and lists united, texts joined with " | ".

    Values that can't be united are voted on; None gives way to what others say.
    """
    said = [value for value in values if value is not None] or list(values)
    distinct = _distinct(said)
    if len(distinct) == 1:
        return distinct[0]
    if all(isinstance(value, dict) for value in said):
        keys = dict.fromkeys(key for value in said for key in value)
        return {key: _merged([value[key] for value in said if key in value]) for key in keys}
    if all(isinstance(value, list) for value in said):
        return _distinct(item for value in said for item in value)
    if all(isinstance(value, str) for value in said):
        return " | ".join(value.strip() for value in distinct)
    return most_frequent([Answer.of(i, value) for i, value in enumerate(said)], one_each).value


def _distinct(values: Iterable[Any]) -> list[Any]:
    """Each value once, in the order in which they first appear."""
    first: dict[str, Any] = {}
    for value in values:
        first.setdefault(canonical(value), value)
    return list(first.values())


def _closest(answers: Sequence[Answer], made: Any) -> Answer:
    """The answer that has most in common with a value; of several, the first."""
    return max(answers, key=lambda answer: likeness(answer.plain, made, exact=True))
